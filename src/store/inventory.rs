//! The CMDB in rows: what an import changed, to go into a [`crate::Commit`], and the whole of it at a start.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};
use redb::ReadableTable;
use watchkeeper_engine::cmdb::{Ci, Contract, Inventory, Person, Team};

use crate::error::{StoreError, disk};
use crate::reader::Snapshot;
use crate::store::RowChange;
use crate::tables::Table;

const META_KEY: &[u8] = &[0];

/// The one row beside the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
struct Meta {
    /// The version that these rows are.
    #[n(0)]
    version: u64,
    /// The next free number of an item.
    #[n(1)]
    next_no: u32,
}

/// The rows that turn the stored `old` into `new`, which becomes version `version`. For a first import `old` is empty.
pub fn inventory_rows(old: &Inventory, new: &Inventory, version: u64) -> Vec<RowChange> {
    let mut rows = Vec::new();
    difference(&mut rows, Table::ITEMS, &old.items, &new.items, |no| no.0.to_be_bytes().to_vec());
    difference(&mut rows, Table::TEAMS, &old.teams, &new.teams, |id| id.as_bytes().to_vec());
    difference(&mut rows, Table::PEOPLE, &old.people, &new.people, |id| id.as_bytes().to_vec());
    difference(&mut rows, Table::CONTRACTS, &old.contracts, &new.contracts, |id| id.as_bytes().to_vec());
    let meta = Meta { version, next_no: new.next_no };
    rows.push(RowChange { table: Table::CMDB_META, key: META_KEY.to_vec(), value: Some(encode(&meta)) });
    rows
}

impl Snapshot {
    /// The CMDB and its version; `None` where nothing was ever imported.
    ///
    /// # Errors
    /// The database fails, or a row is not readable.
    pub fn inventory(&self) -> Result<Option<(u64, Inventory)>, StoreError> {
        let Some(bytes) = self.get(Table::CMDB_META, META_KEY)? else { return Ok(None) };
        let meta: Meta = decode(Table::CMDB_META, &bytes)?;
        let inventory = Inventory {
            items: self.records(Table::ITEMS, |item: &Ci| item.no)?,
            teams: self.records(Table::TEAMS, |team: &Team| team.id.clone())?,
            people: self.records(Table::PEOPLE, |person: &Person| person.id.clone())?,
            contracts: self.records(Table::CONTRACTS, |contract: &Contract| contract.id.clone())?,
            next_no: meta.next_no,
        };
        Ok(Some((meta.version, inventory)))
    }

    fn records<K: Ord, V: for<'b> Decode<'b, ()>>(&self, table: Table, key_of: impl Fn(&V) -> K) -> Result<BTreeMap<K, V>, StoreError> {
        let mut records = BTreeMap::new();
        let Some(rows) = self.table(table)? else { return Ok(records) };
        for row in rows.iter().map_err(disk("read"))? {
            let (_, value) = row.map_err(disk("read"))?;
            let record = decode(table, value.value())?;
            records.insert(key_of(&record), record);
        }
        Ok(records)
    }
}

fn difference<K: Ord, V: PartialEq + Encode<()>>(
    rows: &mut Vec<RowChange>,
    table: Table,
    old: &BTreeMap<K, V>,
    new: &BTreeMap<K, V>,
    key_of: impl Fn(&K) -> Vec<u8>,
) {
    let gone = old.keys().filter(|key| !new.contains_key(key));
    rows.extend(gone.map(|key| RowChange { table, key: key_of(key), value: None }));
    let changed = new.iter().filter(|(key, record)| old.get(key) != Some(record));
    rows.extend(changed.map(|(key, record)| RowChange { table, key: key_of(key), value: Some(encode(record)) }));
}

pub(crate) fn encode<T: Encode<()>>(record: &T) -> Vec<u8> {
    minicbor::to_vec(record).expect("encoding into a vector has no way to fail")
}

/// A whole record; bytes left over are a fault.
pub(crate) fn decode<'b, T: Decode<'b, ()>>(table: Table, bytes: &'b [u8]) -> Result<T, StoreError> {
    let fault = |reason: String| StoreError::BadRow { table: table.name(), reason };
    let mut decoder = minicbor::Decoder::new(bytes);
    let record = decoder.decode().map_err(|error| fault(error.to_string()))?;
    if decoder.position() == bytes.len() { Ok(record) } else { Err(fault("bytes are left over".to_owned())) }
}
