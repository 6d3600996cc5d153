//! Sources into a World: checked and indexed off the writer, all or nothing.

use std::sync::Arc;
use std::thread;

use watchkeeper_engine::cmdb::diff::{Diff, diff};
use watchkeeper_engine::cmdb::{self, Cmdb};
use watchkeeper_engine::event::{Settings, World};
use watchkeeper_engine::policy::{self, Policy};
use watchkeeper_engine::source::{Diagnostic, SourceFile, nearest};

use super::files::Sources;
use crate::config::Config;
use crate::diagnostics::Findings;
use crate::mail::{Templates, shipped};

/// The stack of a thread that parses what operators wrote: conditions nest, and parsers recurse.
pub(super) const DEEP_STACK_BYTES: usize = 64 * 1024 * 1024;
/// The formats that every daemon knows, without a rule.
pub const BUILTIN_FORMATS: &[&str] = &["alertmanager", "cloudevents"];

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

/// What a World is built with beside its sources.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The daemon's configuration.
    pub config: Arc<Config>,
    /// Its text, for faults that only show against the rules.
    pub config_file: Arc<SourceFile>,
}

impl Frame {
    /// What the configuration gives the engine.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::new(Settings { last_resort: self.config.mail.to.clone() })
    }
}

/// Builds a World from `sources`. Items keep the numbers they have in `base`, whose CMDB is taken over where nothing in it changes.
///
/// # Errors
/// Every finding of every file, warnings among them, where at least one is an error.
pub fn build(frame: &Frame, base: &Arc<Cmdb>, sources: Sources) -> Result<Built, Findings> {
    let mut findings = Findings::default();
    let policy = part(&mut findings, &sources.rules, || policy::load(&sources.rules).map(|loaded| (loaded.policy, loaded.warnings)));
    let inventory = part(&mut findings, &sources.cmdb, || cmdb::files::read(&sources.cmdb, base.inventory()));
    let templates = templates(&mut findings, &sources.templates);
    if let Some(policy) = &policy {
        check_formats(frame, policy, &mut findings);
    }
    if let (Some(policy), Some(templates)) = (&policy, &templates) {
        check_templates(&sources.rules, policy, templates, &mut findings);
    }
    let (Some(policy), Some(inventory), Some(templates), 0) = (policy, inventory, templates, findings.errors()) else {
        return Err(findings);
    };
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

/// One part of a World: its findings are kept with the files they name.
fn part<T>(
    findings: &mut Findings,
    files: &[SourceFile],
    load: impl FnOnce() -> Result<(T, Vec<Diagnostic>), Vec<Diagnostic>>,
) -> Option<T> {
    let (loaded, found) = match load() {
        Ok((loaded, warnings)) => (Some(loaded), warnings),
        Err(found) => (None, found),
    };
    let named = |file: &&SourceFile| found.iter().any(|found| found.path == file.path);
    findings.files.extend(files.iter().filter(named).cloned());
    findings.found.extend(found);
    loaded
}

/// The templates; their findings name them below `templates/`.
fn templates(findings: &mut Findings, files: &[SourceFile]) -> Option<Templates> {
    let path = |path: &str| format!("templates/{path}");
    let shown: Vec<SourceFile> = files.iter().map(|file| SourceFile::new(path(&file.path), file.text.as_str())).collect();
    part(findings, &shown, || match Templates::load(&shipped(), files) {
        Ok(templates) => Ok((templates, Vec::new())),
        Err(found) => Err(found.into_iter().map(|found| Diagnostic { path: path(&found.path), ..found }).collect()),
    })
}

/// The format of every webhook and topic is known: built in, or in these rules.
fn check_formats(frame: &Frame, policy: &Policy, findings: &mut Findings) {
    let webhooks = frame.config.webhooks.iter().map(|webhook| ("webhook", &webhook.name, &webhook.format, &webhook.format_span));
    let topics = frame.config.kafka.iter().flat_map(|kafka| &kafka.topics);
    let topics = topics.map(|topic| ("Kafka topic", &topic.name, &topic.format, &topic.format_span));
    for (what, name, format, span) in webhooks.chain(topics) {
        let known: Vec<&str> = BUILTIN_FORMATS.iter().copied().chain(policy.formats.names()).collect();
        if known.contains(&format.as_str()) {
            continue;
        }
        let message = format!("the {what} `{name}` has the unknown format `{format}`");
        let label = nearest(format, known.iter().copied()).map_or_else(String::new, |word| format!("did you mean `{word}`?"));
        let help = format!("known are {}; further ones are made in the rules, under `formats`", known.join(", "));
        if !findings.files.iter().any(|file| file.path == frame.config_file.path) {
            findings.files.push(frame.config_file.as_ref().clone());
        }
        findings.found.push(Diagnostic::error(&frame.config_file, span, message).label(label).help(help));
    }
}

/// Every template that a notify rule names is there: shipped, or among these.
fn check_templates(rules: &[SourceFile], policy: &Policy, templates: &Templates, findings: &mut Findings) {
    let named = policy.notify.iter().filter_map(|rule| Some((rule, rule.template.as_ref()?)));
    for (rule, named) in named.filter(|(_, named)| !templates.has(&named.name)) {
        let Some(file) = rules.iter().find(|file| file.path == named.path) else { continue };
        let name = &named.name;
        let message = format!("notify rule `{}` names the template `{name}`, which does not exist", rule.name);
        let label = match templates.nearest(name) {
            Some(word) => format!("did you mean `{word}`?"),
            None => format!("known are {}", templates.names().join(", ")),
        };
        let help = format!("put {name}.text.hbs and {name}.html.hbs into the folder of templates, or leave `template` out");
        if !findings.files.iter().any(|known| known.path == file.path) {
            findings.files.push(file.clone());
        }
        findings.found.push(Diagnostic::error(file, &named.span, message).label(label).help(help));
    }
}
