//! What Alertmanager's server does before a handler: it takes a slash at a path's end, no HEAD, JSON bodies only, and answers faults as `{code, message}`.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, Response, StatusCode, Uri, header};
use axum::middleware::Next;
use serde_json::{Value, json};

/// Whether a path is of this API, at the root or below a hook.
pub(in crate::web) fn is_served(path: &str) -> bool {
    let below = path.strip_prefix("/hooks/").and_then(|rest| rest.split_once('/')).map_or(path.trim_start_matches('/'), |(_, below)| below);
    below == "api/v2" || below.starts_with("api/v2/")
}

/// A fault as the server itself tells it.
pub(in crate::web) fn fault(status: StatusCode, code: u16, message: &str) -> Response<Body> {
    json_answer(status, &json!({"code": code, "message": message}))
}

/// An answer of JSON.
pub(super) fn json_answer(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Stands before the router.
pub(in crate::web) async fn before(mut request: Request, next: Next) -> Response<Body> {
    if !is_served(request.uri().path()) {
        return next.run(request).await;
    }
    if let Some(uri) = without_slash(request.uri()) {
        *request.uri_mut() = uri;
    }
    match answered(&request) {
        Some(answer) => answer,
        None => next.run(request).await,
    }
}

/// The answer to a request that no handler sees.
fn answered(request: &Request) -> Option<Response<Body>> {
    let has = |name: &str| request.headers().contains_key(name);
    match *request.method() {
        // A browser asks before it lets a page of another origin send. It is told nothing that would allow it.
        Method::OPTIONS if has("origin") && has("access-control-request-method") => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            let vary = HeaderValue::from_static("Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
            response.headers_mut().insert(header::VARY, vary);
            Some(response)
        }
        Method::HEAD | Method::OPTIONS => {
            let message = format!("method {} is not allowed", request.method());
            Some(fault(StatusCode::METHOD_NOT_ALLOWED, 405, &message))
        }
        Method::POST => other_media(request).map(|media| {
            let message = format!("unsupported media type {media:?}, only [application/json] are allowed");
            fault(StatusCode::UNSUPPORTED_MEDIA_TYPE, 415, &message)
        }),
        _ => None,
    }
}

fn without_slash(uri: &Uri) -> Option<Uri> {
    let path = uri.path().strip_suffix('/')?;
    let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
    format!("{path}{query}").parse().ok()
}

/// The media type of a body that is said not to be JSON. A body of which nothing is said is taken for JSON.
fn other_media(request: &Request) -> Option<String> {
    let said = request.headers().get(header::CONTENT_TYPE)?.to_str().unwrap_or_default();
    let media = said.split(';').next().unwrap_or_default().trim();
    (!media.eq_ignore_ascii_case("application/json")).then(|| media.to_owned())
}
