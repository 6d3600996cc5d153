//! What became of one command to many incidents.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use watchkeeper_engine::command::IncidentVerb;
use watchkeeper_engine::event::Obeyed;
use watchkeeper_engine::ids::IncidentId;

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Batch")]
pub struct BatchView {
    /// The command.
    pub command: IncidentVerb,
    /// How many incidents were meant.
    pub count: u64,
    /// How many of them changed.
    pub changed: u64,
    /// What became of each.
    pub items: Vec<OutcomeView>,
}

/// What became of one incident of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Outcome")]
pub struct OutcomeView {
    /// The incident.
    pub id: IncidentId,
    /// Whether what the command wants holds.
    pub done: bool,
    /// Whether that changed anything; null where it was not done.
    pub changed: Option<bool>,
    /// Its version; null where it was not done.
    pub version: Option<u64>,
    /// Why it was not done; null where it was.
    pub why: Option<String>,
    /// What its state allows, where that is why.
    pub allowed: Option<Vec<String>>,
}

impl OutcomeView {
    /// Of the writer's answer.
    pub fn of(id: IncidentId, reply: Obeyed) -> OutcomeView {
        let refused = |why: String, allowed: Option<Vec<String>>| OutcomeView {
            id,
            done: false,
            changed: None,
            version: None,
            why: Some(why),
            allowed,
        };
        match reply {
            Obeyed::Done { version, changed, .. } => {
                OutcomeView { id, done: true, changed: Some(changed), version: Some(version), why: None, allowed: None }
            }
            Obeyed::NotFound { .. } => refused("no such incident lives".to_owned(), None),
            Obeyed::NotAllowed { state, allowed } => {
                refused(format!("it is {state}"), Some(allowed.iter().map(|word| (*word).to_owned()).collect()))
            }
            Obeyed::Invalid(wrong) => refused(wrong.to_string(), None),
            Obeyed::Stale { .. } => refused("it has changed meanwhile".to_owned(), None),
        }
    }
}
