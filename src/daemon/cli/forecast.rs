//! `forecast list`: where the series of capacity rules are going.

use clap::Subcommand;

use super::client::{Client, Output};
use super::table::{Reader, listed, maybe, show, words};
use crate::app::Failure;
use crate::view::{ForecastView, Page};

/// What is done with forecasts.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// List forecasts, by rule and series
    List {
        /// Capacity rules
        #[arg(long)]
        rule: Option<String>,
        /// Where they are going: across, crossing, never or no_data
        #[arg(long)]
        state: Option<String>,
        /// How many: 1 to 1000
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
}

/// `forecast …`.
pub(super) fn run(client: &Client, output: Output, verb: Verb, reader: &Reader) -> Result<(), Failure> {
    let Verb::List { rule, state, limit } = verb;
    let nothing = if rule.is_none() && state.is_none() { "no capacity rules" } else { "no forecast matches" };
    let mut query = vec![("limit", limit.to_string())];
    query.extend([("rule", rule), ("state", state)].into_iter().filter_map(|(name, value)| Some((name, value?))));
    let row = |forecast: &ForecastView| {
        vec![
            forecast.rule.clone(),
            maybe(forecast.series.as_ref()),
            words(forecast.state.word()),
            figure(forecast.value),
            figure(forecast.per_day),
            format!("{} {}", forecast.side, figure(Some(forecast.limit))),
            when(forecast, reader),
            if forecast.firing { "firing".to_owned() } else { String::new() },
        ]
    };
    let columns = ["rule", "series", "state", "value", "a day", "limit", "when or why", "alert"];
    show(output, client.get("/api/v1/forecasts", &query)?, |list: &Page<ForecastView>| {
        listed(&columns, list, row, nothing) + &errors(&list.items)
    })
}

fn figure(number: Option<f64>) -> String {
    number.map_or_else(String::new, |number| {
        let text = format!("{number:.3}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    })
}

/// When it crosses, or why nobody can say.
fn when(forecast: &ForecastView, reader: &Reader) -> String {
    match forecast.crosses_at {
        None => maybe(forecast.why.as_ref()),
        Some(at) => format!("{} ({})", reader.at(at), reader.ago(at)),
    }
}

/// A line for each rule whose last question had no answer.
fn errors(forecasts: &[ForecastView]) -> String {
    let line = |forecast: &ForecastView| {
        let error = forecast.error.as_ref()?;
        Some(format!("{}: the last question had no answer: {}\n", forecast.rule, watchkeeper_engine::text::one_line(error)))
    };
    let mut lines: Vec<String> = forecasts.iter().filter_map(line).collect();
    lines.dedup();
    lines.concat()
}
