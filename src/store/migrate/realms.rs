//! Format 2: every realm has a number, which is part of the ids made from then on. Ids that are there keep theirs, and print as before.

use std::collections::BTreeSet;

use watchkeeper_engine::ids::{Realm, Shard};
use watchkeeper_engine::model::incident::Incident;
use watchkeeper_engine::model::realm::Known;
use watchkeeper_engine::state::rows::{self, AlertRow, Row, decode, encode};

use super::{Rows, Step, bad};
use crate::error::StoreError;
use crate::store::RowChange;
use crate::tables::Table;

pub(super) const STEP: Step = Step { to: 2, what: "realms get numbers", rewrites: &[], run };

const ALERTS: rows::Table = rows::Table::Alerts;
const INCIDENTS: rows::Table = rows::Table::Incidents;

/// The realms of what lives, in the order of their names; those of the past get a number when they are next heard of.
fn run(rows: &mut Rows<'_>) -> Result<(), StoreError> {
    let mut realms: BTreeSet<Realm> = BTreeSet::new();
    rows.each(Table::of(ALERTS), |_, bytes| {
        let row: AlertRow = decode(ALERTS.name(), bytes).map_err(|fault| bad(ALERTS, fault))?;
        realms.insert(row.alert.realm);
        Ok(Vec::new())
    })?;
    rows.each(Table::of(INCIDENTS), |_, bytes| {
        let incident: Incident = decode(INCIDENTS.name(), bytes).map_err(|fault| bad(INCIDENTS, fault))?;
        realms.insert(incident.realm);
        Ok(Vec::new())
    })?;
    let others = realms.into_iter().filter(|name| !name.is_main());
    let known = (1..).map(Shard).zip(others).map(|(shard, name)| Known::new(shard, name));
    let changes = known.map(|known| {
        let (table, key) = Row::Realm(known.shard).place();
        RowChange { table: Table::of(table), key, value: Some(encode(&known)) }
    });
    rows.write(changes.collect())
}
