//! Scenarios: what happens to alerts, incidents and people, over the whole engine on a virtual clock.

use crate::sim::{Sim, alert};

const SWITCH: &str = "
teams: [{id: network, mail: [net@example.org]}, {id: platform, mail: [platform@example.org]}]
items:
  - {id: sw-1, class: switch, owner: network, criticality: high}
  - {id: db-1, class: host, owner: network, relations: [{depends_on: sw-1}]}
  - {id: db-2, class: host, owner: network, relations: [{depends_on: sw-1}]}
";

#[test]
fn a_cause_that_is_heard_first_takes_what_hangs_off_it() {
    let mut sim = Sim::new("{}", SWITCH);
    sim.fire(alert("DeviceDown", "sw-1"));
    sim.fire(alert("HostDown", "db-1:9100"));
    sim.run("1m");
    assert_eq!(sim.said(), ["sw-1 new P1 with db-1"]);
    assert_eq!(sim.mail_words(), ["net@example.org opened"]);
}
