//! The names a condition may see: each with its type and how it is read from a view, and which section sees which.

use super::types::{Closed, Item, Type};
use super::value::Val;
use super::view::View;
use crate::words::{Health, IncidentState, Level, Priority, Severity, SlaKind, SlaTarget};

/// The section of rule files that a condition stands in, which decides what it may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section {
    /// Its key, as faults name it.
    pub key: &'static str,
    /// The first parts of the names that it sees.
    pub sees: &'static [&'static str],
}

impl Section {
    /// The alert only, where its CI is what is being found.
    pub const OF_ALERT: &'static [&'static str] = &["alert"];
    /// Also the alert's CI, the service that the CI carries, and the moment.
    pub const OF_CI: &'static [&'static str] = &["alert", "ci", "service", "at"];
    /// Also the incident.
    pub const OF_INCIDENT: &'static [&'static str] = &["alert", "ci", "service", "incident", "at"];
    /// Also the target of an SLA.
    pub const OF_EVERYTHING: &'static [&'static str] = ROOTS;
}

/// Every root there is, seen or not.
pub(super) const ROOTS: &[&str] = &["alert", "ci", "service", "incident", "sla", "at"];

/// Roots that rules will know and this version does not, with what they need.
pub(super) const LATER_ROOTS: &[&str] = &["problem"];

/// One name: `ci.class`, its type, and how it is read.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) path: &'static str,
    pub(super) ty: Type,
    pub(super) read: for<'v, 'a> fn(&'v View<'a>) -> Val<'a>,
}

impl Field {
    /// The field of a dotted path.
    pub(super) fn find(root: &str, name: &str) -> Option<&'static Field> {
        FIELDS.iter().find(|field| field.path.strip_prefix(root).and_then(|rest| rest.strip_prefix('.')) == Some(name))
    }

    /// The field of a whole path.
    pub(super) fn of_path(path: &str) -> Option<&'static Field> {
        FIELDS.iter().find(|field| field.path == path)
    }

    /// The field that a root alone stands for, where it is a value: `at`, and in texts `ci` for `ci.id`.
    pub(super) fn of_root(root: &str) -> Option<&'static Field> {
        let path = match root {
            "at" => "at",
            "alert" => "alert.name",
            "ci" => "ci.id",
            "service" => "service.id",
            "incident" => "incident.id",
            "sla" => "sla.name",
            _ => return None,
        };
        Field::of_path(path)
    }

    /// The names below a root.
    pub(super) fn names_below(root: &str) -> impl Iterator<Item = &'static str> {
        FIELDS.iter().filter_map(move |field| field.path.strip_prefix(root)?.strip_prefix('.'))
    }
}

/// The closed words that conditions compare with.
pub(super) static SEVERITY: Closed = Closed { name: "severity", words: Severity::WORDS };
static LEVEL: Closed = Closed { name: "level", words: Level::WORDS };
static HEALTH: Closed = Closed { name: "health", words: Health::WORDS };
static STATE: Closed = Closed { name: "state", words: IncidentState::WORDS };
static SLA_KIND: Closed = Closed { name: "kind", words: SlaKind::WORDS };
static SLA_TARGET: Closed = Closed { name: "target", words: SlaTarget::WORDS };
static PRIORITY: Closed = Closed { name: "priority", words: Priority::WORDS };

const fn field(path: &'static str, ty: Type, read: for<'v, 'a> fn(&'v View<'a>) -> Val<'a>) -> Field {
    Field { path, ty, read }
}

static FIELDS: &[Field] = &[
    field("alert.name", Type::Text, |v| Val::text(v.alert.name)),
    field("alert.source", Type::Text, |v| Val::text(v.alert.source)),
    field("alert.severity", Type::Word(&SEVERITY), |v| Val::text(v.alert.severity.word())),
    field("alert.summary", Type::Text, |v| Val::text(v.alert.summary)),
    field("alert.key", Type::Text, |v| Val::text(v.alert.key)),
    field("alert.labels", Type::Labels, |v| Val::Labels(v.alert.labels)),
    field("alert.annotations", Type::Labels, |v| Val::Labels(v.alert.annotations)),
    field("alert.url", Type::Text, |v| Val::text(v.alert.url)),
    field("alert.value", Type::Text, |v| Val::text(v.alert.value)),
    field("alert.count", Type::Int, |v| Val::count(v.alert.count)),
    field("alert.starts_at", Type::Time, |v| Val::Time(v.alert.starts_at)),
    field("ci.id", Type::Text, |v| Val::text(v.ci.id)),
    field("ci.known", Type::Bool, |v| Val::Bool(v.ci.known)),
    field("ci.class", Type::Text, |v| Val::text(v.ci.class)),
    field("ci.owner", Type::Text, |v| Val::text(v.ci.owner)),
    field("ci.domain", Type::Text, |v| Val::text(v.ci.domain)),
    field("ci.environment", Type::Text, |v| Val::text(v.ci.environment)),
    field("ci.criticality", Type::Word(&LEVEL), |v| Val::text(v.ci.criticality.word())),
    field("ci.health", Type::Word(&HEALTH), |v| Val::text(v.ci.health.word())),
    field("ci.labels", Type::Labels, |v| Val::Labels(v.ci.labels)),
    field("service.id", Type::Text, |v| Val::text(v.service.id)),
    field("service.tier", Type::Text, |v| Val::text(v.service.tier)),
    field("service.owner", Type::Text, |v| Val::text(v.service.owner)),
    field("service.domain", Type::Text, |v| Val::text(v.service.domain)),
    field("service.criticality", Type::Word(&LEVEL), |v| Val::text(v.service.criticality.word())),
    field("service.health", Type::Word(&HEALTH), |v| Val::text(v.service.health.word())),
    field("service.labels", Type::Labels, |v| Val::Labels(v.service.labels)),
    field("incident.id", Type::Text, |v| Val::text(v.incident.id)),
    field("incident.state", Type::Word(&STATE), |v| Val::text(v.incident.state.word())),
    field("incident.priority", Type::Word(&PRIORITY), |v| Val::text(v.incident.priority.word())),
    field("incident.impact", Type::Word(&LEVEL), |v| Val::text(v.incident.impact.word())),
    field("incident.urgency", Type::Word(&LEVEL), |v| Val::text(v.incident.urgency.word())),
    field("incident.rule", Type::Text, |v| Val::text(v.incident.rule)),
    field("incident.team", Type::Text, |v| Val::text(v.incident.team)),
    field("incident.assignee", Type::Text, |v| Val::text(v.incident.assignee)),
    field("incident.services", Type::List(Item::Text), |v| Val::Texts(v.incident.services)),
    field("incident.alerts", Type::Int, |v| Val::count(v.incident.alerts)),
    field("incident.symptoms", Type::Int, |v| Val::count(v.incident.symptoms)),
    field("incident.age", Type::Span, |v| Val::Span(v.incident.age)),
    field("incident.acknowledged", Type::Bool, |v| Val::Bool(v.incident.acknowledged)),
    field("incident.major", Type::Bool, |v| Val::Bool(v.incident.major)),
    field("incident.reopened", Type::Int, |v| Val::count(v.incident.reopened)),
    field("incident.hold", Type::Text, |v| Val::text(v.incident.hold)),
    field("incident.problem", Type::Text, |v| Val::text(v.incident.problem)),
    field("sla.name", Type::Text, |v| Val::text(v.sla.name)),
    field("sla.kind", Type::Word(&SLA_KIND), |v| Val::text(v.sla.kind.word())),
    field("sla.target", Type::Word(&SLA_TARGET), |v| Val::text(v.sla.target.word())),
    field("sla.percent", Type::Int, |v| Val::count(v.sla.percent)),
    field("sla.service", Type::Text, |v| Val::text(v.sla.service)),
    field("at", Type::Time, |v| Val::Time(v.at)),
];
