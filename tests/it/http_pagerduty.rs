//! `/v2/enqueue`: PagerDuty's Events API v2, and CloudEvents over HTTP.

use serde_json::{Value, json};

use super::http_support::{Doors, HOOKS, TOKENS};

fn trigger(key: &str) -> Value {
    json!({
        "routing_key": "R0123456789", "event_action": "trigger", "dedup_key": key, "client_url": "https://zabbix.example.org/1",
        "payload": {"summary": "disk full on db-1", "source": "db-1", "severity": "critical", "class": "DiskFull", "timestamp": "2026-11-24T02:59:00Z",
                    "custom_details": {"used": 97, "mount": "/var"}},
    })
}

fn of(key: &str, action: &str) -> String {
    json!({"routing_key": "R0123456789", "event_action": action, "dedup_key": key}).to_string()
}

async fn alerts(doors: &Doors) -> Vec<Value> {
    doors.get("/api/v1/alerts?state=all").await.json()["items"].as_array().cloned().unwrap_or_default()
}

#[tokio::test]
async fn an_event_is_triggered_acknowledged_and_resolved_by_its_key() {
    let doors = Doors::open(HOOKS).await;
    let told = doors.post("/v2/enqueue", &trigger("k1").to_string()).await;
    assert_eq!((told.status, told.json()), (202, json!({"status": "success", "message": "Event processed", "dedup_key": "k1"})));
    doors.post("/v2/enqueue", &trigger("k1").to_string()).await;
    let listed = alerts(&doors).await;
    assert_eq!(listed.len(), 1, "{listed:#?}");
    let alert = &listed[0];
    assert_eq!((&alert["name"], &alert["severity"], &alert["count"]), (&json!("DiskFull"), &json!("critical"), &json!(2)));
    assert_eq!((&alert["ci"], &alert["summary"], &alert["source"]), (&json!("db-1"), &json!("disk full on db-1"), &json!("default")));
    assert_eq!(alert["annotations"], json!({"used": "97", "mount": "/var"}));

    doors.pass(watchkeeper_engine::time::Span::minutes(2)).await;
    assert_eq!(doors.post("/v2/enqueue", &of("k1", "acknowledge")).await.status, 202);
    let incidents = doors.get("/api/v1/incidents").await.json();
    assert_eq!(incidents["items"][0]["state"], "acknowledged", "{incidents}");
    doors.pass(watchkeeper_engine::time::Span::minutes(30)).await;
    assert_eq!(alerts(&doors).await[0]["state"], "firing", "it fires until its sender says otherwise");
    assert_eq!(doors.post("/v2/enqueue", &of("k1", "resolve")).await.status, 202);
    let listed = alerts(&doors).await;
    assert_eq!((&listed[0]["state"], &listed[0]["annotations"]["used"]), (&json!("cleared"), &json!("97")));
}

#[tokio::test]
async fn a_source_says_that_somebody_has_it_and_only_an_operator_takes_it() {
    let doors = Doors::open(TOKENS).await;
    let send = async |token: &str, body: String| {
        let header = [("authorization", format!("Bearer secret-of-{token}"))];
        doors.send("POST", "/v2/enqueue", &header.each_ref().map(|(name, value)| (*name, value.as_str())), body).await.status
    };
    let incident = async || {
        let header = [("authorization", "Bearer secret-of-viewer")];
        doors.send("GET", "/api/v1/incidents/INC0000001", &header, "").await.json()
    };
    assert_eq!(send("source", trigger("k1").to_string()).await, 202);
    for _ in 0..3 {
        assert_eq!(send("source", of("k1", "acknowledge")).await, 202);
    }
    let whole = incident().await;
    assert_eq!((&whole["state"], &whole["assignee"], &whole["acknowledged_at"]), (&json!("new"), &json!(null), &json!(null)), "{whole:#}");
    let said: Vec<(&str, &str)> = whole["timeline"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["what"].as_str().unwrap(), entry["actor"].as_str().unwrap()))
        .filter(|(what, _)| what.contains("acknowledged"))
        .collect();
    assert_eq!(said, [("ALR0000001 acknowledged at its source", "default")]);
    assert_eq!(send("operator", of("k1", "acknowledge")).await, 202);
    let whole = incident().await;
    assert_eq!((&whole["state"], &whole["assignee"]), (&json!("acknowledged"), &json!("otto")));
}

#[tokio::test]
async fn an_unknown_key_is_dropped_and_a_missing_one_invented() {
    let doors = Doors::open(HOOKS).await;
    for action in ["acknowledge", "resolve"] {
        let told = doors.post("/v2/enqueue", &of("nobody", action)).await;
        assert_eq!((told.status, &told.json()["dedup_key"]), (202, &json!("nobody")));
    }
    assert_eq!(alerts(&doors).await, Vec::<Value>::new());
    let mut event = trigger("");
    event["dedup_key"] = Value::Null;
    let key = doors.post("/v2/enqueue", &event.to_string()).await.json()["dedup_key"].as_str().unwrap().to_owned();
    assert!(!key.is_empty());
    assert_eq!(doors.post("/v2/enqueue", &of(&key, "resolve")).await.status, 202);
    assert_eq!(alerts(&doors).await[0]["state"], "cleared");
}

#[tokio::test]
async fn an_event_that_is_none_is_answered_with_every_fault_and_its_secret_is_not_kept() {
    let doors = Doors::open(HOOKS).await;
    let told = doors.post("/v2/enqueue", r#"{"routing_key": "R-secret", "event_action": "trigger", "payload": {"severity": "bad"}}"#).await;
    assert_eq!(
        (told.status, &told.json()["status"], &told.json()["message"]),
        (400, &json!("invalid event"), &json!("Event object is invalid"))
    );
    let errors = told.json()["errors"].to_string();
    for place in ["payload.summary", "payload.source", "payload.severity"] {
        assert!(errors.contains(place), "{errors}");
    }
    for (body, place) in [
        ("{", "line 1"),
        (r#"{"event_action": "resolve"}"#, "dedup_key"),
        (r#"{"routing_key": "x", "event_action": "close"}"#, "event_action"),
    ] {
        let told = doors.post("/v2/enqueue", body).await;
        assert!(told.status == 400 && told.body.contains(place), "{told:?}");
    }
    assert_eq!(doors.get("/api/v1/dead-letters").await.json()["items"], json!([]));
    assert!(doors.get("/metrics").await.body.contains("watchkeeper_events_rejected_total{reason=\"other\",source=\"default\"} 4"));
    let long = format!("{{\"routing_key\": \"{}\"}}", "x".repeat(513 * 1024));
    assert_eq!(doors.post("/v2/enqueue", &long).await.status, 413);
}

#[tokio::test]
async fn the_routing_key_opens_the_door_where_no_header_does() {
    let hooks = format!("{TOKENS}[[webhook]]\nname = \"pd\"\nformat = \"alertmanager\"\nrealm = \"house\"\ntoken_file = \"hook.token\"\n");
    let doors = Doors::open(&hooks).await;
    let with = |key: &str| {
        let mut event = trigger("k");
        event["routing_key"] = json!(key);
        event.to_string()
    };
    let cases = [
        ("/v2/enqueue", "secret-of-source", 202),
        ("/v2/enqueue", "secret-of-viewer", 403),
        ("/v2/enqueue", "secret-of-hook", 401),
        ("/v2/enqueue", "nobody's", 401),
        ("/hooks/pd/v2/enqueue", "secret-of-hook", 202),
        ("/hooks/pd/v2/enqueue", "nobody's", 401),
    ];
    for (path, key, status) in cases {
        assert_eq!(doors.post(path, &with(key)).await.status, status, "{path} with {key}");
    }
    let header = [("authorization", "Bearer secret-of-source")];
    assert_eq!(doors.send("POST", "/v2/enqueue", &header, with("whatever")).await.status, 202);
    let header = [("origin", "https://evil.example.org"), ("sec-fetch-site", "cross-site")];
    assert_eq!(doors.send("POST", "/v2/enqueue", &header, with("secret-of-source")).await.status, 403);
    assert_eq!(doors.post("/v2/enqueue", "{").await.status, 401, "what is no event shows no secret");
    let operator = [("authorization", "Bearer secret-of-operator")];
    let listed = doors.send("GET", "/api/v1/alerts", &operator, "").await.json();
    let mut sources: Vec<&str> = listed["items"].as_array().unwrap().iter().map(|alert| alert["source"].as_str().unwrap()).collect();
    sources.sort_unstable();
    assert_eq!(sources, ["default", "pd"]);
}

const EVENTS: &str = "[[webhook]]\nname = \"events\"\nformat = \"cloudevents\"\n";

#[tokio::test]
async fn cloudevents_are_read_in_each_mode_and_known_by_type_source_and_subject() {
    let doors = Doors::open(EVENTS).await;
    let binary = [
        ("ce-specversion", "1.0"),
        ("ce-id", "1"),
        ("ce-source", "/disks"),
        ("ce-type", "com.example.disk%20full"),
        ("ce-subject", "\"db-1\""),
        ("content-type", "application/json"),
    ];
    let firing = r#"{"status": "firing", "severity": "critical", "summary": "full", "used": 97}"#;
    assert_eq!(doors.send("POST", "/hooks/events", &binary, firing).await.status, 202);
    let event = json!({
        "specversion": "1.0", "id": "2", "source": "/disks", "type": "com.example.disk full", "subject": "db-1", "time": "2026-11-24T03:05:00Z",
        "data": {"status": "resolved"},
    });
    let structured = [("content-type", "application/cloudevents+json; charset=utf-8")];
    let listed = alerts(&doors).await;
    assert_eq!(
        (&listed[0]["name"], &listed[0]["severity"], &listed[0]["state"]),
        (&json!("com.example.disk full"), &json!("critical"), &json!("firing"))
    );
    assert_eq!(listed[0]["annotations"]["used"], "97");
    doors.pass(watchkeeper_engine::time::Span::minutes(10)).await;
    assert_eq!(doors.send("POST", "/hooks/events", &structured, event.to_string()).await.status, 202);
    let listed = alerts(&doors).await;
    assert_eq!((listed.len(), &listed[0]["state"]), (1, &json!("cleared")), "{listed:#?}");

    let batch = [("content-type", "application/cloudevents-batch+json")];
    assert_eq!(doors.send("POST", "/hooks/events", &batch, "[]").await.status, 202);
    let inner = json!({"alerts": [{"status": "firing", "labels": {"alertname": "Inner", "instance": "db-2"}}]});
    let wrapped = json!({"specversion": "1.0", "id": "3", "source": "/am", "type": "alerts", "data": inner});
    let told = doors
        .send("POST", "/hooks/events", &batch, json!([wrapped, {"specversion": "0.3", "id": "4", "source": "/x", "type": "t"}]).to_string())
        .await;
    assert_eq!((told.status, &told.json()["faults"][0]["place"]), (400, &json!("alerts[1].specversion")), "{told:?}");
    assert!(alerts(&doors).await.iter().any(|alert| alert["name"] == "Inner"));
}
