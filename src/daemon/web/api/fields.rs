//! Bodies of commands: a JSON object whose keys are all known, or nothing.

use std::str::FromStr;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Map, Value};

use crate::ingest::http::read_body;
use crate::ingest::json::{kind, moment, of_serde, text};
use crate::web::App;
use crate::web::error::ApiError;
use crate::web::query::{Query, unknown};
use watchkeeper_engine::time::Time;

/// The fields of a command.
#[derive(Debug, Default)]
pub(in crate::web) struct Fields(Map<String, Value>);

impl Fields {
    /// Reads the body of a request that knows these fields.
    pub(in crate::web) async fn read(app: &App, request: Request<Body>, known: &[&str]) -> Result<Fields, ApiError> {
        let body = read_body(request, app.config.limits.body_bytes, &app.bytes_in_flight).await?;
        let text = text(&body.bytes)?;
        if text.trim().is_empty() {
            return Ok(Fields::default());
        }
        let fields: Map<String, Value> = serde_json::from_str(text).map_err(|error| of_serde(&error, text, "an object"))?;
        match fields.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(unknown("field", name, known)),
            None => Ok(Fields(fields)),
        }
    }

    /// The fields of a form that are known here; others are the form's own.
    pub(in crate::web) fn of_form(form: &Query, known: &[&str]) -> Fields {
        let field = |name: &&str| form.get(name).map(|text| ((*name).to_owned(), Value::String(text.to_owned())));
        Fields(known.iter().filter_map(field).collect())
    }

    /// A text; empty where it is left out.
    pub(in crate::web) fn text(&self, name: &str) -> Result<String, ApiError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(other) => Err(wrong(name, "a text", kind(other))),
        }
    }

    /// A text that must be there.
    pub(in crate::web) fn required(&self, name: &str, what: &str) -> Result<String, ApiError> {
        match self.text(name)? {
            text if text.trim().is_empty() => Err(wrong(name, what, "nothing")),
            text => Ok(text),
        }
    }

    /// A time, if it is given.
    pub(in crate::web) fn time(&self, name: &str) -> Result<Option<Time>, ApiError> {
        let text = self.text(name)?;
        moment(&text).ok_or_else(|| wrong(name, "a time such as 2026-11-24T03:02:00Z", &format!("{text:?}")))
    }

    /// Whether a field is there.
    pub(in crate::web) fn is_given(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| !value.is_null())
    }

    /// A number of things, if it is given.
    pub(in crate::web) fn count(&self, name: &str) -> Result<Option<usize>, ApiError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                let number = value.as_u64().and_then(|number| usize::try_from(number).ok());
                number.map(Some).ok_or_else(|| wrong(name, "a number from 0 on", &value.to_string()))
            }
        }
    }

    /// A list of ids, or one as a text with commas between them.
    pub(in crate::web) fn ids<T: FromStr>(&self, name: &str, what: &str) -> Result<Vec<T>, ApiError> {
        let parse = |text: &str| text.trim().parse().map_err(|_| wrong(name, what, &format!("{text:?}")));
        match self.0.get(name) {
            Some(Value::Array(items)) => {
                items.iter().map(|item| item.as_str().map_or_else(|| Err(wrong(name, what, kind(item))), parse)).collect()
            }
            Some(_) | None => self.required(name, what)?.split(',').map(parse).collect(),
        }
    }

    /// A field that `parse` understands, if it is given.
    pub(in crate::web) fn parsed<T>(&self, name: &str, what: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, ApiError> {
        let text = self.required(name, what)?;
        parse(&text).ok_or_else(|| wrong(name, what, &format!("{text:?}")))
    }
}

fn wrong(name: &str, expected: &str, is: &str) -> ApiError {
    ApiError::bad(format!("{name}: expected {expected}, this is {is}")).with("place", name).with("expected", expected)
}
