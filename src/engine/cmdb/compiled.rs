//! The CMDB in force: records, the index of their names, and which way a fault flows along their relations, by stable number.

use std::collections::BTreeMap;

use super::graph::{Arc, Flow, Graph};
use super::names::{Names, compare_names, fold, sort_key};
use super::{Ci, Contract, Inventory, Person, Team};
use crate::ids::CiNo;
use crate::text::Hop;
use crate::words::Relation;

/// The class whose items people consume: they have a tier and stakeholders, and impact is counted on them.
pub const SERVICE_CLASS: &str = "service";

/// An inventory compiled for finding and walking. Immutable; an import builds the next.
///
/// Arrays are as long as the highest number, so what is kept by [`CiNo`] elsewhere stays valid from one version to the next.
#[derive(Debug, Clone, Default)]
pub struct Cmdb {
    version: u64,
    inventory: Inventory,
    names: Names,
    /// Every number, in id order.
    by_id: Vec<CiNo>,
    /// By number: the place in `by_id`.
    rank: Vec<u32>,
    /// Services, most critical first, then in id order.
    services: Vec<CiNo>,
    /// By number: the place in `services`, or `u32::MAX`.
    service_rank: Vec<u32>,
    /// By number: the place in `services` of the most critical one that the item carries, or `u32::MAX`.
    carries: Vec<u32>,
    /// Where a fault of one item takes another down.
    hard: Graph,
    /// From members to their groups.
    member: Graph,
    /// By number: members that must be up; 0 for what is no group.
    needs: Vec<u32>,
    teams: BTreeMap<String, String>,
    people: BTreeMap<String, String>,
    /// The first contract, by id, that covers an item.
    covered: BTreeMap<CiNo, String>,
}

impl Cmdb {
    /// Compiles `inventory`. Relations to items it does not hold are left out, as are relations of an item to itself.
    pub fn build(inventory: Inventory, version: u64) -> Cmdb {
        let size = inventory.items.keys().next_back().map_or(0, |last| last.0 as usize + 1);
        let names = Names::new(&inventory.items);
        let by_id = in_id_order(&inventory);
        let rank = places(&by_id, size);
        let mut services: Vec<&Ci> = inventory.items.values().filter(|ci| ci.class == SERVICE_CLASS).collect();
        services.sort_unstable_by_key(|ci| (ci.criticality, rank[ci.no.0 as usize]));
        let services: Vec<CiNo> = services.into_iter().map(|ci| ci.no).collect();
        let (hard, member) = graphs(&inventory, &names, &by_id, size);
        let mut needs = vec![0; size];
        for ci in inventory.items.values() {
            let members = u32::try_from(member.back(ci.no).len()).unwrap_or(u32::MAX);
            needs[ci.no.0 as usize] = ci.min_up.needed(members).min(members);
        }
        let mut covered = BTreeMap::new();
        for (key, contract) in &inventory.contracts {
            for no in contract.covers.iter().filter_map(|name| names.find_exact(name)) {
                covered.entry(no).or_insert_with(|| key.clone());
            }
        }
        Cmdb {
            version,
            rank,
            service_rank: places(&services, size),
            carries: carries(&services, &hard, &member, size),
            teams: inventory.teams.iter().map(|(key, team)| (fold(&team.id), key.clone())).collect(),
            people: inventory.people.iter().map(|(key, person)| (fold(&person.id), key.clone())).collect(),
            inventory,
            names,
            by_id,
            services,
            hard,
            member,
            needs,
            covered,
        }
    }

    /// A CMDB that knows nothing, version 0.
    pub fn empty() -> Cmdb {
        Cmdb::build(Inventory::default(), 0)
    }

    /// Which version of the inventory this is.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// What it was built from.
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// One more than the highest number of an item.
    pub fn numbers(&self) -> usize {
        self.rank.len()
    }

    /// The item that has `name` as its id or alias, ignoring case; else the one whose full host name begins with the short name `name`,
    /// where that is one item only. A full name never finds a short id: `db-1.test.example` and `db-1.prod.example` are two hosts, and a wrong
    /// item sends mail to the wrong people, while an unknown one is listed as such.
    pub fn find(&self, name: &str) -> Option<CiNo> {
        self.names.find(name)
    }

    /// The item that has `name` as its id or alias, ignoring case.
    pub fn find_exact(&self, name: &str) -> Option<CiNo> {
        self.names.find_exact(name)
    }

    /// The record of an item.
    pub fn ci(&self, no: CiNo) -> Option<&Ci> {
        self.inventory.items.get(&no)
    }

    /// Whether there is an item of that number.
    pub fn knows(&self, no: CiNo) -> bool {
        self.rank(no) != u32::MAX
    }

    /// The id of an item; empty where there is none of that number.
    pub fn id(&self, no: CiNo) -> &str {
        self.ci(no).map_or("", |ci| &ci.id)
    }

    /// Every item, in the order of ids without case.
    pub fn items(&self) -> impl ExactSizeIterator<Item = &Ci> {
        self.by_id.iter().map(|no| &self.inventory.items[no])
    }

    /// Every service, most critical first, then in id order.
    pub fn services(&self) -> &[CiNo] {
        &self.services
    }

    /// Whether people consume this item.
    pub fn is_service(&self, no: CiNo) -> bool {
        self.service_rank(no).is_some()
    }

    /// The most critical service that an item carries, itself included, whatever the state of groups; of several as critical, the first by id.
    pub fn most_critical_service(&self, no: CiNo) -> Option<CiNo> {
        self.services.get(*self.carries.get(no.0 as usize)? as usize).copied()
    }

    /// The team with this id, ignoring case.
    pub fn team(&self, id: &str) -> Option<&Team> {
        self.inventory.teams.get(self.teams.get(&fold(id))?)
    }

    /// The person with this id, ignoring case.
    pub fn person(&self, id: &str) -> Option<&Person> {
        self.inventory.people.get(self.people.get(&fold(id))?)
    }

    /// The contract that covers an item; of several, the first by id.
    pub fn contract_covering(&self, no: CiNo) -> Option<&Contract> {
        self.inventory.contracts.get(self.covered.get(&no)?)
    }

    /// Who goes down with `no`, whatever the state of groups, in id order.
    pub fn flows_to(&self, no: CiNo) -> impl ExactSizeIterator<Item = Flow> + '_ {
        self.hard.onward(no)
    }

    /// Who takes `no` down with it, whatever the state of groups, in id order.
    pub fn flows_from(&self, no: CiNo) -> impl ExactSizeIterator<Item = Flow> + '_ {
        self.hard.back(no)
    }

    /// The groups that `no` is a member of, in id order.
    pub fn groups_of(&self, no: CiNo) -> impl ExactSizeIterator<Item = CiNo> + '_ {
        self.member.onward(no).map(|flow| flow.ci)
    }

    /// The members of `no`, in id order.
    pub fn members_of(&self, no: CiNo) -> impl ExactSizeIterator<Item = CiNo> + '_ {
        self.member.back(no).map(|flow| flow.ci)
    }

    /// Members of `no` that must be up, never more than it has; `None` for what has no members.
    pub fn needs(&self, no: CiNo) -> Option<u32> {
        self.needs.get(no.0 as usize).copied().filter(|_| self.members_of(no).len() > 0)
    }

    /// The step by which a fault of `cause` reaches `hit`, as a sentence reads it: the item that has the relation first.
    pub fn hop(&self, cause: CiNo, relation: Relation, hit: CiNo) -> Hop {
        let (from, to) = match relation {
            Relation::Contains | Relation::MemberOf => (cause, hit),
            Relation::DependsOn | Relation::RunsOn | Relation::PoweredBy | Relation::ConnectsTo => (hit, cause),
        };
        Hop { from: self.id(from).to_owned(), relation, to: self.id(to).to_owned() }
    }

    /// The place of an item in id order, for sorting.
    pub(super) fn rank(&self, no: CiNo) -> u32 {
        self.rank.get(no.0 as usize).copied().unwrap_or(u32::MAX)
    }

    /// The place of a service in [`Cmdb::services`].
    pub(super) fn service_rank(&self, no: CiNo) -> Option<u32> {
        self.service_rank.get(no.0 as usize).copied().filter(|rank| *rank != u32::MAX)
    }
}

fn in_id_order(inventory: &Inventory) -> Vec<CiNo> {
    // Most names differ in their first bytes; to compare those of two records costs two misses of the cache each time.
    let mut items: Vec<(u128, &Ci)> = inventory.items.values().map(|ci| (sort_key(&ci.id), ci)).collect();
    items.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| compare_names(&a.1.id, &b.1.id)));
    items.into_iter().map(|(_, ci)| ci.no).collect()
}

/// By number: the place in `order`, or `u32::MAX`.
fn places(order: &[CiNo], size: usize) -> Vec<u32> {
    let mut places = vec![u32::MAX; size];
    for (place, no) in (0..).zip(order) {
        places[no.0 as usize] = place;
    }
    places
}

/// By number: the first of `services` that a fault of the item could reach, or `u32::MAX`. Every item is walked over once: what carries one service
/// carries all that this one does.
fn carries(services: &[CiNo], hard: &Graph, member: &Graph, size: usize) -> Vec<u32> {
    let mut carries = vec![u32::MAX; size];
    let mut queue = Vec::new();
    for (rank, service) in (0..).zip(services) {
        queue.push(*service);
        while let Some(at) = queue.pop() {
            let known = &mut carries[at.0 as usize];
            if *known == u32::MAX {
                *known = rank;
                queue.extend(hard.back(at).chain(member.back(at)).map(|flow| flow.ci));
            }
        }
    }
    carries
}

fn graphs(inventory: &Inventory, names: &Names, by_id: &[CiNo], size: usize) -> (Graph, Graph) {
    let (mut hard, mut member) = (Vec::new(), Vec::new());
    for ci in inventory.items.values() {
        let mut ends: Vec<(Relation, CiNo)> =
            ci.relations.iter().filter_map(|edge| Some((edge.relation, names.find_exact(&edge.to)?))).collect();
        ends.sort_unstable();
        ends.dedup();
        for (relation, other) in ends.into_iter().filter(|(_, other)| *other != ci.no) {
            match relation {
                Relation::DependsOn | Relation::RunsOn | Relation::PoweredBy => hard.push(Arc { from: other, to: ci.no, relation }),
                Relation::Contains => hard.push(Arc { from: ci.no, to: other, relation }),
                Relation::MemberOf => member.push(Arc { from: ci.no, to: other, relation }),
                Relation::ConnectsTo => {}
            }
        }
    }
    (Graph::new(size, by_id, &hard), Graph::new(size, by_id, &member))
}
