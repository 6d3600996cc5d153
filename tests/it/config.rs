//! `daemon.toml`: what is taken, and that everything wrong with it is said at once, in the right place.

use std::path::Path;

use watchkeeper::config::{self, Config, ConfigError, Environment, LogFormat, Named, Role, Secrets, Transport};
use watchkeeper::diagnostics::{Colour, Format};
use watchkeeper_engine::time::Span;

#[test]
fn the_shipped_example_is_the_defaults() {
    let example = read_text(include_str!("../../daemon.example.toml")).expect("the example has no fault");
    let empty = read_text("").expect("nothing has to be configured");
    assert_eq!(format!("{example:?}"), format!("{empty:?}"));
}

#[test]
fn every_key_of_the_example_that_is_commented_out_is_known() {
    let text: String = include_str!("../../daemon.example.toml")
        .lines()
        .map(|line| {
            line.strip_prefix("# ").filter(|rest| rest.contains(" = ") && !rest.contains(". ") || rest.starts_with('[')).unwrap_or(line)
        })
        .map(|line| format!("{line}\n"))
        .collect();
    let text = text.replace("open = true\n", "");
    let folder = Folder::with(&text);
    folder.write("anna.token", "abcdefgh-anna\n");
    folder.write("prom.token", "abcdefgh-prom\n");
    folder.write("prometheus.token", "abcdefgh-prometheus\n");
    folder.write("chat.token", "abcdefgh-chat\n");
    folder.write("chat.key", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
    folder.write("kafka.password", "abcdefgh-kafka\n");
    folder.write("smtp.password", "hunter2\n");
    let authority = rcgen::generate_simple_self_signed(vec!["mail.example.org".to_owned()]).unwrap();
    folder.write("ca.pem", &authority.cert.pem());
    let config = folder.load().expect("each example line is valid");
    assert_eq!(config.kafka.map(|kafka| (kafka.properties.len(), kafka.topics.len())), Some((5, 1)));
    assert_eq!(config.tokens[0].role, Role::Operator);
    assert_eq!(config.webhooks[0].name, "prom");
    assert_eq!((config.prometheus[0].name.as_str(), config.prometheus[0].url.as_str()), ("main", "http://prometheus.example.org:9090"));
    assert_eq!((config.outs[0].name.as_str(), config.outs[0].key.is_some(), config.outs[0].allow_private), ("chat", true, false));
    assert_eq!(config.files.rules.named, Named::Explicitly);
}

#[test]
fn paths_begin_at_the_folder_of_the_file() {
    let folder = Folder::with(
        "[store]\ndir = \"here/data\"\n[mail.file]\ndir = \"/var/mail/out\"\n[retention]\nblocks = \"1d12h\"\n[log]\nformat = \"json\"\n",
    );
    let config = folder.load().expect("valid");
    assert_eq!(config.store.dir, folder.path().join("here/data"));
    assert!(matches!(config.mail.transport, Transport::File { dir } if dir == Path::new("/var/mail/out")));
    assert_eq!(config.retention.blocks, Span::hours(36));
    assert_eq!(config.log.format, LogFormat::Json);
}

#[test]
fn a_token_opens_with_its_own_text_and_nothing_else_and_never_shows_it() {
    let folder = Folder::with("[server]\nlisten = \"0.0.0.0:0\"\n[[token]]\nname = \"anna\"\nrole = \"admin\"\ntoken_file = \"t\"\n");
    folder.write("t", "correct horse\n");
    let config = folder.load().expect("a token allows any address");
    assert!(config.tokens[0].secret.matches(b"correct horse"));
    assert!(!config.tokens[0].secret.matches(b"correct horse\n"));
    assert!(!format!("{config:?}").contains("horse"));
}

#[test]
fn secrets_are_looked_for_among_the_credentials_first() {
    let folder = Folder::with("[[token]]\nname = \"anna\"\nrole = \"viewer\"\ntoken_file = \"t\"\n");
    folder.write("t", "beside the file");
    folder.write("credentials/t", "from systemd");
    let environment = Environment { credentials: Some(folder.path().join("credentials")), ..Environment::default() };
    let (config, _) = config::load(&folder.path().join("daemon.toml"), &environment).expect("valid");
    assert!(config.tokens[0].secret.matches(b"from systemd"));
}

#[test]
fn all_faults_of_a_file_are_named_at_once_with_their_places() {
    let text = r#"[server]
lisen = "127.0.0.1:9080"
external_url = "watch.example.org"
open = "yes"

[[token]]
name = "anna k"
role = "oprator"

[server.tls]
cert_file = "x"

[mail]
from = "nobody"
to = ["ops@example.org", "at example"]
transport = "smtp"

[kafka]
brokers = "k:9092"

[[webhook]]
name = "default"
format = 5

[[webhook]]
name = "prom"
format = "alertmanager"
token_file = "nowhere.token"

[[webhook]]
name = "prom"
format = "alertmanager"

[retention]
blocks = 7

[limits]
body_mib = 100
in_flight_mib = 64

[log]
level = "verbose"
"#;
    insta::assert_snapshot!(faults_of(text));
}

#[test]
fn a_broken_line_does_not_hide_the_faults_of_the_others() {
    let found = faults_of("[server]\nlisten = \n[log]\nlevel = \"loud\"\n");
    assert!(found.contains("daemon.toml:2:"), "{found}");
    assert!(found.contains("unknown log level `loud`"), "{found}");
}

#[test]
fn without_a_token_only_loopback_is_served() {
    let found = faults_of("[server]\nlisten = \"0.0.0.0:9080\"\n");
    assert!(found.contains("without a token the daemon serves this machine only"), "{found}");
    assert!(found.contains("add a [[token]]"), "{found}");
    assert!(read_text("[server]\nlisten = \"[::1]:9080\"\n").is_ok());
    assert!(read_text("[server]\nlisten = \"0.0.0.0:9080\"\nopen = true\n").is_ok());
}

#[test]
fn a_check_needs_no_secrets() {
    let folder = Folder::with("[[token]]\nname = \"anna\"\nrole = \"viewer\"\ntoken_file = \"nowhere\"\n");
    let environment = Environment { secrets: Secrets::Assumed, ..Environment::default() };
    assert!(config::load(&folder.path().join("daemon.toml"), &environment).is_ok());
}

#[test]
fn a_client_finds_the_store_of_a_file_it_cannot_wholly_read() {
    let folder = Folder::with("[store]\ndir = \"there\"\n[[token]]\nname = \"anna\"\nrole = \"viewer\"\ntoken_file = \"nowhere\"\n");
    let store = config::store_of(&folder.path().join("daemon.toml")).expect("the file is there");
    assert_eq!(store.socket(), folder.path().join("there/socket"));
    assert_eq!(config::store_of(Path::new("no/daemon.toml")).expect("the default").socket(), Path::new("no/data/socket"));
}

#[test]
fn two_names_for_one_token_are_refused() {
    let folder = Folder::with(
        "[[token]]\nname = \"anna\"\nrole = \"viewer\"\ntoken_file = \"t\"\n[[token]]\nname = \"bert\"\nrole = \"admin\"\ntoken_file = \"t\"\n",
    );
    folder.write("t", "abcdefgh");
    assert!(folder.faults().contains("`anna` and `bert` have the same token"));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = config::load(Path::new("no/such/daemon.toml"), &Environment::default()).expect_err("there is none");
    assert!(error.to_string().starts_with("cannot read no/such/daemon.toml: "), "{error}");
}

fn read_text(text: &str) -> Result<Config, ConfigError> {
    let folder = Folder::with(text);
    let relative = |path: &mut std::path::PathBuf| *path = path.strip_prefix(folder.path()).expect("below the folder").to_owned();
    folder.load().map(|mut config| {
        relative(&mut config.store.dir);
        for files in [&mut config.files.rules, &mut config.files.templates, &mut config.files.cmdb] {
            relative(&mut files.path);
        }
        if let Transport::File { dir } = &mut config.mail.transport {
            relative(dir);
        }
        config
    })
}

fn faults_of(text: &str) -> String {
    Folder::with(text).faults()
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn with(text: &str) -> Folder {
        let folder = Folder(tempfile::tempdir().expect("a temporary folder"));
        folder.write("daemon.toml", text);
        folder
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().expect("below the folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }

    fn load(&self) -> Result<Config, ConfigError> {
        config::load(&self.path().join("daemon.toml"), &Environment::default()).map(|(config, _)| config)
    }

    fn faults(&self) -> String {
        match self.load() {
            Err(ConfigError::Faulty { mut findings, .. }) => {
                findings.files.iter_mut().for_each(|file| file.path = "daemon.toml".to_owned());
                findings.found.iter_mut().for_each(|found| found.path = "daemon.toml".to_owned());
                findings.render(Format::Text, Colour::Plain).replace(&self.path().display().to_string(), "FOLDER")
            }
            other => panic!("expected faults, found {other:?}"),
        }
    }
}

#[test]
fn kafka_is_checked_whole_by_name_and_value_and_its_secrets_stand_in_files() {
    let text = r#"[[webhook]]
name = "alerts"
format = "alertmanager"

[kafka]
brokers = "k1:9092, k2:port"

[kafka.properties]
security.protocl = "SASL_SSL"
sasl.mechanism = "SCRAM-SHA-512"
sasl.password = "in the open"
ssl.key.password_file = "nowhere.secret"
socket.timeout.ms = "soon"
enable.auto.commit = true
fetch.min.bytes = [1]

[[kafka.topic]]
name = "alerts"
format = "alertmanager"

[[kafka.topic]]
name = "no topic"
"#;
    insta::assert_snapshot!(faults_of(text));
}

#[test]
fn kafka_properties_are_passed_on_and_secrets_come_from_files() {
    let folder = Folder::with(
        "[kafka]\nbrokers = \"k1:9092,k2\"\n[kafka.properties]\nsecurity.protocol = \"SASL_SSL\"\n\"sasl.username\" = \"watch\"\n\
         sasl.password_file = \"p\"\nsocket.timeout.ms = 3000\n[[kafka.topic]]\nname = \"alerts\"\nformat = \"cloudevents\"\nrealm = \"house\"\n",
    );
    folder.write("p", "of the broker");
    let config = folder.load().expect("valid");
    let kafka = config.kafka.expect("it has Kafka");
    let mut properties: Vec<(&str, &str)> =
        kafka.properties.iter().map(|property| (property.name.as_str(), property.value.expose())).collect();
    properties.sort_unstable();
    let expected =
        [("sasl.password", "of the broker"), ("sasl.username", "watch"), ("security.protocol", "SASL_SSL"), ("socket.timeout.ms", "3000")];
    assert_eq!(properties, expected);
    assert!(!format!("{kafka:?}").contains("of the broker"), "a secret is printed");
    assert_eq!((kafka.topics[0].name.as_str(), kafka.topics[0].realm.name()), ("alerts", "house"));
}
