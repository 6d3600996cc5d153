//! The binary in a folder of its own: started, spoken to, stopped; and the command line that asks it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use watchkeeper_harness::described::Exchange;

use crate::described::check;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_watchkeeper");

/// A switch and a host on it, and a rule that opens incidents at once.
const RULES: &str = "correlate:\n  - {name: down, when: alert.name.endsWith(\"Down\"), means: down, group_wait: 0s}\n";
const CMDB: &str = "teams: [{id: net, mail: [net@example.org]}]\nitems:\n  - {id: sw-1, class: switch, owner: net, criticality: high}\n  \
                    - {id: db-1, class: host, owner: net, relations: [{depends_on: sw-1}]}\n";

/// A folder with a configuration, rules and a CMDB.
pub(crate) struct Folder {
    dir: tempfile::TempDir,
    port: u16,
}

/// A running daemon; killed when it goes out of scope.
pub(crate) struct Daemon {
    child: Child,
}

impl Folder {
    pub(crate) fn new() -> Folder {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = Folder { dir: tempfile::tempdir().unwrap(), port };
        let mail = "[mail]\nfrom = \"Watchkeeper <watch@example.org>\"\nto = [\"ops@example.org\"]\ntransport = \"file\"\n";
        folder.write("daemon.toml", &format!("[server]\nlisten = \"127.0.0.1:{port}\"\n{mail}"));
        folder.write("rules/rules.yaml", RULES);
        folder.write("cmdb/items.yaml", CMDB);
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Puts a file in place at once, as a careful tool does.
    pub(crate) fn rename_into(&self, name: &str, text: &str) {
        self.write(&format!("{name}.new"), text);
        std::fs::rename(self.path(&format!("{name}.new")), self.path(name)).unwrap();
    }

    /// Starts the daemon and waits until it serves.
    pub(crate) fn start(&self) -> Daemon {
        self.start_with(&[])
    }

    /// As [`Folder::start`], with these in its environment.
    pub(crate) fn start_with(&self, environment: &[(&str, &str)]) -> Daemon {
        let mut command = self.command(&["run", "--init"]);
        let log = std::fs::File::create(self.path("daemon.log")).unwrap();
        let child = command.envs(environment.iter().copied()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let daemon = Daemon { child };
        until("the daemon is ready", || self.get("/-/ready").is_some_and(|answer| answer.starts_with("HTTP/1.1 200")));
        daemon
    }

    /// Starts the daemon with its log written to `log`; does not wait for it.
    pub(crate) fn start_to(&self, log: Stdio) -> Daemon {
        let mut command = self.command(&["run", "--init"]);
        Daemon { child: command.stdout(Stdio::null()).stderr(log).spawn().unwrap() }
    }

    /// Starts the daemon on a disk that may fail: a write beyond `bytes` of a file is an error, from the start or from [`Daemon::fail_writes_beyond`] on.
    pub(crate) fn start_limited(&self, bytes: Option<u64>) -> Daemon {
        let limit = bytes.map_or_else(String::new, |bytes| format!("ulimit -f {};", bytes / 512));
        let run = self.command(&["run", "--init"]);
        let mut command = Command::new("/bin/sh");
        // The signal that comes with the error would end the process before it sees the error.
        command.arg("-c").arg(format!("trap '' XFSZ; {limit} exec \"$0\" \"$@\"")).arg(run.get_program()).args(run.get_args());
        let log = std::fs::File::create(self.path("daemon.log")).unwrap();
        command.current_dir(self.dir.path()).env_remove("RUST_LOG").env_remove("WATCHKEEPER_CONFIG");
        Daemon { child: command.stdout(Stdio::null()).stderr(log).spawn().unwrap() }
    }

    /// What the daemon of the last start has written so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path("daemon.log")).unwrap()
    }

    /// Where it serves.
    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Runs a verb to its end.
    pub(crate) fn cli(&self, arguments: &[&str]) -> Ran {
        Ran(self.command(arguments).output().unwrap())
    }

    /// Runs a verb to its end in another folder, with these in its environment and nothing said of a configuration.
    pub(crate) fn binary(&self, dir: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> Ran {
        let mut command = Command::new(BINARY);
        command.args(arguments).current_dir(dir).env_remove("RUST_LOG").env_remove("WATCHKEEPER_CONFIG");
        Ran(command.envs(environment.iter().copied()).output().unwrap())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.args(arguments).arg("--config").arg(self.path("daemon.toml")).current_dir(self.dir.path());
        command.env("USER", "anna").env_remove("SUDO_USER").env_remove("RUST_LOG").env_remove("WATCHKEEPER_CONFIG");
        command
    }

    pub(crate) fn get(&self, path: &str) -> Option<String> {
        let head = format!("GET {path} HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\n\r\n", self.port);
        self.ask("GET", path, &head, "")
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> Option<String> {
        let head = format!("POST {path} HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\n", self.port);
        self.ask("POST", path, &format!("{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len()), body)
    }

    /// The policy in force.
    pub(crate) fn policy(&self) -> String {
        let answer = self.get("/api/v1/rules").unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        let rules: Value = serde_json::from_str(body).unwrap();
        rules["policy"].as_str().unwrap().to_owned()
    }

    pub(crate) fn mails(&self) -> usize {
        let is_mail = |path: &Path| path.extension().is_some_and(|end| end == "eml");
        std::fs::read_dir(self.path("outbox")).map_or(0, |entries| entries.filter(|entry| is_mail(&entry.as_ref().unwrap().path())).count())
    }

    fn ask(&self, method: &str, target: &str, head: &str, body: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
        stream.write_all([head, body].concat().as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (told, text) = answer.split_once("\r\n\r\n")?;
        let told = told.to_lowercase();
        let kind = told.split("\r\ncontent-type:").nth(1).and_then(|rest| rest.split("\r\n").next()).unwrap_or_default().trim();
        let status = told.split(' ').nth(1)?.parse().ok()?;
        check(&Exchange { method, target, request: body.as_bytes(), status, kind, body: text });
        Some(answer)
    }
}

impl Daemon {
    pub(crate) fn of(child: Child) -> Daemon {
        Daemon { child }
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// From now on a write beyond `bytes` of a file is an error.
    pub(crate) fn fail_writes_beyond(&self, bytes: u64) {
        let limit = rustix::process::Rlimit { current: Some(bytes), maximum: Some(bytes) };
        rustix::process::prlimit(Some(rustix::process::Pid::from_child(&self.child)), rustix::process::Resource::Fsize, limit).unwrap();
    }

    /// Waits for the end, at most so long, and says with which code.
    pub(crate) fn code_within(&mut self, most: Duration) -> Option<i32> {
        let end = Instant::now() + most;
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        None
    }

    /// Waits for the end and says with which code.
    pub(crate) fn code(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What a verb printed and how it ended.
pub(crate) struct Ran(Output);

impl Ran {
    pub(crate) fn code(&self) -> i32 {
        self.0.status.code().unwrap()
    }

    pub(crate) fn out(&self) -> String {
        String::from_utf8(self.0.stdout.clone()).unwrap()
    }

    pub(crate) fn err(&self) -> String {
        String::from_utf8(self.0.stderr.clone()).unwrap()
    }

    /// What it printed, where it ended well.
    pub(crate) fn well(&self) -> String {
        assert_eq!(self.code(), 0, "{}{}", self.out(), self.err());
        self.out()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.well()).unwrap()
    }

    /// How many rows a table has below its head.
    pub(crate) fn rows(&self) -> usize {
        self.well().lines().count().saturating_sub(1)
    }
}

/// Waits for what another process does; a bound, not a pace: it looks again as fast as it can be answered.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < end, "waited a minute and {what} did not come true");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}
