//! The tables: the engine's by their names, and those that only the store and the shell know.

use redb::{ReadOnlyTable, TableDefinition};

/// A table of rows: bytes by ascending bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Table(pub(crate) &'static str);

impl Table {
    /// Configuration items by number (big-endian).
    pub const ITEMS: Table = Table("cmdb_items");
    /// Teams by id.
    pub const TEAMS: Table = Table("cmdb_teams");
    /// People by id.
    pub const PEOPLE: Table = Table("cmdb_people");
    /// Contracts by id.
    pub const CONTRACTS: Table = Table("cmdb_contracts");
    /// The CMDB's version and next free number, one row.
    pub const CMDB_META: Table = Table("cmdb_meta");
    /// Source texts by the hash of their content.
    pub const SOURCE_TEXTS: Table = Table("source_texts");
    /// Sets of sources by kind and number, and which is the last good one.
    pub const SOURCE_SETS: Table = Table("source_sets");
    /// Webhook receipts by expiry (milliseconds, big-endian) and key. A commit deletes those whose expiry has passed.
    pub const RECEIPTS: Table = Table("receipts");
    /// Inputs set aside because they could not be taken or stopped the daemon twice.
    pub const DEAD_LETTERS: Table = Table("dead_letters");
    /// Positions of Kafka partitions by topic, a zero byte and partition.
    pub const KAFKA_POSITIONS: Table = Table("kafka_positions");
    /// What operators and reloads did.
    pub const AUDIT: Table = Table("audit");

    /// The table of a name of the engine's (`Table::name()` there).
    pub const fn named(name: &'static str) -> Table {
        Table(name)
    }

    /// Its name in the file.
    pub const fn name(self) -> &'static str {
        self.0
    }

    pub(crate) fn definition(self) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
        TableDefinition::new(self.0)
    }
}

/// A table of rows, open for reading.
pub(crate) type Rows = ReadOnlyTable<&'static [u8], &'static [u8]>;
/// The chunks of blocks, open for reading.
pub(crate) type Blocks = ReadOnlyTable<(u64, u32), &'static [u8]>;

/// Chunks of blocks by sequence and part.
pub(crate) const BLOCKS: TableDefinition<(u64, u32), &[u8]> = TableDefinition::new("blocks");
/// Vitals pages by number.
pub(crate) const PAGES: TableDefinition<u32, &[u8]> = TableDefinition::new("vitals");
/// The identity and the head, one row each.
pub(crate) const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");
