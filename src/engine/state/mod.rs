//! Everything remembered in memory: one part a feature, each with its records, the indexes derived from them, how facts change them, and its rows.
//! [`State::apply`] is the only mutation.

mod alerts;
mod capacity;
mod cursors;
mod digests;
mod health;
mod incidents;
mod jobs;
mod labels;
mod memo;
mod messages;
pub mod past;
mod problems;
mod realms;
pub mod rows;
mod shared;
mod silences;
mod system;
mod tally;
mod terms;
mod vitals;

pub use alerts::{AlertCell, Alerts, fingerprint};
pub use capacity::Capacity;
pub use cursors::Cursors;
pub use digests::Digests;
pub use health::{Healths, Moved, Mover};
pub use incidents::Incidents;
pub use jobs::Jobs;
pub use messages::Messages;
pub use problems::Problems;
pub use realms::Realms;
pub use shared::Shared;
pub use silences::{LiveSilence, Silences};
pub use system::System;
pub use tally::{Cleared, Tally};
pub use terms::TermsKept;

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

use crate::cmdb::Cmdb;
use crate::expr::Budget;
use crate::fact::Fact;
use crate::ids::StoreId;
use crate::model::system::Counters;
pub use crate::model::timer::Timer;
use crate::time::Time;

use rows::Row;

/// What one feature remembers. A reader sees a part as the map of what lives; nothing outside of this folder can change it.
pub(crate) trait Part: Default {
    /// What can happen to it.
    type Fact;

    /// Applies one fact. It gets the whole State, because what happens to one part may move another: an incident's member is an alert.
    fn apply(state: &mut State, fact: &Self::Fact, cx: &mut Apply<'_>);

    /// After the last row was loaded: derives every index that no row holds. Parts derive in the order of the list.
    fn derive(_: &mut State, _: &Cmdb) {}

    /// Arms the timers of everything it has.
    fn arm(_: &mut State) {}

    /// Drops what left memory in this batch, after it was written.
    fn settle(&mut self) {}
}

/// What a fact is applied with.
pub(crate) struct Apply<'a> {
    /// The CMDB in force.
    pub(crate) cmdb: &'a Cmdb,
    /// The block's time.
    pub(crate) now: Time,
    /// The rows that facts of this batch changed.
    pub(crate) touched: &'a mut BTreeSet<Row>,
}

impl Apply<'_> {
    /// Says that a row changed.
    pub(crate) fn touch(&mut self, row: Row) {
        self.touched.insert(row);
    }

    /// Says that a record became past, or no longer is: what it is found by changes with it.
    pub(crate) fn touch_past(&mut self, row: Row, record: &impl past::Past) {
        self.touch(row);
        self.touched.extend(record.keys());
    }
}

/// The list of parts: `field: Type, of Fact::Variant`. What is done to every part is written here once.
macro_rules! parts {
    ($($(#[$doc:meta])* $part:ident: $Part:ty, of $Variant:ident;)*) => {
        /// The engine's memory. Rows rebuild it; nothing in it is decided by the order of a hash.
        #[derive(Debug, Clone)]
        pub struct State {
            /// The counters.
            pub counters: Counters,
            $($(#[$doc])* pub $part: $Part,)*
            /// What the conditions of this batch may still look at.
            pub budget: Budget,
            /// The time of the batch before this one: what a start takes for the moment it went down.
            pub(crate) last_before: Time,
            timers: BTreeSet<(Time, Timer)>,
            /// Those that are gathered while everything is armed anew, to be put in order in one go.
            arming: Option<Vec<(Time, Timer)>>,
        }

        impl State {
            /// The memory of a store without any block.
            pub fn new(store: StoreId) -> State {
                State {
                    counters: Counters::new(store),
                    $($part: <$Part>::default(),)*
                    budget: Budget::default(),
                    last_before: Time::default(),
                    timers: BTreeSet::new(),
                    arming: None,
                }
            }

            /// Applies one fact. `touched` gains the rows it changed; only a repeat changes none.
            pub fn apply(&mut self, cmdb: &Cmdb, fact: &Fact, now: Time, touched: &mut BTreeSet<Row>) {
                let mut cx = Apply { cmdb, now, touched };
                match fact {
                    $(Fact::$Variant(fact) => <$Part as Part>::apply(self, fact, &mut cx),)*
                }
            }

            /// Derives every index after the last row was loaded, and arms every timer.
            pub fn finish_loading(&mut self, cmdb: &Cmdb) {
                $(<$Part as Part>::derive(self, cmdb);)*
                self.arm_all();
            }

            /// Arms the timers of everything that is remembered, and no other.
            fn arm_all(&mut self) {
                self.arming = Some(Vec::new());
                $(<$Part as Part>::arm(self);)*
                self.timers = self.arming.take().into_iter().flatten().collect();
            }

            /// Drops what left memory, after it was written.
            pub fn settle(&mut self) {
                $(Part::settle(&mut self.$part);)*
            }
        }
    };
}

parts! {
    /// Sources by number, and timers that stopped the daemon.
    system: System, of System;
    /// Realms other than `main`, by number.
    realms: Realms, of Realm;
    /// Alerts, their vitals, and what judgements ask of them.
    alerts: Alerts, of Alert;
    /// Incidents that are not closed, with their members, present and past.
    incidents: Incidents, of Incident;
    /// Messages that are not done.
    messages: Messages, of Message;
    /// Silences that are not forgotten.
    silences: Silences, of Silence;
    /// Digests by the job that sends them and the address.
    digests: Digests, of Digest;
    /// What is done by schedule.
    jobs: Jobs, of Job;
    /// The terms by which live or past incidents were ever measured. There are as many as an SLA or its calendar had different texts.
    terms: TermsKept, of Terms;
    /// Capacity rules and their series.
    capacity: Capacity, of Capacity;
    /// Problems that are not closed, and outages that are counted and no problem yet.
    problems: Problems, of Problem;
    /// Work that goes on over batches, the oldest first.
    cursors: Cursors, of Cursor;
    /// CIs that are not ok, and those whose health this batch moved.
    healths: Healths, of Health;
}

impl State {
    /// Opens the next batch: its sequence and time.
    pub fn begin_batch(&mut self, now: Time, touched: &mut BTreeSet<Row>) {
        self.budget.renew();
        self.counters.seq += 1;
        self.cursors.spent = 0;
        self.last_before = self.counters.last_now;
        self.counters.last_now = self.counters.last_now.max(now);
        touched.insert(Row::Counters());
    }

    /// When the next timer is due.
    pub fn next_due(&self) -> Option<Time> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// The first timer that is due at `now`, and since when it is.
    pub fn first_due(&self, now: Time) -> Option<(Time, Timer)> {
        self.timers.first().copied().filter(|(at, _)| *at <= now)
    }

    /// Every timer, by when it is due.
    pub fn timers(&self) -> impl Iterator<Item = (Time, Timer)> {
        self.timers.iter().copied()
    }

    /// Arms a timer, unless that very one was set aside.
    fn arm(&mut self, at: Option<Time>, timer: Timer) {
        let Some(at) = at.filter(|at| !self.system.aside.contains_key(&(*at, timer))) else { return };
        match &mut self.arming {
            Some(arming) => arming.push((at, timer)),
            None => drop(self.timers.insert((at, timer))),
        }
    }

    /// Whether a timer will fire for this time, or was set aside because it stopped the daemon.
    pub(crate) fn is_armed(&self, at: Time, timer: Timer) -> bool {
        self.timers.contains(&(at, timer)) || self.system.aside.contains_key(&(at, timer))
    }
}

/// Takes a value out of the set under a key; an empty set goes.
fn drop_from<K: Ord + Borrow<Q>, Q: Ord + ?Sized, V: Ord>(map: &mut BTreeMap<K, BTreeSet<V>>, key: &Q, value: &V) {
    if let Some(set) = map.get_mut(key) {
        set.remove(value);
        if set.is_empty() {
            map.remove(key);
        }
    }
}
