//! What the demo shows: a line for each notable moment with its time, and a bar below them where somebody watches.

use std::io::{IsTerminal as _, Write as _, stdout};
use std::time::Duration;

use jiff::civil;

/// How long the whole day takes to watch.
const WATCHED: Duration = Duration::from_secs(20);
/// Signs of the bar.
const BAR: usize = 40;

/// Where the lines go.
pub(super) struct Screen {
    watched: bool,
    bar: String,
}

impl Screen {
    /// Standard output; somebody watches where that is a terminal.
    pub(super) fn new() -> Screen {
        Screen { watched: stdout().is_terminal(), bar: String::new() }
    }

    /// The first line.
    pub(super) fn headline(&mut self, text: &str) {
        self.say(&format!("{text}\n\n"));
    }

    /// What the shop's monitoring or its people do.
    pub(super) fn moment(&mut self, at: civil::DateTime, text: &str) {
        self.say(&format!("{}  {text}\n", at.strftime("%H:%M:%S")));
    }

    /// What Watchkeeper makes of it.
    pub(super) fn answer(&mut self, at: civil::DateTime, what: &str, text: &str) {
        self.say(&format!("{}      {what:<9} {text}\n", at.strftime("%H:%M:%S")));
    }

    /// So much of the day is over; slow enough to be read where somebody watches.
    pub(super) fn progress(&mut self, at: civil::DateTime, before: f64, done: f64) {
        if !self.watched {
            return;
        }
        let filled = ((done * BAR as f64) as usize).min(BAR);
        self.bar = format!("[{}{}] {}", "#".repeat(filled), ".".repeat(BAR - filled), at.strftime("%H:%M"));
        self.say("");
        std::thread::sleep(WATCHED.mul_f64((done - before).clamp(0.0, 1.0)));
    }

    /// The bar goes, and a last line comes.
    pub(super) fn close(&mut self, text: &str) {
        self.bar.clear();
        self.say(&format!("\n{text}\n"));
    }

    /// Writes text above the bar. A reader that went away is no fault of the day's.
    pub(super) fn say(&mut self, text: &str) {
        let mut out = stdout().lock();
        let clear = if self.watched { "\r\x1b[K" } else { "" };
        write!(out, "{clear}{text}{}", self.bar).and_then(|()| out.flush()).ok();
    }
}
