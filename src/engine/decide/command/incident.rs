//! What an operator can want of an incident.

use super::{Answer, Asked, Decision, Subject, Then, bad_text, invalid, too_long};
use crate::command::IncidentVerb;
use crate::event::Report;
use crate::fact::Fact;
use crate::ids::{AlertId, IncidentId, Shard};
use crate::limits;
use crate::model::alert;
use crate::model::incident::{self, Incident};
use crate::text::{Because, one_line};
use crate::time::Time;
use crate::words::{HOLD_REASONS, IncidentState, Priority, Reason};

/// They have it.
pub(super) fn acknowledge(asked: Asked<'_>, id: IncidentId) -> Decision {
    on(asked, id, |incident| match incident.state {
        IncidentState::New => {
            let mut facts = vec![moved(id, IncidentState::Acknowledged, asked.said(""))];
            if incident.assignee.is_empty() {
                facts.push(assigned(id, asked.actor, asked.said("")));
            }
            Answer::Does { facts, then: Then::Tell(id, Reason::Acknowledged) }
        }
        // Nobody has responded: it was moved without a name.
        IncidentState::Acknowledged | IncidentState::InProgress | IncidentState::OnHold
            if incident.acknowledged_at.is_none() && !asked.actor.trim().is_empty() =>
        {
            let to = if incident.assignee.is_empty() { asked.actor } else { incident.assignee.as_str() };
            Answer::Does { facts: vec![assigned(id, to, asked.said(""))], then: Then::Tell(id, Reason::Acknowledged) }
        }
        IncidentState::Acknowledged | IncidentState::InProgress | IncidentState::OnHold => Answer::Holds,
        IncidentState::Resolved | IncidentState::Closed => not_allowed(incident),
    })
}

/// Somebody has it.
pub(super) fn assign(asked: Asked<'_>, id: IncidentId, to: &str) -> Decision {
    on(asked, id, |incident| {
        if !incident.state.is_open() {
            return not_allowed(incident);
        }
        if let Some(answer) = bad_text("to", to) {
            return answer;
        }
        if incident.assignee == *to {
            return Answer::Holds;
        }
        let mut facts = vec![assigned(id, to, asked.said(""))];
        if incident.state == IncidentState::New {
            facts.push(moved(id, IncidentState::Acknowledged, asked.said("")));
        }
        Answer::Does { facts, then: Then::Tell(id, Reason::Assigned) }
    })
}

/// They write something down; of a child too.
pub(super) fn note(asked: Asked<'_>, id: IncidentId, text: &str) -> Decision {
    let answer = match asked.state.incidents.get(&id) {
        None => Answer::NotFound,
        Some(_) => bad_text("text", text)
            .unwrap_or_else(|| Answer::does(vec![Fact::Incident(incident::Fact::Noted { id, because: asked.said(text) })])),
    };
    Decision { subject: Subject::Incident(id), answer }
}

/// It waits.
pub(super) fn hold(asked: Asked<'_>, id: IncidentId, reason: &str, until: Option<Time>) -> Decision {
    on(asked, id, |incident| {
        if !HOLD_REASONS.contains(&reason) {
            return invalid("reason", format!("one of {}", HOLD_REASONS.join(", ")));
        }
        if until.is_some_and(|until| until <= asked.now) {
            return invalid("until", "a time to come".to_owned());
        }
        if !incident.state.is_open() {
            not_allowed(incident)
        } else if incident.hold_reason == reason && incident.hold_until == until {
            Answer::Holds
        } else {
            let held = incident::Fact::Held { id, reason: reason.to_owned(), until, because: asked.said("") };
            Answer::Does { facts: vec![Fact::Incident(held)], then: Then::Tell(id, Reason::Held) }
        }
    })
}

/// It no longer waits.
pub(super) fn resume(asked: Asked<'_>, id: IncidentId) -> Decision {
    on(asked, id, |incident| match incident.state {
        IncidentState::OnHold => Answer::does(vec![moved(id, IncidentState::InProgress, asked.said(""))]),
        IncidentState::InProgress => Answer::Holds,
        IncidentState::New | IncidentState::Acknowledged | IncidentState::Resolved | IncidentState::Closed => not_allowed(incident),
    })
}

/// It is over.
pub(super) fn resolve(asked: Asked<'_>, id: IncidentId, words: &str) -> Decision {
    on(asked, id, |incident| {
        if let Some(answer) = too_long("words", words) {
            return answer;
        }
        match incident.state {
            IncidentState::Resolved => Answer::Holds,
            IncidentState::Closed => not_allowed(incident),
            // What is on its way into it may still fire.
            IncidentState::New | IncidentState::Acknowledged | IncidentState::InProgress | IncidentState::OnHold
                if asked.state.is_merged_into(id) =>
            {
                merging()
            }
            IncidentState::New | IncidentState::Acknowledged | IncidentState::InProgress | IncidentState::OnHold => {
                let fires = asked.state.tally(id).active > 0;
                let resolved = incident::Fact::Resolved {
                    id,
                    because: asked.said(words),
                    by: asked.actor.to_owned(),
                    words: words.to_owned(),
                    settle_at: fires.then_some(asked.now + incident.times.resolve_after),
                    close_at: asked.now + incident.times.close_after,
                };
                Answer::Does { facts: vec![Fact::Incident(resolved)], then: Then::Resolved(id) }
            }
        }
    })
}

/// It is not over.
pub(super) fn reopen(asked: Asked<'_>, id: IncidentId, words: &str) -> Decision {
    on(asked, id, |incident| {
        if let Some(answer) = too_long("words", words) {
            return answer;
        }
        match incident.state {
            IncidentState::Resolved => Answer::does(vec![Fact::Incident(incident::Fact::Reopened {
                id,
                because: asked.said(words),
                notify_at: asked.now + incident.times.group_wait,
            })]),
            IncidentState::New | IncidentState::Acknowledged | IncidentState::InProgress | IncidentState::OnHold => Answer::Holds,
            IncidentState::Closed => not_allowed(incident),
        }
    })
}

/// It is history.
pub(super) fn close(asked: Asked<'_>, id: IncidentId) -> Decision {
    on(asked, id, |incident| match incident.state {
        IncidentState::Resolved => {
            let closed = incident::Fact::Closed { id, because: asked.said("") };
            Answer::Does { facts: vec![Fact::Incident(closed)], then: Then::Closed(id) }
        }
        IncidentState::Closed => Answer::Holds,
        IncidentState::New | IncidentState::Acknowledged | IncidentState::InProgress | IncidentState::OnHold => not_allowed(incident),
    })
}

/// An alert does not belong there.
pub(super) fn detach(asked: Asked<'_>, id: IncidentId, alert: AlertId) -> Decision {
    on(asked, id, |incident| {
        if !incident.state.is_open() {
            return not_allowed(incident);
        }
        if asked.state.is_merged_into(id) {
            return merging();
        }
        match asked.state.cell(alert) {
            Some(cell) if cell.alert.incident == Some(id) => {
                let apart = Fact::Alert(alert::Fact::SetApart { id: alert });
                let left = Fact::Incident(incident::Fact::Detached { id, alert, because: asked.said("") });
                Answer::Does { facts: vec![apart, left], then: Then::Attach(alert) }
            }
            Some(_) if asked.state.incidents.members().contains_key(&(id, alert)) => Answer::Holds,
            Some(_) | None => invalid("alert", format!("an alert of {id}")),
        }
    })
}

/// Its priority is another.
pub(super) fn set_priority(asked: Asked<'_>, id: IncidentId, priority: Priority, words: &str) -> Decision {
    on(asked, id, |incident| {
        if let Some(answer) = too_long("words", words) {
            return answer;
        }
        if !incident.state.is_open() {
            not_allowed(incident)
        } else if incident.priority == priority && incident.priority_by_hand {
            Answer::Holds
        } else {
            let rated = incident::Fact::Rated {
                id,
                impact: incident.impact,
                urgency: incident.urgency,
                priority,
                services: incident.services.clone(),
                because: asked.said(words),
                by_hand: true,
            };
            let raised = priority < incident.priority;
            let then = if raised { Then::TellRaised(id, incident.priority) } else { Then::Nothing };
            Answer::Does { facts: vec![Fact::Incident(rated)], then }
        }
    })
}

/// Somebody reports a fault.
pub(super) fn report(asked: Asked<'_>, report: &Report) -> Decision {
    let subject = Subject::Incident(asked.state.next_incident_id(Shard::MAIN));
    let long = |place: &str, text: &str| {
        (text.len() > limits::NAME_BYTES_MAX).then(|| invalid(place, format!("at most {} bytes", limits::NAME_BYTES_MAX)))
    };
    let report = Report { title: one_line(&report.title), ci: one_line(&report.ci), ..report.clone() };
    let fault = bad_text("title", &report.title)
        .or_else(|| long("title", &report.title))
        .or_else(|| bad_text("ci", &report.ci))
        .or_else(|| long("ci", &report.ci))
        .or_else(|| too_long("words", &report.words));
    let because = asked.said(&report.words);
    let answer = fault.unwrap_or(Answer::Does { facts: Vec::new(), then: Then::Open(report, because) });
    Decision { subject, answer }
}

/// Others are the same fault. What is a child of it already stays so.
pub(super) fn merge(asked: Asked<'_>, id: IncidentId, children: &[IncidentId]) -> Decision {
    on(asked, id, |incident| {
        if !incident.state.is_open() {
            return not_allowed(incident);
        }
        let mut joining = Vec::new();
        for child in children {
            match asked.state.incidents.get(child) {
                Some(other) if other.parent == Some(id) => {}
                Some(_) if asked.state.is_merged_into(*child) => return merging(),
                Some(other) if other.is_open() && *child != id => joining.push(*child),
                Some(_) | None => {
                    return invalid("children", format!("open incidents other than {id}, none of them a child; {child} is none"));
                }
            }
        }
        if children.is_empty() || children.len() > limits::MERGED_MAX {
            return invalid("children", format!("1 to {} incidents", limits::MERGED_MAX));
        }
        if joining.is_empty() {
            return Answer::Holds;
        }
        Answer::Does { facts: Vec::new(), then: Then::Merge(id, joining) }
    })
}

fn on(asked: Asked<'_>, id: IncidentId, then: impl FnOnce(&Incident) -> Answer) -> Decision {
    let answer = match asked.state.incidents.get(&id) {
        None => Answer::NotFound,
        Some(incident) if incident.parent.is_some() => not_allowed(incident),
        Some(incident) => then(incident),
    };
    Decision { subject: Subject::Incident(id), answer }
}

fn not_allowed(incident: &Incident) -> Answer {
    let words = |verbs: &[IncidentVerb]| verbs.iter().map(|verb| verb.word()).collect();
    if incident.parent.is_some() {
        return Answer::NotAllowed { state: "child", allowed: words(IncidentVerb::OF_A_CHILD) };
    }
    Answer::NotAllowed { state: incident.state.word(), allowed: words(IncidentVerb::allowed_in(incident.state)) }
}

/// Others are still being merged into it.
fn merging() -> Answer {
    let allowed = IncidentVerb::WHILE_MERGING.iter().map(|verb| verb.word()).collect();
    Answer::NotAllowed { state: "merging", allowed }
}

fn moved(id: IncidentId, to: IncidentState, because: Because) -> Fact {
    Fact::Incident(incident::Fact::Moved { id, to, because })
}

fn assigned(id: IncidentId, to: &str, because: Because) -> Fact {
    Fact::Incident(incident::Fact::Assigned { id, to: to.to_owned(), because })
}
