//! `cmdb health`: how a CI or service was, and for how long.

use clap::Args;
use watchkeeper_engine::text::one_line;
use watchkeeper_engine::time::Span;

use super::client::{Client, Output, part};
use super::table::{Reader, maybe, show, table, words};
use crate::app::Failure;
use crate::view::{HealthChangeView, HealthView, SpentView};

/// Which CI, and when.
#[derive(Debug, Args)]
pub(super) struct Wanted {
    /// Its id or an alias.
    id: String,
    /// The first moment that is looked at, such as 2026-11-01T00:00:00Z; 30 days back unless given.
    #[arg(long)]
    from: Option<String>,
    /// The moment before which it ends; now unless given.
    #[arg(long)]
    to: Option<String>,
    /// As this realm sees it; as the worst one does unless given.
    #[arg(long)]
    realm: Option<String>,
    /// How many changes, the newest first: 1 to 1000.
    #[arg(long, default_value_t = 100)]
    limit: u32,
}

/// `cmdb health`.
pub(super) fn run(client: &Client, output: Output, wanted: Wanted) -> Result<(), Failure> {
    let Wanted { id, from, to, realm, limit } = wanted;
    let mut query = vec![("limit", limit.to_string())];
    query.extend([("from", from), ("to", to), ("realm", realm)].into_iter().filter_map(|(name, value)| Some((name, value?))));
    let answer = client.get(&format!("/api/v1/cis/{}/health", part(&id)), &query)?;
    show(output, answer, |history: &HealthView| health(history, &Reader::here(history.to)))
}

fn health(history: &HealthView, reader: &Reader) -> String {
    let row = |change: &HealthChangeView| {
        vec![
            reader.at(change.at),
            change.to.map_or_else(|| "left the CMDB".to_owned(), |to| words(to.word())),
            words(change.from.word()),
            change.realm.clone(),
            maybe(change.incident.as_ref().map(ToString::to_string).or_else(|| change.alert.as_ref().map(ToString::to_string)).as_ref()),
            change.because.clone(),
        ]
    };
    let is = match (history.health, history.since) {
        (Some(health), Some(since)) => format!("{} since {}", words(health.word()), reader.at(since)),
        (Some(health), None) => words(health.word()),
        (None, _) => "not in the CMDB".to_owned(),
    };
    let columns = ["at", "became", "was", "realm", "cause", "because"];
    let nothing = format!("no change from {} to {}", reader.at(history.from), reader.at(history.to));
    format!("{}: {is}\n", one_line(&history.ci))
        + &history.spent.as_ref().map_or_else(String::new, spent)
        + "\n"
        + &table(&columns, history.items.iter().map(row).collect(), &nothing)
        + if history.next.is_some() { "there are more: raise --limit, or look at less time\n" } else { "" }
}

/// How long it was how; what it never was is left out.
fn spent(spent: &SpentView) -> String {
    let all =
        [("down", spent.down_seconds), ("degraded", spent.degraded_seconds), ("at risk", spent.at_risk_seconds), ("ok", spent.ok_seconds)];
    #[expect(clippy::cast_possible_truncation, reason = "seconds of centuries are exact")]
    let long = |seconds: f64| Span::seconds(seconds as i64).words();
    let parts: Vec<String> =
        all.iter().filter(|(_, seconds)| *seconds > 0.0).map(|(what, seconds)| format!("{} {what}", long(*seconds))).collect();
    let available = spent.available_percent.map_or_else(String::new, |percent| format!("available {percent:.3} %: "));
    format!("{available}{}\n", parts.join(", "))
}
