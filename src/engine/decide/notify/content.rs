//! What a mail says, taken from State and World at the moment it is planned.

use std::collections::BTreeSet;

use crate::decide::clock::Due;
use crate::event::World;
use crate::limits;
use crate::model::alert::CiRef;
use crate::model::digest::Digest;
use crate::model::incident::Incident;
use crate::model::incident::clock::Promise;
use crate::model::message::{self, Before, ClockLine, Content, DigestLine, Hurt, Item, News, OfDigest, OfIncident, Quote, Yours};
use crate::sight;
use crate::state::{AlertCell, Cleared, State};
use crate::text::{Because, cut, one_line};
use crate::time::Time;
use crate::words::{ClockState, Health, IncidentState, Means, Priority, Reason};

/// Characters of a sender's summary that a mail quotes.
const QUOTE_BYTES_MAX: usize = 200;

/// Everything one mail's content is taken from.
pub(super) struct Told<'a> {
    pub(super) state: &'a State,
    pub(super) world: &'a World,
    pub(super) incident: &'a Incident,
    pub(super) reason: Reason,
    /// The notify rule.
    pub(super) rule: &'a str,
    pub(super) yours: Option<Yours>,
    /// Words at the first of those that has some.
    pub(super) note: &'a str,
    pub(super) left_over: &'a [String],
    pub(super) others: Vec<String>,
    pub(super) first: bool,
    pub(super) priority_before: Priority,
    pub(super) due: &'a [&'a Due],
    pub(super) now: Time,
}

/// What one mail about an incident says.
pub(super) fn of(told: Told<'_>) -> Content {
    let Told { state, world, incident, reason, .. } = told;
    let tally = state.tally(incident.id);
    // Of what has cleared only the end of it all speaks.
    let (symptoms, items, cleared) = match reason == Reason::Resolved {
        true => (tally.symptoms, tally.symptom_items, Cleared::Too),
        false => (tally.active_symptoms, tally.active_symptom_items, Cleared::Not),
    };
    let named = state.symptom_items(incident.id, cleared).take(limits::SYMPTOMS_NAMED);
    let symptom_items: Vec<String> = named.map(|cell| sight::item_name(world, &cell.alert.ci).to_owned()).collect();
    let cause = super::cause_of(state, incident);
    let (hurts, back) = hurts(&told);
    Content::Incident(Box::new(OfIncident {
        incident: incident.id.to_string(),
        priority: incident.priority.word().to_owned(),
        state: (if reason == Reason::Closed { IncidentState::Closed } else { incident.state }).word().to_owned(),
        now: told.now,
        since: if reason == Reason::Reopened { incident.began_at.min(incident.opened_at) } else { incident.since() },
        until: incident.resolved_at,
        holder: incident.assignee.clone(),
        item: item(world, &incident.ci, &incident.item),
        title: incident.title.clone(),
        quote: cause.map(|cell| quote(state, cell)).unwrap_or_else(|| reported(incident)),
        hurts,
        cause: cause_sentence(incident, items),
        symptoms,
        symptom_more: items.saturating_sub(u32::try_from(symptom_items.len()).unwrap_or(u32::MAX)),
        symptom_items,
        alerts: tally.alerts,
        cleared: tally.alerts - tally.active,
        team: incident.team.clone(),
        check: note(&told),
        before: before(state, incident),
        runbook: incident.runbook.clone(),
        clocks: clocks(&told),
        rule: incident.rule.clone(),
        notify: told.rule.to_owned(),
        reopened: incident.reopened,
        first: told.first,
        acknowledged_at: incident.acknowledged_at,
        earlier: incident
            .earlier
            .as_ref()
            .map(|earlier| message::Earlier { lasted: earlier.lasted, acknowledged_after: earlier.acknowledged_after }),
        news: news(&told),
        told: told.others,
        back,
        resolves_at: incident.settle_at.filter(|_| incident.is_open()),
    }))
}

/// What is new beside how the incident stands.
fn news(told: &Told<'_>) -> News {
    let incident = told.incident;
    match told.reason {
        Reason::Raised => News::Raised { before: told.priority_before.word().to_owned() },
        Reason::Affected => News::Yours(told.yours.clone().unwrap_or_default()),
        Reason::Held => News::Held { words: incident.hold_reason.clone(), until: incident.hold_until },
        Reason::Resolved | Reason::Closed => News::Over {
            by: incident.resolved_by.clone(),
            words: resolution(incident, told.state.tally(incident.id).alerts),
            reopens_until: incident.resolved_at.filter(|_| told.reason == Reason::Resolved).map(|at| at + incident.times.reopen_within),
            left_over: told.left_over.to_vec(),
        },
        Reason::Opened
        | Reason::Reopened
        | Reason::Released
        | Reason::Acknowledged
        | Reason::Assigned
        | Reason::SlaWarning
        | Reason::SlaBreached
        | Reason::ProblemOpened
        | Reason::FixFailed
        | Reason::ProblemRecurred
        | Reason::Digest => News::Stands,
    }
}

/// What a digest says: each incident as it is now.
pub fn digest(state: &State, digest: &Digest, now: Time) -> OfDigest {
    let lines: Vec<DigestLine> = digest
        .incidents
        .iter()
        .filter_map(|id| super::incident_for_digest(state, *id))
        .map(|incident| DigestLine {
            incident: incident.id.to_string(),
            priority: incident.priority.word().to_owned(),
            state: incident.state.word().to_owned(),
            title: incident.title.clone(),
            since: incident.began_at.min(incident.opened_at),
            until: incident.resolved_at.unwrap_or_default(),
            holder: incident.assignee.clone(),
            item: incident.item.clone(),
            lasted: incident.lasted(incident.resolved_at.unwrap_or(now)),
        })
        .collect();
    OfDigest { now, since: digest.since, team: digest.team.clone(), notify: digest.rule.clone(), lines }
}

/// The subject of an incident: `P1 sw-1 down: shop, mail [INC0000042]`, at most 70 characters, cut inside the list of services, never in the number.
pub fn subject(state: &State, world: &World, incident: &Incident) -> String {
    cut_subject(incident.priority.word(), state, world, incident)
}

/// The subject that a reason begins anew in the thread, because people must not miss it; `None` where the thread's stays.
pub(super) fn own_subject(state: &State, world: &World, incident: &Incident, reason: Reason) -> Option<String> {
    let head = reason.subject().replace("{priority}", incident.priority.word());
    match head.is_empty() {
        true => None,
        // Neither the CI nor a service is down any more.
        false if has_cleared(state, incident) => {
            let room = limits::SUBJECT_CHARS_MAX.saturating_sub(incident.id.to_string().chars().count() + 3);
            Some(format!("{} [{}]", cut_chars(&format!("{head} {}, all cleared", incident.item), room), incident.id))
        }
        false => Some(cut_subject(&head, state, world, incident)),
    }
}

fn cut_subject(head: &str, state: &State, world: &World, incident: &Incident) -> String {
    let tail = format!(" [{}]", incident.id);
    let room = limits::SUBJECT_CHARS_MAX.saturating_sub(tail.chars().count());
    let start = format!("{head} {}", what(state, world, incident));
    let names: Vec<&str> = incident.services.iter().map(|hit| hit.id.as_str()).filter(|id| *id != incident.item).collect();
    for shown in (1..=names.len()).rev() {
        let more = names.len() - shown;
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        let text = format!("{start}: {}{more}", names[..shown].join(", "));
        if text.chars().count() <= room {
            return format!("{text}{tail}");
        }
    }
    format!("{}{tail}", cut_chars(&start, room))
}

/// At most so many characters, the last of them `…` where something is left out.
fn cut_chars(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let kept: String = text.chars().take(room.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// `sw-1 down`, `db-1 degraded`, or the item and what is said of it where it neither is down nor degraded.
fn what(state: &State, world: &World, incident: &Incident) -> String {
    let cause = incident.cause.and_then(|id| state.cell(id));
    let group_down = incident.ci.known().is_some_and(|no| state.health(&incident.realm).is_below(&world.cmdb, no));
    match cause.map(|cell| cell.alert.means) {
        _ if group_down => format!("{} down", incident.item),
        Some(Means::Down) => format!("{} down", incident.item),
        Some(Means::Degraded) => format!("{} degraded", incident.item),
        // Somebody reported it: their own words say what it is.
        None if incident.cause.is_none() => incident.title.clone(),
        Some(Means::Nothing) | None => {
            let name = cause.map_or("", |cell| cell.alert.name.as_str());
            if name.is_empty() || name == incident.item { incident.item.clone() } else { format!("{} {name}", incident.item) }
        }
    }
}

/// Where each promise stands; those whose time is used up first, a broken one before all.
fn clocks(told: &Told<'_>) -> Vec<ClockLine> {
    let resolves_at = told.incident.settle_at.filter(|_| told.incident.is_open());
    let line = |promise: Promise<'_>| {
        let standing = &promise.standing;
        let due = told.due.iter().find(|due| due.name == promise.clock.name && due.target == promise.target);
        let next = promise.unsaid().find_map(|percent| Some((percent, promise.reaches(percent).filter(|at| *at > told.now)?)));
        // What has cleared resolves before that.
        let comes = |(_, at): &(u8, Time)| standing.state != ClockState::Paused && resolves_at.is_none_or(|resolves| *at < resolves);
        let (next_percent, next_at) = next.filter(comes).unwrap_or_default();
        ClockLine {
            sla: promise.clock.name.clone(),
            service: promise.clock.service.clone(),
            target: promise.target.word().to_owned(),
            state: standing.state.word().to_owned(),
            allowed: standing.allowance.words(),
            percent: standing.percent,
            deadline: standing.deadline.unwrap_or_default(),
            used: standing.used,
            left: standing.left,
            paused: standing.paused,
            ended: standing.ended.unwrap_or_default(),
            reached: due.map(|due| due.reached.iter().map(|reached| u32::from(reached.percent)).collect()).unwrap_or_default(),
            next_percent: u32::from(next_percent),
            next_at,
            start: standing.start,
            because: promise.because.clone(),
        }
    };
    let mut lines: Vec<ClockLine> = told.incident.promises(&told.state.terms, told.now).into_iter().map(line).collect();
    lines.sort_by_key(|line| (line.reached.is_empty(), std::cmp::Reverse(line.reached.last().copied()), line.ended != Time::default()));
    lines.truncate(limits::CLOCKS_TOLD);
    lines
}

pub(super) fn item(world: &World, ci: &CiRef, name: &str) -> Item {
    match ci.known().and_then(|no| world.cmdb.ci(no)) {
        Some(ci) => Item {
            id: ci.id.clone(),
            class: ci.class.clone(),
            owner: ci.owner.clone(),
            site: ci.labels.get("site").to_owned(),
            known: true,
        },
        None => Item { id: name.to_owned(), ..Item::default() },
    }
}

fn quote(state: &State, cell: &AlertCell) -> Quote {
    Quote {
        name: cell.alert.name.clone(),
        summary: cut(&cell.alert.said.summary, QUOTE_BYTES_MAX),
        source: state.source(cell.alert.source).to_owned(),
        url: cell.alert.said.url.clone(),
    }
}

/// What was said by whoever reported an incident that has no alerts.
fn reported(incident: &Incident) -> Quote {
    let Because::Operator { actor, words } = &incident.because else { return Quote::default() };
    if incident.cause.is_some() {
        return Quote::default();
    }
    Quote { summary: cut(&one_line(words), QUOTE_BYTES_MAX), source: actor.clone(), ..Quote::default() }
}

/// The services that it hurts, and those that it did and that are up: once all its alerts have cleared, each is as it is by now. What is over says whom it hurt.
fn hurts(told: &Told<'_>) -> (Vec<Hurt>, Vec<String>) {
    let (state, incident) = (told.state, told.incident);
    let is_over = matches!(told.reason, Reason::Resolved | Reason::Closed);
    let is_past = !is_over && has_cleared(state, incident);
    let (mut hurts, mut back) = (Vec::new(), Vec::new());
    for hit in &incident.services {
        let no = told.world.cmdb.find(&hit.id).filter(|_| is_past);
        match no.map_or(hit.health, |no| state.health_of(&told.world.cmdb, &incident.realm, no)) {
            Health::Ok => back.push(hit.id.clone()),
            health @ (Health::AtRisk | Health::Degraded | Health::Down) => {
                hurts.push(Hurt { id: hit.id.clone(), tier: hit.tier.clone(), health: health.word().to_owned() })
            }
        }
    }
    (hurts, back)
}

/// Whether it is open only because its alerts have not been clear for long enough.
fn has_cleared(state: &State, incident: &Incident) -> bool {
    let tally = state.tally(incident.id);
    incident.is_open() && tally.alerts > 0 && tally.active == 0
}

/// Why that item is the cause, where there is something to say beside the item itself.
fn cause_sentence(incident: &Incident, symptoms: u32) -> String {
    match (&incident.because, symptoms) {
        (Because::BelowMinUp { .. }, _) => incident.because.to_string(),
        (_, 0) => String::new(),
        (_, 1) => format!("{}: nothing it depends on fires, and the CI below hangs off it.", incident.item),
        (_, n) => format!("{}: nothing it depends on fires, and all {n} CIs below hang off it.", incident.item),
    }
}

fn note(told: &Told<'_>) -> String {
    let own = || told.incident.ci.known().and_then(|no| told.world.cmdb.ci(no)).map(|ci| ci.note.clone());
    if told.note.is_empty() { own().unwrap_or_default() } else { told.note.to_owned() }
}

fn before(state: &State, incident: &Incident) -> Option<Before> {
    let earlier = incident.recurrence_of.and_then(|id| state.incidents.get(&id))?;
    let ended = earlier.resolved_at.unwrap_or(earlier.updated_at);
    Some(Before {
        incident: earlier.id.to_string(),
        opened_at: earlier.opened_at,
        lasted: earlier.lasted(ended),
        words: earlier.resolution.clone(),
    })
}

/// The words of who resolved it; what resolved itself did so by the quiet of all its alerts.
fn resolution(incident: &Incident, alerts: u32) -> String {
    if let Some(parent) = incident.parent {
        Because::Emptied { by: parent }.to_string()
    } else if incident.resolved_by.is_empty() {
        Because::AllCleared { alerts, quiet: incident.times.resolve_after }.to_string()
    } else {
        incident.resolution.clone()
    }
}

/// What still fires on the incident's items, elsewhere: of very many, on those of its first alerts.
pub(super) fn left_over(state: &State, world: &World, incident: &Incident) -> Vec<String> {
    let first = state.alerts_in(incident.id).take(limits::LEFT_OVER_LOOKS_MAX);
    let items: BTreeSet<_> = first.filter_map(|cell| cell.alert.ci.known()).collect();
    let there = items.iter().flat_map(|ci| state.alerts_on(&incident.realm, *ci)).take(limits::LEFT_OVER_LOOKS_MAX);
    let firing = there.filter(|alert| alert.incident != Some(incident.id));
    firing
        .take(limits::SYMPTOMS_NAMED)
        .map(|alert| {
            let place = alert.incident.map_or_else(|| "recorded only".to_owned(), |id| id.to_string());
            format!("{} still fires ({}): {place}", sight::item_name(world, &alert.ci), alert.name)
        })
        .collect()
}
