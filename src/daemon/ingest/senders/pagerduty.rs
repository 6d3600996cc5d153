//! PagerDuty's Events API v2: one event a request, known by its sender's `dedup_key`.
//!
//! A triggered alert fires until it is resolved: these senders say each once.

use axum::body::Body;
use axum::http::{Method, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json as object};
use uuid::Uuid;
use watchkeeper_engine::input::{AlertInput, Refused, Says};
use watchkeeper_engine::text::{Labels, cut};
use watchkeeper_engine::time::Time;

use super::{Api, Call, Credential, Does, Door, Keeps, Member, Route, Sender, Speaks, UNNAMED, json};
use crate::ingest::door::{Heard, NotHeard};
use crate::ingest::json::{moment, of_serde, refused, text};

/// Characters of a `dedup_key`: PagerDuty's own bound.
const KEY_CHARS_MAX: usize = 255;
/// Bytes of a body: PagerDuty's own bound.
const BODY_BYTES_MAX: usize = 512 * 1024;
/// Words of `severity`.
const SEVERITIES: [&str; 4] = ["critical", "error", "warning", "info"];

/// The sender.
pub static SENDER: Sender = Sender {
    name: "pagerduty",
    read,
    // The routing key in it is a secret.
    keeps: Keeps::Nothing,
    speaks: Speaks::Api(Api {
        routes: &[Route {
            method: Method::POST,
            path: "/v2/enqueue",
            does: Does::Takes,
            summary: "Takes an event of PagerDuty's Events API v2. Where no header names a token, `routing_key` is compared with them.",
            body: r#"{"type": "object", "required": ["routing_key", "event_action"], "properties": {
                "routing_key": {"type": "string"}, "event_action": {"enum": ["trigger", "acknowledge", "resolve"]},
                "dedup_key": {"type": "string", "maxLength": 255}, "client": {"type": "string"}, "client_url": {"type": "string"}, "links": {"type": "array"},
                "payload": {"type": "object", "required": ["summary", "source", "severity"], "properties": {
                    "summary": {"type": "string"}, "source": {"type": "string"}, "severity": {"enum": ["critical", "error", "warning", "info"]},
                    "timestamp": {"type": "string", "format": "date-time"}, "component": {"type": "string"}, "group": {"type": "string"},
                    "class": {"type": "string"}, "custom_details": {}}}}}"#,
            query: &[],
            answers: &[
                (202, "It is on disk, or an end or acknowledgement of what is not known."),
                (400, "It is no event; `errors` says all that is wrong."),
                (413, "The body is too large."),
            ],
        }],
        credential: Credential::Body(routing_key),
        body_bytes_max: BODY_BYTES_MAX,
        answer,
        refuse,
    }),
};

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

/// One event, or every fault of it.
fn read(door: &Door<'_>, call: &Call<'_>) -> Result<Vec<Member>, Refused> {
    let refused = |fault| Member::placed(0, Err(fault));
    Ok(match event(door, call.body) {
        Ok(input) => vec![Member::placed(0, input.bounded())],
        Err(faults) => faults.into_iter().map(refused).collect(),
    })
}

/// What a sender shows as its secret.
fn routing_key(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Shows {
        routing_key: String,
    }
    serde_json::from_str(text(body).ok()?).ok().map(|shows: Shows| shows.routing_key)
}

fn event(door: &Door<'_>, body: &[u8]) -> Result<AlertInput, Vec<Refused>> {
    let text = text(body).map_err(|fault| vec![fault])?;
    let posted: Posted = serde_json::from_str(text)
        .map_err(|error| vec![of_serde(&error, text, "an event: an object with routing_key and event_action")])?;
    let mut faults = Vec::new();
    if posted.routing_key.is_empty() {
        faults.push(refused("routing_key", "a text: a token of this source"));
    }
    let key = posted.dedup_key.clone().unwrap_or_default();
    if key.chars().count() > KEY_CHARS_MAX {
        faults.push(refused("dedup_key", format!("at most {KEY_CHARS_MAX} characters")));
    }
    let input = match posted.event_action.as_str() {
        "trigger" => posted
            .payload
            .as_ref()
            .map_or_else(|| Err(vec![refused("payload", "an object: a trigger needs it")]), |payload| trigger(door, &posted, payload)),
        "acknowledge" | "resolve" if key.is_empty() => Err(vec![refused("dedup_key", "a text: it says which alert is meant")]),
        "acknowledge" => Ok(AlertInput { says: Says::Acknowledged { by: String::new() }, ..door.keyed(&key) }),
        "resolve" => Ok(AlertInput { resolved: true, ..door.keyed(&key) }),
        other => Err(vec![refused("event_action", format!("trigger, acknowledge or resolve, this is {:?}", cut(other, 40)))]),
    };
    match input {
        Ok(input) if faults.is_empty() => Ok(input),
        Ok(_) => Err(faults),
        Err(further) => Err(faults.into_iter().chain(further).collect()),
    }
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
    input.realm = door.realm.clone();
    input.key = Some(text(&posted.dedup_key)).filter(|key| !key.is_empty()).unwrap_or_else(|| Uuid::new_v4().simple().to_string());
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

fn answer(_: &Call<'_>, heard: &Heard) -> Response<Body> {
    let errors: Vec<String> = heard.refused.iter().map(|fault| format!("{}: expected {}", fault.place, fault.expected)).collect();
    if heard.without_room > 0 {
        return json(StatusCode::SERVICE_UNAVAILABLE, &object!({"status": "no room", "message": errors.join("; ")}));
    }
    if !errors.is_empty() {
        let body = object!({"status": "invalid event", "message": "Event object is invalid", "errors": errors});
        return json(StatusCode::BAD_REQUEST, &body);
    }
    // An end or acknowledgement of what was never known is a success to PagerDuty.
    let key = heard.outcomes.first().map_or("", |ended| ended.key.as_str());
    json(StatusCode::ACCEPTED, &object!({"status": "success", "message": "Event processed", "dedup_key": key}))
}

fn refuse(not_heard: &NotHeard) -> Response<Body> {
    json(not_heard.status(), &object!({"status": "not taken", "message": not_heard.to_string()}))
}
