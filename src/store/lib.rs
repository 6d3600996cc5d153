//! Watchkeeper's rows, blocks and vitals pages on disk: one redb file, written by one thread, read through snapshots.
//!
//! Knows rows, not decisions: what a row, a page or a block means is the engine's business. One batch is one [`Commit`] and one transaction; when
//! [`Store::commit`] has returned, what it held survives a crash of the machine, and before that nothing of it does. A normal start opens what is there
//! and never creates: a lost, cut, foreign or older file is refused with the command to run.

#![warn(missing_docs)]

mod archive;
mod backup;
mod error;
mod frame;
mod inventory;
mod key;
pub mod limits;
mod load;
mod meta;
mod migrate;
mod pages;
mod place;
mod reader;
mod retention;
mod sidecar;
mod sources;
mod store;
mod suspect;
mod tables;
mod verify;

pub use archive::Archive;
pub use backup::Backup;
pub use error::StoreError;
pub use frame::StoredBlock;
pub use inventory::inventory_rows;
pub use key::LinkKey;
pub use load::{Loaded, Sink};
pub use meta::Head;
pub use migrate::Migration;
pub use pages::{PagePlan, PlannedPages};
pub use place::{Options, PageCheck};
pub use reader::{Direction, Reader, RowPage, Snapshot};
pub use retention::{Keep, Retention, RetentionStep};
pub use sidecar::Sidecar;
pub use sources::{ContentHash, SourceFile, SourceKind, SourceSet};
pub use store::{Commit, RowChange, Store};
pub use suspect::{Suspect, SuspectInput};
pub use tables::Table;
pub use verify::Verified;
