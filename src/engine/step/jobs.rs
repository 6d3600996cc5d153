//! Jobs enter the pipeline: those whose time has come run, each once.

use super::Turn;
use crate::decide::job;
use crate::fact::Fact;
use crate::model::job as model;
use crate::words::JobKind;

impl Turn<'_> {
    /// After a start or with another World: what is wanted by schedule is armed, what nobody wants is dropped.
    pub(super) fn arm_jobs(&mut self) {
        for fact in job::rearmed(self.state, self.world, self.now) {
            self.put(fact);
        }
    }

    /// Jobs whose time has come. What is remembered of a run comes first, so that what it does finds it.
    pub(super) fn jobs_due(&mut self) {
        for fact in job::due(self.state, self.world, self.now) {
            let (kind, name) = fact.key();
            let name = name.to_owned();
            let is_last = matches!(fact, model::Fact::Ran { due_at: None, .. });
            self.put(fact);
            match kind {
                JobKind::Digest => self.send_digests(&name),
            }
            if is_last {
                self.put(model::Fact::Dropped { kind, name });
            }
        }
    }
}

impl From<model::Fact> for Fact {
    fn from(fact: model::Fact) -> Fact {
        Fact::Job(fact)
    }
}
