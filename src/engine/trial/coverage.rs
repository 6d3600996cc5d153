//! Which rules took part in a trial, and which rules of the operator's there are.

use std::collections::BTreeSet;
use std::fmt;

use crate::decide::identify;
use crate::event::World;
use crate::fact::Fact;
use crate::model::{alert, capacity, digest, incident, message, problem};
use crate::policy::{Policy, RuleName, StandsFor};
use crate::sight;
use crate::state::State;
use crate::text::Because;
use crate::time::Time;

/// A rule by section and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleRef {
    /// The section, such as `correlate`.
    pub section: &'static str,
    /// Its name there.
    pub name: String,
}

impl RuleRef {
    pub(super) fn new(section: &'static str, name: &str) -> RuleRef {
        RuleRef { section, name: name.to_owned() }
    }
}

/// `correlate switch-down`.
impl fmt::Display for RuleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.section, self.name)
    }
}

/// The rules that files gave, without the built-in ones.
pub(super) fn own_rules(policy: &Policy) -> Vec<RuleRef> {
    let is_own = |rule: &RuleName<'_>| rule.stands_for == StandsFor::Rules && !rule.is_builtin;
    policy.rules().into_iter().filter(is_own).map(|rule| RuleRef::new(rule.section, rule.name)).collect()
}

/// Adds the rules that facts tell of. The facts were applied just now.
pub(super) fn touch(touched: &mut BTreeSet<RuleRef>, state: &State, world: &World, facts: &[Fact], now: Time) {
    for fact in facts {
        match fact {
            Fact::Alert(alert::Fact::Matched { id, rule, .. }) => {
                touched.insert(RuleRef::new("correlate", rule));
                let by = state.cell(*id).map(|cell| identify::identify(world, &sight::alert(state, cell, now)).rule);
                touched.extend(by.flatten().map(|name| RuleRef { section: "identify", name }));
            }
            Fact::Alert(alert::Fact::Judged { muted_by, .. }) => {
                for because in muted_by {
                    if let Because::Silenced { by, .. } = because {
                        touched.insert(RuleRef::new("silences", by));
                    }
                }
            }
            Fact::Incident(incident::Fact::ClockAttached { clock, .. }) => {
                touched.insert(RuleRef::new("slas", &clock.name));
            }
            Fact::Problem(problem::Fact::Counted { key, .. }) => {
                touched.insert(RuleRef::new("problems", &key.rule));
            }
            Fact::Problem(problem::Fact::Opened { problem }) => {
                touched.insert(RuleRef::new("problems", &problem.key.rule));
            }
            Fact::Message(message::Fact::Planned { message }) => {
                touched.insert(RuleRef::new("notify", &message.notify_rule));
            }
            Fact::Digest(digest::Fact::Folded { rule, .. }) => {
                touched.insert(RuleRef::new("notify", rule));
            }
            Fact::Capacity(capacity::Fact::Answered { rule, .. }) => {
                touched.insert(RuleRef::new("capacity", rule));
            }
            Fact::Alert(_)
            | Fact::Incident(_)
            | Fact::Message(_)
            | Fact::Silence(_)
            | Fact::Digest(_)
            | Fact::System(_)
            | Fact::Job(_)
            | Fact::Terms(_)
            | Fact::Capacity(_)
            | Fact::Problem(_)
            | Fact::Realm(_)
            | Fact::Cursor(_)
            | Fact::Health(_) => {}
        }
    }
}
