//! Changes of incidents to a real Kafka: every one is there, in order for each incident and under one id, whichever end is killed; a topic that is missing is said.

use std::collections::{BTreeMap, BTreeSet};

use rdkafka::message::Message as _;
use serde_json::{Value, json};
use watchkeeper_harness::daemon::{Daemon, Place, eventually};
use watchkeeper_harness::kafka::Kafka;

const CLUSTER: &str = "SW5jaWRlbnRzIGdvIG91dA";

const RULES: &str = "\
correlate:
  - {name: down, matchers: ['alertname=\"HostDown\"'], means: down, group_by: [ci], group_wait: 1s}
";

/// What is done to each incident, and what the topic says of it.
const LIFE: [(&str, &str, &str); 10] = [
    ("acknowledge", "{}", "acknowledged"),
    ("priority", r#"{"priority": "P1", "words": "many ask"}"#, "rated"),
    ("note", r#"{"text": "on my way"}"#, "noted"),
    ("hold", r#"{"reason": "waiting_for_vendor"}"#, "on_hold"),
    ("resume", "{}", "in_progress"),
    ("assign", r#"{"to": "anna"}"#, "assigned"),
    ("resolve", r#"{"words": "plugged in"}"#, "resolved"),
    ("reopen", r#"{"words": "unplugged"}"#, "reopened"),
    ("resolve", r#"{"words": "glued"}"#, "resolved"),
    ("close", "{}", "closed"),
];

/// What the events of the API say of incidents that is no change of one: their alerts, their messages, their clocks.
const NO_CHANGE: [&str; 5] = [" joined", " left", "notified", " counts", "its SLA clocks"];

fn place(kafka: &Kafka, topic: &str) -> Place {
    let broker = kafka.broker();
    let out =
        format!("[kafka]\nbrokers = \"{broker}\"\n[kafka.properties]\nreconnect.backoff.max.ms = 500\n[kafka.out]\ntopic = \"{topic}\"\n");
    let place = Place::new(env!("CARGO_BIN_EXE_watchkeeper"), &out);
    place.write("rules/rules.yaml", RULES);
    place.init();
    place
}

/// Opens an incident of its own.
fn open(daemon: &Daemon, host: &str) -> String {
    let alert = json!([{"labels": {"alertname": "HostDown", "instance": host, "severity": "critical"}}]);
    assert!(daemon.post("/api/v2/alerts", &alert).is_success());
    eventually("the incident", || {
        let open = daemon.list("/api/v1/incidents", "?state=open");
        let found = open.iter().find(|incident| incident["ci"] == host);
        found.map(|incident| incident["id"].as_str().unwrap().to_owned()).ok_or_else(|| daemon.log_tail())
    })
}

fn command(daemon: &Daemon, incident: &str, word: &str, body: &Value) {
    let answer = daemon.post(&format!("/api/v1/incidents/{incident}/{word}"), body);
    assert!(answer.is_success(), "{word} {incident}: {answer}\n{}", daemon.log_tail());
}

fn live(daemon: &Daemon, incident: &str, steps: std::ops::Range<usize>) {
    for (word, body, _) in &LIFE[steps] {
        command(daemon, incident, word, &serde_json::from_str(body).unwrap());
    }
}

/// What the API says happened, from the beginning.
fn happened(daemon: &Daemon) -> Vec<Value> {
    let (mut all, mut after) = (Vec::new(), "0".to_owned());
    loop {
        let mut page = daemon.get(&format!("/api/v1/events?after={after}&wait=0&limit=1000")).json();
        let Value::Array(items) = page["items"].take() else { panic!("{page}") };
        if items.is_empty() {
            return all;
        }
        all.extend(items);
        page["next"].as_str().unwrap().clone_into(&mut after);
    }
}

/// The events of a topic in the order of their partition, each under its key; and how many of them are repeats.
fn written(kafka: &Kafka) -> (BTreeMap<String, Vec<Value>>, usize) {
    let mut incidents: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let (mut bytes, mut partitions, mut repeats) = (BTreeMap::new(), BTreeMap::new(), 0);
    for record in kafka.records("incidents") {
        let key = String::from_utf8(record.key().unwrap().to_vec()).unwrap();
        assert_eq!(*partitions.entry(key.clone()).or_insert(record.partition()), record.partition(), "{key} is in one partition");
        let payload = record.payload().unwrap().to_vec();
        let event: Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(event["subject"], key.as_str());
        let id = event["id"].as_str().unwrap().to_owned();
        if let Some(before) = bytes.insert(id, payload.clone()) {
            assert_eq!(before, payload, "what is written again is the same, byte for byte");
            repeats += 1;
        } else {
            incidents.entry(key).or_default().push(event);
        }
    }
    (incidents, repeats)
}

fn ready(daemon: &Daemon) -> String {
    daemon.get("/-/ready?verbose").text()
}

fn place_of(event: &Value) -> (u64, u64) {
    let (_, place) = event["id"].as_str().unwrap().split_once('-').unwrap();
    let (seq, fact) = place.split_once('.').unwrap();
    (seq.parse().unwrap(), fact.parse().unwrap())
}

#[test]
fn every_change_is_there_in_order_and_under_one_id_whichever_end_is_killed() {
    let mut kafka = Kafka::start(CLUSTER);
    kafka.create_topic("incidents", 3);
    let place = place(&kafka, "incidents");
    let mut daemon = place.start();
    let mut lived = Vec::new();

    // Killed in the middle, with what the broker had not acknowledged.
    for cycle in 0..4 {
        let id = open(&daemon, &format!("host-{cycle}"));
        let middle = 1 + cycle * 2;
        live(&daemon, &id, 0..middle);
        daemon.kill();
        daemon = place.start();
        live(&daemon, &id, middle..LIFE.len());
        lived.push(id);
    }
    // The broker is killed while an incident lives, and so is the daemon while there is no broker.
    for cycle in 4..7 {
        let id = open(&daemon, &format!("host-{cycle}"));
        live(&daemon, &id, 0..3);
        kafka.kill();
        live(&daemon, &id, 3..6);
        if cycle != 5 {
            daemon.kill();
            daemon = place.start();
        }
        live(&daemon, &id, 6..8);
        if cycle == 6 {
            eventually("the daemon says that its broker is away", || {
                let said = ready(&daemon);
                if said.contains("not  kafka.out: ") && said.contains(" does not answer: ") { Ok(()) } else { Err(said) }
            });
            assert_eq!(daemon.get("/-/ready").status, 200, "a Kafka that is away makes nobody unready");
            assert!(!daemon.get("/metrics").text().contains("watchkeeper_kafka_out_oldest_timestamp_seconds 0\n"));
        }
        kafka.restart();
        live(&daemon, &id, 8..LIFE.len());
        lived.push(id);
    }
    let (first, second) = (open(&daemon, "host-a"), open(&daemon, "host-b"));
    command(&daemon, &first, "merge", &json!({"children": [second]}));

    let all = happened(&daemon);
    let told: Vec<(&Value, &Value)> = all
        .iter()
        .filter(|event| event["kind"] == "incident")
        .filter(|event| !NO_CHANGE.iter().any(|word| event["what"].as_str().unwrap().contains(word)))
        .map(|event| (&event["id"], event))
        .collect();
    let (incidents, repeats) = eventually("all that happened is in the topic", || {
        let (incidents, repeats) = written(&kafka);
        let count = incidents.values().map(Vec::len).sum::<usize>();
        if count >= told.len() { Ok((incidents, repeats)) } else { Err(format!("{count} of {}\n{}", told.len(), daemon.log_tail())) }
    });
    let found: BTreeMap<String, &Value> =
        incidents.values().flatten().map(|event| (event["id"].as_str().unwrap().split_once('-').unwrap().1.to_owned(), event)).collect();
    for (id, event) in &told {
        let written = found.get(id.as_str().unwrap()).unwrap_or_else(|| panic!("{event} is not in the topic"));
        let same =
            (&written["subject"], &written["time"], &written["data"]["what"], &written["data"]["because"], &written["data"]["actor"]);
        assert_eq!(same, (&event["subject"], &event["at"], &event["what"], &event["because"], &event["actor"]));
    }
    assert_eq!(found.len(), told.len(), "and nothing else is");
    for (incident, events) in &incidents {
        assert!(events.iter().map(place_of).is_sorted(), "{incident} is out of order: {events:#?}");
    }
    for incident in &lived {
        let mut wanted = ["opened"].into_iter().chain(LIFE.iter().map(|(_, _, word)| *word)).peekable();
        for event in &incidents[incident] {
            wanted.next_if(|word| event["type"] == format!("watchkeeper.incident.{word}").as_str());
        }
        assert_eq!(wanted.next(), None, "{incident}: {:#?}", incidents[incident]);
    }
    let types = |incident: &str| incidents[incident].iter().map(|event| event["type"].as_str().unwrap()).collect::<BTreeSet<_>>();
    assert!(types(&second).contains("watchkeeper.incident.adopted"), "{:?}", types(&second));
    eprintln!("kafka.out: {} changes of {} incidents, {repeats} written again", told.len(), incidents.len());
}

#[test]
fn a_topic_that_does_not_exist_is_said_and_gets_what_waited_once_it_is_there() {
    let kafka = Kafka::start(CLUSTER);
    let place = place(&kafka, "incidents");
    let daemon = place.start();
    let id = open(&daemon, "host-1");
    live(&daemon, &id, 0..LIFE.len());
    eventually("the daemon says that the topic is missing", || {
        let said = ready(&daemon);
        if said.contains("not  kafka.out: the topic incidents does not exist") { Ok(()) } else { Err(said) }
    });
    assert!(daemon.log_tail().contains("the topic incidents does not exist"), "{}", daemon.log_tail());
    let doctor = place.run(&["--config", "daemon.toml", "doctor", "daemon"]);
    let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(said.contains("kafka.out: the topic incidents does not exist"), "{said}");
    kafka.create_topic("incidents", 1);
    eventually("what waited is written", || {
        let (incidents, _) = written(&kafka);
        let is_closed = incidents.get(&id).is_some_and(|events| events.iter().any(|event| event["type"] == "watchkeeper.incident.closed"));
        if is_closed { Ok(()) } else { Err(daemon.log_tail()) }
    });
    eventually("the daemon says that all is well", || {
        let said = ready(&daemon);
        if said.contains("ok   kafka.out: ") { Ok(()) } else { Err(said) }
    });
}
