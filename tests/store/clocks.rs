//! SLA clocks over a real store: whatever moment a process dies at, each share of a promise's time is told once, and at its moment.

use std::path::Path;
use std::sync::Arc;

use watchkeeper_engine::block::{Block, Entry, FORMAT};
use watchkeeper_engine::cmdb::{Cmdb, Inventory, files};
use watchkeeper_engine::event::{Action, Command, Event, Settings, World};
use watchkeeper_engine::fact::Fact;
use watchkeeper_engine::ids::{IncidentId, StoreId};
use watchkeeper_engine::input::AlertInput;
use watchkeeper_engine::model::job;
use watchkeeper_engine::policy;
use watchkeeper_engine::source::SourceFile;
use watchkeeper_engine::state::State;
use watchkeeper_engine::state::rows::{self, encode};
use watchkeeper_engine::step::{self, Outcome};
use watchkeeper_engine::text::Labels;
use watchkeeper_engine::time::{Span, Time};
use watchkeeper_engine::words::{JobKind, Reason, Severity};
use watchkeeper_store::{Commit, RowChange, Store, Table};

use crate::support::{folder, init, open};

const RULES: &str = "
calendars: {office: {zone: Europe/Berlin, open: {mon-fri: \"09:00-17:00\"}}}
slas: [{name: gold, calendar: office, targets: {P2: {response: 30bm, resolution: 8bh}}, pause: waiting_for_customer, warn_at: [50%, 75%]}]
notify: [{name: all, to: owner}]
";
const ITEMS: &str = "teams: [{id: net, mail: [net@example.org]}]\nitems: [{id: sw-1, class: switch, owner: net}]\n";

/// A Friday afternoon in Berlin, on which the clock is put forward at the weekend.
const START: &str = "2026-03-27T15:00:00+01:00";

/// What is told, and when: half of the answer's time and three quarters, its breach, and the same of the eight working hours, of which two were paused.
const TOLD: [(&str, &str); 6] = [
    ("response 50", "2026-03-27T15:15:00+01:00"),
    ("response 75", "2026-03-27T15:22:30+01:00"),
    ("response 100", "2026-03-27T15:30:00+01:00"),
    ("resolution 50", "2026-03-30T13:00:00+02:00"),
    ("resolution 75", "2026-03-30T15:00:00+02:00"),
    ("resolution 100", "2026-03-30T17:00:00+02:00"),
];

fn t(text: &str) -> Time {
    Time::parse_rfc3339(text).unwrap()
}

fn world() -> World {
    let rules = policy::load(&[SourceFile::new("rules.yaml", RULES)]).unwrap_or_else(|found| panic!("{found:#?}"));
    let (inventory, _) = files::read(&[SourceFile::new("cmdb.yaml", ITEMS)], &Inventory::default()).unwrap();
    let settings = Arc::new(Settings { last_resort: vec!["ops@example.org".to_owned()] });
    World { policy: Arc::new(rules.policy), cmdb: Arc::new(Cmdb::build(inventory, 1)), settings }
}

/// A process: its State, its store, and how many commits it lives.
struct Process<'a> {
    dir: &'a Path,
    world: World,
    state: State,
    store: Option<Store>,
    commits: usize,
    /// Which of them said something of the incident, and the first sweep's.
    telling: Vec<usize>,
    swept: bool,
    /// At which commit it dies, and whether before that is on disk.
    dies: Option<(usize, bool)>,
    started_at: Time,
}

impl<'a> Process<'a> {
    fn started(dir: &'a Path, store: Store, dies: Option<(usize, bool)>) -> Process<'a> {
        let state = State::new(StoreId { high: 1, low: 2 });
        let mut process = Process {
            dir,
            world: world(),
            state,
            store: Some(store),
            commits: 0,
            telling: Vec::new(),
            swept: false,
            dies,
            started_at: t(START),
        };
        let world = process.world.clone();
        process.event(t(START), &Event::World(world));
        process
    }

    fn event(&mut self, now: Time, event: &Event) {
        while !self.batch(now, |state, world, out| step::step(state, world, event.clone(), now, out)) {}
    }

    fn run_until(&mut self, until: Time) {
        while let Some(due) = self.state.next_due().filter(|due| *due <= until) {
            let now = due.max(self.started_at);
            self.batch(now, |state, world, out| step::due(state, world, now, out));
            self.started_at = now;
        }
    }

    /// One batch: decided, committed, or lost with the process. `false`: it is lost.
    fn batch(&mut self, now: Time, decide: impl FnOnce(&mut State, &World, &mut Outcome)) -> bool {
        let mut out = Outcome::default();
        self.state.begin_batch(now, &mut out.touched);
        decide(&mut self.state, &self.world, &mut out);
        step::finish(&mut self.state, &self.world, now, &mut out);
        self.commits += 1;
        let sweeps = out.facts.iter().any(|fact| matches!(fact, Fact::Job(job::Fact::Ran { kind: JobKind::SlaSweep, .. })));
        let says = out.facts.iter().any(|fact| !matches!(fact, Fact::Job(_) | Fact::System(_)));
        if says || sweeps && !self.swept {
            self.telling.push(self.commits);
        }
        self.swept |= sweeps;
        let dies = self.dies.filter(|(at, _)| *at == self.commits);
        if let Some((_, true)) = dies {
            self.die(now);
            return false;
        }
        let store = self.store.as_mut().unwrap();
        let block = Block {
            format: FORMAT,
            seq: store.head().seq + 1,
            now,
            policy: self.world.policy.id.clone(),
            cmdb: self.world.cmdb.version(),
            before: store.head().hash,
            entries: vec![Entry { input: out.recorded, facts: out.facts }],
        };
        let change = |row: &rows::Row| {
            let (table, key) = row.place();
            RowChange { table: Table::of(table), key, value: self.state.row(row) }
        };
        let rows = out.touched.iter().map(change).collect();
        store.commit(Commit { seq: block.seq, now, block: encode(&block), rows, pages: Vec::new(), floor: store.head().floor }).unwrap();
        self.state.settle();
        if dies.is_some() {
            self.die(now);
        }
        true
    }

    /// Memory is gone; what the store has is all there is.
    fn die(&mut self, now: Time) {
        drop(self.store.take());
        let mut store = open(self.dir).unwrap();
        (self.state, _) = store.load_state(&self.world.cmdb).unwrap();
        self.store = Some(store);
        self.dies = None;
        self.event(now, &Event::Started);
    }
}

/// Plays the story with a death at one commit; what was told, in order, and in which commits something was said.
fn told(dies: Option<(usize, bool)>) -> (Vec<(String, Time)>, Vec<usize>) {
    let dir = folder();
    let store = init(dir.path());
    let mut process = Process::started(dir.path(), store, dies);
    let fires = AlertInput {
        severity: Severity::Critical,
        labels: Labels::from([("alertname", "DeviceDown"), ("instance", "sw-1")]),
        ends_at: Some(Time::NEVER),
        ..AlertInput::named("prom", "DeviceDown")
    };
    process.event(t(START), &Event::Alerts { inputs: vec![fires.bounded().unwrap()], refused: Vec::new() });
    let id = IncidentId(1);
    let command = |action| Event::Command(Command { actor: "anna".to_owned(), expected: None, action });
    let hold = Action::Hold { id, reason: "waiting_for_customer".to_owned(), until: None };
    for (at, action) in [("2026-03-27T16:00:00+01:00", hold), ("2026-03-30T10:00:00+02:00", Action::Resume { id })] {
        process.run_until(t(at));
        process.event(t(at), &command(action));
        process.started_at = t(at);
    }
    process.run_until(t("2026-03-30T20:00:00+02:00"));
    let mails = process.state.messages.values().filter(|mail| matches!(mail.reason, Reason::SlaWarning | Reason::SlaBreached));
    let said = mails.flat_map(|mail| {
        let lines = mail
            .said()
            .clocks
            .into_iter()
            .flat_map(|line| line.reached.iter().map(|share| format!("{} {share}", line.target)).collect::<Vec<_>>());
        lines.map(|words| (words, mail.planned_at)).collect::<Vec<_>>()
    });
    (said.collect(), process.telling)
}

#[test]
fn each_share_is_told_once_whatever_commit_the_process_dies_at() {
    let expected: Vec<(String, Time)> = TOLD.iter().map(|(words, at)| ((*words).to_owned(), t(at))).collect();
    let (undisturbed, commits) = told(None);
    assert_eq!(undisturbed, expected);
    assert!(commits.len() >= 10, "{commits:?}");
    for at in commits {
        for before in [true, false] {
            assert_eq!(told(Some((at, before))).0, expected, "dead {} commit {at}", if before { "before" } else { "after" });
        }
    }
    assert_eq!(Span(t(TOLD[5].1).0 - t(TOLD[4].1).0), Span::hours(2));
}
