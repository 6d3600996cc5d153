//! Conditions, matchers and texts of rules, from outside: what holds, what is refused, and in which words.

use watchkeeper_engine::expr::{AlertView, CiView, Expr, Fault, IncidentView, Section, ServiceView, View};
use watchkeeper_engine::text::Labels;
use watchkeeper_engine::time::{Span, Time};
use watchkeeper_engine::words::{Health, Level, Priority, Severity};

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
            at: t("2026-11-24T03:02:00Z"),
        }
    }
}

fn t(text: &str) -> Time {
    Time::parse_rfc3339(text).unwrap()
}

fn check(text: &str) -> Result<bool, String> {
    let shop = Shop::new();
    let expr = Expr::compile(Section::Notify, text).map_err(|faults| format!("refused: {}", faults[0].message))?;
    expr.holds(&shop.view()).map_err(|fault| fault.message)
}

/// One line a fault: the text it underlines, what is wrong, what was expected, and the help.
fn faults(section: Section, text: &str) -> Vec<String> {
    let drawn = |fault: &Fault| {
        let help = fault.help.as_ref().map(|help| format!(" = {help}")).unwrap_or_default();
        let label = if fault.label.is_empty() { String::new() } else { format!(" ({})", fault.label) };
        format!("[{}] {}{label}{help}", &text[fault.span.clone()], fault.message)
    };
    Expr::compile(section, text).err().unwrap_or_default().iter().map(drawn).collect()
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
fn every_type_fault_of_an_expression_is_named_with_its_place() {
    let text = "ci.clas == \"switch\" && alert.severity == \"crit\" && alert.count == \"3\" && nam == 1";
    assert_eq!(
        faults(Section::Correlate, text),
        [
            "[clas] `ci` has no field `clas` (known are id, known, class, owner, domain, environment, criticality, health, labels) = did you mean `class`?",
            "[\"crit\"] unknown severity `crit` (known are critical, error, warning, info, unknown) = did you mean `critical`?",
            "[alert.count == \"3\"] `alert.count` is a whole number and `\"3\"` is a text (`==` never compares them) = `string(alert.count)` is a text",
            "[nam] unknown name `nam` (known are alert, ci, service, at) = a label is `alert.labels.nam`, a text stands in quotes: \"nam\"",
        ]
    );
}
