//! What a condition may look at: borrowed views of an alert, its CI, the most critical service it carries, and the incident.

use super::budget::Budget;
use crate::ids::Realm;
use crate::text::Labels;
use crate::time::{Span, Time};
use crate::words::{Health, IncidentState, Level, Priority, Severity, SlaKind, SlaTarget};

/// Everything one evaluation sees. What a section does not see stays at its default (empty texts, zero, low), and `check` refuses to name it.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The alert judged; in `notify` the cause's, in an `affected` mail the symptom's.
    pub alert: AlertView<'a>,
    /// Its CI.
    pub ci: CiView<'a>,
    /// The most critical service that CI carries.
    pub service: ServiceView<'a>,
    /// The incident.
    pub incident: IncidentView<'a>,
    /// The clock of the incident that presses most.
    pub sla: SlaView<'a>,
    /// The moment judged.
    pub at: Time,
    /// What all conditions of the batch may look at; `None` outside of one, such as for `try`.
    pub budget: Option<&'a Budget>,
    /// The realm whose alerts say what is down.
    pub realm: &'a Realm,
}

impl<'a> View<'a> {
    /// Of nothing, at a moment and in a realm.
    pub fn blank(realm: &'a Realm, at: Time) -> View<'a> {
        View {
            alert: AlertView::default(),
            ci: CiView::default(),
            service: ServiceView::default(),
            incident: IncidentView::default(),
            sla: SlaView::default(),
            at,
            budget: None,
            realm,
        }
    }
}

/// `alert.*`.
#[derive(Debug, Clone, Copy)]
pub struct AlertView<'a> {
    /// `alert.name`.
    pub name: &'a str,
    /// `alert.source`.
    pub source: &'a str,
    /// `alert.severity`.
    pub severity: Severity,
    /// `alert.summary`.
    pub summary: &'a str,
    /// `alert.key`, where the sender names one.
    pub key: &'a str,
    /// `alert.labels`.
    pub labels: &'a Labels,
    /// `alert.annotations`.
    pub annotations: &'a Labels,
    /// `alert.url`.
    pub url: &'a str,
    /// `alert.value`: empty where the sender gives none.
    pub value: &'a str,
    /// `alert.count`: how often it was heard.
    pub count: u64,
    /// `alert.starts_at`.
    pub starts_at: Time,
}

/// `ci.*`. An unknown CI has the value it was looked up by as `id` and empty texts.
#[derive(Debug, Clone, Copy)]
pub struct CiView<'a> {
    /// `ci.id`.
    pub id: &'a str,
    /// `ci.known`.
    pub known: bool,
    /// `ci.class`.
    pub class: &'a str,
    /// `ci.owner`: the team.
    pub owner: &'a str,
    /// `ci.domain`.
    pub domain: &'a str,
    /// `ci.environment`; empty is production.
    pub environment: &'a str,
    /// `ci.criticality`.
    pub criticality: Level,
    /// `ci.health`.
    pub health: Health,
    /// `ci.labels`.
    pub labels: &'a Labels,
}

/// `service.*`.
#[derive(Debug, Clone, Copy)]
pub struct ServiceView<'a> {
    /// `service.id`; empty where the CI carries none.
    pub id: &'a str,
    /// `service.tier`.
    pub tier: &'a str,
    /// `service.owner`.
    pub owner: &'a str,
    /// `service.domain`.
    pub domain: &'a str,
    /// `service.criticality`.
    pub criticality: Level,
    /// `service.health`.
    pub health: Health,
    /// `service.labels`.
    pub labels: &'a Labels,
}

/// `incident.*`.
#[derive(Debug, Clone, Copy)]
pub struct IncidentView<'a> {
    /// `incident.id`.
    pub id: &'a str,
    /// `incident.state`.
    pub state: IncidentState,
    /// `incident.priority`.
    pub priority: Priority,
    /// `incident.impact`.
    pub impact: Level,
    /// `incident.urgency`.
    pub urgency: Level,
    /// `incident.rule`.
    pub rule: &'a str,
    /// `incident.team`.
    pub team: &'a str,
    /// `incident.assignee`.
    pub assignee: &'a str,
    /// `incident.services`: the ids of all it hurts.
    pub services: &'a [String],
    /// `incident.alerts`: how many are attached.
    pub alerts: u64,
    /// `incident.symptoms`: how many of them are symptoms.
    pub symptoms: u64,
    /// `incident.age`: since it opened.
    pub age: Span,
    /// `incident.acknowledged`.
    pub acknowledged: bool,
    /// `incident.major`.
    pub major: bool,
    /// `incident.reopened`: how often.
    pub reopened: u64,
    /// `incident.hold`: the reason, or empty.
    pub hold: &'a str,
    /// `incident.problem`: the id, or empty.
    pub problem: &'a str,
}

/// `sla.*`. Empty texts and no percent where no clock runs.
#[derive(Debug, Clone, Copy)]
pub struct SlaView<'a> {
    /// `sla.name`.
    pub name: &'a str,
    /// `sla.kind`.
    pub kind: SlaKind,
    /// `sla.target`.
    pub target: SlaTarget,
    /// `sla.percent`: the used share.
    pub percent: u64,
    /// `sla.service`.
    pub service: &'a str,
}

/// No labels, for views of nothing.
pub static NO_LABELS: std::sync::LazyLock<Labels> = std::sync::LazyLock::new(Labels::default);

impl Default for AlertView<'_> {
    fn default() -> Self {
        AlertView {
            name: "",
            source: "",
            severity: Severity::Unknown,
            summary: "",
            key: "",
            labels: &NO_LABELS,
            annotations: &NO_LABELS,
            url: "",
            value: "",
            count: 0,
            starts_at: Time::default(),
        }
    }
}

impl Default for CiView<'_> {
    fn default() -> Self {
        CiView {
            id: "",
            known: false,
            class: "",
            owner: "",
            domain: "",
            environment: "",
            criticality: Level::Medium,
            health: Health::Ok,
            labels: &NO_LABELS,
        }
    }
}

impl Default for ServiceView<'_> {
    fn default() -> Self {
        ServiceView { id: "", tier: "", owner: "", domain: "", criticality: Level::Low, health: Health::Ok, labels: &NO_LABELS }
    }
}

impl Default for SlaView<'_> {
    fn default() -> Self {
        SlaView { name: "", kind: SlaKind::Sla, target: SlaTarget::Response, percent: 0, service: "" }
    }
}

impl Default for IncidentView<'_> {
    fn default() -> Self {
        IncidentView {
            id: "",
            state: IncidentState::New,
            priority: Priority::P5,
            impact: Level::Low,
            urgency: Level::Low,
            rule: "",
            team: "",
            assignee: "",
            services: &[],
            alerts: 0,
            symptoms: 0,
            age: Span::ZERO,
            acknowledged: false,
            major: false,
            reopened: 0,
            hold: "",
            problem: "",
        }
    }
}
