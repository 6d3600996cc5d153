//! The life of an incident: joined, adopted, released, resolved, reopened, closed, and who hears of it.

use watchkeeper_engine::event::{Action, Event, Grade, Lasts, Obeyed, Report};
use watchkeeper_engine::ids::{IncidentId, Realm};
use watchkeeper_engine::input::AlertInput;
use watchkeeper_engine::model::message::MessageState;
use watchkeeper_engine::time::Span;
use watchkeeper_engine::words::{AlertState, IncidentState, Priority, Reason, Severity};

use crate::sim::{Sim, alert, as_severity, t, timeline};

const SWITCH: &str = "
teams: [{id: network, mail: [net@example.org]}, {id: platform, mail: [platform@example.org]}]
items:
  - {id: sw-1, class: switch, owner: network, criticality: high}
  - {id: db-1, class: host, owner: platform, relations: [{depends_on: sw-1}]}
  - {id: db-2, class: host, owner: platform, relations: [{depends_on: sw-1}]}
  - {id: alone, class: host, owner: platform}
";

#[test]
fn what_somebody_reports_is_told_in_their_words_and_ends_by_hand_only() {
    let mut sim = Sim::new("{}", SWITCH);
    let report = Report {
        title: "The hall is dark".to_owned(),
        ci: "SW-1".to_owned(),
        grade: Grade::Priority { priority: Priority::P1 },
        words: "smells\nburnt".to_owned(),
    };
    assert!(matches!(sim.command(Action::ReportIncident { report }), Obeyed::Done { changed: true, .. }));
    sim.run("1s");
    let mails = sim.mails();
    assert_eq!(mails.iter().map(|mail| mail.to.as_str()).collect::<Vec<_>>(), ["net@example.org"]);
    assert_eq!((mails[0].said().quote.source.as_str(), mails[0].said().quote.summary.as_str()), ("anna", "smells burnt"));
    sim.restart("1h");
    sim.run("2d");
    sim.fire(alert("DeviceDown", "sw-1"));
    sim.clear(alert("DeviceDown", "sw-1"));
    sim.run("1h");
    assert_eq!(sim.said(), ["sw-1 new P1", "sw-1 resolved P1"], "what alerts of its item do is not its own");
    let id = sim.open()[0].id;
    sim.command(Action::Resolve { id, words: "fuse".to_owned() });
    assert_eq!(sim.mails().last().map(|mail| (mail.reason, mail.said().words)), Some((Reason::Resolved, "fuse".to_owned())));
}

#[test]
fn a_mail_that_was_given_up_is_tried_again_as_it_was() {
    let mut sim = Sim::new("{}", SWITCH);
    sim.fire(alert("HostDown", "alone:9100"));
    sim.run("5m");
    let id = sim.mails()[0].id;
    sim.event(Event::Rendered { id, bytes: b"as it is".to_vec(), fallback: String::new() });
    let rendered = sim.state.messages[&id].clone();
    sim.event(Event::DeliveryFailed { id, error: "550".to_owned(), lasts: Lasts::ForGood });
    let dead = sim.past_message(id).unwrap();
    sim.run("3d");
    let retried = Action::revive(dead);
    assert!(matches!(sim.command(retried), Obeyed::Done { changed: true, .. }));
    let now = sim.state.messages[&id].clone();
    let (is, was) = (&now.sending, &rendered.sending);
    assert_eq!((&is.bytes, now.thread, is.state, is.attempts), (&was.bytes, rendered.thread, was.state, 1));
    assert_eq!((now.tried_since(), sim.past_message(id)), (sim.now, None));
    sim.restart("1m");
    assert_eq!(sim.state.messages[&id], now);
    sim.event(Event::Delivered { id });
    assert_eq!(sim.past_message(id).unwrap().sending.state, MessageState::Delivered);
    let delivered = Action::revive(sim.past_message(id).unwrap());
    assert!(matches!(sim.command(delivered), Obeyed::Done { changed: false, .. }));
}

#[test]
fn five_copies_of_one_alert_from_two_sources_are_one_alert_one_incident_and_one_mail() {
    let mut sim = Sim::new("{}", SWITCH);
    let from = |source: &str| AlertInput { source: source.to_owned(), ..alert("HostDown", "alone:9100") };
    let first = sim.fire(from("prom-a"));
    for source in ["prom-b", "prom-a", "prom-b", "prom-a"] {
        sim.run("3s");
        assert_eq!(sim.fire(from(source)), first);
    }
    sim.run("5m");
    assert_eq!(sim.state.alert_count(), 1);
    assert_eq!(sim.state.cell(first).unwrap().vitals.count, 5);
    assert_eq!(sim.said(), ["alone new P2"]);
    assert_eq!(sim.mail_words(), ["platform@example.org opened"]);
    sim.clear(from("prom-a"));
    sim.run("10m");
    assert_eq!(sim.said(), ["alone new P2"], "the other source still says that it fires");
    sim.clear(from("prom-b"));
    sim.run("10m");
    assert_eq!(sim.said(), ["alone resolved P2"]);
}

#[test]
fn an_alert_that_comes_back_within_reopen_within_reopens_its_incident() {
    let mut sim = Sim::new("{}", SWITCH);
    sim.fire(alert("HostDown", "alone"));
    sim.run("10m");
    let first = sim.on("alone").id;
    sim.command(Action::Acknowledge { id: first });
    sim.clear(alert("HostDown", "alone"));
    sim.run("4m59s");
    assert_eq!(sim.said(), ["alone acknowledged P2"]);
    sim.run("1s");
    assert_eq!(sim.said(), ["alone resolved P2"]);
    sim.run("3h");
    sim.fire(alert("HostDown", "alone"));
    sim.run("1m");
    let incident = sim.on("alone");
    assert_eq!((incident.id, incident.state, incident.reopened), (first, IncidentState::New, 1), "response starts over");
    assert_eq!(incident.acknowledged_at, None);
    assert_eq!(sim.mail_words(), ["platform@example.org opened", "platform@example.org reopened", "platform@example.org resolved"]);
}

#[test]
fn an_alert_that_comes_back_later_opens_a_recurrence() {
    let mut sim = Sim::new("{}", SWITCH);
    sim.fire(alert("HostDown", "alone"));
    sim.run("10m");
    let first = sim.on("alone").id;
    sim.clear(alert("HostDown", "alone"));
    sim.run("5m");
    sim.run("4h");
    sim.fire(alert("HostDown", "alone"));
    sim.run("1m");
    assert_eq!(sim.said(), ["alone resolved P2", "alone new P2"]);
    let again = sim.on("alone");
    assert_eq!((again.recurrence_of, again.reopened), (Some(first), 0));
    assert_eq!(sim.mail_words(), ["platform@example.org opened", "platform@example.org opened", "platform@example.org resolved"]);
}

#[test]
fn a_return_while_the_incident_is_open_breaks_the_quiet_and_is_not_told() {
    let mut sim = Sim::new("{}", SWITCH);
    sim.fire(alert("HostDown", "alone"));
    sim.run("10m");
    for _ in 0..5 {
        sim.clear(alert("HostDown", "alone"));
        sim.run("3m");
        sim.fire(alert("HostDown", "alone"));
        sim.run("3m");
    }
    assert_eq!(sim.said(), ["alone new P2"]);
    assert_eq!(sim.on("alone").alert_count, 1);
    assert_eq!(sim.mail_words(), ["platform@example.org opened"]);
}

#[test]
fn a_late_cause_adopts_what_was_told_already_and_the_incident_of_a_symptom_becomes_its_child() {
    let mut sim = Sim::new("{}", SWITCH);
    sim.fire(alert("HostDown", "db-1"));
    sim.run("5m");
    let own = sim.on("db-1").id;
    assert_eq!(sim.mail_words(), ["platform@example.org opened"]);
    sim.fire(alert("DeviceDown", "sw-1"));
    sim.run("1m");
    assert_eq!(sim.said(), ["sw-1 new P1 with db-1"]);
    assert_eq!(sim.state.incidents[&own].parent, Some(sim.on("sw-1").id));
    let mails = sim.mails();
    let words: Vec<String> = mails.iter().map(|mail| format!("{} {}", mail.to, mail.reason)).collect();
    assert_eq!(words, ["net@example.org opened", "platform@example.org affected"]);
    assert_eq!(mails[1].said().yours_incident, own.to_string(), "the mail says what became of theirs");
}

#[test]
fn what_began_more_than_adopt_within_before_a_cause_is_none_of_its_symptoms() {
    let mut sim = Sim::new("{}", SWITCH);
    sim.fire(alert("HostDown", "db-1"));
    sim.run("10m1s");
    sim.fire(alert("DeviceDown", "sw-1"));
    sim.fire(alert("HostDown", "db-2"));
    sim.run("1m");
    assert_eq!(sim.said(), ["db-1 new P2", "sw-1 new P1 with db-2"]);
}

#[test]
fn a_cleared_cause_gives_back_what_still_fires_two_minutes_later() {
    let mut sim = Sim::new("{}", SWITCH);
    sim.fire(alert("HostDown", "db-1"));
    sim.run("2m");
    let own = sim.on("db-1").id;
    sim.fire(alert("DeviceDown", "sw-1"));
    sim.fire(alert("HostDown", "db-2"));
    sim.run("10m");
    assert_eq!(sim.said(), ["sw-1 new P1 with db-1 db-2"]);
    sim.mails();
    sim.clear(alert("DeviceDown", "sw-1"));
    sim.run("1m59s");
    assert_eq!(sim.said(), ["sw-1 new P1 with db-1 db-2"]);
    sim.run("1s");
    sim.run("1m");
    assert_eq!(sim.said(), ["db-1 new P2", "sw-1 new P1", "db-2 new P2"]);
    assert_eq!(sim.on("db-1").id, own, "it has its incident back");
    assert_eq!(sim.mail_words(), ["platform@example.org released", "platform@example.org released"]);
    let said = timeline(&sim, own);
    assert!(said.iter().any(|entry| entry.contains("sw-1 cleared 2 min ago, and this alert still fires")), "{said:#?}");
}

#[test]
fn a_symptom_that_clears_with_its_cause_is_not_given_back() {
    let mut sim = Sim::new("{}", SWITCH);
    sim.fire(alert("DeviceDown", "sw-1"));
    sim.fire(alert("HostDown", "db-1"));
    sim.run("10m");
    sim.clear(alert("DeviceDown", "sw-1"));
    sim.run("1m");
    sim.clear(alert("HostDown", "db-1"));
    sim.run("10m");
    assert_eq!(sim.said(), ["sw-1 resolved P1"]);
    let mails = ["net@example.org opened", "net@example.org resolved", "platform@example.org affected", "platform@example.org resolved"];
    assert_eq!(sim.mail_words(), mails, "who was told that it is not theirs hears that it is over, once");
}

#[test]
fn a_cause_that_returns_before_the_release_keeps_its_symptoms() {
    let mut sim = Sim::new("{}", SWITCH);
    sim.fire(alert("DeviceDown", "sw-1"));
    sim.fire(alert("HostDown", "db-1"));
    sim.run("10m");
    sim.clear(alert("DeviceDown", "sw-1"));
    sim.run("1m");
    sim.fire(alert("DeviceDown", "sw-1"));
    sim.run("10m");
    assert_eq!(sim.said(), ["sw-1 new P1 with db-1"]);
}

#[test]
fn resolved_by_hand_while_it_still_fires_it_reopens_by_itself() {
    let mut sim = Sim::new("{}", SWITCH);
    sim.fire(alert("HostDown", "alone"));
    sim.run("10m");
    let id = sim.on("alone").id;
    sim.command(Action::Resolve { id, words: "rebooted".to_owned() });
    assert_eq!(sim.said(), ["alone resolved P2"]);
    sim.run("4m59s");
    assert_eq!(sim.said(), ["alone resolved P2"]);
    sim.run("1m");
    assert_eq!(sim.said(), ["alone new P2"]);
    assert_eq!(sim.on("alone").reopened, 1);
    assert_eq!(sim.mail_words(), ["platform@example.org opened", "platform@example.org reopened", "platform@example.org resolved"]);
}

#[test]
fn reopened_by_hand_it_stays_open_until_it_fires_and_clears_again_or_somebody_resolves_it() {
    let mut sim = Sim::new("{}", SWITCH);
    sim.fire(alert("HostDown", "alone"));
    sim.run("10m");
    let id = sim.on("alone").id;
    sim.clear(alert("HostDown", "alone"));
    sim.run("10m");
    sim.command(Action::Reopen { id, words: "the disk is still broken".to_owned() });
    sim.run("24h");
    assert_eq!(sim.said(), ["alone new P2"]);
    sim.fire(alert("HostDown", "alone"));
    sim.run("1m");
    sim.clear(alert("HostDown", "alone"));
    sim.run("5m");
    assert_eq!(sim.said(), ["alone resolved P2"]);
}

#[test]
fn closed_by_hand_while_it_still_fires_it_opens_another_when_it_would_have_come_back() {
    let mut sim = Sim::new("{}", SWITCH);
    sim.fire(alert("HostDown", "alone"));
    sim.run("1m");
    let id = sim.on("alone").id;
    sim.command(Action::Resolve { id, words: "rebooted".to_owned() });
    assert!(matches!(sim.command(Action::Close { id }), Obeyed::Done { changed: true, .. }));
    sim.run("4m59s");
    assert_eq!(sim.said(), [""; 0]);
    sim.mails();
    sim.run("1m");
    assert_eq!(sim.said(), ["alone new P2"]);
    assert_eq!(sim.mail_words(), ["platform@example.org opened"]);
}

#[test]
fn closed_by_hand_just_before_it_clears_it_opens_nothing() {
    let mut sim = Sim::new("{}", SWITCH);
    sim.fire(alert("HostDown", "alone"));
    sim.run("1m");
    let id = sim.on("alone").id;
    sim.command(Action::Resolve { id, words: String::new() });
    sim.command(Action::Close { id });
    sim.run("1m");
    sim.clear(alert("HostDown", "alone"));
    sim.run("1h");
    assert_eq!((sim.said(), sim.state.alert_count()), (vec![], 0));
}

#[test]
fn children_resolve_and_close_with_their_parent_over_any_generation() {
    let mut sim = Sim::new(
        "{}",
        &(SWITCH.replace(
            "{id: sw-1, class: switch, owner: network, criticality: high}",
            "{id: core, owner: network}\n  - {id: sw-1, class: switch, owner: network, criticality: high, relations: [{depends_on: core}]}",
        )),
    );
    for (name, item) in [("HostDown", "db-1"), ("DeviceDown", "sw-1"), ("DeviceDown", "core")] {
        sim.fire(alert(name, item));
        sim.run("2m");
    }
    assert_eq!(sim.state.incidents.len(), 3);
    assert_eq!(sim.said(), ["core new P2 with db-1 sw-1"]);
    for (name, item) in [("HostDown", "db-1"), ("DeviceDown", "sw-1"), ("DeviceDown", "core")] {
        sim.clear(alert(name, item));
    }
    sim.run("5m");
    assert!(sim.state.incidents.values().all(|incident| incident.state == IncidentState::Resolved));
    let id = sim.listed()[0].id;
    sim.command(Action::Close { id });
    assert_eq!(sim.state.incidents.len(), 0);
}

#[test]
fn resolved_by_hand_just_before_it_clears_it_stays_so() {
    let mut sim = Sim::new("{}", SWITCH);
    sim.fire(alert("HostDown", "alone"));
    sim.run("10m");
    let id = sim.on("alone").id;
    sim.command(Action::Resolve { id, words: "rebooted".to_owned() });
    sim.run("2m");
    sim.clear(alert("HostDown", "alone"));
    sim.run("1h");
    assert_eq!(sim.said(), ["alone resolved P2"]);
    assert_eq!(sim.state.incidents[&id].resolution, "rebooted");
}

#[test]
fn a_resolved_incident_closes_after_three_days_and_leaves_memory_with_its_alerts() {
    let mut sim = Sim::new("{}", SWITCH);
    sim.fire(alert("HostDown", "alone"));
    sim.run("10m");
    sim.clear(alert("HostDown", "alone"));
    sim.run("5m");
    sim.run("71h");
    assert_eq!(sim.said(), ["alone resolved P2"]);
    sim.run("1h");
    assert_eq!(sim.said(), [""; 0]);
    sim.run("15m");
    assert_eq!((sim.state.alert_count(), sim.state.incidents.len(), sim.state.incidents.members().len()), (0, 0, 0));
    assert_eq!(sim.mail_words(), ["platform@example.org opened", "platform@example.org resolved"], "closing is not told by default");
}

#[test]
fn after_an_hour_down_nothing_is_resolved_that_is_heard_again() {
    let mut sim = Sim::new("{}", SWITCH);
    let for_a_while = |sim: &Sim, instance: &str| AlertInput { ends_at: Some(sim.now + Span::minutes(4)), ..alert("HostDown", instance) };
    for minute in 0..5 {
        for n in 0..20 {
            let input = for_a_while(&sim, &format!("host-{n}"));
            sim.fire(input);
        }
        sim.run(if minute < 4 { "1m" } else { "10s" });
    }
    assert_eq!(sim.open().len(), 20);
    sim.mails();
    sim.restart("1h");
    sim.run("2m");
    assert_eq!(sim.open().len(), 20);
    for n in 0..19 {
        let input = for_a_while(&sim, &format!("host-{n}"));
        sim.fire(input);
    }
    sim.run("3m59s");
    for n in 0..19 {
        let input = for_a_while(&sim, &format!("host-{n}"));
        sim.fire(input);
    }
    assert_eq!(sim.mails(), []);
    let waiting = sim.state.alerts().filter(|cell| cell.alert.is_active()).count();
    assert_eq!(waiting, 19, "what nobody says any more is over one resolve timeout after the start");
    let gone = sim.state.alerts().find(|cell| !cell.alert.is_active()).unwrap();
    assert_eq!(gone.alert.cleared_at, Some(t("2026-03-24T11:09:10+01:00")), "a late clear is dated when it is believed");
}

#[test]
fn a_severity_that_goes_up_raises_the_priority_and_tells_those_who_know() {
    let mut sim = Sim::new("{}", SWITCH);
    sim.fire(as_severity(Severity::Error, alert("DiskSlow", "alone")));
    sim.run("5m");
    assert_eq!(sim.said(), ["alone new P3"]);
    sim.fire(as_severity(Severity::Critical, alert("DiskSlow", "alone")));
    sim.run("1m");
    assert_eq!(sim.said(), ["alone new P2"]);
    let mails = sim.mails();
    let words: Vec<String> = mails.iter().map(|mail| format!("{} {} {}", mail.to, mail.reason, mail.subject)).collect();
    assert_eq!(words.len(), 2, "{words:?}");
    assert!(words[1].starts_with("platform@example.org raised P2"), "{words:?}");
    assert_eq!((mails[1].said().priority_before.as_str(), mails[1].thread), ("P3", mails[0].thread));
    sim.fire(as_severity(Severity::Warning, alert("DiskSlow", "alone")));
    sim.run("1m");
    assert_eq!(sim.said(), ["alone new P2"], "priority goes down only by hand");
    assert_eq!(sim.mails(), []);
}

#[test]
fn what_can_wait_is_folded_until_eight_and_pages_when_it_becomes_worse() {
    let mut sim = Sim::new(
        "{}",
        "teams: [{id: platform, mail: [platform@example.org], zone: Europe/Berlin}]\nitems: [{id: a, owner: platform}, {id: b, owner: platform}]",
    );
    sim.fire(as_severity(Severity::Warning, alert("DiskFilling", "a")));
    sim.fire(as_severity(Severity::Warning, alert("DiskFilling", "b")));
    sim.run("1h");
    assert_eq!(sim.said(), ["a new P4", "b new P4"]);
    assert_eq!(sim.mails(), []);
    sim.fire(as_severity(Severity::Error, alert("DiskFilling", "a")));
    sim.run("1m");
    assert_eq!(sim.said(), ["a new P3", "b new P4"]);
    assert_eq!(sim.mail_words(), ["platform@example.org opened"], "the first mail of their own is the full one");
    sim.run_until(t("2026-03-25T07:59:59+01:00"));
    assert_eq!(sim.mails(), []);
    sim.run_until(t("2026-03-25T08:00:00+01:00"));
    let mails = sim.mails();
    let [digest] = &mails[..] else { panic!("{mails:#?}") };
    assert_eq!((digest.to.as_str(), digest.reason), ("platform@example.org", Reason::Digest));
    let items: Vec<String> = digest.said().lines.into_iter().map(|line| line.item).collect();
    assert!(items.iter().any(|item| item == "b"), "{items:?}");
    sim.run("3d");
    assert_eq!(sim.mails(), [], "nothing new, no list");
}

#[test]
fn a_detached_symptom_has_an_incident_of_its_own_and_is_not_taken_again() {
    let mut sim = Sim::new("{}", SWITCH);
    sim.fire(alert("DeviceDown", "sw-1"));
    let symptom = sim.fire(alert("HostDown", "db-1"));
    sim.run("2m");
    let id = sim.on("sw-1").id;
    sim.mails();
    let Obeyed::Done { changed: true, .. } = sim.command(Action::Detach { id, alert: symptom }) else { panic!() };
    sim.run("10m");
    assert_eq!(sim.said(), ["sw-1 new P1", "db-1 new P2"]);
    assert_eq!(sim.mail_words(), ["platform@example.org opened"]);
    sim.fire(as_severity(Severity::Error, alert("HostDown", "db-1")));
    sim.run("1m");
    assert_eq!(sim.said(), ["sw-1 new P1", "db-1 new P2"]);
}

#[test]
fn a_detached_alert_that_was_adopted_has_its_incident_back() {
    let mut sim = Sim::new("{}", SWITCH);
    let symptom = sim.fire(alert("HostDown", "db-1"));
    sim.run("2m");
    let own = sim.on("db-1").id;
    sim.fire(alert("DeviceDown", "sw-1"));
    sim.run("2m");
    let id = sim.on("sw-1").id;
    sim.command(Action::Detach { id, alert: symptom });
    sim.run("2m");
    assert_eq!(sim.said(), ["db-1 new P2", "sw-1 new P1"]);
    assert_eq!(sim.on("db-1").id, own);
}

#[test]
fn what_matches_no_item_is_one_incident_a_value_and_stands_in_the_work_list() {
    let mut sim = Sim::new("{}", SWITCH);
    sim.fire(alert("HostDown", "ghost-1:9100"));
    sim.fire(alert("DiskFull", "ghost-1:9100"));
    sim.fire(alert("HostDown", "ghost-2:9100"));
    sim.run("1m");
    assert_eq!(sim.said(), ["ghost-1 new P2", "ghost-2 new P2"], "an unknown item is medium");
    let unknown: Vec<(String, usize)> = sim.state.unknown_items().map(|(value, alerts)| (value.to_owned(), alerts.len())).collect();
    assert_eq!(unknown, [("ghost-1".to_owned(), 2), ("ghost-2".to_owned(), 1)]);
    assert_eq!(sim.mail_words(), ["ops@example.org opened", "ops@example.org opened"]);
    sim.clear(alert("HostDown", "ghost-2:9100"));
    assert_eq!(sim.state.unknown_items().count(), 1);
}

#[test]
fn an_item_that_becomes_known_is_found_by_what_fires_and_leaves_the_work_list() {
    let mut sim = Sim::new("{}", SWITCH);
    let id = sim.fire(alert("HostDown", "ghost-1:9100"));
    sim.run("1m");
    sim.reload("{}", &(SWITCH.to_owned() + "  - {id: ghost-1, class: host, owner: platform}\n"));
    sim.run("1m");
    assert_eq!(sim.item(id), "ghost-1");
    assert!(sim.state.cell(id).unwrap().alert.ci.known().is_some());
    assert_eq!(sim.state.unknown_items().count(), 0);
    assert_eq!(sim.open().len(), 1, "{:#?}", sim.said());
}

#[test]
fn an_alert_that_its_sender_never_clears_expires() {
    let rules = "correlate: [{name: batch, matchers: ['job=\"batch\"'], expire_after: 24h}]";
    let mut sim = Sim::new(rules, SWITCH);
    let mut input = alert("JobFailed", "alone");
    input.labels = [("alertname", "JobFailed"), ("job", "batch")].into();
    sim.fire(input.clone());
    sim.run("23h");
    sim.fire(input);
    sim.run("23h59m");
    assert_eq!(sim.open().len(), 1);
    sim.run("6m");
    assert_eq!(sim.open().len(), 0);
}

#[test]
fn what_is_informational_or_of_monitoring_itself_is_only_recorded() {
    let mut sim = Sim::new("{}", SWITCH);
    for (name, severity) in [("Watchdog", Severity::Info), ("InfoInhibitor", Severity::Critical), ("Note", Severity::Info)] {
        let id = sim.fire(as_severity(severity, alert(name, "alone")));
        assert_eq!(sim.state.cell(id).unwrap().alert.state, AlertState::Recorded, "{name}");
    }
    sim.run("1h");
    assert_eq!((sim.said(), sim.mails()), (vec![], vec![]));
}

#[test]
fn a_command_whose_state_already_holds_changes_nothing_and_a_stale_one_is_refused() {
    let mut sim = Sim::new("{}", SWITCH);
    sim.fire(alert("HostDown", "alone"));
    let id = sim.on("alone").id;
    let Obeyed::Done { changed: true, version, .. } = sim.command(Action::Acknowledge { id }) else { panic!() };
    assert_eq!(sim.command(Action::Acknowledge { id }), Obeyed::Done { id: id.to_string(), version, changed: false });
    assert!(matches!(sim.command(Action::Close { id }), Obeyed::NotAllowed { state: "acknowledged", .. }));
    let hand = Action::SetPriority { id, priority: Priority::P5, words: "it is a test machine".to_owned() };
    let Obeyed::Done { changed: true, .. } = sim.command(hand) else { panic!() };
    sim.fire(as_severity(Severity::Critical, alert("DiskFull", "alone")));
    sim.run("1m");
    assert_eq!(sim.said(), ["alone acknowledged P5"], "a priority set by hand stays");
}

#[test]
fn an_alert_joins_while_its_incident_is_younger_than_join_within_and_returns_at_any_age() {
    let mut sim = Sim::new("{}", SWITCH);
    sim.fire(as_severity(Severity::Error, alert("A", "alone")));
    sim.run("59m59s");
    sim.fire(as_severity(Severity::Error, alert("B", "alone")));
    sim.run("1s");
    sim.fire(as_severity(Severity::Error, alert("C", "alone")));
    sim.run("1m");
    let alerts: Vec<usize> = sim.open().iter().map(|incident| sim.state.alerts_in(incident.id).count()).collect();
    assert_eq!(alerts, [2, 1]);
    sim.clear(alert("A", "alone"));
    sim.run("5h");
    sim.fire(as_severity(Severity::Error, alert("A", "alone")));
    sim.run("1m");
    let alerts: Vec<usize> = sim.open().iter().map(|incident| sim.state.alerts_in(incident.id).count()).collect();
    assert_eq!(alerts, [2, 1], "it returns to its own");
}

#[test]
fn what_is_new_in_a_realm_bears_its_number_and_each_realm_counts_for_itself() {
    let mut sim = Sim::new("notify: [{name: all, to: [duty@example.org]}]\n", "items: [{id: a}, {id: b}]\n");
    let of = |realm: &str, name: &str, item: &str| AlertInput { realm: Realm::from(realm), ..alert(name, item) };
    let first = sim.fire(of("clinic", "Down", "a"));
    sim.fire(of("main", "Down", "a"));
    sim.run("10m");
    sim.restart("1h");
    sim.fire(of("clinic", "Down", "b"));
    sim.fire(of("school", "Down", "b"));
    sim.fire(of("main", "Down", "b"));
    sim.run("10m");
    let ids: Vec<String> = sim.state.incidents.keys().map(ToString::to_string).collect();
    assert_eq!(ids, ["INC0000001", "INC0000002", "INC1-0000001", "INC1-0000002", "INC2-0000001"]);
    assert_eq!(first.to_string(), "ALR1-0000001");
    let mut mails: Vec<String> = sim.all_mails.iter().map(|mail| format!("{} of {}", mail.id, mail.incident.unwrap())).collect();
    mails.sort();
    assert_eq!(
        mails,
        [
            "MSG0000001 of INC0000001",
            "MSG0000002 of INC0000002",
            "MSG1-0000001 of INC1-0000001",
            "MSG1-0000002 of INC1-0000002",
            "MSG2-0000001 of INC2-0000001"
        ]
    );
    let id: IncidentId = "inc1-0000002".parse().unwrap();
    assert_eq!(sim.state.incidents[&id].realm, Realm::from("clinic"));
    assert!(matches!(sim.command(Action::Acknowledge { id }), Obeyed::Done { changed: true, .. }));
    for text in ["INC1-", "INC-1", "INC1-2-3", "INC65536-1", "INC0000281474976710656"] {
        assert!(text.parse::<IncidentId>().is_err(), "{text}");
    }
}
