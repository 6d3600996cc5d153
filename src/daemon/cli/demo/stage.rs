//! The daemon of the demo: the real store, writer and mail workers, a clock that is moved by hand, and no doors.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;
use watchkeeper_engine::cmdb::Cmdb;
use watchkeeper_engine::effect::Effect;
use watchkeeper_engine::event::{Action, Command, Event, Obeyed, World};
use watchkeeper_engine::forecast::{self, Window};
use watchkeeper_engine::ids::{IncidentId, MessageId};
use watchkeeper_engine::input::AlertInput;
use watchkeeper_engine::model::capacity::{Answer, Measured, Said};
use watchkeeper_engine::model::incident::Incident;
use watchkeeper_engine::model::message::Message;
use watchkeeper_engine::state::State;
use watchkeeper_engine::text::Labels;
use watchkeeper_engine::time::{Span, Time};
use watchkeeper_engine::words::{IncidentState, Reason, Relation};
use watchkeeper_store::{Options, Store};

use crate::app::{self, Failure};
use crate::assembly::{self, Beginning, Shared, Threads};
use crate::clock::{Clock, ManualClock};
use crate::config::{Config, Transport as Way};
use crate::hook::Hooks;
use crate::mail::{FileTransport, MailSettings, Transport};
use crate::work::{self, OutboxWork, Questions};
use crate::world::{self, Confirmed, Frame, Sources, on_deep_stack};
use crate::writer::{Alerts, Full, Lane, Suspects};

/// How long an incident is watched before it is said that nobody is told of it yet: longer than `group_wait`.
const UNTOLD_AFTER: Span = Span::minutes(2);
/// Between two looks at whether the workers are done.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Everything of the demo that runs.
pub(super) struct Stage {
    clock: Arc<ManualClock>,
    now: Time,
    shared: Shared,
    threads: Threads,
    runtime: tokio::runtime::Runtime,
    planned: UnboundedReceiver<Effect>,
    workers: UnboundedSender<Effect>,
    cmdb: Arc<Cmdb>,
    told: Vec<Told>,
    shown: BTreeMap<IncidentId, Shown>,
    pending: Vec<News>,
}

/// A mail of the day.
#[derive(Debug, Clone)]
pub(super) struct Told {
    id: MessageId,
    incident: Option<IncidentId>,
    /// Why it was sent.
    pub(super) reason: Reason,
    /// To whom.
    pub(super) to: String,
    /// Its subject.
    pub(super) subject: String,
    /// Its file in the folder of mails.
    pub(super) file: String,
}

/// What a watcher is told.
#[derive(Debug, Clone)]
pub(super) enum News {
    /// About an incident.
    Incident {
        /// When.
        at: Time,
        /// Which.
        id: IncidentId,
        /// What.
        what: String,
    },
    /// A mail left.
    Mail {
        /// When.
        at: Time,
        /// Which.
        told: Told,
    },
}

/// What was last said of an incident.
struct Shown {
    state: IncidentState,
    reopened: u32,
}

impl Stage {
    /// Creates the store that `config` names, and starts on the files beside it at `now`.
    ///
    /// # Errors
    /// As a daemon's start.
    pub(super) fn open(config: &Path, now: Time) -> Result<Stage, Failure> {
        let (config, config_file) = app::configuration(config)?;
        let config = Arc::new(config);
        let clock = Arc::new(ManualClock::new(now));
        let store = Store::init(&config.store.dir, now, Options::default()).map_err(app::of_store)?;
        let sources = Sources::read(&config.files, &Sources::default(), Confirmed::Yes);
        let frame = Frame { config: Arc::clone(&config), config_file: Arc::new(config_file) };
        let nothing = Arc::new(Cmdb::default());
        let built = on_deep_stack(|| world::build(&frame, &nothing, sources)).map_err(|findings| app::faulty(&findings))?;

        let key = store.link_key().map_err(app::of_store)?;
        let settings = MailSettings::new(&config.mail.from, &config.server.external_url, store.id(), key)
            .map_err(|bad| Failure { code: 78, text: format!("[mail] from: {bad}") })?;
        let Way::File { dir } = &config.mail.transport else {
            return Err(Failure { code: 70, text: "the demo's mails are files".to_owned() });
        };
        let transport = FileTransport::new(dir).map_err(|error| Failure { code: 74, text: error.to_string() })?;
        let beginning = Beginning {
            suspects: Suspects::load(&config.store.dir).map_err(app::of_store)?,
            config,
            clock: Arc::<ManualClock>::clone(&clock) as Arc<dyn Clock>,
            store,
            world: World { cmdb: nothing, ..built.world.clone() },
            templates: Arc::clone(&built.templates),
            failed: |_, _| {},
        };
        let (shared, running, planned) =
            assembly::start(beginning).map_err(|error| Failure { code: 70, text: format!("failed to {error}") })?;
        let runtime = tokio::runtime::Runtime::new().map_err(|error| Failure { code: 70, text: format!("no runtime: {error}") })?;
        let (workers, effects) = unbounded_channel();
        let hooks = Hooks::new(&[]).map_err(|error| Failure { code: 70, text: format!("failed to {error}") })?;
        let mail = OutboxWork {
            writer: shared.writer.clone(),
            current: shared.current.clone(),
            settings: Arc::new(settings),
            transport: Transport::File(transport),
            hooks: Arc::new(hooks),
            health: Arc::clone(&shared.health),
            metrics: Arc::clone(&shared.metrics),
            stop: CancellationToken::new(),
        };
        // A day without a Prometheus: nobody takes its questions.
        runtime.spawn(work::start(mail, Questions::default(), effects));
        let adopted = shared.writer.adopt(world::adoption(&built, &Cmdb::default())).map_err(of_writer)?;
        adopted.blocking_recv().map_err(|_| of_writer(Full::Stopping))?;
        Ok(Stage {
            clock,
            now,
            shared,
            threads: running.threads,
            runtime,
            planned,
            workers,
            cmdb: built.world.cmdb,
            told: Vec::new(),
            shown: BTreeMap::new(),
            pending: Vec::new(),
        })
    }

    /// What the hand-moved clock shows.
    pub(super) fn now(&self) -> Time {
        self.now
    }

    /// Waits for something that is not the demo's own.
    pub(super) fn wait_for<T>(&self, other: impl Future<Output = T>) -> T {
        self.runtime.block_on(other)
    }

    /// What reads topics into this stage.
    pub(super) fn reads(&self, config: Arc<Config>) -> Shared {
        Shared { config, ..self.shared.clone() }
    }

    /// Items in the CMDB.
    pub(super) fn items(&self) -> usize {
        self.cmdb.inventory().items.len()
    }

    /// The hosts that depend on an item, in the order of the CMDB's files.
    pub(super) fn hosts_behind(&self, id: &str) -> Vec<String> {
        let depends = |edge: &watchkeeper_engine::cmdb::Edge| edge.relation == Relation::DependsOn && edge.to == id;
        let hosts = self.cmdb.inventory().items.values().filter(|item| item.class == "host" && item.relations.iter().any(depends));
        hosts.map(|item| item.id.clone()).collect()
    }

    /// Every mail so far.
    pub(super) fn told(&self) -> &[Told] {
        &self.told
    }

    /// The incidents that live, oldest first.
    ///
    /// # Errors
    /// The store failed.
    pub(super) fn incidents(&self) -> Result<Vec<Incident>, Failure> {
        self.ask(|state| state.incidents.values().cloned().collect())
    }

    /// Monitoring says something.
    ///
    /// # Errors
    /// The store failed.
    pub(super) fn hear(&mut self, inputs: Vec<AlertInput>) -> Result<(), Failure> {
        let told = self.shared.writer.submit(Lane::Webhooks, Alerts { inputs, refused: Vec::new() }).map_err(of_writer)?;
        self.runtime.block_on(told).map_err(|_| of_writer(Full::Stopping))?;
        self.settle()
    }

    /// A Prometheus answers a capacity rule: the fill of one instance's disk by days, straight between them.
    ///
    /// # Errors
    /// The store failed, or the rules have no such rule.
    pub(super) fn measure(&mut self, rule: &str, instance: &str, knots: &[(i64, f64)]) -> Result<(), Failure> {
        let world = self.shared.current.world();
        let Some(known) = world.policy.capacity.iter().find(|known| known.name == rule) else {
            return Err(Failure { code: 70, text: format!("the rules have no capacity rule {rule}") });
        };
        let window = Window { now: self.now, history: known.history, side: known.side };
        let knots: Vec<(Span, f64)> = knots.iter().map(|(day, value)| (Span(day * Span::days(1).0), *value)).collect();
        let labels = Labels::from([("instance", instance), ("mountpoint", "/var")]);
        let trend = forecast::fit(&forecast::between(&knots, window), window);
        let said = Said::Series { series: vec![Measured { labels, trend }], left_out: 0 };
        let answer = Answer { rule: known.name.clone(), query: known.query.clone(), said };
        self.runtime.block_on(self.shared.writer.report(Event::Forecast(answer))).map_err(of_writer)?;
        self.settle()
    }

    /// Somebody does something.
    ///
    /// # Errors
    /// The store failed, or the day's script is at odds with the rules.
    pub(super) fn command(&mut self, actor: &str, action: Action) -> Result<(), Failure> {
        let what = action.word();
        let command = Command { actor: actor.to_owned(), expected: None, action };
        let told = self.shared.writer.submit(Lane::Operators, command).map_err(of_writer)?;
        let reply = self.runtime.block_on(told).map_err(|_| of_writer(Full::Stopping))?;
        if !matches!(reply, Obeyed::Done { .. }) {
            return Err(Failure { code: 70, text: format!("{what} was answered {reply:?}") });
        }
        self.settle()
    }

    /// Lets time pass until `when`, timer by timer, and returns what happened meanwhile.
    ///
    /// # Errors
    /// The store failed.
    pub(super) fn run_until(&mut self, when: Time) -> Result<Vec<News>, Failure> {
        while self.now < when {
            let due = self.ask(State::next_due)?.unwrap_or(when);
            let next = due.clamp(self.now + Span(1), when);
            self.clock.advance(next - self.now);
            self.now = next;
            self.shared.writer.wake();
            self.settle()?;
        }
        self.news()
    }

    /// What happened since the last look.
    ///
    /// # Errors
    /// The store failed.
    pub(super) fn news(&mut self) -> Result<Vec<News>, Failure> {
        Ok(std::mem::take(&mut self.pending))
    }

    /// Stops as a daemon does: what waits is committed, the store is closed.
    ///
    /// # Errors
    /// The store failed.
    pub(super) fn close(self) -> Result<(), Failure> {
        self.shared.writer.stop();
        drop(self.workers);
        let written = self.threads.join().map_err(|_| Failure { code: 70, text: "the writer panicked".to_owned() })?;
        written.map_err(app::of_store)
    }

    /// Waits until the workers have nothing left to do at this moment, and notes what there is to tell.
    pub(super) fn settle(&mut self) -> Result<(), Failure> {
        loop {
            let wanted: Vec<Effect> = std::iter::from_fn(|| self.planned.try_recv().ok()).collect();
            let unfinished = self.ask(move |state| {
                let asked = |effect: &Effect| if let Effect::Render(message) = effect { state.messages.get(&message.id) } else { None };
                let planned: Vec<Told> = wanted.iter().filter_map(asked).map(Told::of).collect();
                let unfinished = state
                    .messages
                    .values()
                    .filter(|message| message.sending.done_at.is_none() && message.sending.retry_at.is_none())
                    .count();
                (wanted, planned, unfinished)
            })?;
            let (wanted, planned, unfinished) = unfinished;
            self.note(planned)?;
            for effect in wanted {
                // The workers run until this sender is dropped.
                self.workers.send(effect).ok();
            }
            if unfinished == 0 {
                return Ok(());
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    fn note(&mut self, planned: Vec<Told>) -> Result<(), Failure> {
        let (at, incidents) = (self.now, self.incidents()?);
        for incident in incidents.iter().filter(|incident| incident.parent.is_none()) {
            let first_mail = planned.iter().any(|told| told.incident == Some(incident.id));
            let long_untold = at - incident.opened_at >= UNTOLD_AFTER;
            let what = match self.shown.get(&incident.id) {
                None if first_mail => opened(incident),
                None if long_untold => format!("{}; nobody is woken", opened(incident).replacen("opened", "is open as", 1)),
                None => continue,
                Some(shown) if incident.reopened > shown.reopened => "reopened".to_owned(),
                Some(shown) if incident.state != shown.state => changed(incident),
                Some(_) => continue,
            };
            self.shown.insert(incident.id, Shown { state: incident.state, reopened: incident.reopened });
            self.pending.push(News::Incident { at, id: incident.id, what });
        }
        for told in planned {
            if !self.told.iter().any(|known| known.id == told.id) {
                self.told.push(told.clone());
                self.pending.push(News::Mail { at, told });
            }
        }
        Ok(())
    }

    /// Reads something from memory.
    pub(super) fn ask<T: Send + 'static>(&self, question: impl FnOnce(&State) -> T + Send + 'static) -> Result<T, Failure> {
        self.runtime.block_on(self.shared.writer.ask(|state, _, _| question(state))).map_err(of_writer)
    }
}

impl Told {
    fn of(message: &Message) -> Told {
        Told {
            id: message.id,
            incident: message.incident,
            reason: message.reason,
            to: message.to.clone(),
            subject: message.subject.clone(),
            file: FileTransport::file_name(message),
        }
    }
}

fn opened(incident: &Incident) -> String {
    let affected: Vec<String> = incident.services.iter().map(|hit| format!("{} {}", hit.id, hit.health)).collect();
    let affects = if affected.is_empty() { String::new() } else { format!("; affects {}", affected.join(", ")) };
    let symptoms = match incident.alert_count {
        0 | 1 => String::new(),
        count => format!(", {count} alerts"),
    };
    let before = incident.recurrence_of.map_or_else(String::new, |id| format!("; it happened before: {id}"));
    format!("opened {}: {}{symptoms}{affects}{before}", incident.priority, incident.title)
}

fn changed(incident: &Incident) -> String {
    match incident.state {
        IncidentState::Acknowledged => format!("acknowledged by {}", incident.assignee),
        IncidentState::Resolved => "resolved: everything in it cleared and stayed quiet".to_owned(),
        IncidentState::New | IncidentState::InProgress | IncidentState::OnHold | IncidentState::Closed => {
            incident.state.word().replace('_', " ")
        }
    }
}

fn of_writer(full: Full) -> Failure {
    Failure { code: 70, text: format!("the writer does not take it: {full}") }
}
