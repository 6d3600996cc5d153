//! Walks along the ways of a fault: causes upstream, what is hit downstream, and the services that this means.
//!
//! Each visits at most [`limits::WALK_MAX`](crate::limits::WALK_MAX) items beyond those it begins with, every item once, and is the same for the same
//! CMDB and health.

use super::health::HealthMap;
use super::{Cmdb, Flow};
use crate::ids::CiNo;
use crate::limits;
use crate::text::Hop;
use crate::words::{Health, Means, Relation};

/// An item that a walk reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// The item.
    pub ci: CiNo,
    /// Steps from where the walk began; 1 for a neighbour.
    pub hops: u32,
    /// The item before it on the shortest way; of several, the first by id.
    pub from: CiNo,
    /// The relation between the two.
    pub relation: Relation,
}

/// What faults do to a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceImpact {
    /// The service.
    pub service: CiNo,
    /// At risk, degraded or down.
    pub health: Health,
}

/// All items from which a fault could flow to `from`, without itself, nearest first, then by id. A way leads from a group to its members only where
/// it is below `min_up`. As many as [`limits::WALK_MAX`] means that there may be more.
pub fn upstream(cmdb: &Cmdb, health: &HealthMap, from: CiNo) -> Vec<Reached> {
    breadth_first(cmdb, from, None, |at, visit| causes(cmdb, health, at, visit))
}

/// The shortest way from `from` up to `to`, the symptom's side first; empty where there is none, or both are one.
pub fn path(cmdb: &Cmdb, health: &HealthMap, from: CiNo, to: CiNo) -> Vec<Hop> {
    hops(cmdb, &breadth_first(cmdb, from, Some(to), |at, visit| causes(cmdb, health, at, visit)), to)
}

/// The way to `to` out of what [`upstream`] gave, the symptom's side first; empty where it was not reached.
pub fn hops(cmdb: &Cmdb, upstream: &[Reached], to: CiNo) -> Vec<Hop> {
    let mut way = Vec::new();
    let mut sought = to;
    // What a way leads over stands before its end.
    for reached in upstream.iter().rev() {
        if reached.ci == sought {
            way.push(cmdb.hop(reached.ci, reached.relation, reached.from));
            sought = reached.from;
        }
    }
    way.reverse();
    way
}

/// All items that a fault of `from` reaches as things stand, without itself, nearest first, then by id: groups, and what lies beyond them, only
/// where they are below `min_up`. As many as [`limits::WALK_MAX`] means that there may be more.
pub fn downstream(cmdb: &Cmdb, health: &HealthMap, from: CiNo) -> Vec<Reached> {
    breadth_first(cmdb, from, None, |at, visit| {
        cmdb.flows_to(at).for_each(&mut *visit);
        cmdb.groups_of(at).filter(|group| health.is_below(cmdb, *group)).for_each(|ci| visit(Flow { ci, relation: Relation::MemberOf }));
    })
}

/// The items that [`downstream`] reaches, and `from` itself, in no order of meaning: a third of its cost, for where neither order nor way matters.
pub fn hit_by(cmdb: &Cmdb, health: &HealthMap, from: CiNo) -> Vec<CiNo> {
    reach(cmdb, std::iter::once(from), |at, visit| {
        cmdb.flows_to(at).for_each(|flow| visit(flow.ci));
        cmdb.groups_of(at).filter(|group| health.is_below(cmdb, *group)).for_each(visit);
    })
}

/// The services that `faults` hit, worst first, then most critical, then by id. `health` holds those faults that mean down.
///
/// Down: a down fault reaches it. Degraded: a degraded fault reaches it without passing a group. At risk: the way leads over a group that lost a
/// member and still holds `min_up`. The worst of several counts.
pub fn impact(cmdb: &Cmdb, health: &HealthMap, faults: &[(CiNo, Means)]) -> Vec<ServiceImpact> {
    let with = |means: Means| faults.iter().filter(move |fault| fault.1 == means).map(|fault| fault.0);
    let mut weakened = Vec::new();
    let down = reach(cmdb, with(Means::Down), |at, visit| {
        cmdb.flows_to(at).for_each(|flow| visit(flow.ci));
        for group in cmdb.groups_of(at) {
            match health.group(cmdb, group) {
                Some(state) if state.is_below() => visit(group),
                Some(_) | None => weakened.push(group),
            }
        }
    });
    let onward = |at, visit: &mut dyn FnMut(CiNo)| cmdb.flows_to(at).for_each(|flow| visit(flow.ci));
    let degraded = reach(cmdb, with(Means::Degraded), onward);
    let at_risk = reach(cmdb, weakened.into_iter(), onward);

    let mut hit: Vec<(u32, ServiceImpact)> = Vec::new();
    for (reached, health) in [(down, Health::Down), (degraded, Health::Degraded), (at_risk, Health::AtRisk)] {
        hit.extend(reached.into_iter().filter_map(|service| Some((cmdb.service_rank(service)?, ServiceImpact { service, health }))));
    }
    hit.sort_unstable_by_key(|(rank, impact)| (*rank, std::cmp::Reverse(impact.health)));
    hit.dedup_by_key(|(rank, _)| *rank);
    hit.sort_unstable_by_key(|(rank, impact)| (std::cmp::Reverse(impact.health), *rank));
    hit.into_iter().map(|(_, impact)| impact).collect()
}

/// The services that an item carries, itself included, whatever the state of groups; most critical first, then by id.
pub fn carried(cmdb: &Cmdb, no: CiNo) -> Vec<CiNo> {
    let reached = reach(cmdb, std::iter::once(no), |at, visit| {
        cmdb.flows_to(at).for_each(|flow| visit(flow.ci));
        cmdb.groups_of(at).for_each(visit);
    });
    let mut ranks: Vec<u32> = reached.into_iter().filter_map(|at| cmdb.service_rank(at)).collect();
    ranks.sort_unstable();
    ranks.into_iter().map(|rank| cmdb.services()[rank as usize]).collect()
}

fn causes(cmdb: &Cmdb, health: &HealthMap, at: CiNo, visit: &mut dyn FnMut(Flow)) {
    cmdb.flows_from(at).for_each(&mut *visit);
    if health.is_below(cmdb, at) {
        cmdb.members_of(at).for_each(|ci| visit(Flow { ci, relation: Relation::MemberOf }));
    }
}

fn breadth_first(cmdb: &Cmdb, from: CiNo, to: Option<CiNo>, neighbours: impl Fn(CiNo, &mut dyn FnMut(Flow))) -> Vec<Reached> {
    let mut seen = Marks::new(cmdb.numbers());
    seen.mark(from);
    let mut all: Vec<Reached> = Vec::new();
    let mut level: Vec<(u32, Reached)> = Vec::new();
    let mut begin = 0;
    for hops in 1.. {
        let before: &[Reached] = &all[begin..];
        let mut visit = |at: CiNo| {
            neighbours(at, &mut |flow| {
                if seen.mark(flow.ci) {
                    level.push((cmdb.rank(flow.ci), Reached { ci: flow.ci, hops, from: at, relation: flow.relation }));
                }
            });
        };
        match hops {
            1 => visit(from),
            _ => before.iter().for_each(|reached| visit(reached.ci)),
        }
        if level.is_empty() {
            break;
        }
        begin = all.len();
        let room = limits::WALK_MAX - begin;
        if level.len() > room {
            level.select_nth_unstable_by_key(room, |(rank, _)| *rank);
            level.truncate(room);
        }
        level.sort_unstable_by_key(|(rank, _)| *rank);
        all.extend(level.drain(..).map(|(_, reached)| reached));
        if all.len() >= limits::WALK_MAX || to.is_some_and(|to| all[begin..].iter().any(|reached| reached.ci == to)) {
            break;
        }
    }
    all
}

/// All that is reached from `begin`, itself included, in no order of meaning.
fn reach(cmdb: &Cmdb, begin: impl Iterator<Item = CiNo>, mut neighbours: impl FnMut(CiNo, &mut dyn FnMut(CiNo))) -> Vec<CiNo> {
    let mut seen = Marks::new(cmdb.numbers());
    let mut all: Vec<CiNo> = begin.filter(|at| seen.mark(*at)).collect();
    let room = all.len() + limits::WALK_MAX;
    let mut next = 0;
    while let Some(at) = all.get(next).copied() {
        next += 1;
        neighbours(at, &mut |ci| {
            if all.len() < room && seen.mark(ci) {
                all.push(ci);
            }
        });
    }
    all
}

/// Items seen: a sorted list while they are few, because most walks end after some dozens; then a bit for every item.
struct Marks {
    numbers: usize,
    few: Vec<CiNo>,
    many: Vec<u64>,
}

impl Marks {
    const FEW: usize = 64;

    fn new(numbers: usize) -> Marks {
        Marks { numbers, few: Vec::new(), many: Vec::new() }
    }

    /// Whether it was not seen before.
    fn mark(&mut self, no: CiNo) -> bool {
        if self.many.is_empty() {
            let Err(at) = self.few.binary_search(&no) else { return false };
            if self.few.len() < Marks::FEW {
                self.few.insert(at, no);
                return true;
            }
            self.many = vec![0; self.numbers.div_ceil(64)];
            for seen in std::mem::take(&mut self.few) {
                self.mark(seen);
            }
        }
        let bit = 1 << (no.0 % 64);
        match self.many.get_mut(no.0 as usize / 64) {
            Some(word) => {
                let is_new = *word & bit == 0;
                *word |= bit;
                is_new
            }
            None => false,
        }
    }
}
