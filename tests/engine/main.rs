//! Promises of the engine, checked from outside.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod bounds;
mod calendar;
mod certain;
mod cmdb;
mod commands;
mod core;
#[allow(dead_code, reason = "here its power never fails")]
#[path = "../store/disk.rs"]
mod disk;
mod expr;
mod expr_oracle;
mod forecast;
mod golden;
mod language;
#[path = "../common/organisation.rs"]
mod organisation;
mod policy;
mod recount;
mod scenarios;
mod schedule;
#[allow(dead_code, clippy::wildcard_enum_match_arm, reason = "scenarios still to come use all of it; it asks for one kind of fact")]
mod sim;
mod slas;
mod source;
mod tidy;
mod trace;
mod trial;
