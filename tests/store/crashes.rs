//! A power loss or an error at every single operation of the disk: what was acknowledged is there, what was not is there whole or not at all.

use std::collections::BTreeMap;
use std::path::Path;

use watchkeeper_engine::ids::StoreId;
use watchkeeper_store::{Commit, Head, RowChange, Store, StoreError, Table};

use crate::disk::{Disk, Trouble, Unsynced};
use crate::support::{ALERTS, COUNTERS, Memory, at, batch, delete, folder, key, noise, put};

const BATCHES: u64 = 9;

/// What batch `seq` does: a counter, new rows, a changed and a deleted one, a page, sometimes a block of several chunks.
fn commit_of(store: &Store) -> Commit {
    let seq = store.head().seq + 1;
    let mut rows: Vec<RowChange> = (0..6).map(|n| put(ALERTS, key(seq * 10 + n), vec![seq as u8; 200])).collect();
    rows.push(put(COUNTERS, vec![0], seq.to_string()));
    rows.push(put(ALERTS, key(seq * 10 - 9), "changed"));
    rows.push(delete(ALERTS, key(seq * 10 - 8)));
    let block = if seq.is_multiple_of(4) { noise(280_000) } else { vec![seq as u8; 100] };
    let floor = seq.saturating_sub(3);
    Commit { block, pages: vec![((seq % 3) as u32, key(seq))], floor, ..batch(store, rows) }
}

/// What a reader finds: rows, pages, and what the blocks were.
#[derive(Debug, Clone, PartialEq)]
struct Found {
    head: Head,
    rows: BTreeMap<(Table, Vec<u8>), Vec<u8>>,
    pages: BTreeMap<u32, Vec<u8>>,
    blocks: Vec<u64>,
}

fn find(store: &mut Store) -> Found {
    let memory = Memory::of(store);
    store.reader().snapshot().unwrap().verify().unwrap();
    Found { head: store.head(), rows: memory.rows, pages: memory.pages, blocks: memory.blocks.iter().map(|block| block.hash).collect() }
}

fn formatted() -> Vec<u8> {
    let disk = Disk::default();
    let database = disk.database().unwrap();
    Store::format(&database, StoreId { high: 1, low: 2 }, at(0)).unwrap();
    drop(database);
    disk.seen()
}

/// Runs the batches until one fails; returns the last sequence acknowledged. From the fifth on, old blocks are deleted too.
fn run(disk: &Disk, dir: &Path) -> u64 {
    let Ok(database) = disk.database() else { return 0 };
    let Ok(mut store) = Store::attach(dir, database) else { return 0 };
    let mut acknowledged = store.head().seq;
    while store.head().seq < BATCHES {
        store.trim_through(store.head().seq.saturating_sub(5));
        let commit = commit_of(&store);
        match store.commit(commit) {
            Ok(head) => acknowledged = head.seq,
            Err(error) => {
                assert!(matches!(error, StoreError::Disk { .. }), "{error}");
                let commit = commit_of(&store);
                assert!(matches!(store.commit(commit), Err(StoreError::AfterFailure)));
                assert!(dir.join("check-needed").exists());
                break;
            }
        }
    }
    acknowledged
}

/// What is to be found after each batch.
fn expected(image: &[u8], dir: &Path) -> Vec<Found> {
    let mut store = Store::attach(dir, Disk::holding(image.to_vec()).database().unwrap()).unwrap();
    let mut found = vec![find(&mut store)];
    while store.head().seq < BATCHES {
        store.trim_through(store.head().seq.saturating_sub(5));
        let commit = commit_of(&store);
        store.commit(commit).unwrap();
        found.push(find(&mut store));
    }
    found
}

/// Opens an image; it must hold the state of the last acknowledged batch, or of the one that was under way.
fn check(image: Vec<u8>, dir: &Path, expected: &[Found], acknowledged: u64, context: &str) {
    let disk = Disk::holding(image);
    let database = disk.database().unwrap_or_else(|error| panic!("{context}: {error}"));
    let mut store = Store::attach(dir, database).unwrap_or_else(|error| panic!("{context}: {error}"));
    let seq = store.head().seq;
    assert!((acknowledged..=acknowledged + 1).contains(&seq), "{context}: acknowledged {acknowledged}, found {seq}");
    assert_eq!(find(&mut store), expected[usize::try_from(seq).unwrap()], "{context}");
    // It goes on from there.
    let commit = Commit { floor: seq + 1, ..batch(&store, Vec::new()) };
    store.commit(commit).unwrap();
}

#[test]
fn a_power_loss_at_any_operation_loses_nothing_acknowledged_and_tears_no_batch() {
    let (dir, image) = (folder(), formatted());
    let expected = expected(&image, dir.path());
    let mut nth = 0;
    loop {
        nth += 1;
        let disk = Disk::holding(image.clone());
        disk.go_wrong(Trouble::PowerLoss, nth);
        let acknowledged = run(&disk, dir.path());
        if !disk.went_wrong() {
            assert_eq!(acknowledged, BATCHES);
            break;
        }
        for unsynced in [Unsynced::Lost, Unsynced::Kept, Unsynced::Some(nth), Unsynced::Torn(nth)] {
            check(disk.after_power_loss(unsynced), dir.path(), &expected, acknowledged, &format!("operation {nth}, {unsynced:?}"));
        }
    }
    assert!(nth > BATCHES * 5, "only {nth} operations");
}

#[test]
fn a_power_loss_during_the_repair_of_a_power_loss_changes_nothing() {
    let (dir, image) = (folder(), formatted());
    let expected = expected(&image, dir.path());
    let mut repairs = 0;
    // Every third first loss: each repair is cut short at all of its operations.
    for nth in (1..).step_by(3) {
        let first = Disk::holding(image.clone());
        first.go_wrong(Trouble::PowerLoss, nth);
        let acknowledged = run(&first, dir.path());
        if !first.went_wrong() {
            break;
        }
        let left = first.after_power_loss(Unsynced::Torn(nth));
        for again in 1.. {
            let second = Disk::holding(left.clone());
            second.go_wrong(Trouble::PowerLoss, again);
            drop(second.database());
            if !second.went_wrong() {
                break;
            }
            repairs += 1;
            let image = second.after_power_loss(Unsynced::Torn(nth + again));
            check(image, dir.path(), &expected, acknowledged, &format!("operation {nth}, then {again}"));
        }
    }
    assert!(repairs > 100, "only {repairs} repairs were cut short");
}

#[test]
fn an_error_at_any_operation_ends_the_commits_and_a_restart_finds_what_was_acknowledged() {
    let (dir, image) = (folder(), formatted());
    let expected = expected(&image, dir.path());
    for nth in 1.. {
        let disk = Disk::holding(image.clone());
        disk.go_wrong(Trouble::OneError, nth);
        let acknowledged = run(&disk, dir.path());
        if !disk.went_wrong() {
            break;
        }
        check(disk.seen(), dir.path(), &expected, acknowledged, &format!("operation {nth}"));
        check(
            disk.after_power_loss(Unsynced::Torn(nth)),
            dir.path(),
            &expected,
            acknowledged,
            &format!("operation {nth} and a power loss"),
        );
    }
}
