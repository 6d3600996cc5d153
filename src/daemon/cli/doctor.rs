//! `doctor`: looks at everything that a night depends on, and says of each thing whether it is well and, where not, what to do. Changes nothing.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use serde_json::{Value, json};
use watchkeeper_engine::cmdb::Cmdb;
use watchkeeper_engine::source::SourceFile;
use watchkeeper_store::Store;

use super::client::{Client, Output, Reach};
use super::table::table;
use super::{json_text, print};
use crate::app::Failure;
use crate::config::{self, Config, Environment, Out, Smtp, Transport};
use crate::hook::Hooks;
use crate::mail::{SmtpTransport, mailbox};
use crate::world::{self, Confirmed, Frame, Sources, on_deep_stack};

/// Free room below which a store is in danger: an hour of an alert storm, and the room that a backup needs.
const ROOM_BYTES_MIN: u64 = 1 << 30;
/// A synced write that takes longer makes every sender wait.
const SYNC_SLOW: Duration = Duration::from_millis(20);
/// Synced writes that are timed.
const SYNCS: usize = 25;
/// Files that a daemon with a thousand connections opens.
const FILES_MIN: u64 = 4_096;

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Part {
    /// daemon.toml, its secrets, rules, templates and CMDB files.
    Files,
    /// The folder of the store: room, rights, and how fast the disk syncs.
    Store,
    /// Who is mailed, the way out, and the hooks.
    Mail,
    /// The daemon that runs on it.
    Daemon,
}

/// How a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Well,
    Doubtful,
    Broken,
}

impl State {
    const fn word(self) -> &'static str {
        match self {
            State::Well => "ok",
            State::Doubtful => "look",
            State::Broken => "BROKEN",
        }
    }
}

/// `daemon.toml` as it was read.
type Read = (Config, SourceFile);

/// One thing that was looked at.
struct Found {
    part: Part,
    state: State,
    what: String,
    /// What to do; empty where it is well.
    help: String,
}

/// `doctor [PART …]`.
pub(super) fn doctor(reach: &Reach, parts: &[Part]) -> Result<(), Failure> {
    let wanted = |part: Part| parts.is_empty() || parts.contains(&part);
    let mut found = Vec::new();
    if [Part::Files, Part::Store, Part::Mail].into_iter().any(wanted)
        && let Some(config) = configuration(reach, &mut found)
    {
        if wanted(Part::Files) {
            files(&config, &mut found);
        }
        if wanted(Part::Store) {
            store(&config, &mut found);
        }
        if wanted(Part::Mail) {
            mail(&config, &mut found);
        }
    }
    if wanted(Part::Daemon) {
        daemon(reach, &mut found);
    }
    found.retain(|found| wanted(found.part) || found.state == State::Broken);
    print(&match reach.output {
        Output::Json => json_text(&as_json(&found)),
        Output::Table => as_table(&found),
    });
    match found.iter().filter(|found| found.state == State::Broken).count() {
        0 => Ok(()),
        count => Err(Failure { code: 1, text: format!("{count} of {} things are broken", found.len()) }),
    }
}

/// What one part says of itself.
struct Notes<'a> {
    part: Part,
    found: &'a mut Vec<Found>,
}

impl Notes<'_> {
    fn well(&mut self, what: impl Into<String>) {
        self.found.push(Found { part: self.part, state: State::Well, what: what.into(), help: String::new() });
    }

    fn note(&mut self, state: State, what: impl Into<String>, help: impl Into<String>) {
        self.found.push(Found { part: self.part, state, what: what.into(), help: help.into() });
    }
}

fn configuration(reach: &Reach, found: &mut Vec<Found>) -> Option<Read> {
    let mut notes = Notes { part: Part::Files, found };
    match config::load(&reach.config, &Environment::of_process()) {
        Ok((config, file)) => {
            notes.well(format!("{}: no fault, every secret can be read", reach.config.display()));
            if config.tokens.is_empty() && !config.server.listen.ip().is_loopback() {
                let help = "whoever reaches the port may do everything: add a [[token]] and remove `open`";
                notes.note(State::Doubtful, format!("{} is open without a token", config.server.listen), help);
            }
            if config.server.external_url.contains("localhost") || config.server.external_url.contains("127.0.0.1") {
                let help = "set [server] external_url to where the readers of mails reach the daemon";
                notes.note(State::Doubtful, format!("links in mails lead to {}", config.server.external_url), help);
            }
            Some((config, file))
        }
        Err(error) => {
            notes.note(
                State::Broken,
                error.to_string().lines().next().unwrap_or_default(),
                "`watchkeeper check` shows every fault with its place",
            );
            None
        }
    }
}

fn files((config, file): &Read, found: &mut Vec<Found>) {
    let mut notes = Notes { part: Part::Files, found };
    let frame = Frame { config: Arc::new(config.clone()), config_file: Arc::new(file.clone()) };
    let sources = Sources::read(&config.files, &Sources::default(), Confirmed::Yes);
    let built = on_deep_stack(|| world::build(&frame, &Arc::new(Cmdb::empty()), sources));
    let help = "`watchkeeper check` shows every one with its place";
    let world = match built {
        Ok(built) => {
            match built.warnings.found.len() {
                0 => notes.well("rules, templates and CMDB files: no fault"),
                count => notes.note(
                    State::Doubtful,
                    format!("rules, templates and CMDB files: {count} warning{}", if count == 1 { "" } else { "s" }),
                    help,
                ),
            }
            built.world
        }
        Err(faults) => {
            let what = format!("rules, templates and CMDB files: {}", faults.counted());
            return notes.note(State::Broken, what, format!("{help}; what is in force stays"));
        }
    };
    let cmdb = &world.cmdb;
    let silent: Vec<&str> = cmdb.inventory().teams.values().filter(|team| team.mail.is_empty()).map(|team| team.id.as_str()).collect();
    if cmdb.inventory().items.is_empty() {
        notes.note(State::Doubtful, "the CMDB has no CIs: nothing has an owner", "write some into the folder of [files] cmdb");
    }
    if !silent.is_empty() {
        notes.note(
            State::Doubtful,
            format!("teams without an address: {}", silent.join(", ")),
            "give them `mail`, or their mails go to [mail] to",
        );
    }
}

fn store((config, _): &Read, found: &mut Vec<Found>) {
    let mut notes = Notes { part: Part::Store, found };
    let dir = &config.store.dir;
    let metadata = match fs::metadata(dir) {
        Ok(metadata) => metadata,
        Err(error) => return notes.note(State::Broken, format!("{}: {error}", dir.display()), "`watchkeeper init` creates the store"),
    };
    let file = Store::path(dir);
    match fs::metadata(&file) {
        Ok(metadata) if metadata.len() > 0 => notes.well(format!("{}: {}", file.display(), mebibytes(metadata.len()))),
        Ok(_) => notes.note(State::Broken, format!("{} is empty", file.display()), "`watchkeeper restore FILE` brings a backup back"),
        Err(error) => {
            notes.note(State::Broken, format!("{}: {error}", file.display()), "`watchkeeper init`, or `watchkeeper restore FILE`")
        }
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        notes.note(State::Doubtful, format!("{} can be read by others", dir.display()), format!("chmod 700 {}", dir.display()));
    }
    match rustix::fs::statvfs(dir) {
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let used = fs::metadata(&file).map_or(0, |metadata| metadata.len());
            let what = format!("{} free", mebibytes(free));
            if free < ROOM_BYTES_MIN.max(used) {
                notes.note(State::Doubtful, what, "make room: a backup needs as much as the store, and a full disk ends the daemon");
            } else {
                notes.well(what);
            }
        }
        Err(error) => notes.note(State::Doubtful, format!("room below {}: {error}", dir.display()), "look at it with df"),
    }
    match synced_write(dir) {
        Ok(took) if took > SYNC_SLOW => {
            let what = format!("a synced write takes {:.1} ms", took.as_secs_f64() * 1e3);
            notes.note(State::Doubtful, what, "every answer waits for one: a faster disk, or one that nobody else writes to");
        }
        Ok(took) => notes.well(format!("a synced write takes {:.1} ms", took.as_secs_f64() * 1e3)),
        Err(error) => {
            notes.note(State::Broken, format!("{} cannot be written: {error}", dir.display()), "run as the user that the store belongs to")
        }
    }
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
    if files < FILES_MIN {
        notes.note(
            State::Doubtful,
            format!("this shell may open {files} files"),
            "the daemon needs one a connection: LimitNOFILE of its unit, or ulimit -n",
        );
    }
}

fn mail((config, _): &Read, found: &mut Vec<Found>) {
    let mut notes = Notes { part: Part::Mail, found };
    if config.mail.to.is_empty() {
        notes.note(
            State::Doubtful,
            "[mail] to is empty",
            "name who hears of what has no owner, and of a P1 or P2 that reaches nobody else",
        );
    } else {
        notes.well(format!("last resort: {}", config.mail.to.join(", ")));
    }
    match &config.mail.transport {
        Transport::File { dir } => mail_files(dir, &mut notes),
        Transport::Smtp(server) => mail_server(server, &config.mail.from, &mut notes),
    }
    hooks(&config.outs, &mut notes);
}

/// Connects to each hook; sends nothing.
fn hooks(outs: &[Out], notes: &mut Notes<'_>) {
    let hooks = match Hooks::new(outs) {
        Ok(hooks) => hooks,
        Err(error) => return notes.note(State::Broken, format!("cannot {error}"), "apt-get install ca-certificates"),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return notes.note(State::Broken, format!("no runtime: {error}"), "look at the limits of this shell: ulimit -a"),
    };
    for (name, hook) in hooks.names().filter_map(|name| Some((name, hooks.get(name)?))) {
        match runtime.block_on(hook.reach()) {
            Ok(address) => notes.well(format!("hook {name}: {address} listens; `watchkeeper hook test {name}` posts a message")),
            Err(error) => {
                notes.note(State::Broken, format!("hook {name}: {error}"), "look at its url in daemon.toml, and at the way there");
            }
        }
    }
}

fn mail_files(dir: &Path, notes: &mut Notes<'_>) {
    match synced_write(dir) {
        Ok(_) => notes.well(format!("mails become files in {}", dir.display())),
        Err(error) => {
            notes.note(State::Broken, format!("mails become files in {}: {error}", dir.display()), "create it, writable for the daemon")
        }
    }
}

/// Connects and logs in as the daemon would; sends nothing.
fn mail_server(server: &Smtp, from: &str, notes: &mut Notes<'_>) {
    let sender = match mailbox(from) {
        Ok(mailbox) => mailbox.email,
        Err(bad) => return notes.note(State::Broken, format!("[mail] from: {bad}"), "write `Watchkeeper <watch@example.org>`"),
    };
    let transport = match SmtpTransport::new(server.clone(), sender) {
        Ok(transport) => transport,
        Err(error) => return notes.note(State::Broken, format!("cannot {error}"), "apt-get install ca-certificates, or name a ca_file"),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return notes.note(State::Broken, format!("no runtime: {error}"), "look at the limits of this shell: ulimit -a"),
    };
    match runtime.block_on(transport.reach(&mut |_, _| {})) {
        Ok(()) => notes.well(format!("{} takes mail; `watchkeeper mail test ADDRESS` sends one", server.name())),
        Err(error) => notes.note(State::Broken, format!("cannot {error}"), error.advice()),
    }
}

fn daemon(reach: &Reach, found: &mut Vec<Found>) {
    let mut notes = Notes { part: Part::Daemon, found };
    let ready = Client::new(reach).and_then(|client| client.probe("/-/ready?verbose"));
    let (is_ready, text) = match ready {
        Ok(answer) => answer,
        Err(failure) => return notes.note(State::Broken, failure.text.lines().next().unwrap_or_default(), "start it: `watchkeeper run`"),
    };
    if !is_ready {
        notes.note(State::Broken, "the daemon is not ready", "wait for its start, or look at its log");
    }
    for line in text.lines().skip(1) {
        match line.strip_prefix("ok   ") {
            Some(part) => notes.well(part),
            None => notes.note(State::Doubtful, line.trim_start_matches("not  "), "its log says more"),
        }
    }
}

/// The time of a write of 4 KiB until it is on disk: the middle of some.
fn synced_write(dir: &Path) -> std::io::Result<Duration> {
    let path: PathBuf = dir.join(format!("doctor.{}.tmp", std::process::id()));
    let timed = |mut file: File| {
        let mut took = Vec::with_capacity(SYNCS);
        for _ in 0..SYNCS {
            let began = Instant::now();
            file.write_all(&[0; 4_096])?;
            file.sync_data()?;
            took.push(began.elapsed());
        }
        took.sort();
        Ok(took[SYNCS / 2])
    };
    let took = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).and_then(timed);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => took,
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}

fn name(part: Part) -> String {
    part.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

fn as_table(found: &[Found]) -> String {
    let mut rows = Vec::new();
    for Found { part, state, what, help } in found {
        rows.push(vec![state.word().to_owned(), name(*part), what.clone()]);
        if !help.is_empty() {
            rows.push(vec![String::new(), String::new(), format!("-> {help}")]);
        }
    }
    table(&["", "part", "what"], rows, "nothing was looked at")
}

fn as_json(found: &[Found]) -> Value {
    let item = |found: &Found| json!({ "part": name(found.part), "state": found.state.word().to_lowercase(), "what": found.what, "help": found.help });
    json!({ "items": found.iter().map(item).collect::<Vec<_>>(), "next": null })
}
