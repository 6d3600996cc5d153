//! What a message says, by what it is about: only what means something there is stored.

use minicbor::decode::Error;
use minicbor::{Decode, Decoder, Encode};

use super::said::{Before, ClockLine, DigestLine, Hurt, Item, ProblemSaid, Quote, Said};
use crate::ids::{AlertId, IncidentId};
use crate::time::{Span, Time};
use crate::words::IncidentState;

/// What a message says, frozen when it was planned. Indices are never reused.
#[derive(Debug, Clone, PartialEq, Eq, Encode)]
pub enum Content {
    /// About an incident.
    #[n(0)]
    Incident(#[n(0)] Box<OfIncident>),
    /// About a problem.
    #[n(1)]
    Problem(#[n(0)] Box<OfProblem>),
    /// A list of incidents.
    #[n(2)]
    Digest(#[n(0)] OfDigest),
}

/// What a message says about an incident.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct OfIncident {
    /// Its id.
    #[n(0)]
    pub incident: String,
    /// Its priority.
    #[n(1)]
    pub priority: String,
    /// Its state as one word: `new`, `acknowledged`, ….
    #[n(2)]
    pub state: String,
    /// The moment it was planned.
    #[n(3)]
    pub now: Time,
    /// Since when.
    #[n(4)]
    pub since: Time,
    /// When it ended, where it has.
    #[n(5)]
    pub until: Option<Time>,
    /// Who has it; empty where nobody does.
    #[n(6)]
    pub holder: String,
    /// The item at fault.
    #[n(7)]
    pub item: Item,
    /// What is wrong, in a sentence.
    #[n(8)]
    pub title: String,
    /// The cause's alert as its sender wrote it.
    #[n(9)]
    pub quote: Quote,
    /// The services it hurts, worst first.
    #[n(10)]
    pub hurts: Vec<Hurt>,
    /// Why that is the cause.
    #[n(11)]
    pub cause: String,
    /// Symptoms in it.
    #[n(12)]
    pub symptoms: u32,
    /// The first few items of the symptoms.
    #[n(13)]
    pub symptom_items: Vec<String>,
    /// Items beyond those.
    #[n(14)]
    pub symptom_more: u32,
    /// Alerts in it.
    #[n(15)]
    pub alerts: u32,
    /// Of those, cleared.
    #[n(16)]
    pub cleared: u32,
    /// The team that has the cause.
    #[n(17)]
    pub team: String,
    /// Words at the item (`note:` in the CMDB).
    #[n(18)]
    pub check: String,
    /// The incident before this one with the same group.
    #[n(19)]
    pub before: Option<Before>,
    /// Where to read what to do.
    #[n(20)]
    pub runbook: String,
    /// Who else is told with it.
    #[n(21)]
    pub told: Vec<String>,
    /// The correlate rule.
    #[n(22)]
    pub rule: String,
    /// The notify rule.
    #[n(23)]
    pub notify: String,
    /// How often it came back.
    #[n(24)]
    pub reopened: u32,
    /// Whether this is the recipient's first mail about the incident: then it is the full one.
    #[n(25)]
    pub first: bool,
    /// When somebody first had it.
    #[n(26)]
    pub acknowledged_at: Option<Time>,
    /// How it was before it last came back.
    #[n(27)]
    pub earlier: Option<Earlier>,
    /// Where each promise of an SLA stands; in an SLA mail those first that it is about.
    #[n(28)]
    pub clocks: Vec<ClockLine>,
    /// What is new.
    #[n(29)]
    pub news: News,
    /// Services that it hurt and that are up, while all its alerts have cleared.
    #[n(30)]
    #[cbor(default)]
    pub back: Vec<String>,
    /// When it resolves by itself, where all its alerts have cleared.
    #[n(31)]
    pub resolves_at: Option<Time>,
}

/// How an incident was before it last came back.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Earlier {
    /// How long it was open.
    #[n(0)]
    pub lasted: Span,
    /// How long it took until somebody had it.
    #[n(1)]
    pub acknowledged_after: Option<Span>,
}

/// What is new in a message about an incident, beside how it stands. Indices are never reused.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum News {
    /// How it stands is what is new: it opened, somebody has it, the time of a promise is used up.
    #[n(0)]
    Stands,
    /// Its priority went up.
    #[n(1)]
    Raised {
        /// From there.
        #[n(0)]
        before: String,
    },
    /// The recipient's own items are symptoms of it.
    #[n(2)]
    Yours(#[n(0)] Yours),
    /// It waits.
    #[n(3)]
    Held {
        /// For what.
        #[n(0)]
        words: String,
        /// Until then at most.
        #[n(1)]
        until: Option<Time>,
    },
    /// It is over.
    #[n(4)]
    Over {
        /// Who resolved it; empty where it resolved itself.
        #[n(0)]
        by: String,
        /// Their words, or why it resolved.
        #[n(1)]
        words: String,
        /// Until when a return reopens it.
        #[n(2)]
        reopens_until: Option<Time>,
        /// What still fires on its items.
        #[n(3)]
        left_over: Vec<String>,
    },
}

/// The symptoms that are a recipient's, by item.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct Yours {
    /// The first few items.
    #[n(0)]
    pub items: Vec<String>,
    /// Items beyond those.
    #[n(1)]
    pub more: u32,
    /// Since when they fire.
    #[n(2)]
    pub since: Option<Time>,
    /// Why the first is a symptom.
    #[n(3)]
    pub because: String,
    /// The earliest incident that they had before.
    #[n(4)]
    pub incident: Option<IncidentId>,
    /// The first few alerts, which a link of the mail takes out again.
    #[n(5)]
    pub alerts: Vec<AlertId>,
}

/// What a message says about a problem.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct OfProblem {
    /// The problem.
    #[n(0)]
    pub problem: ProblemSaid,
    /// Its state as one word.
    #[n(1)]
    pub state: String,
    /// The moment it was planned.
    #[n(2)]
    pub now: Time,
    /// Since when it is open.
    #[n(3)]
    pub since: Time,
    /// Who has it; empty where nobody does.
    #[n(4)]
    pub holder: String,
    /// Its item.
    #[n(5)]
    pub item: Item,
    /// What keeps coming back, in a sentence.
    #[n(6)]
    pub title: String,
    /// The team that has it.
    #[n(7)]
    pub team: String,
    /// Who else is told with it.
    #[n(8)]
    pub told: Vec<String>,
    /// The correlate rule of its last incident.
    #[n(9)]
    pub rule: String,
    /// The notify rule.
    #[n(10)]
    pub notify: String,
    /// Whether this is the recipient's first mail about it.
    #[n(11)]
    pub first: bool,
}

/// A list of incidents.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct OfDigest {
    /// The moment it was planned.
    #[n(0)]
    pub now: Time,
    /// Since when it reports.
    #[n(1)]
    pub since: Time,
    /// The team whose list it is; may be empty.
    #[n(2)]
    pub team: String,
    /// The notify rule.
    #[n(3)]
    pub notify: String,
    /// Each incident as it was then.
    #[n(4)]
    pub lines: Vec<DigestLine>,
}

impl Content {
    /// The CI that it is about; empty in a digest.
    pub fn ci(&self) -> &str {
        match self {
            Content::Incident(of) => &of.item.id,
            Content::Problem(of) => &of.item.id,
            Content::Digest(_) => "",
        }
    }

    /// What is the recipient's among an incident's symptoms, where it is about that.
    pub fn yours(&self) -> Option<&Yours> {
        match self {
            Content::Incident(of) => match &of.news {
                News::Yours(yours) => Some(yours),
                News::Stands | News::Raised { .. } | News::Held { .. } | News::Over { .. } => None,
            },
            Content::Problem(_) | Content::Digest(_) => None,
        }
    }
}

/// Releases before 0.2 stored what a message says flat: that has many more fields than the two of a variant.
impl<'b, C> Decode<'b, C> for Content {
    fn decode(d: &mut Decoder<'b>, cx: &mut C) -> Result<Content, Error> {
        if d.probe().array()? != Some(2) {
            return Ok(Content::from(Said::decode(d, cx)?));
        }
        d.array()?;
        let at = d.position();
        let index = d.u32()?;
        if d.array()? != Some(1) {
            return Err(Error::message("a kind of content has one part").at(at));
        }
        match index {
            0 => Ok(Content::Incident(Box::decode(d, cx)?)),
            1 => Ok(Content::Problem(Box::decode(d, cx)?)),
            2 => Ok(Content::Digest(OfDigest::decode(d, cx)?)),
            other => Err(Error::unknown_variant(other.into()).at(at)),
        }
    }
}

/// By what is said; what means nothing there is left out.
impl From<Said> for Content {
    fn from(said: Said) -> Content {
        if !said.problem.id.is_empty() {
            return Content::Problem(Box::new(OfProblem {
                problem: said.problem,
                state: said.state,
                now: said.now,
                since: said.since,
                holder: said.holder,
                item: said.item,
                title: said.title,
                team: said.team,
                told: said.told,
                rule: said.rule,
                notify: said.notify,
                first: said.first,
            }));
        }
        if !said.lines.is_empty() {
            let Said { now, lines_since, team, notify, lines, .. } = said;
            return Content::Digest(OfDigest { now, since: lines_since, team, notify, lines });
        }
        let news = news(&said);
        let earlier = (said.lasted_before != Span::ZERO || said.acknowledged_before.is_some())
            .then_some(Earlier { lasted: said.lasted_before, acknowledged_after: said.acknowledged_before });
        Content::Incident(Box::new(OfIncident {
            incident: said.incident,
            priority: said.priority,
            state: said.state,
            now: said.now,
            since: said.since,
            until: moment(said.until),
            holder: said.holder,
            item: said.item,
            title: said.title,
            quote: said.quote,
            hurts: said.hurts,
            cause: said.cause,
            symptoms: said.symptoms,
            symptom_items: said.symptom_items,
            symptom_more: said.symptom_more,
            alerts: said.alerts,
            cleared: said.cleared,
            team: said.team,
            check: said.check,
            before: Some(said.before).filter(|before| !before.incident.is_empty()),
            runbook: said.runbook,
            told: said.told,
            rule: said.rule,
            notify: said.notify,
            reopened: said.reopened,
            first: said.first,
            acknowledged_at: moment(said.acknowledged_at),
            earlier,
            clocks: said.clocks,
            news,
            back: said.back,
            resolves_at: moment(said.resolves_at),
        }))
    }
}

fn news(said: &Said) -> News {
    let state = IncidentState::from_word(&said.state);
    if matches!(state, Some(IncidentState::Resolved | IncidentState::Closed)) {
        return News::Over {
            by: said.by.clone(),
            words: said.words.clone(),
            reopens_until: moment(said.reopens_until),
            left_over: said.left_over.clone(),
        };
    }
    if !said.words.is_empty() || said.hold_until != Time::default() {
        return News::Held { words: said.words.clone(), until: moment(said.hold_until) };
    }
    if !said.priority_before.is_empty() {
        return News::Raised { before: said.priority_before.clone() };
    }
    if !said.yours.is_empty() || !said.yours_alerts.is_empty() {
        return News::Yours(Yours {
            items: said.yours.clone(),
            more: said.yours_more,
            since: moment(said.yours_since),
            because: said.yours_because.clone(),
            incident: said.yours_incident.parse().ok(),
            alerts: said.yours_alerts.clone(),
        });
    }
    News::Stands
}

fn moment(at: Time) -> Option<Time> {
    Some(at).filter(|at| *at != Time::default())
}
