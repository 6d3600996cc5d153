//! Webhooks: what senders are told, and when.

use serde_json::json;
use watchkeeper_engine::time::Span;

use super::http_support::{Doors, HOOKS};

const GROUP: &str = r#"{"version":"4","status":"firing","alerts":[
    {"status":"firing","labels":{"alertname":"HostDown","instance":"db-1"},"startsAt":"2026-11-24T02:59:00Z","endsAt":"0001-01-01T00:00:00Z"}]}"#;

#[tokio::test]
async fn a_group_is_202_and_fires_until_its_sender_clears_it() {
    let doors = Doors::open(HOOKS).await;
    let told = doors.post("/hooks/grafana", GROUP).await;
    assert_eq!((told.status, told.json()), (202, json!({"taken": 1, "refused": 0})));
    doors.pass(Span::hours(7)).await;
    assert_eq!(doors.get("/api/v1/alerts?state=active").await.json()["items"].as_array().unwrap().len(), 1);
    let over = GROUP
        .replace(r#""status":"firing","labels""#, r#""status":"resolved","labels""#)
        .replace("0001-01-01T00:00:00Z", "2026-11-24T09:00:00Z");
    assert_eq!(doors.post("/hooks/grafana", &over).await.status, 202);
    assert_eq!(doors.get("/api/v1/alerts?state=active").await.json()["items"], json!([]));
}

#[tokio::test]
async fn a_group_with_a_bad_member_says_both_counts_and_where() {
    let doors = Doors::open(HOOKS).await;
    let told = doors.post("/hooks/grafana", r#"{"alerts":[{"labels":{"alertname":"A"}},{"labels":{"a":{}}}]}"#).await;
    assert_eq!(told.status, 400);
    assert_eq!(told.header("content-type"), Some("application/problem+json"));
    let problem = told.json();
    assert_eq!((&problem["taken"], &problem["refused"]), (&json!(1), &json!(1)));
    assert_eq!(problem["faults"], json!([{"place": "alerts[1].labels.a", "expected": "a text, this is an object"}]));
    assert_eq!(doors.get("/api/v1/alerts").await.json()["items"][0]["name"], json!("A"));
}

#[tokio::test]
async fn a_format_of_the_rules_maps_a_body_and_its_realm_is_the_hooks() {
    let doors = Doors::open(HOOKS).await;
    let body = r#"{"events":[{"id":7,"code":"DoorOpen","active":true,"asset":"door-3"},{"id":8,"code":"","active":true,"asset":"x"}]}"#;
    let told = doors.post("/hooks/building", body).await;
    assert_eq!(told.status, 400);
    assert_eq!(told.json()["faults"][0]["place"], json!("body.events[1].name"));
    let alert = doors.get("/api/v1/alerts").await.json()["items"][0].clone();
    assert_eq!(
        (&alert["name"], &alert["key"], &alert["realm"], &alert["source"]),
        (&json!("DoorOpen"), &json!("7"), &json!("house"), &json!("building"))
    );
    let told = doors.post("/hooks/building", r#"{"other":1}"#).await;
    assert_eq!((told.status, told.json()["taken"].clone()), (400, serde_json::Value::Null));
}

#[tokio::test]
async fn what_was_answered_is_there_after_a_restart() {
    let doors = Doors::open(HOOKS).await;
    for n in 0..20 {
        let body = GROUP.replace("db-1", &format!("host-{n}"));
        assert_eq!(doors.post("/hooks/grafana", &body).await.status, 202);
    }
    let again = Doors::open_in(doors.crashed(), HOOKS).await;
    assert_eq!(again.get("/api/v1/alerts").await.json()["items"].as_array().unwrap().len(), 20);
}
