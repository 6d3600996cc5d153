//! Against a real Apache Kafka.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use watchkeeper_harness::kafka::Kafka;

/// Cluster ids as `kafka-storage random-uuid` makes them.
const CLUSTER: &str = "MkU3OEVBNTcwNTJENDM2Qg";

#[test]
fn a_broker_keeps_its_records_over_kill_and_stop() {
    let mut kafka = Kafka::start(CLUSTER);
    kafka.create_topic("alerts", 2);
    kafka.produce("alerts", 1, ["one", "two", "three"]);
    kafka.kill();
    kafka.restart();
    kafka.delete_records("alerts", 1, 1);
    kafka.stop();
    kafka.restart();
    kafka.grow_topic("alerts", 3);

    let consumer: BaseConsumer = ClientConfig::new().set("bootstrap.servers", kafka.broker()).create().unwrap();
    let wait = Duration::from_secs(30);
    assert_eq!(consumer.fetch_watermarks("alerts", 1, wait).unwrap(), (1, 3));
    assert_eq!(consumer.client().fetch_cluster_id(wait).as_deref(), Some(CLUSTER));
    assert_eq!(consumer.fetch_metadata(Some("alerts"), wait).unwrap().topics()[0].partitions().len(), 3);

    kafka.delete_topic("alerts");
    kafka.create_topic("alerts", 1);
    assert_eq!(consumer.fetch_watermarks("alerts", 0, wait).unwrap(), (0, 0));
}
