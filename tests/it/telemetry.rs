//! What the daemon says of itself: exactly in metrics, within reason in the log, and never so that it waits for whoever reads the log.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::daemon::{Folder, until};

/// A request of alerts without a label that has a value: each is refused by the engine.
fn refused(alerts: usize) -> String {
    format!("[{}]", vec![r#"{"labels":{"alertname":"","severity":""}}"#; alerts].join(","))
}

fn metric(folder: &Folder, line: &str) -> Option<u64> {
    let all = folder.get("/metrics")?;
    all.lines().find_map(|have| have.strip_prefix(line)?.trim().parse().ok())
}

#[test]
fn a_sender_whose_alerts_are_all_refused_is_counted_exactly_and_said_in_a_few_lines() {
    let folder = Folder::new();
    let daemon = folder.start();
    for _ in 0..10 {
        assert!(folder.post("/api/v2/alerts", &refused(200)).unwrap().starts_with("HTTP/1.1 400"));
    }
    assert_eq!(metric(&folder, "watchkeeper_events_rejected_total{reason=\"alert\",source=\"default\"}"), Some(2_000));
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.code(), Some(0));
    let log = folder.log();
    assert_eq!(log.matches("Alert refused.").count(), 5, "{log}");
    assert!(log.contains("Further alerts were refused.") && log.contains("alerts=1995"), "{log}");
}

#[test]
fn a_reader_of_the_log_that_has_stopped_holds_up_nobody() {
    let folder = Folder::new();
    let config = std::fs::read_to_string(folder.path("daemon.toml")).unwrap();
    folder.write("daemon.toml", &format!("{config}[log]\nlevel = \"debug\"\n"));
    // A pipe of 64 KiB that nobody reads.
    let mut daemon = folder.start_to(Stdio::piped());
    until("the daemon is ready", || folder.get("/-/ready").is_some_and(|answer| answer.starts_with("HTTP/1.1 200")));
    let began = Instant::now();
    for request in 0..20 {
        let alert =
            |no: usize| format!(r#"{{"labels":{{"alertname":"DeviceDown","instance":"host-{request}-{no}","severity":"critical"}}}}"#);
        let body = format!("[{}]", (0..100).map(alert).collect::<Vec<_>>().join(","));
        assert!(folder.post("/api/v2/alerts", &body).unwrap_or_default().starts_with("HTTP/1.1 200"), "request {request}");
    }
    assert!(began.elapsed() < Duration::from_secs(30));
    assert_eq!(metric(&folder, "watchkeeper_events_accepted_total{source=\"default\"}"), Some(2_000));
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.code_within(Duration::from_secs(10)), Some(0), "nor does it hold up the end");
}
