//! Workers: what the engine asks of the world. Each effect is done off the writer, and comes back to it as an event.

mod capacity;
mod mail;

pub use capacity::CapacityWork;
pub use mail::{MailWork, start};
