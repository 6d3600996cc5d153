//! `reload`, `rules`, `cmdb …`: what a running daemon makes of the files that operators edit.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::Value;
use watchkeeper_engine::limits::SOURCE_BYTES_MAX;

use super::client::{Client, Output, part};
use super::table::{items, line, more, plain, table, text};
use super::{health, json_text, print};
use crate::app::Failure;
use crate::world::Run;

/// What is done with the CMDB.
#[derive(Debug, Subcommand)]
pub(super) enum Cmdb {
    /// Brings FILE into force as all that a source holds; without FILE the CMDB files, with rules and templates, as `reload` does.
    Import {
        #[command(flatten)]
        document: Document,
        /// Says what would change; changes nothing.
        #[arg(long, requires = "file")]
        dry_run: bool,
        /// Many CIs that vanish, or an emptied folder, are meant.
        #[arg(long)]
        confirm: bool,
    },
    /// Shows what an import would change; changes nothing.
    Diff {
        #[command(flatten)]
        document: Document,
    },
    /// Lists the sources that brought the CIs.
    Sources,
    /// Shows a CI: its relations, its health, what it carries.
    Show {
        /// Its id or an alias.
        id: String,
    },
    /// Shows how a CI or service was, what changed that, and for how long: its availability.
    Health(health::Wanted),
    /// Finds CIs by a part of their id, an alias or a note.
    Find {
        /// The part.
        words: String,
    },
}

/// What a source other than the CMDB files holds.
#[derive(Debug, Args)]
pub(super) struct Document {
    /// YAML as in CMDB files, or CSV where its name ends in .csv; `-` reads YAML from the standard input.
    #[arg(requires = "source")]
    file: Option<PathBuf>,
    /// The source's name, such as netbox: FILE replaces what it brought before.
    #[arg(long, requires = "file")]
    source: Option<String>,
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
        Cmdb::Import { document: Document { file: Some(file), source }, dry_run, confirm } => {
            let run = if dry_run { Run::Dry } else { Run::Real };
            import(client, output, &file, source, run, confirm.into())
        }
        Cmdb::Import { document: Document { file: None, .. }, confirm, .. } => reload(client, confirm.into()),
        Cmdb::Diff { document: Document { file: Some(file), source } } => {
            import(client, output, &file, source, Run::Dry, Confirm::NotGiven)
        }
        Cmdb::Sources => {
            let list = client.get("/api/v1/cmdb/sources", &[])?;
            let row = |source: &Value| vec![text(source, "source"), text(source, "items")];
            print(&match output {
                Output::Json => json_text(&list),
                Output::Table => table(&["source", "items"], items(&list).iter().map(row).collect(), "no source"),
            });
            Ok(())
        }
        Cmdb::Diff { document: Document { file: None, .. } } => {
            let diff = client.get("/api/v1/cmdb/diff", &[])?;
            print(&if output == Output::Json { json_text(&diff) } else { changes(&diff) });
            Ok(())
        }
        Cmdb::Show { id } => {
            let item = client.get(&format!("/api/v1/cis/{}", part(&id)), &[])?;
            print(&if output == Output::Json { json_text(&item) } else { shown(&item) });
            Ok(())
        }
        Cmdb::Health(wanted) => health::run(client, output, wanted),
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
                    table(&columns, items(&list).iter().map(row).collect(), "no CI has that in its id, aliases or note") + more(&list)
                }
            });
            Ok(())
        }
    }
}

/// `cmdb import FILE --source NAME`, `cmdb diff FILE --source NAME`.
fn import(client: &Client, output: Output, file: &Path, source: Option<String>, run: Run, confirm: Confirm) -> Result<(), Failure> {
    let is_csv = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    let query = [
        ("source", source.unwrap_or_default()),
        ("format", if is_csv { "csv" } else { "yaml" }.to_owned()),
        ("dry_run", (run == Run::Dry).to_string()),
        ("confirm", (confirm == Confirm::Given).to_string()),
    ];
    let imported = client.post_with("/api/v1/cmdb/import", &query, read(file)?)?;
    print(&match output {
        Output::Json => json_text(&imported),
        Output::Table => {
            let warnings = imported["warnings"].as_array().into_iter().flatten();
            let warning = |found: &Value| {
                format!("warning: {}:{}:{} {}\n", text(found, "path"), text(found, "line"), text(found, "column"), text(found, "message"))
            };
            let more = match imported["left_out"].as_u64() {
                None | Some(0) => String::new(),
                Some(more) => format!("and {more} further lines\n"),
            };
            let in_force = if run == Run::Real { format!("CMDB {} is in force\n", text(&imported, "version")) } else { String::new() };
            changes(&imported)
                + &more
                + &warnings.map(warning).collect::<String>()
                + &line("refused", &text(&imported, "unconfirmed"))
                + &in_force
        }
    });
    Ok(())
}

/// A document, whole: one that is cut would look like a loss.
fn read(file: &Path) -> Result<String, Failure> {
    let bytes_max = SOURCE_BYTES_MAX as u64;
    let (mut text, bounded) = (String::new(), bytes_max + 1);
    let read = if file == Path::new("-") {
        std::io::stdin().take(bounded).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|opened| opened.take(bounded).read_to_string(&mut text))
    };
    match read {
        Ok(_) if text.len() as u64 > bytes_max => {
            Err(Failure { code: 64, text: format!("{} has more than {} MiB", file.display(), bytes_max >> 20) })
        }
        Ok(_) => Ok(text),
        Err(error) => Err(Failure { code: 64, text: format!("cannot read {}: {error}", file.display()) }),
    }
}

/// A difference as a table and a sentence.
fn changes(diff: &Value) -> String {
    let row = |row: &Value| vec![text(row, "what"), text(row, "kind"), text(row, "id"), text(row, "details")];
    let rows: Vec<Vec<String>> = items(diff).iter().map(row).collect();
    let table = if rows.is_empty() { String::new() } else { table(&["change", "kind", "id", "details"], rows, "") + "\n" };
    format!("{table}{}\n", text(diff, "summary"))
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
