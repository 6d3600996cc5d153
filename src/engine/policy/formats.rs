//! `formats`: how the body of a webhook becomes alerts, by name. A body's good members are kept, each bad one is refused with its place.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::Policy;
use super::named::Named;
use super::priorities::Severities;
use super::rules::{self, DISABLED, NAME, NOTE, Names, Scope};
use super::sections::{self, FileSection, Found, IsBuiltin, Keyed as _, StandsFor};
use crate::expr::{DynExpr, Message};
use crate::ids::Realm;
use crate::input::{AlertInput, Refused, Says};
use crate::source::{Key, Keys, Node, Reading, Shape, Spanned, Takes};
use crate::text::{Labels, cut, one_line};
use crate::time::Time;

/// The section, by name.
#[derive(Debug, Default)]
pub struct Formats {
    formats: BTreeMap<String, Format>,
    /// All of them with the place of their name, those with faults among them: who uses one is not told that it is unknown.
    named: BTreeMap<String, Named>,
}

impl Formats {
    /// The format of a name.
    pub fn get(&self, name: &str) -> Option<&Format> {
        self.formats.get(name)
    }

    /// Where rules name a format so, faulty or not.
    pub fn named(&self, name: &str) -> Option<&Named> {
        self.named.get(name)
    }

    /// All names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.formats.keys().map(String::as_str)
    }
}

/// One compiled format.
#[derive(Debug)]
pub struct Format {
    /// Where the alerts of a body are; `None`: the body is one.
    items: Option<DynExpr>,
    alert: Mapping,
    severities: Arc<Severities>,
}

/// What each field of an alert is.
#[derive(Debug)]
struct Mapping {
    name: DynExpr,
    key: Option<DynExpr>,
    state: Option<DynExpr>,
    severity: Option<DynExpr>,
    summary: Option<DynExpr>,
    labels: Option<DynExpr>,
    annotations: Option<DynExpr>,
    url: Option<DynExpr>,
    value: Option<DynExpr>,
    starts_at: Option<DynExpr>,
    ends_at: Option<DynExpr>,
}

impl Format {
    /// The alerts of a body, each good or refused, in order.
    ///
    /// Names of `headers` are in lower case.
    ///
    /// # Errors
    /// The body has no list where the format says that its alerts are.
    pub fn map(
        &self,
        realm: &Realm,
        source: &str,
        body: &Value,
        headers: &BTreeMap<String, String>,
    ) -> Result<Vec<Result<AlertInput, Refused>>, Refused> {
        let whole = Message { body, item: body, header: headers };
        let Some(items) = &self.items else {
            return Ok(vec![self.alert(realm, source, &whole)]);
        };
        let refuse = |expected: String| Refused { place: items.source().to_owned(), expected };
        let list = items.value(&whole).map_err(|fault| refuse(fault.message.trim_start_matches("expected ").to_owned()))?;
        let Value::Array(members) = list.as_ref() else {
            return Err(refuse(format!("a list of alerts, this is {}", kind_of(&list))));
        };
        let alerts = members.iter().enumerate().map(|(at, item)| {
            let message = Message { body, item, header: headers };
            self.alert(realm, source, &message)
                .map_err(|refused| Refused { place: format!("{}[{at}].{}", items.source(), refused.place), ..refused })
        });
        Ok(alerts.collect())
    }

    fn alert(&self, realm: &Realm, source: &str, message: &Message<'_>) -> Result<AlertInput, Refused> {
        let mapping = &self.alert;
        let text = |place: &str, expr: &Option<DynExpr>| expr.as_ref().map_or(Ok(String::new()), |expr| text_of(place, expr, message));
        let name = text_of("name", &mapping.name, message)?;
        if name.trim().is_empty() {
            return Err(refused("name", "a name, this is empty"));
        }
        let key = text("key", &mapping.key)?;
        let mut labels = pairs_of("labels", mapping.labels.as_ref(), message)?;
        if key.is_empty() {
            // Without a key the labels are the identity, and two alerts of one thing differ by their names.
            labels.entry("alertname".to_owned()).or_insert_with(|| name.clone());
        }
        let severity = match &mapping.severity {
            Some(expr) => self.severities.of(&text_of("severity", expr, message)?),
            None => self.severities.of(""),
        };
        let input = AlertInput {
            realm: realm.clone(),
            source: source.to_owned(),
            key,
            severity,
            summary: text("summary", &mapping.summary)?,
            labels: Labels::new(labels),
            annotations: Labels::new(pairs_of("annotations", mapping.annotations.as_ref(), message)?),
            url: text("url", &mapping.url)?,
            value: text("value", &mapping.value)?,
            starts_at: time_of("starts_at", mapping.starts_at.as_ref(), message)?,
            ends_at: time_of("ends_at", mapping.ends_at.as_ref(), message)?,
            resolved: match text("state", &mapping.state)?.as_str() {
                "" | "firing" => false,
                "resolved" => true,
                other => return Err(refused("state", format!("firing or resolved, this is {}", shown(other)))),
            },
            says: Says::State,
            name,
        };
        input.bounded()
    }
}

fn refused(place: &str, expected: impl Into<String>) -> Refused {
    Refused { place: place.to_owned(), expected: expected.into() }
}

fn value_of<'a>(place: &str, expr: &'a DynExpr, message: &Message<'a>) -> Result<std::borrow::Cow<'a, Value>, Refused> {
    expr.value(message).map_err(|fault| refused(place, format!("a value from `{}`, but {}", one_line(expr.source()), fault.message)))
}

fn text_of(place: &str, expr: &DynExpr, message: &Message<'_>) -> Result<String, Refused> {
    let value = value_of(place, expr, message)?;
    scalar(&value).ok_or_else(|| refused(place, format!("a text, this is {}", kind_of(&value))))
}

/// A single value as a text; nothing is empty.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// Names and texts; what is nested is kept as JSON, so that a label more never costs an alert.
fn pairs_of(place: &str, expr: Option<&DynExpr>, message: &Message<'_>) -> Result<BTreeMap<String, String>, Refused> {
    let Some(expr) = expr else { return Ok(BTreeMap::new()) };
    let value = value_of(place, expr, message)?;
    match value.as_ref() {
        Value::Null => Ok(BTreeMap::new()),
        Value::Object(pairs) => {
            Ok(pairs.iter().map(|(name, value)| (name.clone(), scalar(value).unwrap_or_else(|| value.to_string()))).collect())
        }
        other @ (Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            Err(refused(place, format!("names and values, this is {}", kind_of(other))))
        }
    }
}

/// RFC 3339, or seconds or milliseconds since 1970; nothing is not given.
fn time_of(place: &str, expr: Option<&DynExpr>, message: &Message<'_>) -> Result<Option<Time>, Refused> {
    // Above this a number counts milliseconds: as seconds it would lie in the year 5138.
    const MILLISECONDS_FROM: f64 = 1e11;
    let Some(expr) = expr else { return Ok(None) };
    let value = value_of(place, expr, message)?;
    let fault = || refused(place, format!("a time as in RFC 3339, or seconds since 1970, this is {}", shown(&value.to_string())));
    match value.as_ref() {
        Value::Null => Ok(None),
        Value::String(text) if text.is_empty() || text.starts_with("0001-01-01T00:00:00") => Ok(None),
        Value::String(text) => Time::parse_rfc3339(text).map(Some).ok_or_else(fault),
        Value::Number(number) => {
            let number = number.as_f64().filter(|number| (0.0..1e15).contains(number)).ok_or_else(fault)?;
            let ms = if number < MILLISECONDS_FROM { number * 1_000.0 } else { number };
            Ok((ms > 0.0).then_some(Time(ms as i64)))
        }
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(fault()),
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn shown(text: &str) -> String {
    format!("`{}`", cut(&one_line(text), 60))
}

static ALERT: Shape = Shape {
    what: "`alert` of a format",
    keys: &[
        Key::must("name", Takes::Expression, "its name."),
        Key::may("key", Takes::Expression, "the sender's own key. Default: the labels, with the name as alertname, are the identity."),
        Key::may("state", Takes::Expression, "firing or resolved. Default firing."),
        Key::may("severity", Takes::Expression, "the sender's word, read through `severities`. Default unknown."),
        Key::may("summary", Takes::Expression, "one line of what is wrong."),
        Key::may("labels", Takes::Expression, "an object of names and values."),
        Key::may("annotations", Takes::Expression, "an object of names and values."),
        Key::may("url", Takes::Expression, "where the sender shows it."),
        Key::may("value", Takes::Expression, "the measured value."),
        Key::may("starts_at", Takes::Expression, "since when: RFC 3339, or seconds or milliseconds since 1970."),
        Key::may("ends_at", Takes::Expression, "until when."),
    ],
    later: &[],
};

/// A format of `formats`.
pub(super) static FORMAT: Shape = Shape {
    what: "a format",
    keys: &[
        NAME,
        NOTE,
        DISABLED,
        Key::may("items", Takes::Expression, "where in the body its alerts are, such as body.events. Default: the body is one alert."),
        Key::must("alert", Takes::Map(&ALERT), "what each field of an alert is, over `item`, `body` and `header`."),
    ],
    later: &[("test", "try it with a step `post` in `tests`")],
};

/// `formats` of all files.
#[derive(Default)]
pub(super) struct FormatsSection {
    names: Names,
    formats: Vec<(String, Option<DynExpr>, Mapping)>,
    named: BTreeMap<String, Named>,
}

impl FileSection for FormatsSection {
    const TAKES: Takes = Takes::List(&Takes::Map(&FORMAT));
    const DOC: &'static str = "how the body of a webhook becomes alerts.";
    const SEES: &'static [&'static str] = &[];
    const NAMES: StandsFor = StandsFor::Rules;

    fn read<'a>(&mut self, reading: &Reading<'a>, node: &'a Node, _: &Scope<'a>) {
        sections::each(reading, node, Self::KEY, &FORMAT, |keys| self.rule(keys));
    }

    fn finish(self, policy: &mut Policy, _: &mut Found<'_>) {
        let severities = &policy.severities;
        let format = |(name, items, alert)| (name, Format { items, alert, severities: Arc::clone(severities) });
        policy.formats = Formats { formats: self.formats.into_iter().map(format).collect(), named: self.named };
    }

    fn names(policy: &Policy) -> Vec<(&str, IsBuiltin)> {
        sections::own(policy.formats.names())
    }
}

impl FormatsSection {
    /// Reads one format.
    fn rule(&mut self, keys: &Keys<'_, '_>) {
        let name = self.names.take(keys, Self::KEY);
        let is_disabled = rules::is_disabled(keys);
        let items = expression(keys, "items");
        let mapping = keys.node("alert").and_then(|node| keys.reading().keys(node, &ALERT)).and_then(|alert| mapping(&alert));
        if let (Some(name), false) = (&name, is_disabled) {
            let span = keys.get::<Spanned<String>>("name").map_or(0..0, |name| name.span);
            self.named.insert(name.clone(), Named::at(keys.reading(), Spanned { value: name.clone(), span }));
        }
        if let (Some(name), Some(mapping), false) = (name, mapping, is_disabled) {
            self.formats.push((name, items, mapping));
        }
    }
}

fn mapping(keys: &Keys<'_, '_>) -> Option<Mapping> {
    // All are compiled before the first that is missing ends it, so that every fault is told.
    let name = expression(keys, "name");
    let [key, state, severity, summary, labels, annotations, url, value, starts_at, ends_at] =
        ["key", "state", "severity", "summary", "labels", "annotations", "url", "value", "starts_at", "ends_at"]
            .map(|key| expression(keys, key));
    Some(Mapping { name: name?, key, state, severity, summary, labels, annotations, url, value, starts_at, ends_at })
}

fn expression(keys: &Keys<'_, '_>, key: &'static str) -> Option<DynExpr> {
    let node = keys.node(key)?;
    let text = rules::expression_text(keys.reading(), node)?;
    rules::compiled(keys.reading(), node, &format!("`{key}`"), DynExpr::compile(text))
}
