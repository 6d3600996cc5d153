//! `/api/v1/rules`, `/api/v1/cmdb/diff`: what the files that operators edit hold, and what a reload of them would change.

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::web::App;
use crate::web::problem::Problem;
use crate::web::query::Query;

/// `GET /api/v1/rules`: the rules in force, by section and in the order in which they are asked.
pub(super) async fn rules(State(app): State<App>, uri: Uri) -> Result<axum::Json<Value>, Problem> {
    Query::of(&uri, &[])?;
    let world = app.world.load();
    let rules = world.policy.rules().into_iter();
    let items: Vec<Value> = rules.map(|rule| json!({ "section": rule.section, "name": rule.name, "builtin": rule.is_builtin })).collect();
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
