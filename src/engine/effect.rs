//! What is asked of the world after the commit: imperative; results come back as events.

use crate::ids::MessageId;

/// What a worker shall do. Everything it needs is in the message's row, so that a start can ask again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Turn what a message says into its bytes.
    Render(MessageId),
    /// Send a message's bytes.
    Deliver(MessageId),
    /// Ask for the series of a capacity rule, by its name.
    Query(String),
}
