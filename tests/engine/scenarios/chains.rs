//! Chains of causes: what fires always stands with a cause that fires or by itself, in whichever order a chain fires and clears.

use std::fmt::Write as _;

use watchkeeper_engine::ids::IncidentId;
use watchkeeper_engine::time::Span;
use watchkeeper_engine::words::{AlertState, Role};

use crate::sim::{Seeded, Sim, alert, timeline};

const CHAIN: &str = "
teams: [{id: network, mail: [net@example.org]}, {id: platform, mail: [platform@example.org]}]
items:
  - {id: core, class: router, owner: network}
  - {id: sw-1, class: switch, owner: network, relations: [{depends_on: core}]}
  - {id: h1, class: host, owner: platform, relations: [{depends_on: sw-1}]}
";

/// What must hold once releases have had their time: each firing alert stands in an open incident, there as no symptom or beside an alert that is
/// none and fires; and every open incident has something that fires.
fn nothing_is_stranded(sim: &Sim, seen: &str) {
    let firing = |id: IncidentId| sim.state.alerts_in(id).filter(|cell| cell.alert.state == AlertState::Firing);
    for cell in sim.state.alerts().filter(|cell| cell.alert.state == AlertState::Firing) {
        let item = sim.item(cell.alert.id);
        let place = sim.open().into_iter().find(|incident| cell.alert.incident == Some(incident.id));
        let Some(place) = place else { panic!("{seen}: {item} fires in no open incident: {:#?}", sim.said()) };
        let has_cause = firing(place.id).any(|other| other.alert.role != Role::Symptom);
        assert!(has_cause, "{seen}: {item} is a symptom in {} of {}, where no cause fires: {:#?}", place.id, place.item, sim.said());
    }
    for incident in sim.open() {
        assert!(firing(incident.id).next().is_some(), "{seen}: {} of {} stays open with nothing that fires", incident.id, incident.item);
    }
    for child in sim.state.incidents.values().filter(|incident| incident.state.is_open()) {
        let Some(parent) = child.parent else { continue };
        let own = sim.state.alerts().filter(|cell| cell.alert.own_incident == Some(child.id) && cell.alert.state == AlertState::Firing);
        let places: Vec<_> = own.filter_map(|cell| cell.alert.incident).collect();
        assert!(places.is_empty() || places.contains(&parent), "{seen}: {} is a child of {parent}, its alerts are in {places:?}", child.id);
    }
}

#[test]
fn a_symptom_goes_with_the_middle_of_its_chain_when_the_root_clears() {
    let mut sim = Sim::new("{}", CHAIN);
    sim.fire(alert("DeviceDown", "core"));
    sim.run("5s");
    sim.fire(alert("HostDown", "h1"));
    sim.run("3s");
    sim.fire(alert("DeviceDown", "sw-1"));
    sim.run("10m");
    assert_eq!(sim.said(), ["core new P2 with h1 sw-1"]);
    assert_eq!(sim.mail_words(), ["net@example.org opened", "platform@example.org affected"]);
    sim.clear(alert("DeviceDown", "core"));
    sim.run("3m");
    assert_eq!(sim.said(), ["core new P2", "sw-1 new P2 with h1"]);
    sim.run("10m");
    assert_eq!(sim.said(), ["core resolved P2", "sw-1 new P2 with h1"]);
    sim.mails();
    sim.clear(alert("DeviceDown", "sw-1"));
    sim.run("3m");
    assert_eq!(sim.said(), ["core resolved P2", "sw-1 new P2", "h1 new P2"]);
    assert_eq!(sim.mail_words(), ["platform@example.org released"], "who was told that it is not theirs hears that it is");
    sim.run("1h");
    assert_eq!(sim.said(), ["core resolved P2", "sw-1 resolved P2", "h1 new P2"]);
}

#[test]
fn three_levels_end_well_in_every_order_of_fire_and_every_order_of_clear() {
    const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let chain = [alert("DeviceDown", "core"), alert("DeviceDown", "sw-1"), alert("HostDown", "h1")];
    for fire in ORDERS {
        for clear in ORDERS {
            // Within group_wait, after the first mail, and so far apart that the first is no symptom of the last.
            for apart in ["5s", "4m", "9m"] {
                for between in ["1m", "10m"] {
                    let seen = format!("fire {fire:?} {apart} apart, clear {clear:?} {between} apart");
                    let mut sim = Sim::quick("{}", CHAIN);
                    for which in fire {
                        sim.fire(chain[which].clone());
                        sim.run(apart);
                    }
                    sim.run("12m");
                    for which in clear {
                        if between == "10m" {
                            nothing_is_stranded(&sim, &seen);
                        }
                        sim.clear(chain[which].clone());
                        sim.run(between);
                    }
                    sim.run("10m");
                    sim.check();
                    assert!(sim.open().is_empty(), "{seen}: {:#?}", sim.said());
                }
            }
        }
    }
}

/// Ten hosts behind two switches of one core, an application on each.
fn tree() -> (String, Vec<(&'static str, String)>) {
    let mut items = "
teams: [{id: network, mail: [net@example.org]}, {id: platform, mail: [platform@example.org]}]
items:
  - {id: core, class: router, owner: network}
  - {id: sw-1, class: switch, owner: network, relations: [{depends_on: core}]}
  - {id: sw-2, class: switch, owner: network, relations: [{depends_on: core}]}
"
    .to_owned();
    let mut alerts = vec![("DeviceDown", "core".to_owned()), ("DeviceDown", "sw-1".to_owned()), ("DeviceDown", "sw-2".to_owned())];
    for n in 0..10 {
        let switch = if n < 7 { "sw-1" } else { "sw-2" };
        writeln!(items, "  - {{id: h{n}, class: host, owner: platform, relations: [{{depends_on: {switch}}}]}}").unwrap();
        writeln!(items, "  - {{id: app{n}, class: app, owner: platform, relations: [{{runs_on: h{n}}}]}}").unwrap();
        alerts.push(("HostDown", format!("h{n}")));
        alerts.push(("AppDown", format!("app{n}")));
    }
    (items, alerts)
}

#[test]
fn trees_strand_nothing_in_fifty_orders_of_fire_and_of_clear() {
    let (items, alerts) = tree();
    for seed in 0..50 {
        let mut seeded = Seeded(seed);
        let seen = format!("seed {seed}");
        let mut alerts = alerts.clone();
        seeded.shuffle(&mut alerts);
        let mut sim = Sim::quick("{}", &items);
        // Some arrive together, some minutes apart: then the first are no symptoms of the last.
        let spread = [1, 30, 90][seed as usize % 3];
        for (name, item) in &alerts {
            sim.fire(alert(name, item));
            sim.run_until(sim.now + Span::seconds(seeded.below(spread) as i64));
        }
        sim.run("15m");
        nothing_is_stranded(&sim, &seen);
        seeded.shuffle(&mut alerts);
        for (name, item) in &alerts {
            sim.clear(alert(name, item));
            if seeded.below(3) == 0 {
                sim.run_until(sim.now + Span::seconds(seeded.below(200) as i64));
            } else {
                sim.run("8m");
                nothing_is_stranded(&sim, &seen);
            }
        }
        sim.run("10m");
        sim.check();
        assert!(sim.open().is_empty(), "{seen}: {:#?}", sim.said());
    }
}

#[test]
fn a_child_goes_with_its_alert_to_the_incident_that_takes_it() {
    let mut sim = Sim::new("{}", CHAIN);
    sim.fire(alert("HostDown", "h1"));
    sim.run("2m");
    let own = sim.on("h1").id;
    sim.fire(alert("DeviceDown", "core"));
    sim.run("2m");
    sim.fire(alert("DeviceDown", "sw-1"));
    sim.run("10m");
    sim.clear(alert("DeviceDown", "core"));
    sim.run("8m");
    let middle = sim.on("sw-1").id;
    assert_eq!(sim.said(), ["core resolved P2", "sw-1 new P2 with h1"]);
    assert_eq!(sim.state.incidents[&own].parent, Some(middle), "its alert is there");
    assert!(sim.state.incidents[&own].state.is_open(), "the core's end is not its end");
    sim.clear(alert("DeviceDown", "sw-1"));
    sim.run("3m");
    assert_eq!(sim.on("h1").id, own, "it has its incident back");
    let said = timeline(&sim, own);
    assert!(said.iter().any(|entry| entry.contains(&format!("child of {middle}"))), "{said:#?}");
}

#[test]
fn a_cause_that_moves_on_takes_what_only_it_explains() {
    let mut sim = Sim::new("{}", CHAIN);
    sim.fire(alert("HostDown", "h1"));
    sim.run("8m");
    sim.fire(alert("DeviceDown", "sw-1"));
    sim.run("8m");
    assert_eq!(sim.said(), ["sw-1 new P2 with h1"]);
    // The core began more than adopt_within after the host, and explains the switch.
    sim.fire(alert("DeviceDown", "core"));
    sim.run("2m");
    assert_eq!(sim.said(), ["core new P2 with h1 sw-1"]);
    sim.clear(alert("DeviceDown", "core"));
    sim.clear(alert("DeviceDown", "sw-1"));
    sim.run("3m");
    assert_eq!(sim.on("h1").title, "HostDown on h1");
    sim.run("10m");
    assert_eq!(sim.open().len(), 1, "{:#?}", sim.said());
}
