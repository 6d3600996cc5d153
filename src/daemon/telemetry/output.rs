//! Where log lines go: into a buffer, from there to standard error on a thread of its own, many at once. Nobody waits for a slow reader of the log.
//!
//! Where the reader is so slow that the buffer is full, lines are left out, counted, and a line says how many.

use std::io::{self, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::{Log, LogFormat};

/// Bytes of lines that wait for the reader of the log: some 20,000 lines. Further ones are left out.
const WAITING_BYTES_MAX: usize = 4 << 20;

/// The log of the process: there is one, as there is one standard error.
static OUTPUT: OnceLock<Output> = OnceLock::new();

#[derive(Default)]
struct Output {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    written: Condvar,
    dropped: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    lines: Vec<u8>,
    left_out: u64,
    is_writing: bool,
}

/// A line on its way.
struct Line<'a>(&'a Output);

/// Starts the log of this process: to standard error, from `level` on, `RUST_LOG` before it. A second call changes nothing.
pub fn start_log(log: &Log) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(format!("warn,watchkeeper={}", log.level)));
    let output = OUTPUT.get_or_init(Output::default);
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(output).with_target(false);
    // Where a log was started before, as in tests, that one stays.
    let started = match log.format {
        LogFormat::Text => builder.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    if started.is_ok() {
        thread::Builder::new().name("log".to_owned()).spawn(|| output.run()).expect("the system gives a thread");
    }
}

/// Waits until what was logged is written, at most so long. For the end of the process.
pub fn flush_log(most: Duration) {
    if let Some(output) = OUTPUT.get() {
        output.flush(most);
    }
}

/// Lines that were left out because the reader of the log was slow.
pub(super) fn lines_dropped() -> u64 {
    OUTPUT.get().map_or(0, |output| output.dropped.load(Ordering::Relaxed))
}

impl Output {
    fn run(&self) {
        loop {
            let (mut lines, left_out) = {
                let nothing = |waiting: &mut Waiting| waiting.lines.is_empty() && waiting.left_out == 0;
                let mut waiting = self.arrived.wait_while(self.lock(), nothing).expect("no holder of the lines panics");
                waiting.is_writing = true;
                (std::mem::take(&mut waiting.lines), std::mem::take(&mut waiting.left_out))
            };
            if left_out > 0 {
                lines
                    .extend_from_slice(format!("{left_out} log lines were left out here: the reader of the log is too slow.\n").as_bytes());
            }
            // A log that cannot be written has nowhere to say so.
            io::stderr().write_all(&lines).ok();
            self.lock().is_writing = false;
            self.written.notify_all();
        }
    }

    fn flush(&self, most: Duration) {
        let end = Instant::now() + most;
        let unwritten = |waiting: &mut Waiting| waiting.is_writing || !waiting.lines.is_empty() || waiting.left_out > 0;
        let patience = end.saturating_duration_since(Instant::now());
        drop(self.written.wait_timeout_while(self.lock(), patience, unwritten));
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("no holder of the lines panics")
    }
}

impl<'a> MakeWriter<'a> for &'static Output {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(self)
    }
}

impl io::Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut waiting = self.0.lock();
        if waiting.lines.len() + bytes.len() > WAITING_BYTES_MAX {
            waiting.left_out += 1;
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
        } else {
            waiting.lines.extend_from_slice(bytes);
        }
        drop(waiting);
        self.0.arrived.notify_one();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
