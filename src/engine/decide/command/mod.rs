//! What an operator's command does: facts and what follows from them, or why it is not done. Each action is decided in one arm here, by one function.

mod incident;
mod message;
mod problem;
mod silence;

use crate::event::{Action, Report};
use crate::fact::Fact;
use crate::ids::{AlertId, IncidentId, MessageId, ProblemId, SilenceId};
use crate::input::Refused;
use crate::limits;
use crate::state::State;
use crate::text::Because;
use crate::time::Time;
use crate::words::{Priority, Reason};

/// A command decided: what it is about, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What it is about.
    pub subject: Subject,
    /// What becomes of it.
    pub answer: Answer,
}

/// What a command is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// An incident.
    Incident(IncidentId),
    /// A silence, one that is to be made too.
    Silence(SilenceId),
    /// A message.
    Message(MessageId),
    /// A problem.
    Problem(ProblemId),
}

/// What becomes of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It does this.
    Does {
        /// What is remembered.
        facts: Vec<Fact>,
        /// What follows from that.
        then: Then,
    },
    /// What it wants holds already.
    Holds,
    /// Nothing of that id lives.
    NotFound,
    /// The state does not allow it.
    NotAllowed {
        /// Where it is.
        state: &'static str,
        /// What is allowed there.
        allowed: Vec<&'static str>,
    },
    /// The command is wrong in itself.
    Invalid(Refused),
}

/// What follows from a command beside its facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Then {
    /// Nothing that settling does not see to.
    Nothing,
    /// Rules may want it told.
    Tell(IncidentId, Reason),
    /// Who was told of the incident hears that its priority is higher than this one.
    TellRaised(IncidentId, Priority),
    /// An incident is resolved: its mails and its children follow.
    Resolved(IncidentId),
    /// An incident is closed: its children and its alerts follow.
    Closed(IncidentId),
    /// An alert is given another incident.
    Attach(AlertId),
    /// A message goes out again.
    Send(MessageId),
    /// An incident is opened for what somebody reports.
    Open(Report, Because),
    /// These become children of the first, and their alerts its own.
    Merge(IncidentId, Vec<IncidentId>),
    /// What these silences select is judged again.
    Judge(Vec<SilenceId>),
}

/// Decides a command of `actor`.
pub fn decide(state: &State, action: &Action, actor: &str, now: Time) -> Decision {
    let asked = Asked { state, actor, now };
    match action {
        Action::Acknowledge { id } => incident::acknowledge(asked, *id),
        Action::Assign { id, to } => incident::assign(asked, *id, to),
        Action::Note { id, text } => incident::note(asked, *id, text),
        Action::Hold { id, reason, until } => incident::hold(asked, *id, reason, *until),
        Action::Resume { id } => incident::resume(asked, *id),
        Action::Resolve { id, words } => incident::resolve(asked, *id, words),
        Action::Reopen { id, words } => incident::reopen(asked, *id, words),
        Action::Close { id } => incident::close(asked, *id),
        Action::Detach { id, alert } => incident::detach(asked, *id, *alert),
        Action::SetPriority { id, priority, words } => incident::set_priority(asked, *id, *priority, words),
        Action::SetSilence { id, matchers, starts_at, ends_at, comment, annotations } => {
            silence::set(asked, *id, silence::Wanted { matchers, starts_at: *starts_at, ends_at: *ends_at, comment, annotations })
        }
        Action::ExpireSilence { id } => silence::expire(asked, *id),
        Action::RetryMessage { id } => message::retry(asked, *id),
        Action::ReviveMessage { message, sending } => message::revive(asked, message, sending),
        Action::ReportIncident { report } => incident::report(asked, report),
        Action::Problem { id, act } => problem::decide(asked, *id, act),
        Action::MergeIncidents { id, children } => incident::merge(asked, *id, children),
    }
}

impl Subject {
    /// Its id as the asker is told it; an unknown silence has no other than its number.
    pub fn name(self, state: &State) -> String {
        match self {
            Subject::Incident(id) => id.to_string(),
            Subject::Silence(id) => state.silences.get(&id).map_or_else(|| id.to_string(), |silence| silence.record.uuid.clone()),
            Subject::Message(id) => id.to_string(),
            Subject::Problem(id) => id.to_string(),
        }
    }

    /// Its present version, which `If-Match` is compared with; `None` where there is none yet, or none any more.
    pub fn version(self, state: &State) -> Option<u64> {
        match self {
            Subject::Incident(id) => state.incidents.get(&id).or_else(|| state.incidents.past().get(&id)).map(|incident| incident.version),
            Subject::Silence(id) => state.silences.get(&id).map(|silence| silence.record.version),
            Subject::Problem(id) => state.problems.get(&id).or_else(|| state.problems.past().get(&id)).map(|problem| problem.version),
            Subject::Message(id) => state.messages.get(&id).map(|message| u64::from(message.sending.attempts)),
        }
    }
}

/// Who asks, when, and of what.
#[derive(Clone, Copy)]
struct Asked<'a> {
    state: &'a State,
    actor: &'a str,
    now: Time,
}

impl Asked<'_> {
    /// What is remembered of their words.
    fn said(&self, words: &str) -> Because {
        Because::Operator { actor: self.actor.to_owned(), words: words.to_owned() }
    }
}

impl Answer {
    /// Facts from which nothing follows.
    fn does(facts: Vec<Fact>) -> Answer {
        Answer::Does { facts, then: Then::Nothing }
    }
}

/// Wrong where a text is needed and is not there, or is too long.
fn bad_text(place: &str, text: &str) -> Option<Answer> {
    if text.trim().is_empty() { Some(invalid(place, "some text".to_owned())) } else { too_long(place, text) }
}

/// Wrong where a text is longer than a note may be.
fn too_long(place: &str, text: &str) -> Option<Answer> {
    (text.len() > limits::NOTE_BYTES_MAX).then(|| invalid(place, format!("at most {} bytes", limits::NOTE_BYTES_MAX)))
}

fn invalid(place: &str, expected: String) -> Answer {
    Answer::Invalid(Refused { place: place.to_owned(), expected })
}
