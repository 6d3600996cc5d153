//! `problem …`: what keeps coming back: lists, records, and the commands to one.

use clap::Subcommand;
use serde_json::Value;
use watchkeeper_engine::command::ProblemCommand;

use super::client::{Client, Output, part};
use super::incident::body;
use super::table::{Reader, listed, maybe, show, table, words};
use super::ticket::{self, Id};
use crate::app::Failure;
use crate::view::{OutageView, Page, ProblemView, WholeProblem};

/// What is done with problems.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// List problems, the newest first
    List {
        /// `open`, `all`, or states: new investigating known_error fix_in_progress resolved closed
        #[arg(long, default_value = "open")]
        state: String,
        /// CIs at fault
        #[arg(long)]
        ci: Option<String>,
        /// Teams that own them
        #[arg(long)]
        owner: Option<String>,
        /// How many: 1 to 1000
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Show a problem: its outages, its workaround, its timeline
    Show {
        /// Such as PRB0000004
        id: String,
    },
    /// Assign a problem to a person or a team
    Assign {
        #[command(flatten)]
        id: Id,
        /// Person or team
        to: String,
    },
    /// Add a note to a problem's timeline
    Note {
        #[command(flatten)]
        id: Id,
        /// Text of the note
        #[arg(required = true)]
        text: Vec<String>,
    },
    /// Start looking for a problem's cause
    Investigate(Id),
    /// Record that a problem's cause is known, with a workaround
    KnownError {
        #[command(flatten)]
        id: Id,
        /// The workaround: what helps until the cause is gone
        #[arg(required = true)]
        workaround: Vec<String>,
    },
    /// Record that the fix of a problem is under way
    Fix {
        #[command(flatten)]
        id: Id,
        /// Which fix
        words: Vec<String>,
    },
    /// Resolve a problem: it closes after a quiet time, or reopens as a fix that failed
    Resolve {
        #[command(flatten)]
        id: Id,
        /// How it was fixed
        words: Vec<String>,
    },
    /// Close a problem, fixed or not
    Close {
        #[command(flatten)]
        id: Id,
        /// Why
        words: Vec<String>,
    },
}

/// Does it.
pub(super) fn run(client: &Client, output: Output, verb: Verb, reader: &Reader) -> Result<(), Failure> {
    let one_text = |words: Vec<String>| words.join(" ");
    let (id, command) = match verb {
        Verb::List { state, ci, owner, limit } => {
            let is_all_open = state == "open" && ci.is_none() && owner.is_none();
            let mut query = vec![("state", state), ("limit", limit.to_string())];
            query.extend([("ci", ci), ("owner", owner)].into_iter().filter_map(|(name, value)| Some((name, value?))));
            let nothing = if is_all_open { "no open problems" } else { "no problem matches" };
            return show(output, client.get("/api/v1/problems", &query)?, |list| table_of(list, nothing, reader));
        }
        Verb::Show { id } => {
            return show(output, client.get(&format!("/api/v1/problems/{}", part(&id)), &[])?, |problem| shown(problem, reader));
        }
        Verb::Assign { id, to } => (id, ProblemCommand::Assign { to }),
        Verb::Note { id, text } => (id, ProblemCommand::Note { text: one_text(text) }),
        Verb::Investigate(id) => (id, ProblemCommand::Investigate {}),
        Verb::KnownError { id, workaround } => (id, ProblemCommand::KnownError { workaround: one_text(workaround) }),
        Verb::Fix { id, words } => (id, ProblemCommand::Fix { words: one_text(words) }),
        Verb::Resolve { id, words } => (id, ProblemCommand::Resolve { words: one_text(words) }),
        Verb::Close { id, words } => (id, ProblemCommand::Close { words: one_text(words) }),
    };
    said(output, id.command(client, "problems", command.verb().word(), &body(&command))?)
}

/// Says how a problem is after a command.
fn said(output: Output, answer: Value) -> Result<(), Failure> {
    show(output, answer, |ProblemView { id, state, ticket, .. }| ticket::said(id, state, ticket))
}

fn table_of(list: &Page<ProblemView>, nothing: &str, reader: &Reader) -> String {
    let row = |problem: &ProblemView| {
        vec![
            problem.id.to_string(),
            words(problem.state),
            reader.ago(problem.ticket.opened_at),
            problem.ticket.title.clone(),
            problem.incident_count.to_string(),
            problem.fixes_failed.to_string(),
            maybe(problem.ticket.team.as_ref()),
            maybe(problem.ticket.assignee.as_ref()),
        ]
    };
    listed(&["id", "state", "since", "title", "outages", "failed fixes", "owner", "assignee"], list, row, nothing)
}

/// A problem with its outages and its timeline.
pub(super) fn shown(whole: &WholeProblem, reader: &Reader) -> String {
    let WholeProblem { problem, outages, history, .. } = whole;
    let own = [
        ("outages", problem.incident_count.to_string()),
        ("in common", problem.same.clone()),
        ("workaround", maybe(problem.workaround.as_ref())),
        ("closes", reader.maybe_at(problem.closes_at)),
    ];
    let head = format!("{} {}", problem.id, words(problem.state).to_uppercase());
    let mut out = ticket::shown(&head, &problem.ticket, &own, history, reader);
    let row = |outage: &OutageView| {
        vec![outage.incident.to_string(), reader.at(outage.at), reader.maybe_at(outage.ended_at), maybe(outage.words.as_ref())]
    };
    let rows = outages.iter().map(row).collect();
    out += &format!("\n{}\n", table(&["outage", "began", "ended", "how it was fixed"], rows, "no outages"));
    out + &ticket::timeline(history, reader)
}
