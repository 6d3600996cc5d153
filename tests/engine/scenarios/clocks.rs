//! SLA clocks of incidents: each share is told once, and what pauses, raises and reopens them.

mod ended;
mod missed;
mod told;

use watchkeeper_engine::event::{Action, Taken};
use watchkeeper_engine::ids::IncidentId;
use watchkeeper_engine::input::{AlertInput, Says};
use watchkeeper_engine::limits::SOURCE_WORDS_MAX;
use watchkeeper_engine::model::incident::clock::Standing;
use watchkeeper_engine::time::Span;
use watchkeeper_engine::words::{ClockState, IncidentState, Priority, Reason, Severity, SlaKind, SlaTarget};

use crate::sim::{self, Sim, alert, as_severity, timeline};

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
            let line = &mail.said().clocks[0];
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
    assert_eq!(sim.on("sw-1").since(), sim::start(), "and its mails, which say since when it is so, count from there too");
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
