//! Answers as people read them: tables and lines, with nothing in them that a terminal would obey.

use std::fmt::Display;

use comfy_table::{ContentArrangement, Table, presets};
use jiff::tz::TimeZone;
use serde::de::DeserializeOwned;
use serde_json::Value;
use watchkeeper_engine::text::{cut, one_line};
use watchkeeper_engine::time::{Span, Time};

use super::client::Output;
use super::{json_text, print};
use crate::app::Failure;
use crate::view::Page;

/// Bytes of one cell.
const CELL_BYTES_MAX: usize = 120;

/// Where the machine's zone is named.
const LOCAL_ZONE: &str = "/etc/localtime";

/// Who reads: when, and in which zone.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    /// When.
    pub(super) now: Time,
    zone: TimeZone,
}

impl Reader {
    /// Somebody who reads times in UTC.
    pub(super) const fn utc(now: Time) -> Reader {
        Reader { now, zone: TimeZone::UTC }
    }

    /// Whoever sits at this terminal: the zone of `TZ`, else the machine's.
    pub(super) fn here(now: Time) -> Reader {
        let named = std::env::var("TZ").ok().filter(|name| !name.is_empty());
        let linked = || {
            let target = std::fs::read_link(LOCAL_ZONE).ok()?;
            Some(target.to_str()?.split_once("zoneinfo/")?.1.to_owned())
        };
        let zone = named.or_else(linked).and_then(|name| zone(&name)).unwrap_or(TimeZone::UTC);
        Reader { now, zone }
    }

    /// A moment: `2026-11-24 04:02:00 CET`.
    pub(super) fn at(&self, at: Time) -> String {
        let zone = self.zone.to_offset_info(at.timestamp());
        format!("{} {}", at.in_zone(&self.zone).strftime("%Y-%m-%d %H:%M:%S"), zone.abbreviation())
    }

    /// A moment that may not be there.
    pub(super) fn maybe_at(&self, at: Option<Time>) -> String {
        at.map_or_else(String::new, |at| self.at(at))
    }

    /// How long ago a moment is, in words.
    pub(super) fn ago(&self, at: Time) -> String {
        let span = self.now - at;
        if span < Span::ZERO { format!("in {}", Span(-span.0).words()) } else { span.words() }
    }
}

/// A zone as `TZ` names it.
fn zone(name: &str) -> Option<TimeZone> {
    let name = name.trim_start_matches(':');
    TimeZone::get(name).ok().or_else(|| TimeZone::posix(name).ok())
}

/// Prints an answer of the API: as it came, or as `table` draws what it means.
pub(super) fn show<T: DeserializeOwned>(output: Output, answer: Value, table: impl FnOnce(&T) -> String) -> Result<(), Failure> {
    print(&match output {
        Output::Json => json_text(&answer),
        Output::Table => table(&read(answer)?),
    });
    Ok(())
}

/// What an answer means.
pub(super) fn read<T: DeserializeOwned>(answer: Value) -> Result<T, Failure> {
    serde_path_to_error::deserialize(answer).map_err(|error| Failure {
        code: 70,
        text: format!("the daemon's answer is not understood; is it of another version? {}: {}", error.path(), error.inner()),
    })
}

/// A table with these columns; an empty list is said in words.
pub(super) fn table(columns: &[&str], rows: Vec<Vec<String>>, nothing: &str) -> String {
    if rows.is_empty() {
        return format!("{nothing}\n");
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(columns.iter().map(|column| column.to_uppercase()));
    for row in rows {
        // A cell may have lines of ours; each is one line whatever a sender wrote.
        table.add_row(row.iter().map(|cell| cell.lines().map(|line| cut(&one_line(line), CELL_BYTES_MAX)).collect::<Vec<_>>().join("\n")));
    }
    table.lines().map(|line| format!("{}\n", line.trim_end().strip_prefix(' ').unwrap_or(line.trim_end()))).collect()
}

/// A value that may not be there.
pub(super) fn maybe<T: Display>(value: Option<&T>) -> String {
    value.map_or_else(String::new, ToString::to_string)
}

/// Values with commas between them.
pub(super) fn joined<T: Display>(values: &[T]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// A word of the API as people read it: `on hold`.
pub(super) fn words(word: impl Display) -> String {
    word.to_string().replace('_', " ")
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

/// The items of a list.
pub(super) fn items(list: &Value) -> &[Value] {
    list["items"].as_array().map_or(&[], Vec::as_slice)
}

const MORE: &str = "there is more: --limit N shows up to 1000\n";

/// A line below a list of which there is more.
pub(super) fn more(list: &Value) -> &'static str {
    if list["next"].is_null() { "" } else { MORE }
}

/// A list as a table, with a line below where there is more.
pub(super) fn listed<T>(columns: &[&str], list: &Page<T>, row: impl Fn(&T) -> Vec<String>, nothing: &str) -> String {
    let more = if list.next.is_none() { "" } else { MORE };
    table(columns, list.items.iter().map(row).collect(), nothing) + more
}

/// `name: value`, aligned; left out where there is no value.
pub(super) fn line(name: &str, value: &str) -> String {
    let value = one_line(value);
    if value.is_empty() { String::new() } else { format!("{name:<13} {value}\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_shown_in_the_readers_zone_without_milliseconds() {
        let at = Time::parse_rfc3339("2026-07-01T02:02:03.456Z").expect("it is a time");
        let reader = |name: &str| Reader { now: at, zone: zone(name).expect("it is a zone") };
        assert_eq!(reader("Europe/Berlin").at(at), "2026-07-01 04:02:03 CEST");
        assert_eq!(reader(":UTC").at(at), "2026-07-01 02:02:03 UTC");
        assert_eq!(reader("CET-1").at(at), "2026-07-01 03:02:03 CET");
        assert!(zone("Nowhere/Atall").is_none());
    }
}
