//! `silence …`: what is recorded without being told, as Alertmanager's API keeps it.

use clap::Subcommand;
use watchkeeper_engine::source::nearest;
use watchkeeper_engine::time::{Span, Time};

use super::client::{Client, Output, part};
use super::incident::body;
use super::print;
use super::table::{Reader, show, table};
use crate::app::Failure;
use crate::view::{MatcherView, PostableSilence, SilenceMade, SilenceView};

/// What is done with silences.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Silence alerts that match: all matchers must hold, as in `alertname="DiskFull" site=~"ber.*"`
    Add {
        /// NAME=VALUE, NAME!=VALUE, NAME=~REGEX or NAME!~REGEX; quotes around the value may be left out
        #[arg(required = true)]
        matchers: Vec<String>,
        /// For how long, such as 2h
        #[arg(long = "for", value_name = "DURATION", required_unless_present = "until")]
        for_: Option<String>,
        /// Until when, RFC 3339
        #[arg(long, conflicts_with = "for_")]
        until: Option<String>,
        /// From when, RFC 3339; now unless given
        #[arg(long)]
        from: Option<String>,
        /// Why
        #[arg(long)]
        comment: String,
    },
    /// List silences that are active or pending
    List {
        /// Also expired ones
        #[arg(long)]
        expired: bool,
    },
    /// End a silence at once
    Expire {
        /// Its id, as `silence list` shows it
        id: String,
    },
}

/// Does it.
pub(super) fn run(client: &Client, output: Output, verb: Verb, reader: &Reader) -> Result<(), Failure> {
    match verb {
        Verb::Add { matchers, for_, until, from, comment } => {
            let matchers: Vec<MatcherView> = matchers.iter().map(|text| matcher(text)).collect::<Result<_, _>>()?;
            let starts_at = from.as_deref().map_or(Ok(reader.now), moment)?;
            let ends_at = match (&for_, &until) {
                (Some(span), _) => starts_at + Span::parse(span).map_err(|fault| usage(fault.to_string()))?,
                (None, Some(until)) => moment(until)?,
                (None, None) => return Err(usage("say how long: --for 2h, or --until with a moment".to_owned())),
            };
            let silence =
                PostableSilence { id: None, matchers, starts_at, ends_at, created_by: std::env::var("USER").unwrap_or_default(), comment };
            show(output, client.post("/api/v2/silences", &body(&silence))?, |SilenceMade { silence_id }| {
                format!("silence {silence_id} holds until {}\n", reader.at(ends_at))
            })?;
        }
        Verb::List { expired } => {
            let nothing = if expired { "no silences" } else { "no active silences" };
            show(output, client.get("/api/v2/silences", &[("expired", expired.to_string())])?, |list: &Vec<SilenceView>| {
                listed(list, nothing, reader)
            })?;
        }
        Verb::Expire { id } => {
            client.delete(&format!("/api/v2/silence/{}", part(&id)))?;
            print(&format!("silence {id} is over\n"));
        }
    }
    Ok(())
}

fn listed(list: &[SilenceView], nothing: &str, reader: &Reader) -> String {
    let row = |silence: &SilenceView| {
        vec![
            silence.id.clone(),
            silence.status.state.clone(),
            reader.ago(silence.ends_at),
            silence.matchers.iter().map(shown).collect::<Vec<_>>().join(" "),
            silence.created_by.clone(),
            silence.comment.clone(),
        ]
    };
    table(&["id", "state", "ends", "matchers", "by", "comment"], list.iter().map(row).collect(), nothing)
}

fn shown(matcher: &MatcherView) -> String {
    let operator = match (matcher.is_equal, matcher.is_regex) {
        (true, false) => "=",
        (true, true) => "=~",
        (false, false) => "!=",
        (false, true) => "!~",
    };
    format!("{}{operator}\"{}\"", matcher.name, matcher.value)
}

/// A matcher as people type it; the daemon checks the name and the regex.
fn matcher(given: &str) -> Result<MatcherView, Failure> {
    let at = given.find(['=', '!']).ok_or_else(|| no_matcher(given))?;
    let (name, rest) = given.split_at(at);
    let operators = [("=~", true, true), ("!~", false, true), ("!=", false, false), ("=", true, false)];
    let found = operators.into_iter().find_map(|(operator, equal, regex)| Some((rest.strip_prefix(operator)?, equal, regex)));
    let (value, is_equal, is_regex) = found.ok_or_else(|| no_matcher(given))?;
    let bare = value.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or(value);
    if name.trim().is_empty() {
        return Err(no_matcher(given));
    }
    Ok(MatcherView { name: name.trim().to_owned(), value: bare.to_owned(), is_regex, is_equal })
}

fn no_matcher(given: &str) -> Failure {
    let hint = nearest(given, ["list", "expire", "add"]).map_or_else(String::new, |word| format!("; did you mean `silence {word}`?"));
    usage(format!("`{given}` is no matcher: write NAME=VALUE, NAME!=VALUE, NAME=~REGEX or NAME!~REGEX, such as alertname=DiskFull{hint}"))
}

fn moment(text: &str) -> Result<Time, Failure> {
    Time::parse_rfc3339(text)
        .ok_or_else(|| usage(format!("`{text}` is no moment: write 2026-03-27T16:50:00+01:00 or 2026-03-27T15:50:00Z")))
}

fn usage(text: String) -> Failure {
    Failure { code: 64, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matchers_are_read_with_and_without_quotes() {
        let of = |text: &str| matcher(text).map(|matcher| shown(&matcher)).map_err(|failure| failure.code);
        assert_eq!(of("alertname=DiskFull"), Ok("alertname=\"DiskFull\"".to_owned()));
        assert_eq!(of("site=~\"ber.*\""), Ok("site=~\"ber.*\"".to_owned()));
        assert_eq!(of("site!~ber"), Ok("site!~\"ber\"".to_owned()));
        assert_eq!(of("site!="), Ok("site!=\"\"".to_owned()));
        assert_eq!(of("site"), Err(64));
        assert_eq!(of("=x"), Err(64));
    }
}
