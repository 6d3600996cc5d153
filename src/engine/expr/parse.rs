//! The tree of an expression, read by precedence from its tokens: CEL's grammar with exact places, a bound on depth, and one clear fault.
//!
//! Ours and not the cel crate's: that parser needs a stack of megabytes for a dozen parentheses and ends the process without
//! it, knows only the places of operators, expands macros, and speaks of grammar states. It is the oracle of this one in tests.

use std::ops::Range;

use super::Fault;
use super::lex::{Token, TokenKind, tokens};
use crate::limits;

/// A part of an expression.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// Its bytes, its parentheses among them.
    pub(super) span: Range<usize>,
    pub(super) kind: Kind,
    /// Levels below and with this one; bounds every later walk.
    depth: usize,
}

/// What a part is.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(String),
    Name(String),
    Member {
        of: Box<Node>,
        field: String,
        field_span: Range<usize>,
    },
    Index {
        of: Box<Node>,
        key: Box<Node>,
    },
    Call {
        target: Option<Box<Node>>,
        name: String,
        name_span: Range<usize>,
        args: Vec<Node>,
    },
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
    Not(Box<Node>),
    Negate(Box<Node>),
    /// Two and more, in order: a chain of `&&` is one level.
    And(Vec<Node>),
    /// Two and more, in order.
    Or(Vec<Node>),
    Binary {
        op: Binary,
        left: Box<Node>,
        right: Box<Node>,
    },
    Choice {
        test: Box<Node>,
        yes: Box<Node>,
        no: Box<Node>,
    },
}

/// The operators between two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binary {
    Compare(Comparison),
    Arithmetic(Arithmetic),
    In,
}

/// What compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Comparison {
    /// As it is written.
    pub(super) const fn sign(self) -> &'static str {
        match self {
            Comparison::Equal => "==",
            Comparison::Unequal => "!=",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
        }
    }
}

impl Arithmetic {
    /// As it is written.
    pub(super) const fn sign(self) -> &'static str {
        match self {
            Arithmetic::Add => "+",
            Arithmetic::Subtract => "-",
            Arithmetic::Multiply => "*",
            Arithmetic::Divide => "/",
            Arithmetic::Remainder => "%",
        }
    }
}

/// Operators by how tightly they bind, loosest first.
const LEVELS: &[&[(&str, Binary)]] = &[
    &[
        ("==", Binary::Compare(Comparison::Equal)),
        ("!=", Binary::Compare(Comparison::Unequal)),
        ("<", Binary::Compare(Comparison::Less)),
        ("<=", Binary::Compare(Comparison::LessOrEqual)),
        (">", Binary::Compare(Comparison::Greater)),
        (">=", Binary::Compare(Comparison::GreaterOrEqual)),
        ("in", Binary::In),
    ],
    &[("+", Binary::Arithmetic(Arithmetic::Add)), ("-", Binary::Arithmetic(Arithmetic::Subtract))],
    &[
        ("*", Binary::Arithmetic(Arithmetic::Multiply)),
        ("/", Binary::Arithmetic(Arithmetic::Divide)),
        ("%", Binary::Arithmetic(Arithmetic::Remainder)),
    ],
];

/// Words of other languages, and how the same is written here.
const FOREIGN: &[(&str, &str)] = &[
    ("and", "\"and\" is written `&&`"),
    ("or", "\"or\" is written `||`"),
    ("not", "\"not\" is written `!`: `!(x in y)`"),
    ("is", "equality is written `==`"),
    ("eq", "equality is written `==`"),
    ("ne", "inequality is written `!=`"),
    ("like", "write `.contains(\"…\")` or `.matches(\"…\")`"),
    ("contains", "write `a.contains(\"…\")`"),
    ("startswith", "write `a.startsWith(\"…\")`"),
    ("endswith", "write `a.endsWith(\"…\")`"),
    ("matches", "write `a.matches(\"…\")`"),
    ("then", "a choice is written `test ? this : that`"),
    ("else", "a choice is written `test ? this : that`"),
    ("if", "a choice is written `test ? this : that`"),
];

/// Reads `text` into a tree.
///
/// # Errors
/// The first place that is no expression.
pub(super) fn parse(text: &str) -> Result<Node, Fault> {
    if text.len() > limits::EXPRESSION_BYTES_MAX {
        let message = format!("an expression of {} bytes; at most {} are read", text.len(), limits::EXPRESSION_BYTES_MAX);
        return Err(Fault::at(0..text.len(), message, "").help("split it: `when` takes a list, and all of it must hold"));
    }
    let mut parser = Parser { text, tokens: tokens(text)?, at: 0, depth: 0 };
    if parser.peek().kind == TokenKind::End {
        return Err(Fault::at(0..text.len(), "an empty expression", "expected a condition such as `alert.name == \"X\"`"));
    }
    let node = parser.choice()?;
    if parser.peek().kind == TokenKind::End { Ok(node) } else { Err(parser.unexpected("an operator or the end")) }
}

struct Parser<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

type Parsed = Result<Node, Fault>;

impl Parser<'_> {
    /// `a ? b : c`, and everything that binds tighter.
    fn choice(&mut self) -> Parsed {
        self.depth += 1;
        if self.depth > limits::EXPRESSION_DEPTH_MAX {
            return Err(too_deep(self.peek().span.clone()));
        }
        let test = self.any()?;
        let node = if self.take("?") {
            let yes = self.any()?;
            if !self.take(":") {
                return Err(self.unexpected("`:` and the other value of `? :`"));
            }
            let no = self.choice()?;
            let span = test.span.start..no.span.end;
            node(Kind::Choice { test: Box::new(test), yes: Box::new(yes), no: Box::new(no) }, span)?
        } else {
            test
        };
        self.depth -= 1;
        Ok(node)
    }

    fn any(&mut self) -> Parsed {
        let first = self.all()?;
        self.chain("||", first, Parser::all, Kind::Or)
    }

    fn all(&mut self) -> Parsed {
        let first = self.binary(0)?;
        self.chain("&&", first, |parser| parser.binary(0), Kind::And)
    }

    fn chain(&mut self, sign: &str, first: Node, next: fn(&mut Self) -> Parsed, kind: fn(Vec<Node>) -> Kind) -> Parsed {
        if !self.is_sign(sign) {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.take(sign) {
            parts.push(next(self)?);
        }
        let span = parts[0].span.start..parts[parts.len() - 1].span.end;
        node(kind(parts), span)
    }

    fn binary(&mut self, level: usize) -> Parsed {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.binary(level + 1)?;
        loop {
            let op = match &self.peek().kind {
                TokenKind::Sign(sign) => operators.iter().find(|(known, _)| known == sign),
                TokenKind::Name(name) => operators.iter().find(|(known, _)| known == name),
                TokenKind::Int(_) | TokenKind::Double(_) | TokenKind::Text(_) | TokenKind::End => None,
            };
            let Some((_, op)) = op else { return Ok(left) };
            self.at += 1;
            let right = self.binary(level + 1)?;
            let span = left.span.start..right.span.end;
            left = node(Kind::Binary { op: *op, left: Box::new(left), right: Box::new(right) }, span)?;
        }
    }

    fn unary(&mut self) -> Parsed {
        let start = self.peek().span.start;
        if let (TokenKind::Sign("-"), Some(TokenKind::Int(number))) = (&self.peek().kind, self.tokens.get(self.at + 1).map(|t| &t.kind)) {
            let number = *number;
            self.at += 2;
            let span = start..self.tokens[self.at - 1].span.end;
            let value = 0i64.checked_sub_unsigned(number).ok_or_else(|| Fault::at(span.clone(), "too small for a number", ""))?;
            let literal = node(Kind::Int(value), span)?;
            return self.members(literal);
        }
        let kind: fn(Box<Node>) -> Kind = if self.take("!") {
            Kind::Not
        } else if self.take("-") {
            Kind::Negate
        } else {
            let primary = self.primary()?;
            return self.members(primary);
        };
        self.depth += 1;
        if self.depth > limits::EXPRESSION_DEPTH_MAX {
            return Err(too_deep(self.peek().span.clone()));
        }
        let of = self.unary()?;
        self.depth -= 1;
        let span = start..of.span.end;
        node(kind(Box::new(of)), span)
    }

    fn members(&mut self, mut of: Node) -> Parsed {
        loop {
            let start = of.span.start;
            if self.take(".") {
                let (name, name_span) = self.name("the name of a field or a function after `.`")?;
                if self.take("(") {
                    let args = self.list(")")?;
                    let span = start..self.tokens[self.at - 1].span.end;
                    of = node(Kind::Call { target: Some(Box::new(of)), name, name_span, args }, span)?;
                } else {
                    let span = start..name_span.end;
                    of = node(Kind::Member { of: Box::new(of), field: name, field_span: name_span }, span)?;
                }
            } else if self.take("[") {
                let key = self.choice()?;
                self.close("]")?;
                let span = start..self.tokens[self.at - 1].span.end;
                of = node(Kind::Index { of: Box::new(of), key: Box::new(key) }, span)?;
            } else {
                return Ok(of);
            }
        }
    }

    fn primary(&mut self) -> Parsed {
        let token = self.peek().clone();
        self.at += 1;
        let start = token.span.start;
        let kind = match token.kind {
            TokenKind::Int(number) => {
                let number = i64::try_from(number).map_err(|_| Fault::at(token.span.clone(), "too large for a number", ""))?;
                Kind::Int(number)
            }
            TokenKind::Double(number) => Kind::Double(number),
            TokenKind::Text(text) => Kind::Text(text),
            TokenKind::Sign("(") => {
                let mut inner = self.choice()?;
                self.close(")")?;
                inner.span = start..self.tokens[self.at - 1].span.end;
                return Ok(inner);
            }
            TokenKind::Sign("[") => Kind::List(self.list("]")?),
            TokenKind::Sign("{") if self.is_sign("{") => {
                let fault = Fault::at(start..self.peek().span.end, "`{{…}}` belongs into texts such as `title`", "expected a value");
                return Err(fault.help("an expression names the path itself, without braces: `ci.id`"));
            }
            TokenKind::Sign("{") => Kind::Map(self.entries()?),
            TokenKind::Name(name) => match name.as_str() {
                "true" => Kind::Bool(true),
                "false" => Kind::Bool(false),
                "null" => Kind::Null,
                "in" => {
                    self.at -= 1;
                    return Err(self.unexpected("a value before `in`"));
                }
                _ if self.take("(") => {
                    let args = self.list(")")?;
                    Kind::Call { target: None, name, name_span: token.span, args }
                }
                "True" | "False" | "TRUE" | "FALSE" => {
                    let lower = name.to_ascii_lowercase();
                    return Err(Fault::at(token.span, format!("`{name}` is no value"), "").help(format!("it is written `{lower}`")));
                }
                other if !self.ends_value() && FOREIGN.iter().any(|(word, _)| word.eq_ignore_ascii_case(other)) => {
                    self.at -= 1;
                    return Err(self.unexpected("a value"));
                }
                _ => Kind::Name(name),
            },
            TokenKind::Sign(_) | TokenKind::End => {
                self.at -= 1;
                return Err(self.unexpected("a value"));
            }
        };
        let end = self.tokens[self.at - 1].span.end;
        node(kind, start..end)
    }

    /// Values up to `end`, with a comma after the last allowed.
    fn list(&mut self, end: &'static str) -> Result<Vec<Node>, Fault> {
        let mut items = Vec::new();
        while !self.take(end) {
            items.push(self.choice()?);
            if !self.take(",") {
                self.close(end)?;
                break;
            }
        }
        Ok(items)
    }

    fn entries(&mut self) -> Result<Vec<(Node, Node)>, Fault> {
        let mut entries = Vec::new();
        while !self.take("}") {
            let key = self.choice()?;
            if !self.take(":") {
                return Err(self.unexpected("`:` after the key"));
            }
            entries.push((key, self.choice()?));
            if !self.take(",") {
                self.close("}")?;
                break;
            }
        }
        Ok(entries)
    }

    fn name(&mut self, expected: &str) -> Result<(String, Range<usize>), Fault> {
        match &self.peek().kind {
            TokenKind::Name(name) => {
                let found = (name.clone(), self.peek().span.clone());
                self.at += 1;
                Ok(found)
            }
            TokenKind::Int(_) | TokenKind::Double(_) | TokenKind::Text(_) | TokenKind::Sign(_) | TokenKind::End => {
                Err(self.unexpected(expected))
            }
        }
    }

    fn close(&mut self, sign: &'static str) -> Result<(), Fault> {
        if self.take(sign) { Ok(()) } else { Err(self.unexpected(&format!("`{sign}`"))) }
    }

    fn peek(&self) -> &Token {
        &self.tokens[self.at]
    }

    fn is_sign(&self, sign: &str) -> bool {
        matches!(&self.peek().kind, TokenKind::Sign(found) if *found == sign)
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = self.is_sign(sign);
        self.at += usize::from(found);
        found
    }

    /// Whether the next token cannot begin another value.
    fn ends_value(&self) -> bool {
        matches!(self.peek().kind, TokenKind::End | TokenKind::Sign(_))
    }

    fn unexpected(&self, expected: &str) -> Fault {
        let token = self.peek();
        let label = format!("expected {expected}");
        match &token.kind {
            TokenKind::End => {
                let end = self.text.trim_end().len();
                // A comment may end in any character.
                let last = self.text[..end].char_indices().next_back().map_or(0, |(at, _)| at);
                Fault::at(last..end, "the expression ends too early", label)
            }
            TokenKind::Name(name) => {
                let fault = Fault::at(token.span.clone(), format!("`{name}` is not expected here"), label);
                match FOREIGN.iter().find(|(word, _)| word.eq_ignore_ascii_case(name)) {
                    Some((_, help)) => fault.help(*help),
                    None => fault,
                }
            }
            TokenKind::Text(_) => Fault::at(token.span.clone(), "a text is not expected here", label),
            TokenKind::Int(_) | TokenKind::Double(_) | TokenKind::Sign(_) => {
                let written = &self.text[token.span.clone()];
                Fault::at(token.span.clone(), format!("`{written}` is not expected here"), label)
            }
        }
    }
}

/// A node whose depth follows from its parts.
fn node(kind: Kind, span: Range<usize>) -> Parsed {
    let deepest = |nodes: &[Node]| nodes.iter().map(|node| node.depth).max().unwrap_or(0);
    let below = match &kind {
        Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Double(_) | Kind::Text(_) | Kind::Name(_) => 0,
        Kind::Member { of, .. } | Kind::Not(of) | Kind::Negate(of) => of.depth,
        Kind::Index { of, key } => of.depth.max(key.depth),
        Kind::Call { target, args, .. } => deepest(args).max(target.as_ref().map_or(0, |target| target.depth)),
        Kind::List(nodes) | Kind::And(nodes) | Kind::Or(nodes) => deepest(nodes),
        Kind::Map(entries) => entries.iter().map(|(key, value)| key.depth.max(value.depth)).max().unwrap_or(0),
        Kind::Binary { left, right, .. } => left.depth.max(right.depth),
        Kind::Choice { test, yes, no } => test.depth.max(yes.depth).max(no.depth),
    };
    if below >= limits::EXPRESSION_DEPTH_MAX { Err(too_deep(span)) } else { Ok(Node { span, kind, depth: below + 1 }) }
}

fn too_deep(span: Range<usize>) -> Fault {
    let message = format!("an expression nested more than {} levels deep", limits::EXPRESSION_DEPTH_MAX);
    Fault::at(span, message, "").help("split it: `when` takes a list, and all of it must hold")
}
