//! Rule files compiled: one file a section, immutable, with the built-in rules behind the operator's own.
//!
//! All faults of all files are found in one run, and a set of files with one error is refused whole. Nothing here decides about an alert.

pub mod calendars;
pub mod capacity;
pub mod correlate;
pub mod formats;
mod ics;
pub mod identify;
pub mod notify;
pub mod priorities;
pub mod problems;
mod rules;
mod schedules;
pub mod silences;
pub mod slas;
pub mod tests;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::calendar::Calendar;
pub use crate::expr::{Condition, Path, TextTemplate};
pub use crate::schedule::Schedule;
use crate::source::{self, Diagnostic, Key, Keys, Kind, Node, OneOrMany, Reading, Shape, SourceFile, Takes};
use capacity::Capacity;
use correlate::CorrelateRules;
use formats::Formats;
use identify::Identify;
use notify::Notify;
use priorities::{Matrix, Severities};
use problems::ProblemRule;
use rules::Scope;
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
    /// Bodies of webhooks to alerts.
    pub formats: Formats,
    /// What must stay true.
    pub tests: Vec<RuleTest>,
    /// The files it was made of, by path.
    pub sources: Vec<SourceFile>,
}

/// A rule in force, as lists and messages name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleName<'p> {
    /// Its section.
    pub section: &'static str,
    /// Its name, unique in the section.
    pub name: &'p str,
    /// Whether no file has it.
    pub is_builtin: bool,
}

impl Policy {
    /// Every rule, by section and in the order in which they are asked.
    pub fn rules(&self) -> Vec<RuleName<'_>> {
        let own = |section, name| RuleName { section, name, is_builtin: false };
        let mut rules = Vec::new();
        rules.extend(self.formats.names().map(|name| own("formats", name)));
        rules.extend(self.identify.own_names().map(|name| own("identify", name)));
        let correlate = self.correlate.rules().iter();
        rules.extend(correlate.map(|rule| RuleName {
            section: "correlate",
            name: &rule.name,
            is_builtin: correlate::is_builtin(&rule.name),
        }));
        rules.extend(self.silences.iter().map(|rule| own("silences", &rule.name)));
        rules.extend(self.capacity.iter().map(|rule| own("capacity", &rule.name)));
        rules.extend(self.problems.iter().map(|rule| own("problems", &rule.name)));
        rules.extend(self.notify.iter().map(|rule| RuleName { section: "notify", name: &rule.name, is_builtin: rule.is_builtin }));
        rules.extend(self.tests.iter().map(|test| own("tests", &test.name)));
        rules
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

static SCOPE: Shape = Shape {
    what: "`scope`",
    keys: &[Key::must("when", Takes::OneOrList(&Takes::Expression), "a condition that is added to every condition in this file.")],
    later: &[],
};

/// A rules file.
static FILE: Shape = Shape {
    what: "a rules file",
    keys: &[
        Key::may("scope", Takes::Map(&SCOPE), "what is added to every condition in this file."),
        Key::may("severities", Takes::Map(&priorities::SEVERITIES), "further words that senders use for severities."),
        Key::may("priorities", Takes::Map(&priorities::PRIORITIES), "the matrix of impact and urgency."),
        Key::may("calendars", Takes::Pairs(&Takes::Map(&calendars::CALENDAR)), "working time by name: zone, hours, holidays."),
        Key::may(
            "holidays",
            Takes::Pairs(&Takes::Map(&calendars::HOLIDAY)),
            "days without work by name, as dates or out of an iCalendar file.",
        ),
        Key::may("formats", Takes::List(&Takes::Map(&formats::FORMAT)), "how the body of a webhook becomes alerts."),
        Key::may(
            "identify",
            Takes::List(&Takes::Map(&identify::RULE)),
            "what an alert is looked up by, in order, before the built-in names.",
        ),
        Key::may(
            "correlate",
            Takes::List(&Takes::Map(&correlate::RULE)),
            "what an alert means and which incident it joins; the first that matches.",
        ),
        Key::may("silences", Takes::List(&Takes::Map(&silences::RULE)), "what is recorded without being told."),
        Key::may(
            "slas",
            Takes::List(&Takes::Map(&slas::RULE)),
            "which clocks run for an incident; the first that matches for each service.",
        ),
        Key::may(
            "capacity",
            Takes::List(&Takes::Map(&capacity::RULE)),
            "which series are asked for by schedule, and which limit they shall not reach.",
        ),
        Key::may(
            "problems",
            Takes::List(&Takes::Map(&problems::RULE)),
            "which incidents are the same fault that keeps coming back; all that match.",
        ),
        Key::may("notify", Takes::List(&Takes::Map(&notify::RULE)), "who hears what; all that match."),
        Key::may("tests", Takes::List(&Takes::Map(&tests::TEST)), "what must stay true."),
    ],
    later: &["rotas", "enrich", "inhibit", "maintenance", "storms", "majors", "heartbeats", "reports"],
};

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
    let mut sources = files.to_vec();
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    let mut found = Vec::new();
    let mut sections = Sections::default();
    for file in sources.iter().filter(|file| !calendars::is_ics(&file.path)) {
        let Some(root) = source::parse(file, &mut found) else { continue };
        let reading = Reading::new(file);
        if !root.is_null() {
            sections.read(&reading, &root);
        }
        found.extend(reading.finish());
    }
    let (calendars, known) = std::mem::take(&mut sections.calendars).finish(&sources, &mut found);
    let slas = std::mem::take(&mut sections.slas).finish(&calendars, &known, &mut found);
    source::sort(&mut found);
    if found.iter().any(Diagnostic::is_error) {
        return Err(found);
    }
    let id = content_id(&sources);
    let severities = Arc::new(sections.severities.finish());
    let notify = sections.notify.finish();
    let policy = Policy {
        id,
        matrix: sections.priorities.finish(),
        identify: sections.identify.finish(),
        correlate: sections.correlate.finish(),
        silences: sections.silences.finish(),
        calendars,
        slas,
        capacity: sections.capacity.finish(),
        problems: sections.problems.finish(),
        notify_sees_clocks: notify.iter().any(|rule| rule.condition.exprs().iter().any(|expr| expr.source().contains("sla"))),
        notify,
        formats: sections.formats.finish(&severities),
        tests: sections.tests.finish(),
        severities,
        sources,
    };
    Ok(Loaded { policy, warnings: found })
}

/// JSON Schema (draft 2020-12) of a rules file, with every word that is allowed: what editors check and complete by.
pub fn schema() -> serde_json::Value {
    let mut schema = FILE.schema();
    if let serde_json::Value::Object(object) = &mut schema {
        object.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
        object.insert("title".to_owned(), "Watchkeeper rules".into());
    }
    schema
}

/// The sections of all files while they are read, one builder each.
#[derive(Default)]
struct Sections {
    severities: priorities::SeveritiesSection,
    priorities: priorities::PrioritiesSection,
    formats: formats::FormatsSection,
    identify: identify::IdentifySection,
    correlate: correlate::CorrelateSection,
    silences: silences::SilencesSection,
    calendars: calendars::CalendarsSection,
    slas: slas::SlasSection,
    capacity: capacity::CapacitySection,
    problems: problems::ProblemsSection,
    notify: notify::NotifySection,
    tests: tests::TestsSection,
}

impl Sections {
    /// Reads one file. Each section's rules follow those of the files before.
    fn read<'a>(&mut self, reading: &Reading<'a>, root: &'a Node) {
        let Some(file) = reading.keys(root, &FILE) else { return };
        let scope = scope(&file);
        if let Some(node) = file.node("severities") {
            self.severities.read(reading, node);
        }
        if let Some(node) = file.node("priorities") {
            self.priorities.read(reading, node);
        }
        each(&file, "formats", &formats::FORMAT, |keys| self.formats.read(keys));
        each(&file, "identify", &identify::RULE, |keys| self.identify.read(keys, &scope));
        each(&file, "correlate", &correlate::RULE, |keys| self.correlate.read(keys, &scope));
        each(&file, "silences", &silences::RULE, |keys| self.silences.read(keys, &scope));
        if let Some(node) = file.node("holidays") {
            self.calendars.read_holidays(reading, node);
        }
        if let Some(node) = file.node("calendars") {
            self.calendars.read_calendars(reading, node);
        }
        each(&file, "slas", &slas::RULE, |keys| self.slas.read(keys, &scope));
        each(&file, "capacity", &capacity::RULE, |keys| self.capacity.read(keys));
        each(&file, "problems", &problems::RULE, |keys| self.problems.read(keys, &scope));
        each(&file, "notify", &notify::RULE, |keys| self.notify.read(keys, &scope));
        each(&file, "tests", &tests::TEST, |keys| self.tests.read(keys));
    }
}

/// What the file adds to the conditions of its rules.
fn scope<'a>(file: &Keys<'a, '_>) -> Scope<'a> {
    let Some(keys) = file.node("scope").and_then(|node| file.reading().keys(node, &SCOPE)) else { return Scope::default() };
    Scope { when: keys.get::<OneOrMany<&Node>>("when").map(|when| when.0).unwrap_or_default() }
}

/// Opens every rule of a section that is a list.
fn each<'a, 'r>(file: &Keys<'a, 'r>, section: &'static str, shape: &'static Shape, mut read: impl FnMut(&Keys<'a, 'r>)) {
    let Some(node) = file.node(section) else { return };
    if matches!(node.kind, Kind::Map(_)) {
        file.reading().wrong(node, &format!("a list of rules, each of which begins with `- name:`, below `{section}`"));
        return;
    }
    for item in file.reading().items(node) {
        if let Some(keys) = file.reading().keys(item, shape) {
            read(&keys);
        }
    }
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
