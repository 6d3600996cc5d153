//! What is in force and what lives, as of one commit: World, templates and board, swapped whole, so that nobody sees the rules of one commit with the incidents of
//! another. Beside it the time that everything is decided by. Whoever reads asks nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::{ArcSwap, Guard};
use watchkeeper_engine::event::World;
use watchkeeper_engine::time::Time;

use crate::board::Board;
use crate::clock::Clock;
use crate::mail::Templates;

/// What there is after one commit.
#[derive(Debug, Clone)]
pub struct Published {
    /// The commit.
    pub seq: u64,
    /// The time it was decided by.
    pub now: Time,
    /// The rules and the CMDB in force.
    pub world: World,
    /// The templates that came with them.
    pub templates: Arc<Templates>,
    /// What lives.
    pub board: Board,
}

/// Where the last commit is published, before anybody is answered. Cheap to clone.
#[derive(Clone)]
pub struct Current {
    published: Arc<ArcSwap<Published>>,
    hands: Arc<Hands>,
}

/// The writer's clock as a difference to the monotonic one, so that it runs between two readings.
struct Hands {
    clock: Arc<dyn Clock>,
    ahead_ms: AtomicI64,
}

impl Current {
    /// Begins with what a start has loaded.
    pub fn new(first: Published, clock: Arc<dyn Clock>) -> Current {
        let hands = Hands { ahead_ms: AtomicI64::new(clock.wall().max(first.now).0 - clock.monotonic().0), clock };
        Current { published: Arc::new(ArcSwap::from_pointee(first)), hands: Arc::new(hands) }
    }

    /// The last commit; not to be held across an await.
    pub fn load(&self) -> Guard<Arc<Published>> {
        self.published.load()
    }

    /// The last commit, to be kept.
    pub fn load_full(&self) -> Arc<Published> {
        self.published.load_full()
    }

    /// The rules and the CMDB in force.
    pub fn world(&self) -> World {
        self.load().world.clone()
    }

    /// The time that a batch would be decided by now.
    pub fn now(&self) -> Time {
        Time(self.hands.clock.monotonic().0 + self.hands.ahead_ms.load(Ordering::Relaxed))
    }

    /// Shows a commit. Only the writer does.
    pub(crate) fn publish(&self, next: Arc<Published>) {
        self.published.store(next);
    }

    /// The writer has read its clock.
    pub(crate) fn set_time(&self, now: Time) {
        self.hands.ahead_ms.store(now.0 - self.hands.clock.monotonic().0, Ordering::Relaxed);
    }
}
