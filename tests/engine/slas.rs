//! `calendars`, `holidays` and `slas` of rule files: what they become, and every planted fault at its place.

use watchkeeper_engine::calendar::{Allowance, Calendar};
use watchkeeper_engine::model::incident::clock::{BREACH, Mark, Moved, Run};
use watchkeeper_engine::policy::{Policy, load, schema};
use watchkeeper_engine::source::SourceFile;
use watchkeeper_engine::time::{Span, Time};
use watchkeeper_engine::words::{Priority, SlaTarget};

fn t(text: &str) -> Time {
    Time::parse_rfc3339(text).unwrap()
}

fn files(texts: &[(&str, &str)]) -> Vec<SourceFile> {
    texts.iter().map(|(path, text)| SourceFile::new(*path, *text)).collect()
}

fn policy(texts: &[(&str, &str)]) -> Policy {
    load(&files(texts)).map(|loaded| loaded.policy).unwrap_or_else(|_| panic!("{}", faults(texts)))
}

/// Everything found in some files, in the order in which it is reported.
fn faults(texts: &[(&str, &str)]) -> String {
    let files = files(texts);
    let found = match load(&files) {
        Ok(loaded) => loaded.warnings,
        Err(found) => found,
    };
    let drawn = |one| {
        let one: &watchkeeper_engine::source::Diagnostic = one;
        let file = files.iter().find(|file| file.path == one.path).expect("a file of the set");
        format!("{}\n", super::source::drawn_one(file, one))
    };
    found.iter().map(drawn).collect()
}

const ICS: &str = "BEGIN:VCALENDAR\r
VERSION:2.0\r
BEGIN:VEVENT\r
UID:1@example.org\r
DTSTART;VALUE=DATE:20200101\r
DTEND;VALUE=DATE:20200102\r
RRULE:FREQ=YEARLY\r
SUMMARY:Neujahr\r
END:VEVENT\r
BEGIN:VEVENT\r
DTSTART;VALUE=DATE:20260403\r
SUMMARY:Kar\r
 freitag\r
BEGIN:VALARM\r
TRIGGER:-P1D\r
SUMMARY:Morgen ist frei\r
END:VALARM\r
END:VEVENT\r
BEGIN:VEVENT\r
DTSTART;VALUE=DATE:20261111\r
SUMMARY:St. Martin\\, Laternen\r
END:VEVENT\r
BEGIN:VEVENT\r
DTSTART;VALUE=DATE:20261224\r
DTEND;VALUE=DATE:20261227\r
SUMMARY:Weihnachten\r
END:VEVENT\r
BEGIN:VEVENT\r
DTSTART:20261015T120000Z\r
SUMMARY:Betriebsversammlung\r
END:VEVENT\r
BEGIN:VEVENT\r
DTSTART;VALUE=DATE:20260101\r
RRULE:FREQ=MONTHLY\r
SUMMARY:Inventur\r
END:VEVENT\r
END:VCALENDAR\r
";

const OFFICE: &str = r#"
calendars:
  office: {zone: Europe/Berlin, open: {mon-thu: ["09:00-12:00", "13:00-17:00"], fri: "09:00-15:00"}, holidays: [berlin, own], closed: ["2026-12-28..2026-12-31"]}
  nights: {zone: Europe/Berlin, open: {"mon,wed": ["22:00-24:00"], sat-sun: ["00:00-06:00"]}}
holidays:
  berlin: {ics: holidays/berlin.ics, only: [Neujahr, Karfreitag, Weihnachten]}
  own: {dates: [2026-10-02, 2026-08-03..2026-08-07]}
"#;

#[test]
fn a_calendar_has_its_hours_and_the_holidays_of_its_files() {
    let policy = policy(&[("rules/a.yaml", OFFICE), ("rules/holidays/berlin.ics", ICS)]);
    let office = &policy.calendars["office"];
    for (at, open) in [
        ("2026-11-24T11:59:00+01:00", true),
        ("2026-11-24T12:30:00+01:00", false),
        ("2026-11-27T14:59:00+01:00", true),
        ("2026-11-27T15:00:00+01:00", false),
        ("2026-11-28T10:00:00+01:00", false),
        // Named holidays, one of every year, and the days between two dates.
        ("2026-04-03T10:00:00+02:00", false),
        ("2027-01-01T10:00:00+01:00", false),
        ("2029-01-01T10:00:00+01:00", false),
        ("2026-12-24T10:00:00+01:00", false),
        ("2026-12-31T10:00:00+01:00", false),
        ("2026-10-02T10:00:00+02:00", false),
        ("2026-08-07T10:00:00+02:00", false),
        ("2026-08-10T10:00:00+02:00", true),
        // Events of the file that are not named are working days.
        ("2026-11-11T10:00:00+01:00", true),
    ] {
        assert_eq!(office.is_open(t(at)), open, "{at}");
    }
    let nights = &policy.calendars["nights"];
    assert_eq!(nights.between(t("2026-11-23T00:00:00+01:00"), t("2026-11-30T00:00:00+01:00")), Span::hours(16));
}

#[test]
fn an_sla_keeps_its_promises_and_the_calendar_that_they_count_by() {
    let slas = r"
slas:
  - name: gold
    when: service.tier == 'gold' && incident.priority != 'P5'
    calendar: office
    targets: {P1: {response: 15m, resolution: 4h}, P2: {response: 30bm, resolution: 8bh}, P3: {resolution: 2bd}}
    pause: [waiting_for_customer]
    warn_at: [90%, 50%, 75%, 50%]
  - {name: rest, targets: {P1: {resolution: 8h}}}
  - {name: off, disabled: true, targets: {P1: {resolution: 8h}}}
";
    let sources = [("rules/a.yaml", OFFICE), ("rules/b.yaml", slas), ("rules/holidays/berlin.ics", ICS)];
    let first = policy(&sources);
    let [gold, rest] = &first.slas[..] else { panic!("{:?}", first.slas) };
    assert_eq!(gold.terms.warn_at, [50, 75, 90]);
    assert_eq!(rest.terms.warn_at, [75]);
    for (target, priority, allowance) in [
        (SlaTarget::Response, Priority::P1, Some(Allowance::Wall(Span::minutes(15)))),
        (SlaTarget::Response, Priority::P2, Some(Allowance::Working(Span::minutes(30)))),
        (SlaTarget::Resolution, Priority::P3, Some(Allowance::Days(2))),
        (SlaTarget::Response, Priority::P3, None),
        (SlaTarget::Resolution, Priority::P4, None),
    ] {
        assert_eq!(gold.terms.allowance(target, priority), allowance, "{target} of {priority}");
    }
    assert_eq!(&gold.terms.hours, first.calendars["office"].hours());
    // Another holiday is another calendar, so other terms; what stays the same keeps its name.
    let closed = OFFICE.replace("2026-10-02", "2026-10-05");
    let second = policy(&[("rules/a.yaml", &closed), ("rules/b.yaml", slas), ("rules/holidays/berlin.ics", ICS)]);
    assert_ne!(second.slas[0].terms_id, gold.terms_id);
    assert_eq!(second.slas[1].terms_id, rest.terms_id);
    let moved = ICS.replace("20260403", "20260404");
    let third = policy(&[("rules/a.yaml", OFFICE), ("rules/b.yaml", slas), ("rules/holidays/berlin.ics", &moved)]);
    assert_ne!(third.slas[0].terms_id, gold.terms_id);
    assert_ne!(third.id, first.id, "holidays are a part of the rules that are in force");
}

#[test]
fn each_planted_fault_of_calendars_and_slas_is_named_at_its_place() {
    let calendar = |keys: &str| format!("calendars:\n  office: {{zone: Europe/Berlin, open: {{mon-fri: \"09:00-17:00\"}}, {keys}}}\n");
    let sla = |keys: &str| format!("{}slas:\n  - {{name: gold, calendar: office, {keys}}}\n", calendar("closed: []"));
    let cases = [
        "calendars:\n  office: {zone: Europe/Berln, open: {mon-fri: \"09:00-17:00\"}}\n".to_owned(),
        "calendars:\n  office: {open: {mno: \"09:00-17:00\", tue: \"9:00-17:00\", wed: \"17:00-09:00\", thu: \"09:00-09:00\", fri: \"09:00-24:30\"}}\n".to_owned(),
        "calendars:\n  office: {zone: UTC, open: {mon: [\"09:00-12:00\", \"11:00-13:00\"], mon-tue: \"09:00-10:00\"}}\n  always: {}\n".to_owned(),
        "calendars:\n  office: {zone: UTC, open: {}}\n  open: [mon]\n".to_owned(),
        calendar("holidays: [berlin, brlin], closed: [2026-02-30, 2026-12-31..2026-12-24, tomorrow], closd: x") + "holidays:\n  berlin: {dates: 2026-01-01}\n",
        "holidays:\n  a: {}\n  b: {only: [x]}\n  c: {ics: holidays/brlin.ics}\n  d: {ics: holidays/berlin.ics, only: [Karfreitg, Inventur, Betriebsversammlung]}\n".to_owned(),
        sla("targets: {P1: {response: 1d, resolution: 2w}, P2: {response: soon, resolution: 4}, P3: {resolution: 0m}, P6: {resolution: 4h}}"),
        sla("targets: {P1: {respone: 15m, update: 1h}}, pause: [waiting_for_costumer, maintenance], warn_at: [75, 100%, 0%, half]"),
        sla("targets: {}"),
        sla("targets: {P1: {resolution: 4h}, P2: {}, P3: null}"),
        "slas:\n  - {name: gold, targets: {P1: {response: 30bm, resolution: 2bd}}}\n  - {name: gold, calendar: offce, targets: {P1: {resolution: 8bh}}}\n".to_owned()
            + &calendar("closed: []"),
        "slas:\n  - {name: net, kind: ola, team: network, targets: {P1: {resolution: 2h}}}\n  - {name: x, kind: slo, targets: {P1: {resolution: 2h}}}\n".to_owned(),
        sla("kind: uc, targets: {P1: {response: 15m, resolution: 2h, update: 1h}}, pause: waiting_for_customer"),
        sla("contract: acme-net, targets: {P1: {resolution: 2h}}"),
        sla("when: service.teir == \"gold\" && sla.percent > 3, targets: {P1: {resolution: 4h}}"),
        "notify:\n  - {name: x, to: [owner], when: sla.percnt >= 75 || sla.target == \"resolve\"}\n".to_owned(),
    ];
    let drawn = cases.iter().map(|text| {
        let found = faults(&[("rules/a.yaml", text), ("rules/holidays/berlin.ics", ICS)]);
        assert!(found.contains("error: "), "{text} has a fault:\n{found}");
        format!("{text}---\n{found}\n")
    });
    insta::assert_snapshot!(drawn.collect::<String>());
}

#[test]
fn files_of_holidays_that_are_none_are_refused() {
    let rules = "holidays:\n  a: {ics: ./x/../a.ics}\n";
    for (ics, said) in [
        ("PK\u{3}\u{4}", "it does not begin with `BEGIN:VCALENDAR`"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20260101\n", "`END:VEVENT` is missing"),
        ("", "it does not begin with `BEGIN:VCALENDAR`"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260102\nEND:VEVENT\n", "`END:VCALENDAR` is missing"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260102\nEND:VEVENT\nEND:VCAL", "`END:VCALENDAR` is missing"),
        ("BEGIN:VCALENDAR\nVERSION:2.0\nEND:VCALENDAR\n", "there is no event in it"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260102\nSTATUS:CANCELLED\nEND:VEVENT\nEND:VCALENDAR\n", "there is no event in it"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:x\nEND:VEVENT\nEND:VCALENDAR\n", "an event without `DTSTART`"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20260230\nEND:VEVENT\nEND:VCALENDAR\n", "`DTSTART` is no date"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260102\nDTEND:20260101\nEND:VEVENT\nEND:VCALENDAR\n", "ends before it begins"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260102\nRRULE:FREQ=YEARLY;BYDAY=1MO\nEND:VEVENT\nEND:VCALENDAR\n", "only `FREQ=YEARLY`"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260102\nRRULE:FREQ=YEARLY;BYMONTH=2\nEND:VEVENT\nEND:VCALENDAR\n", "only `FREQ=YEARLY`"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260102\nEXDATE:20260102\nEND:VEVENT\nEND:VCALENDAR\n", "`EXDATE` is not read"),
        (
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260102\nRECURRENCE-ID:20260101\nEND:VEVENT\nEND:VCALENDAR\n",
            "`RECURRENCE-ID` is not read",
        ),
        (
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260102\nRRULE:FREQ=YEARLY;UNTIL=2028\nEND:VEVENT\nEND:VCALENDAR\n",
            "`UNTIL` is no date",
        ),
        (
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260102\nRRULE:FREQ=YEARLY;UNTIL=20260101\nEND:VEVENT\nEND:VCALENDAR\n",
            "`UNTIL` lies before `DTSTART`",
        ),
        (
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260102\nDURATION:PT4H\nEND:VEVENT\nEND:VCALENDAR\n",
            "`DURATION` is not a number of days",
        ),
    ] {
        let found = faults(&[("rules/a.yaml", rules), ("rules/a.ics", ics)]);
        assert!(found.contains(said) && found.contains("rules/a.ics:"), "{ics}:\n{found}");
    }
    // One of three days by its length, and one of two years.
    let ics = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260105\nDURATION:P3D\nEND:VEVENT\n\
               BEGIN:VEVENT\nDTSTART:20260301\nRRULE:FREQ=YEARLY;COUNT=2\nEND:VEVENT\n\
               BEGIN:VEVENT\nDTSTART:20240229\nRRULE:FREQ=YEARLY;UNTIL=20280301\nEND:VEVENT\n\
               BEGIN:VEVENT\nDTSTART:20201225\nRRULE:FREQ=YEARLY;UNTIL=20361224T235959Z\nEND:VEVENT\n\
               BEGIN:VEVENT\nDTSTART:20400229\nRRULE:FREQ=YEARLY;COUNT=2\nEND:VEVENT\n\
               BEGIN:VEVENT\nDTSTART:20260606\nSTATUS:Cancelled\nEND:VEVENT\nEND:VCALENDAR\n";
    let all = "calendars:\n  all: {zone: UTC, open: {mon-sun: \"00:00-24:00\"}, holidays: a}\n";
    let policy = policy(&[("rules/a.yaml", &format!("{rules}{all}")), ("rules/a.ics", ics)]);
    let closed = |from: &str, until: &str| {
        let day = |text: &str| t(&format!("{text}T00:00:00Z"));
        let (from, until) = (day(from), day(until));
        Span((until - from).0 - policy.calendars["all"].between(from, until).0)
    };
    assert_eq!(closed("2026-01-01", "2026-02-01"), Span::days(3));
    assert_eq!(closed("2026-02-15", "2026-12-01"), Span::days(1), "one March; what was cancelled is worked");
    assert_eq!(closed("2026-12-01", "2039-01-01"), Span::days(12), "another, the leap day of 2028, and Christmas until 2035");
    assert_eq!(closed("2040-01-01", "2050-01-01"), Span::days(2), "the leap days of 2040 and 2044");
}

#[test]
fn editors_know_the_words_of_calendars_and_slas() {
    let schema = schema();
    let rule = &schema["properties"]["slas"]["items"]["properties"];
    let allowance = &rule["targets"]["properties"]["P1"]["properties"]["resolution"]["pattern"];
    let pattern = regex::Regex::new(allowance.as_str().unwrap()).unwrap();
    for (text, fits) in
        [("4h", true), ("1h30m", true), ("30bm", true), ("2bd", true), ("1d", false), ("2w", false), ("8bh30m", false), ("bd", false)]
    {
        assert_eq!(pattern.is_match(text), fits, "{text}");
    }
    let open = &schema["properties"]["calendars"]["additionalProperties"]["properties"]["open"];
    assert!(open["description"].as_str().unwrap().contains("24:00 is midnight"), "{open}");
}

/// A day of an incident that is held twice, resolved, opened again and resolved: what waits and what is over does not count, whenever it is looked at.
#[test]
fn a_promise_waits_while_it_is_held_and_after_it_is_kept() {
    let minute = |minutes: i64| Time(Span::days(20_000).0 + Span::minutes(minutes).0);
    let held = || Moved::Held("waiting_for_customer".to_owned());
    let history = [
        (0, Moved::Started),
        (0, Moved::Rated(Priority::P1)),
        (10, held()),
        (25, Moved::Resumed),
        (40, Moved::Held("lunch".to_owned())),
        (50, held()),
        (70, Moved::Resumed),
        (90, Moved::Resolved),
        (120, Moved::Resumed),
        (130, Moved::Resolved),
    ];
    let log: Vec<Mark> = history.map(|(at, what)| Mark { at: minute(at), what }).to_vec();
    let slas = "slas:\n  - {name: s, targets: {P1: {resolution: 30m}}, pause: [waiting_for_customer]}\n";
    let terms = &policy(&[("rules/a.yaml", slas)]).slas[0].terms;
    let always = Calendar::always();
    let used = |log: &[Mark], at: i64| Run::of(log, 0, terms, SlaTarget::Resolution).unwrap().standing(&always, false, minute(at)).used;
    // Another reason than the one that the SLA names does not stop it: from 40 to 50 it counts.
    for (at, minutes) in
        [(0, 0), (7, 7), (10, 10), (20, 10), (25, 10), (30, 15), (45, 30), (50, 35), (69, 35), (80, 45), (90, 55), (110, 55)]
    {
        let known: Vec<Mark> = log.iter().filter(|mark| mark.at <= minute(at)).cloned().collect();
        assert_eq!(used(&known, at), Span::minutes(minutes), "as known at minute {at}");
    }
    let open = |until: i64| log.iter().filter(|mark| mark.at <= minute(until)).cloned().collect::<Vec<_>>();
    let due = |log: &[Mark]| Run::of(log, 0, terms, SlaTarget::Resolution).unwrap().reaches(&always, BREACH);
    assert_eq!(due(&open(0)), Some(minute(30)), "nothing is known of what is to come");
    assert_eq!(due(&open(10)), None, "held, it is due at no time");
    assert_eq!(due(&open(25)), Some(minute(45)), "the 15 minutes come behind it");
    assert_eq!(due(&open(60)), Some(minute(45)), "what is broken stays broken");
}
