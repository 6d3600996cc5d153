//! The listener: what a client may take its time with, and what it may send.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{Request, StatusCode};
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use watchkeeper::ingest::budget::Budget;
use watchkeeper::ingest::connections::{Bounds, Connections, Room, SPARE_CONNECTIONS};
use watchkeeper::ingest::http::{BODY_TIMEOUT, BodyFault, Caller, HEADER_TIMEOUT, IDLE_TIMEOUT, Listener, read_body, serve};
use watchkeeper::ingest::trust::Peer;

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
    let known = get(async |Extension(caller): Extension<Caller>| caller.is_known());
    let router = Router::new()
        .route("/", post(echo_length))
        .route("/known", known)
        .route("/-/healthy", get(async || "healthy"))
        .with_state(bytes.clone());
    let connections = Connections::new(Bounds { all: connections, each: connections });
    let task = tokio::spawn(serve(Listener::Tcp(listener), router, connections, stopping));
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

/// A kept connection that has had an answer and says nothing more.
async fn idle(served: &Served, request: &str) -> TcpStream {
    let mut client = TcpStream::connect(served.address).await.unwrap();
    client.write_all(request.as_bytes()).await.unwrap();
    let told = answer(&mut client).await;
    assert!(told.starts_with("HTTP/1.1 200"), "{told}");
    // One that waits longer is told from the next by the clock.
    tokio::time::sleep(Duration::from_millis(5)).await;
    client
}

const KNOWN: &str = "GET /known HTTP/1.1\r\nhost: x\r\n\r\n";
const PROBE: &str = "GET /-/healthy HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn where_no_connection_is_free_the_one_leaves_that_has_waited_longest() {
    let served = served(3, 1_000).await;
    let (mut first, mut second) = (idle(&served, POST).await, idle(&served, POST).await);
    // This one has not said anything yet, and waits as well.
    let mut silent = TcpStream::connect(served.address).await.unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    let mut late = idle(&served, POST).await;
    assert_eq!(all(&mut first).await, "");
    second.write_all(POST.as_bytes()).await.unwrap();
    assert!(answer(&mut second).await.starts_with("HTTP/1.1 200"), "it has waited less");
    tokio::time::sleep(Duration::from_millis(5)).await;
    let _later = idle(&served, POST).await;
    assert_eq!(all(&mut silent).await, "");
    late.write_all(POST.as_bytes()).await.unwrap();
    assert!(answer(&mut late).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn who_has_shown_a_token_stays_while_strangers_wait() {
    let served = served(4, 1_000).await;
    let mut sender = idle(&served, KNOWN).await;
    for _ in 0..40 {
        drop(idle(&served, POST).await);
    }
    let mut strangers = Vec::new();
    for _ in 0..40 {
        strangers.push(idle(&served, POST).await);
    }
    sender.write_all(KNOWN.as_bytes()).await.unwrap();
    assert!(answer(&mut sender).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn probes_are_answered_while_every_connection_is_at_work_and_silent_ones_take_the_spare() {
    let served = served(2, 1_000).await;
    let mut open = Vec::new();
    for n in 1..=2 {
        let mut client = TcpStream::connect(served.address).await.unwrap();
        client.write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhe").await.unwrap();
        while served.bytes.taken() < n * 5 {
            tokio::task::yield_now().await;
        }
        open.push(client);
    }
    let mut third = TcpStream::connect(served.address).await.unwrap();
    third.write_all(POST.as_bytes()).await.unwrap();
    let told = all(&mut third).await;
    assert!(told.starts_with("HTTP/1.1 503") && told.contains("retry-after: 1") && told.contains("connection: close"), "{told}");
    let mut silent = Vec::new();
    for _ in 0..SPARE_CONNECTIONS * 2 {
        silent.push(TcpStream::connect(served.address).await.unwrap());
    }
    let mut probe = TcpStream::connect(served.address).await.unwrap();
    probe.write_all(PROBE.as_bytes()).await.unwrap();
    let told = all(&mut probe).await;
    assert!(told.starts_with("HTTP/1.1 200") && told.ends_with("healthy"), "{told}");
    for client in &mut open {
        client.write_all(b"llo").await.unwrap();
        assert!(answer(client).await.starts_with("HTTP/1.1 200"), "what was at work goes on");
    }
}

#[tokio::test]
async fn one_address_of_another_machine_has_a_part_of_the_connections_and_gives_way_to_itself() {
    let connections = Connections::new(Bounds { all: 8, each: 2 });
    let from = |last| Peer::Tcp(std::net::IpAddr::from([192, 0, 2, last]));
    let enter = |peer| connections.enter(peer).unwrap();
    let (greedy, other) = ([enter(from(7)), enter(from(7)), enter(from(7))], enter(from(8)));
    assert_eq!(connections.open(), 3, "the first of three has left");
    assert!([&greedy[2], &other].iter().all(|place| place.room == Room::Own));
    tokio::time::timeout(Duration::from_secs(1), greedy[0].about.told_to_leave()).await.unwrap();
    // All of this machine's are one's own: a proxy in front of the daemon speaks for everybody.
    let here: Vec<_> = (0..5).map(|_| enter(Peer::Tcp(std::net::IpAddr::from([127, 0, 0, 1])))).collect();
    assert!(here.iter().all(|place| place.room == Room::Own));
    assert_eq!(connections.open(), 8);
    let mapped = std::net::Ipv4Addr::new(192, 0, 2, 8).to_ipv6_mapped();
    let _more = [enter(Peer::Tcp(mapped.into())), enter(Peer::Tcp(mapped.into()))];
    tokio::time::timeout(Duration::from_secs(1), other.about.told_to_leave()).await.unwrap();
    drop((greedy, here));
    assert_eq!(connections.open(), 2);
}

#[tokio::test]
async fn a_request_says_once_whom_it_is_for() {
    let served = served(8, 1_000).await;
    for (line, hosts, status) in [
        ("POST / HTTP/1.1", "host: x\r\n", "200"),
        ("POST / HTTP/1.1", "", "400"),
        ("POST / HTTP/1.1", "host: x\r\nhost: evil.example\r\n", "400"),
        ("POST / HTTP/1.1", "host: x\r\nHost: x\r\n", "400"),
        ("POST / HTTP/1.0", "", "200"),
        ("POST / HTTP/1.0", "host: x\r\nhost: y\r\n", "400"),
        ("POST http://x/ HTTP/1.1", "host: X\r\n", "200"),
        ("POST http://evil.example/ HTTP/1.1", "host: x\r\n", "400"),
        ("CONNECT evil.example:80 HTTP/1.1", "host: x\r\n", "400"),
    ] {
        let mut client = TcpStream::connect(served.address).await.unwrap();
        client.write_all(format!("{line}\r\n{hosts}connection: close\r\ncontent-length: 5\r\n\r\nhello").as_bytes()).await.unwrap();
        let told = all(&mut client).await;
        assert_eq!(told.get(9..12), Some(status), "{line} {hosts}: {told}");
    }
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
