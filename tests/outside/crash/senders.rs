//! The load: senders that fire, repeat and clear alerts through three doors, and an operator who writes notes, all until the daemon is gone.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};
use watchkeeper_harness::chance::Chance;
use watchkeeper_harness::daemon::Killer;
use watchkeeper_harness::wire::{Answer, Lost, Wire};

use super::ledger::{Ledger, Outcome, Word};

/// Alerts that a sender comes back to: they fire, are repeated, end and fire again.
const POOL: u64 = 30;
/// Alerts that a sender fires once and never ends, in one cycle.
const ONCE_MAX: u32 = 60;
/// Inputs of the largest batch.
const BATCH_MAX: u64 = 20;
/// Alerts of the crowd. What repeats change of them fills many more pages than one commit writes, so that a start has to read blocks again.
const CROWD: usize = 6_000;
/// Of the crowd in one request.
const CROWD_BATCH: u64 = 100;
/// Hosts of the alerts that come and go, of which the last two are in no CMDB; the first is the switch that a third of the others hang from.
pub(crate) const HOSTS: u64 = 60;
/// Hosts of the alerts that stay.
pub(crate) const KEEPERS: u64 = 5;

/// What all threads of a cycle share.
#[derive(Default)]
pub(crate) struct Cycle {
    /// Requests on the wire.
    pub(crate) in_flight: AtomicUsize,
    /// Nobody begins another request.
    pub(crate) over: AtomicBool,
    /// Whether somebody has seen the first byte of an answer and killed the daemon.
    pub(crate) killed_at_first_byte: AtomicBool,
}

/// Requests by what became of them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    /// Answered with success.
    pub(crate) taken: u32,
    /// Refused.
    pub(crate) refused: u32,
    /// Without an answer.
    pub(crate) unknown: u32,
}

/// One sender.
pub(crate) struct Sender {
    /// What it knows.
    pub(crate) ledger: Ledger,
    /// Its requests.
    pub(crate) tally: Tally,
    kind: Kind,
    number: u64,
    chance: Chance,
    once: u32,
    sent: u64,
}

/// What a sender speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Alerts that come and go, and some that stay: incidents, mails.
    Shop,
    /// Very many that are only recorded, and repeated in large requests.
    Crowd,
}

/// When a sender ends the daemon itself.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kill {
    /// Never.
    Never,
    /// As soon as the first byte of the `request`th answer is there.
    AtFirstByte {
        /// Counted from one.
        request: u32,
        /// Kills it.
        killer: Killer,
    },
}

/// The doors, by the name of the source that speaks there.
const DOORS: [(&str, &str); 3] = [("default", "/api/v2/alerts"), ("east", "/hooks/east/api/v2/alerts"), ("west", "/hooks/west")];

impl Sender {
    /// The `number`th sender.
    pub(crate) fn new(number: u64, chance: Chance) -> Sender {
        let mut sender = Sender { ledger: Ledger::default(), tally: Tally::default(), kind: Kind::Shop, number, chance, once: 0, sent: 0 };
        for pooled in 0..POOL {
            let labels = sender.pool_labels(pooled);
            sender.ledger.add(labels);
        }
        sender
    }

    /// A sender of the crowd, all of which it makes known to the daemon.
    pub(crate) fn of_crowd(number: u64, chance: Chance, address: SocketAddr) -> Sender {
        let mut sender = Sender { ledger: Ledger::default(), tally: Tally::default(), kind: Kind::Crowd, number, chance, once: 0, sent: 0 };
        let numbers =
            (0..CROWD).map(|member| sender.ledger.add(labels("Noted", format!("crowd-{member}"), format!("crowd-{member}"), "info")));
        let inputs: Vec<(usize, Word)> = numbers.map(|number| (number, Word::Fires)).collect();
        let mut wire = Wire::described(address);
        for part in inputs.chunks(500) {
            let (source, path) = DOORS[0];
            let answer = wire.post(path, &body(source, &sender.ledger, part, false));
            sender.ledger.note(source, part, outcome(&answer, false));
        }
        sender
    }

    /// Sends until the cycle is over or the daemon is gone.
    pub(crate) fn work(&mut self, address: SocketAddr, cycle: &Cycle, kill: Kill) {
        let mut wire = Wire::described(address);
        self.once = 0;
        for request in 1.. {
            if cycle.over.load(Ordering::SeqCst) {
                return;
            }
            let (source, path) = DOORS[usize::try_from(self.chance.below(3)).unwrap()];
            let inputs = self.inputs();
            let spoiled = inputs.len() > 1 && self.chance.percent(10);
            let body = body(source, &self.ledger, &inputs, spoiled);
            cycle.in_flight.fetch_add(1, Ordering::SeqCst);
            let answer = match kill {
                Kill::AtFirstByte { request: wanted, killer } if wanted == request => at_first_byte(&mut wire, path, &body, killer, cycle),
                Kill::Never | Kill::AtFirstByte { .. } => wire.post(path, &body),
            };
            cycle.in_flight.fetch_sub(1, Ordering::SeqCst);
            let outcome = outcome(&answer, spoiled);
            self.ledger.note(source, &inputs, outcome);
            match outcome {
                Outcome::Taken => self.tally.taken += 1,
                Outcome::Refused => self.tally.refused += 1,
                Outcome::Unknown => self.tally.unknown += 1,
            }
            if answer.is_err() {
                return;
            }
        }
    }

    /// What one request says: one alert or a batch, each alert once.
    fn inputs(&mut self) -> Vec<(usize, Word)> {
        if self.kind == Kind::Crowd {
            let members: BTreeMap<usize, Word> =
                (0..CROWD_BATCH).map(|_| (usize::try_from(self.chance.below(CROWD as u64)).unwrap(), Word::Fires)).collect();
            return members.into_iter().collect();
        }
        let size = if self.chance.percent(20) { 2 + self.chance.below(BATCH_MAX - 1) } else { 1 };
        let mut inputs: BTreeMap<usize, Word> = BTreeMap::new();
        for _ in 0..size {
            if self.once < ONCE_MAX && self.chance.percent(15) {
                self.once += 1;
                let labels = self.once_labels();
                inputs.insert(self.ledger.add(labels), Word::Fires);
            } else {
                let number = usize::try_from(self.chance.below(POOL)).unwrap();
                let over = self.ledger.alert(number).is_heard() && self.chance.percent(50);
                inputs.insert(number, if over { Word::Over } else { Word::Fires });
            }
        }
        inputs.into_iter().collect()
    }

    /// An alert that comes and goes: one of the switch, the others of hosts.
    fn pool_labels(&mut self, number: u64) -> BTreeMap<String, String> {
        let host = if self.number == 0 && number == 0 { 0 } else { 1 + self.chance.below(HOSTS - 1) };
        let alertname = match (host, self.chance.below(3)) {
            (0, _) => "DeviceDown",
            (_, 0) => "HostDown",
            (_, _) => "HighLoad",
        };
        labels(alertname, host_name(host), format!("pool-{}-{number}", self.number), "critical")
    }

    /// An alert that stays.
    fn once_labels(&mut self) -> BTreeMap<String, String> {
        self.sent += 1;
        let host = format!("keeper-{}", self.chance.below(KEEPERS));
        labels("DiskFilling", host, format!("once-{}-{}", self.number, self.sent), "critical")
    }
}

fn labels(alertname: &str, instance: String, name: String, severity: &str) -> BTreeMap<String, String> {
    [("alertname", alertname.to_owned()), ("instance", instance), ("severity", severity.to_owned()), ("n", name)]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
}

/// The name of a host.
pub(crate) fn host_name(host: u64) -> String {
    if host == 0 { "sw-1".to_owned() } else { format!("host-{host}") }
}

/// An operator: writes notes into incidents until the cycle is over or the daemon is gone. Each note is a text of its own.
pub(crate) struct Operator {
    /// The notes and what became of them: incident, text, outcome.
    pub(crate) notes: Vec<(String, String, Outcome)>,
    chance: Chance,
    written: u64,
}

impl Operator {
    /// An operator with nothing written.
    pub(crate) fn new(chance: Chance) -> Operator {
        Operator { notes: Vec::new(), chance, written: 0 }
    }

    /// Writes.
    pub(crate) fn work(&mut self, address: SocketAddr, cycle: &Cycle, incidents: &[String]) {
        let mut wire = Wire::described(address);
        while !incidents.is_empty() && !cycle.over.load(Ordering::SeqCst) {
            let incident = &incidents[usize::try_from(self.chance.below(incidents.len() as u64)).unwrap()];
            self.written += 1;
            let text = format!("note number {} of the oracle.", self.written);
            cycle.in_flight.fetch_add(1, Ordering::SeqCst);
            let answer = wire.post(&format!("/api/v1/incidents/{incident}/note"), &json!({"text": text}));
            cycle.in_flight.fetch_sub(1, Ordering::SeqCst);
            self.notes.push((incident.clone(), text, outcome(&answer, false)));
            if answer.is_err() {
                return;
            }
        }
    }
}

/// Sends, waits for one byte, kills; what else had arrived by then tells what the answer was.
fn at_first_byte(wire: &mut Wire, path: &str, body: &Value, killer: Killer, cycle: &Cycle) -> Result<Answer, Lost> {
    wire.send("POST", path, &[], body.to_string().as_bytes())?;
    wire.first_byte()?;
    killer.kill();
    cycle.killed_at_first_byte.store(true, Ordering::SeqCst);
    cycle.over.store(true, Ordering::SeqCst);
    wire.answer()
}

/// A batch that was spoiled on purpose is answered 400, and its good members are taken.
fn outcome(answer: &Result<Answer, Lost>, spoiled: bool) -> Outcome {
    match answer {
        Ok(answer) if answer.is_success() => {
            assert!(!spoiled, "a spoiled batch was answered {answer}");
            Outcome::Taken
        }
        Ok(answer) if answer.status == 400 => {
            assert!(spoiled, "a good batch was answered {answer}");
            Outcome::Taken
        }
        Ok(answer) => {
            assert!(matches!(answer.status, 429 | 503), "not an answer of a healthy daemon: {answer}");
            Outcome::Refused
        }
        Err(Lost::Unsent) => Outcome::Refused,
        Err(Lost::Unknown) => Outcome::Unknown,
    }
}

fn body(source: &str, ledger: &Ledger, inputs: &[(usize, Word)], spoiled: bool) -> Value {
    let now = jiff::Timestamp::now();
    let later = now + jiff::SignedDuration::from_hours(1);
    let mut alerts: Vec<Value> = Vec::new();
    for (number, word) in inputs {
        let labels = &ledger.alert(*number).labels;
        let annotations = json!({"summary": format!("{} on {}", labels["alertname"], labels["instance"])});
        alerts.push(match (source, word) {
            ("west", Word::Fires) => {
                json!({"status": "firing", "labels": labels, "annotations": annotations, "startsAt": at(now), "endsAt": "0001-01-01T00:00:00Z"})
            }
            ("west", Word::Over) => json!({"status": "resolved", "labels": labels, "annotations": annotations, "startsAt": at(now), "endsAt": at(now)}),
            (_, Word::Fires) => json!({"labels": labels, "annotations": annotations, "startsAt": at(now), "endsAt": at(later)}),
            (_, Word::Over) => json!({"labels": labels, "annotations": annotations, "startsAt": at(now), "endsAt": at(now)}),
        });
    }
    if spoiled {
        alerts.insert(alerts.len() / 2, json!({"labels": {"alertname": 7}}));
    }
    if source == "west" {
        json!({"version": "4", "groupKey": "{}", "status": "firing", "receiver": "west", "alerts": alerts})
    } else {
        Value::Array(alerts)
    }
}

fn at(time: jiff::Timestamp) -> String {
    format!("{time:.3}")
}
