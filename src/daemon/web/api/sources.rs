//! `POST /api/v1/sources/NAME/accept`: an operator says that the Kafka cluster that answers is the one a topic is meant to be read from.

use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;

use crate::ingest::kafka::Accepted;
use crate::ingest::trust::Principal;
use crate::view::AcceptedView;
use crate::web::App;
use crate::web::error::ApiError;
use crate::web::query::unknown;
use crate::writer::Full;

pub(super) async fn accept(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(name): Path<String>,
) -> Result<axum::Json<AcceptedView>, ApiError> {
    let topics: Vec<&str> = app.kafka.iter().flat_map(|kafka| kafka.topics()).map(String::as_str).collect();
    let told = app.kafka.as_ref().and_then(|kafka| kafka.accept(&name, &who.name));
    let told = told.ok_or_else(|| ApiError { status: StatusCode::NOT_FOUND, ..unknown("Kafka topic", &name, &topics) })?;
    let changed = match told.await.map_err(|_| Full::Stopping)? {
        Accepted::Yes { cluster } => Some(cluster),
        Accepted::Holds => None,
        Accepted::Busy => return Err(Full::Busy.into()),
    };
    Ok(axum::Json(AcceptedView { source: name, changed: changed.is_some(), cluster: changed }))
}
