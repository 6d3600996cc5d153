//! A body of each sender through the door that is meant for it, written after the senders' public descriptions: what it becomes, or why it is refused.

use std::fmt::Write;

use super::http_support::Doors;

/// A hook for each format, of the rules or built in.
fn hooks() -> String {
    let hook = |(name, format): &(&str, &str)| format!("[[webhook]]\nname = \"{name}\"\nformat = \"{format}\"\n");
    let own = ["building", "zabbix", "kuma", "cloudwatch", "azure", "icinga"].map(|name| (name, name));
    [("am", "alertmanager"), ("events", "cloudevents")].iter().chain(&own).map(hook).collect()
}

#[tokio::test]
async fn a_body_of_each_sender_becomes_its_alerts_or_is_refused_with_a_place() {
    let folder = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/bodies"));
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let doors = Doors::open_with(&hooks(), &read("formats.yaml")).await;
    let mut said = String::new();
    for line in read("doors").lines() {
        let (file, path) = line.split_once(' ').unwrap();
        let told = doors.post(path, &read(file)).await;
        writeln!(said, "{file} at {path}: {}", told.status).unwrap();
        if told.status >= 300 {
            writeln!(said, "    {}", told.json()["detail"].as_str().unwrap()).unwrap();
        }
    }
    let listed = doors.get("/api/v1/alerts?state=all&limit=100").await.json();
    let mut alerts: Vec<String> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|alert| {
            let fields = ["source", "name", "key", "severity", "state", "ci", "summary", "value"];
            fields.map(|field| alert[field].as_str().unwrap_or("-").to_owned()).join(" | ")
        })
        .collect();
    alerts.sort();
    insta::assert_snapshot!(format!("{said}\n{}", alerts.join("\n")));
}

/// Bodies that stand at a door which is not theirs are no fault of the daemon.
#[tokio::test]
async fn every_body_at_every_door_gets_an_answer_with_a_reason() {
    let folder = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/bodies"));
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let doors = Doors::open_with(&hooks(), &read("formats.yaml")).await;
    let listed = read("doors");
    let mut paths: Vec<&str> = listed.lines().map(|line| line.split_once(' ').unwrap().1).collect();
    paths.sort_unstable();
    paths.dedup();
    for line in listed.lines() {
        let body = read(line.split_once(' ').unwrap().0);
        for path in &paths {
            let told = doors.post(path, &body).await;
            assert!(matches!(told.status, 200..=299 | 400..=499), "{line} at {path}: {told:?}");
            assert!(told.status < 300 || told.body.len() > 20, "{line} at {path}: {told:?}");
        }
    }
}
