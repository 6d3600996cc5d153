//! A real Apache Kafka of its own for a test: one node in KRaft mode in a temporary folder, started, killed, restarted; its topics made and its records written.

use std::fs::{self, OpenOptions};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Message as _, OwnedHeaders, OwnedMessage};
use rdkafka::metadata::MetadataPartition;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rustix::process::{Pid, Signal, kill_process};

use crate::daemon::{PATIENCE, free_address};

/// How long one request to the broker may take.
const REQUEST: Duration = Duration::from_secs(30);
/// Between two looks at what is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The folder of one broker, and the broker where it runs.
pub struct Kafka {
    folder: tempfile::TempDir,
    address: SocketAddr,
    child: Option<Child>,
}

impl Kafka {
    /// Formats a storage with `cluster_id` (22 characters of base64) and starts a broker on it, at a free address.
    pub fn start(cluster_id: &str) -> Kafka {
        Kafka::start_at(free_address(), cluster_id)
    }

    /// As [`Kafka::start`], at an address that another broker may have had before.
    pub fn start_at(address: SocketAddr, cluster_id: &str) -> Kafka {
        let folder = tempfile::Builder::new().prefix("kafka-").tempdir().unwrap();
        let controller = free_address();
        let data = folder.path().join("data");
        let properties = format!(
            "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@{controller}\nlisteners=PLAINTEXT://{address},CONTROLLER://{controller}\n\
             advertised.listeners=PLAINTEXT://{address}\ncontroller.listener.names=CONTROLLER\n\
             listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\nlog.dirs={}\nauto.create.topics.enable=false\n\
             offsets.topic.num.partitions=1\noffsets.topic.replication.factor=1\ntransaction.state.log.replication.factor=1\n\
             transaction.state.log.min.isr=1\ngroup.initial.rebalance.delay.ms=0\nmessage.max.bytes=16777216\nfile.delete.delay.ms=100\n",
            data.display()
        );
        fs::write(folder.path().join("server.properties"), properties).unwrap();
        let mut kafka = Kafka { folder, address, child: None };
        let done = kafka
            .java("kafka.tools.StorageTool", &["format", "-t", cluster_id, "-c", "server.properties"])
            .output()
            .unwrap_or_else(missing);
        assert!(done.status.success(), "format: {}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        kafka.restart();
        kafka
    }

    /// Where it listens, as `host:port`.
    pub fn broker(&self) -> String {
        self.address.to_string()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts it again on what it has, and waits until it answers.
    pub fn restart(&mut self) {
        assert!(self.child.is_none(), "it runs");
        let log = OpenOptions::new().create(true).append(true).open(self.folder.path().join("kafka.log")).unwrap();
        let mut command = self.java("kafka.Kafka", &["server.properties"]);
        command.stdin(Stdio::null()).stdout(Stdio::from(log.try_clone().unwrap())).stderr(Stdio::from(log));
        self.child = Some(command.spawn().unwrap_or_else(missing));
        self.wait_until_it_answers();
    }

    /// `kill -9`, and waits until the process is gone.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Asks it to stop (SIGTERM) and waits until it has.
    pub fn stop(&mut self) {
        let mut child = self.child.take().expect("it runs");
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        let deadline = Instant::now() + PATIENCE;
        while child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "the broker did not stop within {PATIENCE:?}:\n{}", self.log_tail());
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Creates a topic of so many partitions.
    pub fn create_topic(&self, topic: &str, partitions: i32) {
        let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
        // A topic of that name may still be on its way out.
        let deadline = Instant::now() + PATIENCE;
        loop {
            let made = run(self.admin().create_topics([&new], &options())).unwrap();
            match &made[0] {
                Ok(_) => return,
                Err((_, why)) => assert!(Instant::now() < deadline, "create {topic}: {why}"),
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Deletes a topic.
    pub fn delete_topic(&self, topic: &str) {
        let gone = run(self.admin().delete_topics(&[topic], &options())).unwrap();
        assert!(gone[0].is_ok(), "delete {topic}: {gone:?}");
    }

    /// Gives a topic more partitions.
    pub fn grow_topic(&self, topic: &str, partitions: usize) {
        let grown = run(self.admin().create_partitions([&NewPartitions::new(topic, partitions)], &options())).unwrap();
        assert!(grown[0].is_ok(), "grow {topic}: {grown:?}");
    }

    /// Deletes the records of a partition that lie before an offset.
    pub fn delete_records(&self, topic: &str, partition: i32, before: i64) {
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset(topic, partition, Offset::Offset(before)).unwrap();
        run(self.admin().delete_records(&offsets, &options())).unwrap();
    }

    /// Writes records to a partition, and waits until the broker has them.
    pub fn produce<B: AsRef<[u8]>>(&self, topic: &str, partition: i32, records: impl IntoIterator<Item = B>) {
        let producer = self.producer();
        for record in records {
            send(&producer, BaseRecord::<[u8], [u8]>::to(topic).partition(partition).payload(record.as_ref()));
        }
        producer.flush(REQUEST).unwrap_or_else(|error| panic!("produce to {topic}: {error}\n{}", self.log_tail()));
    }

    /// Writes one record with headers.
    pub fn produce_with(&self, topic: &str, partition: i32, headers: OwnedHeaders, record: &[u8]) {
        let producer = self.producer();
        send(&producer, BaseRecord::<[u8], [u8]>::to(topic).partition(partition).headers(headers).payload(record));
        producer.flush(REQUEST).unwrap_or_else(|error| panic!("produce to {topic}: {error}\n{}", self.log_tail()));
    }

    /// Every record of a topic, partition by partition.
    pub fn records(&self, topic: &str) -> Vec<OwnedMessage> {
        let consumer: BaseConsumer = self.client().set("group.id", "tests").set("auto.offset.reset", "earliest").create().unwrap();
        let found = consumer.fetch_metadata(Some(topic), REQUEST).unwrap();
        let mut records = Vec::new();
        for partition in found.topics()[0].partitions().iter().map(MetadataPartition::id) {
            let (first, end) = consumer.fetch_watermarks(topic, partition, REQUEST).unwrap();
            let mut at = TopicPartitionList::new();
            at.add_partition_offset(topic, partition, Offset::Offset(first)).unwrap();
            consumer.assign(&at).unwrap();
            let mut next = first;
            let deadline = Instant::now() + PATIENCE;
            while next < end {
                assert!(Instant::now() < deadline, "{topic} {partition} ends at {end}, read up to {next}\n{}", self.log_tail());
                if let Some(record) = consumer.poll(LOOK_EVERY) {
                    let record = record.unwrap().detach();
                    next = record.offset() + 1;
                    records.push(record);
                }
            }
        }
        records
    }

    /// A producer that writes each record once, however often the broker goes away.
    pub fn producer(&self) -> BaseProducer {
        self.client().set("enable.idempotence", "true").set("linger.ms", "1").create().unwrap()
    }

    /// The last lines of its log.
    pub fn log_tail(&self) -> String {
        let text = fs::read_to_string(self.folder.path().join("kafka.log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    fn wait_until_it_answers(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.as_mut().and_then(|child| child.try_wait().unwrap()) {
                panic!("the broker ended ({status}) before it answered:\n{}", self.log_tail());
            }
            // The port opens before the broker is unfenced; only metadata that name a broker say that it serves.
            let answers = TcpStream::connect(self.address).is_ok()
                && self.admin().inner().fetch_metadata(None, Duration::from_secs(2)).is_ok_and(|metadata| !metadata.brokers().is_empty());
            if answers {
                return;
            }
            assert!(Instant::now() < deadline, "the broker did not answer after {PATIENCE:?}:\n{}", self.log_tail());
            std::thread::sleep(LOOK_EVERY);
        }
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.client().create().unwrap()
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.broker()).set("reconnect.backoff.max.ms", "200").set("log_level", "0");
        config
    }

    fn java(&self, class: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("java");
        command.args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dlog4j2.level=WARN", "-cp"]);
        command.arg(jars().join("*")).arg(class).args(arguments).current_dir(self.folder.path());
        command
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

/// Hands a record to a producer, and waits for room in its queue.
pub fn send(producer: &BaseProducer, record: BaseRecord<'_, [u8], [u8]>) {
    let deadline = Instant::now() + PATIENCE;
    let mut record = record;
    loop {
        match producer.send(record) {
            Ok(()) => return,
            Err((error, back)) => {
                assert!(Instant::now() < deadline, "produce: {error}");
                record = back;
                producer.poll(LOOK_EVERY);
            }
        }
    }
}

/// Where `tests/setup test` puts the jars.
fn jars() -> PathBuf {
    let list = crate::daemon::repository_file("tests/kafka/jars.sha256");
    let version = list.strip_prefix("# Apache Kafka ").and_then(|rest| rest.split(',').next()).expect("the list begins with the version");
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").expect("$HOME is set")).join(".cache"));
    let folder = cache.join("watchkeeper").join(format!("kafka-{version}"));
    assert!(folder.join("complete").exists(), "no Apache Kafka in {}: `tests/setup test` fetches it", folder.display());
    folder
}

fn missing<T>(error: std::io::Error) -> T {
    panic!("java: {error}. `tests/setup test` installs it")
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(REQUEST)).operation_timeout(Some(REQUEST))
}

fn run<T>(request: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(request)
}
