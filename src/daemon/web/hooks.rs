//! `/hooks/NAME`: the configured webhook sources.

use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use watchkeeper_engine::input::Refused;

use super::error::ApiError;
use super::query::unknown;
use super::{Access, App, Endpoint};
use crate::ingest::door::{FAULTS_SHOWN, Heard, NotHeard, Reads, Source, Visit, Who, hear};
use crate::ingest::trust::{Need, Principal};

/// The endpoints of this file.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![Endpoint::post("/hooks/{hook}", Access::Hook(Need::Send), post(take))
        .says("Takes a webhook in the source's format; answered after it is on disk. Where some alerts are refused, 400 says which, and the others are taken.")
        .answers_as::<TakenView>(202)]
}

/// What was taken of a body.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Taken")]
struct TakenView {
    /// Alerts that were taken.
    taken: u64,
    /// Alerts that were refused.
    refused: u64,
}

async fn take(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(name): Path<String>,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let webhook = hook(&app, &name)?;
    let source = Source { name: webhook.name.clone(), realm: webhook.realm.clone(), reads: Reads::named(&webhook.format) };
    let visit = Visit { route: None, id: String::new(), who: Who::Known(who) };
    let heard = hear(request, source, visit, app.hall(app.config.limits.body_bytes), |_, heard| heard.clone()).await?;
    if heard.refused.is_empty() {
        return Ok((StatusCode::ACCEPTED, axum::Json(TakenView { taken: heard.taken as u64, refused: 0 })).into_response());
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
    ApiError::bad(heard.sentence()).with("taken", heard.taken).with("refused", heard.refused.len()).with("faults", faults)
}

fn fault(refused: &Refused) -> Value {
    json!({"place": refused.place, "expected": refused.expected})
}

impl From<NotHeard> for ApiError {
    fn from(not_heard: NotHeard) -> ApiError {
        let status = not_heard.status();
        match not_heard {
            NotHeard::Refused(refused) => ApiError { status, ..refused.into() },
            NotHeard::Body(_) | NotHeard::Full(_) | NotHeard::NoFormat(_) | NotHeard::Denied(_) | NotHeard::NoHook(_) => {
                ApiError::new(status, not_heard.to_string())
            }
        }
    }
}
