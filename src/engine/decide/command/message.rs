//! What an operator can want of a message.

use super::{Answer, Asked, Decision, Subject};
use crate::fact::Fact;
use crate::ids::MessageId;
use crate::model::message::{self, MessageState};

/// It is tried again at once.
pub(super) fn retry(asked: Asked<'_>, id: MessageId) -> Decision {
    let answer = match asked.state.messages.get(&id) {
        None => Answer::NotFound,
        Some(message) if message.state == MessageState::Rendered || message.state == MessageState::Planned => {
            let error = format!("{} asked to try again at once", asked.actor);
            Answer::does(vec![Fact::Message(message::Fact::Failed { id, error, retry_at: Some(asked.now) })])
        }
        Some(_) => Answer::Holds,
    };
    Decision { subject: Subject::Message(id), answer }
}
