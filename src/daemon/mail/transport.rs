//! How a rendered message leaves: into a folder, or by SMTP.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tracing::warn;
use watchkeeper_engine::model::message::Message;

use super::smtp::{self, SmtpError, SmtpTransport};

/// Files that are written at once.
const FILES_AT_ONCE: usize = 4;
/// Mode of the folder where we make it: mails hold links that act without a token.
const DIR_MODE: u32 = 0o700;
/// Mode of a mail.
const FILE_MODE: u32 = 0o600;
/// Characters of a recipient in a file's name.
const RECIPIENT_CHARS_MAX: usize = 80;

/// A way out.
#[derive(Debug, Clone)]
pub enum Transport {
    /// One `.eml` a message in a folder.
    File(FileTransport),
    /// Through a mail server.
    Smtp(SmtpTransport),
}

/// Why a message did not leave.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The folder or the file could not be written.
    #[error("write {path}: {source}", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The mail server did not take it, or was not reached.
    #[error(transparent)]
    Smtp(#[from] SmtpError),
    /// It has no bytes: it was never rendered.
    #[error("deliver a message that was not rendered")]
    NotRendered,
    /// The thread that wrote it panicked.
    #[error("deliver: {0}")]
    Panicked(tokio::task::JoinError),
}

impl DeliveryError {
    /// Whether trying again is of no use.
    pub fn is_permanent(&self) -> bool {
        match self {
            DeliveryError::NotRendered => true,
            DeliveryError::Smtp(error) => error.is_permanent(),
            DeliveryError::File { .. } | DeliveryError::Panicked(_) => false,
        }
    }
}

impl Transport {
    /// Sends a message: `Ok` once it is on the disk, or a server has taken it. A second copy has the same bytes.
    ///
    /// # Errors
    /// Where it did not leave, or nobody knows whether it did.
    pub async fn deliver(&self, message: Message) -> Result<(), DeliveryError> {
        if message.sending.bytes.is_empty() {
            return Err(DeliveryError::NotRendered);
        }
        match self {
            Transport::File(folder) => {
                let folder = folder.clone();
                tokio::task::spawn_blocking(move || folder.write(&message)).await.map_err(DeliveryError::Panicked)?
            }
            Transport::Smtp(server) => Ok(server.deliver(&message.to, &message.sending.bytes).await?),
        }
    }

    /// Messages that may leave at once.
    pub const fn at_once(&self) -> usize {
        match self {
            Transport::File(_) => FILES_AT_ONCE,
            Transport::Smtp(_) => smtp::CONNECTIONS,
        }
    }

    /// Closes what was kept open for more messages.
    pub async fn rest(&self) {
        match self {
            Transport::File(_) => {}
            Transport::Smtp(server) => server.rest().await,
        }
    }
}

/// A folder that takes one `.eml` a message, which only the daemon's user may read.
#[derive(Debug, Clone)]
pub struct FileTransport {
    dir: PathBuf,
}

impl FileTransport {
    /// Makes the folder, `[mail.file] dir`, where there is none. One that is there keeps its mode, which may be meant; that others can enter it is said.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn new(dir: impl Into<PathBuf>) -> Result<FileTransport, DeliveryError> {
        let dir = dir.into();
        let fault = |source| DeliveryError::File { path: dir.clone(), source };
        DirBuilder::new().recursive(true).mode(DIR_MODE).create(&dir).map_err(fault)?;
        let mode = fs::metadata(&dir).map_err(fault)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let (dir, mode) = (dir.display(), format!("{mode:o}"));
            warn!(%dir, %mode, "Other users can enter the folder of [mail.file]. New mails are closed to them; `chmod -R go-rwx` closes it and the older ones.");
        }
        Ok(FileTransport { dir })
    }

    /// Where the messages are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The name of a message's file: when it was planned, its id, and to whom, so that a listing is in order.
    pub fn file_name(message: &Message) -> String {
        let at = message.planned_at.timestamp().strftime("%Y%m%dT%H%M%SZ").to_string();
        let to: String = message
            .to
            .chars()
            .take(RECIPIENT_CHARS_MAX)
            .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '@' | '-' | '_' | '.' | '+') { c } else { '_' })
            .collect();
        format!("{at}-{}-{to}.eml", message.id)
    }

    /// Writes beside, syncs, renames, syncs the folder: a reader never sees half a message, and what was reported is on the disk.
    fn write(&self, message: &Message) -> Result<(), DeliveryError> {
        let name = FileTransport::file_name(message);
        let (path, beside) = (self.dir.join(&name), self.dir.join(format!(".{name}.tmp")));
        let fault = |path: &Path| {
            let path = path.to_owned();
            move |source| DeliveryError::File { path, source }
        };
        // What a crash left is made anew: a mode is given at creation only.
        fs::remove_file(&beside)
            .or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
            .map_err(fault(&beside))?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(&beside).map_err(fault(&beside))?;
        file.write_all(&message.sending.bytes).and_then(|()| file.sync_all()).map_err(fault(&beside))?;
        fs::rename(&beside, &path).map_err(fault(&path))?;
        File::open(&self.dir).and_then(|dir| dir.sync_all()).map_err(fault(&self.dir))?;
        Ok(())
    }
}
