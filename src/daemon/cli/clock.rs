//! `clock …`: the time that the daemon decides by.

use clap::Subcommand;
use serde_json::json;

use super::client::{Client, Output};
use super::table::{Reader, line, show};
use crate::app::Failure;
use crate::view::{ClockView, ConfirmedView};

/// `clock …`.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(super) enum Verb {
    /// Show the time that the daemon decides by, and whether it doubts the machine's clock
    Show,
    /// Confirm a step of the machine's clock that the daemon doubts
    Confirm,
}

/// `clock …`.
pub(super) fn run(client: &Client, output: Output, verb: Verb, reader: &Reader) -> Result<(), Failure> {
    match verb {
        Verb::Show => show(output, client.get("/api/v1/clock", &[])?, |clock| shown(clock, "believed", reader)),
        Verb::Confirm => {
            let answer = client.post("/api/v1/clock/confirm", &json!({}))?;
            show(output, answer, |ConfirmedView { clock, confirmed }| {
                let done = confirmed
                    .as_ref()
                    .map_or_else(|| "nothing was doubted".to_owned(), |ahead| format!("its step of {ahead} is believed from now on"));
                shown(clock, &done, reader)
            })
        }
    }
}

fn shown(clock: &ClockView, believed: &str, reader: &Reader) -> String {
    let wall = clock.doubted.as_ref().map_or_else(
        || believed.to_owned(),
        |doubt| {
            let (ahead, believed_in) = (&doubt.ahead, &doubt.believed_in);
            format!("{ahead} ahead is not believed yet; it will be in {believed_in}, or after `watchkeeper clock confirm`")
        },
    );
    line("now", &reader.at(clock.now)) + &line("wall clock", &format!("{}: {wall}", reader.at(clock.wall)))
}
