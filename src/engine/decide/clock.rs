//! SLA clocks: which are attached to an incident, what of their time is used up by now, and when to look again.

use crate::event::World;
use crate::ids::TermsId;
use crate::model::alert::Alert;
use crate::model::incident::Incident;
use crate::model::incident::clock::{self, BREACH, Clock, Promise, Reached};
use crate::policy::slas::{Sla, Terms};
use crate::sight::{self, IncidentTexts};
use crate::state::{State, Timer};
use crate::time::Time;
use crate::words::{ClockState, Reason, SlaKind, SlaTarget, WAITING_FOR_VENDOR};

/// The clocks that an incident should have and has not: for each service that it hurts the first SLA of each kind that holds, each SLA once.
pub fn wanted<'w>(state: &State, world: &'w World, incident: &Incident, now: Time) -> Vec<(Clock, &'w Terms)> {
    let mut wanted: Vec<(Clock, &Terms)> = Vec::new();
    if world.policy.slas.is_empty() || clock::start(&incident.log).is_none() {
        return wanted;
    }
    let texts = IncidentTexts::of(incident);
    let cause = incident.cause.and_then(|id| state.cell(id)).or_else(|| state.alerts_in(incident.id).next());
    let view = sight::of_incident(state, world, incident, &texts, cause, now);
    // One that hurts no service is measured by what is promised of every incident.
    let services = incident.services.iter().map(|hit| hit.id.as_str());
    let services: Vec<&str> = if incident.services.is_empty() { vec![""] } else { services.collect() };
    for service in services {
        let view = sight::with_service(view, state, world, service);
        for kind in SlaKind::ALL {
            let fits = |sla: &&Sla| sla.terms.kind == *kind && covers(world, sla, incident) && sla.condition.holds(&view).is_yes();
            let Some(sla) = world.policy.slas.iter().find(fits) else { continue };
            let known = incident.clocks.iter().chain(wanted.iter().map(|(clock, _)| clock)).any(|clock| clock.name == sla.name);
            if !known && promises(sla, incident) {
                let clock = Clock {
                    terms: sla.terms_id,
                    name: sla.name.clone(),
                    kind: sla.terms.kind,
                    service: service.to_owned(),
                    attached_at: now,
                    reached: Vec::new(),
                };
                wanted.push((clock, &sla.terms));
            }
        }
    }
    wanted
}

/// Whether the contract covers the item at fault, which waits for the vendor; of what is promised without a contract nothing is asked.
fn covers(world: &World, sla: &Sla, incident: &Incident) -> bool {
    let Some(contract) = &sla.contract else { return true };
    let contract = world.cmdb.inventory().contracts.values().find(|known| known.id.eq_ignore_ascii_case(contract));
    let is_at_fault = |id: &String| world.cmdb.find(id).is_some_and(|no| incident.ci.known() == Some(no));
    incident.hold_reason == WAITING_FOR_VENDOR && contract.is_some_and(|contract| contract.covers.iter().any(is_at_fault))
}

fn promises(sla: &Sla, incident: &Incident) -> bool {
    SlaTarget::ALL.iter().any(|target| sla.terms.allowance(*target, incident.priority).is_some())
}

/// What of one promise was used up, and not said yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The clock's terms.
    pub terms: TermsId,
    /// The clock's name.
    pub name: String,
    /// Which promise.
    pub target: SlaTarget,
    /// The shares, the largest last.
    pub reached: Vec<Reached>,
}

impl Due {
    fn of(promise: &Promise<'_>, reached: Vec<Reached>) -> Option<Due> {
        let due = Due { terms: promise.clock.terms, name: promise.clock.name.clone(), target: promise.target, reached };
        (!due.reached.is_empty()).then_some(due)
    }

    /// What it is told as: a breach, or a warning before it.
    pub fn reason(&self) -> Reason {
        let is_breach = self.reached.iter().any(|reached| reached.percent == BREACH);
        if is_breach { Reason::SlaBreached } else { Reason::SlaWarning }
    }
}

/// What was used up by `now` and not said yet.
pub fn due(state: &State, incident: &Incident, now: Time) -> Vec<Due> {
    let waits = incident.notify_at.is_some();
    let of_promise = |promise: Promise<'_>| {
        let (target, period) = (promise.target, promise.run.period);
        let when = |percent: u8| promise.reaches(percent).filter(|at| *at <= now).map(|at| (percent, at));
        let reached = promise.unsaid().filter_map(when).map(|(percent, at)| Reached { target, period, percent, at, waits });
        Due::of(&promise, reached.collect())
    };
    incident.promises(&state.terms, now).into_iter().filter_map(of_promise).collect()
}

/// What was used up while the first mail was waited for, and is told with that.
pub fn waiting(state: &State, incident: &Incident, now: Time) -> Vec<Due> {
    let of_promise = |promise: Promise<'_>| {
        let waits = |reached: &&Reached| reached.waits && reached.target == promise.target && reached.period == promise.run.period;
        Due::of(&promise, promise.clock.reached.iter().filter(waits).copied().collect())
    };
    incident.promises(&state.terms, now).into_iter().filter_map(of_promise).collect()
}

/// When the next share is used up, if nothing happens before.
pub fn next(state: &State, incident: &Incident, now: Time) -> Option<Time> {
    let open = |promise: &Promise<'_>| promise.is_open() && promise.standing.state != ClockState::Paused;
    let promises = incident.promises(&state.terms, now);
    promises
        .iter()
        .filter(|promise| open(promise))
        .flat_map(|promise| promise.unsaid().filter_map(|percent| promise.reaches(percent)))
        .min()
}

/// What the timer of an incident misses: when a share that was not said was or will be used up, before anything looks at it.
pub fn missed(state: &State, incident: &Incident, now: Time) -> Option<Time> {
    let said = incident.clock_at.filter(|at| state.is_armed(*at, Timer::Clock(incident.id)));
    let passed = due(state, incident, now).into_iter().flat_map(|due| due.reached).map(|reached| reached.at).min();
    let first = passed.or_else(|| next(state, incident, now))?;
    said.is_none_or(|at| at > first.max(now)).then_some(first)
}

/// From when an incident counts that adopted what was heard at `heard`; `None`: nothing changes.
pub fn backdated(state: &State, incident: &Incident, adopted: Time) -> Option<Time> {
    let cause = incident.cause.and_then(|id| state.cell(id)).map_or(adopted, |cell| heard(&cell.alert));
    let earliest = adopted.min(cause);
    (earliest < clock::start(&incident.log)?).then_some(earliest)
}

/// When an alert that fires was heard: not what a sender says of the time before.
pub fn heard(alert: &Alert) -> Time {
    alert.started_at.max(alert.first_seen)
}
