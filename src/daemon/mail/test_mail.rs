//! The one mail of `mail test`.

use lettre::message::header::{HeaderName, HeaderValue};
use watchkeeper_engine::time::Time;

use super::MailSettings;
use super::address::{BadAddress, mailbox};
use super::mime;

/// A mail that says that mail works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestMail {
    /// Its Message-ID, with brackets.
    pub id: String,
    /// The whole message.
    pub bytes: Vec<u8>,
}

/// The mail to `to`. `number` makes its Message-ID one of its own.
///
/// # Errors
/// Where `to` is no address that mail can go to.
pub fn test_mail(to: &str, settings: &MailSettings, number: &str, now: Time) -> Result<TestMail, BadAddress> {
    let id = settings.message_id(format_args!("TEST{number}"));
    let text = format!(
        "This mail was sent by `watchkeeper mail test`: incidents can reach this address.\r\n\r\nLinks in mails lead to {}\r\n",
        settings.external_url()
    );
    let built = lettre::Message::builder()
        .from(settings.from().clone())
        .to(mailbox(to)?)
        .subject("Watchkeeper: test mail")
        .date(now.timestamp().try_into().unwrap_or(std::time::UNIX_EPOCH))
        .message_id(Some(id.clone()))
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
        .singlepart(mime::plain(&text));
    Ok(TestMail { id, bytes: built.expect("From, To and Date are set").formatted() })
}
