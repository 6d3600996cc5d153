//! The outbox: when a mail is tried again, when it is given up, and the order of the mails of a thread.

use watchkeeper_engine::effect::Effect;
use watchkeeper_engine::event::{Action, Event, Lasts};
use watchkeeper_engine::fact::Fact;
use watchkeeper_engine::ids::{IncidentId, MessageId};
use watchkeeper_engine::model::message::{self, MessageState};
use watchkeeper_engine::time::Span;
use watchkeeper_engine::words::Priority;

use crate::sim::{Sim, alert, d};

const HOSTS: &str = "
teams: [{id: network, mail: [net@example.org]}, {id: platform, mail: [platform@example.org, chief@example.org]}]
items:
  - {id: sw-1, class: switch, owner: network, criticality: high}
  - {id: db-1, class: host, owner: platform, criticality: high}
";

const AT_ONCE: &str = "correlate: [{name: all, matchers: ['alertname=~\".+\"'], means: down, group_wait: 0s}]";

fn rendered(sim: &mut Sim, id: u64) {
    sim.event(Event::Rendered { id: MessageId(id), bytes: format!("mail {id}").into_bytes(), fallback: String::new() });
}

fn failed(sim: &mut Sim, id: u64, lasts: Lasts) {
    sim.event(Event::DeliveryFailed { id: MessageId(id), error: "no route to host".to_owned(), lasts });
}

fn delivered(sim: &mut Sim, id: u64) {
    sim.event(Event::Delivered { id: MessageId(id) });
}

/// The messages that were asked to be sent since the last look.
fn sent(sim: &mut Sim) -> Vec<u64> {
    let asked = std::mem::take(&mut sim.effects);
    asked.iter().filter_map(|effect| if let Effect::Deliver(message) = effect { Some(message.id.0) } else { None }).collect()
}

/// One P1 on sw-1 whose first mail, MSG1, is rendered.
fn one_mail() -> Sim {
    let mut sim = Sim::new(AT_ONCE, HOSTS);
    sim.fire(alert("DeviceDown", "sw-1"));
    sim.run("1s");
    assert_eq!(sim.mail_words(), ["net@example.org opened"]);
    rendered(&mut sim, 1);
    sim
}

#[test]
fn a_mail_that_does_not_leave_is_tried_less_and_less_often_and_is_dead_after_two_days() {
    let mut sim = one_mail();
    sim.care = crate::sim::Care::WhenAsked;
    let planned = sim.state.messages[&MessageId(1)].planned_at;
    let mut tries = Vec::new();
    assert_eq!(sent(&mut sim), [1]);
    while sim.state.messages.contains_key(&MessageId(1)) {
        failed(&mut sim, 1, Lasts::ForNow);
        let before = sim.now;
        let Some(at) = sim.state.messages.get(&MessageId(1)).map(|message| message.sending.retry_at.unwrap()) else { break };
        sim.run_until(at + Span(-1));
        assert_eq!(sent(&mut sim), [0; 0], "nothing goes before its time");
        sim.run_until(at);
        assert_eq!(sent(&mut sim), [1]);
        tries.push(at - before);
    }
    assert_eq!(tries[..4], [d("15s"), d("1m"), d("5m"), d("15m")]);
    assert!(tries[4..].iter().all(|wait| *wait == d("30m")), "{tries:?}");
    let lasted = sim.now - planned;
    assert!(lasted < d("48h") && lasted > d("47h"), "{}", lasted.words());
    let failure = |fact: &Fact| {
        if let Fact::Message(message::Fact::Failed { error, retry_at, .. }) = fact { Some((error.clone(), *retry_at)) } else { None }
    };
    let last = sim.facts.iter().rev().find_map(failure);
    assert_eq!(last, Some(("given up after 2 d: no route to host".to_owned(), None)));
    sim.check();
}

#[test]
fn a_mail_that_an_operator_hurries_goes_at_once_and_has_not_failed_once_more() {
    let mut sim = one_mail();
    for _ in 0..2 {
        failed(&mut sim, 1, Lasts::ForNow);
        sim.run("1m");
    }
    failed(&mut sim, 1, Lasts::ForNow);
    sent(&mut sim);
    let failures = |sim: &Sim| sim.facts.iter().filter(|fact| matches!(fact, Fact::Message(message::Fact::Failed { .. }))).count();
    let (before, failed_before) = (sim.state.messages[&MessageId(1)].clone(), failures(&sim));
    sim.command(Action::RetryMessage { id: MessageId(1) });
    sim.run("0s");
    assert_eq!(sent(&mut sim), [1]);
    let after = &sim.state.messages[&MessageId(1)];
    let sending = message::Sending { retry_at: Some(sim.now), ..before.sending.clone() };
    assert_eq!(*after, message::Message { sending, ..before }, "nothing else of it changes");
    assert_eq!(failures(&sim), failed_before);
    // What fails now waits as long as it would have.
    failed(&mut sim, 1, Lasts::ForNow);
    assert_eq!(sim.state.messages[&MessageId(1)].sending.retry_at, Some(sim.now + d("15m")));
    sim.check();
}

#[test]
fn a_refusal_for_good_is_dead_at_once_and_says_why() {
    let mut sim = one_mail();
    failed(&mut sim, 1, Lasts::ForGood);
    assert!(!sim.state.messages.contains_key(&MessageId(1)));
    let dead = sim
        .facts
        .iter()
        .any(|fact| matches!(fact, Fact::Message(message::Fact::Failed { error, retry_at: None, .. }) if error == "no route to host"));
    assert!(dead, "{:#?}", sim.facts.last());
}

#[test]
fn mails_of_a_thread_leave_one_after_the_other_and_other_recipients_do_not_wait() {
    let mut sim = one_mail();
    assert_eq!(sent(&mut sim), [1]);
    sim.command(Action::Resolve { id: IncidentId(1), words: "replugged".to_owned() });
    sim.fire(alert("HostDown", "db-1"));
    sim.run("1s");
    assert_eq!(sim.mail_words(), ["chief@example.org opened", "net@example.org resolved", "platform@example.org opened"]);
    for id in 2..=4 {
        rendered(&mut sim, id);
    }
    assert_eq!(sent(&mut sim), [3, 4], "the second of net's thread waits for the first");

    failed(&mut sim, 1, Lasts::ForNow);
    assert_eq!(sent(&mut sim), [0; 0], "it keeps its place while it waits");
    sim.run("15s");
    assert_eq!(sent(&mut sim), [1]);
    delivered(&mut sim, 1);
    assert_eq!(sent(&mut sim), [2]);
}

#[test]
fn a_dead_mail_lets_the_next_of_its_thread_go() {
    let mut sim = one_mail();
    sim.command(Action::Resolve { id: IncidentId(1), words: "replugged".to_owned() });
    rendered(&mut sim, 2);
    assert_eq!(sent(&mut sim), [1]);
    failed(&mut sim, 1, Lasts::ForGood);
    assert_eq!(sent(&mut sim), [2]);
}

#[test]
fn a_mail_behind_that_dies_does_not_send_the_one_in_flight_again() {
    let mut sim = one_mail();
    failed(&mut sim, 1, Lasts::ForNow);
    sim.run("15s");
    sim.command(Action::Resolve { id: IncidentId(1), words: "replugged".to_owned() });
    assert_eq!(sent(&mut sim), [1, 1]);
    failed(&mut sim, 2, Lasts::ForGood);
    assert_eq!(sent(&mut sim), [0; 0]);
}

#[test]
fn a_start_asks_for_the_first_of_each_thread() {
    let mut sim = one_mail();
    sim.command(Action::SetPriority { id: IncidentId(1), priority: Priority::P3, words: String::new() });
    sim.command(Action::Resolve { id: IncidentId(1), words: "replugged".to_owned() });
    rendered(&mut sim, 2);
    sent(&mut sim);
    sim.restart("1m");
    assert_eq!(sent(&mut sim), [1]);
    assert_eq!(sim.state.messages[&MessageId(2)].sending.state, MessageState::Rendered);
}

/// Merged by hand, its own people are no symptoms of the other and were told of nothing there: they would wait for ever.
#[test]
fn who_was_told_of_an_incident_that_was_merged_hears_that_it_is_over() {
    let mut sim = Sim::new(AT_ONCE, HOSTS);
    sim.fire(alert("DeviceDown", "sw-1"));
    sim.fire(alert("HostDown", "db-1"));
    sim.run("1m");
    assert_eq!(sim.mail_words(), ["chief@example.org opened", "net@example.org opened", "platform@example.org opened"]);
    sim.command(Action::MergeIncidents { id: IncidentId(1), children: vec![IncidentId(2)] });
    sim.run("1m");
    assert_eq!(sim.mail_words(), [""; 0]);
    sim.clear(alert("DeviceDown", "sw-1"));
    sim.clear(alert("HostDown", "db-1"));
    sim.run("30m");
    let mails = sim.mails();
    let mut words: Vec<String> = mails.iter().map(|mail| format!("{} {} {}", mail.to, mail.reason, mail.incident.unwrap())).collect();
    words.sort();
    let over = ["chief@example.org resolved INC0000002", "net@example.org resolved INC0000001", "platform@example.org resolved INC0000002"];
    assert_eq!(words, over);
    let child = mails.iter().find(|mail| mail.incident == Some(IncidentId(2))).unwrap();
    assert_eq!(child.said().words, "all its alerts moved to INC0000001");
}
