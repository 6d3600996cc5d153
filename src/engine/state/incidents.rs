//! Incidents that are not closed: their members, their groups, what each has adopted, and the timers they want.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

use super::alerts;
use super::memo::Memo;
use super::realms::Counts;
use super::rows::Row;
use super::{Apply, Part, Shared, State, Timer, drop_from};
use crate::cmdb::Cmdb;
use crate::ids::{AlertId, IncidentId, Realm};
use crate::limits;
use crate::model::incident::{Entry, Fact, Incident, Member};
use crate::words::Role;

/// Incidents that are not closed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Incidents {
    /// Present and past.
    members: BTreeMap<(IncidentId, AlertId), Member>,
    live: Shared<IncidentId, Incident>,
    by_group: BTreeMap<Realm, BTreeMap<String, BTreeSet<IncidentId>>>,
    pub(super) children: BTreeMap<IncidentId, BTreeSet<IncidentId>>,
    /// Closed ones whose members are still in memory: they leave it some with each batch.
    closing: BTreeSet<IncidentId>,
    /// Those whose symptoms are all asked about when something touches them next: what conditions see of the incident changed since they were.
    unasked: Memo<BTreeSet<IncidentId>>,
    past: Shared<IncidentId, Incident>,
    timeline: BTreeMap<(IncidentId, u32), Entry>,
}

impl Deref for Incidents {
    type Target = Shared<IncidentId, Incident>;

    fn deref(&self) -> &Self::Target {
        &self.live
    }
}

impl Incidents {
    /// Those that were closed in this batch.
    pub fn past(&self) -> &Shared<IncidentId, Incident> {
        &self.past
    }

    /// Members of those, present and past.
    pub fn members(&self) -> &BTreeMap<(IncidentId, AlertId), Member> {
        &self.members
    }

    /// The timeline entries that this batch wrote.
    pub fn new_entries(&self) -> &BTreeMap<(IncidentId, u32), Entry> {
        &self.timeline
    }

    /// Drops members of closed incidents out of memory, some with each batch: their rows stay.
    fn drop_members(&mut self) {
        let mut room = limits::CURSOR_ITEMS_MAX;
        while let Some(id) = self.closing.first().copied().filter(|_| room > 0) {
            let members = self.members.range((id, AlertId(0))..=(id, AlertId(u64::MAX)));
            let gone: Vec<_> = members.take(room).map(|(key, _)| *key).collect();
            if gone.len() < room {
                self.closing.remove(&id);
            }
            room -= gone.len();
            for key in gone {
                self.members.remove(&key);
            }
        }
    }

    /// Takes an incident that leaves memory out of the indexes.
    fn unindex(&mut self, incident: &Incident) {
        if let Some(groups) = self.by_group.get_mut(&incident.realm) {
            drop_from(groups, &incident.group, &incident.id);
        }
        if let Some(parent) = incident.parent {
            drop_from(&mut self.children, &parent, &incident.id);
        }
    }
}

impl State {
    /// Whether all symptoms of an incident are to be asked about: who hears of them.
    pub(crate) fn is_unasked(&self, incident: IncidentId) -> bool {
        self.incidents.unasked.contains(&incident)
    }

    /// All its symptoms were asked about, or are to be.
    pub(crate) fn set_unasked(&mut self, incident: IncidentId, is_unasked: bool) {
        if is_unasked && self.tally(incident).symptoms > 0 && self.incidents.contains_key(&incident) {
            self.incidents.unasked.insert(incident);
        } else if !is_unasked {
            self.incidents.unasked.remove(&incident);
        }
    }

    /// Another World is in force, or a start: conditions may see every incident otherwise.
    pub(super) fn ask_about_all(&mut self) {
        let with_symptoms = self.incidents.live.keys().copied().filter(|id| self.tally(*id).symptoms > 0).collect();
        self.incidents.unasked = Memo(with_symptoms);
    }

    /// Live incidents of a realm with these group values, oldest first.
    pub fn incidents_with_group(&self, realm: &Realm, group: &str) -> impl Iterator<Item = &Incident> {
        self.incidents
            .by_group
            .get(realm)
            .and_then(|groups| groups.get(group))
            .into_iter()
            .flatten()
            .filter_map(|id| self.incidents.get(id))
    }

    /// The incidents that an incident has adopted whole.
    pub fn children_of(&self, incident: IncidentId) -> impl Iterator<Item = IncidentId> {
        self.incidents.children.get(&incident).into_iter().flatten().copied()
    }

    /// Moves an incident in the indexes from the parent it had before it changed, none where it is new.
    fn index_incident(&mut self, id: IncidentId, parent_before: Option<IncidentId>) {
        let Incidents { live, by_group, children, .. } = &mut self.incidents;
        let Some(incident) = live.get(&id) else { return };
        let groups = by_group.entry(incident.realm.clone()).or_default();
        match groups.get_mut(&incident.group) {
            Some(alike) => drop(alike.insert(id)),
            None => drop(groups.insert(incident.group.clone(), BTreeSet::from([id]))),
        }
        if incident.parent != parent_before {
            if let Some(before) = parent_before {
                drop_from(children, &before, &id);
            }
            if let Some(parent) = incident.parent {
                children.entry(parent).or_default().insert(id);
            }
        }
    }

    /// Arms what an incident wants.
    fn arm_incident(&mut self, id: IncidentId) {
        let Some(incident) = self.incidents.live.get(&id) else { return };
        let due = [
            (incident.notify_at, Timer::Notify(id)),
            (incident.settle_at, Timer::Settle(id)),
            (incident.close_at, Timer::Close(id)),
            (incident.hold_until, Timer::Hold(id)),
            (incident.release_at, Timer::Release(id)),
            (incident.clock_at, Timer::Clock(id)),
        ];
        for (at, timer) in due {
            self.arm(at, timer);
        }
    }

    /// Puts an alert into an incident, out of the one it was in. The one it opened itself stays its own, for a release.
    fn attach(&mut self, member: &Member, cx: &mut Apply<'_>) {
        self.incidents.members.insert((member.incident, member.alert), member.clone());
        cx.touch(Row::Member(member.incident, member.alert));
        alerts::set_incident(self, member.alert, Some(member.incident), member.role, cx);
    }

    fn close_incident(&mut self, id: IncidentId, cx: &mut Apply<'_>) {
        let incidents = &mut self.incidents;
        if let Some(incident) = incidents.live.remove(&id) {
            incidents.unindex(&incident);
            cx.touch_past(Row::PastIncident(id), &*incident);
            incidents.past.insert(id, incident);
            incidents.unasked.remove(&id);
        }
        incidents.closing.insert(id);
    }
}

impl Part for Incidents {
    type Fact = Fact;

    fn apply(state: &mut State, fact: &Fact, cx: &mut Apply<'_>) {
        let (id, now) = (fact.id(), cx.now);
        if let Fact::Opened { incident } = fact {
            take_incident(state, (**incident).clone());
            state.give(id.shard(), Counts::Incidents, id.number(), cx);
        }
        let incidents = &mut state.incidents;
        let Some(incident) = incidents.live.get_mut(&id) else { return };
        let parent_before = incident.parent.filter(|_| !matches!(fact, Fact::Opened { .. }));
        if let Some(entry) = fact.entry(now) {
            incidents.timeline.insert((id, incident.timeline_len), entry);
            cx.touch(Row::Timeline(id, incident.timeline_len));
        }
        incident.apply(fact, now);
        if matches!(fact, Fact::Opened { .. }) {
            incident.timeline_len = 1;
        }
        state.index_incident(id, parent_before);
        state.arm_incident(id);
        state.move_outages(fact, cx);
        cx.touch(Row::Incident(id));
        if fact.changes_view() {
            state.set_rated(id, false);
            state.set_unasked(id, true);
        }
        // All other facts change the incident's own record alone.
        if let Fact::Attached { member } = fact {
            state.attach(member, cx);
        } else if let Fact::Detached { alert, because, .. } = fact {
            if let Some(member) = state.incidents.members.get_mut(&(id, *alert)) {
                member.left_at = Some(now);
                member.because = because.clone();
                cx.touch(Row::Member(id, *alert));
            }
            alerts::set_incident(state, *alert, None, Role::Member, cx);
        } else if let Fact::Closed { .. } = fact {
            state.close_incident(id, cx);
        }
    }

    fn derive(state: &mut State, _: &Cmdb) {
        for id in state.incidents.live.keys().copied().collect::<Vec<_>>() {
            state.index_incident(id, None);
        }
        state.ask_about_all();
    }

    fn arm(state: &mut State) {
        for id in state.incidents.live.keys().copied().collect::<Vec<_>>() {
            state.arm_incident(id);
        }
    }

    fn settle(&mut self) {
        self.past.clear();
        self.timeline.clear();
        self.drop_members();
    }
}

pub(super) fn incident<'a>(state: &'a State, id: &IncidentId) -> Option<&'a Incident> {
    state.incidents.live.get(id)
}

pub(super) fn take_incident(state: &mut State, mut incident: Incident) {
    incident.realm = state.shared(&incident.realm);
    state.incidents.live.insert(incident.id, incident);
}

pub(super) fn member<'a>(state: &'a State, incident: &IncidentId, alert: &AlertId) -> Option<&'a Member> {
    state.incidents.members.get(&(*incident, *alert))
}

pub(super) fn take_member(state: &mut State, member: Member) {
    if state.incidents.live.contains_key(&member.incident) {
        state.incidents.members.insert((member.incident, member.alert), member);
    }
}

pub(super) fn entry<'a>(state: &'a State, incident: &IncidentId, position: &u32) -> Option<&'a Entry> {
    state.incidents.timeline.get(&(*incident, *position))
}

pub(super) fn past_incident<'a>(state: &'a State, id: &IncidentId) -> Option<&'a Incident> {
    state.incidents.past.get(id)
}
