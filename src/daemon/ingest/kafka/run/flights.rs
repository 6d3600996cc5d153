//! Records on their way to the disk: polled, taken into a batch, handed to the writer, and their positions kept once they are there.

use std::thread;
use std::time::{Duration, Instant};

use rdkafka::message::{BorrowedMessage, Message as _};
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;
use watchkeeper_engine::event::World;
use watchkeeper_engine::input::AlertInput;

use super::{End, FLIGHTS_MAX, Flight, LOOK_AGAIN, POLL_WAIT, POLL_WAIT_BUSY, PRESSURE_PATIENCE, Phase, Place, Thread};
use crate::ingest::kafka::client::{Client, Polled};
use crate::ingest::kafka::intake::Closed;
use crate::ingest::kafka::position::{Break, Witness};
use crate::writer::{Alerts, Beside, Full, Lane, own_alert};

impl Thread {
    /// Takes records until there are none or a batch is full, and hands it over.
    pub(super) fn read(&mut self, client: &Client) -> Result<(), End> {
        if !self.has_room(client)? {
            match client.poll(POLL_WAIT_BUSY) {
                Polled::Nothing => {}
                Polled::Record(_) | Polled::Disturbed(_) => self.disturbed(),
                Polled::Fatal(reason) => return Err(End::Fatal(reason)),
            }
            return Ok(());
        }
        let world = self.current.world();
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
        let Closed { mut alerts, beside, positions, counts, bytes } = std::mem::take(&mut self.progress.intake).close();
        for (no, counts) in counts.iter().filter(|(_, counts)| counts.rejected > 0) {
            let topic = self.topics[*no].source.name.as_str();
            let summary = format!(
                "records of the Kafka topic {topic} cannot be read and are kept as dead letters; the last was {}",
                watchkeeper_engine::text::one_line(&counts.fault)
            );
            alerts.inputs.push(own_alert("KafkaRecordsRefused", &summary, &[("topic", topic)]));
        }
        match self.writer.submit_with(Lane::Kafka, alerts, beside) {
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
    pub(super) fn reap(&mut self) -> Result<(), End> {
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
    pub(super) fn settle(&mut self) -> Result<(), End> {
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
    pub(super) fn commit(&self, inputs: Vec<AlertInput>, rows: Vec<watchkeeper_store::RowChange>) -> Result<bool, End> {
        let alerts = Alerts { inputs, refused: Vec::new() };
        match self.writer.submit_with(Lane::Kafka, alerts, Beside { rows, ..Beside::default() }) {
            Ok(told) => told.blocking_recv().map(|_| true).map_err(|_| End::Stop),
            Err(Full::Busy) => Ok(false),
            Err(Full::Stopping) => Err(End::Stop),
        }
    }
}
