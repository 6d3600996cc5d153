//! `/api/v1/problems`: what keeps coming back: lists, records, and what an operator does to one.

use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, Request, StatusCode, Uri};
use axum::response::Response;
use serde_json::{Value, json};

use watchkeeper_engine::event::{Action, ProblemAct, Reply};
use watchkeeper_engine::ids::ProblemId;
use watchkeeper_engine::model::problem;
use watchkeeper_engine::words::ProblemState;

use super::commands::{conflict, known_command};
use super::fields::Fields;
use super::idempotency::Once;
use super::paging::{LIST, Paging, split};
use super::{expected, no_id, record, text_or_null, time, time_or_null};
use crate::ingest::trust::Principal;
use crate::read::{Span, Wanted, WholeProblem};
use crate::web::App;
use crate::web::error::ApiError;
use crate::web::query::{Query, unknown};

/// Words of `state`: those of problems, and two that mean several.
const STATES: [&str; 8] = ["open", "all", "new", "investigating", "known_error", "fix_in_progress", "resolved", "closed"];

/// Commands to a problem, with the fields that each knows.
const COMMANDS: [(&str, &[&str]); 7] = [
    ("assign", &["to"]),
    ("note", &["text"]),
    ("investigate", &[]),
    ("known_error", &["workaround"]),
    ("fix", &["words"]),
    ("resolve", &["words"]),
    ("close", &["words"]),
];

/// `GET /api/v1/problems`.
pub(super) async fn list(State(app): State<App>, uri: Uri) -> Result<axum::Json<Value>, ApiError> {
    let query = Query::of(&uri, &[&LIST[..], &["state", "rule", "ci", "owner", "assignee"]].concat())?;
    let paging = Paging::of(&query, &["-opened_at", "opened_at"])?;
    let mut states = Vec::new();
    for word in query.all("state") {
        match (word, ProblemState::from_word(word)) {
            ("open", _) => states.extend(ProblemState::ALL.iter().copied().filter(|state| state.is_open())),
            ("all", _) => states.extend(ProblemState::ALL),
            (_, Some(state)) => states.push(state),
            (_, None) => return Err(unknown("value of state", word, &STATES)),
        }
    }
    let texts = |name| query.all(name).map(str::to_lowercase).collect::<Vec<String>>();
    let (rules, items, owners, assignees) = (texts("rule"), texts("ci"), texts("owner"), texts("assignee"));
    let among = |wanted: &[String], value: &str| wanted.is_empty() || wanted.contains(&value.to_lowercase());
    let keep = move |problem: &problem::Problem| {
        (states.is_empty() || states.contains(&problem.state))
            && among(&rules, &problem.key.rule)
            && among(&items, &problem.item)
            && among(&owners, &problem.team)
            && among(&assignees, &problem.assignee)
    };
    let wanted = Wanted { span: Span::All, order: paging.order(), from: paging.first_id()?, limit: paging.limit };
    let (problems, next) = split(app.records.list(wanted, keep).await?);
    Ok(axum::Json(paging.by_ids(problems.iter().map(|problem| item(&app, problem)).collect(), next)))
}

/// `GET /api/v1/problems/ID`.
pub(super) async fn show(State(app): State<App>, Path(id): Path<String>, uri: Uri) -> Result<Response, ApiError> {
    Query::of(&uri, &[])?;
    let whole = whole(&app, &id).await?;
    Ok(record(whole.problem.version, json_of(&app, &whole)))
}

/// `POST /api/v1/problems/ID/COMMAND`.
pub(super) async fn command(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    once: Option<Extension<Once>>,
    Path((id, command)): Path<(String, String)>,
    headers: HeaderMap,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let number: ProblemId = id.parse().map_err(|_| no_id("problem", &id))?;
    let (word, known) = known_command(&COMMANDS, &command)?;
    let expected = expected(&headers)?;
    let fields = Fields::read(&app, request, known).await?;
    let act = match word {
        "assign" => ProblemAct::Assign { to: fields.required("to", "whoever has it now")? },
        "note" => ProblemAct::Note { text: fields.required("text", "some text")? },
        "investigate" => ProblemAct::Investigate,
        "known_error" => ProblemAct::KnownError { workaround: fields.required("workaround", "what helps until it is fixed")? },
        "fix" => ProblemAct::Fix { words: fields.text("words")? },
        "resolve" => ProblemAct::Resolve { words: fields.text("words")? },
        _ => ProblemAct::Close { words: fields.text("words")? },
    };
    let reply = app.command(&who, once.as_deref(), expected, Action::Problem { id: number, act }).await?;
    let whole = whole(&app, &id).await?;
    let current = json_of(&app, &whole);
    match reply {
        Reply::Done { .. } => Ok(record(whole.problem.version, current)),
        // What is past lives no longer; that it is closed already is what `close` wants.
        Reply::NotFound { .. } if word == "close" => Ok(record(whole.problem.version, current)),
        Reply::NotFound { .. } => Err(conflict(whole.problem.state.word(), &[]).with("current", current)),
        Reply::Stale { version, .. } => {
            let detail = format!("the record has changed: it is at version {version}");
            Err(ApiError::new(StatusCode::PRECONDITION_FAILED, detail).with("current", current))
        }
        Reply::NotAllowed { state, allowed } => Err(conflict(state, allowed)),
        Reply::Invalid(refused) => Err(refused.into()),
        Reply::Taken(_) | Reply::Adopted => Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the writer answered something else")),
    }
}

/// A problem by the id of a path.
pub(in crate::web) async fn whole(app: &App, id: &str) -> Result<WholeProblem, ApiError> {
    let number: ProblemId = id.parse().map_err(|_| no_id("problem", id))?;
    app.records.problem(number).await?.ok_or_else(|| no_id("problem", id))
}

fn json_of(app: &App, whole: &WholeProblem) -> Value {
    let mut json = item(app, &whole.problem);
    let outage = |outage: &problem::Outage| {
        json!({
            "incident": outage.incident.to_string(),
            "at": time(outage.at),
            "ended_at": time_or_null(outage.ended),
            "words": text_or_null(&outage.words),
        })
    };
    let entries = whole.timeline.iter();
    let entries = entries
        .map(|entry| json!({"at": time(entry.at), "what": entry.what, "because": text_or_null(&entry.because), "actor": entry.actor}));
    json["outages"] = whole.problem.outages.iter().map(outage).collect();
    json["timeline"] = entries.collect();
    json["timeline_total"] = whole.problem.timeline_len.into();
    json
}

fn item(app: &App, problem: &problem::Problem) -> Value {
    json!({
        "id": problem.id.to_string(),
        "version": problem.version,
        "state": problem.state.word(),
        "title": problem.title,
        "rule": problem.key.rule,
        "same": problem.key.same,
        "ci": problem.item,
        "team": text_or_null(&problem.team),
        "assignee": text_or_null(&problem.assignee),
        "incidents": problem.outages.iter().map(|outage| outage.incident.to_string()).collect::<Vec<_>>(),
        "incident_count": problem.outage_count,
        "because": problem.because.to_string(),
        "workaround": text_or_null(&problem.workaround),
        "resolution": text_or_null(&problem.resolution),
        "resolved_by": text_or_null(&problem.resolved_by),
        "fixes_failed": problem.fixes_failed,
        "opened_at": time(problem.opened_at),
        "updated_at": time(problem.updated_at),
        "resolved_at": time_or_null(problem.resolved_at),
        "closes_at": time_or_null(problem.close_at),
        "closed_at": time_or_null(problem.closed_at),
        "url": app.incident_url(problem.id),
    })
}
