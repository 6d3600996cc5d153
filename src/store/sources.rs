//! The last good sources of rules, templates and CMDB files: a start with faulty files runs on them, and a replay finds the rules of then.
//!
//! A text is kept once, by the hash of its content; a set is a list of paths and hashes.

use std::collections::BTreeSet;
use std::fmt;

use minicbor::{Decode, Encode};
use redb::ReadableTable;
use sha2::{Digest, Sha256};
use watchkeeper_engine::time::Time;

use crate::error::{StoreError, disk};
use crate::inventory::{decode, encode};
use crate::limits::SOURCE_SETS_KEPT;
use crate::reader::{Direction, Snapshot};
use crate::store::{RowChange, Store};
use crate::tables::Table;

/// What sources are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SourceKind {
    /// Rule files.
    Rules,
    /// Templates of mails.
    Templates,
    /// CMDB files. Only the last good set is kept: what they said is in rows.
    Cmdb,
    /// What other sources of the CMDB brought, one file each. Only the last good set is kept.
    Imports,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Its path below the folder of its kind, with `/`.
    pub path: String,
    /// Its bytes.
    pub text: Vec<u8>,
}

/// Files that were good together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSet {
    /// Hash over paths and texts.
    pub hash: ContentHash,
    /// When it became the last good one.
    pub since: Time,
    /// The files, by path.
    pub files: Vec<SourceFile>,
}

/// SHA-256 of a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContentHash(pub [u8; 32]);

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A set as its row holds it; the key is its kind and the number of the set, ascending.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
struct SetRow {
    #[cbor(n(0), with = "minicbor::bytes")]
    hash: [u8; 32],
    #[n(1)]
    since: Time,
    #[n(2)]
    files: Vec<FileRow>,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
struct FileRow {
    #[n(0)]
    path: String,
    #[cbor(n(1), with = "minicbor::bytes")]
    text: [u8; 32],
}

/// A set and its key.
struct KeyedSet {
    key: Vec<u8>,
    set: SetRow,
}

impl KeyedSet {
    fn is_of(&self, kind: SourceKind) -> bool {
        self.key.first() == Some(&kind.key())
    }

    fn number(&self) -> u64 {
        self.key.get(1..9).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes)
    }

    fn texts(&self) -> impl Iterator<Item = [u8; 32]> {
        self.set.files.iter().map(|file| file.text)
    }
}

impl SourceKind {
    fn key(self) -> u8 {
        match self {
            SourceKind::Rules => 1,
            SourceKind::Templates => 2,
            SourceKind::Cmdb => 3,
            SourceKind::Imports => 4,
        }
    }

    fn sets_kept(self) -> usize {
        match self {
            SourceKind::Rules | SourceKind::Templates => SOURCE_SETS_KEPT,
            SourceKind::Cmdb | SourceKind::Imports => 1,
        }
    }
}

impl Store {
    /// Keeps a set that was checked and is taken, in a transaction of its own; the same set again changes nothing. Older sets beyond
    /// [`SOURCE_SETS_KEPT`], and texts that no set names, leave.
    ///
    /// # Errors
    /// As [`Store::commit`]: the process must end.
    pub fn put_sources(&mut self, kind: SourceKind, files: &[SourceFile], now: Time) -> Result<ContentHash, StoreError> {
        let snapshot = self.reader().snapshot()?;
        let (hash, rows) = source_rows(&snapshot, kind, files, now)?;
        drop(snapshot);
        if !rows.is_empty() {
            self.put_rows(rows)?;
        }
        Ok(hash)
    }
}

impl Snapshot {
    /// The last good set of a kind; `None` where there never was one.
    ///
    /// # Errors
    /// The database fails, or a row is not readable.
    pub fn last_good(&self, kind: SourceKind) -> Result<Option<SourceSet>, StoreError> {
        let newest = self.prefix(Table::SOURCE_SETS, &[kind.key()], None, 1, Direction::Backward)?;
        newest.rows.first().map(|(_, bytes)| self.source_set(decode(Table::SOURCE_SETS, bytes)?)).transpose()
    }

    /// The set of a kind with this hash, for a replay.
    ///
    /// # Errors
    /// The database fails, or a row is not readable.
    pub fn sources(&self, kind: SourceKind, hash: ContentHash) -> Result<Option<SourceSet>, StoreError> {
        let found = self.sets()?.into_iter().find(|keyed| keyed.is_of(kind) && keyed.set.hash == hash.0);
        found.map(|keyed| self.source_set(keyed.set)).transpose()
    }

    fn source_set(&self, set: SetRow) -> Result<SourceSet, StoreError> {
        let text = |row: FileRow| {
            let text = self.get(Table::SOURCE_TEXTS, &row.text)?;
            let text = text.filter(|text| content_hash(text) == row.text);
            let text = text.ok_or_else(|| StoreError::BadRow {
                table: Table::SOURCE_TEXTS.name(),
                reason: format!("the text of {} is missing or does not match its hash", row.path),
            })?;
            Ok(SourceFile { path: row.path, text })
        };
        Ok(SourceSet { hash: ContentHash(set.hash), since: set.since, files: set.files.into_iter().map(text).collect::<Result<_, _>>()? })
    }

    /// Every set, by kind and oldest first.
    fn sets(&self) -> Result<Vec<KeyedSet>, StoreError> {
        let mut sets = Vec::new();
        let Some(rows) = self.table(Table::SOURCE_SETS)? else { return Ok(sets) };
        for row in rows.iter().map_err(disk("read"))? {
            let (key, value) = row.map_err(disk("read"))?;
            sets.push(KeyedSet { key: key.value().to_vec(), set: decode(Table::SOURCE_SETS, value.value())? });
        }
        Ok(sets)
    }
}

fn source_rows(
    snapshot: &Snapshot,
    kind: SourceKind,
    files: &[SourceFile],
    now: Time,
) -> Result<(ContentHash, Vec<RowChange>), StoreError> {
    let mut files: Vec<_> =
        files.iter().map(|file| (FileRow { path: file.path.clone(), text: content_hash(&file.text) }, &file.text)).collect();
    files.sort_by(|(a, _), (b, _)| a.path.cmp(&b.path));
    let hash = set_hash(files.iter().map(|(row, _)| row));
    let (mut own, others): (Vec<_>, Vec<_>) = snapshot.sets()?.into_iter().partition(|keyed| keyed.is_of(kind));
    if own.last().is_some_and(|newest| newest.set.hash == hash) {
        return Ok((ContentHash(hash), Vec::new()));
    }
    let number = own.last().map_or(0, KeyedSet::number) + 1;
    let key = [&[kind.key()], number.to_be_bytes().as_slice()].concat();
    let set = SetRow { hash, since: now, files: files.iter().map(|(row, _)| row.clone()).collect() };
    let mut rows = vec![RowChange { table: Table::SOURCE_SETS, key: key.clone(), value: Some(encode(&set)) }];
    let put =
        |(row, text): &(FileRow, &Vec<u8>)| RowChange { table: Table::SOURCE_TEXTS, key: row.text.to_vec(), value: Some(text.to_vec()) };
    rows.extend(files.iter().map(put));
    // An older set with the same content stays apart: it says what was in force when.
    own.push(KeyedSet { key, set });
    let gone: Vec<_> = own.drain(..own.len().saturating_sub(kind.sets_kept())).collect();
    let named: BTreeSet<_> = others.iter().chain(&own).flat_map(KeyedSet::texts).collect();
    let unnamed: BTreeSet<_> = gone.iter().flat_map(KeyedSet::texts).filter(|text| !named.contains(text)).collect();
    rows.extend(unnamed.into_iter().map(|text| RowChange { table: Table::SOURCE_TEXTS, key: text.to_vec(), value: None }));
    rows.extend(gone.into_iter().map(|keyed| RowChange { table: Table::SOURCE_SETS, key: keyed.key, value: None }));
    Ok((ContentHash(hash), rows))
}

fn content_hash(text: &[u8]) -> [u8; 32] {
    Sha256::digest(text).into()
}

/// Lengths before texts, so that no two sets run into each other.
fn set_hash<'f>(files: impl Iterator<Item = &'f FileRow>) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for file in files {
        hasher.update((file.path.len() as u64).to_le_bytes());
        hasher.update(&file.path);
        hasher.update(file.text);
    }
    hasher.finalize().into()
}
