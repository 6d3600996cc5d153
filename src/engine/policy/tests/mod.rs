//! `tests` in rule files: what must stay true, as plain data. Running them on a virtual clock is the trial's business.

mod expect;
mod shaped;

use std::ops::Range;

use super::Policy;
use super::capacity::{self, TestQuery};
use super::rules::{DISABLED, NAME, NOTE, Names, Scope, is_disabled};
use super::sections::{self, FileSection, Found, IsBuiltin, Keyed as _, StandsFor};
use crate::cmdb::files::read_inline;
use crate::command::{IncidentCommand, IncidentVerb};
use crate::source::{Diagnostic, Key, Keys, Kind, Node, OneOrMany, Reading, Shape, Spanned, Takes};
use crate::text::Labels;
use crate::time::{Span, Time};
use crate::words::HOLD_REASONS;
use expect::expect;
pub use expect::{AlertExpectation, Expect, IncidentExpectation, MailExpectation, ProblemExpectation, SlaExpectation};
use shaped::Shaped as _;

/// One test.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleTest {
    /// Its name, unique in the section.
    pub name: String,
    /// The file it stands in.
    pub path: String,
    /// Its bytes there.
    pub span: Range<usize>,
    /// When its clock begins. Default: a Monday, 2026-01-05, 09:00 UTC.
    pub start: Time,
    /// The CMDB it brings, as CMDB files write it; its places are those of the file. `None`: the real one.
    pub cmdb: Option<Node>,
    /// What happens and what is expected, in the order written.
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// When, after the test's start; several times where `at` is a list. Ascending.
    pub at: Vec<Span>,
    /// Its bytes in the file.
    pub span: Range<usize>,
    /// What.
    pub action: Action,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// An alert fires, and goes on until it is cleared.
    Fire(TestAlert),
    /// An alert clears.
    Clear(TestAlert),
    /// A body arrives.
    Post(Post),
    /// An operator does something.
    Do(Do),
    /// A capacity rule is answered.
    Query(TestQuery),
    /// Something must hold.
    Expect(Expect),
}

/// An alert of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestAlert {
    /// Its name.
    pub name: String,
    /// The sender's word for its severity; empty where none is given.
    pub severity: String,
    /// One line of what is wrong.
    pub summary: String,
    /// Its source. Default `test`.
    pub source: String,
    /// The sender's key, or empty.
    pub key: String,
    /// Its labels, without `alertname`.
    pub labels: Labels,
    /// Its annotations.
    pub annotations: Labels,
    /// Where the sender shows it.
    pub url: String,
    /// The measured value.
    pub value: String,
}

/// A body that arrives at a door.
#[derive(Debug, Clone, PartialEq)]
pub struct Post {
    /// The source it comes from: a webhook's name. Default: the name of the format.
    pub webhook: String,
    /// The format that reads it.
    pub format: String,
    /// The body.
    pub body: serde_json::Value,
}

/// An operator's command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Do {
    /// What.
    pub command: Ordered,
    /// The CI whose open incident it is about, or an incident's id.
    pub target: Spanned<String>,
    /// Who. Default `operator`.
    pub actor: String,
}

/// What an operator does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ordered {
    /// A command to the incident.
    Incident(IncidentCommand),
    /// The alerts of the target CI leave the incident they joined.
    Detach,
}

static ALERT: Shape = Shape {
    what: "an alert",
    keys: &[
        Key::must("name", Takes::Text, "its name."),
        Key::may("severity", Takes::Text, "the sender's word for how bad it is."),
        Key::may("summary", Takes::Text, "one line of what is wrong."),
        Key::may("source", Takes::Text, "its source. Default test."),
        Key::may("key", Takes::Text, "the sender's key. Default: the labels are the identity."),
        Key::may("labels", Takes::Pairs(&Takes::Text), "its labels."),
        Key::may("annotations", Takes::Pairs(&Takes::Text), "its annotations."),
        Key::may("url", Takes::Text, "where the sender shows it."),
        Key::may("value", Takes::Text, "the measured value."),
    ],
    later: &[],
};

static POST: Shape = Shape {
    what: "`post`",
    keys: &[
        Key::must("format", Takes::Text, "the format that reads the body."),
        Key::may("webhook", Takes::Text, "the source it comes from. Default: the name of the format."),
        Key::must("body", Takes::Any, "the body."),
    ],
    later: &[],
};

static DO: Shape = Shape {
    what: "`do`",
    keys: &[
        Key::may("acknowledge", Takes::Text, "they have the incident of this CI."),
        Key::may("assign", Takes::Text, "somebody has it: `to`."),
        Key::may("note", Takes::Text, "they write something down: `words`."),
        Key::may("hold", Takes::Text, "it waits: `reason`."),
        Key::may("resume", Takes::Text, "it no longer waits."),
        Key::may("resolve", Takes::Text, "it is over; `words` say what helped."),
        Key::may("reopen", Takes::Text, "it is not over; `words` say why."),
        Key::may("close", Takes::Text, "it is history."),
        Key::may("detach", Takes::Text, "the alerts of this CI leave the incident they joined."),
        Key::may("priority", Takes::Text, "its priority becomes `to`; `words` say why."),
        Key::may("as", Takes::Text, "who. Default operator."),
        Key::may("to", Takes::Text, "of assign: who; of priority: which."),
        Key::may("words", Takes::Text, "of note, resolve, reopen and priority."),
        Key::may("reason", Takes::Word(HOLD_REASONS), "of hold."),
    ],
    later: &[
        ("merge", "test it with the rules that should have joined them"),
        ("major", "leave it out: no incident is major yet"),
        ("silence", "write a rule of `silences`"),
    ],
};

static STEP: Shape = Shape {
    what: "a step",
    keys: &[
        Key::must("at", Takes::OneOrList(&Takes::Duration), "when, after the start; a list does it several times."),
        Key::may("fire", Takes::Map(&ALERT), "an alert fires until it is cleared."),
        Key::may("clear", Takes::Map(&ALERT), "an alert clears: same name, source, key and labels."),
        Key::may("post", Takes::Map(&POST), "a body arrives at a webhook."),
        Key::may("do", Takes::Map(&DO), "an operator does something."),
        Key::may("query", Takes::Text, "a capacity rule is answered with `series`."),
        Key::may(
            "series",
            capacity::SERIES,
            "of query: each series with its points, [when before the step, value]; straight lines between.",
        ),
        Key::may("expect", Takes::Map(Expect::SHAPE), "what must hold."),
    ],
    later: &[("change", "leave the step out: there are no changes yet")],
};

/// A test.
pub(super) static TEST: Shape = Shape {
    what: "a test",
    keys: &[
        NAME,
        NOTE,
        DISABLED,
        Key::may("start", Takes::Moment, "when its clock begins. Default: a Monday, 09:00 UTC."),
        Key::may("cmdb", Takes::Any, "people, teams, items and contracts as in CMDB files. Default: the real ones."),
        Key::must("steps", Takes::List(&Takes::Map(&STEP)), "what happens and what is expected, in order."),
    ],
    later: &[],
};

/// 2026-01-05T09:00:00Z, a Monday.
const DEFAULT_START: Time = Time(1_767_603_600_000);

/// `tests` of all files.
#[derive(Default)]
pub(super) struct TestsSection {
    names: Names,
    tests: Vec<RuleTest>,
}

impl FileSection for TestsSection {
    const TAKES: Takes = Takes::List(&Takes::Map(&TEST));
    const DOC: &'static str = "what must stay true.";
    const SEES: &'static [&'static str] = &[];
    const NAMES: StandsFor = StandsFor::Tests;

    fn read<'a>(&mut self, reading: &Reading<'a>, node: &'a Node, _: &Scope<'a>) {
        sections::each(reading, node, Self::KEY, &TEST, |keys| self.rule(keys));
    }

    fn finish(self, policy: &mut Policy, _: &mut Found<'_>) {
        policy.tests = self.tests;
    }

    fn names(policy: &Policy) -> Vec<(&str, IsBuiltin)> {
        sections::own(policy.tests.iter().map(|test| test.name.as_str()))
    }
}

impl TestsSection {
    /// Reads one test.
    fn rule<'a>(&mut self, keys: &Keys<'a, '_>) {
        let reading = keys.reading();
        let name = self.names.take(keys, Self::KEY);
        let is_disabled = is_disabled(keys);
        let start = keys.get("start").unwrap_or(DEFAULT_START);
        let cmdb = keys.node("cmdb").filter(|node| !matches!(node.kind, Kind::Faulty));
        match cmdb {
            // Only for its faults: the trial reads it again, over its own clock.
            Some(node) if matches!(node.kind, Kind::Map(_)) => drop(read_inline(node, reading)),
            Some(node) => reading.wrong(node, "people, teams, items and contracts as in CMDB files"),
            None => {}
        }
        let steps: Vec<Step> =
            keys.node("steps").map(|node| reading.items(node)).unwrap_or_default().iter().filter_map(|node| step(reading, node)).collect();
        if let Some(late) = steps.windows(2).find(|pair| pair[1].at.first() < pair[0].at.first()).map(|pair| &pair[1]) {
            let line = late.span.start..late.span.end.min(reading.file().line_around(late.span.start).end);
            let error = Diagnostic::error(reading.file(), &line, "this step begins before the one above it");
            reading.report(error.help("write steps in the order of their times"));
        }
        if let (Some(name), false) = (name, is_disabled) {
            let test = RuleTest { name, path: reading.file().path.clone(), span: keys.span().clone(), start, cmdb: cmdb.cloned(), steps };
            self.tests.push(test);
        }
    }
}

fn step<'a>(reading: &Reading<'a>, node: &'a Node) -> Option<Step> {
    let keys = reading.keys(node, &STEP)?;
    let at: Option<OneOrMany<Span>> = keys.get("at");
    let mut actions =
        keys.entries().iter().filter(|entry| matches!(entry.key.as_str(), "fire" | "clear" | "post" | "do" | "query" | "expect"));
    let Some(first) = actions.next() else {
        // A key that is not yet supported was reported already.
        if keys.entries().iter().all(|entry| STEP.names().any(|known| known == entry.key)) {
            reading.wrong(node, "one of fire, clear, post, do, query or expect in this step");
        }
        return None;
    };
    if let Some(second) = actions.next() {
        let error =
            Diagnostic::error(reading.file(), &second.key_span, format!("a step does one thing, and this one has `{}` already", first.key));
        reading.report(error.help("make two steps of it"));
    }
    if first.key != "query" && keys.node("series").is_some() {
        let error = Diagnostic::error(reading.file(), &keys.place_of("series"), "`series` belongs to `query`");
        reading.report(error.help("leave it out, or write {query: filesystem-full, series: …}"));
    }
    let action = match first.key.as_str() {
        "fire" => Action::Fire(alert(reading, &first.value)?),
        "clear" => Action::Clear(alert(reading, &first.value)?),
        "post" => Action::Post(post(reading, &first.value)?),
        "do" => Action::Do(command(reading, &first.value)?),
        "query" => Action::Query(capacity::test_query(&keys)?),
        _ => Action::Expect(expect(reading, &first.value)?),
    };
    let mut at = at?.0;
    at.sort();
    Some(Step { at, span: node.span.clone(), action })
}

fn alert<'a>(reading: &Reading<'a>, node: &'a Node) -> Option<TestAlert> {
    let keys = reading.keys(node, &ALERT)?;
    let text = |key: &'static str| keys.get::<String>(key).unwrap_or_default();
    Some(TestAlert {
        severity: text("severity"),
        summary: text("summary"),
        source: keys.get("source").unwrap_or_else(|| "test".to_owned()),
        key: text("key"),
        labels: keys.get("labels").unwrap_or_default(),
        annotations: keys.get("annotations").unwrap_or_default(),
        url: text("url"),
        value: text("value"),
        name: keys.get("name")?,
    })
}

fn post<'a>(reading: &Reading<'a>, node: &'a Node) -> Option<Post> {
    let keys = reading.keys(node, &POST)?;
    let format: String = keys.get("format")?;
    let webhook = keys.get("webhook").unwrap_or_else(|| format.clone());
    Some(Post { webhook, body: keys.node("body")?.to_json(), format })
}

fn command<'a>(reading: &Reading<'a>, node: &'a Node) -> Option<Do> {
    let keys = reading.keys(node, &DO)?;
    let mut named =
        IncidentVerb::ALL.iter().copied().filter(|verb| DO.names().any(|known| known == verb.word()) && keys.node(verb.word()).is_some());
    let Some(verb) = named.next() else {
        if keys.entries().iter().all(|entry| DO.names().any(|known| known == entry.key)) {
            let known: Vec<&str> = IncidentVerb::WORDS.iter().copied().filter(|word| DO.names().any(|known| known == *word)).collect();
            reading.wrong(node, &format!("a command: one of {}", known.join(", ")));
        }
        return None;
    };
    let name = verb.word();
    if let Some(second) = named.next() {
        let place = keys.place_of(second.word());
        let error = Diagnostic::error(reading.file(), &place, format!("one command a step, and this one has `{name}` already"));
        reading.report(error.help("make two steps of it"));
    }
    let words = || keys.get::<String>("words").unwrap_or_default();
    let needs = |key: &str| {
        let error = Diagnostic::error(reading.file(), &keys.place_of(name), format!("`{name}` needs `{key}`"));
        reading.report(error.help(format!("write {{{name}: sw-1, {key}: …}}")));
        None
    };
    let command = match verb {
        IncidentVerb::Acknowledge => Ordered::Incident(IncidentCommand::Acknowledge {}),
        IncidentVerb::Assign => match keys.get("to") {
            Some(to) => Ordered::Incident(IncidentCommand::Assign { to }),
            None => return needs("to"),
        },
        IncidentVerb::Note => Ordered::Incident(IncidentCommand::Note { text: words() }),
        IncidentVerb::Hold => match keys.node("reason") {
            Some(reason) => {
                let reason = reading.word(reason, "reason to hold", HOLD_REASONS)?.to_owned();
                Ordered::Incident(IncidentCommand::Hold { reason, until: None, lasts: None })
            }
            None => return needs("reason"),
        },
        IncidentVerb::Resume => Ordered::Incident(IncidentCommand::Resume {}),
        IncidentVerb::Resolve => Ordered::Incident(IncidentCommand::Resolve { words: words() }),
        IncidentVerb::Reopen => Ordered::Incident(IncidentCommand::Reopen { words: words() }),
        IncidentVerb::Close => Ordered::Incident(IncidentCommand::Close {}),
        IncidentVerb::Detach => Ordered::Detach,
        IncidentVerb::Priority => match keys.node("to") {
            Some(_) => Ordered::Incident(IncidentCommand::Priority { priority: keys.get("to")?, words: words() }),
            None => return needs("to"),
        },
        // Its key is one of those that come later, which was said already.
        IncidentVerb::Merge => return None,
    };
    Some(Do { command, target: keys.get(name)?, actor: keys.get("as").unwrap_or_else(|| "operator".to_owned()) })
}
