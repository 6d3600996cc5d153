//! What suppresses an alert: one judgement over all that can, which says which and what it read for that.

use crate::event::World;
use crate::expr::View;
use crate::model::silence::SilenceState;
use crate::policy::silences::{SilenceRule, Window};
use crate::state::State;
use crate::text::Because;
use crate::time::Time;

/// What suppresses an alert, in the order in which the first is named. All that do are recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Suppression {
    /// Its CI is being worked on. No rule says so yet: a section `maintenance` is refused at load.
    Maintenance(Because),
    /// A silence of an operator, or a rule of `silences`.
    Silence(Because),
    /// Another alert that fires makes it redundant. No rule says so yet: a section `inhibit` is refused at load.
    Inhibition(Because),
    /// It comes and goes. No rule says so yet: `flapping` is refused at load.
    Flapping(Because),
    /// It is one of very many. No rule says so yet: a section `storms` is refused at load.
    Storm(Because),
}

impl Suppression {
    /// Why, as the operator reads it.
    pub fn because(&self) -> &Because {
        match self {
            Suppression::Maintenance(because)
            | Suppression::Silence(because)
            | Suppression::Inhibition(because)
            | Suppression::Flapping(because)
            | Suppression::Storm(because) => because,
        }
    }
}

/// The judgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppressed {
    /// What suppresses it; nothing where it is empty.
    pub by: Vec<Suppression>,
    /// The rules of `silences` that hold of it, whether their time has come or not: when one begins or ends, it is judged again. What a silence of an
    /// operator selects is found by its labels.
    pub reads: Vec<String>,
}

impl Suppressed {
    /// Why, all of it.
    pub fn because(&self) -> Vec<Because> {
        self.by.iter().map(|one| one.because().clone()).collect()
    }
}

/// What suppresses an alert at `now`: silences of operators, then rules.
pub fn suppressed(state: &State, world: &World, view: &View<'_>, now: Time) -> Suppressed {
    let made = state.silences.values().filter(|silence| {
        silence.record.state(now) == SilenceState::Active && !silence.matchers.is_empty() && silence.holds_of(&view.alert)
    });
    let by_operator = made.map(|silence| Because::Silenced {
        by: silence.record.id.to_string(),
        comment: silence.record.comment.clone(),
        until: silence.record.ends_at,
    });
    let mut by: Vec<Suppression> = by_operator.map(Suppression::Silence).collect();
    let mut reads = Vec::new();
    for rule in &world.policy.silences {
        // The condition first: it is cheap, and looking a schedule up is not.
        let holds = rule.condition.holds(view).is_yes();
        if holds || changes_by_itself(rule) {
            reads.push(rule.name.clone());
        }
        if let Some(until) = holds.then(|| open_until(rule, now)).flatten() {
            by.push(Suppression::Silence(Because::Silenced { by: rule.name.clone(), comment: rule.comment.clone(), until }));
        }
    }
    Suppressed { by, reads }
}

/// Whether what a rule's condition says of an alert may change without anything happening to the alert.
fn changes_by_itself(rule: &SilenceRule) -> bool {
    rule.condition.reads_any(&["ci.health", "service.health"])
}

/// When silence rules next begin or end after `now`.
pub fn next_edge(world: &World, now: Time) -> Option<Time> {
    let edges = world.policy.silences.iter().flat_map(|rule| match &rule.when {
        Window::Between { from, until } => [*from, *until],
        Window::Every { schedule, .. } => [schedule.next_after(now), open_until(rule, now)],
    });
    edges.flatten().filter(|at| *at > now).min()
}

/// The silence rules that began or ended between just before `edge` and `now`.
pub fn changed_since(world: &World, edge: Time, now: Time) -> Vec<&str> {
    let before = Time(edge.0 - 1);
    let changed = world.policy.silences.iter().filter(|rule| open_until(rule, before) != open_until(rule, now));
    changed.map(|rule| rule.name.as_str()).collect()
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
