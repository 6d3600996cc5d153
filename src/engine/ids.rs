//! Names of things: a newtype for every id, ascending from stored counters, never reused.

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Encode};

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $digits:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
        #[cbor(transparent)]
        pub struct $name(#[n(0)] pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{:0", $digits, "}"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                let digits = text
                    .get(..$prefix.len())
                    .filter(|head| head.eq_ignore_ascii_case($prefix))
                    .map(|_| &text[$prefix.len()..])
                    .ok_or(NotAnId { expected: $prefix })?;
                if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(NotAnId { expected: $prefix });
                }
                digits.parse().map($name).map_err(|_| NotAnId { expected: $prefix })
            }
        }
    };
}

/// The realm of every source that names no other.
pub const MAIN_REALM: &str = "main";

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
