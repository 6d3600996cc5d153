//! One batch: due timers, then each event, decided in memory. Nothing of it exists outside before `commit`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use tracing::error;
use watchkeeper_engine::block::Entry;
use watchkeeper_engine::effect::Effect;
use watchkeeper_engine::event::{Event, Obeyed, Reply, Taken, World};
use watchkeeper_engine::input::{AlertInput, Refused};
use watchkeeper_engine::model::capacity::Said;
use watchkeeper_engine::state::State;
use watchkeeper_engine::state::rows::{Row, encode};
use watchkeeper_engine::step::{self, Outcome};
use watchkeeper_engine::time::Time;
use watchkeeper_store::limits::DEAD_LETTER_FAULTS_MAX;
use watchkeeper_store::{RowChange, SourceFile, SourceKind};

use super::asks::Waits;
use super::lanes::{Adoption, Beside, Kept, RowsOfReply, Submission, Work};
use super::letters::{DeadInput, Form, Letters, Origin};
use super::own_alert;
use super::suspects::{InputHash, Suspects};
use crate::mail::Templates;

/// The place of a refusal that says that the input was set aside.
const SET_ASIDE: &str = "alert";

/// What was decided, to be committed.
#[derive(Default)]
pub(super) struct Batch {
    /// Each event with its facts.
    pub(super) entries: Vec<Entry>,
    /// The rows that changed.
    pub(super) touched: BTreeSet<Row>,
    /// Rows that are no rows of State: the CMDB's, dead letters.
    pub(super) rows: Vec<RowChange>,
    /// Dead letters that had to go for want of room.
    pub(super) letters_dropped: u64,
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
    /// The templates of another World that came into force.
    pub(super) templates: Option<Arc<Templates>>,
}

/// Who is told what, after the commit.
pub(super) struct Answer {
    pub(super) waits: Waits,
    pub(super) reply: Option<Reply>,
    pub(super) since: Instant,
}

impl Batch {
    /// Fires due timers and decides each event, one at least, until `deadline`: what is left then stays in `submissions`. `None` where there was nothing to do.
    pub(super) fn decide(
        state: &mut State,
        world: &mut World,
        suspects: &mut Suspects,
        letters: &mut Letters,
        submissions: &mut VecDeque<Submission>,
        deadline: Instant,
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
            batch.fire(state, world, suspects, now);
            suspects.doing_events();
        }
        while let Some(Submission { work, beside, waits, since, .. }) =
            submissions.pop_front_if(|_| batch.events == 0 || Instant::now() < deadline)
        {
            batch.events += work.events();
            let (kept, of_reply) = batch.take_beside(letters, beside, now);
            let reply = match work {
                Work::Adopt(adoption) => {
                    let Adoption { world: next, templates, rows, sources } = *adoption;
                    *world = next;
                    batch.rows.extend(rows);
                    batch.sources.extend(sources);
                    batch.templates = Some(templates);
                    batch.step(state, world, Event::World(world.clone()), now)
                }
                Work::Keep(rows) => {
                    batch.rows.extend(rows);
                    None
                }
                Work::Event(event) if suspects.is_careful() => batch.step_carefully(state, world, suspects, letters, event, now),
                Work::Event(event) => {
                    batch.count_received(&event);
                    batch.step(state, world, event, now)
                }
            };
            batch.keep_refused(letters, kept, reply.as_ref(), now);
            if let (Some(of_reply), Some(reply)) = (of_reply, &reply) {
                batch.rows.extend(of_reply(reply));
            }
            batch.answers.push(Answer { waits, reply, since });
        }
        suspects.doing_events();
        let mut out = Outcome::default();
        step::finish(state, world, now, &mut out);
        batch.put(out);
        suspects.done();
        Some(batch)
    }

    fn step(&mut self, state: &mut State, world: &World, event: Event, now: Time) -> Option<Reply> {
        let mut out = Outcome::default();
        step::step(state, world, event, now, &mut out);
        self.put(out)
    }

    /// Fires due timers. After a panic one alone, named beforehand, so that the next panic knows its culprit; one that did it twice is passed over.
    fn fire(&mut self, state: &mut State, world: &World, suspects: &mut Suspects, now: Time) {
        let mut out = Outcome::default();
        let Some(timer) = step::first_due(state, now).filter(|_| suspects.is_careful()) else {
            suspects.doing_timers();
            step::due(state, world, now, &mut out);
            self.put(out);
            return;
        };
        let hash = InputHash::of(timer.as_bytes());
        if !suspects.is_culprit(hash) {
            suspects.doing_input(hash, format!("timer {timer}"));
            step::due_one(state, world, now, &mut out);
            self.put(out);
            return;
        }
        error!(timer, "A timer that stopped the daemon twice was passed over.");
        step::pass_over(state, world, now, &mut out);
        self.put(out);
        let own = own_alert("TimerSetAside", &format!("the timer {timer} stopped the daemon twice and was passed over"), &[]);
        self.step(state, world, Event::Alerts { inputs: vec![own], refused: Vec::new() }, now);
    }

    fn put(&mut self, mut out: Outcome) -> Option<Reply> {
        self.entries.push(Entry { input: out.recorded, facts: out.facts });
        self.touched.append(&mut out.touched);
        self.effects.append(&mut out.effects);
        out.reply
    }

    /// What goes into the transaction of an event beside what the event itself changes; what waits for what it comes to is handed back.
    fn take_beside(&mut self, letters: &mut Letters, beside: Beside, now: Time) -> (Vec<Kept>, Option<RowsOfReply>) {
        let Beside { rows, letters: inputs, kept, of_reply } = beside;
        self.rows.extend(rows);
        for input in inputs {
            self.letters_dropped += letters.keep(input, now, &mut self.rows);
        }
        (kept, of_reply)
    }

    /// Keeps the records of which the engine refused something: what came in is on disk either way.
    fn keep_refused(&mut self, letters: &mut Letters, kept: Vec<Kept>, reply: Option<&Reply>, now: Time) {
        let Some(Reply::Taken(outcomes)) = reply else { return };
        let mut outcomes = outcomes.iter();
        for Kept { mut letter, members } in kept {
            let refused = members.iter().zip(outcomes.by_ref().take(members.len()));
            let refused = refused.filter_map(|(member, outcome)| match outcome {
                // What was set aside has a letter of its own already.
                Taken::Refused(fault) if fault.place != SET_ASIDE => Some((*member, fault.clone())),
                Taken::Refused(_) | Taken::Alert(_) | Taken::Over => None,
            });
            (letter.members, letter.faults) = refused.take(DEAD_LETTER_FAULTS_MAX).unzip();
            if !letter.faults.is_empty() {
                self.letters_dropped += letters.keep(letter, now, &mut self.rows);
            }
        }
    }

    fn count_received(&mut self, event: &Event) {
        if let Event::Alerts { inputs, refused } = event {
            // A request has one source, a batch of Kafka records a few: runs of one are counted at once.
            let sources: Vec<&str> =
                inputs.iter().map(|input| input.source.as_str()).chain(refused.iter().map(|(source, _)| source.as_str())).collect();
            for run in sources.chunk_by(|one, next| one == next) {
                *self.received.entry(run[0].to_owned()).or_default() += run.len() as u64;
            }
        }
    }

    /// After a panic: each input alone, named beforehand, so that the next panic knows its culprit; one that did it twice is set aside.
    fn step_carefully(
        &mut self,
        state: &mut State,
        world: &World,
        suspects: &mut Suspects,
        letters: &mut Letters,
        event: Event,
        now: Time,
    ) -> Option<Reply> {
        self.count_received(&event);
        match event {
            Event::Alerts { inputs, refused } => {
                let mut taken = Vec::with_capacity(inputs.len());
                for input in inputs {
                    taken.push(self.take_carefully(state, world, suspects, letters, input, now));
                }
                suspects.doing_events();
                self.step(state, world, Event::Alerts { inputs: Vec::new(), refused }, now);
                Some(Reply::Taken(taken))
            }
            Event::Command(command) => {
                let bytes = encode(&command);
                let hash = InputHash::of(&bytes);
                if suspects.is_culprit(hash) {
                    let input = DeadInput::set_aside(&command.actor, Form::Command, hash, bytes);
                    let expected = self.set_aside(state, world, letters, input, now);
                    let refused = Refused { place: command.action.word().to_owned(), expected };
                    return Some(Reply::Obeyed(Obeyed::Invalid(refused)));
                }
                suspects.doing_input(hash, format!("command {} of {}", command.action.word(), command.actor));
                self.step(state, world, Event::Command(command), now)
            }
            Event::Forecast(mut answer) => {
                let hash = InputHash::of(format!("forecast\0{}\0{}", answer.rule, answer.query).as_bytes());
                if suspects.is_culprit(hash) {
                    answer.said = Said::Nothing { error: "its answers stopped the daemon twice; change the rule or its query".to_owned() };
                    suspects.doing_events();
                } else {
                    suspects.doing_input(hash, format!("answer to capacity rule {}", answer.rule));
                }
                self.step(state, world, Event::Forecast(answer), now)
            }
            Event::Started | Event::World(_) | Event::Rendered { .. } | Event::Delivered { .. } | Event::DeliveryFailed { .. } => {
                suspects.doing_events();
                self.step(state, world, event, now)
            }
        }
    }

    fn take_carefully(
        &mut self,
        state: &mut State,
        world: &World,
        suspects: &mut Suspects,
        letters: &mut Letters,
        input: AlertInput,
        now: Time,
    ) -> Taken {
        let bytes = encode(&input);
        let hash = InputHash::of(&bytes);
        if suspects.is_culprit(hash) {
            let dead = DeadInput::set_aside(&input.source, Form::Alert, hash, bytes);
            let expected = self.set_aside(state, world, letters, dead, now);
            let refused = Refused { place: SET_ASIDE.to_owned(), expected };
            let event = Event::Alerts { inputs: Vec::new(), refused: vec![(input.source, refused.clone())] };
            self.step(state, world, event, now);
            return Taken::Refused(refused);
        }
        suspects.doing_input(hash, format!("alert {} of {}", input.name, input.source));
        let event = Event::Alerts { inputs: vec![input], refused: Vec::new() };
        match self.step(state, world, event, now) {
            Some(Reply::Taken(taken)) if !taken.is_empty() => taken[0].clone(),
            _ => Taken::Over,
        }
    }

    /// Keeps an input that stopped the daemon twice as a dead letter, and raises the daemon's own alert about it. Returns what is said to its sender.
    fn set_aside(&mut self, state: &mut State, world: &World, letters: &mut Letters, input: DeadInput, now: Time) -> String {
        let Origin::Writer { input: hash } = input.origin else { return String::new() };
        let hash = InputHash(hash);
        let why = input.faults.first().map_or_else(String::new, |fault| fault.expected.clone());
        error!(input = %hash, from = input.source, "An input that stopped the daemon twice was set aside.");
        if !letters.holds_set_aside(hash) {
            self.letters_dropped += letters.keep(input, now, &mut self.rows);
        }
        let own = own_alert("InputSetAside", &format!("input {hash} stopped the daemon twice and was set aside"), &[]);
        self.step(state, world, Event::Alerts { inputs: vec![own], refused: Vec::new() }, now);
        why
    }
}
