//! Bytes that files of released versions hold: these never change.

use redb::{Database, ReadableDatabase, TableDefinition};
use watchkeeper_store::{Commit, Store};

use crate::support::{batch, folder, init, open};

const BLOCKS: TableDefinition<(u64, u32), &[u8]> = TableDefinition::new("blocks");

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
    drop((table, database));
    assert_eq!(open(dir.path()).unwrap().reader().block(2).unwrap().unwrap().bytes, vec![b'a'; 5_000]);
}
