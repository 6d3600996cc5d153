//! `cron` and `zone`, wherever a rule says when something comes again.

use std::ops::Range;

use super::Schedule;
use crate::source::{Diagnostic, Key, Keys, Shape, Spanned, Takes};

/// When something begins or is done.
pub(super) const CRON: Key = Key::must(
    "cron",
    Takes::Text,
    "when it comes: five fields, minute hour day month weekday; `tue#2` is the second Tuesday, `fri#L` the last Friday.",
);

/// By which clock.
pub(super) const ZONE: Key = Key::must("zone", Takes::Text, "the time zone of `cron`, such as Europe/Berlin.");

/// A schedule alone.
pub(super) static SCHEDULE: Shape = Shape { what: "a schedule", keys: &[CRON, ZONE], later: &[] };

/// The schedule of `cron` in `zone`; each fault stands at the key it comes from.
pub(super) fn schedule(every: &Keys<'_, '_>) -> Option<Schedule> {
    let reading = every.reading();
    let zone: Option<Spanned<String>> = every.get("zone");
    let cron: Spanned<String> = every.get("cron")?;
    let refuse = |span: &Range<usize>, message: String, help: &str| {
        reading.report(Diagnostic::error(reading.file(), span, message).help(help));
        None
    };
    // A faulty or missing zone was or is reported by itself; the fields are looked at all the same.
    let (zone, known) = match &zone {
        Some(zone) => match Schedule::parse("0 0 * * *", &zone.value) {
            Ok(_) => (zone.value.as_str(), true),
            Err(message) => {
                refuse(&zone.span, message, "names of zones are `Area/City`, or UTC");
                ("UTC", false)
            }
        },
        None => ("UTC", false),
    };
    match Schedule::parse(&cron.value, zone) {
        Ok(schedule) => known.then_some(schedule),
        Err(message) => refuse(&cron.span, message, "five fields: minute hour day month weekday, such as \"0 22 * * tue#2\""),
    }
}
