//! `/a/TOKEN`: a link of a mail acts. Opening it shows a page with one button, pressing that does it, as whoever the mail went to; no other token is
//! asked for. Where it is too late, done already or not our link, the page says so in words.

use axum::body::Body as HttpBody;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, Request, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::tz::TimeZone;

use watchkeeper_engine::command::{IncidentCommand, IncidentVerb};
use watchkeeper_engine::event::{Action, Obeyed, World};
use watchkeeper_engine::ids::AlertId;
use watchkeeper_engine::model::incident::{Incident, Member};
use watchkeeper_engine::model::message::Message;
use watchkeeper_engine::text::{cut, one_line};
use watchkeeper_engine::time::Time;
use watchkeeper_engine::words::IncidentState;

use super::api::{body::Body, commands, incidents};
use super::describe::{Content, Parameter};
use super::error::ApiError;
use super::incident_page::verdict;
use super::link_page::{LinkField, LinkForm, LinkPage};
use super::page::{CONTENT_SECURITY_POLICY, PageNotice, Sheet};
use super::query::Query;
use super::{Access, App, Endpoint};
use crate::config::Role;
use crate::ingest::http::read_stranger_body;
use crate::ingest::trust::Principal;
use crate::mail::{Checked, Link, LinkAction, clock_words};
use crate::read::WholeIncident;
use crate::read::live::IncidentNow;
use crate::view::IncidentView;

/// Bytes of a form: a note of 8 KiB, each byte written as three.
const FORM_BYTES_MAX: usize = 64 * 1024;
/// Bytes of the name that somebody of a team gives.
const NAME_BYTES_MAX: usize = 60;
/// Bytes of what a page quotes.
const QUOTE_BYTES_MAX: usize = 300;

/// Parameters of the page.
const DONE: [Parameter; 1] = [Parameter::text("done", "The button led here.")];

/// The endpoints of this file.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/a/{token}", Access::Public, get(show))
            .says("The page behind a link of a mail: what its button does, as whom and until when. Opening it changes nothing.")
            .takes(&DONE)
            .gives(200, Content::Html)
            .gives(404, Content::Html)
            .gives(410, Content::Html),
        Endpoint::post("/a/{token}", Access::Public, post(press))
            .says("The button of that page: done as whoever the mail went to.")
            .gives(303, Content::Nothing)
            .gives(400, Content::Html)
            .gives(404, Content::Html)
            .gives(409, Content::Html)
            .gives(410, Content::Html),
    ]
}

/// A link of ours that holds, and what it is about.
struct Opened {
    token: String,
    action: LinkAction,
    until: Time,
    who: Who,
    whole: WholeIncident,
    alerts: Vec<AlertId>,
    zone: String,
    now: Time,
}

/// Whoever a mail went to.
enum Who {
    /// One person: their id.
    Person(String),
    /// All of a team: its id.
    Team(String),
    /// An address that the CMDB does not know.
    Address(String),
}

/// Why there is no button.
struct Refusal(StatusCode, Box<LinkPage>);

/// Whether there is something to do.
enum Deed {
    /// The button does it.
    Offered,
    /// It is so already, or cannot be: a sentence.
    Nothing(String),
}

async fn show(State(app): State<App>, Path(token): Path<String>, uri: Uri) -> Response {
    // Programs between mail and browser add parameters of their own.
    let is_done = Query::tolerant(&uri).is_ok_and(|query| query.each("done").next().is_some());
    match open(&app, token).await {
        Ok(opened) => {
            let notice = is_done.then(|| PageNotice::Done(done(opened.action).to_owned()));
            html(StatusCode::OK, &opened.page(notice))
        }
        Err(Refusal(status, page)) => html(status, &page),
    }
}

async fn press(State(app): State<App>, Path(token): Path<String>, request: Request<HttpBody>) -> Response {
    match obey(&app, token, request).await {
        Ok(response) => response,
        Err(Refusal(status, page)) => html(status, &page),
    }
}

/// The link, checked, with what it is about.
async fn open(app: &App, token: String) -> Result<Opened, Refusal> {
    let Some(link) = Link::read(&token) else { return Err(foreign(None)) };
    let now = app.now();
    let message = app.records.message(link.message).await.map_err(ApiError::from)?.ok_or_else(|| foreign(Some(&link)))?;
    let zone = if message.zone.is_empty() { "UTC".to_owned() } else { message.zone.clone() };
    let until = match app.links.check(&link, &message, now) {
        Checked::Holds(until) => until,
        Checked::Expired(until) => return Err(expired(&link, until, now, zone)),
        Checked::Forged => return Err(foreign(Some(&link))),
    };
    let whole = incidents::whole(app, &link.incident.to_string()).await?;
    let who = Who::of(&app.world(), &message);
    Ok(Opened {
        token,
        action: link.action,
        until,
        who,
        whole,
        alerts: message.content.yours().map(|yours| yours.alerts.clone()).unwrap_or_default(),
        zone,
        now,
    })
}

async fn obey(app: &App, token: String, request: Request<HttpBody>) -> Result<Response, Refusal> {
    let opened = open(app, token).await?;
    if let Deed::Nothing(_) = opened.deed() {
        return Ok(html(StatusCode::CONFLICT, &opened.page(None)));
    }
    let body = read_stranger_body(request, FORM_BYTES_MAX, &app.strangers).await.map_err(ApiError::from)?;
    let form = Query::parse(&String::from_utf8_lossy(&body.bytes))?;
    match opened.command(app, &form).await {
        Ok(()) => {
            let mut response = StatusCode::SEE_OTHER.into_response();
            let to = HeaderValue::from_str(&format!("/a/{}?done", opened.token)).expect("a token of ours is a header");
            response.headers_mut().insert(header::LOCATION, to);
            Ok(response)
        }
        Err(error) => {
            let fault = PageNotice::Fault(cut(&one_line(&error.detail), QUOTE_BYTES_MAX));
            Ok(html(error.status, &open(app, opened.token).await?.page(Some(fault))))
        }
    }
}

impl Opened {
    /// Has the writer do it.
    async fn command(&self, app: &App, form: &Query) -> Result<(), ApiError> {
        let actor = self.who.actor(form.get("name").unwrap_or_default());
        let who = Principal { name: actor, role: Role::Operator };
        for action in self.actions(&who.name, form)? {
            match app.command(&who, None, None, action).await? {
                Obeyed::Done { .. } => {}
                Obeyed::NotAllowed { state, allowed } => return Err(commands::conflict(state, &allowed)),
                Obeyed::NotFound { .. } => return Err(commands::conflict(self.incident().state.word(), &[])),
                Obeyed::Invalid(refused) => return Err(refused.into()),
                Obeyed::Stale { .. } => {
                    return Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the writer answered something else"));
                }
            }
        }
        Ok(())
    }

    fn actions(&self, actor: &str, form: &Query) -> Result<Vec<Action>, ApiError> {
        let id = self.incident().id;
        let typed = |verb: IncidentVerb| -> Result<Action, ApiError> {
            let command: IncidentCommand = Body::of_form::<IncidentCommand>(form, verb.word()).command(verb.word(), &[])?;
            Ok(Action::of_incident(id, command, self.now)?)
        };
        Ok(match self.action {
            LinkAction::Acknowledge => vec![Action::Acknowledge { id }],
            LinkAction::NotMine => {
                let words = one_line(form.get("text").unwrap_or_default());
                let text = if words.is_empty() { "not ours".to_owned() } else { format!("not ours: {words}") };
                vec![Action::Note { id, text }]
            }
            LinkAction::Note => vec![typed(IncidentVerb::Note)?],
            LinkAction::TakeOver => vec![Action::Assign { id, to: actor.to_owned() }],
            LinkAction::Hold => vec![typed(IncidentVerb::Hold)?],
            LinkAction::Detach => self.here().map(|member| Action::Detach { id, alert: member.alert }).collect(),
        })
    }

    /// What the button would do, if anything.
    fn deed(&self) -> Deed {
        let incident = self.incident();
        let over = || Deed::Nothing(self.over());
        if let (Some(parent), false) = (incident.parent, self.action == LinkAction::Note) {
            return Deed::Nothing(format!("It is a part of {parent}: work goes on there."));
        }
        match (self.action, incident.state) {
            (LinkAction::Note, IncidentState::Closed) => over(),
            (LinkAction::Note, _) => Deed::Offered,
            (_, IncidentState::Resolved | IncidentState::Closed) => over(),
            (LinkAction::Acknowledge | LinkAction::NotMine, IncidentState::New) => Deed::Offered,
            (LinkAction::Acknowledge | LinkAction::NotMine, _) => Deed::Nothing(self.had()),
            (LinkAction::TakeOver, _) if self.who.is(&incident.assignee) => Deed::Nothing("You have it.".to_owned()),
            (LinkAction::TakeOver, _) => Deed::Offered,
            (LinkAction::Hold, IncidentState::OnHold) => Deed::Nothing("It is on hold.".to_owned()),
            (LinkAction::Hold, _) => Deed::Offered,
            (LinkAction::Detach, _) if self.here().next().is_none() => {
                Deed::Nothing("None of your alerts belongs to this incident any more.".to_owned())
            }
            (LinkAction::Detach, _) => Deed::Offered,
        }
    }

    fn page(&self, notice: Option<PageNotice>) -> LinkPage {
        let incident = self.incident();
        let deed = self.deed();
        let is_done = matches!(notice, Some(PageNotice::Done(_)));
        let asks = match &deed {
            Deed::Offered if !is_done => Some(self.form()),
            Deed::Offered | Deed::Nothing(_) => None,
        };
        let heading = match (&deed, is_done) {
            (Deed::Offered, false) => format!("{} {}: {}", question(self.action), incident.id, incident.title),
            (Deed::Offered | Deed::Nothing(_), _) => format!("{}: {}", incident.id, incident.title),
        };
        let says = match (deed, is_done) {
            (Deed::Offered, false) => vec![self.what()],
            (Deed::Nothing(words), false) => vec![words, "There is nothing to do here.".to_owned()],
            (Deed::Offered | Deed::Nothing(_), true) => Vec::new(),
        };
        let mut facts = vec![("Now", self.verdict())];
        if self.action == LinkAction::Detach {
            let alerts: Vec<String> = self.here().map(|member| format!("{} on {}", member.name, member.item)).collect();
            facts.push(("Yours", alerts.join(", ")));
        }
        facts.push(("You are", self.who.words()));
        facts.push(("Link", format!("This link is valid until {}.", self.clock(self.until))));
        LinkPage {
            heading: cut(&one_line(&heading), QUOTE_BYTES_MAX),
            notice,
            says,
            form: asks,
            facts: facts.into_iter().filter(|(_, value)| !value.is_empty()).collect(),
            incident: Some(incident.id.to_string()),
            priority: incident.priority.word().to_owned(),
            zone: self.zone.clone(),
        }
    }

    fn form(&self) -> LinkForm {
        let name = matches!(self.who, Who::Team(_)).then_some(LinkField::Name);
        let (button, own) = match self.action {
            LinkAction::Acknowledge => ("Acknowledge", None),
            LinkAction::NotMine => ("It is not ours", Some(LinkField::Line("Whose is it, or why is it not yours (optional)"))),
            LinkAction::Note => ("Add note", Some(LinkField::Text("Note"))),
            LinkAction::TakeOver => ("Take over", None),
            LinkAction::Hold => ("Put on hold", Some(LinkField::Hold)),
            LinkAction::Detach => ("Detach: they are not a part of it", None),
        };
        LinkForm { token: self.token.clone(), button, fields: own.into_iter().chain(name).collect() }
    }

    /// What the button does, in a sentence.
    fn what(&self) -> String {
        let assignee = &self.incident().assignee;
        match self.action {
            LinkAction::Acknowledge => "You become the assignee of this incident.".to_owned(),
            LinkAction::NotMine => "Your note is added to the timeline. The incident stays open and not yet acknowledged.".to_owned(),
            LinkAction::Note if self.incident().state == IncidentState::Resolved => {
                "What was the cause, and what fixed it? One line is enough: the next responder will read it.".to_owned()
            }
            LinkAction::Note => "Your note is added to the timeline.".to_owned(),
            LinkAction::TakeOver if assignee.is_empty() => "The incident will be assigned to you.".to_owned(),
            LinkAction::TakeOver => format!("The incident will be assigned to you instead of {assignee}."),
            LinkAction::Hold => "The incident is put on hold; the timeline shows for what and until when.".to_owned(),
            LinkAction::Detach => "These alerts leave the incident and are judged again, for themselves.".to_owned(),
        }
    }

    /// The alerts of a detach that are in the incident still.
    fn here(&self) -> impl Iterator<Item = &Member> {
        let is_named = |member: &&Member| member.left_at.is_none() && self.alerts.contains(&member.alert);
        self.whole.members.iter().filter(is_named)
    }

    fn had(&self) -> String {
        let incident = self.incident();
        let since = incident.acknowledged_at.map(|at| format!(" since {}", self.clock(at))).unwrap_or_default();
        match incident.assignee.as_str() {
            "" if incident.acknowledged_at.is_none() => "Nobody has acknowledged it.".to_owned(),
            "" => format!("It is acknowledged{since}, and assigned to nobody."),
            assignee => format!("It is assigned to {assignee}{since}."),
        }
    }

    fn over(&self) -> String {
        let incident = self.incident();
        let since = incident.resolved_at.map(|at| format!(" since {}", self.clock(at))).unwrap_or_default();
        format!("It is over{since}.")
    }

    /// The first line of the incident's page.
    fn verdict(&self) -> String {
        let incident = IncidentView::of(self.incident(), &IncidentNow::default(), Vec::new(), String::new());
        verdict(&incident, &Sheet::new(self.now, &self.zone, None))
    }

    fn clock(&self, at: Time) -> String {
        clock_words(at, self.now, &TimeZone::get(&self.zone).unwrap_or(TimeZone::UTC))
    }

    fn incident(&self) -> &Incident {
        &self.whole.incident
    }
}

impl Who {
    fn of(world: &World, message: &Message) -> Who {
        let inventory = world.cmdb.inventory();
        let has = |mail: &[String]| mail.iter().any(|address| address.eq_ignore_ascii_case(&message.to));
        if let Some(person) = inventory.people.values().find(|person| has(&person.mail)) {
            return Who::Person(person.id.clone());
        }
        match inventory.teams.values().find(|team| has(&team.mail)) {
            Some(team) => Who::Team(team.id.clone()),
            None => Who::Address(message.to.clone()),
        }
    }

    /// The name in the timeline. What somebody calls themselves is never all of it: their team's box is what the link proves.
    fn actor(&self, name: &str) -> String {
        let name = one_line(&cut(name, NAME_BYTES_MAX));
        match self {
            Who::Person(id) | Who::Address(id) => id.clone(),
            Who::Team(id) if name.is_empty() => id.clone(),
            Who::Team(id) => format!("{name} ({id})"),
        }
    }

    /// Whether `assignee` is nobody else.
    fn is(&self, assignee: &str) -> bool {
        match self {
            Who::Person(id) | Who::Address(id) => id == assignee,
            // Somebody else of the team may want it.
            Who::Team(_) => false,
        }
    }

    fn words(&self) -> String {
        match self {
            Who::Person(id) | Who::Address(id) => format!("{id}, to whom the mail went."),
            Who::Team(id) => format!("somebody of {id}, to which the mail went."),
        }
    }
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Refusal {
        let page = LinkPage {
            heading: "That did not work".to_owned(),
            says: vec![cut(&one_line(&error.detail), QUOTE_BYTES_MAX)],
            ..LinkPage::default()
        };
        Refusal(error.status, Box::new(page))
    }
}

/// One answer whatever is wrong: who tries tokens learns nothing from it.
fn foreign(link: Option<&Link>) -> Refusal {
    let page = LinkPage {
        heading: "This link does nothing".to_owned(),
        says: vec![
            "It is not whole, or not from a mail of this Watchkeeper.".to_owned(),
            "Some mail programs break long lines: copy the whole address, or open the incident.".to_owned(),
        ],
        incident: link.map(|link| link.incident.to_string()),
        ..LinkPage::default()
    };
    Refusal(StatusCode::NOT_FOUND, Box::new(page))
}

fn expired(link: &Link, until: Time, now: Time, zone: String) -> Refusal {
    let at = clock_words(until, now, &TimeZone::get(&zone).unwrap_or(TimeZone::UTC));
    let page = LinkPage {
        heading: "This link has expired".to_owned(),
        says: vec![format!("It was valid until {at}. Nothing was done; the incident itself can still be opened.")],
        incident: Some(link.incident.to_string()),
        zone,
        ..LinkPage::default()
    };
    Refusal(StatusCode::GONE, Box::new(page))
}

const fn question(action: LinkAction) -> &'static str {
    match action {
        LinkAction::Acknowledge => "Acknowledge",
        LinkAction::NotMine => "Not yours?",
        LinkAction::Note => "Add a note to",
        LinkAction::TakeOver => "Take over",
        LinkAction::Hold => "Hold",
        LinkAction::Detach => "Detach from",
    }
}

const fn done(action: LinkAction) -> &'static str {
    match action {
        LinkAction::Acknowledge | LinkAction::TakeOver => "Done: the incident is assigned to you.",
        LinkAction::NotMine | LinkAction::Note => "Done: your note is in the timeline.",
        LinkAction::Hold => "Done: the incident is on hold.",
        LinkAction::Detach => "Done: your alerts are judged for themselves.",
    }
}

fn html(status: StatusCode, page: &LinkPage) -> Response {
    let mut response = (status, page.html()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    let policy = HeaderValue::from_str(&CONTENT_SECURITY_POLICY).expect("the policy is plain ASCII");
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    response
}
