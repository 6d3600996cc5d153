//! Who is told what: notify rules against an incident, one mail per person and event, and what each mail says, frozen.

pub mod affected;
mod content;
mod problem;
mod recipients;

use std::collections::BTreeMap;

pub use content::{digest, subject};
pub use problem::of_problem;

use crate::cmdb::Team;
use crate::decide::clock::Due;
use crate::event::World;
use crate::expr::View;
use crate::ids::{AlertId, IncidentId};
use crate::limits;
use crate::model::cursor::{Gathered, Telling};
use crate::model::incident::{Incident, Told};
use crate::model::message::{Content, Yours};
use crate::policy::notify::{Digest, Notify};
use crate::sight::{self, IncidentTexts};
use crate::state::{AlertCell, State};
use crate::time::Time;
use crate::words::{Priority, Reason};

/// The name that stands where no notify rule but the configuration sent a mail.
pub const LAST_RESORT: &str = "[mail] to";

/// One thing to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Planned {
    /// A mail to one address.
    Mail(Box<Mail>),
    /// A line in an address's next digest.
    Fold {
        /// The address.
        address: String,
        /// Its team.
        team: String,
        /// The rule.
        rule: String,
        /// The job that sends it.
        job: String,
    },
    /// Nobody can be told, and somebody should.
    Nobody(String),
}

/// A mail to one address, before it has an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The address.
    pub address: String,
    /// Why.
    pub reason: Reason,
    /// The notify rule.
    pub rule: String,
    /// The template.
    pub template: String,
    /// The team whose zone and list it belongs to.
    pub team: String,
    /// What it says.
    pub content: Content,
    /// Its subject, where it is not the incident's.
    pub subject: Option<String>,
}

/// When an incident is asked about: that nobody can be told is said once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Its first mail, or the first after a return, is due.
    First,
    /// Something touched it after that.
    Later,
}

/// Who hears that an incident is there: `reason` is opened, or reopened or released, which those who were told before hear too.
///
/// A rule's `opened` is due when its condition first holds, so this is asked whenever an open incident was touched after its first mail. `symptoms` are those
/// that are asked about at once: who hears of them hears it with the others.
pub fn of_incident(
    state: &State,
    world: &World,
    incident: &Incident,
    told: (Reason, Moment),
    symptoms: &[AlertId],
    now: Time,
) -> Vec<Planned> {
    let (reason, moment) = told;
    let texts = IncidentTexts::of(incident);
    let again = matches!(reason, Reason::Reopened | Reason::Released);
    let mut round = Round::new(state, world, incident, now);
    let cause = cause_of(state, incident);
    let view = sight::of_incident(state, world, incident, &texts, cause, now);
    for rule in &world.policy.notify {
        if !(rule.sends(reason) || again && rule.sends(Reason::Opened)) || !rule.condition.holds(&view).is_yes() {
            continue;
        }
        for to in recipients::of(world, incident, &view, rule) {
            if again || !is_told(incident, &to.address, rule) {
                round.tell(to, rule, reason);
            }
        }
    }
    if !round.any() && !again && incident.told.is_empty() && incident.priority <= Priority::P2 {
        round.last_resort(reason, moment);
    }
    let mut gathered = Vec::new();
    if !symptoms.is_empty() {
        let asking = affected::Asking::about(state, world, incident, now);
        symptoms.iter().filter_map(|id| state.cell(*id)).for_each(|symptom| asking.ask(symptom, &mut gathered));
    }
    gathered.into_iter().for_each(|one| round.tell_gathered(one));
    round.planned()
}

/// Who hears that their CIs are symptoms of an incident, after all were asked about; who heard of it meanwhile knows.
pub fn of_affected(state: &State, world: &World, incident: &Incident, telling: Telling, now: Time) -> Vec<Planned> {
    let mut round = Round::new(state, world, incident, now);
    let knows = |address: &str| heard_at(incident, address).is_some_and(|at| at >= telling.began);
    telling.gathered.into_iter().filter(|one| !knows(&one.address)).for_each(|one| round.tell_gathered(one));
    round.planned()
}

/// Who hears that something happened to an incident they know: raised and resolved go to those who were told, by the rule that told them. Whose CI is only a
/// symptom of it hears that it is resolved, and nothing else.
pub fn of_told(state: &State, world: &World, incident: &Incident, reason: Reason, before: Priority, now: Time) -> Vec<Planned> {
    let mut round = Round::new(state, world, incident, now);
    round.priority_before = before;
    for told in &incident.told {
        if told.reason == Reason::Digest || told.reason == Reason::Affected && reason != Reason::Resolved {
            continue;
        }
        let rule = world.policy.notify.iter().find(|rule| rule.name == told.rule);
        if rule.is_none_or(|rule| rule.sends(reason)) {
            round.tell_again(told, rule, reason);
        }
    }
    round.planned()
}

/// Who hears that an incident is resolved with the one that its alerts belong to: who was told of it, and not of that one.
pub fn of_merged(state: &State, world: &World, incident: &Incident, parent: &Incident, now: Time) -> Vec<Planned> {
    let mut round = Round::new(state, world, incident, now);
    let hears = |told: &&Told| told.reason != Reason::Digest && !parent.told.iter().any(|known| known.address == told.address);
    for told in incident.told.iter().filter(hears) {
        let rule = world.policy.notify.iter().find(|rule| rule.name == told.rule);
        if rule.is_none_or(|rule| rule.sends(Reason::Resolved)) {
            round.tell_again(told, rule, Reason::Resolved);
        }
    }
    round.planned()
}

/// Who hears of what an operator did, because a rule names that reason: acknowledged, assigned, held, closed.
pub fn of_command(state: &State, world: &World, incident: &Incident, reason: Reason, now: Time) -> Vec<Planned> {
    let texts = IncidentTexts::of(incident);
    let mut round = Round::new(state, world, incident, now);
    let view = sight::of_incident(state, world, incident, &texts, cause_of(state, incident), now);
    for rule in &world.policy.notify {
        if rule.digest.is_none() && rule.sends(reason) && rule.condition.holds(&view).is_yes() {
            for to in recipients::of(world, incident, &view, rule) {
                round.tell(to, rule, reason);
            }
        }
    }
    round.planned()
}

/// Who hears that the time of promises is used up: of each promise whom every rule tells that sends that reason and holds for it, folded where it folds; of
/// a warning, where a rule names no reasons, who has the incident and the lead.
///
/// A person gets one mail about all the promises that they hear of, which is one about a breach where one of these is broken.
pub fn of_clocks(state: &State, world: &World, incident: &Incident, due: &[Due], now: Time) -> Vec<Planned> {
    let texts = IncidentTexts::of(incident);
    let mut round = Round::new(state, world, incident, now);
    let view = sight::of_incident(state, world, incident, &texts, cause_of(state, incident), now);
    let promises = incident.promises(&state.terms, now);
    let seen = |due: &Due| {
        let promise = promises.iter().find(|promise| promise.clock.name == due.name && promise.target == due.target);
        promise.map_or(view, |promise| sight::with_promise(view, promise))
    };
    for reason in [Reason::SlaBreached, Reason::SlaWarning] {
        for rule in world.policy.notify.iter().filter(|rule| rule.sends(reason) || rule.leaves_to_assignee(reason)) {
            for one in due.iter().filter(|one| one.reason() == reason && rule.condition.holds(&seen(one)).is_yes()) {
                let to = match rule.leaves_to_assignee(reason) {
                    true => recipients::by_default(world, incident, &view, reason),
                    false => recipients::of(world, incident, &view, rule),
                };
                to.into_iter().for_each(|to| round.tell_clock(to, rule, one));
            }
        }
    }
    round.planned()
}

/// What one notify rule has to say about an incident: `try` and `explain` show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// The rule.
    pub rule: String,
    /// Whom it would tell who does not know yet.
    pub to: Vec<String>,
    /// Where it folds it, in words; `None`: it would send it at once.
    pub folded: Option<String>,
    /// Why it tells whom it tells, or nobody.
    pub why: String,
}

/// Asks every rule about `reason` over `view`; tells nobody.
pub fn look(world: &World, incident: &Incident, view: &View<'_>, reason: Reason) -> Vec<Looked> {
    let again = matches!(reason, Reason::Reopened | Reason::Released);
    let rules = world.policy.notify.iter().map(|rule| {
        let sends = rule.sends(reason) || again && rule.sends(Reason::Opened);
        let holds = rule.condition.holds(view).is_yes();
        let why = if sends { rule.condition.explain(view) } else { format!("it does not send {reason}") };
        let found = if sends && holds { recipients::of(world, incident, view, rule) } else { Vec::new() };
        let untold = found.iter().filter(|to| again || !is_told(incident, &to.address, rule));
        let to: Vec<String> = untold.map(|to| to.address.clone()).collect();
        let why = match (sends && holds, found.is_empty(), to.is_empty()) {
            (true, true, _) => "it reaches nobody".to_owned(),
            (true, false, true) => "those it reaches know already".to_owned(),
            (true, false, false) | (false, _, _) => why,
        };
        let folded = rule.digest.as_ref().filter(|_| reason != Reason::Affected).map(Digest::to_string);
        Looked { rule: rule.name.clone(), to, folded, why }
    });
    rules.collect()
}

fn cause_of<'a>(state: &'a State, incident: &Incident) -> Option<&'a AlertCell> {
    incident.cause.and_then(|id| state.cell(id)).or_else(|| state.alerts_in(incident.id).next())
}

/// A folded line is not yet being told, except by another fold.
fn is_told(incident: &Incident, address: &str, rule: &Notify) -> bool {
    incident.told.iter().any(|told| told.address == address && (rule.digest.is_some() || told.reason != Reason::Digest))
}

fn heard_at(incident: &Incident, address: &str) -> Option<Time> {
    let told = incident.told.iter().find(|told| told.address == address && told.reason != Reason::Digest);
    told.map(Told::heard_at)
}

/// A mail on its way to being written.
struct Draft<'a> {
    reason: Reason,
    rule: String,
    template: String,
    team: String,
    /// What is the recipient's among the symptoms, in `affected`, and words at one of their items.
    yours: Option<(Yours, String)>,
    /// The promises whose time is used up, where it is about those.
    due: Vec<&'a Due>,
}

/// One event of one incident: each address once, the soonest first.
struct Round<'a> {
    state: &'a State,
    world: &'a World,
    incident: &'a Incident,
    now: Time,
    priority_before: Priority,
    mails: BTreeMap<String, Draft<'a>>,
    order: Vec<String>,
    folds: BTreeMap<String, Planned>,
    nobody: Option<String>,
}

impl<'a> Round<'a> {
    fn new(state: &'a State, world: &'a World, incident: &'a Incident, now: Time) -> Round<'a> {
        Round {
            state,
            world,
            incident,
            now,
            priority_before: incident.priority,
            mails: BTreeMap::new(),
            order: Vec::new(),
            folds: BTreeMap::new(),
            nobody: None,
        }
    }

    fn any(&self) -> bool {
        !self.mails.is_empty() || !self.folds.is_empty()
    }

    fn tell(&mut self, to: recipients::To, rule: &Notify, reason: Reason) {
        if let Some(digest) = &rule.digest {
            let zone = self.world.cmdb.team(&to.team).map_or("UTC", Team::zone_name);
            let fold =
                Planned::Fold { address: to.address.clone(), team: to.team, rule: rule.name.clone(), job: digest.job(&rule.name, zone) };
            self.folds.entry(to.address).or_insert(fold);
            return;
        }
        let template = rule.template_of(reason).to_owned();
        self.draft(to.address, Draft { reason, rule: rule.name.clone(), template, team: to.team, yours: None, due: Vec::new() });
    }

    /// Somebody's own CIs are symptoms; who hears of the incident itself is not told that beside it.
    fn tell_gathered(&mut self, gathered: Gathered) {
        let Gathered { address, team, rule, template, yours, note, .. } = gathered;
        self.draft(address, Draft { reason: Reason::Affected, rule, template, team, yours: Some((yours, note)), due: Vec::new() });
    }

    /// The first that is to be told somebody is what they are told.
    fn draft(&mut self, address: String, draft: Draft<'a>) {
        if !self.mails.contains_key(&address) {
            self.order.push(address.clone());
            self.mails.insert(address, draft);
        }
    }

    /// A promise goes into the one mail that a person gets of this moment.
    fn tell_clock(&mut self, to: recipients::To, rule: &Notify, due: &'a Due) {
        let address = to.address.clone();
        self.tell(to, rule, due.reason());
        let draft = self.mails.get_mut(&address);
        if let Some(draft) = draft.filter(|draft| !draft.due.contains(&due)) {
            draft.due.push(due);
        }
    }

    fn tell_again(&mut self, told: &Told, rule: Option<&Notify>, reason: Reason) {
        let template = rule.map_or(reason.word(), |rule| rule.template_of(reason)).to_owned();
        let team = recipients::team_of_address(self.world, self.incident, &told.address);
        self.draft(told.address.clone(), Draft { reason, rule: told.rule.clone(), template, team, yours: None, due: Vec::new() });
    }

    fn last_resort(&mut self, reason: Reason, moment: Moment) {
        if self.world.settings.last_resort.is_empty() && moment == Moment::First {
            self.nobody = Some("no rule reaches anybody and [mail] to names nobody".to_owned());
        }
        for address in &self.world.settings.last_resort {
            let (template, team) = (reason.word().to_owned(), self.incident.team.clone());
            let draft = Draft { reason, rule: LAST_RESORT.to_owned(), template, team, yours: None, due: Vec::new() };
            self.draft(address.clone(), draft);
        }
    }

    fn planned(mut self) -> Vec<Planned> {
        let room = limits::TOLD_MAX.saturating_sub(self.incident.told.len());
        let known: Vec<String> = self.order.clone();
        let mut out: Vec<Planned> = Vec::new();
        let mut new = 0;
        let ends = self.mails.values().any(|draft| draft.reason == Reason::Resolved);
        let left_over = if ends { content::left_over(self.state, self.world, self.incident) } else { Vec::new() };
        for address in &known {
            let Some(Draft { reason, rule, template, team, yours, due }) = self.mails.remove(address) else { continue };
            let told_before = self.incident.told.iter().any(|told| &told.address == address && told.reason != Reason::Digest);
            if !told_before {
                new += 1;
                if new > room {
                    self.nobody = Some(format!("more than {} people; the rest is left out", limits::TOLD_MAX));
                    break;
                }
            }
            let (yours, note) = yours.unzip();
            let content = content::of(content::Told {
                state: self.state,
                world: self.world,
                incident: self.incident,
                reason,
                rule: &rule,
                yours,
                note: note.as_deref().unwrap_or_default(),
                left_over: &left_over,
                others: known.iter().filter(|other| *other != address).cloned().collect(),
                first: !told_before,
                priority_before: self.priority_before,
                due: &due,
                now: self.now,
            });
            let subject = content::own_subject(self.state, self.world, self.incident, reason);
            out.push(Planned::Mail(Box::new(Mail { address: address.clone(), reason, rule, template, team, content, subject })));
        }
        out.extend(self.folds.into_values().filter(|fold| match fold {
            Planned::Fold { address, .. } => !known.contains(address),
            Planned::Mail(_) | Planned::Nobody(_) => true,
        }));
        out.extend(self.nobody.map(Planned::Nobody));
        out
    }
}

/// The incident a digest names, live or just closed.
pub fn incident_for_digest(state: &State, id: IncidentId) -> Option<&Incident> {
    state.incidents.get(&id).or_else(|| state.incidents.past().get(&id))
}
