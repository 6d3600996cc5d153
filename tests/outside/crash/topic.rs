//! A Kafka topic under the same kills: every record of it is there exactly once, as an input of its alert or as a dead letter.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::{Value, json};
use watchkeeper_harness::chance::Chance;
use watchkeeper_harness::daemon::{Daemon, PATIENCE, eventually};
use watchkeeper_harness::kafka::{Kafka, send};

use super::ledger::{Ledger, Outcome, Word};
use super::senders::{Cycle, host_name};

const NAME: &str = "records";
const PARTITIONS: i32 = 3;
/// Alerts that come again and again, each in a partition of its own, so that their order is known.
const POOL: u64 = 30;

/// What was written to the topic.
pub(crate) struct Topic {
    /// What its alerts must be.
    pub(crate) ledger: Ledger,
    /// Records that were written.
    pub(crate) records: u64,
    /// Those that are no alerts.
    pub(crate) spoiled: u64,
    kafka: Kafka,
    producer: BaseProducer,
    chance: Chance,
    once: u64,
}

impl Topic {
    /// A broker with the topic.
    pub(crate) fn new(chance: Chance) -> Topic {
        let kafka = Kafka::start("Y3Jhc2ggb3JhY2xlIHRvcA");
        kafka.create_topic(NAME, PARTITIONS);
        let mut ledger = Ledger::default();
        for number in 0..POOL {
            ledger.add(labels("Pool", number));
        }
        Topic { ledger, records: 0, spoiled: 0, producer: kafka.producer(), kafka, chance, once: 0 }
    }

    /// What daemon.toml says of it.
    pub(crate) fn config(&self) -> String {
        format!("\n[kafka]\nbrokers = \"{}\"\n\n[[kafka.topic]]\nname = \"{NAME}\"\nformat = \"alertmanager\"\n", self.kafka.broker())
    }

    /// Writes records until the daemon is gone; the broker has them all when this returns.
    pub(crate) fn work(&mut self, cycle: &Cycle) {
        while !cycle.over.load(Ordering::SeqCst) {
            for _ in 0..1 + self.chance.below(20) {
                self.write();
            }
            self.producer.flush(PATIENCE).unwrap();
        }
    }

    fn write(&mut self) {
        self.records += 1;
        if self.chance.percent(4) {
            self.spoiled += 1;
            let partition = i32::try_from(self.chance.below(3)).unwrap();
            return self.put(partition, &format!("no alert {}", self.spoiled));
        }
        let (number, word) = if self.chance.percent(70) {
            let number = self.chance.below(POOL);
            (usize::try_from(number).unwrap(), if self.chance.percent(30) { Word::Over } else { Word::Fires })
        } else {
            self.once += 1;
            (self.ledger.add(labels("Once", self.once)), Word::Fires)
        };
        let status = if word == Word::Over { "resolved" } else { "firing" };
        let now = format!("{:.3}", jiff::Timestamp::now());
        let mut alert = json!({"status": status, "labels": self.ledger.alert(number).labels, "startsAt": now});
        if word == Word::Over {
            alert["endsAt"] = json!(now);
        }
        // An end of what was never heard is taken and not remembered.
        if word == Word::Fires || self.ledger.alert(number).is_heard() {
            self.ledger.note(NAME, &[(number, word)], Outcome::Taken);
        }
        self.put(i32::try_from(number).unwrap() % PARTITIONS, &json!({"alerts": [alert]}).to_string());
    }

    fn put(&self, partition: i32, record: &str) {
        send(&self.producer, BaseRecord::<[u8], [u8]>::to(NAME).partition(partition).payload(record.as_bytes()));
    }

    /// Waits until the positions in the store are behind the last record.
    pub(crate) fn wait_until_read(&self, daemon: &Daemon) {
        let sum = |metrics: &str, name: &str| -> Option<f64> {
            let lines = metrics.lines().filter(|line| line.starts_with(name));
            lines.map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
        };
        eventually("every record is read", || {
            let (metrics, ready) = (text(&daemon.get("/metrics").body), text(&daemon.get("/-/ready?verbose").body));
            let next = sum(&metrics, "watchkeeper_kafka_position_offset{");
            if next == Some(self.records as f64) && ready.contains("ok   kafka") {
                Ok(())
            } else {
                Err(format!("{next:?} of {}: {ready}", self.records))
            }
        });
    }

    /// Each record that is no alert is a dead letter, once.
    pub(crate) fn check_letters(&self, daemon: &Daemon) -> Vec<String> {
        let letters = daemon.list("/api/v1/dead-letters", "?door=kafka");
        let places: BTreeSet<String> = letters.iter().map(|letter: &Value| letter["origin"].to_string()).collect();
        let spoiled = usize::try_from(self.spoiled).unwrap();
        if letters.len() == spoiled && places.len() == spoiled {
            return Vec::new();
        }
        vec![format!("{spoiled} records could not be read, {} dead letters of {} records are kept", letters.len(), places.len())]
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn labels(name: &str, number: u64) -> BTreeMap<String, String> {
    let pairs = [("alertname", format!("Topic{name}")), ("instance", host_name(1 + number % 3)), ("record", number.to_string())];
    pairs.map(|(name, value)| (name.to_owned(), value)).into()
}
