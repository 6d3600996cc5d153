//! Lists: how many, from where, in which order.

use axum::http::Uri;

use crate::read::{Order, Page, Places};
use crate::view;
use crate::web::describe::{Parameter, Takes, names};
use crate::web::error::ApiError;
use crate::web::query::{Query, unknown};

/// Records of one part of a list where the request does not say.
const LIMIT_DEFAULT: usize = 100;

/// Records of one part of a list at most.
const LIMIT_MAX: usize = 1_000;

/// Parameters that every list knows, beside its order.
pub(super) const LIST: [Parameter; 2] = [
    Parameter { name: "limit", about: "Records of one part: 1 to 1000, 100 unless given.", takes: Takes::Number(LIMIT_MAX) },
    Parameter::text("cursor", "The `next` of the part before."),
];

/// Which part of a list is wanted, and in which order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Paging {
    pub(super) limit: usize,
    pub(super) sort: &'static str,
    after: Option<String>,
}

/// What a request asks of a list: its parameters, and which part of it in which order.
///
/// # Errors
/// 400: a parameter that the list does not have, or one of these that is wrong.
pub(super) fn asked(uri: &Uri, own: &[Parameter]) -> Result<(Query, Paging), ApiError> {
    let query = Query::of(uri, &names(&[&LIST, own]))?;
    let orders = own.iter().find_map(|parameter| match (parameter.name, parameter.takes) {
        ("sort", Takes::Word(words)) => Some(words),
        _ => None,
    });
    let paging = Paging::of(&query, orders.expect("a list says its orders"))?;
    Ok((query, paging))
}

impl Paging {
    /// Of a request to a list that knows these orders, the first being the default.
    fn of(query: &Query, sorts: &[&'static str]) -> Result<Paging, ApiError> {
        let limit = query.number("limit", 1..=LIMIT_MAX, LIMIT_DEFAULT)?;
        let sort = match query.get("sort") {
            None => sorts[0],
            Some(word) => sorts.iter().copied().find(|sort| *sort == word).ok_or_else(|| unknown("value of sort", word, sorts))?,
        };
        let after = match query.get("cursor") {
            None => None,
            Some(cursor) => match cursor.split_once('.') {
                Some((of, after)) if of == sort => Some(after.to_owned()),
                Some((of, _)) if sorts.contains(&of) => {
                    return Err(ApiError::bad(format!("the cursor is of a list sorted by {of}, not by {sort}")).with("place", "cursor"));
                }
                Some(_) | None => return Err(no_cursor()),
            },
        };
        Ok(Paging { limit, sort, after })
    }

    /// Where the part begins, in a list by time: the first id of each realm.
    pub(super) fn from(&self) -> Result<Option<Places>, ApiError> {
        let ids = |text: &str| text.split(',').map(|id| id.parse().map_err(|_| no_cursor())).collect();
        self.after.as_deref().map(ids).transpose()
    }

    /// The first id of the part, in a list by ids.
    pub(super) fn first_id(&self) -> Result<Option<u64>, ApiError> {
        self.after.as_deref().map(|text| text.parse().map_err(|_| no_cursor())).transpose()
    }

    /// The key after which the part begins, in a list by keys.
    pub(super) fn after_key(&self) -> Result<Option<Vec<u8>>, ApiError> {
        self.after.as_deref().map(|text| bytes(text).ok_or_else(no_cursor)).transpose()
    }

    /// In which direction ids are listed: `-` before a word means descending.
    pub(super) fn order(&self) -> Order {
        if self.sort.starts_with('-') { Order::NewestFirst } else { Order::OldestFirst }
    }

    /// A part of a list by keys that is at hand whole.
    pub(super) fn of_all<T, V>(
        &self,
        items: impl Iterator<Item = (Vec<u8>, T)>,
        view: impl Fn(T) -> V,
    ) -> Result<axum::Json<view::Page<V>>, ApiError> {
        let after = self.after_key()?;
        let mut items: Vec<(Vec<u8>, T)> = items.filter(|(key, _)| after.as_ref().is_none_or(|after| key > after)).collect();
        items.sort_by(|a, b| a.0.cmp(&b.0));
        let has_more = items.len() > self.limit;
        items.truncate(self.limit);
        let next = items.last().filter(|_| has_more).map(|(key, _)| key.clone());
        Ok(self.by_keys(items.into_iter().map(|(_, item)| view(item)).collect(), next.as_deref()))
    }

    /// A part of a list by time.
    pub(super) fn by_time<T>(&self, items: Vec<T>, next: Option<Places>) -> axum::Json<view::Page<T>> {
        let next = next.map(|ids| ids.iter().map(u64::to_string).collect::<Vec<_>>().join(","));
        axum::Json(view::Page { items, next: next.map(|ids| format!("{}.{ids}", self.sort)) })
    }

    /// A part of a list by ids.
    pub(super) fn by_ids<T>(&self, items: Vec<T>, next: Option<u64>) -> axum::Json<view::Page<T>> {
        axum::Json(view::Page { items, next: next.map(|id| format!("{}.{id}", self.sort)) })
    }

    /// A part of a list by keys.
    pub(super) fn by_keys<T>(&self, items: Vec<T>, next: Option<&[u8]>) -> axum::Json<view::Page<T>> {
        axum::Json(view::Page { items, next: next.map(|key| format!("{}.{}", self.sort, hex(key))) })
    }
}

/// The items of a part and the rest of it, so that they can be made views of between.
pub(super) fn split<T, C>(page: Page<T, C>) -> (Vec<T>, Option<C>) {
    (page.items, page.next)
}

fn no_cursor() -> ApiError {
    ApiError::bad("cursor: expected the `next` of an answer of this list").with("place", "cursor")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = hex.chars().map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}
