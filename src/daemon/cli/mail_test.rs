//! `mail test ADDRESS`: the way to the mail server, step by step with times, and one mail.

use std::path::Path;
use std::time::Instant;

use watchkeeper_engine::ids::StoreId;
use watchkeeper_engine::text::one_line;
use watchkeeper_engine::time::{Span, Time};
use watchkeeper_store::LinkKey;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use super::print;
use crate::app::{self, Failure};
use crate::config::Transport;
use crate::mail::{MailSettings, Phase, Shown, SmtpTransport, test_mail};

/// Sends the mail, and prints each step as it ends.
pub(super) fn run(config: &Path, address: &str, now: Time) -> Result<(), Failure> {
    let (config, _) = app::configuration(config)?;
    let Transport::Smtp(server) = &config.mail.transport else {
        let text = "[mail] transport is \"file\": mails are files in [mail.file] dir, and there is no server to try";
        return Err(Failure { code: 78, text: text.to_owned() });
    };
    let (high, low) = uuid::Uuid::new_v4().as_u64_pair();
    // Its key signs nothing: this mail has no links that do something.
    let key = LinkKey::new([0; 32]);
    let settings = MailSettings::new(&config.mail.from, &config.server.external_url, StoreId { high, low }, key)
        .map_err(|bad| Failure { code: 78, text: format!("[mail] from: {bad}") })?;
    let mail = test_mail(address, &settings, "", now).map_err(|bad| Failure { code: 64, text: bad.to_string() })?;
    let transport = SmtpTransport::new(server.clone(), settings.sender());
    let transport = transport.map_err(|error| Failure { code: 78, text: format!("failed to {error}") })?;

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure { code: 70, text: format!("no runtime: {error}") })?;
    print(&format!("{} by {}, security \"{}\"\n", settings.sender(), server.name(), server.security.word()));
    let mut step = Instant::now();
    let mut line = |phase: Phase, words: &str| {
        let took = step.elapsed();
        step = Instant::now();
        print(&format!("  {:<10} {:>7.1} ms  {}\n", phase.word(), took.as_secs_f64() * 1_000.0, one_line(words)));
    };
    let sent = runtime.block_on(transport.watched(address, &mail.bytes, &mut |phase, shown| line(phase, &words(&shown, now))));
    match sent {
        Ok(()) => {
            line(Phase::Message, &format!("taken for {address}, Message-ID {}", mail.id));
            Ok(())
        }
        Err(error) => {
            line(error.phase, &format!("FAILED: {}", error.fault));
            Err(Failure { code: 1, text: format!("failed to {error}\n  = help: {}", error.advice()) })
        }
    }
}

fn words(shown: &Shown, now: Time) -> String {
    match shown {
        Shown::Addresses(addresses) => {
            let listed: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            listed.join(", ")
        }
        Shown::Connected(peer) => peer.to_string(),
        Shown::Greeted(greeting) => greeting.clone(),
        Shown::Offers(offers) => format!("offers {}", offers.join(", ")),
        Shown::Secured { protocol, suite, certificate } => format!("{protocol}, {suite}; {}", certificate_words(certificate, now)),
        Shown::Ready => "takes mail".to_owned(),
        Shown::LoggedIn(user) => format!("logged in as {user}"),
    }
}

/// Whose certificate it is and until when.
fn certificate_words(der: &[u8], now: Time) -> String {
    let Ok(certificate) = Certificate::from_der(der) else { return "a certificate that cannot be read".to_owned() };
    let about = certificate.tbs_certificate();
    let ends = i64::try_from(about.validity().not_after.to_unix_duration().as_secs()).unwrap_or(i64::MAX / 1_000);
    let ends = Time(ends.saturating_mul(1_000));
    let subject = about.subject().to_string();
    let subject = if subject.is_empty() { "of no subject".to_owned() } else { format!("of {subject}") };
    format!("certificate {subject}, until {ends} ({} left)", Span((ends - now).0).words())
}
