//! `/api/v1/schedules`: what comes again by the clock, when it last did, and when it will.

use axum::extract::State;
use axum::http::Uri;
use serde_json::{Value, json};

use watchkeeper_engine::decide::job;
use watchkeeper_engine::model::job::{Job, Run};
use watchkeeper_engine::policy::silences::Window;
use watchkeeper_engine::schedule::Schedule;
use watchkeeper_engine::time::Time;

use super::time;
use crate::read::live;
use crate::web::App;
use crate::web::error::ApiError;
use crate::web::query::Query;

/// Runs to come that each is shown with.
const NEXT_MAX: usize = 3;

/// `GET /api/v1/schedules`: jobs by kind and name, then the silence rules that come again.
pub(super) async fn list(State(app): State<App>, uri: Uri) -> Result<axum::Json<Value>, ApiError> {
    Query::of(&uri, &[])?;
    let (jobs, now) = live::jobs(&app.writer).await?;
    let world = app.world();
    let wanted = job::wanted(&world);
    let known = jobs.iter().filter_map(|job| Some((job, wanted.get(&(job.kind, job.name.clone()))?)));
    let mut items: Vec<Value> = known.map(|(job, schedule)| of_job(job, schedule, now)).collect();
    let silences = world.policy.silences.iter().filter_map(|rule| match &rule.when {
        Window::Every { schedule, lasts } => {
            // A window that passed while the daemon was down is not made up for: it was open then all the same.
            let last = schedule.last_at_or_before(now).map(|at| Run { at, first: at, last: at, instants: 1 });
            let mut item = item("silence", &rule.name, schedule, last, now);
            item["lasts"] = Value::String(lasts.to_string());
            Some(item)
        }
        Window::Between { .. } => None,
    });
    items.extend(silences);
    Ok(axum::Json(json!({ "items": items, "next": null })))
}

fn of_job(job: &Job, schedule: &Schedule, now: Time) -> Value {
    item(job.kind.word(), &job.name, schedule, job.last, now)
}

fn item(kind: &str, name: &str, schedule: &Schedule, last: Option<Run>, now: Time) -> Value {
    let next: Vec<Value> =
        std::iter::successors(schedule.next_after(now), |at| schedule.next_after(*at)).take(NEXT_MAX).map(time).collect();
    json!({
        "kind": kind,
        "name": name,
        "cron": schedule.to_string(),
        "zone": schedule.zone(),
        "last_run": last.map(|run| json!({
            "at": time(run.at),
            "first": time(run.first),
            "last": time(run.last),
            "instants": run.instants,
        })),
        "next": next,
    })
}
