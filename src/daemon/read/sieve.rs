//! Which records of the store a list may hold, as keys beside them say: the ids that stand under one key of each need. Who reads looks at the record as well.

use std::collections::VecDeque;

use watchkeeper_engine::ids::IncidentId;
use watchkeeper_engine::state::past::{By, Of, value};
use watchkeeper_engine::state::rows::{self, Row};
use watchkeeper_store::{Direction, Snapshot, StoreError};

use super::{Order, PAGE_ROWS, id_of, table};

/// Different words that a search for a part of one looks at: about a tenth of a second. Where there are more, every record is looked at.
const WORDS_MAX: usize = 100_000;

/// Ids that one window looks for; then it says how far it came.
const LEAPS_MAX: usize = 20_000;

/// An incident's number from which on its id may be a part of a longer one.
const LONG_NUMBER: u64 = 1_000_000;

/// What must hold of a record, all of it. Without a need all records come into question.
#[derive(Debug, Clone, Default)]
pub struct Sieve(Vec<Need>);

/// What must hold.
#[derive(Debug, Clone)]
enum Need {
    /// Its id stands under one of these.
    Any(Vec<Source>),
    /// A word of an incident contains this; which, is looked up when the list is read.
    Says(String),
}

/// Where ids come from.
#[derive(Debug, Clone)]
enum Source {
    /// From keys of a table that go on with an id after these bytes.
    Under(rows::Table, Vec<u8>),
    /// The one.
    One(u64),
}

impl Sieve {
    /// Its value of `by` is one of these; nothing is needed where there are none.
    #[must_use]
    pub fn any<'a>(mut self, of: Of, by: By, values: impl IntoIterator<Item = &'a str>) -> Sieve {
        let sources: Vec<Source> = values.into_iter().map(|text| key(of, by, text)).collect();
        if !sources.is_empty() {
            self.0.push(Need::Any(sources));
        }
        self
    }

    /// The alert is or was a member of one of these incidents; nothing is needed where there are none.
    #[must_use]
    pub fn members(mut self, incidents: &[IncidentId]) -> Sieve {
        if !incidents.is_empty() {
            let under = |id: &IncidentId| Source::Under(rows::Table::Members, id.0.to_be_bytes().to_vec());
            self.0.push(Need::Any(incidents.iter().map(under).collect()));
        }
        self
    }

    /// The incident says this, or has it in its id. The text is in lower case.
    #[must_use]
    pub fn says(mut self, text: &str) -> Sieve {
        // What contains a text contains each of its words in one of its own.
        if let Some(word) = text.split_whitespace().max_by_key(|word| word.len()) {
            self.0.push(Need::Says(if word.len() == text.len() { text.to_owned() } else { format!("{word} ") }));
        }
        self
    }

    /// With every need as sources: those that would cost as much as to look at everything are left out.
    pub(super) fn ready(self, snapshot: &Snapshot) -> Result<Sieve, StoreError> {
        let mut needs = Vec::new();
        for need in self.0 {
            match need {
                Need::Any(sources) => needs.push(Need::Any(sources)),
                Need::Says(text) => needs.extend(saying(snapshot, &text)?.map(Need::Any)),
            }
        }
        Ok(Sieve(needs))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn key(of: Of, by: By, text: &str) -> Source {
    let (kind, key) = Row::PastKey(of, by, value(text), 0).place();
    Source::Under(kind, key[..key.len() - size_of::<u64>()].to_vec())
}

/// The sources of incidents that say a text. One that ends in a space is a word among others, which no id has.
fn saying(snapshot: &Snapshot, text: &str) -> Result<Option<Vec<Source>>, StoreError> {
    let mut sources = vec![key(Of::Incidents, By::ManyWords, "")];
    let is_of_ids = text.bytes().all(|byte| byte.is_ascii_digit() || b"inc-".contains(&byte));
    match text.parse::<IncidentId>() {
        Ok(id) if id.number() < LONG_NUMBER && id.to_string().eq_ignore_ascii_case(text) => sources.push(Source::One(id.0)),
        _ if is_of_ids => return Ok(None),
        _ => {}
    }
    let (kind, key) = Row::PastKey(Of::Incidents, By::Word, String::new(), 0).place();
    let prefix = &key[..2];
    let part = value(text.trim_end());
    let has = |word: &[u8]| std::str::from_utf8(word).is_ok_and(|word| word.contains(&part));
    let Some(words) = snapshot.texts(table(kind), prefix, WORDS_MAX, has)? else { return Ok(None) };
    sources.extend(words.into_iter().map(|word| Source::Under(kind, [prefix, &word, &[0]].concat())));
    Ok(Some(sources))
}

/// Ids that a sieve lets through, in an order.
pub(super) struct Sifted<'s> {
    snapshot: &'s Snapshot,
    order: Order,
    /// For each need, its sources.
    needs: Vec<Vec<Stream<'s>>>,
}

/// Ids under one source.
struct Stream<'s> {
    source: &'s Source,
    met: VecDeque<u64>,
    /// Keys that are read next: few at first, because another source may leap far ahead.
    page: usize,
    is_over: bool,
}

/// Ids, and up to where everything was looked at.
pub(super) struct Ids {
    pub(super) ids: Vec<u64>,
    pub(super) edge: Option<u64>,
    pub(super) looked: usize,
}

impl<'s> Sifted<'s> {
    pub(super) fn new(sieve: &'s Sieve, snapshot: &'s Snapshot, order: Order) -> Sifted<'s> {
        let stream = |source| Stream { source, met: VecDeque::new(), page: 8, is_over: false };
        let sources = |need: &'s Need| match need {
            Need::Any(sources) => Some(sources.iter().map(stream).collect()),
            Need::Says(_) => None,
        };
        Sifted { snapshot, order, needs: sieve.0.iter().filter_map(sources).collect() }
    }

    /// The next page of ids from `from` on.
    pub(super) fn page(mut self, from: Option<u64>) -> Result<Ids, StoreError> {
        let mut at = Some(from.unwrap_or(match self.order {
            Order::NewestFirst => u64::MAX,
            Order::OldestFirst => 0,
        }));
        let mut found = Ids { ids: Vec::new(), edge: None, looked: 0 };
        while let Some(target) = at {
            if found.ids.len() == PAGE_ROWS || found.looked == LEAPS_MAX {
                // Everything before the target was looked at.
                found.edge = self.before(target);
                break;
            }
            found.looked += 1;
            let Some(next) = self.leap(target)? else { break };
            if next == target {
                found.ids.push(next);
                at = self.after(next);
            } else {
                at = Some(next);
            }
        }
        Ok(found)
    }

    /// From an id on, the first that the last need does not leap over; it stays where every need has it.
    fn leap(&mut self, target: u64) -> Result<Option<u64>, StoreError> {
        let mut at = target;
        for need in &mut self.needs {
            let mut first = None;
            for stream in need {
                let next = stream.seek(self.snapshot, self.order, at)?;
                first = match (first, next, self.order) {
                    (Some(a), Some(b), Order::NewestFirst) => Some(u64::max(a, b)),
                    (Some(a), Some(b), Order::OldestFirst) => Some(u64::min(a, b)),
                    (one, other, _) => one.or(other),
                };
            }
            match first {
                Some(first) => at = first,
                None => return Ok(None),
            }
        }
        Ok(Some(at))
    }

    fn after(&self, id: u64) -> Option<u64> {
        match self.order {
            Order::NewestFirst => id.checked_sub(1),
            Order::OldestFirst => id.checked_add(1),
        }
    }

    fn before(&self, id: u64) -> Option<u64> {
        match self.order {
            Order::NewestFirst => id.checked_add(1),
            Order::OldestFirst => id.checked_sub(1),
        }
    }
}

impl Stream<'_> {
    /// Its first id from `target` on.
    fn seek(&mut self, snapshot: &Snapshot, order: Order, target: u64) -> Result<Option<u64>, StoreError> {
        let is_before = |id: u64| match order {
            Order::NewestFirst => id > target,
            Order::OldestFirst => id < target,
        };
        while self.met.pop_front_if(|id| is_before(*id)).is_some() {}
        if self.met.is_empty() && !self.is_over {
            self.read(snapshot, order, target)?;
        }
        Ok(self.met.front().copied())
    }

    fn read(&mut self, snapshot: &Snapshot, order: Order, target: u64) -> Result<(), StoreError> {
        let (kind, prefix) = match self.source {
            Source::One(id) => {
                let comes = match order {
                    Order::NewestFirst => *id <= target,
                    Order::OldestFirst => *id >= target,
                };
                self.is_over = true;
                self.met.extend(comes.then_some(*id));
                return Ok(());
            }
            Source::Under(kind, prefix) => (*kind, prefix),
        };
        let direction = match order {
            Order::NewestFirst => Direction::Backward,
            Order::OldestFirst => Direction::Forward,
        };
        let from = [prefix.as_slice(), &target.to_be_bytes()].concat();
        let page = snapshot.prefix(table(kind), prefix, Some(&from), self.page, direction)?;
        self.page = (self.page * 4).min(PAGE_ROWS);
        self.is_over = page.next.is_none();
        let is_key = |key: &&Vec<u8>| key.len() == from.len();
        self.met.extend(page.rows.iter().map(|(key, _)| key).filter(is_key).map(|key| id_of(&key[prefix.len()..])));
        Ok(())
    }
}
