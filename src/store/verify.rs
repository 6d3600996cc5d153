//! `watchkeeper verify`: every row is read, and the chain of blocks walked.

use redb::{ReadableTable, TableHandle};

use crate::error::{StoreError, disk};
use crate::load::walk_blocks;
use crate::reader::Snapshot;
use crate::tables::{BLOCKS, META, PAGES};

/// What was read and found whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Verified {
    /// Rows of all tables, vitals pages among them.
    pub rows: u64,
    /// Blocks, each with its hash and its place in the chain.
    pub blocks: u64,
    /// The first of them; earlier ones are in archives or gone. 0 where there are none.
    pub first: u64,
    /// The last of them: where the store stands.
    pub last: u64,
}

impl Snapshot {
    /// Reads all rows and checks all blocks. Takes as long as reading the file does; checksums of pages are checked at opening, with
    /// [`crate::PageCheck::Always`].
    ///
    /// # Errors
    /// Something is not as it was written.
    pub fn verify(&self) -> Result<Verified, StoreError> {
        let mut verified = Verified { last: self.head()?.seq, ..Verified::default() };
        if let Some((first, _)) = self.first_block()? {
            verified.first = first;
            walk_blocks(self, first, |_, _| {
                verified.blocks += 1;
                Ok(())
            })?;
        }
        for handle in self.txn.list_tables().map_err(disk("read"))? {
            let name = handle.name();
            if [BLOCKS.name(), META.name()].contains(&name) {
                continue;
            }
            verified.rows += if name == PAGES.name() { self.count_pages()? } else { self.count_rows(name)? };
        }
        Ok(verified)
    }

    fn count_rows(&self, name: &str) -> Result<u64, StoreError> {
        let definition = redb::TableDefinition::<&[u8], &[u8]>::new(name);
        let table = self.txn.open_table(definition).map_err(disk("read"))?;
        table.iter().map_err(disk("read"))?.try_fold(0, |count, row| row.map(|_| count + 1).map_err(disk("read")))
    }

    fn count_pages(&self) -> Result<u64, StoreError> {
        let table = self.txn.open_table(PAGES).map_err(disk("read"))?;
        table.iter().map_err(disk("read"))?.try_fold(0, |count, row| row.map(|_| count + 1).map_err(disk("read")))
    }
}
