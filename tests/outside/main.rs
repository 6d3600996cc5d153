//! What only another program can tell, and what only somebody who stands outside can see. Each module fails where its program is missing: `make test` installs them all.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod amtool;
mod browser;
mod capacity;
mod crash;
mod demo;
mod deploy;
mod downtime;
mod hooks;
mod kafka;
mod kafka_out;
mod outage;
mod parsed_back;
mod prometheus;
mod smtp;

#[allow(dead_code, reason = "makes messages for other tests, too")]
#[path = "../common/messages.rs"]
mod messages;
#[path = "../common/pages.rs"]
mod pages;
