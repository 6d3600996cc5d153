//! The pages of an incident and a problem, and the page behind a link of a mail, in their states, as who serves them fills them.

use serde_json::{Value, json};
use watchkeeper::view::{CiView, WholeIncident, WholeProblem};
use watchkeeper::web::incident_page::IncidentPage;
use watchkeeper::web::link_page::{LinkField, LinkForm, LinkPage};
use watchkeeper::web::page::{PageNotice, Sheet};
use watchkeeper::web::problem_page::ProblemPage;
use watchkeeper_engine::command::{IncidentVerb, ProblemVerb};
use watchkeeper_engine::time::Time;

fn t(text: &str) -> Time {
    Time::parse_rfc3339(text).unwrap()
}

fn sheet(now: &str, notice: Option<PageNotice>) -> Sheet {
    Sheet::new(t(now), "Europe/Berlin", notice)
}

fn alert(n: u32, name: &str, ci: &str, role: &str) -> Value {
    let because = if role == "symptom" { format!("{ci} depends on sw-1") } else { String::new() };
    json!({
        "id": format!("ALR{n:07}"), "name": name, "ci": ci, "state": "firing", "role": role, "joined_at": "2026-11-24T03:02:00+01:00", "left_at": null,
        "because": because, "version": 1, "fingerprint": "0123456789abcdef", "realm": "main", "source": "prometheus", "sources": [], "key": null,
        "severity": "critical", "summary": "ICMP to 10.0.0.1 lost for 30 s", "labels": {}, "annotations": {},
        "url": "https://prom.example.org/graph?g0.expr=up%7Bjob%3D%22blackbox%22%7D&g0.tab=1", "value": null, "ci_known": true, "rule": "switch-down",
        "means": "down", "urgency": "high", "incident": "INC0000042", "count": 1, "occurrence": 1, "first_seen": "2026-11-24T03:02:00+01:00",
        "last_seen": "2026-11-24T03:02:00+01:00", "starts_at": "2026-11-24T03:02:00+01:00", "ends_at": null, "cleared_at": null, "muted_by": [],
    })
}

fn entry(at: &str, what: &str, because: Option<&str>) -> Value {
    json!({"at": at, "what": what, "because": because, "actor": "watchkeeper"})
}

fn sla(target: &str, state: &str, deadline: Option<&str>, allowed: &str, left: i64) -> Value {
    json!({
        "name": "gold", "kind": "sla", "service": "shop", "target": target, "state": state, "allowed": allowed, "calendar": "", "percent": 12,
        "started_at": "2026-11-24T03:02:10+01:00", "deadline": deadline, "used_seconds": 120, "left_seconds": left, "paused": state == "paused",
        "paused_seconds": 0, "ended_at": null, "breached_at": null,
    })
}

fn incident() -> Value {
    let mut alerts = vec![
        alert(1, "DeviceDown", "sw-1", "cause"),
        alert(2, "HostDown", "db-1", "symptom"),
        alert(3, "KubernetesPodCrashLoopingWithAVeryLongNameThatHasNoBreakAnywhere", "web-1.shop.production.example.org", "symptom"),
    ];
    alerts.extend((4..=41).map(|n| alert(n, "HostDown", &format!("web-{n}"), "symptom")));
    let because = "nothing that fires explains it, and no incident is open for ci=sw-1";
    let mut record: Value = serde_json::from_str(
        r#"{
        "id": "INC0000042", "version": 17, "state": "new", "priority": "P1", "priority_by_hand": false, "impact": "high", "urgency": "high",
        "title": "sw-1 does not answer", "realm": "main", "ci": "sw-1", "ci_known": true,
        "services": [{"id": "shop", "tier": "gold", "health": "down"}, {"id": "mail", "tier": "silver", "health": "at_risk"}],
        "team": "network", "assignee": null, "rule": "switch-down", "group": "ci=sw-1", "parent": null, "children": ["INC0000041"],
        "recurrence_of": "INC0000030", "cause": null, "symptoms": 40, "alert_count": 41,
        "cleared": {"alerts": 3, "of": 41, "auto_resolves_at": null}, "muted": false, "major": false, "reopened": 0, "hold": null,
        "problem": "PRB0000004", "runbook": "https://wiki.example.org/net/switch/with/a/rather/long/path/that/must/break/somewhere",
        "began_at": "2026-11-24T03:02:00+01:00", "opened_at": "2026-11-24T03:02:10+01:00", "acknowledged_at": null, "resolved_at": null,
        "resolved_by": null, "resolution": null, "closed_at": null, "updated_at": "2026-11-24T03:02:40+01:00", "url": "https://w.example.org/i/INC0000042",
        "timeline_total": 3,
        "told": [
            {"address": "net@example.org", "reason": "opened", "at": "2026-11-24T03:02:40+01:00", "rule": "page"},
            {"address": "lead@example.org", "reason": "opened", "at": "2026-11-24T03:02:40+01:00", "rule": "page"}
        ]}"#,
    )
    .unwrap();
    record["because"] = because.into();
    record["alerts"] = alerts.into();
    record["sla"] =
        json!(
            [sla("response", "running", Some("2026-11-24T03:17:10+01:00"), "15m", 780), sla("resolution", "paused", None, "4h", 14_280),]
        );
    record["timeline"] = json!([
        entry("2026-11-24T03:02:10+01:00", "opened as P1: sw-1 does not answer", Some(because)),
        entry("2026-11-24T03:02:12+01:00", "symptom HostDown on db-1 joined", Some("db-1 depends on sw-1")),
        entry("2026-11-24T03:02:40+01:00", "notified net@example.org (opened) by page", None),
    ]);
    record
}

fn ci() -> CiView {
    let ci = json!({
        "id": "sw-1", "class": "switch", "owner": "network", "domain": null, "environment": null, "criticality": "high", "tier": null, "aliases": [],
        "labels": {"site": "Berlin"}, "stakeholders": [], "min_up": "all", "relations": [], "note": null, "source": "files", "health": "down",
    });
    serde_json::from_value(ci).unwrap()
}

fn whole<T: serde::de::DeserializeOwned>(record: Value) -> T {
    serde_json::from_value(record).unwrap_or_else(|error| panic!("{error}"))
}

/// An incident that just opened, with all that a reader may do.
pub(crate) fn open_page() -> IncidentPage {
    let whole: WholeIncident = whole(incident());
    let commands = IncidentVerb::allowed_in(whole.incident.state).to_vec();
    IncidentPage { whole, ci: Some(ci()), commands, token: "4f1c9a".into(), sheet: sheet("2026-11-24T03:04:00+01:00", None) }
}

/// The same incident after it is over, with a command that was refused.
pub(crate) fn resolved_page() -> IncidentPage {
    let mut record = incident();
    for (field, value) in [
        ("state", json!("resolved")),
        ("assignee", json!("anna")),
        ("acknowledged_at", json!("2026-11-24T03:06:00+01:00")),
        ("resolved_at", json!("2026-11-24T06:21:00+01:00")),
        ("resolved_by", json!("anna")),
        ("resolution", json!("engineer replaced the PSU")),
        ("reopened", json!(1)),
        ("timeline_total", json!(15)),
    ] {
        record[field] = value;
    }
    let whole: WholeIncident = whole(record);
    let commands = IncidentVerb::allowed_in(whole.incident.state).to_vec();
    let notice = PageNotice::Fault("bert changed it meanwhile: this is how it is now".into());
    IncidentPage { whole, commands, sheet: sheet("2026-11-25T09:00:00+01:00", Some(notice)), ..open_page() }
}

/// A problem whose cause is known.
pub(crate) fn problem_page() -> ProblemPage {
    let outage = |incident: &str, at: &str, ended: Option<&str>| json!({"incident": incident, "at": at, "ended_at": ended, "words": ended.map(|_| "power cycled it")});
    let record = json!({
        "id": "PRB0000004", "version": 3, "state": "known_error", "title": "sw-1 does not answer, again and again", "rule": "flaky", "same": "rule switch-down, ci sw-1",
        "ci": "sw-1", "team": "network", "assignee": "anna", "incidents": ["INC0000030", "INC0000042"], "incident_count": 2,
        "because": "2 incidents within 30 days", "workaround": "power cycle it by the remote hand", "resolution": null, "resolved_by": null, "fixes_failed": 1,
        "opened_at": "2026-11-24T03:02:10+01:00", "updated_at": "2026-11-24T03:20:00+01:00", "resolved_at": null, "closes_at": null, "closed_at": null,
        "url": "https://w.example.org/i/PRB0000004",
        "outages": [
            outage("INC0000030", "2026-11-20T03:02:00+01:00", Some("2026-11-20T03:22:00+01:00")),
            outage("INC0000042", "2026-11-24T03:02:00+01:00", None),
        ],
        "timeline": [entry("2026-11-24T03:02:10+01:00", "opened: sw-1 does not answer, again and again", Some("2 incidents within 30 days"))],
        "timeline_total": 1,
        "told": [{"address": "net@example.org", "reason": "problem_opened", "at": "2026-11-24T03:02:40+01:00", "rule": "page"}],
    });
    let whole: WholeProblem = whole(record);
    let commands = ProblemVerb::allowed_in(whole.problem.state).to_vec();
    ProblemPage { whole, commands, token: "4f1c9a".into(), sheet: sheet("2026-11-24T03:30:00+01:00", None) }
}

/// The pages behind links of mails: asked, refused, done, and too late.
pub(crate) fn link_pages() -> Vec<(String, LinkPage)> {
    let asked = LinkPage {
        heading: "Acknowledge INC0000042: sw-1 does not answer".into(),
        says: vec!["You become the assignee of this incident.".into()],
        form: Some(LinkForm { token: "AawCKodRnhPlvNxel0_ATLVBq1s".into(), button: "Acknowledge", fields: vec![LinkField::Name] }),
        facts: vec![
            ("Now", "P1 OPEN since 03:02 (2\u{a0}min), not yet acknowledged.".into()),
            ("You are", "somebody of network, to which the mail went.".into()),
            ("Link", "This link is valid until Tue 1 Dec 03:04.".into()),
        ],
        incident: Some("INC0000042".into()),
        priority: "P1".into(),
        zone: "Europe/Berlin".into(),
        ..LinkPage::default()
    };
    let long = "KubernetesPodCrashLoopingWithAVeryLongNameThatHasNoBreakAnywhere on web-1.shop.production.example.org";
    let detach = LinkPage {
        heading: format!("Detach from INC0000042: {long}"),
        form: Some(LinkForm { button: "Detach: they are not a part of it", fields: Vec::new(), ..asked.form.clone().unwrap_or_default() }),
        facts: vec![("Yours", format!("{long}, HostDown on db-2"))],
        ..asked.clone()
    };
    let refused = LinkPage {
        heading: "Hold INC0000042: sw-1 does not answer".into(),
        notice: Some(PageNotice::Fault("for: `soon` is no duration: expected a number and a unit, such as 90s, 5m or 4h".into())),
        form: Some(LinkForm { button: "Put on hold", fields: vec![LinkField::Hold], ..asked.form.clone().unwrap_or_default() }),
        ..asked.clone()
    };
    let note = LinkPage {
        heading: "Add a note to INC0000042: sw-1 does not answer".into(),
        form: Some(LinkForm {
            button: "Add note",
            fields: vec![LinkField::Text("Note"), LinkField::Line("Whose is it, or why is it not yours (may stay empty)")],
            ..asked.form.clone().unwrap_or_default()
        }),
        priority: "P2".into(),
        ..asked.clone()
    };
    let done = LinkPage {
        heading: "INC0000042: sw-1 does not answer".into(),
        notice: Some(PageNotice::Done("Done: the incident is assigned to you.".into())),
        says: Vec::new(),
        form: None,
        ..asked.clone()
    };
    let expired = LinkPage {
        heading: "This link has expired".into(),
        says: vec!["It acted until Tue 1 Dec 03:04. Nothing was done; the incident itself can still be opened.".into()],
        incident: Some("INC0000042".into()),
        zone: "Europe/Berlin".into(),
        ..LinkPage::default()
    };
    [("asked", asked), ("detach", detach), ("refused", refused), ("note", note), ("done", done), ("expired", expired)]
        .map(|(name, page)| (format!("link-{name}"), page))
        .to_vec()
}
