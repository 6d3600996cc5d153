//! Secrets: read from files of their own, never printed, compared in constant time.

use std::fmt;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Bytes of a secret. A longer file is probably another file.
const SECRET_BYTES_MAX: usize = 4_096;
/// Bytes below which a secret can be guessed over a network.
const SECRET_BYTES_MIN: usize = 8;

/// A token or password. Its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A secret that is known already, such as one a test made.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// Whether `given` is this secret. Takes the same time wherever they differ, and tells nothing of the length: hashes are compared.
    pub fn matches(&self, given: &[u8]) -> bool {
        Sha256::digest(self.0.as_bytes()).ct_eq(&Sha256::digest(given)).into()
    }

    /// The secret itself, for a header or a login.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Why a secret cannot be had from its file.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Unreadable {
        /// The file that was looked at last.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file holds something that is no secret.
    #[error("{path} holds {what}", path = path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What it holds, as the end of a sentence.
        what: &'static str,
    },
}

/// Reads the secret in `name`: below `credentials` (systemd's `$CREDENTIALS_DIRECTORY`) where it is there, else below `folder`. A line end at its end is not part of it.
///
/// # Errors
/// The file cannot be read, or holds no single line of 8 to 4,096 bytes.
pub fn read_secret(name: &str, credentials: Option<&Path>, folder: &Path) -> Result<Secret, SecretError> {
    read_of_length(name, credentials, folder, SECRET_BYTES_MIN)
}

/// As [`read_secret`], for a password that another system gave us: it may be as short as that system allows.
///
/// # Errors
/// The file cannot be read, or holds no single line of 1 to 4,096 bytes.
pub fn read_password(name: &str, credentials: Option<&Path>, folder: &Path) -> Result<Secret, SecretError> {
    read_of_length(name, credentials, folder, 1)
}

fn read_of_length(name: &str, credentials: Option<&Path>, folder: &Path, bytes_min: usize) -> Result<Secret, SecretError> {
    let path = match credentials.map(|credentials| credentials.join(name)) {
        Some(path) if path.exists() => path,
        Some(_) | None => folder.join(name),
    };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(source) => return Err(SecretError::Unreadable { path, source }),
    };
    let secret = text.trim_end_matches(['\n', '\r']);
    let unfit = |what| Err(SecretError::Unfit { path: path.clone(), what });
    if secret.is_empty() {
        return unfit("nothing");
    }
    if secret.len() < bytes_min {
        return unfit("fewer than 8 bytes: too easy to guess (`openssl rand -hex 24` makes a good one)");
    }
    if secret.len() > SECRET_BYTES_MAX {
        return unfit("more than 4,096 bytes: probably not the secret");
    }
    if secret.chars().any(|c| c.is_control()) {
        return unfit("more than one line, or control characters");
    }
    Ok(Secret(secret.to_owned()))
}
