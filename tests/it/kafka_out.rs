//! Changes of incidents to a topic, over librdkafka's mock cluster: each is written, in order, under an id that stays; a start goes on behind the last.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Headers as _, Message as _};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use serde_json::{Value, json};
use watchkeeper_engine::time::Span;

use super::http_support::Doors;

const PATIENCE: Duration = Duration::from_secs(60);
const PARTITIONS: i32 = 2;

type Cluster = MockCluster<'static, DefaultProducerContext>;

fn cluster() -> (Cluster, String) {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("incidents", PARTITIONS, 1).unwrap();
    let config = format!(
        "[kafka]\nbrokers = \"{}\"\n[kafka.properties]\nreconnect.backoff.max.ms = 100\n[kafka.out]\ntopic = \"incidents\"\n",
        cluster.bootstrap_servers()
    );
    (cluster, config)
}

/// Every record as it lies in the topic, partition by partition: its key and its event.
fn records(cluster: &Cluster) -> Vec<(String, Value)> {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", cluster.bootstrap_servers()).set("group.id", "reader").set_log_level(RDKafkaLogLevel::Emerg);
    let consumer: BaseConsumer = client.create().unwrap();
    let mut found = Vec::new();
    for partition in 0..PARTITIONS {
        let (first, end) = consumer.fetch_watermarks("incidents", partition, PATIENCE).unwrap();
        let mut at = TopicPartitionList::new();
        at.add_partition_offset("incidents", partition, Offset::Offset(first)).unwrap();
        consumer.assign(&at).unwrap();
        let (mut next, deadline) = (first, Instant::now() + PATIENCE);
        while next < end {
            assert!(Instant::now() < deadline, "partition {partition} ends at {end}, read up to {next}");
            let Some(record) = consumer.poll(Duration::from_millis(100)) else { continue };
            let record = record.unwrap();
            next = record.offset() + 1;
            let header = record.headers().unwrap().get(0);
            assert_eq!((header.key, header.value), ("content-type", Some(&b"application/cloudevents+json; charset=UTF-8"[..])));
            let key = String::from_utf8(record.key().unwrap().to_vec()).unwrap();
            found.push((key, serde_json::from_slice(record.payload().unwrap()).unwrap()));
        }
    }
    found
}

fn types<'a>(records: &'a [(String, Value)], incident: &str) -> Vec<&'a str> {
    let of = records.iter().filter(|(key, _)| key == incident);
    of.map(|(_, event)| event["type"].as_str().unwrap().strip_prefix("watchkeeper.incident.").unwrap()).collect()
}

async fn until_said(doors: &Doors, path: &str, words: &[&str]) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let text = doors.get(path).await.body;
        if words.iter().all(|words| text.contains(words)) {
            return;
        }
        assert!(Instant::now() < deadline, "{path} never said {words:?}: {text}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until so many changes are written and the cursor behind them is on disk.
async fn until_written(doors: &Doors, count: usize) {
    let written = format!("watchkeeper_kafka_out_changes_total{{outcome=\"written\"}} {count}\n");
    until_said(doors, "/metrics", &[&written, "watchkeeper_kafka_out_oldest_timestamp_seconds 0\n"]).await;
}

async fn incident(doors: &Doors, name: &str, ci: &str) -> String {
    let alert = json!([{"labels": {"alertname": name, "instance": ci, "severity": "critical"}}]).to_string();
    assert_eq!(doors.post("/api/v2/alerts", &alert).await.status, 200);
    doors.pass(Span::minutes(1)).await;
    let list = doors.get("/api/v1/incidents?state=open").await.json();
    let found = list["items"].as_array().unwrap().iter().find(|incident| incident["ci"] == ci);
    found.unwrap_or_else(|| panic!("{list:#}"))["id"].as_str().unwrap().to_owned()
}

async fn command(doors: &Doors, incident: &str, word: &str, body: &Value) {
    let told = doors.post(&format!("/api/v1/incidents/{incident}/{word}"), &body.to_string()).await;
    assert_eq!(told.status, 200, "{word}: {told:?}");
}

#[tokio::test]
async fn each_change_is_written_once_in_order_and_a_start_goes_on_behind_the_last() {
    let (cluster, config) = cluster();
    let doors = Doors::open(&config).await;
    let id = incident(&doors, "Down", "db-1").await;
    let empty = json!({});
    command(&doors, &id, "acknowledge", &empty).await;
    command(&doors, &id, "hold", &json!({"reason": "waiting_for_vendor", "for": "2h"})).await;
    command(&doors, &id, "resume", &empty).await;
    command(&doors, &id, "note", &json!({"text": "called the \"vendor\"\n"})).await;
    command(&doors, &id, "resolve", &json!({"words": "disk changed"})).await;
    until_said(&doors, "/-/ready?verbose", &["ok   kafka.out: changes of incidents are written to incidents"]).await;
    let mut count = 0;
    let found = loop {
        let found = records(&cluster);
        if types(&found, &id).contains(&"resolved") {
            break found;
        }
        count += 1;
        assert!(count < 500, "{found:#?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    until_written(&doors, found.len()).await;
    let told: Vec<&str> = types(&found, &id).into_iter().filter(|word| !matches!(*word, "rated" | "affects" | "sla_reached")).collect();
    assert_eq!(told, ["opened", "acknowledged", "assigned", "on_hold", "in_progress", "noted", "resolved"], "{found:#?}");
    let event = |word: &str| {
        let kind = format!("watchkeeper.incident.{word}");
        found.iter().find(|(key, event)| *key == id && event["type"] == kind.as_str()).map(|(_, event)| event).unwrap()
    };
    let opened = event("opened");
    assert_eq!((&opened["specversion"], &opened["subject"]), (&json!("1.0"), &json!(id)));
    assert!(opened["source"].as_str().unwrap().starts_with("/watchkeeper/"), "{opened}");
    assert_eq!((&opened["data"]["state"], &opened["data"]["ci"], &opened["data"]["team"]), (&json!("new"), &json!("db-1"), &json!("dba")));
    assert_eq!(event("on_hold")["data"]["hold"]["reason"], "waiting_for_vendor");
    assert_eq!((&event("in_progress")["data"]["hold"], &event("in_progress")["data"]["state"]), (&Value::Null, &json!("in_progress")));
    assert_eq!(event("noted")["data"]["because"], "called the \"vendor\"\n");
    assert_eq!(event("resolved")["data"]["resolution"], "disk changed");

    // The ids are those of the events of the API, after the time.
    let events = doors.get("/api/v1/events?after=0&limit=1000").await.json();
    let known: BTreeMap<&str, &Value> =
        events["items"].as_array().unwrap().iter().map(|event| (event["id"].as_str().unwrap(), event)).collect();
    for (key, event) in &found {
        let (_, place) = event["id"].as_str().unwrap().split_once('-').unwrap();
        let same = known[place];
        assert_eq!((&same["subject"], &same["what"], &same["at"]), (&json!(key), &event["data"]["what"], &event["time"]));
    }

    let again = Doors::open_in(doors.crashed(), &config).await;
    command(&again, &id, "close", &empty).await;
    until_written(&again, 1).await;
    let after = records(&cluster);
    assert_eq!(after.len(), found.len() + 1, "one more, and none again: {after:#?}");
    assert_eq!(types(&after, &id).last(), Some(&"closed"));
}

#[tokio::test]
async fn a_topic_that_refuses_is_said_and_what_waited_comes_in_order() {
    let (cluster, config) = cluster();
    let doors = Doors::open(&config).await;
    until_said(&doors, "/-/ready?verbose", &["ok   kafka.out:"]).await;
    let refuse = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    cluster.request_errors(RDKafkaApiKey::Produce, &[refuse; 3]);
    let (first, second) = (incident(&doors, "Down", "db-1").await, incident(&doors, "Down", "db-2").await);
    for id in [&first, &second] {
        command(&doors, id, "acknowledge", &json!({})).await;
        command(&doors, id, "resolve", &json!({})).await;
    }
    until_said(&doors, "/-/ready?verbose", &["not  kafka.out: the topic incidents does not take a record: ", "uthoriz"]).await;
    until_said(&doors, "/-/ready?verbose", &["ok   kafka.out:"]).await;
    let mut looks = 0;
    let found = loop {
        let found = records(&cluster);
        if [&first, &second].iter().all(|id| types(&found, id).contains(&"resolved")) {
            break found;
        }
        looks += 1;
        assert!(looks < 500, "{found:#?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    for id in [&first, &second] {
        let told: Vec<&str> = types(&found, id).into_iter().filter(|word| !matches!(*word, "rated" | "affects" | "sla_reached")).collect();
        assert_eq!(told, ["opened", "acknowledged", "assigned", "resolved"], "{found:#?}");
    }
    let metrics = doors.get("/metrics").await.body;
    assert!(!metrics.contains("watchkeeper_kafka_out_changes_total{outcome=\"failed\"} 0\n"), "{metrics}");
}
