//! The daemon's own facts: starts, the World in force, sweeps; and the counters that ids come from.

use minicbor::{Decode, Encode};

use crate::ids::{AlertId, IncidentId, StoreId};
use crate::model::alert::Grace;
use crate::model::timer::{Aside, Timer};
use crate::time::Time;

/// One row that every commit rewrites.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Counters {
    /// The store this is.
    #[n(0)]
    pub store: StoreId,
    /// The last block's sequence; 0 before the first.
    #[n(1)]
    pub seq: u64,
    /// The last block's time: `now` never goes back behind it.
    #[n(2)]
    pub last_now: Time,
    /// The last alert's number.
    #[n(3)]
    pub alerts: u64,
    /// The last incident's number.
    #[n(4)]
    pub incidents: u64,
    /// The last message's number.
    #[n(5)]
    pub messages: u64,
    /// The last silence's number.
    #[n(6)]
    pub silences: u64,
    /// The policy in force, by its content hash.
    #[n(7)]
    pub policy: String,
    /// The CMDB version in force.
    #[n(8)]
    pub cmdb: u64,
    /// What waits for a refresh after a start.
    #[n(9)]
    pub grace: Grace,
    /// How far a sweep over the alerts had come, in a store written before there were cursors; a start turns it into one.
    #[n(10)]
    pub sweep: Option<AlertId>,
    /// When silence rules next begin or end.
    #[n(11)]
    pub silence_rules_at: Option<Time>,
    /// How far a sweep over the SLA clocks had come, in such a store.
    #[n(12)]
    pub clock_sweep: Option<IncidentId>,
    /// The last problem's number.
    #[n(13)]
    #[cbor(default)]
    pub problems: u64,
    /// The last cursor's number.
    #[n(14)]
    #[cbor(default)]
    pub cursors: u64,
    /// Whether alerts keep which silence rules their judgement read; those of a store written before that are judged again once.
    #[n(15)]
    #[cbor(default)]
    pub keeps_reads: bool,
    /// Since when changes of the health of CIs are remembered; `None` in a store written before they were, until a start.
    #[n(16)]
    pub health_since: Option<Time>,
}

impl Counters {
    /// Of a store without any block.
    pub fn new(store: StoreId) -> Counters {
        Counters {
            store,
            seq: 0,
            last_now: Time::default(),
            alerts: 0,
            incidents: 0,
            messages: 0,
            silences: 0,
            policy: String::new(),
            cmdb: 0,
            grace: Grace::default(),
            sweep: None,
            silence_rules_at: None,
            clock_sweep: None,
            problems: 0,
            cursors: 0,
            keeps_reads: false,
            health_since: None,
        }
    }
}

/// What happened to the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Fact {
    /// It started; ends that passed meanwhile wait for a refresh.
    #[n(0)]
    Started {
        /// The grace.
        #[n(0)]
        grace: Grace,
    },
    /// Another World is in force.
    #[n(1)]
    WorldAdopted {
        /// The policy's content hash.
        #[n(0)]
        policy: String,
        /// The CMDB's version.
        #[n(1)]
        cmdb: u64,
        /// When silence rules next begin or end.
        #[n(2)]
        silence_rules_at: Option<Time>,
    },
    /// What fires is looked at again, from the first on or from where it was. Written before there were cursors, and when a start ends such a sweep.
    #[n(2)]
    Swept {
        /// The next alert to look at; `None`: done.
        #[n(0)]
        next: Option<AlertId>,
    },
    /// A source was heard of for the first time.
    #[n(3)]
    SourceNamed {
        /// Its name.
        #[n(0)]
        name: String,
    },
    /// Silence rules next begin or end at another time.
    #[n(4)]
    SilenceRulesArmed {
        /// When.
        #[n(0)]
        at: Option<Time>,
    },
    /// A timer that stopped the daemon twice is fired no more.
    #[n(5)]
    TimerSetAside {
        /// Which.
        #[n(0)]
        aside: Aside,
    },
    /// A timer that was set aside may be fired again.
    #[n(6)]
    TimerTakenBack {
        /// Which.
        #[n(0)]
        aside: Aside,
    },
    /// Incidents are looked at for what the timers of their SLA clocks missed. Written as [`Fact::Swept`] is.
    #[n(7)]
    ClocksSwept {
        /// The next incident to look at; `None`: done.
        #[n(0)]
        next: Option<IncidentId>,
    },
    /// A timer was due and is no longer armed. What it brought about follows.
    #[n(8)]
    TimerFired {
        /// Which.
        #[n(0)]
        timer: Timer,
        /// When it was due.
        #[n(1)]
        due_at: Time,
    },
}
