//! `/api/v2/silences` and `/api/v2/silence/ID`.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::{Request, StatusCode, Uri};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use watchkeeper_engine::event::{Action, Obeyed};
use watchkeeper_engine::ids::SilenceId;
use watchkeeper_engine::input::Given;
use watchkeeper_engine::model::silence::{Silence, SilenceState, StoredMatcher};
use watchkeeper_engine::text::{Labels, cut, one_line};
use watchkeeper_engine::time::Time;

use super::{AmError, flag, matchers, shown_time};
use crate::ingest::http::read_body;
use crate::ingest::json::{LooseMoment, Pairs, of_serde, text};
use crate::ingest::senders::alertmanager_schema::{REQUIRED, TYPE, of_silence};
use crate::ingest::trust::Principal;
use crate::read::{Order, Span, Wanted};
use crate::web::App;
use crate::web::error::ApiError;
use crate::web::query::{Query, Switch};

/// Silences that one answer lists; Alertmanager's API has no pages.
const SILENCES_MAX: usize = 10_000;

/// An id that no silence has: they are counted from 1.
const NONE: SilenceId = SilenceId(0);

/// Bytes of `createdBy` that are kept.
const CREATOR_BYTES_MAX: usize = 64;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Postable {
    #[serde(default)]
    id: Option<String>,
    matchers: Vec<PostableMatcher>,
    starts_at: LooseMoment,
    ends_at: LooseMoment,
    #[serde(default)]
    annotations: Pairs,
    #[serde(default)]
    created_by: Option<String>,
    #[serde(default)]
    comment: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PostableMatcher {
    name: String,
    value: String,
    #[serde(default)]
    is_regex: bool,
    #[serde(default)]
    is_equal: Option<bool>,
}

/// `GET /api/v2/silences`.
pub(super) async fn list(State(app): State<App>, uri: Uri) -> Result<axum::Json<Value>, AmError> {
    let query = Query::tolerant(&uri)?;
    let (with_active, with_pending, with_expired) = (flag(&query, "active"), flag(&query, "pending"), flag(&query, "expired"));
    let filter = matchers(&query, "filter")?;
    let now = app.now();
    let keep = move |silence: &Silence| {
        let wanted = match silence.state(now) {
            SilenceState::Active => with_active,
            SilenceState::Pending => with_pending,
            SilenceState::Expired => with_expired,
        };
        let has = |wanted: &watchkeeper_engine::expr::Matcher| {
            silence.matchers.iter().any(|own| {
                (own.name.as_str(), own.value.as_str(), own.is_regex, own.is_equal)
                    == (wanted.name(), wanted.value(), wanted.is_regex(), wanted.is_equal())
            })
        };
        wanted == Switch::On && filter.iter().all(has)
    };
    let wanted = Wanted { span: Span::Live, order: Order::OldestFirst, from: None, limit: SILENCES_MAX };
    let mut silences = app.records.list(wanted, keep).await?.items;
    // What holds by its end, what comes by its start, what is over from the latest on, equals as they were made: as Alertmanager sorts.
    silences.sort_by_key(|silence| match silence.state(now) {
        SilenceState::Active => (0, silence.ends_at.0),
        SilenceState::Pending => (1, silence.starts_at.0),
        SilenceState::Expired => (2, -silence.ends_at.0),
    });
    Ok(axum::Json(Value::Array(silences.iter().map(|silence| json_of(silence, now)).collect())))
}

/// `POST /api/v2/silences`: makes one, or changes the one that `id` names.
pub(super) async fn set(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    request: Request<Body>,
) -> Result<axum::Json<Value>, AmError> {
    let body = read_body(request, app.config.limits.body_bytes, &app.bytes_in_flight).await.map_err(ApiError::from)?;
    let body = text(&body.bytes).map_err(ApiError::from)?;
    if matches!(body.trim(), "" | "null") {
        return Err(AmError::Schema((REQUIRED, "silence in body is required".to_owned())));
    }
    if let Some(fault) = serde_json::from_str::<Value>(body).ok().filter(Value::is_object).and_then(|body| of_silence(&body)) {
        return Err(AmError::Schema(fault));
    }
    let posted: Postable = serde_json::from_str(body).map_err(|error| why_not(body, &error))?;
    let id = match posted.id.as_deref().filter(|id| !id.is_empty()) {
        None => None,
        // Alertmanager says what is wrong with a silence before it says that it knows none of that id.
        Some(id) => Some(app.current.load().board.silence_id(id).unwrap_or(NONE)),
    };
    let now = app.now();
    let matchers = posted.matchers.into_iter().map(|posted| StoredMatcher {
        name: posted.name,
        value: posted.value,
        is_regex: posted.is_regex,
        is_equal: posted.is_equal.unwrap_or(true),
    });
    let (starts_at, ends_at) = (posted.starts_at.0.unwrap_or(now), given(posted.ends_at.0, "endsAt")?);
    // In its words; what else can be wrong the engine says.
    if starts_at >= ends_at {
        return Err(AmError::bad("Failed to create silence: start time must be before end time"));
    } else if ends_at < now {
        return Err(AmError::bad("Failed to create silence: end time can't be in the past"));
    }
    let action = Action::SetSilence {
        id,
        matchers: matchers.collect(),
        starts_at,
        ends_at,
        comment: posted.comment.unwrap_or_default(),
        annotations: Labels::with_empty(posted.annotations.0),
    };
    let who = creator(who, posted.created_by.as_deref());
    match app.command(&who, None, None, action).await? {
        Obeyed::Done { id, .. } => Ok(axum::Json(json!({"silenceID": id}))),
        Obeyed::NotFound { .. } => Err(AmError::Told(StatusCode::NOT_FOUND, "silence not found".to_owned())),
        Obeyed::Invalid(refused) => Err(ApiError::from(refused).into()),
        Obeyed::Stale { .. } | Obeyed::NotAllowed { .. } => {
            Err(AmError::Told(StatusCode::CONFLICT, "the silence cannot be changed".to_owned()))
        }
    }
}

/// `GET /api/v2/silence/ID`.
pub(super) async fn show(State(app): State<App>, Path(path): Path<BTreeMap<String, String>>) -> Result<axum::Json<Value>, AmError> {
    let number = in_path(&app, &path)?;
    let silence = app.records.silence(number).await?.ok_or(AmError::NoSilence)?;
    let now = app.now();
    Ok(axum::Json(json_of(&silence, now)))
}

/// `DELETE /api/v2/silence/ID`: ends it; one that is over stays over.
pub(super) async fn expire(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(path): Path<BTreeMap<String, String>>,
) -> Result<(), AmError> {
    let number = in_path(&app, &path)?;
    match app.command(&who, None, None, Action::ExpireSilence { id: number }).await? {
        Obeyed::NotFound { .. } => Err(AmError::NoSilence),
        Obeyed::Done { .. } | Obeyed::Stale { .. } | Obeyed::NotAllowed { .. } | Obeyed::Invalid(_) => Ok(()),
    }
}

/// Who makes a silence: the token's name; where no token is needed the name that the client gives is as good as any.
fn creator(who: Principal, given: Option<&str>) -> Principal {
    let name = one_line(&cut(given.unwrap_or_default(), CREATOR_BYTES_MAX));
    if name.is_empty() || !who.is_nameless() { who } else { Principal { name, ..who } }
}

/// The silence that a path names, by its UUID, or by the number that mails and reasons show.
fn in_path(app: &App, path: &BTreeMap<String, String>) -> Result<SilenceId, AmError> {
    let id = path.get("id").map(String::as_str).unwrap_or_default();
    if Uuid::try_parse(id).is_err() && id.parse::<SilenceId>().is_err() {
        let message = format!("silenceID in path must be of type uuid: {:?}", cut(&one_line(id), 60));
        return Err(AmError::Schema((TYPE, message)));
    }
    app.current.load().board.silence_id(id).ok_or(AmError::NoSilence)
}

fn given(time: Given, place: &str) -> Result<Time, AmError> {
    time.ok_or_else(|| AmError::bad(format!("{place}: expected a time such as 2026-11-24T03:02:00Z")))
}

fn why_not(body: &str, error: &serde_json::Error) -> AmError {
    if body.trim_start().starts_with('{') {
        return AmError::Unread(format!("silence: {error}"));
    }
    let fault = of_serde(error, body, "a silence, an object with `matchers`, `startsAt`, `endsAt`, `createdBy` and `comment`");
    AmError::Unread(format!("{}: expected {}", fault.place, fault.expected))
}

/// A silence as Alertmanager shows it.
fn json_of(silence: &Silence, now: Time) -> Value {
    let matcher = |matcher: &StoredMatcher| json!({"name": matcher.name, "value": matcher.value, "isRegex": matcher.is_regex, "isEqual": matcher.is_equal});
    let mut json = json!({
        "id": silence.uuid,
        "status": {"state": silence.state(now).word()},
        "updatedAt": silence.updated_at.rfc3339(),
        "matchers": silence.matchers.iter().map(matcher).collect::<Vec<_>>(),
        "startsAt": shown_time(silence.starts_at),
        "endsAt": shown_time(silence.ends_at),
        "createdBy": silence.created_by,
        "comment": silence.comment,
    });
    if !silence.annotations.is_empty() {
        let pairs = silence.annotations.iter().map(|(name, value)| (name.to_owned(), Value::String(value.to_owned())));
        json["annotations"] = Value::Object(pairs.collect());
    }
    json
}
