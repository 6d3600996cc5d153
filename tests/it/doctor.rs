//! `doctor` before a night: what is well is said, what is broken is named with what to do, and nothing is changed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::daemon::Folder;

#[test]
fn everything_that_is_well_is_said_and_ends_with_0() {
    let folder = Folder::new();
    let _daemon = folder.start();
    let said = folder.cli(&["doctor"]).well();
    for line in [
        "no fault, every secret can be read",
        "a synced write takes",
        "ops@example.org",
        "mails become files",
        "writer: last sign of life",
        "daemon: serves",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(!said.contains("BROKEN"), "{said}");
    let only = folder.cli(&["doctor", "daemon", "--output", "json"]).json();
    let parts: Vec<&str> = only["items"].as_array().unwrap().iter().map(|item| item["part"].as_str().unwrap()).collect();
    assert!(parts.len() >= 3 && parts.iter().all(|part| *part == "daemon"), "{only}");
}

#[test]
fn what_is_broken_is_named_with_what_to_do() {
    let folder = Folder::new();
    drop(folder.start());
    folder.write("rules/rules.yaml", "correlate:\n  - {name: down, whn: 'true'}\n");
    fs::write(folder.path("data/store.redb"), "").unwrap();
    fs::set_permissions(folder.path("data"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::remove_dir_all(folder.path("outbox")).unwrap();
    let ran = folder.cli(&["doctor"]);
    assert_eq!(ran.code(), 1);
    let said = ran.out();
    let expected = [
        ("rules, templates and CMDB files: 1 error", "`watchkeeper check`"),
        ("store.redb is empty", "`watchkeeper restore FILE`"),
        ("data can be read by others", "chmod 700"),
        ("outbox: No such file", "create it"),
        ("no daemon answers", "`watchkeeper run`"),
    ];
    for (fault, help) in expected {
        let at = said.find(fault).unwrap_or_else(|| panic!("{fault}: {said}"));
        assert!(said[at..].lines().nth(1).unwrap().contains(help), "{fault}: {said}");
    }
    assert!(ran.err().contains("things are broken"), "{}", ran.err());
    assert_eq!(
        fs::read_dir(folder.path("data"))
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|end| end == "tmp"))
            .count(),
        0
    );
}

#[test]
fn a_configuration_with_faults_is_broken_and_the_daemon_is_looked_at_all_the_same() {
    let folder = Folder::new();
    let _daemon = folder.start();
    folder.write("daemon.toml", "[server]\nlisten = 7\n");
    let ran = folder.cli(&["doctor"]);
    assert_eq!(ran.code(), 1);
    assert!(ran.out().contains("`watchkeeper check` shows every fault") && ran.out().contains("daemon: serves"), "{}", ran.out());
}
