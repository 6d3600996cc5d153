//! How many bytes of request bodies may be in flight: read and not yet answered. Known senders have their own budget. A client that has not authenticated yet is charged to
//! a small separate one, by the bytes that have arrived, and no single address may use all of it.
//!
//! Never blocks: what does not fit is answered at once with 503 and `Retry-After`, and taken again by whoever retries. Prometheus never does, so the bounds
//! (`[limits]` of daemon.toml) are far above what it sends.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::trust::Peer;

/// What strangers may have in flight, as a part of what senders may that are known: 8 MiB of the default 64.
const STRANGERS_PART: usize = 8;

/// What one address may have of that: 2 MiB of the default, four of the largest events that PagerDuty takes, of which each is read in milliseconds.
const ADDRESS_PART: usize = 4;

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

/// What those may have in flight together whose sender is not known yet.
#[derive(Debug, Clone)]
pub struct Strangers {
    all: Budget,
    each: Arc<Mutex<BTreeMap<IpAddr, usize>>>,
    each_max: usize,
}

/// A stranger's part of it; given back when dropped.
#[derive(Debug)]
pub struct StrangerShare {
    share: Share,
    strangers: Strangers,
    address: Option<IpAddr>,
}

impl Strangers {
    /// What strangers may have beside senders that may have `known_bytes`.
    pub fn beside(known_bytes: usize) -> Strangers {
        let bytes = known_bytes / STRANGERS_PART;
        Strangers { all: Budget::new(bytes), each: Arc::default(), each_max: bytes / ADDRESS_PART }
    }

    /// A share of nothing, to be grown by what arrives.
    pub fn share(&self, peer: Peer) -> StrangerShare {
        let share = Share { budget: self.all.clone(), amount: 0 };
        StrangerShare { share, strangers: self.clone(), address: peer.elsewhere() }
    }

    /// How much of it is taken.
    pub fn taken(&self) -> usize {
        self.all.taken()
    }
}

impl StrangerShare {
    /// Makes the share `amount` larger, if the address and all strangers together have that much left.
    pub fn grow(&mut self, amount: usize) -> bool {
        let Some(address) = self.address else { return self.share.grow(amount) };
        let mut each = self.strangers.each.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = each.get(&address).copied().unwrap_or(0);
        if taken + amount > self.strangers.each_max || !self.share.grow(amount) {
            return false;
        }
        each.insert(address, taken + amount);
        true
    }
}

impl Drop for StrangerShare {
    fn drop(&mut self) {
        let Some(address) = self.address else { return };
        let mut each = self.strangers.each.lock().unwrap_or_else(PoisonError::into_inner);
        let left = each.get(&address).map_or(0, |taken| taken.saturating_sub(self.share.amount));
        if left == 0 {
            each.remove(&address);
        } else {
            each.insert(address, left);
        }
    }
}
