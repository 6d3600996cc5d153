//! The write side: one transaction a batch, from one thread.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{Database, Durability, ReadableDatabase, ReadableTable, WriteTransaction};
use watchkeeper_engine::ids::StoreId;
use watchkeeper_engine::state::rows;
use watchkeeper_engine::time::{Span, Time};

use crate::error::{StoreError, disk, file};
use crate::frame;
use crate::limits::{
    BLOCK_BYTES_MAX, CHUNK_BYTES_MAX, CHUNKS_TRIMMED_MAX, HEALTH_EXPIRED_MAX, HEALTH_KEPT, RECEIPTS_EXPIRED_MAX, REPLAY_BYTES_MAX,
};
use crate::meta::{FORMAT, Head, Identity, MetaFault, read_head, read_identity, write_head};
use crate::pages::PagePlan;
use crate::place::{FileId, fault_note, pid_file};
use crate::reader::Reader;
use crate::sidecar::{Sidecar, remove};
use crate::tables::{BLOCKS, PAGES, Table};

/// An open store. There is one in a process, and it belongs to the writer.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    database: Arc<Database>,
    identity: Identity,
    head: Head,
    /// The file that was opened; none on a fake disk.
    pub(crate) file: Option<FileId>,
    /// Sequence and bytes of the blocks after the floor.
    pub(crate) behind: VecDeque<(u64, u64)>,
    /// Blocks up to this one are in archives and leave the file.
    trim_through: u64,
    /// How long changes of the health of CIs stay.
    health_for: Span,
    failed: bool,
}

/// One batch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Commit {
    /// The block's sequence: one after the last.
    pub seq: u64,
    /// The batch's time.
    pub now: Time,
    /// The encoded block; its `before` is [`Head::hash`].
    pub block: Vec<u8>,
    /// The rows it changed. Of two for the same key the later one holds.
    pub rows: Vec<RowChange>,
    /// Vitals pages and their bytes, from [`PagePlan::choose`].
    pub pages: Vec<(u32, Vec<u8>)>,
    /// Every block up to this one is wholly in rows and pages.
    pub floor: u64,
}

/// A row as it is from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowChange {
    /// Its table.
    pub table: Table,
    /// Its key.
    pub key: Vec<u8>,
    /// Its bytes; `None` deletes it.
    pub value: Option<Vec<u8>>,
}

impl Store {
    /// Takes over an open database: [`Store::open`] after its checks of the folder, and crash tests on a fake disk.
    ///
    /// # Errors
    /// It is no store, of a later format, or cannot be read.
    pub fn attach(dir: &Path, database: Database) -> Result<Store, StoreError> {
        let path = Store::path(dir);
        let absent = |fault| match fault {
            MetaFault::Absent(reason) => StoreError::Foreign { path: path.clone(), reason },
            MetaFault::Store(error) => error,
        };
        let txn = database.begin_read().map_err(disk("open"))?;
        let identity = read_identity(&txn).map_err(absent)?;
        if identity.format > FORMAT {
            return Err(StoreError::NewerFormat { path, found: identity.format, known: FORMAT });
        }
        let head = read_head(&txn).map_err(absent)?;
        drop(txn);
        let database = Arc::new(database);
        Ok(Store {
            dir: dir.to_owned(),
            database,
            identity,
            head,
            file: None,
            behind: VecDeque::new(),
            trim_through: 0,
            health_for: HEALTH_KEPT,
            failed: false,
        })
    }

    /// Its id.
    pub fn id(&self) -> StoreId {
        self.identity.store
    }

    /// Its format: [`Store::migration`] says what leads to this release's.
    pub fn format_number(&self) -> u32 {
        self.identity.format
    }

    pub(crate) fn identity(&self) -> Identity {
        self.identity
    }

    pub(crate) fn set_identity(&mut self, identity: Identity) {
        self.identity = identity;
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    /// Refuses a store whose rows are still those of an earlier format.
    pub(crate) fn check_format(&self) -> Result<(), StoreError> {
        let found = self.identity.format;
        if found == FORMAT { Ok(()) } else { Err(StoreError::OlderFormat { path: Store::path(&self.dir), found, known: FORMAT }) }
    }

    /// When it was created.
    pub fn created(&self) -> Time {
        self.identity.created
    }

    /// Its folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where it stands.
    pub fn head(&self) -> Head {
        self.head
    }

    /// A handle for reading, from any thread.
    pub fn reader(&self) -> Reader {
        Reader::new(Arc::clone(&self.database))
    }

    /// What the next commit, with a block of so many bytes, shall take along of dirty vitals pages.
    pub fn page_plan(&self, block_bytes: usize) -> PagePlan {
        let mut bytes = block_bytes as u64;
        let too_far = self.behind.iter().rev().find(|(_, block)| {
            bytes += block;
            bytes > REPLAY_BYTES_MAX
        });
        PagePlan::new(self.head.seq + 1, block_bytes, too_far.map_or(0, |(seq, _)| *seq))
    }

    /// Says that blocks up to this one are safe in archives: the next commits delete them, a few each.
    pub fn trim_through(&mut self, seq: u64) {
        self.trim_through = self.trim_through.max(seq.min(self.head.floor));
    }

    /// Says how long changes of the health of CIs stay: each commit deletes some that are older.
    pub fn keep_health_for(&mut self, span: Span) {
        self.health_for = span;
    }

    /// Writes a batch in one transaction and waits until it is on disk, in the file that stands in the folder. Returns where the store stands.
    ///
    /// # Errors
    /// After any error but [`StoreError::OutOfOrder`] and [`StoreError::OlderFormat`] the process must end: nothing of the batch may be acknowledged, and every later commit is refused.
    pub fn commit(&mut self, commit: Commit) -> Result<Head, StoreError> {
        if self.failed {
            return Err(StoreError::AfterFailure);
        }
        self.check_format()?;
        self.check_order(&commit)?;
        let hash = frame::chain(self.head.hash, &commit.block);
        let frame = frame::encode(commit.now, self.head.hash, hash, &commit.block);
        let head =
            Head { seq: commit.seq, hash, floor: commit.floor, now: commit.now, block_bytes: self.head.block_bytes + frame.len() as u64 };
        let head = self.write(commit, &frame, head).inspect_err(|_| {
            self.failed = true;
            self.leave_word();
        })?;
        // What lies in a file that the next start does not find was not kept, so nobody may be told that it was.
        self.check_place().inspect_err(|_| self.failed = true)?;
        self.head = head;
        self.behind.push_back((head.seq, frame.len() as u64));
        while self.behind.front().is_some_and(|(seq, _)| *seq <= head.floor) {
            self.behind.pop_front();
        }
        Ok(head)
    }

    /// Writes rows between two batches: sources and other things that no event changes.
    ///
    /// # Errors
    /// As [`Store::commit`]: the process must end.
    pub fn put_rows(&mut self, rows: Vec<RowChange>) -> Result<(), StoreError> {
        if self.failed {
            return Err(StoreError::AfterFailure);
        }
        self.check_format()?;
        let written = begin(&self.database).and_then(|txn| {
            write_rows(&txn, rows)?;
            txn.commit().map_err(disk("commit to"))
        });
        written.inspect_err(|_| {
            self.failed = true;
            self.leave_word();
        })
    }

    /// Writes the sidecar; the daemon does so every five minutes.
    ///
    /// # Errors
    /// The folder cannot be written. With [`StoreError::Replaced`] the process must end: what it commits is in a file that the next start does not find.
    pub fn write_sidecar(&self, now: Time) -> Result<(), StoreError> {
        self.check_place()?;
        Sidecar::new(self.identity.store.to_string(), self.identity.format, self.head.seq, now).write(&self.dir)
    }

    /// Stops cleanly. Readers that are still about keep the file locked until they go.
    ///
    /// # Errors
    /// The sidecar cannot be written; the store itself is safe.
    pub fn close(self, now: Time) -> Result<(), StoreError> {
        self.write_sidecar(now)?;
        remove(&pid_file(&self.dir))
    }

    pub(crate) fn write_pid(&self) -> Result<(), StoreError> {
        let path = pid_file(&self.dir);
        fs::write(&path, format!("{}\n", std::process::id())).map_err(file("write", &path))
    }

    fn check_order(&self, commit: &Commit) -> Result<(), StoreError> {
        let fault = |reason: String| Err(StoreError::OutOfOrder { seq: commit.seq, reason });
        if commit.seq != self.head.seq + 1 {
            return fault(format!("the last one was {}", self.head.seq));
        }
        if commit.floor < self.head.floor || commit.floor > commit.seq {
            return fault(format!("its floor {} is not between the last floor {} and itself", commit.floor, self.head.floor));
        }
        if commit.block.len() > BLOCK_BYTES_MAX {
            return fault(format!("it has {} bytes, more than {BLOCK_BYTES_MAX}", commit.block.len()));
        }
        Ok(())
    }

    fn write(&self, commit: Commit, frame: &[u8], mut head: Head) -> Result<Head, StoreError> {
        let txn = begin(&self.database)?;
        let trimmed = self.write_block(&txn, head.seq, frame)?;
        head.block_bytes = head.block_bytes.saturating_sub(trimmed);
        write_rows(&txn, commit.rows)?;
        if !commit.pages.is_empty() {
            let mut table = txn.open_table(PAGES).map_err(disk("commit to"))?;
            for (page, bytes) in &commit.pages {
                table.insert(page, bytes.as_slice()).map_err(disk("commit to"))?;
            }
        }
        expire_receipts(&txn, commit.now)?;
        expire_health(&txn, commit.now - self.health_for)?;
        write_head(&txn, &head)?;
        txn.commit().map_err(disk("commit to"))?;
        Ok(head)
    }

    /// Writes the chunks, and deletes some of those that are in archives; returns the bytes of those.
    fn write_block(&self, txn: &WriteTransaction, seq: u64, frame: &[u8]) -> Result<u64, StoreError> {
        let mut blocks = txn.open_table(BLOCKS).map_err(disk("commit to"))?;
        let mut trimmed = 0;
        for key in self.doomed(&blocks)? {
            let gone = blocks.remove(key).map_err(disk("commit to"))?;
            trimmed += gone.map_or(0, |bytes| bytes.value().len() as u64);
        }
        for (part, chunk) in (0u32..).zip(frame.chunks(CHUNK_BYTES_MAX)) {
            blocks.insert((seq, part), chunk).map_err(disk("commit to"))?;
        }
        Ok(trimmed)
    }

    /// The chunks to delete with this commit: of whole blocks, so that none is ever half there.
    fn doomed(&self, blocks: &redb::Table<(u64, u32), &[u8]>) -> Result<Vec<(u64, u32)>, StoreError> {
        let mut keys: Vec<(u64, u32)> = Vec::new();
        if self.trim_through == 0 {
            return Ok(keys);
        }
        for chunk in blocks.range(..=(self.trim_through, u32::MAX)).map_err(disk("commit to"))? {
            let (key, _) = chunk.map_err(disk("commit to"))?;
            let (seq, part) = key.value();
            if keys.len() >= CHUNKS_TRIMMED_MAX && keys.last().is_some_and(|(last, _)| *last != seq) {
                break;
            }
            keys.push((seq, part));
        }
        Ok(keys)
    }

    /// The next start checks every page. The disk may refuse even this; then redb's own checks at opening have to do.
    fn leave_word(&self) {
        drop(fs::write(fault_note(&self.dir), b"a commit failed; the next start checks every page\n"));
    }
}

/// A write transaction as every one must be: quick repair (which implies two-phase) from the first on, never anything but immediate.
pub(crate) fn begin(database: &Database) -> Result<WriteTransaction, StoreError> {
    let mut txn = database.begin_write().map_err(disk("commit to"))?;
    txn.set_durability(Durability::Immediate).map_err(disk("commit to"))?;
    txn.set_quick_repair(true);
    Ok(txn)
}

/// Rows in the order of tables and keys, so that each table is opened once and walked forward.
pub(crate) fn write_rows(txn: &WriteTransaction, mut rows: Vec<RowChange>) -> Result<(), StoreError> {
    rows.sort_by(|a, b| (a.table, &a.key).cmp(&(b.table, &b.key)));
    for group in rows.chunk_by(|a, b| a.table == b.table) {
        let mut table = txn.open_table(group[0].table.definition()).map_err(disk("commit to"))?;
        for row in group {
            match &row.value {
                Some(value) => table.insert(row.key.as_slice(), value.as_slice()).map_err(disk("commit to"))?,
                None => table.remove(row.key.as_slice()).map_err(disk("commit to"))?,
            };
        }
    }
    Ok(())
}

fn expire_receipts(txn: &WriteTransaction, now: Time) -> Result<(), StoreError> {
    let mut table = txn.open_table(Table::RECEIPTS.definition()).map_err(disk("commit to"))?;
    let end = u64::try_from(now.0).unwrap_or(0).to_be_bytes();
    let expired = table.extract_from_if::<&[u8], _>(..end.as_slice(), |_, _| true).map_err(disk("commit to"))?;
    for receipt in expired.take(RECEIPTS_EXPIRED_MAX) {
        receipt.map_err(disk("commit to"))?;
    }
    Ok(())
}

/// Deletes changes of health from before `end`, the oldest first, and with each the row it is found by in time: a time, and the key of the change.
fn expire_health(txn: &WriteTransaction, end: Time) -> Result<(), StoreError> {
    let end = u64::try_from(end.0).unwrap_or(0).to_be_bytes();
    let mut by_time = txn.open_table(Table::of(rows::Table::HealthByTime).definition()).map_err(disk("commit to"))?;
    let expired = by_time.extract_from_if::<&[u8], _>(..end.as_slice(), |_, _| true).map_err(disk("commit to"))?;
    let mut keys = Vec::new();
    for row in expired.take(HEALTH_EXPIRED_MAX) {
        let (key, _) = row.map_err(disk("commit to"))?;
        keys.push(key.value()[end.len()..].to_vec());
    }
    if keys.is_empty() {
        return Ok(());
    }
    let mut changes = txn.open_table(Table::of(rows::Table::HealthChanges).definition()).map_err(disk("commit to"))?;
    for key in keys {
        changes.remove(key.as_slice()).map_err(disk("commit to"))?;
    }
    Ok(())
}
