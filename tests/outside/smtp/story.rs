//! One daemon, one mail server with a script, one alert: and what must become of its mail.

use std::fs;
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use watchkeeper_harness::daemon::{Daemon, Place, eventually};
use watchkeeper_harness::mail_server::MailServer;
use watchkeeper_harness::mailbox::mails;

/// The password of the login; it must be seen nowhere.
pub(super) const PASSWORD: &str = "s3cret-of-the-relay";
/// How long a step may take in these daemons.
const STEP: &str = "2s";
/// The first wait of a mail that did not leave.
const FIRST_RETRY: Duration = Duration::from_secs(15);

const RULES: &str = "correlate:\n  - {name: all, matchers: ['alertname=~\".+\"'], means: down, group_wait: 0s}\n";
const CMDB: &str = "teams: [{id: net, mail: [net@example.org]}]\nitems: [{id: sw-1, owner: net, criticality: high}, {id: sw-2, owner: net}, {id: sw-3, owner: net}, \
     {id: sw-4, owner: net}, {id: sw-5, owner: net}, {id: sw-6, owner: net}]\n";

/// What must become of the mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Once, at the first try.
    Arrives,
    /// Once, after the first wait and not before it.
    ArrivesAfterARetry,
    /// Twice, with one Message-ID and the same bytes: nobody can know whether the first copy was taken.
    ArrivesTwice,
    /// Not at all: dead at once, and the reason has the server's words.
    Dead(&'static str),
    /// It waits: the server does not offer STARTTLS, and nothing is said but EHLO.
    NeverInTheClear,
}

/// What the server does, and what must come of it.
#[derive(Debug, Clone)]
pub(super) struct Story {
    pub(super) script: String,
    pub(super) tls: &'static str,
    pub(super) end: End,
}

impl Story {
    /// A server under STARTTLS with a login, and one step that goes wrong.
    pub(super) fn of(script: &str, end: End) -> Story {
        Story { script: script.to_owned(), tls: "starttls", end }
    }

    /// A folder for the daemon, and the server it sends to.
    pub(super) fn place(&self) -> (Place, MailServer) {
        let program = env!("CARGO_BIN_EXE_watchkeeper");
        let place = Place::new(program, "");
        let key = KeyPair::generate().unwrap();
        let mut certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        certificate.not_after = rcgen::date_time_ymd(2036, 1, 1);
        let certificate = certificate.self_signed(&key).unwrap();
        fs::write(place.path("cert.pem"), certificate.pem()).unwrap();
        fs::write(place.path("key.pem"), key.serialize_pem()).unwrap();
        fs::write(place.path("smtp.password"), format!("{PASSWORD}\n")).unwrap();
        let file = |name: &str| place.path(name).display().to_string();
        let arguments: Vec<String> = ["--tls", self.tls, "--cert", &file("cert.pem"), "--key", &file("key.pem"), "--do", &self.script]
            .into_iter()
            .map(str::to_owned)
            .chain(["--login".to_owned(), format!("watch:{PASSWORD}")])
            .collect();
        let server = MailServer::start(program, &place.path("mailbox"), &arguments);
        let security = if self.tls == "implicit" { "tls" } else { "starttls" };
        let transport = format!(
            "transport = \"smtp\"\n\n[mail.smtp]\nhost = \"localhost\"\nport = {}\nsecurity = \"{security}\"\nuser = \"watch\"\n\
             password_file = \"smtp.password\"\nca_file = \"cert.pem\"\ntimeout = \"{STEP}\"\n",
            server.address.port()
        );
        place.configure(&transport, "");
        place.write("rules/rules.yaml", RULES);
        place.write("cmdb/items.yaml", CMDB);
        place.init();
        (place, server)
    }

    /// Tells it, and fails where it ends otherwise.
    pub(super) fn run(&self) {
        let (place, server) = self.place();
        let daemon = place.start();
        let begun = Instant::now();
        fire(&daemon, "sw-1", "no answer");
        let settled = |row: &Value| match self.end {
            End::Arrives | End::ArrivesAfterARetry | End::ArrivesTwice => row["state"] == "delivered",
            End::Dead(_) => row["state"] == "dead",
            End::NeverInTheClear => row["attempts"] == 1,
        };
        let row = eventually(&format!("{self:?}"), || {
            let outbox = daemon.list("/api/v1/outbox", "");
            let seen = format!("{outbox:?}");
            outbox.into_iter().find(settled).ok_or(seen)
        });
        let took = begun.elapsed();
        let arrived = mails(&server.mailbox);
        let tries = row["attempts"].as_u64().unwrap();
        let error = row["last_error"].as_str().unwrap_or_default().to_owned();
        match self.end {
            End::Arrives => assert_eq!((arrived.len(), tries), (1, 1), "{self:?}: {row}"),
            End::ArrivesAfterARetry => {
                assert_eq!((arrived.len(), tries), (1, 2), "{self:?}: {row}");
                assert!(took >= FIRST_RETRY, "{self:?}: tried again after {took:?}");
            }
            End::ArrivesTwice => {
                assert_eq!((arrived.len(), tries), (2, 2), "{self:?}: {row}");
                assert_eq!(arrived[0].bytes, arrived[1].bytes, "{self:?}");
            }
            End::Dead(words) => {
                assert_eq!((arrived.len(), tries), (0, 1), "{self:?}: {row}");
                assert!(error.contains(words) && took < FIRST_RETRY, "{self:?}: {error} after {took:?}");
            }
            End::NeverInTheClear => {
                assert_eq!((arrived.len(), &row["state"]), (0, &json!("rendered")), "{self:?}: {row}");
                assert!(error.contains("STARTTLS"), "{self:?}: {error}");
                assert_eq!(server.commands(), ["EHLO"], "{self:?}");
            }
        }
        let clear: Vec<String> = server.commands().into_iter().filter(|line| !line.starts_with("tls ")).collect();
        assert!(clear.iter().all(|line| line == "EHLO" || line == "STARTTLS"), "{self:?}: in the clear: {clear:?}");
        self.check_what_is_shown(&daemon, &error);
        assert!(daemon.stop().success(), "{self:?}");
        let log = fs::read_to_string(place.path("daemon.log")).unwrap();
        assert!(!log.contains(PASSWORD), "{self:?}: the log holds the password");
    }

    /// Health and metrics tell of it, and the daemon stays ready.
    fn check_what_is_shown(&self, daemon: &Daemon, error: &str) {
        let ready = daemon.get("/-/ready?verbose=1");
        assert_eq!(ready.status, 200, "{ready}");
        let metrics = daemon.get("/metrics").text();
        let counted = |outcome: &str| metrics.contains(&format!("watchkeeper_mails_total{{outcome=\"{outcome}\"}} 1"));
        let fails = !error.is_empty();
        match self.end {
            End::NeverInTheClear => {
                assert!(ready.text().contains("not  mail: send by localhost"), "{ready}");
                assert!(metrics.contains("watchkeeper_outbox_messages{state=\"rendered\"} 1"), "{metrics}");
            }
            End::Dead(_) => assert!(counted("dead"), "{metrics}"),
            End::Arrives | End::ArrivesAfterARetry | End::ArrivesTwice => {
                assert!(ready.text().contains("ok   mail: "), "{ready}");
                assert!(counted("delivered") && (!fails || counted("failed")), "{metrics}");
            }
        }
    }
}

/// Fires an alert on one of the switches, sw-1 to sw-6.
pub(super) fn fire(daemon: &Daemon, switch: &str, summary: &str) {
    let alert = json!([{
        "labels": {"alertname": "DeviceDown", "instance": switch, "severity": "critical"},
        "annotations": {"summary": summary},
    }]);
    let answer = daemon.post("/api/v2/alerts", &alert);
    assert!(answer.is_success(), "{answer}");
}

/// The hashes of all mails' bytes, once so many are delivered.
pub(super) fn delivered(daemon: &Daemon, count: usize) -> Vec<String> {
    let rows = eventually("every mail is delivered", || {
        let outbox = daemon.list("/api/v1/outbox", "");
        let done = outbox.iter().filter(|row| row["state"] == "delivered").count();
        if done == count && outbox.len() == count { Ok(outbox) } else { Err(format!("{outbox:#?}")) }
    });
    let hash = |row: &Value| {
        let whole = daemon.get(&format!("/api/v1/outbox/{}", row["id"].as_str().unwrap())).json();
        whole["sha256"].as_str().unwrap().to_owned()
    };
    rows.iter().map(hash).collect()
}
