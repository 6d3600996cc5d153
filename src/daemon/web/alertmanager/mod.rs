//! Alertmanager's API v2, so that Prometheus, amtool and karma work unchanged: at the root as source `default`, and below each hook as that source.

mod alerts;
pub mod fingerprint;
mod silences;

pub(crate) use alerts::identity as shown_identity;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{delete, get, post};
use serde_json::{Value, json};

use watchkeeper_engine::expr::Matcher;

use super::describe::{Content, Parameter};
use super::error::{ApiError, mark};
use super::query::Query;
use super::{Access, App, Endpoint};
use crate::ingest::trust::Need;
use crate::read::ReadError;
use crate::view::{AlertGroup, AlertmanagerStatus, GettableAlert, PostableSilence, Receiver, SilenceMade, SilenceView};
use crate::writer::Full;

/// The one receiver that Alertmanager's clients see: whom the notify rules name is not theirs to route.
const RECEIVER: &str = "watchkeeper";

/// The version of Alertmanager's API that is served here; clients look at it before they ask.
const COMPATIBLE_WITH: &str = "0.27.0";

/// What stands where Alertmanager shows its configuration.
const CONFIGURATION: &str = "# Watchkeeper routes by its own rules.\nroute:\n  receiver: watchkeeper\nreceivers:\n- name: watchkeeper\n";

/// Parameters of lists of alerts.
const ALERTS: [Parameter; 7] = [
    Parameter::texts("filter", "A matcher such as `alertname=\"HostDown\"`; may be repeated."),
    Parameter::flag("active", "Whether such alerts are listed."),
    Parameter::flag("silenced", "Whether such alerts are listed."),
    Parameter::flag("inhibited", "Whether such alerts are listed."),
    Parameter::flag("unprocessed", "Whether such alerts are listed."),
    Parameter::text("receiver", "A regular expression over the receiver's name."),
    Parameter::texts("receiver_matchers", "Matchers over the receiver's labels; it has none."),
];

/// Parameters of the list of silences.
const SILENCES: [Parameter; 4] = [
    Parameter::texts("filter", "A matcher such as `alertname=\"HostDown\"`; may be repeated."),
    Parameter::flag("active", "Whether such silences are listed."),
    Parameter::flag("pending", "Whether such silences are listed."),
    Parameter::flag("expired", "Whether such silences are listed."),
];

/// The endpoints, below a prefix.
pub(super) fn endpoints(prefix: &str, access: impl Fn(Need) -> Access) -> Vec<Endpoint> {
    let at = |path: &str| format!("{prefix}/api/v2/{path}");
    vec![
        Endpoint::get(&at("alerts"), access(Need::Read), get(alerts::list))
            .says("What fires.")
            .takes(&ALERTS)
            .answers::<Vec<GettableAlert>>(),
        Endpoint::get(&at("alerts/groups"), access(Need::Read), get(alerts::groups))
            .says("What fires, by alert name.")
            .takes(&ALERTS)
            .answers::<Vec<AlertGroup>>(),
        Endpoint::get(&at("status"), access(Need::Read), get(status)).says("Version and uptime.").answers::<AlertmanagerStatus>(),
        Endpoint::get(&at("receivers"), access(Need::Read), get(receivers)).says("The one receiver.").answers::<Vec<Receiver>>(),
        Endpoint::get(&at("silences"), access(Need::Read), get(silences::list))
            .says("Silences that operators made.")
            .takes(&SILENCES)
            .answers::<Vec<SilenceView>>(),
        Endpoint::post(&at("silences"), access(Need::Operate), post(silences::set))
            .says("Makes a silence, or changes the one that `id` names.")
            .reads::<PostableSilence>()
            .answers::<SilenceMade>(),
        Endpoint::get(&at("silence/{id}"), access(Need::Read), get(silences::show)).says("One silence.").answers::<SilenceView>(),
        Endpoint::delete(&at("silence/{id}"), access(Need::Operate), delete(silences::expire))
            .says("Ends a silence; one that is over stays over.")
            .gives(200, Content::Nothing),
    ]
}

/// An error as Alertmanager answers it: the body is a JSON text.
#[derive(Debug)]
pub(super) struct AmError {
    status: StatusCode,
    text: String,
}

impl AmError {
    fn bad(text: impl Into<String>) -> AmError {
        AmError { status: StatusCode::BAD_REQUEST, text: text.into() }
    }
}

impl From<ApiError> for AmError {
    fn from(error: ApiError) -> AmError {
        AmError { status: error.status, text: error.detail }
    }
}

impl From<ReadError> for AmError {
    fn from(error: ReadError) -> AmError {
        ApiError::from(error).into()
    }
}

impl From<Full> for AmError {
    fn from(full: Full) -> AmError {
        ApiError::from(full).into()
    }
}

impl IntoResponse for AmError {
    fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(Value::String(self.text).to_string()));
        *response.status_mut() = self.status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        mark(&mut response);
        response
    }
}

async fn status(State(app): State<App>) -> axum::Json<Value> {
    axum::Json(json!({
        "cluster": {"name": "", "status": "disabled", "peers": []},
        "config": {"original": CONFIGURATION},
        "uptime": app.started_at.rfc3339(),
        "versionInfo": {
            "version": COMPATIBLE_WITH,
            "revision": format!("watchkeeper {}", env!("CARGO_PKG_VERSION")),
            "branch": "watchkeeper",
            "buildUser": "",
            "buildDate": "",
            "goVersion": "",
        },
    }))
}

async fn receivers() -> axum::Json<Value> {
    axum::Json(json!([{"name": RECEIVER}]))
}

/// The matchers of a repeated parameter.
fn matchers(query: &Query, name: &str) -> Result<Vec<Matcher>, AmError> {
    query
        .each(name)
        .map(|text| Matcher::parse(text).map_err(|fault| AmError::bad(format!("bad matcher {text:?}: {}", fault.message))))
        .collect()
}
