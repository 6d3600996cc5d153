//! What other people recorded and wrote down: bodies of webhooks, topologies, rules, and the vectors of other products' test suites.
//!
//! They lie in a folder beside the repository, named by WATCHKEEPER_CORPUS. `make corpus` runs this; `make test` and plain `cargo test` do not need it, because
//! fixtures of our own cover the same ground.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::PathBuf;

mod bodies;
mod cmdb;
mod rules;
mod series;
mod times;

#[path = "../common/organisation.rs"]
mod organisation;

#[path = "../it/described.rs"]
mod described;
#[allow(dead_code, reason = "the doors have more to offer than these tests ask for")]
#[path = "../it/http_support.rs"]
mod http_support;

/// The folder of the corpus.
fn folder() -> PathBuf {
    PathBuf::from(
        std::env::var_os("WATCHKEEPER_CORPUS").expect("WATCHKEEPER_CORPUS names the folder of the corpus; `make corpus` says more"),
    )
}

/// A text file of it.
fn text(path: &str) -> String {
    let path = folder().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
