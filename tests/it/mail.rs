//! What mails say, and that nothing a sender writes can change more than their own words.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use std::os::unix::fs::PermissionsExt as _;

use watchkeeper::mail::{FileTransport, MailSettings, RENDER_DEADLINE, Templates, Transport, mailbox, render, render_within};
use watchkeeper_engine::ids::{MessageId, StoreId};
use watchkeeper_engine::model::message::{ClockLine, Hurt, Message, Said};
use watchkeeper_engine::source::SourceFile;
use watchkeeper_engine::time::{Span, Time};
use watchkeeper_engine::words::Reason;
use watchkeeper_store::LinkKey;

use crate::messages::{answered, clock_line, html_as_text, message, parts, saying, settings, split, squeezed, t};

#[test]
fn every_reason_reads_as_it_should_on_a_phone() {
    for reason in Reason::ALL {
        let (head, text, _) = parts(&message(*reason));
        insta::assert_snapshot!(reason.word(), format!("{}\n\n{text}", header(&head, "Subject")));
    }
}

#[test]
fn what_a_mail_says_of_time_agrees_with_itself() {
    let quiet = |reason| {
        saying(&message(reason), |said| {
            (said.holder, said.acknowledged_at, said.state) = (String::new(), Time::default(), "new".into());
            said.hurts.retain(|hurt| hurt.id != "shop");
            (said.cleared, said.back, said.resolves_at) = (said.alerts, vec!["shop".into()], said.now + Span::minutes(4));
            said.clocks[0].target = "response".into();
            (said.clocks[0].next_percent, said.clocks[0].next_at) = (0, Time::default());
            said.clocks.truncate(1);
        })
    };
    // It was open from 03:02 to 03:46 and again for twenty minutes, and nobody acknowledged that.
    let came_back = saying(&message(Reason::Resolved), |said| {
        let at = |time: &str| t(&format!("2026-11-24T{time}+01:00"));
        (said.now, said.since, said.until) = (at("04:40:00"), at("04:20:00"), at("04:40:00"));
        (said.reopened, said.lasted_before, said.acknowledged_before) = (1, Span::minutes(44), Some(Span::minutes(4)));
        (said.holder, said.acknowledged_at) = (String::new(), Time::default());
        let line = |target: &str, state: &str, minutes: i64| ClockLine {
            target: target.into(),
            state: state.into(),
            used: Span::minutes(minutes),
            ended: said.until,
            ..clock_line(27)
        };
        said.clocks = vec![
            ClockLine {
                allowed: "1 h".into(),
                start: said.since,
                because: "resolved before anybody responded".into(),
                ..line("response", "ended", 20)
            },
            ClockLine { start: at("03:02:00"), paused: Span::minutes(34), ..line("resolution", "met", 64) },
        ];
    });
    // Opened half a minute after its alert began.
    let opened_late = saying(&message(Reason::Resolved), |said| {
        let start = said.since + Span::seconds(30);
        said.until = said.since + Span::minutes(64) + Span::seconds(10);
        said.now = said.until;
        said.clocks = vec![ClockLine { start, used: said.until - start, state: "met".into(), ..clock_line(27) }, answered()];
    });
    let business = Message { template: "business".into(), ..came_back.clone() };
    let mails = [
        ("breached_and_cleared", quiet(Reason::SlaBreached)),
        ("warned_and_cleared", quiet(Reason::SlaWarning)),
        ("resolved_unacknowledged", came_back),
        ("resolved_opened_late", opened_late),
        ("business_came_back", business),
    ];
    for (name, mail) in mails {
        insta::assert_snapshot!(name, parts(&mail).1);
    }
}

#[test]
fn those_who_use_the_services_and_those_who_read_sms_get_words_of_their_own() {
    for (template, reason) in
        [("business", Reason::Opened), ("business", Reason::Resolved), ("short", Reason::Opened), ("short", Reason::Resolved)]
    {
        let (_, text, _) = parts(&Message { template: template.into(), ..message(reason) });
        insta::assert_snapshot!(format!("{template}_{reason}"), text);
    }
}

#[test]
fn a_short_mail_is_one_line_that_never_loses_the_number() {
    for reason in Reason::ALL {
        for hostile in hostile_texts() {
            let full = everywhere(&message(*reason), &hostile);
            let incident = message(*reason).said().incident;
            let named = saying(&full, |said| said.incident.clone_from(&incident));
            let rendered = render(&Message { template: "short".into(), ..named }, &Templates::ours(), &settings()).unwrap();
            let body = String::from_utf8(rendered.bytes).unwrap();
            assert!(!body.contains("multipart"), "{reason} has a second part");
            let (_, text, _) = split(body.as_bytes());
            assert_eq!((rendered.fallback.as_str(), text.trim_end().lines().count()), ("", 1), "{reason}: {text}");
            assert!(text.trim_end().chars().count() <= 160 && text.starts_with(&incident), "{reason}: {text}");
        }
    }
}

#[test]
fn both_parts_say_the_same() {
    for reason in Reason::ALL {
        for first in [true, false] {
            let (_, text, html) = parts(&saying(&message(*reason), |said| said.first = first));
            assert_eq!(html_as_text(&html), squeezed(&text), "{reason}");
        }
    }
}

#[test]
fn a_message_that_knows_nothing_has_no_empty_row() {
    for reason in Reason::ALL {
        let bare = Said {
            incident: "INC0000042".into(),
            priority: "P3".into(),
            title: "HighLoad".into(),
            now: message(*reason).said().now,
            ..Said::default()
        };
        let (_, text, html) = parts(&Message { content: bare.into(), ..message(*reason) });
        for line in text.lines().filter(|line| !line.is_empty()) {
            assert!(line.len() > 10 || !line.ends_with(' '), "{reason}: empty row in\n{text}");
            assert!(!line.contains("null") && !line.contains("  .") && !line.contains("()"), "{reason}: {line}");
        }
        assert!(!html.contains("padding:8px 0;font-size:16px;line-height:24px\"></td>"), "{reason}");
    }
}

#[test]
fn mails_stay_small_narrow_and_short_whatever_they_say() {
    for reason in Reason::ALL {
        for hostile in hostile_texts() {
            let (_, text, html) = parts(&everywhere(&message(*reason), &hostile));
            assert!(text.lines().count() <= 30, "{reason}: {} lines", text.lines().count());
            for line in text.lines().filter(|line| !line.contains("https://")) {
                assert!(line.chars().count() <= 72, "{reason}: {line}");
            }
            assert!(html.len() < 30_000, "{reason}: {} bytes of HTML", html.len());
        }
        let (_, _, html) = parts(&message(*reason));
        assert!(!html.contains("<img") && !html.contains("url(") && !html.contains("<script"), "{reason} loads something");
    }
}

#[test]
fn what_senders_write_stays_their_words() {
    let clean = parts(&message(Reason::Opened));
    for hostile in hostile_texts() {
        let mail = everywhere(&message(Reason::Opened), &hostile);
        let rendered = render(&mail, &Templates::ours(), &settings()).unwrap();
        assert_eq!(rendered.fallback, "");
        assert!(!rendered.bytes.windows(3).any(|w| w == b"\n.\r" || w == b"\n.\n"), "a lone dot ends the mail");
        assert!(rendered.bytes.split(|b| *b == b'\n').all(|line| line.ends_with(b"\r") || line.is_empty()), "a line ends without CR");
        assert!(rendered.bytes.split(|b| *b == b'\n').all(|line| line.len() < 998), "a line is too long for SMTP");
        let (head, text, html) = split(&rendered.bytes);
        let names = |head: &str| head.lines().map(|line| line.split(':').next().unwrap().to_owned()).collect::<Vec<_>>();
        assert_eq!(names(&head), names(&clean.0), "a header more or less:\n{head}");
        for part in [&text, &html] {
            assert!(!part.contains(['\u{202e}', '\u{2066}', '\0', '\u{1b}', '\r', '\u{1e}']), "a control character came through");
        }
        // Nothing but our own tags with our own attributes.
        let ours = tags(&clean.2);
        for tag in tags(&html) {
            assert!(ours.contains(&tag), "<{tag}> came in by {hostile:?}");
        }
        // The words may be shown; no address may be made of them.
        let at = html.find("=\"javascript:").or_else(|| html.find("=javascript:"));
        assert!(at.is_none(), "a link that runs something: {}", &html[at.unwrap_or(0)..][..80]);
    }
}

#[test]
fn a_service_is_cut_out_of_the_subject_and_never_the_number() {
    let long = "P1 a-switch-with-a-long-name in Berlin does not answer: shop, mail, crm and 3 more [INC0000042]";
    let (head, ..) = parts(&Message { subject: long.into(), ..message(Reason::Opened) });
    let subject = header(&head, "Subject");
    assert!(subject.ends_with(" [INC0000042]"), "{subject}");
    assert!(!subject.contains("shop"), "{subject}");
}

#[test]
fn headers_tell_programs_what_the_mail_is() {
    let (head, ..) = parts(&message(Reason::Opened));
    insta::assert_snapshot!("headers_of_the_first", head.replace("\r\n", "\n"));
    let (head, ..) = parts(&message(Reason::Resolved));
    insta::assert_snapshot!("headers_of_a_later_one", head.replace("\r\n", "\n"));
}

#[test]
fn only_a_p1_that_is_the_readers_is_of_high_importance() {
    let mail = message(Reason::Opened);
    assert!(parts(&mail).0.contains("Importance: high"));
    let mail = saying(&mail, |said| said.priority = "P2".into());
    assert!(!parts(&mail).0.contains("Importance"));
    let affected = saying(&message(Reason::Affected), |said| said.priority = "P1".into());
    assert!(!parts(&affected).0.contains("Importance"), "it is not theirs to fix");
}

#[test]
fn later_mails_answer_the_first_and_raised_starts_a_new_subject() {
    let (head, ..) = parts(&message(Reason::Resolved));
    assert!(header(&head, "Subject").starts_with("Subject: Re: P1 sw-1 down"));
    assert!(header(&head, "References").contains("<MSG0000007."));
    let (head, ..) = parts(&message(Reason::Raised));
    assert!(header(&head, "Subject").starts_with("Subject: P1 now: sw-1 down"));
    assert!(header(&head, "In-Reply-To").contains("<MSG0000007."));
    let (head, ..) = parts(&message(Reason::Opened));
    assert!(!head.contains("References") && !head.contains("Re: "));
}

#[test]
fn the_same_message_gives_the_same_bytes() {
    for reason in Reason::ALL {
        let (once, again) = (Templates::ours(), Templates::ours());
        assert_eq!(render(&message(*reason), &once, &settings()), render(&message(*reason), &again, &settings()));
    }
}

#[test]
fn two_stores_never_share_a_message_id() {
    let other =
        MailSettings::new("watch@example.org", "https://watch.example.org", StoreId { high: 1, low: 2 }, LinkKey::new([7; 32])).unwrap();
    let id = |settings: &MailSettings| {
        let bytes = render(&message(Reason::Opened), &Templates::ours(), settings).unwrap().bytes;
        header(&split(&bytes).0, "Message-ID").to_owned()
    };
    assert_ne!(id(&settings()), id(&other));
}

#[test]
fn a_template_that_fails_is_replaced_by_a_short_text_and_the_mail_still_goes() {
    // Passes the check, and writes more than a part may have.
    let endless = format!("{{{{#each hurts}}}}{{{{#each @root.hurts}}}}{}{{{{/each}}}}{{{{/each}}}}", "word ".repeat(10_000));
    let templates = Templates::load(&watchkeeper::mail::shipped(), &[SourceFile::new("opened.text.hbs", endless)]).unwrap();
    let mail = saying(&message(Reason::Opened), |said| said.hurts = vec![Hurt::default(); 4]);
    let rendered = render(&mail, &templates, &settings()).unwrap();
    assert!(rendered.fallback.contains("more than 262144 bytes"), "{}", rendered.fallback);
    let (head, text, html) = split(&rendered.bytes);
    assert!(header(&head, "Subject").contains("[INC0000042]"));
    assert!(text.starts_with("P1 OPEN since 03:02 (2 min), not yet acknowledged.\n"), "{text}");
    assert!(text.contains("https://watch.example.org/i/INC0000042"));
    assert_eq!(html_as_text(&html), squeezed(&text));
}

#[test]
fn the_short_text_knows_every_reason_and_escapes_too() {
    let broken = Templates::load(
        &watchkeeper::mail::shipped(),
        &Reason::ALL.iter().map(|reason| SourceFile::new(format!("{reason}.text.hbs"), "{{#if first}}{{/if}}")).collect::<Vec<_>>(),
    )
    .unwrap();
    for reason in Reason::ALL {
        let mail = everywhere(&message(*reason), "<b>\"x\"\r\nBcc: all@example.org");
        let rendered = render(&mail, &broken, &settings()).unwrap();
        assert!(rendered.fallback.contains("says nothing"), "{}", rendered.fallback);
        let (head, text, html) = split(&rendered.bytes);
        assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
        assert!(!html.contains("<b>"));
        assert!(text.lines().count() <= 30);
    }
}

#[test]
fn a_rule_whose_template_is_gone_uses_that_of_the_reason_and_says_so() {
    let mail = Message { template: "busines".into(), ..message(Reason::Opened) };
    let rendered = render(&mail, &Templates::ours(), &settings()).unwrap();
    assert_eq!(rendered.fallback, "there is no template `busines`; this is `opened`");
    assert!(split(&rendered.bytes).1.starts_with("P1 OPEN"));
}

#[test]
fn templates_that_take_too_long_do_not_hold_a_mail_back() {
    let (mail, templates, settings) = (Arc::new(message(Reason::Opened)), Arc::new(Templates::ours()), Arc::new(settings()));
    // A busy machine may render before anybody looks at the clock; not a hundred times.
    let mut tries = (0..100).map(|_| render_within(&mail, &templates, &settings, Duration::ZERO).unwrap());
    assert!(tries.any(|late| late.fallback.contains("took longer")));
    assert_eq!(render_within(&mail, &templates, &settings, RENDER_DEADLINE).unwrap(), render(&mail, &templates, &settings).unwrap());
}

#[test]
fn a_name_alone_gives_a_plain_mail_and_a_subject_of_its_own() {
    let own = [
        SourceFile::new("sms.text.hbs", "{{#line 20}}{{title}} {{title}}{{/line}}"),
        SourceFile::new("sms.subject.hbs", "{{item.id}}:\n {{title}}"),
    ];
    let templates = Templates::load(&watchkeeper::mail::shipped(), &own).unwrap();
    assert!(templates.has("sms") && !templates.has("smss"));
    let rendered = render(&Message { template: "sms".into(), ..message(Reason::Opened) }, &templates, &settings()).unwrap();
    let (head, text, html) = split(&rendered.bytes);
    assert_eq!(
        (header(&head, "Subject"), text.as_str(), html.as_str()),
        ("Subject: sw-1: sw-1 does not answer", "sw-1 does not answe…\n", "")
    );
}

#[test]
fn an_operators_file_replaces_ours_of_the_same_name() {
    let own = [SourceFile::new("has.hbs", "{{#if holder}}{{holder}} kümmert sich{{else}}niemand hat es{{/if}}\n")];
    let templates = Templates::load(&watchkeeper::mail::shipped(), &own).unwrap();
    let rendered = render(&message(Reason::Opened), &templates, &settings()).unwrap();
    assert!(split(&rendered.bytes).1.starts_with("P1 OPEN since 03:02 (2 min), niemand hat es.\n"));
}

#[test]
fn addresses_that_would_break_a_header_or_need_a_favour_are_refused() {
    for good in ["anna@example.org", "Anna <anna@example.org>", "net+page@mail.example.org", "root@localhost"] {
        assert!(mailbox(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "anna",
        "anna@",
        "a b@example.org",
        "\"a b\"@example.org",
        "änna@example.org",
        "anna@example.org\r\nBcc: all@example.org",
        "a@[10.0.0.1]",
        "a@b@c",
    ] {
        assert!(mailbox(bad).is_err(), "{bad:?}");
    }
    let nobody = Message { to: "nobody".into(), ..message(Reason::Opened) };
    let error = render(&nobody, &Templates::ours(), &settings()).unwrap_err();
    assert!(error.to_string().contains("`nobody` is no address"), "{error}");
}

#[tokio::test]
async fn a_folder_holds_one_file_a_message_however_often_it_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let transport = Transport::File(FileTransport::new(dir.path().join("outbox")).unwrap());
    let mut mail = message(Reason::Opened);
    assert!(transport.deliver(mail.clone()).await.is_err(), "nothing to send yet");
    mail.sending.bytes = render(&mail, &Templates::ours(), &settings()).unwrap().bytes;
    transport.deliver(mail.clone()).await.unwrap();
    transport.deliver(mail.clone()).await.unwrap();
    let other = Message { id: MessageId(43), to: "Anna <../../anna@example.org>".into(), ..mail.clone() };
    transport.deliver(other).await.unwrap();
    let mut names: Vec<String> =
        std::fs::read_dir(dir.path().join("outbox")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["20261124T020400Z-MSG0000042-net@example.org.eml", "20261124T020400Z-MSG0000043-Anna__.._.._anna@example.org_.eml"]);
    assert_eq!(std::fs::read(dir.path().join("outbox").join(&names[0])).unwrap(), mail.sending.bytes);
    let mode = |path: std::path::PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(dir.path().join("outbox")), 0o700, "a mail holds links that act: no other user reads it, whatever the umask");
    assert_eq!(names.iter().map(|name| mode(dir.path().join("outbox").join(name))).collect::<Vec<_>>(), [0o600; 2]);
}

#[tokio::test]
async fn a_folder_that_others_can_enter_stays_so_and_its_mails_are_closed_to_them() {
    let dir = tempfile::tempdir().unwrap();
    let open = |mode| std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(dir.path(), open(0o755)).unwrap();
    let mut mail = message(Reason::Opened);
    mail.sending.bytes = b"x".to_vec();
    // What a crash left half-written, with the mode of its time.
    let half = dir.path().join(format!(".{}.tmp", FileTransport::file_name(&mail)));
    std::fs::write(&half, "half").unwrap();
    std::fs::set_permissions(&half, open(0o644)).unwrap();
    Transport::File(FileTransport::new(dir.path()).unwrap()).deliver(mail.clone()).await.unwrap();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(dir.path()), mode(&dir.path().join(FileTransport::file_name(&mail)))), (0o755, 0o600));
}

/// Texts that broke mails elsewhere.
fn hostile_texts() -> Vec<String> {
    let mut all: Vec<String> = [
        "line\n.\nMAIL FROM:<evil@example.org>",
        "x\r\nBcc: all@example.org\r\n\r\nbody",
        ".",
        "..\r\n.\r\n",
        "\u{202e}gnp.exe\u{2066}",
        "\"quoted\" 'single' `tick` \\back",
        "</td></tr></table><script>alert(1)</script><a href=\"javascript:alert(1)\">x</a>",
        "{{incident}} {{{title}}} {{> rows}}",
        "<!-- -->&amp;&#x3c;b&#x3e;",
        "\0\u{1b}[31m\u{1e}\u{1f}\u{7}",
        "=?utf-8?B?PHNjcmlwdD4=?=",
        "日本語のとても長い要約がここにあります。",
    ]
    .map(str::to_owned)
    .to_vec();
    all.push("A".repeat(10_000));
    all.push("wide words and more of them ".repeat(400));
    all.push("😀".repeat(3_000));
    all
}

/// The message with a text in every place that a sender, an operator or a file can fill.
fn everywhere(message: &Message, text: &str) -> Message {
    let s = || text.to_owned();
    let mut mail = message.clone();
    mail.subject = format!("P1 {text} [INC0000042]");
    mail.notify_rule = s();
    mail.team = s();
    let mut said = mail.said();
    for field in [
        &mut said.title,
        &mut said.holder,
        &mut said.cause,
        &mut said.yours_because,
        &mut said.team,
        &mut said.check,
        &mut said.runbook,
        &mut said.rule,
        &mut said.notify,
        &mut said.by,
        &mut said.words,
        &mut said.item.id,
        &mut said.item.class,
        &mut said.item.owner,
        &mut said.item.site,
        &mut said.quote.name,
        &mut said.quote.summary,
        &mut said.quote.source,
        &mut said.quote.url,
        &mut said.before.words,
    ] {
        *field = s();
    }
    said.runbook = format!("javascript:{text}");
    said.symptom_items = vec![s(); 9];
    said.yours = vec![s(); 9];
    said.told = vec![s(); 300];
    said.left_over = vec![s(); 9];
    said.hurts = vec![Hurt { id: s(), tier: s(), health: s() }; 9];
    for line in &mut said.lines {
        line.title = s();
        line.holder = s();
        line.item = s();
    }
    mail.content = said.into();
    mail
}

/// Every tag without the values of its attributes.
fn tags(html: &str) -> BTreeSet<String> {
    html.split('<').skip(1).map(|tag| tag.split('>').next().unwrap().split('"').step_by(2).collect()).collect()
}

fn header<'h>(head: &'h str, name: &str) -> &'h str {
    head.lines().find(|line| line.starts_with(&format!("{name}: "))).unwrap_or_else(|| panic!("no {name} in\n{head}"))
}
