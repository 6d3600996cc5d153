//! A start: the store's rows, pages and last blocks into State.

use watchkeeper_engine::block::Block;
use watchkeeper_engine::cmdb::Cmdb;
use watchkeeper_engine::state::State;
use watchkeeper_engine::state::rows::{self, RowFault};
use watchkeeper_store::{Loaded, Sink, Store, StoreError, StoredBlock, Table};

/// Fills State from the store. The CMDB is the one in force when the store was last written to: health and places of alerts are counted with it.
///
/// # Errors
/// The store fails, or holds what this release cannot read.
pub fn load(store: &mut Store, cmdb: &Cmdb) -> Result<(State, Loaded), StoreError> {
    let mut filling = Filling { state: State::new(store.id()) };
    let loaded = store.load(&mut filling)?;
    let mut state = filling.state;
    state.finish_loading(cmdb);
    Ok((state, loaded))
}

struct Filling {
    state: State,
}

impl Sink for Filling {
    type Fault = RowFault;

    fn row(&mut self, table: Table, _: &[u8], bytes: &[u8]) -> Result<(), RowFault> {
        let known = rows::Table::ALL.iter().find(|known| known.name() == table.name());
        known.map_or(Ok(()), |known| self.state.load_row(*known, bytes))
    }

    fn page(&mut self, _: u32, bytes: &[u8]) -> Result<(), RowFault> {
        self.state.load_page(bytes)
    }

    fn block(&mut self, block: &StoredBlock) -> Result<(), RowFault> {
        let block: Block = rows::decode("blocks", &block.bytes)?;
        self.state.replay_seen(&block);
        Ok(())
    }
}
