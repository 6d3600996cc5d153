//! A mail server that does what a test tells it: refuses, hangs, drops or lies at any step, and remembers what it heard.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, Once};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// What is done at a step instead of saying yes.
#[derive(Debug, Clone)]
pub(crate) enum Does {
    /// Says these bytes.
    Says(String),
    /// Says nothing, and keeps the connection.
    Hangs,
    /// Closes the connection.
    Drops,
}

/// How a server behaves. Steps are `greeting`, the verbs of SMTP, and `message` for what follows the final dot.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    /// Steps that go otherwise than well, each time.
    pub(crate) steps: BTreeMap<&'static str, Does>,
    /// What EHLO offers.
    pub(crate) offers: Vec<&'static str>,
    /// TLS from the first byte.
    pub(crate) tls: bool,
    /// Mails after which a connection is closed without a word.
    pub(crate) mails_max: Option<usize>,
}

/// What a server heard.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heard {
    /// Connections.
    pub(crate) connections: usize,
    /// Lines of commands, those under TLS marked with `tls `.
    pub(crate) lines: Vec<String>,
    /// Messages as they are kept: without doubled dots, with the line end before the final dot.
    pub(crate) messages: Vec<Vec<u8>>,
}

/// A server on a port of its own, for as long as the runtime lives.
pub(crate) struct MailServer {
    pub(crate) address: SocketAddr,
    /// Whom a client must trust.
    pub(crate) authority: CertificateDer<'static>,
    heard: Arc<Mutex<Heard>>,
}

impl MailServer {
    pub(crate) async fn start(script: Script) -> MailServer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (authority, acceptor) = certificate();
        let heard: Arc<Mutex<Heard>> = Arc::default();
        let server = MailServer { address, authority, heard: Arc::clone(&heard) };
        let script = Arc::new(script);
        tokio::spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                heard.lock().unwrap().connections += 1;
                let (heard, script, acceptor) = (Arc::clone(&heard), Arc::clone(&script), acceptor.clone());
                // However a client leaves, the next one is served.
                tokio::spawn(async move { serve(tcp, &script, &acceptor, &heard).await.ok() });
            }
        });
        server
    }

    pub(crate) fn heard(&self) -> Heard {
        self.heard.lock().unwrap().clone()
    }
}

/// A certificate for `localhost` and its authority, made for this server alone.
fn certificate() -> (CertificateDer<'static>, TlsAcceptor) {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| drop(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider().install_default()));
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![own.der().clone()], key).unwrap();
    (authority.der().clone(), TlsAcceptor::from(Arc::new(config)))
}

/// What a conversation in the clear ends with.
enum End {
    Closed,
    StartTls,
}

async fn serve(mut tcp: TcpStream, script: &Script, acceptor: &TlsAcceptor, heard: &Mutex<Heard>) -> std::io::Result<()> {
    if script.tls {
        let mut tls = acceptor.accept(tcp).await?;
        greet(&mut tls, script).await?;
        return talk(&mut tls, script, "tls ", heard).await.map(drop);
    }
    greet(&mut tcp, script).await?;
    match talk(&mut tcp, script, "", heard).await? {
        End::Closed => Ok(()),
        End::StartTls => {
            let mut tls = acceptor.accept(tcp).await?;
            talk(&mut tls, script, "tls ", heard).await.map(drop)
        }
    }
}

async fn greet(stream: &mut (impl AsyncWrite + Unpin), script: &Script) -> std::io::Result<()> {
    answer(stream, script, "greeting", "220 mail.example.org ESMTP\r\n").await
}

/// Says what the script has for a step, or `otherwise`. An error ends the connection.
async fn answer(stream: &mut (impl AsyncWrite + Unpin), script: &Script, step: &str, otherwise: &str) -> std::io::Result<()> {
    match script.steps.get(step) {
        None => stream.write_all(otherwise.as_bytes()).await?,
        Some(Does::Says(text)) => stream.write_all(text.as_bytes()).await?,
        Some(Does::Drops) => return Err(std::io::ErrorKind::ConnectionAborted.into()),
        Some(Does::Hangs) => std::future::pending().await,
    }
    stream.flush().await
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    script: &Script,
    mark: &str,
    heard: &Mutex<Heard>,
) -> std::io::Result<End> {
    let mut read = Vec::new();
    let mut mails = 0;
    loop {
        let Some(line) = until(stream, &mut read, b"\r\n").await? else { return Ok(End::Closed) };
        let line = String::from_utf8(line).unwrap();
        heard.lock().unwrap().lines.push(format!("{mark}{line}"));
        let verb = line.split([' ', ':']).next().unwrap().to_uppercase();
        match verb.as_str() {
            "EHLO" => {
                let offers: Vec<String> = script.offers.iter().map(|offer| format!("250-{offer}\r\n")).collect();
                answer(stream, script, "EHLO", &format!("250-mail.example.org\r\n{}250 HELP\r\n", offers.concat())).await?;
            }
            "STARTTLS" => {
                answer(stream, script, "STARTTLS", "220 go\r\n").await?;
                return Ok(End::StartTls);
            }
            "AUTH" => answer(stream, script, "AUTH", "235 welcome\r\n").await?,
            "MAIL" => answer(stream, script, "MAIL", "250 ok\r\n").await?,
            "RCPT" => answer(stream, script, "RCPT", "250 ok\r\n").await?,
            "DATA" => {
                answer(stream, script, "DATA", "354 go on\r\n").await?;
                if !matches!(script.steps.get("DATA"), Some(Does::Says(_))) {
                    let Some(raw) = until(stream, &mut read, b"\r\n.\r\n").await? else { return Ok(End::Closed) };
                    heard.lock().unwrap().messages.push(kept(&raw));
                    answer(stream, script, "message", "250 taken\r\n").await?;
                    mails += 1;
                    if script.mails_max == Some(mails) {
                        return Ok(End::Closed);
                    }
                }
            }
            "RSET" => answer(stream, script, "RSET", "250 ok\r\n").await?,
            "QUIT" => {
                answer(stream, script, "QUIT", "221 bye\r\n").await?;
                return Ok(End::Closed);
            }
            _ => stream.write_all(b"500 what\r\n").await?,
        }
    }
}

/// A message as a server keeps it: doubled dots undone, its last line ended.
fn kept(raw: &[u8]) -> Vec<u8> {
    let mut kept = Vec::new();
    for line in raw.split_inclusive(|byte| *byte == b'\n') {
        kept.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
    }
    kept.extend_from_slice(b"\r\n");
    kept
}

/// What comes before `end`, which is taken too; `None` where the client has gone.
async fn until(stream: &mut (impl AsyncRead + Unpin), read: &mut Vec<u8>, end: &[u8]) -> std::io::Result<Option<Vec<u8>>> {
    loop {
        if let Some(at) = read.windows(end.len()).position(|window| window == end) {
            let taken = read[..at].to_vec();
            read.drain(..at + end.len());
            return Ok(Some(taken));
        }
        if stream.read_buf(read).await? == 0 {
            return Ok(None);
        }
    }
}
