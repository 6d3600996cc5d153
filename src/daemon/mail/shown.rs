//! A rendered mail as somebody else than its recipient may read it: decoded, and no link that acts.
//!
//! A link is its reader's right, so only the mailbox that it was sent to may have it. Transfer encodings are undone first: a token that quoted-printable cuts
//! in two is found whole.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use quoted_printable::ParseMode;
use watchkeeper_engine::ids::IncidentId;
use watchkeeper_engine::model::message::{Channel, Message};

use super::links::{LinkAction, Links};

/// What stands in the address of every link that acts.
const LINK_PATH: &str = "/a/";
/// What stands where a token stood.
const MASK: &str = "…";

/// The mail of a message with every part decoded and every token of a link masked; empty before it is rendered.
pub fn shown(message: &Message, links: &Links) -> String {
    let written = String::from_utf8_lossy(&message.sending.bytes);
    let mut text = match message.channel() {
        Channel::Mail => decoded(&written),
        Channel::Hook(_) => written.into_owned(),
    };
    // Masked by what they are as well as by where they stand: a template may write an address in its own way.
    for token in tokens(message, links) {
        text = text.replace(&token, MASK);
    }
    masked(&text)
}

/// Every token that a mail of this message can hold.
fn tokens(message: &Message, links: &Links) -> Vec<String> {
    let lines = message.said().lines;
    let listed = lines.iter().filter_map(|line| line.incident.parse::<IncidentId>().ok());
    let incidents = message.incident.into_iter().chain(listed);
    incidents.flat_map(|incident| LinkAction::ALL.map(|action| links.token(message, incident, action))).collect()
}

/// What follows each `/a/` in the alphabet of tokens is masked.
fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(LINK_PATH) {
        let (before, after) = rest.split_at(at + LINK_PATH.len());
        out.push_str(before);
        let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_').unwrap_or(after.len());
        if end > 0 {
            out.push_str(MASK);
        }
        rest = &after[end..];
    }
    out.push_str(rest);
    out
}

/// The mail with its parts decoded; one level deep, as ours are.
fn decoded(mail: &str) -> String {
    let (head, body) = mail.split_once("\r\n\r\n").unwrap_or((mail, ""));
    let Some(boundary) = header(head, "content-type").and_then(|value| boundary(&value)) else { return part(head, body) };
    let delimiter = format!("--{boundary}");
    let mut sections = body.split(delimiter.as_str());
    let mut out = format!("{}\r\n\r\n{}", headers(head), sections.next().unwrap_or_default());
    for section in sections {
        out.push_str(&delimiter);
        match section.split_once("\r\n\r\n") {
            Some((head, body)) => out.push_str(&part(head, body)),
            None => out.push_str(section),
        }
    }
    out
}

fn part(head: &str, body: &str) -> String {
    let body = match header(head, "content-transfer-encoding").as_deref().map(str::trim) {
        Some(name) if name.eq_ignore_ascii_case("quoted-printable") => quoted_printable::decode(body, ParseMode::Robust).ok(),
        Some(name) if name.eq_ignore_ascii_case("base64") => {
            let packed: String = body.split_ascii_whitespace().collect();
            STANDARD.decode(packed).ok().map(|bytes| [&bytes, &b"\r\n"[..]].concat())
        }
        Some(_) | None => Some(body.as_bytes().to_vec()),
    };
    // What cannot be decoded is not shown: nobody knows what it holds.
    let body = body.map_or_else(|| "(this part cannot be decoded)\r\n".to_owned(), |bytes| String::from_utf8_lossy(&bytes).into_owned());
    format!("{}\r\n\r\n{body}", headers(head))
}

/// The headers, unfolded. One with encoded words is left out, because it may hold anything, and so is the encoding that was undone.
fn headers(head: &str) -> String {
    let lines = unfolded(head);
    let kept = lines.lines().filter(|line| !line.contains("=?") && !line.to_ascii_lowercase().starts_with("content-transfer-encoding:"));
    kept.collect::<Vec<_>>().join("\r\n")
}

fn header(head: &str, name: &str) -> Option<String> {
    let unfolded = unfolded(head);
    let found = unfolded.lines().filter_map(|line| line.split_once(':')).find(|(known, _)| known.trim().eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.to_owned())
}

fn unfolded(head: &str) -> String {
    head.replace("\r\n ", " ").replace("\r\n\t", " ")
}

fn boundary(content_type: &str) -> Option<String> {
    let (_, rest) = content_type.split_once("boundary=")?;
    let value = match rest.trim_start().strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => rest.split(';').next(),
    };
    value.map(|value| value.trim().to_owned())
}
