//! What pages have alike: their style, the times on them, what became of a button, and what incidents and problems both show. Works without scripts; every command
//! is a form.
//!
//! Knows views and HTML, neither the store nor the engine's state. Texts may be as their senders wrote them: pages escape them and put them on one line.

use std::fmt::Display;
use std::sync::LazyLock;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};
use watchkeeper_engine::text::{cut, one_line};
use watchkeeper_engine::time::{Span, Time};

use crate::mail::clock_words;
use crate::view::{EntryView, HistoryView, TicketView};

pub(super) static STYLE: &str = include_str!("pages/style.css");

/// What the page may do: nothing but show itself, by its own style, and send its forms home.
pub static CONTENT_SECURITY_POLICY: LazyLock<String> = LazyLock::new(|| {
    let digest = BASE64_STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    format!("default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
});

/// Entries of a timeline that a page shows, the latest; the rest is counted.
const ENTRIES_SHOWN: usize = 100;

/// Addresses that a page names before it counts the rest.
const NOTIFIED_SHOWN: usize = 8;

/// Bytes of what a page says of a button.
const NOTICE_BYTES_MAX: usize = 300;

/// When and for whom a page is made, and what became of the button before it.
#[derive(Debug, Clone, Default)]
pub struct Sheet {
    /// When it is made.
    pub now: Time,
    /// The zone that its times are shown in; UTC where it is unknown.
    pub zone: String,
    /// What became of the command before this page; `None` where there was none.
    pub notice: Option<PageNotice>,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageNotice {
    /// It was done.
    Done(String),
    /// It was refused, with a reason.
    Fault(String),
}

impl Sheet {
    /// Made at `now` for readers in a zone, which may be empty.
    pub fn new(now: Time, zone: &str, notice: Option<PageNotice>) -> Sheet {
        let zone = if zone.is_empty() { "UTC" } else { zone };
        Sheet { now, zone: zone.to_owned(), notice }
    }

    /// A moment, as short as it is clear.
    pub fn clock(&self, at: Time) -> String {
        clock_words(at, self.now, &TimeZone::get(&self.zone).unwrap_or(TimeZone::UTC))
    }

    /// A moment that may not be there.
    pub(super) fn maybe_clock(&self, at: Option<Time>) -> String {
        at.map_or_else(String::new, |at| self.clock(at))
    }
}

impl PageNotice {
    pub(super) fn text(&self) -> String {
        match self {
            PageNotice::Done(text) | PageNotice::Fault(text) => cut(&one_line(text), NOTICE_BYTES_MAX),
        }
    }

    pub(super) fn is_fault(&self) -> bool {
        matches!(self, PageNotice::Fault(_))
    }
}

/// A command as a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    /// The command.
    pub(super) word: &'static str,
    /// What its button says.
    pub(super) label: &'static str,
    /// What it asks for.
    pub(super) field: Field,
    /// Where it stands.
    pub(super) place: Place,
}

/// Where a form stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Below the first line: what most readers come for.
    First,
    /// Below the facts.
    Further,
}

/// What a form asks for beside `version` and `token`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Nothing,
    Line(&'static str, &'static str, Need),
    Text(&'static str, &'static str),
    Hold,
}

/// Whether a field may be left empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    Must,
    May,
}

impl Need {
    pub(super) fn is_must(self) -> bool {
        self == Need::Must
    }
}

impl Form {
    pub(super) fn is_first(&self) -> bool {
        self.place == Place::First
    }
}

/// The page of an incident or a problem: what templates of both ask.
pub(super) trait Ticket {
    /// Its id.
    fn id(&self) -> String;
    /// What both have.
    fn ticket(&self) -> &TicketView;
    /// What happened, and who was notified.
    fn history(&self) -> &HistoryView;
    /// When and for whom.
    fn sheet(&self) -> &Sheet;
    /// Where the API has it.
    fn record(&self) -> String;
    /// What the reader may do, in the order of the buttons.
    fn forms(&self) -> Vec<Form>;
    /// Proves that a form came from this page.
    fn token(&self) -> &str;

    /// The forms that stand below the first line.
    fn first_forms(&self) -> Vec<Form> {
        self.forms().into_iter().filter(Form::is_first).collect()
    }

    /// The others.
    fn further_forms(&self) -> Vec<Form> {
        self.forms().into_iter().filter(|form| !form.is_first()).collect()
    }

    /// Whoever works on it, in a sentence about something open.
    fn assigned(&self) -> String {
        self.ticket().assignee.as_ref().map_or_else(|| "not yet acknowledged".to_owned(), |who| format!("assigned to {}", line(who)))
    }

    /// The last entries, latest first.
    fn entries(&self) -> impl Iterator<Item = &EntryView> {
        self.history().timeline.iter().rev().take(ENTRIES_SHOWN)
    }

    /// Entries before those.
    fn entries_left_out(&self) -> usize {
        (self.history().timeline_total as usize).saturating_sub(self.history().timeline.len().min(ENTRIES_SHOWN))
    }

    /// Who was notified, as addresses.
    fn notified(&self) -> String {
        let told = &self.history().told;
        let named = told.iter().take(NOTIFIED_SHOWN).map(|told| told.address.as_str()).collect::<Vec<_>>().join(", ");
        if told.len() > NOTIFIED_SHOWN { format!("{named} and {} more.", told.len() - NOTIFIED_SHOWN) } else { named }
    }

    /// A moment, as short as it is clear.
    fn clock(&self, at: &Time) -> String {
        self.sheet().clock(*at)
    }

    /// What somebody wrote, on one line.
    fn line(&self, text: impl Display) -> String {
        line(&text.to_string())
    }
}

/// Label and value of every row that has something to say.
pub(super) fn rows<const N: usize>(rows: [(&'static str, String); N]) -> Vec<(&'static str, String)> {
    rows.into_iter().map(|(label, value)| (label, line(&value))).filter(|(_, value)| !value.is_empty()).collect()
}

/// What somebody wrote, on one line; a space that does not break stays one.
pub(super) fn line(text: &str) -> String {
    text.split('\u{a0}').map(one_line).collect::<Vec<_>>().join("\u{a0}")
}

/// A value that may not be there.
pub(super) fn maybe<T: Display>(value: Option<&T>) -> String {
    value.map_or_else(String::new, ToString::to_string)
}

/// A length of time that no line breaks within.
pub(super) fn lasted(span: Span) -> String {
    span.words().replace(' ', "\u{a0}")
}

/// With a full stop where there is none.
pub(super) fn sentence(text: &str) -> String {
    let text = one_line(text);
    if text.is_empty() || text.ends_with(['.', '!', '?']) { text } else { format!("{text}.") }
}

/// In quotes, where it says anything.
pub(super) fn quoted(text: &str) -> String {
    let text = one_line(text);
    if text.is_empty() { text } else { format!("“{text}”") }
}
