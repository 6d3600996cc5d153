//! What comes again by the clock, and the clock.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use watchkeeper_engine::model::job::Run;
use watchkeeper_engine::schedule::Schedule;
use watchkeeper_engine::time::{Span, Time};

/// Runs to come that each is shown with.
const NEXT_MAX: usize = 3;

/// What comes again by the clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Schedule")]
pub struct ScheduleView {
    /// What it is: `digest`, `capacity`, `silence`, ….
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its schedule.
    pub cron: String,
    /// The zone that counts.
    pub zone: String,
    /// When it last ran.
    pub last_run: Option<RunView>,
    /// When it runs next.
    pub next: Vec<Time>,
    /// How long it lasts; silences only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasts: Option<String>,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Run")]
pub struct RunView {
    /// When it ran.
    pub at: Time,
    /// The first instant that it ran for.
    pub first: Time,
    /// The last instant that it ran for.
    pub last: Time,
    /// How many instants it ran for.
    pub instants: u32,
}

/// The daemon's time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Clock")]
pub struct ClockView {
    /// The time that everything is decided by.
    pub now: Time,
    /// What the machine's clock shows.
    pub wall: Time,
    /// A step forward of the machine's clock that is not believed yet.
    pub doubted: Option<DoubtView>,
}

/// The daemon's time after a confirmation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Confirmed")]
pub struct ConfirmedView {
    /// The time.
    #[serde(flatten)]
    pub clock: ClockView,
    /// The step that was confirmed; null where none was doubted.
    pub confirmed: Option<String>,
}

/// A step of the clock that is not believed yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Doubt")]
pub struct DoubtView {
    /// How far the machine's clock is ahead.
    pub ahead: String,
    /// In which time it is believed unless it goes back.
    pub believed_in: String,
}

impl ScheduleView {
    /// Of a schedule at `now`.
    pub fn of(kind: &str, name: &str, schedule: &Schedule, last: Option<Run>, lasts: Option<Span>, now: Time) -> ScheduleView {
        let next = std::iter::successors(schedule.next_after(now), |at| schedule.next_after(*at)).take(NEXT_MAX);
        ScheduleView {
            kind: kind.to_owned(),
            name: name.to_owned(),
            cron: schedule.to_string(),
            zone: schedule.zone().to_owned(),
            last_run: last.map(|run| RunView { at: run.at, first: run.first, last: run.last, instants: run.instants }),
            next: next.collect(),
            lasts: lasts.map(|span| span.to_string()),
        }
    }
}
