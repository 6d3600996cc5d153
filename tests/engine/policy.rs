//! What rule files become: the built-in rules of an empty folder, sections over several files, and every planted fault at its place.

use watchkeeper_engine::expr::{AlertView, CiView, IncidentView, View};
use watchkeeper_engine::ids::Realm;
use watchkeeper_engine::policy::correlate::{DEFAULT, GroupBy};
use watchkeeper_engine::policy::notify::Recipient;
use watchkeeper_engine::policy::{Policy, load};
use watchkeeper_engine::source::SourceFile;
use watchkeeper_engine::text::Labels;
use watchkeeper_engine::time::{Span, Time};
use watchkeeper_engine::words::{Action, Level, Means, Priority, Reason, SENDABLE_REASONS, Sent, Severity};

fn files(texts: &[(&str, &str)]) -> Vec<SourceFile> {
    texts.iter().map(|(path, text)| SourceFile::new(*path, *text)).collect()
}

fn policy(text: &str) -> Policy {
    let files = files(&[("rules/a.yaml", text)]);
    load(&files).map(|loaded| loaded.policy).unwrap_or_else(|found| panic!("{}", super::source::drawn(&files[0], &found)))
}

/// Everything found in one file.
fn faults(text: &str) -> String {
    faults_of(&[("rules/a.yaml", text)])
}

/// Everything found in some files, in the order in which it is reported.
fn faults_of(texts: &[(&str, &str)]) -> String {
    let files = files(texts);
    let found = match load(&files) {
        Ok(loaded) => loaded.warnings,
        Err(found) => found,
    };
    found
        .iter()
        .map(|one| {
            let file = files.iter().find(|file| file.path == one.path).expect("a file of the set");
            format!("{}\n", super::source::drawn_one(file, one))
        })
        .collect()
}

fn alert<'a>(name: &'a str, severity: Severity, labels: &'a Labels) -> View<'a> {
    View { alert: AlertView { name, severity, labels, ..AlertView::default() }, ..View::blank(&Realm::MAIN, Time(0)) }
}

#[test]
fn without_files_the_rules_are_the_documented_ones() {
    let policy = Policy::builtin();
    assert_eq!(policy.matrix.priority(Level::High, Level::High), Priority::P1);
    assert_eq!(policy.matrix.priority(Level::Low, Level::Low), Priority::P5);
    for (word, severity) in [
        ("page", Severity::Critical),
        ("Disaster", Severity::Critical),
        ("average", Severity::Error),
        ("warn", Severity::Warning),
        ("none", Severity::Info),
        ("purple", Severity::Unknown),
    ] {
        assert_eq!(policy.severities.of(word), severity, "{word}");
    }
    let none = Labels::default();
    let rule = policy.correlate.first_match(&alert("HostDown", Severity::Critical, &none));
    assert_eq!((rule.name.as_str(), rule.action, rule.group_wait, rule.means), (DEFAULT, Action::Open, Span::seconds(30), None));
    assert_eq!((rule.join_within, rule.adopt_within, rule.resolve_after), (Span::hours(1), Span::minutes(10), Span::minutes(5)));
    assert_eq!((rule.reopen_within, rule.close_after, rule.hold_for), (Span::hours(4), Span::days(3), Span::ZERO));
    assert!(matches!(rule.group_by.as_slice(), [GroupBy::Ci]));
    for (name, severity) in [("Watchdog", Severity::Critical), ("InfoInhibitor", Severity::Unknown), ("Anything", Severity::Info)] {
        assert_eq!(policy.correlate.first_match(&alert(name, severity, &none)).action, Action::Record, "{name}");
    }
}

#[test]
fn without_notify_rules_the_owner_hears_of_p1_to_p3_at_once_and_of_the_rest_in_the_morning() {
    let policy = Policy::builtin();
    for (priority, told) in
        [(Priority::P1, "default"), (Priority::P3, "default"), (Priority::P4, "default-morning"), (Priority::P5, "default-morning")]
    {
        let view = View { incident: IncidentView { priority, ..IncidentView::default() }, ..View::blank(&Realm::MAIN, Time(0)) };
        let rules: Vec<&str> =
            policy.notify.iter().filter(|rule| rule.condition.holds(&view).is_yes()).map(|rule| rule.name.as_str()).collect();
        assert_eq!(rules, [told], "{priority}");
    }
    assert!(policy.notify.iter().all(|rule| rule.to == [Recipient::Owner] && rule.digest.is_some() == (rule.name == "default-morning")));
    assert!(policy.notify[0].sends(Reason::Raised) && !policy.notify[0].sends(Reason::Acknowledged));
}

#[test]
fn an_alert_is_looked_up_by_the_operators_rules_and_then_by_the_built_in_names_in_order() {
    let policy = policy(
        "identify:\n  - {name: by-asset, when: alert.source == \"building\", from: alert.labels.asset}\n  - {name: url, from: host(alert.url)}\n",
    );
    let labels = Labels::from([
        ("asset", "lift-1"),
        ("namespace", "web"),
        ("pod", "checkout-7cc77d965f-cgsdv"),
        ("node", "node-a"),
        ("instance", "https://db-1.example.org:9100/metrics"),
        ("host", "h"),
        ("device", "d"),
        ("service", "shop"),
        ("ci", "c"),
    ]);
    let mut view = alert("X", Severity::Error, &labels);
    view.alert.source = "building";
    view.alert.url = "http://grafana:3000/d/1";
    let found: Vec<String> = policy.identify.candidates(&view).map(|(rule, value)| format!("{rule}={value}")).collect();
    let expected = "by-asset=lift-1 url=grafana ci=c namespace-workload=web/checkout workload=checkout node=node-a instance=db-1.example.org host=h device=d service=shop";
    assert_eq!(found.join(" "), expected);
}

#[test]
fn the_first_rule_that_matches_is_taken_and_the_trace_says_why_the_others_were_not() {
    let policy = policy(
        r#"
correlate:
  - name: switch-down
    matchers: [alertname="DeviceDown"]
    when: ci.class == "switch"
    means: down
    urgency: {critical: high, else: low}
    for: 30s
    group_by: [ci, alert.labels.site]
    title: "{{ci.id}} does not answer"
  - {name: off, disabled: true, means: nothing}
  - {name: rest, action: record, urgency: medium}
"#,
    );
    let labels = Labels::from([("alertname", "DeviceDown")]);
    let mut view = alert("DeviceDown", Severity::Critical, &labels);
    view.ci = CiView { id: "sw-1", class: "switch", known: true, ..CiView::default() };
    let rule = policy.correlate.first_match(&view);
    assert_eq!((rule.name.as_str(), rule.means, rule.hold_for), ("switch-down", Some(Means::Down), Span::seconds(30)));
    let urgency = rule.urgency.as_ref().unwrap();
    assert_eq!([urgency.of(Severity::Critical), urgency.of(Severity::Error)], [Level::High, Level::Low]);
    assert_eq!(rule.title.as_ref().unwrap().render(&view), "sw-1 does not answer");
    view.ci.class = "host";
    let (rule, skipped) = policy.correlate.trace(&view);
    assert_eq!(rule.name, "rest");
    assert_eq!(skipped.len(), 1);
    assert_eq!((skipped[0].rule.as_str(), skipped[0].why.contains("ci.class is \"host\"")), ("switch-down", true), "{}", skipped[0].why);
    assert!(policy.correlate.by_name("switch-down").is_some() && policy.correlate.by_name("off").is_none());
}

#[test]
fn sections_are_joined_by_path_and_line_and_a_scope_narrows_only_its_own_file() {
    let texts = [
        ("rules/b.yaml", "correlate:\n  - {name: third, means: down}\n"),
        (
            "rules/a.yaml",
            "scope: {when: ci.owner == \"network\"}\ncorrelate:\n  - {name: first, when: ci.class == \"switch\"}\n  - {name: second}\n",
        ),
    ];
    let policy = load(&files(&texts)).unwrap().policy;
    let names: Vec<&str> = policy.correlate.rules().iter().map(|rule| rule.name.as_str()).take(3).collect();
    assert_eq!(names, ["first", "second", "third"]);
    let none = Labels::default();
    let matched = |owner, class| {
        let mut view = alert("X", Severity::Error, &none);
        view.ci = CiView { owner, class, ..CiView::default() };
        policy.correlate.first_match(&view).name.as_str()
    };
    assert_eq!([matched("network", "switch"), matched("network", "host"), matched("dba", "switch")], ["first", "second", "third"]);
}

#[test]
fn the_id_names_the_content_and_not_the_order_of_the_files() {
    let (a, b) = (("rules/a.yaml", "correlate: []\n"), ("rules/b.yaml", "notify:\n"));
    let id = |texts: &[(&str, &str)]| load(&files(texts)).unwrap().policy.id;
    assert_eq!(id(&[a, b]), id(&[b, a]));
    assert_ne!(id(&[a, b]), id(&[a]));
    assert_ne!(id(&[a]), id(&[("rules/a.yaml", "correlate: [] \n")]));
    assert_eq!(id(&[]).len(), 12);
}

/// One rule of `correlate` with one line of a fault in it.
fn in_a_rule(line: &str) -> String {
    format!("correlate:\n  - name: x\n    {line}\n")
}

#[test]
fn each_planted_fault_is_named_at_its_place_with_a_way_to_mend_it() {
    let cases = [
        // What YAML makes of expressions without quotes.
        in_a_rule("when: !ci.known"),
        in_a_rule("when: \"switch\" == ci.class"),
        in_a_rule("when: [\"a\", \"b\"].exists(x, x == ci.class)"),
        in_a_rule("when: {\"a\": 1}.size() == 1"),
        in_a_rule("when: ci.known ? alert.count > 3 : false"),
        in_a_rule("when: alert.summary == \"disk: full\""),
        in_a_rule("when: alert.summary == \"disk #3\""),
        in_a_rule("when: ci.class == \"switch\" #3"),
        "correlate:\n  - {name: x, when: alert.summary == \"a, b\"}\n".to_owned(),
        in_a_rule("when: {ci.class: switch}"),
        in_a_rule("title: {{ci.id}} is down"),
        // What the expressions themselves get wrong.
        in_a_rule("when: alert.severity == \"crit\""),
        in_a_rule("when: ci.clas == \"switch\""),
        in_a_rule("when: alert.count"),
        in_a_rule("when: incident.priority == \"P1\""),
        in_a_rule("matchers: [alertname=\"X]"),
        in_a_rule("matchers: ['site=~\"ber(\"']"),
        in_a_rule("title: \"{{ci.idd}} is down\""),
        in_a_rule("group_by: [alertname]"),
        // Keys, words and values.
        in_a_rule("grup_by: [ci]"),
        in_a_rule("means: dowm"),
        in_a_rule("urgency: {critical: hihg, els: low}"),
        in_a_rule("for: 30"),
        in_a_rule("resolve_after: 8bh"),
        in_a_rule("disabled: yes"),
        in_a_rule("flapping: {changes: 6}"),
        in_a_rule("group_by: []"),
        "correlate:\n  - when: ci.known\n".to_owned(),
        "correlate:\n  - {name: x}\n  - {name: x}\n  - {name: default}\n".to_owned(),
        "corelate: []\nstorms: []\n".to_owned(),
        "correlate: {x: {means: down}}\n".to_owned(),
        "notify:\n  - {name: x, to: [onwer, team:, oncall:network, hook:chat, a@b@c, ops@example.org]}\n".to_owned(),
        "notify:\n  - {name: x, to: [owner], send: [opend, update], repeat_interval: 30m, template: ../x}\n".to_owned(),
        "notify:\n  - {name: x, to: [owner], digest: {cron: \"0 8 * *\", zone: Utopia}}\n  - {name: y, to: [], digest: evening}\n".to_owned(),
        "formats:\n  - {name: x, items: body.events, alert: {name: itm.code, labels: {a: item.b}, sate: firing}}\n  - {name: x, alert: {key: item.id}}\n".to_owned(),
        "silences:\n  - {name: x, from: 2026-03-27T16:50:00Z, until: 2026-03-27}\n  - {name: y, when: ci.known, from: 2026-03-27T16:50:00Z, until: 2026-03-27T15:50:00Z}\n".to_owned(),
        "silences:\n  - {name: x, when: ci.known, every: {cron: 0 1 * *, zone: Europe/Berlim, lasts: 0s}}\n  - {name: y, when: ci.known, every: {cron: \"0 1 * * *\", zone: UTC, lasts: 2h, until: 3h}, from: 2026-03-27T16:50:00Z}\n  - {name: z, when: ci.known, every: {}}\n".to_owned(),
        "severities: {critical: [red], error: [RED, warning]}\npriorities: {high: {high: P0, hihg: P1}}\n".to_owned(),
        "identify:\n  - {name: x, from: ci.id}\n  - {name: y}\n  - {name: node, from: alert.labels.node}\n".to_owned(),
        "scope: {when: ci.ownr == \"x\"}\ncorrelate: [{name: x}, {name: y}]\n".to_owned(),
        "tests:\n  - name: x\n    steps:\n      - {at: 0s, fire: {name: A, severty: critical}}\n      - {at: 1x, expect: {incidents: [{state: open}]}}\n      - {at: 5s}\n      - {at: 4s, do: {acknowlege: sw-1}}\n      - {at: 4s, query: x}\n".to_owned(),
    ];
    insta::assert_snapshot!(cases.map(|case| format!("{case}{}", faults(&case))).join("\n"));
}

#[test]
fn all_faults_of_all_files_are_found_in_one_run() {
    let found = faults_of(&[
        ("rules/b.yaml", "notify:\n  - {name: page, to: [onwer]}\n"),
        (
            "rules/a.yaml",
            "correlate:\n  - name: one\n    when: !ci.known\n    means: dwn\n  - name: two\n    when: \"a\" == ci.class\n    grup_by: [ci]\n  - name: one\n    for: 5\nsilences:\n  - {name: s, when: alert.severity == \"crit\"}\n",
        ),
        ("rules/c.yaml", "correlate:\n\t- name: x\n"),
        ("rules/d.yaml", "notify:\n  - {name: page, to: [owner]}\n"),
    ]);
    insta::assert_snapshot!(found);
}

/// A format as the building's alarms need it, and what it makes of a body.
fn mapped(body: &str) -> String {
    let policy = policy(
        r#"
severities: {warning: [yellow]}
formats:
  - name: building
    items: body.events
    alert:
      name: item.code
      key: string(item.id)
      state: 'item.active ? "firing" : "resolved"'
      severity: item.level
      summary: item.text
      labels: '{"asset": item.asset}'
      url: header["x-url"]
      starts_at: item.since
"#,
    );
    let headers = std::collections::BTreeMap::from([("x-url".to_owned(), "https://building.example.org".to_owned())]);
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    match policy.formats.get("building").unwrap().map(&Realm::MAIN, "building", &body, &headers) {
        Err(refused) => format!("refused {refused}\n"),
        Ok(alerts) => alerts
            .into_iter()
            .map(|alert| match alert {
                Err(refused) => format!("refused {refused}\n"),
                Ok(alert) => {
                    let labels: Vec<String> = alert.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
                    let since = alert.starts_at.map_or("-".to_owned(), |time| time.rfc3339());
                    format!(
                        "{} {} key={} {} resolved={} {:?} {since} {}\n",
                        alert.name,
                        alert.severity,
                        alert.key,
                        labels.join(","),
                        alert.resolved,
                        alert.summary,
                        alert.url
                    )
                }
            })
            .collect(),
    }
}

#[test]
fn a_format_turns_a_body_into_alerts_and_keeps_the_good_ones() {
    let body = r#"{"events": [
        {"id": 17, "code": "UPS", "asset": "A-1", "active": true, "level": "Yellow", "text": "on\nbattery", "since": 1767603600},
        {"id": 18, "code": "UPS", "asset": {"no": 2}, "active": false, "level": 5, "since": "2026-01-05T10:00:00+01:00"},
        {"id": 19, "asset": "A-1", "active": true},
        {"id": 20, "code": ["x"], "asset": "A-1", "active": true},
        {"id": 21, "code": "X", "asset": "A-1", "active": "perhaps"},
        {"id": 22, "code": "X", "asset": "A-1", "active": true, "since": "yesterday"},
        17
    ]}"#;
    insta::assert_snapshot!(mapped(body));
    insta::assert_snapshot!([r#"{"events": {}}"#, r#"{}"#, r#"[]"#, r#"null"#, r#"{"events": []}"#].map(mapped).join("---\n"));
}

#[test]
fn two_alerts_of_one_thing_without_a_key_differ_by_their_names() {
    let policy = policy("formats: [{name: plain, alert: {name: body.title, labels: body.tags}}]\n");
    let map = |title: &str| {
        let body = serde_json::json!({"title": title, "tags": {"host": "db-1"}});
        policy.formats.get("plain").unwrap().map(&Realm::MAIN, "plain", &body, &Default::default()).unwrap().remove(0).unwrap()
    };
    assert_eq!(map("DiskFull").labels, Labels::from([("alertname", "DiskFull"), ("host", "db-1")]));
    assert_ne!(map("DiskFull").labels, map("DiskSlow").labels);
}

#[test]
fn a_test_is_plain_data_with_its_places() {
    let text = r#"
tests:
  - name: one
    start: 2026-03-27T16:50:00+01:00
    cmdb: {items: [{id: sw-1}]}
    steps:
      - {at: [5s, 0s], fire: {name: HostDown, severity: critical, labels: {instance: "db-1:9100"}}}
      - {at: 5s, post: {format: building, body: {events: [{id: 1, on: yes, at: "1", none: ~}]}}}
      - {at: 1m, do: {hold: sw-1, as: anna, reason: waiting_for_vendor}}
      - {at: 2m, expect: {incidents: [{ci: sw-1, priority: P1, symptoms: [db-1]}], mails: []}}
  - {name: two, steps: []}
"#;
    let policy = policy(text);
    insta::assert_debug_snapshot!(policy.tests);
}

/// A file of every section, as a person would write it.
const WHOLE: &str = r#"
scope: {when: alert.source != "lab"}
severities: {critical: [red]}
priorities: {high: {high: P1, low: P2}}
formats:
  - name: building
    items: body.events
    alert: {name: item.code, key: string(item.id), state: 'item.active ? "firing" : "resolved"'}
identify:
  - {name: by-asset, when: alert.source == "building", from: alert.labels.asset}
correlate:
  - name: switch-down
    matchers: [alertname="DeviceDown", 'site=~"ber.*"']
    when:
      - ci.class == "switch"
      - |
        alert.summary != "a: #b"
    means: down
    urgency: {critical: high, else: low}
    for: 30s
    group_by: [ci, rule, service, alert.labels.chain]
    title: "{{ci.id}} in {{ci.labels.site}} does not answer"
silences:
  - {name: e, when: alert.name == "X", every: {cron: "0 22 * * tue#2", zone: Europe/Berlin, lasts: 5h}}
  - {name: s, when: alert.name == "X", from: 2026-03-27T16:50:00Z, until: 2026-03-28T16:50:00Z, comment: OPS-1}
notify:
  - {name: page, when: 'incident.priority in ["P1", "P2"]', to: [oncall, "team:duty", a@example.org], send: [opened, resolved]}
  - {name: rest, to: owner, digest: morning, template: short}
tests:
  - name: t
    steps:
      - {at: 0s, fire: {name: A, labels: {a: b}}}
      - {at: 1m, expect: {incidents: [{ci: a, because: "x: y"}], mails: []}}
"#;

#[test]
fn every_beginning_of_a_good_file_loads_or_says_why_not() {
    assert_eq!(faults(WHOLE), "");
    for end in 0..WHOLE.len() {
        let files = files(&[("rules/a.yaml", &WHOLE[..end])]);
        if let Err(found) = load(&files) {
            assert!(!found.is_empty(), "{end}");
            super::source::drawn(&files[0], &found);
        }
    }
}

#[test]
fn a_file_with_any_line_left_out_or_any_byte_changed_loads_or_says_why_not() {
    let check = |text: String| {
        let files = files(&[("rules/a.yaml", &text)]);
        if let Err(found) = load(&files) {
            super::source::drawn(&files[0], &found);
        }
    };
    let lines: Vec<&str> = WHOLE.lines().collect();
    for left_out in 0..lines.len() {
        let mut lines = lines.clone();
        lines.remove(left_out);
        check(lines.join("\n"));
    }
    for (at, with) in
        (0..WHOLE.len()).zip([':', '#', '"', '\'', '[', '{', '!', '\t', '-', '|', 'ä', '\n', ',', '}', '&', '*'].into_iter().cycle())
    {
        check(format!("{}{with}{}", &WHOLE[..at], &WHOLE[at + 1..]));
    }
}

/// The properties of a schema that an editor offers at a path of keys and list items.
fn offered<'s>(schema: &'s serde_json::Value, path: &[&str]) -> Vec<&'s str> {
    let at = path.iter().fold(schema, |at, key| if *key == "[]" { &at["items"] } else { &at["properties"][key] });
    at["properties"].as_object().expect("a mapping").keys().map(String::as_str).collect()
}

#[test]
fn the_schema_offers_what_the_reader_knows_and_nothing_else() {
    let schema = watchkeeper_engine::policy::schema();
    assert_eq!(schema["additionalProperties"], false);
    assert!(offered(&schema, &["correlate", "[]"]).contains(&"group_wait"));
    assert_eq!(schema["properties"]["correlate"]["items"]["required"], serde_json::json!(["name"]));
    assert_eq!(
        schema["properties"]["correlate"]["items"]["properties"]["means"]["enum"],
        serde_json::json!(["down", "degraded", "nothing"])
    );
    assert!(offered(&schema, &["tests", "[]", "steps", "[]", "expect", "incidents", "[]"]).contains(&"because"));
    // What the reader names as known beside a wrong key is what the schema offers.
    let found = faults("correlate: [{name: x, zzz: 1}]\nzzz: 1\n");
    for path in [&[][..], &["correlate", "[]"]] {
        let keys = offered(&schema, path);
        let named =
            found.lines().filter_map(|line| line.split("known keys are ").nth(1)).find(|known| keys.iter().all(|key| known.contains(key)));
        assert!(named.is_some(), "{keys:?} in {found}");
    }
}

/// The rules that are shipped.
fn shipped() -> Vec<SourceFile> {
    files(&[
        ("holidays/berlin.ics", include_str!("../../rules/holidays/berlin.ics")),
        ("shop.yaml", include_str!("../../rules/shop.yaml")),
        ("tests/outages.yaml", include_str!("../../rules/tests/outages.yaml")),
        ("tests/rules.yaml", include_str!("../../rules/tests/rules.yaml")),
    ])
}

#[test]
fn the_shipped_rules_have_no_fault_and_each_has_a_test() {
    let loaded = load(&shipped()).unwrap_or_else(|found| panic!("{found:#?}"));
    assert_eq!(loaded.warnings, []);
    assert!(loaded.policy.tests.len() >= 15);
    let tests = format!("{:?}", loaded.policy.tests);
    for rule in
        loaded.policy.correlate.rules().iter().filter(|rule| !["info", "info-inhibitor", "watchdog", DEFAULT].contains(&rule.name.as_str()))
    {
        assert!(rule.action == Action::Record || tests.contains(&format!("value: {:?}", rule.name)), "no test expects {}", rule.name);
    }
}

#[test]
fn the_shipped_rules_fit_the_shipped_cmdb() {
    use watchkeeper_engine::cmdb::{Cmdb, Inventory, files::read};
    let files = files(&[("shop.yaml", include_str!("../../cmdb/shop.yaml"))]);
    let (inventory, warnings) = read(&files, &Inventory::default()).unwrap_or_else(|found| panic!("{found:#?}"));
    assert_eq!(warnings, []);
    let cmdb = Cmdb::build(inventory, 1);
    let switch = cmdb.find("sw-1").unwrap();
    let behind = cmdb.flows_to(switch).count();
    assert_eq!(behind, 40, "hosts behind the switch of the demo");
    assert!(cmdb.find("a-0815").is_some() && cmdb.find("10.0.0.11") == Some(switch));
}

/// Files of other tools, in their own shapes: what is not a rules file is still read as YAML, or refused for a reason of ours.
#[test]
fn yaml_of_other_tools_is_read_or_refused_for_a_reason_of_ours() {
    let cases = [
        // Prometheus: block texts, templates, comments between.
        (
            "groups:\n- name: node\n  interval: 30s\n  rules:\n  # a comment\n  - alert: DiskFull\n    expr: |\n      node_filesystem_avail_bytes{mountpoint=\"/\"}\n        / node_filesystem_size_bytes < 0.1\n    for: 10m\n    labels: {severity: 'warning'}\n    annotations:\n      summary: >-\n        {{ $labels.instance }} has\n        {{ printf \"%.1f\" $value }} left\n",
            &[][..],
        ),
        // Kubernetes: several documents, quoted numbers, keys with slashes and dots.
        (
            "apiVersion: v1\nkind: Service\nmetadata:\n  annotations: {\"prometheus.io/scrape\": \"true\"}\n---\nkind: Deployment\nspec: {replicas: 3}\n",
            &["second document"],
        ),
        // Compose: anchors and merges.
        (
            "x-defaults: &defaults\n  restart: always\nservices:\n  web:\n    <<: *defaults\n    ports: [\"8080:80\"]\n",
            &["anchor", "alias"],
        ),
        // Grafana's provisioning, Alertmanager's configuration.
        (
            "apiVersion: 1\ndatasources:\n  - {name: Prometheus, type: prometheus, url: 'http://prom:9090', isDefault: true, jsonData: {timeInterval: 15s}}\n",
            &[],
        ),
        (
            "route:\n  receiver: team\n  group_by: ['...']\n  routes:\n    - matchers: [ 'severity=~\"page|critical\"' ]\n      continue: true\nreceivers:\n- name: team\n",
            &[],
        ),
        ("a: 1\nb: 2\na: 3\n", &["given twice"]),
    ];
    for (text, expected) in cases {
        let file = SourceFile::new("other.yaml", text);
        let mut found = Vec::new();
        watchkeeper_engine::source::parse(&file, &mut found, &mut watchkeeper_engine::source::Unread::default());
        let drawn = super::source::drawn(&file, &found);
        assert_eq!(found.len(), expected.len(), "{text}\n{drawn}");
        assert!(expected.iter().all(|word| found.iter().any(|one| one.message.contains(word))), "{text}\n{drawn}");
    }
}

#[test]
fn every_example_of_the_languages_page_is_sound() {
    let page = include_str!("../../rules/README.md");
    let examples: Vec<&str> = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let mut whole = 0;
    for example in examples {
        // Pieces of a rule are shown as they stand in one.
        let text = if example.starts_with("matchers") {
            format!("correlate:\n  - name: x\n{}", example.lines().map(|line| format!("    {line}\n")).collect::<String>())
        } else if example.starts_with("when") {
            continue;
        } else {
            example.to_owned()
        };
        assert_eq!(faults(&text), "", "{text}");
        whole += 1;
    }
    assert!(whole >= 8);
}

#[test]
fn every_key_that_is_known_stands_on_the_languages_page() {
    fn keys(schema: &serde_json::Value, found: &mut std::collections::BTreeSet<String>) {
        match schema {
            serde_json::Value::Object(object) => {
                if let Some(properties) = object.get("properties").and_then(serde_json::Value::as_object) {
                    found.extend(properties.keys().cloned());
                }
                object.values().for_each(|value| keys(value, found));
            }
            serde_json::Value::Array(items) => items.iter().for_each(|item| keys(item, found)),
            serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) | serde_json::Value::String(_) => {}
        }
    }
    let page = include_str!("../../rules/README.md");
    let mut known = std::collections::BTreeSet::new();
    keys(&watchkeeper_engine::policy::schema(), &mut known);
    let words: std::collections::BTreeSet<&str> = page.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    let missing: Vec<_> = known.iter().filter(|key| !words.contains(key.as_str())).collect();
    assert!(known.len() > 50 && missing.is_empty(), "{missing:?}");
}

#[test]
fn each_planted_fault_of_a_capacity_rule_is_named_at_its_place() {
    let rule = |rest: &str| format!("capacity:\n  - {{name: full, every: {{cron: \"0 6 * * *\", zone: UTC}}, query: used, {rest}}}\n");
    for (rest, at, said) in [
        ("above: 90, below: 5", "5", "has `above` already"),
        ("history: 28d", "name", "no limit"),
        ("above: 90%", "90%", "`90%` is no number"),
        ("above: 90, history: 7d, lead_time: 15d", "15d", "more than twice the history"),
        ("above: 90, lead_time: 0s", "0s", "when it is too late"),
        ("above: 90, history: 2y", "2y", "is no duration"),
        ("above: 90, history: 5m", "5m", "from 1h to 366d"),
        ("abov: 90", "abov", "did you mean `above`?"),
    ] {
        let found = faults(&rule(rest));
        assert!(found.contains(said) && found.contains(&format!(" `{at}`")), "{rest}: {at} {said}\n{found}");
    }
    let twice = "capacity:\n  - {name: full, every: {cron: 0 6 * *, zone: Berlin}, query: ' ', above: 90}\n";
    let found = faults(twice);
    assert!(found.contains("`query` is empty") && found.contains("five fields") && found.contains("Area/City"), "{found}");
    let (rule, step) =
        (&policy(&rule("below: 5")).capacity[0], "tests: [{name: t, steps: [{at: 0s, query: full, series: {a: [[1d, 2]]}}]}]");
    assert_eq!((rule.limit, rule.side.word(), rule.server.as_str(), rule.history), (5.0, "below", "main", Span::days(28)));
    assert!(faults(step).contains("`a` is no label"), "{}", faults(step));
    let late = step.replace("a:", "\"a=b\":");
    assert!(faults(&late).contains("`1d` is no time before the step"), "{}", faults(&late));
    let back = late.replace("[1d, 2]", "[-1d, 2], [-2d, 3]");
    assert!(faults(&back).contains("not after the one before it"), "{}", faults(&back));
    assert!(faults("tests: [{name: t, steps: [{at: 0s, query: full}]}]").contains("`query` needs `series`"));
}

/// The words of `send` stand in the rules' page, so that a reason that is added cannot be forgotten there.
#[test]
fn the_page_of_the_rules_lists_every_reason_that_a_rule_may_send() {
    let page = include_str!("../../rules/README.md");
    let words =
        |sent: Sent| Reason::ALL.iter().filter(|reason| reason.sent() == sent).map(|reason| reason.word()).collect::<Vec<_>>().join(" ");
    assert!(page.contains(&format!("those that ask for attention: `{}`", words(Sent::ByDefault))), "{}", words(Sent::ByDefault));
    assert!(page.contains(&format!("Also `{}`", words(Sent::WhenNamed))), "{}", words(Sent::WhenNamed));
    assert_eq!(SENDABLE_REASONS.len(), Reason::ALL.len() - 1, "all but the digest");
}
