//! By what past records are found: keys beside their rows, written with them. A list reads the few ids that a key has, instead of all that ever was.
//!
//! A key says that a record may be meant: who reads looks at the record itself as well. So a text may be cut, and words that are too many stand under one key.

use std::collections::BTreeSet;

use super::rows::Row;
use super::{State, messages};
use crate::ids::{AlertId, IncidentId, MessageId, ProblemId};
use crate::model::alert::{Alert, CiRef};
use crate::model::incident::Incident;
use crate::model::message::Message;
use crate::model::problem::Problem;

/// Bytes of a text in a key; what is longer is cut, and found by its beginning.
const VALUE_BYTES_MAX: usize = 128;
/// Words of one record that have a key each. A record with more, or with one that is cut, is looked at by every search.
const WORDS_MAX: usize = 64;

/// Of which kind the records are. The numbers are stored, and never used for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Of {
    /// Closed incidents.
    Incidents = 1,
    /// Closed problems.
    Problems = 2,
    /// Forgotten alerts.
    Alerts = 3,
    /// Messages that are done.
    Messages = 4,
}

/// By what they are found. The numbers are stored, and never used for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum By {
    /// The team that owns the CI at fault.
    Owner = 1,
    /// Who had it.
    Assignee = 2,
    /// A service that was affected.
    Service = 3,
    /// The CI: its id as it was written, or of alerts [`ci_value`].
    Ci = 4,
    /// The rule that it comes of.
    Rule = 5,
    /// A word of what it says.
    Word = 6,
    /// That it says more words than have keys.
    ManyWords = 7,
    /// The incident it is about.
    Incident = 8,
    /// Whom it went to.
    Address = 9,
}

/// A record of the past that is found by keys.
pub trait Past {
    /// Which kind.
    const OF: Of;

    /// Its id.
    fn number(&self) -> u64;

    /// What it is found by; texts as [`value`] has them.
    fn found_by(&self) -> BTreeSet<(By, String)>;

    /// The rows beside its own.
    fn keys(&self) -> Vec<Row> {
        let id = self.number();
        self.found_by().into_iter().map(|(by, value)| Row::PastKey(Self::OF, by, value, id)).collect()
    }
}

/// A text as a key has it: in lower case, and not longer than need be.
pub fn value(text: &str) -> String {
    // No text holds the byte that ends one in a key.
    let mut value = text.to_lowercase().replace('\0', "\u{fffd}");
    value.truncate(value.floor_char_boundary(VALUE_BYTES_MAX));
    value
}

/// The CI of an alert as a key has it: by its number where the CMDB knows it, because its id may change.
pub fn ci_value(ci: &CiRef) -> String {
    match ci {
        CiRef::Known(no) => format!("\u{1}{}", no.0),
        CiRef::Unknown(text) => value(text),
    }
}

impl Past for Incident {
    const OF: Of = Of::Incidents;

    fn number(&self) -> u64 {
        self.id.0
    }

    fn found_by(&self) -> BTreeSet<(By, String)> {
        let services = self.services.iter().map(|hit| (By::Service, hit.id.as_str()));
        let texts = [(By::Owner, self.team.as_str()), (By::Assignee, &self.assignee), (By::Ci, &self.item), (By::Rule, &self.rule)];
        let mut keys = of_texts(texts.into_iter().chain(services));
        keys.extend(words(&[&self.title, &self.item, &self.resolution]));
        keys
    }
}

impl Past for Problem {
    const OF: Of = Of::Problems;

    fn number(&self) -> u64 {
        self.id.0
    }

    fn found_by(&self) -> BTreeSet<(By, String)> {
        of_texts([(By::Owner, self.team.as_str()), (By::Assignee, &self.assignee), (By::Ci, &self.item), (By::Rule, &self.key.rule)])
    }
}

impl Past for Alert {
    const OF: Of = Of::Alerts;

    fn number(&self) -> u64 {
        self.id.0
    }

    fn found_by(&self) -> BTreeSet<(By, String)> {
        of_texts([(By::Ci, ci_value(&self.ci).as_str())])
    }
}

impl Past for Message {
    const OF: Of = Of::Messages;

    fn number(&self) -> u64 {
        self.id.0
    }

    fn found_by(&self) -> BTreeSet<(By, String)> {
        let mut keys = of_texts([(By::Address, self.to.as_str())]);
        keys.extend(self.incident.map(|incident| (By::Incident, value(&incident.to_string()))));
        keys
    }
}

fn of_texts<'a>(texts: impl IntoIterator<Item = (By, &'a str)>) -> BTreeSet<(By, String)> {
    texts.into_iter().filter(|(_, text)| !text.is_empty()).map(|(by, text)| (by, value(text))).collect()
}

fn words(texts: &[&str]) -> Vec<(By, String)> {
    let all: BTreeSet<String> =
        texts.iter().flat_map(|text| text.split_whitespace()).map(|word| word.to_lowercase().replace('\0', "\u{fffd}")).collect();
    let is_cut = |word: &String| word.len() > VALUE_BYTES_MAX;
    if all.len() > WORDS_MAX || all.iter().any(is_cut) {
        return vec![(By::ManyWords, String::new())];
    }
    all.into_iter().map(|word| (By::Word, word)).collect()
}

/// A key's row: it has nothing in it, and goes where the record is no longer past.
pub(super) fn key(state: &State, of: &Of, _: &By, _: &str, id: &u64) -> Option<()> {
    let is_past = match of {
        Of::Incidents => state.incidents.past().contains_key(&IncidentId(*id)),
        Of::Problems => state.problems.past().contains_key(&ProblemId(*id)),
        Of::Alerts => state.alerts.past().contains_key(&AlertId(*id)),
        Of::Messages => messages::past_message(state, &MessageId(*id)).is_some(),
    };
    is_past.then_some(())
}
