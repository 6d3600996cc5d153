//! A silence of an operator.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use watchkeeper_engine::ids::SilenceId;
use watchkeeper_engine::model::silence::{Silence, SilenceState, StoredMatcher};
use watchkeeper_engine::time::Time;

use super::pairs;

/// A silence of an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Silence")]
pub struct SilenceView {
    /// Its id.
    pub id: SilenceId,
    /// Its id in Alertmanager's API; either is taken everywhere.
    pub uuid: String,
    /// The version that commands compare with `If-Match`.
    pub version: u64,
    /// Whether it holds.
    pub state: SilenceState,
    /// What must match, all of it: each such as `alertname="DiskFull"`.
    pub matchers: Vec<String>,
    /// From when on.
    pub starts_at: Time,
    /// Until when.
    pub ends_at: Time,
    /// Who made it.
    pub created_by: String,
    /// Why.
    pub comment: String,
    /// What is kept with it, by name.
    pub annotations: BTreeMap<String, String>,
    /// When it last changed.
    pub updated_at: Time,
}

impl SilenceView {
    /// Of a record at `now`.
    pub fn of(silence: &Silence, now: Time) -> SilenceView {
        // What no longer compiles is shown as it is stored.
        let text = |stored: &StoredMatcher| stored.compiled().map_or_else(|_| stored.value.clone(), |matcher| matcher.to_string());
        SilenceView {
            id: silence.id,
            uuid: silence.uuid.clone(),
            version: silence.version,
            state: silence.state(now),
            matchers: silence.matchers.iter().map(text).collect(),
            starts_at: silence.starts_at,
            ends_at: silence.ends_at,
            created_by: silence.created_by.clone(),
            comment: silence.comment.clone(),
            annotations: pairs(&silence.annotations),
            updated_at: silence.updated_at,
        }
    }
}
