//! Probes, metrics, reload: what the machinery around a daemon asks for.

use axum::extract::{Extension, State};
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::describe::{Content, Parameter, names};
use super::error::ApiError;
use super::query::Query;
use super::{Access, App, Endpoint};
use crate::diagnostics::{Colour, Format};
use crate::ingest::trust::{Denied, Need, Principal};
use crate::world::Confirmed;

/// Parameters of probes.
const VERBOSE: [Parameter; 1] = [Parameter::text("verbose", "Lists the parts; needs a token that may read.")];

/// Parameters of a reload.
const CONFIRM: [Parameter; 1] = [Parameter::flag("confirm", "Allows the removal of many CIs, or of everything.")];

/// The endpoints of this file.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/-/healthy", Access::Public, get(healthy))
            .says("Whether the writer committed, or was idle, within 10 s.")
            .takes(&VERBOSE)
            .gives(200, Content::Text)
            .gives(503, Content::Text)
            .refuses(&[401]),
        Endpoint::get("/-/ready", Access::Public, get(ready))
            .says("Whether requests are served.")
            .takes(&VERBOSE)
            .gives(200, Content::Text)
            .gives(503, Content::Text)
            .refuses(&[401]),
        Endpoint::post("/-/reload", Access::Listener(Need::Administer), post(reload))
            .says("Reads rules, templates and CMDB files again and activates them where they have no fault.")
            .takes(&CONFIRM)
            .gives(200, Content::Text)
            .gives(422, Content::Text),
        Endpoint::get("/metrics", Access::Listener(Need::Read), get(metrics))
            .says("The daemon's metrics for Prometheus.")
            .gives(200, Content::Text),
    ]
}

async fn healthy(State(app): State<App>, who: Option<Extension<Principal>>, uri: Uri) -> Result<Response, ApiError> {
    let words = if app.health.is_healthy() { (StatusCode::OK, "healthy") } else { (StatusCode::SERVICE_UNAVAILABLE, "not healthy") };
    probe(&app, who.as_deref(), &uri, words)
}

async fn ready(State(app): State<App>, who: Option<Extension<Principal>>, uri: Uri) -> Result<Response, ApiError> {
    let words = if app.health.is_ready() { (StatusCode::OK, "ready") } else { (StatusCode::SERVICE_UNAVAILABLE, "not ready") };
    probe(&app, who.as_deref(), &uri, words)
}

/// Everybody may know the word; the parts are for those who may read.
fn probe(app: &App, who: Option<&Principal>, uri: &Uri, (status, word): (StatusCode, &str)) -> Result<Response, ApiError> {
    let query = Query::of(uri, &names(&[&VERBOSE]))?;
    let mut text = format!("{word}\n");
    if query.each("verbose").next().is_some() {
        who.ok_or(Denied::Unknown)?;
        for part in app.health.parts() {
            text.push_str(&format!("{} {}: {}\n", if part.ok { "ok  " } else { "not " }, part.name, part.detail));
        }
    }
    Ok((status, text).into_response())
}

/// `confirm=true` says that a loss is meant: an emptied folder, or CIs that vanish in numbers.
async fn reload(State(app): State<App>, uri: Uri) -> Result<Response, ApiError> {
    let query = Query::of(&uri, &names(&[&CONFIRM]))?;
    let confirmed = if query.each("confirm").any(|value| value == "true") { Confirmed::Yes } else { Confirmed::No };
    Ok(match app.files.reload(confirmed).await {
        Ok(changed) => (StatusCode::OK, format!("{changed}\n")).into_response(),
        Err(findings) => {
            let text = format!("{}{}\n", findings.render(Format::Text, Colour::Plain), app.files.closing(&findings));
            (StatusCode::UNPROCESSABLE_ENTITY, text).into_response()
        }
    })
}

async fn metrics(State(app): State<App>) -> Response {
    // What was committed before the scrape is in it.
    let seq = app.current.load().seq;
    app.counted.through(seq).await;
    let mut response = app.metrics.text().into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
    response
}
