//! Promises of the engine, checked from outside.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod cmdb;
mod core;
mod expr;
mod expr_oracle;
mod policy;
mod scenarios;
mod schedule;
mod sim;
mod source;
mod tidy;
mod trial;
