//! Gauges of what lives: moved by what a commit changed, from the board before it to the board after it.

use watchkeeper_engine::ids::{AlertId, IncidentId, MessageId, ProblemId};
use watchkeeper_engine::state::rows::Row;
use watchkeeper_engine::words::{AlertState, IncidentState, Priority, ProblemState};

use super::Metrics;
use crate::board::{Board, OpenIncident};
use crate::feed::Committed;

/// The gauges, and the board that they show.
#[derive(Debug)]
pub(super) struct Gauges {
    shown: Board,
}

impl Gauges {
    /// Shows what a start has loaded.
    pub(super) fn new(metrics: &Metrics, board: Board) -> Gauges {
        let gauges = Gauges { shown: Board::default() };
        gauges.show_all(metrics, &board);
        Gauges { shown: board }
    }

    /// Moves what a commit changed.
    pub(super) fn show(&mut self, metrics: &Metrics, committed: &Committed) {
        let next = &committed.published.board;
        for row in &committed.touched {
            // No gauge looks at any other row.
            if let Row::Alert(id) = row {
                self.move_alert(metrics, next, *id);
            } else if let Row::Incident(id) = row {
                self.move_incident(metrics, next, *id);
            } else if let Row::Problem(id) = row {
                self.move_problem(metrics, next, *id);
            } else if let Row::Sending(id) = row {
                self.move_message(metrics, next, *id);
            }
        }
        totals(metrics, next);
        show_letters(metrics, committed);
        self.shown = next.clone();
    }

    /// Shows a board, whatever was between it and the one before.
    pub(super) fn catch_up(&mut self, metrics: &Metrics, last: &Committed) {
        let board = last.published.board.clone();
        show_letters(metrics, last);
        for gauge in
            [&metrics.alerts_active, &metrics.incidents_open, &metrics.problems_open, &metrics.sla_clocks, &metrics.outbox_messages]
        {
            gauge.reset();
        }
        self.shown = Board::default();
        self.show_all(metrics, &board);
        self.shown = board;
    }

    fn show_all(&self, metrics: &Metrics, board: &Board) {
        board.alerts.iter().for_each(|(id, _)| self.move_alert(metrics, board, *id));
        board.incidents.iter().for_each(|(id, _)| self.move_incident(metrics, board, *id));
        board.problems.keys().for_each(|id| self.move_problem(metrics, board, *id));
        board.outbox.keys().for_each(|id| self.move_message(metrics, board, *id));
        totals(metrics, board);
    }

    fn move_alert(&self, metrics: &Metrics, next: &Board, id: AlertId) {
        let state = |board: &Board| board.alerts.get(id).map(|handle| handle.state);
        moved(state(&self.shown), state(next), |state: AlertState, by| metrics.alerts_active.with_label_values(&[state.word()]).add(by));
    }

    fn move_incident(&self, metrics: &Metrics, next: &Board, id: IncidentId) {
        let listed = |board: &Board| {
            let open = board.incidents.get(id).filter(|open| open.incident.parent.is_none())?;
            Some((open.incident.priority, open.incident.state))
        };
        moved(listed(&self.shown), listed(next), |(priority, state): (Priority, IncidentState), by| {
            metrics.incidents_open.with_label_values(&[priority.word(), state.word()]).add(by);
        });
        let clocks = |board: &Board| board.incidents.get(id).map(|open: &OpenIncident| (open.at_risk, open.breached));
        moved(clocks(&self.shown), clocks(next), |(at_risk, breached), by| {
            metrics.sla_clocks.with_label_values(&["at_risk"]).add(i64::from(at_risk) * by);
            metrics.sla_clocks.with_label_values(&["breached"]).add(i64::from(breached) * by);
        });
    }

    fn move_problem(&self, metrics: &Metrics, next: &Board, id: ProblemId) {
        let state = |board: &Board| board.problems.get(&id).map(|problem| problem.state);
        moved(state(&self.shown), state(next), |state: ProblemState, by| metrics.problems_open.with_label_values(&[state.word()]).add(by));
    }

    fn move_message(&self, metrics: &Metrics, next: &Board, id: MessageId) {
        let state = |board: &Board| board.outbox.get(&id).map(|waiting| waiting.state);
        moved(state(&self.shown), state(next), |state, by| metrics.outbox_messages.with_label_values(&[state.word()]).add(by));
    }
}

fn show_letters(metrics: &Metrics, committed: &Committed) {
    metrics.dead_letters.set(i64::try_from(committed.measured.letters).unwrap_or(i64::MAX));
}

/// What costs nothing to say again.
fn totals(metrics: &Metrics, board: &Board) {
    // Messages have ascending ids: the first is the oldest.
    let oldest = board.outbox.get_min().map_or(0, |(_, waiting)| waiting.planned_at.0 / 1_000);
    metrics.outbox_oldest.set(oldest);
    metrics.unmatched_values.set(i64::try_from(board.alerts.unmatched_values()).unwrap_or(i64::MAX));
}

/// Moves something from one gauge to another: `add` is told what to take from where and to add where.
fn moved<V: Copy + PartialEq>(before: Option<V>, after: Option<V>, add: impl Fn(V, i64)) {
    if before != after {
        before.into_iter().for_each(|before| add(before, -1));
        after.into_iter().for_each(|after| add(after, 1));
    }
}
