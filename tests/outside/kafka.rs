//! Against a real Apache Kafka: one alert by several ways, either end killed under load, and topics and clusters that are not what they were.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseRecord, Producer as _};
use serde_json::{Value, json};
use watchkeeper_harness::chance::Chance;
use watchkeeper_harness::daemon::{Daemon, Place, eventually};
use watchkeeper_harness::kafka::{Kafka, send};
use watchkeeper_harness::mailbox::mails;

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

const CONFIG: &str = "\
[[webhook]]
name = \"west\"
format = \"alertmanager\"
";

const RULES: &str = "\
correlate:
  - name: host-down
    matchers: [alertname=\"HostDown\"]
    means: down
    group_wait: 1s
  - name: rest
    matchers: ['alertname=~\".+\"']
    group_wait: 1h
";

const CMDB: &str = "\
teams:
  - {id: web, mail: [web@example.org]}
items:
  - {id: host-1, class: host, owner: web, criticality: high}
";

/// A daemon's folder with the topic `alerts` of a broker.
fn place(broker: &str) -> Place {
    let topic = format!(
        "[kafka]\nbrokers = \"{broker}\"\n[kafka.properties]\nreconnect.backoff.max.ms = 500\n[[kafka.topic]]\nname = \"alerts\"\nformat = \"alertmanager\"\n"
    );
    let place = Place::new(env!("CARGO_BIN_EXE_watchkeeper"), &format!("{CONFIG}\n{topic}"));
    place.write("rules/rules.yaml", RULES);
    place.write("cmdb/hosts.yaml", CMDB);
    place.init();
    place
}

fn group(name: &str, number: usize) -> String {
    json!({"alerts": [{"status": "firing", "labels": {"alertname": name, "number": number.to_string()}}]}).to_string()
}

fn groups(name: &str, numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| group(name, number)).collect()
}

/// Waits until an alert of this name is there, and returns how it is summed up.
fn said(daemon: &Daemon, name: &str) -> String {
    eventually(&format!("the alert {name}"), || {
        let alerts = daemon.list("/api/v1/alerts", &format!("?state=active&name={name}"));
        alerts.first().map(|alert| alert["summary"].as_str().unwrap().to_owned()).ok_or_else(|| daemon.log_tail())
    })
}

/// Waits until exactly these alerts of a name are there, each heard of once.
fn once_each(daemon: &Daemon, name: &str, count: usize) {
    let alerts = eventually(&format!("{count} alerts {name}"), || {
        let alerts = daemon.list("/api/v1/alerts", &format!("?state=all&name={name}"));
        if alerts.len() >= count { Ok(alerts) } else { Err(format!("{} alerts\n{}", alerts.len(), daemon.log_tail())) }
    });
    assert_eq!(alerts.len(), count, "alerts {name}");
    let twice: Vec<&Value> = alerts.iter().filter(|alert| alert["count"] != 1).collect();
    assert!(twice.is_empty(), "{} alerts were read more than once, such as {}", twice.len(), twice[0]);
}

#[test]
fn three_records_and_two_webhooks_of_one_alert_are_one_alert_one_incident_and_one_mail() {
    let kafka = Kafka::start(CLUSTER);
    kafka.create_topic("alerts", 2);
    let place = place(&kafka.broker());
    let daemon = place.start();
    let alert = json!({"status": "firing", "labels": {"alertname": "HostDown", "instance": "host-1:9100", "severity": "critical"},
        "annotations": {"summary": "host-1 is gone"}, "startsAt": "2026-01-01T00:00:00Z", "endsAt": "0001-01-01T00:00:00Z"});
    let body = json!({"version": "4", "status": "firing", "receiver": "west", "groupKey": "{}", "alerts": [alert]});
    kafka.produce("alerts", 0, [body.to_string(), body.to_string()]);
    assert!(daemon.post("/hooks/west", &body).is_success());
    kafka.produce("alerts", 1, [body.to_string()]);
    assert!(daemon.post("/hooks/west", &body).is_success());
    let alerts = eventually("all five are heard", || {
        let alerts = daemon.list("/api/v1/alerts", "?name=HostDown");
        let heard = alerts.first().map_or(0, |alert| alert["count"].as_u64().unwrap());
        if heard == 5 { Ok(alerts) } else { Err(format!("{heard}\n{}", daemon.log_tail())) }
    });
    assert_eq!(alerts.len(), 1, "{alerts:#?}");
    assert_eq!(alerts[0]["sources"].as_array().unwrap().len(), 2);
    let opened = |place: &Place| mails(&place.path("outbox")).iter().filter(|mail| mail.reason() == "opened").count();
    eventually("the mail", || match opened(&place) {
        0 => Err(daemon.log_tail()),
        _ => Ok(()),
    });
    // Every mail that is due is planned and delivered before a daemon stops that is asked twice what it has planned.
    eventually("nothing is under way", || {
        let left = daemon.list("/api/v1/outbox", "").iter().filter(|row| row["state"] != "delivered").count();
        if left == 0 { Ok(()) } else { Err(left.to_string()) }
    });
    assert!(daemon.stop().success());
    assert_eq!(opened(&place), 1);
    let daemon = place.start();
    assert_eq!(daemon.list("/api/v1/incidents", "?state=all").len(), 1);
    assert_eq!(daemon.list("/api/v1/alerts", "?name=HostDown")[0]["count"], 5, "nothing is read twice after a start");
    assert_eq!(opened(&place), 1);
}

#[test]
fn every_record_is_there_once_whichever_end_is_killed_under_load() {
    const CYCLES: usize = 6;
    let mut chance = Chance::announced("kafka");
    let mut kafka = Kafka::start(CLUSTER);
    kafka.create_topic("alerts", 3);
    let place = place(&kafka.broker());
    let mut daemon = place.start();
    let (stop, producer) = (Arc::new(AtomicBool::new(false)), kafka.producer());
    let load = std::thread::spawn({
        let stop = Arc::clone(&stop);
        move || {
            let (mut good, mut spoiled) = (0, 0);
            for number in 0.. {
                let spoils = number % 23 == 0;
                let record = if spoils { format!("no alert {number}") } else { group("Load", number) };
                let partition = i32::try_from(number % 3).unwrap();
                send(&producer, BaseRecord::<[u8], [u8]>::to("alerts").partition(partition).payload(record.as_bytes()));
                *(if spoils { &mut spoiled } else { &mut good }) += 1;
                // About a hundred a second: more than an interval of a kill can hold, less than what takes long to look at.
                if number % 10 == 0 {
                    producer.poll(Duration::ZERO);
                    std::thread::sleep(Duration::from_millis(100));
                }
                if stop.load(Ordering::SeqCst) {
                    break;
                }
            }
            producer.flush(Duration::from_secs(120)).unwrap();
            (good, spoiled)
        }
    });
    for cycle in 0..CYCLES {
        std::thread::sleep(Duration::from_millis(300 + chance.below(1_200)));
        if cycle % 2 == 0 {
            daemon.kill();
            daemon = place.start();
        } else {
            kafka.kill();
            kafka.restart();
        }
    }
    stop.store(true, Ordering::SeqCst);
    let (good, spoiled) = load.join().unwrap();
    once_each(&daemon, "Load", good);
    let letters = daemon.list("/api/v1/dead-letters", "?door=kafka");
    let places: BTreeSet<String> = letters.iter().map(|letter| letter["origin"].to_string()).collect();
    assert_eq!((letters.len(), places.len()), (spoiled, spoiled), "each record that is no alert is kept once");
    for about in ["KafkaRecordsLost", "KafkaTopicReplaced", "KafkaOtherCluster"] {
        assert_eq!(daemon.list("/api/v1/alerts", &format!("?state=all&name={about}")).len(), 0, "{about}: {}", daemon.log_tail());
    }
    eprintln!("kafka: {CYCLES} kills; {good} alerts, {spoiled} dead letters");
    assert!(good > 1_000, "too few records to prove anything: {good}");
}

#[test]
fn records_that_are_gone_and_topics_made_anew_are_said_and_read_on_from_the_earliest() {
    let kafka = Kafka::start(CLUSTER);
    kafka.create_topic("alerts", 1);
    let place = place(&kafka.broker());
    kafka.produce("alerts", 0, groups("First", 0..5));
    let daemon = place.start();
    once_each(&daemon, "First", 5);

    // Gone while the daemon was away: five were read, three of the next five are deleted unread.
    assert!(daemon.stop().success());
    kafka.produce("alerts", 0, groups("Second", 0..5));
    kafka.delete_records("alerts", 0, 8);
    let daemon = place.start();
    once_each(&daemon, "Second", 2);
    let summary = said(&daemon, "KafkaRecordsLost");
    assert!(summary.contains("the 3 records from offset 5 to 7 were gone before they were read"), "{summary}");

    // Made anew while it is read, and filled beyond where it was.
    kafka.delete_topic("alerts");
    kafka.create_topic("alerts", 1);
    kafka.produce("alerts", 0, groups("Third", 0..30));
    once_each(&daemon, "Third", 30);
    let summary = said(&daemon, "KafkaTopicReplaced");
    assert!(summary.contains("made anew"), "{summary}");

    // Made anew while the daemon was away, and filled beyond where it was: only the last record that was taken tells.
    assert!(daemon.stop().success());
    kafka.delete_topic("alerts");
    kafka.create_topic("alerts", 2);
    kafka.produce("alerts", 0, groups("Fourth", 0..50));
    kafka.produce("alerts", 1, groups("Fifth", 0..5));
    let mut daemon = place.start();
    once_each(&daemon, "Fourth", 50);
    once_each(&daemon, "Fifth", 5);
    let summary = said(&daemon, "KafkaTopicReplaced");
    assert!(summary.contains("another record stands at offset 29"), "{summary}");

    // Cut: fewer records than were read.
    daemon.kill();
    kafka.delete_topic("alerts");
    kafka.create_topic("alerts", 2);
    kafka.produce("alerts", 0, groups("Sixth", 0..3));
    let daemon = place.start();
    once_each(&daemon, "Sixth", 3);
    let summary = said(&daemon, "KafkaTopicReplaced");
    assert!(summary.contains("was read up to") && summary.contains("it was cut or made anew"), "{summary}");
}

#[test]
fn another_cluster_at_the_address_is_not_read_until_it_is_accepted_and_nothing_of_it_slips_in() {
    let mut first = Kafka::start(CLUSTER);
    first.create_topic("alerts", 1);
    first.produce("alerts", 0, groups("Ours", 0..5));
    let address = first.address();
    let place = place(&first.broker());
    let daemon = place.start();
    once_each(&daemon, "Ours", 5);

    // The daemon runs on while the brokers behind the address become others, with records beyond where it reads.
    first.kill();
    let second = Kafka::start_at(address, "YW5vdGhlciBjbHVzdGVyIQ");
    second.create_topic("alerts", 1);
    second.produce("alerts", 0, groups("Theirs", 0..20));
    let summary = said(&daemon, "KafkaOtherCluster");
    assert!(summary.contains(CLUSTER) && summary.contains("YW5vdGhlciBjbHVzdGVyIQ"), "{summary}");
    assert_eq!(daemon.list("/api/v1/alerts", "?state=all&name=Theirs").len(), 0, "nothing of another cluster is read unasked");
    assert_eq!(daemon.get("/-/ready").status, 200);

    let accepted = place.run(&["--config", "daemon.toml", "kafka", "accept", "alerts"]);
    assert!(accepted.status.success(), "{accepted:?}");
    assert!(String::from_utf8_lossy(&accepted.stdout).contains("is read from cluster YW5vdGhlciBjbHVzdGVyIQ"), "{accepted:?}");
    once_each(&daemon, "Theirs", 20);
    once_each(&daemon, "Ours", 5);
}
