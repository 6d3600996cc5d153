//! The virtual clock of one test: steps in the order of time, every due timer at its own instant between them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use super::coverage::{self, RuleRef};
use super::{compare, trace};
use crate::cmdb::Cmdb;
use crate::command::IncidentVerb;
use crate::event::{Action as Order, Command as Commanded, Event, Obeyed, Reply, Settings, Taken, World};
use crate::fact::Fact;
use crate::forecast::{self, Window};
use crate::ids::{AlertId, IncidentId, Realm, StoreId};
use crate::input::{AlertInput, Refused};
use crate::limits;
use crate::model::capacity::{Answer, Measured, Said};
use crate::model::incident::Incident;
use crate::model::message::{self, Message};
use crate::policy::Policy;
use crate::policy::capacity::TestQuery;
use crate::policy::tests::{Action, Do, Expect, Ordered, Post, RuleTest, Step, TestAlert};
use crate::sight;
use crate::state::{State, fingerprint};
use crate::step::{self, Outcome};
use crate::text::{Labels, one_line};
use crate::time::{Span, Time};

/// Where mails go that reach nobody: the words of the configuration, whatever stands there.
const LAST_RESORT: &str = "[mail] to";

/// What a test came to.
pub(super) struct Ran {
    /// Bytes in the file, the moment after the start, and what was wrong.
    pub(super) failures: Vec<(Range<usize>, Span, String)>,
    pub(super) trace: Vec<String>,
    pub(super) touched: BTreeSet<RuleRef>,
}

impl Ran {
    /// A test that could not begin.
    pub(super) fn refused(test: &RuleTest, fault: String) -> Ran {
        Ran { failures: vec![(test.span.clone(), Span::ZERO, fault)], trace: Vec::new(), touched: BTreeSet::new() }
    }
}

/// Runs a test from its first step to its last; one that fails does not end it.
pub(super) fn run(policy: &Arc<Policy>, cmdb: Arc<Cmdb>, test: &RuleTest) -> Ran {
    let settings = Arc::new(Settings { last_resort: vec![LAST_RESORT.to_owned()] });
    let mut bench = Bench {
        world: World { policy: Arc::clone(policy), cmdb, settings },
        // Always the same store: what a test gives is the same everywhere.
        state: State::new(StoreId { high: 0, low: 0 }),
        now: test.start,
        mails: Vec::new(),
        heard: 0,
        known: BTreeSet::new(),
        touched: BTreeSet::new(),
    };
    let mut failures = Vec::new();
    let mut moments: Vec<(Span, usize)> =
        test.steps.iter().enumerate().flat_map(|(at, step)| step.at.iter().map(move |when| (*when, at))).collect();
    moments.sort_unstable();
    bench.happen(Event::World(bench.world.clone()));
    for (after, at) in moments {
        let Some(step) = test.steps.get(at) else { continue };
        let came = bench.run_until(test.start + after);
        failures.extend(came.err().map(|text| (step.span.clone(), after, text)));
        match &step.action {
            Action::Expect(expected) => {
                failures.extend(bench.expect(expected).into_iter().map(|(span, text)| (span, after, text)));
            }
            Action::Fire(alert) => fail(&mut failures, step, after, bench.fire(alert)),
            Action::Clear(alert) => fail(&mut failures, step, after, bench.clear(alert)),
            Action::Post(post) => fail(&mut failures, step, after, bench.post(post)),
            Action::Do(order) => fail(&mut failures, step, after, bench.obey(order)),
            Action::Query(query) => fail(&mut failures, step, after, bench.answer(query)),
        }
    }
    let trace = if failures.is_empty() { Vec::new() } else { trace::lines(&bench.state, &bench.world, &bench.mails, test.start) };
    Ran { failures, trace, touched: bench.touched }
}

/// Bytes in the file, and what was wrong there.
type Failed = (Range<usize>, String);

fn fail(failures: &mut Vec<(Range<usize>, Span, String)>, step: &Step, after: Span, done: Result<(), String>) {
    failures.extend(done.err().map(|text| (step.span.clone(), after, text)));
}

struct Bench {
    world: World,
    state: State,
    now: Time,
    /// Every mail planned so far.
    mails: Vec<Message>,
    /// How many of them an expectation has looked at.
    heard: usize,
    /// Identities that ever fired.
    known: BTreeSet<u64>,
    touched: BTreeSet<RuleRef>,
}

impl Bench {
    /// Lets the clock run on, and fires each timer at its instant.
    fn run_until(&mut self, until: Time) -> Result<(), String> {
        let mut rounds = 0;
        while let Some(due) = self.state.next_due().filter(|due| *due <= until) {
            rounds = if due > self.now { 0 } else { rounds + 1 };
            if rounds > limits::TRIAL_ROUNDS_MAX {
                return Err(format!("the clock does not get on: {} rounds of timers at one instant", limits::TRIAL_ROUNDS_MAX));
            }
            self.now = self.now.max(due);
            let mut out = Outcome::default();
            self.state.begin_batch(self.now, &mut out.touched);
            step::due(&mut self.state, &self.world, self.now, &mut out);
            step::finish(&mut self.state, &self.world, self.now, &mut out);
            self.note(out);
        }
        self.now = self.now.max(until);
        Ok(())
    }

    fn happen(&mut self, event: Event) -> Option<Reply> {
        let mut out = Outcome::default();
        self.state.begin_batch(self.now, &mut out.touched);
        step::step(&mut self.state, &self.world, event, self.now, &mut out);
        step::finish(&mut self.state, &self.world, self.now, &mut out);
        self.note(out)
    }

    /// What was left over of a batch goes on being visible: nothing of the past is dropped in a test.
    fn note(&mut self, out: Outcome) -> Option<Reply> {
        coverage::touch(&mut self.touched, &self.state, &self.world, &out.facts, self.now);
        for fact in out.facts {
            if let Fact::Message(message::Fact::Planned { message }) = fact {
                self.mails.push(*message);
            }
        }
        out.reply
    }

    fn fire(&mut self, alert: &TestAlert) -> Result<(), String> {
        let input = AlertInput { ends_at: Some(Time::NEVER), ..self.input(alert)? };
        self.hear(vec![input])
    }

    fn clear(&mut self, alert: &TestAlert) -> Result<(), String> {
        let input = AlertInput { ends_at: Some(self.now), resolved: true, ..self.input(alert)? };
        if self.known.contains(&fingerprint(self.state.counters.store, &input)) {
            self.hear(vec![input])
        } else {
            Err(self.never_fired(alert))
        }
    }

    fn expect(&mut self, expected: &Expect) -> Vec<Failed> {
        let since = self.heard;
        if expected.mails.is_some() {
            self.heard = self.mails.len();
        }
        compare::check(&self.state, &self.world, &self.mails[since..], expected, self.now)
    }

    fn input(&self, alert: &TestAlert) -> Result<AlertInput, String> {
        let mut labels: Vec<(String, String)> = alert.labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        if !alert.labels.has("alertname") {
            labels.push(("alertname".to_owned(), alert.name.clone()));
        }
        let input = AlertInput {
            key: alert.key.clone(),
            severity: self.world.policy.severities.of(&alert.severity),
            summary: alert.summary.clone(),
            labels: Labels::new(labels),
            annotations: alert.annotations.clone(),
            url: alert.url.clone(),
            value: alert.value.clone(),
            ..AlertInput::named(&alert.source, &alert.name)
        };
        input.bounded().map_err(|refused| format!("the alert is refused: {refused}"))
    }

    fn hear(&mut self, inputs: Vec<AlertInput>) -> Result<(), String> {
        let store = self.state.counters.store;
        self.known.extend(inputs.iter().map(|input| fingerprint(store, input)));
        let Some(Reply::Taken(taken)) = self.happen(Event::Alerts { inputs, refused: Vec::new() }) else { return Ok(()) };
        let refused = taken.into_iter().find_map(|one| match one {
            Taken::Refused(refused) => Some(refused),
            Taken::Alert(_) | Taken::Over => None,
        });
        refused.map_or(Ok(()), |refused| Err(format!("the alert is refused: {refused}")))
    }

    fn never_fired(&self, alert: &TestAlert) -> String {
        let mut text = format!("no alert {} with these labels, source and key ever fired", one_line(&alert.name));
        for cell in self.state.alerts().filter(|cell| cell.alert.name == alert.name).take(limits::TRACE_NAMED_MAX) {
            let labels: Vec<String> = cell.alert.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
            text.push_str(&format!("\nit fires from {} with {}", self.state.source(cell.alert.source), one_line(&labels.join(", "))));
        }
        text
    }

    fn post(&mut self, post: &Post) -> Result<(), String> {
        let policy = Arc::clone(&self.world.policy);
        let Some(format) = policy.formats.get(&post.format) else {
            let known: Vec<&str> = policy.formats.names().collect();
            let known = if known.is_empty() { "the rules have none".to_owned() } else { format!("known are {}", known.join(", ")) };
            return Err(format!(
                "unknown format `{}`: {known}; what the daemon reads by itself is tried with `fire`",
                one_line(&post.format)
            ));
        };
        self.touched.insert(RuleRef::new("formats", &post.format));
        let mapped = format.map(&Realm::MAIN, &post.webhook, &post.body, &BTreeMap::new());
        let members = mapped.map_err(|refused| format!("the body is refused: {refused}"))?;
        let mut refused: Vec<Refused> = Vec::new();
        let inputs = members.into_iter().filter_map(|member| member.map_err(|fault| refused.push(fault)).ok()).collect();
        let heard = self.hear(inputs);
        let lines: Vec<String> = refused.iter().map(|fault| format!("a member of the body is refused: {fault}")).collect();
        if lines.is_empty() { heard } else { Err(lines.join("\n")) }
    }

    /// A capacity rule is answered with what its server would have measured: points at its own distance, on straight lines between those given.
    fn answer(&mut self, query: &TestQuery) -> Result<(), String> {
        let policy = Arc::clone(&self.world.policy);
        let Some(rule) = policy.capacity.iter().find(|rule| rule.name == query.rule.value) else {
            let known: Vec<&str> = policy.capacity.iter().map(|rule| rule.name.as_str()).collect();
            let known = if known.is_empty() { "the rules have none".to_owned() } else { format!("known are {}", known.join(", ")) };
            return Err(format!("unknown capacity rule `{}`: {known}", one_line(&query.rule.value)));
        };
        let window = Window { now: self.now, history: rule.history, side: rule.side };
        let series = query
            .series
            .iter()
            .map(|(labels, knots)| Measured { labels: labels.clone(), trend: forecast::fit(&forecast::between(knots, window), window) });
        let said = Said::Series { series: series.collect(), left_out: 0 };
        self.happen(Event::Forecast(Answer { rule: rule.name.clone(), query: rule.query.clone(), said }));
        Ok(())
    }

    fn obey(&mut self, order: &Do) -> Result<(), String> {
        let target = order.target.value.as_str();
        let command = match &order.command {
            Ordered::Detach => return self.detach(target, &order.actor),
            Ordered::Incident(command) => command,
        };
        let id = self.incident(target, command.verb())?;
        let action = Order::of_incident(id, command.clone(), self.now).map_err(|refused| refused.to_string())?;
        self.command(&order.actor, action)
    }

    fn command(&mut self, actor: &str, action: Order) -> Result<(), String> {
        let word = action.word();
        match self.happen(Event::Command(Commanded { actor: actor.to_owned(), expected: None, action })) {
            Some(Reply::Obeyed(Obeyed::NotFound { id })) => Err(format!("`{word}` finds no {id}")),
            Some(Reply::Obeyed(Obeyed::NotAllowed { state, allowed })) => {
                Err(format!("`{word}` is refused: the incident is {state}, which allows {}", allowed.join(", ")))
            }
            Some(Reply::Obeyed(Obeyed::Invalid(refused))) => Err(format!("`{word}` is refused: {refused}")),
            Some(Reply::Obeyed(Obeyed::Done { .. } | Obeyed::Stale { .. }) | Reply::Taken(_) | Reply::Adopted) | None => Ok(()),
        }
    }

    /// The incident a command means: by id, or the newest of that item, an open one where the command is for such.
    fn incident(&self, target: &str, verb: IncidentVerb) -> Result<IncidentId, String> {
        if let Ok(id) = target.parse::<IncidentId>() {
            return Ok(id);
        }
        let on_item =
            |incident: &&Incident| incident.parent.is_none() && compare::is_item(&self.world, &incident.ci, &incident.item, target);
        let wants_resolved = matches!(verb, IncidentVerb::Reopen | IncidentVerb::Close);
        let found =
            self.state.incidents.values().filter(on_item).max_by_key(|incident| (incident.is_open() != wants_resolved, incident.id));
        found.map(|incident| incident.id).ok_or_else(|| {
            let lines: Vec<String> = self.state.incidents.values().map(compare::incident_in_a_line).collect();
            let there = if lines.is_empty() { "there is none".to_owned() } else { format!("there are\n{}", lines.join("\n")) };
            format!("no incident on {}; {there}", one_line(target))
        })
    }

    fn detach(&mut self, target: &str, actor: &str) -> Result<(), String> {
        let here = |cell: &&crate::state::AlertCell| {
            let alert = &cell.alert;
            alert.is_active() && compare::is_item(&self.world, &alert.ci, sight::item_name(&self.world, &alert.ci), target)
        };
        let found: Vec<(IncidentId, AlertId)> =
            self.state.alerts().filter(here).filter_map(|cell| Some((cell.alert.incident?, cell.alert.id))).collect();
        if found.is_empty() {
            return Err(format!("no alert of {} is in an incident", one_line(target)));
        }
        found.into_iter().try_for_each(|(id, alert)| self.command(actor, Order::Detach { id, alert }))
    }
}
