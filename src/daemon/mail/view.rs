//! What a template sees of a message: every text on one line and cut, every list bounded, every address of a web page checked.

use jiff::tz::TimeZone;
use serde_json::{Value, json};
use watchkeeper_engine::ids::IncidentId;
use watchkeeper_engine::model::incident::clock::BREACH;
use watchkeeper_engine::model::message::{ClockLine, DigestLine, Message, OutageLine, Said};
use watchkeeper_engine::text::one_line;
use watchkeeper_engine::time::{Span, Time};
use watchkeeper_engine::words::{IncidentState, Length, SlaTarget};

use super::MailSettings;
use super::links::LinkAction;

/// Characters of what a sender, an operator or a rule wrote.
const TEXT_CHARS_MAX: usize = 200;
/// Characters of an id, a name or an address.
const NAME_CHARS_MAX: usize = 48;
/// Services and further addressees that are named.
const FEW: usize = 4;
/// Items that are named.
const SOME: usize = 5;
/// Open incidents of a digest that are named.
const OPEN_LINES: usize = 8;
/// Settled incidents of a digest that are named.
const SETTLED_LINES: usize = 4;
/// Characters of a title in a digest.
const LINE_TITLE_CHARS: usize = 36;
/// Characters of a web address; a longer one is left out, because half an address is none.
const URL_CHARS_MAX: usize = 2_000;

/// Everything a template may name, as `variables::ROOT` lists it; and `base`, which the helper `ref` builds addresses from.
pub(super) fn view(message: &Message, settings: &MailSettings) -> Value {
    let said = &message.said();
    let (zone, _) = zone(&message.zone);
    let title = sentence(&said.title);
    let item = name(&said.item.id);
    let (open, settled): (Vec<&DigestLine>, Vec<&DigestLine>) = said.lines.iter().partition(|line| line.until == Time::default());
    let parts = [
        json!({
            "base": settings.external_url(),
            "reason": message.reason.word(),
            "incident": name(&said.incident),
            "page": page(settings, about(said)),
            "act": act(message, settings),
            "priority": name(&said.priority),
            "priority_before": name(&said.priority_before),
            "state": name(&said.state),
            "title": title,
            "now": said.now.0,
            "since": said.since.0,
            "until": said.until.0,
            "acknowledged_at": said.acknowledged_at.0,
            "hold_until": said.hold_until.0,
            "reopens_until": said.reopens_until.0,
            "zone": zone,
            "holder": name(&said.holder),
            "team": name(&said.team),
            "by": name(&said.by),
            "words": sentence(&said.words),
        }),
        json!({
            "item": {
                "id": item,
                "class": name(&said.item.class),
                "owner": name(&said.item.owner),
                "site": name(&said.item.site),
                "known": said.item.known,
                "in_title": !item.is_empty() && title.contains(&item),
            },
            "quote": {
                "name": name(&said.quote.name),
                "summary": text(&said.quote.summary),
                "source": name(&said.quote.source),
                "url": web(&said.quote.url),
            },
            "hurts": said.hurts.iter().take(FEW).map(|hurt| json!({
                "id": name(&hurt.id), "tier": name(&hurt.tier), "health": name(&hurt.health),
            })).collect::<Vec<_>>(),
            "hurts_more": said.hurts.len().saturating_sub(FEW),
            "services": said.hurts.iter().take(FEW).map(|hurt| name(&hurt.id)).collect::<Vec<_>>(),
            "back": names(&said.back, FEW),
            "back_more": said.back.len().saturating_sub(FEW),
            "resolves_at": said.resolves_at.0,
            "cause": sentence(&said.cause),
        }),
        json!({
            "symptoms": said.symptoms,
            "symptom_items": names(&said.symptom_items, SOME),
            "symptom_more": said.symptom_more as usize + said.symptom_items.len().saturating_sub(SOME),
            "alerts": said.alerts,
            "cleared": said.cleared,
            "yours": names(&said.yours, SOME),
            "yours_more": said.yours_more as usize + said.yours.len().saturating_sub(SOME),
            "yours_since": said.yours_since.0,
            "yours_because": sentence(&said.yours_because),
            "yours_incident": name(&said.yours_incident),
            "check": text(&said.check),
            "before": {
                "incident": name(&said.before.incident),
                "opened_at": said.before.opened_at.0,
                "lasted": said.before.lasted.0,
                "words": sentence(&said.before.words),
            },
            "runbook": web(&said.runbook),
            "told": names(&said.told, FEW),
            "told_more": said.told.len().saturating_sub(FEW),
            "rule": name(&said.rule),
            "notify": name(&said.notify),
            "reopened": said.reopened,
            "lasted_before": said.lasted_before.0,
            "lasted": if said.until == Time::default() { 0 } else { said.lasted_before.0 + (said.until - said.since).0 },
            "acknowledged_before": said.acknowledged_before.map_or(0, |span| span.0.max(1)),
            "left_over": said.left_over.iter().take(FEW).map(|one| sentence(one)).collect::<Vec<_>>(),
            "left_over_more": said.left_over.len().saturating_sub(FEW),
        }),
        json!({
            "problem": {
                "id": name(&said.problem.id),
                "rule": name(&said.problem.rule),
                "same": text(&said.problem.same),
                "because": sentence(&said.problem.because),
                "count": said.problem.count,
                "since": said.problem.since.0,
                "lasted": said.problem.lasted.0,
                "outages": said.problem.outages.iter().take(SOME).map(outage_line).collect::<Vec<_>>(),
                "workaround": sentence(&said.problem.workaround),
                "fixes_failed": said.problem.fixes_failed,
                "fix": sentence(&said.problem.fix),
                "fixed_by": name(&said.problem.fixed_by),
            },
        }),
        json!({
            "due": clock_line(said.clocks.first().unwrap_or(&ClockLine::default()), said),
            "clocks": said.clocks.iter().map(|line| clock_line(line, said)).collect::<Vec<_>>(),
            "first": said.first,
            "full": said.first || message.reason.length() == Length::Full,
            "open_lines": open.iter().take(OPEN_LINES).map(|line| digest_line("Now", line, message, settings)).collect::<Vec<_>>(),
            "open_count": open.len(),
            "open_more": open.len().saturating_sub(OPEN_LINES),
            "settled_lines": settled.iter().take(SETTLED_LINES).map(|line| digest_line("Over", line, message, settings)).collect::<Vec<_>>(),
            "settled_count": settled.len(),
            "settled_more": settled.len().saturating_sub(SETTLED_LINES),
            "lines_since": said.lines_since.0,
            "subject": "",
            "headline": "",
            "text": "",
            "out": {"name": "", "topic": ""},
        }),
    ];
    Value::Object(parts.into_iter().filter_map(|part| if let Value::Object(names) = part { Some(names) } else { None }).flatten().collect())
}

/// The zone of a name, and the name that stands in the mail: UTC where the first is unknown.
pub(super) fn zone(name: &str) -> (String, TimeZone) {
    match TimeZone::get(name) {
        Ok(zone) if !name.is_empty() => (name.to_owned(), zone),
        _ => ("UTC".to_owned(), TimeZone::UTC),
    }
}

fn outage_line(line: &OutageLine) -> Value {
    json!({
        "incident": name(&line.incident),
        "at": line.at.0,
        "lasted": line.lasted.0,
        "is_over": line.is_over,
        "words": sentence(&line.words),
    })
}

/// The incident or the problem that a mail is about; empty in a digest.
pub(super) fn about(said: &Said) -> &str {
    if said.incident.is_empty() { &said.problem.id } else { &said.incident }
}

/// The address of an incident's or a problem's page; of the daemon where there is none.
pub(super) fn page(settings: &MailSettings, incident: &str) -> String {
    if incident.is_empty() { format!("{}/", settings.external_url()) } else { format!("{}/i/{}", settings.external_url(), name(incident)) }
}

/// One line, at most 200 characters.
pub(super) fn text(text: &str) -> String {
    cut(&one_line(text), TEXT_CHARS_MAX)
}

/// One line, at most 48 characters.
pub(super) fn name(text: &str) -> String {
    cut(&one_line(text), NAME_CHARS_MAX)
}

/// Cuts to at most `max` characters, ending in `…` where something was cut.
pub(super) fn cut(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let mut out: String = text.chars().take(max.saturating_sub(1)).collect();
    out.truncate(out.trim_end().len());
    out.push('…');
    out
}

/// An address of a web page that may be linked: http or https, no space, no quote, no control character; else empty.
pub fn web(url: &str) -> String {
    let plain = url.trim();
    let known = plain.starts_with("https://") || plain.starts_with("http://");
    let clean = plain.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\'' | '<' | '>' | '\\' | '`' | '{' | '}'));
    if known && clean && plain.len() <= URL_CHARS_MAX { plain.to_owned() } else { String::new() }
}

/// A text to which the template adds the full stop.
fn sentence(said: &str) -> String {
    text(said).trim_end_matches(['.', ' ']).to_owned()
}

fn names(all: &[String], max: usize) -> Vec<String> {
    all.iter().take(max).map(|one| name(one)).collect()
}

fn clock_line(line: &ClockLine, said: &Said) -> Value {
    let (goal, kept) = match SlaTarget::from_word(&line.target) {
        Some(SlaTarget::Response) => ("acknowledge", "acknowledged"),
        Some(SlaTarget::Update) => ("update", "updated"),
        Some(SlaTarget::Resolution) | None => ("restore", "restored"),
    };
    let share = |percent: &u32| if *percent >= u32::from(BREACH) { "the deadline".to_owned() } else { format!("{percent} %") };
    json!({
        "sla": name(&line.sla),
        "service": name(&line.service),
        "target": name(&line.target),
        "goal": goal,
        "kept": kept,
        "state": name(&line.state),
        "allowed": name(&line.allowed),
        "percent": line.percent,
        "deadline": line.deadline.0,
        "used": line.used.0,
        "left": line.left.0,
        "paused": line.paused.0,
        "ended": line.ended.0,
        "reached": line.reached.iter().map(share).collect::<Vec<_>>(),
        "next_percent": line.next_percent,
        "next_at": line.next_at.0,
        "counted_from": counted_from(line, said).0,
        "because": sentence(&line.because),
    })
}

/// From when on the time to restore counts, where a reader would see another time than the incident's: it began before it was opened, or came back.
fn counted_from(line: &ClockLine, said: &Said) -> Time {
    let (late, lasted) = (line.start - said.since, said.until - said.since);
    let minute = |at: Time| at.0.div_euclid(60_000);
    let counted = Span(line.used.0 + line.paused.0);
    let looks_other = lasted.0 - counted.0 == late.0 && lasted.words() != counted.words();
    let is_told = line.target == SlaTarget::Resolution.word() && line.start != Time::default() && said.until != Time::default();
    if is_told && (minute(line.start) != minute(said.since) || looks_other) { line.start } else { Time::default() }
}

/// Links that act on the message's incident, each empty where there is nothing to do.
fn act(message: &Message, settings: &MailSettings) -> Value {
    let said = &message.said();
    let is_over = matches!(IncidentState::from_word(&said.state), Some(IncidentState::Resolved | IncidentState::Closed));
    let link = |action: LinkAction, is_offered: bool| {
        let incident = message.incident.filter(|_| is_offered);
        incident.map_or_else(String::new, |incident| settings.link(message, incident, action))
    };
    let is_free = !is_over && said.holder.is_empty();
    json!({
        "acknowledge": link(LinkAction::Acknowledge, is_free),
        "not_mine": link(LinkAction::NotMine, is_free),
        "note": link(LinkAction::Note, said.state != IncidentState::Closed.word()),
        "take_over": link(LinkAction::TakeOver, !is_over),
        "hold": link(LinkAction::Hold, !is_over && said.state != IncidentState::OnHold.word()),
        "detach": link(LinkAction::Detach, !is_over && !said.yours_alerts.is_empty()),
    })
}

fn digest_line(word: &str, line: &DigestLine, message: &Message, settings: &MailSettings) -> Value {
    let is_free = line.holder.is_empty() && line.until == Time::default();
    let ends = if line.until == Time::default() { message.said().now } else { line.until };
    let lasted = if line.lasted == Span::ZERO { ends - line.since } else { line.lasted };
    let free = line.incident.parse::<IncidentId>().ok().filter(|_| is_free);
    json!({
        "take": free.map_or_else(String::new, |incident| settings.link(message, incident, LinkAction::TakeOver)),
        "label": format!("{word} {}", name(&line.priority)),
        "incident": name(&line.incident),
        "priority": name(&line.priority),
        "state": name(&line.state),
        "title": cut(&sentence(&line.title), LINE_TITLE_CHARS),
        "item": name(&line.item),
        "holder": name(&line.holder),
        "since": line.since.0,
        "until": line.until.0,
        "lasted": lasted.0,
    })
}
