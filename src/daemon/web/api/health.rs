//! `/api/v1/cis/ID/health`: how a CI or service was, and for how long.

use axum::extract::{Path, State};
use axum::http::Uri;

use watchkeeper_engine::ids::Realm;
use watchkeeper_engine::model::health::{Change, Spent};
use watchkeeper_engine::time::{Span, Time};
use watchkeeper_engine::words::Health;

use super::no_id;
use super::paging::asked;
use crate::board::Seen;
use crate::view::{HealthChangeView, HealthView, Page, SpentView};
use crate::web::App;
use crate::web::describe::Parameter;
use crate::web::error::ApiError;
use crate::web::query::Query;

/// Orders of the changes.
const SORTS: [&str; 2] = ["-at", "at"];

/// How far back is looked unless the request says.
const LOOK_BACK: Span = Span::days(30);

/// Parameters of the history.
pub(super) const PARAMETERS: [Parameter; 4] = [
    Parameter::sort(&SORTS),
    Parameter::text("from", "The first moment that is looked at, as in 2026-11-24T04:00:00Z; 30 days before `to` unless given."),
    Parameter::text("to", "The moment before which it ends; now unless given."),
    Parameter::text("realm", "As this realm sees it; as the worst one does unless given."),
];

/// `GET /api/v1/cis/ID/health`: by id or alias; of one that has left the CMDB, by its id.
pub(super) async fn history(State(app): State<App>, Path(id): Path<String>, uri: Uri) -> Result<axum::Json<HealthView>, ApiError> {
    let (query, paging) = asked(&uri, &PARAMETERS)?;
    let now = app.now();
    let to = moment(&query, "to")?.unwrap_or(now).min(now);
    let from = moment(&query, "from")?.unwrap_or(to - LOOK_BACK);
    if from > to {
        return Err(ApiError::bad("from: expected a moment before `to`").with("place", "from"));
    }
    let realm = query.get("realm").map(Realm::from);
    let wants = |of: &Realm| realm.as_ref().is_none_or(|realm| realm == of);
    // One board for how it is and for where the sum begins.
    let (name, seen, remembered_since): (Option<String>, Vec<(Realm, Seen)>, Option<Time>) = {
        let published = app.current.load();
        let (cmdb, board) = (&published.world.cmdb, &published.board);
        let no = cmdb.find(&id);
        let seen = no.into_iter().flat_map(|no| board.health.of(no)).filter(|(of, _)| wants(of));
        (no.map(|no| cmdb.id(no).to_owned()), seen.map(|(of, seen)| (of.clone(), seen)).collect(), board.health_since)
    };
    let ci = name.clone().unwrap_or_else(|| id.clone());
    if name.is_none() && !app.records.has_health(&ci).await? {
        return Err(no_id("item", &id));
    }
    let worst = seen.iter().map(|(_, seen)| *seen).min_by_key(|seen| (std::cmp::Reverse(seen.health), seen.since));
    let begin = remembered_since.map_or(from, |since| since.max(from));
    let spent = app.records.health_since(&ci, begin).await?.map(|changes| {
        let changes = changes.iter().filter(|change| wants(&change.realm));
        // Of one that has left the CMDB nothing is known since.
        let to = if name.is_some() { to } else { changes.clone().next_back().map_or(begin, |last| last.at.min(to)) };
        SpentView::of(&Spent::between(begin, to, changes, seen.iter().map(|(realm, seen)| (realm, seen.health))))
    });
    let keep = {
        let realm = realm.clone();
        move |change: &Change| realm.as_ref().is_none_or(|realm| *realm == change.realm)
    };
    let page = app.records.health_changes(&ci, (from, to), paging.order(), (paging.after_key()?, paging.limit), keep).await?;
    let Page { items, next } = paging.by_keys(page.items.iter().map(HealthChangeView::of).collect(), page.next.as_deref()).0;
    let health = name.map(|_| worst.map_or(Health::Ok, |seen| seen.health));
    let since = worst.map(|seen| seen.since);
    Ok(axum::Json(HealthView { ci, health, since, from, to, remembered_since, spent, items, next }))
}

fn moment(query: &Query, name: &'static str) -> Result<Option<Time>, ApiError> {
    let Some(text) = query.get(name) else { return Ok(None) };
    let expected = || ApiError::bad(format!("{name}: expected a moment such as 2026-11-24T04:00:00Z")).with("place", name);
    Time::parse_rfc3339(text).map(Some).ok_or_else(expected)
}
