//! The thread that reads topics: look at what the brokers have, begin where the store says, hand batches to the writer, and look again whenever the other end may have changed.
//!
//! ```text
//! look: settle what is under way ▸ unassign ▸ cluster, topics, partitions, offsets ▸ breaks are committed and said ▸ assign
//! read: poll ▸ witness ▸ parse ▸ one batch ▸ writer ▸ positions                       ▸ once a minute, or when disturbed: look
//! ```

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use rdkafka::message::{BorrowedMessage, Message as _};
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;
use tracing::{info, warn};
use watchkeeper_engine::event::{Event, Reply, World};
use watchkeeper_engine::input::AlertInput;

use super::client::{Client, Found, NoAnswer, Polled};
use super::intake::{Closed, Counts, Intake};
use super::position::{Begin, Break, Position, Witness, begin};
use super::{Accepted, Ask};
use crate::health::Health;
use crate::ingest::door::Source;
use crate::telemetry::Metrics;
use crate::writer::{Beside, Full, Lane, WriterHandle, own_alert};

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
/// How long no room may be found until partitions are paused.
const PRESSURE_PATIENCE: Duration = Duration::from_millis(500);
/// How often group offsets are published and lag is counted.
const SHOW_EVERY: Duration = Duration::from_secs(2);
/// How long nobody may answer until the daemon raises an alert about it.
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
    pub(super) world: Arc<ArcSwap<World>>,
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
    told: oneshot::Receiver<Reply>,
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

    /// Looks at everything anew, and begins to read.
    fn look(&mut self, client: &Client, tries: u32) -> Result<(), End> {
        self.settle()?;
        self.progress.intake = Intake::default();
        self.progress.paused = false;
        self.progress.looked_at = Some(Instant::now());
        client.unassign().map_err(|error| End::Fatal(error.to_string()))?;
        client.drain().map_err(End::Fatal)?;
        let looked = self.survey(client).and_then(|survey| self.begin(client, survey));
        match looked {
            Ok(()) => {
                if self.progress.down_since.take().is_some() {
                    info!(brokers = self.brokers, "Kafka answers again.");
                }
                self.progress.fault = None;
                self.progress.phase = Phase::Reading { look_at: Instant::now() + LOOK_EVERY };
                Ok(())
            }
            Err(Trouble::NoAnswer(reason)) => {
                if self.progress.down_since.is_none() {
                    warn!(brokers = self.brokers, reason, "Kafka does not answer; it is tried again.");
                    self.progress.down_since = Some(Instant::now());
                }
                self.progress.fault = Some(reason);
                let wait = LOOK_AGAIN.saturating_mul(1 << tries.min(8)).min(RETRY_MAX);
                self.progress.phase = Phase::Looking { at: Instant::now() + wait, tries: tries + 1 };
                self.tell_while_down()
            }
            Err(Trouble::End(end)) => Err(end),
        }
    }

    /// What the brokers have, against what the store knows. Changes nothing but what is shown of topics.
    fn survey(&mut self, client: &Client) -> Result<Survey, Trouble> {
        let mut found = Vec::new();
        for topic in &self.topics {
            found.push(client.partitions(&topic.source.name)?);
        }
        // After the metadata, which may have told of another cluster.
        let cluster = client.cluster()?;
        let mut survey = Survey { cluster, states: Vec::new(), parts: Vec::new(), gone: Vec::new() };
        for (no, found) in found.into_iter().enumerate() {
            let known = self.book.range((no, i32::MIN)..=(no, i32::MAX)).map(|(_, part)| &part.position);
            let other = known.clone().find(|position| position.cluster != survey.cluster);
            let state = match found {
                _ if other.is_some() => {
                    let known = other.map(|position| position.cluster.clone()).unwrap_or_default();
                    TopicState::OtherCluster { known, found: survey.cluster.clone() }
                }
                Found::Missing => TopicState::Missing,
                Found::Refused(reason) => TopicState::Refused(reason),
                Found::Partitions(partitions) => {
                    survey.gone.extend(
                        known.filter(|position| !partitions.contains(&position.partition)).map(|position| (no, position.partition)),
                    );
                    for partition in &partitions {
                        let (earliest, end) = client.watermarks(&self.topics[no].source.name, *partition)?;
                        let place = (no, *partition);
                        let begin = match self.progress.broken.get(&place) {
                            Some(broken) => Begin::Broken(*broken),
                            None => begin(self.book.get(&place).map(|part| &part.position), earliest, end),
                        };
                        survey.parts.push((place, begin, earliest));
                    }
                    TopicState::Reading(partitions.len())
                }
            };
            survey.states.push(state);
        }
        Ok(survey)
    }

    /// Commits and says what is not as it was left, then reads.
    fn begin(&mut self, client: &Client, survey: Survey) -> Result<(), Trouble> {
        let Survey { cluster, states, parts, gone } = survey;
        let (mut alerts, mut rows, mut positions) = (Vec::new(), Vec::new(), Vec::new());
        for (no, partition) in &gone {
            let Some(part) = self.book.get(&(*no, *partition)) else { continue };
            alerts.push(self.broken(*no, *partition, Break::Gone { next: part.position.next }));
            rows.push(part.position.gone());
        }
        for ((no, partition), begin, earliest) in &parts {
            if let Begin::Broken(how) = begin {
                alerts.push(self.broken(*no, *partition, *how));
            }
            if matches!(begin, Begin::Broken(_) | Begin::Earliest) {
                let position = Position::earliest(&self.topics[*no].source.name, *partition, &cluster, *earliest);
                rows.push(position.row());
                positions.push(((*no, *partition), position));
            }
        }
        alerts.extend(self.stopped(&states));
        let news = !alerts.is_empty() || !rows.is_empty();
        if news && !self.commit(alerts, rows)? {
            return Err(Trouble::NoAnswer("the writer has no room".to_owned()));
        }
        for place in gone {
            self.book.remove(&place);
        }
        for (place, position) in positions {
            self.book.insert(place, Part { taken: position.next, position, expects: None, reads: false });
        }
        self.progress.broken.clear();
        self.progress.cluster = cluster;
        for (topic, state) in self.topics.iter_mut().zip(states) {
            topic.state = state;
        }
        self.assign(client, &parts)
    }

    fn assign(&mut self, client: &Client, parts: &[(Place, Begin, i64)]) -> Result<(), Trouble> {
        for part in self.book.values_mut() {
            part.reads = false;
        }
        let mut offsets = Vec::new();
        for (place, begin, _) in parts {
            let Some(part) = self.book.get_mut(place) else { continue };
            part.taken = part.position.next;
            part.reads = true;
            part.expects = match begin {
                Begin::AtWitness(witness) => Some(*witness),
                Begin::Earliest | Begin::Unwitnessed | Begin::Broken(_) => None,
            };
            let at = part.expects.map_or(part.position.next, |witness| witness.offset);
            offsets.push((self.topics[place.0].source.name.as_str(), place.1, at));
        }
        client.assign(offsets.into_iter()).map_err(|error| Trouble::End(End::Fatal(error.to_string())))
    }

    fn broken(&self, no: usize, partition: i32, how: Break) -> AlertInput {
        let topic = self.topics[no].source.name.as_str();
        warn!(topic, partition, how = %how, "A partition is not as it was left; it is read on from the earliest record.");
        let name = match how {
            Break::Lost { .. } => "KafkaRecordsLost",
            Break::Cut { .. } | Break::Replaced { .. } | Break::Gone { .. } => "KafkaTopicReplaced",
        };
        let summary = format!(
            "partition {partition} of the Kafka topic {topic} is not as it was left: {how}; it is read on from the earliest record"
        );
        own_alert(name, &summary, &[("topic", topic), ("partition", &partition.to_string())])
    }

    /// Alerts about topics that are not read, while that lasts.
    fn stopped(&self, states: &[TopicState]) -> Vec<AlertInput> {
        let mut alerts = Vec::new();
        for (topic, state) in self.topics.iter().zip(states) {
            let name = topic.source.name.as_str();
            match state {
                TopicState::OtherCluster { known, found } => {
                    if topic.state != *state {
                        warn!(
                            topic = name,
                            known, found, "Another Kafka cluster answers; the topic is not read until an operator accepts it."
                        );
                    }
                    alerts.push(other_cluster(name, known, found));
                }
                TopicState::Missing => {
                    let summary = format!("the Kafka topic {name} does not exist; it is looked for once a minute");
                    alerts.push(own_alert("KafkaTopicMissing", &summary, &[("topic", name)]));
                }
                TopicState::Refused(reason) => {
                    let summary = format!("the Kafka topic {name} cannot be read: {reason}");
                    alerts.push(own_alert("KafkaTopicMissing", &summary, &[("topic", name)]));
                }
                TopicState::Reading(_) | TopicState::Unknown => {}
            }
        }
        alerts
    }

    /// Once a minute: whether everything is as it is being read. Where it is not, all is looked at anew.
    fn look_while_reading(&mut self, client: &Client) -> Result<(), End> {
        let same = match self.survey(client) {
            Ok(survey) => {
                survey.gone.is_empty()
                    && survey.cluster == self.progress.cluster
                    && survey
                        .states
                        .iter()
                        .zip(&self.topics)
                        .all(|(state, topic)| *state == topic.state && matches!(state, TopicState::Reading(_)))
                    && survey.parts.iter().all(|(_, begin, _)| matches!(begin, Begin::AtWitness(_) | Begin::Unwitnessed))
            }
            Err(Trouble::NoAnswer(_)) => false,
            Err(Trouble::End(end)) => return Err(end),
        };
        if same {
            self.progress.phase = Phase::Reading { look_at: Instant::now() + LOOK_EVERY };
        } else {
            self.progress.phase = Phase::Looking { at: Instant::now(), tries: 0 };
        }
        Ok(())
    }

    /// Takes records until there are none or a batch is full, and hands it over.
    fn read(&mut self, client: &Client) -> Result<(), End> {
        if !self.has_room(client)? {
            match client.poll(POLL_WAIT_BUSY) {
                Polled::Nothing => {}
                Polled::Record(_) | Polled::Disturbed(_) => self.disturbed(),
                Polled::Fatal(reason) => return Err(End::Fatal(reason)),
            }
            return Ok(());
        }
        let world = self.world.load_full();
        let mut wait = if self.progress.flights.is_empty() { POLL_WAIT } else { POLL_WAIT_BUSY };
        while !self.progress.intake.is_full() {
            match client.poll(wait) {
                Polled::Nothing => break,
                Polled::Record(record) => {
                    if let Err((place, how)) = self.take(&world, &record) {
                        self.progress.broken.insert(place, how);
                        self.progress.phase = Phase::Looking { at: Instant::now(), tries: 0 };
                        return Ok(());
                    }
                }
                Polled::Disturbed(reason) => {
                    tracing::debug!(reason, "Kafka is looked at anew.");
                    self.disturbed();
                    return Ok(());
                }
                Polled::Fatal(reason) => return Err(End::Fatal(reason)),
            }
            wait = Duration::ZERO;
        }
        if !self.progress.intake.is_empty() {
            self.hand_over()?;
        }
        Ok(())
    }

    fn disturbed(&mut self) {
        // At once, unless the last look was just now.
        let at = self.progress.looked_at.map_or_else(Instant::now, |looked| looked + LOOK_AGAIN);
        self.progress.phase = Phase::Looking { at, tries: 0 };
    }

    /// Takes one record into the batch; its place where it shows that the topic is another.
    fn take(&mut self, world: &World, record: &BorrowedMessage<'_>) -> Result<(), (Place, Break)> {
        let Some(no) = self.topics.iter().position(|topic| topic.source.name == record.topic()) else { return Ok(()) };
        let place = (no, record.partition());
        let Some(part) = self.book.get_mut(&place).filter(|part| part.reads) else { return Ok(()) };
        let offset = record.offset();
        if let Some(expected) = part.expects {
            if offset < expected.offset {
                return Ok(());
            }
            let seen = Witness::of(offset, record.timestamp().to_millis(), record.key(), record.payload());
            if offset == expected.offset && seen != expected {
                return Err((place, Break::Replaced { offset }));
            }
            part.expects = None;
        }
        if offset < part.taken {
            return Ok(());
        }
        part.taken = offset + 1;
        let cluster = &self.progress.cluster;
        self.progress.intake.take(no, &self.topics[no].source, world, cluster, self.record_bytes_max, record);
        Ok(())
    }

    /// Gives the batch to the writer.
    fn hand_over(&mut self) -> Result<(), End> {
        let Closed { mut event, beside, positions, counts, bytes } = std::mem::take(&mut self.progress.intake).close();
        if let Event::Alerts { inputs, .. } = &mut event {
            for (no, counts) in counts.iter().filter(|(_, counts)| counts.rejected > 0) {
                let topic = self.topics[*no].source.name.as_str();
                let summary = format!(
                    "records of the Kafka topic {topic} cannot be read and are kept as dead letters; the last was {}",
                    watchkeeper_engine::text::one_line(&counts.fault)
                );
                inputs.push(own_alert("KafkaRecordsRefused", &summary, &[("topic", topic)]));
            }
        }
        match self.writer.submit_with(Lane::Kafka, event, beside) {
            Ok(told) => {
                self.progress.flight_bytes += bytes;
                self.progress.flights.push_back(Flight { told, positions, counts, bytes });
                Ok(())
            }
            // Nothing of it was taken: it is read again from where the store is.
            Err(Full::Busy) => {
                self.disturbed();
                Ok(())
            }
            Err(Full::Stopping) => Err(End::Stop),
        }
    }

    /// Whether the writer may be given more. While it may not for long, partitions are paused, and what is fetched is bounded.
    fn has_room(&mut self, client: &Client) -> Result<bool, End> {
        let fatal = |error: rdkafka::error::KafkaError| End::Fatal(error.to_string());
        if self.progress.paused {
            if self.progress.flight_bytes * 2 > self.flight_bytes_max || self.progress.flights.len() * 2 > FLIGHTS_MAX {
                return Ok(false);
            }
            client.resume().map_err(fatal)?;
            self.progress.paused = false;
            return Ok(true);
        }
        let deadline = Instant::now() + PRESSURE_PATIENCE;
        while self.progress.flights.len() >= FLIGHTS_MAX || self.progress.flight_bytes >= self.flight_bytes_max {
            if Instant::now() >= deadline {
                client.pause().map_err(fatal)?;
                self.progress.paused = true;
                return Ok(false);
            }
            thread::sleep(Duration::from_millis(1));
            self.reap()?;
        }
        Ok(true)
    }

    /// Takes note of batches that are on disk.
    fn reap(&mut self) -> Result<(), End> {
        while let Some(flight) = self.progress.flights.front_mut() {
            match flight.told.try_recv() {
                Ok(_) => self.landed(),
                Err(TryRecvError::Empty) => return Ok(()),
                Err(TryRecvError::Closed) => return Err(End::Stop),
            }
        }
        Ok(())
    }

    /// Waits until nothing is under way.
    fn settle(&mut self) -> Result<(), End> {
        while let Some(flight) = self.progress.flights.front_mut() {
            let (_, never) = oneshot::channel();
            let told = std::mem::replace(&mut flight.told, never);
            told.blocking_recv().map_err(|_| End::Stop)?;
            self.landed();
        }
        Ok(())
    }

    fn landed(&mut self) {
        let Some(flight) = self.progress.flights.pop_front() else { return };
        self.progress.flight_bytes -= flight.bytes;
        for (place, position) in flight.positions {
            if let Some(part) = self.book.get_mut(&place) {
                part.position = position;
                self.progress.unpublished.insert(place);
            }
        }
        for (no, counts) in flight.counts {
            let topic = self.topics[no].source.name.as_str();
            self.metrics.kafka_records.with_label_values(&[topic]).inc_by(counts.records);
            self.metrics.kafka_rejected.with_label_values(&[topic]).inc_by(counts.rejected);
        }
    }

    /// Has alerts of the daemon's own and rows written, and waits for it. Whether there was room.
    fn commit(&self, inputs: Vec<AlertInput>, rows: Vec<watchkeeper_store::RowChange>) -> Result<bool, End> {
        let event = Event::Alerts { inputs, refused: Vec::new() };
        match self.writer.submit_with(Lane::Kafka, event, Beside { rows, ..Beside::default() }) {
            Ok(told) => told.blocking_recv().map(|_| true).map_err(|_| End::Stop),
            Err(Full::Busy) => Ok(false),
            Err(Full::Stopping) => Err(End::Stop),
        }
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
        self.health.set_kafka(ok, detail);
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

/// What a look found.
struct Survey {
    cluster: String,
    states: Vec<TopicState>,
    parts: Vec<(Place, Begin, i64)>,
    gone: Vec<Place>,
}

/// Why a look came to nothing.
enum Trouble {
    NoAnswer(String),
    End(End),
}

impl From<NoAnswer> for Trouble {
    fn from(reason: NoAnswer) -> Trouble {
        Trouble::NoAnswer(reason.0)
    }
}

impl From<End> for Trouble {
    fn from(end: End) -> Trouble {
        Trouble::End(end)
    }
}

fn pass_over(polled: Polled<'_>) -> Result<(), End> {
    match polled {
        Polled::Fatal(reason) => Err(End::Fatal(reason)),
        // The look that follows begins with what the store has.
        Polled::Nothing | Polled::Record(_) | Polled::Disturbed(_) => Ok(()),
    }
}

fn other_cluster(topic: &str, known: &str, found: &str) -> AlertInput {
    let summary = format!(
        "the Kafka topic {topic} was read from cluster {known}, and another cluster, {found}, answers: it is not read until an operator accepts it \
         (watchkeeper kafka accept {topic})"
    );
    own_alert("KafkaOtherCluster", &summary, &[("topic", topic)])
}
