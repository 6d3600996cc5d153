//! Alertmanager's API, request by request: a table of what Alertmanager 0.34 answers, by its description of its API and its documentation.
//!
//! `tests/fixtures/alertmanager/vectors.json` holds a step a line, in the order in which they are sent. In bodies and answers `@60` is a minute after the test begins,
//! `@?` any time, and `{one}` what the first answer that has it there says. An answer is JSON, a JSON text, `{code, message}`, a page, or nothing.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use watchkeeper_engine::time::{Span, Time};

use super::http_support::{Doors, Told, start};

const VECTORS: &str = include_str!("../fixtures/alertmanager/vectors.json");

/// What names in braces stand for.
type Bound = BTreeMap<String, String>;

/// The time of `@60`.
fn time(text: &str) -> Option<Time> {
    Some(start() + Span::seconds(text.strip_prefix('@')?.parse().ok()?))
}

/// A body with times and names filled in.
fn filled(value: &Value, bound: &Bound) -> Value {
    match value {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), filled(value, bound))).collect(),
        Value::Array(items) => items.iter().map(|item| filled(item, bound)).collect(),
        Value::String(text) => time(text).map_or_else(|| named(text, bound), |at| at.rfc3339()).into(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

fn named(text: &str, bound: &Bound) -> String {
    bound.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

/// Where an answer differs from what is wanted; binds names that are new.
fn differs(wanted: &Value, got: &Value, bound: &mut Bound, place: &str) -> Option<String> {
    match (wanted, got) {
        (Value::Object(wanted), Value::Object(got)) => {
            let (names, have): (Vec<&String>, Vec<&String>) = (wanted.keys().collect(), got.keys().collect());
            if names != have {
                return Some(format!("{place} has {have:?}, not {names:?}"));
            }
            wanted.iter().find_map(|(name, value)| differs(value, &got[name], bound, &format!("{place}.{name}")))
        }
        (Value::Array(wanted), Value::Array(got)) if wanted.len() == got.len() => {
            wanted.iter().zip(got).enumerate().find_map(|(at, (wanted, got))| differs(wanted, got, bound, &format!("{place}[{at}]")))
        }
        (Value::String(wanted), Value::String(got)) => {
            let name = wanted.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
            match (wanted.as_str(), name) {
                ("@?", _) if Time::parse_rfc3339(got).is_some() => return None,
                (_, Some(name)) if !bound.contains_key(name) => {
                    bound.insert(name.to_owned(), got.clone());
                    return None;
                }
                _ => {}
            }
            let wanted = filled(&json!(wanted), bound);
            (wanted != json!(got)).then(|| format!("{place} is {got:?}, not {wanted}"))
        }
        _ => (wanted != got).then(|| format!("{place} is {got}, not {wanted}")),
    }
}

/// Why an answer is not the one of the table.
fn wrong(step: &Value, told: &Told, bound: &mut Bound) -> Option<String> {
    if json!(told.status) != step["status"] {
        return Some(format!("status {}", told.status));
    }
    let answer = &step["answer"];
    let body: Value = serde_json::from_str(&told.body).unwrap_or_default();
    if let Some(wanted) = answer.get("json") {
        return differs(wanted, &body, bound, "answer");
    }
    let is_so = if let Some(code) = answer.get("code") {
        body["code"] == *code && body["message"].is_string() && body.as_object().is_some_and(|members| members.len() == 2)
    } else if let Some(page) = answer.get("html") {
        told.body == *page && told.header("content-type") == Some("text/html; charset=utf-8")
    } else if answer.get("text").is_some() {
        body.is_string()
    } else {
        told.body.is_empty()
    };
    (!is_so).then(|| "another answer".to_owned())
}

#[tokio::test]
async fn every_request_of_the_table_is_answered_as_alertmanager_answers_it() {
    let doors = Doors::open("").await;
    let steps: Vec<Value> = serde_json::from_str(VECTORS).unwrap();
    let (mut bound, mut faults) = (Bound::new(), Vec::new());
    for step in &steps {
        if let Some(seconds) = step["wait"].as_i64() {
            doors.pass(Span::seconds(seconds)).await;
            continue;
        }
        let (method, path) = step["request"].as_str().unwrap().split_once(' ').unwrap();
        let body = match (&step["raw"], &step["body"]) {
            (Value::String(raw), _) => raw.clone(),
            (_, Value::Null) => String::new(),
            (_, body) => filled(body, &bound).to_string(),
        };
        let mut headers: Vec<(&str, &str)> = Vec::new();
        match step["headers"].as_object() {
            Some(given) => headers.extend(given.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap()))),
            None if method == "POST" => headers.push(("content-type", "application/json")),
            None => {}
        }
        let told = doors.send(method, &named(path, &bound), &headers, body).await;
        if let Some(why) = wrong(step, &told, &mut bound) {
            faults.push(format!("{} ({method} {path}): {why}\n    {} {}", step["say"], told.status, told.body));
        }
    }
    assert!(steps.len() > 90 && bound.len() >= 6, "the table was read");
    assert!(faults.is_empty(), "{} of {} answers differ:\n{}", faults.len(), steps.len(), faults.join("\n"));
}
