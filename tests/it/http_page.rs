//! `/i/INC…`: the incident in a browser, and its buttons.

use serde_json::json;
use watchkeeper_engine::time::Span;

use super::http_support::{Doors, TOKENS, Told};

const PATH: &str = "/i/INC0000001";

async fn doors() -> Doors {
    let doors = Doors::open(TOKENS).await;
    let body = json!([{"labels": {"alertname": "<script>alert(1)</script>", "instance": "db-1", "severity": "critical"},
        "annotations": {"summary": "\"><img src=x onerror=alert(1)>"}, "generatorURL": "javascript:alert(1)", "endsAt": "2027-01-01T00:00:00Z"}]);
    let told = doors.send("POST", "/api/v2/alerts", &[("authorization", "Bearer secret-of-source")], body.to_string()).await;
    assert_eq!(told.status, 200, "{told:?}");
    doors
}

/// `Basic` with a user and the secret of a role as password.
fn basic(role: &str) -> (&'static str, String) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let text = format!("x:secret-of-{role}");
    let encoded: String = text
        .as_bytes()
        .chunks(3)
        .flat_map(|three| {
            let bits = three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
            (0..4).map(move |n| if n > three.len() { '=' } else { char::from(DIGITS[(bits >> (18 - 6 * n) & 63) as usize]) })
        })
        .collect();
    ("authorization", format!("Basic {encoded}"))
}

async fn get(doors: &Doors, path: &str, role: &str) -> Told {
    let (name, value) = basic(role);
    doors.send("GET", path, &[(name, &value)], "").await
}

async fn press(doors: &Doors, command: &str, role: &str, form: &str) -> Told {
    let (name, value) = basic(role);
    let headers = [(name, value.as_str()), ("content-type", "application/x-www-form-urlencoded"), ("origin", "http://localhost")];
    doors.send("POST", &format!("{PATH}/{command}"), &headers, form).await
}

fn hidden<'a>(page: &'a Told, name: &str) -> &'a str {
    let from = page.body.split_once(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("no field {name}")).1;
    from.split_once('"').unwrap().0
}

fn proof(page: &Told) -> String {
    format!("version={}&token={}", hidden(page, "version"), hidden(page, "token"))
}

#[tokio::test]
async fn the_page_shows_the_incident_and_nothing_of_an_alert_as_markup() {
    let doors = doors().await;
    let page = get(&doors, PATH, "viewer").await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(page.body.contains("P2 OPEN since"), "{}", page.body);
    for evil in ["<script", "<img", "href=\"javascript"] {
        assert!(!page.body.contains(evil), "{evil} in {}", page.body);
    }
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(
        (page.header("x-content-type-options"), page.header("set-cookie"), page.header("cache-control")),
        (Some("nosniff"), None, Some("no-store"))
    );
    assert!(!page.body.contains("<form"), "who may only look sees no buttons");
}

#[tokio::test]
async fn a_button_does_what_it_says_once() {
    let doors = doors().await;
    let page = get(&doors, PATH, "operator").await;
    let told = press(&doors, "acknowledge", "operator", &proof(&page)).await;
    assert_eq!((told.status, told.header("location")), (303, Some("/i/INC0000001?done=acknowledge")), "{told:?}");
    let after = get(&doors, told.header("location").unwrap(), "operator").await;
    assert!(after.body.contains("done: acknowledge") && after.body.contains("assigned to otto"), "{}", after.body);

    let note = press(&doors, "note", "operator", &format!("{}&text=reseated+the+SFP+%26+waiting", proof(&after))).await;
    assert_eq!(note.status, 303, "{note:?}");
    assert!(get(&doors, PATH, "operator").await.body.contains("reseated the SFP &#38; waiting"));
    let stale = press(&doors, "note", "operator", &format!("{}&text=again", proof(&after))).await;
    assert_eq!(stale.status, 412);
    assert!(stale.body.contains("it has changed meanwhile and nothing was done"), "{}", stale.body);
}

#[tokio::test]
async fn a_form_that_is_not_from_the_page_does_nothing() {
    let doors = doors().await;
    let page = get(&doors, PATH, "operator").await;
    let version = hidden(&page, "version");
    for form in [String::new(), format!("version={version}"), format!("version={version}&token={}", "0".repeat(64))] {
        let told = press(&doors, "acknowledge", "operator", &form).await;
        assert_eq!(told.status, 403, "{form}: {told:?}");
    }
    let other = press(&doors, "acknowledge", "admin", &proof(&page)).await;
    assert_eq!(other.status, 403, "a form is for whom it was made");
    assert_eq!(press(&doors, "acknowledge", "viewer", &proof(&page)).await.status, 403);
    assert!(get(&doors, PATH, "operator").await.body.contains("not yet acknowledged"));
}

#[tokio::test]
async fn a_command_that_fails_shows_the_page_with_the_reason() {
    let doors = doors().await;
    let page = get(&doors, PATH, "operator").await;
    for (command, form, status, said) in [
        ("note", "", 400, "text: expected the text of the note"),
        ("hold", "&reason=waiting_for_vendor&for=soon", 400, "is no duration"),
        ("close", "", 409, "it is new; allowed there"),
    ] {
        let told = press(&doors, command, "operator", &format!("{}{form}", proof(&page))).await;
        assert_eq!(told.status, status, "{command}: {told:?}");
        assert!(told.body.contains("class=\"notice fault\"") && told.body.contains(said), "{command}: {}", told.body);
    }
    assert_eq!(get(&doors, "/i/INC0000099", "viewer").await.status, 404);
    assert_eq!(press(&doors, "explode", "operator", &proof(&page)).await.status, 404);
}

#[tokio::test]
async fn a_promise_that_ended_unanswered_and_a_service_that_is_up_again_are_called_so() {
    let rules = "slas: [{name: gold, targets: {P1: {response: 1h, resolution: 4h}}}]\n";
    let doors = Doors::open_with("", rules).await;
    let fires = async |ends: &str| {
        let labels = json!({"alertname": "HostDown", "instance": "db-1", "severity": "critical"});
        assert_eq!(doors.post("/api/v2/alerts", &json!([{"labels": labels, "endsAt": ends}]).to_string()).await.status, 200);
        doors.get("/api/v1/incidents/INC0000001").await.json()
    };
    let incident = fires("2028-01-01T00:00:00Z").await;
    let shop = |health: &str| json!([{"id": "shop", "tier": "gold", "health": health}]);
    assert_eq!((&incident["services"], &incident["sla"][0]["state"]), (&shop("down"), &json!("running")), "{incident}");
    let incident = fires("2026-11-24T03:00:00Z").await;
    assert_eq!(incident["services"], shop("ok"), "its only alert has cleared: {incident}");
    assert!(doors.get(PATH).await.body.contains("<dd>shop (gold): ok.</dd>"));
    doors.pass(Span::minutes(6)).await;
    let incident = doors.get("/api/v1/incidents/INC0000001").await.json();
    let response = &incident["sla"][0];
    assert_eq!(
        (&incident["state"], &response["state"], &response["because"], &response["breached_at"]),
        (&json!("resolved"), &json!("ended"), &json!("resolved before anybody responded"), &json!(null)),
        "{incident}"
    );
    let page = doors.get(PATH).await.body;
    assert!(page.contains("gold: response neither met nor missed: resolved before anybody responded."), "{page}");
    assert!(page.contains("<dd>shop (gold).</dd>"), "what is over is not down: {page}");
    doors.pass(Span::days(4)).await;
    let closed = doors.get("/api/v1/incidents/INC0000001").await.json();
    assert_eq!((&closed["state"], &closed["sla"][0]["state"]), (&json!("closed"), &json!("ended")), "{closed}");
}
