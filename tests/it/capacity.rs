//! Capacity over the wire: a daemon asks servers that answer, refuse, redirect, hang, flood and lie, and says of each what it made of it.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::daemon::Folder;

/// What a server does with a request, given its first line and head.
type Answers = fn(&str, &mut TcpStream);

/// The heads of all requests that a server heard.
type Heard = Arc<Mutex<Vec<String>>>;

fn serve(answers: Answers) -> (String, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let heard = Heard::default();
    let heads = Arc::clone(&heard);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, heads) = (stream.unwrap(), Arc::clone(&heads));
            thread::spawn(move || {
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
                    head.push(byte[0]);
                }
                let head = String::from_utf8(head).unwrap();
                heads.lock().unwrap().push(head.clone());
                answers(&head, &mut stream);
            });
        }
    });
    (address, heard)
}

fn say(stream: &mut TcpStream, status: &str, body: &str) {
    // A client that has heard enough goes away.
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()).ok();
}

/// A disk that fills by one a day and is at 80 now, measured as asked; and another whose data ends three days ago.
fn measures(head: &str, stream: &mut TcpStream) {
    let number = |name: &str| -> f64 { head.split_once(&format!("{name}=")).unwrap().1.split(['&', ' ']).next().unwrap().parse().unwrap() };
    let (start, end, step) = (number("start"), number("end"), number("step"));
    let all = (0..).map(|at| start + f64::from(at) * step).take_while(|at| *at <= end);
    let point = |at: f64| format!("[{at},\"{}\"]", 80.0 - (end - at) / 86_400.0);
    let full: Vec<String> = all.clone().map(point).collect();
    let stale: Vec<String> = all.filter(|at| *at < end - 3.0 * 86_400.0).map(point).collect();
    let series = |host: &str, values: &[String]| {
        format!("{{\"metric\":{{\"__name__\":\"used\",\"instance\":\"{host}\"}},\"values\":[{}]}}", values.join(","))
    };
    let result = [series("db-1:9100", &full), series("sw-1:9100", &stale)].join(",");
    say(stream, "200 OK", &format!("{{\"status\":\"success\",\"data\":{{\"resultType\":\"matrix\",\"result\":[{result}]}}}}"));
}

fn forbids(_: &str, stream: &mut TcpStream) {
    say(stream, "401 Unauthorized", "{\"status\":\"error\",\"errorType\":\"x\",\"error\":\"who\\nare you\"}");
}

fn hangs(_: &str, stream: &mut TcpStream) {
    stream.read_exact(&mut [0]).ok();
}

fn floods(_: &str, stream: &mut TcpStream) {
    write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n").unwrap();
    let blanks = vec![b' '; 1 << 20];
    while stream.write_all(&blanks).is_ok() {}
}

fn babbles(_: &str, stream: &mut TcpStream) {
    say(stream, "200 OK", "<html>");
}

fn gives_a_vector(_: &str, stream: &mut TcpStream) {
    say(stream, "200 OK", "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[]}}");
}

fn redirects(head: &str, stream: &mut TcpStream) {
    if head.starts_with("GET /elsewhere") {
        return measures(head, stream);
    }
    write!(stream, "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
}

#[test]
fn what_a_server_says_becomes_a_forecast_and_what_it_does_not_say_is_named() {
    let (good, heard) = serve(measures);
    let (moved, heard_by_moved) = serve(redirects);
    let (forbidden, hung, flood, babble, vector) =
        (serve(forbids).0, serve(hangs).0, serve(floods).0, serve(babbles).0, serve(gives_a_vector).0);
    let refused = format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let servers = [
        ("good", good, ""),
        ("moved", moved, "it answers 302"),
        ("forbidden", forbidden, "it answers 401: who are you"),
        ("hung", hung, "it did not answer in time"),
        ("flood", flood, "its answer has more than 32 MiB; ask for fewer series"),
        ("babble", babble, "its answer is not Prometheus'"),
        ("vector", vector, "its answer is a vector, not a matrix"),
        ("refused", refused, "it cannot be reached: Connection refused"),
    ];
    let folder = Folder::new();
    let mut config = std::fs::read_to_string(folder.path("daemon.toml")).unwrap();
    let mut rules = "capacity:\n".to_owned();
    for (name, url, _) in &servers {
        let timeout = if *name == "hung" { "1s" } else { "30s" };
        config.push_str(&format!(
            "[[prometheus]]\nname = \"{name}\"\nurl = \"{url}\"\ntoken_file = \"prometheus.token\"\ntimeout = \"{timeout}\"\n"
        ));
        rules.push_str(&format!(
            "  - {{name: {name}-full, every: {{cron: \"* * * * *\", zone: UTC}}, prometheus: {name}, query: 'used{{a=\"b\"}}', above: 90}}\n"
        ));
    }
    folder.write("daemon.toml", &config);
    folder.write("prometheus.token", "correct horse\n");
    folder.write("rules/capacity.yaml", &rules);
    let _daemon = folder.start();

    // A minute until the schedule asks, and then what the slowest server takes.
    let end = Instant::now() + Duration::from_secs(150);
    let listed = loop {
        let listed = folder.cli(&["forecast", "list", "--output", "json"]).json();
        let items = listed["items"].as_array().unwrap().clone();
        let is_settled = |item: &Value| !item["answered_at"].is_null() || !item["error"].is_null();
        if items.len() > servers.len() && items.iter().all(is_settled) {
            break items;
        }
        assert!(Instant::now() < end, "{listed:#}\n{}", folder.log());
        thread::park_timeout(Duration::from_millis(200));
    };
    for (name, _, error) in &servers {
        let item = listed.iter().find(|item| item["rule"] == format!("{name}-full")).unwrap();
        let said = item["error"].as_str().unwrap_or_default();
        assert!(said.starts_with(error) && said.is_empty() == error.is_empty(), "{name}: {item:#}");
        assert_eq!(item["state"], if *name == "good" { "crossing" } else { "no_data" });
    }
    assert!(heard_by_moved.lock().unwrap().iter().all(|head| !head.contains("elsewhere")), "no redirect is followed");
    let asked = heard.lock().unwrap()[0].clone();
    assert!(asked.starts_with("GET /api/v1/query_range?query=used%7Ba%3D%22b%22%7D&start="), "{asked}");
    assert!(asked.to_lowercase().contains("authorization: bearer correct horse"), "{asked}");

    let good: Vec<&Value> = listed.iter().filter(|item| item["rule"] == "good-full").collect();
    assert_eq!((&good[0]["series"], &good[0]["ci"]), (&"{instance=\"db-1:9100\"}".into(), &"db-1".into()));
    assert!((good[0]["per_day"].as_f64().unwrap() - 1.0).abs() < 1e-6 && good[0]["firing"] == true, "{:#}", good[0]);
    assert_eq!(
        (&good[1]["state"], &good[1]["why"], &good[1]["firing"]),
        (&"no_data".into(), &"it has not been measured lately".into(), &false.into())
    );

    let alerts = folder.cli(&["alert", "list", "--output", "json"]).json();
    let alert = &alerts["items"][0];
    assert_eq!((&alert["source"], &alert["name"], &alert["ci"]), (&"capacity".into(), &"good-full".into(), &"db-1".into()), "{alerts:#}");
    assert!(alert["summary"].as_str().unwrap().starts_with("above 90 in "), "{alert:#}");
    let table = folder.cli(&["forecast", "list", "--rule", "hung-full"]).well();
    assert!(
        table.contains("no data") && table.contains("hung-full: the last question had no answer: it did not answer in time"),
        "{table}"
    );
    assert_eq!(folder.cli(&["forecast", "list", "--state", "crossing"]).rows(), 1);
    assert!(folder.cli(&["forecast", "list", "--state", "crosing"]).err().contains("did you mean `crossing`?"));
    // In parts of one, everything comes once.
    let mut parts = Vec::new();
    let mut cursor = String::new();
    loop {
        let answer = folder.get(&format!("/api/v1/forecasts?limit=1{cursor}")).unwrap();
        let part: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
        parts.push((part["items"][0]["rule"].clone(), part["items"][0]["series"].clone()));
        let Some(next) = part["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let whole: Vec<(Value, Value)> = listed.iter().map(|item| (item["rule"].clone(), item["series"].clone())).collect();
    assert_eq!(parts, whole);
    let metrics = folder.get("/metrics").unwrap();
    let counted = |outcome: &str| {
        metrics.lines().any(|line| line.starts_with(&format!("watchkeeper_capacity_queries_total{{outcome=\"{outcome}\"}}")))
    };
    assert!(counted("answered") && counted("failed"), "{metrics}");
    let log = folder.log();
    assert!(log.contains("A capacity rule got no answer") && !log.contains("correct horse"), "{log}");
}

#[test]
fn a_rule_that_asks_nobody_is_named_at_its_place() {
    let folder = Folder::new();
    let rule = "capacity:\n  - {name: full, every: {cron: \"0 6 * * *\", zone: UTC}, prometheus: mian, query: used, above: 90}\n";
    folder.write("rules/capacity.yaml", rule);
    let none = folder.cli(&["check"]);
    let said = none.out() + &none.err();
    assert!(none.code() == 0 && said.contains("`full` does nothing yet: daemon.toml names no Prometheus"), "{said}");
    let config = std::fs::read_to_string(folder.path("daemon.toml")).unwrap();
    folder.write("daemon.toml", &format!("{config}[[prometheus]]\nname = \"main\"\nurl = \"http://127.0.0.1:9090/\"\n"));
    let unknown = folder.cli(&["check"]);
    let said = unknown.out() + &unknown.err();
    assert!(unknown.code() != 0 && said.contains("asks the unknown Prometheus `mian`") && said.contains("did you mean `main`?"), "{said}");
    assert!(said.contains("capacity.yaml:2:69"), "{said}");
    for url in ["127.0.0.1:9090", "ftp://a", "http://", "http://anna:secret@prometheus", "http://prometheus?x=y"] {
        folder.write("daemon.toml", &format!("{config}[[prometheus]]\nname = \"main\"\nurl = \"{url}\"\n"));
        let faulty = folder.cli(&["run"]);
        assert!(faulty.code() == 78 && faulty.err().contains("this is no address of a Prometheus"), "{url}: {}", faulty.err());
    }
}
