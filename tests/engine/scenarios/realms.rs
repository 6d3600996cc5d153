//! Realms: what one realm's sources say correlates with nothing of another's, neither by an alert nor by what is down.

use watchkeeper_engine::ids::Realm;
use watchkeeper_engine::input::AlertInput;
use watchkeeper_engine::words::Health;

use crate::sim::{Sim, alert};

const POOL: &str = "
teams: [{id: network, mail: [net@example.org]}, {id: platform, mail: [platform@example.org]}, {id: shop, mail: [shop@example.org]}]
items:
  - {id: sw-1, class: switch, owner: network}
  - {id: app-1, class: host, owner: platform, relations: [{depends_on: sw-1}]}
  - {id: pool, class: cluster, owner: platform, min_up: 2}
  - {id: db-1, class: host, owner: platform, relations: [{member_of: pool}]}
  - {id: db-2, class: host, owner: platform, relations: [{member_of: pool}]}
  - {id: db-3, class: host, owner: platform, relations: [{member_of: pool}]}
  - {id: shop, class: service, owner: shop, criticality: high, relations: [{runs_on: pool}]}
";

fn lab(input: AlertInput) -> AlertInput {
    AlertInput { realm: Realm::from("lab"), source: "lab".to_owned(), ..input }
}

/// Every open incident as `realm: what it is`.
fn said(sim: &Sim) -> Vec<String> {
    sim.listed().iter().zip(sim.said()).map(|(incident, line)| format!("{}: {line}", incident.realm)).collect()
}

#[test]
fn alerts_of_two_realms_never_meet() {
    let mut sim = Sim::new("{}", POOL);
    sim.fire(alert("DeviceDown", "sw-1"));
    sim.fire(lab(alert("HostDown", "app-1")));
    sim.fire(lab(alert("DeviceDown", "sw-1")));
    sim.run("1m");
    assert_eq!(said(&sim), ["main: sw-1 new P2", "lab: sw-1 new P2 with app-1"]);
}

#[test]
fn a_group_does_not_collect_the_members_of_two_realms() {
    let mut sim = Sim::new("{}", POOL);
    sim.fire(alert("HostDown", "db-1"));
    sim.fire(lab(alert("HostDown", "db-2")));
    sim.run("1m");
    assert_eq!(said(&sim), ["main: db-1 new P3", "lab: db-2 new P3"], "each realm has lost one of three");
    sim.fire(lab(alert("HostDown", "db-1")));
    sim.run("1m");
    assert_eq!(said(&sim), ["main: db-1 new P3", "lab: pool new P1"], "the lab has lost two, and takes nothing of the other with it");
    let members = sim.state.alerts_in(sim.on("pool").id).map(|cell| cell.alert.realm.name()).collect::<Vec<_>>();
    assert_eq!(members, ["lab", "lab"]);
}

#[test]
fn what_one_realm_calls_down_explains_and_hurts_nothing_of_another() {
    let mut sim = Sim::new("{}", POOL);
    sim.fire(alert("HostDown", "db-1"));
    sim.fire(lab(alert("HostDown", "db-2")));
    sim.fire(alert("ShopDown", "shop"));
    sim.run("1m");
    assert_eq!(said(&sim), ["main: db-1 new P3", "main: shop new P1", "lab: db-2 new P3"], "a group that has lost one explains nothing");
    let hit: Vec<Health> = sim.on("db-1").services.iter().map(|hit| hit.health).collect();
    assert_eq!(hit, [Health::AtRisk]);
}

#[test]
fn a_first_mail_does_not_wait_for_a_cause_of_another_realm() {
    let rules = "correlate: [{name: slow-switch, when: 'ci.class == \"switch\"', means: down, for: 5m}]";
    let mut sim = Sim::new(rules, POOL);
    sim.fire(alert("HostDown", "app-1"));
    sim.fire(lab(alert("DeviceDown", "sw-1")));
    sim.run("1m");
    assert_eq!(sim.mail_words(), ["platform@example.org opened"]);
}
