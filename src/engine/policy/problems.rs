//! `problems`: which incidents are the same fault that keeps coming back, and how many of them within which time make a problem.

use super::rules::{self, DISABLED, MATCHERS, NAME, NOTE, Names, Scope, WHEN};
use super::sections::{self, FileSection, Found, IsBuiltin, Keyed as _, StandsFor};
use super::{Condition, Policy};
use crate::expr::Section;
use crate::source::{Key, Keys, Node, OneOrMany, Reading, Shape, Takes};
use crate::time::Span;
use crate::words::SameBy;

/// One compiled rule.
#[derive(Debug)]
pub struct ProblemRule {
    /// Its name.
    pub name: String,
    /// What must hold of the incident.
    pub condition: Condition,
    /// What incidents must share; each once, in order, never empty.
    pub same: Vec<SameBy>,
    /// How many make a problem; at least 2.
    pub incidents: u32,
    /// Within which time.
    pub within: Span,
    /// How long it must stay quiet after a fix until the problem closes.
    pub quiet_after_fix: Span,
}

/// Default of `incidents`.
const INCIDENTS: u32 = 3;
/// Default of `within`.
const WITHIN: Span = Span::days(7);
/// Default of `quiet_after_fix`.
const QUIET_AFTER_FIX: Span = Span::days(14);

/// A rule of `problems`.
pub(super) static RULE: Shape = Shape {
    what: "a rule of problems",
    keys: &[
        NAME,
        NOTE,
        DISABLED,
        MATCHERS,
        WHEN,
        Key::must(
            "same",
            Takes::OneOrList(&Takes::Word(SameBy::WORDS)),
            "what the incidents share: rule, ci, ci.class, service, alert.name, title (its numbers and ids masked). One without a value is not counted.",
        ),
        Key::may("incidents", Takes::Count, "how many make a problem, 2 to 100. Default 3."),
        Key::may("within", Takes::Duration, "within which time, up to 90d. Default 7d."),
        Key::may(
            "quiet_after_fix",
            Takes::Duration,
            "how long it must stay quiet after a fix, up to 365d: then the problem closes. Default 14d.",
        ),
    ],
    later: &[("team", "the team is the owner of the CI: set `owner` in the CMDB")],
};

/// `problems` of all files.
#[derive(Default)]
pub(super) struct ProblemsSection {
    names: Names,
    rules: Vec<ProblemRule>,
}

impl FileSection for ProblemsSection {
    const TAKES: Takes = Takes::List(&Takes::Map(&RULE));
    const DOC: &'static str = "which incidents are the same fault that keeps coming back; all that match.";
    const SEES: &'static [&'static str] = Section::OF_INCIDENT;
    const NAMES: StandsFor = StandsFor::Rules;

    fn read<'a>(&mut self, reading: &Reading<'a>, node: &'a Node, scope: &Scope<'a>) {
        sections::each(reading, node, Self::KEY, &RULE, |keys| self.rule(keys, scope));
    }

    fn finish(self, policy: &mut Policy, _: &mut Found<'_>) {
        policy.problems = self.rules;
    }

    fn names(policy: &Policy) -> Vec<(&str, IsBuiltin)> {
        sections::own(policy.problems.iter().map(|rule| rule.name.as_str()))
    }
}

impl ProblemsSection {
    /// Reads one rule.
    fn rule<'a>(&mut self, keys: &Keys<'a, '_>, scope: &Scope<'a>) {
        let reading = keys.reading();
        let name = self.names.take(keys, Self::KEY);
        let is_disabled = rules::is_disabled(keys);
        let condition = rules::condition(keys, Self::section(), scope);
        let given: Vec<&Node> = keys.get::<OneOrMany<&Node>>("same").map(|same| same.0).unwrap_or_default();
        if let (true, Some(node)) = (given.is_empty(), keys.node("same")) {
            reading.wrong(node, "what the incidents share, such as `[rule, ci]`");
        }
        let word = |node| reading.word(node, "word of `same`", SameBy::WORDS).and_then(SameBy::from_word);
        let mut same: Vec<SameBy> = given.into_iter().filter_map(word).collect();
        same.sort_unstable();
        same.dedup();
        let incidents = keys.get::<u32>("incidents").unwrap_or(INCIDENTS);
        if !(2..=100).contains(&incidents) {
            reading.error(&keys.place_of("incidents"), "a problem is made of 2 to 100 incidents".to_owned());
        }
        let within = span(keys, "within", WITHIN, Span::days(90));
        let quiet_after_fix = span(keys, "quiet_after_fix", QUIET_AFTER_FIX, Span::days(365));
        if let (Some(name), false) = (name, is_disabled) {
            self.rules.push(ProblemRule { name, condition, same, incidents, within, quiet_after_fix });
        }
    }
}

fn span(keys: &Keys<'_, '_>, key: &'static str, default: Span, max: Span) -> Span {
    let given = keys.get::<Span>(key).unwrap_or(default);
    if given <= Span::ZERO || given > max {
        keys.reading().error(&keys.place_of(key), format!("`{key}` is more than nothing and at most {}", max.words()));
    }
    given
}
