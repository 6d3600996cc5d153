//! `silences` in rule files: what is recorded without being told, once or on a schedule.

use crate::time::Time;

/// One compiled rule.
#[derive(Debug)]
pub struct SilenceRule {
    /// Its name.
    pub name: String,
    /// What must hold of an alert.
    pub condition: super::Condition,
    /// When it holds.
    pub when: Window,
    /// Why, as the operator wrote it.
    pub comment: String,
}

/// When a silence rule holds.
#[derive(Debug)]
pub enum Window {
    /// Between two instants; either may be open.
    Between {
        /// From, or ever since.
        from: Option<Time>,
        /// Until, or for ever.
        until: Option<Time>,
    },
    /// Each time a schedule fires, for a while.
    Every {
        /// The schedule.
        schedule: crate::policy::Schedule,
        /// For how long.
        lasts: crate::time::Span,
    },
}
