//! What an operator can want of a message.

use super::{Answer, Asked, Decision, Subject, Then};
use crate::fact::Fact;
use crate::ids::MessageId;
use crate::model::message::{self, Message, MessageState, Sending};

/// It is tried again at once.
pub(super) fn retry(asked: Asked<'_>, id: MessageId) -> Decision {
    let answer = match asked.state.messages.get(&id) {
        None => Answer::NotFound,
        Some(message) if message.sending.state == MessageState::Rendered || message.sending.state == MessageState::Planned => {
            Answer::does(vec![Fact::Message(message::Fact::Hurried { id, by: asked.actor.to_owned(), retry_at: asked.now })])
        }
        Some(_) => Answer::Holds,
    };
    Decision { subject: Subject::Message(id), answer }
}

/// What was given up is tried again. The record comes with the command, because State no longer has it; where it has, somebody was quicker.
pub(super) fn revive(asked: Asked<'_>, dead: &Message, sending: &Sending) -> Decision {
    let id = dead.id;
    if asked.state.messages.contains_key(&id) {
        return retry(asked, id);
    }
    let answer = match sending.state {
        MessageState::Dead => {
            let revived = message::Fact::Revived { message: Box::new(dead.clone()), sending: Box::new(sending.clone()) };
            Answer::Does { facts: vec![Fact::Message(revived)], then: Then::Send(id) }
        }
        MessageState::Planned | MessageState::Rendered | MessageState::Delivered => Answer::Holds,
    };
    Decision { subject: Subject::Message(id), answer }
}
