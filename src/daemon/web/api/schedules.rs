//! `/api/v1/schedules`: what comes again by the clock, when it last did, and when it will.

use axum::extract::State;
use axum::http::Uri;

use watchkeeper_engine::decide::job;
use watchkeeper_engine::model::job::Run;
use watchkeeper_engine::policy::silences::Window;

use super::paging::asked;
use crate::view::{Page, ScheduleView};
use crate::web::App;
use crate::web::describe::Parameter;
use crate::web::error::ApiError;

/// The order of the list: by kind, then by name.
pub(super) const SORT: [Parameter; 1] = [Parameter::sort(&["kind"])];

/// `GET /api/v1/schedules`: jobs, and the silence rules that come again.
pub(super) async fn list(State(app): State<App>, uri: Uri) -> Result<axum::Json<Page<ScheduleView>>, ApiError> {
    let (_, paging) = asked(&uri, &SORT)?;
    let now = app.now();
    let published = app.current.load_full();
    let world = &published.world;
    let wanted = job::wanted(world);
    let last = |kind, name: &str| published.board.jobs.get(&(kind, name.into())).and_then(|job| job.last);
    let jobs = wanted.iter().map(|((kind, name), schedule)| ScheduleView::of(kind.word(), name, schedule, last(*kind, name), None, now));
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
