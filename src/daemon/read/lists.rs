//! Lists: parts of what lives and what is past, in the order of time or of a key.
//!
//! Ids of a realm ascend with time, and a list of several realms is merged by time from one lane a realm.
//! What lives comes from one board, loaded before the first snapshot of the store is taken: a record that becomes past in between is met twice and listed once,
//! none is missed. What is past is read in the order of ids, a page of rows a snapshot.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use watchkeeper_engine::ids::{IncidentId, Shard};
use watchkeeper_engine::state::rows;
use watchkeeper_store::{Direction, Snapshot, StoreError};

use super::sieve::{Ids, Sieve, Sifted};
use super::{Order, PAGE_ROWS, Page, ReadError, Record, Records, SCAN_ROWS_MAX, SORT_ROWS_MAX, Span, Wanted, id_of, table, with_second};
use crate::board::Board;

/// Realms that a list is merged from: one page of the store.
const REALMS_MAX: usize = PAGE_ROWS;

/// Which ids of what lives a list is about, as an index of the board says; `None`: all.
pub type Among = Option<BTreeSet<u64>>;

/// What comes into question, as indexes say, so that it alone is looked at.
#[derive(Debug, Clone, Default)]
pub struct Candidates {
    /// Of what lives on the board.
    pub among: Among,
    /// Of what lives in the store.
    pub live: Sieve,
    /// Of what is past.
    pub past: Sieve,
}

/// Where a list goes on in each realm: the next id of every realm that has more.
pub type Places = Vec<u64>;

/// A record that was met.
enum Met<T> {
    /// On the board.
    Live(Arc<T>),
    /// In the store.
    Row(Vec<u8>),
}

/// Records by id, up to where everything was looked at.
struct Window<T> {
    rows: Vec<(u64, Met<T>)>,
    next: Option<u64>,
    /// What was looked at for it, rows and keys.
    looked: usize,
}

/// Records of one table by id, and up to where everything of it was looked at, where it goes on.
struct Part<T> {
    rows: Vec<(u64, Met<T>)>,
    edge: Option<u64>,
    looked: usize,
}

/// The records of one realm, by id.
struct Lane<T> {
    /// The next one.
    front: Option<(u64, Arc<T>)>,
    /// Those after it that were met.
    rows: VecDeque<(u64, Met<T>)>,
    /// Where those that were not begin.
    from: Option<u64>,
}

impl Records {
    /// A part of a list, in the order of time.
    ///
    /// # Errors
    /// The store fails.
    pub async fn list<T: Record + Clone + Sync>(
        &self,
        wanted: Wanted,
        keep: impl FnMut(&T) -> bool + Send + 'static,
    ) -> Result<Page<T, Places>, ReadError> {
        self.list_among(wanted, Candidates::default(), keep).await
    }

    /// The same, where indexes say what comes into question.
    ///
    /// # Errors
    /// The store fails.
    pub async fn list_among<T: Record + Clone + Sync>(
        &self,
        wanted: Wanted,
        candidates: Candidates,
        mut keep: impl FnMut(&T) -> bool + Send + 'static,
    ) -> Result<Page<T, Places>, ReadError> {
        let published = self.current.load_full();
        self.blocking(move |reader| {
            let candidates = candidates.ready(&reader.snapshot()?)?;
            let mut page = Page { items: Vec::new(), next: None };
            let begin = match &wanted.from {
                Some(places) => places.clone(),
                None => begin(&reader.snapshot()?, wanted.order)?,
            };
            let mut lanes: Vec<Lane<T>> = begin.into_iter().map(Lane::new).collect();
            let mut seen = 0;
            loop {
                for lane in &mut lanes {
                    while lane.front.is_none() && lane.has_more() && seen < SCAN_ROWS_MAX {
                        if let (true, Some(from)) = (lane.rows.is_empty(), lane.from) {
                            let own = |id: &u64| IncidentId(*id).shard() == IncidentId(from).shard();
                            let Window { rows, next, looked } =
                                window::<T>(&published.board, &candidates, &reader.snapshot()?, (wanted.span, wanted.order), Some(from))?;
                            seen += looked;
                            // Beyond the last of a realm stands the next realm.
                            let is_end = rows.last().is_some_and(|(id, _)| !own(id));
                            lane.rows = rows.into_iter().filter(|(id, _)| own(id)).collect();
                            lane.from = next.filter(|next| !is_end && own(next));
                        }
                        lane.show()?;
                    }
                }
                let is_cut = seen >= SCAN_ROWS_MAX && lanes.iter().any(|lane| lane.front.is_none() && lane.has_more());
                let time = |lane: &&mut Lane<T>| lane.front.as_ref().map(|(id, record)| (record.since(), *id));
                let shown = lanes.iter_mut().filter(|lane| lane.front.is_some());
                let first = match wanted.order {
                    Order::NewestFirst => shown.max_by_key(time),
                    Order::OldestFirst => shown.min_by_key(time),
                };
                let Some(lane) = first.filter(|_| !is_cut && page.items.len() < wanted.limit) else { break };
                if let Some((_, record)) = lane.front.take().filter(|(_, record)| keep(record)) {
                    page.items.push(Arc::unwrap_or_clone(record));
                }
            }
            let places: Places = lanes.iter().filter_map(Lane::place).collect();
            page.next = (!places.is_empty()).then_some(places);
            Ok(page)
        })
        .await
    }

    /// A part of a list in the order of `key`, after the key `after`. Looks at every record that comes into question.
    ///
    /// # Errors
    /// The store fails, or there are more than [`SORT_ROWS_MAX`] records.
    pub async fn sorted_among<T: Record + Clone + Sync>(
        &self,
        span: Span,
        candidates: Candidates,
        (after, limit): (Option<Vec<u8>>, usize),
        mut keep: impl FnMut(&T) -> bool + Send + 'static,
        key: impl Fn(&T) -> Vec<u8> + Send + 'static,
    ) -> Result<Page<T, Vec<u8>>, ReadError> {
        let published = self.current.load_full();
        self.blocking(move |reader| {
            let candidates = candidates.ready(&reader.snapshot()?)?;
            let mut best: BTreeMap<Vec<u8>, T> = BTreeMap::new();
            let (mut from, mut seen) = (None, 0);
            loop {
                let window = window::<T>(&published.board, &candidates, &reader.snapshot()?, (span, Order::OldestFirst), from)?;
                seen += window.rows.len();
                if seen > SORT_ROWS_MAX {
                    return Err(ReadError::TooMany);
                }
                for (_, met) in window.rows {
                    let wants = |record: &T| after.as_ref().is_none_or(|after| key(record) > *after) && keep(record);
                    if let Some(record) = kept(met, wants)? {
                        best.insert(key(&record), record);
                        if best.len() > limit + 1 {
                            best.pop_last();
                        }
                    }
                }
                from = window.next;
                if from.is_none() {
                    break;
                }
            }
            let has_more = best.len() > limit;
            if has_more {
                best.pop_last();
            }
            let next = best.last_key_value().filter(|_| has_more).map(|(key, _)| key.clone());
            Ok(Page { items: best.into_values().collect(), next })
        })
        .await
    }
}

impl<T: Record> Lane<T> {
    fn new(from: u64) -> Lane<T> {
        Lane { front: None, rows: VecDeque::new(), from: Some(from) }
    }

    /// Whether there is anything behind the one that it shows.
    fn has_more(&self) -> bool {
        !self.rows.is_empty() || self.from.is_some()
    }

    /// Brings the next one to its front, where it was met.
    fn show(&mut self) -> Result<(), ReadError> {
        self.front = match self.rows.pop_front() {
            None => None,
            Some((id, Met::Live(record))) => Some((id, record)),
            Some((id, Met::Row(bytes))) => Some((id, Arc::new(T::decode(&bytes)?))),
        };
        Ok(())
    }

    /// Where it goes on.
    fn place(&self) -> Option<u64> {
        let met = self.rows.front().map(|(id, _)| *id);
        self.front.as_ref().map(|(id, _)| *id).or(met).or(self.from)
    }
}

/// Where a list begins in each realm.
fn begin(snapshot: &Snapshot, order: Order) -> Result<Places, StoreError> {
    let realms = snapshot.range(table(rows::Table::Realms), None, REALMS_MAX, Direction::Forward)?;
    let shards = realms.rows.iter().filter_map(|(key, _)| Some(Shard(u16::from_be_bytes(key.as_slice().try_into().ok()?))));
    let first = |shard: Shard| match order {
        Order::NewestFirst => IncidentId::of(shard, IncidentId(u64::MAX).number()).0,
        Order::OldestFirst => IncidentId::of(shard, 0).0,
    };
    Ok([Shard::MAIN].into_iter().chain(shards).map(first).collect())
}

fn kept<T: Record + Clone>(met: Met<T>, mut keep: impl FnMut(&T) -> bool) -> Result<Option<T>, ReadError> {
    Ok(match met {
        Met::Live(record) => keep(&record).then(|| T::clone(&record)),
        Met::Row(bytes) => Some(T::decode(&bytes)?).filter(|record| keep(record)),
    })
}

/// A page of what lives and one of what is past, merged; a record that is in both is met once, as it lived.
fn window<T: Record>(
    board: &Board,
    candidates: &Candidates,
    snapshot: &Snapshot,
    (span, order): (Span, Order),
    from: Option<u64>,
) -> Result<Window<T>, StoreError> {
    let mut pages: Vec<Part<T>> = Vec::new();
    if span != Span::Past {
        pages.push(match (T::live(board, from, order), &candidates.among) {
            (Some(lives), among) => {
                let comes = |(id, _): &(u64, Arc<T>)| among.as_ref().is_none_or(|among| among.contains(id));
                let mut lives = lives.filter(comes).map(|(id, record)| (id, Met::Live(record)));
                let rows: Vec<_> = lives.by_ref().take(PAGE_ROWS).collect();
                let edge = rows.last().map(|(id, _)| *id).filter(|_| lives.next().is_some());
                Part { looked: rows.len(), rows, edge }
            }
            (None, _) => stored(snapshot, T::LIVE, &candidates.live, order, from)?,
        });
    }
    if span != Span::Live {
        pages.push(stored(snapshot, T::PAST, &candidates.past, order, from)?);
    }
    let looked = pages.iter().map(|page| page.looked).sum();
    let edges = pages.iter().filter_map(|page| page.edge);
    let edge = match order {
        Order::NewestFirst => edges.max(),
        Order::OldestFirst => edges.min(),
    };
    let mut rows: Vec<(u64, Met<T>)> = pages.into_iter().flat_map(|page| page.rows).collect();
    // Of two of an id the one that lived was met first, and the sort keeps that.
    rows.sort_by_key(|(id, _)| *id);
    rows.dedup_by_key(|(id, _)| *id);
    if order == Order::NewestFirst {
        rows.reverse();
    }
    let next = match (edge, order) {
        (None, _) => None,
        (Some(edge), Order::NewestFirst) => {
            rows.retain(|(id, _)| *id >= edge);
            edge.checked_sub(1)
        }
        (Some(edge), Order::OldestFirst) => {
            rows.retain(|(id, _)| *id <= edge);
            edge.checked_add(1)
        }
    };
    Ok(Window { rows, next, looked })
}

/// A page of a table; of what a sieve lets through, where it says anything.
fn stored<T: Record>(
    snapshot: &Snapshot,
    kind: rows::Table,
    sieve: &Sieve,
    order: Order,
    from: Option<u64>,
) -> Result<Part<T>, StoreError> {
    if !sieve.is_empty() {
        let Ids { ids, edge, looked } = Sifted::new(sieve, snapshot, order).page(from)?;
        return Ok(Part { rows: by_ids(snapshot, kind, &ids)?, edge, looked });
    }
    let direction = match order {
        Order::NewestFirst => Direction::Backward,
        Order::OldestFirst => Direction::Forward,
    };
    let from = from.map(u64::to_be_bytes);
    let page = snapshot.range(table(kind), from.as_ref().map(<[u8; 8]>::as_slice), PAGE_ROWS, direction)?;
    let met = |(key, bytes): (Vec<u8>, Vec<u8>)| Ok((id_of(&key), Met::Row(with_second::<T>(snapshot, kind, &key, bytes)?)));
    let rows = page.rows.into_iter().map(met).collect::<Result<Vec<_>, StoreError>>()?;
    Ok(Part { edge: rows.last().map(|(id, _)| *id).filter(|_| page.next.is_some()), looked: rows.len(), rows })
}

fn by_ids<T: Record>(snapshot: &Snapshot, kind: rows::Table, ids: &[u64]) -> Result<Vec<(u64, Met<T>)>, StoreError> {
    let mut rows = Vec::with_capacity(ids.len());
    for id in ids {
        let key = id.to_be_bytes();
        if let Some(bytes) = snapshot.get(table(kind), &key)? {
            rows.push((*id, Met::Row(with_second::<T>(snapshot, kind, &key, bytes)?)));
        }
    }
    Ok(rows)
}

impl Candidates {
    fn ready(self, snapshot: &Snapshot) -> Result<Candidates, StoreError> {
        Ok(Candidates { among: self.among, live: self.live.ready(snapshot)?, past: self.past.ready(snapshot)? })
    }
}
