//! `notify`: who hears what. All rules act; one mail per person and event.

use std::collections::BTreeSet;
use std::fmt;

use super::named::{Mention, Mentioned, Named};
use super::priorities::Matrix;
use super::rules::{self, DISABLED, MATCHERS, NAME, NOTE, Names, Scope, WHEN};
use super::schedules::{SCHEDULE, schedule};
use super::sections::{self, FileSection, Found, IsBuiltin, Keyed as _, StandsFor};
use super::{Policy, Schedule};
use crate::expr::{Expr, Facts, Section};
use crate::source::{Diagnostic, Key, Keys, Kind, Node, OneOrMany, Reading, Shape, Spanned, Takes, listed, nearest};
use crate::words::{LATER_REASONS, Priority, Reason, SENDABLE_REASONS, Sent};

/// Fields that change without a fact about the incident or the symptom.
const CHANGE_UNSEEN: &[&str] = &[
    "alert.annotations",
    "alert.count",
    "alert.summary",
    "alert.url",
    "alert.value",
    "ci.health",
    "incident.age",
    "incident.alerts",
    "incident.symptoms",
    "service.health",
];

/// One compiled rule.
#[derive(Debug)]
pub struct Notify {
    /// Its name.
    pub name: String,
    /// What must hold.
    pub condition: super::Condition,
    /// Whom.
    pub to: Vec<Recipient>,
    /// For which reasons. `None`: those that ask for attention.
    pub send: Option<Vec<Reason>>,
    /// Which template. `None`: the one named like the reason.
    pub template: Option<String>,
    /// The list into which what it says is folded. `None`: it goes out at once.
    pub digest: Option<Digest>,
    /// Whether it stands in no file.
    pub is_builtin: bool,
}

impl Notify {
    /// Whether this rule sends `reason` to its `to`.
    pub fn sends(&self, reason: Reason) -> bool {
        match &self.send {
            Some(reasons) => reasons.contains(&reason),
            None => reason.sent() == Sent::ByDefault,
        }
    }

    /// Whether this rule has `reason` told to the assignee and the lead, because it names none.
    pub fn leaves_to_assignee(&self, reason: Reason) -> bool {
        self.send.is_none() && reason.sent() == Sent::ToAssignee
    }

    /// The name of the template that renders what this rule says about `reason`.
    pub fn template_of(&self, reason: Reason) -> &str {
        // What is left to the assignee does not go to those whom the rule's template is for.
        self.template.as_deref().filter(|_| !self.leaves_to_assignee(reason)).unwrap_or(reason.word())
    }
}

/// A list that goes out by schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Digest {
    /// The morning's: at 08:00 in the zone of the reader's team, one for all rules.
    Morning,
    /// One of the rule's own.
    Own(Schedule),
}

impl Digest {
    /// The name of the job that sends it to readers in `zone`.
    pub fn job(&self, rule: &str, zone: &str) -> String {
        match self {
            Digest::Morning => format!("morning ({zone})"),
            Digest::Own(_) => rule.to_owned(),
        }
    }

    /// When it goes out to readers in `zone`, a zone of the CMDB.
    pub fn schedule(&self, zone: &str) -> Schedule {
        let morning = |zone| Schedule::parse("0 8 * * *", zone);
        match self {
            Digest::Morning => morning(zone).or_else(|_| morning("UTC")).expect("every day has a morning in UTC"),
            Digest::Own(schedule) => schedule.clone(),
        }
    }
}

/// As a trace says that something is folded.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Digest::Morning => f.write_str("in the morning's list"),
            Digest::Own(schedule) => write!(f, "in the list of \"{schedule}\", {}", schedule.zone()),
        }
    }
}

/// Whom a rule tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipient {
    /// The team that owns the CI.
    Owner,
    /// Who is on call for it; without a rota the owner.
    Oncall,
    /// That team's lead.
    Lead,
    /// Whoever has the incident.
    Assignee,
    /// The stakeholders of the services it hurts.
    Stakeholders,
    /// The vendor whose contract covers the CI.
    Vendor,
    /// `team:ID`.
    Team(String),
    /// `person:ID`.
    Person(String),
    /// `hook:NAME`.
    Hook(String),
    /// An address.
    Address(String),
}

impl Recipient {
    /// Those that are one word.
    const WORDS: &'static [(&'static str, Recipient)] = &[
        ("owner", Recipient::Owner),
        ("oncall", Recipient::Oncall),
        ("lead", Recipient::Lead),
        ("assignee", Recipient::Assignee),
        ("stakeholders", Recipient::Stakeholders),
        ("vendor", Recipient::Vendor),
    ];
}

/// As rule files write it.
impl std::fmt::Display for Recipient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Recipient::Team(id) => write!(f, "team:{id}"),
            Recipient::Person(id) => write!(f, "person:{id}"),
            Recipient::Hook(name) => write!(f, "hook:{name}"),
            Recipient::Address(address) => f.write_str(address),
            Recipient::Owner | Recipient::Oncall | Recipient::Lead | Recipient::Assignee | Recipient::Stakeholders | Recipient::Vendor => {
                f.write_str(Recipient::WORDS.iter().find(|(_, known)| known == self).map_or("", |(word, _)| word))
            }
        }
    }
}

/// A rule of `notify`.
pub(super) static RULE: Shape = Shape {
    what: "a notify rule",
    keys: &[
        NAME,
        NOTE,
        DISABLED,
        MATCHERS,
        WHEN,
        Key::must(
            "to",
            Takes::OneOrList(&Takes::Text),
            "whom: owner, oncall, lead, assignee, stakeholders, vendor, team:ID, person:ID, hook:NAME, or an address.",
        ),
        Key::may(
            "send",
            Takes::OneOrList(&Takes::Word(SENDABLE_REASONS)),
            "for which reasons. Default: those that ask for attention, and `sla_warning` to assignee and lead; `rules/README.md` lists them.",
        ),
        Key::may(
            "digest",
            Takes::Either(&[Takes::Word(&["morning"]), Takes::Map(&SCHEDULE)]),
            "folded into one list: `morning`, at 08:00 in the zone of the reader's team, or `{cron: …, zone: …}`. Default: at once.",
        ),
        Key::may("template", Takes::Text, "which template. Default: the one named like the reason."),
    ],
    later: &[
        ("during", "fold what can wait until the morning with `digest`, or mute by the clock with `silences` and `every`"),
        ("repeat_interval", "an SLA with a `response` target and `warn_at` tells again of what nobody has acknowledged"),
        ("escalate", "an SLA with a `response` target and `warn_at` tells `lead` or `team:ID` of what nobody has acknowledged"),
    ],
};

/// `notify` of all files.
#[derive(Default)]
pub(super) struct NotifySection {
    names: Names,
    rules: Vec<Notify>,
    mentions: Vec<Mention>,
    is_written: bool,
    /// The last rule that is switched on.
    last: Option<sections::Rule>,
    /// Whether a rule was refused, so that nobody knows whom it would tell.
    is_cut: bool,
}

impl FileSection for NotifySection {
    const TAKES: Takes = Takes::List(&Takes::Map(&RULE));
    const DOC: &'static str = "who hears what; all that match.";
    const SEES: &'static [&'static str] = Section::OF_EVERYTHING;
    const NAMES: StandsFor = StandsFor::Rules;

    fn read<'a>(&mut self, reading: &Reading<'a>, node: &'a Node, scope: &Scope<'a>) {
        sections::each(reading, node, Self::KEY, &RULE, |keys| self.rule(keys, scope));
    }

    /// The rules of the files, or the built-in ones where no file has one.
    fn finish(self, policy: &mut Policy, found: &mut Found<'_>) {
        if let (Some(last), false, true) = (&self.last, self.is_cut, found.unread.is_empty()) {
            found.list.extend(untold(&policy.matrix, &self.rules, last));
        }
        policy.notify = if self.is_written { self.rules } else { builtin() };
        policy.mentions.extend(self.mentions);
        policy.notify_sees_clocks = policy.notify.iter().any(|rule| rule.condition.reads("sla"));
        let mut affected = policy.notify.iter().filter(|rule| rule.digest.is_none() && rule.sends(Reason::Affected));
        let sees = |rule: &Notify| ["sla", "at"].iter().any(|root| rule.condition.reads(root)) || rule.condition.reads_any(CHANGE_UNSEEN);
        policy.affected_sees_counts = affected.any(sees);
    }

    fn names(policy: &Policy) -> Vec<(&str, IsBuiltin)> {
        policy.notify.iter().map(|rule| (rule.name.as_str(), rule.is_builtin)).collect()
    }
}

impl NotifySection {
    /// Reads one rule.
    fn rule<'a>(&mut self, keys: &Keys<'a, '_>, scope: &Scope<'a>) {
        self.is_written = true;
        let reading = keys.reading();
        let name = self.names.take(keys, Self::KEY);
        let is_disabled = rules::is_disabled(keys);
        let condition = rules::condition(keys, Self::section(), scope);
        let to: Vec<&Node> = keys.get::<OneOrMany<&Node>>("to").map(|to| to.0).unwrap_or_default();
        if let (true, Some(node)) = (to.is_empty(), keys.node("to")) {
            reading.wrong(node, "whom to tell, such as `[owner]`");
        }
        let told = |node: &'a Node| Some((recipient(reading, node)?, node));
        let to: Vec<(Recipient, &Node)> = to.into_iter().filter_map(told).collect();
        let given = keys.get::<OneOrMany<&Node>>("send").map(|send| send.0);
        let asked = given.as_ref().map_or(0, Vec::len);
        let send: Option<Vec<Reason>> = given.map(|given| given.into_iter().filter_map(|node| reason(reading, node)).collect());
        self.is_cut |= send.as_ref().map_or(0, Vec::len) < asked;
        let template = keys.node("template").and_then(|node| template_name(reading, node));
        let digest = keys.node("digest").and_then(|node| digest(reading, node));
        if !is_disabled {
            let mention = |what, named| Mention::new(what, "notify rule", name.as_deref(), Named::at(reading, named));
            for (recipient, node) in &to {
                let span = node.span.clone();
                self.mentions.extend(match recipient {
                    Recipient::Team(id) => Some(mention(Mentioned::Team, Spanned { value: id.clone(), span })),
                    Recipient::Person(id) => Some(mention(Mentioned::Person, Spanned { value: id.clone(), span })),
                    Recipient::Hook(name) => Some(mention(Mentioned::Hook, Spanned { value: name.clone(), span })),
                    Recipient::Owner
                    | Recipient::Oncall
                    | Recipient::Lead
                    | Recipient::Assignee
                    | Recipient::Stakeholders
                    | Recipient::Vendor
                    | Recipient::Address(_) => None,
                });
            }
            self.mentions.extend(template.clone().map(|template| mention(Mentioned::Template, template)));
        }
        let to = to.into_iter().map(|(recipient, _)| recipient).collect();
        let template = template.map(|template| template.value);
        self.is_cut |= name.is_none();
        if let (Some(name), false) = (name, is_disabled) {
            self.last = Some(sections::Rule::of(keys, "notify rule", &name));
            self.rules.push(Notify { name, condition, to, send, template, digest, is_builtin: false });
        }
    }
}

/// That incidents of some priorities open and no rule tells anybody. Only what is certain counts: a rule that asks for more than the priority may tell.
fn untold(matrix: &Matrix, rules: &[Notify], last: &sections::Rule) -> Option<Diagnostic> {
    let given: BTreeSet<Priority> = matrix.cells.iter().flatten().copied().collect();
    let tells = |rule: &Notify, priority: Priority| {
        let facts = Facts::field("incident.priority", priority.word());
        rule.sends(Reason::Opened) && rule.condition.certainly(&facts) != Some(false)
    };
    let untold = given.into_iter().filter(|priority| !rules.iter().any(|rule| tells(rule, *priority)));
    let untold: Vec<&str> = untold.map(Priority::word).collect();
    if untold.is_empty() {
        return None;
    }
    let message = format!("no notify rule tells anybody when an incident of {} opens", listed(&untold, "or"));
    let quoted = untold.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ");
    let help = format!(
        "your rules replace the built-in ones: add {{name: rest, when: 'incident.priority in [{quoted}]', to: [owner], digest: morning}}"
    );
    Some(last.named.warning(message).label("nor does any rule before this one").help(help))
}

/// What is in force where no file has a rule.
fn builtin() -> Vec<Notify> {
    let condition = |when| Expr::compile(NotifySection::section(), when).expect("built in and tested");
    [
        ("default", r#"incident.priority in ["P1", "P2", "P3"]"#, None),
        ("default-morning", r#"incident.priority in ["P4", "P5"]"#, Some(Digest::Morning)),
    ]
    .into_iter()
    .map(|(name, when, digest)| Notify {
        name: name.to_owned(),
        condition: super::Condition::new(Vec::new(), vec![condition(when)]),
        to: vec![Recipient::Owner],
        send: None,
        template: None,
        digest,
        is_builtin: true,
    })
    .collect()
}

fn recipient(reading: &Reading<'_>, node: &Node) -> Option<Recipient> {
    let text: &str = reading.read(node)?;
    if let Some((_, word)) = Recipient::WORDS.iter().find(|(word, _)| *word == text) {
        return Some(word.clone());
    }
    let refuse = |message: String, label: &str, help: String| {
        reading.report(Diagnostic::error(reading.file(), &node.span, message).label(label).help(help));
        None
    };
    match text.split_once(':') {
        Some((kind @ ("team" | "person" | "hook"), id)) if !id.trim().is_empty() && !id.chars().any(char::is_control) => {
            let id = id.trim().to_owned();
            return Some(match kind {
                "team" => Recipient::Team(id),
                "person" => Recipient::Person(id),
                _ => Recipient::Hook(id),
            });
        }
        Some(("hook", _)) => {
            return refuse(
                "`hook:` without a name".to_owned(),
                "",
                "write `hook:NAME` with the name of an [[out]] of daemon.toml".to_owned(),
            );
        }
        Some((kind @ ("team" | "person"), _)) => {
            return refuse(format!("`{kind}:` without an id"), "", format!("write `{kind}:ID` with an id of the CMDB"));
        }
        Some(("oncall", _)) => {
            reading.not_yet(&node.span, &format!("`{}`", shown(text)), "write `oncall`, which tells the owner, or `person:ID`");
            return None;
        }
        Some(_) | None => {}
    }
    if is_address(text) {
        return Some(Recipient::Address(text.to_owned()));
    }
    let words = Recipient::WORDS.iter().map(|(word, _)| *word);
    let help = match nearest(text, words.clone().chain(["team:", "person:", "hook:"])) {
        Some(word) => format!("did you mean `{word}`?"),
        None => "a team is written `team:ID`, a person `person:ID`, a hook `hook:NAME`".to_owned(),
    };
    let label = format!("known are {}, team:ID, person:ID, hook:NAME and addresses", words.collect::<Vec<_>>().join(", "));
    refuse(format!("unknown recipient `{}`", shown(text)), &label, help)
}

/// Whether a text can stand in a mail's envelope: one `@` with something plain on both sides.
fn is_address(text: &str) -> bool {
    // RFC 5321, 4.5.3.1.3: a path has at most 256 octets, two of them its brackets.
    const ADDRESS_BYTES_MAX: usize = 254;
    let is_plain =
        |part: &str| !part.is_empty() && !part.chars().any(|c| c.is_control() || c.is_whitespace() || "<>()[],;:\\\"@".contains(c));
    text.len() <= ADDRESS_BYTES_MAX && text.split_once('@').is_some_and(|(user, host)| is_plain(user) && is_plain(host))
}

fn reason(reading: &Reading<'_>, node: &Node) -> Option<Reason> {
    let text: &str = reading.read(node)?;
    if LATER_REASONS.contains(&text) {
        reading.not_yet(&node.span, &format!("the reason `{text}`"), "leave it out");
        return None;
    }
    reading.word(node, "reason", SENDABLE_REASONS).and_then(Reason::from_word)
}

/// `morning`, or a schedule of its own.
fn digest<'a>(reading: &Reading<'a>, node: &'a Node) -> Option<Digest> {
    if matches!(node.kind, Kind::Map(_)) {
        return schedule(&reading.keys(node, &SCHEDULE)?).map(Digest::Own);
    }
    reading.word(node, "digest", &["morning"]).map(|_| Digest::Morning)
}

/// A template's name is a part of a file name.
fn template_name(reading: &Reading<'_>, node: &Node) -> Option<Spanned<String>> {
    let text: &str = reading.read(node)?;
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')) {
        return Some(Spanned { value: text.to_owned(), span: node.span.clone() });
    }
    let error = Diagnostic::error(reading.file(), &node.span, format!("`{}` is no name of a template", shown(text)));
    reading.report(error.label("letters, digits, `-` and `_`").help("name the folder's file without its ending: `template: business`"));
    None
}

fn shown(text: &str) -> String {
    crate::text::cut(&crate::text::one_line(text), 60)
}
