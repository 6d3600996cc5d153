//! Every bound of the store, each with what happens when it is reached.

use watchkeeper_engine::time::Span;

/// Bytes of one chunk of a block; a longer block is cut into several.
///
/// A value fills a power-of-two run of pages: 130 KiB values took 2.9 times their size on disk, 250 KiB values 1.45 times.
pub const CHUNK_BYTES_MAX: usize = 250 * 1024;
/// Bytes above which a block is compressed with LZ4; below, there is nothing to win.
pub const COMPRESS_ABOVE_BYTES: usize = 4 * 1024;
/// Bytes of one block before compression; a longer one is refused. A batch is cut at 4 MiB of input, so this is a guard against a damaged length.
pub const BLOCK_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Rows that one page of a read holds; a larger wish is cut to it.
pub const PAGE_ROWS_MAX: usize = 500;
/// Bytes of blocks that a start reads again at most: pages of vitals older than that are written whatever the budget says.
pub const REPLAY_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Bytes of vitals pages that a commit takes along at least. A larger block takes as many bytes of pages as it has itself.
pub const PAGE_BUDGET_BYTES_MIN: usize = 64 * 1024;
/// Bytes of file pages that redb keeps in memory. Default 256 MiB: the live rows of 100,000 alerts several times over.
pub const CACHE_BYTES: usize = 256 * 1024 * 1024;
/// Expired webhook receipts that one commit deletes; the rest go with the next ones.
pub const RECEIPTS_EXPIRED_MAX: usize = 256;
/// How long changes of the health of CIs are kept unless the daemon says otherwise: a year, what a yearly report of availability asks for.
pub const HEALTH_KEPT: Span = Span::days(365);
/// Changes of the health of CIs that one commit deletes because they are too old; the rest go with the next ones. As many as a batch can remember would come to some
/// ten milliseconds; few batches remember any, so that this keeps up with far more than comes in.
pub const HEALTH_EXPIRED_MAX: usize = 200;
/// Chunks of archived blocks that one commit deletes, up to the end of their block; the rest go with the next ones. Several times what a commit adds, so
/// that the file stops growing.
pub const CHUNKS_TRIMMED_MAX: usize = 16;
/// Sets of sources kept of a kind, for replays; the oldest leaves when there are more. Three reloads a day for a year.
pub const SOURCE_SETS_KEPT: usize = 1_000;
/// Bytes of blocks, before compression, that one archive file takes before the next one begins.
pub const ARCHIVE_PIECE_BYTES: usize = 16 * 1024 * 1024;
/// Dead letters that are kept; when there are more the oldest goes, and is counted. A source that sends one a minute fills it in a week.
pub const DEAD_LETTERS_MAX: usize = 10_000;
/// Bytes of all dead letters; when there are more the oldest go, and are counted.
pub const DEAD_LETTERS_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes of an input that its dead letter keeps; the rest is cut, and what was cut cannot be tried again. Five times what Prometheus sends at once.
pub const DEAD_LETTER_BYTES_MAX: usize = 256 * 1024;
/// Faults of one input that its dead letter names; the rest is counted.
pub const DEAD_LETTER_FAULTS_MAX: usize = 20;
/// Bytes of rows that a backup copies in one transaction: what it holds in memory at a time.
pub const COPY_BYTES: usize = 8 * 1024 * 1024;
/// Bytes that a migration wants free beside the tables it rewrites: redb writes its allocator state anew, and the file grows in steps.
pub const MIGRATION_ROOM_BYTES: u64 = 32 * 1024 * 1024;
