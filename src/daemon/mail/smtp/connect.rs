//! From a host's name to a connection that takes mail: DNS, TCP, greeting, EHLO, STARTTLS, TLS, login. Each step has its time limit, and none falls back to less than was asked for.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::extension::ClientId;
use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use super::error::{Fault, Phase, SmtpError};
use super::stream::{Answer, Handed, Stream, answer, say};
use crate::config::{Security, Smtp};

/// Addresses of a host that are tried, so that one that is dead leaves time for the others.
const ADDRESSES_MAX: usize = 4;
/// How we log in, the better first.
const MECHANISMS: &[Mechanism] = &[Mechanism::Plain, Mechanism::Login];

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    phase: Duration,
    whole: Duration,
    ends: Instant,
}

impl Deadline {
    /// From this moment on.
    pub(super) fn new(phase: Duration, whole: Duration) -> Deadline {
        Deadline { phase, whole, ends: Instant::now() + whole }
    }

    /// The result of a step, or that it took too long.
    pub(super) async fn within<T>(&self, doing: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        let step = Instant::now() + self.phase;
        match timeout_at(step.min(self.ends), doing).await {
            Ok(done) => done,
            Err(_) => Err(Fault::Slow(if step <= self.ends { self.phase } else { self.whole })),
        }
    }
}

/// What one step of connecting showed.
#[derive(Debug)]
pub enum Shown {
    /// The addresses of the host.
    Addresses(Vec<IpAddr>),
    /// The address that is connected.
    Connected(SocketAddr),
    /// The server's greeting.
    Greeted(String),
    /// What the server offers before TLS.
    Offers(Vec<String>),
    /// TLS: its protocol, its cipher suite, and the server's certificate.
    Secured {
        /// Such as `TLSv1_3`.
        protocol: String,
        /// Such as `TLS13_AES_256_GCM_SHA384`.
        suite: String,
        /// The server's own certificate, in DER.
        certificate: Vec<u8>,
    },
    /// Ready for mail.
    Ready,
    /// Logged in as this user.
    LoggedIn(String),
}

/// Whoever wants to see each step as it ends.
pub type Watch<'a> = &'a mut (dyn FnMut(Phase, Shown) + Send);

/// A connection that takes mail.
pub(super) async fn connect(
    server: &Smtp,
    tls: &Arc<ClientConfig>,
    deadline: &Deadline,
    watch: Watch<'_>,
) -> Result<AsyncSmtpConnection, SmtpError> {
    let at = |phase: Phase| move |fault: Fault| SmtpError { server: server.name(), phase, fault };

    let addresses = deadline.within(resolve(server)).await.map_err(at(Phase::Lookup))?;
    watch(Phase::Lookup, Shown::Addresses(addresses.iter().map(SocketAddr::ip).collect()));
    let tcp = deadline.within(reach(&addresses, deadline.phase)).await.map_err(at(Phase::Connect))?;
    let peer = tcp.peer_addr().map_err(Fault::Io).map_err(at(Phase::Connect))?;
    // lettre writes a message and its final dot apart: with Nagle's algorithm each mail waits for a delayed acknowledgement.
    tcp.set_nodelay(true).map_err(Fault::Io).map_err(at(Phase::Connect))?;
    watch(Phase::Connect, Shown::Connected(peer));
    let hello = hello_name(&tcp);
    let mut stream = Stream::Plain(tcp);

    if server.security == Security::Tls {
        stream = deadline.within(handshake(server, tls, stream)).await.map_err(at(Phase::Tls))?;
        watch(Phase::Tls, secured(&stream));
    }
    let greeting = deadline.within(greeting(&mut stream)).await.map_err(at(Phase::Greeting))?;
    watch(Phase::Greeting, Shown::Greeted(greeting.lines.join(" ")));
    if server.security == Security::StartTls {
        let offers = deadline.within(ehlo(&mut stream, &hello)).await.map_err(at(Phase::Hello))?;
        let offers: Vec<String> = offers.lines.into_iter().skip(1).collect();
        let starttls = offers.iter().any(|offer| offer.trim().eq_ignore_ascii_case("STARTTLS"));
        watch(Phase::Hello, Shown::Offers(offers));
        if !starttls {
            return Err(at(Phase::StartTls)(Fault::NoStartTls));
        }
        deadline.within(starttls_said(&mut stream)).await.map_err(at(Phase::StartTls))?;
        stream = deadline.within(handshake(server, tls, stream)).await.map_err(at(Phase::Tls))?;
        watch(Phase::Tls, secured(&stream));
    }

    let is_private = matches!(stream, Stream::Tls(_)) || peer.ip().is_loopback();
    let handed = AsyncSmtpConnection::connect_with_transport(Box::new(Handed::new(stream)), &hello);
    let mut connection = deadline.within(async { Ok(handed.await?) }).await.map_err(at(Phase::Hello))?;
    watch(Phase::Hello, Shown::Ready);
    if let Some(login) = &server.login {
        if !is_private {
            return Err(at(Phase::Login)(Fault::InTheClear));
        }
        if connection.server_info().get_auth_mechanism(MECHANISMS).is_none() {
            return Err(at(Phase::Login)(Fault::NoMechanism));
        }
        let credentials = Credentials::new(login.user.clone(), login.password.expose().to_owned());
        let done = deadline.within(async { Ok(connection.auth(MECHANISMS, &credentials).await?) });
        done.await.map_err(at(Phase::Login))?;
        watch(Phase::Login, Shown::LoggedIn(login.user.clone()));
    }
    Ok(connection)
}

async fn resolve(server: &Smtp) -> Result<Vec<SocketAddr>, Fault> {
    let found = lookup_host((server.host.as_str(), server.port)).await.map_err(Fault::Io)?;
    let addresses: Vec<SocketAddr> = found.take(ADDRESSES_MAX).collect();
    if addresses.is_empty() {
        return Err(Fault::Io(std::io::Error::other("the name has no address")));
    }
    Ok(addresses)
}

/// Each address gets its share of the time, so that a dead one does not hold up the next.
async fn reach(addresses: &[SocketAddr], limit: Duration) -> Result<TcpStream, Fault> {
    let share = limit / u32::try_from(addresses.len()).unwrap_or(1);
    let mut last = Fault::Slow(share);
    for address in addresses {
        match tokio::time::timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => return Ok(tcp),
            Ok(Err(error)) => last = Fault::Io(std::io::Error::new(error.kind(), format!("{address}: {error}"))),
            Err(_) => last = Fault::Slow(share),
        }
    }
    Err(last)
}

async fn greeting(stream: &mut Stream) -> Result<Answer, Fault> {
    answer(stream).await?.accepted()
}

async fn ehlo(stream: &mut Stream, hello: &ClientId) -> Result<Answer, Fault> {
    say(stream, &format!("EHLO {hello}")).await?.accepted()
}

async fn starttls_said(stream: &mut Stream) -> Result<Answer, Fault> {
    say(stream, "STARTTLS").await?.accepted()
}

async fn handshake(server: &Smtp, tls: &Arc<ClientConfig>, stream: Stream) -> Result<Stream, Fault> {
    let Stream::Plain(tcp) = stream else { return Err(Fault::Broken("TLS inside TLS".to_owned())) };
    let name = ServerName::try_from(server.host.clone());
    let name = name.map_err(|_| Fault::Io(std::io::Error::other(format!("no certificate can be for `{}`", server.host))))?;
    let tls = TlsConnector::from(Arc::clone(tls)).connect(name, tcp).await.map_err(Fault::Io)?;
    Ok(Stream::Tls(Box::new(tls)))
}

fn secured(stream: &Stream) -> Shown {
    let Stream::Tls(tls) = stream else { return Shown::Ready };
    let (_, session) = tls.get_ref();
    Shown::Secured {
        protocol: session.protocol_version().map(|version| format!("{version:?}")).unwrap_or_default(),
        suite: session.negotiated_cipher_suite().map(|suite| format!("{:?}", suite.suite())).unwrap_or_default(),
        certificate: session.peer_certificates().and_then(<[CertificateDer<'_>]>::first).map(|first| first.to_vec()).unwrap_or_default(),
    }
}

/// This machine's full name, else the address the server sees us at, as RFC 5321 has it for who has none.
fn hello_name(tcp: &TcpStream) -> ClientId {
    let system = rustix::system::uname();
    let name = system.nodename().to_str().unwrap_or_default();
    if name.contains('.') && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-')) {
        return ClientId::Domain(name.to_owned());
    }
    match tcp.local_addr().map(|local| local.ip()) {
        Ok(IpAddr::V4(v4)) => ClientId::Ipv4(v4),
        Ok(IpAddr::V6(v6)) => ClientId::Ipv6(v6),
        Err(_) => ClientId::Domain("localhost".to_owned()),
    }
}
