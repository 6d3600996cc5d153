//! One alert of the demo that goes the whole way over a broker of the watcher's own: written to a topic made for it, read by the thread that reads topics.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::json;
use watchkeeper_engine::ids::Realm;
use watchkeeper_engine::time::Span;

use super::day::{local, tell};
use super::screen::Screen;
use super::stage::Stage;
use crate::app::Failure;
use crate::config::{self, Config, Kafka};
use crate::ingest::kafka;

/// How long the broker may take for anything.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at whether the alert is there.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The alert's name.
const ALERT: &str = "HostDown";
/// The host it is about.
const HOST: &str = "db-2";

/// Sends one alert over `broker`, and tells what becomes of it. The topic is deleted afterwards.
///
/// # Errors
/// The broker cannot be used, or the store failed.
pub(super) fn play(stage: &mut Stage, screen: &mut Screen, config: &Config, broker: &str) -> Result<(), Failure> {
    let fault = |what: &str, error: &dyn std::fmt::Display| Failure { code: 69, text: format!("{what} at {broker}: {error}") };
    let name = format!("watchkeeper-demo-{}", std::process::id());
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", broker).set("message.timeout.ms", "30000");
    let admin: AdminClient<DefaultClientContext> = client.create().map_err(|error| fault("no client for Kafka", &error))?;
    let options = AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE));
    let new = NewTopic::new(&name, 1, TopicReplication::Fixed(1));
    let made = stage.wait_for(admin.create_topics([&new], &options)).map_err(|error| fault("no topic was made", &error))?;
    if let Some(Err((_, code))) = made.first() {
        return Err(fault("no topic was made", code));
    }

    screen.moment(local(stage.now()), &format!("{HOST} stops answering, and says so over the topic {name} at {broker}"));
    let record = json!({"alerts": [{
        "status": "firing",
        "labels": {"alertname": ALERT, "instance": format!("{HOST}:9100"), "severity": "critical"},
        "annotations": {"summary": "no scrape for 3 minutes"},
        "startsAt": stage.now().rfc3339(),
    }]});
    let producer: BaseProducer = client.create().map_err(|error| fault("no client for Kafka", &error))?;
    producer
        .send(BaseRecord::<str, str>::to(&name).payload(&record.to_string()))
        .map_err(|(error, _)| fault("no record was written", &error))?;
    producer.flush(PATIENCE).map_err(|error| fault("no record was written", &error))?;

    let read = read(stage, config, broker, &name);
    // Whoever watches has a topic too many where this fails, and its name is on the screen.
    stage.wait_for(admin.delete_topics(&[&name], &options)).ok();
    read?;
    for news in stage.run_until(stage.now() + Span::minutes(5))? {
        tell(screen, &news);
    }
    Ok(())
}

/// Reads the topic until its alert is there.
fn read(stage: &mut Stage, config: &Config, broker: &str, name: &str) -> Result<(), Failure> {
    let topic = config::Topic { name: name.to_owned(), format: "alertmanager".to_owned(), format_span: 0..0, realm: Realm::MAIN };
    let kafka = Kafka { brokers: broker.to_owned(), properties: Vec::new(), topics: vec![topic], out: None };
    let config = Arc::new(Config { kafka: Some(kafka), ..config.clone() });
    let started = kafka::start(stage.reads(config)).map_err(|error| Failure { code: 78, text: error.to_string() })?;
    let source = name.to_owned();
    let deadline = Instant::now() + PATIENCE;
    let mut is_there = false;
    while !is_there && Instant::now() < deadline {
        std::thread::sleep(LOOK_EVERY);
        let source = source.clone();
        is_there = stage.ask(move |state| state.source_no(&source).is_some())?;
    }
    let ended = started.map_or(Ok(()), |(running, _)| running.stop());
    ended.map_err(|_| Failure { code: 70, text: "the thread that reads topics panicked".to_owned() })?;
    if !is_there {
        return Err(Failure { code: 69, text: format!("the record in {name} at {broker} was not read within {} s", PATIENCE.as_secs()) });
    }
    stage.settle()
}
