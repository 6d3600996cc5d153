//! Sources into a World: checked and indexed off the writer, all or nothing.

use std::sync::Arc;
use std::thread;

use watchkeeper_engine::cmdb::diff::{Diff, diff};
use watchkeeper_engine::cmdb::{self, Cmdb, Inventory};
use watchkeeper_engine::event::{Settings, World};
use watchkeeper_engine::policy::notify::Recipient;
use watchkeeper_engine::policy::{self, Policy};
use watchkeeper_engine::source::{Diagnostic, SourceFile, nearest};

use super::files::Sources;
use crate::config::Config;
use crate::diagnostics::Findings;
use crate::ingest::door::BUILTIN_FORMATS;
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
    let mut findings = sources.not_text.clone();
    let policy = part(&mut findings, sources.rules.iter(), || policy::load(&sources.rules).map(|loaded| (loaded.policy, loaded.warnings)));
    let all_of_cmdb = sources.cmdb.iter().chain(sources.imports.iter().map(|import| &import.file));
    let inventory = part(&mut findings, all_of_cmdb, || cmdb::files::read_sources(&sources.of_cmdb(), base.inventory()));
    let templates = templates(&mut findings, &sources.templates);
    if let Some(policy) = &policy {
        check_formats(frame, policy, &mut findings);
        check_format_names(&sources.rules, policy, &mut findings);
        check_servers(frame, &sources.rules, policy, &mut findings);
    }
    if let (Some(policy), Some(templates)) = (&policy, &templates) {
        check_templates(&sources.rules, policy, templates, &mut findings);
    }
    if let (Some(policy), Some(inventory)) = (&policy, &inventory) {
        check_recipients(&sources.rules, policy, inventory, &mut findings);
        check_contracts(&sources.rules, policy, inventory, &mut findings);
        warn_of_rotas(&sources.cmdb, inventory, &mut findings);
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
fn part<'f, T>(
    findings: &mut Findings,
    files: impl Iterator<Item = &'f SourceFile>,
    load: impl FnOnce() -> Result<(T, Vec<Diagnostic>), Vec<Diagnostic>>,
) -> Option<T> {
    let (loaded, found) = match load() {
        Ok((loaded, warnings)) => (Some(loaded), warnings),
        Err(found) => (None, found),
    };
    let named = |file: &&SourceFile| found.iter().any(|found| found.path == file.path);
    findings.files.extend(files.filter(named).cloned());
    findings.found.extend(found);
    loaded
}

/// The templates; their findings name them below `templates/`.
fn templates(findings: &mut Findings, files: &[SourceFile]) -> Option<Templates> {
    let path = |path: &str| format!("templates/{path}");
    let shown: Vec<SourceFile> = files.iter().map(|file| SourceFile::new(path(&file.path), file.text.as_str())).collect();
    part(findings, shown.iter(), || match Templates::load(&shipped(), files) {
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
        let known: Vec<&str> = BUILTIN_FORMATS.iter().map(|(name, _)| *name).chain(policy.formats.names()).collect();
        if known.contains(&format.as_str()) {
            continue;
        }
        let message = format!("the {what} `{name}` has the unknown format `{format}`");
        let label = nearest(format, known.iter().copied()).map_or_else(String::new, |word| format!("did you mean `{word}`?"));
        let help = format!("known are {}; further ones are made in the rules, under `formats`", known.join(", "));
        note(findings, &frame.config_file, Diagnostic::error(&frame.config_file, span, message).label(label).help(help));
    }
}

/// No format of the rules has the name of one that the daemon reads itself: it would never be used.
fn check_format_names(rules: &[SourceFile], policy: &Policy, findings: &mut Findings) {
    for (name, _) in BUILTIN_FORMATS {
        let Some(place) = policy.formats.get(name).map(|format| &format.place) else { continue };
        let Some(file) = rules.iter().find(|file| file.path == place.path) else { continue };
        let message = format!("`{name}` is a format that the daemon reads itself");
        note(findings, file, Diagnostic::error(file, &place.span, message).help("choose another name, such as `my-events`"));
    }
}

/// Every server that a capacity rule asks is in the configuration. Where that has none at all, the rules are for another machine, or it comes later.
fn check_servers(frame: &Frame, rules: &[SourceFile], policy: &Policy, findings: &mut Findings) {
    let known: Vec<&str> = frame.config.prometheus.iter().map(|server| server.name.as_str()).collect();
    for rule in policy.capacity.iter().filter(|rule| !known.contains(&rule.server.name.as_str())) {
        let Some(file) = rules.iter().find(|file| file.path == rule.server.path) else { continue };
        let (name, span) = (&rule.server.name, &rule.server.span);
        if known.is_empty() {
            let message = format!("capacity rule `{}` asks nobody: daemon.toml has no [[prometheus]]", rule.name);
            let help = format!("add [[prometheus]] with name = \"{name}\" and url");
            note(findings, file, Diagnostic::warning(file, span, message).help(help));
        } else {
            let message = format!("capacity rule `{}` asks the unknown Prometheus `{name}`", rule.name);
            let label = nearest(name, known.iter().copied()).map_or_else(String::new, |word| format!("did you mean `{word}`?"));
            let help = format!("daemon.toml has {}", known.join(", "));
            note(findings, file, Diagnostic::error(file, span, message).label(label).help(help));
        }
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
        note(findings, file, Diagnostic::error(file, &named.span, message).label(label).help(help));
    }
}

/// Every team and person that a notify rule names is in the CMDB; where that has neither, it is not there yet.
fn check_recipients(rules: &[SourceFile], policy: &Policy, inventory: &Inventory, findings: &mut Findings) {
    if inventory.teams.is_empty() && inventory.people.is_empty() {
        return;
    }
    for rule in &policy.notify {
        for recipient in &rule.to {
            let (kind, id, known): (_, _, Vec<&str>) = match recipient {
                Recipient::Team(id) => ("team", id, inventory.teams.values().map(|team| team.id.as_str()).collect()),
                Recipient::Person(id) => ("person", id, inventory.people.values().map(|person| person.id.as_str()).collect()),
                Recipient::Owner
                | Recipient::Oncall
                | Recipient::Lead
                | Recipient::Assignee
                | Recipient::Stakeholders
                | Recipient::Vendor
                | Recipient::Address(_) => continue,
            };
            if known.iter().any(|known| known.eq_ignore_ascii_case(id)) {
                continue;
            }
            let written = format!("{kind}:{id}");
            let place = rules.iter().find_map(|file| Some((file, word_place(file, &written)?)));
            let Some((file, at)) = place.or_else(|| rules.first().map(|file| (file, 0..0))) else { continue };
            let message = format!("notify rule `{}` tells {written}, which the CMDB does not know", rule.name);
            let label = nearest(id, known.iter().copied()).map_or_else(String::new, |word| format!("did you mean `{kind}:{word}`?"));
            let section = if kind == "team" { "teams" } else { "people" };
            note(
                findings,
                file,
                Diagnostic::error(file, &at, message).label(label).help(format!("CMDB files list them under `{section}`")),
            );
        }
    }
}

/// Every contract that an SLA names is in the CMDB; where that has none, they are not there yet.
fn check_contracts(rules: &[SourceFile], policy: &Policy, inventory: &Inventory, findings: &mut Findings) {
    let known: Vec<&str> = inventory.contracts.values().map(|contract| contract.id.as_str()).collect();
    for sla in policy.slas.iter().filter(|_| !known.is_empty()) {
        let Some(contract) = &sla.contract else { continue };
        if known.iter().any(|known| known.eq_ignore_ascii_case(contract)) {
            continue;
        }
        let place = rules.iter().find_map(|file| Some((file, word_place(file, contract)?)));
        let Some((file, at)) = place.or_else(|| rules.first().map(|file| (file, 0..0))) else { continue };
        let message = format!("SLA `{}` names the contract `{contract}`, which the CMDB does not know", sla.name);
        let label = nearest(contract, known.iter().copied()).map_or_else(String::new, |word| format!("did you mean `{word}`?"));
        note(findings, file, Diagnostic::error(file, &at, message).label(label).help("CMDB files list them under `contracts`"));
    }
}

/// A team's rota is read, and has no effect as long as rules know none.
fn warn_of_rotas(files: &[SourceFile], inventory: &Inventory, findings: &mut Findings) {
    for team in inventory.teams.values().filter(|team| !team.oncall.is_empty()) {
        let Some((file, at)) = files.iter().find_map(|file| Some((file, word_place(file, &team.oncall)?))) else { continue };
        let message = format!("team `{}` names the rota `{}`; rotas are not read yet", team.id, team.oncall);
        note(findings, file, Diagnostic::warning(file, &at, message).help("until they are, whoever is on call is the whole team"));
    }
}

/// A finding, with its file.
fn note(findings: &mut Findings, file: &SourceFile, found: Diagnostic) {
    if !findings.files.iter().any(|known| known.path == file.path) {
        findings.files.push(file.clone());
    }
    findings.found.push(found);
}

/// Where a file has a word that stands by itself.
fn word_place(file: &SourceFile, word: &str) -> Option<std::ops::Range<usize>> {
    let is_part = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    file.text
        .match_indices(word)
        .map(|(at, _)| at..at + word.len())
        .find(|at| !file.text[..at.start].ends_with(is_part) && !file.text[at.end..].starts_with(is_part))
}
