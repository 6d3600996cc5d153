//! The lowered form of a condition and its evaluation: typed, regexes and sets prepared, bounded in cost, nothing allocated for a plain yes or no.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::ops::Range;

use ipnet::IpNet;
use jiff::tz::TimeZone;
use regex::Regex;

use super::functions::{host, is_in_net, workload};
use super::names::Field;
use super::parse::{Arithmetic, Comparison};
use super::value::Val;
use super::view::View;
use crate::limits;
use crate::time::{Span, Time};

/// Why an expression failed at run time, and at which bytes of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RunFault {
    /// Bytes of the expression's text.
    pub span: Range<usize>,
    /// What went wrong, with the value that did it.
    pub message: String,
}

/// Boxed, so that the way without faults stays small.
pub(super) type Run<T> = Result<T, Box<RunFault>>;

/// One operation and the bytes it came from.
#[derive(Debug)]
pub(super) struct Ir {
    pub(super) span: Range<usize>,
    pub(super) op: Op,
}

/// What is done. Types were checked; an operand of another type is a broken invariant and reads as a fault.
#[derive(Debug)]
pub(super) enum Op {
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(String),
    Time(Time),
    Span(Span),
    Field(&'static Field),
    Label {
        of: &'static Field,
        name: String,
    },
    LabelAt {
        of: &'static Field,
        key: Box<Ir>,
    },
    /// The variable of the comprehension so many levels out.
    Var(usize),
    Not(Box<Ir>),
    Negate(Box<Ir>),
    And(Vec<Ir>),
    Or(Vec<Ir>),
    Choice(Box<[Ir; 3]>),
    Compare(Comparison, Box<[Ir; 2]>),
    Arithmetic(Arithmetic, Box<[Ir; 2]>),
    InSet {
        of: Box<Ir>,
        set: BTreeSet<String>,
    },
    In(Box<[Ir; 2]>),
    List(Vec<Ir>),
    Affix(Affix, Box<[Ir; 2]>),
    Matches(Box<Ir>, Regex),
    Cidr(Box<Ir>, IpNet),
    First(Vec<Ir>),
    Apply(Function, Box<Ir>),
    Part {
        of: Box<Ir>,
        part: Part,
        zone: TimeZone,
    },
    Each {
        quantifier: Quantifier,
        over: Box<Ir>,
        body: Box<Ir>,
    },
}

/// Where one text stands in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Affix {
    Starts,
    Ends,
    Contains,
}

/// Functions of one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Size,
    Lower,
    Host,
    Workload,
    ToText,
    ToInt,
    ToDouble,
}

/// Parts of a moment in a zone, counted as CEL counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    FullYear,
    Month,
    Date,
    DayOfMonth,
    DayOfWeek,
    DayOfYear,
    Hours,
    Minutes,
    Seconds,
    Milliseconds,
}

/// `exists` or `all`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantifier {
    Exists,
    All,
}

/// What an evaluation may see: the view, the variables of the comprehensions around, and how many elements it may still visit.
pub(super) struct Scope<'a, 's> {
    view: &'s View<'a>,
    outer: Option<(&'s Val<'a>, &'s Scope<'a, 's>)>,
    left: &'s Cell<u32>,
}

impl Ir {
    /// The value over a view.
    pub(super) fn value<'a>(&'a self, view: &View<'a>) -> Run<Val<'a>> {
        self.eval(&Scope { view, outer: None, left: &Cell::new(limits::ELEMENTS_MAX) })
    }

    /// The answer over a view.
    pub(super) fn answer<'a>(&'a self, view: &View<'a>) -> Run<bool> {
        self.test(&Scope { view, outer: None, left: &Cell::new(limits::ELEMENTS_MAX) })
    }

    fn test<'a>(&'a self, scope: &Scope<'a, '_>) -> Run<bool> {
        match &self.op {
            Op::And(parts) => decide(parts, false, |part| part.test(scope)),
            Op::Or(parts) => decide(parts, true, |part| part.test(scope)),
            Op::Not(of) => Ok(!of.test(scope)?),
            Op::Compare(op @ (Comparison::Equal | Comparison::Unequal), sides)
                if let (Some(left), Some(right)) = (sides[0].plain(scope), sides[1].plain(scope)) =>
            {
                Ok((left == right) == (*op == Comparison::Equal))
            }
            Op::Compare(op, sides) => {
                let (left, right) = (sides[0].eval(scope)?, sides[1].eval(scope)?);
                Ok(compare(*op, &left, &right))
            }
            Op::InSet { of, set } => Ok(match of.plain(scope) {
                Some(text) => set.contains(text),
                None => set.contains(of.text(scope)?.as_ref()),
            }),
            Op::In(sides) => {
                let sought = sides[0].eval(scope)?;
                Ok(match (&sought, sides[1].eval(scope)?) {
                    (Val::Text(name), Val::Labels(labels)) => labels.has(name),
                    (Val::Text(text), Val::Texts(texts)) => texts.iter().any(|known| known == text),
                    (_, list) => list.elements().iter().any(|element| element.equals(&sought)),
                })
            }
            Op::Affix(affix, sides) => {
                let (text, part) = (sides[0].text(scope)?, sides[1].text(scope)?);
                Ok(match affix {
                    Affix::Starts => text.starts_with(part.as_ref()),
                    Affix::Ends => text.ends_with(part.as_ref()),
                    Affix::Contains => text.contains(part.as_ref()),
                })
            }
            Op::Matches(of, regex) => Ok(regex.is_match(&of.text(scope)?)),
            Op::Cidr(of, net) => Ok(is_in_net(&of.text(scope)?, net)),
            Op::Each { quantifier, over, body } => self.each(*quantifier, over, body, scope),
            Op::Bool(_)
            | Op::Int(_)
            | Op::Double(_)
            | Op::Text(_)
            | Op::Time(_)
            | Op::Span(_)
            | Op::Field(_)
            | Op::Label { .. }
            | Op::LabelAt { .. }
            | Op::Var(_)
            | Op::Negate(_)
            | Op::Choice(_)
            | Op::Arithmetic(..)
            | Op::List(_)
            | Op::First(_)
            | Op::Apply(..)
            | Op::Part { .. } => match self.eval(scope)? {
                Val::Bool(answer) => Ok(answer),
                other => Err(self.fault(format!("`{}` is neither true nor false", other.into_text()))),
            },
        }
    }

    /// A literal, a field or a label as it lies there: what nearly every condition compares.
    fn plain<'a>(&'a self, scope: &Scope<'a, '_>) -> Option<&'a str> {
        match &self.op {
            Op::Text(text) => Some(text),
            Op::Label { of, name } => match (of.read)(scope.view) {
                Val::Labels(labels) => Some(labels.get(name)),
                _ => None,
            },
            Op::Field(field) => match (field.read)(scope.view) {
                Val::Text(Cow::Borrowed(text)) => Some(text),
                _ => None,
            },
            _ => None,
        }
    }

    fn text<'a>(&'a self, scope: &Scope<'a, '_>) -> Run<Cow<'a, str>> {
        Ok(self.eval(scope)?.into_text())
    }

    fn eval<'a>(&'a self, scope: &Scope<'a, '_>) -> Run<Val<'a>> {
        Ok(match &self.op {
            Op::Bool(value) => Val::Bool(*value),
            Op::Int(value) => Val::Int(*value),
            Op::Double(value) => Val::Double(*value),
            Op::Text(value) => Val::text(value),
            Op::Time(value) => Val::Time(*value),
            Op::Span(value) => Val::Span(*value),
            Op::Field(field) => (field.read)(scope.view),
            Op::Label { of, name } => label(of, scope.view, name),
            Op::LabelAt { of, key } => label(of, scope.view, &key.text(scope)?),
            Op::Var(levels) => scope.variable(*levels),
            Op::Negate(of) => match of.eval(scope)? {
                Val::Int(number) => Val::Int(number.checked_neg().ok_or_else(|| self.overflow())?),
                Val::Double(number) => Val::Double(-number),
                Val::Span(span) => Val::Span(Span(span.0.checked_neg().ok_or_else(|| self.overflow())?)),
                other => other,
            },
            Op::Choice(parts) => parts[if parts[0].test(scope)? { 1 } else { 2 }].eval(scope)?,
            Op::Arithmetic(op, sides) => self.arithmetic(*op, sides[0].eval(scope)?, sides[1].eval(scope)?)?,
            Op::List(items) => Val::List(items.iter().map(|item| item.eval(scope)).collect::<Run<_>>()?),
            Op::First(items) => {
                for item in items {
                    let text = item.text(scope)?;
                    if !text.is_empty() {
                        return Ok(Val::Text(text));
                    }
                }
                Val::text("")
            }
            Op::Apply(function, of) => self.apply(*function, of.eval(scope)?)?,
            Op::Part { of, part, zone } => match of.eval(scope)? {
                Val::Time(time) => Val::Int(part.of_time(time, zone)),
                Val::Span(span) => Val::Int(part.of_span(span)),
                other => other,
            },
            Op::Not(_)
            | Op::And(_)
            | Op::Or(_)
            | Op::Compare(..)
            | Op::InSet { .. }
            | Op::In(_)
            | Op::Affix(..)
            | Op::Matches(..)
            | Op::Cidr(..)
            | Op::Each { .. } => Val::Bool(self.test(scope)?),
        })
    }

    fn each<'a>(&'a self, quantifier: Quantifier, over: &'a Ir, body: &'a Ir, scope: &Scope<'a, '_>) -> Run<bool> {
        let elements = over.eval(scope)?.elements();
        decide(&elements, quantifier == Quantifier::Exists, |element| {
            match scope.left.get().checked_sub(1) {
                Some(left) => scope.left.set(left),
                None => return Err(self.fault(format!("it looks at more than {} elements", limits::ELEMENTS_MAX))),
            }
            let is_free = limits::ELEMENTS_MAX - scope.left.get() <= limits::ELEMENTS_FREE;
            if !is_free && scope.view.budget.is_some_and(|budget| !budget.take()) {
                let max = limits::BATCH_ELEMENTS_MAX;
                return Err(self.fault(format!("the conditions of this batch have looked at {max} elements, and no more are looked at")));
            }
            body.test(&Scope { view: scope.view, outer: Some((element, scope)), left: scope.left })
        })
    }

    fn arithmetic<'a>(&self, op: Arithmetic, left: Val<'a>, right: Val<'a>) -> Run<Val<'a>> {
        use Arithmetic::{Add, Divide, Multiply, Remainder, Subtract};
        let whole = |a: i64, b: i64| {
            let result = match op {
                Add => a.checked_add(b),
                Subtract => a.checked_sub(b),
                Multiply => a.checked_mul(b),
                Divide | Remainder if b == 0 => return Err(self.fault("division by zero".to_owned())),
                Divide => a.checked_div(b),
                Remainder => a.checked_rem(b),
            };
            result.ok_or_else(|| self.overflow())
        };
        Ok(match (op, left, right) {
            (_, Val::Int(a), Val::Int(b)) => Val::Int(whole(a, b)?),
            (Add, Val::Double(a), Val::Double(b)) => Val::Double(a + b),
            (Subtract, Val::Double(a), Val::Double(b)) => Val::Double(a - b),
            (Multiply, Val::Double(a), Val::Double(b)) => Val::Double(a * b),
            (Divide, Val::Double(a), Val::Double(b)) => Val::Double(a / b),
            (Add, Val::Text(a), Val::Text(b)) if a.len() + b.len() > limits::TEXT_RESULT_BYTES_MAX => {
                return Err(self.fault(format!("the text grows beyond {} bytes", limits::TEXT_RESULT_BYTES_MAX)));
            }
            (Add, Val::Text(a), Val::Text(b)) => Val::Text(Cow::Owned(a.into_owned() + b.as_ref())),
            (Add, Val::Time(a), Val::Span(b)) | (Add, Val::Span(b), Val::Time(a)) => Val::Time(Time(whole(a.0, b.0)?)),
            (Subtract, Val::Time(a), Val::Span(b)) => Val::Time(Time(whole(a.0, b.0)?)),
            (Subtract, Val::Time(a), Val::Time(b)) => Val::Span(Span(whole(a.0, b.0)?)),
            (Add | Subtract, Val::Span(a), Val::Span(b)) => Val::Span(Span(whole(a.0, b.0)?)),
            (_, a, b) => return Err(self.fault(format!("`{}` {} `{}` has no value", a.into_text(), op.sign(), b.into_text()))),
        })
    }

    fn apply<'a>(&self, function: Function, of: Val<'a>) -> Run<Val<'a>> {
        let shown = |value: Val<'a>| crate::text::cut(&crate::text::one_line(&value.into_text()), 60);
        Ok(match (function, of) {
            (Function::Size, Val::Text(text)) => Val::Int(text.chars().count() as i64),
            (Function::Size, Val::Texts(texts)) => Val::Int(texts.len() as i64),
            (Function::Size, Val::Labels(labels)) => Val::Int(labels.len() as i64),
            (Function::Size, list) => Val::Int(list.elements().len() as i64),
            (Function::Lower, value) => Val::Text(Cow::Owned(value.into_text().to_lowercase())),
            (Function::Host, value) => Val::Text(part_of(value.into_text(), host)),
            (Function::Workload, value) => Val::Text(part_of(value.into_text(), workload)),
            (Function::ToText, value) => Val::Text(value.into_text()),
            (Function::ToInt, Val::Double(number)) => {
                // The bounds are exact doubles; what lies between them fits.
                if number > -9_223_372_036_854_775_808.0 && number < 9_223_372_036_854_775_808.0 {
                    Val::Int(number as i64)
                } else {
                    return Err(self.fault(format!("`{number}` is no whole number of 64 bits")));
                }
            }
            (Function::ToInt, Val::Time(time)) => Val::Int(time.0.div_euclid(1_000)),
            (Function::ToInt, Val::Int(number)) => Val::Int(number),
            (Function::ToInt, value) => {
                let text = shown(value);
                Val::Int(text.parse().map_err(|_| self.fault(format!("`{text}` is no whole number")))?)
            }
            (Function::ToDouble, Val::Int(number)) => Val::Double(number as f64),
            (Function::ToDouble, Val::Double(number)) => Val::Double(number),
            (Function::ToDouble, value) => {
                let text = shown(value);
                Val::Double(text.parse().map_err(|_| self.fault(format!("`{text}` is no number")))?)
            }
        })
    }

    fn overflow(&self) -> Box<RunFault> {
        self.fault("the number leaves 64 bits".to_owned())
    }

    fn fault(&self, message: String) -> Box<RunFault> {
        Box::new(RunFault { span: self.span.clone(), message: crate::text::one_line(&message) })
    }
}

impl<'a> Scope<'a, '_> {
    fn variable(&self, levels: usize) -> Val<'a> {
        match (self.outer, levels) {
            (Some((value, _)), 0) => value.clone(),
            (Some((_, outer)), _) => outer.variable(levels - 1),
            // Only variables in scope were lowered.
            (None, _) => Val::text(""),
        }
    }
}

impl Part {
    fn of_time(self, time: Time, zone: &TimeZone) -> i64 {
        let civil = time.in_zone(zone);
        match self {
            Part::FullYear => i64::from(civil.year()),
            Part::Month => i64::from(civil.month()) - 1,
            Part::Date => i64::from(civil.day()),
            Part::DayOfMonth => i64::from(civil.day()) - 1,
            Part::DayOfWeek => i64::from(civil.weekday().to_sunday_zero_offset()),
            Part::DayOfYear => i64::from(civil.day_of_year()) - 1,
            Part::Hours => i64::from(civil.hour()),
            Part::Minutes => i64::from(civil.minute()),
            Part::Seconds => i64::from(civil.second()),
            Part::Milliseconds => time.0.rem_euclid(1_000),
        }
    }

    fn of_span(self, span: Span) -> i64 {
        match self {
            Part::Hours => span.0 / 3_600_000,
            Part::Minutes => span.0 / 60_000,
            Part::Seconds => span.0 / 1_000,
            Part::Milliseconds => span.0 % 1_000,
            Part::FullYear | Part::Month | Part::Date | Part::DayOfMonth | Part::DayOfWeek | Part::DayOfYear => 0,
        }
    }
}

/// CEL's `&&` and `||` over any number of parts: one that decides wins, whatever failed before or after it; else a failure is the answer.
fn decide<T>(parts: &[T], decides: bool, mut test: impl FnMut(&T) -> Run<bool>) -> Run<bool>
where
{
    let mut failed = None;
    for part in parts {
        match test(part) {
            Ok(answer) if answer == decides => return Ok(decides),
            Ok(_) => {}
            Err(fault) => failed = failed.or(Some(fault)),
        }
    }
    failed.map_or(Ok(!decides), Err)
}

/// The answer of a comparison.
pub(super) fn compare(op: Comparison, left: &Val<'_>, right: &Val<'_>) -> bool {
    match op {
        Comparison::Equal => left.equals(right),
        Comparison::Unequal => !left.equals(right),
        Comparison::Less => left.order(right).is_some_and(std::cmp::Ordering::is_lt),
        Comparison::LessOrEqual => left.order(right).is_some_and(std::cmp::Ordering::is_le),
        Comparison::Greater => left.order(right).is_some_and(std::cmp::Ordering::is_gt),
        Comparison::GreaterOrEqual => left.order(right).is_some_and(std::cmp::Ordering::is_ge),
    }
}

fn label<'a>(of: &Field, view: &View<'a>, name: &str) -> Val<'a> {
    match (of.read)(view) {
        Val::Labels(labels) => Val::text(labels.get(name)),
        _ => Val::text(""),
    }
}

/// A part of a text without copying one that is borrowed.
fn part_of<'a>(text: Cow<'a, str>, part: fn(&str) -> &str) -> Cow<'a, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(part(text)),
        Cow::Owned(text) => Cow::Owned(part(&text).to_owned()),
    }
}

impl Ir {
    /// How many elements an evaluation may visit, by the text alone: lists as long as they are written, others as if they had ten elements.
    pub(super) fn elements(&self) -> u64 {
        const OF_OTHERS: u64 = 10;
        match &self.op {
            Op::Each { over, body, .. } => {
                let count = if let Op::List(items) = &over.op { items.len() as u64 } else { OF_OTHERS };
                over.elements().saturating_add(count.saturating_mul(body.elements().saturating_add(1)))
            }
            _ => self.parts().fold(0, |sum, part| sum.saturating_add(part.elements())),
        }
    }

    /// The parts directly below, in order of place.
    pub(super) fn parts(&self) -> Box<dyn Iterator<Item = &Ir> + '_> {
        match &self.op {
            Op::Bool(_)
            | Op::Int(_)
            | Op::Double(_)
            | Op::Text(_)
            | Op::Time(_)
            | Op::Span(_)
            | Op::Field(_)
            | Op::Label { .. }
            | Op::Var(_) => Box::new(std::iter::empty()),
            Op::LabelAt { key: of, .. }
            | Op::Not(of)
            | Op::Negate(of)
            | Op::InSet { of, .. }
            | Op::Matches(of, _)
            | Op::Cidr(of, _)
            | Op::Apply(_, of)
            | Op::Part { of, .. } => Box::new(std::iter::once(of.as_ref())),
            Op::And(parts) | Op::Or(parts) | Op::List(parts) | Op::First(parts) => Box::new(parts.iter()),
            Op::Choice(parts) => Box::new(parts.iter()),
            Op::Compare(_, sides) | Op::Arithmetic(_, sides) | Op::In(sides) | Op::Affix(_, sides) => Box::new(sides.iter()),
            Op::Each { over, body, .. } => Box::new([over.as_ref(), body.as_ref()].into_iter()),
        }
    }
}
