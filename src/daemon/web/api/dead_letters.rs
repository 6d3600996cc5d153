//! `/api/v1/dead-letters`: inputs that were refused or set aside, why, and what came in.

use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;
use serde_json::{Value, json};

use watchkeeper_engine::event::Command;
use watchkeeper_engine::ids::DeadLetterId;
use watchkeeper_engine::input::AlertInput;
use watchkeeper_engine::state::rows::decode;

use super::paging::{LIST, Paging, split};
use super::{no_id, pairs, record, text_or_null, time, time_or_null};
use crate::web::App;
use crate::web::page::base64;
use crate::web::problem::Problem;
use crate::web::query::Query;
use crate::writer::{DeadLetter, Form, Origin};

/// Words of `door`.
const DOORS: [&str; 3] = ["http", "kafka", "writer"];

/// `GET /api/v1/dead-letters`.
pub(super) async fn list(State(app): State<App>, uri: Uri) -> Result<axum::Json<Value>, Problem> {
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
pub(super) async fn show(State(app): State<App>, Path(id): Path<String>, uri: Uri) -> Result<Response, Problem> {
    Query::of(&uri, &[])?;
    let letter = letter(&app, &id).await?;
    Ok(record(version(&letter), whole(&letter)))
}

async fn letter(app: &App, id: &str) -> Result<DeadLetter, Problem> {
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
        None => (Value::Null, Value::String(base64(bytes))),
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
