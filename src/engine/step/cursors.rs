//! Work that is too much for one batch: begun where it comes up, done at once as far as the batch has room, and gone on with by cursors.
//!
//! What a batch does beyond its own events is at most [`limits::CURSOR_ITEMS_MAX`] items, whatever it is: alerts that a cause adopts, that follow, are
//! released, collected, merged, let go, judged again or asked about for who hears of them, and children that resolve or close. The oldest cursor is first, and each has a share.

use super::Turn;
use crate::decide::slice::{self, Target};
use crate::decide::{cause, clock, identify, suppress};
use crate::ids::{AlertId, CursorId, IncidentId, SilenceId};
use crate::limits;
use crate::model::cursor::{Cursor, Mark, Scope, Work};
use crate::model::{alert, cursor, incident};
use crate::sight;
use crate::text::Because;
use crate::time::Time;
use crate::words::{AlertState, Role};

impl Turn<'_> {
    /// Begins work: at once as far as this batch has room and nothing older waits. The rest is queued.
    pub(super) fn begin(&mut self, work: Work) {
        if self.is_working {
            self.pending.push_back(work);
            return;
        }
        if let Some(queued) = self.state.queued(&work) {
            if !queued.again && queued.at != Mark::START {
                let cursor = Cursor { again: true, ..queued.clone() };
                self.put(cursor::Fact::Set { cursor: Box::new(cursor) });
            }
            return;
        }
        let cursor = Cursor { id: CursorId(self.state.counters.cursors + 1), work, at: Mark::START, again: false, telling: None };
        if self.state.cursors.is_empty() && self.state.room() > 0 {
            self.work_on(cursor, usize::MAX);
            return;
        }
        let slice = slice::slice(self.state, self.world, &cursor.work, cursor.at, 1);
        self.state.spend(slice.cost());
        if slice.is_empty() {
            self.is_done(&cursor.work);
        } else {
            self.put(cursor::Fact::Set { cursor: Box::new(cursor) });
        }
    }

    /// Begins what came up while other work was done.
    pub(super) fn begin_pending(&mut self) {
        while let Some(work) = self.pending.pop_front() {
            self.begin(work);
        }
    }

    /// Every cursor goes on, the oldest first, each with an equal share of what this batch has room for; what is left over is the oldest's.
    pub(super) fn go_on(&mut self) {
        let first: Vec<CursorId> = self.state.cursors.keys().take(limits::CURSORS_A_BATCH).copied().collect();
        let share = self.state.room() / first.len().max(1);
        for id in &first {
            self.go_on_with(*id, share.max(1));
        }
        for id in first {
            self.go_on_with(id, usize::MAX);
        }
    }

    /// The oldest cursor goes on alone: after a panic, so that the next one knows its culprit.
    pub(super) fn go_on_with_the_first(&mut self) {
        if let Some(id) = self.state.cursors.keys().next().copied() {
            self.go_on_with(id, usize::MAX);
        }
    }

    /// The slice that the oldest cursor comes to next is passed over.
    pub(super) fn pass_over_slice(&mut self) {
        let Some(cursor) = self.state.cursors.values().next().cloned() else { return };
        let room = self.state.room();
        match slice::slice(self.state, self.world, &cursor.work, cursor.at, room).next {
            Some(at) => self.put(cursor::Fact::Set { cursor: Box::new(Cursor { at, ..cursor }) }),
            None => self.put(cursor::Fact::Done { id: cursor.id }),
        }
    }

    fn go_on_with(&mut self, id: CursorId, share: usize) {
        if self.state.room() > 0
            && let Some(cursor) = self.state.cursors.get(&id).cloned()
        {
            self.work_on(cursor, share);
        }
    }

    /// Works until the share or the batch's room is used up, or nothing is left to do.
    fn work_on(&mut self, mut cursor: Cursor, mut share: usize) {
        self.is_working = true;
        let is_over = loop {
            let room = self.state.room().min(share);
            if room == 0 {
                break false;
            }
            let slice = slice::slice(self.state, self.world, &cursor.work, cursor.at, room);
            self.state.spend(slice.cost());
            share -= slice.cost().min(share);
            if let Work::Tell { incident } = cursor.work {
                let symptoms: Vec<AlertId> = slice.targets.iter().filter_map(|target| target.alert()).collect();
                self.gather(incident, &symptoms, &mut cursor.telling);
                if slice.next.is_none()
                    && let Some(telling) = cursor.telling.take()
                {
                    self.tell_gathered(incident, *telling);
                }
            } else {
                slice.targets.into_iter().for_each(|target| self.act(&cursor.work, target));
            }
            match slice.next {
                Some(at) => cursor.at = at,
                None if cursor.again => (cursor.at, cursor.again) = (Mark::START, false),
                None => break true,
            }
        };
        self.is_working = false;
        let is_queued = self.state.cursors.contains_key(&cursor.id);
        if !is_over {
            self.put(cursor::Fact::Set { cursor: Box::new(cursor) });
            return;
        }
        if is_queued {
            self.put(cursor::Fact::Done { id: cursor.id });
        }
        self.is_done(&cursor.work);
    }

    fn act(&mut self, work: &Work, target: Target) {
        match (work, target) {
            (Work::Adopt { .. } | Work::Carry { .. }, Target::Alert(id)) => self.follow_cause(id),
            (Work::Collect { group, into }, Target::Alert(id)) => self.collect_one(*group, *into, id),
            (Work::Follow { incident }, Target::Alert(id)) => self.follow_from(*incident, id),
            (Work::Follow { incident }, Target::Incident(child)) => self.move_child(*incident, child),
            (Work::Release { incident }, Target::Alert(id)) => self.release(*incident, id),
            (Work::Resolve { incident }, Target::Incident(child)) => self.resolve_child(*incident, child),
            (Work::Close { returns_at, .. }, Target::Alert(id)) => self.let_go(id, *returns_at),
            (Work::Close { incident, .. }, Target::Incident(child)) => self.close_child(*incident, child),
            (Work::Merge { into, actor, .. }, Target::Alert(id)) => self.merge_one(*into, actor, id),
            (Work::Judge(_), Target::Alert(id)) => self.look_again(id),
            (Work::Clocks, Target::Incident(id)) => self.look_at_clocks(id),
            // No other work comes to these.
            (Work::Adopt { .. } | Work::Carry { .. } | Work::Collect { .. } | Work::Release { .. }, Target::Incident(_))
            | (Work::Merge { .. } | Work::Judge(_), Target::Incident(_))
            | (Work::Resolve { .. } | Work::Clocks, Target::Alert(_))
            | (Work::Tell { .. }, _) => {}
        }
    }

    /// What was waited for may be told, and what changed on the way is settled.
    fn is_done(&mut self, work: &Work) {
        match work {
            Work::Adopt { cause } => self.incidents.extend(self.state.cell(*cause).and_then(|cell| cell.alert.incident)),
            Work::Collect { group, into } => {
                self.incidents.insert(*into);
                if let Some(realm) = self.state.incidents.get(into).map(|incident| incident.realm.clone()) {
                    self.begin(Work::Carry { group: *group, realm });
                }
            }
            Work::Follow { incident } | Work::Release { incident } => drop(self.incidents.insert(*incident)),
            Work::Merge { from, into, .. } => self.incidents.extend([*from, *into]),
            Work::Carry { .. } | Work::Resolve { .. } | Work::Close { .. } | Work::Judge(_) | Work::Clocks | Work::Tell { .. } => {}
        }
    }

    fn follow_from(&mut self, incident: IncidentId, id: AlertId) {
        let Some(cell) = self.state.cell(id).filter(|cell| cell.alert.incident == Some(incident)) else { return };
        match cause::of(self.state, self.world, &cell.alert) {
            Some(cause) if cause.incident == incident => {}
            Some(cause) => self.join(id, cause.incident, cause.role, cause.because),
            None => self.arm_release(incident),
        }
    }

    /// A child belongs to the incident that has its alerts.
    fn move_child(&mut self, id: IncidentId, child: IncidentId) {
        let active = self.state.alerts_of(child).filter(|cell| cell.alert.is_active()).take(limits::CURSOR_ITEMS_MAX);
        let places: Vec<IncidentId> = active.filter_map(|cell| cell.alert.incident).collect();
        let moved = places.iter().find(|place| self.is_open(**place)).filter(|_| !places.contains(&id));
        if let Some(by) = moved.copied() {
            self.put(incident::Fact::Emptied { id: child, by });
        }
    }

    /// A symptom whose cause cleared goes to another cause, or back to an incident of its own.
    fn release(&mut self, incident: IncidentId, id: AlertId) {
        let Some(cell) = self.state.cell(id).filter(|cell| cell.alert.incident == Some(incident)) else { return };
        match cause::of(self.state, self.world, &cell.alert) {
            // Where that cause is itself given back below, what it explains follows it.
            Some(cause) if cause.incident == incident => {}
            Some(cause) => self.join(id, cause.incident, cause.role, cause.because),
            None => self.attach(id, Some(incident)),
        }
    }

    fn resolve_child(&mut self, by: IncidentId, id: IncidentId) {
        let Some(child) = self.state.incidents.get(&id).filter(|child| child.state.is_open()) else { return };
        let close_at = self.now + child.times.close_after;
        self.put(incident::Fact::Resolved {
            id,
            because: Because::Emptied { by },
            by: String::new(),
            words: String::new(),
            settle_at: None,
            close_at,
        });
        self.tell_merged(id, self.top_of(by));
        if self.state.children_of(id).next().is_some() {
            self.begin(Work::Resolve { incident: id });
        }
    }

    fn close_child(&mut self, by: IncidentId, id: IncidentId) {
        self.put(incident::Fact::Closed { id, because: Because::Emptied { by } });
        self.closed(id);
    }

    /// What follows from a closing: its children close with it, and its cleared alerts are no longer kept for it.
    pub(super) fn closed(&mut self, id: IncidentId) {
        self.incidents.remove(&id);
        let closed = self.state.incidents.past().get(&id);
        let returns_at =
            closed.map_or(self.now, |closed| self.now.max(closed.resolved_at.unwrap_or(self.now) + closed.times.resolve_after));
        if self.state.alerts_in(id).next().is_some() || self.state.children_of(id).next().is_some() {
            self.begin(Work::Close { incident: id, returns_at });
        }
    }

    /// A cleared alert is no longer kept for its incident. One that still fires, because that was closed by hand, is given another when this one would
    /// have come back.
    fn let_go(&mut self, id: AlertId, returns_at: Time) {
        let Some(cell) = self.state.cell(id) else { return };
        if cell.alert.is_active() {
            self.put(alert::Fact::RejudgeArmed { id, at: Some(returns_at.max(self.now)) });
        } else {
            self.put(alert::Fact::ForgetArmed { id, at: Some(self.now + limits::FORGET_AFTER) });
        }
    }

    /// An alert of an incident that was merged joins the other in the role it has, or as a member.
    pub(super) fn merge_one(&mut self, into: IncidentId, actor: &str, id: AlertId) {
        let Some(role) = self.state.cell(id).map(|cell| cell.alert.role) else { return };
        let role = if role == Role::Symptom { role } else { Role::Member };
        let into = self.top_of(into);
        if self.state.incidents.contains_key(&into) {
            self.join(id, into, role, Because::Operator { actor: actor.to_owned(), words: String::new() });
        }
    }

    /// The incident that it became a child of, and so on up.
    fn top_of(&self, id: IncidentId) -> IncidentId {
        let mut top = id;
        for _ in 0..limits::FOLLOW_ROUNDS_MAX {
            match self.state.incidents.get(&top).and_then(|incident| incident.parent) {
                Some(parent) => top = parent,
                None => break,
            }
        }
        top
    }

    /// What fires is judged again where what suppresses it, what it read for that or its item changed; what is attached stays where it is.
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
        let suppressed = suppress::suppressed(self.state, self.world, &view, self.now);
        if suppressed.because() != cell.alert.muted_by || suppressed.reads != cell.alert.reads {
            self.judge(id);
        }
    }

    fn look_at_clocks(&mut self, id: IncidentId) {
        let Some(incident) = self.state.incidents.get(&id) else { return };
        let armed_for = incident.clock_at;
        if let Some(due_at) = clock::missed(self.state, incident, self.now) {
            self.put(incident::Fact::ClockMissed { id, due_at, armed_for });
        }
    }

    /// What a silence that begins, ends or changes selects is judged again. Where no label narrows that down and more is looked through already, all is:
    /// however many such silences come, that is one reason.
    pub(super) fn judge_selected(&mut self, id: SilenceId) {
        let is_wide = self.state.silences.get(&id).is_some_and(|silence| self.state.narrowest(&silence.matchers).is_none());
        let waits = self.state.cursors.values().any(|cursor| matches!(cursor.work, Work::Judge(Scope::Silence(_) | Scope::All)));
        self.begin(Work::Judge(if is_wide && waits { Scope::All } else { Scope::Silence(id) }));
    }
}
