//! Rule tests: the shipped ones hold and touch every shipped rule; one that fails says what was expected, what is there, and how it came.

use std::sync::Arc;

use watchkeeper_engine::cmdb::{Cmdb, Inventory, files};
use watchkeeper_engine::policy::{self, Policy};
use watchkeeper_engine::source::SourceFile;
use watchkeeper_engine::trial::{self, Summary};

use crate::organisation;

fn policy(files: &[SourceFile]) -> Arc<Policy> {
    Arc::new(policy::load(files).unwrap_or_else(|found| panic!("{found:#?}")).policy)
}

fn cmdb(text: &str) -> Arc<Cmdb> {
    let files = [SourceFile::new("cmdb.yaml", text)];
    let (inventory, _) = files::read(&files, &Inventory::default()).unwrap_or_else(|found| panic!("{found:#?}"));
    Arc::new(Cmdb::build(inventory, 1))
}

/// What `watchkeeper test` says of one rules file over an empty CMDB.
fn tried(rules: &str) -> Summary {
    trial::run_all(&policy(&[SourceFile::new("rules.yaml", rules)]), &cmdb("items: []"))
}

#[test]
fn every_shipped_test_passes_and_every_shipped_rule_is_touched() {
    let shipped = policy(&[
        SourceFile::new("holidays/berlin.ics", include_str!("../../rules/holidays/berlin.ics")),
        SourceFile::new("shop.yaml", include_str!("../../rules/shop.yaml")),
        SourceFile::new("tests/outages.yaml", include_str!("../../rules/tests/outages.yaml")),
        SourceFile::new("tests/rules.yaml", include_str!("../../rules/tests/rules.yaml")),
    ]);
    let summary = trial::run_all(&shipped, &cmdb(include_str!("../../cmdb/shop.yaml")));
    assert!(summary.passed(), "{summary}");
    assert_eq!(summary.untouched, [], "{summary}");
    assert!(summary.trials.len() >= 15);
}

#[test]
fn a_failed_test_says_what_was_expected_what_is_nearest_and_how_it_came() {
    let summary = tried(
        r#"
correlate:
  - {name: switch-down, when: ci.class == "switch", means: down, title: "{{ci.id}} does not answer"}
  - {name: never, when: ci.class == "toaster"}
identify:
  - {name: by-port, from: alert.labels.port}
tests:
  - name: a switch and its host
    cmdb: {teams: [{id: network, mail: [net@example.org]}], items: [{id: sw-1, class: switch, owner: network},
           {id: db-1, class: host, owner: network, relations: [{depends_on: sw-1}]}]}
    steps:
      - {at: 0s, fire: {name: DeviceDown, severity: critical, labels: {instance: sw-1}}}
      - {at: 10s, fire: {name: HostDown, severity: critical, labels: {instance: "db-1:9100"}}}
      - at: 2m
        expect:
          incidents: [{ci: sw-1, priority: P1, symptoms: [db-1, db-2], because: db-1 runs on sw-1}, {ci: db-1}]
          mails: []
          alerts: [{name: DeviceDown, state: firing}, {name: HostDown, state: suppressed, muted_by: nightly}]
      - {at: 3m, do: {acknowledge: db-1}}
      - {at: 3m, do: {resume: sw-1}}
      - {at: 4m, clear: {name: HostDown, labels: {instance: "db-2:9100"}}}
      - {at: 5m, post: {format: bilding, body: {}}}
  - name: nothing happens
    steps:
      - {at: 0s, expect: {incidents: [], mails: [], alerts: []}}
"#,
    );
    assert!(!summary.passed());
    insta::assert_snapshot!(summary);
}

const PROMISES: &str = r#"
slas:
  - {name: gold, when: service.tier == "gold", targets: {P1: {response: 15m, resolution: 4h}}, pause: [waiting_for_customer]}
tests:
  - name: what was promised of a shop
    cmdb: {teams: [{id: net, mail: [net@example.org]}], items: [{id: shop, class: service, tier: gold, criticality: high, owner: net},
           {id: web-1, owner: net}, {id: web-2, owner: net}], contracts: []}
    steps:
      - {at: 0s, expect: {sla: []}}
      - {at: 0s, fire: {name: ShopDown, severity: critical, labels: {ci: shop}}}
      - {at: 10m, expect: {sla: [{name: gold, ci: shop, kind: sla, service: shop, target: response, state: running, percent: 66},
                                 {target: resolution, state: running, deadline: 2026-01-05T13:00:00Z}]}}
      - {at: 12m, do: {acknowledge: shop}}
      - {at: 20m, do: {hold: shop, reason: waiting_for_customer}}
      - {at: 1h, expect: {sla: [{target: response, state: met}, {target: resolution, state: paused}]}}
      - {at: 1h, do: {resume: shop}}
      - {at: 5h, expect: {sla: [{target: response, state: met}, {target: resolution, state: breached}]}}
"#;

#[test]
fn expected_promises_are_those_of_all_incidents_and_a_test_that_is_wrong_about_one_fails() {
    let summary = tried(PROMISES);
    assert!(summary.passed(), "{summary}");
    for (right, wrong, said) in [
        ("state: paused", "state: running", "state: expected running"),
        ("percent: 66", "percent: 60", "percent: expected 60"),
        ("kind: sla", "kind: uc", "kind: expected uc"),
        ("service: shop,", "service: web,", "service: expected web"),
        ("deadline: 2026-01-05T13:00:00Z", "deadline: 2026-01-05T14:00:00Z", "deadline: expected 2026-01-05T14:00:00"),
        ("{target: response, state: met}, {target: resolution, state: breached}", "{target: response}", "sla: 1 expected, 2 there"),
        ("state: breached", "state: met", "state: expected met"),
    ] {
        assert!(PROMISES.contains(right), "{right}");
        let summary = tried(&PROMISES.replace(right, wrong));
        assert!(!summary.passed() && summary.to_string().contains(said), "{wrong}: {summary}");
    }
}

const CLINIC: &str = include_str!("../fixtures/organisations/clinic/rules.yaml");

#[test]
fn rules_of_a_clinic_that_a_later_version_will_know_are_the_only_faults_of_its_file() {
    organisation::only_later_is_refused(CLINIC);
}

#[test]
fn the_tests_of_a_clinic_pass_without_what_a_later_version_will_know() {
    let summary = organisation::tried_without_later(CLINIC, include_str!("../fixtures/organisations/clinic/cmdb.yaml"));
    assert!(summary.passed(), "{summary}");
    assert_eq!(summary.trials.len(), 3);
}
