//! Every word of the rule language with its status: what works is taken, and what does not work yet says so with what to do until then, never "unknown".

use watchkeeper_engine::cmdb::Inventory;
use watchkeeper_engine::cmdb::files;
use watchkeeper_engine::policy;
use watchkeeper_engine::source::{Diagnostic, SourceFile};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Works,
    NotYet,
}

use Status::{NotYet, Works};

/// Places where words stand: `…` is replaced by what is tried.
const CORRELATE: &str = "correlate: [{name: x, …}]";
const NOTIFY: &str = "notify: [{name: x, to: owner, …}]";
const TO: &str = "notify: [{name: x, to: […]}]";
const SEND: &str = "notify: [{name: x, to: owner, send: […]}]";
const WHEN: &str = "notify: [{name: x, to: owner, when: '…'}]";
const SLA: &str = "slas: [{name: x, targets: {P1: {resolution: 4h}}, …}]";
const PROBLEM: &str = "problems: [{name: x, same: [ci], …}]";
const FORMAT: &str = "formats: [{name: x, alert: {name: item.code}, …}]";
const CALENDAR: &str = "calendars: {x: {zone: UTC, open: {…}}}";
const SILENCE: &str = "silences: [{name: x, when: ci.known, …}]";
const STEP: &str = "tests: [{name: x, steps: [{at: 0s, …}]}]";
const DO: &str = "tests: [{name: x, steps: [{at: 0s, do: {…}}]}]";
const INCIDENT: &str = "tests: [{name: x, steps: [{at: 0s, expect: {incidents: [{…}]}}]}]";
const ALERT: &str = "tests: [{name: x, steps: [{at: 0s, expect: {alerts: [{…}]}}]}]";
const EXPECT: &str = "tests: [{name: x, steps: [{at: 0s, expect: {…}}]}]";
const FILE: &str = "…";

const WORDS: &[(&str, &[(Status, &str)])] = &[
    (
        FILE,
        &[
            (Works, "severities: {critical: [page, disaster], warning: [unknown]}"),
            (Works, "priorities: {high: {high: P1}}"),
            (Works, "holidays: {x: {dates: [2026-10-03]}}"),
            (Works, "scope: {when: ci.known}"),
            (Works, "identify: [{name: x, from: alert.labels.asset, note: a word, disabled: true}]"),
            (
                Works,
                "capacity: [{name: x, every: {cron: \"0 6 * * fri#L\", zone: UTC}, query: up, history: 28d, above: 90, lead_time: 14d}]",
            ),
            (NotYet, "rotas: []"),
            (NotYet, "enrich: []"),
            (NotYet, "inhibit: []"),
            (NotYet, "maintenance: []"),
            (NotYet, "storms: []"),
            (NotYet, "majors: []"),
            (NotYet, "heartbeats: []"),
            (NotYet, "reports: []"),
        ],
    ),
    (
        CORRELATE,
        &[
            (Works, "matchers: ['alertname=\"X\"', 'site=~\"ber.*\"']"),
            (Works, "means: down, explains: downstream, urgency: {critical: high, else: low}, for: 3m20s"),
            (Works, "group_by: [ci, rule, service, alert.labels.chain], group_wait: 30s, join_within: 1h, adopt_within: 10m"),
            (Works, "resolve_after: 5m, reopen_within: 4h, close_after: 3d, expire_after: 24h, action: record"),
            (Works, "title: \"{{ci.id}}\", runbook: \"https://x/{{ci.class}}\""),
            (NotYet, "flapping: {changes: 6}"),
            (NotYet, "priority: P1"),
            (NotYet, "team: net"),
        ],
    ),
    (
        NOTIFY,
        &[
            (Works, "template: business"),
            (Works, "digest: morning"),
            (Works, "digest: {cron: \"0 8 * * mon-fri\", zone: UTC}"),
            (NotYet, "during: office"),
            (NotYet, "repeat_interval: 30m"),
            (NotYet, "escalate: [{after: 10m, to: [owner]}]"),
        ],
    ),
    (
        TO,
        &[
            (Works, "owner, oncall, lead, assignee, stakeholders, vendor, \"team:x\", \"person:x\", \"hook:x\", x@example.org"),
            (NotYet, "\"oncall:network\""),
        ],
    ),
    (
        SEND,
        &[
            (Works, "opened, reopened, raised, affected, released, acknowledged, assigned, held, sla_warning, sla_breached"),
            (Works, "resolved, closed, problem_opened, problem_recurred, fix_failed"),
            (NotYet, "reminder"),
            (NotYet, "unacknowledged"),
            (NotYet, "update"),
            (NotYet, "joined"),
            (NotYet, "flapping"),
            (NotYet, "storm"),
            (NotYet, "major"),
            (NotYet, "known_error"),
            (NotYet, "problem_closed"),
        ],
    ),
    (
        WHEN,
        &[
            (Works, "alert.source == \"x\" && alert.severity == \"critical\" && alert.starts_at < at && alert.count > 1"),
            (Works, "alert.summary + alert.key + alert.url + alert.value + alert.annotations.x + alert.name != \"\""),
            (Works, "ci.criticality == \"high\" && ci.health == \"at_risk\" && ci.domain + ci.environment + ci.owner != \"\""),
            (Works, "service.tier == \"gold\" && service.health == \"down\" && service.labels.x == \"\" && service.domain == \"\""),
            (Works, "incident.state == \"new\" && incident.impact == \"high\" && incident.urgency == \"low\" && incident.rule == \"x\""),
            (Works, "incident.team == incident.assignee && incident.alerts > incident.symptoms && incident.age > duration(\"5m\")"),
            (
                Works,
                "incident.acknowledged || incident.major || incident.reopened > 0 || incident.hold != \"\" || incident.problem != \"\"",
            ),
            (Works, "sla.kind == \"uc\" && sla.target == \"response\" && sla.percent >= 75 && sla.name + sla.service != \"\""),
            (Works, "host(alert.labels.instance) == workload(first(lower(ci.id), \"x\")) && cidr(\"10.0.0.1\", \"10.0.0.0/8\")"),
            (NotYet, "problem.state == \"open\""),
            (NotYet, "lookup(\"t.csv\", ci.id, \"rack\") == \"\""),
            (NotYet, "open(\"office\")"),
        ],
    ),
    (
        SLA,
        &[
            (Works, "pause: [waiting_for_customer, waiting_for_vendor, waiting_for_change], warn_at: [50%, 75%], calendar: always"),
            (Works, "kind: sla"),
            (Works, "kind: uc, contract: acme-net"),
            (NotYet, "kind: ola"),
            (NotYet, "team: network"),
            (NotYet, "pause: [maintenance]"),
        ],
    ),
    (PROBLEM, &[(Works, "incidents: 3, within: 7d, quiet_after_fix: 14d"), (NotYet, "team: net")]),
    (FORMAT, &[(Works, "items: body.events"), (NotYet, "test: {}")]),
    (CALENDAR, &[(Works, "mon-thu: [\"09:00-12:00\", \"13:00-17:00\"], fri: \"09:00-15:00\""), (Works, "daily: \"09:00-17:00\"")]),
    (
        SILENCE,
        &[
            (Works, "every: {cron: \"0 1 * * tue#2\", zone: Europe/Berlin, lasts: 2h}, comment: x"),
            (Works, "from: 2026-01-05T09:00:00Z, until: 2026-01-06T09:00:00Z"),
        ],
    ),
    (
        STEP,
        &[
            (Works, "fire: {name: X, severity: critical, labels: {instance: x}}"),
            (Works, "clear: {name: X}"),
            (Works, "post: {format: x, body: {}}"),
            (Works, "query: full, series: {\"instance=db-1\": [[-28d, 60], [0d, 88]]}"),
            (NotYet, "change: {}"),
        ],
    ),
    (
        DO,
        &[
            (Works, "acknowledge: sw-1, as: anna"),
            (Works, "hold: sw-1, reason: waiting_for_vendor"),
            (NotYet, "merge: sw-1"),
            (NotYet, "major: sw-1"),
            (NotYet, "silence: sw-1"),
        ],
    ),
    (
        INCIDENT,
        &[
            (Works, "ci: x, state: on_hold, priority: P1, symptoms: [y], because: z, services: [], recurrence: false, sla: []"),
            (NotYet, "problem: PRB1"),
            (NotYet, "major: true"),
            (NotYet, "hold: waiting_for_vendor"),
        ],
    ),
    (ALERT, &[(Works, "name: x, ci: y, state: suppressed, muted_by: z"), (NotYet, "state: flapping")]),
    (
        EXPECT,
        &[
            (Works, "sla: [{name: gold, ci: x, kind: sla, service: shop, target: response, state: paused, percent: 50}]"),
            (Works, "sla: [{state: met}, {state: breached, deadline: 2026-01-05T13:00:00Z}, {state: running}]"),
            (Works, "problems: [{rule: x, ci: y, state: new, incidents: 3, title: z}]"),
            (Works, "mails: [{to: x@example.org, reason: opened, subject: y, ci: z, template: short}]"),
        ],
    ),
];

fn check(status: Status, text: &str, found: &[Diagnostic]) {
    let errors: Vec<&Diagnostic> = found.iter().filter(|found| found.is_error()).collect();
    match status {
        Works => assert!(errors.is_empty(), "{text}\n{errors:#?}"),
        NotYet => {
            let is_said = |found: &&Diagnostic| {
                found.label == "not yet"
                    && found.message.ends_with("is not yet supported")
                    && found.help.as_ref().is_some_and(|help| help.contains("until then "))
            };
            assert!(!errors.is_empty() && errors.iter().all(is_said), "{text}\n{errors:#?}");
        }
    }
}

#[test]
fn each_word_of_the_language_works_or_says_that_it_does_not_yet_and_what_to_do_until_then() {
    for (place, words) in WORDS {
        for (status, word) in *words {
            let text = place.replace('…', word);
            check(*status, &text, &policy::check(&[SourceFile::new("rules/a.yaml", text.as_str())], Default::default()).found);
        }
    }
    for (status, text) in [
        (Works, "teams: [{id: x, mail: [x@example.org], zone: UTC}]"),
        (NotYet, "teams: [{id: x, domain: shops}]"),
        (NotYet, "teams: [{id: x, language: de}]"),
        (NotYet, "contracts: [{id: x, reference: \"0815\"}]"),
    ] {
        let found = files::check_sources(&source(&[SourceFile::new("cmdb/a.yaml", text)]), &Inventory::default(), Default::default()).found;
        check(status, text, &found);
    }
    let csv = [SourceFile::new("cmdb/teams.csv", "id,domain\nx,shops\n")];
    check(NotYet, "teams.csv", &files::check_sources(&source(&csv), &Inventory::default(), Default::default()).found);
}

fn source(files: &[SourceFile]) -> [files::Source<'_>; 1] {
    [files::Source { name: files::FILES, files }]
}

/// What is refused by name has a line in the table above, and stands in the list of the languages' pages.
#[test]
fn every_key_that_is_not_yet_known_is_tried_and_stands_on_its_page() {
    let tried: Vec<&str> =
        WORDS.iter().flat_map(|(_, words)| *words).filter(|(status, _)| *status == NotYet).map(|(_, word)| *word).collect();
    let page = include_str!("../../rules/README.md");
    let not_yet = page.split("## Not yet").nth(1).expect("the page says what does not work yet");
    let later = policy::later();
    assert!(later.len() > 20, "{later:?}");
    for (what, key) in later {
        assert!(tried.iter().any(|word| word.starts_with(&format!("{key}:"))), "`{key}` of {what} is tried");
        assert!(not_yet.contains(&format!("`{key}`")), "`{key}` of {what} stands under \"Not yet\"");
    }
}

#[test]
fn a_cmdb_file_among_the_rules_is_said_to_belong_elsewhere() {
    let text = "people: [{id: anna}]\nteams: [{id: net}]\n";
    let found = policy::check(&[SourceFile::new("rules/people.yaml", text)], Default::default()).found;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].message.contains("belongs in a CMDB file") && found[0].help.as_ref().unwrap().contains("cmdb"));
}

#[test]
fn the_last_friday_has_one_spelling() {
    let fault = |cron: &str| watchkeeper_engine::schedule::Schedule::parse(cron, "UTC").err();
    assert_eq!(fault("* * * * fri#L"), None);
    for (cron, spelling) in [("* * * * MONL", "mon#L"), ("* * * * 5L", "5#L")] {
        let fault = fault(cron).unwrap_or_else(|| panic!("{cron} is taken"));
        assert!(fault.contains(spelling), "{fault}");
    }
}

/// Every key stands on the page of the CMDB files, in the table of its section, and no other.
#[test]
fn the_page_of_the_cmdb_files_knows_exactly_the_keys_that_are_read() {
    let page = include_str!("../../cmdb/README.md");
    let schema = files::schema();
    let keys = |of: &serde_json::Value| -> Vec<String> {
        let mut keys: Vec<String> = of["properties"].as_object().expect("an object").keys().cloned().collect();
        keys.sort();
        keys
    };
    let items = |section: &str| schema["properties"][section]["items"].clone();
    let sections = ["people", "teams", "items", "contracts"];
    assert_eq!(keys(&schema), {
        let mut known = sections.to_vec();
        known.sort_unstable();
        known
    });
    let relations = items("items")["properties"]["relations"]["items"].clone();
    for (section, shape) in sections.map(|section| (section, items(section))).into_iter().chain([("relations", relations)]) {
        let table = page.split(&format!("\n## {section}\n")).nth(1).unwrap_or_else(|| panic!("a part on {section}"));
        let rows = table.split("\n## ").next().unwrap_or_default().lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        let mut told: Vec<String> = rows.map(str::to_owned).collect();
        told.sort();
        assert_eq!(told, keys(&shape), "{section}");
    }
    let example = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let found = files::check_sources(&source(&[SourceFile::new("cmdb/a.yaml", example)]), &Inventory::default(), Default::default()).found;
    assert!(found.is_empty(), "{found:#?}");
}
