//! `/api/v2/alerts` and `/api/v2/alerts/groups`: what fires, as Alertmanager shows it.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State;
use axum::http::Uri;
use serde_json::{Value, json};

use watchkeeper_engine::expr::{AlertView, Matcher};
use watchkeeper_engine::model::alert::Alert;
use watchkeeper_engine::state::rows::AlertRow;
use watchkeeper_engine::text::{Because, Labels};
use watchkeeper_engine::time::Time;
use watchkeeper_engine::words::AlertState;

use super::{AmError, RECEIVER, fingerprint, flag, matchers, shown_time};
use crate::read::live::{self, AlertNow};
use crate::read::{Order, Span, Wanted};
use crate::web::App;
use crate::web::query::{Query, Switch};

/// Alerts that one answer lists; Alertmanager's API has no pages. The rest is left out, those with the highest ids.
const ALERTS_MAX: usize = 50_000;

/// `GET /api/v2/alerts`.
pub(super) async fn list(State(app): State<App>, uri: Uri) -> Result<axum::Json<Value>, AmError> {
    let shown = active(&app, &Query::tolerant(&uri)?).await?;
    Ok(axum::Json(Value::Array(shown.into_iter().map(|shown| shown.json).collect())))
}

/// `GET /api/v2/alerts/groups`: by alert name, as Alertmanager's example configuration groups. No group is muted: that is what its time intervals do.
pub(super) async fn groups(State(app): State<App>, uri: Uri) -> Result<axum::Json<Value>, AmError> {
    let query = Query::tolerant(&uri)?;
    let mut groups: BTreeMap<String, Vec<Shown>> = BTreeMap::new();
    for shown in active(&app, &query).await? {
        groups.entry(shown.labels.get("alertname").to_owned()).or_default().push(shown);
    }
    let group = |(name, mut alerts): (String, Vec<Shown>)| {
        alerts.sort_by(|a, b| order(&a.labels, &b.labels));
        let alerts: Vec<Value> = alerts.into_iter().map(|alert| alert.json).collect();
        json!({"labels": if name.is_empty() { json!({}) } else { json!({"alertname": name}) }, "routeLabels": {}, "receiver": {"name": RECEIVER}, "alerts": alerts})
    };
    Ok(axum::Json(Value::Array(groups.into_iter().map(group).collect())))
}

/// The order of alerts within a group, as Alertmanager has it: by `job`, then by `instance`, those without last; then those with fewer labels, and of as many by
/// the first label in which they differ, whoever lacks it first.
fn order(a: &Labels, b: &Labels) -> Ordering {
    let named = |name: &str| match (a.get(name), b.get(name)) {
        ("", "") => Ordering::Equal,
        ("", _) => Ordering::Greater,
        (_, "") => Ordering::Less,
        (a, b) => a.cmp(b),
    };
    let names: BTreeSet<&str> = a.iter().chain(b.iter()).map(|(name, _)| name).collect();
    let differs = || names.into_iter().map(|name| a.get(name).cmp(b.get(name))).find(|order| order.is_ne()).unwrap_or(Ordering::Equal);
    let rest = || a.len().cmp(&b.len()).then_with(differs);
    named("job").then_with(|| named("instance")).then_with(rest)
}

struct Shown {
    fingerprint: String,
    labels: Labels,
    json: Value,
}

/// What fires and passes the filters of a request, by fingerprint.
async fn active(app: &App, query: &Query) -> Result<Vec<Shown>, AmError> {
    let (with_active, with_silenced) = (flag(query, "active"), flag(query, "silenced"));
    let filter = matchers(query, "filter")?;
    if !shows_receiver(query)? {
        return Ok(Vec::new());
    }
    let mut rows: Vec<AlertRow> = Vec::new();
    let mut from = None;
    loop {
        let filter = filter.clone();
        let keep = move |row: &AlertRow| {
            let alert = &row.alert;
            let wanted = if is_muted(alert) { with_silenced } else { with_active };
            alert.is_active() && wanted == Switch::On && filter.iter().all(|matcher| matcher.holds_as_shown(&view(alert)))
        };
        let limit = ALERTS_MAX - rows.len();
        let page = app.records.list(Wanted { span: Span::Live, order: Order::OldestFirst, from, limit }, keep).await?;
        rows.extend(page.items);
        from = page.next;
        if from.is_none() || rows.len() >= ALERTS_MAX {
            break;
        }
    }
    let ids: Vec<_> = rows.iter().map(|row| row.alert.id).collect();
    let now = live::vitals(&app.writer, &ids).await?;
    let uuids = app.current.load().board.silence_uuids();
    // What cleared between the two is no longer listed.
    let mut shown: Vec<Shown> = rows.iter().filter_map(|row| Some(shown(&row.alert, now.get(&row.alert.id)?, &uuids))).collect();
    shown.sort_by(|a, b| a.fingerprint.cmp(&b.fingerprint));
    Ok(shown)
}

fn shown(alert: &Alert, now: &AlertNow, uuids: &BTreeMap<String, String>) -> Shown {
    let labels = labels(alert);
    let said = now.vitals.said.as_ref().unwrap_or(&alert.said);
    let silenced_by: Vec<&str> =
        alert
            .muted_by
            .iter()
            .filter_map(|because| {
                if let Because::Silenced { by, .. } = because { Some(uuids.get(by).map_or(by.as_str(), String::as_str)) } else { None }
            })
            .collect();
    let fingerprint = fingerprint::of(&identity(alert));
    let mut json = json!({
        "annotations": pairs(&said.annotations),
        "endsAt": shown_time(now.ends_at),
        "fingerprint": fingerprint,
        "labels": pairs(&labels),
        "receivers": [{"name": RECEIVER}],
        "startsAt": shown_time(started_at(alert, now)),
        "status": {
            "inhibitedBy": [],
            "mutedBy": [],
            "silencedBy": silenced_by,
            "state": if is_muted(alert) { "suppressed" } else { "active" },
        },
        "updatedAt": now.vitals.last_seen.rfc3339(),
    });
    if !said.url.is_empty() {
        json["generatorURL"] = said.url.clone().into();
    }
    Shown { fingerprint, labels, json }
}

/// Since when it fires by what its sources said, merged: what counts as its beginning elsewhere stays what it was when it was first heard.
fn started_at(alert: &Alert, now: &AlertNow) -> Time {
    let fires = now.vitals.sources.iter().filter(|says| says.ends_at >= now.ends_at);
    fires.map(|says| says.starts_at).min().unwrap_or(alert.started_at)
}

fn is_muted(alert: &Alert) -> bool {
    alert.state == AlertState::Suppressed
}

/// The labels as sent; an alert that its sender names by a key has its name, too.
fn labels(alert: &Alert) -> Labels {
    if alert.key.is_empty() || alert.labels.has("alertname") {
        return alert.labels.clone();
    }
    let own = alert.labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    Labels::new(own.chain([("alertname".to_owned(), alert.name.clone())]))
}

/// What the shown hash is of: the labels, and the sender's key where it has one.
pub(crate) fn identity(alert: &Alert) -> Labels {
    let labels = labels(alert);
    if alert.key.is_empty() {
        return labels;
    }
    let own = labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    Labels::new(own.chain([("__key__".to_owned(), alert.key.clone())]))
}

fn view(alert: &Alert) -> AlertView<'_> {
    AlertView { name: &alert.name, key: &alert.key, labels: &alert.labels, ..AlertView::default() }
}

fn shows_receiver(query: &Query) -> Result<bool, AmError> {
    let receiver = Labels::from([("receiver", RECEIVER)]);
    let view = AlertView { labels: &receiver, ..AlertView::default() };
    let named = match query.get("receiver") {
        None => true,
        Some(pattern) => Matcher::new("receiver", pattern, true, true)
            .map_err(|fault| AmError::bad(format!("bad receiver {pattern:?}: {}", fault.message)))?
            .holds(&view),
    };
    let labels = Labels::from([("name", RECEIVER)]);
    let view = AlertView { labels: &labels, ..AlertView::default() };
    let labelled = matchers(query, "receiver_matchers")?.iter().all(|matcher| matcher.holds_as_shown(&view));
    Ok(named && labelled)
}

fn pairs(labels: &Labels) -> Value {
    Value::Object(labels.iter().map(|(name, value)| (name.to_owned(), Value::String(value.to_owned()))).collect())
}
