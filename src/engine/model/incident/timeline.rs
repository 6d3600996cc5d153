//! What a timeline says of each fact about an incident: a sentence, why, and who.

use super::clock::{BREACH, Reached};
use super::{Entry, Fact, ServiceHit, SourceSaid};
use crate::input::Says;
use crate::text::Because;
use crate::time::Time;

impl Fact {
    /// What the timeline says of it; clocks that are armed say nothing.
    pub fn entry(&self, at: Time) -> Option<Entry> {
        let (what, because) = match self {
            Fact::Opened { incident } => (format!("opened as {}: {}", incident.priority, incident.title), Some(&incident.because)),
            Fact::Attached { member } => (format!("{} {} on {} joined", member.role, member.name, member.item), Some(&member.because)),
            Fact::Detached { alert, because, .. } => (format!("{alert} left"), Some(because)),
            Fact::Emptied { by, .. } => (format!("became a child of {by}"), None),
            Fact::GivenBack { because, .. } => ("stands on its own again".to_owned(), Some(because)),
            Fact::CauseNamed { item, because, .. } => (format!("cause: {item}"), Some(because)),
            Fact::Rated { priority, because, .. } => (format!("priority {priority}"), Some(because)),
            Fact::Moved { to, because, .. } => (to.word().replace('_', " "), Some(because)),
            Fact::Assigned { to, because, .. } => (format!("assigned to {to}"), Some(because)),
            Fact::Noted { because, .. } => ("note".to_owned(), Some(because)),
            Fact::SourceSaid { said, .. } => return of_source(said, at),
            Fact::Held { reason, because, .. } => (format!("on hold: {}", reason.replace('_', " ")), Some(because)),
            Fact::Resolved { because, .. } => ("resolved".to_owned(), Some(because)),
            Fact::Reopened { because, .. } => ("reopened".to_owned(), Some(because)),
            Fact::Closed { because, .. } => ("closed".to_owned(), Some(because)),
            Fact::Told { told, .. } => (format!("notified {} ({}) by {}", told.address, told.reason, told.rule), None),
            Fact::Muted { muted: true, .. } => ("muted".to_owned(), Some(&Because::AllMuted)),
            Fact::Muted { muted: false, .. } => ("no longer muted".to_owned(), None),
            Fact::NobodyTold { why, .. } => (format!("nobody notified: {why}"), None),
            Fact::Hurts { services, .. } => (hurts(services), None),
            Fact::ClockAttached { clock, .. } => (format!("SLA {} counts", clock.name), None),
            Fact::ClockReached { name, reached, .. } => (used_up(name, reached), None),
            Fact::Linked { problem, .. } => (format!("an outage of problem {problem}"), None),
            Fact::Backdated { .. } => ("its SLA clocks count from its earliest alert".to_owned(), None),
            Fact::ClockMissed { due_at, .. } => (format!("a sweep found what its SLA clocks had used up at {due_at}"), None),
            Fact::ClockArmed { .. } | Fact::SettleArmed { .. } | Fact::NotifyArmed { .. } | Fact::ReleaseArmed { .. } => return None,
        };
        let actor = match because {
            Some(Because::Operator { actor, .. }) => actor.clone(),
            _ => "watchkeeper".to_owned(),
        };
        let because = match because {
            Some(Because::Operator { words, .. }) => words.clone(),
            Some(because) => because.to_string(),
            None => String::new(),
        };
        Some(Entry { at, what, because, actor })
    }
}

/// What a source passed on, in its name.
fn of_source(said: &SourceSaid, at: Time) -> Option<Entry> {
    let by = |by: &String| if by.is_empty() { String::new() } else { format!(" by {by}") };
    let (what, because) = match &said.says {
        Says::Acknowledged { by: who } | Says::Acknowledge { actor: who } => {
            (format!("{} acknowledged at its source{}", said.alert, by(who)), String::new())
        }
        Says::Noted { by: who, text } => (format!("note on {} at its source{}", said.alert, by(who)), text.clone()),
        Says::State => return None,
    };
    Some(Entry { at, what, because, actor: said.source.clone() })
}

/// `SLA gold: 75 % of the time to resolution is used`, or that it is broken.
fn used_up(name: &str, reached: &[Reached]) -> String {
    let Some(last) = reached.last() else { return format!("SLA {name}") };
    let target = last.target;
    if last.percent >= BREACH {
        return format!("SLA {name} breached: {target} was due {}", last.at);
    }
    let shares: Vec<String> = reached.iter().map(|one| format!("{} %", one.percent)).collect();
    format!("SLA {name}: {} of the time to {target} used", shares.join(" and "))
}

fn hurts(services: &[ServiceHit]) -> String {
    if services.is_empty() {
        return "hurts no service any more".to_owned();
    }
    let named: Vec<String> = services.iter().map(|hit| format!("{} ({})", hit.id, hit.health.word().replace('_', " "))).collect();
    format!("hurts {}", named.join(", "))
}
