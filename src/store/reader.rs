//! The read side: snapshots from any thread, a page of rows at a time. A snapshot keeps freed pages from being reused, so it is short-lived.

use std::ops::Bound;
use std::sync::Arc;

use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableError};
use watchkeeper_engine::time::Time;

use crate::error::{StoreError, disk};
use crate::frame::{self, StoredBlock};
use crate::limits::PAGE_ROWS_MAX;
use crate::meta::{Head, MetaFault, read_head};
use crate::tables::{BLOCKS, Blocks, PAGES, Rows, Table};

/// A handle for reading: cheap to clone, usable from any thread.
#[derive(Debug, Clone)]
pub struct Reader {
    database: Arc<Database>,
}

/// Which way a range is walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Ascending keys: oldest first.
    Forward,
    /// Descending keys: newest first.
    Backward,
}

/// Some rows, and where the next ones begin.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RowPage {
    /// Keys and bytes, in the order asked for.
    pub rows: Vec<(Vec<u8>, Vec<u8>)>,
    /// The key to go on from; `None` where there are no more.
    pub next: Option<Vec<u8>>,
}

/// The store as it was after one commit. Drop it within two seconds.
pub struct Snapshot {
    pub(crate) txn: ReadTransaction,
}

impl Reader {
    pub(crate) fn new(database: Arc<Database>) -> Reader {
        Reader { database }
    }

    /// The store as it is now.
    ///
    /// # Errors
    /// The database is closed or fails.
    pub fn snapshot(&self) -> Result<Snapshot, StoreError> {
        Ok(Snapshot { txn: self.database.begin_read().map_err(disk("read"))? })
    }

    /// One block, for the history of `explain`; `None` where it was never written or has left for an archive.
    ///
    /// # Errors
    /// The database fails, or the block is not what was written.
    pub fn block(&self, seq: u64) -> Result<Option<StoredBlock>, StoreError> {
        self.snapshot()?.block(seq)
    }
}

impl Snapshot {
    /// Where the store stood.
    ///
    /// # Errors
    /// The database fails.
    pub fn head(&self) -> Result<Head, StoreError> {
        read_head(&self.txn).map_err(|fault| match fault {
            MetaFault::Absent(reason) => StoreError::BadRow { table: "meta", reason },
            MetaFault::Store(error) => error,
        })
    }

    /// One row.
    ///
    /// # Errors
    /// The database fails.
    pub fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(table) = self.table(table)? else { return Ok(None) };
        Ok(table.get(key).map_err(disk("read"))?.map(|value| value.value().to_vec()))
    }

    /// How many rows a table has.
    ///
    /// # Errors
    /// The database fails.
    pub fn count(&self, table: Table) -> Result<u64, StoreError> {
        self.table(table)?.map_or(Ok(0), |table| table.len().map_err(disk("read")))
    }

    /// Rows from `from` on (inclusive; `None`: from the end where `direction` begins), at most `limit` and at most [`PAGE_ROWS_MAX`].
    ///
    /// # Errors
    /// The database fails.
    pub fn range(&self, table: Table, from: Option<&[u8]>, limit: usize, direction: Direction) -> Result<RowPage, StoreError> {
        self.page(table, &[], from, limit, direction)
    }

    /// As [`Snapshot::range`], of the rows whose key begins with `prefix`.
    ///
    /// # Errors
    /// The database fails.
    pub fn prefix(
        &self,
        table: Table,
        prefix: &[u8],
        from: Option<&[u8]>,
        limit: usize,
        direction: Direction,
    ) -> Result<RowPage, StoreError> {
        self.page(table, prefix, from, limit, direction)
    }

    /// The texts that stand in keys between `prefix` and a zero byte with an id of eight bytes, each once, those that `keep` wants; `None`: there are more than
    /// `most` different ones. Costs a leap for each.
    ///
    /// # Errors
    /// The database fails.
    pub fn texts(
        &self,
        table: Table,
        prefix: &[u8],
        most: usize,
        mut keep: impl FnMut(&[u8]) -> bool,
    ) -> Result<Option<Vec<Vec<u8>>>, StoreError> {
        const END: usize = 1 + size_of::<u64>();
        let Some(table) = self.table(table)? else { return Ok(Some(Vec::new())) };
        let end = after_prefix(prefix);
        let high = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let (mut from, mut found) = (prefix.to_vec(), Vec::new());
        for looked in 0.. {
            let row = table.range::<&[u8]>((Bound::Included(from.as_slice()), high)).map_err(disk("read"))?.next();
            let Some(row) = row else { break };
            if looked == most {
                return Ok(None);
            }
            let (key, _) = row.map_err(disk("read"))?;
            let text = key.value().get(prefix.len()..key.value().len().saturating_sub(END)).unwrap_or_default();
            if keep(text) {
                found.push(text.to_vec());
            }
            // The first key behind those of this text.
            from = [prefix, text, &[1]].concat();
        }
        Ok(Some(found))
    }

    /// One block, its hash checked.
    ///
    /// # Errors
    /// The database fails, or the block is not what was written.
    pub fn block(&self, seq: u64) -> Result<Option<StoredBlock>, StoreError> {
        let Some(blocks) = self.blocks()? else { return Ok(None) };
        let mut whole = Vec::new();
        for (expected, chunk) in (0u32..).zip(blocks.range((seq, 0)..=(seq, u32::MAX)).map_err(disk("read"))?) {
            let (key, value) = chunk.map_err(disk("read"))?;
            if key.value().1 != expected {
                return Err(StoreError::BadBlock { seq, reason: format!("its part {expected} is missing") });
            }
            whole.extend_from_slice(value.value());
        }
        if whole.is_empty() { Ok(None) } else { frame::decode(seq, &whole).map(Some) }
    }

    /// The first block that is in the file, and its time.
    ///
    /// # Errors
    /// The database fails.
    pub fn first_block(&self) -> Result<Option<(u64, Time)>, StoreError> {
        let Some(blocks) = self.blocks()? else { return Ok(None) };
        let Some((key, value)) = blocks.first().map_err(disk("read"))? else { return Ok(None) };
        let seq = key.value().0;
        Ok(Some((seq, frame::time_of(seq, value.value())?)))
    }

    /// A vitals page.
    ///
    /// # Errors
    /// The database fails.
    pub fn vitals_page(&self, page: u32) -> Result<Option<Vec<u8>>, StoreError> {
        match self.txn.open_table(PAGES) {
            Ok(table) => Ok(table.get(page).map_err(disk("read"))?.map(|value| value.value().to_vec())),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(disk("read")(error)),
        }
    }

    pub(crate) fn table(&self, table: Table) -> Result<Option<Rows>, StoreError> {
        match self.txn.open_table(table.definition()) {
            Ok(table) => Ok(Some(table)),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(disk("read")(error)),
        }
    }

    pub(crate) fn blocks(&self) -> Result<Option<Blocks>, StoreError> {
        match self.txn.open_table(BLOCKS) {
            Ok(table) => Ok(Some(table)),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(disk("read")(error)),
        }
    }

    fn page(&self, table: Table, prefix: &[u8], from: Option<&[u8]>, limit: usize, direction: Direction) -> Result<RowPage, StoreError> {
        let Some(table) = self.table(table)? else { return Ok(RowPage::default()) };
        let limit = limit.clamp(1, PAGE_ROWS_MAX);
        let after = after_prefix(prefix);
        let low = Bound::Included(prefix);
        let high = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        // A place outside the prefix is moved to its edge.
        let bounds = match (direction, from) {
            (Direction::Forward, Some(from)) if from > prefix => (Bound::Included(from), high),
            (Direction::Backward, Some(from)) if after.as_deref().is_none_or(|end| from < end) => (low, Bound::Included(from)),
            (Direction::Forward | Direction::Backward, _) => (low, high),
        };
        if is_empty(&bounds) {
            return Ok(RowPage::default());
        }
        let mut range = table.range::<&[u8]>(bounds).map_err(disk("read"))?;
        let mut page = RowPage::default();
        loop {
            let row = match direction {
                Direction::Forward => range.next(),
                Direction::Backward => range.next_back(),
            };
            let Some(row) = row else { return Ok(page) };
            let (key, value) = row.map_err(disk("read"))?;
            if page.rows.len() == limit {
                page.next = Some(key.value().to_vec());
                return Ok(page);
            }
            page.rows.push((key.value().to_vec(), value.value().to_vec()));
        }
    }
}

/// The first key after all those that begin with `prefix`; `None` where there is none.
pub(crate) fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

fn is_empty(bounds: &(Bound<&[u8]>, Bound<&[u8]>)) -> bool {
    match bounds {
        (Bound::Included(low), Bound::Included(high)) => low > high,
        (Bound::Included(low), Bound::Excluded(high)) => low >= high,
        (Bound::Included(_) | Bound::Excluded(_) | Bound::Unbounded, _) => false,
    }
}
