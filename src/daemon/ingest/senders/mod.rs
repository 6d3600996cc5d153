//! Who speaks to us: one file and one line of [`SENDERS`] a sender. A body is judged member by member, so that a bad one never costs the good ones.
//!
//! A sender that only has bodies is named by `format` of a webhook or a Kafka topic; one that has an API of its own is served at its paths, as source `default`,
//! and below each hook as that source. Its routes, its description in OpenAPI, how it shows its token, what is kept of a body and how it is answered come from here.

pub mod alertmanager_api;
pub mod alertmanager_schema;
pub mod alertmanager_webhook;
pub mod cloudevents;
pub mod mapped;
pub mod opsgenie;
pub mod pagerduty;

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{HeaderValue, Method, Response, StatusCode, header};
use serde_json::Value;

use watchkeeper_engine::ids::{AlertId, Realm};
use watchkeeper_engine::input::{AlertInput, Given, Refused};
use watchkeeper_engine::policy::priorities::Severities;
use watchkeeper_engine::text::Labels;
use watchkeeper_engine::words::Severity;

use super::door::{Heard, NotHeard};
use super::json::{Pairs, kind, moment, refused};

/// Every sender. No format of the rules may have the name of one that has bodies only.
pub static SENDERS: &[&Sender] =
    &[&alertmanager_webhook::SENDER, &cloudevents::SENDER, &alertmanager_api::SENDER, &pagerduty::SENDER, &opsgenie::SENDER];

/// One that speaks to us.
#[derive(Debug)]
pub struct Sender {
    /// Its name; of one with bodies only what `format` says.
    pub name: &'static str,
    /// Reads what came: its members, or why it is none of this sender's.
    pub read: fn(&Door<'_>, &Call<'_>) -> Result<Vec<Member>, Refused>,
    /// What is kept of a body that was refused.
    pub keeps: Keeps,
    /// How it is reached.
    pub speaks: Speaks,
}

/// What is kept beside the faults of what was refused.
#[derive(Debug, Clone, Copy)]
pub enum Keeps {
    /// The body.
    Body,
    /// The body and these of its headers, without which it cannot be read again.
    BodyAnd(fn(&Headers) -> Headers),
    /// Nothing: the body holds a secret.
    Nothing,
}

/// How a sender is reached.
#[derive(Debug)]
pub enum Speaks {
    /// By a webhook or a topic whose `format` is its name.
    Bodies,
    /// At paths of its own.
    Api(Api),
}

/// The API of a sender.
#[derive(Debug)]
pub struct Api {
    /// Its methods and paths.
    pub routes: &'static [Route],
    /// Where it shows its token.
    pub credential: Credential,
    /// Bytes of a body. `[limits] body_mib` may allow less.
    pub body_bytes_max: usize,
    /// The answer to what was committed.
    pub answer: fn(&Call<'_>, &Heard) -> Response<Body>,
    /// The answer where nothing was taken.
    pub refuse: fn(&NotHeard) -> Response<Body>,
}

/// Each is one static: the same place is the same API.
impl PartialEq for Api {
    fn eq(&self, other: &Api) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Api {}

/// Where a sender's token stands. `Authorization: Bearer` and Basic open every door.
#[derive(Debug, Clone, Copy)]
pub enum Credential {
    /// Nowhere else.
    Header,
    /// Behind this word in `Authorization`.
    Scheme(&'static str),
    /// In the body.
    Body(fn(&[u8]) -> Option<String>),
}

/// One method of one path of a sender's API, and what OpenAPI says of it.
#[derive(Debug)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path; `{id}` is handed to the reader.
    pub path: &'static str,
    /// What it does.
    pub does: Does,
    /// What OpenAPI says it does.
    pub summary: &'static str,
    /// The body's schema as JSON; empty where there is none.
    pub body: &'static str,
    /// The parameters of its query, each with what it says.
    pub query: &'static [(&'static str, &'static str)],
    /// The answers: status and what it means.
    pub answers: &'static [(u16, &'static str)],
}

/// What a route does.
#[derive(Debug, Clone, Copy)]
pub enum Does {
    /// It takes what the sender says.
    Takes,
    /// It shows what became of an alert.
    Shows {
        /// The alert that is asked for.
        about: fn(&Call<'_>) -> Option<AlertId>,
        /// The answer; `None` where that alert is not of this source, or is gone.
        show: fn(&Call<'_>, Option<&Seen>) -> Response<Body>,
    },
}

/// An alert as a sender may see it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its number.
    pub id: AlertId,
    /// The sender's key.
    pub key: String,
}

/// A request or record as a reader sees it.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// The route it came by; `None` for a webhook's body or a record.
    pub route: Option<&'static Route>,
    /// The `{id}` of its path.
    pub id: &'a str,
    /// Its query.
    pub query: &'a str,
    /// Its headers, but those that hold secrets.
    pub headers: &'a (dyn Fn() -> Headers + Sync),
    /// Its bytes.
    pub body: &'a [u8],
    /// When it came; `None` where it is read later.
    pub now: Given,
}

/// By which source a body came, and the words that judge its severities.
#[derive(Debug, Clone, Copy)]
pub struct Door<'a> {
    /// The source's name; the bare paths are `default`.
    pub source: &'a str,
    /// What the source belongs to.
    pub realm: &'a Realm,
    /// The words of the policy in force.
    pub severities: &'a Severities,
}

/// Headers that a format may look at: texts by name in lower case.
pub type Headers = BTreeMap<String, String>;

/// One member of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Where it stood in the body, from 0.
    pub place: u32,
    /// What it says, within every bound; else its fault, placed in the body.
    pub said: Result<AlertInput, Refused>,
    /// The alert's number, where the sender names it by that: its key and labels are looked up.
    pub number: Option<AlertId>,
}

/// Labels that say how bad it is; the first one present counts.
const SEVERITY_LABELS: [&str; 3] = ["severity", "priority", "level"];

/// Annotations that say in a line what is wrong; the first one present counts.
const SUMMARY_ANNOTATIONS: [&str; 4] = ["summary", "message", "description", "title"];

/// The name of an alert whose sender gives none.
const UNNAMED: &str = "unnamed";

/// The sender whose bodies are of that format.
pub fn by_format(name: &str) -> Option<&'static Sender> {
    SENDERS.iter().find(|sender| sender.name == name && matches!(sender.speaks, Speaks::Bodies)).copied()
}

/// The names that `format` knows without a rule.
pub fn formats<'a>() -> impl Iterator<Item = &'a str> {
    SENDERS.iter().filter(|sender| matches!(sender.speaks, Speaks::Bodies)).map(|sender| sender.name)
}

/// The senders with an API.
pub fn apis() -> impl Iterator<Item = (&'static Sender, &'static Api)> {
    SENDERS.iter().filter_map(|sender| match &sender.speaks {
        Speaks::Api(api) => Some((*sender, api)),
        Speaks::Bodies => None,
    })
}

/// The sender and route that take what is sent to a path, with its `{id}`.
pub fn by_path(path: &str) -> Option<(&'static Sender, &'static Route, &str)> {
    let of = |(sender, api): (&'static Sender, &'static Api)| {
        let routes = api.routes.iter().filter(|route| matches!(route.does, Does::Takes));
        routes.filter_map(|route| Some((sender, route, id_in(route.path, path)?))).next()
    };
    apis().find_map(of)
}

/// What stands for `{id}` of a pattern in a path; empty where the pattern has none.
fn id_in<'a>(pattern: &str, path: &'a str) -> Option<&'a str> {
    let Some((before, after)) = pattern.split_once("{id}") else { return (pattern == path).then_some("") };
    path.strip_prefix(before)?.strip_suffix(after).filter(|id| !id.is_empty() && !id.contains('/'))
}

impl Member {
    /// The member at `place`: what it says within the bounds, or its fault.
    pub fn new(place: usize, said: Result<AlertInput, Refused>) -> Member {
        Member::placed(place, said.and_then(AlertInput::bounded).map_err(|fault| at(place, &fault)))
    }

    /// The member at `place`, whose fault says already where in the body it is.
    pub fn placed(place: usize, said: Result<AlertInput, Refused>) -> Member {
        // A body has far fewer members than that: `JSON_VALUES_MAX`.
        Member { place: u32::try_from(place).unwrap_or(u32::MAX), said, number: None }
    }
}

/// A fault within the member at `index`, placed in the body.
pub fn at(index: usize, fault: &Refused) -> Refused {
    let joint = if fault.place.is_empty() || fault.place.starts_with('[') { "" } else { "." };
    Refused { place: format!("alerts[{index}]{joint}{}", fault.place), expected: fault.expected.clone() }
}

/// An answer of JSON.
fn json(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

impl Door<'_> {
    /// An alert of which only its sender's key is known.
    fn keyed(&self, key: &str) -> AlertInput {
        let mut input = AlertInput::named(self.source, UNNAMED);
        input.realm = self.realm.clone();
        key.clone_into(&mut input.key);
        input
    }

    /// An alert of these labels and annotations, with name, severity and summary from where senders of Prometheus' kind write them.
    fn alert(&self, labels: Pairs, annotations: Pairs) -> AlertInput {
        let labels = Labels::new(labels.0);
        let annotations = Labels::new(annotations.0);
        let name = match labels.get("alertname") {
            "" => UNNAMED,
            name => name,
        };
        let mut input = AlertInput::named(self.source, name);
        input.realm = self.realm.clone();
        input.severity = SEVERITY_LABELS
            .iter()
            .map(|name| labels.get(name))
            .find(|word| !word.is_empty())
            .map_or(Severity::Unknown, |word| self.severities.of(word));
        SUMMARY_ANNOTATIONS
            .iter()
            .map(|name| annotations.get(name))
            .find(|text| !text.is_empty())
            .unwrap_or_default()
            .clone_into(&mut input.summary);
        input.labels = labels;
        input.annotations = annotations;
        input
    }
}

/// Why a member of Prometheus' kind could not be read: the first thing in it that is not of its type, else what the parser said.
fn why_unread(raw: &str, error: &serde_json::Error) -> Refused {
    let Ok(member) = serde_json::from_str::<Value>(raw) else {
        let told = error.to_string();
        return refused("", format!("JSON, {}", told.split(" at line ").next().unwrap_or_default()));
    };
    let Value::Object(fields) = &member else {
        return refused("", format!("an object, this is {}", kind(&member)));
    };
    if fields.get("labels").is_none() {
        return refused("labels", "an object of texts");
    }
    for field in ["labels", "annotations"] {
        match fields.get(field) {
            None | Some(Value::Null) => {}
            Some(Value::Object(pairs)) => {
                for (name, value) in pairs {
                    if !matches!(value, Value::String(_) | Value::Null) {
                        return refused(&format!("{field}.{name}"), format!("a text, this is {}", kind(value)));
                    }
                }
            }
            Some(other) => return refused(field, format!("an object of texts, this is {}", kind(other))),
        }
    }
    for field in ["startsAt", "endsAt"] {
        match fields.get(field) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) if moment(text).is_some() => {}
            Some(Value::String(text)) => {
                let shown: String = text.chars().take(40).collect();
                return refused(field, format!("a time such as 2026-11-24T03:02:00Z, this is {shown:?}"));
            }
            Some(other) => return refused(field, format!("a time such as 2026-11-24T03:02:00Z, this is {}", kind(other))),
        }
    }
    let told = error.to_string();
    refused("", told.split(" at line ").next().unwrap_or_default())
}
