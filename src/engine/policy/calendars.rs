//! `calendars` and `holidays`: working time by name, with holidays as dates or out of `.ics` files that lie beside the rules.
//!
//! Read file by file, joined when all are read: a calendar may name the holidays of another file.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::civil::Date;

use super::named::Named;
use super::rules::Scope;
use super::sections::{self, FileSection, Found, IsBuiltin, StandsFor};
use super::{Policy, ics};
use crate::calendar::{Calendar, Closed, DAY_MINUTES, Hours, Interval};
use crate::source::{Diagnostic, Entry, Key, Node, OneOrMany, Reading, Shape, SourceFile, Spanned, Takes, listed, nearest};

/// The calendar that needs no entry: open all the time.
pub const ALWAYS: &str = "always";

/// Days of the week as rules write them, from Monday.
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// All of them.
const DAILY: &str = "daily";

/// A calendar of `calendars`.
pub(super) static CALENDAR: Shape = Shape {
    what: "a calendar",
    keys: &[
        Key::must("zone", Takes::Text, "the time zone of its hours, such as Europe/Berlin."),
        Key::must(
            "open",
            Takes::Pairs(&Takes::OneOrList(&Takes::Text)),
            "hours by day or days, such as {mon-thu: [\"09:00-12:00\", \"13:00-17:00\"], fri: \"09:00-15:00\"}, or {daily: …}; 24:00 is midnight.",
        ),
        Key::may("holidays", Takes::OneOrList(&Takes::Text), "names out of `holidays`: closed on those days. Default: none."),
        Key::may(
            "closed",
            Takes::OneOrList(&Takes::Text),
            "further days without work: 2026-12-24, or 2026-12-24..2027-01-01. Default: none.",
        ),
    ],
    later: &[],
};

/// A set of `holidays`.
pub(super) static HOLIDAY: Shape = Shape {
    what: "a set of holidays",
    keys: &[
        Key::may("dates", Takes::OneOrList(&Takes::Text), "days: 2026-10-03, or 2026-12-24..2026-12-26."),
        Key::may("ics", Takes::Text, "an iCalendar file with whole-day events, by its path from the file that names it."),
        Key::may(
            "only",
            Takes::OneOrList(&Takes::Text),
            "the events of `ics` that count, by their name; `*` stands for any text. Default: all.",
        ),
    ],
    later: &[],
};

/// `holidays` of all files.
#[derive(Default)]
pub(super) struct HolidaysSection {
    drafts: BTreeMap<String, HolidayDraft>,
}

/// `calendars` of all files.
#[derive(Default)]
pub(super) struct CalendarsSection {
    drafts: BTreeMap<String, CalendarDraft>,
}

struct HolidayDraft {
    place: String,
    days: Vec<Closed>,
    ics: Option<Named>,
    only: Option<Vec<Named>>,
}

struct CalendarDraft {
    place: String,
    /// `None`: faulty, which was reported.
    hours: Option<Hours>,
    holidays: Vec<Named>,
}

impl FileSection for HolidaysSection {
    const TAKES: Takes = Takes::Pairs(&Takes::Map(&HOLIDAY));
    const DOC: &'static str = "days without work by name, as dates or out of an iCalendar file.";
    const SEES: &'static [&'static str] = &[];
    const NAMES: StandsFor = StandsFor::Definitions;

    fn read<'a>(&mut self, reading: &Reading<'a>, node: &'a Node, _: &Scope<'a>) {
        for entry in reading.entries(node) {
            let place = reading.named_place(entry.key_span.start);
            if let Some(other) = self.drafts.get(&entry.key) {
                twice(reading, entry, "holidays", &other.place);
                continue;
            }
            let mut draft = HolidayDraft { place, days: Vec::new(), ics: None, only: None };
            if let Some(keys) = reading.keys(&entry.value, &HOLIDAY) {
                draft.days = days(reading, keys.get("dates"));
                draft.ics = keys.get::<Spanned<String>>("ics").map(|ics| Named::at(reading, ics));
                let only = keys.get::<OneOrMany<Spanned<String>>>("only");
                draft.only = only.map(|only| only.0.into_iter().map(|name| Named::at(reading, name)).collect());
                if draft.ics.is_none() && keys.node("ics").is_none() {
                    if keys.node("dates").is_none() {
                        reading.error(&entry.key_span, format!("`{}` has neither `dates` nor `ics`", entry.key));
                    }
                    if keys.node("only").is_some() {
                        let error = Diagnostic::error(reading.file(), &keys.place_of("only"), "`only` without `ics`");
                        reading.report(error.help("`only` chooses among the events of an iCalendar file"));
                    }
                }
            }
            self.drafts.insert(entry.key.clone(), draft);
        }
    }

    fn finish(self, policy: &mut Policy, found: &mut Found<'_>) {
        let mut files = IcsFiles { sources: &policy.sources, read: BTreeMap::new() };
        policy.holidays = self.drafts.into_iter().map(|(name, draft)| (name, draft.closed(&mut files, found))).collect();
    }

    fn names(policy: &Policy) -> Vec<(&str, IsBuiltin)> {
        sections::own(policy.holidays.keys().map(String::as_str))
    }
}

impl FileSection for CalendarsSection {
    const TAKES: Takes = Takes::Pairs(&Takes::Map(&CALENDAR));
    const DOC: &'static str = "working time by name: zone, hours, holidays.";
    const SEES: &'static [&'static str] = &[];
    const NAMES: StandsFor = StandsFor::Definitions;

    fn read<'a>(&mut self, reading: &Reading<'a>, node: &'a Node, _: &Scope<'a>) {
        for entry in reading.entries(node) {
            let place = reading.named_place(entry.key_span.start);
            if entry.key == ALWAYS {
                let error =
                    Diagnostic::error(reading.file(), &entry.key_span, format!("`{ALWAYS}` is the built-in calendar without closed hours"));
                reading.report(error.help("choose another name"));
                continue;
            }
            if let Some(other) = self.drafts.get(&entry.key) {
                twice(reading, entry, "calendars", &other.place);
                continue;
            }
            let mut draft = CalendarDraft { place, hours: None, holidays: Vec::new() };
            if let Some(keys) = reading.keys(&entry.value, &CALENDAR) {
                let zone: Option<Spanned<String>> = keys.get("zone");
                let zone = zone.filter(|zone| zone_is_known(reading, zone));
                let week = keys.node("open").and_then(|node| week(reading, node));
                let closed = days(reading, keys.get("closed"));
                let names = keys.get::<OneOrMany<Spanned<String>>>("holidays").map(|names| names.0).unwrap_or_default();
                draft.holidays = names.into_iter().map(|name| Named::at(reading, name)).collect();
                draft.hours = zone.zip(week).map(|(zone, week)| Hours { zone: zone.value, week, closed });
            }
            self.drafts.insert(entry.key.clone(), draft);
        }
    }

    /// A faulty one is there as one without closed hours, so that nobody is told that it is not there.
    fn finish(self, policy: &mut Policy, found: &mut Found<'_>) {
        let holidays = &policy.holidays;
        for (name, draft) in self.drafts {
            let mut closed: Vec<Closed> = draft.hours.iter().flat_map(|hours| hours.closed.clone()).collect();
            for named in &draft.holidays {
                match holidays.get(&named.name) {
                    Some(days) => closed.extend(days),
                    None => found.unknown(&named.name, || {
                        named.unknown("holidays", holidays.keys().map(String::as_str), "name a key of `holidays`")
                    }),
                }
            }
            // Zone and hours were checked where they stand.
            let calendar = draft.hours.and_then(|hours| Calendar::new(Hours { closed: apart(closed), ..hours }).ok());
            policy.calendars.insert(name, Arc::new(calendar.unwrap_or_else(Calendar::always)));
        }
    }

    fn names(policy: &Policy) -> Vec<(&str, IsBuiltin)> {
        sections::own(policy.calendars.keys().map(String::as_str))
    }
}

fn twice(reading: &Reading<'_>, entry: &Entry, section: &str, other: &str) {
    let error = Diagnostic::error(reading.file(), &entry.key_span, format!("the name `{}` is given twice in `{section}`", entry.key));
    reading.report(error.help(format!("the other is at {other}; choose another")));
}

fn zone_is_known(reading: &Reading<'_>, zone: &Spanned<String>) -> bool {
    let known = jiff::tz::TimeZone::get(&zone.value).is_ok();
    if !known {
        let message = format!("unknown time zone `{}`", crate::text::cut(&crate::text::one_line(&zone.value), 60));
        let error = Diagnostic::error(reading.file(), &zone.span, message).label("expected a name such as Europe/Berlin or UTC");
        reading.report(error.help("names of zones are `Area/City`, or UTC"));
    }
    known
}

/// In order and apart, whatever overlaps.
fn apart(mut closed: Vec<Closed>) -> Vec<Closed> {
    closed.sort_unstable();
    let mut joined: Vec<Closed> = Vec::new();
    for next in closed {
        match joined.last_mut() {
            Some(before) if next.first <= before.last.saturating_add(1) => before.last = before.last.max(next.last),
            Some(_) | None => joined.push(next),
        }
    }
    joined
}

/// The hours of each day of the week.
fn week<'a>(reading: &Reading<'a>, node: &'a Node) -> Option<Vec<Vec<Interval>>> {
    let mut week: [Vec<Interval>; 7] = Default::default();
    let mut given: [Option<String>; 7] = Default::default();
    let mut sound = true;
    for entry in reading.entries(node) {
        let days = match day_numbers(&entry.key) {
            Ok(days) => days,
            Err(part) => {
                let error = Diagnostic::error(reading.file(), &entry.key_span, format!("unknown day `{}`", crate::text::cut(part, 30)));
                let help = match nearest(part, DAYS.into_iter().chain([DAILY])) {
                    Some(day) => format!("did you mean `{day}`?"),
                    None => "write one day, several as `mon,wed`, or from the first to the last as `mon-thu`".to_owned(),
                };
                reading.report(error.label(format!("known are {}", listed(&DAYS, "and"))).help(help));
                sound = false;
                continue;
            }
        };
        let nodes = reading.read::<OneOrMany<&Node>>(&entry.value).map(|nodes| nodes.0).unwrap_or_default();
        let mut hours = Vec::new();
        for node in nodes {
            match interval(reading, node) {
                Some(interval) => hours.push((interval, node)),
                None => sound = false,
            }
        }
        hours.sort_by_key(|(interval, _)| *interval);
        for pair in hours.windows(2) {
            if let [(before, _), (after, node)] = pair
                && after.from < before.until
            {
                reading.error(&node.span, "these hours overlap others of the same day");
                sound = false;
            }
        }
        for day in days {
            if let Some(place) = &given[day] {
                let error = Diagnostic::error(reading.file(), &entry.key_span, format!("the hours of {} are given twice", DAYS[day]));
                reading.report(error.help(format!("the others are at {place}; write them as one list")));
                sound = false;
            }
            given[day] = Some(reading.named_place(entry.key_span.start));
            week[day] = hours.iter().map(|(interval, _)| *interval).collect();
        }
    }
    if sound && week.iter().all(Vec::is_empty) {
        let error = Diagnostic::error(reading.file(), &reading.first_line(node), "this calendar is never open");
        reading.report(error.help("write its hours, such as {mon-fri: \"09:00-17:00\"}"));
        sound = false;
    }
    sound.then(|| week.to_vec())
}

/// `mon`, `mon,wed`, `mon-thu`, `sat-mon`, `daily`; the part that is no day where there is one.
fn day_numbers(text: &str) -> Result<Vec<usize>, &str> {
    let number = |day: &str| DAYS.iter().position(|known| *known == day);
    let mut days = Vec::new();
    for part in text.split(',').map(str::trim) {
        match part.split_once('-') {
            None if part == DAILY => days.extend(0..DAYS.len()),
            None => days.push(number(part).ok_or(part)?),
            Some((first, last)) => {
                let (first, last) = (number(first.trim()).ok_or(first)?, number(last.trim()).ok_or(last)?);
                days.extend((0..=(last + 7 - first) % 7).map(|step| (first + step) % 7));
            }
        }
    }
    Ok(days)
}

/// `09:00-12:00`.
fn interval<'a>(reading: &Reading<'a>, node: &'a Node) -> Option<Interval> {
    let text: &str = reading.read(node)?;
    let refuse = |message: String, help: &str| {
        reading.report(Diagnostic::error(reading.file(), &node.span, message).label("expected hours").help(help));
        None
    };
    let shown = crate::text::cut(&crate::text::one_line(text), 60);
    let Some((from, until)) = text.split_once('-').and_then(|(from, until)| Some((minute(from)?, minute(until)?))) else {
        return refuse(format!("`{shown}` are no hours"), "write from and until with two digits each, such as \"09:00-12:00\"");
    };
    if from == until {
        return refuse(format!("`{shown}` is no time at all"), "the whole day is \"00:00-24:00\"");
    }
    if from > until {
        return refuse(
            format!("`{shown}` ends before it begins"),
            "hours over midnight are two: \"22:00-24:00\", and \"00:00-06:00\" on the day after",
        );
    }
    Some(Interval { from, until })
}

/// `09:00`, up to `24:00`.
fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let digits =
        |text: &str| if text.len() == 2 { text.parse::<u16>().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit())) } else { None };
    let (hour, minute) = (digits(hour)?, digits(minute)?);
    let at = hour * 60 + minute;
    (minute < 60 && at <= DAY_MINUTES).then_some(at)
}

/// `2026-12-24` and `2026-12-24..2027-01-01`.
fn days(reading: &Reading<'_>, given: Option<OneOrMany<Spanned<String>>>) -> Vec<Closed> {
    let read = |day: Spanned<String>| {
        let (first, last) = day.value.split_once("..").unwrap_or((&day.value, &day.value));
        let refuse = |message: &str| {
            let message = format!("`{}` {message}", crate::text::cut(&crate::text::one_line(&day.value), 60));
            let error = Diagnostic::error(reading.file(), &day.span, message).label("expected a day, or the first and the last");
            reading.report(error.help("write year, month and day: 2026-12-24, or 2026-12-24..2027-01-01"));
            None
        };
        match (first.trim().parse::<Date>(), last.trim().parse::<Date>()) {
            (Ok(first), Ok(last)) if first <= last => Some(Closed::between(first, last)),
            (Ok(_), Ok(_)) => refuse("ends before it begins"),
            (Err(_), _) | (_, Err(_)) => refuse("is no day"),
        }
    };
    given.map(|given| given.0.into_iter().filter_map(read).collect()).unwrap_or_default()
}

/// The iCalendar files of the set, each read once.
struct IcsFiles<'s> {
    sources: &'s [SourceFile],
    read: BTreeMap<String, Vec<ics::Event>>,
}

impl IcsFiles<'_> {
    /// The events of the file that `named` means; a path starts at the file that names it.
    fn events(&mut self, named: &Named, found: &mut Found<'_>) -> &[ics::Event] {
        let folder = named.file.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
        for part in named.name.split('/') {
            match part {
                "." | "" => {}
                ".." => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        let path = parts.join("/");
        if !self.read.contains_key(&path) {
            let is_ics = |file: &&SourceFile| is_ics(&file.path);
            let events = match self.sources.iter().filter(is_ics).find(|file| file.path == path) {
                Some(file) => ics::events(file, found.list),
                None => {
                    let near = nearest(&path, self.sources.iter().filter(is_ics).map(|file| file.path.as_str()));
                    let help = match near {
                        Some(near) => format!("did you mean the file `{near}`?"),
                        None => {
                            "it lies below the folder of the rules, ends in `.ics`, and is named from the file that names it".to_owned()
                        }
                    };
                    found.unknown(&path, || named.error(format!("there is no file `{}`", crate::text::one_line(&path))).help(help));
                    Vec::new()
                }
            };
            self.read.insert(path.clone(), events);
        }
        self.read.get(&path).map_or(&[], Vec::as_slice)
    }
}

/// Whether a name is what `wanted` says, in which `*` stands for any text.
fn fits(wanted: &str, name: &str) -> bool {
    let Some((begin, rest)) = wanted.split_once('*') else { return wanted == name };
    let Some(mut name) = name.strip_prefix(begin) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = name.find(part) else { return false };
        name = &name[at + part.len()..];
    }
    name.ends_with(end)
}

/// Whether a file is one that `holidays` can name.
pub(super) fn is_ics(path: &str) -> bool {
    path.to_ascii_lowercase().ends_with(".ics")
}

impl HolidayDraft {
    /// Its days out of both.
    fn closed(self, files: &mut IcsFiles<'_>, found: &mut Found<'_>) -> Vec<Closed> {
        let mut closed = self.days;
        let Some(ics) = self.ics else { return closed };
        let events = files.events(&ics, found).to_vec();
        let wanted =
            |event: &ics::Event| self.only.as_ref().is_none_or(|only| only.iter().any(|named| fits(named.name.trim(), &event.name)));
        for event in events.iter().filter(|event| wanted(event)) {
            found.list.extend(event.fault.clone());
            closed.extend(event.days.iter().map(|(first, last)| Closed::between(*first, *last)));
        }
        for named in self.only.iter().flatten().filter(|_| !events.is_empty()) {
            if !events.iter().any(|event| fits(named.name.trim(), &event.name)) {
                let names: BTreeSet<&str> = events.iter().map(|event| event.name.as_str()).collect();
                found.list.push(named.unknown("event of that file", names.iter().copied(), "write it as its `SUMMARY` does"));
            }
        }
        closed
    }
}
