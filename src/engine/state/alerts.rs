//! Alerts: the slots they live in, what they are found by, the timers they want, and how facts change them.

use std::collections::{BTreeMap, BTreeSet};

use xxhash_rust::xxh3::Xxh3;

use super::health::Mover;
use super::labels::Labelled;
use super::realms::Counts;
use super::rows::{AlertRow, Row};
use super::tally::{Standing, Tallies};
use super::{Apply, Part, State, Timer, drop_from};
use crate::cmdb::Cmdb;
use crate::cmdb::health::HealthMap;
use crate::ids::{AlertId, IncidentId, Realm, Slot, StoreId};
use crate::input::AlertInput;
use crate::lookup::Lookup;
use crate::model::alert::{Alert, Fact, Grace, Said, SourceSays, Vitals};
use crate::text::Labels;
use crate::time::Time;
use crate::words::Role;

/// Alerts, their vitals, and what judgements ask of them.
#[derive(Debug, Clone, Default)]
pub struct Alerts {
    pub(super) cells: Vec<Option<AlertCell>>,
    free: BTreeSet<Slot>,
    slots: BTreeMap<AlertId, Slot>,
    by_fingerprint: Lookup<u64, Vec<Slot>>,
    pub(super) labelled: Labelled,
    /// By the silence rules that their last judgement read.
    by_rule: BTreeMap<String, BTreeSet<AlertId>>,
    pub(super) tallies: Tallies,
    /// By realm: which items are down.
    pub(super) health: BTreeMap<Realm, HealthMap>,
    pub(super) dirty_pages: BTreeMap<u32, u64>,
    past: BTreeMap<AlertId, AlertCell>,
}

impl Alerts {
    /// Those that were forgotten in this batch.
    pub fn past(&self) -> &BTreeMap<AlertId, AlertCell> {
        &self.past
    }
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
    pub fn ends_at(&self, grace: Grace) -> Time {
        self.vitals.ends_at(grace, self.alert.expire_after)
    }
}

/// The seeded hash of an identity: realm and label set, or realm, source and key where the sender names one.
///
/// Seeded by the store, so that nobody outside can make two alerts collide; a hit is compared by bytes all the same.
pub fn fingerprint(store: StoreId, input: &AlertInput) -> u64 {
    identity_hash(store, &input.realm, &input.source, &input.key, &input.labels)
}

fn identity_hash(store: StoreId, realm: &Realm, source: &str, key: &str, labels: &Labels) -> u64 {
    let mut hash = Xxh3::with_seed(store.high ^ store.low.rotate_left(32));
    let mut part = |text: &str| {
        hash.update(&(text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    part(realm.name());
    if key.is_empty() {
        for (name, value) in labels.iter() {
            part(name);
            part(value);
        }
    } else {
        part(source);
        part(key);
    }
    hash.digest()
}

impl State {
    /// An alert by its id.
    pub fn cell(&self, id: AlertId) -> Option<&AlertCell> {
        let slot = self.alerts.slots.get(&id)?;
        self.alerts.cells[slot.0 as usize].as_ref()
    }

    /// Every live alert, by id.
    pub fn alerts(&self) -> impl Iterator<Item = &AlertCell> {
        self.alerts.slots.values().filter_map(|slot| self.alerts.cells[slot.0 as usize].as_ref())
    }

    /// Live alerts from `from` on, by id.
    pub fn alerts_from(&self, from: AlertId) -> impl Iterator<Item = &AlertCell> {
        self.alerts.slots.range(from..).filter_map(|(_, slot)| self.alerts.cells[slot.0 as usize].as_ref())
    }

    /// How many alerts live.
    pub fn alert_count(&self) -> usize {
        self.alerts.slots.len()
    }

    /// Which CIs are down, directly and by flow, as the alerts of a realm have it.
    pub fn health(&self, realm: &Realm) -> &HealthMap {
        self.alerts.health.get(realm).unwrap_or(HealthMap::SOUND)
    }

    /// The realms whose alerts ever said that something is down or degraded, since the last start.
    pub fn realms(&self) -> impl Iterator<Item = &Realm> {
        self.alerts.health.keys()
    }

    /// The live alert that an input is about.
    pub fn find(&self, fingerprint: u64, input: &AlertInput) -> Option<AlertId> {
        self.alerts.by_fingerprint.get(&fingerprint)?.iter().find_map(|slot| {
            let alert = &self.alerts.cells[slot.0 as usize].as_ref()?.alert;
            let same = if input.key.is_empty() {
                alert.key.is_empty() && alert.labels == input.labels
            } else {
                alert.key == input.key && self.source(alert.source) == input.source
            };
            (same && alert.realm == input.realm).then_some(alert.id)
        })
    }

    /// The slot the next alert takes.
    pub(crate) fn next_slot(&self) -> Slot {
        self.alerts.free.first().copied().unwrap_or(Slot(u32::try_from(self.alerts.cells.len()).unwrap_or(u32::MAX)))
    }

    pub(crate) fn cell_mut(&mut self, id: AlertId) -> Option<&mut AlertCell> {
        let slot = self.alerts.slots.get(&id)?;
        self.alerts.cells[slot.0 as usize].as_mut()
    }

    /// Puts a cell into its slot, without indexes that need the CMDB.
    fn place(&mut self, mut cell: AlertCell) {
        cell.alert.realm = self.shared(&cell.alert.realm);
        let (slot, id) = (cell.alert.slot, cell.alert.id);
        let at = slot.0 as usize;
        while self.alerts.cells.len() <= at {
            self.alerts.free.insert(Slot(u32::try_from(self.alerts.cells.len()).unwrap_or(u32::MAX)));
            self.alerts.cells.push(None);
        }
        self.alerts.free.remove(&slot);
        self.alerts.slots.insert(id, slot);
        self.alerts.cells[at] = Some(cell);
    }

    /// Computes the identity of a placed cell and finds it by that from now on.
    fn know_identity(&mut self, id: AlertId) {
        let Some(cell) = self.cell(id) else { return };
        let alert = &cell.alert;
        let hash = identity_hash(self.counters.store, &alert.realm, self.source(alert.source), &alert.key, &alert.labels);
        let slot = alert.slot;
        self.alerts.by_fingerprint.get_or_insert_with(hash, Vec::new).push(slot);
        if let Some(cell) = self.cell_mut(id) {
            cell.fingerprint = hash;
        }
    }

    /// Takes a cell out of memory.
    fn displace(&mut self, id: AlertId) -> Option<AlertCell> {
        let slot = self.alerts.slots.remove(&id)?;
        let cell = self.alerts.cells[slot.0 as usize].take()?;
        self.alerts.free.insert(slot);
        self.alerts.labelled.remove(&cell.alert);
        self.move_reads(id, &cell.alert.reads, &[]);
        if let Some(slots) = self.alerts.by_fingerprint.get_mut(&cell.fingerprint) {
            slots.retain(|known| *known != slot);
            if slots.is_empty() {
                self.alerts.by_fingerprint.remove(&cell.fingerprint);
            }
        }
        Some(cell)
    }

    /// Live alerts from `from` on, by id, whose last judgement read this silence rule.
    pub fn alerts_that_read(&self, rule: &str, from: AlertId) -> impl Iterator<Item = &AlertCell> {
        self.alerts.by_rule.get(rule).into_iter().flat_map(move |alerts| alerts.range(from..)).filter_map(|id| self.cell(*id))
    }

    /// Moves an alert among those that read silence rules.
    fn move_reads(&mut self, id: AlertId, before: &[String], after: &[String]) {
        if before == after {
            return;
        }
        for rule in before {
            drop_from(&mut self.alerts.by_rule, rule, &id);
        }
        for rule in after {
            self.alerts.by_rule.entry(rule.clone()).or_default().insert(id);
        }
    }

    /// Moves an alert in the indexes from where it stood before it changed, nowhere where it is new.
    fn index_alert(&mut self, cmdb: &Cmdb, id: AlertId, before: Option<&Standing>) {
        let after = self.standing(id);
        self.shift(cmdb, before, after.as_ref());
    }

    /// Moves an alert in the indexes, and arms what it wants.
    fn alert_moved(&mut self, cmdb: &Cmdb, id: AlertId, before: Option<&Standing>) {
        self.index_alert(cmdb, id, before);
        self.arm_alert(id);
    }

    /// Arms what an alert wants, but for its end.
    fn arm_alert(&mut self, id: AlertId) {
        let Some(alert) = self.cell(id).map(|cell| &cell.alert) else { return };
        let due = [(alert.judge_at, Timer::Judge(id)), (alert.rejudge_at, Timer::Judge(id)), (alert.forget_at, Timer::Forget(id))];
        for (at, timer) in due {
            self.arm(at, timer);
        }
    }

    /// Arms the timer of an alert's end, unless one fires before that anyway.
    fn arm_end(&mut self, id: AlertId) {
        let grace = self.counters.grace;
        let Some(cell) = self.cell_mut(id) else { return };
        let end = cell.ends_at(grace);
        if cell.alert.is_active() && end < cell.armed_end {
            cell.armed_end = end;
            self.arm(Some(end), Timer::Ends(id));
        }
    }

    /// Forgets that a timer of an alert's end is armed.
    fn disarm_end(&mut self, id: AlertId) {
        if let Some(cell) = self.cell_mut(id) {
            cell.armed_end = Time::NEVER;
        }
    }
}

/// The timer of an alert's end fired: where a source has moved the end since, it follows.
pub(super) fn end_fired(state: &mut State, id: AlertId, now: Time) {
    state.disarm_end(id);
    let grace = state.counters.grace;
    if state.cell(id).is_some_and(|cell| cell.ends_at(grace) > now) {
        state.arm_end(id);
    }
}

/// Puts a live alert into an incident, or into none.
pub(super) fn set_incident(state: &mut State, alert: AlertId, incident: Option<IncidentId>, role: Role, cx: &mut Apply<'_>) {
    let before = state.standing(alert);
    if let Some(cell) = state.cell_mut(alert) {
        cell.alert.incident = incident;
        cell.alert.role = role;
        cell.alert.version += 1;
        if role != Role::Symptom && incident.is_some() {
            cell.alert.own_incident = incident;
        }
    }
    state.alert_moved(cx.cmdb, alert, before.as_ref());
    cx.touch(Row::Alert(alert));
}

/// Derives anew what depends on the CMDB, after another one was adopted.
pub(super) fn adopt_cmdb(state: &mut State, cmdb: &Cmdb) {
    for health in state.alerts.health.values_mut() {
        *health = health.over(cmdb);
    }
    state.forget_ratings();
    state.ask_about_all();
    state.look_at_all_health(cmdb, Mover::Cmdb);
}

impl Part for Alerts {
    type Fact = Fact;

    fn apply(state: &mut State, fact: &Fact, cx: &mut Apply<'_>) {
        let id = match fact {
            Fact::Opened { alert, says } => return open(state, alert, *says, cx),
            Fact::Seen { id, says, said } => return see(state, *id, *says, said.as_ref()),
            Fact::Forgotten { id } => return forget(state, *id, cx),
            Fact::Rejected { .. } | Fact::OverBeforeKnown { .. } => return,
            Fact::Refired { id, .. }
            | Fact::SeverityChanged { id, .. }
            | Fact::Matched { id, .. }
            | Fact::Judged { id, .. }
            | Fact::Cleared { id, .. }
            | Fact::SetApart { id }
            | Fact::RejudgeArmed { id, .. }
            | Fact::ForgetArmed { id, .. } => *id,
        };
        let before = state.standing(id);
        let read = state.cell(id).filter(|_| matches!(fact, Fact::Judged { reads: Some(_), .. })).map(|cell| cell.alert.reads.clone());
        if let Some(cell) = state.cell_mut(id) {
            cell.alert.apply(fact, cx.now);
            if matches!(fact, Fact::Refired { .. }) {
                cell.armed_end = Time::NEVER;
            }
        }
        if let Some(read) = read {
            let reads = state.cell(id).map(|cell| cell.alert.reads.clone()).unwrap_or_default();
            state.move_reads(id, &read, &reads);
        }
        state.alert_moved(cx.cmdb, id, before.as_ref());
        if matches!(fact, Fact::Refired { .. } | Fact::Matched { .. }) {
            state.arm_end(id);
        }
        cx.touch(Row::Alert(id));
    }

    fn derive(state: &mut State, cmdb: &Cmdb) {
        for id in state.alerts.slots.keys().copied().collect::<Vec<_>>() {
            state.know_identity(id);
            state.index_alert(cmdb, id, None);
            let reads = state.cell(id).map(|cell| cell.alert.reads.clone()).unwrap_or_default();
            state.move_reads(id, &[], &reads);
        }
    }

    fn arm(state: &mut State) {
        for id in state.alerts.slots.keys().copied().collect::<Vec<_>>() {
            state.arm_alert(id);
            state.disarm_end(id);
            state.arm_end(id);
        }
    }

    fn settle(&mut self) {
        self.past.clear();
    }
}

fn open(state: &mut State, alert: &Alert, says: SourceSays, cx: &mut Apply<'_>) {
    let id = alert.id;
    let mut vitals = Vitals::default();
    vitals.hear(says, None);
    let seq = state.counters.seq;
    state.place(AlertCell { alert: alert.clone(), vitals, as_of: seq, fingerprint: 0, armed_end: Time::NEVER });
    state.know_identity(id);
    state.alerts.labelled.insert(alert);
    state.alert_moved(cx.cmdb, id, None);
    state.arm_end(id);
    state.give(id.shard(), Counts::Alerts, id.number(), cx);
    cx.touch(Row::Alert(id));
}

fn see(state: &mut State, id: AlertId, says: SourceSays, said: Option<&Said>) {
    let Some(cell) = state.cell_mut(id) else { return };
    cell.vitals.hear(says, said);
    if let Some(said) = said {
        cell.alert.said = said.clone();
    }
    let slot = cell.alert.slot;
    state.vitals_changed(slot);
    state.arm_end(id);
}

fn forget(state: &mut State, id: AlertId, cx: &mut Apply<'_>) {
    let before = state.standing(id);
    state.shift(cx.cmdb, before.as_ref(), None);
    if let Some(cell) = state.displace(id) {
        cx.touch(Row::Alert(id));
        cx.touch_past(Row::PastAlert(id), &cell.alert);
        state.alerts.past.insert(id, cell);
    }
}

pub(super) fn alert<'a>(state: &'a State, id: &AlertId) -> Option<AlertRow<&'a Alert, &'a Vitals>> {
    state.cell(*id).map(|cell| row(state, cell))
}

pub(super) fn take_alert(state: &mut State, row: AlertRow) {
    state.place(AlertCell { alert: row.alert, vitals: row.vitals, as_of: row.as_of, fingerprint: 0, armed_end: Time::NEVER });
}

pub(super) fn past_alert<'a>(state: &'a State, id: &AlertId) -> Option<AlertRow<&'a Alert, &'a Vitals>> {
    state.alerts.past.get(id).map(|cell| row(state, cell))
}

fn row<'a>(state: &State, cell: &'a AlertCell) -> AlertRow<&'a Alert, &'a Vitals> {
    AlertRow { alert: &cell.alert, vitals: &cell.vitals, as_of: state.counters.seq }
}
