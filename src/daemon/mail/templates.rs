//! The set of templates in force: ours, which are part of the program, under those of the operator's folder.

use std::collections::BTreeMap;

use handlebars::{Handlebars, no_escape};
use serde_json::Value;
use watchkeeper_engine::source::{self, Diagnostic, SourceFile};

use super::check::{self, Parsed};
use super::helpers::{self, Bounded, Format};
use super::syntax;

/// Where the shipped templates are said to lie, so that a fault in one is told from a fault in the operator's.
const SHIPPED: &str = "(shipped)/";

// The templates that are part of the program, `FILES`: every `.hbs` of `templates/`, listed by `build.rs`.
include!(concat!(env!("OUT_DIR"), "/templates.rs"));

/// The shipped templates as files.
pub fn shipped() -> Vec<SourceFile> {
    FILES.iter().map(|(path, text)| SourceFile::new(*path, *text)).collect()
}

/// A set of templates that was checked whole. Swapped whole, behind an `Arc`.
#[derive(Debug)]
pub struct Templates {
    text: Handlebars<'static>,
    html: Handlebars<'static>,
    json: Handlebars<'static>,
    names: Vec<String>,
}

impl Templates {
    /// The shipped set alone.
    pub fn ours() -> Templates {
        Templates::load(&shipped(), &[]).expect("the shipped templates pass the check, which a test holds")
    }

    /// The shipped set with the operator's files over it: a file replaces the shipped one of its name.
    ///
    /// # Errors
    /// Every fault of every file, by file and place.
    pub fn load(shipped: &[SourceFile], operator: &[SourceFile]) -> Result<Templates, Vec<Diagnostic>> {
        let mut found = Vec::new();
        let mut files: BTreeMap<String, Parsed> = BTreeMap::new();
        let ours = shipped.iter().map(|file| (file.path.clone(), SourceFile::new(format!("{SHIPPED}{}", file.path), file.text.as_str())));
        let theirs = operator.iter().map(|file| (file.path.clone(), file.clone()));
        for (path, file) in ours.chain(theirs) {
            let Some(name) = path.strip_suffix(".hbs") else { continue };
            if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')) {
                found.push(
                    Diagnostic::error(&file, &(0..0), format!("template of the name `{name}`"))
                        .label("names are of a-z, A-Z, 0-9, `.`, `_` and `-`, directly in the folder"),
                );
                continue;
            }
            match syntax::parse(&file) {
                Ok(template) => {
                    files.insert(name.to_owned(), Parsed { file, template });
                }
                Err(fault) => {
                    files.remove(name);
                    found.push(fault);
                }
            }
        }
        let broken: Vec<String> = found.iter().map(|fault: &Diagnostic| fault.path.clone()).collect();
        found.extend(check::check(&files).into_iter().filter(|fault| !names_a_broken_one(fault, &broken)));
        found.extend(halves(&files, &broken));
        if found.is_empty() {
            return Ok(Templates::of(files));
        }
        source::sort(&mut found);
        Err(found)
    }

    /// Whether a rule's `template:` of this name is there.
    pub fn has(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }

    /// Renders one part; `None` where the set has no such template.
    pub(super) fn part(&self, name: &str, part: Part, view: &Value) -> Option<Result<String, String>> {
        let (registry, name) = match part {
            Part::Subject => (&self.text, format!("{name}.subject")),
            Part::Text => (&self.text, format!("{name}.text")),
            Part::Html => (&self.html, format!("{name}.html")),
        };
        registry.has_template(&name).then(|| {
            let mut out = Bounded::default();
            registry.render_to_write(&name, view, &mut out).map(|()| out.text).map_err(|error| error.to_string())
        })
    }

    /// What the template of a hook writes.
    pub(super) fn json(&self, name: &str, view: &Value) -> Result<String, String> {
        let mut out = Bounded::default();
        let rendered = self.json.render_to_write(&format!("{name}.json"), view, &mut out);
        rendered.map(|()| out.text).map_err(|error| error.to_string())
    }

    fn of(files: BTreeMap<String, Parsed>) -> Templates {
        let mut text = registry(Format::Text);
        let mut html = registry(Format::Html);
        let mut json = registry(Format::Json);
        let mut names = Vec::new();
        for (name, parsed) in files {
            let base = name.strip_suffix(".text");
            names.extend(base.map(str::to_owned));
            if name.ends_with(".json") {
                json.register_template(&name, parsed.template);
                continue;
            }
            if !name.ends_with(".html") {
                text.register_template(&name, parsed.template.clone());
            }
            if base.is_none() && !name.ends_with(".subject") {
                html.register_template(&name, parsed.template);
            }
        }
        Templates { text, html, json, names }
    }
}

/// One part of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The subject, where a template gives one.
    Subject,
    /// The text part.
    Text,
    /// The HTML part.
    Html,
}

fn registry(format: Format) -> Handlebars<'static> {
    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    registry.set_prevent_indent(true);
    match format {
        Format::Text => registry.register_escape_fn(no_escape),
        Format::Json => registry.register_escape_fn(|text| {
            let quoted = Value::from(text).to_string();
            quoted[1..quoted.len() - 1].to_owned()
        }),
        Format::Html => {}
    }
    helpers::register(&mut registry, format);
    registry
}

/// A partial that did not compile is not also reported as unknown.
fn names_a_broken_one(fault: &Diagnostic, broken: &[String]) -> bool {
    fault
        .message
        .strip_prefix("unknown partial `")
        .and_then(|rest| rest.strip_suffix('`'))
        .is_some_and(|name| broken.iter().any(|path| path.rsplit('/').next().and_then(|file| file.strip_suffix(".hbs")) == Some(name)))
}

/// HTML or subject without a text part: every mail has one.
fn halves(files: &BTreeMap<String, Parsed>, broken: &[String]) -> Vec<Diagnostic> {
    files
        .iter()
        .filter_map(|(name, parsed)| {
            let base = name.strip_suffix(".html").or_else(|| name.strip_suffix(".subject"))?;
            (!parsed.file.path.starts_with(SHIPPED)
                && !check::is_included(files, name)
                && !files.contains_key(&format!("{base}.text"))
                && !broken.iter().any(|path| path.ends_with(&format!("{base}.text.hbs"))))
            .then(|| {
                Diagnostic::error(&parsed.file, &(0..0), format!("`{name}.hbs` without `{base}.text.hbs`"))
                    .label("every mail has a text part")
            })
        })
        .collect()
}
