//! `POST /api/v1/incidents/ID/COMMAND`: what an operator can do to an incident.

use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use axum::response::Response;
use serde_json::json;

use watchkeeper_engine::event::{Action, Grade, Reply, Report};
use watchkeeper_engine::ids::{AlertId, IncidentId};
use watchkeeper_engine::time::{Span, Time};
use watchkeeper_engine::words::{HOLD_REASONS, Level, Priority};

use super::fields::Fields;
use super::idempotency::Once;
use super::incidents::{json_of, whole};
use super::{expected, no_id, record};
use crate::ingest::trust::Principal;
use crate::web::App;
use crate::web::error::ApiError;
use crate::web::query::unknown;

/// Commands to an incident, with the fields that each knows.
pub(in crate::web) const COMMANDS: [(&str, &[&str]); 11] = [
    ("acknowledge", &[]),
    ("assign", &["to"]),
    ("note", &["text"]),
    ("hold", &["reason", "until", "for"]),
    ("resume", &[]),
    ("resolve", &["words"]),
    ("reopen", &["words"]),
    ("close", &[]),
    ("detach", &["alert"]),
    ("priority", &["priority", "words"]),
    ("merge", &["children"]),
];

/// Fields of a report.
const REPORT: [&str; 6] = ["title", "ci", "impact", "urgency", "priority", "words"];

/// Every command but one changes nothing on an incident that is history.
const CLOSED_ALLOWED: [&str; 0] = [];

pub(super) async fn incident(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    once: Option<Extension<Once>>,
    Path((id, command)): Path<(String, String)>,
    headers: HeaderMap,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let number: IncidentId = id.parse().map_err(|_| no_id("incident", &id))?;
    let (word, known) = known_command(&COMMANDS, &command)?;
    let expected = expected(&headers)?;
    let fields = Fields::read(&app, request, known).await?;
    let now = app.now();
    let action = action(number, word, &fields, now)?;
    let reply = app.command(&who, once.as_deref(), expected, action).await?;
    answer(&app, &id, word, reply).await
}

/// A command's word and the fields that it takes.
type Known = (&'static str, &'static [&'static str]);

/// A command of a path and the fields that it takes; 404 with the nearest known one.
pub(super) fn known_command(commands: &[Known], given: &str) -> Result<Known, ApiError> {
    commands.iter().find(|(word, _)| *word == given).copied().ok_or_else(|| {
        let words: Vec<&str> = commands.iter().map(|(word, _)| *word).collect();
        ApiError { status: StatusCode::NOT_FOUND, ..unknown("command", given, &words) }
    })
}

/// `POST /api/v1/incidents`: somebody reports a fault that no alert tells of.
pub(super) async fn open(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    once: Option<Extension<Once>>,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let fields = Fields::read(&app, request, &REPORT).await?;
    let report = Report {
        title: fields.required("title", "what is wrong, in a sentence")?,
        ci: fields.required("ci", "the item it is about")?,
        grade: grade(&fields)?,
        words: fields.text("words")?,
    };
    match app.command(&who, once.as_deref(), None, Action::ReportIncident { report }).await? {
        Reply::Done { id, .. } => {
            let whole = whole(&app, &id).await?;
            let mut response = record(whole.incident.version, json_of(&app, &whole).await?);
            *response.status_mut() = StatusCode::CREATED;
            let place = HeaderValue::from_str(&format!("/api/v1/incidents/{id}")).expect("an id is a header");
            response.headers_mut().insert(header::LOCATION, place);
            Ok(response)
        }
        Reply::Invalid(refused) => Err(refused.into()),
        Reply::NotFound { .. } | Reply::Stale { .. } | Reply::NotAllowed { .. } | Reply::Taken(_) | Reply::Adopted => {
            Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the writer answered something else"))
        }
    }
}

/// `priority`, or `impact` and `urgency`, or neither.
fn grade(fields: &Fields) -> Result<Grade, ApiError> {
    let given = |name: &str| fields.text(name).map(|text| !text.is_empty());
    let level = |name: &str| fields.parsed(name, "one of high, medium, low", Level::from_word);
    match (given("priority")?, given("impact")?, given("urgency")?) {
        (false, false, false) => Ok(Grade::ByItem),
        (true, false, false) => Ok(Grade::Priority { priority: fields.parsed("priority", "one of P1 to P5", Priority::from_word)? }),
        (false, true, true) => Ok(Grade::Levels { impact: level("impact")?, urgency: level("urgency")? }),
        (true, _, _) => Err(ApiError::bad("priority: expected either `priority`, or `impact` and `urgency`").with("place", "priority")),
        (false, _, _) => Err(ApiError::bad("impact: expected `impact` and `urgency` together").with("place", "impact")),
    }
}

/// The action of a command and its fields.
pub(in crate::web) fn action(id: IncidentId, word: &str, fields: &Fields, now: Time) -> Result<Action, ApiError> {
    Ok(match word {
        "acknowledge" => Action::Acknowledge { id },
        "assign" => Action::Assign { id, to: fields.required("to", "whoever has it now")? },
        "note" => Action::Note { id, text: fields.required("text", "some text")? },
        "hold" => Action::Hold {
            id,
            reason: fields.required("reason", &format!("one of {}", HOLD_REASONS.join(", ")))?,
            until: until(fields, now)?,
        },
        "resume" => Action::Resume { id },
        "resolve" => Action::Resolve { id, words: fields.text("words")? },
        "reopen" => Action::Reopen { id, words: fields.text("words")? },
        "close" => Action::Close { id },
        "merge" => Action::MergeIncidents { id, children: fields.ids("children", "a list of incidents such as [\"INC0000043\"]")? },
        "detach" => {
            Action::Detach { id, alert: fields.parsed("alert", "an alert such as ALR0000042", |text| text.parse::<AlertId>().ok())? }
        }
        _ => Action::SetPriority {
            id,
            priority: fields.parsed("priority", "one of P1 to P5", Priority::from_word)?,
            words: fields.text("words")?,
        },
    })
}

/// `until` as a time, or `for` as a duration from now on.
fn until(fields: &Fields, now: Time) -> Result<Option<Time>, ApiError> {
    let duration = fields.text("for")?;
    if duration.is_empty() {
        return fields.time("until");
    }
    match (Span::parse(&duration), fields.time("until")?) {
        (Ok(span), None) => Ok(Some(now + span)),
        (Ok(_), Some(_)) => Err(ApiError::bad("for: expected either `for` or `until`, not both").with("place", "for")),
        (Err(fault), _) => Err(ApiError::bad(format!("for: {fault}")).with("place", "for")),
    }
}

/// What the writer said, with the record as it is now.
async fn answer(app: &App, id: &str, word: &str, reply: Reply) -> Result<Response, ApiError> {
    match reply {
        Reply::Done { .. } => {
            let whole = whole(app, id).await?;
            Ok(record(whole.incident.version, json_of(app, &whole).await?))
        }
        Reply::NotFound { .. } => {
            // What is past lives no longer; that it is closed already is what `close` wants.
            let whole = whole(app, id).await?;
            let current = json_of(app, &whole).await?;
            if word == "close" {
                return Ok(record(whole.incident.version, current));
            }
            Err(conflict(whole.incident.state.word(), &CLOSED_ALLOWED).with("current", current))
        }
        Reply::Stale { version, .. } => {
            let whole = whole(app, id).await?;
            let detail = format!("the record has changed: it is at version {version}");
            Err(ApiError::new(StatusCode::PRECONDITION_FAILED, detail).with("current", json_of(app, &whole).await?))
        }
        Reply::NotAllowed { state, allowed } => Err(conflict(state, allowed)),
        Reply::Invalid(refused) => Err(refused.into()),
        Reply::Taken(_) | Reply::Adopted => Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the writer answered something else")),
    }
}

/// 409 with what is allowed instead.
pub(in crate::web) fn conflict(state: &str, allowed: &[&str]) -> ApiError {
    let words = if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ") };
    ApiError::new(StatusCode::CONFLICT, format!("it is {}; allowed there: {words}", state.replace('_', " ")))
        .with("state", state)
        .with("allowed", json!(allowed))
}
