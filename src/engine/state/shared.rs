//! Records by id that others hold too: the board shows the very ones that State has, and a change makes a new one beside that.

use std::collections::BTreeMap;
use std::ops::{Index, RangeBounds};
use std::sync::Arc;

/// Records by id. A record is copied when it changes while somebody else holds it, once a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Shared<K, T>(BTreeMap<K, Arc<T>>);

impl<K, T> Default for Shared<K, T> {
    fn default() -> Self {
        Shared(BTreeMap::new())
    }
}

impl<K: Ord, T> Shared<K, T> {
    /// One record.
    pub fn get(&self, id: &K) -> Option<&T> {
        self.0.get(id).map(Arc::as_ref)
    }

    /// One record, to be held.
    pub fn shared(&self, id: &K) -> Option<&Arc<T>> {
        self.0.get(id)
    }

    /// Whether there is such a record.
    pub fn contains_key(&self, id: &K) -> bool {
        self.0.contains_key(id)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The ids, in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.0.keys()
    }

    /// The records, in the order of their ids.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.0.values().map(Arc::as_ref)
    }

    /// Both, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &T)> {
        self.0.iter().map(|(id, record)| (id, record.as_ref()))
    }

    /// Those of a range of ids.
    pub fn range(&self, ids: impl RangeBounds<K>) -> impl DoubleEndedIterator<Item = (&K, &T)> {
        self.0.range(ids).map(|(id, record)| (id, record.as_ref()))
    }

    pub(super) fn insert(&mut self, id: K, record: impl Into<Arc<T>>) {
        self.0.insert(id, record.into());
    }

    pub(super) fn remove(&mut self, id: &K) -> Option<Arc<T>> {
        self.0.remove(id)
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

impl<K: Ord, T: Clone> Shared<K, T> {
    pub(super) fn get_mut(&mut self, id: &K) -> Option<&mut T> {
        self.0.get_mut(id).map(Arc::make_mut)
    }
}

impl<K: Ord, T> Index<&K> for Shared<K, T> {
    type Output = T;

    fn index(&self, id: &K) -> &T {
        &self.0[id]
    }
}
