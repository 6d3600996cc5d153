//! The doors over a real store, writer and listener in a temporary folder, with clocks that tests move, and a client of a few lines.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use watchkeeper::assembly::{self, Beginning, Threads};
use watchkeeper::clock::{Clock, ManualClock};
use watchkeeper::config::{self, Config, Environment};
use watchkeeper::diagnostics::Findings;
use watchkeeper::health::Phase;
use watchkeeper::ingest::connections::{Bounds, Connections};
use watchkeeper::ingest::http::{Listener, serve};
use watchkeeper::ingest::kafka;
use watchkeeper::mail::Templates;
use watchkeeper::published::Current;
use watchkeeper::web::{self, Answer, FileWork};
use watchkeeper::work;
use watchkeeper::world::{Comparison, Confirmed, ImportWish, Imported, Refusal};
use watchkeeper::writer::{Full, Suspects, WriterHandle};
use watchkeeper_engine::cmdb::diff::Diff;
use watchkeeper_engine::cmdb::{Cmdb, Inventory, files};
use watchkeeper_engine::event::{Settings, World};
use watchkeeper_engine::policy;
use watchkeeper_engine::source::SourceFile;
use watchkeeper_engine::time::{Span, Time};
use watchkeeper_store::{LinkKey, Options, Store};

use crate::described::check;
use watchkeeper_harness::described::Exchange;

/// A switch with two hosts, and a service on one of them.
const CMDB: &str = "
teams: [{id: network, mail: [net@example.org]}, {id: dba, mail: [dba@example.org]}]
people: [{id: anna, mail: [net@example.org]}]
items:
  - {id: sw-1, class: switch, owner: network, criticality: high, aliases: [10.0.0.1]}
  - {id: db-1, class: host, owner: dba, relations: [{depends_on: sw-1}]}
  - {id: db-2, class: host, owner: dba, relations: [{depends_on: sw-1}]}
  - {id: shop, class: service, tier: gold, criticality: high, relations: [{runs_on: db-1}]}
";

/// A format for `/hooks/building`, and what makes a problem.
const RULES: &str = "
formats:
  - name: building
    items: body.events
    alert: {name: item.code, key: string(item.id), state: 'item.active ? \"firing\" : \"resolved\"', labels: '{\"asset\": item.asset}'}
problems:
  - {name: flaky, when: ci.id == 'flaky-1', same: [rule, ci], incidents: 2, within: 30d}
";

/// A served daemon without workers: nothing is mailed.
pub(crate) struct Doors {
    pub(crate) address: SocketAddr,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) writer: WriterHandle,
    pub(crate) current: Current,
    pub(crate) link_key: LinkKey,
    dir: TempDir,
    stop: watch::Sender<bool>,
    kafka: Option<kafka::Running>,
    kafka_out: Option<work::Writing>,
    threads: Option<Threads>,
}

struct NoFiles;

impl FileWork for NoFiles {
    fn reload(&self, _: Confirmed) -> Answer<'_, Result<String, Findings>> {
        Box::pin(async { Ok("nothing changed".to_owned()) })
    }

    fn import(&self, _: ImportWish) -> Answer<'_, Result<Imported, Refusal>> {
        Box::pin(async { Err(Refusal::Busy(Full::Stopping)) })
    }

    fn compare(&self) -> Answer<'_, Result<Comparison, Findings>> {
        Box::pin(async { Ok(Comparison { policy: String::new(), diff: Diff::default(), warnings: Findings::default() }) })
    }

    fn closing(&self, findings: &Findings) -> String {
        findings.counted()
    }
}

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Told {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let line = self.head.lines().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}:")))?;
        line.split_once(':').map(|(_, value)| value.trim())
    }
}

/// The instant at which tests begin.
pub(crate) fn start() -> Time {
    Time::parse_rfc3339("2026-11-24T03:00:00Z").unwrap()
}

impl Doors {
    /// Doors of an example configuration with further lines.
    pub(crate) async fn open(config: &str) -> Doors {
        Doors::open_in(tempfile::tempdir().unwrap(), config).await
    }

    /// The same with rules of the test's own.
    pub(crate) async fn open_with(config: &str, rules: &str) -> Doors {
        Doors::begin(tempfile::tempdir().unwrap(), config, rules).await
    }

    /// The same over a folder that holds a store, or will.
    pub(crate) async fn open_in(dir: TempDir, text: &str) -> Doors {
        Doors::begin(dir, text, RULES).await
    }

    async fn begin(dir: TempDir, text: &str, rules: &str) -> Doors {
        let config = Arc::new(configured(dir.path(), text));
        let clock = Arc::new(ManualClock::new(start()));
        let store = Store::open_or_init(&dir.path().join("data"), clock.wall(), Options::default()).unwrap();
        let store_id = store.id();
        let beginning = Beginning {
            config: config.clone(),
            clock: clock.clone(),
            suspects: Suspects::load(dir.path()).unwrap(),
            store,
            world: world(rules),
            templates: Arc::new(Templates::ours()),
            failed: |error, _| panic!("{error}"),
        };
        let (shared, running, _) = assembly::start(beginning).unwrap();
        let (link_key, writer, current) = (shared.link_key.clone(), shared.writer.clone(), shared.current.clone());
        shared.health.enter(Phase::Serving);
        let kafka = kafka::start(shared.clone());
        let kafka = kafka.unwrap().map(|(running, _)| running);
        let kafka_out = work::write_topic(&shared, store_id).await.unwrap();
        let router = web::router(web::Parts {
            shared,
            files: Arc::new(NoFiles),
            kafka: kafka.as_ref().map(kafka::Running::handle),
            started_at: start(),
        })
        .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let socket = UnixListener::bind(dir.path().join("socket")).unwrap();
        let (stop, stopping) = watch::channel(false);
        let connections = Connections::new(Bounds { all: config.limits.connections, each: config.limits.connections_per_address });
        tokio::spawn(serve(Listener::Tcp(listener), router.clone(), connections.clone(), stopping.clone()));
        tokio::spawn(serve(Listener::Unix(socket), router, connections, stopping));
        Doors { address, clock, writer, current, link_key, dir, stop, kafka, kafka_out, threads: Some(running.threads) }
    }

    /// A copy of the store as a crash would leave it, while nothing is in flight.
    pub(crate) fn crashed(&self) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        let data = copy.path().join("data");
        std::fs::create_dir(&data).unwrap();
        for entry in std::fs::read_dir(self.dir.path().join("data")).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, data.join(path.file_name().unwrap())).unwrap();
        }
        copy
    }

    /// Lets time pass, and what becomes due happen.
    pub(crate) async fn pass(&self, span: Span) {
        self.clock.advance(span);
        self.writer.wake();
        // A timer that is due fires in the batch before this question, another that it armed in the next.
        for _ in 0..3 {
            self.writer.ask(|_, _, _| ()).await.unwrap();
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Told {
        self.send("GET", path, &[], "").await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Told {
        self.send("POST", path, &[], body).await
    }

    /// One request over a connection of its own.
    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Told {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(&request(method, path, headers, body.as_ref())).await.unwrap();
        described(method, path, body.as_ref(), read(&mut stream).await)
    }

    /// One request over the socket.
    pub(crate) async fn send_local(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Told {
        let mut stream = UnixStream::connect(self.dir.path().join("socket")).await.unwrap();
        stream.write_all(&request(method, path, headers, body.as_bytes())).await.unwrap();
        described(method, path, body.as_bytes(), read(&mut stream).await)
    }
}

impl Drop for Doors {
    fn drop(&mut self) {
        self.stop.send(true).ok();
        if let Some(kafka) = self.kafka.take() {
            kafka.stop().unwrap();
        }
        if let Some(kafka_out) = self.kafka_out.take() {
            kafka_out.stop().unwrap();
        }
        self.writer.stop();
        if let Some(threads) = self.threads.take() {
            threads.join().unwrap().unwrap();
        }
    }
}

fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    [text.as_bytes(), b"\r\n", body].concat()
}

async fn read(stream: &mut (impl AsyncReadExt + Unpin)) -> Told {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    // A backup is no text, and no test looks into it here.
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    Told { status: head[9..12].parse().unwrap(), head: head.to_owned(), body: body.to_owned() }
}

/// An answer, which is what the description of the API says.
fn described(method: &str, target: &str, request: &[u8], told: Told) -> Told {
    let kind = told.header("content-type").unwrap_or_default();
    check(&Exchange { method, target, request, status: told.status, kind, body: &told.body });
    told
}

fn configured(dir: &Path, text: &str) -> Config {
    let path = dir.join("daemon.toml");
    std::fs::write(&path, text).unwrap();
    for name in ["viewer", "operator", "source", "admin", "hook"] {
        std::fs::write(dir.join(format!("{name}.token")), format!("secret-of-{name}\n")).unwrap();
    }
    config::load(&path, &Environment::default()).unwrap().0
}

pub(crate) fn world(rules: &str) -> World {
    let rules = [SourceFile::new("rules.yaml", rules)];
    let (inventory, _) = files::read(&[SourceFile::new("cmdb.yaml", CMDB)], &Inventory::default()).unwrap();
    World {
        policy: Arc::new(policy::load(&rules).unwrap().policy),
        cmdb: Arc::new(Cmdb::build(inventory, 1)),
        settings: Arc::new(Settings { last_resort: vec!["ops@example.org".to_owned()] }),
    }
}

/// Four tokens, one of each role.
pub(crate) const TOKENS: &str = r#"
[[token]]
name = "vera"
role = "viewer"
token_file = "viewer.token"
[[token]]
name = "otto"
role = "operator"
token_file = "operator.token"
[[token]]
name = "prom"
role = "source"
token_file = "source.token"
[[token]]
name = "ada"
role = "admin"
token_file = "admin.token"
"#;

/// Two hooks, one with a token of its own.
pub(crate) const HOOKS: &str = r#"
[[webhook]]
name = "grafana"
format = "alertmanager"
[[webhook]]
name = "building"
format = "building"
realm = "house"
"#;
