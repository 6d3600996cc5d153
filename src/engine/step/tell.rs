//! Telling people: what the notify judgement planned becomes messages, digest lines and timeline entries.

use std::sync::Arc;

use super::Turn;
use crate::decide::notify::{self, Mail, Moment, Planned, affected};
use crate::decide::{cause, clock};
use crate::effect::Effect;
use crate::fact::Fact;
use crate::ids::{AlertId, IncidentId, MessageId, ProblemId, Shard};
use crate::limits;
use crate::model::cursor::{Telling, Work};
use crate::model::incident::{self, Told};
use crate::model::message::{self, Content, Message, OfDigest, Sending};
use crate::model::{alert, digest};
use crate::state::AlertCell;
use crate::words::{AlertState, Priority, Reason, Role};

/// One recipient's thread: its first message, its subject, and the team whose list and zone it belongs to.
struct Thread {
    first: MessageId,
    subject: String,
    team: String,
}

/// What a message is about.
#[derive(Debug, Clone, Copy)]
pub(super) enum About {
    Incident(IncidentId),
    Problem(ProblemId),
    /// Several incidents.
    List,
}

impl Turn<'_> {
    /// The first mail of an incident, or the first after a return, is due: it goes, or waits for a cause still within its `for`.
    pub(super) fn notify_due(&mut self, id: IncidentId) {
        let Some(incident) = self.state.incidents.get(&id) else { return };
        if incident.notify_at.is_none_or(|at| at > self.now) || !incident.is_open() {
            return;
        }
        let (subject, reason, muted) = (incident.subject.clone(), incident.notify_as, incident.muted);
        let longest = incident.updated_at.max(incident.opened_at) + incident.times.group_wait + limits::COMPANY_WAIT_MAX;
        let moves = (self.state.is_moving(id) || self.is_to_be_adopted(id)).then(|| self.now + limits::MOVING_WAIT);
        if let Some(at) = moves.or_else(|| cause::awaited(self.state, self.world, id, self.now))
            && at <= longest
        {
            self.put(incident::Fact::NotifyArmed { id, at: Some(at), subject });
            return;
        }
        let waiting = clock::waiting(self.state, incident, self.now);
        self.put(incident::Fact::NotifyArmed { id, at: None, subject });
        if !muted {
            let problems = self.count_outage(id);
            self.tell(id, reason, Moment::First);
            self.tell_clocks(id, &waiting);
            for (problem, reason) in problems {
                self.tell_problem(problem, reason);
            }
        }
    }

    /// Whether what it is about has a cause elsewhere that has not come to it yet: then it soon is a child, and nobody hears of it.
    fn is_to_be_adopted(&self, id: IncidentId) -> bool {
        let first = self.state.first_cause(id).filter(|_| !self.state.cursors.is_empty());
        let cause = first.and_then(|cell| cause::of(self.state, self.world, &cell.alert));
        cause.is_some_and(|cause| cause.incident != id && cause.role == Role::Symptom)
    }

    /// What became due because a condition first holds now: for an open incident after its first mail.
    pub(super) fn tell_newly_due(&mut self, id: IncidentId) {
        let due = |incident: &incident::Incident| incident.is_open() && incident.notify_at.is_none() && !incident.muted;
        // What is on its way is told when it is there.
        if self.state.incidents.get(&id).is_some_and(due) && !self.state.is_moving(id) {
            self.tell(id, Reason::Opened, Moment::Later);
        } else if !self.take_symptoms(id).is_empty() {
            self.state.set_unasked(id, true);
        }
    }

    fn tell(&mut self, id: IncidentId, reason: Reason, moment: Moment) {
        let symptoms = self.symptoms_to_ask(id, moment);
        let Some(incident) = self.state.incidents.get(&id) else { return };
        let planned = notify::of_incident(self.state, self.world, incident, (reason, moment), &symptoms, self.now);
        self.carry_out(id, planned);
    }

    /// The symptoms that are asked about now: those that changed, or all, where something changed that conditions see of all. Where these are too many for this
    /// batch, they are asked about by a cursor, and who hears of them is told at its end.
    fn symptoms_to_ask(&mut self, id: IncidentId, moment: Moment) -> Vec<AlertId> {
        let changed = self.take_symptoms(id);
        if !affected::asks(self.world) || self.state.tally(id).active_symptoms == 0 {
            self.state.set_unasked(id, false);
            return Vec::new();
        }
        let all = moment == Moment::First || self.state.is_unasked(id) || self.world.policy.affected_sees_counts;
        let room = self.state.room();
        let count = if all { self.state.tally(id).active_symptoms as usize } else { changed.len() };
        if count > room || self.state.queued(&Work::Tell { incident: id }).is_some() {
            self.state.set_unasked(id, false);
            self.begin(Work::Tell { incident: id });
            return Vec::new();
        }
        self.state.spend(count);
        if all {
            self.state.set_unasked(id, false);
            return self.state.symptoms_from(id, (None, AlertId(0))).map(|cell| cell.alert.id).collect();
        }
        let is_symptom = |cell: &&AlertCell| {
            let alert = &cell.alert;
            alert.role == Role::Symptom && alert.state == AlertState::Firing && alert.incident == Some(id)
        };
        let mut firing: Vec<_> = changed.into_iter().filter_map(|alert| self.state.cell(alert)).filter(is_symptom).collect();
        firing.sort_by(|one, next| (&one.alert.ci, one.alert.id).cmp(&(&next.alert.ci, next.alert.id)));
        firing.into_iter().map(|cell| cell.alert.id).collect()
    }

    /// The symptoms of an incident that this event changed.
    fn take_symptoms(&mut self, id: IncidentId) -> Vec<AlertId> {
        let mut behind = self.symptoms.split_off(&(id, AlertId(0)));
        self.symptoms.append(&mut behind.split_off(&(id, AlertId(u64::MAX))));
        behind.into_iter().map(|(_, alert)| alert).collect()
    }

    /// A fact about an alert or a member: a symptom of which somebody may have to hear is remembered until its incident is settled.
    pub(super) fn note_symptom(&mut self, fact: &Fact) {
        let alert = match fact {
            Fact::Incident(incident::Fact::Attached { member }) => member.alert,
            Fact::Alert(
                alert::Fact::Judged { id, .. }
                | alert::Fact::Matched { id, .. }
                | alert::Fact::Refired { id, .. }
                | alert::Fact::SeverityChanged { id, .. },
            ) => *id,
            Fact::Alert(_)
            | Fact::Incident(_)
            | Fact::System(_)
            | Fact::Realm(_)
            | Fact::Message(_)
            | Fact::Silence(_)
            | Fact::Digest(_)
            | Fact::Job(_)
            | Fact::Terms(_)
            | Fact::Capacity(_)
            | Fact::Problem(_)
            | Fact::Cursor(_)
            | Fact::Health(_) => return,
        };
        let symptom = self.state.cell(alert).filter(|cell| cell.alert.role == Role::Symptom);
        if let Some(incident) = symptom.and_then(|cell| cell.alert.incident) {
            self.symptoms.insert((incident, alert));
        }
    }

    /// Some symptoms are asked about for whoever hears of them at the end.
    pub(super) fn gather(&self, incident: IncidentId, symptoms: &[AlertId], telling: &mut Option<Box<Telling>>) {
        let Some(incident) = self.state.incidents.get(&incident) else { return };
        let telling = telling.get_or_insert_with(|| Box::new(Telling { began: self.now, gathered: Vec::new() }));
        let asking = affected::Asking::about(self.state, self.world, incident, self.now);
        symptoms.iter().filter_map(|id| self.state.cell(*id)).for_each(|symptom| asking.ask(symptom, &mut telling.gathered));
    }

    /// All symptoms were asked about: who is to hear of them is told, unless the incident is on its way again.
    pub(super) fn tell_gathered(&mut self, id: IncidentId, telling: Telling) {
        let due = |incident: &incident::Incident| incident.is_open() && incident.notify_at.is_none() && !incident.muted;
        if !self.state.incidents.get(&id).is_some_and(due) || self.state.is_moving(id) {
            self.state.set_unasked(id, true);
            return;
        }
        let Some(incident) = self.state.incidents.get(&id) else { return };
        let planned = notify::of_affected(self.state, self.world, incident, telling, self.now);
        self.carry_out(id, planned);
    }

    /// What those who were told must hear too.
    pub(super) fn tell_told(&mut self, id: IncidentId, reason: Reason, before: Priority) {
        let Some(incident) = self.state.incidents.get(&id) else { return };
        if incident.notify_at.is_some() || incident.muted || incident.parent.is_some() {
            return;
        }
        let planned = notify::of_told(self.state, self.world, incident, reason, before, self.now);
        self.carry_out(id, planned);
    }

    /// Who was told of an incident hears that it is resolved with the one that its alerts belong to, unless they hear of that one.
    pub(super) fn tell_merged(&mut self, id: IncidentId, parent: IncidentId) {
        let (Some(incident), Some(parent)) = (self.state.incidents.get(&id), self.state.incidents.get(&parent)) else { return };
        if incident.notify_at.is_none() && !incident.muted {
            let planned = notify::of_merged(self.state, self.world, incident, parent, self.now);
            self.carry_out(id, planned);
        }
    }

    /// What a rule wants told of an operator's command, or of a closing.
    pub(super) fn tell_command(&mut self, id: IncidentId, reason: Reason) {
        let Some(incident) = self.state.incidents.get(&id) else { return };
        if incident.notify_at.is_some() || incident.muted {
            return;
        }
        let planned = notify::of_command(self.state, self.world, incident, reason, self.now);
        self.carry_out(id, planned);
    }

    pub(super) fn carry_out(&mut self, id: IncidentId, planned: Vec<Planned>) {
        for one in planned {
            match one {
                Planned::Mail(mail) => self.plan_mail(id, *mail),
                Planned::Fold { address, team, rule, job } => {
                    self.put(digest::Fact::Folded { address: address.clone(), incident: id, team, rule: rule.clone(), job });
                    let told = Told {
                        address,
                        reason: Reason::Digest,
                        at: self.now,
                        rule,
                        first: MessageId(0),
                        subject: None,
                        team: None,
                        last_at: None,
                    };
                    self.put(incident::Fact::Told { id, told });
                }
                Planned::Nobody(why) => self.put(incident::Fact::NobodyTold { id, why }),
            }
        }
    }

    fn plan_mail(&mut self, id: IncidentId, mail: Mail) {
        let Some(incident) = self.state.incidents.get(&id) else { return };
        let number = self.state.next_message_id(self.state.shard(&incident.realm));
        let fresh = notify::subject(self.state, self.world, incident);
        let Thread { first, subject, team } =
            self.thread(incident, &mail).unwrap_or_else(|| Thread { first: number, subject: fresh.clone(), team: mail.team.clone() });
        let entry = Told {
            address: mail.address.clone(),
            reason: mail.reason,
            at: self.now,
            rule: mail.rule.clone(),
            first,
            subject: Some(subject.clone()),
            team: Some(team.clone()),
            last_at: None,
        };
        if incident.subject.is_empty() {
            let at = incident.notify_at;
            self.put(incident::Fact::NotifyArmed { id, at, subject: fresh });
        }
        let subject = mail.subject.clone().unwrap_or(subject);
        self.plan(number, Mail { team, ..mail }, About::Incident(id), first, subject);
        self.put(incident::Fact::Told { id, told: entry });
    }

    /// The thread somebody has of an incident; who hears that their items are symptoms hears it in the one they had of those.
    fn thread(&self, incident: &incident::Incident, mail: &Mail) -> Option<Thread> {
        let of = |incident: &incident::Incident| {
            let told = incident.told.iter().find(|told| told.address == mail.address && told.reason != Reason::Digest)?;
            Some(Thread {
                first: told.first,
                subject: told.subject.clone().unwrap_or_else(|| incident.subject.clone()),
                team: told.team.clone().unwrap_or_else(|| mail.team.clone()),
            })
        };
        let own = || mail.content.yours()?.incident.and_then(|own| self.state.incidents.get(&own));
        of(incident).or_else(|| of(own()?))
    }

    pub(super) fn plan(&mut self, id: MessageId, mail: Mail, about: About, thread: MessageId, subject: String) {
        let (incident, problem) = match about {
            About::Incident(id) => (Some(id), None),
            About::Problem(id) => (None, Some(id)),
            About::List => (None, None),
        };
        let zone = self.world.cmdb.team(&mail.team).map(|team| team.zone.clone()).unwrap_or_default();
        let message = Message {
            id,
            incident,
            to: mail.address,
            reason: mail.reason,
            template: mail.template,
            subject,
            thread,
            notify_rule: mail.rule,
            team: mail.team,
            zone,
            planned_at: self.now,
            content: mail.content,
            problem,
            sending: Sending::planned(id),
        };
        let asked = Effect::Render(Arc::new(message.clone()));
        self.put(message::Fact::Planned { message: Box::new(message) });
        self.out.effects.push(asked);
    }

    /// Every list of a job becomes one mail.
    pub(super) fn send_digests(&mut self, job: &str) {
        let due: Vec<digest::Digest> = self.state.digests.values().filter(|digest| digest.job == job).cloned().collect();
        for digest in due {
            let content = notify::digest(self.state, &digest, self.now);
            self.put(digest::Fact::Sent { address: digest.address.clone(), job: digest.job.clone() });
            if content.lines.is_empty() {
                continue;
            }
            let subject = digest_subject(&content, &digest);
            let number = self.state.next_message_id(Shard::MAIN);
            let rule = self.world.policy.notify.iter().find(|rule| rule.name == digest.rule);
            let mail = Mail {
                address: digest.address,
                reason: Reason::Digest,
                rule: digest.rule,
                template: rule.map_or(Reason::Digest.word(), |rule| rule.template_of(Reason::Digest)).to_owned(),
                team: digest.team,
                content: Content::Digest(content),
                subject: None,
            };
            self.plan(number, mail, About::List, number, subject);
        }
    }
}

/// `Morning list: 2 open, 5 over (network)`; one with a schedule of its own bears its rule's name.
fn digest_subject(content: &OfDigest, digest: &digest::Digest) -> String {
    let list = if digest.job == digest.rule { format!("List {}", crate::text::cut(&digest.rule, 30)) } else { "Morning list".to_owned() };
    let team = digest.team.as_str();
    let over = content.lines.iter().filter(|line| line.until != crate::time::Time::default()).count();
    let open = content.lines.len() - over;
    let team = if team.is_empty() { String::new() } else { format!(" ({})", crate::text::cut(team, 30)) };
    format!("{list}: {open} open, {over} over{team}")
}
