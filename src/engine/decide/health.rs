//! What a batch did to the health of CIs: one change for each CI and realm whose health is another at its end than before it, with what moved it.

use crate::event::World;
use crate::ids::{CiNo, Realm};
use crate::model::health::{Change, Fact, Why};
use crate::state::{Moved, Mover, State};
use crate::words::{Health, Means};

/// The changes to remember, at most `most`; the others stay moved.
pub fn changes(state: &State, world: &World, most: usize) -> Vec<Fact> {
    let change = |(realm, ci, moved): (&Realm, CiNo, Moved)| Fact::Changed { change: Box::new(change(state, world, realm, ci, moved)) };
    state.healths.moved().take(most).map(change).collect()
}

fn change(state: &State, world: &World, realm: &Realm, ci: CiNo, moved: Moved) -> Change {
    let standing = state.healths.standing(realm, ci);
    let from = standing.as_ref().map_or(Health::Ok, |standing| standing.health);
    // The id of one that left the CMDB is what it was.
    let id = world.cmdb.ci(ci).map(|ci| ci.id.clone()).or_else(|| standing.map(|standing| standing.id)).unwrap_or_default();
    let moved = holding(state, realm, (ci, from), moved);
    let alert = match moved.by {
        Mover::Alert { id, .. } => Some(id),
        Mover::Cmdb | Mover::Start => None,
    };
    let cell = alert.and_then(|id| state.cell(id).or_else(|| state.alerts.past().get(&id)));
    let name = cell.map_or_else(|| alert.map(|id| id.to_string()).unwrap_or_default(), |cell| cell.alert.name.clone());
    let why = why(state, world, realm, (ci, from), moved, name);
    let incident = cell.and_then(|cell| cell.alert.incident);
    Change { ci, id, realm: realm.clone(), at: moved.at, seq: state.counters.seq, from, to: moved.to, alert, incident, why }
}

/// Where it is worse than before, and what moved it last has ended since, what holds it there is an alert of its own.
fn holding(state: &State, realm: &Realm, (ci, from): (CiNo, Health), moved: Moved) -> Moved {
    let is_over = |id| state.cell(id).is_none_or(|cell| !cell.alert.is_active());
    match moved.by {
        Mover::Alert { id, .. } if moved.to > from && is_over(id) => {
            let means = if moved.to == Health::Down { Means::Down } else { Means::Degraded };
            let holds = state.alerts_on(realm, ci).find(|alert| alert.means == means);
            holds.map_or(moved, |alert| Moved { by: Mover::Alert { id: alert.id, on: ci }, ..moved })
        }
        Mover::Alert { .. } | Mover::Cmdb | Mover::Start => moved,
    }
}

fn why(state: &State, world: &World, realm: &Realm, (ci, from): (CiNo, Health), moved: Moved, alert: String) -> Why {
    let version = world.cmdb.version();
    if !world.cmdb.knows(ci) {
        return Why::Gone { version };
    }
    let on = match moved.by {
        Mover::Alert { on, .. } => on,
        Mover::Cmdb => return Why::Cmdb { version },
        Mover::Start => return Why::Found,
    };
    let is_members = |group: &crate::cmdb::health::GroupState| group.is_below() || from == Health::AtRisk || moved.to == Health::AtRisk;
    if let Some(group) = state.health(realm).group(&world.cmdb, ci).filter(|group| on != ci && is_members(group)) {
        return Why::Members { up: group.up, of: group.of, needs: group.needs };
    }
    let on = if on == ci { String::new() } else { world.cmdb.id(on).to_owned() };
    if moved.to > from { Why::Fires { alert, on } } else { Why::Ended { alert, on } }
}
