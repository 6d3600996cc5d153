//! Conditions, matchers and texts of rules, from outside: what holds, what is refused, and in which words.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use watchkeeper_engine::expr::{
    AlertView, CiView, Condition, DynExpr, Expr, Fault, Held, IncidentView, Matcher, Message, Path, Section, ServiceView, SlaView,
    TextTemplate, View,
};
use watchkeeper_engine::ids::Realm;
use watchkeeper_engine::text::Labels;
use watchkeeper_engine::time::{Span, Time};
use watchkeeper_engine::words::{Health, Level, Priority, Severity, SlaTarget};

/// A condition of `notify`, which sees everything.
const NOTIFY: Section = Section { key: "notify", sees: Section::OF_EVERYTHING };
const CORRELATE: Section = Section { key: "correlate", sees: Section::OF_CI };
const SILENCES: Section = Section { key: "silences", sees: Section::OF_CI };
const IDENTIFY: Section = Section { key: "identify", sees: Section::OF_ALERT };

/// What the cases look at.
struct Shop {
    labels: Labels,
    annotations: Labels,
    ci_labels: Labels,
    services: Vec<String>,
}

impl Shop {
    fn new() -> Shop {
        Shop {
            labels: Labels::from([
                ("alertname", "HostDown"),
                ("app.kubernetes.io/name", "shop"),
                ("instance", "http://[2001:db8::1]:9100/metrics"),
                ("pod", "shop-6d4cf56db6-x7k2p"),
                ("site", "berlin-2"),
            ]),
            annotations: Labels::from([("summary", "it does\nnot answer")]),
            ci_labels: Labels::from([("role", "backup"), ("site", "ber")]),
            services: vec!["shop".to_owned(), "mail".to_owned()],
        }
    }

    fn view(&self) -> View<'_> {
        View {
            budget: None,
            alert: AlertView {
                name: "HostDown",
                source: "prom",
                severity: Severity::Critical,
                labels: &self.labels,
                annotations: &self.annotations,
                value: "97.5",
                count: 3,
                starts_at: t("2026-11-24T03:00:00Z"),
                ..AlertView::default()
            },
            ci: CiView { id: "db-1", known: true, class: "host", criticality: Level::High, labels: &self.ci_labels, ..CiView::default() },
            service: ServiceView { id: "shop", tier: "gold", health: Health::Down, ..ServiceView::default() },
            incident: IncidentView {
                priority: Priority::P1,
                services: &self.services,
                age: Span::minutes(7),
                alerts: 40,
                ..IncidentView::default()
            },
            sla: SlaView { name: "gold", target: SlaTarget::Resolution, percent: 76, service: "shop", ..SlaView::default() },
            at: t("2026-11-24T03:02:00Z"),
            realm: &Realm::MAIN,
        }
    }
}

fn t(text: &str) -> Time {
    Time::parse_rfc3339(text).unwrap()
}

fn check(text: &str) -> Result<bool, String> {
    let shop = Shop::new();
    let expr = Expr::compile(NOTIFY, text).map_err(|faults| format!("refused: {}", faults[0].message))?;
    expr.holds(&shop.view()).map_err(|fault| fault.message)
}

/// One line a fault: the text it underlines, what is wrong, what was expected, and the help.
fn faults(section: Section, text: &str) -> Vec<String> {
    Expr::compile(section, text).err().unwrap_or_default().iter().map(|fault| drawn(text, fault)).collect()
}

fn drawn(text: &str, fault: &Fault) -> String {
    let help = fault.help.as_ref().map(|help| format!(" = {help}")).unwrap_or_default();
    let label = if fault.label.is_empty() { String::new() } else { format!(" ({})", fault.label) };
    format!("[{}] {}{label}{help}", &text[fault.span.clone()], fault.message)
}

#[test]
fn conditions_hold_as_the_rule_language_says() {
    let cases = [
        ("alert.name == \"HostDown\"", true),
        ("alert.name == 'HostDown' && ci.class == \"switch\"", false),
        ("ci.class == \"switch\" || ci.class in [\"host\", \"router\"]", true),
        ("!(ci.class in [\"host\"])", false),
        ("alert.severity == \"critical\"", true),
        ("alert.severity in [\"critical\", \"error\"]", true),
        ("\"critical\" == alert.severity && alert.severity != \"info\"", true),
        ("incident.priority in [\"P1\", \"P2\"]", true),
        ("sla.percent >= 75 && sla.target == \"resolution\" && sla.name == \"gold\" && sla.kind != \"ola\"", true),
        ("\"shop\" in incident.services", true),
        ("\"shop\" in incident.services && incident.priority == \"P1\"", true),
        ("alert.labels.missing == \"\"", true),
        ("has(alert.labels.missing)", false),
        ("has(alert.labels.site)", true),
        ("\"site\" in alert.labels", true),
        ("alert.labels[\"app.kubernetes.io/name\"] == \"shop\"", true),
        ("alert.labels[\"si\" + \"te\"].startsWith(\"berlin\")", true),
        ("alert.name.matches(\"(?i)^host\")", true),
        ("alert.name.matches(r'\\bHost\\b')", false),
        ("alert.name.contains(\"Dow\") && alert.name.endsWith(\"Down\")", true),
        ("size(alert.labels) == 5 && alert.name.size() == 8", true),
        ("alert.labels.exists(name, name.startsWith(\"app.\") && alert.labels[name] == \"shop\")", true),
        ("incident.services.all(s, s.size() == 4)", true),
        ("[1, 2, 3].exists(x, x * 2 == alert.count + 3)", true),
        ("alert.count > 2 && alert.count % 2 == 1", true),
        ("-alert.count == -3 && -(2 - 5) == 3", true),
        ("double(alert.value) >= 97.5 && double(alert.value) > 90", true),
        ("int(double(alert.value)) == 97", true),
        ("string(alert.count) + \"x\" == \"3x\"", true),
        ("at - alert.starts_at == duration(\"2m\")", true),
        ("at - alert.starts_at >= duration(\"1m30s\")", true),
        ("alert.starts_at + duration(\"1d\") > at", true),
        ("at < timestamp(\"2026-12-01T00:00:00Z\")", true),
        ("at.getHours() == 3 && at.getHours(\"Europe/Berlin\") == 4 && at.getDayOfWeek() == 2", true),
        ("incident.age > duration(\"5m\") && incident.age.getSeconds() == 420", true),
        ("(ci.known ? ci.class : \"none\") == \"host\"", true),
        ("first(alert.labels.missing, ci.owner, ci.id) == \"db-1\"", true),
        ("host(alert.labels.instance) == \"2001:db8::1\"", true),
        ("workload(alert.labels.pod) == \"shop\"", true),
        ("lower(alert.name) == \"hostdown\"", true),
        ("cidr(host(alert.labels.instance), \"2001:db8::/32\")", true),
        ("cidr(alert.labels.missing, \"10.0.0.0/8\")", false),
        ("incident.acknowledged", false),
        ("[] == [] && !(\"x\" in [])", true),
        ("1 == 1.0 && 1 < 1.5 && 9007199254740993 > 9007199254740992.0", true),
        ("at.getMonth() == 10 // November, counted from 0", true),
    ];
    for (text, holds) in cases {
        assert_eq!(check(text), Ok(holds), "{text}");
    }
}

#[test]
fn a_fault_at_run_time_is_an_answer_of_its_own_unless_the_other_side_decides() {
    assert_eq!(check("int(alert.name) == 1"), Err("`HostDown` is no whole number".to_owned()));
    assert_eq!(check("1 / (alert.count - 3) == 1"), Err("division by zero".to_owned()));
    assert_eq!(check("9223372036854775807 + alert.count == 1"), Err("the number leaves 64 bits".to_owned()));
    assert_eq!(check("int(alert.name) == 1 || true"), Ok(true));
    assert_eq!(check("int(alert.name) == 1 && false"), Ok(false));
    assert_eq!(check("int(alert.name) == 1 || false"), Err("`HostDown` is no whole number".to_owned()));
    assert_eq!(check("[1, 0].exists(x, 1 / x == 1) && ![0, 1].all(x, 1 / x == 2)"), Ok(true));
}

#[test]
fn an_expression_that_visits_more_elements_than_allowed_fails_instead_of_taking_its_time() {
    let services: Vec<String> = (0..400).map(|n| format!("service-{n}")).collect();
    let view = View { incident: IncidentView { services: &services, ..IncidentView::default() }, ..View::blank(&Realm::MAIN, Time(0)) };
    let expr = Expr::compile(NOTIFY, "incident.services.all(a, incident.services.exists(b, b == \"none\" || a == b))").unwrap();
    assert_eq!(expr.holds(&view), Ok(true));
    let endless = Expr::compile(NOTIFY, "incident.services.all(a, incident.services.all(b, b != \"none\"))").unwrap();
    assert_eq!(endless.holds(&view).unwrap_err().message, "it looks at more than 100000 elements");
}

#[test]
fn every_type_fault_of_an_expression_is_named_with_its_place() {
    let text = "ci.clas == \"switch\" && alert.severity == \"crit\" && alert.count == \"3\" && nam == 1";
    assert_eq!(
        faults(CORRELATE, text),
        [
            "[clas] `ci` has no field `clas` (known are id, known, class, owner, domain, environment, criticality, health, labels) = did you mean `class`?",
            "[\"crit\"] unknown severity `crit` (known are critical, error, warning, info, unknown) = did you mean `critical`?",
            "[alert.count == \"3\"] `alert.count` is a whole number and `\"3\"` is a text (`==` never compares them) = write 3 without quotes",
            "[nam] unknown name `nam` (known are alert, ci, service, at) = a label is `alert.labels.nam`, a text stands in quotes: \"nam\"",
        ]
    );
}

#[test]
fn mistakes_are_answered_with_the_way_it_is_written() {
    let texts = [
        "",
        "  ",
        "ci.class = \"switch\"",
        "alert.count > 1 & ci.known",
        "alert.count > 1 | ci.known",
        "ci.known and incident.major",
        "ci.known OR incident.major",
        "not ci.known",
        "ci.class not in [\"a\"]",
        "ci.class is \"switch\"",
        "alert.name contains \"Disk\"",
        "alert.name =~ \"Disk.*\"",
        "ci.class <> \"switch\"",
        "ci.class === \"switch\"",
        "if ci.known then true",
        "alert.name == \"Disk",
        "alert.name == 'Disk",
        "alert.name == “Disk”",
        "alert.name.matches(\"\\d+\")",
        "(ci.known && (incident.major)",
        "ci.known)",
        "ci.class in [\"a\", \"b\"",
        "ci.known ? true",
        "ci.known &&",
        "ci.known == True",
        "alert.name == {{ci.id}}",
        "ci. == 1",
        "alert.name == \"a\" \"b\"",
        "incident.age > 5m",
        "alert.count == 3abc",
        "alert.count == 99999999999999999999",
        "ci.class == \"a\" # a switch",
        "$ci.known",
        "ci.known;",
        "alert.name == \"\u{202e}\" ~",
    ];
    let said: Vec<String> = texts.iter().map(|text| format!("{text}\n    {}", faults(NOTIFY, text).join("\n    "))).collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn types_and_names_are_checked_in_words_that_teach() {
    let texts = [
        "ci.class",
        "alert.count",
        "ci",
        "alert.labels",
        "alert.severity < \"error\"",
        "alert.severity == \"crit\" || alert.severity in [\"warn\", \"info\"]",
        "incident.priority == \"p1\" || incident.priority in [\"P9\"]",
        "incident.state == \"in-progress\" && ci.criticality == \"hgh\"",
        "alert.severity.startsWith(\"crit\")",
        "alert.severity + \"x\" == \"\"",
        "alert.severity == ci.criticality",
        "alert.value > 90",
        "alert.count > \"90\"",
        "ci.known == \"true\"",
        "incident.age > 300",
        "incident.age > \"5m\"",
        "at > \"2026-11-24T03:02:00Z\"",
        "alert.count + 1.5 > 2.0",
        "alert.name + 1 == \"x\"",
        "incident.services == \"shop\"",
        "\"shop\" in alert.name",
        "1 in [\"a\"]",
        "[1, \"a\"] == []",
        "alert.labels.a.b == \"x\"",
        "alert.label.site == \"x\"",
        "alert.site == \"x\"",
        "severity == \"critical\"",
        "alert.name == HostDown && alert.severity == critical",
        "ci.class.length == 3",
        "ci.class.startsWith",
        "ci.class.startswith(\"a\")",
        "startsWith(ci.class, \"a\")",
        "ci.class.lower() == \"a\"",
        "ci.class.startsWith() || ci.class.contains(1)",
        "has(ci.class)",
        "alert.name == null",
        "alert.name.matches(\"(\")",
        "alert.name.matches(alert.value)",
        "cidr(alert.value, \"10.0.0.0/99\")",
        "duration(\"5 min\") < incident.age",
        "timestamp(\"tomorrow\") < at",
        "at.getHours(\"Europe/Berln\") == 1",
        "lookup(\"t.csv\", ci.id, \"rack\") == \"1\"",
        "open(\"office\")",
        "sla.percent > 75",
        "{\"a\": 1} == {}",
        "incident.services.map(x, x) == []",
        "incident.services.exists(ci, ci == \"a\")",
        "!alert.name && -ci.class == 1",
        "ci.known ? 1 : \"a\"",
        "incident.services[0] == \"a\"",
    ];
    let said: Vec<String> = texts.iter().map(|text| format!("{text}\n    {}", faults(NOTIFY, text).join("\n    "))).collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn a_section_sees_what_is_known_when_it_acts() {
    assert_eq!(faults(IDENTIFY, "ci.class == \"a\""), ["[ci] `identify` does not see `ci` (it sees alert)"]);
    assert_eq!(
        faults(CORRELATE, "incident.major && at > alert.starts_at"),
        ["[incident] `correlate` does not see `incident` (it sees alert, ci, service, at)"]
    );
    assert_eq!(faults(SILENCES, "service.tier == \"gold\" && ci.known"), [""; 0]);
    assert_eq!(faults(NOTIFY, "incident.major && service.tier == \"gold\""), [""; 0]);
}

#[test]
fn expressions_of_any_depth_and_length_are_refused_before_they_cost_a_stack() {
    let deep = |open: &str, close: &str, times: usize| format!("{}true{}", open.repeat(times), close.repeat(times));
    for (open, close) in
        [("(", ")"), ("!", ""), ("!(", ")"), ("[", "]"), ("size([", "])"), ("true ? ", " : true"), ("x[", "]"), ("{1:", "}")]
    {
        for times in [63, 64, 65, 400, 1_000] {
            let text = deep(open, close, times);
            let refused = Expr::compile(NOTIFY, &text).is_err();
            assert!(refused || times < 65, "{text}");
        }
    }
    let chains = [("alert", ".b"), ("1", " + 1"), ("-", "-"), ("alert.labels", "[\"a\"]"), ("1 < 2", " == true")];
    for (first, next) in chains {
        assert_eq!(faults(NOTIFY, &format!("{first}{}", next.repeat(1_000))).len(), 1, "{next}");
    }
    assert_eq!(check(&format!("true{}", " && true".repeat(1_000))), Ok(true));
    assert_eq!(check(&format!("false{}", " || false".repeat(700))), Ok(false));
    assert_eq!(Expr::compile(NOTIFY, "alert.//ä").unwrap_err()[0].span, 8..10, "a fault stands within its text");
    assert!(faults(NOTIFY, &" ".repeat(8_193))[0].contains("at most 8192 are read"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics_and_every_fault_stands_within_it(text in "(alert|ci|name|labels|[.()\\[\\]!&|=<>\"'+*?:,{}\\\\ x1ä\u{202e}]|in|exists|\\PC){0,24}") {
        let inside = |fault: &Fault| text.get(fault.span.clone()).is_some();
        for faults in [Expr::compile(NOTIFY, &text).err(), DynExpr::compile(&text).err(), TextTemplate::compile(NOTIFY, &text).err()] {
            prop_assert!(faults.iter().flatten().all(inside), "{:?}", faults);
        }
        for fault in [Path::compile(NOTIFY, &text).err(), Matcher::parse(&text).err()].iter().flatten() {
            prop_assert!(inside(fault), "{:?}", fault);
        }
    }

    #[test]
    fn a_matcher_is_parsed_as_it_is_printed(name in "\\PC{1,8}|[a-z_:]{1,5}", value in "(\\PC|\n|\\\\|\"){0,8}", is_equal: bool) {
        let matcher = Matcher::new(&name, &value, false, is_equal).unwrap();
        prop_assert_eq!(Matcher::parse(&matcher.to_string()).unwrap(), matcher);
    }
}

#[test]
fn matchers_read_what_alertmanager_reads() {
    let shop = Shop::new();
    let alert = shop.view().alert;
    let cases = [
        ("alertname=\"HostDown\"", true),
        ("alertname=HostDown", true),
        (" alertname = \"HostDown\" ", true),
        ("site=~\"berlin.*\"", true),
        ("site=~\"berlin\"", false),
        ("site=~\"ham.*|ber.*\"", true),
        ("site!=\"berlin-2\"", false),
        ("site!~\"berlin-\\d\"", false),
        ("missing=\"\"", true),
        ("missing!=\"x\"", true),
        ("missing=~\".+\"", false),
        ("\"app.kubernetes.io/name\"=\"shop\"", true),
        ("app.kubernetes.io/name=shop", true),
        ("severity=~\"critical|error\"", true),
        ("größe!=\"groß\"", true),
    ];
    for (text, holds) in cases {
        assert_eq!(Matcher::parse(text).unwrap().holds(&alert), holds, "{text}");
    }
    let parsed = Matcher::parse("site!~\"ber.*\"").unwrap();
    assert_eq!((parsed.name(), parsed.value(), parsed.is_regex(), parsed.is_equal()), ("site", "ber.*", true, false));
    assert_eq!(Matcher::new("site", "ber.*", true, false).unwrap(), parsed);
    let named = AlertView { name: "disk", severity: Severity::Warning, ..AlertView::default() };
    assert!(Matcher::parse("alertname=disk").unwrap().holds(&named), "the name stands in where a sender has no labels");
    assert!(Matcher::parse("severity=warning").unwrap().holds(&named), "so does the severity");
}

#[test]
fn matchers_that_are_none_are_refused_with_the_way_they_are_written() {
    let texts = [
        "",
        "=\"x\"",
        "alertname",
        "alertname==\"x\"",
        "alert.name == \"x\"",
        "{alertname=\"x\"}",
        "a=\"x",
        "a='x'",
        "a=\"x\", b=\"y\"",
        "a=x\"y",
        "a=~\"(\"",
        "a>\"x\"",
        "\"a=x",
    ];
    let said: Vec<String> = texts
        .iter()
        .map(|text| format!("{text}\n    {}", Matcher::parse(text).map_or_else(|fault| drawn(text, &fault), |m| m.to_string())))
        .collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn a_condition_says_which_part_does_not_hold_and_what_it_saw() {
    let shop = Shop::new();
    let explain = |matchers: &[&str], when: &[&str]| {
        let matchers = matchers.iter().map(|text| Matcher::parse(text).unwrap()).collect();
        let exprs = when.iter().map(|text| Expr::compile(NOTIFY, text).unwrap()).collect();
        Condition::new(matchers, exprs).explain(&shop.view())
    };
    assert_eq!(explain(&[], &["ci.class == \"switch\""]), "`ci.class == \"switch\"` is false: ci.class is \"host\"");
    assert_eq!(
        explain(&["alertname=\"HostDown\"", "site=~\"ham.*\""], &["ci.class == \"switch\""]),
        "`site=~\"ham.*\"` is false: site is \"berlin-2\""
    );
    assert_eq!(explain(&["rack=\"7\""], &[]), "`rack=\"7\"` is false: rack is missing");
    assert_eq!(
        explain(&[], &["ci.known", "alert.count == 3 && (alert.labels.rack == \"7\" || alert.count > 9)"]),
        "`(alert.labels.rack == \"7\" || alert.count > 9)` is false: alert.labels.rack is missing, alert.count is \"3\""
    );
    assert_eq!(explain(&[], &["int(alert.name) == 1"]), "`int(alert.name)` failed: `HostDown` is no whole number");
    assert_eq!(explain(&[], &["ci.known"]), "every part of its condition holds");
    assert_eq!(Condition::always().explain(&shop.view()), "it has no condition");
}

#[test]
fn a_condition_names_the_part_that_decided() {
    let shop = Shop::new();
    let matchers = vec![Matcher::parse("site=~\"ber.*\"").unwrap()];
    let held = |when: &[&str]| {
        let exprs = when.iter().map(|text| Expr::compile(NOTIFY, text).unwrap()).collect();
        Condition::new(matchers.clone(), exprs).holds(&shop.view())
    };
    assert_eq!(held(&["ci.known"]), Held::Yes);
    assert_eq!(held(&["ci.known", "incident.major"]), Held::No { part: 2 });
    assert!(matches!(held(&["int(alert.name) == 1"]), Held::Failed { part: 1, .. }));
}

#[test]
fn texts_and_paths_show_values_on_one_line() {
    let shop = Shop::new();
    let view = shop.view();
    let render = |text: &str| TextTemplate::compile(NOTIFY, text).unwrap().render(&view);
    assert_eq!(render("{{ci.id}} in {{ ci.labels.site }} does not answer"), "db-1 in ber does not answer");
    assert_eq!(
        render("{{alert.annotations.summary}} ({{ci}}, {{service}}, {{alert}}, {{alert.labels.missing}})"),
        "it does not answer (db-1, shop, HostDown, )"
    );
    assert_eq!(render("{{incident.priority}} {{incident.alerts}} {{incident.services}} {{incident.age}}"), "P1 40 shop, mail 7m");
    assert_eq!(render("a } b }} c { d"), "a } b }} c { d");
    let path = Path::compile(CORRELATE, "alert.labels[\"app.kubernetes.io/name\"]").unwrap();
    assert_eq!((path.text(&view).as_ref(), path.to_string().as_str()), ("shop", "alert.labels[\"app.kubernetes.io/name\"]"));
    assert_eq!(Path::compile(CORRELATE, "ci").unwrap().text(&view), "db-1");

    let texts = ["{{ci.clas}} {{#if x}} {{incident.id}} {{", "{{}}", "{{alert.labels}}", "{{ci.id + 1}}", "{{lower(ci.id)}}", "{{ cii }}"];
    let said: Vec<String> = texts
        .iter()
        .map(|text| {
            let faults = TextTemplate::compile(CORRELATE, text).err().unwrap_or_default();
            format!("{text}\n    {}", faults.iter().map(|fault| drawn(text, fault)).collect::<Vec<_>>().join("\n    "))
        })
        .collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn a_text_valued_expression_gives_its_text() {
    let shop = Shop::new();
    let text = |text: &str| Expr::compile_text(IDENTIFY, text).unwrap().text(&shop.view()).map_err(|fault| fault.message);
    assert_eq!(text("host(alert.labels.instance) + \"/\" + alert.labels.site"), Ok("2001:db8::1/berlin-2".to_owned()));
    assert_eq!(text("alert.severity"), Ok("critical".to_owned()));
    assert_eq!(text("first(alert.labels.x, workload(\"db-0\"))"), Ok("db".to_owned()));
    assert_eq!(text("string(int(alert.name))"), Err("`HostDown` is no whole number".to_owned()));
    let refused = Expr::compile_text(IDENTIFY, "alert.name == \"x\"").unwrap_err();
    assert_eq!(refused[0].message, "this is true or false");
}

#[test]
fn hosts_and_workloads_are_found_in_what_monitoring_writes() {
    let shop = Shop::new();
    let text = |text: &str| Expr::compile_text(IDENTIFY, text).unwrap().text(&shop.view()).unwrap();
    let hosts = [
        ("db-1:9100", "db-1"),
        ("https://anna@web.example.org:8443/a/b?c#d", "web.example.org"),
        ("[::1]:9100", "::1"),
        ("fe80::1", "fe80::1"),
        ("10.0.0.1", "10.0.0.1"),
        ("", ""),
    ];
    for (given, host) in hosts {
        assert_eq!(text(&format!("host(\"{given}\")")), host, "{given}");
    }
    let pods = [
        ("shop-6d4cf56db6-x7k2p", "shop"),
        ("node-exporter-x7k2p", "node-exporter"),
        ("db-0", "db"),
        ("backup-28373640-x7k2p", "backup"),
        ("shop", "shop"),
        ("web-proxy", "web-proxy"),
        ("", ""),
    ];
    for (given, workload) in pods {
        assert_eq!(text(&format!("workload(\"{given}\")")), workload, "{given}");
    }
}

#[test]
fn formats_read_json_whose_types_are_known_only_when_it_is_there() {
    let body = json!({"version": 2, "events": [{"code": "F7", "id": 41, "active": true, "level": null, "tags": ["a", "b"], "asset": {"name": "lift-3"}, "ratio": 1.0, "big": u64::MAX}]});
    let header = BTreeMap::from([("x-event".to_owned(), "Alarm".to_owned())]);
    let message = Message { body: &body, item: &body["events"][0], header: &header };
    let value = |text: &str| {
        let expr = DynExpr::compile(text).map_err(|faults| faults.iter().map(|fault| drawn(text, fault)).collect::<Vec<_>>().join("; "))?;
        expr.value(&message).map(|value| value.into_owned()).map_err(|fault| format!("[{}] {}", &text[fault.span.clone()], fault.message))
    };
    let good = [
        ("body.events", body["events"].clone()),
        ("item.code", json!("F7")),
        ("string(item.id)", json!("41")),
        ("item.active ? \"firing\" : \"resolved\"", json!("firing")),
        ("{\"asset\": item.asset.name, \"n\": item.id + 1}", json!({"asset": "lift-3", "n": 42})),
        ("item.level", json!(null)),
        ("item.missing.deeper", json!(null)),
        ("has(item.missing) || has(item.code)", json!(true)),
        ("item.tags[1] + item[\"code\"]", json!("bF7")),
        ("item.tags[9]", json!(null)),
        ("\"a\" in item.tags && \"code\" in item && \"x-event\" in header", json!(true)),
        ("header[\"X-Event\"] == \"Alarm\" && header.missing == null", json!(true)),
        ("item.id >= 40 && item.id == 41.0 && item.id / 2 == 20", json!(true)),
        ("int(\"7\") + int(7.9) + size(item.tags) + size(\"äb\")", json!(18)),
        ("double(\"7.5\")", json!(7.5)),
        ("first(item.level, item.asset.id, item.asset.name)", json!("lift-3")),
        ("item.code.startsWith(\"F\") && item.code.matches(\"^F\\\\d$\") && !item.level.contains(\"x\")", json!(true)),
        ("lower(header[\"x-event\"]) + host(\"http://a:1\")", json!("alarma")),
        ("string(item.level)", json!("")),
        ("[item.id, null][0]", json!(41)),
        ("item.level == true || item.active", json!(true)),
        // A number is as JSON writes it, and is reckoned with by value.
        ("string(item.ratio) + string(item.ratio * 2.0) + string(item.big)", json!("1.02.018446744073709551615")),
        ("item.big", json!(u64::MAX)),
        ("item.big > 5 && item.ratio == 1 && -item.ratio < 0 && item.big - item.big == 0", json!(true)),
        ("item.asset == {\"name\": \"lift-3\"} && [1, [2]] == [1.0, [2.0]] && item.tags != [\"a\"]", json!(true)),
        ("\"name\" in item.asset && !(\"x\" in item.level) && !(1 in item.asset) && size(item.level) == 0", json!(true)),
        ("{\"a\": item.tags}[\"a\"]", json!(["a", "b"])),
        ("first(item.level, \"\")", json!(null)),
    ];
    for (text, expected) in good {
        assert_eq!(value(text), Ok(expected), "{text}");
    }
    let bad = [
        "item.level ? 1 : 2",
        "item.id + item.code",
        "item.code < 1",
        "item.tags.name",
        "int(item.code)",
        "string(item.tags)",
        "1 / 0",
        "item.id.contains(\"x\")",
        "itm.code",
        "header",
        "item.code.foo()",
        "foo(item)",
        "first(item)",
        "item.code.matches(item.id)",
        "item.tags.map(x, x)",
        "item.code =",
        "{item.id: 1}",
        "1 in item.code",
        "has(item)",
    ];
    assert_eq!(value("item.ratio / 0.0"), Err("[item.ratio / 0.0] the result is no number".to_owned()));
    assert_eq!(value("double(\"inf\")"), Err("[double(\"inf\")] `inf` is no number".to_owned()));
    assert_eq!(value("-item.code"), Err("[item.code] expected a number, this is a text".to_owned()));
    let said: Vec<String> = bad.iter().map(|text| format!("{text}\n    {}", value(text).unwrap_err())).collect();
    insta::assert_snapshot!(said.join("\n"));
}
