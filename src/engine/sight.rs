//! What conditions see of State and World: views built from records.

use crate::event::World;
use crate::expr::{AlertView, CiView, IncidentView, ServiceView, SlaView, View};
use crate::ids::{CiNo, Realm};
use crate::input::AlertInput;
use crate::model::alert::CiRef;
use crate::model::incident::Incident;
use crate::model::incident::clock::{Clock, Promise};
use crate::state::{AlertCell, State};
use crate::time::Time;
use crate::words::Role;

/// The view of a live alert alone: what `identify` sees.
pub fn alert<'a>(state: &'a State, cell: &'a AlertCell, now: Time) -> View<'a> {
    let alert = &cell.alert;
    View {
        alert: AlertView {
            name: &alert.name,
            source: state.source(alert.source),
            severity: alert.severity,
            summary: &alert.said.summary,
            key: &alert.key,
            labels: &alert.labels,
            annotations: &alert.said.annotations,
            url: &alert.said.url,
            value: &alert.said.value,
            count: cell.vitals.count,
            starts_at: alert.started_at,
        },
        budget: Some(&state.budget),
        ..View::blank(&alert.realm, now)
    }
}

/// The view of an alert that has not happened.
pub fn input(input: &AlertInput, now: Time) -> View<'_> {
    View {
        alert: AlertView {
            name: &input.name,
            source: &input.source,
            severity: input.severity,
            summary: &input.summary,
            key: &input.key,
            labels: &input.labels,
            annotations: &input.annotations,
            url: &input.url,
            value: &input.value,
            count: 1,
            starts_at: input.starts_at.unwrap_or(now),
        },
        ..View::blank(&input.realm, now)
    }
}

/// `view` with an item and the most critical service it carries.
pub fn with_ci<'a>(view: View<'a>, state: &State, world: &'a World, ci: &'a CiRef) -> View<'a> {
    let (ci, service) = match ci {
        CiRef::Known(no) => (ci_view(state, world, view.realm, *no), service_view(state, world, view.realm, *no)),
        CiRef::Unknown(value) => (CiView { id: value, ..CiView::default() }, ServiceView::default()),
    };
    View { ci, service, ..view }
}

/// The view of an incident: its cause's alert, or a symptom's, on its item.
pub fn of_incident<'a>(
    state: &'a State,
    world: &'a World,
    incident: &'a Incident,
    texts: &'a IncidentTexts,
    cell: Option<&'a AlertCell>,
    now: Time,
) -> View<'a> {
    let view = cell.map_or_else(|| View::blank(&incident.realm, now), |cell| alert(state, cell, now));
    let ci = cell.filter(|cell| cell.alert.role == Role::Symptom).map_or(&incident.ci, |cell| &cell.alert.ci);
    let view = with_incident(with_ci(view, state, world, ci), state, incident, texts, now);
    if !world.policy.notify_sees_clocks {
        return view;
    }
    // The promise that presses most; mails about promises are judged by their own.
    incident.pressing(&state.terms, now).map_or(view, |promise| with_promise(view, &promise))
}

/// `view` with another service than the most critical one.
pub fn with_service<'a>(view: View<'a>, state: &State, world: &'a World, service: &str) -> View<'a> {
    let service = world.cmdb.find(service).map_or_else(ServiceView::default, |no| service_of(state, world, view.realm, no));
    View { service, ..view }
}

/// `view` with an incident; `id` and `services` hold its texts.
pub fn with_incident<'a>(view: View<'a>, state: &State, incident: &'a Incident, texts: &'a IncidentTexts, now: Time) -> View<'a> {
    let tally = state.tally(incident.id);
    View {
        incident: IncidentView {
            id: &texts.id,
            state: incident.state,
            priority: incident.priority,
            impact: incident.impact,
            urgency: incident.urgency,
            rule: &incident.rule,
            team: &incident.team,
            assignee: &incident.assignee,
            services: &texts.services,
            alerts: tally.alerts.into(),
            symptoms: tally.symptoms.into(),
            age: now - incident.opened_at,
            acknowledged: incident.acknowledged_at.is_some(),
            major: false,
            reopened: u64::from(incident.reopened),
            hold: &incident.hold_reason,
            problem: &texts.problem,
        },
        ..view
    }
}

/// Texts of an incident that a view borrows.
#[derive(Debug, Clone)]
pub struct IncidentTexts {
    id: String,
    problem: String,
    services: Vec<String>,
}

impl IncidentTexts {
    /// Of one incident.
    pub fn of(incident: &Incident) -> IncidentTexts {
        IncidentTexts {
            id: incident.id.to_string(),
            problem: incident.problem.map(|id| id.to_string()).unwrap_or_default(),
            services: incident.services.iter().map(|hit| hit.id.clone()).collect(),
        }
    }
}

/// An item's id as people write it.
pub fn item_name<'a>(world: &'a World, ci: &'a CiRef) -> &'a str {
    match ci {
        CiRef::Known(no) => world.cmdb.id(*no),
        CiRef::Unknown(value) => value,
    }
}

/// `view` with a promise of the incident's, where it stands.
pub fn with_promise<'a>(view: View<'a>, promise: &Promise<'a>) -> View<'a> {
    View { sla: sla_view(promise), ..view }
}

fn sla_view<'a>(promise: &Promise<'a>) -> SlaView<'a> {
    let clock: &'a Clock = promise.clock;
    SlaView {
        name: &clock.name,
        kind: clock.kind,
        target: promise.target,
        percent: promise.standing.percent.into(),
        service: &clock.service,
    }
}

fn ci_view<'a>(state: &State, world: &'a World, realm: &Realm, no: CiNo) -> CiView<'a> {
    let Some(ci) = world.cmdb.ci(no) else { return CiView::default() };
    CiView {
        id: &ci.id,
        known: true,
        class: &ci.class,
        owner: &ci.owner,
        domain: &ci.domain,
        environment: &ci.environment,
        criticality: ci.criticality,
        health: state.health_of(&world.cmdb, realm, no),
        labels: &ci.labels,
    }
}

fn service_view<'a>(state: &State, world: &'a World, realm: &Realm, no: CiNo) -> ServiceView<'a> {
    world.cmdb.most_critical_service(no).map_or_else(ServiceView::default, |service| service_of(state, world, realm, service))
}

fn service_of<'a>(state: &State, world: &'a World, realm: &Realm, service: CiNo) -> ServiceView<'a> {
    let Some(ci) = world.cmdb.ci(service) else { return ServiceView::default() };
    ServiceView {
        id: &ci.id,
        tier: &ci.tier,
        owner: &ci.owner,
        domain: &ci.domain,
        criticality: ci.criticality,
        health: state.health_of(&world.cmdb, realm, service),
        labels: &ci.labels,
    }
}
