//! Expressions of `formats` over a message's JSON, where types are known only when it is there: lowered without types to what conditions are lowered to.
//! What is missing is null, what does not fit is a fault with its place.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::Value;

use super::Fault;
use super::eval::{Affix, Function, Ir, Op, RunFault};
use super::functions::{regex, unknown};
use super::parse::{Binary, Kind, Node, parse};
use super::value::Val;

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
    root: Ir,
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
        self.root.over(message).map(Val::into_json).map_err(|fault| *fault)
    }

    /// The expression as it was written.
    pub fn source(&self) -> &str {
        &self.text
    }
}

fn lower(node: &Node, faults: &mut Vec<Fault>) -> Ir {
    let span = node.span.clone();
    let mut both = |left: &Node, right: &Node| Box::new([lower(left, faults), lower(right, faults)]);
    let op = match &node.kind {
        Kind::Null => Op::Null,
        Kind::Bool(value) => Op::Bool(*value),
        Kind::Int(value) => Op::Int(*value),
        Kind::Double(value) => Op::Double(*value),
        Kind::Text(value) => Op::Text(value.clone()),
        Kind::Name(name) => match name.as_str() {
            "body" => Op::Body,
            "item" => Op::Item,
            "header" => {
                let fault = Fault::at(span.clone(), "`header` alone is no value", "name one of them");
                refuse(faults, fault.help("names are in lower case: `header[\"x-event\"]`"))
            }
            other => refuse(faults, unknown(span.clone(), "name", other, NAMES)),
        },
        Kind::Member { of, field, .. } if is_header(of) => Op::Header(Box::new(Ir { span: span.clone(), op: Op::Text(field.clone()) })),
        Kind::Member { of, field, .. } => Op::Member { of: Box::new(lower(of, faults)), name: field.clone() },
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
    Ir { span, op }
}

fn is_header(node: &Node) -> bool {
    matches!(&node.kind, Kind::Name(name) if name == "header")
}

fn refuse(faults: &mut Vec<Fault>, fault: Fault) -> Op {
    faults.push(fault);
    Op::Null
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
                member @ Ir { op: Op::Member { .. } | Op::Header(_) | Op::Index(_), .. } => Op::Has(Box::new(member)),
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
