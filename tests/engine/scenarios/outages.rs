//! Outages: a cause and what hangs off it are one incident, in whichever order they are heard.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use watchkeeper_engine::event::Action;
use watchkeeper_engine::input::AlertInput;
use watchkeeper_engine::time::Span;
use watchkeeper_engine::words::Reason;

use crate::sim::{Seeded, Sim, alert, timeline};

const SWITCH: &str = "
teams: [{id: network, mail: [net@example.org]}, {id: platform, mail: [platform@example.org]}]
items:
  - {id: core-1, class: router, owner: network, criticality: high}
  - {id: sw-1, class: switch, owner: network, criticality: high, relations: [{depends_on: core-1}]}
  - {id: db-1, class: host, owner: platform, relations: [{depends_on: sw-1}]}
  - {id: db-2, class: host, owner: platform, relations: [{depends_on: sw-1}]}
";

#[test]
fn a_cause_heard_first_in_the_middle_or_last_takes_what_hangs_off_it() {
    for place in 0..3 {
        let mut sim = Sim::new("{}", SWITCH);
        let mut alerts = vec![alert("HostDown", "db-1:9100"), alert("HostDown", "db-2:9100")];
        alerts.insert(place, alert("DeviceDown", "sw-1"));
        for input in alerts {
            sim.fire(input);
            sim.run("5s");
        }
        sim.run("1m");
        assert_eq!(sim.said(), ["sw-1 new P1 with db-1 db-2"], "the switch at place {place}");
        assert_eq!(sim.mail_words(), ["net@example.org opened", "platform@example.org affected"], "the switch at place {place}");
        let said = timeline(&sim, sim.on("sw-1").id);
        assert!(said.iter().any(|entry| entry.contains("db-2 joined: db-2 depends on sw-1")), "{said:#?}");
    }
}

#[test]
fn a_cause_within_its_for_is_waited_for_before_the_first_mail() {
    let rules = "correlate: [{name: device, matchers: [alertname=\"DeviceDown\"], means: down, for: 2m}]";
    let mut sim = Sim::new(rules, SWITCH);
    sim.fire(alert("HostDown", "db-1:9100"));
    sim.run("10s");
    sim.fire(alert("DeviceDown", "sw-1"));
    sim.run("90s");
    assert_eq!(sim.mail_words(), [""; 0], "the switch may be the cause, and its `for` is not over");
    sim.run("2m");
    assert_eq!(sim.said(), ["sw-1 new P1 with db-1"]);
    assert_eq!(sim.mail_words(), ["net@example.org opened", "platform@example.org affected"]);
}

#[test]
fn a_cause_that_clears_within_its_for_lets_the_first_mail_go() {
    let rules = "correlate: [{name: device, matchers: [alertname=\"DeviceDown\"], means: down, for: 2m}]";
    let mut sim = Sim::new(rules, SWITCH);
    sim.fire(alert("HostDown", "db-1:9100"));
    sim.fire(alert("DeviceDown", "sw-1"));
    sim.run("1m");
    sim.clear(alert("DeviceDown", "sw-1"));
    sim.run("2m");
    assert_eq!(sim.said(), ["db-1 new P2"]);
    assert_eq!(sim.mail_words(), ["platform@example.org opened"]);
}

/// What hangs off the fault, and how it is told.
struct Outage {
    items: String,
    /// The alerts, the cause among them.
    alerts: Vec<AlertInput>,
    rules: &'static str,
    cause: &'static str,
    symptoms: usize,
}

const WITHOUT_FOR: &str = "{}";
const WITH_FOR: &str = "
correlate:
  - {name: device, matchers: ['alertname=\"DeviceDown\"'], means: down, for: 30s}
  - {name: host, matchers: ['alertname=\"HostDown\"'], means: down, for: 10s}
";

/// Forty hosts of two teams behind one switch.
fn behind_a_switch(rules: &'static str) -> Outage {
    let mut items = "
teams: [{id: network, mail: [net@example.org]}, {id: a, mail: [a@example.org]}, {id: b, mail: [b@example.org]}]
items:
  - {id: sw-1, class: switch, owner: network, criticality: high}
"
    .to_owned();
    let mut alerts = vec![alert("DeviceDown", "sw-1")];
    for n in 0..40 {
        let owner = if n % 2 == 0 { "a" } else { "b" };
        writeln!(items, "  - {{id: host-{n}, class: host, owner: {owner}, relations: [{{depends_on: sw-1}}]}}").unwrap();
        alerts.push(alert("HostDown", &format!("host-{n}:9100")));
    }
    Outage { items, alerts, rules, cause: "sw-1", symptoms: 40 }
}

/// The same behind two switches of one router, all of which are heard.
fn two_hops(rules: &'static str) -> Outage {
    let mut outage = behind_a_switch(rules);
    outage.items = outage.items.replace(
        "  - {id: sw-1, class: switch, owner: network, criticality: high}",
        "  - {id: core-1, class: router, owner: network, criticality: high}\n  - {id: sw-2, class: switch, owner: network, relations: [{depends_on: core-1}]}
  - {id: sw-1, class: switch, owner: network, criticality: high, relations: [{depends_on: core-1}]}",
    );
    outage.items = outage.items.replace(
        "host-3, class: host, owner: b, relations: [{depends_on: sw-1}]",
        "host-3, class: host, owner: b, relations: [{depends_on: sw-2}]",
    );
    outage.alerts.extend([alert("DeviceDown", "core-1"), alert("DeviceDown", "sw-2")]);
    Outage { cause: "core-1", symptoms: 42, ..outage }
}

/// The same, the hosts being members of a cluster that carries a service: both are heard too.
fn with_a_cluster(rules: &'static str) -> Outage {
    let mut outage = behind_a_switch(rules);
    for n in 0..20 {
        let (host, with) = (format!("{{id: host-{n}, "), format!("{{id: host-{n}, labels: {{pool: x}}, "));
        outage.items = outage.items.replace(&host, &with);
    }
    let lines: Vec<String> = outage
        .items
        .lines()
        .map(|line| {
            if line.contains("pool: x") {
                line.replace("[{depends_on: sw-1}]", "[{depends_on: sw-1}, {member_of: pool}]")
            } else {
                line.to_owned()
            }
        })
        .collect();
    outage.items = lines.join("\n")
        + "\n  - {id: pool, class: cluster, owner: a, min_up: 50%}\n  - {id: shop, class: service, owner: b, criticality: high, relations: [{runs_on: pool}]}\n";
    outage.alerts.extend([alert("PoolUnavailable", "pool"), alert("ShopDown", "shop")]);
    Outage { symptoms: 42, ..outage }
}

/// Heard in a hundred orders, spread within `group_wait`: one incident that names the cause, and nobody hears twice that something opened.
fn is_one_incident_in_every_order(outage: &Outage) {
    for seed in 0..100 {
        let mut seeded = Seeded(seed);
        let mut alerts = outage.alerts.clone();
        seeded.shuffle(&mut alerts);
        let mut at: Vec<Span> = alerts.iter().map(|_| Span(seeded.below(29_000) as i64)).collect();
        at.sort();
        let mut sim = Sim::quick(outage.rules, &outage.items);
        let start = sim.now;
        for (input, at) in alerts.into_iter().zip(at) {
            sim.run_until(start + at);
            sim.fire(input);
        }
        sim.run_until(start + Span::minutes(5));
        sim.check();
        let open = sim.open();
        let [incident] = open[..] else { panic!("seed {seed}: {:#?}", sim.said()) };
        assert_eq!(incident.item, outage.cause, "seed {seed}: {:#?}", sim.said());
        assert_eq!(sim.symptoms(incident.id).len(), outage.symptoms, "seed {seed}: {:#?}", sim.said());
        let mut heard: BTreeMap<String, Vec<Reason>> = BTreeMap::new();
        for mail in sim.mails() {
            heard.entry(mail.to).or_default().push(mail.reason);
        }
        assert_eq!(heard["net@example.org"], [Reason::Opened], "seed {seed}: {heard:?}");
        for (who, reasons) in &heard {
            assert!(reasons.len() == 1, "seed {seed}: {who} heard {reasons:?}");
        }
        assert_eq!(heard.len(), 3, "seed {seed}: {heard:?}");
    }
}

#[test]
fn forty_hosts_behind_a_switch_are_one_incident_in_a_hundred_orders() {
    is_one_incident_in_every_order(&behind_a_switch(WITHOUT_FOR));
}

#[test]
fn forty_hosts_behind_a_switch_are_one_incident_in_a_hundred_orders_with_for() {
    is_one_incident_in_every_order(&behind_a_switch(WITH_FOR));
}

#[test]
fn two_hops_are_one_incident_in_a_hundred_orders() {
    is_one_incident_in_every_order(&two_hops(WITHOUT_FOR));
}

#[test]
fn two_hops_are_one_incident_in_a_hundred_orders_with_for() {
    is_one_incident_in_every_order(&two_hops(WITH_FOR));
}

#[test]
fn a_cluster_and_its_service_are_one_incident_in_a_hundred_orders() {
    is_one_incident_in_every_order(&with_a_cluster(WITHOUT_FOR));
}

#[test]
fn a_cluster_and_its_service_are_one_incident_in_a_hundred_orders_with_for() {
    is_one_incident_in_every_order(&with_a_cluster(WITH_FOR));
}

const POOL: &str = "
teams: [{id: platform, mail: [platform@example.org]}, {id: shop, mail: [shop@example.org]}]
items:
  - {id: pool, class: cluster, owner: platform, min_up: 2}
  - {id: db-1, class: host, owner: platform, relations: [{member_of: pool}]}
  - {id: db-2, class: host, owner: platform, relations: [{member_of: pool}]}
  - {id: db-3, class: host, owner: platform, relations: [{member_of: pool}]}
  - {id: shop, class: service, owner: shop, criticality: high, relations: [{runs_on: pool}]}
";

#[test]
fn a_group_that_still_has_enough_members_is_at_risk_and_explains_nothing() {
    let mut sim = Sim::new("{}", POOL);
    sim.fire(alert("HostDown", "db-1"));
    sim.fire(alert("ShopSlow", "shop"));
    sim.run("1m");
    assert_eq!(sim.said(), ["db-1 new P3", "shop new P2"], "a shop that is degraded is medium, one that lost redundancy low");
    assert_eq!(sim.on("db-1").services[0].health.word(), "at_risk");
}

#[test]
fn what_an_incident_affects_follows_the_group_that_a_fault_elsewhere_takes_below_min_up() {
    let on_a_rack = POOL.replace("{id: db-2, class: host, owner: platform, relations: [{member_of: pool}]}", "{id: rack, class: rack}");
    let db_2 = "  - {id: db-2, class: host, owner: platform, relations: [{member_of: pool}, {depends_on: rack}]}\n";
    let mut sim = Sim::new("{}", &format!("{on_a_rack}{db_2}"));
    sim.fire(alert("HostDown", "db-1"));
    sim.run("1m");
    let id = sim.on("db-1").id;
    assert_eq!(sim.state.incidents[&id].services[0].health.word(), "at_risk");
    sim.fire(alert("HostDown", "rack"));
    sim.command(Action::Note { id, text: "the rack is dark, too".to_owned() });
    assert_eq!(sim.state.incidents[&id].services[0].health.word(), "down", "nothing of its own changed");
}

#[test]
fn a_group_below_min_up_is_one_incident_with_all_its_members_and_what_it_carries() {
    let mut sim = Sim::new("{}", POOL);
    sim.fire(alert("HostDown", "db-1"));
    sim.run("5s");
    sim.fire(alert("ShopDown", "shop"));
    sim.run("5s");
    sim.fire(alert("HostDown", "db-2"));
    sim.run("2m");
    assert_eq!(sim.said(), ["pool new P1 with shop"]);
    assert_eq!(sim.mail_words(), ["platform@example.org opened", "shop@example.org affected"]);
    let said = timeline(&sim, sim.on("pool").id);
    assert!(said.iter().any(|entry| entry.contains("pool has 1 of 3 members up and needs 2")), "{said:#?}");
}

#[test]
fn of_two_causes_upstream_the_one_that_nothing_explains_is_named() {
    let mut sim = Sim::new("{}", SWITCH);
    sim.fire(alert("DeviceDown", "sw-1"));
    sim.run("10s");
    sim.fire(alert("HostDown", "db-1:9100"));
    sim.run("5m");
    sim.fire(alert("DeviceDown", "core-1"));
    sim.run("1m");
    assert_eq!(sim.said(), ["core-1 new P1 with db-1 sw-1"]);
}
