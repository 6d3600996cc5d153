//! A fact of the journal, as `/api/v1/events` tells it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use watchkeeper_engine::time::Time;

use super::given;
use crate::events::Happened;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Event")]
pub struct EventView {
    /// Its id: the cursor after it.
    pub id: String,
    /// When.
    pub at: Time,
    /// Of which kind.
    pub kind: String,
    /// To what.
    pub subject: String,
    /// What.
    pub what: String,
    /// Why; null where nothing is to be said.
    pub because: Option<String>,
    /// Who.
    pub actor: String,
}

impl EventView {
    /// Of an event of the feed.
    pub fn of(event: &Happened) -> EventView {
        EventView {
            id: event.cursor.to_string(),
            at: event.at,
            kind: event.kind.to_string(),
            subject: event.subject.to_string(),
            what: event.what.to_string(),
            because: given(&event.because),
            actor: event.actor.to_string(),
        }
    }
}
