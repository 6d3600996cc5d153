//! How much may be in flight: bytes of request bodies that were read and not yet answered, and connections.
//!
//! Never blocks: what does not fit is answered at once with 503 and `Retry-After`, and taken again by whoever retries. Prometheus never does, so the bounds
//! (`[limits]` of daemon.toml) are far above what it sends.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A bounded amount of something, shared by all who take from it.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Amount>);

#[derive(Debug)]
struct Amount {
    taken: AtomicUsize,
    max: usize,
}

/// A part of a budget; given back when dropped.
#[derive(Debug)]
pub struct Share {
    budget: Budget,
    amount: usize,
}

impl Budget {
    /// A budget of `max`, none of it taken.
    pub fn new(max: usize) -> Budget {
        Budget(Arc::new(Amount { taken: AtomicUsize::new(0), max }))
    }

    /// A share of `amount`, if that much is left.
    pub fn take(&self, amount: usize) -> Option<Share> {
        let fits = |taken: usize| taken.checked_add(amount).filter(|after| *after <= self.0.max);
        self.0.taken.try_update(Ordering::AcqRel, Ordering::Acquire, fits).ok()?;
        Some(Share { budget: self.clone(), amount })
    }

    /// How much of it is taken.
    pub fn taken(&self) -> usize {
        self.0.taken.load(Ordering::Acquire)
    }
}

impl Share {
    /// Makes the share `amount` larger, if that much is left.
    pub fn grow(&mut self, amount: usize) -> bool {
        match self.budget.take(amount) {
            Some(mut more) => {
                self.amount += std::mem::take(&mut more.amount);
                true
            }
            None => false,
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.0.taken.fetch_sub(self.amount, Ordering::AcqRel);
    }
}
