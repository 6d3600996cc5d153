//! Incidents that are not closed, whole, and the indexes that lists read: by state, owner, service, CI and the words of what they say.

use std::collections::BTreeSet;
use std::sync::Arc;

use imbl::OrdMap;
use watchkeeper_engine::ids::IncidentId;
use watchkeeper_engine::model::incident::Incident;
use watchkeeper_engine::model::incident::clock::BREACH;
use watchkeeper_engine::state::State;
use watchkeeper_engine::words::IncidentState;

use super::index::Index;

/// An incident that is not closed, with what its alerts and clocks say of it.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenIncident {
    /// The record.
    pub incident: Arc<Incident>,
    /// Alerts that stand in it.
    pub alerts: u32,
    /// Of them those that have cleared.
    pub cleared: u32,
    /// Its symptoms, cleared ones among them.
    pub symptoms: u32,
    /// Promises of its SLAs of which a warning was given.
    pub at_risk: u32,
    /// Promises that are broken.
    pub breached: u32,
}

/// Incidents by id, and the indexes over them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Incidents {
    by_id: OrdMap<IncidentId, OpenIncident>,
    children: Index<IncidentId>,
    states: Index<IncidentState>,
    owners: Index<Arc<str>>,
    services: Index<Arc<str>>,
    items: Index<Arc<str>>,
    words: Index<Arc<str>>,
}

/// What a list is about. Texts are in lower case; what is empty does not matter.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sought<'a> {
    /// States, any of these.
    pub states: &'a [IncidentState],
    /// Teams that own the CI at fault.
    pub owners: &'a [String],
    /// Services that are affected.
    pub services: &'a [String],
    /// CIs at fault.
    pub items: &'a [String],
    /// A part of what it says.
    pub text: &'a str,
}

impl OpenIncident {
    /// Whether it is open only because its alerts have not been clear for long enough.
    pub fn has_cleared(&self) -> bool {
        self.incident.is_open() && self.alerts > 0 && self.alerts == self.cleared
    }

    /// As `state` has it; `None` where it is closed.
    pub fn of(state: &State, id: IncidentId) -> Option<OpenIncident> {
        let incident = state.incidents.shared(&id)?;
        let (mut at_risk, mut breached) = (0, 0);
        if incident.is_open() && !incident.clocks.is_empty() {
            for promise in incident.promises(&state.terms, state.counters.last_now).iter().filter(|promise| promise.is_open()) {
                let said = |percent| promise.clock.has_reached(promise.target, promise.run.period, percent);
                if said(BREACH) {
                    breached += 1;
                } else if promise.terms.record.warn_at.iter().any(|percent| said(*percent)) {
                    at_risk += 1;
                }
            }
        }
        let tally = state.tally(id);
        let (alerts, cleared) = (tally.alerts, tally.alerts - tally.active);
        Some(OpenIncident { incident: Arc::clone(incident), alerts, cleared, symptoms: tally.symptoms, at_risk, breached })
    }
}

impl Incidents {
    /// How many there are, children among them.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// One incident.
    pub fn get(&self, id: IncidentId) -> Option<&OpenIncident> {
        self.by_id.get(&id)
    }

    /// All, by id.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&IncidentId, &OpenIncident)> {
        self.by_id.iter()
    }

    /// Those of a range of ids.
    pub fn range(&self, ids: std::ops::RangeInclusive<IncidentId>) -> impl DoubleEndedIterator<Item = (&IncidentId, &OpenIncident)> {
        self.by_id.range(ids)
    }

    /// The incidents that an incident has adopted whole, by id.
    pub fn children_of(&self, id: IncidentId) -> impl Iterator<Item = IncidentId> {
        self.children.ids(id).map(IncidentId)
    }

    /// The incidents that a list may hold, by id: all that it wants, and others too, so that each is still looked at. `None`: any. Where several indexes
    /// apply, the one that leaves the fewest.
    pub fn candidates(&self, sought: Sought<'_>) -> Option<BTreeSet<u64>> {
        let texts = |index: &Index<Arc<str>>, keys: &[String]| {
            let ids = keys.iter().flat_map(|key| index.ids(key.as_str().into()).collect::<Vec<_>>());
            (!keys.is_empty()).then(|| ids.collect::<BTreeSet<u64>>())
        };
        let states = sought.states.iter().flat_map(|state| self.states.ids(*state).collect::<Vec<_>>());
        // What contains a text contains each of its words in one of its own.
        let word = sought.text.split_whitespace().max_by_key(|word| word.len());
        let found = [
            (!sought.states.is_empty()).then(|| states.collect()),
            texts(&self.owners, sought.owners),
            texts(&self.services, sought.services),
            texts(&self.items, sought.items),
            word.map(|word| self.words.containing(word).collect()),
        ];
        found.into_iter().flatten().min_by_key(BTreeSet::len)
    }

    /// Puts an incident where it stands, or takes it away.
    pub(super) fn put(&mut self, id: IncidentId, after: Option<OpenIncident>) {
        let before = match &after {
            Some(open) => self.by_id.insert(id, open.clone()),
            None => self.by_id.remove(&id),
        };
        // A search finds it by its id, too.
        let name = || id.to_string().to_lowercase().into();
        match (&before, &after) {
            (None, Some(_)) => self.words.insert(name(), id.0),
            (Some(_), None) => self.words.remove(name(), id.0),
            (None, None) | (Some(_), Some(_)) => {}
        }
        let before = before.as_ref().map(|open| open.incident.as_ref());
        let after = after.as_ref().map(|open| open.incident.as_ref());
        shift(&mut self.states, id, before.map(|incident| incident.state), after.map(|incident| incident.state));
        shift(&mut self.children, id, before.and_then(|incident| incident.parent), after.and_then(|incident| incident.parent));
        shift_texts(&mut self.owners, id, before, after, |incident| [&incident.team], |team| vec![team.to_lowercase()]);
        shift_texts(&mut self.items, id, before, after, |incident| [&incident.item], |item| vec![item.to_lowercase()]);
        shift_texts(&mut self.words, id, before, after, said, words);
        let services = |incident: Option<&Incident>| -> BTreeSet<String> {
            incident.iter().flat_map(|incident| &incident.services).map(|hit| hit.id.to_lowercase()).collect()
        };
        if before.map(|incident| &incident.services) != after.map(|incident| &incident.services) {
            shift_keys(&mut self.services, id, &services(before), &services(after));
        }
    }
}

/// The texts that a search looks at.
fn said(incident: &Incident) -> [&String; 3] {
    [&incident.title, &incident.item, &incident.resolution]
}

fn words(text: &str) -> Vec<String> {
    text.to_lowercase().split_whitespace().map(str::to_owned).collect()
}

fn shift<K: Ord + Clone>(index: &mut Index<K>, id: IncidentId, before: Option<K>, after: Option<K>) {
    if before != after {
        before.into_iter().for_each(|key| index.remove(key, id.0));
        after.into_iter().for_each(|key| index.insert(key, id.0));
    }
}

/// Moves an incident between the keys of some of its texts; those are made only where a text changed.
fn shift_texts<'a, const N: usize>(
    index: &mut Index<Arc<str>>,
    id: IncidentId,
    before: Option<&'a Incident>,
    after: Option<&'a Incident>,
    texts: fn(&'a Incident) -> [&'a String; N],
    keys: fn(&str) -> Vec<String>,
) {
    let (before, after) = (before.map(texts), after.map(texts));
    if before == after {
        return;
    }
    let keys = |texts: Option<[&String; N]>| -> BTreeSet<String> { texts.into_iter().flatten().flat_map(|text| keys(text)).collect() };
    let (before, after) = (keys(before), keys(after));
    shift_keys(index, id, &before, &after);
}

fn shift_keys(index: &mut Index<Arc<str>>, id: IncidentId, before: &BTreeSet<String>, after: &BTreeSet<String>) {
    for key in before.difference(after) {
        index.remove(key.as_str().into(), id.0);
    }
    for key in after.difference(before) {
        let key = index.key(key);
        index.insert(key, id.0);
    }
}
