//! `suspect.json` beside the store: which inputs were being judged when the daemon stopped itself, so that the next start goes by one at a time, and an
//! input that has done it twice is set aside.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{StoreError, file};
use crate::sidecar::{remove, replace};

/// What is under suspicion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspect {
    /// The last block that was committed: nothing after it is.
    pub after: u64,
    /// When, RFC 3339.
    pub at: String,
    /// What the panic said.
    pub reason: String,
    /// Inputs that were being decided when it happened, then or before.
    pub inputs: Vec<SuspectInput>,
}

/// One input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuspectInput {
    /// Hash of its encoded bytes, hexadecimal: what it is known by when it comes again.
    pub hash: String,
    /// What it is in a few words, such as `webhook alertmanager`.
    pub what: String,
    /// How often the daemon stopped on it.
    pub times: u32,
}

impl Suspect {
    /// Its place in the store's folder.
    pub fn path(dir: &Path) -> PathBuf {
        dir.join("suspect.json")
    }

    /// Reads the note; `None` where there is none. One that is not readable counts as none: it must not keep the daemon from starting.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn read(dir: &Path) -> Result<Option<Suspect>, StoreError> {
        let path = Suspect::path(dir);
        match fs::read(&path) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(file("read", &path)(error)),
        }
    }

    /// Writes the note, before the process ends.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn write(&self, dir: &Path) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec_pretty(self).expect("text and numbers have a JSON form");
        replace(&Suspect::path(dir), &bytes)
    }

    /// Removes the note, once every input in it is past.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn clear(dir: &Path) -> Result<(), StoreError> {
        remove(&Suspect::path(dir))
    }
}
