//! `/i/PRB0000004`: a problem as a page: what keeps coming back, when it did, what helped, and what is done about it.

use askama::Template;
use jiff::tz::TimeZone;

use watchkeeper_engine::model::incident::Entry;
use watchkeeper_engine::model::problem::{Outage, Problem};
use watchkeeper_engine::time::{Span, Time};

use super::page::{STYLE, line};
use crate::mail::clock_words;
use crate::read::WholeProblem;

/// Entries of the timeline and outages that the page shows, the latest.
const SHOWN: usize = 100;

/// What the page shows. Texts may be as their senders wrote them: the page escapes them and puts them on one line.
pub(super) struct ProblemPage {
    id: String,
    version: u64,
    title: String,
    verdict: String,
    facts: Vec<(&'static str, String)>,
    outages: Vec<PageOutage>,
    outage_count: u32,
    timeline: Vec<Entry>,
    now: Time,
    zone: String,
}

struct PageOutage {
    incident: String,
    at: Time,
    lasted: String,
    words: String,
}

#[derive(Template)]
#[template(path = "../src/daemon/web/pages/problem.html")]
struct Html<'a> {
    page: &'a ProblemPage,
    style: &'static str,
}

impl ProblemPage {
    /// Of a record, with its times in a zone.
    pub(super) fn of(whole: WholeProblem, zone: &str, now: Time) -> ProblemPage {
        let WholeProblem { problem, mut timeline } = whole;
        timeline.reverse();
        timeline.truncate(SHOWN);
        let outages = problem.outages.iter().rev().take(SHOWN);
        let mut page = ProblemPage {
            id: problem.id.to_string(),
            version: problem.version,
            title: problem.title.clone(),
            verdict: verdict(&problem),
            facts: Vec::new(),
            outages: outages.map(|outage| page_outage(outage, now)).collect(),
            outage_count: problem.outage_count,
            timeline,
            now,
            zone: if zone.is_empty() { "UTC".to_owned() } else { zone.to_owned() },
        };
        let when = |at: Option<Time>| at.map(|at| page.clock(&at)).unwrap_or_default();
        let fixes = if problem.fixes_failed == 0 { String::new() } else { problem.fixes_failed.to_string() };
        page.facts = vec![
            ("Item", problem.item.clone()),
            ("Owner", problem.team.clone()),
            ("Has it", problem.assignee.clone()),
            ("Since", when(Some(problem.opened_at))),
            ("Out for", format!("{} in all", problem.lasted(now).words())),
            ("Workaround", problem.workaround.clone()),
            ("Failed fixes", fixes),
            ("Resolved", when(problem.resolved_at)),
            ("By", problem.resolved_by.clone()),
            ("Fix", problem.resolution.clone()),
            ("Closes", when(problem.close_at)),
            ("Closed", when(problem.closed_at)),
            ("Same", problem.key.same.clone()),
            ("Why", format!("problems {}: {}", problem.key.rule, problem.because)),
        ];
        page
    }

    /// The whole page.
    pub(super) fn html(&self) -> String {
        Html { page: self, style: STYLE }.render().expect("writing to a string does not fail")
    }

    fn line(&self, text: &str) -> String {
        line(text)
    }

    fn clock(&self, at: &Time) -> String {
        clock_words(*at, self.now, &TimeZone::get(&self.zone).unwrap_or(TimeZone::UTC))
    }
}

fn verdict(problem: &Problem) -> String {
    let holder = match (problem.state.is_open(), problem.assignee.as_str()) {
        (false, _) => String::new(),
        (true, "") => ", not yet acknowledged".to_owned(),
        (true, holder) => format!(", assigned to {holder}"),
    };
    format!("PROBLEM {}{holder}", problem.state.word().replace('_', " ").to_uppercase())
}

fn page_outage(outage: &Outage, now: Time) -> PageOutage {
    let lasted = (outage.ended.unwrap_or(now) - outage.at).max(Span::ZERO).words();
    PageOutage {
        incident: outage.incident.to_string(),
        at: outage.at,
        lasted: if outage.ended.is_some() { format!("for {lasted}") } else { format!("for {lasted} so far") },
        words: outage.words.clone(),
    }
}
