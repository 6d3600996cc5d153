//! Problems on their way: outages counted, made a problem and told of, and closed after a quiet time.

use super::Turn;
use super::tell::About;
use crate::decide::notify::{self, Mail};
use crate::decide::problem::{self as judge, Verdict};
use crate::ids::{IncidentId, ProblemId};
use crate::limits;
use crate::model::incident::{self, Told};
use crate::model::problem;
use crate::text::Because;
use crate::time::Span;
use crate::words::{ProblemState, Reason, Sent};

impl Turn<'_> {
    /// An incident that people hear of is an outage: every rule counts it once, and what it adopted does not count beside it.
    ///
    /// Returns the problems that people are to hear of, after they heard of the incident.
    pub(super) fn count_outage(&mut self, id: IncidentId) -> Vec<(ProblemId, Reason)> {
        let world = self.world;
        let mut tell = Vec::new();
        for rule in &world.policy.problems {
            let Some(incident) = self.state.incidents.get(&id) else { break };
            match judge::of_rule(self.state, world, rule, incident, self.now) {
                None => {}
                Some(Verdict::Counts { key, outage }) => {
                    self.let_series_go();
                    self.put(problem::Fact::Counted { key, outage, within: rule.within });
                }
                Some(Verdict::Opens { problem }) => {
                    let (number, outages) = (problem.id, problem.outages.clone());
                    self.put(problem::Fact::Opened { problem });
                    for outage in outages {
                        self.link(outage.incident, number);
                    }
                    tell.push((number, Reason::ProblemOpened));
                }
                Some(Verdict::IsOneMore { id: number, outage, after_fix }) => {
                    self.put(problem::Fact::Attached { id: number, outage });
                    self.link(id, number);
                    if let Some(after) = after_fix {
                        self.fix_failed(number, id, after);
                    }
                    tell.push((number, if after_fix.is_some() { Reason::FixFailed } else { Reason::ProblemRecurred }));
                }
                Some(Verdict::FixFailed { id: number, after }) => {
                    self.fix_failed(number, id, after);
                    tell.push((number, Reason::FixFailed));
                }
            }
        }
        tell
    }

    /// Old series go with new ones, a few at a time; beyond the bound the oldest goes whatever its age.
    fn let_series_go(&mut self) {
        for _ in 0..limits::OUTAGE_SERIES_LET_GO {
            let Some(key) = self.state.oldest_series(self.now, limits::OUTAGE_SERIES_MAX).cloned() else { return };
            self.put(problem::Fact::Forgotten { key });
        }
    }

    fn link(&mut self, incident: IncidentId, problem: ProblemId) {
        if self.state.incidents.get(&incident).is_some_and(|incident| incident.problem.is_none()) {
            self.put(incident::Fact::Linked { id: incident, problem });
        }
    }

    /// After a start: of two problems of the same the first takes the second over, and takes in what is counted beside it. Releases whose start forgot
    /// problems opened such. A start serves nobody yet, so that all are merged at once.
    pub(super) fn merge_problem_twins(&mut self) {
        for (first, later) in self.state.problem_twins() {
            let Some(other) = self.state.problems.get(&later).cloned() else { continue };
            let fixed = self.state.problems.get(&first).and_then(|problem| problem.resolved_at);
            let after_fix = fixed.filter(|fixed| other.state.is_open() && other.opened_at > *fixed).map(|fixed| other.opened_at - fixed);
            let incident = other.outages.last().map(|outage| outage.incident);
            self.put(problem::Fact::TookOver { id: first, other: Box::new(other) });
            self.put(problem::Fact::Merged { id: later, into: first });
            let linked = self.state.incidents.values().filter(|incident| incident.problem == Some(later));
            for incident in linked.map(|incident| incident.id).collect::<Vec<_>>() {
                self.put(incident::Fact::Linked { id: incident, problem: first });
            }
            if let (Some(after), Some(incident)) = (after_fix, incident) {
                self.fix_failed(first, incident, after);
            }
        }
        for (problem, key) in self.state.series_beside_problems() {
            let outages = self.state.problems.series().get(&key).map(|series| series.outages.clone()).unwrap_or_default();
            self.put(problem::Fact::Forgotten { key });
            for outage in outages {
                let Some(known) = self.state.problems.get(&problem).filter(|known| !known.has(outage.incident)) else { continue };
                let after_fix = known.resolved_at.filter(|fixed| outage.at > *fixed).map(|fixed| outage.at - fixed);
                let incident = outage.incident;
                self.put(problem::Fact::Attached { id: problem, outage });
                self.link(incident, problem);
                if let Some(after) = after_fix {
                    self.fix_failed(problem, incident, after);
                }
            }
        }
    }

    fn fix_failed(&mut self, id: ProblemId, incident: IncidentId, after: Span) {
        let Some(problem) = self.state.problems.get(&id) else { return };
        let to = if problem.assignee.is_empty() { ProblemState::New } else { ProblemState::Investigating };
        self.put(problem::Fact::FixFailed { id, incident, to, because: Because::CameBack { after } });
    }

    /// It stayed quiet for as long as its rule asks for.
    pub(super) fn close_problem_due(&mut self, id: ProblemId) {
        let Some(problem) = self.state.problems.get(&id) else { return };
        if problem.close_at.is_some_and(|at| at <= self.now) && problem.state == ProblemState::Resolved {
            let because = Because::QuietAfterFix { span: problem.quiet_after_fix };
            self.put(problem::Fact::Closed { id, because });
        }
    }

    /// Who hears of a problem, in a thread of its own.
    pub(super) fn tell_problem(&mut self, id: ProblemId, reason: Reason) {
        let Some(problem) = self.state.problems.get(&id) else { return };
        let mails = notify::of_problem(self.state, self.world, problem, reason, self.now);
        if mails.is_empty() && reason.sent() == Sent::ByDefault {
            self.put(problem::Fact::NobodyTold { id, why: "no rule reaches anybody and [mail] to names nobody".to_owned() });
        }
        for mail in mails {
            self.plan_problem_mail(id, mail);
        }
    }

    fn plan_problem_mail(&mut self, id: ProblemId, mail: Mail) {
        let Some(problem) = self.state.problems.get(&id) else { return };
        let number = self.state.next_message_id(id.shard());
        let known = problem.told.iter().find(|told| told.address == mail.address);
        let first = known.map_or(number, |told| told.first);
        let told = Told {
            address: mail.address.clone(),
            reason: mail.reason,
            at: self.now,
            rule: mail.rule.clone(),
            first,
            subject: None,
            team: Some(mail.team.clone()),
            last_at: None,
        };
        let subject = mail.subject.clone().unwrap_or_default();
        self.plan(number, mail, About::Problem(id), first, subject);
        self.put(problem::Fact::Told { id, told });
    }
}
