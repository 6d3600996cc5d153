//! Mail: messages are rendered and delivered, a few of each at a time, and what came of it is reported to the writer.
//!
//! An effect names a row, so nothing here needs to survive a crash: a start asks for every unfinished message again. A server that is slow
//! or dead holds up what goes through it, and nothing else: rendering has workers of its own.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use watchkeeper_engine::effect::Effect;
use watchkeeper_engine::event::{Event, Lasts};
use watchkeeper_engine::ids::MessageId;
use watchkeeper_engine::model::message::Message;

use crate::health::Health;
use crate::mail::{IDLE_MAX, MailSettings, RENDER_DEADLINE, Transport, render_within};
use crate::published::Current;
use crate::writer::{Full, WriterHandle};

/// Messages that are rendered at once. Each has a thread of its own meanwhile.
const RENDERS: usize = 4;

/// What mail work needs.
#[derive(Clone)]
pub struct MailWork {
    /// Where messages are read and results reported.
    pub writer: WriterHandle,
    /// The templates in force.
    pub current: Current,
    /// Sender, links and Message-IDs.
    pub settings: Arc<MailSettings>,
    /// The way out.
    pub transport: Transport,
    /// Where the last failure is shown.
    pub health: Arc<Health>,
    /// Ends the work: what is in flight is finished, what waits is left to the next start.
    pub stop: CancellationToken,
}

/// Works until `effects` is closed or the work is stopped. Questions of capacity rules are handed on to `queries`.
///
/// The queues hold at most one id for each message of the outbox, because a message has one effect at a time.
pub async fn start(work: MailWork, queries: mpsc::UnboundedSender<String>, mut effects: mpsc::UnboundedReceiver<Effect>) {
    let (renders, to_render) = mpsc::unbounded_channel();
    let (deliveries, to_deliver) = mpsc::unbounded_channel();
    let mut stages = JoinSet::new();
    stages.spawn(stage(work.clone(), to_render, RENDERS, Stage::Render));
    stages.spawn(stage(work.clone(), to_deliver, work.transport.at_once(), Stage::Deliver));
    while let Some(Some(effect)) = work.stop.run_until_cancelled(effects.recv()).await {
        let queued = match effect {
            Effect::Render(id) => renders.send(id),
            Effect::Deliver(id) => deliveries.send(id),
            Effect::Query(rule) => {
                // Where nobody asks, as in the demo, nothing is answered.
                queries.send(rule).ok();
                continue;
            }
        };
        if queued.is_err() {
            // The daemon stops: the next start asks for what is left.
            break;
        }
    }
    drop((renders, deliveries));
    while stages.join_next().await.is_some() {}
    work.transport.rest().await;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Render,
    Deliver,
}

/// One kind of work, `at_once` messages at a time, each of them once at a time.
async fn stage(work: MailWork, mut ids: mpsc::UnboundedReceiver<MessageId>, at_once: usize, stage: Stage) {
    let mut running = JoinSet::new();
    let mut begun: BTreeSet<MessageId> = BTreeSet::new();
    loop {
        while running.len() >= at_once {
            done(running.join_next().await, &mut begun);
        }
        let next = tokio::select! {
            () = work.stop.cancelled() => Next::Stop,
            ended = running.join_next(), if !running.is_empty() => Next::Ended(ended),
            id = ids.recv() => id.map_or(Next::Stop, Next::Begin),
            () = tokio::time::sleep(IDLE_MAX), if stage == Stage::Deliver => Next::Idle,
        };
        match next {
            Next::Stop => break,
            Next::Ended(ended) => done(ended, &mut begun),
            Next::Idle => work.transport.rest().await,
            Next::Begin(id) if begun.insert(id) => {
                running.spawn(one(work.clone(), id, stage));
            }
            // It is being done; what comes of that decides what follows.
            Next::Begin(_) => {}
        }
    }
    while running.join_next().await.is_some() {}
}

enum Next {
    Begin(MessageId),
    Ended(Option<Result<MessageId, tokio::task::JoinError>>),
    Idle,
    Stop,
}

fn done(ended: Option<Result<MessageId, tokio::task::JoinError>>, begun: &mut BTreeSet<MessageId>) {
    match ended {
        Some(Ok(id)) => {
            begun.remove(&id);
        }
        // Its message stays as it is until the next start.
        Some(Err(error)) => warn!(%error, "A worker of mail failed."),
        None => {}
    }
}

async fn one(work: MailWork, id: MessageId, stage: Stage) -> MessageId {
    let Some(message) = fetch(&work.writer, id).await else { return id };
    let event = match stage {
        Stage::Render => render(&work, message).await,
        Stage::Deliver => deliver(&work, message).await,
    };
    // Where it cannot be reported the daemon stops, and the next start asks again.
    if let Ok(told) = work.writer.report(event).await {
        // The effect that may follow comes after the commit.
        told.await.ok();
    }
    id
}

/// The message as it is in memory; `None` where it is done, or the daemon stops.
async fn fetch(writer: &WriterHandle, id: MessageId) -> Option<Message> {
    loop {
        match writer.ask(move |state, _, _| state.messages.get(&id).cloned()).await {
            Ok(message) => return message,
            Err(Full::Busy) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
            Err(Full::Stopping) => return None,
        }
    }
}

async fn render(work: &MailWork, message: Message) -> Event {
    let (id, message) = (message.id, Arc::new(message));
    let (templates, settings) = (Arc::clone(&work.current.load().templates), Arc::clone(&work.settings));
    let rendered = tokio::task::spawn_blocking(move || render_within(&message, &templates, &settings, RENDER_DEADLINE)).await;
    match rendered {
        Ok(Ok(rendered)) => {
            if !rendered.fallback.is_empty() {
                warn!(message = %id, why = rendered.fallback, "A mail goes out with the built-in text.");
            }
            Event::Rendered { id, bytes: rendered.bytes, fallback: rendered.fallback }
        }
        Ok(Err(bad)) => Event::DeliveryFailed { id, error: bad.to_string(), lasts: Lasts::ForGood },
        Err(panic) => Event::DeliveryFailed { id, error: format!("rendering failed: {panic}"), lasts: Lasts::ForNow },
    }
}

async fn deliver(work: &MailWork, message: Message) -> Event {
    let id = message.id;
    match work.transport.deliver(message).await {
        Ok(()) => {
            work.health.set_mail_fault(String::new());
            Event::Delivered { id }
        }
        Err(error) => {
            warn!(message = %id, %error, "A mail did not leave.");
            let lasts = if error.is_permanent() { Lasts::ForGood } else { Lasts::ForNow };
            if lasts == Lasts::ForNow {
                work.health.set_mail_fault(error.to_string());
            }
            Event::DeliveryFailed { id, error: error.to_string(), lasts }
        }
    }
}
