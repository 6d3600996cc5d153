//! What an import changes, field by field, and the guard against one that retires too much.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::names::fold;
use super::{Ci, Contract, Inventory, MinUp, Person, Team};
use crate::ids::CiNo;
use crate::limits;

/// The difference between two inventories.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Diff {
    /// Of items.
    pub items: Changes,
    /// Of teams.
    pub teams: Changes,
    /// Of people.
    pub people: Changes,
    /// Of contracts.
    pub contracts: Changes,
    /// Items whose row is to be written: added or changed.
    pub written: Vec<CiNo>,
    /// Items whose row goes.
    pub removed: Vec<CiNo>,
}

/// What changes among records of one kind, in the order of ids.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// Ids that are new.
    pub added: Vec<String>,
    /// Records that are different.
    pub changed: Vec<Change>,
    /// Ids that are gone.
    pub retired: Vec<String>,
}

/// One record that is different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its id as it is written now.
    pub id: String,
    /// What of it.
    pub fields: Vec<FieldChange>,
}

/// One field that is different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldChange {
    /// Its key in CMDB files.
    pub field: &'static str,
    /// What stood there, as CSV writes it; may be empty.
    pub from: String,
    /// What stands there now.
    pub to: String,
}

/// A line of the difference for a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiffRow {
    /// `item`, `team`, `person` or `contract`.
    pub kind: &'static str,
    /// `added`, `changed` or `retired`.
    pub what: &'static str,
    /// The record's id.
    pub id: String,
    /// The fields that changed: `owner: dba → network`; empty for the others.
    pub details: String,
}

/// Why an import needs a confirmation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this would retire {retired} of the {of} {what}, more than {}%; confirm it if that is meant", limits::RETIRE_PERCENT_MAX)]
pub struct TooManyRetired {
    /// Records of what: ``CIs of source `files` ``, `teams`, `people` or `contracts`.
    pub what: String,
    /// How many would go.
    pub retired: usize,
    /// How many there are.
    pub of: usize,
}

/// Compares two inventories: items by number, everything else by id whatever its case.
pub fn diff(old: &Inventory, new: &Inventory) -> Diff {
    let mut diff = Diff {
        items: changes(old.items.iter().map(|(no, ci)| (*no, ci)).collect(), new.items.iter().map(|(no, ci)| (*no, ci)).collect()),
        teams: changes(by_id(old.teams.values()), by_id(new.teams.values())),
        people: changes(by_id(old.people.values()), by_id(new.people.values())),
        contracts: changes(by_id(old.contracts.values()), by_id(new.contracts.values())),
        written: new.items.iter().filter(|(no, ci)| old.items.get(no) != Some(ci)).map(|(no, _)| *no).collect(),
        removed: old.items.keys().filter(|no| !new.items.contains_key(no)).copied().collect(),
    };
    diff.items.sort();
    diff
}

impl Diff {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.kinds().iter().all(|(_, changes)| changes.is_empty())
    }

    /// One sentence: `2 CIs added, 1 changed; 1 team retired`, or `nothing changes`.
    pub fn summary(&self) -> String {
        let kinds = self.kinds();
        let parts: Vec<String> =
            kinds.iter().filter(|(_, changes)| !changes.is_empty()).map(|(kind, changes)| Counted { kind, changes }.to_string()).collect();
        if parts.is_empty() { "nothing changes".to_owned() } else { parts.join("; ") }
    }

    /// Every change as a line of a table: CIs first; added, changed, retired.
    pub fn rows(&self) -> Vec<DiffRow> {
        let row = |kind, what, id: &String, details| DiffRow { kind, what, id: id.clone(), details };
        let mut rows = Vec::new();
        for (kind, changes) in self.kinds() {
            rows.extend(changes.added.iter().map(|id| row(kind, "added", id, String::new())));
            rows.extend(changes.changed.iter().map(|change| row(kind, "changed", &change.id, change.to_string())));
            rows.extend(changes.retired.iter().map(|id| row(kind, "retired", id, String::new())));
        }
        rows
    }

    /// Refuses a difference that retires more than [`limits::RETIRE_PERCENT_MAX`] percent of a source's CIs and more than
    /// [`limits::RETIRE_ITEMS_FREE`], or as large a share of all teams, people or contracts and more than [`limits::RETIRE_OTHERS_FREE`]. Whoever confirms does not ask.
    pub fn guard(&self, old: &Inventory) -> Result<(), TooManyRetired> {
        let mut sources: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        let removed: BTreeSet<CiNo> = self.removed.iter().copied().collect();
        for ci in old.items.values() {
            let (retired, of) = sources.entry(&ci.source).or_default();
            *of += 1;
            *retired += usize::from(removed.contains(&ci.no));
        }
        let is_too_much =
            |retired: usize, of: usize, free| retired > free && retired.saturating_mul(100) > of.saturating_mul(limits::RETIRE_PERCENT_MAX);
        if let Some((source, (retired, of))) =
            sources.into_iter().find(|(_, (retired, of))| is_too_much(*retired, *of, limits::RETIRE_ITEMS_FREE))
        {
            return Err(TooManyRetired { what: format!("CIs of source `{source}`"), retired, of });
        }
        let others = [
            ("teams", &self.teams, old.teams.len()),
            ("people", &self.people, old.people.len()),
            ("contracts", &self.contracts, old.contracts.len()),
        ];
        match others.into_iter().find(|(_, changes, of)| is_too_much(changes.retired.len(), *of, limits::RETIRE_OTHERS_FREE)) {
            Some((what, changes, of)) => Err(TooManyRetired { what: what.to_owned(), retired: changes.retired.len(), of }),
            None => Ok(()),
        }
    }

    fn kinds(&self) -> [(&'static str, &Changes); 4] {
        [("CI", &self.items), ("team", &self.teams), ("person", &self.people), ("contract", &self.contracts)]
    }
}

impl Changes {
    fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.retired.is_empty()
    }

    fn sort(&mut self) {
        self.added.sort_by(|a, b| super::names::compare_names(a, b));
        self.changed.sort_by(|a, b| super::names::compare_names(&a.id, &b.id));
        self.retired.sort_by(|a, b| super::names::compare_names(a, b));
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |text: &str| if text.is_empty() { "nothing".to_owned() } else { text.to_owned() };
        for (n, change) in self.fields.iter().enumerate() {
            let joint = if n == 0 { "" } else { ", " };
            write!(f, "{joint}{}: {} → {}", change.field, shown(&change.from), shown(&change.to))?;
        }
        Ok(())
    }
}

struct Counted<'a> {
    kind: &'static str,
    changes: &'a Changes,
}

impl fmt::Display for Counted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts =
            [(self.changes.added.len(), "added"), (self.changes.changed.len(), "changed"), (self.changes.retired.len(), "retired")];
        for (n, (count, what)) in counts.into_iter().filter(|(count, _)| *count > 0).enumerate() {
            match (n, count, self.kind) {
                (0, 1, kind) => write!(f, "1 {kind} {what}")?,
                (0, _, "person") => write!(f, "{count} people {what}")?,
                (0, _, kind) => write!(f, "{count} {kind}s {what}")?,
                (_, _, _) => write!(f, ", {count} {what}")?,
            }
        }
        Ok(())
    }
}

/// A record whose fields can be compared.
trait Record: PartialEq {
    fn id(&self) -> &str;
    /// Every field of CMDB files with its text.
    fn fields(&self) -> Vec<(&'static str, String)>;
}

impl Record for Ci {
    fn id(&self) -> &str {
        &self.id
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        let labels = self.labels.iter().map(|(name, value)| format!("{name}={value}"));
        let relations = self.relations.iter().map(|edge| format!("{}:{}", edge.relation, edge.to));
        let min_up = match self.min_up {
            MinUp::Count(count) => count.to_string(),
            MinUp::Percent(percent) => format!("{percent}%"),
        };
        vec![
            ("id", self.id.clone()),
            ("class", self.class.clone()),
            ("owner", self.owner.clone()),
            ("domain", self.domain.clone()),
            ("environment", self.environment.clone()),
            ("criticality", self.criticality.to_string()),
            ("tier", self.tier.clone()),
            ("aliases", self.aliases.join(";")),
            ("labels", labels.collect::<Vec<_>>().join(";")),
            ("stakeholders", self.stakeholders.join(";")),
            ("min_up", min_up),
            ("relations", relations.collect::<Vec<_>>().join(";")),
            ("note", self.note.clone()),
            ("source", self.source.clone()),
        ]
    }
}

impl Record for Team {
    fn id(&self) -> &str {
        &self.id
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        vec![
            ("id", self.id.clone()),
            ("mail", self.mail.join(";")),
            ("lead", self.lead.clone()),
            ("oncall", self.oncall.clone()),
            ("calendar", self.calendar.clone()),
            ("zone", self.zone.clone()),
        ]
    }
}

impl Record for Person {
    fn id(&self) -> &str {
        &self.id
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        vec![("id", self.id.clone()), ("mail", self.mail.join(";"))]
    }
}

impl Record for Contract {
    fn id(&self) -> &str {
        &self.id
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        vec![
            ("id", self.id.clone()),
            ("vendor", self.vendor.clone()),
            ("mail", self.mail.join(";")),
            ("until", self.until.clone()),
            ("notice", self.notice.clone()),
            ("covers", self.covers.join(";")),
        ]
    }
}

fn by_id<'a, R: Record + 'a>(records: impl Iterator<Item = &'a R>) -> BTreeMap<String, &'a R> {
    records.map(|record| (fold(record.id()), record)).collect()
}

fn changes<K: Ord, R: Record>(old: BTreeMap<K, &R>, new: BTreeMap<K, &R>) -> Changes {
    let mut changes = Changes::default();
    for (key, now) in &new {
        match old.get(key) {
            None => changes.added.push(now.id().to_owned()),
            Some(before) if before != now => {
                let fields = before.fields().into_iter().zip(now.fields()).filter(|(from, to)| from != to);
                let fields = fields.map(|((field, from), (_, to))| FieldChange { field, from, to }).collect();
                changes.changed.push(Change { id: now.id().to_owned(), fields });
            }
            Some(_) => {}
        }
    }
    changes.retired = old.iter().filter(|(key, _)| !new.contains_key(key)).map(|(_, before)| before.id().to_owned()).collect();
    changes
}
