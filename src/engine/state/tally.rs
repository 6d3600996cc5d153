//! What judgements ask of the alerts of an item or an incident, moved with each fact, so that an answer costs the same however many alerts there are.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use super::State;
use super::health::Mover;
use super::memo::Memo;
use crate::cmdb::Cmdb;
use crate::ids::{AlertId, CiNo, IncidentId, Realm};
use crate::model::alert::{Alert, CiRef};
use crate::time::Time;
use crate::words::{AlertState, Explains, Level, Means, Role};

/// The alerts of items and incidents, in the orders and counts that judgements ask for. Derived: a start builds it again.
#[derive(Debug, Clone, Default)]
pub(super) struct Tallies {
    /// Alerts that fire on a known item, pending ones among them.
    on_item: BTreeSet<(CiNo, AlertId)>,
    /// Those that have no known item, by the value they were looked up by.
    unknown: BTreeMap<String, BTreeSet<AlertId>>,
    /// By realm and item: how many of `on_item` mean degraded.
    degraded: BTreeMap<Realm, BTreeMap<CiNo, u32>>,
    /// Judged and unmuted, with the incident each stands in.
    firing: BTreeSet<(CiNo, Option<IncidentId>, AlertId)>,
    /// Those that explain something, the earliest of an item and reach first.
    explaining: BTreeSet<(CiNo, Explains, Time, AlertId)>,
    /// Those that count as down for their item, muted ones among them.
    down: BTreeSet<(CiNo, AlertId)>,
    /// Alerts attached to an incident, cleared ones among them.
    in_incident: BTreeSet<(IncidentId, AlertId)>,
    /// Those that are no symptoms, the one first that an incident would name as its cause.
    causes: BTreeSet<(IncidentId, CauseRank)>,
    /// Those that are symptoms, by item, those that fire first.
    symptoms: BTreeSet<SymptomKey>,
    /// Those that have cleared, by when.
    cleared: BTreeSet<(IncidentId, Time, AlertId)>,
    /// Alerts that are a symptom of another incident than their own, or of that, or in none, by their own.
    away: BTreeSet<(IncidentId, AlertId)>,
    incidents: BTreeMap<IncidentId, Tally>,
    /// Counts whenever a member of a group goes down or comes up, or another World is in force: what ratings rest on beside the incident's own.
    group_moves: u64,
    /// Alerts that were looked at one by one because they are an incident's.
    visits: Memo<Cell<u64>>,
}

/// What fires before what has cleared, then the worse, then the earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct CauseRank {
    is_cleared: bool,
    means: Means,
    started_at: Time,
    id: AlertId,
}

/// Whether symptoms that have cleared are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cleared {
    /// They are.
    Too,
    /// Only what fires.
    Not,
}

/// A symptom: its incident, whether it has cleared, its item where the CMDB knows that, and itself.
type SymptomKey = (IncidentId, bool, Option<CiNo>, AlertId);

/// The alerts of an incident, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// All, cleared ones among them.
    pub alerts: u32,
    /// Those that are symptoms.
    pub symptoms: u32,
    /// Those that fire, muted and pending ones among them.
    pub active: u32,
    /// Symptoms among the active.
    pub active_symptoms: u32,
    /// Items of the symptoms. One that the CMDB does not know counts for each alert.
    pub symptom_items: u32,
    /// Items of the active symptoms.
    pub active_symptom_items: u32,
    /// Active ones that are neither muted nor only recorded.
    pub audible: u32,
    /// Judged and unmuted ones that are no symptoms, by urgency.
    urgencies: [u32; Level::ALL.len()],
    /// Of those, what they do to known items.
    faults: BTreeMap<(CiNo, Means), u32>,
    /// Which move of groups the incident was last rated after; `None` where what its rating rests on changed since.
    rated_after: Memo<Option<u64>>,
}

impl Tally {
    /// The urgency of what fires and is no symptom; `None` where nothing does.
    pub fn urgency(&self) -> Option<Level> {
        Level::ALL.iter().copied().find(|level| self.urgencies[*level as usize] > 0)
    }

    /// What fires and is no symptom does this to known items; each once, in order.
    pub fn faults(&self) -> impl Iterator<Item = (CiNo, Means)> {
        self.faults.keys().copied()
    }

    fn count(&mut self, standing: &Standing, by: Step) {
        let active = standing.is_active();
        let symptom = standing.role == Role::Symptom;
        let audible = active && !matches!(standing.state, AlertState::Suppressed | AlertState::Recorded);
        for (count, counts) in [
            (&mut self.alerts, true),
            (&mut self.symptoms, symptom),
            (&mut self.active, active),
            (&mut self.active_symptoms, active && symptom),
            (&mut self.audible, audible),
            (&mut self.urgencies[standing.urgency as usize], standing.state == AlertState::Firing && !symptom),
        ] {
            if counts {
                by.go(count);
            }
        }
        if let Some(fault) = standing.fault() {
            count_key(&mut self.faults, fault, by);
        }
        if standing.state == AlertState::Firing && !symptom {
            self.rated_after = Memo(None);
        }
    }
}

/// One more, or one less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Up,
    Down,
}

impl Step {
    fn go(self, count: &mut u32) {
        match self {
            Step::Up => *count += 1,
            Step::Down => *count -= 1,
        }
    }
}

/// Counts a key up or down; what is counted down to nothing goes.
fn count_key<K: Ord>(counts: &mut BTreeMap<K, u32>, key: K, by: Step) {
    match by {
        Step::Up => *counts.entry(key).or_default() += 1,
        Step::Down => match counts.get_mut(&key) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => drop(counts.remove(&key)),
        },
    }
}

/// What of an alert all this rests on: taken before and after a fact. What is equal moves nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    id: AlertId,
    ci: CiRef,
    state: AlertState,
    means: Means,
    explains: Explains,
    urgency: Level,
    started_at: Time,
    cleared_at: Option<Time>,
    incident: Option<IncidentId>,
    own_incident: Option<IncidentId>,
    role: Role,
}

impl Standing {
    pub(super) fn of(alert: &Alert) -> Standing {
        Standing {
            id: alert.id,
            ci: alert.ci.clone(),
            state: alert.state,
            means: alert.means,
            explains: alert.explains,
            urgency: alert.urgency,
            started_at: alert.started_at,
            cleared_at: alert.cleared_at,
            incident: alert.incident,
            own_incident: alert.own_incident,
            role: alert.role,
        }
    }

    fn is_active(&self) -> bool {
        self.state != AlertState::Cleared
    }

    fn on_item(&self) -> Option<(CiNo, AlertId)> {
        Some((self.ci.known().filter(|_| self.is_active())?, self.id))
    }

    fn unknown(&self) -> Option<&str> {
        match &self.ci {
            CiRef::Unknown(value) if self.is_active() && !value.is_empty() => Some(value),
            CiRef::Unknown(_) | CiRef::Known(_) => None,
        }
    }

    fn degraded(&self) -> Option<CiNo> {
        self.ci.known().filter(|_| self.is_active() && self.means == Means::Degraded)
    }

    fn firing_on(&self) -> Option<CiNo> {
        self.ci.known().filter(|_| self.state == AlertState::Firing)
    }

    fn firing(&self) -> Option<(CiNo, Option<IncidentId>, AlertId)> {
        Some((self.firing_on()?, self.incident, self.id))
    }

    fn explaining(&self) -> Option<(CiNo, Explains, Time, AlertId)> {
        let ci = self.firing_on().filter(|_| self.explains != Explains::Nothing)?;
        Some((ci, self.explains, self.started_at, self.id))
    }

    /// It was judged, fires, muted or not, and means so.
    fn down(&self) -> Option<(CiNo, AlertId)> {
        let judged = matches!(self.state, AlertState::Firing | AlertState::Suppressed);
        Some((self.ci.known().filter(|_| judged && self.means == Means::Down)?, self.id))
    }

    fn in_incident(&self) -> Option<(IncidentId, AlertId)> {
        Some((self.incident?, self.id))
    }

    fn symptom(&self) -> Option<SymptomKey> {
        let incident = self.incident.filter(|_| self.role == Role::Symptom)?;
        Some((incident, !self.is_active(), self.ci.known(), self.id))
    }

    fn cleared(&self) -> Option<(IncidentId, Time, AlertId)> {
        Some((self.incident?, self.cleared_at.filter(|_| !self.is_active())?, self.id))
    }

    fn away(&self) -> Option<(IncidentId, AlertId)> {
        let own = self.own_incident.filter(|own| self.incident != Some(*own) || self.role == Role::Symptom)?;
        Some((own, self.id))
    }

    fn cause(&self) -> Option<(IncidentId, CauseRank)> {
        let incident = self.incident.filter(|_| self.role != Role::Symptom)?;
        let rank = CauseRank { is_cleared: !self.is_active(), means: self.means, started_at: self.started_at, id: self.id };
        Some((incident, rank))
    }

    /// What it does to its item, where it fires and is no symptom.
    fn fault(&self) -> Option<(CiNo, Means)> {
        let ci = self.firing_on().filter(|_| self.role != Role::Symptom && self.means != Means::Nothing)?;
        Some((ci, self.means))
    }
}

impl Tallies {
    /// Moves an alert from where it stood to where it stands.
    fn shift(&mut self, before: Option<&Standing>, after: Option<&Standing>) {
        swap(&mut self.on_item, before.and_then(Standing::on_item), after.and_then(Standing::on_item));
        swap(&mut self.firing, before.and_then(Standing::firing), after.and_then(Standing::firing));
        swap(&mut self.explaining, before.and_then(Standing::explaining), after.and_then(Standing::explaining));
        swap(&mut self.down, before.and_then(Standing::down), after.and_then(Standing::down));
        swap(&mut self.in_incident, before.and_then(Standing::in_incident), after.and_then(Standing::in_incident));
        swap(&mut self.causes, before.and_then(Standing::cause), after.and_then(Standing::cause));
        swap(&mut self.cleared, before.and_then(Standing::cleared), after.and_then(Standing::cleared));
        swap(&mut self.away, before.and_then(Standing::away), after.and_then(Standing::away));
        for (standing, by) in [(before, Step::Down), (after, Step::Up)] {
            let Some(standing) = standing else { continue };
            if let Some(incident) = standing.incident {
                let items = standing.symptom().map(|key| self.go_symptom(key, by)).unwrap_or_default();
                let tally = self.incidents.entry(incident).or_default();
                tally.count(standing, by);
                if items.is_first {
                    by.go(&mut tally.symptom_items);
                }
                if items.is_first_active {
                    by.go(&mut tally.active_symptom_items);
                }
                if tally.alerts == 0 {
                    self.incidents.remove(&incident);
                }
            }
        }
        let (was, is) = (before.and_then(Standing::unknown), after.and_then(Standing::unknown));
        if was != is {
            if let (Some(value), Some(standing)) = (was, before)
                && let Some(alerts) = self.unknown.get_mut(value)
            {
                alerts.remove(&standing.id);
                if alerts.is_empty() {
                    self.unknown.remove(value);
                }
            }
            if let (Some(value), Some(standing)) = (is, after) {
                self.unknown.entry(value.to_owned()).or_default().insert(standing.id);
            }
        }
    }

    fn go_symptom(&mut self, key: SymptomKey, by: Step) -> Items {
        if by == Step::Down {
            self.symptoms.remove(&key);
        }
        let (incident, is_cleared, ci, _) = key;
        let is_alone = |is_cleared| ci.is_none() || self.on_one_item(incident, is_cleared, ci).next().is_none();
        let is_first_active = !is_cleared && is_alone(false);
        let items = Items { is_first: is_alone(false) && is_alone(true), is_first_active };
        if by == Step::Up {
            self.symptoms.insert(key);
        }
        items
    }

    fn on_one_item(&self, incident: IncidentId, is_cleared: bool, ci: Option<CiNo>) -> impl Iterator<Item = &SymptomKey> {
        self.symptoms.range((incident, is_cleared, ci, AlertId(0))..=(incident, is_cleared, ci, AlertId(u64::MAX)))
    }
}

/// What a symptom that comes or goes is to the items of its incident's symptoms.
#[derive(Debug, Clone, Copy, Default)]
struct Items {
    /// No other symptom is on its item.
    is_first: bool,
    /// It fires, and no other that fires is.
    is_first_active: bool,
}

fn swap<K: Ord>(keys: &mut BTreeSet<K>, before: Option<K>, after: Option<K>) {
    if before != after {
        if let Some(before) = before {
            keys.remove(&before);
        }
        if let Some(after) = after {
            keys.insert(after);
        }
    }
}

impl State {
    /// Where an alert stands; `None` where it does not live.
    pub(super) fn standing(&self, id: AlertId) -> Option<Standing> {
        self.cell(id).map(|cell| Standing::of(&cell.alert))
    }

    /// Moves an alert in every count and order, and in the health of items, from where it stood before a fact to where it stands.
    pub(super) fn shift(&mut self, cmdb: &Cmdb, before: Option<&Standing>, after: Option<&Standing>) {
        if before == after {
            return;
        }
        let (was, is) = (before.and_then(Standing::down), after.and_then(Standing::down));
        let (degraded, degrades) = (before.and_then(Standing::degraded), after.and_then(Standing::degraded));
        if (was != is || degraded != degrades)
            && let Some(standing) = before.or(after)
            && let Some(realm) = self.cell(standing.id).map(|cell| cell.alert.realm.clone())
        {
            // What it gave up, and what it came upon.
            let mut moved = [Vec::new(), Vec::new()];
            let health = self.alerts.health.entry(realm.clone()).or_default();
            if let Some((ci, _)) = was.filter(|_| was != is) {
                moved[0].append(&mut health.remove_down(cmdb, ci));
            }
            if let Some((ci, _)) = is.filter(|_| was != is) {
                moved[1].append(&mut health.add_down(cmdb, ci));
            }
            if moved.iter().flatten().any(|ci| cmdb.groups_of(*ci).next().is_some()) {
                self.alerts.tallies.group_moves += 1;
            }
            let counts = self.alerts.tallies.degraded.entry(realm.clone()).or_default();
            for (ci, by) in [(degraded, Step::Down), (degrades, Step::Up)] {
                if let Some(ci) = ci {
                    count_key(counts, ci, by);
                }
            }
            moved[0].extend(degraded);
            moved[1].extend(degrades);
            for (moved, on) in moved.iter().zip([before, after]) {
                if let Some(on) = on.and_then(|standing| standing.ci.known()) {
                    self.look_at_health(cmdb, &realm, moved, Mover::Alert { id: standing.id, on });
                }
            }
        }
        self.alerts.tallies.shift(before, after);
    }

    /// The alerts of a realm that fire on an item, pending ones among them, in id order.
    pub fn alerts_on(&self, realm: &Realm, ci: CiNo) -> impl Iterator<Item = &Alert> {
        self.alerts_of_every_realm_on(ci).filter(move |alert| alert.realm == *realm)
    }

    /// The alerts that fire on an item, whatever their realm: for people to see, nothing is decided by them.
    pub fn alerts_of_every_realm_on(&self, ci: CiNo) -> impl Iterator<Item = &Alert> {
        self.each(self.alerts.tallies.on_item.range((ci, AlertId(0))..=(ci, AlertId(u64::MAX))).map(|(_, id)| *id))
    }

    /// The first alert that fires on an item, by item and id, from these on.
    pub(super) fn next_on_item(&self, from: (CiNo, AlertId)) -> Option<(CiNo, AlertId)> {
        self.alerts.tallies.on_item.range(from..).next().copied()
    }

    /// An alert of each item of an incident's symptoms, those that fire first; of the cleared ones only where `cleared` asks for them.
    pub fn symptom_items(&self, incident: IncidentId, cleared: Cleared) -> impl Iterator<Item = &super::AlertCell> {
        let mut next = Some((incident, false, None, AlertId(0)));
        let keys = std::iter::from_fn(move || {
            let key = *self.alerts.tallies.symptoms.range(next?..).next().filter(|key| key.0 == incident)?;
            // Further symptoms on the item are leapt over.
            next = Some((key.0, key.1, key.2, AlertId(if key.2.is_some() { u64::MAX } else { key.3.0 + 1 })));
            Some(key)
        });
        let keys = keys.take_while(move |key| !key.1 || cleared == Cleared::Too);
        let is_new =
            move |key: &SymptomKey| !key.1 || key.2.is_none() || self.alerts.tallies.on_one_item(incident, false, key.2).next().is_none();
        keys.filter(is_new).filter_map(|key| self.visit(key.3))
    }

    /// The symptoms of an incident that fire, by item, from a place on.
    pub(crate) fn symptoms_from(&self, incident: IncidentId, from: (Option<CiNo>, AlertId)) -> impl Iterator<Item = &super::AlertCell> {
        let first = (incident, false, from.0, from.1);
        let keys = self.alerts.tallies.symptoms.range(first..(incident, true, None, AlertId(0)));
        keys.filter_map(|key| self.visit(key.3)).filter(|cell| cell.alert.state == AlertState::Firing)
    }

    /// When the last of an incident's cleared alerts cleared.
    pub fn last_cleared(&self, incident: IncidentId) -> Option<Time> {
        let first = (incident, Time(i64::MIN), AlertId(0));
        self.alerts.tallies.cleared.range(first..=(incident, Time(i64::MAX), AlertId(u64::MAX))).next_back().map(|(_, at, _)| *at)
    }

    /// The alerts whose own incident this is, wherever they are: those a release gives back to it.
    pub fn alerts_of(&self, incident: IncidentId) -> impl Iterator<Item = &super::AlertCell> {
        let first = CauseRank { is_cleared: false, means: Means::Down, started_at: Time(i64::MIN), id: AlertId(0) };
        let home = self.alerts.tallies.causes.range((incident, first)..).take_while(move |(of, _)| *of == incident);
        let away = self.alerts.tallies.away.range((incident, AlertId(0))..=(incident, AlertId(u64::MAX)));
        home.map(|(_, rank)| rank.id).chain(away.map(|(_, id)| *id)).filter_map(|id| self.visit(id))
    }

    /// Whether what the rating of an incident rests on is as it was when it was rated last.
    pub fn is_rated(&self, incident: IncidentId) -> bool {
        *self.tally(incident).rated_after == Some(self.alerts.tallies.group_moves)
    }

    /// An incident was rated by what there is, or something beside its alerts changed that its rating rests on.
    pub(crate) fn set_rated(&mut self, incident: IncidentId, is_rated: bool) {
        let after = is_rated.then_some(self.alerts.tallies.group_moves);
        if let Some(tally) = self.alerts.tallies.incidents.get_mut(&incident) {
            tally.rated_after = Memo(after);
        }
    }

    /// Another World is in force: every incident is rated again when something touches it.
    pub(super) fn forget_ratings(&mut self) {
        self.alerts.tallies.group_moves += 1;
    }

    /// An alert that is looked at because it is one of an incident's: counted, so that a test sees what a batch costs.
    pub(super) fn visit(&self, id: AlertId) -> Option<&super::AlertCell> {
        self.alerts.tallies.visits.set(self.alerts.tallies.visits.get() + 1);
        self.cell(id)
    }

    /// How many alerts were looked at one by one because they are an incident's, since the state began.
    pub fn visits(&self) -> u64 {
        self.alerts.tallies.visits.get()
    }

    /// The alerts attached to an incident from an id on.
    pub(super) fn ids_in(&self, incident: IncidentId, from: AlertId) -> impl Iterator<Item = AlertId> {
        self.alerts.tallies.in_incident.range((incident, from)..=(incident, AlertId(u64::MAX))).map(|(_, id)| *id)
    }

    /// The alerts of an incident that fire and are no symptoms, the one first that it would name as its cause.
    pub fn firing_causes(&self, incident: IncidentId) -> impl Iterator<Item = &super::AlertCell> {
        let first = CauseRank { is_cleared: false, means: Means::Down, started_at: Time(i64::MIN), id: AlertId(0) };
        let ranks = self.alerts.tallies.causes.range((incident, first)..);
        ranks.take_while(move |(of, rank)| *of == incident && !rank.is_cleared).filter_map(|(_, rank)| self.cell(rank.id))
    }

    /// Whether an alert of a realm that fires on an item, a pending one perhaps, means that it is degraded.
    pub fn is_degraded(&self, realm: &Realm, ci: CiNo) -> bool {
        self.alerts.tallies.degraded.get(realm).is_some_and(|degraded| degraded.contains_key(&ci))
    }

    /// The alerts of a realm and an item that explain just so much and fire unmuted, the earliest first, then by id.
    pub fn explaining(&self, realm: &Realm, ci: CiNo, reach: Explains) -> impl Iterator<Item = &Alert> {
        let (first, last) = ((ci, reach, Time(i64::MIN), AlertId(0)), (ci, reach, Time(i64::MAX), AlertId(u64::MAX)));
        self.each_in(realm, self.alerts.tallies.explaining.range(first..=last).map(|(.., id)| *id))
    }

    /// The alerts of a realm that fire unmuted on an item and do not stand in `incident`.
    pub fn firing_outside(&self, realm: &Realm, ci: CiNo, incident: Option<IncidentId>) -> impl Iterator<Item = &Alert> {
        let first = |incident| (ci, incident, AlertId(0));
        let last = |incident| (ci, incident, AlertId(u64::MAX));
        let before = self.alerts.tallies.firing.range(first(None)..first(incident));
        let after = self.alerts.tallies.firing.range((
            std::ops::Bound::Excluded(last(incident)),
            std::ops::Bound::Included((ci, Some(IncidentId(u64::MAX)), AlertId(u64::MAX))),
        ));
        self.each_in(realm, before.chain(after).map(|(.., id)| *id))
    }

    /// The alerts of a realm that count as down for an item, muted ones among them, in id order.
    pub fn down_on(&self, realm: &Realm, ci: CiNo) -> impl Iterator<Item = &Alert> {
        self.each_in(realm, self.alerts.tallies.down.range((ci, AlertId(0))..=(ci, AlertId(u64::MAX))).map(|(_, id)| *id))
    }

    /// The alerts attached to an incident, cleared ones among them, in id order.
    pub fn alerts_in(&self, incident: IncidentId) -> impl Iterator<Item = &super::AlertCell> {
        let within = self.alerts.tallies.in_incident.range((incident, AlertId(0))..=(incident, AlertId(u64::MAX)));
        within.filter_map(|(_, id)| self.visit(*id))
    }

    /// The alerts attached to an incident, counted.
    pub fn tally(&self, incident: IncidentId) -> &Tally {
        const NONE: &Tally = &Tally {
            alerts: 0,
            symptoms: 0,
            active: 0,
            active_symptoms: 0,
            symptom_items: 0,
            active_symptom_items: 0,
            audible: 0,
            urgencies: [0; Level::ALL.len()],
            faults: BTreeMap::new(),
            rated_after: Memo(None),
        };
        self.alerts.tallies.incidents.get(&incident).unwrap_or(NONE)
    }

    /// The alert that an incident would name as its cause, were none named: no symptom, one that fires before one that has cleared, then the worse,
    /// then the earlier.
    pub fn first_cause(&self, incident: IncidentId) -> Option<&super::AlertCell> {
        let first = CauseRank { is_cleared: false, means: Means::Down, started_at: Time(i64::MIN), id: AlertId(0) };
        let (of, rank) = self.alerts.tallies.causes.range((incident, first)..).next()?;
        self.cell(rank.id).filter(|_| *of == incident)
    }

    /// What matches no CI: the value looked up, and the active alerts that have it.
    pub fn unknown_items(&self) -> impl Iterator<Item = (&str, &BTreeSet<AlertId>)> {
        self.alerts.tallies.unknown.iter().map(|(value, alerts)| (value.as_str(), alerts))
    }

    fn each_in(&self, realm: &Realm, ids: impl Iterator<Item = AlertId>) -> impl Iterator<Item = &Alert> {
        self.each(ids).filter(move |alert| alert.realm == *realm)
    }

    fn each(&self, ids: impl Iterator<Item = AlertId>) -> impl Iterator<Item = &Alert> {
        ids.filter_map(|id| self.cell(id).map(|cell| &cell.alert))
    }
}
