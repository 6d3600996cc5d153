//! `/api/v1/silences`: silences of operators: lists, records, and what an operator does to one. An id is the silence's own or its UUID in Alertmanager's API.

use axum::body::Body as HttpBody;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use axum::response::Response;

use watchkeeper_engine::command::{NewSilence, SilenceCommand, SilenceVerb};
use watchkeeper_engine::event::{Action, Obeyed};
use watchkeeper_engine::model::silence::{Silence, SilenceState};

use super::body::Body;
use super::commands::no_command;
use super::idempotency::Once;
use super::paging::{asked, split};
use super::{expected, json, no_id, record};
use crate::ingest::trust::Principal;
use crate::read::{Span, Wanted};
use crate::view::{Page, SilenceView};
use crate::web::App;
use crate::web::describe::Parameter;
use crate::web::error::ApiError;
use crate::web::query::Query;

/// Parameters of the list.
pub(super) const PARAMETERS: [Parameter; 3] = [
    Parameter::sort(&["-id", "id"]),
    Parameter::words("state", "States; every state unless given.", SilenceState::WORDS),
    Parameter::text("q", "A part of a matcher, the comment or who made it."),
];

/// `GET /api/v1/silences`.
pub(super) async fn list(State(app): State<App>, uri: Uri) -> Result<axum::Json<Page<SilenceView>>, ApiError> {
    let (query, paging) = asked(&uri, &PARAMETERS)?;
    let states = query.words("state", SilenceState::WORDS, SilenceState::from_word)?;
    let sought = query.sought();
    let now = app.now();
    let keep = move |silence: &Silence| {
        let matchers = silence.matchers.iter().flat_map(|matcher| [matcher.name.as_str(), &matcher.value]);
        (states.is_empty() || states.contains(&silence.state(now)))
            && sought.is_in(matchers.chain([silence.comment.as_str(), &silence.created_by]))
    };
    let wanted = Wanted { span: Span::Live, order: paging.order(), from: paging.from()?, limit: paging.limit };
    let (silences, next) = split(app.records.list(wanted, keep).await?);
    Ok(paging.by_time(silences.iter().map(|silence| SilenceView::of(silence, now)).collect(), next))
}

/// `GET /api/v1/silences/ID`.
pub(super) async fn show(State(app): State<App>, Path(id): Path<String>, uri: Uri) -> Result<Response, ApiError> {
    Query::of(&uri, &[])?;
    let silence = silence(&app, &id)?;
    Ok(record(silence.version, &SilenceView::of(&silence, app.now())))
}

/// `POST /api/v1/silences`.
pub(super) async fn make(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    once: Option<Extension<Once>>,
    request: Request<HttpBody>,
) -> Result<Response, ApiError> {
    let new: NewSilence = Body::read(&app, request).await?.typed()?;
    let reply = app.command(&who, once.as_deref(), None, Action::of_new_silence(new, app.now())?).await?;
    let silence = done(&app, reply, "")?;
    let mut response = record(silence.version, &SilenceView::of(&silence, app.now()));
    *response.status_mut() = StatusCode::CREATED;
    let place = HeaderValue::from_str(&format!("/api/v1/silences/{}", silence.id)).expect("an id is a header");
    response.headers_mut().insert(header::LOCATION, place);
    Ok(response)
}

/// `POST /api/v1/silences/ID/COMMAND`.
pub(super) async fn command(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    once: Option<Extension<Once>>,
    Path((id, command)): Path<(String, String)>,
    headers: HeaderMap,
    request: Request<HttpBody>,
) -> Result<Response, ApiError> {
    let verb = SilenceVerb::from_word(&command).ok_or_else(|| no_command(&command, SilenceVerb::WORDS))?;
    let seen = silence(&app, &id)?;
    let command: SilenceCommand = Body::read(&app, request).await?.command(verb.word(), &[])?;
    // What a change leaves out is as it was seen.
    let unchanged = (verb == SilenceVerb::Change).then_some(seen.version);
    let reply =
        app.command(&who, once.as_deref(), expected(&headers)?.or(unchanged), Action::of_silence(&seen, command, app.now())?).await?;
    let silence = done(&app, reply, &id)?;
    Ok(record(silence.version, &SilenceView::of(&silence, app.now())))
}

/// The silence of what the writer said.
fn done(app: &App, reply: Obeyed, id: &str) -> Result<Silence, ApiError> {
    match reply {
        Obeyed::Done { id, .. } => silence(app, &id),
        Obeyed::NotFound { .. } => Err(no_id("silence", id)),
        Obeyed::Stale { version, .. } => {
            let detail = format!("the record has changed: it is at version {version}");
            let current = SilenceView::of(&silence(app, id)?, app.now());
            Err(ApiError::new(StatusCode::PRECONDITION_FAILED, detail).with("current", json(&current)))
        }
        Obeyed::Invalid(refused) => Err(refused.into()),
        Obeyed::NotAllowed { .. } => Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the writer answered something else")),
    }
}

/// A silence by the id of a path.
fn silence(app: &App, id: &str) -> Result<Silence, ApiError> {
    let published = app.current.load();
    let found = published.board.silence_id(id).and_then(|id| published.board.silences.get(&id));
    found.map(|silence| Silence::clone(silence)).ok_or_else(|| no_id("silence", id))
}
