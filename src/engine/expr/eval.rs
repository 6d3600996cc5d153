//! The lowered form of conditions and of expressions over messages, and the one evaluation of both: regexes and sets prepared, bounded in cost, nothing allocated
//! for a plain yes or no.
//!
//! A condition's types were checked, so that no operand is of another kind; what a message holds is known only when it is there, and what does not fit is a fault.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Range;

use ipnet::IpNet;
use jiff::tz::TimeZone;
use regex::Regex;

use super::budget::Budget;
use super::functions::is_in_net;
use super::message::Message;
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

/// What is done. Fields and labels are a view's; what is marked so is a message's.
#[derive(Debug)]
pub(super) enum Op {
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(String),
    Time(Time),
    Span(Span),
    /// Of a message: nothing.
    Null,
    /// Of a message: the whole of it.
    Body,
    /// Of a message: the part that becomes one alert.
    Item,
    /// Of a message: the header of this name, or null.
    Header(Box<Ir>),
    /// Of a message: whether it has a header of this name.
    InHeader(Box<Ir>),
    /// Of a message: a member of an object, or null.
    Member {
        of: Box<Ir>,
        name: String,
    },
    /// Of a message: a member or an element, or null.
    Index(Box<[Ir; 2]>),
    /// Of a message: whether it is not null.
    Has(Box<Ir>),
    /// Of a message: an object.
    Map(Vec<(Ir, Ir)>),
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
        /// The words, each with its place.
        set: BTreeMap<String, Range<usize>>,
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

/// What an expression is over. Evaluation is compiled once for each, so that conditions pay nothing for messages.
pub(super) trait Over<'a>: Copy {
    /// A field of a view.
    fn field(self, field: &Field) -> Val<'a>;

    /// The message, where it is one.
    fn message(self) -> Option<Message<'a>>;

    /// What may still be looked at.
    fn budget(self) -> Option<&'a Budget>;
}

impl<'a> Over<'a> for &View<'a> {
    fn field(self, field: &Field) -> Val<'a> {
        (field.read)(self)
    }

    fn message(self) -> Option<Message<'a>> {
        None
    }

    fn budget(self) -> Option<&'a Budget> {
        self.budget
    }
}

impl<'a> Over<'a> for Message<'a> {
    /// No expression over messages has fields.
    fn field(self, _: &Field) -> Val<'a> {
        Val::Null
    }

    fn message(self) -> Option<Message<'a>> {
        Some(self)
    }

    fn budget(self) -> Option<&'a Budget> {
        None
    }
}

/// What an evaluation may see: the view or message, the variables of the comprehensions around, and how many elements it may still visit.
pub(super) struct Scope<'a, 's, O> {
    pub(super) over: O,
    outer: Option<(&'s Val<'a>, &'s Scope<'a, 's, O>)>,
    left: &'s Cell<u32>,
}

impl Ir {
    /// The value over a view.
    pub(super) fn value<'a>(&'a self, view: &View<'a>) -> Run<Val<'a>> {
        self.eval(&Scope { over: view, outer: None, left: &Cell::new(limits::ELEMENTS_MAX) })
    }

    /// The value over a message.
    pub(super) fn over<'a>(&'a self, message: &Message<'a>) -> Run<Val<'a>> {
        self.eval(&Scope { over: *message, outer: None, left: &Cell::new(limits::ELEMENTS_MAX) })
    }

    /// The answer over a view.
    pub(super) fn answer<'a>(&'a self, view: &View<'a>) -> Run<bool> {
        self.test(&Scope { over: view, outer: None, left: &Cell::new(limits::ELEMENTS_MAX) })
    }

    fn test<'a, O: Over<'a>>(&'a self, scope: &Scope<'a, '_, O>) -> Run<bool> {
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
                self.compare(*op, &left, &right)
            }
            Op::InSet { of, set } => Ok(match of.plain(scope) {
                Some(text) => set.contains_key(text),
                None => set.contains_key(of.text(scope)?.as_ref()),
            }),
            Op::In(sides) => {
                let sought = sides[0].eval(scope)?;
                let among = sides[1].eval(scope)?;
                among.holds(&sought).ok_or_else(|| sides[1].unfit("a list or an object after `in`", &among))
            }
            Op::InHeader(name) => {
                let name = name.text(scope)?.to_ascii_lowercase();
                Ok(scope.message().is_some_and(|message| message.header.contains_key(&name)))
            }
            Op::Has(of) => Ok(!matches!(of.eval(scope)?, Val::Null)),
            Op::Affix(affix, sides) => {
                // What is missing neither begins, ends nor holds anything.
                let (text, part) = (sides[0].text_or_empty(scope)?, sides[1].text(scope)?);
                Ok(match affix {
                    Affix::Starts => text.starts_with(part.as_ref()),
                    Affix::Ends => text.ends_with(part.as_ref()),
                    Affix::Contains => text.contains(part.as_ref()),
                })
            }
            Op::Matches(of, regex) => Ok(regex.is_match(&of.text_or_empty(scope)?)),
            Op::Cidr(of, net) => Ok(is_in_net(&of.text(scope)?, net)),
            Op::Each { quantifier, over, body } => self.each(*quantifier, over, body, scope),
            Op::Bool(_)
            | Op::Int(_)
            | Op::Double(_)
            | Op::Text(_)
            | Op::Time(_)
            | Op::Span(_)
            | Op::Null
            | Op::Body
            | Op::Item
            | Op::Header(_)
            | Op::Member { .. }
            | Op::Index(_)
            | Op::Map(_)
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
                other => Err(self.unfit("true or false", &other)),
            },
        }
    }

    /// A literal, a field or a label as it lies there: what nearly every condition compares.
    fn plain<'a, O: Over<'a>>(&'a self, scope: &Scope<'a, '_, O>) -> Option<&'a str> {
        match &self.op {
            Op::Text(text) => Some(text),
            Op::Label { of, name } => match scope.field(of) {
                Val::Labels(labels) => Some(labels.get(name)),
                _ => None,
            },
            Op::Field(field) => match scope.field(field) {
                Val::Text(Cow::Borrowed(text)) => Some(text),
                _ => None,
            },
            _ => None,
        }
    }

    fn text<'a, O: Over<'a>>(&'a self, scope: &Scope<'a, '_, O>) -> Run<Cow<'a, str>> {
        match self.eval(scope)? {
            Val::Text(text) => Ok(text),
            other => Err(self.unfit("a text", &other)),
        }
    }

    /// The same, where what is missing is empty.
    fn text_or_empty<'a, O: Over<'a>>(&'a self, scope: &Scope<'a, '_, O>) -> Run<Cow<'a, str>> {
        match self.eval(scope)? {
            Val::Text(text) => Ok(text),
            Val::Null => Ok(Cow::Borrowed("")),
            other => Err(self.unfit("a text", &other)),
        }
    }

    fn eval<'a, O: Over<'a>>(&'a self, scope: &Scope<'a, '_, O>) -> Run<Val<'a>> {
        Ok(match &self.op {
            Op::Bool(value) => Val::Bool(*value),
            Op::Int(value) => Val::Int(*value),
            Op::Double(value) => Val::Double(*value),
            Op::Text(value) => Val::text(value),
            Op::Time(value) => Val::Time(*value),
            Op::Span(value) => Val::Span(*value),
            Op::Field(field) => scope.field(field),
            Op::Label { of, name } => scope.label(of, name),
            Op::LabelAt { of, key } => scope.label(of, &key.text(scope)?),
            Op::Null => Val::Null,
            Op::Body => scope.message().map_or(Val::Null, |message| message.body.into()),
            Op::Item => scope.message().map_or(Val::Null, |message| message.item.into()),
            Op::Header(name) => {
                let name = name.text(scope)?.to_ascii_lowercase();
                scope.message().and_then(|message| message.header.get(&name)).map_or(Val::Null, |value| Val::text(value))
            }
            Op::Member { of, name } => {
                let value = of.eval(scope)?;
                let kind = value.kind();
                value.member(name).ok_or_else(|| of.fault(format!("expected an object with `{name}`, this is {kind}")))?
            }
            Op::Index(sides) => self.part(sides[0].eval(scope)?, sides[1].eval(scope)?)?,
            Op::Map(entries) => {
                let mut members = BTreeMap::new();
                for (name, value) in entries {
                    members.insert(name.text(scope)?.into_owned(), value.eval(scope)?);
                }
                Val::Map(members)
            }
            Op::Var(levels) => scope.variable(*levels),
            Op::Negate(of) => match of.eval(scope)?.reckoned() {
                Val::Int(number) => Val::Int(number.checked_neg().ok_or_else(|| self.overflow())?),
                Val::Double(number) => Val::Double(-number),
                Val::Span(span) => Val::Span(Span(span.0.checked_neg().ok_or_else(|| self.overflow())?)),
                other => return Err(of.unfit("a number", &other)),
            },
            Op::Choice(parts) => parts[if parts[0].test(scope)? { 1 } else { 2 }].eval(scope)?,
            Op::Arithmetic(op, sides) => self.arithmetic(*op, sides[0].eval(scope)?, sides[1].eval(scope)?, scope)?,
            Op::List(items) => Val::List(items.iter().map(|item| item.eval(scope)).collect::<Run<_>>()?),
            Op::First(items) => {
                for item in items {
                    match item.eval(scope)? {
                        Val::Null => {}
                        Val::Text(text) if text.is_empty() => {}
                        value => return Ok(value),
                    }
                }
                if scope.message().is_some() { Val::Null } else { Val::text("") }
            }
            Op::Apply(function, of) => self.apply(*function, of.eval(scope)?, scope)?,
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
            | Op::InHeader(_)
            | Op::Has(_)
            | Op::Each { .. } => Val::Bool(self.test(scope)?),
        })
    }

    fn each<'a, O: Over<'a>>(&'a self, quantifier: Quantifier, over: &'a Ir, body: &'a Ir, scope: &Scope<'a, '_, O>) -> Run<bool> {
        let elements = over.eval(scope)?.elements();
        decide(&elements, quantifier == Quantifier::Exists, |element| {
            match scope.left.get().checked_sub(1) {
                Some(left) => scope.left.set(left),
                None => return Err(self.fault(format!("it looks at more than {} elements", limits::ELEMENTS_MAX))),
            }
            let is_free = limits::ELEMENTS_MAX - scope.left.get() <= limits::ELEMENTS_FREE;
            if !is_free && scope.over.budget().is_some_and(|budget| !budget.take()) {
                let max = limits::BATCH_ELEMENTS_MAX;
                return Err(self.fault(format!("the conditions of this batch have looked at {max} elements, and no more are looked at")));
            }
            body.test(&Scope { over: scope.over, outer: Some((element, scope)), left: scope.left })
        })
    }
}

impl<'a, O: Over<'a>> Scope<'a, '_, O> {
    fn field(&self, field: &Field) -> Val<'a> {
        self.over.field(field)
    }

    fn label(&self, of: &Field, name: &str) -> Val<'a> {
        match self.field(of) {
            Val::Labels(labels) => Val::text(labels.get(name)),
            _ => Val::text(""),
        }
    }

    /// The message, where the expression is over one.
    pub(super) fn message(&self) -> Option<Message<'a>> {
        self.over.message()
    }

    fn variable(&self, levels: usize) -> Val<'a> {
        match (self.outer, levels) {
            (Some((value, _)), 0) => value.clone(),
            (Some((_, outer)), _) => outer.variable(levels - 1),
            // Only variables in scope were lowered.
            (None, _) => Val::text(""),
        }
    }
}

/// CEL's `&&` and `||` over any number of parts: one that decides wins, whatever failed before or after it; else a failure is the answer.
fn decide<'p, T>(parts: &'p [T], decides: bool, mut test: impl FnMut(&'p T) -> Run<bool>) -> Run<bool> {
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
            | Op::Null
            | Op::Body
            | Op::Item
            | Op::Field(_)
            | Op::Label { .. }
            | Op::Var(_) => Box::new(std::iter::empty()),
            Op::LabelAt { key: of, .. }
            | Op::Header(of)
            | Op::InHeader(of)
            | Op::Member { of, .. }
            | Op::Has(of)
            | Op::Not(of)
            | Op::Negate(of)
            | Op::InSet { of, .. }
            | Op::Matches(of, _)
            | Op::Cidr(of, _)
            | Op::Apply(_, of)
            | Op::Part { of, .. } => Box::new(std::iter::once(of.as_ref())),
            Op::And(parts) | Op::Or(parts) | Op::List(parts) | Op::First(parts) => Box::new(parts.iter()),
            Op::Choice(parts) => Box::new(parts.iter()),
            Op::Compare(_, sides) | Op::Arithmetic(_, sides) | Op::In(sides) | Op::Affix(_, sides) | Op::Index(sides) => {
                Box::new(sides.iter())
            }
            Op::Map(entries) => Box::new(entries.iter().flat_map(|(name, value)| [name, value])),
            Op::Each { over, body, .. } => Box::new([over.as_ref(), body.as_ref()].into_iter()),
        }
    }
}
