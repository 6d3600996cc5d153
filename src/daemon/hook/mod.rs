//! Hooks: rendered messages posted to addresses of others, signed by Standard Webhooks.
//!
//! Trusts nothing that answers: no redirect is followed, no proxy of the environment is asked, answers and times are bounded, and the address that is
//! connected to is looked at, not the name. Decides nothing about retries: it says how long a failure lasts.

mod reach;
mod sign;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{StatusCode, redirect};
use tokio::net::{TcpStream, lookup_host};
use watchkeeper_engine::event::Lasts;
use watchkeeper_engine::text::{cut, one_line};
use watchkeeper_engine::time::{Span, Time};

use crate::config::{Out, Secret};

pub use reach::is_public;
pub use sign::signature;

/// How long a connection may take; a whole answer has the hook's `timeout`.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// Bytes of an answer that are read, for the error that quotes it.
const ANSWER_BYTES_MAX: usize = 4_096;
/// Bytes of a part of a url that may be a secret; what is shorter is a word.
const SECRET_BYTES_MIN: usize = 8;
/// Bytes of an answer that an error quotes.
const QUOTE_BYTES_MAX: usize = 200;

/// The hooks of daemon.toml by name.
pub struct Hooks(BTreeMap<String, Hook>);

/// One hook.
pub struct Hook {
    out: Out,
    http: reqwest::Client,
}

/// Why a message did not reach a hook.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{said}")]
pub struct HookError {
    /// What happened, without the address, which may hold a secret.
    pub said: String,
    /// How long the cause lasts.
    pub lasts: Lasts,
}

/// Why there is no client for a hook.
#[derive(Debug, thiserror::Error)]
#[error("make a client for the hook {name}: {source}")]
pub struct NoHook {
    name: String,
    #[source]
    source: reqwest::Error,
}

impl Hooks {
    /// A client for each.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(outs: &[Out]) -> Result<Hooks, NoHook> {
        let hook = |out: &Out| {
            let builder = reqwest::Client::builder()
                .no_proxy()
                .redirect(redirect::Policy::none())
                .connect_timeout(CONNECT_MAX.min(out.answer_max))
                .timeout(out.answer_max)
                .user_agent(concat!("watchkeeper/", env!("CARGO_PKG_VERSION")));
            let builder = if out.allow_private { builder } else { builder.dns_resolver(reach::PublicOnly) };
            let http = builder.build().map_err(|source| NoHook { name: out.name.clone(), source })?;
            Ok((out.name.clone(), Hook { out: out.clone(), http }))
        };
        outs.iter().map(hook).collect::<Result<_, _>>().map(Hooks)
    }

    /// A hook by its name.
    pub fn get(&self, name: &str) -> Option<&Hook> {
        self.0.get(name)
    }

    /// Every name.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl Hook {
    /// Posts a body under an id that is the same for every try, so that a receiver knows a second copy. `now` is signed with it.
    ///
    /// # Errors
    /// It was not taken, or nobody knows whether it was.
    pub async fn post(&self, id: &str, body: &[u8], now: Time) -> Result<StatusCode, HookError> {
        let for_now = |said: String| HookError { said, lasts: Lasts::ForNow };
        let url = reqwest::Url::parse(self.out.url.expose()).map_err(|_| for_now("its url is no address".to_owned()))?;
        if !self.out.allow_private && reach::literal(&url).is_some_and(|address| !is_public(address)) {
            return Err(for_now(reach::REFUSED.to_owned()));
        }
        let mut request = self.http.post(url).headers(self.headers(id, body, now)).body(body.to_vec());
        if let Some(token) = &self.out.token {
            request = request.bearer_auth(token.expose());
        }
        let mut answer = request.send().await.map_err(|error| for_now(cause(&error)))?;
        let status = answer.status();
        let lasts = lasts(status, answer.headers(), now);
        if status.is_success() {
            return Ok(status);
        }
        let mut said = Vec::new();
        while said.len() < ANSWER_BYTES_MAX
            && let Ok(Some(part)) = answer.chunk().await
        {
            said.extend_from_slice(&part[..part.len().min(ANSWER_BYTES_MAX - said.len())]);
        }
        let said = cut(&self.without_secrets(&one_line(&String::from_utf8_lossy(&said))), QUOTE_BYTES_MAX);
        let said =
            if said.is_empty() { format!("it answers {}", status.as_u16()) } else { format!("it answers {}: {said}", status.as_u16()) };
        Err(HookError { said, lasts })
    }

    /// Whether somebody listens at its address, which may be connected to; nothing is sent.
    ///
    /// # Errors
    /// There is no such address, it is not allowed, or nobody listens.
    pub async fn reach(&self) -> Result<SocketAddr, String> {
        let url = reqwest::Url::parse(self.out.url.expose()).map_err(|_| "its url is no address".to_owned())?;
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else { return Err("its url has no host".to_owned()) };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let found: Vec<SocketAddr> = lookup_host((host, port)).await.map_err(|error| format!("{host}: {error}"))?.collect();
        let allowed: Vec<SocketAddr> = found.into_iter().filter(|address| self.out.allow_private || is_public(address.ip())).collect();
        if allowed.is_empty() {
            return Err(reach::REFUSED.to_owned());
        }
        let connected = tokio::time::timeout(CONNECT_MAX, TcpStream::connect(allowed.as_slice())).await;
        let stream = connected
            .map_err(|_| format!("{host} does not answer"))
            .and_then(|stream| stream.map_err(|error| format!("{host}: {error}")))?;
        stream.peer_addr().map_err(|error| error.to_string())
    }

    /// An answer may say again what it was asked: what is secret in that is seen by nobody.
    fn without_secrets(&self, said: &str) -> String {
        let url = reqwest::Url::parse(self.out.url.expose()).ok();
        let parts = url.iter().flat_map(|url| [Some(url.path()), url.query()]).flatten();
        let token = self.out.token.as_ref().map(Secret::expose);
        let secrets = parts.flat_map(|part| part.split(['/', '&', '='])).chain(token).filter(|part| part.len() >= SECRET_BYTES_MIN);
        secrets.fold(said.to_owned(), |said, secret| said.replace(secret, "…"))
    }

    fn headers(&self, id: &str, body: &[u8], now: Time) -> HeaderMap {
        let seconds = now.0.div_euclid(1_000);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let signature = self.out.key.as_ref().map(|key| signature(key.expose(), id, seconds, body));
        let named =
            [("webhook-id", Some(id.to_owned())), ("webhook-timestamp", Some(seconds.to_string())), ("webhook-signature", signature)];
        for (name, value) in named {
            // Ids and signatures are ASCII.
            if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
                headers.insert(name, value);
            }
        }
        headers
    }
}

/// How long a refusal lasts: for good where the hook says that the request is wrong, else until later. 408 and 429 say only that it was the wrong moment.
fn lasts(status: StatusCode, headers: &HeaderMap, now: Time) -> Lasts {
    let is_moment = matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
    if status.is_client_error() && !is_moment {
        return Lasts::ForGood;
    }
    let asked = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::trim);
    let seconds = asked.and_then(|text| text.parse::<u32>().ok()).map(|seconds| Span::seconds(i64::from(seconds)));
    let date = || jiff::fmt::rfc2822::parse(asked?).ok().map(|at| Time(at.timestamp().as_millisecond()) - now);
    seconds.or_else(date).filter(|span| *span > Span::ZERO).map_or(Lasts::ForNow, Lasts::AtLeast)
}

/// What is behind an error of the client, without the address, which may hold a secret.
fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it did not answer in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    format!("it cannot be reached: {cause}")
}
