//! Two small records: who the store is, written once, and where it stands, written by every commit.

use minicbor::{Decode, Encode};
use redb::{ReadTransaction, TableError, WriteTransaction};
use watchkeeper_engine::ids::StoreId;
use watchkeeper_engine::time::Time;

use crate::error::{StoreError, disk};
use crate::tables::META;

/// The format of tables, frames and these records. A store with a higher one is refused before any row is read.
pub(crate) const FORMAT: u32 = 2;

const IDENTITY: &str = "identity";
const HEAD: &str = "head";

/// Who the store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Identity {
    #[n(0)]
    pub(crate) format: u32,
    #[n(1)]
    pub(crate) store: StoreId,
    #[n(2)]
    pub(crate) created: Time,
}

/// Where the store stands after its last commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
pub struct Head {
    /// The last block's sequence; 0 before the first.
    #[n(0)]
    pub seq: u64,
    /// The last block's hash: what the next one carries as `before`; 0 before the first.
    #[n(1)]
    pub hash: u64,
    /// Blocks up to this one are wholly in rows and pages; a start reads those after it.
    #[n(2)]
    pub floor: u64,
    /// The last block's time.
    #[n(3)]
    pub now: Time,
    /// Bytes of blocks that are in the file.
    #[n(4)]
    pub block_bytes: u64,
}

/// Why a record could not be had.
pub(crate) enum MetaFault {
    /// The table or the row is not there, or is no such record.
    Absent(String),
    /// The database failed.
    Store(StoreError),
}

pub(crate) fn read_identity(txn: &ReadTransaction) -> Result<Identity, MetaFault> {
    read(txn, IDENTITY)
}

pub(crate) fn read_head(txn: &ReadTransaction) -> Result<Head, MetaFault> {
    read(txn, HEAD)
}

pub(crate) fn write_identity(txn: &WriteTransaction, identity: &Identity) -> Result<(), StoreError> {
    write(txn, IDENTITY, identity)
}

pub(crate) fn write_head(txn: &WriteTransaction, head: &Head) -> Result<(), StoreError> {
    write(txn, HEAD, head)
}

fn read<T: for<'b> Decode<'b, ()>>(txn: &ReadTransaction, key: &str) -> Result<T, MetaFault> {
    let table = match txn.open_table(META) {
        Ok(table) => table,
        Err(TableError::Storage(error)) => return Err(MetaFault::Store(disk("read")(error))),
        Err(error) => return Err(MetaFault::Absent(error.to_string())),
    };
    let row = table.get(key).map_err(|error| MetaFault::Store(disk("read")(error)))?;
    let row = row.ok_or_else(|| MetaFault::Absent(format!("it has no row `{key}`")))?;
    minicbor::decode(row.value()).map_err(|error| MetaFault::Absent(format!("its row `{key}` is not readable: {error}")))
}

fn write<T: Encode<()>>(txn: &WriteTransaction, key: &str, record: &T) -> Result<(), StoreError> {
    let bytes = minicbor::to_vec(record).expect("encoding into a vector has no way to fail");
    let mut table = txn.open_table(META).map_err(disk("commit to"))?;
    table.insert(key, bytes.as_slice()).map_err(disk("commit to"))?;
    Ok(())
}
