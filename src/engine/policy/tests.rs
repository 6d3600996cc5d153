//! `tests` in rule files: what must stay true, as plain data. Running them on a virtual clock is the trial's business.

use std::ops::Range;

use super::Policy;
use super::capacity::{self, TestQuery};
use super::rules::{DISABLED, NAME, NOTE, Names, Scope, is_disabled};
use super::sections::{self, FileSection, Found, IsBuiltin, Keyed as _, StandsFor};
use crate::cmdb::files::read_inline;
use crate::source::{Diagnostic, Key, Keys, Kind, Node, OneOrMany, Reading, Shape, Spanned, Takes};
use crate::text::Labels;
use crate::time::{Span, Time};
use crate::words::{AlertState, ClockState, HOLD_REASONS, IncidentState, Level, Priority, ProblemState, Reason, SlaTarget};

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
    pub command: Command,
    /// The CI whose open incident it is about, or an incident's id.
    pub target: Spanned<String>,
    /// Who. Default `operator`.
    pub actor: String,
}

/// What an operator does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// They have it.
    Acknowledge,
    /// Somebody has it.
    Assign {
        /// Who.
        to: String,
    },
    /// They write something down.
    Note {
        /// What.
        words: String,
    },
    /// It waits.
    Hold {
        /// Why: `waiting_for_customer`, `waiting_for_vendor` or `waiting_for_change`.
        reason: String,
    },
    /// It no longer waits.
    Resume,
    /// It is over.
    Resolve {
        /// What helped; may be empty.
        words: String,
    },
    /// It is not over.
    Reopen {
        /// Why; may be empty.
        words: String,
    },
    /// It is history.
    Close,
    /// The alerts of the target CI leave the incident they joined.
    Detach,
    /// Its priority is another.
    Priority {
        /// Which.
        to: Priority,
        /// Why; may be empty.
        words: String,
    },
}

/// What must hold at a moment. A list is complete and in any order, `[]` is none; what is left out is not looked at.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Expect {
    /// The incidents that are neither closed nor a child of another.
    pub incidents: Option<Spanned<Vec<IncidentExpectation>>>,
    /// The mails since the last expectation of mails.
    pub mails: Option<Spanned<Vec<MailExpectation>>>,
    /// The alerts that are not cleared.
    pub alerts: Option<Spanned<Vec<AlertExpectation>>>,
    /// The problems that are not closed.
    pub problems: Option<Spanned<Vec<ProblemExpectation>>>,
}

/// What an incident must be; what is left out is not looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct IncidentExpectation {
    /// Its bytes in the file.
    pub span: Range<usize>,
    /// The CI of its cause.
    pub ci: Option<Spanned<String>>,
    /// Its state.
    pub state: Option<Spanned<IncidentState>>,
    /// Its priority.
    pub priority: Option<Spanned<Priority>>,
    /// Its impact.
    pub impact: Option<Spanned<Level>>,
    /// Its urgency.
    pub urgency: Option<Spanned<Level>>,
    /// The rule that opened it.
    pub rule: Option<Spanned<String>>,
    /// Its team.
    pub team: Option<Spanned<String>>,
    /// Who has it; empty is nobody.
    pub assignee: Option<Spanned<String>>,
    /// Its title.
    pub title: Option<Spanned<String>>,
    /// The services it hurts, complete and in any order.
    pub services: Option<Spanned<Vec<String>>>,
    /// The CIs of its symptoms, complete and in any order, each once.
    pub symptoms: Option<Spanned<Vec<String>>>,
    /// How many alerts are attached.
    pub alerts: Option<Spanned<u32>>,
    /// A part of a sentence of its timeline.
    pub because: Option<Spanned<String>>,
    /// How often it was reopened.
    pub reopened: Option<Spanned<u32>>,
    /// Whether it is linked as the recurrence of an earlier one.
    pub recurrence: Option<Spanned<bool>>,
    /// Where the promises of its SLAs stand, complete and in any order.
    pub sla: Option<Spanned<Vec<SlaExpectation>>>,
}

/// What a promise of an SLA must be; what is left out is not looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlaExpectation {
    /// The SLA's name.
    pub name: Option<String>,
    /// Of what.
    pub target: Option<SlaTarget>,
    /// Where it stands.
    pub state: Option<ClockState>,
    /// Until when.
    pub deadline: Option<Time>,
    /// The used share.
    pub percent: Option<u32>,
}

/// What a mail must be; what is left out is not looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct MailExpectation {
    /// Its bytes in the file.
    pub span: Range<usize>,
    /// Its address.
    pub to: Option<Spanned<String>>,
    /// Why it goes out.
    pub reason: Option<Spanned<Reason>>,
    /// A part of its subject.
    pub subject: Option<Spanned<String>>,
    /// The CI of its incident.
    pub ci: Option<Spanned<String>>,
    /// Its template.
    pub template: Option<Spanned<String>>,
}

/// What a problem must be; what is left out is not looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct ProblemExpectation {
    /// Its rule.
    pub rule: Option<Spanned<String>>,
    /// The CI of the incident that opened it.
    pub ci: Option<Spanned<String>>,
    /// Its state.
    pub state: Option<Spanned<ProblemState>>,
    /// Its title.
    pub title: Option<Spanned<String>>,
    /// How many outages it has.
    pub incidents: Option<Spanned<u32>>,
}

/// What an alert must be; what is left out is not looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertExpectation {
    /// Its bytes in the file.
    pub span: Range<usize>,
    /// Its name.
    pub name: Option<Spanned<String>>,
    /// Its CI.
    pub ci: Option<Spanned<String>>,
    /// Its state.
    pub state: Option<Spanned<AlertState>>,
    /// The silence that mutes it, by name; empty is none.
    pub muted_by: Option<Spanned<String>>,
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

const COMMANDS: &[&str] = &["acknowledge", "assign", "note", "hold", "resume", "resolve", "reopen", "close", "detach", "priority"];

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
    later: &["merge", "major", "silence"],
};

static INCIDENT: Shape = Shape {
    what: "an expected incident",
    keys: &[
        Key::may("ci", Takes::Text, "the CI of its cause."),
        Key::may("state", Takes::Word(IncidentState::WORDS), "its state."),
        Key::may("priority", Takes::Word(Priority::WORDS), "its priority."),
        Key::may("impact", Takes::Word(Level::WORDS), "its impact."),
        Key::may("urgency", Takes::Word(Level::WORDS), "its urgency."),
        Key::may("rule", Takes::Text, "the rule that opened it."),
        Key::may("team", Takes::Text, "its team."),
        Key::may("assignee", Takes::Text, "who has it; \"\" is nobody."),
        Key::may("title", Takes::Text, "its title."),
        Key::may("services", Takes::List(&Takes::Text), "the services it hurts, complete."),
        Key::may("symptoms", Takes::List(&Takes::Text), "the CIs of its symptoms, complete."),
        Key::may("alerts", Takes::Count, "how many alerts are attached."),
        Key::may("because", Takes::Text, "a part of a sentence of its timeline."),
        Key::may("reopened", Takes::Count, "how often it was reopened."),
        Key::may("recurrence", Takes::Flag, "whether it is linked as the recurrence of an earlier one."),
        Key::may("sla", Takes::List(&Takes::Map(&SLA)), "where the promises of its SLAs stand, complete and in any order; [] is none."),
    ],
    later: &["problem", "major", "hold"],
};

static SLA: Shape = Shape {
    what: "an expected promise",
    keys: &[
        Key::may("name", Takes::Text, "the SLA."),
        Key::may("target", Takes::Word(SlaTarget::WORDS), "of what."),
        Key::may("state", Takes::Word(ClockState::WORDS), "where it stands."),
        Key::may("deadline", Takes::Moment, "until when."),
        Key::may("percent", Takes::Count, "the used share, in percent."),
    ],
    later: &[],
};

static MAIL: Shape = Shape {
    what: "an expected mail",
    keys: &[
        Key::may("to", Takes::Text, "its address."),
        Key::may("reason", Takes::Word(Reason::WORDS), "why it goes out."),
        Key::may("subject", Takes::Text, "a part of its subject."),
        Key::may("ci", Takes::Text, "the CI of its incident."),
        Key::may("template", Takes::Text, "its template."),
    ],
    later: &[],
};

static EXPECTED_ALERT: Shape = Shape {
    what: "an expected alert",
    keys: &[
        Key::may("name", Takes::Text, "its name."),
        Key::may("ci", Takes::Text, "its CI."),
        Key::may("state", Takes::Word(AlertState::WORDS), "its state."),
        Key::may("muted_by", Takes::Text, "the silence that mutes it; \"\" is none."),
    ],
    later: &[],
};

static PROBLEM: Shape = Shape {
    what: "an expected problem",
    keys: &[
        Key::may("rule", Takes::Text, "its rule."),
        Key::may("ci", Takes::Text, "the CI of the incident that opened it."),
        Key::may("state", Takes::Word(ProblemState::WORDS), "its state."),
        Key::may("title", Takes::Text, "its title."),
        Key::may("incidents", Takes::Count, "how many outages it has."),
    ],
    later: &[],
};

static EXPECT: Shape = Shape {
    what: "`expect`",
    keys: &[
        Key::may("incidents", Takes::List(&Takes::Map(&INCIDENT)), "all incidents that are not closed, in any order; [] is none."),
        Key::may("mails", Takes::List(&Takes::Map(&MAIL)), "all mails since the last expectation of mails, in any order; [] is none."),
        Key::may("problems", Takes::List(&Takes::Map(&PROBLEM)), "all problems that are not closed, in any order; [] is none."),
        Key::may("alerts", Takes::List(&Takes::Map(&EXPECTED_ALERT)), "all alerts that are not cleared, in any order; [] is none."),
    ],
    later: &["slas"],
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
        Key::may("expect", Takes::Map(&EXPECT), "what must hold."),
    ],
    later: &["change"],
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
    let mut named = COMMANDS.iter().copied().filter(|command| keys.node(command).is_some());
    let Some(name) = named.next() else {
        if keys.entries().iter().all(|entry| DO.names().any(|known| known == entry.key)) {
            reading.wrong(node, &format!("a command: one of {}", COMMANDS.join(", ")));
        }
        return None;
    };
    if let Some(second) = named.next() {
        let error =
            Diagnostic::error(reading.file(), &keys.place_of(second), format!("one command a step, and this one has `{name}` already"));
        reading.report(error.help("make two steps of it"));
    }
    let words = || keys.get::<String>("words").unwrap_or_default();
    let needs = |key: &str| {
        let error = Diagnostic::error(reading.file(), &keys.place_of(name), format!("`{name}` needs `{key}`"));
        reading.report(error.help(format!("write {{{name}: sw-1, {key}: …}}")));
    };
    let command = match name {
        "acknowledge" => Command::Acknowledge,
        "assign" => match keys.get("to") {
            Some(to) => Command::Assign { to },
            None => {
                return {
                    needs("to");
                    None
                };
            }
        },
        "note" => Command::Note { words: words() },
        "hold" => match keys.node("reason") {
            Some(reason) => Command::Hold { reason: reading.word(reason, "reason to hold", HOLD_REASONS)?.to_owned() },
            None => {
                return {
                    needs("reason");
                    None
                };
            }
        },
        "resume" => Command::Resume,
        "resolve" => Command::Resolve { words: words() },
        "reopen" => Command::Reopen { words: words() },
        "close" => Command::Close,
        "detach" => Command::Detach,
        _ => match keys.node("to") {
            Some(_) => Command::Priority { to: keys.get("to")?, words: words() },
            None => {
                return {
                    needs("to");
                    None
                };
            }
        },
    };
    Some(Do { command, target: keys.get(name)?, actor: keys.get("as").unwrap_or_else(|| "operator".to_owned()) })
}

fn expect<'a>(reading: &Reading<'a>, node: &'a Node) -> Option<Expect> {
    let keys = reading.keys(node, &EXPECT)?;
    if keys.entries().is_empty() {
        reading.wrong(node, "incidents, mails, alerts or problems");
    }
    Some(Expect {
        incidents: each(&keys, "incidents", &INCIDENT, |keys| IncidentExpectation {
            span: keys.span().clone(),
            ci: keys.get("ci"),
            state: keys.get("state"),
            priority: keys.get("priority"),
            impact: keys.get("impact"),
            urgency: keys.get("urgency"),
            rule: keys.get("rule"),
            team: keys.get("team"),
            assignee: keys.get("assignee"),
            title: keys.get("title"),
            services: keys.get("services"),
            symptoms: keys.get("symptoms"),
            alerts: keys.get("alerts"),
            because: keys.get("because"),
            reopened: keys.get("reopened"),
            recurrence: keys.get("recurrence"),
            sla: each(keys, "sla", &SLA, |keys| SlaExpectation {
                name: keys.get("name"),
                target: keys.get("target"),
                state: keys.get("state"),
                deadline: keys.get("deadline"),
                percent: keys.get("percent"),
            }),
        }),
        mails: each(&keys, "mails", &MAIL, |keys| MailExpectation {
            span: keys.span().clone(),
            to: keys.get("to"),
            reason: keys.get("reason"),
            subject: keys.get("subject"),
            ci: keys.get("ci"),
            template: keys.get("template"),
        }),
        alerts: each(&keys, "alerts", &EXPECTED_ALERT, |keys| AlertExpectation {
            span: keys.span().clone(),
            name: keys.get("name"),
            ci: keys.get("ci"),
            state: keys.get("state"),
            muted_by: keys.get("muted_by"),
        }),
        problems: each(&keys, "problems", &PROBLEM, |keys| ProblemExpectation {
            rule: keys.get("rule"),
            ci: keys.get("ci"),
            state: keys.get("state"),
            title: keys.get("title"),
            incidents: keys.get("incidents"),
        }),
    })
}

fn each<'a, 'r, T>(
    keys: &Keys<'a, 'r>,
    key: &'static str,
    shape: &'static Shape,
    read: impl Fn(&Keys<'a, 'r>) -> T,
) -> Option<Spanned<Vec<T>>> {
    let node = keys.node(key)?;
    let items = keys.reading().items(node).iter();
    let value = items.filter_map(|item| keys.reading().keys(item, shape)).map(|keys| read(&keys)).collect();
    Some(Spanned { value, span: node.span.clone() })
}
