//! `/api/v1/clock`: the time that everything is decided by, and a step of the wall clock that waits to be believed.

use axum::extract::{Extension, State};
use axum::http::Uri;
use serde_json::{Value, json};
use tracing::warn;

use super::time;
use crate::clock::Reading;
use crate::ingest::trust::Principal;
use crate::web::App;
use crate::web::error::ApiError;
use crate::web::query::Query;

/// `GET /api/v1/clock`.
pub(super) async fn show(State(app): State<App>, uri: Uri) -> Result<axum::Json<Value>, ApiError> {
    Query::of(&uri, &[])?;
    let reading = app.writer.ask_clock(|keeper, clock| keeper.reading(clock)).await?;
    Ok(axum::Json(json(reading)))
}

/// `POST /api/v1/clock/confirm`: the step that is doubted is meant, and believed at once. Where none is doubted nothing changes.
pub(super) async fn confirm(State(app): State<App>, Extension(who): Extension<Principal>) -> Result<axum::Json<Value>, ApiError> {
    let (confirmed, reading) = app.writer.ask_clock(|keeper, clock| (keeper.confirm(clock), keeper.reading(clock))).await?;
    if let Some(ahead) = confirmed {
        warn!(by = who.name, ahead = %ahead.words(), "The step of the wall clock was confirmed by hand and is believed.");
    }
    let mut answer = json(reading);
    answer["confirmed"] = confirmed.map_or(Value::Null, |ahead| Value::String(ahead.to_string()));
    Ok(axum::Json(answer))
}

fn json(reading: Reading) -> Value {
    json!({
        "now": time(reading.now),
        "wall": time(reading.wall),
        "doubted": reading.doubted.map(|doubt| json!({ "ahead": doubt.step.to_string(), "believed_in": doubt.believed_in.to_string() })),
    })
}
