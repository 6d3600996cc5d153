//! Kafka topics as sources of alerts: one thread with one consumer, whose positions are written in the transaction of the alerts.
//!
//! Nothing is skipped silently: where records were deleted or a topic was truncated or recreated, the daemon raises an alert of its own and goes on from the earliest
//! record. Another cluster at the address is not read until an operator accepts it. A Kafka that does not answer never makes the daemon unready.

mod client;
mod intake;
mod position;
mod run;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::oneshot;
use tracing::{error, warn};
use watchkeeper_store::{Direction, Reader, StoreError, Table};

use crate::assembly::Shared;
use crate::ingest::door::{Reads, Source};

use client::Client;
use run::{End, Part, Thread, Topic, TopicState};

pub use position::{Begin, Break, Position, Witness, begin};

/// How long dropping the client may take. After that the process ends without waiting for it.
const CLOSE: Duration = Duration::from_secs(5);
/// Rows that one snapshot reads at a start.
const PAGE_ROWS: usize = 500;

/// How the rest of the daemon reaches the thread. Cheap to clone.
#[derive(Clone)]
pub struct KafkaHandle {
    asks: Sender<Ask>,
    topics: Arc<[String]>,
}

/// The thread, for whoever waits for its end.
pub struct Running {
    handle: KafkaHandle,
    thread: JoinHandle<()>,
}

/// How the thread ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// The daemon stops.
    AsAsked,
    /// Its client cannot go on; the log says why.
    Broken,
}

/// What came of accepting a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// It is read from now on.
    Yes {
        /// Its id.
        cluster: String,
    },
    /// The topic is not stopped for another cluster.
    Holds,
    /// The writer has no room; to be tried again.
    Busy,
}

/// Why Kafka cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// librdkafka refuses the properties as a whole.
    #[error("[kafka] cannot be used: {0}")]
    Client(#[from] rdkafka::error::KafkaError),
    /// The positions cannot be read.
    #[error(transparent)]
    Store(StoreError),
    /// The system gives no thread.
    #[error("no thread for Kafka: {0}")]
    Thread(std::io::Error),
}

enum Ask {
    Stop,
    Accept { topic: usize, by: String, told: oneshot::Sender<Accepted> },
}

/// Starts to read the topics of the configuration; `None` where it has none. The receiver is told how the thread ended.
///
/// # Errors
/// The client or the positions cannot be had.
pub fn start(shared: Shared) -> Result<Option<(Running, oneshot::Receiver<Ended>)>, StartError> {
    let Some(kafka) = shared.config.kafka.as_ref().filter(|kafka| !kafka.topics.is_empty()) else { return Ok(None) };
    let client = Client::new(kafka)?;
    let topic = |topic: &crate::config::Topic| Topic {
        source: Source { name: topic.name.clone(), realm: topic.realm.clone(), reads: Reads::named(&topic.format) },
        state: TopicState::Unknown,
    };
    let topics: Vec<Topic> = kafka.topics.iter().map(topic).collect();
    let names: Arc<[String]> = topics.iter().map(|topic| topic.source.name.clone()).collect();
    let (asks, asked) = channel();
    let mut thread = Thread {
        brokers: kafka.brokers.clone(),
        book: load(&shared.reader, &names).map_err(StartError::Store)?,
        topics,
        asks: asked,
        record_bytes_max: shared.config.limits.body_bytes,
        flight_bytes_max: shared.config.limits.in_flight_bytes / 4,
        writer: shared.writer,
        current: shared.current,
        health: shared.health,
        metrics: shared.metrics,
        progress: run::Progress::default(),
    };
    let (ended, is_over) = oneshot::channel();
    let work = move || {
        let end = match thread.run(&client) {
            End::Stop => Ended::AsAsked,
            End::Fatal(reason) => {
                error!(reason, "Kafka's client cannot go on; the daemon stops.");
                Ended::Broken
            }
        };
        // Nobody listens any more where the daemon stops anyway.
        ended.send(end).ok();
        if !client.close(CLOSE) {
            warn!("Kafka's client did not end in time.");
        }
    };
    let thread = thread::Builder::new().name("kafka".to_owned()).spawn(work).map_err(StartError::Thread)?;
    let handle = KafkaHandle { asks, topics: names };
    Ok(Some((Running { handle, thread }, is_over)))
}

impl KafkaHandle {
    /// The topics, which are sources.
    pub fn topics(&self) -> &[String] {
        &self.topics
    }

    /// An operator says that the cluster that answers is the one a topic is meant to be read from. `None` where there is no such topic.
    pub fn accept(&self, topic: &str, by: &str) -> Option<oneshot::Receiver<Accepted>> {
        let topic = self.topics.iter().position(|known| known == topic)?;
        let (told, answer) = oneshot::channel();
        // A thread that has ended drops it, which the receiver sees.
        self.asks.send(Ask::Accept { topic, by: by.to_owned(), told }).ok();
        Some(answer)
    }
}

impl Running {
    /// The way to the thread.
    pub fn handle(&self) -> KafkaHandle {
        self.handle.clone()
    }

    /// Ends the thread once what the writer has is on disk, and waits for that.
    ///
    /// # Errors
    /// It panicked.
    pub fn stop(self) -> thread::Result<()> {
        // It may have ended already.
        self.handle.asks.send(Ask::Stop).ok();
        self.thread.join()
    }
}

/// The positions of the topics that are configured; others stay in the store for the day they are configured again.
fn load(reader: &Reader, topics: &[String]) -> Result<BTreeMap<run::Place, Part>, StoreError> {
    let mut book = BTreeMap::new();
    let mut from: Option<Vec<u8>> = None;
    loop {
        let page = reader.snapshot()?.range(Table::KAFKA_POSITIONS, from.as_deref(), PAGE_ROWS, Direction::Forward)?;
        for (_, bytes) in &page.rows {
            let position = Position::decode(bytes)
                .map_err(|fault| StoreError::BadRow { table: Table::KAFKA_POSITIONS.name(), reason: fault.to_string() })?;
            if let Some(no) = topics.iter().position(|topic| *topic == position.topic) {
                book.insert((no, position.partition), Part { taken: position.next, position, expects: None, reads: false });
            }
        }
        from = page.next;
        if from.is_none() {
            return Ok(book);
        }
    }
}
