//! What is wrong with a set of templates, found over their syntax trees before one of them renders: a template could otherwise
//! overflow the stack, and rendering says nothing of an unknown name below `if`.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the enums of handlebars' syntax tree are open: what is not known is refused where it matters"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use handlebars::template::{DecoratorTemplate, HelperTemplate, Parameter, TemplateElement};
use handlebars::{Path, Template};
use serde_json::Value;
use watchkeeper_engine::source::{Diagnostic, SourceFile, nearest};

use super::syntax::{DEPTH_MAX, offset, tag, within};
use super::variables::{Form, HELPERS, Kind, ROOT, Takes, Variable, helper_named};

/// How deep `each` may stand in one another; a third would let short lists write for minutes.
pub(super) const EACH_DEPTH_MAX: usize = 2;

/// One file of a set, compiled.
pub(super) struct Parsed {
    /// The file.
    pub(super) file: SourceFile,
    /// Its tree.
    pub(super) template: Template,
}

/// Everything wrong with a set whose files compiled.
pub(super) fn check(files: &BTreeMap<String, Parsed>) -> Vec<Diagnostic> {
    let mut checker = Checker { files, found: Vec::new(), seen: BTreeSet::new() };
    for (name, parsed) in files {
        checker.shape(name, parsed, &parsed.template, (1, 1));
    }
    if !checker.cycles() {
        let included: BTreeSet<String> =
            files.values().flat_map(|parsed| partials(&parsed.template, (1, 1))).map(|(name, _)| name).collect();
        let mut entries: Vec<&String> = files.keys().filter(|name| !included.contains(*name)).collect();
        entries.sort();
        for name in entries {
            checker.names(name, &mut Scope { stack: vec![Frame::Record(ROOT)], blocks: 0, eaches: 0, in_rows: false });
        }
    }
    checker.found
}

/// Whether another file of the set includes this one.
pub(super) fn is_included(files: &BTreeMap<String, Parsed>, name: &str) -> bool {
    files.values().any(|parsed| partials(&parsed.template, (1, 1)).iter().any(|(included, _)| included == name))
}

/// The format that a template's name fixes.
fn ending(name: &str) -> Option<&'static str> {
    ["text", "html", "subject", "json"].into_iter().find(|end| name.rsplit_once('.').is_some_and(|(_, last)| last == *end))
}

struct Checker<'a> {
    files: &'a BTreeMap<String, Parsed>,
    found: Vec<Diagnostic>,
    seen: BTreeSet<String>,
}

/// What names stand for at one place.
#[derive(Clone, PartialEq, Eq)]
enum Frame {
    /// A record's names.
    Record(&'static [Variable]),
    /// One text of a list.
    Word,
}

struct Scope {
    stack: Vec<Frame>,
    blocks: usize,
    eaches: usize,
    in_rows: bool,
}

impl Checker<'_> {
    /// What the tree of one file may not hold, whatever it is included by.
    fn shape(&mut self, name: &str, parsed: &Parsed, template: &Template, above: At) {
        let file = &parsed.file;
        for (element, at) in placed(template, above) {
            let place = tag(&file.text, offset(&file.text, at.0, at.1));
            match element {
                TemplateElement::RawString(_) | TemplateElement::Comment(_) | TemplateElement::Expression(_) => {}
                TemplateElement::HtmlExpression(_) => {
                    if !matches!(ending(name), Some("text" | "subject")) {
                        self.found.push(
                            Diagnostic::error(file, &place, "unescaped expression where HTML is written")
                                .label("write it with two braces")
                                .help("what senders write would become part of the page; two braces escape it"),
                        );
                    }
                }
                TemplateElement::HelperBlock(block) => {
                    for inner in [&block.template, &block.inverse].into_iter().flatten() {
                        self.shape(name, parsed, inner, at);
                    }
                }
                TemplateElement::DecoratorExpression(_) | TemplateElement::DecoratorBlock(_) => self.found.push(
                    Diagnostic::error(file, &place, "decorators and inline partials are not taken")
                        .label("put it into a file of its own")
                        .help("a partial is a file: `row.hbs` is included as {{> row}}"),
                ),
                TemplateElement::PartialBlock(_) => self.found.push(
                    Diagnostic::error(file, &place, "partial blocks are not taken")
                        .label("include one partial before and one after")
                        .help("as in {{> head.html}} … {{> foot.html}}"),
                ),
                TemplateElement::PartialExpression(partial) => self.partial(name, file, partial, &place),
                _ => self
                    .found
                    .push(Diagnostic::error(file, &place, "this is not taken").label("a kind of tag that the check does not know")),
            }
        }
    }

    fn partial(&mut self, name: &str, file: &SourceFile, partial: &DecoratorTemplate, place: &Range<usize>) {
        let wanted = match &partial.name {
            Parameter::Name(wanted) => wanted.clone(),
            Parameter::Path(path) => raw(path).to_owned(),
            _ => {
                self.found.push(Diagnostic::error(file, place, "the name of a partial must be written out").label("no expression here"));
                return;
            }
        };
        if !partial.params.is_empty() || !partial.hash.is_empty() {
            self.found.push(
                Diagnostic::error(file, place, "partials take no parameters")
                    .label("a partial sees what its place sees")
                    .help(format!("for another record write {{{{#with item}}}}{{{{> {wanted}}}}}{{{{/with}}}}")),
            );
        }
        let at = within(&file.text, place, &wanted);
        if !self.files.contains_key(&wanted) {
            let fault = Diagnostic::error(file, &at, format!("unknown partial `{wanted}`"));
            self.found.push(hint(fault, &wanted, self.files.keys().map(String::as_str), "a partial is a file of that name and `.hbs`"));
        } else if let (Some(theirs), own) = (ending(&wanted), ending(name))
            && (own.is_none() || (theirs == "html") != (own == Some("html")))
        {
            self.found.push(
                Diagnostic::error(file, &at, format!("`{wanted}` is for one format, `{name}` writes another"))
                    .label("include a partial without `.text` or `.html`"),
            );
        }
    }

    /// Reports partials that include themselves, over however many others; whether there are any.
    fn cycles(&mut self) -> bool {
        let mut clear: BTreeSet<String> = BTreeSet::new();
        let mut any = false;
        for start in self.files.keys() {
            let mut path = Vec::new();
            any |= self.cycle_from(start, &mut path, &mut clear);
        }
        any
    }

    fn cycle_from(&mut self, name: &str, path: &mut Vec<String>, clear: &mut BTreeSet<String>) -> bool {
        if clear.contains(name) {
            return false;
        }
        path.push(name.to_owned());
        let mut any = false;
        let files = self.files;
        if let Some(parsed) = files.get(name) {
            for (next, at) in partials(&parsed.template, (1, 1)) {
                if let Some(begin) = path.iter().position(|earlier| *earlier == next) {
                    let way = path[begin..].iter().map(String::as_str).chain([next.as_str()]).collect::<Vec<_>>().join(" -> ");
                    let place = tag(&parsed.file.text, offset(&parsed.file.text, at.0, at.1));
                    self.found.push(
                        Diagnostic::error(
                            &parsed.file,
                            &within(&parsed.file.text, &place, &next),
                            format!("partials include each other: {way}"),
                        )
                        .label("this closes the circle"),
                    );
                    any = true;
                } else {
                    any |= self.cycle_from(&next, path, clear);
                }
            }
        }
        path.pop();
        clear.insert(name.to_owned());
        any
    }

    /// What the names in a file and in all it includes stand for, from `scope` on.
    fn names(&mut self, name: &str, scope: &mut Scope) {
        let files = self.files;
        let Some(parsed) = files.get(name) else { return };
        let innermost = match scope.stack.last() {
            Some(Frame::Record(names)) => format!("{:p}", names.as_ptr()),
            Some(Frame::Word) | None => "word".to_owned(),
        };
        if self.seen.insert(format!("{name} {innermost} {} {} {} {}", scope.stack.len(), scope.blocks, scope.eaches, scope.in_rows)) {
            self.walk(parsed, &parsed.template, (1, 1), scope);
        }
    }

    fn walk(&mut self, parsed: &Parsed, template: &Template, above: At, scope: &mut Scope) {
        let file = &parsed.file;
        for (element, at) in placed(template, above) {
            let place = tag(&file.text, offset(&file.text, at.0, at.1));
            match element {
                TemplateElement::Expression(it) | TemplateElement::HtmlExpression(it) => self.expression(file, it, &place, scope),
                TemplateElement::HelperBlock(block) => self.block(parsed, block, at, scope),
                TemplateElement::PartialExpression(partial) => {
                    if let Some(next) = partial.name.as_name() {
                        if scope.blocks + 1 > DEPTH_MAX {
                            self.too_deep_here(file, &place);
                        } else {
                            scope.blocks += 1;
                            self.names(next, scope);
                            scope.blocks -= 1;
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn expression(&mut self, file: &SourceFile, it: &HelperTemplate, place: &Range<usize>, scope: &Scope) {
        let name = it.name.as_name().unwrap_or_default();
        if it.params.is_empty() && it.hash.is_empty() && helper_named(name).is_none() {
            match &it.name {
                Parameter::Name(_) | Parameter::Path(_) => {
                    let kind = self.path(file, name, place, scope);
                    let at = within(&file.text, place, name);
                    match kind {
                        None | Some(Kind::Text | Kind::Count) => {}
                        Some(Kind::Instant) => self.bare(file, &at, name, kind, &format!("{{{{clock {name}}}}} or {{{{day {name}}}}}")),
                        Some(Kind::Length) => self.bare(file, &at, name, kind, &format!("{{{{span {name}}}}}")),
                        Some(Kind::Flag) => self.bare(file, &at, name, kind, &format!("{{{{#if {name}}}}}…{{{{/if}}}}")),
                        Some(Kind::Texts) => self.bare(file, &at, name, kind, &format!("{{{{list {name}}}}}")),
                        Some(Kind::One(inner)) => self.bare(file, &at, name, kind, &format!("{{{{{name}.{}}}}}", inner[0].name)),
                        Some(Kind::Many(_)) => self.bare(file, &at, name, kind, &format!("{{{{#each {name}}}}}…{{{{/each}}}}")),
                    }
                }
                _ => {
                    self.kind(file, &it.name, place, scope);
                }
            }
            return;
        }
        match helper_named(name) {
            Some(helper) if helper.form == Form::Block => {
                let at = within(&file.text, place, name);
                self.found.push(Diagnostic::error(file, &at, format!("`{name}` is a block")).label(format!("write {}", helper.example)));
            }
            Some(_) => self.arguments(file, it, place, scope),
            None => self.unknown_helper(file, name, place),
        }
    }

    fn bare(&mut self, file: &SourceFile, at: &Range<usize>, name: &str, kind: Option<Kind>, better: &str) {
        let called = kind.map_or("nothing", Kind::called);
        self.found.push(
            Diagnostic::error(file, at, format!("`{name}` is {called} and cannot be shown as it is")).label(format!("write {better}")),
        );
    }

    fn block(&mut self, parsed: &Parsed, block: &HelperTemplate, at: At, scope: &mut Scope) {
        let file = &parsed.file;
        let place = &tag(&file.text, offset(&file.text, at.0, at.1));
        let name = block.name.as_name().unwrap_or_default();
        match helper_named(name) {
            None => return self.unknown_helper(file, name, place),
            Some(helper) if helper.form != Form::Block => {
                let at = within(&file.text, place, name);
                self.found
                    .push(Diagnostic::error(file, &at, format!("`{name}` is not a block")).label(format!("write {}", helper.example)));
                return;
            }
            Some(_) => self.arguments(file, block, place, scope),
        }
        if block.block_param.is_some() {
            self.found.push(
                Diagnostic::error(file, place, "block parameters (`as |x|`) are not taken")
                    .label("names inside are those of the record; `../name` is one level up"),
            );
        }
        if scope.blocks + 1 > DEPTH_MAX {
            return self.too_deep_here(file, place);
        }
        if name == "row" && !scope.in_rows {
            let at = within(&file.text, place, name);
            self.found.push(Diagnostic::error(file, &at, "`row` stands within `rows`").label("write {{#rows}}…{{/rows}} around all rows"));
        }
        let rows_before = scope.in_rows;
        scope.in_rows |= name == "rows";
        scope.blocks += 1;
        let kind = block.params.first().and_then(|first| self.quiet_kind(first, scope));
        let pushed = match (name, kind) {
            ("each", Some(Kind::Many(inner))) | ("with", Some(Kind::One(inner))) => Some(Frame::Record(inner)),
            ("each", Some(Kind::Texts)) => Some(Frame::Word),
            _ => None,
        };
        if name == "each" {
            scope.eaches += 1;
            if scope.eaches > EACH_DEPTH_MAX {
                self.found.push(
                    Diagnostic::error(file, place, format!("`each` stands {} deep", scope.eaches))
                        .label(format!("at most {EACH_DEPTH_MAX}")),
                );
            }
        }
        if let Some(inner) = &block.template
            && (pushed.is_some() || !matches!(name, "each" | "with"))
            && scope.eaches <= EACH_DEPTH_MAX
        {
            let push = pushed.is_some();
            scope.stack.extend(pushed);
            self.walk(parsed, inner, at, scope);
            if push {
                scope.stack.pop();
            }
        }
        if name == "each" {
            scope.eaches -= 1;
        }
        if let Some(inverse) = &block.inverse {
            self.walk(parsed, inverse, at, scope);
        }
        scope.blocks -= 1;
        scope.in_rows = rows_before;
    }

    fn too_deep_here(&mut self, file: &SourceFile, place: &Range<usize>) {
        self.found.push(
            Diagnostic::error(file, place, "blocks and partials stand too deep in one another")
                .label(format!("at most {DEPTH_MAX} levels, those of partials included")),
        );
    }

    fn unknown_helper(&mut self, file: &SourceFile, name: &str, place: &Range<usize>) {
        let at = within(&file.text, place, name);
        let fault = match name {
            "log" => Diagnostic::error(file, &at, "`log` is not taken").label("templates write mails, nothing else"),
            "lookup" => Diagnostic::error(file, &at, "`lookup` is not taken").label("name what you want: item.id"),
            _ => hint(
                Diagnostic::error(file, &at, format!("unknown helper `{name}`")),
                name,
                HELPERS.iter().map(|helper| helper.name),
                "helpers are listed in templates/README.md",
            ),
        };
        self.found.push(fault);
    }

    fn arguments(&mut self, file: &SourceFile, it: &HelperTemplate, place: &Range<usize>, scope: &Scope) {
        let name = it.name.as_name().unwrap_or_default();
        let Some(helper) = helper_named(name) else { return self.unknown_helper(file, name, place) };
        let most = helper.needs.len() + helper.may.len();
        if it.params.len() < helper.needs.len() || it.params.len() > most {
            let wants = if helper.needs.len() == most { format!("{most}") } else { format!("{} to {most}", helper.needs.len()) };
            self.found.push(
                Diagnostic::error(
                    file,
                    &within(&file.text, place, name),
                    format!("`{name}` takes {wants} values, this has {}", it.params.len()),
                )
                .label(format!("as in {}", helper.example)),
            );
        }
        for (given, takes) in it.params.iter().zip(helper.needs.iter().chain(helper.may)) {
            self.argument(file, name, given, *takes, place, scope);
        }
        let mut keys: Vec<&String> = it.hash.keys().collect();
        keys.sort();
        for key in keys {
            match helper.named.iter().find(|(known, _)| known == key) {
                Some((_, takes)) => self.argument(file, name, &it.hash[key], *takes, place, scope),
                None => self.found.push(hint(
                    Diagnostic::error(file, &within(&file.text, place, key), format!("`{name}` knows no `{key}=`")),
                    key,
                    helper.named.iter().map(|(known, _)| *known),
                    &format!("as in {}", helper.example),
                )),
            }
        }
    }

    fn argument(&mut self, file: &SourceFile, name: &str, given: &Parameter, takes: Takes, place: &Range<usize>, scope: &Scope) {
        let Some(kind) = self.kind(file, given, place, scope) else { return };
        if !takes.takes(kind) {
            let word = given.as_name().unwrap_or_default();
            let at = if word.is_empty() { place.clone() } else { within(&file.text, place, word) };
            self.found.push(
                Diagnostic::error(file, &at, format!("`{name}` wants {} here, this is {}", takes.called(), kind.called()))
                    .label(format!("as in {}", helper_named(name).map_or("", |helper| helper.example))),
            );
        }
    }

    /// What a value is; `None` where that was reported or cannot be known.
    fn kind(&mut self, file: &SourceFile, given: &Parameter, place: &Range<usize>, scope: &Scope) -> Option<Kind> {
        match given {
            Parameter::Name(name) => self.path(file, name, place, scope),
            Parameter::Path(path) => self.path(file, raw(path), place, scope),
            Parameter::Literal(Value::String(_)) => Some(Kind::Text),
            Parameter::Literal(Value::Number(_)) => Some(Kind::Count),
            Parameter::Literal(Value::Bool(_)) => Some(Kind::Flag),
            Parameter::Literal(_) => {
                self.found.push(Diagnostic::error(file, place, "lists, objects and null cannot be written here").label("name a variable"));
                None
            }
            Parameter::Subexpression(inner) => {
                let TemplateElement::Expression(it) = inner.element.as_ref() else { return None };
                let name = it.name.as_name().unwrap_or_default();
                match helper_named(name).map(|helper| (helper, helper.form)) {
                    Some((_, Form::Inline(kind))) => {
                        self.arguments(file, it, place, scope);
                        Some(kind)
                    }
                    Some((helper, Form::Mark | Form::Block)) => {
                        let at = within(&file.text, place, name);
                        self.found.push(
                            Diagnostic::error(file, &at, format!("`{name}` gives no value")).label(format!("write {}", helper.example)),
                        );
                        None
                    }
                    None if it.params.is_empty() && it.hash.is_empty() => self.path(file, name, place, scope),
                    None => {
                        self.unknown_helper(file, name, place);
                        None
                    }
                }
            }
            _ => None,
        }
    }

    /// The kind of a parameter that was reported already.
    fn quiet_kind(&mut self, given: &Parameter, scope: &Scope) -> Option<Kind> {
        let name = given.as_name()?;
        resolve(name, scope).ok()
    }

    fn path(&mut self, file: &SourceFile, name: &str, place: &Range<usize>, scope: &Scope) -> Option<Kind> {
        match resolve(name, scope) {
            Ok(kind) => Some(kind),
            Err(Unknown { word, known }) => {
                let at = within(&file.text, place, name);
                let fault = Diagnostic::error(file, &at, format!("unknown name `{name}`"));
                let at_root = match ROOT.iter().find(|variable| variable.name == word) {
                    Some(_) if scope.stack.len() > 1 => format!("at the top of the mail it is `@root.{word}`"),
                    _ if known.is_empty() => "what stands before the last dot has no parts".to_owned(),
                    _ => format!("known here: {}", known.join(", ")),
                };
                self.found.push(hint(fault, &word, known, &at_root));
                None
            }
        }
    }
}

/// A line and a column, both counted from 1.
type At = (usize, usize);

/// The elements of a tree with their places; the block that an `{{else if}}` makes has none of its own and stands where its parent does.
fn placed(template: &Template, above: At) -> impl Iterator<Item = (&TemplateElement, At)> {
    template.elements.iter().enumerate().map(move |(n, element)| (element, template.mapping.get(n).map_or(above, |at| (at.0, at.1))))
}

struct Unknown {
    word: String,
    known: Vec<&'static str>,
}

/// What a path stands for in a scope.
fn resolve(path: &str, scope: &Scope) -> Result<Kind, Unknown> {
    let mut rest = path.strip_prefix("this.").or_else(|| path.strip_prefix("this/")).or_else(|| path.strip_prefix("./")).unwrap_or(path);
    let mut level = 0;
    let unknown = |word: &str, known: Vec<&'static str>| Unknown { word: word.to_owned(), known };
    if let Some(local) = rest.strip_prefix('@')
        && !local.starts_with("root")
    {
        let local = local.trim_start_matches("../");
        return match local {
            "index" if scope.eaches > 0 => Ok(Kind::Count),
            "first" | "last" if scope.eaches > 0 => Ok(Kind::Flag),
            _ => Err(unknown(local, if scope.eaches > 0 { vec!["@index", "@first", "@last", "@root"] } else { vec!["@root"] })),
        };
    }
    let frame = if let Some(below) = rest.strip_prefix("@root") {
        rest = below.trim_start_matches(['.', '/']);
        scope.stack.first()
    } else {
        while let Some(up) = rest.strip_prefix("../") {
            level += 1;
            rest = up;
        }
        scope.stack.len().checked_sub(level + 1).and_then(|at| scope.stack.get(at))
    };
    let Some(mut names) = (match frame {
        Some(Frame::Record(names)) => Some(*names),
        Some(Frame::Word) if rest == "this" || rest.is_empty() => return Ok(Kind::Text),
        Some(Frame::Word) => return Err(unknown(rest, vec!["this"])),
        None => None,
    }) else {
        return Err(unknown(rest, Vec::new()));
    };
    if rest == "this" || rest.is_empty() {
        return Ok(Kind::One(names));
    }
    let mut kind = Kind::One(names);
    for part in rest.split(['.', '/']) {
        let part = part.trim_matches(['[', ']']);
        let Kind::One(inner) = kind else { return Err(unknown(part, Vec::new())) };
        names = inner;
        match names.iter().find(|variable| variable.name == part) {
            Some(variable) => kind = variable.kind,
            None => return Err(unknown(part, names.iter().map(|variable| variable.name).collect())),
        }
    }
    Ok(kind)
}

/// Names of the partials that a tree includes, with where.
fn partials(template: &Template, above: At) -> Vec<(String, At)> {
    let mut all = Vec::new();
    for (element, at) in placed(template, above) {
        match element {
            TemplateElement::PartialExpression(partial) => {
                all.extend(partial.name.as_name().map(|name| (name.to_owned(), at)));
            }
            TemplateElement::HelperBlock(block) => {
                for inner in [&block.template, &block.inverse].into_iter().flatten() {
                    all.extend(partials(inner, at));
                }
            }
            _ => {}
        }
    }
    all
}

fn raw(path: &Path) -> &str {
    match path {
        Path::Relative((_, raw)) | Path::Local((_, _, raw)) => raw,
    }
}

fn hint<'w>(fault: Diagnostic, word: &str, known: impl IntoIterator<Item = &'w str>, otherwise: &str) -> Diagnostic {
    match nearest(word, known) {
        Some(near) => fault.label(format!("did you mean `{near}`?")),
        None => fault.label("not known").help(otherwise.to_owned()),
    }
}
