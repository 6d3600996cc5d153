//! The writer: one thread that owns State and the write side of the store. Everything that is decided is decided here, and nothing is answered before it is on disk.
//!
//! ```text
//! take one batch from the lanes ▸ read the clock once ▸ due timers, then each event ▸ ONE commit ▸ board ▸ feed ▸ reply, dispatch ▸ questions
//! ```
//!
//! Renders, sends, searches and fetches nothing: that is asked of workers, and comes back as events.

mod asks;
mod batch;
mod commit;
mod lanes;
mod letters;
mod limits;
mod suspects;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tracing::{info, warn};
use watchkeeper_engine::effect::Effect;
use watchkeeper_engine::event::{Event, World};
use watchkeeper_engine::input::AlertInput;
use watchkeeper_engine::state::State;
use watchkeeper_engine::text::Labels;
use watchkeeper_engine::time::{Span, Time};
use watchkeeper_engine::words::Severity;
use watchkeeper_store::{RowChange, Store, StoreError};

use crate::board::Board;
use crate::clock::{Clock, Timekeeper, Turn};
use crate::feed::Subscriber;
use crate::health::Health;
use crate::mail::Templates;
use crate::published::Current;
use crate::supervisor::Watchdog;

pub use asks::{Alerts, Ask};
pub use lanes::{Adoption, Beside, Full, Kept, Lane, RowsOfReply};
pub use letters::{DeadInput, DeadLetter, Form, Origin};
pub use limits::{BATCH_BYTES_MAX, BATCH_EVENTS_MAX};
pub use suspects::{PanicNote, Suspects};

use asks::Waits;
use batch::Batch;
use lanes::{Lanes, Refusal, Round, Work};
use letters::Letters;

/// How long the writer sleeps at most: it shows that it lives, and looks at a clock that may have been set.
const IDLE_TICK: Duration = Duration::from_secs(1);
/// How often the sidecar is written: a store that went back in time is noticed if it went back further than this.
const SIDECAR_EVERY: Duration = Duration::from_secs(300);
/// The source of the daemon's own alerts, and the item they are about.
pub const OWN_SOURCE: &str = "watchkeeper";

/// How everybody else reaches the writer. Cheap to clone.
#[derive(Clone)]
pub struct WriterHandle {
    lanes: Arc<Lanes>,
}

/// What the writer needs from the rest of the daemon.
pub struct Parts {
    /// The store, loaded into `state`.
    pub store: Store,
    /// The memory.
    pub state: State,
    /// Where each commit is shown to readers; it begins with the World that is decided by at first.
    pub current: Current,
    /// The machine's clocks.
    pub clock: Arc<dyn Clock>,
    /// What lives and what does not.
    pub health: Arc<Health>,
    /// Who hears of each commit.
    pub feed: Vec<Box<dyn Subscriber>>,
    /// What stopped the daemon before.
    pub suspects: Suspects,
    /// Takes what is asked of the world. Must not block: every effect is in a row, so that a start asks again.
    pub dispatch: Box<dyn FnMut(Vec<Effect>) + Send>,
}

/// The thread's own things.
pub struct Writer {
    parts: Parts,
    /// What is decided by.
    world: World,
    /// The templates that came with it.
    templates: Arc<Templates>,
    /// What lives, as of the last commit.
    board: Board,
    lanes: Arc<Lanes>,
    letters: Letters,
    time: Timekeeper,
    watchdog: Watchdog,
    sidecar_at: Instant,
}

/// A writer and its handle; requests of monitoring may wait with so many bytes. The caller runs [`Writer::run`] on a thread of its own.
pub fn new(parts: Parts, webhook_bytes_max: usize) -> (Writer, WriterHandle) {
    let lanes = Arc::new(Lanes::new(webhook_bytes_max));
    let time = Timekeeper::new(parts.clock.as_ref(), parts.state.counters.last_now);
    let first = parts.current.load_full();
    let writer = Writer {
        parts,
        world: first.world.clone(),
        templates: Arc::clone(&first.templates),
        board: first.board.clone(),
        lanes: Arc::clone(&lanes),
        letters: Letters::default(),
        time,
        watchdog: Watchdog::of_process(),
        sidecar_at: Instant::now() + SIDECAR_EVERY,
    };
    (writer, WriterHandle { lanes })
}

impl WriterHandle {
    /// Asks for something. The answer comes after the commit; a sender that was dropped without one means that the daemon stops.
    ///
    /// # Errors
    /// The lane is full, or the daemon stops: nothing was taken.
    pub fn submit<A: Ask>(&self, lane: Lane, ask: A) -> Result<oneshot::Receiver<A::Reply>, Full> {
        self.submit_with(lane, ask, Beside::default())
    }

    /// As [`WriterHandle::submit`], with what is written in the same transaction.
    ///
    /// # Errors
    /// As there.
    pub fn submit_with<A: Ask>(&self, lane: Lane, ask: A, beside: Beside) -> Result<oneshot::Receiver<A::Reply>, Full> {
        let (waits, told) = Waits::of::<A>();
        self.lanes.put(lane, Work::Event(ask.event()), beside, waits).map_err(|refusal| refusal.full)?;
        Ok(told)
    }

    /// Hands the result of a worker over, and waits for room where there is none. The answer comes after the commit.
    ///
    /// # Errors
    /// The daemon stops; the next start asks for it again.
    pub async fn report(&self, event: Event) -> Result<oneshot::Receiver<()>, Full> {
        let mut work = Work::Event(event);
        loop {
            let room = self.lanes.room();
            let (waits, told) = Waits::written();
            match self.lanes.put(Lane::Operators, work, Beside::default(), waits) {
                Ok(()) => return Ok(told),
                Err(Refusal { full: Full::Stopping, .. }) => return Err(Full::Stopping),
                Err(Refusal { full: Full::Busy, work: back }) => work = *back,
            }
            // A round that began before this wait shows itself within a tick.
            tokio::time::timeout(IDLE_TICK, room).await.ok();
        }
    }

    /// Hands a World over; the answer comes after the commit.
    ///
    /// # Errors
    /// As [`WriterHandle::submit`].
    pub fn adopt(&self, adoption: Adoption) -> Result<oneshot::Receiver<()>, Full> {
        self.write(Work::Adopt(Box::new(adoption)))
    }

    /// Has rows written that no event changes; the answer comes after the commit.
    ///
    /// # Errors
    /// As [`WriterHandle::submit`].
    pub fn keep(&self, rows: Vec<RowChange>) -> Result<oneshot::Receiver<()>, Full> {
        self.write(Work::Keep(rows))
    }

    fn write(&self, work: Work) -> Result<oneshot::Receiver<()>, Full> {
        let (waits, told) = Waits::written();
        self.lanes.put(Lane::Operators, work, Beside::default(), waits).map_err(|refusal| refusal.full)?;
        Ok(told)
    }

    /// Has a question answered from memory between two batches. It must be bounded: the writer does nothing else meanwhile.
    ///
    /// # Errors
    /// Too many wait, or the daemon stops.
    pub async fn ask<T: Send + 'static>(&self, question: impl FnOnce(&State, &World, Time) -> T + Send + 'static) -> Result<T, Full> {
        let (answer, told) = oneshot::channel();
        self.lanes.ask(Box::new(move |state, world, now| {
            // Nobody waits any more where the asker has gone away.
            answer.send(question(state, world, now)).ok();
        }))?;
        told.await.map_err(|_| Full::Stopping)
    }

    /// Asks the clock that everything is decided by, or says something about it.
    ///
    /// # Errors
    /// Too many wait, or the daemon stops.
    pub async fn ask_clock<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Timekeeper, &dyn Clock) -> T + Send + 'static,
    ) -> Result<T, Full> {
        let (answer, told) = oneshot::channel();
        self.lanes.ask_clock(Box::new(move |keeper, clock| {
            // Nobody waits any more where the asker has gone away.
            answer.send(question(keeper, clock)).ok();
        }))?;
        told.await.map_err(|_| Full::Stopping)
    }

    /// Says that blocks up to this one are safe in archives: the next commits delete them, a few each.
    pub fn trim_through(&self, seq: u64) {
        self.lanes.trim_through(seq);
    }

    /// Lets the writer look at its clock: for clocks that tests move.
    pub fn wake(&self) {
        self.lanes.wake();
    }

    /// Refuses what comes from now on. What waits is still committed; then the writer ends.
    pub fn stop(&self) {
        self.lanes.stop();
    }

    /// Submissions that wait in a lane.
    pub fn depth(&self, lane: Lane) -> usize {
        self.lanes.depth(lane)
    }
}

impl Writer {
    /// Works until it is stopped; what waited then is committed, and the store closed.
    ///
    /// # Errors
    /// The store failed. Nothing of the batch was acknowledged, and the process must end: what is on disk is known again after a start.
    pub fn run(mut self) -> Result<(), StoreError> {
        // However it ends: nobody waits for a writer that is gone.
        let _closes = Closes(Arc::clone(&self.lanes));
        self.letters = Letters::load(&self.parts.store.reader())?;
        let now = self.read_clock();
        self.work(Round { submissions: self.first(), ..Round::default() }, now)?;
        loop {
            let mut round = self.lanes.take(self.wait(), self.parts.suspects.events_max());
            for question in round.clock_questions.drain(..) {
                question(&mut self.time, self.parts.clock.as_ref());
            }
            let now = self.read_clock();
            if round.finished {
                break;
            }
            self.parts.store.trim_through(self.lanes.trimmed_through());
            self.work(round, now)?;
            self.write_sidecar(now)?;
        }
        let now = self.read_clock();
        let seq = self.parts.store.head().seq;
        self.parts.suspects.stopped_cleanly();
        self.parts.store.close(now)?;
        info!(seq, "The store was closed.");
        Ok(())
    }

    /// What a start begins with. The World is news where a crash came between the files of one and the transaction that brings it into force.
    fn first(&self) -> VecDeque<lanes::Submission> {
        let (counters, world) = (&self.parts.state.counters, &self.world);
        let mut first = VecDeque::from([lanes::Submission::unanswered(Event::Started)]);
        if counters.seq > 0 && (counters.policy != world.policy.id || counters.cmdb != world.cmdb.version()) {
            first.push_back(lanes::Submission::unanswered(Event::World(world.clone())));
        }
        first
    }

    /// One round: a batch, then the questions.
    fn work(&mut self, mut round: Round, now: Time) -> Result<(), StoreError> {
        let deadline = Instant::now() + limits::BATCH_TIME_MAX;
        let Parts { state, suspects, .. } = &mut self.parts;
        let batch = Batch::decide(state, &mut self.world, suspects, &mut self.letters, &mut round.submissions, deadline, now);
        self.lanes.give_back(round.submissions);
        if let Some(batch) = batch {
            let done = self.commit(batch, now)?;
            (self.parts.dispatch)(done.effects);
            for answer in done.answers {
                answer.waits.tell(answer.reply);
            }
        }
        for question in round.questions {
            question(&self.parts.state, &self.world, now);
        }
        self.parts.health.beat();
        self.watchdog.feed();
        Ok(())
    }

    /// Until the next timer is due, and never longer than a tick.
    fn wait(&self) -> Duration {
        let now = self.time.now();
        let due = self.parts.state.next_due().map_or(Span(i64::MAX), |due| due - now);
        u64::try_from(due.0).map_or(Duration::ZERO, Duration::from_millis).min(IDLE_TICK)
    }

    fn read_clock(&mut self) -> Time {
        let (now, turn) = self.time.read(self.parts.clock.as_ref());
        self.parts.current.set_time(now);
        match turn {
            Turn::Steady => {}
            Turn::Doubted(step) => {
                let what = format!("the wall clock jumped {} and is not believed yet", stepped(step));
                warn!(
                    "{what}; time runs on by the monotonic clock until the step has held for ten minutes or is confirmed with `watchkeeper clock confirm`."
                );
                self.tell_myself("ClockStepped", &format!("{what}; `watchkeeper clock confirm` if it is right"));
            }
            Turn::Returned => warn!("The wall clock took its step back."),
            Turn::Believed(step) => warn!(step = stepped(step), "The step of the wall clock has held and is believed."),
        }
        now
    }

    /// Raises an alert of the daemon about itself.
    fn tell_myself(&self, name: &str, summary: &str) {
        let event = Event::Alerts { inputs: vec![own_alert(name, summary, &[])], refused: Vec::new() };
        if self.lanes.put(Lane::Operators, Work::Event(event), Beside::default(), Waits::Nobody).is_err() {
            warn!(alert = name, "The daemon's own alert found no room.");
        }
    }

    /// A sidecar that cannot be written only leaves a store that went back in time unnoticed. A store that is no longer in its place ends the daemon.
    fn write_sidecar(&mut self, now: Time) -> Result<(), StoreError> {
        if Instant::now() < self.sidecar_at {
            return Ok(());
        }
        self.sidecar_at = Instant::now() + SIDECAR_EVERY;
        match self.parts.store.write_sidecar(now) {
            Err(error @ StoreError::Replaced { .. }) => return Err(error),
            Err(error) => warn!(%error, "The sidecar could not be written."),
            Ok(()) => {}
        }
        Ok(())
    }
}

/// Closes the lanes when the writer ends, also where that is by an error.
struct Closes(Arc<Lanes>);

impl Drop for Closes {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// A step of the wall clock in words.
fn stepped(step: Span) -> String {
    if step < Span::ZERO { format!("{} back", Span(-step.0).words()) } else { format!("{} ahead", step.words()) }
}

/// An alert of the daemon about itself: source and item `watchkeeper`. Two that differ in `more` labels are two alerts.
pub(crate) fn own_alert(name: &str, summary: &str, more: &[(&str, &str)]) -> AlertInput {
    AlertInput {
        severity: Severity::Error,
        summary: summary.to_owned(),
        labels: Labels::new(
            [("alertname", name), ("ci", OWN_SOURCE)].iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        ),
        ..AlertInput::named(OWN_SOURCE, name)
    }
}
