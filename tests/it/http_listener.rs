//! The listener: what a client may take its time with, and what it may send.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, StatusCode};
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use watchkeeper::ingest::budget::Budget;
use watchkeeper::ingest::http::{BODY_TIMEOUT, BodyFault, HEADER_TIMEOUT, IDLE_TIMEOUT, Listener, SPARE_CONNECTIONS, read_body, serve};

const BODY_BYTES_MAX: usize = 4 << 20;

struct Served {
    address: std::net::SocketAddr,
    stop: watch::Sender<bool>,
    bytes: Budget,
    task: tokio::task::JoinHandle<()>,
}

async fn echo_length(State(bytes): State<Budget>, request: Request<Body>) -> (StatusCode, String) {
    match read_body(request, BODY_BYTES_MAX, &bytes).await {
        Ok(body) => (StatusCode::OK, body.bytes.len().to_string()),
        Err(BodyFault::TooLarge(_)) => (StatusCode::PAYLOAD_TOO_LARGE, String::new()),
        Err(BodyFault::Busy) => (StatusCode::SERVICE_UNAVAILABLE, String::new()),
        Err(BodyFault::TooSlow) => (StatusCode::REQUEST_TIMEOUT, String::new()),
        Err(BodyFault::Broken) => (StatusCode::BAD_REQUEST, String::new()),
    }
}

async fn served(connections: usize, bytes: usize) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopping) = watch::channel(false);
    let bytes = Budget::new(bytes);
    let router = Router::new().route("/", post(echo_length)).route("/-/healthy", get(async || "healthy")).with_state(bytes.clone());
    let task = tokio::spawn(serve(Listener::Tcp(listener), router, Budget::new(connections), stopping));
    Served { address, stop, bytes, task }
}

async fn all(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset is an end as well: what came before it counts.
    drop(stream.read_to_end(&mut bytes).await);
    String::from_utf8(bytes).unwrap()
}

async fn answer(stream: &mut TcpStream) -> String {
    let mut buffer = vec![0; 4_096];
    let read = stream.read(&mut buffer).await.unwrap();
    String::from_utf8(buffer[..read].to_vec()).unwrap()
}

const POST: &str = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello";

#[tokio::test]
async fn two_requests_of_one_connection_are_answered() {
    let served = served(8, 1_000).await;
    let mut client = TcpStream::connect(served.address).await.unwrap();
    for _ in 0..2 {
        client.write_all(POST.as_bytes()).await.unwrap();
        let told = answer(&mut client).await;
        assert!(told.starts_with("HTTP/1.1 200") && told.ends_with('5'), "{told}");
    }
    assert_eq!(served.bytes.taken(), 0, "what was answered is no longer in flight");
}

#[tokio::test(start_paused = true)]
async fn a_header_that_comes_a_byte_at_a_time_is_cut_off() {
    let served = served(8, 1_000).await;
    let mut client = TcpStream::connect(served.address).await.unwrap();
    let began = tokio::time::Instant::now();
    let (mut reader, mut writer) = client.split();
    let dripping = async {
        loop {
            if writer.write_all(b"x").await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let mut end = Vec::new();
    tokio::select! {
        () = dripping => {}
        _ = reader.read_to_end(&mut end) => {}
    }
    assert!(began.elapsed() <= HEADER_TIMEOUT + Duration::from_secs(3), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_says_nothing_is_closed() {
    let served = served(8, 1_000).await;
    let mut client = TcpStream::connect(served.address).await.unwrap();
    let began = tokio::time::Instant::now();
    assert_eq!(all(&mut client).await, "");
    assert!(began.elapsed() >= HEADER_TIMEOUT && began.elapsed() < HEADER_TIMEOUT * 2, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_kept_connection_outlives_a_minute_of_silence() {
    let served = served(8, 1_000).await;
    let mut client = TcpStream::connect(served.address).await.unwrap();
    for _ in 0..3 {
        client.write_all(POST.as_bytes()).await.unwrap();
        assert!(answer(&mut client).await.starts_with("HTTP/1.1 200"));
        tokio::time::sleep(Duration::from_secs(61)).await;
    }
    let began = tokio::time::Instant::now();
    assert_eq!(all(&mut client).await, "");
    assert!(began.elapsed() <= IDLE_TIMEOUT, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_answered_and_cut_off() {
    let served = served(8, 1_000).await;
    let mut client = TcpStream::connect(served.address).await.unwrap();
    let began = tokio::time::Instant::now();
    client.write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nhello").await.unwrap();
    let told = all(&mut client).await;
    assert!(told.starts_with("HTTP/1.1 408"), "{told}");
    assert!(began.elapsed() >= BODY_TIMEOUT && began.elapsed() < BODY_TIMEOUT * 2, "{:?}", began.elapsed());
    assert_eq!(served.bytes.taken(), 0);
}

#[tokio::test]
async fn a_body_too_large_is_refused_by_its_length_and_while_it_comes() {
    let served = served(8, usize::MAX).await;
    let mut client = TcpStream::connect(served.address).await.unwrap();
    client.write_all(format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", BODY_BYTES_MAX + 1).as_bytes()).await.unwrap();
    assert!(answer(&mut client).await.starts_with("HTTP/1.1 413"));

    let mut client = TcpStream::connect(served.address).await.unwrap();
    let (mut reader, mut writer) = client.split();
    let endless = async {
        writer.write_all(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
        let chunk = [&b"10000\r\n"[..], &[b'x'; 0x10000], b"\r\n"].concat();
        while writer.write_all(&chunk).await.is_ok() {}
    };
    let mut told = vec![0; 12];
    tokio::select! {
        () = endless => {}
        read = reader.read_exact(&mut told) => { read.unwrap(); }
    }
    assert_eq!(String::from_utf8(told).unwrap(), "HTTP/1.1 413");
}

#[tokio::test]
async fn what_does_not_fit_into_the_bytes_in_flight_is_answered_at_once() {
    let served = served(8, 10).await;
    let mut waiting = TcpStream::connect(served.address).await.unwrap();
    waiting.write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 8\r\n\r\nhe").await.unwrap();
    while served.bytes.taken() < 8 {
        tokio::task::yield_now().await;
    }
    let mut second = TcpStream::connect(served.address).await.unwrap();
    second.write_all(POST.as_bytes()).await.unwrap();
    assert!(answer(&mut second).await.starts_with("HTTP/1.1 503"));
    waiting.write_all(b"llo!!!").await.unwrap();
    assert!(answer(&mut waiting).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn connections_beyond_the_limit_are_told_so_probes_are_answered_and_those_within_go_on() {
    let served = served(2, 1_000).await;
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut client = TcpStream::connect(served.address).await.unwrap();
        client.write_all(POST.as_bytes()).await.unwrap();
        assert!(answer(&mut client).await.starts_with("HTTP/1.1 200"));
        open.push(client);
    }
    let mut third = TcpStream::connect(served.address).await.unwrap();
    third.write_all(POST.as_bytes()).await.unwrap();
    let told = all(&mut third).await;
    assert!(told.starts_with("HTTP/1.1 503") && told.contains("retry-after: 1") && told.contains("connection: close"), "{told}");
    let mut probe = TcpStream::connect(served.address).await.unwrap();
    probe.write_all(b"GET /-/healthy HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let told = all(&mut probe).await;
    assert!(told.starts_with("HTTP/1.1 200") && told.ends_with("healthy"), "{told}");
    let mut silent = Vec::new();
    for _ in 0..SPARE_CONNECTIONS {
        silent.push(TcpStream::connect(served.address).await.unwrap());
    }
    let mut beyond = TcpStream::connect(served.address).await.unwrap();
    assert_eq!(all(&mut beyond).await, "");
    open[0].write_all(POST.as_bytes()).await.unwrap();
    assert!(answer(&mut open[0]).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_shutdown_finishes_the_request_in_flight_and_takes_no_further_one() {
    let served = served(8, 1_000).await;
    let mut client = TcpStream::connect(served.address).await.unwrap();
    client.write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhe").await.unwrap();
    while served.bytes.taken() < 5 {
        tokio::task::yield_now().await;
    }
    served.stop.send(true).unwrap();
    client.write_all(b"llo").await.unwrap();
    assert!(all(&mut client).await.starts_with("HTTP/1.1 200"));
    served.task.await.unwrap();
    assert!(TcpStream::connect(served.address).await.is_err());
}
