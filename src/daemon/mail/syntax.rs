//! One template's text: what could hurt the parser is refused, what it says of a fault is put into plain words, and places are found again.

use std::ops::Range;

use handlebars::{Template, TemplateErrorReason};
use watchkeeper_engine::source::{Diagnostic, SourceFile};
use watchkeeper_engine::text::{cut, one_line};

/// Bytes of one template. A larger one is refused: ours have two thousand.
pub(super) const TEMPLATE_BYTES_MAX: usize = 64 * 1024;
/// How deep blocks may stand in one another, those of partials included. A deeper one is refused: rendering goes down one stack.
pub(super) const DEPTH_MAX: usize = 16;

/// Compiles one file after what could hurt the parser was refused.
pub(super) fn parse(file: &SourceFile) -> Result<Template, Diagnostic> {
    let whole = 0..file.text.len().min(1);
    if file.text.len() > TEMPLATE_BYTES_MAX {
        return Err(Diagnostic::error(file, &whole, format!("template of {} bytes", file.text.len()))
            .label(format!("at most {TEMPLATE_BYTES_MAX} bytes")));
    }
    if let Some(at) = file.text.find(|c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(Diagnostic::error(file, &(at..at + 1), "control character in a template").label("take it out"));
    }
    nesting(file)?;
    // The last line end is the file's, not the text's: `{{> has}}.` must not become two words.
    Template::compile(file.text.strip_suffix('\n').unwrap_or(&file.text)).map_err(|error| {
        let at = error.pos().map_or(0, |(line, column)| offset(&file.text, line, column.max(1)));
        let reason = error.reason();
        let message = if let TemplateErrorReason::MismatchingClosedHelper(open, close)
        | TemplateErrorReason::MismatchingClosedDecorator(open, close) = reason
        {
            format!("`{{{{#{}}}}}` is closed by `{{{{/{}}}}}`", open.trim_matches('"'), close.trim_matches('"'))
        } else if let TemplateErrorReason::InvalidSyntax(_) = reason {
            "handlebars cannot read this".to_owned()
        } else {
            cut(&one_line(&reason.to_string()), 300)
        };
        Diagnostic::error(file, &tag(&file.text, at), message).label("here handlebars stops reading")
    })
}

/// Refuses what the parser, which goes down one stack, could not take: blocks in blocks, brackets in brackets; and blocks without an end,
/// of which it would only say where the file ends.
fn nesting(file: &SourceFile) -> Result<(), Diagnostic> {
    let text = &file.text;
    // Levels of each block that is open: itself, and one for each `{{else if}}`, which handlebars nests.
    let (mut blocks, mut at): (Vec<(usize, Range<usize>)>, usize) = (Vec::new(), 0);
    while let Some(found) = text[at..].find("{{") {
        let start = at + found;
        let rest = &text[start..];
        if rest.starts_with("{{!--") {
            at = start + rest.find("--}}").map_or(rest.len(), |end| end + 4);
            continue;
        }
        if rest.starts_with("{{{{") {
            return Err(Diagnostic::error(file, &(start..start + 4), "raw blocks are not taken").label("four braces"));
        }
        let end = start + rest.find("}}").map_or(rest.len(), |end| end + 2);
        let inside = text[start..end].trim_start_matches(['{', '~']);
        if inside.starts_with('#') {
            blocks.push((1, start..end));
        } else if inside.starts_with('/') {
            blocks.pop();
        } else if let (Some(_), Some(levels)) = (inside.strip_prefix("else").or(inside.strip_prefix('^')), blocks.last_mut()) {
            levels.0 += 1;
        }
        let blocks: usize = blocks.iter().map(|(levels, _)| levels).sum();
        let mut brackets = 0_usize;
        for c in inside.chars() {
            match c {
                '(' | '[' | '{' => brackets += 1,
                ')' | ']' | '}' => brackets = brackets.saturating_sub(1),
                _ => {}
            }
            if brackets > DEPTH_MAX || blocks > DEPTH_MAX {
                return Err(Diagnostic::error(file, &(start..end), "blocks or brackets stand too deep in one another")
                    .label(format!("at most {DEPTH_MAX} levels")));
            }
        }
        at = end;
    }
    match blocks.pop() {
        Some((_, place)) => {
            let name = text[place.clone()]
                .trim_matches(|c: char| !c.is_alphanumeric())
                .split(|c: char| c.is_whitespace() || c == '}')
                .next()
                .unwrap_or("");
            Err(Diagnostic::error(file, &place, format!("`{{{{#{name}}}}}` is never closed"))
                .label(format!("write {{{{/{name}}}}} behind it")))
        }
        None => Ok(()),
    }
}

/// The byte of a line and a column, both counted from 1.
pub(super) fn offset(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let inside: usize = text[start..].chars().take(column.saturating_sub(1)).map(char::len_utf8).sum();
    (start + inside).min(text.len())
}

/// The tag that begins at or after `at`: from its braces to theirs, or one character where there is none.
pub(super) fn tag(text: &str, at: usize) -> Range<usize> {
    let begin = text[at..].find("{{").map_or(at, |found| at + found);
    let end = text[begin..].find("}}").map_or(text.len(), |found| begin + found + 2);
    begin..end.max(begin)
}

/// The place of a word in a tag, or in an `{{else if}}` behind it, which has no place of its own; the tag where it is in neither.
pub(super) fn within(text: &str, place: &Range<usize>, word: &str) -> Range<usize> {
    let elses = text[place.end..].match_indices("{{").map(|(at, _)| tag(text, place.end + at));
    let elses = elses.filter(|place| text[place.clone()].trim_start_matches(['{', '~']).starts_with("else "));
    std::iter::once(place.clone()).chain(elses).find_map(|place| word_in(text, &place, word)).unwrap_or_else(|| place.clone())
}

fn word_in(text: &str, place: &Range<usize>, word: &str) -> Option<Range<usize>> {
    let inside = &text[place.clone()];
    let edge = |c: Option<char>| c.is_none_or(|c| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '/' | '@' | '-')));
    inside
        .match_indices(word)
        .filter(|_| !word.is_empty())
        .find(|(at, _)| edge(inside[..*at].chars().next_back()) && edge(inside[at + word.len()..].chars().next()))
        .map(|(at, _)| place.start + at..place.start + at + word.len())
}
