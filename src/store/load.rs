//! A start: live rows, then vitals pages, then the blocks after the floor, in that order, each handed to whoever keeps them in memory.

use std::fmt::Display;

use redb::{ReadableTable, TableError, TableHandle};
use watchkeeper_engine::block::Block;
use watchkeeper_engine::cmdb::Cmdb;
use watchkeeper_engine::state::State;
use watchkeeper_engine::state::rows::{self, Load, RowFault};

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
    fn row(&mut self, table: rows::Table, key: &[u8], bytes: &[u8]) -> Result<(), Self::Fault>;

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

/// State while it is filled.
struct Filling(State);

impl Sink for Filling {
    type Fault = RowFault;

    fn row(&mut self, table: rows::Table, _: &[u8], bytes: &[u8]) -> Result<(), RowFault> {
        self.0.load_row(table, bytes)
    }

    fn page(&mut self, _: u32, bytes: &[u8]) -> Result<(), RowFault> {
        self.0.load_page(bytes)
    }

    fn block(&mut self, block: &StoredBlock) -> Result<(), RowFault> {
        let block: Block = rows::decode("blocks", &block.bytes)?;
        self.0.replay_seen(&block);
        Ok(())
    }
}

impl Store {
    /// The engine's State as it was after the last commit. The CMDB is the one in force then: health and places of alerts are counted with it.
    ///
    /// # Errors
    /// The store fails, or holds what this release cannot read.
    pub fn load_state(&mut self, cmdb: &Cmdb) -> Result<(State, Loaded), StoreError> {
        let mut filling = Filling(State::new(self.id()));
        let loaded = self.load(&mut filling)?;
        let mut state = filling.0;
        state.finish_loading(cmdb);
        Ok((state, loaded))
    }

    /// Reads what lives into `sink`: the tables of the engine's registry in its order, each as far as it says, then pages, then the blocks after the floor,
    /// checked by sequence and chain.
    ///
    /// # Errors
    /// The database fails or has a table that nobody knows, the chain is broken, or the sink refuses bytes.
    pub fn load<S: Sink>(&mut self, sink: &mut S) -> Result<Loaded, StoreError> {
        let path = Store::path(self.dir());
        undamaged(&path, || self.load_all(sink))
    }

    fn load_all<S: Sink>(&mut self, sink: &mut S) -> Result<Loaded, StoreError> {
        self.check_format()?;
        let snapshot = self.reader().snapshot()?;
        let mut loaded = Loaded::default();
        refuse_unknown_tables(&snapshot)?;
        for table in rows::Table::ALL.iter().copied() {
            loaded.rows += match table.load() {
                Load::Whole => load_table(&snapshot, table, sink)?,
                Load::OfLive(parent) => load_parts(&snapshot, parent, table, sink)?,
                Load::Never => 0,
            };
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

/// Rows that no part of this program reads would be lost from memory without a word.
fn refuse_unknown_tables(snapshot: &Snapshot) -> Result<(), StoreError> {
    let tables = snapshot.txn.list_tables().map_err(disk("read"))?;
    match tables.map(|table| table.name().to_owned()).find(|name| !Table::is_known(name)) {
        Some(table) => Err(StoreError::UnknownTable { table }),
        None => Ok(()),
    }
}

fn load_table<S: Sink>(snapshot: &Snapshot, table: rows::Table, sink: &mut S) -> Result<u64, StoreError> {
    let Some(rows) = snapshot.table(Table::of(table))? else { return Ok(0) };
    let mut count = 0;
    for row in rows.iter().map_err(disk("read"))? {
        let (key, value) = row.map_err(disk("read"))?;
        hand_over(sink, table, key.value(), value.value())?;
        count += 1;
    }
    Ok(count)
}

/// Of each row of `parent`, the rows of `table` whose key begins with its key.
fn load_parts<S: Sink>(snapshot: &Snapshot, parent: rows::Table, table: rows::Table, sink: &mut S) -> Result<u64, StoreError> {
    let (Some(live), Some(parts)) = (snapshot.table(Table::of(parent))?, snapshot.table(Table::of(table))?) else { return Ok(0) };
    let mut count = 0;
    for whole in live.iter().map_err(disk("read"))? {
        let (whole, _) = whole.map_err(disk("read"))?;
        let first = whole.value();
        let end = after_prefix(first);
        let range = match &end {
            Some(end) => parts.range(first..end.as_slice()),
            None => parts.range(first..),
        };
        for row in range.map_err(disk("read"))? {
            let (key, value) = row.map_err(disk("read"))?;
            hand_over(sink, table, key.value(), value.value())?;
            count += 1;
        }
    }
    Ok(count)
}

fn hand_over<S: Sink>(sink: &mut S, table: rows::Table, key: &[u8], bytes: &[u8]) -> Result<(), StoreError> {
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
