//! Capacity: questions by schedule, alerts out of forecasts, and what neither silence of a server nor a restart may do to them.

use watchkeeper_engine::effect::Effect;
use watchkeeper_engine::event::Event;
use watchkeeper_engine::forecast::{Line, Missing, Trend, Window, between, fit};
use watchkeeper_engine::model::capacity::{Answer, Measured, Said};
use watchkeeper_engine::text::Labels;
use watchkeeper_engine::time::{Span, Time};
use watchkeeper_engine::words::Severity;

use crate::sim::{Sim, t};

const RULES: &str = r#"
capacity:
  - name: disk-full
    every: {cron: "0 6 * * *", zone: UTC}
    query: used
    above: 90
"#;

const ITEMS: &str = "
teams: [{id: dba, mail: [dba@example.org]}]
items: [{id: db-1, class: host, owner: dba}, {id: db-2, class: host, owner: dba}]
";

/// A series of a host that goes on from its value now by so much a day.
fn measured(host: &str, now: Time, value: f64, per_day: f64) -> Measured {
    let line = Line { value: value.into(), level: value.into(), per_day: per_day.into(), data_at: now };
    Measured { labels: [("instance", host)].into(), trend: Trend::Line { line } }
}

fn missing(host: &str, now: Time) -> Measured {
    Measured { labels: [("instance", host)].into(), trend: Trend::NoData { why: Missing::Stale, data_at: Some(now) } }
}

fn answer(sim: &mut Sim, series: Vec<Measured>) {
    let said = Said::Series { series, left_out: 0 };
    sim.event(Event::Forecast(Answer { rule: "disk-full".to_owned(), query: "used".to_owned(), said }));
}

fn fail(sim: &mut Sim, error: &str) {
    let said = Said::Nothing { error: error.to_owned() };
    sim.event(Event::Forecast(Answer { rule: "disk-full".to_owned(), query: "used".to_owned(), said }));
}

fn firing(sim: &Sim) -> Vec<String> {
    let fires = sim.state.alerts().filter(|cell| cell.alert.is_active());
    fires.map(|cell| format!("{} {}", cell.alert.labels.get("instance"), cell.alert.severity)).collect()
}

fn asked(sim: &Sim) -> usize {
    sim.effects.iter().filter(|effect| matches!(effect, Effect::Query(rule) if rule == "disk-full")).count()
}

#[test]
fn the_schedule_asks_and_a_start_asks_again_for_what_was_not_answered() {
    let mut sim = Sim::new(RULES, ITEMS);
    sim.run_until(t("2026-03-28T05:59:59Z"));
    let before = asked(&sim);
    sim.run_until(t("2026-03-28T06:00:00Z"));
    assert_eq!(asked(&sim), before + 1);
    sim.restart("1h");
    assert_eq!(asked(&sim), before + 2, "nobody has answered");
    answer(&mut sim, Vec::new());
    sim.restart("1h");
    assert_eq!(asked(&sim), before + 2, "it was answered");
}

#[test]
fn an_alert_fires_within_the_lead_time_and_stands_until_the_limit_is_clearly_away() {
    let mut sim = Sim::new(RULES, ITEMS);
    let now = sim.now;
    // 15 days away, 13, and then around the edge of 14 and of 21.
    answer(&mut sim, vec![measured("db-1", now, 75.0, 1.0)]);
    assert!(firing(&sim).is_empty());
    for value in [77.0, 75.5, 76.5, 72.0, 69.5] {
        answer(&mut sim, vec![measured("db-1", now, value, 1.0)]);
        assert_eq!(firing(&sim), ["db-1 warning"], "at {value}");
    }
    sim.run("1h");
    assert_eq!(sim.said(), ["db-1 new P4"], "one incident of all of it");
    let now = sim.now;
    answer(&mut sim, vec![measured("db-1", now, 68.0, 1.0)]);
    assert!(firing(&sim).is_empty(), "22 days");
    sim.run("10m");
    assert_eq!(sim.said(), ["db-1 resolved P4"]);
}

#[test]
fn the_alert_says_when_and_goes_the_way_of_all_alerts() {
    let mut sim = Sim::new(RULES, ITEMS);
    sim.mails();
    let now = sim.now;
    answer(&mut sim, vec![measured("db-1", now, 88.0, 1.0), measured("db-2", now, 20.0, 0.1)]);
    sim.run("1d");
    let mails = sim.mails();
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert_eq!((mails[0].to.as_str(), sim.on("db-1").item.as_str()), ("dba@example.org", "db-1"));
    let alert = &sim.state.alerts().next().unwrap().alert;
    assert_eq!(alert.said.summary, format!("above 90 in 2 d, on {} UTC: 88 now, 1 a day", day(now + Span::days(2))));
    assert_eq!((sim.state.source(alert.source), alert.name.as_str()), ("capacity", "disk-full"));
}

fn day(at: Time) -> String {
    let text = at.rfc3339();
    format!("{} {}", &text[..10], &text[11..16])
}

#[test]
fn a_limit_that_is_reached_is_worse() {
    let mut sim = Sim::new(RULES, ITEMS);
    let now = sim.now;
    answer(&mut sim, vec![measured("db-1", now, 88.0, 1.0)]);
    answer(&mut sim, vec![measured("db-1", now, 91.0, -1.0)]);
    assert_eq!(firing(&sim), ["db-1 error"]);
    assert_eq!(sim.state.alerts().next().unwrap().alert.severity, Severity::Error);
}

#[test]
fn what_nobody_can_say_fires_nothing_and_clears_nothing() {
    let mut sim = Sim::new(RULES, ITEMS);
    let now = sim.now;
    answer(&mut sim, vec![missing("db-2", now), measured("db-1", now, 88.0, 1.0)]);
    assert_eq!(firing(&sim), ["db-1 warning"]);
    fail(&mut sim, "it cannot be reached");
    assert_eq!(sim.state.capacity.checks()["disk-full"].error, "it cannot be reached");
    answer(&mut sim, vec![missing("db-1", now)]);
    answer(&mut sim, Vec::new());
    sim.run("2h");
    sim.restart("3h");
    sim.run("2h");
    assert_eq!(firing(&sim), ["db-1 warning"], "an alert of a forecast has no end of its own");
    assert_eq!(sim.state.capacity.checks()["disk-full"].error, "", "it answers again");
    let forecast = &sim.state.capacity.forecasts()[&("disk-full".to_owned(), "{instance=\"db-1\"}".to_owned())];
    assert!(forecast.fires && matches!(forecast.trend, Trend::NoData { why: Missing::Stale, .. }), "{forecast:?}");
}

#[test]
fn a_series_that_is_gone_for_its_whole_history_is_forgotten_and_its_alert_clears() {
    let mut sim = Sim::new(RULES, ITEMS);
    let now = sim.now;
    answer(&mut sim, vec![measured("db-1", now, 88.0, 1.0)]);
    sim.run("28d");
    answer(&mut sim, Vec::new());
    assert_eq!(firing(&sim), ["db-1 warning"]);
    sim.run("1s");
    answer(&mut sim, Vec::new());
    assert!(firing(&sim).is_empty() && sim.state.capacity.forecasts().is_empty());
}

#[test]
fn a_rule_that_is_gone_takes_its_alerts_along() {
    let mut sim = Sim::new(RULES, ITEMS);
    let now = sim.now;
    sim.run_until(t("2026-03-28T06:00:00Z"));
    answer(&mut sim, vec![measured("db-1", now, 88.0, 1.0)]);
    sim.reload("{}", ITEMS);
    assert!(firing(&sim).is_empty() && sim.state.capacity.forecasts().is_empty() && sim.state.capacity.checks().is_empty());
    answer(&mut sim, vec![measured("db-1", now, 88.0, 1.0)]);
    assert!(firing(&sim).is_empty() && sim.state.capacity.forecasts().is_empty(), "an answer that comes late is nobody's");
}

#[test]
fn another_query_forgets_the_series_of_the_one_before() {
    let mut sim = Sim::new(RULES, ITEMS);
    let now = sim.now;
    answer(&mut sim, vec![measured("db-1", now, 88.0, 1.0)]);
    sim.reload(&RULES.replace("used", "other"), ITEMS);
    assert_eq!(firing(&sim), ["db-1 warning"], "nobody has answered yet");
    let said = Said::Series { series: vec![measured("db-2", now, 20.0, 0.0)], left_out: 0 };
    sim.event(Event::Forecast(Answer { rule: "disk-full".to_owned(), query: "other".to_owned(), said }));
    assert!(firing(&sim).is_empty());
    assert_eq!(sim.state.capacity.forecasts().len(), 1);
}

#[test]
fn more_series_than_are_taken_are_counted() {
    let mut sim = Sim::quick(RULES, ITEMS);
    let now = sim.now;
    let many = (0..1_001).map(|host| measured(&format!("host-{host}"), now, 20.0, 0.0));
    let long = Measured { labels: Labels::new([("instance".to_owned(), "x".repeat(3_000))]), ..measured("db-1", now, 88.0, 1.0) };
    answer(&mut sim, std::iter::once(long).chain(many).collect());
    assert_eq!((sim.state.capacity.forecasts().len(), sim.state.capacity.checks()["disk-full"].left_out), (1_000, 2));
    assert!(firing(&sim).is_empty());
}

#[test]
fn lines_between_points_are_measured_as_a_server_would() {
    let now = t("2026-03-28T06:00:00Z");
    let window = Window { now, history: Span::days(28), side: watchkeeper_engine::forecast::Side::Above };
    let points = between(&[(Span::days(-28), 60.0), (Span::ZERO, 88.0)], window);
    assert_eq!((points.len(), points[0], points[240]), (241, (now - Span::days(28), 60.0), (now, 88.0)));
    let ends = between(&[(Span::days(-28), 60.0), (Span::days(-1), 88.0)], window);
    assert!(matches!(fit(&ends, window), Trend::NoData { why: Missing::Stale, .. }), "it was not measured since yesterday");
    assert_eq!(between(&[], window), []);
}
