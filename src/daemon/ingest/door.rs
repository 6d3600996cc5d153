//! From a request to its answer: the body is read and parsed here, the writer commits it, and only then the sender hears what became of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};

use watchkeeper_engine::event::{Taken, World};
use watchkeeper_engine::ids::{AlertId, Realm};
use watchkeeper_engine::input::{AlertInput, Refused, Says};
use watchkeeper_engine::text::Labels;
use watchkeeper_engine::time::Time;

use super::budget::{Budget, Strangers};
use super::http::{BodyFault, Caller, read_body, read_stranger_body};
use super::senders::{Call, Door, Headers, Keeps, Member, Route, Sender, at, by_format, mapped};
use super::trust::{Denied, Need, Principal};
use crate::writer::{Alerts, Beside, DeadInput, Full, Lane, Origin, WriterHandle};

/// Bytes above which a body is parsed on a thread that may block: about two milliseconds of work.
const PARSE_INLINE_BYTES_MAX: usize = 256 * 1024;

/// Faults that one sentence names; the rest is counted.
pub const FAULTS_SHOWN: usize = 20;

/// A source of alerts: by which name it is known, and how its bodies are read.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name; the bare paths are `default`.
    pub name: String,
    /// What it belongs to.
    pub realm: Realm,
    /// How its bodies are read.
    pub reads: Reads,
}

/// How a body is read.
#[derive(Debug, Clone)]
pub enum Reads {
    /// By a sender that the daemon knows.
    By(&'static Sender),
    /// By a format of the rules.
    Mapped(String),
}

impl Reads {
    /// What `format` in daemon.toml names.
    pub fn named(format: &str) -> Reads {
        by_format(format).map_or_else(|| Reads::Mapped(format.to_owned()), Reads::By)
    }

    /// What of a refused body's headers is kept; `None` where nothing is.
    pub fn kept(&self, headers: impl FnOnce() -> Headers) -> Option<Headers> {
        match self {
            Reads::By(Sender { keeps: Keeps::BodyAnd(of), .. }) => Some(of(&headers())),
            Reads::By(_) | Reads::Mapped(_) => None,
        }
    }

    fn keeps_bodies(&self) -> bool {
        !matches!(self, Reads::By(Sender { keeps: Keeps::Nothing, .. }))
    }
}

/// By which route a request came, and who sends it.
pub struct Visit<'a> {
    /// The route; `None` for the body of a webhook.
    pub route: Option<&'static Route>,
    /// The `{id}` of its path.
    pub id: String,
    /// Who sends it.
    pub who: Who<'a>,
}

/// Who sends a request.
pub enum Who<'a> {
    /// A header said so.
    Known(Principal),
    /// The body says so: this looks it up.
    InBody(&'a (dyn Fn(&[u8]) -> Result<Principal, Denied> + Sync)),
}

/// What a door needs of the daemon.
pub struct Hall<'a> {
    /// The World in force.
    pub world: World,
    /// What time it is.
    pub now: Time,
    /// The way to the writer.
    pub writer: &'a WriterHandle,
    /// Bytes of a body.
    pub body_bytes_max: usize,
    /// Bytes of bodies that are not answered yet.
    pub bytes_in_flight: &'a Budget,
    /// The same of bodies whose sender is not known yet.
    pub strangers: &'a Strangers,
}

/// What became of a request that was committed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Heard {
    /// When.
    pub at: Time,
    /// Alerts that were taken.
    pub taken: usize,
    /// Those that were not, each with its place.
    pub refused: Vec<Refused>,
    /// How many of `refused`, its last ones, had no room.
    pub without_room: usize,
    /// What became of each that was understood, in their order.
    pub outcomes: Vec<Ended>,
}

/// What became of one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The sender's key.
    pub key: String,
    /// The alert; `None` where it was about one that is not known, or was refused.
    pub alert: Option<AlertId>,
}

/// Why nothing of a request was taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotHeard {
    /// Its body was not read.
    #[error("{0}")]
    Body(BodyFault),
    /// Its body is not of the source's format.
    #[error("{}: expected {}", .0.place, .0.expected)]
    Refused(Refused),
    /// The writer has no room, or stops.
    #[error("{0}")]
    Full(Full),
    /// The rules in force have no such format.
    #[error("the rules in force have no format `{0}`")]
    NoFormat(String),
    /// Whoever sends it may not.
    #[error("{0}")]
    Denied(Denied),
    /// There is no such webhook.
    #[error("{0}")]
    NoHook(String),
}

impl NotHeard {
    /// The HTTP status that says so.
    pub fn status(&self) -> StatusCode {
        match self {
            NotHeard::Body(BodyFault::TooLarge(_)) => StatusCode::PAYLOAD_TOO_LARGE,
            NotHeard::Body(BodyFault::Busy) => StatusCode::SERVICE_UNAVAILABLE,
            NotHeard::Body(BodyFault::TooSlow) => StatusCode::REQUEST_TIMEOUT,
            NotHeard::Body(BodyFault::Broken) => StatusCode::BAD_REQUEST,
            NotHeard::Refused(refused) if refused.place == "alerts" && refused.expected.starts_with("at most") => {
                StatusCode::PAYLOAD_TOO_LARGE
            }
            NotHeard::Refused(_) => StatusCode::BAD_REQUEST,
            NotHeard::Full(_) | NotHeard::NoFormat(_) => StatusCode::SERVICE_UNAVAILABLE,
            NotHeard::Denied(denied) => StatusCode::from_u16(denied.status()).unwrap_or(StatusCode::FORBIDDEN),
            NotHeard::NoHook(_) => StatusCode::NOT_FOUND,
        }
    }
}

impl Heard {
    /// How many were taken, and what is wrong with the first of the others.
    pub fn sentence(&self) -> String {
        let all = self.taken + self.refused.len();
        let shown: Vec<String> =
            self.refused.iter().take(FAULTS_SHOWN).map(|fault| format!("{}: expected {}", fault.place, fault.expected)).collect();
        let more = self.refused.len().saturating_sub(FAULTS_SHOWN);
        let rest = if more > 0 { format!("; and {more} more") } else { String::new() };
        format!("{} of {all} alerts were taken, {} refused: {}{rest}", self.taken, self.refused.len(), shown.join("; "))
    }
}

/// Reads, parses and commits a request; `answer` is made while the call can still be seen.
///
/// # Errors
/// Nothing of it was taken.
pub async fn hear<T>(
    request: Request<Body>,
    source: Source,
    visit: Visit<'_>,
    hall: Hall<'_>,
    answer: impl FnOnce(&Call<'_>, &Heard) -> T,
) -> Result<T, NotHeard> {
    let headers = request.headers().clone();
    let uri = request.uri().clone();
    let (body, who) = match visit.who {
        Who::Known(who) => (read_body(request, hall.body_bytes_max, hall.bytes_in_flight).await.map_err(NotHeard::Body)?, who),
        Who::InBody(known) => {
            let caller = request.extensions().get::<Caller>().cloned();
            let mut body = read_stranger_body(request, hall.body_bytes_max, hall.strangers).await.map_err(NotHeard::Body)?;
            let who = known(&body.bytes).map_err(NotHeard::Denied)?;
            body.is_known(hall.bytes_in_flight).map_err(NotHeard::Body)?;
            caller.inspect(Caller::is_known);
            (body, who)
        }
    };
    let now = Some(hall.now);
    let (route, id) = (visit.route, Arc::<str>::from(visit.id));
    let parse = {
        let (source, world, bytes) = (source.clone(), hall.world, body.bytes.clone());
        let (headers, uri, id) = (headers.clone(), uri.clone(), id.clone());
        move || {
            let query = uri.query().unwrap_or_default();
            parse(&source, &world, &Call { route, id: &id, query, headers: &|| shown(&headers), body: &bytes, now })
        }
    };
    let parsed = if body.bytes.len() > PARSE_INLINE_BYTES_MAX {
        tokio::task::spawn_blocking(parse).await.map_err(|_| NotHeard::Full(Full::Stopping))?
    } else {
        parse()
    };
    let origin = Origin::Http { path: uri.path().to_owned() };
    let came = Came { source: &source, origin, headers: source.reads.kept(|| shown(&headers)), bytes: &body.bytes };
    let heard = match parsed {
        Ok(members) => Heard { at: hall.now, ..commit(members, came, &who, hall.writer).await? },
        Err(NotHeard::Refused(fault)) => {
            // That a source sends what cannot be read is remembered and counted as well.
            refuse_whole(fault.clone(), came, hall.writer).await?;
            return Err(NotHeard::Refused(fault));
        }
        Err(other) => return Err(other),
    };
    let query = uri.query().unwrap_or_default();
    let answer = answer(&Call { route, id: &id, query, headers: &|| shown(&headers), body: &body.bytes, now }, &heard);
    // The bytes count as in flight until the commit.
    drop(body);
    Ok(answer)
}

/// The members of a body or record, as its source's sender or format has them.
///
/// # Errors
/// It is none of that sender's, or the rules in force have no such format; nothing of it is taken.
pub fn parse(source: &Source, world: &World, call: &Call<'_>) -> Result<Vec<Member>, NotHeard> {
    let door = Door { source: &source.name, realm: &source.realm, severities: &world.policy.severities };
    let members = match &source.reads {
        Reads::By(sender) => (sender.read)(&door, call),
        Reads::Mapped(name) => {
            let format = world.policy.formats.get(name).ok_or_else(|| NotHeard::NoFormat(name.clone()))?;
            mapped::parse(&door, format, &(call.headers)(), call.body)
        }
    };
    members.map_err(NotHeard::Refused)
}

/// Where a body came from, and its bytes.
struct Came<'a> {
    source: &'a Source,
    origin: Origin,
    headers: Option<Headers>,
    bytes: &'a [u8],
}

impl Came<'_> {
    /// What is kept of a body of which these members were refused; an empty list: the whole.
    fn letters(self, refused: &[Refused], members: Vec<u32>) -> Vec<DeadInput> {
        let keeps = !refused.is_empty() && self.source.reads.keeps_bodies();
        let letter = || DeadInput::raw(&self.source.name, self.origin, refused, members, self.bytes).with_headers(self.headers);
        keeps.then(letter).into_iter().collect()
    }
}

async fn refuse_whole(fault: Refused, came: Came<'_>, writer: &WriterHandle) -> Result<(), NotHeard> {
    let nothing = Alerts { inputs: Vec::new(), refused: vec![(came.source.name.clone(), fault.clone())] };
    let beside = Beside { letters: came.letters(&[fault], Vec::new()), ..Beside::default() };
    drop(writer.submit_with(Lane::Webhooks, nothing, beside).map_err(NotHeard::Full)?.await.map_err(|_| NotHeard::Full(Full::Stopping))?);
    Ok(())
}

async fn commit(members: Vec<Member>, came: Came<'_>, who: &Principal, writer: &WriterHandle) -> Result<Heard, NotHeard> {
    if members.is_empty() {
        return Ok(Heard::default());
    }
    let members = looked_up(members, came.source, writer).await?;
    let mut heard = Heard::default();
    let (mut inputs, mut places) = (Vec::with_capacity(members.len()), Vec::with_capacity(members.len()));
    let mut refused_places = Vec::new();
    for Member { place, said, .. } in members {
        match said {
            Ok(input) => {
                heard.outcomes.push(Ended { key: input.key.clone(), alert: None });
                places.push(place);
                inputs.push(by_role(input, who));
            }
            Err(fault) => {
                heard.refused.push(fault);
                refused_places.push(place);
            }
        }
    }
    let name = &came.source.name;
    // A member counts once, however many faults it has.
    let is_first = |n: usize| n == 0 || refused_places[n - 1] != refused_places[n];
    let once = heard.refused.iter().enumerate().filter(|(n, _)| is_first(*n));
    let refused = once.map(|(_, fault)| (name.clone(), fault.clone())).collect();
    let beside = Beside { letters: came.letters(&heard.refused, refused_places), ..Beside::default() };
    let told = writer.submit_with(Lane::Webhooks, Alerts { inputs, refused }, beside).map_err(NotHeard::Full)?;
    let outcomes = told.await.map_err(|_| NotHeard::Full(Full::Stopping))?;
    for ((outcome, place), ended) in outcomes.into_iter().zip(places).zip(&mut heard.outcomes) {
        match outcome {
            Taken::Alert(id) => (heard.taken, ended.alert) = (heard.taken + 1, Some(id)),
            Taken::Over => heard.taken += 1,
            Taken::Refused(fault) => {
                heard.refused.push(at(place as usize, &fault));
                heard.without_room += 1;
            }
        }
    }
    Ok(heard)
}

/// An acknowledgement binds where whoever sends it may give commands; from a source it is a word.
fn by_role(input: AlertInput, who: &Principal) -> AlertInput {
    match &input.says {
        Says::Acknowledged { by } if Need::Operate.allowed_to(who.role) => {
            let actor = if who.is_nameless() && !by.is_empty() { by } else { &who.name };
            AlertInput { says: Says::Acknowledge { actor: actor.clone() }, ..input }
        }
        Says::Acknowledged { .. } | Says::Acknowledge { .. } | Says::Noted { .. } | Says::State => input,
    }
}

/// Members that name an alert by its number get its key and labels. One of another source is as unknown as one that never was: it keeps no name, and is about
/// nothing.
async fn looked_up(mut members: Vec<Member>, source: &Source, writer: &WriterHandle) -> Result<Vec<Member>, NotHeard> {
    let numbers: Vec<AlertId> = members.iter().filter_map(|member| member.number).collect();
    if numbers.is_empty() {
        return Ok(members);
    }
    let (name, realm) = (source.name.clone(), source.realm.clone());
    let known = move |state: &watchkeeper_engine::state::State, _: &World, _| {
        let of = |id: AlertId| {
            let alert = &state.cell(id)?.alert;
            (alert.realm == realm && state.source(alert.source) == name).then(|| (id, (alert.key.clone(), alert.labels.clone())))
        };
        numbers.into_iter().filter_map(of).collect::<BTreeMap<AlertId, (String, Labels)>>()
    };
    let mut known = writer.ask(known).await.map_err(NotHeard::Full)?;
    for member in &mut members {
        if let (Ok(input), Some(number)) = (&mut member.said, member.number) {
            (input.key, input.labels) = known.remove(&number).unwrap_or_default();
        }
    }
    Ok(members)
}

/// Headers that a format may look at: all but those that hold secrets.
fn shown(headers: &HeaderMap) -> Headers {
    let is_secret = |name: &header::HeaderName| [header::AUTHORIZATION, header::PROXY_AUTHORIZATION, header::COOKIE].contains(name);
    let texts = headers.iter().filter(|(name, _)| !is_secret(name));
    texts.filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))).collect()
}
