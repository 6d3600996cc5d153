//! `/api/v1/rules`: the rules in force.

use axum::extract::State;
use axum::http::Uri;
use serde_json::{Value, json};

use crate::web::App;
use crate::web::error::ApiError;
use crate::web::query::Query;

/// `GET /api/v1/rules`: the rules in force, by section and in the order in which they are asked.
pub(super) async fn rules(State(app): State<App>, uri: Uri) -> Result<axum::Json<Value>, ApiError> {
    Query::of(&uri, &[])?;
    let world = app.world();
    let rules = world.policy.rules().into_iter();
    let items: Vec<Value> = rules.map(|rule| json!({ "section": rule.section, "name": rule.name, "builtin": rule.is_builtin })).collect();
    Ok(axum::Json(json!({ "policy": world.policy.id, "items": items, "next": null })))
}
