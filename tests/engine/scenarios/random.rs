//! Whatever happens in whichever order: the invariants of the simulation hold after every event.

use proptest::prelude::*;

use watchkeeper_engine::command::ProblemCommand;
use watchkeeper_engine::event::{Action, Event, Lasts};
use watchkeeper_engine::ids::{AlertId, IncidentId, SilenceId};
use watchkeeper_engine::input::AlertInput;
use watchkeeper_engine::model::silence::StoredMatcher;
use watchkeeper_engine::text::Labels;
use watchkeeper_engine::time::{Span, Time};
use watchkeeper_engine::words::{AlertState, Priority, Severity};

use crate::sim::{Sim, alert};

/// Two hops, a group, a service on it, a cycle, and a machine outside production.
const ITEMS: &str = "
people: [{id: anna, mail: [anna@example.org]}]
teams: [{id: network, mail: [net@example.org], lead: anna}, {id: platform, mail: [platform@example.org], zone: Europe/Berlin}]
items:
  - {id: core, class: router, owner: network, criticality: high}
  - {id: sw, class: switch, owner: network, relations: [{depends_on: core}]}
  - {id: a, class: host, owner: platform, relations: [{depends_on: sw}, {member_of: pool}]}
  - {id: b, class: host, owner: platform, relations: [{depends_on: sw}, {member_of: pool}]}
  - {id: c, class: host, owner: platform, relations: [{member_of: pool}]}
  - {id: pool, class: cluster, owner: platform, min_up: 2}
  - {id: shop, class: service, owner: platform, criticality: high, stakeholders: [desk@example.org], relations: [{runs_on: pool}]}
  - {id: x, class: app, owner: platform, relations: [{depends_on: y}]}
  - {id: y, class: app, owner: platform, relations: [{depends_on: x}]}
  - {id: stage, class: host, owner: platform, environment: staging, relations: [{depends_on: sw}]}
";

const RULES: [&str; 2] = [
    "
correlate:
  - {name: device, matchers: ['alertname=\"DeviceDown\"'], means: down, for: 30s, reopen_within: 1h}
  - {name: app, when: ci.class == \"app\", means: down, group_by: [rule, ci], join_within: 10m, close_after: 6h}
problems:
  - {name: again, same: ci, incidents: 2, within: 3d, quiet_after_fix: 2d}
  - {name: kind, same: [rule, alert.name], incidents: 3, within: 1d, quiet_after_fix: 1h}
notify:
  - {name: page, when: 'incident.priority in [\"P1\", \"P2\"]', to: [owner, lead], send: [opened, reopened, raised, released, resolved, acknowledged, affected]}
  - {name: rest, when: 'incident.priority in [\"P3\", \"P4\", \"P5\"]', to: [owner], digest: morning}
  - {name: desk, when: incident.priority == \"P1\", to: [stakeholders], send: [opened, resolved]}
",
    "
silences: [{name: b-is-old, when: ci.id == \"b\"}]
correlate: [{name: staging, when: ci.environment == \"staging\", action: record}]
notify:
  - {name: page, when: 'incident.priority in [\"P1\", \"P2\"]', to: [owner]}
  - {name: rest, when: 'incident.priority in [\"P3\", \"P4\", \"P5\"]', to: [owner], digest: {cron: \"30 7,19 * * *\", zone: Asia/Tokyo}}
",
];

const NAMES: [&str; 4] = ["DeviceDown", "HostDown", "Slow", "DiskFull"];
const PLACES: [&str; 12] = ["core", "sw", "a", "b", "c", "pool", "shop", "x", "y", "stage", "ghost", "GHOST"];

/// One thing that happens. Numbers are taken modulo what there is.
#[derive(Debug, Clone)]
enum Op {
    Fire { name: usize, place: usize, severity: usize, source: usize, lasts: usize },
    Clear { name: usize, place: usize, source: usize },
    Wait { seconds: i64 },
    Incident { which: usize, what: usize },
    Problem { which: usize, what: usize },
    Detach { which: usize },
    Silence { place: usize, minutes: i64 },
    Expire { which: u64 },
    Reload { which: usize },
    Restart { seconds: i64 },
    Deliver { which: usize, well: bool },
}

fn op() -> impl Strategy<Value = Op> {
    let waits = prop_oneof![0..5i64, 5..60i64, 60..1_000i64, 1_000..20_000i64, Just(4 * 86_400i64)];
    prop_oneof![
        8 => (0..NAMES.len(), 0..PLACES.len(), 0..5usize, 0..2usize, 0..3usize)
            .prop_map(|(name, place, severity, source, lasts)| Op::Fire { name, place, severity, source, lasts }),
        5 => (0..NAMES.len(), 0..PLACES.len(), 0..2usize).prop_map(|(name, place, source)| Op::Clear { name, place, source }),
        6 => waits.clone().prop_map(|seconds| Op::Wait { seconds }),
        3 => (0..8usize, 0..10usize).prop_map(|(which, what)| Op::Incident { which, what }),
        2 => (0..4usize, 0..7usize).prop_map(|(which, what)| Op::Problem { which, what }),
        1 => (0..8usize).prop_map(|which| Op::Detach { which }),
        1 => (0..PLACES.len(), 1..300i64).prop_map(|(place, minutes)| Op::Silence { place, minutes }),
        1 => (1..4u64).prop_map(|which| Op::Expire { which }),
        1 => (0..2usize).prop_map(|which| Op::Reload { which }),
        1 => waits.prop_map(|seconds| Op::Restart { seconds }),
        1 => (0..8usize, any::<bool>()).prop_map(|(which, well)| Op::Deliver { which, well }),
    ]
}

fn input(name: usize, place: usize, source: usize) -> AlertInput {
    AlertInput { source: format!("prom-{source}"), ..alert(NAMES[name], PLACES[place]) }
}

fn perform(sim: &mut Sim, op: &Op) {
    match *op {
        Op::Fire { name, place, severity, source, lasts } => {
            let ends_at = [None, Some(Time::NEVER), Some(sim.now + Span::minutes(4))][lasts];
            sim.send(vec![AlertInput { severity: Severity::ALL[severity], ends_at, ..input(name, place, source) }]);
        }
        Op::Clear { name, place, source } => sim.clear(input(name, place, source)),
        Op::Wait { seconds } => sim.run_until(sim.now + Span::seconds(seconds)),
        Op::Incident { which, what } => {
            let ids: Vec<IncidentId> = sim.state.incidents.keys().copied().collect();
            let Some(id) = ids.get(which % ids.len().max(1)).copied() else { return };
            let words = "so it is".to_owned();
            let action = match what {
                0 => Action::Acknowledge { id },
                1 => Action::Assign { id, to: "bert".to_owned() },
                2 => Action::Note { id, text: words },
                3 => Action::Hold { id, reason: "waiting_for_vendor".to_owned(), until: Some(sim.now + Span::hours(1)) },
                4 => Action::Resume { id },
                5 => Action::Reopen { id, words },
                6 => Action::Close { id },
                7 => Action::SetPriority { id, priority: Priority::P1, words },
                _ => Action::Resolve { id, words },
            };
            sim.command(action);
        }
        Op::Problem { which, what } => {
            let ids: Vec<_> = sim.state.problems.keys().copied().collect();
            let Some(id) = ids.get(which % ids.len().max(1)).copied() else { return };
            let words = "so it is".to_owned();
            let act = match what {
                0 => ProblemCommand::Assign { to: "bert".to_owned() },
                1 => ProblemCommand::Note { text: words },
                2 => ProblemCommand::Investigate {},
                3 => ProblemCommand::KnownError { workaround: words },
                4 => ProblemCommand::Fix { words },
                5 => ProblemCommand::Close { words },
                _ => ProblemCommand::Resolve { words },
            };
            sim.command(Action::Problem { id, act });
        }
        Op::Detach { which } => {
            let within: Vec<(IncidentId, AlertId)> =
                sim.state.alerts().filter_map(|cell| Some((cell.alert.incident?, cell.alert.id))).collect();
            let Some((id, alert)) = within.get(which % within.len().max(1)).copied() else { return };
            sim.command(Action::Detach { id, alert });
        }
        Op::Silence { place, minutes } => {
            let matcher = StoredMatcher { name: "instance".to_owned(), value: PLACES[place].to_owned(), is_regex: false, is_equal: true };
            let (starts_at, ends_at) = (sim.now, sim.now + Span::minutes(minutes));
            sim.command(Action::SetSilence {
                id: None,
                matchers: vec![matcher],
                starts_at,
                ends_at,
                comment: String::new(),
                annotations: Labels::default(),
            });
        }
        Op::Expire { which } => {
            sim.command(Action::ExpireSilence { id: SilenceId(which) });
        }
        Op::Reload { which } => sim.reload(RULES[which], ITEMS),
        Op::Restart { seconds } => sim.restart_after(Span::seconds(seconds)),
        Op::Deliver { which, well } => {
            let ids: Vec<_> = sim.state.messages.keys().copied().collect();
            let Some(id) = ids.get(which % ids.len().max(1)).copied() else { return };
            sim.event(Event::Rendered { id, bytes: b"x".to_vec(), fallback: String::new() });
            sim.event(match well {
                true => Event::Delivered { id },
                false => Event::DeliveryFailed { id, error: "refused".to_owned(), lasts: Lasts::ForNow },
            });
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_invariants_hold_and_all_of_it_ends(ops in prop::collection::vec(op(), 1..60)) {
        let mut sim = Sim::quick(RULES[0], ITEMS);
        for op in &ops {
            perform(&mut sim, op);
            sim.check();
            for incident in sim.open() {
                let fires = sim.state.alerts_in(incident.id).any(|cell| cell.alert.state == AlertState::Firing);
                let is_due = incident.notify_at.is_none() && fires;
                prop_assert!(!is_due || !incident.told.is_empty(), "nobody was told of {} on {}", incident.id, incident.item);
            }
        }
        // Everything clears, every silence ends: a week later nothing is left but messages that nobody delivered.
        for name in 0..NAMES.len() {
            for place in 0..PLACES.len() {
                for source in 0..2 {
                    sim.clear(input(name, place, source));
                }
            }
        }
        sim.run("1h");
        // What was reopened by hand stays open until somebody says that it is over.
        let open: Vec<IncidentId> = sim.open().iter().filter(|incident| incident.reopened_at.is_some()).map(|incident| incident.id).collect();
        for id in open {
            sim.command(Action::Resolve { id, words: String::new() });
        }
        sim.run("14d");
        sim.check();
        let left: Vec<String> = sim.said();
        prop_assert!(left.is_empty(), "{left:#?}");
        prop_assert_eq!((sim.state.alert_count(), sim.state.incidents.members().len(), sim.state.digests.len()), (0, 0, 0));
    }
}
