//! `/api/v1/dead-letters`: what was refused or set aside is kept with its bytes, listed, and survives a crash.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use watchkeeper_engine::input::AlertInput;
use watchkeeper_engine::state::rows::encode;
use watchkeeper_engine::text::Labels;
use watchkeeper_engine::time::Time;
use watchkeeper_store::{Suspect, SuspectInput};

use super::http_support::{Doors, HOOKS, TOKENS};

fn ids(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_kept_with_its_place_and_survives_a_crash() {
    let doors = Doors::open(HOOKS).await;
    let sent = r#"{"alerts": [{"status": }]}"#;
    assert_eq!(doors.post("/hooks/grafana", sent).await.status, 400);
    let check = |told: Value| {
        assert_eq!(
            (&told["source"], &told["door"], &told["origin"]),
            (&json!("grafana"), &json!("http"), &json!({"path": "/hooks/grafana"}))
        );
        assert_eq!((&told["text"], &told["base64"], &told["cut"]), (&json!(sent), &Value::Null, &json!(false)));
        assert_eq!((&told["received_at"], &told["size"]), (&json!("2026-11-24T03:00:00.000Z"), &json!(sent.len())));
        assert_eq!((&told["form"], &told["members"]), (&json!("raw"), &json!([])));
        assert!(told["reason"].as_str().unwrap().contains("expected JSON"), "{told}");
        assert_eq!(told["faults"][0]["place"], json!("line 1 column 24"), "{told}");
    };
    check(doors.get("/api/v1/dead-letters/DLT0000001").await.json());
    let again = Doors::open_in(doors.crashed(), HOOKS).await;
    check(again.get("/api/v1/dead-letters/dlt0000001").await.json());
    assert_eq!(again.post("/hooks/grafana", "[").await.status, 400);
    let list = again.get("/api/v1/dead-letters").await.json();
    assert_eq!(ids(&list), ["DLT0000002", "DLT0000001"], "ids go on after a start");
    assert!(list["items"][0].get("text").is_none(), "a list holds no bodies: {list}");
    assert!(again.get("/metrics").await.body.contains("watchkeeper_dead_letters 2"));
}

#[tokio::test]
async fn a_batch_keeps_its_good_members_and_names_the_others() {
    let doors = Doors::open(HOOKS).await;
    let bad = json!({"labels": {"alertname": 7}});
    let good = json!({"labels": {"alertname": "Up"}, "endsAt": "2027-01-01T00:00:00Z"});
    assert_eq!(doors.post("/api/v2/alerts", &json!([good, bad, good, bad]).to_string()).await.status, 400);
    let letter = doors.get("/api/v1/dead-letters/DLT0000001").await.json();
    assert_eq!((&letter["source"], &letter["members"]), (&json!("default"), &json!([1, 3])));
    let places: Vec<&Value> = letter["faults"].as_array().unwrap().iter().map(|fault| &fault["place"]).collect();
    assert_eq!(places, [&json!("alerts[1].labels.alertname"), &json!("alerts[3].labels.alertname")]);
    assert_eq!(doors.get("/api/v1/alerts").await.json()["items"].as_array().unwrap().len(), 1);

    let events = json!({"events": [{"code": "DoorOpen", "id": 1, "active": true, "asset": "d-1"}, "a text"]});
    assert_eq!(doors.post("/hooks/building", &events.to_string()).await.status, 400);
    let letter = doors.get("/api/v1/dead-letters/DLT0000002").await.json();
    assert_eq!((&letter["source"], &letter["members"]), (&json!("building"), &json!([1])));

    let many = Value::Array(vec![bad; 30]);
    doors.post("/api/v2/alerts", &many.to_string()).await;
    let letter = doors.get("/api/v1/dead-letters/DLT0000003").await.json();
    assert_eq!((letter["faults"].as_array().unwrap().len(), &letter["more_faults"]), (20, &json!(10)));
    assert_eq!(letter["members"].as_array().unwrap().len(), 30);
}

#[tokio::test]
async fn what_is_no_text_is_shown_as_base64_and_what_is_too_long_is_cut() {
    let doors = Doors::open("").await;
    assert_eq!(doors.send("POST", "/api/v2/alerts", &[], b"\xff\xfe\x00[".as_slice()).await.status, 400);
    let letter = doors.get("/api/v1/dead-letters/DLT0000001").await.json();
    assert_eq!((&letter["text"], &letter["base64"]), (&Value::Null, &json!("//4AWw==")));
    let long = format!("[\"{}", "ä".repeat(200_000));
    assert_eq!(doors.post("/api/v2/alerts", &long).await.status, 400);
    let letter = doors.get("/api/v1/dead-letters/DLT0000002").await.json();
    assert_eq!((&letter["cut"], &letter["size"]), (&json!(true), &json!(long.len())));
    assert!(
        (262_143..=262_144).contains(&letter["text"].as_str().unwrap().len()),
        "a character that is cut through does not make it binary"
    );
}

#[tokio::test]
async fn dead_letters_come_in_pages_by_source_and_door() {
    let doors = Doors::open(HOOKS).await;
    for n in 0..12 {
        doors.post(if n % 3 == 0 { "/hooks/grafana" } else { "/api/v2/alerts" }, "{").await;
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = doors.get(&format!("/api/v1/dead-letters?source=default&sort=received_at&limit=3{cursor}")).await.json();
        seen.extend(ids(&page).into_iter().map(str::to_owned));
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let expected = [2, 3, 5, 6, 8, 9, 11, 12].map(|n| format!("DLT{n:07}"));
    assert_eq!(seen, expected);
    assert_eq!(ids(&doors.get("/api/v1/dead-letters?door=kafka,writer").await.json()), Vec::<&str>::new());
    assert_eq!(ids(&doors.get("/api/v1/dead-letters?door=http&source=grafana&limit=1").await.json()), ["DLT0000010"]);
    for (path, status) in [("?dor=http", 400), ("?door=post", 400), ("/DLT0000099", 404), ("/42", 404)] {
        assert_eq!(doors.get(&format!("/api/v1/dead-letters{path}")).await.status, status, "{path}");
    }
}

#[tokio::test]
async fn whoever_only_reads_sees_the_reasons_and_not_the_bodies() {
    let doors = Doors::open(TOKENS).await;
    let as_role = |role: &str| format!("Bearer secret-of-{role}");
    doors.send("POST", "/api/v2/alerts", &[("authorization", &as_role("source"))], "{").await;
    for (role, list, show) in [("viewer", 200, 403), ("operator", 200, 200), ("source", 403, 403)] {
        let token = as_role(role);
        let headers = [("authorization", token.as_str())];
        assert_eq!(doors.send("GET", "/api/v1/dead-letters", &headers, "").await.status, list, "{role}");
        assert_eq!(doors.send("GET", "/api/v1/dead-letters/DLT0000001", &headers, "").await.status, show, "{role}");
    }
}

#[tokio::test]
async fn an_input_that_stopped_the_daemon_twice_is_kept_once_and_shown_as_it_was_understood() {
    let ends = Time::parse_rfc3339("2027-01-01T00:00:00Z");
    let labels = Labels::from([("alertname", "Poison"), ("instance", "db-1")]);
    let input = AlertInput { labels, starts_at: ends, ends_at: ends, ..AlertInput::named("default", "Poison") };
    let hash: String = Sha256::digest(encode(&input))[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let dir = tempfile::tempdir().unwrap();
    let known = vec![SuspectInput { hash: hash.clone(), what: "alert".to_owned(), times: 2 }];
    Suspect { after: 0, at: String::new(), reason: "boom".to_owned(), inputs: known }.write(dir.path()).unwrap();

    let doors = Doors::open_in(dir, "").await;
    let body = json!([{"labels": {"alertname": "Poison", "instance": "db-1"}, "endsAt": "2027-01-01T00:00:00Z"}]).to_string();
    for _ in 0..2 {
        assert_eq!(doors.post("/api/v2/alerts", &body).await.status, 400);
    }
    let list = doors.get("/api/v1/dead-letters?door=writer").await.json();
    assert_eq!(ids(&list), ["DLT0000001"], "sent twice, kept once");
    let letter = doors.get("/api/v1/dead-letters/DLT0000001").await.json();
    assert_eq!((&letter["form"], &letter["origin"]), (&json!("alert"), &json!({"input": hash})));
    assert_eq!(letter["understood"]["labels"], json!({"alertname": "Poison", "instance": "db-1"}));
    let alerts = doors.get("/api/v1/alerts").await.json();
    assert_eq!(alerts["items"][0]["name"], json!("InputSetAside"), "{alerts}");
}
