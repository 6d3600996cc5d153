//! Generated expressions against the cel crate's own parser and evaluator, and generated rules with the index against a look at each one.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use watchkeeper_engine::expr::{AlertView, CiView, Condition, Expr, IncidentView, Matcher, RuleIndex, Section, View};
use watchkeeper_engine::ids::Realm;
use watchkeeper_engine::text::Labels;
use watchkeeper_engine::time::Time;
use watchkeeper_engine::words::Severity;

/// A condition of `notify`, which sees everything.
const NOTIFY: Section = Section { key: "notify", sees: Section::OF_EVERYTHING };
const CORRELATE: Section = Section { key: "correlate", sees: Section::OF_CI };

/// Choices made by bytes, so that a failure shrinks by dropping and lowering them.
struct Choices<'b> {
    bytes: std::slice::Iter<'b, u8>,
}

impl Choices<'_> {
    fn below(&mut self, bound: usize) -> usize {
        self.bytes.next().map_or(0, |byte| usize::from(*byte) % bound)
    }

    fn of<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        texts[self.below(texts.len())]
    }

    fn condition(&mut self, depth: usize) -> String {
        let kind = if depth == 0 { self.below(3) } else { self.below(14) };
        let less = depth.saturating_sub(1);
        match kind {
            0 => self.of(&["true", "false", "incident.acknowledged", "ci.known"]).to_owned(),
            1 => format!("{} {} {}", self.number(less), self.of(&["<", "<=", ">", ">=", "==", "!="]), self.number(less)),
            2 => format!("{} {} {}", self.text(less), self.of(&["==", "!=", "<", ">="]), self.text(less)),
            3 => format!("{} && {}", self.condition(less), self.condition(less)),
            4 => format!("{} || {}", self.condition(less), self.condition(less)),
            5 => format!("!({})", self.condition(less)),
            6 => format!("({} ? {} : {})", self.condition(less), self.condition(less), self.condition(less)),
            7 => format!("{}.{}({})", self.text(less), self.of(&["startsWith", "endsWith", "contains"]), self.text(less)),
            8 => format!("{}.matches({})", self.text(less), self.of(&["'a+'", "'^Ho'", r"r'\w$'", "'(?i)DOWN'", "''"])),
            9 => format!("{} in [{}, {}]", self.text(less), self.text(less), self.text(less)),
            10 => format!("{} in {}", self.text(less), self.of(&["alert.labels", "incident.services"])),
            11 => format!("has(alert.labels.{})", self.of(&["a", "b", "missing"])),
            12 => {
                let over = self.of(&["incident.services", "alert.labels", "['x', 'Ho', '']"]);
                format!("{over}.{}(x, x == {} || {})", self.of(&["exists", "all"]), self.text(0), self.condition(0))
            }
            // Near numbers: between far ones the oracle compares after rounding, where CEL's number line is exact.
            _ => {
                let near = ["0", "7", "-3", "alert.count", "size(alert.name)"];
                format!("({} {} {}) == ({})", self.decimal(less), self.of(&["<", ">=", "=="]), self.of(&near), self.condition(less))
            }
        }
    }

    fn text(&mut self, depth: usize) -> String {
        let kind = if depth == 0 { self.below(3) } else { self.below(7) };
        let less = depth.saturating_sub(1);
        match kind {
            0 => self.of(&["'Ho'", "\"HostDown\"", "''", r"'\u00e4\n\x41'", "r'\\d'", "'''a'b'''", "'x'", "'7'", "'ä€'"]).to_owned(),
            1 => self.of(&["alert.name", "ci.class", "alert.value"]).to_owned(),
            2 => self.of(&["alert.labels.a", "alert.labels['b']", "alert.labels[\"c.d/e\"]"]).to_owned(),
            3 => format!("({} + {})", self.text(less), self.text(less)),
            4 => format!("string({})", self.number(less)),
            5 => format!("({} ? {} : {})", self.condition(less), self.text(less), self.text(less)),
            _ => format!("string({})", self.text(less)),
        }
    }

    fn number(&mut self, depth: usize) -> String {
        let kind = if depth == 0 { self.below(2) } else { self.below(9) };
        let less = depth.saturating_sub(1);
        match kind {
            0 => self.of(&["0", "1", "7", "-3", "9223372036854775807", "-9223372036854775808", "0x1F", "12"]).to_owned(),
            1 => self.of(&["alert.count", "incident.alerts"]).to_owned(),
            2..=5 => format!("{} {} {}", self.number(less), self.of(&["+", "-", "*", "/", "%"]), self.number(less)),
            6 => format!("-({})", self.number(less)),
            7 => format!("size({})", self.text(less)),
            _ => format!("int({})", self.text(less)),
        }
    }

    fn decimal(&mut self, depth: usize) -> String {
        let kind = if depth == 0 { 0 } else { self.below(4) };
        let less = depth.saturating_sub(1);
        match kind {
            0 => self.of(&["0.0", "1.5", "-2.25", "1e18", "9.3e18", ".5"]).to_owned(),
            1 => format!("({} {} {})", self.decimal(less), self.of(&["+", "-", "*", "/"]), self.decimal(less)),
            2 => format!("double({})", self.number(less)),
            _ => format!("double({})", self.text(less)),
        }
    }
}

#[derive(serde::Serialize)]
struct OracleAlert<'a> {
    name: &'a str,
    value: &'a str,
    count: i64,
    labels: BTreeMap<&'a str, &'a str>,
}

#[derive(serde::Serialize)]
struct OracleCi<'a> {
    class: &'a str,
    known: bool,
}

#[derive(serde::Serialize)]
struct OracleIncident<'a> {
    services: &'a [String],
    alerts: i64,
    acknowledged: bool,
}

/// The oracle's answer; an error has no words that could be compared.
fn oracle(text: &str, view: &View<'_>) -> Result<bool, String> {
    let program = cel::Program::compile(text).unwrap();
    let mut context = cel::Context::default();
    let labels = view.alert.labels.iter().collect();
    let count = i64::try_from(view.alert.count).unwrap();
    context.add_variable("alert", OracleAlert { name: view.alert.name, value: view.alert.value, count, labels }).unwrap();
    context.add_variable("ci", OracleCi { class: view.ci.class, known: view.ci.known }).unwrap();
    let alerts = i64::try_from(view.incident.alerts).unwrap();
    let incident = OracleIncident { services: view.incident.services, alerts, acknowledged: view.incident.acknowledged };
    context.add_variable("incident", incident).unwrap();
    match program.execute(&context) {
        Ok(cel::Value::Bool(answer)) => Ok(answer),
        Ok(other) => panic!("{text} gives {other:?}"),
        Err(error) => Err(error.to_string()),
    }
}

/// Runs on a stack on which the oracle's parser does not overflow.
fn on_big_stack(check: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(64 << 20).spawn(check).unwrap();
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn generated_expressions_are_answered_as_the_cel_crate_answers_them() {
    on_big_stack(|| {
        let labels = Labels::from([("a", "Ho"), ("b", "7"), ("c.d/e", "x\ny")]);
        let services = ["x".to_owned(), "Ho".to_owned()];
        let view = View {
            alert: AlertView { name: "HostDown", value: "97.5", count: 3, labels: &labels, ..AlertView::default() },
            ci: CiView { class: "host", known: true, ..CiView::default() },
            incident: IncidentView { services: &services, alerts: 12, ..IncidentView::default() },
            ..View::blank(&Realm::MAIN, Time::default())
        };
        let mut runner = TestRunner::new(Config { cases: 2_000, failure_persistence: None, ..Config::default() });
        let checked = runner.run(&proptest::collection::vec(any::<u8>(), 0..60), |bytes| {
            let text = Choices { bytes: bytes.iter() }.condition(4);
            let expr = Expr::compile(NOTIFY, &text).map_err(|faults| TestCaseError::fail(format!("{text}: {faults:?}")))?;
            match (expr.holds(&view), oracle(&text, &view)) {
                (Ok(ours), Ok(theirs)) => prop_assert_eq!(ours, theirs, "{}", text),
                (Err(_), Err(_)) => {}
                // "Not a number" is neither below nor above anything, as CEL's definition says; the oracle finds no such comparison.
                (Ok(_), Err(theirs)) if theirs.contains("no matching overload for '_") && theirs.contains("double") => {}
                (ours, theirs) => prop_assert!(false, "{}: ours {:?}, theirs {:?}", text, ours, theirs),
            }
            Ok(())
        });
        checked.unwrap();
    });
}

/// One condition out of a small world, so that rules and alerts meet.
fn condition(choices: &mut Choices<'_>) -> Condition {
    let mut matchers = Vec::new();
    let mut exprs = Vec::new();
    for _ in 0..1 + choices.below(3) {
        let value = choices.of(&["", "a", "ab", "abc", "b", "x.y"]);
        let label = choices.of(&["site", "job"]);
        let mut when = |text: String| exprs.push(Expr::compile(CORRELATE, &text).unwrap());
        match choices.below(13) {
            0 => matchers.push(Matcher::new(choices.of(&["alertname", "severity", "site"]), value, false, true).unwrap()),
            1 => {
                let pattern = choices
                    .of(&["a|ab", "a.*", "ab?", "a|b.*", "(a|b)c*", "x\\.y", "a+", ".*", "(?i)A", "a{0,1}b", "", "[ab]", "a||b", "a\\b.*"]);
                matchers.push(Matcher::new(choices.of(&["alertname", "site"]), pattern, true, true).unwrap());
            }
            2 => matchers.push(Matcher::new(label, value, choices.below(2) == 0, false).unwrap()),
            3 => when(format!("alert.name == \"{value}\"")),
            4 => when(format!("alert.labels.{label} == \"{value}\" && ci.class == \"{value}\"")),
            5 => when(format!("alert.labels.{label} in [\"{value}\", \"a\"]")),
            6 => when(format!("alert.name.startsWith(\"{value}\")")),
            7 => when(format!("alert.name == \"a\" || alert.name == \"{value}\"")),
            8 => when(format!("alert.name == \"a\" || alert.labels.{label} == \"{value}\"")),
            9 => {
                let pattern = choices.of(&["^a", "^a|b", "^ab*", "a", "^(?i)a", "^x\\.", "^", "^ab$"]);
                when(format!("alert.name.matches(r\"{pattern}\")"));
            }
            10 => when("alert.severity in [\"critical\", \"error\"]".to_owned()),
            11 => when(format!("!(alert.name == \"{value}\") || \"{value}\" == ci.labels.role")),
            _ => when(format!("int(alert.labels.{label}) == 1 || ci.class == \"{value}\"")),
        }
    }
    Condition::new(matchers, exprs)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_index_never_loses_a_rule_that_matches(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut choices = Choices { bytes: bytes.iter() };
        let text = ["", "a", "A", "ab", "abc", "b", "bc", "x.y"];
        let labels = Labels::from([("site", choices.of(&text)), ("job", choices.of(&text)), ("alertname", choices.of(&text))]);
        let ci_labels = Labels::from([("role", choices.of(&text))]);
        let view = View {
            alert: AlertView {
                name: choices.of(&text),
                severity: Severity::ALL[choices.below(5)],
                labels: &labels,
                ..AlertView::default()
            },
            ci: CiView { class: choices.of(&text), labels: &ci_labels, ..CiView::default() },
            ..View::blank(&Realm::MAIN, Time::default())
        };
        let conditions: Vec<Condition> = (0..12).map(|_| condition(&mut choices)).collect();
        let index = RuleIndex::new(&conditions);
        let candidates: Vec<usize> = index.candidates(&view).collect();
        prop_assert!(candidates.is_sorted_by(|a, b| a < b), "in rule order, each once: {:?}", candidates);
        for (at, condition) in conditions.iter().enumerate() {
            if condition.holds(&view).is_yes() {
                prop_assert!(candidates.contains(&at), "{:?} over {:?}", condition, view);
            }
        }
    }
}

#[test]
fn among_ten_thousand_rules_only_those_that_could_apply_are_offered() {
    let rule = |text: String| Condition::new(Vec::new(), vec![Expr::compile(CORRELATE, &text).unwrap()]);
    let mut conditions: Vec<Condition> =
        (0..10_000).map(|n| rule(format!("alert.severity == \"critical\" && alert.labels.host == \"host-{n}\""))).collect();
    conditions.push(rule("alert.name.contains(\"Down\")".to_owned()));
    let index = RuleIndex::new(&conditions);
    let labels = Labels::from([("host", "host-77"), ("job", "node")]);
    let view = View {
        alert: AlertView { labels: &labels, severity: Severity::Critical, ..AlertView::default() },
        ..View::blank(&Realm::MAIN, Time::default())
    };
    assert_eq!(index.candidates(&view).collect::<Vec<_>>(), [77, 10_000]);
}
