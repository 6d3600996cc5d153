//! Bodies of requests as the types that describe them: a JSON object or a form, whose faults are told with their place, what was expected and the nearest name.

use axum::body::Body as HttpBody;
use axum::http::Request;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::{Path, Segment};

use watchkeeper_engine::input::Refused;

use crate::ingest::http::read_body;
use crate::ingest::json::{kind, of_serde, refused, text};
use crate::web::App;
use crate::web::error::ApiError;
use crate::web::query::{Query, unknown};

/// The members of a request's body that are given; what is null is not.
#[derive(Debug, Default)]
pub(in crate::web) struct Body(Map<String, Value>);

impl Body {
    /// Reads a JSON object; an empty body is one without members.
    pub(in crate::web) async fn read(app: &App, request: Request<HttpBody>) -> Result<Body, ApiError> {
        let body = read_body(request, app.config.limits.body_bytes, &app.bytes_in_flight).await?;
        let text = text(&body.bytes)?;
        if text.trim().is_empty() {
            return Ok(Body::default());
        }
        let mut members: Map<String, Value> = serde_json::from_str(text).map_err(|error| of_serde(&error, text, "an object"))?;
        members.retain(|_, value| !value.is_null());
        Ok(Body(members))
    }

    /// The fields of a form that a command takes; others are the form's own.
    pub(in crate::web) fn of_form<C: JsonSchema>(form: &Query, word: &str) -> Body {
        let shape = shape::<C>(Some(word));
        let field = |name: &str| form.get(name).map(|text| (name.to_owned(), Value::String(text.to_owned())));
        Body(names(&shape).into_iter().filter_map(field).collect())
    }

    /// Takes the members that have these names out of it.
    pub(in crate::web) fn split(&mut self, names: &[&str]) -> Body {
        Body(names.iter().filter_map(|name| self.0.remove_entry(*name)).collect())
    }

    /// The body as a value of `T`.
    ///
    /// # Errors
    /// 400: a member is unknown, missing or wrong.
    pub(in crate::web) fn typed<T: DeserializeOwned + JsonSchema>(mut self) -> Result<T, ApiError> {
        self.checked(&shape::<T>(None), &[])?;
        read(Value::Object(self.0))
    }

    /// The body as the fields of the command that `word` names, which is one of `C`. Names in `beside` were taken out before; they are known where one is misspelt.
    ///
    /// # Errors
    /// 400: a field is unknown, missing or wrong.
    pub(in crate::web) fn command<C: DeserializeOwned + JsonSchema>(mut self, word: &str, beside: &[&str]) -> Result<C, ApiError> {
        self.checked(&shape::<C>(Some(word)), beside)?;
        read(Value::Object(Map::from_iter([(word.to_owned(), Value::Object(self.0))])))
    }

    /// Names first: they are told with the nearest one that is known, and what is missing with what it is. A list may be a text with commas, as forms have it.
    fn checked(&mut self, shape: &Value, beside: &[&str]) -> Result<(), ApiError> {
        let mut known = names(shape);
        known.extend(beside);
        if let Some(name) = self.0.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(unknown("field", name, &known));
        }
        let required = shape["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        if let Some(missing) = required.into_iter().find(|name| !self.0.contains_key(*name)) {
            let expected = format!("{}, this is nothing", described(&shape["properties"][missing]));
            return Err(refused(missing, expected).into());
        }
        for (name, value) in &mut self.0 {
            let kind = &shape["properties"][name]["type"];
            let is_list = kind == "array" || kind.as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "array"));
            if let (true, Value::String(text)) = (is_list, &*value) {
                *value = text.split(',').map(|part| Value::String(part.trim().to_owned())).collect();
            }
        }
        Ok(())
    }
}

/// What a schema says of the members of an object, or of the fields of one of its commands.
fn shape<T: JsonSchema>(word: Option<&str>) -> Value {
    let settings = SchemaSettings::default().with(|settings| settings.inline_subschemas = true);
    let whole = settings.into_generator().into_root_schema_for::<T>().to_value();
    let Some(word) = word else { return whole };
    let variants = whole["oneOf"].as_array().into_iter().flatten();
    variants.map(|variant| &variant["properties"][word]).find(|fields| !fields.is_null()).cloned().unwrap_or_default()
}

fn names(shape: &Value) -> Vec<&str> {
    shape["properties"].as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect()
}

/// What a member must be, after "expected".
fn described(schema: &Value) -> String {
    if let Some(words) = schema["enum"].as_array() {
        return format!("one of {}", words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "));
    }
    let sentence = schema["description"].as_str().unwrap_or("a value").trim_end_matches('.');
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T, ApiError> {
    serde_path_to_error::deserialize(&value).map_err(|error| told(&value, error.path(), &error.inner().to_string()).into())
}

/// A fault of serde as ours are told: `to: expected a text, this is a number`.
fn told(whole: &Value, path: &Path, fault: &str) -> Refused {
    let (mut place, mut at) = (String::new(), Some(whole));
    for segment in path {
        match segment {
            Segment::Seq { index } => {
                place.push_str(&format!("[{index}]"));
                at = at.and_then(|value| value.get(*index));
            }
            Segment::Map { key } => {
                place.push_str(if place.is_empty() { "" } else { "." });
                place.push_str(key);
                at = at.and_then(|value| value.get(key));
            }
            Segment::Enum { variant } => at = at.and_then(|value| value.get(variant)),
            Segment::Unknown => {}
        }
    }
    let place = if place.is_empty() { "body".to_owned() } else { place };
    let Some((wrong, expected)) = fault.split_once(", expected ") else {
        // A text that says all of it, such as why it is no duration.
        return refused(&place, fault);
    };
    let expected = match expected {
        "a string" | "a borrowed string" => "a text",
        "a sequence" => "a list",
        "a boolean" => "true or false",
        "u32" | "u64" | "usize" => "a number from 0 on",
        other => other,
    };
    let is = match at {
        Some(Value::String(text)) if wrong.starts_with("invalid value") => format!("{text:?}"),
        Some(value) => kind(value).to_owned(),
        None => wrong.to_owned(),
    };
    refused(&place, format!("{expected}, this is {is}"))
}
