//! Instants and spans in milliseconds, their texts, and the durations that rule files write (`90s`, `5m`, `3m20s`, `7d`).

use std::borrow::Cow;
use std::fmt;
use std::ops::{Add, Sub};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use minicbor::{Decode, Encode};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error as _, Unexpected};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An instant: milliseconds since 1970-01-01T00:00:00Z. Milliseconds, because that is what every sender we know writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct Time(#[n(0)] pub i64);

/// A length of time in milliseconds; may be negative where two instants are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct Span(#[n(0)] pub i64);

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no duration: write a number and a unit, such as 90s, 5m, 4h, 7d or 2w (also 3m20s)")]
pub struct NotADuration(pub String);

impl Time {
    /// Further away than anything that ends: what a door gives an alert that fires until its sender clears it. The last millisecond of 9999.
    pub const NEVER: Time = Time(253_402_300_799_999);

    /// The instant of an RFC 3339 text; `None` where it is none, or the zero time by which Go says "not set".
    pub fn parse_rfc3339(text: &str) -> Option<Time> {
        let timestamp: Timestamp = text.parse().ok()?;
        Some(Time(timestamp.as_millisecond())).filter(|_| !text.starts_with("0001-01-01T00:00:00"))
    }

    /// RFC 3339 in UTC with milliseconds: `2026-11-24T03:02:00.000Z`, as the API writes every time.
    pub fn rfc3339(self) -> String {
        self.timestamp().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
    }

    /// The same instant for calendars.
    pub fn timestamp(self) -> Timestamp {
        Timestamp::from_millisecond(self.0).unwrap_or(if self.0 < 0 { Timestamp::MIN } else { Timestamp::MAX })
    }

    /// The civil time in `zone`.
    pub fn in_zone(self, zone: &TimeZone) -> jiff::civil::DateTime {
        zone.to_datetime(self.timestamp())
    }
}

impl Span {
    /// No time.
    pub const ZERO: Span = Span(0);

    /// `n` seconds.
    pub const fn seconds(n: i64) -> Span {
        Span(n * 1_000)
    }

    /// `n` minutes.
    pub const fn minutes(n: i64) -> Span {
        Span(n * 60_000)
    }

    /// `n` hours.
    pub const fn hours(n: i64) -> Span {
        Span(n * 3_600_000)
    }

    /// `n` days of 24 hours.
    pub const fn days(n: i64) -> Span {
        Span(n * 86_400_000)
    }

    /// The span that a rule file writes: one or more numbers with a unit of `ms s m h d w`, largest first or not.
    pub fn parse(text: &str) -> Result<Span, NotADuration> {
        let fault = || NotADuration(text.to_owned());
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(fault());
        }
        let mut total: i64 = 0;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let number: i64 = rest[..digits].parse().map_err(|_| fault())?;
            let after = &rest[digits..];
            let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
            let unit = match &after[..letters] {
                "ms" => 1,
                "s" => 1_000,
                "m" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                "w" => 7 * 86_400_000,
                _ => return Err(fault()),
            };
            total = number.checked_mul(unit).and_then(|ms| total.checked_add(ms)).ok_or_else(fault)?;
            rest = &after[letters..];
        }
        // A century: further away than any rule means, and far from the end of the number.
        if total > Span::days(36_525).0 { Err(fault()) } else { Ok(Span(total)) }
    }

    /// Words for people: `40 s`, `3 min`, `3 h 19 min`, `2 d 4 h`; the two largest units.
    pub fn words(self) -> String {
        let seconds = self.0.max(0) / 1_000;
        let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
        match (days, hours, minutes) {
            (0, 0, 0) => format!("{seconds} s"),
            (0, 0, m) => format!("{m} min"),
            (0, h, 0) => format!("{h} h"),
            (0, h, m) => format!("{h} h {m} min"),
            (d, 0, _) => format!("{d} d"),
            (d, h, _) => format!("{d} d {h} h"),
        }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

/// As rule files write it: the fewest units that say it exactly (`1h30m`).
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = self.0;
        if left == 0 {
            return f.write_str("0s");
        }
        if left < 0 {
            f.write_str("-")?;
            left = -left;
        }
        for (unit, name) in [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms")] {
            if left >= unit {
                write!(f, "{}{name}", left / unit)?;
                left %= unit;
            }
        }
        Ok(())
    }
}

/// RFC 3339, as the API writes every time.
impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.rfc3339())
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Time::parse_rfc3339(&text).ok_or_else(|| D::Error::invalid_value(Unexpected::Str(&text), &"a time such as 2026-11-24T03:02:00Z"))
    }
}

impl JsonSchema for Time {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

/// As rule files write it.
impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
        Span::parse(&Cow::<'de, str>::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "examples": ["90s", "5m", "1h30m"] })
    }
}

impl Add<Span> for Time {
    type Output = Time;
    fn add(self, span: Span) -> Time {
        Time(self.0.saturating_add(span.0))
    }
}

impl Sub<Span> for Time {
    type Output = Time;
    fn sub(self, span: Span) -> Time {
        Time(self.0.saturating_sub(span.0))
    }
}

impl Sub<Time> for Time {
    type Output = Span;
    fn sub(self, other: Time) -> Span {
        Span(self.0.saturating_sub(other.0))
    }
}
