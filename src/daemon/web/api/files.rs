//! `/api/v1/rules`, `/api/v1/cmdb/diff`: what the files that operators edit hold, and what a reload of them would change.

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use watchkeeper_engine::policy::Policy;

use crate::web::App;
use crate::web::problem::Problem;
use crate::web::query::Query;

/// `GET /api/v1/rules`: the rules in force, by section and in the order in which they are asked.
pub(super) async fn rules(State(app): State<App>, uri: Uri) -> Result<axum::Json<Value>, Problem> {
    Query::of(&uri, &[])?;
    let world = app.world.load();
    let items: Vec<Value> = rules_of(&world.policy)
        .into_iter()
        .map(|(section, name, is_builtin)| json!({ "section": section, "name": name, "builtin": is_builtin }))
        .collect();
    Ok(axum::Json(json!({ "policy": world.policy.id, "items": items, "next": null })))
}

/// `GET /api/v1/cmdb/diff`: what a reload would change in the CMDB; changes nothing. 422 with all faults where the files have some.
pub(super) async fn cmdb_diff(State(app): State<App>, uri: Uri) -> Result<Response, Problem> {
    Query::of(&uri, &[])?;
    Ok(match app.files.compare().await {
        Ok(comparison) => {
            let line = |row: watchkeeper_engine::cmdb::diff::DiffRow| json!({ "kind": row.kind, "what": row.what, "id": row.id, "details": row.details });
            let items: Vec<Value> = comparison.diff.rows().into_iter().map(line).collect();
            axum::Json(json!({ "summary": comparison.diff.summary(), "items": items, "next": null })).into_response()
        }
        Err(findings) => (StatusCode::UNPROCESSABLE_ENTITY, axum::Json(findings.json())).into_response(),
    })
}

fn rules_of(policy: &Policy) -> Vec<(&'static str, &str, bool)> {
    let mut rules = Vec::new();
    rules.extend(policy.formats.names().map(|name| ("formats", name, false)));
    rules.extend(policy.identify.own_names().map(|name| ("identify", name, false)));
    let correlate = policy.correlate.rules();
    rules.extend(correlate.iter().enumerate().map(|(at, rule)| ("correlate", rule.name.as_str(), at + 1 == correlate.len())));
    rules.extend(policy.silences.iter().map(|rule| ("silences", rule.name.as_str(), false)));
    rules.extend(policy.notify.iter().map(|rule| ("notify", rule.name.as_str(), rule.is_builtin)));
    rules.extend(policy.tests.iter().map(|test| ("tests", test.name.as_str(), false)));
    rules
}
