//! One batch, one transaction: the block, every touched row once, some pages of vitals, whatever else must not be forgotten. Then, and only then, the world hears of it.

use std::sync::Arc;
use std::time::Instant;

use watchkeeper_engine::block::{Block, FORMAT};
use watchkeeper_engine::effect::Effect;
use watchkeeper_engine::event::World;
use watchkeeper_engine::state::State;
use watchkeeper_engine::state::rows::{Row, encode};
use watchkeeper_engine::time::Time;
use watchkeeper_store::{Commit, RowChange, StoreError, Table};

use super::Writer;
use super::batch::{Answer, Batch};
use crate::feed::{Committed, Measured};
use crate::published::Published;

/// What may leave the writer, because it is on disk.
pub(super) struct Done {
    /// What is asked of the world.
    pub(super) effects: Vec<Effect>,
    /// Who is told what.
    pub(super) answers: Vec<Answer>,
}

impl Writer {
    /// Writes a batch. When this has returned, what it held survives a crash and is published; before that nothing of it does.
    pub(super) fn commit(&mut self, batch: Batch, now: Time) -> Result<Done, StoreError> {
        let Batch { entries, touched, rows: other_rows, letters_dropped, sources, effects, answers, received, events, templates } = batch;
        let parts = &mut self.parts;
        let began = Instant::now();

        let block = block(&parts.state, &self.world, parts.store.head().hash, now, entries);
        let bytes = encode(&block);
        let planned = parts.store.page_plan(bytes.len()).choose(parts.state.dirty_pages(), |page| parts.state.vitals_page(page));
        let written: Vec<u32> = planned.pages.iter().map(|(page, _)| *page).collect();
        let mut rows: Vec<RowChange> = touched.iter().map(|row| change(&parts.state, row)).collect();
        rows.extend(other_rows);
        let block_bytes = bytes.len();
        // Before the batch: a crash between the two starts on the new files, and brings them into force again.
        for (kind, files) in sources {
            parts.store.put_sources(kind, &files, now)?;
        }
        parts.store.commit(Commit { seq: block.seq, now, block: bytes, rows, pages: planned.pages, floor: planned.floor })?;
        let measured = Measured {
            received,
            waited: answers.iter().filter(|answer| answer.reply.is_some()).map(|answer| answer.since.elapsed()).collect(),
            events,
            block_bytes,
            letters: self.letters.len(),
            letters_dropped,
            dearest: parts.state.budget.dearest(),
            took: began.elapsed(),
        };

        for page in written {
            parts.state.page_written(page);
        }
        if let Some(templates) = templates {
            self.templates = templates;
        }
        self.board.update(&parts.state, &touched);
        let (world, templates, board) = (self.world.clone(), Arc::clone(&self.templates), self.board.clone());
        let published = Arc::new(Published { seq: block.seq, now, world, templates, board });
        parts.current.publish(Arc::clone(&published));
        let committed = Arc::new(Committed { block, touched, published, measured });
        for subscriber in &mut parts.feed {
            subscriber.hear(&committed);
        }
        parts.state.settle();
        Ok(Done { effects, answers })
    }
}

fn block(state: &State, world: &World, before: u64, now: Time, entries: Vec<watchkeeper_engine::block::Entry>) -> Block {
    let said_something = |entry: &watchkeeper_engine::block::Entry| {
        !entry.facts.is_empty() || !matches!(entry.input, watchkeeper_engine::block::Recorded::Nothing)
    };
    Block {
        format: FORMAT,
        seq: state.counters.seq,
        now,
        policy: world.policy.id.clone(),
        cmdb: world.cmdb.version(),
        before,
        entries: entries.into_iter().filter(said_something).collect(),
    }
}

fn change(state: &State, row: &Row) -> RowChange {
    let (table, key) = row.place();
    RowChange { table: Table::of(table), key, value: state.row(row) }
}
