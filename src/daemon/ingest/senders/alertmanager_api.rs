//! `POST /api/v2/alerts`: the list that Prometheus sends to an Alertmanager.
//!
//! What is missing stays missing: the engine puts Alertmanager's defaults (a start of now, an end after the resolve timeout) and does its merge.

use axum::body::Body;
use axum::http::{Method, Response, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use watchkeeper_engine::input::{AlertInput, Refused};

use super::{Api, Call, Credential, Does, Door, Keeps, Member, Route, Sender, Speaks, json, why_unread};
use crate::ingest::door::{Heard, NotHeard};
use crate::ingest::json::{Moment, Pairs, members, text};

/// The sender.
pub static SENDER: Sender = Sender {
    name: "alertmanager-api",
    read: |door, call| parse(door, call.body),
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
    starts_at: Moment,
    #[serde(default)]
    ends_at: Moment,
    #[serde(default, rename = "generatorURL")]
    generator_url: Option<String>,
}

/// The alerts of a body.
///
/// # Errors
/// The body is no list of alerts, or beyond a bound; nothing of it is taken.
pub fn parse(door: &Door<'_>, body: &[u8]) -> Result<Vec<Member>, Refused> {
    let members = members(text(body)?)?;
    Ok(members.iter().enumerate().map(|(place, raw)| Member::new(place, member(door, raw.get()))).collect())
}

fn member(door: &Door<'_>, raw: &str) -> Result<AlertInput, Refused> {
    let postable: Postable = serde_json::from_str(raw).map_err(|error| why_unread(raw, &error))?;
    let mut input = door.alert(postable.labels, postable.annotations);
    input.url = postable.generator_url.unwrap_or_default();
    input.starts_at = postable.starts_at.0;
    input.ends_at = postable.ends_at.0;
    Ok(input)
}

fn answer(_: &Call<'_>, heard: &Heard) -> Response<Body> {
    if heard.refused.is_empty() { Response::new(Body::empty()) } else { json(StatusCode::BAD_REQUEST, &Value::String(heard.sentence())) }
}

fn refuse(not_heard: &NotHeard) -> Response<Body> {
    json(not_heard.status(), &Value::String(not_heard.to_string()))
}
