//! `/api/v1/clock`: the time that everything is decided by, and a step of the wall clock that waits to be believed.

use axum::extract::{Extension, State};
use axum::http::Uri;
use tracing::warn;

use crate::clock::Reading;
use crate::ingest::trust::Principal;
use crate::view::{ClockView, ConfirmedView, DoubtView};
use crate::web::App;
use crate::web::error::ApiError;
use crate::web::query::Query;

/// `GET /api/v1/clock`.
pub(super) async fn show(State(app): State<App>, uri: Uri) -> Result<axum::Json<ClockView>, ApiError> {
    Query::of(&uri, &[])?;
    let reading = app.writer.ask_clock(|keeper, clock| keeper.reading(clock)).await?;
    Ok(axum::Json(view(reading)))
}

/// `POST /api/v1/clock/confirm`: the step that is doubted is meant, and believed at once. Where none is doubted nothing changes.
pub(super) async fn confirm(State(app): State<App>, Extension(who): Extension<Principal>) -> Result<axum::Json<ConfirmedView>, ApiError> {
    let (confirmed, reading) = app.writer.ask_clock(|keeper, clock| (keeper.confirm(clock), keeper.reading(clock))).await?;
    if let Some(ahead) = confirmed {
        warn!(by = who.name, ahead = %ahead.words(), "The step of the wall clock was confirmed by hand and is believed.");
    }
    Ok(axum::Json(ConfirmedView { clock: view(reading), confirmed: confirmed.map(|ahead| ahead.to_string()) }))
}

fn view(reading: Reading) -> ClockView {
    let doubted = reading.doubted.map(|doubt| DoubtView { ahead: doubt.step.to_string(), believed_in: doubt.believed_in.to_string() });
    ClockView { now: reading.now, wall: reading.wall, doubted }
}
