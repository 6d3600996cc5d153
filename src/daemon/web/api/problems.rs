//! `/api/v1/problems`: what keeps coming back: lists, records, and what an operator does to one.

use axum::body::Body as HttpBody;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, Request, StatusCode, Uri};
use axum::response::Response;

use watchkeeper_engine::command::{ProblemCommand, ProblemVerb};
use watchkeeper_engine::event::{Action, Obeyed};
use watchkeeper_engine::ids::ProblemId;
use watchkeeper_engine::model::problem;
use watchkeeper_engine::state::past::{By, Of};
use watchkeeper_engine::words::ProblemState;

use super::body::Body;
use super::commands::{conflict, no_command};
use super::idempotency::Once;
use super::paging::{asked, split};
use super::{expected, no_id, record};
use crate::ingest::trust::Principal;
use crate::read::{Candidates, Sieve, Span, Wanted, WholeProblem};
use crate::view::{self, ProblemView};
use crate::web::App;
use crate::web::describe::Parameter;
use crate::web::error::ApiError;
use crate::web::query::Query;

/// Words of `state`: those of problems, and two that mean several.
const STATES: [&str; 8] = ["open", "all", "new", "investigating", "known_error", "fix_in_progress", "resolved", "closed"];

/// Orders of the list.
const SORTS: [&str; 2] = ["-opened_at", "opened_at"];

/// Parameters of the list.
pub(super) const PARAMETERS: [Parameter; 6] = [
    Parameter::sort(&SORTS),
    Parameter::words("state", "`open` means new, investigating, known_error and fix_in_progress; every state unless given.", &STATES),
    Parameter::texts("ci", "CIs at fault."),
    Parameter::texts("owner", "Teams that own them."),
    Parameter::texts("rule", "Rules of `problems`."),
    Parameter::texts("assignee", "Assignees."),
];

/// `GET /api/v1/problems`.
pub(super) async fn list(State(app): State<App>, uri: Uri) -> Result<axum::Json<view::Page<ProblemView>>, ApiError> {
    let (query, paging) = asked(&uri, &PARAMETERS)?;
    let states = query.states(&STATES, ProblemState::ALL, ("open", ProblemState::is_open))?;
    let (rules, cis, owners, assignees) = (query.any_of("rule"), query.any_of("ci"), query.any_of("owner"), query.any_of("assignee"));
    let past = Sieve::default()
        .any(Of::Problems, By::Rule, rules.each())
        .any(Of::Problems, By::Ci, cis.each())
        .any(Of::Problems, By::Owner, owners.each())
        .any(Of::Problems, By::Assignee, assignees.each());
    let span =
        match (states.is_empty() || states.contains(&ProblemState::Closed), states.iter().any(|state| *state != ProblemState::Closed)) {
            (true, false) if !states.is_empty() => Span::Past,
            (true, _) => Span::All,
            (false, _) => Span::Live,
        };
    let keep = move |problem: &problem::Problem| {
        (states.is_empty() || states.contains(&problem.state))
            && rules.has(&problem.key.rule)
            && cis.has(&problem.item)
            && owners.has(&problem.team)
            && assignees.has(&problem.assignee)
    };
    let wanted = Wanted { span, order: paging.order(), from: paging.from()?, limit: paging.limit };
    let (problems, next) = split(app.records.list_among(wanted, Candidates { past, ..Candidates::default() }, keep).await?);
    let url = |problem: &problem::Problem| app.incident_url(problem.id);
    Ok(paging.by_time(problems.iter().map(|problem| ProblemView::of(problem, url(problem))).collect(), next))
}

/// `GET /api/v1/problems/ID`.
pub(super) async fn show(State(app): State<App>, Path(id): Path<String>, uri: Uri) -> Result<Response, ApiError> {
    Query::of(&uri, &[])?;
    let whole = whole(&app, &id).await?;
    Ok(record(whole.problem.version, &view_of(&app, &whole)))
}

/// `POST /api/v1/problems/ID/COMMAND`.
pub(super) async fn command(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    once: Option<Extension<Once>>,
    Path((id, command)): Path<(String, String)>,
    headers: HeaderMap,
    request: Request<HttpBody>,
) -> Result<Response, ApiError> {
    let number: ProblemId = id.parse().map_err(|_| no_id("problem", &id))?;
    let verb = ProblemVerb::from_word(&command).ok_or_else(|| no_command(&command, ProblemVerb::WORDS))?;
    let expected = expected(&headers)?;
    let act: ProblemCommand = Body::read(&app, request).await?.command(verb.word(), &[])?;
    let reply = app.command(&who, once.as_deref(), expected, Action::Problem { id: number, act }).await?;
    let whole = whole(&app, &id).await?;
    let current = view_of(&app, &whole);
    match reply {
        Obeyed::Done { .. } => Ok(record(whole.problem.version, &current)),
        // What is past lives no longer; that it is closed already is what `close` wants.
        Obeyed::NotFound { .. } if verb == ProblemVerb::Close => Ok(record(whole.problem.version, &current)),
        Obeyed::NotFound { .. } => Err(conflict(whole.problem.state.word(), &[]).with("current", super::json(&current))),
        Obeyed::Stale { version, .. } => {
            let detail = format!("the record has changed: it is at version {version}");
            Err(ApiError::new(StatusCode::PRECONDITION_FAILED, detail).with("current", super::json(&current)))
        }
        Obeyed::NotAllowed { state, allowed } => Err(conflict(state, &allowed)),
        Obeyed::Invalid(refused) => Err(refused.into()),
    }
}

/// A problem by the id of a path.
pub(in crate::web) async fn whole(app: &App, id: &str) -> Result<WholeProblem, ApiError> {
    let number: ProblemId = id.parse().map_err(|_| no_id("problem", id))?;
    app.records.problem(number).await?.ok_or_else(|| no_id("problem", id))
}

pub(in crate::web) fn view_of(app: &App, whole: &WholeProblem) -> view::WholeProblem {
    view::WholeProblem::of(&whole.problem, &whole.timeline, app.incident_url(whole.problem.id))
}
