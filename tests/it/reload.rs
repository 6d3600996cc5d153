//! Files that operators edit: what is whole comes into force by itself, and nothing else ever does.

use std::io::Write as _;

use rustix::process::Signal;

use crate::daemon::{Folder, until};

const NEXT: &str = r#"correlate:
  - name: next
    when: alert.name == "Next"
    means: degraded
    title: "{{ci.id}} is next"
notify:
  - name: all
    when: incident.priority in ["P1", "P2"]
    to: [owner]
"#;

#[test]
fn a_file_renamed_into_place_or_written_and_closed_comes_into_force_by_itself() {
    let folder = Folder::new();
    let _daemon = folder.start();
    let first = folder.policy();
    folder.rename_into("rules/rules.yaml", NEXT);
    until("the renamed file is in force", || folder.policy() != first);
    let second = folder.policy();
    folder.write("rules/more.yaml", "correlate: [{name: more, when: alert.name == \"More\"}]\n");
    until("the written file is in force", || folder.policy() != second);
    assert!(folder.cli(&["rules"]).well().contains("more"));
}

#[test]
fn a_file_that_is_still_being_written_is_never_read() {
    let folder = Folder::new();
    let _daemon = folder.start();
    let before = folder.policy();
    let mut copy = std::fs::File::create(folder.path("rules/rules.yaml")).unwrap();
    copy.write_all(&NEXT.as_bytes()[..1]).unwrap();
    let refused = || folder.post("/-/reload", "").unwrap();
    until("the daemon has heard of the copy", || refused().contains("still being written"));
    for byte in &NEXT.as_bytes()[1..] {
        copy.write_all(&[*byte]).unwrap();
        let answer = refused();
        assert!(answer.starts_with("HTTP/1.1 422") && answer.contains("still being written"), "{answer}");
        assert!(answer.contains(&format!("the running policy {before}")), "{answer}");
    }
    assert_eq!(folder.policy(), before);
    drop(copy);
    until("the closed file is in force", || folder.policy() != before);
}

#[test]
fn whatever_a_file_is_cut_to_only_a_set_without_a_fault_comes_into_force() {
    let folder = Folder::new();
    let _daemon = folder.start();
    let (mut refused, mut running) = (0, folder.policy());
    for end in 1..NEXT.len() {
        folder.rename_into("rules/rules.yaml", &NEXT[..end]);
        let answer = folder.post("/-/reload", "").unwrap();
        let checked = folder.cli(&["check", &folder.path(".").display().to_string()]);
        if answer.starts_with("HTTP/1.1 200") {
            assert_eq!(checked.code(), 0, "{end}: {}", checked.out());
            running = folder.policy();
        } else {
            refused += 1;
            assert!(answer.starts_with("HTTP/1.1 422"), "{end}: {answer}");
            assert!(answer.contains("rules/rules.yaml:"), "{end}: {answer}");
            // What has no fault by itself may still lose rules in a way that nobody means.
            assert!(checked.code() == 1 || answer.contains("these rules would go"), "{end}: {answer}");
            assert_eq!(folder.policy(), running, "{end}: {answer}");
        }
    }
    assert!(refused > NEXT.len() / 2, "{refused} of {} cuts were refused", NEXT.len());
}

#[test]
fn a_file_that_says_where_it_ends_is_refused_when_it_is_cut_wherever_that_is() {
    let folder = Folder::new();
    let _daemon = folder.start();
    let marked = format!("{NEXT}...\n");
    folder.rename_into("rules/rules.yaml", &marked);
    folder.cli(&["reload"]).well();
    let whole = folder.policy();
    // The end of a line, behind a whole rule: nothing else would tell.
    let end = marked.find("notify:").unwrap();
    folder.rename_into("rules/rules.yaml", &marked[..end]);
    let refused = folder.cli(&["reload"]);
    assert_eq!((refused.code(), folder.policy()), (1, whole.clone()));
    assert!(refused.err().contains("it may have been cut off") && refused.err().contains("rules.yaml"), "{}", refused.err());
    folder.rename_into("rules/rules.yaml", &marked);
    folder.cli(&["reload"]).well();
    assert_eq!(folder.policy(), whole);
    folder.rename_into("rules/rules.yaml", &marked[..end]);
    folder.cli(&["reload", "--confirm"]).well();
    assert_ne!(folder.policy(), whole);
}

#[test]
fn all_faults_of_all_files_are_answered_at_once() {
    let folder = Folder::new();
    let _daemon = folder.start();
    let before = folder.policy();
    folder.write("rules/rules.yaml", "correlate:\n  - {name: a, when: alert.nam == \"x\", mens: down}\n");
    folder.write("rules/late.yaml", "storms:\n  - {name: site}\n");
    folder.write("cmdb/items.yaml", "items:\n  - {id: sw-1, criticality: hihg}\n");
    folder.write("templates/opened.text.hbs", "{{#if incident}}\n");
    std::fs::write(folder.path("cmdb/latin.yaml"), b"people:\n  - {id: ann, name: Andr\xe9, mail: ann@example.org}\n").unwrap();
    let mut answer = String::new();
    until("every file is closed", || {
        answer = folder.post("/-/reload", "").unwrap();
        !answer.contains("still being written")
    });
    for fault in
        ["unknown key `mens`", "alert.nam", "`storms`", "not yet", "`hihg`", "templates/opened.text.hbs", "byte 32 (0xe9) is not UTF-8"]
    {
        assert!(answer.contains(fault), "{fault}: {answer}");
    }
    assert_eq!(folder.policy(), before);
    let parts = folder.get("/-/ready?verbose").unwrap();
    assert!(parts.starts_with("HTTP/1.1 200") && parts.contains("stays in force"), "{parts}");
    assert!(folder.get("/metrics").unwrap().contains("watchkeeper_reload_last_success 0"));
}

#[test]
fn a_template_that_a_rule_names_and_nobody_has_is_a_fault_at_its_place() {
    let folder = Folder::new();
    let _daemon = folder.start();
    let before = folder.policy();
    folder.rename_into(
        "rules/late.yaml",
        "# template: bussiness\nnotify:\n  - {name: a, to: owner, template: business}\n  - {name: b, to: owner, template: bussiness}\n",
    );
    let checked = folder.cli(&["check", &folder.path(".").display().to_string()]);
    let answer = folder.post("/-/reload", "").unwrap();
    assert_eq!((checked.code(), folder.policy()), (1, before), "{}", checked.out());
    for said in [checked.out(), answer] {
        assert!(said.contains("rules/late.yaml:4:36") && said.contains("did you mean `business`?"), "{said}");
    }
}

#[test]
fn a_rule_file_that_is_deleted_emptied_or_cut_loses_nothing_until_that_is_confirmed() {
    let folder = Folder::new();
    let notify = "notify:\n  - {name: page, when: 'incident.priority == \"P1\"', to: owner}\n  - {name: rest, to: owner}\n";
    folder.write("rules/notify.yaml", notify);
    let _daemon = folder.start();
    let before = folder.policy();
    let refused = |what: &str, rules: &str| {
        let answer = folder.cli(&["reload"]);
        assert_eq!((answer.code(), folder.policy()), (1, before.clone()), "{what}: {}", answer.err());
        assert!(answer.err().contains(rules) && answer.err().contains("watchkeeper reload --confirm"), "{what}: {}", answer.err());
    };
    std::fs::remove_file(folder.path("rules/notify.yaml")).unwrap();
    refused("deleted", "the file is gone, and these rules would go: notify page, notify rest");
    folder.rename_into("rules/notify.yaml", "");
    refused("emptied", "the file is empty now, and these rules would go: notify page, notify rest");
    folder.rename_into("rules/notify.yaml", &notify[..notify.find("  - {name: rest").unwrap()]);
    refused("cut", "these rules would go: notify rest");
    folder.cli(&["reload", "--confirm"]).well();
    assert_ne!(folder.policy(), before);
}

#[test]
fn rules_that_vanish_stay_in_force_until_that_is_confirmed() {
    let folder = Folder::new();
    let _daemon = folder.start();
    let before = folder.policy();
    std::fs::rename(folder.path("rules"), folder.path("elsewhere")).unwrap();
    let gone = folder.cli(&["reload"]);
    assert_eq!((gone.code(), folder.policy()), (1, before.clone()), "{}", gone.err());
    assert!(gone.err().contains("there is no such folder"), "{}", gone.err());

    std::fs::create_dir(folder.path("rules")).unwrap();
    let emptied = folder.cli(&["reload"]);
    assert_eq!((emptied.code(), folder.policy()), (1, before.clone()), "{}", emptied.err());
    assert!(emptied.err().contains("watchkeeper reload --confirm"), "{}", emptied.err());

    folder.cli(&["reload", "--confirm"]).well();
    assert_ne!(folder.policy(), before);
}

#[test]
fn items_that_vanish_in_numbers_are_retired_only_when_that_is_confirmed() {
    let folder = Folder::new();
    let items: String = (0..60).map(|n| format!("  - {{id: host-{n}, class: host}}\n")).collect();
    folder.write("cmdb/more.yaml", &format!("items:\n{items}"));
    let _daemon = folder.start();
    folder.rename_into("cmdb/more.yaml", "items: [{id: host-0, class: host}]\n");
    let refused = folder.cli(&["cmdb", "import"]);
    assert_eq!(refused.code(), 1, "{}", refused.out());
    assert!(refused.err().contains("would retire 59") && refused.err().contains("--confirm"), "{}", refused.err());
    let diff = folder.cli(&["cmdb", "diff"]).well();
    assert!(diff.contains("retired") && diff.contains("59 CIs retired"), "{diff}");
    assert_eq!(folder.cli(&["cmdb", "find", "host-"]).rows(), 60);
    folder.cli(&["cmdb", "import", "--confirm"]).well();
    assert_eq!(folder.cli(&["cmdb", "find", "host-"]).rows(), 1);
}

#[test]
fn a_hang_up_reloads() {
    let folder = Folder::new();
    let daemon = folder.start();
    let before = folder.policy();
    folder.write("rules/rules.yaml", NEXT);
    until("the new rules are in force", || {
        daemon.signal(Signal::HUP);
        folder.policy() != before
    });
}

#[test]
fn a_start_with_faulty_cut_or_vanished_files_runs_on_the_last_good_ones_and_says_so() {
    let folder = Folder::new();
    drop(folder.start());
    let good = std::fs::read_to_string(folder.path("rules/rules.yaml")).unwrap();
    let daemon = folder.start();
    let policy = folder.policy();
    drop(daemon);
    let starts = |what: &str| {
        let _daemon = folder.start();
        assert_eq!(folder.policy(), policy, "{what}");
        let parts = folder.get("/-/ready?verbose").unwrap();
        assert!(parts.contains("stays in force"), "{what}: {parts}");
    };
    folder.write("rules/rules.yaml", "correlate:\n  - {name: down, when: alert.nam == \"x\"}\n");
    starts("faulty");
    folder.write("rules/rules.yaml", &good[..good.len() / 2]);
    starts("cut");
    std::fs::remove_dir_all(folder.path("rules")).unwrap();
    starts("vanished");
    folder.write("rules/rules.yaml", &good);
    folder.write("templates/opened.text.hbs", "{{#each");
    starts("a faulty template");
}

#[test]
fn a_first_start_with_faulty_files_ends_with_78_and_all_faults() {
    let folder = Folder::new();
    folder.write("rules/rules.yaml", "correlate:\n  - {name: a, mens: down}\n  - {name: b, when: alert.nam == \"x\"}\n");
    folder.write("cmdb/items.yaml", "items:\n  - {id: sw-1, criticality: hihg}\n");
    let run = folder.cli(&["run", "--init"]);
    assert_eq!(run.code(), 78, "{}", run.err());
    for fault in ["did you mean `means`?", "did you mean `name`?", "did you mean `high`?"] {
        assert!(run.err().contains(fault), "{fault}: {}", run.err());
    }
}

#[test]
fn a_contract_that_an_sla_names_and_the_cmdb_does_not_know_is_a_fault_at_its_place() {
    let folder = Folder::new();
    folder.write("cmdb/contracts.yaml", "contracts: [{id: acme-net, vendor: ACME, covers: []}]\n");
    for (contract, code) in [("ACME-net", 0), ("acme-nett", 1)] {
        let rule = format!("slas:\n  - {{name: acme, kind: uc, contract: {contract}, targets: {{P1: {{resolution: 4h}}}}}}\n");
        folder.write("rules/late.yaml", &rule);
        let checked = folder.cli(&["check", &folder.path(".").display().to_string()]);
        assert_eq!(checked.code(), code, "{}", checked.out());
        let at_its_place = checked.out().contains("rules/late.yaml:2:38") && checked.out().contains("did you mean `acme-net`?");
        assert_eq!(at_its_place, code == 1, "{}", checked.out());
    }
}

#[test]
fn a_webhook_whose_format_no_rule_makes_is_a_fault_in_its_line() {
    let folder = Folder::new();
    let config = std::fs::read_to_string(folder.path("daemon.toml")).unwrap();
    folder.write("daemon.toml", &format!("{config}[[webhook]]\nname = \"prom\"\nformat = \"alertmanagr\"\n"));
    let checked = folder.cli(&["check", &folder.path(".").display().to_string()]);
    assert_eq!(checked.code(), 1);
    assert!(checked.out().contains("daemon.toml:9:10") && checked.out().contains("did you mean `alertmanager`?"), "{}", checked.out());
}
