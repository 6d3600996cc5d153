//! A message of the outbox.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use watchkeeper_engine::ids::{IncidentId, MessageId, ProblemId};
use watchkeeper_engine::model::message::Message;
use watchkeeper_engine::time::Time;
use watchkeeper_engine::words::Reason;

use super::given;

/// A message, to be sent or sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Message")]
pub struct MessageView {
    /// Its id.
    pub id: MessageId,
    /// Its version.
    pub version: u64,
    /// The incident it is about.
    pub incident: Option<IncidentId>,
    /// The problem it is about.
    pub problem: Option<ProblemId>,
    /// The address.
    pub to: String,
    /// Why it goes out.
    pub reason: Reason,
    /// Its subject.
    pub subject: String,
    /// Its state.
    #[schemars(extend("enum" = ["planned", "rendered", "delivered", "dead"]))]
    pub state: String,
    /// Its template.
    pub template: String,
    /// The notify rule.
    pub rule: Option<String>,
    /// The first message of its thread.
    pub thread: MessageId,
    /// How often it was tried.
    pub attempts: u32,
    /// Why the built-in text was used.
    pub fallback: Option<String>,
    /// Why the last try failed.
    pub last_error: Option<String>,
    /// When it was planned.
    pub planned_at: Time,
    /// When it is tried again.
    pub retry_at: Option<Time>,
    /// When it went out, or was given up.
    pub done_at: Option<Time>,
    /// When it was tried again after it had been given up.
    pub revived_at: Option<Time>,
}

/// A message with what it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WholeMessage {
    /// The message.
    #[serde(flatten)]
    pub header: MessageView,
    /// What it says, without the tokens of its links; null before it is rendered, and for whoever may only read.
    pub message: Option<String>,
    /// The SHA-256 of its bytes as they go out, in hexadecimal digits; null before it is rendered.
    pub sha256: Option<String>,
}

impl MessageView {
    /// A message changes with each attempt and each state.
    pub fn version(message: &Message) -> u64 {
        u64::from(message.sending.attempts) * 4 + message.sending.state as u64
    }

    /// Of a record.
    pub fn of(message: &Message) -> MessageView {
        MessageView {
            id: message.id,
            version: MessageView::version(message),
            incident: message.incident,
            problem: message.problem,
            to: message.to.clone(),
            reason: message.reason,
            subject: message.subject.clone(),
            state: message.sending.state.word().to_owned(),
            template: message.template.clone(),
            rule: given(&message.notify_rule),
            thread: message.thread,
            attempts: message.sending.attempts,
            fallback: given(&message.sending.fallback),
            last_error: given(&message.sending.last_error),
            planned_at: message.planned_at,
            retry_at: message.sending.retry_at,
            done_at: message.sending.done_at,
            revived_at: message.sending.revived_at,
        }
    }
}
