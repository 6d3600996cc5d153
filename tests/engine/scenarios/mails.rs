//! What mails say of what happened, as it is frozen when they are planned.

use watchkeeper_engine::event::Action;
use watchkeeper_engine::model::message::Said;
use watchkeeper_engine::time::Time;
use watchkeeper_engine::words::Reason;

use crate::sim::{Sim, alert, d};

const ITEMS: &str = "
teams: [{id: platform, mail: [platform@example.org]}]
items: [{id: db-1, class: host, owner: platform}]
";
const RULES: &str = "{notify: [{name: all, to: owner, send: [opened, held, resolved, closed]}]}";

/// An incident that was told.
fn open() -> Sim {
    let mut sim = Sim::new(RULES, ITEMS);
    sim.fire(alert("HostDown", "db-1"));
    sim.run("10m");
    sim
}

fn said(sim: &mut Sim, reason: Reason) -> Vec<Said> {
    sim.mails().into_iter().filter(|mail| mail.reason == reason).map(|mail| mail.said()).collect()
}

#[test]
fn a_held_mail_says_for_what_it_waits_and_until_when() {
    let mut sim = open();
    let id = sim.on("db-1").id;
    sim.command(Action::Hold { id, reason: "waiting_for_vendor".to_owned(), until: Some(sim.now + d("4h")) });
    sim.command(Action::Hold { id, reason: "waiting_for_change".to_owned(), until: None });
    let (until, held) = (sim.now + d("4h"), said(&mut sim, Reason::Held));
    let words: Vec<(&str, Time)> = held.iter().map(|said| (said.words.as_str(), said.hold_until)).collect();
    assert_eq!(words, [("waiting_for_vendor", until), ("waiting_for_change", Time::default())]);
}

#[test]
fn a_resolved_mail_says_who_resolved_it_with_which_words_or_why_it_did_so_itself() {
    let mut sim = open();
    let id = sim.on("db-1").id;
    sim.command(Action::Resolve { id, words: "restarted it".to_owned() });
    let by_hand = said(&mut sim, Reason::Resolved).remove(0);
    assert_eq!((by_hand.by.as_str(), by_hand.words.as_str()), ("anna", "restarted it"));

    let mut sim = open();
    sim.clear(alert("HostDown", "db-1"));
    sim.run("10m");
    let itself = said(&mut sim, Reason::Resolved).remove(0);
    assert_eq!((itself.by.as_str(), itself.words.as_str()), ("", "its alert has been clear for 5 min"));
}

#[test]
fn a_closing_is_told_where_a_rule_says_so_whoever_closed_it() {
    let mut sim = open();
    sim.clear(alert("HostDown", "db-1"));
    sim.run("10m");
    let id = sim.listed()[0].id;
    sim.command(Action::Close { id });
    let by_hand = said(&mut sim, Reason::Closed);
    assert_eq!(by_hand.len(), 1, "closed by hand");
    assert_eq!((by_hand[0].state.as_str(), by_hand[0].first), ("closed", false));

    let mut sim = open();
    sim.clear(alert("HostDown", "db-1"));
    sim.run("10d");
    assert_eq!(said(&mut sim, Reason::Closed).len(), 1, "closed by its time");
}

#[test]
fn a_digest_is_rendered_by_the_template_its_rule_names() {
    for (template, used) in [("", "digest"), (", template: short", "short")] {
        let rules = format!("{{notify: [{{name: list, to: owner, digest: morning{template}}}]}}");
        let mut sim = Sim::new(&rules, ITEMS);
        sim.fire(alert("HostDown", "db-1"));
        sim.run("1d");
        let mails = sim.mails();
        assert_eq!(mails.iter().map(|mail| mail.template.as_str()).collect::<Vec<_>>(), [used]);
    }
}
