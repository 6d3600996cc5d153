//! `/api/v1/outbox`: what was and is to be told, to whom, and what became of it.

use axum::extract::{Extension, Path, State};
use axum::http::Uri;
use axum::response::Response;
use sha2::{Digest as _, Sha256};

use watchkeeper_engine::event::{Action, Obeyed};
use watchkeeper_engine::ids::{IncidentId, MessageId};
use watchkeeper_engine::model::message::{Message, MessageState};
use watchkeeper_engine::state::past::{By, Of};
use watchkeeper_engine::words::Reason;

use super::idempotency::Once;
use super::paging::{asked, split};
use super::{no_id, record};
use crate::ingest::trust::{Need, Principal};
use crate::mail::shown;
use crate::read::{Candidates, Sieve, Span, Wanted};
use crate::view::{MessageView, Page, WholeMessage};
use crate::web::App;
use crate::web::describe::Parameter;
use crate::web::error::ApiError;
use crate::web::query::Query;

/// Words of `state`.
const STATES: [&str; 4] = ["planned", "rendered", "delivered", "dead"];

/// Orders of the list.
const SORTS: [&str; 2] = ["-planned_at", "planned_at"];

/// Parameters of the list.
pub(super) const PARAMETERS: [Parameter; 5] = [
    Parameter::sort(&SORTS),
    Parameter::words("state", "States.", &STATES),
    Parameter::texts("to", "Addresses."),
    Parameter::words("reason", "Reasons.", Reason::WORDS),
    Parameter::texts("incident", "Incidents."),
];

/// `GET /api/v1/outbox`.
pub(super) async fn list(State(app): State<App>, uri: Uri) -> Result<axum::Json<Page<MessageView>>, ApiError> {
    let (query, paging) = asked(&uri, &PARAMETERS)?;
    let state = |word: &str| {
        let all = [MessageState::Planned, MessageState::Rendered, MessageState::Delivered, MessageState::Dead];
        all.into_iter().find(|state| state.word() == word)
    };
    let states = query.words("state", &STATES, state)?;
    let reasons = query.words("reason", Reason::WORDS, Reason::from_word)?;
    let incidents = query.words("incident", &["INC0000042"], |text| text.parse::<IncidentId>().ok())?;
    let to: Vec<String> = query.all("to").map(str::to_lowercase).collect();
    let done = |state: &MessageState| matches!(state, MessageState::Delivered | MessageState::Dead);
    let span = match (states.iter().any(done), states.iter().any(|state| !done(state))) {
        (true, false) => Span::Past,
        (false, true) => Span::Live,
        (true, true) | (false, false) => Span::All,
    };
    let names: Vec<String> = incidents.iter().map(IncidentId::to_string).collect();
    let past = Sieve::default().any(Of::Messages, By::Address, to.iter().map(String::as_str)).any(
        Of::Messages,
        By::Incident,
        names.iter().map(String::as_str),
    );
    let keep = move |message: &Message| {
        (states.is_empty() || states.contains(&message.sending.state))
            && (reasons.is_empty() || reasons.contains(&message.reason))
            && (to.is_empty() || to.contains(&message.to.to_lowercase()))
            && (incidents.is_empty() || message.incident.is_some_and(|incident| incidents.contains(&incident)))
    };
    let wanted = Wanted { span, order: paging.order(), from: paging.from()?, limit: paging.limit };
    let (messages, next) = split(app.records.list_among(wanted, Candidates { past, ..Candidates::default() }, keep).await?);
    Ok(paging.by_time(messages.iter().map(MessageView::of).collect(), next))
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
    Ok(record(MessageView::version(&message), &whole(&app, &who, &message)))
}

/// `POST /api/v1/outbox/ID/retry`: what waits is tried at once, what was given up is tried again; what went out stays so.
pub(super) async fn retry(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    once: Option<Extension<Once>>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let known = message(&app, &id).await?;
    let action = match known.sending.state {
        MessageState::Dead => Action::revive(known),
        MessageState::Planned | MessageState::Rendered | MessageState::Delivered => Action::RetryMessage { id: known.id },
    };
    let reply = app.command(&who, once.as_deref(), None, action).await?;
    if let Obeyed::Invalid(refused) = reply {
        return Err(refused.into());
    }
    let message = message(&app, &id).await?;
    Ok(record(MessageView::version(&message), &whole(&app, &who, &message)))
}

async fn message(app: &App, id: &str) -> Result<Message, ApiError> {
    let number: MessageId = id.parse().map_err(|_| no_id("message", id))?;
    app.records.message(number).await?.ok_or_else(|| no_id("message", id))
}

/// The record with what it says. A link in a mail is its recipient's right, which no role has: a viewer sees no text, an operator one without tokens, and
/// whoever wants to know whether a mail is the one that went out compares its hash.
fn whole(app: &App, who: &Principal, message: &Message) -> WholeMessage {
    let text = if Need::Operate.allowed_to(who.role) { shown(message, &app.links) } else { String::new() };
    WholeMessage {
        header: MessageView::of(message),
        message: Some(text).filter(|text| !text.is_empty()),
        sha256: (!message.sending.bytes.is_empty()).then(|| hex(&Sha256::digest(&message.sending.bytes))),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
