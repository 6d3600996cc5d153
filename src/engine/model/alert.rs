//! Alerts: one record a fingerprint, its vitals beside it, and Alertmanager's rule for merging what sources say.

use std::borrow::Cow;

use minicbor::{Decode, Encode};
use serde::Serialize;

use crate::ids::{AlertId, CiNo, IncidentId, Realm, Slot, SourceNo};
use crate::input::{AlertInput, Refused};
use crate::limits;
use crate::text::{Because, Labels};
use crate::time::{Span, Time};
use crate::words::{AlertState, Explains, Level, Means, Role, Severity};

/// An alert as its row keeps it. What every repeat changes is in [`Vitals`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Alert {
    /// Its id.
    #[n(0)]
    pub id: AlertId,
    /// Its place in memory and on a vitals page.
    #[n(1)]
    pub slot: Slot,
    /// Its realm.
    #[n(2)]
    pub realm: Realm,
    /// The first source that said it.
    #[n(3)]
    pub source: SourceNo,
    /// The sender's own key, or empty.
    #[n(4)]
    pub key: String,
    /// Its name.
    #[n(5)]
    pub name: String,
    /// How bad, as last said.
    #[n(6)]
    pub severity: Severity,
    /// Its labels.
    #[n(7)]
    pub labels: Labels,
    /// Summary, annotations and whatever else a repeat may bring anew.
    #[n(8)]
    pub said: Said,
    /// Where it is.
    #[n(9)]
    pub state: AlertState,
    /// How often it began to fire, this time included.
    #[n(10)]
    pub occurrence: u32,
    /// When it was first heard of, in any occurrence.
    #[n(11)]
    pub first_seen: Time,
    /// When this occurrence began, as the senders say, but not after it was heard.
    #[n(12)]
    pub started_at: Time,
    /// When it was believed to have cleared.
    #[n(13)]
    pub cleared_at: Option<Time>,
    /// When its rule's `for` is over.
    #[n(14)]
    pub judge_at: Option<Time>,
    /// Its item.
    #[n(15)]
    pub ci: CiRef,
    /// The correlate rule that matched, or empty before it was judged.
    #[n(16)]
    pub rule: String,
    /// What it does to its item.
    #[n(17)]
    pub means: Means,
    /// What it explains.
    #[n(18)]
    pub explains: Explains,
    /// Its urgency by rule or severity.
    #[n(19)]
    pub urgency: Level,
    /// The incident it is attached to, or was when it cleared.
    #[n(20)]
    pub incident: Option<IncidentId>,
    /// What it is there.
    #[n(21)]
    pub role: Role,
    /// The incident it had of its own before a cause adopted it: a release gives it back.
    #[n(22)]
    pub own_incident: Option<IncidentId>,
    /// The last judgement, step by step: what `explain` prints for as long as the row lives.
    #[n(23)]
    pub judgement: Vec<Judged>,
    /// What mutes it; empty where nothing does.
    #[n(24)]
    pub muted_by: Vec<Because>,
    /// Whether an operator took it out of the incident of its cause: then no cause is sought until it has cleared.
    #[n(25)]
    pub detached: bool,
    /// When it is looked at again, where one batch could not.
    #[n(26)]
    pub rejudge_at: Option<Time>,
    /// When its row goes to the past, unless it fires again.
    #[n(27)]
    pub forget_at: Option<Time>,
    /// Counts every change but repeats: the ETag.
    #[n(28)]
    pub version: u64,
    /// How long after it was last heard it clears, where its rule says that its sender never does.
    #[n(29)]
    pub expire_after: Option<Span>,
    /// The silence rules that its last judgement read: those that hold of it, open or not. When one begins or ends, it is judged again.
    #[n(30)]
    #[cbor(default)]
    pub reads: Vec<String>,
}

/// What a sender says beside the identity; a repeat that brings the same again changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct Said {
    /// One line of what is wrong.
    #[n(0)]
    pub summary: String,
    /// The annotations.
    #[n(1)]
    pub annotations: Labels,
    /// Where the sender shows it.
    #[n(2)]
    pub url: String,
    /// The measured value.
    #[n(3)]
    pub value: String,
}

/// One step of a judgement: what was looked at, and why it came out so.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Judged {
    /// When.
    #[n(0)]
    pub at: Time,
    /// What: `identified`, `rule`, `muted`, `attached`, ….
    #[n(1)]
    pub what: Cow<'static, str>,
    /// With which outcome: the item, the rule, the incident.
    #[n(2)]
    pub outcome: Box<str>,
    /// Why, or empty where the outcome says it.
    #[n(3)]
    pub because: Box<str>,
}

/// An alert's item.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum CiRef {
    /// In the CMDB.
    #[n(0)]
    Known(#[n(0)] CiNo),
    /// Not in the CMDB: the first value it was looked up by, else the alert's name.
    #[n(1)]
    Unknown(#[n(0)] String),
}

impl CiRef {
    /// The number of a known item.
    pub const fn known(&self) -> Option<CiNo> {
        match self {
            CiRef::Known(no) => Some(*no),
            CiRef::Unknown(_) => None,
        }
    }
}

/// What every repeat changes; kept on pages of 128, so that a repeat writes no row.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct Vitals {
    /// How often it was heard, over all occurrences.
    #[n(0)]
    pub count: u64,
    /// When it was last heard.
    #[n(1)]
    pub last_seen: Time,
    /// What each source says, at most [`limits::ALERT_SOURCES_MAX`].
    #[n(2)]
    pub sources: Vec<SourceSays>,
    /// What the last repeat said anew, where it differs from the row.
    #[n(3)]
    pub said: Option<Said>,
}

/// When one source says that an alert fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct SourceSays {
    /// The source.
    #[n(0)]
    pub source: SourceNo,
    /// From.
    #[n(1)]
    pub starts_at: Time,
    /// Until; in the past where the source says that it is over.
    #[n(2)]
    pub ends_at: Time,
    /// Whether `ends_at` is only our resolve timeout.
    #[n(3)]
    pub timeout: bool,
    /// When the source said so.
    #[n(4)]
    pub updated_at: Time,
}

impl SourceSays {
    /// What an input says, with Alertmanager's defaults: a missing start is the end or now, a missing end is now plus the resolve timeout.
    pub fn of(input: &AlertInput, source: SourceNo, now: Time) -> SourceSays {
        let given_end = match input.ends_at {
            None if input.resolved => Some(now),
            given => given,
        };
        let starts_at = input.starts_at.or(input.ends_at.filter(|end| *end != Time::NEVER)).unwrap_or(now);
        SourceSays {
            source,
            starts_at,
            ends_at: given_end.unwrap_or(now + limits::RESOLVE_TIMEOUT),
            timeout: given_end.is_none(),
            updated_at: now,
        }
    }

    /// Whether the source still says at `now` that it fires.
    pub fn fires(&self, now: Time) -> bool {
        self.ends_at > now
    }

    /// What the source says after `newer`, as Alertmanager merges: overlapping windows become one, others are a new occurrence.
    ///
    /// Source: `provider/mem/mem.go` (Put) and `types.go` (Merge) of Prometheus Alertmanager 0.27.
    pub fn merged(self, newer: SourceSays) -> SourceSays {
        let overlaps = (newer.ends_at > self.starts_at && newer.ends_at < self.ends_at)
            || (newer.starts_at > self.starts_at && newer.starts_at < self.ends_at);
        if !overlaps {
            return newer;
        }
        let older_end_rules = if newer.fires(newer.updated_at) {
            !self.timeout && self.ends_at > newer.ends_at
        } else {
            !self.fires(newer.updated_at) && self.ends_at > newer.ends_at
        };
        SourceSays {
            starts_at: self.starts_at.min(newer.starts_at),
            ends_at: if older_end_rules { self.ends_at } else { newer.ends_at },
            ..newer
        }
    }
}

impl Vitals {
    /// What `source` says, if it ever said anything.
    pub fn says(&self, source: SourceNo) -> Option<&SourceSays> {
        self.sources.iter().find(|says| says.source == source)
    }

    /// When the last source stops saying that it fires, or `expire_after` it was last heard, whichever is sooner.
    pub fn ends_at(&self, grace: Grace, expire_after: Option<Span>) -> Time {
        let end = self.sources.iter().map(|says| grace.end(says)).max().unwrap_or_default();
        expire_after.map_or(end, |span| end.min(self.last_seen + span))
    }
}

/// After a start, an end that passed while the daemon was down waits one resolve timeout for a refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
pub struct Grace {
    /// The last moment before the daemon went down.
    #[n(0)]
    pub down_since: Time,
    /// Until when unrefreshed ends wait.
    #[n(1)]
    pub until: Time,
}

impl Grace {
    /// When `says` ends, the grace considered: only an end that nobody said explicitly and that fell into the time down waits.
    pub fn end(self, says: &SourceSays) -> Time {
        let said_over = says.ends_at <= says.updated_at;
        let passed_while_down = says.ends_at > self.down_since && says.updated_at <= self.down_since;
        if !said_over && passed_while_down { says.ends_at.max(self.until) } else { says.ends_at }
    }
}

/// What happened to an alert. Indices are never reused; new fields are optional.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Fact {
    /// First heard of, and it fires.
    #[n(0)]
    Opened {
        /// The record.
        #[n(0)]
        alert: Box<Alert>,
        /// What the source says.
        #[n(1)]
        says: SourceSays,
    },
    /// Heard again. The only fact that writes no row: input and fact in one.
    #[n(1)]
    Seen {
        /// Which.
        #[n(0)]
        id: AlertId,
        /// What the source says, merged.
        #[n(1)]
        says: SourceSays,
        /// What it says anew beside that.
        #[n(2)]
        said: Option<Said>,
    },
    /// It fires again after it had cleared.
    #[n(2)]
    Refired {
        /// Which.
        #[n(0)]
        id: AlertId,
        /// Since when.
        #[n(1)]
        started_at: Time,
    },
    /// The sender gives another severity.
    #[n(3)]
    SeverityChanged {
        /// Which.
        #[n(0)]
        id: AlertId,
        /// The new one.
        #[n(1)]
        severity: Severity,
    },
    /// Identified and matched; it waits for its rule's `for` where `judge_at` is in the future.
    #[n(4)]
    Matched {
        /// Which.
        #[n(0)]
        id: AlertId,
        /// Its item.
        #[n(1)]
        ci: CiRef,
        /// The rule.
        #[n(2)]
        rule: String,
        /// What it does to its item.
        #[n(3)]
        means: Means,
        /// What it explains.
        #[n(4)]
        explains: Explains,
        /// Its urgency.
        #[n(5)]
        urgency: Level,
        /// When `for` is over, where it has one.
        #[n(6)]
        judge_at: Option<Time>,
        /// The steps so far.
        #[n(7)]
        steps: Vec<Judged>,
        /// When it clears without being heard.
        #[n(8)]
        expire_after: Option<Span>,
    },
    /// Judged: it fires, is suppressed, or is only recorded.
    #[n(5)]
    Judged {
        /// Which.
        #[n(0)]
        id: AlertId,
        /// Where it is now.
        #[n(1)]
        state: AlertState,
        /// What mutes it.
        #[n(2)]
        muted_by: Vec<Because>,
        /// The steps of this part, added to the judgement.
        #[n(3)]
        steps: Vec<Judged>,
        /// The silence rules it read; `None`: those it read before.
        #[n(4)]
        reads: Option<Vec<String>>,
    },
    /// No source says any more that it fires.
    #[n(6)]
    Cleared {
        /// Which.
        #[n(0)]
        id: AlertId,
        /// Why that is believed.
        #[n(1)]
        because: Because,
        /// When the row goes to the past, where it is in no live incident.
        #[n(2)]
        forget_at: Option<Time>,
    },
    /// An operator took it out of the incident of its cause.
    #[n(7)]
    SetApart {
        /// Which.
        #[n(0)]
        id: AlertId,
    },
    /// It is looked at again at a later moment.
    #[n(8)]
    RejudgeArmed {
        /// Which.
        #[n(0)]
        id: AlertId,
        /// When.
        #[n(1)]
        at: Option<Time>,
    },
    /// Its row went to the past.
    #[n(9)]
    Forgotten {
        /// Which.
        #[n(0)]
        id: AlertId,
    },
    /// An input was refused; nothing else remembers it.
    #[n(10)]
    Rejected {
        /// From which source.
        #[n(0)]
        source: String,
        /// Why.
        #[n(1)]
        refused: Refused,
    },
    /// An input said that something is over of which nothing was known.
    #[n(11)]
    OverBeforeKnown {
        /// From which source.
        #[n(0)]
        source: String,
        /// The alert's name.
        #[n(1)]
        name: String,
    },
    /// It is kept until its incident is closed, or forgotten at a time.
    #[n(12)]
    ForgetArmed {
        /// Which.
        #[n(0)]
        id: AlertId,
        /// When.
        #[n(1)]
        at: Option<Time>,
    },
}

impl Said {
    /// What an input says.
    pub fn by(input: &AlertInput) -> Said {
        Said { summary: input.summary.clone(), annotations: input.annotations.clone(), url: input.url.clone(), value: input.value.clone() }
    }
}

impl Alert {
    /// The record of an alert that was heard for the first time, before it was judged.
    pub fn heard(id: AlertId, slot: Slot, input: &AlertInput, says: SourceSays, now: Time) -> Alert {
        Alert {
            id,
            slot,
            realm: input.realm.clone(),
            source: says.source,
            key: input.key.clone(),
            name: input.name.clone(),
            severity: input.severity,
            labels: input.labels.clone(),
            said: Said::by(input),
            state: AlertState::Pending,
            occurrence: 1,
            first_seen: now,
            started_at: says.starts_at.min(now),
            cleared_at: None,
            judge_at: None,
            ci: CiRef::Unknown(String::new()),
            rule: String::new(),
            means: Means::Nothing,
            explains: Explains::Nothing,
            urgency: Level::Low,
            incident: None,
            role: Role::Member,
            own_incident: None,
            judgement: Vec::new(),
            muted_by: Vec::new(),
            detached: false,
            rejudge_at: None,
            forget_at: None,
            version: 1,
            expire_after: None,
            reads: Vec::new(),
        }
    }

    /// Applies a fact about this alert, all but the incident's side of it. `at` is the block's time.
    pub fn apply(&mut self, fact: &Fact, at: Time) {
        match fact {
            Fact::Refired { started_at, .. } => {
                self.occurrence += 1;
                self.started_at = *started_at;
                self.cleared_at = None;
                self.forget_at = None;
                self.detached = false;
                self.state = AlertState::Pending;
                self.muted_by.clear();
            }
            Fact::SeverityChanged { severity, .. } => self.severity = *severity,
            Fact::Matched { ci, rule, means, explains, urgency, judge_at, steps, expire_after, .. } => {
                self.expire_after = *expire_after;
                self.ci = ci.clone();
                self.rule.clone_from(rule);
                self.means = *means;
                self.explains = *explains;
                self.urgency = *urgency;
                self.judge_at = *judge_at;
                self.judgement.clone_from(steps);
                if judge_at.is_some() {
                    self.state = AlertState::Pending;
                }
            }
            Fact::Judged { state, muted_by, steps, reads, .. } => {
                if let Some(reads) = reads {
                    self.reads.clone_from(reads);
                }
                self.state = *state;
                self.judge_at = None;
                self.rejudge_at = None;
                self.muted_by.clone_from(muted_by);
                self.judgement.extend(steps.iter().cloned());
                let surplus = self.judgement.len().saturating_sub(limits::JUDGEMENT_STEPS_MAX);
                self.judgement.drain(..surplus);
            }
            Fact::Cleared { because, forget_at, .. } => {
                self.state = AlertState::Cleared;
                self.cleared_at = Some(at);
                self.judge_at = None;
                self.rejudge_at = None;
                self.forget_at = *forget_at;
                self.judgement.push(Judged { at, what: "cleared".into(), outcome: "".into(), because: because.to_string().into() });
            }
            Fact::SetApart { .. } => self.detached = true,
            Fact::RejudgeArmed { at, .. } => self.rejudge_at = *at,
            Fact::ForgetArmed { at, .. } => self.forget_at = *at,
            Fact::Opened { .. } | Fact::Seen { .. } | Fact::Forgotten { .. } | Fact::Rejected { .. } | Fact::OverBeforeKnown { .. } => {
                return;
            }
        }
        self.version += 1;
    }

    /// Whether some source says that it fires, muted or not.
    pub fn is_active(&self) -> bool {
        self.state != AlertState::Cleared
    }
}

impl Vitals {
    /// Takes in what a source says.
    pub fn hear(&mut self, says: SourceSays, said: Option<&Said>) {
        self.count += 1;
        self.last_seen = self.last_seen.max(says.updated_at);
        let full = self.sources.len() >= limits::ALERT_SOURCES_MAX;
        match self.sources.iter().position(|known| known.source == says.source) {
            Some(at) => self.sources[at] = says,
            None if full => self.sources[limits::ALERT_SOURCES_MAX - 1] = says,
            None => self.sources.push(says),
        }
        if let Some(said) = said {
            self.said = Some(said.clone());
        }
    }
}
