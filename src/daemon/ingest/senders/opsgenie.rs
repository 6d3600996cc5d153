//! Opsgenie's alert API: create, acknowledge, close and note an alert, and ask what became of a request.
//!
//! An alert is known by its `alias`. Close clears it and never closes its incident. A request is done before it is answered, so the id in the answer holds what
//! became of it: it can be asked for at any time, and nothing is kept for it.

use axum::body::Body;
use axum::http::{Method, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json as object};
use sha2::{Digest, Sha256};
use uuid::Uuid;
use watchkeeper_engine::ids::AlertId;
use watchkeeper_engine::input::{AlertInput, Refused, Says};
use watchkeeper_engine::limits::LABEL_VALUE_BYTES_MAX;
use watchkeeper_engine::text::Labels;
use watchkeeper_engine::time::Time;
use watchkeeper_engine::words::Severity;

use super::{Api, Call, Credential, Does, Door, Keeps, Member, Route, Seen, Sender, Speaks, json};
use crate::ingest::door::{Heard, NotHeard};
use crate::ingest::json::{Pairs, of_serde, refused, text};

/// The sender.
pub static SENDER: Sender = Sender {
    name: "opsgenie",
    read,
    keeps: Keeps::Body,
    speaks: Speaks::Api(Api {
        routes: &[
            Route {
                method: Method::POST,
                path: "/v2/alerts",
                does: Does::Takes,
                summary: "Creates an alert as Opsgenie's API does.",
                body: r#"{"type": "object", "required": ["message"], "properties": {
                    "message": {"type": "string"}, "alias": {"type": "string"}, "description": {"type": "string"}, "entity": {"type": "string"},
                    "source": {"type": "string"}, "priority": {"enum": ["P1", "P2", "P3", "P4", "P5"]}, "tags": {"type": "array", "items": {"type": "string"}},
                    "details": {"type": "object"}, "responders": {"type": "array"}, "user": {"type": "string"}, "note": {"type": "string"}}}"#,
                query: &[],
                answers: TAKEN,
            },
            about_one("/v2/alerts/{id}/acknowledge", "Says that somebody acknowledged an alert."),
            about_one("/v2/alerts/{id}/close", "Clears an alert."),
            about_one("/v2/alerts/{id}/notes", "Adds a note to an alert's incident."),
            Route {
                method: Method::GET,
                path: "/v2/alerts/requests/{id}",
                does: Does::Shows { about: |call| Ticket::parse(call.id).map(|ticket| ticket.alert), show },
                summary: "Says what became of a request.",
                body: "",
                query: &[],
                answers: &[(200, "What became of it."), (404, "There was no such request.")],
            },
        ],
        credential: Credential::Scheme("GenieKey"),
        body_bytes_max: BODY_BYTES_MAX,
        answer,
        refuse,
    }),
};

/// What is sent about one alert.
const fn about_one(path: &'static str, summary: &'static str) -> Route {
    Route {
        method: Method::POST,
        path,
        does: Does::Takes,
        summary,
        body: r#"{"type": "object", "properties": {"user": {"type": "string"}, "source": {"type": "string"}, "note": {"type": "string"}}}"#,
        query: &[("identifierType", "What the path names the alert by: `id` (the default), `alias` or `tiny`.")],
        answers: TAKEN,
    }
}

/// How what is sent is answered.
const TAKEN: &[(u16, &str)] = &[
    (202, "It is done; `requestId` can be asked for."),
    (400, "The body is no JSON."),
    (413, "It is too large."),
    (422, "It is not as Opsgenie takes it; `errors` says why."),
];

/// Bytes of a body: the longest fields that Opsgenie takes, escaped.
const BODY_BYTES_MAX: usize = 256 * 1024;
/// Characters of a message; what is longer is cut, as Opsgenie does with all texts but the alias.
const MESSAGE_CHARS_MAX: usize = 130;
/// Characters of a description.
const DESCRIPTION_CHARS_MAX: usize = 15_000;
/// Characters of a note.
const NOTE_CHARS_MAX: usize = 25_000;
/// Characters of an entity.
const ENTITY_CHARS_MAX: usize = 512;
/// Characters of a source or user.
const NAME_CHARS_MAX: usize = 100;
/// Tags of an alert, and characters of each.
const TAGS_MAX: (usize, usize) = (20, 50);
/// Priorities, and how bad each is where the rules have no such word.
const PRIORITIES: [(&str, Severity); 5] =
    [("P1", Severity::Critical), ("P2", Severity::Error), ("P3", Severity::Warning), ("P4", Severity::Info), ("P5", Severity::Info)];
/// The priority of an alert whose sender gives none.
const DEFAULT_PRIORITY: &str = "P3";

#[derive(Deserialize)]
struct Created {
    #[serde(default)]
    message: String,
    #[serde(default)]
    alias: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    entity: Option<String>,
    #[serde(default)]
    source: Option<String>,
    #[serde(default)]
    priority: Option<String>,
    #[serde(default)]
    tags: Option<Vec<String>>,
    #[serde(default)]
    details: Pairs,
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    note: Option<String>,
}

#[derive(Default, Deserialize)]
struct Remark {
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    note: Option<String>,
}

fn read(door: &Door<'_>, call: &Call<'_>) -> Result<Vec<Member>, Refused> {
    let action = Action::of(call);
    if action == Action::Create {
        return Ok(match created(door, body(call)?) {
            Ok(input) => vec![Member::placed(0, input.bounded())],
            Err(faults) => faults.into_iter().map(|fault| Member::placed(0, Err(fault))).collect(),
        });
    }
    let Remark { user, note } = if call.body.trim_ascii().is_empty() { Remark::default() } else { body(call)? };
    let (by, note) = (cut(user, NAME_CHARS_MAX), cut(note, NOTE_CHARS_MAX));
    if action == Action::AddNote && note.trim().is_empty() {
        return Ok(vec![Member::placed(0, Err(refused("note", "a text")))]);
    }
    let about = |input: AlertInput| named(door, call, input);
    let noted = (!note.is_empty()).then(|| AlertInput { says: Says::Noted { by: by.clone(), text: note }, ..door.keyed("") });
    let done = match action {
        Action::Acknowledge => Some(AlertInput { says: Says::Acknowledged { by }, ..door.keyed("") }),
        Action::Close => Some(AlertInput { resolved: true, ..door.keyed("") }),
        Action::AddNote | Action::Create => None,
    };
    // The note first: of what has cleared nothing more is said.
    noted.into_iter().chain(done).map(about).collect()
}

fn body<T: DeserializeOwned>(call: &Call<'_>) -> Result<T, Refused> {
    let text = text(call.body)?;
    serde_json::from_str(text).map_err(|error| of_serde(&error, text, "an object as Opsgenie's API takes it"))
}

/// An input about the alert that the path names.
fn named(door: &Door<'_>, call: &Call<'_>, input: AlertInput) -> Result<Member, Refused> {
    // A number that no alert has, for an id that is none.
    const NOBODY: AlertId = AlertId(0);
    let kind = call.query.split('&').filter_map(|pair| pair.strip_prefix("identifierType=")).next_back().unwrap_or("id");
    let number = match kind.to_ascii_lowercase().as_str() {
        "alias" => None,
        "tiny" => Some(call.id.parse().map_or(NOBODY, AlertId)),
        "id" => Some(Ticket::parse(call.id).filter(|ticket| ticket.of.is_none()).map_or(NOBODY, |ticket| ticket.alert)),
        _ => return Ok(Member::placed(0, Err(refused("identifierType", "id, alias or tiny")))),
    };
    Ok(match number {
        None => Member::placed(0, AlertInput { key: call.id.to_owned(), source: door.source.to_owned(), ..input }.bounded()),
        Some(number) => Member { place: 0, said: Ok(input), number: Some(number) },
    })
}

fn created(door: &Door<'_>, given: Created) -> Result<AlertInput, Vec<Refused>> {
    let mut faults = Vec::new();
    if given.message.trim().is_empty() {
        faults.push(refused("message", "a text"));
    }
    let priority = given.priority.as_deref().unwrap_or(DEFAULT_PRIORITY);
    let severity = PRIORITIES.iter().find(|(word, _)| *word == priority).map(|(_, severity)| *severity);
    if severity.is_none() {
        faults.push(refused("priority", "P1, P2, P3, P4 or P5"));
    }
    let (Some(severity), []) = (severity, faults.as_slice()) else { return Err(faults) };
    let message: String = given.message.chars().take(MESSAGE_CHARS_MAX).collect();
    let details = Labels::new(given.details.0);
    let name = Some(details.get("alertname")).filter(|name| !name.is_empty()).unwrap_or(&message);
    let key = given.alias.filter(|alias| !alias.is_empty()).unwrap_or_else(|| Uuid::new_v4().to_string());
    let by_rules = door.severities.of(priority);
    let entity = cut(given.entity, ENTITY_CHARS_MAX);
    let tags = given.tags.unwrap_or_default();
    let tags: Vec<String> = tags.iter().take(TAGS_MAX.0).map(|tag| tag.chars().take(TAGS_MAX.1).collect()).collect();
    // What no label may hold is shown all the same.
    let (short, long): (Vec<_>, Vec<_>) = details.iter().partition(|(_, value)| value.len() <= LABEL_VALUE_BYTES_MAX);
    let own = [
        ("alertname", name.to_owned()),
        ("instance", entity.clone()),
        ("entity", entity),
        ("source", cut(given.source, NAME_CHARS_MAX)),
        ("priority", priority.to_owned()),
        ("tags", tags.join(",")),
    ];
    let own = own.into_iter().filter(|(name, _)| !details.has(name)).map(|(name, value)| (name.to_owned(), value));
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let said = [
        ("description", cut(given.description, DESCRIPTION_CHARS_MAX)),
        ("note", cut(given.note, NOTE_CHARS_MAX)),
        ("user", cut(given.user, NAME_CHARS_MAX)),
    ];
    let said = said.into_iter().map(|(name, value)| (name.to_owned(), value));
    Ok(AlertInput {
        severity: if by_rules == Severity::Unknown { severity } else { by_rules },
        name: name.to_owned(),
        labels: Labels::new(short.into_iter().map(owned).chain(own).collect::<Vec<_>>()),
        annotations: Labels::new(long.into_iter().map(owned).chain(said).collect::<Vec<_>>()),
        summary: message,
        ends_at: Some(Time::NEVER),
        ..door.keyed(&key)
    })
}

fn cut(text: Option<String>, chars: usize) -> String {
    text.unwrap_or_default().chars().take(chars).collect()
}

fn answer(call: &Call<'_>, heard: &Heard) -> Response<Body> {
    if heard.without_room > 0 {
        return error(StatusCode::SERVICE_UNAVAILABLE, &heard.sentence());
    }
    if !heard.refused.is_empty() {
        let errors: Map<String, Value> =
            heard.refused.iter().map(|fault| (fault.place.clone(), Value::String(format!("expected {}", fault.expected)))).collect();
        let message = "Request body is not processable. Please check the errors.";
        return json(
            StatusCode::UNPROCESSABLE_ENTITY,
            &object!({"message": message, "errors": errors, "requestId": Uuid::new_v4().to_string()}),
        );
    }
    let alert = heard.outcomes.iter().find_map(|ended| ended.alert).unwrap_or(AlertId(0));
    let ticket = Ticket { of: Some(Action::of(call)), alert, at: heard.at };
    json(StatusCode::ACCEPTED, &object!({"result": "Request will be processed", "requestId": ticket.to_string()}))
}

fn refuse(not_heard: &NotHeard) -> Response<Body> {
    let status = not_heard.status();
    if status == StatusCode::UNAUTHORIZED { error(status, "Could not authenticate") } else { error(status, &not_heard.to_string()) }
}

fn error(status: StatusCode, message: &str) -> Response<Body> {
    json(status, &object!({"message": message, "requestId": Uuid::new_v4().to_string()}))
}

fn show(call: &Call<'_>, seen: Option<&Seen>) -> Response<Body> {
    let asked = Ticket::parse(call.id).and_then(|ticket| Some((ticket, ticket.of?)));
    let Some((ticket, action)) = asked else {
        return error(StatusCode::NOT_FOUND, "Request not found. It might not be processed, yet.");
    };
    let is_success = ticket.alert != AlertId(0);
    let (word, done) = action.words();
    let status = if is_success { done } else { "Alert does not exist" };
    let mut data = object!({
        "success": is_success, "isSuccess": is_success, "action": word, "status": status, "processedAt": ticket.at.rfc3339(), "integrationId": "",
        "alertId": "", "alias": "",
    });
    if is_success {
        data["alertId"] = Ticket { of: None, ..ticket }.to_string().into();
        // Its alias is known as long as the alert lives.
        data["alias"] = seen.map_or("", |seen| seen.key.as_str()).into();
    }
    json(StatusCode::OK, &object!({"data": data, "requestId": call.id}))
}

/// What a request did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Create,
    Acknowledge,
    Close,
    AddNote,
}

impl Action {
    const ALL: [Action; 4] = [Action::Create, Action::Acknowledge, Action::Close, Action::AddNote];

    fn of(call: &Call<'_>) -> Action {
        match call.route.map_or("", |route| route.path).rsplit('/').next() {
            Some("acknowledge") => Action::Acknowledge,
            Some("close") => Action::Close,
            Some("notes") => Action::AddNote,
            Some(_) | None => Action::Create,
        }
    }

    /// Opsgenie's word for it, and what it says once it is done.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Action::Create => ("Create", "Created alert"),
            Action::Acknowledge => ("Acknowledge", "Acknowledged alert"),
            Action::Close => ("Close", "Closed alert"),
            Action::AddNote => ("AddNote", "Added note to alert"),
        }
    }
}

/// The id of a request or of an alert, a UUID of version 8 (RFC 9562): what was done (3 bits), when in seconds (34), to which alert (64), and 21 bits by which it is
/// known again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ticket {
    /// What was done; `None`: it is the alert's own id, and its time is none.
    of: Option<Action>,
    /// To which alert; 0 where there was none.
    alert: AlertId,
    /// When.
    at: Time,
}

impl Ticket {
    const CHECK_BITS: u32 = 21;

    fn parse(text: &str) -> Option<Ticket> {
        let (high, low) = Uuid::try_parse(text).ok()?.as_u64_pair();
        let bits = u128::from(high >> 16) << 74 | u128::from(high & 0xfff) << 62 | u128::from(low & (u64::MAX >> 2));
        let said = bits >> Ticket::CHECK_BITS;
        if (high >> 12) & 0xf != 8 || low >> 62 != 0b10 || Ticket::check(said) != bits & ((1 << Ticket::CHECK_BITS) - 1) {
            return None;
        }
        let of = match usize::try_from(said >> 98).ok()? {
            0 => None,
            n => Some(*Action::ALL.get(n - 1)?),
        };
        let seconds = i64::try_from(said >> 64 & ((1 << 34) - 1)).ok()?;
        Some(Ticket { of, alert: AlertId(u64::try_from(said & u128::from(u64::MAX)).ok()?), at: Time(seconds * 1_000) })
    }

    fn check(said: u128) -> u128 {
        let hash = Sha256::digest(said.to_be_bytes());
        hash.iter().take(16).fold(0, |bits: u128, byte| bits << 8 | u128::from(*byte)) >> (128 - Ticket::CHECK_BITS)
    }
}

impl std::fmt::Display for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let of = self.of.and_then(|of| Action::ALL.iter().position(|action| *action == of)).map_or(0, |n| n as u128 + 1);
        let seconds = if self.of.is_some() { u128::try_from(self.at.0 / 1_000).unwrap_or(0) & ((1 << 34) - 1) } else { 0 };
        let said = of << 98 | seconds << 64 | u128::from(self.alert.0);
        let bits = said << Ticket::CHECK_BITS | Ticket::check(said);
        let (a, b, c) = (bits >> 74, bits >> 62 & 0xfff, bits & ((1 << 62) - 1));
        let half = |bits: u128| u64::try_from(bits).unwrap_or(u64::MAX);
        Uuid::from_u64_pair(half(a << 16 | 8 << 12 | b), half(0b10 << 62 | c)).fmt(f)
    }
}
