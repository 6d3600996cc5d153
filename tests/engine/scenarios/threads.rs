//! What one reader hears of an incident over its life: a subject that is true when it first comes, one list, every end they were told the beginning of.

use watchkeeper_engine::event::Action;
use watchkeeper_engine::model::silence::StoredMatcher;
use watchkeeper_engine::text::Labels;
use watchkeeper_engine::time::{Span, Time};
use watchkeeper_engine::words::{Reason, Severity};

use crate::sim::{Sim, alert, as_severity, d};

const SWITCH: &str = "
teams: [{id: network, mail: [net@example.org]}, {id: platform, mail: [platform@example.org]}]
items:
  - {id: sw-1, class: switch, owner: network}
  - {id: db-1, class: host, owner: platform, relations: [{depends_on: sw-1}]}
  - {id: db-2, class: host, owner: platform, relations: [{depends_on: sw-1}]}
  - {id: alone, class: host, owner: platform, criticality: high}
";

fn silence(sim: &mut Sim, instance: &str) {
    let matcher = StoredMatcher { name: "instance".to_owned(), value: instance.to_owned(), is_regex: false, is_equal: true };
    let (starts_at, ends_at) = (sim.now, sim.now + d("8h"));
    sim.command(Action::SetSilence {
        id: None,
        matchers: vec![matcher],
        starts_at,
        ends_at,
        comment: "works".to_owned(),
        annotations: Labels::default(),
    });
    sim.run("0s");
}

#[test]
fn the_first_page_of_what_could_wait_says_how_bad_it_is_by_then() {
    let mut sim = Sim::new("{}", &SWITCH.replace(", criticality: high", ""));
    sim.fire(as_severity(Severity::Warning, alert("DiskFilling", "alone")));
    sim.run("10m");
    assert_eq!((sim.said(), sim.mails()), (vec!["alone new P4".to_owned()], vec![]), "it waits for the morning's list");
    sim.fire(as_severity(Severity::Critical, alert("DiskFilling", "alone")));
    sim.run("1m");
    let mails = sim.mails();
    let [page] = &mails[..] else { panic!("{mails:#?}") };
    assert_eq!(page.reason, Reason::Opened);
    assert!(page.subject.starts_with("P2 alone"), "{}", page.subject);
    sim.clear(alert("DiskFilling", "alone"));
    sim.run("10m");
    let mails = sim.mails();
    assert_eq!((mails[0].reason, &mails[0].subject, mails[0].thread), (Reason::Resolved, &page.subject, page.id));
}

#[test]
fn who_hears_first_after_a_rise_has_a_subject_of_the_rise_and_keeps_it() {
    let rules = "
notify:
  - {name: owner, to: [owner]}
  - {name: board, when: incident.priority == \"P1\", to: [board@example.org]}
";
    let mut sim = Sim::new(rules, SWITCH);
    sim.fire(as_severity(Severity::Error, alert("DiskFilling", "alone")));
    sim.run("5m");
    sim.fire(as_severity(Severity::Critical, alert("DiskFilling", "alone")));
    sim.run("1m");
    sim.clear(alert("DiskFilling", "alone"));
    sim.run("10m");
    let mails = sim.mails();
    let subjects = |to: &str| -> Vec<(Reason, String)> {
        mails.iter().filter(|mail| mail.to == to).map(|mail| (mail.reason, mail.subject[..6].to_owned())).collect()
    };
    let owner = [(Reason::Opened, "P2 alo"), (Reason::Raised, "P1 now"), (Reason::Resolved, "P2 alo")];
    assert_eq!(subjects("platform@example.org"), owner.map(|(reason, text)| (reason, text.to_owned())));
    let board = [(Reason::Opened, "P1 alo"), (Reason::Resolved, "P1 alo")];
    assert_eq!(subjects("board@example.org"), board.map(|(reason, text)| (reason, text.to_owned())));
}

#[test]
fn a_silenced_symptom_does_not_swallow_the_end_of_what_people_were_paged_for() {
    let mut sim = Sim::new("{}", SWITCH);
    sim.fire(alert("DeviceDown", "sw-1"));
    sim.fire(alert("HostDown", "db-1"));
    sim.run("5m");
    assert_eq!(sim.mail_words(), ["net@example.org opened", "platform@example.org affected"]);
    silence(&mut sim, "db-1");
    sim.clear(alert("DeviceDown", "sw-1"));
    sim.run("10m");
    sim.clear(alert("HostDown", "db-1"));
    sim.run("10m");
    assert_eq!(sim.said(), ["sw-1 resolved P2"]);
    assert_eq!(sim.mail_words(), ["net@example.org resolved", "platform@example.org resolved"]);
}

#[test]
fn who_was_paged_since_hears_again_that_their_item_is_a_symptom() {
    let mut sim = Sim::new("{}", SWITCH);
    sim.fire(alert("DeviceDown", "sw-1"));
    sim.fire(alert("HostDown", "db-1"));
    sim.run("5m");
    sim.clear(alert("DeviceDown", "sw-1"));
    sim.run("3m");
    let told = ["net@example.org opened", "platform@example.org affected", "platform@example.org released"];
    assert_eq!(sim.mail_words(), told);
    sim.fire(alert("DeviceDown", "sw-1"));
    sim.run("2m");
    assert_eq!(sim.said(), ["sw-1 new P2 with db-1"]);
    assert_eq!(sim.mail_words(), ["platform@example.org affected"], "what they last heard is that it is theirs");
    sim.run("1h");
    assert_eq!(sim.mail_words(), [""; 0], "once");
}

#[test]
fn who_was_told_in_an_earlier_round_hears_in_the_next_that_their_item_is_a_symptom() {
    let mut sim = Sim::new("{}", SWITCH);
    for round in 0..2 {
        sim.fire(alert("DeviceDown", "sw-1"));
        sim.fire(alert("HostDown", "db-1"));
        sim.run("5m");
        let first = if round == 0 { "opened" } else { "reopened" };
        assert_eq!(sim.mail_words(), [format!("net@example.org {first}"), "platform@example.org affected".to_owned()]);
        sim.clear(alert("DeviceDown", "sw-1"));
        sim.clear(alert("HostDown", "db-1"));
        sim.run("30m");
        assert_eq!(sim.mail_words(), ["net@example.org resolved", "platform@example.org resolved"]);
    }
}

#[test]
fn a_return_is_counted_by_itself_and_what_was_before_is_said_beside_it() {
    let mut sim = Sim::new("{}", SWITCH);
    sim.fire(alert("DeviceDown", "sw-1"));
    sim.fire(alert("HostDown", "db-1"));
    sim.run("3m");
    let id = sim.on("sw-1").id;
    sim.command(Action::Acknowledge { id });
    sim.run("36m");
    sim.clear(alert("DeviceDown", "sw-1"));
    sim.clear(alert("HostDown", "db-1"));
    sim.run("5m");
    sim.run("34m");
    sim.mails();
    sim.fire(alert("DeviceDown", "sw-1"));
    sim.run("15m");
    let mails = sim.mails();
    let reopened = mails.iter().find(|mail| mail.reason == Reason::Reopened).unwrap();
    assert_eq!(
        (reopened.said().symptoms, reopened.said().cleared, reopened.said().alerts),
        (0, 1, 2),
        "a symptom that cleared hangs off nothing"
    );
    assert_eq!(reopened.said().cause, "");
    sim.clear(alert("DeviceDown", "sw-1"));
    sim.run("5m");
    let mails = sim.mails();
    let resolved = &mails.iter().find(|mail| mail.reason == Reason::Resolved).unwrap().said();
    assert_eq!(resolved.until - resolved.since, Span::minutes(20), "this round alone");
    assert_eq!((resolved.lasted_before, resolved.acknowledged_before), (Span::minutes(44), Some(Span::minutes(3))));
    assert_eq!((resolved.acknowledged_at, resolved.reopened), (Time::default(), 1));
}

#[test]
fn a_thread_stays_in_the_list_it_began_in() {
    let items = SWITCH
        .replace("{id: platform, mail: [platform@example.org]}", "{id: shop, mail: [net@example.org]}")
        .replace("owner: platform", "owner: shop");
    let mut sim = Sim::new("{}", &items);
    sim.fire(alert("HostDown", "alone"));
    sim.run("5m");
    sim.clear(alert("HostDown", "alone"));
    sim.run("10m");
    let teams: Vec<(Reason, String)> = sim.mails().into_iter().map(|mail| (mail.reason, mail.team)).collect();
    assert_eq!(teams, [(Reason::Opened, "shop".to_owned()), (Reason::Resolved, "shop".to_owned())], "network has that address too");
}
