//! Answers as people read them: tables and lines, with nothing in them that a terminal would obey.

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;
use watchkeeper_engine::text::{cut, one_line};
use watchkeeper_engine::time::{Span, Time};

/// Bytes of one cell.
const CELL_BYTES_MAX: usize = 120;

/// A table with these columns; an empty list is said in words.
pub(super) fn table(columns: &[&str], rows: Vec<Vec<String>>, nothing: &str) -> String {
    if rows.is_empty() {
        return format!("{nothing}\n");
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(columns.iter().map(|column| column.to_uppercase()));
    for row in rows {
        table.add_row(row.iter().map(|cell| cut(cell, CELL_BYTES_MAX)));
    }
    table.lines().map(|line| format!("{}\n", line.trim_end().strip_prefix(' ').unwrap_or(line.trim_end()))).collect()
}

/// A field as one line of plain text; nothing where it is missing.
pub(super) fn text(value: &Value, field: &str) -> String {
    plain(&value[field])
}

/// A value as one line of plain text.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => one_line(text),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => one_line(&value.to_string()),
    }
}

/// How long ago a time of the API is, in words.
pub(super) fn ago(value: &Value, field: &str, now: Time) -> String {
    value[field].as_str().and_then(Time::parse_rfc3339).map_or_else(String::new, |at| span(now - at))
}

/// A time of the API without its milliseconds, in UTC.
pub(super) fn at(value: &Value, field: &str) -> String {
    let Some(at) = value[field].as_str().and_then(Time::parse_rfc3339) else { return String::new() };
    let text = at.rfc3339();
    format!("{} {}Z", &text[..10], &text[11..19])
}

/// The items of a list.
pub(super) fn items(list: &Value) -> &[Value] {
    list["items"].as_array().map_or(&[], Vec::as_slice)
}

/// A line below a list of which there is more.
pub(super) fn more(list: &Value) -> &'static str {
    if list["next"].is_null() { "" } else { "there is more: --limit N shows up to 1000\n" }
}

/// `name: value`, aligned; left out where there is no value.
pub(super) fn line(name: &str, value: &str) -> String {
    if value.is_empty() { String::new() } else { format!("{name:<11} {value}\n") }
}

fn span(span: Span) -> String {
    if span < Span::ZERO { format!("in {}", Span(-span.0).words()) } else { span.words() }
}
