//! The tables: the engine's, which its registry names, and those that only the store and the shell know.

use redb::{ReadOnlyTable, TableDefinition, TableHandle};
use watchkeeper_engine::state::rows;

/// A table of rows: bytes by ascending bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Table(pub(crate) &'static str);

/// A constant of [`Table`] for each table that the engine does not know, and the list of them.
macro_rules! own_tables {
    ($($(#[$doc:meta])* $constant:ident = $name:literal;)*) => {
        impl Table {
            $($(#[$doc])* pub const $constant: Table = Table($name);)*

            /// The tables of the store and the shell.
            pub(crate) const OWN: &'static [Table] = &[$(Table::$constant),*];
        }
    };
}

own_tables! {
    /// Configuration items by number (big-endian).
    ITEMS = "cmdb_items";
    /// Teams by id.
    TEAMS = "cmdb_teams";
    /// People by id.
    PEOPLE = "cmdb_people";
    /// Contracts by id.
    CONTRACTS = "cmdb_contracts";
    /// The CMDB's version and next free number, one row.
    CMDB_META = "cmdb_meta";
    /// Source texts by the hash of their content.
    SOURCE_TEXTS = "source_texts";
    /// Sets of sources by kind and number, and which is the last good one.
    SOURCE_SETS = "source_sets";
    /// Webhook receipts by expiry (milliseconds, big-endian) and key. A commit deletes those whose expiry has passed.
    RECEIPTS = "receipts";
    /// Inputs set aside because they could not be taken or stopped the daemon twice.
    DEAD_LETTERS = "dead_letters";
    /// Positions of Kafka partitions by topic, a zero byte and partition.
    KAFKA_POSITIONS = "kafka_positions";
    /// How far changes of incidents have been written to a Kafka topic, by topic.
    KAFKA_CURSORS = "kafka_cursors";
}

impl Table {
    /// A table of the engine's.
    pub const fn of(table: rows::Table) -> Table {
        Table(table.name())
    }

    /// Whether a file of this release may have a table of that name.
    pub(crate) fn is_known(name: &str) -> bool {
        let fixed = [BLOCKS.name(), PAGES.name(), META.name()];
        fixed.contains(&name) || Table::OWN.iter().any(|table| table.0 == name) || rows::Table::ALL.iter().any(|table| table.name() == name)
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
