//! What is certain of rules without an alert: which are never the first to match, and which priorities no rule tells anybody of. Never a false alarm.

use watchkeeper_engine::policy::load;
use watchkeeper_engine::source::SourceFile;

/// The messages of what is found, errors among them.
fn found(text: &str) -> Vec<String> {
    let found = match load(&[SourceFile::new("rules/a.yaml", text)]) {
        Ok(loaded) => loaded.warnings,
        Err(found) => found,
    };
    found.into_iter().map(|one| one.message).collect()
}

/// Two correlate rules, of the conditions given.
fn pair(first: &str, second: &str) -> String {
    format!("correlate:\n  - {{name: first{first}}}\n  - {{name: second{second}}}\n")
}

#[test]
fn a_rule_behind_one_that_matches_whatever_it_does_is_never_asked() {
    for (first, second) in [
        // Without a condition.
        ("", ", when: ci.known"),
        ("", ""),
        // The same condition, with more or with other blanks.
        (", when: 'ci.class == \"switch\"'", ", when: '(ci.class  ==  \"switch\")'"),
        (", when: 'at.getHours() < 7'", ", when: ['at.getHours() < 7', 'ci.known']"),
        (", when: 'at.getHours() < 7'", ", when: 'ci.known && (at.getHours() < 7)'"),
        (", matchers: [site=~\"b.*\"]", ", matchers: [site=~\"b.*\", rack=\"1\"]"),
        // One of those that the first takes.
        (", when: 'ci.class in [\"switch\", \"router\"]'", ", when: 'ci.class == \"router\"'"),
        (", when: 'ci.class == \"switch\" || ci.class == \"router\"'", ", when: 'ci.class in [\"router\", \"switch\"]'"),
        (", when: 'ci.class != \"host\"'", ", when: '\"switch\" == ci.class'"),
        (", when: '!(ci.class in [\"host\", \"vm\"])'", ", when: 'ci.class == \"switch\"'"),
        (", when: 'ci.labels.site == \"berlin\" || ci.known'", ", when: 'ci.labels.site == \"berlin\" && ci.class == \"host\"'"),
        (", when: 'alert.name.startsWith(\"Disk\")'", ", when: 'alert.name == \"DiskFull\"'"),
        (", when: 'alert.name.startsWith(\"Disk\")'", ", when: 'alert.name.startsWith(\"DiskF\")'"),
        (", when: 'alert.name.matches(\"(?i)disk|filesystem\")'", ", when: 'alert.name in [\"DiskFull\", \"FilesystemFull\"]'"),
        (", matchers: ['alertname=~\"Host.*|Node.*\"']", ", matchers: [alertname=\"HostDown\"]"),
        (", matchers: ['severity!=\"info\"']", ", matchers: ['severity=~\"critical|error\"'], when: ci.known"),
        (", when: 'alert.labels.job == \"\"'", ", when: 'alert.labels.job == \"\" && ci.known'"),
    ] {
        let expected = "correlate rule `second` is never asked: `first` stands before it";
        let found = found(&pair(first, second));
        assert!(found.len() == 1 && found[0].starts_with(expected), "{first} | {second}: {found:?}");
    }
}

#[test]
fn a_rule_that_something_may_reach_is_not_called_hidden() {
    for (first, second) in [
        (", when: ci.known", ""),
        (", when: 'ci.class == \"switch\"'", ", when: 'ci.class in [\"switch\", \"router\"]'"),
        (", when: 'ci.class == \"switch\"'", ", when: 'service.tier == \"switch\"'"),
        (", when: 'ci.class == \"switch\" && ci.known'", ", when: 'ci.class == \"switch\"'"),
        (", when: 'ci.labels.site == \"berlin\"'", ", when: 'ci.labels.rack == \"berlin\"'"),
        (", when: 'ci.class != \"host\"'", ", when: 'ci.class in [\"switch\", \"host\"]'"),
        (", when: 'alert.name.startsWith(\"DiskF\")'", ", when: 'alert.name.startsWith(\"Disk\")'"),
        (", when: 'alert.name.matches(\"^Disk$\")'", ", when: 'alert.name in [\"Disk\", \"DiskFull\"]'"),
        // A label as sent is not the alert's name.
        (", matchers: [alertname=\"HostDown\"]", ", when: 'alert.name == \"HostDown\"'"),
        (", matchers: ['alertname=~\"Host.*\"']", ", matchers: ['alertname=~\".*Down\"']"),
        (", disabled: true", ", when: ci.known"),
        (", when: '!ci.known'", ", when: 'ci.known'"),
        (", when: '(ci.known || alert.count > 1) && (ci.known || alert.count > 2)'", ", when: 'alert.count > 2'"),
    ] {
        assert_eq!(found(&pair(first, second)), [""; 0], "{first} | {second}");
    }
    // What is refused is not known, so nothing is said of it.
    let refused = found(&pair(", when: 'ci.clas == \"x\"'", ", when: ci.known"));
    assert!(refused.len() == 1 && refused[0].contains("no field `clas`"), "{refused:?}");
    let refused = found(&pair(", matchers: alertname=X", ", when: ci.known"));
    assert!(refused.len() == 1 && refused[0].contains("expected a list"), "{refused:?}");
}

#[test]
fn the_first_of_a_scope_hides_only_what_the_scope_lets_in() {
    let files = |second: &str| {
        let scoped = SourceFile::new("rules/a.yaml", "scope: {when: ci.owner == \"net\"}\ncorrelate: [{name: all}]\n");
        let files = [scoped, SourceFile::new("rules/b.yaml", format!("correlate: [{{name: more{second}}}]\n"))];
        load(&files).unwrap().warnings.into_iter().map(|one| (one.message, one.help.unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(files(""), []);
    let hidden = files(", when: 'ci.owner == \"net\" && ci.known'");
    let message = "correlate rule `more` is never asked: `all` stands before it and matches whatever this one does";
    let help = "`all` is at rules/a.yaml:2:20: put this one before it, or give `all` a narrower condition";
    assert_eq!(hidden, [(message.to_owned(), help.to_owned())]);
}

#[test]
fn slas_of_one_kind_and_ways_to_look_up_one_value_hide_each_other_and_others_do_not() {
    let slas = "slas:\n  - {name: one, targets: {P1: {response: 15m}}}\n  - {name: two, targets: {P2: {response: 1h}}}\n";
    assert_eq!(found(slas), ["SLA `two` is never asked: `one` stands before it and has no condition"]);
    let vendors = "slas:\n  - {name: one, targets: {P1: {response: 15m}}}\n  - {name: two, kind: uc, contract: a, targets: {P2: {resolution: 1h}}}\n  - {name: three, kind: uc, contract: b, targets: {P2: {resolution: 1h}}}\n";
    assert_eq!(found(vendors), [""; 0]);
    let identify =
        |second: &str| format!("identify:\n  - {{name: a, from: alert.labels.host}}\n  - {{name: b, from: alert.labels.{second}}}\n");
    assert_eq!(found(&identify("host")), ["identify rule `b` is never asked: `a` stands before it and has no condition"]);
    assert_eq!(found(&identify("device")), [""; 0], "what the first does not find is looked up by the second");
}

/// Rules that nothing can be looked up by, and many that can: neither takes long, and the first pair is found.
#[test]
fn ten_thousand_rules_are_looked_through_in_the_time_of_a_reload() {
    let rules = |when: &dyn Fn(usize) -> String| {
        let rules = (0..10_000).map(|n| format!("  - {{name: r{n}, {}}}\n", when(n))).collect::<String>();
        format!("correlate:\n{rules}")
    };
    let told = |text: &str| found(text).iter().filter(|one| one.contains("is never asked")).count();
    assert_eq!(told(&rules(&|n| format!("matchers: [alertname=\"A{}\", site=\"s{}\"]", n % 100, n / 100))), 0);
    assert_eq!(told(&rules(&|n| format!("matchers: [alertname=\"A{}\"]", n.min(9_990)))), 9);
    assert_eq!(told(&rules(&|n| format!("when: 'alert.name.matches(\"a{n}z\")'"))), 0);
}

fn notify(rules: &[&str]) -> Vec<String> {
    let rules = rules.iter().enumerate().map(|(n, rule)| format!("  - {{name: n{n}, to: [owner]{rule}}}\n")).collect::<String>();
    found(&format!("notify:\n{rules}"))
}

#[test]
fn priorities_of_which_no_rule_tells_anybody_are_listed() {
    let untold = |priorities: &str| [format!("no notify rule tells anybody when an incident of {priorities} opens")];
    assert_eq!(notify(&[", when: incident.priority == \"P1\""]), untold("P2, P3, P4 or P5"));
    assert_eq!(
        notify(&[
            ", when: 'incident.priority in [\"P1\", \"P2\"] && ci.known'",
            ", when: '!(incident.priority in [\"P1\", \"P2\", \"P5\"])'"
        ]),
        untold("P5")
    );
    assert_eq!(notify(&[", when: 'incident.priority == \"P5\"', send: [resolved]", ", when: incident.priority != \"P5\""]), untold("P5"));
    assert_eq!(notify(&[", when: ['ci.known', 'incident.priority == \"P1\" || incident.priority == \"P2\"']"]), untold("P3, P4 or P5"));
    assert_eq!(
        notify(&[", when: 'ci.known ? incident.priority == \"P1\" : incident.priority == \"P2\"'"]),
        [""; 0],
        "it depends on the CI"
    );
    let matrix = "priorities: {high: {low: P2}, medium: {medium: P2, low: P2}, low: {high: P2, medium: P2, low: P2}}\n";
    let given = format!("{matrix}notify: [{{name: page, when: 'incident.priority in [\"P1\", \"P2\"]', to: [owner]}}]\n");
    assert_eq!(found(&given), [""; 0], "no other is ever given");
}

#[test]
fn where_somebody_may_be_told_of_a_priority_nothing_is_said() {
    for rules in [
        &[""][..],
        &[", when: 'sla.percent >= 75'"],
        &[", when: 'incident.priority == \"P1\"'", ", when: 'ci.environment != \"staging\"', digest: morning"],
        &[", when: 'incident.priority == \"P1\" || ci.owner == \"net\"'"],
        &[", when: 'incident.priority != \"P1\"'", ", when: 'incident.priority == \"P1\" && ci.known'"],
        &[", when: 'incident.impact == \"high\"'"],
    ] {
        assert_eq!(notify(rules), [""; 0], "{rules:?}");
    }
    assert_eq!(found("correlate: [{name: a}]\n"), [""; 0], "without a rule the built-in ones tell of all");
    let refused = notify(&[", when: 'incident.priority == \"P1\"'", ", when: 'incident.prio == \"P2\"'"]);
    assert!(refused.len() == 1 && refused[0].contains("no field `prio`"), "what was refused might tell: {refused:?}");
}
