//! Which jobs the World wants done by schedule, when each is next due, and for which instants one runs that is due.

use std::collections::BTreeMap;

use crate::cmdb::Team;
use crate::event::World;
use crate::limits;
use crate::model::job::{self, Job, Run};
use crate::policy::notify::Digest;
use crate::schedule::Schedule;
use crate::state::State;
use crate::time::Time;
use crate::words::JobKind;

/// What names a job.
pub type Key = (JobKind, String);

/// Everything that is to be done by schedule. A kind of job is one line here, and one arm where it runs.
pub fn wanted(world: &World) -> BTreeMap<Key, Schedule> {
    digests(world).chain(capacity(world)).chain(clock_sweep(world)).collect()
}

/// What changes about jobs when a World has come into force: what is new or has another schedule is armed from `now` on, what nobody wants is dropped.
pub fn rearmed(state: &State, world: &World, now: Time) -> Vec<job::Fact> {
    let wanted = wanted(world);
    let changed = wanted.iter().filter(|(key, schedule)| state.jobs.get(*key).is_none_or(|job| job.schedule != written(schedule)));
    let armed = changed.filter_map(|((kind, name), schedule)| {
        let due_at = schedule.next_after(now)?;
        Some(job::Fact::Armed { kind: *kind, name: name.clone(), schedule: written(schedule), due_at })
    });
    let gone = state.jobs.iter().filter(|(key, _)| !wanted.contains_key(*key) && !is_awaited(state, key));
    let dropped = gone.map(|((kind, name), _)| job::Fact::Dropped { kind: *kind, name: name.clone() });
    armed.chain(dropped).collect()
}

/// The job that has been due the longest at `now`.
pub fn first_due(state: &State, now: Time) -> Option<&Job> {
    state.jobs.values().filter(|job| job.due_at <= now).min_by_key(|job| job.due_at)
}

/// The run of the job that has been due the longest: once, however many instants of its schedule have passed.
pub fn due(state: &State, world: &World, now: Time) -> Option<job::Fact> {
    let job = first_due(state, now)?;
    let wanted = wanted(world).remove(&(job.kind, job.name.clone()));
    let schedule = wanted.filter(|schedule| written(schedule) == job.schedule);
    let once = Run { at: now, first: job.due_at, last: job.due_at, instants: 1 };
    let run = schedule.as_ref().map_or(once, |schedule| run(job, schedule, now));
    let due_at = schedule.and_then(|schedule| schedule.next_after(now));
    Some(job::Fact::Ran { kind: job.kind, name: job.name.clone(), run, due_at })
}

/// Its schedule and zone in one text.
fn written(schedule: &Schedule) -> String {
    format!("{schedule} {}", schedule.zone())
}

fn run(job: &Job, schedule: &Schedule, now: Time) -> Run {
    let last = schedule.last_at_or_before(now).unwrap_or(job.due_at).max(job.due_at);
    Run { at: now, first: job.due_at, last, instants: schedule.count(job.due_at, last).max(1) }
}

/// Whether it has something to do yet, though no rule wants it: a list that was begun is sent.
fn is_awaited(state: &State, key: &Key) -> bool {
    match key.0 {
        JobKind::Digest => state.digests.values().any(|digest| digest.job == key.1),
        JobKind::Capacity | JobKind::SlaSweep => false,
    }
}

/// A look at every SLA clock, as long as rules promise something.
fn clock_sweep(world: &World) -> Option<(Key, Schedule)> {
    let schedule = Schedule::parse(limits::CLOCK_SWEEP, "UTC").ok().filter(|_| !world.policy.slas.is_empty());
    schedule.map(|schedule| ((JobKind::SlaSweep, "clocks".to_owned()), schedule))
}

/// One job for each list: the morning's in each zone in which a team reads, and those with a schedule of their own.
fn digests(world: &World) -> impl Iterator<Item = (Key, Schedule)> {
    let zones: Vec<&str> = world.cmdb.inventory().teams.values().map(Team::zone_name).chain(["UTC"]).collect();
    let rules = world.policy.notify.iter().filter_map(|rule| Some((rule, rule.digest.as_ref()?)));
    rules.flat_map(move |(rule, digest)| match digest {
        Digest::Morning => zones.iter().map(|zone| ((JobKind::Digest, digest.job(&rule.name, zone)), digest.schedule(zone))).collect(),
        Digest::Own(schedule) => vec![((JobKind::Digest, digest.job(&rule.name, "")), schedule.clone())],
    })
}

/// One job for each capacity rule.
fn capacity(world: &World) -> impl Iterator<Item = (Key, Schedule)> {
    world.policy.capacity.iter().map(|rule| ((JobKind::Capacity, rule.name.clone()), rule.every.clone()))
}
