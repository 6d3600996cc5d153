//! Retention: old blocks go to archives, old archives go; and the size of the store is measured. One small step at a time, on a thread of its own.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tracing::{debug, info, warn};
use watchkeeper_store::{Keep, Retention, RetentionStep, Store};

use crate::assembly::Shared;
use crate::config::Config;

/// How often there is something to look for: blocks become archives an hour at a time.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// The thread.
pub(super) struct History {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

/// How much history the configuration keeps.
pub(super) fn keep(config: &Config) -> Keep {
    Keep { blocks_for: config.retention.blocks, health_for: config.retention.health, ..Keep::default() }
}

/// Starts the thread.
pub(super) fn start(shared: &Shared, mut retention: Retention) -> History {
    let (stop, stopped) = channel();
    let (clock, metrics, writer) = (Arc::clone(&shared.clock), Arc::clone(&shared.metrics), shared.writer.clone());
    let file = Store::path(&shared.config.store.dir);
    let work = move || {
        loop {
            let length = std::fs::metadata(&file).map_or(0, |metadata| metadata.len());
            metrics.store_bytes.set(i64::try_from(length).unwrap_or(i64::MAX));
            match retention.step(clock.wall()) {
                Ok(RetentionStep::Archived { through }) => {
                    info!(through, "Blocks were archived.");
                    writer.trim_through(through);
                }
                Ok(RetentionStep::Dropped { path }) => info!(file = %path.display(), "An old archive was removed."),
                Ok(RetentionStep::Idle) => debug!("Nothing to archive."),
                Err(error) => warn!(%error, "History could not be archived; it stays where it is."),
            }
            match stopped.recv_timeout(LOOK_EVERY) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    };
    let thread = thread::Builder::new().name("history".to_owned()).spawn(work).expect("the system gives a thread");
    History { stop, thread }
}

impl History {
    /// Ends it after the step it is at.
    pub(super) fn stop(&self) {
        // It has ended already.
        self.stop.send(()).ok();
    }

    /// Waits for its end.
    pub(super) fn join(self) -> thread::Result<()> {
        self.thread.join()
    }
}
