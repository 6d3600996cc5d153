//! What a message says in one flat list of names, as templates see it whatever the message is about. Releases before 0.2 stored it so: their bytes are read by it.

use minicbor::{Decode, Encode};

use super::{Content, News, OfIncident, OfProblem};
use crate::ids::AlertId;
use crate::time::{Span, Time};

/// What a message says, flat: everything a template may name. Empty texts and lists are left out of the mail.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct Said {
    /// The incident's id, or empty in a digest.
    #[n(0)]
    pub incident: String,
    /// Its priority.
    #[n(1)]
    pub priority: String,
    /// Its priority before it was raised.
    #[n(2)]
    pub priority_before: String,
    /// Its state as one word: `new`, `acknowledged`, ….
    #[n(3)]
    pub state: String,
    /// The moment it was planned.
    #[n(4)]
    pub now: Time,
    /// Since when.
    #[n(5)]
    pub since: Time,
    /// When it ended, in `resolved`; else zero.
    #[n(6)]
    pub until: Time,
    /// Who has it; empty where nobody does.
    #[n(7)]
    pub holder: String,
    /// The item at fault.
    #[n(8)]
    pub item: Item,
    /// What is wrong, in a sentence.
    #[n(9)]
    pub title: String,
    /// The cause's alert as its sender wrote it.
    #[n(10)]
    pub quote: Quote,
    /// The services it hurts, worst first.
    #[n(11)]
    pub hurts: Vec<Hurt>,
    /// Why that is the cause.
    #[n(12)]
    pub cause: String,
    /// Symptoms in it.
    #[n(13)]
    pub symptoms: u32,
    /// The first few items of the symptoms.
    #[n(14)]
    pub symptom_items: Vec<String>,
    /// Items beyond those.
    #[n(15)]
    pub symptom_more: u32,
    /// Alerts in it.
    #[n(16)]
    pub alerts: u32,
    /// Of those, cleared.
    #[n(17)]
    pub cleared: u32,
    /// In `affected` and `released`: the first few of the recipient's own items.
    #[n(18)]
    pub yours: Vec<String>,
    /// Since when they fire.
    #[n(19)]
    pub yours_since: Time,
    /// Why they are symptoms, or why they were released.
    #[n(20)]
    pub yours_because: String,
    /// The incident they had before, which is now a child.
    #[n(21)]
    pub yours_incident: String,
    /// The team that has the cause.
    #[n(22)]
    pub team: String,
    /// Words at the item (`note:` in the CMDB).
    #[n(23)]
    pub check: String,
    /// The incident before this one with the same group.
    #[n(24)]
    pub before: Before,
    /// Where to read what to do.
    #[n(25)]
    pub runbook: String,
    /// Who else is told with it.
    #[n(26)]
    pub told: Vec<String>,
    /// The correlate rule.
    #[n(27)]
    pub rule: String,
    /// The notify rule.
    #[n(28)]
    pub notify: String,
    /// Who has it; once it is over, who resolved it; empty where it resolved itself.
    #[n(29)]
    pub by: String,
    /// Their words, or why it resolved; in `held` for what it waits.
    #[n(30)]
    pub words: String,
    /// Until when a return reopens it; else zero.
    #[n(31)]
    pub reopens_until: Time,
    /// How often it came back.
    #[n(32)]
    pub reopened: u32,
    /// A digest's lines.
    #[n(33)]
    pub lines: Vec<DigestLine>,
    /// Since when a digest reports.
    #[n(34)]
    pub lines_since: Time,
    /// Whether this is the recipient's first mail about the incident: then it is the full one.
    #[n(35)]
    pub first: bool,
    /// What still fires on the items after it was resolved.
    #[n(36)]
    pub left_over: Vec<String>,
    /// When somebody first had it; zero where nobody did.
    #[n(37)]
    pub acknowledged_at: Time,
    /// In `held`: until when it waits at most; zero where it has no end.
    #[n(38)]
    #[cbor(default)]
    pub hold_until: Time,
    /// In `affected`: the recipient's alerts, which a link of the mail takes out again.
    #[n(39)]
    #[cbor(default)]
    pub yours_alerts: Vec<AlertId>,
    /// Where each promise of an SLA stands; in an SLA mail those first that it is about.
    #[n(40)]
    #[cbor(default)]
    pub clocks: Vec<ClockLine>,
    /// How long it was open before it last came back, in milliseconds; zero where it did not.
    #[n(42)]
    #[cbor(default)]
    pub lasted_before: Span,
    /// How long it took then until somebody first had it, in milliseconds.
    #[n(43)]
    pub acknowledged_before: Option<Span>,
    /// The problem; its `id` is empty in a mail about anything else.
    #[n(44)]
    #[cbor(default)]
    pub problem: ProblemSaid,
    /// Items of the recipient's beyond those that are named.
    #[cbor(skip)]
    pub yours_more: u32,
    /// Services that it hurt and that are up, while all its alerts have cleared.
    #[cbor(skip)]
    pub back: Vec<String>,
    /// When it resolves by itself; zero while something fires.
    #[cbor(skip)]
    pub resolves_at: Time,
}

impl Said {
    /// Of what a message says.
    pub fn of(content: &Content) -> Said {
        match content {
            Content::Incident(of) => Said::of_incident(of),
            Content::Problem(of) => Said::of_problem(of),
            Content::Digest(of) => Said {
                now: of.now,
                lines: of.lines.clone(),
                lines_since: of.since,
                team: of.team.clone(),
                notify: of.notify.clone(),
                first: true,
                ..Said::default()
            },
        }
    }

    fn of_incident(of: &OfIncident) -> Said {
        let said = Said {
            incident: of.incident.clone(),
            priority: of.priority.clone(),
            state: of.state.clone(),
            now: of.now,
            since: of.since,
            until: of.until.unwrap_or_default(),
            holder: of.holder.clone(),
            item: of.item.clone(),
            title: of.title.clone(),
            quote: of.quote.clone(),
            hurts: of.hurts.clone(),
            cause: of.cause.clone(),
            symptoms: of.symptoms,
            symptom_items: of.symptom_items.clone(),
            symptom_more: of.symptom_more,
            alerts: of.alerts,
            cleared: of.cleared,
            team: of.team.clone(),
            check: of.check.clone(),
            before: of.before.clone().unwrap_or_default(),
            runbook: of.runbook.clone(),
            told: of.told.clone(),
            rule: of.rule.clone(),
            notify: of.notify.clone(),
            by: of.holder.clone(),
            reopened: of.reopened,
            first: of.first,
            acknowledged_at: of.acknowledged_at.unwrap_or_default(),
            clocks: of.clocks.clone(),
            back: of.back.clone(),
            resolves_at: of.resolves_at.unwrap_or_default(),
            lasted_before: of.earlier.as_ref().map(|earlier| earlier.lasted).unwrap_or_default(),
            acknowledged_before: of.earlier.as_ref().and_then(|earlier| earlier.acknowledged_after),
            ..Said::default()
        };
        match &of.news {
            News::Stands => said,
            News::Raised { before } => Said { priority_before: before.clone(), ..said },
            News::Yours(yours) => Said {
                yours: yours.items.clone(),
                yours_more: yours.more,
                yours_since: yours.since.unwrap_or_default(),
                yours_because: yours.because.clone(),
                yours_incident: yours.incident.map(|id| id.to_string()).unwrap_or_default(),
                yours_alerts: yours.alerts.clone(),
                ..said
            },
            News::Held { words, until } => Said { words: words.clone(), hold_until: until.unwrap_or_default(), ..said },
            News::Over { by, words, reopens_until, left_over } => Said {
                by: by.clone(),
                words: words.clone(),
                reopens_until: reopens_until.unwrap_or_default(),
                left_over: left_over.clone(),
                ..said
            },
        }
    }

    fn of_problem(of: &OfProblem) -> Said {
        Said {
            state: of.state.clone(),
            now: of.now,
            since: of.since,
            holder: of.holder.clone(),
            by: of.holder.clone(),
            item: of.item.clone(),
            title: of.title.clone(),
            team: of.team.clone(),
            told: of.told.clone(),
            rule: of.rule.clone(),
            notify: of.notify.clone(),
            first: of.first,
            problem: of.problem.clone(),
            ..Said::default()
        }
    }
}

/// A problem in a message. Its state, title, item, team and holder stand where an incident's do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct ProblemSaid {
    /// Its id.
    #[n(0)]
    pub id: String,
    /// Its rule.
    #[n(1)]
    pub rule: String,
    /// What its incidents share, with the values.
    #[n(2)]
    pub same: String,
    /// Why it was opened.
    #[n(3)]
    pub because: String,
    /// How many outages there were.
    #[n(4)]
    pub count: u32,
    /// When the first known one began.
    #[n(5)]
    pub since: Time,
    /// How long it was out in all.
    #[n(6)]
    pub lasted: Span,
    /// The last few outages, the earliest first.
    #[n(7)]
    pub outages: Vec<OutageLine>,
    /// What helps until it is fixed; empty where nobody knows.
    #[n(8)]
    pub workaround: String,
    /// How often it came back after a fix.
    #[n(9)]
    pub fixes_failed: u32,
    /// What was said of the fix that was tried last.
    #[n(10)]
    pub fix: String,
    /// Who said so.
    #[n(11)]
    pub fixed_by: String,
}

/// An outage in a message.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct OutageLine {
    /// The incident.
    #[n(0)]
    pub incident: String,
    /// When it began.
    #[n(1)]
    pub at: Time,
    /// How long it took; so far, where it is not over.
    #[n(2)]
    pub lasted: Span,
    /// Whether it is over.
    #[n(3)]
    pub is_over: bool,
    /// What helped; empty where it ended by itself.
    #[n(4)]
    pub words: String,
}

/// An item in a message.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct Item {
    /// Its id.
    #[n(0)]
    pub id: String,
    /// Its class.
    #[n(1)]
    pub class: String,
    /// Its owner.
    #[n(2)]
    pub owner: String,
    /// Its `site` label, or empty.
    #[n(3)]
    pub site: String,
    /// Whether the CMDB knows it.
    #[n(4)]
    pub known: bool,
}

/// An alert as its sender wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct Quote {
    /// Its name.
    #[n(0)]
    pub name: String,
    /// Its summary, one line, at most 200 characters.
    #[n(1)]
    pub summary: String,
    /// Its source.
    #[n(2)]
    pub source: String,
    /// Where the sender shows it.
    #[n(3)]
    pub url: String,
}

/// A service that is hurt.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct Hurt {
    /// Its id.
    #[n(0)]
    pub id: String,
    /// Its tier, or empty.
    #[n(1)]
    pub tier: String,
    /// `down`, `degraded` or `at_risk`.
    #[n(2)]
    pub health: String,
}

/// A promise of an SLA in a message.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct ClockLine {
    /// The SLA's name.
    #[n(0)]
    pub sla: String,
    /// The service it is promised for, or empty.
    #[n(1)]
    pub service: String,
    /// `response`, `resolution` or `update`.
    #[n(2)]
    pub target: String,
    /// `running`, `paused`, `met`, `breached` or `ended`.
    #[n(3)]
    pub state: String,
    /// How long it may take, in words.
    #[n(4)]
    pub allowed: String,
    /// The used share.
    #[n(5)]
    pub percent: u32,
    /// Until when; zero while it waits.
    #[n(6)]
    pub deadline: Time,
    /// The used time, by the SLA's calendar.
    #[n(7)]
    pub used: Span,
    /// The time left, by the SLA's calendar.
    #[n(8)]
    pub left: Span,
    /// What did not count, by the SLA's calendar.
    #[n(9)]
    pub paused: Span,
    /// When it was kept or ended; zero before.
    #[n(10)]
    pub ended: Time,
    /// The shares that this message is about, the largest last; 100 is the breach.
    #[n(11)]
    pub reached: Vec<u32>,
    /// The share that is told next; zero where none is.
    #[n(12)]
    pub next_percent: u32,
    /// When that is.
    #[n(13)]
    pub next_at: Time,
    /// From when on it counts.
    #[n(14)]
    #[cbor(default)]
    pub start: Time,
    /// Why it ended without having been met; else empty.
    #[n(15)]
    #[cbor(default)]
    pub because: String,
}

/// The incident before.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct Before {
    /// Its id; empty where there is none.
    #[n(0)]
    pub incident: String,
    /// When it opened.
    #[n(1)]
    pub opened_at: Time,
    /// How long it took, in milliseconds.
    #[n(2)]
    pub lasted: Span,
    /// With which words it was resolved.
    #[n(3)]
    pub words: String,
}

/// One line of a digest.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct DigestLine {
    /// The incident.
    #[n(0)]
    pub incident: String,
    /// Its priority.
    #[n(1)]
    pub priority: String,
    /// Its state at the digest.
    #[n(2)]
    pub state: String,
    /// Its title.
    #[n(3)]
    pub title: String,
    /// Since when.
    #[n(4)]
    pub since: Time,
    /// When it ended; zero where it did not.
    #[n(5)]
    pub until: Time,
    /// Who has it.
    #[n(6)]
    pub holder: String,
    /// Its item.
    #[n(7)]
    pub item: String,
    /// How long it was open in all, so far where it is; zero in what an earlier release wrote.
    #[n(8)]
    #[cbor(default)]
    pub lasted: Span,
}
