//! Capacity enters the pipeline: series are asked for, and the alerts that follow from an answer go the way of all alerts.

use super::Turn;
use crate::block::Recorded;
use crate::decide::capacity::{self, Follows};
use crate::effect::Effect;
use crate::input::AlertInput;
use crate::model::capacity as model;

impl Turn<'_> {
    /// The time of a rule has come.
    pub(super) fn ask(&mut self, rule: String) {
        self.put(model::Fact::Asked { rule: rule.clone() });
        self.out.effects.push(Effect::Query(rule));
    }

    /// After a start: what was asked and not answered is asked again.
    pub(super) fn ask_again(&mut self) {
        let waiting = self.state.capacity.checks().values().filter(|check| check.asked_at.is_some());
        self.out.effects.extend(waiting.map(|check| Effect::Query(check.rule.clone())));
    }

    /// An answer. The block keeps the alerts that follow from it, as it keeps what any door brings.
    pub(super) fn answered(&mut self, answer: &model::Answer) {
        let follows = capacity::answered(self.state, self.world, answer, self.now);
        self.out.recorded = Recorded::Alerts(self.follow_capacity(follows));
    }

    /// With another World: what its rules no longer want is over.
    pub(super) fn drop_unwanted(&mut self) {
        let follows = capacity::unwanted(self.state, self.world, self.now);
        self.follow_capacity(follows);
    }

    /// Returns the alerts that a block keeps.
    fn follow_capacity(&mut self, follows: Follows) -> Vec<AlertInput> {
        for fact in follows.facts {
            self.put(fact);
        }
        self.take_all(follows.alerts, follows.refused).1
    }
}
