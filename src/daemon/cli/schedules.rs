//! `schedules`: what comes again by the clock.

use super::client::{Client, Output};
use super::table::{Reader, listed, show};
use crate::app::Failure;
use crate::view::{Page, RunView, ScheduleView};

/// `schedules`.
pub(super) fn schedules(client: &Client, output: Output, reader: &Reader) -> Result<(), Failure> {
    let row = |schedule: &ScheduleView| {
        let next: Vec<String> = schedule.next.iter().map(|at| reader.at(*at)).collect();
        vec![
            schedule.kind.clone(),
            schedule.name.clone(),
            schedule.cron.clone(),
            schedule.zone.clone(),
            last(schedule.last_run.as_ref(), reader),
            next.join("\n"),
        ]
    };
    let columns = ["kind", "name", "cron", "zone", "last run", "next runs"];
    show(output, client.get("/api/v1/schedules", &[])?, |list: &Page<ScheduleView>| {
        listed(&columns, list, row, "nothing comes again by the clock")
    })
}

/// When it last ran, and for which instants where it was late.
fn last(run: Option<&RunView>, reader: &Reader) -> String {
    match run {
        None => "never".to_owned(),
        Some(run) if run.instants == 1 => reader.at(run.at),
        Some(run) => {
            format!("{} for {} from {} to {}", reader.at(run.at), run.instants, reader.at(run.first), reader.at(run.last))
        }
    }
}
