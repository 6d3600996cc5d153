//! HTTP/1.1 as bytes over a socket: what a test knows of the daemon is what went over the wire, down to the first byte of an answer.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;

use crate::described::{Description, Exchange};

/// How long an answer may take. Far beyond any commit on a busy machine: a hang is a failure, not an unknown.
const PATIENCE: Duration = Duration::from_secs(60);

/// The API as the first daemon that is asked describes it: all are one program.
static DESCRIPTION: OnceLock<Description> = OnceLock::new();

/// One connection at a time to one listener, opened when it is needed and kept while it lasts.
pub struct Wire {
    address: SocketAddr,
    stream: Option<TcpStream>,
    read: Vec<u8>,
    /// What its answers are compared with.
    description: Option<&'static Description>,
}

/// An answer that arrived whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The content type; empty where it has none.
    pub kind: String,
    /// The body.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// Nothing listened: not a byte was sent.
    Unsent,
    /// Bytes were sent, and no whole answer came back: the daemon may have taken them or not.
    Unknown,
}

impl Answer {
    /// Whether the daemon says that it did what was asked.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body of a success, as JSON.
    pub fn json(&self) -> Value {
        assert!(self.is_success(), "{self}");
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self}"))
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP {}: {}", self.status, self.text().chars().take(2_000).collect::<String>())
    }
}

impl Wire {
    /// To a listener; nothing is opened yet.
    pub fn to(address: SocketAddr) -> Wire {
        Wire { address, stream: None, read: Vec::new(), description: None }
    }

    /// To a daemon, each answer of which is compared with the description of its API. Where it is gone, nothing is compared.
    pub fn described(address: SocketAddr) -> Wire {
        let mut wire = Wire::to(address);
        if DESCRIPTION.get().is_none()
            && let Ok(answer) = wire.get("/api/v1/openapi.json")
        {
            DESCRIPTION.get_or_init(|| Description::new(answer.json()));
        }
        Wire { description: DESCRIPTION.get(), ..wire }
    }

    /// `GET`.
    pub fn get(&mut self, path: &str) -> Result<Answer, Lost> {
        self.ask("GET", path, &[], b"")
    }

    /// `POST` of JSON.
    pub fn post(&mut self, path: &str, body: &Value) -> Result<Answer, Lost> {
        self.ask("POST", path, &[], body.to_string().as_bytes())
    }

    /// A request, and its whole answer.
    pub fn ask(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Answer, Lost> {
        self.send(method, path, headers, body)?;
        let answer = self.answer()?;
        if let Some(description) = self.description {
            let (status, kind) = (answer.status, answer.kind.as_str());
            description.check(&Exchange { method, target: path, request: body, status, kind, body: &answer.text() });
        }
        Ok(answer)
    }

    /// Sends a request and leaves its answer on the wire.
    pub fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<(), Lost> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n", self.address, body.len());
        if !body.is_empty() {
            head.push_str("Content-Type: application/json\r\n");
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => none.insert(connect(self.address)?),
        };
        stream.write_all(&bytes).map_err(|_| self.lose())
    }

    /// Reads the first byte of an answer, if one comes.
    pub fn first_byte(&mut self) -> Result<u8, Lost> {
        while self.read.is_empty() {
            self.more()?;
        }
        Ok(self.read[0])
    }

    /// Reads the answer to what was sent, to its end.
    pub fn answer(&mut self) -> Result<Answer, Lost> {
        let end = loop {
            match find(&self.read, b"\r\n\r\n") {
                Some(at) => break at + 4,
                None => self.more()?,
            }
        };
        let head = String::from_utf8_lossy(&self.read[..end]).to_lowercase();
        let header = |name: &str| head.split(&format!("\r\n{name}:")).nth(1).and_then(|rest| rest.split("\r\n").next()).map(str::trim);
        let kind = header("content-type").unwrap_or_default().to_owned();
        let status: u16 = head.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("no status in {head:?}"));
        if status == 100 {
            self.read.drain(..end);
            return self.answer();
        }
        self.read.drain(..end);
        let body = if head.contains("\r\ntransfer-encoding: chunked") {
            self.chunks()?
        } else {
            let length = header("content-length").map_or(0, |text| text.parse().unwrap_or_else(|_| panic!("no length in {head:?}")));
            self.take(length)?
        };
        if head.contains("\r\nconnection: close") {
            self.lose();
        }
        Ok(Answer { status, kind, body })
    }

    fn chunks(&mut self) -> Result<Vec<u8>, Lost> {
        let mut body = Vec::new();
        loop {
            let line = loop {
                match find(&self.read, b"\r\n") {
                    Some(at) => break self.take(at + 2)?,
                    None => self.more()?,
                }
            };
            let size = String::from_utf8_lossy(&line);
            let size = usize::from_str_radix(size.trim(), 16).unwrap_or_else(|_| panic!("no chunk size: {size:?}"));
            let chunk = self.take(size + 2)?;
            if size == 0 {
                return Ok(body);
            }
            body.extend_from_slice(&chunk[..size]);
        }
    }

    fn take(&mut self, length: usize) -> Result<Vec<u8>, Lost> {
        while self.read.len() < length {
            self.more()?;
        }
        Ok(self.read.drain(..length).collect())
    }

    fn more(&mut self) -> Result<(), Lost> {
        let Some(stream) = &mut self.stream else { return Err(Lost::Unknown) };
        let mut buffer = [0; 16_384];
        match stream.read(&mut buffer) {
            Ok(0) => Err(self.lose()),
            Ok(count) => {
                self.read.extend_from_slice(&buffer[..count]);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("no answer from {} within {PATIENCE:?}", self.address)
            }
            Err(_) => Err(self.lose()),
        }
    }

    fn lose(&mut self) -> Lost {
        self.stream = None;
        self.read.clear();
        Lost::Unknown
    }
}

fn connect(address: SocketAddr) -> Result<TcpStream, Lost> {
    let stream = TcpStream::connect(address).map_err(|_| Lost::Unsent)?;
    // Small requests on a kept connection would otherwise wait for the peer's delayed acknowledgement.
    let ready = stream.set_nodelay(true).and_then(|()| stream.set_read_timeout(Some(PATIENCE)));
    ready.map_err(|_| Lost::Unsent)?;
    Ok(stream)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
