//! The APIs of senders: each route of the table, at the root as source `default` and below each hook as that source.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, Request, Response, header};
use axum::routing::{MethodFilter, MethodRouter, on};

use watchkeeper_engine::ids::{AlertId, Realm};

use super::describe::{Content, Described, Parameter};
use super::{Access, App, Endpoint};
use crate::ingest::door::{NotHeard, Reads, Source, Visit, Who, hear};
use crate::ingest::senders::{Api, Call, Credential, Does, Headers, Route, Seen, Sender, apis};
use crate::ingest::trust::{Denied, Need, Principal};
use crate::read::live;

/// What the bare paths are called as a source.
pub(super) const DEFAULT_SOURCE: &str = "default";
/// Below which path a hook's own are.
const HOOK: &str = "/hooks/{hook}";

/// The endpoints, as the table has them.
pub(super) fn endpoints() -> Vec<Endpoint> {
    let of = |(sender, api, route): (&'static Sender, &'static Api, &'static Route)| {
        ["", HOOK].map(|prefix| Endpoint {
            method: route.method.clone(),
            path: format!("{prefix}{}", route.path),
            access: Access::Sender(api),
            described: described(route),
            handler: handler(sender, api, route),
        })
    };
    routes().flat_map(of).collect()
}

fn routes() -> impl Iterator<Item = (&'static Sender, &'static Api, &'static Route)> {
    apis().flat_map(|(sender, api)| api.routes.iter().map(move |route| (sender, api, route)))
}

/// What the description of the API says of a route: the sender's words, and its body where the table has a schema of it.
fn described(route: &Route) -> Described {
    Described {
        summary: route.summary,
        parameters: route.query.iter().map(|(name, says)| Parameter::text(name, says)).collect(),
        foreign_body: route.body,
        answers: route.answers.iter().map(|(status, _)| (*status, Content::Foreign)).collect(),
        ..Described::default()
    }
}

fn handler(sender: &'static Sender, api: &'static Api, route: &'static Route) -> MethodRouter<App> {
    let serve = move |State(app): State<App>,
                      Path(path): Path<BTreeMap<String, String>>,
                      who: Option<Extension<Principal>>,
                      request: Request<Body>| async move {
        let served = serve(&app, sender, api, route, path, who.map(|Extension(who)| who), request).await;
        served.unwrap_or_else(|not_heard| (api.refuse)(&not_heard))
    };
    // Routes are made of the methods that have a filter; a test asks for every one of them.
    on(MethodFilter::try_from(route.method.clone()).unwrap_or(MethodFilter::POST), serve)
}

async fn serve(
    app: &App,
    sender: &'static Sender,
    api: &'static Api,
    route: &'static Route,
    mut path: BTreeMap<String, String>,
    who: Option<Principal>,
    request: Request<Body>,
) -> Result<Response<Body>, NotHeard> {
    let id = path.remove("id").unwrap_or_default();
    let reads = Reads::By(sender);
    let source = match path.get("hook") {
        None => Source { name: DEFAULT_SOURCE.to_owned(), realm: Realm::MAIN, reads },
        Some(name) => {
            let webhook = super::hooks::hook(app, name).map_err(|error| NotHeard::NoHook(error.detail))?;
            Source { name: webhook.name.clone(), realm: webhook.realm.clone(), reads }
        }
    };
    if let Does::Shows { about, show } = route.does {
        let query = request.uri().query().unwrap_or_default();
        let call = Call { route: Some(route), id: &id, query, headers: &Headers::new, body: &[], now: None };
        let seen = match about(&call) {
            Some(id) => seen(app, id, source).await?,
            None => None,
        };
        return Ok(show(&call, seen.as_ref()));
    }
    let uri = request.uri().path().to_owned();
    let in_body = |body: &[u8]| match api.credential {
        Credential::Body(of) => {
            let key = of(body).ok_or(Denied::Unknown)?;
            app.trust_of(Access::Sender(api), &uri).by_token(key.as_bytes(), Need::Send)
        }
        Credential::Header | Credential::Scheme(_) => Err(Denied::Unknown),
    };
    let who = who.map_or(Who::InBody(&in_body), Who::Known);
    let hall = app.hall(api.body_bytes_max.min(app.config.limits.body_bytes));
    hear(request, source, Visit { route: Some(route), id, who }, hall, api.answer).await
}

/// An alert of a source that lives, by its number.
async fn seen(app: &App, id: AlertId, source: Source) -> Result<Option<Seen>, NotHeard> {
    let of = live::alert_of_source(&app.writer, id, source.name, source.realm).await.map_err(NotHeard::Full)?;
    Ok(of.map(|key| Seen { id, key }))
}

/// The token behind the sender's own word in `Authorization`.
pub(super) fn scheme<'a>(headers: &'a HeaderMap, word: &str) -> Option<&'a str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case(word).then(|| token.trim())
}
