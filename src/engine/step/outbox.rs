//! The outbox on its way: rendered, delivered, failed, tried again, one message of a thread after the other.

use std::sync::Arc;

use super::Turn;
use crate::decide::outbox;
use crate::effect::Effect;
use crate::event::Lasts;
use crate::ids::MessageId;
use crate::limits;
use crate::model::message::{self, Message, MessageState};

impl Turn<'_> {
    /// After a start every unfinished message is asked for again, unless it waits for its next try.
    pub(super) fn ask_for_messages(&mut self) {
        for message in self.state.messages.values().filter(|message| message.sending.retry_at.is_none()) {
            match message.sending.state {
                MessageState::Planned => self.out.effects.push(Effect::Render(Arc::new(message.clone()))),
                MessageState::Rendered if outbox::next_in(self.state, message.thread, self.now) == Some(message.id) => {
                    self.out.effects.push(Effect::Deliver(Arc::new(message.clone())));
                }
                MessageState::Rendered | MessageState::Delivered | MessageState::Dead => {}
            }
        }
    }

    pub(super) fn rendered(&mut self, id: MessageId, bytes: Vec<u8>, fallback: String) {
        // A second rendering of the same message changes nothing: its bytes never change once they are decided.
        let Some(message) = self.state.messages.get(&id).filter(|message| message.sending.state == MessageState::Planned) else { return };
        let thread = message.thread;
        self.put(message::Fact::Rendered { id, bytes, fallback });
        if outbox::next_in(self.state, thread, self.now) == Some(id) {
            self.deliver(id);
        }
    }

    pub(super) fn delivered(&mut self, id: MessageId) {
        let thread = self.thread_that_waits_for(id);
        self.put(message::Fact::Delivered { id });
        self.send_next(thread);
    }

    pub(super) fn delivery_failed(&mut self, id: MessageId, error: String, lasts: Lasts) {
        let Some(message) = self.state.messages.get(&id) else { return };
        let (error, retry_at) = match (lasts, outbox::retry_at(message, self.now)) {
            (Lasts::ForGood, _) => (error, None),
            (Lasts::AtLeast(span), Some(at)) => (error, Some(at.max(self.now + span.min(limits::RETRY_AFTER_MAX)))),
            (Lasts::ForNow | Lasts::AtLeast(_), None) => {
                (format!("given up after {}: {error}", limits::MESSAGE_GIVE_UP_AFTER.words()), None)
            }
            (Lasts::ForNow, at) => (error, at),
        };
        let thread = self.thread_that_waits_for(id).filter(|_| retry_at.is_none());
        self.put(message::Fact::Failed { id, error, retry_at });
        self.send_next(thread);
    }

    /// What was given up is asked for again, in its place in the thread: what was planned after it waits.
    pub(super) fn revived(&mut self, id: MessageId) {
        let Some(message) = self.state.messages.get(&id) else { return };
        match message.sending.state {
            MessageState::Planned => self.render(id),
            MessageState::Rendered => self.send_next(Some(message.thread)),
            MessageState::Delivered | MessageState::Dead => {}
        }
    }

    pub(super) fn retry_due(&mut self, id: MessageId) {
        let due = |message: &&Message| message.sending.retry_at.is_some_and(|at| at <= self.now);
        let Some(message) = self.state.messages.get(&id).filter(due) else { return };
        match message.sending.state {
            MessageState::Planned => self.render(id),
            MessageState::Rendered => self.send_next(Some(message.thread)),
            MessageState::Delivered | MessageState::Dead => {}
        }
    }

    /// The thread whose next message waits until this one is done.
    fn thread_that_waits_for(&self, id: MessageId) -> Option<MessageId> {
        let thread = self.state.messages.get(&id)?.thread;
        let first = self.state.unfinished_in(thread).next()?;
        (first.id == id).then_some(thread)
    }

    fn send_next(&mut self, thread: Option<MessageId>) {
        let next = thread.and_then(|thread| outbox::next_in(self.state, thread, self.now));
        if let Some(id) = next {
            self.deliver(id);
        }
    }

    fn render(&mut self, id: MessageId) {
        self.out.effects.extend(self.state.messages.get(&id).map(|message| Effect::Render(Arc::new(message.clone()))));
    }

    fn deliver(&mut self, id: MessageId) {
        self.out.effects.extend(self.state.messages.get(&id).map(|message| Effect::Deliver(Arc::new(message.clone()))));
    }
}
