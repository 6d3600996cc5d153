//! What an answer about capacity means: which forecasts are made of it, and which alerts fire, stand or clear.
//!
//! An alert fires where the limit is reached, or will be within the rule's lead time. It stands until the limit is clearly away: further than half as
//! much again as the lead time, or out of sight. What nobody can say, because a series or a whole answer is missing, fires nothing and clears nothing.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;

use crate::event::World;
use crate::forecast::{Line, Missing, Reach, Trend};
use crate::input::{AlertInput, Refused};
use crate::limits;
use crate::model::capacity::{Answer, Fact, Forecast, Measured, Said, series_name};
use crate::policy::capacity::Capacity;
use crate::state::State;
use crate::text::Labels;
use crate::time::{Span, Time};
use crate::words::Severity;

/// The source of these alerts.
pub const SOURCE: &str = "capacity";

/// What follows from an answer.
#[derive(Debug, Default)]
pub struct Follows {
    /// What is remembered.
    pub facts: Vec<Fact>,
    /// Alerts that fire, go on firing, or are over.
    pub alerts: Vec<AlertInput>,
    /// Series whose labels no alert can have.
    pub refused: Vec<(String, Refused)>,
}

/// The rule of this name, where it is in force.
pub fn rule<'w>(world: &'w World, name: &str) -> Option<&'w Capacity> {
    world.policy.capacity.iter().find(|rule| rule.name == name)
}

/// How far away a limit must be for a standing alert to clear.
pub fn clear_after(lead_time: Span) -> Span {
    Span(lead_time.0.saturating_add(lead_time.0 / 2))
}

/// What follows from `answer`; nothing where its rule is gone.
pub fn answered(state: &State, world: &World, answer: &Answer, now: Time) -> Follows {
    let mut follows = Follows::default();
    let Some(rule) = rule(world, &answer.rule) else { return follows };
    let (series, left_out) = match &answer.said {
        Said::Nothing { error } => {
            follows.facts.push(Fact::Unanswered { rule: rule.name.clone(), error: error.clone() });
            return follows;
        }
        Said::Series { series, left_out } => (series, *left_out),
    };
    let mut left_out = left_out;
    let mut seen = BTreeSet::new();
    let mut known = state.capacity.forecasts().len();
    for measured in series {
        let name = series_name(&measured.labels);
        let before = state.capacity.forecasts().get(&(rule.name.clone(), name.clone()));
        let has_room = seen.len() < limits::SERIES_MAX && name.len() <= limits::SERIES_NAME_BYTES_MAX;
        if !has_room || (before.is_none() && known >= limits::FORECASTS_MAX) {
            left_out = left_out.saturating_add(1);
        } else if seen.insert(name.clone()) {
            known += usize::from(before.is_none());
            follows.made(rule, measured, name, before, now);
        }
    }
    let was = state.capacity.checks().get(&rule.name).filter(|check| !check.query.is_empty());
    let is_other_query = was.is_some_and(|check| check.query != answer.query);
    for absent in of_rule(state, &rule.name).filter(|forecast| !seen.contains(&forecast.series)) {
        if is_other_query || data_at(&absent.trend).is_none_or(|at| at + rule.history < now) {
            follows.forgotten(absent, now);
        } else {
            let trend = Trend::NoData { why: Missing::Stale, data_at: data_at(&absent.trend) };
            follows.facts.push(Fact::Made { forecast: Box::new(Forecast { trend, made_at: now, ..absent.clone() }) });
        }
    }
    follows.facts.insert(0, Fact::Answered { rule: rule.name.clone(), query: answer.query.clone(), left_out });
    follows
}

/// What follows where rules are gone: their series are forgotten, their alerts are over.
pub fn unwanted(state: &State, world: &World, now: Time) -> Follows {
    let mut follows = Follows::default();
    for check in state.capacity.checks().values().filter(|check| rule(world, &check.rule).is_none()) {
        for forecast in of_rule(state, &check.rule) {
            follows.forgotten(forecast, now);
        }
        follows.facts.push(Fact::Dropped { rule: check.rule.clone() });
    }
    follows
}

fn of_rule<'s>(state: &'s State, rule: &str) -> impl Iterator<Item = &'s Forecast> {
    let from = (rule.to_owned(), String::new());
    let name = from.0.clone();
    state.capacity.forecasts().range(from..).map(|(_, forecast)| forecast).take_while(move |forecast| forecast.rule == name)
}

fn data_at(trend: &Trend) -> Option<Time> {
    match trend {
        Trend::Line { line } => Some(line.data_at),
        Trend::NoData { data_at, .. } => *data_at,
    }
}

impl Follows {
    fn made(&mut self, rule: &Capacity, measured: &Measured, series: String, before: Option<&Forecast>, now: Time) {
        let fired = before.is_some_and(|before| before.fires);
        let labels = labels(&rule.name, &measured.labels);
        let (fires, alert) = match &measured.trend {
            // Nobody can say: what stands stands.
            Trend::NoData { .. } => (fired, None),
            Trend::Line { line } => {
                let reach = line.reaches(rule.limit, rule.side, now, rule.history);
                let within = if fired { clear_after(rule.lead_time) } else { rule.lead_time };
                let fires = match reach {
                    Reach::Across => true,
                    Reach::At(at) => at - now <= within,
                    Reach::Never => false,
                };
                let alert = match (fires, fired) {
                    (true, _) => Some(firing(rule, labels, line, reach, now)),
                    (false, true) => Some(over(rule.name.as_str(), labels, now)),
                    (false, false) => None,
                };
                (fires, alert)
            }
        };
        if let Some(alert) = alert {
            match alert.bounded() {
                Ok(alert) => self.alerts.push(alert),
                Err(refused) => self.refused.push((SOURCE.to_owned(), refused)),
            }
        }
        let forecast =
            Forecast { rule: rule.name.clone(), series, labels: measured.labels.clone(), trend: measured.trend, made_at: now, fires };
        self.facts.push(Fact::Made { forecast: Box::new(forecast) });
    }

    fn forgotten(&mut self, forecast: &Forecast, now: Time) {
        if forecast.fires {
            self.alerts.extend(over(&forecast.rule, labels(&forecast.rule, &forecast.labels), now).bounded().ok());
        }
        self.facts.push(Fact::Forgotten { rule: forecast.rule.clone(), series: forecast.series.clone() });
    }
}

/// The labels of its alert: the series' own, and the rule's name.
fn labels(rule: &str, series: &Labels) -> Labels {
    let own = series.iter().filter(|(name, _)| *name != "alertname").map(|(name, value)| (name.to_owned(), value.to_owned()));
    Labels::new(own.chain([("alertname".to_owned(), rule.to_owned())]))
}

/// An alert that fires until a later forecast says otherwise.
fn firing(rule: &Capacity, labels: Labels, line: &Line, reach: Reach, now: Time) -> AlertInput {
    let value = figure(line.value.get());
    let limit = format!("{} {}", rule.side.word(), figure(rule.limit));
    let a_day = figure(line.per_day.get());
    let summary = match reach {
        Reach::Across => format!("{value}, {limit} already"),
        Reach::At(at) => {
            let zone = TimeZone::get(rule.every.zone()).unwrap_or(TimeZone::UTC);
            let when = at.in_zone(&zone).strftime("%Y-%m-%d %H:%M").to_string();
            format!("{limit} in {}, on {when} {}: {value} now, {a_day} a day", (at - now).words(), rule.every.zone())
        }
        Reach::Never => format!("{value} now, {limit} is out of sight"),
    };
    AlertInput {
        severity: if reach == Reach::Across { Severity::Error } else { Severity::Warning },
        summary,
        value,
        labels,
        ends_at: Some(Time::NEVER),
        ..AlertInput::named(SOURCE, &rule.name)
    }
}

fn over(rule: &str, labels: Labels, now: Time) -> AlertInput {
    AlertInput { labels, resolved: true, ends_at: Some(now), ..AlertInput::named(SOURCE, rule) }
}

/// The alert of a series, as far as it names it: its item is looked up by this.
pub fn alert_of(forecast: &Forecast) -> AlertInput {
    AlertInput { labels: labels(&forecast.rule, &forecast.labels), ..AlertInput::named(SOURCE, &forecast.rule) }
}

/// A number for people: three figures behind the first, no more.
fn figure(number: f64) -> String {
    let places = match number.abs() {
        large if large >= 100.0 => 0,
        middle if middle >= 1.0 => 2,
        _ => 4,
    };
    let text = format!("{number:.places$}");
    if !text.contains('.') {
        return text;
    }
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}
