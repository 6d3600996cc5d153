//! `/api/v1/outbox`: what was and is to be told, to whom, and what became of it.

use axum::extract::{Extension, Path, State};
use axum::http::Uri;
use axum::response::Response;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use watchkeeper_engine::event::{Action, Reply};
use watchkeeper_engine::ids::MessageId;
use watchkeeper_engine::model::message::{Message, MessageState};
use watchkeeper_engine::words::Reason;

use super::idempotency::Once;
use super::paging::{LIST, Paging, split};
use super::{no_id, record, text_or_null, time, time_or_null};
use crate::ingest::trust::{Need, Principal};
use crate::mail::shown;
use crate::read::{Span, Wanted};
use crate::web::App;
use crate::web::error::ApiError;
use crate::web::query::Query;

/// Words of `state`.
const STATES: [&str; 4] = ["planned", "rendered", "delivered", "dead"];

/// `GET /api/v1/outbox`.
pub(super) async fn list(State(app): State<App>, uri: Uri) -> Result<axum::Json<Value>, ApiError> {
    let known = [&LIST[..], &["state", "to", "reason", "incident"]].concat();
    let query = Query::of(&uri, &known)?;
    let paging = Paging::of(&query, &["-planned_at", "planned_at"])?;
    let state = |word: &str| {
        let all = [MessageState::Planned, MessageState::Rendered, MessageState::Delivered, MessageState::Dead];
        all.into_iter().find(|state| state.word() == word)
    };
    let states = query.words("state", &STATES, state)?;
    let reasons = query.words("reason", Reason::WORDS, Reason::from_word)?;
    let incidents = query.words("incident", &["INC0000042"], |text| text.parse().ok())?;
    let to: Vec<String> = query.all("to").map(str::to_lowercase).collect();
    let keep = move |message: &Message| {
        (states.is_empty() || states.contains(&message.state))
            && (reasons.is_empty() || reasons.contains(&message.reason))
            && (to.is_empty() || to.contains(&message.to.to_lowercase()))
            && (incidents.is_empty() || message.incident.is_some_and(|incident| incidents.contains(&incident)))
    };
    let wanted = Wanted { span: Span::All, order: paging.order(), from: paging.first_id()?, limit: paging.limit };
    let (messages, next) = split(app.records.list(wanted, keep).await?);
    Ok(axum::Json(paging.by_ids(messages.iter().map(item).collect(), next)))
}

/// `GET /api/v1/outbox/ID`: for operators with the mail itself, without the tokens of its links.
pub(super) async fn show(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Response, ApiError> {
    Query::of(&uri, &[])?;
    let message = message(&app, &id).await?;
    Ok(record(version(&message), whole(&app, &who, &message)))
}

/// `POST /api/v1/outbox/ID/retry`: what waits is tried at once, what was given up is tried again; what went out stays so.
pub(super) async fn retry(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    once: Option<Extension<Once>>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let known = message(&app, &id).await?;
    let action = match known.state {
        MessageState::Dead => Action::ReviveMessage { message: Box::new(known) },
        MessageState::Planned | MessageState::Rendered | MessageState::Delivered => Action::RetryMessage { id: known.id },
    };
    let reply = app.command(&who, once.as_deref(), None, action).await?;
    if let Reply::Invalid(refused) = reply {
        return Err(refused.into());
    }
    let message = message(&app, &id).await?;
    Ok(record(version(&message), whole(&app, &who, &message)))
}

async fn message(app: &App, id: &str) -> Result<Message, ApiError> {
    let number: MessageId = id.parse().map_err(|_| no_id("message", id))?;
    app.records.message(number).await?.ok_or_else(|| no_id("message", id))
}

/// A message changes with each attempt and each state.
fn version(message: &Message) -> u64 {
    u64::from(message.attempts) * 4 + message.state as u64
}

fn item(message: &Message) -> Value {
    json!({
        "id": message.id.to_string(),
        "version": version(message),
        "incident": message.incident.map(|id| id.to_string()),
        "problem": message.problem.map(|id| id.to_string()),
        "to": message.to,
        "reason": message.reason.word(),
        "subject": message.subject,
        "state": message.state.word(),
        "template": message.template,
        "rule": text_or_null(&message.notify_rule),
        "thread": message.thread.to_string(),
        "attempts": message.attempts,
        "fallback": text_or_null(&message.fallback),
        "last_error": text_or_null(&message.last_error),
        "planned_at": time(message.planned_at),
        "retry_at": time_or_null(message.retry_at),
        "done_at": time_or_null(message.done_at),
        "revived_at": time_or_null(message.revived_at),
    })
}

/// The record with what it says. A link in a mail is its recipient's right, which no role has: a viewer sees no text, an operator one without tokens, and
/// whoever wants to know whether a mail is the one that went out compares its hash.
fn whole(app: &App, who: &Principal, message: &Message) -> Value {
    let mut json = item(message);
    if let Value::Object(fields) = &mut json {
        let text = if Need::Operate.allowed_to(who.role) { shown(message, &app.links) } else { String::new() };
        let hash = if message.bytes.is_empty() { String::new() } else { hex(&Sha256::digest(&message.bytes)) };
        fields.insert("message".to_owned(), text_or_null(&text));
        fields.insert("sha256".to_owned(), text_or_null(&hash));
    }
    json
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
