//! The daemon's socket in the store's folder: for its owner alone, gone when the daemon is.

use std::fs::{Permissions, set_permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

use super::Failure;
use crate::config::Store;

/// The bound socket.
pub(super) struct Socket {
    /// What is served.
    pub(super) listener: UnixListener,
    /// Where it is.
    pub(super) path: PathBuf,
}

impl Socket {
    /// Binds the socket. The store's lock is held, so one that is there is stale.
    pub(super) fn bind(store: &Store) -> Result<Socket, Failure> {
        let path = store.socket();
        let fault = |error: io::Error| Failure { code: 74, text: format!("cannot make the socket {}: {error}", path.display()) };
        // The folder first: from the bind to the next line the socket has the mode of the process.
        set_permissions(&store.dir, Permissions::from_mode(0o700)).map_err(fault)?;
        remove(&path)?;
        let listener = UnixListener::bind(&path).map_err(fault)?;
        set_permissions(&path, Permissions::from_mode(0o600)).map_err(fault)?;
        Ok(Socket { listener, path })
    }
}

/// Removes a socket that nobody serves any more.
pub(super) fn remove(path: &Path) -> Result<(), Failure> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Failure { code: 74, text: format!("cannot remove the socket {}: {error}", path.display()) })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
