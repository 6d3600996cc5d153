//! A daemon that was down for an hour, by a clock that is set for it alone (libfaketime): nothing was heard meanwhile, and that is no "resolved".

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use watchkeeper_harness::daemon::{Daemon, Place, eventually};
use watchkeeper_harness::mailbox::mails;

const RULES: &str = "\
correlate:
  - name: hosts
    matchers: [alertname=\"HostDown\"]
    group_wait: 0s
    resolve_after: 1s
";

const HOSTS: usize = 20;

#[test]
fn after_an_hour_down_nothing_is_resolved_until_its_sender_had_time_to_speak_again() {
    let mut place = Place::new(env!("CARGO_BIN_EXE_watchkeeper"), "");
    place.write("rules/hosts.yaml", RULES);
    place.init();
    let mut daemon = place.start();
    assert!(daemon.post("/api/v2/alerts", &hosts(0..HOSTS)).is_success());
    eventually("every host is told of", || {
        let sent = mails(&place.path("outbox")).len();
        if sent == HOSTS { Ok(()) } else { Err(format!("{sent} mails")) }
    });
    daemon.kill();

    // Every alert said nothing about its end, so each would have cleared five minutes after it was heard.
    place.set_environment("LD_PRELOAD", libfaketime().to_str().unwrap());
    place.set_environment("FAKETIME_TIMESTAMP_FILE", place.path("clock").to_str().unwrap());
    place.set_environment("FAKETIME_NO_CACHE", "1");
    place.set_environment("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    set_clock(&place, 60);
    let daemon = place.start();
    assert!(hour_has_passed(&daemon), "libfaketime does not reach the daemon's clock");
    assert_eq!(states(&daemon, "/api/v1/alerts", "cleared"), 0);
    assert_eq!(states(&daemon, "/api/v1/incidents", "resolved"), 0);

    set_clock(&place, 64);
    assert!(daemon.post("/api/v2/alerts", &hosts(0..HOSTS / 2)).is_success());
    assert_eq!(states(&daemon, "/api/v1/incidents", "resolved"), 0);
    assert!(mails(&place.path("outbox")).iter().all(|mail| mail.reason() == "opened"), "a restart is no news");

    // The rest had one resolve timeout since the start, and is believed to be over; what was heard again still fires.
    set_clock(&place, 66);
    eventually("what nobody repeated is resolved", || {
        let resolved = states(&daemon, "/api/v1/incidents", "resolved");
        if resolved == HOSTS / 2 { Ok(()) } else { Err(format!("{resolved} incidents\n{}", daemon.log_tail())) }
    });
    let open = daemon.list("/api/v1/incidents", "?state=open");
    let mut open: Vec<&str> = open.iter().map(|incident| incident["ci"].as_str().unwrap()).collect();
    open.sort_unstable();
    assert_eq!(open, (0..HOSTS / 2).map(name).collect::<Vec<_>>());
}

fn hosts(range: std::ops::Range<usize>) -> Value {
    range.map(|host| json!({"labels": {"alertname": "HostDown", "instance": name(host), "severity": "critical"}})).collect()
}

fn name(host: usize) -> String {
    format!("host-{host:02}")
}

fn states(daemon: &Daemon, list: &str, state: &str) -> usize {
    daemon.list(list, &format!("?state={state}")).len()
}

/// Whether the daemon's own clock stands an hour later than this process's.
fn hour_has_passed(daemon: &Daemon) -> bool {
    let status = daemon.get("/api/v2/status").json();
    let started: jiff::Timestamp = status["uptime"].as_str().unwrap().parse().unwrap();
    started.duration_since(jiff::Timestamp::now()) > jiff::SignedDuration::from_mins(50)
}

/// Sets the daemon's clock so many minutes ahead of the machine's.
fn set_clock(place: &Place, minutes: u32) {
    let beside = place.path("clock.next");
    fs::write(&beside, format!("+{minutes}m\n")).unwrap();
    fs::rename(&beside, place.path("clock")).unwrap();
}

fn libfaketime() -> PathBuf {
    let found =
        fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path().join("faketime/libfaketime.so.1")).find(|path| path.exists());
    found.expect("libfaketime is installed (tests/setup test installs it)")
}
