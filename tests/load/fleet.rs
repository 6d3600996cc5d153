//! Senders: bodies made beforehand, several connections, each waiting for its answer before it sends again.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use watchkeeper_harness::wire::Wire;

const PATH: &str = "/api/v2/alerts";

/// The alerts of all hosts, as bodies.
pub(crate) struct Fleet {
    hosts: usize,
    bodies: Vec<Vec<u8>>,
    singles: Vec<Vec<u8>>,
}

impl Fleet {
    /// `alerts` of different names on `hosts`, `batch` a body. About 500 bytes each, as Prometheus sends them.
    pub(crate) fn new(alerts: usize, hosts: usize, batch: usize) -> Fleet {
        let all: Vec<Value> = (0..alerts).map(|number| alert(number, hosts)).collect();
        let bodies = all.chunks(batch).map(|part| Value::Array(part.to_vec()).to_string().into_bytes()).collect();
        let singles = all.iter().take(10_000).map(|alert| json!([alert]).to_string().into_bytes()).collect();
        Fleet { hosts, bodies, singles }
    }

    /// The hosts as items of a CMDB, twenty behind each switch.
    pub(crate) fn cmdb(&self) -> String {
        let mut text = String::from("teams: [{id: ops, mail: [ops@example.org]}]\nitems:\n");
        for host in 0..self.hosts {
            if host % 20 == 0 {
                text.push_str(&format!("  - {{id: sw-{}, class: switch, owner: ops}}\n", host / 20));
            }
            text.push_str(&format!("  - {{id: host-{host}, class: host, owner: ops, relations: [{{depends_on: sw-{}}}]}}\n", host / 20));
        }
        text
    }

    /// Sends every body once.
    pub(crate) fn send_all(&self, address: SocketAddr, connections: usize) {
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..connections {
                scope.spawn(|| {
                    let mut wire = Wire::to(address);
                    while let Some(body) = self.bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
                        send(&mut wire, body);
                    }
                });
            }
        });
    }

    /// Sends alerts that are known, one a request, for so long; how many a second.
    pub(crate) fn send_singly(&self, address: SocketAddr, connections: usize, length: Duration) -> f64 {
        let sent = AtomicUsize::new(0);
        let began = Instant::now();
        std::thread::scope(|scope| {
            for connection in 0..connections {
                let sent = &sent;
                scope.spawn(move || {
                    let mut wire = Wire::to(address);
                    for body in self.singles.iter().cycle().skip(connection * 97) {
                        if began.elapsed() >= length {
                            break;
                        }
                        send(&mut wire, body);
                        sent.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        sent.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64()
    }

    /// Sends one known alert a request at a pace that is kept; the median and the 99th percentile of the answers, in seconds from when each was due.
    pub(crate) fn send_paced(&self, address: SocketAddr, per_second: u32, length: Duration) -> (f64, f64) {
        let mut wire = Wire::to(address);
        let began = Instant::now();
        let mut answers = Vec::new();
        for (number, body) in (0_u32..).zip(self.singles.iter().cycle()) {
            let due = Duration::from_secs(1) / per_second * number;
            if due >= length {
                break;
            }
            std::thread::sleep(due.saturating_sub(began.elapsed()));
            send(&mut wire, body);
            answers.push((began.elapsed() - due).as_secs_f64());
        }
        answers.sort_by(f64::total_cmp);
        (answers[answers.len() / 2], answers[answers.len() * 99 / 100])
    }
}

/// The middle one.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn send(wire: &mut Wire, body: &[u8]) {
    let answer = wire.ask("POST", PATH, &[], body).unwrap_or_else(|lost| panic!("no answer: {lost:?}"));
    assert!(answer.is_success(), "{answer}");
}

fn alert(number: usize, hosts: usize) -> Value {
    let host = number % hosts;
    json!({
        "labels": {
            "alertname": format!("Check{}", number / hosts), "instance": format!("host-{host}:9100"), "job": "node", "severity": "warning",
            "cluster": "berlin", "datacenter": "ber-1", "team": "ops",
        },
        "annotations": {
            "summary": format!("check {} of host-{host} is above its threshold", number / hosts),
            "description": "The value has been above its threshold for more than ten minutes, as the rule in monitoring says.",
        },
        "generatorURL": format!("http://prometheus.example.org:9090/graph?g0.expr=check{}&g0.tab=1", number / hosts),
    })
}
