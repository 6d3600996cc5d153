//! The binary as an operator runs it: started, spoken to over HTTP, killed without warning, stopped, refused.

use rustix::process::Signal;
use sha2::{Digest as _, Sha256};
use watchkeeper_engine::ids::IncidentId;
use watchkeeper_engine::input::AlertInput;
use watchkeeper_engine::model::incident::Incident;
use watchkeeper_engine::state::rows::{Row, decode, encode};
use watchkeeper_engine::text::Labels;
use watchkeeper_engine::time::Time;
use watchkeeper_store::{Options, RowChange, Store, Suspect, SuspectInput, Table};

use crate::daemon::{Folder, until};

const DOWN: &str =
    r#"[{"labels":{"alertname":"DeviceDown","instance":"sw-1","severity":"critical"},"annotations":{"summary":"no answer"}}]"#;

#[test]
fn an_answered_alert_is_an_incident_and_a_mail_and_outlives_a_kill() {
    let folder = Folder::new();
    let daemon = folder.start();
    let answer = folder.post("/api/v2/alerts", DOWN).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    until("one mail is there", || folder.mails() == 1);
    drop(daemon);

    let _daemon = folder.start();
    let incidents = folder.get("/api/v1/incidents?state=open").unwrap();
    assert_eq!(incidents.matches("\"INC0000001\"").count(), 1, "{incidents}");
    assert!(incidents.contains("sw-1") && !incidents.contains("INC0000002"), "{incidents}");
    let alerts = folder.get("/api/v2/alerts").unwrap();
    assert_eq!(alerts.matches("\"alertname\":\"DeviceDown\"").count(), 1, "{alerts}");
    assert_eq!(folder.mails(), 1, "a restart sends nothing twice that had left");
}

#[test]
fn a_signal_ends_it_with_0_and_everything_is_on_disk() {
    let folder = Folder::new();
    for signal in [Signal::TERM, Signal::INT] {
        let daemon = folder.start();
        folder.post("/api/v2/alerts", DOWN).unwrap();
        daemon.signal(signal);
        assert_eq!(daemon.code(), Some(0));
        assert!(!folder.path("data/socket").exists() && !folder.path("data/pid").exists());
        assert!(folder.path("data/store.json").exists());
    }
}

#[test]
fn a_second_daemon_on_one_store_ends_with_75_and_names_the_first() {
    let folder = Folder::new();
    let daemon = folder.start();
    let second = folder.cli(&["run"]);
    assert_eq!(second.code(), 75, "{}", second.err());
    assert!(second.err().contains(&format!("process {}", daemon.pid())), "{}", second.err());
    assert!(folder.get("/-/ready").unwrap().starts_with("HTTP/1.1 200"), "the first is not disturbed");
}

#[test]
fn a_store_that_is_missing_lost_empty_or_cut_is_refused_with_the_command_that_helps() {
    let folder = Folder::new();
    let refused = |what: &str, command: &str| {
        let run = folder.cli(&["run"]);
        assert_eq!(run.code(), 74, "{what}: {}", run.err());
        assert!(run.err().contains(command), "{what}: {}", run.err());
    };
    refused("missing", "watchkeeper init");
    assert!(folder.cli(&["init"]).well().contains("is ready"));
    assert_eq!(folder.cli(&["init"]).code(), 74, "there is one already");
    let store = folder.path("data/store.redb");
    let bytes = std::fs::read(&store).unwrap();
    std::fs::write(&store, &bytes[..bytes.len() / 2]).unwrap();
    refused("cut", "watchkeeper restore");
    std::fs::write(&store, b"").unwrap();
    refused("empty", "watchkeeper restore");
    std::fs::remove_file(&store).unwrap();
    refused("lost", "store.json");
    std::fs::write(&store, &bytes).unwrap();
    drop(folder.start());
}

#[test]
fn a_store_that_is_replaced_under_the_running_daemon_ends_it_before_anything_is_answered() {
    let folder = Folder::new();
    let daemon = folder.start();
    let store = folder.path("data/store.redb");
    let bytes = std::fs::read(&store).unwrap();
    std::fs::remove_file(&store).unwrap();
    std::fs::write(&store, bytes).unwrap();
    let answer = folder.post("/api/v2/alerts", DOWN).unwrap_or_default();
    assert!(!answer.starts_with("HTTP/1.1 2"), "it was taken into a file that nobody finds again: {answer}");
    assert_eq!(daemon.code(), Some(74));
}

#[test]
fn the_folder_of_the_store_and_its_socket_belong_to_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    let _daemon = folder.start();
    let mode = |name: &str| std::fs::metadata(folder.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("data"), mode("data/socket")), (0o700, 0o600));
}

#[test]
fn a_faulty_configuration_ends_it_with_78_and_all_faults() {
    let folder = Folder::new();
    folder.write("daemon.toml", "[server]\nlisen = \"127.0.0.1:0\"\n[mail]\nfrom = 5\n[log]\nlevel = \"loud\"\n");
    let run = folder.cli(&["run"]);
    assert_eq!(run.code(), 78);
    for place in ["daemon.toml:2:1", "daemon.toml:4:8", "daemon.toml:6:9"] {
        assert!(run.err().contains(place), "{place}: {}", run.err());
    }
}

#[test]
fn an_address_that_is_taken_ends_it_with_78() {
    let folder = Folder::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    folder.write("daemon.toml", &format!("[server]\nlisten = \"{address}\"\n"));
    let run = folder.cli(&["run", "--init"]);
    assert_eq!(run.code(), 78, "{}", run.err());
    assert!(run.err().contains(&format!("cannot listen on {address}")), "{}", run.err());
}

#[test]
fn an_input_that_stopped_the_daemon_twice_is_set_aside_and_the_rest_of_its_request_is_taken() {
    let folder = Folder::new();
    let poison = AlertInput {
        labels: Labels::from([("alertname", "Poison")]),
        // Without a start it begins at its end, as Alertmanager has it.
        starts_at: Some(Time::parse_rfc3339("2100-01-01T00:00:00Z").unwrap()),
        ends_at: Some(Time::parse_rfc3339("2100-01-01T00:00:00Z").unwrap()),
        ..AlertInput::named("default", "Poison")
    };
    let digest = Sha256::digest(encode(&poison));
    let hash = format!("{:016x}", u64::from_be_bytes(digest[..8].try_into().unwrap()));
    folder.cli(&["init"]).well();
    let input = SuspectInput { hash, what: "alert Poison of default".to_owned(), times: 2 };
    let note = Suspect { after: 0, at: Time(0).rfc3339(), reason: "a broken invariant".to_owned(), inputs: vec![input] };
    note.write(&folder.path("data")).unwrap();

    let _daemon = folder.start();
    let harmless = r#"{"labels":{"alertname":"DeviceDown","instance":"sw-1"}}"#;
    let poisonous = r#"{"labels":{"alertname":"Poison"},"endsAt":"2100-01-01T00:00:00Z"}"#;
    let answer = folder.post("/api/v2/alerts", &format!("[{poisonous},{harmless}]")).unwrap();
    assert!(answer.contains("stopped the daemon twice; this one is kept as a dead letter"), "{answer}");
    let alerts = folder.cli(&["alert", "list"]).well();
    assert!(alerts.contains("DeviceDown") && alerts.contains("InputSetAside") && !alerts.contains("Poison"), "{alerts}");
}

#[test]
fn systemd_is_told_that_it_serves_lives_and_stops() {
    let folder = Folder::new();
    let path = folder.path("notify");
    let heard = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    heard.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    let next = || {
        let mut bytes = [0; 512];
        let length = heard.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    };
    let daemon = folder.start_with(&[("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "3000000")]);
    let mut words = Vec::new();
    // The writer comes round while the doors are still opened.
    while words.iter().filter(|word: &&String| word.contains("WATCHDOG=1")).count() < 3 {
        words.push(next());
    }
    assert_eq!(words.iter().filter(|word| word.contains("READY=1") && word.contains("serves on 127.0.0.1")).count(), 1, "{words:?}");
    daemon.signal(Signal::TERM);
    while !words.last().unwrap().contains("STOPPING=1") {
        words.push(next());
    }
    assert_eq!(daemon.code(), Some(0));
}

#[test]
fn a_timer_that_stopped_the_daemon_twice_is_set_aside_for_good_and_the_daemon_goes_on() {
    let folder = Folder::new();
    let daemon = folder.start();
    assert!(folder.post("/api/v2/alerts", DOWN).unwrap().starts_with("HTTP/1.1 200"));
    drop(daemon);
    spoil_incident(&folder);

    for start in ["the first finds it", "one alone suspects it", "one alone is sure of it"] {
        let run = folder.cli(&["run"]);
        assert_eq!(run.code(), 70, "{start}: {}", run.err());
    }
    let daemon = folder.start();
    until("the daemon says so", || folder.cli(&["alert", "list"]).well().contains("TimerSetAside"));
    let summary = folder.get("/api/v1/alerts").unwrap();
    assert!(summary.contains("the timer Notify(IncidentId(1)) stopped the daemon twice and was passed over"), "{summary}");
    drop(daemon);

    // Not only as long as the suspicion is remembered.
    std::fs::remove_file(folder.path("data/suspect.json")).unwrap();
    let daemon = folder.start();
    let other = DOWN.replace("sw-1", "elsewhere");
    assert!(folder.post("/api/v2/alerts", &other).unwrap().starts_with("HTTP/1.1 200"));
    until("others are told", || folder.get("/api/v1/incidents").unwrap().contains("elsewhere"));
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.code(), Some(0));
}

/// Makes the first mail of the first incident due, and its next change one too many for its counter: a panic, as a broken invariant is one.
fn spoil_incident(folder: &Folder) {
    let mut store = Store::open(&folder.path("data"), Time(0), Options::default()).unwrap();
    let (table, key) = Row::Incident(IncidentId(1)).place();
    let table = Table::of(table);
    let bytes = store.reader().snapshot().unwrap().get(table, &key).unwrap().unwrap();
    let incident: Incident = decode("incidents", &bytes).unwrap();
    let spoilt = Incident { version: u64::MAX, notify_at: Some(Time(1)), ..incident };
    store.put_rows(vec![RowChange { table, key, value: Some(encode(&spoilt)) }]).unwrap();
}

#[test]
fn a_stop_waits_for_nobody_where_topics_are_read_and_no_mail_is_on_its_way() {
    let folder = Folder::new();
    let config = std::fs::read_to_string(folder.path("daemon.toml")).unwrap();
    let topics = "[kafka]\nbrokers = \"127.0.0.1:1\"\n[[kafka.topic]]\nname = \"alerts\"\nformat = \"alertmanager\"\n";
    folder.write("daemon.toml", &format!("{config}{topics}"));
    let daemon = folder.start();
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.code(), Some(0));
    let log = folder.log();
    assert!(log.contains("The store was closed.") && !log.contains("A mail server is slow"), "{log}");
}
