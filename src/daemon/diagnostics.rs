//! Findings as people and programs read them: drawn like a compiler, as JSON, or as annotations of a CI run. The engine hands them out plain.

use std::fmt::Write as _;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use watchkeeper_engine::source::{Diagnostic, SourceFile};
use watchkeeper_engine::text::one_line;

use crate::view::{FindingView, FindingsView};

/// Findings that one text shows in full; the rest is counted. A thousand faults have one cause, and a log line has an end.
const DRAWN_MAX: usize = 200;

/// Findings and the files they are about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// Every file that a finding names.
    pub files: Vec<SourceFile>,
    /// What was found, by file and place.
    pub found: Vec<Diagnostic>,
}

/// How findings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Like a compiler, for people.
    Text,
    /// One object with a list, for programs.
    Json,
    /// Workflow commands that GitHub shows beside the line.
    Github,
}

/// Whether a text may have colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// It goes to a terminal.
    Terminal,
    /// It goes anywhere else.
    Plain,
}

impl Findings {
    /// How many refuse the files.
    pub fn errors(&self) -> usize {
        self.found.iter().filter(|found| found.is_error()).count()
    }

    /// How many are taken and probably not meant.
    pub fn warnings(&self) -> usize {
        self.found.len() - self.errors()
    }

    /// Adds others.
    pub fn extend(&mut self, other: Findings) {
        self.files.extend(other.files);
        self.found.extend(other.found);
    }

    /// `3 errors and 1 warning`.
    pub fn counted(&self) -> String {
        let count = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
        match (self.errors(), self.warnings()) {
            (errors, 0) => count(errors, "error"),
            (0, warnings) => count(warnings, "warning"),
            (errors, warnings) => format!("{} and {}", count(errors, "error"), count(warnings, "warning")),
        }
    }

    /// Every finding in `format`, without a closing line.
    pub fn render(&self, format: Format, colour: Colour) -> String {
        match format {
            Format::Text => self.text(colour),
            Format::Json => format!("{:#}\n", serde_json::to_value(self.view()).expect("findings have a JSON form")),
            Format::Github => self.found.iter().map(|found| self.github(found)).collect(),
        }
    }

    /// Every finding with its place: what the API answers and `--format json` prints.
    pub fn view(&self) -> FindingsView {
        let finding = |found: &Diagnostic| {
            let (from, to) = self.file(found).map(|file| (file.place(found.span.start), file.place(found.span.end))).unzip();
            FindingView {
                severity: severity(found).to_owned(),
                path: found.path.clone(),
                line: from.as_ref().map(|place| place.line as u64),
                column: from.as_ref().map(|place| place.column as u64),
                end_line: to.as_ref().map(|place| place.line as u64),
                end_column: to.as_ref().map(|place| place.column as u64),
                message: found.message.clone(),
                label: found.label.clone(),
                help: found.help.clone(),
            }
        };
        FindingsView { errors: self.errors() as u64, warnings: self.warnings() as u64, findings: self.found.iter().map(finding).collect() }
    }

    fn text(&self, colour: Colour) -> String {
        let renderer = match colour {
            Colour::Terminal => Renderer::styled(),
            Colour::Plain => Renderer::plain(),
        };
        let mut out = String::new();
        for found in self.found.iter().take(DRAWN_MAX) {
            let level = if found.is_error() { Level::ERROR } else { Level::WARNING };
            let mut group = level.primary_title(found.message.as_str()).elements(Vec::<annotate_snippets::Message<'_>>::new());
            if let Some(file) = self.file(found) {
                let span = clamped(&file.text, found.span.clone());
                let label = (!found.label.is_empty()).then_some(found.label.as_str());
                let annotation = AnnotationKind::Primary.span(span).label(label);
                group = group.element(Snippet::source(file.text.as_str()).path(file.path.as_str()).annotation(annotation));
            }
            if let Some(help) = &found.help {
                group = group.element(Level::HELP.message(help.as_str()));
            }
            out.push_str(&renderer.render(&[group]));
            out.push('\n');
        }
        if let Some(more) = self.found.len().checked_sub(DRAWN_MAX).filter(|more| *more > 0) {
            writeln!(out, "and {more} more").expect("a String takes all");
        }
        out
    }

    fn github(&self, found: &Diagnostic) -> String {
        let escape = |text: &str| one_line(text).replace('%', "%25");
        let property = |text: &str| escape(text).replace(':', "%3A").replace(',', "%2C");
        let place = self.file(found).map(|file| file.place(found.span.start));
        let (line, column) = place.map_or((1, 1), |place| (place.line, place.column));
        let tail = [found.label.as_str(), found.help.as_deref().unwrap_or("")].map(escape).into_iter().filter(|text| !text.is_empty());
        let message = std::iter::once(escape(&found.message)).chain(tail).collect::<Vec<_>>().join("; ");
        format!("::{} file={},line={line},col={column}::{message}\n", severity(found), property(&found.path))
    }

    fn file(&self, found: &Diagnostic) -> Option<&SourceFile> {
        self.files.iter().find(|file| file.path == found.path)
    }
}

fn severity(found: &Diagnostic) -> &'static str {
    if found.is_error() { "error" } else { "warning" }
}

/// A span that the text has, on character boundaries.
fn clamped(text: &str, span: std::ops::Range<usize>) -> std::ops::Range<usize> {
    let floor = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = floor(span.start);
    start..floor(span.end).max(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_fault() -> Findings {
        let file = SourceFile::new("rules/sla.yaml", "slas:\n  - name: gold\n    priority: P9\n");
        let found = Diagnostic::error(&file, &(35..37), "unknown priority `P9`")
            .label("known priorities are P1, P2, P3, P4")
            .help("use one of the above");
        Findings { files: vec![file], found: vec![found] }
    }

    #[test]
    fn a_finding_is_drawn_with_its_place_its_line_and_its_help() {
        let expected = "\
error: unknown priority `P9`
 --> rules/sla.yaml:3:15
  |
3 |     priority: P9
  |               ^^ known priorities are P1, P2, P3, P4
  |
  = help: use one of the above
";
        assert_eq!(one_fault().render(Format::Text, Colour::Plain), expected);
    }

    #[test]
    fn a_finding_is_an_annotation_that_cannot_begin_a_command_of_its_own() {
        let mut findings = one_fault();
        findings.found[0].message = "100 % wrong\n::error::forged".to_owned();
        let expected = "::error file=rules/sla.yaml,line=3,col=15::100 %25 wrong ::error::forged; known priorities are P1, P2, P3, P4; use one of the above\n";
        assert_eq!(findings.render(Format::Github, Colour::Plain), expected);
    }

    #[test]
    fn a_span_beyond_the_file_is_drawn_at_its_end() {
        let mut findings = one_fault();
        findings.found[0].span = 900..901;
        assert!(findings.render(Format::Text, Colour::Plain).contains("unknown priority"));
    }
}
