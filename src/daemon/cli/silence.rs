//! `silence …`: what is recorded without anybody being notified: lists, records, and the commands to one.

use std::collections::BTreeMap;

use clap::Subcommand;
use serde_json::Value;
use watchkeeper_engine::command::{NewSilence, SilenceCommand};
use watchkeeper_engine::time::{Span, Time};

use super::client::{Client, Output, part};
use super::incident::{body, moment};
use super::table::{Reader, line, listed, show, words};
use super::ticket::Id;
use crate::app::Failure;
use crate::view::{Page, SilenceView};
use crate::web::alertmanager;

/// What is done with silences.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Silence alerts that match: all matchers must hold, as in `alertname="DiskFull" site=~"ber.*"`
    Add {
        /// NAME=VALUE, NAME!=VALUE, NAME=~REGEX or NAME!~REGEX; quotes around the value may be left out
        #[arg(required = true, value_parser = matcher)]
        matchers: Vec<String>,
        /// For how long, such as 2h
        #[arg(long = "for", value_name = "DURATION", required_unless_present = "until", value_parser = Span::parse)]
        lasts: Option<Span>,
        /// Until when, RFC 3339
        #[arg(long, conflicts_with = "lasts", value_parser = moment)]
        until: Option<Time>,
        /// From when, RFC 3339; now unless given
        #[arg(long, value_parser = moment)]
        from: Option<Time>,
        /// Why
        #[arg(long)]
        comment: String,
    },
    /// List silences that are active or pending
    List {
        /// Also expired ones
        #[arg(long)]
        expired: bool,
        /// How many: 1 to 1000
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Show a silence
    Show {
        /// Such as SIL0000003, or its UUID in Alertmanager's API
        id: String,
    },
    /// Change when a silence ends, or its comment
    Change {
        #[command(flatten)]
        id: Id,
        /// For how long from now on, such as 2h
        #[arg(long = "for", value_name = "DURATION", value_parser = Span::parse)]
        lasts: Option<Span>,
        /// Until when, RFC 3339
        #[arg(long, conflicts_with = "lasts", value_parser = moment)]
        until: Option<Time>,
        /// Why
        #[arg(long, required_unless_present_any = ["lasts", "until"])]
        comment: Option<String>,
    },
    /// End a silence at once
    Expire(Id),
}

/// Does it.
pub(super) fn run(client: &Client, output: Output, verb: Verb, reader: &Reader) -> Result<(), Failure> {
    let (id, command) = match verb {
        Verb::Add { matchers, lasts, until, from, comment } => {
            let new = NewSilence { matchers, starts_at: from, ends_at: until, lasts, comment, annotations: BTreeMap::new() };
            return said(output, client.post("/api/v1/silences", &body(&new))?, reader);
        }
        Verb::List { expired, limit } => {
            let states = if expired { "active,pending,expired" } else { "active,pending" };
            let query = [("state", states.to_owned()), ("limit", limit.to_string())];
            let nothing = if expired { "no silences" } else { "no active silences" };
            return show(output, client.get("/api/v1/silences", &query)?, |list| table_of(list, nothing, reader));
        }
        Verb::Show { id } => {
            return show(output, client.get(&format!("/api/v1/silences/{}", part(&id)), &[])?, |silence| shown(silence, reader));
        }
        Verb::Change { id, lasts, until, comment } => (id, SilenceCommand::Change { ends_at: until, lasts, comment }),
        Verb::Expire(id) => (id, SilenceCommand::Expire {}),
    };
    said(output, id.command(client, "silences", command.verb().word(), &body(&command))?, reader)
}

/// Says how a silence is after a command.
fn said(output: Output, answer: Value, reader: &Reader) -> Result<(), Failure> {
    show(output, answer, |SilenceView { id, state, ends_at, matchers, .. }| {
        format!("{id} is {}, ends {}: {}\n", words(state), reader.at(*ends_at), matchers.join(" "))
    })
}

fn table_of(list: &Page<SilenceView>, nothing: &str, reader: &Reader) -> String {
    let row = |silence: &SilenceView| {
        vec![
            silence.id.to_string(),
            silence.state.to_string(),
            reader.ago(silence.ends_at),
            silence.matchers.join(" "),
            silence.created_by.clone(),
            silence.comment.clone(),
        ]
    };
    listed(&["id", "state", "ends", "matchers", "by", "comment"], list, row, nothing)
}

fn shown(silence: &SilenceView, reader: &Reader) -> String {
    let mut out = format!("{} {}: {}\n", silence.id, silence.state.word().to_uppercase(), silence.matchers.join(" "));
    for (name, value) in [
        ("from", reader.at(silence.starts_at)),
        ("until", reader.at(silence.ends_at)),
        ("by", silence.created_by.clone()),
        ("comment", silence.comment.clone()),
        ("version", silence.version.to_string()),
        ("UUID", silence.uuid.clone()),
    ] {
        out += &line(name, &value);
    }
    silence.annotations.iter().for_each(|(name, value)| out += &line(name, value));
    out
}

/// A matcher as people type it, as it is written.
fn matcher(given: &str) -> Result<String, String> {
    let written = alertmanager::matcher(given).map(|matcher| matcher.to_string());
    written.map_err(|fault| {
        format!("{}; write NAME=VALUE, NAME!=VALUE, NAME=~REGEX or NAME!~REGEX, such as alertname=DiskFull", fault.message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matchers_are_read_with_and_without_quotes() {
        let of = |text: &str| matcher(text).ok();
        assert_eq!(of("alertname=DiskFull").as_deref(), Some("alertname=\"DiskFull\""));
        assert_eq!(of("site=~\"ber.*\"").as_deref(), Some("site=~\"ber.*\""));
        assert_eq!(of("site!~ber").as_deref(), Some("site!~\"ber\""));
        assert_eq!(of("job=a b=c").as_deref(), Some("job=\"a b=c\""));
        assert_eq!(of("site!=").as_deref(), Some("site!=\"\""));
        assert_eq!((of("site"), of("=x"), of("site=~(")), (None, None, None));
    }

    #[test]
    fn a_silence_shows_both_ids_and_what_is_kept_with_it() {
        let silence: SilenceView = serde_json::from_str(
            r#"{"id": "SIL0000003", "uuid": "6e1ed1a7-0000-8000-8000-000000000000", "version": 2, "state": "active",
            "matchers": ["alertname=\"DiskFull\""], "starts_at": "2026-11-24T03:00:00.000Z", "ends_at": "2026-11-24T05:00:00.000Z",
            "created_by": "anna", "comment": "OPS-311", "annotations": {"ticket": "OPS-311"}, "updated_at": "2026-11-24T03:00:00.000Z"}"#,
        )
        .expect("it is one");
        let reader = Reader::utc(Time::parse_rfc3339("2026-11-24T04:00:00Z").expect("it is a time"));
        insta::assert_snapshot!(shown(&silence, &reader), @r#"
        SIL0000003 ACTIVE: alertname="DiskFull"
        from          2026-11-24 03:00:00 UTC
        until         2026-11-24 05:00:00 UTC
        by            anna
        comment       OPS-311
        version       2
        UUID          6e1ed1a7-0000-8000-8000-000000000000
        ticket        OPS-311
        "#);
    }
}
