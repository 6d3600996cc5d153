//! A problem: what keeps coming back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use watchkeeper_engine::ids::{IncidentId, ProblemId};
use watchkeeper_engine::model::incident::Entry;
use watchkeeper_engine::model::problem::{Outage, Problem};
use watchkeeper_engine::time::Time;
use watchkeeper_engine::words::ProblemState;

use super::{HistoryView, TicketView, given};

/// A problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub struct ProblemView {
    /// Its id.
    pub id: ProblemId,
    /// What it has as incidents do.
    #[serde(flatten)]
    pub ticket: TicketView,
    /// Its state.
    pub state: ProblemState,
    /// What its outages share.
    pub same: String,
    /// The incidents that are its outages, oldest first; the last ones where there are many.
    pub incidents: Vec<IncidentId>,
    /// How many outages there were.
    pub incident_count: u32,
    /// What helps until it is fixed.
    pub workaround: Option<String>,
    /// How many fixes did not hold.
    pub fixes_failed: u32,
    /// When it closes unless it comes back.
    pub closes_at: Option<Time>,
}

/// A problem with its outages and its timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WholeProblem {
    /// The problem.
    #[serde(flatten)]
    pub problem: ProblemView,
    /// Its outages, oldest first.
    pub outages: Vec<OutageView>,
    /// What happened, and who was notified.
    #[serde(flatten)]
    pub history: HistoryView,
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
            ticket: TicketView::of_problem(problem, url),
            state: problem.state,
            same: problem.key.same.clone(),
            incidents: problem.outages.iter().map(|outage| outage.incident).collect(),
            incident_count: problem.outage_count,
            workaround: given(&problem.workaround),
            fixes_failed: problem.fixes_failed,
            closes_at: problem.close_at,
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
            history: HistoryView::of(timeline, problem.timeline_len, &problem.told),
        }
    }
}
