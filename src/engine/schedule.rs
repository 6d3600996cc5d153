//! Crontab schedules of five fields in a time zone: `0 22 * * tue#2`, the days and the changes of the clock as people know them from cron.
//!
//! Read here and spelt out as the `cron` crate wants it, which parses and matches the fields: it wants seconds, refuses `0` for Sunday, `sat-mon`, `#` and `L`,
//! joins its two day fields with "and", and knows nothing of clocks that are put forward and back. Those rules are here.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr as _;

use cron::TimeUnitSpec as _;
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use crate::time::Time;

/// Times that come again, by the clock of one zone.
///
/// Where the clock is put forward, what falls into the gap comes once, at its end; a job of every hour goes on with the hours there are.
/// Where it is put back, a job at fixed hours comes the first time only; one whose minute or hour field begins with `*` comes each time.
#[derive(Debug, Clone)]
pub struct Schedule {
    text: String,
    zone_name: String,
    zone: TimeZone,
    /// The five fields spelt out, at second 0.
    fields: Box<cron::Schedule>,
    minutes: Shape,
    hours: Shape,
    days: Shape,
    weekdays: Shape,
    /// `L` among the days: the last of the month.
    last_day: bool,
    /// For each weekday from Sunday, which of the month: bits 1 to 5, and bit 0 for the last.
    which: [u8; 7],
}

/// How a field was written, which tells how it goes with the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// It begins with `*`.
    Star,
    /// It names numbers.
    Numbers,
    /// It names only what is counted within a month, `L` or `tue#2`: the crate is handed `*` in its place.
    Counted,
}

/// One field: its numbers between commas, and how it was written.
struct Field {
    numbers: String,
    shape: Shape,
}

/// What a field may hold.
struct Kind {
    name: &'static str,
    least: u32,
    most: u32,
    names: &'static [&'static str],
    may_wrap: bool,
    /// What the crate counts from, where that is another number: its Sunday is 1.
    shift: u32,
}

const MINUTE: Kind = Kind { name: "minute", least: 0, most: 59, names: &[], may_wrap: true, shift: 0 };
const HOUR: Kind = Kind { name: "hour", least: 0, most: 23, names: &[], may_wrap: true, shift: 0 };
const DAY: Kind = Kind { name: "day of the month", least: 1, most: 31, names: &[], may_wrap: false, shift: 0 };
const MONTH: Kind = Kind {
    name: "month",
    least: 1,
    most: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    may_wrap: true,
    shift: 0,
};
const WEEKDAY: Kind =
    Kind { name: "weekday", least: 0, most: 6, names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"], may_wrap: true, shift: 1 };

/// Shorthands of other crons, and how they are written here.
const SHORTHANDS: &[(&str, &str)] = &[
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * sun"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// Days that a search goes through: within this every day and weekday that a calendar has come together (29 February on a Monday: 40 years).
const SEARCH_DAYS: i64 = 41 * 366;

impl Schedule {
    /// The schedule of a crontab expression in a zone such as `Europe/Berlin`.
    ///
    /// # Errors
    /// The sentence of what is wrong with it.
    pub fn parse(expression: &str, zone: &str) -> Result<Schedule, String> {
        let tz =
            TimeZone::get(zone).map_err(|_| format!("unknown time zone `{zone}`; expected a name such as `Europe/Berlin` or `UTC`"))?;
        let text = expression.trim();
        if text.starts_with('@') {
            return Err(match SHORTHANDS.iter().find(|(short, _)| *short == text) {
                Some((_, long)) => format!("`{text}` is written `{long}`"),
                None => format!("`{text}` is no schedule; five fields are read: minute hour day month weekday"),
            });
        }
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields[..] else {
            let seconds = if fields.len() == 6 { " (no seconds, no year)" } else { "" };
            return Err(format!("{} fields; five are read: minute hour day month weekday{seconds}", fields.len()));
        };
        let (minutes, hours, months) = (field(minute, &MINUTE)?, field(hour, &HOUR)?, field(month, &MONTH)?);
        let (last, days): (Vec<&str>, Vec<&str>) = day.split(',').partition(|part| part.eq_ignore_ascii_case("l"));
        let days = field_of(&days, &DAY)?;
        let mut which = [0; 7];
        let mut weekdays = Vec::new();
        for part in weekday.split(',') {
            match numbered_weekday(part)? {
                Some((weekday, bit)) => which[weekday] |= bit,
                None => weekdays.push(part),
            }
        }
        let weekdays = field_of(&weekdays, &WEEKDAY)?;
        let spelt_out = ["0", &minutes.numbers, &hours.numbers, &days.numbers, &months.numbers, &weekdays.numbers].join(" ");
        let parsed = cron::Schedule::from_str(&spelt_out).map_err(|fault| format!("`{text}` is refused: {fault}"))?;
        let schedule = Schedule {
            text: fields.join(" "),
            zone_name: zone.to_owned(),
            zone: tz,
            fields: Box::new(parsed),
            minutes: minutes.shape,
            hours: hours.shape,
            days: days.shape,
            weekdays: weekdays.shape,
            last_day: !last.is_empty(),
            which,
        };
        if schedule.next_after(Time(0)).is_none() {
            return Err(format!("`{}` never comes: no month in it has such a day", schedule.text));
        }
        Ok(schedule)
    }

    /// The first time after `time`; none before the end of the calendar.
    pub fn next_after(&self, time: Time) -> Option<Time> {
        // A day earlier, because a clock that is put back may show yesterday again.
        let mut day = time.in_zone(&self.zone).date().yesterday().ok()?;
        let mut found: Option<Time> = None;
        for _ in 0..SEARCH_DAYS {
            let earliest = self.times_on(day).into_iter().filter(|at| *at > time).min();
            // And a day later, for the same reason.
            match (found, earliest) {
                (Some(found), other) => return Some(other.map_or(found, |other| found.min(other))),
                (None, earliest) => found = earliest,
            }
            day = day.tomorrow().ok()?;
        }
        found
    }

    /// The last time at or before `time`.
    pub fn last_at_or_before(&self, time: Time) -> Option<Time> {
        let mut day = time.in_zone(&self.zone).date().tomorrow().ok()?;
        let mut found: Option<Time> = None;
        for _ in 0..SEARCH_DAYS {
            let latest = self.times_on(day).into_iter().filter(|at| *at <= time).max();
            match (found, latest) {
                (Some(found), other) => return Some(other.map_or(found, |other| found.max(other))),
                (None, latest) => found = latest,
            }
            day = day.yesterday().ok()?;
        }
        found
    }

    /// How many times it comes from `from` until `until`, both included. A count beyond 41 years ends there.
    pub fn count(&self, from: Time, until: Time) -> u32 {
        let mut count = 0;
        let Ok(mut day) = from.in_zone(&self.zone).date().yesterday() else { return 0 };
        let end = until.in_zone(&self.zone).date().tomorrow().unwrap_or(Date::MAX);
        for _ in 0..SEARCH_DAYS {
            if day > end {
                break;
            }
            let mut times = self.times_on(day);
            // What falls into a gap comes once, at its end.
            times.sort_unstable();
            times.dedup();
            count += times.into_iter().filter(|at| (from..=until).contains(at)).count();
            let Ok(next) = day.tomorrow() else { break };
            day = next;
        }
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// The zone as it was written.
    pub fn zone(&self) -> &str {
        &self.zone_name
    }

    /// The instants of one day of the calendar, in no order.
    fn times_on(&self, day: Date) -> Vec<Time> {
        if !self.is_on(day) {
            return Vec::new();
        }
        let clock = self.fields.hours().iter().flat_map(|hour| self.fields.minutes().iter().map(move |minute| (hour, minute)));
        let clock = clock.map(|(hour, minute)| day.at(ordinal(hour), ordinal(minute), 0, 0));
        match self.steady_offset(day) {
            Some(offset) => clock.filter_map(|civil| instant(civil, offset)).collect(),
            None => clock.flat_map(|civil| self.instants(civil)).collect(),
        }
    }

    fn is_on(&self, day: Date) -> bool {
        if !self.fields.months().includes(day.month().unsigned_abs().into()) {
            return false;
        }
        let last = day.days_in_month();
        let day_named = self.days != Shape::Counted && self.fields.days_of_month().includes(day.day().unsigned_abs().into());
        let by_day = day_named || (self.last_day && day.day() == last);
        let weekday = day.weekday().to_sunday_zero_offset().unsigned_abs();
        let weekday_named = self.weekdays != Shape::Counted && self.fields.days_of_week().includes(u32::from(weekday) + 1);
        let nth = (day.day() - 1) / 7 + 1;
        let is_last = day.day() + 7 > last;
        let which = self.which[usize::from(weekday)];
        let by_weekday = weekday_named || which >> nth & 1 == 1 || (is_last && which & 1 == 1);
        // As in every cron: two days that were both named are joined by "or", a field that begins with `*` names none.
        if self.days == Shape::Star || self.weekdays == Shape::Star { by_day && by_weekday } else { by_day || by_weekday }
    }

    /// The offset of a day far from every change of the clock.
    fn steady_offset(&self, day: Date) -> Option<SignedDuration> {
        let midnight = TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).ok()?;
        // No offset is larger than 26 hours, no day longer than 48.
        let from = midnight.checked_sub(SignedDuration::from_hours(26)).ok()?;
        let until = midnight.checked_add(SignedDuration::from_hours(74)).ok()?;
        match self.zone.following(from).next() {
            Some(change) if change.timestamp() <= until => None,
            Some(_) | None => Some(SignedDuration::from_secs(i64::from(self.zone.to_offset(midnight).seconds()))),
        }
    }

    /// The instants at which a clock of the zone shows `civil`, or the end of the gap that it falls into.
    fn instants(&self, civil: DateTime) -> Vec<Time> {
        let at = |offset: jiff::tz::Offset| instant(civil, SignedDuration::from_secs(i64::from(offset.seconds())));
        match self.zone.to_ambiguous_timestamp(civil).offset() {
            AmbiguousOffset::Unambiguous { offset } => at(offset).into_iter().collect(),
            AmbiguousOffset::Fold { before, after } if self.minutes == Shape::Star || self.hours == Shape::Star => {
                [at(before), at(after)].into_iter().flatten().collect()
            }
            AmbiguousOffset::Fold { before, .. } => at(before).into_iter().collect(),
            AmbiguousOffset::Gap { .. } if self.hours == Shape::Star => Vec::new(),
            // By the offset after the gap, its times lie before the change.
            AmbiguousOffset::Gap { after, .. } => at(after).and_then(|before| self.change_after(before)).into_iter().collect(),
        }
    }

    fn change_after(&self, time: Time) -> Option<Time> {
        self.zone.following(time.timestamp()).next().map(|change| Time(change.timestamp().as_millisecond()))
    }
}

/// As it was written, one blank between the fields.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Two are the same that were written the same.
impl PartialEq for Schedule {
    fn eq(&self, other: &Schedule) -> bool {
        (&self.text, &self.zone_name) == (&other.text, &other.zone_name)
    }
}

impl Eq for Schedule {}

fn instant(civil: DateTime, offset: SignedDuration) -> Option<Time> {
    let utc: Timestamp = TimeZone::UTC.to_timestamp(civil).ok()?;
    Some(Time(utc.checked_sub(offset).ok()?.as_millisecond()))
}

/// An hour or a minute of the crate's.
fn ordinal(number: u32) -> i8 {
    i8::try_from(number).unwrap_or(i8::MAX)
}

/// What is left of a field without the parts that are counted within a month.
fn field_of(parts: &[&str], kind: &Kind) -> Result<Field, String> {
    if parts.is_empty() {
        return Ok(Field { numbers: "*".to_owned(), shape: Shape::Counted });
    }
    field(&parts.join(","), kind)
}

/// A field: numbers, names, ranges and steps between commas.
fn field(text: &str, kind: &Kind) -> Result<Field, String> {
    let mut numbers = BTreeSet::new();
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (part, None),
        };
        let step_by = match step {
            Some(step) => digits(step)
                .filter(|step| *step > 0)
                .ok_or_else(|| format!("`{part}` in the {} field: the step after `/` is a number from 1", kind.name))?,
            None => 1,
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (kind.least, kind.most),
            Some((first, last)) => (number(first, kind)?, number(last, kind)?),
            None => {
                let only = number(range, kind)?;
                (only, if step.is_some() { kind.most } else { only })
            }
        };
        let span = kind.most - kind.least + 1;
        let length = match (last + 1).checked_sub(first) {
            Some(length) if length > 0 => length,
            _ if kind.may_wrap => last + 1 + span - first,
            _ => return Err(format!("`{range}` in the {} field ends before it begins", kind.name)),
        };
        // A weekday 7 is Sunday at the end of the week: it wraps to 0.
        for at in (first..first + length).step_by(step_by as usize) {
            numbers.insert((at - kind.least) % span + kind.least + kind.shift);
        }
    }
    let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
    let shape = if text.starts_with('*') { Shape::Star } else { Shape::Numbers };
    Ok(Field { numbers: numbers.join(","), shape })
}

fn number(text: &str, kind: &Kind) -> Result<u32, String> {
    let lower = text.to_ascii_lowercase();
    if let Some(at) = kind.names.iter().position(|name| *name == lower) {
        return Ok(kind.least + u32::try_from(at).unwrap_or_default());
    }
    // Sunday is 0 or 7.
    let most = if kind.names.first() == Some(&"sun") { 7 } else { kind.most };
    match digits(text) {
        Some(number) if (kind.least..=most).contains(&number) => Ok(number),
        Some(number) => Err(format!("`{number}` is no {}; it goes from {} to {most}", kind.name, kind.least)),
        None => {
            let nearest =
                kind.names.iter().filter(|name| !lower.is_empty() && (lower.starts_with(**name) || strsim::levenshtein(name, &lower) <= 1));
            let hint = nearest.map(|name| format!("; did you mean `{name}`?")).next();
            let names = if kind.names.is_empty() {
                String::new()
            } else {
                format!(" or {} to {}", kind.names[0], kind.names[kind.names.len() - 1])
            };
            Err(format!("`{text}` is no {}: expected {} to {most}{names}{}", kind.name, kind.least, hint.unwrap_or_default()))
        }
    }
}

/// `tue#2` and `fri#L`: the weekday from Sunday, and the bit of which one in the month.
fn numbered_weekday(part: &str) -> Result<Option<(usize, u8)>, String> {
    let Some((day, which)) = part.split_once('#') else {
        return match part.strip_suffix(['L', 'l']).filter(|day| number(day, &WEEKDAY).is_ok()) {
            Some(day) => Err(format!("`{part}` is no weekday: the last of the month is written `{}#L`", day.to_lowercase())),
            None => Ok(None),
        };
    };
    let weekday = number(day, &WEEKDAY)? % 7;
    let bit = match digits(which) {
        Some(nth @ 1..=5) => 1 << nth,
        None if which.eq_ignore_ascii_case("l") => 1,
        Some(_) | None => return Err(format!("`{part}`: after `#` stands 1 to 5, or L for the last of the month")),
    };
    Ok(Some((weekday as usize, bit)))
}

fn digits(text: &str) -> Option<u32> {
    text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()))
}
