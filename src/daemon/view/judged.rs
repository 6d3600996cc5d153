//! What has no CI, and what would become of an alert that has not happened.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use watchkeeper_engine::ids::AlertId;
use watchkeeper_engine::model::alert::Alert;
use watchkeeper_engine::time::Time;
use watchkeeper_engine::words::Severity;

use super::{StepView, pairs};

/// A value that no CI has as id or alias.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Unmatched")]
pub struct UnmatchedView {
    /// The value.
    pub value: String,
    /// How many alerts fire with it.
    pub alerts: u64,
    /// The first of them.
    pub examples: Vec<UnmatchedAlertView>,
}

/// An alert that matches no CI.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "UnmatchedAlert")]
pub struct UnmatchedAlertView {
    /// Its id.
    pub id: AlertId,
    /// Its name.
    pub name: String,
    /// Its source.
    pub source: String,
    /// How bad its source says it is.
    pub severity: Severity,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Since when it fires.
    pub since: Time,
}

/// What would become of alerts that have not happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Trial")]
pub struct TrialView {
    /// Each alert.
    pub alerts: Vec<TriedView>,
}

/// What would become of one alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Tried")]
pub struct TriedView {
    /// Its name.
    pub name: String,
    /// How it would be judged, step by step.
    pub steps: Vec<StepView>,
}

impl UnmatchedAlertView {
    /// Of an alert; `sources` are the names of sources by number.
    pub fn of(alert: &Alert, sources: &[String]) -> UnmatchedAlertView {
        UnmatchedAlertView {
            id: alert.id,
            name: alert.name.clone(),
            source: sources.get(usize::from(alert.source.0)).cloned().unwrap_or_default(),
            severity: alert.severity,
            labels: pairs(&alert.labels),
            since: alert.started_at,
        }
    }
}
