//! Alertmanager's API as Prometheus, amtool and karma use it.

use serde_json::json;
use watchkeeper::web::alertmanager::fingerprint;
use watchkeeper_engine::text::Labels;
use watchkeeper_engine::time::Span;

use super::http_support::{Doors, HOOKS};

const HOST_DOWN: &str = r#"[{"labels":{"alertname":"HostDown","instance":"db-1:9100","severity":"critical"},
    "annotations":{"summary":"db-1 does not answer"},"startsAt":"2026-11-24T02:59:00Z","endsAt":"2026-11-24T03:04:00Z","generatorURL":"http://prom/g"}]"#;

#[test]
fn a_fingerprint_is_the_one_that_alertmanager_shows() {
    let of =
        |pairs: &[(&str, &str)]| fingerprint::of(&Labels::new(pairs.iter().map(|(name, value)| (name.to_string(), value.to_string()))));
    let down = |group, instance| {
        of(&[("alertname", "InstanceDown"), ("group", group), ("instance", instance), ("job", "node"), ("severity", "critical")])
    };
    assert_eq!(down("production", "localhost:8081"), "f404ecabc8dd5cd7");
    assert_eq!(down("canary", "localhost:8082"), "f8f08d4e32c61a9d");
    assert_eq!(of(&[]), "cbf29ce484222325");
}

#[tokio::test]
async fn an_alert_that_was_answered_is_listed_as_alertmanager_lists_it() {
    let doors = Doors::open("").await;
    let told = doors.post("/api/v2/alerts", HOST_DOWN).await;
    assert_eq!((told.status, told.body.as_str()), (200, ""));
    let listed = doors.get("/api/v2/alerts").await.json();
    assert_eq!(
        listed,
        json!([{
            "labels": {"alertname": "HostDown", "instance": "db-1:9100", "severity": "critical"},
            "annotations": {"summary": "db-1 does not answer"},
            "fingerprint": fingerprint::of(&Labels::from([("alertname", "HostDown"), ("instance", "db-1:9100"), ("severity", "critical")])),
            "startsAt": "2026-11-24T02:59:00.000Z",
            "endsAt": "2026-11-24T03:04:00.000Z",
            "updatedAt": "2026-11-24T03:00:00.000Z",
            "generatorURL": "http://prom/g",
            "receivers": [{"name": "watchkeeper"}],
            "status": {"state": "active", "silencedBy": [], "inhibitedBy": [], "mutedBy": []},
        }])
    );
}

#[tokio::test]
async fn a_batch_with_bad_members_keeps_the_good_ones_and_counts_both() {
    let doors = Doors::open("").await;
    let body = r#"[{"labels":{"alertname":"A"}},{"labels":{"alertname":"B","x":1}},{"labels":{}},{"labels":{"alertname":"C"}}]"#;
    let told = doors.post("/api/v2/alerts", body).await;
    assert_eq!(told.status, 400);
    assert_eq!(
        told.json(),
        json!(
            "2 of 4 alerts were taken, 2 refused: alerts[1].labels.x: expected a text, this is a number; alerts[2].labels: expected at least one label with a value"
        )
    );
    let listed = doors.get("/api/v2/alerts").await.json();
    assert_eq!(listed.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_400_with_its_place_as_a_json_text() {
    let doors = Doors::open("").await;
    let told = doors.post("/api/v2/alerts", "[{]").await;
    assert_eq!((told.status, told.json()), (400, json!("line 1 column 3: expected JSON, key must be a string")));
    assert_eq!(doors.post("/api/v2/alerts", "[]").await.status, 200);
    let huge = vec![b' '; (10 << 20) + 1];
    assert_eq!(doors.send("POST", "/api/v2/alerts", &[], huge).await.status, 413);
}

#[tokio::test]
async fn an_alert_ends_when_its_end_passes_without_a_refresh_and_goes_on_with_one() {
    let doors = Doors::open("").await;
    let listed = async || doors.get("/api/v2/alerts").await.json().as_array().unwrap().len();
    doors.post("/api/v2/alerts", r#"[{"labels":{"alertname":"X"}}]"#).await;
    doors.pass(Span::minutes(4)).await;
    doors.post("/api/v2/alerts", r#"[{"labels":{"alertname":"X"}}]"#).await;
    doors.pass(Span::minutes(4)).await;
    assert_eq!(listed().await, 1);
    doors.pass(Span::minutes(2)).await;
    assert_eq!(listed().await, 0, "five minutes after it was last heard");
}

#[tokio::test]
async fn filters_are_alertmanagers() {
    let doors = Doors::open("").await;
    let body = r#"[{"labels":{"alertname":"A","site":"ber"}},{"labels":{"alertname":"B","site":"muc"}},{"labels":{"alertname":"B","site":"ber1"}}]"#;
    doors.post("/api/v2/alerts", body).await;
    let names = async |query: &str| {
        let listed = doors.get(&format!("/api/v2/alerts?{query}")).await;
        assert_eq!(listed.status, 200, "{listed:?}");
        listed
            .json()
            .as_array()
            .unwrap()
            .iter()
            .map(|alert| alert["labels"]["site"].as_str().unwrap().to_owned())
            .collect::<std::collections::BTreeSet<_>>()
    };
    let set = |sites: &[&str]| sites.iter().map(|site| site.to_string()).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(names("filter=alertname%3D%22B%22").await, set(&["muc", "ber1"]));
    assert_eq!(names("filter=alertname%3DB&filter=site!~%22ber.*%22").await, set(&["muc"]));
    assert_eq!(names("filter=site%3D~ber").await, set(&["ber"]), "a regex is anchored");
    assert_eq!(names("active=false").await, set(&[]));
    assert_eq!(names("receiver=watch.*").await.len(), 3);
    assert_eq!(names("receiver=team-x").await.len(), 0);
    assert_eq!(names("silenced=false&inhibited=false&unprocessed=false&somethingNew=1").await.len(), 3);
    let told = doors.get("/api/v2/alerts?filter=site%3D~%22(%22").await;
    assert_eq!(told.status, 400);
    assert!(told.json().as_str().unwrap().starts_with("bad matcher"), "{told:?}");

    let groups = doors.get("/api/v2/alerts/groups").await.json();
    let sizes: Vec<_> = groups
        .as_array()
        .unwrap()
        .iter()
        .map(|group| (group["labels"]["alertname"].as_str().unwrap(), group["alerts"].as_array().unwrap().len()))
        .collect();
    assert_eq!(sizes, [("A", 1), ("B", 2)]);
}

#[tokio::test]
async fn of_two_pushes_that_overlap_the_earlier_start_is_shown() {
    let doors = Doors::open("").await;
    for (starts, ends) in [("02:59:55", "03:10:00"), ("02:58:00", "03:01:00")] {
        let (starts, ends) = (format!("2026-11-24T{starts}Z"), format!("2026-11-24T{ends}Z"));
        doors.post("/api/v2/alerts", &json!([{"labels": {"alertname": "A"}, "startsAt": starts, "endsAt": ends}]).to_string()).await;
    }
    let alert = doors.get("/api/v2/alerts").await.json()[0].clone();
    let of = |key: &str| alert[key].as_str().unwrap()[..19].to_owned();
    assert_eq!((of("startsAt"), of("endsAt")), ("2026-11-24T02:58:00".to_owned(), "2026-11-24T03:10:00".to_owned()));
}

#[tokio::test]
async fn silences_are_made_listed_changed_and_expired_over_the_wire() {
    let doors = Doors::open("").await;
    doors.post("/api/v2/alerts", HOST_DOWN).await;
    let body = json!({
        "matchers": [{"name": "alertname", "value": "HostDown", "isRegex": false, "isEqual": true}],
        "startsAt": "2026-11-24T03:00:00Z", "endsAt": "2026-11-24T05:00:00Z", "createdBy": "anna", "comment": "OPS-311"
    });
    let made = doors.post("/api/v2/silences", &body.to_string()).await;
    assert_eq!(made.status, 200, "{made:?}");
    let id = made.json()["silenceID"].as_str().unwrap().to_owned();
    assert_eq!(id.len(), 36, "a UUID, as clients expect: {id}");

    let shown = doors.get(&format!("/api/v2/silence/{id}")).await.json();
    assert_eq!((&shown["status"]["state"], &shown["createdBy"], &shown["comment"]), (&json!("active"), &json!("anna"), &json!("OPS-311")));
    doors.pass(Span::seconds(1)).await;
    let alert = doors.get("/api/v2/alerts").await.json()[0].clone();
    assert_eq!((&alert["status"]["state"], &alert["status"]["silencedBy"]), (&json!("suppressed"), &json!([id])));
    assert_eq!(doors.get("/api/v2/alerts?silenced=false").await.json(), json!([]));
    assert_eq!(doors.get("/api/v2/silences?filter=alertname%3DHostDown").await.json().as_array().unwrap().len(), 1);
    assert_eq!(doors.get("/api/v2/silences?filter=alertname%3DOther").await.json(), json!([]));

    let past = json!({"matchers": body["matchers"], "startsAt": "2026-11-23T00:00:00Z", "endsAt": "2026-11-24T05:00:00Z"});
    let id_of_past = doors.post("/api/v2/silences", &past.to_string()).await.json()["silenceID"].as_str().unwrap().to_owned();
    let begun = doors.get(&format!("/api/v2/silence/{id_of_past}")).await.json()["startsAt"].as_str().unwrap().to_owned();
    assert!(begun.starts_with("2026-11-24T03:0"), "it begins when it is made: {begun}");
    doors.send("DELETE", &format!("/api/v2/silence/{id_of_past}"), &[], "").await;

    let mut changed = body.clone();
    changed["id"] = json!(id);
    changed["startsAt"] = shown["startsAt"].clone();
    changed["endsAt"] = json!("2026-11-24T06:00:00Z");
    assert_eq!(doors.post("/api/v2/silences", &changed.to_string()).await.json()["silenceID"], json!(id));
    changed["matchers"][0]["value"] = json!("HostDown|Other");
    changed["matchers"][0]["isRegex"] = json!(true);
    let other = doors.post("/api/v2/silences", &changed.to_string()).await.json()["silenceID"].as_str().unwrap().to_owned();
    assert_ne!(other, id, "it mutes something else");
    assert_eq!(doors.get(&format!("/api/v2/silence/{id}")).await.json()["status"]["state"], json!("expired"));
    let mut again = body.clone();
    again["id"] = json!(id);
    let id = doors.post("/api/v2/silences", &again.to_string()).await.json()["silenceID"].as_str().unwrap().to_owned();
    assert!(id != other && id != again["id"].as_str().unwrap(), "what is over stays over");
    let states = |list: serde_json::Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|one| one["status"]["state"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(states(doors.get("/api/v2/silences").await.json()), ["active", "active", "expired", "expired"]);
    let told = doors.send("DELETE", &format!("/api/v2/silence/{other}"), &[], "").await;
    assert_eq!(told.status, 200);

    for _ in 0..2 {
        let told = doors.send("DELETE", &format!("/api/v2/silence/{id}"), &[], "").await;
        assert_eq!((told.status, told.body.as_str()), (200, ""));
    }
    assert_eq!(doors.get(&format!("/api/v2/silence/{id}")).await.json()["status"]["state"], json!("expired"));
    doors.pass(Span::seconds(1)).await;
    assert_eq!(doors.get("/api/v2/alerts").await.json()[0]["status"]["state"], json!("active"));
}

#[tokio::test]
async fn silences_that_are_wrong_are_refused_with_a_reason() {
    let doors = Doors::open("").await;
    let cases = [
        ("", 400),
        ("[]", 400),
        ("{}", 400),
        (r#"{"matchers":[],"startsAt":"2026-11-24T03:00:00Z","endsAt":"2026-11-24T05:00:00Z"}"#, 400),
        (r#"{"matchers":[{"name":"a","value":"(","isRegex":true}],"endsAt":"2026-11-24T05:00:00Z"}"#, 400),
        (r#"{"matchers":[{"name":"a","value":"b"}],"endsAt":"2026-11-24T01:00:00Z"}"#, 400),
        (r#"{"matchers":[{"name":"a","value":"b"}],"endsAt":"soon"}"#, 400),
        (r#"{"id":"6e1ed1a7-0000-4000-8000-000000000000","matchers":[{"name":"a","value":"b"}],"endsAt":"2026-11-24T05:00:00Z"}"#, 404),
    ];
    for (body, status) in cases {
        let told = doors.post("/api/v2/silences", body).await;
        assert_eq!(told.status, status, "{body}: {told:?}");
        assert!(told.json().as_str().is_some_and(|text| text.len() > 10), "{body}: {told:?}");
    }
    for method in ["GET", "DELETE"] {
        assert_eq!(doors.send(method, "/api/v2/silence/nothing", &[], "").await.status, 404);
    }
}

#[tokio::test]
async fn status_and_receivers_are_what_clients_look_at_first() {
    let doors = Doors::open("").await;
    let status = doors.get("/api/v2/status").await.json();
    assert_eq!(status["cluster"]["status"], json!("disabled"));
    assert_eq!(status["uptime"], json!("2026-11-24T03:00:00.000Z"));
    for field in ["version", "revision", "branch", "buildUser", "buildDate", "goVersion"] {
        assert!(status["versionInfo"][field].is_string(), "{field}");
    }
    assert!(status["config"]["original"].as_str().unwrap().contains("receiver: watchkeeper"));
    assert_eq!(doors.get("/api/v2/receivers").await.json(), json!([{"name": "watchkeeper"}]));
}

#[tokio::test]
async fn the_api_below_a_hook_belongs_to_its_source() {
    let doors = Doors::open(HOOKS).await;
    assert_eq!(doors.post("/hooks/grafana/api/v2/alerts", HOST_DOWN).await.status, 200);
    assert_eq!(doors.get("/hooks/grafana/api/v2/status").await.status, 200);
    assert_eq!(doors.get("/api/v1/alerts").await.json()["items"][0]["source"], json!("grafana"));
    let told = doors.post("/hooks/grafanna/api/v2/alerts", HOST_DOWN).await;
    assert_eq!((told.status, told.json()), (404, json!("unknown webhook \"grafanna\"; did you mean `grafana`?")));
}
