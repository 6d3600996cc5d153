//! Messages: the outbox, in the order of each thread.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

use super::realms::Counts;
use super::rows::Row;
use super::{Apply, Part, State, Timer};
use crate::ids::MessageId;
use crate::model::message::{Fact, Message, Sending};

/// Messages that are not done.
#[derive(Debug, Clone, Default)]
pub struct Messages {
    live: BTreeMap<MessageId, Message>,
    /// Unfinished messages by their thread.
    threads: BTreeSet<(MessageId, MessageId)>,
    past: BTreeMap<MessageId, Message>,
}

impl Deref for Messages {
    type Target = BTreeMap<MessageId, Message>;

    fn deref(&self) -> &Self::Target {
        &self.live
    }
}

impl Messages {
    fn put(&mut self, message: Message) {
        self.threads.insert((message.thread, message.id));
        self.live.insert(message.id, message);
    }

    fn take(&mut self, id: MessageId) -> Option<Message> {
        let message = self.live.remove(&id)?;
        self.threads.remove(&(message.thread, id));
        Some(message)
    }
}

impl State {
    /// The unfinished messages of a thread, in the order they were planned.
    pub fn unfinished_in(&self, thread: MessageId) -> impl Iterator<Item = &Message> {
        let ids = self.messages.threads.range((thread, MessageId(0))..=(thread, MessageId(u64::MAX)));
        ids.filter_map(|(_, id)| self.messages.live.get(id))
    }
}

impl Part for Messages {
    type Fact = Fact;

    fn apply(state: &mut State, fact: &Fact, cx: &mut Apply<'_>) {
        let id = match fact {
            Fact::Planned { message } => {
                state.messages.put(Message { sending: Sending::planned(message.id), ..(**message).clone() });
                state.give(message.id.shard(), Counts::Messages, message.id.number(), cx);
                cx.touch(Row::Message(message.id));
                message.id
            }
            Fact::Revived { message, sending } => {
                state.messages.put(Message { sending: (**sending).clone(), ..(**message).clone() });
                // The rows among those that are done go.
                state.messages.past.remove(&message.id);
                touch_both(cx, message);
                message.id
            }
            Fact::Rendered { id, .. } | Fact::Delivered { id } | Fact::Failed { id, .. } | Fact::Hurried { id, .. } => *id,
        };
        let messages = &mut state.messages;
        let Some(message) = messages.live.get_mut(&id) else { return };
        message.sending.apply(fact, cx.now);
        let (done, retry_at) = (message.sending.is_done(), message.sending.retry_at);
        cx.touch(Row::Sending(id));
        if done && let Some(message) = messages.take(id) {
            touch_both(cx, &message);
            messages.past.insert(id, message);
        }
        state.arm(retry_at, Timer::Retry(id));
    }

    fn arm(state: &mut State) {
        for (id, at) in state.messages.live.iter().map(|(id, message)| (*id, message.sending.retry_at)).collect::<Vec<_>>() {
            state.arm(at, Timer::Retry(id));
        }
    }

    fn settle(&mut self) {
        self.past.clear();
    }
}

/// A message that moves between what lives and what is done: both its rows, there and here.
fn touch_both(cx: &mut Apply<'_>, message: &Message) {
    let id = message.id;
    for row in [Row::Message(id), Row::Sending(id), Row::PastSending(id)] {
        cx.touch(row);
    }
    cx.touch_past(Row::PastMessage(id), message);
}

pub(super) fn message<'a>(state: &'a State, id: &MessageId) -> Option<&'a Message> {
    state.messages.live.get(id)
}

pub(super) fn take_message(state: &mut State, message: Message) {
    let sending = Sending::planned(message.id);
    state.messages.put(Message { sending, ..message });
}

pub(super) fn sending<'a>(state: &'a State, id: &MessageId) -> Option<&'a Sending> {
    state.messages.live.get(id).map(|message| &message.sending)
}

pub(super) fn take_sending(state: &mut State, sending: Sending) {
    if let Some(message) = state.messages.live.get_mut(&sending.id) {
        message.sending = sending;
    }
}

pub(super) fn past_message<'a>(state: &'a State, id: &MessageId) -> Option<&'a Message> {
    state.messages.past.get(id)
}

pub(super) fn past_sending<'a>(state: &'a State, id: &MessageId) -> Option<&'a Sending> {
    state.messages.past.get(id).map(|message| &message.sending)
}
