//! The SLA clocks of an incident: the log of what moved them, and where each promise stands by that log, its terms and its calendar.
//!
//! No remaining time is kept anywhere. A deadline is what [`Run::reaches`] says of the log, whenever it is asked, so a pause, another priority or a
//! return counts from the moment it happened and a second look says the same as the first.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use super::Incident;
use crate::calendar::{Allowance, Calendar};
use crate::ids::TermsId;
use crate::limits;
use crate::policy::slas::Terms;
use crate::time::{Span, Time};
use crate::words::{ClockState, Priority, SlaKind, SlaTarget, WAITING_FOR_VENDOR};

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Mark {
    /// When.
    #[n(0)]
    pub at: Time,
    /// What.
    #[n(1)]
    pub what: Moved,
}

/// What moves clocks.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Moved {
    /// The incident opened.
    #[n(0)]
    Started,
    /// It has this priority from here on, and promises count by it from the start.
    #[n(1)]
    Rated(#[n(0)] Priority),
    /// Somebody has it: a person acknowledged, assigned or held it.
    #[n(2)]
    Answered,
    /// It waits, for this reason.
    #[n(3)]
    Held(#[n(0)] String),
    /// It no longer waits.
    #[n(4)]
    Resumed,
    /// It is over.
    #[n(5)]
    Resolved,
    /// It came back: response starts over, resolution goes on.
    #[n(6)]
    Reopened,
    /// Another incident adopted it: its clocks stand still.
    #[n(7)]
    Adopted,
    /// It stands on its own again.
    #[n(8)]
    GivenBack,
    /// It adopted what began earlier: it counts from here.
    #[n(9)]
    Backdated(#[n(0)] Time),
    /// Stakeholders were updated; the number counts the updates. Only the latest mark is kept.
    #[n(10)]
    Updated(#[n(0)] u32),
}

/// A clock: one SLA that an incident is measured by.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Clock {
    /// What was promised, as it was when the clock was attached.
    #[n(0)]
    pub terms: TermsId,
    /// The SLA's name.
    #[n(1)]
    pub name: String,
    /// Between whom.
    #[n(2)]
    pub kind: SlaKind,
    /// The service for which it was promised; empty where the incident hurts none.
    #[n(3)]
    pub service: String,
    /// When it was attached.
    #[n(4)]
    pub attached_at: Time,
    /// What was reached, and told at that time. A breach is never taken out.
    #[n(5)]
    pub reached: Vec<Reached>,
}

/// A share of a promise's time that was used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Reached {
    /// Of which promise.
    #[n(0)]
    pub target: SlaTarget,
    /// The period: how often the promise had started over.
    #[n(1)]
    pub period: u32,
    /// The share in percent; [`BREACH`] is the breach.
    #[n(2)]
    pub percent: u8,
    /// When by the log.
    #[n(3)]
    pub at: Time,
    /// Whether the first mail was waited for then, so that it is told with that.
    #[n(4)]
    #[cbor(default)]
    pub waits: bool,
}

/// The share that is a breach.
pub const BREACH: u8 = 100;

/// One promise on its way: from where it counts, what stands between, and where it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// From when on.
    pub start: Time,
    /// How often it started over.
    pub period: u32,
    /// How long it may take.
    pub allowance: Allowance,
    /// When it was kept or ended; `None`: it still runs or waits.
    pub ended: Option<Time>,
    /// From when until when it does not count; the last may still last.
    pub pauses: Vec<(Time, Option<Time>)>,
}

/// Where a promise stands at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// How often it started over.
    pub period: u32,
    /// Whether it runs, waits, was kept, broken or neither.
    pub state: ClockState,
    /// How long it may take.
    pub allowance: Allowance,
    /// From when on.
    pub start: Time,
    /// Until when; `None` while it waits.
    pub deadline: Option<Time>,
    /// The used share; below 100 before it is broken.
    pub percent: u32,
    /// The used time, by its calendar.
    pub used: Span,
    /// The time that is left, by its calendar; none after the deadline.
    pub left: Span,
    /// What did not count, by its calendar.
    pub paused: Span,
    /// When it was kept or ended.
    pub ended: Option<Time>,
}

impl Run {
    /// The run of a promise by the log of what came back `reopened` times; `None`: nothing is promised at that priority.
    pub fn of(log: &[Mark], reopened: u32, terms: &Terms, target: SlaTarget) -> Option<Run> {
        match target {
            SlaTarget::Response => response(log, reopened, terms),
            SlaTarget::Resolution if terms.kind == SlaKind::Uc => by_vendor(log, terms),
            SlaTarget::Resolution => resolution(log, terms),
            SlaTarget::Update => update(log, reopened, terms),
        }
    }

    /// When the used time reaches `percent` of what is allowed: by the log so far and, where it still runs, if nothing more happens.
    /// `None`: it ended before, or waits.
    pub fn reaches(&self, calendar: &Calendar, percent: u8) -> Option<Time> {
        let total = self.total(calendar);
        // Working days without any working time, from a closed day on: no share of nothing is used up before the end.
        let base = if percent >= BREACH || total == Span::ZERO {
            calendar.end(self.start, self.allowance)
        } else {
            calendar.add(self.start, Span(total.0 * i64::from(percent) / i64::from(BREACH)))
        };
        let mut at = base;
        for (from, until) in &self.pauses {
            if *from >= at {
                break;
            }
            at = calendar.add(at, calendar.between(*from, (*until)?));
        }
        (at < Time::NEVER && self.ended.is_none_or(|ended| at <= ended)).then_some(at)
    }

    /// The time that is allowed, by the calendar.
    fn total(&self, calendar: &Calendar) -> Span {
        match self.allowance {
            Allowance::Wall(span) | Allowance::Working(span) => span,
            Allowance::Days(days) => calendar.between(self.start, calendar.add_days(self.start, days)),
        }
    }

    fn paused(&self, calendar: &Calendar, until: Time) -> Span {
        let one = |(from, to): &(Time, Option<Time>)| calendar.between(*from, to.unwrap_or(until).min(until)).0;
        Span(self.pauses.iter().map(one).sum())
    }

    /// Where it stands at `now`; `breached`: that it was broken is known already.
    pub fn standing(&self, calendar: &Calendar, breached: bool, now: Time) -> Standing {
        let until = self.ended.unwrap_or(now).min(now);
        let total = self.total(calendar).0;
        let paused = self.paused(calendar, until);
        let used = Span((calendar.between(self.start, until).0 - paused.0).max(0));
        let deadline = match self.ended {
            None => self.reaches(calendar, BREACH),
            // Where it would have been.
            Some(ended) => {
                let pauses = self.pauses.iter().map(|(from, until)| (*from, until.or(Some(ended)))).collect();
                Run { ended: None, pauses, ..self.clone() }.reaches(calendar, BREACH)
            }
        };
        let breached = breached || self.reaches(calendar, BREACH).is_some_and(|at| at <= now);
        let waits = self.pauses.last().is_some_and(|(_, until)| until.is_none());
        let state = match (breached, self.ended, waits) {
            (true, _, _) => ClockState::Breached,
            (false, Some(_), _) => ClockState::Met,
            (false, None, true) => ClockState::Paused,
            (false, None, false) => ClockState::Running,
        };
        let share = used.0.saturating_mul(i64::from(BREACH)).checked_div(total).unwrap_or_default();
        let share = u32::try_from(share).unwrap_or(u32::MAX);
        let percent = if breached { share.max(BREACH.into()) } else { share.min(u32::from(BREACH) - 1) };
        Standing {
            period: self.period,
            state,
            allowance: self.allowance,
            start: self.start,
            deadline,
            percent,
            used,
            left: Span((total - used.0).max(0)),
            paused,
            ended: self.ended,
        }
    }
}

/// From when an incident counts: its opening, or what it adopted. `None`: it was opened before there was a log.
pub fn start(log: &[Mark]) -> Option<Time> {
    let moment = |mark: &Mark| match &mark.what {
        Moved::Started => Some(mark.at),
        Moved::Backdated(to) => Some(*to),
        Moved::Rated(_)
        | Moved::Answered
        | Moved::Held(_)
        | Moved::Resumed
        | Moved::Resolved
        | Moved::Reopened
        | Moved::Adopted
        | Moved::GivenBack
        | Moved::Updated(_) => None,
    };
    log.iter().filter_map(moment).min()
}

/// Until somebody has it; it never waits, except while another incident stands for this one.
fn response(log: &[Mark], reopened: u32, terms: &Terms) -> Option<Run> {
    // Not counted by the log, which forgets.
    let mut run = Draft { period: reopened, ..Draft::new(start(log)?) };
    for mark in log {
        match &mark.what {
            Moved::Rated(priority) => run.priority = *priority,
            Moved::Answered | Moved::Resolved => run.end(mark.at),
            Moved::Reopened => run.start_over(mark.at),
            Moved::Adopted => run.wait(mark.at),
            Moved::GivenBack => run.go_on(mark.at),
            Moved::Started | Moved::Held(_) | Moved::Resumed | Moved::Backdated(_) | Moved::Updated(_) => {}
        }
    }
    run.finish(terms, SlaTarget::Response)
}

/// Until it is over; it waits while it is held for a reason that the SLA lists, while it is resolved, and while another incident stands for it.
fn resolution(log: &[Mark], terms: &Terms) -> Option<Run> {
    let mut run = Draft::new(start(log)?);
    let mut waits = Waits::default();
    for mark in log {
        waits.follow(&mark.what, terms);
        match &mark.what {
            Moved::Rated(priority) => run.priority = *priority,
            Moved::Resolved => run.end(mark.at),
            Moved::Reopened => run.ended = None,
            Moved::Started
            | Moved::Answered
            | Moved::Held(_)
            | Moved::Resumed
            | Moved::Adopted
            | Moved::GivenBack
            | Moved::Backdated(_)
            | Moved::Updated(_) => {}
        }
        if waits.any() { run.wait(mark.at) } else { run.go_on(mark.at) }
    }
    run.finish(terms, SlaTarget::Resolution)
}

/// Until it is over, counted while it waits for the vendor, from the first time on.
fn by_vendor(log: &[Mark], terms: &Terms) -> Option<Run> {
    start(log)?;
    let mut priority = Priority::P5;
    let mut run: Option<Draft> = None;
    let (mut theirs, mut adopted) = (false, false);
    for mark in log {
        match &mark.what {
            Moved::Rated(rated) => priority = *rated,
            Moved::Held(reason) => theirs = reason == WAITING_FOR_VENDOR,
            Moved::Resumed => theirs = false,
            Moved::Adopted => adopted = true,
            Moved::GivenBack => adopted = false,
            Moved::Resolved => {
                theirs = false;
                if let Some(run) = &mut run {
                    run.priority = priority;
                    run.end(mark.at);
                }
            }
            Moved::Reopened => {
                theirs = false;
                if let Some(run) = &mut run {
                    run.ended = None;
                }
            }
            Moved::Started | Moved::Answered | Moved::Backdated(_) | Moved::Updated(_) => {}
        }
        match &mut run {
            None if theirs && !adopted => run = Some(Draft::new(mark.at)),
            Some(run) if theirs && !adopted => run.go_on(mark.at),
            Some(run) => run.wait(mark.at),
            None => {}
        }
    }
    Draft { priority, ..run? }.finish(terms, SlaTarget::Resolution)
}

/// Until those who wait hear of it once more: from when somebody has it, and again from each time they heard. It waits as the resolution does.
fn update(log: &[Mark], reopened: u32, terms: &Terms) -> Option<Run> {
    start(log)?;
    let mut priority = Priority::P5;
    let mut waits = Waits::default();
    let mut run: Option<Draft> = None;
    let mut updates = 0;
    for mark in log {
        waits.follow(&mark.what, terms);
        match &mark.what {
            Moved::Rated(rated) => priority = *rated,
            Moved::Answered => run = run.or_else(|| Some(Draft::new(mark.at))),
            Moved::Updated(times) => {
                updates = *times;
                run = run.map(|_| Draft::new(mark.at));
            }
            Moved::Resolved => {
                if let Some(run) = &mut run {
                    run.priority = priority;
                    run.end(mark.at);
                }
            }
            Moved::Reopened => run = None,
            Moved::Started | Moved::Held(_) | Moved::Resumed | Moved::Adopted | Moved::GivenBack | Moved::Backdated(_) => {}
        }
        if let Some(run) = &mut run {
            if waits.any() { run.wait(mark.at) } else { run.go_on(mark.at) }
        }
    }
    // Neither goes back, so no two runs have the same.
    Draft { priority, period: reopened + updates, ..run? }.finish(terms, SlaTarget::Update)
}

/// What a promise waits for.
#[derive(Default)]
struct Waits {
    held: bool,
    adopted: bool,
    resolved: bool,
}

impl Waits {
    fn follow(&mut self, what: &Moved, terms: &Terms) {
        match what {
            Moved::Held(reason) => self.held = terms.pause.contains(reason),
            Moved::Resumed => self.held = false,
            Moved::Adopted => self.adopted = true,
            Moved::GivenBack => self.adopted = false,
            Moved::Resolved => (self.resolved, self.held) = (true, false),
            Moved::Reopened => (self.resolved, self.held) = (false, false),
            Moved::Started | Moved::Rated(_) | Moved::Answered | Moved::Backdated(_) | Moved::Updated(_) => {}
        }
    }

    fn any(&self) -> bool {
        self.held || self.adopted || self.resolved
    }
}

struct Draft {
    start: Time,
    period: u32,
    priority: Priority,
    /// When it ended, and at which priority: what ended is measured by the one that it had then.
    ended: Option<(Time, Priority)>,
    pauses: Vec<(Time, Option<Time>)>,
}

impl Draft {
    fn new(start: Time) -> Draft {
        Draft { start, period: 0, priority: Priority::P5, ended: None, pauses: Vec::new() }
    }

    fn end(&mut self, at: Time) {
        self.ended.get_or_insert((at, self.priority));
    }

    fn start_over(&mut self, at: Time) {
        *self = Draft { period: self.period, priority: self.priority, ..Draft::new(at) };
    }

    fn wait(&mut self, at: Time) {
        if self.pauses.last().is_none_or(|(_, until)| until.is_some()) {
            self.pauses.push((at, None));
        }
    }

    fn go_on(&mut self, at: Time) {
        if let Some((_, until @ None)) = self.pauses.last_mut() {
            *until = Some(at);
        }
    }

    fn finish(self, terms: &Terms, target: SlaTarget) -> Option<Run> {
        let priority = self.ended.map_or(self.priority, |(_, priority)| priority);
        let ended = self.ended.map(|(at, _)| at);
        Some(Run { start: self.start, period: self.period, allowance: terms.allowance(target, priority)?, ended, pauses: self.pauses })
    }
}

/// The terms of clocks, with what their calendars say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveTerms {
    /// The record.
    pub record: Terms,
    working: Calendar,
    wall: Calendar,
}

impl LiveTerms {
    /// Terms that can be asked. A calendar that this version cannot read counts as always open, which is the stricter reading.
    pub fn new(record: Terms) -> LiveTerms {
        let working = Calendar::new(record.hours.clone()).unwrap_or_else(|_| Calendar::always());
        LiveTerms { record, working, wall: Calendar::always() }
    }

    /// The calendar by which an allowance counts.
    pub fn calendar(&self, allowance: Allowance) -> &Calendar {
        if allowance.needs_calendar() { &self.working } else { &self.wall }
    }
}

/// A promise of a clock, as it stands.
#[derive(Debug, Clone)]
pub struct Promise<'a> {
    /// The clock.
    pub clock: &'a Clock,
    /// Its terms.
    pub terms: &'a LiveTerms,
    /// Which of its promises.
    pub target: SlaTarget,
    /// How it ran.
    pub run: Run,
    /// Where it stands.
    pub standing: Standing,
    /// Why it ended without having been kept; empty where it was, or is not over.
    pub because: String,
}

impl Promise<'_> {
    /// When it reaches a share, as [`Run::reaches`].
    pub fn reaches(&self, percent: u8) -> Option<Time> {
        self.run.reaches(self.terms.calendar(self.run.allowance), percent)
    }

    /// The shares that say something, its breach the last, which were not said yet.
    pub fn unsaid(&self) -> impl Iterator<Item = u8> {
        let shares = self.terms.record.warn_at.iter().copied().chain([BREACH]);
        shares.filter(|percent| !self.clock.has_reached(self.target, self.run.period, *percent))
    }

    /// Whether it still runs or waits.
    pub fn is_open(&self) -> bool {
        self.run.ended.is_none()
    }
}

impl Clock {
    /// Whether a share was said of this period; a breach ends all warnings.
    pub fn has_reached(&self, target: SlaTarget, period: u32, percent: u8) -> bool {
        self.reached
            .iter()
            .any(|known| known.target == target && known.period == period && (known.percent == percent || known.percent == BREACH))
    }

    /// When the promise was first broken, in whichever period.
    pub fn breached_at(&self, target: SlaTarget) -> Option<Time> {
        self.reached.iter().find(|known| known.target == target && known.percent == BREACH).map(|known| known.at)
    }

    /// The first mail went, or none will: nothing waits for it any more.
    pub(super) fn wait_no_more(&mut self) {
        for reached in &mut self.reached {
            reached.waits = false;
        }
    }

    /// Keeps what was reached. Of periods that are over only the first breach stays.
    pub(super) fn keep(&mut self, reached: &[Reached]) {
        for new in reached {
            let first = self.breached_at(new.target);
            let stays = |known: &Reached| {
                known.target != new.target || known.period == new.period || known.percent == BREACH && Some(known.at) == first
            };
            self.reached.retain(stays);
            self.reached.push(*new);
        }
    }
}

impl Incident {
    /// Every promise of its clocks at `now`, clock by clock, response first.
    pub fn promises<'a>(&'a self, terms: &'a BTreeMap<TermsId, LiveTerms>, now: Time) -> Vec<Promise<'a>> {
        let of_clock = |clock: &'a Clock| {
            let terms = terms.get(&clock.terms)?;
            Some(SlaTarget::ALL.iter().filter_map(move |target| {
                let run = Run::of(&self.log, self.reopened, &terms.record, *target)?;
                let breached = clock.has_reached(*target, run.period, BREACH);
                let mut standing = run.standing(terms.calendar(run.allowance), breached, now);
                let because = self.unkept(*target).filter(|_| run.ended.is_some());
                if because.is_some() && standing.state == ClockState::Met {
                    standing.state = ClockState::Ended;
                }
                Some(Promise { clock, terms, target: *target, run, standing, because: because.unwrap_or_default() })
            }))
        };
        self.clocks.iter().filter_map(of_clock).flatten().collect()
    }

    /// Why the end of a promise in time keeps nothing: nobody had responded, or another incident took it over, whose clocks count. `None`: it keeps it. Who
    /// resolves it by hand has responded.
    fn unkept(&self, target: SlaTarget) -> Option<String> {
        let is_answered = self.acknowledged_at.is_some() || self.parent.is_none() && !self.resolved_by.trim().is_empty();
        match (target, self.parent) {
            (SlaTarget::Response, _) if is_answered => None,
            (SlaTarget::Response, None) => Some("resolved before anybody responded".to_owned()),
            (SlaTarget::Response, Some(parent)) => Some(format!("part of {parent} before anybody responded")),
            (SlaTarget::Resolution | SlaTarget::Update, parent) => parent.map(|parent| format!("part of {parent}, which is measured")),
        }
    }

    /// Of those, the one that presses most: not ended, the largest share used, the nearest deadline.
    pub fn pressing<'a>(&'a self, terms: &'a BTreeMap<TermsId, LiveTerms>, now: Time) -> Option<Promise<'a>> {
        let rank = |promise: &Promise<'_>| {
            (!promise.is_open(), Reverse(promise.standing.percent), promise.standing.deadline.unwrap_or(Time::NEVER))
        };
        self.promises(terms, now).into_iter().min_by_key(rank)
    }

    /// Records a stakeholder update. Ignored once the incident is no longer open.
    pub(super) fn updated(&mut self, at: Time) {
        if !self.is_open() {
            return;
        }
        let mut times = 0;
        self.log.retain(|mark| match mark.what {
            Moved::Updated(before) => {
                times = before;
                false
            }
            Moved::Started
            | Moved::Rated(_)
            | Moved::Answered
            | Moved::Held(_)
            | Moved::Resumed
            | Moved::Resolved
            | Moved::Reopened
            | Moved::Adopted
            | Moved::GivenBack
            | Moved::Backdated(_) => true,
        });
        self.mark(at, Moved::Updated(times + 1));
    }

    /// Writes down what moves its clocks. A full log forgets its oldest pause, which then counts as used; never its last return, from which the
    /// promise to answer counts, nor its priority.
    pub(super) fn mark(&mut self, at: Time, what: Moved) {
        if self.log.len() >= limits::CLOCK_MARKS_MAX {
            let begins = |mark: &Mark| matches!(mark.what, Moved::Held(_) | Moved::Resolved | Moved::Adopted);
            let ends = |mark: &Mark| matches!(mark.what, Moved::Resumed | Moved::Reopened | Moved::GivenBack);
            let last = |is: fn(&Moved) -> bool| self.log.iter().rposition(|mark| is(&mark.what));
            let (returned, rated) = (last(|what| *what == Moved::Reopened), last(|what| matches!(what, Moved::Rated(_))));
            let pair = (0..self.log.len() - 1).find(|at| {
                let (from, until) = (&self.log[*at], &self.log[at + 1]);
                begins(from) && ends(until) && returned != Some(at + 1)
            });
            let rated = || (2..self.log.len()).find(|at| matches!(self.log[*at].what, Moved::Rated(_)) && rated != Some(*at));
            match (pair, rated()) {
                (Some(at), _) => drop(self.log.drain(at..at + 2)),
                (None, Some(at)) => drop(self.log.remove(at)),
                (None, None) => drop(self.log.pop()),
            }
        }
        self.log.push(Mark { at, what });
    }
}

/// The log of an incident that opens.
pub fn begun(at: Time, priority: Priority) -> Vec<Mark> {
    vec![Mark { at, what: Moved::Started }, Mark { at, what: Moved::Rated(priority) }]
}
