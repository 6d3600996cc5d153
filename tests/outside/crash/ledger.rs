//! What the oracle knows of its alerts: what it said over the wire, what was answered, and what must therefore be there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// One alert that a sender speaks of.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    /// Its labels.
    pub(crate) labels: BTreeMap<String, String>,
    /// Inputs that were certainly taken, and that may have been.
    certain: u64,
    possible: u64,
    /// What each source may be saying, by its name.
    says: BTreeMap<&'static str, BTreeSet<Word>>,
}

/// What an input says of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Word {
    /// It fires.
    Fires,
    /// It is over.
    Over,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Answered: it is on disk.
    Taken,
    /// Refused: nothing of it is there.
    Refused,
    /// No answer: all of it is there, or nothing.
    Unknown,
}

/// The alerts of one sender; nobody else speaks of them, so their order is known.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    alerts: Vec<Known>,
    by_identity: BTreeMap<String, usize>,
    /// The alerts of each request without an answer since the last reckoning.
    unanswered: Vec<Vec<usize>>,
}

/// A row of `/api/v1/alerts`, as far as the oracle looks at it.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// Its labels.
    pub(crate) labels: BTreeMap<String, String>,
    /// Inputs it was heard by.
    pub(crate) count: u64,
    /// Its state.
    pub(crate) state: String,
}

impl Row {
    /// Of a record of the list.
    pub(crate) fn of(json: &Value) -> Row {
        let labels = json["labels"].as_object().unwrap_or_else(|| panic!("no labels: {json}"));
        Row {
            labels: labels.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect(),
            count: json["count"].as_u64().unwrap(),
            state: json["state"].as_str().unwrap().to_owned(),
        }
    }
}

/// An identity as a text: what makes two inputs one alert.
pub(crate) fn identity(labels: &BTreeMap<String, String>) -> String {
    labels.iter().map(|(name, value)| format!("{name}={value};")).collect()
}

impl Ledger {
    /// Takes an alert into the ledger that nothing was said of yet; its number.
    pub(crate) fn add(&mut self, labels: BTreeMap<String, String>) -> usize {
        let number = self.alerts.len();
        assert!(self.by_identity.insert(identity(&labels), number).is_none(), "two alerts of one identity: {labels:?}");
        self.alerts.push(Known { labels, certain: 0, possible: 0, says: BTreeMap::new() });
        number
    }

    /// An alert.
    pub(crate) fn alert(&self, number: usize) -> &Known {
        &self.alerts[number]
    }

    /// Whether it ever spoke of an alert with these labels.
    pub(crate) fn knows(&self, labels: &BTreeMap<String, String>) -> bool {
        self.by_identity.contains_key(&identity(labels))
    }

    /// Notes what became of a request of one source.
    pub(crate) fn note(&mut self, source: &'static str, inputs: &[(usize, Word)], outcome: Outcome) {
        if outcome == Outcome::Unknown {
            self.unanswered.push(inputs.iter().map(|(number, _)| *number).collect());
        }
        for (number, word) in inputs {
            let alert = &mut self.alerts[*number];
            let says = alert.says.entry(source).or_insert_with(|| BTreeSet::from([Word::Over]));
            match outcome {
                Outcome::Taken => {
                    alert.certain += 1;
                    alert.possible += 1;
                    *says = BTreeSet::from([*word]);
                }
                Outcome::Unknown => {
                    alert.possible += 1;
                    says.insert(*word);
                }
                Outcome::Refused => {}
            }
        }
    }

    /// Holds the ledger against the list of alerts; what was unknown is known afterwards. Returns the faults.
    pub(crate) fn reckon(&mut self, rows: &BTreeMap<String, Vec<Row>>) -> Vec<String> {
        let mut faults = Vec::new();
        let counted = |alert: &Known| rows.get(&identity(&alert.labels)).map_or(0, |rows| rows.iter().map(|row| row.count).sum::<u64>());
        for request in self.unanswered.drain(..) {
            let alerts = request.iter().map(|number| &self.alerts[*number]);
            let there: BTreeSet<bool> = alerts.map(|alert| counted(alert) > alert.certain).collect();
            if there.len() > 1 {
                faults.push("a request without an answer is there in part".to_owned());
            }
        }
        for alert in &mut self.alerts {
            let found = rows.get(&identity(&alert.labels)).map_or(&[][..], Vec::as_slice);
            if found.len() > 1 {
                faults.push(format!("{:?} is there {} times", alert.labels, found.len()));
            }
            let count = counted(alert);
            if count < alert.certain || count > alert.possible {
                let (least, most) = (alert.certain, alert.possible);
                faults.push(format!("{:?}: {least} inputs were answered, {most} sent, and {count} are there", alert.labels));
            }
            (alert.certain, alert.possible) = (count, count);
            let state = found.first().map_or("none", |row| row.state.as_str());
            if alert.must_fire() && state == "cleared" {
                faults.push(format!("{:?} was answered as firing and is cleared", alert.labels));
            }
            if alert.must_be_over() && !matches!(state, "cleared" | "none") {
                faults.push(format!("{:?} was answered as over and is {state}", alert.labels));
            }
        }
        faults
    }
}

impl Known {
    /// Whether it is certain that the daemon knows it.
    pub(crate) fn is_heard(&self) -> bool {
        self.certain > 0
    }

    /// Whether some source certainly says that it fires.
    fn must_fire(&self) -> bool {
        self.says.values().any(|words| words.iter().all(|word| *word == Word::Fires))
    }

    /// Whether every source certainly says that it is over.
    fn must_be_over(&self) -> bool {
        self.says.values().all(|words| words.iter().all(|word| *word == Word::Over))
    }
}
