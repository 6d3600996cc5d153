//! A real Prometheus (Debian's) with a week of a disk's history: the daemon asks it by schedule, and who owns the disk hears when it will be full.

use std::fmt::Write as _;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use watchkeeper_harness::daemon::{Other, Place, eventually, free_address};
use watchkeeper_harness::mailbox::mails;

use crate::messages::split;

const DAY: u64 = 86_400;
/// Prometheus gives a value for five minutes.
const SCRAPED_EVERY: u64 = 240;

const CMDB: &str = "\
teams: [{id: dba, mail: [dba@example.org]}]
items: [{id: db-1, class: host, owner: dba}, {id: db-2, class: host, owner: dba}, {id: db-3, class: host, owner: dba}]
";

#[test]
fn a_disk_that_fills_in_prometheus_is_an_incident_before_it_is_full() {
    let prometheus = free_address();
    let place = Place::new(env!("CARGO_BIN_EXE_watchkeeper"), &format!("[[prometheus]]\nname = \"main\"\nurl = \"http://{prometheus}\"\n"));
    place.write(
        "rules/capacity.yaml",
        "capacity:\n  - name: filesystem-full\n    every: {cron: \"* * * * *\", zone: UTC}\n    query: 100 * (1 - avail_bytes / size_bytes)\n    \
         history: 7d\n    above: 90\n    lead_time: 5d\n\
         correlate: [{name: disk, matchers: ['alertname=\"filesystem-full\"'], urgency: high, group_wait: 1s}]\n",
    );
    place.write("cmdb/dba.yaml", CMDB);
    place.init();
    let process = with_history(&place, prometheus);
    let daemon = place.start();

    // The schedule comes within a minute.
    let of = |host: &str| {
        let forecasts = daemon.list("/api/v1/forecasts", "?rule=filesystem-full");
        let found = forecasts.iter().find(|item| item["labels"]["instance"] == host).cloned();
        found.ok_or_else(|| format!("{forecasts:#?}\n{}", daemon.log_tail()))
    };
    let filling = wait_twice("the forecast", || of("db-1:9100").map_err(|seen| format!("{seen}\n{}", process.log())));
    assert_eq!((&filling["state"], &filling["ci"], &filling["firing"]), (&"crossing".into(), &"db-1".into(), &true.into()), "{filling:#}");
    let number = |item: &Value, field: &str| item[field].as_f64().unwrap();
    assert!((number(&filling, "per_day") - 3.0).abs() < 0.1 && (number(&filling, "value") - 84.0).abs() < 0.5, "{filling:#}");
    let cleaned = of("db-2:9100").unwrap();
    assert_eq!((&cleaned["state"], &cleaned["firing"]), (&"crossing".into(), &false.into()), "its clean-up gave it time: {cleaned:#}");
    assert!(number(&cleaned, "value") < 45.0, "{cleaned:#}");
    let flat = of("db-3:9100").unwrap();
    assert_eq!((&flat["state"], &flat["firing"]), (&"never".into(), &false.into()), "{flat:#}");

    let incident = eventually("the incident", || {
        let open = daemon.list("/api/v1/incidents", "?state=open");
        open.first().cloned().ok_or_else(|| daemon.log_tail())
    });
    assert_eq!((&incident["ci"], &incident["rule"]), (&"db-1".into(), &"disk".into()), "{incident:#}");
    let mail = eventually("the mail", || {
        let sent = mails(&place.path("outbox"));
        sent.into_iter().find(|mail| mail.reason() == "opened").ok_or_else(|| daemon.log_tail())
    });
    assert_eq!(mail.to(), "dba@example.org");
    let parsed = split(&mail.bytes).1;
    assert!(parsed.contains("above 90 in "), "it says when:\n{parsed}");

    // Prometheus is gone: the next question fails, and nothing clears because of it.
    drop(process);
    let unanswered = wait_twice("the failure", || {
        of("db-1:9100").and_then(|item| if item["error"].is_null() { Err(item.to_string()) } else { Ok(item) })
    });
    assert_eq!((&unanswered["state"], &unanswered["firing"]), (&"crossing".into(), &true.into()), "{unanswered:#}");
    assert_eq!(daemon.list("/api/v1/incidents", "?state=open").len(), 1);
}

/// As `eventually`, for what a schedule brings within a minute.
fn wait_twice<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    for _ in 0..600 {
        if let Ok(found) = look() {
            return found;
        }
        std::thread::sleep(std::time::Duration::from_millis(150));
    }
    eventually(what, look)
}

/// A Prometheus that has measured three disks for a week: one that fills by three a day, one that filled and was cleaned up a day ago, one that does not move.
fn with_history(place: &Place, listen: std::net::SocketAddr) -> Other {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let size = 500e9;
    let mut metrics = "# TYPE avail_bytes gauge\n".to_owned();
    let used = [
        |ago: f64| 84.0 - 3.0 * ago,
        |ago: f64| if ago > 1.0 { 92.0 - 3.0 * ago } else { 43.0 - 3.0 * ago },
        |ago: f64| if ((ago * 100.0) as u64).is_multiple_of(2) { 50.0 } else { 50.4 },
    ];
    let times: Vec<u64> = (0..8 * DAY / SCRAPED_EVERY).rev().map(|back| now - back * SCRAPED_EVERY).collect();
    for (host, used) in used.iter().enumerate() {
        for at in &times {
            let left = size * (1.0 - used((now - at) as f64 / DAY as f64) / 100.0);
            writeln!(metrics, "avail_bytes{{instance=\"db-{}:9100\"}} {left} {at}", host + 1).unwrap();
        }
    }
    metrics.push_str("# TYPE size_bytes gauge\n");
    for host in 1..=used.len() {
        for at in &times {
            writeln!(metrics, "size_bytes{{instance=\"db-{host}:9100\"}} {size} {at}").unwrap();
        }
    }
    metrics.push_str("# EOF\n");
    place.write("history.txt", &metrics);
    place.write("prometheus.yml", "global: {scrape_interval: 1h}\n");
    let data = place.path("prometheus");
    let made = Command::new("promtool")
        .args(["tsdb", "create-blocks-from", "openmetrics"])
        .args([place.path("history.txt"), data.clone()])
        .output()
        .unwrap_or_else(|error| panic!("promtool: {error}. `tests/setup test` installs it"));
    assert!(made.status.success(), "{}{}", String::from_utf8_lossy(&made.stdout), String::from_utf8_lossy(&made.stderr));
    let arguments = [
        "--config.file=prometheus.yml".to_owned(),
        format!("--storage.tsdb.path={}", data.display()),
        "--storage.tsdb.retention.time=60d".to_owned(),
        format!("--web.listen-address={listen}"),
    ];
    Other::start(place, "prometheus", &arguments)
}
