//! Which items are down, by themselves or because a fault reaches them, kept up to date alert by alert.
//!
//! An item is down when something says so, when an item whose fault flows to it is down, or when it is a group with fewer members up than it
//! needs: the smallest set that satisfies this, so items of a cycle do not keep each other down.

use super::Cmdb;
use crate::ids::CiNo;

/// The down items of one CMDB, as the alerts of one realm have it. It holds only what was added, so it starts empty and is built again where the CMDB changes.
#[derive(Debug, Clone, Default)]
pub struct HealthMap {
    /// By number: how many things say that it is down.
    direct: Vec<u32>,
    /// By number: whether it is down.
    down: Vec<bool>,
    /// By number, for groups: members that are down.
    members_down: Vec<u32>,
}

/// How many members of a group are up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupState {
    /// Members that are not down.
    pub up: u32,
    /// Members it has.
    pub of: u32,
    /// Members that must be up: its `min_up`, but never more than it has.
    pub needs: u32,
}

impl GroupState {
    /// Whether too few are up, so that the group itself is down.
    pub fn is_below(self) -> bool {
        self.up < self.needs
    }

    /// Whether a member is down and enough are still up.
    pub fn has_lost_redundancy(self) -> bool {
        self.up < self.of && !self.is_below()
    }
}

impl HealthMap {
    /// Of no faults.
    pub const SOUND: &HealthMap = &HealthMap { direct: Vec::new(), down: Vec::new(), members_down: Vec::new() };

    /// Says once more that `no` is down. Returns what goes down with it, none where it was down already; costs what that is and its edges.
    pub fn add_down(&mut self, cmdb: &Cmdb, no: CiNo) -> Vec<CiNo> {
        self.grow(cmdb, no);
        let direct = &mut self.direct[no.0 as usize];
        *direct = direct.saturating_add(1);
        self.spread(cmdb, vec![no])
    }

    /// Takes one such word back; nothing where there was none. Returns what comes up again. Costs what `no` had taken down, and its edges:
    /// that region is cleared and filled again from what is still down inside it and at its border.
    pub fn remove_down(&mut self, cmdb: &Cmdb, no: CiNo) -> Vec<CiNo> {
        self.grow(cmdb, no);
        let direct = &mut self.direct[no.0 as usize];
        if *direct != 1 {
            *direct = direct.saturating_sub(1);
            return Vec::new();
        }
        *direct = 0;
        let mut region = self.clear_reached(cmdb, no);
        let still_down = region.iter().copied().filter(|at| self.has_reason(cmdb, *at)).collect();
        self.spread(cmdb, still_down);
        region.retain(|at| !self.is_down(*at));
        region
    }

    /// The same words about the items of another CMDB; what it no longer has is forgotten.
    pub fn over(&self, cmdb: &Cmdb) -> HealthMap {
        let mut next = HealthMap::default();
        for (no, words) in (0..).map(CiNo).zip(&self.direct).filter(|(no, words)| **words > 0 && cmdb.ci(*no).is_some()) {
            next.add_down(cmdb, no);
            next.direct[no.0 as usize] = *words;
        }
        next
    }

    /// Whether the item is down, by itself or because a fault reaches it.
    pub fn is_down(&self, no: CiNo) -> bool {
        self.down.get(no.0 as usize).copied().unwrap_or(false)
    }

    /// Whether something says of the item itself that it is down.
    pub fn is_directly_down(&self, no: CiNo) -> bool {
        self.direct.get(no.0 as usize).is_some_and(|words| *words > 0)
    }

    /// Items that are down, and groups that lost a member.
    pub fn marked(&self) -> impl Iterator<Item = CiNo> {
        let marks = (0..).map(CiNo).zip(self.down.iter().zip(&self.members_down));
        marks.filter(|(_, (down, members))| **down || **members > 0).map(|(no, _)| no)
    }

    /// The state of a group; `None` for what has no members.
    pub fn group(&self, cmdb: &Cmdb, no: CiNo) -> Option<GroupState> {
        let needs = cmdb.needs(no)?;
        let of = u32::try_from(cmdb.members_of(no).len()).unwrap_or(u32::MAX);
        let down = self.members_down.get(no.0 as usize).copied().unwrap_or(0);
        Some(GroupState { up: of.saturating_sub(down), of, needs })
    }

    /// Whether `no` is a group with too few members up.
    pub fn is_below(&self, cmdb: &Cmdb, no: CiNo) -> bool {
        self.group(cmdb, no).is_some_and(GroupState::is_below)
    }

    fn grow(&mut self, cmdb: &Cmdb, no: CiNo) {
        let size = cmdb.numbers().max(no.0 as usize + 1);
        if self.direct.len() < size {
            self.direct.resize(size, 0);
            self.down.resize(size, false);
            self.members_down.resize(size, 0);
        }
    }

    /// Marks `begin` and all that a fault of them reaches, and returns what was not marked before.
    fn spread(&mut self, cmdb: &Cmdb, begin: Vec<CiNo>) -> Vec<CiNo> {
        let mut queue = begin;
        let mut marked = Vec::new();
        while let Some(at) = queue.pop() {
            if std::mem::replace(&mut self.down[at.0 as usize], true) {
                continue;
            }
            marked.push(at);
            queue.extend(cmdb.flows_to(at).map(|flow| flow.ci).filter(|next| !self.is_down(*next)));
            for group in cmdb.groups_of(at) {
                self.members_down[group.0 as usize] += 1;
                if !self.is_down(group) && self.is_below(cmdb, group) {
                    queue.push(group);
                }
            }
        }
        marked
    }

    /// Unmarks `no` and all down items that a fault of it may have reached, and returns them.
    fn clear_reached(&mut self, cmdb: &Cmdb, no: CiNo) -> Vec<CiNo> {
        self.down[no.0 as usize] = false;
        let mut region = vec![no];
        let mut next = 0;
        while let Some(at) = region.get(next).copied() {
            next += 1;
            for hit in cmdb.flows_to(at).map(|flow| flow.ci).chain(cmdb.groups_of(at)) {
                if std::mem::replace(&mut self.down[hit.0 as usize], false) {
                    region.push(hit);
                }
            }
            for group in cmdb.groups_of(at) {
                self.members_down[group.0 as usize] -= 1;
            }
        }
        region
    }

    fn has_reason(&self, cmdb: &Cmdb, no: CiNo) -> bool {
        self.is_directly_down(no) || self.is_below(cmdb, no) || cmdb.flows_from(no).any(|flow| self.is_down(flow.ci))
    }
}

/// Equal where the same is said of the same items, however much room either has.
impl PartialEq for HealthMap {
    fn eq(&self, other: &HealthMap) -> bool {
        fn said<T: Copy + Default + PartialEq>(all: &[T]) -> &[T] {
            let end = all.iter().rposition(|one| *one != T::default()).map_or(0, |last| last + 1);
            &all[..end]
        }
        said(&self.direct) == said(&other.direct)
            && said(&self.down) == said(&other.down)
            && said(&self.members_down) == said(&other.members_down)
    }
}

impl Eq for HealthMap {}
