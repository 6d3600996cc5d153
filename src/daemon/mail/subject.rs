//! The subject of a mail, as a phone shows it and a client keeps it.

use watchkeeper_engine::limits::SUBJECT_CHARS_MAX;
use watchkeeper_engine::model::message::Message;
use watchkeeper_engine::text::one_line;

use super::view;

/// The subject as it goes out: `Re:` in front of later mails of a thread, so that every client keeps one, except where people must not miss it.
pub(super) fn subject(message: &Message, subject: &str) -> String {
    let subject = fit(&one_line(subject));
    let starts_anew = !message.reason.subject().is_empty();
    if message.thread == message.id || starts_anew { subject } else { format!("Re: {subject}") }
}

/// At most 70 characters, cut in front of the number.
fn fit(subject: &str) -> String {
    if subject.chars().count() <= SUBJECT_CHARS_MAX {
        return subject.to_owned();
    }
    match subject.rfind(" [") {
        Some(at) if subject.ends_with(']') && subject[at..].chars().count() < SUBJECT_CHARS_MAX / 2 => {
            let number = &subject[at..];
            format!("{}{number}", view::cut(&subject[..at], SUBJECT_CHARS_MAX - number.chars().count()))
        }
        _ => view::cut(subject, SUBJECT_CHARS_MAX),
    }
}
