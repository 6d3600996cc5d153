//! A dead letter: an input that was refused or set aside.

use std::collections::BTreeMap;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use watchkeeper_engine::event::Command;
use watchkeeper_engine::ids::DeadLetterId;
use watchkeeper_engine::input::{AlertInput, Refused};
use watchkeeper_engine::state::rows::decode;
use watchkeeper_engine::time::Time;
use watchkeeper_engine::words::Severity;

use super::{given, pairs};
use crate::writer::{DeadLetter, Form, Origin};

/// A dead letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "DeadLetter")]
pub struct DeadLetterView {
    /// Its id.
    pub id: DeadLetterId,
    /// Its version.
    pub version: u64,
    /// When it came.
    pub received_at: Time,
    /// The source.
    pub source: String,
    /// The way it came.
    #[schemars(extend("enum" = ["http", "kafka", "writer"]))]
    pub door: String,
    /// Where on that way.
    pub origin: OriginView,
    /// What its bytes are.
    #[schemars(extend("enum" = ["raw", "alert", "command"]))]
    pub form: String,
    /// The first fault, in a sentence.
    pub reason: Option<String>,
    /// The first faults.
    pub faults: Vec<FaultView>,
    /// Faults beside those.
    pub more_faults: u32,
    /// The members of the body that were refused; empty: all of it.
    pub members: Vec<u32>,
    /// Its bytes.
    pub size: u64,
    /// When it was read again and taken.
    pub redriven_at: Option<Time>,
    /// By whom.
    pub redriven_by: Option<String>,
}

/// Where a dead letter came from: `path`, or `topic`, `partition` and `offset`, or `input`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Origin")]
pub struct OriginView {
    /// The path of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The Kafka topic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Its partition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<i64>,
    /// The record's offset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<i64>,
    /// The hash of the input that stopped the writer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
}

/// A fault of an input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Fault")]
pub struct FaultView {
    /// Where.
    pub place: String,
    /// What was expected there.
    pub expected: String,
}

/// A dead letter with what came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WholeDeadLetter {
    /// The dead letter.
    #[serde(flatten)]
    pub letter: DeadLetterView,
    /// Whether not all of its bytes are kept.
    pub cut: bool,
    /// Its bytes where they are text.
    pub text: Option<String>,
    /// Its bytes where they are no text.
    pub base64: Option<String>,
    /// What was set aside after it was understood; null for a raw body.
    pub understood: Option<UnderstoodView>,
}

/// An alert or a command that was understood before it was set aside; what it is not is left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Understood")]
pub struct UnderstoodView {
    /// Of a command: who.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Of a command: its word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Of an alert: all of it.
    #[serde(flatten)]
    pub alert: Option<UnderstoodAlert>,
}

/// An alert that was understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnderstoodAlert {
    /// Its source.
    pub source: String,
    /// Its realm.
    pub realm: String,
    /// Its key.
    pub key: Option<String>,
    /// Its name.
    pub name: String,
    /// Its severity.
    pub severity: Severity,
    /// Its summary.
    pub summary: Option<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
}

impl FaultView {
    /// Of a refusal.
    pub fn of(refused: &Refused) -> FaultView {
        FaultView { place: refused.place.clone(), expected: refused.expected.clone() }
    }
}

impl DeadLetterView {
    /// A dead letter changes once, when it is read again.
    pub fn version(letter: &DeadLetter) -> u64 {
        1 + u64::from(letter.redriven_at.is_some())
    }

    /// The way it came, as `door` says it.
    pub const fn door(origin: &Origin) -> &'static str {
        match origin {
            Origin::Http { .. } => "http",
            Origin::Kafka { .. } => "kafka",
            Origin::Writer { .. } => "writer",
        }
    }

    /// Of a record.
    pub fn of(letter: &DeadLetter) -> DeadLetterView {
        let input = &letter.input;
        let origin = match &input.origin {
            Origin::Http { path } => OriginView { path: Some(path.clone()), ..OriginView::default() },
            Origin::Kafka { topic, partition, offset } => OriginView {
                topic: Some(topic.clone()),
                partition: Some(i64::from(*partition)),
                offset: Some(*offset),
                ..OriginView::default()
            },
            Origin::Writer { input } => OriginView { input: Some(format!("{input:016x}")), ..OriginView::default() },
        };
        DeadLetterView {
            id: letter.id,
            version: DeadLetterView::version(letter),
            received_at: letter.received_at,
            source: input.source.clone(),
            door: DeadLetterView::door(&input.origin).to_owned(),
            origin,
            form: input.form.word().to_owned(),
            reason: input.faults.first().map(|fault| format!("{}: expected {}", fault.place, fault.expected)),
            faults: input.faults.iter().map(FaultView::of).collect(),
            more_faults: input.more_faults,
            members: input.members.clone(),
            size: input.size,
            redriven_at: letter.redriven_at,
            redriven_by: given(&letter.redriven_by),
        }
    }
}

impl WholeDeadLetter {
    /// Of a record.
    pub fn of(letter: &DeadLetter) -> WholeDeadLetter {
        let (text, base64) = bytes(&letter.input.bytes);
        WholeDeadLetter { letter: DeadLetterView::of(letter), cut: letter.input.is_cut(), text, base64, understood: understood(letter) }
    }
}

/// What came in: as text where it is one, else as base64. A character that was cut through does not make it binary.
fn bytes(bytes: &[u8]) -> (Option<String>, Option<String>) {
    let whole = match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&bytes[..error.valid_up_to()]).ok(),
        Err(_) => None,
    };
    match whole {
        Some(text) => (Some(text.to_owned()), None),
        None => (None, Some(BASE64_STANDARD.encode(bytes))),
    }
}

fn understood(letter: &DeadLetter) -> Option<UnderstoodView> {
    let bytes = &letter.input.bytes;
    match letter.input.form {
        Form::Raw => None,
        Form::Alert => {
            let alert = decode::<AlertInput>("dead_letters", bytes).ok()?;
            let alert = UnderstoodAlert {
                source: alert.source,
                realm: alert.realm.to_string(),
                key: given(&alert.key),
                name: alert.name,
                severity: alert.severity,
                summary: given(&alert.summary),
                labels: pairs(&alert.labels),
                annotations: pairs(&alert.annotations),
            };
            Some(UnderstoodView { alert: Some(alert), ..UnderstoodView::default() })
        }
        Form::Command => {
            let command = decode::<Command>("dead_letters", bytes).ok()?;
            let word = command.action.word().to_owned();
            Some(UnderstoodView { actor: Some(command.actor), command: Some(word), alert: None })
        }
    }
}
