//! Who may do what: named tokens with roles, compared in constant time; without any token only this machine is served.
//!
//! A browser is no person: requests that a page of another origin sends are refused, and where no token is needed the `Host` must be this machine's, so
//! that a name somebody else controls cannot stand for it.

use std::net::IpAddr;

use axum::http::{HeaderMap, Method, header};
use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::config::{Role, Token};

/// What a request wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Look at records and metrics.
    Read,
    /// Send alerts.
    Send,
    /// Command incidents, silences and messages.
    Operate,
    /// Reload, import.
    Administer,
}

/// Who asks, as audit and timelines name them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The token's name, or `local`.
    pub name: String,
    /// What they may do.
    pub role: Role,
}

impl Principal {
    /// Whether no token names them: `local` and `anybody`.
    pub fn is_nameless(&self) -> bool {
        self.name == LOCAL || self.name == ANYBODY
    }
}

/// Whoever is on this machine where no token is needed, or at the daemon's socket.
const LOCAL: &str = "local";

/// Whoever reaches a listener that is open to all.
const ANYBODY: &str = "anybody";

/// From where a connection came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// Over TCP.
    Tcp(IpAddr),
    /// Over the daemon's socket, by a process of the daemon's own user or of root.
    Owner,
    /// Over the daemon's socket, by another user.
    Stranger,
}

impl Peer {
    /// Its address, where that is another machine's. What comes from this machine may be a proxy, and is nobody's in particular.
    pub fn elsewhere(self) -> Option<IpAddr> {
        match self {
            Peer::Tcp(address) => Some(address.to_canonical()).filter(|address| !address.is_loopback()),
            Peer::Owner | Peer::Stranger => None,
        }
    }
}

/// Why a request is not served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// It shows no token, or one that nobody has.
    #[error("a token is needed: `Authorization: Bearer TOKEN`, or the token as the password of HTTP Basic")]
    Unknown,
    /// Its token does not allow that.
    #[error("{name} is a {role} and may not {need}", role = role.word(), need = need.words())]
    Forbidden {
        /// The token's name.
        name: String,
        /// Its role.
        role: Role,
        /// What it wanted.
        need: Need,
    },
    /// No token is configured, and the request comes from elsewhere.
    #[error("no token is configured, so only this machine is served; add a [[token]] to daemon.toml")]
    NotLocal,
    /// A page of another origin sent it.
    #[error("a page of another origin may not do that")]
    CrossOrigin,
    /// Another user of this machine is at the socket.
    #[error("the socket serves the daemon's own user and root")]
    Stranger,
}

/// The tokens of a listener, or of one hook.
#[derive(Debug, Clone)]
pub struct Trust {
    tokens: Vec<Token>,
    without_tokens: WithoutTokens,
    origin: String,
}

/// What is served where no token is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithoutTokens {
    /// This machine only; the default.
    ThisMachine,
    /// Everybody: `open = true` in daemon.toml.
    Everybody,
}

impl Need {
    /// Whether a role is for that. Each of `viewer`, `operator` and `admin` may do what the one before may; `source` only sends.
    pub const fn allowed_to(self, role: Role) -> bool {
        match self {
            Need::Read => matches!(role, Role::Viewer | Role::Operator | Role::Admin),
            Need::Send => matches!(role, Role::Source | Role::Operator | Role::Admin),
            Need::Operate => matches!(role, Role::Operator | Role::Admin),
            Need::Administer => matches!(role, Role::Admin),
        }
    }

    /// What is wanted, after "may not".
    pub const fn words(self) -> &'static str {
        match self {
            Need::Read => "read",
            Need::Send => "send alerts",
            Need::Operate => "give commands",
            Need::Administer => "administer",
        }
    }
}

impl Denied {
    /// The status it is answered with.
    pub const fn status(&self) -> u16 {
        match self {
            Denied::Unknown => 401,
            Denied::Forbidden { .. } | Denied::NotLocal | Denied::CrossOrigin | Denied::Stranger => 403,
        }
    }
}

impl Trust {
    /// The tokens of a listener that the outside knows as `external_url`.
    pub fn new(tokens: Vec<Token>, without_tokens: WithoutTokens, external_url: &str) -> Trust {
        Trust { tokens, without_tokens, origin: external_url.trim_end_matches('/').to_ascii_lowercase() }
    }

    /// The same, with a further token: a hook's own, which stands beside those of the listener.
    pub fn with(&self, token: Token) -> Trust {
        let mut trust = self.clone();
        trust.tokens.push(token);
        trust
    }

    /// Who asks, if they may do that.
    ///
    /// # Errors
    /// They may not, and why.
    pub fn admit(&self, peer: Peer, method: &Method, headers: &HeaderMap, need: Need) -> Result<Principal, Denied> {
        let principal = match peer {
            Peer::Owner => Principal { name: LOCAL.to_owned(), role: Role::Admin },
            Peer::Stranger => return Err(Denied::Stranger),
            Peer::Tcp(address) => {
                self.same_origin(method, headers)?;
                if self.tokens.is_empty() { self.tokenless(address, headers)? } else { self.bearer(headers)? }
            }
        };
        if need.allowed_to(principal.role) {
            Ok(principal)
        } else {
            Err(Denied::Forbidden { name: principal.name, role: principal.role, need })
        }
    }

    /// Who shows `token` in another place than a header, if they may do that.
    ///
    /// # Errors
    /// Nobody has it, or they may not.
    pub fn by_token(&self, token: &[u8], need: Need) -> Result<Principal, Denied> {
        let principal = self.known(token)?;
        if need.allowed_to(principal.role) {
            Ok(principal)
        } else {
            Err(Denied::Forbidden { name: principal.name, role: principal.role, need })
        }
    }

    fn tokenless(&self, address: IpAddr, headers: &HeaderMap) -> Result<Principal, Denied> {
        match self.without_tokens {
            WithoutTokens::Everybody => Ok(Principal { name: ANYBODY.to_owned(), role: Role::Admin }),
            WithoutTokens::ThisMachine if address.to_canonical().is_loopback() && self.host_is_ours(headers) => {
                Ok(Principal { name: LOCAL.to_owned(), role: Role::Admin })
            }
            WithoutTokens::ThisMachine => Err(Denied::NotLocal),
        }
    }

    fn bearer(&self, headers: &HeaderMap) -> Result<Principal, Denied> {
        self.known(&presented(headers).ok_or(Denied::Unknown)?)
    }

    fn known(&self, shown: &[u8]) -> Result<Principal, Denied> {
        // Every token is compared, whichever fits: the time tells nothing about which one was nearly right.
        let mut found = None;
        for token in &self.tokens {
            if token.secret.matches(shown) {
                found = Some(token);
            }
        }
        let token = found.ok_or(Denied::Unknown)?;
        Ok(Principal { name: token.name.clone(), role: token.role })
    }

    fn same_origin(&self, method: &Method, headers: &HeaderMap) -> Result<(), Denied> {
        if matches!(*method, Method::GET | Method::HEAD) {
            return Ok(());
        }
        if text(headers, "sec-fetch-site").is_some_and(|site| site == "cross-site" || site == "same-site") {
            return Err(Denied::CrossOrigin);
        }
        let Some(origin) = text(headers, "origin") else { return Ok(()) };
        let origin = origin.to_ascii_lowercase();
        let authority = origin.split_once("://").map_or("", |(_, authority)| authority);
        let host = text(headers, "host").unwrap_or_default().to_ascii_lowercase();
        if (!authority.is_empty() && authority == host) || origin == self.origin { Ok(()) } else { Err(Denied::CrossOrigin) }
    }

    fn host_is_ours(&self, headers: &HeaderMap) -> bool {
        let Some(host) = text(headers, "host") else { return true };
        let host = host.to_ascii_lowercase();
        let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, _)) => address,
            None => host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name),
        };
        let external = self.origin.split_once("://").map_or("", |(_, authority)| authority);
        name == "localhost" || name.ends_with(".localhost") || name.parse::<IpAddr>().is_ok() || (!external.is_empty() && host == external)
    }
}

/// The secret a request shows: a bearer token, or the password of HTTP Basic.
fn presented(headers: &HeaderMap) -> Option<Vec<u8>> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        Some(rest.trim().as_bytes().to_vec())
    } else if scheme.eq_ignore_ascii_case("basic") {
        let decoded = BASE64_STANDARD.decode(rest.trim()).ok()?;
        let colon = decoded.iter().position(|byte| *byte == b':')?;
        Some(decoded[colon + 1..].to_vec())
    } else {
        None
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("\u{fffd}"))
}
