//! Dead letters as the store keeps them, a few of their rows a snapshot: each may hold a quarter of a megabyte.

use watchkeeper_engine::ids::DeadLetterId;
use watchkeeper_store::{Direction, Table};

use super::{Order, Page, ReadError, Records, id_of};
use crate::writer::DeadLetter;

/// Rows that one snapshot reads.
const PAGE_ROWS: usize = 50;

impl Records {
    /// A part of the list of dead letters, without their bytes: from `from` on, at most `limit`.
    ///
    /// # Errors
    /// The store fails.
    pub async fn dead_letters(
        &self,
        order: Order,
        from: Option<u64>,
        limit: usize,
        mut keep: impl FnMut(&DeadLetter) -> bool + Send + 'static,
    ) -> Result<Page<DeadLetter, u64>, ReadError> {
        self.blocking(move |reader| {
            let direction = match order {
                Order::NewestFirst => Direction::Backward,
                Order::OldestFirst => Direction::Forward,
            };
            let mut items = Vec::new();
            let mut from = from.map(|id| id.to_be_bytes().to_vec());
            loop {
                let page = reader.snapshot()?.range(Table::DEAD_LETTERS, from.as_deref(), PAGE_ROWS, direction)?;
                for (key, bytes) in &page.rows {
                    let mut letter = DeadLetter::decode(bytes)?;
                    if !keep(&letter) {
                        continue;
                    }
                    if items.len() == limit {
                        return Ok(Page { items, next: Some(id_of(key)) });
                    }
                    letter.input.bytes = Vec::new();
                    items.push(letter);
                }
                from = page.next;
                if from.is_none() {
                    return Ok(Page { items, next: None });
                }
            }
        })
        .await
    }

    /// One dead letter, with its bytes.
    ///
    /// # Errors
    /// The store fails.
    pub async fn dead_letter(&self, id: DeadLetterId) -> Result<Option<DeadLetter>, ReadError> {
        self.blocking(move |reader| {
            let bytes = reader.snapshot()?.get(Table::DEAD_LETTERS, &id.0.to_be_bytes())?;
            Ok(bytes.map(|bytes| DeadLetter::decode(&bytes)).transpose()?)
        })
        .await
    }
}
