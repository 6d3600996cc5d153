//! What is served is what is described: every answer that a test sees is compared with the description of the API as it is served, and so are the bodies of
//! requests that were taken.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jsonschema::Validator;
use serde_json::{Value, json};

/// The description of the API, as a daemon serves it.
pub struct Description {
    document: Value,
    /// By where their schema stands in the document.
    validators: Mutex<BTreeMap<String, Arc<Validator>>>,
}

/// An answer, and what was asked.
pub struct Exchange<'a> {
    /// The method.
    pub method: &'a str,
    /// The path and query.
    pub target: &'a str,
    /// The body that was sent.
    pub request: &'a [u8],
    /// The status of the answer.
    pub status: u16,
    /// Its content type.
    pub kind: &'a str,
    /// Its body.
    pub body: &'a str,
}

impl Description {
    /// Of the document that a daemon serves.
    pub fn new(document: Value) -> Description {
        Description { document, validators: Mutex::default() }
    }

    /// Compares an answer with the description of what was asked; paths that are not served, and methods that a path does not have, are not described.
    ///
    /// # Panics
    /// They differ.
    pub fn check(&self, exchange: &Exchange<'_>) {
        let Exchange { method, target, request, status, kind, body } = *exchange;
        if method == "HEAD" || (method == "OPTIONS" && status == 204) || (status == 307 && target.contains("/api/v2")) {
            return;
        }
        let Some((path, operation)) = self.operation(method, target) else {
            assert!(
                matches!(status, 400 | 401 | 403 | 404 | 405 | 408 | 413),
                "{method} {target} is served and not described: {status} {body}"
            );
            return;
        };
        let place = format!("{} {path}", method.to_lowercase());
        let answer = &operation["responses"][status.to_string()];
        assert!(!answer.is_null(), "{place} answers {status}, which is not described: {body}");
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let Some(content) = answer.get("content") else {
            assert!(body.is_empty(), "{place} answers {status} with a body, which is not described: {body}");
            return;
        };
        if body.is_empty() && content["application/json"]["schema"] == json!({}) {
            return;
        }
        let schema = &content[kind]["schema"];
        assert!(!schema.is_null(), "{place} answers {status} as {kind:?}, which is not described: {body}");
        if kind.ends_with("json") {
            let value: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{place} {status}: {error}: {body}"));
            self.holds(&format!("{place} answers {status} {kind}"), schema, &value);
        }
        let read = &operation["requestBody"]["content"]["application/json"]["schema"];
        if !read.is_null() && status < 300 && path.starts_with("/api/v1/") && !request.iter().all(u8::is_ascii_whitespace) {
            let mut value: Value = serde_json::from_slice(request.strip_prefix(b"\xef\xbb\xbf").unwrap_or(request)).unwrap();
            leave_out_null(&mut value);
            self.holds(&format!("{place} reads"), read, &value);
        }
    }

    /// The operation that serves a request: of several paths that match, the one with the fewest names in it.
    fn operation(&self, method: &str, target: &str) -> Option<(&str, &Value)> {
        let path = target.split('?').next().unwrap_or_default();
        // Alertmanager's API is served with a slash at the end, too.
        let path = if path.contains("/api/v2/") { path.trim_end_matches('/') } else { path };
        let fits = |template: &str| {
            let (parts, given): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
            parts.len() == given.len()
                && parts.iter().zip(&given).all(|(part, given)| part == given || (part.starts_with('{') && !given.is_empty()))
        };
        let paths = self.document["paths"].as_object().unwrap();
        let matching = paths.iter().filter(|(template, operations)| fits(template) && operations.get(method.to_lowercase()).is_some());
        let best = matching.min_by_key(|(template, _)| template.matches('{').count())?;
        Some((best.0.as_str(), &best.1[method.to_lowercase()]))
    }

    fn holds(&self, place: &str, schema: &Value, value: &Value) {
        let mut known = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        let validator = Arc::clone(known.entry(place.to_owned()).or_insert_with(|| {
            let mut root = json!({ "$schema": "https://json-schema.org/draft/2020-12/schema", "components": self.document["components"] });
            root.as_object_mut().unwrap().extend(schema.as_object().cloned().unwrap_or_default());
            // What others defined may hold more than is described here.
            if place.contains(" answers ") && !place.contains("/api/v2/") {
                close(&mut root);
            }
            Arc::new(jsonschema::validator_for(&root).unwrap_or_else(|error| panic!("{place}: {error}")))
        }));
        drop(known);
        let faults: Vec<String> = validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(faults.is_empty(), "{place} something else than is described: {}\n{value:#}", faults.join("\n"));
    }
}

/// What is null in a body is as if it were not given.
fn leave_out_null(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, value| !value.is_null());
            members.values_mut().for_each(leave_out_null);
        }
        Value::Array(items) => items.iter_mut().for_each(leave_out_null),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Lets no object have members that are not described.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.values_mut().for_each(close);
            if members.get("properties").is_some_and(Value::is_object) && !members.contains_key("additionalProperties") {
                members.insert("unevaluatedProperties".to_owned(), json!(false));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
