//! What waits for the writer: three bounded lanes of events, and the questions that are answered between batches.
//!
//! Nobody blocks here but the writer. What does not fit is refused at once, and whoever sent it decides: a webhook answers 503 with Retry-After, a worker waits
//! for room, an operator is told.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use watchkeeper_engine::event::{Event, Reply, World};
use watchkeeper_engine::state::State;
use watchkeeper_engine::time::Time;
use watchkeeper_store::{RowChange, SourceFile, SourceKind};

use super::asks::Waits;
use super::letters::DeadInput;
use super::limits::{BATCH_BYTES_MAX, BATCH_EVENTS_MAX};

use crate::clock::{Clock, Timekeeper};
use crate::mail::Templates;

/// Events that operators and workers get of a batch while webhooks wait: a quarter, so that neither starves the other.
const OPERATORS_QUOTA: usize = BATCH_EVENTS_MAX / 4;
/// Submissions that wait in the lane of operators and results. A full lane refuses operators and lets workers wait.
const OPERATORS_WAITING_MAX: usize = 4_096;
/// Submissions that wait in the lane of webhooks. Beyond it, or beyond the bytes in flight, they are answered 503 with Retry-After.
const WEBHOOKS_WAITING_MAX: usize = 16_384;
/// Batches of Kafka records that wait: the thread that reads them has fewer under way, and reads again what finds no room.
const KAFKA_WAITING_MAX: usize = 32;
/// Events that Kafka gets of a batch while its records wait, whatever the webhooks bring: a quarter.
const KAFKA_QUOTA: usize = BATCH_EVENTS_MAX / 4;
/// Questions that wait. Beyond it the asker is told to ask again.
const QUESTIONS_WAITING_MAX: usize = 256;
/// Questions answered between two batches, so that askers cannot hold up a commit.
const QUESTIONS_TAKEN_MAX: usize = 16;

/// Which lane an event waits in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Commands of operators, results of workers, a new World.
    Operators,
    /// Requests of monitoring.
    Webhooks,
    /// Records of Kafka topics.
    Kafka,
}

impl Lane {
    /// Its name in metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Lane::Operators => "operators",
            Lane::Webhooks => "webhooks",
            Lane::Kafka => "kafka",
        }
    }
}

/// Why something was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// Too much waits already; try again in a moment.
    #[error("too much waits for the writer; try again in a moment")]
    Busy,
    /// The daemon stops.
    #[error("the daemon is stopping")]
    Stopping,
}

/// Why something was not taken, and the thing itself for another try.
pub(super) struct Refusal {
    pub(super) full: Full,
    pub(super) work: Box<Work>,
}

/// One event on its way, with whoever waits for what became of it.
pub(super) struct Submission {
    /// What happened, or a new World with the rows that keep it.
    pub(super) work: Work,
    /// What is written with it.
    pub(super) beside: Beside,
    /// Its size, as the bounds count it.
    pub(super) bytes: usize,
    /// The lane it waits in.
    lane: Lane,
    /// Who is told after the commit.
    pub(super) waits: Waits,
    /// When it was submitted, for the latency of acknowledgements.
    pub(super) since: Instant,
}

impl Submission {
    /// An event of the writer's own: nobody waits for its answer.
    pub(super) fn unanswered(event: Event) -> Submission {
        let work = Work::Event(event);
        let bytes = work.bytes();
        Submission { work, beside: Beside::default(), bytes, lane: Lane::Operators, waits: Waits::Nobody, since: Instant::now() }
    }
}

/// The rows that follow from what an event came to.
pub type RowsOfReply = Box<dyn FnOnce(&Reply) -> Vec<RowChange> + Send>;

/// What goes into the transaction of an event beside what the event itself changes.
#[derive(Default)]
pub struct Beside {
    /// Rows that no event changes, such as the position of a Kafka partition.
    pub rows: Vec<RowChange>,
    /// What of the input was not taken; each gets an id and becomes a row.
    pub letters: Vec<DeadInput>,
    /// What becomes a row where the engine refuses something of it, in the order of the event's alerts.
    pub kept: Vec<Kept>,
    /// Gives rows once it is decided: the receipt of a command that was done. Must be quick; the writer waits for it.
    pub of_reply: Option<RowsOfReply>,
}

/// A record that was understood, until the engine has taken its alerts.
#[derive(Debug)]
pub struct Kept {
    /// What its row would be.
    pub letter: DeadInput,
    /// Which of its members the alerts of the event are: as many as it has alerts there.
    pub members: Vec<u32>,
}

impl Beside {
    /// About how many bytes it holds.
    fn bytes(&self) -> usize {
        let kept = self.kept.iter().map(|kept| &kept.letter);
        self.letters.iter().chain(kept).map(DeadInput::weight).sum::<usize>() + of_rows(&self.rows)
    }
}

/// What the writer works on.
pub(super) enum Work {
    /// An event.
    Event(Event),
    /// A World to come into force.
    Adopt(Box<Adoption>),
    /// Rows that no event changes, such as an answer that a client may ask for again.
    Keep(Vec<RowChange>),
}

/// A World to come into force, with what the store keeps of it.
pub struct Adoption {
    /// The World.
    pub world: World,
    /// The templates that come with it.
    pub templates: Arc<Templates>,
    /// The CMDB's rows that changed: written in the transaction that adopts it.
    pub rows: Vec<RowChange>,
    /// The files it was built from: the last good ones from then on.
    pub sources: Vec<(SourceKind, Vec<SourceFile>)>,
}

/// Something to be read from the writer's memory between two batches.
pub(super) type Question = Box<dyn FnOnce(&State, &World, Time) + Send>;

/// Something that is asked of the clock, or said about it, before it is read.
pub(super) type ClockQuestion = Box<dyn FnOnce(&mut Timekeeper, &dyn Clock) + Send>;

/// What one round of the writer begins with.
#[derive(Default)]
pub(super) struct Round {
    /// Events for one batch.
    pub(super) submissions: VecDeque<Submission>,
    /// Questions.
    pub(super) questions: Vec<Question>,
    /// Questions to the clock.
    pub(super) clock_questions: Vec<ClockQuestion>,
    /// Whether the daemon stops and nothing waits any more.
    pub(super) finished: bool,
}

/// The lanes, shared by the writer and everybody else.
pub(super) struct Lanes {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    room: Notify,
    webhook_bytes_max: usize,
    archived: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    operators: VecDeque<Submission>,
    webhooks: VecDeque<Submission>,
    kafka: VecDeque<Submission>,
    webhook_bytes: usize,
    questions: VecDeque<Question>,
    clock_questions: Vec<ClockQuestion>,
    woken: bool,
    stopping: bool,
}

impl Lanes {
    /// Empty lanes; webhooks may wait with so many bytes.
    pub(super) fn new(webhook_bytes_max: usize) -> Lanes {
        Lanes { waiting: Mutex::default(), arrived: Condvar::new(), room: Notify::new(), webhook_bytes_max, archived: AtomicU64::new(0) }
    }

    /// Puts something into a lane, with what is written beside it and who waits for that.
    pub(super) fn put(&self, lane: Lane, work: Work, beside: Beside, waits: Waits) -> Result<(), Refusal> {
        let bytes = work.bytes() + beside.bytes();
        let mut waiting = self.lock();
        if waiting.stopping {
            return Err(Refusal { full: Full::Stopping, work: Box::new(work) });
        }
        let full = match lane {
            Lane::Operators => waiting.operators.len() >= OPERATORS_WAITING_MAX,
            Lane::Webhooks => {
                waiting.webhooks.len() >= WEBHOOKS_WAITING_MAX
                    || (waiting.webhook_bytes + bytes > self.webhook_bytes_max && !waiting.webhooks.is_empty())
            }
            Lane::Kafka => waiting.kafka.len() >= KAFKA_WAITING_MAX,
        };
        if full {
            return Err(Refusal { full: Full::Busy, work: Box::new(work) });
        }
        let submission = Submission { work, beside, bytes, lane, waits, since: Instant::now() };
        match lane {
            Lane::Operators => waiting.operators.push_back(submission),
            Lane::Kafka => waiting.kafka.push_back(submission),
            Lane::Webhooks => {
                waiting.webhook_bytes += bytes;
                waiting.webhooks.push_back(submission);
            }
        }
        drop(waiting);
        self.arrived.notify_one();
        Ok(())
    }

    /// Puts what a batch did not come to back where it waited, before all that came since.
    pub(super) fn give_back(&self, left: VecDeque<Submission>) {
        let mut waiting = self.lock();
        for submission in left.into_iter().rev() {
            match submission.lane {
                Lane::Operators => waiting.operators.push_front(submission),
                Lane::Kafka => waiting.kafka.push_front(submission),
                Lane::Webhooks => {
                    waiting.webhook_bytes += submission.bytes;
                    waiting.webhooks.push_front(submission);
                }
            }
        }
    }

    /// Puts a question.
    pub(super) fn ask(&self, question: Question) -> Result<(), Full> {
        let mut waiting = self.lock();
        if waiting.stopping {
            return Err(Full::Stopping);
        }
        if waiting.questions.len() >= QUESTIONS_WAITING_MAX {
            return Err(Full::Busy);
        }
        waiting.questions.push_back(question);
        drop(waiting);
        self.arrived.notify_one();
        Ok(())
    }

    /// Puts a question to the clock.
    pub(super) fn ask_clock(&self, question: ClockQuestion) -> Result<(), Full> {
        let mut waiting = self.lock();
        if waiting.stopping {
            return Err(Full::Stopping);
        }
        if waiting.clock_questions.len() >= QUESTIONS_WAITING_MAX {
            return Err(Full::Busy);
        }
        waiting.clock_questions.push(question);
        drop(waiting);
        self.arrived.notify_one();
        Ok(())
    }

    /// Waits until a lane has been emptied a little. May return early: try again.
    pub(super) async fn room(&self) {
        self.room.notified().await;
    }

    /// Blocks up to this one are in archives.
    pub(super) fn trim_through(&self, seq: u64) {
        self.archived.fetch_max(seq, Ordering::Relaxed);
    }

    /// The last block that is in archives.
    pub(super) fn trimmed_through(&self) -> u64 {
        self.archived.load(Ordering::Relaxed)
    }

    /// Lets the writer look at its clock.
    pub(super) fn wake(&self) {
        self.lock().woken = true;
        self.arrived.notify_one();
    }

    /// Refuses what comes from now on; what waits is still taken.
    pub(super) fn stop(&self) {
        self.lock().stopping = true;
        self.arrived.notify_one();
    }

    /// Refuses what comes from now on, and drops what waits: whoever waits for an answer learns that there will be none.
    pub(super) fn close(&self) {
        let mut waiting = self.lock();
        let left = std::mem::take(&mut *waiting);
        waiting.stopping = true;
        drop(waiting);
        // Without the lock: an asker that is woken may ask again.
        drop(left);
        self.room.notify_waiters();
    }

    /// Submissions that wait in a lane.
    pub(super) fn depth(&self, lane: Lane) -> usize {
        let waiting = self.lock();
        match lane {
            Lane::Operators => waiting.operators.len(),
            Lane::Webhooks => waiting.webhooks.len(),
            Lane::Kafka => waiting.kafka.len(),
        }
    }

    /// Waits for something to do, at most for `wait`, and takes one batch of it. At most `events_max` events, but always one submission whole.
    pub(super) fn take(&self, wait: Duration, events_max: usize) -> Round {
        let nothing = |waiting: &mut Waiting| {
            waiting.operators.is_empty()
                && waiting.webhooks.is_empty()
                && waiting.kafka.is_empty()
                && waiting.questions.is_empty()
                && waiting.clock_questions.is_empty()
                && !waiting.woken
                && !waiting.stopping
        };
        let (mut waiting, _) = self.arrived.wait_timeout_while(self.lock(), wait, nothing).expect("no holder of the lanes panics");
        waiting.woken = false;
        let mut round = Round::default();
        let asked = waiting.questions.len().min(QUESTIONS_TAKEN_MAX);
        round.questions.extend(waiting.questions.drain(..asked));
        round.clock_questions = std::mem::take(&mut waiting.clock_questions);
        let mut left = Left { events: events_max, bytes: BATCH_BYTES_MAX };
        let quota = if waiting.webhooks.is_empty() && waiting.kafka.is_empty() { events_max } else { OPERATORS_QUOTA.min(events_max) };
        let mut of_operators = Left { events: quota, bytes: left.bytes };
        while let Some(next) = waiting.operators.pop_front_if(|next| of_operators.fits(next, round.submissions.is_empty())) {
            of_operators.take(&next);
            left.take(&next);
            round.submissions.push_back(next);
        }
        let kept_free = if waiting.kafka.is_empty() { 0 } else { KAFKA_QUOTA };
        let mut of_webhooks = Left {
            events: left.events.saturating_sub(kept_free),
            bytes: left.bytes - left.bytes.min(kept_free * left.bytes / BATCH_EVENTS_MAX),
        };
        while let Some(next) = waiting.webhooks.pop_front_if(|next| of_webhooks.fits(next, round.submissions.is_empty())) {
            of_webhooks.take(&next);
            left.take(&next);
            waiting.webhook_bytes -= next.bytes;
            round.submissions.push_back(next);
        }
        while let Some(next) = waiting.kafka.pop_front_if(|next| left.fits(next, round.submissions.is_empty())) {
            left.take(&next);
            round.submissions.push_back(next);
        }
        round.finished = waiting.stopping
            && round.submissions.is_empty()
            && waiting.operators.is_empty()
            && waiting.webhooks.is_empty()
            && waiting.kafka.is_empty();
        drop(waiting);
        self.room.notify_waiters();
        round
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("no holder of the lanes panics")
    }
}

/// What a batch can still hold.
struct Left {
    events: usize,
    bytes: usize,
}

impl Left {
    fn fits(&self, next: &Submission, is_first: bool) -> bool {
        is_first || (next.work.events() <= self.events && next.bytes <= self.bytes)
    }

    fn take(&mut self, next: &Submission) {
        self.events = self.events.saturating_sub(next.work.events());
        self.bytes = self.bytes.saturating_sub(next.bytes);
    }
}

impl Work {
    /// How many events it counts as: each alert of a request is one.
    pub(super) fn events(&self) -> usize {
        match self {
            Work::Event(Event::Alerts { inputs, refused }) => (inputs.len() + refused.len()).max(1),
            Work::Event(_) | Work::Adopt(_) | Work::Keep(_) => 1,
        }
    }

    /// About how many bytes it holds.
    fn bytes(&self) -> usize {
        let text =
            |labels: &watchkeeper_engine::text::Labels| labels.iter().map(|(name, value)| name.len() + value.len() + 48).sum::<usize>();
        match self {
            Work::Event(Event::Alerts { inputs, refused }) => {
                let inputs = inputs.iter().map(|input| RECORD + input.summary.len() + text(&input.labels) + text(&input.annotations));
                inputs.sum::<usize>() + refused.len() * RECORD
            }
            Work::Event(Event::Rendered { bytes, .. }) => RECORD + bytes.len(),
            Work::Keep(rows) => of_rows(rows),
            Work::Event(_) | Work::Adopt(_) => RECORD,
        }
    }
}

/// What a record counts for beside its texts.
const RECORD: usize = 256;

fn of_rows(rows: &[RowChange]) -> usize {
    rows.iter().map(|row| RECORD + row.value.as_ref().map_or(0, Vec::len)).sum()
}

#[cfg(test)]
mod tests {
    use watchkeeper_engine::input::AlertInput;

    use super::*;

    fn put(lanes: &Lanes, lane: Lane, name: &str) {
        let event = Event::Alerts { inputs: vec![AlertInput::named("prom", name)], refused: Vec::new() };
        assert!(lanes.put(lane, Work::Event(event), Beside::default(), Waits::Nobody).is_ok());
    }

    fn names(round: &Round) -> Vec<String> {
        let name = |submission: &Submission| match &submission.work {
            Work::Event(Event::Alerts { inputs, .. }) => inputs[0].name.clone(),
            Work::Event(_) | Work::Adopt(_) | Work::Keep(_) => String::new(),
        };
        round.submissions.iter().map(name).collect()
    }

    #[test]
    fn what_a_batch_did_not_come_to_waits_before_what_came_since() {
        let lanes = Lanes::new(1 << 20);
        for (lane, name) in [(Lane::Webhooks, "a"), (Lane::Kafka, "k"), (Lane::Webhooks, "b"), (Lane::Operators, "o")] {
            put(&lanes, lane, name);
        }
        let mut round = lanes.take(Duration::ZERO, BATCH_EVENTS_MAX);
        assert_eq!(names(&round), ["o", "a", "b", "k"]);
        round.submissions.pop_front();
        round.submissions.pop_front();
        put(&lanes, Lane::Webhooks, "c");
        lanes.give_back(round.submissions);
        assert_eq!((lanes.depth(Lane::Webhooks), lanes.depth(Lane::Kafka)), (2, 1));
        lanes.stop();
        let round = lanes.take(Duration::ZERO, BATCH_EVENTS_MAX);
        assert_eq!((names(&round), round.finished), (["b", "c", "k"].map(str::to_owned).to_vec(), false));
        assert!(lanes.take(Duration::ZERO, BATCH_EVENTS_MAX).finished);
        assert_eq!(lanes.lock().webhook_bytes, 0);
    }
}
