//! Alerts and silences as Alertmanager's API v2 has them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use watchkeeper_engine::time::Time;

/// An alert as Prometheus sends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PostableAlert {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// Since when it fires.
    #[serde(default)]
    pub starts_at: Option<Time>,
    /// Until when.
    #[serde(default)]
    pub ends_at: Option<Time>,
    /// Where its sender shows it.
    #[serde(default, rename = "generatorURL")]
    pub generator_url: String,
}

/// An alert as Alertmanager shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GettableAlert {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// Since when it fires.
    pub starts_at: Time,
    /// Until when.
    pub ends_at: Time,
    /// Where its sender shows it.
    #[serde(rename = "generatorURL", default, skip_serializing_if = "Option::is_none")]
    pub generator_url: Option<String>,
    /// The fingerprint of its labels.
    pub fingerprint: String,
    /// When it was last heard.
    pub updated_at: Time,
    /// Always the one receiver.
    pub receivers: Vec<Receiver>,
    /// Whether it is silenced.
    pub status: AlertStatus,
}

/// Whom alerts go to, as Alertmanager's clients see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Receiver {
    /// Its name.
    pub name: String,
}

/// Whether an alert is silenced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlertStatus {
    /// `active` or `suppressed`.
    pub state: String,
    /// The silences.
    pub silenced_by: Vec<String>,
    /// Always empty.
    pub inhibited_by: Vec<String>,
    /// What else mutes it.
    pub muted_by: Vec<String>,
}

/// Alerts of one name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlertGroup {
    /// What they share.
    pub labels: BTreeMap<String, String>,
    /// The one receiver.
    pub receiver: Receiver,
    /// The alerts.
    pub alerts: Vec<GettableAlert>,
}

/// Version and uptime.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlertmanagerStatus {
    /// The version that clients look at.
    pub version_info: BTreeMap<String, String>,
    /// Since when the daemon runs.
    pub uptime: Time,
}

/// A silence to be made, or to be changed where `id` names one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PostableSilence {
    /// Which to change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What must match.
    pub matchers: Vec<MatcherView>,
    /// From when on.
    pub starts_at: Time,
    /// Until when.
    pub ends_at: Time,
    /// Who makes it.
    pub created_by: String,
    /// Why.
    pub comment: String,
    /// What is kept with it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// The silence that was made or changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SilenceMade {
    /// Its id.
    #[serde(rename = "silenceID")]
    pub silence_id: String,
}

/// A silence as Alertmanager shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GettableSilence {
    /// Its id.
    pub id: String,
    /// Whether it holds.
    pub status: SilenceStatus,
    /// What must match.
    pub matchers: Vec<MatcherView>,
    /// From when on.
    pub starts_at: Time,
    /// Until when.
    pub ends_at: Time,
    /// When it was last changed.
    pub updated_at: Time,
    /// Who made it.
    pub created_by: String,
    /// Why.
    pub comment: String,
    /// What a client keeps with it; left out where there is nothing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// Whether a silence holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SilenceStatus {
    /// `pending`, `active` or `expired`.
    pub state: String,
}

/// What must match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Matcher")]
pub struct MatcherView {
    /// The label.
    pub name: String,
    /// The value or the regular expression.
    pub value: String,
    /// Whether the value is a regular expression.
    #[serde(default)]
    pub is_regex: bool,
    /// Whether it must match, or must not.
    #[serde(default = "yes")]
    pub is_equal: bool,
}

const fn yes() -> bool {
    true
}
