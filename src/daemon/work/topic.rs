//! `[kafka.out]`: what happens to incidents, to a Kafka topic, at least once and in order for each incident. One thread with one producer.
//!
//! ```text
//! journal after the cursor ▸ a window of changes ▸ waves, each acknowledged whole ▸ the cursor's row
//! ```
//!
//! A wave holds one change of an incident at most, and the next begins when all of the last are acknowledged: whatever is written again after a failure or a crash,
//! no change comes before one of its incident that happened earlier. The cursor is committed after the acknowledgements, so a crash repeats changes, under the
//! same ids, and loses none. While the brokers are away nothing is kept but one window: the journal is the queue, and its archives are read where it has left the
//! store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use watchkeeper_engine::fact::Fact;
use watchkeeper_engine::ids::StoreId;
use watchkeeper_engine::state::rows::{decode, encode};
use watchkeeper_engine::text::one_line;
use watchkeeper_store::{RowChange, StoreError, Table};

use crate::assembly::Shared;
use crate::config::Kafka;
use crate::events::{Cursor, NoEvents, Part};
use crate::view::ChangeView;
use crate::writer::{Alerts, Full, Lane, own_alert};

/// Changes that are read at once, and all that is in memory while the brokers are away: some 20 MiB where each is a note as long as notes may be.
const WINDOW: usize = 1_000;
/// Commits without any change after which the cursor is committed all the same, so that a start does not read them again.
const SKIPPED_MAX: u64 = 4_096;
/// How long one reading waits for something to happen.
const READ_WAIT: Duration = Duration::from_secs(1);
/// How long one question to a broker may take.
const ASK: Duration = Duration::from_secs(3);
/// How long one poll waits for acknowledgements at first, and while the brokers are away.
const POLL: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));
/// After how long without an acknowledgement the brokers count as away.
const SLOW_AFTER: Duration = Duration::from_secs(5);
/// Between two tries, growing from the first to the last.
const TRY_AGAIN: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));
/// How often the log says that trouble lasts.
const SAY_AGAIN: Duration = Duration::from_secs(60);
/// How long changes may wait before the daemon raises an alert, and how often that is repeated: it clears by itself after five minutes.
const TELL: (Duration, Duration) = (Duration::from_secs(300), Duration::from_secs(60));

/// The thread, for whoever waits for its end.
pub struct Writing {
    stop: CancellationToken,
    thread: JoinHandle<()>,
}

/// Why there is no thread.
#[derive(Debug, thiserror::Error)]
pub enum NotWriting {
    /// librdkafka refuses the properties as a whole.
    #[error("[kafka] cannot be used for [kafka.out]: {0}")]
    Client(#[from] KafkaError),
    /// The cursor cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The cursor cannot be written: the daemon stops.
    #[error("the cursor of [kafka.out] cannot be kept: the daemon is stopping")]
    Stopping,
    /// The system gives no thread.
    #[error("no thread for [kafka.out]: {0}")]
    Thread(std::io::Error),
}

struct Thread {
    kafka: Kafka,
    topic: String,
    /// `source` of the CloudEvents.
    source: String,
    shared: Shared,
    runtime: Runtime,
    stop: CancellationToken,
    producer: Producer,
    /// Whether the topic was seen.
    is_known: bool,
    trouble: Option<Trouble>,
}

type Producer = BaseProducer<Context>;

/// What is wrong.
struct Trouble {
    what: String,
    since: Instant,
    said_at: Instant,
    told_at: Option<Instant>,
}

/// Why nothing is written: what, which the log says once, and the client's words, which differ each time.
struct Reason {
    what: String,
    words: String,
}

/// The daemon stops.
struct Stopped;

/// Starts to write, where the configuration has `[kafka.out]`. What happens after this has returned is not lost: a first cursor is on disk.
///
/// # Errors
/// The client, the cursor or a thread cannot be had.
pub async fn start(shared: &Shared, store: StoreId) -> Result<Option<Writing>, NotWriting> {
    let Some((kafka, topic)) = shared.config.kafka.as_ref().and_then(|kafka| Some((kafka, kafka.out.clone()?))) else { return Ok(None) };
    let stop = CancellationToken::new();
    let begin = begin(shared, &topic).await?;
    let mut thread = Thread {
        producer: producer(kafka)?,
        kafka: kafka.clone(),
        topic,
        source: format!("/watchkeeper/{store}"),
        shared: shared.clone(),
        runtime: tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(NotWriting::Thread)?,
        stop: stop.clone(),
        is_known: false,
        trouble: None,
    };
    let work = move || {
        // The end of the daemon is the only way out.
        let Stopped = thread.run(begin);
    };
    let thread = thread::Builder::new().name("kafka-out".to_owned()).spawn(work).map_err(NotWriting::Thread)?;
    Ok(Some(Writing { stop, thread }))
}

impl Writing {
    /// Ends the thread; what is not acknowledged is written again after the next start.
    ///
    /// # Errors
    /// It panicked.
    pub fn stop(self) -> thread::Result<()> {
        self.stop.cancel();
        self.thread.join()
    }
}

/// The cursor as it is on disk; for a topic that has none, after all that has happened so far.
async fn begin(shared: &Shared, topic: &str) -> Result<Cursor, NotWriting> {
    if let Some(row) = shared.reader.snapshot()?.get(Table::KAFKA_CURSORS, topic.as_bytes())? {
        let table = Table::KAFKA_CURSORS.name();
        return decode(table, &row).map_err(|fault| StoreError::BadRow { table, reason: fault.to_string() }.into());
    }
    let now = shared.events.now();
    loop {
        match shared.writer.keep(vec![row(topic, now)]) {
            Ok(told) => return told.await.map(|_| now).map_err(|_| NotWriting::Stopping),
            Err(Full::Busy) => tokio::time::sleep(TRY_AGAIN.0).await,
            Err(Full::Stopping) => return Err(NotWriting::Stopping),
        }
    }
}

fn row(topic: &str, cursor: Cursor) -> RowChange {
    RowChange { table: Table::KAFKA_CURSORS, key: topic.as_bytes().to_vec(), value: Some(encode(&cursor)) }
}

fn producer(config: &Kafka) -> Result<Producer, KafkaError> {
    let mut client = ClientConfig::new();
    client.set_log_level(RDKafkaLogLevel::Info).set("client.id", "watchkeeper");
    // As Java's clients do it, so that topics of theirs can be joined. A wave is sent at once.
    client.set("partitioner", "murmur2_random").set("linger.ms", "0");
    for property in &config.properties {
        client.set(property.name.as_str(), property.value.expose());
    }
    client.set("bootstrap.servers", config.brokers.as_str());
    client.set("enable.idempotence", "true").set("acks", "all");
    // What waits for a broker waits for as long as it takes.
    client.set("message.timeout.ms", "0");
    client.create_with_context(Context::default())
}

impl Thread {
    fn run(&mut self, begin: Cursor) -> Stopped {
        let (mut at, mut saved) = (begin, begin);
        loop {
            if let Err(stopped) = self.turn(&mut at, &mut saved) {
                return stopped;
            }
        }
    }

    /// Reads a window, writes it, and keeps the cursor.
    fn turn(&mut self, at: &mut Cursor, saved: &mut Cursor) -> Result<(), Stopped> {
        self.producer.poll(POLL.0);
        if self.producer.context().has_trouble() {
            self.is_known = false;
        }
        let part = self.read(*at)?;
        let oldest = part.events.first().map_or(0, |change| change.at.0.div_euclid(1_000));
        self.shared.metrics.kafka_out_oldest.set(oldest);
        self.know()?;
        self.write(&part.events)?;
        *at = part.next;
        if !part.events.is_empty() || saved.commits_until(*at) > SKIPPED_MAX {
            self.keep(*at)?;
            *saved = *at;
        }
        self.is_well();
        self.shared.metrics.kafka_out_oldest.set(0);
        Ok(())
    }

    /// What happened after a cursor: of the journal, or of its archives.
    fn read(&self, at: Cursor) -> Result<Part<ChangeView>, Stopped> {
        let (events, source) = (&self.shared.events, self.source.as_str());
        let change = |place, fact: &Fact, at| ChangeView::of(source, place, fact, at);
        let read = self.runtime.block_on(self.stop.run_until_cancelled(events.wait(at, WINDOW, READ_WAIT, change)));
        match read.ok_or(Stopped)? {
            Ok(part) => return Ok(part),
            Err(NoEvents::Stopping) => return Err(Stopped),
            Err(NoEvents::Gone) => match events.archived(&self.shared.config.store.dir, at, WINDOW, change) {
                Ok(Some(part)) => return Ok(part),
                Ok(None) => return self.lost(at),
                Err(error) => warn!(%error, "The journal's archives cannot be read for [kafka.out]; it is tried again."),
            },
            Err(error @ NoEvents::Read(_)) => warn!(%error, "The journal cannot be read for [kafka.out]; it is tried again."),
        }
        self.rest(TRY_AGAIN.1)?;
        Ok(Part { events: Vec::new(), next: at })
    }

    /// What came after the cursor is in no archive any more: that is said, and writing goes on with what is there.
    fn lost(&self, at: Cursor) -> Result<Part<ChangeView>, Stopped> {
        let next = self.shared.events.earliest(&self.shared.config.store.dir, at).unwrap_or_else(|_| self.shared.events.now());
        let topic = self.topic.as_str();
        warn!(topic, after = %at, next = %next, "Changes of incidents left the archives before they were written to Kafka.");
        self.raise(
            "KafkaOutLost",
            &format!("changes of incidents between {at} and {next} left the archives before Kafka's topic {topic} had them"),
        );
        self.shared.metrics.kafka_out.with_label_values(&["lost"]).inc();
        Ok(Part { events: Vec::new(), next })
    }

    /// Waits until the topic is there: librdkafka would say so half a minute later, and not as plainly.
    fn know(&mut self) -> Result<(), Stopped> {
        let mut wait = TRY_AGAIN.0;
        while !self.is_known {
            match self.look() {
                Ok(()) => self.is_known = true,
                Err(reason) => {
                    self.is_in_trouble(&reason);
                    self.rest(wait)?;
                    wait = (wait * 2).min(TRY_AGAIN.1);
                }
            }
        }
        Ok(())
    }

    fn look(&self) -> Result<(), Reason> {
        let topic = self.topic.as_str();
        let metadata = self.producer.client().fetch_metadata(Some(topic), ASK).map_err(|error| self.away(&plain(&error)))?;
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        match found.map(|found| found.error().map(RDKafkaErrorCode::from)) {
            Some(None) => Ok(()),
            None | Some(Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic)) => {
                Err(Reason { what: format!("the topic {topic} does not exist"), words: String::new() })
            }
            Some(Some(code)) => Err(Reason { what: format!("the topic {topic} is refused"), words: code.to_string() }),
        }
    }

    /// Has every change acknowledged, wave by wave.
    fn write(&mut self, changes: &[ChangeView]) -> Result<(), Stopped> {
        let mut left: Vec<&ChangeView> = changes.iter().collect();
        while !left.is_empty() {
            let mut incidents = BTreeSet::new();
            let (wave, rest): (Vec<&ChangeView>, Vec<&ChangeView>) = left.into_iter().partition(|change| incidents.insert(change.incident));
            self.have_taken(wave.into_iter().enumerate().collect())?;
            left = rest;
        }
        Ok(())
    }

    /// Sends a wave until all of it is acknowledged.
    fn have_taken(&mut self, mut wave: BTreeMap<usize, &ChangeView>) -> Result<(), Stopped> {
        let mut wait = TRY_AGAIN.0;
        loop {
            let failure = self.send(&mut wave)?;
            if wave.is_empty() {
                return Ok(());
            }
            let what = format!("the topic {} does not take a record", self.topic);
            self.is_in_trouble(&Reason { what, words: failure.unwrap_or_default() });
            self.rest(wait)?;
            wait = (wait * 2).min(TRY_AGAIN.1);
            if let Some((_, reason)) = self.producer.client().fatal_error() {
                warn!(reason, "Kafka's producer cannot go on, and is made anew.");
                match producer(&self.kafka) {
                    Ok(producer) => self.producer = producer,
                    Err(error) => warn!(%error, "It cannot be made; it is tried again."),
                }
            }
            self.is_known = false;
            self.know()?;
        }
    }

    /// Sends what is left of a wave once, and waits for what becomes of each; what was acknowledged leaves the wave. Returns why another was not.
    fn send(&mut self, wave: &mut BTreeMap<usize, &ChangeView>) -> Result<Option<String>, Stopped> {
        let (mut out, mut failure) = (0, None);
        for (no, change) in wave.iter() {
            let key = change.incident.to_string();
            let record = BaseRecord::with_opaque_to(&self.topic, *no).key(&key).payload(change.body.as_slice()).headers(headers());
            match self.producer.send(record) {
                Ok(()) => out += 1,
                Err((error, _)) => failure = Some(error.to_string()),
            }
        }
        let mut heard_at = Instant::now();
        while out > 0 {
            let is_slow = heard_at.elapsed() >= SLOW_AFTER;
            self.producer.poll(if is_slow { POLL.1 } else { POLL.0 });
            for (no, taken) in self.producer.context().reports() {
                out -= 1;
                heard_at = Instant::now();
                match taken {
                    Ok(()) => {
                        wave.remove(&no);
                        self.shared.metrics.kafka_out.with_label_values(&["written"]).inc();
                    }
                    Err(error) => {
                        self.shared.metrics.kafka_out.with_label_values(&["failed"]).inc();
                        failure = Some(error);
                    }
                }
            }
            if is_slow && out > 0 {
                self.is_in_trouble(&self.away("nothing is acknowledged"));
            }
            if self.stop.is_cancelled() {
                return Err(Stopped);
            }
        }
        Ok(failure)
    }

    /// Commits the cursor: what stands before it is never written again.
    fn keep(&self, cursor: Cursor) -> Result<(), Stopped> {
        loop {
            match self.shared.writer.keep(vec![row(&self.topic, cursor)]) {
                Ok(told) => return self.runtime.block_on(told).map(drop).map_err(|_| Stopped),
                Err(Full::Busy) => self.rest(TRY_AGAIN.0)?,
                Err(Full::Stopping) => return Err(Stopped),
            }
        }
    }

    fn rest(&self, wait: Duration) -> Result<(), Stopped> {
        let stopped = self.runtime.block_on(async { tokio::time::timeout(wait, self.stop.cancelled()).await });
        if stopped.is_ok() { Err(Stopped) } else { Ok(()) }
    }

    /// That the brokers do not answer, in the words of the client's last trouble.
    fn away(&self, otherwise: &str) -> Reason {
        let words = self.producer.context().trouble();
        Reason { what: format!("{} does not answer", self.kafka.brokers), words: words.unwrap_or_else(|| otherwise.to_owned()) }
    }

    fn is_in_trouble(&mut self, Reason { what, words }: &Reason) {
        let (now, topic) = (Instant::now(), self.topic.as_str());
        let reason = if words.is_empty() { what.clone() } else { format!("{what}: {}", one_line(words)) };
        self.shared.health.set_part("kafka.out", false, format!("{reason}; changes of incidents wait"));
        let known = self.trouble.take();
        let is_news = known.as_ref().is_none_or(|known| known.what != *what || now >= known.said_at + SAY_AGAIN);
        if is_news {
            warn!(topic, reason, "Changes of incidents are not written to Kafka; they wait in the journal.");
        }
        let (since, said_at, mut told_at) = known.map_or((now, now, None), |known| (known.since, known.said_at, known.told_at));
        if now >= since + TELL.0 && told_at.is_none_or(|told| now >= told + TELL.1) {
            told_at = Some(now);
            self.raise("KafkaOutStuck", &format!("changes of incidents are not written to Kafka: {reason}"));
        }
        self.trouble = Some(Trouble { what: what.clone(), since, said_at: if is_news { now } else { said_at }, told_at });
    }

    fn is_well(&mut self) {
        let topic = self.topic.as_str();
        if self.trouble.take().is_some() {
            info!(topic, "Changes of incidents are written to Kafka.");
        }
        self.shared.health.set_part("kafka.out", true, format!("changes of incidents are written to {topic}"));
    }

    /// Raises an alert of the daemon's own. Where there is no room it is said a minute later, or not at all.
    fn raise(&self, name: &str, summary: &str) {
        let alerts = Alerts { inputs: vec![own_alert(name, summary, &[])], ..Alerts::default() };
        drop(self.shared.writer.submit(Lane::Kafka, alerts));
    }
}

fn headers() -> OwnedHeaders {
    OwnedHeaders::new_with_capacity(1).insert(Header { key: "content-type", value: Some("application/cloudevents+json; charset=UTF-8") })
}

fn plain(error: &KafkaError) -> String {
    error.rdkafka_error_code().map_or_else(|| error.to_string(), |code| code.to_string())
}

/// What librdkafka tells. Called on the polling thread.
#[derive(Default)]
struct Context {
    /// What became of records, by their number in the wave.
    reports: Mutex<Vec<(usize, Result<(), String>)>>,
    /// The last trouble with a broker, in librdkafka's words.
    trouble: Mutex<Option<String>>,
    has_trouble: AtomicBool,
}

impl Context {
    fn reports(&self) -> Vec<(usize, Result<(), String>)> {
        std::mem::take(&mut self.reports.lock().expect("no holder of this panics"))
    }

    fn trouble(&self) -> Option<String> {
        self.trouble.lock().expect("no holder of this panics").clone()
    }

    /// Whether there was trouble since this was last asked.
    fn has_trouble(&self) -> bool {
        self.has_trouble.swap(false, Ordering::Relaxed)
    }
}

impl ClientContext for Context {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        // What matters of it is said where it is acted upon.
        debug!(facility, message, "librdkafka.");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(%error, reason, "librdkafka reports trouble.");
        self.has_trouble.store(true, Ordering::Relaxed);
        if !reason.is_empty() && error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            *self.trouble.lock().expect("no holder of this panics") = Some(reason.to_owned());
        }
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, no: usize) {
        let taken = result.as_ref().map(|_| ()).map_err(|(error, _)| plain(error));
        self.reports.lock().expect("no holder of this panics").push((no, taken));
    }
}
