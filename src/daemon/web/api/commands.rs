//! `POST /api/v1/incidents/ID/COMMAND`: what an operator can do to an incident.

use axum::body::Body as HttpBody;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use axum::response::Response;
use serde_json::json;

use watchkeeper_engine::command::{IncidentCommand, IncidentVerb, OpenIncident};
use watchkeeper_engine::event::{Action, Obeyed, Report, World};
use watchkeeper_engine::ids::IncidentId;
use watchkeeper_engine::source::nearest;
use watchkeeper_engine::text::one_line;

use super::body::Body;
use super::idempotency::Once;
use super::incidents::{view_of, whole};
use super::{expected, no_id, record};
use crate::ingest::trust::Principal;
use crate::web::App;
use crate::web::error::ApiError;
use crate::web::query::unknown;

pub(super) async fn incident(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    once: Option<Extension<Once>>,
    Path((id, command)): Path<(String, String)>,
    headers: HeaderMap,
    request: Request<HttpBody>,
) -> Result<Response, ApiError> {
    let number: IncidentId = id.parse().map_err(|_| no_id("incident", &id))?;
    let verb = IncidentVerb::from_word(&command).ok_or_else(|| no_command(&command, IncidentVerb::WORDS))?;
    let expected = expected(&headers)?;
    let command: IncidentCommand = Body::read(&app, request).await?.command(verb.word(), &[])?;
    let doubt = match &command {
        IncidentCommand::Assign { to } => unknown_assignee(&app.world(), to),
        IncidentCommand::Acknowledge {}
        | IncidentCommand::Note { .. }
        | IncidentCommand::Hold { .. }
        | IncidentCommand::Resume {}
        | IncidentCommand::Resolve { .. }
        | IncidentCommand::Reopen { .. }
        | IncidentCommand::Close {}
        | IncidentCommand::Detach { .. }
        | IncidentCommand::Priority { .. }
        | IncidentCommand::Merge { .. } => None,
    };
    let action = Action::of_incident(number, command, app.now())?;
    let reply = app.command(&who, once.as_deref(), expected, action).await?;
    Ok(doubted(answer(&app, &id, verb, reply).await?, doubt))
}

/// A header that says what is odd about what was done.
pub const WARNING: &str = "x-watchkeeper-warning";

fn doubted(mut response: Response, doubt: Option<String>) -> Response {
    if let Some(value) = doubt.and_then(|doubt| HeaderValue::from_str(&one_line(&doubt)).ok()) {
        response.headers_mut().insert(WARNING, value);
    }
    response
}

/// An assignee whom the CMDB does not know, where it knows people or teams at all: nobody is notified of such a one.
pub(super) fn unknown_assignee(world: &World, to: &str) -> Option<String> {
    let inventory = world.cmdb.inventory();
    let known: Vec<&str> =
        inventory.people.values().map(|person| person.id.as_str()).chain(inventory.teams.values().map(|team| team.id.as_str())).collect();
    let is_known = known.is_empty() || known.iter().any(|known| known.eq_ignore_ascii_case(to));
    (!is_known).then(|| format!("{to} is neither a person nor a team of the CMDB{}", nearest_of(to, &known)))
}

/// A CI that the CMDB does not know.
fn unknown_ci(world: &World, ci: &str) -> Option<String> {
    let known: Vec<&str> = world.cmdb.items().map(|ci| ci.id.as_str()).collect();
    (!known.is_empty() && world.cmdb.find(ci).is_none()).then(|| format!("no CI has the id or alias {ci}{}", nearest_of(ci, &known)))
}

fn nearest_of(given: &str, known: &[&str]) -> String {
    nearest(given, known.iter().copied()).map_or_else(String::new, |near| format!("; did you mean {near}?"))
}

/// A command of a path that is none; 404 with the nearest known one.
pub(in crate::web) fn no_command(given: &str, known: &[&str]) -> ApiError {
    ApiError { status: StatusCode::NOT_FOUND, ..unknown("command", given, known) }
}

/// `POST /api/v1/incidents`: somebody reports a fault that no alert tells of.
pub(super) async fn open(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    once: Option<Extension<Once>>,
    request: Request<HttpBody>,
) -> Result<Response, ApiError> {
    let report = Report::try_from(Body::read(&app, request).await?.typed::<OpenIncident>()?)?;
    let doubt = unknown_ci(&app.world(), &report.ci);
    match app.command(&who, once.as_deref(), None, Action::ReportIncident { report }).await? {
        Obeyed::Done { id, .. } => {
            let whole = whole(&app, &id).await?;
            let mut response = record(whole.incident.version, &view_of(&app, &whole).await?);
            *response.status_mut() = StatusCode::CREATED;
            let place = HeaderValue::from_str(&format!("/api/v1/incidents/{id}")).expect("an id is a header");
            response.headers_mut().insert(header::LOCATION, place);
            Ok(doubted(response, doubt))
        }
        Obeyed::Invalid(refused) => Err(refused.into()),
        Obeyed::NotFound { .. } | Obeyed::Stale { .. } | Obeyed::NotAllowed { .. } => {
            Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the writer answered something else"))
        }
    }
}

/// What the writer said, with the record as it is now.
async fn answer(app: &App, id: &str, verb: IncidentVerb, reply: Obeyed) -> Result<Response, ApiError> {
    match reply {
        Obeyed::Done { .. } => {
            let whole = whole(app, id).await?;
            Ok(record(whole.incident.version, &view_of(app, &whole).await?))
        }
        Obeyed::NotFound { .. } => {
            // What is past lives no longer; that it is closed already is what `close` wants.
            let whole = whole(app, id).await?;
            let current = view_of(app, &whole).await?;
            if verb == IncidentVerb::Close {
                return Ok(record(whole.incident.version, &current));
            }
            Err(conflict(whole.incident.state.word(), &[]).with("current", super::json(&current)))
        }
        Obeyed::Stale { version, .. } => {
            let whole = whole(app, id).await?;
            let detail = format!("the record has changed: it is at version {version}");
            Err(ApiError::new(StatusCode::PRECONDITION_FAILED, detail).with("current", super::json(&view_of(app, &whole).await?)))
        }
        Obeyed::NotAllowed { state, allowed } => Err(conflict(state, &allowed)),
        Obeyed::Invalid(refused) => Err(refused.into()),
    }
}

/// 409 with what is allowed instead.
pub(in crate::web) fn conflict(state: &str, allowed: &[&str]) -> ApiError {
    let words = if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ") };
    ApiError::new(StatusCode::CONFLICT, format!("it is {}; allowed there: {words}", state.replace('_', " ")))
        .with("state", state)
        .with("allowed", json!(allowed))
}
