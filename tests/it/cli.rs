//! The command line against a running daemon: a newcomer's first minute, an operator's night, and what is said when something is refused.

use crate::daemon::Folder;

const ALERT: [&str; 5] = ["send", "alertname=DeviceDown", "instance=sw-1", "severity=critical", "summary=no answer"];

#[test]
fn a_newcomer_sends_an_alert_and_is_led_to_its_incident() {
    let folder = Folder::new();
    let _daemon = folder.start();
    let sent = folder.cli(&ALERT).well();
    assert!(sent.contains("ALR0000001 is firing on sw-1, INC0000001; see `watchkeeper incident show INC0000001`"), "{sent}");
    let list = folder.cli(&["incident", "list"]).well();
    assert!(list.contains("INC0000001") && list.contains("P1") && list.contains("sw-1"), "{list}");
    let shown = folder.cli(&["incident", "show", "INC0000001"]).well();
    assert!(shown.contains("NEW") && shown.contains("ALR0000001") && shown.contains("watchkeeper: opened as P1"), "{shown}");
    let why = folder.cli(&["explain", "ALR0000001"]).well();
    assert!(why.contains("identified") && why.contains("down") && !why.contains(" because "), "{why}");
    let why = folder.cli(&["explain", "INC0000001"]).well();
    assert!(why.contains("opened") && why.contains("rated"), "{why}");
    let over = folder.cli(&[&ALERT[..], &["--resolved"]].concat()).well();
    assert!(over.contains("is cleared"), "{over}");
}

#[test]
fn an_operator_is_named_in_the_timeline_of_what_they_did() {
    let folder = Folder::new();
    let _daemon = folder.start();
    folder.cli(&ALERT).well();
    let verbs: [&[&str]; 6] = [
        &["ack", "INC0000001"],
        &["note", "INC0000001", "called", "the", "vendor"],
        &["hold", "INC0000001", "waiting_for_vendor", "--for", "2h"],
        &["resume", "INC0000001"],
        &["priority", "INC0000001", "P2", "one", "of", "two"],
        &["resolve", "INC0000001", "reseated", "the", "SFP"],
    ];
    for verb in verbs {
        let said = folder.cli(&[&["incident"], verb].concat()).well();
        assert!(said.contains("INC0000001"), "{verb:?}: {said}");
    }
    let shown = folder.cli(&["incident", "show", "INC0000001"]).well();
    for line in ["anna: note (called the vendor)", "anna: on hold: waiting for vendor", "anna: resolved (reseated the SFP)"] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
}

#[test]
fn a_command_that_its_state_refuses_says_what_is_allowed_and_ends_with_1() {
    let folder = Folder::new();
    let _daemon = folder.start();
    folder.cli(&ALERT).well();
    let refused = folder.cli(&["incident", "resume", "INC0000001"]);
    assert_eq!(refused.code(), 1);
    assert!(refused.err().contains("it is new; allowed there:"), "{}", refused.err());
    let stale = folder.cli(&["incident", "ack", "INC0000001", "--if-version", "1"]);
    assert_eq!(stale.code(), 1);
    assert!(stale.err().contains("somebody changed it meanwhile"), "{}", stale.err());
    let nothing = folder.cli(&["incident", "show", "INC0000099"]);
    assert_eq!((nothing.code(), nothing.err().trim()), (1, "there is no incident \"INC0000099\""));
    let format = folder.cli(&["incident", "hold", "INC0000001", "lunch"]);
    assert_eq!(format.code(), 64);
    assert!(format.err().contains("waiting_for_customer"), "{}", format.err());
}

#[test]
fn lists_and_records_are_printed_as_the_api_answers_them_on_demand() {
    let folder = Folder::new();
    let _daemon = folder.start();
    folder.cli(&ALERT).well();
    let list = folder.cli(&["incident", "list", "--output", "json"]).json();
    assert_eq!(list["items"][0]["id"], "INC0000001");
    let alerts = folder.cli(&["alert", "list", "--output", "json"]).json();
    assert_eq!(alerts["items"][0]["labels"]["instance"], "sw-1");
    let acknowledged = folder.cli(&["incident", "ack", "INC0000001", "--output", "json"]).json();
    assert_eq!(acknowledged["state"], "acknowledged");
    assert_eq!(folder.cli(&["cmdb", "show", "SW-1", "--output", "json"]).json()["health"], "down");
    assert!(folder.cli(&["mail", "list", "--output", "json"]).json()["items"].is_array());
    assert_eq!(folder.cli(&["schedules", "--output", "json"]).json()["items"][0]["next"].as_array().unwrap().len(), 3);
    assert!(folder.cli(&["clock", "show", "--utc"]).well().contains("UTC: believed"));
    assert!(folder.cli(&["clock", "confirm"]).well().contains("nothing was doubted"));
    let schedules = folder.cli(&["schedules"]).well();
    assert!(schedules.contains("morning (UTC)") && schedules.contains("0 8 * * *") && schedules.contains("never"), "{schedules}");
}

#[test]
fn a_name_that_the_cmdb_does_not_know_is_taken_with_a_warning() {
    let folder = Folder::new();
    let _daemon = folder.start();
    folder.cli(&ALERT).well();
    let assigned = folder.cli(&["incident", "assign", "INC0000001", "networc"]);
    assert_eq!(assigned.code(), 0, "{}", assigned.err());
    assert!(assigned.err().contains("warning: networc is neither a person nor a team of the CMDB"), "{}", assigned.err());
    assert!(assigned.err().contains("did you mean net?"), "{}", assigned.err());
    let opened = folder.cli(&["incident", "open", "dark", "--ci", "sw-11"]);
    assert!(opened.err().contains("no CI has the id or alias sw-11; did you mean sw-1?"), "{}", opened.err());
    assert_eq!(folder.cli(&["incident", "open", "dark", "--ci", "SW-1"]).err(), "");
}

#[test]
fn lists_are_narrowed_and_empty_ones_say_what_there_is_none_of() {
    let folder = Folder::new();
    let _daemon = folder.start();
    assert_eq!(folder.cli(&["problem", "list"]).well(), "no open problems\n");
    assert_eq!(folder.cli(&["incident", "list"]).well(), "no open incidents\n");
    assert_eq!(folder.cli(&["alert", "list"]).well(), "no active alerts\n");
    folder.cli(&ALERT).well();
    folder.cli(&["send", "alertname=DiskFull", "instance=db-1", "severity=warning"]).well();
    for (filter, name) in [(["--ci", "db-1"], "DiskFull"), (["--name", "DeviceDown"], "DeviceDown")] {
        let list = folder.cli(&[&["alert", "list"][..], &filter].concat()).well();
        assert!(list.lines().count() == 2 && list.contains(name), "{filter:?}: {list}");
    }
    let list = folder.cli(&["incident", "list"]).well();
    let urgent: Vec<&str> = list.lines().skip(1).filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert!(!urgent.is_empty() && urgent.is_sorted(), "{list}");
    assert_eq!(folder.cli(&["incident", "list", "--sort", "prio"]).code(), 1);
    assert_eq!(folder.cli(&["incident", "list", "--ci", "nothing"]).well(), "no incident matches\n");
    assert!(folder.cli(&["explain", "PRB1"]).err().contains("there is no problem"));
    assert!(folder.cli(&["completion", "bash"]).well().contains("_watchkeeper"));
}

#[test]
fn a_silence_is_made_listed_and_ended() {
    let folder = Folder::new();
    let _daemon = folder.start();
    let made =
        folder.cli(&["silence", "add", "alertname=DeviceDown", "instance=~sw-.*", "--for", "2h", "--comment", "new firmware"]).well();
    let id = made.split_whitespace().next().unwrap().to_owned();
    assert!(made.starts_with("SIL0000001 is active, ends "), "{made}");
    let list = folder.cli(&["silence", "list"]).well();
    assert!(list.contains(&id) && list.contains("instance=~\"sw-.*\"") && list.contains("new firmware"), "{list}");
    assert!(folder.cli(&ALERT).well().contains("is suppressed"));
    assert!(folder.cli(&["silence", "change", &id, "--for", "3h"]).well().contains("is active"));
    let shown = folder.cli(&["silence", "show", &id]).well();
    let uuid = shown.lines().find_map(|line| line.strip_prefix("UUID ")).unwrap().trim().to_owned();
    assert!(folder.cli(&["silence", "expire", &uuid]).well().starts_with("SIL0000001 is expired"));
    assert!(folder.cli(&["silence", "list"]).well().contains("no active silences"));
    let wrong = folder.cli(&["silence", "add", "DeviceDown", "--for", "2h", "--comment", "x"]);
    assert_eq!(wrong.code(), 64);
    assert!(wrong.err().contains("write NAME=VALUE"), "{}", wrong.err());
}

#[test]
fn what_has_no_item_is_a_work_list_and_a_trial_changes_nothing() {
    let folder = Folder::new();
    let _daemon = folder.start();
    folder.cli(&["send", "alertname=HostDown", "instance=stranger:9100", "severity=critical"]).well();
    let unmatched = folder.cli(&["unmatched"]).well();
    assert!(unmatched.contains("stranger") && unmatched.contains("HostDown"), "{unmatched}");
    folder.write("alert.json", r#"{"name": "HostDown", "severity": "critical", "labels": {"instance": "db-1"}}"#);
    let tried = folder.cli(&["try", &folder.path("alert.json").display().to_string()]).well();
    assert!(tried.contains("HostDown") && tried.contains("db-1"), "{tried}");
    assert_eq!(folder.cli(&["alert", "list", "--output", "json"]).json()["items"].as_array().unwrap().len(), 1);
}

#[test]
fn alert_text_cannot_command_the_terminal_it_is_printed_on() {
    let folder = Folder::new();
    let _daemon = folder.start();
    let body = r#"[{"labels":{"alertname":"\u001b]0;owned\u0007Down\u202e","instance":"sw-1"},"annotations":{"summary":"\u001b[2Jx\ny"}}]"#;
    folder.post("/api/v2/alerts", body).unwrap();
    for verb in
        [&["alert", "list"][..], &["incident", "list"], &["incident", "show", "INC0000001"], &["explain", "ALR0000001"], &["unmatched"]]
    {
        let said = folder.cli(verb).out();
        assert!(!said.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{verb:?}: {said:?}");
    }
}

#[test]
fn without_a_daemon_client_verbs_end_with_69_and_name_the_socket() {
    let folder = Folder::new();
    let list = folder.cli(&["incident", "list"]);
    assert_eq!(list.code(), 69);
    assert!(list.err().contains("data/socket") && list.err().contains("watchkeeper run"), "{}", list.err());
    let remote = folder.cli(&["incident", "list", "--server", "http://127.0.0.1:1"]);
    assert_eq!(remote.code(), 69, "{}", remote.err());
}

#[test]
fn a_daemon_elsewhere_is_asked_over_http_with_a_token() {
    let folder = Folder::new();
    let config = std::fs::read_to_string(folder.path("daemon.toml")).unwrap();
    folder.write("daemon.toml", &format!("{config}[[token]]\nname = \"bert\"\nrole = \"operator\"\ntoken_file = \"bert.token\"\n"));
    folder.write("bert.token", "correct horse\n");
    let child = std::process::Command::new(crate::daemon::BINARY)
        .args(["run", "--init", "--config"])
        .arg(folder.path("daemon.toml"))
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let _daemon = crate::daemon::Daemon::of(child);
    crate::daemon::until("the daemon is ready", || folder.get("/-/ready").is_some_and(|answer| answer.starts_with("HTTP/1.1 200")));
    let token = folder.path("bert.token").display().to_string();
    let address = folder.address();
    folder.cli(&ALERT).well();
    let asked = |arguments: &[&str]| folder.cli(&[arguments, &["--server", &address, "--token-file", &token]].concat());
    asked(&["incident", "ack", "INC0000001"]).well();
    assert!(folder.cli(&["incident", "show", "INC0000001"]).well().contains("bert: acknowledged"));
    assert_eq!(asked(&["reload"]).code(), 1, "an operator may not reload");
    let stranger = folder.cli(&["incident", "list", "--server", &address]);
    assert_eq!(stranger.code(), 1);
    assert!(stranger.err().contains("--token-file"), "{}", stranger.err());
}

#[test]
fn usage_faults_end_with_64_and_help_and_version_with_0() {
    let folder = Folder::new();
    assert_eq!(folder.cli(&["incidnet", "list"]).code(), 64);
    assert_eq!(folder.cli(&["incident", "note", "INC0000001"]).code(), 64);
    assert!(folder.cli(&["--help"]).well().contains("Exit codes"));
    assert!(folder.cli(&["version"]).well().starts_with("watchkeeper 0."));
}

#[test]
fn check_reports_in_the_format_of_its_reader() {
    let folder = Folder::new();
    let dir = folder.path(".").display().to_string();
    assert_eq!(folder.cli(&["check", &dir]).code(), 0);
    folder.write("rules/rules.yaml", "correlate:\n  - {name: a, mens: down}\n");
    let github = folder.cli(&["check", &dir, "--format", "github"]);
    assert_eq!(github.code(), 1);
    assert!(github.out().starts_with("::error file=rules/rules.yaml,line=2,col="), "{}", github.out());
    let json = folder.cli(&["check", &dir, "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json.out()).unwrap();
    assert_eq!((&json["errors"], &json["findings"][0]["line"]), (&1.into(), &2.into()));
    let rules_alone = folder.cli(&["check", &folder.path("rules").display().to_string()]);
    assert_eq!(rules_alone.code(), 1, "{}", rules_alone.out());
}

#[test]
fn a_format_of_the_rules_cannot_have_the_name_of_one_that_the_daemon_reads_itself() {
    let folder = Folder::new();
    let dir = folder.path(".").display().to_string();
    for name in ["alertmanager", "cloudevents"] {
        folder.write("rules/rules.yaml", &format!("formats:\n  - {{name: {name}, alert: {{name: body.title}}}}\n"));
        let checked = folder.cli(&["check", &dir]);
        assert_eq!(checked.code(), 1, "{name}");
        let said = checked.out() + &checked.err();
        assert!(
            said.contains(&format!("`{name}` is a format that the daemon reads itself")) && said.contains("rules/rules.yaml:2:12"),
            "{said}"
        );
    }
}

#[test]
fn rule_tests_end_with_1_where_one_fails() {
    let folder = Folder::new();
    let dir = folder.path(".").display().to_string();
    let tests = |state: &str| {
        format!(
            "tests:\n  - name: a switch goes down\n    steps:\n      - {{at: 0s, fire: {{name: DeviceDown, severity: critical, labels: {{instance: sw-1}}}}}}\n      \
             - {{at: 1m, expect: {{incidents: [{{ci: sw-1, state: {state}}}]}}}}\n"
        )
    };
    folder.write("rules/tests.yaml", &tests("new"));
    assert!(folder.cli(&["test", &dir]).well().contains("ok     a switch goes down"));
    folder.write("rules/tests.yaml", &tests("closed"));
    let failed = folder.cli(&["test", &dir]);
    assert_eq!(failed.code(), 1);
    assert!(failed.out().contains("FAILED a switch goes down") && failed.err().contains("0 of 1 tests passed"), "{}", failed.out());
}

#[test]
fn somebody_at_the_phone_opens_an_incident_and_merges_what_is_the_same() {
    let folder = Folder::new();
    let _daemon = folder.start();
    folder.cli(&ALERT).well();
    let opened =
        folder.cli(&["incident", "open", "the", "hall", "is", "dark", "--ci", "db-1", "--priority", "P1", "--words", "three calls"]).well();
    assert!(opened.contains("INC0000002 P1 is new: the hall is dark"), "{opened}");
    folder.cli(&["incident", "merge", "INC0000002", "INC0000001"]).well();
    let shown = folder.cli(&["incident", "show", "INC0000002"]).well();
    assert!(shown.contains("INC0000001") && shown.contains("anna: opened as P1"), "{shown}");
    assert_eq!(folder.cli(&["incident", "open", "x", "--ci", "db-1", "--impact", "high"]).code(), 64);
}

#[test]
fn what_was_refused_is_listed_and_shown() {
    let folder = Folder::new();
    let _daemon = folder.start();
    assert!(folder.cli(&["dead-letter", "list"]).well().contains("nothing was refused"));
    folder.post("/api/v2/alerts", "[{\"labels\": 7}]").unwrap();
    let list = folder.cli(&["dead-letter", "list"]).well();
    assert!(list.contains("DLT0000001") && list.contains("alerts[0].labels"), "{list}");
    let shown = folder.cli(&["dead-letter", "show", "DLT0000001"]).well();
    assert!(shown.contains("[{\"labels\": 7}]") && shown.contains("/api/v2/alerts"), "{shown}");
}
