//! SLA clocks of incidents: each share is told once, and what pauses, raises and reopens them.

use watchkeeper_engine::event::{Action, Taken};
use watchkeeper_engine::fact::Fact;
use watchkeeper_engine::ids::IncidentId;
use watchkeeper_engine::input::{AlertInput, Says};
use watchkeeper_engine::limits::{CLOCK_MARKS_MAX, SOURCE_WORDS_MAX};
use watchkeeper_engine::model::incident;
use watchkeeper_engine::model::incident::clock::{Moved, Standing};
use watchkeeper_engine::time::{Span, Time};
use watchkeeper_engine::words::{ClockState, IncidentState, JobKind, Priority, Reason, Severity, SlaKind, SlaTarget};

use crate::sim::{self, Care, Sim, alert, as_severity, t, timeline};

pub(super) const SHOP: &str = "
people: [{id: lea, mail: [lea@example.org]}]
teams: [{id: network, mail: [net@example.org], lead: lea}, {id: platform, mail: [platform@example.org]}]
items:
  - {id: sw-1, class: switch, owner: network, criticality: high}
  - {id: web-1, class: host, owner: platform, relations: [{depends_on: sw-1}]}
  - {id: shop, class: service, tier: gold, criticality: high, owner: platform, relations: [{runs_on: web-1}]}
  - {id: alone, class: host, owner: platform}
";

const GOLD: &str = "
calendars: {office: {zone: Europe/Berlin, open: {mon-fri: \"09:00-17:00\"}, closed: [2026-04-03, 2026-04-06]}}
slas:
  - name: gold
    when: service.tier == 'gold'
    calendar: office
    targets: {P1: {response: 15m, resolution: 4h}, P2: {response: 30bm, resolution: 8bh}, P3: {resolution: 2bd}}
    pause: [waiting_for_customer]
    warn_at: [50%, 75%]
  - {name: rest, targets: {P2: {resolution: 8h}}}
";

/// Where a promise of the incident on an item stands now.
pub(super) fn standing(sim: &Sim, item: &str, target: SlaTarget) -> Standing {
    let incident = sim.listed().into_iter().find(|incident| incident.item == item).unwrap();
    let promises = incident.promises(&sim.state.terms, sim.now);
    promises.into_iter().find(|promise| promise.target == target).unwrap_or_else(|| panic!("no {target} on {item}")).standing
}

pub(super) fn hold(id: IncidentId, reason: &str) -> Action {
    Action::Hold { id, reason: reason.to_owned(), until: None }
}

/// Mails about clocks since this was last asked.
fn clock_mails(sim: &mut Sim) -> Vec<String> {
    let of_clock = |reason| matches!(reason, Reason::SlaWarning | Reason::SlaBreached);
    let mut words: Vec<String> = sim
        .mails()
        .iter()
        .filter(|mail| of_clock(mail.reason))
        .map(|mail| {
            let line = &mail.content.clocks[0];
            let shares: Vec<String> = line.reached.iter().map(u32::to_string).collect();
            format!("{} {} {} {}", mail.to, mail.reason, line.target, shares.join(","))
        })
        .collect();
    words.sort();
    words
}

#[test]
fn each_share_of_the_time_is_told_once_and_then_the_breach() {
    let mut sim = Sim::new(GOLD, SHOP);
    sim.fire(alert("HostDown", "web-1"));
    sim.run("1m");
    assert_eq!(sim.said(), ["web-1 new P1"]);
    assert_eq!(standing(&sim, "web-1", SlaTarget::Response).deadline, Some(sim::start() + Span::minutes(15)));
    assert_eq!(standing(&sim, "web-1", SlaTarget::Resolution).deadline, Some(sim::start() + Span::hours(4)));
    sim.run("6m29s");
    assert_eq!(clock_mails(&mut sim), [""; 0]);
    sim.run("1s");
    assert_eq!(clock_mails(&mut sim), ["platform@example.org sla_warning response 50"]);
    sim.run("7m30s");
    assert_eq!(clock_mails(&mut sim), ["platform@example.org sla_breached response 100", "platform@example.org sla_warning response 75"]);
    let id = sim.on("web-1").id;
    sim.command(Action::Acknowledge { id });
    assert_eq!(standing(&sim, "web-1", SlaTarget::Response).state, ClockState::Breached, "a breach is never undone");
    sim.run("4h");
    assert_eq!(
        clock_mails(&mut sim),
        [
            "platform@example.org sla_breached resolution 100",
            "platform@example.org sla_warning resolution 50",
            "platform@example.org sla_warning resolution 75",
        ]
    );
    sim.run("30d");
    assert_eq!(clock_mails(&mut sim), [""; 0]);
    let said = sim::timeline(&sim, id);
    for entry in [
        "SLA gold counts",
        "SLA gold: 50 % of the time to resolution used",
        "SLA gold breached: resolution was due 2026-03-24T13:00:00.000Z",
    ] {
        assert!(said.iter().any(|line| line == entry), "{entry}: {said:#?}");
    }
}

#[test]
fn a_breach_has_a_subject_of_its_own_in_the_same_thread() {
    let mut sim = Sim::new(GOLD, SHOP);
    sim.fire(alert("HostDown", "web-1"));
    sim.run("15m");
    let mails = sim.mails();
    let [opened, half, most, breached] = &mails[..] else { panic!("{mails:#?}") };
    assert_eq!((opened.subject.as_str(), half.subject.as_str()), ("P1 web-1 down: shop [INC0000001]", "P1 web-1 down: shop [INC0000001]"));
    assert_eq!(breached.subject, "BREACHED: P1 web-1 down: shop [INC0000001]");
    assert_eq!((half.thread, most.thread, breached.thread), (opened.id, opened.id, opened.id));
}

#[test]
fn whoever_has_it_in_time_has_kept_the_promise_to_answer() {
    for action in [
        |id| Action::Acknowledge { id },
        |id| Action::Assign { id, to: "bert".to_owned() },
        |id| hold(id, "waiting_for_customer"),
        |id| hold(id, "waiting_for_vendor"),
    ] {
        let mut sim = Sim::new(GOLD, SHOP);
        sim.fire(alert("HostDown", "web-1"));
        sim.run("4m");
        let id = sim.on("web-1").id;
        sim.command(action(id));
        sim.run("1h");
        let found = standing(&sim, "web-1", SlaTarget::Response);
        assert_eq!(
            (found.state, found.percent, found.used, found.ended),
            (ClockState::Met, 26, Span::minutes(4), Some(sim::start() + Span::minutes(4)))
        );
        assert_eq!(clock_mails(&mut sim), [""; 0], "nobody is warned of a promise that was kept");
    }
}

#[test]
fn a_hold_pauses_only_for_the_reasons_that_the_sla_lists() {
    for (reason, pauses) in [("waiting_for_customer", true), ("waiting_for_vendor", false), ("waiting_for_change", false)] {
        let mut sim = Sim::new(GOLD, SHOP);
        sim.fire(alert("HostDown", "web-1"));
        sim.run("1h");
        let id = sim.on("web-1").id;
        sim.command(hold(id, reason));
        sim.run("2h");
        let found = standing(&sim, "web-1", SlaTarget::Resolution);
        assert_eq!(found.state == ClockState::Paused, pauses, "{reason}");
        assert_eq!(found.deadline, (!pauses).then_some(sim::start() + Span::hours(4)));
        sim.command(Action::Resume { id });
        let paused = if pauses { Span::hours(2) } else { Span::ZERO };
        let found = standing(&sim, "web-1", SlaTarget::Resolution);
        assert_eq!((found.deadline, found.paused), (Some(sim::start() + Span(Span::hours(4).0 + paused.0)), paused), "{reason}");
    }
}

#[test]
fn another_priority_counts_from_the_start() {
    let mut sim = Sim::new(GOLD, SHOP);
    sim.fire(as_severity(Severity::Error, alert("HostDown", "web-1")));
    sim.run("3h");
    let id = sim.on("web-1").id;
    assert_eq!(sim.said(), ["web-1 new P2"]);
    sim.command(Action::Acknowledge { id });
    sim.command(Action::SetPriority { id, priority: Priority::P1, words: String::new() });
    let found = standing(&sim, "web-1", SlaTarget::Resolution);
    assert_eq!(
        (found.deadline, found.left, found.percent),
        (Some(sim::start() + Span::hours(4)), Span::hours(1), 75),
        "three hours of four are used"
    );
    assert_eq!(
        clock_mails(&mut sim),
        [
            "platform@example.org sla_breached response 100",
            "platform@example.org sla_warning resolution 50,75",
            "platform@example.org sla_warning response 50",
            "platform@example.org sla_warning response 75",
        ],
        "what the higher priority has used already is one mail"
    );
    // What was measured by the lower one stays so: the answer had 30 working minutes.
    assert_eq!(standing(&sim, "web-1", SlaTarget::Response).deadline, Some(sim::start() + Span::minutes(30)));
}

#[test]
fn reopened_it_must_be_answered_anew_and_the_time_to_restore_goes_on() {
    let mut sim = Sim::new(GOLD, SHOP);
    sim.fire(alert("HostDown", "web-1"));
    sim.run("5m");
    let id = sim.on("web-1").id;
    sim.command(Action::Acknowledge { id });
    sim.run("55m");
    sim.command(Action::Resolve { id, words: "reseated".to_owned() });
    assert_eq!(standing(&sim, "web-1", SlaTarget::Resolution).state, ClockState::Met);
    sim.run("4m");
    sim.command(Action::Reopen { id, words: "no".to_owned() });
    let response = standing(&sim, "web-1", SlaTarget::Response);
    assert_eq!((response.period, response.state, response.deadline), (1, ClockState::Running, Some(sim.now + Span::minutes(15))));
    let resolution = standing(&sim, "web-1", SlaTarget::Resolution);
    assert_eq!(
        (resolution.deadline, resolution.paused),
        (Some(sim::start() + Span::minutes(244)), Span::minutes(4)),
        "while it was resolved nothing was used"
    );
    sim.run("15m");
    assert!(clock_mails(&mut sim).contains(&"platform@example.org sla_breached response 100".to_owned()));
}

#[test]
fn a_child_stands_still_and_its_adopter_counts_from_the_earliest_alert() {
    let rules = format!("{GOLD}correlate: [{{name: slow, matchers: [alertname=\"DeviceDown\"], for: 2m, means: down, urgency: high}}]\n");
    let mut sim = Sim::new(&rules, SHOP);
    sim.fire(alert("HostDown", "web-1"));
    sim.run("1m");
    sim.fire(alert("DeviceDown", "sw-1"));
    sim.run("3m");
    assert_eq!(sim.said(), ["sw-1 new P1 with web-1"]);
    assert_eq!(standing(&sim, "sw-1", SlaTarget::Resolution).start, sim::start(), "web-1 was the first to be heard");
    sim.run("7h");
    let late: Vec<_> = clock_mails(&mut sim);
    assert_eq!(late.len(), 6, "only the adopter's clocks are told: {late:#?}");
    let child = sim.state.incidents.values().find(|incident| incident.parent.is_some()).unwrap();
    let found = child.promises(&sim.state.terms, sim.now);
    assert!(found.iter().all(|promise| promise.standing.state == ClockState::Paused), "{found:#?}");
    // Released, it goes on where it stood.
    sim.clear(alert("DeviceDown", "sw-1"));
    sim.run("3m");
    let released = standing(&sim, "web-1", SlaTarget::Resolution);
    assert!(released.used < Span::minutes(10) && released.paused > Span::hours(7), "{released:?}");
}

#[test]
fn what_a_source_says_of_an_incident_moves_no_clock_and_only_an_operator_acknowledges() {
    let rules = GOLD.replace("resolution: 4h}", "resolution: 90h, update: 1h}");
    let mut sim = Sim::new(&rules, SHOP);
    let of = |says: Says| AlertInput { says, ..alert("HostDown", "web-1") };
    let by = |by: &str| Says::Acknowledged { by: by.to_owned() };
    assert_eq!(sim.send(vec![of(by("zoe"))]), [Taken::Over], "nothing is known of it");
    assert!(sim.listed().is_empty());
    sim.fire(alert("HostDown", "web-1"));
    sim.run("5m");
    let id = sim.on("web-1").id;
    let untouched = |sim: &Sim| {
        let incident = sim.on("web-1");
        (incident.state, incident.assignee.clone(), incident.acknowledged_at, incident.log.clone(), incident.clocks.clone())
    };
    let before = untouched(&sim);
    let note = |text: &str| Says::Noted { by: "zoe".to_owned(), text: text.to_owned() };
    for says in [by("zoe"), by("zoe"), note("we look"), note("we look"), by("")] {
        sim.send(vec![of(says)]);
    }
    assert_eq!(untouched(&sim), before);
    let said = |sim: &Sim| -> Vec<String> { timeline(sim, id).into_iter().filter(|line| line.contains("source")).collect() };
    let words = [
        "ALR0000001 acknowledged at its source by zoe",
        "note on ALR0000001 at its source by zoe: we look",
        "ALR0000001 acknowledged at its source",
    ];
    assert_eq!(said(&sim), words, "the same again writes nothing");
    assert_eq!(sim.state.cell(sim.on("web-1").cause.unwrap()).unwrap().vitals.count, 1, "it was not heard again");
    sim.run("1m");
    for n in 0..SOURCE_WORDS_MAX + 10 {
        sim.send(vec![of(note(&n.to_string()))]);
    }
    assert_eq!(said(&sim).len(), SOURCE_WORDS_MAX as usize);
    sim.send(vec![of(Says::Acknowledge { actor: "otto".to_owned() })]);
    let incident = sim.on("web-1");
    assert_eq!((incident.state, incident.assignee.as_str()), (IncidentState::Acknowledged, "otto"));
    sim.clear(alert("HostDown", "web-1"));
    assert_eq!(sim.send(vec![of(by("late"))]), [Taken::Over], "what has cleared is acknowledged by nobody");
}

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
fn a_vendors_time_counts_while_the_incident_waits_for_them_and_they_cover_what_is_at_fault() {
    let rules = format!(
        "{GOLD}  - {{name: other, kind: uc, contract: globex, targets: {{P1: {{resolution: 1h}}}}}}
  - {{name: acme, kind: uc, contract: ACME-hosts, targets: {{P1: {{resolution: 2h}}}}, warn_at: [50%]}}
notify:
  - {{name: vendors, when: sla.kind == 'uc', send: [sla_warning, sla_breached], to: [team:network]}}
"
    );
    let shop =
        format!("{SHOP}contracts: [{{id: acme-hosts, vendor: ACME, covers: [web-1]}}, {{id: globex, vendor: Globex, covers: [sw-1]}}]\n");
    let of_vendor = |sim: &Sim| {
        let incident = sim.on("web-1");
        let promises = incident.promises(&sim.state.terms, sim.now);
        promises.into_iter().find(|promise| promise.clock.kind == SlaKind::Uc).map(|promise| (promise.clock.name.clone(), promise.standing))
    };
    let mut sim = Sim::new(&rules, &shop);
    sim.fire(alert("HostDown", "web-1"));
    sim.run("1h");
    let id = sim.on("web-1").id;
    sim.command(hold(id, "waiting_for_customer"));
    assert_eq!(of_vendor(&sim), None, "nobody waits for them yet");
    sim.command(hold(id, "waiting_for_vendor"));
    let (name, first) = of_vendor(&sim).unwrap();
    assert_eq!((name.as_str(), first.start, first.deadline), ("acme", sim.now, Some(sim.now + Span::hours(2))));
    sim.run("30m");
    sim.command(Action::Resume { id });
    sim.run("5h");
    let (_, waits) = of_vendor(&sim).unwrap();
    assert_eq!((waits.state, waits.used, waits.paused), (ClockState::Paused, Span::minutes(30), Span::hours(5)));
    assert_eq!(clock_mails(&mut sim), [""; 0]);
    sim.command(hold(id, "waiting_for_vendor"));
    sim.run("29m");
    assert_eq!(clock_mails(&mut sim), [""; 0]);
    sim.run("1m");
    assert_eq!(clock_mails(&mut sim), ["net@example.org sla_warning resolution 50"]);
    sim.run("30m");
    sim.command(hold(id, "waiting_for_change"));
    sim.run("1h");
    assert_eq!(of_vendor(&sim).unwrap().1.state, ClockState::Paused, "that is not theirs");
    sim.command(hold(id, "waiting_for_vendor"));
    sim.run("30m");
    assert_eq!(clock_mails(&mut sim), ["net@example.org sla_breached resolution 100"]);
    // What is promised to those who use the service went its own way.
    assert_eq!(standing(&sim, "web-1", SlaTarget::Resolution).deadline, Some(sim::start() + Span::hours(4)));

    // Reopened it is the same promise; over in time it is kept.
    let mut sim = Sim::new(&rules, &shop);
    sim.fire(alert("HostDown", "web-1"));
    sim.run("1m");
    let id = sim.on("web-1").id;
    sim.command(hold(id, "waiting_for_vendor"));
    sim.run("1h");
    sim.command(Action::Resolve { id, words: "reseated".to_owned() });
    sim.command(Action::Reopen { id, words: "no".to_owned() });
    sim.run("3h");
    sim.command(hold(id, "waiting_for_vendor"));
    sim.run("20m");
    assert_eq!(of_vendor(&sim).unwrap().1.used, Span::minutes(80));
    sim.command(Action::Resolve { id, words: "reseated".to_owned() });
    let incident = &sim.state.incidents[&id];
    let promises = incident.promises(&sim.state.terms, sim.now);
    let kept = promises.iter().find(|promise| promise.clock.kind == SlaKind::Uc).unwrap();
    assert_eq!((kept.standing.state, kept.standing.used), (ClockState::Met, Span::minutes(80)));

    // They do not cover it.
    let mut sim = Sim::new(&rules, &shop.replace("covers: [web-1]", "covers: [alone]"));
    sim.fire(alert("HostDown", "web-1"));
    sim.run("1m");
    let id = sim.on("web-1").id;
    sim.command(hold(id, "waiting_for_vendor"));
    assert_eq!(of_vendor(&sim), None);
}

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
    let shares: Vec<_> = mail.content.clocks.iter().map(|line| (line.target.as_str(), line.reached.clone())).collect();
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
    let told: Vec<_> = mails
        .iter()
        .map(|mail| {
            let lines = mail.content.clocks.iter().filter(|line| !line.reached.is_empty());
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
        mails.iter().map(|mail| (mail.reason, mail.content.clocks.iter().flat_map(|line| line.reached.clone()).collect())).collect()
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

#[test]
fn what_is_muted_is_measured_and_told_to_nobody() {
    let rules = format!("{GOLD}silences: [{{name: quiet, when: ci.id == 'web-1', from: 2026-03-24T10:05:00+01:00}}]\n");
    let mut sim = Sim::new(&rules, SHOP);
    sim.fire(alert("HostDown", "web-1"));
    sim.run("6h");
    assert_eq!(clock_mails(&mut sim), [""; 0]);
    assert_eq!(standing(&sim, "web-1", SlaTarget::Resolution).state, ClockState::Breached);
}
