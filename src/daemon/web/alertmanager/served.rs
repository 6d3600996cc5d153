//! What Alertmanager's server does before a handler: it redirects to paths as they are written, takes a slash at a path's end, no HEAD, JSON bodies only, and answers
//! faults as `{code, message}`.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, Response, StatusCode, Uri, header};
use axum::middleware::Next;
use serde_json::{Value, json};

/// Whether a path is of this API, at the root or below a hook.
pub(in crate::web) fn is_served(path: &str) -> bool {
    let below = below(path);
    below == ROOT || below.strip_prefix(ROOT).is_some_and(|rest| rest.starts_with('/'))
}

/// Where the API stands, below a hook too.
const ROOT: &str = "api/v2";

fn below(path: &str) -> &str {
    path.strip_prefix("/hooks/").and_then(|rest| rest.split_once('/')).map_or(path.trim_start_matches('/'), |(_, below)| below)
}

/// The path of a request as it came, where it was changed for the router.
#[derive(Clone)]
pub(in crate::web) struct Asked(pub(in crate::web) String);

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
    let path = cleaned(request.uri().path());
    if !is_served(&path) {
        return next.run(request).await;
    }
    if path != request.uri().path() {
        return redirect(&request, &path);
    }
    if let Some(uri) = without_slash(request.uri()) {
        *request.uri_mut() = uri;
        request.extensions_mut().insert(Asked(path));
    }
    match answered(&request) {
        Some(answer) => answer,
        None => next.run(request).await,
    }
}

/// A path as Go's server has it: without empty and dotted parts; the API's root has a slash.
fn cleaned(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let clean = format!("/{}", parts.join("/"));
    let slash = if clean != "/" && (path.ends_with('/') || below(&clean) == ROOT) { "/" } else { "" };
    clean + slash
}

fn redirect(request: &Request, path: &str) -> Response<Body> {
    let query = request.uri().query().map_or_else(String::new, |query| format!("?{query}"));
    let to = format!("{path}{query}");
    let Ok(place) = HeaderValue::from_str(&to) else { return fault(StatusCode::BAD_REQUEST, 400, "this path cannot be written") };
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let escaped = to.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&#34;").replace('\'', "&#39;");
    let page = if is_read { format!("<a href=\"{escaped}\">Temporary Redirect</a>.\n\n") } else { String::new() };
    let mut response = Response::new(Body::from(page));
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    response.headers_mut().insert(header::LOCATION, place);
    if is_read {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    }
    response
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
