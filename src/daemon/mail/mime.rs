//! Headers and MIME. Bodies are encoded so that no line of theirs is a lone dot, which would end the message on its way.

use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, MessageBuilder, MultiPart, SinglePart};
use watchkeeper_engine::ids::IncidentId;
use watchkeeper_engine::model::message::Message;
use watchkeeper_engine::words::Reason;

use super::MailSettings;
use super::view;

/// What a mail says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parts {
    /// The subject, on one line.
    pub(super) subject: String,
    /// The text part.
    pub(super) text: String,
    /// The HTML part; a mail for a gateway has none.
    pub(super) html: Option<String>,
}

/// The whole message.
pub(super) fn bytes(message: &Message, parts: &Parts, to: Mailbox, settings: &MailSettings) -> Vec<u8> {
    let body = match &parts.html {
        None => Content::Single(single(ContentType::TEXT_PLAIN, &parts.text)),
        Some(html) => Content::Alternative(
            MultiPart::alternative()
                .boundary(format!("=_{}_{}", message.id, message.planned_at.0))
                .singlepart(single(ContentType::TEXT_PLAIN, &parts.text))
                .singlepart(single(ContentType::TEXT_HTML, html)),
        ),
    };
    let built = match body {
        Content::Single(part) => headers(message, parts, to, settings).singlepart(part),
        Content::Alternative(parts_of) => headers(message, parts, to, settings).multipart(parts_of),
    };
    built.expect("From, To and Date are set").formatted()
}

enum Content {
    Single(SinglePart),
    Alternative(MultiPart),
}

fn headers(message: &Message, parts: &Parts, to: Mailbox, settings: &MailSettings) -> MessageBuilder {
    let said = &message.said();
    let mut builder = lettre::Message::builder()
        .from(settings.from().clone())
        .to(to)
        .subject(parts.subject.clone())
        .date(message.planned_at.timestamp().try_into().unwrap_or(std::time::UNIX_EPOCH))
        .message_id(Some(settings.message_id(message.id)));
    if message.thread != message.id {
        let first = settings.message_id(message.thread);
        builder = builder.in_reply_to(first.clone()).references(first);
    }
    let incident = message.incident.as_ref().map(IncidentId::to_string).unwrap_or_default();
    let team = list_id(&message.team);
    // Nobody is hurried to what is not theirs to fix, or is over.
    let is_calm = matches!(message.reason, Reason::Affected | Reason::Resolved | Reason::Closed);
    let importance = if said.priority == "P1" && !is_calm { "high" } else { "" };
    for (name, value) in [
        (HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated"),
        (HeaderName::new_from_ascii_str("X-Watchkeeper-Incident"), incident.as_str()),
        (HeaderName::new_from_ascii_str("X-Watchkeeper-Reason"), message.reason.word()),
        (HeaderName::new_from_ascii_str("X-Watchkeeper-Priority"), view::name(&said.priority).as_str()),
        (HeaderName::new_from_ascii_str("X-Watchkeeper-Item"), view::text(&said.item.id).as_str()),
        (HeaderName::new_from_ascii_str("X-Watchkeeper-Rule"), view::text(&said.rule).as_str()),
        (HeaderName::new_from_ascii_str("List-Id"), team.as_str()),
        (HeaderName::new_from_ascii_str("Importance"), importance),
    ] {
        if !value.is_empty() {
            builder = builder.raw_header(HeaderValue::new(name, value.to_owned()));
        }
    }
    builder
}

/// `<network.watchkeeper>`; empty where the message belongs to no team.
fn list_id(team: &str) -> String {
    let plain: String =
        team.chars().take(64).map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' }).collect();
    if plain.is_empty() { plain } else { format!("<{plain}.watchkeeper>") }
}

/// A text part.
pub(super) fn plain(text: &str) -> SinglePart {
    single(ContentType::TEXT_PLAIN, text)
}

/// A part in quoted-printable, which people can read in the file; in base64 where a line would begin with a dot.
fn single(content_type: ContentType, text: &str) -> SinglePart {
    let readable = encoded(text, ContentTransferEncoding::QuotedPrintable);
    let dotted = readable.as_ref().is_some_and(|body| {
        let bytes = body.clone().into_vec();
        bytes.starts_with(b".") || bytes.windows(2).any(|pair| pair == b"\n.")
    });
    let body = match readable {
        Some(body) if !dotted => body,
        Some(_) | None => encoded(text, ContentTransferEncoding::Base64).unwrap_or_else(|| Body::new(String::new())),
    };
    SinglePart::builder().header(content_type).body(body)
}

fn encoded(text: &str, encoding: ContentTransferEncoding) -> Option<Body> {
    Body::new_with_encoding(text.to_owned(), encoding).ok()
}
