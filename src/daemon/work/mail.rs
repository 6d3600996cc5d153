//! Mail: messages are rendered and delivered, one in flight for each recipient, and what came of it is reported to the writer.
//!
//! An effect names a row, so nothing here needs to survive a crash: a start asks for every unfinished message again.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::warn;
use watchkeeper_engine::effect::Effect;
use watchkeeper_engine::event::Event;
use watchkeeper_engine::ids::MessageId;
use watchkeeper_engine::model::message::Message;
use watchkeeper_engine::time::{Span, Time};

use crate::mail::{MailSettings, RENDER_DEADLINE, Templates, Transport, render_within};
use crate::writer::WriterHandle;

/// Lanes side by side. A recipient always takes the same one, so that their mails keep their order and one is in flight at a time.
const LANES: usize = 4;
/// Messages that wait in one lane; more wait in front of it.
const LANE_MESSAGES_MAX: usize = 256;
/// Messages that are fetched from the writer in one question.
const FETCH_MAX: usize = 64;
/// After how long a mail is tried again; after the last of these, always so.
const RETRY_AFTER: [Span; 5] = [Span::seconds(15), Span::minutes(1), Span::minutes(5), Span::minutes(15), Span::minutes(30)];
/// After how long a mail that never left is given up: two nights, so that a mail server that fails on Friday evening is seen on Saturday.
const GIVE_UP_AFTER: Span = Span::hours(48);

/// What mail work needs.
#[derive(Clone)]
pub struct MailWork {
    /// Where messages are read and results reported.
    pub writer: WriterHandle,
    /// The templates in force.
    pub templates: Arc<ArcSwap<Templates>>,
    /// Sender, links and Message-IDs.
    pub settings: Arc<MailSettings>,
    /// The way out.
    pub transport: Transport,
}

/// One thing to do with one message.
struct Job {
    effect: Effect,
    message: Message,
    now: Time,
}

/// Works until `effects` is closed and every lane has finished what it had.
///
/// The channel holds at most one effect for each message of the outbox, because a message has one at a time.
pub async fn start(work: MailWork, mut effects: mpsc::UnboundedReceiver<Effect>) {
    let mut lanes = Vec::with_capacity(LANES);
    let mut running = JoinSet::new();
    for _ in 0..LANES {
        let (lane, jobs) = mpsc::channel(LANE_MESSAGES_MAX);
        lanes.push(lane);
        running.spawn(lane_work(work.clone(), jobs));
    }
    let mut asked = Vec::with_capacity(FETCH_MAX);
    while effects.recv_many(&mut asked, FETCH_MAX).await > 0 {
        let wanted: Vec<Effect> = std::mem::take(&mut asked);
        let fetched = work.writer.ask(move |state, _, now| {
            let fetch =
                |effect: &Effect| state.messages.get(&id_of(*effect)).map(|message| Job { effect: *effect, message: message.clone(), now });
            wanted.iter().filter_map(fetch).collect::<Vec<Job>>()
        });
        // The daemon stops: the next start asks for what is left.
        let Ok(jobs) = fetched.await else { break };
        for job in jobs {
            let lane = &lanes[lane_of(&job.message.to)];
            if lane.send(job).await.is_err() {
                warn!("A mail lane has ended.");
            }
        }
    }
    drop(lanes);
    while running.join_next().await.is_some() {}
}

async fn lane_work(work: MailWork, mut jobs: mpsc::Receiver<Job>) {
    while let Some(job) = jobs.recv().await {
        let event = match job.effect {
            Effect::Render(id) => render(&work, id, job).await,
            Effect::Deliver(id) => deliver(&work, id, job).await,
        };
        if work.writer.report(event).await.is_err() {
            return;
        }
    }
}

async fn render(work: &MailWork, id: MessageId, job: Job) -> Event {
    let message = Arc::new(job.message);
    let (templates, settings) = (work.templates.load_full(), Arc::clone(&work.settings));
    let rendered = tokio::task::spawn_blocking(move || render_within(&message, &templates, &settings, RENDER_DEADLINE)).await;
    match rendered {
        Ok(Ok(rendered)) => {
            if !rendered.fallback.is_empty() {
                warn!(message = %id, why = rendered.fallback, "A mail goes out with the built-in text.");
            }
            Event::Rendered { id, bytes: rendered.bytes, fallback: rendered.fallback }
        }
        Ok(Err(bad)) => Event::DeliveryFailed { id, error: bad.to_string(), retry_at: None },
        Err(panic) => Event::DeliveryFailed { id, error: format!("rendering failed: {panic}"), retry_at: Some(job.now + RETRY_AFTER[0]) },
    }
}

async fn deliver(work: &MailWork, id: MessageId, job: Job) -> Event {
    let Job { message, now, .. } = job;
    let retry_at = retry_at(&message, now);
    let transport = work.transport.clone();
    let delivered = tokio::task::spawn_blocking(move || transport.deliver(&message)).await;
    match delivered {
        Ok(Ok(())) => Event::Delivered { id },
        Ok(Err(error)) => {
            warn!(message = %id, %error, "A mail did not leave.");
            Event::DeliveryFailed { id, error: error.to_string(), retry_at: retry_at.filter(|_| !error.is_permanent()) }
        }
        Err(panic) => Event::DeliveryFailed { id, error: format!("delivery failed: {panic}"), retry_at },
    }
}

/// When a message that fails at `now` is tried again; `None` once it is given up.
fn retry_at(message: &Message, now: Time) -> Option<Time> {
    let tries = usize::try_from(message.attempts).unwrap_or(usize::MAX);
    let at = now + RETRY_AFTER[tries.min(RETRY_AFTER.len() - 1)];
    (at - message.planned_at < GIVE_UP_AFTER).then_some(at)
}

const fn id_of(effect: Effect) -> MessageId {
    match effect {
        Effect::Render(id) | Effect::Deliver(id) => id,
    }
}

fn lane_of(address: &str) -> usize {
    let mut hasher = DefaultHasher::new();
    address.hash(&mut hasher);
    usize::try_from(hasher.finish() % LANES as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use watchkeeper_engine::model::message::{Content, MessageState};
    use watchkeeper_engine::words::Reason;

    use super::*;

    #[test]
    fn a_mail_that_does_not_leave_is_tried_less_and_less_often_and_given_up_after_two_days() {
        let planned = Time(1_795_485_840_000);
        let mut message = Message {
            id: MessageId(1),
            incident: None,
            to: "net@example.org".into(),
            reason: Reason::Opened,
            template: "opened".into(),
            subject: String::new(),
            thread: MessageId(1),
            notify_rule: String::new(),
            team: String::new(),
            zone: String::new(),
            planned_at: planned,
            content: Content::default(),
            state: MessageState::Rendered,
            attempts: 0,
            bytes: Vec::new(),
            fallback: String::new(),
            last_error: String::new(),
            done_at: None,
            retry_at: None,
        };
        let mut waits = Vec::new();
        let mut now = planned;
        while let Some(at) = retry_at(&message, now) {
            waits.push(at - now);
            now = at;
            message.attempts += 1;
        }
        let first = [Span::seconds(15), Span::minutes(1), Span::minutes(5), Span::minutes(15)];
        assert_eq!(waits[..4], first);
        assert!(waits[4..].iter().all(|wait| *wait == Span::minutes(30)), "{waits:?}");
        let lasted = now - planned;
        assert!(lasted < Span::hours(48) && Span(lasted.0 + Span::minutes(30).0) >= Span::hours(48), "{}", lasted.words());
    }

    #[test]
    fn a_recipient_keeps_their_lane() {
        assert_eq!(lane_of("net@example.org"), lane_of("net@example.org"));
        let used: std::collections::BTreeSet<usize> = (0..100).map(|n| lane_of(&format!("p{n}@example.org"))).collect();
        assert_eq!(used.len(), LANES);
    }
}
