//! `POST /api/v2/alerts`: the list that Prometheus sends to an Alertmanager.
//!
//! What is missing stays missing: the engine puts Alertmanager's defaults (a start of now, an end after the resolve timeout) and does its merge.

use serde::Deserialize;

use watchkeeper_engine::input::{AlertInput, Refused};

use super::{Door, Parsed, why_unread};
use crate::ingest::json::{Moment, Pairs, members, text};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Postable {
    labels: Pairs,
    #[serde(default)]
    annotations: Pairs,
    #[serde(default)]
    starts_at: Moment,
    #[serde(default)]
    ends_at: Moment,
    #[serde(default, rename = "generatorURL")]
    generator_url: Option<String>,
}

/// The alerts of a body.
///
/// # Errors
/// The body is no list of alerts, or beyond a bound; nothing of it is taken.
pub fn parse(door: &Door<'_>, body: &[u8]) -> Result<Parsed, Refused> {
    let members = members(text(body)?)?;
    let mut parsed = Parsed::default();
    for (index, raw) in members.iter().enumerate() {
        parsed.put(index, member(door, raw.get()));
    }
    Ok(parsed)
}

fn member(door: &Door<'_>, raw: &str) -> Result<AlertInput, Refused> {
    let postable: Postable = serde_json::from_str(raw).map_err(|error| why_unread(raw, &error))?;
    let mut input = door.alert(postable.labels, postable.annotations);
    input.url = postable.generator_url.unwrap_or_default();
    input.starts_at = postable.starts_at.0;
    input.ends_at = postable.ends_at.0;
    Ok(input)
}
