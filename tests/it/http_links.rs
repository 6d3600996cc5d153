//! `/a/TOKEN`: what a link of a mail lets its reader do, and nobody else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use watchkeeper::mail::{LinkAction, Links, MailSettings, Templates, render, shown};
use watchkeeper_engine::event::Event;
use watchkeeper_engine::ids::{IncidentId, MessageId, StoreId};
use watchkeeper_engine::model::message::Message;
use watchkeeper_engine::time::Span;
use watchkeeper_engine::words::Reason;

use super::http_support::{Doors, TOKENS, Told};

/// The outage of a switch: anna reads what the network gets, a team shares the mails for the hosts.
const SWITCH: IncidentId = IncidentId(1);

async fn outage() -> Doors {
    let doors = Doors::open(TOKENS).await;
    for (name, instance) in [("DeviceDown", "sw-1"), ("<script>alert(1)</script>", "db-1"), ("HostDown", "db-2")] {
        let body = json!([{"labels": {"alertname": name, "instance": instance, "severity": "critical"},
            "annotations": {"summary": "\"><img src=x onerror=alert(1)>"}, "endsAt": "2027-01-01T00:00:00Z"}]);
        let told = doors.send("POST", "/api/v2/alerts", &[("authorization", "Bearer secret-of-source")], body.to_string()).await;
        assert_eq!(told.status, 200, "{told:?}");
    }
    doors.pass(Span::minutes(2)).await;
    doors
}

/// The mail of a reason.
async fn mail(doors: &Doors, reason: Reason) -> Message {
    let planned = doors.writer.ask(|state, _, _| state.messages.values().cloned().collect::<Vec<_>>()).await.unwrap();
    let words: Vec<String> = planned.iter().map(|mail| format!("{} {}", mail.to, mail.reason)).collect();
    planned.into_iter().find(|mail| mail.reason == reason).unwrap_or_else(|| panic!("no {reason} among {words:?}"))
}

fn path(doors: &Doors, mail: &Message, action: LinkAction) -> String {
    format!("/a/{}", Links::new(doors.link_key.clone()).token(mail, SWITCH, action))
}

async fn incident(doors: &Doors) -> Value {
    doors.send("GET", "/api/v1/incidents/INC0000001", &[("authorization", "Bearer secret-of-viewer")], "").await.json()
}

async fn press(doors: &Doors, path: &str, form: &str) -> Told {
    // As a browser sends it from a page without a referrer.
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("origin", "null"), ("sec-fetch-site", "same-origin")];
    doors.send("POST", path, &headers, form).await
}

/// What the timeline has of somebody: their name and what they did.
async fn did(doors: &Doors) -> Vec<String> {
    let entries = incident(doors).await["timeline"].as_array().unwrap().clone();
    let theirs = entries.iter().filter(|entry| entry["actor"] != "watchkeeper");
    theirs.map(|entry| format!("{}: {}", entry["actor"].as_str().unwrap(), entry["what"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn opening_a_link_does_nothing_and_says_what_the_button_does_who_does_it_and_until_when() {
    let doors = outage().await;
    let path = path(&doors, &mail(&doors, Reason::Opened).await, LinkAction::Acknowledge);
    let version = incident(&doors).await["version"].clone();
    for method in ["GET", "HEAD"] {
        assert_eq!(doors.send(method, &path, &[], "").await.status, 200);
    }
    let page = doors.get(&path).await;
    for said in [
        "Acknowledge INC0000001: ",
        "anna, to whom the mail went",
        "valid until Tue 1 Dec 03:0",
        "not yet acknowledged",
        ">Acknowledge</button>",
    ] {
        assert!(page.body.contains(said), "{said}: {}", page.body);
    }
    assert_eq!(page.body.matches("<button").count(), 1);
    assert_eq!(incident(&doors).await["version"], version, "a program that reads mails acknowledges nothing");
    let headers = ["content-type", "cache-control", "referrer-policy", "set-cookie"].map(|name| page.header(name));
    assert_eq!(headers, [Some("text/html; charset=utf-8"), Some("no-store"), Some("no-referrer"), None]);
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && policy.contains("form-action 'self'"), "{policy}");
}

#[tokio::test]
async fn pressing_does_it_as_the_reader_and_a_second_time_says_that_it_is_done() {
    let doors = outage().await;
    let path = path(&doors, &mail(&doors, Reason::Opened).await, LinkAction::Acknowledge);
    let told = press(&doors, &path, "").await;
    let back = format!("{path}?done");
    assert_eq!((told.status, told.header("location")), (303, Some(back.as_str())), "{told:?}");
    let after = doors.get(&back).await;
    assert!(after.body.contains("Done: the incident is assigned to you.") && after.body.contains("assigned to anna"), "{}", after.body);
    assert!(!after.body.contains("<button") && after.body.contains("href=\"/i/INC0000001\""), "{}", after.body);
    assert_eq!(incident(&doors).await["assignee"], "anna");
    assert_eq!(did(&doors).await.len(), 2, "acknowledged and given to anna, once");

    let again = press(&doors, &path, "").await;
    assert_eq!(again.status, 409);
    for page in [again, doors.get(&path).await] {
        assert!(page.body.contains("assigned to anna since 03:02.") && !page.body.contains("<button"), "{}", page.body);
    }
    assert_eq!(did(&doors).await.len(), 2);
}

#[tokio::test]
async fn a_link_is_the_right_to_nothing_else() {
    let doors = outage().await;
    let mail = mail(&doors, Reason::Opened).await;
    let token = path(&doors, &mail, LinkAction::Acknowledge)["/a/".len()..].to_owned();
    let links = Links::new(doors.link_key.clone());
    let others = [
        links.token(&Message { to: "eve@example.org".into(), ..mail.clone() }, SWITCH, LinkAction::Acknowledge),
        links.token(&Message { id: MessageId(99), ..mail.clone() }, SWITCH, LinkAction::Acknowledge),
        links.token(&Message { planned_at: mail.planned_at + Span::days(1), ..mail.clone() }, SWITCH, LinkAction::Acknowledge),
        Links::new(watchkeeper_store::LinkKey::new([7; 32])).token(&mail, SWITCH, LinkAction::Acknowledge),
    ];
    let changed = (0..token.len()).flat_map(|n| {
        let (head, rest) = token.split_at(n);
        // Never the same digit, and another number of bits in each: a changed action, message, incident or proof.
        ["A", "Q", "g", "_"]
            .into_iter()
            .filter(move |digit| !rest.starts_with(digit))
            .map(move |digit| format!("{head}{digit}{}", &rest[1..]))
    });
    // The last digit holds bits that are no part of the token.
    let changed = changed.filter(|other| other[..other.len() - 1] != token[..token.len() - 1]);
    let short = (0..token.len() - 1).map(|n| token[..n.max(1)].to_owned());
    let mut tried = 0;
    for other in others.into_iter().chain(changed).chain(short).chain(["x".repeat(5_000), "%F0%9F%94%91".to_owned()]) {
        for told in [doors.get(&format!("/a/{other}")).await, press(&doors, &format!("/a/{other}"), "").await] {
            assert_eq!(told.status, 404, "{other}: {told:?}");
            assert!(told.body.contains("This link does nothing") && !told.body.contains("<button"), "{other}: {}", told.body);
        }
        tried += 1;
    }
    assert!(tried > 100, "{tried} tokens");
    assert!(did(&doors).await.is_empty());
    let bearer = format!("Bearer {token}");
    for path in ["/i/INC0000001", "/api/v1/incidents"] {
        assert_eq!(doors.send("GET", path, &[("authorization", &bearer)], "").await.status, 401, "{path}");
    }
}

#[tokio::test]
async fn after_a_week_a_link_does_nothing_and_says_since_when() {
    let doors = outage().await;
    let path = path(&doors, &mail(&doors, Reason::Opened).await, LinkAction::Note);
    doors.pass(Span::minutes(7 * 24 * 60 - 3)).await;
    assert_eq!(doors.get(&path).await.status, 200);
    doors.pass(Span::minutes(3)).await;
    for told in [doors.get(&path).await, press(&doors, &path, "text=late").await] {
        assert_eq!(told.status, 410);
        assert!(told.body.contains("This link has expired") && told.body.contains("It was valid until 03:0"), "{}", told.body);
        assert!(told.body.contains("href=\"/i/INC0000001\""), "{}", told.body);
    }
    assert!(did(&doors).await.is_empty());
}

#[tokio::test]
async fn a_note_and_a_hold_take_what_is_typed_and_say_what_is_wrong_with_it() {
    let doors = outage().await;
    let mail = mail(&doors, Reason::Opened).await;
    let [note, hold, not_mine, take] =
        [LinkAction::Note, LinkAction::Hold, LinkAction::NotMine, LinkAction::TakeOver].map(|action| path(&doors, &mail, action));
    assert_eq!(press(&doors, &not_mine, "text=ask+dba").await.status, 303);
    assert_eq!(press(&doors, &note, "text=reseated+the+SFP+%26+waiting").await.status, 303);
    assert_eq!(press(&doors, &take, "").await.status, 303);
    let wrong = press(&doors, &hold, "reason=waiting_for_vendor&for=soon").await;
    assert_eq!(wrong.status, 400);
    assert!(wrong.body.contains("is no duration") && wrong.body.contains("<button"), "{}", wrong.body);
    assert_eq!(press(&doors, &note, "").await.status, 400);
    assert_eq!(press(&doors, &hold, "reason=waiting_for_vendor&for=4h").await.status, 303);
    assert_eq!(incident(&doors).await["state"], "on_hold");
    let timeline = incident(&doors).await["timeline"].to_string();
    for said in ["not ours: ask dba", "reseated the SFP & waiting", "anna"] {
        assert!(timeline.contains(said), "{said}: {timeline}");
    }
    assert!(doors.get(&take).await.body.contains("You have it."));
    assert!(doors.get(&not_mine).await.body.contains("assigned to anna since"));
}

#[tokio::test]
async fn detaching_takes_the_alerts_of_the_mail_out_and_nothing_of_them_becomes_markup() {
    let doors = outage().await;
    let mail = mail(&doors, Reason::Affected).await;
    assert_eq!((mail.to.as_str(), mail.said().yours_alerts.len()), ("dba@example.org", 2));
    let path = path(&doors, &mail, LinkAction::Detach);
    let page = doors.get(&path).await;
    assert!(page.body.contains("on db-1") && page.body.contains("HostDown on db-2"), "{}", page.body);
    assert!(page.body.contains("somebody of dba") && page.body.contains("name=\"name\""), "a team's box is nobody by name: {}", page.body);
    for evil in ["<script", "<img"] {
        assert!(!page.body.contains(evil), "{evil} in {}", page.body);
    }
    let told = press(&doors, &path, "name=%3Cb%3Ebert%0d%0aX-Evil:+1").await;
    assert_eq!(told.status, 303, "{told:?}");
    assert_eq!(did(&doors).await.len(), 2);
    assert!(did(&doors).await.iter().all(|entry| entry.starts_with("<b>bert X-Evil: 1 (dba): ")), "{:?}", did(&doors).await);
    let after = press(&doors, &path, "").await;
    assert!(after.status == 409 && after.body.contains("None of your alerts belongs to this incident any more."), "{}", after.body);
}

#[tokio::test]
async fn what_is_over_or_belongs_elsewhere_is_said() {
    let doors = outage().await;
    let mail = mail(&doors, Reason::Opened).await;
    let operator = [("authorization", "Bearer secret-of-operator")];
    let told = doors.send("POST", "/api/v1/incidents/INC0000001/resolve", &operator, r#"{"words": "done"}"#).await;
    assert_eq!(told.status, 200, "{told:?}");
    for action in [LinkAction::Acknowledge, LinkAction::NotMine, LinkAction::TakeOver, LinkAction::Hold, LinkAction::Detach] {
        let page = press(&doors, &path(&doors, &mail, action), "reason=waiting_for_vendor").await;
        assert!(page.status == 409 && page.body.contains("It is over since 03:02."), "{action:?}: {}", page.body);
    }
    let why = path(&doors, &mail, LinkAction::Note);
    assert!(doors.get(&why).await.body.contains("What was the cause, and what fixed it?"));
    assert_eq!(press(&doors, &why, "text=the+PSU").await.status, 303);
}

/// A message that is rendered as these bytes.
fn with_bytes(planned: &Message, bytes: &str) -> Message {
    let mut message = planned.clone();
    message.sending.bytes = bytes.as_bytes().to_vec();
    message
}

/// A mail with this body, under headers that say how it is encoded.
fn mail_of(planned: &Message, encoding: &str, body: &str) -> Message {
    let head = format!("Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}");
    with_bytes(planned, &format!("{head}\r\n\r\n{body}"))
}

#[tokio::test]
async fn no_role_reads_a_link_that_acts_in_the_outbox() {
    let doors = outage().await;
    let planned = mail(&doors, Reason::Opened).await;
    let settings =
        MailSettings::new("w@example.org", "https://w.example.org", StoreId { high: 0, low: 1 }, doors.link_key.clone()).unwrap();
    let rendered = render(&planned, &Templates::ours(), &settings).unwrap();
    let event = Event::Rendered { id: planned.id, bytes: rendered.bytes, fallback: String::new() };
    doors.writer.report(event).await.unwrap().await.unwrap();
    doors.pass(Span::ZERO).await;

    let tokens = LinkAction::ALL.map(|action| path(&doors, &planned, action)["/a/".len()..].to_owned());
    let of = async |method: &str, role: &str, path: &str| {
        doors.send(method, path, &[("authorization", &format!("Bearer secret-of-{role}"))], "").await
    };
    let whole = format!("/api/v1/outbox/{}", planned.id);
    for (role, reads) in [("viewer", false), ("operator", true), ("admin", true)] {
        let told = of("GET", role, &whole).await;
        let text = told.json()["message"].as_str().unwrap_or_default().to_owned();
        assert_eq!(
            (told.status, text.contains("DeviceDown on sw-1") && text.contains("https://w.example.org/a/…")),
            (200, reads),
            "{role}: {text}"
        );
        assert_eq!(told.json()["sha256"].as_str().unwrap().len(), 64, "whoever looks can say whether it is the mail that went out");
        let list = of("GET", role, "/api/v1/outbox").await;
        for token in &tokens {
            assert!(!text.replace("=\r\n", "").contains(token) && !list.body.contains(token), "{role} may act as {}: {text}", planned.to);
        }
    }
    assert_eq!(of("GET", "source", &whole).await.status, 403);
    let retried = of("POST", "operator", &format!("{whole}/retry")).await;
    assert!(retried.status == 200 && tokens.iter().all(|token| !retried.body.contains(token)), "{retried:?}");
    assert_eq!(press(&doors, &path(&doors, &planned, LinkAction::Acknowledge), "").await.status, 303, "the recipient's link acts as ever");
}

#[tokio::test]
async fn a_link_is_masked_whatever_hides_it() {
    let doors = outage().await;
    let planned = mail(&doors, Reason::Opened).await;
    let links = Links::new(doors.link_key.clone());
    let token = links.token(&planned, SWITCH, LinkAction::Acknowledge);
    let (head, tail) = token.split_at(9);
    let base64 = |text: &str| STANDARD.encode(text);
    let hidden = [
        ("7bit", format!("https://w.example.org/a/{token} now")),
        ("7bit", format!("token {token}, as a template of one's own writes it")),
        ("quoted-printable", format!("https://w.example.org/a/{head}=\r\n{tail} now")),
        ("quoted-printable", format!("https://w.example.org/=61/{}={:02X}{tail}", &head[..8], head.as_bytes()[8])),
        ("base64", base64(&format!("https://w.example.org/a/{token} now"))),
        ("BASE64", base64(&format!("https://w.example.org/a/{token} now")).replacen("Y", "Y\r\n", 1)),
    ];
    for (encoding, body) in hidden {
        let read = shown(&mail_of(&planned, encoding, &body), &links);
        assert!(!read.contains(&token) && !read.contains(tail) && !read.contains(&base64(tail)[..8]), "{encoding}: {read}");
        assert!(read.contains('…'), "{encoding}: it is read and masked: {read}");
    }
    let subject = format!("Subject: =?utf-8?B?{}?=\r\nTo: a@example.org\r\n\r\nx", base64(&format!("/a/{token}")));
    assert_eq!(shown(&with_bytes(&planned, &subject), &links), "To: a@example.org\r\n\r\nx");
}
