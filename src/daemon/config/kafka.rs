//! `[kafka]` of `daemon.toml`: the brokers, librdkafka's properties, and the topics that are read.

use std::collections::BTreeMap;
use std::ops::Range;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use watchkeeper_engine::ids::Realm;
use watchkeeper_engine::source::{Entry, Key, Keys, Kind, Node, Shape, Spanned, Takes, nearest};

use super::reader::Reader;
use super::secret::Secret;

/// `[kafka]`.
#[derive(Debug, Clone)]
pub struct Kafka {
    /// `host:port`, several with commas between.
    pub brokers: String,
    /// librdkafka's properties, as `[kafka.properties]` has them.
    pub properties: Vec<Property>,
    /// The topics that are read.
    pub topics: Vec<Topic>,
    /// The topic that changes of incidents are written to; one at least is read or written.
    pub out: Option<String>,
}

/// One property of librdkafka.
#[derive(Debug, Clone)]
pub struct Property {
    /// Its name, such as `security.protocol`.
    pub name: String,
    /// Its value.
    pub value: Value,
}

/// What a property is set to.
#[derive(Debug, Clone)]
pub enum Value {
    /// What `daemon.toml` says.
    Plain(String),
    /// What a file says that `daemon.toml` names (`NAME_file`).
    Secret(Secret),
}

impl Value {
    /// The value itself, for the client.
    pub fn expose(&self) -> &str {
        match self {
            Value::Plain(text) => text,
            Value::Secret(secret) => secret.expose(),
        }
    }
}

/// `[[kafka.topic]]`: a topic, which is the source of its alerts.
#[derive(Debug, Clone)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// `alertmanager`, `cloudevents`, or a format of the rules.
    pub format: String,
    /// Where the format is named in `daemon.toml`, for the fault that no such format exists.
    pub format_span: Range<usize>,
    /// What its alerts belong to. Default `main`.
    pub realm: Realm,
}

/// Characters of a topic's name: Kafka's own bound.
const TOPIC_CHARS_MAX: usize = 249;

/// Properties that decide what is read from where; the daemon sets them itself.
const OURS: &[(&str, &str)] = &[
    ("bootstrap.servers", "write `brokers` in [kafka]"),
    ("metadata.broker.list", "write `brokers` in [kafka]"),
    ("enable.auto.commit", "positions are kept in the store, with the alerts"),
    ("enable.auto.offset.store", "positions are kept in the store, with the alerts"),
    ("auto.offset.reset", "a gap is said, and reading goes on at the earliest record"),
    ("isolation.level", "records of transactions that were given up are never read"),
    ("group.protocol", "partitions are assigned by the daemon itself"),
    ("enable.partition.eof", "the daemon has no use for it"),
    ("statistics.interval.ms", "lag is counted from it"),
    ("debug", "a recreated topic is noticed by it"),
    ("log_level", "write `level` in [log]"),
    ("log.queue", "the daemon's log is one"),
    ("plugin.library.paths", "no code of others is loaded"),
];

/// Properties whose value is a secret.
const SECRETS: &[&str] = &[
    "sasl.password",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.password",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.config",
];

pub(super) static KAFKA: Shape = Shape {
    what: "[kafka]",
    keys: &[
        Key::must("brokers", Takes::Text, "host:port of a broker, several with commas between."),
        Key::may("properties", Takes::Pairs(&Takes::Any), "librdkafka's properties; a secret as NAME_file."),
        Key::may("topic", Takes::List(&Takes::Map(&TOPIC)), "the topics that are read."),
        Key::may("out", Takes::Map(&OUT), "the topic that is written."),
    ],
    later: &[],
};

static TOPIC: Shape = Shape {
    what: "[[kafka.topic]]",
    keys: &[
        Key::must("name", Takes::Text, "the topic; the source of its alerts."),
        Key::must("format", Takes::Text, "alertmanager, cloudevents, or a format of the rules."),
        Key::may("realm", Takes::Text, "what its alerts belong to."),
    ],
    later: &[],
};

static OUT: Shape = Shape {
    what: "[kafka.out]",
    keys: &[Key::must("topic", Takes::Text, "the topic that changes of incidents are written to.")],
    later: &[],
};

impl<'a> Reader<'a> {
    /// The section; names of webhooks are in `sources` already.
    pub(super) fn kafka(&self, file: &Keys<'a, '_>, sources: &BTreeMap<&'a str, Range<usize>>) -> Option<Kafka> {
        let keys = self.section(file, "kafka", &KAFKA)?;
        let brokers = keys.get::<Spanned<&str>>("brokers").filter(|given| self.brokers(given));
        let mut properties = Vec::new();
        if let Some(node) = keys.node("properties") {
            self.properties(node, "", &mut properties);
        }
        let topics = self.topics(&keys, sources);
        let out = self.topic_out(&keys, &topics);
        if keys.node("topic").is_none() && keys.node("out").is_none() {
            let place = file.place_of("kafka");
            self.fault(&place, "[kafka] names no topic".to_owned(), "add a [[kafka.topic]] that is read, or [kafka.out] that is written");
        }
        Some(Kafka { brokers: brokers?.value.to_owned(), properties, topics, out })
    }

    /// What is written must not be read: each change would be an alert that changes an incident.
    fn topic_out(&self, keys: &Keys<'a, '_>, read: &[Topic]) -> Option<String> {
        let keys = self.section(keys, "out", &OUT)?;
        let topic = keys.get::<Spanned<&str>>("topic")?;
        self.topic_name(&topic);
        if read.iter().any(|known| known.name == topic.value) {
            self.fault(&topic.span, format!("the topic `{}` is read by a [[kafka.topic]]", topic.value), "write to another one");
        }
        Some(topic.value.to_owned())
    }

    fn brokers(&self, given: &Spanned<&str>) -> bool {
        let is_broker = |broker: &str| {
            let (host, port) = broker.trim().rsplit_once(':').unwrap_or((broker.trim(), "9092"));
            !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c == '/') && port.parse::<u16>().is_ok_and(|port| port > 0)
        };
        let fits = given.value.split(',').all(is_broker);
        if !fits {
            let message = format!("`{}` names no brokers", given.value);
            self.fault(&given.span, message, "write host:port, several with commas between: k1.example.org:9092,k2.example.org:9092");
        }
        fits
    }

    /// `sasl.mechanism = "PLAIN"` is a table in a table for TOML, and one name for librdkafka.
    fn properties(&self, node: &'a Node, before: &str, into: &mut Vec<Property>) {
        for Entry { key, key_span, value } in self.reading.entries(node) {
            let name = if before.is_empty() { key.clone() } else { format!("{before}.{key}") };
            match &value.kind {
                Kind::Map(_) => self.properties(value, &name, into),
                Kind::Scalar(scalar) => into.extend(self.property(&name, key_span, &scalar.text, value)),
                Kind::Seq(_) | Kind::Faulty => self.reading.wrong(value, "a text, a number, or true or false"),
            }
        }
    }

    fn property(&self, name: &str, key_span: &Range<usize>, text: &str, value: &Node) -> Option<Property> {
        if let Some((_, instead)) = OURS.iter().find(|(ours, _)| *ours == name) {
            self.fault(key_span, format!("`{name}` is the daemon's own"), instead);
            return None;
        }
        if SECRETS.contains(&name) {
            let help = format!("write its value into a file, and `{name}_file = \"FILE\"` here");
            self.fault(key_span, format!("`{name}` is a secret, and secrets stand in files of their own"), &help);
            return None;
        }
        let secret = name.strip_suffix("_file").filter(|_| check(name, "x").is_err_and(|fault| fault.is_unknown));
        let property = match secret {
            Some(name) => {
                let file = Spanned { value: text, span: value.span.clone() };
                Property { name: name.to_owned(), value: Value::Secret(self.secret(&file)?) }
            }
            None => Property { name: name.to_owned(), value: Value::Plain(text.to_owned()) },
        };
        let Err(fault) = check(&property.name, property.value.expose()) else { return Some(property) };
        if fault.is_unknown {
            let known =
                nearest(&property.name, KNOWN.iter().copied()).map_or_else(String::new, |known| format!("did you mean `{known}`? "));
            let help = format!("{known}they are listed in librdkafka's CONFIGURATION.md");
            self.fault(key_span, format!("librdkafka has no property `{}`", property.name), &help);
        } else {
            // Its words quote the value, and may be about a secret.
            let said = if secret.is_some() { "it refuses the value".to_owned() } else { fault.said };
            self.fault(&value.span, format!("librdkafka refuses `{}`: {said}", property.name), "see librdkafka's CONFIGURATION.md");
        }
        None
    }

    fn topics(&self, keys: &Keys<'a, '_>, sources: &BTreeMap<&'a str, Range<usize>>) -> Vec<Topic> {
        let mut known = sources.clone();
        let mut topics = Vec::new();
        for keys in self.sections(keys, "topic", &TOPIC) {
            let name = keys.get::<Spanned<&str>>("name");
            if let Some(name) = &name {
                self.topic_read(name, &mut known);
            }
            let realm = self.realm(&keys);
            if let (Some(name), Some(format)) = (name, keys.get::<Spanned<&str>>("format")) {
                topics.push(Topic { name: name.value.to_owned(), format: format.value.to_owned(), format_span: format.span, realm });
            }
        }
        topics
    }

    fn topic_name(&self, name: &Spanned<&'a str>) {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.value.is_empty() || name.value.len() > TOPIC_CHARS_MAX || !name.value.chars().all(fits) {
            self.fault(&name.span, format!("`{}` is no name of a topic", name.value), "use 1 to 249 letters, digits, `-`, `_` and `.`");
        }
    }

    fn topic_read(&self, name: &Spanned<&'a str>, known: &mut BTreeMap<&'a str, Range<usize>>) {
        self.topic_name(name);
        self.not_reserved(name);
        if let Some(first) = known.insert(name.value, name.span.clone()) {
            let line = self.reading.file().place(first.start).line;
            let message = format!("the source `{}` is given twice", name.value);
            self.fault(
                &name.span,
                message,
                &format!("the first is on line {line}: alerts and metrics show topics and webhooks as their source"),
            );
        }
    }
}

/// Why librdkafka does not take a property.
struct Unfit {
    is_unknown: bool,
    said: String,
}

fn check(name: &str, value: &str) -> Result<(), Unfit> {
    match ClientConfig::new().set(name, value).create_native_config() {
        Ok(_) => Ok(()),
        Err(KafkaError::ClientConfig(result, said, _, _)) => {
            let is_unknown = result == rdkafka::types::RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN;
            Err(Unfit { is_unknown, said: said.trim_end_matches('\0').to_owned() })
        }
        Err(other) => Err(Unfit { is_unknown: false, said: other.to_string() }),
    }
}

/// Properties that are often set, to suggest the nearest one for a typing error.
const KNOWN: &[&str] = &[
    "client.id",
    "client.rack",
    "fetch.max.bytes",
    "fetch.message.max.bytes",
    "fetch.min.bytes",
    "fetch.wait.max.ms",
    "group.id",
    "max.partition.fetch.bytes",
    "queued.max.messages.kbytes",
    "reconnect.backoff.max.ms",
    "reconnect.backoff.ms",
    "sasl.mechanism",
    "sasl.mechanisms",
    "sasl.username",
    "sasl.password_file",
    "security.protocol",
    "socket.keepalive.enable",
    "socket.timeout.ms",
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.endpoint.identification.algorithm",
    "ssl.key.location",
    "ssl.key.password_file",
];
