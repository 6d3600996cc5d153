//! Rules, templates and CMDB: read from the folders that operators edit, built off the writer, brought into force whole or not at all.
//!
//! CMDB rows also come over the API, each source with a document of its own; all sources are checked as one.
//!
//! What is in force stays until something better is whole: a faulty, half-written or vanished file is reported with every fault, never obeyed. The sources in
//! force are kept in the store, so that a start with faulty files runs on them and says so.

mod build;
mod files;
mod frame;
mod imports;
mod keeper;
mod kind;
mod loss;
mod names;
mod stored;
mod watch;
mod words;

pub use build::{Built, build, on_deep_stack};
pub use files::Sources;
pub use frame::Frame;
pub use imports::{IMPORTS_MAX, Import, ImportFormat, ImportWish, Imported, Loss, Run};
pub use keeper::{Comparison, Keeper, KeeperParts, Refusal, Reloaded, Status, spawn};
pub use kind::{Confirmed, Kind};
pub use stored::{Stored, adoption};

use std::sync::Arc;

use watchkeeper_engine::cmdb::Cmdb;
use watchkeeper_engine::event::World;
use watchkeeper_engine::policy::Policy;

use crate::diagnostics::Findings;
use crate::mail::Templates;

/// What a daemon starts with.
#[derive(Debug)]
pub struct Start {
    /// What is in force when the first event is decided: the last good sources of the store, or nothing but what is built in.
    pub world: World,
    /// The templates of that.
    pub templates: Arc<Templates>,
    /// The sources of that.
    pub sources: Sources,
    /// What the folders hold, where that is good and different: to be adopted at once.
    pub next: Option<Built>,
    /// What is wrong with the folders, where the last good sources are used instead.
    pub fault: Option<Findings>,
}

/// Decides what a daemon starts with. Needs a deep stack.
///
/// # Errors
/// The folders are faulty and the store has no last good sources: all faults.
pub fn start(frame: &Frame, stored: Stored) -> Result<Start, Findings> {
    let Stored { sources, inventory, version } = stored;
    let cmdb = Arc::new(Cmdb::build(inventory, version));
    let kept = sources.map(|sources| (sources.clone(), build(frame, &cmdb, sources)));
    let before = kept.as_ref().map(|(sources, _)| sources.clone()).unwrap_or_default();
    let policy_before = kept.as_ref().and_then(|(_, built)| built.as_ref().ok()).map(|built| Arc::clone(&built.world.policy));
    let sources = Sources::read(&frame.config.files, &before, Confirmed::No);
    let found = guarded(frame, &cmdb, policy_before.as_deref(), sources);
    // Without kept sources that this release understands, what is built in holds until the first adoption; no event is decided before that.
    let kept = kept.and_then(|(_, built)| built.ok());
    let (policy, templates) = match &kept {
        Some(built) => (Arc::clone(&built.world.policy), Arc::clone(&built.templates)),
        None => (Arc::new(Policy::builtin()), Arc::new(Templates::ours())),
    };
    let world = World { policy, cmdb, settings: frame.settings() };
    let (next, fault) = match (found, kept) {
        (Ok(built), Some(_)) if built.sources == before && built.diff.is_empty() => (None, None),
        (Ok(built), _) => (Some(built), None),
        (Err(fault), Some(_)) => (None, Some(fault)),
        (Err(fault), None) => return Err(fault),
    };
    Ok(Start { world, templates, sources: before, next, fault })
}

/// Builds, and refuses what would lose rules by accident or retire too much of the CMDB without being confirmed.
fn guarded(frame: &Frame, base: &Arc<Cmdb>, policy: Option<&Policy>, sources: Sources) -> Result<Built, Findings> {
    let built = build(frame, base, sources)?;
    if let Some(policy) = policy {
        loss::guard(policy, &built.world.policy)?;
    }
    match built.diff.guard(base.inventory()) {
        Ok(()) => Ok(built),
        Err(too_many) => Err(keeper::guard_findings(frame, &too_many)),
    }
}
