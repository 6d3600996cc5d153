//! A configuration item: its record, what it carries, and what could be wrong with it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use watchkeeper_engine::cmdb::{Ci, MinUp};
use watchkeeper_engine::ids::{AlertId, IncidentId};
use watchkeeper_engine::time::Time;
use watchkeeper_engine::words::{Health, Level, Relation, Severity};

use super::{given, pairs};

/// A configuration item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Ci")]
pub struct CiView {
    /// Its id.
    pub id: String,
    /// Its class.
    pub class: Option<String>,
    /// The team that owns it.
    pub owner: Option<String>,
    /// Its domain.
    pub domain: Option<String>,
    /// Its environment.
    pub environment: Option<String>,
    /// Its criticality.
    pub criticality: Level,
    /// Its tier.
    pub tier: Option<String>,
    /// Further names it is found by.
    pub aliases: Vec<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Who hears when it is affected.
    pub stakeholders: Vec<String>,
    /// How many of its members must be up: a number, or a share such as `50%`.
    pub min_up: String,
    /// What it depends on, runs on or is a member of.
    pub relations: Vec<RelationView>,
    /// A note.
    pub note: Option<String>,
    /// The source that brought it.
    pub source: String,
    /// How it is, as the worst realm sees it.
    pub health: Health,
}

/// A relation of a CI.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RelationView {
    /// Its kind.
    pub relation: Relation,
    /// The other CI.
    pub to: String,
}

/// A CI with its health and what fires on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WholeCi {
    /// The CI.
    #[serde(flatten)]
    pub ci: CiView,
    /// What fires on it.
    pub alerts: Vec<AlertId>,
    /// The incidents those belong to.
    pub incidents: Vec<IncidentId>,
    /// Its members.
    pub members: Vec<String>,
    /// The groups it is a member of.
    pub groups: Vec<String>,
    /// The services it carries.
    pub services: Vec<String>,
    /// The contract that covers it.
    pub contract: Option<ContractView>,
}

/// A contract with a vendor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Contract")]
pub struct ContractView {
    /// Its id.
    pub id: String,
    /// The vendor.
    pub vendor: String,
}

/// What would be affected if a CI were down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Impact")]
pub struct ImpactView {
    /// The CI.
    pub ci: String,
    /// The affected services.
    pub services: Vec<HitView>,
    /// The CIs that its fault reaches, nearest first.
    pub items: Vec<ReachedView>,
    /// How many those are in all.
    pub items_total: u64,
}

/// A service that would be affected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Hit")]
pub struct HitView {
    /// Its id.
    pub id: String,
    /// Its tier.
    pub tier: Option<String>,
    /// Its criticality.
    pub criticality: Option<Level>,
    /// How it would be.
    pub health: Health,
}

/// The CIs whose fault would reach a CI.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Causes")]
pub struct CausesView {
    /// The CI.
    pub ci: String,
    /// Those CIs, nearest first, with what fires on each.
    pub items: Vec<ReachedView>,
    /// How many those are in all.
    pub items_total: u64,
}

/// A CI on the way of a fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Reached")]
pub struct ReachedView {
    /// The CI.
    pub ci: String,
    /// Over how many relations.
    pub hops: u64,
    /// The CI before it on the way.
    pub from: String,
    /// The relation between the two.
    pub relation: Relation,
    /// What fires on it; not looked at where impact is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alerts: Option<Vec<FiringView>>,
}

/// An alert that fires on such a CI.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Firing")]
pub struct FiringView {
    /// Its id.
    pub id: AlertId,
    /// Its name.
    pub name: String,
    /// How bad its source says it is.
    pub severity: Severity,
    /// Since when it fires.
    pub since: Time,
}

impl CiView {
    /// Of a CI that is so.
    pub fn of(ci: &Ci, health: Health) -> CiView {
        CiView {
            id: ci.id.clone(),
            class: given(&ci.class),
            owner: given(&ci.owner),
            domain: given(&ci.domain),
            environment: given(&ci.environment),
            criticality: ci.criticality,
            tier: given(&ci.tier),
            aliases: ci.aliases.clone(),
            labels: pairs(&ci.labels),
            stakeholders: ci.stakeholders.clone(),
            min_up: match ci.min_up {
                MinUp::Count(count) => count.to_string(),
                MinUp::Percent(percent) => format!("{percent}%"),
            },
            relations: ci.relations.iter().map(|edge| RelationView { relation: edge.relation, to: edge.to.clone() }).collect(),
            note: given(&ci.note),
            source: ci.source.clone(),
            health,
        }
    }
}
