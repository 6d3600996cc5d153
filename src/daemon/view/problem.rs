//! A problem: what keeps coming back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use watchkeeper_engine::ids::{IncidentId, ProblemId};
use watchkeeper_engine::model::incident::Entry;
use watchkeeper_engine::model::problem::{Outage, Problem};
use watchkeeper_engine::time::Time;
use watchkeeper_engine::words::ProblemState;

use super::{EntryView, given};

/// A problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub struct ProblemView {
    /// Its id.
    pub id: ProblemId,
    /// The version that commands compare with `If-Match`.
    pub version: u64,
    /// Its state.
    pub state: ProblemState,
    /// What keeps coming back, in a sentence.
    pub title: String,
    /// The rule that opened it.
    pub rule: String,
    /// What its outages share.
    pub same: String,
    /// The CI of the incident that opened it.
    pub ci: String,
    /// The team that owns the CI.
    pub team: Option<String>,
    /// The assignee.
    pub assignee: Option<String>,
    /// The incidents that are its outages, oldest first; the last ones where there are many.
    pub incidents: Vec<IncidentId>,
    /// How many outages there were.
    pub incident_count: u32,
    /// Why it is a problem.
    pub because: String,
    /// What helps until it is fixed.
    pub workaround: Option<String>,
    /// How it was fixed.
    pub resolution: Option<String>,
    /// Who fixed it.
    pub resolved_by: Option<String>,
    /// How many fixes did not hold.
    pub fixes_failed: u32,
    /// When it was opened.
    pub opened_at: Time,
    /// When it last changed.
    pub updated_at: Time,
    /// When it was resolved.
    pub resolved_at: Option<Time>,
    /// When it closes unless it comes back.
    pub closes_at: Option<Time>,
    /// When it was closed.
    pub closed_at: Option<Time>,
    /// Its page.
    pub url: String,
}

/// A problem with its outages and its timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WholeProblem {
    /// The problem.
    #[serde(flatten)]
    pub problem: ProblemView,
    /// Its outages, oldest first.
    pub outages: Vec<OutageView>,
    /// Its timeline, oldest first.
    pub timeline: Vec<EntryView>,
    /// Entries of the whole timeline.
    pub timeline_total: u32,
}

/// An outage of a problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Outage")]
pub struct OutageView {
    /// The incident.
    pub incident: IncidentId,
    /// When it began.
    pub at: Time,
    /// When it ended; null while it lasts.
    pub ended_at: Option<Time>,
    /// How it was fixed.
    pub words: Option<String>,
}

impl ProblemView {
    /// Of a record.
    pub fn of(problem: &Problem, url: String) -> ProblemView {
        ProblemView {
            id: problem.id,
            version: problem.version,
            state: problem.state,
            title: problem.title.clone(),
            rule: problem.key.rule.clone(),
            same: problem.key.same.clone(),
            ci: problem.item.clone(),
            team: given(&problem.team),
            assignee: given(&problem.assignee),
            incidents: problem.outages.iter().map(|outage| outage.incident).collect(),
            incident_count: problem.outage_count,
            because: problem.because.to_string(),
            workaround: given(&problem.workaround),
            resolution: given(&problem.resolution),
            resolved_by: given(&problem.resolved_by),
            fixes_failed: problem.fixes_failed,
            opened_at: problem.opened_at,
            updated_at: problem.updated_at,
            resolved_at: problem.resolved_at,
            closes_at: problem.close_at,
            closed_at: problem.closed_at,
            url,
        }
    }
}

impl WholeProblem {
    /// Of a record and its timeline.
    pub fn of(problem: &Problem, timeline: &[Entry], url: String) -> WholeProblem {
        let outage =
            |outage: &Outage| OutageView { incident: outage.incident, at: outage.at, ended_at: outage.ended, words: given(&outage.words) };
        WholeProblem {
            problem: ProblemView::of(problem, url),
            outages: problem.outages.iter().map(outage).collect(),
            timeline: EntryView::all(timeline),
            timeline_total: problem.timeline_len,
        }
    }
}
