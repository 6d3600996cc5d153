//! `alert list`, `unmatched`, `explain`, `try`, `send`, `mail list`: what came in, how it was judged, and who was notified.

use std::io::Read as _;
use std::path::Path;

use clap::Subcommand;
use serde_json::{Value, json};
use watchkeeper_engine::ids::{IncidentId, ProblemId};
use watchkeeper_engine::text::one_line;
use watchkeeper_engine::time::{Span, Time};

use super::client::{Client, Output, part};
use super::table::{Reader, line, listed, maybe, read, show, words};
use super::{json_text, print, problem};
use crate::app::Failure;
use crate::view::{
    AlertExplained, AlertView, IncidentExplained, MessageView, Page, StepView, TrialView, UnmatchedView, WholeMessage, WholeProblem,
};

/// Keys of `send` that are annotations; every other one is a label.
const ANNOTATIONS: [&str; 2] = ["summary", "description"];
/// Bytes of a file that `try` sends.
const TRY_BYTES_MAX: u64 = 4 << 20;

/// What is done with alerts.
#[derive(Debug, Subcommand)]
pub(super) enum Alert {
    /// List alerts, the newest first
    List {
        /// `active`, `all`, or states: pending firing suppressed recorded cleared
        #[arg(long, default_value = "active")]
        state: String,
        /// CIs
        #[arg(long)]
        ci: Option<String>,
        /// Names
        #[arg(long)]
        name: Option<String>,
        /// Incidents, such as INC0000042
        #[arg(long)]
        incident: Option<String>,
        /// Sources
        #[arg(long)]
        source: Option<String>,
        /// Severities: critical error warning info unknown
        #[arg(long)]
        severity: Option<String>,
        /// Words in the name, the summary or a label's value
        #[arg(long)]
        q: Option<String>,
        /// How many: 1 to 1000
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
}

/// What is done with mails.
#[derive(Debug, Subcommand)]
pub(super) enum Mail {
    /// List mails, the newest first
    List {
        /// States: planned rendered delivered dead; all unless given
        #[arg(long)]
        state: Option<String>,
        /// Incidents, such as INC0000042
        #[arg(long)]
        incident: Option<String>,
        /// Addresses
        #[arg(long)]
        to: Option<String>,
        /// How many: 1 to 1000
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Send a test mail as the daemon would, and show each step with its time: DNS, connection, TLS, login
    ///
    /// Asks no daemon; reads the configuration and its secrets.
    Test {
        /// To whom
        address: String,
    },
    /// Try to send a mail again at once
    Retry {
        /// Such as MSG0000042
        id: String,
    },
}

/// `alert list`.
pub(super) fn list(client: &Client, output: Output, verb: Alert, reader: &Reader) -> Result<(), Failure> {
    let Alert::List { state, ci, name, incident, source, severity, q, limit } = verb;
    let given = [("ci", ci), ("name", name), ("incident", incident), ("source", source), ("severity", severity), ("q", q)];
    let is_all_active = state == "active" && given.iter().all(|(_, value)| value.is_none());
    let mut query = vec![("state", state), ("limit", limit.to_string())];
    query.extend(given.into_iter().filter_map(|(name, value)| Some((name, value?))));
    let row = |alert: &AlertView| {
        vec![
            alert.id.to_string(),
            alert.state.to_string(),
            alert.details.severity.to_string(),
            reader.ago(alert.details.starts_at),
            alert.name.clone(),
            alert.ci.clone(),
            maybe(alert.details.incident.as_ref()),
            alert.details.count.to_string(),
            alert.details.source.clone(),
            alert.details.summary.clone(),
        ]
    };
    let columns = ["id", "state", "severity", "since", "name", "ci", "incident", "count", "source", "summary"];
    let nothing = if is_all_active { "no active alerts" } else { "no alert matches" };
    show(output, client.get("/api/v1/alerts", &query)?, |list: &Page<AlertView>| listed(&columns, list, row, nothing))
}

/// `unmatched`.
pub(super) fn unmatched(client: &Client, output: Output, reader: &Reader) -> Result<(), Failure> {
    let row = |value: &UnmatchedView| {
        let example = value.examples.first();
        vec![
            value.value.clone(),
            value.alerts.to_string(),
            example.map_or_else(String::new, |example| example.name.clone()),
            example.map_or_else(String::new, |example| example.source.clone()),
            example.map_or_else(String::new, |example| reader.ago(example.since)),
        ]
    };
    show(output, client.get("/api/v1/unmatched", &[("limit", "1000".to_owned())])?, |list: &Page<UnmatchedView>| {
        let help = if list.items.is_empty() { "" } else { "add each as a CI, or as an alias of one, to the CMDB files\n" };
        listed(&["value", "alerts", "for example", "source", "since"], list, row, "every active alert has its CI") + help
    })
}

/// `explain ID`.
pub(super) fn explain(client: &Client, output: Output, id: &str, reader: &Reader) -> Result<(), Failure> {
    let of = |kind: &str, last: &str| client.get(&format!("/api/v1/{kind}/{}{last}", part(id)), &[]);
    if id.parse::<ProblemId>().is_ok() {
        // Its reason, its outages and its timeline are all there is to explain.
        return show(output, of("problems", "")?, |whole: &WholeProblem| problem::shown(whole, reader));
    }
    if id.parse::<IncidentId>().is_ok() {
        return show(output, of("incidents", "/explain")?, |IncidentExplained { incident, steps: judged }| {
            format!("{} {}: {}\n{}", incident.id, words(incident.state), one_line(&incident.ticket.title), steps(judged, reader))
        });
    }
    show(output, of("alerts", "/explain")?, |AlertExplained { alert, steps: judged, attached }| {
        let what = one_line(&format!("{} on {}", alert.name, alert.ci));
        let attached = attached.as_ref().map_or_else(String::new, |attached| {
            let because = attached.because.as_deref().unwrap_or_default();
            line("incident", &format!("{} ({}): {because}", attached.incident, maybe(attached.role.as_ref())))
        });
        format!("{} {}: {what}\n{}{attached}", alert.id, words(alert.state), steps(judged, reader))
    })
}

/// `try FILE|-`.
pub(super) fn try_file(client: &Client, output: Output, file: &Path, reader: &Reader) -> Result<(), Failure> {
    let body = read_file(file)?;
    show(output, client.post_text("/api/v1/try", body)?, |trial: &TrialView| {
        let traced = trial.alerts.iter().map(|alert| format!("{}\n{}", one_line(&alert.name), steps(&alert.steps, reader)));
        traced.collect::<Vec<_>>().join("\n")
    })
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
    let answer = client.get("/api/v1/alerts", &query)?;
    let list: Page<AlertView> = read(answer.clone())?;
    let is_it = |alert: &AlertView| {
        let own = &alert.details.labels;
        own.len() == labels.len() && labels.iter().all(|(name, value)| own.get(name).is_some_and(|own| value == own))
    };
    let found = list.items.iter().position(is_it);
    print(&match (output, found) {
        (Output::Json, found) => json_text(found.map_or(&Value::Null, |at| &answer["items"][at])),
        (Output::Table, None) => "taken; nothing was known of it, and it is over\n".to_owned(),
        (Output::Table, Some(at)) => {
            let AlertView { id, state, ci, details, .. } = &list.items[at];
            let (incident, next) = match details.incident {
                None => ("no incident".to_owned(), format!("watchkeeper explain {id}")),
                Some(incident) => (incident.to_string(), format!("watchkeeper incident show {incident}")),
            };
            format!("{id} is {state} on {}, {incident}; see `{next}`\n", one_line(ci))
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

/// Filters of `mail list`.
pub(super) struct Mails {
    pub(super) state: Option<String>,
    pub(super) incident: Option<String>,
    pub(super) to: Option<String>,
    pub(super) limit: u32,
}

/// `mail list`.
pub(super) fn mails(client: &Client, output: Output, wanted: Mails, reader: &Reader) -> Result<(), Failure> {
    let Mails { state, incident, to, limit } = wanted;
    let given = [("state", state), ("incident", incident), ("to", to)];
    let nothing = if given.iter().all(|(_, value)| value.is_none()) { "no mails yet" } else { "no mail matches" };
    let mut query = vec![("limit", limit.to_string())];
    query.extend(given.into_iter().filter_map(|(name, value)| Some((name, value?))));
    let row = |mail: &MessageView| {
        vec![
            mail.id.to_string(),
            mail.state.clone(),
            reader.ago(mail.planned_at),
            mail.reason.to_string(),
            mail.to.clone(),
            mail.subject.clone(),
            mail.attempts.to_string(),
            maybe(mail.last_error.as_ref()),
        ]
    };
    let columns = ["id", "state", "planned", "reason", "to", "subject", "tries", "last error"];
    show(output, client.get("/api/v1/outbox", &query)?, |list: &Page<MessageView>| listed(&columns, list, row, nothing))
}

/// `mail retry ID`.
pub(super) fn retry(client: &Client, output: Output, id: &str) -> Result<(), Failure> {
    show(output, client.post(&format!("/api/v1/outbox/{}/retry", part(id)), &json!({}))?, |mail: &WholeMessage| {
        format!("{} to {} is {}\n", mail.header.id, one_line(&mail.header.to), mail.header.state)
    })
}

/// The steps of a judgement, one a line.
fn steps(judged: &[StepView], reader: &Reader) -> String {
    let step = |step: &StepView| {
        let (outcome, because) = (one_line(&step.outcome), one_line(step.because.as_deref().unwrap_or_default()));
        let joint = if outcome.is_empty() || because.is_empty() { "" } else { ": " };
        format!("  {:<12} {outcome}{joint}{because}\n", one_line(&step.what))
    };
    let began = judged.first().map_or_else(String::new, |first| format!("  judged {}\n", reader.at(first.at)));
    began + &judged.iter().map(step).collect::<String>()
}

fn read_file(file: &Path) -> Result<String, Failure> {
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
