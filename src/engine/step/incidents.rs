//! Incidents on their way: opened, settled after whatever touched them, resolved, closed.

use super::Turn;
use crate::decide::{attach, rate};
use crate::event::Report;
use crate::ids::{IncidentId, Realm};
use crate::limits;
use crate::model::alert::CiRef;
use crate::model::cursor::Work;
use crate::model::incident;
use crate::sight;
use crate::text::Because;
use crate::words::{IncidentState, Reason};

impl Turn<'_> {
    /// After whatever touched it: its cause, its rating, its mute, its quiet clock and its mails.
    pub(super) fn settle_incident(&mut self, id: IncidentId) {
        if !self.is_open(id) {
            self.settle_resolved(id);
            self.settle_clocks(id);
            return;
        }
        self.name_cause(id);
        let before = self.state.incidents.get(&id).map(|incident| incident.priority);
        self.rate(id);
        self.settle_mute(id);
        self.settle_quiet(id);
        let raised = self.state.incidents.get(&id).map(|incident| incident.priority) < before;
        if let Some(before) = before.filter(|_| raised) {
            self.tell_told(id, Reason::Raised, before);
        }
        self.settle_clocks(id);
        self.tell_newly_due(id);
    }

    /// Somebody reports a fault: an incident without alerts, which lives until an operator resolves it.
    pub(super) fn open_reported(&mut self, report: &Report, because: Because) {
        let ci = match self.world.cmdb.find(&report.ci) {
            Some(no) => CiRef::Known(no),
            None => CiRef::Unknown(report.ci.clone()),
        };
        let rating = rate::reported(self.state.health(&Realm::MAIN), self.world, &ci, report.grade);
        let incident = attach::reported(self.state, self.world, report, ci, rating, because, self.now);
        self.put(incident::Fact::Opened { incident: Box::new(incident) });
    }

    /// Others are the same fault: they become its children at once, and their alerts join it in the roles they have.
    pub(super) fn merge(&mut self, id: IncidentId, children: &[IncidentId], actor: &str) {
        for child in children {
            self.put(incident::Fact::Emptied { id: *child, by: id });
        }
        for child in children {
            self.begin(Work::Merge { from: *child, into: id, actor: actor.to_owned() });
        }
        self.incidents.insert(id);
    }

    /// Its cause is the earliest alert that is no symptom, where the one named left it; until the first mail, also where another one means worse.
    fn name_cause(&mut self, id: IncidentId) {
        let Some(incident) = self.state.incidents.get(&id) else { return };
        let named = incident.cause.and_then(|cause| self.state.cell(cause)).filter(|cell| cell.alert.incident == Some(id));
        let Some(next) = self.state.first_cause(id) else { return };
        let worse = |cell: &crate::state::AlertCell| {
            incident.subject.is_empty() && next.alert.is_active() && next.alert.means < cell.alert.means && next.alert.ci == cell.alert.ci
        };
        if named.is_some_and(|cell| !worse(cell)) {
            return;
        }
        let item = sight::item_name(self.world, &next.alert.ci).to_owned();
        let title = if item == incident.item { incident.title.clone() } else { format!("{} on {item}", next.alert.name) };
        let team = next.alert.ci.known().and_then(|no| self.world.cmdb.ci(no)).map(|ci| ci.owner.clone());
        self.put(incident::Fact::CauseNamed {
            id,
            cause: Some(next.alert.id),
            ci: next.alert.ci.clone(),
            item,
            title,
            team: team.unwrap_or_else(|| incident.team.clone()),
            because: Because::OwnIncident,
        });
    }

    /// Priority follows upward at once, downward only by hand; services follow both ways while something fires. Nothing to do where what it rests on is as it was.
    fn rate(&mut self, id: IncidentId) {
        let Some(incident) = self.state.incidents.get(&id) else { return };
        let tally = self.state.tally(id);
        if tally.urgency().is_none() || self.state.is_rated(id) {
            return;
        }
        let rating = rate::rate(self.state.health(&incident.realm), self.world, &incident.ci, rate::Burden::of_incident(tally));
        if rating.priority < incident.priority && !incident.priority_by_hand {
            self.put(incident::Fact::Rated {
                id,
                impact: rating.impact,
                urgency: rating.urgency,
                priority: rating.priority,
                because: Because::Matrix { impact: rating.impact, because: rating.because, urgency: rating.urgency },
                services: rating.services,
                by_hand: false,
            });
        } else if rating.services != incident.services {
            self.put(incident::Fact::Hurts { id, services: rating.services });
        }
        self.state.set_rated(id, true);
    }

    /// An incident whose every firing alert is muted sends no mail; what clears under the mute leaves it so.
    fn settle_mute(&mut self, id: IncidentId) {
        let Some(incident) = self.state.incidents.get(&id) else { return };
        let tally = self.state.tally(id);
        if tally.active == 0 {
            return;
        }
        let muted = tally.audible == 0;
        // What people were told of has cleared: that something that hung off it is silenced does not silence its end.
        let is_over = tally.active == tally.active_symptoms && incident.told.iter().any(incident::Told::is_of_its_own);
        if muted && is_over {
            return;
        }
        if muted != incident.muted {
            let untold = incident.told.is_empty();
            let subject = incident.subject.clone();
            self.put(incident::Fact::Muted { id, muted });
            if !muted && untold {
                self.put(incident::Fact::NotifyArmed { id, at: Some(self.now), subject });
            }
        }
    }

    /// It resolves once everything has been clear for a while; a return breaks the quiet.
    fn settle_quiet(&mut self, id: IncidentId) {
        let Some(incident) = self.state.incidents.get(&id) else { return };
        let at = if self.state.tally(id).active > 0 || self.state.is_merged_into(id) {
            None
        } else {
            let last = self.state.last_cleared(id);
            last.filter(|last| Some(*last) >= incident.reopened_at).map(|last| last + incident.times.resolve_after)
        };
        if at != incident.settle_at {
            self.put(incident::Fact::SettleArmed { id, at });
        }
    }

    /// Resolved by hand while it fires, it reopens by itself; what clears meanwhile ends that.
    fn settle_resolved(&mut self, id: IncidentId) {
        let resolved = self.state.incidents.get(&id).filter(|incident| incident.state == IncidentState::Resolved);
        let armed = resolved.is_some_and(|incident| incident.settle_at.is_some());
        if armed && self.state.tally(id).active == 0 {
            self.put(incident::Fact::SettleArmed { id, at: None });
        }
    }

    /// Its time to settle has come: quiet long enough, or resolved by hand and still firing.
    pub(super) fn settle_due(&mut self, id: IncidentId) {
        let Some(incident) = self.state.incidents.get(&id) else { return };
        if incident.settle_at.is_none_or(|at| at > self.now) || incident.parent.is_some() {
            return;
        }
        let (alerts, firing) = (self.state.tally(id).alerts, self.state.tally(id).active);
        match incident.state {
            IncidentState::Resolved if firing > 0 => {
                let notify_at = self.now + incident.times.group_wait;
                self.put(incident::Fact::Reopened { id, because: Because::StillFires { alerts: firing }, notify_at });
            }
            IncidentState::New | IncidentState::Acknowledged | IncidentState::InProgress | IncidentState::OnHold if firing == 0 => {
                let because = Because::AllCleared { alerts, quiet: incident.times.resolve_after };
                let close_at = self.now + incident.times.close_after;
                self.put(incident::Fact::Resolved { id, because, by: String::new(), words: String::new(), settle_at: None, close_at });
                self.resolved(id);
            }
            IncidentState::New
            | IncidentState::Acknowledged
            | IncidentState::InProgress
            | IncidentState::OnHold
            | IncidentState::Resolved
            | IncidentState::Closed => {}
        }
    }

    /// What follows from a resolution: its mails, and its children end with it.
    pub(super) fn resolved(&mut self, id: IncidentId) {
        // What was used up before is said before.
        self.settle_clocks(id);
        let Some(incident) = self.state.incidents.get(&id) else { return };
        let (priority, subject, untold) = (incident.priority, incident.subject.clone(), incident.notify_at.is_some());
        if untold {
            // It came and went within its group_wait: nobody was told, nobody has to hear that it is over.
            self.put(incident::Fact::NotifyArmed { id, at: None, subject });
        } else {
            self.tell_told(id, Reason::Resolved, priority);
        }
        if self.state.children_of(id).next().is_some() {
            self.begin(Work::Resolve { incident: id });
        }
    }

    /// Its time to close has come.
    pub(super) fn close_due(&mut self, id: IncidentId) {
        let Some(incident) = self.state.incidents.get(&id) else { return };
        let Some(at) = incident.close_at.filter(|at| *at <= self.now && incident.state == IncidentState::Resolved) else { return };
        let span = incident.resolved_at.map(|resolved| at - resolved).unwrap_or_default();
        self.tell_command(id, Reason::Closed);
        self.put(incident::Fact::Closed { id, because: Because::ResolvedFor { span } });
        self.closed(id);
    }

    /// A hold that has ended by its own time.
    pub(super) fn hold_due(&mut self, id: IncidentId) {
        let Some(incident) = self.state.incidents.get(&id) else { return };
        if incident.hold_until.is_some_and(|until| until <= self.now) && self.in_state(id, IncidentState::OnHold) {
            // What nobody has responded to is as new as it was.
            let to = if incident.acknowledged_at.is_some() { IncidentState::InProgress } else { IncidentState::New };
            self.put(incident::Fact::Moved { id, to, because: Because::HoldEnded });
        }
    }

    /// Symptoms that still fire after their cause cleared go to another cause, or back to an incident of their own.
    pub(super) fn release_due(&mut self, id: IncidentId) {
        let Some(incident) = self.state.incidents.get(&id) else { return };
        if incident.release_at.is_none_or(|at| at > self.now) {
            return;
        }
        self.put(incident::Fact::ReleaseArmed { id, at: None });
        self.begin(Work::Release { incident: id });
    }

    /// Alerts that left an incident take along what they explained there, and the children whose alerts these are.
    ///
    /// A chain follows link by link: each that moves lets the others look again. What no cause explains any more waits for a release.
    pub(super) fn follow_what_left(&mut self) {
        for _ in 0..limits::FOLLOW_ROUNDS_MAX {
            let left = std::mem::take(&mut self.left);
            if left.is_empty() {
                return;
            }
            for incident in left {
                if self.state.tally(incident).active_symptoms > 0 || self.state.children_of(incident).next().is_some() {
                    self.begin(Work::Follow { incident });
                }
            }
            self.begin_pending();
        }
        for id in std::mem::take(&mut self.left) {
            self.arm_release(id);
        }
    }
}
