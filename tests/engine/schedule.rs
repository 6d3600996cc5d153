//! Crontab schedules: days, ranges and changes of the clock, as people know them from cron.

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

#[derive(serde::Deserialize)]
struct Tried {
    expression: String,
    zone: String,
    after: String,
    next: Vec<String>,
}

/// The vectors of tests/fixtures/schedule/cron.py, which tries every minute.
#[test]
fn schedules_come_when_trying_every_minute_says() {
    let cases: Vec<Tried> = serde_json::from_str(include_str!("../fixtures/schedule/cron.json")).unwrap();
    for case in &cases {
        let schedule = Schedule::parse(&case.expression, &case.zone).unwrap();
        let mut at = t(&case.after);
        for expected in &case.next {
            at = schedule.next_after(at).unwrap();
            assert_eq!(at, t(expected), "{} in {}", case.expression, case.zone);
        }
    }
    assert_eq!(cases.len(), 18);
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
