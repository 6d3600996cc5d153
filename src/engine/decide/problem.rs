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
/// Bytes of an alert's name in a problem's title.
const ALERT_BYTES_MAX: usize = 80;
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
    let shared = shared(state, world, rule, incident, now)?;
    let key = SeriesKey { rule: rule.name.clone(), same: shared.same.clone() };
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
    Some(Verdict::Opens { problem: Box::new(opened(state, rule, (key, &shared), outages, incident, now)) })
}

/// What the incidents of a rule share.
struct Shared {
    /// All of it, as the key of a series has it.
    same: String,
    /// The name of the alert that is the cause, where the rule asks for it.
    alert: Option<String>,
}

fn opened(
    state: &State,
    rule: &ProblemRule,
    (key, shared): (SeriesKey, &Shared),
    outages: Vec<Outage>,
    incident: &Incident,
    now: Time,
) -> Problem {
    let count = u32::try_from(outages.len()).unwrap_or(u32::MAX);
    let words: Vec<&str> = rule.same.iter().map(|by| by.word()).collect();
    let title = title(rule, &key, shared.alert.as_deref(), incident);
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

/// What keeps coming back, in the words of the incident where it is of one CI; it names the alert where the rule tells alerts apart.
fn title(rule: &ProblemRule, key: &SeriesKey, alert: Option<&str>, incident: &Incident) -> String {
    let is_of_item = rule.same.iter().any(|by| matches!(by, SameBy::Ci | SameBy::Title));
    match alert {
        _ if !is_of_item => key.same.clone(),
        Some(alert) if !incident.title.contains(alert) => format!("{}: {}", cut(alert, ALERT_BYTES_MAX), incident.title),
        Some(_) | None => incident.title.clone(),
    }
}

/// What the rule's incidents share, where the rule holds and each of it has a value.
fn shared(state: &State, world: &World, rule: &ProblemRule, incident: &Incident, now: Time) -> Option<Shared> {
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
    let alert = rule.same.contains(&SameBy::AlertName).then(|| view.alert.name.to_owned());
    Some(Shared { same: cut(&parts.join(", "), SAME_BYTES_MAX), alert })
}

/// A text whose numbers and ids are all alike: `pod-7f9c4d has 3 restarts` becomes `pod-# has # restarts`, a UUID `#`.
fn masked(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let word = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
        if let Some(uuid) = uuid(rest) {
            out.push('#');
            rest = &rest[uuid..];
        } else if word > 0 {
            mask_word(&rest[..word], &mut out);
            rest = &rest[word..];
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

/// A word of letters and digits: one `#` where it is an id, else one for each number in it.
fn mask_word(word: &str, out: &mut String) {
    let is_hex = |text: &str| text.chars().all(|c| c.is_ascii_hexdigit()) && text.chars().any(|c| c.is_ascii_digit());
    if word.len() >= ID_CHARS_MIN && is_hex(word) || word.strip_prefix("0x").is_some_and(is_hex) {
        out.push('#');
        return;
    }
    let mut is_number = false;
    for c in word.chars() {
        match (c.is_numeric(), is_number) {
            (false, _) => out.push(c),
            (true, false) => out.push('#'),
            (true, true) => {}
        }
        is_number = c.is_numeric();
    }
}

/// How many bytes of the beginning are a UUID that ends there.
fn uuid(text: &str) -> Option<usize> {
    const PARTS: [usize; 5] = [8, 4, 4, 4, 12];
    let bytes = PARTS.iter().sum::<usize>() + PARTS.len() - 1;
    let (head, rest) = text.split_at_checked(bytes)?;
    let is_part = |(part, len): (&str, &usize)| part.len() == *len && part.bytes().all(|b| b.is_ascii_hexdigit());
    let is_uuid = head.split('-').count() == PARTS.len() && head.split('-').zip(&PARTS).all(is_part);
    (is_uuid && !rest.starts_with(char::is_alphanumeric)).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn numbers_and_ids_in_titles_are_alike() {
        for (text, expected) in [
            ("pod-7f9c4d has 3 restarts", "pod-# has # restarts"),
            ("web-12 of rack 7b", "web-# of rack #b"),
            ("job 550e8400-e29b-41d4-a716-446655440000 failed", "job # failed"),
            ("job 0badcafe-face-4bad-babe-deadbeefcafe failed", "job # failed"),
            ("task 0x1F at 99.5 %", "task # at #.# %"),
            ("facade and decade are words", "facade and decade are words"),
            ("é٣ü 0x", "é#ü #x"),
            ("", ""),
        ] {
            assert_eq!(masked(text), expected);
        }
    }
}
