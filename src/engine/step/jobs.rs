//! Jobs enter the pipeline: the one whose time has come runs, once for all it missed.

use super::Turn;
use crate::decide::job;
use crate::model::cursor::Work;
use crate::model::job as model;
use crate::words::JobKind;

impl Turn<'_> {
    /// After a start or with another World: what is wanted by schedule is armed, what nobody wants is dropped.
    pub(super) fn arm_jobs(&mut self) {
        for fact in job::rearmed(self.state, self.world, self.now) {
            self.put(fact);
        }
    }

    /// The first job whose time has come; others come after it, each with a timer of its own. What is remembered of a run comes first, so that what it does
    /// finds it.
    pub(super) fn job_due(&mut self) {
        if let Some((kind, name)) = self.job_ran() {
            match kind {
                JobKind::Digest => self.send_digests(&name),
                JobKind::Capacity => self.ask(name),
                JobKind::SlaSweep => self.begin(Work::Clocks),
            }
        }
    }

    /// Remembers a run of the first job whose time has come, whatever it does.
    pub(super) fn job_ran(&mut self) -> Option<job::Key> {
        let fact = job::due(self.state, self.world, self.now)?;
        let (kind, name) = fact.key();
        let key = (kind, name.to_owned());
        let is_last = matches!(fact, model::Fact::Ran { due_at: None, .. });
        self.put(fact);
        if is_last {
            self.put(model::Fact::Dropped { kind, name: key.1.clone() });
        }
        Some(key)
    }
}
