//! SLA clocks on their way: attached to incidents, looked at when a share of their time is used up, and told of once.

use super::Turn;
use crate::decide::{clock, notify};
use crate::ids::IncidentId;
use crate::model::incident::Incident;
use crate::model::{incident, terms};
use crate::time::Time;
use crate::words::Role;

/// What a fact means for the clocks of its incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Touch {
    /// What SLAs look at changed, so another may hold.
    Rates,
    /// It moves those that run.
    Moves,
    /// Nothing.
    Nothing,
}

/// Another alert moves nothing: it costs the same however many clocks run.
pub(super) fn touch(fact: &incident::Fact) -> Touch {
    match fact {
        incident::Fact::Opened { .. }
        | incident::Fact::CauseNamed { .. }
        | incident::Fact::Rated { .. }
        | incident::Fact::Hurts { .. }
        | incident::Fact::Held { .. }
        | incident::Fact::Reopened { .. }
        | incident::Fact::GivenBack { .. } => Touch::Rates,
        incident::Fact::Emptied { .. }
        | incident::Fact::Moved { .. }
        | incident::Fact::Assigned { .. }
        | incident::Fact::Resolved { .. }
        | incident::Fact::ClockAttached { .. }
        | incident::Fact::Noted { .. }
        | incident::Fact::ClockMissed { .. }
        | incident::Fact::Backdated { .. } => Touch::Moves,
        incident::Fact::Attached { .. }
        | incident::Fact::Detached { .. }
        | incident::Fact::Closed { .. }
        | incident::Fact::SettleArmed { .. }
        | incident::Fact::NotifyArmed { .. }
        | incident::Fact::Told { .. }
        | incident::Fact::Muted { .. }
        | incident::Fact::NobodyTold { .. }
        | incident::Fact::ReleaseArmed { .. }
        | incident::Fact::ClockReached { .. }
        | incident::Fact::ClockArmed { .. }
        | incident::Fact::SourceSaid { .. }
        | incident::Fact::Linked { .. } => Touch::Nothing,
    }
}

impl Turn<'_> {
    /// Attaches the clocks that are missing, says what is used up, and arms the next look; nothing where nothing moved and nothing is due.
    pub(super) fn settle_clocks(&mut self, id: IncidentId) {
        if let Some(heard) = self.adopted.remove(&id) {
            self.backdate(id, heard);
        }
        let touch = self.touched.remove(&id).unwrap_or(Touch::Nothing);
        if touch == Touch::Rates && self.is_open(id) {
            self.attach_clocks(id);
        }
        let Some(incident) = self.state.incidents.get(&id).filter(|incident| !incident.clocks.is_empty()) else { return };
        if touch == Touch::Nothing && !self.touched.contains_key(&id) && incident.clock_at.is_none_or(|at| at > self.now) {
            return;
        }
        let due = clock::due(self.state, incident, self.now);
        for one in &due {
            self.put(incident::Fact::ClockReached { id, name: one.name.clone(), reached: one.reached.clone() });
        }
        // Before the first mail nobody knows of the incident.
        if due.iter().flat_map(|one| &one.reached).all(|reached| !reached.waits) {
            self.tell_clocks(id, &due);
        }
        let Some(incident) = self.state.incidents.get(&id) else { return };
        let next = clock::next(self.state, incident, self.now);
        if next != incident.clock_at {
            self.put(incident::Fact::ClockArmed { id, at: next });
        }
        self.touched.remove(&id);
    }

    /// What adopted counts from the earliest of its alerts: of what it adopted just now, and of its cause.
    fn backdate(&mut self, id: IncidentId, heard: Time) {
        let Some(incident) = self.state.incidents.get(&id) else { return };
        if let Some(to) = clock::backdated(self.state, incident, heard) {
            self.put(incident::Fact::Backdated { id, to });
        }
    }

    /// What a fact about an incident means for its clocks, until they are settled.
    pub(super) fn note_clocks(&mut self, fact: &incident::Fact) {
        let id = fact.id();
        let touch = touch(fact);
        if touch != Touch::Nothing {
            let known = self.touched.entry(id).or_insert(touch);
            *known = if touch == Touch::Rates { touch } else { *known };
        }
        if let incident::Fact::Attached { member } = fact
            && member.role == Role::Symptom
            && let Some(cell) = self.state.cell(member.alert)
        {
            let heard = clock::heard(&cell.alert);
            let earliest = self.adopted.entry(id).or_insert(heard);
            *earliest = heard.min(*earliest);
        }
    }

    fn attach_clocks(&mut self, id: IncidentId) {
        let Some(incident) = self.state.incidents.get(&id) else { return };
        for (clock, terms) in clock::wanted(self.state, self.world, incident, self.now) {
            if !self.state.terms.contains_key(&clock.terms) {
                self.put(terms::Fact::Kept { terms: Box::new(terms.clone()) });
            }
            self.put(incident::Fact::ClockAttached { id, clock: Box::new(clock) });
        }
    }

    /// One mail a person for whatever is used up at this moment: what fell due while nobody looked is one mail too.
    pub(super) fn tell_clocks(&mut self, id: IncidentId, due: &[clock::Due]) {
        let tells = |incident: &&Incident| !due.is_empty() && !incident.muted && incident.parent.is_none();
        let Some(incident) = self.state.incidents.get(&id).filter(tells) else { return };
        if incident.subject.is_empty() {
            let subject = notify::subject(self.state, self.world, incident);
            let at = incident.notify_at;
            self.put(incident::Fact::NotifyArmed { id, at, subject });
        }
        let Some(incident) = self.state.incidents.get(&id) else { return };
        let planned = notify::of_clocks(self.state, self.world, incident, due, self.now);
        self.carry_out(id, planned);
    }
}
