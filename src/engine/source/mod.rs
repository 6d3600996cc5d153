//! Files as operators write them: YAML read into a tree with places, a typed reading of that tree, and the faults found in both.
//!
//! Every fault of a file is found in one run. Never decides what a key means: that is `policy` and `cmdb`.

mod read;
mod shape;
mod traps;
mod tree;
mod unread;

use std::fmt;
use std::ops::Range;

pub use read::{Keys, OneOrMany, Pairs, Read, Reading, Spanned};
pub use shape::{Key, Shape, Takes};
pub use tree::{Entry, Kind, Node, Scalar, Style, parse};
pub use unread::Unread;

/// One file's path and text, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Relative to the folder the operator named, `/` between parts.
    pub path: String,
    /// Its whole text.
    pub text: String,
}

/// Where in a text, for people: both count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The character in the line.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

impl SourceFile {
    /// A file of `path` and `text`.
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> SourceFile {
        SourceFile { path: path.into(), text: text.into() }
    }

    /// Line and column of a byte of the text; of its end where `offset` lies beyond it.
    pub fn place(&self, offset: usize) -> Place {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &self.text[..offset];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Place { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
    }

    /// The bytes of the line that holds `offset`, without its end.
    pub(crate) fn line_around(&self, offset: usize) -> Range<usize> {
        let offset = offset.min(self.text.len());
        let bytes = self.text.as_bytes();
        let start = bytes[..offset].iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let end = bytes[offset..].iter().position(|b| *b == b'\n').map_or(bytes.len(), |at| offset + at);
        start..if end > start && bytes[end - 1] == b'\r' { end - 1 } else { end }
    }
}

/// A label that an expression reads, or a word that it compares with, to be said unknown later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// The name that is read or compared: `ci.class`, `ci.labels`.
    pub path: &'static str,
    /// Of labels: which.
    pub label: Option<String>,
    /// The word. `None`: the label is only read.
    pub word: Option<String>,
    /// Its bytes, of the expression or of the file.
    pub span: Range<usize>,
}

impl Compared {
    /// The same of a text that holds the expression from `at` on.
    pub(crate) fn shifted(self, at: usize) -> Compared {
        Compared { span: self.span.start + at..self.span.end + at, ..self }
    }
}

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gravity {
    /// The set of files is refused.
    Error,
    /// The set is taken; the operator probably meant something else.
    Warning,
}

/// One finding at one place; the daemon draws it like a compiler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether it refuses the files.
    pub gravity: Gravity,
    /// The file's path as in its [`SourceFile`].
    pub path: String,
    /// Bytes of the file's text that it is about.
    pub span: Range<usize>,
    /// What is wrong: a lower-case sentence without a full stop.
    pub message: String,
    /// What stands beside the underline: what was expected. May be empty.
    pub label: String,
    /// How to mend it, or none.
    pub help: Option<String>,
}

impl Diagnostic {
    /// What refuses the files: at `span` of `file`, `message` is wrong.
    pub fn error(file: &SourceFile, span: &Range<usize>, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            gravity: Gravity::Error,
            path: file.path.clone(),
            span: span.clone(),
            message: message.into(),
            label: String::new(),
            help: None,
        }
    }

    /// What is taken, and probably not meant.
    pub fn warning(file: &SourceFile, span: &Range<usize>, message: impl Into<String>) -> Diagnostic {
        Diagnostic { gravity: Gravity::Warning, ..Diagnostic::error(file, span, message) }
    }

    /// The same with `label` beside the underline.
    pub fn label(mut self, label: impl Into<String>) -> Diagnostic {
        self.label = label.into();
        self
    }

    /// The same with a way to mend it.
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }

    /// Whether it refuses the files.
    pub fn is_error(&self) -> bool {
        self.gravity == Gravity::Error
    }
}

/// Puts findings in the order in which people mend them: by file, then by place; what was found twice stands once.
pub fn sort(found: &mut Vec<Diagnostic>) {
    found.sort_by(|a, b| (&a.path, a.span.start, a.gravity, &a.message).cmp(&(&b.path, b.span.start, b.gravity, &b.message)));
    found.dedup();
}

/// The known word that `word` was probably meant to be; none where nothing is near enough to be a help.
pub fn nearest<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let plain = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
    let word = plain(word);
    if word.is_empty() {
        return None;
    }
    known
        .into_iter()
        .filter_map(|candidate| {
            let other = plain(candidate);
            let begins = word.len() >= 3 && other.len() >= 3 && (other.starts_with(&word) || word.starts_with(&other));
            let distance = if begins { 1 } else { strsim::osa_distance(&word, &other) };
            (distance <= (word.chars().count().max(other.chars().count()) / 3).max(1)).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `a, b or c`, as messages list what is known.
pub(crate) fn listed(words: &[&str], last: &str) -> String {
    match words {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [most @ .., end] => format!("{} {last} {end}", most.join(", ")),
    }
}
