//! Errors of the API, as RFC 9457 has them: what is wrong, where, and what was expected or is allowed.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use watchkeeper_engine::input::Refused;
use watchkeeper_store::StoreError;

use crate::ingest::door::NotHeard;
use crate::ingest::http::BodyFault;
use crate::ingest::trust::Denied;
use crate::read::ReadError;
use crate::writer::Full;

/// Seconds after which whoever was refused for want of room may try again: a few batches of the writer.
pub const RETRY_AFTER_SECONDS: u32 = 2;

/// An answer that is an error.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiError {
    /// The HTTP status.
    pub status: StatusCode,
    /// What is wrong, in a sentence.
    pub detail: String,
    /// Further members: `place`, `allowed`, `current`, `faults`, ….
    pub members: Map<String, Value>,
}

impl ApiError {
    /// An error with a status and a sentence.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> ApiError {
        ApiError { status, detail: detail.into(), members: Map::new() }
    }

    /// 400: the request is wrong.
    pub fn bad(detail: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 404: there is no such thing.
    pub fn not_found(detail: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::NOT_FOUND, detail)
    }

    /// The same with a further member.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> ApiError {
        self.members.insert(name.to_owned(), value.into());
        self
    }
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> ApiError {
        ApiError::bad(format!("{}: expected {}", refused.place, refused.expected))
            .with("place", refused.place)
            .with("expected", refused.expected)
    }
}

impl From<Full> for ApiError {
    fn from(full: Full) -> ApiError {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, full.to_string())
    }
}

impl From<BodyFault> for ApiError {
    fn from(fault: BodyFault) -> ApiError {
        NotHeard::Body(fault).into()
    }
}

impl From<Denied> for ApiError {
    fn from(denied: Denied) -> ApiError {
        let status = StatusCode::from_u16(denied.status()).unwrap_or(StatusCode::FORBIDDEN);
        ApiError::new(status, denied.to_string())
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> ApiError {
        // The path and the cause are for the operator's log, not for whoever asks.
        tracing::warn!(%error, "A read of the store failed.");
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the store could not be read; the log says why")
    }
}

/// The document of an error. Further members: `place`, `expected`, `known`, `state`, `allowed`, `current`, `faults`, ….
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ApiError")]
pub struct ErrorView {
    /// Always `about:blank`: the status says of which kind it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong, in a sentence.
    pub detail: String,
    /// What else is said.
    #[serde(flatten)]
    pub members: Map<String, Value>,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response<Body> {
        let document = ErrorView {
            kind: "about:blank".to_owned(),
            title: self.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status.as_u16(),
            detail: self.detail,
            members: self.members,
        };
        let document = serde_json::to_string(&document).expect("texts and numbers have a JSON form");
        let mut response = Response::new(Body::from(document));
        *response.status_mut() = self.status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        mark(&mut response);
        response
    }
}

/// Headers that a refusal carries whatever its body: when to try again, and how to say who asks.
pub fn mark(response: &mut Response<Body>) {
    match response.status() {
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
        }
        StatusCode::UNAUTHORIZED => {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"Watchkeeper\", charset=\"UTF-8\""));
        }
        _ => {}
    }
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> ApiError {
        match error {
            ReadError::Store(error) => error.into(),
            ReadError::Row(fault) => {
                tracing::warn!(error = %fault, "A row of the store could not be read.");
                ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "a record of the store could not be read; the log says which")
            }
            ReadError::TooMany => ApiError::bad(format!("{error}; narrow it with filters, or list in the order of ids")),
            ReadError::Stopping => ApiError::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
        }
    }
}
