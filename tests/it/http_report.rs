//! Incidents that people report and merge, and keys that outlast a crash between a command and its answer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use serde_json::{Value, json};
use watchkeeper_engine::ids::IncidentId;
use watchkeeper_engine::state::State;
use watchkeeper_engine::time::Span;

use super::http_support::{Doors, Told};

async fn report(doors: &Doors, body: Value) -> Told {
    doors.post("/api/v1/incidents", &body.to_string()).await
}

async fn down(doors: &Doors, host: &str) {
    let body = json!([{"labels": {"alertname": "HostDown", "instance": host, "severity": "critical"}, "endsAt": "2027-01-01T00:00:00Z"}]);
    assert_eq!(doors.post("/api/v2/alerts", &body.to_string()).await.status, 200);
}

fn whats(incident: &Value) -> Vec<String> {
    incident["timeline"].as_array().unwrap().iter().map(|entry| entry["what"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn somebody_phones_and_an_incident_without_alerts_is_opened_told_and_resolved_by_hand() {
    let doors = Doors::open("").await;
    let told = report(&doors, json!({"title": "Orders take a minute", "ci": "SHOP", "words": "three customers called"})).await;
    assert_eq!((told.status, told.header("location")), (201, Some("/api/v1/incidents/INC0000001")), "{told:?}");
    let incident = told.json();
    assert_eq!(
        (&incident["title"], &incident["ci"], &incident["ci_known"]),
        (&json!("Orders take a minute"), &json!("shop"), &json!(true))
    );
    assert_eq!((&incident["impact"], &incident["urgency"], &incident["priority"]), (&json!("high"), &json!("medium"), &json!("P2")));
    assert_eq!(incident["services"], json!([{"id": "shop", "tier": "gold", "health": "degraded"}]));
    assert_eq!((&incident["alerts"], &incident["cause"]), (&json!([]), &Value::Null));
    let opened = &incident["timeline"][0];
    assert_eq!((&opened["actor"], &opened["because"]), (&json!("local"), &json!("three customers called")), "{incident}");

    doors.pass(Span::minutes(1)).await;
    let mails = doors.get("/api/v1/outbox?incident=INC0000001").await.json();
    assert_eq!(mails["items"][0]["reason"], json!("opened"), "{mails}");
    assert_eq!(mails["items"][0]["subject"], json!("P2 Orders take a minute [INC0000001]"));
    doors.pass(Span::days(2)).await;
    assert_eq!(doors.get("/api/v1/incidents/INC0000001").await.json()["state"], json!("new"), "nothing that clears ends it");
    for path in ["/api/v1/incidents/INC0000001/explain", "/i/INC0000001"] {
        assert_eq!(doors.get(path).await.status, 200, "{path}");
    }
    let resolved = doors.post("/api/v1/incidents/INC0000001/resolve", r#"{"words":"cache cleared"}"#).await;
    assert_eq!(resolved.json()["state"], json!("resolved"), "{resolved:?}");
}

#[tokio::test]
async fn a_report_says_how_bad_it_is_in_one_of_three_ways() {
    let doors = Doors::open("").await;
    for (grade, priority, by_hand) in [
        (json!({"priority": "P1"}), "P1", true),
        (json!({"impact": "low", "urgency": "low"}), "P5", false),
        (json!({"impact": "high", "urgency": "high"}), "P1", false),
        (json!({}), "P3", false),
    ] {
        let mut body = json!({"title": "It smells", "ci": "rack-7"});
        body.as_object_mut().unwrap().extend(grade.as_object().unwrap().clone());
        let incident = report(&doors, body).await.json();
        assert_eq!((&incident["priority"], &incident["priority_by_hand"]), (&json!(priority), &json!(by_hand)), "{grade}");
        assert_eq!((&incident["ci"], &incident["ci_known"]), (&json!("rack-7"), &json!(false)));
    }
    for (body, said) in [
        (json!({"ci": "shop"}), "title: expected what is wrong, in a sentence, this is nothing"),
        (json!({"title": "x"}), "ci: expected the CI, by its id or an alias"),
        (json!({"title": "x", "ci": "shop", "impact": "high"}), "`impact` and `urgency` together"),
        (json!({"title": "x", "ci": "shop", "impact": "high", "priority": "P1"}), "either `priority`"),
        (json!({"title": "x", "ci": "shop", "priority": "P9"}), "priority: expected one of P1, P2, P3, P4, P5, this is \"P9\""),
        (json!({"title": "x", "ci": "shop", "prioritty": "P1"}), "did you mean `priority`?"),
        (json!({"title": "x".repeat(600), "ci": "shop"}), "title: expected at most 512 bytes"),
    ] {
        let told = report(&doors, body.clone()).await;
        assert_eq!(told.status, 400, "{body}: {told:?}");
        assert!(told.json()["detail"].as_str().unwrap().contains(said), "{body}: {told:?}");
    }
    assert_eq!(doors.get("/api/v1/incidents").await.json()["items"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn merged_incidents_are_children_and_their_alerts_the_parents() {
    let doors = Doors::open("").await;
    report(&doors, json!({"title": "The hall is dark", "ci": "hall"})).await;
    down(&doors, "h-2").await;
    down(&doors, "h-3").await;
    let merge = async |body: Value| doors.post("/api/v1/incidents/INC0000001/merge", &body.to_string()).await;
    for (children, said) in [
        (json!(["INC0000001"]), "INC0000001 is none"),
        (json!(["INC0000099"]), "INC0000099 is none"),
        (json!([]), "1 to 100 incidents"),
        (json!(["x"]), "children[0]: expected an id such as INC0000042"),
        (json!([7]), "a number"),
    ] {
        let told = merge(json!({"children": children})).await;
        assert_eq!(told.status, 400, "{children}: {told:?}");
        assert!(told.json()["detail"].as_str().unwrap().contains(said), "{children}: {told:?}");
    }
    let merged = merge(json!({"children": ["INC0000002", "INC0000003"]})).await;
    assert_eq!(merged.status, 200, "{merged:?}");
    let parent = merged.json();
    assert_eq!(parent["children"], json!(["INC0000002", "INC0000003"]));
    assert_eq!(parent["alerts"].as_array().unwrap().iter().filter(|alert| alert["left_at"].is_null()).count(), 2);
    let child = doors.get("/api/v1/incidents/INC0000002").await.json();
    assert_eq!(child["parent"], json!("INC0000001"));
    assert!(whats(&child).contains(&"became a child of INC0000001".to_owned()), "{child}");
    assert_eq!(merge(json!({"children": "INC0000002,INC0000003"})).await.json()["version"], parent["version"], "it holds already");
    report(&doors, json!({"title": "Dark too", "ci": "hall"})).await;
    assert_eq!(merge(json!({"children": ["INC0000004"]})).await.json()["children"].as_array().unwrap().len(), 3, "without alerts too");
    doors.post("/api/v1/incidents/INC0000001/resolve", "").await;
    for child in ["INC0000002", "INC0000004"] {
        assert_eq!(doors.get(&format!("/api/v1/incidents/{child}")).await.json()["state"], json!("resolved"), "{child}");
    }
}

#[tokio::test]
async fn a_batch_does_one_command_to_as_many_incidents_as_were_expected_or_to_none() {
    let doors = Doors::open("").await;
    for host in ["db-1", "db-2", "h-3", "h-4"] {
        down(&doors, host).await;
    }
    doors.post("/api/v1/incidents/INC0000004/resolve", "").await;
    let batch = async |query: &str, body: Value| doors.post(&format!("/api/v1/incidents:batch{query}"), &body.to_string()).await;
    let refused = batch("?state=open", json!({"command": "acknowledge", "expect_count": 4})).await;
    assert_eq!((refused.status, &refused.json()["count"]), (409, &json!(3)), "{refused:?}");
    assert_eq!(doors.get("/api/v1/incidents?state=new").await.json()["items"].as_array().unwrap().len(), 3, "nothing was done");

    let done = batch("?state=open&owner=dba", json!({"command": "note", "text": "reboot tonight", "expect_count": 2})).await.json();
    assert_eq!((&done["count"], &done["changed"]), (&json!(2), &json!(2)), "{done}");
    for (id, notes) in [("INC0000001", 1), ("INC0000002", 1), ("INC0000003", 0)] {
        let incident = doors.get(&format!("/api/v1/incidents/{id}")).await.json();
        assert_eq!(whats(&incident).iter().filter(|what| *what == "note").count(), notes, "{id}");
    }
    let some = batch("", json!({"command": "acknowledge", "ids": ["INC0000003", "INC0000004", "INC0000099"]})).await.json();
    assert_eq!(some["changed"], json!(1));
    assert_eq!(some["items"][0]["done"], json!(true));
    assert_eq!((&some["items"][1]["why"], &some["items"][2]["why"]), (&json!("it is resolved"), &json!("no such incident lives")));

    for (query, body, said) in [
        ("", json!({"command": "acknowledge"}), "either `ids`, or filters"),
        ("?state=open", json!({"command": "acknowledge", "ids": ["INC0000001"]}), "either `ids`, or filters"),
        ("?state=open", json!({"command": "acknowledge"}), "expect_count: expected how many"),
        ("?state=open", json!({"command": "acknowledge", "expect_count": "3"}), "expect_count: expected a number"),
        ("?stat=open", json!({"command": "acknowledge", "expect_count": 3}), "did you mean `state`?"),
        ("", json!({"command": "acknowlege", "ids": ["INC0000001"]}), "did you mean `acknowledge`?"),
        ("", json!({"command": "merge", "ids": ["INC0000001"]}), "unknown command"),
        ("", json!({"command": "note", "ids": ["INC0000001"]}), "text: expected the text of the note"),
        ("", json!({"command": "note", "ids": ["INC1", "x"], "text": "y"}), "ids[1]: expected an id such as INC0000042, this is \"x\""),
    ] {
        let told = batch(query, body.clone()).await;
        assert_eq!(told.status, 400, "{query} {body}: {told:?}");
        assert!(told.json()["detail"].as_str().unwrap().contains(said), "{query} {body}: {told:?}");
    }
}

/// Holds the writer between the commit of a note and whatever comes after it, and copies the store there.
async fn crash_after_the_note(doors: &Arc<Doors>, send: impl Future<Output = Told>) -> (tempfile::TempDir, Told) {
    let entries = |state: &State| state.incidents.get(&IncidentId(1)).map_or(0, |incident| incident.timeline_len);
    let before = doors.writer.ask(move |state, _, _| entries(state)).await.unwrap();
    let (reached, at_the_note) = mpsc::channel();
    let (go_on, waits) = mpsc::channel::<()>();
    let (waits, over) = (Arc::new(Mutex::new(Some(waits))), Arc::new(AtomicBool::new(false)));
    let asking: Vec<_> = (0..8)
        .map(|_| {
            let (writer, waits, reached, over) = (doors.writer.clone(), waits.clone(), reached.clone(), over.clone());
            tokio::task::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    let (waits, reached) = (waits.clone(), reached.clone());
                    let look = move |state: &State, _: &_, _| {
                        if entries(state) > before
                            && let Some(waits) = waits.lock().unwrap().take()
                        {
                            reached.send(()).unwrap();
                            waits.recv().ok();
                        }
                    };
                    writer.ask(look).await.ok();
                }
            })
        })
        .collect();
    let copying = {
        let (doors, over) = (doors.clone(), over.clone());
        tokio::task::spawn_blocking(move || {
            at_the_note.recv().unwrap();
            let copy = doors.crashed();
            over.store(true, Ordering::Relaxed);
            go_on.send(()).unwrap();
            copy
        })
    };
    let told = send.await;
    for one in asking {
        one.await.unwrap();
    }
    (copying.await.unwrap(), told)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_between_a_command_and_its_answer_does_not_do_it_twice() {
    let doors = Arc::new(Doors::open("").await);
    down(&doors, "h-1").await;
    let (path, key) = ("/api/v1/incidents/INC0000001/note", [("idempotency-key", "k-1")]);
    let note = r#"{"text":"once"}"#;
    let (copy, first) = crash_after_the_note(&doors, doors.send("POST", path, &key, note)).await;
    assert_eq!(first.status, 200);

    let restarted = Doors::open_in(copy, "").await;
    let notes = async || whats(&restarted.get("/api/v1/incidents/INC0000001").await.json()).iter().filter(|what| *what == "note").count();
    assert_eq!(notes().await, 1, "the note was on disk");
    assert_eq!(restarted.send("POST", path, &key, r#"{"text":"other"}"#).await.status, 422, "the key is bound to its request");
    for _ in 0..2 {
        let again = restarted.send("POST", path, &key, note).await;
        assert_eq!((again.status, again.header("idempotent-replayed")), (200, Some("true")), "{again:?}");
        assert_eq!((&again.json()["id"], notes().await), (&json!("INC0000001"), 1));
    }
}

#[tokio::test]
async fn a_report_sent_twice_with_one_key_opens_one_incident() {
    let doors = Doors::open("").await;
    let body = json!({"title": "Dark", "ci": "hall"}).to_string();
    let first = doors.send("POST", "/api/v1/incidents", &[("idempotency-key", "k")], &body).await;
    let again = doors.send("POST", "/api/v1/incidents", &[("idempotency-key", "k")], &body).await;
    assert_eq!((first.status, again.status, &first.body), (201, 201, &again.body));
    assert_eq!(doors.get("/api/v1/incidents").await.json()["items"].as_array().unwrap().len(), 1);
}
