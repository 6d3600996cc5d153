//! Live alerts as handles: what gauges count and lists look up, 100 bytes or so each. Labels and texts stand in the store, counts of repeats with the writer.

use std::sync::Arc;

use imbl::OrdMap;
use watchkeeper_engine::ids::{AlertId, CiNo, IncidentId};
use watchkeeper_engine::model::alert::{Alert, CiRef};
use watchkeeper_engine::words::{AlertState, Role, Severity};

use super::index::Index;

/// What the board knows of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertHandle {
    /// Where it is.
    pub state: AlertState,
    /// How bad, as last said.
    pub severity: Severity,
    /// The incident it stands in.
    pub incident: Option<IncidentId>,
    /// Whether it is a symptom there.
    pub is_symptom: bool,
    /// Where it fires; `Nowhere` where it has cleared.
    pub place: Place,
}

/// Where an alert fires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// On a CI of the CMDB.
    Ci(CiNo),
    /// On something that the CMDB does not know, by the value it was looked up by.
    Unmatched(Arc<str>),
    /// It does not fire, or says of nothing.
    Nowhere,
}

/// Live alerts by id, and the indexes over them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Alerts {
    by_id: OrdMap<AlertId, AlertHandle>,
    by_ci: Index<CiNo>,
    unmatched: Index<Arc<str>>,
    unmatched_values: usize,
}

impl AlertHandle {
    /// Of a live alert.
    pub fn of(alert: &Alert) -> AlertHandle {
        let place = match &alert.ci {
            CiRef::Known(no) if alert.is_active() => Place::Ci(*no),
            CiRef::Unknown(value) if alert.is_active() && !value.is_empty() => Place::Unmatched(value.as_str().into()),
            CiRef::Known(_) | CiRef::Unknown(_) => Place::Nowhere,
        };
        AlertHandle {
            state: alert.state,
            severity: alert.severity,
            incident: alert.incident,
            is_symptom: alert.role == Role::Symptom,
            place,
        }
    }

    /// Whether no source says any more that it fires.
    pub fn has_cleared(&self) -> bool {
        self.state == AlertState::Cleared
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

    /// What fires on a CI, pending alerts among it, by id.
    pub fn on(&self, ci: CiNo) -> impl Iterator<Item = AlertId> {
        self.by_ci.ids(ci).map(AlertId)
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

    /// Puts an alert where it stands, or takes it away; returns where it stood.
    pub(super) fn put(&mut self, id: AlertId, mut after: Option<AlertHandle>) -> Option<AlertHandle> {
        if let Some(AlertHandle { place: Place::Unmatched(value), .. }) = &mut after {
            *value = self.unmatched.key(value);
        }
        let before = match &after {
            Some(handle) => self.by_id.insert(id, handle.clone()),
            None => self.by_id.remove(&id),
        };
        let place = |handle: &Option<AlertHandle>| handle.as_ref().map_or(Place::Nowhere, |handle| handle.place.clone());
        let (was, is) = (place(&before), place(&after));
        if was != is {
            self.shift(id, was, is);
        }
        before
    }

    fn shift(&mut self, id: AlertId, was: Place, is: Place) {
        match was {
            Place::Ci(no) => self.by_ci.remove(no, id.0),
            Place::Unmatched(value) => {
                self.unmatched.remove(value.clone(), id.0);
                self.unmatched_values -= usize::from(!self.unmatched.has(value));
            }
            Place::Nowhere => {}
        }
        match is {
            Place::Ci(no) => self.by_ci.insert(no, id.0),
            Place::Unmatched(value) => {
                self.unmatched_values += usize::from(!self.unmatched.has(value.clone()));
                self.unmatched.insert(value, id.0);
            }
            Place::Nowhere => {}
        }
    }
}
