//! The queue of cursors: work that goes on over batches, by age and by what it does.

use std::collections::BTreeMap;
use std::ops::Deref;

use super::rows::Row;
use super::{AlertCell, Apply, Part, State, Timer};
use crate::ids::{AlertId, CiNo, CursorId, IncidentId, Realm};
use crate::limits;
use crate::model::alert::Alert;
use crate::model::cursor::{Cursor, Fact, Mark, Work};
use crate::time::Time;

/// Work that goes on over batches, the oldest first.
#[derive(Debug, Clone, Default)]
pub struct Cursors {
    queued: BTreeMap<CursorId, Cursor>,
    by_work: BTreeMap<Work, CursorId>,
    /// When they go on.
    due_at: Option<Time>,
    /// Items that this batch has worked on beyond its own events.
    pub(super) spent: usize,
}

impl Deref for Cursors {
    type Target = BTreeMap<CursorId, Cursor>;

    fn deref(&self) -> &Self::Target {
        &self.queued
    }
}

impl Part for Cursors {
    type Fact = Fact;

    fn apply(state: &mut State, fact: &Fact, cx: &mut Apply<'_>) {
        match fact {
            Fact::Set { cursor } => {
                state.counters.cursors = state.counters.cursors.max(cursor.id.0);
                cx.touch(Row::Cursor(cursor.id));
                take_cursor(state, (**cursor).clone());
            }
            Fact::Done { id } => {
                let Cursors { queued, by_work, .. } = &mut state.cursors;
                if let Some(cursor) = queued.remove(id) {
                    by_work.remove(&cursor.work);
                }
                cx.touch(Row::Cursor(*id));
            }
        }
        state.arm_cursors();
    }

    fn arm(state: &mut State) {
        state.cursors.due_at = None;
        state.arm_cursors();
    }
}

pub(super) fn cursor<'a>(state: &'a State, id: &CursorId) -> Option<&'a Cursor> {
    state.cursors.queued.get(id)
}

pub(super) fn take_cursor(state: &mut State, cursor: Cursor) {
    state.cursors.by_work.insert(cursor.work.clone(), cursor.id);
    state.cursors.queued.insert(cursor.id, cursor);
}

/// Their timer fired: what is still queued after this batch goes on with the next.
pub(super) fn fired(state: &mut State) {
    state.cursors.due_at = None;
    state.arm_cursors();
}

impl State {
    /// The cursor that does this work, where it is queued.
    pub fn queued(&self, work: &Work) -> Option<&Cursor> {
        self.cursors.get(self.cursors.by_work.get(work)?)
    }

    /// The work that merges an incident's alerts into another, while that is under way.
    pub fn merge_from(&self, incident: IncidentId) -> Option<&Work> {
        let first = Work::Merge { from: incident, into: IncidentId(0), actor: String::new() };
        let (work, _) = self.cursors.by_work.range(first..).next()?;
        matches!(work, Work::Merge { from, .. } if *from == incident).then_some(work)
    }

    /// Whether alerts of others are being merged into an incident.
    pub fn is_merged_into(&self, incident: IncidentId) -> bool {
        self.merges().any(|into| into == incident)
    }

    /// Whether alerts are on their way into an incident or out of it: what it is changes with each batch.
    pub fn is_moving(&self, incident: IncidentId) -> bool {
        !self.cursors.is_empty()
            && (self.cursors.by_work.contains_key(&Work::Follow { incident })
                || self.cursors.by_work.contains_key(&Work::Release { incident })
                || self.is_merged_into(incident)
                || self.gathers(incident))
    }

    fn merges(&self) -> impl Iterator<Item = IncidentId> {
        let first = Work::Merge { from: IncidentId(0), into: IncidentId(0), actor: String::new() };
        self.cursors.by_work.range(first..).map_while(|(work, _)| if let Work::Merge { into, .. } = work { Some(*into) } else { None })
    }

    /// Whether a cause in it adopts, or a group collects into it.
    fn gathers(&self, incident: IncidentId) -> bool {
        let last = Work::Carry { group: CiNo(0), realm: Realm::MAIN };
        self.cursors.by_work.range(..last).any(|(work, _)| match work {
            Work::Adopt { cause } => self.cell(*cause).is_some_and(|cell| cell.alert.incident == Some(incident)),
            Work::Collect { into, .. } => *into == incident,
            Work::Carry { .. }
            | Work::Follow { .. }
            | Work::Release { .. }
            | Work::Resolve { .. }
            | Work::Close { .. }
            | Work::Merge { .. }
            | Work::Judge(_)
            | Work::Clocks
            | Work::Tell { .. } => false,
        })
    }

    /// Items that this batch has worked on beyond its own events.
    pub fn worked_on(&self) -> usize {
        self.cursors.spent
    }

    /// How many items this batch has room for beyond its own events.
    pub(crate) fn room(&self) -> usize {
        limits::CURSOR_ITEMS_MAX.saturating_sub(self.cursors.spent)
    }

    /// Counts items against this batch.
    pub(crate) fn spend(&mut self, items: usize) {
        self.cursors.spent += items;
    }

    /// While any is queued, or changes of health are left to be remembered, they go on with the next batch.
    pub(super) fn arm_cursors(&mut self) {
        let now = self.counters.last_now;
        let is_idle = self.cursors.is_empty() && !self.healths.wait();
        match self.cursors.due_at {
            None if !is_idle => {
                self.cursors.due_at = Some(now);
                self.arm(Some(now), Timer::Cursors);
            }
            Some(at) if is_idle => {
                self.cursors.due_at = None;
                self.timers.remove(&(at, Timer::Cursors));
            }
            None | Some(_) => {}
        }
    }

    /// The alerts that fire on any of `items`, which are sorted, from a mark on: by item, then by id.
    pub(crate) fn alerts_among<'a>(&'a self, items: &'a [CiNo], from: Mark) -> impl Iterator<Item = (Mark, &'a Alert)> {
        let mut next = Some((CiNo(u32::try_from(from.part).unwrap_or(u32::MAX)), AlertId(from.id)));
        std::iter::from_fn(move || {
            loop {
                let (ci, alert) = self.next_on_item(next?)?;
                match items.binary_search(&ci) {
                    Ok(_) => {
                        next = Some((ci, AlertId(alert.0 + 1)));
                        let found = self.cell(alert)?;
                        return Some((Mark { part: ci.0.into(), id: alert.0 }, &found.alert));
                    }
                    // Items without alerts, and alerts of other items, are leapt over.
                    Err(at) => next = items.get(at).map(|ci| (*ci, AlertId(0))),
                }
            }
        })
    }

    /// The alerts attached to an incident from an id on, cleared ones among them.
    pub(crate) fn alerts_in_from(&self, incident: IncidentId, from: AlertId) -> impl Iterator<Item = &AlertCell> {
        self.ids_in(incident, from).filter_map(|id| self.visit(id))
    }

    /// The children of an incident from an id on.
    pub(crate) fn children_from(&self, incident: IncidentId, from: IncidentId) -> impl Iterator<Item = IncidentId> {
        self.incidents.children.get(&incident).into_iter().flat_map(move |children| children.range(from..).copied())
    }
}
