//! `/api/v1`: the daemon's own API. Lists in pages, records with versions, commands that may be given twice.

mod alerts;
mod backup;
mod batch;
pub(super) mod body;
mod cis;
mod clock;
mod cmdb;
pub(super) mod commands;
mod dead_letters;
pub(in crate::web) mod events;
mod files;
mod forecasts;
mod health;
pub mod idempotency;
pub(super) mod incidents;
mod judge;
mod outbox;
mod paging;
pub(super) mod problems;
mod schedules;
mod silences;
mod sources;

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Serialize;
use serde_json::Value;

use watchkeeper_engine::command::{
    IncidentCommand, IncidentVerb, NewSilence, OpenIncident, ProblemCommand, ProblemVerb, SilenceCommand, SilenceVerb,
};

use super::describe::Content;
use super::error::ApiError;
use super::{Access, Endpoint, openapi};
use crate::ingest::trust::Need;
use crate::view::{
    AcceptedView, AlertExplained, AlertView, BatchView, CausesView, CiView, ClockView, CmdbSources, ConfirmedView, DeadLetterView,
    DiffView, EventView, FindingsView, ForecastView, HealthView, ImpactView, ImportedView, IncidentExplained, IncidentView, MessageView,
    Page, ProblemView, RulesView, ScheduleView, SilenceView, TrialView, UnmatchedView, WholeCi, WholeDeadLetter, WholeIncident,
    WholeMessage, WholeProblem,
};
use paging::LIST;

pub use commands::WARNING;

/// The endpoints of this folder.
pub(super) fn endpoints() -> Vec<Endpoint> {
    let read = Access::Listener(Need::Read);
    let operate = Access::Listener(Need::Operate);
    let administer = Access::Listener(Need::Administer);
    vec![
        Endpoint::get("/api/v1/openapi.json", read, get(openapi::serve)).says("This description.").answers::<Value>(),
        Endpoint::get("/api/v1/incidents", read, get(incidents::list))
            .says("Incidents, live and past.")
            .takes(&LIST)
            .takes(&incidents::SORT)
            .takes(&incidents::FILTERS)
            .answers::<Page<IncidentView>>(),
        Endpoint::post("/api/v1/incidents", operate, post(commands::open))
            .says("Opens an incident for a fault that no alert tells of: somebody phones. The priority is `priority`, or follows from `impact` and `urgency`, or from the CI.")
            .reads::<OpenIncident>()
            .answers_as::<WholeIncident>(201),
        Endpoint::post("/api/v1/incidents:batch", operate, post(batch::batch))
            .says("Gives one command to many incidents, each on its own: to `ids`, or to all that the filters match, if they are `expect_count`. The command's fields stand beside those.")
            .takes(&incidents::FILTERS)
            .reads::<batch::Batch>()
            .answers::<BatchView>(),
        Endpoint::get("/api/v1/incidents/{id}", read, get(incidents::show))
            .says("An incident with its alerts and its timeline.")
            .answers::<WholeIncident>(),
        Endpoint::get("/api/v1/incidents/{id}/explain", read, get(incidents::explain))
            .says("Why an incident is what it is, step by step, and what comes next by itself.")
            .answers::<IncidentExplained>(),
        Endpoint::post("/api/v1/incidents/{id}/{command}", operate, post(commands::incident))
            .says("Gives a command to an incident. One whose state already holds is 200 and changes nothing.")
            .commands::<IncidentCommand>(IncidentVerb::WORDS)
            .answers::<WholeIncident>(),
        Endpoint::get("/api/v1/problems", read, get(problems::list))
            .says("Problems, live and past: what keeps coming back.")
            .takes(&LIST)
            .takes(&problems::PARAMETERS)
            .answers::<Page<ProblemView>>(),
        Endpoint::get("/api/v1/problems/{id}", read, get(problems::show))
            .says("A problem with its outages and its timeline.")
            .answers::<WholeProblem>(),
        Endpoint::post("/api/v1/problems/{id}/{command}", operate, post(problems::command))
            .says("Gives a command to a problem. One whose state already holds is 200 and changes nothing.")
            .commands::<ProblemCommand>(ProblemVerb::WORDS)
            .answers::<WholeProblem>(),
        Endpoint::get("/api/v1/events", read, get(events::events))
            .says("What happened after a cursor: at once or when something happens, or as a stream of server-sent events to those who accept one.")
            .takes(&events::PARAMETERS)
            .answers::<Page<EventView>>()
            .gives(200, Content::Stream)
            .refuses(&[410]),
        Endpoint::get("/api/v1/alerts", read, get(alerts::list))
            .says("Alerts, live and past.")
            .takes(&LIST)
            .takes(&alerts::PARAMETERS)
            .answers::<Page<AlertView>>(),
        Endpoint::get("/api/v1/alerts/{id}", read, get(alerts::show)).says("An alert.").answers::<AlertView>(),
        Endpoint::get("/api/v1/alerts/{id}/explain", read, get(alerts::explain))
            .says("Why an alert is what it is: its last judgement step by step, and how it is attached.")
            .answers::<AlertExplained>(),
        Endpoint::get("/api/v1/cis", read, get(cis::list))
            .says("CIs of the CMDB in force.")
            .takes(&LIST)
            .takes(&cis::PARAMETERS)
            .answers::<Page<CiView>>(),
        Endpoint::get("/api/v1/cis/{id}", read, get(cis::show)).says("A CI with its health and what fires on it.").answers::<WholeCi>(),
        Endpoint::get("/api/v1/cis/{id}/health", read, get(health::history))
            .says("How a CI or service was between two moments, what changed that and why, and how long it was how: its availability. Kept for a year unless daemon.toml says otherwise.")
            .takes(&LIST)
            .takes(&health::PARAMETERS)
            .answers::<HealthView>(),
        Endpoint::get("/api/v1/cis/{id}/impact", read, get(cis::impact))
            .says("What would be affected if a CI were down, with all else as it is.")
            .answers::<ImpactView>(),
        Endpoint::get("/api/v1/cis/{id}/causes", read, get(cis::causes))
            .says("The CIs whose fault would reach a CI, nearest first, with what fires on each.")
            .answers::<CausesView>(),
        Endpoint::get("/api/v1/unmatched", read, get(judge::unmatched))
            .says("Values that no CI has as id or alias, with what fires.")
            .takes(&LIST)
            .takes(&judge::SORT)
            .answers::<Page<UnmatchedView>>(),
        Endpoint::post("/api/v1/try", read, post(judge::try_alert))
            .says("Shows what would become of an alert that has not happened; changes nothing.")
            .reads::<judge::Tried>()
            .answers::<TrialView>(),
        Endpoint::post("/api/v1/check", read, post(judge::check))
            .says("What a reload would find in the files as they are.")
            .answers::<FindingsView>(),
        Endpoint::get("/api/v1/rules", read, get(files::rules))
            .says("The rules in force, by section and in the order in which they are asked.")
            .answers::<RulesView>(),
        Endpoint::get("/api/v1/silences", read, get(silences::list))
            .says("Silences of operators, until a while after their end. What `silences` rules mute is in `/api/v1/schedules` and `/api/v1/rules`.")
            .takes(&LIST)
            .takes(&silences::PARAMETERS)
            .answers::<Page<SilenceView>>(),
        Endpoint::post("/api/v1/silences", operate, post(silences::make))
            .says("Makes a silence: what matches is recorded, and nobody is notified of it.")
            .reads::<NewSilence>()
            .answers_as::<SilenceView>(201),
        Endpoint::get("/api/v1/silences/{id}", read, get(silences::show))
            .says("A silence, by its id or its UUID in Alertmanager's API.")
            .answers::<SilenceView>(),
        Endpoint::post("/api/v1/silences/{id}/{command}", operate, post(silences::command))
            .says("Gives a command to a silence. One that holds already is 200 and changes nothing; a change of one that is over makes another.")
            .commands::<SilenceCommand>(SilenceVerb::WORDS)
            .answers::<SilenceView>(),
        Endpoint::get("/api/v1/clock", read, get(clock::show))
            .says("The time that everything is decided by, and a step forward of the machine's clock that is not believed yet.")
            .answers::<ClockView>(),
        Endpoint::post("/api/v1/clock/confirm", operate, post(clock::confirm))
            .says("Believes a step forward of the machine's clock at once. Where none is doubted nothing changes.")
            .answers::<ConfirmedView>(),
        Endpoint::get("/api/v1/schedules", read, get(schedules::list))
            .says("What comes again by the clock: jobs and silence rules, by kind and name, each with its zone, its last run and the next three. A job that was due while the daemon was down ran once, for the instants from `first` to `last`.")
            .takes(&LIST)
            .takes(&schedules::SORT)
            .answers::<Page<ScheduleView>>(),
        Endpoint::get("/api/v1/forecasts", read, get(forecasts::list))
            .says("Where the series of capacity rules are going, by rule and series. A rule without any series is one item whose `series` is null.")
            .takes(&LIST)
            .takes(&forecasts::PARAMETERS)
            .answers::<Page<ForecastView>>(),
        Endpoint::get("/api/v1/backup", administer, get(backup::backup))
            .says("The whole store as it was at one commit, for `watchkeeper restore`; one at a time.")
            .gives(200, Content::Bytes)
            .refuses(&[507]),
        Endpoint::get("/api/v1/cmdb/diff", read, get(cmdb::diff))
            .says("What a reload would change in the CMDB; changes nothing. 422 with all faults where the files have some.")
            .answers::<DiffView>()
            .answers_as::<FindingsView>(422),
        Endpoint::get("/api/v1/cmdb/sources", read, get(cmdb::sources))
            .says("The sources that brought the CIs, and how many each.")
            .answers::<CmdbSources>(),
        Endpoint::post("/api/v1/cmdb/import", administer, post(cmdb::import))
            .says("Replaces everything that was imported from a source with the body.")
            .takes(&cmdb::PARAMETERS)
            .answers::<ImportedView>(),
        Endpoint::get("/api/v1/outbox", read, get(outbox::list))
            .says("Messages, to be sent and sent.")
            .takes(&LIST)
            .takes(&outbox::PARAMETERS)
            .answers::<Page<MessageView>>(),
        Endpoint::get("/api/v1/outbox/{id}", read, get(outbox::show)).says("A message with what it says.").answers::<WholeMessage>(),
        Endpoint::post("/api/v1/outbox/{id}/retry", operate, post(outbox::retry))
            .says("Tries a message that waits, or was given up, again at once; its bytes and its Message-ID stay.")
            .answers::<WholeMessage>(),
        Endpoint::get("/api/v1/dead-letters", read, get(dead_letters::list))
            .says("Inputs that were refused or set aside, the newest first, without their bytes.")
            .takes(&LIST)
            .takes(&dead_letters::PARAMETERS)
            .answers::<Page<DeadLetterView>>(),
        Endpoint::get("/api/v1/dead-letters/{id}", operate, get(dead_letters::show))
            .says("A dead letter with what came in; needs a token that may give commands, because a body may hold more than an alert shows.")
            .answers::<WholeDeadLetter>(),
        Endpoint::post("/api/v1/dead-letters/{id}/redrive", operate, post(dead_letters::redrive))
            .says("Reads what was refused of a dead letter again, by the formats now in force; takes it where nothing of it is refused any more.")
            .answers::<WholeDeadLetter>()
            .refuses(&[412]),
        Endpoint::post("/api/v1/sources/{name}/accept", operate, post(sources::accept))
            .says("Says that the Kafka cluster that answers is the one a topic is meant to be read from: it is read from its earliest record on.")
            .answers::<AcceptedView>(),
    ]
}

/// A record with its version as ETag.
fn record<T: Serialize>(version: u64, record: &T) -> Response {
    let mut response = axum::Json(record).into_response();
    let etag = HeaderValue::from_str(&format!("\"{version}\"")).expect("a quoted number is a header");
    response.headers_mut().insert(header::ETAG, etag);
    response
}

/// A record as a member of an error.
fn json<T: Serialize>(record: &T) -> Value {
    serde_json::to_value(record).expect("a view has a JSON form")
}

/// The version that a command expects: `If-Match: "7"`; `None` where it does not care.
fn expected(headers: &HeaderMap) -> Result<Option<u64>, ApiError> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let number = text.strip_prefix("W/").unwrap_or(text).trim_matches('"').parse();
    number.map(Some).map_err(|_| ApiError::bad("If-Match: expected the ETag of the record, such as \"7\"").with("place", "If-Match"))
}

fn no_id(kind: &str, id: &str) -> ApiError {
    let shown: String = id.chars().take(60).collect();
    ApiError::not_found(format!("there is no {kind} {shown:?}"))
}
