//! `/i/INC0000042`: the incident as a page, what every mail links to.

use askama::Template;

use watchkeeper_engine::calendar::Allowance;
use watchkeeper_engine::command::IncidentVerb;
use watchkeeper_engine::time::{Span, Time};
use watchkeeper_engine::words::{ClockState, IncidentState, Role, SlaTarget};

use super::page::{Field, Form, Need, Place, STYLE, Sheet, Ticket, lasted, line, maybe, quoted, rows, sentence};
use crate::mail::web_address;
use crate::view::{CiView, HistoryView, IncidentView, MemberView, SlaView, TicketView, WholeIncident};

/// Alerts that the page shows; the rest is counted.
const ALERTS_SHOWN: usize = 50;

/// Alerts that stand open on the page; the others of those are folded.
const ALERTS_OPEN: usize = 5;

/// An incident as a page.
#[derive(Debug, Clone)]
pub struct IncidentPage {
    /// The incident.
    pub whole: WholeIncident,
    /// The CI at fault, where the CMDB knows it.
    pub ci: Option<CiView>,
    /// What the reader may do; empty for who may only look.
    pub commands: Vec<IncidentVerb>,
    /// Proves that a form came from this page; made and checked by who serves it.
    pub token: String,
    /// When and for whom it is made.
    pub sheet: Sheet,
}

#[derive(Template)]
#[template(path = "../src/daemon/web/pages/incident.html")]
struct Html<'a> {
    page: &'a IncidentPage,
    style: &'static str,
}

impl Ticket for IncidentPage {
    fn id(&self) -> String {
        self.incident().id.to_string()
    }

    fn ticket(&self) -> &TicketView {
        &self.incident().ticket
    }

    fn history(&self) -> &HistoryView {
        &self.whole.history
    }

    fn sheet(&self) -> &Sheet {
        &self.sheet
    }

    fn record(&self) -> String {
        format!("/api/v1/incidents/{}", self.incident().id)
    }

    /// Commands that have a form of their own on the page, in the order of the buttons; detaching stands beside each alert.
    fn forms(&self) -> Vec<Form> {
        use IncidentVerb::{Acknowledge, Assign, Close, Hold, Note, Reopen, Resolve, Resume};
        let state = self.incident().state;
        // Another reason to wait is said on the command line: the page offers to go on.
        let is_held = |verb| verb == Hold && state == IncidentState::OnHold;
        let is_acknowledged = |verb| verb == Acknowledge && state != IncidentState::New;
        let shown = [Acknowledge, Resume, Reopen, Note, Assign, Resolve, Hold, Close].into_iter();
        shown.filter(|verb| self.commands.contains(verb) && !is_held(*verb) && !is_acknowledged(*verb)).map(form).collect()
    }

    fn token(&self) -> &str {
        &self.token
    }
}

impl IncidentPage {
    /// The whole page.
    pub fn html(&self) -> String {
        Html { page: self, style: STYLE }.render().expect("writing to a string does not fail")
    }

    fn incident(&self) -> &IncidentView {
        &self.whole.incident
    }

    fn verdict(&self) -> String {
        verdict(self.incident(), &self.sheet)
    }

    /// The rows, in the order of the mails.
    fn facts(&self) -> Vec<(&'static str, String)> {
        let (incident, ticket) = (self.incident(), self.ticket());
        let services = incident.services.iter().map(|hit| {
            let tier = hit.tier.as_ref().map_or_else(String::new, |tier| format!(" ({tier})"));
            // How a service was is not how it is.
            let health = Some(hit.health).filter(|_| incident.state.is_open());
            let health = health.map_or_else(String::new, |health| format!(": {}", health.word().replace('_', " ")));
            format!("{}{tier}{health}.", hit.id)
        });
        let cleared = incident
            .cleared
            .as_ref()
            .filter(|cleared| cleared.alerts > 0)
            .map(|cleared| cleared.words(|at| format!("at {}", self.clock(&at))));
        let muted_by = self.whole.alerts.iter().filter_map(|alert| alert.details.as_ref()).flat_map(|alert| &alert.muted_by).next();
        let hold = incident.hold.as_ref().map(|hold| {
            let until = hold.until.map_or_else(String::new, |until| format!(", until {} at most", self.clock(&until)));
            format!("{}{until}.", hold.reason.replace('_', " "))
        });
        let since = |at| format!("{} ({})", self.clock(&at), lasted(at - begun(incident)));
        let times = [
            Some(format!("opened {}", self.clock(&ticket.opened_at))),
            incident.reopened_at.map(|at| format!("last reopened {}", self.clock(&at))),
            incident.acknowledged_at.map(|at| format!("acknowledged {}", since(at))),
            ticket.resolved_at.map(|at| format!("resolved {}", since(at))),
            ticket.closed_at.map(|at| format!("closed {}", self.clock(&at))),
        ];
        let reopened = match incident.reopened {
            0 => String::new(),
            1 => "once.".to_owned(),
            times => format!("{times} times."),
        };
        let targets: Vec<String> = incident.sla.iter().map(|sla| self.target(sla)).collect();
        rows([
            ("CI", self.ci_words()),
            ("Owner", maybe(ticket.team.as_ref())),
            ("Affected", services.collect::<Vec<_>>().join(" ")),
            ("Alerts", sentence(&cleared.unwrap_or_default())),
            ("Cause", sentence(&ticket.because)),
            ("On hold", hold.unwrap_or_default()),
            ("Muted", sentence(muted_by.filter(|_| incident.muted).map_or("", String::as_str))),
            ("Resolved", quoted(&maybe(ticket.resolution.as_ref()))),
            ("Times", format!("{}.", times.into_iter().flatten().collect::<Vec<_>>().join(", "))),
            ("SLA", targets.join(" ")),
            ("Reopened", reopened),
            ("Notified", self.notified()),
            ("Rule", sentence(&ticket.rule)),
        ])
    }

    /// `gold: resolution by 07:02, 1 h left (75 % used).`
    fn target(&self, sla: &SlaView) -> String {
        let SlaView { name, target, percent, .. } = sla;
        let by = sla.deadline.map(|deadline| format!(" by {}", self.clock(&deadline))).unwrap_or_default();
        let (used, left) = (Span::seconds(sla.used_seconds).words(), Span::seconds(sla.left_seconds).words());
        let paused = match sla.paused_seconds {
            0 => String::new(),
            paused => format!(", {} did not count", Span::seconds(paused).words()),
        };
        let allowed = Allowance::parse(&sla.allowed).map_or_else(|_| sla.allowed.clone(), Allowance::words);
        match sla.state {
            ClockState::Met => format!("{name}: {target} met, {used} of {allowed}{paused}."),
            ClockState::Ended => format!("{name}: {target} neither met nor missed: {}.", maybe(sla.because.as_ref())),
            ClockState::Breached if *target == SlaTarget::Response => {
                let because = sla.because.as_ref().map_or_else(String::new, |because| format!(", {because}"));
                format!("{name}: {target} within {allowed}{by} BREACHED{because}.")
            }
            ClockState::Breached => format!("{name}: {target}{by} BREACHED, {used} of {allowed}{paused}."),
            ClockState::Paused => format!("{name}: {target} paused, {left} left ({percent} % used)."),
            ClockState::Running => format!("{name}: {target}{by}, {left} left ({percent} % used)."),
        }
    }

    fn ci_words(&self) -> String {
        let id = &self.ticket().ci;
        let Some(ci) = &self.ci else {
            return if id.is_empty() { String::new() } else { format!("{id} (not in the CMDB)") };
        };
        let owner = ci.owner.as_ref().map(|owner| format!("owner {owner}"));
        let about = [ci.class.clone(), ci.labels.get("site").cloned(), owner];
        let about: Vec<String> = about.into_iter().flatten().filter(|word| !word.is_empty()).collect();
        if about.is_empty() { ci.id.clone() } else { format!("{} ({})", ci.id, about.join(", ")) }
    }

    /// Other incidents, as links.
    fn related(&self) -> Vec<(&'static str, Vec<String>)> {
        let incident = self.incident();
        [
            ("Parent", incident.parent.iter().map(ToString::to_string).collect::<Vec<_>>()),
            ("Children", incident.children.iter().map(ToString::to_string).collect()),
            ("Earlier", incident.recurrence_of.iter().map(ToString::to_string).collect()),
            ("Problem", incident.problem.iter().map(ToString::to_string).collect()),
        ]
        .into_iter()
        .filter(|(_, ids)| !ids.is_empty())
        .collect()
    }

    fn runbook_link(&self) -> Option<String> {
        self.incident().runbook.as_deref().map(web_address).filter(|url| !url.is_empty())
    }

    /// The alerts that belong to it, the cause before its symptoms.
    fn present(&self) -> Vec<&MemberView> {
        let mut present: Vec<&MemberView> = self.whole.alerts.iter().filter(|alert| alert.left_at.is_none()).collect();
        present.sort_by_key(|alert| (alert.role, alert.id));
        present
    }

    fn alert_count(&self) -> usize {
        self.present().len()
    }

    /// Those that stand open, and those that are folded.
    fn alerts(&self) -> (Vec<&MemberView>, Vec<&MemberView>) {
        let mut open: Vec<&MemberView> = self.present().into_iter().take(ALERTS_SHOWN).collect();
        // One more is shown before it is folded.
        let folded = if open.len() > ALERTS_OPEN + 1 { open.split_off(ALERTS_OPEN) } else { Vec::new() };
        (open, folded)
    }

    /// `cause: HostDown on db-1, firing, critical, since 03:02`.
    fn alert_line(&self, alert: &MemberView) -> String {
        let severity = alert.details.as_ref().map_or_else(String::new, |alert| format!(", {}", alert.severity));
        let since = alert.details.as_ref().map_or(alert.joined_at, |alert| alert.cleared_at.unwrap_or(alert.starts_at));
        format!("{} on {}, {}{severity}, since {}", line(&alert.name), line(&alert.ci), alert.state, self.clock(&since))
    }

    /// `prometheus says: “ICMP lost”`.
    fn alert_says(&self, alert: &MemberView) -> String {
        let said = alert.details.as_ref().filter(|alert| !alert.summary.is_empty());
        said.map_or_else(String::new, |alert| {
            let source = if alert.source.is_empty() { "The sender" } else { &alert.source };
            format!("{} says: “{}”", line(source), line(&alert.summary))
        })
    }

    fn alert_link(&self, alert: &MemberView) -> Option<String> {
        alert.details.as_ref()?.url.as_deref().map(web_address).filter(|url| !url.is_empty())
    }

    /// A cause taken out of its own incident leaves it without one: only what it explains is offered.
    fn can_detach(&self, alert: &MemberView) -> bool {
        self.commands.contains(&IncidentVerb::Detach) && alert.details.is_some() && alert.role != Role::Cause
    }
}

/// Since when it is so: since its earliest alert began, or since it last came back.
fn begun(incident: &IncidentView) -> Time {
    incident.reopened_at.unwrap_or(incident.began_at.min(incident.ticket.opened_at))
}

/// State in capitals, since when and how long, who has it: the first line of the mails.
pub(super) fn verdict(incident: &IncidentView, sheet: &Sheet) -> String {
    let IncidentView { priority, ticket, .. } = incident;
    let assigned = match (&ticket.assignee, incident.acknowledged_at) {
        (Some(who), _) => format!("assigned to {}", line(who)),
        (None, None) => "not yet acknowledged".to_owned(),
        (None, Some(_)) => "assigned to nobody".to_owned(),
    };
    let since = format!("since {} ({})", sheet.clock(incident.began_at), lasted(sheet.now - incident.began_at));
    match (incident.state, ticket.resolved_at) {
        (IncidentState::Resolved | IncidentState::Closed, Some(at)) => {
            let by = ticket.resolved_by.as_ref().map_or_else(String::new, |by| format!(" by {}", line(by)));
            let open = at - begun(incident);
            let before = incident.lasted_before_seconds.map(|before| format!(", {} in all", lasted(Span(open.0 + before * 1_000))));
            let (state, before) = (incident.state.word().to_uppercase(), before.unwrap_or_default());
            format!("{priority} {state} {} after {}{before}{by}.", sheet.clock(at), lasted(open))
        }
        (IncidentState::OnHold, _) => format!("{priority} ON HOLD, open {since}, {assigned}."),
        (IncidentState::New, _) if incident.reopened > 0 => format!("{priority} OPEN AGAIN, first {since}, {assigned}."),
        (
            IncidentState::New | IncidentState::Acknowledged | IncidentState::InProgress | IncidentState::Resolved | IncidentState::Closed,
            _,
        ) => format!("{priority} OPEN {since}, {assigned}."),
    }
}

/// A command as a form.
const fn form(verb: IncidentVerb) -> Form {
    let (label, field) = match verb {
        IncidentVerb::Acknowledge => ("Acknowledge", Field::Nothing),
        IncidentVerb::Note => ("Add note", Field::Text("text", "Note")),
        IncidentVerb::Assign => ("Assign", Field::Line("to", "Assignee, a person or a team", Need::Must)),
        IncidentVerb::Hold => ("Put on hold", Field::Hold),
        IncidentVerb::Resume => ("Resume", Field::Nothing),
        IncidentVerb::Resolve => ("Resolve", Field::Line("words", "How it was fixed (optional)", Need::May)),
        IncidentVerb::Reopen => ("Reopen", Field::Line("words", "Why it is open again (optional)", Need::May)),
        IncidentVerb::Close => ("Close", Field::Nothing),
        IncidentVerb::Detach => ("Detach", Field::Line("alert", "Which alert", Need::Must)),
        IncidentVerb::Priority => ("Change priority", Field::Line("priority", "P1 to P5", Need::Must)),
        IncidentVerb::Merge => ("Merge", Field::Line("children", "Which incident", Need::Must)),
    };
    let is_first = matches!(verb, IncidentVerb::Acknowledge | IncidentVerb::Resume);
    Form { word: verb.word(), label, field, place: if is_first { Place::First } else { Place::Further } }
}
