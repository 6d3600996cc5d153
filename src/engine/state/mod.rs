//! Everything remembered in memory, and the indexes derived from it. [`State::apply`] is the only mutation.

mod apply;
mod index;
mod problems;
pub mod rows;
mod tally;
mod vitals;

pub use index::fingerprint;
pub use tally::Tally;

use std::collections::{BTreeMap, BTreeSet};

use crate::cmdb::health::HealthMap;
use crate::expr::Matcher;
use crate::ids::{AlertId, IncidentId, MessageId, ProblemId, SilenceId, Slot, SourceNo, StoreId, TermsId};
use crate::lookup::Lookup;
use crate::model::alert::{Alert, Vitals};
use crate::model::capacity::{Check, Forecast};
use crate::model::digest::Digest;
use crate::model::incident::clock::LiveTerms;
use crate::model::incident::{Entry, Incident, Member};
use crate::model::job::Job;
use crate::model::message::Message;
use crate::model::problem::{Problem, Series, SeriesKey};
use crate::model::silence::Silence;
use crate::model::system::Counters;
use crate::model::timer::Aside;
pub use crate::model::timer::Timer;
use crate::time::Time;
use crate::words::JobKind;

use tally::Tallies;

/// The engine's memory. Rows rebuild it; nothing in it is decided by the order of a hash.
#[derive(Debug, Clone)]
pub struct State {
    /// The counters.
    pub counters: Counters,
    /// Sources by number.
    pub sources: Vec<String>,
    /// Incidents that are not closed.
    pub incidents: BTreeMap<IncidentId, Incident>,
    /// Members of those, present and past.
    pub members: BTreeMap<(IncidentId, AlertId), Member>,
    /// Messages that are not done.
    pub messages: BTreeMap<MessageId, Message>,
    /// Silences that are not forgotten.
    pub silences: BTreeMap<SilenceId, LiveSilence>,
    /// The terms by which live or past incidents were ever measured. There are as many as an SLA or its calendar had different texts.
    pub terms: BTreeMap<TermsId, LiveTerms>,
    /// Problems that are not closed.
    pub problems: BTreeMap<ProblemId, Problem>,
    /// Outages that are counted and no problem yet.
    pub series: BTreeMap<SeriesKey, Series>,
    /// Digests by the job that sends them and the address.
    pub digests: BTreeMap<(String, String), Digest>,
    /// What is done by schedule.
    pub jobs: BTreeMap<(JobKind, String), Job>,
    /// Capacity rules by name.
    pub checks: BTreeMap<String, Check>,
    /// Their series, by rule and name.
    pub forecasts: BTreeMap<(String, String), Forecast>,
    /// Timers that stopped the daemon and are not fired, by when they were due.
    pub aside: BTreeMap<(Time, Timer), Aside>,
    /// What left memory in this batch and is still to be written.
    pub past: Past,
    /// The time of the batch before this one: what a start takes for the moment it went down.
    pub(crate) last_before: Time,

    cells: Vec<Option<AlertCell>>,
    free: BTreeSet<Slot>,
    slots: BTreeMap<AlertId, Slot>,
    by_fingerprint: Lookup<u64, Vec<Slot>>,
    source_numbers: Lookup<String, SourceNo>,
    by_group: BTreeMap<String, BTreeSet<IncidentId>>,
    children: BTreeMap<IncidentId, BTreeSet<IncidentId>>,
    /// Live problems by what they are of; more than one only between a start and its repair.
    problem_keys: BTreeMap<SeriesKey, BTreeSet<ProblemId>>,
    /// Series by when even their last outage is too old.
    series_until: BTreeSet<(Time, SeriesKey)>,
    /// Where an incident is counted, in a series or a problem.
    counted: BTreeMap<IncidentId, BTreeSet<SeriesKey>>,
    /// Unfinished messages by their thread.
    threads: BTreeSet<(MessageId, MessageId)>,
    tallies: Tallies,
    /// By realm: which items are down.
    health: BTreeMap<String, HealthMap>,
    timers: BTreeSet<(Time, Timer)>,
    dirty_pages: BTreeMap<u32, u64>,
}

/// An alert in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertCell {
    /// The record.
    pub alert: Alert,
    /// What repeats change.
    pub vitals: Vitals,
    /// The block whose row or page these vitals come from; only of use while loading.
    pub as_of: u64,
    /// The seeded hash of its identity.
    pub fingerprint: u64,
    /// When its next `Ends` timer fires: repeats that end later arm none.
    pub armed_end: Time,
}

impl AlertCell {
    /// When it stops firing, unless it is heard again.
    pub fn ends_at(&self, grace: crate::model::alert::Grace) -> Time {
        self.vitals.ends_at(grace, self.alert.expire_after)
    }
}

/// A silence with its matchers compiled.
#[derive(Debug, Clone)]
pub struct LiveSilence {
    /// The record.
    pub record: Silence,
    /// Its matchers.
    pub matchers: Vec<Matcher>,
}

/// What left memory in this batch: written once, then dropped by [`State::settle`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Past {
    /// Forgotten alerts.
    pub alerts: BTreeMap<AlertId, AlertCell>,
    /// Closed incidents.
    pub incidents: BTreeMap<IncidentId, Incident>,
    /// Their members.
    pub members: BTreeMap<(IncidentId, AlertId), Member>,
    /// Done messages.
    pub messages: BTreeMap<MessageId, Message>,
    /// Silences over.
    pub silences: BTreeMap<SilenceId, Silence>,
    /// New timeline entries.
    pub timeline: BTreeMap<(IncidentId, u32), Entry>,
    /// Closed problems.
    pub problems: BTreeMap<ProblemId, Problem>,
    /// New timeline entries of problems.
    pub problem_timeline: BTreeMap<(ProblemId, u32), Entry>,
}

impl State {
    /// The memory of a store without any block.
    pub fn new(store: StoreId) -> State {
        State {
            counters: Counters::new(store),
            sources: Vec::new(),
            incidents: BTreeMap::new(),
            members: BTreeMap::new(),
            messages: BTreeMap::new(),
            silences: BTreeMap::new(),
            terms: BTreeMap::new(),
            problems: BTreeMap::new(),
            series: BTreeMap::new(),
            digests: BTreeMap::new(),
            jobs: BTreeMap::new(),
            checks: BTreeMap::new(),
            forecasts: BTreeMap::new(),
            aside: BTreeMap::new(),
            past: Past::default(),
            last_before: Time::default(),
            cells: Vec::new(),
            free: BTreeSet::new(),
            slots: BTreeMap::new(),
            by_fingerprint: Lookup::default(),
            source_numbers: Lookup::default(),
            by_group: BTreeMap::new(),
            children: BTreeMap::new(),
            problem_keys: BTreeMap::new(),
            series_until: BTreeSet::new(),
            counted: BTreeMap::new(),
            threads: BTreeSet::new(),
            tallies: Tallies::default(),
            health: BTreeMap::new(),
            timers: BTreeSet::new(),
            dirty_pages: BTreeMap::new(),
        }
    }

    /// An alert by its id.
    pub fn cell(&self, id: AlertId) -> Option<&AlertCell> {
        let slot = self.slots.get(&id)?;
        self.cells[slot.0 as usize].as_ref()
    }

    /// Every live alert, by id.
    pub fn alerts(&self) -> impl Iterator<Item = &AlertCell> {
        self.slots.values().filter_map(|slot| self.cells[slot.0 as usize].as_ref())
    }

    /// Live alerts from `from` on, by id.
    pub fn alerts_from(&self, from: AlertId) -> impl Iterator<Item = &AlertCell> {
        self.slots.range(from..).filter_map(|(_, slot)| self.cells[slot.0 as usize].as_ref())
    }

    /// How many alerts live.
    pub fn alert_count(&self) -> usize {
        self.slots.len()
    }

    /// A source's name.
    pub fn source(&self, no: SourceNo) -> &str {
        self.sources.get(usize::from(no.0)).map_or("", String::as_str)
    }

    /// A source's number, where it has one.
    pub fn source_no(&self, name: &str) -> Option<SourceNo> {
        self.source_numbers.get(name).copied()
    }

    /// The alerts whose own incident this is, wherever they are: those a release gives back to it.
    pub fn alerts_of(&self, incident: IncidentId) -> impl Iterator<Item = &AlertCell> {
        let ever = self.members.range((incident, AlertId(0))..=(incident, AlertId(u64::MAX)));
        ever.filter_map(|((_, alert), _)| self.cell(*alert)).filter(move |cell| cell.alert.own_incident == Some(incident))
    }

    /// Live incidents with these group values, oldest first.
    pub fn incidents_with_group(&self, group: &str) -> impl Iterator<Item = &Incident> {
        self.by_group.get(group).into_iter().flatten().filter_map(|id| self.incidents.get(id))
    }

    /// The incidents that an incident has adopted whole.
    pub fn children_of(&self, incident: IncidentId) -> impl Iterator<Item = IncidentId> {
        self.children.get(&incident).into_iter().flatten().copied()
    }

    /// The unfinished messages of a thread, in the order they were planned.
    pub fn unfinished_in(&self, thread: MessageId) -> impl Iterator<Item = &Message> {
        let ids = self.threads.range((thread, MessageId(0))..=(thread, MessageId(u64::MAX)));
        ids.filter_map(|(_, id)| self.messages.get(id))
    }

    /// Which CIs are down, directly and by flow, as the alerts of a realm have it.
    pub fn health(&self, realm: &str) -> &HealthMap {
        self.health.get(realm).unwrap_or(HealthMap::SOUND)
    }

    /// The realms whose alerts ever said that something is down or degraded, since the last start.
    pub fn realms(&self) -> impl Iterator<Item = &str> {
        self.health.keys().map(String::as_str)
    }

    /// When the next timer is due.
    pub fn next_due(&self) -> Option<Time> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// The first timer that is due at `now`, and since when it is.
    pub fn first_due(&self, now: Time) -> Option<(Time, Timer)> {
        self.timers.first().copied().filter(|(at, _)| *at <= now)
    }

    /// Takes the first timer that is due at `now`.
    pub(crate) fn take_due(&mut self, now: Time) -> Option<(Time, Timer)> {
        let due = self.first_due(now)?;
        self.timers.remove(&due);
        Some(due)
    }

    /// Arms a timer, unless that very one was set aside.
    pub(crate) fn arm(&mut self, at: Option<Time>, timer: Timer) {
        if let Some(at) = at.filter(|at| !self.aside.contains_key(&(*at, timer))) {
            self.timers.insert((at, timer));
        }
    }

    /// Whether a timer will fire for this time, or was set aside because it stopped the daemon.
    pub(crate) fn is_armed(&self, at: Time, timer: Timer) -> bool {
        self.timers.contains(&(at, timer)) || self.aside.contains_key(&(at, timer))
    }

    /// Drops what left memory, after it was written.
    pub fn settle(&mut self) {
        self.past = Past::default();
    }
}
