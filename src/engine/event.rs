//! What happens to the engine: one enum, one variant a door.

use std::sync::Arc;

use minicbor::{Decode, Encode};

use crate::cmdb::Cmdb;
use crate::command::{IncidentCommand, IncidentVerb, NewSilence, OpenIncident, ProblemCommand, SilenceCommand};
use crate::expr::Matcher;
use crate::ids::{AlertId, IncidentId, MessageId, ProblemId, SilenceId};
use crate::input::{AlertInput, Refused};
use crate::model::capacity::Answer;
use crate::model::message::{Message, Sending};
use crate::model::silence::{Silence, StoredMatcher};
use crate::policy::Policy;
use crate::text::Labels;
use crate::time::{Span, Time};
use crate::words::{Level, Priority};

/// What `step` decides by: immutable, swapped whole.
#[derive(Debug, Clone)]
pub struct World {
    /// The rules.
    pub policy: Arc<Policy>,
    /// The CMDB.
    pub cmdb: Arc<Cmdb>,
    /// What the daemon's configuration gives the engine.
    pub settings: Arc<Settings>,
}

/// What the daemon's configuration gives the engine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// `[mail] to`: who hears what reaches nobody else.
    pub last_resort: Vec<String>,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// The daemon started after the state was loaded.
    Started,
    /// One request of one door. It is never split: all its good members are taken in one batch.
    Alerts {
        /// Its members that were understood.
        inputs: Vec<AlertInput>,
        /// Its members that were not, counted and kept as facts: the source and why.
        refused: Vec<(String, Refused)>,
    },
    /// An operator wants something.
    Command(Command),
    /// Another World was built, from the versions the daemon then knew.
    World(World),
    /// A message was rendered.
    Rendered {
        /// Which.
        id: MessageId,
        /// The whole message.
        bytes: Vec<u8>,
        /// Why the built-in text was used, or empty.
        fallback: String,
    },
    /// A message went out.
    Delivered {
        /// Which.
        id: MessageId,
    },
    /// A message did not go out.
    DeliveryFailed {
        /// Which.
        id: MessageId,
        /// Why.
        error: String,
        /// Whether trying again is of use.
        lasts: Lasts,
    },
    /// The series of a capacity rule came, or did not.
    Forecast(Answer),
}

/// How long the cause of a failure lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasts {
    /// It may be over later: the other side is away, or says so (SMTP's 4xx, HTTP's 408, 429 and 5xx).
    ForNow,
    /// The other side said how long it will last at least (HTTP's `Retry-After`).
    AtLeast(Span),
    /// It stays: the other side says so (SMTP's 5xx, HTTP's other 4xx), or there is no such address.
    ForGood,
}

/// What an operator wants, and which revision they saw.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Command {
    /// Who.
    #[n(0)]
    pub actor: String,
    /// The version they saw (`If-Match`); `None` where they do not care.
    #[n(1)]
    pub expected: Option<u64>,
    /// What.
    #[n(2)]
    pub action: Action,
}

/// What an operator can want.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Action {
    /// They have it.
    #[n(0)]
    Acknowledge {
        /// The incident.
        #[n(0)]
        id: IncidentId,
    },
    /// Somebody has it.
    #[n(1)]
    Assign {
        /// The incident.
        #[n(0)]
        id: IncidentId,
        /// Who.
        #[n(1)]
        to: String,
    },
    /// They write something down.
    #[n(2)]
    Note {
        /// The incident.
        #[n(0)]
        id: IncidentId,
        /// What.
        #[n(1)]
        text: String,
    },
    /// It waits.
    #[n(3)]
    Hold {
        /// The incident.
        #[n(0)]
        id: IncidentId,
        /// `waiting_for_customer`, `waiting_for_vendor` or `waiting_for_change`.
        #[n(1)]
        reason: String,
        /// Until when at most.
        #[n(2)]
        until: Option<Time>,
    },
    /// It no longer waits.
    #[n(4)]
    Resume {
        /// The incident.
        #[n(0)]
        id: IncidentId,
    },
    /// It is over.
    #[n(5)]
    Resolve {
        /// The incident.
        #[n(0)]
        id: IncidentId,
        /// What helped.
        #[n(1)]
        words: String,
    },
    /// It is not over.
    #[n(6)]
    Reopen {
        /// The incident.
        #[n(0)]
        id: IncidentId,
        /// Why.
        #[n(1)]
        words: String,
    },
    /// It is history.
    #[n(7)]
    Close {
        /// The incident.
        #[n(0)]
        id: IncidentId,
    },
    /// An alert does not belong there.
    #[n(8)]
    Detach {
        /// The incident.
        #[n(0)]
        id: IncidentId,
        /// The alert.
        #[n(1)]
        alert: AlertId,
    },
    /// Its priority is another.
    #[n(9)]
    SetPriority {
        /// The incident.
        #[n(0)]
        id: IncidentId,
        /// Which.
        #[n(1)]
        priority: Priority,
        /// Why.
        #[n(2)]
        words: String,
    },
    /// A silence is made, or changed where `id` names one.
    #[n(10)]
    SetSilence {
        /// Which to change.
        #[n(0)]
        id: Option<SilenceId>,
        /// What must hold.
        #[n(1)]
        matchers: Vec<StoredMatcher>,
        /// From.
        #[n(2)]
        starts_at: Time,
        /// Until.
        #[n(3)]
        ends_at: Time,
        /// Why.
        #[n(4)]
        comment: String,
        /// What a client keeps with it.
        #[n(5)]
        #[cbor(default)]
        annotations: Labels,
    },
    /// A silence ends.
    #[n(11)]
    ExpireSilence {
        /// Which.
        #[n(0)]
        id: SilenceId,
    },
    /// A message that waits is tried again at once.
    #[n(12)]
    RetryMessage {
        /// Which.
        #[n(0)]
        id: MessageId,
    },
    /// A message that was given up is tried again, with the bytes and the Message-ID it had.
    #[n(13)]
    ReviveMessage {
        /// Its record, which left memory when it was given up.
        #[n(0)]
        message: Box<Message>,
        /// What became of it.
        #[n(1)]
        #[cbor(default)]
        sending: Box<Sending>,
    },
    /// Somebody reports a fault that no alert tells of.
    #[n(14)]
    ReportIncident {
        /// What they say.
        #[n(0)]
        report: Report,
    },
    /// Other incidents are the same fault: they become its children, and their alerts its own.
    #[n(15)]
    MergeIncidents {
        /// The one that stays.
        #[n(0)]
        id: IncidentId,
        /// The others.
        #[n(1)]
        children: Vec<IncidentId>,
    },
    /// They want something of a problem.
    #[n(16)]
    Problem {
        /// The problem.
        #[n(0)]
        id: ProblemId,
        /// What.
        #[n(1)]
        act: ProblemCommand,
    },
}

/// A fault that somebody has seen, on the phone or on a screen.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Report {
    /// What is wrong, in a sentence.
    #[n(0)]
    pub title: String,
    /// The item, by its id or an alias; one that the CMDB does not know is taken as it is.
    #[n(1)]
    pub ci: String,
    /// How bad it is.
    #[n(2)]
    pub grade: Grade,
    /// What else they said; may be empty.
    #[n(3)]
    pub words: String,
}

/// How bad a reported fault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Grade {
    /// As its item says: its criticality, with medium urgency.
    #[n(0)]
    ByItem,
    /// The matrix of these.
    #[n(1)]
    Levels {
        /// Impact.
        #[n(0)]
        impact: Level,
        /// Urgency.
        #[n(1)]
        urgency: Level,
    },
    /// This.
    #[n(2)]
    Priority {
        /// Which.
        #[n(0)]
        priority: Priority,
    },
}

impl Action {
    /// Tries a message again that was given up.
    pub fn revive(message: Message) -> Action {
        let sending = Box::new(message.sending.clone());
        Action::ReviveMessage { message: Box::new(message), sending }
    }

    /// A command on one incident. A duration of a hold counts from `now`.
    ///
    /// # Errors
    /// A hold with both a duration and an end.
    pub fn of_incident(id: IncidentId, command: IncidentCommand, now: Time) -> Result<Action, Refused> {
        Ok(match command {
            IncidentCommand::Acknowledge {} => Action::Acknowledge { id },
            IncidentCommand::Assign { to } => Action::Assign { id, to },
            IncidentCommand::Note { text } => Action::Note { id, text },
            IncidentCommand::Hold { until: Some(_), lasts: Some(_), .. } => {
                return Err(Refused { place: "for".to_owned(), expected: "either `for` or `until`, not both".to_owned() });
            }
            IncidentCommand::Hold { reason, until, lasts } => Action::Hold { id, reason, until: until.or(lasts.map(|span| now + span)) },
            IncidentCommand::Resume {} => Action::Resume { id },
            IncidentCommand::Resolve { words } => Action::Resolve { id, words },
            IncidentCommand::Reopen { words } => Action::Reopen { id, words },
            IncidentCommand::Close {} => Action::Close { id },
            IncidentCommand::Detach { alert } => Action::Detach { id, alert },
            IncidentCommand::Priority { priority, words } => Action::SetPriority { id, priority, words },
            IncidentCommand::Merge { children } => Action::MergeIncidents { id, children },
        })
    }

    /// A new silence. A duration counts from its start.
    ///
    /// # Errors
    /// A text that is no matcher; both an end and a duration, or neither.
    pub fn of_new_silence(given: NewSilence, now: Time) -> Result<Action, Refused> {
        let matcher = |(at, text): (usize, &String)| {
            let wrong = |fault| Refused {
                place: format!("matchers[{at}]"),
                expected: format!("a matcher such as alertname=\"DiskFull\": {fault}"),
            };
            Matcher::parse(text).map(|matcher| StoredMatcher::of(&matcher)).map_err(|fault| wrong(fault.message))
        };
        let starts_at = given.starts_at.unwrap_or(now);
        let ends_at = end(given.ends_at, given.lasts.map(|span| starts_at + span))?;
        let ends_at = ends_at.ok_or_else(|| Refused { place: "ends_at".to_owned(), expected: "`ends_at` or `for`".to_owned() })?;
        Ok(Action::SetSilence {
            id: None,
            matchers: given.matchers.iter().enumerate().map(matcher).collect::<Result<_, _>>()?,
            starts_at,
            ends_at,
            comment: given.comment,
            annotations: Labels::with_empty(given.annotations),
        })
    }

    /// A command on one silence, as it was seen. A duration counts from `now`.
    ///
    /// # Errors
    /// A change with both a duration and an end.
    pub fn of_silence(seen: &Silence, command: SilenceCommand, now: Time) -> Result<Action, Refused> {
        Ok(match command {
            SilenceCommand::Change { ends_at, lasts, comment } => Action::SetSilence {
                id: Some(seen.id),
                matchers: seen.matchers.clone(),
                starts_at: seen.starts_at,
                ends_at: end(ends_at, lasts.map(|span| now + span))?.unwrap_or(seen.ends_at),
                comment: comment.unwrap_or_else(|| seen.comment.clone()),
                annotations: seen.annotations.clone(),
            },
            SilenceCommand::Expire {} => Action::ExpireSilence { id: seen.id },
        })
    }

    /// Its name in paths and on the command line.
    pub const fn word(&self) -> &'static str {
        match self {
            Action::Acknowledge { .. } => IncidentVerb::Acknowledge.word(),
            Action::Assign { .. } => IncidentVerb::Assign.word(),
            Action::Note { .. } => IncidentVerb::Note.word(),
            Action::Hold { .. } => IncidentVerb::Hold.word(),
            Action::Resume { .. } => IncidentVerb::Resume.word(),
            Action::Resolve { .. } => IncidentVerb::Resolve.word(),
            Action::Reopen { .. } => IncidentVerb::Reopen.word(),
            Action::Close { .. } => IncidentVerb::Close.word(),
            Action::Detach { .. } => IncidentVerb::Detach.word(),
            Action::SetPriority { .. } => IncidentVerb::Priority.word(),
            Action::SetSilence { .. } => "silence",
            Action::ExpireSilence { .. } => "expire",
            Action::RetryMessage { .. } | Action::ReviveMessage { .. } => "retry",
            Action::ReportIncident { .. } => "open",
            Action::MergeIncidents { .. } => IncidentVerb::Merge.word(),
            Action::Problem { act, .. } => act.verb().word(),
        }
    }
}

/// An end that is given as a moment or as a duration.
fn end(at: Option<Time>, after: Option<Time>) -> Result<Option<Time>, Refused> {
    match (at, after) {
        (Some(_), Some(_)) => Err(Refused { place: "for".to_owned(), expected: "either `for` or `ends_at`, not both".to_owned() }),
        (at, after) => Ok(at.or(after)),
    }
}

impl TryFrom<OpenIncident> for Report {
    type Error = Refused;

    fn try_from(given: OpenIncident) -> Result<Report, Refused> {
        let OpenIncident { title, ci, priority, impact, urgency, words } = given;
        let wrong = |place: &str, expected: &str| Err(Refused { place: place.to_owned(), expected: expected.to_owned() });
        let grade = match (priority, impact, urgency) {
            (None, None, None) => Grade::ByItem,
            (Some(priority), None, None) => Grade::Priority { priority },
            (None, Some(impact), Some(urgency)) => Grade::Levels { impact, urgency },
            (Some(_), _, _) => return wrong("priority", "either `priority`, or `impact` and `urgency`"),
            (None, _, _) => return wrong("impact", "`impact` and `urgency` together"),
        };
        Ok(Report { title, ci, grade, words })
    }
}

/// What whoever asked is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A request was taken: what became of each input, in their order.
    Taken(Vec<Taken>),
    /// What became of a command.
    Obeyed(Obeyed),
    /// A World was adopted.
    Adopted,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obeyed {
    /// It was done, or what it wants holds already.
    Done {
        /// What it was about: the incident's, silence's or message's id.
        id: String,
        /// Its version now.
        version: u64,
        /// Whether anything changed.
        changed: bool,
    },
    /// Nothing of that id lives.
    NotFound {
        /// The id.
        id: String,
    },
    /// Somebody changed it meanwhile.
    Stale {
        /// The id.
        id: String,
        /// Its version now.
        version: u64,
    },
    /// Its state does not allow that.
    NotAllowed {
        /// Where it is.
        state: &'static str,
        /// What is allowed there.
        allowed: Vec<&'static str>,
    },
    /// The command itself is wrong.
    Invalid(Refused),
}

/// What became of one input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// It is this alert.
    Alert(AlertId),
    /// It was over before it was known: nothing to remember.
    Over,
    /// It was refused.
    Refused(Refused),
}
