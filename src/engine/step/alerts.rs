//! Alerts on their way: heard, matched, judged, attached, cleared.

use super::Turn;
use crate::block::Recorded;
use crate::decide::attach::Verdict;
use crate::decide::cause;
use crate::event::{Action, Command, Reply, Taken};
use crate::fact::Fact;
use crate::ids::{AlertId, CiNo, IncidentId, Realm, Shard, SourceNo};
use crate::input::{AlertInput, Refused, Says};
use crate::judge::{self, Opens, Step};
use crate::limits;
use crate::model::alert::{self, Alert, CiRef, Judged, Said, SourceSays};
use crate::model::cursor::Work;
use crate::model::incident::{self, SourceSaid};
use crate::model::{realm, system};
use crate::sight;
use crate::state::fingerprint;
use crate::text::Because;
use crate::words::{AlertState, Explains, Reason, Role};

impl Turn<'_> {
    /// One request: its answer is what became of each good member, and the block keeps what came in.
    pub(super) fn take_alerts(&mut self, inputs: Vec<AlertInput>, refused: Vec<(String, Refused)>) {
        let (taken, kept) = self.take_all(inputs, refused);
        self.out.recorded = Recorded::Alerts(kept);
        self.out.reply = Some(Reply::Taken(taken));
    }

    /// Every good alert is taken, every bad one is a fact. Returns what became of each good one, and those of which more is remembered than a repeat.
    pub(super) fn take_all(&mut self, inputs: Vec<AlertInput>, refused: Vec<(String, Refused)>) -> (Vec<Taken>, Vec<AlertInput>) {
        for (source, refused) in refused {
            self.put(alert::Fact::Rejected { source, refused });
        }
        let mut taken = Vec::with_capacity(inputs.len());
        let mut kept = Vec::new();
        for input in inputs {
            let before = self.out.facts.len();
            taken.push(self.take(&input));
            if !matches!(self.out.facts[before..], [Fact::Alert(alert::Fact::Seen { .. })]) {
                kept.push(input);
            }
        }
        (taken, kept)
    }

    fn take(&mut self, input: &AlertInput) -> Taken {
        let fingerprint = fingerprint(self.state.counters.store, input);
        let known = self.state.find(fingerprint, input);
        if input.says != Says::State {
            // Of what was never known nothing can be said: dropped, as an end of it is.
            return known.map_or(Taken::Over, |id| self.hear_words(id, &input.source, &input.says));
        }
        if let Some(id) = known {
            self.hear(id, input);
            return Taken::Alert(id);
        }
        let source = self.source(&input.source);
        let says = SourceSays::of(input, source, self.now);
        if !says.fires(self.now) {
            self.put(alert::Fact::OverBeforeKnown { source: input.source.clone(), name: input.name.clone() });
            return Taken::Over;
        }
        if self.state.alert_count() >= limits::ALERTS_MAX {
            let expected = format!("fewer than {} live alerts in all", limits::ALERTS_MAX);
            let refused = Refused { place: "store".to_owned(), expected };
            self.put(alert::Fact::Rejected { source: input.source.clone(), refused: refused.clone() });
            return Taken::Refused(refused);
        }
        let shard = self.shard(&input.realm);
        let id = self.state.next_alert_id(shard);
        self.put(alert::Fact::Opened { alert: Box::new(Alert::heard(id, self.state.next_slot(), input, says, self.now)), says });
        self.match_rule(id);
        Taken::Alert(id)
    }

    /// A known alert is heard again: the hot path. It is judged only when it begins to fire or its severity changes.
    fn hear(&mut self, id: AlertId, input: &AlertInput) {
        let source = self.source(&input.source);
        let newer = SourceSays::of(input, source, self.now);
        let Some(cell) = self.state.cell(id) else { return };
        let says = cell.vitals.says(source).map_or(newer, |older| older.merged(newer));
        let was_active = cell.alert.is_active();
        let severity = (cell.alert.severity != input.severity).then_some(input.severity);
        let old = &cell.alert.said;
        let same = old.summary == input.summary && old.annotations == input.annotations && old.url == input.url && old.value == input.value;
        let said = (!same && says.fires(self.now)).then(|| Said::by(input));
        self.put(alert::Fact::Seen { id, says, said });
        let fires = self.ends_at(id) > self.now;
        if let Some(severity) = severity.filter(|_| says.fires(self.now)) {
            self.put(alert::Fact::SeverityChanged { id, severity });
        }
        match (was_active, fires) {
            (true, false) => self.clear(id, Because::SourceCleared { source: input.source.clone() }),
            (false, true) => {
                self.put(alert::Fact::Refired { id, started_at: says.starts_at.min(self.now) });
                self.match_rule(id);
            }
            (true, true) if severity.is_some() => self.match_rule(id),
            (true, true) | (false, false) => {}
        }
    }

    /// What is said of a known alert in words. Only an operator's acknowledgement changes its incident; what a source says is written down, the same again is not.
    fn hear_words(&mut self, alert: AlertId, source: &str, says: &Says) -> Taken {
        let heard = Taken::Alert(alert);
        let Some(cell) = self.state.cell(alert).filter(|cell| cell.alert.is_active()) else { return Taken::Over };
        let Some(id) = cell.alert.incident else { return heard };
        if let Says::Acknowledge { actor } = says {
            self.obey(&Command { actor: actor.clone(), expected: None, action: Action::Acknowledge { id } });
            return heard;
        }
        let said = SourceSaid { source: source.to_owned(), alert, says: says.clone() };
        let Some(incident) = self.state.incidents.get(&id) else { return heard };
        let before = &incident.source_said;
        if before.last.first() != Some(&said) && before.count < limits::SOURCE_WORDS_MAX {
            self.put(incident::Fact::SourceSaid { id, said });
        }
        heard
    }

    fn ends_at(&self, id: AlertId) -> crate::time::Time {
        self.state.cell(id).map(|cell| cell.ends_at(self.state.counters.grace)).unwrap_or_default()
    }

    /// The number of a realm; the first alert of a new one names it.
    fn shard(&mut self, realm: &Realm) -> Shard {
        if let Some(shard) = self.state.new_shard(realm) {
            self.put(realm::Fact::Named { shard, name: realm.clone() });
        }
        self.state.shard(realm)
    }

    /// The number of a source; the first alert of a new one names it.
    fn source(&mut self, name: &str) -> SourceNo {
        if let Some(no) = self.state.source_no(name) {
            return no;
        }
        if self.state.system.sources().len() + 1 >= limits::SOURCES_MAX {
            return match self.state.source_no("other") {
                Some(no) => no,
                None => self.name_source("other"),
            };
        }
        self.name_source(name)
    }

    fn name_source(&mut self, name: &str) -> SourceNo {
        self.put(system::Fact::SourceNamed { name: name.to_owned() });
        self.state.source_no(name).unwrap_or(SourceNo(0))
    }

    /// Ties an alert to its item and rule; judges it, unless it must still fire after the rule's `for`.
    pub(super) fn match_rule(&mut self, id: AlertId) {
        let Some(cell) = self.state.cell(id) else { return };
        let began = (cell.alert.state == AlertState::Pending).then_some(cell.alert.started_at);
        let judged = judge::matched(self.state, self.world, sight::alert(self.state, cell, self.now), began, self.now);
        let steps = std::iter::once(judged.identified_step(self.world)).chain(judged.rule_steps()).map(|step| self.judged(step)).collect();
        let (judge_at, matched) = (judged.pending_until, judged.rule);
        let fact = alert::Fact::Matched {
            id,
            ci: judged.identified.ci,
            rule: matched.rule.name.clone(),
            means: matched.means,
            explains: matched.explains,
            urgency: matched.urgency,
            judge_at,
            steps,
            expire_after: matched.rule.expire_after,
        };
        self.put(fact);
        if judge_at.is_none() {
            self.judge(id);
        }
    }

    /// Judges an alert that fires: muted, only recorded, or attached to an incident.
    pub(super) fn judge(&mut self, id: AlertId) {
        let Some(cell) = self.state.cell(id) else { return };
        if !cell.alert.is_active() {
            return;
        }
        let view = sight::with_ci(sight::alert(self.state, cell, self.now), self.state, self.world, &cell.alert.ci);
        let rule = judge::rule_of(self.world, &cell.alert, &view);
        let standing = judge::standing(self.state, self.world, rule, &view, self.now);
        let state = match &standing.recorded {
            Some(_) => AlertState::Recorded,
            None if standing.suppressed.by.is_empty() => AlertState::Firing,
            None => AlertState::Suppressed,
        };
        let steps = standing.steps().into_iter().map(|step| self.judged(step)).collect();
        let muted_by = standing.suppressed.because();
        let incident = cell.alert.incident;
        let reads = (cell.alert.reads != standing.suppressed.reads).then_some(standing.suppressed.reads);
        self.put(alert::Fact::Judged { id, state, muted_by, steps, reads });
        match state {
            AlertState::Firing => {
                self.attach(id, None);
                self.adopt(id);
            }
            AlertState::Pending | AlertState::Suppressed | AlertState::Recorded | AlertState::Cleared => {
                self.incidents.extend(incident);
            }
        }
    }

    /// Finds the incident a firing alert belongs to and puts it there. `leaving` is one it is being released from.
    pub(super) fn attach(&mut self, id: AlertId, leaving: Option<IncidentId>) {
        let Some(cell) = self.state.cell(id) else { return };
        let alert = &cell.alert;
        if let Some(from) = alert.incident
            && let Some(Work::Merge { into, actor, .. }) = self.state.merge_from(from).cloned()
        {
            // It is on its way to where an operator wants it.
            self.merge_one(into, &actor, id);
            return;
        }
        let view = sight::with_ci(sight::alert(self.state, cell, self.now), self.state, self.world, &alert.ci);
        let rule = judge::rule_of(self.world, alert, &view);
        let judged = judge::place(self.state, self.world, alert, rule, &view, leaving, self.now);
        let place = alert.incident;
        match judged.verdict {
            Verdict::Stays => self.incidents.extend(place),
            Verdict::WaitsForRelease(incident) => {
                self.incidents.insert(incident);
                self.arm_release(incident);
            }
            Verdict::Joins { incident, role, because } => self.join(id, incident, role, because),
            Verdict::GivesBack { incident } => self.give_back(id, incident, leaving),
            Verdict::Reopens { incident, because } => {
                let times = self.state.incidents.get(&incident).map(|incident| incident.times);
                let notify_at = self.now + times.map_or(rule.group_wait, |times| times.group_wait);
                self.put(incident::Fact::Reopened { id: incident, because: because.clone(), notify_at });
                self.join(id, incident, Role::Cause, because);
            }
            Verdict::Opens { recurrence_of, because } => {
                let notify_as = if leaving.is_some() { Reason::Released } else { Reason::Opened };
                let opens = Opens { alert, rule, group: judged.group, recurrence_of, because: because.clone(), notify_as };
                let incident = judge::opened(self.state, self.state.health(&alert.realm), self.world, &view, opens, self.now);
                let opened = incident.id;
                self.put(incident::Fact::Opened { incident: Box::new(incident) });
                self.join(id, opened, Role::Cause, because);
            }
        }
        self.collect(id);
    }

    /// Puts an alert into an incident, out of the one it was in; one that is left without any becomes a child.
    pub(super) fn join(&mut self, id: AlertId, incident: IncidentId, role: Role, because: Because) {
        let Some(cell) = self.state.cell(id) else { return };
        let left = cell.alert.incident.filter(|left| *left != incident && self.state.incidents.contains_key(left));
        let member = incident::Member {
            incident,
            alert: id,
            role,
            joined_at: self.now,
            left_at: None,
            because: because.clone(),
            name: cell.alert.name.clone(),
            item: sight::item_name(self.world, &cell.alert.ci).to_owned(),
        };
        if cell.alert.incident != Some(incident) || cell.alert.role != role {
            if let Some(left) = left {
                self.put(incident::Fact::Detached { id: left, alert: id, because: because.clone() });
            }
            self.put(incident::Fact::Attached { member });
        }
        let step = Step { what: "attached", outcome: format!("{incident} as {}", judge::as_role(role)), because: because.to_string() };
        let step = self.judged(step);
        let state = self.state.cell(id).map_or(AlertState::Firing, |cell| cell.alert.state);
        let muted_by = self.state.cell(id).map(|cell| cell.alert.muted_by.clone()).unwrap_or_default();
        self.put(alert::Fact::Judged { id, state, muted_by, steps: vec![step], reads: None });
        if let Some(left) = left
            && self.is_open(left)
            && self.state.tally(left).alerts == 0
        {
            self.put(incident::Fact::Emptied { id: left, by: incident });
        }
        self.incidents.insert(incident);
    }

    /// A child stands on its own again with this alert.
    fn give_back(&mut self, id: AlertId, incident: IncidentId, leaving: Option<IncidentId>) {
        let because = self.release_because(leaving);
        let wait = self.state.incidents.get(&incident).map(|incident| incident.times.group_wait).unwrap_or_default();
        self.put(incident::Fact::GivenBack { id: incident, because: because.clone(), notify_at: self.now + wait });
        self.join(id, incident, Role::Cause, because);
    }

    pub(super) fn release_because(&self, leaving: Option<IncidentId>) -> Because {
        let cause = leaving.and_then(|id| self.state.incidents.get(&id));
        let cleared = cause.and_then(|incident| self.state.cell(incident.cause?)).and_then(|cell| cell.alert.cleared_at);
        match (cause, cleared) {
            (Some(incident), Some(at)) => Because::CauseCleared { cause: incident.item.clone(), ago: self.now - at },
            _ => Because::OwnIncident,
        }
    }

    /// A new cause adopts what it explains, wherever that was.
    fn adopt(&mut self, cause: AlertId) {
        if self.state.cell(cause).is_some_and(|cell| cell.alert.explains != Explains::Nothing) {
            self.begin(Work::Adopt { cause });
        }
    }

    /// Moves an alert to the incident of its cause, where it has one elsewhere.
    pub(super) fn follow_cause(&mut self, id: AlertId) {
        let Some(cell) = self.state.cell(id) else { return };
        if cell.alert.state == AlertState::Firing
            && let Some(cause) = cause::of(self.state, self.world, &cell.alert)
            && cell.alert.incident != Some(cause.incident)
            && cause.role == Role::Symptom
        {
            self.join(id, cause.incident, cause.role, cause.because);
        }
    }

    /// A group below `min_up` is itself down: the incidents of its members become one, named after it.
    fn collect(&mut self, id: AlertId) {
        let Some(cell) = self.state.cell(id) else { return };
        if cell.alert.role == Role::Symptom {
            return;
        }
        let Some(collected) = cause::collected(self.state, self.state.health(&cell.alert.realm), self.world, &cell.alert) else { return };
        let (into, first) = collected.first;
        let Some(incident) = self.state.incidents.get(&into) else { return };
        let group = CiRef::Known(collected.group);
        if incident.ci != group {
            let ci = self.world.cmdb.ci(collected.group);
            let named = incident::Fact::CauseNamed {
                id: into,
                cause: incident.cause.or(Some(first)),
                ci: group,
                item: self.world.cmdb.id(collected.group).to_owned(),
                title: collected.because.to_string(),
                team: ci.map(|ci| ci.owner.clone()).filter(|owner| !owner.is_empty()).unwrap_or_else(|| incident.team.clone()),
                because: collected.because,
            };
            self.put(named);
        }
        self.begin(Work::Collect { group: collected.group, into });
    }

    /// An alert of a group's member joins the incident that they become, while the group is below `min_up`.
    pub(super) fn collect_one(&mut self, group: CiNo, into: IncidentId, id: AlertId) {
        let Some(realm) = self.state.incidents.get(&into).filter(|incident| incident.is_open()).map(|incident| &incident.realm) else {
            return;
        };
        if let Some(counts) = self.state.health(realm).group(&self.world.cmdb, group).filter(|counts| counts.is_below()) {
            self.join(id, into, Role::Member, cause::below_min_up(self.world, group, counts));
        }
    }

    /// No source says any more that it fires.
    pub(super) fn clear(&mut self, id: AlertId, because: Because) {
        let Some(cell) = self.state.cell(id) else { return };
        let incident = cell.alert.incident.filter(|id| self.state.incidents.contains_key(id));
        let forget_at = incident.is_none().then_some(self.now + limits::FORGET_AFTER);
        let was_cause = cell.alert.role != Role::Symptom;
        self.put(alert::Fact::Cleared { id, because, forget_at });
        if let Some(incident) = incident {
            self.incidents.insert(incident);
            if was_cause {
                self.arm_release(incident);
            }
        }
    }

    /// Symptoms that still fire are given back a while after their cause cleared.
    pub(super) fn arm_release(&mut self, incident: IncidentId) {
        let symptom = self.state.tally(incident).active_symptoms > 0;
        let armed = self.state.incidents.get(&incident).and_then(|incident| incident.release_at);
        if symptom && armed.is_none() {
            self.put(incident::Fact::ReleaseArmed { id: incident, at: Some(self.now + limits::RELEASE_AFTER) });
        }
    }

    fn judged(&self, step: Step) -> Judged {
        Judged { at: self.now, what: step.what.into(), outcome: step.outcome.into(), because: step.because.into() }
    }
}
