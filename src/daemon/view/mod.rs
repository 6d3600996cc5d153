//! The outward shapes, one type a record: the API answers them, its description is made of them, and the command line reads them back.
//!
//! Each is made of the record by a function of its own, here and nowhere else. Knows the records, neither the doors nor the store.

mod alert;
mod alertmanager;
mod change;
mod ci;
mod command;
mod dead_letter;
mod event;
mod files;
mod forecast;
mod health;
mod incident;
mod judged;
mod message;
mod problem;
mod schedule;
mod silence;
mod ticket;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use watchkeeper_engine::model::alert::Judged;
use watchkeeper_engine::text::Labels;
use watchkeeper_engine::time::Time;

pub use alert::{AlertExplained, AlertView, AttachedView, MemberView, SaysView};
pub use alertmanager::{
    AlertGroup, AlertmanagerStatus, GettableAlert, GettableSilence, MatcherView, PostableAlert, PostableSilence, Receiver, SilenceMade,
};
pub use change::ChangeView;
pub use ci::{CausesView, CiView, ContractView, FiringView, HitView, ImpactView, ReachedView, RelationView, WholeCi};
pub use command::{BatchView, OutcomeView};
pub use dead_letter::{DeadLetterView, FaultView, OriginView, UnderstoodView, WholeDeadLetter};
pub use event::EventView;
pub use files::{
    AcceptedView, CmdbSource, CmdbSources, DiffRowView, DiffView, FindingView, FindingsView, ImportedView, RuleView, RulesView,
};
pub use forecast::{ForecastState, ForecastView};
pub use health::{HealthChangeView, HealthView, SpentView};
pub use incident::{CauseView, ClearedView, HoldView, IncidentExplained, IncidentView, ServiceView, SlaView, WholeIncident};
pub use judged::{TrialView, TriedView, UnmatchedAlertView, UnmatchedView};
pub use message::{MessageView, WholeMessage};
pub use problem::{OutageView, ProblemView, WholeProblem};
pub use schedule::{ClockView, ConfirmedView, DoubtView, RunView, ScheduleView};
pub use silence::SilenceView;
pub use ticket::{EntryView, HistoryView, TicketView, ToldView};

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PageOf{T}")]
pub struct Page<T> {
    /// The records of this part.
    pub items: Vec<T>,
    /// The cursor of the next part; null where there is none.
    pub next: Option<String>,
}

/// A step of a judgement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Step")]
pub struct StepView {
    /// When it was judged.
    pub at: Time,
    /// What was judged: `source`, `severity`, `identified`, `rule`, `muted`, `attached`, ….
    pub what: String,
    /// With which outcome.
    pub outcome: String,
    /// Why; null where the outcome says it.
    pub because: Option<String>,
}

impl StepView {
    /// The steps of a judgement.
    pub fn all(judgement: &[Judged]) -> Vec<StepView> {
        let step = |step: &Judged| StepView {
            at: step.at,
            what: step.what.to_string(),
            outcome: step.outcome.to_string(),
            because: given(&step.because),
        };
        judgement.iter().map(step).collect()
    }
}

/// A text that is not empty.
fn given(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn pairs(labels: &Labels) -> BTreeMap<String, String> {
    labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
