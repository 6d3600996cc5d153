//! `init`, `check`, `test`, `schema`: verbs that need no daemon.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum;
use serde_json::json;
use watchkeeper_engine::cmdb::{self, Cmdb};
use watchkeeper_engine::policy;
use watchkeeper_engine::source::{Diagnostic, SourceFile, sort};
use watchkeeper_engine::trial::{self, Summary};
use watchkeeper_store::{Options, Store};

use super::client::{DEFAULT_CONFIG, Output};
use super::{json_text, print, tell};
use crate::app::{self, Failure};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{self, Config, ConfigError, Environment, Folder, Named, Secrets};
use crate::diagnostics::{Colour, Findings, Format};
use crate::world::{self, Confirmed, Frame, Kind, Sources, on_deep_stack};

/// Which files a schema is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Schema {
    /// Rule files.
    Rules,
    /// CMDB files.
    Cmdb,
}

/// `init`.
pub(super) fn init(path: &Path) -> Result<(), Failure> {
    let (config, _) = app::configuration(path)?;
    let now = SystemClock::default().wall();
    let store = Store::init(&config.store.dir, now, Options::default()).map_err(app::of_store)?;
    let id = store.id();
    store.close(now).map_err(app::of_store)?;
    print(&format!("The store {id} is ready in {}.\n", config.store.dir.display()));
    Ok(())
}

/// `schema`.
pub(super) fn schema(of: Schema) {
    let schema = match of {
        Schema::Rules => policy::schema(),
        Schema::Cmdb => cmdb::files::schema(),
    };
    print(&format!("{schema:#}\n"));
}

/// `check [DIR]`: everything that a start or a reload would refuse, at once. Secrets are taken to be there.
pub(super) fn check(dir: Option<&Path>, config: &Path, format: Format) -> Result<(), Failure> {
    let place = Place::find(dir, config);
    let mut findings = place.findings.clone();
    let sources = Sources::read(&place.frame.config.files, &Sources::default(), Confirmed::Yes);
    let what = place.what(&sources);
    match on_deep_stack(|| world::build(&place.frame, &Arc::new(Cmdb::empty()), sources)) {
        Ok(built) => findings.extend(built.warnings),
        Err(faults) => findings.extend(faults),
    }
    sort(&mut findings.found);
    let colour = if std::io::IsTerminal::is_terminal(&std::io::stdout()) { Colour::Terminal } else { Colour::Plain };
    print(&findings.render(format, colour));
    let Some(what) = what else {
        let text =
            format!("{}: nothing to check: there is no daemon.toml, and no file of rules, templates or the CMDB", place.folder.display());
        return Err(Failure { code: if findings.errors() > 0 { 1 } else { 64 }, text });
    };
    match findings.errors() {
        0 if findings.found.is_empty() => tell(&format!("{what}: no fault found")),
        0 => tell(&format!("{what}: {}", findings.counted())),
        _ => return Err(Failure { code: 1, text: format!("{what}: {}", findings.counted()) }),
    }
    Ok(())
}

/// `test [DIR]`: the tests of the rule files on a virtual clock.
pub(super) fn test(dir: Option<&Path>, config: &Path, output: Output) -> Result<(), Failure> {
    let place = Place::find(dir, config);
    let sources = Sources::read(&place.frame.config.files, &Sources::default(), Confirmed::Yes);
    let summary = on_deep_stack(|| {
        let built = world::build(&place.frame, &Arc::new(Cmdb::empty()), sources).map_err(|findings| refused(&findings))?;
        Ok::<_, Failure>(trial::run_all(&built.world.policy, &built.world.cmdb))
    })?;
    print(&match output {
        Output::Json => json_text(&as_json(&summary)),
        Output::Table => as_text(&summary),
    });
    let failed = summary.trials.iter().filter(|trial| !trial.passed()).count();
    let counted = format!("{} of {} tests passed", summary.trials.len() - failed, summary.trials.len());
    if failed > 0 {
        return Err(Failure { code: 1, text: counted });
    }
    tell(&counted);
    Ok(())
}

/// What is looked at: the folders of a configuration, those beside where one would be, or rule files alone.
struct Place {
    folder: PathBuf,
    frame: Frame,
    findings: Findings,
    /// Whether there is a configuration.
    is_configured: bool,
}

impl Place {
    /// The place of a folder; without one that of the configuration, which `--config` or the environment names.
    fn find(dir: Option<&Path>, config: &Path) -> Place {
        let file = dir.map_or_else(|| config.to_owned(), |dir| dir.join("daemon.toml"));
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
        let environment = Environment { secrets: Secrets::Assumed, ..Environment::of_process() };
        let none = SourceFile::new(file.display().to_string(), "");
        let may_be_missing = dir.is_some() || config == Path::new(DEFAULT_CONFIG);
        let (config, config_file, findings, is_configured) = match config::load(&file, &environment) {
            Ok((config, text)) => (config, text, Findings::default(), true),
            Err(ConfigError::Faulty { findings, readable, .. }) => {
                (readable.map_or_else(|| config::defaults(&folder), |config| *config), none, findings, true)
            }
            Err(ConfigError::Unreadable { source, .. }) if source.kind() == std::io::ErrorKind::NotFound && may_be_missing => {
                (alone(&folder), none, Findings::default(), false)
            }
            Err(ConfigError::Unreadable { source, .. }) => {
                let found = vec![Diagnostic::error(&none, &(0..0), format!("it cannot be read: {source}"))];
                (config::defaults(&folder), none.clone(), Findings { files: vec![none], found }, true)
            }
        };
        // A faulty configuration is drawn with its own text.
        let config_file = findings.files.first().cloned().unwrap_or(config_file);
        Place { folder, frame: Frame { config: Arc::new(config), config_file: Arc::new(config_file) }, findings, is_configured }
    }

    /// What there is to check, in a sentence's beginning; `None`: nothing.
    fn what(&self, sources: &Sources) -> Option<String> {
        let files = &self.frame.config.files;
        let folders = Kind::ALL.into_iter().filter_map(|kind| {
            let path = kind.folder(files).path.display();
            match sources.of(kind).len() {
                0 if !kind.folder(files).path.is_dir() => None,
                0 => Some(format!("{path} (no file)")),
                1 => Some(format!("{path} (1 file)")),
                count => Some(format!("{path} ({count} files)")),
            }
        });
        let configuration = self.is_configured.then(|| self.frame.config_file.path.clone());
        let is_there = self.is_configured || Kind::ALL.into_iter().any(|kind| !sources.of(kind).is_empty());
        is_there.then(|| configuration.into_iter().chain(folders).collect::<Vec<_>>().join(", "))
    }
}

/// The defaults. A folder without `rules`, `templates` and `cmdb` is one of rule files where one lies directly in it, and nothing otherwise: whoever names
/// a folder by mistake does not want everything below it read.
fn alone(dir: &Path) -> Config {
    let mut config = config::defaults(dir);
    let files = &mut config.files;
    if ![&files.rules, &files.templates, &files.cmdb].iter().any(|folder| folder.path.is_dir()) && has_rules(dir) {
        let path: PathBuf = std::fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
        files.rules = Folder { path, named: Named::Alone };
    }
    config
}

fn has_rules(dir: &Path) -> bool {
    let is_rules = |path: &Path| path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    std::fs::read_dir(dir).is_ok_and(|entries| entries.flatten().any(|entry| is_rules(&entry.path())))
}

/// Faults where a test needs files without any.
fn refused(findings: &Findings) -> Failure {
    Failure { code: 1, ..app::faulty(findings) }
}

fn as_text(summary: &Summary) -> String {
    let mut out = String::new();
    for trial in &summary.trials {
        out += &format!("{} {}\n", if trial.passed() { "ok    " } else { "FAILED" }, trial.name);
        for failure in &trial.failures {
            out += &format!("  --> {}:{}:{} at {}\n{}\n", failure.path, failure.place.line, failure.place.column, failure.at, failure.text);
        }
        if !trial.passed() {
            out += &trial.trace.iter().map(|line| format!("  | {line}\n")).collect::<String>();
        }
    }
    for rule in &summary.untouched {
        out += &format!("no test touches {} {}\n", rule.section, rule.name);
    }
    out
}

fn as_json(summary: &Summary) -> serde_json::Value {
    let trials = summary.trials.iter().map(|trial| {
        let failures = trial.failures.iter().map(|failure| {
            json!({
                "path": failure.path, "line": failure.place.line, "column": failure.place.column,
                "at": failure.at.to_string(), "text": failure.text,
            })
        });
        let trace = if trial.passed() { &[][..] } else { &trial.trace[..] };
        json!({ "name": trial.name, "passed": trial.passed(), "failures": failures.collect::<Vec<_>>(), "trace": trace })
    });
    let untouched = summary.untouched.iter().map(|rule| json!({ "section": rule.section, "name": rule.name }));
    json!({ "tests": trials.collect::<Vec<_>>(), "untouched": untouched.collect::<Vec<_>>() })
}
