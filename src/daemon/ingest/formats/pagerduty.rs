//! PagerDuty's Events API v2: one event a request, known by its sender's `dedup_key`.
//!
//! A triggered alert fires until it is resolved: these senders say each once.

use serde::Deserialize;
use serde_json::{Map, Value};
use watchkeeper_engine::input::{AlertInput, Refused};
use watchkeeper_engine::text::{Labels, cut};
use watchkeeper_engine::time::Time;

use super::{Door, UNNAMED};
use crate::ingest::json::{moment, of_serde, refused, text};

/// Characters of a `dedup_key`: PagerDuty's own bound.
const KEY_CHARS_MAX: usize = 255;
/// Words of `severity`.
const SEVERITIES: [&str; 4] = ["critical", "error", "warning", "info"];

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What its sender shows as its secret.
    pub routing_key: String,
    /// Which alert it is about; empty where a trigger names none, and the receiver invents one.
    pub dedup_key: String,
    /// What happened.
    pub action: Action,
}

/// What happened to an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// It fires.
    Trigger(Box<AlertInput>),
    /// Somebody has it.
    Acknowledge,
    /// It is over.
    Resolve,
}

#[derive(Deserialize)]
struct Posted {
    #[serde(default)]
    routing_key: String,
    #[serde(default)]
    event_action: String,
    #[serde(default)]
    dedup_key: Option<String>,
    #[serde(default)]
    payload: Option<Payload>,
    #[serde(default)]
    client: Option<String>,
    #[serde(default)]
    client_url: Option<String>,
    #[serde(default)]
    links: Option<Vec<Link>>,
}

#[derive(Deserialize)]
struct Payload {
    #[serde(default)]
    summary: String,
    #[serde(default)]
    source: String,
    #[serde(default)]
    severity: String,
    #[serde(default)]
    timestamp: Value,
    #[serde(default)]
    component: Option<String>,
    #[serde(default)]
    group: Option<String>,
    #[serde(default)]
    class: Option<String>,
    #[serde(default)]
    custom_details: Value,
}

#[derive(Deserialize)]
struct Link {
    #[serde(default)]
    href: String,
}

/// Reads one event: every fault of it.
///
/// # Errors
/// It is none, or beyond a bound.
pub fn parse(door: &Door<'_>, body: &[u8]) -> Result<Event, Vec<Refused>> {
    let text = text(body).map_err(|fault| vec![fault])?;
    let posted: Posted = serde_json::from_str(text)
        .map_err(|error| vec![of_serde(&error, text, "an event: an object with routing_key and event_action")])?;
    let mut faults = Vec::new();
    if posted.routing_key.is_empty() {
        faults.push(refused("routing_key", "a text: a token of this source"));
    }
    let dedup_key = posted.dedup_key.clone().unwrap_or_default();
    if dedup_key.chars().count() > KEY_CHARS_MAX {
        faults.push(refused("dedup_key", format!("at most {KEY_CHARS_MAX} characters")));
    }
    let action = match posted.event_action.as_str() {
        "trigger" => posted.payload.as_ref().map_or_else(
            || Err(vec![refused("payload", "an object: a trigger needs it")]),
            |payload| trigger(door, &posted, payload).map(|input| Action::Trigger(Box::new(input))),
        ),
        "acknowledge" | "resolve" if dedup_key.is_empty() => Err(vec![refused("dedup_key", "a text: it says which alert is meant")]),
        "acknowledge" => Ok(Action::Acknowledge),
        "resolve" => Ok(Action::Resolve),
        other => Err(vec![refused("event_action", format!("trigger, acknowledge or resolve, this is {:?}", cut(other, 40)))]),
    };
    match action {
        Ok(action) if faults.is_empty() => Ok(Event { routing_key: posted.routing_key, dedup_key, action }),
        Ok(_) => Err(faults),
        Err(further) => Err(faults.into_iter().chain(further).collect()),
    }
}

/// The end of the alert that `key` names.
pub fn resolved(door: &Door<'_>, key: &str) -> AlertInput {
    let mut input = AlertInput::named(door.source, UNNAMED);
    door.realm.clone_into(&mut input.realm);
    key.clone_into(&mut input.key);
    input.resolved = true;
    input
}

fn trigger(door: &Door<'_>, posted: &Posted, payload: &Payload) -> Result<AlertInput, Vec<Refused>> {
    let mut faults = Vec::new();
    for (name, value) in [("payload.summary", &payload.summary), ("payload.source", &payload.source)] {
        if value.is_empty() {
            faults.push(refused(name, "a text: a trigger needs it"));
        }
    }
    if !SEVERITIES.contains(&payload.severity.as_str()) {
        faults.push(refused("payload.severity", format!("{}, this is {:?}", SEVERITIES.join(", "), cut(&payload.severity, 40))));
    }
    let starts_at = match &payload.timestamp {
        Value::Null => None,
        Value::String(text) => moment(text).unwrap_or_else(|| {
            faults.push(refused("payload.timestamp", "a time such as 2026-11-24T03:02:00Z"));
            None
        }),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            faults.push(refused("payload.timestamp", "a time such as 2026-11-24T03:02:00Z"));
            None
        }
    };
    if !faults.is_empty() {
        return Err(faults);
    }
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let name = [text(&payload.class), text(&payload.component), text(&payload.group)].into_iter().find(|name| !name.is_empty());
    let mut input = AlertInput::named(door.source, name.as_deref().unwrap_or(UNNAMED));
    door.realm.clone_into(&mut input.realm);
    input.key = text(&posted.dedup_key);
    input.severity = door.severities.of(&payload.severity);
    input.summary.clone_from(&payload.summary);
    input.labels = Labels::new([
        ("alertname".to_owned(), input.name.clone()),
        ("instance".to_owned(), payload.source.clone()),
        ("component".to_owned(), text(&payload.component)),
        ("group".to_owned(), text(&payload.group)),
        ("class".to_owned(), text(&payload.class)),
        ("severity".to_owned(), payload.severity.clone()),
    ]);
    input.annotations = Labels::new(details(&payload.custom_details, posted.client.as_deref()));
    let links = posted.links.iter().flatten().map(|link| link.href.clone());
    input.url = posted.client_url.iter().cloned().chain(links).find(|url| !url.is_empty()).unwrap_or_default();
    (input.starts_at, input.ends_at) = (starts_at, Some(Time::NEVER));
    Ok(input)
}

/// What the sender adds, each member of it a text; a text or list as a whole is one.
fn details(value: &Value, client: Option<&str>) -> Vec<(String, String)> {
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let none = Map::new();
    let members = value.as_object().unwrap_or(&none).iter().filter(|(_, value)| !value.is_null());
    let mut details: Vec<(String, String)> = members.map(|(name, value)| (name.clone(), shown(value))).collect();
    if !value.is_null() && !value.is_object() {
        details.push(("details".to_owned(), shown(value)));
    }
    details.extend(client.map(|client| ("client".to_owned(), client.to_owned())));
    details
}
