//! Mail by SMTP: one recipient a mail, connections that are kept while there is mail, and a time limit on every step.
//!
//! lettre speaks the commands, over a connection of ours. Its own `send` breaks the connection on a refused recipient, and its pool waits
//! without limit; so the commands are given one by one.

mod connect;
mod error;
mod stream;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls_platform_verifier::Verifier;
use tokio::time::Instant;

use super::address::mailbox;
use crate::config::{Security, Smtp};
use connect::Deadline;

pub use connect::{Shown, Watch};
pub use error::{Fault, Phase, SmtpError};

/// Connections to a server at once: enough for thousands of mails a second, and few enough for servers that count them.
pub const CONNECTIONS: usize = 4;
/// How long a connection without mail is kept. Servers close theirs after minutes, and one that is about to be closed is a mail tried twice.
pub const IDLE_MAX: Duration = Duration::from_secs(10);
/// Mails over one connection; after them it is closed, as servers that count would do in the middle of one.
const MAILS_MAX: u32 = 100;
/// How long a server may take to say goodbye.
const QUIT_MAX: Duration = Duration::from_secs(1);

/// The way to one mail server. Cheap to clone.
#[derive(Clone)]
pub struct SmtpTransport {
    inner: Arc<Inner>,
}

struct Inner {
    server: Smtp,
    from: Address,
    tls: Arc<ClientConfig>,
    idle: Mutex<Vec<Session>>,
}

/// A connection between two mails.
struct Session {
    connection: AsyncSmtpConnection,
    mails: u32,
    used_at: Instant,
}

/// Why there is no way to a server.
#[derive(Debug, thiserror::Error)]
#[error("prepare TLS for [mail.smtp]: {0}")]
pub struct NoTls(#[from] rustls::Error);

impl fmt::Debug for SmtpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SmtpTransport({})", self.inner.server.name())
    }
}

impl SmtpTransport {
    /// The way to `server`; `from` is the envelope's sender, to whom a server that changes its mind later writes back.
    ///
    /// # Errors
    /// Where this machine's certificates cannot be read, or `ca_file` holds none that can be trusted.
    pub fn new(server: Smtp, from: Address) -> Result<SmtpTransport, NoTls> {
        let tls = Arc::new(tls_of(&server)?);
        Ok(SmtpTransport { inner: Arc::new(Inner { server, from, tls, idle: Mutex::default() }) })
    }

    /// Sends `bytes` to one address: `Ok` once the server has taken it after the final dot.
    ///
    /// # Errors
    /// Where it did not: for good, not now, or with an unknown outcome. Sending it again then may make a second copy, with the same Message-ID.
    pub async fn deliver(&self, to: &str, bytes: &[u8]) -> Result<(), SmtpError> {
        let deadline = self.deadline();
        if let Some(session) = self.take_idle() {
            match self.send(session, to, bytes, &deadline).await {
                // It was closed while nobody used it.
                Err(error) if error.is_stale_connection() => {}
                done => return done,
            }
        }
        let session = self.connect(&deadline, &mut |_, _| {}).await?;
        self.send(session, to, bytes, &deadline).await
    }

    /// Sends `bytes` over a connection of its own, and shows each step of connecting.
    ///
    /// # Errors
    /// As [`SmtpTransport::deliver`].
    pub async fn watched(&self, to: &str, bytes: &[u8], watch: Watch<'_>) -> Result<(), SmtpError> {
        let deadline = self.deadline();
        let session = self.connect(&deadline, watch).await?;
        self.send(session, to, bytes, &deadline).await
    }

    /// Connects, logs in and says goodbye, and shows each step.
    ///
    /// # Errors
    /// The step that failed.
    pub async fn reach(&self, watch: Watch<'_>) -> Result<(), SmtpError> {
        quit(self.connect(&self.deadline(), watch).await?).await;
        Ok(())
    }

    /// Says goodbye on every connection that is kept.
    pub async fn rest(&self) {
        let idle = std::mem::take(&mut *self.idle());
        for session in idle {
            quit(session).await;
        }
    }

    fn deadline(&self) -> Deadline {
        Deadline::new(self.inner.server.step_max, self.inner.server.step_max * 2)
    }

    async fn connect(&self, deadline: &Deadline, watch: Watch<'_>) -> Result<Session, SmtpError> {
        let connection = connect::connect(&self.inner.server, &self.inner.tls, deadline, watch).await?;
        Ok(Session { connection, mails: 0, used_at: Instant::now() })
    }

    /// One mail over a connection, which is kept where it can take another.
    async fn send(&self, mut session: Session, to: &str, bytes: &[u8], deadline: &Deadline) -> Result<(), SmtpError> {
        session.mails += 1;
        let sent = self.transaction(&mut session.connection, to, bytes, deadline).await;
        let clean = match &sent {
            Ok(()) => true,
            Err(error) if error.leaves_connection() => {
                let reset = async { Ok(session.connection.command(Rset).await?) };
                deadline.within(reset).await.is_ok()
            }
            Err(_) => false,
        };
        if clean && session.mails < MAILS_MAX {
            session.used_at = Instant::now();
            self.keep(session);
        } else if clean {
            quit(session).await;
        }
        sent
    }

    async fn transaction(&self, smtp: &mut AsyncSmtpConnection, to: &str, bytes: &[u8], deadline: &Deadline) -> Result<(), SmtpError> {
        let at = |phase: Phase| move |fault: Fault| SmtpError { server: self.inner.server.name(), phase, fault };
        let to = mailbox(to).map_err(|bad| at(Phase::Recipient)(Fault::BadAddress(bad.to_string())))?.email;
        let bytes = one_end(bytes).map_err(at(Phase::Message))?;

        let from = Mail::new(Some(self.inner.from.clone()), Vec::new());
        deadline.within(async { Ok(smtp.command(from).await?) }).await.map_err(at(Phase::Mail))?;
        deadline.within(async { Ok(smtp.command(Rcpt::new(to, Vec::new())).await?) }).await.map_err(at(Phase::Recipient))?;
        deadline.within(async { Ok(smtp.command(Data).await?) }).await.map_err(at(Phase::Data))?;
        deadline.within(async { Ok(smtp.message(bytes).await?) }).await.map_err(at(Phase::Message))?;
        Ok(())
    }

    fn take_idle(&self) -> Option<Session> {
        let mut idle = self.idle();
        // What has been idle for too long is closed by being dropped; the rest was used after it.
        idle.retain(|session| session.used_at.elapsed() < IDLE_MAX);
        idle.pop()
    }

    fn keep(&self, session: Session) {
        let mut idle = self.idle();
        if idle.len() < CONNECTIONS {
            idle.push(session);
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Session>> {
        self.inner.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn quit(mut session: Session) {
    // Whether the server says goodbye makes no difference any more.
    tokio::time::timeout(QUIT_MAX, session.connection.quit()).await.ok();
}

/// The message as it goes between DATA and the final dot, which brings the last line end itself. Its lines end in CRLF and nothing else:
/// a lone CR or LF before a dot would not be doubled by lettre 0.11.23, and could end the message there.
fn one_end(bytes: &[u8]) -> Result<&[u8], Fault> {
    let bare = bytes.iter().enumerate().any(|(at, byte)| match byte {
        b'\n' => at == 0 || bytes[at - 1] != b'\r',
        b'\r' => bytes.get(at + 1) != Some(&b'\n'),
        _ => false,
    });
    if bare { Err(Fault::BareLineEnd) } else { Ok(bytes.strip_suffix(b"\r\n").unwrap_or(bytes)) }
}

/// TLS 1.2 and later, by aws-lc; with `ca_file` only its certificates are trusted, else those of this machine. Without TLS none are looked for.
fn tls_of(server: &Smtp) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    if server.authorities.is_empty() && server.security != Security::None {
        let verifier = Arc::new(Verifier::new(provider)?);
        return Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth());
    }
    let mut roots = RootCertStore::empty();
    for authority in &server.authorities {
        roots.add(authority.clone())?;
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_whose_lines_end_otherwise_is_not_sent() {
        assert_eq!(one_end(b"a\r\n\r\n.b\r\n").unwrap(), b"a\r\n\r\n.b");
        for bad in [&b"a\n.\nb\r\n"[..], b"a\r.\rb\r\n", b"\n.\r\n", b"a\r\n.\rMAIL", b"a\r"] {
            assert!(matches!(one_end(bad), Err(Fault::BareLineEnd)), "{bad:?}");
        }
    }
}
