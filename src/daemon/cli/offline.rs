//! `init`, `check`, `test`, `schema`: verbs that need no daemon.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum;
use serde_json::json;
use watchkeeper_engine::cmdb::{self, Cmdb};
use watchkeeper_engine::policy;
use watchkeeper_engine::source::{SourceFile, sort};
use watchkeeper_engine::trial::{self, Summary};
use watchkeeper_store::{Options, Store};

use super::client::Output;
use super::{json_text, print, tell};
use crate::app::{self, Failure};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{self, Config, ConfigError, Environment, Folder, Named, Secrets};
use crate::diagnostics::{Colour, Findings, Format};
use crate::world::{self, Confirmed, Frame, Sources, on_deep_stack};

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
pub(super) fn check(dir: &Path, format: Format) -> Result<(), Failure> {
    let place = Place::find(dir);
    let mut findings = place.findings.clone();
    match Sources::read(&place.frame.config.files, &Sources::default(), Confirmed::Yes) {
        Err(unreadable) => findings.extend(unreadable),
        Ok(sources) => match on_deep_stack(|| world::build(&place.frame, &Arc::new(Cmdb::empty()), sources)) {
            Ok(built) => findings.extend(built.warnings),
            Err(faults) => findings.extend(faults),
        },
    }
    sort(&mut findings.found);
    let colour = if std::io::IsTerminal::is_terminal(&std::io::stdout()) { Colour::Terminal } else { Colour::Plain };
    print(&findings.render(format, colour));
    match findings.errors() {
        0 if findings.found.is_empty() => tell(&format!("{}: no fault found", place.what)),
        0 => tell(&format!("{}: {}", place.what, findings.counted())),
        _ => return Err(Failure { code: 1, text: format!("{}: {}", place.what, findings.counted()) }),
    }
    Ok(())
}

/// `test [DIR]`: the tests of the rule files on a virtual clock.
pub(super) fn test(dir: &Path, output: Output) -> Result<(), Failure> {
    let place = Place::find(dir);
    let sources = Sources::read(&place.frame.config.files, &Sources::default(), Confirmed::Yes).map_err(|findings| refused(&findings))?;
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

/// What a folder holds: a whole configuration, the folders of one, or rule files alone.
struct Place {
    frame: Frame,
    findings: Findings,
    what: String,
}

impl Place {
    fn find(dir: &Path) -> Place {
        let file = dir.join("daemon.toml");
        let environment = Environment { secrets: Secrets::Assumed, ..Environment::of_process() };
        let (config, config_file, findings) = match config::load(&file, &environment) {
            Ok((config, text)) => (config, text, Findings::default()),
            Err(ConfigError::Faulty { findings, .. }) => (config::defaults(dir), SourceFile::new(file.display().to_string(), ""), findings),
            Err(ConfigError::Unreadable { .. }) => (alone(dir), SourceFile::new(file.display().to_string(), ""), Findings::default()),
        };
        let folders = [&config.files.rules, &config.files.templates, &config.files.cmdb];
        let there: Vec<String> =
            folders.iter().filter(|folder| folder.path.is_dir()).map(|folder| folder.path.display().to_string()).collect();
        let what = if there.is_empty() { format!("{} holds no rules", dir.display()) } else { there.join(", ") };
        Place { frame: Frame { config: Arc::new(config), config_file: Arc::new(config_file) }, findings, what }
    }
}

/// The defaults; a folder without `rules`, `templates` and `cmdb` is one of rule files.
fn alone(dir: &Path) -> Config {
    let mut config = config::defaults(dir);
    let files = &mut config.files;
    if ![&files.rules, &files.templates, &files.cmdb].iter().any(|folder| folder.path.is_dir()) {
        let path: PathBuf = std::fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
        files.rules = Folder { path, named: Named::Explicitly };
    }
    config
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
