//! A start: live rows, then vitals pages, then the blocks after the floor, in that order, each handed to whoever keeps them in memory.

use std::fmt::Display;

use redb::{ReadableTable, TableError};

use crate::error::{StoreError, disk};
use crate::frame::{self, StoredBlock};
use crate::place::undamaged;
use crate::reader::{Snapshot, after_prefix};
use crate::store::Store;
use crate::tables::{PAGES, Table};

/// What a start fills. The engine's State, or a reference in tests.
pub trait Sink {
    /// Why it refuses bytes: they were written by another release, or are damaged.
    type Fault: Display;

    /// Takes a row.
    ///
    /// # Errors
    /// The bytes are no such row.
    fn row(&mut self, table: Table, key: &[u8], bytes: &[u8]) -> Result<(), Self::Fault>;

    /// Takes a vitals page; all rows have come before.
    ///
    /// # Errors
    /// The bytes are no page.
    fn page(&mut self, page: u32, bytes: &[u8]) -> Result<(), Self::Fault>;

    /// Takes a block after the floor, in order; all pages have come before. Only what changes no row may be applied from it: the rows are at the head.
    ///
    /// # Errors
    /// The bytes are no block.
    fn block(&mut self, block: &StoredBlock) -> Result<(), Self::Fault>;
}

/// What a start has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Loaded {
    /// Rows.
    pub rows: u64,
    /// Vitals pages.
    pub pages: u64,
    /// Blocks after the floor.
    pub blocks: u64,
    /// Their bytes in the file.
    pub block_bytes: u64,
}

/// Tables that are loaded whole, in this order; members come after incidents, of those alone.
const WHOLE: [Table; 12] = [
    Table::named("counters"),
    Table::named("timers_aside"),
    Table::named("sources"),
    Table::named("alerts"),
    Table::named("incidents"),
    Table::named("messages"),
    Table::named("silences"),
    Table::named("digests"),
    Table::named("jobs"),
    Table::named("terms"),
    Table::named("checks"),
    Table::named("forecasts"),
];
const INCIDENTS: Table = Table::named("incidents");
const MEMBERS: Table = Table::named("members");

impl Store {
    /// Reads what lives into `sink`: counters, timers set aside, sources, alerts, incidents and their members, messages, silences, digests, jobs, terms, capacity
    /// rules and their series, pages, then the blocks after the floor, checked by sequence and chain.
    ///
    /// # Errors
    /// The database fails, the chain is broken, or the sink refuses bytes.
    pub fn load<S: Sink>(&mut self, sink: &mut S) -> Result<Loaded, StoreError> {
        let path = Store::path(self.dir());
        undamaged(&path, || self.load_all(sink))
    }

    fn load_all<S: Sink>(&mut self, sink: &mut S) -> Result<Loaded, StoreError> {
        let snapshot = self.reader().snapshot()?;
        let mut loaded = Loaded::default();
        for table in WHOLE {
            loaded.rows += load_table(&snapshot, table, sink)?;
            if table == INCIDENTS {
                loaded.rows += load_members(&snapshot, sink)?;
            }
        }
        loaded.pages = load_pages(&snapshot, sink)?;
        self.behind.clear();
        let floor = self.head().floor;
        walk_blocks(&snapshot, floor + 1, |block, bytes| {
            sink.block(block).map_err(|fault| StoreError::BadBlock { seq: block.seq, reason: fault.to_string() })?;
            loaded.blocks += 1;
            loaded.block_bytes += bytes;
            self.behind.push_back((block.seq, bytes));
            Ok(())
        })?;
        Ok(loaded)
    }
}

/// Walks the blocks from `first` to the head, which must all be there and hang together; `each` gets a block and its bytes in the file.
pub(crate) fn walk_blocks(
    snapshot: &Snapshot,
    first: u64,
    mut each: impl FnMut(&StoredBlock, u64) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let head = snapshot.head()?;
    let mut expected = first;
    let mut before = if first <= 1 { Some(0) } else { None };
    let mut whole: Vec<u8> = Vec::new();
    let mut parts = 0;
    let mut finish = |seq: u64, frame: &[u8]| {
        let block = frame::decode(seq, frame)?;
        if before.is_some_and(|hash| hash != block.before) {
            return Err(StoreError::BadBlock { seq, reason: "it does not follow the block before it".to_owned() });
        }
        before = Some(block.hash);
        each(&block, frame.len() as u64)
    };
    if let Some(blocks) = snapshot.blocks()? {
        for chunk in blocks.range((first, 0)..).map_err(disk("read"))? {
            let (key, value) = chunk.map_err(disk("read"))?;
            let (seq, part) = key.value();
            if seq == expected + 1 && part == 0 && parts > 0 {
                finish(expected, &whole)?;
                whole.clear();
                (expected, parts) = (seq, 0);
            }
            if seq != expected {
                let missing = expected + u64::from(parts > 0);
                return Err(StoreError::BadBlock {
                    seq: missing,
                    reason: format!("its beginning is missing, part {part} of block {seq} is there"),
                });
            }
            if part != parts {
                return Err(StoreError::BadBlock { seq, reason: format!("its part {parts} is missing") });
            }
            whole.extend_from_slice(value.value());
            parts += 1;
        }
    }
    if parts > 0 {
        finish(expected, &whole)?;
        expected += 1;
    }
    if expected != head.seq + 1 {
        return Err(StoreError::BadBlock { seq: expected, reason: format!("it is missing, the store stands at {}", head.seq) });
    }
    if before.is_some_and(|hash| hash != head.hash) {
        return Err(StoreError::BadBlock { seq: head.seq, reason: "it is not the one the store stands at".to_owned() });
    }
    Ok(())
}

fn load_table<S: Sink>(snapshot: &Snapshot, table: Table, sink: &mut S) -> Result<u64, StoreError> {
    let Some(rows) = snapshot.table(table)? else { return Ok(0) };
    let mut count = 0;
    for row in rows.iter().map_err(disk("read"))? {
        let (key, value) = row.map_err(disk("read"))?;
        hand_over(sink, table, key.value(), value.value())?;
        count += 1;
    }
    Ok(count)
}

/// Members of past incidents stay in their table and would outgrow the live ones: each live incident's range is read alone.
fn load_members<S: Sink>(snapshot: &Snapshot, sink: &mut S) -> Result<u64, StoreError> {
    let (Some(incidents), Some(members)) = (snapshot.table(INCIDENTS)?, snapshot.table(MEMBERS)?) else { return Ok(0) };
    let mut count = 0;
    for incident in incidents.iter().map_err(disk("read"))? {
        let (incident, _) = incident.map_err(disk("read"))?;
        let first = incident.value();
        let end = after_prefix(first);
        let range = match &end {
            Some(end) => members.range(first..end.as_slice()),
            None => members.range(first..),
        };
        for row in range.map_err(disk("read"))? {
            let (key, value) = row.map_err(disk("read"))?;
            hand_over(sink, MEMBERS, key.value(), value.value())?;
            count += 1;
        }
    }
    Ok(count)
}

fn hand_over<S: Sink>(sink: &mut S, table: Table, key: &[u8], bytes: &[u8]) -> Result<(), StoreError> {
    sink.row(table, key, bytes).map_err(|fault| StoreError::BadRow { table: table.name(), reason: fault.to_string() })
}

fn load_pages<S: Sink>(snapshot: &Snapshot, sink: &mut S) -> Result<u64, StoreError> {
    let pages = match snapshot.txn.open_table(PAGES) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(0),
        Err(error) => return Err(disk("read")(error)),
    };
    let mut count = 0;
    for page in pages.iter().map_err(disk("read"))? {
        let (number, bytes) = page.map_err(disk("read"))?;
        sink.page(number.value(), bytes.value()).map_err(|fault| StoreError::BadRow { table: "vitals", reason: fault.to_string() })?;
        count += 1;
    }
    Ok(count)
}
