//! What every rule has: a name of its own, `matchers` and `when`, `disabled` and `note`; and how expressions in YAML are compiled with their places.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{Condition, Path, TextTemplate};
use crate::expr::{Expr, Fault, Matcher, Section};
use crate::limits;
use crate::source::{Compared, Diagnostic, Key, Keys, Kind, Node, OneOrMany, Reading, Spanned, Style, Takes, nearest};

/// `name`.
pub(super) const NAME: Key = Key::must("name", Takes::Text, "unique in its section; what mails, reasons, metrics and tests show.");
/// `note`.
pub(super) const NOTE: Key = Key::may("note", Takes::Text, "a word to whoever reads the rule.");
/// `disabled`.
pub(super) const DISABLED: Key = Key::may("disabled", Takes::Flag, "`true`: the rule is checked and does nothing. Default false.");
/// `matchers`.
pub(super) const MATCHERS: Key = Key::may(
    "matchers",
    Takes::List(&Takes::Text),
    "Alertmanager's matchers over the alert's labels, such as `site=~\"ber.*\"`; all must hold.",
);
/// `when`.
pub(super) const WHEN: Key =
    Key::may("when", Takes::OneOrList(&Takes::Expression), "a condition in CEL, or a list of which all must hold. Default: always.");

/// What all rules of one file add to their conditions.
#[derive(Debug, Default)]
pub(super) struct Scope<'a> {
    /// Its `when` texts.
    pub(super) when: Vec<&'a Node>,
}

/// The names a section has given so far, with where.
#[derive(Debug, Default)]
pub(super) struct Names {
    given: BTreeMap<String, String>,
}

impl Names {
    /// Names that built-in rules have.
    pub(super) fn reserved(names: &[&str]) -> Names {
        Names { given: names.iter().map(|name| ((*name).to_owned(), String::new())).collect() }
    }

    /// The name of a rule. `None`: it has none, or another rule of the section has it, and that was reported.
    pub(super) fn take(&mut self, keys: &Keys<'_, '_>, section: &str) -> Option<String> {
        let name: Spanned<String> = keys.get("name")?;
        let reading = keys.reading();
        if let Some(fault) = unfit_name(&name.value) {
            reading.report(Diagnostic::error(reading.file(), &name.span, fault).help("write a short name, such as `switch-down`"));
            return None;
        }
        let here = reading.named_place(name.span.start);
        let other = match self.given.insert(name.value.clone(), here) {
            None => return Some(name.value),
            Some(other) => other,
        };
        let (message, help) = if other.is_empty() {
            (format!("`{}` is the name of a built-in rule of `{section}`", name.value), "choose another".to_owned())
        } else {
            (format!("the name `{}` is given twice in `{section}`", name.value), format!("the other is at {other}; choose another"))
        };
        self.given.insert(name.value, other);
        reading.report(Diagnostic::error(reading.file(), &name.span, message).label("names are unique in their section").help(help));
        None
    }
}

fn unfit_name(name: &str) -> Option<String> {
    // Names stand in subjects, headers and metric labels.
    const NAME_CHARS_MAX: usize = 100;
    if name.trim().is_empty() || name.chars().count() > NAME_CHARS_MAX {
        return Some(format!("a name has 1 to {NAME_CHARS_MAX} characters"));
    }
    name.chars().any(char::is_control).then(|| "a name is one line without control characters".to_owned())
}

/// Whether a rule is switched off; its `note` is checked to be a text.
pub(super) fn is_disabled(keys: &Keys<'_, '_>) -> bool {
    keys.get::<&str>("note");
    keys.get("disabled").unwrap_or(false)
}

/// The condition of a rule in `section`, with its file's scope. Faults are reported, and what is sound stays.
pub(super) fn condition<'a>(keys: &Keys<'a, '_>, section: Section, scope: &Scope<'a>) -> Condition {
    let reading = keys.reading();
    for key in ["matchers", "when"] {
        if let Some(node) = keys.node(key).filter(|node| node.is_null()) {
            let message = format!("`{key}` has no value: nothing would be asked, and the rule hold always");
            let error = Diagnostic::error(reading.file(), &reading.first_line(node), message);
            reading.report(error.help(format!("write what must hold; if it shall hold always, leave `{key}` out")));
        }
    }
    let (given, when) = (keys.get::<Vec<&Node>>("matchers"), keys.get::<OneOrMany<&Node>>("when"));
    let is_list = keys.node("matchers").is_none_or(|node| matches!(node.kind, Kind::Seq(_)));
    let is_read = is_list && keys.node("when").is_none_or(|node| !node.is_null());
    let (given, when) = (given.unwrap_or_default(), when.map(|when| when.0).unwrap_or_default());
    let parts = given.len() + scope.when.len() + when.len();
    let matchers = given.into_iter().filter_map(|node| {
        let text: &str = reading.read(node)?;
        let matcher = compiled(reading, node, "this matcher", Matcher::parse(text).map_err(|fault| vec![fault]))?;
        compares(reading, node, matcher.compared(text));
        Some(matcher)
    });
    let matchers: Vec<Matcher> = matchers.collect();
    let exprs = scope.when.iter().copied().chain(when).filter_map(|node| {
        let text = expression_text(reading, node)?;
        let expr = compiled(reading, node, "this condition", Expr::compile(section, text))?;
        warn_of_cost(reading, node, &expr);
        compares(reading, node, expr.compared());
        Some(expr)
    });
    let name = keys.get::<&str>("name").unwrap_or_default();
    let exprs: Vec<Expr> = exprs.collect();
    let is_whole = is_read && parts == matchers.len() + exprs.len();
    let condition = Condition::new(matchers, exprs).of(section.key, name);
    if is_whole { condition } else { condition.cut() }
}

/// Keeps what the text of `node` compares with, by its place in the file.
fn compares(reading: &Reading<'_>, node: &Node, found: Vec<Compared>) {
    let placed = |compared: Compared| Compared { span: node.part(reading.file(), &compared.span), ..compared };
    reading.compares(found.into_iter().map(placed));
}

/// A condition that looks at many elements for each alert, by its text alone.
fn warn_of_cost(reading: &Reading<'_>, node: &Node, expr: &Expr) {
    let elements = expr.elements();
    if elements > limits::ELEMENTS_WARNED {
        let message = format!("this condition may look at {elements} elements for each alert");
        let warning = Diagnostic::warning(reading.file(), &reading.first_line(node), message);
        let max = limits::BATCH_ELEMENTS_MAX;
        let help = format!(
            "all conditions together look at {max} for a batch of alerts, and then do not match; ask with `in [...]`, which looks nothing through"
        );
        reading.report(warning.help(help));
    }
}

/// A text-valued expression, such as `from`.
pub(super) fn text_expression(keys: &Keys<'_, '_>, key: &'static str, section: Section) -> Option<Expr> {
    let node = keys.node(key)?;
    let text = expression_text(keys.reading(), node)?;
    let expr = compiled(keys.reading(), node, &format!("`{key}`"), Expr::compile_text(section, text))?;
    compares(keys.reading(), node, expr.compared());
    Some(expr)
}

/// The text of an expression; one that YAML took for a list or a mapping gets its own message.
pub(super) fn expression_text<'a>(reading: &Reading<'a>, node: &'a Node) -> Option<&'a str> {
    let begins = match &node.kind {
        Kind::Seq(_) => '[',
        Kind::Map(_) => '{',
        Kind::Scalar(_) | Kind::Faulty => return reading.read(node),
    };
    let message = format!("expected an expression, found {}", node.describe());
    let error = Diagnostic::error(reading.file(), &reading.first_line(node), message);
    reading.report(
        error.help(format!("an expression that begins with `{begins}` or holds `: ` needs quotes, or a line of its own after `|`")),
    );
    None
}

/// A text with `{{path}}`.
pub(super) fn template(keys: &Keys<'_, '_>, key: &'static str, section: Section) -> Option<TextTemplate> {
    let node = keys.node(key)?;
    let text: &str = keys.reading().read(node)?;
    let template = compiled(keys.reading(), node, &format!("`{key}`"), TextTemplate::compile(section, text))?;
    compares(keys.reading(), node, template.compared());
    Some(template)
}

/// A path.
pub(super) fn path(reading: &Reading<'_>, node: &Node, text: &str, section: Section) -> Option<Path> {
    let result = Path::compile(section, text).map_err(|fault| {
        // Who comes from Alertmanager writes the names of labels here.
        let is_bare = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let help = match nearest(text, ["ci", "rule", "service"]) {
            Some(word) => Some(format!("did you mean `{word}`?")),
            None if is_bare => Some(format!("a label is written `alert.labels.{text}`")),
            None => fault.help.clone(),
        };
        vec![Fault { help, ..fault }]
    });
    let path = compiled(reading, node, "this path", result)?;
    compares(reading, node, path.compared());
    Some(path)
}

/// What was compiled of the text of `node`; faults get their place in the file, and what YAML cut off is said first.
pub(super) fn compiled<T>(reading: &Reading<'_>, node: &Node, what: &str, result: Result<T, Vec<Fault>>) -> Option<T> {
    let cut = cut_by_yaml(reading, node);
    match (result, cut) {
        (Ok(value), Some(cut)) if !cut.is_inside_quotes && cut.is_comment && !cut.is_plainly_comment => {
            let message = format!("YAML ends {what} at ` #`, which begins a comment");
            let warning = Diagnostic::warning(reading.file(), &cut.span, message).label("not a part of it");
            reading.report(
                warning.help("leave a blank behind `#` where it is a comment; put the whole value in quotes or after `|` where it is not"),
            );
            Some(value)
        }
        (Ok(value), _) => Some(value),
        (Err(_), Some(cut)) if cut.is_inside_quotes => {
            let message = match reading.file().text[cut.span.clone()].chars().next() {
                Some('#') => format!("YAML ends {what} at ` #`, which begins a comment"),
                Some(mark) => format!("YAML ends {what} at `{mark}`, because it stands in `{{…}}` or `[…]`"),
                None => return None,
            };
            let error = Diagnostic::error(reading.file(), &cut.span, message).label("cut off from here");
            reading.report(error.help("put the whole value in quotes, or on a line of its own after `|`"));
            None
        }
        (Err(faults), _) => {
            for fault in faults {
                let span = node.part(reading.file(), &fault.span);
                let error = Diagnostic::error(reading.file(), &span, fault.message).label(fault.label);
                reading.report(Diagnostic { help: fault.help, ..error });
            }
            None
        }
    }
}

/// What YAML left out behind a value without quotes.
struct Cut {
    /// From the `#` or the comma to the end of the line.
    span: Range<usize>,
    is_comment: bool,
    /// Whether a quote of the expression is open there and closed behind: then it was certainly not meant.
    is_inside_quotes: bool,
    /// `# text`, as people write comments.
    is_plainly_comment: bool,
}

fn cut_by_yaml(reading: &Reading<'_>, node: &Node) -> Option<Cut> {
    let Kind::Scalar(scalar) = &node.kind else { return None };
    if scalar.style != Style::Plain {
        return None;
    }
    let text = &reading.file().text;
    let rest = &text[node.span.end..];
    let line = &rest[..rest.find(['\n', '\r']).unwrap_or(rest.len())];
    let blanks = line.len() - line.trim_start_matches([' ', '\t']).len();
    let after = line[blanks..].trim_end();
    let is_comment = after.starts_with('#') && blanks > 0;
    if !is_comment && !after.starts_with([',', ']', '}']) {
        return None;
    }
    let start = node.span.end + blanks;
    let is_plainly_comment = after.starts_with("# ") || after == "#";
    Some(Cut {
        span: start..start + after.len(),
        is_comment,
        is_inside_quotes: open_quote(&scalar.text).is_some_and(|quote| after.contains(quote)),
        is_plainly_comment,
    })
}

/// The quote that is open at the end of an expression.
fn open_quote(text: &str) -> Option<char> {
    let mut open = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (open, c) {
            (Some(_), '\\') => {
                chars.next();
            }
            (Some(quote), c) if c == quote => open = None,
            (None, '"' | '\'') => open = Some(c),
            (Some(_) | None, _) => {}
        }
    }
    open
}
