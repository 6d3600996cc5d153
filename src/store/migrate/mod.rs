//! From the format of an earlier release to this one's: an ordered list of steps, all in ONE transaction, so that a kill leaves the old format or the new one and
//! nothing between. `run` does it, before anything else reads a row; the other verbs read an older store as it is.
//!
//! To add a step: a file beside this one with a [`Step`], and its line at the end of [`STEPS`]. A released format never gets another step: raise `meta::FORMAT`.
//! Blocks are never rewritten: what they hold stays readable by its indices.

mod messages;
mod past;
mod realms;

use redb::{ReadableTable, ReadableTableMetadata, WriteTransaction};
use watchkeeper_engine::state::rows;

use crate::error::{StoreError, disk, file};
use crate::limits::{MIGRATION_ROOM_BYTES, PAGE_ROWS_MAX};
use crate::meta::{FORMAT, Identity, write_identity};
use crate::store::{RowChange, Store, begin, write_rows};
use crate::tables::Table;

/// What leads to each format, in order.
const STEPS: &[Step] = &[realms::STEP, messages::STEP, past::STEP];

/// One change of what rows mean.
pub(crate) struct Step {
    /// The format it is a part of.
    pub(crate) to: u32,
    /// What it does, as the log says it.
    pub(crate) what: &'static str,
    /// The tables it rewrites: their bytes are written a second time before the first are free.
    pub(crate) rewrites: &'static [Table],
    /// Does it. It sees the rows as the steps before left them.
    pub(crate) run: fn(&mut Rows<'_>) -> Result<(), StoreError>,
}

/// What a store of an earlier format needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// Its format.
    pub from: u32,
    /// The format of this release.
    pub to: u32,
    /// What is done, in order.
    pub steps: Vec<&'static str>,
    /// Bytes that must be free in its folder.
    pub room_bytes: u64,
}

impl Store {
    /// What is to be done before this release can work on the store; `None`: nothing.
    ///
    /// # Errors
    /// The database fails.
    pub fn migration(&self) -> Result<Option<Migration>, StoreError> {
        let from = self.format_number();
        if from >= FORMAT {
            return Ok(None);
        }
        let snapshot = self.reader().snapshot()?;
        let mut room_bytes = MIGRATION_ROOM_BYTES;
        for table in steps(from).flat_map(|step| step.rewrites) {
            if let Some(rows) = snapshot.table(*table)? {
                let stats = rows.stats().map_err(disk("read"))?;
                room_bytes += stats.stored_bytes() + stats.metadata_bytes() + stats.fragmented_bytes();
            }
        }
        Ok(Some(Migration { from, to: FORMAT, steps: steps(from).map(|step| step.what).collect(), room_bytes }))
    }

    /// Bytes that are free in the store's folder.
    ///
    /// # Errors
    /// The system does not say.
    pub fn free_bytes(&self) -> Result<u64, StoreError> {
        let system = rustix::fs::statvfs(self.dir()).map_err(|error| file("look at", self.dir())(error.into()))?;
        Ok(system.f_bavail.saturating_mul(system.f_frsize))
    }

    /// Does it, where `free_bytes` are enough. Returns how many rows were written.
    ///
    /// # Errors
    /// There is no room, and nothing was written; or the database fails or holds what a step cannot read, and the store is as it was.
    pub fn migrate(&mut self, migration: &Migration, free_bytes: u64) -> Result<u64, StoreError> {
        let Migration { from, to, room_bytes, .. } = *migration;
        if free_bytes < room_bytes {
            return Err(StoreError::NoRoom { path: Store::path(self.dir()), from, to, needed: room_bytes, free: free_bytes });
        }
        let txn = begin(self.database())?;
        let mut rows = Rows { txn: &txn, written: 0 };
        for step in steps(from) {
            (step.run)(&mut rows)?;
        }
        let written = rows.written;
        let identity = Identity { format: to, ..self.identity() };
        write_identity(&txn, &identity)?;
        txn.commit().map_err(disk("migrate"))?;
        self.set_identity(identity);
        Ok(written)
    }
}

fn steps(from: u32) -> impl Iterator<Item = &'static Step> {
    STEPS.iter().filter(move |step| step.to > from && step.to <= FORMAT)
}

fn bad(table: rows::Table, fault: rows::RowFault) -> StoreError {
    StoreError::BadRow { table: table.name(), reason: fault.reason }
}

type KeyAndBytes = (Vec<u8>, Vec<u8>);

/// The rows that a step reads and writes.
pub(crate) struct Rows<'t> {
    txn: &'t WriteTransaction,
    written: u64,
}

impl Rows<'_> {
    /// Hands over each row of a table, in order, some hundred at a time, and writes what comes of it: changes of any table. A row that gets another key of the same
    /// table must come before it, or it is handed over again.
    pub(crate) fn each(
        &mut self,
        table: Table,
        mut change: impl FnMut(&[u8], &[u8]) -> Result<Vec<RowChange>, StoreError>,
    ) -> Result<(), StoreError> {
        let mut from = Vec::new();
        loop {
            let slice = self.slice(table, &from)?;
            let Some((last, _)) = slice.last() else { return Ok(()) };
            from = [last.as_slice(), &[0]].concat();
            let mut changes = Vec::new();
            for (key, bytes) in &slice {
                changes.extend(change(key, bytes)?);
            }
            self.write(changes)?;
        }
    }

    /// Writes rows.
    pub(crate) fn write(&mut self, changes: Vec<RowChange>) -> Result<(), StoreError> {
        self.written += changes.len() as u64;
        write_rows(self.txn, changes)
    }

    fn slice(&self, table: Table, from: &[u8]) -> Result<Vec<KeyAndBytes>, StoreError> {
        let rows = self.txn.open_table(table.definition()).map_err(disk("migrate"))?;
        let range = rows.range(from..).map_err(disk("migrate"))?.take(PAGE_ROWS_MAX);
        range.map(|row| row.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())).map_err(disk("migrate"))).collect()
    }
}
