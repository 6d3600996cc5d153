//! A secondary index: ids by a key, kept in order, shared between boards.

use std::sync::Arc;

use imbl::OrdSet;

/// Ids by a key. An id may stand under several keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Index<K: Ord + Clone>(OrdSet<(K, u64)>);

impl<K: Ord + Clone> Default for Index<K> {
    fn default() -> Self {
        Index(OrdSet::new())
    }
}

impl<K: Ord + Clone> Index<K> {
    pub(super) fn insert(&mut self, key: K, id: u64) {
        self.0.insert((key, id));
    }

    pub(super) fn remove(&mut self, key: K, id: u64) {
        self.0.remove(&(key, id));
    }

    /// The ids under a key, ascending.
    pub(super) fn ids(&self, key: K) -> impl Iterator<Item = u64> {
        self.0.range((key.clone(), 0)..=(key, u64::MAX)).map(|(_, id)| *id)
    }

    /// Whether anything stands under a key.
    pub(super) fn has(&self, key: K) -> bool {
        self.ids(key).next().is_some()
    }
}

impl Index<Arc<str>> {
    /// A text as a key: the one that is there already, where there is one, so that a word is kept once.
    pub(super) fn key(&self, text: &str) -> Arc<str> {
        let wanted: Arc<str> = text.into();
        let known = self.0.range((wanted.clone(), 0)..).next().filter(|(known, _)| **known == *wanted).map(|(known, _)| known.clone());
        known.unwrap_or(wanted)
    }

    /// The ids under every key that contains `part`: looks at each key that there is.
    pub(super) fn containing(&self, part: &str) -> impl Iterator<Item = u64> {
        self.0.iter().filter(move |(key, _)| key.contains(part)).map(|(_, id)| *id)
    }

    /// Each key once, from `from` on.
    pub(super) fn keys(&self, from: &str) -> Keys<'_> {
        Keys { index: self, next: Some(from.into()) }
    }
}

/// The keys of an index, ascending.
pub(super) struct Keys<'a> {
    index: &'a Index<Arc<str>>,
    next: Option<Arc<str>>,
}

impl Iterator for Keys<'_> {
    type Item = Arc<str>;

    fn next(&mut self) -> Option<Arc<str>> {
        let from = self.next.take()?;
        let (key, _) = self.index.0.range((from, 0)..).next()?;
        // The least text that is greater.
        self.next = Some(format!("{key}\0").into());
        Some(key.clone())
    }
}
