//! The keeper: one thread that watches the folders and brings what they hold into force. All reloads, whoever asks for them, go through it, one after the other.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::oneshot;
use tracing::{error, info, warn};
use watchkeeper_engine::cmdb::diff::{Diff, TooManyRetired};
use watchkeeper_engine::source::{Diagnostic, SourceFile};
use watchkeeper_engine::time::Time;

use super::build::{Built, DEEP_STACK_BYTES, build};
use super::files::{Sources, stamp};
use super::frame::Frame;
use super::imports::{self, IMPORTS_MAX, ImportWish, Imported, Loss, Run};
use super::kind::{Confirmed, Kind, Stamp};
use super::loss;
use super::stored::adoption;
use super::watch::{Look, Quiet};
use crate::assembly::Shared;
use crate::diagnostics::{Colour, Findings, Format};
use crate::writer::Full;

/// How often the folders are looked at although no event came: a network file system tells of none, and a folder made anew is another one.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Requests that wait for the keeper; each is a person or a tool. Beyond it they are told to try again.
const REQUESTS_MAX: usize = 64;

/// What a reload did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reloaded {
    /// The policy in force.
    pub policy: String,
    /// The CMDB version in force.
    pub cmdb: u64,
    /// Whether anything changed.
    pub changed: bool,
    /// What changed in the CMDB, in a sentence.
    pub cmdb_summary: String,
    /// What was taken and probably not meant.
    pub warnings: Findings,
}

/// What a reload would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// The policy that would come into force.
    pub policy: String,
    /// What would change in the CMDB.
    pub diff: Diff,
    /// What would be taken and is probably not meant.
    pub warnings: Findings,
}

/// Why nothing changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The files are faulty, or a loss in them is not confirmed.
    Faulty(Findings),
    /// An import is whole, and its loss is not confirmed.
    Unconfirmed {
        /// The loss.
        loss: Loss,
        /// What would change.
        diff: Box<Diff>,
    },
    /// There are as many sources as there may be.
    TooManySources,
    /// The daemon stops, or too many ask at once.
    Busy(Full),
}

/// What is in force, and what is wrong with what is not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Status {
    /// The policy in force.
    pub policy: String,
    /// Since when.
    pub since: Time,
    /// Why the files on disk are not in force; `None` where they are.
    pub fault: Option<Findings>,
}

/// How others reach the keeper. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Keeper {
    requests: Sender<Request>,
    waiting: Arc<()>,
    status: Arc<ArcSwap<Status>>,
}

/// What the keeper needs.
pub struct KeeperParts {
    /// The configuration.
    pub frame: Frame,
    /// The sources in force.
    pub sources: Sources,
    /// What is wrong with the files, where the start has found that.
    pub fault: Option<Findings>,
    /// The writer, what it has in force, and where a faulty reload shows.
    pub shared: Shared,
}

enum Request {
    Adopt(Box<Built>, oneshot::Sender<Result<Reloaded, Refusal>>),
    Reload(Confirmed, oneshot::Sender<Result<Reloaded, Refusal>>),
    Import(ImportWish, oneshot::Sender<Result<Imported, Refusal>>),
    Compare(oneshot::Sender<Result<Comparison, Refusal>>),
    Changed(notify::Event),
    Lost(notify::Error),
    Stop,
}

/// Starts the keeper's thread.
pub fn spawn(parts: KeeperParts) -> (Keeper, JoinHandle<()>) {
    let (requests, inbox) = channel();
    let status =
        Status { policy: parts.shared.current.world().policy.id.clone(), since: parts.shared.clock.wall(), fault: parts.fault.clone() };
    let status = Arc::new(ArcSwap::from_pointee(status));
    let keeper = Keeper { requests: requests.clone(), waiting: Arc::new(()), status: Arc::clone(&status) };
    let thread = KeeperThread {
        stamp: stamp(&parts.frame.config.files),
        watching: Watching::new(&parts.frame, requests),
        quiet: Quiet::default(),
        look_at: Instant::now() + LOOK_EVERY,
        parts,
        status,
        inbox,
    };
    if let Some(fault) = &thread.parts.fault {
        let closing = thread.status.load().closing(fault);
        error!("The files are not taken; the daemon starts on the last good ones.\n{}{closing}", fault.render(Format::Text, Colour::Plain));
    }
    thread.show();
    let builder = thread::Builder::new().name("keeper".to_owned()).stack_size(DEEP_STACK_BYTES);
    let thread = builder.spawn(move || thread.run()).expect("the system gives a thread");
    (keeper, thread)
}

impl Keeper {
    /// Brings what a start has built into force.
    ///
    /// # Errors
    /// The daemon stops.
    pub async fn adopt(&self, built: Built) -> Result<Reloaded, Refusal> {
        self.request(|answer| Request::Adopt(Box::new(built), answer)).await
    }

    /// Reads the folders and brings what they hold into force, if it is whole.
    ///
    /// # Errors
    /// It is not; what was in force stays.
    pub async fn reload(&self, confirmed: Confirmed) -> Result<Reloaded, Refusal> {
        self.request(|answer| Request::Reload(confirmed, answer)).await
    }

    /// Brings what one source of the CMDB holds into force, if it is whole together with what is in force, or says what would change.
    ///
    /// # Errors
    /// It is not, or its loss is not confirmed; what was in force stays.
    pub async fn import(&self, wish: ImportWish) -> Result<Imported, Refusal> {
        self.request(|answer| Request::Import(wish, answer)).await
    }

    /// What a reload would change.
    ///
    /// # Errors
    /// The files are faulty.
    pub async fn compare(&self) -> Result<Comparison, Refusal> {
        self.request(Request::Compare).await
    }

    /// What is in force, and what is wrong with the files.
    pub fn status(&self) -> Arc<Status> {
        self.status.load_full()
    }

    /// Ends the thread.
    pub fn stop(&self) {
        // A keeper that is gone has stopped.
        self.requests.send(Request::Stop).ok();
    }

    async fn request<T>(&self, request: impl FnOnce(oneshot::Sender<Result<T, Refusal>>) -> Request) -> Result<T, Refusal> {
        let _waits = Arc::clone(&self.waiting);
        if Arc::strong_count(&self.waiting) > REQUESTS_MAX {
            return Err(Refusal::Busy(Full::Busy));
        }
        let (answer, told) = oneshot::channel();
        self.requests.send(request(answer)).map_err(|_| Refusal::Busy(Full::Stopping))?;
        told.await.unwrap_or(Err(Refusal::Busy(Full::Stopping)))
    }
}

struct KeeperThread {
    parts: KeeperParts,
    status: Arc<ArcSwap<Status>>,
    inbox: Receiver<Request>,
    watching: Watching,
    quiet: Quiet,
    look_at: Instant,
    stamp: Stamp,
}

impl KeeperThread {
    fn run(mut self) {
        loop {
            let until = self.quiet.due().map_or(self.look_at, |due| due.min(self.look_at));
            match self.inbox.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Request::Changed(event)) => self.quiet.hear(&event, Instant::now()),
                Ok(Request::Lost(error)) => {
                    warn!(%error, "The folders cannot be watched; they are looked at once a minute.");
                    self.quiet.lost(Instant::now());
                }
                // Whoever asked and went away is not told.
                Ok(Request::Adopt(built, answer)) => drop(answer.send(self.take(*built))),
                Ok(Request::Reload(confirmed, answer)) => drop(answer.send(self.reload(confirmed))),
                Ok(Request::Import(wish, answer)) => drop(answer.send(self.import(wish))),
                Ok(Request::Compare(answer)) => drop(answer.send(self.compare())),
                Ok(Request::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => self.tick(Instant::now()),
            }
        }
    }

    /// Time has passed: the folders are quiet, or a minute is over.
    fn tick(&mut self, now: Instant) {
        if now >= self.look_at {
            self.look_at = now + LOOK_EVERY;
            self.watching.renew(&self.parts.frame);
            let sooner = self.quiet.compare(stamp(&self.parts.frame.config.files), &self.stamp, now);
            self.look_at = sooner.unwrap_or(self.look_at);
        }
        // The outcome is logged, counted and shown; nobody asked.
        match self.quiet.look(now) {
            Look::No => {}
            Look::Read => drop(self.reload(Confirmed::No)),
            Look::HeldOpen(path) => drop(self.refuse::<()>(held_open(&path, "it is held open for writing, so that it may not be whole"))),
        }
    }

    fn reload(&mut self, confirmed: Confirmed) -> Result<Reloaded, Refusal> {
        let now = Instant::now();
        if let Some(path) = self.quiet.being_written(now) {
            return self.refuse(held_open(path, "it is still being written"));
        }
        self.quiet.looked();
        self.stamp = stamp(&self.parts.frame.config.files);
        let sources = Sources::read(&self.parts.frame.config.files, &self.parts.sources, confirmed);
        if sources == self.parts.sources {
            return Ok(self.unchanged());
        }
        let base = self.parts.shared.current.world().cmdb;
        let built = match build(&self.parts.frame, &base, sources) {
            Ok(built) => built,
            Err(findings) => return self.refuse(findings),
        };
        if confirmed == Confirmed::No
            && let Err(findings) = loss::guard(&self.parts.shared.current.world().policy, &built.world.policy)
        {
            return self.refuse(findings);
        }
        if confirmed == Confirmed::No
            && let Err(too_many) = built.diff.guard(base.inventory())
        {
            return self.refuse(guard_findings(&self.parts.frame, &too_many));
        }
        self.take(built)
    }

    /// An import is checked against what is in force, not against what the folders hold: faults there are not its own.
    fn import(&mut self, wish: ImportWish) -> Result<Imported, Refusal> {
        let ImportWish { import, run, confirmed } = wish;
        let sources = self.parts.sources.with(&import);
        if sources.imports.len() > IMPORTS_MAX {
            return Err(Refusal::TooManySources);
        }
        let base = self.parts.shared.current.world().cmdb;
        let mut built = build(&self.parts.frame, &base, sources).map_err(Refusal::Faulty)?;
        let loss = imports::loss(&import.source, &base, &built.diff, built.world.cmdb.inventory()).err();
        let unconfirmed = loss.filter(|_| confirmed == Confirmed::No);
        let diff = built.diff.clone();
        let outcome = match (run, unconfirmed) {
            (Run::Dry, unconfirmed) => {
                return Ok(Imported { cmdb: base.version(), changed: false, diff, unconfirmed, warnings: built.warnings });
            }
            (Run::Real, Some(loss)) => {
                self.parts.shared.metrics.imports.with_label_values(&["refused"]).inc();
                return Err(Refusal::Unconfirmed { loss, diff: Box::new(diff) });
            }
            // The same records in other words: nothing is written.
            (Run::Real, None) if diff.is_empty() => "unchanged",
            (Run::Real, None) => "adopted",
        };
        let (warnings, cmdb) = (built.warnings.clone(), built.world.cmdb.version());
        let changed = !diff.is_empty();
        if changed {
            built.sources = built.sources.without_empty();
            self.bring(built)?;
            info!(source = import.source, cmdb, changes = diff.summary(), "Imported.");
        }
        self.parts.shared.metrics.imports.with_label_values(&[outcome]).inc();
        self.show();
        Ok(Imported { cmdb, changed, diff, unconfirmed: None, warnings })
    }

    fn compare(&mut self) -> Result<Comparison, Refusal> {
        let sources = Sources::read(&self.parts.frame.config.files, &self.parts.sources, Confirmed::Yes);
        let base = self.parts.shared.current.world().cmdb;
        let built = build(&self.parts.frame, &base, sources).map_err(Refusal::Faulty)?;
        Ok(Comparison { policy: built.world.policy.id.clone(), diff: built.diff, warnings: built.warnings })
    }

    /// Takes what the folders hold.
    fn take(&mut self, built: Built) -> Result<Reloaded, Refusal> {
        let (world, diff, warnings) = (built.world.clone(), built.diff.clone(), built.warnings.clone());
        let before = self.parts.shared.current.world().policy;
        self.bring(built)?;
        if !warnings.found.is_empty() {
            warn!("The files are taken, with {}:\n{}", warnings.counted(), warnings.render(Format::Text, Colour::Plain));
        }
        self.parts.shared.metrics.reloads.with_label_values(&["adopted"]).inc();
        let since = self.parts.shared.clock.wall();
        self.status.store(Arc::new(Status { policy: world.policy.id.clone(), since, fault: None }));
        self.show();
        let (rules, items) = (loss::summary(&before, &world.policy), diff.summary());
        info!(policy = world.policy.id, rules, cmdb = world.cmdb.version(), items, "Reloaded.");
        Ok(Reloaded { policy: world.policy.id.clone(), cmdb: world.cmdb.version(), changed: true, cmdb_summary: diff.summary(), warnings })
    }

    /// Has the writer bring a World into force, and waits until that is on disk.
    fn bring(&mut self, built: Built) -> Result<(), Refusal> {
        let before = self.parts.shared.current.world().cmdb;
        let told = self.parts.shared.writer.adopt(adoption(&built, &before)).map_err(Refusal::Busy)?;
        told.blocking_recv().map_err(|_| Refusal::Busy(Full::Stopping))?;
        self.parts.sources = built.sources;
        Ok(())
    }

    fn unchanged(&self) -> Reloaded {
        let world = self.parts.shared.current.world();
        self.parts.shared.metrics.reloads.with_label_values(&["unchanged"]).inc();
        self.status.store(Arc::new(Status { fault: None, ..Status::clone(&self.status.load()) }));
        self.show();
        Reloaded {
            policy: world.policy.id.clone(),
            cmdb: world.cmdb.version(),
            changed: false,
            cmdb_summary: Diff::default().summary(),
            warnings: Findings::default(),
        }
    }

    fn refuse<T>(&self, findings: Findings) -> Result<T, Refusal> {
        let status = Status { fault: Some(findings.clone()), ..Status::clone(&self.status.load()) };
        error!("The files are not taken.\n{}{}", findings.render(Format::Text, Colour::Plain), status.closing(&findings));
        self.parts.shared.metrics.reloads.with_label_values(&["refused"]).inc();
        self.status.store(Arc::new(status));
        self.show();
        Err(Refusal::Faulty(findings))
    }

    /// Shows in metrics and health what the status says.
    fn show(&self) {
        let status = self.status.load();
        let world = self.parts.shared.current.world();
        let metrics = &self.parts.shared.metrics;
        metrics.reload_success.set(i64::from(status.fault.is_none()));
        metrics.policy_info.reset();
        metrics.policy_info.with_label_values(&[&world.policy.id]).set(1);
        metrics.policy_loaded.set(status.since.0 / 1_000);
        metrics.cmdb_version.set(i64::try_from(world.cmdb.version()).unwrap_or(i64::MAX));
        metrics.cmdb_items.set(i64::try_from(world.cmdb.len()).unwrap_or(i64::MAX));
        self.parts.shared.health.set_reload_fault(status.fault.as_ref().map_or_else(String::new, |fault| status.closing(fault)));
    }
}

impl Status {
    /// The last line after faults: how many there are, and what goes on.
    pub fn closing(&self, findings: &Findings) -> String {
        let loaded = self.since.rfc3339();
        let at = loaded.get(11..16).unwrap_or_default();
        format!("{}; the running policy {} (loaded {at} UTC) stays in force", findings.counted(), self.policy)
    }
}

fn held_open(path: &Path, message: &str) -> Findings {
    let file = SourceFile::new(path.display().to_string(), "");
    let found = Diagnostic::error(&file, &(0..0), message).help("what is in force stays; the reload follows when it is closed");
    Findings { files: vec![file], found: vec![found] }
}

/// What is said when an import would retire too much.
pub(super) fn guard_findings(frame: &Frame, too_many: &TooManyRetired) -> Findings {
    let folder = &Kind::Cmdb.folder(&frame.config.files).path;
    let file = SourceFile::new(folder.display().to_string(), "");
    let help = "`watchkeeper cmdb diff` shows which; `watchkeeper cmdb import --confirm` retires them";
    let found = Diagnostic::error(&file, &(0..0), too_many.to_string()).help(help);
    Findings { files: vec![file], found: vec![found] }
}

/// The watches on the folders. A folder that is not there is watched once it is.
struct Watching {
    watcher: Option<RecommendedWatcher>,
}

impl Watching {
    fn new(frame: &Frame, requests: Sender<Request>) -> Watching {
        let hear = move |event: notify::Result<notify::Event>| {
            let request = event.map_or_else(Request::Lost, Request::Changed);
            // The keeper has stopped.
            requests.send(request).ok();
        };
        let watcher = notify::recommended_watcher(hear);
        if let Err(error) = &watcher {
            warn!(%error, "The folders cannot be watched; they are looked at once a minute.");
        }
        let mut watching = Watching { watcher: watcher.ok() };
        watching.renew(frame);
        watching
    }

    /// Watches each folder that is there, also one that took the place of another.
    fn renew(&mut self, frame: &Frame) {
        let Some(watcher) = &mut self.watcher else { return };
        for kind in Kind::ALL {
            let path = &kind.folder(&frame.config.files).path;
            // A folder that was not watched, or is gone, has nothing to be let go.
            watcher.unwatch(path).ok();
            if path.is_dir()
                && let Err(error) = watcher.watch(path, RecursiveMode::Recursive)
            {
                warn!(%error, folder = %path.display(), "A folder cannot be watched; it is looked at once a minute.");
            }
        }
    }
}
