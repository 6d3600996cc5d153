//! `watchkeeper backup` and `restore`: a whole copy of the store as it was after one commit, made while it is written to, and its way back into an empty place.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{Builder, Database, Key, ReadableTable, TableDefinition, TableHandle};
use watchkeeper_engine::ids::StoreId;
use watchkeeper_engine::time::Time;

use crate::error::{StoreError, disk, file};
use crate::limits::{CACHE_BYTES, COPY_BYTES};
use crate::meta::Head;
use crate::place::{exists, fault_note, place, refusal, undamaged};
use crate::reader::Snapshot;
use crate::sidecar::{Sidecar, remove, sync_folder_of};
use crate::store::{Store, begin};
use crate::tables::{BLOCKS, META, PAGES};
use crate::verify::Verified;

/// A copy that was read back whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backup {
    /// The store it is a copy of.
    pub store: StoreId,
    /// Its format; `run` brings an older one to the present one.
    pub format: u32,
    /// Where the store stood.
    pub head: Head,
    /// What was read back.
    pub verified: Verified,
    /// Bytes of the file.
    pub bytes: u64,
}

impl Snapshot {
    /// Writes the store as this snapshot shows it into a new file that only its owner can read, and reads it back. Archives of older history are not in it.
    ///
    /// The snapshot lives as long as the copying takes: pages that are freed meanwhile are reused only afterwards, so the store grows by what is written in that
    /// time. `progress` gets the bytes copied so far.
    ///
    /// # Errors
    /// There is such a file, the disk is full or fails, or the store is not as it was written: then no file of that name is left.
    pub fn backup(&self, to: &Path, progress: &mut dyn FnMut(u64)) -> Result<Backup, StoreError> {
        arrive(to, |beside| self.copy(beside, progress))
    }

    /// As [`Snapshot::backup`], of a file in `dir` that loses its name once it is whole: it goes with its last reader, whatever happens to that one.
    ///
    /// # Errors
    /// As [`Snapshot::backup`].
    pub fn nameless_backup(&self, dir: &Path) -> Result<(Backup, File), StoreError> {
        let path = dir.join("backup.tmp");
        // An earlier process may have left one behind.
        remove(&path)?;
        let backup = self.backup(&path, &mut |_| {})?;
        let opened = File::open(&path).map_err(file("open", &path))?;
        remove(&path)?;
        Ok((backup, opened))
    }

    fn copy(&self, path: &Path, progress: &mut dyn FnMut(u64)) -> Result<(), StoreError> {
        let mut copy = Copy { to: create(path)?, bytes: 0, progress };
        for handle in self.txn.list_tables().map_err(disk("read"))? {
            let name = handle.name();
            if name == BLOCKS.name() {
                copy.table(self, BLOCKS)?;
            } else if name == PAGES.name() {
                copy.table(self, PAGES)?;
            } else if name == META.name() {
                copy.table(self, META)?;
            } else {
                copy.table(self, TableDefinition::<&[u8], &[u8]>::new(name))?;
            }
        }
        Ok(())
    }
}

impl Store {
    /// Brings a backup back into a folder that has no store: its file and the sidecar that belongs to it. The backup is not touched. What the store did after the
    /// backup is gone; archives that are in the folder and do not join on are put aside by the next start.
    ///
    /// # Errors
    /// There is a store, or the backup is damaged, foreign or of a later format: then the folder is as it was.
    pub fn restore(dir: &Path, backup: &Path, now: Time) -> Result<Backup, StoreError> {
        let path = Store::path(dir);
        if exists(&path)? {
            return Err(StoreError::Occupied { path });
        }
        std::fs::create_dir_all(dir).map_err(file("create", dir))?;
        sync_folder_of(dir)?;
        let restored = arrive(&path, |beside| {
            let mut from = File::open(backup).map_err(file("open", backup))?;
            let mut to = create_file(beside)?;
            io::copy(&mut from, &mut to).map(drop).map_err(file("copy", backup))
        });
        // What is wrong with the copy is wrong with the backup.
        let restored = restored.map_err(|error| error.of_backup(backup))?;
        Sidecar::new(restored.store.to_string(), restored.format, restored.head.seq, now).write(dir)?;
        remove(&fault_note(dir))?;
        Ok(restored)
    }
}

impl Backup {
    /// Reads a backup whole: every page's checksum, every row, the chain of blocks. The file must be writable: redb notes in its header that it is open.
    ///
    /// # Errors
    /// It is damaged, foreign or of a later format.
    pub fn check(path: &Path) -> Result<Backup, StoreError> {
        let length = || std::fs::metadata(path).map_err(file("open", path)).map(|metadata| metadata.len());
        if length()? == 0 {
            return Err(StoreError::Empty { path: path.to_owned() }.of_backup(path));
        }
        let folder = path.parent().unwrap_or(path);
        let read = || {
            let database = Builder::new().set_cache_size(CACHE_BYTES).set_check_integrity_on_open(true).open(path);
            let store = Store::attach(folder, database.map_err(|error| refusal(folder, path, error))?)?;
            let verified = store.reader().snapshot()?.verify()?;
            Ok((store.id(), store.format_number(), store.head(), verified))
        };
        let (store, format, head, verified) = undamaged(path, read).map_err(|error: StoreError| error.of_backup(path))?;
        // Only now: opening and closing trims the file.
        Ok(Backup { store, format, head, verified, bytes: length()? })
    }
}

/// A file that is being filled from a snapshot.
struct Copy<'a> {
    to: Database,
    bytes: u64,
    progress: &'a mut dyn FnMut(u64),
}

impl Copy<'_> {
    /// A table, some megabytes a transaction. One without rows is copied too.
    fn table<K: Key + 'static>(&mut self, from: &Snapshot, definition: TableDefinition<'_, K, &'static [u8]>) -> Result<(), StoreError> {
        let table = from.txn.open_table(definition).map_err(disk("read"))?;
        let mut rows = table.iter().map_err(disk("read"))?.peekable();
        loop {
            let txn = begin(&self.to)?;
            let mut filled = txn.open_table(definition).map_err(disk("write a copy of"))?;
            let mut slice = 0;
            while slice < COPY_BYTES
                && let Some(row) = rows.next()
            {
                let (key, value) = row.map_err(disk("read"))?;
                filled.insert(key.value(), value.value()).map_err(disk("write a copy of"))?;
                slice += value.value().len();
            }
            drop(filled);
            txn.commit().map_err(disk("write a copy of"))?;
            self.bytes += slice as u64;
            (self.progress)(self.bytes);
            if rows.peek().is_none() {
                return Ok(());
            }
        }
    }
}

/// Has a file made beside its place, reads it back, and gives it its name. Where that fails, nothing of it is left.
fn arrive(at: &Path, make: impl FnOnce(&Path) -> Result<(), StoreError>) -> Result<Backup, StoreError> {
    if exists(at)? {
        return Err(StoreError::Occupied { path: at.to_owned() });
    }
    let beside = beside(at);
    remove(&beside)?;
    let arrived = make(&beside).and_then(|()| Backup::check(&beside)).and_then(|backup| {
        File::open(&beside).and_then(|handle| handle.sync_all()).map_err(file("sync", &beside))?;
        place(&beside, at).map(|()| backup)
    });
    remove(&beside)?;
    sync_folder_of(at)?;
    arrived
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    PathBuf::from(name)
}

fn create(path: &Path) -> Result<Database, StoreError> {
    let backend = FileBackend::new(create_file(path)?).map_err(disk("create a copy of"))?;
    Builder::new().set_cache_size(CACHE_BYTES).create_with_backend(backend).map_err(disk("create a copy of"))
}

fn create_file(path: &Path) -> Result<File, StoreError> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path).map_err(file("create", path))
}
