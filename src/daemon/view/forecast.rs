//! Where a series of a capacity rule is going.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use watchkeeper_engine::decide::{capacity, identify};
use watchkeeper_engine::event::World;
use watchkeeper_engine::forecast::{Reach, Trend};
use watchkeeper_engine::model::capacity::{Check, Forecast};
use watchkeeper_engine::policy::capacity::Capacity;
use watchkeeper_engine::sight;
use watchkeeper_engine::time::Time;

use super::{given, pairs};

/// Where a series of a capacity rule is going; one without `series` is a rule that has none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Forecast")]
pub struct ForecastView {
    /// The rule.
    pub rule: String,
    /// The series; null where the rule has none.
    pub series: Option<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its CI.
    pub ci: Option<String>,
    /// Where it is going.
    pub state: ForecastState,
    /// When it crosses the limit.
    pub crosses_at: Option<Time>,
    /// Why nothing is known.
    pub why: Option<String>,
    /// Its value at the last measurement, by the line.
    pub value: Option<f64>,
    /// How much it changes a day.
    pub per_day: Option<f64>,
    /// The side of the limit where it shall not be.
    #[schemars(extend("enum" = ["above", "below"]))]
    pub side: String,
    /// The limit.
    pub limit: f64,
    /// Whether an alert fires for it.
    pub firing: bool,
    /// When the forecast was made.
    pub made_at: Option<Time>,
    /// When it was last measured.
    pub data_at: Option<Time>,
    /// When its Prometheus last answered.
    pub answered_at: Option<Time>,
    /// Why the last question failed.
    pub error: Option<String>,
    /// Series of the rule that were left out, because there are too many.
    pub left_out: u32,
}

/// Where a series is going.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ForecastState {
    /// It is beyond the limit.
    Across,
    /// It will cross the limit.
    Crossing,
    /// It will not cross the limit.
    Never,
    /// Not enough is known.
    NoData,
}

impl ForecastState {
    /// Its words, as filters take them.
    pub const WORDS: [&'static str; 4] = ["across", "crossing", "never", "no_data"];

    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            ForecastState::Across => "across",
            ForecastState::Crossing => "crossing",
            ForecastState::Never => "never",
            ForecastState::NoData => "no_data",
        }
    }
}

impl ForecastView {
    /// Of a rule, what was last heard for it, and the forecast of one of its series.
    pub fn of(rule: &Capacity, check: Option<&Check>, forecast: Option<&Forecast>, world: &World, now: Time) -> ForecastView {
        let (mut state, mut crosses_at, mut line, mut data_at) = (ForecastState::NoData, None, None, None);
        let mut why =
            if check.is_some_and(|check| check.answered_at.is_some()) { "the query gives no series" } else { "it was not answered yet" };
        match forecast.map(|forecast| (forecast.trend, forecast.made_at)) {
            None => {}
            Some((Trend::NoData { why: missing, data_at: at }, _)) => (why, data_at) = (missing.words(), at),
            Some((Trend::Line { line: found }, made_at)) => {
                (why, data_at, line) = ("", Some(found.data_at), Some(found));
                // Seen from when it was made: a line does not move by itself.
                (state, crosses_at) = match found.reaches(rule.limit, rule.side, made_at, rule.history) {
                    Reach::Across => (ForecastState::Across, None),
                    Reach::At(at) => (ForecastState::Crossing, Some(at)),
                    Reach::Never => (ForecastState::Never, None),
                };
            }
        }
        let ci = forecast.map(|forecast| identify::identify(world, &sight::input(&capacity::alert_of(forecast), now)).ci);
        ForecastView {
            rule: rule.name.clone(),
            series: forecast.map(|forecast| forecast.series.clone()),
            labels: forecast.map_or_else(BTreeMap::new, |forecast| pairs(&forecast.labels)),
            ci: ci.map(|ci| sight::item_name(world, &ci).to_owned()),
            state,
            crosses_at,
            why: given(why),
            value: line.map(|line| line.value.get()),
            per_day: line.map(|line| line.per_day.get()),
            side: rule.side.word().to_owned(),
            limit: rule.limit,
            firing: forecast.is_some_and(|forecast| forecast.fires),
            made_at: forecast.map(|forecast| forecast.made_at),
            data_at,
            answered_at: check.and_then(|check| check.answered_at),
            error: given(check.map_or("", |check| &check.error)),
            left_out: check.map_or(0, |check| check.left_out),
        }
    }
}
