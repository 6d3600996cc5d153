//! Archive files: blocks that left the database, some thousand to a file, for replays. Losing one loses history, never state.
//!
//! A file is a zstd file that `zstd -d` reads: a skippable frame with what is inside, one frame with the blocks, and a skippable frame with the xxh3 of all
//! that stands before it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use watchkeeper_engine::ids::StoreId;
use watchkeeper_engine::time::Time;
use xxhash_rust::xxh3::xxh3_64;

use crate::error::{StoreError, file};
use crate::frame::{StoredBlock, chain};
use crate::limits::{ARCHIVE_PIECE_BYTES, BLOCK_BYTES_MAX};
use crate::sidecar::replace;

/// zstd's first magic number of frames that decoders skip.
const SKIPPABLE: u32 = 0x184D_2A50;
const MAGIC: &[u8; 4] = b"WKA1";
/// Magic, store id, first and last sequence, first and last time, bytes of the blocks.
const SUMMARY_BYTES: usize = 4 + 16 + 4 * 8 + 8;
const HEADER_BYTES: usize = 8 + SUMMARY_BYTES;
const FOOTER_BYTES: usize = 8 + 8;
/// Sequence, time, hash of the block before, own hash, length.
const RECORD_BYTES: usize = 4 * 8 + 4;
/// zstd's default: 3 is where more costs much and gains little.
const LEVEL: i32 = 3;

/// An archive file, from its header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// The file.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// The store its blocks are of.
    pub store: StoreId,
    /// Its first block.
    pub first: u64,
    /// Its last block.
    pub last: u64,
    /// The first block's time.
    pub from: Time,
    /// The last block's time.
    pub to: Time,
    content: u64,
}

impl Archive {
    /// The folder of archives in a store's folder.
    pub fn folder(dir: &Path) -> PathBuf {
        dir.join("archive")
    }

    /// The archives of a store's folder, oldest first. Files of other names are left out.
    ///
    /// # Errors
    /// The folder or a header cannot be read.
    pub fn list(dir: &Path) -> Result<Vec<Archive>, StoreError> {
        let mut archives: Vec<_> = files(dir, "zst")?.iter().map(|path| Archive::open(path)).collect::<Result<_, _>>()?;
        archives.sort_by_key(|archive| archive.first);
        Ok(archives)
    }

    /// Reads its blocks, checked by the file's checksum, their own hashes and their chain.
    ///
    /// # Errors
    /// The file cannot be read, or is not what was written.
    pub fn read(&self) -> Result<Vec<StoredBlock>, StoreError> {
        let bytes = fs::read(&self.path).map_err(file("read", &self.path))?;
        let fault = |reason: &str| bad(&self.path, reason);
        let (body, footer) = bytes.split_last_chunk::<FOOTER_BYTES>().ok_or_else(|| fault("it is too short"))?;
        if footer[..8] != skippable(8) || footer[8..] != xxh3_64(body).to_le_bytes() {
            return Err(fault("its checksum does not match"));
        }
        let packed = body.get(HEADER_BYTES..).ok_or_else(|| fault("it is too short"))?;
        let length = usize::try_from(self.content).unwrap_or(usize::MAX);
        if length > ARCHIVE_PIECE_BYTES + BLOCK_BYTES_MAX + RECORD_BYTES {
            return Err(fault("it says it holds more than any archive"));
        }
        let content = zstd::bulk::decompress(packed, length).map_err(file("unpack", &self.path))?;
        let blocks = blocks_of(&self.path, &content)?;
        if blocks.first().map(|block| block.seq) != Some(self.first) || blocks.last().map(|block| block.seq) != Some(self.last) {
            return Err(fault("it does not hold the blocks that its header says"));
        }
        Ok(blocks)
    }

    /// Writes consecutive blocks, synced before it is named.
    pub(crate) fn write(dir: &Path, store: StoreId, blocks: &[StoredBlock]) -> Result<Archive, StoreError> {
        let folder = Archive::folder(dir);
        fs::create_dir_all(&folder).map_err(file("create", &folder))?;
        let (Some(first), Some(last)) = (blocks.first(), blocks.last()) else {
            return Err(bad(&folder, "an archive of no blocks was asked for"));
        };
        let path = folder.join(format!("{:012}-{:012}.zst", first.seq, last.seq));
        let content = content_of(blocks);
        let mut bytes = skippable(SUMMARY_BYTES).to_vec();
        bytes.extend_from_slice(MAGIC);
        let numbers =
            [store.high, store.low, first.seq, last.seq, first.now.0.cast_unsigned(), last.now.0.cast_unsigned(), content.len() as u64];
        bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        bytes.extend(zstd::bulk::compress(&content, LEVEL).map_err(file("compress", &path))?);
        let sum = xxh3_64(&bytes);
        bytes.extend_from_slice(&skippable(8));
        bytes.extend_from_slice(&sum.to_le_bytes());
        replace(&path, &bytes)?;
        Archive::open(&path)
    }

    pub(crate) fn open(path: &Path) -> Result<Archive, StoreError> {
        let mut handle = File::open(path).map_err(file("open", path))?;
        let mut header = [0; HEADER_BYTES];
        if let Err(error) = handle.read_exact(&mut header) {
            let cut = error.kind() == io::ErrorKind::UnexpectedEof;
            return Err(if cut { bad(path, "it is too short") } else { file("read", path)(error) });
        }
        if header[..8] != skippable(SUMMARY_BYTES) || &header[8..12] != MAGIC {
            return Err(bad(path, "it is no archive of blocks"));
        }
        let number = |index: usize| {
            let at = 12 + 8 * index;
            u64::from_le_bytes(header[at..at + 8].try_into().expect("eight bytes"))
        };
        let bytes = handle.metadata().map_err(file("read", path))?.len();
        Ok(Archive {
            path: path.to_owned(),
            bytes,
            store: StoreId { high: number(0), low: number(1) },
            first: number(2),
            last: number(3),
            from: Time(number(4).cast_signed()),
            to: Time(number(5).cast_signed()),
            content: number(6),
        })
    }
}

/// The files of the archive folder with this extension.
pub(crate) fn files(dir: &Path, extension: &str) -> Result<Vec<PathBuf>, StoreError> {
    let folder = Archive::folder(dir);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(file("read", &folder)(error)),
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>().map_err(file("read", &folder))?;
    Ok(paths.into_iter().filter(|path| path.extension().is_some_and(|found| found == extension)).collect())
}

/// Bytes that a block takes in an archive before compression.
pub(crate) fn bytes_in_archive(block: &StoredBlock) -> usize {
    RECORD_BYTES + block.bytes.len()
}

fn skippable(length: usize) -> [u8; 8] {
    let mut frame = [0; 8];
    frame[..4].copy_from_slice(&SKIPPABLE.to_le_bytes());
    frame[4..].copy_from_slice(&u32::try_from(length).expect("headers are short").to_le_bytes());
    frame
}

fn content_of(blocks: &[StoredBlock]) -> Vec<u8> {
    let mut content = Vec::with_capacity(blocks.iter().map(bytes_in_archive).sum());
    for block in blocks {
        for number in [block.seq, block.now.0.cast_unsigned(), block.before, block.hash] {
            content.extend_from_slice(&number.to_le_bytes());
        }
        let length = u32::try_from(block.bytes.len()).expect("commit refuses longer blocks");
        content.extend_from_slice(&length.to_le_bytes());
        content.extend_from_slice(&block.bytes);
    }
    content
}

fn blocks_of(path: &Path, mut content: &[u8]) -> Result<Vec<StoredBlock>, StoreError> {
    let mut blocks: Vec<StoredBlock> = Vec::new();
    while !content.is_empty() {
        let (record, rest) = content.split_at_checked(RECORD_BYTES).ok_or_else(|| bad(path, "a block is cut"))?;
        let number = |index: usize| u64::from_le_bytes(record[8 * index..8 * index + 8].try_into().expect("eight bytes"));
        let length = u32::from_le_bytes(record[32..].try_into().expect("four bytes")) as usize;
        let (bytes, rest) = rest.split_at_checked(length).ok_or_else(|| bad(path, "a block is cut"))?;
        let block =
            StoredBlock { seq: number(0), now: Time(number(1).cast_signed()), before: number(2), hash: number(3), bytes: bytes.to_vec() };
        let follows = blocks.last().is_none_or(|last| last.seq + 1 == block.seq && last.hash == block.before);
        if !follows || chain(block.before, &block.bytes) != block.hash {
            return Err(StoreError::BadBlock { seq: block.seq, reason: format!("in {} it does not match its hash", path.display()) });
        }
        blocks.push(block);
        content = rest;
    }
    Ok(blocks)
}

fn bad(path: &Path, reason: &str) -> StoreError {
    StoreError::BadArchive { path: path.to_owned(), reason: reason.to_owned() }
}
