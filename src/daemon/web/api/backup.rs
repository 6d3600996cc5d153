//! `GET /api/v1/backup`: the whole store as it was at one commit, made while the daemon works. Its bytes go to whoever asks; no path is taken from them.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::Response;
use tokio::fs::File;
use tokio_util::io::ReaderStream;
use tracing::{info, warn};

use crate::read::ReadError;
use crate::web::App;
use crate::web::error::ApiError;
use crate::web::query::Query;

/// Bytes that are read of the copy at a time.
const PIECE_BYTES: usize = 256 * 1024;

/// One is made at a time: each needs as much room as the store, and keeps a snapshot while it is made.
pub(super) async fn backup(State(app): State<App>, uri: Uri) -> Result<Response, ApiError> {
    Query::of(&uri, &[])?;
    let Ok(_only) = app.backups.try_lock() else {
        return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "a backup is being made already"));
    };
    let (backup, file) = app.records.backup(&app.config.store.dir).await.map_err(failed)?;
    info!(seq = backup.head.seq, bytes = backup.bytes, "A backup was made.");
    let stream = ReaderStream::with_capacity(File::from_std(file), PIECE_BYTES);
    let mut response = Response::new(Body::from_stream(stream));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(backup.bytes));
    Ok(response)
}

/// Only admins ask, and they must know whether the disk is full.
fn failed(error: ReadError) -> ApiError {
    warn!(%error, "The backup failed.");
    ApiError::new(StatusCode::INSUFFICIENT_STORAGE, format!("the backup failed: {error}"))
}
