//! What only the writer's memory knows: each a question of bounded length, answered between two batches.

use std::collections::{BTreeMap, BTreeSet};

use watchkeeper_engine::event::World;
use watchkeeper_engine::ids::{AlertId, CiNo, IncidentId, Realm};
use watchkeeper_engine::model::alert::Vitals;
use watchkeeper_engine::model::job::Job;
use watchkeeper_engine::state::State;
use watchkeeper_engine::text::Labels;
use watchkeeper_engine::time::Time;
use watchkeeper_engine::words::{Health, IncidentState, Severity};

use crate::board::OpenIncident;
use crate::published::Current;
use crate::writer::{Full, WriterHandle};

/// Alerts that one question asks for: their vitals are copied in about a millisecond.
pub const VITALS_MAX: usize = 4_096;

/// Values of unmatched alerts that one question lists.
const UNMATCHED_MAX: usize = 1_000;

/// Alerts named for one unmatched value.
const UNMATCHED_ALERTS_MAX: usize = 5;

/// Jobs that one question lists.
const JOBS_MAX: usize = 1_000;

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
}

/// An item as things stand.
#[derive(Debug, Clone)]
pub struct CiNow {
    /// How it is.
    pub health: Health,
    /// What fires on it.
    pub alerts: Vec<AlertId>,
    /// The incidents those belong to.
    pub incidents: BTreeSet<IncidentId>,
}

/// A value that no item has, and what fires with it.
#[derive(Debug, Clone)]
pub struct Unmatched {
    /// The value it was looked up by.
    pub value: String,
    /// How many alerts are active.
    pub alerts: usize,
    /// The first of them.
    pub examples: Vec<UnmatchedAlert>,
}

/// An alert that matches no item.
#[derive(Debug, Clone)]
pub struct UnmatchedAlert {
    /// Its id.
    pub id: AlertId,
    /// Its name.
    pub name: String,
    /// Its source.
    pub source: String,
    /// Its severity.
    pub severity: Severity,
    /// Its labels.
    pub labels: Labels,
    /// Since when it fires.
    pub started_at: Time,
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
    let now = |id: IncidentId| IncidentNow { children: board.children_of(id).collect(), open: board.get(id).cloned() };
    ids.into_iter().map(|id| (id, now(id))).collect()
}

/// An item as things stand.
///
/// # Errors
/// The writer does not answer.
pub async fn ci(writer: &WriterHandle, no: CiNo) -> Result<CiNow, Full> {
    writer.ask(move |state, world, _| ci_now(state, world, no)).await
}

/// What matches no item, from the value `from` on, and the value that comes after the last one given.
///
/// # Errors
/// The writer does not answer.
pub async fn unmatched(writer: &WriterHandle, from: Option<String>, limit: usize) -> Result<(Vec<Unmatched>, Option<String>), Full> {
    let limit = limit.min(UNMATCHED_MAX);
    writer
        .ask(move |state, _, _| {
            let mut values = state.unknown_items().filter(|(value, _)| from.as_deref().is_none_or(|from| *value >= from));
            let found = values.by_ref().take(limit).map(|(value, alerts)| unmatched_value(state, value, alerts)).collect();
            (found, values.next().map(|(value, _)| value.to_owned()))
        })
        .await
}

/// What is done by schedule, by kind and name, and the time.
///
/// # Errors
/// The writer does not answer.
pub async fn jobs(writer: &WriterHandle) -> Result<(Vec<Job>, Time), Full> {
    writer.ask(|state, _, now| (state.jobs.values().take(JOBS_MAX).cloned().collect(), now)).await
}

fn alert_now(state: &State, id: AlertId) -> Option<(AlertId, AlertNow)> {
    let cell = state.cell(id)?;
    Some((id, AlertNow { vitals: cell.vitals.clone(), ends_at: cell.ends_at(state.counters.grace) }))
}

fn ci_now(state: &State, world: &World, no: CiNo) -> CiNow {
    let alerts: Vec<AlertId> = state.alerts_of_every_realm_on(no).map(|alert| alert.id).collect();
    let open = |id: &IncidentId| state.incidents.get(id).is_some_and(|incident| incident.state != IncidentState::Closed);
    let incidents = state.alerts_of_every_realm_on(no).filter_map(|alert| alert.incident).filter(open).collect();
    CiNow { health: watchkeeper_engine::sight::worst_health(state, world, no), alerts, incidents }
}

fn unmatched_value(state: &State, value: &str, alerts: &BTreeSet<AlertId>) -> Unmatched {
    let example = |id: &AlertId| {
        let alert = &state.cell(*id)?.alert;
        Some(UnmatchedAlert {
            id: alert.id,
            name: alert.name.clone(),
            source: state.source(alert.source).to_owned(),
            severity: alert.severity,
            labels: alert.labels.clone(),
            started_at: alert.started_at,
        })
    };
    Unmatched {
        value: value.to_owned(),
        alerts: alerts.len(),
        examples: alerts.iter().take(UNMATCHED_ALERTS_MAX).filter_map(example).collect(),
    }
}
