//! amtool (Debian's) takes the daemon for an Alertmanager: alerts, silences, status.

use std::process::Command;

use serde_json::Value;
use watchkeeper_harness::daemon::{Daemon, Place, eventually};

#[test]
fn amtool_adds_and_queries_alerts_and_silences_them() {
    let place = Place::new(env!("CARGO_BIN_EXE_watchkeeper"), "");
    place.init();
    let daemon = place.start();
    amtool(&place, &["alert", "add", "alertname=FilesystemFull", "instance=db-1", "severity=error", "--annotation=summary=nearly full"]);
    amtool(&place, &["alert", "add", "alertname=HighLoad", "instance=db-2", "severity=warning"]);

    assert_eq!(names(&place, &["alert", "query"]), ["FilesystemFull", "HighLoad"]);
    assert_eq!(names(&place, &["alert", "query", "instance=~db-2|db-3"]), ["HighLoad"]);
    assert_eq!(names(&place, &["alert", "query", "FilesystemFull"]), ["FilesystemFull"]);
    assert_eq!(names(&place, &["alert", "query", "alertname!=HighLoad", "severity=warning"]), [""; 0]);

    let id = amtool(&place, &["silence", "add", "alertname=FilesystemFull", "--duration=1h", "--author=anna", "--comment=OPS-311"]);
    let id = id.trim();
    let silences = json(&amtool(&place, &["silence", "query", "-o", "json"]));
    assert_eq!(silences.as_array().unwrap().len(), 1);
    assert_eq!(silences[0]["id"], id);
    assert_eq!(silences[0]["createdBy"], "anna");
    assert_eq!(silences[0]["comment"], "OPS-311");
    assert_eq!(silences[0]["status"]["state"], "active");
    eventually("the silenced alert is no longer listed", || is(names(&place, &["alert", "query"]), &["HighLoad"]));
    let silenced = json(&amtool(&place, &["alert", "query", "--silenced", "-o", "json"]));
    assert_eq!(silenced[0]["labels"]["alertname"], "FilesystemFull", "{silenced:#}");
    assert_eq!(silenced[0]["status"]["state"], "suppressed");
    assert_eq!(silenced[0]["status"]["silencedBy"][0], id);
    assert_eq!(muted(&daemon), ["FilesystemFull"]);

    amtool(&place, &["silence", "expire", id]);
    eventually("what was silenced is listed again", || is(names(&place, &["alert", "query"]), &["FilesystemFull", "HighLoad"]));
    assert_eq!(json(&amtool(&place, &["silence", "query", "-o", "json"])).as_array().unwrap().len(), 0);
    let expired = json(&amtool(&place, &["silence", "query", "--expired", "-o", "json"]));
    assert_eq!(expired[0]["status"]["state"], "expired");

    assert!(amtool(&place, &["cluster", "show"]).to_lowercase().contains("status"));
}

fn amtool(place: &Place, arguments: &[&str]) -> String {
    let url = format!("--alertmanager.url=http://{}", place.address());
    let mut command = Command::new("amtool");
    // A configuration of the user must not play a part.
    command.args([&url, "--timeout=20s"]).args(arguments).env("HOME", place.path(""));
    let done = command.output().unwrap_or_else(|error| panic!("amtool: {error}. `tests/setup test` installs it"));
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "amtool {arguments:?}: {out}{err}");
    out.into_owned()
}

fn names(place: &Place, arguments: &[&str]) -> Vec<String> {
    let listed = json(&amtool(place, &[arguments, &["-o", "json"]].concat()));
    let mut names: Vec<String> =
        listed.as_array().unwrap().iter().map(|alert| alert["labels"]["alertname"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

/// What the daemon's own API shows as suppressed.
fn muted(daemon: &Daemon) -> Vec<String> {
    daemon.list("/api/v1/alerts", "?state=suppressed").iter().map(|alert| alert["name"].as_str().unwrap().to_owned()).collect()
}

fn is(found: Vec<String>, wanted: &[&str]) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("{found:?}")) }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}
