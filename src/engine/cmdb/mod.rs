//! The CMDB compiled: flat arrays with stable numbers, identity indexes, typed relations and the walks over them.
//!
//! Immutable: an import builds the next one off the writer. Never decides anything about alerts.

mod compiled;
pub mod diff;
pub mod files;
mod graph;
pub mod health;
mod names;
pub mod walk;

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use crate::ids::CiNo;
use crate::text::Labels;
use crate::words::{Level, Relation};

pub use compiled::{Cmdb, SERVICE_CLASS};
pub use diff::{Diff, diff};
pub use graph::Flow;
pub use names::same_name;

/// A configuration item as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Ci {
    /// Its stable number.
    #[n(0)]
    pub no: CiNo,
    /// Its id as written; found whatever the case.
    #[n(1)]
    pub id: String,
    /// Its class: host, switch, service, …; free words but for `service`.
    #[n(2)]
    pub class: String,
    /// The team that owns it, or empty.
    #[n(3)]
    pub owner: String,
    /// Which part of the organisation it belongs to, or empty.
    #[n(4)]
    pub domain: String,
    /// Its environment; empty is production.
    #[n(5)]
    pub environment: String,
    /// How much it matters; medium unless given.
    #[n(6)]
    pub criticality: Level,
    /// The service's tier, or empty.
    #[n(7)]
    pub tier: String,
    /// Further names.
    #[n(8)]
    pub aliases: Vec<String>,
    /// Free pairs.
    #[n(9)]
    pub labels: Labels,
    /// Addresses that hear of a service.
    #[n(10)]
    pub stakeholders: Vec<String>,
    /// How many members must be up; only a group has it.
    #[n(11)]
    pub min_up: MinUp,
    /// Its relations to others, by their ids as written.
    #[n(12)]
    pub relations: Vec<Edge>,
    /// A word to whoever looks at it, or empty (`note:`).
    #[n(13)]
    pub note: String,
    /// Which source brought it: `files`, or the `source` of an import.
    #[n(14)]
    pub source: String,
}

/// One relation of an item.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Edge {
    /// Which.
    #[n(0)]
    pub relation: Relation,
    /// To whom.
    #[n(1)]
    pub to: String,
}

/// `min_up` of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum MinUp {
    /// So many members; 1 unless given.
    #[n(0)]
    Count(#[n(0)] u32),
    /// So many of a hundred members, rounded up.
    #[n(1)]
    Percent(#[n(0)] u32),
}

impl MinUp {
    /// Members that must be up of `members`.
    pub fn needed(self, members: u32) -> u32 {
        match self {
            MinUp::Count(count) => count,
            MinUp::Percent(percent) => u32::try_from((u64::from(members) * u64::from(percent)).div_ceil(100)).unwrap_or(u32::MAX),
        }
    }
}

/// A team.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Team {
    /// Its id.
    #[n(0)]
    pub id: String,
    /// Its addresses.
    #[n(1)]
    pub mail: Vec<String>,
    /// The person who leads it, or empty.
    #[n(2)]
    pub lead: String,
    /// Its rota, or empty.
    #[n(3)]
    pub oncall: String,
    /// Its calendar, or empty.
    #[n(4)]
    pub calendar: String,
    /// The zone its mails are written in; UTC where empty.
    #[n(5)]
    pub zone: String,
}

impl Team {
    /// The zone in which it reads.
    pub fn zone_name(&self) -> &str {
        if self.zone.is_empty() { "UTC" } else { &self.zone }
    }
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Person {
    /// Their id.
    #[n(0)]
    pub id: String,
    /// Their addresses.
    #[n(1)]
    pub mail: Vec<String>,
}

/// A contract with a vendor.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Contract {
    /// Its id.
    #[n(0)]
    pub id: String,
    /// The vendor's name.
    #[n(1)]
    pub vendor: String,
    /// The vendor's addresses.
    #[n(2)]
    pub mail: Vec<String>,
    /// Its last day, `2027-06-30`, or empty.
    #[n(3)]
    pub until: String,
    /// Days of notice before that, as written (`90d`), or empty.
    #[n(4)]
    pub notice: String,
    /// The items it covers.
    #[n(5)]
    pub covers: Vec<String>,
}

/// All that CMDB files hold, before it is compiled: what the store keeps and imports compare.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inventory {
    /// Items by number.
    pub items: BTreeMap<CiNo, Ci>,
    /// Teams by id.
    pub teams: BTreeMap<String, Team>,
    /// People by id.
    pub people: BTreeMap<String, Person>,
    /// Contracts by id.
    pub contracts: BTreeMap<String, Contract>,
    /// The next free number.
    pub next_no: u32,
}
