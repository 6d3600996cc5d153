//! What an operator's command does: facts, or why it is not done.

use crate::event::Action;
use crate::fact::Fact;
use crate::ids::{IncidentId, SilenceId};
use crate::input::Refused;
use crate::limits;
use crate::model::incident::Incident;
use crate::model::message::{self, MessageState};
use crate::model::silence::{Silence, StoredMatcher};
use crate::model::{alert, incident, silence};
use crate::state::State;
use crate::text::Because;
use crate::time::Time;
use crate::words::IncidentState;

/// What becomes of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It does this.
    Facts(Vec<Fact>),
    /// What it wants holds already.
    Holds,
    /// Nothing of that id lives.
    NotFound,
    /// The state does not allow it.
    NotAllowed {
        /// Where it is.
        state: &'static str,
        /// What is allowed there.
        allowed: &'static [&'static str],
    },
    /// The command is wrong in itself.
    Invalid(Refused),
}

/// The reasons for which an incident may wait.
pub const HOLD_REASONS: &[&str] = &["waiting_for_customer", "waiting_for_vendor", "waiting_for_change"];

const OPEN: &[&str] = &["acknowledge", "assign", "note", "hold", "resolve", "priority", "detach"];
const ON_HOLD: &[&str] = &["assign", "note", "hold", "resume", "resolve", "priority", "detach"];
const RESOLVED: &[&str] = &["note", "reopen", "close"];
const CHILD: &[&str] = &["note"];

/// What a command is about, with its present version: what `If-Match` is compared with.
pub fn subject(state: &State, action: &Action) -> Option<(String, u64)> {
    match action {
        Action::Acknowledge { id }
        | Action::Assign { id, .. }
        | Action::Note { id, .. }
        | Action::Hold { id, .. }
        | Action::Resume { id }
        | Action::Resolve { id, .. }
        | Action::Reopen { id, .. }
        | Action::Close { id }
        | Action::Detach { id, .. }
        | Action::SetPriority { id, .. } => {
            let past = || state.past.incidents.get(id);
            state.incidents.get(id).or_else(past).map(|incident| (id.to_string(), incident.version))
        }
        Action::SetSilence { id: Some(id), .. } | Action::ExpireSilence { id } => {
            state.silences.get(id).map(|silence| (silence.record.uuid.clone(), silence.record.version))
        }
        Action::SetSilence { id: None, .. } => {
            let newest = state.silences.get(&SilenceId(state.counters.silences));
            Some(newest.map_or_else(Default::default, |silence| (silence.record.uuid.clone(), silence.record.version)))
        }
        Action::RetryMessage { id } => state.messages.get(id).map(|message| (id.to_string(), u64::from(message.attempts))),
    }
}

/// Decides a command of `actor`.
pub fn decide(state: &State, action: &Action, actor: &str, now: Time) -> Answer {
    let said = |words: &str| Because::Operator { actor: actor.to_owned(), words: words.to_owned() };
    match action {
        Action::Acknowledge { id } => on(state, *id, |incident| match incident.state {
            IncidentState::New => {
                let mut facts = vec![moved(*id, IncidentState::Acknowledged, said(""))];
                if incident.assignee.is_empty() {
                    facts.push(assigned(*id, actor, said("")));
                }
                Answer::Facts(facts)
            }
            IncidentState::Acknowledged | IncidentState::InProgress | IncidentState::OnHold => Answer::Holds,
            IncidentState::Resolved | IncidentState::Closed => not_allowed(incident),
        }),
        Action::Assign { id, to } => on(state, *id, |incident| {
            if !incident.state.is_open() {
                return not_allowed(incident);
            }
            if let Some(answer) = bad_text("to", to) {
                return answer;
            }
            if incident.assignee == *to {
                return Answer::Holds;
            }
            let mut facts = vec![assigned(*id, to, said(""))];
            if incident.state == IncidentState::New {
                facts.push(moved(*id, IncidentState::Acknowledged, said("")));
            }
            Answer::Facts(facts)
        }),
        Action::Note { id, text } => {
            if let Some(answer) = bad_text("text", text) {
                return answer;
            }
            match state.incidents.get(id) {
                Some(_) => Answer::Facts(vec![Fact::Incident(incident::Fact::Noted { id: *id, because: said(text) })]),
                None => Answer::NotFound,
            }
        }
        Action::Hold { id, reason, until } => on(state, *id, |incident| {
            if !HOLD_REASONS.contains(&reason.as_str()) {
                return invalid("reason", format!("one of {}", HOLD_REASONS.join(", ")));
            }
            if until.is_some_and(|until| until <= now) {
                return invalid("until", "a time to come".to_owned());
            }
            if !incident.state.is_open() {
                not_allowed(incident)
            } else if incident.hold_reason == *reason && incident.hold_until == *until {
                Answer::Holds
            } else {
                let held = incident::Fact::Held { id: *id, reason: reason.clone(), until: *until, because: said("") };
                Answer::Facts(vec![Fact::Incident(held)])
            }
        }),
        Action::Resume { id } => on(state, *id, |incident| match incident.state {
            IncidentState::OnHold => Answer::Facts(vec![moved(*id, IncidentState::InProgress, said(""))]),
            IncidentState::InProgress => Answer::Holds,
            IncidentState::New | IncidentState::Acknowledged | IncidentState::Resolved | IncidentState::Closed => not_allowed(incident),
        }),
        Action::Resolve { id, words } => on(state, *id, |incident| {
            if words.len() > limits::NOTE_BYTES_MAX {
                return too_long("words");
            }
            match incident.state {
                IncidentState::Resolved => Answer::Holds,
                IncidentState::Closed => not_allowed(incident),
                IncidentState::New | IncidentState::Acknowledged | IncidentState::InProgress | IncidentState::OnHold => {
                    let fires = state.alerts_in(*id).any(|cell| cell.alert.is_active());
                    Answer::Facts(vec![Fact::Incident(incident::Fact::Resolved {
                        id: *id,
                        because: said(words),
                        by: actor.to_owned(),
                        words: words.clone(),
                        settle_at: fires.then_some(now + incident.times.resolve_after),
                        close_at: now + incident.times.close_after,
                    })])
                }
            }
        }),
        Action::Reopen { id, words } => on(state, *id, |incident| {
            if words.len() > limits::NOTE_BYTES_MAX {
                return too_long("words");
            }
            match incident.state {
                IncidentState::Resolved => Answer::Facts(vec![Fact::Incident(incident::Fact::Reopened {
                    id: *id,
                    because: said(words),
                    notify_at: now + incident.times.group_wait,
                })]),
                IncidentState::New | IncidentState::Acknowledged | IncidentState::InProgress | IncidentState::OnHold => Answer::Holds,
                IncidentState::Closed => not_allowed(incident),
            }
        }),
        Action::Close { id } => on(state, *id, |incident| match incident.state {
            IncidentState::Resolved => Answer::Facts(vec![Fact::Incident(incident::Fact::Closed { id: *id, because: said("") })]),
            IncidentState::Closed => Answer::Holds,
            IncidentState::New | IncidentState::Acknowledged | IncidentState::InProgress | IncidentState::OnHold => not_allowed(incident),
        }),
        Action::Detach { id, alert } => on(state, *id, |incident| {
            if !incident.state.is_open() {
                return not_allowed(incident);
            }
            match state.cell(*alert) {
                Some(cell) if cell.alert.incident == Some(*id) => Answer::Facts(vec![
                    Fact::Alert(alert::Fact::SetApart { id: *alert }),
                    Fact::Incident(incident::Fact::Detached { id: *id, alert: *alert, because: said("") }),
                ]),
                Some(_) if state.members.contains_key(&(*id, *alert)) => Answer::Holds,
                Some(_) | None => invalid("alert", format!("an alert of {id}")),
            }
        }),
        Action::SetPriority { id, priority, words } => on(state, *id, |incident| {
            if words.len() > limits::NOTE_BYTES_MAX {
                return too_long("words");
            }
            if !incident.state.is_open() {
                not_allowed(incident)
            } else if incident.priority == *priority && incident.priority_by_hand {
                Answer::Holds
            } else {
                Answer::Facts(vec![Fact::Incident(incident::Fact::Rated {
                    id: *id,
                    impact: incident.impact,
                    urgency: incident.urgency,
                    priority: *priority,
                    services: incident.services.clone(),
                    because: said(words),
                    by_hand: true,
                })])
            }
        }),
        Action::SetSilence { id, matchers, starts_at, ends_at, comment } => {
            set_silence(state, *id, matchers, (*starts_at, *ends_at), comment, actor, now)
        }
        Action::ExpireSilence { id } => match state.silences.get(id) {
            None => Answer::NotFound,
            Some(silence) if silence.record.ends_at <= now => Answer::Holds,
            Some(_) => Answer::Facts(vec![Fact::Silence(silence::Fact::Expired { id: *id, actor: actor.to_owned() })]),
        },
        Action::RetryMessage { id } => match state.messages.get(id) {
            None => Answer::NotFound,
            Some(message) if message.state == MessageState::Rendered || message.state == MessageState::Planned => {
                let error = format!("{actor} asked to try again at once");
                Answer::Facts(vec![Fact::Message(message::Fact::Failed { id: *id, error, retry_at: Some(now) })])
            }
            Some(_) => Answer::Holds,
        },
    }
}

/// Alertmanager's rules: at least one matcher, one of them not matching the empty text, an end after the start and to come.
fn set_silence(
    state: &State,
    id: Option<SilenceId>,
    matchers: &[StoredMatcher],
    (starts_at, ends_at): (Time, Time),
    comment: &str,
    actor: &str,
    now: Time,
) -> Answer {
    if matchers.is_empty() {
        return invalid("matchers", "at least one".to_owned());
    }
    let mut some_selects = false;
    for (n, m) in matchers.iter().enumerate() {
        match crate::expr::Matcher::new(&m.name, &m.value, m.is_regex, m.is_equal) {
            Ok(matcher) => some_selects |= !matcher.holds(&crate::expr::AlertView::default()),
            Err(fault) => return invalid(&format!("matchers[{n}]"), fault.message),
        }
    }
    if !some_selects {
        return invalid("matchers", "one that does not match an alert without labels".to_owned());
    }
    let starts_at = starts_at.max(now.min(starts_at));
    if ends_at <= starts_at || ends_at <= now {
        return invalid("endsAt", "a time after startsAt and to come".to_owned());
    }
    if comment.len() > limits::NOTE_BYTES_MAX {
        return too_long("comment");
    }
    let known = match id {
        None => None,
        Some(id) => match state.silences.get(&id) {
            None => return Answer::NotFound,
            Some(known) => Some(&known.record),
        },
    };
    let number = known.map_or(SilenceId(state.counters.silences + 1), |record| record.id);
    let record = Silence {
        id: number,
        uuid: known.map_or_else(|| uuid(state, number), |record| record.uuid.clone()),
        matchers: matchers.to_vec(),
        starts_at,
        ends_at,
        created_by: actor.to_owned(),
        comment: comment.to_owned(),
        updated_at: now,
        version: known.map_or(1, |record| record.version + 1),
    };
    let alike = |record: &Silence, other: &Silence| {
        (&record.matchers, record.ends_at, &record.comment) == (&other.matchers, other.ends_at, &other.comment)
    };
    if known.is_some_and(|known| alike(known, &record) && known.starts_at == record.starts_at) {
        return Answer::Holds;
    }
    Answer::Facts(vec![Fact::Silence(silence::Fact::Set { silence: Box::new(record) })])
}

/// A UUID of version 8 (RFC 9562): the store's id and the number, hashed.
fn uuid(state: &State, id: SilenceId) -> String {
    let store = state.counters.store;
    let mut bytes = [store.high.to_be_bytes(), store.low.to_be_bytes(), id.0.to_be_bytes()].concat();
    bytes.extend_from_slice(b"silence");
    let hash = xxhash_rust::xxh3::xxh3_128(&bytes);
    let (a, b) = ((hash >> 64) as u64, hash as u64);
    let (a, b) = (a & !0xf000 | 0x8000, b & !(0b11 << 62) | 0b10 << 62);
    format!("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", a >> 32, a >> 16 & 0xffff, a & 0xffff, b >> 48, b & 0xffff_ffff_ffff)
}

fn on(state: &State, id: IncidentId, then: impl FnOnce(&Incident) -> Answer) -> Answer {
    match state.incidents.get(&id) {
        None => Answer::NotFound,
        Some(incident) if incident.parent.is_some() => not_allowed(incident),
        Some(incident) => then(incident),
    }
}

fn not_allowed(incident: &Incident) -> Answer {
    if incident.parent.is_some() {
        return Answer::NotAllowed { state: "child", allowed: CHILD };
    }
    let allowed = match incident.state {
        IncidentState::OnHold => ON_HOLD,
        IncidentState::New | IncidentState::Acknowledged | IncidentState::InProgress => OPEN,
        IncidentState::Resolved => RESOLVED,
        IncidentState::Closed => &[],
    };
    Answer::NotAllowed { state: incident.state.word(), allowed }
}

fn moved(id: IncidentId, to: IncidentState, because: Because) -> Fact {
    Fact::Incident(incident::Fact::Moved { id, to, because })
}

fn assigned(id: IncidentId, to: &str, because: Because) -> Fact {
    Fact::Incident(incident::Fact::Assigned { id, to: to.to_owned(), because })
}

fn bad_text(place: &str, text: &str) -> Option<Answer> {
    if text.trim().is_empty() {
        Some(invalid(place, "some text".to_owned()))
    } else if text.len() > limits::NOTE_BYTES_MAX {
        Some(too_long(place))
    } else {
        None
    }
}

fn too_long(place: &str) -> Answer {
    invalid(place, format!("at most {} bytes", limits::NOTE_BYTES_MAX))
}

fn invalid(place: &str, expected: String) -> Answer {
    Answer::Invalid(Refused { place: place.to_owned(), expected })
}
