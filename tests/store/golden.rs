//! Bytes that files of released versions hold: these never change.

use std::fs;

use redb::{Database, ReadableDatabase, TableDefinition};
use watchkeeper_store::{Archive, Commit, Store};

use crate::support::{at, batch, folder, init, open};

const BLOCKS: TableDefinition<(u64, u32), &[u8]> = TableDefinition::new("blocks");
const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_block_lies_in_the_file_as_ever() {
    let dir = folder();
    let mut store = init(dir.path());
    for block in [b"first".to_vec(), vec![b'a'; 5_000]] {
        let commit = Commit { block, ..batch(&store, Vec::new()) };
        store.commit(commit).unwrap();
    }
    drop(store);
    let database = Database::open(Store::path(dir.path())).unwrap();
    let table = database.begin_read().unwrap().open_table(BLOCKS).unwrap();
    let chunk = |seq| hex(table.get((seq, 0)).unwrap().unwrap().value());
    // Version, codec, time, length, hash of the block before, own hash, bytes.
    assert_eq!(chunk(1), "01 00 e86f50c4a0010000 05000000 0000000000000000 53aab0161c0f0f37 6669727374".replace(' ', ""));
    let compressed =
        "01 01 d07350c4a0010000 88130000 53aab0161c0f0f37 4782f98813bc42d7 1f6101 00ffffffffffffffffffffffffffffffffffffff8160616161616161";
    assert_eq!(chunk(2), compressed.replace(' ', ""));
    let table = database.begin_read().unwrap().open_table(META).unwrap();
    // Sequence, hash, floor, time, bytes of blocks.
    assert_eq!(hex(table.get("head").unwrap().unwrap().value()), "85 02 1bd742bc1388f98247 00 1b000001a0c45073d0 1860".replace(' ', ""));
    drop((table, database));
    assert_eq!(open(dir.path()).unwrap().reader().block(2).unwrap().unwrap().bytes, vec![b'a'; 5_000]);
}

/// Written by `Archive::write`: summary in a skippable frame, one zstd frame, checksum in a skippable frame.
const ARCHIVE: &str = "\
    502a4d183c000000 574b4131 a1f6d1bf92b49872cb37c7b4ea8491e1 0100000000000000 0200000000000000 e86f50c4a0010000 d07350c4a0010000 5300000000000000 \
    28b52ffd205305020004030100e86f50c4a0010053aab0161c0f0f370500000066697273740200d073b1492a77530a6139060000007365636f6e6405004411c0d4c0c108a0ec016001 \
    502a4d1808000000 809cacecebc11827";

#[test]
fn an_archive_of_an_earlier_release_is_read() {
    let dir = folder();
    let bytes: Vec<u8> = ARCHIVE.replace(' ', "").as_bytes().chunks(2).map(byte).collect();
    fs::create_dir(Archive::folder(dir.path())).unwrap();
    fs::write(Archive::folder(dir.path()).join("000000000001-000000000002.zst"), bytes).unwrap();
    let archive = Archive::list(dir.path()).unwrap().remove(0);
    assert_eq!((archive.first, archive.last, archive.from, archive.to), (1, 2, at(1), at(2)));
    assert_eq!(archive.store.to_string(), "7298b492bfd1f6a1e19184eab4c737cb");
    let blocks: Vec<_> = archive.read().unwrap().into_iter().map(|block| (block.seq, block.now, block.bytes)).collect();
    assert_eq!(blocks, [(1, at(1), b"first".to_vec()), (2, at(2), b"second".to_vec())]);
}

fn byte(digits: &[u8]) -> u8 {
    u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap()
}
