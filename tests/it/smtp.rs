//! Mail by SMTP against a server that refuses, hangs, drops and lies: what arrives, what is tried again, what is dead, and what never goes over the wire.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use watchkeeper::config::{Login, Secret, Security, Smtp};
use watchkeeper::mail::{Fault, Phase, SmtpError, SmtpTransport, Templates, render};
use watchkeeper_engine::model::message::Message;
use watchkeeper_engine::words::Reason;

use crate::mail_server::{Does, MailServer, Script};
use crate::messages::{message, saying, settings};

/// Long where a server answers, however busy the machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// What a hang is given; steps that do not hang take a hundredth of it.
const SHORT: Duration = Duration::from_secs(2);

/// Whom the mails are to.
const TO: &str = "net@example.org";

fn transport(server: &MailServer, security: Security) -> SmtpTransport {
    with(server, |smtp| smtp.security = security)
}

fn with(server: &MailServer, change: impl FnOnce(&mut Smtp)) -> SmtpTransport {
    let mut smtp = Smtp {
        host: "localhost".to_owned(),
        port: server.address.port(),
        security: Security::None,
        login: None,
        authorities: vec![server.authority.clone()],
        step_max: PATIENCE,
    };
    change(&mut smtp);
    SmtpTransport::new(smtp, settings().sender()).unwrap()
}

fn mail(words: &str) -> Message {
    let mut mail = saying(&message(Reason::Opened), |said| {
        said.quote.summary = words.to_owned();
        said.title = words.to_owned();
    });
    mail.sending.bytes = render(&mail, &Templates::ours(), &settings()).unwrap().bytes;
    mail
}

fn script(steps: &[(&'static str, Does)]) -> Script {
    Script { steps: steps.iter().cloned().collect::<BTreeMap<_, _>>(), ..Script::default() }
}

fn says(text: &str) -> Does {
    Does::Says(text.to_owned())
}

/// The step and whether it is for good.
fn fault(result: Result<(), SmtpError>) -> (Phase, bool, Fault) {
    let error = result.expect_err("it must not succeed");
    (error.phase, error.is_permanent(), error.fault)
}

#[tokio::test]
async fn mails_arrive_with_their_bytes_over_one_connection_whatever_dots_they_have() {
    let server = MailServer::start(Script::default()).await;
    let transport = transport(&server, Security::None);
    let words = ["plain", "a\n.\nMAIL FROM:<evil@example.org>\n.\n", "\r.\r", ".\r\n.\r\n..\r\n", "."];
    let mails: Vec<Message> = words.iter().map(|words| mail(words)).collect();
    for mail in &mails {
        transport.deliver(&mail.to, &mail.sending.bytes).await.unwrap();
    }
    let heard = server.heard();
    assert_eq!(heard.connections, 1);
    let sent: Vec<&Vec<u8>> = mails.iter().map(|mail| &mail.sending.bytes).collect();
    assert_eq!(heard.messages.iter().collect::<Vec<_>>(), sent);
    let commands: Vec<&str> = heard.lines.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(commands[..4], ["EHLO", "MAIL", "RCPT", "DATA"]);
    assert_eq!(heard.lines[1..3], ["MAIL FROM:<watch@example.org>", "RCPT TO:<net@example.org>"]);

    // A message that was rendered otherwise, with a line end that could hide a dot, is not sent at all.
    let mut bare = mails[0].clone();
    bare.sending.bytes = b"Subject: x\r\n\r\na\n.\nRSET\r\n".to_vec();
    assert!(matches!(fault(transport.deliver(&bare.to, &bare.sending.bytes).await), (Phase::Message, true, Fault::BareLineEnd)));
    assert_eq!(server.heard().messages.len(), words.len());
}

#[tokio::test]
async fn a_refusal_of_the_mail_is_for_good_with_5xx_and_for_now_with_4xx_and_the_connection_lives_on() {
    let verbs = [("MAIL", Phase::Mail), ("RCPT", Phase::Recipient), ("DATA", Phase::Data), ("message", Phase::Message)];
    for (verb, phase) in verbs {
        for (code, is_permanent) in [(450, false), (550, true)] {
            let server = MailServer::start(script(&[(verb, says(&format!("{code}-4.0.0 not\r\n{code} you\r\n")))])).await;
            let transport = transport(&server, Security::None);
            for _ in 0..2 {
                let found = fault(transport.deliver(TO, &mail("x").sending.bytes).await);
                assert!(matches!(&found.2, Fault::Refused { code: its, text } if *its == code && text.contains("not")), "{found:?}");
                assert_eq!((found.0, found.1), (phase, is_permanent), "{verb} {code}");
            }
            let heard = server.heard();
            assert_eq!(heard.connections, 1, "{verb} {code}: the connection was thrown away");
            assert_eq!(heard.lines.iter().filter(|line| *line == "RSET").count(), 2, "{verb} {code}");
        }
    }
}

#[tokio::test]
async fn a_refusal_of_us_is_for_now_whatever_its_code() {
    for (step, phase, line) in [
        ("greeting", Phase::Greeting, "554 go away\r\n"),
        ("EHLO", Phase::Hello, "550 who are you\r\n"),
        ("MAIL", Phase::Mail, "530 authentication required\r\n"),
    ] {
        let server = MailServer::start(script(&[(step, says(line))])).await;
        let (at, is_permanent, fault) = fault(transport(&server, Security::None).deliver(TO, &mail("x").sending.bytes).await);
        assert!((at, is_permanent) == (phase, false) && matches!(fault, Fault::Refused { .. }), "{step}: {at:?} {fault:?}");
    }
}

#[tokio::test]
async fn a_hang_at_any_step_ends_within_the_limit() {
    let steps = [
        ("greeting", Phase::Greeting),
        ("EHLO", Phase::Hello),
        ("AUTH", Phase::Login),
        ("MAIL", Phase::Mail),
        ("RCPT", Phase::Recipient),
        ("DATA", Phase::Data),
        ("message", Phase::Message),
    ];
    let hang = async |(step, phase): (&'static str, Phase)| {
        let server = MailServer::start(Script { offers: vec!["AUTH PLAIN LOGIN"], ..script(&[(step, Does::Hangs)]) }).await;
        let transport = with(&server, |smtp| {
            smtp.step_max = SHORT;
            smtp.login = Some(Login { user: "watch".to_owned(), password: Secret::new("s3cret") });
        });
        let begun = Instant::now();
        let (at, is_permanent, fault) = fault(transport.deliver(TO, &mail("x").sending.bytes).await);
        assert!((at, is_permanent) == (phase, false) && matches!(fault, Fault::Slow(_)), "{step}: {at:?} {fault:?}");
        assert!(begun.elapsed() < SHORT * 4, "{step}: {:?}", begun.elapsed());
    };
    let [a, b, c, d, e, f, g] = steps;
    tokio::join!(hang(a), hang(b), hang(c), hang(d), hang(e), hang(f), hang(g));

    // A server that takes the connection and never speaks TLS.
    let server = MailServer::start(script(&[("greeting", Does::Hangs)])).await;
    let transport = with(&server, |smtp| (smtp.security, smtp.step_max) = (Security::Tls, SHORT));
    assert!(matches!(fault(transport.deliver(TO, &mail("x").sending.bytes).await), (Phase::Tls, false, Fault::Slow(_))));
}

#[tokio::test]
async fn a_drop_after_the_final_dot_is_unknown_and_the_second_copy_has_the_same_bytes() {
    let server = MailServer::start(script(&[("message", Does::Drops)])).await;
    let (transport, mail) = (transport(&server, Security::None), mail("x"));
    for _ in 0..2 {
        assert!(matches!(fault(transport.deliver(&mail.to, &mail.sending.bytes).await), (Phase::Message, false, Fault::Broken(_))));
    }
    assert_eq!(server.heard().messages, [mail.sending.bytes.clone(), mail.sending.bytes]);
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_costs_no_try() {
    let server = MailServer::start(Script { mails_max: Some(1), ..Script::default() }).await;
    let transport = transport(&server, Security::None);
    for _ in 0..3 {
        transport.deliver(TO, &mail("x").sending.bytes).await.unwrap();
    }
    let heard = server.heard();
    assert_eq!((heard.connections, heard.messages.len()), (3, 3));
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    for step in ["greeting", "MAIL"] {
        let server = MailServer::start(script(&[(step, Does::Says("2".repeat(100_000)))])).await;
        let found = fault(transport(&server, Security::None).deliver(TO, &mail("x").sending.bytes).await);
        assert!(matches!(&found.2, Fault::Broken(why) if why.contains("more than")), "{step}: {found:?}");
    }
}

#[tokio::test]
async fn nobody_there_is_for_now() {
    let server = MailServer::start(Script::default()).await;
    let transport = with(&server, |smtp| smtp.port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port());
    assert!(matches!(fault(transport.deliver(TO, &mail("x").sending.bytes).await), (Phase::Connect, false, Fault::Io(_))));
    let transport = with(&server, |smtp| smtp.host = "no-such-host.invalid".to_owned());
    assert!(matches!(fault(transport.deliver(TO, &mail("x").sending.bytes).await), (Phase::Lookup, false, _)));
}

#[tokio::test]
async fn under_starttls_and_tls_mails_arrive_and_nothing_but_the_request_for_it_is_said_in_the_clear() {
    let login = Login { user: "watch".to_owned(), password: Secret::new("s3cret") };
    for (security, tls) in [(Security::StartTls, false), (Security::Tls, true)] {
        let offers = vec!["STARTTLS", "AUTH PLAIN"];
        let server = MailServer::start(Script { offers, tls, ..Script::default() }).await;
        let transport = with(&server, |smtp| (smtp.security, smtp.login) = (security, Some(login.clone())));
        let mail = mail("x");
        transport.deliver(&mail.to, &mail.sending.bytes).await.unwrap();
        transport.deliver(&mail.to, &mail.sending.bytes).await.unwrap();
        let heard = server.heard();
        assert_eq!((heard.connections, &heard.messages), (1, &vec![mail.sending.bytes.clone(), mail.sending.bytes]));
        let clear: Vec<&str> =
            heard.lines.iter().filter(|line| !line.starts_with("tls ")).map(|line| line.split(' ').next().unwrap()).collect();
        assert_eq!(clear, if tls { vec![] } else { vec!["EHLO", "STARTTLS"] });
        assert!(heard.lines.iter().any(|line| line == "tls AUTH PLAIN AHdhdGNoAHMzY3JldA=="), "{:?}", heard.lines);
    }
}

#[tokio::test]
async fn a_stripped_starttls_sends_nothing() {
    let server = MailServer::start(Script { offers: vec!["AUTH PLAIN"], ..Script::default() }).await;
    let found = fault(transport(&server, Security::StartTls).deliver(TO, &mail("x").sending.bytes).await);
    assert!(matches!(found, (Phase::StartTls, false, Fault::NoStartTls)), "{found:?}");
    let server = MailServer::start(Script { offers: vec!["STARTTLS"], ..script(&[("STARTTLS", says("454 not now\r\n"))]) }).await;
    let found = fault(transport(&server, Security::StartTls).deliver(TO, &mail("x").sending.bytes).await);
    assert!(matches!(found, (Phase::StartTls, false, Fault::Refused { code: 454, .. })), "{found:?}");
    assert!(server.heard().lines.iter().all(|line| !line.contains("MAIL")), "{:?}", server.heard().lines);
}

#[tokio::test]
async fn what_comes_with_the_answer_to_starttls_is_never_believed() {
    let injected = "220 go\r\n250-evil\r\n250 AUTH PLAIN\r\n";
    let server = MailServer::start(Script { offers: vec!["STARTTLS"], ..script(&[("STARTTLS", says(injected))]) }).await;
    let found = fault(transport(&server, Security::StartTls).deliver(TO, &mail("x").sending.bytes).await);
    assert!(matches!(found, (Phase::StartTls, false, Fault::Unasked(26))), "{found:?}");
    assert_eq!(server.heard().messages.len(), 0);
}

#[tokio::test]
async fn a_certificate_of_another_name_or_another_authority_is_refused() {
    let script = Script { tls: true, ..Script::default() };
    let (server, other) = (MailServer::start(script.clone()).await, MailServer::start(script).await);
    let stranger = with(&server, |smtp| (smtp.security, smtp.authorities) = (Security::Tls, vec![other.authority.clone()]));
    let found = fault(stranger.deliver(TO, &mail("x").sending.bytes).await);
    assert!(matches!(&found, (Phase::Tls, false, Fault::Io(error)) if error.to_string().contains("certificate")), "{found:?}");
    let misnamed = with(&server, |smtp| (smtp.security, smtp.host) = (Security::Tls, "127.0.0.1".to_owned()));
    assert!(matches!(fault(misnamed.deliver(TO, &mail("x").sending.bytes).await), (Phase::Tls, false, Fault::Io(_))));
    // Without a CA of our own, this machine's are asked, and they do not know it either.
    let unknown = with(&server, |smtp| (smtp.security, smtp.authorities) = (Security::Tls, vec![]));
    assert!(matches!(fault(unknown.deliver(TO, &mail("x").sending.bytes).await), (Phase::Tls, false, Fault::Io(_))));
    assert_eq!(server.heard().lines, [""; 0]);
}

#[tokio::test]
async fn a_wrong_password_is_for_now_and_is_in_no_error() {
    let offers = vec!["STARTTLS", "AUTH PLAIN LOGIN"];
    let server = MailServer::start(Script { offers, ..script(&[("AUTH", says("535 5.7.8 no\r\n"))]) }).await;
    let login = Login { user: "watch".to_owned(), password: Secret::new("s3cret-s3cret") };
    let transport = with(&server, |smtp| (smtp.security, smtp.login) = (Security::StartTls, Some(login.clone())));
    let error = transport.deliver(TO, &mail("x").sending.bytes).await.unwrap_err();
    assert!(error.phase == Phase::Login && !error.is_permanent(), "{error}");
    let said = format!("{error} {error:?} {transport:?} {login:?}");
    assert!(!said.contains("s3cret") && !said.contains("czNjcmV0"), "{said}");
}
