//! Who has no token opens connections and begins bodies: senders that have one are served all the same.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::http_support::{Doors, TOKENS};

const ALERT: &str = r#"[{"labels":{"alertname":"DiskFull","instance":"db-1"}}]"#;
const SENDER: [(&str, &str); 1] = [("authorization", "Bearer secret-of-source")];

/// A request with a body of which only the beginning comes.
async fn begun(doors: &Doors, path: &str, told: usize, sent: usize) -> TcpStream {
    let mut stream = TcpStream::connect(doors.address).await.unwrap();
    stream.write_all(format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {told}\r\n\r\n").as_bytes()).await.unwrap();
    stream.write_all(&vec![b' '; sent]).await.unwrap();
    stream
}

async fn status(stream: &mut TcpStream) -> String {
    let mut told = [0; 12];
    stream.read_exact(&mut told).await.unwrap();
    String::from_utf8_lossy(&told[9..]).into_owned()
}

#[tokio::test]
async fn bodies_that_are_only_told_of_shut_no_sender_out() {
    let doors = Doors::open(&format!("{TOKENS}[limits]\nbody_mib = 1\nin_flight_mib = 1\n")).await;
    let mut strangers = Vec::new();
    for _ in 0..20 {
        strangers.push(begun(&doors, "/v2/enqueue", 100_000, 1).await);
        assert_eq!(doors.send("POST", "/api/v2/alerts", &SENDER, ALERT).await.status, 200);
    }
    // Nor do they shut each other out, because only what has arrived is charged: an event whose key is known is taken, large as it is.
    let event = json!({"routing_key": "secret-of-source", "event_action": "trigger", "dedup_key": "k",
                       "payload": {"summary": "full", "source": "db-1", "severity": "critical"}});
    assert_eq!(doors.post("/v2/enqueue", &format!("{event}{}", " ".repeat(60_000))).await.status, 202);
}

#[tokio::test]
async fn what_strangers_send_is_charged_to_strangers() {
    let doors = Doors::open(&format!("{TOKENS}[limits]\nbody_mib = 1\nin_flight_mib = 1\n")).await;
    // An eighth of a MiB is theirs: the third goes beyond it, whatever it told.
    let _first = begun(&doors, "/v2/enqueue", 524_288, 50_000).await;
    let _second = begun(&doors, "/v2/enqueue", 524_288, 50_000).await;
    let mut third = begun(&doors, "/v2/enqueue", 524_288, 50_000).await;
    assert_eq!(status(&mut third).await, "503");
    assert_eq!(doors.send("POST", "/api/v2/alerts", &SENDER, ALERT).await.status, 200);
}

#[tokio::test]
async fn bodies_of_strangers_give_way_to_new_connections() {
    let doors = Doors::open(&format!("{TOKENS}[limits]\nconnections = 8\n")).await;
    let mut strangers = Vec::new();
    for _ in 0..30 {
        strangers.push(begun(&doors, "/v2/enqueue", 1_000, 1).await);
    }
    assert_eq!(doors.send("POST", "/api/v2/alerts", &SENDER, ALERT).await.status, 200);
    assert_eq!(doors.get("/-/ready").await.status, 200);
}
