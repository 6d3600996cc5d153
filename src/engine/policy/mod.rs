//! Rule files compiled: one file a section, immutable, with the built-in rules behind the operator's own.

pub mod correlate;
pub mod notify;
pub mod priorities;
pub mod silences;
