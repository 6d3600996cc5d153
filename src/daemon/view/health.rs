//! The health of a CI as it was.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use watchkeeper_engine::ids::{AlertId, IncidentId};
use watchkeeper_engine::model::health::{Change, Spent};
use watchkeeper_engine::time::Time;
use watchkeeper_engine::words::Health;

/// How a CI is, how it was, and how long. Times are UTC, by the clock that everything is decided by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "HealthHistory")]
pub struct HealthView {
    /// The CI's id.
    pub ci: String,
    /// How it is, as the worst realm sees it; null where it has left the CMDB.
    pub health: Option<Health>,
    /// Since when it is so; null where it is ok.
    pub since: Option<Time>,
    /// The beginning of the time that is looked at.
    pub from: Time,
    /// Its end, exclusive.
    pub to: Time,
    /// Since when changes are remembered; what was before is not known.
    pub remembered_since: Option<Time>,
    /// How long it was how between `from` (or since changes are remembered) and `to`; null where there are too many changes to be added up.
    pub spent: Option<SpentView>,
    /// The changes, newest first unless asked for otherwise.
    pub items: Vec<HealthChangeView>,
    /// The cursor of the next part; null where there is none.
    pub next: Option<String>,
}

/// How long a CI was how. The time in which it was not in the CMDB counts nowhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "HealthSpent")]
pub struct SpentView {
    /// Seconds in which it was ok.
    pub ok_seconds: f64,
    /// Seconds in which it was at risk.
    pub at_risk_seconds: f64,
    /// Seconds in which it was degraded.
    pub degraded_seconds: f64,
    /// Seconds in which it was down.
    pub down_seconds: f64,
    /// How much of that time it was not down, in percent; null where there is none.
    pub available_percent: Option<f64>,
}

/// One change of the health of a CI.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "HealthChange")]
pub struct HealthChangeView {
    /// When.
    pub at: Time,
    /// The realm that sees it so.
    pub realm: String,
    /// How it was.
    pub from: Health,
    /// How it was from then on; null where it left the CMDB.
    pub to: Option<Health>,
    /// The alert that moved it.
    pub alert: Option<AlertId>,
    /// The incident in which that alert stood then.
    pub incident: Option<IncidentId>,
    /// Why.
    pub because: String,
}

impl HealthChangeView {
    /// Of a change.
    pub fn of(change: &Change) -> HealthChangeView {
        HealthChangeView {
            at: change.at,
            realm: change.realm.to_string(),
            from: change.from,
            to: (!change.is_end()).then_some(change.to),
            alert: change.alert,
            incident: change.incident,
            because: change.why.to_string(),
        }
    }
}

impl SpentView {
    /// Of a sum.
    pub fn of(spent: &Spent) -> SpentView {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of centuries are exact")]
        let seconds = |span: watchkeeper_engine::time::Span| span.0 as f64 / 1_000.0;
        SpentView {
            ok_seconds: seconds(spent.ok),
            at_risk_seconds: seconds(spent.at_risk),
            degraded_seconds: seconds(spent.degraded),
            down_seconds: seconds(spent.down),
            available_percent: spent.available_percent(),
        }
    }
}
