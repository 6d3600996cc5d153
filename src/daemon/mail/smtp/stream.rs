//! The bytes between us and a mail server, before and after TLS, and the first lines of SMTP spoken over them by hand.
//!
//! lettre would believe plaintext that arrives with the answer to STARTTLS, and reads answers without a bound; both end here.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::error::Fault;

/// Bytes of one answer. The longest that servers give, to EHLO, have some hundred.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// What lettre reads first: it waits for a greeting, and the server's own was read before TLS.
const GREETING_READ: &[u8] = b"220 ready\r\n";

/// A connection in the clear or under TLS.
#[derive(Debug)]
pub(super) enum Stream {
    /// TCP.
    Plain(TcpStream),
    /// TLS over TCP.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    pub(super) fn tcp(&self) -> &TcpStream {
        match self {
            Stream::Plain(tcp) => tcp,
            Stream::Tls(tls) => tls.get_ref().0,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(tcp) => Pin::new(tcp).poll_read(cx, buffer),
            Stream::Tls(tls) => Pin::new(tls).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Stream::Tls(tls) => Pin::new(tls).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Stream::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Stream::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}

/// A server's answer: its code and its lines without it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) code: u16,
    pub(super) lines: Vec<String>,
}

impl Answer {
    /// The answer where it says yes, else the refusal.
    pub(super) fn accepted(self) -> Result<Answer, Fault> {
        if (200..400).contains(&self.code) { Ok(self) } else { Err(Fault::refused(self.code, &self.lines.join(" "))) }
    }
}

/// Says a line and reads the answer.
pub(super) async fn say(stream: &mut Stream, line: &str) -> Result<Answer, Fault> {
    stream.write_all(format!("{line}\r\n").as_bytes()).await.map_err(Fault::Io)?;
    stream.flush().await.map_err(Fault::Io)?;
    answer(stream).await
}

/// Reads one answer, and nothing after it: bytes that came with it without being asked for are a fault.
pub(super) async fn answer(stream: &mut Stream) -> Result<Answer, Fault> {
    let mut read = Vec::with_capacity(512);
    loop {
        if let Some((answer, bytes)) = parse(&read)? {
            return if bytes == read.len() { Ok(answer) } else { Err(Fault::Unasked(read.len() - bytes)) };
        }
        if read.len() >= ANSWER_BYTES_MAX {
            return Err(Fault::Broken(format!("an answer of more than {ANSWER_BYTES_MAX} bytes")));
        }
        if stream.read_buf(&mut read).await.map_err(Fault::Io)? == 0 {
            return Err(Fault::Broken("closed by the server".to_owned()));
        }
    }
}

/// The answer at the start of `read` and its length, once its last line is there.
fn parse(read: &[u8]) -> Result<Option<(Answer, usize)>, Fault> {
    let (mut lines, mut at) = (Vec::new(), 0);
    while let Some(length) = read[at..].iter().position(|byte| *byte == b'\n') {
        let line = read[at..at + length].strip_suffix(b"\r").unwrap_or(&read[at..at + length]);
        at += length + 1;
        let code = line.get(..3).and_then(|digits| std::str::from_utf8(digits).ok()).and_then(|digits| digits.parse::<u16>().ok());
        let (code, more) = match (code, line.get(3)) {
            (Some(code), Some(b'-')) => (code, true),
            (Some(code), Some(b' ') | None) => (code, false),
            (Some(_), Some(_)) | (None, _) => return Err(Fault::Broken("what came is no SMTP".to_owned())),
        };
        lines.push(String::from_utf8_lossy(line.get(4..).unwrap_or_default()).into_owned());
        if !more {
            return Ok(Some((Answer { code, lines }, at)));
        }
    }
    Ok(None)
}

/// What lettre is given: a greeting that was read before, then the connection, with a bound on each answer.
pub(super) struct Handed {
    greeting: &'static [u8],
    answered: usize,
    stream: Stream,
}

impl Handed {
    pub(super) fn new(stream: Stream) -> Handed {
        Handed { greeting: GREETING_READ, answered: 0, stream }
    }
}

impl fmt::Debug for Handed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handed")
    }
}

impl AsyncTokioStream for Handed {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.tcp().peer_addr()
    }
}

impl AsyncRead for Handed {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.greeting.is_empty() {
            let count = self.greeting.len().min(buffer.remaining());
            buffer.put_slice(&self.greeting[..count]);
            self.greeting = &self.greeting[count..];
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        self.answered += buffer.filled().len() - before;
        if self.answered > ANSWER_BYTES_MAX {
            return Poll::Ready(Err(io::Error::other(format!("an answer of more than {ANSWER_BYTES_MAX} bytes"))));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Handed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.answered = 0;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_with_its_last_line_and_what_follows_is_counted() {
        let (answer, bytes) = parse(b"250-mail.example.org\r\n250-SIZE 1\r\n250 STARTTLS\r\n").unwrap().unwrap();
        assert_eq!((answer.code, bytes), (250, 48));
        assert_eq!(answer.lines, ["mail.example.org", "SIZE 1", "STARTTLS"]);
        assert_eq!(parse(b"220 go\r\n250 evil\r\n").unwrap().unwrap().1, 8);
        assert_eq!(parse(b"250-more\r\n250").unwrap(), None);
        assert!(parse(b"HTTP/1.1 400 Bad Request\r\n").is_err());
    }
}
