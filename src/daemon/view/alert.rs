//! An alert, alone and as a part of an incident.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use watchkeeper_engine::event::World;
use watchkeeper_engine::ids::{AlertId, IncidentId};
use watchkeeper_engine::model::incident::Member;
use watchkeeper_engine::sight::item_name;
use watchkeeper_engine::state::rows::AlertRow;
use watchkeeper_engine::time::Time;
use watchkeeper_engine::words::{AlertState, IncidentState, Level, Means, Role, Severity};

use super::{StepView, given, pairs};
use crate::read::live::AlertNow;

/// An alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Alert")]
pub struct AlertView {
    /// Its id.
    pub id: AlertId,
    /// Its name.
    pub name: String,
    /// Its CI, or the value that no CI has.
    pub ci: String,
    /// Its state.
    pub state: AlertState,
    /// What it is to its incident; null without one.
    pub role: Option<Role>,
    /// All else.
    #[serde(flatten)]
    pub details: AlertDetails,
}

/// What is known of an alert while its row is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AlertDetails {
    /// Its version.
    pub version: u64,
    /// Alertmanager's fingerprint of its labels.
    pub fingerprint: String,
    /// The realm it belongs to.
    pub realm: String,
    /// The source that sent it first.
    pub source: String,
    /// What each source says of it.
    pub sources: Vec<SaysView>,
    /// The key by which its source knows it.
    pub key: Option<String>,
    /// How bad its source says it is.
    pub severity: Severity,
    /// Its summary as its source wrote it.
    pub summary: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// Where its source shows it.
    pub url: Option<String>,
    /// The measured value, as its source wrote it.
    pub value: Option<String>,
    /// Whether the CMDB knows its CI.
    pub ci_known: bool,
    /// The correlate rule that judged it.
    pub rule: Option<String>,
    /// What it does to its CI.
    pub means: Means,
    /// Its urgency.
    pub urgency: Level,
    /// The incident it belongs to.
    pub incident: Option<IncidentId>,
    /// How often it was heard.
    pub count: u64,
    /// How often it fired anew.
    pub occurrence: u32,
    /// When it was first heard.
    pub first_seen: Time,
    /// When it was last heard.
    pub last_seen: Time,
    /// Since when it fires.
    pub starts_at: Time,
    /// When it ends unless it is heard again.
    pub ends_at: Option<Time>,
    /// When it cleared.
    pub cleared_at: Option<Time>,
    /// What mutes it.
    pub muted_by: Vec<String>,
}

/// What a source says of an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Says")]
pub struct SaysView {
    /// The source.
    pub source: String,
    /// Since when it fires.
    pub starts_at: Time,
    /// Until when.
    pub ends_at: Time,
    /// Whether that end is ours, because the source gave none.
    pub ends_by_timeout: bool,
    /// When the source last said it.
    pub updated_at: Time,
}

/// An alert of an incident. Of one whose row is gone only the name and the CI are left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Member")]
pub struct MemberView {
    /// Its id.
    pub id: AlertId,
    /// Its name.
    pub name: String,
    /// Its CI.
    pub ci: String,
    /// Its state.
    pub state: AlertState,
    /// What it is to the incident.
    pub role: Role,
    /// When it joined.
    pub joined_at: Time,
    /// When it left; null while it belongs to the incident.
    pub left_at: Option<Time>,
    /// Why it belongs there.
    pub because: String,
    /// The alert, while its row is kept.
    #[serde(flatten)]
    pub details: Option<AlertDetails>,
}

/// Why an alert is what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AlertExplained {
    /// The alert.
    pub alert: AlertView,
    /// Its last judgement, step by step.
    pub steps: Vec<StepView>,
    /// How it is attached; null without an incident.
    pub attached: Option<AttachedView>,
}

/// How an alert is attached to its incident; only the id where the incident is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Attached")]
pub struct AttachedView {
    /// The incident.
    pub incident: IncidentId,
    /// Its title.
    pub title: Option<String>,
    /// Its state.
    pub state: Option<IncidentState>,
    /// The incident whose child it is.
    pub parent: Option<IncidentId>,
    /// What the alert is to it.
    pub role: Option<Role>,
    /// Since when.
    pub since: Option<Time>,
    /// Why.
    pub because: Option<String>,
}

impl AlertView {
    /// Of a row, with its vitals where it lives, and its fingerprint by the labels that Alertmanager's clients see.
    pub fn of(world: &World, sources: &[String], row: &AlertRow, now: Option<&AlertNow>, fingerprint: String) -> AlertView {
        let alert = &row.alert;
        let vitals = now.map_or(&row.vitals, |now| &now.vitals);
        let said = vitals.said.as_ref().unwrap_or(&alert.said);
        let source = |no: u16| sources.get(usize::from(no)).cloned().unwrap_or_default();
        let says = |says: &watchkeeper_engine::model::alert::SourceSays| SaysView {
            source: source(says.source.0),
            starts_at: says.starts_at,
            ends_at: says.ends_at,
            ends_by_timeout: says.timeout,
            updated_at: says.updated_at,
        };
        AlertView {
            id: alert.id,
            name: alert.name.clone(),
            ci: item_name(world, &alert.ci).to_owned(),
            state: alert.state,
            role: alert.incident.map(|_| alert.role),
            details: AlertDetails {
                version: alert.version,
                fingerprint,
                realm: alert.realm.to_string(),
                source: source(alert.source.0),
                sources: vitals.sources.iter().map(says).collect(),
                key: given(&alert.key),
                severity: alert.severity,
                summary: said.summary.clone(),
                labels: pairs(&alert.labels),
                annotations: pairs(&said.annotations),
                url: given(&said.url),
                value: given(&said.value),
                ci_known: alert.ci.known().is_some(),
                rule: given(&alert.rule),
                means: alert.means,
                urgency: alert.urgency,
                incident: alert.incident,
                count: vitals.count,
                occurrence: alert.occurrence,
                first_seen: alert.first_seen,
                last_seen: vitals.last_seen,
                starts_at: alert.started_at,
                ends_at: now.map(|now| now.ends_at).or(alert.cleared_at),
                cleared_at: alert.cleared_at,
                muted_by: alert.muted_by.iter().map(ToString::to_string).collect(),
            },
        }
    }
}

impl MemberView {
    /// Of a member, with its alert where that is kept.
    pub fn of(member: &Member, alert: Option<&AlertView>) -> MemberView {
        MemberView {
            id: member.alert,
            name: alert.map_or(&member.name, |alert| &alert.name).clone(),
            ci: alert.map_or(&member.item, |alert| &alert.ci).clone(),
            state: alert.map_or(AlertState::Cleared, |alert| alert.state),
            role: member.role,
            joined_at: member.joined_at,
            left_at: member.left_at,
            because: member.because.to_string(),
            details: alert.map(|alert| alert.details.clone()),
        }
    }
}
