//! The inner daemon put together: store, memory, board, feed, telemetry and writer, the same for `run`, the demo and tests. What stands around it (doors, topics,
//! workers, files) gets [`Shared`].

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokio::sync::{mpsc, oneshot};
use tracing::info;
use watchkeeper_engine::effect::Effect;
use watchkeeper_engine::event::World;
use watchkeeper_store::{LinkKey, Reader, Store, StoreError};

use crate::board::Board;
use crate::clock::Clock;
use crate::config::Config;
use crate::events::Events;
use crate::health::Health;
use crate::mail::Templates;
use crate::published::{Current, Published};
use crate::telemetry::{self, Counted, Metrics};
use crate::writer::{self, Suspects, WriterHandle};

/// The writer's stack: judgements recurse no deeper than a condition nests.
const WRITER_STACK_BYTES: usize = 8 << 20;

/// What all parts of the daemon see. Cheap to clone.
#[derive(Clone)]
pub struct Shared {
    /// `daemon.toml`.
    pub config: Arc<Config>,
    /// The machine's clocks.
    pub clock: Arc<dyn Clock>,
    /// Signs of life.
    pub health: Arc<Health>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// How far telemetry is.
    pub counted: Counted,
    /// World, templates and board as of the last commit, and the time.
    pub current: Current,
    /// What happened, for whoever follows it.
    pub events: Events,
    /// The way to the writer.
    pub writer: WriterHandle,
    /// The read side of the store.
    pub reader: Reader,
    /// The key that signs links of mails.
    pub link_key: LinkKey,
}

/// What a start begins with.
pub struct Beginning {
    /// `daemon.toml`.
    pub config: Arc<Config>,
    /// The machine's clocks.
    pub clock: Arc<dyn Clock>,
    /// The store, opened.
    pub store: Store,
    /// The rules and the CMDB in force when the first event is decided.
    pub world: World,
    /// The templates of that.
    pub templates: Arc<Templates>,
    /// What stopped the daemon before.
    pub suspects: Suspects,
    /// What is done at once, on the writer's thread, where the store fails.
    pub failed: fn(&StoreError, &Health),
}

/// What runs.
pub struct Running {
    /// Says that the writer has ended.
    pub writer_ended: oneshot::Receiver<()>,
    /// The threads.
    pub threads: Threads,
}

/// The threads, for whoever waits for their end.
pub struct Threads {
    writer: JoinHandle<Result<(), StoreError>>,
    telemetry: JoinHandle<()>,
}

/// Why the inner daemon does not start.
#[derive(Debug, thiserror::Error)]
pub enum NotStarted {
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system gives no thread.
    #[error("start a thread: {0}")]
    Thread(std::io::Error),
}

/// Loads the store and starts the writer. What it asks of the world comes out of the channel, which holds at most one effect for each message and rule.
///
/// # Errors
/// The store cannot be loaded, or there is no thread.
pub fn start(beginning: Beginning) -> Result<(Shared, Running, mpsc::UnboundedReceiver<Effect>), NotStarted> {
    let Beginning { config, clock, mut store, world, templates, suspects, failed } = beginning;
    let (state, loaded) = store.load_state(&world.cmdb)?;
    info!(rows = loaded.rows, pages = loaded.pages, blocks = loaded.blocks, "The store was loaded.");
    let (reader, link_key) = (store.reader(), store.link_key()?);
    let (health, metrics) = (Arc::<Health>::default(), Arc::<Metrics>::default());
    let (seq, now, board) = (state.counters.seq, state.counters.last_now, Board::of(&state));
    let current = Current::new(Published { seq, now, world, templates, board: board.clone() }, Arc::clone(&clock));
    let (telemetry, counted, telemetry_thread) = telemetry::spawn(Arc::clone(&metrics), board).map_err(NotStarted::Thread)?;
    let (events, keeps) = Events::new(reader.clone(), seq);
    let (asks, effects) = mpsc::unbounded_channel();
    let parts = writer::Parts {
        store,
        state,
        current: current.clone(),
        clock: Arc::clone(&clock),
        health: Arc::clone(&health),
        feed: vec![Box::new(telemetry), Box::new(keeps)],
        suspects,
        dispatch: Box::new(move |wanted| {
            for effect in wanted {
                // Without a worker the daemon stops, and the next start asks again.
                asks.send(effect).ok();
            }
        }),
    };
    let (thread, writer) = writer::new(parts, config.limits.in_flight_bytes);
    let (ended, writer_ended) = oneshot::channel();
    let alive = Arc::clone(&health);
    let work = move || {
        let result = thread.run();
        if let Err(error) = &result {
            failed(error, &alive);
        }
        // Nobody listens any more where the daemon stops anyway.
        ended.send(()).ok();
        result
    };
    let builder = thread::Builder::new().name("writer".to_owned()).stack_size(WRITER_STACK_BYTES);
    let thread = builder.spawn(work).map_err(NotStarted::Thread)?;
    let shared = Shared { config, clock, health, metrics, counted, current, events, writer, reader, link_key };
    Ok((shared, Running { writer_ended, threads: Threads { writer: thread, telemetry: telemetry_thread } }, effects))
}

impl Threads {
    /// Waits for the end of the writer and of what hears of its commits.
    ///
    /// # Errors
    /// A thread panicked.
    pub fn join(self) -> thread::Result<Result<(), StoreError>> {
        let written = self.writer.join();
        self.telemetry.join()?;
        written
    }
}
