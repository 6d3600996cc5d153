//! What tests that stand outside and the bench have in common: a daemon of their own, the wire to it, its mail folder, and chance.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

pub mod chance;
pub mod daemon;
pub mod described;
pub mod kafka;
pub mod mail_server;
pub mod mailbox;
pub mod wire;
