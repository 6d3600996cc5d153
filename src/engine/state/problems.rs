//! Problems and what is counted towards them: how facts change them, and the indexes over them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::Arc;

use super::realms::Counts;
use super::rows::Row;
use super::{Apply, Part, Shared, State, Timer, drop_from};
use crate::ids::{IncidentId, ProblemId};
use crate::model::incident::{self, Entry};
use crate::model::problem::{Fact, Outage, Problem, Series, SeriesKey};
use crate::time::Time;
use crate::words::ProblemState;

/// Problems that are not closed, and what is counted towards others.
#[derive(Debug, Clone, Default)]
pub struct Problems {
    series: BTreeMap<SeriesKey, Series>,
    live: Shared<ProblemId, Problem>,
    /// Live problems by what they are of; more than one only between a start and its repair.
    keys: BTreeMap<SeriesKey, BTreeSet<ProblemId>>,
    /// Series by when even their last outage is too old.
    series_until: BTreeSet<(Time, SeriesKey)>,
    /// Where an incident is counted, in a series or a problem.
    counted: BTreeMap<IncidentId, BTreeSet<SeriesKey>>,
    past: Shared<ProblemId, Problem>,
    timeline: BTreeMap<(ProblemId, u32), Entry>,
}

impl Deref for Problems {
    type Target = Shared<ProblemId, Problem>;

    fn deref(&self) -> &Self::Target {
        &self.live
    }
}

impl Problems {
    /// Those that were closed in this batch.
    pub fn past(&self) -> &Shared<ProblemId, Problem> {
        &self.past
    }

    /// Outages that are counted and no problem yet.
    pub fn series(&self) -> &BTreeMap<SeriesKey, Series> {
        &self.series
    }

    fn take_series(&mut self, key: &SeriesKey, cx: &mut Apply<'_>) -> Option<Series> {
        cx.touch(Row::Series(key.clone()));
        let series = self.series.remove(key)?;
        self.series_until.remove(&(series.until, series.key.clone()));
        for outage in &series.outages {
            drop_from(&mut self.counted, &outage.incident, key);
        }
        Some(series)
    }

    fn put_series(&mut self, series: Series) {
        self.series_until.insert((series.until, series.key.clone()));
        for outage in &series.outages {
            self.counted.entry(outage.incident).or_default().insert(series.key.clone());
        }
        self.series.insert(series.key.clone(), series);
    }

    fn take(&mut self, id: ProblemId) -> Option<Problem> {
        let problem = Arc::unwrap_or_clone(self.live.remove(&id)?);
        drop_from(&mut self.keys, &problem.key, &id);
        for outage in &problem.outages {
            drop_from(&mut self.counted, &outage.incident, &problem.key);
        }
        Some(problem)
    }

    fn say(&mut self, fact: &Fact, id: ProblemId, position: u32, cx: &mut Apply<'_>) {
        if let Some(entry) = fact.entry(cx.now) {
            self.timeline.insert((id, position), entry);
            cx.touch(Row::ProblemTimeline(id, position));
        }
    }
}

impl State {
    /// The problem of a rule and what its incidents share, while it is not closed; of more than one the earliest.
    pub fn problem_of(&self, key: &SeriesKey) -> Option<&Problem> {
        self.problems.get(self.problems.keys.get(key)?.first()?)
    }

    /// Problems that are of the same as an earlier one that is not closed either, each with that one.
    pub(crate) fn problem_twins(&self) -> Vec<(ProblemId, ProblemId)> {
        let twins = self.problems.keys.values().filter_map(|ids| Some((*ids.first()?, ids)));
        twins.flat_map(|(first, ids)| ids.iter().skip(1).map(move |later| (first, *later))).collect()
    }

    /// What is still counted beside a problem of the same, with that problem.
    pub(crate) fn series_beside_problems(&self) -> Vec<(ProblemId, SeriesKey)> {
        self.problems.series.keys().filter_map(|key| Some((self.problem_of(key)?.id, key.clone()))).collect()
    }

    /// The series that would be too old first, where it is so at `now`, or where there are `max` of them.
    pub(crate) fn oldest_series(&self, now: Time, max: usize) -> Option<&SeriesKey> {
        let (until, key) = self.problems.series_until.first()?;
        (*until <= now || self.problems.series.len() >= max).then_some(key)
    }

    /// What a fact about an incident says of the outage that it is counted as: over, not over, or one with another's.
    pub(super) fn move_outages(&mut self, fact: &incident::Fact, cx: &mut Apply<'_>) {
        let (id, now) = (fact.id(), cx.now);
        // All other facts say nothing of when an outage began or ended.
        let change: &dyn Fn(&mut Vec<Outage>) = if let incident::Fact::Resolved { words, .. } = fact {
            &|outages| end(outages, id, Some(now), words)
        } else if let incident::Fact::Reopened { .. } = fact {
            &|outages| end(outages, id, None, "")
        } else if let incident::Fact::Emptied { .. } = fact {
            &|outages| outages.retain(|outage| outage.incident != id)
        } else {
            return;
        };
        for key in self.problems.counted.get(&id).cloned().unwrap_or_default() {
            if let Some(mut series) = self.problems.take_series(&key, cx) {
                change(&mut series.outages);
                if !series.outages.is_empty() {
                    self.problems.put_series(series);
                }
            } else if let Some(mut problem) = self.problem_of(&key).map(|problem| problem.id).and_then(|id| self.problems.take(id)) {
                let before = problem.outages.len();
                change(&mut problem.outages);
                let gone = u32::try_from(before - problem.outages.len()).unwrap_or(u32::MAX);
                problem.outage_count = problem.outage_count.saturating_sub(gone);
                problem.version += 1;
                problem.updated_at = now;
                cx.touch(Row::Problem(problem.id));
                take_problem(self, problem);
            }
        }
    }
}

impl Part for Problems {
    type Fact = Fact;

    fn apply(state: &mut State, fact: &Fact, cx: &mut Apply<'_>) {
        let problems = &mut state.problems;
        if let Fact::Counted { key, outage, within } = fact {
            let known = problems.take_series(key, cx);
            let mut series = known.unwrap_or_else(|| Series { key: key.clone(), outages: Vec::new(), until: outage.at });
            series.count(outage, *within);
            problems.put_series(series);
        } else if let Fact::Forgotten { key } = fact {
            problems.take_series(key, cx);
        } else if let Fact::Opened { problem } = fact {
            problems.take_series(&problem.key, cx);
            problems.say(fact, problem.id, 0, cx);
            cx.touch(Row::Problem(problem.id));
            state.give(problem.id.shard(), Counts::Problems, problem.id.number(), cx);
            take_problem(state, Problem { timeline_len: 1, ..(**problem).clone() });
            state.arm(problem.close_at, Timer::CloseProblem(problem.id));
        } else if let Some(mut problem) = fact.id().and_then(|id| problems.take(id)) {
            // All other facts change the problem's own record.
            let id = problem.id;
            problems.say(fact, id, problem.timeline_len, cx);
            problem.apply(fact, cx.now);
            cx.touch(Row::Problem(id));
            if problem.state == ProblemState::Closed {
                cx.touch_past(Row::PastProblem(id), &problem);
                problems.past.insert(id, problem);
            } else {
                let close_at = problem.close_at;
                take_problem(state, problem);
                state.arm(close_at, Timer::CloseProblem(id));
            }
        }
    }

    fn arm(state: &mut State) {
        for (id, at) in state.problems.live.values().map(|problem| (problem.id, problem.close_at)).collect::<Vec<_>>() {
            state.arm(at, Timer::CloseProblem(id));
        }
    }

    fn settle(&mut self) {
        self.past.clear();
        self.timeline.clear();
    }
}

pub(super) fn problem<'a>(state: &'a State, id: &ProblemId) -> Option<&'a Problem> {
    state.problems.live.get(id)
}

pub(super) fn take_problem(state: &mut State, problem: Problem) {
    let problems = &mut state.problems;
    for outage in &problem.outages {
        problems.counted.entry(outage.incident).or_default().insert(problem.key.clone());
    }
    problems.keys.entry(problem.key.clone()).or_default().insert(problem.id);
    problems.live.insert(problem.id, problem);
}

pub(super) fn series<'a>(state: &'a State, key: &SeriesKey) -> Option<&'a Series> {
    state.problems.series.get(key)
}

pub(super) fn take_series(state: &mut State, series: Series) {
    state.problems.put_series(series);
}

pub(super) fn entry<'a>(state: &'a State, id: &ProblemId, position: &u32) -> Option<&'a Entry> {
    state.problems.timeline.get(&(*id, *position))
}

pub(super) fn past_problem<'a>(state: &'a State, id: &ProblemId) -> Option<&'a Problem> {
    state.problems.past.get(id)
}

fn end(outages: &mut [Outage], incident: IncidentId, ended: Option<Time>, words: &str) {
    for outage in outages.iter_mut().filter(|outage| outage.incident == incident) {
        outage.ended = ended;
        words.clone_into(&mut outage.words);
    }
}
