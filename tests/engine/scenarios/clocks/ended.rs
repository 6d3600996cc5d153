//! What meets the promise to respond, what ends without it, and what is said of a promise once everything has cleared.

use watchkeeper_engine::event::{Action, Command, Event};
use watchkeeper_engine::ids::IncidentId;
use watchkeeper_engine::model::message::Said;
use watchkeeper_engine::time::{Span, Time};
use watchkeeper_engine::words::{ClockState, IncidentState, Reason, SlaTarget};

use super::{GOLD, SHOP, hold, standing};
use crate::sim::{self, Sim, alert};

/// State of a promise of any incident, and why it is neither met nor missed.
fn stands(sim: &Sim, id: IncidentId, target: SlaTarget) -> (ClockState, String) {
    let promises = sim.state.incidents[&id].promises(&sim.state.terms, sim.now);
    let promise = promises.iter().find(|promise| promise.target == target && promise.clock.name == "gold").unwrap();
    (promise.standing.state, promise.because.clone())
}

/// Ten minutes into an incident of web-1 that nobody has acknowledged.
fn unanswered() -> (Sim, IncidentId) {
    let mut sim = Sim::new(GOLD, SHOP);
    sim.fire(alert("HostDown", "web-1"));
    sim.run("10m");
    let id = sim.on("web-1").id;
    (sim, id)
}

/// Somebody of that name asks for it; nobody where it is empty.
fn by(sim: &mut Sim, actor: &str, action: Action) {
    sim.event(Event::Command(Command { actor: actor.to_owned(), expected: None, action }));
}

fn told(sim: &mut Sim, reason: Reason) -> Said {
    let mails = sim.mails();
    mails.iter().find(|mail| mail.reason == reason).unwrap_or_else(|| panic!("no {reason} among {mails:#?}")).said()
}

#[test]
fn what_resolves_itself_before_anybody_responded_has_neither_met_nor_missed_its_response() {
    let (mut sim, id) = unanswered();
    sim.run("1m");
    sim.clear(alert("HostDown", "web-1"));
    sim.run("6m");
    let missed = (ClockState::Breached, "resolved before anybody responded".to_owned());
    assert_eq!(stands(&sim, id, SlaTarget::Response), missed, "its time was over before");

    let mut sim = Sim::new(GOLD, SHOP);
    sim.fire(alert("HostDown", "web-1"));
    sim.run("5m");
    let id = sim.on("web-1").id;
    sim.clear(alert("HostDown", "web-1"));
    sim.mails();
    sim.run("6m");
    let ended = (ClockState::Ended, "resolved before anybody responded".to_owned());
    assert_eq!(sim.state.incidents[&id].state, IncidentState::Resolved);
    assert_eq!(stands(&sim, id, SlaTarget::Response), ended);
    assert_eq!(stands(&sim, id, SlaTarget::Resolution).0, ClockState::Met);
    let said = told(&mut sim, Reason::Resolved);
    let response = said.clocks.iter().find(|line| line.target == "response").unwrap();
    assert_eq!((response.state.as_str(), response.because.as_str()), ("ended", "resolved before anybody responded"));
    sim.restart("4d");
    sim.run("1m");
    assert!(!sim.state.incidents.contains_key(&id), "it is closed, and is so for good");
}

#[test]
fn who_resolves_it_by_hand_has_responded() {
    let (mut sim, id) = unanswered();
    sim.command(Action::Resolve { id, words: "restarted".to_owned() });
    assert_eq!(stands(&sim, id, SlaTarget::Response), (ClockState::Met, String::new()));
    let (mut sim, id) = unanswered();
    by(&mut sim, " ", Action::Resolve { id, words: String::new() });
    assert_eq!(stands(&sim, id, SlaTarget::Response).0, ClockState::Ended, "nobody did");
}

#[test]
fn what_was_merged_before_anybody_responded_is_measured_where_it_went() {
    let (mut sim, id) = unanswered();
    sim.fire(alert("HostDown", "alone"));
    sim.run("1m");
    let other = sim.on("alone").id;
    sim.command(Action::MergeIncidents { id: other, children: vec![id] });
    sim.run("1m");
    assert_eq!(stands(&sim, id, SlaTarget::Response).0, ClockState::Paused);
    sim.command(Action::Resolve { id: other, words: "restarted".to_owned() });
    sim.run("1m");
    let over = sim.state.incidents[&id].state;
    assert_eq!(over, IncidentState::Resolved);
    assert_eq!(stands(&sim, id, SlaTarget::Response), (ClockState::Ended, format!("part of {other} before anybody responded")));
    assert_eq!(stands(&sim, id, SlaTarget::Resolution), (ClockState::Ended, format!("part of {other}, which is measured")));
}

#[test]
fn what_nobody_asks_for_meets_nothing() {
    for action in
        [|id| Action::Acknowledge { id }, |id| Action::Assign { id, to: "bert".to_owned() }, |id| hold(id, "waiting_for_customer")]
    {
        let (mut sim, id) = unanswered();
        by(&mut sim, "", action(id));
        let found = standing(&sim, "web-1", SlaTarget::Response);
        assert_eq!((found.state, sim.on("web-1").acknowledged_at), (ClockState::Running, None));
        by(&mut sim, "anna", Action::Assign { id, to: "cem".to_owned() });
        assert_eq!(standing(&sim, "web-1", SlaTarget::Response).state, ClockState::Met, "anna did");
    }
    // Who acknowledges what nobody put on hold has responded, and it waits on.
    let (mut sim, id) = unanswered();
    by(&mut sim, "", hold(id, "waiting_for_customer"));
    by(&mut sim, "anna", Action::Acknowledge { id });
    let incident = sim.on("web-1");
    assert_eq!((incident.state, incident.assignee.as_str()), (IncidentState::OnHold, "anna"));
    assert_eq!(standing(&sim, "web-1", SlaTarget::Response).state, ClockState::Met);
    // A hold that ends by itself does not answer either: it is as new as it was.
    let (mut sim, id) = unanswered();
    let until = Some(sim.now + Span::minutes(2));
    by(&mut sim, "", Action::Hold { id, reason: "waiting_for_vendor".to_owned(), until });
    sim.run("3m");
    assert_eq!((sim.on("web-1").state, sim.on("web-1").acknowledged_at), (IncidentState::New, None));
    sim.run("3m");
    assert_eq!(standing(&sim, "web-1", SlaTarget::Response).state, ClockState::Breached);
}

#[test]
fn a_breach_after_everything_has_cleared_says_so() {
    let (mut sim, id) = unanswered();
    sim.run("1m");
    sim.clear(alert("HostDown", "web-1"));
    sim.mails();
    sim.run("4m");
    let mails = sim.mails();
    let breached = mails.iter().find(|mail| mail.reason == Reason::SlaBreached).unwrap();
    assert_eq!(breached.subject, format!("BREACHED: P1 web-1, all cleared [{id}]"));
    let said = breached.said();
    assert_eq!((said.alerts, said.cleared, said.hurts.len(), said.back.clone()), (1, 1, 0, vec!["shop".to_owned()]));
    assert_eq!(said.resolves_at, sim.now + Span::minutes(1));
    let next: Vec<Time> = said.clocks.iter().map(|line| line.next_at).collect();
    assert_eq!(next, [Time::default(); 2], "what resolves in a minute is not told again in hours");
    // What is over says whom it hurt.
    sim.run("2m");
    let said = told(&mut sim, Reason::Resolved);
    assert_eq!((said.hurts.len(), said.back.len(), said.resolves_at), (1, 0, Time::default()));

    // A service that something else keeps down is down.
    let apart = format!(
        "{GOLD}correlate: [{{name: apart, when: ci.id == 'web-1', means: down, urgency: high, explains: nothing, group_by: [alert.name]}}]"
    );
    let mut apart = Sim::new(&apart, SHOP);
    for name in ["HostDown", "DiskFull"] {
        apart.fire(alert(name, "web-1"));
    }
    apart.run("11m");
    apart.clear(alert("HostDown", "web-1"));
    apart.mails();
    apart.run("4m");
    let mails = apart.mails();
    let breached = |subject: &str| mails.iter().find(|mail| mail.reason == Reason::SlaBreached && mail.subject.contains(subject)).unwrap();
    let said = breached("all cleared").said();
    let hurts: Vec<_> = said.hurts.iter().map(|hurt| (hurt.id.as_str(), hurt.health.as_str())).collect();
    assert_eq!((hurts, said.back.len()), (vec![("shop", "down")], 0));
    assert_eq!(breached("web-1 down: shop").said().back.len(), 0);
}

#[test]
fn what_came_back_was_open_as_long_as_its_clock_counted() {
    let mut sim = Sim::new(GOLD, SHOP);
    sim.fire(alert("HostDown", "web-1"));
    sim.run("40m");
    sim.clear(alert("HostDown", "web-1"));
    sim.run("34m");
    sim.fire(alert("HostDown", "web-1"));
    sim.run("15m");
    sim.clear(alert("HostDown", "web-1"));
    sim.mails();
    sim.run("6m");
    let said = told(&mut sim, Reason::Resolved);
    let resolution = said.clocks.iter().find(|line| line.target == "resolution").unwrap();
    let open = Span(said.lasted_before.0 + (said.until - said.since).0);
    assert_eq!((open, resolution.used, resolution.start), (Span::minutes(65), Span::minutes(65), sim::start()));
    let incident = sim.listed()[0];
    assert_eq!(incident.lasted(incident.resolved_at.unwrap()), open);
}
