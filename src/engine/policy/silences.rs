//! `silences` in rule files: what is recorded without being told, once or on a schedule.

use super::rules::{self, DISABLED, MATCHERS, NAME, NOTE, Names, Scope, WHEN};
use super::schedules::{CRON, ZONE, schedule};
use super::sections::{self, FileSection, Found, IsBuiltin, Keyed as _, StandsFor};
use super::{Policy, Schedule};
use crate::expr::Section;
use crate::source::{Diagnostic, Key, Keys, Node, Reading, Shape, Spanned, Takes};
use crate::time::{Span, Time};

/// One compiled rule.
#[derive(Debug)]
pub struct SilenceRule {
    /// Its name.
    pub name: String,
    /// What must hold of an alert.
    pub condition: super::Condition,
    /// When it holds.
    pub when: Window,
    /// Why, as the operator wrote it.
    pub comment: String,
}

/// When a silence rule holds.
#[derive(Debug)]
pub enum Window {
    /// Between two instants; either may be open.
    Between {
        /// From, or ever since.
        from: Option<Time>,
        /// Until, or for ever.
        until: Option<Time>,
    },
    /// Each time a schedule fires, for a while.
    Every {
        /// The schedule.
        schedule: Schedule,
        /// For how long.
        lasts: Span,
    },
}

static EVERY: Shape =
    Shape { what: "`every`", keys: &[CRON, ZONE, Key::must("lasts", Takes::Duration, "how long it holds each time.")], later: &[] };

/// A rule of `silences`.
pub(super) static RULE: Shape = Shape {
    what: "a silence",
    keys: &[
        NAME,
        NOTE,
        DISABLED,
        MATCHERS,
        WHEN,
        Key::may("every", Takes::Map(&EVERY), "a schedule; left out: from `from` until `until`."),
        Key::may("from", Takes::Moment, "since when. Default: ever since."),
        Key::may("until", Takes::Moment, "until when. Default: for ever."),
        Key::may("comment", Takes::Text, "why: what timeline and `explain` show."),
    ],
    later: &[],
};

/// `silences` of all files.
#[derive(Default)]
pub(super) struct SilencesSection {
    names: Names,
    rules: Vec<SilenceRule>,
}

impl FileSection for SilencesSection {
    const TAKES: Takes = Takes::List(&Takes::Map(&RULE));
    const DOC: &'static str = "what is recorded without being told.";
    const SEES: &'static [&'static str] = Section::OF_CI;
    const NAMES: StandsFor = StandsFor::Rules;

    fn read<'a>(&mut self, reading: &Reading<'a>, node: &'a Node, scope: &Scope<'a>) {
        sections::each(reading, node, Self::KEY, &RULE, |keys| self.rule(keys, scope));
    }

    fn finish(self, policy: &mut Policy, _: &mut Found<'_>) {
        policy.silences = self.rules;
    }

    fn names(policy: &Policy) -> Vec<(&str, IsBuiltin)> {
        sections::own(policy.silences.iter().map(|rule| rule.name.as_str()))
    }
}

impl SilencesSection {
    /// Reads one rule.
    fn rule<'a>(&mut self, keys: &Keys<'a, '_>, scope: &Scope<'a>) {
        let name = self.names.take(keys, Self::KEY);
        let is_disabled = rules::is_disabled(keys);
        let condition = rules::condition(keys, Self::section(), scope);
        if keys.entries().iter().all(|entry| entry.key != "when" && entry.key != "matchers") && scope.when.is_empty() {
            let reading = keys.reading();
            let warning =
                Diagnostic::warning(reading.file(), &keys.place_of("name"), "this silence has no condition, so it mutes every alert");
            reading.report(warning.help("say which with `matchers` or `when`"));
        }
        let window = window(keys);
        let comment = keys.get("comment").unwrap_or_default();
        if let (Some(name), Some(when), false) = (name, window, is_disabled) {
            self.rules.push(SilenceRule { name, condition, when, comment });
        }
    }
}

fn window(keys: &Keys<'_, '_>) -> Option<Window> {
    let reading = keys.reading();
    let from: Option<Spanned<Time>> = keys.get("from");
    let until: Option<Spanned<Time>> = keys.get("until");
    if let (Some(from), Some(until)) = (&from, &until)
        && until.value <= from.value
    {
        let error = Diagnostic::error(reading.file(), &until.span, "this silence ends before it begins");
        reading.report(error.help("`until` lies after `from`"));
        return None;
    }
    let Some(node) = keys.node("every") else {
        return Some(Window::Between { from: from.map(|from| from.value), until: until.map(|until| until.value) });
    };
    if let Some(bound) = from.or(until) {
        let error = Diagnostic::error(reading.file(), &bound.span, "a silence has either `every` or `from` and `until`");
        reading.report(error.help("make two silences of it"));
    }
    let every = reading.keys(node, &EVERY)?;
    let schedule = schedule(&every);
    let lasts: Spanned<Span> = every.get("lasts")?;
    if lasts.value <= Span::ZERO {
        let error = Diagnostic::error(reading.file(), &lasts.span, "this silence lasts no time");
        reading.report(error.help("write how long it holds, such as 2h"));
        return None;
    }
    Some(Window::Every { schedule: schedule?, lasts: lasts.value })
}
