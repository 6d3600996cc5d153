//! A daemon of its own for a test: the real binary in a temporary folder, started, asked over HTTP, killed.

use std::fs::{self, File, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::wire::{Answer, Lost, Wire};

/// How long a start may take on a busy machine, and whatever else is waited for where nothing else is said.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at what is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Mail as files in `outbox`, for [`Place::sending`].
pub const FILES: &str = "transport = \"file\"\n\n[mail.file]\ndir = \"outbox\"\n";

/// The folder of one daemon: its configuration, rules, CMDB, store and mailbox. It is kept, and named, where a test fails.
pub struct Place {
    folder: Option<tempfile::TempDir>,
    program: PathBuf,
    address: SocketAddr,
    environment: Vec<(String, String)>,
}

/// A daemon that runs.
pub struct Daemon {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
}

impl Place {
    /// A new folder for `program`, with a configuration that listens on a free port and writes mail into `outbox`; `more` is added to it.
    pub fn new(program: &str, more: &str) -> Place {
        Place::sending(program, FILES, more)
    }

    /// The same with mail that leaves as `transport` says: the last keys of `[mail]`, and its sections.
    pub fn sending(program: &str, transport: &str, more: &str) -> Place {
        let address = free_address();
        let place = Place {
            folder: Some(tempfile::Builder::new().prefix("watchkeeper-").tempdir().unwrap()),
            program: fs::canonicalize(program).unwrap_or_else(|error| panic!("{program}: {error}")),
            address,
            environment: Vec::new(),
        };
        for folder in ["rules", "cmdb"] {
            fs::create_dir(place.path(folder)).unwrap();
        }
        place.configure(transport, more);
        place
    }

    /// Writes its configuration anew: mail leaves as `transport` says, and `more` is added.
    pub fn configure(&self, transport: &str, more: &str) {
        let address = self.address;
        let config = format!(
            "[server]\nlisten = \"{address}\"\nexternal_url = \"http://{address}\"\n\n[mail]\nfrom = \"Watchkeeper <watch@example.org>\"\n\
             to = [\"duty@example.org\"]\n{transport}\n{more}"
        );
        self.write("daemon.toml", &config);
    }

    /// A path in the folder.
    pub fn path(&self, inner: &str) -> PathBuf {
        self.folder.as_ref().unwrap().path().join(inner)
    }

    /// Writes a file of the folder.
    pub fn write(&self, inner: &str, text: &str) {
        fs::write(self.path(inner), text).unwrap();
    }

    /// Where its daemon listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sets a variable for what is started from now on.
    pub fn set_environment(&mut self, name: &str, value: &str) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Runs one command of the binary in the folder, to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.run_with(arguments, &[])
    }

    /// The same with variables in its environment.
    pub fn run_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        let mut command = self.command();
        command.args(arguments).envs(environment.iter().copied()).stdin(Stdio::null());
        command.output().unwrap_or_else(|error| panic!("{}: {error}", self.program.display()))
    }

    /// Creates the store.
    pub fn init(&self) {
        let done = self.run(&["init", "--config", "daemon.toml"]);
        assert!(done.status.success(), "init: {}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    }

    /// Starts the daemon and does not wait for it.
    pub fn spawn(&self) -> Daemon {
        let log = self.path("daemon.log");
        let out = OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let err = out.try_clone().unwrap();
        let mut command = self.command();
        command.args(["run", "--config", "daemon.toml"]).stdin(Stdio::null()).stdout(Stdio::from(out)).stderr(Stdio::from(err));
        let child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.program.display()));
        Daemon { child, address: self.address, log }
    }

    /// Starts the daemon and waits until it is ready.
    pub fn start(&self) -> Daemon {
        let mut daemon = self.spawn();
        daemon.wait_until_ready();
        daemon
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(self.path("")).env_remove("CREDENTIALS_DIRECTORY");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(folder) = self.folder.take()
        {
            eprintln!("the daemon's folder is kept: {}", folder.keep().display());
        }
    }
}

impl Daemon {
    /// Waits until it says that it is ready; fails with its log where it ends instead.
    pub fn wait_until_ready(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the daemon ended ({status}) before it was ready:\n{}", self.log_tail());
            }
            if Wire::to(self.address).get("/-/ready").is_ok_and(|answer| answer.status == 200) {
                return;
            }
            assert!(Instant::now() < deadline, "the daemon was not ready after {PATIENCE:?}:\n{}", self.log_tail());
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// A connection to it: each answer is compared with the description of the API.
    pub fn wire(&self) -> Wire {
        Wire::described(self.address)
    }

    /// The answer to `GET`.
    pub fn get(&self, path: &str) -> Answer {
        self.wire().get(path).unwrap_or_else(|lost| panic!("GET {path}: {lost:?}\n{}", self.log_tail()))
    }

    /// The answer to `POST`.
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.wire().post(path, body).unwrap_or_else(|lost| panic!("POST {path}: {lost:?}\n{}", self.log_tail()))
    }

    /// All records of a list of `/api/v1`, page by page. `query` begins with `?` or is empty.
    pub fn list(&self, path: &str, query: &str) -> Vec<Value> {
        let mut wire = self.wire();
        let (mut items, mut cursor) = (Vec::new(), String::new());
        loop {
            let separator = if query.is_empty() { '?' } else { '&' };
            let page = format!("{path}{query}{separator}limit=1000{cursor}");
            let answer = wire.get(&page).unwrap_or_else(|lost: Lost| panic!("GET {page}: {lost:?}\n{}", self.log_tail()));
            let mut json = answer.json();
            let Value::Array(page) = json["items"].take() else { panic!("no items: {answer}") };
            items.extend(page);
            match json["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return items,
            }
        }
    }

    /// Whoever holds this can kill it.
    pub fn killer(&self) -> Killer {
        Killer(Pid::from_child(&self.child))
    }

    /// Bytes of memory that its process holds.
    pub fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1_024
    }

    /// `kill -9`, and waits until the process is gone.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop (SIGTERM) and waits until it has.
    pub fn stop(mut self) -> ExitStatus {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the daemon did not stop within {PATIENCE:?}:\n{}", self.log_tail());
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// The last lines of its log.
    pub fn log_tail(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

/// A way to kill a daemon from another thread. Good for as long as its [`Daemon`] lives and nobody waited for its end.
#[derive(Debug, Clone, Copy)]
pub struct Killer(Pid);

impl Killer {
    /// `kill -9`, at once.
    pub fn kill(self) {
        kill_process(self.0, Signal::KILL).unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself, which is what was wanted here.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A program of others, killed when the test ends.
pub struct Other {
    child: Child,
    log: PathBuf,
}

impl Other {
    /// Starts `command` with its output in a file of `place`. Fails where the program is not installed.
    pub fn start(place: &Place, program: &str, arguments: &[String]) -> Other {
        let log = place.path(&format!("{program}.log"));
        let out = File::create(&log).unwrap();
        let err = out.try_clone().unwrap();
        let mut command = Command::new(program);
        command.args(arguments).current_dir(place.path("")).stdin(Stdio::null()).stdout(Stdio::from(out)).stderr(Stdio::from(err));
        let child = command.spawn().unwrap_or_else(|error| panic!("{program}: {error}. `tests/setup test` installs it"));
        Other { child, log }
    }

    /// What it wrote.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Waits for what must come true by itself; fails with what `seen` shows last where it does not.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) => assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}\nlast seen: {seen}"),
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// An address on this machine that nobody listens at.
pub fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

/// The text of a file of this repository.
pub fn repository_file(inner: &str) -> String {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(inner);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
