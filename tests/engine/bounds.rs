//! What a batch does beyond its own events has a bound, however much hangs together: a switch with very many symptoms is adopted, follows, is released,
//! merged, resolved and closed a slice at a time, and nothing is told that is not so.
#![expect(clippy::disallowed_methods, reason = "says what a batch costs")]

use std::fmt::Write as _;
use std::sync::LazyLock;
use std::time::Duration;

use watchkeeper_engine::block::Entry;
use watchkeeper_engine::event::{Action, Command, Event, Obeyed, Reply, World};
use watchkeeper_engine::fact::Fact;
use watchkeeper_engine::ids::{AlertId, IncidentId};
use watchkeeper_engine::input::AlertInput;
use watchkeeper_engine::limits::{CURSOR_ITEMS_MAX, SYMPTOMS_NAMED, YOURS_ALERTS_MAX};
use watchkeeper_engine::model::cursor::Work;
use watchkeeper_engine::model::message;
use watchkeeper_engine::model::silence::StoredMatcher;
use watchkeeper_engine::state::State;
use watchkeeper_engine::state::rows::encode;
use watchkeeper_engine::step::{self, Outcome};
use watchkeeper_engine::text::Labels;
use watchkeeper_engine::time::{Span, Time};
use watchkeeper_engine::words::{AlertState, IncidentState, Priority, Reason, Role};

use crate::recount;
use crate::sim::{Care, Sim, alert, d};

/// Symptoms of the switch: several times what a batch works on; WATCHKEEPER_SYMPTOMS=100000 is what a large site has, for an optimised build.
static SYMPTOMS: LazyLock<usize> = LazyLock::new(|| std::env::var("WATCHKEEPER_SYMPTOMS").map_or(4_200, |many| many.parse().unwrap()));
/// Bytes of a block before it is compressed: far below half of what the store takes.
const BLOCK_BYTES_MAX: usize = 4 << 20;
/// Facts of a batch: no item comes to more than this many.
const FACTS_AN_ITEM: usize = 8;

/// Alerts of incidents that a batch looks at one by one, however many these have: each item that it works on looks at some.
const VISITS_MAX: u64 = 4 * CURSOR_ITEMS_MAX as u64;

/// A core router, a switch behind it, and hosts behind that; a second switch that stands alone.
fn site() -> String {
    let mut items = "
teams: [{id: network, mail: [net@example.org]}, {id: platform, mail: [platform@example.org]}]
items:
  - {id: core, class: router, owner: network}
  - {id: sw-2, class: switch, owner: network}
  - {id: sw-1, class: switch, owner: network, relations: [{depends_on: core}]}
"
    .to_owned();
    for n in 0..*SYMPTOMS {
        writeln!(items, "  - {{id: h{n}, class: host, owner: platform, relations: [{{depends_on: sw-1}}]}}").unwrap();
    }
    items
}

/// The dearest batch of a phase.
#[derive(Debug, Default)]
struct Dearest {
    batches: usize,
    items: usize,
    facts: usize,
    bytes: usize,
    /// Alerts that were looked at one by one because they are an incident's.
    visits: u64,
    /// CPU time.
    took: Duration,
}

/// What this thread has had of a CPU so far: other programs run on this machine, too.
fn on_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

/// A store whose batches are only counted.
struct Site {
    sim: Sim,
    mails: Vec<String>,
    /// How many items the last mail about symptoms named, and counted.
    affected: (usize, usize),
    dearest: Dearest,
}

impl Site {
    fn new() -> Site {
        let sim = Sim::quick("{}", &site());
        let mut site = Site { sim, mails: Vec::new(), affected: (0, 0), dearest: Dearest::default() };
        for hosts in (0..*SYMPTOMS).collect::<Vec<_>>().chunks(1_000) {
            let inputs = hosts.iter().map(|n| alert("HostDown", &format!("h{n}")).bounded().unwrap()).collect();
            site.event(Event::Alerts { inputs, refused: Vec::new() });
        }
        site.phase("the hosts fire, each an incident of its own");
        site
    }

    fn fire(&mut self, input: AlertInput) {
        self.event(Event::Alerts { inputs: vec![input.bounded().unwrap()], refused: Vec::new() });
    }

    fn clear(&mut self, input: AlertInput) {
        let now = self.sim.now;
        self.fire(AlertInput { resolved: true, ends_at: Some(now), starts_at: None, ..input });
    }

    fn command(&mut self, action: Action) -> Obeyed {
        match self.event(Event::Command(Command { actor: "anna".to_owned(), expected: None, action })) {
            Some(Reply::Obeyed(obeyed)) => obeyed,
            other => panic!("{other:?}"),
        }
    }

    fn event(&mut self, event: Event) -> Option<Reply> {
        self.batch(|state, sim_now, world, out| step::step(state, world, event, sim_now, out))
    }

    /// One batch of whatever is due.
    fn due(&mut self) {
        self.batch(|state, now, world, out| step::due(state, world, now, out));
    }

    fn batch(&mut self, decide: impl FnOnce(&mut State, Time, &World, &mut Outcome)) -> Option<Reply> {
        let mut out = Outcome::default();
        let visits = self.sim.state.visits();
        let began = on_cpu();
        self.sim.state.begin_batch(self.sim.now, &mut out.touched);
        decide(&mut self.sim.state, self.sim.now, &self.sim.world, &mut out);
        step::finish(&mut self.sim.state, &self.sim.world, self.sim.now, &mut out);
        let facts = out.facts.len();
        for fact in &out.facts {
            if let Fact::Message(message::Fact::Planned { message }) = fact {
                self.mails.push(format!("{} {}", message.to, message.reason));
                if message.reason == Reason::Affected {
                    let yours = message.content.yours().unwrap();
                    self.affected = (yours.items.len(), yours.items.len() + yours.more as usize);
                    assert!(yours.alerts.len() <= YOURS_ALERTS_MAX);
                }
            }
        }
        let rows: usize = out.touched.iter().filter_map(|row| self.sim.state.row(row)).map(|row| row.len()).sum();
        let bytes = encode(&Entry { input: out.recorded, facts: out.facts }).len();
        self.sim.state.settle();
        let took = on_cpu() - began;
        let visits = self.sim.state.visits() - visits;
        assert!(rows > 0);
        let dearest = &mut self.dearest;
        dearest.batches += 1;
        dearest.items = dearest.items.max(self.sim.state.worked_on());
        dearest.facts = dearest.facts.max(facts);
        dearest.bytes = dearest.bytes.max(bytes);
        dearest.visits = dearest.visits.max(visits);
        dearest.took = dearest.took.max(took);
        out.reply
    }

    /// Until nothing is queued or due any more at this instant.
    fn go_on(&mut self) {
        while !self.sim.state.cursors.is_empty() || self.sim.state.next_due().is_some_and(|due| due <= self.sim.now) {
            self.due();
            assert!(self.dearest.batches < 100 + *SYMPTOMS / 50, "it does not get on");
        }
    }

    /// The clock runs on, timers at their own instants.
    fn run(&mut self, span: &str) {
        let until = self.sim.now + d(span);
        while let Some(due) = self.sim.state.next_due().filter(|due| *due <= until) {
            self.sim.now = self.sim.now.max(due);
            self.due();
        }
        self.sim.now = until;
    }

    /// What the batches since the last phase cost at most.
    fn said(&mut self, name: &str) -> Dearest {
        let dearest = std::mem::take(&mut self.dearest);
        eprintln!("{}: {name}: {dearest:?}", *SYMPTOMS);
        dearest
    }

    /// The same; none does more than it may.
    fn phase(&mut self, name: &str) -> Dearest {
        let dearest = self.said(name);
        assert!(dearest.items <= CURSOR_ITEMS_MAX + *SYMPTOMS / 256, "{name}: {dearest:?}");
        dearest
    }

    /// The same for a phase whose batches have no more than one event of their own.
    fn bounded_phase(&mut self, name: &str) -> Dearest {
        let dearest = self.phase(name);
        assert!(dearest.visits <= VISITS_MAX, "{name}: {dearest:?}");
        assert!(dearest.facts <= FACTS_AN_ITEM * CURSOR_ITEMS_MAX, "{name}: {dearest:?}");
        assert!(dearest.bytes <= BLOCK_BYTES_MAX, "{name}: {dearest:?}");
        dearest
    }

    fn on(&self, item: &str) -> IncidentId {
        self.sim.on(item).id
    }

    fn symptoms(&self, id: IncidentId) -> usize {
        self.sim.state.tally(id).active_symptoms as usize
    }
}

#[test]
fn a_switch_with_very_many_symptoms_is_adopted_followed_released_merged_and_closed_in_bounded_batches() {
    let mut site = Site::new();
    // The first mails of the hosts fall due while the switch adopts them.
    site.run("25s");
    site.fire(alert("DeviceDown", "sw-1"));
    let switch = site.on("sw-1");
    assert!(site.symptoms(switch) < *SYMPTOMS, "not all at once");
    site.sim.now = site.sim.now + Span::seconds(10);
    site.go_on();
    site.run("3m");
    assert_eq!((site.symptoms(switch), site.sim.open().len()), (*SYMPTOMS, 1));
    site.mails.sort();
    assert_eq!(site.mails, ["net@example.org opened", "platform@example.org affected"], "nobody hears of a host alone");
    assert_eq!(site.affected, (SYMPTOMS_NAMED, *SYMPTOMS), "one mail names some of the hosts and counts all");
    site.bounded_phase("the switch adopts");

    site.mails.clear();
    site.fire(alert("DeviceDown", "core"));
    site.go_on();
    let core = site.on("core");
    assert_eq!((site.symptoms(core), site.sim.open().len()), (*SYMPTOMS + 1, 1));
    let children = site.sim.state.children_of(core).count();
    assert_eq!(children, *SYMPTOMS + 1, "what the switch had adopted is the core's");
    site.run("3m");
    site.bounded_phase("the core adopts the switch and all it had");

    site.clear(alert("DeviceDown", "core"));
    site.run("10m");
    let switch = site.on("sw-1");
    assert_eq!(site.symptoms(switch), *SYMPTOMS, "the switch takes them back");
    site.bounded_phase("the core clears, and what hung off it is released");

    site.fire(alert("DeviceDown", "sw-2"));
    site.run("2m");
    let other = site.on("sw-2");
    let Obeyed::Done { .. } = site.command(Action::MergeIncidents { id: other, children: vec![switch] }) else { panic!() };
    assert!(site.sim.state.is_merged_into(other));
    for contradicts in [
        Action::Resolve { id: other, words: "too early".to_owned() },
        Action::Acknowledge { id: switch },
        Action::MergeIncidents { id: switch, children: vec![other] },
    ] {
        let said = site.command(contradicts);
        assert!(matches!(said, Obeyed::NotAllowed { .. }), "{said:?}");
    }
    let Obeyed::Done { changed: true, .. } = site.command(Action::Acknowledge { id: other }) else { panic!() };
    site.go_on();
    let tally = site.sim.state.tally(other);
    assert_eq!((tally.alerts as usize, tally.active_symptoms as usize, site.sim.state.tally(switch).alerts), (*SYMPTOMS + 2, *SYMPTOMS, 0));
    assert_eq!(site.sim.state.incidents[&switch].parent, Some(other));
    site.bounded_phase("the switch's incident is merged into another");

    let Obeyed::Done { .. } = site.command(Action::Resolve { id: other, words: "for now".to_owned() }) else { panic!() };
    let Obeyed::Done { .. } = site.command(Action::Close { id: other }) else { panic!() };
    site.go_on();
    assert_eq!(site.sim.listed().iter().map(|incident| incident.item.as_str()).collect::<Vec<_>>(), ["core"]);
    assert!(site.sim.state.alerts_in(other).all(|cell| cell.alert.rejudge_at.is_some() || cell.alert.forget_at.is_some()));
    site.bounded_phase("it is resolved and closed by hand while all of it fires");

    site.run("10m");
    let firing = site.sim.state.alerts().filter(|cell| cell.alert.state == AlertState::Firing);
    let placed =
        firing.filter(|cell| cell.alert.incident.and_then(|id| site.sim.state.incidents.get(&id)).is_some_and(|own| own.is_open()));
    assert_eq!(placed.count(), *SYMPTOMS + 2, "what still fires has an incident again");
    site.bounded_phase("what still fires comes back");
    while !site.sim.state.cursors.is_empty() {
        site.due();
    }
    let in_memory =
        site.sim.state.incidents.members().keys().filter(|(incident, _)| !site.sim.state.incidents.contains_key(incident)).count();
    assert_eq!(in_memory, 0, "members of what is closed have left memory");
}

/// What one request may bring; its cost is its own, and stated here for an optimised build and 100,000 symptoms: 8,192 new alerts take about
/// 0.36 s of CPU where each opens an incident, 0.3 s where all join one that has very many, and 0.07 s where they clear.
#[test]
fn a_request_of_very_many_alerts_costs_what_they_do_and_not_what_their_incident_has() {
    let mut site = Site::new();
    let hosts = (*SYMPTOMS).min(8_192);
    let request = |name: &str| (0..hosts).map(|n| alert(name, &format!("h{n}")).bounded().unwrap()).collect::<Vec<_>>();
    site.fire(alert("DeviceDown", "sw-1"));
    site.go_on();
    site.run("3m");
    site.phase("the switch adopts");
    site.event(Event::Alerts { inputs: request("Slow"), refused: Vec::new() });
    let joined = site.said("one request, all of it symptoms of the switch");
    assert!(joined.visits <= VISITS_MAX + hosts as u64, "{joined:?}");
    site.go_on();
    site.run("3m");
    site.phase("what follows from it");
    let now = site.sim.now;
    let cleared = request("Slow").into_iter().map(|input| AlertInput { resolved: true, ends_at: Some(now), starts_at: None, ..input });
    site.event(Event::Alerts { inputs: cleared.collect(), refused: Vec::new() });
    let cleared = site.said("one request clears them");
    assert!(cleared.visits <= VISITS_MAX, "{cleared:?}");
    site.event(Event::Alerts {
        inputs: (0..hosts).map(|n| alert("Odd", &format!("x{n}")).bounded().unwrap()).collect(),
        refused: Vec::new(),
    });
    let opened = site.said("one request, each alert an incident");
    assert!(opened.visits <= VISITS_MAX, "{opened:?}");
}

#[test]
fn what_waits_survives_a_restart_at_every_batch() {
    let mut sim = Sim::quick("{}", &site());
    for hosts in (0..2_600).collect::<Vec<_>>().chunks(1_300) {
        sim.send(hosts.iter().map(|n| alert("HostDown", &format!("h{n}"))).collect());
    }
    sim.fire(alert("DeviceDown", "sw-1"));
    assert_eq!(sim.state.cursors.len(), 1);
    let mut restarts = 0;
    while !sim.state.cursors.is_empty() {
        sim.restart("1s");
        sim.due();
        restarts += 1;
        assert!(restarts < 20, "it gets on after each start");
    }
    assert!(restarts > 1, "not all at once");
    let switch = sim.on("sw-1").id;
    assert_eq!(sim.state.tally(switch).active_symptoms, 2_600);
    assert_eq!(sim.open().len(), 1);
}

#[test]
fn a_steady_stream_of_silences_starves_no_alert() {
    let mut sim = Sim::quick("{}", "{}");
    let many = 40_000;
    for hosts in (0..many).collect::<Vec<_>>().chunks(8_000) {
        let inputs = hosts.iter().map(|n| alert("Odd", &format!("h{n}")).bounded().unwrap()).collect();
        let mut out = Outcome::default();
        sim.state.begin_batch(sim.now, &mut out.touched);
        step::step(&mut sim.state, &sim.world, Event::Alerts { inputs, refused: Vec::new() }, sim.now, &mut out);
        sim.state.settle();
    }
    let last = sim.state.alerts().last().unwrap().alert.id;
    let mut batches = 0;
    while sim.state.cell(last).unwrap().alert.state != AlertState::Suppressed {
        let matcher =
            StoredMatcher { name: "instance".to_owned(), value: format!("h{}|h{batches}", many - 1), is_regex: true, is_equal: true };
        let (starts_at, ends_at) = (sim.now, sim.now + d("8h"));
        let action = Action::SetSilence {
            id: None,
            matchers: vec![matcher],
            starts_at,
            ends_at,
            comment: String::new(),
            annotations: Labels::default(),
        };
        let mut out = Outcome::default();
        sim.state.begin_batch(sim.now, &mut out.touched);
        step::due(&mut sim.state, &sim.world, sim.now, &mut out);
        let command = Command { actor: "robot".to_owned(), expected: None, action };
        step::step(&mut sim.state, &sim.world, Event::Command(command), sim.now, &mut out);
        sim.state.settle();
        batches += 1;
        assert!(batches < 200, "the last alert is never judged again");
    }
    assert!(sim.state.cursors.len() <= 3, "reasons that cover each other are one: {:?}", sim.state.cursors);
}

#[test]
fn a_narrow_silence_judges_what_has_its_label_and_nothing_else() {
    let mut sim = Sim::quick("{}", "{}");
    sim.send((0..3_000).map(|n| alert("Odd", &format!("h{n}"))).collect());
    sim.run("5m");
    let made = sim.facts.len();
    let matcher = StoredMatcher { name: "instance".to_owned(), value: "h2999".to_owned(), is_regex: false, is_equal: true };
    let (starts_at, ends_at) = (sim.now, sim.now + d("1h"));
    sim.command(Action::SetSilence {
        id: None,
        matchers: vec![matcher],
        starts_at,
        ends_at,
        comment: String::new(),
        annotations: Labels::default(),
    });
    assert_eq!(sim.state.worked_on(), 1, "one alert of three thousand");
    assert!(sim.state.cursors.is_empty(), "and at once");
    assert!(sim.facts.len() > made);
    let muted = |sim: &Sim| sim.state.alerts().filter(|cell| cell.alert.state == AlertState::Suppressed).count();
    assert_eq!(muted(&sim), 1);
    sim.run("59m59s");
    assert_eq!(muted(&sim), 1);
    sim.run("1s");
    assert_eq!((muted(&sim), sim.state.worked_on()), (0, 1), "its end, too");
    sim.check();
}

#[test]
fn the_edge_of_a_silence_rule_judges_what_the_rule_holds_of() {
    let rules = "silences: [{name: works, when: 'alert.labels.instance == \"h7\"', from: 2026-03-24T10:30:00+01:00, until: 2026-03-24T11:00:00+01:00}]";
    let mut sim = Sim::quick(rules, "{}");
    sim.send((0..3_000).map(|n| alert("Odd", &format!("h{n}"))).collect());
    sim.run("29m59s");
    let muted = |sim: &Sim| sim.state.alerts().filter(|cell| cell.alert.state == AlertState::Suppressed).count();
    assert_eq!(muted(&sim), 0);
    sim.run("1s");
    assert_eq!((muted(&sim), sim.state.worked_on()), (1, 1));
    sim.run("30m");
    assert_eq!((muted(&sim), sim.state.worked_on()), (0, 1));
    assert_eq!(sim.state.alerts_that_read("works", AlertId(0)).count(), 1);
    sim.check();
}

#[test]
fn a_release_in_slices_gives_everything_back() {
    let mut sim = Sim::quick("{}", &site());
    sim.fire(alert("DeviceDown", "sw-1"));
    for hosts in (0..2_600).collect::<Vec<_>>().chunks(1_300) {
        sim.send(hosts.iter().map(|n| alert("HostDown", &format!("h{n}"))).collect());
    }
    sim.run("1m");
    sim.clear(alert("DeviceDown", "sw-1"));
    sim.run("5m");
    let roles = sim.state.alerts().filter(|cell| cell.alert.is_active() && cell.alert.role == Role::Symptom);
    assert_eq!((roles.count(), sim.open().len()), (0, 2_600), "each host has its own again");
    sim.run("1h");
    assert!(sim.state.incidents.values().all(|incident| incident.state == IncidentState::New || incident.item == "sw-1"));
    recount::equals(&sim.state, &sim.world);
}

#[test]
fn who_is_to_hear_of_symptoms_from_some_priority_on_hears_of_all_of_them_once_it_is_reached() {
    let rules = "notify:
  - {name: page, to: owner, send: [opened]}
  - {name: owners, when: 'incident.priority == \"P1\"', to: owner, send: [affected]}";
    let mut sim = Sim::quick(rules, &site());
    let hosts = 2 * CURSOR_ITEMS_MAX + 100;
    sim.fire(alert("DeviceDown", "sw-1"));
    for some in (0..hosts).collect::<Vec<_>>().chunks(700) {
        sim.send(some.iter().map(|n| alert("HostDown", &format!("h{n}"))).collect());
    }
    sim.run("5m");
    assert_eq!(sim.mail_words(), ["net@example.org opened"]);
    let id = sim.on("sw-1").id;
    let visits = sim.state.visits();
    sim.care = Care::Never;
    sim.fire(alert("DiskFull", "h1"));
    sim.care = Care::WhenAsked;
    assert!(sim.state.visits() - visits < 50, "one more alert costs the same however many there are");
    sim.command(Action::SetPriority { id, priority: Priority::P1, words: String::new() });
    assert!(sim.state.queued(&Work::Tell { incident: id }).is_some(), "they are too many for one batch");
    sim.restart("1s");
    sim.run("10s");
    let mails: Vec<_> = sim.mails().into_iter().filter(|mail| mail.reason == Reason::Affected).collect();
    let [mail] = &mails[..] else { panic!("{mails:#?}") };
    let counted = mail.content.yours().map(|yours| yours.items.len() + yours.more as usize);
    assert_eq!((mail.to.as_str(), counted), ("platform@example.org", Some(hosts)));
    // What comes now is told of alone: the others are known.
    sim.fire(alert("HostDown", &format!("h{hosts}")));
    sim.run("5m");
    assert_eq!(sim.mail_words(), [""; 0], "whoever was told knows");
    sim.check();
}
