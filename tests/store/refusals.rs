//! What is no store of ours, or not the one that stood here, is refused with the command to run, and never touched.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process;

use redb::{Database, TableDefinition};
use tempfile::TempDir;
use watchkeeper_store::{Options, PageCheck, Sidecar, Store, StoreError};

use crate::support::{ALERTS, Memory, at, batch, folder, init, key, noise, open, put};

/// The message with the folder taken out.
fn message<T: std::fmt::Debug>(dir: &Path, result: Result<T, StoreError>) -> String {
    result.unwrap_err().to_string().replace(&dir.display().to_string(), "DIR")
}

#[test]
fn a_start_without_a_store_names_init_and_creates_nothing() {
    let dir = folder();
    assert_eq!(
        message(dir.path(), open(dir.path())),
        "open the store in DIR: there is none; `watchkeeper init` creates it, `watchkeeper run --init` does so on a first start"
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn init_creates_once_and_refuses_then() {
    let dir = folder();
    let deep = dir.path().join("a/b");
    let store = init(&deep);
    let id = store.id();
    store.close(at(1)).unwrap();
    assert_eq!(
        message(&deep, Store::init(&deep, at(2), Options::default())),
        "create a store in DIR: there is one already; `watchkeeper run` starts on it"
    );
    let store = open(&deep).unwrap();
    assert_eq!((store.id(), store.created()), (id, at(0)));
    let names: Vec<_> = fs::read_dir(&deep).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(names.iter().all(|name| !name.ends_with(".tmp")), "{names:?}");
    assert_eq!(fs::metadata(deep.join("store.redb")).unwrap().permissions().mode() & 0o777, 0o600, "mails in it hold links that act");
}

#[test]
fn two_stores_have_two_ids() {
    let (one, two) = (folder(), folder());
    assert_ne!(init(one.path()).id(), init(two.path()).id());
}

#[test]
fn open_or_init_creates_a_first_store_only() {
    let dir = folder();
    let store = Store::open_or_init(dir.path(), at(0), Options::default()).unwrap();
    let id = store.id();
    store.close(at(1)).unwrap();
    assert_eq!(Store::open_or_init(dir.path(), at(2), Options::default()).unwrap().id(), id);
    fs::remove_file(Store::path(dir.path())).unwrap();
    let lost = message(dir.path(), Store::open_or_init(dir.path(), at(3), Options::default()));
    assert_eq!(
        lost,
        format!(
            "open the store DIR/store.redb: the file is gone, but store.json beside it knows store {id} at sequence 0; put the file back, or bring back a backup with \
             `watchkeeper restore FILE`; to start empty and lose it, remove store.json and run `watchkeeper init`"
        )
    );
    assert_eq!(message(dir.path(), open(dir.path())), lost);
    assert_eq!(message(dir.path(), Store::init(dir.path(), at(3), Options::default())), lost);
}

#[test]
fn an_empty_file_is_refused_and_stays_empty() {
    let dir = folder();
    fs::write(Store::path(dir.path()), b"").unwrap();
    assert_eq!(
        message(dir.path(), open(dir.path())),
        "open the store DIR/store.redb: the file is empty; bring back a backup with `watchkeeper restore FILE`, or, if it never held anything, remove it and run \
         `watchkeeper init`"
    );
    assert!(matches!(Store::open_or_init(dir.path(), at(0), Options::default()), Err(StoreError::Empty { .. })));
    assert!(matches!(Store::init(dir.path(), at(0), Options::default()), Err(StoreError::Exists { .. })));
    assert_eq!(fs::metadata(Store::path(dir.path())).unwrap().len(), 0);
}

#[test]
fn a_foreign_file_is_refused_and_stays_as_it_is() {
    let dir = folder();
    let path = Store::path(dir.path());
    for bytes in [vec![0; 100_000], b"#!/bin/sh\n".repeat(100), b"{}".to_vec()] {
        fs::write(&path, &bytes).unwrap();
        let refused = message(dir.path(), open(dir.path()));
        assert!(refused.contains("no store of Watchkeeper") || refused.contains("damaged"), "{refused}");
        assert!(refused.contains("`watchkeeper restore FILE`"), "{refused}");
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
    fs::remove_file(&path).unwrap();
    let other = Database::create(&path).unwrap();
    let txn = other.begin_write().unwrap();
    txn.open_table(TableDefinition::<u64, u64>::new("meta")).unwrap().insert(1, 2).unwrap();
    txn.commit().unwrap();
    drop(other);
    assert!(matches!(open(dir.path()), Err(StoreError::Foreign { .. })));
}

#[test]
fn a_store_of_a_later_format_is_refused_before_any_row_is_read() {
    let dir = folder();
    let id = init(dir.path()).id();
    let database = Database::open(Store::path(dir.path())).unwrap();
    let txn = database.begin_write().unwrap();
    // What a later release may have written: format 3, the same id, a field that is not known here.
    let mut row = vec![0x84, 3, 0x82, 0x1b];
    row.extend_from_slice(&id.high.to_be_bytes());
    row.push(0x1b);
    row.extend_from_slice(&id.low.to_be_bytes());
    row.extend_from_slice(&[0, 0x65]);
    row.extend_from_slice(b"later");
    txn.open_table(TableDefinition::<&str, &[u8]>::new("meta")).unwrap().insert("identity", row.as_slice()).unwrap();
    txn.commit().unwrap();
    drop(database);
    assert_eq!(
        message(dir.path(), open(dir.path())),
        "open the store DIR/store.redb: its format is 3, this program knows formats up to 2; run the release that wrote it, or bring back an older backup with \
         `watchkeeper restore FILE`"
    );
}

#[test]
fn a_store_that_went_back_in_time_is_refused() {
    let dir = folder();
    let path = Store::path(dir.path());
    let mut store = init(dir.path());
    let commit = batch(&store, vec![put(ALERTS, key(1), "a")]);
    store.commit(commit).unwrap();
    store.close(at(1)).unwrap();
    let older = fs::read(&path).unwrap();
    let mut store = open(dir.path()).unwrap();
    for _ in 0..3 {
        let commit = batch(&store, Vec::new());
        store.commit(commit).unwrap();
    }
    store.write_sidecar(at(4)).unwrap();
    drop(store);
    fs::write(&path, &older).unwrap();
    assert_eq!(
        message(dir.path(), open(dir.path())),
        "open the store DIR/store.redb: it went back in time: it ends at sequence 1, but store.json has seen 4; put the newer file back, or bring back a backup with \
         `watchkeeper restore FILE`; to go on without what came between, remove store.json"
    );
    fs::remove_file(Sidecar::path(dir.path())).unwrap();
    assert_eq!(open(dir.path()).unwrap().head().seq, 1);
}

#[test]
fn a_store_newer_than_its_sidecar_opens() {
    let dir = folder();
    let mut store = init(dir.path());
    let commit = batch(&store, Vec::new());
    store.commit(commit).unwrap();
    drop(store);
    assert_eq!(open(dir.path()).unwrap().head().seq, 1);
    assert_eq!(Sidecar::read(dir.path()).unwrap().unwrap().sequence, 1);
}

#[test]
fn the_file_of_another_store_is_refused() {
    let (one, two) = (folder(), folder());
    let id = init(one.path()).id();
    let other = init(two.path()).id();
    fs::copy(Store::path(two.path()), Store::path(one.path())).unwrap();
    let refused = message(one.path(), open(one.path()));
    assert!(refused.contains(&format!("it is store {other}, but store.json beside it belongs to store {id}")), "{refused}");
}

#[test]
fn a_sidecar_that_is_none_is_refused_with_its_name() {
    let dir = folder();
    init(dir.path()).close(at(0)).unwrap();
    fs::write(Sidecar::path(dir.path()), "{").unwrap();
    let refused = message(dir.path(), open(dir.path()));
    assert!(refused.starts_with("open the store: DIR/store.json is not readable as store.json (EOF while parsing"), "{refused}");
    assert!(refused.ends_with("bring it back with `watchkeeper restore FILE`, or remove it to go on without its check"), "{refused}");
}

#[test]
fn a_second_opener_is_told_who_holds_the_store() {
    let dir = folder();
    let store = init(dir.path());
    assert_eq!(
        message(dir.path(), open(dir.path())),
        format!(
            "open the store DIR/store.redb: it is in use by process {}; ask that daemon over its socket, or stop it first",
            process::id()
        )
    );
    store.close(at(1)).unwrap();
    open(dir.path()).unwrap();
}

#[test]
fn a_cut_file_is_refused_at_every_length_without_a_panic() {
    let dir = folder();
    let mut store = init(dir.path());
    for n in 0..20 {
        let commit = batch(&store, (0..50).map(|id| put(ALERTS, key(n * 50 + id), vec![7; 300])).collect());
        store.commit(commit).unwrap();
    }
    store.close(at(1)).unwrap();
    let whole = fs::read(Store::path(dir.path())).unwrap();
    let dense = (0..4_096).step_by(61);
    let sparse = (4_096..whole.len()).step_by(whole.len() / 400 + 1).chain([whole.len() - 4_096, whole.len() - 1]);
    for length in dense.chain(sparse) {
        let cut = folder();
        fs::write(Store::path(cut.path()), &whole[..length]).unwrap();
        let refused = message(cut.path(), open(cut.path()));
        assert!(refused.contains("`watchkeeper restore FILE`"), "at {length} bytes: {refused}");
    }
}

/// A store with one bit of one row flipped.
fn flipped() -> TempDir {
    let dir = folder();
    let mut store = init(dir.path());
    let commit = batch(&store, (0..500).map(|id| put(ALERTS, key(id), format!("alert number {id:08}"))).collect());
    store.commit(commit).unwrap();
    store.close(at(1)).unwrap();
    let path = Store::path(dir.path());
    let mut bytes = fs::read(&path).unwrap();
    let needle = b"alert number 00000250";
    let place = bytes.windows(needle.len()).position(|window| window == needle).unwrap();
    bytes[place + 3] ^= 0x10;
    fs::write(&path, &bytes).unwrap();
    dir
}

#[test]
fn a_flipped_bit_is_found_by_the_check_of_all_pages() {
    let dir = flipped();
    let checked = Store::open(dir.path(), at(2), Options { check: PageCheck::Always, ..Options::default() });
    assert!(matches!(checked, Err(StoreError::Damaged { .. })), "{checked:?}");
}

#[test]
fn the_start_after_a_failed_commit_checks_all_pages_and_the_one_after_that_does_not() {
    let dir = flipped();
    fs::write(dir.path().join("check-needed"), "").unwrap();
    for _ in 0..2 {
        assert!(matches!(open(dir.path()), Err(StoreError::Damaged { .. })));
    }
    let dir = folder();
    init(dir.path()).close(at(1)).unwrap();
    fs::write(dir.path().join("check-needed"), "").unwrap();
    open(dir.path()).unwrap();
    assert!(!dir.path().join("check-needed").exists());
}

#[test]
fn a_file_replaced_under_an_open_store_is_noticed_with_the_sidecar() {
    let dir = folder();
    let path = Store::path(dir.path());
    let store = init(dir.path());
    store.write_sidecar(at(1)).unwrap();
    let moved = dir.path().join("moved");
    fs::rename(&path, &moved).unwrap();
    let expected = "keep the store DIR/store.redb: its file was removed or replaced while it was open; stop the daemon, put the file back or bring back a backup \
                    with `watchkeeper restore FILE`";
    assert_eq!(message(dir.path(), store.write_sidecar(at(2))), expected);
    fs::copy(&moved, &path).unwrap();
    assert_eq!(message(dir.path(), store.write_sidecar(at(3))), expected);
    fs::rename(&moved, &path).unwrap();
    store.write_sidecar(at(4)).unwrap();
}

#[test]
fn a_commit_into_a_file_that_was_replaced_is_not_acknowledged() {
    let dir = folder();
    let path = Store::path(dir.path());
    let mut store = init(dir.path());
    let commit = batch(&store, Vec::new());
    store.commit(commit).unwrap();
    fs::rename(&path, dir.path().join("moved")).unwrap();
    fs::copy(dir.path().join("moved"), &path).unwrap();
    let commit = batch(&store, Vec::new());
    assert!(matches!(store.commit(commit), Err(StoreError::Replaced { .. })));
    let commit = batch(&store, Vec::new());
    assert!(matches!(store.commit(commit), Err(StoreError::AfterFailure)));
}

#[test]
fn a_block_that_does_not_follow_is_refused() {
    let dir = folder();
    let mut store = init(dir.path());
    for _ in 0..3 {
        let commit = batch(&store, Vec::new());
        store.commit(commit).unwrap();
    }
    drop(store);
    let blocks = TableDefinition::<(u64, u32), &[u8]>::new("blocks");
    let change = |from: (u64, u32), to: (u64, u32)| -> Result<(), StoreError> {
        let database = Database::open(Store::path(dir.path())).unwrap();
        let txn = database.begin_write().unwrap();
        {
            let mut table = txn.open_table(blocks).unwrap();
            let bytes = table.remove(from).unwrap().unwrap().value().to_vec();
            table.insert(to, bytes.as_slice()).unwrap();
        }
        txn.commit().unwrap();
        drop(database);
        let mut store = open(dir.path()).unwrap();
        store.load(&mut Memory::default()).map(drop)
    };
    for (from, to, expected) in [
        ((2, 0), (2, 1), "read block 2 of the store: its beginning is missing, part 1 of block 2 is there"),
        ((2, 1), (9, 0), "read block 2 of the store: its beginning is missing, part 0 of block 3 is there"),
        ((3, 0), (2, 0), "read block 3 of the store: its beginning is missing, part 0 of block 9 is there"),
        ((9, 0), (3, 0), "read block 2 of the store: it does not follow the block before it"),
        ((3, 0), (1, 1), "read block 1 of the store: it has 44 bytes of 7"),
    ] {
        let refused = change(from, to).unwrap_err().to_string();
        assert!(refused.starts_with(expected), "{from:?} to {to:?}: {refused}");
    }
}

#[test]
fn bytes_that_were_overwritten_are_a_damaged_store_and_never_a_panic() {
    let dir = folder();
    let mut store = init(dir.path());
    for id in 1..=50 {
        store.commit(batch(&store, vec![put(ALERTS, key(id), noise(2_000))])).unwrap();
    }
    drop(store);
    let whole = std::fs::read(Store::path(dir.path())).unwrap();
    let mut refused = 0;
    for (from, until) in [(4_096, 60_000), (4_096, 8_192), (8_192, 16_384), (100_000, 200_000), (whole.len() - 50_000, whole.len())] {
        let mut bytes = whole.clone();
        bytes[from..until].iter_mut().for_each(|byte| *byte ^= 0xff);
        std::fs::write(Store::path(dir.path()), bytes).unwrap();
        let read = open(dir.path()).and_then(|mut store| store.load(&mut Memory::default()).map(drop));
        if let Err(error) = read {
            refused += 1;
            assert!(error.to_string().contains("watchkeeper restore FILE"), "{from}: {error}");
        }
    }
    assert!(refused >= 1, "at least the first of them is a damage that every start sees");
}

#[test]
fn a_table_that_no_part_of_the_program_reads_is_refused_by_name() {
    let dir = folder();
    drop(init(dir.path()));
    let database = Database::open(Store::path(dir.path())).unwrap();
    let txn = database.begin_write().unwrap();
    txn.open_table(TableDefinition::<&[u8], &[u8]>::new("changes")).unwrap().insert(&b"1"[..], &b"a change"[..]).unwrap();
    txn.commit().unwrap();
    drop(database);
    let mut store = open(dir.path()).unwrap();
    assert_eq!(
        store.load(&mut Memory::default()).unwrap_err().to_string(),
        "read the store: it has a table `changes`, which this release does not know; run the release that wrote it, or bring back an older backup with `watchkeeper \
         restore FILE`"
    );
}

#[test]
fn a_judge_writes_no_file_of_the_folder() {
    let dir = folder();
    let mut store = init(dir.path());
    store.commit(batch(&store, vec![put(ALERTS, key(1), "row")])).unwrap();
    store.close(at(1)).unwrap();
    let files = || {
        let entry = |entry: std::io::Result<fs::DirEntry>| {
            let path = entry.unwrap().path();
            let written = fs::metadata(&path).unwrap().modified().unwrap();
            (path, written)
        };
        let mut files: Vec<_> = fs::read_dir(dir.path()).unwrap().map(entry).filter(|(path, _)| !path.ends_with("store.redb")).collect();
        files.sort();
        files
    };
    fs::write(dir.path().join("check-needed"), b"a commit failed").unwrap();
    let before = files();
    let store = Store::open_to_read(dir.path(), Options { check: PageCheck::Always, ..Options::default() }).unwrap();
    assert_eq!(store.reader().snapshot().unwrap().verify().unwrap().rows, 1);
    drop(store);
    assert_eq!(files(), before);
}
