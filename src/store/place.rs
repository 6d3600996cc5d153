//! The folder of a store: creating it once, opening it on every start, and every reason to refuse.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use redb::{Builder, Database, DatabaseError, StorageError};
use watchkeeper_engine::ids::StoreId;
use watchkeeper_engine::time::Time;

use crate::error::{StoreError, disk, file};
use crate::key::random;
use crate::limits::CACHE_BYTES;
use crate::meta::{FORMAT, Head, Identity, write_head, write_identity};
use crate::sidecar::{Sidecar, remove, sync_folder_of};
use crate::store::Store;

/// How a store is opened.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Bytes of file pages kept in memory. Default [`CACHE_BYTES`].
    pub cache_bytes: usize,
    /// Whether every page is checked before the first read.
    pub check: PageCheck,
}

/// When an open checks the checksum of every page, which reads the whole file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageCheck {
    /// After an I/O error only: a crash is repaired from checksummed pages anyway.
    AfterFault,
    /// Always: `watchkeeper verify`.
    Always,
}

/// Which file a path means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    fn of(path: &Path) -> Result<FileId, StoreError> {
        let metadata = fs::metadata(path).map_err(file("look at", path))?;
        Ok(FileId { device: metadata.dev(), inode: metadata.ino() })
    }
}

impl Default for Options {
    fn default() -> Options {
        Options { cache_bytes: CACHE_BYTES, check: PageCheck::AfterFault }
    }
}

impl Store {
    /// The file in a store's folder.
    pub fn path(dir: &Path) -> PathBuf {
        dir.join("store.redb")
    }

    /// Creates a store where there never was one, and opens it.
    ///
    /// # Errors
    /// There is one, there was one, or the folder cannot be written.
    pub fn init(dir: &Path, now: Time, options: Options) -> Result<Store, StoreError> {
        let path = Store::path(dir);
        if exists(&path)? {
            return Err(StoreError::Exists { dir: dir.to_owned() });
        }
        if let Some(sidecar) = Sidecar::read(dir)? {
            return Err(StoreError::Lost { path, store: sidecar.store, seq: sidecar.sequence });
        }
        fs::create_dir_all(dir).map_err(file("create", dir))?;
        sync_folder_of(dir)?;
        // Made beside and linked into place: a crash leaves no half store, and of two that try one wins.
        let beside = dir.join(format!("store.redb.{}.tmp", std::process::id()));
        remove(&beside)?;
        let placed = make(&beside, random_id()?, now).and_then(|()| place(&beside, &path));
        remove(&beside)?;
        placed?;
        sync_folder_of(&path)?;
        let store = Store::open(dir, now, options)?;
        store.link_key()?;
        Ok(store)
    }

    /// Opens the store if there is one, and creates it if there never was (`run --init`). A lost one is refused.
    ///
    /// # Errors
    /// As [`Store::open`] and [`Store::init`].
    pub fn open_or_init(dir: &Path, now: Time, options: Options) -> Result<Store, StoreError> {
        match Store::open(dir, now, options) {
            Err(StoreError::Missing { .. }) => Store::init(dir, now, options),
            other => other,
        }
    }

    /// Opens the store that is there. Never creates one.
    ///
    /// # Errors
    /// It is missing, lost, empty, damaged, foreign, of a later format, older than its sidecar, or in use: each says which command helps.
    pub fn open(dir: &Path, now: Time, options: Options) -> Result<Store, StoreError> {
        let store = Store::open_to_read(dir, options)?;
        store.write_pid()?;
        store.write_sidecar(now)?;
        remove(&fault_note(dir))?;
        Ok(store)
    }

    /// As [`Store::open`], and writes no file of the folder: a disk may be full just when somebody wants to know whether the store is whole. Drop it, to close it.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_to_read(dir: &Path, options: Options) -> Result<Store, StoreError> {
        let path = Store::path(dir);
        let sidecar = Sidecar::read(dir)?;
        let length = match fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(match sidecar {
                    Some(sidecar) => StoreError::Lost { path, store: sidecar.store, seq: sidecar.sequence },
                    None => StoreError::Missing { dir: dir.to_owned() },
                });
            }
            Err(error) => return Err(file("open", &path)(error)),
        };
        if length == 0 {
            return Err(StoreError::Empty { path });
        }
        if let Some(found) = sidecar.as_ref().map(|sidecar| sidecar.format).filter(|format| *format > FORMAT) {
            return Err(StoreError::NewerFormat { path, found, known: FORMAT });
        }
        let after_fault = exists(&fault_note(dir))?;
        if after_fault {
            forget_cached_pages(&path)?;
        }
        let check = after_fault || options.check == PageCheck::Always;
        let mut builder = Builder::new();
        builder.set_cache_size(options.cache_bytes).set_check_integrity_on_open(check);
        let mut store = undamaged(&path, || {
            let database = builder.open(&path).map_err(|error| refusal(dir, &path, error))?;
            Store::attach(dir, database)
        })?;
        store.file = Some(FileId::of(&path)?);
        if let Some(sidecar) = sidecar {
            store.compare(&sidecar)?;
        }
        Ok(store)
    }

    /// Makes an empty database a store: the first transaction.
    ///
    /// # Errors
    /// The database fails.
    pub fn format(database: &Database, store: StoreId, now: Time) -> Result<(), StoreError> {
        let mut txn = database.begin_write().map_err(disk("create"))?;
        txn.set_quick_repair(true);
        write_identity(&txn, &Identity { format: FORMAT, store, created: now })?;
        write_head(&txn, &Head { now, ..Head::default() })?;
        txn.commit().map_err(disk("create"))?;
        Ok(())
    }

    /// Notices that the file was removed or replaced under the open database, which goes on writing into what nobody will find again.
    pub(crate) fn check_place(&self) -> Result<(), StoreError> {
        let path = Store::path(self.dir());
        let Some(opened) = self.file else { return Ok(()) };
        let found = if exists(&path)? { Some(FileId::of(&path)?) } else { None };
        if found == Some(opened) { Ok(()) } else { Err(StoreError::Replaced { path }) }
    }

    fn compare(&self, sidecar: &Sidecar) -> Result<(), StoreError> {
        let path = Store::path(self.dir());
        if sidecar.store != self.id().to_string() {
            return Err(StoreError::OtherStore { path, found: self.id().to_string(), expected: sidecar.store.clone() });
        }
        if self.head().seq < sidecar.sequence {
            return Err(StoreError::WentBack { path, found: self.head().seq, expected: sidecar.sequence });
        }
        Ok(())
    }
}

/// Does what reads a file that somebody may have damaged: redb ends some contradictions with a panic, which here is what it is, a damaged file.
///
/// # Errors
/// Those of `work`, and [`StoreError::Damaged`] where it panicked.
pub(crate) fn undamaged<T>(path: &Path, work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)) {
        Ok(done) => done,
        Err(panic) => {
            let words = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
            let reason = words.unwrap_or("its pages contradict each other").lines().next().unwrap_or_default().to_owned();
            Err(StoreError::Damaged { path: path.to_owned(), reason })
        }
    }
}

/// Where a failed commit leaves word for the next start.
pub(crate) fn fault_note(dir: &Path) -> PathBuf {
    dir.join("check-needed")
}

/// Where the holder's process number stands.
pub(crate) fn pid_file(dir: &Path) -> PathBuf {
    dir.join("pid")
}

pub(crate) fn exists(path: &Path) -> Result<bool, StoreError> {
    path.try_exists().map_err(file("look for", path))
}

fn make(path: &Path, store: StoreId, now: Time) -> Result<(), StoreError> {
    // Nobody else reads it, whatever the umask: it holds mails with links that act. redb fills an empty file as it would a new one.
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map_err(file("create", path))?;
    let database = Builder::new().create(path).map_err(disk("create"))?;
    Store::format(&database, store, now)?;
    drop(database);
    File::open(path).and_then(|handle| handle.sync_all()).map_err(file("sync", path))?;
    sync_folder_of(path)
}

/// Gives the finished file its name, unless there is one of that name by now.
pub(crate) fn place(made: &Path, path: &Path) -> Result<(), StoreError> {
    let Err(error) = fs::hard_link(made, path) else { return Ok(()) };
    if error.kind() == io::ErrorKind::AlreadyExists {
        return Err(StoreError::Exists { dir: path.parent().unwrap_or(path).to_owned() });
    }
    // A file system without hard links.
    fs::rename(made, path).map_err(file("create", path))
}

fn random_id() -> Result<StoreId, StoreError> {
    let mut bytes = [0; 16];
    random(&mut bytes)?;
    let number = u128::from_le_bytes(bytes);
    Ok(StoreId { high: (number >> 64) as u64, low: number as u64 })
}

/// After a failed write the system may still show pages that never reached the disk; a check must not believe them.
fn forget_cached_pages(path: &Path) -> Result<(), StoreError> {
    let handle = File::open(path).map_err(file("open", path))?;
    rustix::fs::fadvise(&handle, 0, None, rustix::fs::Advice::DontNeed).map_err(|error| file("drop cached pages of", path)(error.into()))
}

pub(crate) fn refusal(dir: &Path, path: &Path, error: DatabaseError) -> StoreError {
    let path = path.to_owned();
    if let DatabaseError::DatabaseAlreadyOpen = error {
        let pid = fs::read_to_string(pid_file(dir)).ok().and_then(|text| text.trim().parse().ok());
        return StoreError::InUse { path, pid };
    }
    if let DatabaseError::UpgradeRequired(version) = error {
        return StoreError::Foreign { path, reason: format!("its file format is redb's version {version}") };
    }
    if let DatabaseError::Storage(StorageError::Corrupted(reason)) = error {
        return StoreError::Damaged { path, reason };
    }
    let DatabaseError::Storage(StorageError::Io(error)) = error else { return disk("open")(error) };
    if error.kind() == io::ErrorKind::InvalidData {
        return StoreError::Foreign { path, reason: error.to_string() };
    }
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return StoreError::Damaged { path, reason: "it ends too early".to_owned() };
    }
    StoreError::File { action: "open", path, source: error }
}
