//! Due timers enter the pipeline: each looks whether its thing still wants what it was armed for.

use super::{Outcome, Turn};
use crate::decide::{identify, job, mute};
use crate::event::World;
use crate::ids::AlertId;
use crate::limits;
use crate::model::timer::Aside;
use crate::model::{alert, silence, system};
use crate::sight;
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
            None | Some(Timer::Sweep | Timer::ClockSweep) => break,
            Some(_) => {}
        }
    }
}

/// Fires the first timer that is due at `now`.
pub fn due_one(state: &mut State, world: &World, now: Time, out: &mut Outcome) {
    Turn::new(state, world, now, out).fire_first();
}

/// Passes over the first timer that is due at `now`, because it stopped the daemon: what comes again goes on with the next time, anything else is set aside.
pub fn pass_over(state: &mut State, world: &World, now: Time, out: &mut Outcome) {
    let mut turn = Turn::new(state, world, now, out);
    if let Some((due_at, timer)) = turn.state.take_due(now) {
        turn.set_aside(timer, due_at);
    }
}

/// The first timer that is due at `now`, by what it is for, the same over starts.
pub fn first_due(state: &State, now: Time) -> Option<String> {
    let (_, timer) = state.first_due(now)?;
    let job = job::first_due(state, now).filter(|_| timer == Timer::Jobs);
    Some(job.map_or_else(|| format!("{timer:?}"), |job| format!("{} {}", job.kind, job.name)))
}

impl Turn<'_> {
    fn fire_first(&mut self) -> Option<Timer> {
        let (_, timer) = self.state.take_due(self.now)?;
        self.fire(timer);
        self.settle();
        Some(timer)
    }

    fn set_aside(&mut self, timer: Timer, due_at: Time) {
        if timer == Timer::Sweep {
            if let Some(from) = self.state.counters.sweep {
                let (_, next) = self.slice(from);
                self.put(system::Fact::Swept { next });
            }
        } else if timer == Timer::ClockSweep {
            if let Some(from) = self.state.counters.clock_sweep {
                let (_, next) = self.clock_slice(from);
                self.put(system::Fact::ClocksSwept { next });
            }
        } else if timer == Timer::SilenceRules {
            self.put(system::Fact::SilenceRulesArmed { at: mute::next_edge(self.world, self.now) });
        } else if timer == Timer::Jobs {
            self.job_ran();
        } else {
            let release = RELEASE.to_owned();
            self.put(system::Fact::TimerSetAside { aside: Aside { timer, due_at, release } });
        }
    }

    /// After a start: what stopped another release may be fired by this one.
    pub(super) fn take_timers_back(&mut self) {
        let others: Vec<Aside> = self.state.system.aside.values().filter(|aside| aside.release != RELEASE).cloned().collect();
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
                    self.sweep_from_start();
                }
            }
            Timer::ForgetSilence(id) => {
                if self.state.silences.get(&id).is_some_and(|silence| silence.record.ends_at < self.now) {
                    self.put(silence::Fact::Forgotten { id });
                }
            }
            Timer::SilenceRules => {
                if self.state.counters.silence_rules_at.is_some_and(|at| at <= self.now) {
                    self.put(system::Fact::SilenceRulesArmed { at: mute::next_edge(self.world, self.now) });
                    self.sweep_from_start();
                }
            }
            Timer::Jobs => self.job_due(),
            Timer::Retry(id) => self.retry_due(id),
            Timer::Sweep => self.sweep(),
            Timer::ClockSweep => self.sweep_clocks(),
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

    /// The last source's end has passed, unless it was heard again: then the timer follows.
    fn end_due(&mut self, id: AlertId) {
        self.state.disarm_end(id);
        let Some(cell) = self.state.cell(id).filter(|cell| cell.alert.is_active()) else { return };
        if cell.ends_at(self.state.counters.grace) > self.now {
            self.state.arm_end(id);
        } else {
            self.clear(id, Because::EndPassed);
        }
    }

    fn forget_due(&mut self, id: AlertId) {
        let Some(cell) = self.state.cell(id) else { return };
        if !cell.alert.is_active() && cell.alert.forget_at.is_some_and(|at| at <= self.now) {
            self.put(alert::Fact::Forgotten { id });
        }
    }

    /// A slice of a sweep: silences and items are judged again for what fires.
    fn sweep(&mut self) {
        let Some(from) = self.state.counters.sweep else { return };
        let (slice, next) = self.slice(from);
        self.put(system::Fact::Swept { next });
        for id in slice {
            self.look_again(id);
        }
    }

    /// The alerts of one slice from `from` on, and where the next one begins.
    fn slice(&self, from: AlertId) -> (Vec<AlertId>, Option<AlertId>) {
        let slice: Vec<AlertId> = self.state.alerts_from(from).take(limits::CURSOR_ITEMS_MAX).map(|cell| cell.alert.id).collect();
        let next = slice.last().filter(|_| slice.len() == limits::CURSOR_ITEMS_MAX).map(|last| AlertId(last.0 + 1));
        (slice, next)
    }

    /// What fires is judged again where its mutes or its item changed; what is attached stays where it is.
    fn look_again(&mut self, id: AlertId) {
        let Some(cell) = self.state.cell(id) else { return };
        let judged = matches!(cell.alert.state, AlertState::Firing | AlertState::Suppressed | AlertState::Recorded);
        if !judged {
            return;
        }
        let view = sight::alert(self.state, cell, self.now);
        if identify::identify(self.world, &view).ci != cell.alert.ci {
            self.match_rule(id);
            return;
        }
        let view = sight::with_ci(view, self.state, self.world, &cell.alert.ci);
        let mutes = mute::mutes(self.state, self.world, &view, self.now);
        if mutes != cell.alert.muted_by {
            self.judge(id);
        }
    }
}
