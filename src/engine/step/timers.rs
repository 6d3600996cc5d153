//! Due timers enter the pipeline: each looks whether its thing still wants what it was armed for.

use super::{Outcome, Turn};
use crate::decide::{job, suppress};
use crate::event::World;
use crate::ids::AlertId;
use crate::limits;
use crate::model::cursor::{Scope, Work};
use crate::model::timer::Aside;
use crate::model::{alert, silence, system};
use crate::state::{State, Timer};
use crate::text::Because;
use crate::time::Time;
use crate::words::AlertState;

/// The release this is: timers that stopped another one are tried again.
const RELEASE: &str = env!("CARGO_PKG_VERSION");

/// Fires at most [`limits::DUE_TIMERS_MAX`] timers that are due at `now`; more may be, see [`State::next_due`].
pub fn due(state: &mut State, world: &World, now: Time, out: &mut Outcome) {
    let mut turn = Turn::new(state, world, now, out);
    for _ in 0..limits::DUE_TIMERS_MAX {
        match turn.fire_first() {
            None | Some(Timer::Cursors) => break,
            Some(_) if turn.out.facts.len() > limits::DUE_FACTS_MAX => break,
            Some(_) => {}
        }
    }
}

/// Fires the first timer that is due at `now`; of queued work, the oldest goes on alone.
pub fn due_one(state: &mut State, world: &World, now: Time, out: &mut Outcome) {
    let mut turn = Turn::new(state, world, now, out);
    if turn.state.first_due(now).is_some_and(|(_, timer)| timer == Timer::Cursors) {
        turn.take_due();
        turn.go_on_with_the_first();
        turn.settle();
    } else {
        turn.fire_first();
    }
}

/// Passes over the first timer that is due at `now`, because it stopped the daemon: what comes again goes on with the next time, anything else is set aside.
pub fn pass_over(state: &mut State, world: &World, now: Time, out: &mut Outcome) {
    let mut turn = Turn::new(state, world, now, out);
    if let Some((due_at, timer)) = turn.state.first_due(now) {
        turn.set_aside(timer, due_at);
    }
}

/// The first timer that is due at `now`, by what it is for, the same over starts.
pub fn first_due(state: &State, now: Time) -> Option<String> {
    let (_, timer) = state.first_due(now)?;
    let job = job::first_due(state, now).filter(|_| timer == Timer::Jobs);
    let cursor = state.cursors.values().next().filter(|_| timer == Timer::Cursors);
    Some(match (job, cursor) {
        (Some(job), _) => format!("{} {}", job.kind, job.name),
        (None, Some(cursor)) => format!("{:?} from {}.{}", cursor.work, cursor.at.part, cursor.at.id),
        (None, None) => format!("{timer:?}"),
    })
}

impl Turn<'_> {
    fn fire_first(&mut self) -> Option<Timer> {
        let timer = self.take_due()?;
        self.fire(timer);
        self.settle();
        Some(timer)
    }

    fn take_due(&mut self) -> Option<Timer> {
        let (due_at, timer) = self.state.first_due(self.now)?;
        self.put(system::Fact::TimerFired { timer, due_at });
        Some(timer)
    }

    fn set_aside(&mut self, timer: Timer, due_at: Time) {
        if !matches!(timer, Timer::Cursors | Timer::SilenceRules | Timer::Jobs) {
            let release = RELEASE.to_owned();
            self.put(system::Fact::TimerSetAside { aside: Aside { timer, due_at, release } });
            return;
        }
        self.take_due();
        if timer == Timer::Cursors {
            self.pass_over_slice();
        } else if timer == Timer::SilenceRules {
            self.put(system::Fact::SilenceRulesArmed { at: suppress::next_edge(self.world, self.now) });
        } else {
            self.job_ran();
        }
    }

    /// After a start: what stopped another release may be fired by this one.
    pub(super) fn take_timers_back(&mut self) {
        let others: Vec<Aside> = self.state.system.aside().values().filter(|aside| aside.release != RELEASE).cloned().collect();
        for aside in others {
            self.put(system::Fact::TimerTakenBack { aside });
        }
    }

    fn fire(&mut self, timer: Timer) {
        match timer {
            Timer::Judge(id) => self.judge_due(id),
            Timer::Ends(id) => self.end_due(id),
            Timer::Release(id) => self.release_due(id),
            Timer::Forget(id) => self.forget_due(id),
            Timer::Notify(id) => self.notify_due(id),
            Timer::Settle(id) => self.settle_due(id),
            Timer::Close(id) => self.close_due(id),
            Timer::Hold(id) => self.hold_due(id),
            // Settling sees what is used up.
            Timer::Clock(id) => drop(self.incidents.insert(id)),
            Timer::CloseProblem(id) => self.close_problem_due(id),
            Timer::Silence(id) => {
                if self.state.silences.contains_key(&id) {
                    self.judge_selected(id);
                }
            }
            Timer::ForgetSilence(id) => {
                if self.state.silences.get(&id).is_some_and(|silence| silence.record.ends_at < self.now) {
                    self.put(silence::Fact::Forgotten { id });
                }
            }
            Timer::SilenceRules => {
                if let Some(edge) = self.state.counters.silence_rules_at.filter(|at| *at <= self.now) {
                    self.put(system::Fact::SilenceRulesArmed { at: suppress::next_edge(self.world, self.now) });
                    for rule in suppress::changed_since(self.world, edge, self.now) {
                        self.begin(Work::Judge(Scope::Rule(rule.to_owned())));
                    }
                }
            }
            Timer::Jobs => self.job_due(),
            Timer::Retry(id) => self.retry_due(id),
            Timer::Cursors => self.go_on(),
            Timer::ClockSweep => {}
        }
    }

    fn judge_due(&mut self, id: AlertId) {
        let Some(cell) = self.state.cell(id) else { return };
        let due = |at: Option<Time>| at.is_some_and(|at| at <= self.now);
        if cell.alert.state == AlertState::Pending && due(cell.alert.judge_at) {
            self.judge(id);
        } else if due(cell.alert.rejudge_at) {
            let closed = cell.alert.incident.is_none_or(|incident| !self.state.incidents.contains_key(&incident));
            let fires = cell.alert.state == AlertState::Firing;
            self.put(alert::Fact::RejudgeArmed { id, at: None });
            if closed && fires {
                self.attach(id, None);
            } else {
                self.follow_cause(id);
            }
        }
    }

    /// The last source's end has passed, unless it was heard again.
    fn end_due(&mut self, id: AlertId) {
        let grace = self.state.counters.grace;
        if self.state.cell(id).is_some_and(|cell| cell.alert.is_active() && cell.ends_at(grace) <= self.now) {
            self.clear(id, Because::EndPassed);
        }
    }

    fn forget_due(&mut self, id: AlertId) {
        let Some(cell) = self.state.cell(id) else { return };
        if !cell.alert.is_active() && cell.alert.forget_at.is_some_and(|at| at <= self.now) {
            self.put(alert::Fact::Forgotten { id });
        }
    }
}
