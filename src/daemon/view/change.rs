//! What happened to an incident as a CloudEvent, as `[kafka.out]` writes it. README has the table of types.
//!
//! Made of one fact of the journal and of nothing else, so that whenever it is written again it is the same, byte for byte. `data` has each field of the incident
//! that the change sets, under the name that it has in `/api/v1/incidents`, with its new value.

use serde::Serialize;
use watchkeeper_engine::fact;
use watchkeeper_engine::ids::{AlertId, IncidentId, ProblemId};
use watchkeeper_engine::model::incident::{Entry, Fact, Incident, ServiceHit};
use watchkeeper_engine::time::Time;
use watchkeeper_engine::words::{IncidentState, Level, Priority, SlaTarget};

use super::{HoldView, ServiceView, given};
use crate::events::Cursor;

/// One change of one incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeView {
    /// The incident: what is written about one stays in order.
    pub incident: IncidentId,
    /// When it happened.
    pub at: Time,
    /// The CloudEvent, in JSON.
    pub body: Vec<u8>,
}

/// CloudEvents 1.0 in its structured form.
#[derive(Serialize)]
struct CloudEvent<'a> {
    specversion: &'a str,
    id: String,
    source: &'a str,
    #[serde(rename = "type")]
    kind: String,
    subject: IncidentId,
    time: Time,
    datacontenttype: &'a str,
    data: Data,
}

#[derive(Serialize)]
struct Data {
    incident: IncidentId,
    what: String,
    because: Option<String>,
    actor: String,
    #[serde(flatten)]
    set: Set,
}

/// What a change sets.
#[derive(Serialize)]
#[serde(untagged)]
enum Set {
    Nothing {},
    Whole(Box<Whole>),
    State { state: IncidentState, hold: Option<HoldView> },
    Reopened { state: IncidentState, assignee: Option<String>, resolved_by: Option<String>, resolution: Option<String> },
    Resolved { state: IncidentState, hold: Option<HoldView>, resolved_by: Option<String>, resolution: Option<String> },
    Closed { state: IncidentState },
    Assignee { assignee: Option<String> },
    Rated { priority: Priority, priority_by_hand: bool, impact: Level, urgency: Level, services: Vec<ServiceView> },
    Cause { cause: Option<AlertId>, ci: String, title: String, team: Option<String> },
    Services { services: Vec<ServiceView> },
    Parent { parent: Option<IncidentId> },
    Muted { muted: bool },
    Problem { problem: ProblemId },
    Sla { sla: String, target: SlaTarget, percent: u8 },
}

/// An incident as it was opened.
#[derive(Serialize)]
struct Whole {
    state: IncidentState,
    priority: Priority,
    priority_by_hand: bool,
    impact: Level,
    urgency: Level,
    title: String,
    realm: String,
    ci: String,
    team: Option<String>,
    assignee: Option<String>,
    services: Vec<ServiceView>,
    rule: String,
    group: String,
    parent: Option<IncidentId>,
    recurrence_of: Option<IncidentId>,
    muted: bool,
    runbook: Option<String>,
    began_at: Time,
    opened_at: Time,
}

impl ChangeView {
    /// What the fact at a place of the journal says; `None`: nothing that changes an incident.
    pub fn of(source: &str, place: Cursor, fact: &fact::Fact, at: Time) -> Option<ChangeView> {
        let fact::Fact::Incident(fact) = fact else { return None };
        let (word, set) = set(fact)?;
        let Entry { what, because, actor, .. } = fact.entry(at)?;
        let incident = fact.id();
        let event = CloudEvent {
            specversion: "1.0",
            // The time is part of it because a store that was restored goes on with sequences that were used before.
            id: format!("{}-{place}", at.0),
            source,
            kind: format!("watchkeeper.incident.{word}"),
            subject: incident,
            time: at,
            datacontenttype: "application/json",
            data: Data { incident, what, because: given(&because), actor, set },
        };
        let body = serde_json::to_vec(&event).expect("its keys are texts");
        Some(ChangeView { incident, at, body })
    }
}

/// The last part of the type, and what it sets. What an incident's alerts, messages and timers do is no change of it.
fn set(fact: &Fact) -> Option<(&'static str, Set)> {
    Some(match fact {
        Fact::Opened { incident } => ("opened", Set::Whole(Box::new(Whole::of(incident)))),
        Fact::Moved { to, .. } => (to.word(), Set::State { state: *to, hold: None }),
        Fact::Held { reason, until, .. } => {
            let hold = Some(HoldView { reason: reason.clone(), until: *until });
            (IncidentState::OnHold.word(), Set::State { state: IncidentState::OnHold, hold })
        }
        Fact::Assigned { to, .. } => ("assigned", Set::Assignee { assignee: given(to) }),
        Fact::Rated { impact, urgency, priority, services, by_hand, .. } => (
            "rated",
            Set::Rated {
                priority: *priority,
                priority_by_hand: *by_hand,
                impact: *impact,
                urgency: *urgency,
                services: affected(services),
            },
        ),
        Fact::CauseNamed { cause, item, title, team, .. } => {
            ("cause_named", Set::Cause { cause: *cause, ci: item.clone(), title: title.clone(), team: given(team) })
        }
        Fact::Hurts { services, .. } => ("affects", Set::Services { services: affected(services) }),
        Fact::Resolved { by, words, .. } => (
            IncidentState::Resolved.word(),
            Set::Resolved { state: IncidentState::Resolved, hold: None, resolved_by: given(by), resolution: given(words) },
        ),
        Fact::Reopened { .. } => {
            ("reopened", Set::Reopened { state: IncidentState::New, assignee: None, resolved_by: None, resolution: None })
        }
        Fact::Closed { .. } => (IncidentState::Closed.word(), Set::Closed { state: IncidentState::Closed }),
        Fact::Emptied { by, .. } => ("adopted", Set::Parent { parent: Some(*by) }),
        Fact::GivenBack { .. } => ("released", Set::Parent { parent: None }),
        Fact::Muted { muted: true, .. } => ("muted", Set::Muted { muted: true }),
        Fact::Muted { muted: false, .. } => ("unmuted", Set::Muted { muted: false }),
        Fact::Linked { problem, .. } => ("linked", Set::Problem { problem: *problem }),
        Fact::ClockReached { name, reached, .. } => {
            let last = reached.last()?;
            ("sla_reached", Set::Sla { sla: name.clone(), target: last.target, percent: last.percent })
        }
        Fact::Noted { .. } | Fact::SourceSaid { .. } => ("noted", Set::Nothing {}),
        Fact::Attached { .. }
        | Fact::Detached { .. }
        | Fact::SettleArmed { .. }
        | Fact::NotifyArmed { .. }
        | Fact::ReleaseArmed { .. }
        | Fact::Told { .. }
        | Fact::NobodyTold { .. }
        | Fact::ClockAttached { .. }
        | Fact::ClockArmed { .. }
        | Fact::ClockMissed { .. }
        | Fact::Backdated { .. } => return None,
    })
}

impl Whole {
    fn of(incident: &Incident) -> Whole {
        Whole {
            state: incident.state,
            priority: incident.priority,
            priority_by_hand: incident.priority_by_hand,
            impact: incident.impact,
            urgency: incident.urgency,
            title: incident.title.clone(),
            realm: incident.realm.to_string(),
            ci: incident.item.clone(),
            team: given(&incident.team),
            assignee: given(&incident.assignee),
            services: affected(&incident.services),
            rule: incident.rule.clone(),
            group: incident.group.clone(),
            parent: incident.parent,
            recurrence_of: incident.recurrence_of,
            muted: incident.muted,
            runbook: given(&incident.runbook),
            began_at: incident.began_at,
            opened_at: incident.opened_at,
        }
    }
}

fn affected(hits: &[ServiceHit]) -> Vec<ServiceView> {
    hits.iter().map(|hit| ServiceView::of(hit, None)).collect()
}
