//! The trace: why an alert would become what it would, and why what lives is what it is; asking changes nothing.

use watchkeeper_engine::event::Action;
use watchkeeper_engine::input::AlertInput;
use watchkeeper_engine::state::rows::encode;
use watchkeeper_engine::trace::{explain, explain_incident, trace};
use watchkeeper_engine::words::Severity;

use crate::sim::{Sim, alert, as_severity};

const RULES: &str = r#"
identify:
  - {name: by-asset, from: alert.labels.asset}
correlate:
  - {name: staging, when: ci.environment == "staging", action: record}
  - {name: device, matchers: ['alertname="DeviceDown"'], when: ci.class == "switch", means: down, for: 30s}
  - {name: disk, when: 'alert.name.matches("(?i)disk")', means: nothing, title: "{{alert.name}} on {{ci.id}}"}
silences:
  - {name: old, when: ci.id == "old-1", comment: OPS-1}
notify:
  - {name: page, when: 'incident.priority in ["P1", "P2"]', to: [oncall]}
  - {name: rest, when: 'incident.priority in ["P3", "P4", "P5"]', to: [owner], digest: morning}
  - {name: desk, when: incident.priority == "P1", send: [opened, resolved], to: [stakeholders]}
"#;

const ITEMS: &str = "
teams: [{id: network, mail: [net@example.org]}, {id: platform, mail: [platform@example.org]}]
items:
  - {id: sw-1, class: switch, owner: network, criticality: high, aliases: [A-0815]}
  - {id: db-1, class: host, owner: platform, relations: [{depends_on: sw-1}, {member_of: pool}]}
  - {id: db-2, class: host, owner: platform, relations: [{member_of: pool}]}
  - {id: pool, class: cluster, owner: platform, min_up: 2}
  - {id: shop, class: service, owner: platform, criticality: high, stakeholders: [desk@example.org], relations: [{runs_on: pool}]}
  - {id: old-1, class: host, owner: platform}
  - {id: stage-1, class: host, owner: platform, environment: staging}
";

/// What `try` prints; State stays as it was, to the byte.
fn tried(sim: &Sim, input: AlertInput) -> String {
    let everything = |sim: &Sim| {
        let alerts: Vec<_> = sim.state.alerts().cloned().collect();
        (encode(&sim.state.counters), alerts, sim.state.incidents.clone(), sim.state.messages.len(), sim.state.next_due())
    };
    let before = everything(sim);
    let found = trace(&sim.state, &sim.world, &input.bounded().unwrap(), sim.now);
    assert_eq!(everything(sim), before, "asking changed something");
    serde_json::to_value(&found).unwrap();
    found.to_string()
}

#[test]
fn an_alert_that_has_not_happened_is_followed_from_its_item_to_whom_it_would_be_told() {
    let mut sim = Sim::new(RULES, ITEMS);
    let mut said = String::new();
    let mut show = |what: &str, text: String| said.push_str(&format!("== {what}\n{text}\n"));
    let mut by_asset = alert("DeviceDown", "");
    by_asset.labels = [("alertname", "DeviceDown"), ("asset", "a-0815")].into();
    show("a switch, found by its asset number", tried(&sim, by_asset));
    show("a member that takes its group below min_up", tried(&sim, alert("HostDown", "db-1:9100")));
    show("staging", tried(&sim, alert("HostDown", "stage-1")));
    show("silenced", tried(&sim, alert("HostDown", "old-1")));
    show("an item nobody knows", tried(&sim, as_severity(Severity::Warning, alert("DiskFilling", "ghost"))));
    show("already over", tried(&sim, AlertInput { ends_at: Some(sim.now), ..alert("HostDown", "db-1") }));
    sim.fire(alert("HostDown", "db-1"));
    sim.run("1m");
    show("a repeat", tried(&sim, alert("HostDown", "db-1")));
    show("a cause of what fires", tried(&sim, alert("DeviceDown", "sw-1")));
    sim.fire(alert("DeviceDown", "sw-1"));
    sim.run("1m");
    show("a symptom of what fires", tried(&sim, alert("HostSlow", "db-1")));
    insta::assert_snapshot!(said);
}

#[test]
fn what_would_happen_is_what_happens() {
    for (first, then) in [
        ("HostDown db-1", "DeviceDown sw-1"),
        ("DeviceDown sw-1", "HostDown db-1"),
        ("HostDown db-1", "HostDown db-2"),
        ("DiskFull db-2", "DiskFull db-1"),
    ] {
        let mut sim = Sim::new(&RULES.replace(", for: 30s", ""), ITEMS);
        let input = |text: &str| text.split_once(' ').map(|(name, item)| alert(name, item)).unwrap();
        sim.fire(input(first));
        sim.run("2m");
        sim.mails();
        let promised = trace(&sim.state, &sim.world, &input(then).bounded().unwrap(), sim.now);
        let of = |what: &str| -> Vec<String> {
            promised.steps.iter().filter(|step| step.what == what).map(|step| step.outcome.to_string()).collect()
        };
        let id = sim.fire(input(then));
        sim.run("2m");
        let alert = &sim.state.cell(id).unwrap().alert;
        let incident = &sim.state.incidents[&alert.incident.unwrap()];
        assert_eq!(of("identified"), [sim.item(id)], "{first}, then {then}");
        assert_eq!(of("rule"), [alert.rule.as_str()], "{first}, then {then}");
        if of("collected").is_empty() && incident.cause == Some(id) {
            assert_eq!(of("rated"), [incident.priority.word()], "{first}, then {then}: {promised}");
            let mut told: Vec<String> = of("would notify").into_iter().filter(|one| one.ends_with("(opened)")).collect();
            let mails = sim.mails();
            let mut heard: Vec<String> =
                mails.iter().filter(|mail| mail.reason.word() == "opened").map(|mail| format!("{} (opened)", mail.to)).collect();
            told.sort();
            heard.sort();
            assert_eq!(told, heard, "{first}, then {then}: {promised}");
        }
    }
}

#[test]
fn what_lives_says_why_it_is_what_it_is_and_what_comes_next() {
    let mut sim = Sim::new(RULES, ITEMS);
    let symptom = sim.fire(alert("HostDown", "db-1:9100"));
    sim.run("2m");
    sim.fire(alert("DeviceDown", "sw-1"));
    sim.run("2m");
    let id = sim.on("sw-1").id;
    sim.command(Action::Acknowledge { id });
    let text = explain(&sim.state, &sim.world, symptom, sim.now).unwrap().to_string();
    let incident = explain_incident(&sim.state, &sim.world, id, sim.now).unwrap().to_string();
    sim.clear(alert("DeviceDown", "sw-1"));
    let cleared = explain_incident(&sim.state, &sim.world, id, sim.now).unwrap().to_string();
    insta::assert_snapshot!(format!("{text}\n{incident}\nafter the cause cleared:\n{cleared}"));
}

#[test]
fn of_what_does_not_live_nothing_is_said() {
    let sim = Sim::new(RULES, ITEMS);
    assert_eq!(explain(&sim.state, &sim.world, watchkeeper_engine::ids::AlertId(7), sim.now), None);
    assert_eq!(explain_incident(&sim.state, &sim.world, watchkeeper_engine::ids::IncidentId(7), sim.now), None);
}
