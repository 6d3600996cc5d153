//! The tree of `daemon.toml` into [`Config`]: one table of keys a section, and the checks that go across keys.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;

use watchkeeper_engine::source::{self, Diagnostic, Key, Keys, Node, OneOrMany, Reading, Shape, SourceFile, Spanned, Takes};
use watchkeeper_engine::time::Span;
use watchkeeper_store::limits::HEALTH_KEPT;

use super::kafka::KAFKA;
use super::out::OUT;
use super::prometheus::PROMETHEUS;
use super::reader::Reader;
use super::secret::Secret;
use super::{
    Config, Environment, Files, Folder, Limits, Log, LogFormat, Mail, Named, Retention, Role, Server, Store, Token, Transport, Webhook,
    smtp, tree,
};

static FILE: Shape = Shape {
    what: "daemon.toml",
    keys: &[
        Key::may("server", Takes::Map(&SERVER), "the listener."),
        Key::may("token", Takes::List(&Takes::Map(&TOKEN)), "who may do what."),
        Key::may("store", Takes::Map(&STORE), "the store."),
        Key::may("files", Takes::Map(&FILES), "what operators edit."),
        Key::may("mail", Takes::Map(&MAIL), "mail."),
        Key::may("webhook", Takes::List(&Takes::Map(&WEBHOOK)), "sources below /hooks/NAME."),
        Key::may("kafka", Takes::Map(&KAFKA), "Kafka topics."),
        Key::may("prometheus", Takes::List(&Takes::Map(&PROMETHEUS)), "whom capacity rules ask."),
        Key::may("out", Takes::List(&Takes::Map(&OUT)), "hooks that messages go to."),
        Key::may("limits", Takes::Map(&LIMITS), "bounds of the doors."),
        Key::may("retention", Takes::Map(&RETENTION), "how long history is kept."),
        Key::may("log", Takes::Map(&LOG), "the log."),
    ],
    later: &[],
};

static SERVER: Shape = Shape {
    what: "[server]",
    keys: &[
        Key::may("listen", Takes::Text, "address and port of the listener."),
        Key::may("external_url", Takes::Text, "what links in mails begin with."),
        Key::may("open", Takes::Flag, "whether an address other than loopback needs no token."),
    ],
    later: &[("tls", "let a proxy with TLS stand before it")],
};

static TOKEN: Shape = Shape {
    what: "[[token]]",
    keys: &[
        Key::must("name", Takes::Text, "whose it is; the timeline shows it."),
        Key::must("role", Takes::Word(Role::WORDS), "viewer, operator, source or admin."),
        Key::must("token_file", Takes::Text, "the file that holds the token."),
    ],
    later: &[],
};

static STORE: Shape = Shape { what: "[store]", keys: &[Key::may("dir", Takes::Text, "the folder of the store.")], later: &[] };

static FILES: Shape = Shape {
    what: "[files]",
    keys: &[
        Key::may("rules", Takes::Text, "the folder of rule files."),
        Key::may("templates", Takes::Text, "the folder of mail templates."),
        Key::may("cmdb", Takes::Text, "the folder of CMDB files."),
    ],
    later: &[],
};

static MAIL: Shape = Shape {
    what: "[mail]",
    keys: &[
        Key::may("from", Takes::Text, "the sender's mailbox."),
        Key::may("to", Takes::OneOrList(&Takes::Text), "who hears what reaches nobody else."),
        Key::may("transport", Takes::Word(TRANSPORTS), "how mail leaves."),
        Key::may("file", Takes::Map(&MAIL_FILE), "mails as files."),
        Key::may("smtp", Takes::Map(&smtp::SHAPE), "the mail server."),
    ],
    later: &[("limits", "send less by `notify`: `digest` folds what can wait")],
};

const TRANSPORTS: &[&str] = &["file", "smtp"];

static MAIL_FILE: Shape = Shape { what: "[mail.file]", keys: &[Key::may("dir", Takes::Text, "the folder of the mails.")], later: &[] };

static WEBHOOK: Shape = Shape {
    what: "[[webhook]]",
    keys: &[
        Key::must("name", Takes::Text, "its name, served at /hooks/NAME."),
        Key::must("format", Takes::Text, "alertmanager, cloudevents, or a format of the rules."),
        Key::may("token_file", Takes::Text, "the file that holds its own token."),
        Key::may("realm", Takes::Text, "what its alerts belong to."),
    ],
    later: &[],
};

static LIMITS: Shape = Shape {
    what: "[limits]",
    keys: &[
        Key::may("body_mib", Takes::Count, "MiB of one request's body."),
        Key::may("in_flight_mib", Takes::Count, "MiB of requests that are not answered yet."),
        Key::may("connections", Takes::Count, "open connections."),
        Key::may("connections_per_address", Takes::Count, "open connections of one address of another machine."),
    ],
    later: &[],
};

/// How long the history of health is kept at most: ten years.
const HEALTH_MAX: Span = Span::days(3_650);

static RETENTION: Shape = Shape {
    what: "[retention]",
    keys: &[
        Key::may("blocks", Takes::Duration, "how long blocks stay in the store."),
        Key::may("health", Takes::Duration, "how long changes of the health of CIs stay in the store."),
    ],
    later: &[("archives", "leave it out: history stays"), ("incidents", "leave it out: history stays")],
};

static LOG: Shape = Shape {
    what: "[log]",
    keys: &[
        Key::may("level", Takes::Word(LEVELS), "the least level that is written."),
        Key::may("format", Takes::Word(LOG_FORMATS), "text or json."),
    ],
    later: &[],
};

const LEVELS: &[&str] = &["error", "warn", "info", "debug", "trace"];
const LOG_FORMATS: &[&str] = &["text", "json"];

/// Reads a configuration whose file lies in `folder`, as far as it can be read: what is faulty is left out, and every finding is given.
pub(super) fn look(file: &SourceFile, folder: &Path, environment: &Environment) -> (Option<Config>, Vec<Diagnostic>) {
    let mut found = Vec::new();
    let root = tree::parse(file, &mut found);
    let reader = Reader { reading: Reading::new(file), folder, environment };
    let config = reader.config(&root);
    found.extend(reader.reading.finish());
    source::sort(&mut found);
    (config, found)
}

/// The store that a configuration names; faults elsewhere in it do not matter.
pub(super) fn store(file: &SourceFile, folder: &Path) -> Store {
    let root = tree::parse(file, &mut Vec::new());
    let reader = Reader { reading: Reading::new(file), folder, environment: &Environment::default() };
    let named = reader.reading.keys(&root, &FILE).map(|keys| reader.store(&keys));
    named.unwrap_or_else(|| Store { dir: folder.join("data") })
}

impl<'a> Reader<'a> {
    fn config(&self, root: &'a Node) -> Option<Config> {
        let file = self.reading.keys(root, &FILE)?;
        let tokens = self.tokens(&file);
        let server = self.server(&file, !tokens.is_empty() || file.node("token").is_some());
        let (webhooks, sources) = self.webhooks(&file);
        let config = Config {
            server,
            tokens,
            store: self.store(&file),
            files: self.files(&file),
            mail: self.mail(&file),
            webhooks,
            kafka: self.kafka(&file, &sources),
            prometheus: self.prometheus(&file),
            outs: self.outs(&file),
            limits: self.limits(&file),
            retention: self.retention(&file),
            log: self.log(&file),
        };
        self.no_secret_twice(&file, &config);
        Some(config)
    }

    fn server(&self, file: &Keys<'a, '_>, has_tokens: bool) -> Server {
        let default = SocketAddr::from(([127, 0, 0, 1], 9080));
        let keys = self.section(file, "server", &SERVER);
        let get = |key: &'static str| keys.as_ref().and_then(|keys| keys.get::<Spanned<&str>>(key));
        let open = keys.as_ref().and_then(|keys| keys.get::<Spanned<bool>>("open")).filter(|open| open.value);
        let listen = get("listen").and_then(|given| self.listen(&given, has_tokens || open.is_some())).unwrap_or(default);
        if let Some(open) = open.filter(|_| has_tokens) {
            self.fault(
                &open.span,
                "`open = true` contradicts the tokens of this file".to_owned(),
                "leave it out: whoever has a token comes in; or leave the tokens out: whoever reaches the port does",
            );
        }
        let external_url = get("external_url").and_then(|given| self.external_url(&given));
        Server { listen, external_url: external_url.unwrap_or_else(|| format!("http://{listen}")) }
    }

    /// Without a token only loopback is safe: whoever reaches the port may do everything.
    fn listen(&self, given: &Spanned<&str>, beyond_loopback: bool) -> Option<SocketAddr> {
        let Ok(address) = given.value.parse::<SocketAddr>() else {
            self.fault(
                &given.span,
                format!("`{}` is no address to listen on", given.value),
                "write an IP address and a port, such as 127.0.0.1:9080, 0.0.0.0:9080 or [::1]:9080",
            );
            return None;
        };
        if !beyond_loopback && !address.ip().is_loopback() {
            self.fault(
                &given.span,
                format!("without a token the daemon serves this machine only, and {address} can be reached from others"),
                "add a [[token]] with name, role and token_file; or listen on 127.0.0.1:9080; or set `open = true` here if \
                 whoever reaches the port may do everything",
            );
        }
        Some(address)
    }

    fn external_url(&self, given: &Spanned<&str>) -> Option<String> {
        let after_scheme = given.value.strip_prefix("https://").or_else(|| given.value.strip_prefix("http://"));
        let fits = after_scheme.is_some_and(|rest| {
            !rest.is_empty()
                && !rest.starts_with('/')
                && !rest.contains(|c: char| c.is_whitespace() || c.is_control() || "\"<>?#".contains(c))
        });
        if !fits {
            self.fault(
                &given.span,
                format!("`{}` is no address that links can begin with", given.value),
                "write http:// or https://, the host, and a path where a proxy adds one: https://watch.example.org",
            );
            return None;
        }
        Some(given.value.trim_end_matches('/').to_owned())
    }

    fn tokens(&self, file: &Keys<'a, '_>) -> Vec<Token> {
        let mut names = BTreeMap::new();
        let mut tokens = Vec::new();
        for keys in self.sections(file, "token", &TOKEN) {
            let name = keys.get::<Spanned<&str>>("name");
            if let Some(name) = &name {
                self.check_name(name, "token", &mut names);
            }
            let role = keys.node("role").and_then(|node| self.reading.word(node, "role", Role::WORDS));
            let secret = keys.get::<Spanned<&str>>("token_file").and_then(|file| self.secret(&file));
            if let (Some(name), Some(role), Some(secret)) = (name, role, secret) {
                let role = Role::ALL.iter().copied().find(|known| known.word() == role).expect("WORDS and ALL have one order");
                tokens.push(Token { name: name.value.to_owned(), role, secret });
            }
        }
        tokens
    }

    fn store(&self, file: &Keys<'a, '_>) -> Store {
        let dir = self.section(file, "store", &STORE).and_then(|keys| keys.get::<&str>("dir")).unwrap_or("data");
        Store { dir: self.folder.join(dir) }
    }

    fn files(&self, file: &Keys<'a, '_>) -> Files {
        let keys = self.section(file, "files", &FILES);
        let folder = |key: &'static str| match keys.as_ref().and_then(|keys| keys.get::<&str>(key)) {
            Some(given) => Folder { path: self.folder.join(given), named: Named::Explicitly },
            None => Folder { path: self.folder.join(key), named: Named::ByDefault },
        };
        Files { rules: folder("rules"), templates: folder("templates"), cmdb: folder("cmdb") }
    }

    fn mail(&self, file: &Keys<'a, '_>) -> Mail {
        let mut mail = Mail {
            from: "Watchkeeper <watchkeeper@localhost>".to_owned(),
            to: Vec::new(),
            transport: Transport::File { dir: self.folder.join("outbox") },
        };
        let Some(keys) = self.section(file, "mail", &MAIL) else { return mail };
        if let Some(from) = keys.get::<Spanned<&str>>("from") {
            if from.value.parse::<lettre::message::Mailbox>().is_err() {
                let message = format!("`{}` is no mailbox", from.value);
                self.fault(&from.span, message, "write `Watchkeeper <watch@example.org>` or `watch@example.org`");
            }
            mail.from = from.value.to_owned();
        }
        for to in keys.get::<OneOrMany<Spanned<&str>>>("to").into_iter().flat_map(|many| many.0) {
            if to.value.parse::<lettre::Address>().is_err() {
                self.fault(&to.span, format!("`{}` is no mail address", to.value), "write `ops@example.org`");
            }
            mail.to.push(to.value.to_owned());
        }
        let transport = keys.node("transport").and_then(|node| self.reading.word(node, "transport", TRANSPORTS));
        if let Some(dir) = self.section(&keys, "file", &MAIL_FILE).and_then(|keys| keys.get::<&str>("dir")) {
            mail.transport = Transport::File { dir: self.folder.join(dir) };
        }
        let smtp = self.section(&keys, "smtp", &smtp::SHAPE).map(|keys| self.smtp(&keys));
        match (transport, smtp) {
            (Some("smtp"), Some(smtp)) => mail.transport = smtp.map_or(mail.transport, Transport::Smtp),
            (Some("smtp"), None) if keys.node("smtp").is_none() => {
                let help = "add [mail.smtp] with host, and port, security, user and password_file where they are needed";
                self.fault(&keys.place_of("transport"), "`transport = \"smtp\"` needs a server".to_owned(), help);
            }
            (None, Some(_)) if keys.node("transport").is_none() => {
                let help = "write `transport = \"smtp\"` in [mail] to use it, or `transport = \"file\"` to keep it for later";
                self.fault(
                    &keys.place_of("smtp"),
                    "[mail.smtp] is not used: mail goes into files unless [mail] says otherwise".to_owned(),
                    help,
                );
            }
            (Some(_) | None, Some(_) | None) => {}
        }
        mail
    }

    /// The webhooks, and where each name stands.
    fn webhooks(&self, file: &Keys<'a, '_>) -> (Vec<Webhook>, BTreeMap<&'a str, Range<usize>>) {
        let mut names = BTreeMap::new();
        let mut webhooks = Vec::new();
        for keys in self.sections(file, "webhook", &WEBHOOK) {
            let name = keys.get::<Spanned<&str>>("name");
            if let Some(name) = &name {
                self.check_name(name, "webhook", &mut names);
                self.not_reserved(name);
            }
            let realm = self.realm(&keys);
            let format = keys.get::<Spanned<&str>>("format");
            let secret = keys.get::<Spanned<&str>>("token_file").and_then(|file| self.secret(&file));
            if let (Some(name), Some(format)) = (name, format) {
                webhooks.push(Webhook {
                    name: name.value.to_owned(),
                    format: format.value.to_owned(),
                    format_span: format.span,
                    secret,
                    realm,
                });
            }
        }
        (webhooks, names)
    }

    fn limits(&self, file: &Keys<'a, '_>) -> Limits {
        let keys = self.section(file, "limits", &LIMITS);
        let count = |key: &'static str, range: Range<u32>, default: u32| {
            let Some(given) = keys.as_ref().and_then(|keys| keys.get::<Spanned<u32>>(key)) else { return default as usize };
            if !range.contains(&given.value) {
                let help = format!("the default is {default}");
                self.fault(&given.span, format!("`{key}` is from {} to {}", range.start, range.end - 1), &help);
            }
            given.value as usize
        };
        let (body_mib, in_flight_mib) = (count("body_mib", 1..1_025, 10), count("in_flight_mib", 1..65_537, 64));
        if let Some(keys) = keys.as_ref().filter(|_| in_flight_mib < body_mib) {
            let place = if keys.node("in_flight_mib").is_some() { "in_flight_mib" } else { "body_mib" };
            let message = format!("`in_flight_mib` ({in_flight_mib}) is less than `body_mib` ({body_mib})");
            self.fault(&keys.place_of(place), message, "a body of the allowed size could never be taken");
        }
        let connections = count("connections", 1..100_001, 1_024);
        let quarter = u32::try_from(connections.div_ceil(4)).unwrap_or(u32::MAX);
        let connections_per_address = count("connections_per_address", 1..100_001, quarter);
        Limits { body_bytes: body_mib << 20, in_flight_bytes: in_flight_mib << 20, connections, connections_per_address }
    }

    fn retention(&self, file: &Keys<'a, '_>) -> Retention {
        let keys = self.section(file, "retention", &RETENTION);
        let given = |key: &'static str| keys.as_ref().and_then(|keys| keys.get::<Spanned<Span>>(key));
        let (blocks, health) = (given("blocks"), given("health"));
        if let Some(given) = blocks.as_ref().filter(|given| given.value < Span::hours(1)) {
            self.fault(&given.span, "`blocks` is at least 1h".to_owned(), "blocks are what a replay and an `explain` of events need");
        }
        if let Some(given) = health.as_ref().filter(|given| given.value < Span::days(1) || given.value > HEALTH_MAX) {
            self.fault(&given.span, "`health` is from 1d to 3650d".to_owned(), "the default is 365d, a year");
        }
        Retention { blocks: blocks.map_or(Span::days(7), |given| given.value), health: health.map_or(HEALTH_KEPT, |given| given.value) }
    }

    fn log(&self, file: &Keys<'a, '_>) -> Log {
        let keys = self.section(file, "log", &LOG);
        let word = |key: &'static str, words: &[&'static str]| {
            keys.as_ref().and_then(|keys| keys.node(key)).and_then(|node| self.reading.word(node, &format!("log {key}"), words))
        };
        let format = if word("format", LOG_FORMATS) == Some("json") { LogFormat::Json } else { LogFormat::Text };
        Log { level: word("level", LEVELS).unwrap_or("info"), format }
    }

    /// Two tokens of one text would make it a matter of order who did something.
    fn no_secret_twice(&self, file: &Keys<'a, '_>, config: &Config) {
        let mut known: Vec<(&str, &Secret)> = Vec::new();
        let webhooks = config.webhooks.iter().filter_map(|hook| Some((hook.name.as_str(), hook.secret.as_ref()?)));
        for (name, secret) in config.tokens.iter().map(|token| (token.name.as_str(), &token.secret)).chain(webhooks) {
            if let Some((first, _)) = known.iter().find(|(_, other)| *other == secret) {
                let place = if file.node("token").is_some() { "token" } else { "webhook" };
                let message = format!("`{first}` and `{name}` have the same token");
                self.fault(&file.place_of(place), message, "give each a token of its own: the token says who did something");
            }
            known.push((name, secret));
        }
    }
}
