//! `priorities` and `severities`: the matrix of impact and urgency, and the further words that senders use.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::Policy;
use super::rules::Scope;
use super::sections::{self, FileSection, Found, IsBuiltin, StandsFor};
use crate::source::{Diagnostic, Key, Keys, Node, OneOrMany, Reading, Shape, Spanned, Takes};
use crate::words::{Level, Priority, Severity};

/// Impact and urgency to priority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matrix {
    /// `[impact][urgency]`, each in the order high, medium, low.
    pub cells: [[Priority; 3]; 3],
}

impl Default for Matrix {
    fn default() -> Self {
        use Priority::{P1, P2, P3, P4, P5};
        Matrix { cells: [[P1, P2, P3], [P2, P3, P4], [P3, P4, P5]] }
    }
}

impl Matrix {
    /// The priority of an impact and an urgency.
    pub fn priority(&self, impact: Level, urgency: Level) -> Priority {
        self.cells[impact as usize][urgency as usize]
    }
}

/// Words that senders use for severities, in lower case, the five own words among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Severities {
    /// Word to severity.
    pub words: BTreeMap<String, Severity>,
}

impl Severities {
    /// The severity of a sender's word, whatever its case; `unknown` where nobody named it.
    pub fn of(&self, word: &str) -> Severity {
        self.words.get(&word.trim().to_ascii_lowercase()).copied().unwrap_or(Severity::Unknown)
    }
}

/// Words that senders use and everybody means alike.
const BUILTIN_WORDS: &[(&str, Severity)] = &[
    ("critical", Severity::Critical),
    ("crit", Severity::Critical),
    ("fatal", Severity::Critical),
    ("emergency", Severity::Critical),
    ("emerg", Severity::Critical),
    ("alert", Severity::Critical),
    ("page", Severity::Critical),
    ("disaster", Severity::Critical),
    ("down", Severity::Critical),
    ("error", Severity::Error),
    ("err", Severity::Error),
    ("major", Severity::Error),
    ("high", Severity::Error),
    ("average", Severity::Error),
    ("warning", Severity::Warning),
    ("warn", Severity::Warning),
    ("minor", Severity::Warning),
    ("info", Severity::Info),
    ("information", Severity::Info),
    ("informational", Severity::Info),
    ("notice", Severity::Info),
    ("none", Severity::Info),
    ("ok", Severity::Info),
    ("low", Severity::Info),
    ("debug", Severity::Info),
    ("unknown", Severity::Unknown),
];

impl Default for Severities {
    fn default() -> Self {
        Severities { words: BUILTIN_WORDS.iter().map(|(word, severity)| ((*word).to_owned(), *severity)).collect() }
    }
}

/// Urgency by severity where a rule gives none.
pub fn urgency_of(severity: Severity) -> Level {
    match severity {
        Severity::Critical => Level::High,
        Severity::Error => Level::Medium,
        Severity::Warning | Severity::Unknown | Severity::Info => Level::Low,
    }
}

/// `severities` in a rules file.
pub(super) static SEVERITIES: Shape = Shape {
    what: "`severities`",
    keys: &[
        Key::may(
            "critical",
            Takes::OneOrList(&Takes::Text),
            "words for critical. Built in: crit, fatal, emergency, emerg, alert, page, disaster, down.",
        ),
        Key::may("error", Takes::OneOrList(&Takes::Text), "words for error. Built in: err, major, high, average."),
        Key::may("warning", Takes::OneOrList(&Takes::Text), "words for warning. Built in: warn, minor."),
        Key::may(
            "info",
            Takes::OneOrList(&Takes::Text),
            "words for info. Built in: information, informational, notice, none, ok, low, debug.",
        ),
        Key::may("unknown", Takes::OneOrList(&Takes::Text), "words for unknown, which every other word is."),
    ],
    later: &[],
};

/// `severities` of all files.
#[derive(Debug, Default)]
pub(super) struct SeveritiesSection {
    given: BTreeMap<String, (Severity, String)>,
}

impl FileSection for SeveritiesSection {
    const TAKES: Takes = Takes::Map(&SEVERITIES);
    const DOC: &'static str = "further words that senders use for severities.";
    const SEES: &'static [&'static str] = &[];
    const NAMES: StandsFor = StandsFor::Definitions;

    fn read<'a>(&mut self, reading: &Reading<'a>, node: &'a Node, _: &Scope<'a>) {
        let Some(keys) = reading.keys(node, &SEVERITIES) else { return };
        for severity in Severity::ALL.iter().copied() {
            for word in keys.get::<OneOrMany<Spanned<String>>>(severity.word()).map(|words| words.0).unwrap_or_default() {
                self.take(reading, severity, &word);
            }
        }
    }

    fn finish(self, policy: &mut Policy, _: &mut Found<'_>) {
        let mut severities = Severities::default();
        severities.words.extend(self.given.into_iter().map(|(word, (severity, _))| (word, severity)));
        policy.severities = Arc::new(severities);
    }

    /// The words that mean something else than without files.
    fn names(policy: &Policy) -> Vec<(&str, IsBuiltin)> {
        let builtin = Severities::default();
        let is_own = |(word, severity): &(&String, &Severity)| builtin.words.get(*word) != Some(severity);
        sections::own(policy.severities.words.iter().filter(is_own).map(|(word, _)| word.as_str()))
    }
}

impl SeveritiesSection {
    fn take(&mut self, reading: &Reading<'_>, severity: Severity, word: &Spanned<String>) {
        let text = word.value.trim().to_ascii_lowercase();
        let refuse = |message: String, help: String| {
            reading.report(Diagnostic::error(reading.file(), &word.span, message).help(help));
        };
        match Severity::from_word(&text) {
            // Whoever sends `unknown` may mean something by it.
            Some(own) if own != severity && own != Severity::Unknown => {
                refuse(format!("`{text}` is a severity of its own and cannot be a word for {severity}"), "leave it out".to_owned());
                return;
            }
            Some(_) | None => {}
        }
        let here = reading.named_place(word.span.start);
        match self.given.get(&text) {
            Some((other, place)) if *other != severity => {
                refuse(format!("`{text}` is a word for both {other} and {severity}"), format!("the other is at {place}; leave one out"));
            }
            Some(_) => {}
            None => {
                self.given.insert(text, (severity, here));
            }
        }
    }
}

static BY_URGENCY: Shape = Shape {
    what: "a row of `priorities`",
    keys: &[
        Key::may("high", Takes::Word(Priority::WORDS), "the priority at high urgency."),
        Key::may("medium", Takes::Word(Priority::WORDS), "the priority at medium urgency."),
        Key::may("low", Takes::Word(Priority::WORDS), "the priority at low urgency."),
    ],
    later: &[],
};

/// `priorities` in a rules file.
pub(super) static PRIORITIES: Shape = Shape {
    what: "`priorities`",
    keys: &[
        Key::may("high", Takes::Map(&BY_URGENCY), "priorities by urgency at high impact. Default {high: P1, medium: P2, low: P3}."),
        Key::may("medium", Takes::Map(&BY_URGENCY), "priorities by urgency at medium impact. Default {high: P2, medium: P3, low: P4}."),
        Key::may("low", Takes::Map(&BY_URGENCY), "priorities by urgency at low impact. Default {high: P3, medium: P4, low: P5}."),
    ],
    later: &[],
};

/// `priorities` of all files.
#[derive(Debug, Default)]
pub(super) struct PrioritiesSection {
    given: BTreeMap<(Level, Level), (Priority, String)>,
}

impl FileSection for PrioritiesSection {
    const TAKES: Takes = Takes::Map(&PRIORITIES);
    const DOC: &'static str = "the matrix of impact and urgency.";
    const SEES: &'static [&'static str] = &[];
    const NAMES: StandsFor = StandsFor::Definitions;

    fn read<'a>(&mut self, reading: &Reading<'a>, node: &'a Node, _: &Scope<'a>) {
        let Some(keys) = reading.keys(node, &PRIORITIES) else { return };
        for impact in Level::ALL.iter().copied() {
            let Some(row) = keys.node(impact.word()).and_then(|node| reading.keys(node, &BY_URGENCY)) else { continue };
            for urgency in Level::ALL.iter().copied() {
                self.take_cell(&row, impact, urgency);
            }
        }
    }

    fn finish(self, policy: &mut Policy, _: &mut Found<'_>) {
        for ((impact, urgency), (priority, _)) in self.given {
            policy.matrix.cells[impact as usize][urgency as usize] = priority;
        }
    }

    /// The rows that differ from those without files, by their impact.
    fn names(policy: &Policy) -> Vec<(&str, IsBuiltin)> {
        let builtin = Matrix::default();
        let is_own = |impact: &&Level| policy.matrix.cells[**impact as usize] != builtin.cells[**impact as usize];
        sections::own(Level::ALL.iter().filter(is_own).map(|impact| impact.word()))
    }
}

impl PrioritiesSection {
    fn take_cell(&mut self, row: &Keys<'_, '_>, impact: Level, urgency: Level) {
        let Some(Spanned { value, span }) = row.get::<Spanned<Priority>>(urgency.word()) else { return };
        let reading = row.reading();
        let here: Range<usize> = span;
        match self.given.get(&(impact, urgency)) {
            Some((other, place)) => {
                let message = format!("the priority of {impact} impact and {urgency} urgency is given twice");
                let help = format!("{place} says {other}; leave one out");
                reading.report(Diagnostic::error(reading.file(), &here, message).help(help));
            }
            None => {
                let place = reading.named_place(here.start);
                self.given.insert((impact, urgency), (value, place));
            }
        }
    }
}
