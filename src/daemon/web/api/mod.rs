//! `/api/v1`: the daemon's own API. Lists in pages, records with versions, commands that may be given twice.

mod alerts;
mod backup;
mod batch;
mod cis;
mod clock;
mod cmdb;
pub(super) mod commands;
mod dead_letters;
pub(in crate::web) mod events;
pub(super) mod fields;
mod files;
mod forecasts;
pub mod idempotency;
pub(super) mod incidents;
mod judge;
pub mod openapi;
mod outbox;
mod paging;
pub(super) mod problems;
mod schedules;
mod sla;
mod sources;

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Map, Value};

use watchkeeper_engine::text::Labels;
use watchkeeper_engine::time::Time;

use super::error::ApiError;
use super::{Access, Endpoint};
use crate::ingest::trust::Need;

/// The endpoints of this folder.
pub(super) fn endpoints() -> Vec<Endpoint> {
    let read = Access::Listener(Need::Read);
    let operate = Access::Listener(Need::Operate);
    vec![
        Endpoint::get("/api/v1/openapi.json", read, get(openapi::document)),
        Endpoint::get("/api/v1/incidents", read, get(incidents::list)),
        Endpoint::post("/api/v1/incidents", operate, post(commands::open)),
        Endpoint::post("/api/v1/incidents:batch", operate, post(batch::batch)),
        Endpoint::get("/api/v1/incidents/{id}", read, get(incidents::show)),
        Endpoint::get("/api/v1/incidents/{id}/explain", read, get(incidents::explain)),
        Endpoint::post("/api/v1/incidents/{id}/{command}", operate, post(commands::incident)),
        Endpoint::get("/api/v1/problems", read, get(problems::list)),
        Endpoint::get("/api/v1/problems/{id}", read, get(problems::show)),
        Endpoint::post("/api/v1/problems/{id}/{command}", operate, post(problems::command)),
        Endpoint::get("/api/v1/events", read, get(events::events)),
        Endpoint::get("/api/v1/alerts", read, get(alerts::list)),
        Endpoint::get("/api/v1/alerts/{id}", read, get(alerts::show)),
        Endpoint::get("/api/v1/alerts/{id}/explain", read, get(alerts::explain)),
        Endpoint::get("/api/v1/cis", read, get(cis::list)),
        Endpoint::get("/api/v1/cis/{id}", read, get(cis::show)),
        Endpoint::get("/api/v1/cis/{id}/impact", read, get(cis::impact)),
        Endpoint::get("/api/v1/cis/{id}/causes", read, get(cis::causes)),
        Endpoint::get("/api/v1/unmatched", read, get(judge::unmatched)),
        Endpoint::post("/api/v1/try", read, post(judge::try_alert)),
        Endpoint::post("/api/v1/check", read, post(judge::check)),
        Endpoint::get("/api/v1/rules", read, get(files::rules)),
        Endpoint::get("/api/v1/clock", read, get(clock::show)),
        Endpoint::post("/api/v1/clock/confirm", operate, post(clock::confirm)),
        Endpoint::get("/api/v1/schedules", read, get(schedules::list)),
        Endpoint::get("/api/v1/forecasts", read, get(forecasts::list)),
        Endpoint::get("/api/v1/backup", Access::Listener(Need::Administer), get(backup::backup)),
        Endpoint::get("/api/v1/cmdb/diff", read, get(cmdb::diff)),
        Endpoint::get("/api/v1/cmdb/sources", read, get(cmdb::sources)),
        Endpoint::post("/api/v1/cmdb/import", Access::Listener(Need::Administer), post(cmdb::import)),
        Endpoint::get("/api/v1/outbox", read, get(outbox::list)),
        Endpoint::get("/api/v1/outbox/{id}", read, get(outbox::show)),
        Endpoint::post("/api/v1/outbox/{id}/retry", operate, post(outbox::retry)),
        Endpoint::get("/api/v1/dead-letters", read, get(dead_letters::list)),
        Endpoint::get("/api/v1/dead-letters/{id}", operate, get(dead_letters::show)),
        Endpoint::post("/api/v1/dead-letters/{id}/redrive", operate, post(dead_letters::redrive)),
        Endpoint::post("/api/v1/sources/{name}/accept", operate, post(sources::accept)),
    ]
}

/// A record with its version as ETag.
fn record(version: u64, json: Value) -> Response {
    let mut response = axum::Json(json).into_response();
    let etag = HeaderValue::from_str(&format!("\"{version}\"")).expect("a quoted number is a header");
    response.headers_mut().insert(header::ETAG, etag);
    response
}

/// The version that a command expects: `If-Match: "7"`; `None` where it does not care.
fn expected(headers: &HeaderMap) -> Result<Option<u64>, ApiError> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let number = text.strip_prefix("W/").unwrap_or(text).trim_matches('"').parse();
    number.map(Some).map_err(|_| ApiError::bad("If-Match: expected the ETag of the record, such as \"7\"").with("place", "If-Match"))
}

fn time(at: Time) -> Value {
    Value::String(at.rfc3339())
}

fn time_or_null(at: Option<Time>) -> Value {
    at.map_or(Value::Null, time)
}

fn text_or_null(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { Value::String(text.to_owned()) }
}

fn pairs(labels: &Labels) -> Value {
    Value::Object(labels.iter().map(|(name, value)| (name.to_owned(), Value::String(value.to_owned()))).collect::<Map<_, _>>())
}

fn no_id(kind: &str, id: &str) -> ApiError {
    let shown: String = id.chars().take(60).collect();
    ApiError::not_found(format!("there is no {kind} {shown:?}"))
}
