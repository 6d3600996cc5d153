//! What `incident …`, `problem …` and `silence …` have alike: the record of a command, and what incidents and problems both show.

use std::fmt::Display;

use serde_json::Value;
use watchkeeper_engine::text::one_line;

use super::client::{Client, part};
use super::table::{Reader, line, maybe, words};
use crate::app::Failure;
use crate::view::{HistoryView, TicketView};

/// The record of a command.
#[derive(Debug, clap::Args)]
pub(super) struct Id {
    /// Such as INC0000042, PRB0000004 or SIL0000003
    id: String,
    /// Only if it is still at this version
    #[arg(long, value_name = "VERSION")]
    if_version: Option<u64>,
}

impl Id {
    /// Gives a command to the record in a list; the command is a value whose one member is named as it.
    pub(super) fn command(&self, client: &Client, list: &str, word: &str, command: &Value) -> Result<Value, Failure> {
        client.command(&format!("/api/v1/{list}/{}/{word}", part(&self.id)), &command[word], self.if_version)
    }
}

/// How it is after a command.
pub(super) fn said(id: impl Display, state: impl Display, ticket: &TicketView) -> String {
    let assignee = ticket.assignee.as_deref().map_or_else(String::new, |assignee| format!(", assigned to {assignee}"));
    format!("{id} is {}{}: {}\n", words(state), one_line(&assignee), one_line(&ticket.title))
}

/// It as a page of text: its first line, what it has alike with its kind, its own lines between, and what follows them.
pub(super) fn shown(head: &str, ticket: &TicketView, own: &[(&str, String)], history: &HistoryView, reader: &Reader) -> String {
    let notified: Vec<&str> = history.told.iter().map(|told| told.address.as_str()).collect();
    let before = [
        ("ci", ticket.ci.clone()),
        ("since", format!("{} ({} ago)", reader.at(ticket.opened_at), reader.ago(ticket.opened_at))),
        ("assignee", maybe(ticket.assignee.as_ref())),
        ("owner", maybe(ticket.team.as_ref())),
    ];
    let after = [
        ("because", ticket.because.clone()),
        ("rule", ticket.rule.clone()),
        ("notified", notified.join(", ")),
        ("resolved", reader.maybe_at(ticket.resolved_at)),
        ("resolved by", maybe(ticket.resolved_by.as_ref())),
        ("resolution", maybe(ticket.resolution.as_ref())),
        ("closed", reader.maybe_at(ticket.closed_at)),
        ("version", ticket.version.to_string()),
        ("page", ticket.url.clone()),
    ];
    let lines = before.iter().chain(own).chain(&after).map(|(name, value)| line(name, value));
    format!("{head}: {}\n{}", one_line(&ticket.title), lines.collect::<String>())
}

/// A timeline, a line an entry.
pub(super) fn timeline(history: &HistoryView, reader: &Reader) -> String {
    let entries = history.timeline.iter().map(|entry| {
        let because = entry.because.as_deref().map_or_else(String::new, |because| format!(" ({})", one_line(because)));
        format!("{}  {}: {}{because}\n", reader.at(entry.at), one_line(&entry.actor), one_line(&entry.what))
    });
    entries.collect()
}
