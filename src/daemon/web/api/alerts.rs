//! `/api/v1/alerts`: lists, records, and why an alert is what it is.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;
use serde_json::{Value, json};

use watchkeeper_engine::event::World;
use watchkeeper_engine::ids::AlertId;
use watchkeeper_engine::model::alert::Judged;
use watchkeeper_engine::sight::item_name;
use watchkeeper_engine::state::rows::AlertRow;
use watchkeeper_engine::trace;
use watchkeeper_engine::words::{AlertState, Severity};

use super::paging::{LIST, Paging, split};
use super::{no_id, pairs, record, text_or_null, time, time_or_null};
use crate::read::live::{self, AlertNow};
use crate::read::{Span, Wanted};
use crate::web::App;
use crate::web::alertmanager::{fingerprint, shown_identity};
use crate::web::error::ApiError;
use crate::web::query::{Query, unknown};

/// Orders of the list.
const SORTS: [&str; 2] = ["-first_seen", "first_seen"];

/// Words of `state`: those of alerts, and two that mean several.
const STATES: [&str; 7] = ["active", "all", "pending", "firing", "suppressed", "recorded", "cleared"];

/// `GET /api/v1/alerts`.
pub(super) async fn list(State(app): State<App>, uri: Uri) -> Result<axum::Json<Value>, ApiError> {
    let known = [&LIST[..], &["state", "severity", "source", "name", "ci", "incident", "rule", "q"]].concat();
    let query = Query::of(&uri, &known)?;
    let paging = Paging::of(&query, &SORTS)?;
    let mut states: Vec<AlertState> = Vec::new();
    for word in query.all("state") {
        match (word, AlertState::from_word(word)) {
            ("active", _) => states.extend(AlertState::ALL.iter().filter(|state| **state != AlertState::Cleared)),
            ("all", _) => states.extend(AlertState::ALL),
            (_, Some(state)) => states.push(state),
            (_, None) => return Err(unknown("value of state", word, &STATES)),
        }
    }
    let severities = query.words("severity", Severity::WORDS, Severity::from_word)?;
    let texts = |name| query.all(name).map(str::to_lowercase).collect::<Vec<_>>();
    let (sources, names, items_wanted, rules) = (texts("source"), texts("name"), texts("ci"), texts("rule"));
    let incidents = query.words("incident", &["INC0000042"], |text| text.parse().ok())?;
    let words = query.get("q").unwrap_or_default().to_lowercase();
    let source_names = app.records.sources().await?;
    let world = app.world();
    // What only fires is never past.
    let span = if states.is_empty() || states.contains(&AlertState::Cleared) { Span::All } else { Span::Live };
    let keep = move |row: &AlertRow| {
        let alert = &row.alert;
        let among = |wanted: &[String], value: &str| wanted.is_empty() || wanted.contains(&value.to_lowercase());
        let source = source_names.get(usize::from(alert.source.0)).map_or("", String::as_str);
        let says = |text: &str| text.to_lowercase().contains(&words);
        (states.is_empty() || states.contains(&alert.state))
            && (severities.is_empty() || severities.contains(&alert.severity))
            && among(&sources, source)
            && among(&names, &alert.name)
            && among(&rules, &alert.rule)
            && among(&items_wanted, item_name(&world, &alert.ci))
            && (incidents.is_empty() || alert.incident.is_some_and(|incident| incidents.contains(&incident)))
            && (words.is_empty() || says(&alert.name) || says(&alert.said.summary) || alert.labels.iter().any(|(_, value)| says(value)))
    };
    let wanted = Wanted { span, order: paging.order(), from: paging.first_id()?, limit: paging.limit };
    let (rows, next) = split(app.records.list(wanted, keep).await?);
    Ok(axum::Json(paging.by_ids(items(&app, &rows).await?, next)))
}

/// `GET /api/v1/alerts/ID`.
pub(super) async fn show(State(app): State<App>, Path(id): Path<String>, uri: Uri) -> Result<Response, ApiError> {
    Query::of(&uri, &[])?;
    let row = row(&app, &id).await?;
    let item = items(&app, std::slice::from_ref(&row)).await?.swap_remove(0);
    Ok(record(row.alert.version, item))
}

/// `GET /api/v1/alerts/ID/explain`: the last judgement step by step, what holds now, and how it is attached.
pub(super) async fn explain(State(app): State<App>, Path(id): Path<String>, uri: Uri) -> Result<axum::Json<Value>, ApiError> {
    Query::of(&uri, &[])?;
    let row = row(&app, &id).await?;
    let attached = match row.alert.incident {
        None => Value::Null,
        Some(incident) => match app.records.incident(incident).await? {
            None => json!({"incident": incident.to_string()}),
            Some(whole) => {
                let member = whole.members.iter().find(|member| member.alert == row.alert.id);
                json!({
                    "incident": incident.to_string(),
                    "title": whole.incident.title,
                    "state": whole.incident.state.word(),
                    "parent": whole.incident.parent.map(|id| id.to_string()),
                    "role": member.map_or(row.alert.role, |member| member.role).word(),
                    "since": time_or_null(member.map(|member| member.joined_at)),
                    "because": member.map(|member| member.because.to_string()),
                })
            }
        },
    };
    let item = items(&app, std::slice::from_ref(&row)).await?.swap_remove(0);
    let id = row.alert.id;
    let lives = app.writer.ask(move |state, world, now| trace::explain(state, world, id, now)).await?;
    // Of one that is past its last judgement is what is left.
    let judged = lives.map_or(row.alert.judgement, |trace| trace.steps);
    Ok(axum::Json(json!({"alert": item, "steps": steps(&judged), "attached": attached})))
}

/// The steps of a judgement.
pub(super) fn steps(judgement: &[Judged]) -> Vec<Value> {
    let step =
        |step: &Judged| json!({"at": time(step.at), "what": step.what, "outcome": step.outcome, "because": text_or_null(&step.because)});
    judgement.iter().map(step).collect()
}

/// Alerts as lists show them, with what only the writer knows.
pub(super) async fn items(app: &App, rows: &[AlertRow]) -> Result<Vec<Value>, ApiError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<AlertId> = rows.iter().map(|row| row.alert.id).collect();
    let now: BTreeMap<AlertId, AlertNow> = live::vitals(&app.writer, &ids).await?;
    let sources = app.records.sources().await?;
    let world = app.world();
    Ok(rows.iter().map(|row| item(&world, &sources, row, now.get(&row.alert.id))).collect())
}

fn item(world: &World, sources: &[String], row: &AlertRow, now: Option<&AlertNow>) -> Value {
    let alert = &row.alert;
    let vitals = now.map_or(&row.vitals, |now| &now.vitals);
    let said = vitals.said.as_ref().unwrap_or(&alert.said);
    let source = |no: u16| sources.get(usize::from(no)).map_or("", String::as_str).to_owned();
    let ends_at = now.map(|now| now.ends_at).or(alert.cleared_at);
    let says: Vec<Value> = vitals
        .sources
        .iter()
        .map(|says| {
            json!({
                "source": source(says.source.0),
                "starts_at": time(says.starts_at),
                "ends_at": time(says.ends_at),
                "ends_by_timeout": says.timeout,
                "updated_at": time(says.updated_at),
            })
        })
        .collect();
    json!({
        "id": alert.id.to_string(),
        "version": alert.version,
        "fingerprint": fingerprint::of(&shown_identity(alert)),
        "realm": alert.realm,
        "source": source(alert.source.0),
        "sources": says,
        "key": text_or_null(&alert.key),
        "name": alert.name,
        "severity": alert.severity.word(),
        "state": alert.state.word(),
        "summary": said.summary,
        "labels": pairs(&alert.labels),
        "annotations": pairs(&said.annotations),
        "url": text_or_null(&said.url),
        "value": text_or_null(&said.value),
        "ci": item_name(world, &alert.ci),
        "ci_known": alert.ci.known().is_some(),
        "rule": text_or_null(&alert.rule),
        "means": alert.means.word(),
        "urgency": alert.urgency.word(),
        "incident": alert.incident.map(|id| id.to_string()),
        "role": alert.incident.map(|_| alert.role.word()),
        "count": vitals.count,
        "occurrence": alert.occurrence,
        "first_seen": time(alert.first_seen),
        "last_seen": time(vitals.last_seen),
        "starts_at": time(alert.started_at),
        "ends_at": time_or_null(ends_at),
        "cleared_at": time_or_null(alert.cleared_at),
        "muted_by": alert.muted_by.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

async fn row(app: &App, id: &str) -> Result<AlertRow, ApiError> {
    let number: AlertId = id.parse().map_err(|_| no_id("alert", id))?;
    app.records.alert(number).await?.ok_or_else(|| no_id("alert", id))
}
