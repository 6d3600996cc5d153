//! `/api/v1/forecasts`: where the series of capacity rules are going.

use std::collections::BTreeMap;
use std::ops::Bound;

use axum::extract::State;
use axum::http::Uri;

use watchkeeper_engine::policy::capacity::Capacity;

use super::paging::asked;
use crate::view::{ForecastState, ForecastView, Page};
use crate::web::App;
use crate::web::describe::Parameter;
use crate::web::error::ApiError;

/// Orders of the list.
const SORTS: [&str; 1] = ["rule"];

/// Parameters of the list.
pub(super) const PARAMETERS: [Parameter; 3] = [
    Parameter::sort(&SORTS),
    Parameter::texts("rule", "Capacity rules."),
    Parameter::words("state", "Where they are going.", &ForecastState::WORDS),
];

/// `GET /api/v1/forecasts`, by rule and series; a rule without series is one item.
pub(super) async fn list(State(app): State<App>, uri: Uri) -> Result<axum::Json<Page<ForecastView>>, ApiError> {
    let (query, paging) = asked(&uri, &PARAMETERS)?;
    let rules: Vec<String> = query.all("rule").map(str::to_owned).collect();
    let states = query.words("state", &ForecastState::WORDS, |word| ForecastState::WORDS.into_iter().find(|state| *state == word))?;
    let after = paging.after_key()?.map(|key| split(&key));
    let limit = paging.limit;
    let found = app.writer.ask(move |state, world, now| {
        let known: BTreeMap<&str, &Capacity> = world.policy.capacity.iter().map(|rule| (rule.name.as_str(), rule)).collect();
        let from = after.as_ref().map_or("", |after| after.0.as_str());
        let mut found: Vec<((String, String), ForecastView)> = Vec::new();
        for (name, rule) in known.range(from..).filter(|(name, _)| rules.is_empty() || rules.iter().any(|rule| rule == *name)) {
            let check = state.capacity.checks().get(*name);
            let first = ((*name).to_owned(), String::new());
            let begin = after.clone().filter(|after| after.0 == *name).map_or(Bound::Included(first.clone()), Bound::Excluded);
            let is_from_its_start = begin == Bound::Included(first.clone());
            let mut own = state.capacity.forecasts().range((begin, Bound::Unbounded)).take_while(|(key, _)| key.0 == *name).peekable();
            let without = (own.peek().is_none() && is_from_its_start).then(|| (first, ForecastView::of(rule, check, None, world, now)));
            let items = own.map(|(key, forecast)| (key.clone(), ForecastView::of(rule, check, Some(forecast), world, now))).chain(without);
            let wanted = items.filter(|(_, item)| states.is_empty() || states.contains(&item.state.word()));
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
    Ok(paging.by_keys(items, next.as_deref()))
}

/// Rule and series out of a cursor.
fn split(key: &[u8]) -> (String, String) {
    let text = String::from_utf8_lossy(key);
    let (rule, series) = text.split_once('\0').unwrap_or((&text, ""));
    (rule.to_owned(), series.to_owned())
}
