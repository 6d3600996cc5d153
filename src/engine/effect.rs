//! What is asked of the world after the commit: imperative; results come back as events.

use std::sync::Arc;

use crate::model::message::Message;

/// What a worker must do, with all it needs. It stands in a row too, so that a start can ask again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Turn what a message says into its bytes.
    Render(Arc<Message>),
    /// Send a message's bytes, by its channel.
    Deliver(Arc<Message>),
    /// Ask for the series of a capacity rule, by its name.
    Query(String),
}
