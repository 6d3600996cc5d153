//! What can happen to a message.

use minicbor::{Decode, Encode};

use super::{Message, Sending};
use crate::ids::MessageId;
use crate::time::Time;

/// What happened to a message.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Fact {
    /// What it says was decided.
    #[n(0)]
    Planned {
        /// The record.
        #[n(0)]
        message: Box<Message>,
    },
    /// Its bytes were decided.
    #[n(1)]
    Rendered {
        /// Which.
        #[n(0)]
        id: MessageId,
        /// The whole message.
        #[n(1)]
        #[cbor(with = "minicbor::bytes")]
        bytes: Vec<u8>,
        /// Why the built-in text was used, or empty.
        #[n(2)]
        fallback: String,
    },
    /// It went out.
    #[n(2)]
    Delivered {
        /// Which.
        #[n(0)]
        id: MessageId,
    },
    /// It did not go out.
    #[n(3)]
    Failed {
        /// Which.
        #[n(0)]
        id: MessageId,
        /// Why.
        #[n(1)]
        error: String,
        /// When it is tried again; `None`: it is given up.
        #[n(2)]
        retry_at: Option<Time>,
    },
    /// It was given up, and is tried again.
    #[n(4)]
    Revived {
        /// The record as it was given up.
        #[n(0)]
        message: Box<Message>,
        /// What became of it then. Older ones keep it in the record, and nobody asks for it any more.
        #[n(1)]
        #[cbor(default)]
        sending: Box<Sending>,
    },
    /// An operator does not wait for its next try. It has not failed once more.
    #[n(5)]
    Hurried {
        /// Which.
        #[n(0)]
        id: MessageId,
        /// Who.
        #[n(1)]
        by: String,
        /// When it is tried next.
        #[n(2)]
        retry_at: Time,
    },
}
