//! Which connections are open, and which of them gives way when there is no room for another.
//!
//! An idle connection costs its client little to open and little to lose, so a new connection is accepted and the one that has been idle longest is closed, clients
//! that never showed a token first. A connection whose request is being answered is never closed. A few connections beyond the limit are accepted for one request
//! each, so that probes are answered even while every other connection is busy.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::trust::Peer;

/// Connections that are taken beyond the limit, each for one request: who asks whether the daemon lives is answered, everybody else is told to come again.
pub const SPARE_CONNECTIONS: usize = 32;

/// What connections there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// In all, without the spare ones.
    pub all: usize,
    /// From one address of another machine. Connections from this machine are not limited by address, because a proxy may hold them for many clients.
    pub each: usize,
}

/// The open connections of all listeners. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Connections(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bounds: Bounds,
    began: Instant,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    open: BTreeMap<u64, Open>,
    spare: BTreeMap<u64, Open>,
    by_address: BTreeMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Open {
    address: Option<IpAddr>,
    about: Arc<About>,
}

/// Whether a connection is one of those that the limit allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// It is.
    Own,
    /// It is one of the few beyond.
    Spare,
}

/// A connection's place among the open ones; given back when dropped.
#[derive(Debug)]
pub struct Place {
    connections: Connections,
    id: u64,
    /// Whether it is within the limit.
    pub room: Room,
    /// What it is about.
    pub about: Arc<About>,
}

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// The header of a request is awaited: the first one's from the beginning, a later one's from its first byte.
    Header = 0,
    /// A request is read or answered.
    Request = 1,
    /// The body of a request is awaited whose sender is not known yet.
    Stranger = 2,
    /// An answer is given and no further request has begun.
    Idle = 3,
}

/// What a connection is about: shared by its stream, which keeps the deadlines, by what serves its requests, and by the table that may end it.
#[derive(Debug)]
pub struct About {
    began: Instant,
    phase: AtomicU8,
    since: AtomicU64,
    known: AtomicBool,
    leave: Notify,
}

impl About {
    fn new(began: Instant) -> About {
        let about = About {
            began,
            phase: AtomicU8::new(Phase::Header as u8),
            since: AtomicU64::new(0),
            known: AtomicBool::new(false),
            leave: Notify::new(),
        };
        about.enter(Phase::Header);
        about
    }

    /// What it is doing.
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Header,
            1 => Phase::Request,
            2 => Phase::Stranger,
            _ => Phase::Idle,
        }
    }

    /// It begins to do something else.
    pub fn enter(&self, phase: Phase) {
        let millis = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.since.store(millis, Ordering::Release);
        self.phase.store(phase as u8, Ordering::Release);
    }

    /// Its client has shown who it is.
    pub fn is_known(&self) {
        self.known.store(true, Ordering::Release);
    }

    /// Until it is told to give way to another.
    pub async fn told_to_leave(&self) {
        self.leave.notified().await;
    }

    /// Who goes first where one has to: strangers, then by how long they have been waiting. `None`: its request is being answered.
    fn rank(&self) -> Option<(bool, u64)> {
        match self.phase() {
            Phase::Request => None,
            Phase::Header | Phase::Stranger | Phase::Idle => Some((self.known.load(Ordering::Acquire), self.since.load(Ordering::Acquire))),
        }
    }
}

impl Connections {
    /// No connection is open yet.
    pub fn new(bounds: Bounds) -> Connections {
        Connections(Arc::new(Inner { bounds, began: Instant::now(), table: Mutex::default() }))
    }

    /// A place for a connection that was accepted. Where none is free, the one goes that has waited longest; `None`: nobody waits, and the spare ones are at work.
    pub fn enter(&self, peer: Peer) -> Option<Place> {
        let Bounds { all, each } = self.0.bounds;
        let address = peer.elsewhere();
        let mut table = self.table();
        let of_address = address.and_then(|address| table.by_address.get(&address).copied()).unwrap_or(0);
        let has_room = if of_address >= each {
            table.make_room(|open| open.address == address)
        } else {
            table.open.len() < all || table.make_room(|_| true)
        };
        let room = if has_room {
            Room::Own
        } else if table.spare.len() < SPARE_CONNECTIONS || table.make_spare_room() {
            Room::Spare
        } else {
            return None;
        };
        let about = Arc::new(About::new(self.0.began));
        let id = table.next;
        table.next += 1;
        let open = Open { address, about: about.clone() };
        match room {
            Room::Own => {
                table.open.insert(id, open);
                if let Some(address) = address {
                    *table.by_address.entry(address).or_default() += 1;
                }
            }
            Room::Spare => drop(table.spare.insert(id, open)),
        }
        drop(table);
        Some(Place { connections: self.clone(), id, room, about })
    }

    /// How many are open, without the spare ones.
    pub fn open(&self) -> usize {
        self.table().open.len()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Has the connection leave that has waited longest among some; false: none of them waits. Looks at each of them: a microsecond a hundred.
    fn make_room(&mut self, among: impl Fn(&Open) -> bool) -> bool {
        let waiting = self.open.iter().filter(|(_, open)| among(open)).filter_map(|(id, open)| Some((open.about.rank()?, *id)));
        let Some((_, id)) = waiting.min() else { return false };
        self.remove(id);
        true
    }

    fn make_spare_room(&mut self) -> bool {
        let waiting = self.spare.iter().filter_map(|(id, open)| Some((open.about.rank()?, *id)));
        let Some((_, id)) = waiting.min() else { return false };
        self.remove(id);
        true
    }

    /// Takes a connection out and tells it to leave. One that was told before, or has ended, is not there.
    fn remove(&mut self, id: u64) {
        if let Some(open) = self.spare.remove(&id) {
            open.about.leave.notify_one();
        }
        let Some(open) = self.open.remove(&id) else { return };
        open.about.leave.notify_one();
        if let Some(address) = open.address
            && let Some(count) = self.by_address.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                self.by_address.remove(&address);
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.table().remove(self.id);
    }
}
