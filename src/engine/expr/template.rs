//! Paths such as `ci.labels.site`, and the short texts of rules that know `{{path}}` and nothing else.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use super::check::lower;
use super::eval::{Ir, Op};
use super::names::Field;
use super::parse::{Kind, parse};
use super::types::Type;
use super::{Fault, Section, View};
use crate::text::one_line;

/// A dotted path to one value; `ci` alone is its id, `alert` its name.
#[derive(Debug)]
pub struct Path {
    text: String,
    ir: Ir,
}

impl Path {
    /// The path of a text.
    ///
    /// # Errors
    /// An unknown name, or something that is no path.
    pub fn compile(section: Section, text: &str) -> Result<Path, Fault> {
        let blanks = text.len() - text.trim_start().len();
        let tree = parse(text)?;
        let ir = match &tree.kind {
            Kind::Name(root) if section.sees.contains(&root.as_str()) && Field::of_root(root).is_some_and(|field| field.path != root) => {
                Field::of_root(root).map(|field| Ir { span: tree.span.clone(), op: Op::Field(field) })
            }
            Kind::Name(_) | Kind::Member { .. } | Kind::Index { .. } => {
                let (ir, ty) = lower(section, text, &tree)
                    .map_err(|faults| faults.into_iter().next().unwrap_or_else(|| Fault::at(0..text.len(), "no path", "")))?;
                if ty == Type::Labels {
                    let fault = Fault::at(tree.span, "a set of labels is no single value", "name one of them");
                    return Err(fault.help(format!("write `{}.site`", text.trim())));
                }
                matches!(ir.op, Op::Field(_) | Op::Label { .. }).then_some(ir)
            }
            _ => None,
        };
        match ir {
            Some(ir) => Ok(Path { text: text.trim().to_owned(), ir }),
            None => Err(Fault::at(blanks..text.trim_end().len(), "no path", "expected names with dots, such as `ci.labels.site`")),
        }
    }

    /// Its value as a text; what is missing is empty.
    pub fn text<'a>(&'a self, view: &View<'a>) -> Cow<'a, str> {
        self.ir.value(view).map_or(Cow::Borrowed(""), super::value::Val::into_text)
    }

    pub(super) fn ir(&self) -> &Ir {
        &self.ir
    }
}

/// As it was written.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A text with `{{path}}` in it.
#[derive(Debug)]
pub struct TextTemplate {
    source: String,
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Literal(Range<usize>),
    /// A path, and where the text of it begins.
    Path(usize, Path),
}

impl TextTemplate {
    /// The template of a text.
    ///
    /// # Errors
    /// Every fault of it.
    pub fn compile(section: Section, text: &str) -> Result<TextTemplate, Vec<Fault>> {
        let mut parts = Vec::new();
        let mut faults = Vec::new();
        let mut at = 0;
        while let Some(open) = text[at..].find("{{").map(|found| at + found) {
            if open > at {
                parts.push(Part::Literal(at..open));
            }
            let Some(close) = text[open..].find("}}").map(|found| open + found) else {
                faults.push(Fault::at(open..text.len(), "`{{` without its `}}`", "expected `}}`"));
                at = text.len();
                break;
            };
            let inside = open + 2..close;
            at = close + 2;
            match path(section, &text[inside.clone()]) {
                Ok(path) => parts.push(Part::Path(inside.start, path)),
                Err(fault) => faults.push(Fault { span: fault.span.start + inside.start..fault.span.end + inside.start, ..fault }),
            }
        }
        if at < text.len() {
            parts.push(Part::Literal(at..text.len()));
        }
        if faults.is_empty() { Ok(TextTemplate { source: text.to_owned(), parts }) } else { Err(faults) }
    }

    /// The text over a view, on one line and without controls: values come from senders.
    pub fn render(&self, view: &View<'_>) -> String {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(span) => out.push_str(&self.source[span.clone()]),
                Part::Path(_, path) => out.push_str(&path.text(view)),
            }
        }
        one_line(&out)
    }

    /// Its paths, each with where it begins in the text.
    pub(super) fn paths(&self) -> impl Iterator<Item = (usize, &Path)> {
        self.parts.iter().filter_map(|part| if let Part::Path(at, path) = part { Some((*at, path)) } else { None })
    }

    /// The template as it was written.
    pub fn source(&self) -> &str {
        &self.source
    }
}

fn path(section: Section, inside: &str) -> Result<Path, Fault> {
    let written = inside.trim();
    if written.is_empty() {
        return Err(Fault::at(0..inside.len(), "`{{}}` without a path", "expected one such as `ci.id`"));
    }
    if written.starts_with(['#', '/', '{', '&', '>', '^', '!', '~']) || written == "else" || written.contains(' ') {
        let fault =
            Fault::at(0..inside.len(), format!("`{}` is no path", one_line(written)), "texts in rules know `{{path}}` and nothing else");
        return Err(fault.help("blocks and helpers belong into the templates of mails"));
    }
    Path::compile(section, inside)
}
