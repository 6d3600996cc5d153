//! `/api/v1/events`: how many may read at once, and the end of one that does not read.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use watchkeeper::ingest::http::WRITE_TIMEOUT;

use super::http_support::Doors;

/// Readers that may be there at once.
const READERS: usize = 64;

/// Bytes that the kernel keeps for a reader: as few as it takes.
const RECEIVED_BYTES: u32 = 4_096;

/// A stream of events that has begun; from a cursor on, or from now.
async fn stream(doors: &Doors, after: Option<&str>) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(RECEIVED_BYTES).unwrap();
    let mut stream = socket.connect(doors.address).await.unwrap();
    let after = after.map_or_else(String::new, |after| format!("last-event-id: {after}\r\n"));
    let request = format!("GET /api/v1/events HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n{after}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut begun = Vec::new();
    while !begun.ends_with(b"\n\n") && !String::from_utf8_lossy(&begun).contains("retry: 1000") {
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).await.unwrap(), 1, "{}", String::from_utf8_lossy(&begun));
        begun.push(byte[0]);
    }
    assert!(begun.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&begun));
    stream
}

async fn poll(doors: &Doors) -> u16 {
    doors.get("/api/v1/events?wait=0").await.status
}

#[tokio::test]
async fn sixty_four_read_at_once_and_one_more_is_told_to_come_again() {
    let doors = Doors::open("").await;
    let mut readers = Vec::new();
    for _ in 0..READERS {
        readers.push(stream(&doors, None).await);
    }
    let told = doors.get("/api/v1/events?wait=0").await;
    assert_eq!(told.status, 503, "{told:?}");
    assert!(told.header("retry-after").is_some(), "{told:?}");
    assert_eq!(doors.get("/api/v1/incidents").await.status, 200, "whoever asks for something else is answered");
    drop(readers.pop());
    while poll(&doors).await != 200 {
        tokio::task::yield_now().await;
    }
    let _in_its_place = stream(&doors, None).await;
    assert_eq!(poll(&doors).await, 503);
}

#[tokio::test]
async fn a_reader_that_does_not_read_is_disconnected_and_gives_its_place_back() {
    let doors = Doors::open("").await;
    let begin = doors.get("/api/v1/events?wait=0").await.json()["next"].as_str().unwrap().to_owned();
    // More than the kernel keeps on both sides.
    let name = "N".repeat(500);
    for batch in 0..8 {
        let alert =
            |no: usize| json!({"labels": {"alertname": name, "instance": format!("host-{batch}-{no}")}, "endsAt": "2028-01-01T00:00:00Z"});
        let alerts: Vec<_> = (0..500).map(alert).collect();
        assert_eq!(doors.post("/api/v2/alerts", &json!(alerts).to_string()).await.status, 200);
    }
    let mut others = Vec::new();
    for _ in 0..READERS - 1 {
        others.push(stream(&doors, None).await);
    }
    let slow = stream(&doors, Some(&begin)).await;
    assert_eq!(poll(&doors).await, 503, "every place is taken");
    let step = WRITE_TIMEOUT / 6;
    let mut waited = Duration::ZERO;
    while poll(&doors).await != 200 {
        assert!(waited < WRITE_TIMEOUT * 3, "it is still there");
        tokio::time::pause();
        tokio::time::advance(step).await;
        tokio::time::resume();
        waited += step;
    }
    assert!(waited >= WRITE_TIMEOUT, "{waited:?} is no time");
    // What the kernel kept is still to be read, and then nothing.
    let (mut slow, mut bytes) = (slow, Vec::new());
    drop(tokio::time::timeout(Duration::from_secs(20), slow.read_to_end(&mut bytes)).await.expect("the stream has ended"));
    assert!(!bytes.is_empty());
}
