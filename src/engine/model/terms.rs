//! The terms of SLA clocks: kept by their content, each once and for good, because past incidents are shown by them.

use minicbor::{Decode, Encode};

use crate::policy::slas::Terms;

/// What happened to terms. Indices are never reused; new fields are optional.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Fact {
    /// A first clock was attached with them.
    #[n(0)]
    Kept {
        /// The record.
        #[n(0)]
        terms: Box<Terms>,
    },
}
