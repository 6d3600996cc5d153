//! Capacity rules and their series.

use std::collections::BTreeMap;

use super::rows::Row;
use super::{Apply, Part, State};
use crate::model::capacity::{Check, Fact, Forecast};

/// Capacity rules and their series.
#[derive(Debug, Clone, Default)]
pub struct Capacity {
    checks: BTreeMap<String, Check>,
    forecasts: BTreeMap<(String, String), Forecast>,
}

impl Capacity {
    /// Capacity rules by name.
    pub fn checks(&self) -> &BTreeMap<String, Check> {
        &self.checks
    }

    /// Their series, by rule and name.
    pub fn forecasts(&self) -> &BTreeMap<(String, String), Forecast> {
        &self.forecasts
    }
}

impl Part for Capacity {
    type Fact = Fact;

    fn apply(state: &mut State, fact: &Fact, cx: &mut Apply<'_>) {
        let Capacity { checks, forecasts } = &mut state.capacity;
        let now = cx.now;
        match fact {
            Fact::Asked { rule } => {
                let check = checks.entry(rule.clone()).or_insert_with(|| Check { rule: rule.clone(), ..Check::default() });
                check.asked_at = Some(now);
                cx.touch(Row::Check(rule.clone()));
            }
            Fact::Answered { rule, query, left_out } => {
                let (query, left_out) = (query.clone(), *left_out);
                let answered = Check { rule: rule.clone(), asked_at: None, answered_at: Some(now), query, error: String::new(), left_out };
                checks.insert(rule.clone(), answered);
                cx.touch(Row::Check(rule.clone()));
            }
            Fact::Unanswered { rule, error } => {
                let check = checks.entry(rule.clone()).or_insert_with(|| Check { rule: rule.clone(), ..Check::default() });
                check.asked_at = None;
                check.error.clone_from(error);
                cx.touch(Row::Check(rule.clone()));
            }
            Fact::Made { forecast } => {
                let key = (forecast.rule.clone(), forecast.series.clone());
                cx.touch(Row::Forecast(key.0.clone(), key.1.clone()));
                forecasts.insert(key, (**forecast).clone());
            }
            Fact::Forgotten { rule, series } => {
                forecasts.remove(&(rule.clone(), series.clone()));
                cx.touch(Row::Forecast(rule.clone(), series.clone()));
            }
            Fact::Dropped { rule } => {
                checks.remove(rule);
                cx.touch(Row::Check(rule.clone()));
            }
        }
    }
}

pub(super) fn check<'a>(state: &'a State, rule: &str) -> Option<&'a Check> {
    state.capacity.checks.get(rule)
}

pub(super) fn take_check(state: &mut State, check: Check) {
    state.capacity.checks.insert(check.rule.clone(), check);
}

pub(super) fn forecast<'a>(state: &'a State, rule: &str, series: &str) -> Option<&'a Forecast> {
    state.capacity.forecasts.get(&(rule.to_owned(), series.to_owned()))
}

pub(super) fn take_forecast(state: &mut State, forecast: Forecast) {
    state.capacity.forecasts.insert((forecast.rule.clone(), forecast.series.clone()), forecast);
}
