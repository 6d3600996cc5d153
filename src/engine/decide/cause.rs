//! Which firing alert explains another: the cause upstream of it or on its item, and whom a new cause explains.

use std::collections::BTreeSet;

use crate::cmdb::health::{GroupState, HealthMap};
use crate::cmdb::walk::{self, Reached};
use crate::event::World;
use crate::ids::{AlertId, CiNo, IncidentId};
use crate::limits;
use crate::model::alert::{Alert, CiRef};
use crate::state::State;
use crate::text::Because;
use crate::time::Time;
use crate::words::{AlertState, Explains, Means, Role};

/// An alert that explains another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Which.
    pub alert: AlertId,
    /// The open incident it stands in.
    pub incident: IncidentId,
    /// What the explained alert is there: a symptom, or another alert of the same item.
    pub role: Role,
    /// The way, or the item they share.
    pub because: Because,
}

/// Alerts nearest to the explained one that are weighed; beyond so many, nearness has decided.
const CANDIDATES_MAX: usize = 64;

/// The alert that explains `alert`, if one fires: upstream of its item or on it, begun at most `adopt_within` after it.
///
/// Among rivals: none that explains firing upstream of it, then the earliest, then the nearest, then the id.
pub fn of(state: &State, world: &World, alert: &Alert) -> Option<Cause> {
    let CiRef::Known(ci) = alert.ci else { return None };
    if alert.detached {
        return None;
    }
    let upstream = walk::upstream(&world.cmdb, state.health(&alert.realm), ci);
    // Of one item's alerts with the same reach the earliest that qualifies wins, so each item sends that one alone.
    let mut rivals: Vec<Rival<'_>> = Vec::new();
    for reach in [Explains::Downstream, Explains::Ci] {
        let before = state.explaining(&alert.realm, ci, reach).take_while(|other| earlier(other, alert) || !explains(alert, Explains::Ci));
        rivals.extend(before.filter_map(|other| rival(state, world, other, alert, ci, 0)).next());
    }
    for reached in &upstream {
        if rivals.len() >= CANDIDATES_MAX {
            break;
        }
        let mut others = state.explaining(&alert.realm, reached.ci, Explains::Downstream);
        rivals.extend(others.find_map(|other| rival(state, world, other, alert, reached.ci, reached.hops)));
    }
    // On a cycle two alerts lie upstream of each other: the earlier one explains the later.
    if explains(alert, Explains::Downstream) {
        rivals.retain(|rival| rival.ci == ci || earlier(rival.alert, alert) || !lies_upstream(state, world, alert, rival.ci));
    }
    let best = best_of(state.health(&alert.realm), world, rivals)?;
    let because = if best.ci == ci {
        Because::SameItem { ci: world.cmdb.id(ci).to_owned(), alert: best.alert.name.clone() }
    } else {
        Because::Upstream { hops: walk::hops(&world.cmdb, &upstream, best.ci) }
    };
    let role = if best.ci == ci { Role::Member } else { Role::Symptom };
    Some(Cause { alert: best.alert.id, incident: best.incident, role, because })
}

/// The alerts that a cause may explain over the health that holds with it, in the order they began: whatever fires on its item or downstream of it,
/// in another incident.
pub fn explained_by(state: &State, health: &HealthMap, world: &World, cause: &Alert) -> Vec<AlertId> {
    let CiRef::Known(ci) = cause.ci else { return Vec::new() };
    let reached = match cause.explains {
        Explains::Nothing => return Vec::new(),
        Explains::Ci => Vec::new(),
        Explains::Downstream => walk::downstream(&world.cmdb, health, ci),
    };
    let items = std::iter::once(ci).chain(reached.iter().map(|reached| reached.ci));
    let mut found: Vec<(Time, AlertId)> = items
        .flat_map(|item| state.firing_outside(&cause.realm, item, cause.incident))
        .filter(|alert| alert.id != cause.id)
        .map(|alert| (alert.started_at, alert.id))
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(_, id)| id).collect()
}

/// A group that is below `min_up` with more than one of its members down by themselves: their incidents are one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collected {
    /// The group.
    pub group: CiNo,
    /// The oldest incident that an alert of its members stands in, and the first such alert there.
    pub first: (IncidentId, AlertId),
    /// How many are up, and how many it needs.
    pub because: Because,
}

/// Alerts of a group's members that are looked at for the oldest incident among them.
const MEMBERS_LOOKED_AT: usize = 10_000;

/// The group that an alert of one of its members takes below `min_up`, over the health that holds with it.
pub fn collected(state: &State, health: &HealthMap, world: &World, alert: &Alert) -> Option<Collected> {
    let CiRef::Known(ci) = alert.ci else { return None };
    if alert.means != Means::Down {
        return None;
    }
    world.cmdb.groups_of(ci).find_map(|group| {
        let counts = health.group(&world.cmdb, group).filter(|counts| counts.is_below())?;
        let down = world.cmdb.members_of(group).flat_map(|member| state.down_on(&alert.realm, member)).take(MEMBERS_LOOKED_AT);
        let alone = down.filter(|other| other.state == AlertState::Firing && other.role != Role::Symptom);
        let placed: Vec<(IncidentId, &Alert)> = alone.filter_map(|other| Some((open_incident(state, other)?, other))).collect();
        let first = placed.iter().map(|(incident, other)| (*incident, other.id)).min()?;
        let is_one_of_several = placed.iter().any(|(_, other)| other.ci.known() != Some(ci));
        is_one_of_several.then(|| Collected { group, first, because: below_min_up(world, group, counts) })
    })
}

/// Why a group counts as down.
pub fn below_min_up(world: &World, group: CiNo, counts: GroupState) -> Because {
    Because::BelowMinUp { group: world.cmdb.id(group).to_owned(), up: counts.up, of: counts.of, needs: counts.needs }
}

/// Until when a first mail should wait, because a possible cause upstream is still within its `for`.
pub fn awaited(state: &State, world: &World, incident: IncidentId, now: Time) -> Option<Time> {
    let realm = &state.incidents.get(&incident)?.realm;
    let firing = state.firing_causes(incident).filter(|cell| cell.alert.state == AlertState::Firing);
    let items: BTreeSet<CiNo> = firing.filter_map(|cell| cell.alert.ci.known()).take(CANDIDATES_MAX).collect();
    let waits = |alert: &&Alert| alert.state == AlertState::Pending && alert.explains == Explains::Downstream;
    let waiting = |ci: CiNo| state.alerts_on(realm, ci).filter(waits);
    let upstream = items.iter().flat_map(|ci| walk::upstream(&world.cmdb, state.health(realm), *ci)).map(|reached| reached.ci);
    let pending = upstream.flat_map(waiting).filter_map(|alert| alert.judge_at);
    pending.filter(|at| *at > now).max()
}

struct Rival<'a> {
    alert: &'a Alert,
    incident: IncidentId,
    ci: CiNo,
    hops: u32,
}

/// `other` of its realm, which explains so far, where it may explain `alert`: in an open incident, and not begun too long after it.
fn rival<'a>(state: &State, world: &World, other: &'a Alert, alert: &Alert, ci: CiNo, hops: u32) -> Option<Rival<'a>> {
    let adopt_within = world.policy.correlate.by_name(&other.rule).map_or(limits::ADOPT_WITHIN, |rule| rule.adopt_within);
    // A cause that clears and returns within the release keeps what hung off it, however long that has been firing.
    let stays = alert.role == Role::Symptom && alert.incident == other.incident;
    let young = stays || alert.started_at >= other.started_at - adopt_within;
    let qualifies = other.id != alert.id && young;
    let incident = open_incident(state, other).filter(|_| qualifies)?;
    Some(Rival { alert: other, incident, ci, hops })
}

fn explains(alert: &Alert, needs: Explains) -> bool {
    alert.state == AlertState::Firing
        && match needs {
            Explains::Downstream => alert.explains == Explains::Downstream,
            Explains::Ci => alert.explains != Explains::Nothing,
            Explains::Nothing => true,
        }
}

fn open_incident(state: &State, alert: &Alert) -> Option<IncidentId> {
    let incident = state.incidents.get(&alert.incident?)?;
    incident.is_open().then_some(incident.id)
}

fn earlier(a: &Alert, b: &Alert) -> bool {
    (a.started_at, a.id) < (b.started_at, b.id)
}

/// Whether the item of `alert` lies upstream of another.
fn lies_upstream(state: &State, world: &World, alert: &Alert, of: CiNo) -> bool {
    walk::upstream(&world.cmdb, state.health(&alert.realm), of).iter().any(|reached: &Reached| Some(reached.ci) == alert.ci.known())
}

fn best_of<'a>(health: &HealthMap, world: &World, mut rivals: Vec<Rival<'a>>) -> Option<Rival<'a>> {
    rivals.truncate(CANDIDATES_MAX);
    // Alerts of one item alone do not stand upstream of each other.
    if rivals.iter().any(|rival| rival.ci != rivals[0].ci) {
        let explaining: BTreeSet<CiNo> =
            rivals.iter().filter(|rival| rival.alert.explains == Explains::Downstream).map(|rival| rival.ci).collect();
        let roots: Vec<bool> = rivals
            .iter()
            .map(|rival| {
                let upstream = walk::upstream(&world.cmdb, health, rival.ci);
                !upstream.iter().any(|reached| reached.ci != rival.ci && explaining.contains(&reached.ci))
            })
            .collect();
        if roots.contains(&true) {
            let mut keep = roots.into_iter();
            rivals.retain(|_| keep.next().unwrap_or(false));
        }
    }
    rivals.into_iter().min_by(|a, b| {
        let rank = |rival: &Rival<'_>| (rival.alert.started_at, rival.hops);
        rank(a).cmp(&rank(b)).then_with(|| world.cmdb.id(a.ci).cmp(world.cmdb.id(b.ci))).then_with(|| a.alert.id.cmp(&b.alert.id))
    })
}
