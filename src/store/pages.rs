//! Which dirty pages of vitals a commit takes along: the oldest, within a budget, and whatever keeps a start from reading too many blocks.

use crate::limits::PAGE_BUDGET_BYTES_MIN;

/// What [`crate::Store::page_plan`] allows and demands of one commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PagePlan {
    /// The sequence of the commit that is being built.
    pub seq: u64,
    /// Bytes of pages to take along.
    pub budget_bytes: usize,
    /// Pages dirty since this block or an earlier one are written whatever the budget: else a start would read more than
    /// [`crate::limits::REPLAY_BYTES_MAX`] of blocks.
    pub must_reach: u64,
}

/// The pages chosen, and the floor that the commit may store with them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PlannedPages {
    /// Page number and bytes.
    pub pages: Vec<(u32, Vec<u8>)>,
    /// Every block up to this one is wholly in rows and pages after the commit.
    pub floor: u64,
}

impl PagePlan {
    pub(crate) fn new(seq: u64, block_bytes: usize, must_reach: u64) -> PagePlan {
        PagePlan { seq, budget_bytes: block_bytes.max(PAGE_BUDGET_BYTES_MIN), must_reach }
    }

    /// Chooses from `dirty`: page number and the sequence of the block that first changed the page after it was last written, oldest first, the block being
    /// committed included. `bytes_of` encodes a page as it is after that block.
    pub fn choose(self, dirty: impl IntoIterator<Item = (u32, u64)>, mut bytes_of: impl FnMut(u32) -> Vec<u8>) -> PlannedPages {
        let mut pages = Vec::new();
        let mut used = 0;
        for (page, since) in dirty {
            if used >= self.budget_bytes && since > self.must_reach {
                return PlannedPages { pages, floor: since - 1 };
            }
            let bytes = bytes_of(page);
            used += bytes.len();
            pages.push((page, bytes));
        }
        PlannedPages { pages, floor: self.seq }
    }
}
