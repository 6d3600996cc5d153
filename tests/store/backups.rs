//! A backup is the store as it was at one commit, whole, whatever is written meanwhile; it comes back into an empty place only, and a damaged one never does.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use watchkeeper_store::limits::{CHUNK_BYTES_MAX, COPY_BYTES};
use watchkeeper_store::{Backup, Commit, Sidecar, Store, StoreError};

use crate::support::{ALERTS, INCIDENTS, Memory, at, batch, folder, init, key, noise, open, put};

/// A store with rows in two tables, a block of several chunks and vitals pages.
fn filled(dir: &std::path::Path) -> Store {
    let mut store = init(dir);
    for id in 1..=20 {
        let rows = vec![put(ALERTS, key(id), format!("alert {id}")), put(INCIDENTS, key(id), "incident")];
        store.commit(batch(&store, rows)).unwrap();
    }
    let long = Commit { block: noise(3 * CHUNK_BYTES_MAX), pages: vec![(7, b"page".to_vec())], ..batch(&store, Vec::new()) };
    store.commit(long).unwrap();
    store
}

#[test]
fn a_backup_comes_back_as_the_store_was_at_its_commit_and_not_a_row_later() {
    let (dir, elsewhere) = (folder(), folder());
    let mut store = filled(dir.path());
    let file = elsewhere.path().join("night.backup");
    let snapshot = store.reader().snapshot().unwrap();
    store.commit(batch(&store, vec![put(ALERTS, key(99), "too late")])).unwrap();
    let mut told = Vec::new();
    let backup = snapshot.backup(&file, &mut |bytes| told.push(bytes)).unwrap();
    drop(snapshot);
    assert_eq!((backup.store, backup.head.seq, backup.verified.blocks), (store.id(), 21, 21));
    assert!(told.is_sorted() && *told.last().unwrap() > 3 * CHUNK_BYTES_MAX as u64, "{told:?}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "what is in it is nobody else's");
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1, "nothing is left beside it");

    let place = elsewhere.path().join("new/data");
    let before = fs::read(&file).unwrap();
    assert_eq!(Store::restore(&place, &file, at(500)).unwrap(), backup);
    assert_eq!(fs::read(&file).unwrap(), before, "the backup itself is not touched");
    assert_eq!(Sidecar::read(&place).unwrap().unwrap().sequence, 21);
    let mut restored = open(&place).unwrap();
    assert_eq!((restored.id(), restored.head()), (store.id(), backup.head));
    let memory = Memory::of(&mut restored);
    assert_eq!(memory.row(ALERTS, key(20)), Some(b"alert 20".as_slice()));
    assert_eq!(memory.row(ALERTS, key(99)), None);
    assert_eq!(memory.pages.get(&7).map(Vec::as_slice), Some(b"page".as_slice()));
    assert_eq!(memory.blocks.len(), 21);
    restored.commit(batch(&restored, vec![put(ALERTS, key(21), "it goes on")])).unwrap();
}

#[test]
fn a_table_larger_than_a_transaction_is_copied_whole() {
    let (dir, elsewhere) = (folder(), folder());
    let mut store = init(dir.path());
    let rows = (COPY_BYTES / 100_000) as u64 + 20;
    for id in 0..rows {
        store.commit(batch(&store, vec![put(ALERTS, key(id), noise(100_000))])).unwrap();
    }
    let file = elsewhere.path().join("large.backup");
    let backup = store.reader().snapshot().unwrap().backup(&file, &mut |_| {}).unwrap();
    assert_eq!(backup.verified, store.reader().snapshot().unwrap().verify().unwrap());
    Store::restore(&elsewhere.path().join("data"), &file, at(500)).unwrap();
    let restored = open(&elsewhere.path().join("data")).unwrap();
    let snapshot = restored.reader().snapshot().unwrap();
    assert_eq!(snapshot.count(ALERTS).unwrap(), rows);
    assert_eq!(snapshot.get(ALERTS, &key(rows - 1)).unwrap().unwrap().len(), 100_000);
}

#[test]
fn neither_way_overwrites_anything() {
    let (dir, elsewhere) = (folder(), folder());
    let store = filled(dir.path());
    let file = elsewhere.path().join("night.backup");
    fs::write(&file, "yesterday's").unwrap();
    let refused = store.reader().snapshot().unwrap().backup(&file, &mut |_| {}).unwrap_err();
    assert!(matches!(&refused, StoreError::Occupied { path } if *path == file), "{refused}");
    assert_eq!(fs::read(&file).unwrap(), b"yesterday's");
    fs::remove_file(&file).unwrap();
    store.reader().snapshot().unwrap().backup(&file, &mut |_| {}).unwrap();
    let refused = Store::restore(dir.path(), &file, at(500)).unwrap_err();
    assert!(matches!(refused, StoreError::Occupied { .. }), "{refused}");
}

#[test]
fn a_backup_takes_the_place_of_a_store_that_was_lost_or_is_newer_than_it() {
    let (dir, elsewhere) = (folder(), folder());
    let mut store = filled(dir.path());
    let file = elsewhere.path().join("night.backup");
    store.reader().snapshot().unwrap().backup(&file, &mut |_| {}).unwrap();
    store.commit(batch(&store, Vec::new())).unwrap();
    store.close(at(100)).unwrap();
    fs::remove_file(Store::path(dir.path())).unwrap();
    assert!(matches!(open(dir.path()).unwrap_err(), StoreError::Lost { seq: 22, .. }));
    Store::restore(dir.path(), &file, at(500)).unwrap();
    assert_eq!(open(dir.path()).unwrap().head().seq, 21, "the sidecar no longer asks for what is gone");
}

#[test]
fn a_damaged_backup_is_named_and_leaves_the_place_empty() {
    let (dir, elsewhere) = (folder(), folder());
    let store = filled(dir.path());
    let whole = elsewhere.path().join("whole.backup");
    store.reader().snapshot().unwrap().backup(&whole, &mut |_| {}).unwrap();
    let bytes = fs::read(&whole).unwrap();
    let cut = bytes[..bytes.len() / 2].to_vec();
    let mut flipped = bytes;
    let at_row = flipped.windows(8).position(|window| window == b"alert 11").unwrap();
    flipped[at_row] ^= 1;
    for (what, bytes) in [("nothing", Vec::new()), ("text", b"no store".to_vec()), ("cut", cut), ("a flipped bit", flipped)] {
        let file = elsewhere.path().join("bad.backup");
        fs::write(&file, bytes).unwrap();
        let place = elsewhere.path().join("data");
        let refused = Store::restore(&place, &file, at(500)).unwrap_err();
        assert!(matches!(&refused, StoreError::BadBackup { path, .. } if *path == file), "{what}: {refused}");
        assert_eq!(fs::read_dir(&place).unwrap().count(), 0, "{what}");
    }
    assert!(Backup::check(&whole).is_ok());
    assert!(matches!(Store::restore(dir.path().join("x").as_path(), &elsewhere.path().join("none"), at(1)), Err(StoreError::File { .. })));
}
