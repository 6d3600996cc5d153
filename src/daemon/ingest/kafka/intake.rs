//! Records into one batch for the writer: alerts, what could not be read with its bytes, and the positions after them. One transaction takes it whole.

use std::collections::BTreeMap;

use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use watchkeeper_engine::event::World;
use watchkeeper_engine::input::{AlertInput, Refused};

use super::position::{Position, Witness};
use crate::ingest::door::{NotHeard, Source, parse};
use crate::ingest::json::refused;
use crate::ingest::senders::{Call, Headers, Member};
use crate::writer::{Alerts, Beside, DeadInput, Kept, Origin};

/// Records of one batch: enough that a commit of some milliseconds is shared by many.
pub(super) const BATCH_RECORDS_MAX: usize = 4_096;
/// Alerts after which a batch is closed: half of what the writer takes at once, so that webhooks find room beside it.
pub(super) const BATCH_ALERTS_MAX: usize = 4_096;
/// Bytes of records after which a batch is closed.
pub(super) const BATCH_BYTES_MAX: usize = 1 << 20;
/// Bytes of one header that a format may look at; a longer one is left out.
const HEADER_BYTES_MAX: usize = 8 * 1024;
/// Headers of a record that a format may look at; the rest is left out.
const HEADERS_MAX: usize = 100;

/// A batch that is being filled.
#[derive(Default)]
pub(super) struct Intake {
    inputs: Vec<AlertInput>,
    refused: Vec<(String, Refused)>,
    letters: Vec<DeadInput>,
    kept: Vec<Kept>,
    positions: BTreeMap<(usize, i32), Position>,
    counts: BTreeMap<usize, Counts>,
    records: usize,
    bytes: usize,
}

/// A batch as it goes to the writer.
pub(super) struct Closed {
    /// Its alerts.
    pub alerts: Alerts,
    /// What is written with them.
    pub beside: Beside,
    /// The positions after it, by topic and partition.
    pub positions: Vec<((usize, i32), Position)>,
    /// Bytes of its records.
    pub bytes: usize,
    /// What came of each topic.
    pub counts: BTreeMap<usize, Counts>,
}

/// What came of a topic in one batch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Counts {
    /// Its records.
    pub records: u64,
    /// Records that were refused wholly or in part.
    pub rejected: u64,
    /// Why the last of those was not.
    pub fault: String,
}

impl Intake {
    /// Whether nothing is in it.
    pub(super) fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Whether it is to be handed over before more goes in.
    pub(super) fn is_full(&self) -> bool {
        self.records >= BATCH_RECORDS_MAX || self.bytes >= BATCH_BYTES_MAX || self.inputs.len() + self.refused.len() >= BATCH_ALERTS_MAX
    }

    /// Takes a record of the topic that is number `no` in the configuration. A value of more than `bytes_max` is not read.
    pub(super) fn take(
        &mut self,
        no: usize,
        source: &Source,
        world: &World,
        cluster: &str,
        bytes_max: usize,
        record: &BorrowedMessage<'_>,
    ) {
        let value = record.payload();
        let bytes = value.unwrap_or_default();
        let origin = Origin::Kafka { topic: source.name.clone(), partition: record.partition(), offset: record.offset() };
        let parsed = match value {
            None => Err(refused("value", "a value, this record has none")),
            Some(value) if value.len() > bytes_max => {
                Err(refused("value", format!("at most {bytes_max} bytes (`body_mib` in [limits]), this has {}", value.len())))
            }
            Some(value) => {
                let call = Call { route: None, id: "", query: "", headers: &|| headers(record), body: value, now: None };
                parse(source, world, &call).map_err(why)
            }
        };
        let said = || source.reads.kept(|| headers(record));
        let (mut inputs, mut places, mut refused, mut refused_places) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        match parsed {
            Err(fault) => refused.push(fault),
            Ok(members) => {
                for Member { place, said, .. } in members {
                    match said {
                        Ok(input) => {
                            inputs.push(input);
                            places.push(place);
                        }
                        Err(fault) => {
                            refused.push(fault);
                            refused_places.push(place);
                        }
                    }
                }
            }
        }
        let counts = self.counts.entry(no).or_default();
        counts.records += 1;
        if let Some(fault) = refused.last() {
            counts.rejected += 1;
            counts.fault = format!("offset {} of partition {}: {fault}", record.offset(), record.partition());
            self.letters.push(DeadInput::raw(&source.name, origin.clone(), &refused, refused_places, bytes).with_headers(said()));
            self.refused.extend(refused.into_iter().map(|fault| (source.name.clone(), fault)));
        }
        if !inputs.is_empty() {
            self.kept
                .push(Kept { members: places, letter: DeadInput::raw(&source.name, origin, &[], Vec::new(), bytes).with_headers(said()) });
            self.inputs.extend(inputs);
        }
        self.records += 1;
        self.bytes += bytes.len() + record.key_len();
        let witness = Witness::of(record.offset(), record.timestamp().to_millis(), record.key(), value);
        let position = self
            .positions
            .entry((no, record.partition()))
            .or_insert_with(|| Position::earliest(&source.name, record.partition(), cluster, record.offset()));
        (position.next, position.witness) = (record.offset() + 1, Some(witness));
    }

    /// Closes it.
    pub(super) fn close(self) -> Closed {
        let Intake { inputs, refused, letters, kept, positions, counts, bytes, .. } = self;
        let rows = positions.values().map(Position::row).collect();
        Closed {
            alerts: Alerts { inputs, refused },
            beside: Beside { rows, letters, kept, ..Beside::default() },
            positions: positions.into_iter().collect(),
            bytes,
            counts,
        }
    }
}

/// Why nothing of a record was taken.
fn why(not_heard: NotHeard) -> Refused {
    match not_heard {
        NotHeard::Refused(fault) => fault,
        NotHeard::NoFormat(name) => refused("format", format!("a format of the rules in force, `{name}` is none")),
        NotHeard::Body(fault) => refused("value", fault.to_string()),
        NotHeard::Full(_) | NotHeard::Denied(_) | NotHeard::NoHook(_) => refused("value", not_heard.to_string()),
    }
}

/// What a format may look at of a record's headers: those that are texts, by name in lower case.
fn headers(record: &BorrowedMessage<'_>) -> Headers {
    let Some(headers) = record.headers() else { return Headers::default() };
    let texts = headers.iter().take(HEADERS_MAX).filter_map(|header| {
        let value = header.value.filter(|value| value.len() <= HEADER_BYTES_MAX)?;
        Some((header.key.to_ascii_lowercase(), std::str::from_utf8(value).ok()?.to_owned()))
    });
    texts.collect()
}
