//! `incident …`: lists, records, and what an operator does to one.

use clap::Subcommand;
use serde_json::{Value, json};
use watchkeeper_engine::time::Time;

use super::client::{Client, Output, part};
use super::table::{ago, at, items, line, more, plain, table, text};
use super::{json_text, print};
use crate::app::Failure;

/// What is done with incidents.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Lists incidents, the newest first.
    List {
        /// `open`, `all`, or states: new acknowledged in_progress on_hold resolved closed.
        #[arg(long, default_value = "open")]
        state: String,
        /// Priorities, such as P1,P2.
        #[arg(long)]
        priority: Option<String>,
        /// Items.
        #[arg(long)]
        ci: Option<String>,
        /// Teams that own the item.
        #[arg(long)]
        owner: Option<String>,
        /// Services that are hurt.
        #[arg(long)]
        service: Option<String>,
        /// Words in the title, the item or the resolution.
        #[arg(long)]
        q: Option<String>,
        /// How many: 1 to 1000.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Shows one: what it hurts, its alerts, its timeline.
    Show {
        /// Such as INC0000042.
        id: String,
    },
    /// Opens one for a fault that no alert tells of: somebody phones.
    Open {
        /// What is wrong, in a sentence.
        #[arg(required = true)]
        title: Vec<String>,
        /// The item, by its id or an alias.
        #[arg(long)]
        ci: String,
        /// P1 to P5; by the item's criticality unless given.
        #[arg(long, conflicts_with_all = ["impact", "urgency"])]
        priority: Option<String>,
        /// high, medium or low.
        #[arg(long, requires = "urgency")]
        impact: Option<String>,
        /// high, medium or low.
        #[arg(long, requires = "impact")]
        urgency: Option<String>,
        /// What else they said.
        #[arg(long)]
        words: Option<String>,
    },
    /// Others are the same fault: they become its children.
    Merge {
        #[command(flatten)]
        id: Id,
        /// The others, such as INC0000043.
        #[arg(required = true)]
        children: Vec<String>,
    },
    /// You have it.
    #[command(visible_alias = "acknowledge")]
    Ack(Id),
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
    /// It waits.
    Hold {
        #[command(flatten)]
        id: Id,
        /// waiting_for_customer, waiting_for_vendor or waiting_for_change.
        reason: String,
        /// For how long at most, such as 2h.
        #[arg(long = "for", value_name = "DURATION")]
        for_: Option<String>,
        /// Until when at most, RFC 3339.
        #[arg(long, conflicts_with = "for_")]
        until: Option<String>,
    },
    /// It no longer waits.
    Resume(Id),
    /// It is over.
    Resolve {
        #[command(flatten)]
        id: Id,
        /// What helped.
        words: Vec<String>,
    },
    /// It is not over.
    Reopen {
        #[command(flatten)]
        id: Id,
        /// Why.
        words: Vec<String>,
    },
    /// It is history.
    Close(Id),
    /// An alert does not belong there.
    Detach {
        #[command(flatten)]
        id: Id,
        /// Such as ALR0000007.
        alert: String,
    },
    /// Its priority is another.
    Priority {
        #[command(flatten)]
        id: Id,
        /// P1 to P5.
        priority: String,
        /// Why.
        words: Vec<String>,
    },
}

/// The incident of a command.
#[derive(Debug, clap::Args)]
pub(super) struct Id {
    /// Such as INC0000042.
    id: String,
    /// Only if it is still at this version.
    #[arg(long, value_name = "VERSION")]
    if_version: Option<u64>,
}

/// Does it.
pub(super) fn run(client: &Client, output: Output, verb: Verb, now: Time) -> Result<(), Failure> {
    let joined = |words: Vec<String>| words.join(" ");
    match verb {
        Verb::List { state, priority, ci, owner, service, q, limit } => {
            let given = [("priority", priority), ("ci", ci), ("owner", owner), ("service", service), ("q", q)];
            let all_open = state == "open" && given.iter().all(|(_, value)| value.is_none());
            let mut query = vec![("state", state), ("limit", limit.to_string())];
            query.extend(given.into_iter().filter_map(|(name, value)| Some((name, value?))));
            let list = client.get("/api/v1/incidents", &query)?;
            print(&if output == Output::Json {
                json_text(&list)
            } else {
                listed(&list, if all_open { "no incident is open" } else { "no such incident" }, now)
            });
            Ok(())
        }
        Verb::Show { id } => {
            let record = client.get(&format!("/api/v1/incidents/{}", part(&id)), &[])?;
            print(&if output == Output::Json { json_text(&record) } else { shown(&record, now) });
            Ok(())
        }
        Verb::Open { title, ci, priority, impact, urgency, words } => {
            let mut body = json!({ "title": joined(title), "ci": ci });
            for (name, value) in [("priority", priority), ("impact", impact), ("urgency", urgency), ("words", words)] {
                if let Some(value) = value {
                    body[name] = value.into();
                }
            }
            said(output, &client.post("/api/v1/incidents", &body)?);
            Ok(())
        }
        Verb::Merge { id, children } => command(client, output, &id, "merge", &json!({ "children": children })),
        Verb::Ack(id) => command(client, output, &id, "acknowledge", &json!({})),
        Verb::Assign { id, to } => command(client, output, &id, "assign", &json!({ "to": to })),
        Verb::Note { id, text } => command(client, output, &id, "note", &json!({ "text": joined(text) })),
        Verb::Hold { id, reason, for_, until } => {
            let mut body = json!({ "reason": reason });
            for (name, value) in [("for", for_), ("until", until)] {
                if let Some(value) = value {
                    body[name] = value.into();
                }
            }
            command(client, output, &id, "hold", &body)
        }
        Verb::Resume(id) => command(client, output, &id, "resume", &json!({})),
        Verb::Resolve { id, words } => command(client, output, &id, "resolve", &json!({ "words": joined(words) })),
        Verb::Reopen { id, words } => command(client, output, &id, "reopen", &json!({ "words": joined(words) })),
        Verb::Close(id) => command(client, output, &id, "close", &json!({})),
        Verb::Detach { id, alert } => command(client, output, &id, "detach", &json!({ "alert": alert })),
        Verb::Priority { id, priority, words } => {
            command(client, output, &id, "priority", &json!({ "priority": priority, "words": joined(words) }))
        }
    }
}

fn command(client: &Client, output: Output, id: &Id, word: &str, body: &Value) -> Result<(), Failure> {
    said(output, &client.command(&format!("/api/v1/incidents/{}/{word}", part(&id.id)), body, id.if_version)?);
    Ok(())
}

/// Says how an incident, or a problem, is after a command.
pub(super) fn said(output: Output, record: &Value) {
    print(&match output {
        Output::Json => json_text(record),
        Output::Table => {
            let (id, priority, holder) = (text(record, "id"), text(record, "priority"), text(record, "assignee"));
            let named = if priority.is_empty() { id } else { format!("{id} {priority}") };
            let has_it = if holder.is_empty() { String::new() } else { format!(", {holder} has it") };
            let state = text(record, "state").replace('_', " ");
            format!("{named} is {state}{has_it}: {}\n", text(record, "title"))
        }
    });
}

fn listed(list: &Value, none: &str, now: Time) -> String {
    let row = |item: &Value| {
        let services: Vec<String> = item["services"].as_array().into_iter().flatten().map(|hit| text(hit, "id")).collect();
        vec![
            text(item, "id"),
            text(item, "priority"),
            text(item, "state").replace('_', " "),
            ago(item, "opened_at", now),
            text(item, "ci"),
            text(item, "title"),
            services.join(", "),
            text(item, "alert_count"),
            text(item, "team"),
            text(item, "assignee"),
        ]
    };
    let columns = ["id", "prio", "state", "since", "item", "title", "hurts", "alerts", "team", "assignee"];
    table(&columns, items(list).iter().map(row).collect(), none) + more(list)
}

/// `gold resolution running, 75 % used, by 2026-11-24 07:02`.
fn clocks(record: &Value) -> String {
    let one = |promise: &Value| {
        let by = at(promise, "deadline");
        let by = if by.is_empty() { by } else { format!(", by {by}") };
        format!("{} {} {}, {} % used{by}", text(promise, "name"), text(promise, "target"), text(promise, "state"), text(promise, "percent"))
    };
    record["sla"].as_array().into_iter().flatten().map(one).collect::<Vec<_>>().join("; ")
}

fn shown(record: &Value, now: Time) -> String {
    let mut out = format!(
        "{} {} {}: {}\n",
        text(record, "id"),
        text(record, "priority"),
        text(record, "state").replace('_', " ").to_uppercase(),
        text(record, "title")
    );
    let hurts = record["services"].as_array().into_iter().flatten();
    let hurts: Vec<String> = hurts.map(|hit| format!("{}: {}", text(hit, "id"), text(hit, "health").replace('_', " "))).collect();
    let hold = &record["hold"];
    for (name, value) in [
        ("item", text(record, "ci")),
        ("since", format!("{} ({} ago)", at(record, "opened_at"), ago(record, "opened_at", now))),
        ("holder", text(record, "assignee")),
        ("team", text(record, "team")),
        ("hurts", hurts.join(", ")),
        ("because", text(record, "because")),
        ("clocks", clocks(record)),
        ("rule", text(record, "rule")),
        ("runbook", text(record, "runbook")),
        ("parent", text(record, "parent")),
        ("children", text(record, "children")),
        ("before", text(record, "recurrence_of")),
        ("problem", text(record, "problem")),
        ("on hold", text(hold, "reason").replace('_', " ")),
        ("resolved", at(record, "resolved_at")),
        ("by", text(record, "resolved_by")),
        ("words", text(record, "resolution")),
        ("version", text(record, "version")),
        ("page", text(record, "url")),
    ] {
        out += &line(name, &value);
    }
    let alert = |alert: &Value| {
        vec![text(alert, "id"), text(alert, "state"), text(alert, "role"), text(alert, "name"), text(alert, "ci"), text(alert, "because")]
    };
    let alerts = record["alerts"].as_array().into_iter().flatten().map(alert).collect();
    out += &format!("\n{}", table(&["alert", "state", "role", "name", "item", "because"], alerts, "no alerts"));
    out.push('\n');
    for entry in record["timeline"].as_array().into_iter().flatten() {
        let because = plain(&entry["because"]);
        let because = if because.is_empty() { because } else { format!(" ({because})") };
        out += &format!("{}  {}: {}{because}\n", at(entry, "at"), text(entry, "actor"), text(entry, "what"));
    }
    out
}
