//! Which incident a firing alert belongs to: its cause's, its own, one of the same group, one resolved recently, or a new one.

use crate::decide::cause::Cause;
use crate::ids::IncidentId;
use crate::model::alert::Alert;
use crate::model::incident::Incident;
use crate::policy::correlate::Correlate;
use crate::state::State;
use crate::text::Because;
use crate::time::Time;
use crate::words::{IncidentState, Role};

/// What becomes of a firing alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It stays where it is.
    Stays,
    /// It stays a symptom while its cause has cleared only just: a release decides later.
    WaitsForRelease(IncidentId),
    /// It joins an open incident.
    Joins {
        /// Which.
        incident: IncidentId,
        /// As what.
        role: Role,
        /// Why.
        because: Because,
    },
    /// The incident it had before its cause adopted it stands on its own again.
    GivesBack {
        /// Which.
        incident: IncidentId,
    },
    /// A resolved incident comes back.
    Reopens {
        /// Which.
        incident: IncidentId,
        /// Why.
        because: Because,
    },
    /// A new incident.
    Opens {
        /// The one before it with the same group.
        recurrence_of: Option<IncidentId>,
        /// Why.
        because: Because,
    },
}

/// Decides for an alert that fires unmuted. `leaving` is an incident it is being released from: then that is no place to stay.
pub fn verdict(
    state: &State,
    alert: &Alert,
    rule: &Correlate,
    group: &str,
    cause: Option<Cause>,
    leaving: Option<IncidentId>,
    now: Time,
) -> Verdict {
    let live = |id: Option<IncidentId>| id.filter(|id| Some(*id) != leaving).and_then(|id| state.incidents.get(&id));
    if let Some(cause) = cause
        && Some(cause.incident) != leaving
    {
        let there = alert.incident == Some(cause.incident) && alert.role == cause.role;
        let own = alert.incident == Some(cause.incident) && cause.role == Role::Member;
        return if there || own {
            Verdict::Stays
        } else {
            Verdict::Joins { incident: cause.incident, role: cause.role, because: cause.because }
        };
    }
    if alert.role == Role::Symptom
        && let Some(incident) = live(alert.incident)
        && incident.is_open()
    {
        return Verdict::WaitsForRelease(incident.id);
    }
    if let Some(own) = live(alert.own_incident) {
        if own.is_open() {
            return if alert.incident == Some(own.id) {
                Verdict::Stays
            } else {
                Verdict::Joins { incident: own.id, role: Role::Member, because: Because::OwnIncident }
            };
        }
        if own.parent.is_some() && own.state.is_open() {
            return Verdict::GivesBack { incident: own.id };
        }
    }
    let alike = || state.incidents_with_group(group).filter(|incident| Some(incident.id) != leaving && incident.parent.is_none());
    let young = |incident: &&Incident| incident.is_open() && now < incident.opened_at + rule.join_within;
    if let Some(open) = alike().find(young) {
        let because = Because::SameGroup { key: group.to_owned() };
        return Verdict::Joins { incident: open.id, role: Role::Member, because };
    }
    let resolved = || alike().filter(|incident| incident.state == IncidentState::Resolved);
    let latest = resolved().max_by_key(|incident| (incident.resolved_at, incident.id));
    if let Some(incident) = latest
        && let Some(at) = incident.resolved_at
        && now < at + incident.times.reopen_within
    {
        let because = Because::ResolvedRecently { ago: now - at, within: incident.times.reopen_within };
        return Verdict::Reopens { incident: incident.id, because };
    }
    Verdict::Opens { recurrence_of: latest.map(|incident| incident.id), because: Because::NothingOpen { key: group.to_owned() } }
}
