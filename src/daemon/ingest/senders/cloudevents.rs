//! CloudEvents 1.0, by HTTP and by Kafka: structured, in batches, and binary (attributes in headers). The envelope says what happened where; its data, which is
//! JSON or absent, may be alerts of Alertmanager's kind or anything else.
//!
//! An event without labels of its own is known by its type, source and subject, so that `…resolved` of the same three ends what `…firing` began. Its `id` is the
//! id of one message, and two messages of one id change nothing more than one: both are the same alert.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Map, Value};
use watchkeeper_engine::input::{AlertInput, Refused};
use watchkeeper_engine::text::cut;
use watchkeeper_engine::time::Time;

use super::{Door, Headers, Keeps, Member, Sender, Speaks, alertmanager_webhook, at};
use crate::ingest::json::{Moment, Pairs, bounded_members, kind, moment, of_serde, refused, text};

/// The sender.
pub static SENDER: Sender = Sender {
    name: "cloudevents",
    read: |door, call| parse(door, &(call.headers)(), call.body),
    keeps: Keeps::BodyAnd(kept),
    speaks: Speaks::Bodies,
};

/// Attributes that every event has.
const REQUIRED: [&str; 4] = ["specversion", "id", "source", "type"];
/// Words of `status` or `state` in an event's data that say that it is over.
const OVER: [&str; 8] = ["resolved", "ok", "closed", "cleared", "recovered", "inactive", "normal", "up"];
/// Members of an event's data that say whether it is over; the first one present counts.
const STATES: [&str; 2] = ["status", "state"];
/// Bytes of a shown value in a refusal.
const SHOWN_BYTES_MAX: usize = 40;

/// An event: its attributes, and its data as JSON; null where it has none.
struct Event {
    attributes: Map<String, Value>,
    data: Value,
}

/// The alerts of a message. Names of `headers` are in lower case.
///
/// # Errors
/// The message is no event, or beyond a bound; nothing of it is taken.
pub fn parse(door: &Door<'_>, headers: &Headers, body: &[u8]) -> Result<Vec<Member>, Refused> {
    let media = headers.get("content-type").map_or("", String::as_str);
    let media = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let attributes = binary(headers);
    if media == "application/cloudevents-batch+json" || (attributes.is_none() && body.trim_ascii_start().starts_with(b"[")) {
        let text = text(body)?;
        let members: Vec<Value> = serde_json::from_str(text).map_err(|error| of_serde(&error, text, "a list of events `[…]`"))?;
        let of = |(place, member)| match structured(member).and_then(|event| alerts(door, event)) {
            Ok(inputs) => inputs.into_iter().map(|input| Member::new(place, Ok(input))).collect(),
            Err(fault) => vec![Member::placed(place, Err(at(place, &fault)))],
        };
        return Ok(bounded_members(members)?.into_iter().enumerate().flat_map(of).collect());
    }
    let event = match attributes {
        Some(attributes) if media != "application/cloudevents+json" => Event { data: data_of(&media, body)?, attributes },
        Some(_) | None => {
            let text = text(body)?;
            structured(
                serde_json::from_str(text)
                    .map_err(|error| of_serde(&error, text, "an event: an object with specversion, id, source and type"))?,
            )?
        }
    };
    Ok(alerts(door, event)?.into_iter().enumerate().map(|(place, input)| Member::new(place, Ok(input))).collect())
}

/// Those of `headers` that say what a message is: kept beside what could not be read, so that it can be tried again.
fn kept(headers: &Headers) -> Headers {
    let says = |name: &str| name == "content-type" || name.starts_with("ce-") || name.starts_with("ce_");
    headers.iter().filter(|(name, _)| says(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The attributes of binary mode: `ce-type` over HTTP, percent-encoded; `ce_type` over Kafka.
fn binary(headers: &Headers) -> Option<Map<String, Value>> {
    let attribute = |(name, value): (&String, &String)| {
        let (name, value) = match (name.strip_prefix("ce-"), name.strip_prefix("ce_")) {
            (Some(name), _) => (name, unescaped(value)?),
            (None, Some(name)) => (name, value.clone()),
            (None, None) => return None,
        };
        Some((name.to_owned(), Value::String(value)))
    };
    let attributes: Map<String, Value> = headers.iter().filter_map(attribute).collect();
    attributes.contains_key("specversion").then_some(attributes)
}

/// A header's value without its percent signs and the quotes that some senders put around it; `None` where what comes out is no UTF-8.
fn unescaped(value: &str) -> Option<String> {
    let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    let bytes = value.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = hex.filter(|_| bytes[at] == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(byte.unwrap_or(bytes[at]));
        at += if byte.is_some() { 3 } else { 1 };
    }
    String::from_utf8(out).ok()
}

/// An event of structured mode.
fn structured(value: Value) -> Result<Event, Refused> {
    let Value::Object(mut attributes) = value else {
        return Err(refused("body", format!("an event: an object, this is {}", kind(&value))));
    };
    let media = attributes.get("datacontenttype").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
    let data = match (attributes.remove("data"), attributes.remove("data_base64")) {
        (Some(Value::String(text)), _) if is_json(&media) && !media.is_empty() => {
            data_of(&media, text.as_bytes()).unwrap_or(Value::String(text))
        }
        (Some(data), _) => data,
        (None, Some(Value::String(text))) => {
            let bytes = BASE64_STANDARD.decode(&text).map_err(|_| refused("data_base64", "base64"))?;
            data_of(&media, &bytes)?
        }
        (None, Some(other)) => return Err(refused("data_base64", format!("a text, this is {}", kind(&other)))),
        (None, None) => Value::Null,
    };
    Ok(Event { attributes, data })
}

fn is_json(media: &str) -> bool {
    let media = media.split(';').next().unwrap_or_default().trim();
    media.is_empty() || media == "application/json" || media == "text/json" || media.ends_with("+json")
}

fn data_of(media: &str, bytes: &[u8]) -> Result<Value, Refused> {
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    let text = text(bytes)?;
    if is_json(media) {
        return serde_json::from_str(text).map_err(|error| of_serde(&error, text, "JSON"));
    }
    if media.starts_with("text/plain") {
        return Ok(Value::String(text.to_owned()));
    }
    Err(refused("datacontenttype", format!("application/json, this is {:?}", cut(media, SHOWN_BYTES_MAX))))
}

/// What an event says: the alerts of its data where it holds a list of them, else itself.
fn alerts(door: &Door<'_>, event: Event) -> Result<Vec<AlertInput>, Refused> {
    let Event { attributes, data } = event;
    let attribute = |name: &str| attributes.get(name).and_then(Value::as_str).unwrap_or_default();
    for name in REQUIRED {
        if attribute(name).is_empty() {
            return Err(refused(name, "a text: CloudEvents requires it"));
        }
    }
    if attribute("specversion").split('.').next() != Some("1") {
        let shown = cut(attribute("specversion"), SHOWN_BYTES_MAX);
        return Err(refused("specversion", format!("1.0, this is {shown:?}")));
    }
    if data.get("alerts").is_some_and(Value::is_array) {
        let group = alertmanager_webhook::parse(door, data.to_string().as_bytes())?;
        // Of one event nothing is taken twice: a part of it would be, when it is tried again.
        let within = |fault: Refused| Refused { place: format!("data.{}", fault.place), ..fault };
        return group.into_iter().map(|member| member.said.map_err(within)).collect();
    }
    let texts = |value: Option<&Value>| match value {
        Some(Value::Object(pairs)) => pairs.iter().filter_map(|(name, value)| Some((name.clone(), scalar(value)?))).collect(),
        _ => Vec::new(),
    };
    let mut labels: Vec<(String, String)> = texts(data.get("labels"));
    let mut add = |name: &str, value: &str| {
        if !value.is_empty() && labels.iter().all(|(known, _)| known != name) {
            labels.push((name.to_owned(), value.to_owned()));
        }
    };
    add("alertname", attribute("type"));
    add("source", attribute("source"));
    add("subject", attribute("subject"));
    let mut annotations: Vec<(String, String)> = texts(data.get("annotations"));
    if let Value::Object(members) = &data {
        let rest = members.iter().filter(|(name, _)| !["labels", "annotations"].contains(&name.as_str()));
        annotations.extend(rest.filter_map(|(name, value)| Some((name.clone(), scalar(value)?))));
    }
    if let Value::String(text) = &data {
        annotations.push(("summary".to_owned(), text.clone()));
    }
    let mut input = door.alert(Pairs(labels), Pairs(annotations));
    // No label: an event that is over does not say how bad it was, and is of the same alert.
    if let Some(word) = super::SEVERITY_LABELS.iter().find_map(|name| data.get(*name).and_then(scalar)) {
        input.severity = door.severities.of(&word);
    }
    let state = STATES.iter().find_map(|name| data.get(*name).and_then(Value::as_str)).unwrap_or_default().to_ascii_lowercase();
    input.resolved = OVER.contains(&state.as_str());
    let Moment(time) = given(attribute("time"))?;
    // A sender that has a word for the end says it once, as it said the beginning; of any other an event is held to have ended after a while.
    let end = if state.is_empty() { None } else { Some(Time::NEVER) };
    (input.starts_at, input.ends_at) = if input.resolved { (None, time) } else { (time, end) };
    Ok(vec![input])
}

fn given(time: &str) -> Result<Moment, Refused> {
    moment(time)
        .map(Moment)
        .ok_or_else(|| refused("time", format!("a time such as 2026-11-24T03:02:00Z, this is {:?}", cut(time, SHOWN_BYTES_MAX))))
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
