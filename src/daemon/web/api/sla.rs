//! `sla` of an incident: where each promise of its SLAs stands.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use watchkeeper_engine::ids::TermsId;
use watchkeeper_engine::model::incident::Incident;
use watchkeeper_engine::model::incident::clock::{LiveTerms, Promise};
use watchkeeper_engine::time::Time;
use watchkeeper_engine::words::ClockState;

use super::{text_or_null, time, time_or_null};

/// Every promise of an incident at `now`.
pub(super) fn promises(incident: &Incident, terms: &BTreeMap<TermsId, LiveTerms>, now: Time) -> Value {
    incident.promises(terms, now).iter().map(promise).collect()
}

fn promise(promise: &Promise<'_>) -> Value {
    let (clock, standing) = (promise.clock, &promise.standing);
    json!({
        "name": clock.name,
        "kind": clock.kind.word(),
        "service": text_or_null(&clock.service),
        "target": promise.target.word(),
        "state": standing.state.word(),
        "allowed": standing.allowance.to_string(),
        "calendar": promise.terms.record.calendar,
        "percent": standing.percent,
        "started_at": time(standing.start),
        "deadline": time_or_null(standing.deadline),
        "used_seconds": standing.used.0 / 1_000,
        "left_seconds": standing.left.0 / 1_000,
        "paused": standing.state == ClockState::Paused,
        "paused_seconds": standing.paused.0 / 1_000,
        "ended_at": time_or_null(standing.ended),
        "breached_at": time_or_null(clock.breached_at(promise.target)),
    })
}
