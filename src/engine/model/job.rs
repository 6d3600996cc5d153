//! Jobs: what is done by schedule, when it is next due, and for which instants it last ran.

use minicbor::{Decode, Encode};

use crate::time::Time;
use crate::words::JobKind;

/// A job as its row keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Job {
    /// What it does.
    #[n(0)]
    pub kind: JobKind,
    /// Its name among those of its kind: the rule's.
    #[n(1)]
    pub name: String,
    /// Its schedule and zone as they were written when it was armed: another one arms it anew.
    #[n(2)]
    pub schedule: String,
    /// When it is next due.
    #[n(3)]
    pub due_at: Time,
    /// Its last run.
    #[n(4)]
    pub last: Option<Run>,
}

/// One run of a job. While the daemon is down nothing runs; afterwards a job that was due runs once, for all the instants it missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Run {
    /// When it ran.
    #[n(0)]
    pub at: Time,
    /// The first instant of its schedule that it ran for.
    #[n(1)]
    pub first: Time,
    /// The last one.
    #[n(2)]
    pub last: Time,
    /// How many there were; 1 unless some were missed.
    #[n(3)]
    pub instants: u32,
}

/// What happened to a job. Indices are never reused; new fields are optional.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Fact {
    /// Rules want it, or want it by another schedule.
    #[n(0)]
    Armed {
        /// What it does.
        #[n(0)]
        kind: JobKind,
        /// Its name.
        #[n(1)]
        name: String,
        /// Its schedule and zone.
        #[n(2)]
        schedule: String,
        /// When it is next due.
        #[n(3)]
        due_at: Time,
    },
    /// It ran.
    #[n(1)]
    Ran {
        /// What it does.
        #[n(0)]
        kind: JobKind,
        /// Its name.
        #[n(1)]
        name: String,
        /// When and for which instants.
        #[n(2)]
        run: Run,
        /// When it is next due; `None`: never, and it is dropped.
        #[n(3)]
        due_at: Option<Time>,
    },
    /// Nothing wants it any more.
    #[n(2)]
    Dropped {
        /// What it did.
        #[n(0)]
        kind: JobKind,
        /// Its name.
        #[n(1)]
        name: String,
    },
}

impl Fact {
    /// The job it is about.
    pub fn key(&self) -> (JobKind, &str) {
        match self {
            Fact::Armed { kind, name, .. } | Fact::Ran { kind, name, .. } | Fact::Dropped { kind, name } => (*kind, name),
        }
    }
}
