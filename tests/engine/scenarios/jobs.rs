//! Jobs by schedule: lists that go out by their own clock, once for what was missed, over reloads and starts.

use watchkeeper_engine::event::Event;
use watchkeeper_engine::model::job::{Job, Run};
use watchkeeper_engine::model::system;
use watchkeeper_engine::model::timer::Aside;
use watchkeeper_engine::time::Span;
use watchkeeper_engine::words::{AlertState, JobKind, Severity};

use crate::sim::{Care, Sim, alert, as_severity, t};

const ITEMS: &str = "
teams: [{id: platform, mail: [platform@example.org], zone: Europe/Berlin}]
items: [{id: a, owner: platform}, {id: b, owner: platform}]
";

/// What can wait goes into a list of this schedule in Berlin; the rest goes at once.
fn listed(cron: &str) -> String {
    format!(
        r#"notify:
  - {{name: page, when: 'incident.priority in ["P1", "P2", "P3"]', to: [owner]}}
  - {{name: rest, when: 'incident.priority in ["P4", "P5"]', to: [owner], digest: {{cron: "{cron}", zone: Europe/Berlin}}}}
"#
    )
}

fn waits(sim: &mut Sim, item: &str) {
    sim.fire(as_severity(Severity::Warning, alert("DiskFilling", item)));
    sim.run("5m");
    assert_eq!(sim.mails(), [], "{item} can wait");
}

fn job<'a>(sim: &'a Sim, name: &str) -> Option<&'a Job> {
    sim.state.jobs.get(&(JobKind::Digest, name.to_owned()))
}

#[test]
fn a_list_with_a_schedule_of_its_own_goes_out_by_that() {
    // The scenario begins on Tuesday.
    let mut sim = Sim::new(&listed("30 9 * * fri"), ITEMS);
    waits(&mut sim, "a");
    sim.run_until(t("2026-03-27T09:29:59+01:00"));
    assert_eq!(sim.mails(), []);
    sim.run_until(t("2026-03-27T09:30:00+01:00"));
    let mails = sim.mails();
    let [list] = &mails[..] else { panic!("{mails:#?}") };
    assert_eq!((list.to.as_str(), list.subject.as_str()), ("platform@example.org", "List rest: 1 open, 0 over (platform)"));
    assert_eq!(job(&sim, "rest").unwrap().due_at, t("2026-04-03T09:30:00+02:00"), "the clock was put forward between");
    sim.run("8d");
    assert_eq!(sim.mails(), [], "nothing new, no list");
}

#[test]
fn what_was_missed_while_the_daemon_was_down_is_done_once_and_says_for_which_instants() {
    let mut sim = Sim::new(&listed("0 8 * * *"), ITEMS);
    waits(&mut sim, "a");
    waits(&mut sim, "b");
    sim.restart("3d");
    sim.run("1s");
    let mails = sim.mails();
    let [list] = &mails[..] else { panic!("{mails:#?}") };
    assert_eq!(list.said().lines.len(), 2);
    let run =
        Run { at: sim.now - Span::seconds(1), first: t("2026-03-25T08:00:00+01:00"), last: t("2026-03-27T08:00:00+01:00"), instants: 3 };
    assert_eq!(job(&sim, "rest").unwrap().last, Some(run));
    assert_eq!(job(&sim, "rest").unwrap().due_at, t("2026-03-28T08:00:00+01:00"));
    // And not again, however often the daemon starts.
    for _ in 0..3 {
        sim.restart("1m");
        sim.run("1m");
    }
    assert_eq!(sim.mails(), []);
    assert_eq!(job(&sim, "rest").unwrap().last, Some(run));
}

#[test]
fn a_list_that_was_begun_follows_its_rule_to_another_schedule_and_is_sent_when_the_rule_is_gone() {
    let mut sim = Sim::new(&listed("0 8 * * *"), ITEMS);
    waits(&mut sim, "a");
    sim.reload(&listed("0 18 * * *"), ITEMS);
    sim.run_until(t("2026-03-24T17:59:59+01:00"));
    assert_eq!(sim.mails(), []);
    sim.run_until(t("2026-03-24T18:00:00+01:00"));
    assert_eq!(sim.mails().len(), 1);
    assert!(job(&sim, "rest").unwrap().last.is_some());

    waits(&mut sim, "b");
    sim.reload("notify: [{name: page, to: [owner], send: [raised]}]", ITEMS);
    assert!(job(&sim, "rest").is_some(), "a list waits for it");
    assert!(job(&sim, "morning (Europe/Berlin)").is_none(), "nobody wants it");
    sim.run("1d");
    assert_eq!(sim.mails().len(), 1);
    assert!(job(&sim, "rest").is_none(), "nobody wants it any more");
    sim.check();
}

#[test]
fn the_morning_comes_to_each_reader_in_their_own_zone() {
    let items = "
teams:
  - {id: platform, mail: [platform@example.org], zone: Europe/Berlin}
  - {id: tokyo, mail: [tokyo@example.org], zone: Asia/Tokyo}
  - {id: nowhere, mail: [nowhere@example.org]}
items: [{id: a, owner: platform}, {id: b, owner: tokyo}, {id: c, owner: nowhere}]
";
    let mut sim = Sim::new("{}", items);
    for item in ["a", "b", "c"] {
        waits(&mut sim, item);
    }
    for (instant, reader) in [
        ("2026-03-25T08:00:00+09:00", "tokyo@example.org digest"),
        ("2026-03-25T08:00:00+01:00", "platform@example.org digest"),
        ("2026-03-25T08:00:00+00:00", "nowhere@example.org digest"),
    ] {
        sim.run_until(t(instant) - Span::seconds(1));
        assert_eq!(sim.mails(), []);
        sim.run_until(t(instant));
        assert_eq!(sim.mail_words(), [reader]);
    }
}

#[test]
fn a_timer_that_is_passed_over_stays_so_over_starts_until_another_release_comes() {
    let mut sim = Sim::new("{}", ITEMS);
    sim.fire(alert("HostDown", "a"));
    sim.pass_over_at("2026-03-24T10:00:30+01:00", "Notify(IncidentId(1))");
    sim.run("10m");
    sim.restart("1m");
    sim.run("10m");
    assert_eq!(sim.mails(), []);
    // What is armed for another time is another timer.
    let other = sim.fire(alert("HostDown", "b"));
    sim.run("10m");
    assert_eq!(
        (sim.state.cell(other).unwrap().alert.incident.is_some(), sim.mail_words()),
        (true, vec!["platform@example.org opened".to_owned()])
    );
    for aside in sim.state.system.aside().values().cloned().collect::<Vec<_>>() {
        let release = "0.0.1".to_owned();
        sim.forge(system::Fact::TimerSetAside { aside: Aside { release, ..aside } });
    }
    sim.care = Care::Always;
    sim.event(Event::Started);
    sim.run("1s");
    assert_eq!(sim.mail_words(), ["platform@example.org opened"]);
    assert!(sim.state.system.aside().is_empty());
}

#[test]
fn a_job_that_is_passed_over_runs_the_next_time() {
    let mut sim = Sim::new(&listed("0 8 * * *"), ITEMS);
    waits(&mut sim, "a");
    sim.pass_over_at("2026-03-25T08:00:00+01:00", "digest rest");
    sim.run("23h");
    assert_eq!(sim.mails(), []);
    sim.run("1h");
    assert_eq!(sim.mail_words(), ["platform@example.org digest"]);
}

#[test]
fn queued_work_that_is_passed_over_goes_on_behind_its_slice() {
    let mut sim = Sim::quick("{}", ITEMS);
    sim.send((0..2_500).map(|n| alert("HostDown", &format!("h{n}"))).collect());
    sim.run("1m");
    sim.reload("silences: [{name: all, matchers: ['alertname=\"HostDown\"']}]", ITEMS);
    let now = sim.now.rfc3339();
    sim.pass_over_at(&now, "Judge(All) from 0.1001");
    sim.run("1m");
    let muted: Vec<u64> =
        sim.state.alerts().filter(|cell| cell.alert.state == AlertState::Suppressed).map(|cell| cell.alert.id.0).collect();
    assert_eq!((muted.len(), muted[999], muted[1_000]), (1_500, 1_000, 2_001), "the slice that stopped the daemon is left as it is");
    sim.check();
}
