//! What can go wrong with a store: each refusal says what was found and which command helps.

use std::io;
use std::path::PathBuf;

/// Why the store did not do it. After [`StoreError::Disk`] from a commit the process must end: what is on disk is known again after a restart only.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There never was a store.
    #[error("open the store in {}: there is none; `watchkeeper init` creates it, `watchkeeper run --init` does so on a first start", dir.display())]
    Missing {
        /// The store's folder.
        dir: PathBuf,
    },
    /// There was one, and its file is gone.
    #[error(
        "open the store {}: the file is gone, but store.json beside it knows store {store} at sequence {seq}; put the file back, or bring back a backup with \
         `watchkeeper restore FILE`; to start empty and lose it, remove store.json and run `watchkeeper init`",
        path.display()
    )]
    Lost {
        /// Where the file should be.
        path: PathBuf,
        /// The store's id.
        store: String,
        /// The sequence it had at least.
        seq: u64,
    },
    /// The file has no bytes.
    #[error(
        "open the store {}: the file is empty; bring back a backup with `watchkeeper restore FILE`, or, if it never held anything, remove it and run `watchkeeper init`",
        path.display()
    )]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The file is cut or its pages contradict their checksums.
    #[error("open the store {}: it is damaged ({reason}); bring back a backup with `watchkeeper restore FILE`", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What redb found.
        reason: String,
    },
    /// The file is something else.
    #[error(
        "open the store {}: this is no store of Watchkeeper, or its beginning was overwritten ({reason}); set [store] dir to the right folder, or bring back a \
         backup with `watchkeeper restore FILE`",
        path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What is there.
        reason: String,
    },
    /// The file that holds the key of links holds something else.
    #[error(
        "read the key of links {}: it holds no key of 64 hexadecimal digits; put the right file back, or remove it: a new one is made, and links in mails \
         sent before no longer act",
        path.display()
    )]
    BadLinkKey {
        /// The file.
        path: PathBuf,
    },
    /// A later release wrote it.
    #[error(
        "open the store {}: its format is {found}, this program knows formats up to {known}; run the release that wrote it, or bring back an older backup with \
         `watchkeeper restore FILE`",
        path.display()
    )]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format number.
        found: u32,
        /// The highest number known here.
        known: u32,
    },
    /// The file belongs to another store than the sidecar.
    #[error(
        "open the store {}: it is store {found}, but store.json beside it belongs to store {expected}; put the right file back, or bring back a backup with \
         `watchkeeper restore FILE`, which writes both",
        path.display()
    )]
    OtherStore {
        /// The file.
        path: PathBuf,
        /// Its id.
        found: String,
        /// The sidecar's id.
        expected: String,
    },
    /// The file is older than the sidecar.
    #[error(
        "open the store {}: it went back in time: it ends at sequence {found}, but store.json has seen {expected}; put the newer file back, or bring back a backup with \
         `watchkeeper restore FILE`; to go on without what came between, remove store.json",
        path.display()
    )]
    WentBack {
        /// The file.
        path: PathBuf,
        /// Its last sequence.
        found: u64,
        /// The sidecar's.
        expected: u64,
    },
    /// The sidecar cannot be read.
    #[error("open the store: {} is not readable as store.json ({reason}); bring it back with `watchkeeper restore FILE`, or remove it to go on without its check", path.display())]
    BadSidecar {
        /// The sidecar.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Another process holds it.
    #[error(
        "open the store {}: it is in use by {}; ask that daemon over its socket, or stop it first",
        path.display(),
        pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
    )]
    InUse {
        /// The file.
        path: PathBuf,
        /// The holder, where it wrote its number down.
        pid: Option<u32>,
    },
    /// `init` where there is a store.
    #[error("create a store in {}: there is one already; `watchkeeper run` starts on it", dir.display())]
    Exists {
        /// The folder.
        dir: PathBuf,
    },
    /// A backup or a restore where there is something.
    #[error("write {}: there is such a file; name another place, or move it away first", path.display())]
    Occupied {
        /// The file.
        path: PathBuf,
    },
    /// A file that should be a backup.
    #[error("use the backup {}: {reason}; take another one", path.display())]
    BadBackup {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file beside the store.
    #[error("{action} {}: {source}", path.display())]
    File {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The database refused or failed.
    #[error("{action} the store: {source}")]
    Disk {
        /// What was tried, as a verb.
        action: &'static str,
        /// redb's answer.
        #[source]
        source: Box<redb::Error>,
    },
    /// The file is not the one that was opened.
    #[error(
        "keep the store {}: its file was removed or replaced while it was open; stop the daemon, put the file back or bring back a backup with \
         `watchkeeper restore FILE`",
        path.display()
    )]
    Replaced {
        /// Where the file was.
        path: PathBuf,
    },
    /// A commit after one that failed.
    #[error("commit to the store: an earlier commit failed, and only a restart knows what is on disk")]
    AfterFailure,
    /// A commit that does not follow the last one: a bug of the caller.
    #[error("commit block {seq} to the store: {reason}")]
    OutOfOrder {
        /// Its sequence.
        seq: u64,
        /// What does not fit.
        reason: String,
    },
    /// A row or page that its reader refused.
    #[error("read a row of table {table} in the store: {reason}; a backup comes back with `watchkeeper restore FILE`")]
    BadRow {
        /// The table.
        table: &'static str,
        /// What the reader says.
        reason: String,
    },
    /// An earlier release wrote it, and `run` has not been at it yet.
    #[error(
        "read the store {}: its format is {found}, this program works on {known}; `watchkeeper run` brings it there",
        path.display()
    )]
    OlderFormat {
        /// The file.
        path: PathBuf,
        /// Its format number.
        found: u32,
        /// The number of this release.
        known: u32,
    },
    /// No room for what a migration writes before it frees anything.
    #[error(
        "bring the store {} from format {from} to {to}: that needs {} MiB free in its folder, and {} are; make room there, or go on with the release that wrote it: \
         nothing was changed",
        path.display(),
        needed.div_ceil(1 << 20),
        free >> 20
    )]
    NoRoom {
        /// The file.
        path: PathBuf,
        /// Its format.
        from: u32,
        /// This release's.
        to: u32,
        /// Bytes that must be free.
        needed: u64,
        /// Bytes that are.
        free: u64,
    },
    /// A table that no part of this release reads.
    #[error(
        "read the store: it has a table `{table}`, which this release does not know; run the release that wrote it, or bring back an older backup with `watchkeeper restore FILE`"
    )]
    UnknownTable {
        /// Its name.
        table: String,
    },
    /// An archive that is not what was written.
    #[error("read the archive {}: {reason}; it holds history only, and the store runs without it", path.display())]
    BadArchive {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A block that is not what was written.
    #[error("read block {seq} of the store: {reason}; a backup comes back with `watchkeeper restore FILE`")]
    BadBlock {
        /// Its sequence.
        seq: u64,
        /// What is wrong.
        reason: String,
    },
}

impl StoreError {
    /// The same of a backup: what is wrong with its content is no reason to bring back a backup.
    pub(crate) fn of_backup(self, backup: &std::path::Path) -> StoreError {
        let reason = match self {
            StoreError::Empty { .. } => "it is empty".to_owned(),
            StoreError::Damaged { reason, .. } => format!("it is damaged ({reason})"),
            StoreError::Foreign { reason, .. } => format!("it is no store of Watchkeeper ({reason})"),
            StoreError::NewerFormat { found, known, .. } => {
                format!(
                    "its format is {found}, this program knows formats up to {known}: restore it with the release that wrote it, or a later one"
                )
            }
            StoreError::BadRow { table, reason } => format!("a row of its table {table} is not readable ({reason})"),
            StoreError::BadBlock { seq, reason } => format!("its block {seq} is not as it was written ({reason})"),
            StoreError::BadBackup { reason, .. } => reason,
            other @ (StoreError::Missing { .. }
            | StoreError::Lost { .. }
            | StoreError::OtherStore { .. }
            | StoreError::WentBack { .. }
            | StoreError::BadSidecar { .. }
            | StoreError::InUse { .. }
            | StoreError::Exists { .. }
            | StoreError::Occupied { .. }
            | StoreError::File { .. }
            | StoreError::Disk { .. }
            | StoreError::Replaced { .. }
            | StoreError::AfterFailure
            | StoreError::OutOfOrder { .. }
            | StoreError::UnknownTable { .. }
            | StoreError::OlderFormat { .. }
            | StoreError::NoRoom { .. }
            | StoreError::BadArchive { .. }
            | StoreError::BadLinkKey { .. }) => return other,
        };
        StoreError::BadBackup { path: backup.to_owned(), reason }
    }
}

/// Turns redb's errors into ours, for `map_err`.
pub(crate) fn disk<E: Into<redb::Error>>(action: &'static str) -> impl FnOnce(E) -> StoreError {
    move |error| StoreError::Disk { action, source: Box::new(error.into()) }
}

/// Turns an I/O error on `path` into ours, for `map_err`.
pub(crate) fn file(action: &'static str, path: &std::path::Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::File { action, path, source }
}
