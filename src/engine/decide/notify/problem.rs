//! Who hears of a problem, and what the mail says.

use super::{LAST_RESORT, Mail, cause_of, recipients};
use crate::event::World;
use crate::limits;
use crate::model::incident::Incident;
use crate::model::message::{Content, OfProblem, OutageLine, ProblemSaid};
use crate::model::problem::{Outage, Problem};
use crate::sight::{self, IncidentTexts};
use crate::state::State;
use crate::time::{Span, Time};
use crate::words::{Reason, Sent};

/// Who hears of a problem: whom the rules name for its last incident, at once also where they fold incidents; else, of what asks for attention, the last
/// resort.
pub fn of_problem(state: &State, world: &World, problem: &Problem, reason: Reason, now: Time) -> Vec<Mail> {
    let mut found: Vec<Found> = Vec::new();
    let last = problem.outages.iter().rev().find_map(|outage| state.incidents.get(&outage.incident));
    if let Some(incident) = last {
        let texts = IncidentTexts::of(incident);
        let view = sight::of_incident(state, world, incident, &texts, cause_of(state, incident), now);
        let rules = world.policy.notify.iter().filter(|rule| rule.sends(reason) && rule.condition.holds(&view).is_yes());
        for rule in rules {
            for to in recipients::of(world, incident, &view, rule) {
                if !found.iter().any(|known| known.to.address == to.address) {
                    found.push(Found { to, rule: rule.name.clone(), template: rule.template_of(reason).to_owned() });
                }
            }
        }
    }
    if found.is_empty() && reason.sent() == Sent::ByDefault {
        let to = |address: &String| recipients::To { address: address.to_ascii_lowercase(), team: problem.team.clone() };
        let resort = world.settings.last_resort.iter();
        found = resort.map(|one| Found { to: to(one), rule: LAST_RESORT.to_owned(), template: reason.word().to_owned() }).collect();
    }
    found.truncate(limits::TOLD_MAX);
    let everybody: Vec<String> = found.iter().map(|one| one.to.address.clone()).collect();
    let mail = |Found { to: recipients::To { address, team }, rule, template }| {
        let others = everybody.iter().filter(|other| **other != address).cloned().collect();
        let first = !problem.told.iter().any(|told| told.address == address);
        let content = content(world, problem, last, &rule, others, first, now);
        Mail { address, reason, rule, template, team, content, subject: Some(subject(problem, reason)) }
    };
    found.into_iter().map(mail).collect()
}

/// Somebody who hears of it.
struct Found {
    to: recipients::To,
    rule: String,
    template: String,
}

/// `Problem: LinkDown on sw-1, 3 times in 7 d [PRB0000004]`, at most 70 characters, never cut in the number.
fn subject(problem: &Problem, reason: Reason) -> String {
    let head = reason.subject();
    let often = match reason == Reason::ProblemOpened {
        true => format!(", {} times in {}", problem.outage_count, problem.within.words()),
        false => String::new(),
    };
    let tail = format!("{often} [{}]", problem.id);
    let room = limits::SUBJECT_CHARS_MAX.saturating_sub(head.chars().count() + 1 + tail.chars().count());
    let title = if problem.title.chars().count() <= room {
        problem.title.clone()
    } else {
        let kept: String = problem.title.chars().take(room.saturating_sub(1)).collect();
        format!("{kept}…")
    };
    format!("{head} {title}{tail}")
}

fn content(world: &World, problem: &Problem, last: Option<&Incident>, rule: &str, others: Vec<String>, first: bool, now: Time) -> Content {
    let line = |outage: &Outage| OutageLine {
        incident: outage.incident.to_string(),
        at: outage.at,
        lasted: (outage.ended.unwrap_or(now) - outage.at).max(Span::ZERO),
        is_over: outage.ended.is_some(),
        words: outage.words.clone(),
    };
    let shown = problem.outages.len().saturating_sub(limits::OUTAGES_TOLD);
    Content::Problem(Box::new(OfProblem {
        state: problem.state.word().to_owned(),
        now,
        since: problem.opened_at,
        holder: problem.assignee.clone(),
        item: super::content::item(world, &problem.ci, &problem.item),
        title: problem.title.clone(),
        team: problem.team.clone(),
        told: others,
        rule: last.map(|incident| incident.rule.clone()).unwrap_or_default(),
        notify: rule.to_owned(),
        first,
        problem: ProblemSaid {
            id: problem.id.to_string(),
            rule: problem.key.rule.clone(),
            same: problem.key.same.clone(),
            because: problem.because.to_string(),
            count: problem.outage_count,
            since: problem.outages.first().map(|outage| outage.at).unwrap_or_default(),
            lasted: problem.lasted(now),
            outages: problem.outages[shown..].iter().map(line).collect(),
            workaround: problem.workaround.clone(),
            fixes_failed: problem.fixes_failed,
            fix: problem.resolution.clone(),
            fixed_by: problem.resolved_by.clone(),
        },
    }))
}
