//! `expect` of a test: what must hold at a moment, as plain data.

use std::ops::Range;

use crate::source::{Key, Keys, Kind, Node, Reading, Shape, Spanned, Takes};
use crate::time::Time;
use crate::words::{AlertState, ClockState, IncidentState, Level, Priority, ProblemState, Reason, SlaKind, SlaTarget};

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
    /// The promises of SLAs to the incidents that are neither closed nor a child of another.
    pub sla: Option<Spanned<Vec<SlaExpectation>>>,
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
    pub name: Option<Spanned<String>>,
    /// The CI of its incident's cause.
    pub ci: Option<Spanned<String>>,
    /// Between whom.
    pub kind: Option<Spanned<SlaKind>>,
    /// For which service; empty is none.
    pub service: Option<Spanned<String>>,
    /// Of what.
    pub target: Option<Spanned<SlaTarget>>,
    /// Where it stands.
    pub state: Option<Spanned<ClockState>>,
    /// Until when.
    pub deadline: Option<Spanned<Time>>,
    /// The used share.
    pub percent: Option<Spanned<u32>>,
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
    later: &[
        ("problem", "expect it under `problems`"),
        ("major", "leave it out: no incident is major yet"),
        ("hold", "expect `state: on_hold`"),
    ],
};

static SLA: Shape = Shape {
    what: "an expected promise",
    keys: &[
        Key::may("name", Takes::Text, "the SLA."),
        Key::may("ci", Takes::Text, "the CI of its incident."),
        Key::may("kind", Takes::Word(SlaKind::WORDS), "between whom: sla or uc."),
        Key::may("service", Takes::Text, "the service for which it is promised; \"\" is none."),
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

pub(super) static EXPECT: Shape = Shape {
    what: "`expect`",
    keys: &[
        Key::may("incidents", Takes::List(&Takes::Map(&INCIDENT)), "all incidents that are not closed, in any order; [] is none."),
        Key::may("mails", Takes::List(&Takes::Map(&MAIL)), "all mails since the last expectation of mails, in any order; [] is none."),
        Key::may("problems", Takes::List(&Takes::Map(&PROBLEM)), "all problems that are not closed, in any order; [] is none."),
        Key::may("sla", Takes::List(&Takes::Map(&SLA)), "all promises of incidents that are not closed, in any order; [] is none."),
        Key::may("alerts", Takes::List(&Takes::Map(&EXPECTED_ALERT)), "all alerts that are not cleared, in any order; [] is none."),
    ],
    later: &[],
};

/// Reads it.
pub(super) fn expect<'a>(reading: &Reading<'a>, node: &'a Node) -> Option<Expect> {
    let keys = reading.keys(node, &EXPECT)?;
    if keys.entries().is_empty() {
        reading.wrong(node, "incidents, mails, alerts, problems or sla");
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
            sla: each(keys, "sla", &SLA, promise),
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
            state: alert_state(keys),
            muted_by: keys.get("muted_by"),
        }),
        sla: each(&keys, "sla", &SLA, promise),
        problems: each(&keys, "problems", &PROBLEM, |keys| ProblemExpectation {
            rule: keys.get("rule"),
            ci: keys.get("ci"),
            state: keys.get("state"),
            title: keys.get("title"),
            incidents: keys.get("incidents"),
        }),
    })
}

fn promise(keys: &Keys<'_, '_>) -> SlaExpectation {
    SlaExpectation {
        name: keys.get("name"),
        ci: keys.get("ci"),
        kind: keys.get("kind"),
        service: keys.get("service"),
        target: keys.get("target"),
        state: keys.get("state"),
        deadline: keys.get("deadline"),
        percent: keys.get("percent"),
    }
}

/// The state of an expected alert; one word comes later.
fn alert_state(keys: &Keys<'_, '_>) -> Option<Spanned<AlertState>> {
    let node = keys.node("state")?;
    if matches!(&node.kind, Kind::Scalar(scalar) if scalar.text == "flapping") {
        keys.reading().not_yet(&node.span, "the state `flapping`", "such an alert is `firing` or not there");
        return None;
    }
    keys.get("state")
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
