//! The outbox: one message, one recipient; what it says is frozen when it is planned, its bytes when it is rendered.

use minicbor::{Decode, Encode};

use crate::ids::{AlertId, IncidentId, MessageId, ProblemId};
use crate::time::{Span, Time};
use crate::words::Reason;

/// A message as its row keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Message {
    /// Its id.
    #[n(0)]
    pub id: MessageId,
    /// The incident it is about; a digest is about none.
    #[n(1)]
    pub incident: Option<IncidentId>,
    /// The one address it goes to.
    #[n(2)]
    pub to: String,
    /// Why.
    #[n(3)]
    pub reason: Reason,
    /// Which template renders it; the reason's name unless the rule names another.
    #[n(4)]
    pub template: String,
    /// Its subject without `Re:`.
    #[n(5)]
    pub subject: String,
    /// The recipient's first message of this thread; itself where it is the first.
    #[n(6)]
    pub thread: MessageId,
    /// The notify rule that planned it.
    #[n(7)]
    pub notify_rule: String,
    /// The team whose list and zone it belongs to; may be empty.
    #[n(8)]
    pub team: String,
    /// The zone its times are written in; UTC where empty.
    #[n(9)]
    pub zone: String,
    /// When it was planned.
    #[n(10)]
    pub planned_at: Time,
    /// What it says.
    #[n(11)]
    pub content: Content,
    /// Where it is.
    #[n(12)]
    pub state: MessageState,
    /// How often it was tried.
    #[n(13)]
    pub attempts: u32,
    /// The whole message as it goes out, once rendered; never changed after.
    #[n(14)]
    #[cbor(with = "minicbor::bytes")]
    pub bytes: Vec<u8>,
    /// Why the built-in text was used; empty where the template rendered.
    #[n(15)]
    pub fallback: String,
    /// The last failure; empty where there was none.
    #[n(16)]
    pub last_error: String,
    /// When it was delivered or given up.
    #[n(17)]
    pub done_at: Option<Time>,
    /// When it is tried next, after a failure or because an operator asked.
    #[n(18)]
    pub retry_at: Option<Time>,
    /// When an operator had it tried again after it was given up; `None` where nobody did.
    #[n(19)]
    pub revived_at: Option<Time>,
    /// The problem it is about.
    #[n(20)]
    pub problem: Option<ProblemId>,
}

/// What begins the address of a hook. No mail address has a colon.
const HOOK: &str = "hook:";

/// The way a message goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel<'a> {
    /// To a mail address.
    Mail,
    /// To the `[[out]]` of this name.
    Hook(&'a str),
}

impl<'a> Channel<'a> {
    /// The way to an address.
    pub fn of(address: &'a str) -> Channel<'a> {
        address.strip_prefix(HOOK).map_or(Channel::Mail, Channel::Hook)
    }

    /// The address of a hook; empty for mail, whose addresses are people's.
    pub fn address(self) -> String {
        match self {
            Channel::Mail => String::new(),
            Channel::Hook(name) => format!("{HOOK}{name}"),
        }
    }
}

/// Where a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum MessageState {
    /// What it says is decided.
    #[n(0)]
    Planned,
    /// Its bytes are decided.
    #[n(1)]
    Rendered,
    /// It went out at least once.
    #[n(2)]
    Delivered,
    /// It was given up, with a reason.
    #[n(3)]
    Dead,
}

impl MessageState {
    /// The word that API and lists use.
    pub const fn word(self) -> &'static str {
        match self {
            MessageState::Planned => "planned",
            MessageState::Rendered => "rendered",
            MessageState::Delivered => "delivered",
            MessageState::Dead => "dead",
        }
    }
}

/// What a message says, frozen when it was planned: everything a template may name. Empty texts and lists are left out of the mail.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct Content {
    /// The incident's id, or empty in a digest.
    #[n(0)]
    pub incident: String,
    /// Its priority.
    #[n(1)]
    pub priority: String,
    /// Its priority before it was raised.
    #[n(2)]
    pub priority_before: String,
    /// Its state as one word: `new`, `acknowledged`, ….
    #[n(3)]
    pub state: String,
    /// The moment it was planned.
    #[n(4)]
    pub now: Time,
    /// Since when.
    #[n(5)]
    pub since: Time,
    /// When it ended, in `resolved`; else zero.
    #[n(6)]
    pub until: Time,
    /// Who has it; empty where nobody does.
    #[n(7)]
    pub holder: String,
    /// The item at fault.
    #[n(8)]
    pub item: Item,
    /// What is wrong, in a sentence.
    #[n(9)]
    pub title: String,
    /// The cause's alert as its sender wrote it.
    #[n(10)]
    pub quote: Quote,
    /// The services it hurts, worst first.
    #[n(11)]
    pub hurts: Vec<Hurt>,
    /// Why that is the cause.
    #[n(12)]
    pub cause: String,
    /// Symptoms in it.
    #[n(13)]
    pub symptoms: u32,
    /// The first few items of the symptoms.
    #[n(14)]
    pub symptom_items: Vec<String>,
    /// Items beyond those.
    #[n(15)]
    pub symptom_more: u32,
    /// Alerts in it.
    #[n(16)]
    pub alerts: u32,
    /// Of those, cleared.
    #[n(17)]
    pub cleared: u32,
    /// In `affected` and `released`: the first few of the recipient's own items.
    #[n(18)]
    pub yours: Vec<String>,
    /// Since when they fire.
    #[n(19)]
    pub yours_since: Time,
    /// Why they are symptoms, or why they were released.
    #[n(20)]
    pub yours_because: String,
    /// The incident they had before, which is now a child.
    #[n(21)]
    pub yours_incident: String,
    /// The team that has the cause.
    #[n(22)]
    pub team: String,
    /// Words at the item (`note:` in the CMDB).
    #[n(23)]
    pub check: String,
    /// The incident before this one with the same group.
    #[n(24)]
    pub before: Before,
    /// Where to read what to do.
    #[n(25)]
    pub runbook: String,
    /// Who else is told with it.
    #[n(26)]
    pub told: Vec<String>,
    /// The correlate rule.
    #[n(27)]
    pub rule: String,
    /// The notify rule.
    #[n(28)]
    pub notify: String,
    /// Who has it; once it is over, who resolved it; empty where it resolved itself.
    #[n(29)]
    pub by: String,
    /// Their words, or why it resolved; in `held` for what it waits.
    #[n(30)]
    pub words: String,
    /// Until when a return reopens it; else zero.
    #[n(31)]
    pub reopens_until: Time,
    /// How often it came back.
    #[n(32)]
    pub reopened: u32,
    /// A digest's lines.
    #[n(33)]
    pub lines: Vec<DigestLine>,
    /// Since when a digest reports.
    #[n(34)]
    pub lines_since: Time,
    /// Whether this is the recipient's first mail about the incident: then it is the full one.
    #[n(35)]
    pub first: bool,
    /// What still fires on the items after it was resolved.
    #[n(36)]
    pub left_over: Vec<String>,
    /// When somebody first had it; zero where nobody did.
    #[n(37)]
    pub acknowledged_at: Time,
    /// In `held`: until when it waits at most; zero where it has no end.
    #[n(38)]
    #[cbor(default)]
    pub hold_until: Time,
    /// In `affected`: the recipient's alerts, which a link of the mail takes out again.
    #[n(39)]
    #[cbor(default)]
    pub yours_alerts: Vec<AlertId>,
    /// Where each promise of an SLA stands; in an SLA mail those first that it is about.
    #[n(40)]
    #[cbor(default)]
    pub clocks: Vec<ClockLine>,
    /// How long it was open before it last came back, in milliseconds; zero where it did not.
    #[n(42)]
    #[cbor(default)]
    pub lasted_before: crate::time::Span,
    /// How long it took then until somebody first had it, in milliseconds.
    #[n(43)]
    pub acknowledged_before: Option<crate::time::Span>,
    /// The problem; its `id` is empty in a mail about anything else.
    #[n(44)]
    #[cbor(default)]
    pub problem: ProblemSaid,
    /// Items of the recipient's beyond those that are named.
    #[n(45)]
    pub yours_more: Option<u32>,
}

/// The symptoms that are a recipient's, by item.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct Yours {
    /// The first few items.
    #[n(0)]
    pub items: Vec<String>,
    /// Items beyond those.
    #[n(1)]
    pub more: u32,
    /// Since when they fire.
    #[n(2)]
    pub since: Option<Time>,
    /// Why the first is a symptom.
    #[n(3)]
    pub because: String,
    /// The earliest incident that they had before.
    #[n(4)]
    pub incident: Option<IncidentId>,
    /// The first few alerts.
    #[n(5)]
    pub alerts: Vec<AlertId>,
    /// Words at the first item that has some.
    #[n(6)]
    pub note: String,
}

/// A problem in a message. Its state, title, item, team and holder stand where an incident's do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct ProblemSaid {
    /// Its id.
    #[n(0)]
    pub id: String,
    /// Its rule.
    #[n(1)]
    pub rule: String,
    /// What its incidents share, with the values.
    #[n(2)]
    pub same: String,
    /// Why it was opened.
    #[n(3)]
    pub because: String,
    /// How many outages there were.
    #[n(4)]
    pub count: u32,
    /// When the first known one began.
    #[n(5)]
    pub since: Time,
    /// How long it was out in all.
    #[n(6)]
    pub lasted: Span,
    /// The last few outages, the earliest first.
    #[n(7)]
    pub outages: Vec<OutageLine>,
    /// What helps until it is fixed; empty where nobody knows.
    #[n(8)]
    pub workaround: String,
    /// How often it came back after a fix.
    #[n(9)]
    pub fixes_failed: u32,
    /// What was said of the fix that was tried last.
    #[n(10)]
    pub fix: String,
    /// Who said so.
    #[n(11)]
    pub fixed_by: String,
}

/// An outage in a message.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct OutageLine {
    /// The incident.
    #[n(0)]
    pub incident: String,
    /// When it began.
    #[n(1)]
    pub at: Time,
    /// How long it took; so far, where it is not over.
    #[n(2)]
    pub lasted: Span,
    /// Whether it is over.
    #[n(3)]
    pub is_over: bool,
    /// What helped; empty where it ended by itself.
    #[n(4)]
    pub words: String,
}

/// An item in a message.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct Item {
    /// Its id.
    #[n(0)]
    pub id: String,
    /// Its class.
    #[n(1)]
    pub class: String,
    /// Its owner.
    #[n(2)]
    pub owner: String,
    /// Its `site` label, or empty.
    #[n(3)]
    pub site: String,
    /// Whether the CMDB knows it.
    #[n(4)]
    pub known: bool,
}

/// An alert as its sender wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct Quote {
    /// Its name.
    #[n(0)]
    pub name: String,
    /// Its summary, one line, at most 200 characters.
    #[n(1)]
    pub summary: String,
    /// Its source.
    #[n(2)]
    pub source: String,
    /// Where the sender shows it.
    #[n(3)]
    pub url: String,
}

/// A service that is hurt.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct Hurt {
    /// Its id.
    #[n(0)]
    pub id: String,
    /// Its tier, or empty.
    #[n(1)]
    pub tier: String,
    /// `down`, `degraded` or `at_risk`.
    #[n(2)]
    pub health: String,
}

/// A promise of an SLA in a message.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct ClockLine {
    /// The SLA's name.
    #[n(0)]
    pub sla: String,
    /// The service it is promised for, or empty.
    #[n(1)]
    pub service: String,
    /// `response`, `resolution` or `update`.
    #[n(2)]
    pub target: String,
    /// `running`, `paused`, `met` or `breached`.
    #[n(3)]
    pub state: String,
    /// How long it may take, in words.
    #[n(4)]
    pub allowed: String,
    /// The used share.
    #[n(5)]
    pub percent: u32,
    /// Until when; zero while it waits.
    #[n(6)]
    pub deadline: Time,
    /// The used time, by the SLA's calendar.
    #[n(7)]
    pub used: Span,
    /// The time left, by the SLA's calendar.
    #[n(8)]
    pub left: Span,
    /// What did not count, by the SLA's calendar.
    #[n(9)]
    pub paused: Span,
    /// When it was kept or ended; zero before.
    #[n(10)]
    pub ended: Time,
    /// The shares that this message is about, the largest last; 100 is the breach.
    #[n(11)]
    pub reached: Vec<u32>,
    /// The share that is told next; zero where none is.
    #[n(12)]
    pub next_percent: u32,
    /// When that is.
    #[n(13)]
    pub next_at: Time,
}

/// The incident before.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct Before {
    /// Its id; empty where there is none.
    #[n(0)]
    pub incident: String,
    /// When it opened.
    #[n(1)]
    pub opened_at: Time,
    /// How long it took, in milliseconds.
    #[n(2)]
    pub lasted: Span,
    /// With which words it was resolved.
    #[n(3)]
    pub words: String,
}

/// One line of a digest.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct DigestLine {
    /// The incident.
    #[n(0)]
    pub incident: String,
    /// Its priority.
    #[n(1)]
    pub priority: String,
    /// Its state at the digest.
    #[n(2)]
    pub state: String,
    /// Its title.
    #[n(3)]
    pub title: String,
    /// Since when.
    #[n(4)]
    pub since: Time,
    /// When it ended; zero where it did not.
    #[n(5)]
    pub until: Time,
    /// Who has it.
    #[n(6)]
    pub holder: String,
    /// Its item.
    #[n(7)]
    pub item: String,
}

/// What happened to a message.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Fact {
    /// What it says was decided.
    #[n(0)]
    Planned {
        /// The record.
        #[n(0)]
        message: Box<Message>,
    },
    /// Its bytes were decided.
    #[n(1)]
    Rendered {
        /// Which.
        #[n(0)]
        id: MessageId,
        /// The whole message.
        #[n(1)]
        #[cbor(with = "minicbor::bytes")]
        bytes: Vec<u8>,
        /// Why the built-in text was used, or empty.
        #[n(2)]
        fallback: String,
    },
    /// It went out.
    #[n(2)]
    Delivered {
        /// Which.
        #[n(0)]
        id: MessageId,
    },
    /// It did not go out.
    #[n(3)]
    Failed {
        /// Which.
        #[n(0)]
        id: MessageId,
        /// Why.
        #[n(1)]
        error: String,
        /// When it is tried again; `None`: it is given up.
        #[n(2)]
        retry_at: Option<Time>,
    },
    /// It was given up, and is tried again.
    #[n(4)]
    Revived {
        /// The record as it was given up.
        #[n(0)]
        message: Box<Message>,
    },
    /// An operator does not wait for its next try. It has not failed once more.
    #[n(5)]
    Hurried {
        /// Which.
        #[n(0)]
        id: MessageId,
        /// Who.
        #[n(1)]
        by: String,
        /// When it is tried next.
        #[n(2)]
        retry_at: Time,
    },
}

impl Message {
    /// Applies a fact about this message. `at` is the block's time.
    pub fn apply(&mut self, fact: &Fact, at: Time) {
        match fact {
            Fact::Planned { .. } => {}
            Fact::Rendered { bytes, fallback, .. } => {
                self.bytes.clone_from(bytes);
                self.fallback.clone_from(fallback);
                self.state = MessageState::Rendered;
            }
            Fact::Delivered { .. } => {
                self.attempts += 1;
                self.state = MessageState::Delivered;
                self.retry_at = None;
                self.done_at = Some(at);
            }
            Fact::Failed { error, retry_at, .. } => {
                self.attempts += 1;
                self.last_error.clone_from(error);
                self.retry_at = *retry_at;
                if retry_at.is_none() {
                    self.state = MessageState::Dead;
                    self.done_at = Some(at);
                }
            }
            Fact::Revived { .. } => {
                self.state = if self.bytes.is_empty() { MessageState::Planned } else { MessageState::Rendered };
                (self.done_at, self.retry_at, self.revived_at) = (None, None, Some(at));
            }
            Fact::Hurried { retry_at, .. } => self.retry_at = Some(*retry_at),
        }
    }

    /// The way it goes out.
    pub fn channel(&self) -> Channel<'_> {
        Channel::of(&self.to)
    }

    /// Since when it is tried: the time after which it is given up counts from here.
    pub fn tried_since(&self) -> Time {
        self.revived_at.unwrap_or(self.planned_at)
    }

    /// Whether nothing more happens to it by itself.
    pub fn is_done(&self) -> bool {
        matches!(self.state, MessageState::Delivered | MessageState::Dead)
    }
}
