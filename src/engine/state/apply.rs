//! How a fact changes State: a dispatch whose arms are one call each, and the rows each fact touches.

use std::collections::BTreeSet;

use super::rows::Row;
use super::{AlertCell, State, Timer};
use crate::cmdb::Cmdb;
use crate::fact::Fact;
use crate::ids::{AlertId, IncidentId, SourceNo};
use crate::limits;
use crate::model::capacity::Check;
use crate::model::incident::clock::LiveTerms;
use crate::model::job::Job;
use crate::model::timer::Aside;
use crate::model::{alert, capacity, digest, incident, job, message, silence, system, terms};
use crate::policy::slas::Terms;
use crate::time::Time;

impl State {
    /// Applies one fact. `touched` gains the rows it changed; only a repeat changes none.
    pub fn apply(&mut self, cmdb: &Cmdb, fact: &Fact, now: Time, touched: &mut BTreeSet<Row>) {
        match fact {
            Fact::Alert(fact) => self.apply_alert(cmdb, fact, now, touched),
            Fact::Incident(fact) => self.apply_incident(cmdb, fact, now, touched),
            Fact::Message(fact) => self.apply_message(fact, now, touched),
            Fact::Silence(fact) => self.apply_silence(fact, now, touched),
            Fact::Digest(fact) => self.apply_digest(fact, now, touched),
            Fact::System(fact) => self.apply_system(cmdb, fact, touched),
            Fact::Job(fact) => self.apply_job(fact, touched),
            Fact::Capacity(fact) => self.apply_capacity(fact, now, touched),
            Fact::Problem(fact) => self.apply_problem(fact, now, touched),
            Fact::Terms(terms::Fact::Kept { terms }) => {
                touched.insert(Row::Terms(terms.id()));
                self.keep_terms((**terms).clone());
            }
        }
    }

    /// Opens the next batch: its sequence and time.
    pub fn begin_batch(&mut self, now: Time, touched: &mut BTreeSet<Row>) {
        self.counters.seq += 1;
        self.last_before = self.counters.last_now;
        self.counters.last_now = self.counters.last_now.max(now);
        touched.insert(Row::Counters);
    }

    fn apply_alert(&mut self, cmdb: &Cmdb, fact: &alert::Fact, now: Time, touched: &mut BTreeSet<Row>) {
        let id = match fact {
            alert::Fact::Opened { alert, says } => return self.open_alert(cmdb, alert, *says, touched),
            alert::Fact::Seen { id, says, said } => return self.see_alert(*id, *says, said.as_ref()),
            alert::Fact::Forgotten { id } => return self.forget_alert(cmdb, *id, touched),
            alert::Fact::Rejected { .. } | alert::Fact::OverBeforeKnown { .. } => return,
            alert::Fact::Refired { id, .. }
            | alert::Fact::SeverityChanged { id, .. }
            | alert::Fact::Matched { id, .. }
            | alert::Fact::Judged { id, .. }
            | alert::Fact::Cleared { id, .. }
            | alert::Fact::SetApart { id }
            | alert::Fact::RejudgeArmed { id, .. }
            | alert::Fact::ForgetArmed { id, .. } => *id,
        };
        let before = self.standing(id);
        if let Some(cell) = self.cell_mut(id) {
            cell.alert.apply(fact, now);
            if matches!(fact, alert::Fact::Refired { .. }) {
                cell.armed_end = Time::NEVER;
            }
        }
        self.alert_moved(cmdb, id, before.as_ref());
        if matches!(fact, alert::Fact::Refired { .. } | alert::Fact::Matched { .. }) {
            self.arm_end(id);
        }
        touched.insert(Row::Alert(id));
    }

    fn open_alert(&mut self, cmdb: &Cmdb, alert: &alert::Alert, says: alert::SourceSays, touched: &mut BTreeSet<Row>) {
        let id = alert.id;
        let mut vitals = alert::Vitals::default();
        vitals.hear(says, None);
        let seq = self.counters.seq;
        self.place(AlertCell { alert: alert.clone(), vitals, as_of: seq, fingerprint: 0, armed_end: Time::NEVER });
        self.know_identity(id);
        self.index_alert(cmdb, id);
        self.arm_end(id);
        self.counters.alerts = self.counters.alerts.max(id.0);
        touched.insert(Row::Alert(id));
    }

    fn see_alert(&mut self, id: AlertId, says: alert::SourceSays, said: Option<&alert::Said>) {
        let Some(cell) = self.cell_mut(id) else { return };
        cell.vitals.hear(says, said);
        if let Some(said) = said {
            cell.alert.said = said.clone();
        }
        let slot = cell.alert.slot;
        self.vitals_changed(slot);
        self.arm_end(id);
    }

    fn forget_alert(&mut self, cmdb: &Cmdb, id: AlertId, touched: &mut BTreeSet<Row>) {
        let before = self.standing(id);
        self.shift(cmdb, before.as_ref(), None);
        if let Some(cell) = self.displace(id) {
            self.past.alerts.insert(id, cell);
            touched.insert(Row::Alert(id));
            touched.insert(Row::PastAlert(id));
        }
    }

    fn apply_incident(&mut self, cmdb: &Cmdb, fact: &incident::Fact, now: Time, touched: &mut BTreeSet<Row>) {
        let id = fact.id();
        let parent_before = self.incidents.get(&id).and_then(|incident| incident.parent);
        if let incident::Fact::Opened { incident } = fact {
            self.incidents.insert(id, (**incident).clone());
            self.counters.incidents = self.counters.incidents.max(id.0);
        }
        let Some(position) = self.incidents.get(&id).map(|incident| incident.timeline_len) else { return };
        if let Some(entry) = fact.entry(now) {
            self.past.timeline.insert((id, position), entry);
            touched.insert(Row::Timeline(id, position));
        }
        if let Some(incident) = self.incidents.get_mut(&id) {
            incident.apply(fact, now);
            if matches!(fact, incident::Fact::Opened { .. }) {
                incident.timeline_len = 1;
            }
        }
        self.index_incident(id, parent_before);
        self.move_outages(fact, now, touched);
        touched.insert(Row::Incident(id));
        match fact {
            incident::Fact::Attached { member } => self.attach(cmdb, member, touched),
            incident::Fact::Detached { alert, because, .. } => {
                if let Some(member) = self.members.get_mut(&(id, *alert)) {
                    member.left_at = Some(now);
                    member.because = because.clone();
                    touched.insert(Row::Member(id, *alert));
                }
                self.set_incident(cmdb, *alert, None, crate::words::Role::Member, touched);
            }
            incident::Fact::Closed { .. } => self.close_incident(id, touched),
            incident::Fact::Opened { .. }
            | incident::Fact::Emptied { .. }
            | incident::Fact::GivenBack { .. }
            | incident::Fact::CauseNamed { .. }
            | incident::Fact::Rated { .. }
            | incident::Fact::Moved { .. }
            | incident::Fact::Assigned { .. }
            | incident::Fact::Noted { .. }
            | incident::Fact::SourceSaid { .. }
            | incident::Fact::Held { .. }
            | incident::Fact::Resolved { .. }
            | incident::Fact::Reopened { .. }
            | incident::Fact::SettleArmed { .. }
            | incident::Fact::NotifyArmed { .. }
            | incident::Fact::Told { .. }
            | incident::Fact::Muted { .. }
            | incident::Fact::NobodyTold { .. }
            | incident::Fact::Hurts { .. }
            | incident::Fact::ReleaseArmed { .. }
            | incident::Fact::ClockAttached { .. }
            | incident::Fact::ClockReached { .. }
            | incident::Fact::ClockArmed { .. }
            | incident::Fact::ClockMissed { .. }
            | incident::Fact::Backdated { .. }
            | incident::Fact::Linked { .. } => {}
        }
    }

    /// Puts an alert into an incident, out of the one it was in. The one it opened itself stays its own, for a release.
    fn attach(&mut self, cmdb: &Cmdb, member: &incident::Member, touched: &mut BTreeSet<Row>) {
        self.members.insert((member.incident, member.alert), member.clone());
        touched.insert(Row::Member(member.incident, member.alert));
        self.set_incident(cmdb, member.alert, Some(member.incident), member.role, touched);
    }

    fn set_incident(
        &mut self,
        cmdb: &Cmdb,
        alert: AlertId,
        incident: Option<IncidentId>,
        role: crate::words::Role,
        touched: &mut BTreeSet<Row>,
    ) {
        let before = self.standing(alert);
        if let Some(cell) = self.cell_mut(alert) {
            cell.alert.incident = incident;
            cell.alert.role = role;
            cell.alert.version += 1;
            if role != crate::words::Role::Symptom && incident.is_some() {
                cell.alert.own_incident = incident;
            }
        }
        self.alert_moved(cmdb, alert, before.as_ref());
        touched.insert(Row::Alert(alert));
    }

    fn close_incident(&mut self, id: IncidentId, touched: &mut BTreeSet<Row>) {
        if let Some(incident) = self.incidents.remove(&id) {
            self.unindex_incident(&incident);
            self.past.incidents.insert(id, incident);
            touched.insert(Row::PastIncident(id));
        }
        let members: Vec<_> = self.members.range((id, AlertId(0))..=(id, AlertId(u64::MAX))).map(|(key, _)| *key).collect();
        for key in members {
            if let Some(member) = self.members.remove(&key) {
                self.past.members.insert(key, member);
            }
        }
    }

    fn apply_message(&mut self, fact: &message::Fact, now: Time, touched: &mut BTreeSet<Row>) {
        let id = match fact {
            message::Fact::Planned { message } => {
                self.put_message((**message).clone());
                self.counters.messages = self.counters.messages.max(message.id.0);
                message.id
            }
            message::Fact::Revived { message } => {
                self.put_message((**message).clone());
                // The row among those that are done goes.
                self.past.messages.remove(&message.id);
                touched.insert(Row::PastMessage(message.id));
                message.id
            }
            message::Fact::Rendered { id, .. }
            | message::Fact::Delivered { id }
            | message::Fact::Failed { id, .. }
            | message::Fact::Hurried { id, .. } => *id,
        };
        let Some(message) = self.messages.get_mut(&id) else { return };
        message.apply(fact, now);
        let (done, retry_at) = (message.is_done(), message.retry_at);
        touched.insert(Row::Message(id));
        self.arm(retry_at, Timer::Retry(id));
        if done && let Some(message) = self.take_message(id) {
            self.past.messages.insert(id, message);
            touched.insert(Row::PastMessage(id));
        }
    }

    fn apply_silence(&mut self, fact: &silence::Fact, now: Time, touched: &mut BTreeSet<Row>) {
        match fact {
            silence::Fact::Set { silence } => {
                self.counters.silences = self.counters.silences.max(silence.id.0);
                touched.insert(Row::Silence(silence.id));
                self.put_silence((**silence).clone());
            }
            silence::Fact::Expired { id, .. } => {
                if let Some(live) = self.silences.get(id) {
                    let mut record = live.record.clone();
                    record.ends_at = now.max(record.starts_at.min(now));
                    record.updated_at = now;
                    record.version += 1;
                    self.put_silence(record);
                    touched.insert(Row::Silence(*id));
                }
            }
            silence::Fact::Forgotten { id } => {
                if let Some(live) = self.silences.remove(id) {
                    self.past.silences.insert(*id, live.record);
                    touched.insert(Row::Silence(*id));
                    touched.insert(Row::PastSilence(*id));
                }
            }
        }
    }

    pub(super) fn keep_terms(&mut self, terms: Terms) {
        self.terms.insert(terms.id(), LiveTerms::new(terms));
    }

    fn apply_digest(&mut self, fact: &digest::Fact, now: Time, touched: &mut BTreeSet<Row>) {
        match fact {
            digest::Fact::Folded { address, incident, team, rule, job } => {
                let digest = self.digests.entry((job.clone(), address.clone())).or_insert_with(|| digest::Digest {
                    address: address.clone(),
                    since: now,
                    incidents: Vec::new(),
                    team: team.clone(),
                    rule: rule.clone(),
                    job: job.clone(),
                });
                if !digest.incidents.contains(incident) {
                    digest.incidents.push(*incident);
                }
                touched.insert(Row::Digest(job.clone(), address.clone()));
            }
            digest::Fact::Sent { address, job } => {
                self.digests.remove(&(job.clone(), address.clone()));
                touched.insert(Row::Digest(job.clone(), address.clone()));
            }
        }
    }

    fn apply_job(&mut self, fact: &job::Fact, touched: &mut BTreeSet<Row>) {
        let (kind, name) = fact.key();
        let key = (kind, name.to_owned());
        match fact {
            job::Fact::Armed { schedule, due_at, .. } => {
                let last = self.jobs.get(&key).and_then(|job| job.last);
                let armed = Job { kind, name: name.to_owned(), schedule: schedule.clone(), due_at: *due_at, last };
                self.jobs.insert(key.clone(), armed);
                self.arm(Some(*due_at), Timer::Jobs);
            }
            job::Fact::Ran { run, due_at, .. } => {
                if let Some(job) = self.jobs.get_mut(&key) {
                    job.last = Some(*run);
                    job.due_at = due_at.unwrap_or(Time::NEVER);
                }
                self.arm(*due_at, Timer::Jobs);
            }
            job::Fact::Dropped { .. } => {
                self.jobs.remove(&key);
            }
        }
        touched.insert(Row::Job(kind, key.1));
    }

    fn apply_capacity(&mut self, fact: &capacity::Fact, now: Time, touched: &mut BTreeSet<Row>) {
        match fact {
            capacity::Fact::Asked { rule } => {
                let check = self.checks.entry(rule.clone()).or_insert_with(|| Check { rule: rule.clone(), ..Check::default() });
                check.asked_at = Some(now);
                touched.insert(Row::Check(rule.clone()));
            }
            capacity::Fact::Answered { rule, query, left_out } => {
                let (query, left_out) = (query.clone(), *left_out);
                let answered = Check { rule: rule.clone(), asked_at: None, answered_at: Some(now), query, error: String::new(), left_out };
                self.checks.insert(rule.clone(), answered);
                touched.insert(Row::Check(rule.clone()));
            }
            capacity::Fact::Unanswered { rule, error } => {
                let check = self.checks.entry(rule.clone()).or_insert_with(|| Check { rule: rule.clone(), ..Check::default() });
                check.asked_at = None;
                check.error.clone_from(error);
                touched.insert(Row::Check(rule.clone()));
            }
            capacity::Fact::Made { forecast } => {
                let key = (forecast.rule.clone(), forecast.series.clone());
                touched.insert(Row::Forecast(key.0.clone(), key.1.clone()));
                self.forecasts.insert(key, (**forecast).clone());
            }
            capacity::Fact::Forgotten { rule, series } => {
                self.forecasts.remove(&(rule.clone(), series.clone()));
                touched.insert(Row::Forecast(rule.clone(), series.clone()));
            }
            capacity::Fact::Dropped { rule } => {
                self.checks.remove(rule);
                touched.insert(Row::Check(rule.clone()));
            }
        }
    }

    fn apply_system(&mut self, cmdb: &Cmdb, fact: &system::Fact, touched: &mut BTreeSet<Row>) {
        match fact {
            system::Fact::Started { grace } => {
                self.counters.grace = *grace;
                self.rearm_ends();
            }
            system::Fact::WorldAdopted { policy, cmdb: version, silence_rules_at } => {
                self.counters.policy.clone_from(policy);
                self.counters.cmdb = *version;
                self.counters.silence_rules_at = *silence_rules_at;
                self.arm(*silence_rules_at, Timer::SilenceRules);
                self.adopt_cmdb(cmdb);
            }
            system::Fact::Swept { next } => {
                self.counters.sweep = *next;
                let last_now = self.counters.last_now;
                self.arm(next.map(|_| last_now), Timer::Sweep);
            }
            system::Fact::ClocksSwept { next } => {
                self.counters.clock_sweep = *next;
                let last_now = self.counters.last_now;
                self.arm(next.map(|_| last_now), Timer::ClockSweep);
            }
            system::Fact::SourceNamed { name } => {
                let no = SourceNo(u16::try_from(self.sources.len()).unwrap_or(u16::MAX));
                self.sources.push(name.clone());
                self.source_numbers.insert(name.clone(), no);
                touched.insert(Row::Source(no));
            }
            system::Fact::SilenceRulesArmed { at } => {
                self.counters.silence_rules_at = *at;
                self.arm(*at, Timer::SilenceRules);
            }
            system::Fact::TimerSetAside { aside } => self.set_aside(aside, touched),
            system::Fact::TimerTakenBack { aside } => {
                self.aside.remove(&(aside.due_at, aside.timer));
                self.arm(Some(aside.due_at), aside.timer);
                touched.insert(Row::Aside(aside.due_at, aside.timer));
            }
        }
        touched.insert(Row::Counters);
    }

    /// Beyond the bound the one that was due first goes: it is fired again by the next start.
    fn set_aside(&mut self, aside: &Aside, touched: &mut BTreeSet<Row>) {
        let key = (aside.due_at, aside.timer);
        self.timers.remove(&key);
        self.aside.insert(key, aside.clone());
        touched.insert(Row::Aside(key.0, key.1));
        if self.aside.len() > limits::TIMERS_ASIDE_MAX
            && let Some(((due_at, timer), _)) = self.aside.pop_first()
        {
            touched.insert(Row::Aside(due_at, timer));
        }
    }

    /// After a start, ends wait for the grace: their timers follow.
    fn rearm_ends(&mut self) {
        let ids: Vec<AlertId> = self.slots.keys().copied().collect();
        for id in ids {
            self.disarm_end(id);
            self.arm_end(id);
        }
    }
}
