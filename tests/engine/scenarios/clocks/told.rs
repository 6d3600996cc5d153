//! Who is notified of SLA clocks, of which shares, and when.

use watchkeeper_engine::event::Action;
use watchkeeper_engine::model::incident::clock::Moved;
use watchkeeper_engine::time::Span;
use watchkeeper_engine::words::{ClockState, Reason, SlaTarget};

use super::{GOLD, SHOP, clock_mails, hold, standing};
use crate::sim::{self, Sim, alert};

#[test]
fn those_who_wait_hear_of_it_again_within_the_time_that_was_promised() {
    let rules = GOLD.replace("resolution: 4h}", "resolution: 90h, update: 1h}");
    let note = |id| Action::Note { id, text: "ACME sends an engineer".to_owned() };
    let said = |sim: &mut Sim| -> Vec<String> {
        let mails = clock_mails(sim);
        mails.into_iter().filter_map(|mail| mail.split_once("sla_").map(|(_, what)| what.to_owned())).collect()
    };
    let mut sim = Sim::new(&rules, SHOP);
    sim.fire(alert("HostDown", "web-1"));
    sim.run("5m");
    let id = sim.on("web-1").id;
    let update = |sim: &Sim| {
        let incident = sim.listed()[0];
        let promises = incident.promises(&sim.state.terms, sim.now);
        promises.into_iter().find(|promise| promise.target == SlaTarget::Update).map(|promise| promise.standing)
    };
    assert_eq!(update(&sim), None, "not yet acknowledged: that is the promise to answer");
    sim.command(note(id));
    assert_eq!(update(&sim), None);
    sim.command(Action::Acknowledge { id });
    let deadline = |sim: &Sim| update(sim).unwrap().deadline;
    assert_eq!(deadline(&sim), Some(sim.now + Span::hours(1)));
    sim.run("30m");
    assert_eq!(said(&mut sim), ["warning update 50"]);
    // A note, an assignment and a hold begin anew, and each time is told by itself.
    for action in [note(id), Action::Assign { id, to: "bert".to_owned() }, hold(id, "waiting_for_vendor")] {
        sim.command(action);
        assert_eq!(deadline(&sim), Some(sim.now + Span::hours(1)));
        sim.run("31m");
        assert_eq!(said(&mut sim), ["warning update 50"]);
    }
    sim.run("1h");
    assert_eq!(said(&mut sim), ["breached update 100", "warning update 75"]);
    sim.run("20h");
    assert_eq!(said(&mut sim), [""; 0], "once is enough");
    // Heard of again, it counts again; its first breach stays known.
    sim.command(note(id));
    assert_eq!(update(&sim).unwrap().state, ClockState::Running);
    sim.run("61m");
    assert_eq!(said(&mut sim), ["breached update 100", "warning update 50", "warning update 75"]);
    // A reason that the SLA lists lets it wait, also where somebody writes meanwhile.
    sim.command(hold(id, "waiting_for_customer"));
    sim.run("3h");
    sim.command(note(id));
    sim.run("3h");
    assert_eq!(update(&sim).unwrap().state, ClockState::Paused);
    sim.command(Action::Resume { id });
    assert_eq!(deadline(&sim), Some(sim.now + Span::hours(1)));
    // Over, nobody waits to hear of it, whatever is written down afterwards.
    sim.run("20m");
    sim.command(Action::Resolve { id, words: "reseated".to_owned() });
    sim.command(note(id));
    sim.run("3m");
    let met = update(&sim).unwrap();
    assert_eq!((met.state, met.used), (ClockState::Met, Span::minutes(20)));
    sim.command(Action::Reopen { id, words: "no".to_owned() });
    assert_eq!(update(&sim), None, "somebody has to have it first");
    sim.command(Action::Acknowledge { id });
    sim.run("61m");
    assert_eq!(said(&mut sim), ["breached update 100", "warning update 50", "warning update 75"]);
    let marks = sim.state.incidents[&id].log.iter().filter(|mark| matches!(mark.what, Moved::Updated(_)));
    assert_eq!(marks.count(), 1, "only the last is kept");
}

#[test]
fn rules_say_who_hears_of_clocks_and_from_which_share_on() {
    let notify = "
notify:
  - {name: owner, to: [owner], send: [opened, resolved]}
  - {name: lead, when: sla.percent >= 75 && sla.target == 'resolution', send: [sla_warning, sla_breached], to: [team:network]}
";
    let mut sim = Sim::new(&format!("{GOLD}{notify}"), SHOP);
    sim.fire(alert("HostDown", "web-1"));
    sim.run("5m");
    let id = sim.on("web-1").id;
    sim.command(Action::Acknowledge { id });
    sim.run("2h");
    assert_eq!(clock_mails(&mut sim), [""; 0], "half of the time is none of theirs");
    sim.run("2h");
    assert_eq!(clock_mails(&mut sim), ["net@example.org sla_breached resolution 100", "net@example.org sla_warning resolution 75"]);
    // The same where nobody has it: that the answer is overdue for hours is another promise.
    let mut sim = Sim::new(&format!("{GOLD}{notify}"), SHOP);
    sim.fire(alert("HostDown", "web-1"));
    sim.run("2h");
    assert_eq!(clock_mails(&mut sim), [""; 0], "neither the broken response nor half of the time is theirs");
    sim.run("2h");
    assert_eq!(clock_mails(&mut sim), ["net@example.org sla_breached resolution 100", "net@example.org sla_warning resolution 75"]);
}

#[test]
fn of_a_warning_the_assignee_and_the_lead_hear_once_and_the_owner_where_there_is_neither() {
    let shop = SHOP
        .replace("people: [", "people: [{id: anna, mail: [anna@example.org]}, ")
        .replace("platform@example.org]}", "platform@example.org], lead: lea}");
    let warned = |rules: &str, shop: &str, has: Option<&str>| -> Vec<String> {
        let mut sim = Sim::new(&format!("{GOLD}{rules}"), shop);
        sim.fire(alert("HostDown", "web-1"));
        sim.run("1m");
        let id = sim.on("web-1").id;
        if let Some(to) = has {
            sim.command(Action::Assign { id, to: to.to_owned() });
        }
        sim.mails();
        sim.run("2h");
        let of_half = |mail: &String| mail.ends_with("sla_warning response 50") || mail.ends_with("sla_warning resolution 50");
        clock_mails(&mut sim).into_iter().filter(of_half).map(|mail| mail.split(' ').next().unwrap_or_default().to_owned()).collect()
    };
    let several = "notify: [{name: page, to: oncall}, {name: all, when: incident.priority == 'P1', to: [\"team:network\"]}]\n";
    let lead = "lea@example.org";
    // Of half of the time to respond and to restore, where nobody has it; of the latter, where somebody does.
    assert_eq!(warned("", &shop, None), [lead, lead]);
    assert_eq!(warned(several, &shop, None), [lead, lead], "once, whoever the rules page");
    assert_eq!(warned(several, &shop, Some("anna")), ["anna@example.org", lead]);
    assert_eq!(warned(several, &shop, Some("nobody-known")), [lead]);
    assert_eq!(warned(several, &shop, Some("network")), [lead, "net@example.org"], "a team may have it");
    assert_eq!(warned(several, SHOP, None), ["platform@example.org"; 2], "the owner, where there is neither");
    assert_eq!(warned(several, SHOP, Some("nobody-known")), ["platform@example.org"]);
    // Who names it keeps what they say: of the lead, nothing else tells the lead.
    let named = "notify: [{name: page, to: oncall}, {name: early, when: sla.target == 'resolution', send: sla_warning, to: [lead, \"team:network\"]}]\n";
    assert_eq!(warned(named, &shop, Some("anna")), ["anna@example.org", lead, "net@example.org"]);
    assert_eq!(warned(named, &shop, None), [lead, "net@example.org", "platform@example.org", "platform@example.org"]);
    // A list of reasons without it is one.
    assert_eq!(warned("notify: [{name: page, to: oncall, send: [opened, resolved]}]\n", &shop, Some("anna")), [""; 0]);
}

#[test]
fn a_rule_hears_of_the_promises_that_it_asks_for_and_one_person_of_all_in_one_mail() {
    let notify = "
notify:
  - {name: owner, to: [owner], send: [opened]}
  - {name: late, when: sla.target == 'resolution', send: [sla_warning], to: [team:network]}
  - {name: answer, when: sla.target == 'response' && sla.percent >= 100, send: [sla_breached], to: [team:platform]}
  - {name: rest, when: sla.target == 'resolution' && sla.percent >= 75, send: [sla_warning], to: [team:platform]}
";
    let mut sim = Sim::new(&format!("{GOLD}{notify}"), SHOP);
    sim.fire(alert("HostDown", "web-1"));
    sim.run("2m");
    sim.mails();
    sim.restart("3h");
    sim.run("0s");
    let mails = sim.mails();
    let said: Vec<_> = mails.iter().map(|mail| mail.said()).collect();
    let told: Vec<_> = mails
        .iter()
        .zip(&said)
        .map(|(mail, said)| {
            let lines = said.clocks.iter().filter(|line| !line.reached.is_empty());
            (mail.to.as_str(), mail.reason, lines.map(|line| (line.target.as_str(), line.reached.clone())).collect::<Vec<_>>())
        })
        .collect();
    assert_eq!(
        told,
        [
            ("platform@example.org", Reason::SlaBreached, vec![("response", vec![50, 75, 100]), ("resolution", vec![50, 75])]),
            ("net@example.org", Reason::SlaWarning, vec![("resolution", vec![50, 75])]),
        ]
    );
}

#[test]
fn a_promise_used_up_before_the_first_mail_is_told_right_after_it() {
    let rules = "
slas: [{name: quick, targets: {P1: {response: 20s}}, warn_at: [50%]}]
notify: [{name: owner, to: [owner], send: [opened, resolved, sla_warning, sla_breached]}]
";
    let reasons = |sim: &mut Sim| -> Vec<(Reason, Vec<u32>)> {
        let mails = sim.mails();
        mails.iter().map(|mail| (mail.reason, mail.said().clocks.into_iter().flat_map(|line| line.reached).collect())).collect()
    };
    let mut sim = Sim::new(rules, SHOP);
    sim.fire(alert("HostDown", "web-1"));
    sim.run("29s");
    let id = sim.on("web-1").id;
    assert_eq!(reasons(&mut sim), []);
    assert!(sim::timeline(&sim, id).iter().any(|line| line.starts_with("SLA quick breached")), "it is written down at its time");
    // A restart forgets nothing of it.
    sim.restart("0s");
    sim.run("1s");
    assert_eq!(reasons(&mut sim), [(Reason::Opened, vec![]), (Reason::SlaBreached, vec![50, 100])]);
    sim.run("1h");
    sim.clear(alert("HostDown", "web-1"));
    sim.run("10m");
    assert_eq!(reasons(&mut sim), [(Reason::Resolved, vec![])], "each once, and its end to whom was told");

    // It comes and goes before anybody was told: nobody hears of its promise either.
    let mut sim = Sim::new(&rules.replace("20s", "10s"), SHOP);
    sim.fire(alert("HostDown", "web-1"));
    sim.run("20s");
    let id = sim.on("web-1").id;
    sim.command(Action::Resolve { id, words: "reseated".to_owned() });
    sim.run("20s");
    assert_eq!(reasons(&mut sim), []);
}

#[test]
fn what_is_muted_is_measured_and_told_to_nobody() {
    let rules = format!("{GOLD}silences: [{{name: quiet, when: ci.id == 'web-1', from: 2026-03-24T10:05:00+01:00}}]\n");
    let mut sim = Sim::new(&rules, SHOP);
    sim.fire(alert("HostDown", "web-1"));
    sim.run("6h");
    assert_eq!(clock_mails(&mut sim), [""; 0]);
    assert_eq!(standing(&sim, "web-1", SlaTarget::Resolution).state, ClockState::Breached);
}
