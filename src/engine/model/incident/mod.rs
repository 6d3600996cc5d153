//! Incidents: the record, its members and its timeline. Beside it: what can happen to one, what that changes, and what the timeline says of it.

mod apply;
pub mod clock;
mod fact;
mod timeline;

use minicbor::{Decode, Encode};

use crate::ids::{AlertId, IncidentId, MessageId, ProblemId, Realm};
use crate::input::Says;
use crate::model::alert::CiRef;
use crate::text::Because;
use crate::time::{Span, Time};
use crate::words::{Health, IncidentState, Level, Priority, Reason, Role};

use clock::{Clock, Mark};
pub use fact::Fact;

/// An incident as its row keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Incident {
    /// Its id.
    #[n(0)]
    pub id: IncidentId,
    /// Realm and `group_by` values: what further alerts must share to join.
    #[n(1)]
    pub group: String,
    /// The correlate rule that opened it; it keeps this rule over reloads.
    #[n(2)]
    pub rule: String,
    /// Where it is.
    #[n(3)]
    pub state: IncidentState,
    /// The item at fault.
    #[n(4)]
    pub ci: CiRef,
    /// That item's id as people write it.
    #[n(5)]
    pub item: String,
    /// What is wrong, in a sentence; of the rule's `title` or the alert's name and item.
    #[n(6)]
    pub title: String,
    /// The mail subject, fixed at the first mail; empty before.
    #[n(7)]
    pub subject: String,
    /// Impact.
    #[n(8)]
    pub impact: Level,
    /// Urgency.
    #[n(9)]
    pub urgency: Level,
    /// Priority: the matrix of the two, or what an operator set.
    #[n(10)]
    pub priority: Priority,
    /// The team that owns the item at fault; empty where nobody does.
    #[n(11)]
    pub team: String,
    /// Who has it; empty where nobody does.
    #[n(12)]
    pub assignee: String,
    /// The services it hurts, worst first.
    #[n(13)]
    pub services: Vec<ServiceHit>,
    /// The alert that is its cause, where one was named.
    #[n(14)]
    pub cause: Option<AlertId>,
    /// Why it was opened.
    #[n(15)]
    pub because: Because,
    /// When it was opened.
    #[n(16)]
    pub opened_at: Time,
    /// When its earliest alert began.
    #[n(17)]
    pub began_at: Time,
    /// When a person first said that somebody has it: acknowledged, assigned or held it.
    #[n(18)]
    pub acknowledged_at: Option<Time>,
    /// When it was resolved.
    #[n(19)]
    pub resolved_at: Option<Time>,
    /// When it was closed.
    #[n(20)]
    pub closed_at: Option<Time>,
    /// When it last changed.
    #[n(21)]
    pub updated_at: Time,
    /// When the first mail (or the first after a return) is due; `None` once it went.
    #[n(22)]
    pub notify_at: Option<Time>,
    /// What that mail is: opened, reopened or released.
    #[n(23)]
    pub notify_as: Reason,
    /// When it resolves, where everything has cleared; or reopens, where it was resolved by hand and fires.
    #[n(24)]
    pub settle_at: Option<Time>,
    /// When it closes.
    #[n(25)]
    pub close_at: Option<Time>,
    /// The times of the rule that opened it.
    #[n(26)]
    pub times: Times,
    /// The incident that adopted all its alerts; then it is in no list and sends no mail.
    #[n(27)]
    pub parent: Option<IncidentId>,
    /// The one before it with the same group.
    #[n(28)]
    pub recurrence_of: Option<IncidentId>,
    /// How often it came back.
    #[n(29)]
    pub reopened: u32,
    /// Why it waits; empty where it does not.
    #[n(30)]
    pub hold_reason: String,
    /// Until when it waits at most.
    #[n(31)]
    pub hold_until: Option<Time>,
    /// Who resolved it; empty where it resolved itself.
    #[n(32)]
    pub resolved_by: String,
    /// Their words.
    #[n(33)]
    pub resolution: String,
    /// Alerts that ever belonged to it.
    #[n(34)]
    pub alert_count: u32,
    /// Who was told what, in the order they were first told.
    #[n(35)]
    pub told: Vec<Told>,
    /// How many timeline entries it has.
    #[n(36)]
    pub timeline_len: u32,
    /// Whether all that fires in it is muted: then it sends no mail.
    #[n(37)]
    pub muted: bool,
    /// Counts every change: the ETag.
    #[n(38)]
    pub version: u64,
    /// Realm.
    #[n(39)]
    pub realm: Realm,
    /// Where to read what to do, or empty.
    #[n(40)]
    pub runbook: String,
    /// Whether an operator set the priority; then nothing else does.
    #[n(41)]
    pub priority_by_hand: bool,
    /// When symptoms that still fire are given back, because their cause cleared.
    #[n(42)]
    pub release_at: Option<Time>,
    /// When it last came back. What had cleared before that does not resolve it: who reopened it by hand says that it is not over.
    #[n(43)]
    pub reopened_at: Option<Time>,
    /// What moved its SLA clocks.
    #[n(44)]
    #[cbor(default)]
    pub log: Vec<Mark>,
    /// Its SLA clocks, in the order they were attached.
    #[n(45)]
    #[cbor(default)]
    pub clocks: Vec<Clock>,
    /// When the next share of a clock's time is used up.
    #[n(46)]
    pub clock_at: Option<Time>,
    /// What it was before that.
    #[n(47)]
    pub earlier: Option<Earlier>,
    /// The problem that it is an outage of; the first, where there are several.
    #[n(48)]
    pub problem: Option<ProblemId>,
    /// What sources said of it in words.
    #[n(49)]
    #[cbor(default)]
    pub source_said: SourceWords,
}

/// What a source passed on of what was said there.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SourceSaid {
    /// The source.
    #[n(0)]
    pub source: String,
    /// Of which alert.
    #[n(1)]
    pub alert: AlertId,
    /// What.
    #[n(2)]
    pub says: Says,
}

/// What sources said of an incident: the last, so that a repeat writes nothing, and how often they said something, so that they end somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct SourceWords {
    /// The last; none before the first.
    #[n(0)]
    pub last: Vec<SourceSaid>,
    /// How many there were.
    #[n(1)]
    pub count: u32,
}

/// The times of the rule that opened an incident: it keeps them over reloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Times {
    /// `join_within`.
    #[n(0)]
    pub join_within: Span,
    /// `resolve_after`.
    #[n(1)]
    pub resolve_after: Span,
    /// `reopen_within`.
    #[n(2)]
    pub reopen_within: Span,
    /// `close_after`.
    #[n(3)]
    pub close_after: Span,
    /// `group_wait`.
    #[n(4)]
    pub group_wait: Span,
}

/// A service that an incident hurts.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ServiceHit {
    /// Its id.
    #[n(0)]
    pub id: String,
    /// Its tier, or empty.
    #[n(1)]
    pub tier: String,
    /// How it is.
    #[n(2)]
    pub health: Health,
}

/// That somebody was told.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Told {
    /// The address.
    #[n(0)]
    pub address: String,
    /// What first.
    #[n(1)]
    pub reason: Reason,
    /// When.
    #[n(2)]
    pub at: Time,
    /// By which notify rule.
    #[n(3)]
    pub rule: String,
    /// Their first message of this thread.
    #[n(4)]
    pub first: MessageId,
    /// The subject of their thread; `None`: the incident's.
    #[n(5)]
    pub subject: Option<String>,
    /// The team whose list and zone their thread belongs to.
    #[n(6)]
    pub team: Option<String>,
    /// When last; `None`: not since.
    #[n(7)]
    pub last_at: Option<Time>,
}

/// What an incident was before it last came back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct Earlier {
    /// How long it was open in all.
    #[n(0)]
    pub lasted: Span,
    /// How long it took until somebody first had it; `None` where nobody did.
    #[n(1)]
    pub acknowledged_after: Option<Span>,
}

/// An alert in an incident, now or once.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Member {
    /// The incident.
    #[n(0)]
    pub incident: IncidentId,
    /// The alert.
    #[n(1)]
    pub alert: AlertId,
    /// What it is there.
    #[n(2)]
    pub role: Role,
    /// Since when.
    #[n(3)]
    pub joined_at: Time,
    /// Until when, where it left.
    #[n(4)]
    pub left_at: Option<Time>,
    /// Why it is there, or why it left.
    #[n(5)]
    pub because: Because,
    /// The alert's name, for when the alert is forgotten.
    #[n(6)]
    pub name: String,
    /// The alert's item.
    #[n(7)]
    pub item: String,
}

/// One entry of a timeline.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Entry {
    /// When.
    #[n(0)]
    pub at: Time,
    /// What, in a sentence without a subject: `opened`, `told ops@example.org (opened)`.
    #[n(1)]
    pub what: String,
    /// Why; empty where there is nothing to add.
    #[n(2)]
    pub because: String,
    /// Who: a name, or `watchkeeper`.
    #[n(3)]
    pub actor: String,
}

impl Incident {
    /// Whether it stands in lists: open, and not a child.
    pub fn is_open(&self) -> bool {
        self.state.is_open() && self.parent.is_none()
    }

    /// Since when it is so: since its earliest alert began, or since it last came back.
    pub fn since(&self) -> Time {
        self.reopened_at.unwrap_or(self.began_at.min(self.opened_at))
    }

    /// How long it was open until `until`: from when its earliest alert began, without the times between a resolution and a return.
    pub fn lasted(&self, until: Time) -> Span {
        let before = self.earlier.as_ref().map_or(Span::ZERO, |earlier| earlier.lasted);
        Span(before.0 + (until - self.since()).0.max(0))
    }
}

impl Told {
    /// Whether they were told that it is there, and not only in a list or that their items hang off it.
    pub fn is_of_its_own(&self) -> bool {
        !matches!(self.reason, Reason::Digest | Reason::Affected)
    }

    /// When they last heard of it.
    pub fn heard_at(&self) -> Time {
        self.last_at.unwrap_or(self.at)
    }
}
