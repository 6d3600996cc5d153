//! The listener: accepts connections on TCP and on the daemon's socket, bounds how long a client may take, and hands requests to one router.
//!
//! An accept loop of our own, because `axum::serve` knows neither a limit of connections nor a deadline for a header. A request that RFC 9112 has answered with
//! 400 is: without `Host` in HTTP/1.1, with two, or with a target whose authority is another. A line of a header that ends in a bare LF is taken: RFC 9112 (2.2) allows
//! it, and the HTTP library has no switch for it.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderValue, Request, Response, StatusCode, Version, header};
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep};
use tower::ServiceExt;
use tracing::{debug, warn};

use super::budget::{Budget, Share, StrangerShare, Strangers};
use super::connections::{About, Connections, Phase, Place, Room};
use super::trust::Peer;

/// From the first byte of a request, or from the connection, to the end of its header. Later the connection is closed.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// From the end of a header to the end of its body. Later it is answered with 408 and closed.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a kept-alive connection may say nothing. Longer than the minute after which Prometheus sends again: a connection closed just then costs an alert.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(300);

/// How long an answer may wait for its reader. Later the connection is closed.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a closing connection still takes in what its client sends, so that the client reads the answer and not a reset.
pub const LINGER_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a connection that gives way to another may still write the answer that it was at.
const LEAVE_TIMEOUT: Duration = Duration::from_millis(200);

/// How long a shutdown waits for requests in flight. Later they are cut off; what they committed stays.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(8);

/// Bytes of a request's header. A larger one is answered with 431.
const HEADER_BYTES_MAX: usize = 64 * 1024;

/// Headers of a request. More are answered with 431.
const HEADERS_MAX: usize = 100;

/// What a connection beyond the limit may ask for.
const PROBES: [&str; 3] = ["/-/healthy", "/-/ready", "/metrics"];

/// How long an accept loop rests after the system had no more file descriptors.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// Where a listener listens.
#[derive(Debug)]
pub enum Listener {
    /// On an address.
    Tcp(TcpListener),
    /// On the daemon's socket.
    Unix(UnixListener),
}

/// Serves `router` until `stop` turns true, then finishes what is in flight, at most for [`DRAIN_TIMEOUT`].
///
/// Each request carries its [`Peer`] and its connection's [`Caller`] as extensions. `connections` is shared by all listeners.
pub async fn serve(listener: Listener, router: Router, connections: Connections, mut stop: watch::Receiver<bool>) {
    let mut open: JoinSet<()> = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener) => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
            Some(_) = open.join_next() => continue,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_of_one_connection(&error) => continue,
            Err(error) => {
                warn!(%error, "A connection could not be accepted.");
                tokio::time::sleep(ACCEPT_REST).await;
                continue;
            }
        };
        let Some(place) = connections.enter(peer) else {
            debug!(open = open.len(), "A connection was closed because too many are open.");
            continue;
        };
        open.spawn(connection(stream, router.clone(), peer, place, stop.clone()));
    }
    drop(listener);
    if tokio::time::timeout(DRAIN_TIMEOUT, async { while open.join_next().await.is_some() {} }).await.is_err() {
        warn!(open = open.len(), "Connections were cut off at shutdown.");
        open.shutdown().await;
    }
}

/// A body that was read whole, and its share of the bytes in flight, which is given back when it is dropped after the answer.
#[derive(Debug)]
pub struct ReadBody {
    /// The bytes.
    pub bytes: Bytes,
    /// What they are charged to.
    charge: Charge,
}

/// What the bytes of a body are charged to.
#[derive(Debug)]
enum Charge {
    /// Senders that are known.
    Known(Share),
    /// Those that are not, yet.
    Stranger(StrangerShare),
}

impl Charge {
    fn grow(&mut self, amount: usize) -> bool {
        match self {
            Charge::Known(share) => share.grow(amount),
            Charge::Stranger(share) => share.grow(amount),
        }
    }
}

/// Whose connection a request came by.
#[derive(Debug, Clone)]
pub struct Caller(Arc<About>);

impl Caller {
    /// The caller has shown who it is: its connection is kept before those of strangers.
    pub fn is_known(&self) {
        self.0.is_known();
    }

    /// Its connection begins to do something else.
    pub fn enter(&self, phase: Phase) {
        self.0.enter(phase);
    }
}

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyFault {
    /// It is larger than this many bytes.
    #[error("a body may have {0} bytes at most")]
    TooLarge(usize),
    /// The bytes in flight are spent.
    #[error("too much is in flight, try again")]
    Busy,
    /// It took longer than [`BODY_TIMEOUT`].
    #[error("the body did not arrive within 30 s")]
    TooSlow,
    /// The client went away, or its framing is wrong.
    #[error("the body ended early")]
    Broken,
}

/// Reads a body of at most `bytes_max` whole, of a sender that is known. It is charged by its told length at once, so that what will not fit is not read at all.
///
/// # Errors
/// A bound was passed, or the body ended early.
pub async fn read_body(request: Request<Body>, bytes_max: usize, bytes_in_flight: &Budget) -> Result<ReadBody, BodyFault> {
    let told = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok()).unwrap_or(0);
    if told > bytes_max {
        return Err(BodyFault::TooLarge(bytes_max));
    }
    let share = bytes_in_flight.take(told).ok_or(BodyFault::Busy)?;
    let reading = collect(request.into_body(), told, bytes_max, Charge::Known(share));
    tokio::time::timeout(BODY_TIMEOUT, reading).await.map_err(|_| BodyFault::TooSlow)?
}

/// Reads a body of at most `bytes_max` whole, of somebody whom only the body may name. It is charged by what has arrived, whatever length was told, and its connection
/// may be ended while it is awaited.
///
/// # Errors
/// A bound was passed, or the body ended early.
pub async fn read_stranger_body(request: Request<Body>, bytes_max: usize, strangers: &Strangers) -> Result<ReadBody, BodyFault> {
    let told = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok()).unwrap_or(0);
    if told > bytes_max {
        return Err(BodyFault::TooLarge(bytes_max));
    }
    let peer = request.extensions().get::<Peer>().copied().unwrap_or(Peer::Stranger);
    let caller = request.extensions().get::<Caller>().cloned();
    let enter = |phase| {
        if let Some(Caller(about)) = &caller {
            about.enter(phase);
        }
    };
    enter(Phase::Stranger);
    let reading = collect(request.into_body(), 0, bytes_max, Charge::Stranger(strangers.share(peer)));
    let read = tokio::time::timeout(BODY_TIMEOUT, reading).await;
    enter(Phase::Request);
    read.map_err(|_| BodyFault::TooSlow)?
}

impl ReadBody {
    /// Its sender is known by now: it is charged to the budget of those.
    ///
    /// # Errors
    /// That one is spent.
    pub fn is_known(&mut self, bytes_in_flight: &Budget) -> Result<(), BodyFault> {
        self.charge = Charge::Known(bytes_in_flight.take(self.bytes.len()).ok_or(BodyFault::Busy)?);
        Ok(())
    }
}

async fn collect(mut body: Body, told: usize, bytes_max: usize, mut charge: Charge) -> Result<ReadBody, BodyFault> {
    let mut bytes: Vec<u8> = Vec::with_capacity(told);
    loop {
        let frame = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        let Some(frame) = frame else { break };
        let Ok(data) = frame.map_err(|_| BodyFault::Broken)?.into_data() else { continue };
        if bytes.len() + data.len() > bytes_max {
            return Err(BodyFault::TooLarge(bytes_max));
        }
        let beyond = (bytes.len() + data.len()).saturating_sub(told.max(bytes.len()));
        if !charge.grow(beyond) {
            return Err(BodyFault::Busy);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(ReadBody { bytes: bytes.into(), charge })
}

async fn accept(listener: &Listener) -> io::Result<(Stream, Peer)> {
    match listener {
        Listener::Tcp(listener) => {
            let (stream, address) = listener.accept().await?;
            // Answers are small and whole: waiting for more of them to fill a packet only delays them.
            stream.set_nodelay(true)?;
            Ok((Box::pin(stream), Peer::Tcp(address.ip())))
        }
        Listener::Unix(listener) => {
            let (stream, _) = listener.accept().await?;
            let uid = stream.peer_cred()?.uid();
            let ours = uid == 0 || uid == rustix::process::geteuid().as_raw();
            Ok((Box::pin(stream), if ours { Peer::Owner } else { Peer::Stranger }))
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::NotConnected | io::ErrorKind::InvalidInput
    )
}

async fn connection(stream: Stream, router: Router, peer: Peer, place: Place, mut stop: watch::Receiver<bool>) {
    let about = place.about.clone();
    let service = Requests { router, peer, room: place.room, about: about.clone() };
    let stream = Patient::new(stream, about.clone());
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(HEADER_BYTES_MAX).max_headers(HEADERS_MAX);
    let mut connection = std::pin::pin!(http.serve_connection(TokioIo::new(stream), service));
    let event = tokio::select! {
        ended = connection.as_mut() => Event::Ended(ended),
        () = about.told_to_leave() => Event::Leave,
        _ = stop.wait_for(|stop| *stop) => Event::Stop,
    };
    let ended = match event {
        Event::Ended(ended) => ended,
        Event::Leave => {
            debug!("A connection that waited gave way to another.");
            match about.phase() {
                Phase::Header | Phase::Stranger => return,
                // A request that began just then is answered.
                Phase::Request => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
                Phase::Idle => {
                    connection.as_mut().graceful_shutdown();
                    let Ok(ended) = tokio::time::timeout(LEAVE_TIMEOUT, connection).await else { return };
                    ended
                }
            }
        }
        Event::Stop => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "A connection ended early.");
    }
}

/// What happened to a connection.
enum Event {
    Ended(hyper::Result<()>),
    Leave,
    Stop,
}

type Stream = Pin<Box<dyn Duplex>>;

trait Duplex: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Duplex for T {}

/// Hands requests to the router, and tells the stream when one begins and ends.
struct Requests {
    router: Router,
    peer: Peer,
    room: Room,
    about: Arc<About>,
}

impl Service<Request<hyper::body::Incoming>> for Requests {
    type Response = Response<Body>;
    type Error = std::convert::Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, std::convert::Infallible>> + Send>>;

    fn call(&self, request: Request<hyper::body::Incoming>) -> Self::Future {
        self.about.enter(Phase::Request);
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(self.peer);
        request.extensions_mut().insert(Caller(self.about.clone()));
        let router = self.router.clone();
        let (room, about) = (self.room, self.about.clone());
        Box::pin(async move {
            let response = match (host_fault(&request), room) {
                (Some(fault), _) => Ok(closing(plain(StatusCode::BAD_REQUEST, fault))),
                (None, Room::Own) => router.oneshot(request).await,
                (None, Room::Spare) if PROBES.contains(&request.uri().path()) => router.oneshot(request).await.map(closing),
                (None, Room::Spare) => Ok(closing(too_many())),
            };
            about.enter(Phase::Idle);
            response
        })
    }
}

/// What is wrong with how a request names whom it is for (RFC 9112, 3.2).
fn host_fault<B>(request: &Request<B>) -> Option<&'static str> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (host, another) = (hosts.next(), hosts.next());
    if another.is_some() {
        return Some("a request has one Host header\n");
    }
    let Some(host) = host else {
        return (request.version() > Version::HTTP_10).then_some("a request of HTTP/1.1 has a Host header\n");
    };
    let authority = request.uri().authority()?.as_str();
    (!host.as_bytes().eq_ignore_ascii_case(authority.as_bytes())).then_some("the target of the request and its Host header differ\n")
}

fn too_many() -> Response<Body> {
    let mut response = plain(StatusCode::SERVICE_UNAVAILABLE, "too many connections are open ([limits] connections); try again\n");
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
}

/// The connection ends with this answer.
fn closing(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// A stream that fails a read or a write which takes too long for what the connection is about.
struct Patient {
    stream: Stream,
    about: Arc<About>,
    reading: Deadline,
    writing: Deadline,
}

/// A timer that is armed for something and is set anew when that changes.
struct Deadline {
    sleep: Pin<Box<Sleep>>,
    armed_for: Option<Awaited>,
}

/// What a stream waits for under a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    Header,
    Next,
    Reader,
    End,
}

impl Deadline {
    fn new() -> Deadline {
        Deadline { sleep: Box::pin(tokio::time::sleep(Duration::ZERO)), armed_for: None }
    }

    /// Ready once `patience` has passed since it was first asked for that.
    fn poll(&mut self, awaited: Awaited, patience: Duration, context: &mut Context<'_>) -> Poll<()> {
        if self.armed_for != Some(awaited) {
            self.armed_for = Some(awaited);
            self.sleep.as_mut().reset(Instant::now() + patience);
        }
        self.sleep.as_mut().poll(context)
    }
}

impl Patient {
    fn new(stream: Stream, about: Arc<About>) -> Patient {
        Patient { stream, about, reading: Deadline::new(), writing: Deadline::new() }
    }

    fn write<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.writing.armed_for = None;
            return written;
        }
        self.writing.poll(Awaited::Reader, WRITE_TIMEOUT, context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Patient {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = self.stream.as_mut().poll_read(context, buffer);
        if read.is_ready() && buffer.filled().len() > before && self.about.phase() == Phase::Idle {
            self.about.enter(Phase::Header);
            self.reading.armed_for = None;
        }
        // A header's deadline also counts for reads that bring something: one byte at a time is no progress.
        let late = match self.about.phase() {
            Phase::Header => self.reading.poll(Awaited::Header, HEADER_TIMEOUT, context).is_ready(),
            Phase::Idle => self.reading.poll(Awaited::Next, IDLE_TIMEOUT, context).is_ready(),
            Phase::Request | Phase::Stranger => {
                self.reading.armed_for = None;
                false
            }
        };
        if late { Poll::Ready(Err(io::ErrorKind::TimedOut.into())) } else { read }
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = self.stream.as_mut().poll_write(context, bytes);
        self.write(context, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.stream.as_mut().poll_flush(context);
        self.write(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        ready!(this.stream.as_mut().poll_shutdown(context))?;
        let mut thrown_away = [0; 8 * 1024];
        loop {
            if this.reading.poll(Awaited::End, LINGER_TIMEOUT, context).is_ready() {
                return Poll::Ready(Ok(()));
            }
            let mut buffer = ReadBuf::new(&mut thrown_away);
            match ready!(this.stream.as_mut().poll_read(context, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                Ok(()) | Err(_) => return Poll::Ready(Ok(())),
            }
        }
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = self.stream.as_mut().poll_write_vectored(context, slices);
        self.write(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
