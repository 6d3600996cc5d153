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
mod health;
mod hook_test;
mod incident;
mod kafka;
mod mail_test;
mod offline;
mod problem;
mod schedules;
mod silence;
mod table;
mod ticket;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args as _, CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;
use serde_json::Value;
use watchkeeper_engine::time::Time;

use crate::app::{self, Failure, Init};
use crate::clock::{Clock as _, SystemClock};
use crate::diagnostics::Format;

use alert::Resolved;
use client::{Client, Reach};
use table::Reader;

/// Watchkeeper: alerts in, explained incidents and mails out.
#[derive(Debug, Parser)]
#[command(name = "watchkeeper", version, about)]
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
    /// Run the daemon
    Run {
        /// Create the store where there never was one
        #[arg(long)]
        init: bool,
    },
    /// Create the store
    Init,
    /// Checks daemon.toml, rules, templates and CMDB files: all faults at once.
    Check {
        /// The folder that holds daemon.toml, or `rules`, `templates` and `cmdb`, or rule files alone. Default: the folders that the configuration names.
        dir: Option<PathBuf>,
        /// How findings are written.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Run the rule tests on a virtual clock
    Test {
        /// As for `check`.
        dir: Option<PathBuf>,
    },
    /// Play a recorded day of a small shop at speed, with the real daemon and a clock of its own
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
    /// Print the JSON Schema of rule or CMDB files, for editors
    Schema {
        /// Of which files.
        #[arg(value_enum, default_value = "rules")]
        of: offline::Schema,
    },
    /// Show what would become of an alert that has not happened; changes nothing
    Try {
        /// JSON, one alert or a list: as in `fire` of a rule test, or as Prometheus sends it; `-` reads it from standard input.
        file: PathBuf,
    },
    /// Send a test alert, as Prometheus would
    Send {
        /// KEY=VALUE: alertname and further labels; summary and description are annotations.
        #[arg(required = true, value_name = "KEY=VALUE")]
        pairs: Vec<String>,
        /// The alert is over
        #[arg(long)]
        resolved: bool,
        /// How long it fires unless it is sent again, such as 10m; 5 minutes unless given
        #[arg(long = "for", value_name = "DURATION", conflicts_with = "resolved")]
        lasts: Option<String>,
    },
    /// Explain why an alert, an incident or a problem is what it is
    Explain {
        /// Such as ALR0000007, INC0000042 or PRB0000004
        id: String,
    },
    /// List, show and handle incidents
    #[command(subcommand)]
    Incident(incident::Verb),
    /// List, show and handle problems: what keeps coming back
    #[command(subcommand)]
    Problem(problem::Verb),
    /// Add, list and end silences
    #[command(subcommand)]
    Silence(silence::Verb),
    /// List alerts
    #[command(subcommand)]
    Alert(alert::Alert),
    /// List values that match no CI: what the CMDB lacks
    Unmatched,
    /// Import, compare and show the CMDB
    #[command(subcommand)]
    Cmdb(files::Cmdb),
    /// List mails and messages to hooks, retry failed ones, and test the mail server
    #[command(subcommand)]
    Mail(alert::Mail),
    /// Test a hook
    #[command(subcommand)]
    Hook(Hook),
    /// List and show inputs that were refused or set aside
    #[command(subcommand)]
    DeadLetter(dead::Verb),
    /// Manage Kafka topics
    #[command(subcommand)]
    Kafka(kafka::Verb),
    /// List the rules in force
    Rules,
    /// Show the daemon's time, and confirm a step of the machine's clock that it doubts
    #[command(subcommand)]
    Clock(clock::Verb),
    /// List what comes again by the clock: when it last ran, and the next three times
    Schedules,
    /// List where the series of capacity rules are going
    #[command(subcommand)]
    Forecast(forecast::Verb),
    /// Activate rules, templates and CMDB files, if they have no fault
    Reload {
        /// Allow the removal of many CIs, or of everything
        #[arg(long)]
        confirm: bool,
    },
    /// Copy the whole store into a file, while the daemon runs or not, and read it back
    Backup {
        /// A new file; it holds everything that alerts and operators said, and only its owner can read it
        file: PathBuf,
    },
    /// Restore a backup into a folder that has no store
    Restore {
        /// What `backup` wrote
        file: PathBuf,
    },
    /// Verify a backup, or the store while no daemon runs: every page, every row, the chain of blocks
    Verify {
        /// A backup; without it the store of the configuration is read, for which the daemon must be stopped
        file: Option<PathBuf>,
    },
    /// Check everything that a night depends on, and say what to do where it is not well; changes nothing
    Doctor {
        /// Only these parts
        #[arg(value_enum)]
        parts: Vec<doctor::Part>,
    },
    /// Print a completion script for a shell: `source <(watchkeeper completion bash)`
    Completion {
        /// The shell
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Print the version
    Version,
}

/// Options of every verb, in one line below its help.
const EVERYWHERE: &str =
    "Everywhere: --config FILE, --server URL, --token-file FILE, --output table|json, --utc (see `watchkeeper --help`)";

/// Messages to hooks.
#[derive(Debug, Subcommand)]
enum Hook {
    /// Post one message as the daemon would, and show what the hook answers; asks no daemon
    Test {
        /// The name of an [[out]] of daemon.toml
        name: String,
    },
}

/// The command line with the options of every verb in one place: explained by the first help, a line in the others.
fn folded() -> clap::Command {
    fn fold(command: clap::Command) -> clap::Command {
        command.mut_subcommands(|verb| fold(verb.after_help(EVERYWHERE)))
    }
    let options: Vec<clap::Id> =
        Reach::augment_args(clap::Command::new("")).get_arguments().map(|option| option.get_id().clone()).collect();
    let explained = Cli::command();
    let mut about = String::from("Options of every verb:\n");
    for option in explained.get_arguments().filter(|option| options.contains(option.get_id())) {
        let value = option.get_value_names().filter(|_| option.get_action().takes_values()).map(|names| names.join(" "));
        let name = format!("--{} {}", option.get_long().unwrap_or_default(), value.unwrap_or_default());
        about += &format!("  {name:<20} {}\n", option.get_help().map(ToString::to_string).unwrap_or_default());
    }
    let hidden = explained.mut_args(|option| if options.contains(option.get_id()) { option.hide(true) } else { option });
    fold(hidden).after_help(format!("{about}\n{EXIT_CODES}"))
}

/// Runs what the command line says.
pub fn main() -> ExitCode {
    let parsed = folded().try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
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
    let reader = if reach.utc { Reader::utc(now()) } else { Reader::here(now()) };
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
        Verb::Try { file } => alert::try_file(&client()?, output, &file, &reader),
        Verb::Send { pairs, resolved, lasts } => {
            let resolved = if resolved { Resolved::Yes } else { Resolved::No };
            alert::send(&client()?, output, &pairs, resolved, lasts.as_deref(), now())
        }
        Verb::Explain { id } => alert::explain(&client()?, output, &id, &reader),
        Verb::Incident(verb) => incident::run(&client()?, output, verb, &reader),
        Verb::Problem(verb) => problem::run(&client()?, output, verb, &reader),
        Verb::Silence(verb) => silence::run(&client()?, output, verb, &reader),
        Verb::Alert(verb) => alert::list(&client()?, output, verb, &reader),
        Verb::Unmatched => alert::unmatched(&client()?, output, &reader),
        Verb::Cmdb(verb) => files::cmdb(&client()?, output, verb),
        Verb::Mail(alert::Mail::List { state, incident, to, limit }) => {
            alert::mails(&client()?, output, alert::Mails { state, incident, to, limit }, &reader)
        }
        Verb::Mail(alert::Mail::Test { address }) => mail_test::run(&reach.config, &address, now()),
        Verb::Mail(alert::Mail::Retry { id }) => alert::retry(&client()?, output, &id),
        Verb::Hook(Hook::Test { name }) => hook_test::run(&reach.config, &name, now()),
        Verb::DeadLetter(verb) => dead::run(&client()?, output, verb, &reader),
        Verb::Kafka(verb) => kafka::run(&client()?, output, verb),
        Verb::Rules => files::rules(&client()?, output),
        Verb::Clock(verb) => clock::run(&client()?, output, verb, &reader),
        Verb::Schedules => schedules::schedules(&client()?, output, &reader),
        Verb::Forecast(verb) => forecast::run(&client()?, output, verb, &reader),
        Verb::Reload { confirm } => files::reload(&client()?, confirm.into()),
        Verb::Backup { file } => copies::backup(&reach, &file, now()),
        Verb::Restore { file } => copies::restore(&reach, &file, now()),
        Verb::Verify { file } => copies::verify(&reach, file),
        Verb::Doctor { parts } => doctor::doctor(&reach, &parts),
        Verb::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "watchkeeper", &mut script);
            print(&String::from_utf8_lossy(&script));
            Ok(())
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn help(verbs: &[&str]) -> String {
        let asked = ["watchkeeper"].iter().chain(verbs).chain(&["--help"]).copied();
        folded().try_get_matches_from(asked).expect_err("help ends it").to_string()
    }

    #[test]
    fn help_of_a_verb_is_about_the_verb() {
        let hold = help(&["incident", "hold"]);
        assert!(hold.starts_with("Put an incident on hold"), "{hold}");
        assert!(hold.contains("Everywhere: --config FILE") && !hold.contains("  --server"), "{hold}");
        assert!(hold.lines().count() <= 20, "{hold}");
        let all = help(&[]);
        assert!(all.contains("--token-file") && all.contains("Exit codes") && all.contains("--utc"), "{all}");
    }

    #[test]
    fn every_command_of_the_engine_is_a_verb() {
        let listed = |kind: &str| help(&[kind]).replace('-', "_");
        let (incidents, problems) = (listed("incident"), listed("problem"));
        for word in watchkeeper_engine::command::IncidentVerb::WORDS {
            assert!(incidents.contains(word), "incident {word}: {incidents}");
        }
        for word in watchkeeper_engine::command::ProblemVerb::WORDS {
            assert!(problems.contains(word), "problem {word}: {problems}");
        }
    }

    #[test]
    fn options_of_every_verb_are_taken_after_it() {
        let parsed = folded().try_get_matches_from(["watchkeeper", "incident", "list", "--output", "json", "--utc"]);
        let cli = Cli::from_arg_matches(&parsed.expect("they are taken")).expect("they are understood");
        assert!(cli.reach.utc && cli.reach.output == client::Output::Json);
    }

    #[test]
    fn a_shell_is_told_every_verb() {
        let mut script = Vec::new();
        clap_complete::generate(Shell::Bash, &mut Cli::command(), "watchkeeper", &mut script);
        let script = String::from_utf8(script).expect("it is text");
        assert!(script.contains("dead-letter") && script.contains("acknowledge") && script.contains("--token-file"));
    }
}
