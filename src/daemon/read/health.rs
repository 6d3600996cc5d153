//! The history of the health of one CI, by its id: a range of keys of one table.

use watchkeeper_engine::model::health::{Change, history_of};
use watchkeeper_engine::state::rows;
use watchkeeper_engine::time::Time;
use watchkeeper_store::Direction;

use super::{Order, PAGE_ROWS, Page, ReadError, Records, table};

/// Changes that are added up for one answer: a CI that changes every hour has fewer in a year. Beyond it nothing is added up.
const SUMMED_MAX: usize = 20_000;

impl Records {
    /// Changes of the health of a CI from `from` until before `to`, after the key `after`, at most `limit` of those that `keep` wants.
    ///
    /// # Errors
    /// The store fails.
    pub async fn health_changes(
        &self,
        ci: &str,
        (from, to): (Time, Time),
        order: Order,
        (after, limit): (Option<Vec<u8>>, usize),
        keep: impl Fn(&Change) -> bool + Send + 'static,
    ) -> Result<Page<Change, Vec<u8>>, ReadError> {
        let prefix = prefix_of(ci);
        self.blocking(move |reader| {
            let mut page = Page { items: Vec::new(), next: None };
            let (direction, edge) = match order {
                Order::OldestFirst => (Direction::Forward, from),
                Order::NewestFirst => (Direction::Backward, to),
            };
            let mut next = Some(after.clone().unwrap_or_else(|| [&prefix[..], &edge.0.to_be_bytes()].concat()));
            let mut last = None;
            while let Some(begin) = next {
                let rows = reader.snapshot()?.prefix(table(rows::Table::HealthChanges), &prefix, Some(&begin), PAGE_ROWS, direction)?;
                for (key, bytes) in rows.rows {
                    if after.as_ref() == Some(&key) {
                        continue;
                    }
                    let change: Change = rows::decode(rows::Table::HealthChanges.name(), &bytes)?;
                    let is_past_the_end = match order {
                        Order::OldestFirst => change.at >= to,
                        Order::NewestFirst => change.at < from,
                    };
                    if is_past_the_end {
                        return Ok(page);
                    }
                    if change.at < from || change.at >= to || !keep(&change) {
                        continue;
                    }
                    if page.items.len() == limit {
                        page.next = last;
                        return Ok(page);
                    }
                    last = Some(key);
                    page.items.push(change);
                }
                next = rows.next;
            }
            Ok(page)
        })
        .await
    }

    /// All changes of the health of a CI from `from` on, in the order of time; `None`: there are too many to be added up.
    ///
    /// # Errors
    /// The store fails.
    pub async fn health_since(&self, ci: &str, from: Time) -> Result<Option<Vec<Change>>, ReadError> {
        let page = self.health_changes(ci, (from, Time::NEVER), Order::OldestFirst, (None, SUMMED_MAX), |_| true).await?;
        Ok(page.next.is_none().then_some(page.items))
    }

    /// Whether any change of a CI of that id is remembered: it may have left the CMDB.
    ///
    /// # Errors
    /// The store fails.
    pub async fn has_health(&self, ci: &str) -> Result<bool, ReadError> {
        let page = self.health_changes(ci, (Time(0), Time::NEVER), Order::OldestFirst, (None, 1), |_| true).await?;
        Ok(!page.items.is_empty())
    }
}

fn prefix_of(ci: &str) -> Vec<u8> {
    [history_of(ci).as_bytes(), &[0]].concat()
}
