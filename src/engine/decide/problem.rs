//! Problems: what an outage means to a rule of `problems`. It is counted, makes a problem, is one more of one, or says that a fix failed.

use crate::event::World;
use crate::ids::ProblemId;
use crate::model::incident::Incident;
use crate::model::problem::{Outage, Problem, Series, SeriesKey};
use crate::policy::problems::ProblemRule;
use crate::sight::{self, IncidentTexts};
use crate::state::{AlertCell, State};
use crate::text::{Because, cut};
use crate::time::{Span, Time};
use crate::words::{ProblemState, SameBy};

/// Bytes of what incidents share; a longer one is cut.
const SAME_BYTES_MAX: usize = 512;
/// From so many hexadecimal digits on, one of them a number, a word is an id.
const ID_CHARS_MIN: usize = 6;

/// What an outage means to one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It counts, and is not enough yet.
    Counts {
        /// Of what.
        key: SeriesKey,
        /// The outage.
        outage: Outage,
    },
    /// With the others it is a problem.
    Opens {
        /// The problem.
        problem: Box<Problem>,
    },
    /// It is one more of a problem.
    IsOneMore {
        /// The problem.
        id: ProblemId,
        /// The outage.
        outage: Outage,
        /// Whether it came after the problem was said to be fixed; how long after.
        after_fix: Option<Span>,
    },
    /// An outage that was counted before came back after the problem was said to be fixed.
    FixFailed {
        /// The problem.
        id: ProblemId,
        /// How long after.
        after: Span,
    },
}

/// What an incident that people hear of means to a rule; `None`: nothing, or nothing new.
pub fn of_rule(state: &State, world: &World, rule: &ProblemRule, incident: &Incident, now: Time) -> Option<Verdict> {
    let same = same(state, world, rule, incident, now)?;
    let key = SeriesKey { rule: rule.name.clone(), same };
    let outage = Outage { incident: incident.id, at: incident.opened_at, ended: None, words: String::new() };
    if let Some(problem) = state.problem_of(&key) {
        let began = incident.reopened_at.unwrap_or(incident.opened_at);
        let after_fix = problem.resolved_at.filter(|resolved| began > *resolved).map(|resolved| began - resolved);
        return match (problem.has(incident.id), after_fix) {
            (false, after_fix) => Some(Verdict::IsOneMore { id: problem.id, outage, after_fix }),
            (true, Some(after)) => Some(Verdict::FixFailed { id: problem.id, after }),
            (true, None) => None,
        };
    }
    let series = state.problems.series().get(&key);
    if series.is_some_and(|series| series.outages.iter().any(|known| known.incident == incident.id)) {
        return None;
    }
    let young = |known: &&Outage| known.at + rule.within > outage.at;
    let mut outages: Vec<Outage> = series.into_iter().flat_map(|series: &Series| series.outages.iter().filter(young)).cloned().collect();
    outages.push(outage.clone());
    let count = u32::try_from(outages.len()).unwrap_or(u32::MAX);
    if count < rule.incidents {
        return Some(Verdict::Counts { key, outage });
    }
    Some(Verdict::Opens { problem: Box::new(opened(state, rule, key, outages, incident, now)) })
}

fn opened(state: &State, rule: &ProblemRule, key: SeriesKey, outages: Vec<Outage>, incident: &Incident, now: Time) -> Problem {
    let count = u32::try_from(outages.len()).unwrap_or(u32::MAX);
    let words: Vec<&str> = rule.same.iter().map(|by| by.word()).collect();
    let of_item = rule.same.iter().any(|by| matches!(by, SameBy::Ci | SameBy::Title));
    let title = if of_item { incident.title.clone() } else { key.same.clone() };
    Problem {
        id: state.next_problem_id(state.shard(&incident.realm)),
        key,
        state: ProblemState::New,
        title,
        ci: incident.ci.clone(),
        item: incident.item.clone(),
        team: incident.team.clone(),
        assignee: String::new(),
        outages,
        outage_count: count,
        because: Because::KeepsComingBack { incidents: count, within: rule.within, same: words.join(" and ") },
        opened_at: now,
        updated_at: now,
        workaround: String::new(),
        resolved_at: None,
        resolved_by: String::new(),
        resolution: String::new(),
        close_at: None,
        closed_at: None,
        fixes_failed: 0,
        wanted: rule.incidents,
        within: rule.within,
        quiet_after_fix: rule.quiet_after_fix,
        subject: String::new(),
        told: Vec::new(),
        timeline_len: 0,
        version: 1,
    }
}

/// What the rule's incidents share, where the rule holds and each of it has a value.
fn same(state: &State, world: &World, rule: &ProblemRule, incident: &Incident, now: Time) -> Option<String> {
    let texts = IncidentTexts::of(incident);
    let cause: Option<&AlertCell> = incident.cause.and_then(|id| state.cell(id)).or_else(|| state.alerts_in(incident.id).next());
    let view = sight::of_incident(state, world, incident, &texts, cause, now);
    if !rule.condition.holds(&view).is_yes() {
        return None;
    }
    let mut parts = Vec::new();
    if !incident.realm.is_main() {
        parts.push(format!("realm {}", incident.realm));
    }
    for by in &rule.same {
        let value = match by {
            SameBy::Rule => incident.rule.clone(),
            SameBy::Ci => incident.item.to_lowercase(),
            SameBy::CiClass => view.ci.class.to_owned(),
            SameBy::Service => view.service.id.to_owned(),
            SameBy::AlertName => view.alert.name.to_owned(),
            SameBy::Title => masked(&incident.title),
        };
        if value.is_empty() {
            return None;
        }
        parts.push(format!("{by} {value}"));
    }
    Some(cut(&parts.join(", "), SAME_BYTES_MAX))
}

/// A text whose numbers and ids are all alike: `pod-7f9c4d has 3 restarts` becomes `pod-# has # restarts`.
fn masked(text: &str) -> String {
    let mut out = String::new();
    for word in text.split_inclusive(|c: char| !c.is_alphanumeric()) {
        let body = word.trim_end_matches(|c: char| !c.is_alphanumeric());
        let is_id = body.len() >= ID_CHARS_MIN && body.chars().all(|c| c.is_ascii_hexdigit()) && body.chars().any(|c| c.is_ascii_digit());
        let mut masked = false;
        for c in body.chars() {
            let masks = is_id || c.is_numeric();
            if !masks {
                out.push(c);
            } else if !masked {
                out.push('#');
            }
            masked = masks;
        }
        out.push_str(&word[body.len()..]);
    }
    out
}
