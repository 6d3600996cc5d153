//! Names of things: a newtype for every id, ascending from stored counters, never reused.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use minicbor::{Decode, Decoder, Encode, Encoder};

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $digits:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
        #[cbor(transparent)]
        pub struct $name(#[n(0)] pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_id(f, $prefix, $digits, self.0)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                read_id($prefix, text).map($name).ok_or(NotAnId { expected: $prefix })
            }
        }

        text_id!($name, $prefix);
    };
}

/// An id outside the engine is its text: in JSON, and in the description of the API.
macro_rules! text_id {
    ($name:ident, $prefix:literal) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                let such = concat!("an id such as ", $prefix, "0000042");
                text.parse().map_err(|_| serde::de::Error::invalid_value(serde::de::Unexpected::Str(&text), &such))
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "examples": [concat!($prefix, "0000042")] })
            }
        }
    };
}

/// Bits of an id that count; those above are its realm's number.
const NUMBER_BITS: u32 = 48;

/// The number of a realm, in the high bits of its ids. What it is judged with is judged in one place; 0 is `main`, whose ids print without it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(transparent)]
pub struct Shard(#[n(0)] pub u16);

impl Shard {
    /// The realm `main`.
    pub const MAIN: Shard = Shard(0);
}

/// The ids that belong to a realm: `INC0000042` in `main`, `INC3-0000042` in the realm with number 3.
macro_rules! realm_id {
    ($($name:ident),*) => {
        $(impl $name {
            /// The id with a number of a realm.
            pub const fn of(shard: Shard, number: u64) -> $name {
                $name((shard.0 as u64) << NUMBER_BITS | number)
            }

            /// Its realm's number.
            pub const fn shard(self) -> Shard {
                Shard((self.0 >> NUMBER_BITS) as u16)
            }

            /// Its number in that realm.
            pub const fn number(self) -> u64 {
                self.0 & ((1 << NUMBER_BITS) - 1)
            }
        })*
    };
}

realm_id!(IncidentId, AlertId, MessageId, ProblemId);

/// What belongs together, by name: nothing is explained, grouped or muted across realms.
///
/// `main` has no text, and those of one State share theirs, so that two are compared by where they are; a copy is a count.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Realm(Option<Arc<str>>);

impl Realm {
    /// The realm of every source that names no other.
    pub const MAIN: Realm = Realm(None);

    /// Its name.
    pub fn name(&self) -> &str {
        self.0.as_deref().unwrap_or("main")
    }

    /// Whether it is the realm of every source that names no other.
    pub const fn is_main(&self) -> bool {
        self.0.is_none()
    }
}

impl From<&str> for Realm {
    fn from(name: &str) -> Realm {
        Realm((name != Realm::MAIN.name()).then(|| Arc::from(name)))
    }
}

impl fmt::Display for Realm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Realm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.name(), f)
    }
}

impl<C> Encode<C> for Realm {
    fn encode<W: minicbor::encode::Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(self.name())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Realm {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Realm, minicbor::decode::Error> {
        Ok(Realm::from(d.str()?))
    }
}

fn write_id(f: &mut fmt::Formatter<'_>, prefix: &str, digits: usize, id: u64) -> fmt::Result {
    let (shard, number) = (id >> NUMBER_BITS, id & ((1 << NUMBER_BITS) - 1));
    f.write_str(prefix)?;
    if shard > 0 {
        write!(f, "{shard}-")?;
    }
    write!(f, "{number:0digits$}")
}

fn read_id(prefix: &str, text: &str) -> Option<u64> {
    let rest = text.get(..prefix.len()).filter(|head| head.eq_ignore_ascii_case(prefix)).map(|_| &text[prefix.len()..])?;
    let (shard, number) = rest.split_once('-').unwrap_or(("0", rest));
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(shard) || !all_digits(number) {
        return None;
    }
    let (shard, number): (u16, u64) = (shard.parse().ok()?, number.parse().ok()?);
    (number >> NUMBER_BITS == 0).then_some(u64::from(shard) << NUMBER_BITS | number)
}

/// A text that is no id of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id: expected {expected} and digits")]
pub struct NotAnId {
    /// The prefix that ids of this kind carry.
    pub expected: &'static str,
}

number_id!(
    /// An incident, printed as `INC0000042`.
    IncidentId, "INC", 7
);
number_id!(
    /// One alert of a fingerprint, printed as `ALR0000042`; it keeps its id over later occurrences while its row lives.
    AlertId, "ALR", 7
);
number_id!(
    /// A message to one recipient, printed as `MSG0000042`.
    MessageId, "MSG", 7
);
number_id!(
    /// A silence an operator made, printed as `SIL0000042`; Alertmanager's clients see its UUID.
    SilenceId, "SIL", 7
);
number_id!(
    /// A problem, printed as `PRB0000042`.
    ProblemId, "PRB", 7
);
number_id!(
    /// Work that goes on over batches, printed as `CUR0000042`.
    CursorId, "CUR", 7
);
number_id!(
    /// An input that was refused or set aside, printed as `DLT0000042`.
    DeadLetterId, "DLT", 7
);

/// The place of a live alert in memory and on its vitals page; given to another alert after the first is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(transparent)]
pub struct Slot(#[n(0)] pub u32);

/// A source by its number in `State::sources`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(transparent)]
pub struct SourceNo(#[n(0)] pub u16);

/// A configuration item by its stable number: kept over imports, never given to another item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct CiNo(#[n(0)] pub u32);

/// Terms of SLA clocks by their content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct TermsId {
    /// The first half.
    #[n(0)]
    pub high: u64,
    /// The second half.
    #[n(1)]
    pub low: u64,
}

/// 128 random bits made at `init`: seeds fingerprints and Message-IDs, and names the store in its sidecar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct StoreId {
    /// The first half.
    #[n(0)]
    pub high: u64,
    /// The second half.
    #[n(1)]
    pub low: u64,
}

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.high, self.low)
    }
}
