//! `/api/v1/schedules`: what comes again by the clock, when it last did, and when it will.

use axum::extract::State;
use axum::http::Uri;

use watchkeeper_engine::decide::job;
use watchkeeper_engine::model::job::{Job, Run};
use watchkeeper_engine::policy::silences::Window;
use watchkeeper_engine::schedule::Schedule;

use crate::read::live;
use crate::view::{Page, ScheduleView};
use crate::web::App;
use crate::web::error::ApiError;
use crate::web::query::Query;

/// `GET /api/v1/schedules`: jobs by kind and name, then the silence rules that come again.
pub(super) async fn list(State(app): State<App>, uri: Uri) -> Result<axum::Json<Page<ScheduleView>>, ApiError> {
    Query::of(&uri, &[])?;
    let (jobs, now) = live::jobs(&app.writer).await?;
    let world = app.world();
    let wanted = job::wanted(&world);
    let known = jobs.iter().filter_map(|job| Some((job, wanted.get(&(job.kind, job.name.clone()))?)));
    let of_job = |(job, schedule): (&Job, &Schedule)| ScheduleView::of(job.kind.word(), &job.name, schedule, job.last, None, now);
    let mut items: Vec<ScheduleView> = known.map(|(job, schedule)| of_job((job, schedule))).collect();
    let silences = world.policy.silences.iter().filter_map(|rule| match &rule.when {
        Window::Every { schedule, lasts } => {
            // A window that passed while the daemon was down is not made up for: it was open then all the same.
            let last = schedule.last_at_or_before(now).map(|at| Run { at, first: at, last: at, instants: 1 });
            Some(ScheduleView::of("silence", &rule.name, schedule, last, Some(*lasts), now))
        }
        Window::Between { .. } => None,
    });
    items.extend(silences);
    Ok(axum::Json(Page { items, next: None }))
}
