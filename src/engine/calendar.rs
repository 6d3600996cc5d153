//! Working time: open hours in one zone, days closed, and the arithmetic of targets across nights, weekends, holidays and changes of the clock.
//!
//! Goes through civil dates and turns the ends of each day's hours into instants, so that a change of the clock is nothing special: what falls into
//! a gap begins at its end, and hours that the clock shows twice are worked twice. Nothing here knows what a target is for.

use std::fmt;

use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use minicbor::{Decode, Encode};

use crate::time::{Span, Time};

/// Minutes of a civil day, at which an interval that lasts until midnight ends.
pub const DAY_MINUTES: u16 = 24 * 60;
/// Days that an addition goes through before it says "never": more than a century, so only a calendar closed for ever gets there.
const SEARCH_DAYS: u32 = 40_000;

/// When a calendar is open, as rows keep it: a running clock has the calendar that it was attached with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Hours {
    /// The zone that its times are of.
    #[n(0)]
    pub zone: String,
    /// The intervals of each day from Monday to Sunday, in order and apart.
    #[n(1)]
    pub week: Vec<Vec<Interval>>,
    /// The days on which it is closed, whatever the day of the week; in order.
    #[n(2)]
    pub closed: Vec<Closed>,
}

/// Hours of one day: minutes since midnight as the clock shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Interval {
    /// From.
    #[n(0)]
    pub from: u16,
    /// Until; at most [`DAY_MINUTES`], which is midnight.
    #[n(1)]
    pub until: u16,
}

/// Days without work, first and last, each as days since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Closed {
    /// The first.
    #[n(0)]
    pub first: i32,
    /// The last.
    #[n(1)]
    pub last: i32,
}

impl Closed {
    /// The days from `first` to `last`, both closed.
    pub fn between(first: Date, last: Date) -> Closed {
        Closed { first: day_number(first), last: day_number(last) }
    }
}

/// How much time a target allows, as rules write it: `4h` by the clock on the wall, `8bh` of working time, `2bd` working days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum Allowance {
    /// By the clock on the wall, nights and weekends included.
    #[n(0)]
    Wall(#[n(0)] Span),
    /// Of the calendar's open hours.
    #[n(1)]
    Working(#[n(0)] Span),
    /// Ends so many working days after, at the same time of day.
    #[n(2)]
    Days(#[n(0)] u32),
}

/// Why a text is no allowance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAllowance {
    /// `d` or `w`: 24 hours, or a working day?
    Ambiguous,
    /// Nothing, or nearly a century.
    OutOfRange,
    /// It is not written like one.
    NotOne,
}

/// The longest time that a target may allow: a year. Nobody waits longer for one incident.
const ALLOWANCE_MAX: Span = Span::days(366);

impl Allowance {
    /// The allowance of a text: wall time in `s m h`, or working time in `bm bh`, or `bd`.
    ///
    /// # Errors
    /// Why it is none.
    pub fn parse(text: &str) -> Result<Allowance, NoAllowance> {
        let text = text.trim();
        let bounded = |span: Span| if span > Span::ZERO && span <= ALLOWANCE_MAX { Ok(span) } else { Err(NoAllowance::OutOfRange) };
        if let Some(days) = text.strip_suffix("bd") {
            let days: u32 = days.parse().map_err(|_| NoAllowance::NotOne)?;
            return if (1..=366).contains(&days) { Ok(Allowance::Days(days)) } else { Err(NoAllowance::OutOfRange) };
        }
        if text.contains('b') {
            let wall = text.replace("bh", "h").replace("bm", "m");
            let pure = text.matches('b').count() == wall.matches(['h', 'm']).count() && !wall.contains(['b', 's', 'd', 'w']);
            return match Span::parse(&wall) {
                Ok(span) if pure => bounded(span).map(Allowance::Working),
                Ok(_) | Err(_) => Err(NoAllowance::NotOne),
            };
        }
        match Span::parse(text) {
            Ok(_) if text.contains(['d', 'w']) => Err(NoAllowance::Ambiguous),
            Ok(span) => bounded(span).map(Allowance::Wall),
            Err(_) => Err(NoAllowance::NotOne),
        }
    }

    /// Whether it counts the hours of a calendar.
    pub const fn needs_calendar(self) -> bool {
        match self {
            Allowance::Wall(_) => false,
            Allowance::Working(_) | Allowance::Days(_) => true,
        }
    }

    /// Words for people: `4 h`, `8 working h`, `2 working days`.
    pub fn words(self) -> String {
        match self {
            Allowance::Wall(span) => span.words(),
            Allowance::Working(span) => {
                let (hours, minutes) = (span.0 / 3_600_000, span.0 / 60_000 % 60);
                match (hours, minutes) {
                    (0, minutes) => format!("{minutes} working min"),
                    (hours, 0) => format!("{hours} working h"),
                    (hours, minutes) => format!("{hours} working h {minutes} min"),
                }
            }
            Allowance::Days(1) => "1 working day".to_owned(),
            Allowance::Days(days) => format!("{days} working days"),
        }
    }
}

/// As rule files write it.
impl fmt::Display for Allowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Allowance::Wall(span) => write!(f, "{}", HoursAndMinutes(*span, "")),
            Allowance::Working(span) => write!(f, "{}", HoursAndMinutes(*span, "b")),
            Allowance::Days(days) => write!(f, "{days}bd"),
        }
    }
}

struct HoursAndMinutes(Span, &'static str);

impl fmt::Display for HoursAndMinutes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let HoursAndMinutes(Span(ms), mark) = self;
        let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
        for (number, unit) in [(hours, "h"), (minutes, "m")] {
            if number > 0 {
                write!(f, "{number}{mark}{unit}")?;
            }
        }
        if seconds > 0 { write!(f, "{seconds}s") } else { Ok(()) }
    }
}

/// A calendar that can be asked.
#[derive(Debug, Clone)]
pub struct Calendar {
    hours: Hours,
    /// `None`: it is always open, and no zone matters.
    zone: Option<TimeZone>,
}

impl PartialEq for Calendar {
    fn eq(&self, other: &Calendar) -> bool {
        self.hours == other.hours
    }
}

impl Eq for Calendar {}

impl Calendar {
    /// The calendar that is open all the time.
    pub fn always() -> Calendar {
        let day = vec![Interval { from: 0, until: DAY_MINUTES }];
        Calendar { hours: Hours { zone: "UTC".to_owned(), week: vec![day; 7], closed: Vec::new() }, zone: None }
    }

    /// The calendar of these hours.
    ///
    /// # Errors
    /// The sentence of what is wrong: an unknown zone, intervals out of order, or no open hour at all.
    pub fn new(hours: Hours) -> Result<Calendar, String> {
        let zone = TimeZone::get(&hours.zone)
            .map_err(|_| format!("unknown time zone `{}`; expected a name such as `Europe/Berlin` or `UTC`", hours.zone))?;
        if hours.week.len() != 7 || hours.week.iter().all(Vec::is_empty) {
            return Err("it is never open".to_owned());
        }
        for day in &hours.week {
            let sound = day.iter().all(|interval| interval.from < interval.until && interval.until <= DAY_MINUTES);
            if !sound || !day.is_sorted_by(|a, b| a.until <= b.from) {
                return Err("its hours of one day overlap, or end before they begin".to_owned());
            }
        }
        let always = Calendar::always();
        let zone = (hours != always.hours).then_some(zone);
        Ok(Calendar { hours, zone })
    }

    /// What it is made of.
    pub fn hours(&self) -> &Hours {
        &self.hours
    }

    /// Whether work is done at `at`.
    pub fn is_open(&self, at: Time) -> bool {
        self.zone.as_ref().is_none_or(|zone| {
            // A day beside it, because a clock that is put back may show another date again.
            let date = at.in_zone(zone).date();
            around(date).any(|day| self.spans(zone, day).iter().any(|(from, until)| (*from..*until).contains(&at)))
        })
    }

    /// The first instant at or after `at` at which work is done; none within a century.
    pub fn opens(&self, at: Time) -> Option<Time> {
        let Some(zone) = &self.zone else { return Some(at) };
        let mut day = at.in_zone(zone).date().yesterday().ok()?;
        for _ in 0..SEARCH_DAYS {
            if let Some((from, _)) = self.spans(zone, day).into_iter().find(|(_, until)| *until > at) {
                return Some(from.max(at));
            }
            day = day.tomorrow().ok()?;
        }
        None
    }

    /// The first instant by which `working` of open time has passed since `start`: the end of an afternoon, not the next morning.
    pub fn add(&self, start: Time, working: Span) -> Time {
        let Some(zone) = &self.zone else { return start + working };
        if working <= Span::ZERO {
            return start;
        }
        let mut left = working;
        let Ok(mut day) = start.in_zone(zone).date().yesterday() else { return Time::NEVER };
        for _ in 0..SEARCH_DAYS {
            for (from, until) in self.spans(zone, day) {
                let from = from.max(start);
                if until <= from {
                    continue;
                }
                if until - from >= left {
                    return from + left;
                }
                left = Span(left.0 - (until - from).0);
            }
            match day.tomorrow() {
                Ok(next) => day = next,
                Err(_) => break,
            }
        }
        Time::NEVER
    }

    /// The same time of day on the `days`th working day after `start`; where it is closed then, the nearest open time of that day,
    /// the earlier of two.
    pub fn add_days(&self, start: Time, days: u32) -> Time {
        let utc = TimeZone::UTC;
        let zone = self.zone.as_ref().unwrap_or(&utc);
        let local = start.in_zone(zone);
        let mut day = local.date();
        let mut left = days;
        for _ in 0..SEARCH_DAYS {
            if left == 0 {
                break;
            }
            match day.tomorrow() {
                Ok(next) => day = next,
                Err(_) => return Time::NEVER,
            }
            if self.is_working_day(day) {
                left -= 1;
            }
        }
        if left > 0 {
            return Time::NEVER;
        }
        let at = first_at(zone, day.to_datetime(local.time()));
        let nearest =
            self.spans(zone, day).into_iter().map(|(opens, closes)| at.clamp(opens, closes)).min_by_key(|open| (*open - at).0.abs());
        nearest.unwrap_or(Time::NEVER)
    }

    /// The end of an allowance that begins at `start`.
    pub fn end(&self, start: Time, allowance: Allowance) -> Time {
        match allowance {
            Allowance::Wall(span) => start + span,
            Allowance::Working(span) => self.add(start, span),
            Allowance::Days(days) => self.add_days(start, days),
        }
    }

    /// The open time between two instants; none where the second is not later.
    pub fn between(&self, from: Time, until: Time) -> Span {
        if until <= from {
            return Span::ZERO;
        }
        let Some(zone) = &self.zone else { return until - from };
        let mut total = 0;
        let Ok(mut day) = from.in_zone(zone).date().yesterday() else { return Span::ZERO };
        let last = until.in_zone(zone).date().tomorrow().unwrap_or(Date::MAX);
        while day <= last {
            for (opens, closes) in self.spans(zone, day) {
                total += (closes.min(until) - opens.max(from)).0.max(0);
            }
            match day.tomorrow() {
                Ok(next) => day = next,
                Err(_) => break,
            }
        }
        Span(total)
    }

    fn is_working_day(&self, day: Date) -> bool {
        !self.intervals(day).is_empty()
    }

    /// The hours of a day as it is, closed days having none.
    fn intervals(&self, day: Date) -> &[Interval] {
        let number = day_number(day);
        // In order and apart: the last that began by then is the only one that can hold the day.
        let at = self.hours.closed.partition_point(|closed| closed.first <= number);
        let closed = self.hours.closed[..at].last().is_some_and(|closed| number <= closed.last);
        let weekday = usize::from(day.weekday().to_monday_zero_offset().unsigned_abs());
        if closed { &[] } else { self.hours.week.get(weekday).map_or(&[], Vec::as_slice) }
    }

    /// The open instants of a civil day, in order and apart.
    fn spans(&self, zone: &TimeZone, day: Date) -> Vec<(Time, Time)> {
        let mut spans: Vec<(Time, Time)> = Vec::new();
        for interval in self.intervals(day) {
            let from = first_at(zone, clock(day, interval.from));
            let until = end_at(zone, clock(day, interval.until));
            // Hours that the clock shows twice are of the interval before, where two meet inside them.
            let from = spans.last().map_or(from, |(_, before)| from.max(*before));
            if from < until {
                spans.push((from, until));
            }
        }
        spans
    }
}

/// The day before, the day and the day after.
fn around(date: Date) -> impl Iterator<Item = Date> {
    [date.yesterday().ok(), Some(date), date.tomorrow().ok()].into_iter().flatten()
}

fn day_number(day: Date) -> i32 {
    i32::try_from(day.duration_since(Date::constant(1970, 1, 1)).as_hours() / 24).unwrap_or(i32::MAX)
}

/// The civil time of a minute of a day; the last is the midnight after.
fn clock(day: Date, minute: u16) -> DateTime {
    if minute >= DAY_MINUTES {
        return day.tomorrow().unwrap_or(Date::MAX).at(0, 0, 0, 0);
    }
    let part = |number: u16| i8::try_from(number).unwrap_or_default();
    day.at(part(minute / 60), part(minute % 60), 0, 0)
}

/// The instant from which on a clock of the zone has shown `civil`: the end of a gap, the first of two.
fn first_at(zone: &TimeZone, civil: DateTime) -> Time {
    instant(match zone.to_ambiguous_timestamp(civil).offset() {
        AmbiguousOffset::Gap { after, .. } => return gap_end(zone, civil, after),
        AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { before: offset, .. } => (civil, offset),
    })
}

/// The instant before which the clock shows less than `civil`: the second of two, unless the repeated hour begins just there.
fn end_at(zone: &TimeZone, civil: DateTime) -> Time {
    instant(match zone.to_ambiguous_timestamp(civil).offset() {
        AmbiguousOffset::Gap { after, .. } => return gap_end(zone, civil, after),
        AmbiguousOffset::Unambiguous { offset } => (civil, offset),
        AmbiguousOffset::Fold { before, after } => {
            let minute_before = civil.checked_sub(jiff::SignedDuration::from_mins(1)).unwrap_or(civil);
            let inside = matches!(zone.to_ambiguous_timestamp(minute_before).offset(), AmbiguousOffset::Fold { .. });
            (civil, if inside { after } else { before })
        }
    })
}

/// By the offset after the gap, its times lie before the change.
fn gap_end(zone: &TimeZone, civil: DateTime, after: jiff::tz::Offset) -> Time {
    let before = instant((civil, after));
    zone.following(before.timestamp()).next().map_or(before, |change| Time(change.timestamp().as_millisecond()))
}

fn instant((civil, offset): (DateTime, jiff::tz::Offset)) -> Time {
    offset.to_timestamp(civil).map_or(Time::NEVER, |timestamp| Time(timestamp.as_millisecond()))
}
