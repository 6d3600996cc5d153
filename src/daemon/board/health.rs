//! CIs that are not ok, by the realms that see them so.

use imbl::OrdMap;
use watchkeeper_engine::cmdb::Cmdb;
use watchkeeper_engine::cmdb::health::HealthMap;
use watchkeeper_engine::ids::{CiNo, Realm};
use watchkeeper_engine::model::health::Standing;
use watchkeeper_engine::time::Time;
use watchkeeper_engine::words::Health;

/// The health of CIs as it is remembered with the commit.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Healths {
    by_ci: OrdMap<(CiNo, Realm), Seen>,
}

/// How a realm sees a CI that is not ok.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// How it is.
    pub health: Health,
    /// Since when.
    pub since: Time,
}

impl Healths {
    /// How the realms see a CI that is not ok; those not named see it ok.
    pub fn of(&self, ci: CiNo) -> impl Iterator<Item = (&Realm, Seen)> {
        let first = (ci, Realm::MAIN);
        self.by_ci.range(first..).take_while(move |((no, _), _)| *no == ci).map(|((_, realm), seen)| (realm, *seen))
    }

    /// A CI as its worst realm sees it, and since when it does so.
    pub fn worst(&self, ci: CiNo) -> Option<Seen> {
        self.of(ci).map(|(_, seen)| seen).min_by_key(|seen| (std::cmp::Reverse(seen.health), seen.since))
    }

    /// How a CI is, as its worst realm sees it.
    pub fn health(&self, ci: CiNo) -> Health {
        self.worst(ci).map_or(Health::Ok, |seen| seen.health)
    }

    /// Which CIs are down in a realm, for walks over the CMDB. Costs what is not ok.
    pub fn map(&self, cmdb: &Cmdb, realm: &Realm) -> HealthMap {
        let mut map = HealthMap::default();
        for ((ci, of), seen) in &self.by_ci {
            if seen.health == Health::Down && of == realm && cmdb.knows(*ci) {
                map.add_down(cmdb, *ci);
            }
        }
        map
    }

    pub(super) fn put(&mut self, ci: CiNo, realm: &Realm, standing: Option<Standing>) {
        let key = (ci, realm.clone());
        match standing {
            Some(Standing { health, since, .. }) => drop(self.by_ci.insert(key, Seen { health, since })),
            None => drop(self.by_ci.remove(&key)),
        }
    }
}
