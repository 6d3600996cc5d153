//! `schedules`: what comes again by the clock.

use serde_json::Value;

use super::client::{Client, Output};
use super::table::{at, items, table, text};
use super::{json_text, print};
use crate::app::Failure;

/// `schedules`.
pub(super) fn schedules(client: &Client, output: Output) -> Result<(), Failure> {
    let list = client.get("/api/v1/schedules", &[])?;
    let row = |item: &Value| {
        let next = item["next"].as_array().into_iter().flatten().map(|next| at(&serde_json::json!({ "at": next }), "at"));
        vec![
            text(item, "kind"),
            text(item, "name"),
            text(item, "cron"),
            text(item, "zone"),
            last(&item["last_run"]),
            next.collect::<Vec<_>>().join("\n"),
        ]
    };
    let columns = ["kind", "name", "cron", "zone", "last run", "next runs"];
    print(&match output {
        Output::Json => json_text(&list),
        Output::Table => table(&columns, items(&list).iter().map(row).collect(), "nothing comes again by the clock"),
    });
    Ok(())
}

/// When it last ran, and for which instants where it was late.
fn last(run: &Value) -> String {
    match run["instants"].as_u64() {
        None => "never".to_owned(),
        Some(1) => at(run, "at"),
        Some(instants) => format!("{} for {instants} from {} to {}", at(run, "at"), at(run, "first"), at(run, "last")),
    }
}
