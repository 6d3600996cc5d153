//! `correlate`: what an alert means and which incident it joins. First match; last stands the built-in `default`.

use super::Policy;
use super::priorities::urgency_of;
use super::rules::{self, DISABLED, MATCHERS, NAME, NOTE, Names, Scope, WHEN};
use super::sections::{self, FileSection, Found, IsBuiltin, Keyed as _, StandsFor};
use crate::expr::{RuleIndex, Section, View};
use crate::lookup::Lookup;
use crate::source::{Key, Keys, Kind, Node, Reading, Shape, Takes};
use crate::time::Span;
use crate::words::{Action, Explains, Level, Means, Severity};

/// One compiled rule; keys left out in the file have the built-in defaults.
#[derive(Debug)]
pub struct Correlate {
    /// Its name, unique in the section: what mails, reasons, metrics and tests show.
    pub name: String,
    /// What must hold.
    pub condition: super::Condition,
    /// What it does to the CI. `None`: by severity and name, as the built-in rule decides.
    pub means: Option<Means>,
    /// What it explains. `None`: follows from `means` (down: downstream, degraded: ci, nothing: nothing).
    pub explains: Option<Explains>,
    /// Urgency. `None`: by severity.
    pub urgency: Option<Urgency>,
    /// How long it must fire before it is judged. Default 0 s.
    pub hold_for: Span,
    /// What alerts of one incident share. Default `[ci]`.
    pub group_by: Vec<GroupBy>,
    /// How long the first mail waits for company. Default 30 s.
    pub group_wait: Span,
    /// How old an open incident may be that another alert joins. Default 1 h.
    pub join_within: Span,
    /// How long before its cause a symptom may have begun. Default 10 min.
    pub adopt_within: Span,
    /// How long all alerts must be clear. Default 5 min: longer than one scrape interval of every source we know.
    pub resolve_after: Span,
    /// How long after it was resolved a return reopens. Default 4 h.
    pub reopen_within: Span,
    /// How long after it was resolved it is closed. Default 3 d.
    pub close_after: Span,
    /// Clears an alert whose sender never does, this long after it was last heard. Default: never.
    pub expire_after: Option<Span>,
    /// The incident's title. `None`: the alert's name and CI.
    pub title: Option<super::TextTemplate>,
    /// Where to read what to do.
    pub runbook: Option<super::TextTemplate>,
    /// Whether it opens incidents or only records.
    pub action: Action,
}

/// `urgency`: one word, or a word for each severity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Urgency {
    /// In the order of [`Severity::ALL`].
    pub by_severity: [Level; 5],
}

impl Default for Correlate {
    /// The built-in rule `default`: what the keys left out of a rule stand for.
    fn default() -> Self {
        Correlate {
            name: DEFAULT.to_owned(),
            condition: super::Condition::always(),
            means: None,
            explains: None,
            urgency: None,
            hold_for: Span::ZERO,
            group_by: vec![GroupBy::Ci],
            group_wait: Span::seconds(30),
            join_within: Span::hours(1),
            adopt_within: Span::minutes(10),
            resolve_after: Span::minutes(5),
            reopen_within: Span::hours(4),
            close_after: Span::days(3),
            expire_after: None,
            title: None,
            runbook: None,
            action: Action::Open,
        }
    }
}

impl Urgency {
    /// The urgency of `severity`.
    pub fn of(&self, severity: Severity) -> Level {
        self.by_severity[severity as usize]
    }
}

/// One entry of `group_by`.
#[derive(Debug)]
pub enum GroupBy {
    /// The CI; an unknown one counts as the first value it was looked up by, else as the alert's name.
    Ci,
    /// The rule itself, so that only alerts of this rule join.
    Rule,
    /// The most critical service.
    Service,
    /// Another path, such as `alert.name` or `alert.labels.chain`.
    Path(super::Path),
}

/// Why a rule was passed over, for `explain` and `try`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The rule.
    pub rule: String,
    /// What did not hold: `alert.name == "X" is false`, or the run-time fault.
    pub why: String,
}

/// The section, in order, with its index over label values.
#[derive(Debug, Default)]
pub struct CorrelateRules {
    rules: Vec<Correlate>,
    index: RuleIndex,
    by_name: Lookup<String, usize>,
}

impl CorrelateRules {
    /// The first rule that matches; the built-in `default` always does.
    pub fn first_match(&self, view: &View<'_>) -> &Correlate {
        let candidates = self.index.candidates(view).filter_map(|at| self.rules.get(at));
        let matched = candidates.into_iter().find(|rule| rule.condition.holds(view).is_yes());
        matched.unwrap_or_else(|| self.default_rule())
    }

    /// As `first_match`, with every rule that was passed over and why; slower, for `explain` and `try`.
    pub fn trace(&self, view: &View<'_>) -> (&Correlate, Vec<Skipped>) {
        let matched = self.first_match(view);
        let passed = self.rules.iter().take_while(|rule| rule.name != matched.name);
        let skipped = passed.map(|rule| Skipped { rule: rule.name.clone(), why: rule.condition.explain(view) }).collect();
        (matched, skipped)
    }

    /// The rules in order, the built-in ones last.
    pub fn rules(&self) -> &[Correlate] {
        &self.rules
    }

    /// The built-in rule.
    pub fn default_rule(&self) -> &Correlate {
        self.rules.last().expect("the built-in rule stands last")
    }

    /// A rule by name, for what is already attached.
    pub fn by_name(&self, name: &str) -> Option<&Correlate> {
        self.by_name.get(name).and_then(|at| self.rules.get(*at))
    }
}

/// What an alert does to its CI where the rule leaves it open: names like `*Down`, `*NotReady`, `*Unreachable` and `*unavailable` mean down, other critical ones degraded.
pub fn means_by_name(name: &str, severity: Severity) -> Means {
    let lower = name.to_ascii_lowercase();
    if ["down", "notready", "unreachable", "unavailable"].iter().any(|end| lower.ends_with(end)) {
        Means::Down
    } else if severity == Severity::Critical {
        Means::Degraded
    } else {
        Means::Nothing
    }
}

/// The name of the built-in rule that stands last.
pub const DEFAULT: &str = "default";

/// Whether a rule of this name is built in: files cannot take such a name.
fn is_builtin(name: &str) -> bool {
    name == DEFAULT || RECORDED.iter().any(|(builtin, _)| *builtin == name)
}

/// Built-in rules that stand after the operator's and before `default`: alerts of Prometheus' own making that nobody is to be told about.
const RECORDED: &[(&str, &str)] = &[
    ("watchdog", r#"alert.name == "Watchdog""#),
    ("info-inhibitor", r#"alert.name == "InfoInhibitor""#),
    ("info", r#"alert.severity == "info""#),
];

static URGENCY: Shape = Shape {
    what: "`urgency`",
    keys: &[
        Key::may("critical", Takes::Word(Level::WORDS), "the urgency of critical alerts. Default high."),
        Key::may("error", Takes::Word(Level::WORDS), "the urgency of error alerts. Default medium."),
        Key::may("warning", Takes::Word(Level::WORDS), "the urgency of warnings. Default low."),
        Key::may("info", Takes::Word(Level::WORDS), "the urgency of what is for the record. Default low."),
        Key::may("unknown", Takes::Word(Level::WORDS), "the urgency of what has no severity we know. Default low."),
        Key::may("else", Takes::Word(Level::WORDS), "the urgency of every severity that is not named."),
    ],
    later: &[],
};

/// A rule of `correlate`.
pub(super) static RULE: Shape = Shape {
    what: "a correlate rule",
    keys: &[
        NAME,
        NOTE,
        DISABLED,
        MATCHERS,
        WHEN,
        Key::may(
            "means",
            Takes::Word(Means::WORDS),
            "what it does to the CI. Default: names like *Down mean down, other critical ones degraded.",
        ),
        Key::may(
            "explains",
            Takes::Word(Explains::WORDS),
            "which other alerts it explains. Default: down explains downstream, degraded the ci, nothing nothing.",
        ),
        Key::may(
            "urgency",
            Takes::Either(&[Takes::Word(Level::WORDS), Takes::Map(&URGENCY)]),
            "one word, or a word for each severity. Default: critical high, error medium, else low.",
        ),
        Key::may("for", Takes::Duration, "how long it must fire before it is judged. Default 0s."),
        Key::may(
            "group_by",
            Takes::List(&Takes::Text),
            "what alerts of one incident share: ci, rule, service, or a path such as alert.labels.chain. Default [ci].",
        ),
        Key::may("group_wait", Takes::Duration, "how long the first mail waits for company. Default 30s."),
        Key::may("join_within", Takes::Duration, "how old an open incident may be that another alert joins. Default 1h."),
        Key::may("adopt_within", Takes::Duration, "how long before its cause a symptom may have begun. Default 10m."),
        Key::may("resolve_after", Takes::Duration, "how long all its alerts must be clear. Default 5m."),
        Key::may("reopen_within", Takes::Duration, "how long after it was resolved a return reopens it. Default 4h."),
        Key::may("close_after", Takes::Duration, "how long after it was resolved it is closed. Default 3d."),
        Key::may(
            "expire_after",
            Takes::Duration,
            "clears an alert whose sender never does, so long after it was last heard. Default: never.",
        ),
        Key::may("title", Takes::Text, "the incident's title, with {{path}}. Default: the alert's name and CI."),
        Key::may("runbook", Takes::Text, "where to read what to do, with {{path}}."),
        Key::may("action", Takes::Word(Action::WORDS), "open incidents, or only record. Default open."),
    ],
    later: &[
        ("flapping", "a longer `resolve_after` keeps its incident open"),
        ("priority", "it comes from impact and urgency: write `urgency`, or change `priorities`"),
        ("team", "the team is the owner of the CI: set `owner` in the CMDB, or tell others with `notify`"),
    ],
};

/// `correlate` of all files.
pub(super) struct CorrelateSection {
    names: Names,
    rules: Vec<(Correlate, sections::Rule)>,
}

impl Default for CorrelateSection {
    fn default() -> Self {
        let builtin: Vec<&str> = RECORDED.iter().map(|(name, _)| *name).chain([DEFAULT]).collect();
        CorrelateSection { names: Names::reserved(&builtin), rules: Vec::new() }
    }
}

impl FileSection for CorrelateSection {
    const TAKES: Takes = Takes::List(&Takes::Map(&RULE));
    const DOC: &'static str = "what an alert means and which incident it joins; the first that matches.";
    const SEES: &'static [&'static str] = Section::OF_CI;
    const NAMES: StandsFor = StandsFor::Rules;

    fn read<'a>(&mut self, reading: &Reading<'a>, node: &'a Node, scope: &Scope<'a>) {
        sections::each(reading, node, Self::KEY, &RULE, |keys| self.rule(keys, scope));
    }

    /// The rules of the files, then the built-in ones.
    fn finish(self, policy: &mut Policy, found: &mut Found<'_>) {
        let own: Vec<_> = self.rules.iter().map(|(rule, at)| (&rule.condition, at)).collect();
        found.hidden(&own, |_, _| true);
        let condition = |when| crate::expr::Expr::compile(Self::section(), when).expect("built in and tested");
        let mut rules: Vec<Correlate> = self.rules.into_iter().map(|(rule, _)| rule).collect();
        rules.extend(RECORDED.iter().map(|(name, when)| Correlate {
            name: (*name).to_owned(),
            condition: super::Condition::new(Vec::new(), vec![condition(when)]),
            means: Some(Means::Nothing),
            action: Action::Record,
            ..Correlate::default()
        }));
        rules.push(Correlate::default());
        let index = RuleIndex::new(rules.iter().map(|rule| &rule.condition));
        let mut by_name = Lookup::default();
        for (at, rule) in rules.iter().enumerate() {
            by_name.insert(rule.name.clone(), at);
        }
        policy.correlate = CorrelateRules { rules, index, by_name };
    }

    fn names(policy: &Policy) -> Vec<(&str, IsBuiltin)> {
        policy.correlate.rules().iter().map(|rule| (rule.name.as_str(), is_builtin(&rule.name))).collect()
    }
}

impl CorrelateSection {
    /// Reads one rule.
    fn rule<'a>(&mut self, keys: &Keys<'a, '_>, scope: &Scope<'a>) {
        let name = self.names.take(keys, Self::KEY);
        let is_disabled = rules::is_disabled(keys);
        let builtin = Correlate::default();
        let rule = Correlate {
            name: name.clone().unwrap_or_default(),
            condition: rules::condition(keys, Self::section(), scope),
            means: keys.get("means"),
            explains: keys.get("explains"),
            urgency: keys.node("urgency").and_then(|node| urgency(keys.reading(), node)),
            hold_for: keys.get("for").unwrap_or(builtin.hold_for),
            group_by: group_by(keys).unwrap_or(builtin.group_by),
            group_wait: keys.get("group_wait").unwrap_or(builtin.group_wait),
            join_within: keys.get("join_within").unwrap_or(builtin.join_within),
            adopt_within: keys.get("adopt_within").unwrap_or(builtin.adopt_within),
            resolve_after: keys.get("resolve_after").unwrap_or(builtin.resolve_after),
            reopen_within: keys.get("reopen_within").unwrap_or(builtin.reopen_within),
            close_after: keys.get("close_after").unwrap_or(builtin.close_after),
            expire_after: keys.get("expire_after"),
            title: rules::template(keys, "title", Self::section()),
            runbook: rules::template(keys, "runbook", Self::section()),
            action: keys.get("action").unwrap_or(builtin.action),
        };
        if let (Some(name), false) = (name, is_disabled) {
            self.rules.push((rule, sections::Rule::of(keys, "correlate rule", &name)));
        }
    }
}

fn urgency<'a>(reading: &Reading<'a>, node: &'a Node) -> Option<Urgency> {
    if !matches!(node.kind, Kind::Map(_)) {
        let level: Level = reading.read(node)?;
        return Some(Urgency { by_severity: [level; 5] });
    }
    let keys = reading.keys(node, &URGENCY)?;
    let otherwise: Option<Level> = keys.get("else");
    let mut by_severity = [Level::Low; 5];
    for severity in Severity::ALL.iter().copied() {
        by_severity[severity as usize] = keys.get(severity.word()).or(otherwise).unwrap_or_else(|| urgency_of(severity));
    }
    Some(Urgency { by_severity })
}

fn group_by(keys: &Keys<'_, '_>) -> Option<Vec<GroupBy>> {
    let node = keys.node("group_by")?;
    let reading = keys.reading();
    if matches!(node.kind, Kind::Seq(_)) && reading.items(node).is_empty() || node.is_null() {
        reading.wrong(node, "at least one of ci, rule, service or a path: what is grouped by nothing would be one heap");
        return None;
    }
    let entries = reading.items(node).iter().filter_map(|item| {
        let text: &str = reading.read(item)?;
        Some(match text {
            "ci" => GroupBy::Ci,
            "rule" => GroupBy::Rule,
            "service" => GroupBy::Service,
            path => GroupBy::Path(rules::path(reading, item, path, CorrelateSection::section())?),
        })
    });
    Some(entries.collect())
}
