//! `check`: every fault of every file in one round, whichever of them hides what, and the files that the configuration names.

use crate::daemon::Folder;

/// A file that breaks off in the middle of a rule, goes on with another section that has a fault of its own, and would define a calendar.
const BROKEN: &str = "\
notify:
  - {name: whole, to: owner, sned: [opened]}
  - {name: broken, to: [owner
    # the team's calendar would be here
calendars:
  late: {zone: UTC, open: {mon-fri: \"09:00-17:00\"
silences:
  - {name: nightly, whn: ci.known}
";

const NAMES: &str = "\
notify:
  - {name: page, to: [\"team:netz\", \"person:ana\", \"team:late\"], template: busines}
holidays:
  here: {ics: here.ics, only: [Neujahrr]}
calendars:
  office: {zone: UTC, open: {mon-fri: \"09:00-17:00\"}, holidays: [there]}
slas:
  - {name: gold, calendar: offise, targets: {P1: {resolution: 8bh}}}
  - {name: late, calendar: late, targets: {P1: {resolution: 8bh}}}
  - {name: vendor, kind: uc, contract: acme, targets: {P1: {resolution: 8h}}}
capacity:
  - {name: full, every: {cron: \"0 6 * * *\", zone: UTC}, prometheus: man, query: up, above: 90}
correlate:
  - {name: typo, when: ci.clas == \"switch\"}
formats:
  - {name: cloudevents, alert: {nam: item.code}}
";

const ICS: &str = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:Neujahr\nDTSTART;VALUE=DATE:20260101\nEND:VEVENT\nEND:VCALENDAR\n";

const CMDB: &str = "\
people: [{id: anna, mail: [anna@example.org]}]
teams: [{id: net, mail: [net@example.org], led: anna}]
items: [{id: sw-1, owner: nett}]
contracts: [{id: acme-net}]
";

/// A configuration with a fault of its own, a webhook without its format, and one Prometheus.
fn configuration(folder: &Folder) {
    let text = std::fs::read_to_string(folder.path("daemon.toml")).unwrap();
    let more = "[limits]\nconections = 5\n[[webhook]]\nname = \"door\"\nformat = \"bilding\"\n[[prometheus]]\nname = \"main\"\nurl = \"http://localhost:9090\"\n";
    folder.write("daemon.toml", &format!("{text}{more}"));
}

#[test]
fn one_fault_of_each_kind_in_different_files_is_seen_in_one_round() {
    let folder = Folder::new();
    configuration(&folder);
    folder.write("rules/a.yaml", BROKEN);
    folder.write("rules/b.yaml", NAMES);
    folder.write("rules/here.ics", ICS);
    std::fs::write(folder.path("rules/c.yaml"), b"problems:\n  - {name: M\xfcll, same: [rool]}\n").unwrap();
    folder.write("cmdb/items.yaml", CMDB);
    folder.write("cmdb/late.yaml", "teams:\n  - {id: late\n");
    folder.write("cmdb/more.csv", "id,colour\nsw-2,red\n");
    folder.write("templates/own.text.hbs", "{{#if}}");
    let ran = folder.cli(&["check", "--format", "github"]);
    assert_eq!(ran.code(), 1);
    for expected in [
        "daemon.toml,line=8,col=1::unknown key `conections` in [limits]",
        "daemon.toml,line=11,col=10::the webhook `door` has the unknown format `bilding`",
        "file=rules/a.yaml,line=2,col=30::unknown key `sned` in a notify rule",
        "file=rules/a.yaml,line=3,col=24::the `[` that begins here is never closed",
        "file=rules/a.yaml,line=6,col=27::the `{` that begins here is never closed",
        "warning file=rules/a.yaml,line=8,col=6::this silence has no condition",
        "file=rules/a.yaml,line=8,col=21::unknown key `whn` in a silence",
        "file=rules/b.yaml,line=2,col=23::notify rule `page` tells team:netz, which the CMDB does not know",
        "file=rules/b.yaml,line=2,col=36::notify rule `page` tells person:ana, which the CMDB does not know; did you mean `person:anna`?",
        "file=rules/b.yaml,line=2,col=74::notify rule `page` names the template `busines`, which does not exist; did you mean `business`?",
        "file=rules/b.yaml,line=4,col=32::unknown event of that file `Neujahrr`",
        "file=rules/b.yaml,line=6,col=66::unknown holidays `there`",
        "file=rules/b.yaml,line=8,col=28::unknown calendar `offise`",
        "warning file=rules/b.yaml,line=9,col=12::SLA `late` is never asked: `gold` stands before it and has no condition",
        "file=rules/b.yaml,line=10,col=40::SLA `vendor` names the contract `acme`, which the CMDB does not know; did you mean `acme-net`?",
        "file=rules/b.yaml,line=12,col=69::capacity rule `full` asks the unknown Prometheus `man`; did you mean `main`?",
        "file=rules/b.yaml,line=14,col=27::`ci` has no field `clas`",
        "file=rules/b.yaml,line=16,col=12::`cloudevents` is a format that the daemon reads itself",
        "file=rules/b.yaml,line=16,col=33::unknown key `nam` in `alert` of a format",
        "file=rules/b.yaml,line=16,col=32::`alert` of a format needs `name`",
        "file=rules/c.yaml,line=2,col=13::byte 22 (0xfc) is not UTF-8",
        "file=rules/c.yaml,line=2,col=25::unknown word of `same` `rool`",
        "file=cmdb/items.yaml,line=2,col=44::unknown key `led` in a team",
        "file=cmdb/items.yaml,line=3,col=27::unknown team `nett`",
        "file=cmdb/late.yaml,line=2,",
        "file=cmdb/more.csv,line=1,col=4::unknown column `colour` in a CI",
        "file=templates/own.text.hbs,line=1,",
    ] {
        assert!(ran.out().contains(expected), "{expected}\n\n{}", ran.out());
    }
    for (hidden, why) in [
        ("team:late", "it may be in the CMDB file that cannot be read"),
        ("calendar `late`", "it may be in the rules file that cannot be read"),
    ] {
        assert!(!ran.out().contains(hidden), "{hidden}: {why}\n\n{}", ran.out());
    }
    assert_eq!(ran.out().lines().count(), 27, "and nothing else: {}", ran.out());
    let drawn = folder.cli(&["check"]).out();
    assert!(drawn.contains("until then lines 3 to 4 are not checked"), "{drawn}");
}

const SLIPS: &str = "\
identify:
  - {name: lift, when: alert.source == \"buildin\", from: alert.labels.asset}
correlate:
  - {name: class, when: 'ci.class in [\"host\", \"swich\"]', title: \"{{ci.labels.sitte}}\"}
  - {name: owner, when: ci.owner != \"netopps\" && has(ci.labels.rak)}
  - {name: label, when: 'ci.labels.site == \"Berlim\"', group_by: [ci, ci.labels.buildng]}
  - {name: place, when: 'ci.environment == \"stagging\" || ci.domain == \"campuss\" || \"sw-9\" == ci.id'}
  - {name: named, matchers: ['ci=\"sw-11\"']}
  - {name: off, disabled: true, when: ci.class == \"planned\"}
slas:
  - {name: gold, when: service.tier == \"golld\", targets: {P1: {response: 15m}}}
notify:
  - {name: sla, when: sla.name == \"goold\", to: [owner]}
  - name: rest
    to: [owner]
    when: >-
      incident.rule == \"clas\" || incident.team == \"dbb\" || \"shopp\" in incident.services
      || incident.hold == \"waiting_for_vendors\" || incident.assignee == \"ana\"
";

const SLIPPED: &str = "\
people: [{id: anna}]
teams: [{id: netops, calendar: offise}, {id: db, calendar: always}]
items:
  - {id: sw-1, class: switch, owner: netops, domain: campus, labels: {site: Berlin, rack: '7'}}
  - {id: db-1, class: host, owner: db, environment: staging}
  - {id: shop, class: service, owner: db, tier: gold}
";

#[test]
fn a_word_that_nothing_is_called_is_a_warning_with_the_nearest_known_one() {
    let folder = Folder::new();
    let text = std::fs::read_to_string(folder.path("daemon.toml")).unwrap();
    folder.write("daemon.toml", &format!("{text}[[webhook]]\nname = \"building\"\nformat = \"alertmanager\"\n"));
    folder.write("rules/rules.yaml", "");
    folder.write("rules/a.yaml", SLIPS);
    folder.write("cmdb/items.yaml", SLIPPED);
    let ran = folder.cli(&["check", "--format", "github"]);
    assert_eq!(ran.code(), 0, "a warning refuses nothing: {}", ran.out());
    let expected = [
        "rules/a.yaml,line=2,col=40::daemon.toml has no source `buildin`; did you mean `building`?",
        "rules/a.yaml,line=4,col=47::no CI has the class `swich`; did you mean `switch`?",
        "rules/a.yaml,line=4,col=68::no CI has the label `sitte`; did you mean `site`?",
        "rules/a.yaml,line=5,col=37::the CMDB has no team `netopps`; did you mean `netops`?",
        "rules/a.yaml,line=5,col=54::no CI has the label `rak`; did you mean `rack`?",
        "rules/a.yaml,line=6,col=44::no CI has the label `site` with `Berlim`; did you mean `Berlin`?",
        "rules/a.yaml,line=6,col=70::no CI has the label `buildng`",
        "rules/a.yaml,line=7,col=44::no CI has the environment `stagging`; did you mean `staging`?",
        "rules/a.yaml,line=7,col=71::no CI has the domain `campuss`; did you mean `campus`?",
        "rules/a.yaml,line=7,col=84::no CI has the id `sw-9`; did you mean `sw-1`?",
        "rules/a.yaml,line=8,col=31::no CI has the id or alias `sw-11`; did you mean `sw-1`?",
        "rules/a.yaml,line=11,col=40::no service has the tier `golld`; did you mean `gold`?",
        "rules/a.yaml,line=13,col=35::no SLA has the name `goold`; did you mean `gold`?",
        "rules/a.yaml,line=17,col=24::no correlate rule has the name `clas`; did you mean `class`?",
        "rules/a.yaml,line=17,col=51::the CMDB has no team `dbb`; did you mean `db`?",
        "rules/a.yaml,line=17,col=60::no service has the id `shopp`; did you mean `shop`?",
        "rules/a.yaml,line=18,col=27::no incident is held for the reason `waiting_for_vendors`; did you mean `waiting_for_vendor`?",
        "rules/a.yaml,line=18,col=73::the CMDB has no person or team `ana`; did you mean `anna`?",
        "cmdb/items.yaml,line=2,col=32::no rule file has the calendar `offise`; known are",
    ];
    let said = ran.out();
    for expected in expected {
        assert!(said.contains(expected), "{expected}\n\n{said}");
    }
    // Beside them stands only that a team's calendar does nothing yet.
    assert_eq!(said.lines().filter(|line| !line.contains("does nothing yet")).count(), expected.len(), "and nothing else: {said}");
    let drawn = folder.cli(&["check"]).out();
    assert!(drawn.contains("known are host, service, switch") && drawn.contains("^^^^^^^ did you mean `switch`?"), "{drawn}");
}

#[test]
fn rules_without_a_cmdb_and_words_that_may_be_where_nobody_could_look_are_not_missed() {
    let folder = Folder::new();
    let rules = SLIPS.lines().take_while(|line| *line != "notify:").map(|line| format!("{line}\n")).collect::<String>();
    folder.write("rules/rules.yaml", "");
    folder.write("cmdb/items.yaml", "");
    folder.write("rules/a.yaml", &rules);
    let alone = folder.cli(&["check"]);
    assert!(alone.code() == 0 && alone.err().contains("no fault found"), "{}{}", alone.out(), alone.err());
    let known = "correlate: [{name: a, when: 'ci.environment != \"production\" && ci.class != \"service\" && ci.owner != \"\" && ci.id != \"legacy-77\"'}]\n";
    folder.write("rules/a.yaml", known);
    folder.write("cmdb/items.yaml", "items: [{id: db-1}]\n");
    let known = folder.cli(&["check"]);
    assert!(known.code() == 0 && known.err().contains("no fault found"), "{}{}", known.out(), known.err());
    folder.write("rules/a.yaml", "correlate: [{name: a, when: ci.class == \"late\"}, {name: b, when: ci.class == \"never\"}]\n");
    folder.write("cmdb/more.yaml", "items:\n  - {id: x, class: late\n");
    let broken = folder.cli(&["check", "--format", "github"]).out();
    assert!(!broken.contains("`late`") && broken.contains("no CI has the class `never`"), "{broken}");
}

#[test]
fn a_class_of_one_ci_that_is_a_letter_from_one_of_many_is_a_warning_and_a_number_is_not() {
    let folder = Folder::new();
    let item = |n: usize, words: &str| format!("  - {{id: h{n}, {words}}}\n");
    let items = (0..6).map(|n| item(n, "class: host2, environment: production")).collect::<String>();
    let odd =
        item(6, "class: hosst2, environment: prodution") + &item(7, "class: host1, environment: staging") + &item(8, "class: ghost2s");
    folder.write("rules/rules.yaml", "");
    folder.write("cmdb/items.yaml", &format!("items:\n{items}{odd}"));
    let ran = folder.cli(&["check", "--format", "github"]);
    let said = ran.out();
    assert_eq!(ran.code(), 0, "{said}");
    for expected in [
        "cmdb/items.yaml,line=8,col=21::`h6` alone has the class `hosst2`; did you mean `host2`?",
        "cmdb/items.yaml,line=8,col=42::`h6` alone has the environment `prodution`; did you mean `production`?",
    ] {
        assert!(said.contains(expected), "{expected}\n\n{said}");
    }
    assert_eq!(said.lines().count(), 2, "{said}");
}

/// What ships gives no false alarm.
#[test]
fn the_shipped_rules_and_cmdb_have_no_warning() {
    let folder = Folder::new();
    let shipped = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let ran = folder.binary(shipped, &[], &["check", ".", "--format", "github"]);
    // Without a daemon.toml there is no Prometheus.
    let said: Vec<String> = ran.out().lines().filter(|line| !line.contains("daemon.toml names no Prometheus")).map(str::to_owned).collect();
    assert_eq!((ran.code(), said), (0, Vec::new()), "{}", ran.err());
}

#[test]
fn a_check_looks_at_the_folders_that_the_configuration_names_wherever_it_stands() {
    let folder = Folder::new();
    let text = std::fs::read_to_string(folder.path("daemon.toml")).unwrap();
    folder.write("etc/wk.toml", &format!("{text}[files]\nrules = \"../policy\"\n"));
    folder.write("policy/a.yaml", "notify: [{name: page, to: [ownr]}]\n");
    std::fs::create_dir(folder.path("elsewhere")).unwrap();
    let config = folder.path("etc/wk.toml").display().to_string();
    let elsewhere = folder.path("elsewhere");
    for ran in [
        folder.binary(&elsewhere, &[], &["check", "--config", &config]),
        folder.binary(&elsewhere, &[("WATCHKEEPER_CONFIG", &config)], &["check"]),
    ] {
        assert_eq!(ran.code(), 1, "{}", ran.err());
        assert!(ran.out().contains("unknown recipient `ownr`") && ran.out().contains("policy/a.yaml:1:28"), "{}", ran.out());
        assert!(ran.err().contains("wk.toml, ") && ran.err().contains("policy (1 file)"), "{}", ran.err());
    }
    let tested = folder.binary(&elsewhere, &[], &["test", "--config", &config]);
    assert_eq!(tested.code(), 1, "{}", tested.err());
    let missing = folder.binary(&elsewhere, &[], &["check", "--config", "/nowhere/wk.toml"]);
    assert!(missing.code() == 1 && missing.out().contains("it cannot be read"), "{}", missing.out());
    // A folder that is named is looked at, whatever the environment names.
    assert_eq!(folder.binary(&elsewhere, &[("WATCHKEEPER_CONFIG", &config)], &["check", ".."]).code(), 0);
}

#[test]
fn where_there_is_nothing_to_check_a_check_says_so_and_does_not_pass() {
    let folder = Folder::new();
    // Somebody else's tree, such as the root of a chroot.
    folder.write("tree/proc/1/limits.yaml", "no: rules\n");
    let tree = folder.path("tree");
    for arguments in [&["check"][..], &["check", "."]] {
        let ran = folder.binary(&tree, &[], arguments);
        assert_eq!((ran.code(), ran.out().as_str()), (64, ""), "{}", ran.err());
        assert!(ran.err().contains("nothing to check"), "{}", ran.err());
    }
    folder.write("tree/rules.yaml", "notify: [{name: page, to: owner}]\n");
    std::fs::create_dir(folder.path("tree/tests")).unwrap();
    folder.write("tree/tests/more.yaml", "notify: [{name: more, to: owner}]\n");
    std::fs::remove_dir_all(folder.path("tree/proc")).unwrap();
    std::os::unix::fs::symlink("/proc", folder.path("tree/proc")).unwrap();
    let alone = folder.binary(&tree, &[], &["check"]);
    assert!(alone.code() == 0 && alone.err().contains("(2 files): no fault found"), "{}", alone.err());
    std::fs::remove_dir_all(folder.path("rules")).unwrap();
    std::fs::create_dir(folder.path("rules")).unwrap();
    let empty = folder.cli(&["check"]);
    assert!(empty.code() == 0 && empty.err().contains("rules (no file)"), "an empty folder of rules is said: {}", empty.err());
}

#[test]
fn what_0_1_shipped_still_loads_and_its_rule_tests_still_pass() {
    let folder = Folder::new();
    let shipped = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/shipped-0.1");
    let checked = folder.binary(&shipped, &[], &["check", "--config", "daemon.toml"]);
    assert_eq!(checked.code(), 0, "{}{}", checked.out(), checked.err());
    let tested = folder.binary(&shipped, &[], &["test", "."]);
    assert_eq!(tested.code(), 0, "{}{}", tested.out(), tested.err());
}
