//! Problems: what keeps coming back is one problem with its outages, whatever hangs off them, and a fix is believed after a quiet time.

use watchkeeper_engine::command::ProblemCommand;
use watchkeeper_engine::event::{Action, Obeyed};
use watchkeeper_engine::fact::Fact as AnyFact;
use watchkeeper_engine::ids::{IncidentId, ProblemId};
use watchkeeper_engine::model::problem::{Fact, Outage, Problem};
use watchkeeper_engine::time::{Span, Time};
use watchkeeper_engine::words::ProblemState;

use crate::sim::{Care, Sim, alert};

const ITEMS: &str = "
teams: [{id: network, mail: [net@example.org]}, {id: platform, mail: [platform@example.org]}]
items:
  - {id: sw-1, class: switch, owner: network, criticality: high}
  - {id: db-1, class: host, owner: platform, relations: [{depends_on: sw-1}]}
  - {id: db-2, class: host, owner: platform, relations: [{depends_on: sw-1}]}
";

const RULES: &str = "
correlate: [{name: any, reopen_within: 10m, close_after: 2h}]
problems: [{name: again, same: [rule, ci], incidents: 3, within: 7d, quiet_after_fix: 14d}]
";

fn outage(sim: &mut Sim, item: &str) {
    sim.fire(alert("HostDown", item));
    sim.run("10m");
    sim.clear(alert("HostDown", item));
    sim.run("1d");
}

fn problems(sim: &Sim) -> Vec<String> {
    let one = |problem: &Problem| {
        let outages: Vec<String> = problem.outages.iter().map(|outage| outage.incident.0.to_string()).collect();
        format!("{} {} {} of {}", problem.id, problem.state, problem.title, outages.join(" "))
    };
    sim.state.problems.values().map(one).collect()
}

fn mails(sim: &mut Sim) -> Vec<String> {
    let mails = sim.mails();
    mails.iter().filter(|mail| mail.problem.is_some()).map(|mail| format!("{} {} {}", mail.to, mail.reason, mail.subject)).collect()
}

fn act(sim: &mut Sim, act: ProblemCommand) -> Obeyed {
    sim.command(Action::Problem { id: ProblemId(1), act })
}

#[test]
fn the_third_outage_within_a_week_is_a_problem_and_the_fourth_is_one_more_of_it() {
    let mut sim = Sim::new(RULES, ITEMS);
    outage(&mut sim, "db-1");
    outage(&mut sim, "db-2");
    outage(&mut sim, "db-1");
    assert_eq!((problems(&sim), mails(&mut sim)), (vec![], vec![]), "two of one and one of another");
    sim.restart("1h");
    outage(&mut sim, "db-1");
    assert_eq!(problems(&sim), ["PRB0000001 new HostDown on db-1 of 1 3 4"]);
    assert_eq!(mails(&mut sim), ["platform@example.org problem_opened Problem: HostDown on db-1, 3 times in 7 d [PRB0000001]"]);
    let lasted: Vec<bool> = sim.state.problems[&ProblemId(1)].outages.iter().map(|outage| outage.ended.is_some()).collect();
    assert_eq!(lasted, [true; 3], "the end of each is known, of closed ones too");
    sim.fire(alert("HostDown", "db-1"));
    sim.run("10m");
    assert_eq!(problems(&sim), ["PRB0000001 new HostDown on db-1 of 1 3 4 5"]);
    assert_eq!(mails(&mut sim), [""; 0], "who knows of a problem is told of the outage, and not of the problem again");
    assert_eq!(sim.state.incidents[&IncidentId(5)].problem, Some(ProblemId(1)));
}

#[test]
fn commands_recurrences_and_the_quiet_time_of_a_problem_outlive_restarts() {
    let mut sim = Sim::new(RULES, ITEMS);
    for _ in 0..3 {
        outage(&mut sim, "db-1");
        sim.restart("1h");
    }
    assert_eq!(problems(&sim), ["PRB0000001 new HostDown on db-1 of 1 2 3"]);
    let known_error = ProblemCommand::KnownError { workaround: "turn it off and on".to_owned() };
    assert!(matches!(act(&mut sim, known_error), Obeyed::Done { changed: true, .. }));
    sim.restart("1h");
    outage(&mut sim, "db-1");
    assert_eq!(problems(&sim), ["PRB0000001 known_error HostDown on db-1 of 1 2 3 4"]);
    assert!(matches!(act(&mut sim, ProblemCommand::Resolve { words: "new disk".to_owned() }), Obeyed::Done { changed: true, .. }));
    sim.restart("1h");
    sim.run("15d");
    assert_eq!(problems(&sim), [""; 0], "its quiet time is over, though the daemon was down");
}

/// What releases before 0.2 left behind, whose starts forgot problems: a second one of the same, and one more counted beside both.
fn forget_at_a_start(sim: &mut Sim) {
    let first = sim.state.problems[&ProblemId(1)].clone();
    let outage = |n: u64| Outage { incident: IncidentId(n), at: sim.now, ended: Some(sim.now), words: String::new() };
    let second = Problem {
        id: ProblemId(2),
        outages: vec![outage(4), outage(5), outage(6)],
        opened_at: sim.now,
        workaround: "restart it".to_owned(),
        ..first.clone()
    };
    let counted = Fact::Counted { key: first.key, outage: outage(7), within: Span::days(7) };
    sim.forge(Fact::Opened { problem: Box::new(second) });
    sim.forge(counted);
}

#[test]
fn two_problems_of_the_same_are_one_after_a_start_and_stay_one() {
    let mut sim = Sim::new(RULES, ITEMS);
    for _ in 0..3 {
        outage(&mut sim, "db-1");
    }
    forget_at_a_start(&mut sim);
    assert_eq!(sim.state.problems.len(), 2);
    sim.care = Care::Always;
    sim.restart("1h");
    assert_eq!(problems(&sim), ["PRB0000001 new HostDown on db-1 of 1 2 3 4 5 6 7"]);
    let problem = &sim.state.problems[&ProblemId(1)];
    assert_eq!((problem.outage_count, problem.workaround.as_str(), problem.timeline_len), (7, "restart it", 4));
    let said: Vec<String> = sim.facts.iter().filter_map(merging).collect();
    assert_eq!(
        said,
        [
            "PRB0000001: PRB0000002 is merged into this problem: it was opened for the same",
            "PRB0000002: merged into PRB0000001, which was already open for the same, and closed"
        ]
    );
    let facts = sim.facts.len();
    sim.restart("1h");
    assert_eq!(sim.facts[facts..].iter().filter(|fact| matches!(fact, AnyFact::Problem(_))).count(), 0, "there is nothing left to repair");
    outage(&mut sim, "db-1");
    assert_eq!(problems(&sim).len(), 1);
}

#[test]
fn a_problem_that_came_back_as_a_second_one_after_its_fix_says_that_the_fix_failed() {
    let mut sim = Sim::new(RULES, ITEMS);
    for _ in 0..3 {
        outage(&mut sim, "db-1");
    }
    act(&mut sim, ProblemCommand::Resolve { words: String::new() });
    sim.run("1h");
    forget_at_a_start(&mut sim);
    sim.care = Care::Always;
    sim.restart("1h");
    assert_eq!(problems(&sim), ["PRB0000001 new HostDown on db-1 of 1 2 3 4 5 6 7"]);
    assert_eq!(sim.state.problems[&ProblemId(1)].fixes_failed, 1);
}

fn merging(fact: &AnyFact) -> Option<String> {
    let AnyFact::Problem(fact @ (Fact::TookOver { id, .. } | Fact::Merged { id, .. })) = fact else { return None };
    Some(format!("{id}: {}", fact.entry(Time(0))?.what))
}

#[test]
fn what_is_too_far_apart_is_no_problem() {
    let mut sim = Sim::new(RULES, ITEMS);
    for _ in 0..5 {
        outage(&mut sim, "db-1");
        sim.run("3d");
    }
    assert_eq!(problems(&sim), [""; 0]);
}

#[test]
fn what_hangs_off_an_outage_does_not_count_beside_it() {
    let rules = RULES.replace("[rule, ci], incidents: 3", "[rule], incidents: 2");
    let mut sim = Sim::new(&rules, ITEMS);
    // Both were told of before their cause was heard, and became its children.
    sim.fire(alert("HostDown", "db-1"));
    sim.run("2m");
    assert_eq!(sim.state.problems.series().values().map(|series| series.outages.len()).collect::<Vec<_>>(), [1]);
    sim.fire(alert("DeviceDown", "sw-1"));
    sim.run("2m");
    sim.fire(alert("HostDown", "db-2"));
    sim.run("10m");
    assert_eq!(sim.listed().len(), 1, "{:?}", sim.said());
    let counted: Vec<u64> =
        sim.state.problems.series().values().flat_map(|series| series.outages.iter().map(|outage| outage.incident.0)).collect();
    assert_eq!(counted, [2], "the switch alone counts");
    assert_eq!(problems(&sim), [""; 0]);
}

#[test]
fn what_is_muted_or_comes_back_to_its_incident_does_not_count() {
    let mut sim = Sim::new(&format!("{RULES}silences: [{{name: b, when: ci.id == 'db-2'}}]"), ITEMS);
    for _ in 0..3 {
        outage(&mut sim, "db-2");
    }
    for _ in 0..6 {
        sim.fire(alert("HostDown", "db-1"));
        sim.run("5m");
        sim.clear(alert("HostDown", "db-1"));
        sim.run("7m");
    }
    assert_eq!(sim.state.incidents.values().map(|incident| incident.reopened).max(), Some(5), "{:?}", sim.said());
    assert_eq!(problems(&sim), [""; 0]);
}

#[test]
fn a_fix_that_fails_reopens_its_problem_and_one_that_holds_closes_it() {
    let mut sim = Sim::new(RULES, ITEMS);
    for _ in 0..3 {
        outage(&mut sim, "db-1");
    }
    mails(&mut sim);
    act(&mut sim, ProblemCommand::Assign { to: "anna".to_owned() });
    assert!(matches!(act(&mut sim, ProblemCommand::Investigate {}), Obeyed::Done { changed: false, .. }), "who has it looks into it");
    act(&mut sim, ProblemCommand::KnownError { workaround: "restart it".to_owned() });
    act(&mut sim, ProblemCommand::Fix { words: "new disk".to_owned() });
    act(&mut sim, ProblemCommand::Resolve { words: "disk changed".to_owned() });
    assert!(matches!(act(&mut sim, ProblemCommand::Fix { words: String::new() }), Obeyed::NotAllowed { state: "resolved", .. }));
    sim.run("10d");
    outage(&mut sim, "db-1");
    assert_eq!(problems(&sim), ["PRB0000001 investigating HostDown on db-1 of 1 2 3 4"]);
    assert_eq!(mails(&mut sim), ["platform@example.org fix_failed Fix failed: HostDown on db-1 [PRB0000001]"]);
    outage(&mut sim, "db-1");
    assert_eq!(mails(&mut sim), [""; 0], "it is known not to be fixed");
    act(&mut sim, ProblemCommand::Resolve { words: "board changed".to_owned() });
    sim.run("13d");
    assert_eq!(sim.state.problems[&ProblemId(1)].state, ProblemState::Resolved);
    sim.restart("2h");
    sim.run("1d");
    assert_eq!(problems(&sim), [""; 0]);
    assert!(matches!(act(&mut sim, ProblemCommand::Close { words: String::new() }), Obeyed::NotFound { .. }));
    // What comes after that is counted anew.
    for _ in 0..3 {
        outage(&mut sim, "db-1");
    }
    assert_eq!(problems(&sim), ["PRB0000002 new HostDown on db-1 of 6 7 8"]);
}

#[test]
fn incidents_without_what_they_should_share_are_not_counted_and_numbers_in_titles_are_alike() {
    let same = |same: &str| {
        let rules = RULES.replace("[rule, ci]", same).replace("incidents: 3", "incidents: 2");
        let mut sim = Sim::new(&rules, ITEMS);
        outage(&mut sim, "db-1");
        outage(&mut sim, "db-2");
        sim.state.problems.values().map(|problem| problem.key.same.clone()).collect::<Vec<_>>()
    };
    assert_eq!(same("[service]"), [""; 0], "neither carries a service");
    assert_eq!(same("[ci]"), [""; 0]);
    assert_eq!(same("[title]"), ["title HostDown on db-#"]);
    assert_eq!(same("[alert.name, ci.class]"), ["ci.class host, alert.name HostDown"]);
}

/// A disk that fills up and one that dies: one rule, one CI, two matters. Without `alert.name` the third outage is a problem that is of neither.
#[test]
fn outages_of_two_alerts_of_one_rule_and_ci_are_kept_apart_by_the_alert_and_the_title_names_it() {
    let run = |same: &str| {
        let rules = RULES
            .replace("[{name: any, ", "[{name: any, group_by: [ci, alert.name], means: nothing, title: \"trouble with {{ci.id}}\", ")
            .replace("[rule, ci]", same);
        let mut sim = Sim::new(&rules, ITEMS);
        for name in ["DiskFull", "DiskFailing", "DiskFull", "DiskFailing", "DiskFull"] {
            sim.fire(alert(name, "db-1"));
            sim.run("10m");
            sim.clear(alert(name, "db-1"));
            sim.run("1d");
        }
        problems(&sim)
    };
    assert_eq!(run("[rule, ci, alert.name]"), ["PRB0000001 new DiskFull: trouble with db-1 of 1 3 5"]);
    assert_eq!(run("[rule, ci]"), ["PRB0000001 new trouble with db-1 of 1 2 3 4 5"]);
}

/// Who names it hears of each further outage, in the problem's thread; nobody else does, and the last resort does not.
#[test]
fn a_rule_that_names_it_tells_of_each_further_outage_of_a_problem() {
    for (send, wanted) in [
        ("[problem_opened, problem_recurred]", Some("platform@example.org problem_recurred Problem again: HostDown on db-1 [PRB0000001]")),
        ("[problem_opened]", None),
    ] {
        let rules = format!("{RULES}notify:\n  - {{name: problems, to: [owner], send: {send}}}\n");
        let mut sim = Sim::new(&rules, ITEMS);
        for _ in 0..3 {
            outage(&mut sim, "db-1");
        }
        assert_eq!(
            mails(&mut sim),
            ["platform@example.org problem_opened Problem: HostDown on db-1, 3 times in 7 d [PRB0000001]"],
            "{send}"
        );
        outage(&mut sim, "db-1");
        assert_eq!(mails(&mut sim), wanted.into_iter().collect::<Vec<_>>(), "{send}");
    }
}
