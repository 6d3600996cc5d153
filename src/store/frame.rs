//! How a block lies in the file: a header with its time and its place in the hash chain, then its bytes, compressed where that helps, cut into chunks.

use watchkeeper_engine::time::Time;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::error::StoreError;
use crate::limits::{BLOCK_BYTES_MAX, COMPRESS_ABOVE_BYTES};

const VERSION: u8 = 1;
const PLAIN: u8 = 0;
const LZ4: u8 = 1;
/// Version, codec, time, length before compression, hash of the block before, own hash.
const HEADER_BYTES: usize = 1 + 1 + 8 + 4 + 8 + 8;

/// A block as it was committed, its hash checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBlock {
    /// Its sequence.
    pub seq: u64,
    /// Its batch's time.
    pub now: Time,
    /// The hash of the block before; 0 for the first.
    pub before: u64,
    /// Its own hash: xxh3 of its bytes, seeded with `before`.
    pub hash: u64,
    /// What the caller committed.
    pub bytes: Vec<u8>,
}

/// The hash of a block that follows the one with hash `before`.
pub(crate) fn chain(before: u64, block: &[u8]) -> u64 {
    xxh3_64_with_seed(block, before)
}

/// The frame of a block, to be cut into chunks.
pub(crate) fn encode(now: Time, before: u64, hash: u64, block: &[u8]) -> Vec<u8> {
    let compressed =
        (block.len() > COMPRESS_ABOVE_BYTES).then(|| lz4_flex::block::compress(block)).filter(|bytes| bytes.len() < block.len());
    let (codec, body) = compressed.as_deref().map_or((PLAIN, block), |bytes| (LZ4, bytes));
    let length = u32::try_from(block.len()).expect("commit refuses longer blocks");
    let mut frame = Vec::with_capacity(HEADER_BYTES + body.len());
    frame.extend_from_slice(&[VERSION, codec]);
    frame.extend_from_slice(&now.0.to_le_bytes());
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&before.to_le_bytes());
    frame.extend_from_slice(&hash.to_le_bytes());
    frame.extend_from_slice(body);
    frame
}

/// The block of a frame whose chunks were put together again.
pub(crate) fn decode(seq: u64, frame: &[u8]) -> Result<StoredBlock, StoreError> {
    let fault = |reason: String| StoreError::BadBlock { seq, reason };
    let Some((header, body)) = frame.split_at_checked(HEADER_BYTES) else {
        return Err(fault(format!("it has {} bytes, less than its header", frame.len())));
    };
    if header[0] != VERSION {
        return Err(fault(format!("its frame is of version {}, this program knows {VERSION}", header[0])));
    }
    let length = u32::from_le_bytes(header[10..14].try_into().expect("four bytes")) as usize;
    if length > BLOCK_BYTES_MAX {
        return Err(fault(format!("it says it has {length} bytes, more than any block")));
    }
    let bytes = match header[1] {
        PLAIN => body.to_vec(),
        LZ4 => lz4_flex::block::decompress(body, length).map_err(|error| fault(error.to_string()))?,
        other => return Err(fault(format!("its codec {other} is unknown"))),
    };
    let word = |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().expect("eight bytes"));
    let (before, hash) = (word(14), word(22));
    if bytes.len() != length {
        return Err(fault(format!("it has {} bytes of {length}", bytes.len())));
    }
    if chain(before, &bytes) != hash {
        return Err(fault("its bytes do not match its hash".to_owned()));
    }
    let now = Time(i64::from_le_bytes(header[2..10].try_into().expect("eight bytes")));
    Ok(StoredBlock { seq, now, before, hash, bytes })
}

/// The time of a frame, from its first chunk.
pub(crate) fn time_of(seq: u64, chunk: &[u8]) -> Result<Time, StoreError> {
    let bytes =
        chunk.get(2..10).ok_or_else(|| StoreError::BadBlock { seq, reason: "its first chunk is shorter than its header".to_owned() })?;
    Ok(Time(i64::from_le_bytes(bytes.try_into().expect("eight bytes"))))
}
