//! What this disk takes for the least that any database does: append and sync.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use crate::fleet::median;

/// Appends and syncs that are measured.
const TRIALS: usize = 300;

/// The median time of an append of 4 KiB and its fdatasync, in seconds.
pub(crate) fn sync_seconds(path: &Path) -> f64 {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    let block = [7; 4_096];
    let trials = (0..TRIALS).map(|_| {
        let began = Instant::now();
        file.write_all(&block).unwrap();
        file.sync_data().unwrap();
        began.elapsed().as_secs_f64()
    });
    let middle = median(trials.collect());
    fs::remove_file(path).unwrap();
    middle
}
