//! The faults that Alertmanager finds in a body before it looks at what the body says: what is missing, and what is not of its type.

use serde_json::Value;

/// Code of something that is not of its type.
pub const TYPE: u16 = 601;
/// Code of something that is missing.
pub const REQUIRED: u16 = 602;
/// Code of a list that is too short.
const TOO_FEW: u16 = 612;

/// A fault: its code, and what it says.
pub type Fault = (u16, String);

/// The first fault of an alert's body; `at` is its place in the list.
pub fn of_alert(at: usize, alert: &Value) -> Option<Fault> {
    if alert.get("labels").is_none_or(Value::is_null) {
        return Some((REQUIRED, format!("{at}.labels in body is required")));
    }
    let url = alert.get("generatorURL").and_then(Value::as_str).unwrap_or_default();
    (!is_uri(url)).then(|| (TYPE, format!("{at}.generatorURL in body must be of type uri: {url:?}")))
}

/// Whether a member of an alert is of another type than its own, which Alertmanager finds before anything that is missing.
pub fn is_mistyped(alert: &Value) -> bool {
    let is_text = |value: &Value| value.is_string() || value.is_null();
    let member = |name: &str| alert.get(name).unwrap_or(&Value::Null);
    let texts = ["startsAt", "endsAt", "generatorURL"].into_iter().all(|name| is_text(member(name)));
    let pairs = ["labels", "annotations"].into_iter().all(|name| match member(name) {
        Value::Null => true,
        Value::Object(pairs) => pairs.values().all(is_text),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => false,
    });
    !(texts && pairs)
}

/// The first fault of a silence's body, in the order of the names.
pub fn of_silence(silence: &Value) -> Option<Fault> {
    let missing = |name: &str| (REQUIRED, format!("{name} in body is required"));
    ["comment", "createdBy", "endsAt", "matchers", "startsAt"].into_iter().find_map(|name| match silence.get(name) {
        None | Some(Value::Null) => Some(missing(name)),
        Some(Value::Array(matchers)) if name == "matchers" => of_matchers(matchers),
        Some(_) => None,
    })
}

fn of_matchers(matchers: &[Value]) -> Option<Fault> {
    if matchers.is_empty() {
        return Some((TOO_FEW, "matchers in body should have at least 1 items".to_owned()));
    }
    matchers.iter().enumerate().find_map(|(at, matcher)| {
        let missing = ["isRegex", "name", "value"].into_iter().find(|name| matcher.get(name).is_none_or(Value::is_null))?;
        Some((REQUIRED, format!("matchers.{at}.{missing} in body is required")))
    })
}

/// Whether a text is a URI as Go's `url.ParseRequestURI` takes it: with a scheme, or from `/` on; an empty one is none, which is none too many.
pub fn is_uri(text: &str) -> bool {
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    };
    let host = text.split_once("//").map_or("", |(_, rest)| rest.split('/').next().unwrap_or_default());
    let sound = !text.contains(|c: char| c.is_ascii_control()) && host.contains('[') == host.contains(']');
    text.is_empty() || sound && (text.starts_with('/') || text.split_once(':').is_some_and(|(scheme, _)| is_scheme(scheme)))
}
