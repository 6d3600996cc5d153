//! `/api/v1/dead-letters`: inputs that were refused or set aside, why, and what came in.

use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};

use watchkeeper_engine::event::{Command, Event};
use watchkeeper_engine::ids::DeadLetterId;
use watchkeeper_engine::input::{AlertInput, Refused};
use watchkeeper_engine::state::rows::decode;

use super::paging::{LIST, Paging, split};
use super::{expected, no_id, pairs, record, text_or_null, time, time_or_null};

use crate::ingest::door::{NotHeard, Reads, Source, parse};
use crate::ingest::senders::{Call, Route, by_path};
use crate::ingest::trust::Principal;
use crate::read::ReadError;
use crate::web::App;
use crate::web::error::ApiError;
use crate::web::query::Query;
use crate::writer::{Beside, DeadInput, DeadLetter, Form, Full, Kept, Lane, Origin};

/// Words of `door`.
const DOORS: [&str; 3] = ["http", "kafka", "writer"];

/// `GET /api/v1/dead-letters`.
pub(super) async fn list(State(app): State<App>, uri: Uri) -> Result<axum::Json<Value>, ApiError> {
    let query = Query::of(&uri, &[&LIST[..], &["source", "door"]].concat())?;
    let paging = Paging::of(&query, &["-received_at", "received_at"])?;
    let doors = query.words("door", &DOORS, |word| DOORS.iter().copied().find(|door| *door == word))?;
    let sources: Vec<String> = query.all("source").map(str::to_owned).collect();
    let keep = move |letter: &DeadLetter| {
        (sources.is_empty() || sources.contains(&letter.input.source)) && (doors.is_empty() || doors.contains(&door(&letter.input.origin)))
    };
    let (letters, next) = split(app.records.dead_letters(paging.order(), paging.first_id()?, paging.limit, keep).await?);
    Ok(axum::Json(paging.by_ids(letters.iter().map(item).collect(), next)))
}

/// `GET /api/v1/dead-letters/ID`: with what came in.
pub(super) async fn show(State(app): State<App>, Path(id): Path<String>, uri: Uri) -> Result<Response, ApiError> {
    Query::of(&uri, &[])?;
    let letter = letter(&app, &id).await?;
    Ok(record(version(&letter), whole(&letter)))
}

/// `POST /api/v1/dead-letters/ID/redrive`: what was refused of it is read by the formats now in force, and taken where nothing of it is refused any more.
pub(super) async fn redrive(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let mut letter = letter(&app, &id).await?;
    if letter.redriven_at.is_some() {
        return Ok(record(version(&letter), whole(&letter)));
    }
    if expected(&headers)?.is_some_and(|expected| expected != version(&letter)) {
        return Err(ApiError::new(StatusCode::PRECONDITION_FAILED, "it was changed meanwhile").with("current", whole(&letter)));
    }
    let (inputs, members) = again(&app, &letter)?;
    letter.redriven_at = Some(app.now());
    letter.redriven_by.clone_from(&who.name);
    // What the engine refuses is a dead letter of its own.
    let kept = vec![Kept { letter: DeadInput { faults: Vec::new(), more_faults: 0, ..letter.input.clone() }, members }];
    let beside = Beside { rows: vec![letter.row()], kept, ..Beside::default() };
    let told = app.writer.submit_with(Lane::Webhooks, Event::Alerts { inputs, refused: Vec::new() }, beside)?;
    told.await.map_err(|_| Full::Stopping)?;
    Ok(record(version(&letter), whole(&letter)))
}

/// The alerts of what was refused, and which members of it they are.
fn again(app: &App, letter: &DeadLetter) -> Result<(Vec<AlertInput>, Vec<u32>), ApiError> {
    let input = &letter.input;
    let conflict = |detail: &str| ApiError::new(StatusCode::CONFLICT, detail).with("allowed", json!([]));
    match input.form {
        Form::Command => return Err(conflict("a command is given again by whoever gave it")),
        Form::Alert => {
            let alert = decode::<AlertInput>("dead_letters", &input.bytes).map_err(ReadError::from)?;
            return Ok((vec![alert], vec![0]));
        }
        Form::Raw if input.is_cut() => return Err(conflict("not all of its bytes are kept")),
        Form::Raw => {}
    }
    let came = came(app, letter).ok_or_else(|| conflict("its source is no longer configured"))?;
    let headers = || input.headers.clone().unwrap_or_default();
    let call = Call { route: came.route, id: &came.id, query: "", headers: &headers, body: &input.bytes };
    let members = match parse(&came.source, &app.world(), &call) {
        Ok(members) => members,
        Err(NotHeard::Refused(fault)) => return Err(still_refused(&[&fault])),
        Err(other) => return Err(other.into()),
    };
    // The others were taken when it came, and may be over since.
    let meant: Vec<_> = members.into_iter().filter(|member| input.members.is_empty() || input.members.contains(&member.place)).collect();
    let faults: Vec<&Refused> = meant.iter().filter_map(|member| member.said.as_ref().err()).collect();
    if !faults.is_empty() {
        return Err(still_refused(&faults));
    }
    Ok(meant.into_iter().filter_map(|member| Some((member.said.ok()?, member.place))).unzip())
}

fn still_refused(faults: &[&Refused]) -> ApiError {
    let faults: Vec<Value> = faults.iter().map(|fault| json!({"place": fault.place, "expected": fault.expected})).collect();
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "it is still refused, and nothing of it was taken").with("faults", faults)
}

/// By which way a letter came, as it is configured now.
struct Came {
    source: Source,
    route: Option<&'static Route>,
    id: String,
}

fn came(app: &App, letter: &DeadLetter) -> Option<Came> {
    let whole = |source| Some(Came { source, route: None, id: String::new() });
    match &letter.input.origin {
        Origin::Kafka { topic, .. } => {
            let topic = app.config.kafka.iter().flat_map(|kafka| &kafka.topics).find(|known| known.name == *topic)?;
            whole(Source { name: topic.name.clone(), realm: topic.realm.clone(), reads: Reads::named(&topic.format) })
        }
        Origin::Http { path } => {
            let (name, realm, format, below) = match path.strip_prefix("/hooks/") {
                None => ("default", "main", "", path.as_str()),
                Some(rest) => {
                    let name = rest.split('/').next().unwrap_or_default();
                    let hook = app.hook(name)?;
                    (hook.name.as_str(), hook.realm.as_str(), hook.format.as_str(), &rest[name.len()..])
                }
            };
            let source = |reads| Source { name: name.to_owned(), realm: realm.to_owned(), reads };
            match below {
                "" => whole(source(Reads::named(format))),
                below => {
                    let (sender, route, id) = by_path(below)?;
                    Some(Came { source: source(Reads::By(sender)), route: Some(route), id: id.to_owned() })
                }
            }
        }
        Origin::Writer { .. } => None,
    }
}

async fn letter(app: &App, id: &str) -> Result<DeadLetter, ApiError> {
    let number: DeadLetterId = id.parse().map_err(|_| no_id("dead letter", id))?;
    app.records.dead_letter(number).await?.ok_or_else(|| no_id("dead letter", id))
}

/// A dead letter changes once, when it is tried again.
fn version(letter: &DeadLetter) -> u64 {
    1 + u64::from(letter.redriven_at.is_some())
}

const fn door(origin: &Origin) -> &'static str {
    match origin {
        Origin::Http { .. } => DOORS[0],
        Origin::Kafka { .. } => DOORS[1],
        Origin::Writer { .. } => DOORS[2],
    }
}

fn item(letter: &DeadLetter) -> Value {
    let input = &letter.input;
    let origin = match &input.origin {
        Origin::Http { path } => json!({ "path": path }),
        Origin::Kafka { topic, partition, offset } => json!({ "topic": topic, "partition": partition, "offset": offset }),
        Origin::Writer { input } => json!({ "input": format!("{input:016x}") }),
    };
    let faults: Vec<Value> = input.faults.iter().map(|fault| json!({ "place": fault.place, "expected": fault.expected })).collect();
    json!({
        "id": letter.id.to_string(),
        "version": version(letter),
        "received_at": time(letter.received_at),
        "source": input.source,
        "door": door(&input.origin),
        "origin": origin,
        "form": input.form.word(),
        "reason": input.faults.first().map(|fault| format!("{}: expected {}", fault.place, fault.expected)),
        "faults": faults,
        "more_faults": input.more_faults,
        "members": input.members,
        "size": input.size,
        "redriven_at": time_or_null(letter.redriven_at),
        "redriven_by": text_or_null(&letter.redriven_by),
    })
}

fn whole(letter: &DeadLetter) -> Value {
    let mut json = item(letter);
    if let Value::Object(fields) = &mut json {
        let (text, base64) = bytes(&letter.input.bytes);
        fields.insert("cut".to_owned(), Value::Bool(letter.input.is_cut()));
        fields.insert("text".to_owned(), text);
        fields.insert("base64".to_owned(), base64);
        fields.insert("understood".to_owned(), understood(letter));
    }
    json
}

/// What came in: as text where it is one, else as base64; the other is null. A character that was cut through does not make it binary.
fn bytes(bytes: &[u8]) -> (Value, Value) {
    let whole = match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&bytes[..error.valid_up_to()]).ok(),
        Err(_) => None,
    };
    match whole {
        Some(text) => (Value::String(text.to_owned()), Value::Null),
        None => (Value::Null, Value::String(BASE64_STANDARD.encode(bytes))),
    }
}

/// What was set aside after it was understood, in words; null for a raw body.
fn understood(letter: &DeadLetter) -> Value {
    let bytes = &letter.input.bytes;
    match letter.input.form {
        Form::Raw => Value::Null,
        Form::Alert => decode::<AlertInput>("dead_letters", bytes).map_or(Value::Null, |alert| {
            json!({
                "source": alert.source, "realm": alert.realm, "key": text_or_null(&alert.key), "name": alert.name,
                "severity": alert.severity.word(), "summary": text_or_null(&alert.summary),
                "labels": pairs(&alert.labels), "annotations": pairs(&alert.annotations),
            })
        }),
        Form::Command => decode::<Command>("dead_letters", bytes)
            .map_or(Value::Null, |command| json!({ "actor": command.actor, "command": command.action.word() })),
    }
}
