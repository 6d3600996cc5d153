//! `/i/INC0000042` and `/i/PRB0000004`: incidents and problems as pages, and their buttons. The browser shows the token as the password of HTTP Basic; a form proves
//! by a token of its own that it came from this page.

use axum::body::Body as HttpBody;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderValue, Request, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use watchkeeper_engine::command::{IncidentCommand, IncidentVerb};
use watchkeeper_engine::event::{Action, Obeyed, World};
use watchkeeper_engine::ids::ProblemId;
use watchkeeper_engine::model::alert::CiRef;
use watchkeeper_engine::model::incident::Incident;

use super::api::{body::Body, commands, incidents, problems};
use super::describe::{Content, Parameter, names};
use super::error::ApiError;
use super::incident_page::IncidentPage;
use super::page::{CONTENT_SECURITY_POLICY, PageNotice, Sheet};
use super::problem_page::ProblemPage;
use super::query::Query;
use super::{Access, App, Endpoint};
use crate::ingest::http::read_body;
use crate::ingest::trust::{Need, Principal};
use crate::read::WholeIncident;
use crate::view::CiView;

/// Bytes of a form: a note of 8 KiB, each byte written as three.
const FORM_BYTES_MAX: usize = 64 * 1024;

/// Parameters of the page.
const DONE: [Parameter; 1] = [Parameter::text("done", "The command whose button led here.")];

/// The endpoints of this file.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/i/{id}", Access::Listener(Need::Read), get(show))
            .says("An incident or a problem as a page.")
            .takes(&DONE)
            .gives(200, Content::Html),
        Endpoint::post("/i/{id}/{command}", Access::Listener(Need::Operate), post(command))
            .says("A button of the page.")
            .commands::<IncidentCommand>(IncidentVerb::WORDS)
            .gives(303, Content::Nothing)
            .gives(400, Content::Html)
            .gives(403, Content::Html)
            .gives(409, Content::Html)
            .gives(412, Content::Html),
    ]
}

/// Makes the tokens of forms. New with each start: a page from before it asks again.
#[derive(Debug)]
pub struct FormSecret([u8; 32]);

impl FormSecret {
    /// A secret nobody knows.
    pub fn new() -> FormSecret {
        let mut secret = [0; 32];
        secret[..16].copy_from_slice(Uuid::new_v4().as_bytes());
        secret[16..].copy_from_slice(Uuid::new_v4().as_bytes());
        FormSecret(secret)
    }

    /// The token of a form about an incident that is shown to somebody.
    fn token(&self, who: &Principal, id: &str) -> String {
        // The inner hash has a fixed length: nothing can be appended to what the outer one is of.
        let subject = Sha256::new().chain_update((who.name.len() as u64).to_be_bytes()).chain_update(&who.name).chain_update(id).finalize();
        let token = Sha256::new().chain_update(self.0).chain_update(subject).finalize();
        token.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn made(&self, token: &str, who: &Principal, id: &str) -> bool {
        self.token(who, id).as_bytes().ct_eq(token.as_bytes()).into()
    }
}

impl Default for FormSecret {
    fn default() -> Self {
        FormSecret::new()
    }
}

async fn show(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Response, ApiError> {
    let query = Query::of(&uri, &names(&[&DONE]))?;
    if id.parse::<ProblemId>().is_ok() {
        let whole = problems::whole(&app, &id).await?;
        let sheet = Sheet::new(app.now(), zone(&app.world(), &whole.problem.team), None);
        return Ok(html(StatusCode::OK, ProblemPage { whole: problems::view_of(&app, &whole), sheet }.html()));
    }
    // Only words of ours are said again: what a link brings is not.
    let done = query.get("done").and_then(IncidentVerb::from_word);
    let notice = done.map(|verb| PageNotice::Done(format!("done: {verb}")));
    let whole = incidents::whole(&app, &id).await?;
    Ok(html(StatusCode::OK, page(&app, &who, &whole, notice).await?.html()))
}

async fn command(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path((id, word)): Path<(String, String)>,
    request: Request<HttpBody>,
) -> Result<Response, ApiError> {
    let verb = IncidentVerb::from_word(&word).ok_or_else(|| commands::no_command(&word, IncidentVerb::WORDS))?;
    let body = read_body(request, FORM_BYTES_MAX, &app.bytes_in_flight).await?;
    let form = Query::parse(&String::from_utf8_lossy(&body.bytes))?;
    let whole = incidents::whole(&app, &id).await?;
    let id = whole.incident.id;
    let told = if app.forms.made(form.get("token").unwrap_or_default(), &who, &id.to_string()) {
        obey(&app, &who, &whole.incident, verb, &form).await
    } else {
        Err(ApiError::new(StatusCode::FORBIDDEN, "this form is not from this page as it is now; please press again"))
    };
    match told {
        Ok(()) => {
            let mut response = StatusCode::SEE_OTHER.into_response();
            let to = HeaderValue::from_str(&format!("/i/{id}?done={verb}")).expect("an id and a word of ours are a header");
            response.headers_mut().insert(header::LOCATION, to);
            Ok(response)
        }
        Err(error) => {
            let whole = incidents::whole(&app, &id.to_string()).await?;
            Ok(html(error.status, page(&app, &who, &whole, Some(PageNotice::Fault(error.detail))).await?.html()))
        }
    }
}

async fn obey(app: &App, who: &Principal, incident: &Incident, verb: IncidentVerb, form: &Query) -> Result<(), ApiError> {
    let version: u64 = form.get("version").and_then(|text| text.parse().ok()).ok_or_else(|| ApiError::bad("version: expected a number"))?;
    let command: IncidentCommand = Body::of_form::<IncidentCommand>(form, verb.word()).command(verb.word(), &[])?;
    let action = Action::of_incident(incident.id, command, app.now())?;
    match app.command(who, None, Some(version), action).await? {
        Obeyed::Done { .. } => Ok(()),
        Obeyed::Stale { .. } => {
            Err(ApiError::new(StatusCode::PRECONDITION_FAILED, "it has changed meanwhile and nothing was done; this is how it is now"))
        }
        Obeyed::NotAllowed { state, allowed } => Err(commands::conflict(state, &allowed)),
        Obeyed::NotFound { .. } => Err(commands::conflict(incident.state.word(), &[])),
        Obeyed::Invalid(refused) => Err(refused.into()),
    }
}

fn html(status: StatusCode, page: String) -> Response {
    let mut response = (status, page).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    let policy = HeaderValue::from_str(&CONTENT_SECURITY_POLICY).expect("the policy is plain ASCII");
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    // With `no-referrer` browsers hide from us that a form is from our own page: they send `Origin: null`.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    response
}

async fn page(app: &App, who: &Principal, whole: &WholeIncident, notice: Option<PageNotice>) -> Result<IncidentPage, ApiError> {
    let incident = &whole.incident;
    let world = app.world();
    let ci = match incident.ci {
        CiRef::Known(no) => world.cmdb.ci(no).map(CiView::of),
        CiRef::Unknown(_) => None,
    };
    Ok(IncidentPage {
        whole: incidents::view_of(app, whole).await?,
        ci,
        commands: if Need::Operate.allowed_to(who.role) { allowed(incident) } else { Vec::new() },
        token: app.forms.token(who, &incident.id.to_string()),
        sheet: Sheet::new(app.now(), zone(&world, &incident.team), notice),
    })
}

/// The zone of whoever owns the CI.
fn zone<'a>(world: &'a World, team: &str) -> &'a str {
    world.cmdb.team(team).map_or("", |team| team.zone.as_str())
}

/// What the state allows.
fn allowed(incident: &Incident) -> Vec<IncidentVerb> {
    if incident.parent.is_some() { IncidentVerb::OF_A_CHILD.to_vec() } else { IncidentVerb::allowed_in(incident.state).to_vec() }
}
