//! The health of CIs as it is remembered: which of them are not ok, and which a batch has moved, for its end to remember.
//!
//! What is moved is found again by a start: what alerts say is compared with what is remembered. So nothing of it is stored.

use std::collections::{BTreeMap, BTreeSet};

use super::rows::Row;
use super::{Apply, Part, State};
use crate::cmdb::Cmdb;
use crate::ids::{AlertId, CiNo, Realm};
use crate::model::health::{Change, Fact, Standing, history_of};
use crate::time::Time;
use crate::words::Health;

/// The health of CIs as it is remembered.
#[derive(Debug, Clone, Default)]
pub struct Healths {
    /// By realm: CIs that are not ok.
    standing: BTreeMap<Realm, BTreeMap<CiNo, Held>>,
    /// By realm: CIs whose health is another than what is remembered.
    moved: BTreeMap<Realm, BTreeMap<CiNo, Moved>>,
    /// Whether a batch has left some of these to the next one.
    waits: bool,
    /// What this batch remembered, as its rows are found.
    changes: BTreeMap<(String, Time, u64, Realm), Change>,
}

/// What is remembered of a CI that is not ok.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    id: String,
    health: Health,
    since: Time,
}

/// How the health of a CI has moved since it was last remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// How it is.
    pub to: Health,
    /// Since when.
    pub at: Time,
    /// What moved it.
    pub by: Mover,
}

/// What moves health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mover {
    /// An alert that fires or no longer does.
    Alert {
        /// Which.
        id: AlertId,
        /// Its CI.
        on: CiNo,
    },
    /// Another CMDB.
    Cmdb,
    /// A start that found it so.
    Start,
}

impl Healths {
    /// How a CI is in a realm, as it is remembered, and its id then; `None`: ok.
    pub fn standing(&self, realm: &Realm, ci: CiNo) -> Option<Standing> {
        let Held { id, health, since } = self.standing.get(realm)?.get(&ci)?.clone();
        Some(Standing { ci, id, realm: realm.clone(), health, since })
    }

    /// All CIs that are not ok, as it is remembered.
    pub fn all(&self) -> impl Iterator<Item = Standing> {
        let of =
            |(realm, held): (&Realm, &BTreeMap<CiNo, Held>)| held.keys().filter_map(|ci| self.standing(realm, *ci)).collect::<Vec<_>>();
        self.standing.iter().flat_map(of)
    }

    /// What is to be remembered, by realm and CI.
    pub fn moved(&self) -> impl Iterator<Item = (&Realm, CiNo, Moved)> {
        self.moved.iter().flat_map(|(realm, moved)| moved.iter().map(move |(ci, moved)| (realm, *ci, *moved)))
    }

    /// Whether the next batch has something left to remember.
    pub(super) fn wait(&self) -> bool {
        self.waits && !self.moved.is_empty()
    }

    /// Notes how a CI is: what is as it is remembered is forgotten.
    fn note(&mut self, realm: &Realm, ci: CiNo, is: Moved) {
        let known = self.standing.get(realm).and_then(|held| held.get(&ci)).map_or(Health::Ok, |held| held.health);
        if known == is.to {
            self.forget(realm, ci);
            return;
        }
        let moved = match self.moved.get_mut(realm) {
            Some(moved) => moved,
            None => self.moved.entry(realm.clone()).or_default(),
        };
        // What moved it so is what did it first.
        if moved.get(&ci).is_none_or(|before| before.to != is.to) {
            moved.insert(ci, is);
        }
    }

    fn forget(&mut self, realm: &Realm, ci: CiNo) {
        if let Some(moved) = self.moved.get_mut(realm) {
            moved.remove(&ci);
            if moved.is_empty() {
                self.moved.remove(realm);
            }
        }
    }
}

impl State {
    /// The health of a CI as the alerts of one realm have it: down where a fault reaches it, at risk where it is a group that lost a member; degradation is not
    /// tracked beyond the alerts themselves.
    pub fn health_of(&self, cmdb: &Cmdb, realm: &Realm, ci: CiNo) -> Health {
        let faults = self.health(realm);
        if faults.is_down(ci) {
            return Health::Down;
        }
        if self.is_degraded(realm, ci) && cmdb.knows(ci) {
            return Health::Degraded;
        }
        match faults.group(cmdb, ci) {
            Some(group) if group.has_lost_redundancy() => Health::AtRisk,
            Some(_) | None => Health::Ok,
        }
    }

    /// Looks at CIs whose health something may have moved, and at the groups they are members of.
    pub(super) fn look_at_health(&mut self, cmdb: &Cmdb, realm: &Realm, items: &[CiNo], by: Mover) {
        let at = self.counters.last_now;
        for ci in items {
            let to = self.health_of(cmdb, realm, *ci);
            self.healths.note(realm, *ci, Moved { to, at, by });
            for group in cmdb.groups_of(*ci) {
                let to = self.health_of(cmdb, realm, group);
                self.healths.note(realm, group, Moved { to, at, by });
            }
        }
    }

    /// Looks at every CI that is not ok, or may not be.
    pub(super) fn look_at_all_health(&mut self, cmdb: &Cmdb, by: Mover) {
        let Healths { standing, moved, .. } = &self.healths;
        let mut items: BTreeMap<Realm, BTreeSet<CiNo>> = BTreeMap::new();
        for (realm, held) in standing {
            items.entry(realm.clone()).or_default().extend(held.keys());
        }
        for (realm, moved) in moved {
            items.entry(realm.clone()).or_default().extend(moved.keys());
        }
        for (realm, faults) in &self.alerts.health {
            items.entry(realm.clone()).or_default().extend(faults.marked());
        }
        for (realm, items) in items {
            self.look_at_health(cmdb, &realm, &items.into_iter().collect::<Vec<_>>(), by);
        }
    }
}

impl Part for Healths {
    type Fact = Fact;

    fn apply(state: &mut State, fact: &Fact, cx: &mut Apply<'_>) {
        let Fact::Changed { change } = fact else {
            state.healths.waits = true;
            state.arm_cursors();
            return;
        };
        let healths = &mut state.healths;
        let Change { ci, id, realm, at, seq, to, .. } = &**change;
        healths.forget(realm, *ci);
        if *to == Health::Ok {
            if let Some(held) = healths.standing.get_mut(realm) {
                held.remove(ci);
            }
        } else {
            let held = Held { id: id.clone(), health: *to, since: *at };
            healths.standing.entry(realm.clone()).or_default().insert(*ci, held);
        }
        let history = history_of(id);
        cx.touch(Row::Health(*ci, realm.clone()));
        cx.touch(Row::HealthByTime(*at, history.clone(), *at, *seq, realm.clone()));
        cx.touch(Row::HealthChange(history.clone(), *at, *seq, realm.clone()));
        healths.changes.insert((history, *at, *seq, realm.clone()), (**change).clone());
        if healths.moved.is_empty() && std::mem::take(&mut healths.waits) {
            state.arm_cursors();
        }
    }

    fn derive(state: &mut State, cmdb: &Cmdb) {
        state.look_at_all_health(cmdb, Mover::Start);
    }

    fn arm(state: &mut State) {
        state.healths.waits = !state.healths.moved.is_empty();
        state.arm_cursors();
    }

    fn settle(&mut self) {
        self.changes.clear();
    }
}

pub(super) fn standing(state: &State, ci: &CiNo, realm: &Realm) -> Option<Standing> {
    state.healths.standing(realm, *ci)
}

pub(super) fn take_standing(state: &mut State, standing: Standing) {
    let Standing { ci, id, realm, health, since } = standing;
    state.healths.standing.entry(realm).or_default().insert(ci, Held { id, health, since });
}

pub(super) fn change<'a>(state: &'a State, history: &str, at: &Time, seq: &u64, realm: &Realm) -> Option<&'a Change> {
    state.healths.changes.get(&(history.to_owned(), *at, *seq, realm.clone()))
}

pub(super) fn by_time(state: &State, _: &Time, history: &str, at: &Time, seq: &u64, realm: &Realm) -> Option<()> {
    change(state, history, at, seq, realm).map(|_| ())
}
