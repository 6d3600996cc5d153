//! Vitals pages and the floor: whatever was written of them when, rows, pages and the blocks after the floor give the same memory.

use std::collections::BTreeMap;

use proptest::prelude::*;
use watchkeeper_engine::state::rows;
use watchkeeper_store::limits::{PAGE_BUDGET_BYTES_MIN, REPLAY_BYTES_MAX};
use watchkeeper_store::{Commit, PagePlan, PlannedPages, RowChange, Sink, Store, StoredBlock};

use crate::support::{ALERTS, at, batch, folder, init, key, noise, open};

/// Alerts a page holds in this model; the engine's hold 128.
const SLOTS: u64 = 4;

/// Counts per alert, as the engine keeps them: in a row when its meaning changes, on a page when only the count does.
#[derive(Debug, Default)]
struct Counts {
    /// Count, and the block whose row or page it came from.
    cells: BTreeMap<u64, (u64, u64)>,
    dirty: BTreeMap<u32, u64>,
}

fn words(bytes: &[u8]) -> Vec<u64> {
    bytes.chunks(8).map(|word| u64::from_be_bytes(word.try_into().unwrap())).collect()
}

fn bytes(words: impl IntoIterator<Item = u64>) -> Vec<u8> {
    words.into_iter().flat_map(u64::to_be_bytes).collect()
}

impl Counts {
    fn page_bytes(&self, page: u32, seq: u64) -> Vec<u8> {
        let first = u64::from(page) * SLOTS;
        let cells = self.cells.range(first..first + SLOTS).flat_map(|(id, (count, _))| [*id, *count]);
        bytes([seq].into_iter().chain(cells))
    }

    fn counts(&self) -> BTreeMap<u64, u64> {
        self.cells.iter().map(|(id, (count, _))| (*id, *count)).collect()
    }

    /// One batch: `seen` only count, `changed` count and write their row.
    fn step(&mut self, store: &mut Store, seen: &[u64], changed: &[u64], budget_bytes: usize) {
        let seq = store.head().seq + 1;
        for id in seen {
            let Some(cell) = self.cells.get_mut(id) else { continue };
            cell.0 += 1;
            self.dirty.entry(u32::try_from(id / SLOTS).unwrap()).or_insert(seq);
        }
        for id in changed {
            let cell = self.cells.entry(*id).or_default();
            *cell = (cell.0 + 1, seq);
        }
        let block = bytes(seen.iter().copied());
        let mut dirty: Vec<_> = self.dirty.iter().map(|(page, since)| (*page, *since)).collect();
        dirty.sort_by_key(|(_, since)| *since);
        let plan = PagePlan { seq, budget_bytes, must_reach: store.page_plan(block.len()).must_reach };
        let PlannedPages { pages, floor } = plan.choose(dirty, |page| self.page_bytes(page, seq));
        for (page, _) in &pages {
            self.dirty.remove(page);
        }
        let row = |id: &u64| RowChange { table: ALERTS, key: key(*id), value: Some(bytes([seq, self.cells[id].0])) };
        let rows = changed.iter().map(row).collect();
        store.commit(Commit { seq, now: at(seq), block, rows, pages, floor }).unwrap();
    }
}

impl Sink for Counts {
    type Fault = String;

    fn row(&mut self, _: rows::Table, key: &[u8], row: &[u8]) -> Result<(), String> {
        let row = words(row);
        self.cells.insert(words(key)[0], (row[1], row[0]));
        Ok(())
    }

    fn page(&mut self, _: u32, page: &[u8]) -> Result<(), String> {
        let page = words(page);
        for cell in page[1..].chunks(2) {
            match self.cells.get_mut(&cell[0]) {
                Some(known) if known.1 < page[0] => *known = (cell[1], page[0]),
                _ => {}
            }
        }
        Ok(())
    }

    fn block(&mut self, block: &StoredBlock) -> Result<(), String> {
        for id in words(&block.bytes) {
            if let Some(cell) = self.cells.get_mut(&id).filter(|cell| cell.1 < block.seq) {
                cell.0 += 1;
                self.dirty.entry(u32::try_from(id / SLOTS).unwrap()).or_insert(block.seq);
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Batches with any budget of pages, restarts between any two of them.
    #[test]
    fn rows_pages_and_later_blocks_give_the_counts_back(
        batches in prop::collection::vec(
            (prop::collection::btree_set(0u64..16, 0..6), prop::collection::btree_set(0u64..16, 0..3), 0usize..90, any::<bool>()),
            1..12,
        ),
    ) {
        let dir = folder();
        let mut store = init(dir.path());
        let mut counts = Counts::default();
        for (seen, changed, budget, restart) in batches {
            let seen: Vec<_> = seen.difference(&changed).copied().collect();
            counts.step(&mut store, &seen, &changed.into_iter().collect::<Vec<_>>(), budget);
            if restart {
                drop(store);
                store = open(dir.path()).unwrap();
                let mut loaded = Counts::default();
                store.load(&mut loaded).unwrap();
                prop_assert_eq!(loaded.counts(), counts.counts());
                counts = loaded;
            }
        }
    }
}

#[test]
fn the_oldest_pages_go_first_and_the_floor_is_before_the_first_left_behind() {
    let plan = PagePlan { seq: 9, budget_bytes: 10, must_reach: 0 };
    let chosen = plan.choose([(4, 2), (1, 3), (8, 5), (2, 9)], |page| vec![0; 4 + page as usize]);
    assert_eq!(chosen.pages.iter().map(|(page, _)| *page).collect::<Vec<_>>(), [4, 1]);
    assert_eq!(chosen.floor, 4);
    let nothing_dirty = plan.choose([], |_| Vec::new());
    assert_eq!((nothing_dirty.pages.len(), nothing_dirty.floor), (0, 9));
}

#[test]
fn pages_that_would_make_a_start_long_are_written_whatever_the_budget() {
    let plan = PagePlan { seq: 9, budget_bytes: 1, must_reach: 5 };
    let chosen = plan.choose([(4, 2), (1, 3), (8, 5), (2, 9)], |_| vec![0; 100]);
    assert_eq!((chosen.pages.len(), chosen.floor), (3, 8));
}

#[test]
fn a_plan_allows_as_much_as_the_block_and_reaches_what_lies_too_far_back() {
    let dir = folder();
    let mut store = init(dir.path());
    assert_eq!(store.page_plan(10), PagePlan { seq: 1, budget_bytes: PAGE_BUDGET_BYTES_MIN, must_reach: 0 });
    let size = usize::try_from(REPLAY_BYTES_MAX / 4).unwrap();
    assert_eq!(store.page_plan(size), PagePlan { seq: 1, budget_bytes: size, must_reach: 0 });
    let block = noise(size);
    for _ in 0..4 {
        let commit = Commit { block: block.clone(), ..batch(&store, Vec::new()) };
        store.commit(commit).unwrap();
    }
    // Four quarters and their headers are more than the whole; a fifth pushes the second one out too.
    assert_eq!(store.page_plan(10).must_reach, 1);
    assert_eq!(store.page_plan(size).must_reach, 2);
    let commit = Commit { floor: 1, ..batch(&store, Vec::new()) };
    store.commit(commit).unwrap();
    assert_eq!(store.page_plan(10).must_reach, 0);
    drop(store);
    let mut store = open(dir.path()).unwrap();
    store.load(&mut crate::support::Memory::default()).unwrap();
    assert_eq!((store.page_plan(10).must_reach, store.page_plan(size * 2).must_reach), (0, 3));
}
