//! A small interface to librdkafka: one `BaseConsumer` that is polled by one thread, with partitions assigned by hand and no position of its own.
//!
//! Whatever may mean that the cluster or topic has changed (a lost connection, another cluster, a topic with another id, an offset out of range) is a disturbance.
//! It comes out of [`Client::poll`] before any record that was fetched after it, because librdkafka puts both into one queue.

use std::collections::BTreeMap;
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::statistics::Statistics;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tracing::{debug, trace};

use super::position::Position;
use crate::config::Kafka;

/// How long one question to a broker may take.
const ASK: Duration = Duration::from_secs(5);
/// The text of librdkafka's log line when a topic has another id than before.
const CHANGED_ID: &str = " changed id from ";
/// The id of a topic of which nothing is known yet, in that line.
const NO_ID: &str = "AAAAAAAAAAAAAAAAAAAAAA";

/// A consumer.
pub(super) struct Client {
    consumer: BaseConsumer<Context>,
}

/// What a poll brought.
pub(super) enum Polled<'a> {
    /// Nothing within the time.
    Nothing,
    /// A record.
    Record(BorrowedMessage<'a>),
    /// A disturbance: the cluster or topic may have changed.
    Disturbed(String),
    /// The client cannot go on.
    Fatal(String),
}

/// What a broker says of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// It has these partitions.
    Partitions(Vec<i32>),
    /// There is none of that name.
    Missing,
    /// Access is denied, or the topic has an error.
    Refused(String),
}

/// Why a question to a broker has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct NoAnswer(pub String);

impl Client {
    /// A consumer of these brokers; it does not wait for them.
    ///
    /// # Errors
    /// librdkafka refuses the properties as a whole.
    pub(super) fn new(config: &Kafka) -> Result<Client, KafkaError> {
        let mut client = ClientConfig::new();
        // The topic log is where a recreated topic shows.
        client.set_log_level(RDKafkaLogLevel::Debug).set("debug", "topic");
        client.set("client.id", "watchkeeper").set("group.id", "watchkeeper");
        client.set("queued.max.messages.kbytes", "16384").set("fetch.queue.backoff.ms", "20");
        client.set("topic.metadata.refresh.interval.ms", "30000");
        for property in &config.properties {
            client.set(property.name.as_str(), property.value.expose());
        }
        client.set("bootstrap.servers", config.brokers.as_str());
        client.set("enable.auto.commit", "false").set("enable.auto.offset.store", "false").set("auto.offset.reset", "error");
        client.set("isolation.level", "read_committed").set("group.protocol", "classic").set("statistics.interval.ms", "5000");
        Ok(Client { consumer: client.create_with_context(Context::default())? })
    }

    /// The next record or disturbance, within `wait`.
    pub(super) fn poll(&self, wait: Duration) -> Polled<'_> {
        let polled = self.consumer.poll(wait);
        if let Some((_, reason)) = self.consumer.client().fatal_error() {
            return Polled::Fatal(reason);
        }
        match (polled, self.context().disturbance()) {
            (_, Some(reason)) => Polled::Disturbed(reason),
            (Some(Ok(record)), None) => Polled::Record(record),
            (Some(Err(KafkaError::PartitionEOF(_))) | None, None) => Polled::Nothing,
            (Some(Err(error)), None) => Polled::Disturbed(plain(&error)),
        }
    }

    /// Handles the events that are queued while nothing is assigned.
    ///
    /// # Errors
    /// The client cannot go on.
    pub(super) fn drain(&self) -> Result<(), String> {
        loop {
            match self.poll(Duration::ZERO) {
                Polled::Nothing => return Ok(()),
                Polled::Fatal(reason) => return Err(reason),
                Polled::Record(_) | Polled::Disturbed(_) => {}
            }
        }
    }

    /// The id of the cluster, as the newest metadata have it.
    ///
    /// # Errors
    /// No broker answers.
    pub(super) fn cluster(&self) -> Result<String, NoAnswer> {
        self.consumer
            .client()
            .fetch_cluster_id(ASK)
            .ok_or_else(|| self.unanswered(&KafkaError::MetadataFetch(RDKafkaErrorCode::BrokerTransportFailure)))
    }

    /// The partitions of a topic.
    ///
    /// # Errors
    /// No broker answers.
    pub(super) fn partitions(&self, topic: &str) -> Result<Found, NoAnswer> {
        let metadata = self.consumer.fetch_metadata(Some(topic), ASK).map_err(|error| self.unanswered(&error))?;
        let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else { return Ok(Found::Missing) };
        Ok(match found.error().map(RDKafkaErrorCode::from) {
            None => Found::Partitions(found.partitions().iter().map(rdkafka::metadata::MetadataPartition::id).collect()),
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => Found::Missing,
            Some(code) => Found::Refused(code.to_string()),
        })
    }

    /// The earliest offset of a partition, and the one after its last record.
    ///
    /// # Errors
    /// No broker answers.
    pub(super) fn watermarks(&self, topic: &str, partition: i32) -> Result<(i64, i64), NoAnswer> {
        self.consumer.fetch_watermarks(topic, partition, ASK).map_err(|error| self.unanswered(&error))
    }

    /// Reads these partitions from these offsets on, and no others.
    ///
    /// # Errors
    /// The client cannot go on.
    pub(super) fn assign<'a>(&self, partitions: impl Iterator<Item = (&'a str, i32, i64)>) -> KafkaResult<()> {
        self.consumer.assign(&offsets(partitions)?)
    }

    /// Reads nothing. What was fetched already never comes out of [`Client::poll`].
    ///
    /// # Errors
    /// The client cannot go on.
    pub(super) fn unassign(&self) -> KafkaResult<()> {
        self.consumer.unassign()
    }

    /// Stops fetching for now.
    ///
    /// # Errors
    /// The client cannot go on.
    pub(super) fn pause(&self) -> KafkaResult<()> {
        // The list holds references into the client, and must not outlive this call.
        self.consumer.pause(&self.consumer.assignment()?)
    }

    /// Goes on fetching.
    ///
    /// # Errors
    /// The client cannot go on.
    pub(super) fn resume(&self) -> KafkaResult<()> {
        self.consumer.resume(&self.consumer.assignment()?)
    }

    /// Publishes positions as the offsets of the consumer group, for dashboards. They are never read back, so a failure is ignored.
    pub(super) fn publish<'a>(&self, positions: impl Iterator<Item = &'a Position>) {
        let list = offsets(positions.map(|position| (position.topic.as_str(), position.partition, position.next)));
        if let Err(error) = list.and_then(|list| self.consumer.commit(&list, CommitMode::Async)) {
            debug!(%error, "Group offsets were not published.");
        }
    }

    /// Where each partition ends, as far as statistics have told.
    pub(super) fn ends(&self) -> BTreeMap<(String, i32), i64> {
        self.context().ends.lock().expect("no holder of this panics").clone()
    }

    /// Drops the client on a separate thread, because that may hang. Returns whether it was done within `wait`.
    pub(super) fn close(self, wait: Duration) -> bool {
        let (gone, told) = mpsc::channel();
        let close = move || {
            drop(self);
            // Whoever waited may have given up.
            gone.send(()).ok();
        };
        match thread::Builder::new().name("kafka-close".to_owned()).spawn(close) {
            Ok(_) => told.recv_timeout(wait).is_ok(),
            Err(_) => false,
        }
    }

    fn context(&self) -> &Context {
        self.consumer.context()
    }

    /// The reason for a missing answer: the last connection error says more than the timeout.
    fn unanswered(&self, error: &KafkaError) -> NoAnswer {
        let trouble = self.context().trouble.lock().expect("no holder of this panics");
        NoAnswer(trouble.clone().unwrap_or_else(|| plain(error)))
    }
}

fn offsets<'a>(partitions: impl Iterator<Item = (&'a str, i32, i64)>) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    for (topic, partition, offset) in partitions {
        list.add_partition_offset(topic, partition, Offset::Offset(offset))?;
    }
    Ok(list)
}

fn plain(error: &KafkaError) -> String {
    if let KafkaError::MessageConsumption(code) | KafkaError::MetadataFetch(code) | KafkaError::Global(code) = error {
        return code.to_string();
    }
    error.to_string()
}

/// What librdkafka tells beside records. Called on the polling thread.
#[derive(Debug, Default)]
struct Context {
    disturbance: Mutex<Option<String>>,
    /// The last trouble with a broker, in librdkafka's words.
    trouble: Mutex<Option<String>>,
    ends: Mutex<BTreeMap<(String, i32), i64>>,
}

impl Context {
    fn disturb(&self, reason: &str) {
        self.disturbance.lock().expect("no holder of this panics").get_or_insert_with(|| reason.to_owned());
    }

    fn disturbance(&self) -> Option<String> {
        self.disturbance.lock().expect("no holder of this panics").take()
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        let is_debug = matches!(level, RDKafkaLogLevel::Debug);
        let other_topic = message.split_once(CHANGED_ID).is_some_and(|(_, ids)| !ids.starts_with(NO_ID));
        if other_topic || (facility == "CLUSTERID" && !is_debug) {
            self.disturb(message);
        }
        if is_debug {
            trace!(facility, message, "librdkafka.");
        } else {
            // What matters of it is said where it is acted upon.
            debug!(facility, message, "librdkafka.");
        }
    }

    fn stats(&self, statistics: Statistics) {
        let mut ends = self.ends.lock().expect("no holder of this panics");
        for topic in statistics.topics.values() {
            for partition in topic.partitions.values().filter(|partition| partition.ls_offset >= 0) {
                ends.insert((topic.topic.clone(), partition.partition), partition.ls_offset);
            }
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if matches!(error, KafkaError::Global(RDKafkaErrorCode::PartitionEOF)) {
            return;
        }
        debug!(%error, reason, "librdkafka reports trouble.");
        if !reason.is_empty() && !matches!(error, KafkaError::Global(RDKafkaErrorCode::AllBrokersDown)) {
            *self.trouble.lock().expect("no holder of this panics") = Some(reason.to_owned());
        }
        self.disturb(if reason.is_empty() { "an error without words" } else { reason });
    }
}

impl ConsumerContext for Context {
    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        if let Err(error) = result {
            debug!(%error, "Group offsets were not published.");
        }
    }
}
