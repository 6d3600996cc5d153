//! Whole-day events of an iCalendar file (RFC 5545): what a calendar of holidays needs, and in plain words what cannot be read of it.

use std::ops::Range;

use jiff::civil::Date;

use crate::source::{Diagnostic, SourceFile};

/// Years until which an event of every year is followed.
const YEAR_MAX: i16 = 2100;
/// Events of one file; more are no calendar of holidays.
const EVENTS_MAX: usize = 20_000;

/// What is said of other repetitions.
const ONLY_YEARLY: &str = "of `RRULE` only `FREQ=YEARLY` on the same date is read; write other days as events of their own";

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    /// Its `SUMMARY`.
    pub(super) name: String,
    /// Its days, first and last, each time it comes.
    pub(super) days: Vec<(Date, Date)>,
    /// What cannot be read of it; it is a fault where the event is wanted.
    pub(super) fault: Option<Diagnostic>,
}

/// The events of a file; what is no calendar file is a fault of the file.
pub(super) fn events(file: &SourceFile, found: &mut Vec<Diagnostic>) -> Vec<Event> {
    let mut refuse = |span: &Range<usize>, message: &str| found.push(Diagnostic::error(file, span, message));
    let mut events = Vec::new();
    let mut open: Option<Draft> = None;
    let mut inner = 0;
    let lines = lines(&file.text);
    let end = file.text.len()..file.text.len();
    let is_whole = lines.last().is_some_and(|line| line.text.trim_end().eq_ignore_ascii_case("END:VCALENDAR"));
    if !lines.first().is_some_and(|line| line.text.eq_ignore_ascii_case("BEGIN:VCALENDAR")) {
        refuse(&(0..0), "this is no iCalendar file: it does not begin with `BEGIN:VCALENDAR`");
        return events;
    }
    for line in lines {
        let Some((name, value)) = parts(&line.text) else { continue };
        match (name.to_ascii_uppercase().as_str(), &mut open) {
            ("BEGIN", None) if value.eq_ignore_ascii_case("VEVENT") => open = Some(Draft::at(line.span)),
            // An alarm inside an event has a summary and a trigger of its own.
            ("BEGIN", Some(_)) => inner += 1,
            ("END", Some(_)) if inner > 0 => inner -= 1,
            ("END", Some(_)) if value.eq_ignore_ascii_case("VEVENT") => {
                if events.len() >= EVENTS_MAX {
                    refuse(&line.span, &format!("more than {EVENTS_MAX} events are no calendar of holidays"));
                    return events;
                }
                events.extend(open.take().filter(|draft| !draft.is_cancelled).map(|draft| draft.finish(file)));
            }
            (name, Some(draft)) if inner == 0 => draft.take(name, value, line.span),
            _ => {}
        }
    }
    if open.is_some() {
        refuse(&end, "the last event does not end: `END:VEVENT` is missing");
    } else if !is_whole {
        refuse(&end, "the file was cut off: `END:VCALENDAR` is missing at its end");
    } else if events.is_empty() {
        refuse(&(0..0), "this is no calendar of holidays: there is no event in it");
    }
    events
}

/// An event while it is read.
struct Draft {
    span: Range<usize>,
    name: String,
    first: Option<Date>,
    /// The day after the last.
    end: Option<Date>,
    days: Option<i64>,
    is_cancelled: bool,
    yearly: bool,
    /// The day after which it does not come any more.
    until: Option<Date>,
    /// How often it comes.
    count: Option<usize>,
    /// The month and the day that `RRULE` names, which must be those of `first`.
    month: Option<i8>,
    day: Option<i8>,
    fault: Option<(Range<usize>, String)>,
}

impl Draft {
    fn at(span: Range<usize>) -> Draft {
        Draft {
            span,
            name: String::new(),
            first: None,
            end: None,
            days: None,
            is_cancelled: false,
            yearly: false,
            until: None,
            count: None,
            month: None,
            day: None,
            fault: None,
        }
    }

    fn take(&mut self, name: &str, value: &str, span: Range<usize>) {
        let mut fault = |message: String| {
            self.fault.get_or_insert((span.clone(), message));
        };
        match name {
            "SUMMARY" => self.name = plain(value),
            "DTSTART" | "DTEND" => match day(value) {
                Some(date) if name == "DTSTART" => self.first = Some(date),
                Some(date) => self.end = Some(date),
                None if value.contains('T') => fault(format!("`{name}` has a time of day; a holiday is a whole day (`VALUE=DATE`)")),
                None => fault(format!("`{name}` is no date, such as 20260403")),
            },
            "DURATION" => match value.trim().strip_prefix('P').and_then(|rest| rest.strip_suffix('D')).and_then(|days| days.parse().ok()) {
                Some(days) if (1..=366).contains(&days) => self.days = Some(days),
                Some(_) | None => fault("`DURATION` is not a number of days, such as P1D".to_owned()),
            },
            "RRULE" => self.repeat(value, span),
            "STATUS" => self.is_cancelled = value.trim().eq_ignore_ascii_case("CANCELLED"),
            "RDATE" | "EXDATE" | "EXRULE" | "RECURRENCE-ID" => {
                fault(format!("`{name}` is not read; write each day as an event of its own"))
            }
            _ => {}
        }
    }

    /// `FREQ=YEARLY`, on the day that it began.
    fn repeat(&mut self, value: &str, span: Range<usize>) {
        let mut sound = true;
        for (key, value) in value.split(';').filter_map(|part| part.split_once('=')) {
            match key.to_ascii_uppercase().as_str() {
                "FREQ" => self.yearly = value.eq_ignore_ascii_case("YEARLY"),
                "INTERVAL" => sound &= value == "1",
                "COUNT" => match value.parse() {
                    Ok(count) if count > 0 => self.count = Some(count),
                    Ok(_) | Err(_) => sound = false,
                },
                // A time of day in it does not matter to whole days.
                "UNTIL" => match day(value.split('T').next().unwrap_or(value)) {
                    Some(until) => self.until = Some(until),
                    None => {
                        self.fault.get_or_insert((span.clone(), "`UNTIL` is no date, such as 20281231".to_owned()));
                    }
                },
                "WKST" => {}
                // Some write the date of DTSTART once more; a list of months would mean other days.
                "BYMONTH" => match value.parse() {
                    Ok(month) => self.month = Some(month),
                    Err(_) => sound = false,
                },
                "BYMONTHDAY" => match value.parse() {
                    Ok(day) => self.day = Some(day),
                    Err(_) => sound = false,
                },
                _ => sound = false,
            }
        }
        if !sound || !self.yearly {
            self.fault.get_or_insert((span, ONLY_YEARLY.to_owned()));
        }
    }

    fn finish(self, file: &SourceFile) -> Event {
        let mut fault = self.fault;
        let days = match (self.first, self.end, self.days) {
            (None, _, _) => {
                fault.get_or_insert((self.span, "an event without `DTSTART`".to_owned()));
                Vec::new()
            }
            (Some(first), Some(end), _) if end < first => {
                fault.get_or_insert((self.span, "an event that ends before it begins".to_owned()));
                Vec::new()
            }
            (Some(first), _, _) if self.until.is_some_and(|until| until < first) => {
                fault.get_or_insert((self.span, "`UNTIL` lies before `DTSTART`".to_owned()));
                Vec::new()
            }
            (Some(first), _, _)
                if self.month.is_some_and(|month| month != first.month()) || self.day.is_some_and(|day| day != first.day()) =>
            {
                fault.get_or_insert((self.span, ONLY_YEARLY.to_owned()));
                Vec::new()
            }
            (Some(first), end, days) => {
                // The end is the day after; an event of one day may write the same day twice.
                let length = end.map_or(days.unwrap_or(1), |end| (end.duration_since(first).as_hours() / 24).max(1));
                let last_year = if self.yearly { YEAR_MAX.max(first.year()) } else { first.year() };
                (first.year()..=last_year)
                    // The 29th of February comes in its years only.
                    .filter_map(|year| Date::new(year, first.month(), first.day()).ok())
                    .take_while(|day| self.until.is_none_or(|until| *day <= until))
                    .take(self.count.unwrap_or(usize::MAX))
                    .filter_map(|first| Some((first, first.checked_add(jiff::SignedDuration::from_hours(24 * (length - 1))).ok()?)))
                    .collect()
            }
        };
        let fault = fault.map(|(span, message)| {
            let help = "choose other events with `only`, or write its days as `dates`";
            Diagnostic::error(file, &span, message).help(help)
        });
        Event { name: self.name, days, fault }
    }
}

/// A line as it was meant, with the bytes of its first part.
struct Line {
    text: String,
    span: Range<usize>,
}

/// Lines are folded: one that begins with a blank goes on the one before.
fn lines(text: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut at = 0;
    for raw in text.split_inclusive('\n') {
        let line = raw.trim_end_matches(['\n', '\r']);
        let start = at;
        at += raw.len();
        let line = if start == 0 { line.trim_start_matches('\u{feff}') } else { line };
        match (line.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(rest), Some(before)) => before.text.push_str(rest),
            _ if line.is_empty() => {}
            _ => lines.push(Line { text: line.to_owned(), span: start..start + line.len() }),
        }
    }
    lines
}

/// Name and value of a line; its parameters do not matter here, and a colon in quotes belongs to one.
fn parts(line: &str) -> Option<(&str, &str)> {
    let mut quoted = false;
    let colon = line.find(|c| {
        quoted ^= c == '"';
        c == ':' && !quoted
    })?;
    let (head, value) = (&line[..colon], &line[colon + 1..]);
    Some((head.split(';').next().unwrap_or(head), value))
}

/// `20260403`.
fn day(value: &str) -> Option<Date> {
    let value = value.trim();
    if value.len() != 8 || !value.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Date::new(value[..4].parse().ok()?, value[4..6].parse().ok()?, value[6..].parse().ok()?).ok()
}

/// A text without its escapes.
fn plain(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            (_, Some('n' | 'N')) => out.push(' '),
            (_, Some(escaped)) => out.push(escaped),
            (c, None) => out.push(c),
        }
    }
    out.trim().to_owned()
}
