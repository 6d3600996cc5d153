//! `alert list`, `unmatched`, `explain`, `try`, `send`, `mail list`: what came in, what was thought of it, and who was told.

use std::io::Read as _;
use std::path::Path;

use serde_json::{Value, json};
use watchkeeper_engine::ids::IncidentId;
use watchkeeper_engine::time::{Span, Time};

use super::client::{Client, Output, part};
use super::table::{ago, at, items, line, more, table, text};
use super::{json_text, print};
use crate::app::Failure;

/// Keys of `send` that are annotations; every other one is a label.
const ANNOTATIONS: [&str; 2] = ["summary", "description"];
/// Bytes of a file that `try` sends.
const TRY_BYTES_MAX: u64 = 4 << 20;

/// `alert list`.
pub(super) fn list(client: &Client, output: Output, state: String, limit: u32, now: Time) -> Result<(), Failure> {
    let list = client.get("/api/v1/alerts", &[("state", state), ("limit", limit.to_string())])?;
    let row = |alert: &Value| {
        vec![
            text(alert, "id"),
            text(alert, "state"),
            text(alert, "severity"),
            ago(alert, "starts_at", now),
            text(alert, "name"),
            text(alert, "ci"),
            text(alert, "incident"),
            text(alert, "count"),
            text(alert, "source"),
            text(alert, "summary"),
        ]
    };
    let columns = ["id", "state", "severity", "since", "name", "item", "incident", "count", "source", "summary"];
    print(&match output {
        Output::Json => json_text(&list),
        Output::Table => table(&columns, items(&list).iter().map(row).collect(), "no such alert") + more(&list),
    });
    Ok(())
}

/// `unmatched`.
pub(super) fn unmatched(client: &Client, output: Output, now: Time) -> Result<(), Failure> {
    let list = client.get("/api/v1/unmatched", &[("limit", "1000".to_owned())])?;
    let row = |value: &Value| {
        let example = &value["examples"][0];
        vec![text(value, "value"), text(value, "alerts"), text(example, "name"), text(example, "source"), ago(example, "since", now)]
    };
    let rows: Vec<Vec<String>> = items(&list).iter().map(row).collect();
    let help = if rows.is_empty() { "" } else { "add each as an item, or as an alias of one, to the CMDB files\n" };
    print(&match output {
        Output::Json => json_text(&list),
        Output::Table => table(&["value", "alerts", "for example", "source", "since"], rows, "every active alert has its item") + help,
    });
    Ok(())
}

/// `explain ID`.
pub(super) fn explain(client: &Client, output: Output, id: &str) -> Result<(), Failure> {
    let is_incident = id.parse::<IncidentId>().is_ok();
    let kind = if is_incident { "incidents" } else { "alerts" };
    let explained = client.get(&format!("/api/v1/{kind}/{}/explain", part(id)), &[])?;
    print(&match output {
        Output::Json => json_text(&explained),
        Output::Table => {
            let subject = if is_incident { &explained["incident"] } else { &explained["alert"] };
            let what = if is_incident { text(subject, "title") } else { format!("{} on {}", text(subject, "name"), text(subject, "ci")) };
            let mut out = format!("{} {}: {what}\n", text(subject, "id"), text(subject, "state").replace('_', " "));
            out += &steps(&explained);
            let attached = &explained["attached"];
            if !attached.is_null() {
                let because = text(attached, "because");
                out += &line("incident", &format!("{} ({}): {because}", text(attached, "incident"), text(attached, "role")));
            }
            out
        }
    });
    Ok(())
}

/// `try FILE|-`.
pub(super) fn try_file(client: &Client, output: Output, file: &Path) -> Result<(), Failure> {
    let body = read(file)?;
    let tried = client.post_text("/api/v1/try", body)?;
    print(&match output {
        Output::Json => json_text(&tried),
        Output::Table => {
            let traced = |alert: &Value| format!("{}\n{}", text(alert, "name"), steps(alert));
            tried["alerts"].as_array().into_iter().flatten().map(traced).collect::<Vec<_>>().join("\n")
        }
    });
    Ok(())
}

/// `send KEY=VALUE …`: an alert as Prometheus would send it.
pub(super) fn send(
    client: &Client,
    output: Output,
    pairs: &[String],
    resolved: Resolved,
    lasts: Option<&str>,
    now: Time,
) -> Result<(), Failure> {
    let (mut labels, mut annotations) = (serde_json::Map::new(), serde_json::Map::new());
    for pair in pairs {
        let (key, value) = pair.split_once('=').ok_or_else(|| usage(format!("`{pair}` is no KEY=VALUE, such as instance=db-1")))?;
        let place = if ANNOTATIONS.contains(&key) { &mut annotations } else { &mut labels };
        place.insert(if key == "name" { "alertname".to_owned() } else { key.to_owned() }, value.into());
    }
    let Some(name) = labels.get("alertname").cloned() else {
        return Err(usage("an alert has a name: alertname=DeviceDown instance=sw-1 severity=critical summary=\"no answer\"".to_owned()));
    };
    let mut alert = json!({ "labels": labels, "annotations": annotations });
    match (resolved, lasts) {
        (Resolved::Yes, _) => alert["endsAt"] = now.rfc3339().into(),
        (Resolved::No, Some(span)) => {
            alert["endsAt"] = (now + Span::parse(span).map_err(|fault| usage(fault.to_string()))?).rfc3339().into();
        }
        (Resolved::No, None) => {}
    }
    client.post("/api/v2/alerts", &json!([alert]))?;
    let query = [("name", name.as_str().unwrap_or_default().to_owned()), ("state", "all".to_owned()), ("limit", "200".to_owned())];
    let list = client.get("/api/v1/alerts", &query)?;
    let same = |item: &&Value| {
        labels.iter().all(|(name, value)| item["labels"][name] == *value)
            && item["labels"].as_object().is_some_and(|own| own.len() == labels.len())
    };
    let found = items(&list).iter().find(same);
    print(&match (output, found) {
        (Output::Json, found) => json_text(found.unwrap_or(&Value::Null)),
        (Output::Table, None) => "taken; nothing was known of it, and it is over\n".to_owned(),
        (Output::Table, Some(alert)) => {
            let (id, incident) = (text(alert, "id"), text(alert, "incident"));
            let next =
                if incident.is_empty() { format!("watchkeeper explain {id}") } else { format!("watchkeeper incident show {incident}") };
            let incident = if incident.is_empty() { "no incident".to_owned() } else { incident };
            format!("{id} is {} on {}, {incident}; see `{next}`\n", text(alert, "state"), text(alert, "ci"))
        }
    });
    Ok(())
}

/// Whether a sent alert is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resolved {
    /// It is.
    Yes,
    /// It fires.
    No,
}

/// `mail list`.
pub(super) fn mails(client: &Client, output: Output, state: Option<String>, limit: u32, now: Time) -> Result<(), Failure> {
    let mut query = vec![("limit", limit.to_string())];
    query.extend(state.map(|state| ("state", state)));
    let list = client.get("/api/v1/outbox", &query)?;
    let row = |mail: &Value| {
        vec![
            text(mail, "id"),
            text(mail, "state"),
            ago(mail, "planned_at", now),
            text(mail, "reason"),
            text(mail, "to"),
            text(mail, "subject"),
            text(mail, "attempts"),
            text(mail, "last_error"),
        ]
    };
    let columns = ["id", "state", "planned", "reason", "to", "subject", "tries", "last error"];
    print(&match output {
        Output::Json => json_text(&list),
        Output::Table => table(&columns, items(&list).iter().map(row).collect(), "no such mail") + more(&list),
    });
    Ok(())
}

/// `mail retry ID`.
pub(super) fn retry(client: &Client, output: Output, id: &str) -> Result<(), Failure> {
    let mail = client.post(&format!("/api/v1/outbox/{}/retry", part(id)), &json!({}))?;
    print(&match output {
        Output::Json => json_text(&mail),
        Output::Table => format!("{} to {} is {}\n", text(&mail, "id"), text(&mail, "to"), text(&mail, "state")),
    });
    Ok(())
}

/// The steps of a judgement, one a line.
fn steps(judged: &Value) -> String {
    let step = |step: &Value| {
        let because = text(step, "because");
        let outcome = text(step, "outcome");
        let joint = if outcome.is_empty() || because.is_empty() { "" } else { ": " };
        format!("  {:<12} {outcome}{joint}{because}\n", text(step, "what"))
    };
    let began = judged["steps"].as_array().and_then(|steps| steps.first()).map_or_else(String::new, |first| at(first, "at"));
    let began = if began.is_empty() { began } else { format!("  judged {began}\n") };
    began + &judged["steps"].as_array().into_iter().flatten().map(step).collect::<String>()
}

fn read(file: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().take(TRY_BYTES_MAX).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|opened| opened.take(TRY_BYTES_MAX).read_to_string(&mut text))
    };
    match read {
        Ok(_) => Ok(text),
        Err(error) => Err(usage(format!("cannot read {}: {error}", file.display()))),
    }
}

fn usage(text: String) -> Failure {
    Failure { code: 64, text }
}
