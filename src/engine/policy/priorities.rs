//! `priorities` and `severities`: the matrix of impact and urgency, and the further words that senders use.

use std::collections::BTreeMap;

use crate::words::{Level, Priority, Severity};

/// Impact and urgency to priority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matrix {
    /// `[impact][urgency]`, each in the order high, medium, low.
    pub cells: [[Priority; 3]; 3],
}

impl Default for Matrix {
    fn default() -> Self {
        use Priority::{P1, P2, P3, P4, P5};
        Matrix { cells: [[P1, P2, P3], [P2, P3, P4], [P3, P4, P5]] }
    }
}

impl Matrix {
    /// The priority of an impact and an urgency.
    pub fn priority(&self, impact: Level, urgency: Level) -> Priority {
        self.cells[impact as usize][urgency as usize]
    }
}

/// Words that senders use for severities, in lower case, the five own words among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Severities {
    /// Word to severity.
    pub words: BTreeMap<String, Severity>,
}

impl Severities {
    /// The severity of a sender's word, whatever its case; `unknown` where nobody named it.
    pub fn of(&self, word: &str) -> Severity {
        self.words.get(&word.trim().to_ascii_lowercase()).copied().unwrap_or(Severity::Unknown)
    }
}

/// Urgency by severity where a rule gives none.
pub fn urgency_of(severity: Severity) -> Level {
    match severity {
        Severity::Critical => Level::High,
        Severity::Error => Level::Medium,
        Severity::Warning | Severity::Unknown | Severity::Info => Level::Low,
    }
}
