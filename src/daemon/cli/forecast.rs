//! `forecast …`: where the series of capacity rules are going.

use clap::Subcommand;
use serde_json::Value;
use watchkeeper_engine::time::Time;

use super::client::{Client, Output};
use super::table::{ago, at, items, more, table, text};
use super::{json_text, print};
use crate::app::Failure;

/// What is done with forecasts.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Lists them, by rule and series.
    List {
        /// Only those of this rule.
        #[arg(long)]
        rule: Option<String>,
        /// Only these: across, crossing, never or no_data.
        #[arg(long)]
        state: Option<String>,
        /// How many: 1 to 1000.
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
}

/// `forecast …`.
pub(super) fn run(client: &Client, output: Output, verb: Verb, now: Time) -> Result<(), Failure> {
    let Verb::List { rule, state, limit } = verb;
    let mut query = vec![("limit", limit.to_string())];
    query.extend(rule.map(|rule| ("rule", rule)));
    query.extend(state.map(|state| ("state", state)));
    let list = client.get("/api/v1/forecasts", &query)?;
    let row = |item: &Value| {
        vec![
            text(item, "rule"),
            text(item, "series"),
            text(item, "state"),
            figure(&item["value"]),
            figure(&item["per_day"]),
            format!("{} {}", text(item, "side"), figure(&item["limit"])),
            when(item, now),
            if item["firing"] == true { "firing".to_owned() } else { String::new() },
        ]
    };
    print(&match output {
        Output::Json => json_text(&list),
        Output::Table => {
            let columns = ["rule", "series", "state", "value", "a day", "limit", "when or why", "alert"];
            table(&columns, items(&list).iter().map(row).collect(), "no rule asks for capacity") + &errors(&list) + more(&list)
        }
    });
    Ok(())
}

fn figure(number: &Value) -> String {
    number.as_f64().map_or_else(String::new, |number| {
        let text = format!("{number:.3}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    })
}

/// When it crosses, or why nobody can say.
fn when(item: &Value, now: Time) -> String {
    if item["crosses_at"].is_null() { text(item, "why") } else { format!("{} ({})", at(item, "crosses_at"), ago(item, "crosses_at", now)) }
}

/// A line for each rule whose last question had no answer.
fn errors(list: &Value) -> String {
    let mut lines: Vec<String> = items(list)
        .iter()
        .filter(|item| !item["error"].is_null())
        .map(|item| format!("{}: the last question had no answer: {}\n", text(item, "rule"), text(item, "error")))
        .collect();
    lines.dedup();
    lines.concat()
}
