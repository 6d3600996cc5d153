//! What incidents and problems have alike: who owns it, who works on it, how it ended, and what was done.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use watchkeeper_engine::model::incident::{Entry, Incident, Told};
use watchkeeper_engine::model::problem::Problem;
use watchkeeper_engine::time::Time;
use watchkeeper_engine::words::Reason;

use super::given;

/// What an incident and a problem have alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TicketView {
    /// The version that commands compare with `If-Match`.
    pub version: u64,
    /// What is wrong, in a sentence.
    pub title: String,
    /// The CI at fault.
    pub ci: String,
    /// The rule that opened it.
    pub rule: String,
    /// Why it was opened, or why that CI is at fault.
    pub because: String,
    /// The team that owns the CI.
    pub team: Option<String>,
    /// The assignee; null until somebody is.
    pub assignee: Option<String>,
    /// When it was opened.
    pub opened_at: Time,
    /// When it last changed.
    pub updated_at: Time,
    /// When it was resolved.
    pub resolved_at: Option<Time>,
    /// Who resolved it; null where it resolved itself.
    pub resolved_by: Option<String>,
    /// How it was fixed.
    pub resolution: Option<String>,
    /// When it was closed.
    pub closed_at: Option<Time>,
    /// Its page.
    pub url: String,
}

/// What happened, and who was notified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HistoryView {
    /// Its timeline, oldest first; the last entries where there are many.
    pub timeline: Vec<EntryView>,
    /// Entries of the whole timeline.
    pub timeline_total: u32,
    /// Who was notified, in the order in which they first were.
    pub told: Vec<ToldView>,
}

/// Somebody who was notified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Told")]
pub struct ToldView {
    /// The address.
    pub address: String,
    /// Why.
    pub reason: Reason,
    /// When.
    pub at: Time,
    /// By which rule.
    pub rule: String,
}

/// An entry of a timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Entry")]
pub struct EntryView {
    /// When.
    pub at: Time,
    /// What.
    pub what: String,
    /// Why; null where nothing is to be said.
    pub because: Option<String>,
    /// Who.
    pub actor: String,
}

impl TicketView {
    /// Of an incident.
    pub fn of_incident(incident: &Incident, url: String) -> TicketView {
        TicketView {
            version: incident.version,
            title: incident.title.clone(),
            ci: incident.item.clone(),
            rule: incident.rule.clone(),
            because: incident.because.to_string(),
            team: given(&incident.team),
            assignee: given(&incident.assignee),
            opened_at: incident.opened_at,
            updated_at: incident.updated_at,
            resolved_at: incident.resolved_at,
            resolved_by: given(&incident.resolved_by),
            resolution: given(&incident.resolution),
            closed_at: incident.closed_at,
            url,
        }
    }

    /// Of a problem.
    pub fn of_problem(problem: &Problem, url: String) -> TicketView {
        TicketView {
            version: problem.version,
            title: problem.title.clone(),
            ci: problem.item.clone(),
            rule: problem.key.rule.clone(),
            because: problem.because.to_string(),
            team: given(&problem.team),
            assignee: given(&problem.assignee),
            opened_at: problem.opened_at,
            updated_at: problem.updated_at,
            resolved_at: problem.resolved_at,
            resolved_by: given(&problem.resolved_by),
            resolution: given(&problem.resolution),
            closed_at: problem.closed_at,
            url,
        }
    }
}

impl HistoryView {
    /// Of the entries that were read, of so many, and of whoever was notified.
    pub fn of(timeline: &[Entry], timeline_total: u32, told: &[Told]) -> HistoryView {
        let entry = |entry: &Entry| EntryView {
            at: entry.at,
            what: entry.what.clone(),
            because: given(&entry.because),
            actor: entry.actor.clone(),
        };
        let notified = |told: &Told| ToldView { address: told.address.clone(), reason: told.reason, at: told.at, rule: told.rule.clone() };
        HistoryView { timeline: timeline.iter().map(entry).collect(), timeline_total, told: told.iter().map(notified).collect() }
    }
}
