//! Alertmanager's API v2, so that Prometheus, amtool and karma work unchanged: at the root as source `default`, and below each hook as that source.

mod alerts;
pub mod fingerprint;
pub(super) mod served;
mod silences;

pub(crate) use alerts::identity as shown_identity;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode, Uri};
use axum::response::IntoResponse;
use axum::routing::{delete, get, post};
use serde_json::{Value, json};

use watchkeeper_engine::expr::{self, AlertView, Matcher};
use watchkeeper_engine::text::Labels;
use watchkeeper_engine::time::Time;

use super::describe::{Content, Parameter};
use super::error::{ApiError, mark};
use super::query::{Query, Switch};
use super::{Access, App, Endpoint};
use crate::ingest::senders::alertmanager_schema::Fault;
use crate::ingest::trust::Need;
use crate::read::ReadError;
use crate::view::{AlertGroup, AlertmanagerStatus, GettableAlert, GettableSilence, PostableSilence, Receiver, SilenceMade};
use crate::writer::Full;

use served::{fault, json_answer};

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
            .answers::<Vec<GettableSilence>>(),
        Endpoint::post(&at("silences"), access(Need::Operate), post(silences::set))
            .says("Makes a silence, or changes the one that `id` names.")
            .reads::<PostableSilence>()
            .answers::<SilenceMade>(),
        Endpoint::get(&at("silence/{id}"), access(Need::Read), get(silences::show)).says("One silence.").answers::<GettableSilence>(),
        Endpoint::delete(&at("silence/{id}"), access(Need::Operate), delete(silences::expire))
            .says("Ends a silence; one that is over stays over.")
            .gives(200, Content::Nothing),
    ]
}

/// An error as Alertmanager answers it.
#[derive(Debug)]
pub(super) enum AmError {
    /// By a handler: the body is a JSON text.
    Told(StatusCode, String),
    /// By the check of what came: a code and what it says, with 422.
    Schema(Fault),
    /// By the reader of the body.
    Unread(String),
    /// A silence that is not known: no body.
    NoSilence,
}

impl AmError {
    fn bad(text: impl Into<String>) -> AmError {
        AmError::Told(StatusCode::BAD_REQUEST, text.into())
    }
}

impl From<ApiError> for AmError {
    fn from(error: ApiError) -> AmError {
        AmError::Told(error.status, error.detail)
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
        let mut response = match self {
            AmError::Told(status, text) => json_answer(status, &Value::String(text)),
            AmError::Schema((code, message)) => fault(StatusCode::UNPROCESSABLE_ENTITY, code, &message),
            AmError::Unread(message) => fault(StatusCode::BAD_REQUEST, 400, &message),
            AmError::NoSilence => {
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::NOT_FOUND;
                response
            }
        };
        mark(&mut response);
        response
    }
}

async fn status(State(app): State<App>) -> axum::Json<Value> {
    axum::Json(json!({
        "cluster": {"status": "disabled", "peers": []},
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

async fn receivers(uri: Uri) -> Result<axum::Json<Value>, AmError> {
    let query = Query::tolerant(&uri)?;
    let labels = Labels::from([("name", RECEIVER)]);
    let view = AlertView { labels: &labels, ..AlertView::default() };
    let is_shown = matchers(&query, "receiver_matchers")?.iter().all(|matcher| matcher.holds_as_shown(&view));
    let receiver = json!({"name": RECEIVER, "labels": {"name": RECEIVER}});
    Ok(axum::Json(Value::Array(is_shown.then_some(receiver).into_iter().collect())))
}

/// A switch of a query, as Alertmanager's server reads one: what does not say yes says no.
fn flag(query: &Query, name: &str) -> Switch {
    const YES: [&str; 10] = ["true", "1", "yes", "ok", "y", "on", "selected", "checked", "t", "enabled"];
    match query.get(name) {
        None => Switch::On,
        Some(word) if YES.contains(&word.to_ascii_lowercase().as_str()) => Switch::On,
        Some(_) => Switch::Off,
    }
}

/// A time as Alertmanager shows it: what never ends ends with the year 9999.
fn shown_time(time: Time) -> String {
    if time == Time::NEVER { "9999-12-31T23:59:59.000Z".to_owned() } else { time.rfc3339() }
}

/// The matchers of a repeated parameter.
fn matchers(query: &Query, name: &str) -> Result<Vec<Matcher>, AmError> {
    query.each(name).map(|text| matcher(text).map_err(|fault| AmError::bad(format!("bad matcher {text:?}: {}", fault.message)))).collect()
}

/// A matcher as Alertmanager's API reads it: what its newer grammar refuses is read by the older one, in which everything behind the sign is the value.
pub(crate) fn matcher(text: &str) -> Result<Matcher, expr::Fault> {
    let fault = match Matcher::parse(text) {
        Ok(matcher) => return Ok(matcher),
        Err(fault) => fault,
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let text = text.trim();
    let (name, rest) = text.split_at(text.find(|c: char| !is_name(c)).unwrap_or(text.len()));
    let signs = [("=~", true, true), ("!~", true, false), ("!=", false, false), ("=", false, true)];
    let rest = rest.trim_start();
    let of = signs.into_iter().find_map(|(sign, is_regex, is_equal)| Some((rest.strip_prefix(sign)?.trim(), is_regex, is_equal)));
    match of {
        Some((value, is_regex, is_equal)) if !name.starts_with(|c: char| c.is_ascii_digit()) && !value.contains('"') => {
            Matcher::new(name, value, is_regex, is_equal).map_err(|_| fault)
        }
        Some(_) | None => Err(fault),
    }
}
