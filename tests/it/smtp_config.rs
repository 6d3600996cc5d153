//! `[mail.smtp]` in daemon.toml: its defaults, and each mistake named at its place.

use std::time::Duration;

use watchkeeper::config::{self, Environment, Security, Smtp, Transport};
use watchkeeper::diagnostics::{Colour, Format};

fn load(text: &str) -> Result<Smtp, String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("daemon.toml"), text).unwrap();
    std::fs::write(folder.path().join("password"), "hi\n").unwrap();
    std::fs::write(folder.path().join("ca.pem"), "nothing\n").unwrap();
    match config::load(&folder.path().join("daemon.toml"), &Environment::default()) {
        Ok((config, _)) => match config.mail.transport {
            Transport::Smtp(smtp) => Ok(smtp),
            Transport::File { .. } => Err("files".to_owned()),
        },
        Err(config::ConfigError::Faulty { findings, .. }) => {
            Err(findings.render(Format::Text, Colour::Plain).replace(&folder.path().display().to_string(), "FOLDER"))
        }
        Err(other) => panic!("{other}"),
    }
}

fn smtp(keys: &str) -> Result<Smtp, String> {
    load(&format!("[mail]\ntransport = \"smtp\"\n[mail.smtp]\n{keys}"))
}

#[test]
fn a_host_is_enough_and_nothing_is_sent_in_the_clear_unless_somebody_says_so() {
    let plain = smtp("host = \"mail.example.org\"").unwrap();
    assert_eq!((plain.security, plain.port, plain.step_max), (Security::StartTls, 587, Duration::from_secs(30)));
    assert!(plain.login.is_none() && plain.authorities.is_empty());
    let tls = smtp("host = \"::1\"\nsecurity = \"tls\"\nuser = \"watch\"\npassword_file = \"password\"\ntimeout = \"5s\"").unwrap();
    assert_eq!((tls.security, tls.port, tls.step_max, tls.name()), (Security::Tls, 465, Duration::from_secs(5), "[::1]:465".to_owned()));
    assert_eq!(tls.login.map(|login| (login.user, login.password.expose().to_owned())), Some(("watch".to_owned(), "hi".to_owned())));
    let none = smtp("host = \"localhost\"\nsecurity = \"none\"\nuser = \"watch\"\npassword_file = \"password\"").unwrap();
    assert_eq!((none.security, none.port), (Security::None, 25));
}

#[test]
fn each_mistake_is_named_at_its_place() {
    let mistakes = [
        "[mail]\ntransport = \"smtp\"\n",
        "[mail]\nfrom = \"w@example.org\"\n[mail.smtp]\nhost = \"mail.example.org\"\n",
        "[mail]\ntransport = \"smpt\"\n",
        "[mail]\ntransport = \"smtp\"\n[mail.smtp]\nhots = \"mail.example.org:587\"\nport = 0\nsecurity = \"ssl\"\n",
        "[mail]\ntransport = \"smtp\"\n[mail.smtp]\nhost = \"mail.example.org:587\"\nport = 70000\nuser = \"watch\"\ntimeout = \"1h\"\n",
        "[mail]\ntransport = \"smtp\"\n[mail.smtp]\nhost = \"mail.example.org\"\nsecurity = \"none\"\nuser = \"watch\"\npassword_file = \"password\"\n",
        "[mail]\ntransport = \"smtp\"\n[mail.smtp]\nhost = \"mail.example.org\"\npassword_file = \"nowhere\"\nca_file = \"ca.pem\"\n",
        "[mail]\ntransport = \"smtp\"\n[mail.smtp]\nhost = \"mail.example.org\"\nuser = \"watch\"\npassword_file = \"nowhere\"\nca_file = \"nowhere\"\n",
    ];
    let found: Vec<String> = mistakes.iter().map(|text| load(text).expect_err(text)).collect();
    insta::assert_snapshot!(found.join("\n----\n"));
}
