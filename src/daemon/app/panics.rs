//! What a panic does to the process: one of the writer ends it with 70 and leaves word for the next start; one of a request ends the request.

use std::panic;
use std::thread;

use tracing::error;

use super::LOG_WAIT;
use crate::telemetry::flush_log;
use crate::writer::PanicNote;

/// Threads whose panic ends the process at once: without them it would be half alive.
const VITAL: [&str; 4] = ["writer", "keeper", "history", "kafka-out"];
/// The exit code of a bug.
const BUG: i32 = 70;

/// Takes over from Rust's own hook. The note is written before anything else of the process can happen.
pub(super) fn hook(note: PanicNote) {
    panic::set_hook(Box::new(move |info| {
        let place = info.location().map_or_else(String::new, ToString::to_string);
        let message = info.payload_as_str().unwrap_or("a value that is no text");
        let thread = thread::current().name().unwrap_or("unnamed").to_owned();
        error!(thread, place, message, "Panicked: this is a bug.");
        if VITAL.contains(&thread.as_str()) {
            if let Some(doing) = note.panicked(&format!("{message} ({place})")) {
                error!(doing, "Noted beside the store; the next start decides inputs one by one.");
            }
            flush_log(LOG_WAIT);
            std::process::exit(BUG);
        }
    }));
}
