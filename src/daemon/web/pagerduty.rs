//! `POST /v2/enqueue`: PagerDuty's Events API v2, at the root as source `default`, and below each hook as that source.
//!
//! These senders show their secret in the body, as `routing_key`: it is compared with the tokens where no header names one. A body that is refused is counted and
//! not kept, because of that secret.

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{Request, Response, StatusCode};
use axum::response::IntoResponse;
use axum::routing::post;
use serde_json::json;
use uuid::Uuid;

use watchkeeper_engine::event::{Event as Happened, Reply, Taken};
use watchkeeper_engine::input::{AlertInput, Refused, Says};

use super::error::{ApiError, mark};
use super::{Access, App, Endpoint};
use crate::ingest::formats::Door;
use crate::ingest::formats::pagerduty::{self, Action};
use crate::ingest::http::{Caller, read_body, read_stranger_body};
use crate::ingest::trust::{Need, Principal};
use crate::writer::{Full, Lane};

/// Bytes of a body: PagerDuty's own bound.
const BODY_BYTES_MAX: usize = 512 * 1024;

/// The endpoint, below a prefix.
pub(super) fn endpoints(prefix: &str) -> Vec<Endpoint> {
    vec![Endpoint::post(&format!("{prefix}/v2/enqueue"), Access::RoutingKey, post(take))]
}

/// What is wrong with an event, as PagerDuty says it.
enum Fault {
    Invalid(Vec<Refused>),
    Other(ApiError),
}

impl<T: Into<ApiError>> From<T> for Fault {
    fn from(error: T) -> Fault {
        Fault::Other(error.into())
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response<Body> {
        match self {
            Fault::Invalid(faults) => {
                let errors: Vec<String> = faults.iter().map(|fault| format!("{}: expected {}", fault.place, fault.expected)).collect();
                let body = json!({"status": "invalid event", "message": "Event object is invalid", "errors": errors});
                (StatusCode::BAD_REQUEST, axum::Json(body)).into_response()
            }
            Fault::Other(error) => {
                let mut response = error.into_response();
                mark(&mut response);
                response
            }
        }
    }
}

async fn take(State(app): State<App>, who: Option<Extension<Principal>>, request: Request<Body>) -> Result<Response<Body>, Fault> {
    let path = request.uri().path().to_owned();
    let hook = path.strip_prefix("/hooks/").and_then(|rest| rest.split('/').next());
    let webhook = hook.map(|name| super::hooks::hook(&app, name)).transpose()?;
    let (source, realm) = webhook.map_or(("default", "main"), |webhook| (webhook.name.as_str(), webhook.realm.as_str()));
    let caller = request.extensions().get::<Caller>().cloned();
    let bytes_max = BODY_BYTES_MAX.min(app.config.limits.body_bytes);
    let mut body = match who {
        Some(_) => read_body(request, bytes_max, &app.bytes_in_flight).await?,
        None => read_stranger_body(request, bytes_max, &app.strangers).await?,
    };
    let world = app.world();
    let door = Door { source, realm, severities: &world.policy.severities };
    let parsed = pagerduty::parse(&door, &body.bytes);
    let who = match (who, &parsed) {
        (Some(Extension(who)), _) => who,
        (None, Ok(event)) => {
            let who = app.trust_of(Access::RoutingKey, &path).by_token(event.routing_key.as_bytes(), Need::Send)?;
            body.is_known(&app.bytes_in_flight)?;
            caller.inspect(Caller::is_known);
            who
        }
        // What is no event shows no secret either.
        (None, Err(_)) => return Err(crate::ingest::trust::Denied::Unknown.into()),
    };
    let key = match parsed {
        Ok(event) => obey(&app, &who, &door, event).await?,
        Err(faults) => {
            let refused = faults.iter().take(1).map(|fault| (source.to_owned(), fault.clone())).collect();
            commit(&app, Vec::new(), refused).await?;
            return Err(Fault::Invalid(faults));
        }
    };
    drop(body);
    let answer = json!({"status": "success", "message": "Event processed", "dedup_key": key});
    Ok((StatusCode::ACCEPTED, axum::Json(answer)).into_response())
}

/// Does what an event says; returns the key of its alert.
async fn obey(app: &App, who: &Principal, door: &Door<'_>, event: pagerduty::Event) -> Result<String, Fault> {
    let mut key = event.dedup_key;
    match event.action {
        Action::Trigger(mut input) => {
            if key.is_empty() {
                key = Uuid::new_v4().simple().to_string();
            }
            input.key.clone_from(&key);
            let input = input.bounded().map_err(|fault| Fault::Invalid(vec![fault]))?;
            if let Some(Taken::Refused(fault)) = commit(app, vec![input], Vec::new()).await?.into_iter().next() {
                return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, format!("{}: expected {}", fault.place, fault.expected)).into());
            }
        }
        // An end of what was never known is dropped by the engine, an acknowledgement of it here: both are a success to PagerDuty.
        Action::Resolve => drop(commit(app, vec![pagerduty::resolved(door, &key)], Vec::new()).await?),
        // Who sends alerts only says so; an operator who uses this API gives a command.
        Action::Acknowledge => {
            let says = if Need::Operate.allowed_to(who.role) {
                Says::Acknowledge { actor: who.name.clone() }
            } else {
                Says::Acknowledged { by: String::new() }
            };
            drop(commit(app, vec![AlertInput { says, ..pagerduty::resolved(door, &key) }], Vec::new()).await?);
        }
    }
    Ok(key)
}

async fn commit(app: &App, inputs: Vec<AlertInput>, refused: Vec<(String, Refused)>) -> Result<Vec<Taken>, Full> {
    let told = app.writer.submit(Lane::Webhooks, Happened::Alerts { inputs, refused })?;
    // Whatever else a reply may be, this event is answered by what was taken.
    let Reply::Taken(taken) = told.await.map_err(|_| Full::Stopping)? else { return Ok(Vec::new()) };
    Ok(taken)
}
