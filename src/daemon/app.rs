//! The daemon put together, top to bottom as the design's picture: configuration, log, store, memory, World, writer, workers, doors, signals.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::net::{TcpListener, UnixListener};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tracing::{error, info};
use watchkeeper_store::{Options, Store, StoreError};

use crate::clock::{Clock, SystemClock};
use crate::config::{self, Config, ConfigError, Environment};
use crate::diagnostics::{Colour, Findings, Format};
use crate::health::{Health, Phase};
use crate::ingest::budget::Budget;
use crate::ingest::http::{Listener, serve};
use crate::mail::{FileTransport, MailSettings, Templates, Transport, shipped};
use crate::telemetry::{Metrics, Telemetry, start_log};
use crate::web::{self, Answer, FileWork};
use crate::work::{self, MailWork};
use crate::world::{self, Confirmed, Frame, Keeper, KeeperParts, Refusal, Stored, on_deep_stack};
use crate::writer::{self, Parts, Suspects};

/// Why the daemon ends, and the exit code that says so.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct Failure {
    /// 64 usage, 70 bug, 74 disk, 75 store in use, 78 bad configuration.
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
    let config = Arc::new(config);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let mut store = match init {
        Init::IfNone => Store::open_or_init(&config.store.dir, clock.wall(), Options::default()),
        Init::No => Store::open(&config.store.dir, clock.wall(), Options::default()),
    }
    .map_err(of_store)?;
    let suspects = Suspects::load(&config.store.dir).map_err(of_store)?;
    note_panics(&suspects);

    let frame = Frame { config: Arc::clone(&config), config_file: Arc::new(config_file) };
    let stored = Stored::read(&store.reader().snapshot().map_err(of_store)?).map_err(of_store)?;
    let start = on_deep_stack(|| world::start(&frame, stored)).map_err(|findings| faulty(&findings))?;
    let templates = match &start.next {
        Some(built) => Templates::load(&shipped(), &built.sources.templates),
        None => Templates::load(&shipped(), &start.sources.templates),
    };
    let templates = templates.unwrap_or_else(|found| {
        error!(faults = found.len(), "The operator's templates are faulty; the shipped ones are used.");
        Templates::ours()
    });

    let (state, loaded) = writer::load(&mut store, &start.world.cmdb).map_err(of_store)?;
    info!(rows = loaded.rows, pages = loaded.pages, blocks = loaded.blocks, "The store was loaded.");
    let settings = MailSettings::new(&config.mail.from, &config.server.external_url, store.id())
        .map_err(|bad| Failure { code: 78, text: format!("[mail] from: {bad}") })?;
    let config::Transport::File { dir } = &config.mail.transport;
    let transport = FileTransport::new(dir).map_err(|error| Failure { code: 74, text: error.to_string() })?;

    let (health, metrics) = (Arc::new(Health::default()), Arc::new(Metrics::new()));
    let published = Arc::new(ArcSwap::from_pointee(start.world.clone()));
    let reader = store.reader();
    let (asks, effects) = mpsc::unbounded_channel();
    let parts = Parts {
        store,
        telemetry: Telemetry::new(Arc::clone(&metrics), &state),
        state,
        world: start.world.clone(),
        published: Arc::clone(&published),
        clock: Arc::clone(&clock),
        health: Arc::clone(&health),
        suspects,
        dispatch: Box::new(move |wanted| {
            for effect in wanted {
                // Without a worker the daemon stops, and the next start asks again.
                asks.send(effect).ok();
            }
        }),
    };
    let (writer, handle) = writer::new(parts, config.limits.in_flight_bytes);
    let (ended, writer_ended) = tokio::sync::oneshot::channel();
    let thread = std::thread::Builder::new().name("writer".to_owned()).stack_size(8 << 20);
    let writer_thread = thread
        .spawn(move || {
            let result = writer.run();
            // Whoever waits for it learns it from the thread as well.
            ended.send(()).ok();
            result
        })
        .map_err(|error| Failure { code: 70, text: format!("no thread for the writer: {error}") })?;
    let (keeper, keeper_thread) = world::spawn(KeeperParts {
        frame,
        sources: start.sources,
        fault: start.fault.clone(),
        published: Arc::clone(&published),
        writer: handle.clone(),
        clock: Arc::clone(&clock),
        health: Arc::clone(&health),
        metrics: Arc::clone(&metrics),
    });
    if let Some(findings) = &start.fault {
        let text = findings.render(Format::Text, Colour::Plain);
        error!("The files are faulty; the daemon starts on the last good ones.\n{text}{}", findings.counted());
    }

    let runtime = tokio::runtime::Runtime::new().map_err(|error| Failure { code: 70, text: format!("no runtime: {error}") })?;
    let work = MailWork {
        writer: handle.clone(),
        templates: Arc::new(ArcSwap::from_pointee(templates)),
        settings: Arc::new(settings),
        transport: Transport::File(transport),
    };
    let outcome = runtime.block_on(async {
        if let Some(built) = start.next {
            keeper.adopt(built).await.map_err(|refusal| Failure { code: 78, text: refused(&refusal).counted() })?;
        }
        let mail = tokio::spawn(work::start(work, effects));
        let router = web::router(web::Parts {
            writer: handle.clone(),
            world: published,
            reader,
            health: Arc::clone(&health),
            metrics,
            config: Arc::clone(&config),
            files: Arc::new(Files { keeper: keeper.clone() }),
            started_at: clock.wall(),
        })
        .map_err(|error| Failure { code: 74, text: error.to_string() })?;
        let (stop, stopped) = watch::channel(false);
        let connections = Budget::new(config.limits.connections);
        let tcp = TcpListener::bind(config.server.listen).await;
        let tcp = tcp.map_err(|error| Failure { code: 78, text: format!("cannot listen on {}: {error}", config.server.listen) })?;
        let address = tcp.local_addr().map_err(|error| Failure { code: 70, text: error.to_string() })?;
        let socket = bind_socket(&config.store.socket())?;
        let doors = [
            tokio::spawn(serve(Listener::Tcp(tcp), router.clone(), connections.clone(), stopped.clone())),
            tokio::spawn(serve(Listener::Unix(socket), router, connections, stopped)),
        ];
        health.enter(Phase::Serving);
        info!(%address, "Serving.");
        wait_for_the_end(&keeper, writer_ended).await?;
        info!("Stopping.");
        health.enter(Phase::Stopping);
        stop.send_replace(true);
        for door in doors {
            door.await.map_err(|error| Failure { code: 70, text: error.to_string() })?;
        }
        keeper.stop();
        handle.stop();
        Ok(mail)
    });
    keeper.stop();
    handle.stop();
    let written = writer_thread.join();
    keeper_thread.join().ok();
    if let Ok(mail) = &outcome {
        mail.abort();
    }
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    std::fs::remove_file(config.store.socket()).ok();
    outcome?;
    match written {
        Ok(result) => result.map_err(of_store),
        Err(_) => Err(Failure { code: 70, text: "the writer panicked; see the log".to_owned() }),
    }
}

/// The configuration at `path`, whole.
///
/// # Errors
/// It cannot be read, or has faults: all of them, drawn.
pub fn configuration(path: &Path) -> Result<(Config, watchkeeper_engine::source::SourceFile), Failure> {
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

struct Files {
    keeper: Keeper,
}

impl FileWork for Files {
    fn reload(&self) -> Answer<'_, Result<String, Findings>> {
        Box::pin(async {
            match self.keeper.reload(Confirmed::No).await {
                Ok(reloaded) if reloaded.changed => Ok(format!("policy {} is in force; {}", reloaded.policy, reloaded.cmdb_summary)),
                Ok(reloaded) => Ok(format!("nothing changed; policy {} is in force", reloaded.policy)),
                Err(refusal) => Err(refused(&refusal)),
            }
        })
    }

    fn check(&self) -> Answer<'_, Findings> {
        Box::pin(async {
            match self.keeper.compare().await {
                Ok(_) => Findings::default(),
                Err(refusal) => refused(&refusal),
            }
        })
    }
}

fn refused(refusal: &Refusal) -> Findings {
    match refusal {
        Refusal::Faulty(findings) => findings.clone(),
        Refusal::Busy(full) => {
            let file = watchkeeper_engine::source::SourceFile::new("daemon", "");
            let found = watchkeeper_engine::source::Diagnostic::error(&file, &(0..0), full.to_string());
            Findings { files: vec![file], found: vec![found] }
        }
    }
}

/// The daemon's socket, for its owner alone. The store's lock is held, so a socket that is there is stale.
fn bind_socket(path: &PathBuf) -> Result<UnixListener, Failure> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::remove_file(path).ok();
    let fault = |error: std::io::Error| Failure { code: 74, text: format!("cannot make the socket {}: {error}", path.display()) };
    let socket = UnixListener::bind(path).map_err(fault)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(fault)?;
    Ok(socket)
}

/// Until a signal to stop, or the end of the writer. A hang-up reloads.
async fn wait_for_the_end(keeper: &Keeper, mut writer_ended: tokio::sync::oneshot::Receiver<()>) -> Result<(), Failure> {
    let listen = |kind| signal(kind).map_err(|error| Failure { code: 70, text: format!("no signals: {error}") });
    let (mut term, mut int, mut hup) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?, listen(SignalKind::hangup())?);
    loop {
        tokio::select! {
            _ = term.recv() => return Ok(()),
            _ = int.recv() => return Ok(()),
            _ = &mut writer_ended => return Ok(()),
            _ = hup.recv() => {}
        }
        // What came of it is logged and shown by the keeper.
        keeper.reload(Confirmed::No).await.ok();
    }
}

/// A panic is noted beside the store, for the next start; the process ends with the thread that panicked.
fn note_panics(suspects: &Suspects) {
    let note = suspects.note();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        before(info);
        let message = info.payload().downcast_ref::<&str>().map_or_else(|| info.to_string(), |text| (*text).to_owned());
        if let Some(noted) = note.panicked(&message) {
            error!("The writer panicked: {noted}");
        }
    }));
}
