//! Which incident a firing alert belongs to: its cause's, its own, one of the same group, one resolved recently, or a new one.

use crate::decide::cause::Cause;
use crate::decide::rate::Rating;
use crate::event::{Grade, Report, World};
use crate::expr::View;
use crate::ids::{IncidentId, Realm};
use crate::model::alert::{Alert, CiRef};
use crate::model::incident::clock::begun;
use crate::model::incident::{Incident, SourceWords, Times};
use crate::policy::correlate::Correlate;
use crate::sight;
use crate::state::State;
use crate::text::Because;
use crate::time::Time;
use crate::words::{IncidentState, Reason, Role};

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
    let alike =
        || state.incidents_with_group(&alert.realm, group).filter(|incident| Some(incident.id) != leaving && incident.parent.is_none());
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

/// What a new incident is opened with.
#[derive(Debug)]
pub struct Opening<'a> {
    /// The alert that opens it.
    pub alert: &'a Alert,
    /// That alert's rule.
    pub rule: &'a Correlate,
    /// Its group.
    pub group: String,
    /// What it is called.
    pub title: String,
    /// How bad it is.
    pub rating: Rating,
    /// The one before it.
    pub recurrence_of: Option<IncidentId>,
    /// Why it opens.
    pub because: Because,
    /// What its first mail is: opened, or released.
    pub notify_as: Reason,
}

/// The record of a new incident, with the next number.
pub fn opened(state: &State, world: &World, view: &View<'_>, opening: Opening<'_>, now: Time) -> Incident {
    let Opening { alert, rule, group, title, rating, recurrence_of, because, notify_as } = opening;
    Incident {
        group,
        ci: alert.ci.clone(),
        item: sight::item_name(world, &alert.ci).to_owned(),
        title,
        team: owner(world, &alert.ci),
        cause: Some(alert.id),
        because,
        began_at: alert.started_at,
        notify_at: Some(now + rule.group_wait),
        notify_as,
        recurrence_of,
        runbook: rule.runbook.as_ref().map(|template| template.render(view)).unwrap_or_default(),
        ..record(state, rule, &alert.realm, rating, now)
    }
}

/// The record of an incident on `ci` that somebody reports: no alert is its cause, none joins it, and its mail waits for no company. It keeps the times of the
/// built-in rule.
pub fn reported(state: &State, world: &World, report: &Report, ci: CiRef, rating: Rating, because: Because, now: Time) -> Incident {
    let blank = record(state, world.policy.correlate.default_rule(), &Realm::MAIN, rating, now);
    Incident {
        group: format!("reported={}", blank.id),
        item: sight::item_name(world, &ci).to_owned(),
        team: owner(world, &ci),
        ci,
        title: report.title.clone(),
        because,
        priority_by_hand: matches!(report.grade, Grade::Priority { .. }),
        ..blank
    }
}

/// What every new incident begins with, due to be told at once.
fn record(state: &State, rule: &Correlate, realm: &Realm, rating: Rating, now: Time) -> Incident {
    Incident {
        id: state.next_incident_id(state.shard(realm)),
        group: String::new(),
        rule: rule.name.clone(),
        state: IncidentState::New,
        ci: CiRef::Unknown(String::new()),
        item: String::new(),
        title: String::new(),
        subject: String::new(),
        impact: rating.impact,
        urgency: rating.urgency,
        priority: rating.priority,
        team: String::new(),
        assignee: String::new(),
        services: rating.services,
        cause: None,
        because: Because::OwnIncident,
        opened_at: now,
        began_at: now,
        acknowledged_at: None,
        resolved_at: None,
        closed_at: None,
        updated_at: now,
        notify_at: Some(now),
        notify_as: Reason::Opened,
        settle_at: None,
        close_at: None,
        times: Times {
            join_within: rule.join_within,
            resolve_after: rule.resolve_after,
            reopen_within: rule.reopen_within,
            close_after: rule.close_after,
            group_wait: rule.group_wait,
        },
        parent: None,
        recurrence_of: None,
        reopened: 0,
        hold_reason: String::new(),
        hold_until: None,
        resolved_by: String::new(),
        resolution: String::new(),
        alert_count: 0,
        told: Vec::new(),
        timeline_len: 0,
        muted: false,
        version: 0,
        realm: realm.clone(),
        runbook: String::new(),
        priority_by_hand: false,
        release_at: None,
        reopened_at: None,
        log: begun(now, rating.priority),
        clocks: Vec::new(),
        clock_at: None,
        earlier: None,
        problem: None,
        source_said: SourceWords::default(),
    }
}

fn owner(world: &World, ci: &CiRef) -> String {
    ci.known().and_then(|no| world.cmdb.ci(no)).map(|ci| ci.owner.clone()).unwrap_or_default()
}
