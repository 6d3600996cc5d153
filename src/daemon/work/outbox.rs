//! The outbox at work: messages are rendered and delivered by their channel, a few of each at a time, and what came of it is reported to the writer.
//!
//! A message stands in a row, so nothing here needs to survive a crash: a start asks for every unfinished one again. A server that is slow or dead holds up
//! what goes through it, and nothing else: rendering, mail and each hook have a lane of their own.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use prometheus::IntGauge;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::warn;
use watchkeeper_engine::decide::outbox;
use watchkeeper_engine::event::{Event, Lasts};
use watchkeeper_engine::ids::MessageId;
use watchkeeper_engine::model::message::{Channel, Message, MessageState};

use crate::health::Health;
use crate::hook::Hooks;
use crate::mail::{IDLE_MAX, MailSettings, RENDER_DEADLINE, Transport, render_within};
use crate::published::Current;
use crate::telemetry::Metrics;
use crate::writer::{Full, WriterHandle};

/// Messages that are rendered at once. Each has a thread of its own meanwhile.
const RENDERS: usize = 4;
/// Messages that one hook gets at once, of different incidents.
const HOOK_POSTS: usize = 4;
/// Messages that wait in a lane, with their bytes: some 20 MiB of mails. Further ones stay in their rows, and the lane asks for them once it is empty.
const LANE_MAX: usize = 512;

/// What work on the outbox needs.
#[derive(Clone)]
pub struct OutboxWork {
    /// Where results are reported.
    pub writer: WriterHandle,
    /// The templates in force, and the time.
    pub current: Current,
    /// Sender, links and Message-IDs.
    pub settings: Arc<MailSettings>,
    /// The way out of mails.
    pub transport: Transport,
    /// The way out of messages to hooks.
    pub hooks: Arc<Hooks>,
    /// Where the last failure of mail and of each hook is shown.
    pub health: Arc<Health>,
    /// Where lanes are counted.
    pub metrics: Arc<Metrics>,
    /// Ends the work: what is in flight is finished, what waits is left to the next start.
    pub stop: CancellationToken,
}

/// What a lane does with its messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// Makes their bytes.
    Render,
    /// Sends mails.
    Mail,
    /// Posts to the hook of this name; `None`: to hooks that the configuration does not have.
    Hook(Option<String>),
}

/// The end of a lane that takes messages.
pub(super) struct Lane {
    messages: mpsc::Sender<Arc<Message>>,
    behind: Arc<AtomicBool>,
    depth: IntGauge,
}

impl Lane {
    /// Starts a lane among `lanes`.
    pub(super) fn start(work: &OutboxWork, kind: Kind, lanes: &mut JoinSet<()>) -> Lane {
        let (messages, waiting) = mpsc::channel(LANE_MAX);
        let behind = Arc::new(AtomicBool::new(false));
        let depth = work.metrics.lane_messages.with_label_values(&[kind.name().as_str()]);
        lanes.spawn(run(work.clone(), kind, waiting, Arc::clone(&behind)));
        Lane { messages, behind, depth }
    }

    /// Gives it a message. Where it is full, the lane asks for what stands in the rows once it has room.
    pub(super) fn put(&self, message: Arc<Message>) {
        // Until the lane itself says how many it has.
        self.depth.inc();
        if self.messages.try_send(message).is_err() {
            self.behind.store(true, Ordering::Release);
        }
    }
}

impl Kind {
    /// The lane's name in metrics.
    fn name(&self) -> String {
        match self {
            Kind::Render => "render".to_owned(),
            Kind::Mail => "mail".to_owned(),
            Kind::Hook(name) => Channel::Hook(name.as_deref().unwrap_or("?")).address(),
        }
    }

    fn at_once(&self, work: &OutboxWork) -> usize {
        match self {
            Kind::Render => RENDERS,
            Kind::Mail => work.transport.at_once(),
            Kind::Hook(_) => HOOK_POSTS,
        }
    }

    /// Whether a rendered message goes out by this lane.
    fn delivers(&self, message: &Message, hooks: &Hooks) -> bool {
        match (self, message.channel()) {
            (Kind::Render, _) | (Kind::Mail, Channel::Hook(_)) | (Kind::Hook(_), Channel::Mail) => false,
            (Kind::Mail, Channel::Mail) => true,
            (Kind::Hook(Some(own)), Channel::Hook(name)) => own == name,
            (Kind::Hook(None), Channel::Hook(name)) => hooks.get(name).is_none(),
        }
    }
}

/// One lane, each message of it once at a time.
async fn run(work: OutboxWork, kind: Kind, mut waiting: mpsc::Receiver<Arc<Message>>, behind: Arc<AtomicBool>) {
    let mut running = JoinSet::new();
    let mut begun: BTreeSet<MessageId> = BTreeSet::new();
    let mut again: VecDeque<Arc<Message>> = VecDeque::new();
    let name = kind.name();
    let depth = work.metrics.lane_messages.with_label_values(&[name.as_str()]);
    for outcome in OUTCOMES {
        work.metrics.lane_tries.with_label_values(&[name.as_str(), outcome]).inc_by(0);
    }
    loop {
        depth.set(i64::try_from(waiting.len() + again.len() + running.len()).unwrap_or(i64::MAX));
        while running.len() >= kind.at_once(&work) {
            done(running.join_next().await, &mut begun);
        }
        if again.is_empty() && waiting.is_empty() && running.is_empty() && behind.swap(false, Ordering::Acquire) {
            again = left(&work, &kind).await;
        }
        let next = match again.pop_front() {
            Some(message) => Next::Begin(message),
            None => tokio::select! {
                () = work.stop.cancelled() => Next::Stop,
                ended = running.join_next(), if !running.is_empty() => Next::Ended(ended),
                message = waiting.recv() => message.map_or(Next::Stop, Next::Begin),
                () = tokio::time::sleep(IDLE_MAX), if kind == Kind::Mail => Next::Idle,
            },
        };
        match next {
            Next::Stop => break,
            Next::Ended(ended) => done(ended, &mut begun),
            Next::Idle => work.transport.rest().await,
            Next::Begin(_) if work.stop.is_cancelled() => break,
            Next::Begin(message) if begun.insert(message.id) => {
                running.spawn(one(work.clone(), kind.clone(), message));
            }
            // It is being done; what comes of that decides what follows.
            Next::Begin(_) => {}
        }
    }
    while running.join_next().await.is_some() {}
}

enum Next {
    Begin(Arc<Message>),
    Ended(Option<Result<MessageId, JoinError>>),
    Idle,
    Stop,
}

fn done(ended: Option<Result<MessageId, JoinError>>, begun: &mut BTreeSet<MessageId>) {
    match ended {
        Some(Ok(id)) => {
            begun.remove(&id);
        }
        // Its message stays as it is until the next start.
        Some(Err(error)) => warn!(%error, "A worker of the outbox failed."),
        None => {}
    }
}

/// What stands in the rows for a lane that had no room, the oldest first.
async fn left(work: &OutboxWork, kind: &Kind) -> VecDeque<Arc<Message>> {
    loop {
        let (kind, hooks) = (kind.clone(), Arc::clone(&work.hooks));
        let asked = work.writer.ask(move |state, _, now| {
            let is_due = |message: &&Message| match message.sending.state {
                MessageState::Planned => kind == Kind::Render,
                MessageState::Rendered => kind.delivers(message, &hooks) && outbox::next_in(state, message.thread, now) == Some(message.id),
                MessageState::Delivered | MessageState::Dead => false,
            };
            let waiting = state.messages.values().filter(|message| message.sending.retry_at.is_none_or(|at| at <= now)).filter(is_due);
            // One more than there is room for would be known again only by the next start.
            waiting.map(|message| Arc::new(message.clone())).take(LANE_MAX).collect::<VecDeque<_>>()
        });
        match asked.await {
            Ok(found) => return found,
            Err(Full::Busy) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
            Err(Full::Stopping) => return VecDeque::new(),
        }
    }
}

async fn one(work: OutboxWork, kind: Kind, message: Arc<Message>) -> MessageId {
    let id = message.id;
    let lane = kind.name();
    let event = match kind {
        Kind::Render => render(&work, message).await,
        Kind::Mail => send(&work, message).await,
        Kind::Hook(_) => post(&work, &message).await,
    };
    work.metrics.lane_tries.with_label_values(&[lane.as_str(), outcome(&event)]).inc();
    // Where it cannot be reported the daemon stops, and the next start asks again.
    if let Ok(told) = work.writer.report(event).await {
        // The effect that may follow comes after the commit.
        told.await.ok();
    }
    id
}

/// What becomes of a try.
const OUTCOMES: [&str; 3] = ["done", "failed", "dead"];

fn outcome(event: &Event) -> &'static str {
    let [done, failed, dead] = OUTCOMES;
    match event {
        Event::DeliveryFailed { lasts: Lasts::ForGood, .. } => dead,
        Event::DeliveryFailed { lasts: Lasts::ForNow | Lasts::AtLeast(_), .. } => failed,
        Event::Started | Event::World(_) | Event::Alerts { .. } | Event::Command(_) | Event::Forecast(_) => done,
        Event::Rendered { .. } | Event::Delivered { .. } => done,
    }
}

async fn render(work: &OutboxWork, message: Arc<Message>) -> Event {
    let id = message.id;
    let (templates, settings) = (Arc::clone(&work.current.load().templates), Arc::clone(&work.settings));
    let rendered = tokio::task::spawn_blocking(move || render_within(&message, &templates, &settings, RENDER_DEADLINE)).await;
    match rendered {
        Ok(Ok(rendered)) => {
            if !rendered.fallback.is_empty() {
                warn!(message = %id, why = rendered.fallback, "A message goes out with the built-in text.");
            }
            Event::Rendered { id, bytes: rendered.bytes, fallback: rendered.fallback }
        }
        Ok(Err(bad)) => Event::DeliveryFailed { id, error: bad.to_string(), lasts: Lasts::ForGood },
        Err(panic) => Event::DeliveryFailed { id, error: format!("rendering failed: {panic}"), lasts: Lasts::ForNow },
    }
}

async fn send(work: &OutboxWork, message: Arc<Message>) -> Event {
    let id = message.id;
    match work.transport.deliver(Arc::unwrap_or_clone(message)).await {
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

async fn post(work: &OutboxWork, message: &Message) -> Event {
    let id = message.id;
    let Channel::Hook(name) = message.channel() else {
        return Event::DeliveryFailed { id, error: "no message to a hook".to_owned(), lasts: Lasts::ForGood };
    };
    let Some(hook) = work.hooks.get(name) else {
        work.health.set_hook_fault(name, "daemon.toml has no [[out]] of that name".to_owned());
        // It may be there again after the next start.
        return Event::DeliveryFailed { id, error: format!("daemon.toml has no [[out]] {name}"), lasts: Lasts::ForNow };
    };
    match hook.post(&work.settings.hook_message_id(id), &message.sending.bytes, work.current.now()).await {
        Ok(_) => {
            work.health.set_hook_fault(name, String::new());
            Event::Delivered { id }
        }
        Err(error) => {
            warn!(message = %id, hook = name, %error, "A hook did not take a message.");
            work.health.set_hook_fault(name, error.said.clone());
            Event::DeliveryFailed { id, error: error.said, lasts: error.lasts }
        }
    }
}
