//! `dead-letter …`: inputs that were refused or set aside, and what came in.

use clap::Subcommand;
use serde_json::{Value, json};
use watchkeeper_engine::time::Time;

use super::client::{Client, Output, part};
use super::table::{ago, items, line, more, plain, table, text};
use super::{json_text, print};
use crate::app::Failure;

/// What is done with dead letters.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Lists them, the newest first.
    List {
        /// Only those of this source.
        #[arg(long)]
        source: Option<String>,
        /// How many: 1 to 1000.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Reads one again, by the formats now in force.
    Redrive {
        /// Such as DLT0000042.
        id: String,
    },
    /// Shows one with every fault and what came in.
    Show {
        /// Such as DLT0000042.
        id: String,
    },
}

/// `dead-letter …`.
pub(super) fn run(client: &Client, output: Output, verb: Verb, now: Time) -> Result<(), Failure> {
    match verb {
        Verb::List { source, limit } => {
            let mut query = vec![("limit", limit.to_string())];
            query.extend(source.map(|source| ("source", source)));
            let list = client.get("/api/v1/dead-letters", &query)?;
            let row = |letter: &Value| {
                vec![
                    text(letter, "id"),
                    ago(letter, "received_at", now),
                    text(letter, "source"),
                    came(letter),
                    text(letter, "size"),
                    text(letter, "reason"),
                ]
            };
            print(&match output {
                Output::Json => json_text(&list),
                Output::Table => {
                    let columns = ["id", "received", "source", "by", "bytes", "reason"];
                    table(&columns, items(&list).iter().map(row).collect(), "nothing was refused or set aside") + more(&list)
                }
            });
        }
        Verb::Redrive { id } => {
            let letter = client.post(&format!("/api/v1/dead-letters/{}/redrive", part(&id)), &json!({}))?;
            print(&if output == Output::Json { json_text(&letter) } else { format!("{id} was taken\n") });
        }
        Verb::Show { id } => {
            let letter = client.get(&format!("/api/v1/dead-letters/{}", part(&id)), &[])?;
            print(&if output == Output::Json { json_text(&letter) } else { shown(&letter) });
        }
    }
    Ok(())
}

fn shown(letter: &Value) -> String {
    let faults = letter["faults"].as_array().into_iter().flatten();
    let faults: String =
        faults.map(|fault| line("fault", &format!("{}: expected {}", text(fault, "place"), text(fault, "expected")))).collect();
    let more = match letter["more_faults"].as_u64() {
        None | Some(0) => String::new(),
        Some(more) => line("", &format!("and {more} more")),
    };
    let (kind, content) = if letter["text"].is_string() { ("text", text(letter, "text")) } else { ("base64", text(letter, "base64")) };
    let understood = if letter["understood"].is_null() { String::new() } else { plain(&letter["understood"]) };
    let size = text(letter, "size") + if letter["cut"] == true { ", of which the first 256 KiB are kept" } else { "" };
    format!("{} of {}\n", text(letter, "id"), text(letter, "source"))
        + &line("received", &text(letter, "received_at"))
        + &line("by", &came(letter))
        + &faults
        + &more
        + &line("bytes", &size)
        + &line("tried again", &text(letter, "redriven_at"))
        + &line("understood", &understood)
        + &line(kind, &content)
}

/// By which way it came: a path, or a place in a topic.
fn came(letter: &Value) -> String {
    let origin = &letter["origin"];
    match letter["door"].as_str() {
        Some("kafka") => format!("{}/{}@{}", text(origin, "topic"), text(origin, "partition"), text(origin, "offset")),
        Some("writer") => "set aside".to_owned(),
        Some(_) | None => text(origin, "path"),
    }
}
