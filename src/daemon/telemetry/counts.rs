//! Counters and histograms of commits. Cheap and without waiting: where nobody else comes to it, the writer counts itself.

use std::collections::BTreeMap;

use watchkeeper_engine::fact::Fact;
use watchkeeper_engine::model::incident::clock::BREACH;
use watchkeeper_engine::model::{alert, capacity, health, incident, message};

use super::Metrics;
use crate::feed::Committed;

/// Where in an alert a door or the engine found what it refused: the only values of the label `reason`.
const REASONS: &[&str] = &["labels", "endsAt", "startsAt", "name", "key", "source", "realm", "store", "alert"];

/// Counts a commit.
pub(super) fn count(metrics: &Metrics, committed: &Committed) {
    let measured = &committed.measured;
    metrics.commit_seconds.observe(measured.took.as_secs_f64());
    metrics.batch_events.observe(measured.events as f64);
    metrics.block_bytes.inc_by(measured.block_bytes as u64);
    metrics.dead_letters_dropped.inc_by(measured.letters_dropped);
    if let Some(dearest) = &measured.dearest {
        metrics.conditions_given_up.with_label_values(&[&dearest.rule]).inc_by(u64::from(dearest.refused));
    }
    for waited in &measured.waited {
        metrics.acknowledgement_seconds.observe(waited.as_secs_f64());
    }
    let mut rejected: BTreeMap<&str, u64> = BTreeMap::new();
    for fact in committed.facts() {
        count_fact(metrics, fact);
        if let Fact::Alert(alert::Fact::Rejected { source, .. }) = fact {
            *rejected.entry(source).or_default() += 1;
        }
    }
    for (source, received) in &measured.received {
        metrics.events_received.with_label_values(&[source]).inc_by(*received);
        let refused = rejected.get(source.as_str()).copied().unwrap_or(0);
        metrics.events_accepted.with_label_values(&[source]).inc_by(received.saturating_sub(refused));
    }
}

fn count_fact(metrics: &Metrics, fact: &Fact) {
    match fact {
        Fact::Alert(alert::Fact::Rejected { source, refused }) => {
            let reason = REASONS.iter().find(|reason| refused.place.starts_with(**reason)).copied().unwrap_or("other");
            metrics.events_rejected.with_label_values(&[source.as_str(), reason]).inc();
        }
        Fact::Alert(alert::Fact::Matched { rule, .. }) => metrics.rule_matches.with_label_values(&[rule.as_str()]).inc(),
        Fact::Message(message::Fact::Rendered { fallback, .. }) if !fallback.is_empty() => {
            metrics.mails.with_label_values(&["fallback"]).inc();
        }
        Fact::Message(message::Fact::Delivered { .. }) => metrics.mails.with_label_values(&["delivered"]).inc(),
        Fact::Message(message::Fact::Failed { retry_at, .. }) => {
            let outcome = if retry_at.is_some() { "failed" } else { "dead" };
            metrics.mails.with_label_values(&[outcome]).inc();
        }
        Fact::Incident(incident::Fact::ClockReached { reached, .. }) => {
            for one in reached {
                let what = if one.percent >= BREACH { "breached" } else { "warned" };
                metrics.sla_reached.with_label_values(&[one.target.word(), what]).inc();
            }
        }
        Fact::Capacity(capacity::Fact::Answered { .. }) => metrics.capacity_queries.with_label_values(&["answered"]).inc(),
        Fact::Capacity(capacity::Fact::Unanswered { .. }) => metrics.capacity_queries.with_label_values(&["failed"]).inc(),
        Fact::Incident(incident::Fact::ClockMissed { .. }) => metrics.sla_missed.inc(),
        Fact::Alert(_)
        | Fact::Incident(_)
        | Fact::Message(_)
        | Fact::Silence(_)
        | Fact::Digest(_)
        | Fact::System(_)
        | Fact::Job(_)
        | Fact::Capacity(_)
        | Fact::Terms(_)
        | Fact::Problem(_)
        | Fact::Realm(_)
        | Fact::Cursor(_) => {}
        Fact::Health(health::Fact::Left) => {}
        Fact::Health(health::Fact::Changed { change }) => {
            metrics.health_changes.with_label_values(&[change.to.word()]).inc();
        }
    }
}
