//! How many elements the conditions of one batch may look at in `exists` and `all`, all together: beyond it a dear rule does not match, instead of holding up
//! the writer. Counted, not timed, so that the same batch is always decided alike.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::limits;

/// What the conditions of a batch may still look at.
#[derive(Debug, Clone)]
pub struct Budget {
    left: Cell<u32>,
    /// Evaluations that were given up.
    refused: Cell<u32>,
    /// What each rule has taken of it.
    taken: RefCell<BTreeMap<Arc<str>, u32>>,
}

/// The rule that took most of a batch's budget, where that did not do for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dearest {
    /// Section and name of the rule.
    pub rule: String,
    /// How many elements it looked at, beyond the first few of each evaluation.
    pub elements: u32,
    /// How many evaluations of all rules were given up.
    pub refused: u32,
}

impl Default for Budget {
    fn default() -> Budget {
        Budget { left: Cell::new(limits::BATCH_ELEMENTS_MAX), refused: Cell::new(0), taken: RefCell::default() }
    }
}

impl Budget {
    /// Begins the next batch.
    pub fn renew(&mut self) {
        *self = Budget::default();
    }

    /// How many evaluations were given up so far.
    pub fn refused(&self) -> u32 {
        self.refused.get()
    }

    /// The dearest rule, where an evaluation was given up.
    pub fn dearest(&self) -> Option<Dearest> {
        let refused = self.refused.get();
        let taken = self.taken.borrow();
        // Of two alike the first by name.
        let (rule, elements) = taken.iter().rev().max_by_key(|(_, elements)| **elements).filter(|_| refused > 0)?;
        Some(Dearest { rule: rule.to_string(), elements: *elements, refused })
    }

    /// Takes one element; false where none is left.
    pub(super) fn take(&self) -> bool {
        match self.left.get().checked_sub(1) {
            Some(left) => {
                self.left.set(left);
                true
            }
            None => {
                self.refused.set(self.refused.get().saturating_add(1));
                false
            }
        }
    }

    /// What is left of it.
    pub(super) fn left(&self) -> u32 {
        self.left.get()
    }

    /// Says which rule took some of it.
    pub(super) fn note(&self, rule: &Arc<str>, elements: u32) {
        let mut taken = self.taken.borrow_mut();
        match taken.get_mut(rule) {
            Some(known) => *known = known.saturating_add(elements),
            None => {
                taken.insert(Arc::clone(rule), elements);
            }
        }
    }
}
