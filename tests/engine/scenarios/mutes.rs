//! Mutes: what is silenced is recorded, opens nothing and tells nobody; what still fires at the end of a silence is judged then.

use watchkeeper_engine::event::{Action, Obeyed};
use watchkeeper_engine::ids::SilenceId;
use watchkeeper_engine::model::silence::StoredMatcher;
use watchkeeper_engine::text::Labels;
use watchkeeper_engine::words::{AlertState, IncidentState};

use crate::sim::{Sim, alert, d};

const HOSTS: &str = "
teams: [{id: network, mail: [net@example.org]}, {id: platform, mail: [platform@example.org]}]
items:
  - {id: sw-1, class: switch, owner: network}
  - {id: db-1, class: host, owner: platform, relations: [{depends_on: sw-1}]}
  - {id: db-2, class: host, owner: platform}
";

const SILENCE: &str = "
silences:
  - {name: works, when: 'ci.id == \"db-2\"', from: 2026-03-24T10:10:00+01:00, until: 2026-03-24T11:00:00+01:00, comment: OPS-7}
";

fn silence(sim: &mut Sim, name: &str, value: &str, lasts: &str) -> SilenceId {
    let matcher = StoredMatcher { name: name.to_owned(), value: value.to_owned(), is_regex: false, is_equal: true };
    let (starts_at, ends_at) = (sim.now, sim.now + d(lasts));
    let made = Action::SetSilence {
        id: None,
        matchers: vec![matcher],
        starts_at,
        ends_at,
        comment: "works".to_owned(),
        annotations: Labels::default(),
    };
    let Obeyed::Done { changed: true, .. } = sim.command(made) else { panic!() };
    let id = SilenceId(sim.state.counters.silences);
    sim.run("0s");
    id
}

fn states(sim: &Sim) -> Vec<AlertState> {
    sim.state.alerts().map(|cell| cell.alert.state).collect()
}

#[test]
fn what_fires_under_a_silence_opens_nothing_and_what_clears_under_it_is_never_told() {
    let mut sim = Sim::new("{}", HOSTS);
    silence(&mut sim, "instance", "db-2", "1h");
    sim.fire(alert("HostDown", "db-2"));
    sim.run("30m");
    assert_eq!(states(&sim), [AlertState::Suppressed]);
    sim.clear(alert("HostDown", "db-2"));
    sim.run("2h");
    assert_eq!((sim.said(), sim.mails()), (vec![], vec![]));
    // Another alert takes its slot; the silence, which is kept for a while, does not select that one.
    sim.fire(alert("HostDown", "db-1"));
    sim.run("1m");
    assert_eq!(sim.said(), ["db-1 new P2"]);
}

#[test]
fn what_still_fires_when_a_silence_ends_is_judged_then() {
    let mut sim = Sim::new("{}", HOSTS);
    let id = silence(&mut sim, "instance", "db-2", "1h");
    sim.fire(alert("HostDown", "db-2"));
    sim.run("59m59s");
    assert_eq!(sim.said(), [""; 0]);
    sim.run("1s");
    assert_eq!(sim.said(), ["db-2 new P2"]);
    sim.run("1m");
    assert_eq!(sim.mail_words(), ["platform@example.org opened"]);
    let said = &sim.state.cell(watchkeeper_engine::ids::AlertId(1)).unwrap().alert.judgement;
    assert!(said.iter().any(|step| step.because.contains(&id.to_string())), "{said:#?}");
}

#[test]
fn a_silence_that_is_ended_early_lets_what_fires_be_judged_at_once() {
    let mut sim = Sim::new("{}", HOSTS);
    let id = silence(&mut sim, "instance", "db-2", "8h");
    sim.fire(alert("HostDown", "db-2"));
    sim.run("1h");
    let Obeyed::Done { changed: true, .. } = sim.command(Action::ExpireSilence { id }) else { panic!() };
    sim.run("1m");
    assert_eq!(sim.said(), ["db-2 new P2"]);
}

#[test]
fn a_silence_rule_begins_and_ends_at_its_own_times() {
    let mut sim = Sim::new(SILENCE, HOSTS);
    sim.run("12m");
    sim.fire(alert("HostDown", "db-2"));
    sim.run("47m");
    assert_eq!(states(&sim), [AlertState::Suppressed]);
    sim.run("2m");
    assert_eq!(sim.said(), ["db-2 new P2"]);
}

#[test]
fn a_silence_over_an_open_incident_stops_its_mails_and_what_clears_under_it_closes_quietly() {
    let mut sim = Sim::new("{}", HOSTS);
    sim.fire(alert("HostDown", "db-2"));
    sim.run("1m");
    assert_eq!(sim.mail_words(), ["platform@example.org opened"]);
    silence(&mut sim, "instance", "db-2", "8h");
    sim.run("1m");
    assert!(sim.on("db-2").muted);
    sim.clear(alert("HostDown", "db-2"));
    sim.run("1h");
    assert_eq!(sim.said(), ["db-2 resolved P2"]);
    assert_eq!(sim.mails(), [], "it resolved under the silence");
}

#[test]
fn an_incident_that_is_silenced_before_its_first_mail_is_told_when_the_silence_ends() {
    let mut sim = Sim::new("{}", HOSTS);
    sim.fire(alert("HostDown", "db-2"));
    sim.run("10s");
    silence(&mut sim, "instance", "db-2", "1h");
    sim.run("30m");
    assert_eq!(sim.mails(), []);
    sim.run("31m");
    assert_eq!(sim.mail_words(), ["platform@example.org opened"]);
}

#[test]
fn a_muted_cause_takes_no_symptoms_and_a_symptom_is_told_to_its_own() {
    let mut sim = Sim::new("{}", HOSTS);
    silence(&mut sim, "instance", "sw-1", "8h");
    sim.fire(alert("DeviceDown", "sw-1"));
    sim.fire(alert("HostDown", "db-1"));
    sim.run("1m");
    assert_eq!(sim.said(), ["db-1 new P2"]);
}

#[test]
fn a_silence_over_a_symptom_leaves_its_cause_alone() {
    let mut sim = Sim::new("{}", HOSTS);
    sim.fire(alert("DeviceDown", "sw-1"));
    sim.fire(alert("HostDown", "db-1"));
    sim.run("1m");
    sim.mails();
    silence(&mut sim, "instance", "db-1", "8h");
    sim.run("1m");
    assert_eq!(sim.open().iter().map(|incident| incident.muted).collect::<Vec<_>>(), [false]);
    sim.clear(alert("DeviceDown", "sw-1"));
    sim.run("10m");
    assert_eq!(sim.mails().iter().map(|mail| mail.to.as_str()).collect::<Vec<_>>(), [""; 0], "something in it still fires, muted");
    assert_eq!(sim.open().len(), 1);
}

#[test]
fn a_reload_that_brings_a_silence_mutes_what_fires_and_one_that_takes_it_away_judges_it() {
    let mut sim = Sim::new("{}", HOSTS);
    sim.fire(alert("HostDown", "db-2"));
    sim.run("15m");
    sim.mails();
    sim.reload(SILENCE, HOSTS);
    sim.run("1m");
    assert_eq!(states(&sim), [AlertState::Suppressed]);
    assert!(sim.on("db-2").muted);
    sim.reload("{}", HOSTS);
    sim.run("1m");
    assert_eq!(states(&sim), [AlertState::Firing]);
    assert_eq!(sim.said(), ["db-2 new P2"]);
    assert_eq!(sim.mails(), [], "whoever knows is not told again");
}

#[test]
fn a_silence_over_many_alerts_goes_on_in_slices_and_misses_none() {
    let mut sim = Sim::quick("{}", HOSTS);
    sim.send((0..2_500).map(|n| alert("HostDown", &format!("host-{n}"))).collect());
    sim.run("1m");
    let id = silence(&mut sim, "alertname", "HostDown", "1h");
    sim.run("1s");
    assert!(states(&sim).iter().all(|state| *state == AlertState::Suppressed));
    sim.command(Action::ExpireSilence { id });
    sim.run("1s");
    assert!(states(&sim).iter().all(|state| *state == AlertState::Firing));
    sim.check();
}

#[test]
fn an_incident_resolved_under_a_silence_is_told_anew_when_it_returns_after_it() {
    let mut sim = Sim::new("{}", HOSTS);
    sim.fire(alert("HostDown", "db-2"));
    sim.run("1m");
    silence(&mut sim, "instance", "db-2", "1h");
    sim.clear(alert("HostDown", "db-2"));
    sim.run("2h");
    sim.mails();
    sim.fire(alert("HostDown", "db-2"));
    sim.run("1m");
    assert_eq!(sim.on("db-2").state, IncidentState::New);
    assert_eq!(sim.mail_words(), ["platform@example.org reopened"]);
}
