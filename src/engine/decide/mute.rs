//! What mutes an alert: silences of operators, then silence rules. First named wins, all are recorded.

use crate::event::World;
use crate::expr::View;
use crate::model::silence::SilenceState;
use crate::policy::silences::{SilenceRule, Window};
use crate::state::State;
use crate::text::Because;
use crate::time::Time;

/// All that mutes it at `now`.
pub fn mutes(state: &State, world: &World, view: &View<'_>, now: Time) -> Vec<Because> {
    let made = state.silences.values().filter(|silence| {
        silence.record.state(now) == SilenceState::Active
            && !silence.matchers.is_empty()
            && silence.matchers.iter().all(|matcher| matcher.holds(&view.alert))
    });
    let by_operator = made.map(|silence| Because::Silenced {
        by: silence.record.id.to_string(),
        comment: silence.record.comment.clone(),
        until: silence.record.ends_at,
    });
    let by_rule = world.policy.silences.iter().filter_map(|rule| {
        // The condition first: it is cheap, and looking a schedule up is not.
        let until = rule.condition.holds(view).is_yes().then(|| open_until(rule, now))??;
        Some(Because::Silenced { by: rule.name.clone(), comment: rule.comment.clone(), until })
    });
    by_operator.chain(by_rule).collect()
}

/// When silence rules next begin or end after `now`.
pub fn next_edge(world: &World, now: Time) -> Option<Time> {
    let edges = world.policy.silences.iter().flat_map(|rule| match &rule.when {
        Window::Between { from, until } => [*from, *until],
        Window::Every { schedule, .. } => [schedule.next_after(now), open_until(rule, now)],
    });
    edges.flatten().filter(|at| *at > now).min()
}

fn open_until(rule: &SilenceRule, now: Time) -> Option<Time> {
    match &rule.when {
        Window::Between { from, until } => {
            let until = until.unwrap_or(Time::NEVER);
            (from.is_none_or(|from| from <= now) && now < until).then_some(until)
        }
        Window::Every { schedule, lasts } => schedule.last_at_or_before(now).map(|from| from + *lasts).filter(|until| now < *until),
    }
}
