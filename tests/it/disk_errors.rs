//! A disk that fails: the daemon says so, answers nobody with success, and ends with 74 at once, whatever else it waits for.
//!
//! The disk is a limit of the process on the size of its files: writes beyond it are errors, for everybody and on every machine.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use crate::daemon::{Folder, until};

/// The store opens, which writes its first page, and cannot commit.
const OPENS_ONLY: u64 = 64 * 1024;
/// A second, and another for a machine that is busy with other tests. Before the writer closed its lanes it took 5 to 13, or for ever.
const SOON: Duration = Duration::from_secs(2);
/// A start on a busy machine.
const START: Duration = Duration::from_secs(20);

const DOWN: &str = r#"[{"labels":{"alertname":"DeviceDown","instance":"sw-1","severity":"critical"}}]"#;

#[test]
fn a_disk_error_in_the_first_commit_of_a_start_ends_it_with_74() {
    let folder = Folder::new();
    folder.cli(&["init"]).well();
    let mut daemon = folder.start_limited(Some(OPENS_ONLY));
    assert_eq!(daemon.code_within(START), Some(74), "{}", folder.log());
    let log = folder.log();
    assert!(log.contains("The store was loaded."), "the error is in the first commit: {log}");
    assert!(log.contains("ERROR") && log.contains("The store failed"), "{log}");
    assert!(!log.contains("Serving."), "{log}");
}

#[test]
fn a_disk_error_ends_it_within_a_second_whatever_servers_and_clients_do() {
    let folder = Folder::new();
    // A mail server that takes connections and says nothing, and a broker that is not there.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = std::fs::read_to_string(folder.path("daemon.toml")).unwrap().replace("\"file\"", "\"smtp\"");
    config += &format!("[mail.smtp]\nhost = \"127.0.0.1\"\nport = {}\nsecurity = \"none\"\n", silent.local_addr().unwrap().port());
    config += "[kafka]\nbrokers = \"127.0.0.1:1\"\n[[kafka.topic]]\nname = \"alerts\"\nformat = \"alertmanager\"\n";
    folder.write("daemon.toml", &config);
    let mut daemon = folder.start_limited(None);
    until("the daemon is ready", || folder.get("/-/ready").is_some_and(|answer| answer.starts_with("HTTP/1.1 200")));
    assert!(folder.post("/api/v2/alerts", DOWN).unwrap().starts_with("HTTP/1.1 200"));
    let (mut mail, _) = silent.accept().unwrap();
    // A client whose body never ends, and one that keeps its connection.
    let address = folder.address().replace("http://", "");
    let mut slow = TcpStream::connect(&address).unwrap();
    slow.write_all(b"POST /api/v2/alerts HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n[").unwrap();
    let _idle = TcpStream::connect(&address).unwrap();

    daemon.fail_writes_beyond(OPENS_ONLY);
    let answer = folder.post("/api/v2/alerts", &DOWN.replace("sw-1", "db-1")).unwrap_or_default();
    assert!(!answer.starts_with("HTTP/1.1 2"), "what is not on disk is not acknowledged: {answer}");
    assert_eq!(daemon.code_within(SOON), Some(74), "{}", folder.log());
    let log = folder.log();
    let failed = log.lines().position(|line| line.contains("ERROR") && line.contains("The store failed")).expect("it says why");
    assert!(log.lines().skip(failed).any(|line| line.contains("Stopping.")), "the reason stands where it happened: {log}");
    assert_eq!(mail.read(&mut [0; 64]).unwrap(), 0, "the process is gone");
}

#[test]
fn after_a_disk_error_everything_that_was_acknowledged_is_there_again() {
    let folder = Folder::new();
    let mut daemon = folder.start_limited(None);
    until("the daemon is ready", || folder.get("/-/ready").is_some_and(|answer| answer.starts_with("HTTP/1.1 200")));
    assert!(folder.post("/api/v2/alerts", DOWN).unwrap().starts_with("HTTP/1.1 200"));
    daemon.fail_writes_beyond(OPENS_ONLY);
    let answer = folder.post("/api/v2/alerts", &DOWN.replace("sw-1", "db-1")).unwrap_or_default();
    assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
    assert_eq!(daemon.code_within(SOON), Some(74), "{}", folder.log());
    let _daemon = folder.start();
    let alerts = folder.get("/api/v2/alerts").unwrap();
    assert!(alerts.contains("sw-1") && !alerts.contains("db-1"), "{alerts}");
}
