//! Type check and lowering of a condition: every fault of it, each with its place, the two types or the nearest word; what is not lowered is refused.

use std::collections::BTreeMap;
use std::ops::Range;

use super::Fault;
use super::calls::METHODS;
use super::eval::{Ir, Op};
use super::functions::{nearest, unknown};
use super::names::{Field, LATER_ROOTS, ROOTS, Section};
use super::parse::{Arithmetic, Binary, Comparison, Kind, Node};
use super::types::{Closed, Item, Type};

/// Lowers a tree for a section.
///
/// # Errors
/// Every type fault, in order of place.
pub(super) fn lower(section: Section, text: &str, tree: &Node) -> Result<(Ir, Type), Vec<Fault>> {
    let mut checker = Checker { section, text, faults: Vec::new(), variables: Vec::new() };
    let lowered = checker.lower(tree);
    if checker.faults.is_empty() {
        Ok(lowered)
    } else {
        checker.faults.sort_by_key(|fault| (fault.span.start, fault.span.end));
        Err(checker.faults)
    }
}

/// A check under way.
pub(super) struct Checker<'t> {
    section: Section,
    text: &'t str,
    pub(super) faults: Vec<Fault>,
    /// The variables of the comprehensions around, innermost last.
    pub(super) variables: Vec<(String, Item)>,
}

/// A part lowered, and its type.
pub(super) type Lowered = (Ir, Type);

impl Checker<'_> {
    pub(super) fn lower(&mut self, node: &Node) -> Lowered {
        let ir = |op| Ir { span: node.span.clone(), op };
        match &node.kind {
            Kind::Bool(value) => (ir(Op::Bool(*value)), Type::Bool),
            Kind::Int(value) => (ir(Op::Int(*value)), Type::Int),
            Kind::Double(value) => (ir(Op::Double(*value)), Type::Double),
            Kind::Text(value) => (ir(Op::Text(value.clone())), Type::Text),
            Kind::Null => {
                let help = "missing labels and unknown CIs are empty texts: compare with \"\", or write `has(alert.labels.x)`";
                self.wrong(Fault::at(node.span.clone(), "nothing is ever null in a condition", "").help(help))
            }
            Kind::Map(_) => {
                self.wrong(Fault::at(node.span.clone(), "maps are for `formats` only", "a condition has texts, numbers and lists"))
            }
            Kind::Name(name) => self.name(name, node),
            Kind::Member { of, field, field_span } => self.member(of, field, field_span, node),
            Kind::Index { of, key } => self.index(of, key, node),
            Kind::Call { target: Some(target), name, name_span, args } => self.method(target, name, name_span, args, node),
            Kind::Call { target: None, name, name_span, args } => self.function(name, name_span, args, node),
            Kind::List(items) => self.list(items, node),
            Kind::Not(of) => (ir(Op::Not(Box::new(self.expect(of, Type::Bool, "`!` turns true and false around")))), Type::Bool),
            Kind::Negate(of) => {
                let (lowered, ty) = self.lower(of);
                if !ty.is_number() && !matches!(ty, Type::Span | Type::Wrong) {
                    self.mismatch(of, ty, "a number after `-`");
                    return wrong(node);
                }
                (ir(Op::Negate(Box::new(lowered))), ty)
            }
            Kind::And(parts) => (ir(Op::And(self.answers(parts, "&&"))), Type::Bool),
            Kind::Or(parts) => (ir(Op::Or(self.answers(parts, "||"))), Type::Bool),
            Kind::Binary { op: Binary::Compare(op), left, right } => self.comparison(*op, left, right, node),
            Kind::Binary { op: Binary::In, left, right } => self.membership(left, right, node),
            Kind::Binary { op: Binary::Arithmetic(op), left, right } => self.arithmetic(*op, left, right, node),
            Kind::Choice { test, yes, no } => {
                let test = self.expect(test, Type::Bool, "true or false before `?`");
                let ((yes_ir, a), (no_ir, b)) = (self.lower(yes), self.lower(no));
                let ty = match (a, b) {
                    (Type::Wrong, _) | (_, Type::Wrong) => Type::Wrong,
                    _ if a == b && a.as_item().is_some() => a,
                    _ if a.is_textual() && b.is_textual() => Type::Text,
                    _ => {
                        let message = format!("`{}` is {a} and `{}` is {b}", self.shown(yes), self.shown(no));
                        self.faults.push(Fault::at(node.span.clone(), message, "both values of `? :` must be of one type"));
                        Type::Wrong
                    }
                };
                (ir(Op::Choice(Box::new([test, yes_ir, no_ir]))), ty)
            }
        }
    }

    /// A lone name: a variable of a comprehension, `at`, or the beginning of a path that does not go on.
    fn name(&mut self, name: &str, node: &Node) -> Lowered {
        if let Some(levels) = self.variables.iter().rev().position(|(known, _)| known == name) {
            let item = self.variables[self.variables.len() - 1 - levels].1;
            return (Ir { span: node.span.clone(), op: Op::Var(levels) }, item.as_type());
        }
        if !self.sees(name, &node.span) {
            return wrong(node);
        }
        match Field::of_root(name).filter(|field| field.path == name) {
            Some(field) => (Ir { span: node.span.clone(), op: Op::Field(field) }, field.ty),
            None => {
                let known: Vec<_> = Field::names_below(name).collect();
                let fault = Fault::at(node.span.clone(), format!("`{name}` alone is no value"), "name one of its fields");
                self.wrong(fault.help(format!("it has {}", known.join(", "))))
            }
        }
    }

    /// Whether the section sees this root; reports where it does not.
    fn sees(&mut self, root: &str, span: &Range<usize>) -> bool {
        let seen = self.section.sees;
        if seen.contains(&root) {
            return true;
        }
        let key = self.section.key;
        if ROOTS.contains(&root) {
            let fault = Fault::at(span.clone(), format!("`{key}` does not see `{root}`"), format!("it sees {}", seen.join(", ")));
            self.faults.push(fault);
            return false;
        }
        if LATER_ROOTS.contains(&root) {
            let fault = Fault::at(span.clone(), format!("`{root}` in a condition is not yet supported"), "not yet");
            self.faults.push(fault.help("until then `incident.problem` is the id of the problem, or \"\""));
            return false;
        }
        let mut known: Vec<&str> = self.variables.iter().map(|(name, _)| name.as_str()).collect();
        known.extend(seen);
        // Somebody wrote `severity` for `alert.severity`, or a word without its quotes.
        let mut fault = unknown(span.clone(), "name", root, &known);
        let below = seen.iter().find(|seen| Field::find(seen, root).is_some());
        let words = [super::names::SEVERITY.words, crate::words::Priority::WORDS, crate::words::Health::WORDS];
        fault = if let Some(seen) = below {
            fault.help(format!("did you mean `{seen}.{root}`?"))
        } else if words.iter().any(|words| words.contains(&root)) {
            fault.help(format!("a text stands in quotes: \"{root}\""))
        } else if fault.help.is_none() {
            fault.help(format!("a label is `alert.labels.{root}`, a text stands in quotes: \"{root}\""))
        } else {
            fault
        };
        self.faults.push(fault);
        false
    }

    fn member(&mut self, of: &Node, field: &str, field_span: &Range<usize>, node: &Node) -> Lowered {
        if let Kind::Name(root) = &of.kind
            && !self.variables.iter().any(|(name, _)| name == root)
        {
            if !self.sees(root, &of.span) {
                return wrong(node);
            }
            if root != "at" {
                return match Field::find(root, field) {
                    Some(found) => (Ir { span: node.span.clone(), op: Op::Field(found) }, found.ty),
                    None => {
                        let known: Vec<_> = Field::names_below(root).collect();
                        let mut fault = unknown(field_span.clone(), "field", field, &known);
                        fault.message = format!("`{root}` has no field `{field}`");
                        if fault.help.is_none() && known.contains(&"labels") {
                            fault = fault.help(format!("a label is `{root}.labels.{field}`"));
                        }
                        self.wrong(fault)
                    }
                };
            }
        }
        match self.lower(of) {
            (Ir { op: Op::Field(labels), .. }, Type::Labels) => {
                (Ir { span: node.span.clone(), op: Op::Label { of: labels, name: field.to_owned() } }, Type::Text)
            }
            (Ir { op: Op::Label { name, .. }, .. }, _) => {
                let fault = Fault::at(field_span.clone(), format!("`{}` is a text and has no fields", self.shown(of)), "");
                let help = match &of.kind {
                    Kind::Member { of: labels, .. } => format!("a label with dots is written `{}[\"{name}.{field}\"]`", self.shown(labels)),
                    _ => "a label is a text".to_owned(),
                };
                self.wrong(fault.help(help))
            }
            (_, Type::Wrong) => wrong(node),
            (_, ty) if METHODS.contains(&field) => {
                let message = format!("`{field}` is a function of {ty}");
                self.wrong(
                    Fault::at(field_span.clone(), message, "it needs its parentheses")
                        .help(format!("write `{}.{field}(…)`", self.shown(of))),
                )
            }
            (_, ty) => self.wrong(Fault::at(field_span.clone(), format!("`{}` is {ty} and has no fields", self.shown(of)), "")),
        }
    }

    fn index(&mut self, of: &Node, key: &Node, node: &Node) -> Lowered {
        let (lowered, ty) = self.lower(of);
        match (lowered.op, ty) {
            (Op::Field(labels), Type::Labels) => {
                let key = self.expect(key, Type::Text, "the name of a label");
                let op = match key.op {
                    Op::Text(name) => Op::Label { of: labels, name },
                    _ => Op::LabelAt { of: labels, key: Box::new(key) },
                };
                (Ir { span: node.span.clone(), op }, Type::Text)
            }
            (_, Type::Wrong) => wrong(node),
            (_, ty) => {
                let fault = Fault::at(node.span.clone(), format!("`{}` is {ty}; `[…]` picks a label", self.shown(of)), "");
                self.wrong(fault.help("whether a list holds something is asked with `in` or `.exists(x, …)`"))
            }
        }
    }

    fn list(&mut self, items: &[Node], node: &Node) -> Lowered {
        let mut of = Item::Any;
        let mut lowered = Vec::with_capacity(items.len());
        for item in items {
            let (ir, ty) = self.lower(item);
            match (ty.as_item(), of) {
                (Some(Item::Any), _) => {}
                (Some(found), Item::Any) => of = found,
                (Some(found), _) if found == of => {}
                (Some(Item::Text | Item::Word(_)), Item::Text | Item::Word(_)) => of = Item::Text,
                (Some(found), _) => {
                    let message = format!("`{}` is {} in {}", self.shown(item), found.as_type(), Type::List(of));
                    self.faults.push(Fault::at(item.span.clone(), message, "the elements of a list are of one type"));
                }
                (None, _) => self.faults.push(Fault::at(item.span.clone(), format!("{ty} cannot stand in a list"), "")),
            }
            lowered.push(ir);
        }
        (Ir { span: node.span.clone(), op: Op::List(lowered) }, Type::List(of))
    }

    fn comparison(&mut self, op: Comparison, left: &Node, right: &Node, node: &Node) -> Lowered {
        let ((left_ir, a), (right_ir, b)) = (self.lower(left), self.lower(right));
        let result = Ir { span: node.span.clone(), op: Op::Compare(op, Box::new([left_ir, right_ir])) };
        let equality = matches!(op, Comparison::Equal | Comparison::Unequal);
        match (a, b) {
            (Type::Wrong, _) | (_, Type::Wrong) => {}
            (Type::Word(closed), _) | (_, Type::Word(closed)) if !equality => {
                let message = format!("{} has no order", closed.name);
                let fault = Fault::at(node.span.clone(), message, "it compares with `==`, `!=` and `in`");
                self.faults.push(fault.help(format!("write `in [\"{}\"]`", closed.words[..2.min(closed.words.len())].join("\", \""))));
            }
            (Type::Word(closed), Type::Text) => self.word(right, closed),
            (Type::Text, Type::Word(closed)) => self.word(left, closed),
            (Type::Labels, _) | (_, Type::Labels) => {
                let fault = Fault::at(node.span.clone(), "a set of labels compares with nothing", "name one of them");
                self.faults.push(fault.help("a label is `alert.labels.site`; whether there is one is `has(alert.labels.site)`"));
            }
            (Type::List(_), Type::List(_)) if equality && (a == b || a == Type::List(Item::Any) || b == Type::List(Item::Any)) => {}
            (Type::List(_), _) | (_, Type::List(_)) => {
                let message = format!("`{}` is {a} and `{}` is {b}", self.shown(left), self.shown(right));
                let fault = Fault::at(node.span.clone(), message, format!("`{}` does not compare them", op.sign()));
                self.faults.push(fault.help("whether a list holds something is asked with `in`: `\"shop\" in incident.services`"));
            }
            _ if a == b || (a.is_number() && b.is_number()) => {}
            _ => {
                let message = format!("`{}` is {a} and `{}` is {b}", self.shown(left), self.shown(right));
                let mut fault = Fault::at(node.span.clone(), message, format!("`{}` never compares them", op.sign()));
                if let Some(help) = conversion(&self.shown(left), a, &self.shown(right), b) {
                    fault = fault.help(help);
                }
                self.faults.push(fault);
            }
        }
        (result, Type::Bool)
    }

    /// Checks a literal that is compared with a closed word.
    fn word(&mut self, node: &Node, closed: &'static Closed) {
        let Kind::Text(written) = &node.kind else { return };
        if !closed.words.contains(&written.as_str()) {
            let fault = unknown(node.span.clone(), closed.name, written, closed.words);
            self.faults.push(fault);
        }
    }

    fn membership(&mut self, left: &Node, right: &Node, node: &Node) -> Lowered {
        let (left_ir, a) = self.lower(left);
        let (right_ir, b) = self.lower(right);
        let ir = |op| (Ir { span: node.span.clone(), op }, Type::Bool);
        match (a, b) {
            (Type::Wrong, _) | (_, Type::Wrong) => return wrong(node),
            (Type::Text, Type::Labels) => {}
            (Type::Word(closed), Type::List(Item::Text | Item::Any)) => {
                if let Kind::List(items) = &right.kind {
                    items.iter().for_each(|item| self.word(item, closed));
                }
            }
            (Type::Text, Type::List(Item::Word(closed))) => self.word(left, closed),
            (_, Type::List(item)) => {
                let of = item.as_type();
                let fits = of == Type::Wrong || a == of || (a.is_number() && of.is_number());
                if !fits {
                    let message = format!("`{}` is {a} and `{}` is {b}", self.shown(left), self.shown(right));
                    self.faults.push(Fault::at(node.span.clone(), message, "`in` never finds it"));
                }
            }
            (_, Type::Labels) => self.mismatch(left, a, "the name of a label before `in`"),
            (_, b) => {
                let fault =
                    Fault::at(right.span.clone(), format!("`{}` is {b}", self.shown(right)), "expected a list or labels after `in`");
                self.faults.push(if b.is_textual() {
                    fault.help(format!("whether a text holds another is `{}.contains({})`", self.shown(right), self.shown(left)))
                } else {
                    fault
                });
            }
        }
        match right_ir.op {
            // A list of literals is a set.
            Op::List(items) if a.is_textual() && items.iter().all(|item| matches!(item.op, Op::Text(_))) => {
                let texts = items.into_iter().filter_map(|item| if let Op::Text(text) = item.op { Some((text, item.span)) } else { None });
                ir(Op::InSet { of: Box::new(left_ir), set: texts.collect::<BTreeMap<_, _>>() })
            }
            op => ir(Op::In(Box::new([left_ir, Ir { span: right_ir.span, op }]))),
        }
    }

    fn arithmetic(&mut self, op: Arithmetic, left: &Node, right: &Node, node: &Node) -> Lowered {
        use Arithmetic::{Add, Divide, Multiply, Remainder, Subtract};
        let ((left_ir, a), (right_ir, b)) = (self.lower(left), self.lower(right));
        let ty = match (op, a, b) {
            (_, Type::Wrong, _) | (_, _, Type::Wrong) => Type::Wrong,
            (_, Type::Int, Type::Int) => Type::Int,
            (Add | Subtract | Multiply | Divide, Type::Double, Type::Double) => Type::Double,
            (Add, Type::Text, Type::Text) => Type::Text,
            (Add, Type::Time, Type::Span) | (Add, Type::Span, Type::Time) | (Subtract, Type::Time, Type::Span) => Type::Time,
            (Subtract, Type::Time, Type::Time) | (Add | Subtract, Type::Span, Type::Span) => Type::Span,
            (Add | Subtract | Multiply | Divide | Remainder, _, _) => {
                let message = format!("`{}` is {a} and `{}` is {b}", self.shown(left), self.shown(right));
                let mut fault = Fault::at(node.span.clone(), message, format!("`{}` does not go with them", op.sign()));
                let textual = |ty: Type| ty.is_textual();
                if op == Add && (textual(a) || textual(b)) {
                    let other = if a == Type::Text { right } else { left };
                    fault = fault.help(format!("`string({})` is a text", self.shown(other)));
                } else if let Some(help) = conversion(&self.shown(left), a, &self.shown(right), b) {
                    fault = fault.help(help);
                }
                self.faults.push(fault);
                Type::Wrong
            }
        };
        (Ir { span: node.span.clone(), op: Op::Arithmetic(op, Box::new([left_ir, right_ir])) }, ty)
    }

    /// So many arguments, or a fault.
    pub(super) fn arguments<'n, const N: usize>(
        &mut self,
        name: &str,
        takes: &str,
        args: &'n [Node],
        node: &Node,
    ) -> Option<&'n [Node; N]> {
        let found = args.try_into().ok();
        if found.is_none() {
            let given = match args.len() {
                0 => "nothing".to_owned(),
                count => count.to_string(),
            };
            self.faults.push(Fault::at(node.span.clone(), format!("`{name}` takes {takes}"), format!("{given} given")));
        }
        found
    }

    fn answers(&mut self, parts: &[Node], sign: &str) -> Vec<Ir> {
        parts.iter().map(|part| self.expect(part, Type::Bool, &format!("true or false beside `{sign}`"))).collect()
    }

    /// A part of the given type.
    pub(super) fn expect(&mut self, node: &Node, ty: Type, what: &str) -> Ir {
        let (ir, found) = self.lower(node);
        if found != ty && found != Type::Wrong {
            self.mismatch(node, found, what);
        }
        ir
    }

    /// A part that is a text.
    pub(super) fn text(&mut self, node: &Node, what: &str) -> Ir {
        let (ir, found) = self.lower(node);
        if let Type::Word(closed) = found {
            let fault = Fault::at(
                node.span.clone(),
                format!("`{}` is {found}", self.shown(node)),
                format!("{what}; {} compares with `==`, `!=` and `in` only", closed.name),
            );
            self.faults.push(fault.help(format!("`string({})` is a text", self.shown(node))));
        } else if !matches!(found, Type::Text | Type::Wrong) {
            self.mismatch(node, found, what);
        }
        ir
    }

    pub(super) fn mismatch(&mut self, node: &Node, found: Type, what: &str) {
        let mut fault = Fault::at(node.span.clone(), format!("`{}` is {found}", self.shown(node)), format!("expected {what}"));
        fault = match (found, what) {
            (Type::Text | Type::Word(_), what) if what.starts_with("true or false") => {
                fault.help(format!("compare it: `{} == \"…\"`", self.shown(node)))
            }
            (Type::Int | Type::Double | Type::Time | Type::Span, what) if what.contains("text") => {
                fault.help(format!("`string({})` is a text", self.shown(node)))
            }
            _ => fault,
        };
        self.faults.push(fault);
    }

    pub(super) fn wrong(&mut self, fault: Fault) -> Lowered {
        let ir = Ir { span: fault.span.clone(), op: Op::Bool(false) };
        self.faults.push(fault);
        (ir, Type::Wrong)
    }

    /// The part as it was written, short enough for a message.
    pub(super) fn shown(&self, node: &Node) -> String {
        crate::text::cut(&crate::text::one_line(&self.text[node.span.clone()]), 60)
    }
}

/// A part that was reported.
pub(super) fn wrong(node: &Node) -> Lowered {
    (Ir { span: node.span.clone(), op: Op::Bool(false) }, Type::Wrong)
}

/// How two parts of different types could meet.
fn conversion(left: &str, a: Type, right: &str, b: Type) -> Option<String> {
    let (text, other, ty) = match (a, b) {
        (Type::Text, ty) => (left, right, ty),
        (ty, Type::Text) => (right, left, ty),
        (Type::Int, Type::Double) => return Some(format!("`double({left})` is a decimal number")),
        (Type::Double, Type::Int) => return Some(format!("`double({right})` is a decimal number")),
        (Type::Span, ty) | (ty, Type::Span) if ty.is_number() => return Some("a duration is written `duration(\"5m\")`".to_owned()),
        _ => return None,
    };
    let inner = text.trim_matches(['"', '\'']);
    let literal = inner != text;
    match ty {
        Type::Int | Type::Double if literal && inner.parse::<f64>().is_ok() => Some(format!("write {inner} without quotes")),
        Type::Int if literal => nearest(inner, &["true", "false"]).is_none().then(|| format!("`string({other})` is a text")),
        Type::Int | Type::Double => Some(format!("`double({text})` is a number")),
        Type::Bool if literal && matches!(inner, "true" | "false") => Some(format!("write {inner} without quotes")),
        Type::Span => Some(format!("a duration is written `duration({text})`")),
        Type::Time => Some(format!("a moment is written `timestamp({text})`")),
        Type::Bool | Type::Text | Type::Word(_) | Type::Labels | Type::List(_) | Type::Wrong => None,
    }
}
