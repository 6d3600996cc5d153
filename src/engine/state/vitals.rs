//! Vitals pages: what repeats change, 128 alerts a page, rewritten oldest first so that a start reads few blocks.

use std::collections::BTreeMap;

use super::State;
use super::rows::{RowFault, VitalsCell, VitalsPage, decode, encode};
use crate::block::Block;
use crate::fact::Fact;
use crate::ids::Slot;
use crate::model::alert;

/// Alerts on a page: some tens of KiB with four sources each, well below the quarter of a MiB from which a value costs more than its size.
pub(super) const PAGE_SLOTS: u32 = 128;

impl State {
    /// Pages with changes that are in blocks only, and the block of the first such change; the oldest first.
    pub fn dirty_pages(&self) -> Vec<(u32, u64)> {
        let mut pages: Vec<(u32, u64)> = self.alerts.dirty_pages.iter().map(|(page, since)| (*page, *since)).collect();
        pages.sort_by_key(|(page, since)| (*since, *page));
        pages
    }

    /// The block from which on a start has to read: the one before the oldest change that is in no page.
    pub fn floor(&self) -> u64 {
        self.alerts.dirty_pages.values().min().map_or(self.counters.seq, |since| since.saturating_sub(1))
    }

    /// A page's bytes as it is now.
    pub fn vitals_page(&self, page: u32) -> Vec<u8> {
        let first = page.saturating_mul(PAGE_SLOTS);
        let cells = (first..first.saturating_add(PAGE_SLOTS))
            .filter_map(|slot| self.alerts.cells.get(slot as usize)?.as_ref())
            .map(|cell| VitalsCell { alert: cell.alert.id, vitals: &cell.vitals })
            .collect();
        encode(&VitalsPage { as_of: self.counters.seq, cells })
    }

    /// Says that a page was written with the present block.
    pub fn page_written(&mut self, page: u32) {
        self.alerts.dirty_pages.remove(&page);
    }

    pub(super) fn vitals_changed(&mut self, slot: Slot) {
        let seq = self.counters.seq;
        self.alerts.dirty_pages.entry(slot.0 / PAGE_SLOTS).or_insert(seq);
    }

    /// Takes in a page while loading, after the alerts' rows: of the two the newer vitals stay.
    ///
    /// # Errors
    /// The page cannot be read.
    pub fn load_page(&mut self, bytes: &[u8]) -> Result<(), RowFault> {
        let page: VitalsPage = decode("vitals", bytes)?;
        for cell in page.cells {
            if let Some(live) = self.cell_mut(cell.alert)
                && live.as_of < page.as_of
            {
                if let Some(said) = &cell.vitals.said {
                    live.alert.said = said.clone();
                }
                live.vitals = cell.vitals;
                live.as_of = page.as_of;
            }
        }
        Ok(())
    }

    /// Applies the repeats of a block that are newer than the alert's row and page. No other fact is applied on a start, so none is applied twice.
    pub fn replay_seen(&mut self, block: &Block) {
        let mut touched: BTreeMap<u32, ()> = BTreeMap::new();
        for entry in &block.entries {
            for fact in &entry.facts {
                let Fact::Alert(alert::Fact::Seen { id, says, said }) = fact else { continue };
                let Some(cell) = self.cell_mut(*id) else { continue };
                if cell.as_of < block.seq {
                    cell.vitals.hear(*says, said.as_ref());
                    if let Some(said) = said {
                        cell.alert.said = said.clone();
                    }
                    touched.insert(cell.alert.slot.0 / PAGE_SLOTS, ());
                }
            }
        }
        for page in touched.into_keys() {
            self.alerts.dirty_pages.entry(page).or_insert(block.seq);
        }
    }
}
