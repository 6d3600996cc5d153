//! Silences, with their matchers compiled.

use std::collections::BTreeMap;
use std::ops::Deref;

use super::rows::Row;
use super::{Apply, Part, State, Timer};
use crate::cmdb::Cmdb;
use crate::expr::{AlertView, Matcher};
use crate::ids::SilenceId;
use crate::model::silence::{Fact, Over, Silence};
use crate::time::Span;

/// How long an expired silence stays in lists: Alertmanager's default retention.
const FORGET_SILENCE_AFTER: Span = Span::days(5);

/// Silences that are not forgotten.
#[derive(Debug, Clone, Default)]
pub struct Silences {
    live: BTreeMap<SilenceId, LiveSilence>,
    past: BTreeMap<SilenceId, Silence>,
}

/// A silence with its matchers compiled.
#[derive(Debug, Clone)]
pub struct LiveSilence {
    /// The record.
    pub record: Silence,
    /// Its matchers.
    pub matchers: Vec<Matcher>,
}

impl LiveSilence {
    /// Whether all its matchers hold of an alert, over what they are.
    pub fn holds_of(&self, alert: &AlertView<'_>) -> bool {
        self.matchers.iter().all(|matcher| match self.record.over {
            Over::StandIns => matcher.holds(alert),
            Over::Shown => matcher.holds_as_shown(alert),
        })
    }
}

impl Deref for Silences {
    type Target = BTreeMap<SilenceId, LiveSilence>;

    fn deref(&self) -> &Self::Target {
        &self.live
    }
}

impl State {
    /// The labels of a silence's matchers are asked for.
    fn begin_asking(&mut self, id: SilenceId) {
        let matchers = self.silences.get(&id).map(|live| live.matchers.clone()).unwrap_or_default();
        self.ask_for_labels(&matchers);
    }

    /// They are asked for no more by this one, where it is there.
    fn stop_asking(&mut self, id: SilenceId) {
        let matchers = self.silences.get(&id).map(|live| live.matchers.clone()).unwrap_or_default();
        self.leave_labels(&matchers);
    }

    /// Arms what a silence wants.
    fn arm_silence(&mut self, id: SilenceId) {
        let Some((starts_at, ends_at)) = self.silences.get(&id).map(|live| (live.record.starts_at, live.record.ends_at)) else { return };
        self.arm(Some(starts_at), Timer::Silence(id));
        self.arm(Some(ends_at), Timer::Silence(id));
        self.arm(Some(ends_at + FORGET_SILENCE_AFTER), Timer::ForgetSilence(id));
    }
}

impl Part for Silences {
    type Fact = Fact;

    fn apply(state: &mut State, fact: &Fact, cx: &mut Apply<'_>) {
        let now = cx.now;
        match fact {
            Fact::Set { silence } => {
                state.counters.silences = state.counters.silences.max(silence.id.0);
                cx.touch(Row::Silence(silence.id));
                state.stop_asking(silence.id);
                take_silence(state, (**silence).clone());
                state.begin_asking(silence.id);
                state.arm_silence(silence.id);
            }
            Fact::Expired { id, .. } => {
                if let Some(live) = state.silences.live.get(id) {
                    let mut record = live.record.clone();
                    record.starts_at = record.starts_at.min(now);
                    record.ends_at = now;
                    record.updated_at = now;
                    record.version += 1;
                    take_silence(state, record);
                    state.arm_silence(*id);
                    cx.touch(Row::Silence(*id));
                }
            }
            Fact::Forgotten { id } => {
                state.stop_asking(*id);
                if let Some(live) = state.silences.live.remove(id) {
                    state.silences.past.insert(*id, live.record);
                    cx.touch(Row::Silence(*id));
                    cx.touch(Row::PastSilence(*id));
                }
            }
        }
    }

    fn derive(state: &mut State, _: &Cmdb) {
        for id in state.silences.live.keys().copied().collect::<Vec<_>>() {
            state.begin_asking(id);
        }
    }

    fn arm(state: &mut State) {
        for id in state.silences.live.keys().copied().collect::<Vec<_>>() {
            state.arm_silence(id);
        }
    }

    fn settle(&mut self) {
        self.past.clear();
    }
}

pub(super) fn silence<'a>(state: &'a State, id: &SilenceId) -> Option<&'a Silence> {
    state.silences.live.get(id).map(|live| &live.record)
}

pub(super) fn take_silence(state: &mut State, record: Silence) {
    let matchers = record.matchers.iter().filter_map(|matcher| matcher.compiled().ok()).collect();
    state.silences.live.insert(record.id, LiveSilence { record, matchers });
}

pub(super) fn past_silence<'a>(state: &'a State, id: &SilenceId) -> Option<&'a Silence> {
    state.silences.past.get(id)
}
