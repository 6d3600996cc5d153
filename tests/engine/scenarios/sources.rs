//! What several sources, repeats and timeouts make of one alert: Alertmanager's merge, case by case.

use watchkeeper_engine::ids::AlertId;
use watchkeeper_engine::input::AlertInput;
use watchkeeper_engine::text::Labels;
use watchkeeper_engine::time::{Span, Time};
use watchkeeper_engine::words::AlertState;

use crate::sim::{Sim, alert, d, start};

const NONE: &str = "items: []";

/// Something pushed to Alertmanager's API: at a second, active from one second, perhaps to another, with an annotation.
struct Push(i64, i64, Option<i64>, &'static str);

fn at(second: i64) -> Time {
    start() + Span::seconds(second)
}

fn push(sim: &mut Sim, push: &Push) -> Option<AlertId> {
    let Push(when, from, to, note) = push;
    sim.run_until(at(*when));
    let input =
        AlertInput { starts_at: Some(at(*from)), ends_at: to.map(at), annotations: Labels::from([("note", *note)]), ..alert("Test", "a") };
    match sim.send(vec![input])[..] {
        [watchkeeper_engine::event::Taken::Alert(id)] => Some(id),
        _ => None,
    }
}

/// From when to when the source says that it fires, in seconds, after some pushes.
fn window(pushes: &[Push]) -> (i64, i64) {
    let mut sim = Sim::new("{}", NONE);
    let id = pushes.iter().filter_map(|one| push(&mut sim, one)).last().unwrap();
    let says = sim.state.cell(id).unwrap().vitals.sources[0];
    ((says.starts_at - start()).0 / 1_000, (says.ends_at - start()).0 / 1_000)
}

/// Alertmanager's resolve timeout, in seconds.
const TIMEOUT: i64 = 300;

#[test]
fn windows_that_overlap_become_one_and_others_are_another_occurrence() {
    // Its acceptance test of merging, with seconds of ours.
    let cases: &[(&[Push], (i64, i64))] = &[
        (&[Push(10, 10, None, "")], (10, 10 + TIMEOUT)),
        // An earlier start counts, whenever it is said.
        (&[Push(10, 11, None, ""), Push(12, 10, None, "")], (10, 12 + TIMEOUT)),
        // A later one that overlaps does not.
        (&[Push(10, 10, None, ""), Push(21, 20, None, "")], (10, 21 + TIMEOUT)),
        // An end overlaps: the whole is over then.
        (&[Push(10, 10, None, ""), Push(46, 30, Some(45), "")], (10, 45)),
        // Of two ends the later one counts, in whichever order.
        (&[Push(10, 10, None, ""), Push(48, 29, Some(48), ""), Push(49, 29, Some(41), "")], (10, 48)),
        (&[Push(10, 10, None, ""), Push(48, 29, Some(41), ""), Push(49, 29, Some(48), "")], (10, 48)),
        // What begins after the end is another occurrence.
        (&[Push(10, 10, None, ""), Push(48, 29, Some(48), ""), Push(53, 50, None, "")], (50, 53 + TIMEOUT)),
        // An explicit end to come outlives a shorter one, a timeout does not.
        (&[Push(10, 10, Some(500), ""), Push(20, 10, Some(100), ""), Push(30, 15, Some(90), "")], (10, 500)),
        (&[Push(10, 10, Some(500), ""), Push(20, 15, Some(100), "")], (10, 500)),
        (&[Push(10, 10, None, ""), Push(20, 15, Some(100), "")], (10, 100)),
        // It outlives one refresh without an end, and is one without an end from then on.
        (&[Push(10, 10, Some(900), ""), Push(20, 15, None, "")], (10, 900)),
        (&[Push(10, 10, Some(900), ""), Push(20, 15, None, ""), Push(30, 16, None, "")], (10, 30 + TIMEOUT)),
    ];
    for (pushes, expected) in cases {
        let said: Vec<(i64, i64, Option<i64>)> = pushes.iter().map(|Push(at, from, to, _)| (*at, *from, *to)).collect();
        assert_eq!(window(pushes), *expected, "after {said:?}");
    }
}

#[test]
fn the_newest_annotations_count() {
    let mut sim = Sim::new("{}", NONE);
    let pushes = [Push(10, 10, None, "v1"), Push(21, 20, None, "v2"), Push(36, 15, None, "v3")];
    let id = pushes.iter().filter_map(|one| push(&mut sim, one)).last().unwrap();
    assert_eq!(sim.state.cell(id).unwrap().alert.said.annotations.get("note"), "v3");
}

#[test]
fn a_start_in_the_future_fires_at_once_and_is_dated_when_it_was_heard() {
    let mut sim = Sim::new("{}", NONE);
    let id = push(&mut sim, &Push(10, 90, None, "")).unwrap();
    let alert = &sim.state.cell(id).unwrap().alert;
    assert_eq!((alert.state, alert.started_at), (AlertState::Firing, at(10)));
}

#[test]
fn an_alert_without_an_end_clears_five_minutes_after_it_was_last_heard() {
    let mut sim = Sim::new("{}", NONE);
    let heard = || AlertInput { ends_at: None, ..alert("Test", "a") };
    let id = sim.fire(heard());
    for _ in 0..10 {
        sim.run("4m59s");
        sim.fire(heard());
    }
    sim.run("4m59s");
    assert_eq!(sim.state.cell(id).unwrap().alert.state, AlertState::Firing);
    sim.run("1s");
    assert_eq!(sim.state.cell(id).unwrap().alert.state, AlertState::Cleared);
    assert_eq!(sim.state.cell(id).unwrap().alert.occurrence, 1);
}

#[test]
fn prometheus_pushing_an_end_ahead_of_itself_keeps_an_alert_alive_until_it_stops() {
    let mut sim = Sim::new("{}", NONE);
    let began = sim.now;
    for _ in 0..30 {
        let input = AlertInput { starts_at: Some(began), ends_at: Some(sim.now + d("4m")), ..alert("Test", "a") };
        sim.fire(input);
        sim.run("1m");
    }
    assert_eq!(sim.state.alert_count(), 1);
    assert_eq!(sim.open().len(), 1);
    sim.run("3m");
    assert!(sim.state.alerts().all(|cell| cell.alert.state == AlertState::Cleared));
}

#[test]
fn what_was_over_before_it_was_known_is_nothing() {
    let mut sim = Sim::new("{}", NONE);
    assert_eq!(push(&mut sim, &Push(60, 10, Some(30), "")), None);
    assert_eq!((sim.state.alert_count(), sim.open().len()), (0, 0));
}

#[test]
fn an_alert_with_a_key_is_one_by_its_key_whatever_its_labels_say() {
    let mut sim = Sim::new("{}", NONE);
    let keyed = |source: &str, floor: &str| AlertInput {
        source: source.to_owned(),
        key: "17".to_owned(),
        labels: Labels::from([("floor", floor)]),
        ..alert("Fire", "")
    };
    let first = sim.fire(keyed("building", "1"));
    assert_eq!(sim.fire(keyed("building", "2")), first);
    assert_ne!(sim.fire(keyed("other", "1")), first, "a key means something at its source only");
}

#[test]
fn sixteen_sources_of_one_alert_end_it_only_together() {
    let mut sim = Sim::new("{}", NONE);
    let from = |n: usize| AlertInput { source: format!("prom-{n}"), ..alert("Test", "a") };
    let id = sim.fire(from(0));
    for n in 1..16 {
        sim.fire(from(n));
    }
    for n in 0..15 {
        sim.clear(from(n));
    }
    assert_eq!(sim.state.cell(id).unwrap().alert.state, AlertState::Firing);
    sim.clear(from(15));
    assert_eq!(sim.state.cell(id).unwrap().alert.state, AlertState::Cleared);
}
