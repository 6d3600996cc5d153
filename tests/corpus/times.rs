//! Working time, pauses and schedules: what the tests of other products say of them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{self, Date};
use jiff::tz::TimeZone;
use watchkeeper_engine::calendar::{Calendar, Closed, Hours, Interval};
use watchkeeper_engine::model::incident::clock::{BREACH, Mark, Moved, Run};
use watchkeeper_engine::policy::{self, Policy};
use watchkeeper_engine::schedule::Schedule;
use watchkeeper_engine::source::SourceFile;
use watchkeeper_engine::time::{Span, Time};
use watchkeeper_engine::words::{Priority, SlaTarget};

use super::text;

const WORKDAYS: std::ops::Range<usize> = 0..5;
const ALL_DAYS: std::ops::Range<usize> = 0..7;

/// Cases of the vectors that mean something else here, and why.
const OTHER_HERE: &[(&str, &str)] = &[
    ("test_it_handles_lw", "the nearest working day, `W`, is not read: working days are what calendars are for"),
    ("test_it_handles_last_friday", "the last Friday of a month is written `fri#L`, and no other way"),
];

#[test]
fn the_business_time_of_another_desk_agrees() {
    let text = text("sla/znuny_business_time_vectors.json");
    let vectors: serde_json::Value = serde_json::from_str(&text).unwrap();
    let yearly: Vec<&String> = vectors["holidays"].as_object().unwrap().keys().collect();
    let holidays: Vec<Date> = (2012..2020).flat_map(|year| yearly.iter().map(move |day| date(&format!("{year}-{day}")))).collect();
    let calendar_of = |case: &serde_json::Value| {
        let (days, hours) = named(case["calendar"].as_str().unwrap());
        let closed = if case["holidays_on"] == 1 { holidays.as_slice() } else { &[] };
        calendar(case["tz"].as_str().unwrap(), days, &hours, closed)
    };
    let local = |case: &serde_json::Value, key: &str| {
        let civil: civil::DateTime = case[key].as_str().unwrap().replace(' ', "T").parse().unwrap();
        let zone = TimeZone::get(case["tz"].as_str().unwrap()).unwrap();
        Time(zone.to_timestamp(civil).unwrap().as_millisecond())
    };
    let mut checked = BTreeMap::new();
    for case in vectors["working_time"].as_array().unwrap() {
        let found = calendar_of(case).between(local(case, "start_local"), local(case, "stop_local"));
        assert_eq!(found, Span::seconds(case["expected_business_seconds"].as_i64().unwrap()), "{case}");
        *checked.entry("working").or_insert(0) += 1;
    }
    for case in vectors["destination_time"].as_array().unwrap() {
        let found = calendar_of(case).add(local(case, "start_local"), Span::seconds(case["add_business_seconds"].as_i64().unwrap()));
        assert_eq!(found, local(case, "expected_due_local"), "{case}");
        *checked.entry("destination").or_insert(0) += 1;
    }
    assert_eq!(checked, BTreeMap::from([("working", 17), ("destination", 19)]));
}

/// Other people's history of a ticket: what waits and what is over does not count, from wherever it is looked at.
#[test]
fn a_promise_waits_as_the_vectors_of_zammad_say() {
    let text = text("sla/zammad_pause_vectors.json");
    let vectors: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&vectors["calendar"], &vectors["pending_states_stop_the_clock"]), (&"24/7".into(), &true.into()));
    let week = Span::days(7).0;
    let moment = |text: &serde_json::Value| {
        let parts = text.as_str().unwrap().replace('-', "+-");
        let of = |part: &str| match (part, part.strip_suffix('m'), part.strip_suffix('w')) {
            ("t0", ..) => 0,
            (_, Some(minutes), _) => Span::minutes(minutes.parse().unwrap()).0,
            (_, _, Some(weeks)) => weeks.parse::<i64>().unwrap() * week,
            (other, None, None) => panic!("{other}"),
        };
        Time(week + parts.split('+').map(of).sum::<i64>())
    };
    // The ticket as one of ours that began at `start` with what was still to come.
    let from = |start: Time| {
        let mut log = vec![Mark { at: start, what: Moved::Started }, Mark { at: start, what: Moved::Rated(Priority::P1) }];
        for step in vectors["ticket_history"].as_array().unwrap() {
            let what = match step[1].as_str().unwrap() {
                "new" | "open" => Moved::Resumed,
                "pending close" => Moved::Held("waiting_for_customer".to_owned()),
                "closed" => Moved::Resolved,
                other => panic!("{other}"),
            };
            log.extend(Some(Mark { at: moment(&step[0]), what }).filter(|mark| mark.at >= start));
        }
        log
    };
    let slas = "slas:\n  - {name: s, targets: {P1: {resolution: 30m}}, pause: [waiting_for_customer]}\n";
    let terms = &policy(slas).slas[0].terms;
    let (run, always) = (|log: &[Mark]| Run::of(log, 0, terms, SlaTarget::Resolution).unwrap(), Calendar::always());
    let spans = vectors["period_working_minutes"].as_array().unwrap();
    for case in spans {
        let used = run(&from(moment(&case["from"]).max(Time(week)))).standing(&always, false, moment(&case["to"])).used;
        assert_eq!(used, Span::minutes(case["expected"].as_i64().unwrap()), "{case}");
    }
    let dues = vectors["destination_time_span_30m"].as_array().unwrap();
    for case in dues {
        // When it is due does not depend on its end.
        let open: Vec<Mark> = from(moment(&case["start"])).into_iter().map(reopened).collect();
        assert_eq!(run(&open).reaches(&always, BREACH), Some(moment(&case["expected"])), "{case}");
    }
    assert_eq!((spans.len(), dues.len()), (4, 3));
}

#[test]
fn the_vectors_of_another_cron_agree() {
    let text = text("schedule/cronsim_vectors.json");
    let vectors: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut checked = BTreeSet::new();
    for case in vectors["cases"].as_array().unwrap() {
        let name = case["test"].as_str().unwrap();
        let pattern = case["pattern"].as_str().unwrap();
        let zone = case["start"]["tz"].as_str().unwrap_or("UTC");
        let local: Vec<i16> =
            case["start"]["local"].as_array().unwrap().iter().map(|n| i16::try_from(n.as_i64().unwrap()).unwrap()).collect();
        let part = |at: usize| i8::try_from(local.get(at).copied().unwrap_or(0)).unwrap();
        let civil = civil::date(local[0], part(1), part(2)).at(part(3), part(4), part(5), 0);
        let tz = TimeZone::get(zone).unwrap();
        let mut at = Time(tz.to_timestamp(civil).unwrap().as_millisecond());
        if let Some((_, reason)) = OTHER_HERE.iter().find(|(other, _)| *other == name) {
            assert!(Schedule::parse(pattern, zone).is_err(), "{name}: {reason}");
            continue;
        }
        let schedule = Schedule::parse(pattern, zone).unwrap();
        for expected in case["next"].as_array().unwrap() {
            let expected = expected.as_str().unwrap();
            let full = if expected.len() == 19 { format!("{expected}Z") } else { expected.to_owned() };
            at = schedule.next_after(at).unwrap();
            assert_eq!(at, t(&full), "{name}: {pattern}");
        }
        checked.insert(name.to_owned());
    }
    assert!(checked.len() >= 20, "{checked:?}");
    for rejected in vectors["rejected_patterns"].as_array().unwrap() {
        let pattern = rejected["pattern"].as_str().unwrap();
        assert!(Schedule::parse(pattern, "UTC").is_err(), "{pattern}");
    }
}

/// A calendar of the vectors: which days, which hours.
fn named(name: &str) -> (std::ops::Range<usize>, Vec<(u16, u16)>) {
    match name {
        "MonSun_0-23" => (ALL_DAYS, vec![(0, 24)]),
        "MonFri_0-23" => (WORKDAYS, vec![(0, 24)]),
        "MonFri_8-17" => (WORKDAYS, vec![(8, 18)]),
        "MonFri_8-12_14-17" => (WORKDAYS, vec![(8, 13), (14, 18)]),
        "MonSun_8-12_14-17" => (ALL_DAYS, vec![(8, 13), (14, 18)]),
        other => panic!("a calendar of the vectors that nobody wrote down: {other}"),
    }
}

/// A calendar with the same whole hours on some days of the week.
fn calendar(zone: &str, days: std::ops::Range<usize>, hours: &[(u16, u16)], closed: &[Date]) -> Calendar {
    let day: Vec<Interval> = hours.iter().map(|(from, until)| Interval { from: from * 60, until: until * 60 }).collect();
    let mut week = vec![Vec::new(); 7];
    for at in days {
        week[at].clone_from(&day);
    }
    let mut closed: Vec<Closed> = closed.iter().map(|day| Closed::between(*day, *day)).collect();
    closed.sort();
    Calendar::new(Hours { zone: zone.to_owned(), week, closed }).unwrap()
}

fn policy(rules: &str) -> Policy {
    policy::load(&[SourceFile::new("rules/a.yaml", rules)]).unwrap_or_else(|found| panic!("{found:#?}")).policy
}

/// What ends it has it go on instead.
fn reopened(mark: Mark) -> Mark {
    let what = if mark.what == Moved::Resolved { Moved::Resumed } else { mark.what };
    Mark { what, ..mark }
}

fn t(text: &str) -> Time {
    Time::parse_rfc3339(text).unwrap()
}

fn date(text: &str) -> Date {
    text.parse().unwrap()
}
