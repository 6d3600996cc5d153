//! From bytes to alerts: one file a format. A body is judged member by member, so that a bad one never costs the good ones.

pub mod alertmanager_api;
pub mod alertmanager_webhook;
pub mod cloudevents;
pub mod mapped;
pub mod pagerduty;

use std::collections::BTreeMap;

use serde_json::Value;

use watchkeeper_engine::input::{AlertInput, Refused};
use watchkeeper_engine::policy::priorities::Severities;
use watchkeeper_engine::text::Labels;
use watchkeeper_engine::words::Severity;

use super::json::{Pairs, kind, moment, refused};

/// By which source a body came, and the words that judge its severities.
#[derive(Debug, Clone, Copy)]
pub struct Door<'a> {
    /// The source's name; the bare paths are `default`.
    pub source: &'a str,
    /// What the source belongs to.
    pub realm: &'a str,
    /// The words of the policy in force.
    pub severities: &'a Severities,
}

/// Headers that a format may look at: texts by name in lower case.
pub type Headers = BTreeMap<String, String>;

/// What a body says, its members in two heaps.
#[derive(Debug, Default)]
pub struct Parsed {
    /// Members that were understood and are within every bound.
    pub inputs: Vec<AlertInput>,
    /// Where each of `inputs` stood in the body.
    pub places: Vec<usize>,
    /// Members that were not, each with its place.
    pub refused: Vec<Refused>,
    /// Where each of `refused` stood in the body.
    pub refused_places: Vec<usize>,
}

/// Labels that say how bad it is; the first one present counts.
const SEVERITY_LABELS: [&str; 3] = ["severity", "priority", "level"];

/// Annotations that say in a line what is wrong; the first one present counts.
const SUMMARY_ANNOTATIONS: [&str; 4] = ["summary", "message", "description", "title"];

/// The name of an alert whose sender gives none.
const UNNAMED: &str = "unnamed";

impl Parsed {
    /// Puts what became of the member at `index` on its heap.
    fn put(&mut self, index: usize, outcome: Result<AlertInput, Refused>) {
        match outcome.and_then(AlertInput::bounded) {
            Ok(input) => {
                self.inputs.push(input);
                self.places.push(index);
            }
            Err(fault) => self.refuse(index, at(index, &fault)),
        }
    }

    /// Puts the member at `index` on the heap of those that were not understood.
    fn refuse(&mut self, index: usize, fault: Refused) {
        self.refused.push(fault);
        self.refused_places.push(index);
    }
}

/// A fault within the member at `index`, placed in the body.
pub fn at(index: usize, fault: &Refused) -> Refused {
    let joint = if fault.place.is_empty() || fault.place.starts_with('[') { "" } else { "." };
    Refused { place: format!("alerts[{index}]{joint}{}", fault.place), expected: fault.expected.clone() }
}

impl Door<'_> {
    /// An alert of these labels and annotations, with name, severity and summary from where senders of Prometheus' kind write them.
    fn alert(&self, labels: Pairs, annotations: Pairs) -> AlertInput {
        let labels = Labels::new(labels.0);
        let annotations = Labels::new(annotations.0);
        let name = match labels.get("alertname") {
            "" => UNNAMED,
            name => name,
        };
        let mut input = AlertInput::named(self.source, name);
        self.realm.clone_into(&mut input.realm);
        input.severity = SEVERITY_LABELS
            .iter()
            .map(|name| labels.get(name))
            .find(|word| !word.is_empty())
            .map_or(Severity::Unknown, |word| self.severities.of(word));
        SUMMARY_ANNOTATIONS
            .iter()
            .map(|name| annotations.get(name))
            .find(|text| !text.is_empty())
            .unwrap_or_default()
            .clone_into(&mut input.summary);
        input.labels = labels;
        input.annotations = annotations;
        input
    }
}

/// Why a member of Prometheus' kind could not be read: the first thing in it that is not of its type, else what the parser said.
fn why_unread(raw: &str, error: &serde_json::Error) -> Refused {
    let Ok(member) = serde_json::from_str::<Value>(raw) else {
        let told = error.to_string();
        return refused("", format!("JSON, {}", told.split(" at line ").next().unwrap_or_default()));
    };
    let Value::Object(fields) = &member else {
        return refused("", format!("an object, this is {}", kind(&member)));
    };
    if fields.get("labels").is_none() {
        return refused("labels", "an object of texts");
    }
    for field in ["labels", "annotations"] {
        match fields.get(field) {
            None | Some(Value::Null) => {}
            Some(Value::Object(pairs)) => {
                for (name, value) in pairs {
                    if !matches!(value, Value::String(_) | Value::Null) {
                        return refused(&format!("{field}.{name}"), format!("a text, this is {}", kind(value)));
                    }
                }
            }
            Some(other) => return refused(field, format!("an object of texts, this is {}", kind(other))),
        }
    }
    for field in ["startsAt", "endsAt"] {
        match fields.get(field) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) if moment(text).is_some() => {}
            Some(Value::String(text)) => {
                let shown: String = text.chars().take(40).collect();
                return refused(field, format!("a time such as 2026-11-24T03:02:00Z, this is {shown:?}"));
            }
            Some(other) => return refused(field, format!("a time such as 2026-11-24T03:02:00Z, this is {}", kind(other))),
        }
    }
    let told = error.to_string();
    refused("", told.split(" at line ").next().unwrap_or_default())
}
