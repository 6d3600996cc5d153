//! How long blocks stay: in the database for a while, then in archive files, then not at all. One small step at a time, on any thread.
//!
//! A block leaves the database only when it is below the floor and in an archive that is synced; the writer deletes it, a few chunks with each commit.

use std::fs;
use std::path::{Path, PathBuf};

use watchkeeper_engine::ids::StoreId;
use watchkeeper_engine::time::{Span, Time};

use crate::archive::{Archive, bytes_in_archive, files};
use crate::error::{StoreError, file};
use crate::limits::{ARCHIVE_PIECE_BYTES, HEALTH_KEPT};
use crate::reader::Reader;
use crate::sidecar::{remove, sync_folder_of};
use crate::store::Store;

/// Blocks become archives in pieces of at least this much time, so that files stay few.
const PIECE_SPAN: Span = Span::hours(1);

/// How much history is kept where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Blocks stay in the database this long. Default 7 days: `explain` of what happened this week asks no archive.
    pub blocks_for: Span,
    /// Bytes of blocks in the database; the oldest leave earlier when there are more. Default 1 GiB: with live rows the file stays below 4 GiB.
    pub block_bytes: u64,
    /// Archives stay this long. Default 90 days.
    pub archives_for: Span,
    /// Bytes of archives; the oldest leave earlier when there are more. Default 20 GiB.
    pub archive_bytes: u64,
    /// Changes of the health of CIs stay this long, in the database. Default [`HEALTH_KEPT`].
    pub health_for: Span,
}

impl Default for Keep {
    fn default() -> Keep {
        Keep {
            blocks_for: Span::days(7),
            block_bytes: 1 << 30,
            archives_for: Span::days(90),
            archive_bytes: 20 << 30,
            health_for: HEALTH_KEPT,
        }
    }
}

/// What a step did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RetentionStep {
    /// Blocks up to this one are safe in archives: say so to [`Store::trim_through`].
    Archived {
        /// The last of them.
        through: u64,
    },
    /// An old archive was removed.
    Dropped {
        /// Its file.
        path: PathBuf,
    },
    /// There is nothing to do until more blocks come or time passes.
    Idle,
}

/// The keeper of history.
#[derive(Debug)]
pub struct Retention {
    dir: PathBuf,
    store: StoreId,
    reader: Reader,
    keep: Keep,
    /// The last block in archives.
    archived: u64,
}

impl Store {
    /// Takes up retention where it stopped: blocks that an archive holds already are deleted by the next commits. Archives that are damaged or do not join on
    /// to this store (of another one, or of a time before a restore) are put aside as `*.stray`.
    ///
    /// # Errors
    /// The folder of archives cannot be read or written.
    pub fn retention(&mut self, keep: Keep) -> Result<Retention, StoreError> {
        self.keep_health_for(keep.health_for);
        let reader = self.reader();
        for unfinished in files(self.dir(), "tmp")? {
            remove(&unfinished)?;
        }
        let mut archives = Vec::new();
        for path in files(self.dir(), "zst")? {
            match Archive::open(&path) {
                Ok(archive) => archives.push(archive),
                Err(StoreError::BadArchive { .. }) => put_aside(&path)?,
                Err(error) => return Err(error),
            }
        }
        archives.sort_by_key(|archive| archive.first);
        let mut archived = 0;
        for archive in archives.into_iter().rev() {
            // Where one joins on, those before it did when they were written.
            if archived == 0 && !joins(&reader, self.id(), &archive)? {
                put_aside(&archive.path)?;
            } else {
                archived = archived.max(archive.last);
            }
        }
        self.trim_through(archived);
        Ok(Retention { dir: self.dir().to_owned(), store: self.id(), reader, keep, archived })
    }
}

impl Retention {
    /// Does one thing: archives one piece of old blocks (16 MiB at most), or removes one old archive.
    ///
    /// # Errors
    /// The disk fails; nothing was deleted that is not in an archive.
    pub fn step(&mut self, now: Time) -> Result<RetentionStep, StoreError> {
        if let Some(through) = self.archive(now)? {
            self.archived = through;
            return Ok(RetentionStep::Archived { through });
        }
        let archives = Archive::list(&self.dir)?;
        let bytes: u64 = archives.iter().map(|archive| archive.bytes).sum();
        match archives.first() {
            Some(oldest) if bytes > self.keep.archive_bytes || oldest.to + self.keep.archives_for < now => {
                remove(&oldest.path)?;
                Ok(RetentionStep::Dropped { path: oldest.path.clone() })
            }
            Some(_) | None => Ok(RetentionStep::Idle),
        }
    }

    fn archive(&self, now: Time) -> Result<Option<u64>, StoreError> {
        let snapshot = self.reader.snapshot()?;
        let Some((first, from)) = snapshot.first_block()? else { return Ok(None) };
        if first <= self.archived {
            // The writer still deletes what the last step archived.
            return Ok(None);
        }
        let head = snapshot.head()?;
        let too_many = head.block_bytes > self.keep.block_bytes;
        let old = now - self.keep.blocks_for;
        if !too_many && from + PIECE_SPAN >= old {
            return Ok(None);
        }
        let (mut blocks, mut bytes) = (Vec::new(), 0);
        for seq in first..=head.floor {
            let block = snapshot.block(seq)?.ok_or_else(|| StoreError::BadBlock { seq, reason: "it is missing".to_owned() })?;
            if bytes >= ARCHIVE_PIECE_BYTES || !too_many && block.now >= old {
                break;
            }
            bytes += bytes_in_archive(&block);
            blocks.push(block);
        }
        drop(snapshot);
        if blocks.is_empty() {
            return Ok(None);
        }
        Ok(Some(Archive::write(&self.dir, self.store, &blocks)?.last))
    }
}

fn put_aside(archive: &Path) -> Result<(), StoreError> {
    let aside = archive.with_extension("stray");
    fs::rename(archive, &aside).map_err(file("put aside", archive))?;
    sync_folder_of(&aside)
}

/// Whether the last block of an archive is the store's own: the one in the database, or the one before its first.
fn joins(reader: &Reader, store: StoreId, archive: &Archive) -> Result<bool, StoreError> {
    if archive.store != store {
        return Ok(false);
    }
    let Some(last) = archive.read().ok().and_then(|mut blocks| blocks.pop()) else { return Ok(false) };
    let snapshot = reader.snapshot()?;
    if let Some(own) = snapshot.block(archive.last)? {
        return Ok(own.hash == last.hash);
    }
    match snapshot.block(archive.last + 1)? {
        Some(next) => Ok(next.before == last.hash),
        None => Ok(snapshot.head()?.hash == last.hash),
    }
}
