//! CSV (RFC 4180) into the tree that YAML gives: one record a row, columns as keys, `;` between what are lists in YAML.

use std::ops::Range;

use super::meant;
use crate::limits;
use crate::source::{Diagnostic, Entry, Kind, Node, Scalar, Shape, SourceFile, Style};
use crate::text::{cut, one_line};

/// A cell: its text, and its bytes without the quotes.
struct Cell {
    text: String,
    span: Range<usize>,
}

/// Reads `file` as the list of `section`. Empty cells are keys that are not there; unknown columns are reported once, at the header.
pub(super) fn parse(file: &SourceFile, section: &str, shape: &'static Shape, found: &mut Vec<Diagnostic>) -> Option<Node> {
    if file.text.len() > limits::SOURCE_BYTES_MAX {
        let message = format!("this file has {} bytes, more than the {} that one may have", file.text.len(), limits::SOURCE_BYTES_MAX);
        found.push(Diagnostic::error(file, &(0..0), message).help("divide it into several files"));
        return None;
    }
    let mut rows = rows(file, found).into_iter();
    let header = rows.next()?;
    let mut known: Vec<&str> = Vec::new();
    for column in &header {
        let name = column.text.as_str();
        if known.contains(&name) {
            found.push(Diagnostic::error(file, &column.span, format!("the column `{}` is there twice", shown(name))).help("leave one out"));
        } else if let Some((_, until_then)) = shape.later.iter().find(|(key, _)| *key == name) {
            let message = format!("the column `{name}` is not yet supported");
            let help = format!("a later version will know it; until then {until_then}");
            found.push(Diagnostic::error(file, &column.span, message).label("not yet").help(help));
        } else if !shape.names().any(|key| key == name) {
            let columns: Vec<&str> = shape.names().collect();
            let message = format!("unknown column `{}` in {}", shown(name), shape.what);
            let help = format!("known columns are {}, with commas between them", columns.join(", "));
            found.push(Diagnostic::error(file, &column.span, message).label(meant(name, shape.names()).unwrap_or_default()).help(help));
        }
        known.push(name);
    }
    if let Some(key) = shape.keys.iter().find(|key| key.required && !known.contains(&key.name)) {
        let line = header.first().map_or(0, |cell| cell.span.start)..header.last().map_or(0, |cell| cell.span.end);
        let message = format!("{} needs `{}`, and no column is named so", shape.what, key.name);
        found.push(Diagnostic::error(file, &line, message).help("the first line names the columns"));
        return None;
    }
    let mut records = Vec::new();
    for row in rows {
        let span = row.first().map_or(0, |cell| cell.span.start)..row.last().map_or(0, |cell| cell.span.end);
        if row.len() > header.len() {
            let message = format!("this row has {} cells, and the header {}", row.len(), header.len());
            found.push(Diagnostic::error(file, &span, message).help("a cell that holds a comma needs double quotes around it"));
            continue;
        }
        // Cells that are left out at the end are empty; where the file ends in them, it may have been cut off.
        if row.len() < header.len() && span.end == file.text.len() {
            let message = format!("the file ends in this row, which has {} cells of {}", row.len(), header.len());
            found.push(Diagnostic::error(file, &span, message).help("if it was not cut off, end it with a line end"));
            continue;
        }
        let entries = header
            .iter()
            .zip(row)
            .filter(|(column, cell)| !cell.text.is_empty() && shape.names().any(|key| key == column.text))
            .map(|(column, cell)| Entry {
                key: column.text.clone(),
                key_span: column.span.clone(),
                value: value(file, &column.text, &cell),
            })
            .collect();
        records.push(Node { span, kind: Kind::Map(entries) });
    }
    let span = 0..file.text.len();
    let records = Node { span: span.clone(), kind: Kind::Seq(records) };
    Some(Node { span, kind: Kind::Map(vec![Entry { key: section.to_owned(), key_span: 0..0, value: records }]) })
}

/// All rows, without empty ones.
fn rows(file: &SourceFile, found: &mut Vec<Diagnostic>) -> Vec<Vec<Cell>> {
    let text = &file.text;
    let mut rows = Vec::new();
    let mut row = Vec::new();
    let mut at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    while at < text.len() {
        let (cell, end) = match text[at..].strip_prefix('"') {
            Some(_) => quoted(file, at + 1, found),
            None => {
                let end = text[at..].find([',', '\n']).map_or(text.len(), |length| at + length);
                (cell(text, at..end), end)
            }
        };
        row.push(cell);
        at = end + 1;
        let ends_row = text[end..].starts_with('\n') || end >= text.len();
        if !ends_row && at == text.len() {
            row.push(cell_at_end(text));
        }
        if ends_row || at >= text.len() {
            let full: Vec<Cell> = std::mem::take(&mut row);
            if full.iter().any(|cell| !cell.text.is_empty()) {
                rows.push(full);
            }
        }
    }
    rows
}

/// A cell in quotes that begins at `start`, and where the comma, line end or end of file behind it is.
fn quoted(file: &SourceFile, start: usize, found: &mut Vec<Diagnostic>) -> (Cell, usize) {
    let text = &file.text;
    let mut content = String::new();
    let mut at = start;
    loop {
        let Some(quote) = text[at..].find('"').map(|length| at + length) else {
            found.push(
                Diagnostic::error(file, &(start - 1..start), "the quote that begins here is never closed")
                    .help("close it, or leave it out"),
            );
            return (Cell { text: String::new(), span: start..text.len() }, text.len());
        };
        content.push_str(&text[at..quote]);
        at = quote + 1;
        if text[at..].starts_with('"') {
            content.push('"');
            at += 1;
            continue;
        }
        let end = text[at..].find([',', '\n']).map_or(text.len(), |length| at + length);
        if !text[at..end].trim().is_empty() {
            let message = "something stands between the closing quote and the next comma";
            found.push(Diagnostic::error(file, &(at..end), message).help("a quote inside quotes is written twice: \"\""));
        }
        return (Cell { text: content.trim().to_owned(), span: start..quote }, end);
    }
}

fn cell(text: &str, span: Range<usize>) -> Cell {
    let raw = &text[span.clone()];
    let trimmed = raw.trim();
    let start = span.start + (raw.len() - raw.trim_start().len()).min(raw.len());
    Cell { text: trimmed.to_owned(), span: start..start + trimmed.len() }
}

fn cell_at_end(text: &str) -> Cell {
    cell(text, text.len()..text.len())
}

/// The node of a cell: lists, relations and labels are written on one line.
fn value(file: &SourceFile, column: &str, cell: &Cell) -> Node {
    let kind = match column {
        "aliases" | "stakeholders" | "mail" | "covers" => Kind::Seq(parts(file, cell).map(|(text, span)| scalar(text, span)).collect()),
        "relations" => Kind::Seq(
            parts(file, cell).map(|(text, span)| Node { span: span.clone(), kind: Kind::Map(vec![pair(text, span, ':')]) }).collect(),
        ),
        "labels" => Kind::Map(parts(file, cell).map(|(text, span)| pair(text, span, '=')).collect()),
        _ => return scalar(&cell.text, cell.span.clone()),
    };
    Node { span: cell.span.clone(), kind }
}

/// What stands between semicolons, with its bytes; with the bytes of the whole cell where quotes within moved them.
fn parts<'c>(file: &SourceFile, cell: &'c Cell) -> impl Iterator<Item = (&'c str, Range<usize>)> {
    let raw = &file.text[cell.span.clone()];
    let shift = raw.find(cell.text.as_str()).map(|shift| cell.span.start + shift);
    let whole = cell.span.clone();
    let mut at = 0;
    cell.text.split(';').filter_map(move |part| {
        let begin = at + (part.len() - part.trim_start().len());
        at += part.len() + 1;
        let part = part.trim();
        let span = shift.map_or_else(|| whole.clone(), |shift| shift + begin..shift + begin + part.len());
        (!part.is_empty()).then_some((part, span))
    })
}

fn pair(text: &str, span: Range<usize>, between: char) -> Entry {
    let is_exact = span.len() == text.len();
    let (key, value) = text.split_once(between).unwrap_or((text, ""));
    let start = span.end - value.len();
    let (key_span, value_span) = if is_exact { (span.start..span.start + key.len(), start..span.end) } else { (span.clone(), span) };
    let value = value.trim();
    // The empty value of a label is nothing, as it is in YAML; a relation has to lead somewhere.
    let style = if value.is_empty() && between == '=' { Style::Plain } else { Style::Quoted };
    let node = Node { span: value_span, kind: Kind::Scalar(Scalar { text: value.to_owned(), style }) };
    Entry { key: key.trim().to_owned(), key_span, value: node }
}

fn scalar(text: &str, span: Range<usize>) -> Node {
    Node { span, kind: Kind::Scalar(Scalar { text: text.to_owned(), style: Style::Quoted }) }
}

fn shown(text: &str) -> String {
    cut(&one_line(text), 60)
}
