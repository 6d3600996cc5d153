//! What conditions cost in sum: a dear rule is given up within the batch's bound, the others are judged as ever, and it is said.

use watchkeeper_engine::input::AlertInput;
use watchkeeper_engine::limits;

use crate::sim::{Sim, alert};

/// Ten rules that look 1,900 times at 1,900 elements before they know that they do not match, and one that looks at three.
fn dear_rules() -> String {
    let list = format!("[{}]", vec!["0"; 1_900].join(","));
    let dear = |n: usize| format!("  - {{name: dear-{n}, when: '{list}.all(a, {list}.all(b, a + b < 1)) && alert.count > 99999'}}\n");
    let small = "  - {name: small, when: '[\"x\", \"y\", \"HostDown\"].exists(x, x == alert.name)', title: small}\n";
    format!("correlate:\n{}{small}", (0..10).map(dear).collect::<String>())
}

#[test]
fn ten_dear_rules_over_twenty_alerts_stay_within_the_budget_of_the_batch_and_others_match_as_ever() {
    let mut sim = Sim::new(&dear_rules(), "items: [{id: db-1}]");
    for round in 0..2 {
        let inputs: Vec<AlertInput> = (0..20).map(|n| alert("HostDown", &format!("q{round}-{n}"))).collect();
        sim.send(inputs);
        let dearest = sim.state.budget.dearest().expect("not all could be looked at");
        assert_eq!(dearest.rule, "correlate dear-0", "the first to be asked");
        // Of 200 evaluations only the first few are looked at, each up to its own bound.
        assert!(dearest.elements <= limits::BATCH_ELEMENTS_MAX && dearest.refused >= 190, "{dearest:?}");
    }
    let judged: Vec<_> = sim.state.alerts().map(|cell| (cell.alert.rule.clone(), cell.alert.judgement.clone())).collect();
    assert_eq!(judged.len(), 40);
    assert!(judged.iter().all(|(rule, _)| rule == "small"), "a small list costs nothing of the budget: {judged:#?}");
    let said = judged
        .iter()
        .filter(|(_, steps)| steps.iter().any(|step| &*step.outcome == "not all looked at" && step.because.contains("correlate dear-0")));
    assert!(said.count() >= 38, "explain says so of all but the first");
    // The same alerts in the same batch are decided alike.
    let mut again = Sim::new(&dear_rules(), "items: [{id: db-1}]");
    again.send((0..20).map(|n| alert("HostDown", &format!("q0-{n}"))).collect());
    let taken = again.state.budget.dearest().map(|dearest| (dearest.elements, dearest.refused));
    assert_eq!(taken, sim.state.budget.dearest().map(|dearest| (dearest.elements, dearest.refused)));
}

#[test]
fn a_check_names_a_condition_that_is_dear_by_its_text() {
    use watchkeeper_engine::policy;
    use watchkeeper_engine::source::SourceFile;

    let loaded = policy::load(&[SourceFile::new("rules.yaml", dear_rules())]).unwrap();
    let dear = loaded.warnings.iter().filter(|warning| warning.message.contains("may look at 3611900 elements for each alert"));
    assert_eq!(dear.count(), 10, "each dear rule, and not the small one: {:?}", loaded.warnings);
    // They say the same, so all but the first are never asked.
    assert_eq!(loaded.warnings.iter().filter(|warning| warning.message.contains("is never asked")).count(), 9);
    assert_eq!(loaded.warnings.len(), 19);
}
