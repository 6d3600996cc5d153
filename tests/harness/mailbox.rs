//! The mailbox as its reader finds it: one `.eml` a message in a folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use sha2::{Digest as _, Sha256};

/// A mail that lies in the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The whole file.
    pub bytes: Vec<u8>,
    headers: BTreeMap<String, String>,
}

impl Mail {
    /// A header's value, unfolded; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(&name.to_lowercase()).map_or("", String::as_str)
    }

    /// Whom it is to, without a name and brackets.
    pub fn to(&self) -> &str {
        self.header("to").rsplit('<').next().unwrap_or_default().trim_end_matches('>')
    }

    /// Why it was sent.
    pub fn reason(&self) -> &str {
        self.header("x-watchkeeper-reason")
    }

    /// The incident it is about.
    pub fn incident(&self) -> &str {
        self.header("x-watchkeeper-incident")
    }
}

/// Every mail of a folder, in the order of file names. A folder that is not there is empty.
pub fn mails(folder: &Path) -> Vec<Mail> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|end| end == "eml"));
    let mut paths: Vec<_> = paths.filter(|path| !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))).collect();
    paths.sort();
    paths.iter().map(|path| read(&fs::read(path).unwrap())).collect()
}

/// The hash of a mail's bytes, as the outbox of the API gives it.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(bytes: &[u8]) -> Mail {
    let text = String::from_utf8_lossy(bytes);
    let head = text.split("\r\n\r\n").next().unwrap_or_default().replace("\r\n ", " ").replace("\r\n\t", " ");
    let headers = head.lines().filter_map(|line| line.split_once(':'));
    Mail { bytes: bytes.to_vec(), headers: headers.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())).collect() }
}
