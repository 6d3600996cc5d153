//! Problems over HTTP: lists, records, commands that may be given twice, the page, and where incidents and metrics name them.

use serde_json::{Value, json};
use watchkeeper_engine::time::Span;

use super::http_support::Doors;

async fn outage(doors: &Doors) {
    let alert = |ends: &str| json!([{"labels": {"alertname": "HostDown", "instance": "flaky-1", "severity": "critical"}, "endsAt": ends}]);
    assert_eq!(doors.post("/api/v2/alerts", &alert("2028-01-01T00:00:00Z").to_string()).await.status, 200);
    doors.pass(Span::minutes(10)).await;
    doors.pass(Span::minutes(10)).await;
    assert_eq!(doors.post("/api/v2/alerts", &alert("2026-11-24T03:00:00Z").to_string()).await.status, 200);
    for _ in 0..24 {
        doors.pass(Span::hours(4)).await;
    }
}

#[tokio::test]
async fn what_keeps_coming_back_is_listed_shown_commanded_and_told() {
    let doors = Doors::open("").await;
    outage(&doors).await;
    assert_eq!(doors.get("/api/v1/problems").await.json(), json!({"items": [], "next": null}));
    outage(&doors).await;
    let list = doors.get("/api/v1/problems?state=open&rule=flaky&ci=FLAKY-1").await.json();
    let problem = &list["items"][0];
    assert_eq!((&problem["id"], &problem["state"], &problem["incident_count"]), (&json!("PRB0000001"), &json!("new"), &json!(2)), "{list}");
    assert_eq!(doors.get("/api/v1/problems?state=closed").await.json()["items"], json!([]));
    assert_eq!(doors.get("/api/v1/problems?state=opn").await.status, 400);

    let whole = doors.get("/api/v1/problems/PRB0000001").await;
    let version = whole.header("etag").unwrap().to_owned();
    let whole = whole.json();
    let last = whole["outages"][1]["incident"].as_str().unwrap().to_owned();
    assert!(whole["outages"].as_array().unwrap().iter().all(|outage| outage["ended_at"] != Value::Null), "{whole}");
    assert_eq!(doors.get(&format!("/api/v1/incidents/{last}")).await.json()["problem"], json!("PRB0000001"));
    let mails = doors.get("/api/v1/outbox?reason=problem_opened").await.json();
    assert_eq!((&mails["items"][0]["problem"], &mails["items"][0]["incident"]), (&json!("PRB0000001"), &Value::Null), "{mails}");
    assert!(doors.get("/metrics").await.body.contains("watchkeeper_problems_open{state=\"new\"} 1"));

    let command = |word: &'static str, headers: Vec<(&'static str, String)>, body: &'static str| {
        let doors = &doors;
        async move {
            let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            doors.send("POST", &format!("/api/v1/problems/PRB0000001/{word}"), &headers, body).await
        }
    };
    let assigned = command("assign", vec![("if-match", version.clone())], r#"{"to":"anna"}"#).await;
    assert_eq!((assigned.status, &assigned.json()["state"]), (200, &json!("investigating")), "{assigned:?}");
    assert_eq!(command("assign", vec![("if-match", version.clone())], r#"{"to":"anna"}"#).await.status, 200, "it holds already");
    let stale = command("note", vec![("if-match", version)], r#"{"text":"x"}"#).await;
    assert_eq!((stale.status, &stale.json()["current"]["assignee"]), (412, &json!("anna")), "{stale:?}");
    assert_eq!(command("known_error", vec![], "{}").await.status, 400, "a workaround is needed");
    let known = command("known_error", vec![], r#"{"workaround":"restart <b>it</b>"}"#).await.json();
    assert_eq!((&known["state"], &known["workaround"]), (&json!("known_error"), &json!("restart <b>it</b>")));
    assert_eq!(command("fix", vec![], r#"{"words":"new disk"}"#).await.json()["state"], json!("fix_in_progress"));
    assert_eq!(command("resolve", vec![], r#"{"words":"changed"}"#).await.json()["resolution"], json!("changed"));
    let refused = command("fix", vec![], "{}").await;
    assert_eq!((refused.status, &refused.json()["allowed"]), (409, &json!(["note", "investigate", "close"])), "{refused:?}");
    assert_eq!(command("mend", vec![], "{}").await.status, 404);
    let page = doors.get("/i/PRB0000001").await;
    assert_eq!(page.status, 200);
    for part in ["PROBLEM RESOLVED", "restart &#60;b&#62;it", &last, "new disk", "anna"] {
        assert!(page.body.contains(part), "{part}: {}", page.body);
    }
    assert_eq!(doors.get("/i/PRB0000009").await.status, 404);

    assert_eq!(command("close", vec![], r#"{"words":"accepted"}"#).await.json()["state"], json!("closed"));
    assert_eq!(command("close", vec![], "{}").await.status, 200, "what is past is closed already");
    assert_eq!(command("note", vec![], r#"{"text":"x"}"#).await.status, 409);
    let closed = doors.get("/api/v1/problems/PRB0000001").await.json();
    let whats: Vec<&str> = closed["timeline"].as_array().unwrap().iter().map(|entry| entry["what"].as_str().unwrap()).collect();
    assert_eq!(whats.last(), Some(&"closed"), "{whats:?}");
    assert_eq!(doors.get("/api/v1/problems").await.json()["items"][0]["state"], json!("closed"), "what is past stays in lists");
    assert!(doors.get("/metrics").await.body.contains("watchkeeper_problems_open{state=\"resolved\"} 0"));
}

#[tokio::test]
async fn a_problem_is_handled_on_its_page_by_whoever_has_the_page() {
    let doors = Doors::open("").await;
    outage(&doors).await;
    outage(&doors).await;
    let field = |page: &str, name: &str| {
        let from = page.split_once(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("no field {name}: {page}")).1;
        from.split_once('"').unwrap().0.to_owned()
    };
    let press = async |word: &str, form: &str| {
        let page = doors.get("/i/PRB0000001").await.body;
        let form = format!("version={}&token={}{form}", field(&page, "version"), field(&page, "token"));
        let headers = [("content-type", "application/x-www-form-urlencoded"), ("origin", "http://localhost")];
        doors.send("POST", &format!("/i/PRB0000001/{word}"), &headers, form).await
    };
    for (word, form, state) in [
        ("investigate", "", "investigating"),
        ("assign", "&to=anna", "investigating"),
        ("known_error", "&workaround=restart+it", "known_error"),
        ("fix", "&words=new+disk", "fix_in_progress"),
        ("resolve", "&words=changed", "resolved"),
    ] {
        let told = press(word, form).await;
        let to = format!("/i/PRB0000001?done={word}");
        assert_eq!((told.status, told.header("location")), (303, Some(to.as_str())), "{told:?}");
        assert!(doors.get(&to).await.body.contains(&format!("done: {}", word.replace('_', " "))), "{word}");
        assert_eq!(doors.get("/api/v1/problems/PRB0000001").await.json()["state"], json!(state), "{word}");
    }
    let page = doors.get("/i/PRB0000001").await.body;
    for part in ["restart it", "new disk", "<dt>Notified</dt><dd>", "action=\"/i/PRB0000001/close\""] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("action=\"/i/PRB0000001/fix\""), "what its state does not allow is not offered: {page}");
    let refused = press("fix", "").await;
    assert_eq!(refused.status, 409, "{refused:?}");
    assert!(refused.body.contains("class=\"notice fault\"") && refused.body.contains("it is resolved; allowed there"), "{refused:?}");
    assert_eq!(press("known_error", "&workaround=").await.status, 400);
    assert_eq!(press("acknowledge", "").await.status, 404, "a word of incidents");
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("origin", "http://localhost")];
    let forged = doors.send("POST", "/i/PRB0000001/close", &headers, "version=1&token=x").await;
    assert_eq!(forged.status, 403, "{forged:?}");
    let told = doors.get("/api/v1/problems/PRB0000001").await.json()["told"].clone();
    assert!(told.as_array().unwrap().iter().any(|told| told["reason"] == "problem_opened"), "{told}");
}
