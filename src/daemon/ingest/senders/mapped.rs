//! Webhooks of senders that have no format of their own here: a format of the rules says where in the body the alerts are and what each field is.

use std::collections::BTreeMap;

use serde_json::Value;

use watchkeeper_engine::input::Refused;
use watchkeeper_engine::policy::formats::Format;

use super::{Door, Member};
use crate::ingest::json::{bounded_members, of_serde, text};

/// The alerts of a body. Names of `headers` are in lower case.
///
/// # Errors
/// The body is no JSON, has no list where the format says that its alerts are, or is beyond a bound; nothing of it is taken.
pub fn parse(door: &Door<'_>, format: &Format, headers: &BTreeMap<String, String>, body: &[u8]) -> Result<Vec<Member>, Refused> {
    let text = text(body)?;
    let value: Value = serde_json::from_str(text).map_err(|error| of_serde(&error, text, "JSON"))?;
    let members = bounded_members(format.map(door.realm, door.source, &value, headers)?)?;
    Ok(members.into_iter().enumerate().map(|(place, said)| Member::placed(place, said)).collect())
}
