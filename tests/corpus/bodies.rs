//! Bodies of webhooks that others recorded: each is understood, or refused with a place and a reason.

use std::path::{Path, PathBuf};

use watchkeeper::ingest::senders::{Door, alertmanager_api, alertmanager_webhook};
use watchkeeper_engine::ids::Realm;
use watchkeeper_engine::policy::priorities::Severities;

use super::folder;
use super::http_support::{Doors, HOOKS};

#[test]
fn every_body_that_others_recorded_is_understood_or_refused_with_a_reason() {
    let mut files = Vec::new();
    json_files(&folder().join("webhooks"), &mut files);
    assert!(files.len() > 40, "the corpus holds {} bodies", files.len());
    let severities = Severities::default();
    let door = Door { source: "prom", realm: &Realm::MAIN, severities: &severities };
    let mut taken = Vec::new();
    for file in files {
        let body = std::fs::read(&file).unwrap();
        for parsed in [alertmanager_api::parse(&door, &body), alertmanager_webhook::parse(&door, &body)] {
            match parsed {
                Ok(parsed) => {
                    let mut faults = parsed.iter().filter_map(|member| member.said.as_ref().err());
                    assert!(faults.all(|fault| fault.place.starts_with("alerts[") && !fault.expected.is_empty()), "{}", file.display());
                    let some = parsed.iter().any(|member| member.said.is_ok());
                    taken.extend(some.then(|| file.file_name().unwrap().to_string_lossy().into_owned()));
                }
                Err(fault) => assert!(!fault.place.is_empty() && !fault.expected.is_empty(), "{}", file.display()),
            }
        }
    }
    for known in
        ["alerta_prometheus_v3_alert.json", "alerta_prometheus_v4_alert.json", "goalert_alertmanager_0.json", "oncall_alertmanager.json"]
    {
        assert!(taken.iter().any(|name| name == known), "{known} is a group of alerts; taken were {taken:?}");
    }
}

#[tokio::test]
async fn every_body_that_others_recorded_gets_an_answer_with_a_reason() {
    let doors = Doors::open(HOOKS).await;
    let mut files = Vec::new();
    json_files(&folder().join("webhooks"), &mut files);
    for file in files {
        let body = std::fs::read_to_string(&file).unwrap();
        for path in ["/hooks/grafana", "/hooks/building", "/api/v2/alerts"] {
            let told = doors.post(path, &body).await;
            assert!(matches!(told.status, 200..=299 | 400..=499), "{} at {path}: {told:?}", file.display());
            assert!(told.status < 300 || told.body.len() > 20, "{} at {path}: {told:?}", file.display());
        }
    }
}

#[tokio::test]
async fn every_event_of_the_specification_is_read_or_refused_with_its_place() {
    let doors = Doors::open("[[webhook]]\nname = \"events\"\nformat = \"cloudevents\"\n").await;
    let mut read = 0;
    for entry in std::fs::read_dir(folder().join("webhooks/cloudevents")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.starts_with("formats_") && !name.starts_with("spec_") {
            continue;
        }
        let body = std::fs::read_to_string(&path).unwrap();
        let told = doors.send("POST", "/hooks/events", &[("content-type", "application/cloudevents+json")], &body).await;
        // The two whose data are no base64 or no JSON are refused; a batch keeps its good member.
        let expected = if name.ends_with("_0.json") && name.starts_with("formats_") || name.ends_with("_12.json") { 400 } else { 202 };
        assert_eq!(told.status, expected, "{name}: {told:?}");
        read += 1;
    }
    assert_eq!(read, 8);
    let listed = doors.get("/api/v1/alerts?state=all").await.json();
    assert!(listed["items"].as_array().unwrap().iter().any(|alert| alert["name"] == "com.github.pull_request.opened"), "{listed:#?}");
}

fn json_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            json_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            found.push(path);
        }
    }
}
