//! What a panic leaves beside the store, so that one poisonous input cannot stop the daemon for ever.
//!
//! A panic while a batch is decided leaves word. The next start is careful: it names each input and each timer before it decides it, one a transaction. What
//! stopped the daemon twice while it was named is set aside. After enough rounds without a panic the daemon is careless again.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use sha2::{Digest as _, Sha256};
use tracing::{info, warn};
use watchkeeper_engine::text::cut;
use watchkeeper_engine::time::Time;
use watchkeeper_store::{StoreError, Suspect, SuspectInput};

use super::limits::BATCH_EVENTS_MAX;

/// Rounds without a panic after which a careful daemon is careless again.
const CAREFUL_ROUNDS: u32 = 10_000;
/// Panics while one input is decided after which it is set aside.
const PANICS_MAX: u32 = 2;
/// Inputs that are remembered; the oldest go first.
const SUSPECTS_MAX: usize = 64;
/// Bytes of a panic's message that are kept.
const MESSAGE_BYTES_MAX: usize = 1_000;

/// Names an input by its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InputHash(pub(super) u64);

impl InputHash {
    /// Of an encoded input.
    pub(super) fn of(bytes: &[u8]) -> InputHash {
        let digest = Sha256::digest(bytes);
        InputHash(u64::from_be_bytes(digest[..8].try_into().expect("a digest has 32 bytes")))
    }
}

impl fmt::Display for InputHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// What the writer is at, for whoever notes a panic.
#[derive(Debug, Clone, Default)]
enum Doing {
    #[default]
    Nothing,
    Batch,
    Timers,
    Input(InputHash, String),
}

/// Where the writer is, shared with the panic hook.
#[derive(Debug, Default)]
struct Place {
    doing: Doing,
    now: Time,
    seq: u64,
}

/// What stopped the daemon before, and what it is at now.
#[derive(Debug)]
pub struct Suspects {
    dir: PathBuf,
    known: Vec<SuspectInput>,
    place: Arc<Mutex<Place>>,
    careful_rounds: u32,
}

/// Notes a panic; for the panic hook of the process.
#[derive(Debug, Clone)]
pub struct PanicNote {
    dir: PathBuf,
    known: Vec<SuspectInput>,
    place: Arc<Mutex<Place>>,
}

impl Suspects {
    /// Reads what the last run left in the store's folder.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn load(dir: &Path) -> Result<Suspects, StoreError> {
        let note = Suspect::read(dir)?;
        if let Some(note) = &note {
            warn!(at = note.at, reason = note.reason, "The daemon panicked before; inputs are decided one by one until that is past.");
        }
        let careful_rounds = if note.is_some() { CAREFUL_ROUNDS } else { 0 };
        let known = note.map(|note| note.inputs).unwrap_or_default();
        Ok(Suspects { dir: dir.to_owned(), known, place: Arc::default(), careful_rounds })
    }

    /// What the panic hook needs.
    pub fn note(&self) -> PanicNote {
        PanicNote { dir: self.dir.clone(), known: self.known.clone(), place: Arc::clone(&self.place) }
    }

    /// Events that one batch may hold.
    pub(super) fn events_max(&self) -> usize {
        if self.is_careful() { 1 } else { BATCH_EVENTS_MAX }
    }

    /// Whether each input is named before it is decided.
    pub(super) fn is_careful(&self) -> bool {
        self.careful_rounds > 0
    }

    /// Whether an input stopped the daemon too often.
    pub(super) fn is_culprit(&self, hash: InputHash) -> bool {
        let hash = hash.to_string();
        self.known.iter().any(|input| input.hash == hash && input.times >= PANICS_MAX)
    }

    /// A batch begins: after block `seq`, at `now`.
    pub(super) fn doing_batch(&self, seq: u64, now: Time) {
        *self.lock() = Place { doing: Doing::Batch, now, seq };
    }

    /// Its timers are fired.
    pub(super) fn doing_timers(&self) {
        self.lock().doing = Doing::Timers;
    }

    /// Its events are decided.
    pub(super) fn doing_events(&self) {
        self.lock().doing = Doing::Batch;
    }

    /// One input is decided.
    pub(super) fn doing_input(&self, hash: InputHash, what: String) {
        self.lock().doing = Doing::Input(hash, what);
    }

    /// A batch was decided.
    pub(super) fn done(&mut self) {
        self.lock().doing = Doing::Nothing;
        if self.careful_rounds > 0 {
            self.careful_rounds -= 1;
            if self.careful_rounds == 0 {
                self.forget();
            }
        }
    }

    /// The daemon stops because it was told to. Inputs that are to be set aside stay known.
    pub(super) fn stopped_cleanly(&mut self) {
        if self.is_careful() && self.known.iter().all(|input| input.times < PANICS_MAX) {
            self.forget();
        }
    }

    fn forget(&mut self) {
        match Suspect::clear(&self.dir) {
            Ok(()) => info!("The daemon is past what made it panic."),
            Err(error) => warn!(%error, "The note of a panic could not be removed."),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Place> {
        self.place.lock().expect("nobody panics while holding this")
    }
}

impl PanicNote {
    /// Writes the note beside the store, where a batch was being decided. Says what it wrote down.
    pub fn panicked(&self, message: &str) -> Option<String> {
        let place = self.place.try_lock().ok()?;
        let mut inputs = self.known.clone();
        let what = match &place.doing {
            Doing::Nothing => return None,
            Doing::Batch => "a batch".to_owned(),
            Doing::Timers => "due timers".to_owned(),
            Doing::Input(hash, what) => {
                let hash = hash.to_string();
                let what = format!("{what} ({hash})");
                match inputs.iter_mut().find(|input| input.hash == hash) {
                    Some(input) => input.times += 1,
                    None => inputs.push(SuspectInput { hash, what: what.clone(), times: 1 }),
                }
                what
            }
        };
        let surplus = inputs.len().saturating_sub(SUSPECTS_MAX);
        inputs.drain(..surplus);
        let note = Suspect { after: place.seq, at: place.now.rfc3339(), reason: cut(message, MESSAGE_BYTES_MAX), inputs };
        match note.write(&self.dir) {
            Ok(()) => Some(what),
            Err(error) => Some(format!("{what}, and no note could be written: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(dir: &tempfile::TempDir) -> Suspects {
        Suspects::load(dir.path()).expect("the folder can be read")
    }

    #[test]
    fn an_input_that_panics_twice_while_it_is_named_is_a_culprit_after_the_second_start() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let poison = InputHash::of(b"poison");

        let first = load(&dir);
        assert!(!first.is_careful());
        first.doing_batch(7, Time(1));
        assert_eq!(first.note().panicked("boom"), Some("a batch".to_owned()));

        for _ in 0..PANICS_MAX {
            let run = load(&dir);
            assert!(run.is_careful());
            assert_eq!(run.events_max(), 1);
            assert!(!run.is_culprit(poison));
            run.doing_input(poison, "alert X of prom".to_owned());
            run.note().panicked("boom");
        }

        let last = load(&dir);
        assert!(last.is_culprit(poison));
        assert!(!last.is_culprit(InputHash::of(b"harmless")));
    }

    #[test]
    fn a_panic_elsewhere_leaves_no_suspicion() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(load(&dir).note().panicked("boom"), None);
        assert!(!load(&dir).is_careful());
    }

    #[test]
    fn a_careful_daemon_becomes_careless_after_enough_rounds() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let run = load(&dir);
        run.doing_timers();
        run.note().panicked("boom");
        let mut run = load(&dir);
        for _ in 0..CAREFUL_ROUNDS {
            run.done();
        }
        assert!(!run.is_careful());
        assert!(!load(&dir).is_careful());
    }
}
