//! What the store promises: what was acknowledged is there after any crash, what is not a store of ours is refused in plain words, and reads are pages.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop at the first surprise")]

mod backups;
mod clocks;
mod commits;
mod crashes;
mod disk;
mod golden;
mod health;
mod history;
mod key;
mod kills;
mod migrations;
mod pages;
mod records;
mod refusals;
mod support;
