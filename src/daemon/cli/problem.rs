//! `problem …`: what keeps coming back: lists, records, and what an operator does to one.

use clap::Subcommand;
use serde_json::{Value, json};
use watchkeeper_engine::time::Time;

use super::client::{Client, Output, part};
use super::incident::said;
use super::table::{ago, at, items, line, more, plain, table, text};
use super::{json_text, print};
use crate::app::Failure;

/// What is done with problems.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Lists problems, the newest first.
    List {
        /// `open`, `all`, or a state: new investigating known_error fix_in_progress resolved closed.
        #[arg(long, default_value = "open")]
        state: String,
        /// Items.
        #[arg(long)]
        ci: Option<String>,
        /// Teams that own the item.
        #[arg(long)]
        owner: Option<String>,
        /// How many: 1 to 1000.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Shows one: its outages, what helped, its timeline.
    Show {
        /// Such as PRB0000004.
        id: String,
    },
    /// Somebody has it.
    Assign {
        #[command(flatten)]
        id: Id,
        /// Who.
        to: String,
    },
    /// Writes something down.
    Note {
        #[command(flatten)]
        id: Id,
        /// What.
        #[arg(required = true)]
        text: Vec<String>,
    },
    /// You look for its cause.
    Investigate(Id),
    /// Its cause is known, and what helps until it is gone.
    KnownError {
        #[command(flatten)]
        id: Id,
        /// What helps.
        #[arg(required = true)]
        workaround: Vec<String>,
    },
    /// The fix is under way.
    Fix {
        #[command(flatten)]
        id: Id,
        /// Which.
        words: Vec<String>,
    },
    /// It is fixed: it closes after a quiet time, or reopens as a fix that failed.
    Resolve {
        #[command(flatten)]
        id: Id,
        /// By what.
        words: Vec<String>,
    },
    /// It is history, fixed or not.
    Close {
        #[command(flatten)]
        id: Id,
        /// Why.
        words: Vec<String>,
    },
}

/// The problem of a command.
#[derive(Debug, clap::Args)]
pub(super) struct Id {
    /// Such as PRB0000004.
    id: String,
    /// Only if it is still at this version.
    #[arg(long, value_name = "VERSION")]
    if_version: Option<u64>,
}

/// Does it.
pub(super) fn run(client: &Client, output: Output, verb: Verb, now: Time) -> Result<(), Failure> {
    let joined = |words: Vec<String>| words.join(" ");
    match verb {
        Verb::List { state, ci, owner, limit } => {
            let mut query = vec![("state", state), ("limit", limit.to_string())];
            query.extend([("ci", ci), ("owner", owner)].into_iter().filter_map(|(name, value)| Some((name, value?))));
            let list = client.get("/api/v1/problems", &query)?;
            print(&if output == Output::Json { json_text(&list) } else { listed(&list, now) });
            Ok(())
        }
        Verb::Show { id } => {
            let record = client.get(&format!("/api/v1/problems/{}", part(&id)), &[])?;
            print(&if output == Output::Json { json_text(&record) } else { shown(&record, now) });
            Ok(())
        }
        Verb::Assign { id, to } => command(client, output, &id, "assign", &json!({ "to": to })),
        Verb::Note { id, text } => command(client, output, &id, "note", &json!({ "text": joined(text) })),
        Verb::Investigate(id) => command(client, output, &id, "investigate", &json!({})),
        Verb::KnownError { id, workaround } => command(client, output, &id, "known_error", &json!({ "workaround": joined(workaround) })),
        Verb::Fix { id, words } => command(client, output, &id, "fix", &json!({ "words": joined(words) })),
        Verb::Resolve { id, words } => command(client, output, &id, "resolve", &json!({ "words": joined(words) })),
        Verb::Close { id, words } => command(client, output, &id, "close", &json!({ "words": joined(words) })),
    }
}

fn command(client: &Client, output: Output, id: &Id, word: &str, body: &Value) -> Result<(), Failure> {
    said(output, &client.command(&format!("/api/v1/problems/{}/{word}", part(&id.id)), body, id.if_version)?);
    Ok(())
}

fn listed(list: &Value, now: Time) -> String {
    let row = |item: &Value| {
        vec![
            text(item, "id"),
            text(item, "state").replace('_', " "),
            ago(item, "opened_at", now),
            text(item, "title"),
            text(item, "incident_count"),
            text(item, "fixes_failed"),
            text(item, "team"),
            text(item, "assignee"),
        ]
    };
    let columns = ["id", "state", "since", "title", "outages", "failed fixes", "team", "assignee"];
    table(&columns, items(list).iter().map(row).collect(), "no such problem") + more(list)
}

fn shown(record: &Value, now: Time) -> String {
    let state = text(record, "state").replace('_', " ").to_uppercase();
    let mut out = format!("{} {state}: {}\n", text(record, "id"), text(record, "title"));
    for (name, value) in [
        ("item", text(record, "ci")),
        ("since", format!("{} ({} ago)", at(record, "opened_at"), ago(record, "opened_at", now))),
        ("holder", text(record, "assignee")),
        ("team", text(record, "team")),
        ("outages", text(record, "incident_count")),
        ("because", text(record, "because")),
        ("same", text(record, "same")),
        ("rule", text(record, "rule")),
        ("until fixed", text(record, "workaround")),
        ("resolved", at(record, "resolved_at")),
        ("by", text(record, "resolved_by")),
        ("words", text(record, "resolution")),
        ("closes", at(record, "closes_at")),
        ("version", text(record, "version")),
        ("page", text(record, "url")),
    ] {
        out += &line(name, &value);
    }
    let outage = |outage: &Value| vec![text(outage, "incident"), at(outage, "at"), at(outage, "ended_at"), text(outage, "words")];
    let outages = record["outages"].as_array().into_iter().flatten().map(outage).collect();
    out += &format!("\n{}\n", table(&["outage", "began", "ended", "what helped"], outages, "no outages"));
    for entry in record["timeline"].as_array().into_iter().flatten() {
        let because = plain(&entry["because"]);
        let because = if because.is_empty() { because } else { format!(" ({because})") };
        out += &format!("{}  {}: {}{because}\n", at(entry, "at"), text(entry, "actor"), text(entry, "what"));
    }
    out
}
