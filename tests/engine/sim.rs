//! A small world over the engine for scenarios: a State, rules and a CMDB from YAML, a virtual clock, and what must hold after every batch.
//!
//! Every batch goes into a real store on a disk in memory, and a restart loads from it; at its end each scenario is loaded once more, and must be the same.
//! A follower only ever applies the facts of the batches, over restarts too: at every end it has the same rows and timers, and without a restart the same State.
//! After every batch: what was saved loads to the same State, the follower's rows are the same, every index is what all alerts looked at one by one say, an alert
//! has at most one place, and no person hears twice that an incident opened.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use watchkeeper_engine::block::{Block, Entry, FORMAT};
use watchkeeper_engine::cmdb::{Cmdb, Inventory, files};
use watchkeeper_engine::effect::Effect;
use watchkeeper_engine::event::{Action, Command, Event, Obeyed, Reply, Settings, Taken, World};
use watchkeeper_engine::fact::Fact;
use watchkeeper_engine::ids::{AlertId, IncidentId, MessageId, StoreId};
use watchkeeper_engine::input::AlertInput;
use watchkeeper_engine::model::cursor::Work;
use watchkeeper_engine::model::incident::{self, Incident};
use watchkeeper_engine::model::message::{self, Message};
use watchkeeper_engine::policy::{self, Policy};
use watchkeeper_engine::source::SourceFile;
use watchkeeper_engine::state::rows::{self, AlertRow, Load, Row, decode, encode};
use watchkeeper_engine::state::{State, Timer};
use watchkeeper_engine::step::{self, Outcome};
use watchkeeper_engine::text::Labels;
use watchkeeper_engine::time::{Span, Time};
use watchkeeper_engine::words::{AlertState, IncidentState, JobKind, ProblemState, Reason, Role, Severity};

use watchkeeper_store::{Commit, RowChange, Store, Table};

use crate::disk::Disk;
use crate::golden;
use crate::recount;

/// The store of every scenario.
pub(crate) const STORE: StoreId = StoreId { high: 0x5eed, low: 0x51a };

/// Whoever hears what reaches nobody.
pub(crate) const LAST_RESORT: &str = "ops@example.org";

/// When every scenario begins: a Tuesday, 10:00 in Berlin.
pub(crate) fn start() -> Time {
    t("2026-03-24T10:00:00+01:00")
}

/// A literal instant.
pub(crate) fn t(text: &str) -> Time {
    Time::parse_rfc3339(text).unwrap()
}

/// A literal duration.
pub(crate) fn d(text: &str) -> Span {
    Span::parse(text).unwrap()
}

/// How often the dear invariants are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Care {
    /// After every batch.
    Always,
    /// Only where the scenario asks: for those that run a hundred times.
    WhenAsked,
    /// Not even the cheap ones: while a defect is played.
    Never,
}

/// One scenario's world.
pub(crate) struct Sim {
    pub(crate) state: State,
    pub(crate) world: World,
    pub(crate) now: Time,
    /// Every mail planned so far.
    pub(crate) all_mails: Vec<Message>,
    /// Every fact so far.
    pub(crate) facts: Vec<Fact>,
    /// What was asked of the world since this was last taken.
    pub(crate) effects: Vec<Effect>,
    pub(crate) care: Care,
    heard: usize,
    rows: BTreeMap<Row, Vec<u8>>,
    pages: BTreeMap<u32, Vec<u8>>,
    blocks: Vec<Block>,
    follower: State,
    restarted: bool,
    disk: Disk,
    store: Option<Store>,
}

/// An alert of that name on that instance that fires until it is cleared.
pub(crate) fn alert(name: &str, instance: &str) -> AlertInput {
    AlertInput {
        severity: Severity::Critical,
        labels: Labels::from([("alertname", name), ("instance", instance)]),
        ends_at: Some(Time::NEVER),
        ..AlertInput::named("prom", name)
    }
}

/// The same with another severity.
pub(crate) fn as_severity(severity: Severity, input: AlertInput) -> AlertInput {
    AlertInput { severity, ..input }
}

/// Rules of one file.
pub(crate) fn policy(rules: &str) -> Arc<Policy> {
    let loaded = policy::load(&[SourceFile::new("rules.yaml", rules)]).unwrap_or_else(|faults| panic!("{faults:#?}"));
    Arc::new(loaded.policy)
}

/// A CMDB of one file over the numbers of another.
pub(crate) fn cmdb(text: &str, base: &Inventory, version: u64) -> Arc<Cmdb> {
    let files = [SourceFile::new("cmdb.yaml", text)];
    let (inventory, _) = files::read(&files, base).unwrap_or_else(|faults| panic!("{faults:#?}"));
    Arc::new(Cmdb::build(inventory, version))
}

impl Sim {
    /// A fresh store under these rules and this CMDB.
    pub(crate) fn new(rules: &str, items: &str) -> Sim {
        let settings = Arc::new(Settings { last_resort: vec![LAST_RESORT.to_owned()] });
        let world = World { policy: policy(rules), cmdb: cmdb(items, &Inventory::default(), 1), settings };
        let mut sim = Sim {
            state: State::new(STORE),
            world,
            now: start(),
            all_mails: Vec::new(),
            facts: Vec::new(),
            effects: Vec::new(),
            care: Care::Always,
            heard: 0,
            rows: BTreeMap::new(),
            pages: BTreeMap::new(),
            blocks: Vec::new(),
            follower: State::new(STORE),
            restarted: false,
            disk: Disk::default(),
            store: None,
        };
        Store::format(&sim.disk.database().unwrap(), STORE, start()).unwrap();
        sim.open_store();
        let world = sim.world.clone();
        sim.event(Event::World(world));
        sim
    }

    /// The same, for what runs a hundred times: the dear invariants are looked at by [`Sim::check`] only.
    pub(crate) fn quick(rules: &str, items: &str) -> Sim {
        let mut sim = Sim::new(rules, items);
        sim.care = Care::WhenAsked;
        sim
    }

    /// One event in a batch of its own, at the present instant.
    pub(crate) fn event(&mut self, event: Event) -> Option<Reply> {
        let mut out = Outcome::default();
        self.state.begin_batch(self.now, &mut out.touched);
        step::step(&mut self.state, &self.world, event, self.now, &mut out);
        step::finish(&mut self.state, &self.world, self.now, &mut out);
        self.commit(out)
    }

    /// Alerts of one request.
    pub(crate) fn send(&mut self, inputs: Vec<AlertInput>) -> Vec<Taken> {
        let inputs = inputs.into_iter().map(|input| input.bounded().unwrap()).collect();
        match self.event(Event::Alerts { inputs, refused: Vec::new() }) {
            Some(Reply::Taken(taken)) => taken,
            other => panic!("{other:?}"),
        }
    }

    /// One alert fires.
    pub(crate) fn fire(&mut self, input: AlertInput) -> AlertId {
        match self.send(vec![input])[..] {
            [Taken::Alert(id)] => id,
            ref other => panic!("{other:?}"),
        }
    }

    /// One alert clears.
    pub(crate) fn clear(&mut self, input: AlertInput) {
        let now = self.now;
        self.send(vec![AlertInput { resolved: true, ends_at: Some(now), starts_at: None, ..input }]);
    }

    /// An operator, anna, does something.
    pub(crate) fn command(&mut self, action: Action) -> Obeyed {
        match self.event(Event::Command(Command { actor: "anna".to_owned(), expected: None, action })) {
            Some(Reply::Obeyed(obeyed)) => obeyed,
            other => panic!("{other:?}"),
        }
    }

    /// The clock runs on by so much, timers at their own instants.
    pub(crate) fn run(&mut self, span: &str) {
        self.run_until(self.now + d(span));
    }

    /// The clock runs on to an instant.
    pub(crate) fn run_until(&mut self, until: Time) {
        let mut rounds = 0;
        while let Some(due) = self.state.next_due().filter(|due| *due <= until) {
            rounds = if due > self.now { 0 } else { rounds + 1 };
            assert!(rounds < 10_000, "the clock does not get on at {}", self.now);
            self.now = self.now.max(due);
            self.due();
        }
        self.now = self.now.max(until);
    }

    /// One batch of what is due at the present instant.
    pub(crate) fn due(&mut self) {
        let mut out = Outcome::default();
        self.state.begin_batch(self.now, &mut out.touched);
        step::due(&mut self.state, &self.world, self.now, &mut out);
        step::finish(&mut self.state, &self.world, self.now, &mut out);
        self.commit(out);
    }

    /// The clock stands at an instant; the first timer that is due then stopped the daemon twice and is passed over.
    pub(crate) fn pass_over_at(&mut self, instant: &str, timer: &str) {
        self.run_until(Time(t(instant).0 - 1));
        self.now = t(instant);
        assert_eq!(step::first_due(&self.state, self.now).as_deref(), Some(timer));
        let mut out = Outcome::default();
        self.state.begin_batch(self.now, &mut out.touched);
        step::pass_over(&mut self.state, &self.world, self.now, &mut out);
        step::finish(&mut self.state, &self.world, self.now, &mut out);
        self.commit(out);
    }

    /// Other rules and another CMDB come into force.
    pub(crate) fn reload(&mut self, rules: &str, items: &str) {
        let version = self.world.cmdb.version() + 1;
        let cmdb = cmdb(items, self.world.cmdb.inventory(), version);
        self.world = World { policy: policy(rules), cmdb, settings: Arc::clone(&self.world.settings) };
        let world = self.world.clone();
        self.event(Event::World(world));
    }

    /// The process ends, is down for a while, and starts from what was saved.
    pub(crate) fn restart(&mut self, down: &str) {
        self.restart_after(d(down));
    }

    /// The same for a span.
    pub(crate) fn restart_after(&mut self, down: Span) {
        self.follows();
        self.state = self.stored();
        self.restarted = true;
        self.now = self.now + down;
        self.event(Event::Started);
    }

    /// Mails since this was last asked.
    pub(crate) fn mails(&mut self) -> Vec<Message> {
        let since = std::mem::replace(&mut self.heard, self.all_mails.len());
        self.all_mails[since..].to_vec()
    }

    /// Mails since this was last asked, as `address reason`, in order of address.
    pub(crate) fn mail_words(&mut self) -> Vec<String> {
        let mut words: Vec<String> = self.mails().iter().map(|mail| format!("{} {}", mail.to, mail.reason)).collect();
        words.sort();
        words
    }

    /// A message that is done, as its row keeps it.
    pub(crate) fn past_message(&self, id: MessageId) -> Option<Message> {
        let message: Message = decode("past_messages", self.rows.get(&Row::PastMessage(id))?).unwrap();
        let sending = decode("past_sendings", &self.rows[&Row::PastSending(id)]).unwrap();
        Some(Message { sending, ..message })
    }

    /// Incidents in lists: neither closed nor a child.
    pub(crate) fn listed(&self) -> Vec<&Incident> {
        self.state.incidents.values().filter(|incident| incident.parent.is_none()).collect()
    }

    /// Incidents that are open and no child.
    pub(crate) fn open(&self) -> Vec<&Incident> {
        self.state.incidents.values().filter(|incident| incident.is_open()).collect()
    }

    /// The one open incident on an item.
    pub(crate) fn on(&self, item: &str) -> &Incident {
        let found: Vec<&Incident> = self.open().into_iter().filter(|incident| incident.item == item).collect();
        match found[..] {
            [one] => one,
            _ => panic!("not one open incident on {item}: {:#?}", self.said()),
        }
    }

    /// The items of an incident's symptoms that fire, in order, each once.
    pub(crate) fn symptoms(&self, id: IncidentId) -> Vec<String> {
        let symptoms = self.state.alerts_in(id).filter(|cell| cell.alert.role == Role::Symptom && cell.alert.is_active());
        let items: BTreeSet<String> = symptoms.map(|cell| self.item(cell.alert.id)).collect();
        items.into_iter().collect()
    }

    /// The item of an alert.
    pub(crate) fn item(&self, id: AlertId) -> String {
        watchkeeper_engine::sight::item_name(&self.world, &self.state.cell(id).unwrap().alert.ci).to_owned()
    }

    /// Every listed incident in a line, oldest first: what most scenarios look at.
    pub(crate) fn said(&self) -> Vec<String> {
        let line = |incident: &&Incident| {
            let symptoms = self.symptoms(incident.id);
            let with = if symptoms.is_empty() { String::new() } else { format!(" with {}", symptoms.join(" ")) };
            format!("{} {} {}{with}", incident.item, incident.state, incident.priority)
        };
        self.listed().iter().map(line).collect()
    }

    /// A defect of the engine is played: a fact that it would not have found. Until the scenario cares again, invariants are not looked at.
    pub(crate) fn forge(&mut self, fact: impl Into<Fact>) {
        self.care = Care::Never;
        let mut out = Outcome::default();
        self.state.begin_batch(self.now, &mut out.touched);
        let fact = fact.into();
        self.state.apply(&self.world.cmdb, &fact, self.now, &mut out.touched);
        out.facts.push(fact);
        self.commit(out);
    }

    fn commit(&mut self, out: Outcome) -> Option<Reply> {
        let seq = self.state.counters.seq;
        let mut touched = BTreeSet::new();
        self.follower.begin_batch(self.now, &mut touched);
        for fact in &out.facts {
            self.follower.apply(&self.world.cmdb, fact, self.now, &mut touched);
            if let Fact::Message(message::Fact::Planned { message }) = fact {
                self.all_mails.push((**message).clone());
            }
        }
        assert_eq!(touched, out.touched, "a replay touches other rows");
        let mut changes = Vec::new();
        for row in &out.touched {
            let bytes = self.state.row(row);
            assert_eq!(bytes, self.follower.row(row), "a replay gives another row {row:?}");
            let (table, key) = row.place();
            changes.push(RowChange { table: Table::of(table), key, value: bytes.clone() });
            match bytes {
                Some(bytes) => self.rows.insert(row.clone(), bytes),
                None => self.rows.remove(row),
            };
        }
        let store = self.store.as_mut().unwrap();
        let block = Block {
            format: FORMAT,
            seq,
            now: self.now,
            policy: self.world.policy.id.clone(),
            cmdb: self.world.cmdb.version(),
            before: store.head().hash,
            entries: vec![Entry { input: out.recorded, facts: out.facts.clone() }],
        };
        // Pages are written now and then, so that a start has to read blocks too.
        let mut pages = Vec::new();
        if seq.is_multiple_of(5) {
            for (page, _) in self.state.dirty_pages() {
                pages.push((page, self.state.vitals_page(page)));
                self.state.page_written(page);
                self.follower.page_written(page);
            }
        }
        self.pages.extend(pages.iter().cloned());
        let floor = self.state.floor();
        store.commit(Commit { seq, now: self.now, block: encode(&block), rows: changes, pages, floor }).unwrap();
        self.blocks.push(block);
        self.blocks.retain(|block| block.seq > floor);
        self.facts.extend(out.facts);
        for effect in &out.effects {
            if let Effect::Deliver(message) = effect {
                let id = &message.id;
                let first = self.state.messages.get(id).and_then(|message| self.state.unfinished_in(message.thread).next());
                assert_eq!(first.map(|first| first.id), Some(*id), "{id} is sent before what came before it in its thread");
            }
        }
        self.effects.extend(out.effects);
        if self.care != Care::Never {
            self.cheap_invariants();
        }
        self.state.settle();
        self.follower.settle();
        if self.care == Care::Always {
            self.check();
        }
        out.reply
    }

    /// Whoever applies the facts of every block, and nothing else, has the same memory and the same timers.
    fn follows(&self) {
        // A test with batches of its own has no blocks.
        if self.follower.counters.seq != self.state.counters.seq {
            return;
        }
        let timers = |state: &State| -> BTreeSet<_> { state.timers().collect() };
        let (own, others) = (timers(&self.state), timers(&self.follower));
        assert_eq!(
            own.symmetric_difference(&others).collect::<Vec<_>>(),
            [&(Time(0), Timer::Cursors); 0],
            "timers of which one knows alone"
        );
        for row in self.rows.keys().filter(|row| row.place().0 != rows::Table::Members) {
            assert_eq!(self.state.row(row), self.follower.row(row), "a follower has another row {row:?}");
        }
        // A start lays out memory anew: the past's members and free slots are gone from it.
        if self.restarted {
            return;
        }
        let said = |state: &State| {
            let mut state = state.clone();
            // What a batch may still do is nothing that is remembered.
            state.begin_batch(self.now, &mut BTreeSet::new());
            format!("{state:#?}")
        };
        let (own, others) = (said(&self.state), said(&self.follower));
        if let Some((own, others)) = own.lines().zip(others.lines()).find(|(own, others)| own != others) {
            panic!("State has {own}, and a follower {others}");
        }
    }

    /// The store as a start opens it.
    fn open_store(&mut self) {
        drop(self.store.take());
        self.store = Some(Store::attach(Path::new("on a disk in memory"), self.disk.database().unwrap()).unwrap());
    }

    /// What a start loads from the store, which is what rows, pages and blocks in memory give.
    fn stored(&mut self) -> State {
        self.open_store();
        let (state, _) = self.store.as_mut().unwrap().load_state(&self.world.cmdb).unwrap();
        let (stored, loaded) = (format!("{state:#?}"), format!("{:#?}", self.loaded()));
        if let Some((stored, loaded)) = stored.lines().zip(loaded.lines()).find(|(stored, loaded)| stored != loaded) {
            panic!("the store loads {stored}, and its rows in memory {loaded}");
        }
        state
    }

    /// What was saved, loaded from memory.
    fn loaded(&self) -> State {
        let mut state = State::new(STORE);
        for table in rows::Table::ALL.iter().filter(|table| table.load() != Load::Never) {
            for (row, bytes) in self.rows.iter().filter(|(row, _)| row.place().0 == *table) {
                state.load_row(*table, bytes).unwrap_or_else(|fault| panic!("{row:?}: {fault}"));
            }
        }
        for page in self.pages.values() {
            state.load_page(page).unwrap();
        }
        for block in &self.blocks {
            state.replay_seen(block);
        }
        state.finish_loading(&self.world.cmdb);
        state
    }

    /// What was saved loads to the same State: every row, the vitals, every index that can be asked.
    pub(crate) fn check(&self) {
        let loaded = self.loaded();
        let state = &self.state;
        assert_eq!(loaded.counters, state.counters);
        assert_eq!(loaded.system.sources(), state.system.sources());
        let cells =
            |state: &State| -> Vec<_> { state.alerts().map(|cell| (cell.alert.clone(), cell.vitals.clone(), cell.fingerprint)).collect() };
        assert_eq!(cells(&loaded), cells(state));
        for (row, bytes) in &self.rows {
            match row {
                // The past's members stay in their table and leave memory.
                Row::Member(incident, _) if !state.incidents.contains_key(incident) => {}
                // An alert's row holds what vitals were then; the alert in it is the present one, but for what a repeat said anew.
                Row::Alert(id) => {
                    let saved: AlertRow = decode("alerts", bytes).unwrap();
                    let live = &state.cell(*id).unwrap_or_else(|| panic!("{id} is saved and does not live")).alert;
                    assert_eq!(watchkeeper_engine::model::alert::Alert { said: live.said.clone(), ..saved.alert }, *live);
                }
                _ if *row == Row::Counters() || row.place().0.load() == Load::Never => {}
                _ => {
                    assert_eq!(loaded.row(row).as_ref(), Some(bytes), "{row:?} loads as another");
                    assert_eq!(state.row(row).as_ref(), Some(bytes), "{row:?} changed without being touched");
                }
            }
        }
        let counted = |state: &State| -> Vec<_> {
            let keys = state.problems.values().map(|problem| (problem.key.clone(), state.problem_of(&problem.key).map(|found| found.id)));
            keys.collect()
        };
        assert_eq!(counted(&loaded), counted(state), "problems by what they are of");
        recount::keys_of_the_past(&self.rows);
        let lives = |row: &Row| self.rows.contains_key(row);
        assert!(state.alerts().all(|cell| lives(&Row::Alert(cell.alert.id))));
        assert!(state.incidents.keys().all(|id| lives(&Row::Incident(*id))));
        assert!(state.problems.keys().all(|id| lives(&Row::Problem(*id))));
        assert!(state.problems.series().keys().all(|key| lives(&Row::Series(key.clone()))));
        assert!(state.incidents.members().keys().all(|(incident, alert)| lives(&Row::Member(*incident, *alert))));
        assert!(state.digests.keys().all(|(job, address)| lives(&Row::Digest(job.clone(), address.clone()))));
        assert!(state.cursors.keys().all(|id| lives(&Row::Cursor(*id))));
        assert!(state.jobs.keys().all(|(kind, name)| lives(&Row::Job(*kind, name.clone()))));
        assert!(state.capacity.checks().keys().all(|rule| lives(&Row::Check(rule.clone()))));
        assert!(state.capacity.forecasts().keys().all(|(rule, series)| lives(&Row::Forecast(rule.clone(), series.clone()))));
        // Every list that waits has a job that sends it.
        assert!(state.digests.keys().all(|(job, _)| state.jobs.contains_key(&(JobKind::Digest, job.clone()))));
        for ci in self.world.cmdb.items() {
            let on = |state: &State| -> Vec<AlertId> { state.alerts_of_every_realm_on(ci.no).map(|alert| alert.id).collect() };
            assert_eq!(on(&loaded), on(state), "alerts on {}", ci.id);
        }
        for realm in state.realms() {
            assert_eq!(loaded.health(realm), state.health(realm), "what is down in realm {realm}");
        }
        for incident in state.incidents.values() {
            let within = |state: &State| -> Vec<AlertId> { state.alerts_in(incident.id).map(|cell| cell.alert.id).collect() };
            assert_eq!(within(&loaded), within(state), "alerts in {}", incident.id);
            let alike = |state: &State| -> Vec<IncidentId> {
                state.incidents_with_group(&incident.realm, &incident.group).map(|other| other.id).collect()
            };
            assert_eq!(alike(&loaded), alike(state), "group {}", incident.group);
            let children = |state: &State| -> Vec<IncidentId> { state.children_of(incident.id).collect() };
            assert_eq!(children(&loaded), children(state), "children of {}", incident.id);
        }
        for message in state.messages.values() {
            let waiting = |state: &State| -> Vec<_> { state.unfinished_in(message.thread).map(|waits| waits.id).collect() };
            assert_eq!(waiting(&loaded), waiting(state), "the thread of {}", message.id);
            assert!(waiting(state).contains(&message.id), "{} is not in its thread", message.id);
        }
        let unknown = |state: &State| -> Vec<(String, BTreeSet<AlertId>)> {
            state.unknown_items().map(|(value, alerts)| (value.to_owned(), alerts.clone())).collect()
        };
        assert_eq!(unknown(&loaded), unknown(state));
        recount::equals(&loaded, &self.world);
        recount::equals(state, &self.world);
        recount::same_causes(state, &self.world);
        // A timer may fire and find nothing; one that is missing would never fire. What has fired already may be armed again by a start.
        if let Some(due) = loaded.next_due().filter(|due| *due > self.now) {
            assert!(state.next_due().is_some_and(|armed| armed <= due), "a timer at {due} is lost");
        }
    }

    /// What must hold of alerts, incidents and mails, whatever happened.
    fn cheap_invariants(&self) {
        let state = &self.state;
        let mut places: BTreeMap<AlertId, Vec<IncidentId>> = BTreeMap::new();
        for ((incident, alert), member) in state.incidents.members() {
            // Members of what is closed leave memory bit by bit.
            if !state.incidents.contains_key(incident) {
                continue;
            }
            if member.left_at.is_none() {
                places.entry(*alert).or_default().push(*incident);
            }
            let within = state.cell(*alert).is_some_and(|cell| cell.alert.incident == Some(*incident));
            assert_eq!(within, member.left_at.is_none() && state.cell(*alert).is_some(), "{alert} in {incident}: members do not match");
        }
        for cell in state.alerts() {
            let alert = &cell.alert;
            let open: Vec<_> = places.get(&alert.id).into_iter().flatten().filter(|id| state.incidents[id].is_open()).collect();
            assert!(open.len() <= 1, "{} is in {open:?}", alert.id);
            if let Some(incident) = alert.incident.filter(|id| state.incidents.contains_key(id)) {
                assert!(state.incidents.members().contains_key(&(incident, alert.id)), "{} is no member of its {incident}", alert.id);
            }
            if alert.state == AlertState::Firing {
                let Some(place) = alert.incident.and_then(|id| state.incidents.get(&id)) else {
                    // Closed by hand while it fires: it is given another incident then.
                    let is_let_go = |work: &Work| matches!(work, Work::Close { incident, .. } if Some(*incident) == alert.incident);
                    assert!(
                        alert.rejudge_at.is_some() || under_way(state, is_let_go),
                        "{} fires on {} and has no incident",
                        alert.id,
                        self.item(alert.id)
                    );
                    continue;
                };
                assert!(place.parent.is_none() || state.merge_from(place.id).is_some(), "{} fires in the child {}", alert.id, place.id);
                let comes_back = place.state == IncidentState::Resolved && place.settle_at.is_some();
                assert!(
                    place.is_open() || comes_back || state.merge_from(place.id).is_some(),
                    "{} fires in {}, which is {} and stays so",
                    alert.id,
                    place.id,
                    place.state
                );
            }
        }
        for incident in state.incidents.values() {
            if let Some(parent) = incident.parent {
                let closes = |work: &Work| matches!(work, Work::Close { incident, .. } if *incident == parent);
                assert!(
                    parent != incident.id && (state.incidents.contains_key(&parent) || under_way(state, closes)),
                    "{} is a child of {parent}, which is gone",
                    incident.id
                );
                let is_quiet = state.alerts_in(incident.id).all(|cell| !cell.alert.is_active());
                assert!(is_quiet || state.merge_from(incident.id).is_some(), "the child {} has alerts", incident.id);
            }
            if incident.is_open() {
                // Whoever reported it, or reopened it by hand, says that it is not over, whatever its alerts say.
                let last = state.alerts_in(incident.id).filter_map(|cell| cell.alert.cleared_at).max();
                let by_hand = incident.reopened_at > last || incident.cause.is_none() || state.is_merged_into(incident.id);
                assert!(by_hand || state.alerts_in(incident.id).next().is_some(), "{} is open and has no alert", incident.id);
                let fires = state.alerts_in(incident.id).any(|cell| cell.alert.is_active());
                assert!(by_hand || fires || incident.settle_at.is_some(), "{} is open, quiet, and never resolves", incident.id);
            }
        }
        for incident in state.incidents.values() {
            // A share is said once in a period, and what is not said yet is looked at in time.
            for clock in &incident.clocks {
                let said: BTreeSet<_> = clock.reached.iter().map(|one| (one.target, one.period, one.percent)).collect();
                assert_eq!(said.len(), clock.reached.len(), "{}: {clock:?} says something twice", incident.id);
            }
            let next = watchkeeper_engine::decide::clock::next(state, incident, self.now);
            assert_eq!(incident.clock_at, next, "{} is looked at at another moment than its log says", incident.id);
            // A timer that is due already sees to it.
            let due = state.next_due().is_some_and(|due| due <= self.now);
            assert!(due || next.is_none_or(|at| at > self.now), "{} has a share that is used up and not said", incident.id);
        }
        let mut keys = BTreeSet::new();
        for problem in state.problems.values() {
            assert!(keys.insert(&problem.key), "{} is the second open problem of {:?}", problem.id, problem.key);
            assert!(!state.problems.series().contains_key(&problem.key), "{:?} is counted beside {}", problem.key, problem.id);
            let fixed = problem.state == ProblemState::Resolved;
            assert_eq!(fixed, problem.close_at.is_some(), "{} is {} and closes at {:?}", problem.id, problem.state, problem.close_at);
        }
        let counted =
            state.problems.values().map(|problem| &problem.outages).chain(state.problems.series().values().map(|series| &series.outages));
        for outages in counted {
            let each: BTreeSet<IncidentId> = outages.iter().map(|outage| outage.incident).collect();
            assert_eq!(each.len(), outages.len(), "an outage counts twice: {outages:?}");
            let child = each.iter().find(|id| state.incidents.get(id).is_some_and(|incident| incident.parent.is_some()));
            assert_eq!(child, None, "a child counts beside its parent");
        }
        let mut opened: BTreeMap<(Option<IncidentId>, &str), usize> = BTreeMap::new();
        for mail in self.all_mails.iter().filter(|mail| mail.reason == Reason::Opened) {
            *opened.entry((mail.incident, &mail.to)).or_default() += 1;
        }
        if let Some(((incident, to), times)) = opened.into_iter().find(|(_, times)| *times > 1) {
            panic!("{to} heard {times} times that {incident:?} opened");
        }
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            golden::offer(&self.facts, &self.rows);
            self.follows();
            self.stored();
        }
    }
}

fn under_way(state: &State, which: impl Fn(&Work) -> bool) -> bool {
    state.cursors.values().any(|cursor| which(&cursor.work))
}

/// Every timeline entry of an incident that facts tell of.
pub(crate) fn timeline(sim: &Sim, id: IncidentId) -> Vec<String> {
    let of = |fact: &Fact| match fact {
        Fact::Incident(fact) if fact.id() == id => fact.entry(sim.now).map(|entry| one_line(&entry)),
        _ => None,
    };
    sim.facts.iter().filter_map(of).collect()
}

fn one_line(entry: &incident::Entry) -> String {
    if entry.because.is_empty() { entry.what.clone() } else { format!("{}: {}", entry.what, entry.because) }
}

/// Numbers that look random and are the same for a seed everywhere (SplitMix64).
pub(crate) struct Seeded(pub(crate) u64);

impl Seeded {
    /// The next number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    /// `list` in another order.
    pub(crate) fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            list.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}
