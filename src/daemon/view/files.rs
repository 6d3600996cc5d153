//! What is found in the files that operators edit, and what a change of them does.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use watchkeeper_engine::cmdb::diff::{Diff, DiffRow};

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Findings")]
pub struct FindingsView {
    /// How many errors.
    pub errors: u64,
    /// How many warnings.
    pub warnings: u64,
    /// Each of them.
    pub findings: Vec<FindingView>,
}

/// A fault or a warning, with its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Finding")]
pub struct FindingView {
    /// How bad it is.
    #[schemars(extend("enum" = ["error", "warning"]))]
    pub severity: String,
    /// The file.
    pub path: String,
    /// The line it begins in, from 1.
    pub line: Option<u64>,
    /// The column it begins in, from 1.
    pub column: Option<u64>,
    /// The line it ends in.
    pub end_line: Option<u64>,
    /// The column it ends in.
    pub end_column: Option<u64>,
    /// What is wrong.
    pub message: String,
    /// What is said at the place.
    pub label: String,
    /// What to do.
    pub help: Option<String>,
}

/// The rules in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Rules")]
pub struct RulesView {
    /// The id of the policy.
    pub policy: String,
    /// The rules, by section and in the order in which they are asked.
    pub items: Vec<RuleView>,
    /// Always null: it is one part.
    pub next: Option<String>,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Rule")]
pub struct RuleView {
    /// Its section.
    pub section: String,
    /// Its name.
    pub name: String,
    /// Whether it is one of those that hold without any file.
    pub builtin: bool,
}

/// What a reload would change in the CMDB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "CmdbDiff")]
pub struct DiffView {
    /// In a sentence.
    pub summary: String,
    /// Each change.
    pub items: Vec<DiffRowView>,
    /// Always null: it is one part.
    pub next: Option<String>,
}

/// A change in the CMDB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "CmdbChange")]
pub struct DiffRowView {
    /// Of what: `item`, `team`, `person` or `contract`.
    pub kind: String,
    /// `added`, `changed` or `retired`.
    pub what: String,
    /// The record's id.
    pub id: String,
    /// The fields that changed.
    pub details: String,
}

/// The sources that brought the CIs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CmdbSources {
    /// The version of the CMDB.
    pub version: u64,
    /// Each source.
    pub items: Vec<CmdbSource>,
    /// Always null: it is one part.
    pub next: Option<String>,
}

/// A source of the CMDB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CmdbSource {
    /// Its name.
    pub source: String,
    /// How many CIs it brought.
    pub items: u64,
}

/// What an import changed, or would change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Imported")]
pub struct ImportedView {
    /// The source.
    pub source: String,
    /// Whether nothing was to be changed.
    pub dry_run: bool,
    /// Whether anything changed.
    pub changed: bool,
    /// The version of the CMDB.
    pub version: u64,
    /// What changed, in a sentence.
    pub summary: String,
    /// Each change.
    pub items: Vec<DiffRowView>,
    /// Changes beside those.
    pub left_out: u64,
    /// What a real run would ask to be confirmed.
    pub unconfirmed: Option<String>,
    /// Warnings.
    pub warnings: Vec<FindingView>,
}

/// The Kafka cluster that a topic is read from after it was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Accepted")]
pub struct AcceptedView {
    /// The topic.
    pub source: String,
    /// Whether anything changed.
    pub changed: bool,
    /// The cluster, where it changed.
    pub cluster: Option<String>,
}

impl DiffRowView {
    /// Of a change.
    pub fn of(row: DiffRow) -> DiffRowView {
        DiffRowView { kind: row.kind.to_owned(), what: row.what.to_owned(), id: row.id, details: row.details }
    }
}

impl DiffView {
    /// Of a difference.
    pub fn of(diff: &Diff) -> DiffView {
        DiffView { summary: diff.summary(), items: diff.rows().into_iter().map(DiffRowView::of).collect(), next: None }
    }
}
