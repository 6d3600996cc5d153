//! The APIs of senders: PagerDuty's Events API v2 and Opsgenie's alert API, and CloudEvents over HTTP.

use serde_json::{Value, json};

use super::http_support::{Doors, HOOKS, TOKENS, Told};

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

const GENIE: (&str, &str) = ("authorization", "GenieKey secret-of-source");

#[tokio::test]
async fn opsgenies_alert_api_creates_acknowledges_notes_and_closes_and_a_request_can_be_asked_for() {
    let doors = Doors::open(TOKENS).await;
    let post = async |path: &str, body: Value| doors.send("POST", path, &[GENIE], body.to_string()).await;
    let what = async |told: &Told| {
        let id = told.json()["requestId"].as_str().unwrap().to_owned();
        let asked = doors.send("GET", &format!("/v2/alerts/requests/{id}"), &[GENIE], "").await;
        assert_eq!((asked.status, &asked.json()["requestId"]), (200, &json!(id)), "{asked:?}");
        asked.json()["data"].clone()
    };
    let seen = async |path: &str| doors.send("GET", path, &[("authorization", "Bearer secret-of-viewer")], "").await.json();

    let disk = json!({
        "message": "disk full on db-1", "alias": "disk/db-1", "description": "97 % of /var", "entity": "db-1", "priority": "P1", "source": "zabbix",
        "tags": ["disk", "night"], "details": {"alertname": "DiskFull", "mount": "/var"}, "responders": [{"type": "team", "name": "dba"}],
    });
    let told = post("/v2/alerts", disk.clone()).await;
    assert_eq!((told.status, &told.json()["result"]), (202, &json!("Request will be processed")));
    let created = what(&told).await;
    assert_eq!(
        (&created["success"], &created["action"], &created["status"], &created["alias"], &created["processedAt"]),
        (&json!(true), &json!("Create"), &json!("Created alert"), &json!("disk/db-1"), &json!("2026-11-24T03:00:00.000Z"))
    );
    post("/v2/alerts", disk).await;
    let alerts = seen("/api/v1/alerts?state=all").await;
    let alert = &alerts["items"][0];
    assert_eq!((alerts["items"].as_array().unwrap().len(), &alert["count"]), (1, &json!(2)), "one alias is one alert: {alerts:#}");
    assert_eq!((&alert["name"], &alert["severity"], &alert["ci"]), (&json!("DiskFull"), &json!("critical"), &json!("db-1")));
    assert_eq!((&alert["summary"], &alert["annotations"]["description"]), (&json!("disk full on db-1"), &json!("97 % of /var")));
    let labels = json!({
        "alertname": "DiskFull", "mount": "/var", "instance": "db-1", "entity": "db-1", "source": "zabbix", "priority": "P1", "tags": "disk,night",
    });
    assert_eq!(alert["labels"], labels);

    // Named by its alias, by the id that the request gave, by its number.
    let id = created["alertId"].as_str().unwrap();
    let by_alias = post("/v2/alerts/disk%2Fdb-1/acknowledge?identifierType=alias", json!({"user": "zoe", "note": "on my way"})).await;
    let by_id = post(&format!("/v2/alerts/{id}/notes"), json!({"user": "zoe", "note": "disk is ordered"})).await;
    for (told, status) in [(&by_alias, "Acknowledged alert"), (&by_id, "Added note to alert")] {
        let done = what(told).await;
        assert_eq!((&done["isSuccess"], &done["status"], &done["alertId"]), (&json!(true), &json!(status), &json!(id)));
    }
    doors.pass(watchkeeper_engine::time::Span::minutes(2)).await;
    let incident = seen("/api/v1/incidents/INC0000001").await;
    assert_eq!((&incident["state"], &incident["assignee"]), (&json!("new"), &json!(null)), "a source's word changes nothing");
    let said: Vec<String> = incident["timeline"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["actor"] == "default")
        .map(|entry| format!("{}|{}", entry["what"].as_str().unwrap(), entry["because"].as_str().unwrap_or_default()))
        .collect();
    assert_eq!(
        said,
        [
            "note on ALR0000001 at its source by zoe|on my way",
            "ALR0000001 acknowledged at its source by zoe|",
            "note on ALR0000001 at its source by zoe|disk is ordered",
        ]
    );
    let otto = [("authorization", "GenieKey secret-of-operator")];
    assert_eq!(doors.send("POST", "/v2/alerts/1/acknowledge?identifierType=tiny", &otto, "").await.status, 202);
    let incident = seen("/api/v1/incidents/INC0000001").await;
    assert_eq!((&incident["state"], &incident["assignee"]), (&json!("acknowledged"), &json!("otto")));

    let closed = what(&post("/v2/alerts/disk%2Fdb-1/close?identifierType=alias", json!({"note": "cleaned"})).await).await;
    assert_eq!((&closed["success"], &closed["status"]), (&json!(true), &json!("Closed alert")));
    assert_eq!(seen("/api/v1/alerts?state=all").await["items"][0]["state"], "cleared");
    assert_eq!(seen("/api/v1/incidents/INC0000001").await["state"], "acknowledged", "close clears the alert, and closes no incident");

    for path in ["/v2/alerts/nobody/close?identifierType=alias", "/v2/alerts/nobody/close", "/v2/alerts/99/acknowledge?identifierType=tiny"]
    {
        let nothing = what(&post(path, json!({})).await).await;
        assert_eq!(
            (&nothing["success"], &nothing["status"], &nothing["alertId"]),
            (&json!(false), &json!("Alert does not exist"), &json!(""))
        );
    }
}

#[tokio::test]
async fn opsgenies_faults_are_told_in_its_own_words_and_another_source_is_not_seen() {
    let doors = Doors::open(&format!(
        "{TOKENS}[[webhook]]\nname = \"ops\"\nformat = \"alertmanager\"\nrealm = \"house\"\ntoken_file = \"hook.token\"\n"
    ))
    .await;
    let refused = async |path: &str, body: &str| {
        let told = doors.send("POST", path, &[GENIE], body).await;
        assert!(told.json()["requestId"].is_string() && told.json()["message"].is_string(), "{told:?}");
        (told.status, told.json()["errors"].clone())
    };
    assert_eq!(refused("/v2/alerts", "{").await, (400, Value::Null));
    assert_eq!(refused("/v2/alerts", "{}").await, (422, json!({"message": "expected a text"})));
    let both = json!({"message": "expected a text", "priority": "expected P1, P2, P3, P4 or P5"});
    assert_eq!(refused("/v2/alerts", r#"{"message": " ", "priority": "P9"}"#).await, (422, both));
    assert_eq!(refused("/v2/alerts/x/notes?identifierType=alias", "{}").await, (422, json!({"note": "expected a text"})));
    assert_eq!(
        refused("/v2/alerts/x/close?identifierType=name", "{}").await,
        (422, json!({"identifierType": "expected id, alias or tiny"}))
    );
    let long = format!(r#"{{"message": "{}"}}"#, "x".repeat(300 * 1024));
    assert_eq!(refused("/v2/alerts", &long).await.0, 413);
    for (token, status) in [("nobody's", 401), ("secret-of-viewer", 403), ("secret-of-hook", 401)] {
        let told = doors.send("POST", "/v2/alerts", &[("authorization", &format!("GenieKey {token}"))], r#"{"message": "m"}"#).await;
        assert_eq!(told.status, status, "{token}");
        assert!(told.json()["message"].is_string());
    }
    assert_eq!(doors.post("/v2/alerts", r#"{"message": "m"}"#).await.json()["message"], "Could not authenticate");

    // The hook's own token opens the hook, and what the hook created is not the bare path's.
    let hook = [("authorization", "GenieKey secret-of-hook")];
    let told = doors.send("POST", "/hooks/ops/v2/alerts", &hook, r#"{"message": "door open", "alias": "d1"}"#).await;
    let id = told.json()["requestId"].as_str().unwrap().to_owned();
    let of_hook = doors.send("GET", &format!("/hooks/ops/v2/alerts/requests/{id}"), &hook, "").await.json();
    let of_others = doors.send("GET", &format!("/v2/alerts/requests/{id}"), &[GENIE], "").await.json();
    assert_eq!((&of_hook["data"]["alias"], &of_others["data"]["alias"]), (&json!("d1"), &json!("")));
    let tiny = doors.send("POST", "/v2/alerts/1/close?identifierType=tiny", &[GENIE], "").await.json();
    let done = doors.send("GET", &format!("/v2/alerts/requests/{}", tiny["requestId"].as_str().unwrap()), &[GENIE], "").await.json();
    assert_eq!(done["data"]["success"], json!(false));
    let reader = [("authorization", "Bearer secret-of-operator")];
    let alerts = doors.send("GET", "/api/v1/alerts?state=all", &reader, "").await.json();
    assert_eq!((&alerts["items"][0]["state"], &alerts["items"][0]["source"]), (&json!("firing"), &json!("ops")));

    // An id that this daemon did not give is no request.
    let other = if id.ends_with('0') { format!("{}1", &id[..id.len() - 1]) } else { format!("{}0", &id[..id.len() - 1]) };
    for id in [other.as_str(), "43a29c5c-3dbf-4fa4-9c26-f4f71023e120", "x"] {
        let told = doors.send("GET", &format!("/v2/alerts/requests/{id}"), &[GENIE], "").await;
        assert_eq!((told.status, &told.json()["message"]), (404, &json!("Request not found. It might not be processed, yet.")));
    }
}
