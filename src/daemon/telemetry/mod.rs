//! What is seen from outside: log lines, counters and gauges of business facts, made from the committed feed on a thread of its own.
//!
//! The writer never waits for it. Where this thread lags behind by more than a bound, the writer counts the commits itself, which needs no waiting; their log
//! lines are left out, a line says how many commits that were, and the gauges are shown anew from the last board. So counters are exact whatever happens.

mod counts;
mod gauges;
mod lines;
mod metrics;
mod output;

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tracing::warn;

use crate::board::Board;
use crate::feed::{Committed, Subscriber};

pub use metrics::Metrics;
pub use output::{flush_log, start_log};

use gauges::Gauges;
use lines::Lines;

/// Commits that wait for this thread. Beyond it, or beyond [`WAITING_WEIGHT_MAX`], the writer only counts.
const WAITING_COMMITS_MAX: usize = 256;
/// Facts and inputs of the commits that wait: some 100 MiB at most.
const WAITING_WEIGHT_MAX: usize = 100_000;
/// How often this thread looks at what it has held back, where nothing comes.
const TICK: Duration = Duration::from_secs(5);
/// How long a scrape waits for this thread to have counted what was committed before it.
const SCRAPE_WAIT: Duration = Duration::from_secs(1);

/// The writer's end of the thread.
pub struct Telemetry {
    inbox: Arc<Inbox>,
}

/// How far the thread is. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Counted {
    seq: watch::Receiver<u64>,
}

struct Inbox {
    queue: Mutex<Queue>,
    arrived: Condvar,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Arc<Committed>>,
    weight: usize,
    /// How many commits came when there was no room, and the last of them. They are counted already.
    left_out: Option<(u64, Arc<Committed>)>,
    ended: bool,
}

/// Starts the thread, with what a start has loaded. It ends when the writer drops its end.
///
/// # Errors
/// The system gives no thread.
pub fn spawn(metrics: Arc<Metrics>, board: Board) -> std::io::Result<(Telemetry, Counted, JoinHandle<()>)> {
    let inbox = Arc::new(Inbox { queue: Mutex::default(), arrived: Condvar::new(), metrics });
    let (counted, seq) = watch::channel(0);
    let theirs = Arc::clone(&inbox);
    let thread = thread::Builder::new().name("telemetry".to_owned()).spawn(move || theirs.run(board, &counted))?;
    Ok((Telemetry { inbox }, Counted { seq }, thread))
}

impl Subscriber for Telemetry {
    fn hear(&mut self, committed: &Arc<Committed>) {
        self.inbox.put(committed);
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        self.inbox.lock().ended = true;
        self.inbox.arrived.notify_one();
    }
}

impl Counted {
    /// Waits until everything up to a commit is counted, but not for long.
    pub async fn through(&self, seq: u64) {
        let mut counted = self.seq.clone();
        // A thread that is gone or slow does not keep a scrape waiting.
        tokio::time::timeout(SCRAPE_WAIT, counted.wait_for(|counted| *counted >= seq)).await.ok();
    }
}

impl Inbox {
    fn put(&self, committed: &Arc<Committed>) {
        let mut queue = self.lock();
        let weight = committed.weight();
        let is_full = queue.waiting.len() >= WAITING_COMMITS_MAX || queue.weight + weight > WAITING_WEIGHT_MAX;
        if queue.left_out.is_some() || (is_full && !queue.waiting.is_empty()) {
            let before = queue.left_out.take().map_or(0, |(commits, _)| commits);
            queue.left_out = Some((before + 1, Arc::clone(committed)));
            drop(queue);
            counts::count(&self.metrics, committed);
            return;
        }
        queue.weight += weight;
        queue.waiting.push_back(Arc::clone(committed));
        drop(queue);
        self.arrived.notify_one();
    }

    fn run(&self, board: Board, counted: &watch::Sender<u64>) {
        let (mut gauges, mut lines, mut dropped) = (Gauges::new(&self.metrics, board), Lines::default(), 0);
        loop {
            let Queue { waiting, left_out, ended, .. } = self.take();
            for committed in &waiting {
                counts::count(&self.metrics, committed);
                gauges.show(&self.metrics, committed);
                lines.say(committed);
                counted.send_replace(committed.published.seq);
            }
            if let Some((commits, last)) = left_out {
                warn!(commits, "The log lines of some commits were left out: telemetry was too slow for the writer.");
                gauges.catch_up(&self.metrics, &last);
                counted.send_replace(last.published.seq);
            }
            lines.tick(Instant::now());
            let all = output::lines_dropped();
            self.metrics.log_lines_dropped.inc_by(all.saturating_sub(std::mem::replace(&mut dropped, all)));
            if ended {
                lines.end();
                return;
            }
        }
    }

    /// All that waits.
    fn take(&self) -> Queue {
        let nothing = |queue: &mut Queue| queue.waiting.is_empty() && queue.left_out.is_none() && !queue.ended;
        let (mut queue, _) = self.arrived.wait_timeout_while(self.lock(), TICK, nothing).expect("no holder of the queue panics");
        let ended = queue.ended;
        std::mem::replace(&mut *queue, Queue { ended, ..Queue::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect("no holder of the queue panics")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use watchkeeper_engine::block::{Block, FORMAT};
    use watchkeeper_engine::cmdb::Cmdb;
    use watchkeeper_engine::event::{Settings, World};
    use watchkeeper_engine::policy::Policy;
    use watchkeeper_engine::time::Time;

    use super::*;
    use crate::feed::Measured;
    use crate::mail::Templates;
    use crate::published::Published;

    fn committed(seq: u64, world: &World, templates: &Arc<Templates>) -> Arc<Committed> {
        let block = Block { format: FORMAT, seq, now: Time(0), policy: String::new(), cmdb: 0, before: 0, entries: Vec::new() };
        let (world, templates) = (world.clone(), Arc::clone(templates));
        let published = Arc::new(Published { seq, now: Time(0), world, templates, board: Board::default() });
        let measured = Measured {
            received: BTreeMap::from([("prom".to_owned(), 3)]),
            waited: vec![Duration::from_millis(1)],
            events: 3,
            block_bytes: 10,
            letters: usize::try_from(seq).unwrap_or(0),
            letters_dropped: 0,
            dearest: None,
            took: Duration::from_millis(1),
        };
        Arc::new(Committed { block, touched: BTreeSet::new(), published, measured })
    }

    #[test]
    fn commits_beyond_the_bound_are_counted_all_the_same() {
        let world = World { policy: Arc::new(Policy::builtin()), cmdb: Arc::new(Cmdb::default()), settings: Arc::new(Settings::default()) };
        let templates = Arc::new(Templates::ours());
        let metrics = Arc::new(Metrics::new());
        let inbox = Inbox { queue: Mutex::default(), arrived: Condvar::new(), metrics: Arc::clone(&metrics) };
        let commits = WAITING_COMMITS_MAX as u64 + 100;
        for seq in 1..=commits {
            inbox.put(&committed(seq, &world, &templates));
        }
        assert!(inbox.lock().waiting.len() == WAITING_COMMITS_MAX, "the bound holds");
        inbox.lock().ended = true;
        let (counted, seq) = watch::channel(0);
        inbox.run(Board::default(), &counted);
        assert_eq!(*seq.borrow(), commits);
        assert_eq!(metrics.events_received.with_label_values(&["prom"]).get(), 3 * commits);
        assert_eq!(metrics.events_accepted.with_label_values(&["prom"]).get(), 3 * commits);
        assert_eq!((metrics.commit_seconds.get_sample_count(), metrics.acknowledgement_seconds.get_sample_count()), (commits, commits));
        assert_eq!(metrics.dead_letters.get(), i64::try_from(commits).unwrap_or(0), "a gauge shows the last commit");
    }
}
