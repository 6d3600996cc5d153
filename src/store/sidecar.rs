//! `store.json` beside the store: the id and the sequence it has had at least, so that a lost or older file is noticed. And how files are replaced safely.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use watchkeeper_engine::time::Time;

use crate::error::{StoreError, file};

/// What the sidecar says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sidecar {
    /// The store's id in hexadecimal digits.
    pub store: String,
    /// The store's format.
    pub format: u32,
    /// The sequence of the last block when this was written.
    pub sequence: u64,
    /// When it was written, RFC 3339.
    pub written_at: String,
}

impl Sidecar {
    /// Its place in the store's folder.
    pub fn path(dir: &Path) -> PathBuf {
        dir.join("store.json")
    }

    /// Reads it; `None` where there is none.
    ///
    /// # Errors
    /// It cannot be read, or is no sidecar.
    pub fn read(dir: &Path) -> Result<Option<Sidecar>, StoreError> {
        let path = Sidecar::path(dir);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(file("read", &path)(error)),
        };
        match serde_json::from_slice(&bytes) {
            Ok(sidecar) => Ok(Some(sidecar)),
            Err(error) => Err(StoreError::BadSidecar { path, reason: error.to_string() }),
        }
    }

    pub(crate) fn new(store: String, format: u32, sequence: u64, now: Time) -> Sidecar {
        Sidecar { store, format, sequence, written_at: now.rfc3339() }
    }

    /// Replaces it in the store's folder; either the old or the new one survives a crash.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn write(&self, dir: &Path) -> Result<(), StoreError> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("text and numbers have a JSON form");
        bytes.push(b'\n');
        replace(&Sidecar::path(dir), &bytes)
    }
}

/// Replaces a file: written beside it, synced, renamed, and the folder synced.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let beside = path.with_extension("tmp");
    let mut handle = File::create(&beside).map_err(file("create", &beside))?;
    handle.write_all(bytes).map_err(file("write", &beside))?;
    handle.sync_all().map_err(file("sync", &beside))?;
    fs::rename(&beside, path).map_err(file("replace", path))?;
    sync_folder_of(path)
}

/// Removes a file if it is there, and makes sure it stays removed.
pub(crate) fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Ok(()) => sync_folder_of(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(file("remove", path)(error)),
    }
}

/// Makes names in the folder of `path` survive a crash.
pub(crate) fn sync_folder_of(path: &Path) -> Result<(), StoreError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let handle = File::open(folder).map_err(file("open", folder))?;
    handle.sync_all().map_err(file("sync", folder))?;
    Ok(())
}
