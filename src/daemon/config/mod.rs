//! `daemon.toml`: where things are. Checked whole when it is loaded: every fault at once, each with its place and what was expected.
//!
//! Never decides what happens to an alert: that is in the rules.

mod kafka;
mod out;
mod prometheus;
mod read;
mod reader;
mod secret;
mod smtp;
mod tree;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use watchkeeper_engine::ids::Realm;
use watchkeeper_engine::source::{Diagnostic, SourceFile};
use watchkeeper_engine::time::Span;

use crate::diagnostics::Findings;

pub use kafka::{Kafka, Property, Topic, Value};
pub use out::{Out, SigningKey};
pub use prometheus::Prometheus;
pub use secret::{Secret, SecretError, read_password, read_secret};

/// The daemon's configuration. Paths are absolute, or relative to the working directory as the file's own path was.
#[derive(Debug, Clone)]
pub struct Config {
    /// The listener.
    pub server: Server,
    /// The tokens. Without any, whoever reaches the listener may do everything.
    pub tokens: Vec<Token>,
    /// The store.
    pub store: Store,
    /// The folders that operators edit.
    pub files: Files,
    /// Mail.
    pub mail: Mail,
    /// Sources below `/hooks/NAME`.
    pub webhooks: Vec<Webhook>,
    /// Kafka topics, which are sources too; `None`: no Kafka.
    pub kafka: Option<Kafka>,
    /// The Prometheus servers that capacity rules query.
    pub prometheus: Vec<Prometheus>,
    /// Where messages go that are no mails.
    pub outs: Vec<Out>,
    /// Bounds of the doors.
    pub limits: Limits,
    /// How long history is kept.
    pub retention: Retention,
    /// The log.
    pub log: Log,
}

/// `[server]`.
#[derive(Debug, Clone)]
pub struct Server {
    /// Where HTTP is served. Default `127.0.0.1:9080`; port 0 takes any free one, for tests.
    pub listen: SocketAddr,
    /// The address that links in mails begin with, without `/` at its end. Default `http://` and `listen`.
    pub external_url: String,
}

/// `[[token]]`: a name that the timeline shows, and what it may do.
#[derive(Debug, Clone)]
pub struct Token {
    /// The name of its holder: the actor of every command given with it.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The token.
    pub secret: Secret,
}

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Read.
    Viewer,
    /// Read, command incidents, make silences.
    Operator,
    /// Send alerts, nothing else.
    Source,
    /// Everything: also reloads and imports.
    Admin,
}

impl Role {
    /// Every word, in the order of [`Role::ALL`].
    pub const WORDS: &'static [&'static str] = &["viewer", "operator", "source", "admin"];
    /// Every role.
    pub const ALL: &'static [Role] = &[Role::Viewer, Role::Operator, Role::Source, Role::Admin];

    /// The word in `daemon.toml`.
    pub fn word(self) -> &'static str {
        Role::WORDS[self as usize]
    }
}

/// `[store]`.
#[derive(Debug, Clone)]
pub struct Store {
    /// The folder of the store, its socket and its sidecar. Default `data`.
    pub dir: PathBuf,
}

impl Store {
    /// The socket that client verbs use, inside the store's folder.
    pub fn socket(&self) -> PathBuf {
        self.dir.join("socket")
    }
}

/// `[files]`.
#[derive(Debug, Clone)]
pub struct Files {
    /// Rule files. Default `rules`.
    pub rules: Folder,
    /// Mail templates. Default `templates`.
    pub templates: Folder,
    /// CMDB files. Default `cmdb`.
    pub cmdb: Folder,
}

/// A folder that operators edit.
#[derive(Debug, Clone)]
pub struct Folder {
    /// Where it is.
    pub path: PathBuf,
    /// Whether `daemon.toml` names it; a folder that nobody named may be missing, and is then empty.
    pub named: Named,
}

/// Whether a default was replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// `daemon.toml` names it.
    Explicitly,
    /// It is the default.
    ByDefault,
    /// Somebody has it checked as a folder of rule files: what is mounted below it is not a part of it.
    Alone,
}

/// `[mail]`.
#[derive(Debug, Clone)]
pub struct Mail {
    /// The sender's mailbox. Default `Watchkeeper <watchkeeper@localhost>`.
    pub from: String,
    /// The last resort: notified of what reaches nobody else. Default nobody, which causes a warning.
    pub to: Vec<String>,
    /// How mail leaves.
    pub transport: Transport,
}

/// How mail leaves.
#[derive(Debug, Clone)]
pub enum Transport {
    /// `[mail.file]`: one `.eml` a message in this folder. Default `outbox`.
    File {
        /// The folder.
        dir: PathBuf,
    },
    /// `[mail.smtp]`: through a mail server.
    Smtp(Smtp),
}

/// `[mail.smtp]`: the server that takes mail.
#[derive(Debug, Clone)]
pub struct Smtp {
    /// Its name or IP address; its certificate must be for it.
    pub host: String,
    /// Its port. Default 587, 465 or 25, as `security` is.
    pub port: u16,
    /// How the connection is protected. Default STARTTLS; nothing ever falls back to less.
    pub security: Security,
    /// The login; `None`: no login.
    pub login: Option<Login>,
    /// Certificates of `ca_file`, the only ones trusted where there are any; without, those of this machine are.
    pub authorities: Vec<CertificateDer<'static>>,
    /// How long one step may take, such as connecting or an answer; a whole mail may take twice as long. Default 30 s, 1 s to 5 min.
    pub step_max: Duration,
}

impl Smtp {
    /// Host and port, for people.
    pub fn name(&self) -> String {
        if self.host.contains(':') { format!("[{}]:{}", self.host, self.port) } else { format!("{}:{}", self.host, self.port) }
    }
}

/// How the connection to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// Not at all.
    None,
    /// TLS after STARTTLS.
    StartTls,
    /// TLS from the first byte.
    Tls,
}

impl Security {
    /// Every word, in the order of [`Security::ALL`].
    pub const WORDS: &'static [&'static str] = &["none", "starttls", "tls"];
    /// Every kind.
    pub const ALL: &'static [Security] = &[Security::None, Security::StartTls, Security::Tls];

    /// The word in `daemon.toml`.
    pub fn word(self) -> &'static str {
        Security::WORDS[self as usize]
    }

    /// The port that servers listen at for it.
    pub const fn port(self) -> u16 {
        match self {
            Security::None => 25,
            Security::StartTls => 587,
            Security::Tls => 465,
        }
    }
}

/// A user of a mail server.
#[derive(Debug, Clone)]
pub struct Login {
    /// Its name.
    pub user: String,
    /// Its password.
    pub password: Secret,
}

/// `[[webhook]]`: a source with its own path, format and token.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Its name, served at `/hooks/NAME`; the source of its alerts.
    pub name: String,
    /// `alertmanager`, `cloudevents`, or a format of the rules.
    pub format: String,
    /// Where the format is named in `daemon.toml`, for the fault that no such format exists.
    pub format_span: std::ops::Range<usize>,
    /// Its own token; without one, any token of the roles `source` and `admin` opens it.
    pub secret: Option<Secret>,
    /// The realm of its alerts; nothing is correlated across realms. Default `main`.
    pub realm: Realm,
}

/// `[limits]`: bounds of the doors.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of one request's body; a larger one is 413. Default 10 MiB: fifty thousand alerts of 200 bytes.
    pub body_bytes: usize,
    /// Bytes of requests that are not answered yet; beyond them a request is answered with 503 and Retry-After. Default 64 MiB.
    pub in_flight_bytes: usize,
    /// Open connections. One more closes the one that has been idle longest; while none is idle it is answered with 503, except for probes and metrics. Default 1,024.
    pub connections: usize,
    /// Open connections from one address of another machine. Default a quarter of `connections`, so that one machine that leaks connections shuts nobody else out.
    pub connections_per_address: usize,
}

/// `[retention]`: how long history is kept.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// How long blocks stay in the store. Default 7 days.
    pub blocks: Span,
    /// How long changes of the health of CIs stay in the store. Default 365 days: what a yearly report of availability asks for.
    pub health: Span,
}

/// `[log]`.
#[derive(Debug, Clone)]
pub struct Log {
    /// The least level that is written: one of `error warn info debug trace`. Default `info`.
    pub level: &'static str,
    /// How lines look. Default text.
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

/// The parts of the environment that the configuration depends on.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// systemd's `$CREDENTIALS_DIRECTORY`.
    pub credentials: Option<PathBuf>,
    /// Whether files of secrets are read.
    pub secrets: Secrets,
}

/// Whether files of secrets are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Secrets {
    /// They are read, and each must be valid: for a daemon that starts.
    #[default]
    Read,
    /// They are assumed to be valid: for a check where the secrets are not present.
    Assumed,
}

impl Environment {
    /// The environment of this process.
    pub fn of_process() -> Environment {
        Environment { credentials: std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from), secrets: Secrets::Read }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file has faults.
    #[error("{path} has {counted}", counted = findings.counted())]
    Faulty {
        /// The file's path as it was given.
        path: String,
        /// What was found.
        findings: Findings,
        /// The configuration without its faulty keys, where there is one, so that the files it names can be checked too.
        readable: Option<Box<Config>>,
    },
}

/// Reads and checks the file at `path`. The text is returned beside it, for faults that only show against the rules.
///
/// # Errors
/// The file cannot be read, or has faults: all of them.
pub fn load(path: &Path, environment: &Environment) -> Result<(Config, SourceFile), ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    let file = SourceFile::new(path.display().to_string(), text);
    let folder = path.parent().unwrap_or(Path::new(""));
    match read::look(&file, folder, environment) {
        (Some(config), found) if !found.iter().any(Diagnostic::is_error) => Ok((config, file)),
        (readable, found) => {
            let readable = readable.map(Box::new);
            Err(ConfigError::Faulty { path: file.path.clone(), findings: Findings { files: vec![file], found }, readable })
        }
    }
}

/// The configuration of an empty file in `folder`: all defaults.
pub fn defaults(folder: &Path) -> Config {
    let (config, _) = read::look(&SourceFile::new("daemon.toml", ""), folder, &Environment::default());
    config.expect("an empty file has no fault, which a test holds")
}

/// The folder of the store that the file at `path` names, whatever else is in it: clients need no more, and may not read the secrets. The default where there is no file.
///
/// # Errors
/// The file is there and cannot be read.
pub fn store_of(path: &Path) -> Result<Store, ConfigError> {
    let folder = path.parent().unwrap_or(Path::new(""));
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(read::store(&SourceFile::new(path.display().to_string(), text), folder)),
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => Ok(defaults(folder).store),
        Err(source) => Err(ConfigError::Unreadable { path: path.to_owned(), source }),
    }
}
