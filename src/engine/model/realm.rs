//! Realms by number: which of their ids was given last.

use minicbor::{Decode, Encode};

use crate::ids::{Realm, Shard};

/// A realm other than `main`, whose counters are the daemon's.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Known {
    /// Its number: kept for good, never given to another realm.
    #[n(0)]
    pub shard: Shard,
    /// Its name.
    #[n(1)]
    pub name: Realm,
    /// The last alert's number.
    #[n(2)]
    pub alerts: u64,
    /// The last incident's number.
    #[n(3)]
    pub incidents: u64,
    /// The last message's number.
    #[n(4)]
    pub messages: u64,
    /// The last problem's number.
    #[n(5)]
    pub problems: u64,
}

impl Known {
    /// Of a realm without any id.
    pub fn new(shard: Shard, name: Realm) -> Known {
        Known { shard, name, alerts: 0, incidents: 0, messages: 0, problems: 0 }
    }
}

/// What can happen to realms. Indices are never reused; new fields are optional.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Fact {
    /// It was heard of for the first time.
    #[n(0)]
    Named {
        /// Its number.
        #[n(0)]
        shard: Shard,
        /// Its name.
        #[n(1)]
        name: Realm,
    },
}
