//! The pipeline: an event or a due timer goes in; facts, effects and a reply come out, and State has moved on.
//!
//! Calls the judgements of `decide`, applies what they return at once, and settles every incident touched, once, at the end.
//! It cannot fail: bad input is a fact, a broken invariant an assertion.
//!
//! ```text
//! alerts   ▸ identify ▸ match rule ▸ (for) ▸ suppress ▸ attach ▸ adopt what it explains ┐
//! command  ▸ decide                                                                      ├▸ settle each incident touched:
//! timer    ▸ judge, clear, release, notify, resolve, close, jobs                         │  rate, mute, quiet clock, SLA clocks, mails
//! cursor   ▸ the next slice of work that touches many alerts, bounded for each batch     ┘
//! forecast ▸ trend of each series ▸ an alert that fires or clears ▸ as alerts
//!
//! notify, an incident's first mail ▸ count it as an outage of problems ▸ mails ▸ SLA mails that waited for it ▸ problem mails
//! ```

mod alerts;
mod capacity;
mod clocks;
mod cursors;
mod incidents;
mod jobs;
mod outbox;
mod problems;
mod tell;
mod timers;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::block::Recorded;
use crate::decide::command::{self, Answer, Decision, Then};
use crate::decide::{health, suppress};
use crate::effect::Effect;
use crate::event::{Command, Event, Obeyed, Reply, World};
use crate::fact::Fact;
use crate::ids::{AlertId, IncidentId};
use crate::limits;
use crate::model::alert::Grace;
use crate::model::cursor::{Scope, Work};
use crate::model::{incident, system};
use crate::state::State;
use crate::state::rows::Row;
use crate::time::Time;
use crate::words::{IncidentState, Reason};

pub use timers::{due, due_one, first_due, pass_over};

/// What came of an event.
#[derive(Debug)]
pub struct Outcome {
    /// What came in, as the block keeps it.
    pub recorded: Recorded,
    /// What is remembered, in order; applied already.
    pub facts: Vec<Fact>,
    /// What is asked of the world after the commit.
    pub effects: Vec<Effect>,
    /// What the asker is told after the commit.
    pub reply: Option<Reply>,
    /// The rows that changed.
    pub touched: BTreeSet<Row>,
}

impl Default for Outcome {
    fn default() -> Self {
        Outcome { recorded: Recorded::Nothing, facts: Vec::new(), effects: Vec::new(), reply: None, touched: BTreeSet::new() }
    }
}

/// Decides one event and applies what it decides. For [`Event::World`], `world` is the one it brings.
pub fn step(state: &mut State, world: &World, event: Event, now: Time, out: &mut Outcome) {
    let mut turn = Turn::new(state, world, now, out);
    match event {
        Event::Started => turn.started(),
        Event::Alerts { inputs, refused } => turn.take_alerts(inputs, refused),
        Event::Command(command) => {
            turn.obey(&command);
            turn.out.recorded = Recorded::Command(command);
        }
        Event::World(_) => turn.adopt_world(),
        Event::Rendered { id, bytes, fallback } => turn.rendered(id, bytes, fallback),
        Event::Delivered { id } => turn.delivered(id),
        Event::DeliveryFailed { id, error, lasts } => turn.delivery_failed(id, error, lasts),
        Event::Forecast(answer) => turn.answered(&answer),
    }
    turn.settle();
}

/// Ends a batch, after its last event: what all of it did to the health of CIs is remembered, once for each CI and realm.
pub fn finish(state: &mut State, world: &World, now: Time, out: &mut Outcome) {
    let mut turn = Turn::new(state, world, now, out);
    for fact in health::changes(turn.state, world, limits::HEALTH_CHANGES_MAX) {
        turn.put(fact);
    }
    if turn.state.healths.moved().next().is_some() {
        turn.put(crate::model::health::Fact::Left);
    }
}

/// One event's way through the pipeline.
struct Turn<'a> {
    state: &'a mut State,
    world: &'a World,
    now: Time,
    out: &'a mut Outcome,
    /// Incidents to settle at the end.
    incidents: BTreeSet<IncidentId>,
    /// Incidents that an alert left: what it explained there looks for its cause again, before anything is settled.
    left: BTreeSet<IncidentId>,
    /// Of those, what moved their SLA clocks.
    touched: BTreeMap<IncidentId, clocks::Touch>,
    /// Of those, when the earliest alert was heard that they adopted.
    adopted: BTreeMap<IncidentId, Time>,
    /// Symptoms that changed: who hears of them is asked when their incident is settled.
    symptoms: BTreeSet<(IncidentId, AlertId)>,
    /// Work that came up while other work was done.
    pending: VecDeque<Work>,
    /// Whether work is done just now.
    is_working: bool,
}

impl<'a> Turn<'a> {
    fn new(state: &'a mut State, world: &'a World, now: Time, out: &'a mut Outcome) -> Turn<'a> {
        Turn {
            state,
            world,
            now,
            out,
            incidents: BTreeSet::new(),
            left: BTreeSet::new(),
            touched: BTreeMap::new(),
            adopted: BTreeMap::new(),
            symptoms: BTreeSet::new(),
            pending: VecDeque::new(),
            is_working: false,
        }
    }
}

impl Turn<'_> {
    /// Remembers a fact: applied and recorded.
    fn put(&mut self, fact: impl Into<Fact>) {
        let fact = fact.into();
        if let Fact::Incident(fact) = &fact {
            self.incidents.insert(fact.id());
            if let incident::Fact::Detached { id, .. } = fact {
                self.left.insert(*id);
            }
            self.note_clocks(fact);
        }
        self.state.apply(&self.world.cmdb, &fact, self.now, &mut self.out.touched);
        self.note_symptom(&fact);
        self.out.facts.push(fact);
    }

    /// After a start: ends that passed meanwhile wait, and every unfinished message is asked for again.
    fn started(&mut self) {
        let grace = Grace { down_since: self.state.last_before.min(self.now), until: self.now + limits::RESOLVE_TIMEOUT };
        let keeps_reads = self.state.counters.keeps_reads;
        self.put(system::Fact::Started { grace });
        self.merge_problem_twins();
        self.arm_jobs();
        self.take_timers_back();
        self.take_sweeps_over(keeps_reads);
        self.ask_for_messages();
        self.ask_again();
    }

    /// After a start on a store written before there were cursors: what was swept is queued, and every alert learns which silence rules it reads.
    fn take_sweeps_over(&mut self, keeps_reads: bool) {
        if self.state.counters.sweep.is_some() {
            self.put(system::Fact::Swept { next: None });
            self.begin(Work::Judge(Scope::All));
        }
        if self.state.counters.clock_sweep.is_some() {
            self.put(system::Fact::ClocksSwept { next: None });
            self.begin(Work::Clocks);
        }
        if !keeps_reads {
            self.begin(Work::Judge(Scope::All));
        }
    }

    /// Another World: silences and items are judged again for what fires, a slice at a time; attached alerts stay where they are.
    fn adopt_world(&mut self) {
        self.put(system::Fact::WorldAdopted {
            policy: self.world.policy.id.clone(),
            cmdb: self.world.cmdb.version(),
            silence_rules_at: suppress::next_edge(self.world, self.now),
        });
        self.arm_jobs();
        self.drop_unwanted();
        self.begin(Work::Judge(Scope::All));
        self.out.reply = Some(Reply::Adopted);
    }

    fn obey(&mut self, command: &Command) {
        let Command { actor, expected, action } = command;
        let Decision { subject, answer } = command::decide(self.state, action, actor, self.now);
        let (id, version) = (subject.name(self.state), subject.version(self.state));
        self.out.reply = Some(Reply::Obeyed(match (answer, version) {
            (Answer::NotFound, _) => Obeyed::NotFound { id },
            (Answer::Holds, version) => Obeyed::Done { id, version: version.unwrap_or_default(), changed: false },
            (Answer::Does { .. }, Some(version)) if expected.is_some_and(|expected| expected != version) => Obeyed::Stale { id, version },
            (Answer::NotAllowed { state, allowed }, _) => Obeyed::NotAllowed { state, allowed },
            (Answer::Invalid(refused), _) => Obeyed::Invalid(refused),
            (Answer::Does { facts, then }, _) => {
                if let Then::Closed(id) = &then {
                    // What is history has nobody to tell any more.
                    self.tell_command(*id, Reason::Closed);
                }
                for fact in facts {
                    self.put(fact);
                }
                self.follow(then, actor);
                self.settle();
                Obeyed::Done { id: subject.name(self.state), version: subject.version(self.state).unwrap_or_default(), changed: true }
            }
        }));
    }

    /// What follows from a command beside its facts.
    fn follow(&mut self, then: Then, actor: &str) {
        match then {
            Then::Nothing => {}
            Then::Tell(id, reason) => self.tell_command(id, reason),
            Then::TellRaised(id, before) => self.tell_told(id, Reason::Raised, before),
            Then::Resolved(id) => self.resolved(id),
            Then::Closed(id) => self.closed(id),
            Then::Attach(alert) => self.attach(alert, None),
            Then::Send(id) => self.revived(id),
            Then::Open(report, because) => self.open_reported(&report, because),
            Then::Merge(id, children) => self.merge(id, &children, actor),
            Then::Judge(silences) => silences.into_iter().for_each(|id| self.judge_selected(id)),
        }
    }

    /// The tail: what a moved alert explained follows it, then every incident touched is settled once.
    fn settle(&mut self) {
        loop {
            self.begin_pending();
            self.follow_what_left();
            let Some(id) = self.incidents.pop_first() else { return };
            self.settle_incident(id);
            // What settling said of the incident itself does not settle it again.
            self.incidents.remove(&id);
        }
    }

    fn is_open(&self, id: IncidentId) -> bool {
        self.state.incidents.get(&id).is_some_and(incident::Incident::is_open)
    }

    fn in_state(&self, id: IncidentId, state: IncidentState) -> bool {
        self.state.incidents.get(&id).is_some_and(|incident| incident.state == state)
    }
}
