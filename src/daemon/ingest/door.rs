//! From a request to its answer: the body is read and parsed here, the writer commits it, and only then the sender hears what became of it.

use axum::body::Body;
use axum::http::{HeaderMap, Request, header};

use watchkeeper_engine::event::{Event, Reply, Taken, World};
use watchkeeper_engine::input::Refused;

use super::budget::Budget;
use super::formats::{Door, Headers, Parsed, alertmanager_api, alertmanager_webhook, at, cloudevents, mapped};
use super::http::{BodyFault, read_body};
use crate::writer::{Beside, DeadInput, Full, Lane, Origin, WriterHandle};

/// Bytes above which a body is parsed on a thread that may block: about two milliseconds of work.
const PARSE_INLINE_BYTES_MAX: usize = 256 * 1024;

/// A source of alerts: by which name it is known, and how its bodies are read.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name; the bare paths are `default`.
    pub name: String,
    /// What it belongs to.
    pub realm: String,
    /// How its bodies are read.
    pub format: Reads,
}

/// How a body is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reads {
    /// As Alertmanager's API v2 takes it.
    AlertmanagerApi,
    /// As Alertmanager and Grafana send it.
    AlertmanagerWebhook,
    /// As CloudEvents.
    CloudEvents,
    /// By a format of the rules.
    Mapped(String),
}

/// What `format` in daemon.toml can name without a rule; no format of the rules may have such a name.
pub static BUILTIN_FORMATS: &[(&str, Reads)] = &[("alertmanager", Reads::AlertmanagerWebhook), ("cloudevents", Reads::CloudEvents)];

impl Reads {
    /// What `format` in daemon.toml names.
    pub fn named(format: &str) -> Reads {
        let builtin = BUILTIN_FORMATS.iter().find(|(name, _)| *name == format);
        builtin.map_or_else(|| Reads::Mapped(format.to_owned()), |(_, reads)| reads.clone())
    }
}

/// What became of a request that was committed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Heard {
    /// Alerts that were taken.
    pub taken: usize,
    /// Those that were not, each with its place.
    pub refused: Vec<Refused>,
}

/// Why nothing of a request was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotHeard {
    /// Its body was not read.
    Body(BodyFault),
    /// Its body is not of the source's format.
    Refused(Refused),
    /// The writer has no room, or stops.
    Full(Full),
    /// The rules in force have no such format.
    NoFormat(String),
}

/// Reads, parses and commits a request.
///
/// # Errors
/// Nothing of it was taken.
pub async fn hear(
    request: Request<Body>,
    source: Source,
    world: World,
    writer: &WriterHandle,
    bytes_max: usize,
    bytes_in_flight: &Budget,
) -> Result<Heard, NotHeard> {
    let headers = request.headers().clone();
    let origin = Origin::Http { path: request.uri().path().to_owned() };
    let body = read_body(request, bytes_max, bytes_in_flight).await.map_err(NotHeard::Body)?;
    let name = source.name.clone();
    let bytes = body.bytes.clone();
    let reads_headers = source.format == Reads::CloudEvents;
    let given = headers.clone();
    let parse = move || parse(&source, &world, || shown(&given), &bytes);
    let parsed = if body.bytes.len() > PARSE_INLINE_BYTES_MAX {
        tokio::task::spawn_blocking(parse).await.map_err(|_| NotHeard::Full(Full::Stopping))?
    } else {
        parse()
    };
    let said = if reads_headers { cloudevents::kept(&shown(&headers)) } else { None };
    let came = Came { source: &name, origin, headers: said, bytes: &body.bytes };
    let heard = match parsed {
        Ok(parsed) => commit(parsed, came, writer).await?,
        Err(NotHeard::Refused(fault)) => {
            // That a source sends what cannot be read is remembered and counted as well.
            commit(Parsed { refused: vec![fault.clone()], ..Parsed::default() }, came, writer).await?;
            return Err(NotHeard::Refused(fault));
        }
        Err(other) => return Err(other),
    };
    // The bytes count as in flight until the commit.
    drop(body);
    Ok(heard)
}

/// The alerts of a body or record, as its source's format has them.
///
/// # Errors
/// It is not of that format, or the rules in force have no such format; nothing of it is taken.
pub fn parse(source: &Source, world: &World, headers: impl FnOnce() -> Headers, body: &[u8]) -> Result<Parsed, NotHeard> {
    let door = Door { source: &source.name, realm: &source.realm, severities: &world.policy.severities };
    let parsed = match &source.format {
        Reads::AlertmanagerApi => alertmanager_api::parse(&door, body),
        Reads::AlertmanagerWebhook => alertmanager_webhook::parse(&door, body),
        Reads::CloudEvents => cloudevents::parse(&door, &headers(), body),
        Reads::Mapped(name) => {
            let format = world.policy.formats.get(name).ok_or_else(|| NotHeard::NoFormat(name.clone()))?;
            mapped::parse(&door, format, &headers(), body)
        }
    };
    parsed.map_err(NotHeard::Refused)
}

/// Where a body came from, and its bytes.
struct Came<'a> {
    source: &'a str,
    origin: Origin,
    headers: Option<Headers>,
    bytes: &'a [u8],
}

async fn commit(parsed: Parsed, came: Came<'_>, writer: &WriterHandle) -> Result<Heard, NotHeard> {
    let Parsed { inputs, places, refused, refused_places } = parsed;
    let Came { source, origin, headers, bytes } = came;
    if inputs.is_empty() && refused.is_empty() {
        return Ok(Heard::default());
    }
    let mut beside = Beside::default();
    if !refused.is_empty() {
        let members = refused_places.iter().filter_map(|place| u32::try_from(*place).ok()).collect();
        beside.letters.push(DeadInput::raw(source, origin, &refused, members, bytes).with_headers(headers));
    }
    let mut heard = Heard { taken: 0, refused: refused.clone() };
    let event = Event::Alerts { inputs, refused: refused.into_iter().map(|fault| (source.to_owned(), fault)).collect() };
    let told = writer.submit_with(Lane::Webhooks, event, beside).map_err(NotHeard::Full)?;
    // Whatever else a reply may be, this event is answered by what was taken.
    if let Reply::Taken(outcomes) = told.await.map_err(|_| NotHeard::Full(Full::Stopping))? {
        for (outcome, place) in outcomes.into_iter().zip(places) {
            match outcome {
                Taken::Alert(_) | Taken::Over => heard.taken += 1,
                Taken::Refused(fault) => heard.refused.push(at(place, &fault)),
            }
        }
    }
    Ok(heard)
}

/// Headers that a format may look at: all but those that hold secrets.
fn shown(headers: &HeaderMap) -> Headers {
    let is_secret = |name: &header::HeaderName| [header::AUTHORIZATION, header::PROXY_AUTHORIZATION, header::COOKIE].contains(name);
    let texts = headers.iter().filter(|(name, _)| !is_secret(name));
    texts.filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))).collect()
}
