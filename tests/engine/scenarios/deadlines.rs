//! Deadlines of SLA clocks equal vectors that another program counted minute by minute, by the log alone and through the whole engine.

use std::collections::BTreeMap;

use watchkeeper_engine::event::Action;
use watchkeeper_engine::model::incident::clock::{LiveTerms, Mark, Moved, Run};
use watchkeeper_engine::policy::slas::Terms;
use watchkeeper_engine::time::{Span, Time};
use watchkeeper_engine::words::{ClockState, Priority, Reason, SlaTarget};

use super::clocks::{SHOP, hold, standing};
use crate::sim::{self, Sim, alert, t};

/// The terms of a vector: its hours, its targets, a pause by waiting for the customer.
fn terms(vector: &serde_json::Value) -> Terms {
    let targets: Vec<String> = vector["targets"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(priority, within)| format!("{priority}: {{resolution: {}}}", within.as_str().unwrap()))
        .collect();
    let rules = format!(
        "calendars: {{c: {{zone: {}, open: {}, closed: {}}}}}\nslas: [{{name: x, calendar: c, targets: {{{}}}, pause: waiting_for_customer, warn_at: [50%, 75%]}}]\n",
        vector["zone"].as_str().unwrap(),
        vector["open"],
        vector["closed"],
        targets.join(", ")
    );
    sim::policy(&rules).slas[0].terms.clone()
}

fn log(vector: &serde_json::Value) -> Vec<Mark> {
    let mut log = Vec::new();
    for event in vector["events"].as_array().unwrap() {
        let at = t(event[0].as_str().unwrap());
        if log.is_empty() {
            log.push(Mark { at, what: Moved::Started });
        }
        let what = match event[1].as_str().unwrap() {
            "hold" => Moved::Held("waiting_for_customer".to_owned()),
            "resume" => Moved::Resumed,
            priority => Moved::Rated(Priority::from_word(priority).unwrap()),
        };
        log.push(Mark { at, what });
    }
    log
}

/// Counted minute by minute by another program, `deadlines.py` beside the vectors.
#[test]
fn deadlines_equal_the_independent_vectors() {
    let vectors: Vec<serde_json::Value> = serde_json::from_str(include_str!("../../fixtures/sla/deadlines.json")).unwrap();
    assert_eq!(vectors.len(), 50);
    for vector in &vectors {
        let terms = LiveTerms::new(terms(vector));
        let run = Run::of(&log(vector), 0, &terms.record, SlaTarget::Resolution).unwrap();
        assert_eq!(run.allowance.to_string(), vector["allowance"].as_str().unwrap(), "{vector}");
        let calendar = terms.calendar(run.allowance);
        for (percent, key) in [(100, "deadline"), (50, "at_50"), (75, "at_75")] {
            assert_eq!(run.reaches(calendar, percent), vector[key].as_str().map(t), "{key} of {vector}");
        }
        // What is used at the deadline is what is allowed, and the millisecond before it is not broken.
        let deadline = run.reaches(calendar, 100).unwrap();
        let (before, at) = (run.standing(calendar, false, Time(deadline.0 - 1)), run.standing(calendar, false, deadline));
        assert_eq!((at.state, at.percent, at.left), (ClockState::Breached, 100, Span::ZERO), "{vector}");
        assert_eq!((before.state, before.percent), (ClockState::Running, 99), "{vector}");
    }
}

/// The same through the whole engine: alerts, commands and timers at their moments, and each share told at its own.
#[test]
fn the_engine_tells_each_share_at_the_moment_of_the_vectors() {
    let vectors: Vec<serde_json::Value> = serde_json::from_str(include_str!("../../fixtures/sla/deadlines.json")).unwrap();
    for vector in vectors.iter().filter(|vector| vector["events"][0][0].as_str().unwrap() > "2026-03-24T10") {
        let record = terms(vector);
        let targets: Vec<String> =
            record.targets.iter().map(|target| format!("{}: {{resolution: {}}}", target.priority, target.allowance)).collect();
        let rules = format!(
            "calendars: {{c: {{zone: {}, open: {}, closed: {}}}}}\nslas: [{{name: x, calendar: c, targets: {{{}}}, pause: waiting_for_customer, warn_at: [50%, 75%]}}]\nnotify: [{{name: all, to: owner}}]\n",
            vector["zone"].as_str().unwrap(),
            vector["open"],
            vector["closed"],
            targets.join(", ")
        );
        // Rules come into force when it begins, so that no sweeps run for months before.
        let mut sim = Sim::quick("{}", SHOP);
        sim.run_until(t(vector["events"][0][0].as_str().unwrap()));
        sim.reload(&rules, SHOP);
        let mut told: BTreeMap<u32, Time> = BTreeMap::new();
        for (at, event) in
            vector["events"].as_array().unwrap().iter().map(|event| (t(event[0].as_str().unwrap()), event[1].as_str().unwrap()))
        {
            sim.run_until(at);
            if sim.open().is_empty() {
                sim.fire(alert("HostDown", "web-1"));
            }
            let id = sim.on("web-1").id;
            match event {
                "hold" => drop(sim.command(hold(id, "waiting_for_customer"))),
                "resume" => drop(sim.command(Action::Resume { id })),
                priority => {
                    drop(sim.command(Action::SetPriority { id, priority: Priority::from_word(priority).unwrap(), words: String::new() }))
                }
            }
        }
        sim.run_until(vector["deadline"].as_str().map(t).unwrap() + Span::hours(1));
        for mail in sim.mails().iter().filter(|mail| matches!(mail.reason, Reason::SlaWarning | Reason::SlaBreached)) {
            for share in &mail.said().clocks[0].reached {
                assert!(told.insert(*share, mail.planned_at).is_none(), "{share} % is told once: {vector}");
            }
        }
        assert_eq!(told.keys().copied().collect::<Vec<_>>(), [50, 75, 100], "{vector}");
        let rated: Vec<Time> = log(vector).iter().filter(|mark| matches!(mark.what, Moved::Rated(_))).map(|mark| mark.at).collect();
        let (last_rated, rerated) = (*rated.last().unwrap(), rated.len() > 1);
        for (share, key) in [(50, "at_50"), (75, "at_75"), (100, "deadline")] {
            let Some(expected) = vector[key].as_str().map(t) else { continue };
            // What an earlier priority had used up was told by that one, and what the last has used up already is told when it comes.
            if expected > last_rated && (!rerated || told[&share] > last_rated) {
                assert_eq!(told[&share], expected, "{key} of {vector}");
            }
        }
        assert_eq!(standing(&sim, "web-1", SlaTarget::Resolution).deadline, vector["deadline"].as_str().map(t), "{vector}");
    }
}
