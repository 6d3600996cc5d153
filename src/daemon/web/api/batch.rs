//! `POST /api/v1/incidents:batch`: one command to many incidents, each on its own, after it is clear that they are as many as the asker believes.

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{Request, StatusCode, Uri};
use serde_json::{Value, json};

use watchkeeper_engine::event::Reply;
use watchkeeper_engine::ids::IncidentId;
use watchkeeper_engine::limits::NOTE_BYTES_MAX;

use super::commands::{COMMANDS, action};
use super::fields::Fields;
use super::incidents::{FILTERS, Filter, matching};
use crate::ingest::trust::Principal;
use crate::web::App;
use crate::web::error::ApiError;
use crate::web::query::{Query, unknown};

/// Incidents that one request commands. A filter that matches more is refused: narrow it.
const BATCH_MAX: usize = 1_000;

/// Commands that make sense for many: what names an alert or another incident does not.
const NOT_FOR_MANY: [&str; 2] = ["detach", "merge"];

/// What every batch knows beside the fields of its command.
const OWN: [&str; 3] = ["command", "ids", "expect_count"];

pub(super) async fn batch(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    uri: Uri,
    request: Request<Body>,
) -> Result<axum::Json<Value>, ApiError> {
    let query = Query::of(&uri, &FILTERS)?;
    let known: Vec<&str> = COMMANDS.iter().flat_map(|(_, fields)| fields.iter().copied()).chain(OWN).collect();
    let fields = Fields::read(&app, request, &known).await?;
    let word = word(&fields)?;
    let ids = ids(&app, &uri, &query, &fields).await?;
    let now = app.now();
    let mut items = Vec::with_capacity(ids.len());
    let mut changed = 0;
    for id in ids {
        let reply = app.command(&who, None, None, action(id, word, &fields, now)?).await?;
        changed += usize::from(matches!(reply, Reply::Done { changed: true, .. }));
        items.push(outcome(id, reply));
    }
    Ok(axum::Json(json!({ "command": word, "count": items.len(), "changed": changed, "items": items })))
}

fn word(fields: &Fields) -> Result<&'static str, ApiError> {
    let words: Vec<&str> = COMMANDS.iter().map(|(word, _)| *word).filter(|word| !NOT_FOR_MANY.contains(word)).collect();
    let given = fields.required("command", &format!("one of {}", words.join(", ")))?;
    let found = words.iter().copied().find(|word| *word == given);
    found.ok_or_else(|| unknown("command", &given.chars().take(NOTE_BYTES_MAX).collect::<String>(), &words))
}

/// The incidents meant: those of `ids`, or all that the filters of the address match; as many as `expect_count` says.
async fn ids(app: &App, uri: &Uri, query: &Query, fields: &Fields) -> Result<Vec<IncidentId>, ApiError> {
    let is_filtered = uri.query().is_some_and(|query| !query.is_empty());
    let expected = fields.count("expect_count")?;
    let ids = match (fields.is_given("ids"), is_filtered) {
        (true, false) => fields.ids("ids", "a list of incidents such as [\"INC0000042\"]")?,
        (false, true) if expected.is_none() => {
            return Err(ApiError::bad("expect_count: expected how many incidents the filters match, as the list shows them")
                .with("place", "expect_count"));
        }
        (false, true) => matching(app, Filter::of(query)?, BATCH_MAX + 1).await?,
        (true, true) | (false, false) => {
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

fn outcome(id: IncidentId, reply: Reply) -> Value {
    let id = id.to_string();
    match reply {
        Reply::Done { version, changed, .. } => json!({ "id": id, "done": true, "changed": changed, "version": version }),
        Reply::NotFound { .. } => json!({ "id": id, "done": false, "why": "no such incident lives" }),
        Reply::NotAllowed { state, allowed } => json!({ "id": id, "done": false, "why": format!("it is {state}"), "allowed": allowed }),
        Reply::Invalid(refused) => json!({ "id": id, "done": false, "why": refused.to_string() }),
        Reply::Stale { .. } | Reply::Taken(_) | Reply::Adopted => {
            json!({ "id": id, "done": false, "why": "the writer answered something else" })
        }
    }
}
