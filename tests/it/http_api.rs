//! `/api/v1`: lists, records, commands, and who may use them.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use watchkeeper::clock::Clock as _;
use watchkeeper::ingest::trust::Need;
use watchkeeper::web::{Access, endpoints};
use watchkeeper_engine::event::{Event, Lasts};
use watchkeeper_engine::ids::MessageId;
use watchkeeper_engine::time::Span;

use super::http_support::{Doors, HOOKS, TOKENS, Told};

async fn down(doors: &Doors, host: &str) -> Told {
    let body = json!([{"labels": {"alertname": "HostDown", "instance": format!("{host}:9100"), "severity": "critical"}, "endsAt": "2027-01-01T00:00:00Z"}]);
    doors.post("/api/v2/alerts", &body.to_string()).await
}

/// Doors with one open incident about `db-1`.
async fn with_incident() -> Doors {
    let doors = Doors::open("").await;
    assert_eq!(down(&doors, "db-1").await.status, 200);
    doors
}

async fn command(doors: &Doors, word: &str, headers: &[(&str, &str)], body: &str) -> Told {
    doors.send("POST", &format!("/api/v1/incidents/INC0000001/{word}"), headers, body).await
}

fn ids(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_alert_becomes_an_incident_that_says_what_and_why() {
    let doors = with_incident().await;
    let list = doors.get("/api/v1/incidents?state=open").await.json();
    assert_eq!(ids(&list), ["INC0000001"]);
    assert_eq!(list["next"], Value::Null);
    let item = &list["items"][0];
    assert_eq!(
        (&item["ci"], &item["team"], &item["state"], &item["priority"]),
        (&json!("db-1"), &json!("dba"), &json!("new"), &json!("P1"))
    );
    assert_eq!(item["services"], json!([{"id": "shop", "tier": "gold", "health": "down"}]));
    assert_eq!(item["opened_at"], json!("2026-11-24T03:00:00.000Z"));
    assert!(item["url"].as_str().unwrap().ends_with("/i/INC0000001"));
    for field in [
        "urgency",
        "impact",
        "parent",
        "children",
        "cause",
        "symptoms",
        "alert_count",
        "major",
        "reopened",
        "hold",
        "problem",
        "sla",
        "rule",
    ] {
        assert!(item.get(field).is_some(), "{field} is missing");
    }

    let told = doors.get("/api/v1/incidents/inc0000001").await;
    let whole = told.json();
    assert_eq!(told.header("etag"), Some(format!("\"{}\"", whole["version"]).as_str()));
    assert_eq!((&whole["alerts"][0]["name"], &whole["alerts"][0]["role"]), (&json!("HostDown"), &json!("cause")));
    assert!(
        whole["timeline"].as_array().unwrap().iter().any(|entry| entry["what"].as_str().unwrap().starts_with("opened as P1")),
        "{whole}"
    );
}

#[tokio::test]
async fn a_command_is_done_once_and_its_state_is_the_answer_afterwards() {
    let doors = with_incident().await;
    let first = command(&doors, "acknowledge", &[], "").await;
    assert_eq!((first.status, &first.json()["state"]), (200, &json!("acknowledged")));
    assert_eq!(first.json()["assignee"], json!("local"));
    let version = first.json()["version"].clone();
    let second = command(&doors, "acknowledge", &[("if-match", "\"1\"")], "").await;
    assert_eq!((second.status, &second.json()["version"]), (200, &version), "it holds already: the ETag is not looked at");
}

#[tokio::test]
async fn a_stale_version_is_412_with_the_record_and_changes_nothing() {
    let doors = with_incident().await;
    let seen = doors.get("/api/v1/incidents/INC0000001").await.header("etag").unwrap().to_owned();
    assert_eq!(command(&doors, "note", &[("if-match", &seen)], r#"{"text":"looking"}"#).await.status, 200);
    let stale = command(&doors, "note", &[("if-match", &seen)], r#"{"text":"again"}"#).await;
    assert_eq!(stale.status, 412);
    assert_eq!(stale.json()["current"]["id"], json!("INC0000001"));
    let notes = doors.get("/api/v1/incidents/INC0000001").await.body.matches("\"note\"").count();
    assert_eq!(notes, 1);
}

#[tokio::test]
async fn a_command_that_the_state_does_not_allow_is_409_with_what_is_allowed() {
    let doors = with_incident().await;
    let told = command(&doors, "close", &[], "").await;
    assert_eq!(told.status, 409);
    assert!(told.json()["allowed"].as_array().unwrap().contains(&json!("resolve")), "{told:?}");
    assert_eq!(command(&doors, "resolve", &[], r#"{"words":"reseated"}"#).await.json()["state"], json!("resolved"));
    assert_eq!(command(&doors, "close", &[], "").await.json()["state"], json!("closed"));
    assert_eq!(command(&doors, "close", &[], "").await.status, 200, "what is past is closed already");
    let told = command(&doors, "reopen", &[], "").await;
    assert_eq!((told.status, &told.json()["state"], &told.json()["allowed"]), (409, &json!("closed"), &json!([])));
}

#[tokio::test]
async fn faulty_commands_say_what_was_expected_and_the_nearest_word() {
    let doors = with_incident().await;
    let cases = [
        ("acknowlege", "", 404, "acknowledge"),
        ("note", "", 400, "text: expected the text of the note, this is nothing"),
        ("note", r#"{"txt":"x"}"#, 400, "did you mean `text`?"),
        ("note", r#"{"text":7}"#, 400, "text: expected a text, this is a number"),
        ("note", "[1]", 400, "expected an object, this is a list"),
        ("hold", r#"{"reason":"lunch"}"#, 400, "waiting_for_vendor"),
        ("hold", r#"{"reason":"waiting_for_vendor","until":"soon"}"#, 400, "until: expected a time"),
        ("hold", r#"{"reason":"waiting_for_vendor","for":"2 weeks"}"#, 400, "is no duration"),
        ("priority", r#"{"priority":"P9"}"#, 400, "one of P1, P2, P3, P4, P5, this is \"P9\""),
        ("detach", r#"{"alert":"x"}"#, 400, "ALR0000042"),
    ];
    for (word, body, status, said) in cases {
        let told = command(&doors, word, &[], body).await;
        assert_eq!(told.status, status, "{word} {body}: {told:?}");
        assert!(told.json()["detail"].as_str().unwrap().contains(said), "{word} {body}: {told:?}");
    }
    assert_eq!(command(&doors, "note", &[("if-match", "seven")], r#"{"text":"x"}"#).await.status, 400);
    assert_eq!(doors.post("/api/v1/incidents/INC0000099/acknowledge", "").await.status, 404);
    assert_eq!(doors.get("/api/v1/incidents/nothing").await.status, 404);
}

#[tokio::test]
async fn holds_priorities_and_assignments_show_in_the_record() {
    let doors = with_incident().await;
    let held = command(&doors, "hold", &[], r#"{"reason":"waiting_for_vendor","for":"2h"}"#).await.json();
    assert_eq!(held["hold"], json!({"reason": "waiting_for_vendor", "until": "2026-11-24T05:00:00.000Z"}));
    assert_eq!(command(&doors, "resume", &[], "").await.json()["state"], json!("in_progress"));
    assert_eq!(command(&doors, "assign", &[], r#"{"to":"anna"}"#).await.json()["assignee"], json!("anna"));
    let rated = command(&doors, "priority", &[], r#"{"priority":"P4","words":"test system"}"#).await.json();
    assert_eq!((&rated["priority"], &rated["priority_by_hand"]), (&json!("P4"), &json!(true)));
}

#[tokio::test]
async fn an_idempotency_key_answers_as_the_first_time_and_is_bound_to_its_request() {
    let doors = with_incident().await;
    let key = [("idempotency-key", "k-1")];
    let first = command(&doors, "note", &key, r#"{"text":"once"}"#).await;
    let again = command(&doors, "note", &key, r#"{"text":"once"}"#).await;
    assert_eq!((first.status, &first.body), (again.status, &again.body));
    assert_eq!((first.header("idempotent-replayed"), again.header("idempotent-replayed")), (None, Some("true")));
    assert_eq!(command(&doors, "note", &key, r#"{"text":"other"}"#).await.status, 422);
    let whole = doors.get("/api/v1/incidents/INC0000001").await.json();
    assert_eq!(whole["timeline"].as_array().unwrap().iter().filter(|entry| entry["what"] == "note").count(), 1);
    let refused = command(&doors, "close", &[("idempotency-key", "k-2")], "").await;
    assert_eq!((refused.status, command(&doors, "close", &[("idempotency-key", "k-2")], "").await.status), (409, 409));
    assert_eq!(command(&doors, "note", &[("idempotency-key", "")], r#"{"text":"x"}"#).await.status, 400);

    let restarted = Doors::open_in(doors.crashed(), "").await;
    let again = command(&restarted, "note", &key, r#"{"text":"once"}"#).await;
    assert_eq!((again.status, &again.body, again.header("idempotent-replayed")), (200, &first.body, Some("true")));
    restarted.pass(Span::hours(24)).await;
    let later = command(&restarted, "note", &key, r#"{"text":"other"}"#).await;
    assert_eq!((later.status, later.header("idempotent-replayed")), (200, None), "after a day the key is new");
}

#[tokio::test]
async fn lists_come_in_pages_that_neither_repeat_nor_skip() {
    let doors = Doors::open("").await;
    for n in 0..25 {
        assert_eq!(down(&doors, &format!("h{n}")).await.status, 200);
    }
    for (path, sort) in [
        ("incidents", "-opened_at"),
        ("incidents", "opened_at"),
        ("incidents", "priority"),
        ("incidents", "-updated_at"),
        ("alerts", "first_seen"),
    ] {
        let (mut seen, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let told = doors.get(&format!("/api/v1/{path}?limit=10&sort={sort}&cursor={cursor}")).await;
            assert_eq!(told.status, 200, "{told:?}");
            let page = told.json();
            seen.extend(ids(&page).into_iter().map(str::to_owned));
            pages += 1;
            match page["next"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        assert_eq!((pages, seen.len(), seen.iter().collect::<BTreeSet<_>>().len()), (3, 25, 25), "{path} by {sort}: {seen:?}");
        let mut sorted = seen.clone();
        sorted.sort();
        if sort.starts_with('-') || sort == "priority" {
            sorted.reverse();
        }
        assert_eq!(seen, sorted, "{path} by {sort}");
    }
}

#[tokio::test]
async fn what_is_past_stays_in_lists_with_what_lives() {
    let doors = Doors::open("").await;
    for host in ["db-1", "h2", "h3"] {
        down(&doors, host).await;
    }
    doors.post("/api/v1/incidents/INC0000002/resolve", "").await;
    doors.post("/api/v1/incidents/INC0000002/close", "").await;
    assert_eq!(ids(&doors.get("/api/v1/incidents").await.json()), ["INC0000003", "INC0000002", "INC0000001"]);
    assert_eq!(ids(&doors.get("/api/v1/incidents?state=closed").await.json()), ["INC0000002"]);
    assert_eq!(ids(&doors.get("/api/v1/incidents?state=open").await.json()), ["INC0000003", "INC0000001"]);
    assert_eq!(ids(&doors.get("/api/v1/incidents?owner=dba&service=SHOP&ci=DB-1&priority=P1,P2&q=host").await.json()), ["INC0000001"]);
    assert_eq!(doors.get("/api/v1/incidents/INC0000002").await.json()["state"], json!("closed"));
}

#[tokio::test]
async fn unknown_parameters_words_and_cursors_are_faults_with_the_nearest_known_one() {
    let doors = Doors::open("").await;
    for (query, said) in [
        ("stat=open", "did you mean `state`?"),
        ("state=opn", "did you mean `open`?"),
        ("priority=P7", "unknown value of priority"),
        ("sort=priorty", "did you mean `priority`?"),
        ("limit=0", "expected a number from 1 to 1000"),
        ("limit=many", "expected a number from 1 to 1000"),
        ("cursor=x", "expected the `next` of an answer"),
        ("sort=priority&cursor=-opened_at.7", "the cursor is of a list sorted by -opened_at"),
        ("q=%zz", "hexadecimal"),
        ("q=%ff", "no UTF-8"),
    ] {
        let told = doors.get(&format!("/api/v1/incidents?{query}")).await;
        assert_eq!(told.status, 400, "{query}: {told:?}");
        assert!(told.json()["detail"].as_str().unwrap().contains(said), "{query}: {told:?}");
    }
}

#[tokio::test]
async fn explain_tells_the_steps_and_how_it_is_attached() {
    let doors = with_incident().await;
    let told = doors.get("/api/v1/alerts/ALR0000001/explain").await.json();
    let whats: Vec<&str> = told["steps"].as_array().unwrap().iter().map(|step| step["what"].as_str().unwrap()).collect();
    assert!(whats.contains(&"identified") && whats.contains(&"rule"), "{whats:?}");
    assert_eq!((&told["attached"]["incident"], &told["attached"]["role"]), (&json!("INC0000001"), &json!("cause")));
    assert!(told["attached"]["because"].as_str().is_some_and(|because| !because.is_empty()), "{told}");
}

#[tokio::test]
async fn trying_an_alert_shows_its_judgement_and_changes_nothing() {
    let doors = with_incident().await;
    let before = doors.get("/api/v1/alerts").await.body;
    for body in [
        r#"{"name":"HostDown","severity":"critical","labels":{"instance":"db-2:9100"}}"#,
        r#"{"labels":{"alertname":"HostDown","severity":"critical","instance":"db-2:9100"}}"#,
        r#"[{"labels":{"alertname":"HostDown","severity":"critical","instance":"db-2:9100"}}]"#,
        r#"[{"name":"HostDown","severity":"critical","labels":{"instance":"db-2:9100"}}]"#,
    ] {
        let told = doors.post("/api/v1/try", body).await;
        assert_eq!(told.status, 200, "{told:?}");
        let steps = &told.json()["alerts"][0]["steps"];
        let of = |what: &str| steps.as_array().unwrap().iter().find(|step| step["what"] == what).cloned().unwrap_or_default();
        assert_eq!(of("identified")["outcome"], json!("db-2"), "{steps}");
        assert!(of("attached")["outcome"].as_str().unwrap().starts_with("a new incident"), "{steps}");
    }
    let known = doors
        .post("/api/v1/try", r#"{"name":"HostDown","severity":"critical","labels":{"instance":"db-1:9100","severity":"critical"}}"#)
        .await;
    assert!(known.body.contains("ALR0000001"), "{known:?}");
    assert_eq!(doors.get("/api/v1/alerts").await.body, before);
    for (body, said) in [("{}", "alerts[0].labels"), (r#"{"name":"x","labls":{}}"#, "labls"), ("7", "alerts[0]")] {
        let told = doors.post("/api/v1/try", body).await;
        assert_eq!(told.status, 400, "{body}: {told:?}");
        assert!(told.json()["detail"].as_str().unwrap().contains(said), "{body}: {told:?}");
    }
}

#[tokio::test]
async fn the_cmdb_can_be_asked_for_items_impact_and_causes() {
    let doors = Doors::open("").await;
    let body =
        json!([{"labels": {"alertname": "DeviceDown", "instance": "sw-1", "severity": "critical"}, "endsAt": "2027-01-01T00:00:00Z"}]);
    doors.post("/api/v2/alerts", &body.to_string()).await;
    assert_eq!(ids(&doors.get("/api/v1/cis?class=host&limit=1").await.json()), ["db-1"]);
    let next = doors.get("/api/v1/cis?class=host&limit=1").await.json()["next"].as_str().unwrap().to_owned();
    assert_eq!(ids(&doors.get(&format!("/api/v1/cis?class=host&limit=1&cursor={next}")).await.json()), ["db-2"]);
    let switch = doors.get("/api/v1/cis/10.0.0.1").await.json();
    assert_eq!((&switch["id"], &switch["health"], &switch["incidents"]), (&json!("sw-1"), &json!("down"), &json!(["INC0000001"])));
    assert_eq!(doors.get("/api/v1/cis/db-1").await.json()["health"], json!("down"), "a fault flows along its relation");
    let impact = doors.get("/api/v1/cis/sw-1/impact").await.json();
    assert_eq!(impact["services"][0]["id"], json!("shop"));
    assert_eq!(
        impact["items"].as_array().unwrap().iter().map(|item| item["ci"].as_str().unwrap()).collect::<Vec<_>>(),
        ["db-1", "db-2", "shop"]
    );
    let causes = doors.get("/api/v1/cis/shop/causes").await.json();
    let firing = causes["items"].as_array().unwrap().iter().find(|item| item["ci"] == "sw-1").unwrap();
    assert_eq!(firing["alerts"][0]["name"], json!("DeviceDown"));
    assert_eq!(doors.get("/api/v1/cis/nothing").await.status, 404);
}

#[tokio::test]
async fn what_matches_no_item_is_a_work_list() {
    let doors = Doors::open("").await;
    for host in ["b-2", "a-1", "db-1"] {
        down(&doors, host).await;
    }
    let list = doors.get("/api/v1/unmatched?limit=1").await.json();
    assert_eq!((&list["items"][0]["value"], &list["items"][0]["alerts"]), (&json!("a-1"), &json!(1)));
    let rest = doors.get(&format!("/api/v1/unmatched?cursor={}", list["next"].as_str().unwrap())).await.json();
    assert_eq!((&rest["items"][0]["value"], &rest["next"]), (&json!("b-2"), &Value::Null));
}

#[tokio::test]
async fn messages_are_listed_with_what_they_are_about() {
    let doors = with_incident().await;
    doors.pass(Span::minutes(1)).await;
    let list = doors.get("/api/v1/outbox?incident=INC0000001").await.json();
    let item = &list["items"][0];
    assert_eq!((&item["to"], &item["reason"], &item["state"]), (&json!("dba@example.org"), &json!("opened"), &json!("planned")));
    let id = item["id"].as_str().unwrap();
    assert_eq!(doors.get(&format!("/api/v1/outbox/{id}")).await.status, 200);
    assert_eq!(doors.post(&format!("/api/v1/outbox/{id}/retry"), "").await.status, 200);
    assert_eq!(doors.get("/api/v1/outbox/MSG0009999").await.status, 404);
}

#[tokio::test]
async fn a_message_that_was_given_up_is_tried_again_with_the_bytes_it_had() {
    let doors = with_incident().await;
    doors.pass(Span::minutes(1)).await;
    let id = MessageId(1);
    let happens = async |event: Event| {
        doors.writer.report(event).await.unwrap().await.unwrap();
        doors.pass(Span::ZERO).await;
        doors.get("/api/v1/outbox/MSG0000001").await.json()
    };
    let gives_up = || Event::DeliveryFailed { id, error: "550 no such user".to_owned(), lasts: Lasts::ForGood };
    let retry = async || doors.post("/api/v1/outbox/MSG0000001/retry", "").await;

    assert_eq!(happens(gives_up()).await["state"], json!("dead"));
    let told = retry().await;
    assert_eq!((told.status, &told.json()["state"]), (200, &json!("planned")), "it was never rendered: {told:?}");
    let bytes = b"Message-ID: <1@x>\r\n\r\nhello".to_vec();
    happens(Event::Rendered { id, bytes, fallback: String::new() }).await;
    let dead = happens(gives_up()).await;
    assert_eq!((&dead["state"], &dead["last_error"]), (&json!("dead"), &json!("550 no such user")));
    let told = retry().await.json();
    assert_eq!((&told["state"], &told["done_at"]), (&json!("rendered"), &Value::Null));
    assert_eq!((&told["message"], &told["revived_at"]), (&dead["message"], &json!("2026-11-24T03:01:00.000Z")));
    assert_eq!(doors.get("/api/v1/outbox").await.json()["items"].as_array().unwrap().len(), 1, "it is in one table");
    let happened = happens(Event::Delivered { id }).await;
    assert_eq!((&happened["state"], &happened["message"]), (&json!("delivered"), &dead["message"]));
    assert_eq!(retry().await.json()["state"], json!("delivered"), "what went out is not sent twice");
}

#[tokio::test]
async fn every_endpoint_asks_for_a_token_and_for_a_role_that_may() {
    let doors = Doors::open(&format!("{TOKENS}{HOOKS}token_file = \"hook.token\"\n")).await;
    for endpoint in endpoints() {
        let path = endpoint.path.replace("{hook}", "grafana").replace("{id}", "X").replace("{command}", "acknowledge");
        let method = endpoint.method.as_str();
        let told = doors.send(method, &path, &[], "").await;
        if endpoint.access == Access::Public {
            // A link of a mail is the right itself; this is no link.
            let expected = if path.starts_with("/a/") { 404 } else { 200 };
            assert_eq!(told.status, expected, "{method} {path}");
            continue;
        }
        assert_eq!(told.status, 401, "{method} {path} without a token");
        assert!(told.header("www-authenticate").is_some(), "{method} {path}");
        let need = match endpoint.access {
            Access::Listener(need) | Access::Hook(need) => need,
            Access::Sender(_) => Need::Send,
            Access::Public => continue,
        };
        for (secret, role) in
            [("viewer", "viewer"), ("operator", "operator"), ("source", "source"), ("admin", "admin"), ("hook", "a hook's own")]
        {
            let header = format!("Bearer secret-of-{secret}");
            let told = doors.send(method, &path, &[("authorization", &header)], "").await;
            let may = watchkeeper::config::Role::ALL.iter().any(|known| known.word() == secret && need.allowed_to(*known));
            let expected = if secret == "hook" { 401 } else { 403 };
            if may {
                assert!(!matches!(told.status, 401 | 403), "{method} {path} as {role}: {told:?}");
            } else {
                assert_eq!(told.status, expected, "{method} {path} as {role}");
            }
            assert_eq!(told.header("x-content-type-options"), Some("nosniff"), "{method} {path}");
            assert!(told.header("content-security-policy").unwrap().contains("default-src 'none'"), "{method} {path}");
        }
    }
    let told = doors.send("POST", "/hooks/building", &[("authorization", "Bearer secret-of-hook")], r#"{"events":[]}"#).await;
    assert_eq!(told.status, 202, "the hook's own token opens the hook");
}

#[tokio::test]
async fn the_actor_is_the_token_or_whom_the_socket_names() {
    let doors = Doors::open(TOKENS).await;
    let body = r#"[{"labels":{"alertname":"X"},"endsAt":"2027-01-01T00:00:00Z"}]"#;
    assert_eq!(doors.send("POST", "/api/v2/alerts", &[("authorization", "Bearer secret-of-source")], body).await.status, 200);
    let path = "/api/v1/incidents/INC0000001/note";
    let otto = ("authorization", "Bearer secret-of-operator");
    assert_eq!(doors.send("POST", path, &[otto, ("x-watchkeeper-actor", "root")], r#"{"text":"a"}"#).await.status, 403);
    assert_eq!(doors.send("POST", path, &[otto], r#"{"text":"a"}"#).await.status, 200);
    assert_eq!(doors.send_local("POST", path, &[("x-watchkeeper-actor", "anna")], r#"{"text":"b"}"#).await.status, 200);
    let told = doors.send_local("POST", path, &[], r#"{"text":"c"}"#).await.json();
    let actors: Vec<&str> = told["timeline"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["what"] == "note")
        .map(|entry| entry["actor"].as_str().unwrap())
        .collect();
    assert_eq!(actors, ["otto", "anna", "local"]);
}

#[tokio::test]
async fn probes_metrics_and_reload_answer_the_machinery() {
    let doors = with_incident().await;
    for path in ["/-/healthy", "/-/ready"] {
        assert_eq!(doors.get(path).await.status, 200, "{path}");
        assert!(doors.get(&format!("{path}?verbose")).await.body.contains("writer"), "{path}");
    }
    let metrics = doors.get("/metrics").await;
    assert!(metrics.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    for line in [
        "watchkeeper_events_accepted_total{source=\"default\"} 1",
        "watchkeeper_http_requests_total{path=\"/api/v2/alerts\",status=\"2xx\"} 1",
        "watchkeeper_mails_total{outcome=\"dead\"} 0",
        "watchkeeper_reloads_total{outcome=\"refused\"} 0",
        "watchkeeper_sla_thresholds_total{outcome=\"breached\",target=\"resolution\"} 0",
    ] {
        assert!(metrics.body.contains(line), "{line} is missing in {}", metrics.body);
    }
    assert_eq!(doors.post("/-/reload", "").await.status, 200);
    assert_eq!(doors.get("/-/reload").await.status, 405);
    assert_eq!(doors.get("/nothing").await.status, 404);
}

#[tokio::test]
async fn what_comes_again_by_the_clock_is_listed_with_its_zone_its_last_run_and_the_next_three() {
    let doors = Doors::open("").await;
    let list = doors.get("/api/v1/schedules").await.json();
    let morning = list["items"].as_array().unwrap().iter().find(|item| item["name"] == "morning (UTC)").unwrap();
    assert_eq!(
        *morning,
        json!({
            "kind": "digest",
            "name": "morning (UTC)",
            "cron": "0 8 * * *",
            "zone": "UTC",
            "last_run": null,
            "next": ["2026-11-24T08:00:00.000Z", "2026-11-25T08:00:00.000Z", "2026-11-26T08:00:00.000Z"],
        })
    );
    assert_eq!(doors.get("/api/v1/schedules?kind=digest").await.status, 400);
}

#[tokio::test]
async fn schedules_come_in_parts_by_kind_and_name() {
    let every =
        |name: &str| format!("{{name: {name}, when: ci.id == 'db-1', every: {{cron: \"0 1 * * *\", zone: Europe/Berlin, lasts: 2h}}}}");
    let doors = Doors::open_with("", &format!("silences: [{}, {}]\n", every("b"), every("a"))).await;
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let part = doors.get(&format!("/api/v1/schedules?limit=1{cursor}")).await.json();
        assert_eq!(part["items"].as_array().unwrap().len(), 1, "{part}");
        found.push((part["items"][0]["kind"].clone(), part["items"][0]["name"].clone()));
        let Some(next) = part["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(found, [(json!("digest"), json!("morning (UTC)")), (json!("silence"), json!("a")), (json!("silence"), json!("b"))]);
}

#[tokio::test]
async fn a_step_of_the_wall_clock_is_doubted_until_an_operator_confirms_it() {
    let doors = Doors::open("").await;
    let clock = async |method: &str, path: &str| {
        let told = doors.send(method, path, &[], "").await;
        assert_eq!(told.status, 200);
        told.json()
    };
    assert_eq!(
        clock("GET", "/api/v1/clock").await,
        json!({"now": "2026-11-24T03:00:00.000Z", "wall": "2026-11-24T03:00:00.000Z", "doubted": null})
    );
    assert_eq!(clock("POST", "/api/v1/clock/confirm").await["confirmed"], Value::Null);

    doors.clock.set_wall(doors.clock.wall() + Span::hours(5));
    doors.writer.wake();
    down(&doors, "db-1").await;
    let doubting =
        json!({"now": "2026-11-24T03:00:00.000Z", "wall": "2026-11-24T08:00:00.000Z", "doubted": {"ahead": "5h", "believed_in": "10m"}});
    assert_eq!(clock("GET", "/api/v1/clock").await, doubting);
    let confirmed = json!({"now": "2026-11-24T08:00:00.000Z", "wall": "2026-11-24T08:00:00.000Z", "doubted": null, "confirmed": "5h"});
    assert_eq!(clock("POST", "/api/v1/clock/confirm").await, confirmed);
    let alerts = doors.get("/api/v1/alerts").await.json();
    assert!(alerts["items"].as_array().unwrap().iter().any(|alert| alert["name"] == "ClockStepped"), "{alerts}");
    let schedules = doors.get("/api/v1/schedules").await.json();
    let morning = schedules["items"].as_array().unwrap().iter().find(|item| item["kind"] == "digest").unwrap();
    assert_eq!(morning["last_run"]["first"], json!("2026-11-24T08:00:00.000Z"));
}

#[tokio::test]
async fn the_description_of_the_api_is_served_and_says_something_of_every_endpoint() {
    let doors = Doors::open("").await;
    let document = doors.get("/api/v1/openapi.json").await.json();
    let paths = document["paths"].as_object().unwrap();
    for endpoint in endpoints() {
        let word = endpoint.described.commands.first().map_or("", |commands| commands.words[0]);
        let path = endpoint.path.replace("{command}", word);
        let operation = &paths[&path][endpoint.method.as_str().to_lowercase()];
        assert!(operation["summary"].as_str().is_some_and(|summary| summary.ends_with('.')), "{} {path} has no summary", endpoint.method);
        let answers = operation["responses"].as_object().unwrap();
        assert!(answers.keys().any(|status| status.starts_with(['2', '3'])), "{} {path} describes no answer", endpoint.method);
        let named = path.split('/').filter(|part| part.starts_with('{')).count();
        let parameters = operation["parameters"].as_array().unwrap();
        assert_eq!(parameters.iter().filter(|parameter| parameter["in"] == "path").count(), named, "{} {path}", endpoint.method);
    }
    let incident = &document["components"]["schemas"]["Incident"];
    assert_eq!(incident["properties"]["state"]["$ref"], json!("#/components/schemas/IncidentState"));
    assert_eq!(document["components"]["schemas"]["Problem"]["properties"]["id"]["$ref"], json!("#/components/schemas/ProblemId"));
    let hold = &paths["/api/v1/incidents/{id}/hold"]["post"]["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(hold["required"], json!(["reason"]));
    assert_eq!(hold["properties"]["reason"]["enum"], json!(["waiting_for_customer", "waiting_for_vendor", "waiting_for_change"]));
}

#[tokio::test]
async fn lists_of_several_realms_are_by_time_and_by_urgency_and_not_realm_after_realm() {
    let doors = Doors::open(&format!("{HOOKS}[[webhook]]\nname = \"clinic\"\nformat = \"alertmanager\"\nrealm = \"clinic\"\n")).await;
    let mut opened: Vec<String> = Vec::new();
    for no in 0..9 {
        let host = format!("host-{no}");
        // Two of main, then one of the hook's realm; every fourth is critical.
        let path = if no % 3 == 2 { "/hooks/clinic/api/v2/alerts" } else { "/api/v2/alerts" };
        let severity = if no % 4 == 0 { "critical" } else { "warning" };
        let labels = json!({"alertname": "HostDown", "instance": host, "severity": severity});
        assert_eq!(doors.post(path, &json!([{"labels": labels, "endsAt": "2028-01-01T00:00:00Z"}]).to_string()).await.status, 200);
        opened.push(host);
        doors.pass(Span::minutes(1)).await;
    }
    // Some are past, of either realm.
    for id in ["INC0000001", "INC1-0000001"] {
        for command in ["resolve", "close"] {
            assert_eq!(doors.post(&format!("/api/v1/incidents/{id}/{command}"), "{}").await.status, 200, "{id} {command}");
        }
    }
    let listed = async |path: &str, field: &str| {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let part = doors.get(&format!("{path}{cursor}")).await.json();
            found.extend(part["items"].as_array().unwrap_or_else(|| panic!("{path}{cursor}: {part}")).clone());
            let Some(next) = part["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        found.iter().map(|one| one[field].as_str().unwrap().to_owned()).collect::<Vec<String>>()
    };
    let newest: Vec<String> = opened.iter().rev().cloned().collect();
    for limit in [1, 2, 4, 100] {
        assert_eq!(listed(&format!("/api/v1/incidents?limit={limit}"), "ci").await, newest, "parts of {limit}");
        assert_eq!(listed(&format!("/api/v1/incidents?sort=opened_at&limit={limit}"), "ci").await, opened, "parts of {limit}");
        assert_eq!(listed(&format!("/api/v1/alerts?limit={limit}"), "ci").await, newest, "parts of {limit}");
        let open = listed(&format!("/api/v1/incidents?state=open&limit={limit}"), "ci").await;
        assert_eq!(open, newest.iter().filter(|host| !["host-0", "host-2"].contains(&host.as_str())).cloned().collect::<Vec<_>>());
        let urgent = listed(&format!("/api/v1/incidents?sort=priority&limit={limit}"), "ci").await;
        let (first, rest): (Vec<String>, Vec<String>) =
            newest.iter().cloned().partition(|host| ["host-0", "host-4", "host-8"].contains(&host.as_str()));
        assert_eq!(urgent, [first, rest].concat(), "the most urgent first, then the latest");
    }
}
