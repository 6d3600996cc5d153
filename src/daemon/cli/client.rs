//! How client verbs reach a daemon: over the socket in the store's folder, or over HTTP with a token; and how its refusals become exit codes.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use watchkeeper_engine::text::one_line;

use super::tell;
use crate::app::Failure;
use crate::config::{self, read_secret};
use crate::web::api::WARNING;

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer may take: a reload of many files takes seconds.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// How long the copy of a store may take to be made and to arrive: gigabytes over a slow line.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(4 * 3600);
/// The exit code where no daemon answers.
const NO_SERVER: u8 = 69;

/// Which daemon, and how its answers are written.
#[derive(Debug, Args)]
pub(super) struct Reach {
    /// The configuration of the daemon to run or to ask [default: daemon.toml]
    #[arg(long, global = true, env = "WATCHKEEPER_CONFIG", default_value = DEFAULT_CONFIG)]
    pub(super) config: PathBuf,
    /// Ask the daemon at this address, such as https://watch.example.org, and not over its socket
    #[arg(long, global = true, value_name = "URL")]
    server: Option<String>,
    /// The file with the token for --server
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// How lists and records are written: table or json
    #[arg(long, global = true, value_enum, default_value = "table")]
    pub(super) output: Output,
    /// Show times in UTC, not in the zone of this terminal
    #[arg(long, global = true)]
    pub(super) utc: bool,
}

/// The configuration where nobody names one.
pub(super) const DEFAULT_CONFIG: &str = "daemon.toml";

impl Reach {
    /// Whether a daemon elsewhere is meant.
    pub(super) fn asks_a_server(&self) -> bool {
        self.server.is_some()
    }
}

/// How lists and records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// For people.
    Table,
    /// As the API answers.
    Json,
}

/// A daemon that can be asked.
pub(super) struct Client {
    http: reqwest::Client,
    runtime: tokio::runtime::Runtime,
    base: String,
    /// Where it is, for messages.
    place: String,
    headers: Vec<(&'static str, String)>,
}

impl Client {
    /// A client of the daemon that `reach` names. Connects with the first request.
    pub(super) fn new(reach: &Reach) -> Result<Client, Failure> {
        let builder = reqwest::Client::builder().no_proxy().connect_timeout(CONNECT_TIMEOUT).timeout(ANSWER_TIMEOUT);
        let (builder, base, place, headers) = match &reach.server {
            Some(server) => {
                let base = server.trim_end_matches('/').to_owned();
                (builder, base.clone(), base, bearer(reach)?)
            }
            None => {
                let store = config::store_of(&reach.config).map_err(|error| Failure { code: 78, text: error.to_string() })?;
                let socket = store.socket();
                let place = format!("the socket {}", socket.display());
                (builder.unix_socket(socket), "http://localhost".to_owned(), place, actor())
            }
        };
        let http = builder.build().map_err(|error| bug(&error))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| bug(&error))?;
        Ok(Client { http, runtime, base, place, headers })
    }

    /// Asks for a record or a list.
    pub(super) fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Value, Failure> {
        self.json(Method::GET, path, query, None)
    }

    /// Has something done; the answer is the record as it is then.
    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.json(Method::POST, path, &[], Some(body.to_string()))
    }

    /// As [`Client::post`] with a body that is text already.
    pub(super) fn post_text(&self, path: &str, body: String) -> Result<Value, Failure> {
        self.json(Method::POST, path, &[], Some(body))
    }

    /// As [`Client::post_text`] with parameters.
    pub(super) fn post_with(&self, path: &str, query: &[(&str, String)], body: String) -> Result<Value, Failure> {
        self.json(Method::POST, path, query, Some(body))
    }

    /// Has something done that answers in words.
    pub(super) fn post_for_words(&self, path: &str, query: &[(&str, String)]) -> Result<String, Failure> {
        self.request(Method::POST, path, query, Some(String::new()), None)
    }

    /// A command to a record of which this version was seen.
    pub(super) fn command(&self, path: &str, body: &Value, seen: Option<u64>) -> Result<Value, Failure> {
        let text = self.request(Method::POST, path, &[], Some(body.to_string()), seen)?;
        parse(&text)
    }

    /// Asks a probe, whose answer is worth reading whatever its status: whether it is good, and its words.
    pub(super) fn probe(&self, path: &str) -> Result<(bool, String), Failure> {
        let request = self.prepared(Method::GET, path);
        self.runtime
            .block_on(async {
                let response = request.send().await?;
                let status = response.status();
                Ok::<_, reqwest::Error>((status.is_success(), response.text().await?))
            })
            .map_err(|error| self.unreachable(&error))
    }

    /// Fetches what may take long, piece by piece; `take` gets the length of the whole and a piece.
    pub(super) fn download(&self, path: &str, mut take: impl FnMut(u64, &[u8]) -> Result<(), Failure>) -> Result<(), Failure> {
        let request = self.prepared(Method::GET, path).timeout(DOWNLOAD_TIMEOUT);
        self.runtime.block_on(async {
            let mut response = request.send().await.map_err(|error| self.unreachable(&error))?;
            let status = response.status();
            if !status.is_success() {
                let text = response.text().await.map_err(|error| self.unreachable(&error))?;
                return Err(refusal(status, &text));
            }
            let whole = response.content_length().unwrap_or(0);
            while let Some(piece) = response.chunk().await.map_err(|error| self.unreachable(&error))? {
                take(whole, &piece)?;
            }
            Ok(())
        })
    }

    fn json(&self, method: Method, path: &str, query: &[(&str, String)], body: Option<String>) -> Result<Value, Failure> {
        let text = self.request(method, path, query, body, None)?;
        if text.is_empty() { Ok(Value::Null) } else { parse(&text) }
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        body: Option<String>,
        seen: Option<u64>,
    ) -> Result<String, Failure> {
        let mut request = self.prepared(method, path).query(query);
        if let Some(seen) = seen {
            request = request.header("if-match", format!("\"{seen}\""));
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        let (status, warning, text) = self
            .runtime
            .block_on(async {
                let response = request.send().await?;
                let warning = response.headers().get(WARNING).and_then(|value| value.to_str().ok()).map(one_line);
                Ok::<_, reqwest::Error>((response.status(), warning, response.text().await?))
            })
            .map_err(|error| self.unreachable(&error))?;
        if let Some(warning) = warning {
            tell(&format!("warning: {warning}"));
        }
        if status.is_success() { Ok(text) } else { Err(refusal(status, &text)) }
    }

    fn prepared(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        self.headers.iter().fold(request, |request, (name, value)| request.header(*name, value))
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let mut cause: &dyn std::error::Error = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        let help = "is the daemon running? `watchkeeper run` starts it, --config names another one's configuration, --server URL asks one elsewhere";
        Failure { code: NO_SERVER, text: format!("no daemon answers at {}: {cause}\n{help}", self.place) }
    }
}

/// The part of a path that names something: whatever it holds, it stays one part.
pub(super) fn part(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    text.as_bytes().iter().map(|byte| if plain(byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn bearer(reach: &Reach) -> Result<Vec<(&'static str, String)>, Failure> {
    let Some(file) = &reach.token_file else { return Ok(Vec::new()) };
    let name = file.to_str().unwrap_or_default();
    let secret = read_secret(name, None, std::path::Path::new("")).map_err(|error| Failure { code: 78, text: error.to_string() })?;
    Ok(vec![("authorization", format!("Bearer {}", secret.expose()))])
}

/// Who sits at this terminal, for the timeline; believed over the socket only.
fn actor() -> Vec<(&'static str, String)> {
    let names = ["SUDO_USER", "USER", "LOGNAME"].into_iter().filter_map(|name| std::env::var(name).ok());
    let name = names.map(|name| one_line(&name)).find(|name| !name.is_empty() && name.is_ascii());
    name.map(|name| ("x-watchkeeper-actor", name)).into_iter().collect()
}

fn parse(text: &str) -> Result<Value, Failure> {
    serde_json::from_str(text).map_err(|error| bug(&format!("the daemon's answer is no JSON: {error}")))
}

/// What the daemon says, and the exit code of it.
fn refusal(status: StatusCode, text: &str) -> Failure {
    let answer: Value = serde_json::from_str(text).unwrap_or(Value::Null);
    let words = match &answer {
        Value::Object(fields) => fields.get("detail").and_then(Value::as_str).unwrap_or(text),
        Value::String(words) => words,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => text,
    };
    let code = match status {
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS | StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => {
            NO_SERVER
        }
        status if status.is_server_error() => 70,
        _ => 1,
    };
    let help = match status {
        StatusCode::UNAUTHORIZED => "\nname the file of a token with --token-file",
        StatusCode::PRECONDITION_FAILED => "\nsomebody changed it meanwhile: look at it again",
        _ => "",
    };
    let words = words.trim_end().lines().map(one_line_keeping_indent).collect::<Vec<_>>().join("\n");
    Failure { code, text: format!("{words}{help}") }
}

/// A line of the daemon's, without characters that a terminal would obey.
fn one_line_keeping_indent(line: &str) -> String {
    let indent = line.len() - line.trim_start_matches(' ').len();
    format!("{}{}", &line[..indent], line[indent..].chars().filter(|c| !c.is_control()).collect::<String>())
}

fn bug(error: &dyn std::fmt::Display) -> Failure {
    Failure { code: 70, text: error.to_string() }
}
