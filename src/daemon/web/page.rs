//! The incident as a page, `/i/INC0000042`: what every mail links to. Works without scripts; every command is a form.
//!
//! Knows plain data and HTML, neither the store nor the engine: who serves it fills [`IncidentPage`] from the record.

use std::sync::LazyLock;

use askama::Template;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};
use watchkeeper_engine::command::IncidentVerb;
use watchkeeper_engine::text::one_line;
use watchkeeper_engine::time::{Span, Time};

use crate::mail::{clock_words, web_address};
use crate::view::ClearedView;

pub(super) static STYLE: &str = include_str!("pages/style.css");

/// What the page may do: nothing but show itself, by its own style, and send its forms home.
pub static CONTENT_SECURITY_POLICY: LazyLock<String> = LazyLock::new(|| {
    let digest = BASE64_STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    format!("default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
});

/// An incident as the page shows it. Texts may be as their senders wrote them: the page escapes them and puts them on one line.
#[derive(Debug, Clone, Default)]
pub struct IncidentPage {
    /// `INC0000042`.
    pub id: String,
    /// The record's version: what the commands expect.
    pub version: u64,
    /// Proves that a form came from this page; made and checked by who serves it.
    pub token: String,
    /// `P1` to `P5`.
    pub priority: String,
    /// `new`, `acknowledged`, `in_progress`, `on_hold`, `resolved` or `closed`.
    pub state: String,
    /// What is wrong, in a sentence.
    pub title: String,
    /// The item at fault.
    pub item: PageItem,
    /// The services it hurts, worst first.
    pub services: Vec<PageService>,
    /// The team that has the cause; empty where nobody owns it.
    pub team: String,
    /// Who has it; empty where nobody does.
    pub holder: String,
    /// Which of its alerts have cleared; `None` once it is closed.
    pub cleared: Option<ClearedView>,
    /// Why it is an incident of its own, or why that is the cause.
    pub because: String,
    /// Where to read what to do; empty where no rule says.
    pub runbook: String,
    /// The correlate rule.
    pub rule: String,
    /// When its earliest alert began.
    pub began_at: Time,
    /// When it was opened.
    pub opened_at: Time,
    /// When somebody first had it.
    pub acknowledged_at: Option<Time>,
    /// When it was resolved.
    pub resolved_at: Option<Time>,
    /// Who resolved it; empty where it resolved itself.
    pub resolved_by: String,
    /// With which words.
    pub resolution: String,
    /// When it was closed.
    pub closed_at: Option<Time>,
    /// Why it waits, as one of the three words of `hold`; empty where it does not.
    pub hold_reason: String,
    /// Until when it waits at most.
    pub hold_until: Option<Time>,
    /// Where the promises of its SLAs stand, a sentence each.
    pub promises: Vec<PagePromise>,
    /// How often it came back.
    pub reopened: u32,
    /// What mutes it; empty where nothing does.
    pub muted_by: String,
    /// The incident it is a part of.
    pub parent: Option<String>,
    /// The incidents that are parts of it.
    pub children: Vec<String>,
    /// The one before it with the same group.
    pub recurrence_of: Option<String>,
    /// The problem that it is an outage of.
    pub problem: Option<String>,
    /// Who was told, as addresses.
    pub told: Vec<String>,
    /// The first alerts, the cause before its symptoms.
    pub alerts: Vec<PageAlert>,
    /// How many alerts it has.
    pub alerts_total: u64,
    /// The last entries, latest first.
    pub timeline: Vec<PageEntry>,
    /// Entries before those.
    pub timeline_left_out: u64,
    /// What the reader may do, in the order of the buttons; empty for who may only look.
    pub commands: Vec<IncidentVerb>,
    /// What became of the command before this page; `None` where there was none.
    pub notice: Option<PageNotice>,
    /// When the page was made.
    pub now: Time,
    /// The zone its times are shown in; UTC where it is unknown.
    pub zone: String,
}

/// A promise of an SLA on the page.
#[derive(Debug, Clone, Default)]
pub struct PagePromise {
    /// The SLA's name.
    pub sla: String,
    /// `response` or `resolution`.
    pub target: String,
    /// `running`, `paused`, `met` or `breached`.
    pub state: String,
    /// How long it may take, in words.
    pub allowed: String,
    /// The used share, in percent.
    pub percent: u32,
    /// Until when; `None` while it waits.
    pub deadline: Option<Time>,
    /// The time left, by the SLA's calendar.
    pub left: Span,
    /// The used time, by the SLA's calendar.
    pub used: Span,
}

/// An item on the page.
#[derive(Debug, Clone, Default)]
pub struct PageItem {
    /// Its id.
    pub id: String,
    /// Its class.
    pub class: String,
    /// The team that owns it.
    pub owner: String,
    /// Its label `site`.
    pub site: String,
    /// Whether the CMDB knows it.
    pub known: bool,
}

/// A service on the page.
#[derive(Debug, Clone, Default)]
pub struct PageService {
    /// Its id.
    pub id: String,
    /// Its tier.
    pub tier: String,
    /// `down`, `degraded` or `at_risk`.
    pub health: String,
}

/// An alert on the page.
#[derive(Debug, Clone, Default)]
pub struct PageAlert {
    /// `ALR0000042`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its item.
    pub item: String,
    /// `cause`, `symptom` or `member`.
    pub role: String,
    /// `firing`, `suppressed`, `cleared`, ….
    pub state: String,
    /// Its severity.
    pub severity: String,
    /// Its summary as its sender wrote it.
    pub summary: String,
    /// Its source.
    pub source: String,
    /// Where its sender shows it.
    pub url: String,
    /// Since when it fires, or when it cleared.
    pub since: Time,
    /// Why it is here.
    pub because: String,
    /// Whether the reader may take it out.
    pub detach: Detach,
}

/// Whether an alert may be taken out of its incident by the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Detach {
    /// It shows a button.
    Offered,
    /// It does not.
    #[default]
    NotOffered,
}

/// An entry of the timeline on the page.
#[derive(Debug, Clone, Default)]
pub struct PageEntry {
    /// When.
    pub at: Time,
    /// What.
    pub what: String,
    /// Why; may be empty.
    pub because: String,
    /// Who.
    pub actor: String,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageNotice {
    /// It was done.
    Done(String),
    /// It was refused, with a reason.
    Fault(String),
}

/// What a form asks for beside `version` and `token`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PageField {
    Nothing,
    Line(&'static str, &'static str, Need),
    Text(&'static str, &'static str),
    Hold,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Must,
    May,
}

impl Need {
    fn is_must(self) -> bool {
        self == Need::Must
    }
}

#[derive(Template)]
#[template(path = "../src/daemon/web/pages/incident.html")]
struct Html<'a> {
    page: &'a IncidentPage,
    style: &'static str,
}

impl IncidentPage {
    /// The whole page.
    pub fn html(&self) -> String {
        Html { page: self, style: STYLE }.render().expect("writing to a string does not fail")
    }

    /// State in capitals, since when and how long, who has it: the first line of the mails.
    pub(super) fn verdict(&self) -> String {
        let priority = self.line(&self.priority);
        let has =
            if self.holder.is_empty() { "not yet acknowledged".to_owned() } else { format!("assigned to {}", self.line(&self.holder)) };
        let since = format!("since {} ({})", self.clock(&self.began_at), lasted(self.now - self.began_at));
        match (self.state.as_str(), self.resolved_at) {
            ("resolved" | "closed", Some(at)) => {
                let by = if self.resolved_by.is_empty() { String::new() } else { format!(" by {}", self.line(&self.resolved_by)) };
                let lasted = lasted(at - self.began_at);
                format!("{priority} {} {} after {lasted}{by}.", self.state.to_uppercase(), self.clock(&at))
            }
            ("on_hold", _) => format!("{priority} ON HOLD, open {since}, {has}."),
            ("new", _) if self.reopened > 0 => format!("{priority} OPEN AGAIN, first {since}, {has}."),
            _ => format!("{priority} OPEN {since}, {has}."),
        }
    }

    /// Label and value of every row that has something to say, in the order of the mails.
    fn facts(&self) -> Vec<(&'static str, String)> {
        let services: Vec<String> = self
            .services
            .iter()
            .map(|hit| {
                let tier = if hit.tier.is_empty() { String::new() } else { format!(" ({})", hit.tier) };
                format!("{}{tier}: {}.", hit.id, hit.health.replace('_', " "))
            })
            .collect();
        let told: Vec<&str> = self.told.iter().take(TOLD_SHOWN).map(String::as_str).collect();
        let told_more = self.told.len().saturating_sub(TOLD_SHOWN);
        let hold = match (self.hold_reason.is_empty(), self.hold_until) {
            (true, _) => String::new(),
            (false, None) => format!("{}.", self.hold_reason.replace('_', " ")),
            (false, Some(until)) => format!("{}, until {} at most.", self.hold_reason.replace('_', " "), self.clock(&until)),
        };
        let mut clock = vec![format!("opened {}", self.clock(&self.opened_at))];
        clock.extend(self.acknowledged_at.map(|at| format!("acknowledged {} ({})", self.clock(&at), lasted(at - self.began_at))));
        clock.extend(self.resolved_at.map(|at| format!("resolved {} ({})", self.clock(&at), lasted(at - self.began_at))));
        clock.extend(self.closed_at.map(|at| format!("closed {}", self.clock(&at))));
        let reopened = match self.reopened {
            0 => String::new(),
            1 => "once.".to_owned(),
            times => format!("{times} times."),
        };
        let cleared = self.cleared.as_ref().map(|cleared| cleared.words(|at| format!("at {}", self.clock(&at))));
        let rule = if self.rule.is_empty() { String::new() } else { format!("rule {}.", self.rule) };
        [
            ("Item", self.item_words()),
            ("Team", self.team.clone()),
            ("Hurts", services.join(" ")),
            ("Alerts", cleared.map_or_else(String::new, |words| format!("{words}."))),
            ("Cause", sentence(&self.because)),
            ("On hold", hold),
            ("Muted", sentence(&self.muted_by)),
            ("Resolved", quoted(&self.resolution)),
            ("Clock", format!("{}.", clock.join(", "))),
            ("SLA", self.promises.iter().map(|promise| self.promised(promise)).collect::<Vec<_>>().join(" ")),
            ("Came back", reopened),
            ("Told", if told_more > 0 { format!("{} and {told_more} more.", told.join(", ")) } else { told.join(", ") }),
            ("Why", rule),
        ]
        .into_iter()
        .map(|(label, value)| (label, self.line(&value)))
        .filter(|(_, value)| !value.is_empty())
        .collect()
    }

    /// `gold: resolution by 07:02, 1 h left (75 % used).`
    fn promised(&self, promise: &PagePromise) -> String {
        let PagePromise { sla, target, state, allowed, percent, deadline, left, used } = promise;
        let by = deadline.map(|deadline| format!(" by {}", self.clock(&deadline))).unwrap_or_default();
        match state.as_str() {
            "met" => format!("{sla}: {target} kept, {} of {allowed}.", used.words()),
            "breached" => format!("{sla}: {target}{by} BREACHED, {} of {allowed}.", used.words()),
            "paused" => format!("{sla}: {target} paused, {} left ({percent} % used).", left.words()),
            _ => format!("{sla}: {target}{by}, {} left ({percent} % used).", left.words()),
        }
    }

    fn item_words(&self) -> String {
        let item = &self.item;
        if item.id.is_empty() {
            return String::new();
        }
        if !item.known {
            return format!("{} (not in the CMDB)", item.id);
        }
        let owner = if item.owner.is_empty() { String::new() } else { format!("owner {}", item.owner) };
        let about: Vec<&str> =
            [item.class.as_str(), item.site.as_str(), owner.as_str()].into_iter().filter(|word| !word.is_empty()).collect();
        if about.is_empty() { item.id.clone() } else { format!("{} ({})", item.id, about.join(", ")) }
    }

    /// Other incidents, as links.
    fn related(&self) -> Vec<(&'static str, Vec<String>)> {
        [
            ("Part of", self.parent.iter().cloned().collect::<Vec<_>>()),
            ("Parts", self.children.clone()),
            ("Before", self.recurrence_of.iter().cloned().collect()),
            ("Problem", self.problem.iter().cloned().collect()),
        ]
        .into_iter()
        .filter(|(_, ids)| !ids.is_empty())
        .collect()
    }

    /// The commands whose buttons stand at the top.
    fn first_choices(&self) -> impl Iterator<Item = &IncidentVerb> {
        self.commands.iter().filter(|verb| is_first_choice(**verb))
    }

    /// The others.
    fn further_choices(&self) -> impl Iterator<Item = &IncidentVerb> {
        self.commands.iter().filter(|verb| !is_first_choice(**verb))
    }

    fn label(&self, verb: &IncidentVerb) -> &'static str {
        label(*verb)
    }

    fn field(&self, verb: &IncidentVerb) -> PageField {
        field(*verb)
    }

    fn runbook_link(&self) -> Option<String> {
        Some(web_address(&self.runbook)).filter(|url| !url.is_empty())
    }

    fn alerts_left_out(&self) -> u64 {
        self.alerts_total.saturating_sub(self.alerts.len() as u64)
    }

    fn clock(&self, at: &Time) -> String {
        clock_words(*at, self.now, &TimeZone::get(&self.zone).unwrap_or(TimeZone::UTC))
    }

    fn line(&self, text: &str) -> String {
        line(text)
    }
}

/// Addresses that the page names before it counts the rest.
const TOLD_SHOWN: usize = 8;

impl PageAlert {
    fn link(&self) -> Option<String> {
        Some(web_address(&self.url)).filter(|url| !url.is_empty())
    }

    fn can_detach(&self) -> bool {
        self.detach == Detach::Offered
    }
}

impl PageNotice {
    pub(super) fn text(&self) -> &str {
        match self {
            PageNotice::Done(text) | PageNotice::Fault(text) => text,
        }
    }

    pub(super) fn is_fault(&self) -> bool {
        matches!(self, PageNotice::Fault(_))
    }
}

/// What a button says.
const fn label(verb: IncidentVerb) -> &'static str {
    match verb {
        IncidentVerb::Acknowledge => "Acknowledge: I have it",
        IncidentVerb::Note => "Add note",
        IncidentVerb::Assign => "Assign",
        IncidentVerb::Hold => "Hold",
        IncidentVerb::Resume => "Resume: it no longer waits",
        IncidentVerb::Resolve => "Resolve",
        IncidentVerb::Reopen => "Reopen: it is not over",
        IncidentVerb::Close => "Close: it is history",
        IncidentVerb::Detach => "Detach",
        IncidentVerb::Priority => "Change priority",
        IncidentVerb::Merge => "Merge",
    }
}

/// What a form asks for.
const fn field(verb: IncidentVerb) -> PageField {
    match verb {
        IncidentVerb::Acknowledge | IncidentVerb::Resume | IncidentVerb::Close => PageField::Nothing,
        IncidentVerb::Note => PageField::Text("text", "Note"),
        IncidentVerb::Assign => PageField::Line("to", "To whom", Need::Must),
        IncidentVerb::Hold => PageField::Hold,
        IncidentVerb::Resolve => PageField::Line("words", "What helped (one line is enough)", Need::May),
        IncidentVerb::Reopen => PageField::Line("words", "Why", Need::May),
        IncidentVerb::Detach => PageField::Line("alert", "Which alert", Need::Must),
        IncidentVerb::Priority => PageField::Line("priority", "P1 to P5", Need::Must),
        IncidentVerb::Merge => PageField::Line("children", "Which incident", Need::Must),
    }
}

const fn is_first_choice(verb: IncidentVerb) -> bool {
    matches!(verb, IncidentVerb::Acknowledge | IncidentVerb::Resume)
}

/// What somebody wrote, on one line; a space that does not break stays one.
pub(super) fn line(text: &str) -> String {
    text.split('\u{a0}').map(one_line).collect::<Vec<_>>().join("\u{a0}")
}

/// A length of time that no line breaks within.
fn lasted(span: Span) -> String {
    span.words().replace(' ', "\u{a0}")
}

fn sentence(text: &str) -> String {
    let text = one_line(text);
    if text.is_empty() || text.ends_with(['.', '!', '?']) { text } else { format!("{text}.") }
}

fn quoted(text: &str) -> String {
    let text = one_line(text);
    if text.is_empty() { text } else { format!("“{text}”") }
}
