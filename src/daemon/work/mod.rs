//! Workers: what the engine asks of the world. Each effect is done off the writer, in a lane of its own kind, and comes back to it as an event.

mod capacity;
mod outbox;
mod topic;

use std::collections::BTreeMap;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use watchkeeper_engine::effect::Effect;
use watchkeeper_engine::model::message::{Channel, Message};

pub use capacity::{CapacityWork, Questions};
pub use outbox::OutboxWork;
use outbox::{Kind, Lane};
pub use topic::{NotWriting, Writing, start as write_topic};

/// Gives every effect to its lane, until `effects` is closed or the work is stopped.
pub async fn start(work: OutboxWork, questions: Questions, mut effects: mpsc::UnboundedReceiver<Effect>) {
    let mut running = JoinSet::new();
    let lanes = Lanes::start(&work, &mut running);
    while let Some(Some(effect)) = work.stop.run_until_cancelled(effects.recv()).await {
        match effect {
            Effect::Render(message) => lanes.renders.put(message),
            Effect::Deliver(message) => lanes.of(&message).put(message),
            // Where nobody asks, as in the demo, nothing is answered.
            Effect::Query(rule) => questions.put(rule),
        }
    }
    drop(lanes);
    while running.join_next().await.is_some() {}
    work.transport.rest().await;
}

/// A lane for each kind of work on messages.
struct Lanes {
    renders: Lane,
    mails: Lane,
    hooks: BTreeMap<String, Lane>,
    unknown_hooks: Lane,
}

impl Lanes {
    fn start(work: &OutboxWork, running: &mut JoinSet<()>) -> Lanes {
        work.hooks.names().for_each(|name| work.health.set_hook_fault(name, String::new()));
        let renders = Lane::start(work, Kind::Render, running);
        let mails = Lane::start(work, Kind::Mail, running);
        let unknown_hooks = Lane::start(work, Kind::Hook(None), running);
        let hook = |name: &str| (name.to_owned(), Lane::start(work, Kind::Hook(Some(name.to_owned())), running));
        Lanes { renders, mails, hooks: work.hooks.names().map(hook).collect(), unknown_hooks }
    }

    /// The lane by which a message goes out.
    fn of(&self, message: &Message) -> &Lane {
        match message.channel() {
            Channel::Mail => &self.mails,
            Channel::Hook(name) => self.hooks.get(name).unwrap_or(&self.unknown_hooks),
        }
    }
}
