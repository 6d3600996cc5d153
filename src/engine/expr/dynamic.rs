//! Expressions of `formats` over a message's JSON, where types are known only when it is there: what is missing is null, what does not fit is a fault with its place.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Range;

use regex::Regex;
use serde_json::{Map, Number, Value};

use super::eval::{Affix, Function, RunFault};
use super::functions::{host, regex, unknown, workload};
use super::parse::{Arithmetic, Binary, Comparison, Kind, Node, parse};
use super::{Fault, order_of_numbers};
use crate::limits;
use crate::text::{cut, one_line};

/// What an expression of `formats` sees.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// `body`: the whole message.
    pub body: &'a Value,
    /// `item`: the part that becomes one alert; the body where a format names no `items`.
    pub item: &'a Value,
    /// `header`: the request's headers, names in lower case.
    pub header: &'a BTreeMap<String, String>,
}

/// A compiled expression of `formats`.
#[derive(Debug)]
pub struct DynExpr {
    text: String,
    root: Dyn,
}

/// One operation and the bytes it came from.
#[derive(Debug)]
struct Dyn {
    span: Range<usize>,
    op: Op,
}

#[derive(Debug)]
enum Op {
    Literal(Value),
    Body,
    Item,
    Header(Box<Dyn>),
    Member { of: Box<Dyn>, field: String },
    Index(Box<[Dyn; 2]>),
    Has(Box<Dyn>),
    Not(Box<Dyn>),
    Negate(Box<Dyn>),
    And(Vec<Dyn>),
    Or(Vec<Dyn>),
    Compare(Comparison, Box<[Dyn; 2]>),
    Arithmetic(Arithmetic, Box<[Dyn; 2]>),
    In(Box<[Dyn; 2]>),
    InHeader(Box<Dyn>),
    Choice(Box<[Dyn; 3]>),
    List(Vec<Dyn>),
    Map(Vec<(Dyn, Dyn)>),
    Affix(Affix, Box<[Dyn; 2]>),
    Matches(Box<Dyn>, Regex),
    Apply(Function, Box<Dyn>),
    First(Vec<Dyn>),
}

const NAMES: &[&str] = &["body", "item", "header"];
const GLOBAL: &[&str] = &["double", "first", "has", "host", "int", "lower", "size", "string", "workload"];
const METHODS: &[&str] = &["contains", "endsWith", "matches", "size", "startsWith"];

impl DynExpr {
    /// The expression of a text.
    ///
    /// # Errors
    /// Every fault that can be seen without a message.
    pub fn compile(text: &str) -> Result<DynExpr, Vec<Fault>> {
        let tree = parse(text).map_err(|fault| vec![fault])?;
        let mut faults = Vec::new();
        let root = lower(&tree, &mut faults);
        faults.sort_by_key(|fault| (fault.span.start, fault.span.end));
        if faults.is_empty() { Ok(DynExpr { text: text.to_owned(), root }) } else { Err(faults) }
    }

    /// Its value over a message, borrowed from it where it is a part of it.
    ///
    /// # Errors
    /// What does not fit, and where.
    pub fn value<'a>(&'a self, message: &Message<'a>) -> Result<Cow<'a, Value>, RunFault> {
        self.root.eval(message).map_err(|fault| *fault)
    }

    /// The expression as it was written.
    pub fn source(&self) -> &str {
        &self.text
    }
}

fn lower(node: &Node, faults: &mut Vec<Fault>) -> Dyn {
    let span = node.span.clone();
    let mut both = |left: &Node, right: &Node| Box::new([lower(left, faults), lower(right, faults)]);
    let op = match &node.kind {
        Kind::Null => Op::Literal(Value::Null),
        Kind::Bool(value) => Op::Literal(Value::Bool(*value)),
        Kind::Int(value) => Op::Literal(Value::from(*value)),
        Kind::Double(value) => Op::Literal(Value::from(*value)),
        Kind::Text(value) => Op::Literal(Value::String(value.clone())),
        Kind::Name(name) => match name.as_str() {
            "body" => Op::Body,
            "item" => Op::Item,
            "header" => {
                let fault = Fault::at(span.clone(), "`header` alone is no value", "name one of them");
                refuse(faults, fault.help("names are in lower case: `header[\"x-event\"]`"))
            }
            other => refuse(faults, unknown(span.clone(), "name", other, NAMES)),
        },
        Kind::Member { of, field, .. } if is_header(of) => {
            Op::Header(Box::new(Dyn { span: span.clone(), op: Op::Literal(Value::String(field.to_ascii_lowercase())) }))
        }
        Kind::Member { of, field, .. } => Op::Member { of: Box::new(lower(of, faults)), field: field.clone() },
        Kind::Index { of, key } if is_header(of) => Op::Header(Box::new(lower(key, faults))),
        Kind::Index { of, key } => Op::Index(both(of, key)),
        Kind::Not(of) => Op::Not(Box::new(lower(of, faults))),
        Kind::Negate(of) => Op::Negate(Box::new(lower(of, faults))),
        Kind::And(parts) => Op::And(parts.iter().map(|part| lower(part, faults)).collect()),
        Kind::Or(parts) => Op::Or(parts.iter().map(|part| lower(part, faults)).collect()),
        Kind::List(parts) => Op::List(parts.iter().map(|part| lower(part, faults)).collect()),
        Kind::Map(entries) => Op::Map(entries.iter().map(|(key, value)| (lower(key, faults), lower(value, faults))).collect()),
        Kind::Binary { op: Binary::Compare(op), left, right } => Op::Compare(*op, both(left, right)),
        Kind::Binary { op: Binary::Arithmetic(op), left, right } => Op::Arithmetic(*op, both(left, right)),
        Kind::Binary { op: Binary::In, left, right } if is_header(right) => Op::InHeader(Box::new(lower(left, faults))),
        Kind::Binary { op: Binary::In, left, right } => Op::In(both(left, right)),
        Kind::Choice { test, yes, no } => Op::Choice(Box::new([lower(test, faults), lower(yes, faults), lower(no, faults)])),
        Kind::Call { target: Some(target), name, name_span, args } => method(target, name, name_span, args, node, faults),
        Kind::Call { target: None, name, name_span, args } => function(name, name_span, args, node, faults),
    };
    Dyn { span, op }
}

fn is_header(node: &Node) -> bool {
    matches!(&node.kind, Kind::Name(name) if name == "header")
}

fn refuse(faults: &mut Vec<Fault>, fault: Fault) -> Op {
    faults.push(fault);
    Op::Literal(Value::Null)
}

fn method(target: &Node, name: &str, name_span: &Range<usize>, args: &[Node], node: &Node, faults: &mut Vec<Fault>) -> Op {
    let of = lower(target, faults);
    let affix = match (name, args) {
        ("startsWith", [_]) => Affix::Starts,
        ("endsWith", [_]) => Affix::Ends,
        ("contains", [_]) => Affix::Contains,
        ("size", []) => return Op::Apply(Function::Size, Box::new(of)),
        ("matches", [Node { kind: Kind::Text(pattern), span, .. }]) => {
            return match regex(pattern) {
                Ok(regex) => Op::Matches(Box::new(of), regex),
                Err(why) => refuse(faults, Fault::at(span.clone(), format!("no regex: {why}"), "")),
            };
        }
        ("matches", [pattern]) => {
            let fault = Fault::at(pattern.span.clone(), "a regex is prepared at load", "expected a text in quotes, nothing computed");
            return refuse(faults, fault);
        }
        _ if METHODS.contains(&name) => {
            let takes = if name == "size" { "nothing" } else { "one value" };
            return refuse(faults, Fault::at(node.span.clone(), format!("`{name}` takes {takes}"), format!("{} given", args.len())));
        }
        _ if GLOBAL.contains(&name) => {
            let fault = Fault::at(name_span.clone(), format!("`{name}` stands before its value"), "");
            return refuse(faults, fault.help(format!("write `{name}(…)`")));
        }
        _ => return refuse(faults, unknown(name_span.clone(), "function", name, METHODS)),
    };
    Op::Affix(affix, Box::new([of, lower(&args[0], faults)]))
}

fn function(name: &str, name_span: &Range<usize>, args: &[Node], node: &Node, faults: &mut Vec<Fault>) -> Op {
    let function = match (name, args) {
        ("string", [_]) => Function::ToText,
        ("int", [_]) => Function::ToInt,
        ("double", [_]) => Function::ToDouble,
        ("size", [_]) => Function::Size,
        ("lower", [_]) => Function::Lower,
        ("host", [_]) => Function::Host,
        ("workload", [_]) => Function::Workload,
        ("first", [_, _, ..]) => return Op::First(args.iter().map(|arg| lower(arg, faults)).collect()),
        ("has", [of]) => {
            return match lower(of, faults) {
                member @ Dyn { op: Op::Member { .. } | Op::Header(_) | Op::Index(_), .. } => Op::Has(Box::new(member)),
                other => refuse(faults, Fault::at(other.span, "`has` asks for a member", "expected one such as `item.id`")),
            };
        }
        _ if GLOBAL.contains(&name) => {
            let takes = if name == "first" { "two values and more" } else { "one value" };
            return refuse(faults, Fault::at(node.span.clone(), format!("`{name}` takes {takes}"), format!("{} given", args.len())));
        }
        _ => return refuse(faults, unknown(name_span.clone(), "function", name, GLOBAL)),
    };
    Op::Apply(function, Box::new(lower(&args[0], faults)))
}

type Run<T> = Result<T, Box<RunFault>>;
type Seen<'a> = Cow<'a, Value>;

static NULL: Value = Value::Null;

impl Dyn {
    fn eval<'a>(&'a self, message: &Message<'a>) -> Run<Seen<'a>> {
        Ok(match &self.op {
            Op::Literal(value) => Cow::Borrowed(value),
            Op::Body => Cow::Borrowed(message.body),
            Op::Item => Cow::Borrowed(message.item),
            Op::Header(name) => match message.header.get(&name.text(message)?.to_ascii_lowercase()) {
                Some(value) => Cow::Owned(Value::String(value.clone())),
                None => Cow::Borrowed(&NULL),
            },
            Op::Member { of, field } => match of.eval(message)? {
                Cow::Borrowed(Value::Object(members)) => Cow::Borrowed(members.get(field).unwrap_or(&NULL)),
                Cow::Owned(Value::Object(mut members)) => Cow::Owned(members.remove(field).unwrap_or(Value::Null)),
                of if of.is_null() => Cow::Borrowed(&NULL),
                other => return Err(of.fault(format!("expected an object with `{field}`, this is {}", kind(&other)))),
            },
            Op::Index(sides) => {
                let (of, key) = (sides[0].eval(message)?, sides[1].eval(message)?);
                match (of.as_ref(), key.as_ref()) {
                    (Value::Object(_), Value::String(name)) => pick(of, |of| of.get(name)),
                    (Value::Array(_), Value::Number(at)) => {
                        let at = at.as_u64().and_then(|at| usize::try_from(at).ok());
                        pick(of, |of| of.get(at?))
                    }
                    (Value::Null, _) => Cow::Borrowed(&NULL),
                    (of, key) => return Err(self.fault(format!("{} cannot be asked for {}", kind(of), kind(key)))),
                }
            }
            Op::Has(of) => answer(!of.eval(message)?.is_null()),
            Op::Not(of) => answer(!of.test(message)?),
            Op::Negate(of) => match of.number(message)? {
                Num::Int(number) => Cow::Owned(number.checked_neg().ok_or_else(|| self.overflow())?.into()),
                Num::Double(number) => Cow::Owned(Value::from(-number)),
            },
            Op::And(parts) => answer(decide(parts, false, message)?),
            Op::Or(parts) => answer(decide(parts, true, message)?),
            Op::Compare(op, sides) => answer(self.compare(*op, sides[0].eval(message)?.as_ref(), sides[1].eval(message)?.as_ref())?),
            Op::Arithmetic(op, sides) => {
                Cow::Owned(self.arithmetic(*op, sides[0].eval(message)?.as_ref(), sides[1].eval(message)?.as_ref())?)
            }
            Op::In(sides) => {
                let (sought, among) = (sides[0].eval(message)?, sides[1].eval(message)?);
                match among.as_ref() {
                    Value::Array(items) => answer(items.iter().any(|item| equals(item, &sought))),
                    Value::Object(members) => answer(sought.as_str().is_some_and(|name| members.contains_key(name))),
                    Value::Null => answer(false),
                    other => return Err(sides[1].fault(format!("expected a list or an object after `in`, this is {}", kind(other)))),
                }
            }
            Op::InHeader(name) => answer(message.header.contains_key(&name.text(message)?.to_ascii_lowercase())),
            Op::Choice(parts) => parts[if parts[0].test(message)? { 1 } else { 2 }].eval(message)?,
            Op::List(items) => {
                Cow::Owned(Value::Array(items.iter().map(|item| item.eval(message).map(Cow::into_owned)).collect::<Run<_>>()?))
            }
            Op::Map(entries) => {
                let mut members = Map::new();
                for (key, value) in entries {
                    members.insert(key.text(message)?, value.eval(message)?.into_owned());
                }
                Cow::Owned(Value::Object(members))
            }
            Op::Affix(affix, sides) => {
                let (text, part) = (sides[0].eval(message)?, sides[1].text(message)?);
                // What is missing neither begins, ends nor holds anything.
                let text = if text.is_null() { "" } else { text.as_str().ok_or_else(|| sides[0].no_text(&text))? };
                answer(match affix {
                    Affix::Starts => text.starts_with(&part),
                    Affix::Ends => text.ends_with(&part),
                    Affix::Contains => text.contains(&part),
                })
            }
            Op::Matches(of, regex) => {
                let text = of.eval(message)?;
                answer(regex.is_match(if text.is_null() { "" } else { text.as_str().ok_or_else(|| of.no_text(&text))? }))
            }
            Op::Apply(function, of) => of.apply(*function, of.eval(message)?)?,
            Op::First(items) => {
                for item in items {
                    let value = item.eval(message)?;
                    if !value.is_null() && value.as_str() != Some("") {
                        return Ok(value);
                    }
                }
                Cow::Borrowed(&NULL)
            }
        })
    }

    fn test(&self, message: &Message<'_>) -> Run<bool> {
        let value = self.eval(message)?;
        value.as_bool().ok_or_else(|| self.fault(format!("expected true or false, this is {}", kind(&value))))
    }

    fn text(&self, message: &Message<'_>) -> Run<String> {
        match self.eval(message)?.into_owned() {
            Value::String(text) => Ok(text),
            other => Err(self.no_text(&other)),
        }
    }

    fn number(&self, message: &Message<'_>) -> Run<Num> {
        let value = self.eval(message)?;
        Num::of(&value).ok_or_else(|| self.fault(format!("expected a number, this is {}", kind(&value))))
    }

    /// Applies a function to this part's value, whose faults are this part's.
    fn apply<'a>(&self, function: Function, value: Seen<'a>) -> Run<Seen<'a>> {
        let textual = |part: fn(&str) -> String| match value.as_ref() {
            Value::String(text) => Ok(Value::String(part(text))),
            Value::Null => Ok(Value::String(String::new())),
            other => Err(self.no_text(other)),
        };
        let trimmed = |text: &str| cut(&one_line(text), 60);
        Ok(Cow::Owned(match function {
            Function::Lower => textual(str::to_lowercase)?,
            Function::Host => textual(|text| host(text).to_owned())?,
            Function::Workload => textual(|text| workload(text).to_owned())?,
            Function::Size => Value::from(match value.as_ref() {
                Value::String(text) => text.chars().count(),
                Value::Array(items) => items.len(),
                Value::Object(members) => members.len(),
                Value::Null => 0,
                other => return Err(self.fault(format!("{} has no size", kind(other)))),
            }),
            Function::ToText => match value.as_ref() {
                Value::String(_) => return Ok(value),
                Value::Null => Value::String(String::new()),
                Value::Bool(answer) => Value::String(answer.to_string()),
                Value::Number(number) => Value::String(number.to_string()),
                other => return Err(self.fault(format!("{} is no text", kind(other)))),
            },
            Function::ToInt => match (Num::of(&value), value.as_str()) {
                (Some(Num::Int(number)), _) => number.into(),
                (Some(Num::Double(number)), _) if number.abs() < 9_223_372_036_854_775_808.0 => Value::from(number as i64),
                (None, Some(text)) => {
                    let parsed = text.trim().parse::<i64>();
                    parsed.map_err(|_| self.fault(format!("`{}` is no whole number", trimmed(text))))?.into()
                }
                (_, _) => return Err(self.fault(format!("expected a whole number, this is {}", kind(&value)))),
            },
            Function::ToDouble => match (Num::of(&value), value.as_str()) {
                (Some(number), _) => Value::from(number.as_double()),
                (None, Some(text)) => {
                    let parsed = text.trim().parse::<f64>().ok().and_then(Number::from_f64);
                    parsed.ok_or_else(|| self.fault(format!("`{}` is no number", trimmed(text))))?.into()
                }
                (None, None) => return Err(self.fault(format!("expected a number, this is {}", kind(&value)))),
            },
        }))
    }

    fn compare(&self, op: Comparison, left: &Value, right: &Value) -> Run<bool> {
        match op {
            Comparison::Equal => return Ok(equals(left, right)),
            Comparison::Unequal => return Ok(!equals(left, right)),
            Comparison::Less | Comparison::LessOrEqual | Comparison::Greater | Comparison::GreaterOrEqual => {}
        }
        let order = match (left, right) {
            (Value::String(a), Value::String(b)) => a.cmp(b),
            (a, b) => match (Num::of(a), Num::of(b)) {
                (Some(a), Some(b)) => a.order(b),
                (_, _) => return Err(self.fault(format!("{} and {} have no order", kind(left), kind(right)))),
            },
        };
        Ok(match op {
            Comparison::Less => order.is_lt(),
            Comparison::LessOrEqual => order.is_le(),
            Comparison::Greater => order.is_gt(),
            Comparison::GreaterOrEqual | Comparison::Equal | Comparison::Unequal => order.is_ge(),
        })
    }

    fn arithmetic(&self, op: Arithmetic, left: &Value, right: &Value) -> Run<Value> {
        use Arithmetic::{Add, Divide, Multiply, Remainder, Subtract};
        if let (Add, Value::String(a), Value::String(b)) = (op, left, right) {
            if a.len() + b.len() > limits::TEXT_RESULT_BYTES_MAX {
                return Err(self.fault(format!("the text grows beyond {} bytes", limits::TEXT_RESULT_BYTES_MAX)));
            }
            return Ok(Value::String(format!("{a}{b}")));
        }
        let (Some(a), Some(b)) = (Num::of(left), Num::of(right)) else {
            let help = if left.is_string() || right.is_string() { "; `string(…)` makes a text" } else { "" };
            return Err(self.fault(format!("{} {} {} has no value{help}", kind(left), op.sign(), kind(right))));
        };
        if let (Num::Int(a), Num::Int(b)) = (a, b) {
            let result = match op {
                Add => a.checked_add(b),
                Subtract => a.checked_sub(b),
                Multiply => a.checked_mul(b),
                Divide | Remainder if b == 0 => return Err(self.fault("division by zero".to_owned())),
                Divide => a.checked_div(b),
                Remainder => a.checked_rem(b),
            };
            return Ok(result.ok_or_else(|| self.overflow())?.into());
        }
        let (a, b) = (a.as_double(), b.as_double());
        let result = match op {
            Add => a + b,
            Subtract => a - b,
            Multiply => a * b,
            Divide => a / b,
            Remainder => a % b,
        };
        Ok(Number::from_f64(result).ok_or_else(|| self.fault("the result is no number".to_owned()))?.into())
    }

    fn no_text(&self, value: &Value) -> Box<RunFault> {
        self.fault(format!("expected a text, this is {}", kind(value)))
    }

    fn overflow(&self) -> Box<RunFault> {
        self.fault("the number leaves 64 bits".to_owned())
    }

    fn fault(&self, message: String) -> Box<RunFault> {
        Box::new(RunFault { span: self.span.clone(), message })
    }
}

/// A JSON number as we compute with it.
#[derive(Clone, Copy)]
enum Num {
    Int(i64),
    Double(f64),
}

impl Num {
    fn of(value: &Value) -> Option<Num> {
        let number = value.as_number()?;
        number.as_i64().map(Num::Int).or_else(|| number.as_f64().map(Num::Double))
    }

    fn as_double(self) -> f64 {
        match self {
            Num::Int(number) => number as f64,
            Num::Double(number) => number,
        }
    }

    /// JSON has no "not a number".
    fn order(self, other: Num) -> Ordering {
        match (self, other) {
            (Num::Int(a), Num::Int(b)) => a.cmp(&b),
            (Num::Int(a), Num::Double(b)) => order_of_numbers(a, b).unwrap_or(Ordering::Equal),
            (Num::Double(a), Num::Int(b)) => order_of_numbers(b, a).unwrap_or(Ordering::Equal).reverse(),
            (Num::Double(a), Num::Double(b)) => a.total_cmp(&b),
        }
    }
}

/// As [`super::eval`] decides: one part that decides wins, whatever failed beside it.
fn decide(parts: &[Dyn], decides: bool, message: &Message<'_>) -> Run<bool> {
    let mut failed = None;
    for part in parts {
        match part.test(message) {
            Ok(answer) if answer == decides => return Ok(decides),
            Ok(_) => {}
            Err(fault) => failed = failed.or(Some(fault)),
        }
    }
    failed.map_or(Ok(!decides), Err)
}

/// Deep equality, numbers by value.
fn equals(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equals(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, value)| b.get(name).is_some_and(|other| equals(value, other)))
        }
        (a, b) => match (Num::of(a), Num::of(b)) {
            (Some(a), Some(b)) => a.order(b).is_eq(),
            (_, _) => a == b,
        },
    }
}

/// A part of a value without copying one that is borrowed.
fn pick<'a>(of: Seen<'a>, part: impl Fn(&Value) -> Option<&Value>) -> Seen<'a> {
    match of {
        Cow::Borrowed(of) => Cow::Borrowed(part(of).unwrap_or(&NULL)),
        Cow::Owned(of) => Cow::Owned(part(&of).cloned().unwrap_or(Value::Null)),
    }
}

fn answer(answer: bool) -> Seen<'static> {
    Cow::Owned(Value::Bool(answer))
}

/// What a value is, as a fault says it.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
