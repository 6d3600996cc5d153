//! The daemon put together, top to bottom as the design's picture: configuration, log, store, memory, World, writer, workers, doors, signals.

mod files;
mod history;
mod panics;
mod socket;

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use watchkeeper_engine::source::SourceFile;
use watchkeeper_store::{LinkKey, Migration, Options, Store, StoreError};

use crate::assembly::{self, Beginning, NotStarted, Running, Shared};
use crate::clock::{Clock, SystemClock};
use crate::config::{self, Config, ConfigError, Environment};
use crate::diagnostics::{Colour, Findings, Format};
use crate::health::{Health, Phase};
use crate::hook::Hooks;
use crate::ingest::connections::{Bounds, Connections};
use crate::ingest::http::{Listener, serve};
use crate::ingest::kafka::{self, KafkaHandle};
use crate::mail::{FileTransport, HookText, MailSettings, SmtpTransport, Transport};
use crate::supervisor;
use crate::telemetry::{flush_log, start_log};
use crate::web;
use crate::work::{self, CapacityWork, NotWriting, OutboxWork, Questions};
use crate::world::{self, Built, Confirmed, Frame, Keeper, KeeperParts, Stored, on_deep_stack};
use crate::writer::Suspects;

/// How long tasks that are cut off at the end may take to notice it.
const LAST_WAIT: Duration = Duration::from_secs(1);
/// How long a stop waits for mails that are on their way.
const MAIL_WAIT: Duration = Duration::from_secs(5);
/// How long the process lives after the store has failed: with the log line and a busy machine it has ended within a second.
const FAILED_WAIT: Duration = Duration::from_millis(700);
/// The exit code of a disk or store that fails.
const DISK: i32 = 74;
/// How long the end of the process waits for the reader of its log.
const LOG_WAIT: Duration = Duration::from_millis(200);

/// Why a verb ends, and the exit code that says so.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct Failure {
    /// 1 a check or test failed, 64 usage, 69 no server, 70 bug, 74 disk, 75 store in use, 78 bad configuration.
    pub code: u8,
    /// What people read.
    pub text: String,
}

/// Whether a start may create the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Init {
    /// Where there never was one.
    IfNone,
    /// Never.
    No,
}

/// Runs the daemon until a signal ends it.
///
/// # Errors
/// It could not start, or the store failed.
pub fn run(path: &Path, init: Init) -> Result<(), Failure> {
    let (config, config_file) = configuration(path)?;
    start_log(&config.log);
    let frame = Frame { config: Arc::new(config), config_file: Arc::new(config_file) };

    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let mut store = open(&frame.config, init, clock.as_ref())?;
    migrate(&mut store, clock.as_ref())?;
    let suspects = Suspects::load(store.dir()).map_err(of_store)?;
    panics::hook(suspects.note());

    let stored = store.reader().snapshot().and_then(|snapshot| Stored::read(&snapshot)).map_err(of_store)?;
    let start = on_deep_stack(|| world::start(&frame, stored)).map_err(|findings| faulty(&findings))?;
    let (store_id, link_key) = (store.id(), store.link_key().map_err(of_store)?);
    let (settings, transport) = mail(&frame.config, &store, &link_key)?;
    let retention = store.retention(history::keep(&frame.config)).map_err(of_store)?;
    let config = Arc::clone(&frame.config);
    let beginning = Beginning { config, clock, store, world: start.world, templates: start.templates, suspects, failed: store_failed };
    let (shared, running, effects) = assembly::start(beginning).map_err(not_started)?;
    let Running { writer_ended, threads } = running;
    let (keeper, keeper_thread) = world::spawn(KeeperParts { frame, sources: start.sources, fault: start.fault, shared: shared.clone() });
    let history = history::start(&shared, retention);
    let hooks = Hooks::new(&shared.config.outs).map_err(|error| Failure { code: 78, text: format!("failed to {error}") })?;
    let stop = CancellationToken::new();
    let mail = OutboxWork {
        writer: shared.writer.clone(),
        current: shared.current.clone(),
        settings,
        transport,
        hooks: Arc::new(hooks),
        health: Arc::clone(&shared.health),
        metrics: Arc::clone(&shared.metrics),
        stop: stop.child_token(),
    };

    let capacity = CapacityWork::new(&shared.config.prometheus, shared.writer.clone(), shared.current.clone(), stop.child_token())
        .map_err(|error| Failure { code: 78, text: format!("failed to {error}") })?;

    let runtime = tokio::runtime::Runtime::new().map_err(|error| bug(format!("no runtime: {error}")))?;
    let (mut kafka, mut kafka_out) = (None, None);
    let served = runtime.block_on(async {
        adopt(&keeper, start.next).await?;
        let mut workers = JoinSet::new();
        let questions = Questions::default();
        workers.spawn(work::start(mail, questions.clone(), effects));
        workers.spawn(capacity.run(questions));
        // After the files: a topic may have a format that only they know.
        kafka = read_topics(&shared, &mut workers, &stop)?;
        kafka_out = work::write_topic(&shared, store_id).await.map_err(not_writing)?;
        let topics = kafka.as_ref().map(|running| running.handle());
        let served = serve_until_the_end(&shared, &keeper, topics, &mut workers, writer_ended).await;
        finish(workers, &stop).await;
        served
    });

    let topics = kafka.map_or(Ok(()), kafka::Running::stop).and(kafka_out.map_or(Ok(()), work::Writing::stop));
    keeper.stop();
    shared.writer.stop();
    let written = threads.join();
    history.stop();
    let threads = [keeper_thread.join(), history.join(), topics];
    runtime.shutdown_timeout(LAST_WAIT);
    flush_log(LOG_WAIT);
    match written {
        // What the store says comes first: whatever else failed, failed because of it.
        Ok(result) if threads.iter().all(Result::is_ok) => result.map_err(of_store).and(served),
        Ok(_) | Err(_) => Err(bug("a thread panicked; the log says where".to_owned())),
    }
}

/// The configuration at `path`, whole.
///
/// # Errors
/// It cannot be read, or has faults: all of them, drawn.
pub fn configuration(path: &Path) -> Result<(Config, SourceFile), Failure> {
    config::load(path, &Environment::of_process()).map_err(|error| match &error {
        ConfigError::Unreadable { .. } => Failure { code: 78, text: error.to_string() },
        ConfigError::Faulty { findings, .. } => faulty(findings),
    })
}

/// A failure of the store with its exit code.
pub fn of_store(error: StoreError) -> Failure {
    let code = if matches!(error, StoreError::InUse { .. }) { 75 } else { 74 };
    Failure { code, text: format!("failed to {error}") }
}

/// Faults as people read them, and the exit code of bad configuration.
pub fn faulty(findings: &Findings) -> Failure {
    let text = format!("{}{}", findings.render(Format::Text, Colour::Plain), findings.counted());
    Failure { code: 78, text }
}

fn bug(text: String) -> Failure {
    Failure { code: 70, text }
}

fn open(config: &Config, init: Init, clock: &dyn Clock) -> Result<Store, Failure> {
    if config.mail.to.is_empty() {
        warn!("[mail] to is empty: what has no owner reaches nobody.");
    }
    let (dir, now) = (&config.store.dir, clock.wall());
    match init {
        Init::IfNone => Store::open_or_init(dir, now, Options::default()),
        Init::No => Store::open(dir, now, Options::default()),
    }
    .map_err(of_store)
}

/// Brings a store of an earlier release to this one's format; without room for it the start is refused before anything is written.
fn migrate(store: &mut Store, clock: &dyn Clock) -> Result<(), Failure> {
    let Some(migration) = store.migration().map_err(of_store)? else { return Ok(()) };
    let free = store.free_bytes().map_err(of_store)?;
    let Migration { from, to, room_bytes, .. } = migration;
    let steps = migration.steps.join("; ");
    info!(
        from,
        to,
        steps,
        room_mib = room_bytes.div_ceil(1 << 20),
        free_mib = free >> 20,
        "The store is brought to the format of this release."
    );
    let began = Instant::now();
    let rows = store.migrate(&migration, free).map_err(of_store)?;
    store.write_sidecar(clock.wall()).map_err(of_store)?;
    info!(
        rows,
        seconds = began.elapsed().as_secs_f64(),
        "The store has the format of this release; the one before cannot open it any more."
    );
    Ok(())
}

/// What mails are made with, and the way they leave.
fn mail(config: &Config, store: &Store, link_key: &LinkKey) -> Result<(Arc<MailSettings>, Transport), Failure> {
    let settings = MailSettings::new(&config.mail.from, &config.server.external_url, store.id(), link_key.clone())
        .map_err(|bad| Failure { code: 78, text: format!("[mail] from: {bad}") })?;
    let settings = settings.with_hooks(config.outs.iter().map(HookText::of));
    let transport = match &config.mail.transport {
        config::Transport::File { dir } => {
            Transport::File(FileTransport::new(dir).map_err(|error| Failure { code: 74, text: error.to_string() })?)
        }
        config::Transport::Smtp(server) => {
            let smtp = SmtpTransport::new(server.clone(), settings.sender());
            Transport::Smtp(smtp.map_err(|error| Failure { code: 78, text: format!("failed to {error}") })?)
        }
    };
    Ok((Arc::new(settings), transport))
}

fn not_started(error: NotStarted) -> Failure {
    match error {
        NotStarted::Store(error) => of_store(error),
        NotStarted::Thread(_) => bug(format!("failed to {error}")),
    }
}

fn not_writing(error: NotWriting) -> Failure {
    match error {
        NotWriting::Store(error) => of_store(error),
        NotWriting::Client(_) => Failure { code: 78, text: error.to_string() },
        NotWriting::Stopping | NotWriting::Thread(_) => bug(error.to_string()),
    }
}

/// Ends the process soon: what is in flight gets its 503, and what waits longer (a mail server, a client, a broker) is cut off.
fn store_failed(error: &StoreError, health: &Health) {
    let end = || {
        thread::sleep(FAILED_WAIT);
        flush_log(LOG_WAIT);
        std::process::exit(DISK);
    };
    // Before the log line, which waits for its reader.
    if thread::Builder::new().name("end".to_owned()).spawn(end).is_err() {
        std::process::exit(DISK);
    }
    health.enter(Phase::Stopping);
    error!(%error, "The store failed; nothing more is taken, and the daemon ends.");
}

/// Starts to read Kafka topics, where there are any. Where their thread cannot go on, a worker ends before the stop, and the daemon with it.
fn read_topics(shared: &Shared, workers: &mut JoinSet<()>, stop: &CancellationToken) -> Result<Option<kafka::Running>, Failure> {
    let Some((running, ended)) = kafka::start(shared.clone()).map_err(|error| Failure { code: 78, text: error.to_string() })? else {
        return Ok(None);
    };
    let stop = stop.clone();
    workers.spawn(async move {
        let broken = async {
            if let Ok(kafka::Ended::AsAsked) = ended.await {
                std::future::pending::<()>().await;
            }
        };
        stop.run_until_cancelled(broken).await;
    });
    Ok(Some(running))
}

/// Brings what the folders hold into force, before the first request.
async fn adopt(keeper: &Keeper, next: Option<Built>) -> Result<(), Failure> {
    if let Some(built) = next {
        keeper.adopt(built).await.map_err(|refusal| faulty(&files::refused(&refusal)))?;
    }
    Ok(())
}

/// Opens the doors, waits for the end, and lets what is in flight finish.
async fn serve_until_the_end(
    shared: &Shared,
    keeper: &Keeper,
    kafka: Option<KafkaHandle>,
    workers: &mut JoinSet<()>,
    writer_ended: oneshot::Receiver<()>,
) -> Result<(), Failure> {
    let router = web::router(web::Parts {
        shared: shared.clone(),
        files: Arc::new(files::Files { keeper: keeper.clone() }),
        kafka,
        started_at: shared.clock.wall(),
    })
    .map_err(|error| Failure { code: 74, text: error.to_string() })?;
    let listen = shared.config.server.listen;
    let tcp = TcpListener::bind(listen).await.map_err(|error| Failure { code: 78, text: format!("cannot listen on {listen}: {error}") })?;
    let address = tcp.local_addr().map_err(|error| bug(error.to_string()))?;
    let socket = socket::Socket::bind(&shared.config.store)?;
    let mut signals = Signals::listen()?;

    let (stop, stopped) = watch::channel(false);
    let limits = shared.config.limits;
    let connections = Connections::new(Bounds { all: limits.connections, each: limits.connections_per_address });
    let mut doors = JoinSet::new();
    doors.spawn(serve(Listener::Tcp(tcp), router.clone(), connections.clone(), stopped.clone()));
    doors.spawn(serve(Listener::Unix(socket.listener), router, connections, stopped));
    shared.health.enter(Phase::Serving);
    supervisor::ready(&address.to_string());
    info!(%address, socket = %socket.path.display(), "Serving.");

    let end = signals.wait(keeper, writer_ended, workers).await;
    supervisor::stopping();
    info!("Stopping.");
    shared.health.enter(Phase::Stopping);
    shared.events.close();
    stop.send_replace(true);
    while let Some(door) = doors.join_next().await {
        door.map_err(|error| bug(format!("a door failed: {error}")))?;
    }
    socket::remove(&socket.path)?;
    end
}

/// Lets mails that are on their way arrive: one that is cut off at its end goes out a second time.
async fn finish(mut workers: JoinSet<()>, stop: &CancellationToken) {
    stop.cancel();
    let all = async { while workers.join_next().await.is_some() {} };
    if tokio::time::timeout(MAIL_WAIT, all).await.is_err() {
        warn!("A mail server is slow; what is on its way goes out again after the next start.");
    }
}

struct Signals {
    term: tokio::signal::unix::Signal,
    int: tokio::signal::unix::Signal,
    hup: tokio::signal::unix::Signal,
}

impl Signals {
    fn listen() -> Result<Signals, Failure> {
        let listen = |kind| signal(kind).map_err(|error| bug(format!("no signals: {error}")));
        Ok(Signals { term: listen(SignalKind::terminate())?, int: listen(SignalKind::interrupt())?, hup: listen(SignalKind::hangup())? })
    }

    /// Until a signal to stop, or the end of something that should not end. A hang-up reloads.
    async fn wait(&mut self, keeper: &Keeper, mut writer_ended: oneshot::Receiver<()>, workers: &mut JoinSet<()>) -> Result<(), Failure> {
        loop {
            let event = tokio::select! {
                _ = self.term.recv() => Heard::Stop,
                _ = self.int.recv() => Heard::Stop,
                _ = self.hup.recv() => Heard::Reload,
                _ = &mut writer_ended => Heard::WriterEnded,
                _ = workers.join_next() => Heard::WorkerEnded,
            };
            match event {
                // Why the writer ended, its thread says.
                Heard::Stop | Heard::WriterEnded => return Ok(()),
                Heard::WorkerEnded => {
                    error!("A worker ended by itself; the daemon stops, and the next start asks for what is left.");
                    return Err(bug("a worker ended by itself".to_owned()));
                }
                // What came of it is logged and shown by the keeper.
                Heard::Reload => drop(keeper.reload(Confirmed::No).await),
            }
        }
    }
}

enum Heard {
    Stop,
    Reload,
    WriterEnded,
    WorkerEnded,
}
