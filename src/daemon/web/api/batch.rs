//! `POST /api/v1/incidents:batch`: one command to many incidents, each on its own, after it is clear that they are as many as the asker believes.

use axum::body::Body as HttpBody;
use axum::extract::{Extension, State};
use axum::http::{Request, StatusCode, Uri};
use schemars::JsonSchema;
use serde::Deserialize;

use watchkeeper_engine::command::{IncidentCommand, IncidentVerb};
use watchkeeper_engine::event::{Action, Obeyed};
use watchkeeper_engine::ids::IncidentId;
use watchkeeper_engine::limits::NOTE_BYTES_MAX;

use super::body::Body;
use super::incidents::{FILTERS, Filter, matching};
use crate::ingest::trust::Principal;
use crate::view::{BatchView, OutcomeView};
use crate::web::App;
use crate::web::describe::names;
use crate::web::error::ApiError;
use crate::web::query::{Query, unknown};

/// Incidents that one request commands. A filter that matches more is refused: narrow it.
const BATCH_MAX: usize = 1_000;

/// What a batch says beside the fields of its command.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Batch {
    /// The command: one that needs neither an alert nor another incident.
    command: String,
    /// The incidents; or filters in the address.
    #[serde(default)]
    ids: Option<Vec<IncidentId>>,
    /// How many incidents the filters match, as the list shows them; if they are others, nothing is done.
    #[serde(default)]
    expect_count: Option<usize>,
}

/// The names of those.
const OWN: [&str; 3] = ["command", "ids", "expect_count"];

/// Whether a command makes sense for many incidents: one that names an alert or other incidents does not.
const fn suits_many(verb: IncidentVerb) -> bool {
    match verb {
        IncidentVerb::Detach | IncidentVerb::Merge => false,
        IncidentVerb::Acknowledge
        | IncidentVerb::Assign
        | IncidentVerb::Note
        | IncidentVerb::Hold
        | IncidentVerb::Resume
        | IncidentVerb::Resolve
        | IncidentVerb::Reopen
        | IncidentVerb::Close
        | IncidentVerb::Priority => true,
    }
}

pub(super) async fn batch(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    uri: Uri,
    request: Request<HttpBody>,
) -> Result<axum::Json<BatchView>, ApiError> {
    let query = Query::of(&uri, &names(&[&FILTERS]))?;
    let mut body = Body::read(&app, request).await?;
    let batch: Batch = body.split(&OWN).typed()?;
    let verb = verb(&batch.command)?;
    let command: IncidentCommand = body.command(verb.word(), &OWN)?;
    let ids = ids(&app, &uri, &query, batch).await?;
    let now = app.now();
    let mut items = Vec::with_capacity(ids.len());
    let mut changed = 0;
    for id in ids {
        let reply = app.command(&who, None, None, Action::of_incident(id, command.clone(), now)?).await?;
        changed += u64::from(matches!(reply, Obeyed::Done { changed: true, .. }));
        items.push(OutcomeView::of(id, reply));
    }
    Ok(axum::Json(BatchView { command: verb, count: items.len() as u64, changed, items }))
}

fn verb(given: &str) -> Result<IncidentVerb, ApiError> {
    let known: Vec<&str> = IncidentVerb::ALL.iter().filter(|verb| suits_many(**verb)).map(|verb| verb.word()).collect();
    let verb = IncidentVerb::from_word(given).filter(|verb| suits_many(*verb));
    verb.ok_or_else(|| unknown("command", &given.chars().take(NOTE_BYTES_MAX).collect::<String>(), &known))
}

/// The incidents meant: those of `ids`, or all that the filters of the address match; as many as `expect_count` says.
async fn ids(app: &App, uri: &Uri, query: &Query, batch: Batch) -> Result<Vec<IncidentId>, ApiError> {
    let is_filtered = uri.query().is_some_and(|query| !query.is_empty());
    let expected = batch.expect_count;
    let ids = match (batch.ids, is_filtered) {
        (Some(ids), false) => ids,
        (None, true) if expected.is_none() => {
            return Err(ApiError::bad("expect_count: expected how many incidents the filters match, as the list shows them")
                .with("place", "expect_count"));
        }
        (None, true) => matching(app, Filter::of(query)?, BATCH_MAX + 1).await?,
        (Some(_), true) | (None, false) => {
            return Err(
                ApiError::bad("ids: expected either `ids`, or filters in the address such as ?state=open&owner=dba").with("place", "ids")
            );
        }
    };
    if ids.len() > BATCH_MAX {
        return Err(ApiError::bad(format!("at most {BATCH_MAX} incidents at once; narrow the filters")).with("place", "ids"));
    }
    match expected {
        Some(expected) if expected != ids.len() => {
            let detail = format!("these are {} incidents, and {expected} were expected; nothing was done", ids.len());
            Err(ApiError::new(StatusCode::CONFLICT, detail).with("count", ids.len()))
        }
        Some(_) | None => Ok(ids),
    }
}
