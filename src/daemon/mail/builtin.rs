//! The text that goes out where the templates fail: plain, short, without a template, with what a reader needs to act.

use handlebars::html_escape;
use watchkeeper_engine::model::message::{Message, Said};
use watchkeeper_engine::time::Time;
use watchkeeper_engine::words::Length;

use super::helpers::{clock_words, listed};
use super::layout;
use super::links::LinkAction;
use super::mime::Parts;
use super::settings::MailSettings;
use super::subject::subject;
use super::view;

/// Both parts of the built-in mail.
pub(super) fn parts(message: &Message, settings: &MailSettings) -> Parts {
    let said = &message.said();
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
        ("Affects", listed(&hurts, more)),
        ("Cause", view::text(&said.cause)),
        ("Have it", acknowledge(message, said, settings)),
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
fn acknowledge(message: &Message, said: &Said, settings: &MailSettings) -> String {
    let incident = message.incident.filter(|_| message.reason.length() == Length::Full && said.holder.is_empty());
    incident.map_or_else(String::new, |incident| settings.link(message, incident, LinkAction::Acknowledge))
}

fn verdict(message: &Message) -> String {
    let said = &message.said();
    let (_, zone) = view::zone(&message.zone);
    let clock = |at: Time| clock_words(at, said.now, &zone);
    let priority = view::name(&said.priority);
    let has = match (said.holder.is_empty(), said.acknowledged_at == Time::default()) {
        (false, _) => format!("assigned to {}", view::name(&said.holder)),
        (true, true) => "not yet acknowledged".to_owned(),
        (true, false) => "assigned to nobody".to_owned(),
    };
    let named = [
        ("{priority}", priority),
        ("{has}", has),
        ("{open}", format!("since {} ({})", clock(said.since), (said.now - said.since).words())),
        ("{since}", clock(said.since)),
        ("{until}", clock(said.until)),
        ("{item}", view::name(&said.item.id)),
        ("{words}", view::text(&said.words)),
        ("{lines}", said.lines.len().to_string()),
        ("{lines_since}", clock(said.lines_since)),
        ("{clock}", clock_said(said)),
        ("{count}", said.problem.count.to_string()),
        ("{first_outage}", clock(said.problem.since)),
    ];
    filled(message.reason.says(), &named)
}

/// A text with each name in braces replaced, once: what a sender wrote stands for itself, braces or not.
fn filled(says: &str, named: &[(&str, String)]) -> String {
    let mut out = String::new();
    let mut rest = says;
    while let Some((before, name, after)) = rest
        .find('{')
        .and_then(|at| Some((&rest[..at], at + rest[at..].find('}')? + 1)))
        .map(|(before, end)| (before, &rest[before.len()..end], &rest[end..]))
    {
        out.push_str(before);
        out.push_str(named.iter().find(|(known, _)| *known == name).map_or(name, |(_, value)| value));
        rest = after;
    }
    out.push_str(rest);
    out
}

/// What a mail about an SLA is about: `75 % of the time to resolution is used (gold)`.
fn clock_said(said: &Said) -> String {
    let line = said.clocks.first();
    line.map_or_else(String::new, |line| {
        format!("{} % of the time to {} is used ({})", line.percent, view::name(&line.target), view::name(&line.sla))
    })
}

#[cfg(test)]
mod tests {
    use watchkeeper_engine::words::Reason;

    use super::filled;

    #[test]
    fn whatever_stands_in_braces_in_the_table_of_reasons_is_filled_in() {
        let source = include_str!("builtin.rs");
        for reason in Reason::ALL {
            for name in reason.says().split('{').skip(1).filter_map(|rest| rest.split('}').next()) {
                assert!(source.contains(&format!("(\"{{{name}}}\", ")), "{reason}: {{{name}}}");
            }
        }
        assert_eq!(filled("{a} and {b}, {c", &[("{a}", "{b}".to_owned()), ("{b}", "x".to_owned())]), "{b} and x, {c");
    }
}
