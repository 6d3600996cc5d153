//! The text that goes out where the templates fail: plain, short, without a template, with what a reader needs to act.

use handlebars::html_escape;
use watchkeeper_engine::model::message::{Content, Message};
use watchkeeper_engine::time::Time;
use watchkeeper_engine::words::Reason;

use super::MailSettings;
use super::helpers::{clock_words, listed};
use super::layout;
use super::links::LinkAction;
use super::mime::Parts;
use super::render::subject;
use super::view;

/// Both parts of the built-in mail.
pub(super) fn parts(message: &Message, settings: &MailSettings) -> Parts {
    let said = &message.content;
    let page = view::page(settings, view::about(said));
    let (zone_name, _) = view::zone(&message.zone);
    let hurts: Vec<String> =
        said.hurts.iter().take(4).map(|hurt| format!("{}: {}", view::name(&hurt.id), view::name(&hurt.health).replace('_', " "))).collect();
    let hurts: Vec<&str> = hurts.iter().map(String::as_str).collect();
    let more = i64::try_from(said.hurts.len().saturating_sub(4)).unwrap_or(0);
    let mut text = layout::paragraph(&verdict(message));
    if !said.title.is_empty() {
        text.push_str(&layout::paragraph(&view::text(&said.title)));
    }
    text.push('\n');
    for (label, value) in [
        ("Item", view::name(&said.item.id)),
        ("Hurts", listed(&hurts, more)),
        ("Cause", view::text(&said.cause)),
        ("Have it", acknowledge(message, settings)),
        ("Page", page.clone()),
        (
            "Why",
            format!(
                "rule {}, notify {}. Times: {zone_name}. (short text: the template failed)",
                view::name(&said.rule),
                view::name(&said.notify)
            ),
        ),
    ] {
        text.push_str(&layout::row(label, &value));
    }
    for line in said.lines.iter().take(12) {
        text.push_str(&layout::row(&view::name(&line.priority), &format!("{} {}", view::name(&line.incident), view::name(&line.title))));
    }
    let text = layout::finish(&text, &format!("More on the page: {page}"));
    let html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>{}</title></head>\n<body style=\"margin:16px;font-size:16px;line-height:24px\">\n\
         <pre style=\"margin:0;font:inherit;white-space:pre-wrap;overflow-wrap:anywhere\">{}</pre>\n\
         </body></html>\n",
        html_escape(&view::name(&said.incident)),
        html_escape(&text),
    );
    Parts { subject: subject(message, &message.subject), text, html: Some(html) }
}

/// The link by which the reader has it, while nobody does.
fn acknowledge(message: &Message, settings: &MailSettings) -> String {
    let is_asked = matches!(message.reason, Reason::Opened | Reason::Reopened | Reason::Raised | Reason::Released);
    let incident = message.incident.filter(|_| is_asked && message.content.holder.is_empty());
    incident.map_or_else(String::new, |incident| settings.link(message, incident, LinkAction::Acknowledge))
}

fn verdict(message: &Message) -> String {
    let said = &message.content;
    let (_, zone) = view::zone(&message.zone);
    let clock = |at: Time| clock_words(at, said.now, &zone);
    let priority = view::name(&said.priority);
    let has = if said.holder.is_empty() { "nobody has it yet".to_owned() } else { format!("{} has it", view::name(&said.holder)) };
    let open = format!("since {} ({})", clock(said.since), (said.now - said.since).words());
    match message.reason {
        Reason::Opened => format!("{priority} OPEN {open}, {has}."),
        Reason::Reopened => format!("{priority} OPEN AGAIN, first opened {}, {has}.", clock(said.since)),
        Reason::Raised => format!("NOW {priority}, open {open}, {has}."),
        Reason::Affected => format!("NOT YOURS TO FIX: because of {}, {has}.", view::name(&said.item.id)),
        Reason::Released => format!("{priority} YOURS AGAIN: it still fires, {has}."),
        Reason::Acknowledged => format!("ACKNOWLEDGED, {has}. {priority}, still open."),
        Reason::Resolved => format!("RESOLVED {}: {}.", clock(said.until), view::text(&said.words)),
        Reason::Digest => format!("{} INCIDENTS since {}.", said.lines.len(), clock(said.lines_since)),
        Reason::Assigned => format!("ASSIGNED, {has}. {priority}, open {open}."),
        Reason::Held => format!("ON HOLD: {}. {priority}, open {open}.", view::text(&said.words)),
        Reason::SlaWarning => format!("{}, {has}. {priority}, open {open}.", clock_said(said, "TIME IS RUNNING OUT")),
        Reason::SlaBreached => format!("{}, {has}. {priority}, open {open}.", clock_said(said, "BREACHED")),
        Reason::ProblemOpened => format!("PROBLEM OPEN: {} times since {}, {has}.", said.problem.count, clock(said.problem.since)),
        Reason::FixFailed => format!("FIX FAILED: it came back, {} times since {}, {has}.", said.problem.count, clock(said.problem.since)),
        Reason::Closed => format!("CLOSED: over since {}.", clock(said.until)),
    }
}

/// What a mail about an SLA is about: `75 % of the time to resolution is used (gold)`.
fn clock_said(said: &Content, word: &str) -> String {
    match said.clocks.first() {
        Some(line) => format!("{word}: {} % of the time to {} is used ({})", line.percent, view::name(&line.target), view::name(&line.sla)),
        None => word.to_owned(),
    }
}
