//! A block: one batch as the journal keeps it, each event's typed input and its facts, chained by hash. Complete: rows plus later blocks rebuild everything.

use minicbor::{Decode, Encode};

use crate::event::Command;
use crate::fact::Fact;
use crate::input::AlertInput;
use crate::time::Time;

/// The format this program writes. A store with a higher one is refused.
pub const FORMAT: u32 = 1;

/// One batch.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Block {
    /// [`FORMAT`] of the program that wrote it.
    #[n(0)]
    pub format: u32,
    /// Its sequence; 1 is the first.
    #[n(1)]
    pub seq: u64,
    /// The clock, read once.
    #[n(2)]
    pub now: Time,
    /// The policy in force, by its content hash.
    #[n(3)]
    pub policy: String,
    /// The CMDB version in force.
    #[n(4)]
    pub cmdb: u64,
    /// The hash (xxh3, 64 bits) of the block before; 0 for the first.
    #[n(5)]
    pub before: u64,
    /// What happened, in order.
    #[n(6)]
    pub entries: Vec<Entry>,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Entry {
    /// What came in.
    #[n(0)]
    pub input: Recorded,
    /// What is remembered of it.
    #[n(1)]
    pub facts: Vec<Fact>,
}

/// What came in, as far as a replay needs it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Recorded {
    /// A timer, a start, a worker's result or a new World: facts say it.
    #[n(0)]
    Nothing,
    /// Alerts; those of which only `Seen` is remembered are left out, their fact is their input.
    #[n(1)]
    Alerts(#[n(0)] Vec<AlertInput>),
    /// An operator's command.
    #[n(2)]
    Command(#[n(0)] Command),
}
