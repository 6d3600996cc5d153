//! The daemon: everything that touches the world around the engine. `app` puts it together; `writer` is where decisions become durable.

pub mod clock;
pub mod config;
pub mod diagnostics;
pub mod ingest;
pub mod health;
pub mod telemetry;
pub mod writer;
