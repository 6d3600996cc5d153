//! Problems: what keeps coming back. The record with its outages, and before that the series of those that are counted.

use minicbor::{Decode, Encode};

use crate::ids::{IncidentId, ProblemId};
use crate::limits;
use crate::model::alert::CiRef;
use crate::model::incident::{Entry, Told};
use crate::text::Because;
use crate::time::{Span, Time};
use crate::words::ProblemState;

/// A rule of `problems` and what its incidents share: one problem at most is open of each.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct SeriesKey {
    /// The rule.
    #[n(0)]
    pub rule: String,
    /// What the incidents share, with the realm where it is not `main`.
    #[n(1)]
    pub same: String,
}

/// Outages that are counted and no problem yet.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Series {
    /// Of what.
    #[n(0)]
    pub key: SeriesKey,
    /// Those of the rule's time, the earliest first.
    #[n(1)]
    pub outages: Vec<Outage>,
    /// When even the last is too old to count.
    #[n(2)]
    pub until: Time,
}

/// One outage: an incident that was told of, whatever it adopted.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Outage {
    /// The incident.
    #[n(0)]
    pub incident: IncidentId,
    /// When it was opened.
    #[n(1)]
    pub at: Time,
    /// When it was over; `None` while it is not.
    #[n(2)]
    pub ended: Option<Time>,
    /// What helped, in the words of who resolved it; empty where it resolved itself.
    #[n(3)]
    pub words: String,
}

/// A problem as its row keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Problem {
    /// Its id.
    #[n(0)]
    pub id: ProblemId,
    /// Its rule, and what its incidents share.
    #[n(1)]
    pub key: SeriesKey,
    /// Where it is.
    #[n(2)]
    pub state: ProblemState,
    /// What keeps coming back.
    #[n(3)]
    pub title: String,
    /// The item at fault in the incident that opened it.
    #[n(4)]
    pub ci: CiRef,
    /// That item's id as people write it.
    #[n(5)]
    pub item: String,
    /// The team that owns that item; empty where nobody does.
    #[n(6)]
    pub team: String,
    /// Who has it; empty where nobody does.
    #[n(7)]
    pub assignee: String,
    /// Its outages, the earliest first; of more than [`limits::PROBLEM_OUTAGES_MAX`] the last.
    #[n(8)]
    pub outages: Vec<Outage>,
    /// How many there were in all.
    #[n(9)]
    pub outage_count: u32,
    /// Why it was opened.
    #[n(10)]
    pub because: Because,
    /// When it was opened.
    #[n(11)]
    pub opened_at: Time,
    /// When it last changed.
    #[n(12)]
    pub updated_at: Time,
    /// What helps until it is fixed; empty where nobody knows.
    #[n(13)]
    pub workaround: String,
    /// When somebody said that it is fixed.
    #[n(14)]
    pub resolved_at: Option<Time>,
    /// Who.
    #[n(15)]
    pub resolved_by: String,
    /// Their words.
    #[n(16)]
    pub resolution: String,
    /// When it closes, where it stays quiet until then.
    #[n(17)]
    pub close_at: Option<Time>,
    /// When it was closed.
    #[n(18)]
    pub closed_at: Option<Time>,
    /// How often it came back after a fix.
    #[n(19)]
    pub fixes_failed: u32,
    /// How many incidents its rule asked for, when it opened it.
    #[n(20)]
    pub wanted: u32,
    /// Within which time.
    #[n(21)]
    pub within: Span,
    /// How long it must stay quiet after a fix.
    #[n(22)]
    pub quiet_after_fix: Span,
    /// Its mail subject.
    #[n(23)]
    pub subject: String,
    /// Who was told what, in the order they were first told.
    #[n(24)]
    pub told: Vec<Told>,
    /// How many timeline entries it has.
    #[n(25)]
    pub timeline_len: u32,
    /// Counts every change: the ETag.
    #[n(26)]
    pub version: u64,
}

/// What can happen to problems and to what is counted. Indices are never reused; new fields are optional.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Fact {
    /// An outage counts, and does not make a problem yet.
    #[n(0)]
    Counted {
        /// Of what.
        #[n(0)]
        key: SeriesKey,
        /// Which.
        #[n(1)]
        outage: Outage,
        /// What is older than this is too old.
        #[n(2)]
        within: Span,
    },
    /// Nothing that is counted there is young enough any more, or there is too much.
    #[n(1)]
    Forgotten {
        /// Of what.
        #[n(0)]
        key: SeriesKey,
    },
    /// It keeps coming back: its outages are a problem from now on.
    #[n(2)]
    Opened {
        /// The record.
        #[n(0)]
        problem: Box<Problem>,
    },
    /// It came back once more.
    #[n(3)]
    Attached {
        /// The problem.
        #[n(0)]
        id: ProblemId,
        /// The outage.
        #[n(1)]
        outage: Outage,
    },
    /// It went to another state.
    #[n(4)]
    Moved {
        /// The problem.
        #[n(0)]
        id: ProblemId,
        /// Where to.
        #[n(1)]
        to: ProblemState,
        /// Why.
        #[n(2)]
        because: Because,
    },
    /// It was given to somebody.
    #[n(5)]
    Assigned {
        /// The problem.
        #[n(0)]
        id: ProblemId,
        /// To whom.
        #[n(1)]
        to: String,
        /// Why.
        #[n(2)]
        because: Because,
    },
    /// Somebody wrote something down.
    #[n(6)]
    Noted {
        /// The problem.
        #[n(0)]
        id: ProblemId,
        /// Who and what.
        #[n(1)]
        because: Because,
    },
    /// Its cause is known, and what helps until it is gone.
    #[n(7)]
    KnownError {
        /// The problem.
        #[n(0)]
        id: ProblemId,
        /// What helps.
        #[n(1)]
        workaround: String,
        /// Who says so.
        #[n(2)]
        because: Because,
    },
    /// It is said to be fixed.
    #[n(8)]
    Resolved {
        /// The problem.
        #[n(0)]
        id: ProblemId,
        /// Who.
        #[n(1)]
        by: String,
        /// Their words.
        #[n(2)]
        words: String,
        /// When it closes, where it stays quiet until then.
        #[n(3)]
        close_at: Time,
    },
    /// It came back after it was said to be fixed.
    #[n(9)]
    FixFailed {
        /// The problem.
        #[n(0)]
        id: ProblemId,
        /// The incident that says so.
        #[n(1)]
        incident: IncidentId,
        /// Where it goes.
        #[n(2)]
        to: ProblemState,
        /// Why.
        #[n(3)]
        because: Because,
    },
    /// It is history.
    #[n(10)]
    Closed {
        /// The problem.
        #[n(0)]
        id: ProblemId,
        /// Why.
        #[n(1)]
        because: Because,
    },
    /// It was the second of the same beside this one: what it knew is this one's.
    #[n(13)]
    TookOver {
        /// The problem.
        #[n(0)]
        id: ProblemId,
        /// The second one as it was.
        #[n(1)]
        other: Box<Problem>,
    },
    /// It was the second of the same, and is closed in favour of the first.
    #[n(14)]
    Merged {
        /// The problem.
        #[n(0)]
        id: ProblemId,
        /// The first one.
        #[n(1)]
        into: ProblemId,
    },
    /// A mail to somebody was planned.
    #[n(11)]
    Told {
        /// The problem.
        #[n(0)]
        id: ProblemId,
        /// To whom and what.
        #[n(1)]
        told: Told,
    },
    /// Nobody was told where somebody should have been.
    #[n(12)]
    NobodyTold {
        /// The problem.
        #[n(0)]
        id: ProblemId,
        /// Why.
        #[n(1)]
        why: String,
    },
}

impl Fact {
    /// The problem it is about; `None`: what is only counted.
    pub fn id(&self) -> Option<ProblemId> {
        match self {
            Fact::Counted { .. } | Fact::Forgotten { .. } => None,
            Fact::Opened { problem } => Some(problem.id),
            Fact::Attached { id, .. }
            | Fact::Moved { id, .. }
            | Fact::Assigned { id, .. }
            | Fact::Noted { id, .. }
            | Fact::KnownError { id, .. }
            | Fact::Resolved { id, .. }
            | Fact::FixFailed { id, .. }
            | Fact::Closed { id, .. }
            | Fact::TookOver { id, .. }
            | Fact::Merged { id, .. }
            | Fact::Told { id, .. }
            | Fact::NobodyTold { id, .. } => Some(*id),
        }
    }

    /// What the problem's timeline says of it.
    pub fn entry(&self, at: Time) -> Option<Entry> {
        let operator = |actor: &String, words: &String| Because::Operator { actor: actor.clone(), words: words.clone() };
        let (what, because) = match self {
            Fact::Counted { .. } | Fact::Forgotten { .. } => return None,
            Fact::Opened { problem } => (format!("opened: {}", problem.title), Some(problem.because.clone())),
            Fact::Attached { outage, .. } => (format!("{} is the same", outage.incident), None),
            Fact::Moved { to, because, .. } => (to.word().replace('_', " "), Some(because.clone())),
            Fact::Assigned { to, because, .. } => (format!("assigned to {to}"), Some(because.clone())),
            Fact::Noted { because, .. } => ("note".to_owned(), Some(because.clone())),
            Fact::KnownError { workaround, because, .. } => {
                (format!("known error, until it is fixed: {workaround}"), Some(because.clone()))
            }
            Fact::Resolved { by, words, .. } => ("resolved".to_owned(), Some(operator(by, words))),
            Fact::FixFailed { incident, because, .. } => (format!("fix failed: {incident}"), Some(because.clone())),
            Fact::Closed { because, .. } => ("closed".to_owned(), Some(because.clone())),
            Fact::TookOver { other, .. } => (format!("{} is merged into this problem: it was opened for the same", other.id), None),
            Fact::Merged { into, .. } => (format!("merged into {into}, which was already open for the same, and closed"), None),
            Fact::Told { told, .. } => (format!("notified {} ({}) by {}", told.address, told.reason, told.rule), None),
            Fact::NobodyTold { why, .. } => (format!("nobody notified: {why}"), None),
        };
        let (actor, because) = match because {
            Some(Because::Operator { actor, words }) => (actor, words),
            Some(because) => ("watchkeeper".to_owned(), because.to_string()),
            None => ("watchkeeper".to_owned(), String::new()),
        };
        Some(Entry { at, what, because, actor })
    }
}

impl Series {
    /// Takes in an outage, and lets go of those that are too old by then.
    pub fn count(&mut self, outage: &Outage, within: Span) {
        self.outages.push(outage.clone());
        self.until = self.until.max(outage.at + within);
        self.outages.retain(|known| known.at + within > outage.at);
    }
}

impl Problem {
    /// Applies a fact about this problem. `at` is the block's time.
    pub fn apply(&mut self, fact: &Fact, at: Time) {
        match fact {
            Fact::Counted { .. } | Fact::Forgotten { .. } | Fact::Opened { .. } => return,
            Fact::Noted { .. } | Fact::NobodyTold { .. } => {}
            Fact::Attached { outage, .. } => {
                self.outages.push(outage.clone());
                self.outage_count += 1;
                if self.outages.len() > limits::PROBLEM_OUTAGES_MAX {
                    self.outages.remove(0);
                }
            }
            Fact::Moved { to, .. } => {
                self.state = *to;
                self.resolved_at = None;
                self.close_at = None;
            }
            Fact::Assigned { to, .. } => self.assignee.clone_from(to),
            Fact::KnownError { workaround, .. } => {
                self.state = ProblemState::KnownError;
                self.workaround.clone_from(workaround);
            }
            Fact::Resolved { by, words, close_at, .. } => {
                self.state = ProblemState::Resolved;
                self.resolved_at = Some(at);
                self.resolved_by.clone_from(by);
                self.resolution.clone_from(words);
                self.close_at = Some(*close_at);
            }
            Fact::FixFailed { to, .. } => {
                self.state = *to;
                self.fixes_failed += 1;
                self.resolved_at = None;
                self.close_at = None;
            }
            Fact::TookOver { other, .. } => self.take_over(other),
            Fact::Closed { .. } | Fact::Merged { .. } => {
                self.state = ProblemState::Closed;
                self.closed_at = Some(at);
                self.close_at = None;
            }
            Fact::Told { told, .. } => match self.told.iter_mut().find(|known| known.address == told.address) {
                Some(known) => known.last_at = Some(told.at),
                None => self.told.push(told.clone()),
            },
        }
        if fact.entry(at).is_some() {
            self.timeline_len += 1;
        }
        self.updated_at = at;
        self.version += 1;
    }

    /// Takes in what a second problem of the same knows: its outages, who was told, and whatever people said where nobody said it of this one.
    fn take_over(&mut self, other: &Problem) {
        let known = other.outages.iter().filter(|outage| self.has(outage.incident)).count();
        self.outage_count += other.outage_count.saturating_sub(u32::try_from(known).unwrap_or(u32::MAX));
        let new: Vec<Outage> = other.outages.iter().filter(|outage| !self.has(outage.incident)).cloned().collect();
        self.outages.extend(new);
        self.outages.sort_by_key(|outage| (outage.at, outage.incident));
        let too_many = self.outages.len().saturating_sub(limits::PROBLEM_OUTAGES_MAX);
        self.outages.drain(..too_many);
        for told in &other.told {
            if !self.told.iter().any(|known| known.address == told.address) {
                self.told.push(told.clone());
            }
        }
        for (mine, theirs) in [(&mut self.assignee, &other.assignee), (&mut self.workaround, &other.workaround)] {
            if mine.is_empty() {
                mine.clone_from(theirs);
            }
        }
        self.fixes_failed += other.fixes_failed;
        if self.state.is_open() && other.state > self.state {
            self.state = other.state;
            self.resolved_at = other.resolved_at;
            self.resolved_by.clone_from(&other.resolved_by);
            self.resolution.clone_from(&other.resolution);
            self.close_at = other.close_at;
        } else if self.close_at.is_some() {
            self.close_at = self.close_at.max(other.close_at);
        }
    }

    /// Whether an incident is one of its outages.
    pub fn has(&self, incident: IncidentId) -> bool {
        self.outages.iter().any(|outage| outage.incident == incident)
    }

    /// How long it was out in all, until `now`.
    pub fn lasted(&self, now: Time) -> Span {
        let lasted = |outage: &Outage| (outage.ended.unwrap_or(now) - outage.at).max(Span::ZERO).0;
        Span(self.outages.iter().map(lasted).sum())
    }
}
