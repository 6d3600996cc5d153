//! `/api/v1/incidents`: lists and records.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;
use serde_json::{Value, json};

use watchkeeper_engine::ids::IncidentId;
use watchkeeper_engine::model::alert::CiRef;
use watchkeeper_engine::model::incident::{Incident, Member};
use watchkeeper_engine::time::Time;
use watchkeeper_engine::trace;
use watchkeeper_engine::words::{IncidentState, Priority, Role};

use super::paging::{LIST, Paging, split};
use super::{alerts, no_id, record, sla, text_or_null, time, time_or_null};
use crate::board::Sought;
use crate::read::live::{self, IncidentNow};
use crate::read::{Among, Order, Span, Wanted, WholeIncident};
use crate::web::App;
use crate::web::error::ApiError;
use crate::web::query::{Query, Switch, unknown};

/// Orders of the list.
const SORTS: [&str; 6] = ["-opened_at", "opened_at", "priority", "-priority", "-updated_at", "updated_at"];

/// Words of `state`: those of incidents, and two that mean several.
const STATES: [&str; 8] = ["open", "all", "new", "acknowledged", "in_progress", "on_hold", "resolved", "closed"];

/// Parameters of the filters.
pub(super) const FILTERS: [&str; 9] = ["state", "priority", "service", "ci", "owner", "rule", "assignee", "children", "q"];

/// Filters of the list.
pub(super) struct Filter {
    states: Vec<IncidentState>,
    children: Switch,
    priorities: Vec<Priority>,
    services: Vec<String>,
    items: Vec<String>,
    owners: Vec<String>,
    rules: Vec<String>,
    assignees: Vec<String>,
    text: String,
}

/// `GET /api/v1/incidents`.
pub(super) async fn list(State(app): State<App>, uri: Uri) -> Result<axum::Json<Value>, ApiError> {
    let query = Query::of(&uri, &[&LIST[..], &FILTERS].concat())?;
    let paging = Paging::of(&query, &SORTS)?;
    let filter = Filter::of(&query)?;
    let (span, among) = (filter.span(), filter.among(&app));
    let keep = move |incident: &Incident| filter.keeps(incident);
    if matches!(paging.sort, "-opened_at" | "opened_at") {
        let wanted = Wanted { span, order: paging.order(), from: paging.first_id()?, limit: paging.limit };
        let (incidents, next) = split(app.records.list_among(wanted, among, keep).await?);
        return Ok(axum::Json(paging.by_ids(items(&app, &incidents).await?, next)));
    }
    let sort = paging.sort;
    let key = move |incident: &Incident| key_of(sort, incident);
    let (incidents, next) = split(app.records.sorted_among(span, among, (paging.after_key()?, paging.limit), keep, key).await?);
    Ok(axum::Json(paging.by_keys(items(&app, &incidents).await?, next.as_deref())))
}

/// The ids of all incidents that a filter keeps, oldest first, at most `limit`.
pub(super) async fn matching(app: &App, filter: Filter, limit: usize) -> Result<Vec<IncidentId>, ApiError> {
    let filter = Arc::new(filter);
    let (mut ids, mut from) = (Vec::new(), None);
    loop {
        let kept = Arc::clone(&filter);
        let wanted = Wanted { span: filter.span(), order: Order::OldestFirst, from, limit: limit - ids.len() };
        let page = app.records.list_among(wanted, filter.among(app), move |incident: &Incident| kept.keeps(incident)).await?;
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
    Ok(record(whole.incident.version, json_of(&app, &whole).await?))
}

/// `GET /api/v1/incidents/ID/explain`: why it is what it is and what comes next by itself; of one that is closed, its timeline.
pub(super) async fn explain(State(app): State<App>, Path(id): Path<String>, uri: Uri) -> Result<axum::Json<Value>, ApiError> {
    Query::of(&uri, &[])?;
    let whole = whole(&app, &id).await?;
    let number = whole.incident.id;
    let lives = app.writer.ask(move |state, world, now| trace::explain_incident(state, world, number, now)).await?;
    let steps = lives.map_or_else(
        || whole.timeline.iter().map(|entry| json!({"at": time(entry.at), "what": entry.actor, "outcome": entry.what, "because": text_or_null(&entry.because)})).collect(),
        |trace| alerts::steps(&trace.steps),
    );
    let now = live::incidents(&app.current, vec![number]).remove(&number).unwrap_or_default();
    let incident = with_clocks(&app, item(&app, &whole.incident, &now), &whole.incident).await?;
    Ok(axum::Json(json!({"incident": incident, "steps": steps})))
}

/// An incident by the id of a path.
pub(in crate::web) async fn whole(app: &App, id: &str) -> Result<WholeIncident, ApiError> {
    let number: IncidentId = id.parse().map_err(|_| no_id("incident", id))?;
    app.records.incident(number).await?.ok_or_else(|| no_id("incident", id))
}

/// An incident with its alerts and its timeline.
pub(super) async fn json_of(app: &App, whole: &WholeIncident) -> Result<Value, ApiError> {
    let incident = &whole.incident;
    let now = live::incidents(&app.current, vec![incident.id]).remove(&incident.id).unwrap_or_default();
    let symptoms = whole.members.iter().filter(|member| member.left_at.is_none() && member.role == Role::Symptom).count();
    let mut json = with_clocks(app, item(app, incident, &IncidentNow { symptoms, ..now }), incident).await?;
    let present: Vec<&Member> = whole.members.iter().collect();
    let rows = app.records.alerts(present.iter().map(|member| member.alert).collect()).await?;
    let alerts = alerts::items(app, &rows).await?;
    let members: Vec<Value> = present.iter().map(|member| member_json(member, &alerts)).collect();
    let timeline: Vec<Value> = whole
        .timeline
        .iter()
        .map(|entry| json!({"at": time(entry.at), "what": entry.what, "because": text_or_null(&entry.because), "actor": entry.actor}))
        .collect();
    if let Value::Object(fields) = &mut json {
        fields.insert("alerts".to_owned(), Value::Array(members));
        fields.insert("timeline".to_owned(), Value::Array(timeline));
        fields.insert("timeline_total".to_owned(), incident.timeline_len.into());
        let told: Vec<Value> = incident
            .told
            .iter()
            .map(|told| json!({"address": told.address, "reason": told.reason.word(), "at": time(told.at), "rule": told.rule}))
            .collect();
        fields.insert("told".to_owned(), Value::Array(told));
    }
    Ok(json)
}

fn member_json(member: &Member, alerts: &[Value]) -> Value {
    let id = member.alert.to_string();
    let known = alerts.iter().find(|alert| alert["id"] == id.as_str()).cloned();
    let mut json = known.unwrap_or_else(|| json!({"id": id, "name": member.name, "ci": member.item, "state": "cleared"}));
    if let Value::Object(fields) = &mut json {
        fields.insert("role".to_owned(), member.role.word().into());
        fields.insert("joined_at".to_owned(), time(member.joined_at));
        fields.insert("left_at".to_owned(), time_or_null(member.left_at));
        fields.insert("because".to_owned(), member.because.to_string().into());
    }
    json
}

async fn items(app: &App, incidents: &[Incident]) -> Result<Vec<Value>, ApiError> {
    let ids: Vec<IncidentId> = incidents.iter().map(|incident| incident.id).collect();
    let now = live::incidents(&app.current, ids);
    let nothing = IncidentNow::default();
    let terms = app.records.terms(incidents).await?;
    let at = if terms.is_empty() { Time::default() } else { app.now() };
    let one = |incident| {
        let mut json = item(app, incident, now.get(&incident.id).unwrap_or(&nothing));
        json["sla"] = sla::promises(incident, &terms, at);
        json
    };
    Ok(incidents.iter().map(one).collect())
}

/// An incident's item with where its promises stand.
async fn with_clocks(app: &App, mut json: Value, incident: &Incident) -> Result<Value, ApiError> {
    let terms = app.records.terms(std::slice::from_ref(incident)).await?;
    if !terms.is_empty() {
        json["sla"] = sla::promises(incident, &terms, app.now());
    }
    Ok(json)
}

fn item(app: &App, incident: &Incident, now: &IncidentNow) -> Value {
    let services: Vec<Value> =
        incident.services.iter().map(|hit| json!({"id": hit.id, "tier": text_or_null(&hit.tier), "health": hit.health.word()})).collect();
    let cause =
        incident.cause.map(|alert| json!({"alert": alert.to_string(), "ci": incident.item, "because": incident.because.to_string()}));
    let hold =
        (!incident.hold_reason.is_empty()).then(|| json!({"reason": incident.hold_reason, "until": time_or_null(incident.hold_until)}));
    json!({
        "id": incident.id.to_string(),
        "version": incident.version,
        "state": incident.state.word(),
        "priority": incident.priority.word(),
        "priority_by_hand": incident.priority_by_hand,
        "impact": incident.impact.word(),
        "urgency": incident.urgency.word(),
        "title": incident.title,
        "realm": incident.realm,
        "ci": incident.item,
        "ci_known": matches!(incident.ci, CiRef::Known(_)),
        "services": services,
        "team": text_or_null(&incident.team),
        "assignee": text_or_null(&incident.assignee),
        "rule": incident.rule,
        "group": incident.group,
        "because": incident.because.to_string(),
        "parent": incident.parent.map(|id| id.to_string()),
        "children": now.children.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "recurrence_of": incident.recurrence_of.map(|id| id.to_string()),
        "cause": cause,
        "symptoms": now.symptoms,
        "alert_count": incident.alert_count,
        "muted": incident.muted,
        "major": false,
        "reopened": incident.reopened,
        "hold": hold,
        "problem": incident.problem.map(|id| id.to_string()),
        "runbook": text_or_null(&incident.runbook),
        "began_at": time(incident.began_at),
        "opened_at": time(incident.opened_at),
        "acknowledged_at": time_or_null(incident.acknowledged_at),
        "resolved_at": time_or_null(incident.resolved_at),
        "resolved_by": text_or_null(&incident.resolved_by),
        "resolution": text_or_null(&incident.resolution),
        "closed_at": time_or_null(incident.closed_at),
        "updated_at": time(incident.updated_at),
        "url": app.incident_url(incident.id),
        "sla": [],
    })
}

/// Bytes that sort as the order says; the newest id first among equals.
fn key_of(sort: &str, incident: &Incident) -> Vec<u8> {
    let (what, descending) = sort.strip_prefix('-').map_or((sort, false), |what| (what, true));
    let value = match what {
        "priority" => incident.priority as u64,
        _ => u64::try_from(incident.updated_at.0).unwrap_or(0),
    };
    let value = if descending { !value } else { value };
    [value.to_be_bytes(), (!incident.id.0).to_be_bytes()].concat()
}

impl Filter {
    pub(super) fn of(query: &Query) -> Result<Filter, ApiError> {
        let mut states = Vec::new();
        for word in query.all("state") {
            match (word, IncidentState::from_word(word)) {
                ("open", _) => states.extend(IncidentState::ALL.iter().copied().filter(|state| state.is_open())),
                ("all", _) => states.extend(IncidentState::ALL),
                (_, Some(state)) => states.push(state),
                (_, None) => return Err(unknown("value of state", word, &STATES)),
            }
        }
        let texts = |name| query.all(name).map(str::to_lowercase).collect();
        Ok(Filter {
            states,
            children: query.flag("children", Switch::Off)?,
            priorities: query.words("priority", Priority::WORDS, Priority::from_word)?,
            services: texts("service"),
            items: texts("ci"),
            owners: texts("owner"),
            rules: texts("rule"),
            assignees: texts("assignee"),
            text: query.get("q").unwrap_or_default().to_lowercase(),
        })
    }

    /// Which of what lives come into question.
    fn among(&self, app: &App) -> Among {
        let sought = Sought { states: &self.states, owners: &self.owners, services: &self.services, items: &self.items, text: &self.text };
        app.current.load().board.incidents.candidates(sought)
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
        let among = |wanted: &[String], value: &str| wanted.is_empty() || wanted.contains(&value.to_lowercase());
        let says = |text: &str| text.to_lowercase().contains(&self.text);
        (self.states.is_empty() || self.states.contains(&incident.state))
            && (self.children == Switch::On || incident.parent.is_none())
            && (self.priorities.is_empty() || self.priorities.contains(&incident.priority))
            && (self.services.is_empty() || incident.services.iter().any(|hit| self.services.contains(&hit.id.to_lowercase())))
            && among(&self.items, &incident.item)
            && among(&self.owners, &incident.team)
            && among(&self.rules, &incident.rule)
            && among(&self.assignees, &incident.assignee)
            && (self.text.is_empty()
                || says(&incident.title)
                || says(&incident.item)
                || says(&incident.resolution)
                || says(&incident.id.to_string()))
    }
}
