//! Old blocks move to archives, whole and checked, and leave the file; what lives never does.

use std::fs;
use std::path::Path;

use watchkeeper_engine::time::Span;
use watchkeeper_store::limits::CHUNK_BYTES_MAX;
use watchkeeper_store::{Archive, Commit, Keep, RetentionStep, Store, StoreError};

use crate::support::{ALERTS, Memory, at, batch, folder, init, key, noise, open, put};

/// Keeps next to nothing in the file and everything in archives.
const AT_ONCE: Keep =
    Keep { blocks_for: Span::days(7), block_bytes: 0, archives_for: Span::days(90), archive_bytes: u64::MAX, health_for: Span::days(365) };

/// Commits `count` blocks, the floor with them but for the last two.
fn fill(store: &mut Store, count: u64) {
    for _ in 0..count {
        let seq = store.head().seq + 1;
        let commit = Commit { floor: seq.saturating_sub(2).max(store.head().floor), ..batch(store, vec![put(ALERTS, key(seq), "row")]) };
        store.commit(commit).unwrap();
    }
}

fn first_block(store: &Store) -> u64 {
    store.reader().snapshot().unwrap().first_block().unwrap().unwrap().0
}

fn sequences(dir: &Path) -> Vec<(u64, u64)> {
    Archive::list(dir).unwrap().iter().map(|archive| (archive.first, archive.last)).collect()
}

#[test]
fn blocks_below_the_floor_move_to_an_archive_and_leave_the_file_a_few_per_commit() {
    let dir = folder();
    let mut store = init(dir.path());
    fill(&mut store, 50);
    let mut retention = store.retention(AT_ONCE).unwrap();
    assert_eq!(retention.step(at(60)).unwrap(), RetentionStep::Archived { through: 48 });
    assert_eq!(sequences(dir.path()), [(1, 48)]);
    assert_eq!(first_block(&store), 1);
    assert_eq!(retention.step(at(60)).unwrap(), RetentionStep::Idle, "the file still holds what was archived");
    store.trim_through(48);
    fill(&mut store, 1);
    assert_eq!(first_block(&store), 17);
    fill(&mut store, 3);
    assert_eq!(first_block(&store), 49);

    let archived = Archive::list(dir.path()).unwrap()[0].read().unwrap();
    assert_eq!(archived.iter().map(|block| block.seq).collect::<Vec<_>>(), (1..=48).collect::<Vec<_>>());
    assert_eq!((archived[6].bytes.as_slice(), archived[6].now), (b"block 7".as_slice(), at(7)));
    assert_eq!(store.reader().block(49).unwrap().unwrap().before, archived[47].hash);
    assert_eq!(store.reader().block(48).unwrap(), None);
    assert_eq!(Memory::of(&mut store).blocks.len(), 2);
    assert_eq!(store.reader().snapshot().unwrap().count(ALERTS).unwrap(), 54);
}

#[test]
fn blocks_of_several_chunks_leave_whole() {
    let dir = folder();
    let mut store = init(dir.path());
    for _ in 0..4 {
        let seq = store.head().seq + 1;
        let commit = Commit { block: noise(10 * CHUNK_BYTES_MAX), floor: seq, ..batch(&store, Vec::new()) };
        store.commit(commit).unwrap();
    }
    let before = store.head().block_bytes;
    let mut retention = store.retention(AT_ONCE).unwrap();
    let RetentionStep::Archived { through } = retention.step(at(9)).unwrap() else { panic!("nothing was archived") };
    assert_eq!(through, 4);
    store.trim_through(4);
    fill(&mut store, 1);
    assert_eq!(first_block(&store), 3);
    assert_eq!(store.reader().block(2).unwrap(), None);
    assert_eq!(store.reader().block(3).unwrap().unwrap().bytes.len(), 10 * CHUNK_BYTES_MAX);
    fill(&mut store, 1);
    assert_eq!(first_block(&store), 5);
    assert!(store.head().block_bytes < 200 && before > 40 * CHUNK_BYTES_MAX as u64, "{before} and then {}", store.head().block_bytes);
}

#[test]
fn young_blocks_stay_and_old_ones_go_an_hour_at_least_at_a_time() {
    let dir = folder();
    let mut store = init(dir.path());
    let keep = Keep { blocks_for: Span::hours(2), ..Keep::default() };
    for minute in 0..300 {
        let seq = store.head().seq + 1;
        let commit = Commit { now: at(0) + Span::minutes(minute), floor: seq, ..batch(&store, Vec::new()) };
        store.commit(commit).unwrap();
    }
    let mut retention = store.retention(keep).unwrap();
    assert_eq!(retention.step(at(0) + Span::minutes(180)).unwrap(), RetentionStep::Idle);
    assert_eq!(retention.step(at(0) + Span::minutes(181)).unwrap(), RetentionStep::Archived { through: 61 });
}

#[test]
fn archives_go_when_they_are_old_or_too_many() {
    let dir = folder();
    let mut store = init(dir.path());
    let mut retention = store.retention(AT_ONCE).unwrap();
    for _ in 0..3 {
        fill(&mut store, 10);
        let RetentionStep::Archived { through } = retention.step(at(99)).unwrap() else { panic!("nothing was archived") };
        store.trim_through(through);
        fill(&mut store, 1);
    }
    assert_eq!(sequences(dir.path()), [(1, 8), (9, 19), (20, 30)]);
    fill(&mut store, 1);
    let sizes: Vec<_> = Archive::list(dir.path()).unwrap().iter().map(|archive| archive.bytes).collect();
    let mut two = store.retention(Keep { block_bytes: u64::MAX, archive_bytes: sizes[1] + sizes[2], ..AT_ONCE }).unwrap();
    assert!(
        matches!(two.step(at(99)).unwrap(), RetentionStep::Dropped { path } if path.ends_with("archive/000000000001-000000000008.zst"))
    );
    assert_eq!(two.step(at(99)).unwrap(), RetentionStep::Idle);
    let mut short = store.retention(Keep { block_bytes: u64::MAX, archives_for: Span::seconds(60), ..AT_ONCE }).unwrap();
    assert_eq!(short.step(at(79)).unwrap(), RetentionStep::Idle);
    assert!(matches!(short.step(at(80)).unwrap(), RetentionStep::Dropped { .. }));
    assert_eq!(sequences(dir.path()), [(20, 30)]);
}

#[test]
fn a_restart_goes_on_deleting_what_was_archived() {
    let dir = folder();
    let mut store = init(dir.path());
    fill(&mut store, 40);
    store.retention(AT_ONCE).unwrap().step(at(50)).unwrap();
    drop(store);
    let mut store = open(dir.path()).unwrap();
    let mut retention = store.retention(AT_ONCE).unwrap();
    fill(&mut store, 3);
    assert_eq!(first_block(&store), 39);
    assert_eq!(retention.step(at(50)).unwrap(), RetentionStep::Archived { through: 41 });
    assert_eq!(sequences(dir.path()), [(1, 38), (39, 41)]);
}

#[test]
fn archives_of_another_time_are_put_aside_and_delete_nothing() {
    let dir = folder();
    let path = Store::path(dir.path());
    let mut store = init(dir.path());
    fill(&mut store, 10);
    store.close(at(10)).unwrap();
    let backup = fs::read(&path).unwrap();
    let mut store = open(dir.path()).unwrap();
    fill(&mut store, 10);
    store.retention(AT_ONCE).unwrap().step(at(50)).unwrap();
    assert_eq!(sequences(dir.path()), [(1, 18)]);
    drop(store);
    fs::write(&path, backup).unwrap();
    fs::remove_file(dir.path().join("store.json")).unwrap();

    let mut store = open(dir.path()).unwrap();
    for _ in 0..10 {
        let seq = store.head().seq + 1;
        let commit = Commit { block: b"other".to_vec(), floor: seq, ..batch(&store, Vec::new()) };
        store.commit(commit).unwrap();
    }
    let mut retention = store.retention(AT_ONCE).unwrap();
    fill(&mut store, 1);
    assert_eq!(first_block(&store), 1);
    assert_eq!(sequences(dir.path()), []);
    assert!(dir.path().join("archive/000000000001-000000000018.stray").exists());
    assert_eq!(retention.step(at(50)).unwrap(), RetentionStep::Archived { through: 20 });
}

#[test]
fn a_damaged_archive_is_refused_wherever_the_damage_is() {
    let dir = folder();
    let mut store = init(dir.path());
    fill(&mut store, 20);
    store.retention(AT_ONCE).unwrap().step(at(50)).unwrap();
    let archive = Archive::list(dir.path()).unwrap().remove(0);
    let whole = fs::read(&archive.path).unwrap();
    for place in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[place] ^= 1;
        fs::write(&archive.path, &bytes).unwrap();
        assert!(matches!(archive.read(), Err(StoreError::BadArchive { .. })), "byte {place}");
        fs::write(&archive.path, &whole[..place]).unwrap();
        assert!(matches!(archive.read(), Err(StoreError::BadArchive { .. })), "cut at {place}");
    }
}

#[test]
fn a_damaged_archive_and_an_unfinished_one_do_not_stop_a_start() {
    let dir = folder();
    let mut store = init(dir.path());
    fill(&mut store, 20);
    store.retention(AT_ONCE).unwrap().step(at(50)).unwrap();
    let archive = Archive::list(dir.path()).unwrap().remove(0);
    fs::write(&archive.path, b"cut").unwrap();
    let unfinished = archive.path.with_file_name("000000000019-000000000020.tmp");
    fs::write(&unfinished, b"begun").unwrap();
    let mut retention = store.retention(AT_ONCE).unwrap();
    assert_eq!((unfinished.exists(), archive.path.with_extension("stray").exists()), (false, true));
    assert_eq!(retention.step(at(50)).unwrap(), RetentionStep::Archived { through: 18 }, "its blocks were still in the file");
}

#[test]
fn verify_reads_every_row_and_walks_the_chain_from_the_first_block_that_is_left() {
    let dir = folder();
    let mut store = init(dir.path());
    fill(&mut store, 40);
    let verified = store.reader().snapshot().unwrap().verify().unwrap();
    assert_eq!((verified.blocks, verified.first, verified.last), (40, 1, 40));
    let mut retention = store.retention(AT_ONCE).unwrap();
    retention.step(at(50)).unwrap();
    store.trim_through(38);
    fill(&mut store, 3);
    let verified = store.reader().snapshot().unwrap().verify().unwrap();
    assert_eq!((verified.blocks, verified.first, verified.last), (5, 39, 43));
    assert!(verified.rows >= 43, "{verified:?}");
}
