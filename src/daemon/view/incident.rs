//! An incident, as the API answers it, the command line prints it and the page shows it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use watchkeeper_engine::ids::{AlertId, IncidentId, ProblemId, TermsId};
use watchkeeper_engine::model::alert::CiRef;
use watchkeeper_engine::model::incident::clock::{LiveTerms, Promise};
use watchkeeper_engine::model::incident::{Incident, ServiceHit};
use watchkeeper_engine::time::Time;
use watchkeeper_engine::words::{ClockState, Health, IncidentState, Level, Priority, SlaKind, SlaTarget};

use super::{HistoryView, MemberView, StepView, TicketView, given};
use crate::board::OpenIncident;
use crate::read::live::IncidentNow;

/// An incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Incident")]
pub struct IncidentView {
    /// Its id.
    pub id: IncidentId,
    /// What it has as problems do.
    #[serde(flatten)]
    pub ticket: TicketView,
    /// Its state.
    pub state: IncidentState,
    /// Its priority.
    pub priority: Priority,
    /// Whether an operator set the priority.
    pub priority_by_hand: bool,
    /// Its impact.
    pub impact: Level,
    /// Its urgency.
    pub urgency: Level,
    /// The realm it belongs to.
    pub realm: String,
    /// Whether the CMDB knows that CI.
    pub ci_known: bool,
    /// The affected services, worst first.
    pub services: Vec<ServiceView>,
    /// What its alerts share.
    pub group: String,
    /// The incident whose child it is.
    pub parent: Option<IncidentId>,
    /// Its children.
    pub children: Vec<IncidentId>,
    /// The earlier incident that came back as this one.
    pub recurrence_of: Option<IncidentId>,
    /// The alert that is its cause.
    pub cause: Option<CauseView>,
    /// How many symptoms it has.
    pub symptoms: u64,
    /// How many alerts ever belonged to it.
    pub alert_count: u32,
    /// Which of its alerts have cleared; null once it is closed, and where it has none.
    pub cleared: Option<ClearedView>,
    /// Whether all its alerts are muted.
    pub muted: bool,
    /// Whether it is a major incident.
    pub major: bool,
    /// How often it was reopened.
    pub reopened: u32,
    /// What it waits for; null where it does not.
    pub hold: Option<HoldView>,
    /// The problem that it is an outage of.
    pub problem: Option<ProblemId>,
    /// Where to read what to do.
    pub runbook: Option<String>,
    /// When its earliest alert began.
    pub began_at: Time,
    /// When it was last reopened.
    pub reopened_at: Option<Time>,
    /// How long it was open before that.
    pub lasted_before_seconds: Option<i64>,
    /// When it was first acknowledged, by a person.
    pub acknowledged_at: Option<Time>,
    /// Where the targets of its SLAs stand.
    pub sla: Vec<SlaView>,
}

/// An incident with its alerts and its timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WholeIncident {
    /// The incident.
    #[serde(flatten)]
    pub incident: IncidentView,
    /// Its alerts, those that left among them.
    pub alerts: Vec<MemberView>,
    /// What happened, and who was notified.
    #[serde(flatten)]
    pub history: HistoryView,
}

/// Why an incident is what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IncidentExplained {
    /// The incident.
    pub incident: IncidentView,
    /// How it came to be what it is and what comes next by itself; of one that is closed, its timeline.
    pub steps: Vec<StepView>,
}

/// A service that an incident affects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Service")]
pub struct ServiceView {
    /// Its id.
    pub id: String,
    /// Its tier.
    pub tier: Option<String>,
    /// How it is.
    pub health: Health,
}

/// The cause of an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Cause")]
pub struct CauseView {
    /// The alert.
    pub alert: AlertId,
    /// Its CI.
    pub ci: String,
    /// Why it is the cause.
    pub because: String,
}

/// Which alerts of an incident have cleared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Cleared")]
pub struct ClearedView {
    /// How many.
    pub alerts: u32,
    /// Of how many that stand in it.
    pub of: u32,
    /// When it auto-resolves, unless an alert fires again; null while one fires.
    pub auto_resolves_at: Option<Time>,
}

/// What an incident waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Hold")]
pub struct HoldView {
    /// For what.
    pub reason: String,
    /// Until when at most.
    pub until: Option<Time>,
}

/// Where a target of an SLA stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Sla")]
pub struct SlaView {
    /// The SLA.
    pub name: String,
    /// Its kind.
    pub kind: SlaKind,
    /// The service it is about.
    pub service: Option<String>,
    /// What is to be done in time.
    pub target: SlaTarget,
    /// Whether its clock runs, waits, was met or breached; ended is neither met nor breached.
    pub state: ClockState,
    /// Why it ended without being met.
    pub because: Option<String>,
    /// The time that it allows.
    pub allowed: String,
    /// The calendar that counts; empty for all hours.
    pub calendar: String,
    /// The used share, in percent.
    pub percent: u32,
    /// When its clock started.
    pub started_at: Time,
    /// Until when; null while it waits.
    pub deadline: Option<Time>,
    /// The used time, by its calendar.
    pub used_seconds: i64,
    /// The time left, by its calendar.
    pub left_seconds: i64,
    /// Whether its clock waits.
    pub paused: bool,
    /// What did not count, by its calendar.
    pub paused_seconds: i64,
    /// When it was met or ended.
    pub ended_at: Option<Time>,
    /// When it was breached.
    pub breached_at: Option<Time>,
}

impl IncidentView {
    /// Of a record, with what it has as things stand and where its targets stand.
    pub fn of(incident: &Incident, now: &IncidentNow, sla: Vec<SlaView>, url: String) -> IncidentView {
        let cause = incident.cause.map(|alert| CauseView { alert, ci: incident.item.clone(), because: incident.because.to_string() });
        IncidentView {
            id: incident.id,
            ticket: TicketView::of_incident(incident, url),
            state: incident.state,
            priority: incident.priority,
            priority_by_hand: incident.priority_by_hand,
            impact: incident.impact,
            urgency: incident.urgency,
            realm: incident.realm.to_string(),
            ci_known: matches!(incident.ci, CiRef::Known(_)),
            services: incident.services.iter().map(|hit| ServiceView::of(hit, now.health.get(&hit.id).copied())).collect(),
            group: incident.group.clone(),
            parent: incident.parent,
            children: now.children.clone(),
            recurrence_of: incident.recurrence_of,
            cause,
            symptoms: now.open.as_ref().map_or(0, |open| open.symptoms).into(),
            alert_count: incident.alert_count,
            cleared: now.open.as_ref().and_then(ClearedView::of),
            muted: incident.muted,
            major: false,
            reopened: incident.reopened,
            hold: given(&incident.hold_reason).map(|reason| HoldView { reason, until: incident.hold_until }),
            problem: incident.problem,
            runbook: given(&incident.runbook),
            began_at: incident.began_at,
            reopened_at: incident.reopened_at,
            lasted_before_seconds: incident.earlier.as_ref().map(|earlier| earlier.lasted.0 / 1_000),
            acknowledged_at: incident.acknowledged_at,
            sla,
        }
    }
}

impl ClearedView {
    /// Of an incident as the board has it.
    pub fn of(open: &OpenIncident) -> Option<ClearedView> {
        // A child is resolved with its parent, and what is resolved waits for what fires.
        let resolves_itself = open.incident.is_open() && open.incident.parent.is_none();
        let auto_resolves_at = open.incident.settle_at.filter(|_| resolves_itself);
        (open.alerts > 0).then_some(ClearedView { alerts: open.cleared, of: open.alerts, auto_resolves_at })
    }

    /// What stands beside the word alerts: `5`, `3 of 5 cleared`, or `all 5 cleared, auto-resolves at 03:12`, a moment as `when` says it.
    pub fn words(&self, when: impl FnOnce(Time) -> String) -> String {
        let cleared = match (self.alerts, self.of) {
            (0, of) => of.to_string(),
            (alerts, of) if alerts == of && of > 1 => format!("all {of} cleared"),
            (alerts, of) => format!("{alerts} of {of} cleared"),
        };
        self.auto_resolves_at.map_or_else(|| cleared.clone(), |at| format!("{cleared}, auto-resolves {}", when(at)))
    }
}

impl ServiceView {
    /// Of a service of a record, and how it is by now where that is known to be another.
    pub fn of(hit: &ServiceHit, now: Option<Health>) -> ServiceView {
        ServiceView { id: hit.id.clone(), tier: given(&hit.tier), health: now.unwrap_or(hit.health) }
    }
}

impl SlaView {
    /// Every target of an incident at `now`.
    pub fn all(incident: &Incident, terms: &BTreeMap<TermsId, LiveTerms>, now: Time) -> Vec<SlaView> {
        incident.promises(terms, now).iter().map(SlaView::of).collect()
    }

    fn of(promise: &Promise<'_>) -> SlaView {
        let (clock, standing) = (promise.clock, &promise.standing);
        SlaView {
            name: clock.name.clone(),
            kind: clock.kind,
            service: given(&clock.service),
            target: promise.target,
            state: standing.state,
            because: given(&promise.because),
            allowed: standing.allowance.to_string(),
            calendar: promise.terms.record.calendar.clone(),
            percent: standing.percent,
            started_at: standing.start,
            deadline: standing.deadline,
            used_seconds: standing.used.0 / 1_000,
            left_seconds: standing.left.0 / 1_000,
            paused: standing.state == ClockState::Paused,
            paused_seconds: standing.paused.0 / 1_000,
            ended_at: standing.ended,
            breached_at: clock.breached_at(promise.target),
        }
    }
}
