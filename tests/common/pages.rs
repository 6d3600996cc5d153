//! The incident page and the page behind a link of a mail in their states, as who serves them fills them.

use watchkeeper::web::link_page::{LinkField, LinkForm, LinkPage};
use watchkeeper::web::page::{Detach, IncidentPage, PageAlert, PageEntry, PageItem, PageNotice, PagePromise, PageService};
use watchkeeper_engine::command::IncidentVerb;
use watchkeeper_engine::time::{Span, Time};

fn t(text: &str) -> Time {
    Time::parse_rfc3339(text).unwrap()
}

/// An incident that just opened, with all that a reader may do.
pub(crate) fn open_page() -> IncidentPage {
    let alert = |n: u32, name: &str, item: &str, role: &str| PageAlert {
        id: format!("ALR{n:07}"),
        name: name.into(),
        item: item.into(),
        role: role.into(),
        state: "firing".into(),
        severity: "critical".into(),
        summary: "ICMP to 10.0.0.1 lost for 30 s".into(),
        source: "prometheus".into(),
        url: "https://prom.example.org/graph?g0.expr=up%7Bjob%3D%22blackbox%22%7D&g0.tab=1".into(),
        since: t("2026-11-24T03:02:00+01:00"),
        because: if role == "symptom" { format!("{item} depends on sw-1") } else { String::new() },
        detach: if role == "symptom" { Detach::Offered } else { Detach::NotOffered },
    };
    let entry = |at: &str, what: &str, because: &str, actor: &str| PageEntry {
        at: t(at),
        what: what.into(),
        because: because.into(),
        actor: actor.into(),
    };
    IncidentPage {
        id: "INC0000042".into(),
        version: 17,
        token: "4f1c9a".into(),
        priority: "P1".into(),
        state: "new".into(),
        title: "sw-1 does not answer".into(),
        item: PageItem { id: "sw-1".into(), class: "switch".into(), owner: "network".into(), site: "Berlin".into(), known: true },
        services: vec![
            PageService { id: "shop".into(), tier: "gold".into(), health: "down".into() },
            PageService { id: "mail".into(), tier: "silver".into(), health: "at_risk".into() },
        ],
        team: "network".into(),
        because: "nothing that fires explains it, and no incident is open for ci=sw-1".into(),
        runbook: "https://wiki.example.org/net/switch/with/a/rather/long/path/that/must/break/somewhere".into(),
        rule: "switch-down".into(),
        began_at: t("2026-11-24T03:02:00+01:00"),
        opened_at: t("2026-11-24T03:02:10+01:00"),
        promises: vec![
            PagePromise {
                sla: "gold".into(),
                target: "response".into(),
                state: "running".into(),
                allowed: "15 min".into(),
                percent: 12,
                deadline: Some(t("2026-11-24T03:17:10+01:00")),
                left: Span::minutes(13),
                used: Span::minutes(2),
            },
            PagePromise {
                sla: "gold".into(),
                target: "resolution".into(),
                state: "paused".into(),
                allowed: "4 h".into(),
                percent: 0,
                deadline: None,
                left: Span::minutes(238),
                used: Span::minutes(2),
            },
        ],
        children: vec!["INC0000041".into()],
        recurrence_of: Some("INC0000030".into()),
        problem: Some("PRB0000004".into()),
        told: vec!["net@example.org".into(), "lead@example.org".into()],
        alerts: vec![
            alert(1, "DeviceDown", "sw-1", "cause"),
            alert(2, "HostDown", "db-1", "symptom"),
            alert(3, "KubernetesPodCrashLoopingWithAVeryLongNameThatHasNoBreakAnywhere", "web-1.shop.production.example.org", "symptom"),
        ],
        alerts_total: 41,
        timeline: vec![
            entry("2026-11-24T03:02:40+01:00", "told net@example.org (opened) by page", "", "watchkeeper"),
            entry("2026-11-24T03:02:12+01:00", "symptom HostDown on db-1 joined", "db-1 depends on sw-1", "watchkeeper"),
            entry(
                "2026-11-24T03:02:10+01:00",
                "opened as P1: sw-1 does not answer",
                "nothing that fires explains it, and no incident is open for ci=sw-1",
                "watchkeeper",
            ),
        ],
        timeline_left_out: 0,
        commands: vec![IncidentVerb::Acknowledge, IncidentVerb::Note, IncidentVerb::Assign, IncidentVerb::Resolve, IncidentVerb::Hold],
        now: t("2026-11-24T03:04:00+01:00"),
        zone: "Europe/Berlin".into(),
        ..IncidentPage::default()
    }
}

/// The same incident after it is over, with a command that was refused.
pub(crate) fn resolved_page() -> IncidentPage {
    IncidentPage {
        state: "resolved".into(),
        holder: "anna".into(),
        acknowledged_at: Some(t("2026-11-24T03:06:00+01:00")),
        resolved_at: Some(t("2026-11-24T06:21:00+01:00")),
        resolved_by: "anna".into(),
        resolution: "engineer replaced the PSU".into(),
        reopened: 1,
        commands: vec![IncidentVerb::Reopen, IncidentVerb::Note, IncidentVerb::Close],
        notice: Some(PageNotice::Fault("bert changed it meanwhile: this is how it is now".into())),
        now: t("2026-11-25T09:00:00+01:00"),
        timeline_left_out: 12,
        ..open_page()
    }
}

/// The pages behind links of mails: asked, refused, done, and too late.
pub(crate) fn link_pages() -> Vec<(String, LinkPage)> {
    let asked = LinkPage {
        heading: "Acknowledge INC0000042: sw-1 does not answer".into(),
        says: vec!["You will be shown as the owner of this incident.".into()],
        form: Some(LinkForm {
            token: "AawCKodRnhPlvNxel0_ATLVBq1s".into(),
            button: "Acknowledge: I have it",
            fields: vec![LinkField::Name],
        }),
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
        form: Some(LinkForm { button: "Hold", fields: vec![LinkField::Hold], ..asked.form.clone().unwrap_or_default() }),
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
