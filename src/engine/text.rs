//! Labels, and the sentences that say why: every judgement carries a [`Because`] that renders to what an operator reads.

use std::fmt;

use minicbor::{Decode, Encode};

use crate::time::{Span, Time};
use crate::words::Relation;

/// Names and values, sorted by name, each name once, no empty values (an empty label is no label, as in Prometheus).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct Labels(#[n(0)] Vec<(String, String)>);

impl Labels {
    /// Sorts, and drops empty values; of a repeated name the last value stays.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Labels {
        let mut pairs: Vec<(String, String)> = pairs.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        pairs.sort_by(|a, b| a.0.cmp(&b.0));
        pairs.reverse();
        pairs.dedup_by(|later, earlier| later.0 == earlier.0);
        pairs.reverse();
        Labels(pairs)
    }

    /// The same with empty values kept: annotations, which a sender may empty.
    pub fn with_empty(pairs: impl IntoIterator<Item = (String, String)>) -> Labels {
        let pairs: std::collections::BTreeMap<String, String> = pairs.into_iter().collect();
        Labels(pairs.into_iter().collect())
    }

    /// The value of `name`; empty where there is none.
    pub fn get(&self, name: &str) -> &str {
        match self.0.binary_search_by(|(known, _)| known.as_str().cmp(name)) {
            Ok(at) => &self.0[at].1,
            Err(_) => "",
        }
    }

    /// Whether `name` has a value.
    pub fn has(&self, name: &str) -> bool {
        self.0.binary_search_by(|(known, _)| known.as_str().cmp(name)).is_ok()
    }

    /// All pairs, by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Labels {
    fn from(pairs: [(&str, &str); N]) -> Labels {
        Labels::new(pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())))
    }
}

/// A step of a fault's way: `item` is reached from the one before by `relation`, read against its direction where the fault flows so.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Hop {
    /// The item that has the relation.
    #[n(0)]
    pub from: String,
    /// The relation.
    #[n(1)]
    pub relation: Relation,
    /// The item the relation names.
    #[n(2)]
    pub to: String,
}

/// Why something was decided; renders to the sentence that timeline, `explain` and mails show. Indices are never reused.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Because {
    /// Nothing open explains it or belongs with it.
    #[n(0)]
    NothingOpen {
        /// What it was looked up by.
        #[n(0)]
        key: String,
    },
    /// A cause upstream explains it: the hops lead from the symptom to the cause.
    #[n(1)]
    Upstream {
        /// The way, the symptom's item first.
        #[n(0)]
        hops: Vec<Hop>,
    },
    /// Another alert on the same item explains it.
    #[n(2)]
    SameItem {
        /// The item.
        #[n(0)]
        ci: String,
        /// The explaining alert's name.
        #[n(1)]
        alert: String,
    },
    /// It has the same `group_by` values as the open incident.
    #[n(3)]
    SameGroup {
        /// The values.
        #[n(0)]
        key: String,
    },
    /// It was in this incident before, and the incident is still open.
    #[n(4)]
    OwnIncident,
    /// The incident it belonged to was resolved recently.
    #[n(5)]
    ResolvedRecently {
        /// How long ago.
        #[n(0)]
        ago: Span,
        /// The rule's bound.
        #[n(1)]
        within: Span,
    },
    /// A group has fewer members up than it needs.
    #[n(6)]
    BelowMinUp {
        /// The group.
        #[n(0)]
        group: String,
        /// Members that are up.
        #[n(1)]
        up: u32,
        /// Members it has.
        #[n(2)]
        of: u32,
        /// Members it needs.
        #[n(3)]
        needs: u32,
    },
    /// Its cause cleared and it still fires.
    #[n(7)]
    CauseCleared {
        /// The cause's item.
        #[n(0)]
        cause: String,
        /// How long ago.
        #[n(1)]
        ago: Span,
    },
    /// Every alert has been clear for a while.
    #[n(8)]
    AllCleared {
        /// Alerts.
        #[n(0)]
        alerts: u32,
        /// For how long.
        #[n(1)]
        quiet: Span,
    },
    /// It was resolved by hand and something still fires.
    #[n(9)]
    StillFires {
        /// Alerts that fire.
        #[n(0)]
        alerts: u32,
    },
    /// An operator said so, perhaps with words.
    #[n(10)]
    Operator {
        /// Who.
        #[n(0)]
        actor: String,
        /// Their words, or none.
        #[n(1)]
        words: String,
    },
    /// A rule said so.
    #[n(11)]
    Rule {
        /// The section.
        #[n(0)]
        section: String,
        /// The rule's name.
        #[n(1)]
        name: String,
    },
    /// A silence holds.
    #[n(12)]
    Silenced {
        /// Its id or rule name.
        #[n(0)]
        by: String,
        /// Its comment.
        #[n(1)]
        comment: String,
        /// When it ends.
        #[n(2)]
        until: Time,
    },
    /// Its severity is only recorded.
    #[n(13)]
    OnlyInfo,
    /// It is a signal of monitoring itself.
    #[n(14)]
    Signal {
        /// The alert's name.
        #[n(0)]
        name: String,
    },
    /// A source said that it ended.
    #[n(15)]
    SourceCleared {
        /// The source.
        #[n(0)]
        source: String,
    },
    /// Its `endsAt` passed and no source said that it still fires.
    #[n(16)]
    EndPassed,
    /// The severity the sender gives changed.
    #[n(17)]
    SeverityChanged {
        /// From.
        #[n(0)]
        from: crate::words::Severity,
        /// To.
        #[n(1)]
        to: crate::words::Severity,
    },
    /// Impact and urgency give this priority.
    #[n(18)]
    Matrix {
        /// Impact.
        #[n(0)]
        impact: crate::words::Level,
        /// Why that impact.
        #[n(1)]
        because: String,
        /// Urgency.
        #[n(2)]
        urgency: crate::words::Level,
    },
    /// All its alerts now belong to another incident.
    #[n(19)]
    Emptied {
        /// Which.
        #[n(0)]
        by: crate::ids::IncidentId,
    },
    /// It must still fire after a while.
    #[n(20)]
    Waits {
        /// The rule's `for`.
        #[n(0)]
        hold: Span,
    },
    /// It has been resolved for a while.
    #[n(21)]
    ResolvedFor {
        /// How long.
        #[n(0)]
        span: Span,
    },
    /// A rule or a mute that held has ended.
    #[n(22)]
    MuteEnded {
        /// What ended.
        #[n(0)]
        by: String,
    },
    /// It is muted with all it holds.
    #[n(23)]
    AllMuted,
    /// So many that share the same within a time.
    #[n(24)]
    KeepsComingBack {
        /// How many.
        #[n(0)]
        incidents: u32,
        /// Within which time.
        #[n(1)]
        within: Span,
        /// What they share.
        #[n(2)]
        same: String,
    },
    /// It came back after it was said to be fixed.
    #[n(25)]
    CameBack {
        /// How long after.
        #[n(0)]
        after: Span,
    },
    /// The time it was put on hold for is over.
    #[n(27)]
    HoldEnded,
    /// It stayed quiet after it was said to be fixed.
    #[n(26)]
    QuietAfterFix {
        /// How long.
        #[n(0)]
        span: Span,
    },
}

impl Because {
    /// Whether a person said so; one without a name is nobody.
    pub fn is_of_a_person(&self) -> bool {
        matches!(self, Because::Operator { actor, .. } if !actor.trim().is_empty())
    }
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Because::NothingOpen { key } => write!(f, "no firing alert explains it, and no incident is open for {key}"),
            Because::Upstream { hops } => {
                for (n, hop) in hops.iter().enumerate() {
                    let joint = if n == 0 { "" } else { ", and " };
                    write!(f, "{joint}{} {} {}", hop.from, hop.relation.verb(), hop.to)?;
                }
                Ok(())
            }
            Because::SameItem { ci, alert } => write!(f, "{alert} already fires on {ci}"),
            Because::SameGroup { key } => write!(f, "the incident has the same group, {key}"),
            Because::OwnIncident => f.write_str("it belonged to this incident before, and the incident is still open"),
            Because::ResolvedRecently { ago, within } => {
                write!(f, "the incident was resolved {} ago, less than {}", ago.words(), within.words())
            }
            Because::BelowMinUp { group, up, of, needs } => {
                write!(f, "{group} has {up} of {of} members up and needs {needs}")
            }
            Because::CauseCleared { cause, ago } => write!(f, "{cause} cleared {} ago, and this alert still fires", ago.words()),
            Because::AllCleared { alerts: 1, quiet } => write!(f, "its alert has been clear for {}", quiet.words()),
            Because::AllCleared { alerts, quiet } => write!(f, "all {alerts} alerts have been clear for {}", quiet.words()),
            Because::StillFires { alerts: 1 } => f.write_str("its alert still fires"),
            Because::StillFires { alerts } => write!(f, "{alerts} alerts still fire"),
            Because::Operator { actor, words } if words.is_empty() => write!(f, "by {actor}"),
            Because::Operator { actor, words } => write!(f, "{actor}: {words}"),
            Because::Rule { section, name } => write!(f, "{section} rule {name}"),
            Because::Silenced { by, comment, until } => {
                write!(f, "silence {by}")?;
                if !comment.is_empty() {
                    write!(f, " ({comment})")?;
                }
                if *until >= Time::NEVER { f.write_str(", without an end") } else { write!(f, " until {until}") }
            }
            Because::OnlyInfo => f.write_str("alerts of severity info are only recorded"),
            Because::Signal { name } => write!(f, "{name} only shows that monitoring works"),
            Because::SourceCleared { source } => write!(f, "{source} reported that it ended"),
            Because::EndPassed => f.write_str("its end time passed, and no source reports it firing"),
            Because::SeverityChanged { from, to } => write!(f, "its severity changed from {from} to {to}"),
            Because::Matrix { impact, because, urgency } => write!(f, "impact {impact} ({because}) and urgency {urgency}"),
            Because::Emptied { by } => write!(f, "all its alerts moved to {by}"),
            Because::Waits { hold } => write!(f, "it must keep firing for {}", hold.words()),
            Because::HoldEnded => f.write_str("the time it was put on hold for is over"),
            Because::ResolvedFor { span } => write!(f, "resolved for {}", span.words()),
            Because::MuteEnded { by } => write!(f, "{by} ended, and it still fires"),
            Because::AllMuted => f.write_str("all its alerts are suppressed"),
            Because::KeepsComingBack { incidents, within, same } => write!(f, "{incidents} in {} with the same {same}", within.words()),
            Because::CameBack { after } => write!(f, "it came back {} after the fix", after.words()),
            Because::QuietAfterFix { span } => write!(f, "no outage for {} after the fix", span.words()),
        }
    }
}

/// Cuts `text` to at most `max` bytes at a character, ending in `…` where something was cut.
pub fn cut(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let mut end = max.saturating_sub('…'.len_utf8());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

/// `text` on one line: every run of control and white space becomes one space, and bidirectional controls go,
/// so that a sender can neither start a line of its own nor turn the reading direction of ours.
pub fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_whitespace() || c.is_control() {
            if !out.ends_with(' ') && !out.is_empty() {
                out.push(' ');
            }
        } else if !matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}') {
            out.push(c);
        }
    }
    out.truncate(out.trim_end().len());
    out
}
