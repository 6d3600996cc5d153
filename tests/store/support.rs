//! A store in a folder of its own, small batches, and a sink that remembers what it was handed.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use tempfile::TempDir;
use watchkeeper_engine::state::rows;
use watchkeeper_engine::time::Time;
use watchkeeper_store::{Commit, Options, RowChange, Sink, Store, StoreError, StoredBlock, Table};

pub(crate) const ALERTS: Table = Table::of(rows::Table::Alerts);
pub(crate) const COUNTERS: Table = Table::of(rows::Table::Counters);
pub(crate) const INCIDENTS: Table = Table::of(rows::Table::Incidents);
pub(crate) const MEMBERS: Table = Table::of(rows::Table::Members);
pub(crate) const TIMELINE: Table = Table::of(rows::Table::Timeline);

/// The time of batch `n`.
pub(crate) fn at(n: u64) -> Time {
    Time(1_790_000_000_000 + i64::try_from(n).unwrap() * 1_000)
}

pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

pub(crate) fn init(dir: &Path) -> Store {
    Store::init(dir, at(0), Options::default()).unwrap()
}

pub(crate) fn open(dir: &Path) -> Result<Store, StoreError> {
    Store::open(dir, at(0), Options::default())
}

pub(crate) fn key(id: u64) -> Vec<u8> {
    id.to_be_bytes().to_vec()
}

pub(crate) fn put(table: Table, key: Vec<u8>, value: impl Into<Vec<u8>>) -> RowChange {
    RowChange { table, key, value: Some(value.into()) }
}

pub(crate) fn delete(table: Table, key: Vec<u8>) -> RowChange {
    RowChange { table, key, value: None }
}

/// The next batch of a store, with a block that names it and everything before it in rows.
pub(crate) fn batch(store: &Store, rows: Vec<RowChange>) -> Commit {
    let seq = store.head().seq + 1;
    Commit { seq, now: at(seq), block: format!("block {seq}").into_bytes(), rows, pages: Vec::new(), floor: store.head().floor }
}

/// Remembers all it was handed, in order.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) rows: BTreeMap<(Table, Vec<u8>), Vec<u8>>,
    pub(crate) pages: BTreeMap<u32, Vec<u8>>,
    pub(crate) blocks: Vec<StoredBlock>,
    pub(crate) order: Vec<String>,
}

impl Memory {
    pub(crate) fn of(store: &mut Store) -> Memory {
        let mut memory = Memory::default();
        store.load(&mut memory).unwrap();
        memory
    }

    pub(crate) fn row(&self, table: Table, key: Vec<u8>) -> Option<&[u8]> {
        self.rows.get(&(table, key)).map(Vec::as_slice)
    }
}

impl Sink for Memory {
    type Fault = String;

    fn row(&mut self, table: rows::Table, key: &[u8], bytes: &[u8]) -> Result<(), String> {
        if bytes == b"poison" {
            return Err("it is poison".to_owned());
        }
        self.order.push(format!("{} {key:?}", table.name()));
        self.rows.insert((Table::of(table), key.to_vec()), bytes.to_vec());
        Ok(())
    }

    fn page(&mut self, page: u32, bytes: &[u8]) -> Result<(), String> {
        self.order.push(format!("page {page}"));
        self.pages.insert(page, bytes.to_vec());
        Ok(())
    }

    fn block(&mut self, block: &StoredBlock) -> Result<(), String> {
        self.order.push(format!("block {}", block.seq));
        self.blocks.push(block.clone());
        Ok(())
    }
}

/// Bytes that LZ4 cannot shrink; made once, because the crash tests ask for them thousands of times.
pub(crate) fn noise(bytes: usize) -> Vec<u8> {
    static NOISE: OnceLock<Vec<u8>> = OnceLock::new();
    let noise = NOISE.get_or_init(|| {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let step = |_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        };
        (0..500_009).flat_map(step).collect()
    });
    noise.iter().copied().cycle().take(bytes).collect()
}
