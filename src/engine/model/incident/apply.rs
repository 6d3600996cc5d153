//! How a fact about an incident changes its record.

use super::clock::{Clock, Moved};
use super::{Earlier, Fact, Incident, SourceWords};
use crate::text::Because;
use crate::time::Time;
use crate::words::{IncidentState, Reason};

impl Incident {
    /// Applies a fact about this incident. `at` is the block's time.
    pub fn apply(&mut self, fact: &Fact, at: Time) {
        match fact {
            Fact::Opened { .. } => return,
            Fact::Attached { .. } => self.alert_count += 1,
            Fact::Noted { .. } => self.updated(at),
            Fact::SourceSaid { said, .. } => {
                self.source_said = SourceWords { last: vec![said.clone()], count: self.source_said.count + 1 };
            }
            Fact::Detached { .. } | Fact::NobodyTold { .. } | Fact::ClockMissed { .. } => {}
            Fact::Emptied { by, .. } => {
                self.mark(at, Moved::Adopted);
                self.parent = Some(*by);
                self.problem = None;
                self.notify_at = None;
                self.settle_at = None;
            }
            Fact::GivenBack { notify_at, .. } => {
                self.mark(at, Moved::GivenBack);
                self.parent = None;
                self.notify_at = Some(*notify_at);
                self.notify_as = Reason::Released;
            }
            Fact::CauseNamed { cause, ci, item, title, team, because, .. } => {
                self.cause = *cause;
                self.ci = ci.clone();
                self.item.clone_from(item);
                self.title.clone_from(title);
                self.team.clone_from(team);
                self.because = because.clone();
            }
            Fact::Rated { impact, urgency, priority, services, by_hand, .. } => {
                self.impact = *impact;
                self.urgency = *urgency;
                if self.priority != *priority {
                    self.mark(at, Moved::Rated(*priority));
                }
                self.priority = *priority;
                self.services.clone_from(services);
                self.priority_by_hand = *by_hand;
            }
            Fact::Moved { to, because, .. } => {
                self.answered(because, at);
                if self.state == IncidentState::OnHold {
                    self.mark(at, Moved::Resumed);
                }
                self.state = *to;
                self.hold_reason.clear();
                self.hold_until = None;
            }
            Fact::Assigned { to, because, .. } => {
                self.assignee.clone_from(to);
                self.answered(because, at);
                self.updated(at);
            }
            Fact::Held { reason, until, because, .. } => {
                // It is answered before it waits.
                self.answered(because, at);
                self.updated(at);
                self.mark(at, Moved::Held(reason.clone()));
                self.state = IncidentState::OnHold;
                self.hold_reason.clone_from(reason);
                self.hold_until = *until;
            }
            Fact::Resolved { by, words, settle_at, close_at, .. } => {
                self.mark(at, Moved::Resolved);
                self.state = IncidentState::Resolved;
                self.resolved_at = Some(at);
                self.resolved_by.clone_from(by);
                self.resolution.clone_from(words);
                self.settle_at = *settle_at;
                self.close_at = Some(*close_at);
                self.hold_reason.clear();
                self.hold_until = None;
            }
            Fact::Reopened { notify_at, .. } => {
                self.mark(at, Moved::Reopened);
                self.state = IncidentState::New;
                self.reopened += 1;
                let lasted = self.lasted(self.resolved_at.unwrap_or(at));
                let (since, before) = (self.since(), self.earlier.take().unwrap_or_default());
                self.earlier =
                    Some(Earlier { lasted, acknowledged_after: before.acknowledged_after.or(self.acknowledged_at.map(|had| had - since)) });
                self.reopened_at = Some(at);
                self.acknowledged_at = None;
                self.assignee.clear();
                self.resolved_at = None;
                self.resolved_by.clear();
                self.resolution.clear();
                self.settle_at = None;
                self.close_at = None;
                self.notify_at = Some(*notify_at);
                self.notify_as = Reason::Reopened;
            }
            Fact::Closed { .. } => {
                self.state = IncidentState::Closed;
                self.closed_at = Some(at);
                self.close_at = None;
                self.settle_at = None;
                self.notify_at = None;
                self.clock_at = None;
            }
            Fact::SettleArmed { at, .. } => self.settle_at = *at,
            Fact::NotifyArmed { at, subject, .. } => {
                self.notify_at = *at;
                if at.is_none() {
                    self.clocks.iter_mut().for_each(Clock::wait_no_more);
                }
                self.subject.clone_from(subject);
            }
            Fact::Told { told, .. } => {
                match self.told.iter_mut().find(|known| known.address == told.address) {
                    // Folded into a morning's list is not told: the first mail of their own counts.
                    Some(known) if known.reason == Reason::Digest => *known = told.clone(),
                    Some(known) => known.last_at = Some(told.at),
                    None => self.told.push(told.clone()),
                }
            }
            Fact::Muted { muted, .. } => self.muted = *muted,
            Fact::Hurts { services, .. } => self.services.clone_from(services),
            Fact::ReleaseArmed { at, .. } => self.release_at = *at,
            Fact::ClockAttached { clock, .. } => self.clocks.push((**clock).clone()),
            Fact::ClockReached { name, reached, .. } => {
                if let Some(clock) = self.clocks.iter_mut().find(|clock| clock.name == *name) {
                    clock.keep(reached);
                }
            }
            Fact::ClockArmed { at, .. } => self.clock_at = *at,
            Fact::Linked { problem, .. } => self.problem = Some(*problem),
            Fact::Backdated { to, .. } => {
                self.mark(at, Moved::Backdated(*to));
                self.began_at = self.began_at.min(*to);
            }
        }
        if fact.entry(at).is_some() {
            self.timeline_len += 1;
            self.updated_at = at;
        }
        self.version += 1;
    }

    /// Somebody has it, from then on, where a person said so: what happens by itself answers nothing.
    fn answered(&mut self, because: &Because, at: Time) {
        if self.acknowledged_at.is_none() && because.is_of_a_person() {
            self.mark(at, Moved::Answered);
            self.acknowledged_at = Some(at);
        }
    }
}
