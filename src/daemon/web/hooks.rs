//! `/hooks/NAME`: the configured webhook sources.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};

use watchkeeper_engine::input::Refused;

use super::error::ApiError;
use super::query::unknown;
use super::{Access, App, Endpoint};
use crate::ingest::door::{Heard, NotHeard, Reads, Source, hear};
use crate::ingest::trust::Need;

/// Faults that one answer lists; the rest is counted.
const FAULTS_SHOWN: usize = 20;

/// The endpoints of this file.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![Endpoint::post("/hooks/{hook}", Access::Hook(Need::Send), post(take))]
}

async fn take(State(app): State<App>, Path(name): Path<String>, request: Request<Body>) -> Result<Response, ApiError> {
    let webhook = hook(&app, &name)?;
    let source = Source { name: webhook.name.clone(), realm: webhook.realm.clone(), format: Reads::named(&webhook.format) };
    let world = app.world();
    let heard = hear(request, source, world, &app.writer, app.config.limits.body_bytes, &app.bytes_in_flight).await?;
    if heard.refused.is_empty() {
        return Ok((StatusCode::ACCEPTED, axum::Json(json!({"taken": heard.taken, "refused": 0}))).into_response());
    }
    Err(some_refused(&heard))
}

/// The webhook of a name.
///
/// # Errors
/// 404: there is none, with the nearest name.
pub(super) fn hook<'a>(app: &'a App, name: &str) -> Result<&'a crate::config::Webhook, ApiError> {
    app.hook(name).ok_or_else(|| {
        let known: Vec<&str> = app.config.webhooks.iter().map(|webhook| webhook.name.as_str()).collect();
        // The names of hooks are no secret from whoever may send.
        ApiError { status: StatusCode::NOT_FOUND, ..unknown("webhook", name, &known) }
    })
}

/// 400 about a request of which some were refused; the others are committed.
fn some_refused(heard: &Heard) -> ApiError {
    let faults: Vec<Value> = heard.refused.iter().take(FAULTS_SHOWN).map(fault).collect();
    ApiError::bad(sentence(heard)).with("taken", heard.taken).with("refused", heard.refused.len()).with("faults", faults)
}

/// How many were taken, and what is wrong with the first of the others.
pub(super) fn sentence(heard: &Heard) -> String {
    let all = heard.taken + heard.refused.len();
    let shown: Vec<String> =
        heard.refused.iter().take(FAULTS_SHOWN).map(|fault| format!("{}: expected {}", fault.place, fault.expected)).collect();
    let more = heard.refused.len().saturating_sub(FAULTS_SHOWN);
    let rest = if more > 0 { format!("; and {more} more") } else { String::new() };
    format!("{} of {all} alerts were taken, {} refused: {}{rest}", heard.taken, heard.refused.len(), shown.join("; "))
}

fn fault(refused: &Refused) -> Value {
    json!({"place": refused.place, "expected": refused.expected})
}

impl From<NotHeard> for ApiError {
    fn from(not_heard: NotHeard) -> ApiError {
        match not_heard {
            NotHeard::Body(fault) => fault.into(),
            NotHeard::Refused(refused) if refused.expected.starts_with("at most") && refused.place == "alerts" => {
                ApiError { status: StatusCode::PAYLOAD_TOO_LARGE, ..refused.into() }
            }
            NotHeard::Refused(refused) => refused.into(),
            NotHeard::Full(full) => full.into(),
            NotHeard::NoFormat(name) => {
                ApiError::new(StatusCode::SERVICE_UNAVAILABLE, format!("the rules in force have no format `{name}`"))
            }
        }
    }
}
