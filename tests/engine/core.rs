//! The core from outside: what alerts become, on a virtual clock.

use std::collections::BTreeSet;
use std::sync::Arc;

use watchkeeper_engine::cmdb::{Cmdb, Inventory, files};
use watchkeeper_engine::event::{Event, Settings, World};
use watchkeeper_engine::ids::StoreId;
use watchkeeper_engine::input::AlertInput;
use watchkeeper_engine::policy;
use watchkeeper_engine::source::SourceFile;
use watchkeeper_engine::state::State;
use watchkeeper_engine::step::{self, Outcome};
use watchkeeper_engine::text::Labels;
use watchkeeper_engine::time::{Span, Time};
use watchkeeper_engine::words::Severity;

fn world(rules: &str, cmdb: &str) -> World {
    let file = |path: &str, text: &str| SourceFile { path: path.to_owned(), text: text.to_owned() };
    let loaded = policy::load(&[file("rules.yaml", rules)]).unwrap_or_else(|faults| panic!("{faults:#?}"));
    let (inventory, _) = files::read(&[file("cmdb.yaml", cmdb)], &Inventory::default()).unwrap_or_else(|faults| panic!("{faults:#?}"));
    World {
        policy: Arc::new(loaded.policy),
        cmdb: Arc::new(Cmdb::build(inventory, 1)),
        settings: Arc::new(Settings { last_resort: vec!["ops@example.org".to_owned()] }),
    }
}

#[test]
fn a_switch_heard_in_the_middle_of_its_hosts_is_one_incident_and_one_mail() {
    let mut cmdb = "people: []\nteams: [{id: network, mail: [net@example.org]}]\nitems:\n  - {id: sw-1, class: switch, owner: network, criticality: high}\n".to_owned();
    for n in 0..40 {
        cmdb += &format!("  - {{id: web-{n}, class: host, owner: network, relations: [{{depends_on: sw-1}}]}}\n");
    }
    let world = world("{}", &cmdb);
    let mut state = State::new(StoreId { high: 1, low: 2 });
    let mut now = Time::parse_rfc3339("2026-03-27T15:50:00Z").unwrap();
    let start = now;
    let mut all = Vec::new();
    let mut send = |state: &mut State, now: Time, name: &str, instance: &str| {
        let mut out = Outcome::default();
        state.begin_batch(now, &mut out.touched);
        let mut input = AlertInput::named("test", name);
        input.severity = Severity::Critical;
        input.labels = Labels::from([("alertname", name), ("instance", instance), ("severity", "critical")]);
        input.ends_at = Some(Time::NEVER);
        step::step(state, &world, Event::Alerts { inputs: vec![input], refused: vec![] }, now, &mut out);
        all.extend(out.facts);
    };
    for n in 0..20 {
        send(&mut state, now, "HostDown", &format!("web-{n}:9100"));
        now = now + Span::seconds(1);
    }
    send(&mut state, now, "DeviceDown", "sw-1");
    for n in 20..40 {
        send(&mut state, now, "HostDown", &format!("web-{n}:9100"));
    }
    while let Some(due) = state.next_due().filter(|due| *due < start + Span::minutes(5)) {
        let mut out = Outcome::default();
        state.begin_batch(due, &mut out.touched);
        step::due(&mut state, &world, due, &mut out);
        all.extend(out.facts);
    }
    let open: Vec<_> = state.incidents.values().filter(|i| i.is_open()).collect();
    let items: BTreeSet<&str> = open.iter().map(|i| i.item.as_str()).collect();
    assert_eq!(items, BTreeSet::from(["sw-1"]));
    assert_eq!(open.len(), 1);
    assert_eq!(state.messages.len(), 1);
}
