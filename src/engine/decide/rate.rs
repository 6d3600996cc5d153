//! How bad an incident is: impact from what its item carries, urgency from its alerts, priority from the matrix.

use crate::cmdb::health::HealthMap;
use crate::cmdb::walk;
use crate::event::{Grade, World};
use crate::ids::CiNo;
use crate::model::alert::{Alert, CiRef};
use crate::model::incident::ServiceHit;
use crate::state::Tally;
use crate::words::{AlertState, Health, Level, Means, Priority};

/// A rating.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rating {
    /// Impact.
    pub impact: Level,
    /// Why that impact: a service and its state, or the item's own criticality.
    pub because: String,
    /// Urgency.
    pub urgency: Level,
    /// Priority.
    pub priority: Priority,
    /// Services, worst first.
    pub services: Vec<ServiceHit>,
}

/// Services that an incident names at most; a fault of a whole site hurts all, and the mail says how many more.
const SERVICES_MAX: usize = 32;

/// What of an incident's alerts its rating rests on: those that fire unmuted and are no symptoms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Burden {
    urgency: Level,
    faults: Vec<(CiNo, Means)>,
}

impl Burden {
    /// Of the alerts attached to an incident.
    pub fn of_incident(tally: &Tally) -> Burden {
        Burden { urgency: tally.urgency().unwrap_or(Level::Low), faults: tally.faults().collect() }
    }

    /// Of one alert.
    pub fn of_alert(alert: &Alert) -> Burden {
        Burden { urgency: Level::Low, faults: Vec::new() }.with(alert)
    }

    /// With one more alert that is no symptom; one that does not fire, or is muted, adds nothing.
    #[must_use]
    pub fn with(mut self, alert: &Alert) -> Burden {
        if alert.state == AlertState::Firing {
            self.urgency = self.urgency.min(alert.urgency);
            self.faults.extend(alert.ci.known().filter(|_| alert.means != Means::Nothing).map(|ci| (ci, alert.means)));
        }
        self
    }
}

/// Rates an incident on `ci` by what it holds, over the health that holds with that.
pub fn rate(health: &HealthMap, world: &World, ci: &CiRef, burden: Burden) -> Rating {
    let Burden { urgency, mut faults } = burden;
    if let CiRef::Known(group) = ci
        && health.is_below(&world.cmdb, *group)
    {
        faults.push((*group, Means::Down));
    }
    faults.sort_unstable();
    faults.dedup();
    let hits = walk::impact(&world.cmdb, health, &faults);
    let (impact, because) = impact(world, ci, &hits);
    let services = hits.iter().take(SERVICES_MAX).filter_map(|hit| {
        let service = world.cmdb.ci(hit.service)?;
        Some(ServiceHit { id: service.id.clone(), tier: service.tier.clone(), health: hit.health })
    });
    Rating { impact, because, urgency, priority: world.policy.matrix.priority(impact, urgency), services: services.collect() }
}

/// Rates an incident on `ci` that somebody reports: nothing fires there, so no service but the item itself is known to be hurt.
pub fn reported(health: &HealthMap, world: &World, ci: &CiRef, grade: Grade) -> Rating {
    let by_item = rate(health, world, ci, Burden { urgency: Level::Low, faults: Vec::new() });
    let (impact, urgency) = match grade {
        Grade::Levels { impact, urgency } => (impact, urgency),
        Grade::ByItem | Grade::Priority { .. } => (by_item.impact, Level::Medium),
    };
    let priority = match grade {
        Grade::Priority { priority } => priority,
        Grade::ByItem | Grade::Levels { .. } => world.policy.matrix.priority(impact, urgency),
    };
    let service = ci.known().filter(|no| world.cmdb.is_service(*no)).and_then(|no| world.cmdb.ci(no));
    let hit = service.map(|service| ServiceHit { id: service.id.clone(), tier: service.tier.clone(), health: Health::Degraded });
    Rating { impact, urgency, priority, services: hit.into_iter().collect(), ..by_item }
}

fn impact(world: &World, ci: &CiRef, hits: &[walk::ServiceImpact]) -> (Level, String) {
    let item = ci.known().and_then(|no| world.cmdb.ci(no));
    if let Some(item) = item
        && !is_production(&item.environment)
    {
        return (Level::Low, format!("{} is {}", item.id, item.environment));
    }
    let of_services = hits.iter().filter_map(|hit| {
        let service = world.cmdb.ci(hit.service)?;
        let level = match hit.health {
            _ if !is_production(&service.environment) => Level::Low,
            Health::Down => service.criticality,
            Health::Degraded => one_less(service.criticality),
            Health::AtRisk | Health::Ok => Level::Low,
        };
        Some((level, format!("{} is {}", service.id, hit.health.word().replace('_', " "))))
    });
    of_services.min_by_key(|(level, _)| *level).unwrap_or_else(|| match item {
        Some(item) => (item.criticality, format!("criticality of {}", item.id)),
        None => (Level::Medium, "the CI is not in the CMDB".to_owned()),
    })
}

fn is_production(environment: &str) -> bool {
    environment.is_empty() || environment.eq_ignore_ascii_case("production") || environment.eq_ignore_ascii_case("prod")
}

const fn one_less(level: Level) -> Level {
    match level {
        Level::High => Level::Medium,
        Level::Medium | Level::Low => Level::Low,
    }
}
