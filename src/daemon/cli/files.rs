//! `reload`, `rules`, `cmdb …`: what a running daemon makes of the files that operators edit.

use clap::Subcommand;
use serde_json::Value;

use super::client::{Client, Output, part};
use super::table::{items, line, more, plain, table, text};
use super::{json_text, print};
use crate::app::Failure;

/// What is done with the CMDB.
#[derive(Debug, Subcommand)]
pub(super) enum Cmdb {
    /// Brings the CMDB files into force, with rules and templates, as `reload` does.
    Import {
        /// Many items that vanish, or an emptied folder, are meant.
        #[arg(long)]
        confirm: bool,
    },
    /// Shows what an import would change; changes nothing.
    Diff,
    /// Shows an item: its relations, its health, what it carries.
    Show {
        /// Its id or an alias.
        id: String,
    },
    /// Finds items by a part of their id, an alias or a note.
    Find {
        /// The part.
        words: String,
    },
}

/// `reload`.
pub(super) fn reload(client: &Client, confirm: Confirm) -> Result<(), Failure> {
    let query = match confirm {
        Confirm::Given => vec![("confirm", "true".to_owned())],
        Confirm::NotGiven => Vec::new(),
    };
    print(&client.post_for_words("/-/reload", &query)?);
    Ok(())
}

/// Whether a loss is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Confirm {
    /// It is.
    Given,
    /// Nobody said so.
    NotGiven,
}

impl From<bool> for Confirm {
    fn from(flag: bool) -> Confirm {
        if flag { Confirm::Given } else { Confirm::NotGiven }
    }
}

/// `rules`.
pub(super) fn rules(client: &Client, output: Output) -> Result<(), Failure> {
    let list = client.get("/api/v1/rules", &[])?;
    let row = |rule: &Value| {
        let origin = if rule["builtin"] == true { "built in" } else { "" };
        vec![text(rule, "section"), text(rule, "name"), origin.to_owned()]
    };
    print(&match output {
        Output::Json => json_text(&list),
        Output::Table => {
            let rows = items(&list).iter().map(row).collect();
            format!("policy {}\n\n{}", text(&list, "policy"), table(&["section", "rule", ""], rows, "no rules"))
        }
    });
    Ok(())
}

/// `cmdb …`.
pub(super) fn cmdb(client: &Client, output: Output, verb: Cmdb) -> Result<(), Failure> {
    match verb {
        Cmdb::Import { confirm } => reload(client, confirm.into()),
        Cmdb::Diff => {
            let diff = client.get("/api/v1/cmdb/diff", &[])?;
            let row = |row: &Value| vec![text(row, "what"), text(row, "kind"), text(row, "id"), text(row, "details")];
            let rows: Vec<Vec<String>> = items(&diff).iter().map(row).collect();
            print(&match output {
                Output::Json => json_text(&diff),
                Output::Table if rows.is_empty() => format!("{}\n", text(&diff, "summary")),
                Output::Table => format!("{}\n{}\n", table(&["change", "kind", "id", "details"], rows, ""), text(&diff, "summary")),
            });
            Ok(())
        }
        Cmdb::Show { id } => {
            let item = client.get(&format!("/api/v1/cis/{}", part(&id)), &[])?;
            print(&if output == Output::Json { json_text(&item) } else { shown(&item) });
            Ok(())
        }
        Cmdb::Find { words } => {
            let list = client.get("/api/v1/cis", &[("q", words), ("limit", "1000".to_owned())])?;
            let row = |item: &Value| {
                vec![
                    text(item, "id"),
                    text(item, "class"),
                    text(item, "owner"),
                    text(item, "environment"),
                    text(item, "criticality"),
                    text(item, "aliases"),
                ]
            };
            let columns = ["id", "class", "owner", "environment", "criticality", "aliases"];
            print(&match output {
                Output::Json => json_text(&list),
                Output::Table => {
                    table(&columns, items(&list).iter().map(row).collect(), "no item has that in its id, aliases or note") + more(&list)
                }
            });
            Ok(())
        }
    }
}

fn shown(item: &Value) -> String {
    let mut out = format!("{} {}: {}\n", text(item, "class"), text(item, "id"), text(item, "health").replace('_', " "));
    let relations = item["relations"].as_array().into_iter().flatten();
    let relations: Vec<String> =
        relations.map(|edge| format!("{} {}", text(edge, "relation").replace('_', " "), text(edge, "to"))).collect();
    let labels = item["labels"].as_object().into_iter().flatten();
    let labels: Vec<String> = labels.map(|(name, value)| format!("{}={}", plain(&Value::String(name.clone())), plain(value))).collect();
    for (name, value) in [
        ("owner", text(item, "owner")),
        ("criticality", text(item, "criticality")),
        ("environment", text(item, "environment")),
        ("tier", text(item, "tier")),
        ("aliases", text(item, "aliases")),
        ("labels", labels.join(", ")),
        ("relations", relations.join(", ")),
        ("members", text(item, "members")),
        ("groups", text(item, "groups")),
        ("services", text(item, "services")),
        ("contract", text(&item["contract"], "id")),
        ("alerts", text(item, "alerts")),
        ("incidents", text(item, "incidents")),
        ("note", text(item, "note")),
        ("source", text(item, "source")),
    ] {
        out += &line(name, &value);
    }
    out
}
