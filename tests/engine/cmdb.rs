//! The CMDB compiled: names, flows, groups, health and walks.

mod files;
mod support;

use proptest::prelude::*;
use watchkeeper_engine::cmdb::health::{GroupState, HealthMap};
use watchkeeper_engine::cmdb::{Cmdb, MinUp, walk};
use watchkeeper_engine::ids::CiNo;
use watchkeeper_engine::text::Because;
use watchkeeper_engine::words::{Health, Level, Means, Relation};

use support::{Item, cmdb, item};

fn no(cmdb: &Cmdb, name: &str) -> CiNo {
    cmdb.find(name).unwrap_or_else(|| panic!("{name} is no item"))
}

fn ids(cmdb: &Cmdb, numbers: impl IntoIterator<Item = CiNo>) -> Vec<&str> {
    numbers.into_iter().map(|no| cmdb.id(no)).collect()
}

fn down(cmdb: &Cmdb, names: &[&str]) -> HealthMap {
    let mut health = HealthMap::default();
    for name in names {
        health.add_down(cmdb, no(cmdb, name));
    }
    health
}

/// The shop of the contract's example: a service on a pool of two hosts on a switch each, fed by one power supply.
fn shop(min_up: MinUp) -> Cmdb {
    cmdb([
        item("ups-1"),
        item("sw-1").powered_by("ups-1"),
        item("sw-2").powered_by("ups-1"),
        item("db-1").depends_on("sw-1").member_of("db-pool"),
        item("db-2").depends_on("sw-2").member_of("db-pool"),
        item("db-pool").min_up(min_up),
        item("shop").service(Level::High).runs_on("db-pool"),
        item("billing").service(Level::Low).depends_on("shop"),
    ])
}

#[test]
fn names_are_found_whatever_their_case() {
    let cmdb = cmdb([item("Db-1").alias("10.0.0.7").alias("DATENBANK-Ä")]);
    for name in ["db-1", "DB-1", "Db-1", "10.0.0.7", "datenbank-ä", "Datenbank-Ä"] {
        assert_eq!(cmdb.find(name), Some(no(&cmdb, "Db-1")), "{name}");
    }
    for name in ["", "db", "db-1 ", "10", "db-1.example.org", "datenbank-a"] {
        assert_eq!(cmdb.find(name), None, "{name:?}");
    }
}

#[test]
fn a_short_name_finds_its_full_name_only_where_it_is_unique() {
    let cmdb = cmdb([
        item("web-1.example.org"),
        item("web-2.example.org"),
        item("web-2.example.net"),
        item("web-3.example.org").alias("web-3.example.net"),
        item("web-4.example.org"),
        item("web-4"),
        item("mail").alias("mx-1.example.org"),
    ]);
    let cases = [
        ("web-1", Some("web-1.example.org")),
        ("WEB-1", Some("web-1.example.org")),
        ("web-2", None),
        ("web-3", Some("web-3.example.org")),
        ("web-4", Some("web-4")),
        ("mx-1", Some("mail")),
        ("web-1.example", None),
        ("web-4.example.net", None),
    ];
    for (name, found) in cases {
        assert_eq!(cmdb.find(name).map(|no| cmdb.id(no)), found, "{name}");
    }
    assert_eq!(cmdb.find_exact("web-1"), None);
}

#[test]
fn addresses_and_version_numbers_have_no_short_form() {
    let cmdb = cmdb([item("10.0.0.1"), item("2001:db8::1.2.3.4"), item("api 1.2"), item("release-7.4")]);
    for name in ["10", "2001:db8::1", "api 1", "release-7"] {
        assert_eq!(cmdb.find(name), None, "{name}");
    }
}

#[test]
fn items_stand_in_the_order_of_their_ids_without_case() {
    let sorted = ["a", "B", "b-1", "C", "host-00000000001", "host-0000000000Z", "host-0000000000é", "host-0000000000é-1", "ä"];
    let cmdb = cmdb([8, 3, 7, 0, 5, 2, 6, 1, 4].map(|n| item(sorted[n])));
    assert_eq!(cmdb.items().map(|ci| ci.id.as_str()).collect::<Vec<_>>(), sorted);
}

#[test]
fn an_empty_cmdb_knows_nothing() {
    let cmdb = Cmdb::empty();
    assert_eq!((cmdb.len(), cmdb.version(), cmdb.find("db-1")), (0, 0, None));
    assert!(walk::carried(&cmdb, CiNo(7)).is_empty());
    assert!(walk::upstream(&cmdb, &HealthMap::default(), CiNo(7)).is_empty());
}

#[test]
fn a_fault_flows_along_each_relation_in_its_own_direction() {
    let cmdb = cmdb([
        item("hub"),
        item("dependent").depends_on("hub"),
        item("guest").runs_on("hub"),
        item("fed").powered_by("hub"),
        item("rack").contains("hub"),
        item("peer").connects_to("hub"),
    ]);
    let hub = no(&cmdb, "hub");
    let to: Vec<_> = cmdb.flows_to(hub).map(|flow| (cmdb.id(flow.ci), flow.relation)).collect();
    assert_eq!(to, [("dependent", Relation::DependsOn), ("fed", Relation::PoweredBy), ("guest", Relation::RunsOn)]);
    let from: Vec<_> = cmdb.flows_from(hub).map(|flow| (cmdb.id(flow.ci), flow.relation)).collect();
    assert_eq!(from, [("rack", Relation::Contains)]);
    let health = down(&cmdb, &["rack"]);
    assert_eq!(
        ids(&cmdb, cmdb.items().map(|ci| ci.no).filter(|no| health.is_down(*no))),
        ["dependent", "fed", "guest", "hub", "rack"],
        "all but what is only connected"
    );
}

#[test]
fn a_group_goes_down_below_its_min_up_and_not_before() {
    // (members, min_up, members down, whether the group is down): iTop's vectors.
    let cases = [
        (3, MinUp::Count(2), 1, false),
        (3, MinUp::Count(2), 2, true),
        (3, MinUp::Count(1), 2, false),
        (3, MinUp::Count(1), 3, true),
        (3, MinUp::Percent(50), 1, false),
        (3, MinUp::Percent(50), 2, true),
        (1, MinUp::Count(1), 1, true),
        (4, MinUp::Percent(50), 2, false),
        (4, MinUp::Percent(51), 2, true),
        (3, MinUp::Percent(100), 1, true),
        (2, MinUp::Count(5), 0, false),
        (2, MinUp::Count(5), 1, true),
    ];
    for (members, min_up, fallen, is_down) in cases {
        let names: Vec<String> = (1..=members).map(|n| format!("host-{n}")).collect();
        let hosts = names.iter().map(|name| item(name).member_of("farm"));
        let cmdb = cmdb(hosts.chain([item("farm").min_up(min_up), item("vm").runs_on("farm")]));
        let health = down(&cmdb, &names.iter().take(fallen).map(String::as_str).collect::<Vec<_>>());
        let case = format!("{fallen} of {members} down, {min_up:?}");
        assert_eq!(health.is_down(no(&cmdb, "farm")), is_down, "{case}");
        assert_eq!(health.is_down(no(&cmdb, "vm")), is_down, "{case}");
        assert_eq!(health.group(&cmdb, no(&cmdb, "farm")).map(GroupState::is_below), Some(is_down), "{case}");
    }
}

#[test]
fn a_group_says_how_many_are_up_and_needed() {
    let cmdb = shop(MinUp::Percent(60));
    let health = down(&cmdb, &["sw-1"]);
    assert_eq!(health.group(&cmdb, no(&cmdb, "db-pool")), Some(GroupState { up: 1, of: 2, needs: 2 }));
    assert_eq!(health.group(&cmdb, no(&cmdb, "shop")), None);
}

#[test]
fn what_is_said_twice_must_be_taken_back_twice() {
    let cmdb = shop(MinUp::Count(1));
    let mut health = down(&cmdb, &["db-1", "db-1"]);
    let db = no(&cmdb, "db-1");
    assert_eq!(health.remove_down(&cmdb, db), []);
    assert!(health.is_directly_down(db));
    assert_eq!(health.remove_down(&cmdb, db), [db]);
    assert!(!health.is_down(db));
    assert_eq!(health.remove_down(&cmdb, db), [], "nothing is left to take back");
    assert_eq!(health, HealthMap::default());
}

#[test]
fn a_cycle_does_not_keep_itself_down() {
    let cmdb = cmdb([item("a").depends_on("c"), item("b").depends_on("a"), item("c").depends_on("b"), item("d").depends_on("c")]);
    let mut health = down(&cmdb, &["a"]);
    assert!(["a", "b", "c", "d"].iter().all(|name| health.is_down(no(&cmdb, name))));
    assert_eq!(ids(&cmdb, walk::upstream(&cmdb, &health, no(&cmdb, "a")).into_iter().map(|reached| reached.ci)), ["c", "b"]);
    let risen = health.remove_down(&cmdb, no(&cmdb, "a"));
    assert_eq!(risen.len(), 4);
    assert_eq!(health, HealthMap::default());
}

#[test]
fn what_another_fault_holds_down_stays_down() {
    let cmdb = shop(MinUp::Count(1));
    let mut health = down(&cmdb, &["ups-1", "sw-2"]);
    let risen = health.remove_down(&cmdb, no(&cmdb, "ups-1"));
    let mut risen = ids(&cmdb, risen);
    risen.sort_unstable();
    assert_eq!(risen, ["billing", "db-1", "db-pool", "shop", "sw-1", "ups-1"]);
    assert_eq!(health, down(&cmdb, &["sw-2"]));
}

#[test]
fn health_carries_over_to_the_next_cmdb() {
    let before = shop(MinUp::Count(1));
    let health = down(&before, &["sw-1", "sw-1", "sw-2"]);
    let after = shop(MinUp::Percent(100));
    let mut carried = health.over(&after);
    assert_eq!(carried, down(&after, &["sw-1", "sw-1", "sw-2"]));
    carried.remove_down(&after, no(&after, "sw-2"));
    assert!(carried.is_down(no(&after, "shop")), "one of two is too few there");
    assert_eq!(health.over(&Cmdb::empty()), HealthMap::default());
}

#[test]
fn the_way_to_a_cause_reads_as_a_sentence() {
    let cmdb = shop(MinUp::Count(2));
    let health = down(&cmdb, &["sw-1"]);
    let hops = walk::path(&cmdb, &health, no(&cmdb, "shop"), no(&cmdb, "sw-1"));
    assert_eq!(Because::Upstream { hops }.to_string(), "shop runs on db-pool, and db-1 is a member of db-pool, and db-1 depends on sw-1");
    assert!(walk::path(&cmdb, &health, no(&cmdb, "sw-1"), no(&cmdb, "shop")).is_empty(), "no fault flows that way");
}

#[test]
fn the_way_out_of_a_container_names_the_container_first() {
    let cmdb = cmdb([item("room").contains("rack"), item("rack").contains("host"), item("host"), item("app").runs_on("host")]);
    let health = HealthMap::default();
    let reached = walk::upstream(&cmdb, &health, no(&cmdb, "app"));
    let hops = walk::hops(&cmdb, &reached, no(&cmdb, "room"));
    assert_eq!(Because::Upstream { hops }.to_string(), "app runs on host, and rack contains host, and room contains rack");
}

#[test]
fn upstream_is_nearest_first_and_enters_a_group_only_below_min_up() {
    let cmdb = shop(MinUp::Count(1));
    let upstream = |faults: &[&str]| -> Vec<(String, u32)> {
        walk::upstream(&cmdb, &down(&cmdb, faults), no(&cmdb, "billing")).iter().map(|at| (cmdb.id(at.ci).to_owned(), at.hops)).collect()
    };
    let near = vec![("shop".to_owned(), 1), ("db-pool".to_owned(), 2)];
    assert_eq!(upstream(&[]), near);
    assert_eq!(upstream(&["sw-1"]), near, "one of two is enough");
    let mut far = near;
    far.extend([("db-1", 3), ("db-2", 3), ("sw-1", 4), ("sw-2", 4), ("ups-1", 5)].map(|(id, hops)| (id.to_owned(), hops)));
    assert_eq!(upstream(&["sw-1", "db-2"]), far);
}

#[test]
fn downstream_passes_a_group_only_below_min_up() {
    let cmdb = shop(MinUp::Count(1));
    let downstream = |faults: &[&str]| {
        let reached = walk::downstream(&cmdb, &down(&cmdb, faults), no(&cmdb, "sw-1"));
        ids(&cmdb, reached.into_iter().map(|reached| reached.ci))
    };
    assert_eq!(downstream(&["sw-1"]), ["db-1"]);
    assert_eq!(downstream(&["sw-1", "sw-2"]), ["db-1", "db-pool", "shop", "billing"]);
}

#[test]
fn impact_is_the_worst_that_reaches_each_service() {
    let cmdb = shop(MinUp::Count(1));
    // (faults, services hit)
    type Case<'a> = (&'a [(&'a str, Means)], &'a [(&'a str, Health)]);
    let cases: &[Case<'_>] = &[
        (&[], &[]),
        (&[("sw-1", Means::Nothing)], &[]),
        (&[("sw-1", Means::Degraded)], &[]),
        (&[("sw-1", Means::Down)], &[("shop", Health::AtRisk), ("billing", Health::AtRisk)]),
        (&[("sw-1", Means::Down), ("sw-2", Means::Down)], &[("shop", Health::Down), ("billing", Health::Down)]),
        (&[("db-pool", Means::Degraded)], &[("shop", Health::Degraded), ("billing", Health::Degraded)]),
        (&[("sw-1", Means::Down), ("billing", Means::Degraded)], &[("billing", Health::Degraded), ("shop", Health::AtRisk)]),
        (&[("shop", Means::Degraded), ("billing", Means::Down)], &[("billing", Health::Down), ("shop", Health::Degraded)]),
    ];
    for (faults, expected) in cases {
        let health = down(&cmdb, &faults.iter().filter(|fault| fault.1 == Means::Down).map(|fault| fault.0).collect::<Vec<_>>());
        let faults: Vec<(CiNo, Means)> = faults.iter().map(|(name, means)| (no(&cmdb, name), *means)).collect();
        let hit = walk::impact(&cmdb, &health, &faults);
        let hit: Vec<(&str, Health)> = hit.into_iter().map(|impact| (cmdb.id(impact.service), impact.health)).collect();
        assert_eq!(&hit, expected, "{faults:?}");
    }
}

#[test]
fn carried_services_stand_most_critical_first_whatever_the_state() {
    let cmdb = shop(MinUp::Count(1));
    assert_eq!(ids(&cmdb, walk::carried(&cmdb, no(&cmdb, "sw-1"))), ["shop", "billing"]);
    assert_eq!(ids(&cmdb, walk::carried(&cmdb, no(&cmdb, "billing"))), ["billing"]);
    assert_eq!(cmdb.most_critical_service(no(&cmdb, "ups-1")), Some(no(&cmdb, "shop")));
    assert_eq!(ids(&cmdb, cmdb.services().iter().copied()), ["shop", "billing"]);
}

#[test]
fn a_walk_that_meets_its_bound_stops_there() {
    let names: Vec<String> = (0..watchkeeper_engine::limits::WALK_MAX + 5).map(|n| format!("host-{n:06}")).collect();
    let cmdb = cmdb(names.iter().map(|name| item(name).depends_on("core")).chain([item("core")]));
    let reached = walk::downstream(&cmdb, &HealthMap::default(), no(&cmdb, "core"));
    assert_eq!(reached.len(), watchkeeper_engine::limits::WALK_MAX);
    assert_eq!(cmdb.id(reached[1].ci), "host-000001", "the nearest, by id, are kept");
}

#[test]
fn what_a_walk_begins_with_is_not_counted_against_its_bound() {
    let names: Vec<String> = (0..watchkeeper_engine::limits::WALK_MAX).map(|n| format!("host-{n:06}")).collect();
    let hosts = names.iter().map(|name| item(name).depends_on("core"));
    let cmdb = cmdb(hosts.chain([item("core"), item("shop").service(Level::High).depends_on("host-000000")]));
    let healthy = HealthMap::default();
    let mut hit = walk::hit_by(&cmdb, &healthy, no(&cmdb, "core"));
    let mut reached: Vec<CiNo> = walk::downstream(&cmdb, &healthy, no(&cmdb, "core")).into_iter().map(|reached| reached.ci).collect();
    reached.push(no(&cmdb, "core"));
    hit.sort_unstable();
    reached.sort_unstable();
    assert!(hit == reached, "both ways to walk reach {} and {} items", hit.len(), reached.len());
    let faults: Vec<(CiNo, Means)> = names.iter().map(|name| (no(&cmdb, name), Means::Down)).collect();
    let services: Vec<CiNo> = walk::impact(&cmdb, &healthy, &faults).into_iter().map(|impact| impact.service).collect();
    assert_eq!(ids(&cmdb, services), ["shop"], "however many faults there are, the services beyond them are seen");
}

/// Items, relations (from, to, kind) and min_up of each, and a sequence of additions (true) and removals.
type Plot = (Vec<(usize, usize, u8)>, Vec<u32>, Vec<(usize, bool)>);

fn plots() -> impl Strategy<Value = Plot> {
    (2_usize..14).prop_flat_map(|size| {
        (
            prop::collection::vec((0..size, 0..size, 0_u8..6), 0..size * 3),
            prop::collection::vec(0_u32..4, size),
            prop::collection::vec((0..size, any::<bool>()), 1..40),
        )
    })
}

fn drawn(edges: &[(usize, usize, u8)], min_up: &[u32]) -> Cmdb {
    let names: Vec<String> = (0..min_up.len()).map(|n| format!("n{n:02}")).collect();
    let items = names.iter().enumerate().map(|(n, name)| {
        let item = item(name).min_up(MinUp::Count(min_up[n]));
        let item = if n % 3 == 0 { item.service(Level::ALL[n / 3 % 3]) } else { item };
        edges.iter().filter(|edge| edge.0 == n).fold(item, |item: Item<'_>, (_, to, kind)| {
            let to = &names[*to];
            match kind {
                0 => item.depends_on(to),
                1 => item.contains(to),
                2 => item.connects_to(to),
                _ => item.member_of(to),
            }
        })
    });
    cmdb(items)
}

/// The rule itself, applied until nothing changes.
fn fixpoint(cmdb: &Cmdb, said: &[u32]) -> Vec<bool> {
    let mut down: Vec<bool> = said.iter().map(|words| *words > 0).collect();
    loop {
        let next: Vec<bool> = (0..)
            .map(CiNo)
            .take(down.len())
            .map(|no| {
                let is_down = |other: CiNo| down[other.0 as usize];
                let members = u32::try_from(cmdb.members_of(no).len()).unwrap();
                let up = u32::try_from(cmdb.members_of(no).filter(|member| !is_down(*member)).count()).unwrap();
                let needs = cmdb.ci(no).unwrap().min_up.needed(members).min(members);
                is_down(no) || up < needs || cmdb.flows_from(no).any(|flow| is_down(flow.ci))
            })
            .collect();
        if next == down {
            return down;
        }
        down = next;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn health_kept_step_by_step_equals_health_worked_out_afresh((edges, min_up, steps) in plots()) {
        let cmdb = drawn(&edges, &min_up);
        let mut said = vec![0_u32; min_up.len()];
        let mut health = HealthMap::default();
        for (at, adds) in steps {
            let no = CiNo(u32::try_from(at).unwrap());
            let before: Vec<bool> = fixpoint(&cmdb, &said);
            let changed = if adds {
                said[at] += 1;
                health.add_down(&cmdb, no)
            } else {
                said[at] = said[at].saturating_sub(1);
                health.remove_down(&cmdb, no)
            };
            let after = fixpoint(&cmdb, &said);
            let mut changed: Vec<usize> = changed.into_iter().map(|no| no.0 as usize).collect();
            changed.sort_unstable();
            prop_assert_eq!(changed, (0..after.len()).filter(|n| before[*n] != after[*n]).collect::<Vec<_>>());
            for n in (0..).take(after.len()).map(CiNo) {
                prop_assert_eq!(health.is_down(n), after[n.0 as usize], "{:?}", n);
                if let Some(group) = health.group(&cmdb, n) {
                    let up = cmdb.members_of(n).filter(|member| !after[member.0 as usize]).count();
                    prop_assert_eq!(group.up as usize, up);
                }
            }
            prop_assert_eq!(&health, &health.over(&cmdb));
        }
    }

    #[test]
    fn the_most_critical_service_known_beforehand_is_the_first_of_all_that_are_carried((edges, min_up, _) in plots()) {
        let cmdb = drawn(&edges, &min_up);
        for no in cmdb.items().map(|ci| ci.no) {
            prop_assert_eq!(cmdb.most_critical_service(no), walk::carried(&cmdb, no).first().copied());
        }
    }

    #[test]
    fn upstream_and_downstream_are_two_views_of_the_same_ways((edges, min_up, steps) in plots()) {
        let cmdb = drawn(&edges, &min_up);
        let mut health = HealthMap::default();
        for (at, _) in steps.iter().filter(|step| step.1) {
            health.add_down(&cmdb, CiNo(u32::try_from(*at).unwrap()));
        }
        let numbers: Vec<CiNo> = cmdb.items().map(|ci| ci.no).collect();
        for from in &numbers {
            let up = walk::upstream(&cmdb, &health, *from);
            for to in &numbers {
                let above = up.iter().find(|reached| reached.ci == *to);
                let below = walk::downstream(&cmdb, &health, *to);
                let below = below.iter().find(|reached| reached.ci == *from);
                prop_assert_eq!(above.map(|reached| reached.hops), below.map(|reached| reached.hops));
                let hops = walk::path(&cmdb, &health, *from, *to);
                prop_assert_eq!(hops.len(), above.map_or(0, |reached| reached.hops as usize));
                prop_assert_eq!(hops, walk::hops(&cmdb, &up, *to));
            }
        }
    }
}
