//! Dead letters: inputs that were refused or set aside, kept with their bytes in the transaction that says so, until there are too many of them.
//!
//! A row stands by ascending id. The newest is never dropped, so the last key is also the counter that ids come from.

use std::collections::{BTreeMap, VecDeque};

use minicbor::{Decode, Encode};
use watchkeeper_engine::ids::DeadLetterId;
use watchkeeper_engine::input::Refused;
use watchkeeper_engine::state::rows::{RowFault, decode, encode};
use watchkeeper_engine::time::Time;
use watchkeeper_store::limits::{DEAD_LETTER_BYTES_MAX, DEAD_LETTER_FAULTS_MAX, DEAD_LETTERS_BYTES_MAX, DEAD_LETTERS_MAX};
use watchkeeper_store::{Direction, Reader, RowChange, StoreError, Table};

use super::suspects::InputHash;

/// Rows that one snapshot reads at a start: each may hold [`DEAD_LETTER_BYTES_MAX`] bytes.
const PAGE_ROWS: usize = 50;

/// An input that was refused or set aside, as its row keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct DeadLetter {
    /// Its id.
    #[n(0)]
    pub id: DeadLetterId,
    /// When the writer heard of it.
    #[n(1)]
    pub received_at: Time,
    /// What came in.
    #[n(2)]
    pub input: DeadInput,
    /// When it was tried again and taken; `None` where it never was.
    #[n(3)]
    pub redriven_at: Option<Time>,
    /// Who had it tried again, or empty.
    #[n(4)]
    pub redriven_by: String,
}

/// What came in and was not taken, and why.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct DeadInput {
    /// The source it came from; of a command, its actor.
    #[n(0)]
    pub source: String,
    /// By which way.
    #[n(1)]
    pub origin: Origin,
    /// What `bytes` are.
    #[n(2)]
    pub form: Form,
    /// What is wrong, each with its place; at most [`DEAD_LETTER_FAULTS_MAX`].
    #[n(3)]
    pub faults: Vec<Refused>,
    /// Faults beyond those.
    #[n(4)]
    pub more_faults: u32,
    /// Which members of a body were refused, from 0; empty: the body as a whole.
    #[n(5)]
    pub members: Vec<u32>,
    /// Its bytes, at most [`DEAD_LETTER_BYTES_MAX`].
    #[n(6)]
    #[cbor(with = "minicbor::bytes")]
    pub bytes: Vec<u8>,
    /// How many bytes came in: more than are kept where the rest was cut.
    #[n(7)]
    pub size: u64,
    /// The headers that its format reads, where it reads any; never those of authorisation.
    #[n(8)]
    pub headers: Option<BTreeMap<String, String>>,
}

/// By which way an input came.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Origin {
    /// A request.
    #[n(0)]
    Http {
        /// Its path.
        #[n(0)]
        path: String,
    },
    /// A Kafka record.
    #[n(1)]
    Kafka {
        /// Its topic.
        #[n(0)]
        topic: String,
        /// Its partition.
        #[n(1)]
        partition: i32,
        /// Its offset.
        #[n(2)]
        offset: i64,
    },
    /// The writer itself set it aside: deciding it stopped the daemon twice.
    #[n(2)]
    Writer {
        /// The hash by which a start recognised it.
        #[n(0)]
        input: u64,
    },
}

/// What the bytes of a dead letter are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Form {
    /// A body or record as it was received.
    #[n(0)]
    Raw,
    /// An alert as it was understood (`AlertInput`), encoded.
    #[n(1)]
    Alert,
    /// An operator's command as it was understood (`Command`), encoded.
    #[n(2)]
    Command,
}

impl Form {
    /// Its word in the API.
    pub const fn word(self) -> &'static str {
        match self {
            Form::Raw => "raw",
            Form::Alert => "alert",
            Form::Command => "command",
        }
    }
}

impl DeadInput {
    /// A body or record of which `members` were refused for `faults`; without members, the whole of it.
    pub fn raw(source: &str, origin: Origin, faults: &[Refused], members: Vec<u32>, bytes: &[u8]) -> DeadInput {
        let kept = &bytes[..bytes.len().min(DEAD_LETTER_BYTES_MAX)];
        DeadInput {
            source: source.to_owned(),
            origin,
            form: Form::Raw,
            faults: faults.iter().take(DEAD_LETTER_FAULTS_MAX).cloned().collect(),
            more_faults: u32::try_from(faults.len().saturating_sub(DEAD_LETTER_FAULTS_MAX)).unwrap_or(u32::MAX),
            members,
            bytes: kept.to_vec(),
            size: bytes.len() as u64,
            headers: None,
        }
    }

    /// The same, with the headers that its format reads.
    pub fn with_headers(mut self, headers: Option<BTreeMap<String, String>>) -> DeadInput {
        self.headers = headers;
        self
    }

    /// What stopped the daemon twice: `bytes` are its typed form.
    pub(super) fn set_aside(source: &str, form: Form, hash: InputHash, bytes: Vec<u8>) -> DeadInput {
        let expected = "one that has not stopped the daemon twice; this one is kept as a dead letter".to_owned();
        let faults = [Refused { place: form.word().to_owned(), expected }];
        DeadInput { form, ..DeadInput::raw(source, Origin::Writer { input: hash.0 }, &faults, Vec::new(), &bytes) }
    }

    /// Whether its bytes are not all there.
    pub fn is_cut(&self) -> bool {
        (self.bytes.len() as u64) < self.size
    }

    /// About how many bytes its row takes.
    pub(super) fn weight(&self) -> usize {
        let headers = self.headers.iter().flatten().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        self.bytes.len()
            + headers
            + 4 * self.members.len()
            + self.faults.iter().map(|fault| fault.place.len() + fault.expected.len()).sum::<usize>()
    }
}

impl DeadLetter {
    /// Reads a row.
    ///
    /// # Errors
    /// It is not what this release writes.
    pub fn decode(bytes: &[u8]) -> Result<DeadLetter, RowFault> {
        decode(Table::DEAD_LETTERS.name(), bytes)
    }

    /// Its row.
    pub fn row(&self) -> RowChange {
        RowChange { table: Table::DEAD_LETTERS, key: self.id.0.to_be_bytes().to_vec(), value: Some(encode(self)) }
    }
}

/// Which dead letters there are: the writer's own books, so that room is made in the transaction that needs it.
#[derive(Debug, Default)]
pub(super) struct Letters {
    kept: VecDeque<(DeadLetterId, usize)>,
    bytes: usize,
    last: u64,
    set_aside: BTreeMap<u64, DeadLetterId>,
}

impl Letters {
    /// Reads what the store keeps.
    ///
    /// # Errors
    /// The store fails, or holds what this release cannot read.
    pub(super) fn load(reader: &Reader) -> Result<Letters, StoreError> {
        let mut letters = Letters::default();
        let mut from: Option<Vec<u8>> = None;
        loop {
            let page = reader.snapshot()?.range(Table::DEAD_LETTERS, from.as_deref(), PAGE_ROWS, Direction::Forward)?;
            for (_, bytes) in &page.rows {
                let letter = DeadLetter::decode(bytes)
                    .map_err(|fault| StoreError::BadRow { table: Table::DEAD_LETTERS.name(), reason: fault.to_string() })?;
                letters.enter(&letter, bytes.len());
            }
            from = page.next;
            if from.is_none() {
                return Ok(letters);
            }
        }
    }

    /// Puts the row of an input among `rows`, and those that make room for it. Returns how many had to go.
    pub(super) fn keep(&mut self, input: DeadInput, now: Time, rows: &mut Vec<RowChange>) -> u64 {
        let id = DeadLetterId(self.last + 1);
        let letter = DeadLetter { id, received_at: now, input, redriven_at: None, redriven_by: String::new() };
        let row = letter.row();
        self.enter(&letter, row.value.as_ref().map_or(0, Vec::len));
        rows.push(row);
        let mut dropped = 0;
        while self.kept.len() > DEAD_LETTERS_MAX || (self.bytes > DEAD_LETTERS_BYTES_MAX && self.kept.len() > 1) {
            let Some((oldest, bytes)) = self.kept.pop_front() else { break };
            self.bytes -= bytes;
            self.set_aside.retain(|_, id| *id != oldest);
            rows.push(RowChange { table: Table::DEAD_LETTERS, key: oldest.0.to_be_bytes().to_vec(), value: None });
            dropped += 1;
        }
        dropped
    }

    /// Whether an input that was set aside is kept already.
    pub(super) fn holds_set_aside(&self, hash: InputHash) -> bool {
        self.set_aside.contains_key(&hash.0)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    fn enter(&mut self, letter: &DeadLetter, bytes: usize) {
        self.kept.push_back((letter.id, bytes));
        self.bytes += bytes;
        self.last = letter.id.0;
        if let Origin::Writer { input } = letter.input.origin {
            self.set_aside.insert(input, letter.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(bytes: usize) -> DeadInput {
        let faults = [Refused { place: "body".to_owned(), expected: "JSON".to_owned() }];
        DeadInput::raw("prom", Origin::Http { path: "/hooks/prom".to_owned() }, &faults, Vec::new(), &vec![b'x'; bytes])
    }

    fn deleted(rows: &[RowChange]) -> Vec<u64> {
        let gone = rows.iter().filter(|row| row.value.is_none());
        gone.map(|row| u64::from_be_bytes(row.key.as_slice().try_into().expect("keys are numbers"))).collect()
    }

    #[test]
    fn beyond_the_number_the_oldest_go_in_the_same_transaction() {
        let (mut letters, mut rows) = (Letters::default(), Vec::new());
        for _ in 0..DEAD_LETTERS_MAX {
            assert_eq!(letters.keep(input(1), Time(1), &mut rows), 0);
        }
        assert_eq!(letters.keep(input(1), Time(1), &mut rows), 1);
        assert_eq!((letters.len(), deleted(&rows)), (DEAD_LETTERS_MAX, vec![1]));
    }

    #[test]
    fn beyond_the_bytes_the_oldest_go_and_the_newest_stays() {
        let (mut letters, mut rows) = (Letters::default(), Vec::new());
        let fitting = DEAD_LETTERS_BYTES_MAX / (DEAD_LETTER_BYTES_MAX + 100);
        for _ in 0..fitting {
            assert_eq!(letters.keep(input(DEAD_LETTER_BYTES_MAX), Time(1), &mut rows), 0);
        }
        let dropped: u64 = (0..5).map(|_| letters.keep(input(DEAD_LETTER_BYTES_MAX), Time(1), &mut rows)).sum();
        assert!((4..=5).contains(&dropped), "{dropped}");
        assert!(letters.bytes <= DEAD_LETTERS_BYTES_MAX && deleted(&rows).starts_with(&[1, 2, 3, 4]));
    }

    #[test]
    fn a_long_input_is_cut_and_says_so() {
        let long = input(DEAD_LETTER_BYTES_MAX + 7);
        assert_eq!((long.bytes.len(), long.size, long.is_cut()), (DEAD_LETTER_BYTES_MAX, DEAD_LETTER_BYTES_MAX as u64 + 7, true));
        assert!(!input(DEAD_LETTER_BYTES_MAX).is_cut());
    }

    #[test]
    fn its_bytes_in_the_store_stay_as_they_are() {
        let faults = [Refused { place: "alerts[1].labels".to_owned(), expected: "an object".to_owned() }];
        let origin = Origin::Kafka { topic: "alerts".to_owned(), partition: 3, offset: 42 };
        let input = DeadInput::raw("kafka", origin, &faults, vec![1], b"[]");
        let letter = DeadLetter { id: DeadLetterId(7), received_at: Time(9), input, redriven_at: None, redriven_by: String::new() };
        let hex: String = letter.row().value.unwrap_or_default().iter().map(|byte| format!("{byte:02x}")).collect();
        let golden =
            "85070988656b61666b6182018366616c6572747303182a00818270616c657274735b315d2e6c6162656c7369616e206f626a656374008101425b5d02f660";
        assert_eq!(hex, golden);
        assert_eq!(DeadLetter::decode(&letter.row().value.unwrap_or_default()).ok(), Some(letter));
    }
}
