//! `/api/v1/incidents`: lists and records.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;

use watchkeeper_engine::ids::{AlertId, IncidentId};
use watchkeeper_engine::model::alert::Judged;
use watchkeeper_engine::model::incident::{Entry, Incident};
use watchkeeper_engine::state::past::{By, Of};
use watchkeeper_engine::time::Time;
use watchkeeper_engine::trace;
use watchkeeper_engine::words::{IncidentState, Priority, Role};

use super::paging::{asked, split};
use super::{alerts, no_id, record};
use crate::board;
use crate::read::live::{self, IncidentNow};
use crate::read::{Candidates, Order, Sieve, Span, Wanted, WholeIncident};
use crate::view::{self, AlertView, HistoryView, IncidentExplained, IncidentView, MemberView, SlaView, StepView};
use crate::web::App;
use crate::web::describe::Parameter;
use crate::web::error::ApiError;
use crate::web::query::{AnyOf, Query, Sought, Switch};

/// Orders of the list.
const SORTS: [&str; 6] = ["-opened_at", "opened_at", "priority", "-priority", "-updated_at", "updated_at"];

/// Words of `state`: those of incidents, and two that mean several.
const STATES: [&str; 8] = ["open", "all", "new", "acknowledged", "in_progress", "on_hold", "resolved", "closed"];

/// Parameters of the filters.
pub(super) const FILTERS: [Parameter; 9] = [
    Parameter::words("state", "`open` means new, acknowledged, in_progress and on_hold; every state unless given.", &STATES),
    Parameter::words("priority", "Priorities.", Priority::WORDS),
    Parameter::texts("service", "Affected services."),
    Parameter::texts("ci", "CIs at fault."),
    Parameter::texts("owner", "Teams that own them."),
    Parameter::texts("rule", "Correlate rules."),
    Parameter::texts("assignee", "Assignees."),
    Parameter::flag("children", "Whether children of other incidents are listed."),
    Parameter::text("q", "A part of the title, CI, resolution or id."),
];

/// The order of the list.
pub(super) const SORT: [Parameter; 1] = [Parameter::sort(&SORTS)];

/// Filters of the list.
pub(super) struct Filter {
    states: Vec<IncidentState>,
    children: Switch,
    priorities: Vec<Priority>,
    services: AnyOf,
    cis: AnyOf,
    owners: AnyOf,
    rules: AnyOf,
    assignees: AnyOf,
    text: Sought,
}

/// `GET /api/v1/incidents`.
pub(super) async fn list(State(app): State<App>, uri: Uri) -> Result<axum::Json<view::Page<IncidentView>>, ApiError> {
    let (query, paging) = asked(&uri, &[&SORT[..], &FILTERS].concat())?;
    let filter = Filter::of(&query)?;
    let (span, candidates) = (filter.span(), filter.candidates(&app));
    let keep = move |incident: &Incident| filter.keeps(incident);
    if matches!(paging.sort, "-opened_at" | "opened_at") {
        let wanted = Wanted { span, order: paging.order(), from: paging.from()?, limit: paging.limit };
        let (incidents, next) = split(app.records.list_among(wanted, candidates, keep).await?);
        return Ok(paging.by_time(items(&app, &incidents).await?, next));
    }
    let sort = paging.sort;
    let key = move |incident: &Incident| key_of(sort, incident);
    let (incidents, next) = split(app.records.sorted_among(span, candidates, (paging.after_key()?, paging.limit), keep, key).await?);
    Ok(paging.by_keys(items(&app, &incidents).await?, next.as_deref()))
}

/// The ids of all incidents that a filter keeps, oldest first, at most `limit`.
pub(super) async fn matching(app: &App, filter: Filter, limit: usize) -> Result<Vec<IncidentId>, ApiError> {
    let filter = Arc::new(filter);
    let (mut ids, mut from) = (Vec::new(), None);
    loop {
        let kept = Arc::clone(&filter);
        let wanted = Wanted { span: filter.span(), order: Order::OldestFirst, from, limit: limit - ids.len() };
        let page = app.records.list_among(wanted, filter.candidates(app), move |incident: &Incident| kept.keeps(incident)).await?;
        ids.extend(page.items.iter().map(|incident| incident.id));
        from = page.next;
        if from.is_none() || ids.len() >= limit {
            return Ok(ids);
        }
    }
}

/// `GET /api/v1/incidents/ID`.
pub(super) async fn show(State(app): State<App>, Path(id): Path<String>, uri: Uri) -> Result<Response, ApiError> {
    Query::of(&uri, &[])?;
    let whole = whole(&app, &id).await?;
    Ok(record(whole.incident.version, &view_of(&app, &whole).await?))
}

/// `GET /api/v1/incidents/ID/explain`: why it is what it is and what comes next by itself; of one that is closed, its timeline.
pub(super) async fn explain(State(app): State<App>, Path(id): Path<String>, uri: Uri) -> Result<axum::Json<IncidentExplained>, ApiError> {
    Query::of(&uri, &[])?;
    let whole = whole(&app, &id).await?;
    let number = whole.incident.id;
    let lives = app.writer.ask(move |state, world, now| trace::explain_incident(state, world, number, now)).await?;
    let steps = lives.map_or_else(
        || {
            let step = |entry: &Entry| Judged {
                at: entry.at,
                what: entry.actor.clone().into(),
                outcome: entry.what.as_str().into(),
                because: entry.because.as_str().into(),
            };
            StepView::all(&whole.timeline.iter().map(step).collect::<Vec<_>>())
        },
        |trace| StepView::all(&trace.steps),
    );
    let incident = items(&app, std::slice::from_ref(&whole.incident)).await?.swap_remove(0);
    Ok(axum::Json(IncidentExplained { incident, steps }))
}

/// An incident by the id of a path.
pub(in crate::web) async fn whole(app: &App, id: &str) -> Result<WholeIncident, ApiError> {
    let number: IncidentId = id.parse().map_err(|_| no_id("incident", id))?;
    app.records.incident(number).await?.ok_or_else(|| no_id("incident", id))
}

/// An incident with its alerts and its timeline.
pub(in crate::web) async fn view_of(app: &App, whole: &WholeIncident) -> Result<view::WholeIncident, ApiError> {
    let mut incident = items(app, std::slice::from_ref(&whole.incident)).await?.swap_remove(0);
    let symptoms = whole.members.iter().filter(|member| member.left_at.is_none() && member.role == Role::Symptom).count();
    incident.symptoms = symptoms as u64;
    let rows = app.records.alerts(whole.members.iter().map(|member| member.alert).collect()).await?;
    let alerts: BTreeMap<AlertId, AlertView> = alerts::items(app, &rows).await?.into_iter().map(|alert| (alert.id, alert)).collect();
    Ok(view::WholeIncident {
        incident,
        alerts: whole.members.iter().map(|member| MemberView::of(member, alerts.get(&member.alert))).collect(),
        history: HistoryView::of(&whole.timeline, whole.incident.timeline_len, &whole.incident.told),
    })
}

/// Incidents with what they have as things stand and where their targets stand.
pub(in crate::web) async fn items(app: &App, incidents: &[Incident]) -> Result<Vec<IncidentView>, ApiError> {
    let ids: Vec<IncidentId> = incidents.iter().map(|incident| incident.id).collect();
    let now = live::incidents(&app.current, ids);
    let nothing = IncidentNow::default();
    let terms = app.records.terms(incidents).await?;
    let at = if terms.is_empty() { Time::default() } else { app.now() };
    let one = |incident: &Incident| {
        let now = now.get(&incident.id).unwrap_or(&nothing);
        IncidentView::of(incident, now, SlaView::all(incident, &terms, at), app.incident_url(incident.id))
    };
    Ok(incidents.iter().map(one).collect())
}

/// Bytes that sort as the order says; the latest first among equals, whatever their realm.
fn key_of(sort: &str, incident: &Incident) -> Vec<u8> {
    let (what, descending) = sort.strip_prefix('-').map_or((sort, false), |what| (what, true));
    let moment = |at: Time| u64::try_from(at.0).unwrap_or(0);
    let value = match what {
        "priority" => incident.priority as u64,
        _ => moment(incident.updated_at),
    };
    let value = if descending { !value } else { value };
    [value.to_be_bytes(), (!moment(incident.opened_at)).to_be_bytes(), (!incident.id.0).to_be_bytes()].concat()
}

impl Filter {
    pub(super) fn of(query: &Query) -> Result<Filter, ApiError> {
        Ok(Filter {
            states: query.states(&STATES, IncidentState::ALL, ("open", IncidentState::is_open))?,
            children: query.flag("children", Switch::Off)?,
            priorities: query.words("priority", Priority::WORDS, Priority::from_word)?,
            services: query.any_of("service"),
            cis: query.any_of("ci"),
            owners: query.any_of("owner"),
            rules: query.any_of("rule"),
            assignees: query.any_of("assignee"),
            text: query.sought(),
        })
    }

    /// Which come into question.
    fn candidates(&self, app: &App) -> Candidates {
        let sought = board::Sought {
            states: &self.states,
            owners: self.owners.texts(),
            services: self.services.texts(),
            items: self.cis.texts(),
            text: self.text.text(),
        };
        let past = Sieve::default()
            .any(Of::Incidents, By::Owner, self.owners.each())
            .any(Of::Incidents, By::Service, self.services.each())
            .any(Of::Incidents, By::Ci, self.cis.each())
            .any(Of::Incidents, By::Rule, self.rules.each())
            .any(Of::Incidents, By::Assignee, self.assignees.each())
            .says(self.text.text());
        Candidates { among: app.current.load().board.incidents.candidates(sought), live: Sieve::default(), past }
    }

    /// Which tables can hold what it keeps.
    fn span(&self) -> Span {
        let (closed, others) =
            (self.states.contains(&IncidentState::Closed), self.states.iter().any(|state| *state != IncidentState::Closed));
        match (self.states.is_empty(), closed, others) {
            (true, _, _) | (_, true, true) => Span::All,
            (_, true, false) => Span::Past,
            (_, false, _) => Span::Live,
        }
    }

    fn keeps(&self, incident: &Incident) -> bool {
        let id = incident.id.to_string();
        (self.states.is_empty() || self.states.contains(&incident.state))
            && (self.children == Switch::On || incident.parent.is_none())
            && (self.priorities.is_empty() || self.priorities.contains(&incident.priority))
            && (self.services.texts().is_empty() || incident.services.iter().any(|hit| self.services.has(&hit.id)))
            && self.cis.has(&incident.item)
            && self.owners.has(&incident.team)
            && self.rules.has(&incident.rule)
            && self.assignees.has(&incident.assignee)
            && self.text.is_in([incident.title.as_str(), &incident.item, &incident.resolution, &id])
    }
}
