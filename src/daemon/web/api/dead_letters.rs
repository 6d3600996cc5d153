//! `/api/v1/dead-letters`: inputs that were refused or set aside, why, and what came in.

use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use serde_json::json;

use watchkeeper_engine::ids::{DeadLetterId, Realm};
use watchkeeper_engine::input::{AlertInput, Refused};
use watchkeeper_engine::state::rows::decode;

use super::paging::{asked, split};
use super::{expected, no_id, record};

use crate::ingest::door::{NotHeard, Reads, Source, parse};
use crate::ingest::senders::{Call, Route, by_path};
use crate::ingest::trust::Principal;
use crate::read::ReadError;
use crate::view::{DeadLetterView, FaultView, Page, WholeDeadLetter};
use crate::web::App;
use crate::web::describe::Parameter;
use crate::web::error::ApiError;
use crate::web::query::Query;
use crate::writer::{Alerts, Beside, DeadInput, DeadLetter, Form, Full, Kept, Lane, Origin};

/// Words of `door`.
const DOORS: [&str; 3] = ["http", "kafka", "writer"];

/// Orders of the list.
const SORTS: [&str; 2] = ["-received_at", "received_at"];

/// Parameters of the list.
pub(super) const PARAMETERS: [Parameter; 3] =
    [Parameter::sort(&SORTS), Parameter::texts("source", "Sources."), Parameter::words("door", "Ways in.", &DOORS)];

/// `GET /api/v1/dead-letters`.
pub(super) async fn list(State(app): State<App>, uri: Uri) -> Result<axum::Json<Page<DeadLetterView>>, ApiError> {
    let (query, paging) = asked(&uri, &PARAMETERS)?;
    let doors = query.words("door", &DOORS, |word| DOORS.iter().copied().find(|door| *door == word))?;
    let sources: Vec<String> = query.all("source").map(str::to_owned).collect();
    let keep = move |letter: &DeadLetter| {
        (sources.is_empty() || sources.contains(&letter.input.source))
            && (doors.is_empty() || doors.contains(&DeadLetterView::door(&letter.input.origin)))
    };
    let (letters, next) = split(app.records.dead_letters(paging.order(), paging.first_id()?, paging.limit, keep).await?);
    Ok(paging.by_ids(letters.iter().map(DeadLetterView::of).collect(), next))
}

/// `GET /api/v1/dead-letters/ID`: with what came in.
pub(super) async fn show(State(app): State<App>, Path(id): Path<String>, uri: Uri) -> Result<Response, ApiError> {
    Query::of(&uri, &[])?;
    let letter = letter(&app, &id).await?;
    Ok(record(DeadLetterView::version(&letter), &WholeDeadLetter::of(&letter)))
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
        return Ok(record(DeadLetterView::version(&letter), &WholeDeadLetter::of(&letter)));
    }
    if expected(&headers)?.is_some_and(|expected| expected != DeadLetterView::version(&letter)) {
        return Err(ApiError::new(StatusCode::PRECONDITION_FAILED, "it was changed meanwhile")
            .with("current", super::json(&WholeDeadLetter::of(&letter))));
    }
    let (inputs, members) = again(&app, &letter)?;
    letter.redriven_at = Some(app.now());
    letter.redriven_by.clone_from(&who.name);
    // What the engine refuses is a dead letter of its own.
    let kept = vec![Kept { letter: DeadInput { faults: Vec::new(), more_faults: 0, ..letter.input.clone() }, members }];
    let beside = Beside { rows: vec![letter.row()], kept, ..Beside::default() };
    let told = app.writer.submit_with(Lane::Webhooks, Alerts { inputs, refused: Vec::new() }, beside)?;
    told.await.map_err(|_| Full::Stopping)?;
    Ok(record(DeadLetterView::version(&letter), &WholeDeadLetter::of(&letter)))
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
    let call = Call { route: came.route, id: &came.id, query: "", headers: &headers, body: &input.bytes, now: None };
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
    let faults = super::json(&faults.iter().map(|fault| FaultView::of(fault)).collect::<Vec<_>>());
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
                None => ("default", Realm::MAIN, "", path.as_str()),
                Some(rest) => {
                    let name = rest.split('/').next().unwrap_or_default();
                    let hook = app.hook(name)?;
                    (hook.name.as_str(), hook.realm.clone(), hook.format.as_str(), &rest[name.len()..])
                }
            };
            let source = |reads| Source { name: name.to_owned(), realm: realm.clone(), reads };
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
