//! Log lines of business facts: one line a fact, at most. Written here and nowhere else, from what was committed.
//!
//! No mail bodies, tokens or alert payloads; alert text in a log line stands on one line.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tracing::{debug, info, warn};
use watchkeeper_engine::fact::Fact;
use watchkeeper_engine::ids::IncidentId;
use watchkeeper_engine::model::incident::clock::{BREACH, Reached};
use watchkeeper_engine::model::{alert, capacity, digest, health, incident, job, message, problem, realm, silence, system, terms};
use watchkeeper_engine::text::one_line;
use watchkeeper_engine::time::Time;

use crate::board::Board;
use crate::feed::Committed;

/// Refusals of one source that are shown one by one in [`REFUSALS_WITHIN`]: enough to see what is wrong with it. Metrics count all of them.
const REFUSALS_SHOWN: u32 = 5;
/// How long refusals beyond those are counted before a line says how many there were.
const REFUSALS_WITHIN: Duration = Duration::from_secs(60);

/// Turns facts into log lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    refusals: Refusals,
    /// When it was last said that conditions are too dear.
    dearest_at: Option<Instant>,
}

/// Refused alerts by source: a few are shown, the others counted. A broken sender is worth a line, not eight thousand.
#[derive(Debug, Default)]
struct Refusals {
    sources: BTreeMap<String, Refused>,
}

/// What one source has sent since a line was first shown.
#[derive(Debug)]
struct Refused {
    since: Instant,
    shown: u32,
    unshown: u64,
    last: String,
}

impl Refusals {
    fn say(&mut self, source: &str, reason: &str, now: Instant) {
        let known = match self.sources.get_mut(source) {
            Some(known) => known,
            None => self.sources.entry(source.to_owned()).or_insert(Refused { since: now, shown: 0, unshown: 0, last: String::new() }),
        };
        if known.shown < REFUSALS_SHOWN {
            known.shown += 1;
            warn!(source, reason = one_line(reason), "Alert refused.");
        } else {
            known.unshown += 1;
            known.last.clear();
            known.last.push_str(reason);
        }
    }

    fn tick(&mut self, now: Instant) {
        self.sources.retain(|source, refused| {
            let goes_on = now.duration_since(refused.since) < REFUSALS_WITHIN;
            if !goes_on && refused.unshown > 0 {
                warn!(source, alerts = refused.unshown, last_reason = one_line(&refused.last), "Further alerts were refused.");
            }
            goes_on
        });
    }
}

impl Lines {
    /// Says what a commit did.
    pub(super) fn say(&mut self, committed: &Committed) {
        let is_news = |at: Instant| at.elapsed() >= REFUSALS_WITHIN;
        if let (Some(dearest), true) = (&committed.measured.dearest, self.dearest_at.is_none_or(is_news)) {
            self.dearest_at = Some(Instant::now());
            let (rule, elements, refused) = (one_line(&dearest.rule), dearest.elements, dearest.refused);
            warn!(
                rule,
                elements, refused, "Conditions were given up because those of a batch had cost too much; this rule is the dearest."
            );
        }
        for fact in committed.facts() {
            if let Fact::Alert(alert::Fact::Rejected { source, refused }) = fact {
                self.refusals.say(source, &refused.to_string(), Instant::now());
            } else {
                log(fact, &committed.published.board);
            }
        }
    }

    /// Says how many refusals of the last minute were not shown one by one.
    pub(super) fn tick(&mut self, now: Instant) {
        self.refusals.tick(now);
    }

    /// Says what was held back.
    pub(super) fn end(&mut self) {
        self.refusals.tick(Instant::now() + REFUSALS_WITHIN);
    }
}

fn log(fact: &Fact, board: &Board) {
    match fact {
        Fact::Alert(fact) => log_alert(fact),
        Fact::Incident(fact) => log_incident(fact, board),
        Fact::Message(fact) => log_message(fact),
        Fact::Silence(silence::Fact::Set { silence }) => {
            info!(silence = %silence.id, by = silence.created_by, until = %silence.ends_at, "Silence set.");
        }
        Fact::Silence(silence::Fact::Expired { id, actor }) => info!(silence = %id, by = actor, "Silence expired by hand."),
        Fact::Silence(silence::Fact::Forgotten { id }) => debug!(silence = %id, "Silence forgotten."),
        Fact::Digest(digest::Fact::Folded { address, incident, .. }) => debug!(%incident, to = address, "Incident folded into a digest."),
        Fact::Digest(digest::Fact::Sent { address, .. }) => debug!(to = address, "Digest planned."),
        Fact::System(fact) => log_system(fact),
        Fact::Problem(fact) => log_problem(fact),
        Fact::Realm(realm::Fact::Named { shard, name }) => {
            info!(realm = one_line(name.name()), number = shard.0, "A realm was heard of for the first time.")
        }
        Fact::Cursor(_) => {}
        Fact::Health(health::Fact::Left) => {}
        Fact::Health(health::Fact::Changed { change }) => {
            debug!(ci = one_line(&change.id), realm = one_line(change.realm.name()), health = %change.to, "The health of a CI changed.");
        }
        Fact::Terms(terms::Fact::Kept { terms }) => debug!(sla = one_line(&terms.name), "Terms of an SLA are kept."),
        Fact::Job(fact) => log_job(fact),
        Fact::Capacity(fact) => log_capacity(fact),
    }
}

fn log_capacity(fact: &capacity::Fact) {
    match fact {
        capacity::Fact::Asked { rule } => debug!(rule = one_line(rule), "Capacity asked for."),
        capacity::Fact::Answered { rule, left_out: 0, .. } => info!(rule = one_line(rule), "Capacity answered."),
        capacity::Fact::Answered { rule, left_out, .. } => {
            warn!(rule = one_line(rule), left_out, "Capacity answered; series beyond the bounds are left out.");
        }
        capacity::Fact::Unanswered { rule, error } => {
            warn!(
                rule = one_line(rule),
                error = one_line(error),
                "A capacity rule got no answer; its alerts stand, and its schedule asks again."
            );
        }
        capacity::Fact::Made { forecast } => {
            debug!(rule = one_line(&forecast.rule), series = one_line(&forecast.series), fires = forecast.fires, "Forecast made.");
        }
        capacity::Fact::Forgotten { rule, series } => debug!(rule = one_line(rule), series = one_line(series), "Series forgotten."),
        capacity::Fact::Dropped { rule } => debug!(rule = one_line(rule), "Capacity rule dropped."),
    }
}

fn log_job(fact: &job::Fact) {
    match fact {
        job::Fact::Armed { kind, name, schedule, due_at } => {
            debug!(%kind, job = one_line(name), schedule = one_line(schedule), due = %due_at.rfc3339(), "Job armed.");
        }
        job::Fact::Ran { kind, name, run, .. } => {
            info!(
                %kind, job = one_line(name), instants = run.instants, first = %run.first.rfc3339(), last = %run.last.rfc3339(),
                "Job ran."
            );
        }
        job::Fact::Dropped { kind, name } => debug!(%kind, job = one_line(name), "Job dropped."),
    }
}

fn log_alert(fact: &alert::Fact) {
    match fact {
        alert::Fact::Opened { alert, .. } => {
            debug!(alert = %alert.id, name = one_line(&alert.name), severity = %alert.severity, "Alert opened.");
        }
        alert::Fact::Cleared { id, because, .. } => debug!(alert = %id, because = one_line(&because.to_string()), "Alert cleared."),
        alert::Fact::Refired { id, .. } => debug!(alert = %id, "Alert fires again."),
        alert::Fact::Judged { id, state, .. } => debug!(alert = %id, %state, "Alert judged."),
        // Refusals are said by `Refusals`.
        alert::Fact::Rejected { .. }
        | alert::Fact::Seen { .. }
        | alert::Fact::SeverityChanged { .. }
        | alert::Fact::Matched { .. }
        | alert::Fact::SetApart { .. }
        | alert::Fact::RejudgeArmed { .. }
        | alert::Fact::Forgotten { .. }
        | alert::Fact::OverBeforeKnown { .. }
        | alert::Fact::ForgetArmed { .. } => {}
    }
}

fn log_incident(fact: &incident::Fact, board: &Board) {
    let priority = board.incidents.get(fact.id()).map(|open| open.incident.priority.word()).unwrap_or_default();
    match fact {
        incident::Fact::Opened { incident } => info!(
            incident = %incident.id, priority, item = one_line(&incident.item), title = one_line(&incident.title), rule = incident.rule, "Incident opened."
        ),
        incident::Fact::Emptied { id, by } => info!(incident = %id, parent = %by, "Incident became a child."),
        incident::Fact::Rated { id, because, .. } => {
            info!(incident = %id, priority, because = one_line(&because.to_string()), "Incident rated.")
        }
        incident::Fact::Moved { id, to, because } => {
            info!(incident = %id, state = %to, because = one_line(&because.to_string()), "Incident moved.");
        }
        incident::Fact::Assigned { id, to, .. } => info!(incident = %id, to = one_line(to), "Incident assigned."),
        incident::Fact::Held { id, reason, .. } => info!(incident = %id, reason = one_line(reason), "Incident put on hold."),
        incident::Fact::Resolved { id, because, .. } => {
            info!(incident = %id, because = one_line(&because.to_string()), "Incident resolved.")
        }
        incident::Fact::Reopened { id, because, .. } => {
            info!(incident = %id, because = one_line(&because.to_string()), "Incident reopened.")
        }
        incident::Fact::Closed { id, .. } => info!(incident = %id, "Incident closed."),
        incident::Fact::ClockReached { id, name, reached } => log_clock(*id, priority, name, reached),
        incident::Fact::ClockAttached { id, clock } => debug!(incident = %id, sla = one_line(&clock.name), "SLA clock attached."),
        incident::Fact::NobodyTold { id, why } => warn!(incident = %id, why = one_line(why), "Nobody was told."),
        incident::Fact::Attached { .. }
        | incident::Fact::Detached { .. }
        | incident::Fact::GivenBack { .. }
        | incident::Fact::CauseNamed { .. }
        | incident::Fact::Noted { .. }
        | incident::Fact::SourceSaid { .. }
        | incident::Fact::SettleArmed { .. }
        | incident::Fact::NotifyArmed { .. }
        | incident::Fact::Told { .. }
        | incident::Fact::Muted { .. }
        | incident::Fact::Hurts { .. }
        | incident::Fact::ReleaseArmed { .. }
        | incident::Fact::ClockArmed { .. }
        | incident::Fact::Backdated { .. }
        | incident::Fact::Linked { .. } => {}
        incident::Fact::ClockMissed { id, due_at, armed_for } => {
            let armed_for = armed_for.map(Time::rfc3339);
            warn!(incident = %id, priority, due = %due_at.rfc3339(), armed_for, "A sweep found what the timer of SLA clocks missed.");
        }
    }
}

fn log_problem(fact: &problem::Fact) {
    match fact {
        problem::Fact::Opened { problem } => info!(
            problem = %problem.id, rule = problem.key.rule, title = one_line(&problem.title), outages = problem.outage_count, "Problem opened."
        ),
        problem::Fact::Attached { id, outage } => info!(problem = %id, incident = %outage.incident, "Problem came back."),
        problem::Fact::Moved { id, to, .. } => info!(problem = %id, state = %to, "Problem moved."),
        problem::Fact::Assigned { id, to, .. } => info!(problem = %id, to = one_line(to), "Problem assigned."),
        problem::Fact::KnownError { id, .. } => info!(problem = %id, "Problem is a known error."),
        problem::Fact::Resolved { id, .. } => info!(problem = %id, "Problem resolved."),
        problem::Fact::FixFailed { id, incident, .. } => warn!(problem = %id, incident = %incident, "Problem came back after its fix."),
        problem::Fact::Closed { id, because } => info!(problem = %id, because = one_line(&because.to_string()), "Problem closed."),
        problem::Fact::TookOver { id, other } => {
            warn!(problem = %id, other = %other.id, "Two open problems of the same were found after the start; the later one was merged into the earlier.");
        }
        problem::Fact::Merged { id, into } => info!(problem = %id, into = %into, "Problem closed: merged into another."),
        problem::Fact::NobodyTold { id, why } => warn!(problem = %id, why = one_line(why), "Nobody was told of a problem."),
        problem::Fact::Counted { .. } | problem::Fact::Forgotten { .. } | problem::Fact::Noted { .. } | problem::Fact::Told { .. } => {}
    }
}

fn log_clock(id: IncidentId, priority: &str, name: &str, reached: &[Reached]) {
    let Some(last) = reached.last() else { return };
    if last.percent >= BREACH {
        warn!(incident = %id, priority, sla = one_line(name), promise = %last.target, due = %last.at, "SLA breached.");
    } else {
        info!(incident = %id, priority, sla = one_line(name), promise = %last.target, percent = last.percent, "SLA time is running out.");
    }
}

fn log_message(fact: &message::Fact) {
    match fact {
        message::Fact::Planned { message } => {
            info!(message = %message.id, to = message.to, reason = %message.reason, rule = message.notify_rule, "Mail planned.");
        }
        message::Fact::Rendered { id, fallback, .. } if fallback.is_empty() => debug!(message = %id, "Mail rendered."),
        message::Fact::Rendered { id, fallback, .. } => {
            warn!(message = %id, error = one_line(fallback), "A template failed; the mail has the built-in text.");
        }
        message::Fact::Delivered { id } => info!(message = %id, "Mail delivered."),
        message::Fact::Failed { id, error, retry_at: Some(at) } => {
            warn!(message = %id, error = one_line(error), retry_at = %at, "Mail not delivered; it is tried again.");
        }
        message::Fact::Failed { id, error, retry_at: None } => {
            tracing::error!(message = %id, error = one_line(error), "Mail given up.");
        }
        message::Fact::Revived { message, .. } => info!(message = %message.id, "Mail that was given up is tried again."),
        message::Fact::Hurried { id, by, .. } => info!(message = %id, by = one_line(by), "Mail is tried again at once."),
    }
}

fn log_system(fact: &system::Fact) {
    match fact {
        system::Fact::Started { grace } if grace.down_since == Time::default() => info!("Started for the first time."),
        system::Fact::Started { grace } => info!(down_since = %grace.down_since, "Started."),
        system::Fact::WorldAdopted { policy, cmdb, .. } => info!(policy, cmdb, "Rules and CMDB came into force."),
        system::Fact::SourceNamed { name } => debug!(source = one_line(name), "Source heard of for the first time."),
        system::Fact::TimerSetAside { aside } => {
            warn!(timer = ?aside.timer, due = %aside.due_at.rfc3339(), "A timer that stopped the daemon twice was set aside.");
        }
        system::Fact::TimerTakenBack { aside } => info!(timer = ?aside.timer, "A timer that stopped another release is fired again."),
        system::Fact::Swept { .. }
        | system::Fact::ClocksSwept { .. }
        | system::Fact::SilenceRulesArmed { .. }
        | system::Fact::TimerFired { .. } => {}
    }
}
