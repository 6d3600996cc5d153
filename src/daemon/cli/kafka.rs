//! `kafka …`: the Kafka topics that are read.

use clap::Subcommand;
use serde_json::json;
use watchkeeper_engine::text::one_line;

use super::client::{Client, Output, part};
use super::table::show;
use crate::app::Failure;
use crate::view::AcceptedView;

/// What is done with topics.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Accept the cluster that answers as the one a topic is read from, from its earliest record on
    Accept {
        /// The topic
        topic: String,
    },
}

/// `kafka …`.
pub(super) fn run(client: &Client, output: Output, verb: Verb) -> Result<(), Failure> {
    let Verb::Accept { topic } = verb;
    let answer = client.post(&format!("/api/v1/sources/{}/accept", part(&topic)), &json!({}))?;
    show(output, answer, |AcceptedView { cluster, .. }| match cluster {
        Some(cluster) => format!("{topic} is read from cluster {} from now on\n", one_line(cluster)),
        None => format!("{topic} is not stopped for another cluster; nothing changed\n"),
    })
}
