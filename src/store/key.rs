//! The key that signs the links of mails: `link.key` beside the store, made once, readable by the daemon's own user.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::error::{StoreError, file};
use crate::sidecar::{remove, sync_folder_of};
use crate::store::Store;

/// Bytes of the key: what HMAC-SHA256 makes full use of.
const KEY_BYTES: usize = 32;

/// The secret that signs links. Whoever has it can act on every incident: its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkKey([u8; KEY_BYTES]);

impl LinkKey {
    /// A key that is known already, such as one a test made.
    pub const fn new(bytes: [u8; KEY_BYTES]) -> LinkKey {
        LinkKey(bytes)
    }

    /// Its place in the store's folder.
    pub fn path(dir: &Path) -> PathBuf {
        dir.join("link.key")
    }

    /// The secret itself, to sign with.
    pub const fn expose(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    fn read(path: &Path) -> Result<Option<LinkKey>, StoreError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(file("read", path)(error)),
        };
        parse(text.trim_end()).map(|key| Some(LinkKey(key))).ok_or_else(|| StoreError::BadLinkKey { path: path.to_owned() })
    }

    /// Written beside with its mode from the first byte on, synced and renamed: no crash leaves half a key, and at no time can others read it.
    fn make(path: &Path) -> Result<LinkKey, StoreError> {
        let mut key = [0; KEY_BYTES];
        random(&mut key)?;
        let text: String = key.iter().map(|byte| format!("{byte:02x}")).chain(["\n".to_owned()]).collect();
        let beside = path.with_extension("key.tmp");
        remove(&beside)?;
        let mut handle = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside).map_err(file("create", &beside))?;
        handle.write_all(text.as_bytes()).map_err(file("write", &beside))?;
        handle.sync_all().map_err(file("sync", &beside))?;
        fs::rename(&beside, path).map_err(file("replace", path))?;
        sync_folder_of(path)?;
        Ok(LinkKey(key))
    }
}

impl fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkKey(…)")
    }
}

impl Store {
    /// The key that signs the links of mails; made where there is none, after which links in mails sent before no longer work.
    ///
    /// # Errors
    /// The file cannot be read or written, or holds no key.
    pub fn link_key(&self) -> Result<LinkKey, StoreError> {
        let path = LinkKey::path(self.dir());
        match LinkKey::read(&path)? {
            Some(key) => Ok(key),
            None => LinkKey::make(&path),
        }
    }
}

/// Fills `bytes` from the system's source of randomness.
///
/// # Errors
/// It cannot be read.
pub(crate) fn random(bytes: &mut [u8]) -> Result<(), StoreError> {
    let source = Path::new("/dev/urandom");
    File::open(source).and_then(|mut handle| handle.read_exact(bytes)).map_err(file("read", source))
}

fn parse(text: &str) -> Option<[u8; KEY_BYTES]> {
    let mut key = [0; KEY_BYTES];
    if text.len() != 2 * KEY_BYTES || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (n, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * n..2 * n + 2)?, 16).ok()?;
    }
    Some(key)
}
