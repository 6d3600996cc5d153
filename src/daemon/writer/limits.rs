//! Bounds of a batch.

use std::time::Duration;

/// Events of one batch. A commit costs 0.2 to 8 ms whatever its size, so throughput is batch over commit latency.
pub const BATCH_EVENTS_MAX: usize = 8_192;
/// Bytes of one batch's events.
pub const BATCH_BYTES_MAX: usize = 4 << 20;
/// How long a batch takes in submissions: what is left then is decided in the next one. Whoever waits for an answer waits for that and one submission.
pub(super) const BATCH_TIME_MAX: Duration = Duration::from_millis(50);
