//! Python's mail library reads our mails, strictly, and finds in them what was put in.

use std::fs;
use std::process::Command;

use serde_json::Value;
use watchkeeper::mail::{Templates, render};
use watchkeeper_engine::model::message::Message;
use watchkeeper_engine::words::Reason;

use crate::messages::{message, settings, split};

/// Reads every file of a folder, with every defect an error, and prints what it found.
const READ: &str = include_str!("parsed_back.py");

#[test]
fn pythons_mail_library_reads_every_mail_without_a_defect() {
    let folder = tempfile::tempdir().unwrap();
    let mut mails = Vec::new();
    for reason in Reason::ALL {
        mails.push((format!("{reason}"), message(*reason), format!("{reason}")));
        for (n, words) in hostile().into_iter().enumerate() {
            mails.push((format!("{reason}-{n}"), with_words(&message(*reason), &words), words));
        }
    }
    mails.push(("short".to_owned(), Message { template: "short".into(), ..message(Reason::Opened) }, String::new()));
    let templates = Templates::ours();
    let mut ours = Vec::new();
    for (name, mail, _) in &mails {
        let rendered = render(mail, &templates, &settings()).unwrap();
        assert_eq!(rendered.fallback, "", "{name}");
        fs::write(folder.path().join(format!("{name}.eml")), &rendered.bytes).unwrap();
        ours.push(split(&rendered.bytes));
    }
    let read = python(folder.path());
    for ((name, mail, words), (_, text, html)) in mails.iter().zip(&ours) {
        let seen = &read[name];
        assert_eq!(seen["defects"], Value::Array(Vec::new()), "{name} with {words:?}");
        let types: &[&str] = if html.is_empty() { &["text/plain"] } else { &["multipart/alternative", "text/plain", "text/html"] };
        assert_eq!(seen["types"], serde_json::json!(types), "{name}: the structure");
        assert_eq!(seen["text"].as_str().unwrap().trim_end(), text.trim_end(), "{name}");
        assert_eq!(seen["html"].as_str().unwrap().trim_end(), html.trim_end(), "{name}");
        assert_eq!(seen["to"], mail.to.as_str(), "{name}");
        assert_eq!(seen["message-id"], "<MSG0000042.5eed000000000001000000000000002a@example.org>", "{name}");
        assert_eq!(seen["reason"], mail.reason.word(), "{name}");
        assert_eq!(seen["strange"], Value::Array(Vec::new()), "{name}: headers that nobody wrote");
        let subject = seen["subject"].as_str().unwrap();
        let bare = subject.strip_prefix("Re: ").unwrap_or(subject);
        assert!(bare.chars().count() <= 70, "{name}: {} characters of subject: {subject}", bare.chars().count());
        assert!(mail.incident.is_none() || subject.ends_with(']'), "{name}: the number is cut: {subject}");
    }
}

fn with_words(mail: &Message, words: &str) -> Message {
    let mut mail = mail.clone();
    if mail.incident.is_some() {
        mail.subject = format!("P1 {words} [INC0000042]");
    }
    mail.team = words.to_owned();
    let mut said = mail.said();
    for field in [&mut said.title, &mut said.quote.summary, &mut said.item.id, &mut said.rule, &mut said.words, &mut said.check] {
        *field = words.to_owned();
    }
    mail.content = said.into();
    mail
}

fn hostile() -> Vec<String> {
    let mut all: Vec<String> = [
        "x\n.\nMAIL FROM:<evil@example.org>\n",
        "x\r\nBcc: all@example.org\r\n\r\nbody",
        "\r.\r",
        "\u{202e}gnp.exe\u{2066}",
        "=?utf-8?q?=42cc:?= ä \"quoted\" <a@b>, c;",
        "日本語のとても長い要約がここにあります",
        "😀😀😀 tab\there\0",
    ]
    .map(str::to_owned)
    .to_vec();
    all.push("A".repeat(10_000));
    all.push("ä".repeat(10_000));
    all
}

fn python(folder: &std::path::Path) -> Value {
    let done = Command::new("python3").arg("-c").arg(READ).arg(folder).output().expect("python3 is installed (apt-get install python3)");
    assert!(done.status.success(), "python3: {}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).expect("JSON from the script")
}
