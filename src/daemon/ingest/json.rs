//! JSON as the doors read it: bounded before anything is built from it, and with the place of the first fault.
//!
//! The rules where senders differ: UTF-8 only, a leading byte order mark is skipped, of a repeated key the last value counts (as Go's decoder does it, so that
//! Alertmanager and this daemon read one body alike), `NaN` and `Infinity` are no JSON, a number that nobody reads may be of any size.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use watchkeeper_engine::input::{Given, Refused};
use watchkeeper_engine::time::Time;

/// How deep a body may nest. Deeper ones are refused before they are parsed: no sender we know goes beyond 10, and each level costs stack.
pub const JSON_DEPTH_MAX: usize = 64;

/// Values in one body. More are refused: a list of two-byte values would take sixteen times its size in memory.
pub const JSON_VALUES_MAX: usize = 262_144;

/// Alerts in one request. More are refused with 413, because a request is one batch of the writer and is never split; Prometheus sends at most 256.
pub const REQUEST_ALERTS_MAX: usize = 8_192;

/// Names and values of a JSON object of texts; a `null` value is an empty one.
#[derive(Debug, Default)]
pub struct Pairs(pub Vec<(String, String)>);

/// A time a sender may leave out, write as an empty text or `null`, or write as Go's zero time.
#[derive(Debug, Default, Clone, Copy)]
pub struct Moment(pub Given);

/// The same as Alertmanager takes it: see [`loose_moment`].
#[derive(Debug, Default, Clone, Copy)]
pub struct LooseMoment(pub Given);

/// The text of a body: UTF-8, bounded in depth and values.
///
/// # Errors
/// The first byte that is no UTF-8, or the bound that was passed, with its place.
pub fn text(body: &[u8]) -> Result<&str, Refused> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let text = std::str::from_utf8(body).map_err(|error| {
        let at = error.valid_up_to();
        refused(&place_of(body, at), format!("UTF-8, byte {at} of the body (0x{:02x}) is none", body.get(at).copied().unwrap_or(0)))
    })?;
    bounds(body)?;
    Ok(text)
}

/// The members of a JSON array, none of them parsed yet.
///
/// # Errors
/// The text is no JSON array, or holds more than [`REQUEST_ALERTS_MAX`] members.
pub fn members(text: &str) -> Result<Vec<&RawValue>, Refused> {
    let members: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| of_serde(&error, text, "a list of alerts `[…]`"))?;
    bounded_members(members)
}

/// The same list, if it is short enough.
///
/// # Errors
/// It is not.
pub fn bounded_members<T>(members: Vec<T>) -> Result<Vec<T>, Refused> {
    if members.len() > REQUEST_ALERTS_MAX {
        return Err(refused("alerts", format!("at most {REQUEST_ALERTS_MAX} alerts a request, this has {}", members.len())));
    }
    Ok(members)
}

/// A fault of serde_json in `text` as a place and what was expected; `wanted` where JSON of another kind stands there.
pub fn of_serde(error: &serde_json::Error, text: &str, wanted: &str) -> Refused {
    let place = format!("line {} column {}", error.line(), error.column());
    let told = error.to_string();
    let told = told.split(" at line ").next().unwrap_or_default();
    match error.classify() {
        serde_json::error::Category::Data => {
            let this = match text.trim_start().as_bytes().first() {
                Some(b'{') => "an object",
                Some(b'[') => "a list",
                Some(b'"') => "a text",
                Some(b't' | b'f') => "true or false",
                Some(b'n') => "null",
                _ => "a number",
            };
            refused("body", format!("{wanted}, this is {this}"))
        }
        serde_json::error::Category::Eof if error.line() <= 1 && error.column() == 0 => {
            refused("body", format!("{wanted}, the body is empty"))
        }
        serde_json::error::Category::Eof | serde_json::error::Category::Syntax | serde_json::error::Category::Io => {
            refused(&place, format!("JSON, {told}"))
        }
    }
}

/// What kind of thing a value is, as a message names it.
pub const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The time of a sender's text: RFC 3339, `None` where it is empty or Go's zero time, and [`Time::NEVER`] for the last days of 9999, by which some say "never".
pub fn moment(text: &str) -> Option<Given> {
    if text.is_empty() || text.starts_with("0001-01-01T00:00:00") {
        Some(None)
    } else if let Some(time) = Time::parse_rfc3339(text) {
        Some(Some(time))
    } else {
        text.starts_with("9999-12-3").then_some(Some(Time::NEVER))
    }
}

/// The time of a text as Alertmanager takes it: also without a zone, which is UTC then, without seconds, or a day. An empty one is the beginning of 1970.
pub fn loose_moment(text: &str) -> Option<Given> {
    if text.is_empty() {
        return Some(Some(Time(0)));
    }
    moment(text).or_else(|| {
        let text = text.replacen(' ', "T", 1);
        let bare = text.strip_suffix('Z').unwrap_or(&text);
        ["Z", ":00Z", "T00:00:00Z"].iter().find_map(|rest| moment(&format!("{bare}{rest}")))
    })
}

/// A refusal.
pub fn refused(place: &str, expected: impl Into<String>) -> Refused {
    Refused { place: place.to_owned(), expected: expected.into() }
}

fn bounds(body: &[u8]) -> Result<(), Refused> {
    let (mut depth, mut values, mut in_text, mut escaped) = (0_usize, 1_usize, false, false);
    for (at, byte) in body.iter().enumerate() {
        if in_text {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_text = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_text = true,
            b'[' | b'{' => {
                depth += 1;
                if depth > JSON_DEPTH_MAX {
                    return Err(refused(&place_of(body, at), format!("at most {JSON_DEPTH_MAX} levels of lists and objects")));
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' => {
                values += 1;
                if values > JSON_VALUES_MAX {
                    return Err(refused(&place_of(body, at), format!("at most {JSON_VALUES_MAX} values in a body")));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn place_of(body: &[u8], at: usize) -> String {
    let before = &body[..at];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = at - before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1) + 1;
    format!("line {line} column {column}")
}

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Pairs, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_unit<E>(self) -> Result<Pairs, E> {
                Ok(Pairs::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::with_capacity(8);
                while let Some((name, value)) = map.next_entry::<String, Option<String>>()? {
                    pairs.push((name, value.unwrap_or_default()));
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_any(Object)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Moment, D::Error> {
        deserializer.deserialize_any(TimeText(moment)).map(Moment)
    }
}

impl<'de> Deserialize<'de> for LooseMoment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<LooseMoment, D::Error> {
        deserializer.deserialize_any(TimeText(loose_moment)).map(LooseMoment)
    }
}

/// Reads the text of a time.
struct TimeText(fn(&str) -> Option<Given>);

impl Visitor<'_> for TimeText {
    type Value = Given;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time such as 2026-11-24T03:02:00Z")
    }

    fn visit_unit<E>(self) -> Result<Given, E> {
        Ok(None)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Given, E> {
        (self.0)(text).ok_or_else(|| E::custom("no time of RFC 3339"))
    }
}
