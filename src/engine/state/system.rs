//! The daemon's own: the counters that ids come from, sources by number, and timers that stopped the daemon.

use std::collections::BTreeMap;

use super::rows::Row;
use super::{Apply, Part, State, Timer};
use super::{alerts, cursors};
use crate::cmdb::Cmdb;
use crate::ids::SourceNo;
use crate::limits;
use crate::lookup::Lookup;
use crate::model::system::{Counters, Fact};
use crate::model::timer::Aside;
use crate::time::Time;

/// Sources by number, and timers that stopped the daemon.
#[derive(Debug, Clone, Default)]
pub struct System {
    sources: Vec<String>,
    pub(super) aside: BTreeMap<(Time, Timer), Aside>,
    source_numbers: Lookup<String, SourceNo>,
}

impl System {
    /// Sources by number.
    pub fn sources(&self) -> &[String] {
        &self.sources
    }

    /// Timers that stopped the daemon and are not fired, by when they were due.
    pub fn aside(&self) -> &BTreeMap<(Time, Timer), Aside> {
        &self.aside
    }
}

impl State {
    /// A source's name.
    pub fn source(&self, no: SourceNo) -> &str {
        self.system.sources.get(usize::from(no.0)).map_or("", String::as_str)
    }

    /// A source's number, where it has one.
    pub fn source_no(&self, name: &str) -> Option<SourceNo> {
        self.system.source_numbers.get(name).copied()
    }

    /// A timer fires once. What goes on by itself is armed again.
    fn fired(&mut self, timer: Timer, due_at: Time, now: Time) {
        self.timers.remove(&(due_at, timer));
        // Whatever else wants to go on says so by a fact of its own.
        if let Timer::Ends(id) = timer {
            alerts::end_fired(self, id, now);
        } else if timer == Timer::Cursors {
            cursors::fired(self);
        }
    }

    /// Beyond the bound the one that was due first goes: it is fired again by the next start.
    fn set_aside(&mut self, aside: &Aside, cx: &mut Apply<'_>) {
        let key = (aside.due_at, aside.timer);
        self.timers.remove(&key);
        let asides = &mut self.system.aside;
        asides.insert(key, aside.clone());
        cx.touch(Row::Aside(key.0, key.1));
        if asides.len() > limits::TIMERS_ASIDE_MAX
            && let Some(((due_at, timer), _)) = asides.pop_first()
        {
            cx.touch(Row::Aside(due_at, timer));
        }
    }
}

impl Part for System {
    type Fact = Fact;

    fn apply(state: &mut State, fact: &Fact, cx: &mut Apply<'_>) {
        match fact {
            Fact::Started { grace } => {
                state.counters.grace = *grace;
                state.counters.keeps_reads = true;
                state.counters.health_since.get_or_insert(cx.now);
                // Ends wait for the grace. Whoever followed the daemon before has then the timers of the one that started, and no other.
                state.arm_all();
            }
            Fact::WorldAdopted { policy, cmdb: version, silence_rules_at } => {
                state.counters.policy.clone_from(policy);
                state.counters.cmdb = *version;
                state.counters.silence_rules_at = *silence_rules_at;
                state.arm(*silence_rules_at, Timer::SilenceRules);
                alerts::adopt_cmdb(state, cx.cmdb);
            }
            Fact::Swept { next } => state.counters.sweep = *next,
            Fact::ClocksSwept { next } => state.counters.clock_sweep = *next,
            Fact::SourceNamed { name } => {
                let no = SourceNo(u16::try_from(state.system.sources.len()).unwrap_or(u16::MAX));
                state.system.sources.push(name.clone());
                state.system.source_numbers.insert(name.clone(), no);
                cx.touch(Row::Source(no));
            }
            Fact::SilenceRulesArmed { at } => {
                state.counters.silence_rules_at = *at;
                state.arm(*at, Timer::SilenceRules);
            }
            Fact::TimerFired { timer, due_at } => state.fired(*timer, *due_at, cx.now),
            Fact::TimerSetAside { aside } => state.set_aside(aside, cx),
            Fact::TimerTakenBack { aside } => {
                state.system.aside.remove(&(aside.due_at, aside.timer));
                state.arm(Some(aside.due_at), aside.timer);
                cx.touch(Row::Aside(aside.due_at, aside.timer));
            }
        }
        cx.touch(Row::Counters());
    }

    fn derive(state: &mut State, _: &Cmdb) {
        let System { sources, source_numbers, .. } = &mut state.system;
        for (at, name) in sources.iter().enumerate() {
            source_numbers.insert(name.clone(), SourceNo(u16::try_from(at).unwrap_or(u16::MAX)));
        }
    }

    fn arm(state: &mut State) {
        state.arm(state.counters.silence_rules_at, Timer::SilenceRules);
    }
}

pub(super) fn counters(state: &State) -> Option<&Counters> {
    Some(&state.counters)
}

pub(super) fn take_counters(state: &mut State, counters: Counters) {
    state.counters = counters;
}

pub(super) fn source<'a>(state: &'a State, no: &SourceNo) -> Option<&'a String> {
    state.system.sources.get(usize::from(no.0))
}

pub(super) fn take_source(state: &mut State, name: String) {
    state.system.sources.push(name);
}

pub(super) fn aside<'a>(state: &'a State, due_at: &Time, timer: &Timer) -> Option<&'a Aside> {
    state.system.aside.get(&(*due_at, *timer))
}

pub(super) fn take_aside(state: &mut State, aside: Aside) {
    state.system.aside.insert((aside.due_at, aside.timer), aside);
}
