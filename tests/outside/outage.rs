//! A switch that takes forty hosts with it, and one alert that arrives five times: what people get, seen from outside.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use watchkeeper_harness::chance::Chance;
use watchkeeper_harness::daemon::{Daemon, Place, eventually};
use watchkeeper_harness::mailbox::{Mail, mails};

const RULES: &str = "\
correlate:
  - name: switch-down
    matchers: [alertname=\"DeviceDown\"]
    means: down
    for: 1s
    group_wait: 2s
    title: \"{{ci.id}} does not answer\"
  - name: host-down
    matchers: [alertname=\"HostDown\"]
    means: down
    group_wait: 2s
  - name: marker
    matchers: [alertname=\"Marker\"]
    group_wait: 2s
";

const CONFIG: &str = "\
[[webhook]]
name = \"west\"
format = \"alertmanager\"
";

const HOSTS: usize = 40;

#[test]
fn forty_hosts_behind_one_switch_are_one_incident_that_names_it_and_one_opened_mail_a_person() {
    let place = shop();
    let daemon = place.start();
    let mut alerts: Vec<Value> = (0..HOSTS).map(|host| alert("HostDown", &format!("host-{host:02}:9100"))).collect();
    alerts.push(alert("DeviceDown", "sw-1"));
    shuffle(&mut alerts, &mut Chance::announced("outage"));
    for part in alerts.chunks(7) {
        assert!(daemon.post("/api/v2/alerts", &Value::Array(part.to_vec())).is_success());
    }
    let sent = mails_before_marker(&daemon, &place);

    let open = daemon.list("/api/v1/incidents", "?state=open");
    let of_switch: Vec<&Value> = open.iter().filter(|incident| incident["rule"] != "marker").collect();
    assert_eq!(of_switch.len(), 1, "{open:#?}");
    let incident = of_switch[0];
    assert_eq!(incident["ci"], "sw-1", "{incident:#}");
    assert_eq!(incident["title"], "sw-1 does not answer");
    assert_eq!(incident["alert_count"], HOSTS + 1);
    assert_eq!(incident["symptoms"], HOSTS);
    assert_eq!(incident["priority"], "P1");
    assert_eq!(incident["services"][0]["id"], "shop");

    let about: Vec<&Mail> = sent.iter().filter(|mail| mail.incident() == incident["id"]).collect();
    let mut opened: BTreeMap<&str, usize> = BTreeMap::new();
    for mail in sent.iter().filter(|mail| mail.reason() == "opened") {
        *opened.entry(mail.to()).or_default() += 1;
    }
    assert_eq!(opened.get("network@example.org"), Some(&1), "{opened:?}");
    assert!(opened.values().all(|count| *count == 1), "{opened:?}");
    let subject = about.iter().find(|mail| mail.reason() == "opened").unwrap().header("subject");
    assert!(subject.starts_with("P1 sw-1") && subject.contains("shop"), "{subject}");
    for owner in ["web@example.org", "data@example.org"] {
        let heard = about.iter().filter(|mail| mail.to() == owner).count();
        assert!(heard <= 1, "{owner} got {heard} mails about one outage");
    }
}

#[test]
fn five_copies_of_one_alert_from_two_sources_are_one_alert_one_incident_and_one_opened_mail() {
    let place = shop();
    let daemon = place.start();
    let copy = alert("HostDown", "host-01:9100");
    let group = json!({"version": "4", "status": "firing", "receiver": "west", "groupKey": "{}", "alerts": [copy_in_group(&copy)]});
    for _ in 0..3 {
        assert!(daemon.post("/api/v2/alerts", &json!([copy])).is_success());
    }
    for _ in 0..2 {
        assert!(daemon.post("/hooks/west", &group).is_success());
    }
    let sent = mails_before_marker(&daemon, &place);

    let alerts = daemon.list("/api/v1/alerts", "?name=HostDown");
    assert_eq!(alerts.len(), 1, "{alerts:#?}");
    assert_eq!(alerts[0]["count"], 5);
    assert_eq!(alerts[0]["sources"].as_array().unwrap().len(), 2);
    let open = daemon.list("/api/v1/incidents", "?state=open&rule=host-down");
    assert_eq!(open.len(), 1, "{open:#?}");
    let opened: Vec<&str> = sent.iter().filter(|mail| mail.incident() == open[0]["id"]).map(Mail::reason).collect();
    assert_eq!(opened, ["opened"]);
}

/// A switch, forty hosts of two owners, a service that hangs from them.
fn shop() -> Place {
    let place = Place::new(env!("CARGO_BIN_EXE_watchkeeper"), CONFIG);
    let mut cmdb = String::from(
        "teams:\n  - {id: network, mail: [network@example.org]}\n  - {id: web, mail: [web@example.org]}\n  - {id: data, mail: [data@example.org]}\n\
         items:\n  - {id: sw-1, class: switch, owner: network, criticality: high}\n  - {id: marker, class: host, owner: network, criticality: high}\n",
    );
    for host in 0..HOSTS {
        let owner = if host % 2 == 0 { "web" } else { "data" };
        cmdb.push_str(&format!("  - {{id: host-{host:02}, class: host, owner: {owner}, relations: [{{depends_on: sw-1}}]}}\n"));
    }
    cmdb.push_str(
        "  - {id: shop, class: service, criticality: high, owner: web, relations: [{depends_on: host-00}, {depends_on: host-01}]}\n",
    );
    place.write("cmdb/shop.yaml", &cmdb);
    place.write("rules/shop.yaml", RULES);
    place.init();
    place
}

fn alert(name: &str, instance: &str) -> Value {
    json!({"labels": {"alertname": name, "instance": instance, "severity": "critical"}, "annotations": {"summary": format!("{instance} is gone")}})
}

fn copy_in_group(alert: &Value) -> Value {
    let mut copy = alert.clone();
    copy["status"] = "firing".into();
    copy["startsAt"] = "2026-01-01T00:00:00Z".into();
    copy["endsAt"] = "0001-01-01T00:00:00Z".into();
    copy
}

/// All mails but the marker's, once the marker's own has come: it waited as long as the others and began after them, so what is not there by then was never due.
fn mails_before_marker(daemon: &Daemon, place: &Place) -> Vec<Mail> {
    eventually("the alerts before the marker are told of", || match mails(&place.path("outbox")).len() {
        0 => Err("no mail at all".to_owned()),
        _ => Ok(()),
    });
    assert!(daemon.post("/api/v2/alerts", &json!([alert("Marker", "marker")])).is_success());
    eventually("the marker's mail", || {
        let (marker, others): (Vec<Mail>, Vec<Mail>) =
            mails(&place.path("outbox")).into_iter().partition(|mail| mail.header("subject").contains("marker"));
        if marker.is_empty() { Err(format!("{} other mails\n{}", others.len(), daemon.log_tail())) } else { Ok(others) }
    })
}

fn shuffle(alerts: &mut [Value], chance: &mut Chance) {
    for last in (1..alerts.len()).rev() {
        alerts.swap(last, usize::try_from(chance.below(last as u64 + 1)).unwrap());
    }
}
