//! What a store of version 0.1.0 holds is what it was to Alertmanager's clients: a repeat and a clear reach the alert that is there, and a silence mutes what it muted.
//!
//! The store was written by the release of commit d98593b: alerts without a name or a severity, one of them by a hook, and silences over the stand-ins for those.

use std::fs;

use serde_json::{Value, json};
use watchkeeper_engine::time::Span;
use watchkeeper_store::{Options, Store};

use super::http_support::{Doors, HOOKS, start};

const OLD: &[u8] = include_bytes!("../fixtures/db/d98593b-nameless.redb.zst");

async fn upgraded() -> Doors {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::write(Store::path(&data), zstd::decode_all(OLD).unwrap()).unwrap();
    let mut store = Store::open_or_init(&data, start(), Options::default()).unwrap();
    let migration = store.migration().unwrap().unwrap();
    store.migrate(&migration, u64::MAX).unwrap();
    drop(store);
    let doors = Doors::open_in(dir, HOOKS).await;
    // It was written at 22:19 of the day on which tests begin.
    doors.pass(Span::days(1)).await;
    doors
}

/// Says of an alert that it fires until `ends`.
async fn say(doors: &Doors, path: &str, labels: Value, ends: &str) {
    let told = doors.post(path, &json!([{"labels": labels, "endsAt": ends}]).to_string()).await;
    assert_eq!(told.status, 200, "{told:?}");
}

async fn items(doors: &Doors, path: &str) -> Vec<Value> {
    doors.get(path).await.json()["items"].as_array().unwrap().clone()
}

const ON: &str = "2099-01-01T00:00:00Z";
const OVER: &str = "2026-11-24T23:00:00Z";

#[tokio::test]
async fn a_repeat_and_a_clear_reach_the_alert_and_the_incident_of_an_old_store() {
    let doors = upgraded().await;
    let cases = [
        ("/api/v2/alerts", json!({"job": "node", "instance": "db-1"}), "ALR0000001", "INC0000001"),
        ("/api/v2/alerts", json!({"alertname": "Slow", "instance": "web-1"}), "ALR0000002", "INC0000002"),
        ("/hooks/grafana/api/v2/alerts", json!({"job": "hook", "instance": "db-3"}), "ALR0000004", "INC0000004"),
    ];
    for (path, labels, alert, incident) in &cases {
        let before = doors.get(&format!("/api/v1/alerts/{alert}")).await.json();
        assert_eq!((&before["labels"], &before["incident"], &before["state"]), (labels, &json!(incident), &json!("firing")));
        say(&doors, path, labels.clone(), ON).await;
        let after = doors.get(&format!("/api/v1/alerts/{alert}")).await.json();
        assert_eq!(after["count"].as_u64(), before["count"].as_u64().map(|count| count + 1), "{after:#}");
    }
    // The clock went on by a day while nothing was done: that is an alert of the daemon itself.
    let said = items(&doors, "/api/v1/alerts?source=default,prom,grafana").await;
    assert_eq!(said.len(), 4, "no repeat made another alert: {said:#?}");
    for (path, labels, alert, incident) in &cases {
        // Each source says itself that it is over: the old one of the hook is still believed.
        say(&doors, "/api/v2/alerts", labels.clone(), OVER).await;
        say(&doors, path, labels.clone(), OVER).await;
        let after = doors.get(&format!("/api/v1/alerts/{alert}")).await.json();
        if *path == "/api/v2/alerts" {
            assert_eq!(after["state"], "cleared", "{after:#}");
            let cleared = doors.get(&format!("/api/v1/incidents/{incident}")).await.json()["cleared"].clone();
            assert_eq!((&cleared["alerts"], &cleared["of"]), (&json!(1), &json!(1)));
        }
    }
    doors.pass(Span::minutes(10)).await;
    for incident in ["INC0000001", "INC0000002"] {
        assert_eq!(doors.get(&format!("/api/v1/incidents/{incident}")).await.json()["state"], "resolved");
    }
}

#[tokio::test]
async fn a_silence_of_an_old_store_mutes_what_it_muted() {
    let doors = upgraded().await;
    let muted = async |labels: Value| {
        say(&doors, "/api/v2/alerts", labels.clone(), ON).await;
        doors.pass(Span::seconds(1)).await;
        let listed = doors.get("/api/v2/alerts").await.json();
        let found =
            listed.as_array().unwrap().iter().find(|alert| alert["labels"] == labels).unwrap_or_else(|| panic!("{labels} in {listed}"));
        found["status"]["silencedBy"].clone()
    };
    let silences = items(&doors, "/api/v1/silences?sort=id").await;
    let (no_name, no_severity) = (silences[0]["uuid"].clone(), silences[1]["uuid"].clone());
    assert_eq!(silences[0]["matchers"], json!(["alertname=\"unnamed\"", "job=\"batch\""]));
    assert_eq!(muted(json!({"job": "batch", "instance": "db-2"})).await, json!([no_name]), "the alert that was there");
    assert_eq!(muted(json!({"job": "batch", "instance": "db-9"})).await, json!([no_name]), "a new one");
    assert_eq!(muted(json!({"alertname": "X", "job": "later"})).await, json!([no_severity]));
    assert_eq!(muted(json!({"alertname": "X", "job": "batch"})).await, json!([]), "it has a name");

    // A silence that is made now is over the labels as they are shown.
    let body = json!({"matchers": ["alertname=\"unnamed\"", "job=\"fresh\""], "for": "2h", "comment": "c"});
    assert_eq!(doors.post("/api/v1/silences", &body.to_string()).await.status, 201);
    assert_eq!(muted(json!({"job": "fresh"})).await, json!([]));
}
