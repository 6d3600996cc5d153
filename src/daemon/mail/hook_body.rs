//! What a hook gets: JSON of the template that its `[[out]]` names, or the daemon's own, which `templates/README.md` documents.
//!
//! No link in it acts: a channel has many readers, and nobody would know who pressed.

use serde_json::{Value, json};
use watchkeeper_engine::model::message::Message;
use watchkeeper_engine::time::Time;

use super::layout;
use super::mime::Parts;
use super::templates::Templates;
use super::view;
use super::{MailSettings, Rendered};
use crate::config::Out;

/// What a template may be told of the hook.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HookText {
    /// The template; `None`: the daemon's own JSON.
    pub template: Option<String>,
    /// `out.topic`.
    pub topic: String,
}

impl HookText {
    /// What daemon.toml says of a hook, under its name.
    pub fn of(out: &Out) -> (String, HookText) {
        let template = out.template.as_ref().map(|template| template.value.clone());
        (out.name.clone(), HookText { template, topic: out.topic.clone() })
    }
}

/// The body for the hook `name`, from the parts that a mail would have.
pub(super) fn body(
    message: &Message,
    name: &str,
    parts: &Parts,
    because: String,
    templates: &Templates,
    settings: &MailSettings,
) -> Rendered {
    let hook = settings.hook(name);
    let Some(template) = &hook.template else { return Rendered { bytes: own(message, name, parts, settings), fallback: because } };
    let mut view = view::view(message, settings);
    if let Value::Object(names) = &mut view {
        names.insert("subject".to_owned(), view::text(&parts.subject).into());
        names.insert("headline".to_owned(), headline(&parts.text).into());
        names.insert("text".to_owned(), parts.text.trim_end().into());
        names.insert("out".to_owned(), json!({"name": name, "topic": hook.topic}));
    }
    let rendered = templates.json(template, &view);
    let read =
        rendered.and_then(|text| serde_json::from_str::<Value>(&text).map_err(|error| format!("what it writes is no JSON: {error}")));
    match read {
        Ok(body) => Rendered { bytes: body.to_string().into_bytes(), fallback: because },
        Err(why) => Rendered { bytes: own(message, name, parts, settings), fallback: view::text(&format!("template `{template}`: {why}")) },
    }
}

/// The daemon's own JSON.
fn own(message: &Message, name: &str, parts: &Parts, settings: &MailSettings) -> Vec<u8> {
    let said = &message.said();
    let time = |at: Time| if at == Time::default() { Value::Null } else { at.rfc3339().into() };
    let text = |text: &str| if text.is_empty() { Value::Null } else { view::text(text).into() };
    let services: Vec<Value> =
        said.hurts.iter().map(|hurt| json!({"id": hurt.id, "tier": text(&hurt.tier), "health": hurt.health})).collect();
    let body = json!({
        "version": 1,
        "message": message.id.to_string(),
        "hook": name,
        "reason": message.reason.word(),
        "planned_at": time(message.planned_at),
        "incident": message.incident.map(|id| id.to_string()),
        "problem": message.problem.map(|id| id.to_string()),
        "url": view::page(settings, view::about(said)),
        "subject": parts.subject,
        "headline": headline(&parts.text),
        "text": parts.text.trim_end(),
        "title": text(&said.title),
        "priority": text(&said.priority),
        "state": text(&said.state),
        "ci": text(&said.item.id),
        "team": text(&said.team),
        "assignee": text(&said.holder),
        "services": services,
        "since": time(said.since),
        "until": time(said.until),
        "alerts": said.alerts,
        "cleared": said.cleared,
        "rule": text(&said.rule),
        "notify": text(&message.notify_rule),
    });
    body.to_string().into_bytes()
}

/// The first paragraph of the text part: the verdict and what it is about.
fn headline(text: &str) -> String {
    layout::words(text.split("\n\n").next().unwrap_or_default())
}
