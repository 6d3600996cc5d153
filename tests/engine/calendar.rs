//! Working time: the independent vectors, the changes of the clock, and the round trip as a property.

use jiff::civil::Date;
use proptest::prelude::*;

use watchkeeper_engine::calendar::{Allowance, Calendar, Closed, Hours, Interval, NoAllowance};
use watchkeeper_engine::time::{Span, Time};

const WORKDAYS: std::ops::Range<usize> = 0..5;
const ALL_DAYS: std::ops::Range<usize> = 0..7;

fn t(text: &str) -> Time {
    Time::parse_rfc3339(text).unwrap()
}

fn date(text: &str) -> Date {
    text.parse().unwrap()
}

/// A calendar with the same hours (whole and half ones, written 9.0 and 17.5) on some days of the week.
fn calendar(zone: &str, days: std::ops::Range<usize>, hours: &[(f64, f64)], closed: &[(Date, Date)]) -> Calendar {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "hours of a day")]
    let minute = |hour: f64| (hour * 60.0) as u16;
    let day: Vec<Interval> = hours.iter().map(|(from, until)| Interval { from: minute(*from), until: minute(*until) }).collect();
    let mut week = vec![Vec::new(); 7];
    for at in days {
        week[at].clone_from(&day);
    }
    let mut closed: Vec<Closed> = closed.iter().map(|(first, last)| Closed::between(*first, *last)).collect();
    closed.sort();
    Calendar::new(Hours { zone: zone.to_owned(), week, closed }).unwrap()
}

fn berlin_office(closed: &[(Date, Date)]) -> Calendar {
    calendar("Europe/Berlin", WORKDAYS, &[(9.0, 17.0)], closed)
}

#[test]
fn the_vectors_of_the_reference_come_out() {
    let office = berlin_office(&[]);
    let lunch = calendar("Europe/Berlin", WORKDAYS, &[(9.0, 12.0), (13.0, 18.0)], &[]);
    let christmas = berlin_office(&[(date("2026-12-25"), date("2026-12-26"))]);
    let wall = Calendar::always();
    let cases = [
        ("V1", &office, "2026-11-27T16:00:00+01:00", "4bh", "2026-11-30T12:00:00+01:00"),
        ("V2", &office, "2026-11-28T11:00:00+01:00", "4bh", "2026-11-30T13:00:00+01:00"),
        ("V3", &wall, "2026-10-24T12:00:00+02:00", "24h", "2026-10-25T11:00:00+01:00"),
        ("V4", &wall, "2026-03-28T12:00:00+01:00", "24h", "2026-03-29T13:00:00+02:00"),
        ("V5", &office, "2026-10-23T16:00:00+02:00", "8bh", "2026-10-26T16:00:00+01:00"),
        ("V8", &lunch, "2026-11-24T11:30:00+01:00", "2bh", "2026-11-24T14:30:00+01:00"),
        ("V9", &christmas, "2026-12-24T16:00:00+01:00", "4bh", "2026-12-28T12:00:00+01:00"),
        ("V10", &wall, "2026-10-31T12:00:00-04:00", "24h", "2026-11-01T11:00:00-05:00"),
        ("V11", &office, "2026-11-27T16:00:00+01:00", "1bh", "2026-11-27T17:00:00+01:00"),
    ];
    for (name, calendar, start, allowance, end) in cases {
        assert_eq!(calendar.end(t(start), Allowance::parse(allowance).unwrap()), t(end), "{name}");
    }
    let night = calendar("Europe/Berlin", ALL_DAYS, &[(1.0, 5.0)], &[]);
    assert_eq!(night.between(t("2026-03-28T12:00:00+01:00"), t("2026-03-29T12:00:00+02:00")), Span::hours(3), "V6");
    assert_eq!(night.between(t("2026-10-24T12:00:00+02:00"), t("2026-10-25T12:00:00+01:00")), Span::hours(5), "V7");
}

#[test]
fn hours_that_meet_a_change_of_the_clock_are_there_once_each() {
    let total = |hours: &[(f64, f64)], from: &str, until: &str| calendar("Europe/Berlin", ALL_DAYS, hours, &[]).between(t(from), t(until));
    let (spring, autumn) =
        (("2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00"), ("2026-10-25T00:00:00+02:00", "2026-10-26T00:00:00+01:00"));
    for (hours, in_spring, in_autumn) in [
        (vec![(0.0, 24.0)], 23 * 60, 25 * 60),
        // Two that meet just where, or inside, the hour that is left out or repeated.
        (vec![(0.0, 2.0), (2.0, 24.0)], 23 * 60, 25 * 60),
        (vec![(0.0, 2.5), (2.5, 24.0)], 23 * 60, 25 * 60),
        (vec![(0.0, 3.0), (3.0, 24.0)], 23 * 60, 25 * 60),
        (vec![(0.0, 2.0)], 120, 120),
        // What ends or begins inside it: from the first that the clock shows until the last.
        (vec![(0.0, 2.5)], 120, 210),
        (vec![(2.5, 4.0)], 60, 150),
        (vec![(2.0, 2.5)], 0, 90),
        (vec![(2.0, 3.0)], 0, 120),
        (vec![(3.0, 4.0)], 60, 60),
    ] {
        assert_eq!(total(&hours, spring.0, spring.1), Span::minutes(in_spring), "{hours:?} in spring");
        assert_eq!(total(&hours, autumn.0, autumn.1), Span::minutes(in_autumn), "{hours:?} in autumn");
    }
    // Where the clock is changed at midnight, and where a whole day is left out.
    for (zone, first, last, hours) in [
        ("America/Sao_Paulo", "2015-10-17", "2015-10-18", 47),
        ("America/Sao_Paulo", "2015-02-21", "2015-02-22", 49),
        ("America/Havana", "2025-11-02", "2025-11-02", 25),
        ("Pacific/Apia", "2011-12-29", "2011-12-31", 48),
    ] {
        let days = calendar(
            zone,
            ALL_DAYS,
            &[(0.0, 24.0)],
            &[(Date::MIN, date(first).yesterday().unwrap()), (date(last).tomorrow().unwrap(), Date::MAX)],
        );
        let around = (t("2011-01-01T00:00:00Z"), t("2027-01-01T00:00:00Z"));
        assert_eq!(days.between(around.0, around.1), Span::hours(hours), "{zone} {first}");
    }
}

#[test]
fn a_working_day_ends_at_the_same_time_of_day() {
    let office = berlin_office(&[(date("2026-12-24"), date("2027-01-01"))]);
    for (start, days, end, why) in [
        ("2026-11-27T16:00:00+01:00", 2, "2026-12-01T16:00:00+01:00", "over a weekend"),
        ("2026-11-28T11:00:00+01:00", 2, "2026-12-01T11:00:00+01:00", "from a Saturday"),
        ("2026-10-22T10:30:00+02:00", 2, "2026-10-26T10:30:00+01:00", "over the end of summer time"),
        ("2026-03-27T10:30:00+01:00", 1, "2026-03-30T10:30:00+02:00", "over its beginning"),
        ("2026-12-23T12:00:00+01:00", 1, "2027-01-04T12:00:00+01:00", "over holidays"),
        ("2026-11-30T09:00:00+01:00", 2, "2026-12-02T09:00:00+01:00", "from the minute it opens"),
        ("2026-11-30T20:00:00+01:00", 2, "2026-12-02T17:00:00+01:00", "from an evening: that day has ended by then"),
        ("2026-11-30T06:00:00+01:00", 2, "2026-12-02T09:00:00+01:00", "from before it opens"),
    ] {
        assert_eq!(office.end(t(start), Allowance::Days(days)), t(end), "{why}");
    }
}

#[test]
fn a_working_day_that_would_end_in_a_break_ends_at_the_nearest_open_time() {
    let lunch = calendar("Europe/Berlin", WORKDAYS, &[(9.0, 12.0), (13.0, 18.0)], &[]);
    let open = calendar("Europe/Berlin", ALL_DAYS, &[(0.0, 24.0)], &[]);
    for (time, end) in [
        ("08:00", "09:00"),
        ("12:00", "12:00"),
        ("12:29", "12:00"),
        // As far from both: the earlier, which is the stricter.
        ("12:30", "12:00"),
        ("12:31", "13:00"),
        ("13:00", "13:00"),
        ("19:00", "18:00"),
    ] {
        let start = t(&format!("2026-11-24T{time}:00+01:00"));
        assert_eq!(lunch.add_days(start, 1), t(&format!("2026-11-25T{end}:00+01:00")), "{time}");
        assert_eq!(open.add_days(start, 1), t(&format!("2026-11-25T{time}:00+01:00")), "{time}");
    }
}

#[test]
fn what_is_open_and_when_it_opens_next() {
    let lunch = calendar("Europe/Berlin", WORKDAYS, &[(9.0, 12.0), (13.0, 18.0)], &[(date("2026-11-30"), date("2026-11-30"))]);
    for (at, open, opens) in [
        ("2026-11-27T08:59:59+01:00", false, "2026-11-27T09:00:00+01:00"),
        ("2026-11-27T09:00:00+01:00", true, "2026-11-27T09:00:00+01:00"),
        ("2026-11-27T12:00:00+01:00", false, "2026-11-27T13:00:00+01:00"),
        ("2026-11-27T17:59:59+01:00", true, "2026-11-27T17:59:59+01:00"),
        ("2026-11-27T18:00:00+01:00", false, "2026-12-01T09:00:00+01:00"),
    ] {
        assert_eq!(lunch.is_open(t(at)), open, "{at}");
        assert_eq!(lunch.opens(t(at)), Some(t(opens)), "{at}");
    }
    let never_again = calendar("UTC", ALL_DAYS, &[(0.0, 24.0)], &[(date("2026-01-01"), Date::MAX)]);
    assert_eq!(never_again.opens(t("2026-06-01T00:00:00Z")), None);
    assert_eq!(never_again.add(t("2025-12-31T23:00:00Z"), Span::hours(2)), Time::NEVER);
    assert_eq!(never_again.add_days(t("2025-12-31T23:00:00Z"), 1), Time::NEVER);
}

#[test]
fn a_calendar_that_is_none_is_refused() {
    let hours = |zone: &str, day: Vec<Interval>| Hours { zone: zone.to_owned(), week: vec![day; 7], closed: Vec::new() };
    let interval = |from, until| Interval { from, until };
    for (hours, why) in [
        (hours("Europe/Berln", vec![interval(0, 1)]), "unknown time zone `Europe/Berln`; expected a name such as `Europe/Berlin` or `UTC`"),
        (hours("UTC", vec![]), "it is never open"),
        (hours("UTC", vec![interval(60, 60)]), "its hours of one day overlap, or end before they begin"),
        (hours("UTC", vec![interval(60, 1441)]), "its hours of one day overlap, or end before they begin"),
        (hours("UTC", vec![interval(0, 120), interval(60, 180)]), "its hours of one day overlap, or end before they begin"),
    ] {
        assert_eq!(Calendar::new(hours).unwrap_err(), why);
    }
}

#[test]
fn allowances_are_read_and_written_as_rules_write_them() {
    for (text, allowance, words) in [
        ("15m", Allowance::Wall(Span::minutes(15)), "15 min"),
        ("24h", Allowance::Wall(Span::hours(24)), "1 d"),
        ("1h30m", Allowance::Wall(Span::minutes(90)), "1 h 30 min"),
        ("90s", Allowance::Wall(Span::seconds(90)), "1 min"),
        ("30bm", Allowance::Working(Span::minutes(30)), "30 working min"),
        ("8bh", Allowance::Working(Span::hours(8)), "8 working h"),
        ("40bh", Allowance::Working(Span::hours(40)), "40 working h"),
        ("1bh30bm", Allowance::Working(Span::minutes(90)), "1 working h 30 min"),
        ("2bd", Allowance::Days(2), "2 working days"),
    ] {
        assert_eq!(Allowance::parse(text), Ok(allowance), "{text}");
        assert_eq!(Allowance::parse(&allowance.to_string()), Ok(allowance), "{allowance}");
        assert_eq!(allowance.words(), words, "{text}");
    }
    for (text, why) in [
        ("1d", NoAllowance::Ambiguous),
        ("2w", NoAllowance::Ambiguous),
        ("1d4h", NoAllowance::Ambiguous),
        ("0m", NoAllowance::OutOfRange),
        ("0bh", NoAllowance::OutOfRange),
        ("0bd", NoAllowance::OutOfRange),
        ("9000h", NoAllowance::OutOfRange),
        ("400bd", NoAllowance::OutOfRange),
        ("", NoAllowance::NotOne),
        ("4", NoAllowance::NotOne),
        ("bh", NoAllowance::NotOne),
        ("8bh30m", NoAllowance::NotOne),
        ("1bd4bh", NoAllowance::NotOne),
        ("8bs", NoAllowance::NotOne),
        ("1bw", NoAllowance::NotOne),
        ("8hb", NoAllowance::NotOne),
        ("soon", NoAllowance::NotOne),
    ] {
        assert_eq!(Allowance::parse(text), Err(why), "{text}");
    }
}

#[derive(serde::Deserialize)]
struct Counted {
    zone: String,
    calendar: String,
    week: Vec<Vec<(u16, u16)>>,
    closed: Vec<String>,
    start: String,
    end: String,
    between: i64,
    add: i64,
    added: String,
}

/// The vectors of tests/fixtures/calendar/working_time.py, which counts minutes.
#[test]
fn working_time_is_what_counting_its_minutes_gives() {
    let cases: Vec<Counted> = serde_json::from_str(include_str!("../fixtures/calendar/working_time.json")).unwrap();
    for case in &cases {
        let day = |hours: &Vec<(u16, u16)>| hours.iter().map(|(from, until)| Interval { from: *from, until: *until }).collect();
        let closed = case.closed.iter().map(|day| Closed::between(date(day), date(day))).collect();
        let hours = Hours { zone: case.zone.clone(), week: case.week.iter().map(day).collect(), closed };
        let calendar = Calendar::new(hours).unwrap();
        let which = format!("{} in {} from {}", case.calendar, case.zone, case.start);
        assert_eq!(calendar.between(t(&case.start), t(&case.end)), Span::minutes(case.between), "{which} to {}", case.end);
        assert_eq!(calendar.add(t(&case.start), Span::minutes(case.add)), t(&case.added), "{which}: {} min", case.add);
    }
    assert_eq!(cases.len(), 55);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn adding_and_measuring_are_each_others_inverse(
        zone in "UTC|Europe/Berlin|America/New_York|Australia/Lord_Howe|Asia/Beirut|Africa/Casablanca|America/Havana|Pacific/Apia",
        week in prop::collection::vec(prop::collection::btree_set(0u16..=48, 0..8), 7),
        closed in prop::collection::vec((19_000i32..22_000, 0i32..9), 0..30),
        // 2024 to 2031, a third of it within two days of a change of Berlin's clock.
        at in prop_oneof![1_704_067_200i64..1_924_992_000, 1_792_800_000i64..1_793_000_000, 1_806_100_000i64..1_806_300_000],
        minutes in 1i64..20_000,
        more in 0i64..3_000,
        share in 0.0f64..1.0,
    ) {
        let day = |marks: &std::collections::BTreeSet<u16>| {
            let marks: Vec<u16> = marks.iter().map(|half| half * 30).collect();
            marks.chunks_exact(2).map(|pair| Interval { from: pair[0], until: pair[1] }).collect::<Vec<_>>()
        };
        let mut closed: Vec<Closed> = closed.iter().map(|(first, days)| Closed { first: *first, last: first + days }).collect();
        closed.sort();
        let mut apart: Vec<Closed> = Vec::new();
        for one in closed {
            match apart.last_mut() {
                Some(before) if one.first <= before.last + 1 => before.last = before.last.max(one.last),
                Some(_) | None => apart.push(one),
            }
        }
        let hours = Hours { zone, week: week.iter().map(day).collect(), closed: apart };
        prop_assume!(hours.week.iter().any(|day| !day.is_empty()));
        let calendar = Calendar::new(hours).unwrap();
        let (start, working) = (Time(at * 1_000), Span::minutes(minutes));
        let end = calendar.add(start, working);
        prop_assert_eq!(calendar.between(start, end), working);
        // It is the earliest such instant, and there is work just before it.
        prop_assert!(calendar.is_open(Time(end.0 - 1)));
        prop_assert!(calendar.between(start, Time(end.0 - 1)) < working);
        // More time ends later; what is measured in two parts is what is measured at once.
        prop_assert!(calendar.add(start, Span::minutes(minutes + more)) >= end);
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "some instant between")]
        let middle = Time(start.0 + ((end - start).0 as f64 * share) as i64);
        prop_assert_eq!(Span(calendar.between(start, middle).0 + calendar.between(middle, end).0), working);
        prop_assert_eq!(calendar.is_open(middle), calendar.opens(middle) == Some(middle));
    }
}
