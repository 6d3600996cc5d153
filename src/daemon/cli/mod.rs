//! The command line: each verb with its exit code.

mod demo;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use watchkeeper_engine::cmdb::{Cmdb, Inventory, files};
use watchkeeper_engine::policy;
use watchkeeper_engine::trial;
use watchkeeper_store::{Options, Store};

use crate::app::{self, Failure, Init};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Files, Folder, Named};
use crate::diagnostics::{Colour, Findings, Format};
use crate::mail::{Templates, shipped};
use crate::world::{Confirmed, Sources, on_deep_stack};

/// Watchkeeper: alerts in, explained incidents and mails out.
#[derive(Debug, Parser)]
#[command(name = "watchkeeper", version, about)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Runs the daemon.
    Run {
        /// The configuration.
        #[arg(long, default_value = "daemon.toml")]
        config: PathBuf,
        /// Creates the store where there never was one.
        #[arg(long)]
        init: bool,
    },
    /// Creates the store.
    Init {
        /// The configuration.
        #[arg(long, default_value = "daemon.toml")]
        config: PathBuf,
    },
    /// Checks rules, templates and CMDB files: all faults at once.
    Check {
        /// The folder that holds `rules`, `templates` and `cmdb`.
        #[arg(default_value = ".")]
        dir: PathBuf,
        /// How findings are written.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Runs the rule tests on a virtual clock.
    Test {
        /// The folder that holds `rules` and `cmdb`.
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// Plays a recorded day of a small shop at speed: the real daemon, and a clock that is moved by hand.
    Demo {
        /// Where; a new folder for temporary files unless given.
        #[arg(long)]
        dir: Option<PathBuf>,
        /// Serves what the day left behind until it is stopped.
        #[arg(long)]
        serve: bool,
    },
    /// Prints the JSON Schema of rule files, for editors.
    Schema,
}

/// Runs what the command line says.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            error.print().ok();
            return ExitCode::from(if error.use_stderr() { 64 } else { 0 });
        }
    };
    let done = match cli.verb {
        Verb::Run { config, init } => app::run(&config, if init { Init::IfNone } else { Init::No }),
        Verb::Init { config } => init(&config),
        Verb::Check { dir, format } => check(&dir, format),
        Verb::Test { dir } => test(&dir),
        Verb::Demo { dir, serve } => demo::demo(dir, if serve { demo::After::Serve } else { demo::After::End }),
        Verb::Schema => {
            print(&format!("{:#}\n", policy::schema()));
            Ok(())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, text }) => {
            tell(&text);
            ExitCode::from(code)
        }
    }
}

fn init(path: &Path) -> Result<(), Failure> {
    let (config, _) = app::configuration(path)?;
    let now = SystemClock::default().wall();
    let store = Store::init(&config.store.dir, now, Options::default()).map_err(app::of_store)?;
    let id = store.id();
    store.close(now).map_err(app::of_store)?;
    print(&format!("The store {id} is ready in {}.\n", config.store.dir.display()));
    Ok(())
}

fn folders(dir: &Path) -> Files {
    let folder = |name: &str| Folder { path: dir.join(name), named: Named::ByDefault };
    Files { rules: folder("rules"), templates: folder("templates"), cmdb: folder("cmdb") }
}

fn read(dir: &Path) -> Result<Sources, Failure> {
    Sources::read(&folders(dir), &Sources::default(), Confirmed::Yes).map_err(|findings| app::faulty(&findings))
}

fn check(dir: &Path, format: Format) -> Result<(), Failure> {
    let sources = read(dir)?;
    let findings = on_deep_stack(|| {
        let mut found = Vec::new();
        match policy::load(&sources.rules) {
            Ok(loaded) => found.extend(loaded.warnings),
            Err(faults) => found.extend(faults),
        }
        match files::read(&sources.cmdb, &Inventory::default()) {
            Ok((_, warnings)) => found.extend(warnings),
            Err(faults) => found.extend(faults),
        }
        if let Err(faults) = Templates::load(&shipped(), &sources.templates) {
            found.extend(faults);
        }
        Findings { files: [sources.rules, sources.cmdb, sources.templates].concat(), found }
    });
    print(&findings.render(format, Colour::Plain));
    let counted = findings.counted();
    match findings.errors() {
        0 if findings.found.is_empty() => {
            tell("No fault found.");
            Ok(())
        }
        0 => {
            tell(&counted);
            Ok(())
        }
        _ => Err(Failure { code: 1, text: counted }),
    }
}

fn test(dir: &Path) -> Result<(), Failure> {
    let sources = read(dir)?;
    let summary = on_deep_stack(|| {
        let of = |found| app::faulty(&Findings { files: [sources.rules.clone(), sources.cmdb.clone()].concat(), found });
        let loaded = policy::load(&sources.rules).map_err(of)?;
        let (inventory, _) = files::read(&sources.cmdb, &Inventory::default()).map_err(of)?;
        Ok::<_, Failure>(trial::run_all(&Arc::new(loaded.policy), &Arc::new(Cmdb::build(inventory, 1))))
    })?;
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
    print(&out);
    let failed = summary.trials.iter().filter(|trial| !trial.passed()).count();
    let counted = format!("{} of {} tests passed", summary.trials.len() - failed, summary.trials.len());
    if failed == 0 {
        tell(&counted);
        Ok(())
    } else {
        Err(Failure { code: 1, text: counted })
    }
}

#[expect(clippy::print_stdout, reason = "what a verb prints is its result")]
fn print(text: &str) {
    print!("{text}");
}

#[expect(clippy::print_stderr, reason = "what a verb says beside its result")]
fn tell(text: &str) {
    eprintln!("{text}");
}
