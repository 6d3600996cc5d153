//! `backup`, `restore`, `verify` as an operator runs them: with a daemon at work and without, into an empty place only.

use rustix::process::Signal;

use crate::daemon::Folder;

const ALERT: [&str; 4] = ["send", "alertname=DeviceDown", "instance=sw-1", "severity=critical"];

#[test]
fn a_running_daemon_is_backed_up_and_the_backup_comes_back_in_another_place() {
    let folder = Folder::new();
    let _daemon = folder.start();
    folder.cli(&ALERT).well();
    let said = folder.cli(&["backup", "night.backup"]).well();
    assert!(said.starts_with("backed up: night.backup") && said.contains("blocks were read back"), "{said}");
    assert!(!folder.path("data/backup.tmp").exists() && !folder.path("night.backup.part").exists(), "nothing is left over");
    let again = folder.cli(&["backup", "night.backup"]);
    assert_eq!(again.code(), 74);
    assert!(again.err().contains("there is such a file"), "{}", again.err());
    let busy = folder.cli(&["verify"]);
    assert_eq!(busy.code(), 75, "{}", busy.err());
    assert!(busy.err().contains("watchkeeper backup FILE"), "{}", busy.err());
    let whole = folder.cli(&["verify", "night.backup", "--output", "json"]).json();
    assert!(whole["rows"].as_u64().unwrap() > 0 && whole["sequence"].as_u64().unwrap() > 0, "{whole}");

    let elsewhere = Folder::new();
    std::fs::copy(folder.path("night.backup"), elsewhere.path("night.backup")).unwrap();
    let said = elsewhere.cli(&["restore", "night.backup"]).well();
    assert!(said.starts_with("restored: "), "{said}");
    let _restored = elsewhere.start();
    let incidents = elsewhere.get("/api/v1/incidents?state=open").unwrap();
    assert_eq!(incidents.matches("\"INC0000001\"").count(), 1, "{incidents}");
}

#[test]
fn a_stopped_store_is_verified_backed_up_and_never_overwritten() {
    let folder = Folder::new();
    let daemon = folder.start();
    folder.cli(&ALERT).well();
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.code(), Some(0));
    assert!(folder.cli(&["verify"]).well().starts_with("whole: "));
    folder.cli(&["backup", "night.backup"]).well();
    let refused = folder.cli(&["restore", "night.backup"]);
    assert_eq!(refused.code(), 74);
    assert!(refused.err().contains("data/store.redb: there is such a file"), "{}", refused.err());
    std::fs::remove_file(folder.path("data/store.redb")).unwrap();
    let lost = folder.cli(&["run"]);
    assert_eq!(lost.code(), 74);
    assert!(lost.err().contains("watchkeeper restore FILE"), "{}", lost.err());
    folder.cli(&["restore", "night.backup"]).well();
    let _daemon = folder.start();
    assert!(folder.get("/api/v1/incidents?state=open").unwrap().contains("INC0000001"));
}

#[test]
fn what_is_no_backup_is_refused_by_name() {
    let folder = Folder::new();
    std::fs::write(folder.path("mail.txt"), "hello").unwrap();
    for verb in ["restore", "verify"] {
        let refused = folder.cli(&[verb, "mail.txt"]);
        assert_eq!(refused.code(), 74, "{}", refused.err());
        assert!(refused.err().contains("mail.txt: it is no store of Watchkeeper"), "{}", refused.err());
    }
    assert!(!folder.path("data/store.redb").exists());
}
