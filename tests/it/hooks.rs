//! Hooks over the wire: what arrives, signed; what servers do that refuse, redirect, hang and flood; and what is not even connected to.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use watchkeeper::config::{Out, Secret, SigningKey};
use watchkeeper::hook::{Hooks, signature};
use watchkeeper_engine::event::Lasts;
use watchkeeper_engine::time::{Span, Time};

use crate::daemon::Folder;

/// A key of Standard Webhooks, as an operator makes it.
const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// What a server does after it has read a request.
type Answers = fn(&mut TcpStream);

/// The head and the body of each request that a server heard.
type Heard = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

fn serve(answers: Answers) -> (String, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/services/T0/B0/secret-of-path", listener.local_addr().unwrap());
    let heard = Heard::default();
    let requests = Arc::clone(&heard);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, requests) = (stream.unwrap(), Arc::clone(&requests));
            thread::spawn(move || {
                let (mut head, mut byte) = (Vec::new(), [0]);
                while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
                    head.push(byte[0]);
                }
                let head = String::from_utf8(head).unwrap().to_lowercase();
                let length = head.split_once("content-length: ").map_or("0", |(_, rest)| rest.lines().next().unwrap());
                let mut body = vec![0; length.parse().unwrap()];
                stream.read_exact(&mut body).unwrap();
                requests.lock().unwrap().push((head, body));
                answers(&mut stream);
            });
        }
    });
    (url, heard)
}

fn say(stream: &mut TcpStream, status: &str, headers: &str, body: &str) {
    // A client that has heard enough goes away.
    write!(stream, "HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()).ok();
}

fn out(url: &str) -> Out {
    Out {
        name: "chat".to_owned(),
        url: Secret::new(url),
        template: None,
        topic: String::new(),
        key: SigningKey::read(KEY),
        token: Some(Secret::new("correct horse")),
        allow_private: true,
        answer_max: Duration::from_secs(1),
    }
}

async fn post(out: Out) -> Result<u16, (String, Lasts)> {
    let hooks = Hooks::new(&[out]).unwrap();
    let posted = hooks.get("chat").unwrap().post("MSG0000001.0000002a", b"{\"a\":1}", Time(1_795_485_840_000)).await;
    posted.map(|status| status.as_u16()).map_err(|error| (error.said, error.lasts))
}

#[tokio::test]
async fn what_a_server_does_decides_whether_and_when_it_is_tried_again() {
    let after = |seconds| Lasts::AtLeast(Span::seconds(seconds));
    let cases: [(&str, Answers, &str, Lasts); 12] = [
        ("500", |stream| say(stream, "500 No", "", "oh\r\n\u{1b}[31mno"), "it answers 500: oh", Lasts::ForNow),
        ("503 with a time", |stream| say(stream, "503 Later", "Retry-After: 90\r\n", ""), "it answers 503", after(90)),
        ("429", |stream| say(stream, "429 Slow", "Retry-After: 7\r\n", ""), "it answers 429", after(7)),
        (
            "429 by the clock",
            |stream| say(stream, "429 Slow", "Retry-After: Tue, 24 Nov 2026 02:05:00 GMT\r\n", ""),
            "it answers 429",
            after(60),
        ),
        ("429 without a time", |stream| say(stream, "429 Slow", "Retry-After: soon\r\n", ""), "it answers 429", Lasts::ForNow),
        ("408", |stream| say(stream, "408 Late", "", ""), "it answers 408", Lasts::ForNow),
        ("410", |stream| say(stream, "410 Gone", "", "channel_is_archived"), "it answers 410: channel_is_archived", Lasts::ForGood),
        ("400", |stream| say(stream, "400 Bad", "", "invalid_payload"), "it answers 400: invalid_payload", Lasts::ForGood),
        ("redirect", |stream| say(stream, "307 Moved", "Location: /elsewhere\r\n", ""), "it answers 307", Lasts::ForNow),
        ("hang", |_| thread::park_timeout(Duration::from_secs(5)), "it did not answer in time", Lasts::ForNow),
        (
            "slow headers",
            |stream| {
                for byte in b"HTTP/1.1 200 OK\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" {
                    stream.write_all(&[*byte]).ok();
                    thread::park_timeout(Duration::from_millis(100));
                }
            },
            "it did not answer in time",
            Lasts::ForNow,
        ),
        (
            "huge answer",
            |stream| {
                write!(stream, "HTTP/1.1 500 No\r\nConnection: close\r\n\r\n").ok();
                while stream.write_all(&[b'x'; 65_536]).is_ok() {}
            },
            "it answers 500: xxx",
            Lasts::ForNow,
        ),
    ];
    for (name, answers, wanted, lasts) in cases {
        let (url, heard) = serve(answers);
        let began = Instant::now();
        let (said, lasted) = post(out(&url)).await.unwrap_err();
        assert!(said.starts_with(wanted) && said.len() < 300 && !said.contains('\u{1b}'), "{name}: {said}");
        assert!(!said.contains("secret-of-path"), "{name}: {said}");
        assert_eq!(lasted, lasts, "{name}");
        assert!(began.elapsed() < Duration::from_secs(4), "{name} took {:?}", began.elapsed());
        let heads: Vec<String> = heard.lock().unwrap().iter().map(|(head, _)| head.clone()).collect();
        assert!(heads.len() == 1 && !heads[0].contains("elsewhere"), "{name}: no redirect is followed: {heads:?}");
    }
}

#[tokio::test]
async fn what_is_posted_is_signed_over_its_id_its_time_and_its_bytes() {
    let (url, heard) = serve(|stream| say(stream, "204 Taken", "", ""));
    assert_eq!(post(out(&url)).await, Ok(204));
    let (head, body) = heard.lock().unwrap()[0].clone();
    let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).unwrap().to_owned();
    assert_eq!((header("webhook-id").as_str(), header("webhook-timestamp").as_str()), ("msg0000001.0000002a", "1795485840"));
    assert_eq!((header("content-type").as_str(), header("authorization").as_str()), ("application/json", "bearer correct horse"));
    let key = SigningKey::read(KEY).unwrap();
    let signed = signature(key.expose(), "MSG0000001.0000002a", 1_795_485_840, &body);
    assert_eq!(header("webhook-signature"), signed.to_lowercase());
    for other in [
        signature(key.expose(), "MSG0000002.0000002a", 1_795_485_840, &body),
        signature(key.expose(), "MSG0000001.0000002a", 1_795_485_841, &body),
    ] {
        assert_ne!(signed, other);
    }
}

#[tokio::test]
async fn an_address_that_is_not_public_is_not_connected_to_unless_the_hook_says_so() {
    let (url, heard) = serve(|stream| say(stream, "200 OK", "", ""));
    let port = url.split(':').nth(2).unwrap().split('/').next().unwrap().to_owned();
    for host in ["127.0.0.1", "localhost", "127.1", "2130706433", "[::ffff:127.0.0.1]", "0.0.0.0"] {
        let (said, lasts) = post(Out { allow_private: false, ..out(&format!("http://{host}:{port}/")) }).await.unwrap_err();
        assert!(said.contains("its address is not public; `allow_private = true`"), "{host}: {said}");
        assert_eq!(lasts, Lasts::ForNow, "whoever mends the configuration has the message");
    }
    assert!(heard.lock().unwrap().is_empty());
    assert_eq!(post(out(&url)).await, Ok(200));
}

fn until<T>(what: &str, folder: &Folder, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "{what}: {}", folder.log());
        thread::park_timeout(Duration::from_millis(100));
    }
}

#[test]
fn a_rule_tells_hooks_each_in_its_own_words_in_order_and_a_dead_one_holds_up_nobody() {
    let taken: Answers = |stream| say(stream, "200 OK", "", "ok");
    let names = ["plain", "slack", "teams", "mattermost", "ntfy"];
    let folder = Folder::new();
    let mut config = std::fs::read_to_string(folder.path("daemon.toml")).unwrap();
    let mut servers = Vec::new();
    for name in names {
        let (url, heard) = serve(taken);
        let template = if name == "plain" { String::new() } else { format!("template = \"{name}\"\n") };
        config.push_str(&format!(
            "[[out]]\nname = \"{name}\"\nurl = \"{url}\"\n{template}topic = \"alerts\"\nsecret_file = \"hook.key\"\nallow_private = true\n"
        ));
        servers.push((name, heard));
    }
    let (dead, _) = serve(|stream| say(stream, "410 Gone", "", ""));
    config.push_str(&format!("[[out]]\nname = \"dead\"\nurl = \"{dead}\"\nallow_private = true\n"));
    folder.write("daemon.toml", &config);
    folder.write("hook.key", KEY);
    let to: Vec<String> = ["dead"].iter().chain(&names).map(|name| format!("'hook:{name}'")).collect();
    folder.write("rules/notify.yaml", &format!("notify:\n  - {{name: hooks, to: [owner, {}]}}\n", to.join(", ")));
    let daemon = folder.start();
    let labels = json!({"alertname": "DeviceDown", "instance": "sw-1", "severity": "critical"});
    let annotations = json!({"summary": "<!channel> @here [x](http://evil.example.org) \"quoted\" \\ {{title}}"});
    let alert = |ends: &str| json!([{"labels": labels, "annotations": annotations, "endsAt": ends}]).to_string();
    assert!(folder.post("/api/v2/alerts", &alert("2099-01-01T00:00:00Z")).unwrap().starts_with("HTTP/1.1 200"));
    for (name, heard) in &servers {
        let (head, body) = until(name, &folder, || heard.lock().unwrap().first().cloned());
        let sent: Value =
            serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{name}: {error}: {}", String::from_utf8_lossy(&body)));
        let text = sent.to_string();
        assert!(text.contains("DeviceDown") || text.contains("sw-1 down"), "{name}: {sent:#}");
        assert!(text.contains("/i/INC0000001") && !text.contains("/a/"), "{name}: a channel gets no link that acts: {sent:#}");
        assert!(head.contains("webhook-signature: v1,"), "{name}: {head}");
        if *name != "plain" && *name != "ntfy" {
            assert!(
                !text.contains("<!channel>") && !text.contains("@here") && !text.contains("](http"),
                "{name}: alert text calls nobody: {sent:#}"
            );
        }
        match *name {
            "plain" => assert_eq!(
                (&sent["version"], &sent["reason"], &sent["incident"], &sent["state"]),
                (&json!(1), &json!("opened"), &json!("INC0000001"), &json!("new"))
            ),
            "slack" => assert_eq!(sent["blocks"][2]["elements"][0]["url"].as_str().unwrap().rsplit('/').next(), Some("INC0000001")),
            "teams" => assert_eq!(sent["attachments"][0]["content"]["type"], "AdaptiveCard"),
            "mattermost" => assert!(sent["text"].as_str().unwrap().starts_with("**P")),
            _ => assert_eq!((&sent["topic"], sent["priority"].is_u64()), (&json!("alerts"), true)),
        }
    }
    assert!(folder.post("/api/v1/incidents/INC0000001/resolve", "{\"words\": \"done\"}").unwrap().starts_with("HTTP/1.1 200"));
    let (_, heard) = &servers[0];
    let reasons = until("the second message", &folder, || {
        let heard = heard.lock().unwrap();
        let reason = |(_, body): &(String, Vec<u8>)| serde_json::from_slice::<Value>(body).unwrap()["reason"].as_str().unwrap().to_owned();
        (heard.len() > 1).then(|| heard.iter().map(reason).collect::<Vec<_>>())
    });
    assert_eq!(reasons, ["opened", "resolved"]);
    let outbox = until("the dead hook's messages are given up", &folder, || {
        let list = folder.cli(&["mail", "list", "--output", "json"]).json();
        let state =
            |to: &str, state: &str| list["items"].as_array().unwrap().iter().filter(|row| row["to"] == to && row["state"] == state).count();
        (state("hook:dead", "dead") == 2 && state("hook:plain", "delivered") == 2).then_some(list.clone())
    });
    assert!(outbox.to_string().contains("it answers 410"), "{outbox:#}");
    assert!(!folder.log().contains("secret-of-path"), "an address of a hook is a secret");
    drop(daemon);

    let tested = folder.cli(&["hook", "test", "slack"]);
    assert!(
        tested.code() == 0 && tested.out().contains("slack: ") && tested.out().contains("answered 200"),
        "{}{}",
        tested.out(),
        tested.err()
    );
    assert_eq!(folder.cli(&["hook", "test", "dead"]).code(), 1);
    let unknown = folder.cli(&["hook", "test", "slak"]);
    assert!(unknown.code() == 64 && unknown.err().contains("did you mean `slack`?"), "{}", unknown.err());
}

#[test]
fn what_a_lane_has_no_room_for_is_asked_for_again() {
    const MESSAGES: usize = 700;
    static IS_OPEN: AtomicBool = AtomicBool::new(false);
    let (url, heard) = serve(|stream| {
        while !IS_OPEN.load(Ordering::SeqCst) {
            thread::park_timeout(Duration::from_millis(20));
        }
        say(stream, "200 OK", "", "");
    });
    let folder = Folder::new();
    let config = std::fs::read_to_string(folder.path("daemon.toml")).unwrap();
    folder.write("daemon.toml", &format!("{config}[[out]]\nname = \"chat\"\nurl = \"{url}\"\nallow_private = true\ntimeout = \"5m\"\n"));
    folder.write("rules/many.yaml", "correlate: [{name: many, matchers: ['alertname=\"Many\"'], group_by: [ci], group_wait: 0s}]\nnotify: [{name: hooks, to: ['hook:chat']}]\n");
    let _daemon = folder.start();
    let alerts: Vec<Value> = (0..MESSAGES).map(|no| json!({"labels": {"alertname": "Many", "instance": format!("host-{no}")}})).collect();
    assert!(folder.post("/api/v2/alerts", &Value::from(alerts).to_string()).unwrap().starts_with("HTTP/1.1 200"));
    until("every message is rendered", &folder, || {
        folder.get("/metrics").unwrap().contains(&format!("watchkeeper_outbox_messages{{state=\"rendered\"}} {MESSAGES}\n")).then_some(())
    });
    IS_OPEN.store(true, Ordering::SeqCst);
    until("every message is delivered", &folder, || {
        folder
            .get("/metrics")
            .unwrap()
            .contains(&format!("lane_tries_total{{lane=\"hook:chat\",outcome=\"done\"}} {MESSAGES}\n"))
            .then_some(())
    });
    let heard = heard.lock().unwrap();
    let about = |body: &Vec<u8>| serde_json::from_slice::<Value>(body).unwrap()["ci"].as_str().unwrap().to_owned();
    let items: BTreeSet<String> = heard.iter().map(|(_, body)| about(body)).collect();
    assert_eq!((heard.len(), items.len()), (MESSAGES, MESSAGES), "each once");
}

#[test]
fn a_hook_that_is_not_there_and_a_template_that_is_not_are_named_at_their_places() {
    let folder = Folder::new();
    let config = std::fs::read_to_string(folder.path("daemon.toml")).unwrap();
    folder.write("daemon.toml", &format!("{config}[[out]]\nname = \"chat\"\nurl = \"https://hooks.example.org/x\"\ntemplate = \"slak\"\n"));
    folder.write("rules/notify.yaml", "notify:\n  - {name: page, to: ['hook:chta']}\n");
    let ran = folder.cli(&["check"]);
    let said = ran.out() + &ran.err();
    assert_eq!(ran.code(), 1, "{said}");
    assert!(said.contains("tells hook:chta, which daemon.toml does not know") && said.contains("did you mean `hook:chat`?"), "{said}");
    assert!(said.contains("names the template `slak`, which does not exist") && said.contains("did you mean `slack`?"), "{said}");
    for (out, fault) in [
        ("name = \"chat\"\n", "an [[out]] needs a url"),
        ("name = \"chat\"\nurl = \"ftp://x/\"\n", "this is no address of a hook"),
        ("name = \"chat\"\nurl = \"https://x.example.org/\"\nsecret_file = \"short.key\"\n", "holds no key of Standard Webhooks"),
    ] {
        folder.write("short.key", "whsec_c2hvcnQ=");
        folder.write("rules/notify.yaml", "notify: [{name: page, to: [owner]}]\n");
        folder.write("daemon.toml", &format!("{config}[[out]]\n{out}"));
        let ran = folder.cli(&["run"]);
        let said = ran.out() + &ran.err();
        assert!(ran.code() == 78 && said.contains(fault), "{fault}: {said}");
    }
}
