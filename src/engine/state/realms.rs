//! Realms by number, and the next id of each: alerts, incidents, messages and problems bear the number of theirs.

use std::collections::BTreeMap;

use super::rows::Row;
use super::{Apply, Part, State};
use crate::ids::{AlertId, IncidentId, MessageId, ProblemId, Realm, Shard};
use crate::limits;
use crate::lookup::Lookup;
use crate::model::realm::{Fact, Known};

/// Realms other than `main`.
#[derive(Debug, Clone, Default)]
pub struct Realms {
    known: BTreeMap<Shard, Known>,
    numbers: Lookup<Realm, Shard>,
}

/// What the ids of a realm count.
#[derive(Debug, Clone, Copy)]
pub(super) enum Counts {
    Alerts,
    Incidents,
    Messages,
    Problems,
}

impl State {
    /// A realm's number. One that has none, because there are too many, shares that of `main`.
    pub fn shard(&self, realm: &Realm) -> Shard {
        if realm.is_main() {
            return Shard::MAIN;
        }
        self.realms.numbers.get(realm).copied().unwrap_or(Shard::MAIN)
    }

    /// The number that a realm heard of for the first time gets; `None`: it has one, or there are too many.
    pub(crate) fn new_shard(&self, realm: &Realm) -> Option<Shard> {
        let is_new = !realm.is_main() && self.realms.numbers.get(realm).is_none();
        let last = self.realms.known.last_key_value().map_or(0, |(shard, _)| shard.0);
        (is_new && self.realms.known.len() < limits::REALMS_MAX).then(|| Shard(last + 1))
    }

    /// The realm as all records share it, to be compared by where it is.
    pub(super) fn shared(&self, realm: &Realm) -> Realm {
        let known = self.realms.numbers.get(realm).and_then(|shard| self.realms.known.get(shard));
        known.map_or(realm, |known| &known.name).clone()
    }

    /// The id of the next alert of a realm.
    pub(crate) fn next_alert_id(&self, shard: Shard) -> AlertId {
        AlertId::of(shard, self.last(shard, Counts::Alerts) + 1)
    }

    /// The id of the next incident of a realm.
    pub(crate) fn next_incident_id(&self, shard: Shard) -> IncidentId {
        IncidentId::of(shard, self.last(shard, Counts::Incidents) + 1)
    }

    /// The id of the next message of a realm.
    pub(crate) fn next_message_id(&self, shard: Shard) -> MessageId {
        MessageId::of(shard, self.last(shard, Counts::Messages) + 1)
    }

    /// The id of the next problem of a realm.
    pub(crate) fn next_problem_id(&self, shard: Shard) -> ProblemId {
        ProblemId::of(shard, self.last(shard, Counts::Problems) + 1)
    }

    fn last(&self, shard: Shard, counts: Counts) -> u64 {
        let (main, known) = (&self.counters, self.realms.known.get(&shard));
        match counts {
            Counts::Alerts => known.map_or(main.alerts, |known| known.alerts),
            Counts::Incidents => known.map_or(main.incidents, |known| known.incidents),
            Counts::Messages => known.map_or(main.messages, |known| known.messages),
            Counts::Problems => known.map_or(main.problems, |known| known.problems),
        }
    }

    /// Says that an id was given.
    pub(super) fn give(&mut self, shard: Shard, counts: Counts, number: u64, cx: &mut Apply<'_>) {
        let (main, known) = (&mut self.counters, self.realms.known.get_mut(&shard));
        if known.is_some() {
            cx.touch(Row::Realm(shard));
        }
        let last = match counts {
            Counts::Alerts => known.map_or(&mut main.alerts, |known| &mut known.alerts),
            Counts::Incidents => known.map_or(&mut main.incidents, |known| &mut known.incidents),
            Counts::Messages => known.map_or(&mut main.messages, |known| &mut known.messages),
            Counts::Problems => known.map_or(&mut main.problems, |known| &mut known.problems),
        };
        *last = number.max(*last);
    }
}

impl Part for Realms {
    type Fact = Fact;

    fn apply(state: &mut State, Fact::Named { shard, name }: &Fact, cx: &mut Apply<'_>) {
        cx.touch(Row::Realm(*shard));
        take_realm(state, Known::new(*shard, name.clone()));
    }
}

pub(super) fn realm<'a>(state: &'a State, shard: &Shard) -> Option<&'a Known> {
    state.realms.known.get(shard)
}

pub(super) fn take_realm(state: &mut State, known: Known) {
    state.realms.numbers.insert(known.name.clone(), known.shard);
    state.realms.known.insert(known.shard, known);
}
