//! Batches go in whole and come out as they went in.

use proptest::prelude::*;
use watchkeeper_store::limits::{CHUNK_BYTES_MAX, PAGE_ROWS_MAX};
use watchkeeper_store::{Direction, Options, Store, StoreError, Table};

use crate::support::{ALERTS, COUNTERS, INCIDENTS, MEMBERS, Memory, TIMELINE, at, batch, delete, folder, init, key, noise, open, put};

#[test]
fn rows_pages_and_blocks_come_back_after_a_restart() {
    let dir = folder();
    let mut store = init(dir.path());
    let mut first = batch(&store, vec![put(COUNTERS, vec![0], "one"), put(ALERTS, key(7), "firing")]);
    first.pages = vec![(3, b"page three".to_vec())];
    store.commit(first).unwrap();
    let second = batch(&store, vec![put(COUNTERS, vec![0], "two")]);
    let head = store.commit(second).unwrap();
    store.close(at(9)).unwrap();

    let mut store = open(dir.path()).unwrap();
    assert_eq!(store.head(), head);
    let memory = Memory::of(&mut store);
    assert_eq!(memory.row(COUNTERS, vec![0]), Some(b"two".as_slice()));
    assert_eq!(memory.row(ALERTS, key(7)), Some(b"firing".as_slice()));
    assert_eq!(memory.pages[&3], b"page three");
    let blocks: Vec<_> = memory.blocks.iter().map(|block| (block.seq, block.now, block.bytes.as_slice())).collect();
    assert_eq!(blocks, [(1, at(1), b"block 1".as_slice()), (2, at(2), b"block 2".as_slice())]);
    assert_eq!((memory.blocks[0].before, memory.blocks[1].before), (0, memory.blocks[0].hash));
    assert_eq!(memory.blocks[1].hash, head.hash);
}

#[test]
fn a_deleted_row_is_gone_and_of_two_changes_the_later_holds() {
    let dir = folder();
    let mut store = init(dir.path());
    let rows = vec![put(ALERTS, key(1), "a"), put(ALERTS, key(2), "b"), put(ALERTS, key(1), "c"), delete(ALERTS, key(2))];
    let commit = batch(&store, rows);
    store.commit(commit).unwrap();
    let commit = batch(&store, vec![delete(ALERTS, key(1)), put(ALERTS, key(3), "d")]);
    store.commit(commit).unwrap();
    let snapshot = store.reader().snapshot().unwrap();
    let found: Vec<_> = (1..=3).map(|id| snapshot.get(ALERTS, &key(id)).unwrap()).collect();
    assert_eq!(found, [None, None, Some(b"d".to_vec())]);
    assert_eq!(snapshot.count(ALERTS).unwrap(), 1);
}

#[test]
fn a_start_loads_counters_first_members_after_their_incidents_and_blocks_last() {
    let dir = folder();
    let mut store = init(dir.path());
    let member = |incident: u64, alert: u64| [key(incident), key(alert)].concat();
    let mut commit = batch(
        &store,
        vec![
            put(MEMBERS, member(1, 1), "of a closed incident"),
            put(MEMBERS, member(2, 1), "m"),
            put(MEMBERS, member(2, 9), "m"),
            put(MEMBERS, member(u64::MAX, 1), "m"),
            put(INCIDENTS, key(2), "i"),
            put(INCIDENTS, key(u64::MAX), "i"),
            put(TIMELINE, key(2), "not loaded"),
            put(ALERTS, key(1), "a"),
            put(COUNTERS, vec![0], "c"),
        ],
    );
    commit.pages = vec![(0, b"p".to_vec())];
    store.commit(commit).unwrap();
    let memory = Memory::of(&mut store);
    let expected = [
        format!("counters {:?}", [0]),
        format!("alerts {:?}", key(1)),
        format!("incidents {:?}", key(2)),
        format!("incidents {:?}", key(u64::MAX)),
        format!("members {:?}", member(2, 1)),
        format!("members {:?}", member(2, 9)),
        format!("members {:?}", member(u64::MAX, 1)),
        "page 0".to_owned(),
        "block 1".to_owned(),
    ];
    assert_eq!(memory.order, expected);
}

#[test]
fn a_row_that_the_reader_refuses_stops_the_start_and_names_its_table() {
    let dir = folder();
    let mut store = init(dir.path());
    let commit = batch(&store, vec![put(ALERTS, key(1), "poison")]);
    store.commit(commit).unwrap();
    let error = store.load(&mut Memory::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "read a row of table alerts in the store: it is poison; a backup comes back with `watchkeeper restore FILE`"
    );
}

#[test]
fn a_commit_out_of_order_changes_nothing_and_the_right_one_follows() {
    let dir = folder();
    let mut store = init(dir.path());
    let mut wrong = batch(&store, vec![put(ALERTS, key(1), "a")]);
    wrong.seq = 2;
    assert!(matches!(store.commit(wrong), Err(StoreError::OutOfOrder { seq: 2, .. })));
    let mut ahead = batch(&store, Vec::new());
    ahead.floor = 2;
    assert!(matches!(store.commit(ahead), Err(StoreError::OutOfOrder { seq: 1, .. })));
    let right = batch(&store, Vec::new());
    assert_eq!(store.commit(right).unwrap().seq, 1);
    assert_eq!(store.reader().snapshot().unwrap().count(ALERTS).unwrap(), 0);
}

#[test]
fn a_page_of_a_read_goes_both_ways_and_says_where_the_next_begins() {
    let dir = folder();
    let mut store = init(dir.path());
    let rows = (0..1_200).map(|id| put(ALERTS, key(id), id.to_string())).collect();
    let commit = batch(&store, rows);
    store.commit(commit).unwrap();
    let snapshot = store.reader().snapshot().unwrap();
    for (direction, ids) in [(Direction::Forward, (0..1_200).collect::<Vec<u64>>()), (Direction::Backward, (0..1_200).rev().collect())] {
        let (mut seen, mut from, mut sizes) = (Vec::new(), None, Vec::new());
        loop {
            let page = snapshot.range(ALERTS, from.as_deref(), 10_000, direction).unwrap();
            sizes.push(page.rows.len());
            seen.extend(page.rows.into_iter().map(|(key, _)| u64::from_be_bytes(key.try_into().unwrap())));
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        assert_eq!(sizes, [PAGE_ROWS_MAX, PAGE_ROWS_MAX, 200]);
        assert_eq!(seen, ids);
    }
}

#[test]
fn a_prefix_holds_its_own_rows_only_whatever_the_place_to_begin() {
    let dir = folder();
    let mut store = init(dir.path());
    let keys: [&[u8]; 7] = [&[1], &[1, 255], &[2], &[2, 0], &[2, 7], &[2, 255], &[3]];
    let commit = batch(&store, keys.iter().map(|key| put(TIMELINE, key.to_vec(), "x")).collect());
    store.commit(commit).unwrap();
    let snapshot = store.reader().snapshot().unwrap();
    let read = |prefix: &[u8], from: Option<&[u8]>, direction| -> Vec<Vec<u8>> {
        snapshot.prefix(TIMELINE, prefix, from, 10, direction).unwrap().rows.into_iter().map(|(key, _)| key).collect()
    };
    let own = vec![vec![2], vec![2, 0], vec![2, 7], vec![2, 255]];
    let reversed: Vec<_> = own.iter().rev().cloned().collect();
    assert_eq!(read(&[2], None, Direction::Forward), own);
    assert_eq!(read(&[2], Some(&[0]), Direction::Forward), own);
    assert_eq!(read(&[2], Some(&[2, 7]), Direction::Forward), own[2..]);
    assert_eq!(read(&[2], Some(&[3]), Direction::Forward), Vec::<Vec<u8>>::new());
    assert_eq!(read(&[2], None, Direction::Backward), reversed);
    assert_eq!(read(&[2], Some(&[9]), Direction::Backward), reversed);
    assert_eq!(read(&[2], Some(&[2, 7]), Direction::Backward), reversed[1..]);
    assert_eq!(read(&[2], Some(&[1]), Direction::Backward), Vec::<Vec<u8>>::new());
    assert_eq!(read(&[255], None, Direction::Forward), Vec::<Vec<u8>>::new());
}

#[test]
fn a_snapshot_stays_what_it_was() {
    let dir = folder();
    let mut store = init(dir.path());
    let reader = store.reader();
    let before = reader.snapshot().unwrap();
    let commit = batch(&store, vec![put(ALERTS, key(1), "a")]);
    store.commit(commit).unwrap();
    assert_eq!((before.head().unwrap().seq, before.get(ALERTS, &key(1)).unwrap()), (0, None));
    let after = reader.snapshot().unwrap();
    assert_eq!((after.head().unwrap().seq, after.get(ALERTS, &key(1)).unwrap()), (1, Some(b"a".to_vec())));
}

#[test]
fn expired_receipts_leave_with_the_next_commits() {
    let dir = folder();
    let mut store = init(dir.path());
    let receipt = |n: u64| put(Table::RECEIPTS, [key(at(n).0.cast_unsigned()), b"id".to_vec()].concat(), "answer");
    let commit = batch(&store, (1..=5).map(receipt).collect());
    store.commit(commit).unwrap();
    let mut later = batch(&store, Vec::new());
    later.now = at(4);
    store.commit(later).unwrap();
    assert_eq!(store.reader().snapshot().unwrap().count(Table::RECEIPTS).unwrap(), 2);
}

#[test]
fn blocks_of_every_size_come_back() {
    let dir = folder();
    let mut store = init(dir.path());
    let sizes = [0, 1, 4_096, 4_097, CHUNK_BYTES_MAX - 30, CHUNK_BYTES_MAX - 29, CHUNK_BYTES_MAX, 3 * CHUNK_BYTES_MAX + 5];
    let mut written = Vec::new();
    for size in sizes {
        for block in [noise(size), vec![b'a'; size]] {
            let commit = watchkeeper_store::Commit { block: block.clone(), ..batch(&store, Vec::new()) };
            store.commit(commit).unwrap();
            written.push(block);
        }
    }
    drop(store);
    let mut store = open(dir.path()).unwrap();
    let memory = Memory::of(&mut store);
    assert_eq!(memory.blocks.iter().map(|block| &block.bytes).collect::<Vec<_>>(), written.iter().collect::<Vec<_>>());
    assert_eq!(store.reader().block(16).unwrap().unwrap().bytes, written[15]);
    assert_eq!(store.reader().block(17).unwrap(), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Any sequence of batches leaves the rows and pages that a map would hold.
    #[test]
    fn the_store_holds_what_a_map_would(batches in prop::collection::vec(prop::collection::vec((0u64..6, prop::option::of(0u8..9)), 0..8), 1..6)) {
        let dir = folder();
        let mut store = Store::init(dir.path(), at(0), Options::default()).unwrap();
        let mut map = std::collections::BTreeMap::new();
        for changes in batches {
            let mut rows = Vec::new();
            for (id, value) in changes {
                match value {
                    Some(value) => { map.insert(key(id), vec![value]); rows.push(put(ALERTS, key(id), vec![value])); }
                    None => { map.remove(&key(id)); rows.push(delete(ALERTS, key(id))); }
                }
            }
            let commit = batch(&store, rows);
            store.commit(commit).unwrap();
        }
        let memory = Memory::of(&mut store);
        let found: std::collections::BTreeMap<_, _> = memory.rows.into_iter().map(|((_, key), value)| (key, value)).collect();
        prop_assert_eq!(found, map);
    }
}
