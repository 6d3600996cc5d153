//! Records: what lives from the board, what is past and what belongs to a record from the store, a page of rows a snapshot, never on the runtime's own threads.
//!
//! What neither can say (counts of repeats, last seen, health) is one bounded question to the writer: [`live`].

mod health;
mod letters;
mod lists;
pub mod live;
mod sieve;

pub use lists::{Among, Candidates, Places};
pub use sieve::Sieve;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use watchkeeper_engine::ids::{AlertId, IncidentId, MessageId, ProblemId, SilenceId, TermsId};
use watchkeeper_engine::model::incident::clock::LiveTerms;
use watchkeeper_engine::model::incident::{Entry, Incident, Member};
use watchkeeper_engine::model::message::{Message, Sending};
use watchkeeper_engine::model::problem::Problem;
use watchkeeper_engine::model::silence::Silence;
use watchkeeper_engine::policy::slas::Terms;
use watchkeeper_engine::state::rows::{self, AlertRow, RowFault};
use watchkeeper_engine::time::Time;
use watchkeeper_store::{Backup, Direction, Reader, Snapshot, StoreError, Table};

use crate::board::Board;
use crate::published::Current;

/// Rows that one request looks at before it answers with what it found and a cursor: some tenths of a second.
pub const SCAN_ROWS_MAX: usize = 20_000;

/// Rows that a list in another order than that of ids looks at, because it must see all. Beyond it the list is refused.
pub const SORT_ROWS_MAX: usize = 200_000;

/// Rows of one page of a snapshot; the store's own bound.
const PAGE_ROWS: usize = 500;

/// Members and timeline entries of one incident that are read; the latest count.
pub const PARTS_MAX: usize = 1_000;

/// Why records could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A row is not what this release writes.
    #[error(transparent)]
    Row(#[from] RowFault),
    /// More rows than a list in this order looks at.
    #[error("a list in this order looks at {SORT_ROWS_MAX} records at most")]
    TooMany,
    /// The runtime stops.
    #[error("the daemon is stopping")]
    Stopping,
}

/// A kind of record: its tables and how its rows are read.
pub trait Record: Sized + Send + 'static {
    /// The table of what lives.
    const LIVE: rows::Table;
    /// The table of what is past.
    const PAST: rows::Table;
    /// The tables of its second rows, live and past, where it is two: each is read behind the first.
    const SECOND: Option<(rows::Table, rows::Table)> = None;

    /// Reads a row, and the second behind it.
    ///
    /// # Errors
    /// It is not what this release writes.
    fn decode(bytes: &[u8]) -> Result<Self, RowFault>;

    /// When it came to be: its place in a list.
    fn since(&self) -> Time;

    /// What lives from `from` on, where the board holds records of this kind whole; else it is read from the store.
    fn live(_: &Board, _: Option<u64>, _: Order) -> Option<Lives<'_, Self>> {
        None
    }
}

/// Records that live, in the order of ids.
pub type Lives<'a, T> = Box<dyn Iterator<Item = (u64, Arc<T>)> + 'a>;

/// The values of a map from an id on, in an order.
fn walk<'a, K, V, T>(
    map: impl Fn(std::ops::RangeInclusive<K>) -> V,
    id: fn(u64) -> K,
    from: Option<u64>,
    order: Order,
    record: impl Fn(V::Item) -> (u64, Arc<T>) + 'a,
) -> Lives<'a, T>
where
    V: DoubleEndedIterator + 'a,
    T: 'a,
{
    match order {
        Order::OldestFirst => Box::new(map(id(from.unwrap_or(0))..=id(u64::MAX)).map(record)),
        Order::NewestFirst => Box::new(map(id(0)..=id(from.unwrap_or(u64::MAX))).rev().map(record)),
    }
}

impl Record for Incident {
    const LIVE: rows::Table = rows::Table::Incidents;
    const PAST: rows::Table = rows::Table::PastIncidents;

    fn decode(bytes: &[u8]) -> Result<Self, RowFault> {
        rows::decode(Self::LIVE.name(), bytes)
    }

    fn since(&self) -> Time {
        self.opened_at
    }

    fn live(board: &Board, from: Option<u64>, order: Order) -> Option<Lives<'_, Incident>> {
        Some(walk(|ids| board.incidents.range(ids), IncidentId, from, order, |(id, open)| (id.0, Arc::clone(&open.incident))))
    }
}

impl Record for Problem {
    const LIVE: rows::Table = rows::Table::Problems;
    const PAST: rows::Table = rows::Table::PastProblems;

    fn decode(bytes: &[u8]) -> Result<Self, RowFault> {
        rows::decode(Self::LIVE.name(), bytes)
    }

    fn since(&self) -> Time {
        self.opened_at
    }

    fn live(board: &Board, from: Option<u64>, order: Order) -> Option<Lives<'_, Problem>> {
        Some(walk(|ids| board.problems.range(ids), ProblemId, from, order, |(id, problem)| (id.0, Arc::clone(problem))))
    }
}

impl Record for AlertRow {
    const LIVE: rows::Table = rows::Table::Alerts;
    const PAST: rows::Table = rows::Table::PastAlerts;

    fn decode(bytes: &[u8]) -> Result<Self, RowFault> {
        rows::decode(Self::LIVE.name(), bytes)
    }

    fn since(&self) -> Time {
        self.alert.first_seen
    }
}

impl Record for Message {
    const LIVE: rows::Table = rows::Table::Messages;
    const PAST: rows::Table = rows::Table::PastMessages;
    const SECOND: Option<(rows::Table, rows::Table)> = Some((rows::Table::Sendings, rows::Table::PastSendings));

    fn decode(bytes: &[u8]) -> Result<Self, RowFault> {
        let (message, sending) = rows::decode_both::<Message, Sending>(Self::LIVE.name(), bytes)?;
        Ok(Message { sending, ..message })
    }

    fn since(&self) -> Time {
        self.planned_at
    }
}

impl Record for Silence {
    const LIVE: rows::Table = rows::Table::Silences;
    const PAST: rows::Table = rows::Table::PastSilences;

    fn decode(bytes: &[u8]) -> Result<Self, RowFault> {
        rows::decode(Self::LIVE.name(), bytes)
    }

    fn since(&self) -> Time {
        self.updated_at
    }

    fn live(board: &Board, from: Option<u64>, order: Order) -> Option<Lives<'_, Silence>> {
        Some(walk(|ids| board.silences.range(ids), SilenceId, from, order, |(id, silence)| (id.0, Arc::clone(silence))))
    }
}

/// Which of a kind's tables a list is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// What lives.
    Live,
    /// What is past.
    Past,
    /// Both.
    All,
}

/// In which order of time records are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The latest first; descending ids.
    NewestFirst,
    /// The earliest first; ascending ids.
    OldestFirst,
}

/// Where a list begins and how much of it is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Which tables.
    pub span: Span,
    /// In which order.
    pub order: Order,
    /// The first id of each realm; `None`: from the end where the order begins.
    pub from: Option<Places>,
    /// Records at most.
    pub limit: usize,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T, C> {
    /// The records; may be fewer than wanted, or none, where `next` says that there are more.
    pub items: Vec<T>,
    /// Where the next part begins.
    pub next: Option<C>,
}

/// An incident with what belongs to it.
#[derive(Debug, Clone)]
pub struct WholeIncident {
    /// The record.
    pub incident: Incident,
    /// Its members, present and past, in id order.
    pub members: Vec<Member>,
    /// The last entries of its timeline, oldest first.
    pub timeline: Vec<Entry>,
}

/// A problem with what belongs to it.
#[derive(Debug, Clone)]
pub struct WholeProblem {
    /// The record.
    pub problem: Problem,
    /// The last entries of its timeline, oldest first.
    pub timeline: Vec<Entry>,
}

/// Reads records. Cheap to clone.
#[derive(Clone)]
pub struct Records {
    reader: Reader,
    current: Current,
}

impl Records {
    /// Reads what lives from the board and what is past through `reader`.
    pub fn new(reader: Reader, current: Current) -> Records {
        Records { reader, current }
    }

    /// One incident with its members and timeline.
    ///
    /// # Errors
    /// The store fails.
    pub async fn incident(&self, id: IncidentId) -> Result<Option<WholeIncident>, ReadError> {
        self.blocking(move |reader| {
            let snapshot = reader.snapshot()?;
            let Some(incident) = one::<Incident>(&snapshot, id.0)? else { return Ok(None) };
            let members = parts(&snapshot, rows::Table::Members, id.0, Direction::Forward, |bytes| rows::decode("members", bytes))?;
            let mut timeline = parts(&snapshot, rows::Table::Timeline, id.0, Direction::Backward, rows::decode_entry)?;
            timeline.reverse();
            Ok(Some(WholeIncident { incident, members, timeline }))
        })
        .await
    }

    /// One problem with its timeline.
    ///
    /// # Errors
    /// The store fails.
    pub async fn problem(&self, id: ProblemId) -> Result<Option<WholeProblem>, ReadError> {
        self.blocking(move |reader| {
            let snapshot = reader.snapshot()?;
            let Some(problem) = one::<Problem>(&snapshot, id.0)? else { return Ok(None) };
            let mut timeline = parts(&snapshot, rows::Table::ProblemTimeline, id.0, Direction::Backward, rows::decode_entry)?;
            timeline.reverse();
            Ok(Some(WholeProblem { problem, timeline }))
        })
        .await
    }

    /// One alert.
    ///
    /// # Errors
    /// The store fails.
    pub async fn alert(&self, id: AlertId) -> Result<Option<AlertRow>, ReadError> {
        self.blocking(move |reader| one::<AlertRow>(&reader.snapshot()?, id.0)).await
    }

    /// Several alerts, those that there are.
    ///
    /// # Errors
    /// The store fails.
    pub async fn alerts(&self, ids: Vec<AlertId>) -> Result<Vec<AlertRow>, ReadError> {
        self.blocking(move |reader| {
            let mut found = Vec::with_capacity(ids.len());
            for some in ids.chunks(PAGE_ROWS) {
                let snapshot = reader.snapshot()?;
                for id in some {
                    found.extend(one::<AlertRow>(&snapshot, id.0)?);
                }
            }
            Ok(found)
        })
        .await
    }

    /// The terms of the SLA clocks of some incidents.
    ///
    /// # Errors
    /// The store fails.
    pub async fn terms(&self, incidents: &[Incident]) -> Result<BTreeMap<TermsId, LiveTerms>, ReadError> {
        let ids: BTreeSet<TermsId> = incidents.iter().flat_map(|incident| &incident.clocks).map(|clock| clock.terms).collect();
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        self.blocking(move |reader| {
            let snapshot = reader.snapshot()?;
            let mut found = BTreeMap::new();
            for id in ids {
                let (_, key) = rows::Row::Terms(id).place();
                if let Some(bytes) = snapshot.get(table(rows::Table::Terms), &key)? {
                    found.insert(id, LiveTerms::new(rows::decode::<Terms>(rows::Table::Terms.name(), &bytes)?));
                }
            }
            Ok(found)
        })
        .await
    }

    /// One message.
    ///
    /// # Errors
    /// The store fails.
    pub async fn message(&self, id: MessageId) -> Result<Option<Message>, ReadError> {
        self.blocking(move |reader| one::<Message>(&reader.snapshot()?, id.0)).await
    }

    /// One silence.
    ///
    /// # Errors
    /// The store fails.
    pub async fn silence(&self, id: SilenceId) -> Result<Option<Silence>, ReadError> {
        self.blocking(move |reader| one::<Silence>(&reader.snapshot()?, id.0)).await
    }

    /// The names of sources, by number.
    ///
    /// # Errors
    /// The store fails.
    pub async fn sources(&self) -> Result<Vec<String>, ReadError> {
        self.blocking(move |reader| {
            let (mut names, mut from) = (Vec::new(), None);
            loop {
                let page = reader.snapshot()?.range(table(rows::Table::Sources), from.as_deref(), PAGE_ROWS, Direction::Forward)?;
                for (_, bytes) in &page.rows {
                    names.push(rows::decode::<String>("sources", bytes)?);
                }
                from = page.next;
                if from.is_none() {
                    return Ok(names);
                }
            }
        })
        .await
    }

    /// The whole store in a file of its own below `dir`, which has no name any more.
    ///
    /// # Errors
    /// The store or the disk fails.
    pub async fn backup(&self, dir: &Path) -> Result<(Backup, File), ReadError> {
        let dir = dir.to_owned();
        self.blocking(move |reader| Ok(reader.snapshot()?.nameless_backup(&dir)?)).await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Reader) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let reader = self.reader.clone();
        tokio::task::spawn_blocking(move || read(&reader)).await.map_err(|_| ReadError::Stopping)?
    }
}

fn one<T: Record>(snapshot: &Snapshot, id: u64) -> Result<Option<T>, ReadError> {
    let key = id.to_be_bytes();
    for kind in [T::LIVE, T::PAST] {
        if let Some(bytes) = snapshot.get(table(kind), &key)? {
            return Ok(Some(T::decode(&with_second::<T>(snapshot, kind, &key, bytes)?)?));
        }
    }
    Ok(None)
}

/// A row with the second one of its record behind it.
fn with_second<T: Record>(snapshot: &Snapshot, kind: rows::Table, key: &[u8], mut bytes: Vec<u8>) -> Result<Vec<u8>, StoreError> {
    if let Some((live, past)) = T::SECOND {
        let second = if kind == T::LIVE { live } else { past };
        bytes.extend(snapshot.get(table(second), key)?.unwrap_or_default());
    }
    Ok(bytes)
}

fn parts<T>(
    snapshot: &Snapshot,
    kind: rows::Table,
    id: u64,
    direction: Direction,
    decode: impl Fn(&[u8]) -> Result<T, RowFault>,
) -> Result<Vec<T>, ReadError> {
    let prefix = id.to_be_bytes();
    let (mut found, mut from) = (Vec::new(), None);
    loop {
        let page = snapshot.prefix(table(kind), &prefix, from.as_deref(), PAGE_ROWS, direction)?;
        for (_, bytes) in &page.rows {
            found.push(decode(bytes)?);
        }
        from = page.next;
        if from.is_none() || found.len() >= PARTS_MAX {
            return Ok(found);
        }
    }
}

fn table(kind: rows::Table) -> Table {
    Table::of(kind)
}

fn id_of(key: &[u8]) -> u64 {
    key.try_into().map_or(0, u64::from_be_bytes)
}
