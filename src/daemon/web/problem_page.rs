//! `/i/PRB0000004`: a problem as a page: what keeps coming back, when it did, what helped, and what is done about it.

use askama::Template;

use watchkeeper_engine::command::ProblemVerb;
use watchkeeper_engine::time::Span;
use watchkeeper_engine::words::ProblemState;

use super::page::{Field, Form, Need, Place, STYLE, Sheet, Ticket, maybe, rows};
use crate::view::{HistoryView, OutageView, TicketView, WholeProblem};

/// Outages that the page shows, the latest.
const OUTAGES_SHOWN: usize = 100;

/// A problem as a page.
#[derive(Debug, Clone)]
pub struct ProblemPage {
    /// The problem.
    pub whole: WholeProblem,
    /// What the reader may do; empty for who may only look.
    pub commands: Vec<ProblemVerb>,
    /// Proves that a form came from this page; made and checked by who serves it.
    pub token: String,
    /// When and for whom it is made.
    pub sheet: Sheet,
}

#[derive(Template)]
#[template(path = "../src/daemon/web/pages/problem.html")]
struct Html<'a> {
    page: &'a ProblemPage,
    style: &'static str,
}

impl Ticket for ProblemPage {
    fn id(&self) -> String {
        self.whole.problem.id.to_string()
    }

    fn ticket(&self) -> &TicketView {
        &self.whole.problem.ticket
    }

    fn history(&self) -> &HistoryView {
        &self.whole.history
    }

    fn sheet(&self) -> &Sheet {
        &self.sheet
    }

    fn record(&self) -> String {
        format!("/api/v1/problems/{}", self.whole.problem.id)
    }

    fn forms(&self) -> Vec<Form> {
        use ProblemVerb::{Assign, Close, Fix, Investigate, KnownError, Note, Resolve};
        let is_investigated = |verb| verb == Investigate && self.whole.problem.state == ProblemState::Investigating;
        let shown = [Investigate, Note, Assign, KnownError, Fix, Resolve, Close].into_iter();
        shown.filter(|verb| self.commands.contains(verb) && !is_investigated(*verb)).map(form).collect()
    }

    fn token(&self) -> &str {
        &self.token
    }
}

impl ProblemPage {
    /// The whole page.
    pub fn html(&self) -> String {
        Html { page: self, style: STYLE }.render().expect("writing to a string does not fail")
    }

    fn verdict(&self) -> String {
        let state = self.whole.problem.state;
        let assigned = if state.is_open() { format!(", {}", self.assigned()) } else { String::new() };
        format!("PROBLEM {}{assigned}", state.word().replace('_', " ").to_uppercase())
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let (problem, ticket) = (&self.whole.problem, self.ticket());
        let out: i64 = self.whole.outages.iter().map(|outage| self.lasted(outage).0).sum();
        let failed = if problem.fixes_failed == 0 { String::new() } else { problem.fixes_failed.to_string() };
        rows([
            ("CI", ticket.ci.clone()),
            ("Owner", maybe(ticket.team.as_ref())),
            ("Since", self.clock(&ticket.opened_at)),
            ("Out for", format!("{} in all", Span(out).words())),
            ("Workaround", maybe(problem.workaround.as_ref())),
            ("Failed fixes", failed),
            ("Resolved", self.sheet.maybe_clock(ticket.resolved_at)),
            ("By", maybe(ticket.resolved_by.as_ref())),
            ("Fix", maybe(ticket.resolution.as_ref())),
            ("Closes", self.sheet.maybe_clock(problem.closes_at)),
            ("Closed", self.sheet.maybe_clock(ticket.closed_at)),
            ("Notified", self.notified()),
            ("Shared", problem.same.clone()),
            ("Rule", format!("problems {}: {}", ticket.rule, ticket.because)),
        ])
    }

    /// The last outages, the latest first.
    fn outages(&self) -> impl Iterator<Item = &OutageView> {
        self.whole.outages.iter().rev().take(OUTAGES_SHOWN)
    }

    fn lasted(&self, outage: &OutageView) -> Span {
        (outage.ended_at.unwrap_or(self.sheet.now) - outage.at).max(Span::ZERO)
    }

    /// `for 5 min`, or `for 5 min so far`.
    fn lasted_words(&self, outage: &OutageView) -> String {
        let so_far = if outage.ended_at.is_some() { "" } else { " so far" };
        format!("for {}{so_far}", self.lasted(outage).words())
    }
}

/// A command as a form.
const fn form(verb: ProblemVerb) -> Form {
    let (label, field) = match verb {
        ProblemVerb::Assign => ("Assign", Field::Line("to", "Assignee, a person or a team", Need::Must)),
        ProblemVerb::Note => ("Add note", Field::Text("text", "Note")),
        ProblemVerb::Investigate => ("Investigate", Field::Nothing),
        ProblemVerb::KnownError => ("Record a known error", Field::Text("workaround", "Workaround: what helps until it is fixed")),
        ProblemVerb::Fix => ("A fix is under way", Field::Line("words", "Which fix (optional)", Need::May)),
        ProblemVerb::Resolve => ("Resolve", Field::Line("words", "How it was fixed (optional)", Need::May)),
        ProblemVerb::Close => ("Close", Field::Line("words", "Why it is closed (optional)", Need::May)),
    };
    let is_first = matches!(verb, ProblemVerb::Investigate);
    Form { word: verb.word(), label, field, place: if is_first { Place::First } else { Place::Further } }
}
