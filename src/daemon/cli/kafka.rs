//! `kafka …`: what an operator says about the topics that are read.

use clap::Subcommand;
use serde_json::json;

use super::client::{Client, Output, part};
use super::table::text;
use super::{json_text, print};
use crate::app::Failure;

/// What is done with topics.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Says that the cluster that answers is the one a topic is meant to be read from: it is read from its earliest record on.
    Accept {
        /// The topic.
        topic: String,
    },
}

/// `kafka …`.
pub(super) fn run(client: &Client, output: Output, verb: Verb) -> Result<(), Failure> {
    let Verb::Accept { topic } = verb;
    let answer = client.post(&format!("/api/v1/sources/{}/accept", part(&topic)), &json!({}))?;
    print(&match output {
        Output::Json => json_text(&answer),
        Output::Table if answer["changed"] == true => format!("{topic} is read from cluster {} from now on\n", text(&answer, "cluster")),
        Output::Table => format!("{topic} is not stopped for another cluster; nothing changed\n"),
    });
    Ok(())
}
