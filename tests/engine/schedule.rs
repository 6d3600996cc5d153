//! Crontab schedules: days, ranges and changes of the clock, as people know them from cron.

use std::collections::BTreeSet;

use jiff::civil;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use watchkeeper_engine::schedule::Schedule;
use watchkeeper_engine::time::Time;

fn t(text: &str) -> Time {
    Time::parse_rfc3339(text).unwrap()
}

/// The next times after a moment, as the zone's clock shows them.
fn next(expression: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let schedule = Schedule::parse(expression, zone).unwrap();
    let tz = TimeZone::get(zone).unwrap();
    let mut at = t(after);
    let mut found = Vec::new();
    for _ in 0..count {
        at = schedule.next_after(at).unwrap();
        assert_eq!(schedule.last_at_or_before(at), Some(at), "{expression} comes at the time it names");
        let timestamp = at.timestamp();
        found.push(format!("{}{}", tz.to_datetime(timestamp).strftime("%Y-%m-%dT%H:%M"), tz.to_offset(timestamp)));
    }
    found
}

#[test]
fn days_and_ranges_mean_what_they_mean_in_cron() {
    let cases: &[(&str, &[&str])] = &[
        ("0 8 * * *", &["2026-11-24T08:00+01", "2026-11-25T08:00+01"]),
        ("30 9-17/4 * * mon-fri", &["2026-11-24T09:30+01", "2026-11-24T13:30+01", "2026-11-24T17:30+01", "2026-11-25T09:30+01"]),
        ("0 0 * * 0", &["2026-11-29T00:00+01", "2026-12-06T00:00+01"]),
        ("0 0 * * 7", &["2026-11-29T00:00+01"]),
        ("0 0 * * SUN", &["2026-11-29T00:00+01"]),
        ("0 0 * * fri-sun", &["2026-11-27T00:00+01", "2026-11-28T00:00+01", "2026-11-29T00:00+01", "2026-12-04T00:00+01"]),
        ("0 0 * * sat-mon", &["2026-11-28T00:00+01", "2026-11-29T00:00+01", "2026-11-30T00:00+01", "2026-12-05T00:00+01"]),
        ("0 0 * * 5-7", &["2026-11-27T00:00+01", "2026-11-28T00:00+01", "2026-11-29T00:00+01", "2026-12-04T00:00+01"]),
        ("0 22-1 * * *", &["2026-11-24T22:00+01", "2026-11-24T23:00+01", "2026-11-25T00:00+01", "2026-11-25T01:00+01"]),
        ("0 22 * * tue#2", &["2026-12-08T22:00+01", "2027-01-12T22:00+01", "2027-02-09T22:00+01"]),
        ("0 22 * * fri#L", &["2026-11-27T22:00+01", "2026-12-25T22:00+01", "2027-01-29T22:00+01"]),
        ("0 22 * * 5L", &["2026-11-27T22:00+01"]),
        ("0 0 * * mon,tue#5", &["2026-11-30T00:00+01", "2026-12-07T00:00+01"]),
        ("0 0 L * *", &["2026-11-30T00:00+01", "2026-12-31T00:00+01", "2027-01-31T00:00+01", "2027-02-28T00:00+01"]),
        ("0 0 1,15 * mon", &["2026-11-30T00:00+01", "2026-12-01T00:00+01", "2026-12-07T00:00+01"]),
        ("0 0 */2 * mon", &["2026-12-07T00:00+01", "2026-12-21T00:00+01"]),
        ("0 0 29 2 *", &["2028-02-29T00:00+01", "2032-02-29T00:00+01"]),
        ("0 0 1 nov-jan *", &["2026-12-01T00:00+01", "2027-01-01T00:00+01", "2027-11-01T00:00+01"]),
        ("*/20 3 * * *", &["2026-11-24T03:20+01", "2026-11-24T03:40+01", "2026-11-25T03:00+01"]),
    ];
    for (expression, expected) in cases {
        assert_eq!(next(expression, "Europe/Berlin", "2026-11-24T02:05:00Z", expected.len()), *expected, "{expression}");
    }
}

#[test]
fn what_falls_into_a_gap_of_the_clock_comes_once_at_its_end() {
    let berlin = |expression: &str, count| next(expression, "Europe/Berlin", "2027-03-27T22:00:00Z", count);
    assert_eq!(berlin("30 2 * * *", 2), ["2027-03-28T03:00+02", "2027-03-29T02:30+02"]);
    assert_eq!(berlin("*/15 2 * * *", 2), ["2027-03-28T03:00+02", "2027-03-29T02:00+02"]);
    assert_eq!(berlin("0 2,3 * * *", 2), ["2027-03-28T03:00+02", "2027-03-29T02:00+02"]);
    assert_eq!(berlin("30 * * * *", 4), ["2027-03-27T23:30+01", "2027-03-28T00:30+01", "2027-03-28T01:30+01", "2027-03-28T03:30+02"]);
    let howe = |expression: &str, count| next(expression, "Australia/Lord_Howe", "2026-10-03T15:00:00Z", count);
    assert_eq!(howe("15 2 * * *", 2), ["2026-10-04T02:30+11", "2026-10-05T02:15+11"]);
    assert_eq!(howe("*/10 * * * *", 4), ["2026-10-04T01:40+10:30", "2026-10-04T01:50+10:30", "2026-10-04T02:30+11", "2026-10-04T02:40+11"]);
    assert_eq!(next("0 12 30 12 *", "Pacific/Apia", "2011-12-29T00:00:00Z", 2), ["2011-12-31T00:00+14", "2012-12-30T12:00+14"]);
}

#[test]
fn what_the_clock_shows_twice_comes_once_unless_it_is_meant_every_time() {
    let berlin = |expression: &str, count| next(expression, "Europe/Berlin", "2026-10-24T23:00:00Z", count);
    assert_eq!(berlin("30 2 * * *", 2), ["2026-10-25T02:30+02", "2026-10-26T02:30+01"]);
    assert_eq!(berlin("0 3 * * *", 2), ["2026-10-25T03:00+01", "2026-10-26T03:00+01"]);
    assert_eq!(berlin("30 * * * *", 4), ["2026-10-25T01:30+02", "2026-10-25T02:30+02", "2026-10-25T02:30+01", "2026-10-25T03:30+01"]);
    assert_eq!(berlin("0 */2 * * *", 3), ["2026-10-25T02:00+02", "2026-10-25T02:00+01", "2026-10-25T04:00+01"]);
    let howe = |expression: &str, count| next(expression, "Australia/Lord_Howe", "2027-04-03T14:35:00Z", count);
    assert_eq!(howe("45 1 * * *", 2), ["2027-04-04T01:45+11", "2027-04-05T01:45+10:30"]);
    assert_eq!(howe("45 * * * *", 3), ["2027-04-04T01:45+11", "2027-04-04T01:45+10:30", "2027-04-04T02:45+10:30"]);
    // Beirut's clock goes back at midnight, into the day before.
    let beirut = |expression: &str, count| next(expression, "Asia/Beirut", "2026-10-24T20:00:00Z", count);
    assert_eq!(beirut("30 23 * * *", 2), ["2026-10-24T23:30+03", "2026-10-25T23:30+02"]);
    assert_eq!(beirut("30 * * * *", 3), ["2026-10-24T23:30+03", "2026-10-24T23:30+02", "2026-10-25T00:30+02"]);
    assert_eq!(beirut("10 0 * * *", 2), ["2026-10-25T00:10+02", "2026-10-26T00:10+02"]);
}

#[test]
fn schedules_that_are_none_are_refused_in_words_that_teach() {
    let expressions = [
        "",
        "* * * *",
        "0 0 8 * * *",
        "@daily",
        "@reboot",
        "60 * * * *",
        "* 24 * * *",
        "0 0 0 * *",
        "0 0 32 * *",
        "0 0 * 13 *",
        "0 0 * * 8",
        "0 0 * * tues",
        "0 0 * janu *",
        "0 0 * * xyz",
        "*/0 * * * *",
        "*/x * * * *",
        "0 0 5-1 * *",
        "1-1_0 * * * *",
        "0 0 * * 1#0",
        "0 0 * * 1#6",
        "0 0 * * mon#x",
        "0 0 30 2 *",
        "0 0 ? * *",
        "0 0 1W * *",
        "0,, * * * *",
        "5- * * * *",
    ];
    let said: Vec<String> = expressions.iter().map(|text| format!("{text}\n    {}", Schedule::parse(text, "UTC").unwrap_err())).collect();
    insta::assert_snapshot!(said.join("\n"));
    assert_eq!(
        Schedule::parse("0 0 * * *", "Europe/Berln").unwrap_err(),
        "unknown time zone `Europe/Berln`; expected a name such as `Europe/Berlin` or `UTC`"
    );
}

/// Cases of the vectors that mean something else here, and why.
const OTHER_HERE: &[(&str, &str)] =
    &[("test_it_handles_lw", "the nearest working day, `W`, is not read: working days are what calendars are for")];

#[test]
fn the_vectors_of_another_cron_agree() {
    #[expect(clippy::disallowed_methods, reason = "the corpus lies outside of the repository")]
    let folder = std::env::var("WATCHKEEPER_CORPUS").expect("WATCHKEEPER_CORPUS names the folder of shared test data");
    #[expect(clippy::disallowed_methods, reason = "a test reads its vectors")]
    let text = std::fs::read_to_string(format!("{folder}/schedule/cronsim_vectors.json")).expect("the vectors of cronsim");
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn next_and_last_are_neighbours_with_nothing_between(
        minute in "\\*|\\*/7|0|30|15,45|50-10",
        hour in "\\*|\\*/5|2|0|23|1-3|22-2",
        day in "\\*|\\*/3|1|29|L|13,31",
        month in "\\*|2,3|10-11|oct-apr",
        weekday in "\\*|\\*/2|0|7|sat-mon|tue#2|fri#L",
        zone in "UTC|Europe/Berlin|Australia/Lord_Howe|Asia/Beirut|Africa/Casablanca",
        // 2024 to 2031, a third of it within two days of a change of Berlin's clock.
        at in prop_oneof![1_704_067_200i64..1_924_992_000, 1_792_800_000i64..1_793_000_000, 1_806_100_000i64..1_806_300_000],
    ) {
        let schedule = Schedule::parse(&format!("{minute} {hour} {day} {month} {weekday}"), &zone).unwrap();
        let at = Time(at * 1_000);
        let next = schedule.next_after(at).unwrap();
        let last = schedule.last_at_or_before(at).unwrap();
        prop_assert!(last <= at && at < next);
        prop_assert_eq!(schedule.last_at_or_before(Time(next.0 - 1)), Some(last));
        prop_assert_eq!(schedule.next_after(last), Some(next));
        prop_assert_eq!(schedule.next_after(Time(last.0 - 1)), Some(last));
        prop_assert_eq!(schedule.last_at_or_before(next), Some(next));
        let some: Vec<Time> = std::iter::successors(Some(next), |at| schedule.next_after(*at)).take(20).collect();
        prop_assert_eq!(schedule.count(next, some[19]), 20);
        prop_assert_eq!(schedule.count(at, Time(next.0 - 1)), u32::from(last == at));
    }
}
