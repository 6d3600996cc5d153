//! One record of every kind that takes commands: after each kill each is still what it was told to be, and takes the next command.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use watchkeeper_harness::daemon::{Daemon, Place, eventually};
use watchkeeper_harness::mailbox::{Mail, mails};
use watchkeeper_harness::wire::Answer;

/// Whom the mail server refuses for ever.
pub(crate) const REFUSED: &str = "refused@example.org";

/// The rules that the records need, beside those of the load.
pub(crate) const RULES: &str = "\
problems:
  - {name: again, when: 'ci.id == \"again\"', same: [rule, ci], incidents: 2, within: 7d}
capacity:
  - {name: filling, every: {cron: \"* * * * *\", zone: UTC}, prometheus: main, query: used, above: 90}
";

/// The CIs that the records need.
pub(crate) const ITEMS: &str = "  - {id: again, class: host, owner: platform}
  - {id: reported, class: host, owner: platform, criticality: high}
  - {id: refused, class: host, owner: unreachable, criticality: high}
";

/// The team whose mail dies.
pub(crate) const TEAMS: &str = "  - {id: unreachable, mail: [refused@example.org]}\n";

/// The records, and what each was told last.
pub(crate) struct Records {
    incident: String,
    problem: String,
    outages: usize,
    silence: String,
    dead: String,
    /// The link of a mail that says that the incident is not its reader's.
    link: String,
    assignee: String,
    owner: &'static str,
    made_at: String,
    ran_at: String,
    /// The last note that was sent under an `Idempotency-Key`, and its answer.
    note: Option<(String, Answer)>,
}

/// The source of the records' own alerts, of which the senders know nothing.
pub(crate) const SOURCE: &str = "oracle";

/// The configuration of that source and of the Prometheus that [`serve`] plays.
pub(crate) fn config(port: u16) -> String {
    format!(
        "[[webhook]]\nname = \"{SOURCE}\"\nformat = \"alertmanager\"\n\n[[prometheus]]\nname = \"main\"\nurl = \"http://127.0.0.1:{port}\"\n\n"
    )
}

/// A Prometheus with one disk that fills by one percent a day. Lives as long as the test.
pub(crate) fn serve() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            // A daemon that is killed while it asks says half of it.
            let Some((start, end, step)) = asked(&head) else { continue };
            let times = (0..).map(|at| start + f64::from(at) * step).take_while(|at| *at <= end);
            let values: Vec<String> = times.map(|at| format!("[{at},\"{}\"]", 50.0 - (end - at) / 86_400.0)).collect();
            let result = format!("{{\"metric\":{{\"instance\":\"keeper-0\"}},\"values\":[{}]}}", values.join(","));
            let body = format!("{{\"status\":\"success\",\"data\":{{\"resultType\":\"matrix\",\"result\":[{result}]}}}}");
            // Nor does it always wait for the answer.
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()).ok();
        }
    });
    port
}

fn asked(head: &str) -> Option<(f64, f64, f64)> {
    let number = |name: &str| head.split_once(&format!("{name}="))?.1.split(['&', ' ']).next()?.parse::<f64>().ok();
    Some((number("start")?, number("end")?, number("step")?))
}

impl Records {
    /// Makes one of each kind. The daemon sends its mail to a server that refuses [`REFUSED`].
    pub(crate) fn make(daemon: &Daemon, place: &Place) -> Records {
        fire(daemon, "refused");
        for _ in 0..2 {
            outage(daemon, "again");
        }
        let opened = daemon.post("/api/v1/incidents", &json!({"title": "The till is slow", "ci": "reported", "priority": "P1"}));
        let incident = text(&opened.json()["id"]);
        let problem = eventually("the problem opens", || one(&daemon.list("/api/v1/problems", "?state=open&ci=again")));
        let dead = eventually("a mail is refused for good", || one(&refused_mails(daemon, "dead")));
        let link = eventually("the incident's mail arrives", || {
            let mail = mails(&place.path("mailbox")).into_iter().find(|mail| mail.incident() == incident);
            mail.map(|mail| link(&mail)).ok_or_else(|| "no mail".to_owned())
        });
        let forecast = eventually("a forecast is made", || made(daemon));
        let mut records = Records {
            incident,
            problem: text(&problem["id"]),
            outages: 2,
            silence: String::new(),
            dead: text(&dead["id"]),
            link,
            assignee: String::new(),
            owner: "platform",
            made_at: forecast,
            ran_at: String::new(),
            note: None,
        };
        records.silence = records.silence_anew(daemon);
        let faults = records.import_anew(daemon);
        assert!(faults.is_empty(), "{faults:?}");
        records
    }

    /// Looks at each record, and gives it its next command. `sends`: whether mail goes to the server that refuses.
    pub(crate) fn command(&mut self, daemon: &Daemon, cycle: u64, sends: bool) -> Vec<String> {
        [
            self.press_a_link(daemon),
            self.command_incident(daemon, cycle),
            self.repeat_a_note(daemon, cycle),
            self.command_problem(daemon, cycle),
            self.command_silence(daemon),
            self.retry_a_mail(daemon, sends),
            self.look_at_forecast_and_job(daemon),
            self.import_anew(daemon),
        ]
        .concat()
    }

    fn command_incident(&mut self, daemon: &Daemon, cycle: u64) -> Vec<String> {
        let id = &self.incident;
        let mut faults = Vec::new();
        let known = daemon.get(&format!("/api/v1/incidents/{id}")).json();
        if known["assignee"].as_str().unwrap_or_default() != self.assignee {
            faults.push(format!("{id} was assigned to {:?} and is {}'s", self.assignee, known["assignee"]));
        }
        self.assignee = format!("person-{cycle}");
        let answer = daemon.post(&format!("/api/v1/incidents/{id}/assign"), &json!({"to": self.assignee}));
        faults.extend(refused("assign an incident", &answer));
        faults
    }

    /// A note under a key that was used before the kill is answered as it was, and stands in the timeline once.
    fn repeat_a_note(&mut self, daemon: &Daemon, cycle: u64) -> Vec<String> {
        let mut faults = Vec::new();
        let path = format!("/api/v1/incidents/{}/note", self.incident);
        let send = |text: &str| {
            let body = json!({"text": text}).to_string();
            daemon.wire().ask("POST", &path, &[("Idempotency-Key", text)], body.as_bytes()).unwrap()
        };
        if let Some((text, before)) = &self.note {
            let again = send(text);
            if again != *before {
                faults.push(format!("{text:?} was answered {before} and after the kill {again}"));
            }
            let whole = daemon.get(&format!("/api/v1/incidents/{}", self.incident)).json();
            let times = whole["timeline"].to_string().matches(text.as_str()).count();
            if times != 1 {
                faults.push(format!("{text:?} stands in the timeline {times} times"));
            }
        }
        let text = format!("note with key {cycle}.");
        let answer = send(&text);
        faults.extend(refused("write a note", &answer));
        self.note = Some((text, answer));
        faults
    }

    /// A link of a mail outlives the kill: it is signed by a key in the store's folder. Once the incident has an assignee nothing is left for it to do (409);
    /// one that is not believed is answered 404.
    fn press_a_link(&self, daemon: &Daemon) -> Vec<String> {
        let pressed = daemon.wire().ask("POST", &self.link, &[("Content-Type", "application/x-www-form-urlencoded")], b"").unwrap();
        if matches!(pressed.status, 303 | 409) { Vec::new() } else { vec![format!("the link of a mail was answered {pressed}")] }
    }

    fn command_problem(&mut self, daemon: &Daemon, cycle: u64) -> Vec<String> {
        let id = self.problem.clone();
        let mut faults = Vec::new();
        let open = daemon.list("/api/v1/problems", "?state=open&ci=again");
        if open.len() != 1 || open[0]["id"] != id.as_str() {
            faults.push(format!("{id} alone was open of its CI, now {open:?} are"));
        }
        if cycle.is_multiple_of(5) {
            outage(daemon, "again");
            self.outages += 1;
            let counted = eventually("the outage is counted", || {
                let whole = daemon.get(&format!("/api/v1/problems/{id}")).json();
                let counted = usize::try_from(whole["incident_count"].as_u64().unwrap_or_default()).unwrap();
                if counted >= self.outages { Ok(counted) } else { Err(whole.to_string()) }
            });
            if counted != self.outages {
                faults.push(format!("{id} has {counted} outages, there were {}", self.outages));
            }
        }
        let workaround = format!("restart it for the {cycle}th time");
        let answer = daemon.post(&format!("/api/v1/problems/{id}/known_error"), &json!({"workaround": workaround}));
        faults.extend(refused("name a workaround", &answer));
        if answer.is_success() && answer.json()["workaround"] != workaround.as_str() {
            faults.push(format!("{id} has another workaround than it was given: {answer}"));
        }
        faults
    }

    fn command_silence(&mut self, daemon: &Daemon) -> Vec<String> {
        let mut faults = Vec::new();
        let known = daemon.get(&format!("/api/v2/silence/{}", self.silence)).json();
        if known["status"]["state"] != "active" {
            faults.push(format!("the silence {} was active and is {known}", self.silence));
        }
        let ended = daemon.wire().ask("DELETE", &format!("/api/v2/silence/{}", self.silence), &[], b"").unwrap();
        faults.extend(refused("end a silence", &ended));
        self.silence = self.silence_anew(daemon);
        faults
    }

    fn silence_anew(&self, daemon: &Daemon) -> String {
        let now = jiff::Timestamp::now();
        let silence = json!({
            "matchers": [{"name": "instance", "value": "nobody", "isRegex": false, "isEqual": true}],
            "startsAt": format!("{now:.3}"),
            "endsAt": format!("{:.3}", now + jiff::SignedDuration::from_hours(5)),
            "createdBy": "oracle",
            "comment": "one that is ended after the next kill",
        });
        text(&daemon.post("/api/v2/silences", &silence).json()["silenceID"])
    }

    /// A mail that died is dead after a kill, and may be tried again: the server refuses it once more.
    fn retry_a_mail(&self, daemon: &Daemon, sends: bool) -> Vec<String> {
        let mut faults = Vec::new();
        if !refused_mails(daemon, "dead").iter().any(|row| row["id"] == self.dead.as_str()) {
            faults.push(format!("{} was dead and is {}", self.dead, daemon.get(&format!("/api/v1/outbox/{}", self.dead))));
        }
        if sends {
            faults.extend(refused("try a mail again", &daemon.post(&format!("/api/v1/outbox/{}/retry", self.dead), &json!({}))));
            eventually("the mail that was tried again dies again", || {
                let dead = refused_mails(daemon, "dead").iter().any(|row| row["id"] == self.dead.as_str());
                dead.then_some(()).ok_or_else(|| daemon.get(&format!("/api/v1/outbox/{}", self.dead)).text())
            });
        }
        faults
    }

    /// Neither a forecast nor the last run of its job is forgotten, and neither goes back.
    fn look_at_forecast_and_job(&mut self, daemon: &Daemon) -> Vec<String> {
        let mut faults = Vec::new();
        match made(daemon) {
            Ok(made_at) if made_at >= self.made_at => self.made_at = made_at,
            Ok(made_at) => faults.push(format!("the forecast was made at {} and now at {made_at}", self.made_at)),
            Err(seen) => faults.push(format!("the forecast is gone: {seen}")),
        }
        let jobs = daemon.get("/api/v1/schedules").json();
        let ran_at = jobs["items"].as_array().unwrap().iter().find(|job| job["name"] == "filling").map(|job| text(&job["last_run"]["at"]));
        match ran_at {
            Some(ran_at) if ran_at >= self.ran_at => self.ran_at = ran_at,
            other => faults.push(format!("the job ran at {:?} and now {other:?}", self.ran_at)),
        }
        faults
    }

    fn import_anew(&mut self, daemon: &Daemon) -> Vec<String> {
        let mut faults = Vec::new();
        let known = daemon.get("/api/v1/cis/imported-1");
        if known.is_success() && known.json()["owner"] != self.owner {
            faults.push(format!("imported-1 was imported as {}'s and is {known}", self.owner));
        }
        if !known.is_success() && self.note.is_some() {
            faults.push(format!("imported-1 is gone: {known}"));
        }
        self.owner = if self.owner == "platform" { "network" } else { "platform" };
        let rows = format!("items:\n  - {{id: imported-1, class: host, owner: {}}}\n", self.owner);
        let answer = daemon.wire().ask("POST", "/api/v1/cmdb/import?source=oracle", &[], rows.as_bytes()).unwrap();
        faults.extend(refused("import", &answer));
        faults
    }
}

/// Fires an alert on a CI.
fn fire(daemon: &Daemon, instance: &str) {
    send(daemon, instance, jiff::SignedDuration::from_hours(1));
}

/// An alert fires and clears, and its incident is resolved for longer than it could reopen.
fn outage(daemon: &Daemon, instance: &str) {
    let open = || daemon.list("/api/v1/incidents", &format!("?state=open&ci={instance}"));
    fire(daemon, instance);
    eventually("an incident opens and is told of", || one(&open()));
    thread::sleep(Duration::from_millis(500));
    send(daemon, instance, jiff::SignedDuration::from_secs(0));
    eventually("the incident is resolved", || if open().is_empty() { Ok(()) } else { Err(format!("{:?}", open())) });
    thread::sleep(Duration::from_secs(4));
}

fn send(daemon: &Daemon, instance: &str, fires_for: jiff::SignedDuration) {
    let now = jiff::Timestamp::now();
    let alert = json!([{
        "labels": {"alertname": "HostDown", "instance": instance, "severity": "critical"},
        "startsAt": format!("{now:.3}"),
        "endsAt": format!("{:.3}", now + fires_for),
    }]);
    assert!(daemon.post(&format!("/hooks/{SOURCE}/api/v2/alerts"), &alert).is_success());
}

fn refused_mails(daemon: &Daemon, state: &str) -> Vec<Value> {
    daemon.list("/api/v1/outbox", &format!("?state={state}")).into_iter().filter(|row| row["to"] == REFUSED).collect()
}

fn made(daemon: &Daemon) -> Result<String, String> {
    let forecasts = daemon.list("/api/v1/forecasts", "?rule=filling");
    let made = forecasts.iter().find_map(|forecast| forecast["made_at"].as_str());
    made.map(str::to_owned).ok_or_else(|| format!("{forecasts:?}"))
}

/// Where a mail's `NOT MINE` leads, without the address of the daemon. The text part is quoted-printable: a link has no byte that it quotes.
fn link(mail: &Mail) -> String {
    let body = String::from_utf8_lossy(&mail.bytes).replace("=\r\n", "");
    let line = body.lines().find(|line| line.starts_with("NOT MINE http")).unwrap_or_else(|| panic!("no link in {body}"));
    line[line.find("/a/").unwrap()..].to_owned()
}

fn one(found: &[Value]) -> Result<Value, String> {
    if found.len() == 1 { Ok(found[0].clone()) } else { Err(format!("{found:?}")) }
}

fn refused(what: &str, answer: &Answer) -> Vec<String> {
    if answer.is_success() { Vec::new() } else { vec![format!("to {what} was answered {answer}")] }
}

fn text(json: &Value) -> String {
    json.as_str().unwrap_or_else(|| panic!("no text: {json}")).to_owned()
}
