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

use watchkeeper_engine::command::{IncidentCommand, IncidentVerb, ProblemCommand, ProblemVerb};
use watchkeeper_engine::event::{Action, Obeyed};
use watchkeeper_engine::ids::ProblemId;
use watchkeeper_engine::model::alert::CiRef;
use watchkeeper_engine::time::Time;

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
use crate::read::{WholeIncident, WholeProblem};
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
            .commands::<ProblemCommand>(ProblemVerb::WORDS)
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

/// What a page is about.
enum Subject {
    Incident(Box<WholeIncident>),
    Problem(Box<WholeProblem>),
}

impl Subject {
    async fn of(app: &App, id: &str) -> Result<Subject, ApiError> {
        Ok(if id.parse::<ProblemId>().is_ok() {
            Subject::Problem(Box::new(problems::whole(app, id).await?))
        } else {
            Subject::Incident(Box::new(incidents::whole(app, id).await?))
        })
    }

    fn id(&self) -> String {
        match self {
            Subject::Incident(whole) => whole.incident.id.to_string(),
            Subject::Problem(whole) => whole.problem.id.to_string(),
        }
    }

    fn state(&self) -> &'static str {
        match self {
            Subject::Incident(whole) => whole.incident.state.word(),
            Subject::Problem(whole) => whole.problem.state.word(),
        }
    }

    /// The commands there are.
    const fn words(&self) -> &'static [&'static str] {
        match self {
            Subject::Incident(_) => IncidentVerb::WORDS,
            Subject::Problem(_) => ProblemVerb::WORDS,
        }
    }

    /// The command that a form gives.
    fn action(&self, word: &str, form: &Query, now: Time) -> Result<Action, ApiError> {
        Ok(match self {
            Subject::Incident(whole) => {
                let command = Body::of_form::<IncidentCommand>(form, word).command(word, &[])?;
                Action::of_incident(whole.incident.id, command, now)?
            }
            Subject::Problem(whole) => {
                let act = Body::of_form::<ProblemCommand>(form, word).command(word, &[])?;
                Action::Problem { id: whole.problem.id, act }
            }
        })
    }

    async fn page(&self, app: &App, who: &Principal, notice: Option<PageNotice>) -> Result<String, ApiError> {
        let may_operate = Need::Operate.allowed_to(who.role);
        let token = app.forms.token(who, &self.id());
        let world = app.world();
        let sheet = |team: &str| Sheet::new(app.now(), world.cmdb.team(team).map_or("", |team| team.zone.as_str()), notice);
        Ok(match self {
            Subject::Incident(whole) => {
                let incident = &whole.incident;
                let ci = match incident.ci {
                    CiRef::Known(no) => world.cmdb.ci(no).map(|ci| CiView::of(ci, app.current.load().board.health.health(no))),
                    CiRef::Unknown(_) => None,
                };
                let allowed = if incident.parent.is_some() { IncidentVerb::OF_A_CHILD } else { IncidentVerb::allowed_in(incident.state) };
                let commands = if may_operate { allowed.to_vec() } else { Vec::new() };
                IncidentPage { whole: incidents::view_of(app, whole).await?, ci, commands, token, sheet: sheet(&incident.team) }.html()
            }
            Subject::Problem(whole) => {
                let commands = if may_operate { ProblemVerb::allowed_in(whole.problem.state).to_vec() } else { Vec::new() };
                ProblemPage { whole: problems::view_of(app, whole), commands, token, sheet: sheet(&whole.problem.team) }.html()
            }
        })
    }
}

async fn show(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Response, ApiError> {
    let query = Query::of(&uri, &names(&[&DONE]))?;
    let subject = Subject::of(&app, &id).await?;
    // Only words of ours are said again: what a link brings is not.
    let done = query.get("done").and_then(|word| subject.words().iter().find(|known| **known == word));
    let notice = done.map(|word| PageNotice::Done(format!("done: {}", word.replace('_', " "))));
    Ok(html(StatusCode::OK, subject.page(&app, &who, notice).await?))
}

async fn command(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path((id, word)): Path<(String, String)>,
    request: Request<HttpBody>,
) -> Result<Response, ApiError> {
    let subject = Subject::of(&app, &id).await?;
    let known = subject.words();
    let word = known.iter().find(|known| **known == word).ok_or_else(|| commands::no_command(&word, known))?;
    let body = read_body(request, FORM_BYTES_MAX, &app.bytes_in_flight).await?;
    let form = Query::parse(&String::from_utf8_lossy(&body.bytes))?;
    let told = if app.forms.made(form.get("token").unwrap_or_default(), &who, &subject.id()) {
        obey(&app, &who, &subject, word, &form).await
    } else {
        Err(ApiError::new(StatusCode::FORBIDDEN, "this form is not from this page as it is now; please press again"))
    };
    match told {
        Ok(()) => {
            let mut response = StatusCode::SEE_OTHER.into_response();
            let to = HeaderValue::from_str(&format!("/i/{}?done={word}", subject.id())).expect("an id and a word of ours are a header");
            response.headers_mut().insert(header::LOCATION, to);
            Ok(response)
        }
        Err(error) => {
            let now = Subject::of(&app, &id).await?;
            Ok(html(error.status, now.page(&app, &who, Some(PageNotice::Fault(error.detail))).await?))
        }
    }
}

async fn obey(app: &App, who: &Principal, subject: &Subject, word: &str, form: &Query) -> Result<(), ApiError> {
    let version: u64 = form.get("version").and_then(|text| text.parse().ok()).ok_or_else(|| ApiError::bad("version: expected a number"))?;
    let action = subject.action(word, form, app.now())?;
    match app.command(who, None, Some(version), action).await? {
        Obeyed::Done { .. } => Ok(()),
        Obeyed::Stale { .. } => {
            Err(ApiError::new(StatusCode::PRECONDITION_FAILED, "it has changed meanwhile and nothing was done; this is how it is now"))
        }
        Obeyed::NotAllowed { state, allowed } => Err(commands::conflict(state, &allowed)),
        Obeyed::NotFound { .. } => Err(commands::conflict(subject.state(), &[])),
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
