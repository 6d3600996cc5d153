//! SLA clocks over restarts, sweeps, full logs and changed rules.

use watchkeeper_engine::event::Action;
use watchkeeper_engine::fact::Fact;
use watchkeeper_engine::limits::CLOCK_MARKS_MAX;
use watchkeeper_engine::model::incident;
use watchkeeper_engine::time::{Span, Time};
use watchkeeper_engine::words::{ClockState, JobKind, Reason, Severity, SlaTarget};

use super::{GOLD, SHOP, clock_mails, hold, standing};
use crate::sim::{self, Care, Sim, alert, as_severity, t};

#[test]
fn what_falls_due_while_the_daemon_is_down_is_one_mail() {
    let mut sim = Sim::new(GOLD, SHOP);
    sim.fire(alert("HostDown", "web-1"));
    sim.run("2m");
    sim.mails();
    sim.restart("5h");
    sim.run("0s");
    let mails = sim.mails();
    let [mail] = &mails[..] else { panic!("{mails:#?}") };
    assert_eq!((mail.to.as_str(), mail.reason), ("platform@example.org", Reason::SlaBreached));
    let said = mail.said();
    let shares: Vec<_> = said.clocks.iter().map(|line| (line.target.as_str(), line.reached.clone())).collect();
    assert_eq!(shares, [("response", vec![50, 75, 100]), ("resolution", vec![50, 75, 100])]);
    sim.restart("1h");
    sim.run("1h");
    assert_eq!(clock_mails(&mut sim), [""; 0]);
}

#[test]
fn a_running_clock_keeps_the_terms_that_it_was_attached_with() {
    let mut sim = Sim::new(GOLD, SHOP);
    sim.fire(alert("HostDown", "web-1"));
    sim.run("1m");
    sim.reload(&GOLD.replace("resolution: 4h", "resolution: 1h").replace("name: rest", "name: other"), SHOP);
    sim.run("1m");
    assert_eq!(standing(&sim, "web-1", SlaTarget::Resolution).deadline, Some(sim::start() + Span::hours(4)));
    sim.reload("{}", SHOP);
    sim.restart("1m");
    sim.run("4h");
    assert!(
        clock_mails(&mut sim).contains(&"platform@example.org sla_breached resolution 100".to_owned()),
        "it counts on without its rule"
    );
    // A new incident is measured by what is in force.
    sim.reload(&GOLD.replace("resolution: 8h", "resolution: 1h"), SHOP);
    sim.fire(alert("HostDown", "alone"));
    sim.run("1m");
    assert_eq!(standing(&sim, "alone", SlaTarget::Resolution).deadline, Some(sim.now - Span::minutes(1) + Span::hours(1)));
    assert_eq!(sim.state.terms.len(), 2, "terms are kept once, and only those that count");
}

#[test]
fn of_working_days_without_any_working_time_no_share_is_used_up_before_the_end() {
    // From a closed Saturday morning until the office opens on Monday nobody works.
    let mut sim = Sim::new(&GOLD.replace("P1: {response: 15m, resolution: 4h}", "P1: {resolution: 1bd}"), SHOP);
    sim.run_until(t("2026-03-28T08:00:00+01:00"));
    sim.fire(alert("HostDown", "web-1"));
    sim.run("1h");
    assert_eq!(clock_mails(&mut sim), [""; 0]);
    let deadline = t("2026-03-30T09:00:00+02:00");
    sim.run_until(Time(deadline.0 - 1));
    let found = standing(&sim, "web-1", SlaTarget::Resolution);
    assert_eq!((found.state, found.percent, found.deadline), (ClockState::Running, 0, Some(deadline)));
    assert_eq!(clock_mails(&mut sim), [""; 0]);
    sim.run("1h");
    assert_eq!(clock_mails(&mut sim), ["platform@example.org sla_breached resolution 50,75,100"]);
    assert_eq!(standing(&sim, "web-1", SlaTarget::Resolution).percent, 100);
}

#[test]
fn a_full_log_tells_no_breach_twice_and_keeps_what_the_promise_to_answer_counts_from() {
    let mut sim = Sim::new(GOLD, SHOP);
    sim.fire(alert("HostDown", "web-1"));
    sim.run("16m");
    let id = sim.on("web-1").id;
    for _ in 0..2 {
        sim.command(Action::Resolve { id, words: "reseated".to_owned() });
        sim.command(Action::Reopen { id, words: "no".to_owned() });
        sim.run("16m");
    }
    let told = clock_mails(&mut sim);
    assert_eq!(told.iter().filter(|mail| mail.ends_with("sla_breached response 100")).count(), 3, "{told:#?}");
    let before = standing(&sim, "web-1", SlaTarget::Response);
    for _ in 0..=CLOCK_MARKS_MAX / 2 {
        sim.command(hold(id, "waiting_for_customer"));
        sim.command(Action::Resume { id });
    }
    let incident = &sim.state.incidents[&id];
    assert!((CLOCK_MARKS_MAX - 2..=CLOCK_MARKS_MAX).contains(&incident.log.len()), "it is full and bounded: {}", incident.log.len());
    let after = standing(&sim, "web-1", SlaTarget::Response);
    assert_eq!((after.period, after.start, after.deadline), (2, before.start, before.deadline));
    sim.run("1h");
    let told = clock_mails(&mut sim);
    assert!(!told.iter().any(|mail| mail.contains("response")), "{told:#?}");
    assert_eq!(
        standing(&sim, "web-1", SlaTarget::Resolution).deadline,
        Some(sim::start() + Span::hours(4)),
        "what was forgotten counts as used"
    );
}

#[test]
fn a_sweep_tells_what_a_timer_missed_and_says_so_once() {
    let missed = |sim: &Sim| -> Vec<(Time, Option<Time>)> {
        let one = |fact: &Fact| {
            if let Fact::Incident(incident::Fact::ClockMissed { due_at, armed_for, .. }) = fact {
                Some((*due_at, *armed_for))
            } else {
                None
            }
        };
        sim.facts.iter().filter_map(one).collect()
    };
    let start = sim::start();
    let mut sim = Sim::new(GOLD, SHOP);
    sim.fire(alert("HostDown", "web-1"));
    sim.run("1m");
    let id = sim.on("web-1").id;
    sim.forge(incident::Fact::ClockArmed { id, at: None });
    sim.run("28m");
    assert_eq!((clock_mails(&mut sim), missed(&sim)), (vec![], vec![]), "nothing is said at its time");
    sim.run("1m");
    assert_eq!(clock_mails(&mut sim), ["platform@example.org sla_breached response 50,75,100"], "the sweep at half past says it");
    assert_eq!(missed(&sim), [(start + Span::seconds(450), None)]);
    sim.care = Care::Always;
    sim.check();
    // One that is armed for too late a time is seen before it is late.
    sim.forge(incident::Fact::ClockArmed { id, at: Some(start + Span::hours(9)) });
    sim.run("1h");
    assert_eq!(missed(&sim)[1..], [(start + Span::hours(2), Some(start + Span::hours(9)))]);
    assert_eq!(clock_mails(&mut sim), [""; 0]);
    sim.care = Care::Always;
    sim.check();
    assert!(sim::timeline(&sim, id).iter().any(|line| line.starts_with("a sweep found")));
    sim.run("5h");
    assert_eq!(clock_mails(&mut sim).len(), 3, "two warnings and the breach of the resolution");
    assert_eq!(missed(&sim).len(), 2);
}

#[test]
fn a_sweep_finds_nothing_where_timers_do_their_work() {
    let mut sim = Sim::new(GOLD, SHOP);
    sim.fire(alert("HostDown", "web-1"));
    sim.fire(as_severity(Severity::Error, alert("HostDown", "alone")));
    sim.run("5m");
    let id = sim.on("web-1").id;
    sim.command(hold(id, "waiting_for_customer"));
    sim.run("30m");
    // The sweep was due first, and then what fell due while the daemon was down.
    sim.restart("9h");
    sim.run("0s");
    sim.command(Action::Resume { id });
    sim.run("9h");
    sim.command(Action::Resolve { id, words: "reseated".to_owned() });
    sim.run("1d");
    let job = &sim.state.jobs[&(JobKind::SlaSweep, "clocks".to_owned())];
    assert!(job.last.is_some_and(|run| sim.now - run.at < Span::minutes(61)), "{job:?}");
    let missed = sim.facts.iter().filter(|fact| matches!(fact, Fact::Incident(incident::Fact::ClockMissed { .. })));
    assert_eq!(missed.count(), 0);
    assert!(sim.state.cursors.is_empty());
    sim.check();
    sim.reload("{}", SHOP);
    assert!(!sim.state.jobs.contains_key(&(JobKind::SlaSweep, "clocks".to_owned())), "without SLAs there is nothing to look for");
}
