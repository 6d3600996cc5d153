//! Sources into a World: checked and indexed off the writer, all or nothing.

use std::sync::Arc;
use std::thread;

use watchkeeper_engine::cmdb::diff::{Diff, diff};
use watchkeeper_engine::cmdb::{self, Cmdb};
use watchkeeper_engine::event::World;
use watchkeeper_engine::policy;
use watchkeeper_engine::source::{Diagnostic, SourceFile, Unread, sort};

use super::files::Sources;
use super::frame::Frame;
use super::kind::Kind;
use super::names::{self, Given};
use super::words;
use crate::diagnostics::Findings;
use crate::mail::{Templates, shipped};

/// The stack of a thread that parses what operators wrote: conditions nest, and parsers recurse.
pub(super) const DEEP_STACK_BYTES: usize = 64 * 1024 * 1024;

/// A World that can come into force, and how it differs.
#[derive(Debug, Clone)]
pub struct Built {
    /// The World.
    pub world: World,
    /// The templates that came with it.
    pub templates: Arc<Templates>,
    /// What it was built from.
    pub sources: Sources,
    /// What changes in the CMDB.
    pub diff: Diff,
    /// What was taken and probably not meant.
    pub warnings: Findings,
}

/// Builds a World from `sources`. Items keep the numbers they have in `base`, whose CMDB is taken over where nothing in it changes.
///
/// # Errors
/// Every finding of every file, warnings among them, where at least one is an error.
pub fn build(frame: &Frame, base: &Arc<Cmdb>, sources: Sources) -> Result<Built, Findings> {
    let mut findings = sources.faults.clone();
    let unread = |kind: Kind| {
        let mut unread = Unread::default();
        if sources.unseen.contains(&kind) {
            unread.add_unseen();
        }
        unread
    };
    let rules = policy::check(&sources.rules, unread(Kind::Rules));
    take(&mut findings, sources.rules.iter(), &rules.found);
    let cmdb = cmdb::files::check_sources(&sources.of_cmdb(), base.inventory(), unread(Kind::Cmdb));
    let of_cmdb: Vec<Diagnostic> = cmdb.found.iter().cloned().chain(names::check_calendars(&rules, &cmdb)).collect();
    take(&mut findings, sources.cmdb.iter().chain(sources.imports.iter().map(|import| &import.file)), &of_cmdb);
    let templates = templates(&mut findings, &sources.templates);
    let unread_templates = unread(Kind::Templates);
    let given = Given { rules: &rules, cmdb: &cmdb, templates: &sources.templates, unread_templates: &unread_templates };
    names::check(frame, &given, &mut findings);
    words::check(frame, &given, &mut findings);
    sort(&mut findings.found);
    let (Some(templates), 0) = (templates, findings.errors()) else {
        return Err(findings);
    };
    let (policy, inventory) = (rules.policy, cmdb.inventory);
    let diff = diff(base.inventory(), &inventory);
    let cmdb = if diff.is_empty() { Arc::clone(base) } else { Arc::new(Cmdb::build(inventory, base.version() + 1)) };
    let world = World { policy: Arc::new(policy), cmdb, settings: frame.settings() };
    Ok(Built { world, templates: Arc::new(templates), sources, diff, warnings: findings })
}

/// Runs `work` on a thread whose stack fits what operators may nest.
pub fn on_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("build".to_owned()).stack_size(DEEP_STACK_BYTES).spawn_scoped(scope, work);
        match thread.expect("the system gives a thread").join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Takes findings over, with the files they name.
fn take<'f>(findings: &mut Findings, files: impl Iterator<Item = &'f SourceFile>, found: &[Diagnostic]) {
    let named = |file: &&SourceFile| found.iter().any(|found| found.path == file.path);
    findings.files.extend(files.filter(named).cloned());
    findings.found.extend_from_slice(found);
}

/// The templates; their findings name them below `templates/`.
fn templates(findings: &mut Findings, files: &[SourceFile]) -> Option<Templates> {
    let path = |path: &str| format!("templates/{path}");
    let faults = match Templates::load(&shipped(), files) {
        Ok(templates) => return Some(templates),
        Err(faults) => faults,
    };
    let shown: Vec<SourceFile> = files.iter().map(|file| SourceFile::new(path(&file.path), file.text.as_str())).collect();
    let faults: Vec<Diagnostic> = faults.into_iter().map(|found| Diagnostic { path: path(&found.path), ..found }).collect();
    take(findings, shown.iter(), &faults);
    None
}
