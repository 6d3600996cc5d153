//! Who hears of a problem, and what the mail says.

use super::{LAST_RESORT, Mail, cause_of, recipients};
use crate::event::World;
use crate::limits;
use crate::model::incident::Incident;
use crate::model::message::{Content, Item, OutageLine, ProblemSaid};
use crate::model::problem::{Outage, Problem};
use crate::sight::{self, IncidentTexts};
use crate::state::State;
use crate::time::{Span, Time};
use crate::words::{Reason, Sent};

/// Who hears of a problem: whom the rules name for its last incident, at once also where they fold incidents; else, of what asks for attention, the last
/// resort.
pub fn of_problem(state: &State, world: &World, problem: &Problem, reason: Reason, now: Time) -> Vec<Mail> {
    let mut mails: Vec<Mail> = Vec::new();
    let mail = |address: String, team: String, rule: &str, template: &str| Mail {
        address,
        reason,
        rule: rule.to_owned(),
        template: template.to_owned(),
        team,
        content: Content::default(),
        subject: Some(subject(problem, reason)),
    };
    let last = problem.outages.iter().rev().find_map(|outage| state.incidents.get(&outage.incident));
    if let Some(incident) = last {
        let texts = IncidentTexts::of(incident);
        let view = sight::of_incident(state, world, incident, &texts, cause_of(state, incident), now);
        let rules = world.policy.notify.iter().filter(|rule| rule.sends(reason) && rule.condition.holds(&view).is_yes());
        for rule in rules {
            for to in recipients::of(world, incident, &view, rule) {
                if !mails.iter().any(|known| known.address == to.address) {
                    mails.push(mail(to.address, to.team, &rule.name, rule.template_of(reason)));
                }
            }
        }
    }
    if mails.is_empty() && reason.sent() == Sent::ByDefault {
        let resort = world.settings.last_resort.iter();
        mails = resort.map(|address| mail(address.to_ascii_lowercase(), problem.team.clone(), LAST_RESORT, reason.word())).collect();
    }
    mails.truncate(limits::TOLD_MAX);
    let everybody: Vec<String> = mails.iter().map(|mail| mail.address.clone()).collect();
    for mail in &mut mails {
        let others = everybody.iter().filter(|other| **other != mail.address).cloned().collect();
        let first = !problem.told.iter().any(|told| told.address == mail.address);
        mail.content = content(world, problem, last, mail, others, first, now);
    }
    mails
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

fn content(world: &World, problem: &Problem, last: Option<&Incident>, mail: &Mail, others: Vec<String>, first: bool, now: Time) -> Content {
    let item = match problem.ci.known().and_then(|no| world.cmdb.ci(no)) {
        Some(ci) => Item {
            id: ci.id.clone(),
            class: ci.class.clone(),
            owner: ci.owner.clone(),
            site: ci.labels.get("site").to_owned(),
            known: true,
        },
        None => Item { id: problem.item.clone(), ..Item::default() },
    };
    let line = |outage: &Outage| OutageLine {
        incident: outage.incident.to_string(),
        at: outage.at,
        lasted: (outage.ended.unwrap_or(now) - outage.at).max(Span::ZERO),
        is_over: outage.ended.is_some(),
        words: outage.words.clone(),
    };
    let shown = problem.outages.len().saturating_sub(limits::OUTAGES_TOLD);
    Content {
        state: problem.state.word().to_owned(),
        now,
        since: problem.opened_at,
        holder: problem.assignee.clone(),
        by: problem.assignee.clone(),
        item,
        title: problem.title.clone(),
        team: problem.team.clone(),
        told: others,
        rule: last.map(|incident| incident.rule.clone()).unwrap_or_default(),
        notify: mail.rule.clone(),
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
        ..Content::default()
    }
}
