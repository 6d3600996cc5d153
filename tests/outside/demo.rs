//! The recorded day: what it says is what happened, and a daemon serves what it left behind.

use std::collections::BTreeSet;

use serde_json::Value;
use watchkeeper_harness::daemon::Place;
use watchkeeper_harness::kafka::Kafka;
use watchkeeper_harness::mailbox::mails;

/// The daemon that serves the day has the demo's store and files.
const CONFIG: &str = "\
[store]
dir = \"day/data\"

[files]
rules = \"day/rules\"
cmdb = \"day/cmdb\"
";

#[test]
fn the_demo_plays_a_day_through_the_real_pipeline_and_leaves_it_to_be_looked_at() {
    let place = Place::new(env!("CARGO_BIN_EXE_watchkeeper"), CONFIG);
    let played = place.run(&["demo", "--dir", "day"]);
    let said = String::from_utf8_lossy(&played.stdout);
    assert!(played.status.success(), "{said}{}", String::from_utf8_lossy(&played.stderr));

    let sent = mails(&place.path("day/outbox"));
    let reasons: BTreeSet<&str> = sent.iter().map(|mail| mail.reason()).collect();
    for reason in ["opened", "affected", "reopened", "resolved", "digest"] {
        assert!(reasons.contains(reason), "no mail {reason} among {reasons:?}");
    }
    assert!(said.contains(&format!("{} mails", sent.len())), "the last line counts what lies in the folder: {said}");
    for mail in &sent {
        assert!(said.contains(mail.to()), "nothing was said of the mail to {}", mail.to());
    }

    let daemon = place.start();
    let incidents = daemon.list("/api/v1/incidents", "?state=all");
    let of_switch: Vec<&Value> = incidents.iter().filter(|incident| incident["ci"] == "sw-1").collect();
    assert_eq!(of_switch.len(), 2, "one that came back, and one of its own: {of_switch:#?}");
    let (later, first) = (of_switch[0], of_switch[1]);
    assert_eq!((first["reopened"].as_u64(), first["alert_count"].as_u64()), (Some(1), Some(41)), "{first:#}");
    assert_eq!(later["recurrence_of"], first["id"], "{later:#}");
    let whole = daemon.get(&format!("/api/v1/incidents/{}", first["id"].as_str().unwrap())).json();
    assert!(whole["timeline"].to_string().contains("PSU 1 is dead"), "{:#}", whole["timeline"]);
    let stranger = incidents.iter().find(|incident| incident["ci"] == "test-17").unwrap();
    assert_eq!(stranger["ci_known"], false, "{stranger:#}");
    let page = daemon.get(&format!("/i/{}", first["id"].as_str().unwrap()));
    assert!(page.is_success() && page.text().contains("sw-1"), "{page}");

    let temporary = place.path("temporary");
    std::fs::create_dir(&temporary).unwrap();
    let folders = || std::fs::read_dir(&temporary).unwrap().count();
    let cleaned = place.run_with(&["demo"], &[("TMPDIR", temporary.to_str().unwrap())]);
    assert!(cleaned.status.success() && folders() == 0, "{}", String::from_utf8_lossy(&cleaned.stdout));
    let kept = place.run_with(&["demo", "--keep"], &[("TMPDIR", temporary.to_str().unwrap())]);
    assert!(kept.status.success() && folders() == 1, "{}", String::from_utf8_lossy(&kept.stdout));

    let twice = place.run(&["demo", "--dir", "day"]);
    assert_eq!(twice.status.code(), Some(64), "a folder that is in use is not written over");
}

#[test]
fn an_alert_of_the_demo_goes_over_a_broker_where_one_is_named() {
    let kafka = Kafka::start("ZGVtbyBvdmVyIGEgdG9waQ");
    let place = Place::new(env!("CARGO_BIN_EXE_watchkeeper"), CONFIG);
    let played = place.run(&["demo", "--dir", "day", "--kafka", &kafka.broker()]);
    let said = String::from_utf8_lossy(&played.stdout);
    assert!(played.status.success(), "{said}{}", String::from_utf8_lossy(&played.stderr));
    let over = said.split_once("db-2 stops answering, and says so over the topic watchkeeper-demo-").expect("it is said").1;
    assert!(over.contains("incident") && over.contains("mail"), "what becomes of it is told: {over}");

    let daemon = place.start();
    let alerts = daemon.list("/api/v1/alerts", "?state=active&ci=db-2");
    assert!(alerts.iter().any(|alert| alert["source"].as_str().unwrap().starts_with("watchkeeper-demo-")), "{alerts:#?}");
}
