//! The whole daemon against a real mail server that refuses, hangs, drops and lies at each step: every mail arrives, or is dead with a reason, in the time written.

mod story;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::thread;

use serde_json::Value;
use watchkeeper_harness::mail_server::MailServer;
use watchkeeper_harness::mailbox::{mails, sha256};

use self::story::{End, Story};

/// Steps that a server can be told to go wrong at, as `server.py` names them.
const STEPS: [&str; 8] = ["greeting", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "message"];
/// Steps whose 5xx is about the mail and not about us.
const JUDGES_THE_MAIL: [&str; 4] = ["MAIL", "RCPT", "DATA", "message"];
/// Stories told at once: each is a daemon and a mail server, which mostly wait.
const AT_ONCE: usize = 8;

#[test]
fn whatever_a_server_does_at_whichever_step_every_mail_arrives_or_is_dead_with_a_reason() {
    let mut stories = Vec::new();
    for step in STEPS {
        stories.push(Story::of(&format!("{step}=451*1"), End::ArrivesAfterARetry));
        stories.push(Story::of(&format!("{step}=hang*1"), End::ArrivesAfterARetry));
        let refused = if JUDGES_THE_MAIL.contains(&step) { End::Dead("550") } else { End::ArrivesAfterARetry };
        stories.push(Story::of(&format!("{step}=550*1"), refused));
        let dropped = if step == "message" { End::ArrivesTwice } else { End::ArrivesAfterARetry };
        stories.push(Story::of(&format!("{step}=drop*1"), dropped));
    }
    stories.push(Story::of("STARTTLS=inject*1", End::ArrivesAfterARetry));
    stories.push(Story { tls: "none", ..Story::of("greeting=451*0", End::NeverInTheClear) });
    stories.push(Story { tls: "implicit", ..Story::of("greeting=451*0", End::Arrives) });
    stories.push(Story::of("greeting=451*0", End::Arrives));
    for some in stories.chunks(AT_ONCE) {
        thread::scope(|scope| {
            for story in some {
                scope.spawn(|| story.run());
            }
        });
    }
}

#[test]
fn pythons_mail_library_finds_in_the_mailbox_what_was_sent_whatever_dots_it_had() {
    let story = Story::of("greeting=451*0", End::Arrives);
    let (place, server) = story.place();
    let daemon = place.start();
    let dots = ["lone\n.\nMAIL FROM:<evil@example.org>\n.\n", "\r.\r", "x\r\n.\r\nQUIT\r\n", ".", "..", "\n."];
    for (n, words) in dots.iter().enumerate() {
        story::fire(&daemon, &format!("sw-{}", n + 1), words);
    }
    let outbox = story::delivered(&daemon, dots.len());
    let read = parsed(&server);
    let there: BTreeSet<&str> = read.as_object().unwrap().values().map(|mail| mail["message-id"].as_str().unwrap()).collect();
    assert_eq!(there.len(), dots.len(), "{read:#}");
    for mail in read.as_object().unwrap().values() {
        assert_eq!(mail["defects"], Value::Array(Vec::new()), "{mail:#}");
        assert_eq!(mail["types"], serde_json::json!(["multipart/alternative", "text/plain", "text/html"]));
        assert!(mail["text"].as_str().unwrap().contains("Why "), "the end of the mail is missing: {mail:#}");
    }
    let kept: BTreeSet<String> = mails(&server.mailbox).into_iter().map(|mail| sha256(&mail.bytes)).collect();
    assert_eq!(kept, outbox.into_iter().collect(), "what arrived is not what was sent, byte for byte");
    assert!(daemon.stop().success());
}

#[test]
fn mail_test_shows_each_step_and_says_what_to_do_where_one_fails() {
    let (place, server) = Story::of("greeting=451*0", End::Arrives).place();
    let done = place.run(&["mail", "test", "you@example.org"]);
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
    let steps: Vec<&str> = said.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(steps, ["DNS", "connect", "greeting", "EHLO", "TLS", "EHLO", "AUTH", "message"], "{said}");
    for wanted in ["TLSv1_3", "until 2036-01-01", "logged in as watch", "taken for you@example.org"] {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
    let arrived = mails(&server.mailbox);
    assert_eq!((arrived.len(), arrived[0].to()), (1, "you@example.org"));
    assert!(!format!("{said}{arrived:?}").contains(story::PASSWORD));

    fs::write(place.path("smtp.password"), "another one\n").unwrap();
    let done = place.run(&["mail", "test", "you@example.org"]);
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert_eq!(done.status.code(), Some(1), "{said}");
    assert!(said.contains("FAILED: the server answered 535") && said.contains("password_file"), "{said}");
    assert_eq!(mails(&server.mailbox).len(), 1);
}

/// What Python's mail library reads in the mailbox, strictly.
fn parsed(server: &MailServer) -> Value {
    let script = include_str!("../parsed_back.py");
    let done = Command::new("python3").arg("-c").arg(script).arg(&server.mailbox).output().expect("python3 is installed");
    assert!(done.status.success(), "python3: {}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}
