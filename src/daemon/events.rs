//! What happened, as programs outside hear of it: each fact that means something to them, with a cursor to go on from.
//!
//! While anybody follows, the last commits are kept in memory; whoever is further behind reads the journal on disk, and who is behind that too is told so. Nothing is
//! kept for a reader: each asks for what comes after its cursor, so a slow one costs what it reads and holds up nobody.

use std::collections::VecDeque;
use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use minicbor::{Decode, Encode};
use tokio::sync::watch;
use watchkeeper_engine::block::Block;
use watchkeeper_engine::fact::Fact;
use watchkeeper_engine::model::incident::Entry;
use watchkeeper_engine::model::{alert, health, message, silence, system};
use watchkeeper_engine::state::rows;
use watchkeeper_engine::text::one_line;
use watchkeeper_engine::time::Time;
use watchkeeper_store::{Archive, Reader};

use crate::feed::{Committed, Subscriber};
use crate::read::ReadError;

/// Commits kept in memory: some seconds of a busy daemon. Beyond it, or beyond [`RECENT_WEIGHT_MAX`], the journal on disk is read.
const RECENT_COMMITS_MAX: usize = 256;
/// Facts and inputs of the commits kept in memory: some 50 MiB at most.
const RECENT_WEIGHT_MAX: usize = 50_000;
/// How long after the last question commits are kept for the next one: a stream asks every 15 seconds, and a poll waits for 55 at most.
const FOLLOWED_FOR: Duration = Duration::from_secs(60);
/// Blocks that one reading looks at; then the reader goes on from there.
const BLOCKS_MAX: u64 = 64;

/// A place in what happened: after one fact of a commit, or after all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Cursor {
    #[n(0)]
    seq: u64,
    #[n(1)]
    fact: u32,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happened {
    /// Where to go on after it.
    pub cursor: Cursor,
    /// When.
    pub at: Time,
    /// To what kind of thing.
    pub kind: &'static str,
    /// To which.
    pub subject: String,
    /// What, in a sentence without a subject.
    pub what: String,
    /// Why; may be empty.
    pub because: String,
    /// By whom: a name, or `watchkeeper`.
    pub actor: String,
}

/// A part of what happened, as the reader wants to know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<T> {
    /// The events, in order; may be none.
    pub events: Vec<T>,
    /// Where to go on, also where there are none.
    pub next: Cursor,
}

/// Why there is no part.
#[derive(Debug, thiserror::Error)]
pub enum NoEvents {
    /// What comes after the cursor has left for the archives, or never was: the store is another.
    #[error("what came after this cursor is no longer here; begin anew without one")]
    Gone,
    /// The daemon stops.
    #[error("the daemon is stopping")]
    Stopping,
    /// The journal cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// What happened, for readers. Cheap to clone.
#[derive(Clone)]
pub struct Events {
    recent: Arc<Recent>,
    reader: Reader,
}

/// The feed's end: keeps the last commits.
pub struct Keeps(Arc<Recent>);

struct Recent {
    kept: Mutex<Kept>,
    head: watch::Sender<Head>,
}

#[derive(Default)]
struct Kept {
    commits: VecDeque<KeptCommit>,
    weight: usize,
    /// When somebody asked last.
    asked_at: Option<Instant>,
}

struct KeptCommit {
    seq: u64,
    weight: usize,
    /// `None` where all of it is repeats, of which nobody hears: their inputs would be most of what is kept.
    committed: Option<Arc<Committed>>,
}

/// The last commit, and whether more may come.
#[derive(Debug, Clone, Copy)]
struct Head {
    seq: u64,
    is_open: bool,
}

impl Cursor {
    /// After a whole commit.
    pub const fn after(seq: u64) -> Cursor {
        Cursor { seq, fact: u32::MAX }
    }

    /// Commits between this place and a later one.
    pub const fn commits_until(self, later: Cursor) -> u64 {
        later.seq.saturating_sub(self.seq)
    }

    /// The first commit of which something comes after it.
    const fn next_seq(self) -> u64 {
        if self.fact == u32::MAX || self.seq == 0 { self.seq + 1 } else { self.seq }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.fact == u32::MAX { write!(f, "{}", self.seq) } else { write!(f, "{}.{}", self.seq, self.fact) }
    }
}

impl FromStr for Cursor {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Cursor, Self::Err> {
        Ok(match text.split_once('.') {
            None => Cursor::after(text.parse()?),
            Some((seq, fact)) => Cursor { seq: seq.parse()?, fact: fact.parse()? },
        })
    }
}

impl Subscriber for Keeps {
    fn hear(&mut self, committed: &Arc<Committed>) {
        let mut kept = self.0.kept();
        if kept.asked_at.is_some_and(|asked_at| asked_at.elapsed() < FOLLOWED_FOR) {
            kept.keep(committed);
        } else {
            *kept = Kept::default();
        }
        drop(kept);
        self.0.head.send_modify(|head| head.seq = committed.published.seq);
    }
}

impl Kept {
    fn keep(&mut self, committed: &Arc<Committed>) {
        let is_repeats = committed.facts().all(|fact| matches!(fact, Fact::Alert(alert::Fact::Seen { .. })));
        let (weight, kept) = if is_repeats { (1, None) } else { (committed.weight(), Some(Arc::clone(committed))) };
        self.weight += weight;
        self.commits.push_back(KeptCommit { seq: committed.block.seq, weight, committed: kept });
        while self.commits.len() > RECENT_COMMITS_MAX || (self.weight > RECENT_WEIGHT_MAX && self.commits.len() > 1) {
            let Some(oldest) = self.commits.pop_front() else { break };
            self.weight -= oldest.weight;
        }
    }
}

impl Events {
    /// Begins after the last commit that is on disk.
    pub fn new(reader: Reader, seq: u64) -> (Events, Keeps) {
        let recent = Arc::new(Recent { kept: Mutex::default(), head: watch::Sender::new(Head { seq, is_open: true }) });
        (Events { recent: Arc::clone(&recent), reader }, Keeps(recent))
    }

    /// After all that has happened. Whoever asks for that follows from there.
    pub fn now(&self) -> Cursor {
        self.recent.kept().asked_at = Some(Instant::now());
        Cursor::after(self.recent.head.borrow().seq)
    }

    /// Says that nothing more comes: who waits is told so.
    pub fn close(&self) {
        self.recent.head.send_modify(|head| head.is_open = false);
    }

    /// What happened after a cursor, at most `most` events, as `told` has it; where there is nothing yet, waits for it, but not longer than `patience`.
    ///
    /// # Errors
    /// It is no longer there, or the daemon stops.
    pub async fn wait<T>(
        &self,
        mut after: Cursor,
        most: usize,
        patience: Duration,
        told: impl Fn(Cursor, &Fact, Time) -> Option<T>,
    ) -> Result<Part<T>, NoEvents> {
        self.recent.kept().asked_at = Some(Instant::now());
        let mut head = self.recent.head.subscribe();
        let end = tokio::time::Instant::now() + patience;
        loop {
            let Head { seq, is_open } = *head.borrow_and_update();
            let part = self.read(after, seq, most, &told).await?;
            if !part.events.is_empty() {
                return Ok(part);
            }
            after = part.next;
            if after < Cursor::after(seq) {
                continue;
            }
            if !is_open {
                return Err(NoEvents::Stopping);
            }
            // An end of the wait is no end of the events.
            if tokio::time::timeout_at(end, head.changed()).await.is_err() {
                return Ok(Part { events: Vec::new(), next: after });
            }
        }
    }

    /// As [`Events::wait`], of what has left the store for an archive in the folder `dir`; `None` where no archive has it. Reads a whole archive.
    ///
    /// # Errors
    /// An archive cannot be read.
    pub fn archived<T>(
        &self,
        dir: &Path,
        after: Cursor,
        most: usize,
        told: impl Fn(Cursor, &Fact, Time) -> Option<T>,
    ) -> Result<Option<Part<T>>, ReadError> {
        let seq = after.next_seq();
        let Some(archive) = Archive::list(dir)?.into_iter().find(|archive| (archive.first..=archive.last).contains(&seq)) else {
            return Ok(None);
        };
        let mut part = Part { events: Vec::new(), next: after };
        for stored in archive.read()?.iter().filter(|stored| stored.seq >= seq) {
            part.take(&rows::decode("blocks", &stored.bytes)?, after, most, &told);
            if part.events.len() >= most {
                break;
            }
        }
        Ok(Some(part))
    }

    /// Before all that is left of what came after a cursor, in archives in the folder `dir` or in the store.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn earliest(&self, dir: &Path, after: Cursor) -> Result<Cursor, ReadError> {
        let stored = self.reader.snapshot()?.first_block()?.map(|(seq, _)| seq);
        let firsts = Archive::list(dir)?.into_iter().map(|archive| archive.first).chain(stored);
        let first = firsts.filter(|seq| *seq > after.next_seq()).min();
        Ok(first.map_or_else(|| self.now(), |seq| Cursor::after(seq - 1)))
    }

    /// What happened after a cursor up to the commit `head`.
    async fn read<T>(
        &self,
        after: Cursor,
        head: u64,
        most: usize,
        told: &impl Fn(Cursor, &Fact, Time) -> Option<T>,
    ) -> Result<Part<T>, NoEvents> {
        if after.seq > head {
            return Err(NoEvents::Gone);
        }
        let first = after.next_seq();
        let mut part = Part { events: Vec::new(), next: after };
        for seq in first..=head.min(first.saturating_add(BLOCKS_MAX)) {
            let known = self.recent.get(seq);
            match known {
                Some(Some(committed)) => part.take(&committed.block, after, most, told),
                Some(None) => part.next = Cursor::after(seq),
                None => part.take(&self.stored(seq).await?, after, most, told),
            }
            if part.events.len() >= most {
                break;
            }
        }
        Ok(part)
    }

    async fn stored(&self, seq: u64) -> Result<Block, NoEvents> {
        let reader = self.reader.clone();
        let read = move || -> Result<Option<Block>, ReadError> {
            let Some(stored) = reader.block(seq)? else { return Ok(None) };
            Ok(Some(rows::decode("blocks", &stored.bytes)?))
        };
        let block = tokio::task::spawn_blocking(read).await.map_err(|_| NoEvents::Stopping)??;
        block.ok_or(NoEvents::Gone)
    }
}

impl Recent {
    /// A commit that is kept; `Some(None)`: nobody hears of it.
    fn get(&self, seq: u64) -> Option<Option<Arc<Committed>>> {
        let kept = self.kept();
        let first = kept.commits.front()?.seq;
        let at = usize::try_from(seq.checked_sub(first)?).ok()?;
        kept.commits.get(at).filter(|commit| commit.seq == seq).map(|commit| commit.committed.clone())
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("no holder of the commits panics")
    }
}

impl<T> Part<T> {
    /// Takes what of a block comes after a cursor, until there are `most` events.
    fn take(&mut self, block: &Block, after: Cursor, most: usize, told: &impl Fn(Cursor, &Fact, Time) -> Option<T>) {
        let facts = block.entries.iter().flat_map(|entry| &entry.facts);
        for (no, fact) in (0..u32::MAX).zip(facts) {
            let cursor = Cursor { seq: block.seq, fact: no };
            if cursor > after
                && let Some(event) = told(cursor, fact, block.now)
            {
                if self.events.len() >= most {
                    return;
                }
                self.events.push(event);
            }
            self.next = self.next.max(cursor);
        }
        self.next = Cursor::after(block.seq);
    }
}

impl Happened {
    /// What the fact at a place of the journal means outside; `None`: nothing.
    pub fn of(cursor: Cursor, fact: &Fact, at: Time) -> Option<Happened> {
        let (kind, subject, Entry { at, what, because, actor }) = told(fact, at)?;
        Some(Happened { cursor, at, kind, subject, what, because, actor })
    }
}

fn told(fact: &Fact, at: Time) -> Option<(&'static str, String, Entry)> {
    let own = |what: String, because: String| Entry { at, what, because, actor: "watchkeeper".to_owned() };
    match fact {
        Fact::Incident(fact) => Some(("incident", fact.id().to_string(), fact.entry(at)?)),
        Fact::Problem(fact) => Some(("problem", fact.id()?.to_string(), fact.entry(at)?)),
        Fact::Alert(fact) => {
            let (id, what, because) = match fact {
                alert::Fact::Opened { alert, .. } => (alert.id, format!("fires: {}", one_line(&alert.name)), String::new()),
                alert::Fact::Refired { id, .. } => (*id, "fires again".to_owned(), String::new()),
                alert::Fact::SeverityChanged { id, severity } => (*id, format!("severity {severity}"), String::new()),
                alert::Fact::Judged { id, state, .. } => (*id, state.word().to_owned(), String::new()),
                alert::Fact::Cleared { id, because, .. } => (*id, "cleared".to_owned(), because.to_string()),
                alert::Fact::Seen { .. }
                | alert::Fact::Matched { .. }
                | alert::Fact::SetApart { .. }
                | alert::Fact::RejudgeArmed { .. }
                | alert::Fact::Rejected { .. }
                | alert::Fact::Forgotten { .. }
                | alert::Fact::OverBeforeKnown { .. }
                | alert::Fact::ForgetArmed { .. } => return None,
            };
            Some(("alert", id.to_string(), own(what, because)))
        }
        Fact::Silence(fact) => {
            let (id, what, actor) = match fact {
                silence::Fact::Set { silence } => (silence.id, format!("set until {}", silence.ends_at), silence.created_by.as_str()),
                silence::Fact::Expired { id, actor } => (*id, "expired".to_owned(), actor.as_str()),
                silence::Fact::Forgotten { .. } => return None,
            };
            Some(("silence", id.to_string(), Entry { actor: actor.to_owned(), ..own(what, String::new()) }))
        }
        Fact::Message(fact) => {
            let (id, what, because) = match fact {
                message::Fact::Planned { message } => (message.id, format!("planned ({})", message.reason), String::new()),
                message::Fact::Delivered { id } => (*id, "delivered".to_owned(), String::new()),
                message::Fact::Failed { id, error, retry_at: Some(_) } => {
                    (*id, "not delivered, to be tried again".to_owned(), error.clone())
                }
                message::Fact::Failed { id, error, retry_at: None } => (*id, "given up".to_owned(), error.clone()),
                message::Fact::Revived { message, .. } => (message.id, "to be tried again".to_owned(), String::new()),
                message::Fact::Rendered { .. } | message::Fact::Hurried { .. } => return None,
            };
            Some(("message", id.to_string(), own(what, because)))
        }
        Fact::System(system::Fact::Started { .. }) => Some(("daemon", "watchkeeper".to_owned(), own("started".to_owned(), String::new()))),
        Fact::System(system::Fact::WorldAdopted { policy, cmdb, .. }) => {
            let what = format!("rules {policy} and CMDB version {cmdb} came into force");
            Some(("daemon", "watchkeeper".to_owned(), own(what, String::new())))
        }
        Fact::Health(health::Fact::Changed { change }) => {
            let what =
                if change.is_end() { format!("unknown, was {}", change.from) } else { format!("{}, was {}", change.to, change.from) };
            Some(("ci", one_line(&change.id), Entry { at: change.at, ..own(what, change.why.to_string()) }))
        }
        Fact::Health(health::Fact::Left) => None,
        Fact::System(_) | Fact::Realm(_) | Fact::Cursor(_) | Fact::Digest(_) | Fact::Job(_) | Fact::Terms(_) | Fact::Capacity(_) => None,
    }
}
