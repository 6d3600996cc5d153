//! The pipeline: an event or a due timer goes in; facts, effects and a reply come out, and State has moved on.
//!
//! Calls the judgements of `decide`, applies what they return at once, and settles every incident touched, once, at the end.
//! It cannot fail: bad input is a fact, a broken invariant an assertion.
//!
//! ```text
//! alerts   ▸ identify ▸ match rule ▸ (for) ▸ mute ▸ attach ▸ adopt what it explains ┐
//! command  ▸ decide                                                                  ├▸ settle each incident touched:
//! timer    ▸ judge, clear, release, notify, resolve, close, fold                     ┘  rate, mute, quiet clock, mails
//! ```

mod alerts;
mod incidents;
mod tell;
mod timers;

use std::collections::BTreeSet;

use crate::block::Recorded;
use crate::decide::{command, mute};
use crate::effect::Effect;
use crate::event::{Action, Command, Event, Reply, World};
use crate::fact::Fact;
use crate::ids::{AlertId, IncidentId};
use crate::limits;
use crate::model::alert::Grace;
use crate::model::message::{self, MessageState};
use crate::model::{incident, system};
use crate::state::State;
use crate::state::rows::Row;
use crate::time::Time;
use crate::words::{IncidentState, Reason};

pub use timers::due;

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
    let mut turn = Turn { state, world, now, out, incidents: BTreeSet::new() };
    match event {
        Event::Started => turn.started(),
        Event::Alerts { inputs, refused } => turn.take_alerts(inputs, refused),
        Event::Command(command) => {
            turn.obey(&command);
            turn.out.recorded = Recorded::Command(command);
        }
        Event::World(_) => turn.adopt_world(),
        Event::Rendered { id, bytes, fallback } => turn.rendered(id, bytes, fallback),
        Event::Delivered { id } => turn.put(message::Fact::Delivered { id }),
        Event::DeliveryFailed { id, error, retry_at } => turn.put(message::Fact::Failed { id, error, retry_at }),
    }
    turn.settle();
}

/// One event's way through the pipeline.
struct Turn<'a> {
    state: &'a mut State,
    world: &'a World,
    now: Time,
    out: &'a mut Outcome,
    /// Incidents to settle at the end.
    incidents: BTreeSet<IncidentId>,
}

impl Turn<'_> {
    /// Remembers a fact: applied and recorded.
    fn put(&mut self, fact: impl Into<Fact>) {
        let fact = fact.into();
        if let Fact::Incident(fact) = &fact {
            self.incidents.insert(fact.id());
        }
        self.state.apply(&self.world.cmdb, &fact, self.now, &mut self.out.touched);
        self.out.facts.push(fact);
    }

    /// After a start: ends that passed meanwhile wait, and every unfinished message is asked for again.
    fn started(&mut self) {
        let grace = Grace { down_since: self.state.last_before.min(self.now), until: self.now + limits::RESOLVE_TIMEOUT };
        self.put(system::Fact::Started { grace });
        for message in self.state.messages.values() {
            match message.state {
                MessageState::Planned => self.out.effects.push(Effect::Render(message.id)),
                MessageState::Rendered if message.retry_at.is_none() => self.out.effects.push(Effect::Deliver(message.id)),
                MessageState::Rendered | MessageState::Delivered | MessageState::Dead => {}
            }
        }
    }

    /// Another World: silences and items are judged again for what fires, a slice at a time; attached alerts stay where they are.
    fn adopt_world(&mut self) {
        self.put(system::Fact::WorldAdopted {
            policy: self.world.policy.id.clone(),
            cmdb: self.world.cmdb.version(),
            silence_rules_at: mute::next_edge(self.world, self.now),
        });
        self.sweep_from_start();
        self.out.reply = Some(Reply::Adopted);
    }

    fn sweep_from_start(&mut self) {
        if self.state.alert_count() > 0 {
            self.put(system::Fact::Swept { next: Some(AlertId(0)) });
        }
    }

    fn obey(&mut self, command: &Command) {
        let Command { actor, expected, action } = command;
        let answer = command::decide(self.state, action, actor, self.now);
        let subject = command::subject(self.state, action);
        self.out.reply = Some(match (answer, subject) {
            (command::Answer::NotFound, _) | (_, None) => Reply::NotFound { id: named(action) },
            (command::Answer::Holds, Some((id, version))) => Reply::Done { id, version, changed: false },
            (command::Answer::Facts(_), Some((id, version))) if expected.is_some_and(|expected| expected != version) => {
                Reply::Stale { id, version }
            }
            (command::Answer::NotAllowed { state, allowed }, _) => Reply::NotAllowed { state, allowed },
            (command::Answer::Invalid(refused), _) => Reply::Invalid(refused),
            (command::Answer::Facts(facts), Some(_)) => {
                let before = self.priority_before(action);
                for fact in facts {
                    self.put(fact);
                }
                self.after_command(action, before);
                self.settle();
                let (id, version) = command::subject(self.state, action).unwrap_or_default();
                Reply::Done { id, version, changed: true }
            }
        });
    }

    fn priority_before(&self, action: &Action) -> Option<crate::words::Priority> {
        match action {
            Action::SetPriority { id, .. } => self.state.incidents.get(id).map(|incident| incident.priority),
            Action::Acknowledge { .. }
            | Action::Assign { .. }
            | Action::Note { .. }
            | Action::Hold { .. }
            | Action::Resume { .. }
            | Action::Resolve { .. }
            | Action::Reopen { .. }
            | Action::Close { .. }
            | Action::Detach { .. }
            | Action::SetSilence { .. }
            | Action::ExpireSilence { .. }
            | Action::RetryMessage { .. } => None,
        }
    }

    /// What follows from a command beside its facts.
    fn after_command(&mut self, action: &Action, priority_before: Option<crate::words::Priority>) {
        match action {
            Action::Acknowledge { id } => self.tell_command(*id, Reason::Acknowledged),
            Action::Assign { id, .. } => self.tell_command(*id, Reason::Assigned),
            Action::Hold { id, .. } => self.tell_command(*id, Reason::Held),
            Action::Close { id } => self.closed(*id),
            Action::Resolve { id, .. } => self.resolved(*id),
            Action::Detach { alert, .. } => self.attach(*alert, None),
            Action::SetPriority { id, priority, .. } => {
                if let Some(before) = priority_before.filter(|before| priority < before) {
                    self.tell_told(*id, Reason::Raised, before);
                }
            }
            Action::SetSilence { .. } | Action::ExpireSilence { .. } => self.sweep_from_start(),
            Action::Note { .. } | Action::Resume { .. } | Action::Reopen { .. } => {}
            Action::RetryMessage { .. } => {}
        }
    }

    fn rendered(&mut self, id: crate::ids::MessageId, bytes: Vec<u8>, fallback: String) {
        // A second rendering of the same message changes nothing: its bytes never change once they are decided.
        if self.state.messages.get(&id).is_some_and(|message| message.state == MessageState::Planned) {
            self.put(message::Fact::Rendered { id, bytes, fallback });
            self.out.effects.push(Effect::Deliver(id));
        }
    }

    /// The tail: every incident touched is settled once.
    fn settle(&mut self) {
        while let Some(id) = self.incidents.pop_first() {
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

fn named(action: &Action) -> String {
    match action {
        Action::Acknowledge { id }
        | Action::Assign { id, .. }
        | Action::Note { id, .. }
        | Action::Hold { id, .. }
        | Action::Resume { id }
        | Action::Resolve { id, .. }
        | Action::Reopen { id, .. }
        | Action::Close { id }
        | Action::Detach { id, .. }
        | Action::SetPriority { id, .. } => id.to_string(),
        Action::SetSilence { id: Some(id), .. } | Action::ExpireSilence { id } => id.to_string(),
        Action::SetSilence { id: None, .. } => String::new(),
        Action::RetryMessage { id } => id.to_string(),
    }
}
