//! One batch: due timers, then each event, decided in memory. Nothing of it exists outside before `commit`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use minicbor::{Decode, Encode};
use tokio::sync::oneshot;
use tracing::error;
use watchkeeper_engine::block::{Entry, Recorded};
use watchkeeper_engine::effect::Effect;
use watchkeeper_engine::event::{Event, Reply, Taken, World};
use watchkeeper_engine::input::{AlertInput, Refused};
use watchkeeper_engine::state::rows::{Row, encode};
use watchkeeper_engine::state::{State, fingerprint};
use watchkeeper_engine::step::{Outcome, due, step};
use watchkeeper_engine::time::Time;
use watchkeeper_store::{RowChange, SourceFile, SourceKind, Table};

use super::lanes::{Adoption, Submission, Work};
use super::own_alert;
use super::suspects::{InputHash, Suspects};

/// What was decided, to be committed.
#[derive(Default)]
pub(super) struct Batch {
    /// Each event with its facts.
    pub(super) entries: Vec<Entry>,
    /// The rows that changed.
    pub(super) touched: BTreeSet<Row>,
    /// Rows that are no rows of State: the CMDB's, dead letters.
    pub(super) rows: Vec<RowChange>,
    /// The files of a World that came into force.
    pub(super) sources: Vec<(SourceKind, Vec<SourceFile>)>,
    /// What is asked of the world.
    pub(super) effects: Vec<Effect>,
    /// Who is told what.
    pub(super) answers: Vec<Answer>,
    /// Alerts that came in, by source.
    pub(super) received: BTreeMap<String, u64>,
    /// Events in it, each alert of a request counted.
    pub(super) events: usize,
    /// Whether another World came into force.
    pub(super) adopted: bool,
}

/// Who is told what, after the commit.
pub(super) struct Answer {
    pub(super) reply: oneshot::Sender<Reply>,
    pub(super) what: Reply,
    pub(super) since: Instant,
}

/// An input that was set aside because it stopped the daemon twice.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct DeadLetter {
    /// When it was set aside.
    #[n(0)]
    pub at: Time,
    /// The source it came from, or the actor.
    #[n(1)]
    pub from: String,
    /// Why.
    #[n(2)]
    pub why: String,
    /// The alert or command as it was understood, encoded.
    #[n(3)]
    #[cbor(with = "minicbor::bytes")]
    pub input: Vec<u8>,
}

impl Batch {
    /// Fires due timers and decides each event. `None` where there was nothing to do.
    pub(super) fn decide(
        state: &mut State,
        world: &mut World,
        suspects: &mut Suspects,
        submissions: Vec<Submission>,
        now: Time,
    ) -> Option<Batch> {
        // A start is decided before any timer: what ended while the daemon was down has its grace from it.
        let starts = submissions.iter().any(|submission| matches!(submission.work, Work::Event(Event::Started)));
        let is_due = !starts && state.next_due().is_some_and(|due| due <= now);
        if submissions.is_empty() && !is_due {
            return None;
        }
        let mut batch = Batch::default();
        suspects.doing_batch(state.counters.seq, now);
        state.begin_batch(now, &mut batch.touched);
        if is_due {
            suspects.doing_timers();
            let mut out = Outcome::default();
            due(state, world, now, &mut out);
            batch.put(Recorded::Nothing, out);
            suspects.doing_events();
        }
        for Submission { work, reply, since, .. } in submissions {
            batch.events += work.events();
            let what = match work {
                Work::Adopt(adoption) => {
                    let Adoption { world: next, rows, sources } = *adoption;
                    *world = next;
                    batch.rows.extend(rows);
                    batch.sources.extend(sources);
                    batch.adopted = true;
                    batch.step(state, world, Recorded::Nothing, Event::World(world.clone()), now)
                }
                Work::Keep(rows) => {
                    batch.rows.extend(rows);
                    Some(Reply::Done { id: String::new(), version: 0, changed: true })
                }
                Work::Event(event) if suspects.is_careful() => batch.step_carefully(state, world, suspects, event, now),
                Work::Event(event) => {
                    let recorded = recorded(state, &event, now);
                    batch.count_received(&event);
                    batch.step(state, world, recorded, event, now)
                }
            };
            if let Some(what) = what {
                batch.answers.push(Answer { reply, what, since });
            }
        }
        suspects.done();
        Some(batch)
    }

    fn step(&mut self, state: &mut State, world: &World, recorded: Recorded, event: Event, now: Time) -> Option<Reply> {
        let mut out = Outcome::default();
        step(state, world, event, now, &mut out);
        self.put(recorded, out)
    }

    fn put(&mut self, input: Recorded, mut out: Outcome) -> Option<Reply> {
        self.entries.push(Entry { input, facts: out.facts });
        self.touched.append(&mut out.touched);
        self.effects.append(&mut out.effects);
        out.reply
    }

    fn count_received(&mut self, event: &Event) {
        if let Event::Alerts { inputs, refused } = event {
            let first = inputs.first().map(|input| &input.source).or_else(|| refused.first().map(|(source, _)| source));
            if let Some(source) = first {
                *self.received.entry(source.clone()).or_default() += (inputs.len() + refused.len()) as u64;
            }
        }
    }

    /// After a panic: each input alone, named beforehand, so that the next panic knows its culprit; one that did it twice is set aside.
    fn step_carefully(&mut self, state: &mut State, world: &World, suspects: &mut Suspects, event: Event, now: Time) -> Option<Reply> {
        self.count_received(&event);
        match event {
            Event::Alerts { inputs, refused } => {
                let mut taken = Vec::with_capacity(inputs.len());
                for input in inputs {
                    taken.push(self.take_carefully(state, world, suspects, input, now));
                }
                suspects.doing_events();
                self.step(state, world, Recorded::Nothing, Event::Alerts { inputs: Vec::new(), refused }, now);
                Some(Reply::Taken(taken))
            }
            Event::Command(command) => {
                let bytes = encode(&command);
                let hash = InputHash::of(&bytes);
                if suspects.is_culprit(hash) {
                    let expected = self.set_aside(state, world, hash, command.actor.clone(), bytes, now);
                    return Some(Reply::Invalid(Refused { place: command.action.word().to_owned(), expected }));
                }
                suspects.doing_input(hash, format!("command {} of {}", command.action.word(), command.actor));
                self.step(state, world, Recorded::Command(command.clone()), Event::Command(command), now)
            }
            Event::Started | Event::World(_) | Event::Rendered { .. } | Event::Delivered { .. } | Event::DeliveryFailed { .. } => {
                suspects.doing_events();
                self.step(state, world, Recorded::Nothing, event, now)
            }
        }
    }

    fn take_carefully(&mut self, state: &mut State, world: &World, suspects: &mut Suspects, input: AlertInput, now: Time) -> Taken {
        let bytes = encode(&input);
        let hash = InputHash::of(&bytes);
        if suspects.is_culprit(hash) {
            let expected = self.set_aside(state, world, hash, input.source.clone(), bytes, now);
            let refused = Refused { place: "alert".to_owned(), expected };
            let event = Event::Alerts { inputs: Vec::new(), refused: vec![(input.source, refused.clone())] };
            self.step(state, world, Recorded::Nothing, event, now);
            return Taken::Refused(refused);
        }
        suspects.doing_input(hash, format!("alert {} of {}", input.name, input.source));
        let event = Event::Alerts { inputs: vec![input.clone()], refused: Vec::new() };
        match self.step(state, world, Recorded::Alerts(vec![input]), event, now) {
            Some(Reply::Taken(taken)) if !taken.is_empty() => taken[0].clone(),
            _ => Taken::Over,
        }
    }

    /// Keeps an input that stopped the daemon twice as a dead letter, and raises the daemon's own alert about it.
    fn set_aside(&mut self, state: &mut State, world: &World, hash: InputHash, from: String, input: Vec<u8>, now: Time) -> String {
        let why = "it stopped the daemon twice; it is kept as a dead letter".to_owned();
        error!(input = %hash, from, "An input that stopped the daemon twice was set aside.");
        let letter = DeadLetter { at: now, from, why: why.clone(), input };
        let key = hash.0.to_be_bytes().to_vec();
        self.rows.push(RowChange { table: Table::DEAD_LETTERS, key, value: Some(encode(&letter)) });
        let own = own_alert("InputSetAside", &format!("input {hash} stopped the daemon twice and was set aside"));
        self.step(state, world, Recorded::Alerts(vec![own.clone()]), Event::Alerts { inputs: vec![own], refused: Vec::new() }, now);
        why
    }
}

/// What a block keeps of an event: for a repeat its fact says it all.
fn recorded(state: &State, event: &Event, now: Time) -> Recorded {
    match event {
        Event::Alerts { inputs, .. } => Recorded::Alerts(inputs.iter().filter(|input| !is_repeat(state, input, now)).cloned().collect()),
        Event::Command(command) => Recorded::Command(command.clone()),
        Event::Started | Event::World(_) | Event::Rendered { .. } | Event::Delivered { .. } | Event::DeliveryFailed { .. } => {
            Recorded::Nothing
        }
    }
}

/// Whether an input only says again what is known: its alert fires, at the same severity, and goes on firing.
fn is_repeat(state: &State, input: &AlertInput, now: Time) -> bool {
    let goes_on = if let Some(end) = input.ends_at { end > now } else { !input.resolved };
    let known = state.find(fingerprint(state.counters.store, input), input).and_then(|id| state.cell(id));
    goes_on && known.is_some_and(|cell| cell.alert.is_active() && cell.alert.severity == input.severity)
}
