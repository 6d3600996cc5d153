//! From a planned message to the bytes that go out: the same inputs give the same bytes, and whatever fails, a mail comes of it.

use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use watchkeeper_engine::model::message::{Channel, Message};

use super::address::{BadAddress, mailbox};
use super::builtin;
use super::hook_body;
use super::layout;
use super::mime::{self, Parts};
use super::settings::MailSettings;
use super::subject::subject;
use super::templates::{Part, Templates};
use super::view;

/// Stack of a rendering thread. Templates are checked to stand at most 16 deep; a level takes a few kilobytes.
const RENDER_STACK_BYTES: usize = 8 * 1024 * 1024;
/// How long the templates of one mail may take. Ours take less than a millisecond; after this the built-in text goes out.
pub const RENDER_DEADLINE: Duration = Duration::from_secs(5);

/// A message as it goes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The whole message, headers first, CRLF at line ends.
    pub bytes: Vec<u8>,
    /// Why the built-in text was used, or another template than the rule names; empty where neither happened.
    pub fallback: String,
}

/// Renders a message. Pure, and as deep as the templates are: [`render_within`] gives it a stack of its own.
///
/// # Errors
/// Where the recipient is no address that mail can go to: nothing can be sent then.
pub fn render(message: &Message, templates: &Templates, settings: &MailSettings) -> Result<Rendered, BadAddress> {
    finished(message, parts(message, templates, settings), templates, settings)
}

/// The bytes of a message by its channel.
fn finished(
    message: &Message,
    (parts, fallback): (Parts, String),
    templates: &Templates,
    settings: &MailSettings,
) -> Result<Rendered, BadAddress> {
    match message.channel() {
        Channel::Mail => Ok(Rendered { bytes: mime::bytes(message, &parts, mailbox(&message.to)?, settings), fallback }),
        Channel::Hook(name) => Ok(hook_body::body(message, name, &parts, fallback, templates, settings)),
    }
}

/// Renders a message on a thread with a known stack; where that takes longer than `deadline`, the built-in text goes out.
///
/// # Errors
/// As [`render`].
pub fn render_within(
    message: &Arc<Message>,
    templates: &Arc<Templates>,
    settings: &Arc<MailSettings>,
    deadline: Duration,
) -> Result<Rendered, BadAddress> {
    let (send, receive) = mpsc::sync_channel(1);
    let (its_message, its_templates, its_settings) = (Arc::clone(message), Arc::clone(templates), Arc::clone(settings));
    let started = thread::Builder::new().name("render".to_owned()).stack_size(RENDER_STACK_BYTES).spawn(move || {
        // Nobody listens any more where the deadline passed: what came too late is dropped.
        drop(send.send(render(&its_message, &its_templates, &its_settings)));
    });
    let why = match started {
        Ok(_) => match receive.recv_timeout(deadline) {
            Ok(rendered) => return rendered,
            Err(_) => format!("the templates took longer than {} s", deadline.as_secs_f32()),
        },
        Err(error) => format!("no thread to render on: {error}"),
    };
    // Templates took too long: a hook gets the daemon's own JSON.
    let plain = MailSettings::clone(settings).without_hooks();
    finished(message, (builtin::parts(message, settings), why), templates, &plain)
}

/// The subject, the parts, and why they are not what the rule's template would have given.
fn parts(message: &Message, templates: &Templates, settings: &MailSettings) -> (Parts, String) {
    let view = view::view(message, settings);
    let mut fallback = String::new();
    let template = if templates.has(&message.template) {
        message.template.as_str()
    } else {
        fallback = format!("there is no template `{}`; this is `{}`", view::name(&message.template), message.reason);
        message.reason.word()
    };
    match from_templates(message, template, templates, &view, settings) {
        Ok(parts) => (parts, fallback),
        Err(why) => (builtin::parts(message, settings), view::text(&why)),
    }
}

fn from_templates(
    message: &Message,
    template: &str,
    templates: &Templates,
    view: &Value,
    settings: &MailSettings,
) -> Result<Parts, String> {
    let part = |part| templates.part(template, part, view).transpose();
    let text = part(Part::Text)?.ok_or_else(|| format!("there is no template `{template}`"))?;
    let text = layout::finish(&text, &format!("More on the page: {}", view::page(settings, view::about(&message.said()))));
    if text.trim().is_empty() {
        return Err(format!("template `{template}` says nothing"));
    }
    let subject = match part(Part::Subject)? {
        Some(own) if !own.trim().is_empty() => subject(message, &own),
        _ => subject(message, &message.subject),
    };
    Ok(Parts { subject, text, html: part(Part::Html)? })
}
