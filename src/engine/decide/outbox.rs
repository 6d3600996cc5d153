//! The outbox's order: which message of a thread is sent next, and when one that failed is tried again.

use crate::ids::MessageId;
use crate::limits;
use crate::model::message::{Message, MessageState};
use crate::state::State;
use crate::time::Time;

/// The message of a thread that may be sent at `now`: its first unfinished one, once it is rendered and does not wait for its next try.
///
/// A thread is one recipient's, so their mails about an incident keep their order, and one is in flight at a time.
pub fn next_in(state: &State, thread: MessageId, now: Time) -> Option<MessageId> {
    let first = state.unfinished_in(thread).next()?;
    let is_due = first.sending.retry_at.is_none_or(|at| at <= now);
    (first.sending.state == MessageState::Rendered && is_due).then_some(first.id)
}

/// When a message that fails at `now` is tried again; `None` once it is given up.
pub fn retry_at(message: &Message, now: Time) -> Option<Time> {
    let tries = usize::try_from(message.sending.attempts).unwrap_or(usize::MAX);
    let at = now + limits::MESSAGE_RETRY_AFTER[tries.min(limits::MESSAGE_RETRY_AFTER.len() - 1)];
    (at - message.tried_since() < limits::MESSAGE_GIVE_UP_AFTER).then_some(at)
}
