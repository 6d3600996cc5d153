//! A real Prometheus (Debian's): a target dies, its rule fires at the daemon, people get mail; the target comes back. It scrapes the daemon meanwhile.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};

use serde_json::Value;
use watchkeeper_harness::daemon::{Other, Place, eventually, free_address};
use watchkeeper_harness::mailbox::mails;
use watchkeeper_harness::wire::Wire;

const RULES: &str = "\
correlate:
  - name: host-down
    matchers: [alertname=\"HostDown\"]
    means: down
    group_wait: 1s
    resolve_after: 1s
";

const CMDB: &str = "\
teams: [{id: web, mail: [web@example.org]}]
items:
  - {id: web-01, class: host, owner: web}
  - {id: shop, class: service, criticality: high, owner: web, relations: [{runs_on: web-01}]}
";

#[test]
fn a_rule_that_fires_in_prometheus_becomes_an_incident_and_a_mail_and_ends_when_it_ends() {
    let place = Place::new(env!("CARGO_BIN_EXE_watchkeeper"), "");
    place.write("rules/web.yaml", RULES);
    place.write("cmdb/web.yaml", CMDB);
    place.init();
    let daemon = place.start();
    let victim = free_address();
    let prometheus = free_address();
    let process = start_prometheus(&place, prometheus, victim);

    let incident = eventually("the incident", || {
        let open = daemon.list("/api/v1/incidents", "?state=open");
        open.first().cloned().ok_or_else(|| format!("{}\n{}", process.log(), daemon.log_tail()))
    });
    assert_eq!(incident["ci"], "web-01", "{incident:#}");
    assert_eq!(incident["priority"], "P1");
    let id = incident["id"].as_str().unwrap();
    let opened = eventually("the opened mail", || {
        let sent = mails(&place.path("outbox"));
        sent.into_iter().find(|mail| mail.reason() == "opened").ok_or_else(|| daemon.log_tail())
    });
    assert_eq!((opened.to(), opened.incident()), ("web@example.org", id));

    scrapes(&mut Wire::to(prometheus), &daemon.get("/metrics").text());

    answer_as_target(victim);
    eventually("the resolved incident", || {
        let incident = daemon.get(&format!("/api/v1/incidents/{id}")).json();
        if incident["state"] == "resolved" { Ok(()) } else { Err(format!("{} while {}", incident["state"], incident["alerts"])) }
    });
    let resolved = eventually("the resolved mail", || {
        let sent = mails(&place.path("outbox"));
        sent.into_iter().find(|mail| mail.reason() == "resolved").ok_or_else(|| daemon.log_tail())
    });
    assert_eq!(resolved.header("references"), opened.header("message-id"), "one thread");
}

/// Prometheus has the daemon as a healthy target, knows its metrics, and finds nothing to complain about in their form.
fn scrapes(prometheus: &mut Wire, exposition: &str) {
    let scraped = eventually("Prometheus scrapes the daemon", || {
        let answer = prometheus.get("/api/v1/query?query=watchkeeper_incidents_open").unwrap().json();
        let result = answer["data"]["result"].as_array().unwrap().clone();
        let open = |sample: &Value| sample["value"][1] == "1";
        if result.iter().any(open) { Ok(result) } else { Err(answer.to_string()) }
    });
    assert!(scraped.iter().all(|sample| sample["metric"]["job"] == "watchkeeper"), "{scraped:?}");
    let targets = prometheus.get("/api/v1/targets?state=active").unwrap().json();
    let target =
        targets["data"]["activeTargets"].as_array().unwrap().iter().find(|target| target["labels"]["job"] == "watchkeeper").cloned();
    assert_eq!(target.unwrap()["lastError"], "");
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("promtool: {error}. `tests/setup test` installs it"));
    promtool.stdin.take().unwrap().write_all(exposition.as_bytes()).unwrap();
    let found = promtool.wait_with_output().unwrap();
    assert!(found.status.success(), "{}{}", String::from_utf8_lossy(&found.stdout), String::from_utf8_lossy(&found.stderr));
}

fn start_prometheus(place: &Place, listen: SocketAddr, victim: SocketAddr) -> Other {
    let daemon = place.address();
    let config = watchkeeper_harness::daemon::repository_file("deploy/prometheus/prometheus.yml");
    let config = config.replace("127.0.0.1:9080", &daemon.to_string()).replace("15s", "1s");
    // The rules about the daemon itself have tests of their own; here another rule fires.
    let config = config.replace("rule_files: [watchkeeper.rules.yml]", "rule_files: [alerts.yml]");
    assert!(config.contains("rule_files: [alerts.yml]"), "deploy/prometheus/prometheus.yml names its rule files");
    assert!(config.contains(&daemon.to_string()), "deploy/prometheus/prometheus.yml names the daemon as 127.0.0.1:9080");
    let config =
        format!("{config}\n  - job_name: web\n    static_configs: [{{targets: [\"{victim}\"], labels: {{instance: \"web-01:9100\"}}}}]\n");
    place.write("prometheus.yml", &config);
    place.write(
        "alerts.yml",
        "groups:\n  - name: hosts\n    rules:\n      - alert: HostDown\n        expr: up{job=\"web\"} == 0\n        labels: {severity: critical}\n        annotations: {summary: \"{{ $labels.instance }} does not answer\"}\n",
    );
    let arguments = [
        "--config.file=prometheus.yml".to_owned(),
        format!("--storage.tsdb.path={}", place.path("prometheus").display()),
        format!("--web.listen-address={listen}"),
    ];
    Other::start(place, "prometheus", &arguments)
}

/// The target lives again: whoever asks is answered with one metric.
fn answer_as_target(address: SocketAddr) {
    let listener = TcpListener::bind(address).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut request = [0; 4_096];
            // A scraper that goes away in between asks again a second later.
            if stream.read(&mut request).is_ok() {
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 8\r\nConnection: close\r\n\r\nalive 1\n")
                    .ok();
            }
        }
    });
}
