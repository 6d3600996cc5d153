//! Values while an expression is evaluated: borrowed from the view or from the expression wherever that is possible.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::text::Labels;
use crate::time::{Span, Time};

/// A value; closed words are texts.
#[derive(Debug, Clone)]
pub(super) enum Val<'a> {
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(Cow<'a, str>),
    Time(Time),
    Span(Span),
    Labels(&'a Labels),
    Texts(&'a [String]),
    List(Vec<Val<'a>>),
}

impl<'a> Val<'a> {
    /// A borrowed text.
    pub(super) const fn text(text: &'a str) -> Val<'a> {
        Val::Text(Cow::Borrowed(text))
    }

    /// A counter.
    pub(super) fn count(count: u64) -> Val<'static> {
        Val::Int(i64::try_from(count).unwrap_or(i64::MAX))
    }

    /// Equality as CEL's: numbers by value whatever their kind.
    pub(super) fn equals(&self, other: &Val<'_>) -> bool {
        match (self, other) {
            (Val::Text(a), Val::Text(b)) => a == b,
            (Val::Bool(a), Val::Bool(b)) => a == b,
            (Val::List(_) | Val::Texts(_), Val::List(_) | Val::Texts(_)) => {
                let (a, b) = (self.elements(), other.elements());
                a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a.equals(b))
            }
            _ => self.order(other) == Some(Ordering::Equal),
        }
    }

    /// Order, where the two have one; `None` for a comparison with "not a number".
    pub(super) fn order(&self, other: &Val<'_>) -> Option<Ordering> {
        match (self, other) {
            (Val::Text(a), Val::Text(b)) => Some(a.as_ref().cmp(b.as_ref())),
            (Val::Bool(a), Val::Bool(b)) => Some(a.cmp(b)),
            (Val::Int(a), Val::Int(b)) => Some(a.cmp(b)),
            (Val::Double(a), Val::Double(b)) => a.partial_cmp(b),
            (Val::Int(a), Val::Double(b)) => order_of_numbers(*a, *b),
            (Val::Double(a), Val::Int(b)) => order_of_numbers(*b, *a).map(Ordering::reverse),
            (Val::Time(a), Val::Time(b)) => Some(a.cmp(b)),
            (Val::Span(a), Val::Span(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }

    /// The elements of a list, or the names of labels.
    pub(super) fn elements(&self) -> Vec<Val<'a>> {
        match self {
            Val::List(items) => items.clone(),
            Val::Texts(texts) => texts.iter().map(|text| Val::text(text)).collect(),
            Val::Labels(labels) => labels.iter().map(|(name, _)| Val::text(name)).collect(),
            Val::Bool(_) | Val::Int(_) | Val::Double(_) | Val::Text(_) | Val::Time(_) | Val::Span(_) => Vec::new(),
        }
    }

    /// The value as a text that people read.
    pub(super) fn into_text(self) -> Cow<'a, str> {
        match self {
            Val::Text(text) => text,
            Val::Bool(true) => Cow::Borrowed("true"),
            Val::Bool(false) => Cow::Borrowed("false"),
            Val::Int(number) => Cow::Owned(number.to_string()),
            Val::Double(number) => Cow::Owned(number.to_string()),
            Val::Time(time) => Cow::Owned(time.to_string()),
            Val::Span(span) => Cow::Owned(span.to_string()),
            Val::Texts(texts) => Cow::Owned(texts.join(", ")),
            Val::List(items) => Cow::Owned(items.into_iter().map(Val::into_text).collect::<Vec<_>>().join(", ")),
            Val::Labels(labels) => Cow::Owned(labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", ")),
        }
    }
}

/// The order of a whole number and a double, exact: a double beyond the whole numbers is above or below all of them.
pub(super) fn order_of_numbers(int: i64, double: f64) -> Option<Ordering> {
    // 2^63, the first double above every i64; its negative is i64::MIN itself.
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    if double.is_nan() {
        None
    } else if double >= BEYOND {
        Some(Ordering::Less)
    } else if double < -BEYOND {
        Some(Ordering::Greater)
    } else {
        let whole = double.trunc();
        Some(int.cmp(&(whole as i64)).then(0.0f64.total_cmp(&(double - whole + 0.0))))
    }
}
