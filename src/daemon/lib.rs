//! The daemon: everything that touches the world around the engine. `app` puts it together; `writer` is where decisions become durable.

pub mod app;
pub mod assembly;
pub mod board;
pub mod cli;
pub mod clock;
pub mod config;
pub mod diagnostics;
pub mod events;
pub mod feed;
pub mod health;
pub mod hook;
pub mod ingest;
pub mod mail;
pub mod published;
pub mod read;
pub mod supervisor;
pub mod telemetry;
pub mod view;
pub mod web;
pub mod work;
pub mod world;
pub mod writer;
