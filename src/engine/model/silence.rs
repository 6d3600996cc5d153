//! Silences that operators make: which alerts are recorded without being told, and for how long.

use minicbor::{Decode, Encode};

use crate::expr::{Fault, Matcher};
use crate::ids::SilenceId;
use crate::text::Labels;
use crate::time::Time;
use crate::words::words;

/// A silence as its row keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Silence {
    /// Its id.
    #[n(0)]
    pub id: SilenceId,
    /// The id that Alertmanager's clients see: a UUID derived from the store's id and the number.
    #[n(1)]
    pub uuid: String,
    /// What must hold of an alert's labels, all of it.
    #[n(2)]
    pub matchers: Vec<StoredMatcher>,
    /// From when.
    #[n(3)]
    pub starts_at: Time,
    /// Until when.
    #[n(4)]
    pub ends_at: Time,
    /// Who made it.
    #[n(5)]
    pub created_by: String,
    /// Why.
    #[n(6)]
    pub comment: String,
    /// When it last changed.
    #[n(7)]
    pub updated_at: Time,
    /// Counts every change: the ETag.
    #[n(8)]
    pub version: u64,
    /// What a client keeps with it.
    #[n(9)]
    #[cbor(default)]
    pub annotations: Labels,
    /// Over what its matchers are.
    #[n(10)]
    #[cbor(default)]
    pub over: Over,
}

/// Over what the matchers of a silence are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
pub enum Over {
    /// The labels, with the alert's own name and severity where it has no such label. So it is for silences of version 0.1.0, which go on muting what they muted.
    #[default]
    #[n(0)]
    StandIns,
    /// The labels as Alertmanager's API shows them.
    #[n(1)]
    Shown,
}

/// A matcher as it is stored; compiled by `expr` when the row is loaded.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct StoredMatcher {
    /// The label.
    #[n(0)]
    pub name: String,
    /// The value or regex.
    #[n(1)]
    pub value: String,
    /// Whether the value is an anchored regex.
    #[n(2)]
    pub is_regex: bool,
    /// Whether it must match, or must not.
    #[n(3)]
    pub is_equal: bool,
}

impl StoredMatcher {
    /// Of a matcher.
    pub fn of(matcher: &Matcher) -> StoredMatcher {
        StoredMatcher {
            name: matcher.name().to_owned(),
            value: matcher.value().to_owned(),
            is_regex: matcher.is_regex(),
            is_equal: matcher.is_equal(),
        }
    }

    /// As it is asked.
    ///
    /// # Errors
    /// It has no name, or is no regex.
    pub fn compiled(&self) -> Result<Matcher, Fault> {
        Matcher::new(&self.name, &self.value, self.is_regex, self.is_equal)
    }
}

/// What happened to a silence.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Fact {
    /// Made, or changed in place.
    #[n(0)]
    Set {
        /// The record.
        #[n(0)]
        silence: Box<Silence>,
    },
    /// Ended early.
    #[n(1)]
    Expired {
        /// Which.
        #[n(0)]
        id: SilenceId,
        /// By whom.
        #[n(1)]
        actor: String,
    },
    /// Its row went to the past, a while after its end.
    #[n(2)]
    Forgotten {
        /// Which.
        #[n(0)]
        id: SilenceId,
    },
}

words!(
    /// Where a silence is, in Alertmanager's words.
    SilenceState {
        /// It has not begun.
        0 Pending "pending",
        /// It holds.
        1 Active "active",
        /// It is over.
        2 Expired "expired",
    }
);

impl Silence {
    /// Where it is at `now`.
    pub fn state(&self, now: Time) -> SilenceState {
        if now >= self.ends_at {
            SilenceState::Expired
        } else if now < self.starts_at {
            SilenceState::Pending
        } else {
            SilenceState::Active
        }
    }
}
