//! Live alerts as handles: what gauges count and lists look up, some dozens of bytes each. Labels and texts stand in the store, counts of repeats with the writer.

use std::sync::Arc;

use imbl::OrdMap;
use watchkeeper_engine::ids::{AlertId, IncidentId};
use watchkeeper_engine::model::alert::{Alert, CiRef};
use watchkeeper_engine::words::{AlertState, Role};

use super::index::Index;

/// What the board knows of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlertHandle {
    /// Zero where it stands in none: half of what an option takes, and there are very many.
    incident: IncidentId,
    /// Where it is.
    pub state: AlertState,
    /// Whether it is a symptom of its incident.
    pub is_symptom: bool,
}

/// Live alerts by id, and the index over those that match no CI.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Alerts {
    by_id: OrdMap<AlertId, AlertHandle>,
    /// What those that fire and match no CI were looked up by.
    values: OrdMap<AlertId, Arc<str>>,
    unmatched: Index<Arc<str>>,
    unmatched_values: usize,
}

impl AlertHandle {
    /// Of a live alert.
    pub fn of(alert: &Alert) -> AlertHandle {
        AlertHandle { incident: alert.incident.unwrap_or(IncidentId(0)), state: alert.state, is_symptom: alert.role == Role::Symptom }
    }

    /// Whether no source says any more that it fires.
    pub fn has_cleared(&self) -> bool {
        self.state == AlertState::Cleared
    }

    /// The incident it stands in.
    pub fn incident(&self) -> Option<IncidentId> {
        (self.incident != IncidentId(0)).then_some(self.incident)
    }
}

/// What an alert that fires and matches no CI was looked up by.
fn value(alert: &Alert) -> Option<&str> {
    match &alert.ci {
        CiRef::Unknown(value) if alert.is_active() && !value.is_empty() => Some(value),
        CiRef::Unknown(_) | CiRef::Known(_) => None,
    }
}

impl Alerts {
    /// How many live.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether none lives.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// One alert.
    pub fn get(&self, id: AlertId) -> Option<&AlertHandle> {
        self.by_id.get(&id)
    }

    /// All, by id.
    pub fn iter(&self) -> impl Iterator<Item = (&AlertId, &AlertHandle)> {
        self.by_id.iter()
    }

    /// How many values match no CI and have active alerts.
    pub fn unmatched_values(&self) -> usize {
        self.unmatched_values
    }

    /// The values that match no CI and have active alerts, from `from` on, in order.
    pub fn unmatched_from(&self, from: &str) -> impl Iterator<Item = Arc<str>> {
        self.unmatched.keys(from)
    }

    /// The active alerts of such a value, by id.
    pub fn unmatched(&self, value: &str) -> impl Iterator<Item = AlertId> {
        self.unmatched.ids(value.into()).map(AlertId)
    }

    /// Puts an alert where it stands, or takes it away; returns what was known of it.
    pub(super) fn put(&mut self, id: AlertId, after: Option<&Alert>) -> Option<AlertHandle> {
        let before = match after {
            Some(alert) => self.by_id.insert(id, AlertHandle::of(alert)),
            None => self.by_id.remove(&id),
        };
        let is = after.and_then(value);
        let was = self.values.get(&id);
        if was.map(|was| &**was) != is {
            if let Some(was) = self.values.remove(&id) {
                self.unmatched.remove(was.clone(), id.0);
                self.unmatched_values -= usize::from(!self.unmatched.has(was));
            }
            if let Some(is) = is.map(|is| self.unmatched.key(is)) {
                self.unmatched_values += usize::from(!self.unmatched.has(is.clone()));
                self.unmatched.insert(is.clone(), id.0);
                self.values.insert(id, is);
            }
        }
        before
    }
}
