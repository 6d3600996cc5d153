//! The doors: how bytes from outside become alerts, who may send them, and how many may be in flight. Decides nothing about an alert.

pub mod budget;
pub mod connections;
pub mod door;
pub mod http;
pub mod json;
pub mod kafka;
pub mod senders;
pub mod trust;
