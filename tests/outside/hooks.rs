//! Hooks against a receiver that verifies them with the library of Standard Webhooks: what arrives is signed, what waits comes after a kill, a wrong key is told.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use watchkeeper_harness::daemon::{Daemon, Place, eventually};

const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER_KEY: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
/// What must be seen nowhere.
const SECRETS: [&str; 3] = ["b0-secret-of-the-path", "s3cret-of-the-bearer", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"];
const RULES: &str = "\
correlate:
  - {name: down, matchers: ['alertname=\"HostDown\"'], means: down, group_by: [ci], group_wait: 0s}
notify:
  - {name: chat, to: ['hook:chat']}
";

/// The receiver in the virtual environment of the tests.
struct Receiver {
    child: Child,
    port: u16,
}

impl Receiver {
    fn start(place: &Place, key: &str) -> Receiver {
        let python = Path::new(env!("CARGO_BIN_EXE_watchkeeper")).ancestors().nth(2).unwrap().join("mail-server/bin/python");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/outside/hooks/server.py");
        let mut command = Command::new(&python);
        command.arg(script).arg(place.path("")).arg(key).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}. `tests/setup test` makes it", python.display()));
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Receiver { child, port: line.trim().parse().unwrap_or_else(|_| panic!("the receiver did not start: {line}")) }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn place() -> Place {
    let place = Place::new(env!("CARGO_BIN_EXE_watchkeeper"), "");
    place.write("rules/rules.yaml", RULES);
    place.write("hook.key", KEY);
    place.write("hook.token", SECRETS[1]);
    place
}

fn configure(place: &Place, receiver: &Receiver) {
    place.write("hook.url", &format!("http://127.0.0.1:{}/services/{}", receiver.port, SECRETS[0]));
    let out = "[[out]]\nname = \"chat\"\nurl_file = \"hook.url\"\nsecret_file = \"hook.key\"\ntoken_file = \"hook.token\"\nallow_private = true\n";
    place.configure(watchkeeper_harness::daemon::FILES, out);
}

/// What the receiver answers from now on.
fn answer(place: &Place, status: u16, headers: &Value) {
    place.write("answer.new", &json!([status, headers]).to_string());
    fs::rename(place.path("answer.new"), place.path("answer")).unwrap();
}

fn requests(place: &Place) -> Vec<Value> {
    let text = fs::read_to_string(place.path("requests")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn fire(daemon: &Daemon, host: &str) {
    let alert = json!([{"labels": {"alertname": "HostDown", "instance": host, "severity": "critical"}}]);
    assert!(daemon.post("/api/v2/alerts", &alert).is_success());
}

/// Waits until a message is so.
fn message(daemon: &Daemon, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    eventually(what, || {
        let outbox = daemon.list("/api/v1/outbox", "?to=hook:chat");
        let seen = format!("{outbox:?}\n{}", daemon.log_tail());
        outbox.into_iter().find(&is_so).ok_or(seen)
    })
}

#[test]
fn what_arrives_is_signed_and_what_waits_comes_after_a_kill_under_the_same_id() {
    let place = place();
    answer(&place, 429, &json!({"Retry-After": "20"}));
    let receiver = Receiver::start(&place, KEY);
    configure(&place, &receiver);
    place.init();
    let mut daemon = place.start();
    fire(&daemon, "host-1");
    let waits = message(&daemon, "the message waits", |message| message["attempts"] == 1);
    let error = waits["last_error"].as_str().unwrap();
    assert!(error.starts_with("it answers 429: refused: "), "{waits}");
    let said = daemon.get("/-/ready?verbose").text();
    assert!(said.contains("not  hooks: chat: it answers 429"), "{said}");
    let metrics = daemon.get("/metrics").text();
    assert!(metrics.contains("watchkeeper_outbox_lane_tries_total{lane=\"hook:chat\",outcome=\"failed\"} 1\n"), "{metrics}");

    daemon.kill();
    answer(&place, 204, &json!({}));
    let daemon = place.start();
    message(&daemon, "the message is delivered", |message| message["state"] == "delivered");
    let heard = requests(&place);
    assert!(heard.iter().all(|request| request["verified"] == true), "{heard:#?}");
    assert_eq!(heard.len(), 2, "{heard:#?}");
    assert_eq!((&heard[0]["id"], &heard[0]["body"]), (&heard[1]["id"], &heard[1]["body"]), "a receiver knows the second copy");
    let at = |no: usize| heard[no]["at"].as_str().unwrap().parse::<i64>().unwrap();
    assert!(at(1) >= at(0) + 19, "Retry-After is kept: {heard:#?}");
    assert_eq!((&heard[1]["body"]["reason"], &heard[1]["body"]["ci"]), (&json!("opened"), &json!("host-1")));
    let metrics = daemon.get("/metrics").text();
    assert!(metrics.contains("watchkeeper_outbox_lane_tries_total{lane=\"hook:chat\",outcome=\"done\"} 1\n"), "{metrics}");
    assert!(metrics.contains("watchkeeper_outbox_lane_messages{lane=\"hook:chat\"} 0\n"), "{metrics}");
    let said = daemon.get("/-/ready?verbose").text();
    assert!(said.contains("ok   hooks: "), "{said}");

    // A key that is not the receiver's: 401 is for good, and says so.
    place.write("hook.key", OTHER_KEY);
    assert!(daemon.stop().success());
    let daemon = place.start();
    fire(&daemon, "host-2");
    let dead = message(&daemon, "the message is dead", |message| message["state"] == "dead");
    assert!(dead["last_error"].as_str().unwrap().starts_with("it answers 401"), "{dead}");
    assert_eq!(requests(&place).last().unwrap()["verified"], "No matching signature found");
    let doctor = place.run(&["--config", "daemon.toml", "doctor", "mail"]);
    let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(said.contains(&format!("hook chat: 127.0.0.1:{} listens", receiver.port)), "{said}");

    let listed = place.run(&["--config", "daemon.toml", "mail", "list"]);
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains("hook:chat") && listed.contains("it answers 401: refused: /…/… Bearer …"), "{listed}");
    let id = dead["id"].as_str().unwrap();
    let log = fs::read_to_string(place.path("daemon.log")).unwrap();
    let shown = daemon.get(&format!("/api/v1/outbox/{id}")).text();
    for secret in SECRETS {
        for (place, text) in [("log", &log), ("outbox", &shown), ("list", &listed), ("doctor", &said), ("metrics", &metrics)] {
            assert!(!text.contains(secret), "{secret} in {place}: {text}");
        }
    }
}
