//! The decisions of Watchkeeper: what an alert means, which incident it belongs to, and who is told.
//!
//! Pure: no clock, disk, network, randomness, threads or environment; `now` is an argument. The order of the
//! modules below is the order in which they may know each other, kept by `tests/engine/tidy.rs`.
#![doc = include_str!("GLOSSARY.md")]
#![warn(missing_docs)]

pub mod ids;
pub mod limits;
pub mod lookup;
pub mod text;
pub mod time;
pub mod words;

pub mod calendar;
pub mod forecast;
pub mod schedule;

pub mod command;
pub mod input;
pub mod source;

pub mod expr;

pub mod cmdb;
pub mod policy;

pub mod model;

pub mod block;
pub mod effect;
pub mod event;
pub mod fact;

pub mod sight;
pub mod state;

pub mod decide;
pub mod judge;
pub mod trace;

pub mod step;

pub mod trial;
