//! Problems and what is counted towards them: how facts change them, and the indexes over them.

use std::collections::BTreeSet;

use super::index::drop_from;
use super::rows::Row;
use super::{State, Timer};
use crate::ids::{IncidentId, ProblemId};
use crate::model::incident;
use crate::model::problem::{Fact, Outage, Problem, Series, SeriesKey};
use crate::time::Time;
use crate::words::ProblemState;

impl State {
    /// The problem of a rule and what its incidents share, while it is not closed; of more than one the earliest.
    pub fn problem_of(&self, key: &SeriesKey) -> Option<&Problem> {
        self.problems.get(self.problem_keys.get(key)?.first()?)
    }

    /// Problems that are of the same as an earlier one that is not closed either, each with that one.
    pub(crate) fn problem_twins(&self) -> Vec<(ProblemId, ProblemId)> {
        let twins = self.problem_keys.values().filter_map(|ids| Some((*ids.first()?, ids)));
        twins.flat_map(|(first, ids)| ids.iter().skip(1).map(move |later| (first, *later))).collect()
    }

    /// What is still counted beside a problem of the same, with that problem.
    pub(crate) fn series_beside_problems(&self) -> Vec<(ProblemId, SeriesKey)> {
        self.series.keys().filter_map(|key| Some((self.problem_of(key)?.id, key.clone()))).collect()
    }

    /// The series that would be too old first, where it is so at `now`, or where there are `max` of them.
    pub(crate) fn oldest_series(&self, now: Time, max: usize) -> Option<&SeriesKey> {
        let (until, key) = self.series_until.first()?;
        (*until <= now || self.series.len() >= max).then_some(key)
    }

    pub(super) fn apply_problem(&mut self, fact: &Fact, now: Time, touched: &mut BTreeSet<Row>) {
        match fact {
            Fact::Counted { key, outage, within } => {
                let known = self.take_series(key, touched);
                let mut series = known.unwrap_or_else(|| Series { key: key.clone(), outages: Vec::new(), until: outage.at });
                series.count(outage, *within);
                self.put_series(series);
            }
            Fact::Forgotten { key } => drop(self.take_series(key, touched)),
            Fact::Opened { problem } => {
                self.take_series(&problem.key, touched);
                self.counters.problems = self.counters.problems.max(problem.id.0);
                let mut problem = (**problem).clone();
                problem.timeline_len = 1;
                let id = problem.id;
                self.say_of_problem(fact, id, 0, now, touched);
                self.put_problem(problem);
                touched.insert(Row::Problem(id));
            }
            Fact::Attached { .. }
            | Fact::Moved { .. }
            | Fact::Assigned { .. }
            | Fact::Noted { .. }
            | Fact::KnownError { .. }
            | Fact::Resolved { .. }
            | Fact::FixFailed { .. }
            | Fact::Closed { .. }
            | Fact::TookOver { .. }
            | Fact::Merged { .. }
            | Fact::Told { .. }
            | Fact::NobodyTold { .. } => self.change_problem(fact, now, touched),
        }
    }

    fn change_problem(&mut self, fact: &Fact, now: Time, touched: &mut BTreeSet<Row>) {
        let Some(mut problem) = fact.id().and_then(|id| self.take_problem(id)) else { return };
        let id = problem.id;
        self.say_of_problem(fact, id, problem.timeline_len, now, touched);
        problem.apply(fact, now);
        touched.insert(Row::Problem(id));
        if problem.state == ProblemState::Closed {
            self.past.problems.insert(id, problem);
            touched.insert(Row::PastProblem(id));
        } else {
            self.put_problem(problem);
        }
    }

    fn say_of_problem(&mut self, fact: &Fact, id: ProblemId, position: u32, now: Time, touched: &mut BTreeSet<Row>) {
        if let Some(entry) = fact.entry(now) {
            self.past.problem_timeline.insert((id, position), entry);
            touched.insert(Row::ProblemTimeline(id, position));
        }
    }

    /// What a fact about an incident says of the outage that it is counted as: over, not over, or one with another's.
    pub(super) fn move_outages(&mut self, fact: &incident::Fact, now: Time, touched: &mut BTreeSet<Row>) {
        let id = fact.id();
        let change: &dyn Fn(&mut Vec<Outage>) = match fact {
            incident::Fact::Resolved { words, .. } => &|outages| end(outages, id, Some(now), words),
            incident::Fact::Reopened { .. } => &|outages| end(outages, id, None, ""),
            incident::Fact::Emptied { .. } => &|outages| outages.retain(|outage| outage.incident != id),
            incident::Fact::Opened { .. }
            | incident::Fact::Attached { .. }
            | incident::Fact::Detached { .. }
            | incident::Fact::GivenBack { .. }
            | incident::Fact::CauseNamed { .. }
            | incident::Fact::Rated { .. }
            | incident::Fact::Moved { .. }
            | incident::Fact::Assigned { .. }
            | incident::Fact::Noted { .. }
            | incident::Fact::SourceSaid { .. }
            | incident::Fact::Held { .. }
            | incident::Fact::Closed { .. }
            | incident::Fact::SettleArmed { .. }
            | incident::Fact::NotifyArmed { .. }
            | incident::Fact::Told { .. }
            | incident::Fact::Muted { .. }
            | incident::Fact::NobodyTold { .. }
            | incident::Fact::Hurts { .. }
            | incident::Fact::ReleaseArmed { .. }
            | incident::Fact::ClockAttached { .. }
            | incident::Fact::ClockReached { .. }
            | incident::Fact::ClockArmed { .. }
            | incident::Fact::ClockMissed { .. }
            | incident::Fact::Backdated { .. }
            | incident::Fact::Linked { .. } => return,
        };
        for key in self.counted.get(&id).cloned().unwrap_or_default() {
            if let Some(mut series) = self.take_series(&key, touched) {
                change(&mut series.outages);
                if !series.outages.is_empty() {
                    self.put_series(series);
                }
            } else if let Some(mut problem) = self.problem_of(&key).map(|problem| problem.id).and_then(|id| self.take_problem(id)) {
                let before = problem.outages.len();
                change(&mut problem.outages);
                let gone = u32::try_from(before - problem.outages.len()).unwrap_or(u32::MAX);
                problem.outage_count = problem.outage_count.saturating_sub(gone);
                problem.version += 1;
                problem.updated_at = now;
                touched.insert(Row::Problem(problem.id));
                self.put_problem(problem);
            }
        }
    }

    fn take_series(&mut self, key: &SeriesKey, touched: &mut BTreeSet<Row>) -> Option<Series> {
        touched.insert(Row::Series(key.clone()));
        let series = self.series.remove(key)?;
        self.series_until.remove(&(series.until, series.key.clone()));
        for outage in &series.outages {
            self.uncount(outage.incident, key);
        }
        Some(series)
    }

    pub(super) fn put_series(&mut self, series: Series) {
        self.series_until.insert((series.until, series.key.clone()));
        for outage in &series.outages {
            self.counted.entry(outage.incident).or_default().insert(series.key.clone());
        }
        self.series.insert(series.key.clone(), series);
    }

    fn take_problem(&mut self, id: ProblemId) -> Option<Problem> {
        let problem = self.problems.remove(&id)?;
        drop_from(&mut self.problem_keys, &problem.key, &id);
        for outage in &problem.outages {
            self.uncount(outage.incident, &problem.key);
        }
        Some(problem)
    }

    pub(super) fn put_problem(&mut self, problem: Problem) {
        self.arm(problem.close_at, Timer::CloseProblem(problem.id));
        for outage in &problem.outages {
            self.counted.entry(outage.incident).or_default().insert(problem.key.clone());
        }
        self.problem_keys.entry(problem.key.clone()).or_default().insert(problem.id);
        self.problems.insert(problem.id, problem);
    }

    fn uncount(&mut self, incident: IncidentId, key: &SeriesKey) {
        drop_from(&mut self.counted, &incident, key);
    }
}

fn end(outages: &mut [Outage], incident: IncidentId, ended: Option<Time>, words: &str) {
    for outage in outages.iter_mut().filter(|outage| outage.incident == incident) {
        outage.ended = ended;
        words.clone_into(&mut outage.words);
    }
}
