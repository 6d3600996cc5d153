//! What YAML makes of an expression that stands there without quotes, and of other slips, said in the words of the person who wrote it.

use std::ops::Range;

use granit_parser::{ErrorKind, ScanError};

use super::{Diagnostic, SourceFile};
use crate::limits;

/// The values that were reported and are read as if they were not there.
#[derive(Debug, Default)]
pub(super) struct Masked(Vec<Range<usize>>);

impl Masked {
    pub(super) fn add(&mut self, value: Range<usize>) {
        self.0.push(value);
    }

    pub(super) fn covers(&self, span: &Range<usize>) -> bool {
        self.0.iter().any(|value| value.start <= span.start && span.start < value.end)
    }
}

/// A syntax fault in our words.
pub(super) struct Trap {
    /// What to say.
    pub(super) diagnostic: Diagnostic,
    /// The value to leave out so that the rest can be read; `None` where the rest cannot be told.
    pub(super) value: Option<Range<usize>>,
}

/// The value in which a syntax fault lies.
struct Value<'f> {
    /// `key` as messages name it.
    named: String,
    /// Its key, or none in a list.
    key: Option<&'f str>,
    /// Its bytes.
    span: Range<usize>,
}

/// Says what is wrong where the YAML parser gave up.
pub(super) fn explain(file: &SourceFile, error: &ScanError, masked: &Masked) -> Trap {
    let at = error.marker().byte_offset().unwrap_or(0).min(file.text.len());
    if let Some(value) = value_at(file, at).filter(|value| !masked.covers(&value.span))
        && let Some(diagnostic) = of_value(file, error.kind(), at, &value)
    {
        return Trap { diagnostic, value: Some(value.span) };
    }
    Trap { diagnostic: of_syntax(file, error.kind(), at), value: None }
}

/// A value that YAML takes for a tag: `when: !ci.known`.
///
/// Also gives the bytes of the whole value, as it was meant.
pub(super) fn tag(file: &SourceFile, tag: &Range<usize>) -> (Diagnostic, Range<usize>) {
    let value = value_at(file, tag.start).filter(|value| value.span.start == tag.start);
    let key = value.as_ref().and_then(|value| value.key);
    let whole = value.as_ref().map_or(tag.clone(), |value| value.span.clone());
    let message = format!("`{}` is read by YAML as a tag, not as a part of the value", &file.text[tag.clone()]);
    let diagnostic =
        Diagnostic::error(file, tag, message).label("what begins with `!` needs quotes or `|`").help(quoting(file, key, &whole));
    (diagnostic, whole)
}

/// How to write the value so that YAML leaves it alone.
fn quoting(file: &SourceFile, key: Option<&str>, value: &Range<usize>) -> String {
    let text = &file.text[value.clone()];
    let before = key.map_or_else(|| "- ".to_owned(), |key| format!("{key}: "));
    let quote = match (text.contains('\''), text.contains(['"', '\\'])) {
        (false, _) => '\'',
        (true, false) => '"',
        (true, true) => return format!("put it on a line of its own after `{before}|`"),
    };
    if text.len() > 80 {
        return format!("put it between `{quote}` and `{quote}`, or on a line of its own after `{before}|`");
    }
    format!("write `{before}{quote}{text}{quote}`, or put it on a line of its own after `{before}|`")
}

/// The value that holds `at`: what follows the last key or dash before it on its line.
fn value_at(file: &SourceFile, at: usize) -> Option<Value<'_>> {
    let line = file.line_around(at);
    let text = &file.text[line.clone()];
    let mut best: Option<(Option<&str>, usize)> = None;
    let mut in_flow = false;
    // Where a key or a value may begin: at the line's start, after dashes, `{`, `[` and `, `.
    let indent = text.len() - text.trim_start_matches(' ').len();
    let mut dashes = indent;
    while text[dashes..].starts_with("- ") {
        dashes += text[dashes..].len() - text[dashes + 1..].trim_start_matches(' ').len();
        best = Some((None, dashes));
    }
    for (start, _) in text.char_indices().filter(|(start, _)| *start >= dashes && line.start + start < at.max(line.start + 1)) {
        let before = text[..start].trim_end_matches(' ');
        let in_braces = before.ends_with(['{', ',']) && start > dashes;
        if start != dashes && !in_braces {
            continue;
        }
        if let Some((key, value)) = key_at(text, start)
            && line.start + value <= at
        {
            in_flow |= in_braces || before.ends_with('{');
            best = Some((Some(key), value));
        }
    }
    let (key, value) = best?;
    let rest = &text[value..];
    let rest = rest.trim_end();
    let length = if in_flow || rest.ends_with(',') { flow_value_length(rest) } else { rest.len() };
    if length == 0 || line.start + value > at {
        return None;
    }
    let named = key.map_or_else(|| "this entry".to_owned(), |key| format!("`{key}`"));
    Some(Value { named, key, span: line.start + value..line.start + value + length })
}

/// A key that begins at `start`, and where its value begins.
fn key_at(text: &str, start: usize) -> Option<(&str, usize)> {
    let rest = &text[start..];
    let length = rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')).count();
    let after = rest[length..].strip_prefix(": ")?;
    (length > 0).then(|| (&rest[..length], start + rest.len() - after.trim_start_matches(' ').len()))
}

/// Bytes of a value inside `{…}`: up to the comma before the next key, or the bracket that closes what stands around it.
fn flow_value_length(rest: &str) -> usize {
    let mut depth = 0_i32;
    let mut quote = None;
    for (at, c) in rest.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') if depth == 0 => return rest[..at].trim_end().len(),
            (None, ')' | ']' | '}') => depth -= 1,
            (None, ',') if depth == 0 => {
                let next = rest[at + 1..].trim_start_matches(' ');
                if next.is_empty() || key_at(next, 0).is_some() {
                    return rest[..at].trim_end().len();
                }
            }
            (None, _) => {}
        }
    }
    rest.len()
}

/// A fault that comes from a value without quotes; `None` where it lies elsewhere.
fn of_value(file: &SourceFile, kind: &ErrorKind, at: usize, value: &Value<'_>) -> Option<Diagnostic> {
    let text = &file.text[value.span.clone()];
    let first = text.chars().next()?;
    let Value { named, key, span } = value;
    let help = quoting(file, *key, span);
    match first {
        '"' | '\'' if matches!(kind, ErrorKind::InvalidTrailingDoubleQuotedScalar | ErrorKind::InvalidTrailingSingleQuotedScalar) => {
            let quoted = &file.text[span.start..at.min(span.end)];
            let message = format!("{named} begins with a quote, so YAML reads only {} and stumbles over what follows", quoted.trim_end());
            Some(Diagnostic::error(file, span, message).label("the whole of it needs quotes or `|`").help(help))
        }
        '"' if matches!(kind, ErrorKind::UnknownQuotedScalarEscape | ErrorKind::InvalidQuotedScalarHexEscape) => {
            let (place, escape) = unknown_escape(text)?;
            let message = format!("`{escape}` is no escape that YAML knows in double quotes");
            let place = span.start + place..span.start + place + escape.len();
            let help = "use single quotes, where a backslash is only a backslash, or write it twice";
            Some(Diagnostic::error(file, &place, message).help(help))
        }
        '[' | '{' if at > span.start && at < span.end && is_structure(kind) => {
            let what = if first == '[' { "a list" } else { "a mapping" };
            let message = format!("{named} begins with `{first}`, so YAML reads {what} and stumbles over what follows");
            Some(Diagnostic::error(file, span, message).label("an expression that begins so needs quotes or `|`").help(help))
        }
        '@' | '`' | '%' if matches!(kind, ErrorKind::UnexpectedCharacter { .. }) => {
            let message = format!("{named} begins with `{first}`, which YAML keeps for itself");
            Some(Diagnostic::error(file, span, message).label("needs quotes").help(help))
        }
        _ if matches!(
            kind,
            ErrorKind::MappingValueNotAllowed | ErrorKind::ExpectedFlowMappingSeparator | ErrorKind::InvalidColonPlacement
        ) && at > span.start
            && at < span.end
            && is_colon(&file.text, at) =>
        {
            let message = format!("{named} holds `: `, which YAML takes for a key and its value");
            Some(Diagnostic::error(file, &(at..at + 1), message).label("a value with `: ` in it needs quotes or `|`").help(help))
        }
        _ => None,
    }
}

fn is_colon(text: &str, at: usize) -> bool {
    text[at..].starts_with(':') && text[at + 1..].starts_with([' ', '\n', '\r']) || text[at + 1..].is_empty() && text[at..].starts_with(':')
}

fn is_structure(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ExpectedBlockMappingKey
            | ErrorKind::ExpectedFlowMappingSeparator
            | ErrorKind::ExpectedFlowSequenceSeparator
            | ErrorKind::ExpectedBlockSequenceEntry
            | ErrorKind::InvalidTrailingDoubleQuotedScalar
            | ErrorKind::InvalidTrailingSingleQuotedScalar
            | ErrorKind::SimpleKeyExpected
            | ErrorKind::UnexpectedCharacter { .. }
            | ErrorKind::MappingValueNotAllowed
            | ErrorKind::MisplacedFlowCollectionEnd
            | ErrorKind::InvalidColonPlacement
    )
}

/// The first escape of a double-quoted text that YAML does not know.
fn unknown_escape(text: &str) -> Option<(usize, &str)> {
    let mut from = 0;
    while let Some(at) = text[from..].find('\\').map(|at| from + at) {
        let escaped = text[at + 1..].chars().next()?;
        let length = 1 + escaped.len_utf8();
        if !"0abt\tnvfre \"/\\N_LPxuU\n".contains(escaped) {
            return Some((at, &text[at..at + length]));
        }
        from = at + length;
    }
    None
}

/// The commonest reason for a fault between `{` and `}` or `[` and `]`.
const IN_FLOW: &str = "between `{` and `}` a value with brackets, quotes or commas in it needs quotes around it, \
                       such as when: 'ci.class in [\"switch\"]'";

/// Every other syntax fault: the YAML parser's place in our words.
#[expect(clippy::wildcard_enum_match_arm, reason = "the parser's enum: what we have no words for is said in its own")]
fn of_syntax(file: &SourceFile, kind: &ErrorKind, at: usize) -> Diagnostic {
    let one = |at: usize| at..at + file.text[at..].chars().next().filter(|c| !matches!(c, '\n' | '\r')).map_or(0, char::len_utf8);
    let error = |span: Range<usize>, message: &str| Diagnostic::error(file, &span, message);
    let line = file.line_around(at);
    match kind {
        ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabNotAllowed
        | ErrorKind::TabInPlainScalar
        | ErrorKind::TabAtBlockScalarStart => {
            let tab = file.text[line.start..].find('\t').map_or(at, |tab| line.start + tab);
            error(one(tab), "a tab where YAML allows only spaces").label("this is a tab").help("indent with spaces")
        }
        ErrorKind::UnclosedQuotedScalar => error(one(at), "the quote that begins here is never closed").help("close it, or leave it out"),
        ErrorKind::UnclosedFlowCollection { open } => {
            error(one(at), &format!("the `{open}` that begins here is never closed")).help("close it before the next entry")
        }
        ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping
        | ErrorKind::UnexpectedEofBlockSequence
        | ErrorKind::UnexpectedEofBlockMapping
        | ErrorKind::UnexpectedEof => error(one(at), "the file ends in the middle of a value").help("was it copied completely?"),
        ErrorKind::MisplacedFlowCollectionEnd => error(one(at), "a closing bracket that nothing opened"),
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => error(one(at), &format!("`{open}` is closed by `{close}`")),
        ErrorKind::ExpectedFlowMappingSeparator => error(one(at), "expected `,` or `}` here").help(IN_FLOW),
        ErrorKind::ExpectedFlowSequenceSeparator => error(one(at), "expected `,` or `]` here").help(IN_FLOW),
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey | ErrorKind::ExpectedBlockMappingKey => {
            error(at..line.end.max(at), "expected `key: value` here")
                .help("a key is followed by a colon and a space; is the line indented like its neighbours?")
        }
        ErrorKind::ExpectedBlockSequenceEntry => {
            error(at..line.end.max(at), "expected `- ` here, as in the lines above").help("is the line indented like its neighbours?")
        }
        ErrorKind::BlockSequenceEntryNotAllowed => {
            error(one(at), "a list that begins with `- ` must begin on a line of its own").help("or write it as `[a, b]`")
        }
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement => {
            error(one(at), "a key where YAML is still reading the value above")
                .label("this colon")
                .help("indent it like the key above; a text with `: ` in it needs quotes")
        }
        ErrorKind::InvalidIndentation
        | ErrorKind::InvalidFlowScalarIndent
        | ErrorKind::InvalidQuotedScalarIndent
        | ErrorKind::InvalidBlockScalarIndent => error(at..line.end.max(at), "this line is indented differently from what it belongs to"),
        ErrorKind::RecursionLimitExceeded => error(one(at), &format!("values are nested deeper than {}", limits::SOURCE_DEPTH_MAX)),
        other => error(one(at), &format!("this is no YAML: {other}")),
    }
}
