//! `/api/v1/openapi.json`: the description of everything that is served, made of the table of endpoints and the types that they read and answer.
//!
//! Knows no endpoint by name. Every answer that a test sees is compared with it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::describe::{Content, Parameter, Takes};
use super::error::ErrorView;
use super::{Access, Endpoint, endpoints};

/// The document.
pub static DOCUMENT: LazyLock<String> = LazyLock::new(|| document(&endpoints()).to_string());

const ABOUT: &str = "Lists are `{\"items\": […], \"next\": cursor or null}`; a part may hold fewer records than `limit` where `next` says that there are more. \
                     Errors are RFC 9457 problem documents. Times are RFC 3339 in UTC. Where no token is configured, requests from this machine need none.";

/// `GET /api/v1/openapi.json`.
pub(super) async fn serve() -> Response {
    let mut response = DOCUMENT.as_str().into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The description of some endpoints.
pub fn document(endpoints: &[Endpoint]) -> Value {
    let mut answers =
        SchemaSettings::draft2020_12().for_serialize().with(|settings| settings.definitions_path = "/components/schemas".into());
    answers.meta_schema = None;
    let mut answers = answers.into_generator();
    // What is read differs from what is written in what may be left out: it is said in place.
    let mut bodies = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true).into_generator();
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for endpoint in endpoints {
        for (path, body) in bodies_of(endpoint, &mut bodies) {
            let described = operation(endpoint, &path, body, &mut answers);
            paths.entry(path).or_default().insert(endpoint.method.as_str().to_ascii_lowercase(), described);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Watchkeeper", "version": "1", "description": ABOUT },
        "security": [{ "bearer": [] }, { "basic": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer" },
                "basic": { "type": "http", "scheme": "basic", "description": "The token is the password; the name is not looked at." },
            },
            "schemas": answers.take_definitions(true),
        },
    })
}

/// The paths of an endpoint with their bodies: one for each command where its last part names one.
fn bodies_of(endpoint: &Endpoint, generator: &mut SchemaGenerator) -> Vec<(String, Option<Value>)> {
    if endpoint.described.commands.is_empty() {
        let foreign = serde_json::from_str(endpoint.described.foreign_body).ok();
        return vec![(
            endpoint.path.clone(),
            foreign.or_else(|| endpoint.described.body.map(|schema| with_texts(schema(generator).to_value()))),
        )];
    }
    let mut bodies: BTreeMap<String, Option<Value>> = BTreeMap::new();
    for commands in &endpoint.described.commands {
        let variants = (commands.schema)(generator).to_value();
        let fields =
            |word: &str| variants["oneOf"].as_array().into_iter().flatten().find_map(|variant| variant["properties"].get(word)).cloned();
        for word in commands.words {
            // A word of several kinds of records is described as the first has it.
            let path = endpoint.path.replace("{command}", word);
            bodies.entry(path).or_insert_with(|| Some(with_texts(fields(word).unwrap_or(json!({})))));
        }
    }
    bodies.into_iter().collect()
}

/// A body whose lists may be texts with commas, as it is read.
fn with_texts(mut body: Value) -> Value {
    for member in body.get_mut("properties").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
        if member["type"] == "array" || member["type"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "array")) {
            *member = json!({ "anyOf": [member.take(), { "type": "string", "description": "The same with commas between." }] });
        }
    }
    body
}

fn operation(endpoint: &Endpoint, path: &str, body: Option<Value>, generator: &mut SchemaGenerator) -> Value {
    let mut operation = json!({
        "operationId": operation_id(endpoint, path),
        "summary": endpoint.described.summary,
        "tags": [tag(path)],
        "parameters": parameters(endpoint, path),
        "responses": responses(endpoint, path, body.is_some(), generator),
    });
    if endpoint.access == Access::Public {
        operation["security"] = json!([]);
    }
    if let Some(schema) = body {
        let kind =
            if path.starts_with("/i/") || path.starts_with("/a/") { "application/x-www-form-urlencoded" } else { "application/json" };
        operation["requestBody"] = json!({ "content": { kind: { "schema": schema } } });
    }
    operation
}

fn operation_id(endpoint: &Endpoint, path: &str) -> String {
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    [endpoint.method.as_str().to_ascii_lowercase().as_str()].into_iter().chain(words).collect::<Vec<_>>().join("_")
}

fn tag(path: &str) -> &'static str {
    match path {
        _ if path.contains("/api/v2/") => "Alertmanager API v2",
        _ if path.starts_with("/hooks/") || path.starts_with("/v2/") => "webhooks",
        _ if path.starts_with("/api/v1/") => "records",
        _ if path.starts_with("/i/") || path.starts_with("/a/") => "pages",
        _ => "machinery",
    }
}

/// Whether answers are kept by `Idempotency-Key` there.
fn is_kept(endpoint: &Endpoint) -> bool {
    endpoint.method == Method::POST && endpoint.path.starts_with("/api/v1/")
}

fn parameters(endpoint: &Endpoint, path: &str) -> Vec<Value> {
    let in_path = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut all: Vec<Value> = in_path
        .map(|name| {
            let about = match name {
                "hook" => "The name of a configured webhook.",
                "token" => "The signed link as it stands in the mail.",
                "command" => "The command.",
                "name" => "The name.",
                _ => "The id.",
            };
            json!({ "name": name, "in": "path", "required": true, "description": about, "schema": { "type": "string" } })
        })
        .collect();
    all.extend(endpoint.described.parameters.iter().map(in_query));
    if !endpoint.described.commands.is_empty() && is_kept(endpoint) {
        let about = "The ETag of the record as it was seen; 412 where it has changed meanwhile.";
        all.push(json!({ "name": "If-Match", "in": "header", "description": about, "schema": { "type": "string" } }));
    }
    if is_kept(endpoint) {
        let about = "Up to 200 bytes. The same request with the same key gets the first answer again, for 24 hours.";
        all.push(json!({ "name": "Idempotency-Key", "in": "header", "description": about, "schema": { "type": "string" } }));
    }
    all
}

fn in_query(parameter: &Parameter) -> Value {
    let schema = match parameter.takes {
        Takes::Text => json!({ "type": "string" }),
        Takes::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Takes::Flag => json!({ "type": "boolean" }),
        Takes::Number(max) => json!({ "type": "integer", "minimum": 1, "maximum": max }),
        Takes::Word(words) => json!({ "type": "string", "enum": words }),
        Takes::Words(words) => json!({ "type": "array", "items": { "type": "string", "enum": words } }),
    };
    json!({ "name": parameter.name, "in": "query", "description": parameter.about, "schema": schema })
}

fn responses(endpoint: &Endpoint, path: &str, has_body: bool, generator: &mut SchemaGenerator) -> Value {
    let mut answers: BTreeMap<u16, Vec<Content>> = BTreeMap::new();
    for (status, content) in &endpoint.described.answers {
        answers.entry(*status).or_default().push(*content);
    }
    let refusal = if is_foreign(endpoint) { Content::Foreign } else { Content::Error };
    for status in usual(endpoint, path, has_body) {
        let own = answers.entry(status).or_default();
        // What is refused before the handler is told as everywhere.
        own.push(refusal);
    }
    let described = answers.into_iter().map(|(status, contents)| {
        let mut by_kind = Map::new();
        for content in contents {
            by_kind.extend(content_of(content, generator));
        }
        let about = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Other");
        let mut answer = json!({ "description": about });
        if !by_kind.is_empty() {
            answer["content"] = Value::Object(by_kind);
        }
        (status.to_string(), answer)
    });
    Value::Object(described.collect())
}

/// Whether somebody else defined what is answered there.
fn is_foreign(endpoint: &Endpoint) -> bool {
    matches!(endpoint.access, Access::Sender(_)) || endpoint.path.contains("/api/v2/")
}

/// Statuses with which any endpoint of that kind may refuse.
fn usual(endpoint: &Endpoint, path: &str, has_body: bool) -> Vec<u16> {
    let mut statuses = vec![400, 500, 503];
    if endpoint.access != Access::Public {
        statuses.extend([401, 403]);
    }
    if is_foreign(endpoint) {
        // As those APIs have them.
        statuses.extend([404, 409, 415, 422]);
    }
    if path.contains('{') {
        statuses.push(404);
    }
    if has_body || endpoint.method == Method::POST {
        statuses.extend([408, 413]);
    }
    if is_kept(endpoint) {
        statuses.extend([409, 422]);
    }
    if !endpoint.described.commands.is_empty() {
        statuses.extend([409, 412]);
    }
    statuses
}

fn content_of(content: Content, generator: &mut SchemaGenerator) -> Vec<(String, Value)> {
    let of = |kind: &str, schema: Value| (kind.to_owned(), json!({ "schema": schema }));
    let text = || json!({ "type": "string" });
    match content {
        Content::Json(schema) => vec![of("application/json", schema(generator).to_value())],
        Content::Error => vec![of("application/problem+json", generator.subschema_for::<ErrorView>().to_value())],
        Content::Foreign => {
            vec![of("application/json", json!({})), of("application/problem+json", generator.subschema_for::<ErrorView>().to_value())]
        }
        Content::Html => vec![of("text/html", text())],
        Content::Text => vec![of("text/plain", text())],
        Content::Bytes => vec![of("application/octet-stream", json!({}))],
        Content::Stream => vec![of("text/event-stream", text())],
        Content::Nothing => Vec::new(),
    }
}
