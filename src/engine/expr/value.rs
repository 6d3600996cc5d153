//! Values while an expression is evaluated: borrowed from the view, the message or the expression wherever that is possible.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::text::Labels;
use crate::time::{Span, Time};

/// A value; closed words are texts. The last three only a message has.
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
    /// What is missing.
    Null,
    /// A list, an object, or a number that is none of [`Val::Int`]: other parts of a message are values of their own kind.
    Json(&'a Value),
    /// An object that an expression makes.
    Map(BTreeMap<String, Val<'a>>),
}

impl<'a> From<&'a Value> for Val<'a> {
    fn from(value: &'a Value) -> Val<'a> {
        match value {
            Value::Null => Val::Null,
            Value::Bool(answer) => Val::Bool(*answer),
            Value::String(text) => Val::text(text),
            Value::Number(number) => number.as_i64().map_or(Val::Json(value), Val::Int),
            Value::Array(_) | Value::Object(_) => Val::Json(value),
        }
    }
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
            (Val::Null, Val::Null) => true,
            _ if self.is_list() && other.is_list() => {
                let (a, b) = (self.elements(), other.elements());
                a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a.equals(b))
            }
            _ => match (self.members(), other.members()) {
                (Some(a), Some(b)) => a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a.0 == b.0 && a.1.equals(b.1)),
                (_, _) => self.order(other) == Some(Ordering::Equal),
            },
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
            (Val::Json(Value::Number(a)), _) => Val::Double(a.as_f64()?).order(other),
            (_, Val::Json(Value::Number(b))) => self.order(&Val::Double(b.as_f64()?)),
            _ => None,
        }
    }

    /// A number as it is reckoned with.
    pub(super) fn reckoned(self) -> Val<'a> {
        match self {
            Val::Json(Value::Number(number)) => Val::Double(number.as_f64().unwrap_or(f64::NAN)),
            other => other,
        }
    }

    const fn is_list(&self) -> bool {
        matches!(self, Val::List(_) | Val::Texts(_) | Val::Json(Value::Array(_)))
    }

    /// The members of an object.
    fn members(&self) -> Option<BTreeMap<&str, Val<'a>>> {
        match self {
            Val::Json(Value::Object(members)) => Some(members.iter().map(|(name, value)| (name.as_str(), Val::from(value))).collect()),
            Val::Map(members) => Some(members.iter().map(|(name, value)| (name.as_str(), value.clone())).collect()),
            _ => None,
        }
    }

    /// A member of an object, null where it has none of that name; `None`: this is no object.
    pub(super) fn member(self, name: &str) -> Option<Val<'a>> {
        match self {
            Val::Json(Value::Object(members)) => Some(members.get(name).map_or(Val::Null, Val::from)),
            Val::Map(mut members) => Some(members.remove(name).unwrap_or(Val::Null)),
            Val::Null => Some(Val::Null),
            _ => None,
        }
    }

    /// Whether a list or an object holds a value; `None`: this is neither.
    pub(super) fn holds(&self, sought: &Val<'_>) -> Option<bool> {
        match (self, sought) {
            (Val::Labels(labels), Val::Text(name)) => Some(labels.has(name)),
            (Val::Texts(texts), Val::Text(text)) => Some(texts.iter().any(|known| known == text)),
            (Val::List(items), _) => Some(items.iter().any(|item| item.equals(sought))),
            (Val::Json(Value::Array(items)), _) => Some(items.iter().any(|item| Val::from(item).equals(sought))),
            (Val::Json(Value::Object(members)), Val::Text(name)) => Some(members.contains_key(name.as_ref())),
            (Val::Map(members), Val::Text(name)) => Some(members.contains_key(name.as_ref())),
            (Val::Labels(_) | Val::Texts(_) | Val::Json(Value::Object(_)) | Val::Map(_) | Val::Null, _) => Some(false),
            (_, _) => None,
        }
    }

    /// How many elements, members or characters it has; `None`: it has no size.
    pub(super) fn size(&self) -> Option<usize> {
        match self {
            Val::Text(text) => Some(text.chars().count()),
            Val::Texts(texts) => Some(texts.len()),
            Val::Labels(labels) => Some(labels.len()),
            Val::List(items) => Some(items.len()),
            Val::Json(Value::Array(items)) => Some(items.len()),
            Val::Json(Value::Object(members)) => Some(members.len()),
            Val::Map(members) => Some(members.len()),
            Val::Null => Some(0),
            Val::Bool(_) | Val::Int(_) | Val::Double(_) | Val::Time(_) | Val::Span(_) | Val::Json(_) => None,
        }
    }

    /// What it is, as a fault says it.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Val::Null => "null",
            Val::Bool(_) => "true or false",
            Val::Int(_) | Val::Double(_) => "a number",
            Val::Text(_) => "a text",
            Val::Time(_) => "a moment",
            Val::Span(_) => "a duration",
            Val::Labels(_) => "a set of labels",
            Val::List(_) | Val::Texts(_) | Val::Json(Value::Array(_)) => "a list",
            Val::Map(_) | Val::Json(Value::Object(_)) => "an object",
            // A text, an answer or nothing is a value of its own kind.
            Val::Json(Value::Number(_) | Value::Null | Value::Bool(_) | Value::String(_)) => "a number",
        }
    }

    /// The elements of a list, or the names of labels.
    pub(super) fn elements(&self) -> Vec<Val<'a>> {
        match self {
            Val::List(items) => items.clone(),
            Val::Texts(texts) => texts.iter().map(|text| Val::text(text)).collect(),
            Val::Labels(labels) => labels.iter().map(|(name, _)| Val::text(name)).collect(),
            Val::Json(Value::Array(items)) => items.iter().map(Val::from).collect(),
            Val::Bool(_)
            | Val::Int(_)
            | Val::Double(_)
            | Val::Text(_)
            | Val::Time(_)
            | Val::Span(_)
            | Val::Null
            | Val::Json(_)
            | Val::Map(_) => Vec::new(),
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
            Val::Null => Cow::Borrowed(""),
            Val::Json(_) | Val::Map(_) => Cow::Owned(self.into_json().to_string()),
        }
    }

    /// The value as a part of a message, borrowed where it is one. JSON has no moments and durations: they are texts.
    pub(super) fn into_json(self) -> Cow<'a, Value> {
        static NULL: Value = Value::Null;
        Cow::Owned(match self {
            Val::Null => return Cow::Borrowed(&NULL),
            Val::Json(value) => return Cow::Borrowed(value),
            Val::Bool(answer) => Value::Bool(answer),
            Val::Int(number) => Value::from(number),
            Val::Double(number) => Value::from(number),
            Val::List(items) => items.into_iter().map(|item| item.into_json().into_owned()).collect(),
            Val::Map(members) => members.into_iter().map(|(name, value)| (name, value.into_json().into_owned())).collect(),
            Val::Text(_) | Val::Time(_) | Val::Span(_) | Val::Labels(_) | Val::Texts(_) => Value::String(self.into_text().into_owned()),
        })
    }
}

/// The order of a whole number and a double, exact: a double beyond the whole numbers is above or below all of them.
fn order_of_numbers(int: i64, double: f64) -> Option<Ordering> {
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
