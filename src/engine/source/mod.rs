//! Files as operators write them: YAML read into a tree with places, and the faults found in them.

use std::ops::Range;

/// One file's path and text, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Relative to the folder the operator named, `/` between parts.
    pub path: String,
    /// Its whole text.
    pub text: String,
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
