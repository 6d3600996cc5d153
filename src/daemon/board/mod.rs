//! The board: what lives, as readers see it. Immutable, indexed, and as of one commit; the writer makes the next one from what a batch changed.
//!
//! Two boards share everything that did not change, so a commit costs what it changed, and whoever reads holds up nobody. Incidents, problems, silences, jobs and the
//! health of CIs are here whole; alerts and messages only as what lists and gauges ask of them: their texts are read from the store.

mod alerts;
mod health;
mod incidents;
mod index;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use imbl::OrdMap;
use watchkeeper_engine::ids::{IncidentId, MessageId, ProblemId, SilenceId};
use watchkeeper_engine::model::job::Job;
use watchkeeper_engine::model::message::MessageState;
use watchkeeper_engine::model::problem::Problem;
use watchkeeper_engine::model::silence::Silence;
use watchkeeper_engine::state::State;
use watchkeeper_engine::state::rows::Row;
use watchkeeper_engine::time::Time;
use watchkeeper_engine::words::JobKind;

pub use alerts::{AlertHandle, Alerts};
pub use health::{Healths, Seen};
pub use incidents::{Incidents, OpenIncident, Sought};

/// What lives. Cheap to clone: a clone is the same board.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Board {
    /// Incidents that are not closed.
    pub incidents: Incidents,
    /// Problems that are not closed.
    pub problems: OrdMap<ProblemId, Arc<Problem>>,
    /// Silences that are not forgotten.
    pub silences: OrdMap<SilenceId, Arc<Silence>>,
    /// Alerts that are not forgotten.
    pub alerts: Alerts,
    /// CIs that are not ok.
    pub health: Healths,
    /// Since when changes of the health of CIs are remembered.
    pub health_since: Option<Time>,
    /// What is done by schedule, by kind and name.
    pub jobs: OrdMap<(JobKind, Arc<str>), Job>,
    /// Messages that are not done.
    pub outbox: OrdMap<MessageId, Waiting>,
    silence_uuids: OrdMap<Arc<str>, SilenceId>,
}

/// A message that is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// Where it is.
    pub state: MessageState,
    /// When it was planned.
    pub planned_at: Time,
}

impl Board {
    /// The board of a memory, whole: what a start begins with.
    pub fn of(state: &State) -> Board {
        let mut board = Board::default();
        for cell in state.alerts() {
            board.alerts.put(cell.alert.id, Some(&cell.alert));
        }
        for id in state.incidents.keys() {
            board.incidents.put(*id, OpenIncident::of(state, *id));
        }
        for id in state.problems.keys() {
            board.put_problem(state, *id);
        }
        for id in state.silences.keys() {
            board.put_silence(state, *id);
        }
        for id in state.messages.keys() {
            board.put_message(state, *id);
        }
        for standing in state.healths.all() {
            let (ci, realm) = (standing.ci, standing.realm.clone());
            board.health.put(ci, &realm, Some(standing));
        }
        for (kind, name) in state.jobs.keys() {
            board.put_job(state, *kind, name);
        }
        board.health_since = state.counters.health_since;
        board
    }

    /// Brings the rows that a batch touched to where `state` has them.
    pub fn update(&mut self, state: &State, touched: &BTreeSet<Row>) {
        // Incidents whose record changed, or a count of their alerts.
        let mut incidents: BTreeSet<IncidentId> = BTreeSet::new();
        for row in touched {
            // The board shows nothing of any other row.
            if let Row::Alert(id) = row {
                let after = state.cell(*id).map(|cell| &cell.alert);
                let before = self.alerts.put(*id, after);
                let part = |handle: AlertHandle| handle.incident().map(|incident| (incident, handle.is_symptom, handle.has_cleared()));
                let (left, joined) = (before.and_then(part), after.map(AlertHandle::of).and_then(part));
                if left != joined {
                    incidents.extend(left.into_iter().chain(joined).map(|(incident, ..)| incident));
                }
            } else if let Row::Incident(id) = row {
                incidents.insert(*id);
            } else if let Row::Problem(id) = row {
                self.put_problem(state, *id);
            } else if let Row::Silence(id) = row {
                self.put_silence(state, *id);
            } else if let Row::Sending(id) = row {
                self.put_message(state, *id);
            } else if let Row::Health(ci, realm) = row {
                self.health.put(*ci, realm, state.healths.standing(realm, *ci));
            } else if let Row::Job(kind, name) = row {
                self.put_job(state, *kind, name);
            }
        }
        self.health_since = state.counters.health_since;
        for id in incidents {
            self.incidents.put(id, OpenIncident::of(state, id));
        }
    }

    /// The silence of an id as Alertmanager's clients write it, or as ours do.
    pub fn silence_id(&self, text: &str) -> Option<SilenceId> {
        let by_number = text.parse().ok().filter(|id| self.silences.contains_key(id));
        by_number.or_else(|| self.silence_uuids.get(text.to_ascii_lowercase().as_str()).copied())
    }

    /// The UUIDs by which Alertmanager's clients know silences, by the ids that reasons name.
    pub fn silence_uuids(&self) -> BTreeMap<String, String> {
        self.silences.values().map(|silence| (silence.id.to_string(), silence.uuid.clone())).collect()
    }

    fn put_problem(&mut self, state: &State, id: ProblemId) {
        match state.problems.shared(&id) {
            Some(problem) => drop(self.problems.insert(id, Arc::clone(problem))),
            None => drop(self.problems.remove(&id)),
        }
    }

    fn put_silence(&mut self, state: &State, id: SilenceId) {
        match state.silences.get(&id) {
            Some(silence) => {
                self.silence_uuids.insert(silence.record.uuid.to_ascii_lowercase().into(), id);
                self.silences.insert(id, Arc::new(silence.record.clone()));
            }
            None => {
                if let Some(gone) = self.silences.remove(&id) {
                    self.silence_uuids.remove(gone.uuid.to_ascii_lowercase().as_str());
                }
            }
        }
    }

    fn put_job(&mut self, state: &State, kind: JobKind, name: &str) {
        match state.jobs.get(&(kind, name.to_owned())) {
            Some(job) => drop(self.jobs.insert((kind, name.into()), job.clone())),
            None => drop(self.jobs.remove(&(kind, name.into()))),
        }
    }

    fn put_message(&mut self, state: &State, id: MessageId) {
        match state.messages.get(&id).filter(|message| !message.sending.is_done()) {
            Some(message) => drop(self.outbox.insert(id, Waiting { state: message.sending.state, planned_at: message.planned_at })),
            None => drop(self.outbox.remove(&id)),
        }
    }
}
