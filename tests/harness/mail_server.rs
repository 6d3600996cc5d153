//! A real mail server beside a daemon: aiosmtpd in the virtual environment that `tests/setup test` makes.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A mail server that runs until this is dropped. Each mail it takes is a file of `mailbox` before it is acknowledged.
pub struct MailServer {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its mailbox: a folder of `.eml` files.
    pub mailbox: PathBuf,
}

impl MailServer {
    /// Starts `tests/outside/smtp/server.py` on `mailbox`. `program` is the daemon's binary: the environment lies in the same target folder.
    pub fn start(program: &str, mailbox: &Path, arguments: &[String]) -> MailServer {
        let python = Path::new(program).ancestors().nth(2).unwrap().join("mail-server/bin/python");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../outside/smtp/server.py");
        let mut command = Command::new(&python);
        command.arg(script).arg(mailbox).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}. `tests/setup test` makes it", python.display()));
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port: u16 = line.trim().parse().unwrap_or_else(|_| panic!("the mail server did not start: run {} by hand", python.display()));
        MailServer { child, address: SocketAddr::from(([127, 0, 0, 1], port)), mailbox: mailbox.to_owned() }
    }

    /// What was said to it, a verb a line; under TLS with `tls ` before it.
    pub fn commands(&self) -> Vec<String> {
        let text = fs::read_to_string(self.mailbox.join("commands.log")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
