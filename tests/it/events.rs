//! Events over HTTP: no event is lost or doubled, however often a reader is cut off, and over a restart of the daemon.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::daemon::{Folder, until};

/// A stream of events: the ids that came, one after the other. The body is chunked; lines of its framing are no fields of events.
struct Stream {
    lines: BufReader<TcpStream>,
    head: String,
}

impl Stream {
    fn open(folder: &Folder, last: Option<&str>) -> Stream {
        let address = folder.address().replace("http://", "");
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let last = last.map_or_else(String::new, |id| format!("Last-Event-ID: {id}\r\n"));
        write!(stream, "GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n{last}\r\n").unwrap();
        let mut lines = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(lines.read_line(&mut head).unwrap() > 0, "{head}");
        }
        Stream { lines, head }
    }

    /// The next id, and whether an event came with it; `None` where the stream has ended.
    fn next(&mut self) -> Option<(String, bool)> {
        let (mut id, mut has_data) = (None, false);
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let line = line.trim_end();
            if let Some(text) = line.strip_prefix("id: ") {
                id = Some(text.to_owned());
            }
            has_data |= line.starts_with("data: ");
            if line.is_empty()
                && let Some(id) = id.take()
            {
                return Some((id, has_data));
            }
        }
    }
}

fn poll(folder: &Folder, query: &str) -> (u16, Value) {
    let answer = folder.get(&format!("/api/v1/events?{query}")).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), serde_json::from_str(body).unwrap())
}

fn ids(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap_or_else(|| panic!("{page}")).iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect()
}

fn down(folder: &Folder, no: usize) {
    let alert = format!(r#"[{{"labels":{{"alertname":"DeviceDown","instance":"host-{no}","severity":"critical"}}}}]"#);
    assert!(folder.post("/api/v2/alerts", &alert).unwrap().starts_with("HTTP/1.1 200"));
}

#[test]
fn no_event_is_lost_or_doubled_over_reconnects_and_a_restart() {
    let folder = Folder::new();
    let mut daemon = folder.start();
    let mut stream = Stream::open(&folder, None);
    assert!(stream.head.to_ascii_lowercase().contains("content-type: text/event-stream"), "{}", stream.head);
    let (first, _) = stream.next().expect("a stream begins with its cursor");
    let (mut last, mut seen) = (first.clone(), Vec::new());
    for no in 0..30 {
        down(&folder, no);
        if no == 12 {
            daemon.signal(Signal::TERM);
            assert_eq!(daemon.code_within(Duration::from_secs(8)), Some(0), "a stream does not hold up the end");
            daemon = folder.start();
            down(&folder, 1_000);
        }
        // Cut off in the middle of things, at another place each time.
        for _ in 0..no % 4 {
            match stream.next() {
                Some((id, has_data)) => {
                    last = id;
                    seen.extend(has_data.then(|| last.clone()));
                }
                None => break,
            }
        }
        if no % 3 == 0 || no == 12 {
            stream = Stream::open(&folder, Some(&last));
        }
    }
    let (_, settled) = poll(&folder, "");
    until("everything has been told", || {
        let end: u64 = settled["next"].as_str().unwrap().parse().unwrap();
        if let Some((id, has_data)) = stream.next() {
            last = id;
            seen.extend(has_data.then(|| last.clone()));
        } else {
            stream = Stream::open(&folder, Some(&last));
        }
        last.split('.').next().unwrap().parse::<u64>().unwrap() >= end
    });
    let (mut all, mut after) = (Vec::new(), first);
    loop {
        let (status, page) = poll(&folder, &format!("after={after}&limit=7&wait=0"));
        assert_eq!(status, 200, "{page}");
        all.extend(ids(&page));
        after = page["next"].as_str().unwrap().to_owned();
        if page["items"].as_array().unwrap().is_empty() {
            break;
        }
    }
    let seen_through = all.iter().position(|id| Some(id) == seen.last()).expect("what was streamed is also polled");
    assert_eq!(seen, all[..=seen_through], "each once, in order");
    assert!(seen.len() > 60, "an alert and an incident each at least: {}", seen.len());
}

#[test]
fn a_poll_waits_for_what_happens_and_says_where_to_go_on() {
    let folder = Folder::new();
    let _daemon = folder.start();
    let (_, begin) = poll(&folder, "");
    let after = begin["next"].as_str().unwrap().to_owned();
    let (_, none) = poll(&folder, &format!("after={after}&wait=0"));
    assert!(ids(&none).is_empty(), "{none}");
    let page = std::thread::scope(|scope| {
        let waits = scope.spawn(|| poll(&folder, &format!("after={after}&wait=20")).1);
        down(&folder, 1);
        waits.join().unwrap()
    });
    let opened = &page["items"].as_array().unwrap()[0];
    assert_eq!((&opened["kind"], &opened["what"]), (&Value::from("alert"), &Value::from("fires: DeviceDown")), "{page}");
    for (query, status) in [("after=999999", 410), ("after=x", 400), ("wait=56&after=1", 400), ("since=1", 400)] {
        assert_eq!(poll(&folder, query).0, status, "{query}");
    }
}
