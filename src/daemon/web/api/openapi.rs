//! `/api/v1/openapi.json`: the description of this API, written by hand beside the code; a test compares it with the table of endpoints.

use std::sync::LazyLock;

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::web::senders;

/// What is written by hand.
const BY_HAND: &str = include_str!("openapi.json");

/// The document: what is written by hand, and the APIs of senders, which describe themselves.
pub static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    let mut document: Value = serde_json::from_str(BY_HAND).expect("the document by hand is JSON: a test reads it");
    for (path, methods) in senders::described() {
        let known = &mut document["paths"][path];
        match (known.as_object_mut(), methods) {
            (Some(known), Value::Object(methods)) => known.extend(methods),
            (_, methods) => *known = methods,
        }
    }
    document.to_string()
});

/// `GET /api/v1/openapi.json`.
pub(super) async fn document() -> Response {
    let mut response = DOCUMENT.as_str().into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
