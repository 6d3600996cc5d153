//! Why: what would become of an alert that has not happened, and why an alert or an incident is what it is.
//!
//! Asks the same judgements as `step` and changes nothing; State is only borrowed, because it may hold a million alerts.

use std::fmt;

use serde::Serialize;

use crate::cmdb::health::HealthMap;
use crate::decide::attach::Verdict;
use crate::decide::{cause, notify, rate};
use crate::event::World;
use crate::expr::View;
use crate::ids::{AlertId, IncidentId, Slot, SourceNo};
use crate::input::AlertInput;
use crate::judge::{self, Opens, Place};
use crate::limits;
use crate::model::alert::{Alert, CiRef, Judged, SourceSays};
use crate::model::incident::Incident;
use crate::policy::correlate::Correlate;
use crate::sight::{self, IncidentTexts};
use crate::state::{State, fingerprint};
use crate::text::{Because, one_line};
use crate::time::{Span, Time};
use crate::words::{AlertState, ClockState, IncidentState, Means, Priority, Reason, Role};

/// Steps in the order in which they are judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trace {
    /// What it is about: an alert's name and item, or an incident's id and title.
    pub subject: String,
    /// The steps.
    pub steps: Vec<Judged>,
}

/// What would happen if `input` came in at `now`.
pub fn trace(state: &State, world: &World, input: &AlertInput, now: Time) -> Trace {
    let mut steps = Steps::at(now);
    let known = state.find(fingerprint(state.counters.store, input), input).and_then(|id| state.cell(id));
    let source = state.source_no(&input.source).unwrap_or(SourceNo(u16::MAX));
    let says = SourceSays::of(input, source, now);
    let firing = known.filter(|cell| cell.alert.is_active());
    if let Some(cell) = known {
        let repeat = if cell.alert.is_active() && cell.alert.severity == input.severity { "; a repeat is only counted" } else { "" };
        let heard = format!("it is {} and was received {}{repeat}", cell.alert.state, times(cell.vitals.count));
        steps.add("known", cell.alert.id, heard);
    }
    let view = sight::input(input, now);
    let began = firing.is_none().then_some(says.starts_at.min(now));
    let judged = judge::matched(state, world, view, began, now);
    let subject = format!("{} on {}", input.name, sight::item_name(world, &judged.identified.ci));
    if !says.fires(now) {
        let what = if firing.is_some() { "it would clear" } else { "nothing is kept of it" };
        steps.add("over", what, format!("its end {} has passed", says.ends_at));
        return Trace { subject, steps: steps.list };
    }
    steps.take(judged.identified_step(world));
    let view = sight::with_ci(view, state, world, &judged.identified.ci);
    let (_, skipped) = world.policy.correlate.trace(&view);
    let hidden = skipped.len().saturating_sub(limits::TRACE_NAMED_MAX);
    if hidden > 0 {
        steps.add("skipped", format!("{hidden} rules"), "they stand before those below");
    }
    for passed in &skipped[hidden..] {
        steps.add("skipped", &passed.rule, &passed.why);
    }
    judged.rule_steps().into_iter().for_each(|step| steps.take(step));
    let said = &judged.rule;
    let fresh = || Alert::heard(AlertId(u64::MAX), Slot(u32::MAX), input, says, now);
    let alert = Alert {
        state: AlertState::Firing,
        severity: input.severity,
        ci: judged.identified.ci.clone(),
        rule: said.rule.name.clone(),
        means: said.means,
        explains: said.explains,
        urgency: said.urgency,
        ..known.map_or_else(fresh, |cell| cell.alert.clone())
    };
    let standing = judge::standing(state, world, said.rule, &view, now);
    standing.steps().into_iter().for_each(|step| steps.take(step));
    if standing.recorded.is_none() && standing.suppressed.by.is_empty() {
        let imagined = Imagined { state, world, health: health_with(state, world, &alert), alert: &alert, view, now };
        imagined.attach(said.rule, &mut steps);
    }
    Trace { subject, steps: steps.list }
}

/// Why a live alert is what it is: its last judgement as it was, then what holds now. `None`: no such alert lives.
pub fn explain(state: &State, world: &World, id: AlertId, now: Time) -> Option<Trace> {
    let cell = state.cell(id)?;
    let alert = &cell.alert;
    let mut steps = Steps { now, list: alert.judgement.clone() };
    steps.add("now", alert.state, format!("received {}, last at {}", times(cell.vitals.count), cell.vitals.last_seen));
    for says in &cell.vitals.sources {
        let reports = match (says.fires(now), says.ends_at) {
            (true, Time::NEVER) => "reports it firing until it clears it".to_owned(),
            (true, until) => format!("reports it firing until {until}"),
            (false, at) => format!("reported it over at {at}"),
        };
        steps.add("source", state.source(says.source), reports);
    }
    for because in &alert.muted_by {
        steps.add("suppressed", "", because);
    }
    if let Some(at) = alert.judge_at {
        steps.add("next", at, "the pending period of its rule ends");
    }
    if let Some(cause) = Some(alert).filter(|alert| alert.state == AlertState::Firing).and_then(|alert| cause::of(state, world, alert)) {
        steps.add("cause", cause_name(state, world, cause.alert), &cause.because);
    }
    if let Some(incident) = alert.incident {
        let member = state.incidents.members().get(&(incident, id));
        let because = member.map(|member| member.because.to_string()).unwrap_or_default();
        steps.add("part of", format!("{incident} as {}", judge::as_role(alert.role)), because);
        if let Some(incident) = state.incidents.get(&incident) {
            steps.told(incident);
        }
    }
    Some(Trace { subject: format!("{} on {}", alert.name, sight::item_name(world, &alert.ci)), steps: steps.list })
}

/// Why a live incident is what it is, and what comes next by itself. `None`: no such incident lives.
pub fn explain_incident(state: &State, world: &World, id: IncidentId, now: Time) -> Option<Trace> {
    let incident = state.incidents.get(&id)?;
    let mut steps = Steps::at(incident.opened_at);
    steps.add("opened", &incident.rule, &incident.because);
    steps.now = now;
    let recurrence = incident.recurrence_of.map(|before| before.to_string());
    steps.maybe("recurrence of", recurrence, "the incident before it with the same group was resolved too long ago to be reopened");
    steps.maybe("child of", incident.parent.map(|parent| parent.to_string()), "all its alerts are there");
    for child in state.children_of(id) {
        steps.add("parent of", child, "it took over all its alerts");
    }
    steps.maybe("cause", incident.cause.map(|cause| cause_name(state, world, cause)), "");
    let members: Vec<_> = state.alerts_in(id).collect();
    for cell in members.iter().take(limits::TRACE_NAMED_MAX) {
        let because = state.incidents.members().get(&(id, cell.alert.id)).map(|member| member.because.to_string()).unwrap_or_default();
        let name = cause_name(state, world, cell.alert.id);
        steps.add("alert", format!("{name} ({}, {})", cell.alert.role, cell.alert.state), because);
    }
    if members.len() > limits::TRACE_NAMED_MAX {
        steps.add("alert", format!("{} more", members.len() - limits::TRACE_NAMED_MAX), "");
    }
    let by = if incident.priority_by_hand {
        "set by hand, so that nothing else changes it"
    } else {
        "it is raised at once, and lowered only by hand"
    };
    let levels = format!("impact {}, urgency {}; {by}", incident.impact, incident.urgency);
    steps.add("rated", incident.priority, levels);
    for hit in &incident.services {
        steps.add("affects", &hit.id, hit.health.word().replace('_', " "));
    }
    if let Some(problem) = incident.problem {
        steps.add("problem", problem, "it is one of its outages");
    }
    for promise in incident.promises(&state.terms, now) {
        let standing = &promise.standing;
        let by = standing.deadline.map_or_else(|| "waits".to_owned(), |deadline| format!("by {deadline}"));
        let because = if promise.because.is_empty() { String::new() } else { format!(", {}", promise.because) };
        let stands = match standing.state {
            ClockState::Ended => format!("neither met nor missed{because}"),
            ClockState::Running | ClockState::Paused | ClockState::Met | ClockState::Breached => {
                format!("{}, {} % used, {by}{because}", standing.state, standing.percent)
            }
        };
        let outcome = format!("{} {} {stands}", promise.clock.name, promise.target);
        let pauses = if standing.paused > Span::ZERO { format!(", {} did not count", standing.paused.words()) } else { String::new() };
        let because =
            format!("{} since {} by calendar {}{pauses}", standing.allowance.words(), standing.start, promise.terms.record.calendar);
        steps.add("clock", outcome, because);
    }
    steps.told(incident);
    let texts = IncidentTexts::of(incident);
    let view = sight::of_incident(state, world, incident, &texts, incident.cause.and_then(|id| state.cell(id)), now);
    if incident.muted {
        steps.add("suppressed", "", Because::AllMuted);
    } else if incident.is_open() {
        steps.would_tell(notify::look(world, incident, &view, Reason::Opened), Reason::Opened);
    }
    let next = [
        (incident.notify_at, "the first mail is due; it waits longer while a possible cause is pending"),
        (
            incident.settle_at,
            if incident.state == IncidentState::Resolved {
                "it is reopened, because something still fires"
            } else {
                "it resolves by itself, unless something fires again"
            },
        ),
        (incident.release_at, "symptoms that still fire are released, because their cause has cleared"),
        (incident.hold_until, "its hold ends"),
        (incident.close_at, "it closes"),
        (incident.clock_at, "the next share of an SLA target is used up"),
    ];
    for (at, because) in next {
        steps.maybe("next", at, because);
    }
    Some(Trace { subject: format!("{id} {}", incident.title), steps: steps.list })
}

/// A line a step: `identified  db-1: identify rule instance`.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines().iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl Trace {
    /// Lines for people, the subject first.
    pub fn lines(&self) -> Vec<String> {
        let steps = self.steps.iter().map(|step| {
            let outcome = one_line(&step.outcome);
            match (outcome.is_empty(), step.because.is_empty()) {
                (true, _) => format!("  {:<14} {}", step.what, step.because),
                (false, true) => format!("  {:<14} {outcome}", step.what),
                (false, false) => format!("  {:<14} {outcome}: {}", step.what, one_line(&step.because)),
            }
        });
        std::iter::once(one_line(&self.subject)).chain(steps).collect()
    }
}

/// An alert as if it were among the others.
struct Imagined<'a> {
    state: &'a State,
    world: &'a World,
    /// The health that would hold with it.
    health: HealthMap,
    alert: &'a Alert,
    view: View<'a>,
    now: Time,
}

impl Imagined<'_> {
    fn attach(&self, rule: &Correlate, steps: &mut Steps) {
        let Imagined { state, world, alert, view, now, .. } = self;
        let Place { group, cause, verdict } = judge::place(state, world, alert, rule, view, None, *now);
        if let Some(cause) = &cause {
            steps.add("cause", cause_name(state, world, cause.alert), &cause.because);
        }
        let present = |id: IncidentId| state.incidents.get(&id).cloned();
        let mut joined = None;
        match verdict {
            Verdict::Stays => {
                let place = alert.incident.map(|id| format!("{id} as {}", judge::as_role(alert.role))).unwrap_or_default();
                steps.add("attached", place, "it stays where it is");
                if let Some(incident) = alert.incident.and_then(present) {
                    self.tell(incident, alert.role, Reason::Opened, steps);
                }
            }
            Verdict::WaitsForRelease(incident) => {
                steps.add(
                    "attached",
                    format!("{incident} as {}", judge::as_role(alert.role)),
                    "its cause has only just cleared; it is released unless the cause returns",
                );
            }
            Verdict::Joins { incident, role, because } => {
                joined = Some(incident);
                steps.add("attached", format!("{incident} as {}", judge::as_role(role)), because);
                if let Some(incident) = present(incident) {
                    self.tell(incident, role, if role == Role::Symptom { Reason::Affected } else { Reason::Opened }, steps);
                }
            }
            Verdict::GivesBack { incident } => {
                steps.add("attached", format!("{incident}, which stands on its own again"), Because::OwnIncident);
                if let Some(incident) = present(incident) {
                    self.tell(incident, Role::Cause, Reason::Released, steps);
                }
            }
            Verdict::Reopens { incident, because } => {
                steps.add("attached", format!("{incident}, which is reopened"), because);
                if let Some(incident) = present(incident) {
                    self.tell(Incident { state: IncidentState::New, ..incident }, Role::Cause, Reason::Reopened, steps);
                }
            }
            Verdict::Opens { recurrence_of, because } => {
                let before = recurrence_of.map(|id| format!(", a recurrence of {id}")).unwrap_or_default();
                let opens = Opens { alert, rule, group, recurrence_of, because, notify_as: Reason::Opened };
                let incident = judge::opened(state, &self.health, world, view, opens, *now);
                steps.add("attached", format!("a new incident, {}{before}", incident.title), &incident.because);
                steps.add(
                    "first mail",
                    format!("in {}", rule.group_wait.words()),
                    "this leaves time for a cause and its symptoms to arrive",
                );
                self.tell(incident, Role::Cause, Reason::Opened, steps);
            }
        }
        self.reach(rule, joined, steps);
    }

    /// Its rating with this alert, and who would hear of that.
    fn tell(&self, mut incident: Incident, role: Role, reason: Reason, steps: &mut Steps) {
        let Imagined { state, world, alert, now, .. } = self;
        if role != Role::Symptom {
            let others = state.alerts_in(incident.id).map(|cell| &cell.alert);
            let others = others.filter(|other| other.role != Role::Symptom && other.id != alert.id);
            let burden = others.fold(rate::Burden::of_alert(alert), rate::Burden::with);
            let rating = rate::rate(&self.health, world, &incident.ci, burden);
            let because = Because::Matrix { impact: rating.impact, because: rating.because.clone(), urgency: rating.urgency };
            if rating.priority <= incident.priority && !incident.priority_by_hand {
                incident.impact = rating.impact;
                incident.urgency = rating.urgency;
                incident.priority = rating.priority;
                incident.services = rating.services;
                steps.add("rated", incident.priority, because);
            } else {
                steps.add("rated", incident.priority, format!("unchanged; this alert alone would be {}: {because}", rating.priority));
            }
            for hit in &incident.services {
                steps.add("affects", &hit.id, hit.health.word().replace('_', " "));
            }
        }
        let texts = IncidentTexts::of(&incident);
        let ci = if role == Role::Symptom { &alert.ci } else { &incident.ci };
        let view = sight::with_incident(sight::with_ci(self.view, state, world, ci), state, &incident, &texts, *now);
        let looked = notify::look(world, &incident, &view, reason);
        let reached = looked.iter().any(|one| !one.to.is_empty()) || !incident.told.is_empty();
        steps.would_tell(looked, reason);
        if !reached && reason == Reason::Opened && incident.priority <= Priority::P2 {
            let to = world.settings.last_resort.join(", ");
            steps.add("would notify", to, format!("{}, because a {} reaches nobody else", notify::LAST_RESORT, incident.priority));
        }
    }

    /// What it takes with it: a group below `min_up`, and alerts that it explains.
    fn reach(&self, rule: &Correlate, joined: Option<IncidentId>, steps: &mut Steps) {
        let Imagined { state, world, alert, .. } = self;
        if let Some(collected) = cause::collected(state, &self.health, world, alert) {
            let (into, _) = collected.first;
            steps.add("collected", format!("{into}, with all members' alerts"), collected.because);
        }
        let began = alert.started_at - rule.adopt_within;
        let moves = |other: &Alert| other.started_at >= began && (joined.is_none() || other.incident != joined);
        let young = |id: &AlertId| state.cell(*id).is_some_and(|cell| moves(&cell.alert));
        let explained: Vec<AlertId> = cause::explained_by(state, &self.health, world, alert).into_iter().filter(young).collect();
        for id in explained.iter().take(limits::TRACE_NAMED_MAX) {
            steps.add("explains", cause_name(state, world, *id), "unless another cause explains it better");
        }
        if explained.len() > limits::TRACE_NAMED_MAX {
            steps.add("explains", format!("{} more", explained.len() - limits::TRACE_NAMED_MAX), "");
        }
    }
}

/// The health that would hold with an alert.
fn health_with(state: &State, world: &World, alert: &Alert) -> HealthMap {
    let mut health = state.health(&alert.realm).clone();
    if let (CiRef::Known(no), Means::Down) = (&alert.ci, alert.means) {
        health.add_down(&world.cmdb, *no);
    }
    health
}

fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

fn cause_name(state: &State, world: &World, id: AlertId) -> String {
    state.cell(id).map_or_else(|| id.to_string(), |cell| format!("{id} {} on {}", cell.alert.name, sight::item_name(world, &cell.alert.ci)))
}

struct Steps {
    now: Time,
    list: Vec<Judged>,
}

impl Steps {
    fn at(now: Time) -> Steps {
        Steps { now, list: Vec::new() }
    }

    fn add(&mut self, what: &'static str, outcome: impl fmt::Display, because: impl fmt::Display) {
        self.list.push(Judged {
            at: self.now,
            what: what.into(),
            outcome: outcome.to_string().into(),
            because: because.to_string().into(),
        });
    }

    fn take(&mut self, step: judge::Step) {
        self.add(step.what, step.outcome, step.because);
    }

    fn maybe(&mut self, what: &'static str, outcome: Option<impl fmt::Display>, because: &str) {
        if let Some(outcome) = outcome {
            self.add(what, outcome, because);
        }
    }

    fn told(&mut self, incident: &Incident) {
        for told in &incident.told {
            let what = if told.reason == Reason::Digest { "in the morning's list".to_owned() } else { told.reason.to_string() };
            self.list.push(Judged {
                at: told.at,
                what: "notified".into(),
                outcome: format!("{} ({what})", told.address).into(),
                because: format!("notify rule {}", told.rule).into(),
            });
        }
    }

    fn would_tell(&mut self, looked: Vec<notify::Looked>, reason: Reason) {
        let mut first: Vec<String> = Vec::new();
        for one in looked {
            if one.to.is_empty() {
                self.add("no mail", format!("notify rule {}", one.rule), one.why);
                continue;
            }
            for address in one.to {
                let how = one.folded.clone().unwrap_or_else(|| reason.to_string());
                if !first.contains(&address) {
                    self.add("would notify", format!("{address} ({how})"), format!("notify rule {}: {}", one.rule, one.why));
                    first.push(address);
                }
            }
        }
    }
}
