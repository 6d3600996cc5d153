//! `silence …`: what is recorded without being told, as Alertmanager's API keeps it.

use clap::Subcommand;
use serde_json::{Value, json};
use watchkeeper_engine::source::nearest;
use watchkeeper_engine::time::{Span, Time};

use super::client::{Client, Output, part};
use super::table::{ago, table, text};
use super::{json_text, print};
use crate::app::Failure;

/// What is done with silences.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Makes one: all matchers must hold, as in `alertname="DiskFull" site=~"ber.*"`.
    Add {
        /// NAME=VALUE, NAME!=VALUE, NAME=~REGEX or NAME!~REGEX; quotes around the value may be left out.
        #[arg(required = true)]
        matchers: Vec<String>,
        /// For how long, such as 2h.
        #[arg(long = "for", value_name = "DURATION", required_unless_present = "until")]
        for_: Option<String>,
        /// Until when, RFC 3339.
        #[arg(long, conflicts_with = "for_")]
        until: Option<String>,
        /// From when, RFC 3339; now unless given.
        #[arg(long)]
        from: Option<String>,
        /// Why: whoever wonders reads it.
        #[arg(long)]
        comment: String,
    },
    /// Lists those that hold or will hold.
    List {
        /// Also those that are over.
        #[arg(long)]
        expired: bool,
    },
    /// Ends one at once.
    Expire {
        /// Its id, as `silence list` shows it.
        id: String,
    },
}

/// Does it.
pub(super) fn run(client: &Client, output: Output, verb: Verb, now: Time) -> Result<(), Failure> {
    match verb {
        Verb::Add { matchers, for_, until, from, comment } => {
            let matchers: Vec<Value> = matchers.iter().map(|text| matcher(text)).collect::<Result<_, _>>()?;
            let starts_at = from.as_deref().map_or(Ok(now), moment)?;
            let ends_at = match (&for_, &until) {
                (Some(span), _) => starts_at + Span::parse(span).map_err(|fault| usage(fault.to_string()))?,
                (None, Some(until)) => moment(until)?,
                (None, None) => return Err(usage("say how long: --for 2h, or --until with a moment".to_owned())),
            };
            let body = json!({
                "matchers": matchers, "startsAt": starts_at.rfc3339(), "endsAt": ends_at.rfc3339(), "comment": comment,
                "createdBy": std::env::var("USER").unwrap_or_default(),
            });
            let made = client.post("/api/v2/silences", &body)?;
            print(&match output {
                Output::Json => json_text(&made),
                Output::Table => format!("silence {} holds until {}\n", text(&made, "silenceID"), ends_at.rfc3339()),
            });
        }
        Verb::List { expired } => {
            let list = client.get("/api/v2/silences", &[("expired", expired.to_string())])?;
            print(&if output == Output::Json { json_text(&list) } else { listed(&list, now) });
        }
        Verb::Expire { id } => {
            client.delete(&format!("/api/v2/silence/{}", part(&id)))?;
            print(&format!("silence {id} is over\n"));
        }
    }
    Ok(())
}

fn listed(list: &Value, now: Time) -> String {
    let row = |silence: &Value| {
        vec![
            text(silence, "id"),
            text(&silence["status"], "state"),
            ago(silence, "endsAt", now),
            silence["matchers"].as_array().into_iter().flatten().map(shown).collect::<Vec<_>>().join(" "),
            text(silence, "createdBy"),
            text(silence, "comment"),
        ]
    };
    let rows = list.as_array().into_iter().flatten().map(row).collect();
    table(&["id", "state", "ends", "matchers", "by", "comment"], rows, "no silence holds")
}

fn shown(matcher: &Value) -> String {
    let flag = |name: &str, default: bool| matcher[name].as_bool().unwrap_or(default);
    let operator = match (flag("isEqual", true), flag("isRegex", false)) {
        (true, false) => "=",
        (true, true) => "=~",
        (false, false) => "!=",
        (false, true) => "!~",
    };
    format!("{}{operator}\"{}\"", text(matcher, "name"), text(matcher, "value"))
}

/// A matcher as people type it; the daemon checks the name and the regex.
fn matcher(given: &str) -> Result<Value, Failure> {
    let at = given.find(['=', '!']).ok_or_else(|| no_matcher(given))?;
    let (name, rest) = given.split_at(at);
    let operators = [("=~", true, true), ("!~", false, true), ("!=", false, false), ("=", true, false)];
    let found = operators.into_iter().find_map(|(operator, equal, regex)| Some((rest.strip_prefix(operator)?, equal, regex)));
    let (value, is_equal, is_regex) = found.ok_or_else(|| no_matcher(given))?;
    let bare = value.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or(value);
    if name.trim().is_empty() {
        return Err(no_matcher(given));
    }
    Ok(json!({ "name": name.trim(), "value": bare, "isRegex": is_regex, "isEqual": is_equal }))
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
        let of = |text: &str| matcher(text).map(|value| shown(&value)).map_err(|failure| failure.code);
        assert_eq!(of("alertname=DiskFull"), Ok("alertname=\"DiskFull\"".to_owned()));
        assert_eq!(of("site=~\"ber.*\""), Ok("site=~\"ber.*\"".to_owned()));
        assert_eq!(of("site!~ber"), Ok("site!~\"ber\"".to_owned()));
        assert_eq!(of("site!="), Ok("site!=\"\"".to_owned()));
        assert_eq!(of("site"), Err(64));
        assert_eq!(of("=x"), Err(64));
    }
}
