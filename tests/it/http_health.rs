//! How a CI was, over HTTP: its history from the store, how it is from the board, and the sum of both.

use serde_json::Value;
use watchkeeper_engine::time::Span;

use super::http_support::Doors;

async fn fire(doors: &Doors, name: &str, instance: &str, ends: &str) {
    let alert = serde_json::json!([{"labels": {"alertname": name, "instance": instance, "severity": "critical"}, "endsAt": ends}]);
    assert_eq!(doors.post("/api/v2/alerts", &alert.to_string()).await.status, 200);
}

const NEVER: &str = "2028-01-01T00:00:00Z";

fn words(history: &Value) -> Vec<String> {
    let one = |change: &Value| {
        format!(
            "{} > {}: {}",
            change["from"].as_str().unwrap(),
            change["to"].as_str().unwrap_or("gone"),
            change["because"].as_str().unwrap()
        )
    };
    history["items"].as_array().unwrap_or_else(|| panic!("{history}")).iter().map(one).collect()
}

#[tokio::test]
async fn the_history_of_a_service_says_what_took_it_down_and_for_how_long() {
    let doors = Doors::open("").await;
    let sound = doors.get("/api/v1/cis/shop/health").await.json();
    assert_eq!((sound["health"].as_str(), &sound["since"], words(&sound).len()), (Some("ok"), &Value::Null, 0), "{sound}");
    doors.pass(Span::hours(1)).await;
    fire(&doors, "DeviceDown", "sw-1", NEVER).await;
    // Before the answer, as everything on the board.
    let shop = doors.get("/api/v1/cis/shop").await.json();
    assert_eq!(shop["health"], "down", "{shop}");
    doors.pass(Span::hours(2)).await;
    fire(&doors, "DeviceDown", "sw-1", "2026-11-24T03:00:00Z").await;
    doors.pass(Span::hours(1)).await;
    let history = doors.get("/api/v1/cis/SHOP/health").await.json();
    assert_eq!(
        words(&history),
        ["down > ok: DeviceDown on sw-1 ended", "ok > down: DeviceDown fires on sw-1, whose fault reaches it"],
        "{history}"
    );
    let down = &history["items"][1];
    assert_eq!(
        (down["alert"].as_str(), down["incident"].as_str(), down["realm"].as_str()),
        (Some("ALR0000001"), Some("INC0000001"), Some("main"))
    );
    let spent = &history["spent"];
    let seconds = |what: &str| spent[what].as_f64().unwrap();
    assert!((seconds("down_seconds") - 7_200.0).abs() < 2.0 && (seconds("ok_seconds") - 7_200.0).abs() < 2.0, "{history}");
    assert!((spent["available_percent"].as_f64().unwrap() - 50.0).abs() < 0.1, "{history}");
    // A part at a time, in both orders, and only what lies between two moments.
    let (mut parts, mut cursor) = (Vec::new(), String::new());
    loop {
        let part = doors.get(&format!("/api/v1/cis/shop/health?limit=1&sort=at{cursor}")).await.json();
        parts.extend(words(&part));
        match part["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(parts, words(&history).into_iter().rev().collect::<Vec<_>>());
    let at = |n: usize| history["items"][n]["at"].as_str().unwrap().to_owned();
    let between = doors.get(&format!("/api/v1/cis/shop/health?from={}&to={}", at(1), at(0))).await.json();
    assert_eq!(words(&between).len(), 1, "{between}");
    assert_eq!(between["spent"]["available_percent"], 0.0, "{between}");
    for (query, place) in [("from=yesterday", "from"), ("to=2026-11-01T00:00:00Z&from=2026-11-02T00:00:00Z", "from"), ("sort=up", "sort")] {
        let told = doors.get(&format!("/api/v1/cis/shop/health?{query}")).await;
        assert_eq!(told.status, 400, "{query} {place}: {}", told.json());
    }
    assert_eq!(doors.get("/api/v1/cis/nowhere/health").await.status, 404);
    assert_eq!(words(&doors.get("/api/v1/cis/shop/health?realm=clinic").await.json()).len(), 0);
    let events = doors.get("/api/v1/events?after=0&wait=0").await.json();
    let of_shop: Vec<&Value> =
        events["items"].as_array().unwrap().iter().filter(|event| event["kind"] == "ci" && event["subject"] == "shop").collect();
    assert_eq!(of_shop.iter().map(|event| event["what"].as_str().unwrap()).collect::<Vec<_>>(), ["down, was ok", "ok, was down"]);
}

#[tokio::test]
async fn lists_of_cis_say_how_they_are_and_can_be_asked_for_it() {
    let doors = Doors::open("").await;
    fire(&doors, "DeviceDown", "sw-1", NEVER).await;
    let list = |query: &'static str| {
        let doors = &doors;
        async move {
            let list = doors.get(&format!("/api/v1/cis?{query}")).await.json();
            let one = |ci: &Value| format!("{} {}", ci["id"].as_str().unwrap(), ci["health"].as_str().unwrap());
            list["items"].as_array().unwrap_or_else(|| panic!("{list}")).iter().map(one).collect::<Vec<_>>()
        }
    };
    assert_eq!(list("").await, ["db-1 down", "db-2 down", "shop down", "sw-1 down"]);
    assert_eq!(list("health=ok,at_risk").await, Vec::<String>::new());
    fire(&doors, "DeviceDown", "sw-1", "2026-11-24T03:00:00Z").await;
    fire(&doors, "HostDown", "db-2", NEVER).await;
    assert_eq!(list("health=down").await, ["db-2 down"]);
    assert_eq!(list("health=ok").await, ["db-1 ok", "shop ok", "sw-1 ok"]);
    let causes = doors.get("/api/v1/cis/shop/causes").await.json();
    assert_eq!(causes["items"].as_array().unwrap().iter().map(|item| item["ci"].as_str().unwrap()).collect::<Vec<_>>(), ["db-1", "sw-1"]);
    let impact = doors.get("/api/v1/cis/db-1/impact").await.json();
    assert_eq!(impact["services"][0]["id"], "shop", "{impact}");
}
