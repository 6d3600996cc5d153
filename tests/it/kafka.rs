//! Topics as sources, over librdkafka's mock cluster: what is read becomes alerts, once; what cannot be read is kept; another cluster is not read unasked.

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _};
use serde_json::{Value, json};

use super::http_support::{Doors, TOKENS};

const PATIENCE: Duration = Duration::from_secs(60);

type Cluster = MockCluster<'static, DefaultProducerContext>;

fn cluster(partitions: i32) -> Cluster {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("alerts", partitions, 1).unwrap();
    cluster
}

fn config(cluster: &Cluster, format: &str) -> String {
    format!(
        "[kafka]\nbrokers = \"{}\"\n[kafka.properties]\nreconnect.backoff.max.ms = 100\n[[kafka.topic]]\nname = \"alerts\"\nformat = \"{format}\"\n",
        cluster.bootstrap_servers()
    )
}

fn produce(cluster: &Cluster, partition: i32, records: &[Option<&str>]) {
    let producer: BaseProducer = ClientConfig::new().set("bootstrap.servers", cluster.bootstrap_servers()).create().unwrap();
    for record in records {
        let to = BaseRecord::<str, str>::to("alerts").partition(partition).key("k");
        producer.send(if let Some(record) = record { to.payload(record) } else { to }).unwrap_or_else(|(error, _)| panic!("{error}"));
    }
    producer.flush(PATIENCE).unwrap();
}

/// A group with one alert of this name.
fn group(name: &str) -> String {
    json!({"alerts": [{"status": "firing", "labels": {"alertname": name, "instance": "db-1"}}]}).to_string()
}

/// Waits until a list of the API holds what it must; fails with what it held last.
async fn until(doors: &Doors, path: &str, holds: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let list = doors.get(path).await.json()["items"].as_array().unwrap().clone();
        if holds(&list) {
            return list;
        }
        assert!(Instant::now() < deadline, "{path} holds {list:#?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn until_said(doors: &Doors, path: &str, words: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let text = doors.get(path).await.body;
        if text.contains(words) {
            return;
        }
        assert!(Instant::now() < deadline, "{path} never said {words:?}: {text}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn names(alerts: &[Value]) -> Vec<&str> {
    let mut names: Vec<&str> = alerts.iter().map(|alert| alert["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn records_become_alerts_and_a_start_goes_on_behind_the_last_one() {
    let cluster = cluster(2);
    produce(&cluster, 0, &[Some(&group("A")), Some(&group("B"))]);
    produce(&cluster, 1, &[Some(&group("C"))]);
    let config = config(&cluster, "alertmanager");
    let doors = Doors::open(&config).await;
    let alerts = until(&doors, "/api/v1/alerts?state=active", |alerts| alerts.len() == 3).await;
    assert_eq!(names(&alerts), ["A", "B", "C"]);
    assert!(alerts.iter().all(|alert| alert["source"] == "alerts" && alert["count"] == 1), "{alerts:#?}");
    until_said(&doors, "/metrics", "watchkeeper_kafka_records_total{topic=\"alerts\"} 3").await;
    until_said(&doors, "/-/ready?verbose", "ok   kafka: 2 partitions of 1 topics are read").await;

    let again = Doors::open_in(doors.crashed(), &config).await;
    produce(&cluster, 0, &[Some(&group("D"))]);
    let alerts = until(&again, "/api/v1/alerts?state=active", |alerts| alerts.len() == 4).await;
    assert_eq!(names(&alerts), ["A", "B", "C", "D"]);
    assert!(alerts.iter().all(|alert| alert["count"] == 1), "read twice: {alerts:#?}");
    until_said(&again, "/metrics", "watchkeeper_kafka_lag_records{partition=\"0\",topic=\"alerts\"} 0").await;
}

#[tokio::test]
async fn what_cannot_be_read_is_kept_with_its_place_and_holds_nothing_up() {
    let cluster = cluster(1);
    let half = json!({"alerts": [{"labels": {"alertname": "Good"}}, {"labels": {"alertname": 7}}]}).to_string();
    produce(&cluster, 0, &[Some("{\"alerts\""), None, Some(&half), Some(&group("Last"))]);
    let config = config(&cluster, "alertmanager");
    let doors = Doors::open(&config).await;
    let alerts = until(&doors, "/api/v1/alerts?state=active", |alerts| names(alerts).contains(&"Last")).await;
    assert_eq!(names(&alerts), ["Good", "KafkaRecordsRefused", "Last"]);
    let letters = until(&doors, "/api/v1/dead-letters?door=kafka&sort=received_at", |letters| letters.len() == 3).await;
    let origin = |offset: i64| json!({"topic": "alerts", "partition": 0, "offset": offset});
    assert_eq!([&letters[0]["origin"], &letters[1]["origin"], &letters[2]["origin"]], [&origin(0), &origin(1), &origin(2)]);
    assert_eq!(letters[1]["reason"], "value: expected a value, this record has none");
    assert_eq!(letters[2]["members"], json!([1]));
    assert!(doors.get("/metrics").await.body.contains("watchkeeper_kafka_records_rejected_total{topic=\"alerts\"} 3"));

    let again = Doors::open_in(doors.crashed(), &config).await;
    produce(&cluster, 0, &[Some(&group("After"))]);
    until(&again, "/api/v1/alerts?state=active", |alerts| names(alerts).contains(&"After")).await;
    assert_eq!(again.get("/api/v1/dead-letters").await.json()["items"].as_array().unwrap().len(), 3, "kept once");
}

#[tokio::test]
async fn a_dead_letter_is_read_again_by_the_format_now_in_force() {
    let cluster = cluster(1);
    produce(&cluster, 0, &[Some(&group("Late"))]);
    let doors = Doors::open(&config(&cluster, "cloudevents")).await;
    until(&doors, "/api/v1/dead-letters", |letters| letters.len() == 1).await;
    let path = "/api/v1/dead-letters/DLT0000001/redrive";
    let told = doors.post(path, "{}").await;
    assert_eq!(told.status, 422, "{told:?}");
    assert_eq!(told.json()["faults"][0]["place"], "specversion");

    let again = Doors::open_in(doors.crashed(), &config(&cluster, "alertmanager")).await;
    let told = again.post(path, "{}").await;
    assert_eq!((told.status, &told.json()["redriven_by"], &told.json()["version"]), (200, &json!("local"), &json!(2)));
    let alerts = until(&again, "/api/v1/alerts?state=active", |alerts| names(alerts).contains(&"Late")).await;
    assert!(alerts.iter().any(|alert| alert["name"] == "Late" && alert["source"] == "alerts"));
    assert_eq!(again.post(path, "{}").await.status, 200, "it is taken already");
    let alerts = again.get("/api/v1/alerts").await.json();
    assert!(alerts["items"].as_array().unwrap().iter().all(|alert| alert["name"] != "Late" || alert["count"] == 1), "{alerts}");
    assert_eq!(again.post("/api/v1/dead-letters/DLT0000099/redrive", "{}").await.status, 404);
}

#[tokio::test]
async fn another_cluster_at_the_address_is_not_read_until_an_operator_accepts_it() {
    let first = cluster(1);
    produce(&first, 0, &[Some(&group("Old"))]);
    let doors = Doors::open(&config(&first, "alertmanager")).await;
    until(&doors, "/api/v1/alerts?state=active", |alerts| alerts.len() == 1).await;

    let second = cluster(1);
    produce(&second, 0, &[Some(&group("New"))]);
    let again = Doors::open_in(doors.crashed(), &config(&second, "alertmanager")).await;
    let alerts = until(&again, "/api/v1/alerts?state=active", |alerts| names(alerts).contains(&"KafkaOtherCluster")).await;
    assert_eq!(names(&alerts), ["KafkaOtherCluster", "Old"]);
    until_said(&again, "/-/ready?verbose", "`watchkeeper kafka accept alerts` if that is meant").await;
    assert_eq!(again.get("/-/ready").await.status, 200);
    assert_eq!(again.post("/api/v1/sources/alert/accept", "{}").await.status, 404);

    let told = again.post("/api/v1/sources/alerts/accept", "{}").await;
    assert_eq!((told.status, &told.json()["changed"]), (200, &json!(true)), "{told:?}");
    let alerts = until(&again, "/api/v1/alerts?state=active", |alerts| names(alerts).contains(&"New")).await;
    assert!(!names(&alerts).contains(&"KafkaOtherCluster"), "it is over: {alerts:#?}");
    let told = again.post("/api/v1/sources/alerts/accept", "{}").await;
    assert_eq!((told.status, &told.json()["changed"]), (200, &json!(false)), "it holds already");

    let third = Doors::open_in(again.crashed(), &config(&second, "alertmanager")).await;
    produce(&second, 0, &[Some(&group("Newer"))]);
    until(&third, "/api/v1/alerts?state=active", |alerts| names(alerts).contains(&"Newer")).await;
}

#[tokio::test]
async fn brokers_that_are_away_are_shown_and_waited_for() {
    let cluster = cluster(1);
    produce(&cluster, 0, &[Some(&group("Before"))]);
    cluster.broker_down(1).unwrap();
    let doors = Doors::open(&format!("{TOKENS}{}", config(&cluster, "alertmanager"))).await;
    let deadline = Instant::now() + PATIENCE;
    let token = [("authorization", "Bearer secret-of-viewer")];
    loop {
        let told = doors.send("GET", "/-/ready?verbose", &token, "").await;
        assert_eq!(told.status, 200, "Kafka never makes the daemon unready");
        if told.body.contains("not  kafka: ") && told.body.contains("does not answer: ") {
            break;
        }
        assert!(Instant::now() < deadline, "{}", told.body);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    cluster.broker_up(1).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while !doors.send("GET", "/api/v1/alerts", &token, "").await.body.contains("Before") {
        assert!(Instant::now() < deadline, "never read after the brokers were back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    cluster.broker_down(1).unwrap();
    cluster.broker_up(1).unwrap();
    produce(&cluster, 0, &[Some(&group("After"))]);
    let deadline = Instant::now() + PATIENCE;
    while !doors.send("GET", "/api/v1/alerts", &token, "").await.body.contains("After") {
        assert!(Instant::now() < deadline, "never read after a lost connection");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn cloudevents_come_structured_in_batches_and_with_their_attributes_in_headers() {
    let cluster = cluster(1);
    let event = |kind: &str| json!({"specversion": "1.0", "id": "1", "source": "/disk", "type": kind, "subject": "db-1", "data": {"status": "firing"}});
    produce(&cluster, 0, &[Some(&event("one").to_string()), Some(&json!([event("two"), event("three"), {"id": "x"}]).to_string())]);
    let producer: BaseProducer = ClientConfig::new().set("bootstrap.servers", cluster.bootstrap_servers()).create().unwrap();
    let attributes =
        [("ce_specversion", "1.0"), ("ce_id", "9"), ("ce_source", "/disk"), ("ce_type", "four"), ("content-type", "application/json")];
    let headers = attributes.iter().fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: Some(*value) }));
    let record =
        BaseRecord::<str, str>::to("alerts").partition(0).headers(headers).payload("{\"severity\": \"critical\", \"summary\": \"full\"}");
    producer.send(record).unwrap_or_else(|(error, _)| panic!("{error}"));
    producer.flush(PATIENCE).unwrap();

    let doors = Doors::open(&config(&cluster, "cloudevents")).await;
    let alerts = until(&doors, "/api/v1/alerts?state=active", |alerts| names(alerts).contains(&"four")).await;
    assert_eq!(names(&alerts), ["KafkaRecordsRefused", "four", "one", "three", "two"]);
    let four = alerts.iter().find(|alert| alert["name"] == "four").unwrap();
    assert_eq!((&four["severity"], &four["summary"], &four["labels"]["source"]), (&json!("critical"), &json!("full"), &json!("/disk")));
    let letters = doors.get("/api/v1/dead-letters").await.json();
    assert_eq!(
        (&letters["items"][0]["members"], &letters["items"][0]["faults"][0]["place"]),
        (&json!([2]), &json!("alerts[2].specversion"))
    );
}
