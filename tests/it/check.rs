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
    assert_eq!(ran.out().lines().count(), 26, "and nothing else: {}", ran.out());
    let drawn = folder.cli(&["check"]).out();
    assert!(drawn.contains("until then lines 3 to 4 are not checked"), "{drawn}");
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
