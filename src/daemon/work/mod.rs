//! Workers: what the engine asks of the world. Each effect is done off the writer, and comes back to it as an event.

mod mail;

pub use mail::{MailWork, start};
