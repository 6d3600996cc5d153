//! What a cursor comes to next: the alerts and incidents of its work from its mark on, as many as a batch has room for.

use crate::cmdb::walk;
use crate::event::World;
use crate::ids::{AlertId, CiNo, IncidentId, Realm, Slot};
use crate::model::alert::{Alert, CiRef};
use crate::model::cursor::{Mark, Scope, Work};
use crate::sight;
use crate::state::{AlertCell, State};
use crate::words::{AlertState, Explains, IncidentState, Means, Role};

/// Something that a cursor comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// An alert.
    Alert(AlertId),
    /// An incident.
    Incident(IncidentId),
}

impl Target {
    /// The alert, where it is one.
    pub const fn alert(self) -> Option<AlertId> {
        match self {
            Target::Alert(id) => Some(id),
            Target::Incident(_) => None,
        }
    }
}

/// What a cursor comes to in one go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Slice {
    /// The alerts and incidents to work on.
    pub targets: Vec<Target>,
    /// Where the next slice begins; `None`: this is the last.
    pub next: Option<Mark>,
    /// How many were looked at for that.
    pub looked: usize,
}

/// Looks that cost as much as one item that is worked on.
const LOOKS_AN_ITEM: usize = 16;
/// Steps of a walk over the CMDB that cost as much as one look.
const STEPS_A_LOOK: usize = 16;

impl Slice {
    /// Items that this counts for.
    pub fn cost(&self) -> usize {
        self.targets.len().max(self.looked.div_ceil(LOOKS_AN_ITEM))
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty() && self.next.is_none()
    }
}

/// The next of `work` from `at` on, at most `max` items.
pub fn slice(state: &State, world: &World, work: &Work, at: Mark, max: usize) -> Slice {
    let in_incident = |incident: IncidentId, wanted: fn(&Alert) -> bool| {
        let alerts = state.alerts_in_from(incident, AlertId(at.id));
        alerts.map(move |cell| (mark(cell), wanted(&cell.alert).then_some(Target::Alert(cell.alert.id))))
    };
    let children = |incident: IncidentId| {
        let from = IncidentId(if at.part == CHILDREN { at.id } else { 0 });
        state.children_from(incident, from).map(|child| (Mark { part: CHILDREN, id: child.0 }, Some(Target::Incident(child))))
    };
    match work {
        Work::Adopt { cause } => match state.cell(*cause).map(|cell| &cell.alert) {
            Some(cause) => adopted(state, world, cause, at, max),
            None => Slice::default(),
        },
        Work::Collect { group, into } => collected(state, world, *group, *into, at, max),
        Work::Carry { group, realm } => {
            let mut items = walk::hit_by(&world.cmdb, state.health(realm), *group);
            items.retain(|item| item != group);
            of_items(state, realm, items, at, max, |alert| alert.state == AlertState::Firing)
        }
        Work::Follow { incident } => {
            let is_symptom = |alert: &Alert| alert.role == Role::Symptom && alert.state == AlertState::Firing;
            let symptoms = (at.part == 0 && state.tally(*incident).active_symptoms > 0).then(|| in_incident(*incident, is_symptom));
            taken(symptoms.into_iter().flatten().chain(children(*incident)), max)
        }
        Work::Release { incident } => {
            taken(in_incident(*incident, |alert| alert.role == Role::Symptom && alert.state == AlertState::Firing), max)
        }
        Work::Resolve { incident } => {
            let is_over = state.incidents.get(incident).is_none_or(|incident| incident.state == IncidentState::Resolved);
            let open = |child: IncidentId| state.incidents.get(&child).is_some_and(|child| child.state.is_open());
            let open = children(*incident).map(|(mark, target)| (mark, target.filter(|_| open(IncidentId(mark.id)))));
            if is_over { taken(open, max) } else { Slice::default() }
        }
        Work::Close { incident, .. } => {
            let alerts = (at.part == 0).then(|| in_incident(*incident, |_| true));
            taken(alerts.into_iter().flatten().chain(children(*incident)), max)
        }
        Work::Merge { from, .. } => taken(in_incident(*from, |_| true), max),
        Work::Judge(scope) => judged(state, scope, at, max),
        Work::Clocks => {
            let incidents = state.incidents.range(IncidentId(at.id)..);
            let with_clocks = incidents.map(|(id, incident)| {
                let target = (!incident.clocks.is_empty()).then_some(Target::Incident(*id));
                (Mark { part: 0, id: id.0 }, target)
            });
            taken(with_clocks, max)
        }
        Work::Tell { incident } => {
            // An item that the CMDB does not know comes before all that it knows.
            let ci = u32::try_from(at.part).ok().and_then(|part| part.checked_sub(1)).map(CiNo);
            let symptoms = state.symptoms_from(*incident, (ci, AlertId(at.id)));
            taken(symptoms.map(|cell| (of_item(cell), Some(Target::Alert(cell.alert.id)))), max)
        }
    }
}

fn of_item(cell: &AlertCell) -> Mark {
    Mark { part: cell.alert.ci.known().map_or(0, |ci| u64::from(ci.0) + 1), id: cell.alert.id.0 }
}

/// The part of a mark that stands among children of an incident, behind its alerts.
const CHILDREN: u64 = 1;

/// The part of a mark that is a slot and no id.
const SLOTS: u64 = 1;

fn mark(cell: &AlertCell) -> Mark {
    Mark { part: 0, id: cell.alert.id.0 }
}

/// What a cause that fires may explain, over the health that holds with it: whatever fires on its item or downstream of it, in another incident.
fn adopted(state: &State, world: &World, cause: &Alert, at: Mark, max: usize) -> Slice {
    let CiRef::Known(ci) = cause.ci else { return Slice::default() };
    if cause.state != AlertState::Firing || cause.explains == Explains::Nothing {
        return Slice::default();
    }
    let items = match cause.explains {
        Explains::Downstream => walk::hit_by(&world.cmdb, state.health(&cause.realm), ci),
        Explains::Ci | Explains::Nothing => vec![ci],
    };
    of_items(state, &cause.realm, items, at, max, |alert| {
        let elsewhere = alert.id != cause.id && alert.incident != cause.incident;
        elsewhere && alert.state == AlertState::Firing
    })
}

/// The alerts of a group's members that say they are down, in other incidents than the one they are collected into.
fn collected(state: &State, world: &World, group: CiNo, into: IncidentId, at: Mark, max: usize) -> Slice {
    let Some(incident) = state.incidents.get(&into) else { return Slice::default() };
    if !state.health(&incident.realm).is_below(&world.cmdb, group) {
        return Slice::default();
    }
    of_items(state, &incident.realm, world.cmdb.members_of(group).collect(), at, max, |alert| {
        let is_down = alert.state == AlertState::Firing && alert.means == Means::Down && alert.role != Role::Symptom;
        is_down && alert.incident.is_some_and(|own| own != into && is_open(state, own))
    })
}

fn is_open(state: &State, incident: IncidentId) -> bool {
    state.incidents.get(&incident).is_some_and(|incident| incident.is_open())
}

/// What was judged and is in scope.
fn judged(state: &State, scope: &Scope, at: Mark, max: usize) -> Slice {
    let from = AlertId(at.id);
    let judged = |alert: &Alert| matches!(alert.state, AlertState::Firing | AlertState::Suppressed | AlertState::Recorded);
    let all = |cell: &AlertCell| (mark(cell), judged(&cell.alert).then_some(Target::Alert(cell.alert.id)));
    match scope {
        Scope::All => taken(state.alerts_from(from).map(all), max),
        Scope::Rule(rule) => taken(state.alerts_that_read(rule, from).map(all), max),
        Scope::Silence(id) => {
            let Some(silence) = state.silences.get(id) else { return Slice::default() };
            let selected = |cell: &AlertCell| {
                let view = sight::alert(state, cell, state.counters.last_now);
                (silence.holds_of(&view.alert) && judged(&cell.alert)).then_some(Target::Alert(cell.alert.id))
            };
            // Which of the two it is may change on the way: then it begins anew.
            match state.narrowest(&silence.matchers) {
                Some((name, value)) => {
                    let from = Slot(if at.part == SLOTS { u32::try_from(at.id).unwrap_or(u32::MAX) } else { 0 });
                    let slot = |cell: &AlertCell| Mark { part: SLOTS, id: cell.alert.slot.0.into() };
                    taken(state.alerts_labelled(name, value, from).map(|cell| (slot(cell), selected(cell))), max)
                }
                None => {
                    let from = if at.part == SLOTS { AlertId(0) } else { from };
                    taken(state.alerts_from(from).map(|cell| (mark(cell), selected(cell))), max)
                }
            }
        }
    }
}

/// What fires on items in a realm; that these were walked to counts as looks.
fn of_items(state: &State, realm: &Realm, mut items: Vec<CiNo>, at: Mark, max: usize, wanted: impl Fn(&Alert) -> bool) -> Slice {
    items.sort_unstable();
    items.dedup();
    let wanted = |alert: &Alert| alert.realm == *realm && wanted(alert);
    let alerts = state.alerts_among(&items, at).map(|(mark, alert)| (mark, wanted(alert).then_some(Target::Alert(alert.id))));
    let slice = taken(alerts, max);
    Slice { looked: slice.looked + items.len() / STEPS_A_LOOK, ..slice }
}

/// As many of the candidates as there is room for; what is only looked at counts little, so that a slice stays short where nothing is to be done.
fn taken(candidates: impl Iterator<Item = (Mark, Option<Target>)>, max: usize) -> Slice {
    let mut slice = Slice::default();
    for (mark, target) in candidates {
        if slice.targets.len() == max || slice.looked == max.saturating_mul(LOOKS_AN_ITEM) {
            slice.next = Some(mark);
            break;
        }
        slice.looked += 1;
        slice.targets.extend(target);
    }
    slice
}
