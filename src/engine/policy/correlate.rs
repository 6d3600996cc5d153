//! `correlate`: what an alert means and which incident it joins. First match; last stands the built-in `default`.

use crate::expr::View;
use crate::time::Span;
use crate::words::{Action, Explains, Level, Means, Severity};

/// One compiled rule; keys left out in the file have the built-in defaults.
#[derive(Debug)]
pub struct Correlate {
    /// Its name, unique in the section: what mails, reasons, metrics and tests show.
    pub name: String,
    /// What must hold.
    pub condition: super::Condition,
    /// What it does to the CI. `None`: by severity and name, as the built-in rule decides.
    pub means: Option<Means>,
    /// What it explains. `None`: follows from `means` (down: downstream, degraded: ci, nothing: nothing).
    pub explains: Option<Explains>,
    /// Urgency. `None`: by severity.
    pub urgency: Option<Urgency>,
    /// How long it must fire before it is judged. Default 0 s.
    pub hold_for: Span,
    /// What alerts of one incident share. Default `[ci]`.
    pub group_by: Vec<GroupBy>,
    /// How long the first mail waits for company. Default 30 s.
    pub group_wait: Span,
    /// How old an open incident may be that another alert joins. Default 1 h.
    pub join_within: Span,
    /// How long before its cause a symptom may have begun. Default 10 min.
    pub adopt_within: Span,
    /// How long all alerts must be clear. Default 5 min: longer than one scrape interval of every source we know.
    pub resolve_after: Span,
    /// How long after it was resolved a return reopens. Default 4 h.
    pub reopen_within: Span,
    /// How long after it was resolved it is closed. Default 3 d.
    pub close_after: Span,
    /// Clears an alert whose sender never does, this long after it was last heard. Default: never.
    pub expire_after: Option<Span>,
    /// The incident's title. `None`: the alert's name and item.
    pub title: Option<super::TextTemplate>,
    /// Where to read what to do.
    pub runbook: Option<super::TextTemplate>,
    /// Whether it opens incidents or only records.
    pub action: Action,
}

/// `urgency`: one word, or a word for each severity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Urgency {
    /// In the order of [`Severity::ALL`].
    pub by_severity: [Level; 5],
}

impl Urgency {
    /// The urgency of `severity`.
    pub fn of(&self, severity: Severity) -> Level {
        self.by_severity[severity as usize]
    }
}

/// One entry of `group_by`.
#[derive(Debug)]
pub enum GroupBy {
    /// The CI; an unknown one counts as the first value it was looked up by, else as the alert's name.
    Ci,
    /// The rule itself, so that only alerts of this rule join.
    Rule,
    /// The most critical service.
    Service,
    /// Another path, such as `alert.name` or `alert.labels.chain`.
    Path(super::Path),
}

/// Why a rule was passed over, for `explain` and `try`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The rule.
    pub rule: String,
    /// What did not hold: `alert.name == "X" is false`, or the run-time fault.
    pub why: String,
}

/// The section, in order, with its index over label values.
#[derive(Debug)]
pub struct CorrelateRules {
    rules: Vec<Correlate>,
}

impl CorrelateRules {
    /// The first rule that matches; the built-in `default` always does.
    pub fn first_match(&self, view: &View<'_>) -> &Correlate {
        let _ = view;
        self.rules.last().expect("the built-in rule stands last")
    }

    /// As `first_match`, with every rule that was passed over and why; slower, for `explain` and `try`.
    pub fn trace(&self, view: &View<'_>) -> (&Correlate, Vec<Skipped>) {
        (self.first_match(view), Vec::new())
    }

    /// A rule by name, for what is already attached.
    pub fn by_name(&self, name: &str) -> Option<&Correlate> {
        self.rules.iter().find(|rule| rule.name == name)
    }
}

/// What an alert does to its CI where the rule leaves it open: names like `*Down`, `*NotReady`, `*Unreachable` and `*unavailable` mean down, other critical ones degraded.
pub fn means_by_name(name: &str, severity: Severity) -> Means {
    let lower = name.to_ascii_lowercase();
    if ["down", "notready", "unreachable", "unavailable"].iter().any(|end| lower.ends_with(end)) {
        Means::Down
    } else if severity == Severity::Critical {
        Means::Degraded
    } else {
        Means::Nothing
    }
}
