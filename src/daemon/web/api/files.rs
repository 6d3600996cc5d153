//! `/api/v1/rules`: the rules in force.

use axum::extract::State;
use axum::http::Uri;

use crate::view::{RuleView, RulesView};
use crate::web::App;
use crate::web::error::ApiError;
use crate::web::query::Query;

/// `GET /api/v1/rules`: the rules in force, by section and in the order in which they are asked.
pub(super) async fn rules(State(app): State<App>, uri: Uri) -> Result<axum::Json<RulesView>, ApiError> {
    Query::of(&uri, &[])?;
    let world = app.world();
    let rule = |rule: watchkeeper_engine::policy::RuleName<'_>| RuleView {
        section: rule.section.to_string(),
        name: rule.name.to_string(),
        builtin: rule.is_builtin,
    };
    let items = world.policy.rules().into_iter().map(rule).collect();
    Ok(axum::Json(RulesView { policy: world.policy.id.to_string(), items, next: None }))
}
