//! Jobs: what is done by schedule.

use std::collections::BTreeMap;
use std::ops::Deref;

use super::rows::Row;
use super::{Apply, Part, State, Timer};
use crate::model::job::{Fact, Job};
use crate::time::Time;
use crate::words::JobKind;

/// Jobs by kind and name.
#[derive(Debug, Clone, Default)]
pub struct Jobs {
    armed: BTreeMap<(JobKind, String), Job>,
}

impl Deref for Jobs {
    type Target = BTreeMap<(JobKind, String), Job>;

    fn deref(&self) -> &Self::Target {
        &self.armed
    }
}

impl Part for Jobs {
    type Fact = Fact;

    fn apply(state: &mut State, fact: &Fact, cx: &mut Apply<'_>) {
        let (kind, name) = fact.key();
        let key = (kind, name.to_owned());
        let armed = &mut state.jobs.armed;
        match fact {
            Fact::Armed { schedule, due_at, .. } => {
                let last = armed.get(&key).and_then(|job| job.last);
                let job = Job { kind, name: name.to_owned(), schedule: schedule.clone(), due_at: *due_at, last };
                armed.insert(key.clone(), job);
                state.arm(Some(*due_at), Timer::Jobs);
            }
            Fact::Ran { run, due_at, .. } => {
                if let Some(job) = armed.get_mut(&key) {
                    job.last = Some(*run);
                    job.due_at = due_at.unwrap_or(Time::NEVER);
                }
                // Those that were due at the same moment share a timer: it fires for each.
                let next = armed.values().map(|job| job.due_at).filter(|due| *due <= cx.now).min();
                state.arm(*due_at, Timer::Jobs);
                state.arm(next, Timer::Jobs);
            }
            Fact::Dropped { .. } => {
                armed.remove(&key);
            }
        }
        cx.touch(Row::Job(kind, key.1));
    }

    fn arm(state: &mut State) {
        for at in state.jobs.armed.values().map(|job| job.due_at).collect::<Vec<_>>() {
            state.arm(Some(at), Timer::Jobs);
        }
    }
}

pub(super) fn job<'a>(state: &'a State, kind: &JobKind, name: &str) -> Option<&'a Job> {
    state.jobs.armed.get(&(*kind, name.to_owned()))
}

pub(super) fn take_job(state: &mut State, job: Job) {
    state.jobs.armed.insert((job.kind, job.name.clone()), job);
}
