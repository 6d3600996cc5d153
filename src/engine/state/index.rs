//! The indexes derived from records: kept in step by taking a record out, changing it, and putting it back.

use std::collections::{BTreeMap, BTreeSet};

use xxhash_rust::xxh3::Xxh3;

use super::tally::Standing;
use super::{AlertCell, LiveSilence, State, Timer};
use crate::cmdb::Cmdb;
use crate::expr::Matcher;
use crate::ids::{AlertId, IncidentId, MessageId, Slot, StoreId};
use crate::input::AlertInput;
use crate::model::incident::Incident;
use crate::model::message::Message;
use crate::model::silence::Silence;
use crate::text::Labels;
use crate::time::{Span, Time};

/// How long an expired silence stays in lists: Alertmanager's default retention.
const FORGET_SILENCE_AFTER: Span = Span::days(5);

/// The seeded hash of an identity: realm and label set, or realm, source and key where the sender names one.
///
/// Seeded by the store, so that nobody outside can make two alerts collide; a hit is compared by bytes all the same.
pub fn fingerprint(store: StoreId, input: &AlertInput) -> u64 {
    identity_hash(store, &input.realm, &input.source, &input.key, &input.labels)
}

fn identity_hash(store: StoreId, realm: &str, source: &str, key: &str, labels: &Labels) -> u64 {
    let mut hash = Xxh3::with_seed(store.high ^ store.low.rotate_left(32));
    let mut part = |text: &str| {
        hash.update(&(text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    part(realm);
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
    /// The live alert that an input is about.
    pub fn find(&self, fingerprint: u64, input: &AlertInput) -> Option<AlertId> {
        self.by_fingerprint.get(&fingerprint)?.iter().find_map(|slot| {
            let alert = &self.cells[slot.0 as usize].as_ref()?.alert;
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
        self.free.first().copied().unwrap_or(Slot(u32::try_from(self.cells.len()).unwrap_or(u32::MAX)))
    }

    pub(crate) fn cell_mut(&mut self, id: AlertId) -> Option<&mut AlertCell> {
        let slot = self.slots.get(&id)?;
        self.cells[slot.0 as usize].as_mut()
    }

    /// Puts a cell into its slot, without indexes that need the CMDB.
    pub(super) fn place(&mut self, cell: AlertCell) {
        let (slot, id) = (cell.alert.slot, cell.alert.id);
        let at = slot.0 as usize;
        while self.cells.len() <= at {
            self.free.insert(Slot(u32::try_from(self.cells.len()).unwrap_or(u32::MAX)));
            self.cells.push(None);
        }
        self.free.remove(&slot);
        self.slots.insert(id, slot);
        self.cells[at] = Some(cell);
    }

    /// Computes the identity of a placed cell and finds it by that from now on.
    pub(super) fn know_identity(&mut self, id: AlertId) {
        let Some(cell) = self.cell(id) else { return };
        let alert = &cell.alert;
        let hash = identity_hash(self.counters.store, &alert.realm, self.source(alert.source), &alert.key, &alert.labels);
        let slot = alert.slot;
        self.by_fingerprint.get_or_insert_with(hash, Vec::new).push(slot);
        if let Some(cell) = self.cell_mut(id) {
            cell.fingerprint = hash;
        }
    }

    /// Takes a cell out of memory.
    pub(super) fn displace(&mut self, id: AlertId) -> Option<AlertCell> {
        let slot = self.slots.remove(&id)?;
        let cell = self.cells[slot.0 as usize].take()?;
        self.free.insert(slot);
        if let Some(slots) = self.by_fingerprint.get_mut(&cell.fingerprint) {
            slots.retain(|known| *known != slot);
            if slots.is_empty() {
                self.by_fingerprint.remove(&cell.fingerprint);
            }
        }
        Some(cell)
    }

    /// Puts a placed alert into the indexes and arms what it wants.
    pub(super) fn index_alert(&mut self, cmdb: &Cmdb, id: AlertId) {
        self.alert_moved(cmdb, id, None);
    }

    /// Moves an alert in the indexes from where it stood before it changed, and arms what it wants.
    pub(super) fn alert_moved(&mut self, cmdb: &Cmdb, id: AlertId, before: Option<&Standing>) {
        let after = self.standing(id);
        self.shift(cmdb, before, after.as_ref());
        let Some(alert) = self.cell(id).map(|cell| &cell.alert) else { return };
        let due = [(alert.judge_at, Timer::Judge(id)), (alert.rejudge_at, Timer::Judge(id)), (alert.forget_at, Timer::Forget(id))];
        for (at, timer) in due {
            self.arm(at, timer);
        }
    }

    /// Arms the timer of an alert's end, unless one fires before that anyway.
    pub(crate) fn arm_end(&mut self, id: AlertId) {
        let grace = self.counters.grace;
        let Some(cell) = self.cell_mut(id) else { return };
        let end = cell.ends_at(grace);
        if cell.alert.is_active() && end < cell.armed_end {
            cell.armed_end = end;
            self.arm(Some(end), Timer::Ends(id));
        }
    }

    /// Forgets that a timer of an alert's end is armed, because it fired.
    pub(crate) fn disarm_end(&mut self, id: AlertId) {
        if let Some(cell) = self.cell_mut(id) {
            cell.armed_end = Time::NEVER;
        }
    }

    /// Moves an incident in the indexes from the parent it had before it changed, none where it is new, and arms what it wants.
    pub(super) fn index_incident(&mut self, id: IncidentId, parent_before: Option<IncidentId>) {
        let Some(incident) = self.incidents.get(&id) else { return };
        let parent = incident.parent;
        let due = [
            (incident.notify_at, Timer::Notify(id)),
            (incident.settle_at, Timer::Settle(id)),
            (incident.close_at, Timer::Close(id)),
            (incident.hold_until, Timer::Hold(id)),
            (incident.release_at, Timer::Release(id)),
            (incident.clock_at, Timer::Clock(id)),
        ];
        match self.by_group.get_mut(&incident.group) {
            Some(alike) => drop(alike.insert(id)),
            None => drop(self.by_group.insert(incident.group.clone(), BTreeSet::from([id]))),
        }
        if parent != parent_before {
            if let Some(before) = parent_before {
                drop_from(&mut self.children, &before, &id);
            }
            if let Some(parent) = parent {
                self.children.entry(parent).or_default().insert(id);
            }
        }
        for (at, timer) in due {
            self.arm(at, timer);
        }
    }

    /// Takes an incident that leaves memory out of the indexes.
    pub(super) fn unindex_incident(&mut self, incident: &Incident) {
        drop_from(&mut self.by_group, &incident.group, &incident.id);
        if let Some(parent) = incident.parent {
            drop_from(&mut self.children, &parent, &incident.id);
        }
    }

    pub(super) fn put_silence(&mut self, record: Silence) {
        let matchers = record.matchers.iter().filter_map(|m| Matcher::new(&m.name, &m.value, m.is_regex, m.is_equal).ok()).collect();
        let id = record.id;
        self.arm(Some(record.starts_at), Timer::Silence(id));
        self.arm(Some(record.ends_at), Timer::Silence(id));
        self.arm(Some(record.ends_at + FORGET_SILENCE_AFTER), Timer::ForgetSilence(id));
        self.silences.insert(id, LiveSilence { record, matchers });
    }

    pub(super) fn put_message(&mut self, message: Message) {
        self.threads.insert((message.thread, message.id));
        self.messages.insert(message.id, message);
    }

    pub(super) fn take_message(&mut self, id: MessageId) -> Option<Message> {
        let message = self.messages.remove(&id)?;
        self.threads.remove(&(message.thread, id));
        Some(message)
    }

    /// Derives every index after the last row was loaded.
    pub fn finish_loading(&mut self, cmdb: &Cmdb) {
        for (at, name) in self.sources.iter().enumerate() {
            self.source_numbers.insert(name.clone(), crate::ids::SourceNo(u16::try_from(at).unwrap_or(u16::MAX)));
        }
        for id in self.slots.keys().copied().collect::<Vec<_>>() {
            self.know_identity(id);
            self.index_alert(cmdb, id);
            self.arm_end(id);
        }
        for id in self.incidents.keys().copied().collect::<Vec<_>>() {
            self.index_incident(id, None);
        }
        for at in self.jobs.values().map(|job| job.due_at).collect::<Vec<_>>() {
            self.arm(Some(at), Timer::Jobs);
        }
        for (id, at) in self.messages.iter().map(|(id, message)| (*id, message.retry_at)).collect::<Vec<_>>() {
            self.arm(at, Timer::Retry(id));
        }
        self.arm(self.counters.silence_rules_at, Timer::SilenceRules);
        if self.counters.sweep.is_some() {
            self.arm(Some(self.counters.last_now), Timer::Sweep);
        }
        if self.counters.clock_sweep.is_some() {
            self.arm(Some(self.counters.last_now), Timer::ClockSweep);
        }
    }

    /// Derives anew what depends on the CMDB, after another one was adopted.
    pub(crate) fn adopt_cmdb(&mut self, cmdb: &Cmdb) {
        for health in self.health.values_mut() {
            *health = health.over(cmdb);
        }
    }
}

/// Takes a value out of the set under a key; an empty set goes.
pub(super) fn drop_from<K: Ord, V: Ord>(map: &mut BTreeMap<K, BTreeSet<V>>, key: &K, value: &V) {
    if let Some(set) = map.get_mut(key) {
        set.remove(value);
        if set.is_empty() {
            map.remove(key);
        }
    }
}
