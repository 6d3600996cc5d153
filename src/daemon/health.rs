//! Whether the daemon lives and serves: what probes ask. A faulty reload, a full outbox or a broken peer never make it unready.

use std::collections::BTreeMap;
use std::sync::RwLock;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long the writer may show no sign of life until the daemon counts as unhealthy. It shows one at least every second, unless a commit hangs.
pub const BEAT_MAX: Duration = Duration::from_secs(10);

/// How far the daemon has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The store is loaded, the rules are built.
    Starting,
    /// Everything is there.
    Serving,
    /// It stops: what is in flight is finished.
    Stopping,
}

/// Signs of life, shared by all threads.
#[derive(Debug)]
pub struct Health {
    start: Instant,
    beat_ms: AtomicU64,
    phase: AtomicU8,
    reload: RwLock<String>,
    others: RwLock<BTreeMap<&'static str, Part>>,
    mail: RwLock<String>,
    hooks: RwLock<BTreeMap<String, String>>,
}

/// One part of the daemon, as `?verbose` lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its name.
    pub name: &'static str,
    /// Whether it is as it should be.
    pub ok: bool,
    /// In a sentence.
    pub detail: String,
}

impl Default for Health {
    fn default() -> Self {
        Health {
            start: Instant::now(),
            beat_ms: AtomicU64::new(0),
            phase: AtomicU8::new(0),
            reload: RwLock::default(),
            others: RwLock::default(),
            mail: RwLock::default(),
            hooks: RwLock::default(),
        }
    }
}

impl Health {
    /// The writer shows that it lives: it committed, or there was nothing to do.
    pub fn beat(&self) {
        self.beat_ms.store(self.elapsed_ms(), Ordering::Relaxed);
    }

    /// Says how far the daemon has come. It never goes back: a daemon that stops does not serve again.
    pub fn enter(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, Ordering::Relaxed);
    }

    /// How far the daemon has come.
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Starting,
            1 => Phase::Serving,
            _ => Phase::Stopping,
        }
    }

    /// Says what is wrong with the files that operators edit; an empty text: nothing.
    pub fn set_reload_fault(&self, fault: String) {
        *self.reload.write().expect("no holder of this panics") = fault;
    }

    /// Says how it stands with a part that not every configuration has.
    pub fn set_part(&self, name: &'static str, ok: bool, detail: String) {
        self.others.write().expect("no holder of this panics").insert(name, Part { name, ok, detail });
    }

    /// Says why the last mail did not leave; an empty text: it did.
    pub fn set_mail_fault(&self, fault: String) {
        *self.mail.write().expect("no holder of this panics") = fault;
    }

    /// Says why a hook did not take its last message; an empty text: it did, or got none yet.
    pub fn set_hook_fault(&self, name: &str, fault: String) {
        self.hooks.write().expect("no holder of this panics").insert(name.to_owned(), fault);
    }

    /// Whether the writer committed, or was idle, within [`BEAT_MAX`]. While the daemon starts, loading is a sign of life.
    pub fn is_healthy(&self) -> bool {
        self.phase() == Phase::Starting || self.since_beat() <= BEAT_MAX
    }

    /// Whether requests are served: the store is open, a policy in force, and it is not shutting down.
    pub fn is_ready(&self) -> bool {
        self.phase() == Phase::Serving
    }

    /// Every part, for `?verbose`.
    pub fn parts(&self) -> Vec<Part> {
        let beat = self.since_beat();
        let (ready, detail) = match self.phase() {
            Phase::Starting => (false, "loads the store and the rules"),
            Phase::Serving => (true, "serves"),
            Phase::Stopping => (false, "stops"),
        };
        let reload = self.reload.read().expect("no holder of this panics").clone();
        let files = if reload.is_empty() { "in force as they are on disk".to_owned() } else { reload.clone() };
        let mail = self.mail.read().expect("no holder of this panics").clone();
        let way = if mail.is_empty() { "no failure since the last that left".to_owned() } else { mail.clone() };
        let mut parts = vec![
            Part { name: "writer", ok: self.is_healthy(), detail: format!("last sign of life {:.1} s ago", beat.as_secs_f64()) },
            Part { name: "daemon", ok: ready, detail: detail.to_owned() },
            Part { name: "files", ok: reload.is_empty(), detail: files },
            Part { name: "mail", ok: mail.is_empty(), detail: way },
        ];
        let hooks = self.hooks.read().expect("no holder of this panics").clone();
        let faults: Vec<String> =
            hooks.iter().filter(|(_, fault)| !fault.is_empty()).map(|(name, fault)| format!("{name}: {fault}")).collect();
        if !hooks.is_empty() {
            let ok = faults.is_empty();
            let detail = if ok { "no failure since the last message of each that was taken".to_owned() } else { faults.join("; ") };
            parts.push(Part { name: "hooks", ok, detail });
        }
        parts.extend(self.others.read().expect("no holder of this panics").values().cloned());
        parts
    }

    fn since_beat(&self) -> Duration {
        Duration::from_millis(self.elapsed_ms().saturating_sub(self.beat_ms.load(Ordering::Relaxed)))
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
