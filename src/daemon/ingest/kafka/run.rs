//! The thread that reads topics: look at what the brokers have, begin where the store says, hand batches to the writer, and look again whenever the other end may have changed.
//!
//! ```text
//! look: settle what is under way ▸ unassign ▸ cluster, topics, partitions, offsets ▸ breaks are committed and said ▸ assign
//! read: poll ▸ witness ▸ parse ▸ one batch ▸ writer ▸ positions                       ▸ once a minute, or when disturbed: look
//! ```

mod flights;
mod look;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use look::other_cluster;
use tokio::sync::oneshot;
use tracing::info;
use watchkeeper_engine::event::Taken;
use watchkeeper_engine::input::AlertInput;

use super::client::{Client, Polled};
use super::intake::{Counts, Intake};
use super::position::{Break, Position, Witness};
use super::{Accepted, Ask};
use crate::health::Health;
use crate::ingest::door::Source;
use crate::published::Current;
use crate::telemetry::Metrics;
use crate::writer::{WriterHandle, own_alert};

/// How often topics are looked at while all is well: new partitions, cut topics.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Between two looks where one disturbance follows the other.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Between two tries at most while nobody answers.
const RETRY_MAX: Duration = Duration::from_secs(15);
/// How long one poll waits for a record while nothing is under way.
const POLL_WAIT: Duration = Duration::from_millis(100);
/// How long one poll waits while the writer is at a batch, whose end is to be noticed.
const POLL_WAIT_BUSY: Duration = Duration::from_millis(2);
/// Batches that the writer may have at once; when there are more, nothing is polled until one is done.
const FLIGHTS_MAX: usize = 8;
/// How long the writer may refuse batches before partitions are paused.
const PRESSURE_PATIENCE: Duration = Duration::from_millis(500);
/// How often group offsets are published and lag is counted.
const SHOW_EVERY: Duration = Duration::from_secs(2);
/// How long brokers may be unreachable before the daemon raises an alert.
const UNREACHABLE_AFTER: Duration = Duration::from_secs(300);
/// How often an alert of the daemon's own is repeated while its reason lasts: it clears by itself after five minutes.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// What the thread works with.
pub(super) struct Thread {
    pub(super) brokers: String,
    pub(super) topics: Vec<Topic>,
    pub(super) book: BTreeMap<Place, Part>,
    pub(super) asks: Receiver<Ask>,
    pub(super) writer: WriterHandle,
    pub(super) current: Current,
    pub(super) health: Arc<Health>,
    pub(super) metrics: Arc<Metrics>,
    /// Bytes of one record that is read.
    pub(super) record_bytes_max: usize,
    /// Bytes of records that the writer may have at once.
    pub(super) flight_bytes_max: usize,
    pub(super) progress: Progress,
}

/// A topic by its number in the configuration, and a partition.
pub(super) type Place = (usize, i32);

/// A topic.
pub(super) struct Topic {
    pub(super) source: Source,
    pub(super) state: TopicState,
}

/// Whether a topic is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TopicState {
    /// Nobody has looked yet.
    Unknown,
    /// So many partitions are read.
    Reading(usize),
    /// The brokers have no such topic.
    Missing,
    /// The brokers refuse it.
    Refused(String),
    /// The positions are of another cluster: an operator has to say that this one is meant.
    OtherCluster { known: String, found: String },
}

/// A partition.
pub(super) struct Part {
    /// As the store has it.
    pub(super) position: Position,
    /// The next offset to be taken, with what is under way.
    pub(super) taken: i64,
    /// The record that must come first.
    pub(super) expects: Option<Witness>,
    /// Whether it is assigned.
    pub(super) reads: bool,
}

/// How far the thread is.
pub(super) struct Progress {
    phase: Phase,
    intake: Intake,
    flights: VecDeque<Flight>,
    flight_bytes: usize,
    broken: BTreeMap<Place, Break>,
    cluster: String,
    fault: Option<String>,
    down_since: Option<Instant>,
    told_at: Option<Instant>,
    looked_at: Option<Instant>,
    shown_at: Option<Instant>,
    paused: bool,
    unpublished: BTreeSet<Place>,
}

enum Phase {
    Looking { at: Instant, tries: u32 },
    Reading { look_at: Instant },
}

/// A batch that the writer has.
struct Flight {
    told: oneshot::Receiver<Vec<Taken>>,
    positions: Vec<(Place, Position)>,
    counts: BTreeMap<usize, Counts>,
    bytes: usize,
}

/// Why the thread ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// The daemon stops.
    Stop,
    /// The client cannot go on.
    Fatal(String),
}

impl Default for Progress {
    fn default() -> Progress {
        Progress {
            phase: Phase::Looking { at: Instant::now(), tries: 0 },
            intake: Intake::default(),
            flights: VecDeque::new(),
            flight_bytes: 0,
            broken: BTreeMap::new(),
            cluster: String::new(),
            fault: None,
            down_since: None,
            told_at: None,
            looked_at: None,
            shown_at: None,
            paused: false,
            unpublished: BTreeSet::new(),
        }
    }
}

impl Thread {
    /// Works until the daemon stops or the client cannot go on.
    pub(super) fn run(&mut self, client: &Client) -> End {
        loop {
            if let Err(end) = self.turn(client) {
                return end;
            }
        }
    }

    fn turn(&mut self, client: &Client) -> Result<(), End> {
        self.answer(client)?;
        self.reap()?;
        match self.progress.phase {
            Phase::Looking { at, tries } if Instant::now() >= at => self.look(client, tries)?,
            Phase::Looking { .. } => pass_over(client.poll(POLL_WAIT))?,
            Phase::Reading { look_at } => {
                self.read(client)?;
                if Instant::now() >= look_at {
                    self.look_while_reading(client)?;
                }
            }
        }
        self.show(client);
        Ok(())
    }

    /// Asks of operators, and the end.
    fn answer(&mut self, client: &Client) -> Result<(), End> {
        loop {
            match self.asks.try_recv() {
                Ok(Ask::Accept { topic, by, told }) => {
                    let accepted = self.accept(client, topic, &by)?;
                    // Whoever asked may have gone away.
                    told.send(accepted).ok();
                }
                Ok(Ask::Stop) | Err(std::sync::mpsc::TryRecvError::Disconnected) => {
                    self.settle()?;
                    return Err(End::Stop);
                }
                Err(std::sync::mpsc::TryRecvError::Empty) => return Ok(()),
            }
        }
    }

    /// An operator says that the cluster that answers is meant: reading begins anew at the earliest record.
    fn accept(&mut self, client: &Client, no: usize, by: &str) -> Result<Accepted, End> {
        let TopicState::OtherCluster { known, found } = self.topics[no].state.clone() else { return Ok(Accepted::Holds) };
        let name = self.topics[no].source.name.clone();
        let over = AlertInput { resolved: true, ..other_cluster(&name, &known, &found) };
        let rows = self.book.range((no, i32::MIN)..=(no, i32::MAX)).map(|(_, part)| part.position.gone()).collect();
        if !self.commit(vec![over], rows)? {
            return Ok(Accepted::Busy);
        }
        info!(
            topic = name,
            cluster = found,
            before = known,
            by,
            "Another Kafka cluster was accepted; its topic is read from the earliest record on."
        );
        self.book.retain(|(topic, _), _| *topic != no);
        self.topics[no].state = TopicState::Unknown;
        self.look(client, 0)?;
        Ok(Accepted::Yes { cluster: found })
    }

    fn tell_while_down(&mut self) -> Result<(), End> {
        let (Some(since), Some(reason)) = (self.progress.down_since, self.progress.fault.clone()) else { return Ok(()) };
        let now = Instant::now();
        if now < since + UNREACHABLE_AFTER || self.progress.told_at.is_some_and(|told| now < told + TELL_EVERY) {
            return Ok(());
        }
        self.progress.told_at = Some(now);
        let summary = format!("Kafka at {} does not answer: {}", self.brokers, watchkeeper_engine::text::one_line(&reason));
        // Where there is no room it is said a minute later.
        self.commit(vec![own_alert("KafkaUnreachable", &summary, &[])], Vec::new()).map(drop)
    }

    /// Lag, what `?verbose` says, and the group's offsets.
    fn show(&mut self, client: &Client) {
        let now = Instant::now();
        if self.progress.shown_at.is_some_and(|shown| now < shown + SHOW_EVERY) {
            return;
        }
        self.progress.shown_at = Some(now);
        let ends = client.ends();
        let mut behind = 0;
        for (place, part) in &self.book {
            let topic = self.topics[place.0].source.name.as_str();
            let end = ends.get(&(topic.to_owned(), place.1)).copied().unwrap_or(part.position.next);
            let lag = (end - part.position.next).max(0);
            behind += lag;
            self.metrics.kafka_position.with_label_values(&[topic, &place.1.to_string()]).set(part.position.next);
            self.metrics.kafka_lag.with_label_values(&[topic, &place.1.to_string()]).set(lag);
        }
        let stopped = self.topics.iter().filter_map(Topic::trouble).collect::<Vec<_>>();
        let (ok, detail) = match &self.progress.fault {
            Some(reason) => (false, format!("{} does not answer: {}", self.brokers, watchkeeper_engine::text::one_line(reason))),
            None if !stopped.is_empty() => (false, stopped.join("; ")),
            None => (true, format!("{} partitions of {} topics are read, {behind} records behind", self.book.len(), self.topics.len())),
        };
        self.health.set_part("kafka", ok, detail);
        let unpublished = std::mem::take(&mut self.progress.unpublished);
        if !unpublished.is_empty() {
            client.publish(unpublished.iter().filter_map(|place| self.book.get(place)).map(|part| &part.position));
        }
    }
}

impl Topic {
    /// Why it is not read, as `?verbose` says it.
    fn trouble(&self) -> Option<String> {
        let name = &self.source.name;
        match &self.state {
            TopicState::Unknown | TopicState::Reading(_) => None,
            TopicState::Missing => Some(format!("the topic {name} does not exist")),
            TopicState::Refused(reason) => Some(format!("the topic {name} cannot be read: {reason}")),
            TopicState::OtherCluster { known, found } => Some(format!(
                "the topic {name} was read from cluster {known}, and {found} answers: `watchkeeper kafka accept {name}` if that is meant"
            )),
        }
    }
}

fn pass_over(polled: Polled<'_>) -> Result<(), End> {
    match polled {
        Polled::Fatal(reason) => Err(End::Fatal(reason)),
        // The look that follows begins with what the store has.
        Polled::Nothing | Polled::Record(_) | Polled::Disturbed(_) => Ok(()),
    }
}
