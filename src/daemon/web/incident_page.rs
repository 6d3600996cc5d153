//! `/i/INC0000042`: the incident as a page, and its buttons. The browser shows the token as the password of HTTP Basic; a form proves by a token of its own
//! that it came from this page.

use axum::body::Body as HttpBody;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderValue, Request, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use watchkeeper_engine::command::{IncidentCommand, IncidentVerb};
use watchkeeper_engine::event::{Action, Reply};
use watchkeeper_engine::ids::ProblemId;
use watchkeeper_engine::model::alert::CiRef;
use watchkeeper_engine::model::incident::clock::Promise;
use watchkeeper_engine::model::incident::{Incident, Member};
use watchkeeper_engine::state::rows::AlertRow;
use watchkeeper_engine::text::{cut, one_line};
use watchkeeper_engine::words::{AlertState, IncidentState, Role};

use super::api::{body::Body, commands, incidents, problems};
use super::describe::{Content, Parameter, names};
use super::error::ApiError;
use super::page::{CONTENT_SECURITY_POLICY, Detach, IncidentPage, PageAlert, PageEntry, PageItem, PageNotice, PagePromise, PageService};
use super::problem_page::ProblemPage;
use super::query::Query;
use super::{Access, App, Endpoint};
use crate::ingest::http::read_body;
use crate::ingest::trust::{Need, Principal};
use crate::read::{WholeIncident, live};
use crate::view::ClearedView;

/// Alerts that the page shows; the rest is counted.
const ALERTS_SHOWN: usize = 50;

/// Entries of the timeline that the page shows; the rest is counted.
const ENTRIES_SHOWN: usize = 100;

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
        let world = app.world();
        let zone = world.cmdb.team(&whole.problem.team).map_or("", |team| team.zone.as_str());
        return Ok(html(StatusCode::OK, ProblemPage::of(whole, zone, app.now()).html()));
    }
    // Only words of ours are said again: what a link brings is not.
    let done = query.get("done").and_then(IncidentVerb::from_word);
    let notice = done.map(|verb| PageNotice::Done(format!("done: {verb}")));
    let whole = incidents::whole(&app, &id).await?;
    Ok(html(StatusCode::OK, page(&app, &who, whole, notice).await?.html()))
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
            Ok(html(error.status, page(&app, &who, whole, Some(PageNotice::Fault(error.detail))).await?.html()))
        }
    }
}

async fn obey(app: &App, who: &Principal, incident: &Incident, verb: IncidentVerb, form: &Query) -> Result<(), ApiError> {
    let version: u64 = form.get("version").and_then(|text| text.parse().ok()).ok_or_else(|| ApiError::bad("version: expected a number"))?;
    let command: IncidentCommand = Body::of_form::<IncidentCommand>(form, verb.word()).command(verb.word(), &[])?;
    let action = Action::of_incident(incident.id, command, app.now())?;
    match app.command(who, None, Some(version), action).await? {
        Reply::Done { .. } => Ok(()),
        Reply::Stale { .. } => {
            Err(ApiError::new(StatusCode::PRECONDITION_FAILED, "it has changed meanwhile and nothing was done; this is how it is now"))
        }
        Reply::NotAllowed { state, allowed } => Err(commands::conflict(state, &allowed)),
        Reply::NotFound { .. } => Err(commands::conflict(incident.state.word(), &[])),
        Reply::Invalid(refused) => Err(refused.into()),
        Reply::Taken(_) | Reply::Adopted => Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the writer answered something else")),
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

async fn page(app: &App, who: &Principal, whole: WholeIncident, notice: Option<PageNotice>) -> Result<IncidentPage, ApiError> {
    let WholeIncident { incident, members, timeline } = whole;
    let now = app.now();
    let live = live::incidents(&app.current, vec![incident.id]).remove(&incident.id).unwrap_or_default();
    let mut present: Vec<&Member> = members.iter().filter(|member| member.left_at.is_none()).collect();
    let alerts_total = present.len() as u64;
    present.sort_by_key(|member| (member.role, member.alert));
    present.truncate(ALERTS_SHOWN);
    let rows = app.records.alerts(present.iter().map(|member| member.alert).collect()).await?;
    let sources = app.records.sources().await?;
    let world = app.world();
    let may_operate = Need::Operate.allowed_to(who.role);
    let may_detach = may_operate && incident.is_open();
    let alert = |member: &&Member| page_alert(member, rows.iter().find(|row| row.alert.id == member.alert), &sources, may_detach);
    let ci = match incident.ci {
        CiRef::Known(no) => world.cmdb.ci(no),
        CiRef::Unknown(_) => None,
    };
    let item = match ci {
        Some(ci) => PageItem {
            id: ci.id.clone(),
            class: ci.class.clone(),
            owner: ci.owner.clone(),
            site: ci.labels.get("site").to_owned(),
            known: true,
        },
        None => PageItem { id: incident.item.clone(), ..PageItem::default() },
    };
    let muted_by = rows.iter().flat_map(|row| &row.alert.muted_by).next().filter(|_| incident.muted);
    let shown = timeline.len().min(ENTRIES_SHOWN);
    let zone = world.cmdb.team(&incident.team).map_or("", |team| team.zone.as_str());
    let terms = app.records.terms(std::slice::from_ref(&incident)).await?;
    Ok(IncidentPage {
        promises: incident.promises(&terms, now).iter().map(page_promise).collect(),
        id: incident.id.to_string(),
        version: incident.version,
        token: app.forms.token(who, &incident.id.to_string()),
        priority: incident.priority.word().to_owned(),
        state: incident.state.word().to_owned(),
        title: incident.title.clone(),
        item,
        services: incident
            .services
            .iter()
            .map(|hit| PageService { id: hit.id.clone(), tier: hit.tier.clone(), health: hit.health.word().to_owned() })
            .collect(),
        team: incident.team.clone(),
        holder: incident.assignee.clone(),
        because: incident.because.to_string(),
        runbook: incident.runbook.clone(),
        rule: incident.rule.clone(),
        began_at: incident.began_at,
        opened_at: incident.opened_at,
        acknowledged_at: incident.acknowledged_at,
        resolved_at: incident.resolved_at,
        resolved_by: incident.resolved_by.clone(),
        resolution: incident.resolution.clone(),
        closed_at: incident.closed_at,
        hold_reason: incident.hold_reason.clone(),
        hold_until: incident.hold_until,
        reopened: incident.reopened,
        muted_by: muted_by.map_or_else(String::new, ToString::to_string),
        parent: incident.parent.map(|id| id.to_string()),
        cleared: live.open.as_ref().and_then(ClearedView::of),
        children: live.children.iter().map(ToString::to_string).collect(),
        recurrence_of: incident.recurrence_of.map(|id| id.to_string()),
        problem: incident.problem.map(|id| id.to_string()),
        told: incident.told.iter().map(|told| told.address.clone()).collect(),
        alerts: present.iter().map(alert).collect(),
        alerts_total,
        timeline: timeline
            .iter()
            .rev()
            .take(shown)
            .map(|entry| PageEntry { at: entry.at, what: entry.what.clone(), because: entry.because.clone(), actor: entry.actor.clone() })
            .collect(),
        timeline_left_out: u64::from(incident.timeline_len).saturating_sub(shown as u64),
        commands: if may_operate { offered(&incident) } else { Vec::new() },
        notice: notice.map(|notice| match notice {
            PageNotice::Done(text) => PageNotice::Done(cut(&one_line(&text), 300)),
            PageNotice::Fault(text) => PageNotice::Fault(cut(&one_line(&text), 300)),
        }),
        now,
        zone: if zone.is_empty() { "UTC".to_owned() } else { zone.to_owned() },
    })
}

fn page_promise(promise: &Promise<'_>) -> PagePromise {
    let standing = &promise.standing;
    PagePromise {
        sla: promise.clock.name.clone(),
        target: promise.target.word().to_owned(),
        state: standing.state.word().to_owned(),
        allowed: standing.allowance.words(),
        percent: standing.percent,
        deadline: standing.deadline,
        left: standing.left,
        used: standing.used,
    }
}

fn page_alert(member: &Member, row: Option<&AlertRow>, sources: &[String], may_detach: bool) -> PageAlert {
    let mut shown = PageAlert {
        id: member.alert.to_string(),
        name: member.name.clone(),
        item: member.item.clone(),
        role: member.role.word().to_owned(),
        state: AlertState::Cleared.word().to_owned(),
        since: member.joined_at,
        because: member.because.to_string(),
        ..PageAlert::default()
    };
    if let Some(AlertRow { alert, vitals, .. }) = row {
        let said = vitals.said.as_ref().unwrap_or(&alert.said);
        shown.state = alert.state.word().to_owned();
        shown.severity = alert.severity.word().to_owned();
        shown.summary.clone_from(&said.summary);
        shown.url.clone_from(&said.url);
        shown.source = sources.get(usize::from(alert.source.0)).cloned().unwrap_or_default();
        shown.since = alert.cleared_at.unwrap_or(alert.started_at);
        // A cause taken out of its own incident leaves it without one: only what it explains is offered.
        if may_detach && member.role != Role::Cause {
            shown.detach = Detach::Offered;
        }
    }
    shown
}

/// Commands that have a form of their own on the page, in the order of the buttons; detaching stands beside each alert.
const BUTTONS: [IncidentVerb; 8] = {
    use IncidentVerb::{Acknowledge, Assign, Close, Hold, Note, Reopen, Resolve, Resume};
    [Acknowledge, Resume, Reopen, Note, Assign, Resolve, Hold, Close]
};

/// What the state allows, in the order of the buttons.
fn offered(incident: &Incident) -> Vec<IncidentVerb> {
    let allowed = if incident.parent.is_some() { IncidentVerb::OF_A_CHILD } else { IncidentVerb::allowed_in(incident.state) };
    // Another reason to wait is said on the command line: the page offers to go on.
    let is_held = |verb: IncidentVerb| verb == IncidentVerb::Hold && incident.state == IncidentState::OnHold;
    let is_taken = |verb: IncidentVerb| verb == IncidentVerb::Acknowledge && incident.state != IncidentState::New;
    BUTTONS.into_iter().filter(|verb| allowed.contains(verb) && !is_held(*verb) && !is_taken(*verb)).collect()
}
