//! `/api/v1/silences`: silences of operators by our own API, and by either of their ids.

use serde_json::{Value, json};
use watchkeeper_engine::time::Span;

use super::http_support::Doors;

async fn made(doors: &Doors, body: Value) -> Value {
    let told = doors.post("/api/v1/silences", &body.to_string()).await;
    assert_eq!(told.status, 201, "{told:?}");
    assert_eq!(told.header("location"), Some(format!("/api/v1/silences/{}", told.json()["id"].as_str().unwrap()).as_str()));
    told.json()
}

#[tokio::test]
async fn a_silence_is_made_shown_by_both_ids_changed_and_ended() {
    let doors = Doors::open("").await;
    let alert = json!([{"labels": {"alertname": "DiskFull", "instance": "db-1"}, "endsAt": "2027-01-01T00:00:00Z"}]);
    doors.post("/api/v2/alerts", &alert.to_string()).await;
    let body = json!({
        "matchers": ["alertname=\"DiskFull\"", "instance=~\"db-.*\""], "for": "2h", "comment": "OPS-311", "annotations": {"ticket": "OPS-311"},
    });
    let silence = made(&doors, body).await;
    let uuid = silence["uuid"].as_str().unwrap();
    assert_eq!(
        silence,
        json!({
            "id": "SIL0000001", "uuid": uuid, "version": 1, "state": "active",
            "matchers": ["alertname=\"DiskFull\"", "instance=~\"db-.*\""],
            "starts_at": "2026-11-24T03:00:00.000Z", "ends_at": "2026-11-24T05:00:00.000Z",
            "created_by": "local", "comment": "OPS-311", "annotations": {"ticket": "OPS-311"}, "updated_at": "2026-11-24T03:00:00.000Z",
        })
    );
    doors.pass(Span::seconds(1)).await;
    assert_eq!(doors.get("/api/v2/alerts").await.json()[0]["status"]["silencedBy"], json!([uuid]));
    assert_eq!(doors.get(&format!("/api/v2/silence/{uuid}")).await.json()["annotations"], json!({"ticket": "OPS-311"}));
    for id in ["SIL0000001", "sil1", uuid, &uuid.to_uppercase()] {
        assert_eq!(doors.get(&format!("/api/v1/silences/{id}")).await.json(), silence, "{id}");
    }

    let changed = doors.post("/api/v1/silences/SIL0000001/change", r#"{"for": "3h"}"#).await;
    assert_eq!((changed.status, changed.header("etag")), (200, Some("\"2\"")));
    let changed = changed.json();
    assert_eq!(
        (&changed["id"], &changed["ends_at"], &changed["comment"]),
        (&silence["id"], &json!("2026-11-24T06:00:01.000Z"), &silence["comment"])
    );
    assert_eq!(changed["annotations"], silence["annotations"], "what a change does not name stays");
    let stale = doors.send("POST", &format!("/api/v1/silences/{uuid}/change"), &[("if-match", "\"1\"")], r#"{"comment": "x"}"#).await;
    assert_eq!((stale.status, &stale.json()["current"]["version"]), (412, &json!(2)));
    for _ in 0..2 {
        let over = doors.post(&format!("/api/v1/silences/{uuid}/expire"), "").await;
        assert_eq!((over.status, &over.json()["state"]), (200, &json!("expired")));
    }
    doors.pass(Span::seconds(1)).await;
    assert_eq!(doors.get("/api/v2/alerts").await.json()[0]["status"]["silencedBy"], json!([]));
    let another = doors.post("/api/v1/silences/SIL0000001/change", r#"{"for": "3h"}"#).await.json();
    assert_eq!((&another["id"], &another["state"]), (&json!("SIL0000002"), &json!("active")), "what is over stays over");
}

#[tokio::test]
async fn a_list_of_silences_is_narrowed_and_comes_in_parts() {
    let doors = Doors::open("").await;
    for no in 0..4 {
        let starts = if no == 3 { "2026-11-24T04:00:00Z" } else { "2026-11-24T03:00:00Z" };
        let body =
            json!({"matchers": [format!("instance=\"db-{no}\"")], "starts_at": starts, "for": "2h", "comment": format!("works {no}")});
        made(&doors, body).await;
    }
    doors.post("/api/v1/silences/SIL0000001/expire", "").await;
    let ids = async |query: &str| -> Vec<String> {
        let list = doors.get(&format!("/api/v1/silences?{query}")).await.json();
        list["items"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids("").await, ["SIL0000004", "SIL0000003", "SIL0000002", "SIL0000001"]);
    assert_eq!(ids("state=active,pending&sort=id").await, ["SIL0000002", "SIL0000003", "SIL0000004"]);
    assert_eq!(ids("state=pending").await, ["SIL0000004"]);
    assert_eq!(ids("q=DB-2").await, ["SIL0000003"]);
    assert_eq!(ids("q=works%201").await, ["SIL0000002"]);
    let first = doors.get("/api/v1/silences?limit=3").await.json();
    assert_eq!(ids(&format!("limit=3&cursor={}", first["next"].as_str().unwrap())).await, ["SIL0000001"]);
}

#[tokio::test]
async fn a_silence_that_is_wrong_is_refused_with_its_place() {
    let doors = Doors::open("").await;
    for (body, place) in [
        (json!({"matchers": ["alertname"], "for": "2h", "comment": "c"}), "matchers[0]"),
        (json!({"matchers": ["a=~\"(\""], "for": "2h", "comment": "c"}), "matchers[0]"),
        (json!({"matchers": [], "for": "2h", "comment": "c"}), "matchers"),
        (json!({"matchers": ["a=\"\""], "for": "2h", "comment": "c"}), "matchers"),
        (json!({"matchers": ["a=\"b\""], "comment": "c"}), "ends_at"),
        (json!({"matchers": ["a=\"b\""], "for": "2h", "ends_at": "2026-11-25T00:00:00Z", "comment": "c"}), "for"),
        (json!({"matchers": ["a=\"b\""], "ends_at": "2026-11-24T02:00:00Z", "comment": "c"}), "ends_at"),
        (json!({"matchers": ["a=\"b\""], "for": "2h"}), "comment"),
        (json!({"matchers": ["a=\"b\""], "for": "2h", "commment": "c"}), "commment"),
    ] {
        let told = doors.post("/api/v1/silences", &body.to_string()).await;
        assert_eq!((told.status, told.json()["place"].as_str()), (400, Some(place)), "{body}: {told:?}");
    }
    assert_eq!(doors.get("/api/v1/silences").await.json()["items"], json!([]));
    for id in ["SIL0000001", "nothing", "6e1ed1a7-0000-4000-8000-000000000000"] {
        assert_eq!(doors.get(&format!("/api/v1/silences/{id}")).await.status, 404);
        assert_eq!(doors.post(&format!("/api/v1/silences/{id}/expire"), "").await.status, 404);
    }
    assert_eq!(doors.post("/api/v1/silences/SIL0000001/explode", "").await.status, 404);
}
