//! Format 2: a message is two rows, what is sent and where it is, so that a try does not write again what the message says.

use watchkeeper_engine::model::message::{Message, Sending};
use watchkeeper_engine::state::rows::{self, decode, encode};

use super::{Rows, Step, bad};
use crate::error::StoreError;
use crate::store::RowChange;
use crate::tables::Table;

pub(super) const STEP: Step = Step {
    to: 2,
    what: "messages become two rows",
    rewrites: &[Table::of(rows::Table::Messages), Table::of(rows::Table::PastMessages)],
    run,
};

fn run(rows: &mut Rows<'_>) -> Result<(), StoreError> {
    split(rows, rows::Table::Messages, rows::Table::Sendings)?;
    split(rows, rows::Table::PastMessages, rows::Table::PastSendings)
}

/// Both rows have the indices of the one, and each reads its own.
fn split(rows: &mut Rows<'_>, messages: rows::Table, sendings: rows::Table) -> Result<(), StoreError> {
    rows.each(Table::of(messages), |key, bytes| {
        let message: Message = decode(messages.name(), bytes).map_err(|fault| bad(messages, fault))?;
        let sending: Sending = decode(messages.name(), bytes).map_err(|fault| bad(messages, fault))?;
        let change = |table, value| RowChange { table: Table::of(table), key: key.to_vec(), value: Some(value) };
        Ok(vec![change(messages, encode(&message)), change(sendings, encode(&sending))])
    })
}
