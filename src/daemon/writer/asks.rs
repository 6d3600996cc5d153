//! What the writer is asked and what it answers to that: whoever asks gets the answer to this question, and has no other to tell apart.

use tokio::sync::oneshot;
use watchkeeper_engine::event::{Command, Event, Obeyed, Reply, Taken};
use watchkeeper_engine::input::{AlertInput, Refused};

/// What is decided for somebody who waits for the answer.
pub trait Ask {
    /// What they are told after the commit.
    type Reply: Send + 'static;

    /// What happens.
    fn event(self) -> Event;

    /// The answer out of what came of it; `None`: the event has another.
    fn reply(reply: Reply) -> Option<Self::Reply>;
}

/// Alerts of one request, and what of it was refused with its source.
#[derive(Debug, Default)]
pub struct Alerts {
    /// What was understood.
    pub inputs: Vec<AlertInput>,
    /// What was not.
    pub refused: Vec<(String, Refused)>,
}

impl Ask for Alerts {
    type Reply = Vec<Taken>;

    fn event(self) -> Event {
        Event::Alerts { inputs: self.inputs, refused: self.refused }
    }

    fn reply(reply: Reply) -> Option<Vec<Taken>> {
        if let Reply::Taken(taken) = reply { Some(taken) } else { None }
    }
}

impl Ask for Command {
    type Reply = Obeyed;

    fn event(self) -> Event {
        Event::Command(self)
    }

    fn reply(reply: Reply) -> Option<Obeyed> {
        if let Reply::Obeyed(obeyed) = reply { Some(obeyed) } else { None }
    }
}

/// Who waits for the commit of something.
pub(super) enum Waits {
    /// Nobody.
    Nobody,
    /// Whoever wants to know that it is on disk.
    Written(oneshot::Sender<()>),
    /// Whoever wants to know what came of it.
    Replied(Box<dyn FnOnce(Reply) + Send>),
}

impl Waits {
    /// For the answer to an ask.
    pub(super) fn of<A: Ask>() -> (Waits, oneshot::Receiver<A::Reply>) {
        let (answer, told) = oneshot::channel();
        let tell = move |reply| {
            if let Some(reply) = A::reply(reply) {
                // Whoever went away before the answer learns it by asking again.
                answer.send(reply).ok();
            }
        };
        (Waits::Replied(Box::new(tell)), told)
    }

    /// For the commit.
    pub(super) fn written() -> (Waits, oneshot::Receiver<()>) {
        let (answer, told) = oneshot::channel();
        (Waits::Written(answer), told)
    }

    /// Tells them, after the commit.
    pub(super) fn tell(self, reply: Option<Reply>) {
        match (self, reply) {
            // Whoever went away knows it by the next start.
            (Waits::Written(answer), _) => drop(answer.send(())),
            (Waits::Replied(tell), Some(reply)) => tell(reply),
            (Waits::Nobody, _) | (Waits::Replied(_), None) => {}
        }
    }
}
