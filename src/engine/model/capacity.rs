//! Capacity: what was asked for each rule, and where each of its series is going.

use minicbor::{Decode, Encode};

use crate::forecast::Trend;
use crate::text::Labels;
use crate::time::Time;

/// A capacity rule as its row keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct Check {
    /// The rule.
    #[n(0)]
    pub rule: String,
    /// When it was asked; `None`: no answer is waited for.
    #[n(1)]
    pub asked_at: Option<Time>,
    /// When it was last answered.
    #[n(2)]
    pub answered_at: Option<Time>,
    /// What was asked then.
    #[n(3)]
    pub query: String,
    /// Why the last question had no answer; empty where it had one.
    #[n(4)]
    pub error: String,
    /// Series of the last answer that were left out: beyond the bounds of `limits`.
    #[n(5)]
    pub left_out: u32,
}

/// A series as its row keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Forecast {
    /// The rule.
    #[n(0)]
    pub rule: String,
    /// Its name: its labels in Prometheus' form, `{instance="db-1"}`.
    #[n(1)]
    pub series: String,
    /// Its labels, without `__name__`.
    #[n(2)]
    pub labels: Labels,
    /// Where it is going.
    #[n(3)]
    pub trend: Trend,
    /// When that was found out.
    #[n(4)]
    pub made_at: Time,
    /// Whether its alert fires.
    #[n(5)]
    pub fires: bool,
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The rule.
    pub rule: String,
    /// What was asked.
    pub query: String,
    /// What came.
    pub said: Said,
}

/// What a server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// These series, each with its line.
    Series {
        /// Those within the bounds.
        series: Vec<Measured>,
        /// How many were beyond them.
        left_out: u32,
    },
    /// Nothing that can be used.
    Nothing {
        /// Why.
        error: String,
    },
}

/// A series of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// Its labels, without `__name__`.
    pub labels: Labels,
    /// Where it is going.
    pub trend: Trend,
}

/// The name of a series: its labels in Prometheus' form.
pub fn series_name(labels: &Labels) -> String {
    let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{{{}}}", pairs.join(", "))
}

/// What happened. Indices are never reused; new fields are optional.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Fact {
    /// A rule's series were asked for.
    #[n(0)]
    Asked {
        /// The rule.
        #[n(0)]
        rule: String,
    },
    /// They came.
    #[n(1)]
    Answered {
        /// The rule.
        #[n(0)]
        rule: String,
        /// What was asked.
        #[n(1)]
        query: String,
        /// Series that were left out.
        #[n(2)]
        left_out: u32,
    },
    /// They did not come.
    #[n(2)]
    Unanswered {
        /// The rule.
        #[n(0)]
        rule: String,
        /// Why.
        #[n(1)]
        error: String,
    },
    /// A forecast was made.
    #[n(3)]
    Made {
        /// It.
        #[n(0)]
        forecast: Box<Forecast>,
    },
    /// A series is gone.
    #[n(4)]
    Forgotten {
        /// The rule.
        #[n(0)]
        rule: String,
        /// The series.
        #[n(1)]
        series: String,
    },
    /// A rule is gone.
    #[n(5)]
    Dropped {
        /// The rule.
        #[n(0)]
        rule: String,
    },
}
