//! Notifications to systemd: that the daemon serves, that it stops, and that its commit loop is alive. Without systemd they do nothing.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;
use tracing::warn;

/// The daemon serves on `address`.
pub fn ready(address: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(&format!("serves on {address}"))]);
}

/// The daemon stops: requests in flight are finished.
pub fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("finishes what is in flight")]);
}

/// systemd's watchdog. Only the commit loop feeds it: a daemon that takes alerts and does not write them is better killed and started again.
#[derive(Debug)]
pub struct Watchdog {
    /// The interval; `None` where no watchdog is configured.
    every: Option<Duration>,
    fed: Option<Instant>,
}

impl Watchdog {
    /// What the unit asks for (`WatchdogSec`), three times as often.
    pub fn of_process() -> Watchdog {
        Watchdog { every: sd_notify::watchdog_enabled().map(|limit| limit / 3), fed: None }
    }

    /// The commit loop came round.
    pub fn feed(&mut self) {
        let Some(every) = self.every else { return };
        if self.fed.is_none_or(|fed| fed.elapsed() >= every) {
            self.fed = Some(Instant::now());
            tell(&[NotifyState::Watchdog]);
        }
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!(%error, "systemd could not be told.");
    }
}
