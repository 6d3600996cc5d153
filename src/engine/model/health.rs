//! The health of CIs as it was: each change of it in a realm, once a batch, with what caused it; and how long a CI was how.
//!
//! Times are the block's, UTC, and never run back. A realm sees a CI as its own alerts have it; a CI is as bad as its worst realm sees it.

use std::collections::BTreeMap;
use std::fmt;

use minicbor::{Decode, Encode};

use crate::ids::{AlertId, CiNo, IncidentId, Realm};
use crate::time::{Span, Time};
use crate::words::Health;

/// A CI that is not ok, as its row keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Standing {
    /// The CI.
    #[n(0)]
    pub ci: CiNo,
    /// Its id as it was written when it became so.
    #[n(1)]
    pub id: String,
    /// The realm that sees it so.
    #[n(2)]
    pub realm: Realm,
    /// How it is.
    #[n(3)]
    pub health: Health,
    /// Since when.
    #[n(4)]
    pub since: Time,
}

/// One change of a CI's health in a realm.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Change {
    /// The CI.
    #[n(0)]
    pub ci: CiNo,
    /// Its id as it was written then: a history is found by it, also when the CI has left the CMDB.
    #[n(1)]
    pub id: String,
    /// The realm that sees it so.
    #[n(2)]
    pub realm: Realm,
    /// When.
    #[n(3)]
    pub at: Time,
    /// The block that remembers it.
    #[n(4)]
    pub seq: u64,
    /// How it was.
    #[n(5)]
    pub from: Health,
    /// How it is from then on.
    #[n(6)]
    pub to: Health,
    /// The alert that moved it.
    #[n(7)]
    pub alert: Option<AlertId>,
    /// The incident in which that alert stood at the end of the batch.
    #[n(8)]
    pub incident: Option<IncidentId>,
    /// Why.
    #[n(9)]
    pub why: Why,
}

/// Why health changed. Indices are never reused.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Why {
    /// An alert fires on it, or on a CI whose fault reaches it.
    #[n(0)]
    Fires {
        /// The alert's name.
        #[n(0)]
        alert: String,
        /// The CI on which it fires, where that is another one; else empty.
        #[n(1)]
        on: String,
    },
    /// An alert no longer says so.
    #[n(1)]
    Ended {
        /// The alert's name.
        #[n(0)]
        alert: String,
        /// The CI on which it fired, where that is another one; else empty.
        #[n(1)]
        on: String,
    },
    /// So many members of the group are up.
    #[n(2)]
    Members {
        /// Members that are up.
        #[n(0)]
        up: u32,
        /// Members it has.
        #[n(1)]
        of: u32,
        /// Members it needs.
        #[n(2)]
        needs: u32,
    },
    /// Another CMDB is in force.
    #[n(3)]
    Cmdb {
        /// Its version.
        #[n(0)]
        version: u64,
    },
    /// The CI is no longer in the CMDB: nothing is known of it from then on.
    #[n(4)]
    Gone {
        /// The version without it.
        #[n(0)]
        version: u64,
    },
    /// A start found it so: what came before was not remembered.
    #[n(5)]
    Found,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Fires { alert, on } if on.is_empty() => write!(f, "{alert} fires on it"),
            Why::Fires { alert, on } => write!(f, "{alert} fires on {on}, whose fault reaches it"),
            Why::Ended { alert, on } if on.is_empty() => write!(f, "{alert} on it ended"),
            Why::Ended { alert, on } => write!(f, "{alert} on {on} ended"),
            Why::Members { up, of, needs } => write!(f, "{up} of {of} members are up, and it needs {needs}"),
            Why::Cmdb { version } => write!(f, "CMDB version {version} came into force"),
            Why::Gone { version } => write!(f, "it is not in CMDB version {version}"),
            Why::Found => f.write_str("a start found it so"),
        }
    }
}

/// What happened to the health of CIs. Indices are never reused.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Fact {
    /// The health of a CI changed.
    #[n(0)]
    Changed {
        /// How.
        #[n(0)]
        change: Box<Change>,
    },
    /// The health of more CIs changed than one batch remembers: the next ones go on.
    #[n(1)]
    Left,
}

/// The text by which the history of a CI is found: its id, whatever the case.
pub fn history_of(id: &str) -> String {
    id.to_lowercase()
}

impl Change {
    /// Whether the CI left the CMDB with it.
    pub fn is_end(&self) -> bool {
        matches!(self.why, Why::Gone { .. })
    }
}

/// How long a CI was how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// Ok.
    pub ok: Span,
    /// At risk.
    pub at_risk: Span,
    /// Degraded.
    pub degraded: Span,
    /// Down.
    pub down: Span,
}

impl Spent {
    /// How long a CI was how from `from` until before `to`, as the worst realm saw it.
    ///
    /// `changes` are all from `from` on until now, in the order of time, and `now` is how each realm that sees it other than ok does so. What a realm saw before its
    /// first change is that one's `from`. While it is not in the CMDB nothing is counted.
    pub fn between<'a>(
        from: Time,
        to: Time,
        changes: impl IntoIterator<Item = &'a Change>,
        now: impl IntoIterator<Item = (&'a Realm, Health)>,
    ) -> Spent {
        let changes: Vec<&Change> = changes.into_iter().filter(|change| change.at >= from).collect();
        let mut seen: BTreeMap<&Realm, Health> = now.into_iter().collect();
        for change in changes.iter().rev() {
            seen.insert(&change.realm, change.from);
        }
        let mut spent = Spent::default();
        let (mut at, mut is_known) = (from, true);
        for change in changes.into_iter().filter(|change| change.at < to) {
            spent.add(change.at - at, is_known, &seen);
            at = change.at;
            seen.insert(&change.realm, change.to);
            is_known = !change.is_end();
        }
        spent.add(to - at, is_known, &seen);
        spent
    }

    /// Of the time that is counted, how much it was not down, in percent; `None` where none is.
    pub fn available_percent(&self) -> Option<f64> {
        let up = self.ok.0 + self.at_risk.0 + self.degraded.0;
        let all = up + self.down.0;
        // Milliseconds of centuries are exact.
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of centuries are exact")]
        (all > 0).then(|| up as f64 * 100.0 / all as f64)
    }

    fn add(&mut self, span: Span, is_known: bool, seen: &BTreeMap<&Realm, Health>) {
        if !is_known || span <= Span::ZERO {
            return;
        }
        let sum = match seen.values().max().copied().unwrap_or(Health::Ok) {
            Health::Ok => &mut self.ok,
            Health::AtRisk => &mut self.at_risk,
            Health::Degraded => &mut self.degraded,
            Health::Down => &mut self.down,
        };
        sum.0 += span.0;
    }
}
