//! What the functions of expressions do, over plain texts; shared by conditions and by `formats`.

use std::net::IpAddr;

use ipnet::IpNet;
use regex::{Regex, RegexBuilder};

use super::Fault;
use crate::limits;

/// The host of an address as monitoring writes them: without scheme, user, port, path and brackets.
pub(super) fn host(text: &str) -> &str {
    let text = text.trim();
    let text = text.split_once("://").map_or(text, |(_, rest)| rest);
    let text = text.split(['/', '?', '#']).next().unwrap_or(text);
    let text = text.rsplit_once('@').map_or(text, |(_, rest)| rest);
    if let Some(bracketed) = text.strip_prefix('[') {
        return bracketed.split(']').next().unwrap_or(bracketed);
    }
    match text.split_once(':') {
        // Two colons and more without brackets are an IPv6 address.
        Some((name, port)) if !port.contains(':') => name,
        Some(_) | None => text,
    }
}

/// The workload of a pod's name: without the hash of its ReplicaSet or Job and the pod's own ending, or without its ordinal.
pub(super) fn workload(pod: &str) -> &str {
    // Kubernetes draws a pod's ending from letters that spell nothing, and writes template hashes with ten of them.
    const ENDING: &str = "bcdfghjklmnpqrstvwxz2456789";
    const HASH: &str = "bcdf456789";
    let all = |text: &str, alphabet: &str| text.chars().all(|c| alphabet.contains(c));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let Some((owner, ending)) = pod.rsplit_once('-').filter(|(owner, _)| !owner.is_empty()) else { return pod };
    if ending.len() == 5 && all(ending, ENDING) {
        return match owner.rsplit_once('-').filter(|(name, _)| !name.is_empty()) {
            Some((name, hash)) if (6..=10).contains(&hash.len()) && (all(hash, HASH) || digits(hash)) => name,
            Some(_) | None => owner,
        };
    }
    if digits(ending) { owner } else { pod }
}

/// Whether `ip` is an address inside `net`; what is no address is in no net.
pub(super) fn is_in_net(ip: &str, net: &IpNet) -> bool {
    ip.trim().parse::<IpAddr>().is_ok_and(|ip| net.contains(&ip))
}

/// The net of a literal; a bare address is a net of one.
pub(super) fn net(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// A regex prepared at load, bounded in size.
///
/// # Errors
/// The regex crate's own words, on one line, without the drawing.
pub(super) fn regex(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(pattern).size_limit(limits::REGEX_BYTES_MAX).dfa_size_limit(limits::REGEX_BYTES_MAX).build().map_err(|error| {
        match error {
            regex::Error::CompiledTooBig(_) => "the regex is too large when compiled".to_owned(),
            other => {
                let text = other.to_string();
                let last = text.lines().last().unwrap_or_default();
                last.trim_start_matches("error: ").to_owned()
            }
        }
    })
}

/// A fault with the nearest of `known`, where one is near, and all of them.
pub(super) fn unknown(span: std::ops::Range<usize>, what: &str, written: &str, known: &[&str]) -> Fault {
    let fault = Fault::at(span, format!("unknown {what} `{}`", crate::text::one_line(written)), format!("known are {}", known.join(", ")));
    match nearest(written, known) {
        Some(word) => fault.help(format!("did you mean `{word}`?")),
        None => fault,
    }
}

/// The known word that `written` is most like, if any is near enough to have been meant.
pub(super) fn nearest<'k>(written: &str, known: &[&'k str]) -> Option<&'k str> {
    let lower = written.to_lowercase();
    let near = |word: &&str| {
        let other = word.to_lowercase();
        // An abbreviation or a longer form is as near as a swapped letter.
        let shared = lower.len() >= 3 && (other.starts_with(&lower) || lower.starts_with(&other));
        if shared || other.replace('_', "") == lower.replace(['_', '-'], "") { 0.95 } else { strsim::jaro_winkler(&lower, &other) }
    };
    let best = known.iter().map(|word| (near(word), *word)).max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 >= 0.78).then_some(best.1)
}
