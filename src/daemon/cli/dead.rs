//! `dead-letter …`: inputs that were refused or set aside, and what came in.

use clap::Subcommand;
use serde_json::json;
use watchkeeper_engine::text::one_line;

use super::client::{Client, Output, part};
use super::table::{Reader, line, listed, maybe, plain, show};
use crate::app::Failure;
use crate::view::{DeadLetterView, Page, WholeDeadLetter};

/// What is done with dead letters.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// List dead letters, the newest first
    List {
        /// Only those of this source
        #[arg(long)]
        source: Option<String>,
        /// How many: 1 to 1000
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Read a dead letter again, by the formats in force
    Redrive {
        /// Such as DLT0000042
        id: String,
    },
    /// Show a dead letter with every fault and what came in
    Show {
        /// Such as DLT0000042
        id: String,
    },
}

/// `dead-letter …`.
pub(super) fn run(client: &Client, output: Output, verb: Verb, reader: &Reader) -> Result<(), Failure> {
    match verb {
        Verb::List { source, limit } => {
            let nothing = if source.is_none() { "nothing was refused or set aside" } else { "no dead letter matches" };
            let mut query = vec![("limit", limit.to_string())];
            query.extend(source.map(|source| ("source", source)));
            let row = |letter: &DeadLetterView| {
                vec![
                    letter.id.to_string(),
                    reader.ago(letter.received_at),
                    letter.source.clone(),
                    came(letter),
                    letter.size.to_string(),
                    maybe(letter.reason.as_ref()),
                ]
            };
            let columns = ["id", "received", "source", "by", "bytes", "reason"];
            show(output, client.get("/api/v1/dead-letters", &query)?, |list: &Page<DeadLetterView>| listed(&columns, list, row, nothing))
        }
        Verb::Redrive { id } => {
            let answer = client.post(&format!("/api/v1/dead-letters/{}/redrive", part(&id)), &json!({}))?;
            show(output, answer, |WholeDeadLetter { letter, .. }| format!("{} was taken\n", letter.id))
        }
        Verb::Show { id } => {
            let answer = client.get(&format!("/api/v1/dead-letters/{}", part(&id)), &[])?;
            show(output, answer, |letter| shown(letter, reader))
        }
    }
}

fn shown(whole: &WholeDeadLetter, reader: &Reader) -> String {
    let letter = &whole.letter;
    let faults = letter.faults.iter().map(|fault| line("fault", &format!("{}: expected {}", fault.place, fault.expected)));
    let more = if letter.more_faults == 0 { String::new() } else { line("", &format!("and {} more", letter.more_faults)) };
    let (kind, content) = match &whole.text {
        Some(text) => ("text", text.as_str()),
        None => ("base64", whole.base64.as_deref().unwrap_or_default()),
    };
    let understood = whole.understood.as_ref().and_then(|understood| serde_json::to_value(understood).ok());
    let cut = if whole.cut { ", of which the first 256 KiB are kept" } else { "" };
    format!("{} of {}\n", letter.id, one_line(&letter.source))
        + &line("received", &reader.at(letter.received_at))
        + &line("by", &came(letter))
        + &faults.collect::<String>()
        + &more
        + &line("bytes", &format!("{}{cut}", letter.size))
        + &line("tried again", &reader.maybe_at(letter.redriven_at))
        + &line("understood", &understood.as_ref().map_or_else(String::new, plain))
        + &line(kind, content)
}

/// By which way it came: a path, or a place in a topic.
fn came(letter: &DeadLetterView) -> String {
    let origin = &letter.origin;
    match (&origin.topic, origin.partition, origin.offset) {
        (Some(topic), Some(partition), Some(offset)) => format!("{topic}/{partition}@{offset}"),
        _ => origin.path.clone().unwrap_or_else(|| "set aside".to_owned()),
    }
}
