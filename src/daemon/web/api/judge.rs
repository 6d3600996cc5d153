//! `/api/v1/unmatched`, `/api/v1/try`, `/api/v1/check`: what has no item, what would become of an alert, what a reload would find.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, Uri};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use watchkeeper_engine::event::World;
use watchkeeper_engine::ids::{AlertId, Realm};
use watchkeeper_engine::input::AlertInput;
use watchkeeper_engine::state::rows::AlertRow;
use watchkeeper_engine::text::Labels;
use watchkeeper_engine::trace::trace;

use super::paging::asked;
use crate::ingest::http::read_body;
use crate::ingest::json::{Moment, Pairs, of_serde, text};
use crate::ingest::senders::{Door, alertmanager_api};
use crate::view::{FindingsView, Page, PostableAlert, StepView, TrialView, TriedView, UnmatchedAlertView, UnmatchedView};
use crate::web::App;
use crate::web::describe::Parameter;
use crate::web::error::ApiError;

/// Alerts that are named for one unmatched value.
const EXAMPLES_MAX: usize = 5;

/// Orders of the list of unmatched values.
const SORTS: [&str; 1] = ["value"];

/// The order of that list.
pub(super) const SORT: [Parameter; 1] = [Parameter::sort(&SORTS)];

/// `GET /api/v1/unmatched`: values that no item has as id or alias, with what fires.
pub(super) async fn unmatched(State(app): State<App>, uri: Uri) -> Result<axum::Json<Page<UnmatchedView>>, ApiError> {
    let (_, paging) = asked(&uri, &SORT)?;
    let from = paging.after_key()?.map(|key| String::from_utf8_lossy(&key).into_owned()).unwrap_or_default();
    let (values, next) = {
        let published = app.current.load();
        let alerts = &published.board.alerts;
        let mut values = alerts.unmatched_from(&from);
        let found: Vec<(Arc<str>, Vec<AlertId>)> =
            values.by_ref().take(paging.limit).map(|value| (Arc::clone(&value), alerts.unmatched(&value).collect())).collect();
        (found, values.next())
    };
    let examples: Vec<AlertId> = values.iter().flat_map(|(_, alerts)| alerts.iter().take(EXAMPLES_MAX)).copied().collect();
    let rows: BTreeMap<AlertId, AlertRow> = app.records.alerts(examples).await?.into_iter().map(|row| (row.alert.id, row)).collect();
    let sources = app.records.sources().await?;
    let view = |(value, alerts): &(Arc<str>, Vec<AlertId>)| {
        let examples = alerts.iter().take(EXAMPLES_MAX).filter_map(|id| rows.get(id));
        UnmatchedView {
            value: value.to_string(),
            alerts: alerts.len() as u64,
            examples: examples.map(|row| UnmatchedAlertView::of(&row.alert, &sources)).collect(),
        }
    };
    Ok(paging.by_keys(values.iter().map(view).collect(), next.as_ref().map(|value| value.as_bytes())))
}

/// What may be tried.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only described: each kind is read by its own reader")]
pub(super) enum Tried {
    /// One as people write it.
    Named(Imagined),
    /// One as Prometheus sends it.
    Sent(PostableAlert),
    /// A list of the first kind.
    AllNamed(Vec<Imagined>),
    /// A list of the second kind.
    AllSent(Vec<PostableAlert>),
}

/// An alert as people write one: as in `fire` of a rule test.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
#[schemars(rename = "Fire")]
pub(super) struct Imagined {
    name: String,
    #[serde(default)]
    severity: String,
    #[serde(default)]
    summary: String,
    #[serde(default)]
    #[schemars(with = "std::collections::BTreeMap<String, String>")]
    labels: Pairs,
    #[serde(default)]
    #[schemars(with = "std::collections::BTreeMap<String, String>")]
    annotations: Pairs,
    #[serde(default)]
    source: String,
    #[serde(default)]
    realm: String,
    #[serde(default)]
    key: String,
    #[serde(default)]
    url: String,
    #[serde(default)]
    value: String,
    #[serde(default)]
    #[schemars(with = "Option<watchkeeper_engine::time::Time>")]
    starts_at: Moment,
}

/// `POST /api/v1/try`: the trace of an alert that has not happened. The body is one as in `fire` of a rule test, one as Prometheus sends it, or a list of those.
pub(super) async fn try_alert(State(app): State<App>, request: Request<Body>) -> Result<axum::Json<TrialView>, ApiError> {
    let body = read_body(request, app.config.limits.body_bytes, &app.bytes_in_flight).await?;
    let inputs = imagined(&body.bytes, &app.world())?;
    let mut traces = Vec::with_capacity(inputs.len());
    for input in inputs {
        let name = input.name.clone();
        let judgement = app.writer.ask(move |state, world, now| trace(state, world, &input, now)).await?;
        traces.push(TriedView { name, steps: StepView::all(&judgement.steps) });
    }
    Ok(axum::Json(TrialView { alerts: traces }))
}

/// Alerts that one request may try: each is a question to the writer.
const TRIED_MAX: usize = 100;

fn imagined(body: &[u8], world: &World) -> Result<Vec<AlertInput>, ApiError> {
    let text = text(body)?;
    let door = Door { source: "default", realm: &Realm::MAIN, severities: &world.policy.severities };
    let whole = text.trim_start();
    let parsed = if whole.starts_with('[') {
        if let Some(named) = all_named(whole) {
            let within = named.len() <= TRIED_MAX;
            let inputs = named.iter().take(TRIED_MAX).map(|one| Ok(fired(&one.to_string(), world)?.bounded()?));
            return if within { inputs.collect() } else { Err(too_many()) };
        }
        alertmanager_api::parse(&door, body)?
    } else if is_named(whole) {
        return Ok(vec![fired(text, world)?.bounded()?]);
    } else {
        alertmanager_api::parse(&door, format!("[{whole}]").as_bytes())?
    };
    let within = parsed.len() <= TRIED_MAX;
    let inputs = parsed.into_iter().map(|member| member.said).collect::<Result<Vec<AlertInput>, _>>()?;
    if within { Ok(inputs) } else { Err(too_many()) }
}

fn too_many() -> ApiError {
    ApiError::bad(format!("alerts: expected at most {TRIED_MAX} to try"))
}

/// The members of a list whose every member has a `name`, as in a test's `fire`.
fn all_named(text: &str) -> Option<Vec<Value>> {
    let list: Vec<Value> = serde_json::from_str(text).ok()?;
    let is_named =
        |value: &Value| value.get("name").is_some() && value.get("labels").is_none_or(|labels| labels.get("alertname").is_none());
    (!list.is_empty() && list.iter().all(is_named)).then_some(list)
}

fn is_named(text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|value| value.get("name").is_some())
}

fn fired(text: &str, world: &World) -> Result<AlertInput, ApiError> {
    let given: Imagined = serde_json::from_str(text).map_err(|error| {
        let fault = of_serde(&error, text, "an alert");
        ApiError::bad(format!("{}: {error}", fault.place)).with("place", fault.place)
    })?;
    let or = |text: String, default: &str| if text.is_empty() { default.to_owned() } else { text };
    let mut labels = given.labels.0;
    if !labels.iter().any(|(name, _)| name == "alertname") {
        labels.push(("alertname".to_owned(), given.name.clone()));
    }
    Ok(AlertInput {
        realm: Realm::from(or(given.realm, Realm::MAIN.name()).as_str()),
        source: or(given.source, "default"),
        key: given.key,
        severity: world.policy.severities.of(&given.severity),
        summary: given.summary,
        labels: Labels::new(labels),
        annotations: Labels::new(given.annotations.0),
        url: given.url,
        value: given.value,
        starts_at: given.starts_at.0,
        ..AlertInput::named("default", &given.name)
    })
}

/// `POST /api/v1/check`: reads rules, templates and CMDB as they are on disk and says what a reload would find.
pub(super) async fn check(State(app): State<App>) -> axum::Json<FindingsView> {
    let findings = match app.files.compare().await {
        Ok(comparison) => comparison.warnings,
        Err(findings) => findings,
    };
    axum::Json(findings.view())
}
