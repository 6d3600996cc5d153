//! `/api/v1/forecasts`: where the series of capacity rules are going.

use std::collections::BTreeMap;
use std::ops::Bound;

use axum::extract::State;
use axum::http::Uri;
use serde_json::{Value, json};

use watchkeeper_engine::decide::{capacity, identify};
use watchkeeper_engine::event::World;
use watchkeeper_engine::forecast::{Reach, Trend};
use watchkeeper_engine::model::capacity::{Check, Forecast};
use watchkeeper_engine::policy::capacity::Capacity;
use watchkeeper_engine::sight;
use watchkeeper_engine::time::Time;

use super::paging::{LIST, Paging};
use super::{pairs, text_or_null, time, time_or_null};
use crate::web::App;
use crate::web::error::ApiError;
use crate::web::query::Query;

/// Words of `state`.
const STATES: [&str; 4] = ["across", "crossing", "never", "no_data"];

/// `GET /api/v1/forecasts`, by rule and series; a rule without series is one item.
pub(super) async fn list(State(app): State<App>, uri: Uri) -> Result<axum::Json<Value>, ApiError> {
    let query = Query::of(&uri, &[&LIST[..], &["rule", "state"]].concat())?;
    let paging = Paging::of(&query, &["rule"])?;
    let rules: Vec<String> = query.all("rule").map(str::to_owned).collect();
    let states = query.words("state", &STATES, |word| STATES.into_iter().find(|state| *state == word))?;
    let after = paging.after_key()?.map(|key| split(&key));
    let limit = paging.limit;
    let found = app.writer.ask(move |state, world, now| {
        let known: BTreeMap<&str, &Capacity> = world.policy.capacity.iter().map(|rule| (rule.name.as_str(), rule)).collect();
        let from = after.as_ref().map_or("", |after| after.0.as_str());
        let mut found: Vec<((String, String), Value)> = Vec::new();
        for (name, rule) in known.range(from..).filter(|(name, _)| rules.is_empty() || rules.iter().any(|rule| rule == *name)) {
            let check = state.capacity.checks.get(*name);
            let first = ((*name).to_owned(), String::new());
            let begin = after.clone().filter(|after| after.0 == *name).map_or(Bound::Included(first.clone()), Bound::Excluded);
            let is_from_its_start = begin == Bound::Included(first.clone());
            let mut own = state.capacity.forecasts.range((begin, Bound::Unbounded)).take_while(|(key, _)| key.0 == *name).peekable();
            let without = (own.peek().is_none() && is_from_its_start).then(|| (first, item(rule, check, None, world, now)));
            let items = own.map(|(key, forecast)| (key.clone(), item(rule, check, Some(forecast), world, now))).chain(without);
            let wanted = items.filter(|(_, item)| states.is_empty() || states.iter().any(|state| item["state"] == *state));
            found.extend(wanted.take(limit + 1 - found.len()));
            if found.len() > limit {
                break;
            }
        }
        found
    });
    let mut found = found.await?;
    let has_more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| has_more).map(|(key, _)| format!("{}\0{}", key.0, key.1).into_bytes());
    let items = found.into_iter().map(|(_, item)| item).collect();
    Ok(axum::Json(paging.by_keys(items, next.as_deref())))
}

/// Rule and series out of a cursor.
fn split(key: &[u8]) -> (String, String) {
    let text = String::from_utf8_lossy(key);
    let (rule, series) = text.split_once('\0').unwrap_or((&text, ""));
    (rule.to_owned(), series.to_owned())
}

fn item(rule: &Capacity, check: Option<&Check>, forecast: Option<&Forecast>, world: &World, now: Time) -> Value {
    let (mut state, mut crosses_at, mut line, mut data_at) = ("no_data", None, None, None);
    let mut why =
        if check.is_some_and(|check| check.answered_at.is_some()) { "the query gives no series" } else { "it was not answered yet" };
    match forecast.map(|forecast| (forecast.trend, forecast.made_at)) {
        None => {}
        Some((Trend::NoData { why: missing, data_at: at }, _)) => (why, data_at) = (missing.words(), at),
        Some((Trend::Line { line: found }, made_at)) => {
            (why, data_at, line) = ("", Some(found.data_at), Some(found));
            // Seen from when it was made: a line does not move by itself.
            (state, crosses_at) = match found.reaches(rule.limit, rule.side, made_at, rule.history) {
                Reach::Across => ("across", None),
                Reach::At(at) => ("crossing", Some(at)),
                Reach::Never => ("never", None),
            };
        }
    }
    let ci = forecast.map(|forecast| identify::identify(world, &sight::input(&capacity::alert_of(forecast), now)).ci);
    json!({
        "rule": rule.name,
        "series": forecast.map(|forecast| &forecast.series),
        "labels": forecast.map_or_else(|| json!({}), |forecast| pairs(&forecast.labels)),
        "ci": ci.map(|ci| sight::item_name(world, &ci).to_owned()),
        "state": state,
        "crosses_at": time_or_null(crosses_at),
        "why": text_or_null(why),
        "value": line.map(|line| line.value.get()),
        "per_day": line.map(|line| line.per_day.get()),
        "side": rule.side.word(),
        "limit": rule.limit,
        "firing": forecast.is_some_and(|forecast| forecast.fires),
        "made_at": forecast.map_or(Value::Null, |forecast| time(forecast.made_at)),
        "data_at": time_or_null(data_at),
        "answered_at": time_or_null(check.and_then(|check| check.answered_at)),
        "error": text_or_null(check.map_or("", |check| &check.error)),
        "left_out": check.map_or(0, |check| check.left_out),
    })
}
