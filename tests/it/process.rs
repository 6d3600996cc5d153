//! The binary as an operator runs it: started, spoken to over HTTP, killed without warning, started again.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const BINARY: &str = env!("CARGO_BIN_EXE_watchkeeper");

/// A daemon in a folder of its own; killed when it goes out of scope.
struct Daemon {
    child: Child,
    port: u16,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn write_files(dir: &Path, port: u16) {
    let config = format!(
        "[server]\nlisten = \"127.0.0.1:{port}\"\n[mail]\nfrom = \"Watchkeeper <watch@example.org>\"\nto = [\"ops@example.org\"]\ntransport = \"file\"\n"
    );
    std::fs::write(dir.join("daemon.toml"), config).unwrap();
    std::fs::create_dir_all(dir.join("rules")).unwrap();
    let rules = "correlate:\n  - {name: down, when: alert.name.endsWith(\"Down\"), means: down, group_wait: 0s}\n";
    std::fs::write(dir.join("rules/rules.yaml"), rules).unwrap();
    std::fs::create_dir_all(dir.join("cmdb")).unwrap();
    let cmdb = "teams: [{id: net, mail: [net@example.org]}]\nitems: [{id: sw-1, class: switch, owner: net, criticality: high}]\n";
    std::fs::write(dir.join("cmdb/items.yaml"), cmdb).unwrap();
}

fn start(dir: &Path, port: u16) -> Daemon {
    let child = Command::new(BINARY)
        .args(["run", "--init", "--config"])
        .arg(dir.join("daemon.toml"))
        .current_dir(dir)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let daemon = Daemon { child, port };
    until("the daemon is ready", || get(&daemon, "/-/ready").is_some_and(|answer| answer.starts_with("HTTP/1.1 200")));
    daemon
}

/// Waits for what another process does; a bound, not a pace: it looks again as fast as it can be answered.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < end, "waited a minute and {what} did not come true");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

fn ask(daemon: &Daemon, request: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", daemon.port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

fn get(daemon: &Daemon, path: &str) -> Option<String> {
    ask(daemon, &format!("GET {path} HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\n\r\n", daemon.port))
}

fn post(daemon: &Daemon, path: &str, body: &str) -> Option<String> {
    let head =
        format!("POST {path} HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\nContent-Type: application/json\r\n", daemon.port);
    ask(daemon, &format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()))
}

fn mails(dir: &Path) -> usize {
    std::fs::read_dir(dir.join("outbox")).map_or(0, |entries| {
        entries.filter(|entry| entry.as_ref().is_ok_and(|entry| entry.path().extension().is_some_and(|end| end == "eml"))).count()
    })
}

#[test]
fn an_answered_alert_is_an_incident_and_a_mail_and_outlives_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    write_files(dir.path(), port);
    let daemon = start(dir.path(), port);
    let body = r#"[{"labels":{"alertname":"DeviceDown","instance":"sw-1","severity":"critical"},"annotations":{"summary":"no answer"}}]"#;
    let answer = post(&daemon, "/api/v2/alerts", body).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    until("one mail is there", || mails(dir.path()) == 1);
    drop(daemon);

    let daemon = start(dir.path(), port);
    let incidents = get(&daemon, "/api/v1/incidents?state=open").unwrap();
    assert_eq!(incidents.matches("\"INC0000001\"").count(), 1, "{incidents}");
    assert!(incidents.contains("sw-1") && !incidents.contains("INC0000002"), "{incidents}");
    let alerts = get(&daemon, "/api/v2/alerts").unwrap();
    assert_eq!(alerts.matches("\"alertname\":\"DeviceDown\"").count(), 1, "{alerts}");
    assert_eq!(mails(dir.path()), 1, "a restart sends nothing twice that had left");
}

#[test]
fn a_second_daemon_on_one_store_ends_with_75() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    write_files(dir.path(), port);
    let _daemon = start(dir.path(), port);
    let second = Command::new(BINARY).args(["run", "--config"]).arg(dir.path().join("daemon.toml")).output().unwrap();
    assert_eq!(second.status.code(), Some(75), "{}", String::from_utf8_lossy(&second.stderr));
}

#[test]
fn a_start_without_a_store_names_the_command() {
    let dir = tempfile::tempdir().unwrap();
    write_files(dir.path(), free_port());
    let run = Command::new(BINARY).args(["run", "--config"]).arg(dir.path().join("daemon.toml")).output().unwrap();
    assert_eq!(run.status.code(), Some(74));
    assert!(String::from_utf8_lossy(&run.stderr).contains("watchkeeper init"));
}

#[test]
fn a_start_with_faulty_rules_runs_on_the_last_good_ones() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    write_files(dir.path(), port);
    drop(start(dir.path(), port));
    std::fs::write(dir.path().join("rules/rules.yaml"), "correlate:\n  - {name: down, when: alert.nam").unwrap();
    let daemon = start(dir.path(), port);
    let parts = get(&daemon, "/-/ready?verbose").unwrap();
    assert!(parts.contains("stays in force"), "{parts}");
}
