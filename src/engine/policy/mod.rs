//! Rule files compiled: one file a section and a table of all in `sections`, immutable, with the built-in rules behind the operator's own.
//!
//! All faults of all files are found in one run, and a set of files with one error is refused whole. Nothing here decides about an alert.

pub mod calendars;
pub mod capacity;
pub mod correlate;
pub mod formats;
mod ics;
pub mod identify;
mod named;
pub mod notify;
pub mod priorities;
pub mod problems;
mod rules;
mod schedules;
mod sections;
pub mod silences;
pub mod slas;
pub mod tests;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::calendar::{Calendar, Closed};
pub use crate::expr::{Condition, Path, TextTemplate};
pub use crate::schedule::Schedule;
use crate::source::{self, Compared, Diagnostic, Reading, SourceFile, Unread};
use capacity::Capacity;
use correlate::CorrelateRules;
use formats::Formats;
use identify::Identify;
pub use named::{Mention, Mentioned, Named};
use notify::Notify;
use priorities::{Matrix, Severities};
use problems::ProblemRule;
use sections::{Found, Sections};
pub use sections::{SECTIONS, StandsFor};
use silences::SilenceRule;
use slas::Sla;
use tests::RuleTest;

/// Everything rule files say, checked and compiled.
#[derive(Debug)]
pub struct Policy {
    /// Names this set of files: the first twelve hexadecimal digits of the SHA-256 over their paths and texts.
    pub id: String,
    /// Words that senders use for severities.
    pub severities: Arc<Severities>,
    /// Impact and urgency to priority.
    pub matrix: Matrix,
    /// What an alert is looked up by.
    pub identify: Identify,
    /// What an alert means.
    pub correlate: CorrelateRules,
    /// What is recorded without being told; in order.
    pub silences: Vec<SilenceRule>,
    /// Days without work by name.
    pub holidays: BTreeMap<String, Vec<Closed>>,
    /// Working time by name.
    pub calendars: BTreeMap<String, Arc<Calendar>>,
    /// Which clocks run for an incident; in order.
    pub slas: Vec<Sla>,
    /// Which series are asked for by schedule.
    pub capacity: Vec<Capacity>,
    /// What keeps coming back; in order.
    pub problems: Vec<ProblemRule>,
    /// Who hears what; in order. The built-in rules only where no file has one.
    pub notify: Vec<Notify>,
    /// Whether a rule of `notify` looks at SLA clocks: where none does, none is measured for it.
    pub notify_sees_clocks: bool,
    /// Whether a `notify` rule for those whose CIs are symptoms looks at what changes without a fact of the incident: counts, ages, health, texts of repeats.
    pub affected_sees_counts: bool,
    /// Bodies of webhooks to alerts.
    pub formats: Formats,
    /// What must stay true.
    pub tests: Vec<RuleTest>,
    /// What rules name that is not in rule files.
    pub mentions: Vec<Mention>,
    /// The files it was made of, by path.
    pub sources: Vec<SourceFile>,
}

/// A rule in force, as lists and messages name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleName<'p> {
    /// Its section.
    pub section: &'static str,
    /// What it stands for.
    pub stands_for: StandsFor,
    /// Its name, unique in the section.
    pub name: &'p str,
    /// Whether no file has it.
    pub is_builtin: bool,
}

impl Policy {
    /// Everything that has a name in rule files or is built in, by section and in the order in which it is asked.
    pub fn rules(&self) -> Vec<RuleName<'_>> {
        sections::rules(self)
    }

    /// A policy of these files whose sections are empty, to be filled in the order of their table.
    fn unfinished(sources: Vec<SourceFile>) -> Policy {
        Policy {
            id: content_id(&sources),
            severities: Arc::default(),
            matrix: Matrix::default(),
            identify: Identify::default(),
            correlate: CorrelateRules::default(),
            silences: Vec::new(),
            holidays: BTreeMap::new(),
            calendars: BTreeMap::new(),
            slas: Vec::new(),
            capacity: Vec::new(),
            problems: Vec::new(),
            notify: Vec::new(),
            notify_sees_clocks: false,
            affected_sees_counts: false,
            formats: Formats::default(),
            tests: Vec::new(),
            mentions: Vec::new(),
            sources,
        }
    }
}

/// A set of rule files that can be put in force.
#[derive(Debug)]
pub struct Loaded {
    /// The rules.
    pub policy: Policy,
    /// What was taken and probably not meant, by file and place.
    pub warnings: Vec<Diagnostic>,
}

/// What could be read of a set of rule files.
#[derive(Debug)]
pub struct Checked {
    /// The rules, which can be put in force where nothing that was found is an error.
    pub policy: Policy,
    /// Every finding of every file, by file and place.
    pub found: Vec<Diagnostic>,
    /// What their expressions compare with, by the file that they stand in.
    pub compared: Vec<(String, Vec<Compared>)>,
    /// What could not be read.
    pub unread: Unread,
}

impl Policy {
    /// What is in force where there are no rule files.
    pub fn builtin() -> Policy {
        load(&[]).map(|loaded| loaded.policy).expect("no file, no fault")
    }
}

/// Compiles a set of rule files; their order does not matter.
///
/// # Errors
/// Every finding of every file, warnings among them, by file and place, where at least one of them is an error.
pub fn load(files: &[SourceFile]) -> Result<Loaded, Vec<Diagnostic>> {
    let Checked { policy, found, .. } = check(files, Unread::default());
    if found.iter().any(Diagnostic::is_error) { Err(found) } else { Ok(Loaded { policy, warnings: found }) }
}

/// Compiles a set of rule files as far as they can be read. `unread` is what their folder holds beside them and nobody could look at.
pub fn check(files: &[SourceFile], mut unread: Unread) -> Checked {
    let mut sources = files.to_vec();
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    let mut found = Vec::new();
    let mut compared = Vec::new();
    let mut sections = Sections::default();
    for file in sources.iter().filter(|file| !calendars::is_ics(&file.path)) {
        let Some(root) = source::parse(file, &mut found, &mut unread) else { continue };
        let reading = Reading::new(file);
        if !root.is_null() {
            sections.read(&reading, &root);
        }
        compared.push((file.path.clone(), reading.take_compared()));
        found.extend(reading.finish());
    }
    let mut policy = Policy::unfinished(sources);
    sections.finish(&mut policy, &mut Found { list: &mut found, unread: &unread });
    source::sort(&mut found);
    Checked { policy, found, compared, unread }
}

/// The keys of rule files that a later version will know, with what they stand in.
pub fn later() -> Vec<(&'static str, &'static str)> {
    sections::FILE.later_below()
}

/// JSON Schema (draft 2020-12) of a rules file, with every word that is allowed: what editors check and complete by.
pub fn schema() -> serde_json::Value {
    let mut schema = sections::FILE.schema();
    if let serde_json::Value::Object(object) = &mut schema {
        object.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
        object.insert("title".to_owned(), "Watchkeeper rules".into());
    }
    schema
}

/// The name of a set of files: paths and texts, each with its length, so that no two sets read alike.
fn content_id(sources: &[SourceFile]) -> String {
    // Twelve digits: a thousand sets a day for a century meet with a chance of one in a million million.
    const ID_BYTES: usize = 6;
    let mut hash = Sha256::new();
    for part in sources.iter().flat_map(|file| [&file.path, &file.text]) {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().iter().take(ID_BYTES).fold(String::new(), |mut id, byte| {
        write!(id, "{byte:02x}").expect("a String takes all");
        id
    })
}
