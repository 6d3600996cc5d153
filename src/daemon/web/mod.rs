//! What is served over HTTP: one table of endpoints, each with who may use it and what it reads and answers; the router, the guard, the description of the API
//! and the tests come from that table.

pub mod alertmanager;
pub mod api;
pub mod describe;
pub mod error;
pub mod hooks;
pub mod incident_page;
pub mod link_page;
pub mod links;
pub mod openapi;
pub mod ops;
pub mod page;
pub mod pages;
pub mod problem_page;
pub mod query;
mod senders;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::IntoResponse;
use axum::routing::MethodRouter;
use tokio::sync::Semaphore;

use watchkeeper_engine::event::{Action, Command, Obeyed, World};
use watchkeeper_engine::text::{cut, one_line};
use watchkeeper_engine::time::Time;

use crate::assembly;
use crate::config::{Config, Role, Token, Webhook};
use crate::diagnostics::Findings;
use crate::events::Events;
use crate::health::Health;
use crate::ingest::budget::{Budget, Strangers};
use crate::ingest::door::{Hall, NotHeard};
use crate::ingest::http::Caller;
use crate::ingest::kafka::KafkaHandle;
use crate::ingest::senders::{Api, Credential};
use crate::ingest::trust::{Denied, Need, Peer, Principal, Trust, WithoutTokens};
use crate::mail::Links;
use crate::published::Current;
use crate::read::{ReadError, Records};
use crate::telemetry::{Counted, Metrics};
use crate::world::{Comparison, Confirmed, ImportWish, Imported, Refusal};
use crate::writer::{Beside, Full, Lane, WriterHandle};

use api::idempotency::Once;
use describe::Described;
use error::{ApiError, mark};

/// Bytes of an actor's name that a client at the socket gives.
const ACTOR_BYTES_MAX: usize = 64;

/// What the daemon hands the doors when it is put together.
pub struct Parts {
    /// What all parts of the daemon see.
    pub shared: assembly::Shared,
    /// Reloads, checks and imports.
    pub files: Arc<dyn FileWork>,
    /// The thread that reads Kafka topics, where there are any.
    pub kafka: Option<KafkaHandle>,
    /// When the daemon started.
    pub started_at: Time,
}

/// What is done with the files that operators edit; implemented where Worlds are built.
pub trait FileWork: Send + Sync {
    /// Reads rules, templates and CMDB anew and adopts them where they have no fault; the sentence says what changed.
    fn reload(&self, confirmed: Confirmed) -> Answer<'_, Result<String, Findings>>;

    /// Brings what a source of the CMDB holds into force, or says what would change.
    fn import(&self, wish: ImportWish) -> Answer<'_, Result<Imported, Refusal>>;

    /// Reads them anew and says what a reload would change.
    fn compare(&self) -> Answer<'_, Result<Comparison, Findings>>;

    /// The last line after faults: how many there are, and what goes on.
    fn closing(&self, findings: &Findings) -> String;
}

/// An answer that takes a while.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What handlers see. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Shared>);

/// The parts of [`App`].
pub struct Shared {
    /// The way to the writer.
    pub writer: WriterHandle,
    /// World, templates and board as of the last commit, and the time.
    pub current: Current,
    /// Records of the store.
    pub records: Records,
    /// What happened.
    pub events: Events,
    /// Readers of events that may be open at once.
    pub event_readers: Arc<Semaphore>,
    /// Signs of life.
    pub health: Arc<Health>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// How far telemetry is.
    pub counted: Counted,
    /// `daemon.toml`.
    pub config: Arc<Config>,
    /// As in [`Parts`].
    pub files: Arc<dyn FileWork>,
    /// As in [`Parts`].
    pub kafka: Option<KafkaHandle>,
    /// As in [`Parts`].
    pub started_at: Time,
    /// Bytes of bodies that are not answered yet.
    pub bytes_in_flight: Budget,
    /// The same of those whose sender is not known yet.
    pub strangers: Strangers,
    /// Answers kept by `Idempotency-Key`.
    pub answers: api::idempotency::Answers,
    /// Held while a backup is made.
    pub backups: tokio::sync::Mutex<()>,
    /// Makes and checks the tokens of forms.
    pub forms: pages::FormSecret,
    /// Knows the links of mails again.
    pub links: Links,
    trust: Trust,
    hooks: Vec<Hook>,
}

struct Hook {
    webhook: Webhook,
    trust: Trust,
}

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// Who may use an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody: probes, and links of mails, which are the right themselves.
    Public,
    /// Who may do that, by the tokens of the listener.
    Listener(Need),
    /// Who may do that, by the tokens of the listener or the hook's own; the hook's name is the second part of the path.
    Hook(Need),
    /// Who may send alerts, by a token that stands where this sender shows it. Below a hook the hook's own token opens it too.
    Sender(&'static Api),
}

/// One method of one path.
pub struct Endpoint {
    /// The method.
    pub method: Method,
    /// The path, with `{names}`.
    pub path: String,
    /// Who may use it.
    pub access: Access,
    /// What its description says.
    pub described: Described,
    handler: MethodRouter<App>,
}

impl Endpoint {
    /// `GET`.
    pub fn get(path: &str, access: Access, handler: MethodRouter<App>) -> Endpoint {
        Endpoint { method: Method::GET, path: path.to_owned(), access, described: Described::default(), handler }
    }

    /// `POST`.
    pub fn post(path: &str, access: Access, handler: MethodRouter<App>) -> Endpoint {
        Endpoint { method: Method::POST, path: path.to_owned(), access, described: Described::default(), handler }
    }

    /// `DELETE`.
    pub fn delete(path: &str, access: Access, handler: MethodRouter<App>) -> Endpoint {
        Endpoint { method: Method::DELETE, path: path.to_owned(), access, described: Described::default(), handler }
    }
}

/// Every endpoint.
pub fn endpoints() -> Vec<Endpoint> {
    let mut all = ops::endpoints();
    all.extend(alertmanager::endpoints("", Access::Listener));
    all.extend(alertmanager::endpoints("/hooks/{hook}", Access::Hook));
    all.extend(senders::endpoints());
    all.extend(hooks::endpoints());
    all.extend(api::endpoints());
    all.extend(pages::endpoints());
    all.extend(links::endpoints());
    all
}

/// The router over every endpoint.
///
/// # Errors
/// The answers that are kept for `Idempotency-Key` cannot be read.
pub fn router(parts: Parts) -> Result<Router, ReadError> {
    let app = App::new(parts)?;
    let mut router = Router::new();
    for Endpoint { method, path, access, mut handler, .. } in endpoints() {
        if method == Method::POST && path.starts_with("/api/v1/") {
            handler = handler.layer(middleware::from_fn_with_state(app.clone(), api::idempotency::once));
        }
        let guarded = middleware::from_fn_with_state(Guarded { app: app.clone(), access, path: path.as_str().into() }, guard);
        router = router.route(&path, handler.layer(guarded));
    }
    let router = router.fallback(no_such_path).method_not_allowed_fallback(no_such_method).with_state(app);
    // What changes a request's path stands before the router that looks at it.
    Ok(Router::new().fallback_service(router).layer(middleware::from_fn(alertmanager::served::before)))
}

impl App {
    fn new(parts: Parts) -> Result<App, ReadError> {
        let Parts { shared, files, kafka, started_at } = parts;
        let config = &shared.config;
        let without_tokens = if config.server.listen.ip().is_loopback() { WithoutTokens::ThisMachine } else { WithoutTokens::Everybody };
        let trust = Trust::new(config.tokens.clone(), without_tokens, &config.server.external_url);
        let hook = |webhook: &Webhook| Hook {
            webhook: webhook.clone(),
            trust: match &webhook.secret {
                Some(secret) => trust.with(Token { name: format!("hook {}", webhook.name), role: Role::Source, secret: secret.clone() }),
                None => trust.clone(),
            },
        };
        let hooks = config.webhooks.iter().map(hook).collect();
        Ok(App(Arc::new(Shared {
            answers: api::idempotency::Answers::load(&shared.reader)?,
            events: shared.events,
            event_readers: Arc::new(Semaphore::new(api::events::READERS_MAX)),
            records: Records::new(shared.reader, shared.current.clone()),
            bytes_in_flight: Budget::new(config.limits.in_flight_bytes),
            strangers: Strangers::beside(config.limits.in_flight_bytes),
            backups: tokio::sync::Mutex::default(),
            forms: pages::FormSecret::new(),
            links: Links::new(shared.link_key),
            trust,
            hooks,
            writer: shared.writer,
            current: shared.current,
            health: shared.health,
            metrics: shared.metrics,
            counted: shared.counted,
            config: shared.config,
            files,
            kafka,
            started_at,
        })))
    }

    /// A configured webhook.
    pub fn hook(&self, name: &str) -> Option<&Webhook> {
        self.hooks.iter().map(|hook| &hook.webhook).find(|webhook| webhook.name == name)
    }

    /// The rules and the CMDB in force.
    pub fn world(&self) -> World {
        self.current.world()
    }

    /// The time that a batch would be decided by now.
    pub fn now(&self) -> Time {
        self.current.now()
    }

    /// What a door needs of the daemon, for bodies of so many bytes.
    fn hall(&self, body_bytes_max: usize) -> Hall<'_> {
        Hall {
            world: self.world(),
            now: self.now(),
            writer: &self.writer,
            body_bytes_max,
            bytes_in_flight: &self.bytes_in_flight,
            strangers: &self.strangers,
        }
    }

    /// Where an incident's page is, as mails link to it.
    pub fn incident_url(&self, id: impl std::fmt::Display) -> String {
        format!("{}/i/{id}", self.config.server.external_url)
    }

    /// Has the writer do what an operator wants; the answer comes after the commit. With an `Idempotency-Key` that it is done stands in the same transaction,
    /// and what was done before is not done again.
    ///
    /// # Errors
    /// 503: there is no room, or the daemon stops.
    pub async fn command(&self, who: &Principal, once: Option<&Once>, expected: Option<u64>, action: Action) -> Result<Obeyed, ApiError> {
        if let Some(done) = once.and_then(Once::done) {
            return Ok(done);
        }
        let command = Command { actor: who.name.clone(), expected, action };
        let beside = Beside { of_reply: once.map(Once::receipt), ..Beside::default() };
        let told = self.writer.submit_with(Lane::Operators, command, beside)?;
        Ok(told.await.map_err(|_| Full::Stopping)?)
    }

    fn trust_of(&self, access: Access, path: &str) -> &Trust {
        let is_hook = matches!(access, Access::Hook(_)) || (matches!(access, Access::Sender(_)) && path.starts_with("/hooks/"));
        let hook = path.split('/').nth(2).filter(|_| is_hook);
        hook.and_then(|name| self.hooks.iter().find(|hook| hook.webhook.name == name)).map_or(&self.trust, |hook| &hook.trust)
    }
}

#[derive(Clone)]
struct Guarded {
    app: App,
    access: Access,
    path: Arc<str>,
}

/// Before a handler: who asks, and may they. After it: headers that every answer carries, and the counters.
async fn guard(State(guarded): State<Guarded>, mut request: Request<Body>, next: Next) -> Response<Body> {
    let began = Instant::now();
    let Guarded { app, access, path } = guarded;
    let mut response = match admit(&app, access, &mut request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => *refusal,
    };
    mark(&mut response);
    harden(&mut response);
    let class = match response.status().as_u16() / 100 {
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    };
    app.metrics.http_requests.with_label_values(&[path.as_ref(), class]).inc();
    app.metrics.http_seconds.with_label_values(&[path.as_ref()]).observe(began.elapsed().as_secs_f64());
    response
}

/// Who asks, if they may; else the answer that says so, in the words of the API they use.
fn admit(app: &App, access: Access, request: &mut Request<Body>) -> Result<(), Box<Response<Body>>> {
    // A request without a peer came by no listener of ours.
    let peer = request.extensions().get::<Peer>().copied().unwrap_or(Peer::Stranger);
    let trust = app.trust_of(access, request.uri().path());
    let (method, headers) = (request.method(), request.headers());
    let principal = match access {
        Access::Public => trust.admit(peer, method, headers, Need::Read).ok(),
        Access::Listener(need) | Access::Hook(need) => {
            Some(trust.admit(peer, method, headers, need).map_err(|denied| Box::new(ApiError::from(denied).into_response()))?)
        }
        Access::Sender(api) => {
            let shown = match (trust.admit(peer, method, headers, Need::Send), api.credential) {
                // The body may say who it is.
                (Err(Denied::Unknown), Credential::Body(_)) => Ok(None),
                (Err(Denied::Unknown), Credential::Scheme(word)) => match senders::scheme(headers, word) {
                    Some(token) => trust.by_token(token.as_bytes(), Need::Send).map(Some),
                    None => Err(Denied::Unknown),
                },
                (admitted, Credential::Body(_) | Credential::Scheme(_) | Credential::Header) => admitted.map(Some),
            };
            shown.map_err(|denied| Box::new((api.refuse)(&NotHeard::Denied(denied))))?
        }
    };
    let Some(mut principal) = principal else { return Ok(()) };
    if let Some(actor) = request.headers().get("x-watchkeeper-actor").filter(|_| access != Access::Public) {
        if peer != Peer::Owner {
            let detail = "X-Watchkeeper-Actor is believed over the daemon's socket only";
            return Err(Box::new(ApiError::new(StatusCode::FORBIDDEN, detail).into_response()));
        }
        let name = one_line(&cut(actor.to_str().unwrap_or_default(), ACTOR_BYTES_MAX));
        if !name.is_empty() {
            principal.name = name;
        }
    }
    if let Some(caller) = request.extensions().get::<Caller>().filter(|_| access != Access::Public) {
        caller.is_known();
    }
    request.extensions_mut().insert::<Principal>(principal);
    Ok(())
}

/// Nothing served here is to be guessed at, framed, cached or told to others by a browser.
fn harden(response: &mut Response<Body>) {
    let headers = response.headers_mut();
    let mut set = |name: header::HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
    set(header::CACHE_CONTROL, "no-store");
}

async fn no_such_path(request: Request<Body>) -> Response<Body> {
    let asked = request.extensions().get::<alertmanager::served::Asked>().map_or(request.uri().path(), |asked| &asked.0);
    let path = cut(&one_line(asked), 200);
    if alertmanager::served::is_served(&path) {
        return alertmanager::served::fault(StatusCode::NOT_FOUND, 404, &format!("path {path} was not found"));
    }
    let mut response = ApiError::not_found(format!("nothing is served at {path}")).into_response();
    harden(&mut response);
    response
}

async fn no_such_method(request: Request<Body>) -> Response<Body> {
    if alertmanager::served::is_served(request.uri().path()) {
        let message = format!("method {} is not allowed", request.method());
        return alertmanager::served::fault(StatusCode::METHOD_NOT_ALLOWED, 405, &message);
    }
    let detail = format!("{} is not served at this path", request.method());
    let mut response = ApiError::new(StatusCode::METHOD_NOT_ALLOWED, detail).into_response();
    harden(&mut response);
    response
}
