//! What the brokers have: cluster, topics, partitions and offsets, held against the store's positions, and where reading begins.

use std::time::Instant;

use tracing::{info, warn};
use watchkeeper_engine::input::AlertInput;

use super::{End, LOOK_AGAIN, LOOK_EVERY, Part, Phase, Place, RETRY_MAX, Thread, TopicState};
use crate::ingest::kafka::client::{Client, Found, NoAnswer};
use crate::ingest::kafka::intake::Intake;
use crate::ingest::kafka::position::{Begin, Break, Position, begin};
use crate::writer::own_alert;

impl Thread {
    /// Looks at everything anew, and begins to read.
    pub(super) fn look(&mut self, client: &Client, tries: u32) -> Result<(), End> {
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
    pub(super) fn look_while_reading(&mut self, client: &Client) -> Result<(), End> {
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

pub(super) fn other_cluster(topic: &str, known: &str, found: &str) -> AlertInput {
    let summary = format!(
        "the Kafka topic {topic} was read from cluster {known}, and another cluster, {found}, answers: it is not read until an operator accepts it \
         (watchkeeper kafka accept {topic})"
    );
    own_alert("KafkaOtherCluster", &summary, &[("topic", topic)])
}
