//! The webhook of Alertmanager (version "4") and of Grafana's alerting (version "1"): a group of alerts, each with its own status.
//!
//! A firing alert without an end fires until its sender says otherwise: these senders do not repeat it often enough for a timeout.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use watchkeeper_engine::input::{AlertInput, Refused};
use watchkeeper_engine::time::Time;

use super::{Door, Keeps, Member, Sender, Speaks, why_unread};
use crate::ingest::json::{Moment, Pairs, bounded_members, kind, of_serde, refused, text};

/// The sender.
pub static SENDER: Sender =
    Sender { name: "alertmanager", read: |door, call| parse(door, call.body), keeps: Keeps::Body, speaks: Speaks::Bodies };

#[derive(Deserialize)]
struct Group<'a> {
    #[serde(borrow)]
    alerts: Option<Vec<&'a RawValue>>,
    #[serde(default)]
    status: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GroupAlert {
    #[serde(default)]
    status: Option<String>,
    labels: Pairs,
    #[serde(default)]
    annotations: Pairs,
    #[serde(default)]
    starts_at: Moment,
    #[serde(default)]
    ends_at: Moment,
    #[serde(default, rename = "generatorURL")]
    generator_url: Option<String>,
    #[serde(default, rename = "panelURL")]
    panel_url: Option<String>,
    #[serde(default)]
    values: Value,
}

/// The alerts of a body.
///
/// # Errors
/// The body is no group of alerts, or beyond a bound; nothing of it is taken.
pub fn parse(door: &Door<'_>, body: &[u8]) -> Result<Vec<Member>, Refused> {
    let text = text(body)?;
    let group: Group<'_> = serde_json::from_str(text).map_err(|error| why_no_group(text, &error))?;
    let members = bounded_members(group.alerts.ok_or_else(|| no_alerts(text))?)?;
    let of = |(place, raw): (usize, &&RawValue)| Member::new(place, member(door, raw.get(), group.status.as_deref()));
    Ok(members.iter().enumerate().map(of).collect())
}

fn member(door: &Door<'_>, raw: &str, group_status: Option<&str>) -> Result<AlertInput, Refused> {
    let alert: GroupAlert = serde_json::from_str(raw).map_err(|error| why_unread(raw, &error))?;
    let resolved = match alert.status.as_deref().or(group_status) {
        Some("firing") | None => false,
        Some("resolved") => true,
        Some(other) => {
            let shown: String = other.chars().take(40).collect();
            return Err(refused("status", format!("`firing` or `resolved`, this is {shown:?}")));
        }
    };
    let mut input = door.alert(alert.labels, alert.annotations);
    input.url = [alert.generator_url, alert.panel_url].into_iter().flatten().find(|url| !url.is_empty()).unwrap_or_default();
    input.value = values(&alert.values);
    input.starts_at = alert.starts_at.0;
    input.ends_at = if resolved { alert.ends_at.0 } else { alert.ends_at.0.or(Some(Time::NEVER)) };
    input.resolved = resolved;
    Ok(input)
}

/// Grafana's `values`: a number for each query, as `A=93.5 B=1`.
fn values(values: &Value) -> String {
    let Value::Object(values) = values else { return String::new() };
    let shown: Vec<String> = values.iter().filter(|(_, value)| value.is_number()).map(|(name, value)| format!("{name}={value}")).collect();
    shown.join(" ")
}

fn why_no_group(text: &str, error: &serde_json::Error) -> Refused {
    let wanted = "an object with `alerts`, as Alertmanager and Grafana send it";
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(fields)) => match fields.get("alerts") {
            Some(Value::Array(_)) => refused("status", "a text"),
            Some(other) => refused("alerts", format!("a list of alerts, this is {}", kind(other))),
            None => no_alerts(text),
        },
        Ok(Value::Array(_)) => refused("body", format!("{wanted}; a list goes to /api/v2/alerts below this hook")),
        Ok(other) => refused("body", format!("{wanted}, this is {}", kind(&other))),
        Err(_) => of_serde(error, text, wanted),
    }
}

fn no_alerts(text: &str) -> Refused {
    let legacy = text.contains("\"evalMatches\"") || text.contains("\"ruleName\"");
    let hint =
        if legacy { "; this looks like Grafana's alerting before version 9, which needs a format of your own in the rules" } else { "" };
    refused("alerts", format!("a list of alerts{hint}"))
}
