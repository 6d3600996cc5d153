//! `/api/v1/schedules`: what comes again by the clock, when it last did, and when it will.

use axum::extract::State;
use axum::http::Uri;

use watchkeeper_engine::decide::job;
use watchkeeper_engine::model::job::{Job, Run};
use watchkeeper_engine::policy::silences::Window;
use watchkeeper_engine::schedule::Schedule;

use super::paging::asked;
use crate::read::live;
use crate::view::{Page, ScheduleView};
use crate::web::App;
use crate::web::describe::Parameter;
use crate::web::error::ApiError;

/// The order of the list: by kind, then by name.
pub(super) const SORT: [Parameter; 1] = [Parameter::sort(&["kind"])];

/// `GET /api/v1/schedules`: jobs, and the silence rules that come again.
pub(super) async fn list(State(app): State<App>, uri: Uri) -> Result<axum::Json<Page<ScheduleView>>, ApiError> {
    let (_, paging) = asked(&uri, &SORT)?;
    let (jobs, now) = live::jobs(&app.writer).await?;
    let world = app.world();
    let wanted = job::wanted(&world);
    let known = jobs.iter().filter_map(|job| Some((job, wanted.get(&(job.kind, job.name.clone()))?)));
    let of_job = |(job, schedule): (&Job, &Schedule)| ScheduleView::of(job.kind.word(), &job.name, schedule, job.last, None, now);
    let jobs = known.map(|(job, schedule)| of_job((job, schedule)));
    let silences = world.policy.silences.iter().filter_map(|rule| match &rule.when {
        Window::Every { schedule, lasts } => {
            // A window that passed while the daemon was down is not made up for: it was open then all the same.
            let last = schedule.last_at_or_before(now).map(|at| Run { at, first: at, last: at, instants: 1 });
            Some(ScheduleView::of("silence", &rule.name, schedule, last, Some(*lasts), now))
        }
        Window::Between { .. } => None,
    });
    paging.of_all(jobs.chain(silences).map(|view| ([view.kind.as_bytes(), view.name.as_bytes()].join(&0), view)), |view| view)
}
