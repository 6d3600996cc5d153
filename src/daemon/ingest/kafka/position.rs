//! The position in a partition: the row that is committed with its records, and where reading begins after comparing it with the broker. Does no I/O.

use std::fmt;

use minicbor::{Decode, Encode};
use watchkeeper_engine::state::rows::{RowFault, decode, encode};
use watchkeeper_store::{RowChange, Table};
use xxhash_rust::xxh3::xxh3_64;

/// What is known of one partition, as its row keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Position {
    /// The topic.
    #[n(0)]
    pub topic: String,
    /// The partition.
    #[n(1)]
    pub partition: i32,
    /// The cluster it is of, by the id that its brokers show.
    #[n(2)]
    pub cluster: String,
    /// The offset after the last record that was taken.
    #[n(3)]
    pub next: i64,
    /// The last record that was taken; `None` before the first.
    #[n(4)]
    pub witness: Option<Witness>,
}

/// A record by which its topic is known again: a topic that was made anew has another one at this offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Witness {
    /// Its offset.
    #[n(0)]
    pub offset: i64,
    /// Its time in milliseconds since 1970; -1 where it has none.
    #[n(1)]
    pub timestamp: i64,
    /// A hash of its key and value.
    #[n(2)]
    pub hash: u64,
}

/// Where reading begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begin {
    /// At the earliest record: nothing of the partition was ever taken.
    Earliest,
    /// At the last record that was taken, which must be the witness.
    AtWitness(Witness),
    /// After the last record that was taken, which the broker no longer has.
    Unwitnessed,
    /// At the earliest record: the partition has changed.
    Broken(Break),
}

/// How a partition has changed since it was last read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// Records were deleted before they were read.
    Lost {
        /// The first of them.
        from: i64,
        /// The earliest record that is left.
        earliest: i64,
    },
    /// The topic ends before the last record that was taken: it was truncated or recreated.
    Cut {
        /// The offset after the last record that was taken.
        next: i64,
        /// Where it ends.
        end: i64,
    },
    /// A different record is at the offset of the last one taken: the topic was recreated.
    Replaced {
        /// Where.
        offset: i64,
    },
    /// The partition no longer exists: the topic was recreated with fewer.
    Gone {
        /// The offset after the last record that was taken.
        next: i64,
    },
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Break::Lost { from, earliest } => {
                write!(f, "the {} records from offset {from} to {} were gone before they were read", earliest - from, earliest - 1)
            }
            Break::Cut { next, end } => write!(f, "it ends at offset {end}, and was read up to {next}: it was cut or made anew"),
            Break::Replaced { offset } => write!(f, "another record stands at offset {offset} than was read there: it was made anew"),
            Break::Gone { next } => {
                write!(f, "it is no longer there, and was read up to {next}: the topic was made anew with fewer partitions")
            }
        }
    }
}

impl Position {
    /// Of a partition of which nothing was taken yet.
    pub fn earliest(topic: &str, partition: i32, cluster: &str, earliest: i64) -> Position {
        Position { topic: topic.to_owned(), partition, cluster: cluster.to_owned(), next: earliest, witness: None }
    }

    /// Reads a row.
    ///
    /// # Errors
    /// It is not what this release writes.
    pub fn decode(bytes: &[u8]) -> Result<Position, RowFault> {
        decode(Table::KAFKA_POSITIONS.name(), bytes)
    }

    /// Its row.
    pub fn row(&self) -> RowChange {
        RowChange { table: Table::KAFKA_POSITIONS, key: key(&self.topic, self.partition), value: Some(encode(self)) }
    }

    /// The change that deletes its row.
    pub fn gone(&self) -> RowChange {
        RowChange { table: Table::KAFKA_POSITIONS, key: key(&self.topic, self.partition), value: None }
    }
}

impl Witness {
    /// Of a record.
    pub fn of(offset: i64, timestamp: Option<i64>, record_key: Option<&[u8]>, value: Option<&[u8]>) -> Witness {
        // Absent and empty are told apart: a tombstone is no empty record.
        let part = |bytes: Option<&[u8]>| bytes.map_or(0, |bytes| xxh3_64(bytes).wrapping_add(1));
        Witness { offset, timestamp: timestamp.unwrap_or(-1), hash: part(value) ^ part(record_key).rotate_left(32) }
    }
}

/// Where reading begins in a partition whose records go from `earliest` up to before `end`.
pub fn begin(known: Option<&Position>, earliest: i64, end: i64) -> Begin {
    let Some(Position { next, witness, .. }) = known else { return Begin::Earliest };
    match witness {
        _ if *next > end => Begin::Broken(Break::Cut { next: *next, end }),
        _ if *next < earliest => Begin::Broken(Break::Lost { from: *next, earliest }),
        Some(witness) if witness.offset >= earliest => Begin::AtWitness(*witness),
        Some(_) | None => Begin::Unwitnessed,
    }
}

/// Topics hold no zero byte, so rows of one topic stand together by ascending partition.
fn key(topic: &str, partition: i32) -> Vec<u8> {
    [topic.as_bytes(), &[0], &partition.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn witness(offset: i64) -> Witness {
        Witness::of(offset, Some(1_764_000_000_000), None, Some(b"{}"))
    }

    fn at(next: i64, witness: Option<Witness>) -> Position {
        Position { next, witness, ..Position::earliest("alerts", 3, "one", 0) }
    }

    #[test]
    fn a_partition_goes_on_where_it_was_left_and_never_skips_what_is_there() {
        assert_eq!(begin(None, 5, 9), Begin::Earliest);
        assert_eq!(begin(Some(&at(7, Some(witness(6)))), 5, 9), Begin::AtWitness(witness(6)));
        assert_eq!(begin(Some(&at(7, Some(witness(6)))), 6, 7), Begin::AtWitness(witness(6)));
        assert_eq!(begin(Some(&at(7, Some(witness(6)))), 7, 7), Begin::Unwitnessed);
        assert_eq!(begin(Some(&at(7, None)), 7, 9), Begin::Unwitnessed);
        // The last record stood before some that a transaction left out.
        assert_eq!(begin(Some(&at(9, Some(witness(4)))), 0, 9), Begin::AtWitness(witness(4)));
    }

    #[test]
    fn what_is_gone_or_cut_is_named_with_its_offsets() {
        assert_eq!(begin(Some(&at(7, Some(witness(6)))), 8, 9), Begin::Broken(Break::Lost { from: 7, earliest: 8 }));
        assert_eq!(begin(Some(&at(7, Some(witness(6)))), 0, 6), Begin::Broken(Break::Cut { next: 7, end: 6 }));
        assert_eq!(begin(Some(&at(7, Some(witness(6)))), 0, 0), Begin::Broken(Break::Cut { next: 7, end: 0 }));
        assert_eq!(Break::Lost { from: 7, earliest: 9 }.to_string(), "the 2 records from offset 7 to 8 were gone before they were read");
    }

    #[test]
    fn a_witness_differs_by_offset_time_key_and_value() {
        let of = |time, key: Option<&[u8]>, value: Option<&[u8]>| Witness::of(1, time, key, value);
        let all = [
            of(None, None, None),
            of(None, None, Some(b"")),
            of(None, Some(b""), None),
            of(None, Some(b"a"), Some(b"b")),
            of(None, Some(b"b"), Some(b"a")),
            of(Some(7), Some(b"b"), Some(b"a")),
            Witness::of(2, Some(7), Some(b"b"), Some(b"a")),
        ];
        for (n, one) in all.iter().enumerate() {
            assert!(all.iter().skip(n + 1).all(|other| other != one), "{one:?}");
        }
    }

    #[test]
    fn its_bytes_in_the_store_stay_as_they_are() {
        let row = at(7, Some(Witness { offset: 6, timestamp: 9, hash: 258 })).row();
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(hex(&row.key), "616c657274730000000003");
        let value = row.value.unwrap_or_default();
        assert_eq!(hex(&value), "8566616c6572747303636f6e650783060919 0102".replace(' ', ""));
        assert_eq!(Position::decode(&value).ok(), Some(at(7, Some(Witness { offset: 6, timestamp: 9, hash: 258 }))));
    }
}
