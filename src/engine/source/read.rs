//! A tree read into types: every wrong type, unknown word, unknown key and missing key is reported, and reading goes on.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::ops::Range;

use super::{Compared, Diagnostic, Entry, Kind, Node, Place, Shape, SourceFile, Style, listed, nearest};
use crate::text::Labels;
use crate::time::{Span, Time};
use crate::words::{
    Action, AlertState, ClockState, Explains, Health, IncidentState, Level, Means, Priority, ProblemState, Reason, Relation, Severity,
    SlaKind, SlaTarget,
};

/// A file while it is read: where its faults gather.
#[derive(Debug)]
pub struct Reading<'a> {
    file: &'a SourceFile,
    found: RefCell<Vec<Diagnostic>>,
    /// What its expressions compare with.
    compared: RefCell<Vec<Compared>>,
    /// Where each line begins, once somebody asks for a place.
    lines: OnceCell<Vec<usize>>,
}

impl<'a> Reading<'a> {
    /// Begins to read `file`.
    pub fn new(file: &'a SourceFile) -> Reading<'a> {
        Reading { file, found: RefCell::default(), compared: RefCell::default(), lines: OnceCell::new() }
    }

    /// The file.
    pub fn file(&self) -> &'a SourceFile {
        self.file
    }

    /// Path, line and column of a byte, as messages name another place: `rules/a.yaml:3:5`. Cheap, for it is asked of every rule.
    pub fn named_place(&self, offset: usize) -> String {
        let text = &self.file.text;
        let lines = self.lines.get_or_init(|| std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect());
        let line = lines.partition_point(|start| *start <= offset);
        let start = lines.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let column = text.get(start..offset).map_or(1, |before| before.chars().count() + 1);
        format!("{}:{}", self.file.path, Place { line, column })
    }

    /// Adds a fault at `span`.
    pub fn error(&self, span: &Range<usize>, message: impl Into<String>) {
        self.report(Diagnostic::error(self.file, span, message));
    }

    /// Adds a finding that was built with its label and help.
    pub fn report(&self, diagnostic: Diagnostic) {
        self.found.borrow_mut().push(diagnostic);
    }

    /// Adds what an expression of the file compares with.
    pub fn compares(&self, compared: impl IntoIterator<Item = Compared>) {
        self.compared.borrow_mut().extend(compared);
    }

    /// How much expressions have compared with so far.
    pub fn compared_len(&self) -> usize {
        self.compared.borrow().len()
    }

    /// Forgets what was compared with since there was so much.
    pub fn forget_compared(&self, len: usize) {
        self.compared.borrow_mut().truncate(len);
    }

    /// What its expressions compare with.
    pub fn take_compared(&self) -> Vec<Compared> {
        self.compared.take()
    }

    /// Everything found so far, in the order found; [`super::sort`] puts it in the order of places.
    pub fn finish(self) -> Vec<Diagnostic> {
        self.found.into_inner()
    }

    /// Reads `node` as a `T`. `None`: it is none, and that was reported.
    pub fn read<T: Read<'a>>(&self, node: &'a Node) -> Option<T> {
        T::read(node, self)
    }

    /// Opens a mapping: unknown, later and missing keys are reported at once. `None`: it is no mapping, and that was reported.
    pub fn keys(&self, node: &'a Node, shape: &'static Shape) -> Option<Keys<'a, '_>> {
        let Kind::Map(entries) = &node.kind else {
            self.wrong(node, &format!("{}: a mapping with `key: value`", shape.what));
            return None;
        };
        for entry in entries {
            if let Some((_, until_then)) = shape.later.iter().find(|(key, _)| *key == entry.key) {
                self.not_yet(&entry.key_span, &format!("`{}` in {}", entry.key, shape.what), until_then);
            } else if !shape.names().any(|known| known == entry.key) {
                let known: Vec<&str> = shape.names().collect();
                let message = format!("unknown key `{}` in {}", entry.key, shape.what);
                let later = shape.later.iter().map(|(key, _)| *key);
                let label = match nearest(&entry.key, shape.names().chain(later.clone())) {
                    Some(word) if later.clone().any(|key| key == word) => format!("`{word}` is not yet supported"),
                    Some(word) => format!("did you mean `{word}`?"),
                    None => String::new(),
                };
                self.report(
                    Diagnostic::error(self.file, &entry.key_span, message)
                        .label(label)
                        .help(format!("known keys are {}", listed(&known, "and"))),
                );
            }
        }
        for key in shape.keys.iter().filter(|key| key.required && !entries.iter().any(|entry| entry.key == key.name)) {
            let message = format!("{} needs `{}`", shape.what, key.name);
            self.report(Diagnostic::error(self.file, &self.first_line(node), message).help(format!("`{}`: {}", key.name, key.doc)));
        }
        Some(Keys { span: node.span.clone(), entries, shape, reading: self })
    }

    /// Refuses what a later version will know. `until_then` is what to do meanwhile.
    pub fn not_yet(&self, span: &Range<usize>, what: &str, until_then: &str) {
        let error = Diagnostic::error(self.file, span, format!("{what} is not yet supported")).label("not yet");
        self.report(error.help(format!("a later version will know it; until then {until_then}")));
    }

    /// The items of a list; nothing is an empty list.
    pub fn items(&self, node: &'a Node) -> &'a [Node] {
        match &node.kind {
            Kind::Seq(items) => items,
            _ if node.is_null() => &[],
            Kind::Scalar(_) | Kind::Map(_) | Kind::Faulty => {
                self.wrong(node, "a list");
                &[]
            }
        }
    }

    /// The entries of a mapping with free keys; nothing is an empty mapping.
    pub fn entries(&self, node: &'a Node) -> &'a [Entry] {
        match &node.kind {
            Kind::Map(entries) => entries,
            _ if node.is_null() => &[],
            Kind::Scalar(_) | Kind::Seq(_) | Kind::Faulty => {
                self.wrong(node, "a mapping with `key: value`");
                &[]
            }
        }
    }

    /// One of `words`, the text of a closed set.
    pub fn word(&self, node: &'a Node, what: &str, words: &[&'static str]) -> Option<&'static str> {
        let text: &str = self.read(node)?;
        let found = words.iter().copied().find(|word| *word == text);
        if found.is_none() {
            let message = format!("unknown {what} `{}`", crate::text::cut(text, 60));
            let help = nearest(text, words.iter().copied()).map(|word| format!("did you mean `{word}`?"));
            let label = format!("known are {}", listed(words, "and"));
            self.report(Diagnostic { help, ..Diagnostic::error(self.file, &node.span, message).label(label) });
        }
        found
    }

    /// Reports that `node` is not what was expected; silent where it was reported already.
    pub fn wrong(&self, node: &Node, expected: &str) {
        if !matches!(node.kind, Kind::Faulty) {
            let message = format!("expected {expected}, found {}", node.describe());
            self.report(Diagnostic::error(self.file, &self.first_line(node), message));
        }
    }

    /// The bytes of a node on its first line: what a message about all of it underlines.
    pub fn first_line(&self, node: &Node) -> Range<usize> {
        let line = self.file.line_around(node.span.start);
        node.span.start..node.span.end.min(line.end).max(node.span.start)
    }
}

/// An open mapping of known keys.
#[derive(Debug)]
pub struct Keys<'a, 'r> {
    span: Range<usize>,
    entries: &'a [Entry],
    shape: &'static Shape,
    reading: &'r Reading<'a>,
}

impl<'a, 'r> Keys<'a, 'r> {
    /// The value of `key` as a `T`. `None`: it is not there, or is no `T`, which was reported.
    pub fn get<T: Read<'a>>(&self, key: &'static str) -> Option<T> {
        self.node(key).and_then(|node| self.reading.read(node))
    }

    /// The value of `key` as it stands there.
    pub fn node(&self, key: &'static str) -> Option<&'a Node> {
        debug_assert!(self.shape.names().any(|known| known == key), "`{key}` is in the table of {}", self.shape.what);
        self.entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The place of the key itself, or of the whole mapping where it has none.
    pub fn place_of(&self, key: &str) -> Range<usize> {
        self.entries.iter().find(|entry| entry.key == key).map_or_else(|| self.span.clone(), |entry| entry.key_span.clone())
    }

    /// The bytes of the whole mapping.
    pub fn span(&self) -> &Range<usize> {
        &self.span
    }

    /// The entries in the order written, unknown ones among them.
    pub fn entries(&self) -> &'a [Entry] {
        self.entries
    }

    /// Where faults go.
    pub fn reading(&self) -> &'r Reading<'a> {
        self.reading
    }
}

/// What a value can be read as.
pub trait Read<'a>: Sized {
    /// Reads `node`; where it is something else, says so to `reading` and gives `None`.
    fn read(node: &'a Node, reading: &Reading<'a>) -> Option<Self>;
}

impl<'a> Read<'a> for &'a Node {
    fn read(node: &'a Node, _: &Reading<'a>) -> Option<Self> {
        Some(node)
    }
}

impl<'a> Read<'a> for &'a str {
    fn read(node: &'a Node, reading: &Reading<'a>) -> Option<Self> {
        match &node.kind {
            Kind::Scalar(scalar) if !node.is_null() => Some(&scalar.text),
            Kind::Scalar(_) | Kind::Seq(_) | Kind::Map(_) | Kind::Faulty => {
                reading.wrong(node, "a text");
                None
            }
        }
    }
}

impl<'a> Read<'a> for String {
    fn read(node: &'a Node, reading: &Reading<'a>) -> Option<Self> {
        reading.read::<&str>(node).map(str::to_owned)
    }
}

/// Plain `true` and `false`; `yes`, `on` and their kin are texts in YAML 1.2 and faults here.
impl<'a> Read<'a> for bool {
    fn read(node: &'a Node, reading: &Reading<'a>) -> Option<Self> {
        match &node.kind {
            Kind::Scalar(scalar) if scalar.style == Style::Plain && scalar.text == "true" => Some(true),
            Kind::Scalar(scalar) if scalar.style == Style::Plain && scalar.text == "false" => Some(false),
            Kind::Scalar(_) | Kind::Seq(_) | Kind::Map(_) | Kind::Faulty => {
                reading.wrong(node, "true or false");
                None
            }
        }
    }
}

impl<'a> Read<'a> for u32 {
    fn read(node: &'a Node, reading: &Reading<'a>) -> Option<Self> {
        let parsed = match &node.kind {
            Kind::Scalar(scalar) if scalar.style == Style::Plain => scalar.text.parse().ok(),
            Kind::Scalar(_) | Kind::Seq(_) | Kind::Map(_) | Kind::Faulty => None,
        };
        if parsed.is_none() {
            reading.wrong(node, "a whole number that is not negative");
        }
        parsed
    }
}

impl<'a> Read<'a> for Span {
    fn read(node: &'a Node, reading: &Reading<'a>) -> Option<Self> {
        let text: &str = reading.read(node)?;
        let span = Span::parse(text).ok();
        if span.is_none() {
            let message = format!("`{}` is no duration", crate::text::cut(&crate::text::one_line(text), 60));
            let help = match text.parse::<u64>() {
                Ok(number) => format!("a number needs its unit: `{number}s` or `{number}m`"),
                Err(_) if text.ends_with(['m', 'h', 'd']) && text.trim_end_matches(['m', 'h', 'd']).ends_with('b') => {
                    "working time (bm, bh, bd) is for the targets of `slas`: write wall time here, such as 4h".to_owned()
                }
                Err(_) => "write a number and a unit of s, m, h, d or w, such as 90s, 5m, 4h, 7d, or several: 3m20s".to_owned(),
            };
            reading.report(Diagnostic::error(reading.file, &node.span, message).label("expected a duration").help(help));
        }
        span
    }
}

impl<'a> Read<'a> for Time {
    fn read(node: &'a Node, reading: &Reading<'a>) -> Option<Self> {
        let text: &str = reading.read(node)?;
        let time = Time::parse_rfc3339(text);
        if time.is_none() {
            let message = format!("`{}` is no moment", crate::text::cut(&crate::text::one_line(text), 60));
            let help = "write date, time and zone, such as 2026-03-27T16:50:00+01:00 or 2026-03-27T15:50:00Z";
            reading.report(Diagnostic::error(reading.file, &node.span, message).label("expected a moment with its zone").help(help));
        }
        time
    }
}

impl<'a, T: Read<'a>> Read<'a> for Vec<T> {
    fn read(node: &'a Node, reading: &Reading<'a>) -> Option<Self> {
        Some(reading.items(node).iter().filter_map(|item| reading.read(item)).collect())
    }
}

/// One value, or a list of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneOrMany<T>(pub Vec<T>);

impl<'a, T: Read<'a>> Read<'a> for OneOrMany<T> {
    fn read(node: &'a Node, reading: &Reading<'a>) -> Option<Self> {
        match &node.kind {
            Kind::Seq(_) => reading.read(node).map(OneOrMany),
            _ if node.is_null() => Some(OneOrMany(Vec::new())),
            Kind::Scalar(_) | Kind::Map(_) | Kind::Faulty => reading.read(node).map(|one| OneOrMany(vec![one])),
        }
    }
}

/// A value with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its bytes.
    pub span: Range<usize>,
}

impl<'a, T: Read<'a>> Read<'a> for Spanned<T> {
    fn read(node: &'a Node, reading: &Reading<'a>) -> Option<Self> {
        let value = reading.read(node)?;
        Some(Spanned { value, span: node.span.clone() })
    }
}

/// A mapping with free keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pairs<T>(pub BTreeMap<String, T>);

impl<'a, T: Read<'a>> Read<'a> for Pairs<T> {
    fn read(node: &'a Node, reading: &Reading<'a>) -> Option<Self> {
        let entries = reading.entries(node).iter();
        Some(Pairs(entries.filter_map(|entry| Some((entry.key.clone(), reading.read(&entry.value)?))).collect()))
    }
}

/// Names and texts; an empty text is no label.
impl<'a> Read<'a> for Labels {
    fn read(node: &'a Node, reading: &Reading<'a>) -> Option<Self> {
        reading.read::<Pairs<String>>(node).map(|pairs| Labels::new(pairs.0))
    }
}

macro_rules! read_words {
    ($($name:ident $what:literal),+ $(,)?) => {
        $(impl<'a> Read<'a> for $name {
            fn read(node: &'a Node, reading: &Reading<'a>) -> Option<Self> {
                reading.word(node, $what, $name::WORDS).and_then($name::from_word)
            }
        })+
    };
}

read_words!(
    Severity "severity",
    Level "level",
    Priority "priority",
    Health "health",
    Means "meaning",
    Explains "reach",
    Action "action",
    IncidentState "state",
    AlertState "state",
    Reason "reason",
    Relation "relation",
    SlaTarget "target",
    SlaKind "kind",
    ClockState "state",
    ProblemState "state",
);
