//! `notify`: who hears what. All rules act; one mail per person and event.

use crate::words::Reason;

/// One compiled rule.
#[derive(Debug)]
pub struct Notify {
    /// Its name.
    pub name: String,
    /// What must hold.
    pub condition: super::Condition,
    /// Whom.
    pub to: Vec<Recipient>,
    /// For which reasons. `None`: those that ask for attention.
    pub send: Option<Vec<Reason>>,
    /// Which template. `None`: the one named like the reason.
    pub template: Option<String>,
    /// Whether what it says is folded into the morning's list. Only the built-in rule for P4 and P5 does.
    pub digest: bool,
}

impl Notify {
    /// Whether this rule sends `reason`.
    pub fn sends(&self, reason: Reason) -> bool {
        match &self.send {
            Some(reasons) => reasons.contains(&reason),
            None => reason.is_sent_by_default(),
        }
    }
}

/// Whom a rule tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipient {
    /// The team that owns the CI.
    Owner,
    /// Who is on call for it; without a rota the owner.
    Oncall,
    /// That team's lead.
    Lead,
    /// Whoever has the incident.
    Assignee,
    /// The stakeholders of the services it hurts.
    Stakeholders,
    /// The vendor whose contract covers the CI.
    Vendor,
    /// `team:ID`.
    Team(String),
    /// `person:ID`.
    Person(String),
    /// An address.
    Address(String),
}
