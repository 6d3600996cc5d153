//! `capacity` in rule files: which series are asked for by schedule, and which limit they shall not reach; and the series that tests give them.

use std::ops::Range;

use super::named::{Mention, Mentioned, Named};
use super::rules::{self, DISABLED, NAME, NOTE, Names, Scope};
use super::schedules::{SCHEDULE, schedule};
use super::sections::{self, FileSection, Found, IsBuiltin, Keyed as _, StandsFor};
use super::{Policy, Schedule};
use crate::forecast::Side;
use crate::limits;
use crate::source::{Diagnostic, Key, Keys, Node, Reading, Shape, Spanned, Takes};
use crate::text::{Labels, cut, one_line};
use crate::time::Span;

/// One compiled rule.
#[derive(Debug)]
pub struct Capacity {
    /// Its name; its alerts are called so.
    pub name: String,
    /// When it is asked.
    pub every: Schedule,
    /// Whom it asks: a `[[prometheus]]` of daemon.toml. Default `main`.
    pub server: String,
    /// What it asks: a PromQL expression that gives a series for each thing that can be full.
    pub query: String,
    /// How far back. Default 28 days: four weeks, so that no week is like none.
    pub history: Span,
    /// On which side of the limit no series shall be.
    pub side: Side,
    /// The limit.
    pub limit: f64,
    /// An alert fires where the limit is reached within so long. Default 14 days.
    pub lead_time: Span,
}

/// The series that a test gives a rule, as lines between points.
#[derive(Debug, Clone, PartialEq)]
pub struct TestQuery {
    /// The rule.
    pub rule: Spanned<String>,
    /// Each series with its points: when, before or at the step, and the value; in order.
    pub series: Vec<(Labels, Vec<(Span, f64)>)>,
}

const SERVER: &str = "main";
const HISTORY: Span = Span::days(28);
const LEAD_TIME: Span = Span::days(14);
/// From an hour, which is sixty points, to a leap year.
const HISTORY_RANGE: (Span, Span) = (Span::hours(1), Span::days(366));
/// A line says little about what lies further ahead than twice what it was made of.
const LEAD_PER_HISTORY: i64 = 2;

/// A rule of `capacity`.
pub(super) static RULE: Shape = Shape {
    what: "a capacity rule",
    keys: &[
        NAME,
        NOTE,
        DISABLED,
        Key::must("every", Takes::Map(&SCHEDULE), "when it is asked: cron and zone."),
        Key::may("prometheus", Takes::Text, "whom it asks: a [[prometheus]] of daemon.toml. Default main."),
        Key::must("query", Takes::Text, "a PromQL expression that gives a series for each thing that can be full."),
        Key::may("history", Takes::Duration, "how far back it looks, 1h to 366d. Default 28d."),
        Key::may("above", Takes::Number, "the limit that no series shall reach from below. This or `below`."),
        Key::may("below", Takes::Number, "the limit that no series shall reach from above. This or `above`."),
        Key::may(
            "lead_time",
            Takes::Duration,
            "an alert fires where the limit is reached within so long; at most twice `history`. Default 14d.",
        ),
    ],
    later: &[],
};

/// The series of a `query` step.
pub(super) const SERIES: Takes = Takes::Pairs(&Takes::List(&Takes::List(&Takes::Either(&[Takes::Text, Takes::Number]))));

/// `capacity` of all files.
#[derive(Default)]
pub(super) struct CapacitySection {
    names: Names,
    rules: Vec<Capacity>,
    mentions: Vec<Mention>,
}

impl FileSection for CapacitySection {
    const TAKES: Takes = Takes::List(&Takes::Map(&RULE));
    const DOC: &'static str = "which series are asked for by schedule, and which limit they shall not reach.";
    const SEES: &'static [&'static str] = &[];
    const NAMES: StandsFor = StandsFor::Rules;

    fn read<'a>(&mut self, reading: &Reading<'a>, node: &'a Node, _: &Scope<'a>) {
        sections::each(reading, node, Self::KEY, &RULE, |keys| self.rule(keys));
    }

    fn finish(self, policy: &mut Policy, _: &mut Found<'_>) {
        policy.capacity = self.rules;
        policy.mentions.extend(self.mentions);
    }

    fn names(policy: &Policy) -> Vec<(&str, IsBuiltin)> {
        sections::own(policy.capacity.iter().map(|rule| rule.name.as_str()))
    }
}

impl CapacitySection {
    /// Reads one rule.
    fn rule<'a>(&mut self, keys: &Keys<'a, '_>) {
        let reading = keys.reading();
        let name = self.names.take(keys, Self::KEY);
        let is_disabled = rules::is_disabled(keys);
        let every = keys.node("every").and_then(|node| reading.keys(node, &SCHEDULE)).and_then(|every| schedule(&every));
        let server = server(keys);
        if !is_disabled {
            self.mentions.push(Mention::new(Mentioned::Server, "capacity rule", name.as_deref(), server.clone()));
        }
        let query = query(keys);
        let limit = limit(keys);
        let (history, lead_time) = spans(keys);
        if let (Some(name), Some(every), Some(query), Some((side, limit)), false) = (name, every, query, limit, is_disabled) {
            self.rules.push(Capacity { name, every, server: server.name, query, history, side, limit, lead_time });
        }
    }
}

fn server(keys: &Keys<'_, '_>) -> Named {
    let named = keys.get::<Spanned<String>>("prometheus");
    Named::at(keys.reading(), named.unwrap_or_else(|| Spanned { value: SERVER.to_owned(), span: keys.place_of("name") }))
}

fn query(keys: &Keys<'_, '_>) -> Option<String> {
    let (reading, node) = (keys.reading(), keys.node("query")?);
    let text = rules::expression_text(reading, node)?;
    let result = if text.trim().is_empty() {
        Err("`query` is empty".to_owned())
    } else if text.len() > limits::EXPRESSION_BYTES_MAX {
        Err(format!("`query` has {} bytes, at most {} are asked for", text.len(), limits::EXPRESSION_BYTES_MAX))
    } else {
        Ok(text.to_owned())
    };
    match result {
        Ok(text) => rules::compiled(reading, node, "`query`", Ok(text)),
        Err(message) => {
            let help = "write PromQL, such as 100 * (1 - node_filesystem_avail_bytes / node_filesystem_size_bytes)";
            reading.report(Diagnostic::error(reading.file(), &node.span, message).help(help));
            None
        }
    }
}

fn limit(keys: &Keys<'_, '_>) -> Option<(Side, f64)> {
    let reading = keys.reading();
    let place = match (keys.node("above"), keys.node("below")) {
        (Some(_), Some(below)) => {
            let error = Diagnostic::error(reading.file(), &below.span, "a capacity rule has one limit, and this one has `above` already");
            reading.report(error.help("make two rules of it"));
            return None;
        }
        (None, None) => {
            let error = Diagnostic::error(reading.file(), &keys.place_of("name"), "this capacity rule has no limit");
            reading.report(error.help("write `above: 90` or `below: 10`, in the unit of the query"));
            return None;
        }
        (Some(node), None) => (Side::Above, node),
        (None, Some(node)) => (Side::Below, node),
    };
    Some((place.0, number(reading, place.1)?))
}

fn spans(keys: &Keys<'_, '_>) -> (Span, Span) {
    let reading = keys.reading();
    let fault = |span: &Range<usize>, message: String, help: &str| {
        reading.report(Diagnostic::error(reading.file(), span, message).help(help));
    };
    let history: Option<Spanned<Span>> = keys.get("history");
    if let Some(given) = history.as_ref().filter(|given| given.value < HISTORY_RANGE.0 || given.value > HISTORY_RANGE.1) {
        fault(&given.span, "`history` is from 1h to 366d".to_owned(), "four weeks (28d) show what is the same in every week");
    }
    let history = history.map_or(HISTORY, |given| given.value);
    let lead_time: Option<Spanned<Span>> = keys.get("lead_time");
    if let Some(given) = lead_time.as_ref().filter(|given| given.value <= Span::ZERO) {
        fault(
            &given.span,
            "this alert would come when it is too late".to_owned(),
            "write how long before the limit it shall fire, such as 14d",
        );
    }
    let value = lead_time.as_ref().map_or(LEAD_TIME, |given| given.value);
    if value.0 > history.0.saturating_mul(LEAD_PER_HISTORY) {
        let place = lead_time.map_or_else(|| keys.place_of("history"), |given| given.span);
        let message = format!("`lead_time` ({value}) is more than twice the history ({history})");
        fault(&place, message, "a line says little about what lies further ahead; make `history` longer or `lead_time` shorter");
    }
    (history, value)
}

fn number(reading: &Reading<'_>, node: &Node) -> Option<f64> {
    let text: &str = reading.read(node)?;
    let number = text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
    if number.is_none() {
        let message = format!("`{}` is no number", cut(&one_line(text), 60));
        let help = "write it in the unit of the query, such as 90 or 0.9; units and percent signs are not known";
        reading.report(Diagnostic::error(reading.file(), &node.span, message).label("expected a number").help(help));
    }
    number
}

/// A step of a test that gives a rule its series.
pub(super) fn test_query<'a>(keys: &Keys<'a, '_>) -> Option<TestQuery> {
    let reading = keys.reading();
    let rule: Spanned<String> = keys.get("query")?;
    let Some(node) = keys.node("series") else {
        let error = Diagnostic::error(reading.file(), &keys.place_of("query"), "`query` needs `series`");
        reading.report(
            error.help("write {query: filesystem-full, series: {\"instance=db-1\": [[-28d, 60], [0d, 88]]}}; {} is no series at all"),
        );
        return None;
    };
    let series = reading.entries(node).iter().filter_map(|entry| {
        let labels = labels(reading, &entry.key, &entry.key_span)?;
        let points: Vec<(Span, f64)> = reading.items(&entry.value).iter().filter_map(|node| point(reading, node)).collect();
        if let Some(at) = points.windows(2).position(|pair| pair[1].0 <= pair[0].0) {
            let span = reading.items(&entry.value).get(at + 1).map_or(entry.key_span.clone(), |node| node.span.clone());
            let error = Diagnostic::error(reading.file(), &span, "this point is not after the one before it");
            reading.report(error.help("write points in the order of their times, such as [[-28d, 60], [0d, 88]]"));
        }
        Some((labels, points))
    });
    Some(TestQuery { rule, series: series.collect() })
}

/// `instance=db-1, mountpoint=/var`.
fn labels(reading: &Reading<'_>, text: &str, span: &Range<usize>) -> Option<Labels> {
    let mut pairs = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let Some((name, value)) = part.split_once('=').filter(|(name, _)| !name.trim().is_empty()) else {
            let error = Diagnostic::error(reading.file(), span, format!("`{}` is no label", cut(&one_line(part), 60)));
            reading.report(error.help("write names and values, such as \"instance=db-1, mountpoint=/var\""));
            return None;
        };
        pairs.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    Some(Labels::new(pairs))
}

/// `[-28d, 60]`.
fn point(reading: &Reading<'_>, node: &Node) -> Option<(Span, f64)> {
    let [at, value] = reading.items(node) else {
        reading.wrong(node, "a point: when, and the value, such as [-28d, 60]");
        return None;
    };
    let text: &str = reading.read(at)?;
    let before = match text.trim() {
        "0" => Some(Span::ZERO),
        text => Span::parse(text.strip_prefix('-').unwrap_or(text)).ok().map(|span| Span(-span.0)),
    };
    if before.is_none() || (before != Some(Span::ZERO) && !text.trim().starts_with('-')) {
        let error = Diagnostic::error(reading.file(), &at.span, format!("`{}` is no time before the step", cut(&one_line(text), 60)));
        reading.report(error.help("write how long before the step, such as -28d, or 0d for the step itself"));
        return None;
    }
    Some((before?, number(reading, value)?))
}
