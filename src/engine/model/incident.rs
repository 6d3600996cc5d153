//! Incidents: the record, its members and its timeline, and what can happen to one.

use minicbor::{Decode, Encode};

use crate::ids::{AlertId, IncidentId, MessageId};
use crate::model::alert::CiRef;
use crate::text::Because;
use crate::time::{Span, Time};
use crate::words::{Health, IncidentState, Level, Priority, Reason, Role};

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
    /// When somebody first said that they have it.
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
    pub realm: String,
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

/// What happened to an incident. Indices are never reused; new fields are optional.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Fact {
    /// It was opened.
    #[n(0)]
    Opened {
        /// The record.
        #[n(0)]
        incident: Box<Incident>,
    },
    /// An alert is in it.
    #[n(1)]
    Attached {
        /// The membership.
        #[n(0)]
        member: Member,
    },
    /// An alert left it for another.
    #[n(2)]
    Detached {
        /// The incident.
        #[n(0)]
        id: IncidentId,
        /// The alert.
        #[n(1)]
        alert: AlertId,
        /// Why.
        #[n(2)]
        because: Because,
    },
    /// All its alerts belong to another incident, whose child it is.
    #[n(3)]
    Emptied {
        /// The incident.
        #[n(0)]
        id: IncidentId,
        /// The adopter.
        #[n(1)]
        by: IncidentId,
    },
    /// It has alerts of its own again.
    #[n(4)]
    GivenBack {
        /// The incident.
        #[n(0)]
        id: IncidentId,
        /// Why.
        #[n(1)]
        because: Because,
        /// When its mail is due.
        #[n(2)]
        notify_at: Time,
    },
    /// Its cause, item, title or team were named anew.
    #[n(5)]
    CauseNamed {
        /// The incident.
        #[n(0)]
        id: IncidentId,
        /// The alert.
        #[n(1)]
        cause: Option<AlertId>,
        /// The item.
        #[n(2)]
        ci: CiRef,
        /// Its id.
        #[n(3)]
        item: String,
        /// The title.
        #[n(4)]
        title: String,
        /// The team.
        #[n(5)]
        team: String,
        /// Why.
        #[n(6)]
        because: Because,
    },
    /// Impact, urgency, priority or the services it hurts changed.
    #[n(6)]
    Rated {
        /// The incident.
        #[n(0)]
        id: IncidentId,
        /// Impact.
        #[n(1)]
        impact: Level,
        /// Urgency.
        #[n(2)]
        urgency: Level,
        /// Priority.
        #[n(3)]
        priority: Priority,
        /// Services.
        #[n(4)]
        services: Vec<ServiceHit>,
        /// Why.
        #[n(5)]
        because: Because,
        /// Whether an operator set it.
        #[n(6)]
        by_hand: bool,
    },
    /// An operator moved it: acknowledged, in progress, resumed.
    #[n(7)]
    Moved {
        /// The incident.
        #[n(0)]
        id: IncidentId,
        /// Where to.
        #[n(1)]
        to: IncidentState,
        /// Why.
        #[n(2)]
        because: Because,
    },
    /// It was given to somebody.
    #[n(8)]
    Assigned {
        /// The incident.
        #[n(0)]
        id: IncidentId,
        /// To whom.
        #[n(1)]
        to: String,
        /// Why.
        #[n(2)]
        because: Because,
    },
    /// Somebody wrote something down.
    #[n(9)]
    Noted {
        /// The incident.
        #[n(0)]
        id: IncidentId,
        /// Who and what.
        #[n(1)]
        because: Because,
    },
    /// It waits.
    #[n(10)]
    Held {
        /// The incident.
        #[n(0)]
        id: IncidentId,
        /// For what.
        #[n(1)]
        reason: String,
        /// Until when at most.
        #[n(2)]
        until: Option<Time>,
        /// Who said so.
        #[n(3)]
        because: Because,
    },
    /// It is over.
    #[n(11)]
    Resolved {
        /// The incident.
        #[n(0)]
        id: IncidentId,
        /// Why.
        #[n(1)]
        because: Because,
        /// Who, or empty where it resolved itself.
        #[n(2)]
        by: String,
        /// Their words.
        #[n(3)]
        words: String,
        /// When it reopens by itself, where something still fires.
        #[n(4)]
        settle_at: Option<Time>,
        /// When it closes.
        #[n(5)]
        close_at: Time,
    },
    /// It came back.
    #[n(12)]
    Reopened {
        /// The incident.
        #[n(0)]
        id: IncidentId,
        /// Why.
        #[n(1)]
        because: Because,
        /// When its mail is due.
        #[n(2)]
        notify_at: Time,
    },
    /// It is history.
    #[n(13)]
    Closed {
        /// The incident.
        #[n(0)]
        id: IncidentId,
        /// Why.
        #[n(1)]
        because: Because,
    },
    /// Its quiet time began or was broken.
    #[n(14)]
    SettleArmed {
        /// The incident.
        #[n(0)]
        id: IncidentId,
        /// When it settles.
        #[n(1)]
        at: Option<Time>,
    },
    /// Its first mail waits longer, or went.
    #[n(15)]
    NotifyArmed {
        /// The incident.
        #[n(0)]
        id: IncidentId,
        /// When it is due; `None`: it went.
        #[n(1)]
        at: Option<Time>,
        /// Its subject, from then on.
        #[n(2)]
        subject: String,
    },
    /// A mail to somebody was planned.
    #[n(16)]
    Told {
        /// The incident.
        #[n(0)]
        id: IncidentId,
        /// To whom and what.
        #[n(1)]
        told: Told,
    },
    /// Everything that fires in it became muted, or no longer is.
    #[n(17)]
    Muted {
        /// The incident.
        #[n(0)]
        id: IncidentId,
        /// Whether it is.
        #[n(1)]
        muted: bool,
    },
    /// It hurts other services than before.
    #[n(19)]
    Hurts {
        /// The incident.
        #[n(0)]
        id: IncidentId,
        /// The services, worst first.
        #[n(1)]
        services: Vec<ServiceHit>,
    },
    /// Its cause cleared, or fires again.
    #[n(20)]
    ReleaseArmed {
        /// The incident.
        #[n(0)]
        id: IncidentId,
        /// When symptoms are given back.
        #[n(1)]
        at: Option<Time>,
    },
    /// Nobody was told where somebody should have been.
    #[n(18)]
    NobodyTold {
        /// The incident.
        #[n(0)]
        id: IncidentId,
        /// Why.
        #[n(1)]
        why: String,
    },
}

impl Fact {
    /// The incident it is about.
    pub fn id(&self) -> IncidentId {
        match self {
            Fact::Opened { incident } => incident.id,
            Fact::Attached { member } => member.incident,
            Fact::Detached { id, .. }
            | Fact::Emptied { id, .. }
            | Fact::GivenBack { id, .. }
            | Fact::CauseNamed { id, .. }
            | Fact::Rated { id, .. }
            | Fact::Moved { id, .. }
            | Fact::Assigned { id, .. }
            | Fact::Noted { id, .. }
            | Fact::Held { id, .. }
            | Fact::Resolved { id, .. }
            | Fact::Reopened { id, .. }
            | Fact::Closed { id, .. }
            | Fact::SettleArmed { id, .. }
            | Fact::NotifyArmed { id, .. }
            | Fact::Told { id, .. }
            | Fact::Muted { id, .. }
            | Fact::NobodyTold { id, .. }
            | Fact::Hurts { id, .. }
            | Fact::ReleaseArmed { id, .. } => *id,
        }
    }
}

impl Incident {
    /// Applies a fact about this incident. `at` is the block's time.
    pub fn apply(&mut self, fact: &Fact, at: Time) {
        match fact {
            Fact::Opened { .. } => return,
            Fact::Attached { .. } => self.alert_count += 1,
            Fact::Detached { .. } | Fact::Noted { .. } | Fact::NobodyTold { .. } => {}
            Fact::Emptied { by, .. } => {
                self.parent = Some(*by);
                self.notify_at = None;
                self.settle_at = None;
            }
            Fact::GivenBack { notify_at, .. } => {
                self.parent = None;
                self.notify_at = Some(*notify_at);
                self.notify_as = Reason::Released;
            }
            Fact::CauseNamed { cause, ci, item, title, team, because, .. } => {
                self.cause = *cause;
                self.ci = ci.clone();
                self.item.clone_from(item);
                self.title.clone_from(title);
                self.team.clone_from(team);
                self.because = because.clone();
            }
            Fact::Rated { impact, urgency, priority, services, by_hand, .. } => {
                self.impact = *impact;
                self.urgency = *urgency;
                self.priority = *priority;
                self.services.clone_from(services);
                self.priority_by_hand = *by_hand;
            }
            Fact::Moved { to, .. } => {
                self.state = *to;
                self.hold_reason.clear();
                self.hold_until = None;
                self.acknowledged_at.get_or_insert(at);
            }
            Fact::Assigned { to, .. } => {
                self.assignee.clone_from(to);
                self.acknowledged_at.get_or_insert(at);
            }
            Fact::Held { reason, until, .. } => {
                self.state = IncidentState::OnHold;
                self.hold_reason.clone_from(reason);
                self.hold_until = *until;
                self.acknowledged_at.get_or_insert(at);
            }
            Fact::Resolved { by, words, settle_at, close_at, .. } => {
                self.state = IncidentState::Resolved;
                self.resolved_at = Some(at);
                self.resolved_by.clone_from(by);
                self.resolution.clone_from(words);
                self.settle_at = *settle_at;
                self.close_at = Some(*close_at);
                self.hold_reason.clear();
                self.hold_until = None;
            }
            Fact::Reopened { notify_at, .. } => {
                self.state = IncidentState::New;
                self.reopened += 1;
                self.reopened_at = Some(at);
                self.acknowledged_at = None;
                self.assignee.clear();
                self.resolved_at = None;
                self.resolved_by.clear();
                self.resolution.clear();
                self.settle_at = None;
                self.close_at = None;
                self.notify_at = Some(*notify_at);
                self.notify_as = Reason::Reopened;
            }
            Fact::Closed { .. } => {
                self.state = IncidentState::Closed;
                self.closed_at = Some(at);
                self.close_at = None;
                self.settle_at = None;
                self.notify_at = None;
            }
            Fact::SettleArmed { at, .. } => self.settle_at = *at,
            Fact::NotifyArmed { at, subject, .. } => {
                self.notify_at = *at;
                self.subject.clone_from(subject);
            }
            Fact::Told { told, .. } => {
                match self.told.iter_mut().find(|known| known.address == told.address) {
                    // Folded into a morning's list is not told: the first mail of their own counts.
                    Some(known) if known.reason == Reason::Digest => *known = told.clone(),
                    Some(_) => {}
                    None => self.told.push(told.clone()),
                }
            }
            Fact::Muted { muted, .. } => self.muted = *muted,
            Fact::Hurts { services, .. } => self.services.clone_from(services),
            Fact::ReleaseArmed { at, .. } => self.release_at = *at,
        }
        if fact.entry(at).is_some() {
            self.timeline_len += 1;
            self.updated_at = at;
        }
        self.version += 1;
    }

    /// Whether it stands in lists: open, and not a child.
    pub fn is_open(&self) -> bool {
        self.state.is_open() && self.parent.is_none()
    }
}
