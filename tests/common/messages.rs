//! Messages as the engine plans them: the story of a switch that takes a shop with it, one message a reason.

#![allow(clippy::wildcard_enum_match_arm, reason = "samples name what is different")]

use watchkeeper::mail::{MailSettings, Templates, render};
use watchkeeper_engine::ids::{AlertId, IncidentId, MessageId, ProblemId, StoreId};
use watchkeeper_engine::model::message::{
    Before, ClockLine, DigestLine, Hurt, Item, Message, OutageLine, ProblemSaid, Quote, Said, Sending,
};
use watchkeeper_engine::time::{Span, Time};
use watchkeeper_engine::words::Reason;
use watchkeeper_store::LinkKey;

/// The instant of an RFC 3339 text.
pub(crate) fn t(text: &str) -> Time {
    Time::parse_rfc3339(text).unwrap()
}

/// What every test's mails are sent with.
pub(crate) fn settings() -> MailSettings {
    let store = StoreId { high: 0x5eed_0000_0000_0001, low: 0x0000_0000_0000_002a };
    MailSettings::new("Watchkeeper <watch@example.org>", "https://watch.example.org/", store, LinkKey::new([7; 32])).unwrap()
}

/// The message of a reason.
pub(crate) fn message(reason: Reason) -> Message {
    let said = match reason {
        Reason::Opened => opened(),
        Reason::Reopened => Said { reopened: 2, now: t("2026-11-24T04:32:00+01:00"), ..opened() },
        Reason::Raised => Said { priority_before: "P3".into(), holder: "anna".into(), first: false, ..opened() },
        Reason::Affected => affected(),
        Reason::Released => Said {
            item: item("db-1", "host", "dba", ""),
            title: "HostDown on db-1".into(),
            priority: "P2".into(),
            incident: "INC0000041".into(),
            cause: String::new(),
            symptoms: 0,
            symptom_items: vec![],
            symptom_more: 0,
            alerts: 1,
            ..opened()
        },
        Reason::Acknowledged => Said {
            state: "acknowledged".into(),
            holder: "anna".into(),
            by: "anna".into(),
            acknowledged_at: t("2026-11-24T03:06:00+01:00"),
            first: false,
            ..opened()
        },
        Reason::Resolved => Said { first: false, ..resolved() },
        Reason::Digest => digest(),
        Reason::Assigned => Said {
            state: "acknowledged".into(),
            holder: "bert".into(),
            by: "bert".into(),
            acknowledged_at: t("2026-11-24T03:06:00+01:00"),
            ..opened()
        },
        Reason::Held => Said {
            state: "on_hold".into(),
            holder: "anna".into(),
            by: "anna".into(),
            words: "waiting_for_vendor".into(),
            hold_until: t("2026-11-24T09:30:00+01:00"),
            first: false,
            ..opened()
        },
        Reason::SlaWarning => Said { clocks: vec![clock_line(75), answered()], ..told() },
        Reason::SlaBreached => Said { now: t("2026-11-24T07:02:00+01:00"), clocks: vec![clock_line(100), answered()], ..told() },
        Reason::ProblemOpened => problem(),
        Reason::FixFailed => Said {
            first: false,
            problem: ProblemSaid {
                count: 4,
                workaround: "power-cycle by the PDU".into(),
                fixes_failed: 1,
                fix: "new PSU".into(),
                fixed_by: "anna".into(),
                ..problem().problem
            },
            ..problem()
        },
        Reason::ProblemRecurred => Said { first: false, problem: ProblemSaid { count: 4, ..problem().problem }, ..problem() },
        Reason::Closed => Said { state: "closed".into(), first: false, ..resolved() },
    };
    let is_digest = reason == Reason::Digest;
    let is_problem = matches!(reason, Reason::ProblemOpened | Reason::FixFailed | Reason::ProblemRecurred);
    Message {
        id: MessageId(42),
        incident: (!is_digest && !is_problem).then_some(IncidentId(42)),
        problem: is_problem.then_some(ProblemId(4)),
        to: "net@example.org".into(),
        reason,
        template: reason.word().into(),
        subject: match reason {
            Reason::Digest => "Morning list: 10 open, 6 over (network)".into(),
            Reason::ProblemOpened => "Problem: sw-1 does not answer, 3 times in 7 d [PRB0000004]".into(),
            Reason::FixFailed => "Fix failed: sw-1 does not answer [PRB0000004]".into(),
            Reason::ProblemRecurred => "Problem again: sw-1 does not answer [PRB0000004]".into(),
            Reason::SlaBreached => "BREACHED: P1 sw-1 down: shop, mail [INC0000042]".into(),
            Reason::Raised => "P1 now: sw-1 down: shop, mail [INC0000042]".into(),
            Reason::Released => "P2 db-1 down: shop [INC0000041]".into(),
            _ => "P1 sw-1 down: shop, mail [INC0000042]".into(),
        },
        thread: if is_digest || said.first { MessageId(42) } else { MessageId(7) },
        notify_rule: "page".into(),
        team: "network".into(),
        zone: "Europe/Berlin".into(),
        planned_at: said.now,
        content: said.into(),
        sending: Sending::planned(MessageId(42)),
    }
}

/// The message with something else said.
pub(crate) fn saying(message: &Message, change: impl FnOnce(&mut Said)) -> Message {
    let mut said = message.said();
    change(&mut said);
    Message { content: said.into(), ..message.clone() }
}

fn item(id: &str, class: &str, owner: &str, site: &str) -> Item {
    Item { id: id.into(), class: class.into(), owner: owner.into(), site: site.into(), known: true }
}

fn problem() -> Said {
    let outage = |incident: &str, at: &str, minutes: i64, words: &str| OutageLine {
        incident: incident.into(),
        at: t(at),
        lasted: Span::minutes(minutes),
        is_over: !words.is_empty(),
        words: words.into(),
    };
    Said {
        state: "new".into(),
        now: t("2026-11-24T03:04:00+01:00"),
        since: t("2026-11-24T03:04:00+01:00"),
        item: item("sw-1", "switch", "network", "Berlin"),
        title: "sw-1 does not answer".into(),
        team: "network".into(),
        told: vec!["lead@example.org".into()],
        rule: "switch-down".into(),
        notify: "page".into(),
        first: true,
        problem: ProblemSaid {
            id: "PRB0000004".into(),
            rule: "keeps-coming-back".into(),
            same: "rule switch-down, ci sw-1".into(),
            because: "3 in 7 d with the same rule and ci".into(),
            count: 3,
            since: t("2026-11-18T02:10:00+01:00"),
            lasted: Span::minutes(70),
            outages: vec![
                outage("INC0000030", "2026-11-18T02:10:00+01:00", 34, "reseated the SFP"),
                outage("INC0000036", "2026-11-21T02:14:00+01:00", 34, "power-cycle"),
                outage("INC0000042", "2026-11-24T03:02:00+01:00", 2, ""),
            ],
            ..ProblemSaid::default()
        },
        ..Said::default()
    }
}

fn opened() -> Said {
    Said {
        incident: "INC0000042".into(),
        priority: "P1".into(),
        state: "new".into(),
        now: t("2026-11-24T03:04:00+01:00"),
        since: t("2026-11-24T03:02:00+01:00"),
        item: item("sw-1", "switch", "network", "Berlin"),
        title: "sw-1 does not answer".into(),
        quote: Quote {
            name: "DeviceDown".into(),
            summary: "ICMP to 10.0.0.1 lost for 30 s".into(),
            source: "prometheus".into(),
            url: "https://prom.example.org/graph?g0.expr=up".into(),
        },
        hurts: vec![
            Hurt { id: "shop".into(), tier: "gold".into(), health: "down".into() },
            Hurt { id: "mail".into(), tier: "silver".into(), health: "at_risk".into() },
        ],
        cause: "sw-1: nothing it depends on fires, and all 23 CIs below hang off it.".into(),
        symptoms: 40,
        symptom_items: ["db-1", "db-2", "web-1", "web-2", "web-3"].map(String::from).to_vec(),
        symptom_more: 18,
        alerts: 41,
        team: "network".into(),
        check: "PDU 3, outlet 4; the console is on ts-1 port 12".into(),
        before: Before {
            incident: "INC0000030".into(),
            opened_at: t("2026-11-18T02:10:00+01:00"),
            lasted: Span::minutes(34),
            words: "reseated the SFP".into(),
        },
        runbook: "https://wiki.example.org/net/switch".into(),
        told: vec!["lead@example.org".into(), "shop@example.org".into()],
        rule: "switch-down".into(),
        notify: "page".into(),
        first: true,
        ..Said::default()
    }
}

/// An incident that somebody has, told again at six in the morning.
fn told() -> Said {
    Said {
        state: "acknowledged".into(),
        holder: "anna".into(),
        now: t("2026-11-24T06:02:00+01:00"),
        acknowledged_at: t("2026-11-24T03:06:00+01:00"),
        cleared: 12,
        first: false,
        ..opened()
    }
}

/// Gold promises to restore P1 within 4 h: so much of it is used.
pub(crate) fn clock_line(percent: u32) -> ClockLine {
    let used = Span::minutes(i64::from(percent) * 240 / 100);
    ClockLine {
        sla: "gold".into(),
        service: "shop".into(),
        target: "resolution".into(),
        state: if percent < 100 { "running".into() } else { "breached".into() },
        allowed: "4 h".into(),
        percent,
        deadline: t("2026-11-24T07:02:00+01:00"),
        used,
        left: Span::minutes(240 - used.0 / 60_000),
        reached: if percent < 100 { vec![50, 75] } else { vec![100] },
        next_percent: if percent < 100 { 90 } else { 0 },
        next_at: if percent < 100 { t("2026-11-24T06:38:00+01:00") } else { Time::default() },
        ..ClockLine::default()
    }
}

/// That somebody has it was promised within 15 min, and kept.
pub(crate) fn answered() -> ClockLine {
    ClockLine {
        sla: "gold".into(),
        service: "shop".into(),
        target: "response".into(),
        state: "met".into(),
        allowed: "15 min".into(),
        percent: 26,
        deadline: t("2026-11-24T03:17:00+01:00"),
        used: Span::minutes(4),
        left: Span::minutes(11),
        ended: t("2026-11-24T03:06:00+01:00"),
        ..ClockLine::default()
    }
}

fn affected() -> Said {
    Said {
        holder: "anna".into(),
        yours: vec!["db-1".into(), "db-2".into()],
        yours_since: t("2026-11-24T03:01:00+01:00"),
        yours_because: "db-1 depends on sw-1".into(),
        yours_incident: "INC0000041".into(),
        yours_alerts: vec![AlertId(2), AlertId(3)],
        check: "db-1 was written to at 03:00: look at replication once it is up".into(),
        notify: "owner".into(),
        ..opened()
    }
}

fn resolved() -> Said {
    Said {
        state: "resolved".into(),
        now: t("2026-11-24T06:21:00+01:00"),
        until: t("2026-11-24T06:21:00+01:00"),
        acknowledged_at: t("2026-11-24T03:06:00+01:00"),
        cleared: 41,
        holder: "anna".into(),
        words: "all 41 alerts cleared, quiet for 5 min".into(),
        reopens_until: t("2026-11-24T07:21:00+01:00"),
        left_over: vec!["web-3 still fires (HighLoad): INC0000043".into()],
        ..opened()
    }
}

fn digest() -> Said {
    let line = |number: u32, priority: &str, title: &str, since: &str, until: Option<&str>, holder: &str| DigestLine {
        incident: format!("INC{number:07}"),
        priority: priority.into(),
        state: if until.is_some() { "resolved" } else { "new" }.into(),
        title: title.into(),
        since: t(since),
        until: until.map_or(Time::default(), t),
        holder: holder.into(),
        item: "sw-7".into(),
        lasted: Span::ZERO,
    };
    let mut lines = vec![
        line(39, "P2", "sw-7 loses one of two uplinks", "2026-11-24T03:50:00+01:00", None, "anna"),
        line(38, "P4", "ap-lib-1 is flapping", "2026-11-23T23:00:00+01:00", None, ""),
        line(37, "P4", "HighLoad on web-3", "2026-11-24T01:00:00+01:00", Some("2026-11-24T01:20:00+01:00"), ""),
    ];
    for n in 0..8 {
        lines.push(line(
            50 + n,
            "P5",
            "a certificate on a web host ends within thirty days of today",
            "2026-11-24T02:00:00+01:00",
            None,
            "",
        ));
        if n < 5 {
            lines.push(line(60 + n, "P4", "DiskSlow", "2026-11-24T02:00:00+01:00", Some("2026-11-24T02:30:00+01:00"), "bert"));
        }
    }
    Said {
        now: t("2026-11-24T08:00:00+01:00"),
        lines,
        lines_since: t("2026-11-23T17:00:00+01:00"),
        notify: "rest".into(),
        first: true,
        ..Said::default()
    }
}

/// The text and the HTML part of a message, decoded, and its head.
pub(crate) fn parts(message: &Message) -> (String, String, String) {
    let rendered = render(message, &Templates::ours(), &settings()).unwrap();
    assert_eq!(rendered.fallback, "", "the template failed");
    split(&rendered.bytes)
}

/// Head, text part and HTML part of the bytes of a mail; no HTML part is empty.
pub(crate) fn split(bytes: &[u8]) -> (String, String, String) {
    let whole = std::str::from_utf8(bytes).expect("a mail is ASCII");
    let (head, body) = whole.split_once("\r\n\r\n").expect("head and body");
    let head_plain = head.replace("\r\n ", " ");
    let Some(at) = head_plain.find("boundary=\"") else {
        return (head_plain.clone(), decoded(&head_plain, body.strip_suffix("\r\n").unwrap_or(body)), String::new());
    };
    let boundary = head_plain[at + 10..].split('"').next().unwrap();
    let boundary = format!("--{boundary}");
    let mut parts = body.split(&boundary).skip(1).take(2).map(|part| {
        let (head, body) = part.trim_start().split_once("\r\n\r\n").expect("head and body of a part");
        decoded(head, body.strip_suffix("\r\n").unwrap_or(body))
    });
    (head_plain.clone(), parts.next().unwrap(), parts.next().unwrap())
}

fn decoded(head: &str, body: &str) -> String {
    let bytes = if head.contains("quoted-printable") {
        let joined = body.replace("=\r\n", "");
        let mut out = Vec::new();
        let mut rest = joined.as_bytes();
        while let [first, tail @ ..] = rest {
            if *first == b'=' {
                out.push(u8::from_str_radix(std::str::from_utf8(&tail[..2]).unwrap(), 16).unwrap());
                rest = &tail[2..];
            } else {
                out.push(*first);
                rest = tail;
            }
        }
        out
    } else {
        assert!(head.contains("base64"), "an encoding of ours: {head}");
        let mut out = Vec::new();
        let (mut bits, mut held) = (0_u32, 0_u32);
        for c in body.bytes().filter(|c| !c.is_ascii_whitespace() && *c != b'=') {
            let six = match c {
                b'A'..=b'Z' => c - b'A',
                b'a'..=b'z' => c - b'a' + 26,
                b'0'..=b'9' => c - b'0' + 52,
                b'+' => 62,
                _ => 63,
            };
            bits = bits << 6 | u32::from(six);
            held += 6;
            if held >= 8 {
                held -= 8;
                out.push(u8::try_from(bits >> held & 0xff).unwrap());
            }
        }
        out
    };
    String::from_utf8(bytes).unwrap().replace("\r\n", "\n")
}

/// What a reader of the HTML part reads: no head, nothing hidden, buttons and links with their addresses as in the text part.
pub(crate) fn html_as_text(html: &str) -> String {
    let body = &html[html.find("<body").expect("a body")..];
    let mut out = String::new();
    let mut rest = body;
    let mut address: Option<String> = None;
    let mut label = String::new();
    while let Some(at) = rest.find('<') {
        let (piece, tag) = rest.split_at(at);
        out.push_str(piece);
        label.push_str(piece);
        let end = tag.find('>').expect("a tag that ends");
        let inside = &tag[1..end];
        rest = &tag[end + 1..];
        if inside.contains("class=\"preview\"") {
            rest = &rest[rest.find("</div>").expect("the hidden text ends") + 6..];
        } else if inside.starts_with("a ") {
            label.clear();
            address = inside.split("href=\"").nth(1).and_then(|href| href.split('"').next()).map(str::to_owned);
            if inside.contains("class=\"ref\"") {
                address = None;
            }
        } else if inside == "/a" {
            if let Some(address) = address.take().filter(|address| *address != label) {
                out.push(' ');
                out.push_str(&address);
            }
        } else {
            out.push(' ');
        }
    }
    out.push_str(rest);
    let plain = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#x27;", "'"), ("&#x60;", "`"), ("&#x3D;", "="), ("&amp;", "&")]
        .into_iter()
        .fold(out, |text, (entity, c)| text.replace(entity, c));
    squeezed(&plain)
}

/// One space between words.
pub(crate) fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
