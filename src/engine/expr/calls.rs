//! The functions that conditions know, each with what it takes; the check of calls.

use std::ops::Range;

use jiff::tz::TimeZone;

use super::Fault;
use super::check::{Checker, Lowered, wrong};
use super::eval::{Affix, Function, Ir, Op, Part, Quantifier};
use super::functions::{net, regex, unknown};
use super::names::ROOTS;
use super::parse::{Kind, Node};
use super::types::{Item, Type};
use crate::limits;
use crate::time::{Span, Time};

/// Functions before a parenthesis.
const GLOBAL: &[&str] =
    &["cidr", "double", "duration", "first", "has", "host", "int", "lookup", "lower", "open", "size", "string", "timestamp", "workload"];
/// Functions after a dot.
pub(super) const METHODS: &[&str] = &[
    "all",
    "contains",
    "endsWith",
    "exists",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getFullYear",
    "getHours",
    "getMilliseconds",
    "getMinutes",
    "getMonth",
    "getSeconds",
    "matches",
    "size",
    "startsWith",
];

impl Checker<'_> {
    pub(super) fn method(&mut self, target: &Node, name: &str, name_span: &Range<usize>, args: &[Node], node: &Node) -> Lowered {
        let affix = match name {
            "startsWith" => Some(Affix::Starts),
            "endsWith" => Some(Affix::Ends),
            "contains" => Some(Affix::Contains),
            _ => None,
        };
        let ir = |op| Ir { span: node.span.clone(), op };
        if let Some(affix) = affix {
            let of = self.text(target, &format!("`{name}` asks a text"));
            let Some([part]) = self.arguments(name, "one text", args, node) else { return wrong(node) };
            let part = self.expect(part, Type::Text, &format!("the text that `{name}` looks for"));
            return (ir(Op::Affix(affix, Box::new([of, part]))), Type::Bool);
        }
        match name {
            "matches" => {
                let of = self.text(target, "`matches` asks a text");
                let Some([pattern]) = self.arguments(name, "one regex", args, node) else { return wrong(node) };
                let Kind::Text(written) = &pattern.kind else {
                    return self.wrong(Fault::at(
                        pattern.span.clone(),
                        "a regex is prepared at load",
                        "expected a text in quotes, nothing computed",
                    ));
                };
                match regex(written) {
                    Ok(regex) => (ir(Op::Matches(Box::new(of), regex)), Type::Bool),
                    Err(why) => self.wrong(Fault::at(pattern.span.clone(), format!("no regex: {why}"), "")),
                }
            }
            "exists" => self.each(Quantifier::Exists, target, args, node),
            "all" => self.each(Quantifier::All, target, args, node),
            "size" => match self.arguments(name, "nothing", args, node) {
                Some([]) => self.size(target, node),
                None => wrong(node),
            },
            "map" | "filter" | "exists_one" | "existsOne" => {
                let fault = Fault::at(name_span.clone(), format!("`{name}` is not lowered here"), "conditions know `exists` and `all`");
                self.wrong(fault.help("whether any element fits is `.exists(x, …)`, whether all do is `.all(x, …)`"))
            }
            _ => match part_of_time(name) {
                Some(part) => self.time_part(part, target, args, node),
                None if GLOBAL.contains(&name) => {
                    let fault = Fault::at(name_span.clone(), format!("`{name}` stands before its value"), "");
                    self.wrong(fault.help(format!("write `{name}({})`", self.shown(target))))
                }
                None => self.wrong(unknown(name_span.clone(), "function", name, METHODS)),
            },
        }
    }

    fn each(&mut self, quantifier: Quantifier, target: &Node, args: &[Node], node: &Node) -> Lowered {
        let (over, ty) = self.lower(target);
        let item = match ty {
            Type::List(item) => item,
            Type::Labels => Item::Text,
            Type::Wrong => Item::Any,
            other => {
                self.mismatch(target, other, "a list or labels before `.exists` and `.all`");
                Item::Any
            }
        };
        let name = if quantifier == Quantifier::Exists { "exists" } else { "all" };
        let Some([variable, body]) = self.arguments(name, "a name and a condition", args, node) else { return wrong(node) };
        let Kind::Name(variable_name) = &variable.kind else {
            return self.wrong(Fault::at(variable.span.clone(), "expected a plain name", "it stands for each element"));
        };
        if ROOTS.contains(&variable_name.as_str()) {
            return self.wrong(Fault::at(variable.span.clone(), format!("`{variable_name}` is taken"), "choose another name, such as `x`"));
        }
        if self.variables.len() >= limits::NESTED_LOOPS_MAX {
            let message = format!("`exists` and `all` nest at most {} deep", limits::NESTED_LOOPS_MAX);
            return self.wrong(Fault::at(node.span.clone(), message, ""));
        }
        self.variables.push((variable_name.clone(), item));
        let body = self.expect(body, Type::Bool, &format!("what `{name}` asks of each element"));
        self.variables.pop();
        (Ir { span: node.span.clone(), op: Op::Each { quantifier, over: Box::new(over), body: Box::new(body) } }, Type::Bool)
    }

    fn time_part(&mut self, part: Part, target: &Node, args: &[Node], node: &Node) -> Lowered {
        let (of, ty) = self.lower(target);
        let is_span = ty == Type::Span && matches!(part, Part::Hours | Part::Minutes | Part::Seconds | Part::Milliseconds);
        if !matches!(ty, Type::Time | Type::Wrong) && !is_span {
            self.mismatch(target, ty, "a moment such as `at` or `alert.starts_at`");
        }
        let zone = match args {
            [] => TimeZone::UTC,
            [Node { kind: Kind::Text(name), span, .. }] if !is_span => match TimeZone::get(name) {
                Ok(zone) => zone,
                Err(_) => {
                    return self.wrong(Fault::at(
                        span.clone(),
                        format!("unknown time zone `{name}`"),
                        "expected a name such as \"Europe/Berlin\"",
                    ));
                }
            },
            _ => return self.wrong(Fault::at(node.span.clone(), "expected nothing or one time zone in quotes", "")),
        };
        (Ir { span: node.span.clone(), op: Op::Part { of: Box::new(of), part, zone } }, Type::Int)
    }

    fn size(&mut self, target: &Node, node: &Node) -> Lowered {
        let (of, ty) = self.lower(target);
        if !matches!(ty, Type::Text | Type::Labels | Type::List(_) | Type::Wrong) {
            self.mismatch(target, ty, "a text, a list or labels");
        }
        (Ir { span: node.span.clone(), op: Op::Apply(Function::Size, Box::new(of)) }, Type::Int)
    }

    pub(super) fn function(&mut self, name: &str, name_span: &Range<usize>, args: &[Node], node: &Node) -> Lowered {
        let ir = |op| Ir { span: node.span.clone(), op };
        let of_text = match name {
            "lower" => Some(Function::Lower),
            "host" => Some(Function::Host),
            "workload" => Some(Function::Workload),
            _ => None,
        };
        if let Some(function) = of_text {
            let Some([of]) = self.arguments(name, "one text", args, node) else { return wrong(node) };
            let of = self.text(of, &format!("`{name}` takes a text"));
            return (ir(Op::Apply(function, Box::new(of))), Type::Text);
        }
        match name {
            "size" => match self.arguments(name, "one value", args, node) {
                Some([of]) => self.size(of, node),
                None => wrong(node),
            },
            "has" => self.has(args, node),
            "string" | "int" | "double" => {
                let Some([of]) = self.arguments(name, "one value", args, node) else { return wrong(node) };
                let (lowered, ty) = self.lower(of);
                let (function, result, fits) = match name {
                    "string" => (Function::ToText, Type::Text, ty.as_item().is_some()),
                    "int" => (Function::ToInt, Type::Int, matches!(ty, Type::Int | Type::Double | Type::Text | Type::Time)),
                    _ => (Function::ToDouble, Type::Double, matches!(ty, Type::Int | Type::Double | Type::Text)),
                };
                if !fits && ty != Type::Wrong {
                    self.mismatch(of, ty, &format!("what `{name}` can turn"));
                }
                (ir(Op::Apply(function, Box::new(lowered))), result)
            }
            "first" => {
                if args.len() < 2 {
                    return self.wrong(Fault::at(
                        node.span.clone(),
                        "`first` takes two texts and more",
                        "it gives the first that is not empty",
                    ));
                }
                let items = args.iter().map(|arg| self.text(arg, "`first` takes texts")).collect();
                (ir(Op::First(items)), Type::Text)
            }
            "cidr" => {
                let Some([ip, range]) = self.arguments(name, "an address and a net", args, node) else { return wrong(node) };
                let ip = self.text(ip, "`cidr` takes an address");
                match &range.kind {
                    Kind::Text(text) => match net(text) {
                        Some(net) => (ir(Op::Cidr(Box::new(ip), net)), Type::Bool),
                        None => {
                            self.wrong(Fault::at(range.span.clone(), format!("`{text}` is no net"), "expected one such as \"10.0.0.0/8\""))
                        }
                    },
                    _ => self.wrong(Fault::at(
                        range.span.clone(),
                        "a net is read at load",
                        "expected a text in quotes, such as \"10.0.0.0/8\"",
                    )),
                }
            }
            "timestamp" => match self.literal(name, args, node) {
                Some(text) => match Time::parse_rfc3339(text) {
                    Some(time) => (ir(Op::Time(time)), Type::Time),
                    None => self.wrong(Fault::at(args[0].span.clone(), "no moment", "expected one such as \"2026-11-24T03:02:00Z\"")),
                },
                None => wrong(node),
            },
            "duration" => match self.literal(name, args, node) {
                Some(text) => match Span::parse(text) {
                    Ok(span) => (ir(Op::Span(span)), Type::Span),
                    Err(fault) => self.wrong(Fault::at(args[0].span.clone(), fault.to_string(), "")),
                },
                None => wrong(node),
            },
            "lookup" => {
                let fault = Fault::at(name_span.clone(), "the function `lookup` is not yet supported", "not yet");
                self.wrong(
                    fault.help("tables come with `enrich`; until then give CIs `labels` in the CMDB, which conditions see as `ci.labels`"),
                )
            }
            "open" => {
                let fault = Fault::at(name_span.clone(), "the function `open` is not yet supported", "not yet");
                self.wrong(fault.help("until then compare the clock: `at.getHours(\"Europe/Berlin\") >= 8`"))
            }
            _ if METHODS.contains(&name) => {
                let fault = Fault::at(name_span.clone(), format!("`{name}` stands after its value"), "");
                let subject = args.first().map_or_else(|| "alert.name".to_owned(), |arg| self.shown(arg));
                self.wrong(fault.help(format!("write `{subject}.{name}(…)`")))
            }
            _ => self.wrong(unknown(name_span.clone(), "function", name, GLOBAL)),
        }
    }

    fn has(&mut self, args: &[Node], node: &Node) -> Lowered {
        let Some([of]) = self.arguments("has", "one label", args, node) else { return wrong(node) };
        match self.lower(of) {
            (Ir { op: Op::Label { of: labels, name }, span }, _) => {
                let sides = [Ir { span: span.clone(), op: Op::Text(name) }, Ir { span, op: Op::Field(labels) }];
                (Ir { span: node.span.clone(), op: Op::In(Box::new(sides)) }, Type::Bool)
            }
            (_, Type::Wrong) => wrong(node),
            (_, ty) => {
                let fault =
                    Fault::at(of.span.clone(), format!("`{}` is {ty}, which is always there", self.shown(of)), "`has` asks for a label");
                self.wrong(fault.help("whether a text is empty is `== \"\"`"))
            }
        }
    }

    /// The one literal text of a function that is read at load.
    fn literal<'n>(&mut self, name: &str, args: &'n [Node], node: &Node) -> Option<&'n str> {
        let [arg] = self.arguments(name, "one text in quotes", args, node)?;
        match &arg.kind {
            Kind::Text(text) => Some(text),
            _ => {
                let message = format!("`{name}` is read at load");
                self.faults.push(Fault::at(arg.span.clone(), message, "expected a text in quotes, nothing computed"));
                None
            }
        }
    }
}

fn part_of_time(name: &str) -> Option<Part> {
    Some(match name {
        "getFullYear" => Part::FullYear,
        "getMonth" => Part::Month,
        "getDate" => Part::Date,
        "getDayOfMonth" => Part::DayOfMonth,
        "getDayOfWeek" => Part::DayOfWeek,
        "getDayOfYear" => Part::DayOfYear,
        "getHours" => Part::Hours,
        "getMinutes" => Part::Minutes,
        "getSeconds" => Part::Seconds,
        "getMilliseconds" => Part::Milliseconds,
        _ => return None,
    })
}
