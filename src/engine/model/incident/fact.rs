//! What can happen to an incident: one variant each, kept in blocks.

use minicbor::{Decode, Encode};

use super::clock::{Clock, Reached};
use super::{Incident, Member, ServiceHit, SourceSaid, Told};
use crate::ids::{AlertId, IncidentId, ProblemId};
use crate::model::alert::CiRef;
use crate::text::Because;
use crate::time::Time;
use crate::words::{IncidentState, Level, Priority};

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
    /// An SLA measures it from now on.
    #[n(21)]
    ClockAttached {
        /// The incident.
        #[n(0)]
        id: IncidentId,
        /// The clock.
        #[n(1)]
        clock: Box<Clock>,
    },
    /// So much of a promise's time was used up.
    #[n(22)]
    ClockReached {
        /// The incident.
        #[n(0)]
        id: IncidentId,
        /// The SLA.
        #[n(1)]
        name: String,
        /// Of which promise, which shares and when; the largest last.
        #[n(2)]
        reached: Vec<Reached>,
    },
    /// The next share is used up at another moment.
    #[n(23)]
    ClockArmed {
        /// The incident.
        #[n(0)]
        id: IncidentId,
        /// When; `None`: none runs.
        #[n(1)]
        at: Option<Time>,
    },
    /// It adopted what began before it: its clocks count from there.
    #[n(24)]
    Backdated {
        /// The incident.
        #[n(0)]
        id: IncidentId,
        /// Since when they count.
        #[n(1)]
        to: Time,
    },
    /// No timer was armed for what its SLA clocks use up, or for too late: a sweep found it.
    #[n(25)]
    ClockMissed {
        /// The incident.
        #[n(0)]
        id: IncidentId,
        /// When it should have been looked at.
        #[n(1)]
        due_at: Time,
        /// When it would have been; `None`: never.
        #[n(2)]
        armed_for: Option<Time>,
    },
    /// It is an outage of a problem.
    #[n(26)]
    Linked {
        /// The incident.
        #[n(0)]
        id: IncidentId,
        /// The problem.
        #[n(1)]
        problem: ProblemId,
    },
    /// A source passed on what was said there of one of its alerts.
    #[n(27)]
    SourceSaid {
        /// The incident.
        #[n(0)]
        id: IncidentId,
        /// What was said, and by which source.
        #[n(1)]
        said: SourceSaid,
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
    /// Whether it changes what a rating or a condition looks at, beside the counts of its alerts, its age and its clocks.
    pub fn changes_view(&self) -> bool {
        match self {
            Fact::Opened { .. }
            | Fact::Emptied { .. }
            | Fact::GivenBack { .. }
            | Fact::CauseNamed { .. }
            | Fact::Rated { .. }
            | Fact::Moved { .. }
            | Fact::Assigned { .. }
            | Fact::Held { .. }
            | Fact::Resolved { .. }
            | Fact::Reopened { .. }
            | Fact::Muted { .. }
            | Fact::Hurts { .. }
            | Fact::Linked { .. } => true,
            Fact::Attached { .. }
            | Fact::Detached { .. }
            | Fact::Noted { .. }
            | Fact::Closed { .. }
            | Fact::SettleArmed { .. }
            | Fact::NotifyArmed { .. }
            | Fact::Told { .. }
            | Fact::ReleaseArmed { .. }
            | Fact::ClockAttached { .. }
            | Fact::ClockReached { .. }
            | Fact::ClockArmed { .. }
            | Fact::Backdated { .. }
            | Fact::ClockMissed { .. }
            | Fact::SourceSaid { .. }
            | Fact::NobodyTold { .. } => false,
        }
    }

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
            | Fact::SourceSaid { id, .. }
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
            | Fact::ReleaseArmed { id, .. }
            | Fact::ClockAttached { id, .. }
            | Fact::ClockReached { id, .. }
            | Fact::ClockArmed { id, .. }
            | Fact::ClockMissed { id, .. }
            | Fact::Backdated { id, .. }
            | Fact::Linked { id, .. } => *id,
        }
    }
}
