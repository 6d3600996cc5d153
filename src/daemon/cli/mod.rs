//! The command line: each verb with its exit code. Verbs that ask a daemon go over its socket, or over HTTP with a token.

mod alert;
mod client;
mod clock;
mod copies;
mod dead;
mod demo;
mod doctor;
mod files;
mod forecast;
mod incident;
mod kafka;
mod mail_test;
mod offline;
mod problem;
mod schedules;
mod silence;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde_json::Value;
use watchkeeper_engine::time::Time;

use crate::app::{self, Failure, Init};
use crate::clock::{Clock as _, SystemClock};
use crate::diagnostics::Format;

use alert::Resolved;
use client::{Client, Reach};

/// Watchkeeper: alerts in, explained incidents and mails out.
#[derive(Debug, Parser)]
#[command(name = "watchkeeper", version, about, after_help = EXIT_CODES)]
struct Cli {
    #[command(flatten)]
    reach: Reach,
    #[command(subcommand)]
    verb: Verb,
}

const EXIT_CODES: &str = "Exit codes: 0 done or stopped, 1 a test, a check or a command was refused, 64 usage, 69 no daemon there, 70 bug, 74 disk, \
                          75 store in use, 78 bad configuration or rules with no last good ones";

#[derive(Debug, Subcommand)]
enum Verb {
    /// Runs the daemon.
    Run {
        /// Creates the store where there never was one.
        #[arg(long)]
        init: bool,
    },
    /// Creates the store.
    Init,
    /// Checks daemon.toml, rules, templates and CMDB files: all faults at once.
    Check {
        /// The folder that holds daemon.toml, or `rules`, `templates` and `cmdb`, or rule files alone. Default: the folders that the configuration names.
        dir: Option<PathBuf>,
        /// How findings are written.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Runs the rule tests on a virtual clock.
    Test {
        /// As for `check`.
        dir: Option<PathBuf>,
    },
    /// Plays a recorded day of a small shop at speed: the real daemon, and a clock that is moved by hand.
    Demo {
        /// Plays it into this folder, and leaves it there.
        #[arg(long)]
        dir: Option<PathBuf>,
        /// Leaves the folder, with the mails and the store, to be looked at; else nothing is left.
        #[arg(long)]
        keep: bool,
        /// Serves what the day left behind until it is stopped.
        #[arg(long)]
        serve: bool,
        /// HOST:PORT of a Kafka broker: the last alert goes over a topic there, which is made for it and deleted afterwards.
        #[arg(long, value_name = "BROKER")]
        kafka: Option<String>,
    },
    /// Prints the JSON Schema of rule or CMDB files, for editors.
    Schema {
        /// Of which files.
        #[arg(value_enum, default_value = "rules")]
        of: offline::Schema,
    },
    /// Shows what would become of an alert that has not happened; changes nothing.
    Try {
        /// JSON, one alert or a list: as in `fire` of a rule test, or as Prometheus sends it; `-` reads it from standard input.
        file: PathBuf,
    },
    /// Sends a test alert, as Prometheus would.
    Send {
        /// KEY=VALUE: alertname and further labels; summary and description are annotations.
        #[arg(required = true, value_name = "KEY=VALUE")]
        pairs: Vec<String>,
        /// It is over.
        #[arg(long)]
        resolved: bool,
        /// How long it fires unless it is sent again, such as 10m; 5 minutes unless given.
        #[arg(long = "for", value_name = "DURATION", conflicts_with = "resolved")]
        lasts: Option<String>,
    },
    /// Says why an alert or an incident is what it is.
    Explain {
        /// Such as ALR0000007 or INC0000042.
        id: String,
    },
    /// Lists, shows and commands incidents.
    #[command(subcommand)]
    Incident(incident::Verb),
    /// Lists, shows and commands problems: what keeps coming back.
    #[command(subcommand)]
    Problem(problem::Verb),
    /// Makes, lists and ends silences.
    #[command(subcommand)]
    Silence(silence::Verb),
    /// Lists alerts.
    #[command(subcommand)]
    Alert(Alert),
    /// Lists values that match no item of the CMDB: the work list of whoever keeps it.
    Unmatched,
    /// Imports, compares and shows the CMDB.
    #[command(subcommand)]
    Cmdb(files::Cmdb),
    /// Lists mails, tries failed ones again, and tries the way to the mail server.
    #[command(subcommand)]
    Mail(Mail),
    /// Lists and shows inputs that were refused or set aside.
    #[command(subcommand)]
    DeadLetter(dead::Verb),
    /// Says what is meant of the Kafka topics that are read.
    #[command(subcommand)]
    Kafka(kafka::Verb),
    /// Lists the rules in force.
    Rules,
    /// Shows the daemon's time, and confirms a step of the wall clock that it doubts.
    #[command(subcommand)]
    Clock(clock::Verb),
    /// Lists what comes again by the clock: when it last ran, and the next three times.
    Schedules,
    /// Lists where the series of capacity rules are going.
    #[command(subcommand)]
    Forecast(forecast::Verb),
    /// Brings rules, templates and CMDB files into force, if they have no fault.
    Reload {
        /// Many items that vanish, or an emptied folder, are meant.
        #[arg(long)]
        confirm: bool,
    },
    /// Writes the whole store into a file, while the daemon runs or not, and reads it back.
    Backup {
        /// A new file; it holds everything that alerts and operators said, and only its owner can read it.
        file: PathBuf,
    },
    /// Brings a backup back into a folder that has no store.
    Restore {
        /// What `backup` wrote.
        file: PathBuf,
    },
    /// Reads a store or a backup whole: every page, every row, the chain of blocks.
    Verify {
        /// A backup; the store of the configuration unless given, which no daemon may have open.
        file: Option<PathBuf>,
    },
    /// Looks at everything that a night depends on, and says what to do where it is not well; changes nothing.
    Doctor {
        /// Only these parts.
        #[arg(value_enum)]
        parts: Vec<doctor::Part>,
    },
    /// Prints the version.
    Version,
}

#[derive(Debug, Subcommand)]
enum Alert {
    /// Lists alerts, the newest first.
    List {
        /// `active`, `all`, or states: pending firing suppressed recorded cleared.
        #[arg(long, default_value = "active")]
        state: String,
        /// How many: 1 to 1000.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
}

#[derive(Debug, Subcommand)]
enum Mail {
    /// Lists mails, the newest first.
    List {
        /// States: planned rendered delivered dead; all unless given.
        #[arg(long)]
        state: Option<String>,
        /// How many: 1 to 1000.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Sends one mail as the daemon would, and shows each step with its time: DNS, connection, TLS, login. Asks no daemon; reads its secrets.
    Test {
        /// To whom.
        address: String,
    },
    /// Tries one again at once.
    Retry {
        /// Such as MSG0000042.
        id: String,
    },
}

/// Runs what the command line says.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Nothing is left to say where even this cannot be written.
            error.print().ok();
            return ExitCode::from(if error.use_stderr() { 64 } else { 0 });
        }
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, text }) => {
            tell(&text);
            ExitCode::from(code)
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    let Cli { reach, verb } = cli;
    let output = reach.output;
    let client = || Client::new(&reach);
    match verb {
        Verb::Run { init } => app::run(&reach.config, if init { Init::IfNone } else { Init::No }),
        Verb::Init => offline::init(&reach.config),
        Verb::Check { dir, format } => offline::check(dir.as_deref(), &reach.config, format),
        Verb::Test { dir } => offline::test(dir.as_deref(), &reach.config, output),
        Verb::Demo { dir, keep, serve, kafka } => {
            let after = demo::After::of(dir.as_deref(), keep, serve);
            demo::demo(dir, after, kafka.as_deref())
        }
        Verb::Schema { of } => {
            offline::schema(of);
            Ok(())
        }
        Verb::Try { file } => alert::try_file(&client()?, output, &file),
        Verb::Send { pairs, resolved, lasts } => {
            let resolved = if resolved { Resolved::Yes } else { Resolved::No };
            alert::send(&client()?, output, &pairs, resolved, lasts.as_deref(), now())
        }
        Verb::Explain { id } => alert::explain(&client()?, output, &id),
        Verb::Incident(verb) => incident::run(&client()?, output, verb, now()),
        Verb::Problem(verb) => problem::run(&client()?, output, verb, now()),
        Verb::Silence(verb) => silence::run(&client()?, output, verb, now()),
        Verb::Alert(Alert::List { state, limit }) => alert::list(&client()?, output, state, limit, now()),
        Verb::Unmatched => alert::unmatched(&client()?, output, now()),
        Verb::Cmdb(verb) => files::cmdb(&client()?, output, verb),
        Verb::Mail(Mail::List { state, limit }) => alert::mails(&client()?, output, state, limit, now()),
        Verb::Mail(Mail::Test { address }) => mail_test::run(&reach.config, &address, now()),
        Verb::Mail(Mail::Retry { id }) => alert::retry(&client()?, output, &id),
        Verb::DeadLetter(verb) => dead::run(&client()?, output, verb, now()),
        Verb::Kafka(verb) => kafka::run(&client()?, output, verb),
        Verb::Rules => files::rules(&client()?, output),
        Verb::Clock(verb) => clock::run(&client()?, output, verb),
        Verb::Schedules => schedules::schedules(&client()?, output),
        Verb::Forecast(verb) => forecast::run(&client()?, output, verb, now()),
        Verb::Reload { confirm } => files::reload(&client()?, confirm.into()),
        Verb::Backup { file } => copies::backup(&reach, &file, now()),
        Verb::Restore { file } => copies::restore(&reach, &file, now()),
        Verb::Verify { file } => copies::verify(&reach, file),
        Verb::Doctor { parts } => doctor::doctor(&reach, &parts),
        Verb::Version => {
            print(&format!("watchkeeper {}\n", env!("CARGO_PKG_VERSION")));
            Ok(())
        }
    }
}

fn now() -> Time {
    SystemClock::default().wall()
}

/// An answer of the API as programs read it.
fn json_text(value: &Value) -> String {
    format!("{value:#}\n")
}

/// Writes a verb's result. Whoever reads it may go away early, as `head` does: then the rest is nobody's loss.
fn print(text: &str) {
    use std::io::Write as _;
    std::io::stdout().write_all(text.as_bytes()).and_then(|()| std::io::stdout().flush()).ok();
}

/// Says something beside the result.
fn tell(text: &str) {
    use std::io::Write as _;
    writeln!(std::io::stderr(), "{text}").ok();
}
