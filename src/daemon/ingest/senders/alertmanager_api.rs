//! `POST /api/v2/alerts`: the list that Prometheus sends to an Alertmanager.
//!
//! What is missing stays missing: the engine puts Alertmanager's defaults (a start of now, an end after the resolve timeout) and does its merge.

use axum::body::Body;
use axum::http::{Method, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json as object};

use watchkeeper_engine::input::{AlertInput, Given, Refused};
use watchkeeper_engine::limits::RESOLVE_TIMEOUT;
use watchkeeper_engine::text::Labels;

use super::alertmanager_schema::{is_mistyped, is_uri, of_alert};
use super::{Api, Call, Credential, Does, Door, Keeps, Member, Route, Sender, Speaks, json, why_unread};
use crate::ingest::door::{Heard, NotHeard};
use crate::ingest::json::{LooseMoment, Pairs, members, refused, text};

/// The sender.
pub static SENDER: Sender = Sender {
    name: "alertmanager-api",
    read: |door, call| parse_at(door, call.body, call.now),
    keeps: Keeps::Body,
    speaks: Speaks::Api(Api {
        routes: &[Route {
            method: Method::POST,
            path: "/api/v2/alerts",
            does: Does::Takes,
            summary: "Takes alerts as Prometheus sends them.",
            body: r##"{"type": "array", "items": {"$ref": "#/components/schemas/PostableAlert"}}"##,
            query: &[],
            answers: &[
                (200, "All of them are on disk."),
                (400, "Some were refused, or the body is no list of alerts; those that were not refused are on disk."),
                (415, "The body is said to be something else than JSON."),
                (422, "Some have no labels or a URL that is none; the others are on disk."),
                (413, "The body is too large, or holds too many alerts."),
            ],
        }],
        credential: Credential::Header,
        body_bytes_max: usize::MAX,
        answer,
        refuse,
    }),
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Postable {
    labels: Pairs,
    #[serde(default)]
    annotations: Pairs,
    #[serde(default)]
    starts_at: LooseMoment,
    #[serde(default)]
    ends_at: LooseMoment,
    #[serde(default, rename = "generatorURL")]
    generator_url: Option<String>,
}

/// The alerts of a body.
///
/// # Errors
/// The body is no list of alerts, or beyond a bound; nothing of it is taken.
pub fn parse(door: &Door<'_>, body: &[u8]) -> Result<Vec<Member>, Refused> {
    parse_at(door, body, None)
}

fn parse_at(door: &Door<'_>, body: &[u8], now: Given) -> Result<Vec<Member>, Refused> {
    let text = text(body)?;
    if text.trim() == "null" {
        return Ok(Vec::new());
    }
    Ok(members(text)?.iter().enumerate().map(|(place, raw)| Member::new(place, member(door, raw.get(), now))).collect())
}

fn member(door: &Door<'_>, raw: &str, now: Given) -> Result<AlertInput, Refused> {
    let postable: Postable = serde_json::from_str(raw).map_err(|error| why_unread(raw, &error))?;
    let annotations = postable.annotations.0;
    if annotations.iter().any(|(name, _)| name.is_empty()) {
        return Err(refused("annotations", "names that are not empty"));
    }
    let url = postable.generator_url.unwrap_or_default();
    if !is_uri(&url) {
        return Err(refused("generatorURL", "a URI"));
    }
    let (starts_at, ends_at) = (postable.starts_at.0, postable.ends_at.0);
    // Without an end it ends after the resolve timeout, and that is before it began.
    if let (Some(starts), None, Some(now)) = (starts_at, ends_at, now)
        && starts > now + RESOLVE_TIMEOUT
    {
        return Err(refused("startsAt", "a time not after the end, which is that of the resolve timeout where none is given"));
    }
    let mut input = door.alert(postable.labels, Pairs(annotations.clone()));
    input.annotations = Labels::with_empty(annotations);
    input.url = url;
    (input.starts_at, input.ends_at) = (starts_at.or(ends_at), ends_at);
    Ok(input)
}

fn answer(call: &Call<'_>, heard: &Heard) -> Response<Body> {
    if heard.refused.is_empty() {
        return Response::new(Body::empty());
    }
    let body: Value = serde_json::from_slice(call.body).unwrap_or_default();
    // What is not of its type is found before anything else.
    let mistyped = heard.refused.iter().find(|fault| fault.expected.contains(", this is ") && !fault.expected.starts_with("a time not"));
    if mistyped.is_some() || body.as_array().into_iter().flatten().any(is_mistyped) {
        let fault = mistyped.map_or_else(String::new, |fault| format!("{}: expected {}; ", fault.place, fault.expected));
        return json(StatusCode::BAD_REQUEST, &object!({"code": 400, "message": format!("{fault}{}", heard.sentence())}));
    }
    match body.as_array().into_iter().flatten().enumerate().find_map(|(at, alert)| of_alert(at, alert)) {
        Some((code, message)) => {
            let message = format!("{message}; {}", heard.sentence());
            json(StatusCode::UNPROCESSABLE_ENTITY, &object!({"code": code, "message": message}))
        }
        None => json(StatusCode::BAD_REQUEST, &Value::String(heard.sentence())),
    }
}

fn refuse(not_heard: &NotHeard) -> Response<Body> {
    let status = not_heard.status();
    json(status, &object!({"code": status.as_u16(), "message": not_heard.to_string()}))
}
