//! The outbox: one message, one recipient; what it says is frozen when it is planned, its bytes when it is rendered.

mod content;
mod fact;
mod said;

pub use content::{Content, Earlier, News, OfDigest, OfIncident, OfProblem, Yours};
pub use fact::Fact;
pub use said::{Before, ClockLine, DigestLine, Hurt, Item, OutageLine, ProblemSaid, Quote, Said};

use minicbor::{Decode, Encode};

use crate::ids::{IncidentId, MessageId, ProblemId};
use crate::time::Time;
use crate::words::Reason;

/// A message: what is sent, as its row keeps it, and where it is.
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
    /// The problem it is about.
    #[n(20)]
    pub problem: Option<ProblemId>,
    /// Where it is, in a row of its own: what happens to a message does not write again what it says.
    #[cbor(skip)]
    pub sending: Sending,
}

/// Where a message is, and its bytes. Indices go on those of [`Message`]: once both were one row.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Sending {
    /// The message's id.
    #[n(0)]
    pub id: MessageId,
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

impl Default for Sending {
    fn default() -> Sending {
        Sending::planned(MessageId(0))
    }
}

impl Sending {
    /// Of a message that is only planned.
    pub fn planned(id: MessageId) -> Sending {
        Sending {
            id,
            state: MessageState::Planned,
            attempts: 0,
            bytes: Vec::new(),
            fallback: String::new(),
            last_error: String::new(),
            done_at: None,
            retry_at: None,
            revived_at: None,
        }
    }

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

    /// Whether nothing more happens to it by itself.
    pub fn is_done(&self) -> bool {
        matches!(self.state, MessageState::Delivered | MessageState::Dead)
    }
}

impl Message {
    /// What it says, flat.
    pub fn said(&self) -> Said {
        Said::of(&self.content)
    }

    /// The way it goes out.
    pub fn channel(&self) -> Channel<'_> {
        Channel::of(&self.to)
    }

    /// Since when it is tried: the time after which it is given up counts from here.
    pub fn tried_since(&self) -> Time {
        self.sending.revived_at.unwrap_or(self.planned_at)
    }
}
