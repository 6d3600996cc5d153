//! Alertmanager's API as Prometheus, amtool and karma use it.

use serde_json::{Value, json};
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
        json!({"code": 400, "message":
            "alerts[1].labels.x: expected a text, this is a number; 2 of 4 alerts were taken, 2 refused: alerts[1].labels.x: expected a text, this is a number; alerts[2].labels: expected at least one label with a value"
        })
    );
    let listed = doors.get("/api/v2/alerts").await.json();
    assert_eq!(listed.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_400_with_its_place_as_a_json_text() {
    let doors = Doors::open("").await;
    let told = doors.post("/api/v2/alerts", "[{]").await;
    assert_eq!((told.status, told.json()), (400, json!({"code": 400, "message": "line 1 column 3: expected JSON, key must be a string"})));
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

    let past = json!({"matchers": body["matchers"], "startsAt": "2026-11-23T00:00:00Z", "endsAt": "2026-11-24T05:00:00Z", "createdBy": "anna", "comment": ""});
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
    let of = |changes: Value| {
        let mut body = json!({
            "matchers": [{"name": "a", "value": "b", "isRegex": false}], "startsAt": "2026-11-24T03:00:00Z", "endsAt": "2026-11-24T05:00:00Z",
            "createdBy": "anna", "comment": "works",
        });
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        body.to_string()
    };
    // A handler's faults are JSON texts, the server's have a code.
    let cases = [
        (of(json!({"matchers": [{"name": "a", "value": "(", "isRegex": true}]})), 400, None),
        (of(json!({"matchers": [{"name": "a", "value": "", "isRegex": false}]})), 400, None),
        (of(json!({"endsAt": "2026-11-24T01:00:00Z"})), 400, None),
        (of(json!({"endsAt": "2026-11-24T03:00:00Z"})), 400, None),
        (of(json!({"id": "6e1ed1a7-0000-4000-8000-000000000000"})), 404, None),
        (String::new(), 422, Some(602)),
        ("[]".to_owned(), 400, Some(400)),
        (of(json!({"endsAt": "soon"})), 400, Some(400)),
        ("{}".to_owned(), 422, Some(602)),
        (of(json!({"createdBy": null})), 422, Some(602)),
        (of(json!({"startsAt": null})), 422, Some(602)),
        (of(json!({"comment": null})), 422, Some(602)),
        (of(json!({"matchers": []})), 422, Some(612)),
        (of(json!({"matchers": [{"name": "a", "value": "b"}]})), 422, Some(602)),
    ];
    for (body, status, code) in cases {
        let told = doors.post("/api/v2/silences", &body).await;
        assert_eq!(told.status, status, "{body}: {told:?}");
        let said = told.json();
        let given = said["code"].as_u64();
        let text = said.as_str().or(said["message"].as_str()).unwrap_or_default();
        assert_eq!(given, code, "{body}: {told:?}");
        assert!(text.len() > 10, "{body}: {told:?}");
    }
    for method in ["GET", "DELETE"] {
        let told = doors.send(method, "/api/v2/silence/nothing", &[], "").await;
        assert_eq!((told.status, &told.json()["code"]), (422, &json!(601)));
        let told = doors.send(method, "/api/v2/silence/6e1ed1a7-0000-4000-8000-000000000000", &[], "").await;
        assert_eq!((told.status, told.body.as_str()), (404, ""));
    }
}

#[tokio::test]
async fn an_alert_without_name_or_severity_shows_and_matches_as_it_came() {
    let doors = Doors::open("").await;
    doors.post("/api/v2/alerts", r#"[{"labels":{"job":"j"}},{"labels":{"alertname":"A","severity":"critical"}}]"#).await;
    let listed = doors.get("/api/v2/alerts").await.json();
    let bare = listed.as_array().unwrap().iter().find(|alert| alert["labels"]["job"] == "j").unwrap();
    assert_eq!((&bare["labels"], &bare["fingerprint"]), (&json!({"job": "j"}), &json!("39451cb762d8cac2")));
    assert_eq!((bare.get("generatorURL"), &bare["annotations"]), (None, &json!({})));
    for (filter, count) in [
        ("severity%3D%22%22", 1),
        ("severity!%3D%22%22", 1),
        ("severity%3D%22unknown%22", 0),
        ("alertname%3D%22%22", 1),
        ("alertname%3D%22unnamed%22", 0),
    ] {
        assert_eq!(doors.get(&format!("/api/v2/alerts?filter={filter}")).await.json().as_array().unwrap().len(), count, "{filter}");
    }
    let groups = doors.get("/api/v2/alerts/groups").await.json();
    assert_eq!(groups[0]["labels"], json!({}));

    let silence = json!({
        "matchers": [{"name": "job", "value": "j", "isRegex": false}, {"name": "severity", "value": "", "isRegex": false}],
        "startsAt": "2026-11-24T03:00:00Z", "endsAt": "2026-11-24T05:00:00Z", "createdBy": "anna", "comment": "c",
    });
    let id = doors.post("/api/v2/silences", &silence.to_string()).await.json()["silenceID"].as_str().unwrap().to_owned();
    doors.pass(Span::seconds(1)).await;
    let muted = doors.get("/api/v2/alerts?active=false").await.json();
    assert_eq!((muted.as_array().unwrap().len(), &muted[0]["status"]["silencedBy"]), (1, &json!([id])));
}

#[tokio::test]
async fn a_silence_keeps_its_annotations_and_its_id_over_a_rounded_start_and_ends_before_it_began() {
    let doors = Doors::open("").await;
    doors.pass(Span(300)).await;
    let mut body = json!({
        "matchers": [{"name": "a", "value": "b", "isRegex": false}], "startsAt": "2026-11-24T03:00:00Z", "endsAt": "2026-11-24T05:00:00Z",
        "createdBy": "anna", "comment": "c", "annotations": {"ticket": "OPS-1", "empty": ""},
    });
    let post = async |body: &Value| doors.post("/api/v2/silences", &body.to_string()).await.json()["silenceID"].clone();
    let show = async |id: &Value| doors.get(&format!("/api/v2/silence/{}", id.as_str().unwrap())).await.json();
    let id = post(&body).await;
    let made = show(&id).await;
    assert_eq!((&made["annotations"], &made["startsAt"]), (&body["annotations"], &json!("2026-11-24T03:00:00.300Z")));
    body["id"] = id.clone();
    body["annotations"] = json!({});
    assert_eq!(post(&body).await, id, "its start was rounded to the second");
    assert_eq!(show(&id).await.get("annotations"), None);
    body["startsAt"] = json!("2026-11-24T02:59:59Z");
    assert_ne!(post(&body).await, id, "its start was another");

    let pending = json!({
        "matchers": body["matchers"], "startsAt": "2026-11-24T04:00:00", "endsAt": "9999-12-31T23:59:59Z", "createdBy": "anna", "comment": "c",
    });
    let id = post(&pending).await;
    let shown = show(&id).await;
    assert_eq!((&shown["startsAt"], &shown["endsAt"]), (&json!("2026-11-24T04:00:00.000Z"), &json!("9999-12-31T23:59:59.000Z")));
    doors.send("DELETE", &format!("/api/v2/silence/{}", id.as_str().unwrap()), &[], "").await;
    let ended = show(&id).await;
    assert_eq!((&ended["startsAt"], &ended["status"]["state"]), (&ended["endsAt"], &json!("expired")));
}

type Headers = &'static [(&'static str, &'static str)];

#[tokio::test]
async fn requests_are_taken_and_refused_where_alertmanager_does_so() {
    let doors = Doors::open("").await;
    let post = async |body: &str| doors.post("/api/v2/alerts", body).await;
    let label = r#""labels":{"alertname":"X"}"#;
    for (body, status, code) in [
        ("null".to_owned(), 200, None),
        (format!("[{{{label},\"startsAt\":\"2026-11-24T03:00:00\"}}]"), 200, None),
        (format!("[{{{label},\"annotations\":{{\"empty\":\"\"}},\"endsAt\":\"9999-12-31T23:59:59Z\"}}]"), 200, None),
        (format!("[{{{label},\"startsAt\":\"2026-11-24T04:00:00Z\"}}]"), 400, None),
        (format!("[{{{label},\"annotations\":{{\"\":\"x\"}}}}]"), 400, None),
        ("[{}]".to_owned(), 422, Some(602)),
        (format!("[{{{label},\"generatorURL\":\"no url\"}}]"), 422, Some(601)),
        ("{".to_owned(), 400, Some(400)),
    ] {
        let told = post(&body).await;
        assert_eq!(told.status, status, "{body}: {told:?}");
        assert_eq!(serde_json::from_str::<Value>(&told.body).ok().and_then(|told| told["code"].as_u64()), code, "{body}: {told:?}");
    }
    let shown = doors.get("/api/v2/alerts/?active=maybe&filter=alertname%3D%3DX").await;
    assert_eq!((shown.status, shown.json()), (200, json!([])), "what does not say yes says no, and the value of `a==X` is `=X`");
    let shown = doors.get("/api/v2/alerts?filter=alertname!%3D%27X%27").await.json();
    assert_eq!((&shown[0]["annotations"], &shown[0]["endsAt"]), (&json!({"empty": ""}), &json!("9999-12-31T23:59:59.000Z")));
    post(r#"[{"labels":{"alertname":"Y"},"endsAt":"2026-11-24T03:30:00Z"}]"#).await;
    let shown = doors.get("/api/v2/alerts?filter=alertname%3DY").await.json();
    assert_eq!(shown[0]["startsAt"], shown[0]["endsAt"], "without a start it begins at its end");

    const PREFLIGHT: &[(&str, &str)] = &[("origin", "http://x.example.org"), ("access-control-request-method", "POST")];
    let cases: [(&str, &str, Headers, u16); 7] = [
        ("POST", "/api/v2/alerts", &[("content-type", "text/plain")], 415),
        ("POST", "/api/v2/alerts", &[("content-type", "application/json; charset=utf-8")], 200),
        ("HEAD", "/api/v2/alerts", &[], 405),
        ("OPTIONS", "/api/v2/alerts", &[], 405),
        ("OPTIONS", "/api/v2/alerts", PREFLIGHT, 204),
        ("PUT", "/api/v2/alerts", &[], 405),
        ("GET", "/api/v2/nothing", &[], 404),
    ];
    for (method, path, headers, status) in cases {
        assert_eq!(doors.send(method, path, headers, "[]").await.status, status, "{method} {path} {headers:?}");
    }
    let preflight = doors.send("OPTIONS", "/api/v2/alerts", PREFLIGHT, "").await;
    assert_eq!(preflight.header("access-control-allow-origin"), None, "no page of another origin is let in");
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
    assert_eq!(doors.get("/api/v2/receivers").await.json(), json!([{"name": "watchkeeper", "labels": {"name": "watchkeeper"}}]));
    assert_eq!(doors.get("/api/v2/receivers?receiver_matchers=owner%3D%22db%22").await.json(), json!([]));
    assert_eq!(status["cluster"], json!({"status": "disabled", "peers": []}));
}

#[tokio::test]
async fn the_api_below_a_hook_belongs_to_its_source() {
    let doors = Doors::open(HOOKS).await;
    assert_eq!(doors.post("/hooks/grafana/api/v2/alerts", HOST_DOWN).await.status, 200);
    assert_eq!(doors.get("/hooks/grafana/api/v2/status").await.status, 200);
    assert_eq!(doors.get("/api/v1/alerts").await.json()["items"][0]["source"], json!("grafana"));
    let told = doors.post("/hooks/grafanna/api/v2/alerts", HOST_DOWN).await;
    assert_eq!((told.status, told.json()), (404, json!({"code": 404, "message": "unknown webhook \"grafanna\"; did you mean `grafana`?"})));
}
