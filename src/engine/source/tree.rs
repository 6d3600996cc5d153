//! YAML 1.2 into a tree with places. Anchors, aliases, tags and further documents are refused: a file says what it means where it says it.

use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, Span as YamlSpan};
use serde_json::Value;

use super::traps::{self, Masked};
use super::{Diagnostic, SourceFile, Unread};
use crate::limits;

/// One value of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its bytes in the file, without trailing blanks and line ends.
    pub span: Range<usize>,
    /// What it is.
    pub kind: Kind,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A text, number, flag or nothing; which one is for the reader to say.
    Scalar(Scalar),
    /// A list.
    Seq(Vec<Node>),
    /// A mapping, in the order written.
    Map(Vec<Entry>),
    /// Something already reported, about which nothing more is said.
    Faulty,
}

/// The text of a scalar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scalar {
    /// As YAML decodes it.
    pub text: String,
    /// How it is written.
    pub style: Style,
}

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Without quotes: may be a number, a flag or nothing.
    Plain,
    /// In quotes: a text.
    Quoted,
    /// After `|` or `>`: a text.
    Block,
}

/// One key of a mapping with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The key's bytes.
    pub key_span: Range<usize>,
    /// The value.
    pub value: Node,
}

impl Node {
    /// Whether it is nothing: an empty value, `~` or `null`.
    pub fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar(Scalar { text, style: Style::Plain }) if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// The value of `key`, where this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        match &self.kind {
            Kind::Map(entries) => entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value),
            Kind::Scalar(_) | Kind::Seq(_) | Kind::Faulty => None,
        }
    }

    /// What it is, as messages say it: `a list`, `nothing`, `` `5` ``.
    pub fn describe(&self) -> String {
        match &self.kind {
            _ if self.is_null() => "nothing".to_owned(),
            Kind::Scalar(scalar) => format!("`{}`", crate::text::cut(&crate::text::one_line(&scalar.text), 60)),
            Kind::Seq(items) if items.is_empty() => "an empty list".to_owned(),
            Kind::Seq(_) => "a list".to_owned(),
            Kind::Map(_) => "a mapping".to_owned(),
            Kind::Faulty => "something faulty".to_owned(),
        }
    }

    /// The same value as JSON, scalars as YAML 1.2's core schema reads them; something faulty is null.
    pub fn to_json(&self) -> Value {
        match &self.kind {
            Kind::Scalar(scalar) if scalar.style == Style::Plain => match scalar.text.as_str() {
                _ if self.is_null() => Value::Null,
                "true" | "True" | "TRUE" => Value::Bool(true),
                "false" | "False" | "FALSE" => Value::Bool(false),
                text => number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number),
            },
            Kind::Scalar(scalar) => Value::String(scalar.text.clone()),
            Kind::Seq(items) => Value::Array(items.iter().map(Node::to_json).collect()),
            Kind::Map(entries) => Value::Object(entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect()),
            Kind::Faulty => Value::Null,
        }
    }

    /// The bytes of `file` that hold `part` of this scalar's decoded text: for faults inside an expression, whichever way it is quoted.
    pub fn part(&self, file: &SourceFile, part: &Range<usize>) -> Range<usize> {
        let Kind::Scalar(scalar) = &self.kind else { return self.span.clone() };
        let source = &file.text[self.span.clone()];
        let start = offset_in_source(source, scalar, part.start);
        // The end lies behind the last byte of the part, which may be an escape longer than what it stands for.
        let end = if part.end > part.start { offset_in_source(source, scalar, part.end) } else { start };
        self.span.start + start..self.span.start + end.max(start)
    }
}

/// A plain scalar as a number, where it is one.
fn number(text: &str) -> Option<serde_json::Number> {
    let begins = text.trim_start_matches(['-', '+']);
    if !begins.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    if let Ok(whole) = text.parse::<i64>() {
        return Some(whole.into());
    }
    text.parse::<f64>().ok().and_then(serde_json::Number::from_f64)
}

/// Where in the source of a scalar the byte `wanted` of its decoded text stands: both are walked together, and what they do not share is
/// quoting, escapes, indentation and folded lines.
fn offset_in_source(source: &str, scalar: &Scalar, wanted: usize) -> usize {
    let quote = (scalar.style == Style::Quoted).then(|| source.chars().next().unwrap_or('"'));
    let mut at = usize::from(quote.is_some());
    let mut decoded = 0;
    for wanted_char in scalar.text.chars() {
        if wanted_char != ' ' && wanted_char != '\n' {
            at += source[at..].len() - source[at..].trim_start_matches([' ', '\n', '\r', '\t']).len();
        }
        while quote == Some('"') && source[at..].starts_with("\\\n") {
            at += 2 + source[at + 2..].len() - source[at + 2..].trim_start_matches([' ', '\t']).len();
        }
        if decoded >= wanted {
            return at;
        }
        let rest = &source[at..];
        at += match (quote, rest.chars().next()) {
            (_, None) => 0,
            (Some('\''), Some('\'')) => rest.len().min(2),
            (Some('"'), Some('\\')) => escape_length(rest),
            (_, Some('\n')) if wanted_char == ' ' => rest.len() - rest.trim_start_matches([' ', '\n', '\r', '\t']).len(),
            (_, Some(found)) => found.len_utf8(),
        };
        decoded += wanted_char.len_utf8();
    }
    at.min(source.len())
}

/// Bytes of the escape of a double-quoted scalar that `rest` begins with.
fn escape_length(rest: &str) -> usize {
    let digits = match rest.as_bytes().get(1) {
        Some(b'x') => 2,
        Some(b'u') => 4,
        Some(b'U') => 8,
        _ => 0,
    };
    let escaped = rest[1..].chars().next().map_or(0, char::len_utf8);
    (1 + escaped + digits).min(rest.len())
}

/// Reads one YAML document. `None`: the file is empty, or nothing of it could be read.
///
/// A value that YAML cannot read because it is an unquoted expression is reported, left out as [`Kind::Faulty`], and the rest is read. Any other syntax fault
/// hides what it stands in, up to the next key at the beginning of a line: the message says which lines, and what they hold goes to `unread`.
pub fn parse(file: &SourceFile, found: &mut Vec<Diagnostic>, unread: &mut Unread) -> Option<Node> {
    if file.text.len() > limits::SOURCE_BYTES_MAX {
        let message = format!("this file has {} bytes, more than the {} that one may have", file.text.len(), limits::SOURCE_BYTES_MAX);
        found.push(Diagnostic::error(file, &(0..0), message).help("divide it into several files"));
        unread.add_unseen();
        return None;
    }
    let mut text = file.text.clone();
    let mut masked = Masked::default();
    let mut root = None;
    // Where a section begins that a fault before it swallowed, and what was said of that fault there.
    let mut cut: Option<(usize, Diagnostic)> = None;
    for _ in 0..limits::SOURCE_TRAPS_MAX {
        let end = cut.as_ref().map_or(text.len(), |(at, _)| *at);
        let mut builder = Builder { file, masked: &masked, found: Vec::new(), open: Vec::new(), root: None, read_to: 0 };
        let (until, fault) = match (builder.read(&text[..end]), cut.take()) {
            (Ok(()), None) => {
                let Builder { found: of_tree, root: rest, .. } = builder;
                found.extend(of_tree);
                return joined(file, root, rest, found);
            }
            (Ok(()), Some(cut)) => cut,
            (Err(error), before) => {
                let trap = traps::explain(file, &error, &masked);
                if let Some(value) = trap.value {
                    found.push(trap.diagnostic);
                    // The value is replaced by as many harmless bytes, so that every place behind it stays true.
                    let filler = "x".repeat(value.len());
                    text.replace_range(value.clone(), &filler);
                    masked.add(value);
                    continue;
                }
                let at = error.marker().byte_offset().unwrap_or(0).min(end);
                let line = file.line_around(at);
                let from = builder.begin_of_unfinished(&text).min(line.start);
                let next = next_section(&file.text, file.line_around(from).end);
                if before.is_none() && next <= at {
                    // A bracket or a quote that is not closed shows where a later section stands: what is wrong is said best without that.
                    cut = Some((next, trap.diagnostic));
                    continue;
                }
                let until = before.map_or_else(|| next_section(&file.text, line.end), |(until, _)| until);
                unread.add(&file.text[from..until]);
                (until, unchecked(file, trap.diagnostic, from..until))
            }
        };
        found.push(fault);
        let (of_tree, part) = builder.finish(&text);
        found.extend(of_tree);
        root = joined(file, root, part, found);
        // What was read becomes blank, so that every place behind it stays true.
        let blank: String = text[..until].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect();
        text.replace_range(..until, &blank);
    }
    unread.add(&text);
    root
}

/// Where the next key begins at the beginning of a line, or the end.
fn next_section(text: &str, from: usize) -> usize {
    let lines = text[from..].match_indices('\n').map(|(at, _)| from + at + 1);
    lines.into_iter().find(|start| begins_section(&text[*start..])).unwrap_or(text.len())
}

fn begins_section(line: &str) -> bool {
    let key = line.bytes().take_while(|byte| byte.is_ascii_lowercase() || *byte == b'_').count();
    key > 0 && line[key..].starts_with(':')
}

/// A syntax fault that says which lines nobody could check because of it, where these are more than its own.
fn unchecked(file: &SourceFile, fault: Diagnostic, lines: Range<usize>) -> Diagnostic {
    let last = lines.start + file.text[lines.clone()].trim_end().len();
    let (first, last) = (file.place(lines.start).line, file.place(last).line);
    if first == last {
        return fault;
    }
    let help = match &fault.help {
        Some(help) => format!("{help}; until then lines {first} to {last} are not checked"),
        None => format!("until this is mended lines {first} to {last} are not checked"),
    };
    fault.help(help)
}

/// Two parts of one document; a key that both have is a fault.
fn joined(file: &SourceFile, first: Option<Node>, rest: Option<Node>, found: &mut Vec<Diagnostic>) -> Option<Node> {
    let (mut first, rest) = match (first, rest) {
        (Some(first), Some(rest)) => (first, rest),
        (first, rest) => return first.or(rest),
    };
    if let (Kind::Map(entries), Kind::Map(more)) = (&mut first.kind, rest.kind) {
        for entry in more {
            match entries.iter().find(|known| known.key == entry.key) {
                Some(known) => found.push(twice(file, &entry.key, &entry.key_span, &known.key_span)),
                None => entries.push(entry),
            }
        }
    }
    Some(first)
}

/// A key that stands twice in one mapping.
fn twice(file: &SourceFile, key: &str, span: &Range<usize>, first: &Range<usize>) -> Diagnostic {
    let help = format!("the first is on line {}; leave one out", file.place(first.start).line);
    Diagnostic::error(file, span, format!("the key `{key}` is given twice")).label("here again").help(help)
}

/// A collection whose end has not been seen.
struct Open {
    span: Range<usize>,
    tagged: bool,
    kind: OpenKind,
}

enum OpenKind {
    Seq(Vec<Node>),
    Map { entries: Vec<Entry>, key: Option<(String, Range<usize>)>, keep: bool },
}

/// The file and its sections: of those that a syntax fault cuts off, what is whole is kept.
const KEPT_LEVELS: usize = 2;

struct Builder<'b> {
    file: &'b SourceFile,
    masked: &'b Masked,
    found: Vec<Diagnostic>,
    open: Vec<Open>,
    root: Option<Node>,
    /// The end of what the parser has told of.
    read_to: usize,
}

impl Builder<'_> {
    fn read(&mut self, text: &str) -> Result<(), granit_parser::ScanError> {
        let options = granit_parser::options! {
            emit_unresolved_aliases: true,
            emit_anchor_events: true,
            flow_nesting_limit: limits::SOURCE_DEPTH_MAX,
            block_nesting_limit: limits::SOURCE_DEPTH_MAX,
        };
        let mut tag_line = None;
        for event in Parser::new_from_str_with_options(text, options) {
            let (event, yaml_span) = event?;
            let span = yaml_span.byte_range().unwrap_or(0..0);
            self.read_to = self.read_to.max(trimmed(text, span.clone()).end);
            match event {
                Event::Scalar(value, style, _, tag) => {
                    let style = match style {
                        ScalarStyle::Plain => Style::Plain,
                        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
                        ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
                    };
                    let span = trimmed(text, span);
                    if tag.is_some() {
                        let whole = self.report_tag(&yaml_span, &span);
                        tag_line = Some(whole.clone());
                        self.place_node(Node { span: whole, kind: Kind::Faulty });
                    } else if self.masked.covers(&span) {
                        self.place_node(Node { span, kind: Kind::Faulty });
                    } else {
                        self.place_node(Node { span, kind: Kind::Scalar(Scalar { text: value.into_owned(), style }) });
                    }
                }
                Event::SequenceStart(_, _, tag) => {
                    let tagged = tag.is_some() && {
                        tag_line = Some(self.report_tag(&yaml_span, &span));
                        true
                    };
                    self.open.push(Open { span, tagged, kind: OpenKind::Seq(Vec::new()) });
                }
                Event::MappingStart(_, _, tag) => {
                    let tagged = tag.is_some() && {
                        tag_line = Some(self.report_tag(&yaml_span, &span));
                        true
                    };
                    self.open.push(Open { span, tagged, kind: OpenKind::Map { entries: Vec::new(), key: None, keep: true } });
                }
                Event::SequenceEnd | Event::MappingEnd => self.close(text, span.end),
                Event::Alias(_) | Event::UnresolvedAlias(_) => {
                    let line = self.file.line_around(span.start);
                    let whole = span.start..span.end.max(trimmed(text, span.start..line.end).end.min(line.end)).max(span.start);
                    let message = format!("`{}` is an alias, and aliases are not supported", &text[span.clone()]);
                    let label = "YAML takes what begins with `*` for an alias";
                    let help = "write the value out; a text that begins with `*` needs quotes";
                    self.found.push(Diagnostic::error(self.file, &span, message).label(label).help(help));
                    self.place_node(Node { span: whole, kind: Kind::Faulty });
                }
                Event::Anchor(_, name) => {
                    if tag_line.as_ref().is_some_and(|line: &Range<usize>| line.contains(&span.start)) {
                        continue;
                    }
                    let message = format!("`&{name}` is an anchor, and anchors are not supported");
                    let label = "YAML takes what begins with `&` for an anchor";
                    let help = "leave it out and write the value where it is needed; a text that begins with `&` needs quotes";
                    self.found.push(Diagnostic::error(self.file, &span, message).label(label).help(help));
                }
                Event::DocumentStart(_, _) if self.root.is_some() => {
                    let message = "a second document begins here, and a file holds one";
                    let help = "leave `---` out, or put what follows into a file of its own";
                    self.found.push(Diagnostic::error(self.file, &span, message).help(help));
                    return Ok(());
                }
                Event::StreamStart | Event::StreamEnd | Event::DocumentStart(..) | Event::DocumentEnd | _ => {}
            }
        }
        Ok(())
    }

    fn report_tag(&mut self, yaml_span: &YamlSpan, span: &Range<usize>) -> Range<usize> {
        let tag = yaml_span.tag_span().and_then(|tag| tag.byte_range()).unwrap_or_else(|| span.clone());
        let (diagnostic, whole) = traps::tag(self.file, &tag);
        self.found.push(diagnostic);
        whole
    }

    /// Where what was cut off by a syntax fault begins: a rule of a section, or the section itself.
    fn begin_of_unfinished(&self, text: &str) -> usize {
        if let Some(rule) = self.open.get(KEPT_LEVELS) {
            return rule.span.start;
        }
        match self.open.last().map(|open| &open.kind) {
            Some(OpenKind::Map { key: Some((_, span)), .. }) => span.start,
            // The parser looks ahead: what it has not told of yet is not read.
            Some(OpenKind::Map { key: None, .. } | OpenKind::Seq(_)) | None => {
                text.len() - text[self.read_to..].trim_start_matches([' ', '\n', '\r']).len()
            }
        }
    }

    /// What was read before a syntax fault: whole sections, and the whole rules of the section that it stands in.
    fn finish(mut self, text: &str) -> (Vec<Diagnostic>, Option<Node>) {
        self.open.truncate(KEPT_LEVELS);
        while let Some(open) = self.open.last_mut() {
            let end = open.span.end;
            if let OpenKind::Map { entries, key, keep: true } = &mut open.kind
                && let Some((key, key_span)) = key.take()
            {
                let value = Node { span: key_span.clone(), kind: Kind::Faulty };
                entries.push(Entry { key, key_span, value });
            }
            self.close(text, end);
        }
        (self.found, self.root)
    }

    fn close(&mut self, text: &str, end: usize) {
        let Some(open) = self.open.pop() else { return };
        let span = trimmed(text, open.span.start..end.max(open.span.end));
        let kind = match open.kind {
            _ if open.tagged => Kind::Faulty,
            OpenKind::Seq(items) => Kind::Seq(items),
            OpenKind::Map { entries, .. } => Kind::Map(entries),
        };
        self.place_node(Node { span, kind });
    }

    fn place_node(&mut self, node: Node) {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        match &mut open.kind {
            OpenKind::Seq(items) => items.push(node),
            OpenKind::Map { entries, key, keep } => match key.take() {
                Some((name, key_span)) => {
                    if *keep {
                        entries.push(Entry { key: name, key_span, value: node });
                    }
                }
                None => {
                    let (name, fault) = match &node.kind {
                        Kind::Scalar(scalar) if !node.is_null() => {
                            let first = entries.iter().find(|entry| entry.key == scalar.text);
                            (scalar.text.clone(), first.map(|first| twice(self.file, &scalar.text, &node.span, &first.key_span)))
                        }
                        Kind::Faulty => (String::new(), None),
                        Kind::Scalar(_) | Kind::Seq(_) | Kind::Map(_) => {
                            let message = format!("a key must be a text, found {}", node.describe());
                            (String::new(), Some(Diagnostic::error(self.file, &node.span, message).help("write `key: value`")))
                        }
                    };
                    *keep = fault.is_none() && !matches!(node.kind, Kind::Faulty);
                    *key = Some((name, node.span));
                    self.found.extend(fault);
                }
            },
        }
    }
}

/// `span` without the blanks and line ends at its end.
fn trimmed(text: &str, span: Range<usize>) -> Range<usize> {
    let inner = text.get(span.clone()).unwrap_or("");
    span.start..span.start + inner.trim_end_matches([' ', '\t', '\r', '\n']).len()
}
