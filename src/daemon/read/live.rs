//! What only the writer's memory knows: each a question of bounded length, answered between two batches.

use std::collections::BTreeMap;

use watchkeeper_engine::event::World;
use watchkeeper_engine::ids::{AlertId, CiNo, IncidentId, Realm};
use watchkeeper_engine::model::alert::Vitals;
use watchkeeper_engine::model::incident::Incident;
use watchkeeper_engine::state::State;
use watchkeeper_engine::time::Time;
use watchkeeper_engine::words::Health;

use crate::board::OpenIncident;
use crate::published::{Current, Published};
use crate::writer::{Full, WriterHandle};

/// Alerts that one question asks for: their vitals are copied in about a millisecond.
pub const VITALS_MAX: usize = 4_096;

/// An alert's vitals, and when it ends as things stand.
#[derive(Debug, Clone)]
pub struct AlertNow {
    /// The vitals.
    pub vitals: Vitals,
    /// When the last source stops saying that it fires.
    pub ends_at: Time,
}

/// What an incident has as things stand.
#[derive(Debug, Clone, Default)]
pub struct IncidentNow {
    /// Incidents it has adopted whole.
    pub children: Vec<IncidentId>,
    /// What the board has of it; `None` where it is closed.
    pub open: Option<OpenIncident>,
    /// The health of the services it affected, once all its alerts have cleared: what it affects is judged only while something fires.
    pub health: BTreeMap<String, Health>,
}

/// The sender's key of an alert, where it lives and is of that source.
///
/// # Errors
/// There is no room, or the daemon stops.
pub async fn alert_of_source(writer: &WriterHandle, id: AlertId, source: String, realm: Realm) -> Result<Option<String>, Full> {
    let of = move |state: &State, _: &World, _: Time| {
        let alert = &state.cell(id)?.alert;
        (alert.realm == realm && state.source(alert.source) == source).then(|| alert.key.clone())
    };
    writer.ask(of).await
}

/// The vitals of alerts that live, however many.
///
/// # Errors
/// The writer does not answer.
pub async fn vitals(writer: &WriterHandle, ids: &[AlertId]) -> Result<BTreeMap<AlertId, AlertNow>, Full> {
    let mut found = BTreeMap::new();
    for some in ids.chunks(VITALS_MAX) {
        let some = some.to_vec();
        found.extend(writer.ask(move |state, _, _| some.into_iter().filter_map(|id| alert_now(state, id)).collect::<Vec<_>>()).await?);
    }
    Ok(found)
}

/// What incidents have as things stand; those that are past have nothing.
pub fn incidents(current: &Current, ids: Vec<IncidentId>) -> BTreeMap<IncidentId, IncidentNow> {
    let published = current.load();
    let board = &published.board.incidents;
    let now = |id: IncidentId| {
        let open = board.get(id).cloned();
        let health = open.as_ref().filter(|open| open.has_cleared()).map(|open| health_now(&published, &open.incident));
        IncidentNow { children: board.children_of(id).collect(), open, health: health.unwrap_or_default() }
    };
    ids.into_iter().map(|id| (id, now(id))).collect()
}

fn health_now(published: &Published, incident: &Incident) -> BTreeMap<String, Health> {
    let of =
        |no: CiNo| published.board.health.of(no).find(|(realm, _)| **realm == incident.realm).map_or(Health::Ok, |(_, seen)| seen.health);
    let known = incident.services.iter().filter_map(|hit| Some((hit.id.clone(), of(published.world.cmdb.find(&hit.id)?))));
    known.collect()
}

/// What fires on each of some CIs, whatever its realm. The board has no such index: it would take memory for each alert, and few ask.
///
/// # Errors
/// The writer does not answer.
pub async fn alerts_on(writer: &WriterHandle, cis: Vec<CiNo>) -> Result<Vec<Vec<AlertId>>, Full> {
    let on = |state: &State, ci| state.alerts_of_every_realm_on(ci).map(|alert| alert.id).collect();
    writer.ask(move |state, _, _| cis.into_iter().map(|ci| on(state, ci)).collect()).await
}

fn alert_now(state: &State, id: AlertId) -> Option<(AlertId, AlertNow)> {
    let cell = state.cell(id)?;
    Some((id, AlertNow { vitals: cell.vitals.clone(), ends_at: cell.ends_at(state.counters.grace) }))
}
