//! A disk in memory that loses its power, or fails, at a chosen operation, and what may be left on it then.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex};

use redb::{Builder, Database, DatabaseError, StorageBackend};

/// Bytes that a disk writes as one.
const SECTOR: usize = 512;

/// What happens at the chosen operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// From there on everything fails: the power is gone.
    PowerLoss,
    /// It alone fails.
    OneError,
}

/// What has become of writes that were not synced when the power went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unsynced {
    /// None arrived.
    Lost,
    /// All arrived.
    Kept,
    /// Some arrived, chosen by this number.
    Some(u64),
    /// Some sectors of some arrived.
    Torn(u64),
}

#[derive(Debug, Clone)]
enum Write {
    Bytes(usize, Vec<u8>),
    Length(usize),
}

#[derive(Default)]
struct Inner {
    synced: Vec<u8>,
    seen: Vec<u8>,
    unsynced: Vec<Write>,
    operations: u64,
    trouble: Option<(Trouble, u64)>,
    fired: bool,
}

/// The disk; clones are the same one.
#[derive(Clone, Default)]
pub(crate) struct Disk {
    inner: Arc<Mutex<Inner>>,
}

/// Without its bytes: redb writes its backend into a log line at every opening.
impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Disk")
    }
}

impl Disk {
    pub(crate) fn holding(image: Vec<u8>) -> Disk {
        let inner = Inner { seen: image.clone(), synced: image, ..Inner::default() };
        Disk { inner: Arc::new(Mutex::new(inner)) }
    }

    /// The database on it. An empty disk gets a new one: only the test that formats it may do that.
    pub(crate) fn database(&self) -> Result<Database, DatabaseError> {
        Builder::new().set_cache_size(1 << 20).create_with_backend(self.clone())
    }

    /// Writes, changes of length and syncs are counted from here; the `nth` (from 1) goes wrong.
    pub(crate) fn go_wrong(&self, trouble: Trouble, nth: u64) {
        let mut inner = self.inner.lock().unwrap();
        (inner.operations, inner.trouble, inner.fired) = (0, Some((trouble, nth)), false);
    }

    pub(crate) fn went_wrong(&self) -> bool {
        self.inner.lock().unwrap().fired
    }

    /// What a process sees that starts without a crash of the machine.
    pub(crate) fn seen(&self) -> Vec<u8> {
        self.inner.lock().unwrap().seen.clone()
    }

    /// What is there after the power came back.
    pub(crate) fn after_power_loss(&self, unsynced: Unsynced) -> Vec<u8> {
        let inner = self.inner.lock().unwrap();
        let mut image = inner.synced.clone();
        let mut dice = match unsynced {
            Unsynced::Lost => return image,
            Unsynced::Kept => return inner.seen.clone(),
            Unsynced::Some(seed) | Unsynced::Torn(seed) => seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
        };
        let mut arrives = || {
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            dice & 0x10 == 0
        };
        for write in &inner.unsynced {
            match (write, unsynced) {
                (Write::Bytes(offset, bytes), Unsynced::Torn(_)) => {
                    for (index, sector) in bytes.chunks(SECTOR).enumerate() {
                        if arrives() {
                            lay(&mut image, offset + index * SECTOR, sector);
                        }
                    }
                }
                (Write::Bytes(offset, bytes), _) if arrives() => lay(&mut image, *offset, bytes),
                (Write::Length(length), _) if arrives() => image.resize(*length, 0),
                (Write::Bytes(..) | Write::Length(_), _) => {}
            }
        }
        image
    }
}

/// Writes that lie behind the end of the file arrive only where the file has grown.
fn lay(image: &mut [u8], offset: usize, bytes: &[u8]) {
    let Some(room) = image.get_mut(offset..) else { return };
    let length = room.len().min(bytes.len());
    room[..length].copy_from_slice(&bytes[..length]);
}

impl Inner {
    fn operate(&mut self) -> io::Result<()> {
        self.operations += 1;
        let Some((trouble, nth)) = self.trouble else { return Ok(()) };
        let wrong = match trouble {
            Trouble::PowerLoss => self.operations >= nth,
            Trouble::OneError => self.operations == nth,
        };
        self.fired |= wrong;
        if wrong { Err(io::Error::other("the disk does not answer")) } else { Ok(()) }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.inner.lock().unwrap().seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let inner = self.inner.lock().unwrap();
        let offset = usize::try_from(offset).unwrap();
        let bytes = inner.seen.get(offset..offset + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut inner = self.inner.lock().unwrap();
        inner.operate()?;
        let length = usize::try_from(len).unwrap();
        inner.seen.resize(length, 0);
        inner.unsynced.push(Write::Length(length));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut inner = self.inner.lock().unwrap();
        inner.operate()?;
        inner.synced = inner.seen.clone();
        inner.unsynced.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut inner = self.inner.lock().unwrap();
        let offset = usize::try_from(offset).unwrap();
        let wrong = inner.operate();
        // The write at which the power goes may have begun.
        inner.unsynced.push(Write::Bytes(offset, data.to_vec()));
        wrong?;
        let end = offset + data.len();
        inner.seen.get_mut(offset..end).ok_or(io::ErrorKind::UnexpectedEof)?.copy_from_slice(data);
        Ok(())
    }
}
