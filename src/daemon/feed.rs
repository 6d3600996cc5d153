//! The committed feed: each batch that is on disk, to whoever wants to hear of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use watchkeeper_engine::block::Block;
use watchkeeper_engine::expr::Dearest;
use watchkeeper_engine::fact::Fact;
use watchkeeper_engine::state::rows::Row;

use crate::published::Published;

/// A batch that is on disk.
#[derive(Debug)]
pub struct Committed {
    /// Its block: what came in, and the facts.
    pub block: Block,
    /// The rows it touched.
    pub touched: BTreeSet<Row>,
    /// What there is after it.
    pub published: Arc<Published>,
    /// How it went.
    pub measured: Measured,
}

/// What is measured of a batch.
#[derive(Debug)]
pub struct Measured {
    /// Alerts that came in, by source.
    pub received: BTreeMap<String, u64>,
    /// How long each who is answered has waited.
    pub waited: Vec<Duration>,
    /// Events, each alert of a request counted.
    pub events: usize,
    /// Bytes of the block.
    pub block_bytes: usize,
    /// Dead letters that are kept.
    pub letters: usize,
    /// Dead letters that went for want of room.
    pub letters_dropped: u64,
    /// The dearest rule, where conditions were given up because all together had cost too much.
    pub dearest: Option<Dearest>,
    /// How long it took to write.
    pub took: Duration,
}

/// Somebody who hears of each commit, on the writer's thread, before anybody is answered.
///
/// It must not wait: what takes longer is put where another thread finds it, within a bound, and the subscriber says what it does beyond that.
pub trait Subscriber: Send {
    /// A batch is on disk.
    fn hear(&mut self, committed: &Arc<Committed>);
}

impl Committed {
    /// What happened, in order.
    pub fn facts(&self) -> impl Iterator<Item = &Fact> {
        self.block.entries.iter().flat_map(|entry| &entry.facts)
    }

    /// About how much memory it holds, in facts and inputs.
    pub fn weight(&self) -> usize {
        self.block.entries.iter().map(|entry| 1 + entry.facts.len()).sum::<usize>() + self.measured.events
    }
}
