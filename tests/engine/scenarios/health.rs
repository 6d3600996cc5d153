//! The health of CIs is remembered: each change once a batch, with what caused it, bounded, over restarts and another CMDB; and it adds up.

use std::collections::BTreeMap;

use watchkeeper_engine::fact::Fact;
use watchkeeper_engine::ids::{CiNo, Realm};
use watchkeeper_engine::input::AlertInput;
use watchkeeper_engine::limits::HEALTH_CHANGES_MAX;
use watchkeeper_engine::model::health::{Change, Fact as HealthFact, Spent, Why};
use watchkeeper_engine::time::Span;
use watchkeeper_engine::words::{Health, Severity};

use crate::sim::{Seeded, Sim, alert, as_severity, d, t};

const ITEMS: &str = "
items:
  - {id: sw-1, class: switch}
  - {id: db-1, class: host, relations: [{depends_on: sw-1}, {member_of: pool}]}
  - {id: db-2, class: host, relations: [{member_of: pool}]}
  - {id: pool, class: group, min_up: 1}
  - {id: shop, class: service, relations: [{depends_on: pool}]}
";

/// What is slow is degraded; all else is as it is built in.
const RULES: &str = "correlate: [{name: slow, matchers: ['alertname=\"Slow\"'], means: degraded}]";

fn changes(sim: &Sim) -> impl DoubleEndedIterator<Item = &Change> {
    sim.facts.iter().filter_map(|fact| if let Fact::Health(HealthFact::Changed { change }) = fact { Some(&**change) } else { None })
}

/// Each change as `ci: from > to, because`, since the `n`th.
fn said(sim: &Sim, n: usize) -> Vec<String> {
    changes(sim).skip(n).map(|change| format!("{}: {} > {}, {}", change.id, change.from, change.to, change.why)).collect()
}

fn slow(item: &str) -> AlertInput {
    as_severity(Severity::Warning, alert("Slow", item))
}

/// Everything remembered, replayed from nothing, is what alerts say of every CI; so is what is remembered as standing.
fn replayed_is_computed(sim: &Sim) {
    let mut replayed: BTreeMap<(Realm, CiNo), Health> = BTreeMap::new();
    for change in changes(sim) {
        let known = replayed.insert((change.realm.clone(), change.ci), change.to).unwrap_or(Health::Ok);
        assert_eq!(known, change.from, "{change:?} does not follow what was before");
    }
    for realm in sim.state.realms() {
        for ci in sim.world.cmdb.items() {
            let computed = sim.state.health_of(&sim.world.cmdb, realm, ci.no);
            let known = replayed.get(&(realm.clone(), ci.no)).copied().unwrap_or(Health::Ok);
            assert_eq!(known, computed, "{} in realm {realm}", ci.id);
            let standing = sim.state.healths.standing(realm, ci.no).map_or(Health::Ok, |standing| standing.health);
            assert_eq!(standing, computed, "{} in realm {realm} is remembered as standing", ci.id);
        }
    }
}

#[test]
fn a_fault_its_reach_and_its_end_are_remembered_with_their_cause() {
    let mut sim = Sim::new(RULES, ITEMS);
    let id = sim.fire(alert("DeviceDown", "sw-1"));
    sim.run("1h");
    assert_eq!(
        said(&sim, 0),
        [
            "db-1: ok > down, DeviceDown fires on sw-1, whose fault reaches it",
            "pool: ok > at_risk, 1 of 2 members are up, and it needs 1",
            "sw-1: ok > down, DeviceDown fires on it",
        ]
    );
    let incident = sim.on("sw-1").id;
    assert!(
        changes(&sim)
            .all(|change| (change.alert, change.incident, change.at) == (Some(id), Some(incident), t("2026-03-24T10:00:00+01:00")))
    );
    let second = sim.fire(alert("HostDown", "db-2"));
    sim.run("10m");
    assert_eq!(
        said(&sim, 3),
        [
            "db-2: ok > down, HostDown fires on it",
            "pool: at_risk > down, 0 of 2 members are up, and it needs 1",
            "shop: ok > down, HostDown fires on db-2, whose fault reaches it",
        ]
    );
    assert!(changes(&sim).skip(3).all(|change| change.alert == Some(second)));
    sim.clear(alert("DeviceDown", "sw-1"));
    assert_eq!(
        said(&sim, 6),
        [
            "db-1: down > ok, DeviceDown on sw-1 ended",
            "pool: down > at_risk, 1 of 2 members are up, and it needs 1",
            "shop: down > ok, DeviceDown on sw-1 ended",
            "sw-1: down > ok, DeviceDown on it ended",
        ]
    );
    replayed_is_computed(&sim);
}

#[test]
fn what_comes_and_goes_within_a_batch_is_no_change_and_the_worse_is_one() {
    let mut sim = Sim::new(RULES, ITEMS);
    let now = sim.now;
    let over = |input: AlertInput| AlertInput { resolved: true, ends_at: Some(now), ..input };
    sim.send(vec![slow("sw-1"), alert("DeviceDown", "sw-1"), over(alert("DeviceDown", "sw-1"))]);
    assert_eq!(said(&sim, 0), ["sw-1: ok > degraded, Slow fires on it"]);
    sim.send(vec![alert("HostDown", "db-2"), over(alert("HostDown", "db-2")), alert("HostDown", "db-2")]);
    assert_eq!(said(&sim, 1).len(), 2, "db-2 and its group, once each: {:?}", said(&sim, 1));
    replayed_is_computed(&sim);
}

#[test]
fn health_is_remembered_over_a_restart_and_not_twice() {
    let mut sim = Sim::new(RULES, ITEMS);
    sim.fire(alert("DeviceDown", "sw-1"));
    sim.fire(slow("db-2"));
    let known = changes(&sim).count();
    sim.restart("1h");
    assert_eq!(sim.state.counters.health_since, Some(sim.now));
    assert_eq!(changes(&sim).count(), known, "{:?}", said(&sim, known));
    sim.clear(slow("db-2"));
    assert_eq!(said(&sim, known), ["db-2: degraded > ok, Slow on it ended"]);
    replayed_is_computed(&sim);
}

#[test]
fn another_cmdb_moves_health_and_one_that_leaves_it_ends() {
    let mut sim = Sim::new(RULES, ITEMS);
    sim.fire(alert("DeviceDown", "sw-1"));
    let known = changes(&sim).count();
    // db-2 hangs off the switch as well, db-1 is gone, the switch has another case.
    let items = "
items:
  - {id: SW-1, class: switch}
  - {id: db-2, class: host, relations: [{depends_on: sw-1}, {member_of: pool}]}
  - {id: pool, class: group, min_up: 1}
  - {id: shop, class: service, relations: [{depends_on: pool}]}
";
    sim.reload(RULES, items);
    assert_eq!(
        said(&sim, known),
        [
            "db-1: down > ok, it is not in CMDB version 2",
            "db-2: ok > down, CMDB version 2 came into force",
            "pool: at_risk > down, CMDB version 2 came into force",
            "shop: ok > down, CMDB version 2 came into force",
        ]
    );
    assert!(changes(&sim).filter(|change| change.is_end()).all(|change| matches!(change.why, Why::Gone { version: 2 })));
    replayed_is_computed(&sim);
    sim.run("10m");
    sim.clear(alert("DeviceDown", "sw-1"));
    replayed_is_computed(&sim);
    assert!(sim.state.healths.all().next().is_none());
}

#[test]
fn two_realms_see_a_ci_each_its_own_way() {
    let mut sim = Sim::new(RULES, ITEMS);
    let clinic = |input: AlertInput| AlertInput { realm: Realm::from("clinic"), ..input };
    sim.fire(alert("DeviceDown", "sw-1"));
    sim.fire(clinic(slow("sw-1")));
    let of = |realm: &str| {
        changes(&sim).filter(|change| change.realm.name() == realm && change.id == "sw-1").map(|change| change.to).collect::<Vec<_>>()
    };
    assert_eq!((of("main"), of("clinic")), (vec![Health::Down], vec![Health::Degraded]));
    replayed_is_computed(&sim);
}

#[test]
fn a_switch_with_thousands_of_hosts_is_remembered_some_with_each_batch() {
    let hosts = 2 * HEALTH_CHANGES_MAX + 500;
    let mut items = "items:\n  - {id: sw-1, class: switch}\n".to_owned();
    for n in 0..hosts {
        items += &format!("  - {{id: h{n}, class: host, relations: [{{depends_on: sw-1}}]}}\n");
    }
    let mut sim = Sim::quick("{}", &items);
    sim.fire(alert("DeviceDown", "sw-1"));
    let began = sim.now;
    assert_eq!(changes(&sim).count(), HEALTH_CHANGES_MAX);
    sim.now = sim.now + Span::seconds(1);
    sim.due();
    assert_eq!(changes(&sim).count(), 2 * HEALTH_CHANGES_MAX);
    assert!(changes(&sim).all(|change| change.at == began), "each has the time of the batch that moved it");
    // What a batch left over is found again by a start.
    sim.restart("10m");
    sim.run("1s");
    assert_eq!(changes(&sim).count(), hosts + 1);
    assert!(changes(&sim).last().unwrap().at < sim.now, "the last moment before the start is what is known");
    replayed_is_computed(&sim);
}

#[test]
fn whatever_happens_replaying_what_is_remembered_gives_what_alerts_say() {
    for seed in 0..25 {
        let mut dice = Seeded(seed);
        let mut sim = Sim::quick(RULES, ITEMS);
        let needs_both = ITEMS.replace("min_up: 1", "min_up: 2");
        let items = ["sw-1", "db-1", "db-2", "pool", "shop", "nowhere"];
        for step in 0..60 {
            let item = items[dice.below(items.len() as u64) as usize];
            let input = if dice.below(3) == 0 { slow(item) } else { alert(["DeviceDown", "HostDown"][dice.below(2) as usize], item) };
            let input = AlertInput { realm: Realm::from(["main", "clinic"][dice.below(2) as usize]), ..input };
            match dice.below(9) {
                0..=3 => drop(sim.fire(input)),
                4..=6 => sim.clear(input),
                7 => sim.run(["1m", "20m"][dice.below(2) as usize]),
                _ if step % 2 == 0 => sim.restart("5m"),
                _ => sim.reload(RULES, if dice.below(2) == 0 { ITEMS } else { &needs_both }),
            }
            replayed_is_computed(&sim);
        }
        assert!(changes(&sim).count() > 5, "seed {seed}");
        sim.check();
    }
}

/// Availability between two moments, added up by hand.
#[test]
fn how_long_a_ci_was_how_adds_up() {
    let change = |at: &str, realm: &str, from: Health, to: Health, why: Why| Change {
        ci: CiNo(1),
        id: "shop".to_owned(),
        realm: Realm::from(realm),
        at: t(at),
        seq: 1,
        from,
        to,
        alert: None,
        incident: None,
        why,
    };
    let found = || Why::Found;
    let day = |text: &str| t(&format!("2026-03-{text}:00Z"));
    let (from, to) = (day("01T00:00"), day("02T00:00"));
    let between =
        |changes: &[Change], now: &[(Realm, Health)]| Spent::between(from, to, changes, now.iter().map(|(realm, health)| (realm, *health)));
    let hours = |ok: i64, at_risk: i64, degraded: i64, down: i64| Spent {
        ok: Span::hours(ok),
        at_risk: Span::hours(at_risk),
        degraded: Span::hours(degraded),
        down: Span::hours(down),
    };
    // Nothing changed: as it is now.
    assert_eq!(between(&[], &[]), hours(24, 0, 0, 0));
    assert_eq!(between(&[], &[(Realm::MAIN, Health::Degraded)]), hours(0, 0, 24, 0));
    // It was down when the day began, came up at 6, was degraded from 20 on. What was before 0 and comes after 24 does not count.
    let one = [
        change("2026-02-28T12:00:00Z", "main", Health::Ok, Health::Down, found()),
        change("2026-03-01T06:00:00Z", "main", Health::Down, Health::Ok, found()),
        change("2026-03-01T20:00:00Z", "main", Health::Ok, Health::Degraded, found()),
        change("2026-03-02T03:00:00Z", "main", Health::Degraded, Health::Down, found()),
    ];
    let spent = between(&one, &[(Realm::MAIN, Health::Down)]);
    assert_eq!(spent, hours(14, 0, 4, 6));
    assert_eq!(spent.available_percent(), Some(75.0));
    // The first change comes after the end: it was before it what that says.
    assert_eq!(between(&one[3..], &[(Realm::MAIN, Health::Down)]), hours(0, 0, 24, 0));
    // Two realms: the worst counts. main is down from 4 to 8, the clinic degraded from 6 to 12.
    let two = [
        change("2026-03-01T04:00:00Z", "main", Health::Ok, Health::Down, found()),
        change("2026-03-01T06:00:00Z", "clinic", Health::Ok, Health::Degraded, found()),
        change("2026-03-01T08:00:00Z", "main", Health::Down, Health::Ok, found()),
        change("2026-03-01T12:00:00Z", "clinic", Health::Degraded, Health::Ok, found()),
    ];
    assert_eq!(between(&two, &[]), hours(16, 0, 4, 4));
    // It left the CMDB at 10 and came back, down, at 18: eight hours count nowhere.
    let left = [
        change("2026-03-01T05:00:00Z", "main", Health::Ok, Health::AtRisk, found()),
        change("2026-03-01T10:00:00Z", "main", Health::AtRisk, Health::Ok, Why::Gone { version: 3 }),
        change("2026-03-01T18:00:00Z", "main", Health::Ok, Health::Down, found()),
    ];
    let spent = between(&left, &[(Realm::MAIN, Health::Down)]);
    assert_eq!(spent, hours(5, 5, 0, 6));
    assert_eq!(spent.available_percent(), Some(62.5));
    assert_eq!(Spent::between(to, to, &one, []).available_percent(), None);
    assert_eq!(d("24h"), to - from);
}
