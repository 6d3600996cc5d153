//! `clock`: the time that the daemon decides by.

use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{Client, Output};
use super::table::{at, line, text};
use super::{json_text, print};
use crate::app::Failure;

/// `clock …`.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(super) enum Verb {
    /// Shows the time that the daemon decides by, and whether it doubts the wall clock.
    Show,
    /// Says that a step of the wall clock is meant: it is believed at once.
    Confirm,
}

/// `clock …`.
pub(super) fn run(client: &Client, output: Output, verb: Verb) -> Result<(), Failure> {
    let clock = match verb {
        Verb::Show => client.get("/api/v1/clock", &[])?,
        Verb::Confirm => client.post("/api/v1/clock/confirm", &json!({}))?,
    };
    print(&if output == Output::Json { json_text(&clock) } else { shown(verb, &clock) });
    Ok(())
}

fn shown(verb: Verb, clock: &Value) -> String {
    let doubted = &clock["doubted"];
    let wall = match (doubted.is_null(), text(clock, "confirmed").as_str()) {
        (false, _) => format!(
            "{} ahead is not believed yet; it will be in {}, or after `watchkeeper clock confirm`",
            text(doubted, "ahead"),
            text(doubted, "believed_in")
        ),
        (true, "") if matches!(verb, Verb::Confirm) => "nothing was doubted".to_owned(),
        (true, "") => "believed".to_owned(),
        (true, ahead) => format!("its step of {ahead} is believed from now on"),
    };
    line("now", &at(clock, "now")) + &line("wall clock", &format!("{}: {wall}", at(clock, "wall")))
}
