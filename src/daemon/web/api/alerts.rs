//! `/api/v1/alerts`: lists, records, and why an alert is what it is.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;

use watchkeeper_engine::ids::{AlertId, IncidentId};
use watchkeeper_engine::model::alert::CiRef;
use watchkeeper_engine::sight::item_name;
use watchkeeper_engine::state::past::{By, Of, ci_value};
use watchkeeper_engine::state::rows::AlertRow;
use watchkeeper_engine::trace;
use watchkeeper_engine::words::{AlertState, Severity};

use super::paging::{asked, split};
use super::{no_id, record};
use crate::read::live::{self, AlertNow};
use crate::read::{Candidates, Sieve, Span, Wanted, WholeIncident};
use crate::view::{self, AlertExplained, AlertView, AttachedView, StepView};
use crate::web::App;
use crate::web::alertmanager::{fingerprint, shown_identity};
use crate::web::describe::Parameter;
use crate::web::error::ApiError;
use crate::web::query::Query;

/// Orders of the list.
const SORTS: [&str; 2] = ["-first_seen", "first_seen"];

/// Words of `state`: those of alerts, and two that mean several.
const STATES: [&str; 7] = ["active", "all", "pending", "firing", "suppressed", "recorded", "cleared"];

/// Parameters of the list.
pub(super) const PARAMETERS: [Parameter; 9] = [
    Parameter::sort(&SORTS),
    Parameter::words("state", "`active` means all but cleared; every state unless given.", &STATES),
    Parameter::words("severity", "Severities.", Severity::WORDS),
    Parameter::texts("source", "Sources."),
    Parameter::texts("name", "Names."),
    Parameter::texts("ci", "CIs."),
    Parameter::texts("incident", "Incidents."),
    Parameter::texts("rule", "Correlate rules."),
    Parameter::text("q", "A part of the name, summary or a label's value."),
];

/// `GET /api/v1/alerts`.
pub(super) async fn list(State(app): State<App>, uri: Uri) -> Result<axum::Json<view::Page<AlertView>>, ApiError> {
    let (query, paging) = asked(&uri, &PARAMETERS)?;
    let states = query.states(&STATES, AlertState::ALL, ("active", |state| state != AlertState::Cleared))?;
    let severities = query.words("severity", Severity::WORDS, Severity::from_word)?;
    let (sources, alert_names, cis, rules) = (query.any_of("source"), query.any_of("name"), query.any_of("ci"), query.any_of("rule"));
    let incidents = query.words("incident", &["INC0000042"], |text| text.parse::<IncidentId>().ok())?;
    let sought = query.sought();
    let source_names = app.records.sources().await?;
    let world = app.world();
    // What only fires is never past.
    let span = if states.is_empty() || states.contains(&AlertState::Cleared) { Span::All } else { Span::Live };
    // A known CI stands under its number, because its id may be another one by now.
    let known = cis.each().filter_map(|ci| Some(ci_value(&CiRef::Known(world.cmdb.find_exact(ci)?))));
    let on: Vec<String> = cis.each().map(str::to_owned).chain(known).collect();
    let sieve = Sieve::default().members(&incidents);
    let past = sieve.clone().any(Of::Alerts, By::Ci, on.iter().map(String::as_str));
    let keep = move |row: &AlertRow| {
        let alert = &row.alert;
        let source = source_names.get(usize::from(alert.source.0)).map_or("", String::as_str);
        let texts = [alert.name.as_str(), &alert.said.summary].into_iter().chain(alert.labels.iter().map(|(_, value)| value));
        (states.is_empty() || states.contains(&alert.state))
            && (severities.is_empty() || severities.contains(&alert.severity))
            && sources.has(source)
            && alert_names.has(&alert.name)
            && rules.has(&alert.rule)
            && cis.has(item_name(&world, &alert.ci))
            && (incidents.is_empty() || alert.incident.is_some_and(|incident| incidents.contains(&incident)))
            && sought.is_in(texts)
    };
    let wanted = Wanted { span, order: paging.order(), from: paging.from()?, limit: paging.limit };
    let (rows, next) = split(app.records.list_among(wanted, Candidates { among: None, live: sieve, past }, keep).await?);
    Ok(paging.by_time(items(&app, &rows).await?, next))
}

/// `GET /api/v1/alerts/ID`.
pub(super) async fn show(State(app): State<App>, Path(id): Path<String>, uri: Uri) -> Result<Response, ApiError> {
    Query::of(&uri, &[])?;
    let row = row(&app, &id).await?;
    let item = items(&app, std::slice::from_ref(&row)).await?.swap_remove(0);
    Ok(record(row.alert.version, &item))
}

/// `GET /api/v1/alerts/ID/explain`: the last judgement step by step, what holds now, and how it is attached.
pub(super) async fn explain(State(app): State<App>, Path(id): Path<String>, uri: Uri) -> Result<axum::Json<AlertExplained>, ApiError> {
    Query::of(&uri, &[])?;
    let row = row(&app, &id).await?;
    let attached = match row.alert.incident {
        None => None,
        Some(incident) => Some(attached(&row, incident, app.records.incident(incident).await?.as_ref())),
    };
    let alert = items(&app, std::slice::from_ref(&row)).await?.swap_remove(0);
    let id = row.alert.id;
    let lives = app.writer.ask(move |state, world, now| trace::explain(state, world, id, now)).await?;
    // Of one that is past its last judgement is what is left.
    let judged = lives.map_or(row.alert.judgement, |trace| trace.steps);
    Ok(axum::Json(AlertExplained { alert, steps: StepView::all(&judged), attached }))
}

fn attached(row: &AlertRow, incident: IncidentId, whole: Option<&WholeIncident>) -> AttachedView {
    let member = whole.and_then(|whole| whole.members.iter().find(|member| member.alert == row.alert.id));
    AttachedView {
        incident,
        title: whole.map(|whole| whole.incident.title.clone()),
        state: whole.map(|whole| whole.incident.state),
        parent: whole.and_then(|whole| whole.incident.parent),
        role: whole.map(|_| member.map_or(row.alert.role, |member| member.role)),
        since: member.map(|member| member.joined_at),
        because: member.map(|member| member.because.to_string()),
    }
}

/// Alerts as lists show them, with what only the writer knows.
pub(super) async fn items(app: &App, rows: &[AlertRow]) -> Result<Vec<AlertView>, ApiError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<AlertId> = rows.iter().map(|row| row.alert.id).collect();
    let now: BTreeMap<AlertId, AlertNow> = live::vitals(&app.writer, &ids).await?;
    let sources = app.records.sources().await?;
    let world = app.world();
    let view = |row: &AlertRow| AlertView::of(&world, &sources, row, now.get(&row.alert.id), fingerprint::of(&shown_identity(&row.alert)));
    Ok(rows.iter().map(view).collect())
}

async fn row(app: &App, id: &str) -> Result<AlertRow, ApiError> {
    let number: AlertId = id.parse().map_err(|_| no_id("alert", id))?;
    app.records.alert(number).await?.ok_or_else(|| no_id("alert", id))
}
