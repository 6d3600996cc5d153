//! Format 2: past records are found by keys beside their rows.

use minicbor::Decode;
use watchkeeper_engine::model::incident::Incident;
use watchkeeper_engine::model::message::Message;
use watchkeeper_engine::model::problem::Problem;
use watchkeeper_engine::state::past::Past as _;
use watchkeeper_engine::state::rows::{self, AlertRow, Row, decode, encode};

use super::{Rows, Step, bad};
use crate::error::StoreError;
use crate::store::RowChange;
use crate::tables::Table;

const INCIDENTS: rows::Table = rows::Table::PastIncidents;
const PROBLEMS: rows::Table = rows::Table::PastProblems;
const ALERTS: rows::Table = rows::Table::PastAlerts;
const MESSAGES: rows::Table = rows::Table::PastMessages;

/// What is written is a part of what is read, which is taken for the room that it needs; mails are left out, because their bytes are in no key.
pub(super) const STEP: Step = Step {
    to: 2,
    what: "past records get keys to be found by",
    rewrites: &[Table::of(INCIDENTS), Table::of(PROBLEMS), Table::of(ALERTS)],
    run,
};

fn run(rows: &mut Rows<'_>) -> Result<(), StoreError> {
    index(rows, INCIDENTS, |incident: Incident| incident.keys())?;
    index(rows, PROBLEMS, |problem: Problem| problem.keys())?;
    index(rows, ALERTS, |row: AlertRow| row.alert.keys())?;
    index(rows, MESSAGES, |message: Message| message.keys())
}

fn index<T: for<'b> Decode<'b, ()>>(rows: &mut Rows<'_>, table: rows::Table, keys: impl Fn(T) -> Vec<Row>) -> Result<(), StoreError> {
    rows.each(Table::of(table), |_, bytes| {
        let record: T = decode(table.name(), bytes).map_err(|fault| bad(table, fault))?;
        let change = |row: Row| {
            let (table, key) = row.place();
            RowChange { table: Table::of(table), key, value: Some(encode(&())) }
        };
        Ok(keys(record).into_iter().map(change).collect())
    })
}
