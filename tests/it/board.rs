//! The board: after every commit it is what the memory says, whatever happened, and it is there before the answer.

use serde_json::{Value, json};
use watchkeeper::board::Board;
use watchkeeper_engine::ids::IncidentId;
use watchkeeper_engine::time::Span;

use super::http_support::Doors;

/// A sequence of numbers that looks like chance and is the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

async fn the_board_is_what_memory_says(doors: &Doors, step: &str) {
    // Between two batches: what is published is the state that is asked.
    let current = doors.current.clone();
    let (published, built) = doors.writer.ask(move |state, _, _| (current.load_full(), Board::of(state))).await.unwrap();
    assert_eq!(published.board.incidents, built.incidents, "after {step}");
    assert_eq!(published.board.alerts, built.alerts, "after {step}");
    assert!(published.board == built, "after {step}");
}

async fn one_step(doors: &Doors, dice: &mut Dice) -> String {
    let hosts = ["sw-1", "db-1", "db-2", "shop", "nowhere-1", "nowhere-2", "flaky-1"];
    let host = hosts[dice.below(hosts.len() as u64) as usize];
    let open: Vec<Value> = doors.get("/api/v1/incidents?state=open").await.json()["items"].as_array().unwrap().clone();
    let any = |dice: &mut Dice| {
        open.get(dice.below(open.len().max(1) as u64) as usize).and_then(|one| one["id"].as_str()).unwrap_or("INC0000001").to_owned()
    };
    match dice.below(12) {
        0..=4 => {
            let ends = if dice.below(3) == 0 { "2026-11-24T03:00:00Z" } else { "2028-01-01T00:00:00Z" };
            let name = ["HostDown", "DiskFull", "Slow"][dice.below(3) as usize];
            let severity = ["critical", "warning"][dice.below(2) as usize];
            let labels = json!({"alertname": name, "instance": host, "severity": severity});
            doors.post("/api/v2/alerts", &json!([{"labels": labels, "endsAt": ends}]).to_string()).await;
            format!("{name} on {host} until {ends}")
        }
        5 => {
            let id = any(dice);
            doors.post(&format!("/api/v1/incidents/{id}/acknowledge"), "{}").await;
            format!("acknowledge of {id}")
        }
        6 => {
            let (id, other) = (any(dice), any(dice));
            doors.post(&format!("/api/v1/incidents/{id}/merge"), &json!({"children": [other]}).to_string()).await;
            format!("merge of {other} into {id}")
        }
        7 => {
            let id = any(dice);
            doors.post(&format!("/api/v1/incidents/{id}/resolve"), "{\"words\": \"Restarted it\"}").await;
            format!("resolve of {id}")
        }
        8 => {
            let id = any(dice);
            doors.post(&format!("/api/v1/incidents/{id}/close"), "{}").await;
            format!("close of {id}")
        }
        9 => {
            let silence = json!({"matchers": [{"name": "instance", "value": host, "isRegex": false}], "startsAt": "2026-11-24T03:00:00Z",
                "endsAt": "2027-11-24T03:00:00Z", "createdBy": "anna", "comment": "quiet"});
            let told = doors.post("/api/v2/silences", &silence.to_string()).await;
            if dice.below(2) == 0 && told.status == 200 {
                let id = told.json()["silenceID"].as_str().unwrap().to_owned();
                doors.send("DELETE", &format!("/api/v2/silence/{id}"), &[], "").await;
            }
            format!("a silence of {host}")
        }
        10 => {
            doors.pass(Span::minutes(10)).await;
            "ten minutes".to_owned()
        }
        _ => {
            doors.pass(Span::hours(20)).await;
            "a day".to_owned()
        }
    }
}

#[tokio::test]
async fn the_board_is_what_memory_says_whatever_happens() {
    let doors = Doors::open("").await;
    let mut dice = Dice(7);
    for at in 0..250 {
        let what = one_step(&doors, &mut dice).await;
        the_board_is_what_memory_says(&doors, &format!("step {at}: {what}")).await;
    }
    let board = doors.current.load_full();
    assert!(board.board.incidents.len() > 2 && board.board.alerts.len() > 3, "the steps left something to compare");
}

#[tokio::test]
async fn what_was_answered_is_on_the_board() {
    let doors = Doors::open("").await;
    for no in 1..=20 {
        let alert = json!([{"labels": {"alertname": "HostDown", "instance": format!("host-{no}"), "severity": "critical"}}]);
        assert_eq!(doors.post("/api/v2/alerts", &alert.to_string()).await.status, 200);
        assert_eq!(doors.current.load().board.alerts.len(), no, "before the answer, not after it");
        assert_eq!(doors.current.load().board.alerts.unmatched_values(), no);
    }
    let id: IncidentId = "INC0000001".parse().unwrap();
    let told = doors.post("/api/v1/incidents/INC0000001/assign", "{\"to\": \"anna\"}").await;
    assert_eq!(told.status, 200);
    assert_eq!(doors.current.load().board.incidents.get(id).unwrap().incident.assignee, "anna");
    assert_eq!(doors.current.load().board.incidents.get(id).unwrap().incident.version, told.json()["version"].as_u64().unwrap());
}

#[tokio::test]
async fn a_list_says_which_alerts_have_cleared_and_when_it_auto_resolves() {
    let doors = Doors::open("").await;
    let cleared = async |host: &str, ends: &str| {
        let labels = json!({"alertname": "HostDown", "instance": host, "severity": "critical"});
        assert_eq!(doors.post("/api/v2/alerts", &json!([{"labels": labels, "endsAt": ends}]).to_string()).await.status, 200);
        let list = doors.get("/api/v1/incidents?state=open,resolved").await.json();
        assert_eq!(list["items"].as_array().unwrap().len(), 1, "{list}");
        assert_eq!(doors.get("/api/v1/incidents/INC0000001").await.json()["cleared"], list["items"][0]["cleared"]);
        list["items"][0]["cleared"].clone()
    };
    let (fires, ends) = ("2028-01-01T00:00:00Z", "2026-11-24T03:00:00Z");
    let of = |alerts: u32, of: u32| json!({"alerts": alerts, "of": of, "auto_resolves_at": null});
    assert_eq!(cleared("sw-1", fires).await, of(0, 1));
    assert_eq!(cleared("db-1", fires).await, of(0, 2));
    assert_eq!(cleared("db-2", fires).await, of(0, 3));
    // Nothing but this count changes.
    assert_eq!(cleared("db-2", ends).await, of(1, 3));
    assert_eq!(cleared("db-2", fires).await, of(0, 3));
    assert_eq!(cleared("db-2", ends).await, of(1, 3));
    assert_eq!(cleared("db-1", ends).await, of(2, 3));
    let all = cleared("sw-1", ends).await;
    assert_eq!((&all["alerts"], &all["of"]), (&json!(3), &json!(3)), "{all}");
    assert_eq!(all["auto_resolves_at"], "2026-11-24T03:05:00.000Z", "{all}");
    let page = doors.get("/i/INC0000001").await.body;
    assert!(page.contains("<dt>Alerts</dt><dd>all 3 cleared, auto-resolves at 03:05.</dd>"), "{page}");

    doors.pass(Span::minutes(6)).await;
    let list = doors.get("/api/v1/incidents?state=resolved").await.json();
    assert_eq!(list["items"][0]["cleared"], of(3, 3), "what is resolved resolves no more: {list}");
    doors.pass(Span::days(10)).await;
    let list = doors.get("/api/v1/incidents?state=closed").await.json();
    assert_eq!((&list["items"][0]["cleared"], &list["items"][0]["alert_count"]), (&Value::Null, &json!(3)), "{list}");
}

/// The ids of a list, all parts of it, three records a part.
async fn listed(doors: &Doors, query: &str) -> Vec<String> {
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let part = doors.get(&format!("/api/v1/incidents?limit=3&{query}{cursor}")).await.json();
        ids.extend(
            part["items"].as_array().unwrap_or_else(|| panic!("{query}: {part}")).iter().map(|one| one["id"].as_str().unwrap().to_owned()),
        );
        match part["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return ids,
        }
    }
}

#[tokio::test]
async fn lists_by_index_hold_what_a_look_at_every_incident_holds() {
    let doors = Doors::open("").await;
    let mut dice = Dice(11);
    for _ in 0..120 {
        one_step(&doors, &mut dice).await;
    }
    let all = doors.get("/api/v1/incidents?limit=1000&children=true").await.json();
    let all: Vec<Value> = all["items"].as_array().unwrap().clone();
    assert!(all.iter().any(|one| one["state"] == "closed") && all.iter().any(|one| one["state"] != "closed"), "both tables are read");
    let has = |one: &Value, what: &str, word: &str| one[what].as_str().unwrap_or_default().to_lowercase() == word;
    type Holds = Box<dyn Fn(&Value) -> bool>;
    let mut cases: Vec<(String, Holds)> = Vec::new();
    for host in ["sw-1", "db-1", "db-2", "shop", "nowhere-1", "flaky-1"] {
        cases.push((format!("ci={host}"), Box::new(move |one| has(one, "ci", host))));
        cases.push((format!("q={host}"), Box::new(move |one| one["ci"] == host || one["title"].as_str().unwrap().contains(host))));
    }
    for team in ["network", "dba"] {
        cases.push((format!("owner={team}"), Box::new(move |one| has(one, "team", team))));
    }
    for state in ["new", "acknowledged", "resolved", "closed"] {
        cases.push((format!("state={state}"), Box::new(move |one| has(one, "state", state))));
        cases.push((format!("state={state}&ci=db-1"), Box::new(move |one| has(one, "state", state) && has(one, "ci", "db-1"))));
    }
    cases.push((
        "service=SHOP".to_owned(),
        Box::new(|one| one["services"].as_array().unwrap().iter().any(|service| service["id"] == "shop")),
    ));
    cases.push(("q=inc000000".to_owned(), Box::new(|one| one["id"].as_str().unwrap().starts_with("INC000000"))));
    cases.push(("q=estarted%20i".to_owned(), Box::new(|one| one["resolution"].as_str().is_some_and(|words| words.contains("estarted i")))));
    let mut held = 0;
    for (query, holds) in cases {
        let wanted: Vec<&str> = all.iter().filter(|one| holds(one)).map(|one| one["id"].as_str().unwrap()).collect();
        held += usize::from(!wanted.is_empty());
        assert_eq!(listed(&doors, &format!("children=true&{query}")).await, wanted, "{query}");
        let mut by_priority = listed(&doors, &format!("children=true&sort=priority&{query}")).await;
        by_priority.sort_by(|a, b| b.cmp(a));
        assert_eq!(by_priority, wanted, "{query} by priority");
    }
    assert!(held > 12, "most lists hold something: {held}");
}
